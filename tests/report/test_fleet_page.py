"""The fleet page as a document: what it says, and that nothing in it comes alive. Browsers have tests of their own."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import replace
from datetime import timedelta
from html.parser import HTMLParser
from typing import Any, Final

import pytest
from fleet_world import NEW, NOW, OLD, OTHER_ROOT, RHEL, ROOT, SLES, line, received, report
from typer._click.core import Context

from repo_manager.cli.root import root
from repo_manager.core import fleet
from repo_manager.core.audit.findings import PackageStatus
from repo_manager.core.fleet import ExpectedServer, Host, ProbeResult, Received, ServerRole, SetName, WantedPackages
from repo_manager.core.names import Token
from repo_manager.report import fleet_page

WANTED: Final = WantedPackages(SetName(ROOT, 7), {RHEL: NEW, SLES: NEW})


def _came(made: fleet.Report, hours_ago: float = 1) -> Received:
    """A report that came as soon as it was made, unless it says another time."""
    at = NOW - timedelta(hours=hours_ago) if made.at == NOW else made.at
    return received(replace(made, at=at), hours_ago)


class Reader(HTMLParser):
    """The cells of the matrix, every element, and every attribute."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in {"meta", "input", "col"}:
            self._open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in {"td", "th"}:
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if {"td", "th"} & set(self._open):
            self.rows[-1][-1] += data


def _page(*items: Received, wanted: WantedPackages = WANTED, expected: tuple[str, ...] = ()) -> str:
    hosts = [Host(name) for name in expected]
    judged = fleet.judge(wanted, items, now=NOW, silent_after=timedelta(days=2), expected=hosts)
    return fleet_page.render(judged, NOW)[0]


def _rows(*items: Received, wanted: WantedPackages = WANTED, expected: tuple[str, ...] = ()) -> list[list[str]]:
    return _matrix(_page(*items, wanted=wanted, expected=expected))


def _matrix(text: str) -> list[list[str]]:
    return Reader(text.partition('<table id="fleet">')[2].partition("</table>")[0]).rows


def test_a_row_has_everything_of_a_server() -> None:
    head, row = _rows(_came(report()))
    assert head == ["Server", "State", "Version", "Last report", "Last run", "Drift", RHEL, SLES]
    assert row == ["ps-01", "current", "7", "1 h ago", "mirror done", "0", "ok", "ok"]


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        (_came(report("a", 5), 0.1), ["a", "behind", "5 (2 behind)", "6 min ago", "mirror done", "0"]),
        (_came(report("a", 9)), ["a", "differs", "9 (2 ahead)", "1 h ago", "mirror done", "0"]),
        (_came(report("a", None)), ["a", "differs", "no set", "1 h ago", "mirror done", "0"]),
        (
            _came(report("a", 3, root=OTHER_ROOT)),
            ["a", "differs", "3 of another set", "1 h ago", "mirror done", "0"],
        ),
        (_came(report("a"), 100), ["a", "silent", "7", "4 d ago", "mirror done", "0"]),
        (_came(report("a", exit_code=3)), ["a", "failed", "7", "1 h ago", "mirror exit 3", "0"]),
        (
            _came(report("a", exit_code=3, error="no-space")),
            ["a", "failed", "7", "1 h ago", "mirror exit 3: no-space", "0"],
        ),
        (
            _came(report("a", at=NOW + timedelta(hours=22))),
            ["a", "current", "7", "1 h ago, clock 23 h ahead", "mirror done", "0"],
        ),
        (
            _came(report("a", at=NOW - timedelta(hours=3))),
            ["a", "current", "7", "1 h ago, clock 2 h late", "mirror done", "0"],
        ),
    ],
)
def test_how_a_server_stands_is_said_in_words(item: Received, expected: list[str]) -> None:
    assert _rows(item)[1][:6] == expected


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ((line(RHEL, OLD), line(SLES)), ["9.65: 9.65.7417.1 instead of 9.66.7567.1", "ok"]),
        ((line(RHEL, "9.66.7500.1"), line(SLES)), ["7500: 9.66.7500.1 instead of 9.66.7567.1", "ok"]),
        (
            (line(RHEL, None, PackageStatus.MISSING), line(SLES)),
            ["none: nothing instead of 9.66.7567.1, missing", "ok"],
        ),
        ((line(SLES),), ["none: nothing instead of 9.66.7567.1", "ok"]),
        ((line(RHEL, state=PackageStatus.CORRUPT), line(SLES)), ["bad: 9.66.7567.1, corrupt", "ok"]),
        ((line(RHEL), line(SLES), line("X")), ["ok", "ok", "extra: 9.66.7567.1 instead of nothing"]),
    ],
)
def test_what_differs_is_said_in_its_cell(lines: tuple[fleet.ReportedPackage, ...], expected: list[str]) -> None:
    assert _rows(_came(report("a", 7, *lines)))[1][6:] == expected


