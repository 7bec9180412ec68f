"""What the reports say together."""

from __future__ import annotations

from datetime import timedelta

import pytest
from fleet_world import NEW, NOW, OLD, OTHER_ROOT, RHEL, ROOT, SLES, line, received, report

from repo_manager.core import fleet
from repo_manager.core.audit.findings import PackageStatus
from repo_manager.core.fleet import Condition, Host, PackageDifference, Received, SetName, WantedPackages
from repo_manager.core.names import Token

WANTED = WantedPackages(SetName(ROOT, 7), {RHEL: NEW, SLES: NEW})
DAYS = timedelta(days=2)


def _judge(*items: Received, wanted: WantedPackages = WANTED, expected: tuple[str, ...] = ()) -> fleet.Fleet:
    hosts = [Host(name) for name in expected]
    return fleet.judge(wanted, items, now=NOW, silent_after=DAYS, expected=hosts)


@pytest.mark.parametrize(
    ("item", "condition", "why"),
    [
        (received(report()), Condition.CURRENT, "all as wanted"),
        (received(report(), 48), Condition.CURRENT, "just in time"),
        (received(report(), 48.1), Condition.SILENT, "too old"),
        (received(report(exit_code=3, error="no-space"), 49), Condition.SILENT, "silence weighs more than a failure"),
        (received(report(exit_code=3, error="no-space")), Condition.FAILED, "the run failed"),
        (received(report("a", 6, exit_code=1)), Condition.FAILED, "a failure weighs more than an older version"),
        (received(report("a", 6)), Condition.BEHIND, "an older version"),
        (received(report("a", 6, line(RHEL, OLD))), Condition.BEHIND, "that explains other packages"),
        (received(report("a", 8)), Condition.DIFFERS, "a newer version than there is"),
        (received(report("a", 7, line(RHEL, OLD), line(SLES))), Condition.DIFFERS, "another package"),
        (received(report("a", 7, line(RHEL))), Condition.DIFFERS, "one is missing"),
        (received(report("a", 7, line(RHEL), line(SLES), line("X"))), Condition.DIFFERS, "one too many"),
        (received(report("a", 7, root=OTHER_ROOT)), Condition.DIFFERS, "another set"),
        (received(report("a", None)), Condition.DIFFERS, "no set"),
        (received(report("a", 7, line(RHEL, state=PackageStatus.CORRUPT), line(SLES))), Condition.DIFFERS, "not whole"),
    ],
)
def test_a_server_is_in_the_gravest_condition_that_holds(item: Received, condition: Condition, why: str) -> None:
    assert [server.condition for server in _judge(item).servers] == [condition], why


def test_a_server_that_began_with_a_later_root_follows_the_same_set() -> None:
    wanted = WantedPackages(SetName(ROOT, 7), {RHEL: NEW, SLES: NEW}, frozenset({OTHER_ROOT}))
    (server,) = _judge(received(report("a", 6, root=OTHER_ROOT)), wanted=wanted).servers
    assert (server.condition, server.other_set, server.behind) == (Condition.BEHIND, False, 1)


def test_the_gravest_come_first_and_then_the_name_counts() -> None:
    items = [received(report("c")), received(report("b", 6)), received(report("a")), received(report("d", 7, line()))]
    judged = _judge(*items, expected=("e", "a", "e"))
    assert [(server.host, server.condition) for server in judged.servers] == [
        ("e", Condition.UNHEARD),
        ("d", Condition.DIFFERS),
        ("b", Condition.BEHIND),
        ("a", Condition.CURRENT),
        ("c", Condition.CURRENT),
    ]
    assert not judged.healthy
    assert judged.count(Condition.CURRENT) == 2


def test_who_is_behind_and_differs_is_told_of_those_that_are_silent_too() -> None:
    judged = _judge(received(report("a", 5, line(RHEL, OLD), line(SLES)), 60), expected=("b",))
    assert [(server.host, server.behind) for server in judged.behind] == [("a", 2)]
    assert [server.host for server in judged.differing] == ["a"]
    assert [server.host for server in judged.silent] == ["b", "a"]


def test_what_differs_is_told_package_by_package() -> None:
    lines = (line(RHEL, OLD, PackageStatus.OUTDATED), line("EXTRA"))
    (server,) = _judge(received(report("a", 7, *lines))).servers
    assert server.differences == (
        PackageDifference(RHEL, NEW, OLD, PackageStatus.OUTDATED),
        PackageDifference(SLES, NEW, None, None),
        PackageDifference(Token("EXTRA"), None, NEW, PackageStatus.OK),
    )


def test_a_package_that_is_neither_wanted_nor_there_is_no_difference_unless_the_server_misses_it() -> None:
    lines = (line(RHEL), line(SLES), line("A", None), line("B", None, PackageStatus.MISSING))
    (server,) = _judge(received(report("a", 7, *lines))).servers
    assert server.differences == (PackageDifference(Token("B"), None, None, PackageStatus.MISSING),)


def test_a_fleet_that_is_as_wanted_is_healthy() -> None:
    judged = _judge(received(report("a")), received(report("b")))
    assert judged.healthy
    assert (judged.behind, judged.differing, judged.silent) == ((), (), ())


def test_the_packages_are_the_wanted_ones_and_then_those_that_are_found() -> None:
    judged = _judge(received(report("a", 7, line("Z"), line(SLES))), expected=("b",))
    assert judged.packages == (RHEL, SLES, "Z")


def test_the_clocks_of_servers_are_compared_with_that_of_the_place() -> None:
    ahead = received(report("a", at=NOW + timedelta(hours=23)))
    (first, second) = _judge(ahead, expected=("b",)).servers
    assert (first.skew, second.skew) == (timedelta(), timedelta(hours=24))


def test_without_a_leader_most_servers_say_what_is_wanted() -> None:
    items = [
        received(report("a", 7)),
        received(report("b", 7, line(RHEL, OLD), line(SLES, None))),
        received(report("c", 6, line(RHEL, OLD))),
        received(report("d", 9, line("X"), root=OTHER_ROOT)),
        received(report("e", None, line("Y"))),
    ]
    assert fleet.consensus(items) == WantedPackages(SetName(ROOT, 7), {RHEL: NEW, SLES: NEW})


def test_without_any_set_most_servers_say_which_packages_are_wanted() -> None:
    items = [
        received(report(host, None, line(RHEL, version))) for host, version in (("a", OLD), ("b", OLD), ("c", NEW))
    ]
    assert fleet.consensus(items) == WantedPackages(None, {RHEL: OLD})
    judged = _judge(*items, wanted=fleet.consensus(items))
    assert [(server.host, server.condition) for server in judged.servers] == [
        ("c", Condition.DIFFERS),
        ("a", Condition.CURRENT),
        ("b", Condition.CURRENT),
    ]


def test_of_no_reports_nothing_is_wanted() -> None:
    assert fleet.consensus([]) == WantedPackages(None, {})
    assert _judge(wanted=fleet.consensus([])).healthy
