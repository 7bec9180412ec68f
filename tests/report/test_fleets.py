"""How a fleet stands, in words."""

from __future__ import annotations

from datetime import timedelta

import pytest
from fleet_world import NEW, NOW, OLD, OTHER_ROOT, RHEL, ROOT, SLES, line, received, report

from repo_manager.core import fleet
from repo_manager.core.audit.findings import PackageStatus, Severity
from repo_manager.core.errors import TransferError
from repo_manager.core.fleet import ExpectedServer, Host, ProbeResult, Received, ServerRole, SetName, WantedPackages
from repo_manager.report import fleets
from repo_manager.report.fleets import About

WANTED = WantedPackages(SetName(ROOT, 7), {RHEL: NEW, SLES: NEW})
PLAIN = About(NOW, inventory="fleet.yaml", leader="az://sets/asr", verified=True)


def _fleet(
    *items: Received,
    looks: tuple[ProbeResult, ...] = (),
    expected: tuple[ExpectedServer, ...] = (),
    wanted: WantedPackages = WANTED,
) -> fleet.Fleet:
    return fleet.judge(wanted, items, now=NOW, silent_after=timedelta(days=2), expected=expected, looks=looks)


def _text(judged: fleet.Fleet, about: About = PLAIN, width: int = 80) -> str:
    return fleets.text(judged, about, width, lambda text, _severity: text)


@pytest.mark.parametrize(
    ("item", "words"),
    [
        (received(report("a", 6)), "a: 1 version behind"),
        (received(report("a", 9)), "a: 2 versions ahead"),
        (received(report("a", 7, root=OTHER_ROOT)), "a: follows another set"),
        (received(report("a", None)), "a: follows no set"),
        (received(report("a", exit_code=4, error="set-expired")), "a: its last mirror ended with exit code 4, set-exp"),
        (received(report("a", exit_code=5)), "a: its last mirror ended with exit code 5"),
        (received(report("a", exit_code=1, error=fleet.WAITS)), "a: waits for its hours"),
        (received(report("a", at=NOW)), "a: its clock is 1 h ahead"),
        (received(report("a", at=NOW - timedelta(hours=5))), "a: its clock is 4 h late"),
        (received(report("a", 7, line(RHEL, OLD), line(SLES))), f"a: RHEL9-64 {OLD} instead of {NEW}"),
        (received(report("a", 7, line(RHEL))), "a: SLES15-64 missing"),
        (received(report("a", 7, line(RHEL), line(SLES), line("X"))), f"a: X {NEW} not wanted"),
        (received(report("a", 7, line(RHEL, state=PackageStatus.CORRUPT), line(SLES))), f"a: RHEL9-64 {NEW} (corrupt)"),
    ],
)
def test_what_is_the_matter_is_said_in_words(item: Received, words: str) -> None:
    assert any(line.startswith(words) for line in _text(_fleet(item)).splitlines()), _text(_fleet(item))


def test_many_differences_are_counted() -> None:
    lines = [line(f"P{number}-64") for number in range(10)]
    assert "and 8 more" in _text(_fleet(received(report("a", 7, *lines))))


def test_many_servers_are_listed_and_some_explained() -> None:
    text = _text(_fleet(*(received(report(f"ps-{number:03}", 6)) for number in range(300))))
    assert text.count("1 version behind") == 50
    assert "and 250 servers more; --json has all of them" in text
    assert text.splitlines()[-3] == "300 servers: 300 behind"
    assert "on ps-000, ps-001, ps-002, ps-003, ps-004 and 295 more, and" in " ".join(text.split())


def test_nothing_stands_out_where_nothing_is_the_matter() -> None:
    judged = _fleet(*(received(report(host), 0) for host in ("a", "b")))
    assert _text(judged, About(NOW, leader="az://sets/asr", verified=True, reports="az://sets/asr", read=2)) == (
        "held against version 7 of az://sets/asr\n"
        "2 reports at az://sets/asr\n"
        "\n"
        "SERVER  STATE    SET  REPORTED   DIFFERS\n"
        "a       current  7    0 min ago        0\n"
        "b       current  7    0 min ago        0\n"
        "\n"
        "2 servers: 2 current"
    )