def test_a_server_that_never_reported_has_a_row() -> None:
    assert _rows(expected=("a",))[1] == ["a", "never reported", "-", "never", "-", "-", "-", "-"]


def test_a_role_and_what_the_inventory_does_not_know_stand_beside_the_name() -> None:
    listed = [ExpectedServer(Host("a"), ServerRole.PROCESS_SERVER), ExpectedServer(Host("c"))]
    judged = fleet.judge(
        WANTED, [_came(report("a")), _came(report("b"))], now=NOW, silent_after=timedelta(days=2), expected=listed
    )
    assert [row[0] for row in _matrix(fleet_page.render(judged, NOW)[0])[1:]] == [
        "c",
        "a process",
        "b not in the inventory",
    ]


def test_a_server_that_was_looked_at_is_shown_as_it_was_seen() -> None:
    looks = [
        ProbeResult(Host("a"), (line(RHEL, OLD), line(SLES)), SetName(ROOT, 6)),
        ProbeResult(Host("b"), error="access-denied"),
        ProbeResult(Host("c"), error="no-such-folder"),
    ]
    judged = fleet.judge(WANTED, [_came(report("c"))], now=NOW, silent_after=timedelta(days=2), looks=looks)
    assert _matrix(fleet_page.render(judged, NOW)[0])[1:] == [
        ["b", "never reported, not seen: access-denied", "-", "never", "-", "-", "-", "-"],
        ["a", "behind", "6 (1 behind)", "never", "-", "1", "9.65: 9.65.7417.1 instead of 9.66.7567.1", "ok"],
        ["c", "current, not seen: no-such-folder", "7", "1 h ago", "mirror done", "0", "ok", "ok"],
    ]


def test_a_run_that_waits_for_its_hours_is_shown_as_such_and_not_as_wrong() -> None:
    text = _page(_came(report("a", 6, exit_code=1, error=fleet.WAITS)))
    assert _matrix(text)[1][1:5] == ["behind", "6 (1 behind)", "1 h ago", "mirror exit 1: window-closed"]
    assert 'class="fact wrong"' not in text


def test_packages_stand_in_the_order_of_their_numbers_and_what_nobody_wants_stands_last() -> None:
    wanted = {Token(name): NEW for name in ("DEBIAN10-64", "DEBIAN9-64", "RHEL8-64")}
    item = _came(report("a", 7, *(line(name) for name in (*wanted, "CENTOS6-64"))))
    assert _rows(item, wanted=WantedPackages(SetName(ROOT, 7), wanted))[0][6:] == [
        "DEBIAN9-64",
        "DEBIAN10-64",
        "RHEL8-64",
        "CENTOS6-64",
    ]


def test_what_differs_stands_below_in_words_too_once_for_all_packages_it_is_said_of() -> None:
    text = _page(_came(report("a", 7, line(RHEL, OLD), line(SLES, OLD), line("X"))))
    assert Reader(text.partition('<details id="words">')[2].partition("</details>")[0]).rows[1:] == [
        ["a", "9.65.7417.1 instead of 9.66.7567.1", f"{RHEL}, {SLES}"],
        ["a", "9.66.7567.1 instead of nothing", "X"],
    ]
    assert '<details id="words">' not in _page(_came(report("a")))


def test_what_to_do_is_said_of_the_states_there_are() -> None:
    text = _page(_came(report("a", 6)), _came(report("b", exit_code=3)))
    assert re.findall("<dt>(.*?)</dt>", text) == ["failed", "behind"]
    assert "<dt>" not in _page(_came(report("a")))


def test_every_command_of_the_advice_is_one() -> None:
    tool = root()
    for words in (command.split() for _, command in fleet_page.NEXT.values()):
        assert words[0] == "repo-manager"
        found: Any = tool.get_command(Context(tool), words[1])
        options = {option for parameter in found.params for option in parameter.opts}
        assert {word for word in words[2:] if word.startswith("-")} <= options


