"""What the documentation says of a watch is held against what a watch tells."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
import small_world
from simulator import Start, name_of
from small_world import data_of
from watch_world import Watched

from repo_manager.adapters.filesystem.lock import Lock
from repo_manager.app.settings import parse
from repo_manager.core.watch_state import WatchEventKind, WatchTiming
from repo_manager.report import documents

if TYPE_CHECKING:
    from repo_manager.core.watch_state import WatchEvent

DOCS: Final = Path(__file__).parents[2] / "docs"
PAGE: Final = (DOCS / "reference" / "json.md").read_text(encoding="utf-8")
COMMON: Final = {"schema", "at", "event", "severity", "message"}


def documented() -> set[tuple[str, str, frozenset[str]]]:
    rows = re.findall(r"^\| `([a-z-]+)` \| (info|warning|error) \|([^|]*)\|", PAGE, re.MULTILINE)
    return {(what, severity, frozenset(re.findall(r"`([a-z]+)`", facts))) for what, severity, facts in rows}


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> list[WatchEvent]:
    """Everything that watches can meet with."""
    world = small_world.build(tmp_path_factory.mktemp("watch") / "world", mess=False)
    new, old = name_of("RHEL9-64"), name_of("RHEL9-64", "9.65")
    world.put(old)
    world.put(name_of("OL8-64"))
    away = world.root / "away"
    dry = Watched(world, dry_run=True)
    dry.at(50, dry.dropped(new)).until(100)
    (world.repository / new).unlink()
    watched = Watched(world)
    watched.folder.prepare()
    lock = Lock(watched.folder.lock_path, {"command": "sync", "since": "now", "pid": 1, "host": "here"})
    watched.service.starts = (Start.FAILS, Start.WELL)
    watched.at(100, watched.dropped(new)).at(110, lambda: watched.held.add(name_of("Windows")))
    watched.at(400, watched.dropped(name_of("Windows"))).at(500, watched.held.clear)
    watched.at(700, lock.__enter__).at(701, watched.dropped(f"{new} (1)", b"x")).at(
        800, lambda: lock.__exit__(None, None, None)
    )
    watched.at(900, lambda: world.repository.rename(away)).at(950, lambda: away.rename(world.repository))
    for token in ("RHEL9-64", "OL8-64", "Windows"):
        watched.at(1000, watched.dropped(name_of(token), data_of(name_of(token))[:700]))
    watched.until(1100)
    return [*dry.told, *watched.told]


def test_every_event_is_documented_with_what_stands_in_it(told: list[WatchEvent]) -> None:
    met = {(item.what.value, item.severity.value, frozenset(item.facts)) for item in told}
    assert met == documented()
    assert {what for what, _, _ in documented()} == set(WatchEventKind)


def test_the_shown_lines_are_as_they_are_printed(told: list[WatchEvent]) -> None:
    (block,) = re.findall(r"^```jsonl\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    shown: list[dict[str, Any]] = [json.loads(line) for line in block.splitlines()]
    printed = {item.what.value: documents.happening(item) for item in told}
    assert [list(line) for line in shown] == [list(printed[line["event"]]) for line in shown]
    assert all(line["schema"] == "repo-manager/watch/1" and set(line) >= COMMON for line in shown)


def test_the_times_on_the_page_are_the_usual_ones() -> None:
    text = (DOCS / "explanation" / "how-a-watch-decides.md").read_text(encoding="utf-8")
    usual = WatchTiming()
    assert (usual.quiet_s, usual.burst_s, usual.settle_s) == (2, 60, 10)
    assert usual.interval_s == usual.patience_s == 15 * 60
    assert usual.locked_s == 30
    for words in ("two seconds after the last event", "a minute after the first", "ten seconds", "every 15 minutes"):
        assert words in text


def test_a_configuration_of_a_watch_is_accepted() -> None:
    text = 'settle: 30\ninterval: 60\nwindow: ["22:00-05:00", "12:00-13:00"]\npolling: true\nlog: watch.log\n'
    assert parse(text, "config.yaml").options["window"] == ("22:00-05:00", "12:00-13:00")
