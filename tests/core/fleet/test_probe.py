"""What is seen of a server, beside and instead of what it reports."""

from __future__ import annotations

from datetime import timedelta

import pytest
from fleet_world import NEW, NOW, OLD, OTHER_ROOT, RHEL, ROOT, SLES, line, received, report

from repo_manager.core import fleet, repository
from repo_manager.core.audit.findings import Code, FileVerdict, PackageStatus, Severity
from repo_manager.core.fleet import (
    Condition,
    ExpectedServer,
    Host,
    ProbeResult,
    Received,
    ServerRole,
    SetName,
    WantedPackages,
)
from repo_manager.core.repository import FolderEntry

WANTED = WantedPackages(SetName(ROOT, 7), {RHEL: NEW, SLES: NEW})
GOOD = (line(RHEL), line(SLES))
NAMES = (
    "Microsoft-ASR_UA_9.66.7567.1_RHEL9-64_GA_20Sep2025_release.tar.gz",
    "Microsoft-ASR_UA_9.65.7417.1_RHEL9-64_GA_20Jun2025_release.tar.gz",
    "Microsoft-ASR_UA_9.66.7567.1_SLES15-64_GA_20Sep2025_release.tar.gz",
)


def _look(
    host: str = "ps-01", *lines: fleet.ReportedPackage, version: int | None = None, root: str = ROOT
) -> ProbeResult:
    return ProbeResult(Host(host), lines or GOOD, None if version is None else SetName(root, version))


def _judge(
    *looks: ProbeResult,
    reports: tuple[Received, ...] = (),
    wanted: WantedPackages = WANTED,
    expected: tuple[ExpectedServer, ...] = (),
) -> fleet.Fleet:
    return fleet.judge(wanted, reports, now=NOW, silent_after=timedelta(days=2), expected=expected, looks=looks)


def _unseen(host: str = "ps-01") -> ProbeResult:
    return ProbeResult(Host(host), error="no-answer", why="nothing came")


@pytest.mark.parametrize(
    ("look", "item", "condition", "why"),
    [
        (_look(), None, Condition.CURRENT, "seen with all that is wanted, whoever brought it there"),
        (_look("ps-01", line(RHEL)), None, Condition.DIFFERS, "seen without a package"),
        (_look(version=6), None, Condition.BEHIND, "it followed an older version last"),
        (_look(version=8), None, Condition.DIFFERS, "it followed a version that there is not"),
        (_look(version=7, root=OTHER_ROOT), None, Condition.DIFFERS, "it follows another set"),
        (_unseen(), None, Condition.UNHEARD, "neither seen nor heard"),
        (_unseen(), received(report()), Condition.CURRENT, "what it reports counts"),
        (_unseen(), received(report("ps-01", 6)), Condition.BEHIND, "what it reports counts"),
        (_look(), received(report("ps-01", 7, line(RHEL, OLD))), Condition.CURRENT, "what is seen beats what it says"),
        (_look("ps-01", line(RHEL, OLD)), received(report()), Condition.DIFFERS, "what is seen beats what it says"),
        (_look(), received(report(), 72), Condition.SILENT, "its report is as old as it is"),
        (_look(), received(report(exit_code=4, error="set-expired")), Condition.FAILED, "its run failed"),
        (_look(version=6), received(report()), Condition.BEHIND, "what is seen of its memory counts"),
        (_look(), received(report("ps-01", 6)), Condition.BEHIND, "without a memory its report says what it follows"),
        (_look(), received(report("ps-01", None)), Condition.DIFFERS, "it says that it follows nothing"),
    ],
)
def test_what_is_seen_and_what_is_reported_make_one_judgement(
    look: ProbeResult, item: Received | None, condition: Condition, why: str
) -> None:
    (server,) = _judge(look, reports=(item,) if item else ()).servers
    assert server.condition is condition, why


def test_a_run_that_waits_for_its_hours_has_not_failed() -> None:
    waiting = received(report("ps-01", 7, line(RHEL, OLD), line(SLES), exit_code=1, error=fleet.WAITS))
    (server,) = _judge(reports=(waiting,)).servers
    assert server.condition is Condition.DIFFERS


def test_who_could_not_be_looked_at_is_told_whatever_they_report() -> None:
    judged = _judge(_unseen("a"), _look("b"), reports=(received(report("a")),))
    assert [(server.host, server.unseen) for server in judged.unseen] == [("a", "no-answer")]
    assert (judged.healthy, judged.broken) == (False, True)


def test_the_inventory_says_roles_and_who_is_not_in_it() -> None:
    expected = (
        ExpectedServer(Host("a"), ServerRole.CONFIGURATION_SERVER),
        ExpectedServer(Host("b"), ServerRole.PROCESS_SERVER),
        ExpectedServer(Host("a"), ServerRole.PROCESS_SERVER),
    )
    judged = _judge(_look("a"), _look("b"), reports=(received(report("z"), 99),), expected=expected)
    told = [(server.host, server.role, server.listed) for server in judged.servers]
    assert told == [
        ("z", None, False),
        ("a", ServerRole.CONFIGURATION_SERVER, True),
        ("b", ServerRole.PROCESS_SERVER, True),
    ]
    assert [server.host for server in judged.unlisted] == ["z"]
    assert (judged.healthy, judged.broken) == (True, False), "who is not in the inventory is no reason for alarm"


def test_without_an_inventory_all_count() -> None:
    judged = _judge(reports=(received(report("z"), 99),))
    assert (judged.unlisted, judged.healthy, judged.broken) == ((), False, True)


def test_servers_that_merely_differ_break_nothing() -> None:
    judged = _judge(_look("a", line(RHEL)), _look("b", version=6))
    assert (judged.healthy, judged.broken) == (False, False)


def test_the_packages_of_a_fleet_are_also_those_that_were_seen() -> None:
    assert _judge(_look("a", line("Z"))).packages == (RHEL, SLES, "Z")


def test_what_most_servers_have_counts_what_was_seen() -> None:
    looks = [_look("a", line(RHEL, OLD), version=6), _look("b", version=7), _unseen("c"), _look("d", line(SLES, OLD))]
    reports = [received(report("a", 7)), received(report("c", 7, line(RHEL), line(SLES)))]
    assert fleet.consensus(reports, looks) == WantedPackages(SetName(ROOT, 7), {RHEL: NEW, SLES: NEW})


def test_without_any_set_what_was_seen_says_which_packages_are_wanted() -> None:
    looks = [_look("a"), _look("b", line(RHEL, OLD)), _look("c")]
    assert fleet.consensus([], looks) == WantedPackages(None, {RHEL: NEW, SLES: NEW})


def test_what_lies_there_is_a_line_each() -> None:
    listing = repository.survey("r", [FolderEntry(name, 9) for name in (*NAMES, "notes.txt")])
    assert fleet.present(listing, {}) == (line(RHEL, NEW, PackageStatus.DUPLICATE), line(SLES))
    broken = {NAMES[2]: FileVerdict(Code.CORRUPT, "half"), NAMES[0]: FileVerdict(Code.UNSIGNED, "no", Severity.WARNING)}
    assert fleet.present(listing, broken) == (
        line(RHEL, NEW, PackageStatus.DUPLICATE),
        line(SLES, NEW, PackageStatus.CORRUPT),
    )