def test_the_bar_is_as_long_as_the_numbers_below_it() -> None:
    text = _page(_came(report("a", 6)), _came(report("b")), _came(report("c")), expected=("d",))
    bars = re.findall(r'<rect class="(\w+)" x="(\d+)" width="(\d+)"', text)
    assert bars == [("unheard", "0", "1"), ("behind", "1", "1"), ("current", "2", "2")]


def test_an_empty_fleet_and_one_without_a_set_have_a_page() -> None:
    assert "<title>Fleet: 0 of 0 current</title>" in _page()
    assert "No server has reported yet" in _page()
    assert "held against what most of them have" in _page(
        _came(report()), wanted=WantedPackages(None, {RHEL: NEW, SLES: NEW})
    )


def test_a_server_that_makes_up_packages_does_not_make_the_page_wide() -> None:
    text = _page(_came(report("a", 7, line(RHEL), line(SLES), *(line(f"X{number}") for number in range(100)))))
    assert len(_matrix(text)[0]) == 6 + 2 + 40
    assert "60 more packages that nobody wants" in text
    assert _matrix(text)[1][5] == "100"


def test_of_very_many_differences_the_first_are_said_in_words() -> None:
    late = _came(report("a", 7, line(RHEL, OLD), line(SLES)))
    text = _page(*(replace(late, report=replace(late.report, host=Host(f"ps-{number}"))) for number in range(2001)))
    words = text.partition('<details id="words">')[2]
    assert "Only the first 2000 lines are here" in words
    assert words.count("<tr data-host=") == 2000


def test_files_without_a_report_are_named_but_not_all_of_them() -> None:
    judged = fleet.judge(WANTED, [_came(report())], now=NOW, silent_after=timedelta(days=2))
    names = tuple(f"report-{number}.json" for number in range(12))
    text, _ = fleet_page.render(judged, NOW, unreadable=names)
    assert f"12 files without a report that can be read: {', '.join(names[:10])}, ...</p>" in text
    assert "that can be read" not in fleet_page.render(judged, NOW)[0]


def test_of_more_servers_than_a_browser_can_show_the_gravest_are_shown() -> None:
    fine, late = _came(report("a")), _came(report("z", 6))
    items = [replace(fine, report=replace(fine.report, host=Host(f"ps-{number}"))) for number in range(5000)]
    text = _page(*items, late)
    rows = _matrix(text)
    assert len(rows) == 5001
    assert rows[1][0] == "z"
    assert "The gravest 5000 of 5001 servers are shown" in text


EVIL: Final = '"><script>alert(1)</script><img src=x onerror=alert(1)>\u202e&'


def test_nothing_from_outside_becomes_markup() -> None:
    evil = _came(
        fleet.Report(
            Host(EVIL),
            NOW,
            EVIL,
            EVIL,
            3,
            EVIL,
            SetName(ROOT, 7),
            None,
            (line(EVIL, "9.1.2.3"), line(RHEL, EVIL + "...")),
        )
    )
    judged = fleet.judge(WANTED, [evil], now=NOW, silent_after=timedelta(days=2))
    text, _ = fleet_page.render(judged, NOW, unreadable=(EVIL,))
    reader = Reader(text)
    assert reader.tags.count("script") == 1
    assert "img" not in reader.tags
    assert not [name for name, _ in reader.attributes if name.startswith("on") or name in {"style", "src", "href"}]
    assert "\u202e" not in text


def test_style_and_script_are_the_only_ones_that_are_allowed() -> None:
    judged = fleet.judge(WANTED, [], now=NOW, silent_after=timedelta(days=2))
    text, policy = fleet_page.render(judged, NOW)
    for tag, directive in (("style", "style-src"), ("script", "script-src")):
        (inner,) = re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(inner.encode()).digest()).decode()
        assert f"{directive} 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy


def test_the_page_asks_for_nothing_else() -> None:
    text = _page(_came(report()))
    assert not re.search(r"https?://|//[a-z]|@import|url\(|fetch|XMLHttp", text)


def test_a_page_of_a_large_fleet_is_not_large() -> None:
    packages = {Token(f"PACKAGE{number}-64"): NEW for number in range(26)}
    items = [
        _came(report(f"ps-{number:03}", 7, *(line(name, OLD if number % 9 == 0 else NEW) for name in packages)))
        for number in range(300)
    ]
    text = _page(*items, wanted=WantedPackages(SetName(ROOT, 7), packages))
    assert len(_matrix(text)) == 301
    assert len(text) < 400_000
