"""A watch with real observers, real threads and processes, and real time: waited for, never measured."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
import small_world
from cli_world import InstantService
from processes import until
from simulator import name_of
from small_world import World, data_of
from watch_world import LIMIT_S, planned, started

from repo_manager.adapters import folder_events
from repo_manager.adapters.filesystem.lock import Lock
from repo_manager.adapters.filesystem.repository_folder import Folder
from repo_manager.adapters.interruptible import SystemClock
from repo_manager.app.watch_loop import FolderMonitor, WatchConfig, Watcher
from repo_manager.core.errors import ExitCode
from repo_manager.core.service import Timeouts
from repo_manager.core.watch_state import WatchEvent, WatchEventKind, WatchTiming

if TYPE_CHECKING:
    from collections.abc import Iterator

    from repo_manager.app.change import ChangeContext

RHEL_OLD, RHEL = name_of("RHEL9-64", "9.65"), name_of("RHEL9-64")
OL: Final = name_of("OL8-64")
WINDOWS: Final = name_of("Windows")

# Long enough that a machine at work does not take a pause for the end, short enough to wait for.
PACE: Final = WatchTiming(
    settle_s=1.0, quiet_s=0.3, burst_s=5.0, patience_s=8.0, interval_s=3600, away_s=0.3, locked_s=0.3
)
both = pytest.mark.parametrize("polling", [False, True], ids=["native", "polling"])


@dataclass
class Watching:
    """A watch at work in a thread of its own."""

    world: World
    polling: bool
    service: InstantService = field(default_factory=InstantService)
    told: list[WatchEvent] = field(default_factory=list)
    bell: folder_events.QueueWakeSignal = field(default_factory=folder_events.QueueWakeSignal)

    def run(self) -> None:
        path = self.world.repository
        Watcher(
            WatchConfig(folder=Folder(path), bench=self.bench, plan=planned),
            FolderMonitor(self.observe, folder_events.held_open, folder_events.pulse, 1.0),
            bell=self.bell,
            clock=SystemClock(),
            now=lambda: datetime.now(UTC),
            pace=PACE,
            tell=self.told.append,
        ).run()

    def bench(self) -> ChangeContext:
        made = small_world.bench(self.world)
        patience = Timeouts(stop_s=1, start_s=1, steady_s=0.02, poll_s=0.01)
        return replace(made, service=self.service, clock=SystemClock(), patience=patience)

    def observe(self, ring: Any) -> folder_events.FolderEvents:  # noqa: ANN401 - a function
        return folder_events.FolderEvents(self.world.repository, ring, polling=self.polling, poll_s=0.2)

    def names(self) -> set[str]:
        return {path.name for path in self.world.repository.glob("Microsoft*")}

    def retired(self) -> set[str]:
        return {file.name for file in Folder(self.world.repository).retired()}

    def said(self, what: WatchEventKind) -> list[str]:
        return [item.message for item in list(self.told) if item.what is what]

    def until(self, what: WatchEventKind, times: int = 1) -> None:
        until(lambda: len(self.said(what)) >= times, f"{what} was told {times} times: {self.told}", LIMIT_S)


@contextlib.contextmanager
def watching(world: World, *, polling: bool) -> Iterator[Watching]:
    """A watch that has looked once and has found nothing to do."""
    watch = Watching(world, polling)
    failed: list[BaseException] = []

    def run() -> None:
        try:
            watch.run()
        except BaseException as error:  # noqa: BLE001 - for the test to see
            failed.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        watch.until(WatchEventKind.NOTE)
        yield watch
    finally:
        watch.bell.stop()
        thread.join()
    assert failed == []
    assert watch.told[-1].what is WatchEventKind.STOPPED


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = small_world.build(tmp_path / "world", mess=False)
    made.put(RHEL_OLD)
    made.put(OL)
    return made


@both
def test_ten_thousand_events_in_a_burst_are_one_restart(world: World, *, polling: bool) -> None:
    with watching(world, polling=polling) as watch:
        for number in range(2_500):
            path = world.repository / f"notes-{number % 200}.txt"
            path.write_bytes(b"x" * (number % 50))
            if number % 3 == 0:
                path.unlink()
        # As long as one is being written, the burst is not over.
        with (world.repository / WINDOWS).open("wb") as file:
            world.put(RHEL)
            file.write(data_of(WINDOWS))
        watch.until(WatchEventKind.RESTARTED)
        assert watch.retired() == {RHEL_OLD}
    assert watch.service.starts == 1
    assert len(watch.told) < 12


@both
def test_a_file_that_is_written_in_a_hundred_slow_steps_is_not_touched_before(world: World, *, polling: bool) -> None:
    path, data = world.repository / RHEL, data_of(RHEL)
    with watching(world, polling=polling) as watch:
        # Held open, so that a machine that pauses in between does not make it look whole.
        with path.open("ab", buffering=0) as file:
            for number in range(100):
                file.write(data[len(data) * number // 100 : len(data) * (number + 1) // 100])
                time.sleep(0.03)
                assert path.stat().st_size == len(data) * (number + 1) // 100
        watch.until(WatchEventKind.RESTARTED)
        assert path.read_bytes() == data
        assert watch.retired() == {RHEL_OLD}
        assert watch.service.starts == 1


@both
def test_a_file_that_is_held_open_is_left_alone_for_as_long(world: World, *, polling: bool) -> None:
    path, data = world.repository / RHEL, data_of(RHEL)
    with watching(world, polling=polling) as watch:
        with path.open("wb") as file:
            file.write(data[:900])
            file.flush()
            watch.until(WatchEventKind.WAITING)
            time.sleep(2 * PACE.settle_s)
            assert watch.retired() == set()
            file.write(data[900:])
        watch.until(WatchEventKind.RESTARTED)
        assert watch.retired() == {RHEL_OLD}


@both
def test_two_good_builds_renamed_into_the_folder_leave_the_newer_one(world: World, *, polling: bool) -> None:
    (world.repository / RHEL_OLD).unlink()
    for name in (RHEL_OLD, RHEL):
        (world.outside / name).write_bytes(data_of(name))
    with watching(world, polling=polling) as watch:
        for name in (RHEL_OLD, RHEL):
            (world.outside / name).rename(world.repository / name)
        watch.until(WatchEventKind.RESTARTED)
        assert watch.names() == {RHEL, OL}
        assert watch.service.starts == 1


@both
def test_a_corrupt_one_is_retired_with_the_reason_and_the_good_one_stays(world: World, *, polling: bool) -> None:
    with watching(world, polling=polling) as watch:
        world.put(RHEL, data_of(RHEL)[:900])
        watch.until(WatchEventKind.RETIRED)
        assert watch.names() == {RHEL_OLD, OL}
        (reasons,) = world.repository.glob(".repo-manager/retired/*/reasons.txt")
        until(lambda: RHEL in reasons.read_text(encoding="utf-8"), "the reason lies beside it")


def moved(old: Path, new: Path) -> None:
    """Rename a folder. On Windows somebody who looks into it just now keeps it where it is, for a moment."""

    def done() -> bool:
        with contextlib.suppress(OSError):
            old.rename(new)
        return not old.exists()

    until(done, f"{old.name} is {new.name}", LIMIT_S)


@both
def test_a_share_that_goes_away_and_comes_back_is_watched_again(world: World, *, polling: bool) -> None:
    away = world.root / "away"
    with watching(world, polling=polling) as watch:
        moved(world.repository, away)
        watch.until(WatchEventKind.AWAY)
        world.repository.mkdir()
        time.sleep(3 * PACE.away_s)
        assert list(world.repository.iterdir()) == []
        world.repository.rmdir()
        moved(away, world.repository)
        watch.until(WatchEventKind.BACK)
        world.put(RHEL)
        watch.until(WatchEventKind.RESTARTED)
        assert watch.retired() == {RHEL_OLD}
    assert len(watch.said(WatchEventKind.AWAY)) == 1


@both
def test_a_locked_repository_is_tried_again(world: World, *, polling: bool) -> None:
    folder = Folder(world.repository)
    folder.prepare()
    with watching(world, polling=polling) as watch:
        with Lock(folder.lock_path, {"command": "sync", "since": "now", "pid": os.getpid(), "host": "here"}):
            world.put(RHEL)
            watch.until(WatchEventKind.WAITING)
            assert watch.retired() == set()
        watch.until(WatchEventKind.RESTARTED)
    assert len(watch.said(WatchEventKind.WAITING)) == 1


# Processes


@pytest.mark.skipif(sys.platform == "win32", reason="it is asked at a console: tests/windows/console.py")
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_it_ends_with_130_when_it_is_asked_to(world: World, name: str) -> None:
    with started(world) as watch:
        watch.process.send_signal(getattr(signal, name))
        assert watch.process.wait(LIMIT_S) == ExitCode.INTERRUPTED
    assert [line["schema"] for line in watch.lines[-2:]] == ["repo-manager/watch/1", "repo-manager/error/1"]
    assert watch.lines[-2]["event"] == "stopped"
    assert watch.lines[-1]["error"]["code"] == "interrupted"


@pytest.mark.skipif(sys.platform == "win32", reason="a process cannot be stopped and continued there")
def test_after_an_overflow_nothing_is_missed(world: World) -> None:
    limit = Path("/proc/sys/fs/inotify/max_queued_events")
    events = int(limit.read_text(encoding="ascii")) if limit.exists() else 16_384
    with started(world) as watch:
        os.kill(watch.process.pid, signal.SIGSTOP)
        try:
            for _ in range(events // 3 + 1_000):
                (world.repository / "a").write_bytes(b"")
                (world.repository / "a").rename(world.repository / "b")
            world.put(RHEL)
        finally:
            os.kill(watch.process.pid, signal.SIGCONT)
        watch.until("retired")
    assert (world.repository / RHEL).exists()
    assert not (world.repository / RHEL_OLD).exists()


def test_killed_in_the_middle_the_next_one_puts_everything_right(tmp_path: Path) -> None:
    world = small_world.build(tmp_path / "world")
    before = small_world.snapshot(world)
    journal = world.repository / ".repo-manager" / "journal.json"
    with started(world) as watch:
        until(lambda: journal.exists() or watch.said("retired") > 0, "a transaction is under way", LIMIT_S)
        watch.process.kill()
        watch.process.wait()
    small_world.check(before, world)
    with started(world) as watch:
        until(lambda: not (world.repository / name_of("OL8-64", "9.65")).exists(), "it is put right", LIMIT_S)
        until(lambda: not journal.exists(), "the transaction has ended", LIMIT_S)
    small_world.check(before, world)
    assert (world.repository / name_of("RHEL9-64", "9.65")).exists()
    assert (world.repository / OL).exists()
