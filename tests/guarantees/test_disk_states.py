"""G2, G3 after a power cut: each state of the disk that the order of syncs allows is recovered from.

The changes of names that a command makes are recorded with the syncs of folders. A power cut may lose every change
that no sync has covered, as long as the order within each folder is kept. A rename is one change of both its folders,
and may be lost until both are synced.
What is moved into a folder whose own making was lost is lost.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import operations
import pytest
import small_world
from small_world import check, left_over, snapshot

from repo_manager.adapters.filesystem.rename import OwnSystem
from repo_manager.adapters.filesystem.repository_folder import Folder, no_step
from repo_manager.app.change import perform

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from small_world import World

    from repo_manager.app.change import Task

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="moves are written through there")


@dataclass(frozen=True)
class Change:
    """A change of names: a folder that is made, or a file that gets, changes or loses its name."""

    old: Path | None
    new: Path | None
    data: bytes | None

    @property
    def folders(self) -> frozenset[Path]:
        """The folders whose names it changes."""
        return frozenset(path.parent for path in (self.old, self.new) if path is not None)

    def apply(self, world: World) -> None:
        """Do it in another world, as far as its folders are there."""
        old, new = (None if path is None else world.root / path for path in (self.old, self.new))
        if old is not None:
            old.unlink(missing_ok=True)
        if new is not None and new.parent.is_dir():
            if self.data is None:
                new.mkdir(exist_ok=True)
            else:
                new.write_bytes(self.data)


class Recorder(OwnSystem):
    """The real system, which writes down each change and each sync of a folder. Syncs of `unheard` are not noted."""

    def __init__(self, root: Path, unheard: str | None = None) -> None:
        self._root, self._unheard = root, unheard
        self.events: list[Change | Path] = []

    def rename(self, old: Path, new: Path) -> None:
        self._note(old, new, old.read_bytes())
        super().rename(old, new)

    def replace(self, old: Path, new: Path) -> None:
        self._note(old, new, old.read_bytes())
        super().replace(old, new)

    def delete(self, path: Path) -> None:
        if path.exists():
            self._note(path, None, None)
        super().delete(path)

    def make_folder(self, path: Path) -> None:
        self._note(None, path, None)
        super().make_folder(path)

    def sync_folder(self, path: Path) -> None:
        super().sync_folder(path)
        if path.name != self._unheard:
            self.events.append(path.relative_to(self._root))

    def _note(self, old: Path | None, new: Path | None, data: bytes | None) -> None:
        named = [None if path is None else path.relative_to(self._root) for path in (old, new)]
        self.events.append(Change(named[0], named[1], data))


def states(events: list[Change | Path]) -> Iterator[tuple[Change, ...]]:
    """What of the changes may be on the disk, for a power cut after each event; every state once."""
    seen: set[tuple[int, ...]] = set()
    for end in range(len(events) + 1):
        changes = [(number, event) for number, event in enumerate(events[:end]) if isinstance(event, Change)]
        synced = {event: number for number, event in enumerate(events[:end]) if not isinstance(event, Change)}
        for kept in _kept(changes, synced):
            if kept not in seen:
                seen.add(kept)
                yield tuple(event for number, event in changes if number in kept)


def _kept(changes: list[tuple[int, Change]], synced: dict[Path, int]) -> Iterator[tuple[int, ...]]:
    """Each choice of changes that has all that were synced, and none without those before it in its folders."""

    def choose(at: int, kept: tuple[int, ...], lost: frozenset[Path]) -> Iterator[tuple[int, ...]]:
        if at == len(changes):
            yield kept
            return
        number, change = changes[at]
        if not change.folders & lost:
            yield from choose(at + 1, (*kept, number), lost)
        if not all(synced.get(folder, -1) > number for folder in change.folders):
            yield from choose(at + 1, kept, lost | change.folders)

    return choose(0, (), frozenset())


def task_of(command: str, world: World) -> Task:
    if command == "sync":
        return operations.sync_task(world)
    if command == "prune":
        return operations.PRUNE
    folder = small_world.bench(world).folder
    return operations.restore_task(folder, min(journal.identity for journal in folder.journals()))


def recorded(command: str, world: World, unheard: str | None = None) -> list[Change | Path]:
    """The events of a run that is not disturbed."""
    recorder = Recorder(world.root, unheard)
    folder = Folder(world.repository, sleep=lambda _: None, system=recorder)
    outcome = perform(replace(small_world.bench(world), folder=folder), task_of(command, world))
    assert outcome.error is None
    return recorder.events


@pytest.mark.slow
@pytest.mark.parametrize("command", ["sync", "prune", "restore"])
def test_after_a_power_cut_each_possible_state_of_the_disk_is_recovered_from(command: str, tmp_path: Path) -> None:
    make, operation = operations.OPERATIONS[command]
    begin = make(tmp_path / "begin")
    whole = begin.at(tmp_path / "whole")
    events = recorded(command, whole)
    before, goal = snapshot(begin), snapshot(whole)

    count = 0
    for number, state in enumerate(states(events)):
        world = begin.at(tmp_path / f"{number}")
        for change in state:
            change.apply(world)
        check(before, world, goal)
        outcome = operation(world, no_step)
        assert outcome is None or outcome.error is None, number
        assert snapshot(world).state == goal.state, number
        assert left_over(world) == [], number
        check(before, world, goal)
        count += 1
    assert count > 10


def test_a_folder_that_is_not_synced_after_it_was_made_shows_as_a_loss(tmp_path: Path) -> None:
    """The test above finds what it looks for: the folder `retired` was once not synced."""
    begin = small_world.build(tmp_path / "begin")
    whole = begin.at(tmp_path / "whole")
    events = recorded("sync", whole, unheard="retired")
    before = snapshot(begin)

    lost = 0
    for number, state in enumerate(states(events)):
        world = begin.at(tmp_path / f"{number}")
        for change in state:
            change.apply(world)
        try:
            check(before, world)
        except AssertionError:
            lost += 1
    assert lost > 0
