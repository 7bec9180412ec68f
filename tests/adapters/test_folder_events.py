"""Real observers, real files held open, real threads. Nothing here waits for a time, only for what must come."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from typing import TYPE_CHECKING

import pytest
from processes import until

from repo_manager.adapters.folder_events import EventMethod, FolderEvents, QueueWakeSignal, held_open, pulse, remote

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from watchdog.observers.api import BaseObserver

LONG_S = 30.0


# The bell


def test_a_ring_is_taken_once_however_often_it_rang() -> None:
    bell = QueueWakeSignal()
    for _ in range(10_000):
        bell.ring()
    assert bell._tokens.qsize() == 1
    assert bell.take()
    assert not bell.take()
    assert bell._tokens.qsize() == 0


def test_a_ring_from_another_thread_ends_a_wait() -> None:
    bell = QueueWakeSignal()
    ringer = threading.Timer(0.05, bell.ring)
    ringer.start()
    bell.wait(LONG_S, deaf=False)
    ringer.join()
    assert bell.take()


def test_a_ring_before_the_wait_is_not_lost() -> None:
    bell = QueueWakeSignal()
    bell.ring()
    bell.wait(LONG_S, deaf=False)
    assert bell.take()


def test_the_deaf_hear_only_the_end() -> None:
    bell = QueueWakeSignal()
    bell.ring()
    ender = threading.Timer(0.05, bell.stop)
    ender.start()
    bell.wait(LONG_S, deaf=True)
    ender.join()
    assert bell.stopped
    bell.wait(LONG_S, deaf=False)


def test_a_wait_ends_when_its_time_is_over() -> None:
    bell = QueueWakeSignal()
    bell.wait(0.02, deaf=False)
    bell.wait(0.02, deaf=True)
    assert not bell.take()
    assert not bell.stopped


def test_rings_between_waits_pile_up_nothing() -> None:
    bell = QueueWakeSignal()
    for _ in range(100):
        bell.ring()
        bell.wait(LONG_S, deaf=False)
        bell.ring()
        bell.take()
    assert bell._tokens.qsize() <= 1


# Events


@contextlib.contextmanager
def observing(folder: Path, bell: QueueWakeSignal, *, polling: bool) -> Iterator[FolderEvents]:
    observation = FolderEvents(folder, bell.ring, polling=polling, poll_s=0.1)
    try:
        yield observation
    finally:
        observation.stop()


@pytest.mark.parametrize("polling", [False, True], ids=["native", "polling"])
def test_every_kind_of_change_rings(tmp_path: Path, *, polling: bool) -> None:
    folder, beside = tmp_path / "folder", tmp_path / "beside"
    folder.mkdir()
    beside.write_bytes(b"whole")
    bell = QueueWakeSignal()
    with observing(folder, bell, polling=polling) as observation:
        assert observation.kind is (EventMethod.POLLING if polling else EventMethod.NATIVE)
        path = folder / "name"
        for act in (
            lambda: path.write_bytes(b"new"),
            lambda: path.write_bytes(b"written again, and longer"),
            lambda: path.rename(folder / "other"),
            lambda: beside.rename(path),
            path.unlink,
        ):
            act()
            until(bell.take, "it rings")
        assert not observation.broken


@pytest.mark.parametrize("polling", [False, True], ids=["native", "polling"])
def test_it_rings_while_changes_follow_each_other_without_a_pause(tmp_path: Path, *, polling: bool) -> None:
    bell = QueueWakeSignal()
    written = 0

    def rings_while_written_to() -> bool:
        nonlocal written
        written += 1
        (tmp_path / "name").write_bytes(b"x" * (written % 100))
        return bell.take()

    with observing(tmp_path, bell, polling=polling):
        for _ in range(5):
            until(rings_while_written_to, "it rings")


@pytest.mark.parametrize(
    "polling",
    [
        # The watch does not count on it: the pulse shows it too.
        pytest.param(False, marks=pytest.mark.skipif(sys.platform == "win32", reason="Wine does not tell of it")),
        True,
    ],
    ids=["native", "polling"],
)
def test_a_folder_that_goes_away_breaks_the_observation(tmp_path: Path, *, polling: bool) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    bell = QueueWakeSignal()
    with observing(folder, bell, polling=polling) as observation:
        folder.rmdir()
        until(lambda: observation.broken, "the observation is broken")


@pytest.mark.parametrize("polling", [False, True], ids=["native", "polling"])
def test_a_folder_that_is_not_there_cannot_be_observed(tmp_path: Path, *, polling: bool) -> None:
    before = threading.excepthook
    with pytest.raises(OSError, match="absent"):
        FolderEvents(tmp_path / "absent", lambda: None, polling=polling, poll_s=0.1)
    assert threading.excepthook is before


def test_an_observer_s_thread_that_fails_breaks_the_observation_and_prints_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bell = QueueWakeSignal()
    with observing(tmp_path, bell, polling=True) as observation:
        emitter = next(iter(observation._observer.emitters))

        def fail(_timeout: float) -> None:
            message = "the network name is no longer available"
            raise OSError(message)

        emitter.queue_events = fail  # type: ignore[method-assign, assignment]
        until(lambda: observation.broken and bell.take(), "the observation is broken")
    assert capsys.readouterr().err == ""


def test_another_thread_s_failure_is_left_to_whoever_cares_for_it(tmp_path: Path) -> None:
    failures: list[threading.ExceptHookArgs] = []
    before, threading.excepthook = threading.excepthook, failures.append
    try:
        with observing(tmp_path, QueueWakeSignal(), polling=True) as observation:
            nothing: dict[int, int] = {}
            thread = threading.Thread(target=lambda: nothing[1])
            thread.start()
            thread.join()
            assert not observation.broken
    finally:
        threading.excepthook = before
    assert [failure.exc_type for failure in failures] == [KeyError]


def test_where_the_system_has_no_watch_left_it_polls(tmp_path: Path) -> None:
    def none_left() -> BaseObserver:
        raise OSError(24, "inotify instance limit reached")

    bell = QueueWakeSignal()
    observation = FolderEvents(tmp_path, bell.ring, polling=False, poll_s=0.1, native=none_left)
    assert observation.kind is EventMethod.POLLING
    (tmp_path / "new").write_bytes(b"x")
    until(bell.take, "it rings")
    observation.stop()


# The folder's pulse


def test_the_pulse_changes_with_what_lies_in_the_folder_and_with_the_folder(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    os.utime(folder, (1, 1))
    first = pulse(folder)
    assert first is not None
    assert pulse(folder) == first
    (folder / "new").write_bytes(b"")
    second = pulse(folder)
    assert second is not None
    assert second[:2] == first[:2]
    assert second != first
    folder.rename(tmp_path / "moved")
    assert pulse(folder) is None
    folder.mkdir()
    assert (pulse(folder) or ())[:2] != first[:2]


# Who holds it


def test_a_file_is_held_open_while_somebody_writes_to_it(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"whole")
    assert not held_open(path)
    with path.open("ab"):
        assert held_open(path)
    assert not held_open(path)


def test_readers_do_not_count(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"whole")
    with path.open("rb"):
        assert not held_open(path)


def test_a_file_that_is_gone_is_held_by_nobody(tmp_path: Path) -> None:
    assert not held_open(tmp_path / "absent")
    assert not held_open(tmp_path)


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_a_link_is_not_followed(tmp_path: Path) -> None:
    target = tmp_path / "target"
    with target.open("wb"):
        (tmp_path / "link").symlink_to(target)
        assert not held_open(tmp_path / "link")


def test_a_local_folder_is_not_remote(tmp_path: Path) -> None:
    assert not remote(tmp_path)
    assert not remote(tmp_path / "absent")


@pytest.mark.skipif(sys.platform == "win32", reason="asks the server")
def test_a_share_s_name_is_remote() -> None:
    from pathlib import Path

    assert remote(Path("//server/share/absent"))