def test_no_servers_at_all_are_no_table() -> None:
    empty = _text(_fleet(wanted=WantedPackages(None, {})), About(NOW))
    assert empty == "held against what most servers have\n\nno servers"


def test_servers_that_only_we_cannot_see_are_told_apart() -> None:
    looks = (ProbeResult(Host("a"), error="no-answer", why="x: nothing came"),)
    text = _text(
        _fleet(received(report("a")), looks=looks, expected=(ExpectedServer(Host("a"), ServerRole.PROCESS_SERVER),))
    )
    assert "a       unreachable  7    1 h ago" in text
    assert text.splitlines()[-1] == "to mend it: see that the repositories of a can be read from here"


def test_a_failure_weighs_more_than_that_nobody_could_look() -> None:
    looks = (ProbeResult(Host("a"), error="no-answer", why="x: nothing came"),)
    text = _text(_fleet(received(report("a", exit_code=3, error="no-space")), looks=looks))
    assert "a       failed" in text
    assert "cannot be looked at (no-answer)" in text


def test_colour_says_how_grave_it_is() -> None:
    painted: dict[str, Severity] = {}

    def paint(text: str, severity: Severity) -> str:
        painted[text.split(maxsplit=1)[0]] = severity
        return text

    judged = _fleet(
        received(report("current")),
        received(report("behind", 6)),
        received(report("failed", exit_code=3)),
        looks=(ProbeResult(Host("unseen"), error="no-answer", why="x"),),
    )
    fleets.text(judged, PLAIN, 80, paint)
    assert painted == {"behind": Severity.WARNING, "failed": Severity.ERROR, "unseen": Severity.ERROR}


def test_text_from_outside_cannot_move_the_cursor() -> None:
    looks = (ProbeResult(Host("a"), error="no-answer", why="\x1b[31m\u202e"),)
    about = About(NOW, leader="\x1b[0m", reports="\x1b[0m", unreadable=("report-\x1b.json",))
    text = _text(_fleet(looks=looks), about)
    assert "\x1b" not in text
    assert "\u202e" not in text


def test_the_document_names_what_could_not_be_read() -> None:
    about = About(NOW, problems=(TransferError("stalled", "x: nothing", "look at it"),), unreadable=("report-x.json",))
    document = fleets.document(_fleet(received(report("a", None)), wanted=WantedPackages(None, {})), about)
    assert document["problems"] == [{"code": "stalled", "message": "x: nothing", "hint": "look at it"}]
    assert document["reports"] == {"place": None, "read": 0, "unreadable": ["report-x.json"]}
    assert document["wanted"]["from"] == "consensus"


def test_a_name_without_room_stands_above_its_line_and_is_whole() -> None:
    long, endless = "ps-srv-050.contoso.example", "x" * 150
    expected = tuple(ExpectedServer(Host(name), ServerRole.CONFIGURATION_SERVER) for name in ("ps-01", long, endless))
    lines = _text(_fleet(received(report("ps-01", 1234, root=OTHER_ROOT)), expected=expected)).splitlines()

    assert lines[2:9] == [
        "SERVER  STATE           SET           REPORTED  DIFFERS  ROLE",
        long,
        "        never reported  -             never           -  configuration-server",
        "x" * 80,
        "  " + "x" * 70,
        "        never reported  -             never           -  configuration-server",
        "ps-01   differs         1234 (other)  1 h ago         0  configuration-server",
    ]
    assert [server["host"] for server in fleets.document(_fleet(expected=expected), PLAIN)["servers"]].count(long) == 1


def test_where_things_lie_is_wrapped_and_not_cut() -> None:
    place = "https://leader.of.all.followers.contoso.example:8443/agents"
    text = _text(_fleet(received(report("a"))), About(NOW, leader=place, reports=place, read=1))
    assert text.splitlines()[:3] == [
        "held against version 7 of",
        f"  {place}, which was not",
        "  verified",
    ]
