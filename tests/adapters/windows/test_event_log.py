"""The text log on a real disk, and the numbers of the events."""

from __future__ import annotations

import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from repo_manager.adapters.windows import event_log
from repo_manager.adapters.windows.event_log import EventId, OutputTail, TextLog, default_log, open_log
from repo_manager.core.audit.findings import Severity
from repo_manager.core.errors import InputError
from repo_manager.core.watch_state import WatchEvent, WatchEventKind

if TYPE_CHECKING:
    from collections.abc import Mapping

NOON = datetime(2026, 5, 1, 14, 0, 0, tzinfo=timezone(timedelta(hours=2)))


def happening(message: str = "a file went", what: WatchEventKind = WatchEventKind.RETIRED, **facts: str) -> WatchEvent:
    return WatchEvent(NOON, what, Severity.WARNING, message, facts)


def test_a_line_has_the_time_in_utc_the_severity_the_kind_and_the_facts(tmp_path: Path) -> None:
    path = tmp_path / "not" / "there yet" / "watch.log"
    log = open_log(path)
    log.write(happening(file="a.tar.gz", reason="cut off, at 5 bytes"))
    log.write(happening("two\nlines", WatchEventKind.STARTED, why='say "no"', empty=""))
    log.close()
    assert path.read_text(encoding="ascii").splitlines() == [
        '2026-05-01T12:00:00Z warning retired        a file went file=a.tar.gz reason="cut off, at 5 bytes"',
        '2026-05-01T12:00:00Z warning started        two lines empty="" why="say \'no\'"',
    ]


def test_what_is_not_ascii_is_written_in_escapes(tmp_path: Path) -> None:
    log = TextLog(tmp_path / "watch.log")
    log.write(happening("caf\u00e9 \udce9"))
    assert b"caf\\xe9 \\udce9" in (tmp_path / "watch.log").read_bytes()


def test_a_full_log_is_renamed_and_only_a_few_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "watch.log"
    log = TextLog(path, limit_bytes=1000, kept=3)
    for number in range(200):
        log.write(happening(f"number {number:04}"))
    names = sorted(found.name for found in tmp_path.iterdir())
    assert names == ["watch.log", "watch.log.1", "watch.log.2", "watch.log.3"]
    assert all(found.stat().st_size <= 1000 for found in tmp_path.iterdir())
    text = "".join((tmp_path / name).read_text(encoding="ascii") for name in reversed(names[1:]))
    text += path.read_text(encoding="ascii")
    numbers = [line.split()[-1] for line in text.splitlines()]
    assert numbers == [f"{number:04}" for number in range(200 - len(numbers), 200)]
    assert len(numbers) > 50


def test_a_log_that_cannot_be_renamed_grows_on_but_not_for_ever(tmp_path: Path) -> None:
    path = tmp_path / "watch.log"
    # A folder in the way of the first rename: no file is renamed onto it, on any system.
    (tmp_path / "watch.log.full").mkdir()
    log = TextLog(path, limit_bytes=1000, kept=3)
    for number in range(200):
        log.write(happening(f"number {number:04}"))
    assert 1000 < path.stat().st_size < 2200
    (tmp_path / "watch.log.full").rmdir()
    log.write(happening("the last"))
    assert "the last" in path.read_text(encoding="ascii")
    assert (tmp_path / "watch.log.1").stat().st_size > 1000


def test_a_log_whose_folder_goes_away_comes_back_with_it(tmp_path: Path) -> None:
    path = tmp_path / "logs" / "watch.log"
    log = TextLog(path)
    path.unlink()
    path.parent.rmdir()
    path.parent.write_text("a file where the folder was", encoding="ascii")
    log.write(happening("not heard"))
    path.parent.unlink()
    log.write(happening("heard"))
    assert [line.split()[3:] for line in path.read_text(encoding="ascii").splitlines()] == [["heard"]]


def test_a_log_that_cannot_be_written_is_refused_before_the_watch_begins(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="ascii")
    with pytest.raises(InputError) as caught:
        open_log(tmp_path / "file" / "watch.log")
    assert caught.value.code == "cannot-log"
    assert "--log" in caught.value.hint


@pytest.mark.skipif(sys.platform == "win32", reason="there it may go to the Event Log")
def test_without_a_path_nothing_is_kept() -> None:
    log = open_log(None)
    log.write(happening())
    log.close()


@pytest.mark.parametrize(
    ("environ", "path"),
    [
        ({}, Path("/var/log/repo-manager/watch.log")),
        ({"ProgramData": "P"}, Path("P", "repo-manager", "logs", "watch.log")),
    ],
)
def test_the_log_has_a_place_of_its_own(environ: Mapping[str, str], path: Path) -> None:
    assert default_log(environ) == path


# The Event Log

NUMBERS = {
    "STARTED": 100,
    "STOPPED": 101,
    "NOTE": 102,
    "ARRIVED": 200,
    "RETIRED": 201,
    "RESTARTED": 202,
    "WAITING": 203,
    "PLANNED": 204,
    "AWAY": 300,
    "BACK": 301,
    "FAILED": 400,
    "SERVICE_FAILED": 401,
    "ENDED": 402,
}


def test_the_numbers_of_events_stay_as_they_are() -> None:
    assert {event.name: int(event) for event in EventId} == NUMBERS
    assert all(1 <= event <= 1000 for event in EventId)


@pytest.mark.parametrize("what", list(WatchEventKind))
def test_every_kind_of_event_has_a_number_and_the_page_says_which(what: WatchEventKind) -> None:
    event = EventId[what.name]
    page = Path(__file__).parents[3] / "docs" / "reference" / "events.md"
    assert f"| {int(event)} | `{what}` |" in page.read_text(encoding="utf-8")


def test_last_words_are_the_last_and_not_many() -> None:
    words = OutputTail()
    for number in range(5000):
        print(f"line {number}", file=words)
    assert words.getvalue().endswith("line 4999\n")
    assert len(words.getvalue()) < 10_000


def test_where_no_event_log_is_the_end_is_not_told() -> None:
    if not event_log.source_is_known():
        event_log.report_end(3, "words")
