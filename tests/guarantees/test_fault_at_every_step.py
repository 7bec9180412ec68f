"""The disk refuses at any single step, once or for ever: the folder is as before or as after, and says so."""

from __future__ import annotations

import errno
import os
import shutil
from typing import TYPE_CHECKING

import faults
import operations
import pytest
import small_world
from faults import KILLED, in_child, some_of, steps_of
from small_world import check, left_over, snapshot

from repo_manager.adapters.filesystem.repository_folder import no_step
from repo_manager.core.errors import MachineError, RepoManagerError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from operations import Operation
    from small_world import World

    from repo_manager.core.transaction import Outcome


class SharingViolationError(OSError):
    """What Windows says of a file that another program holds."""

    winerror = 32


FAULTS: dict[str, tuple[Callable[[], OSError], str]] = {
    "full": (lambda: OSError(errno.ENOSPC, "no space left on device"), "no-space"),
    "broken": (lambda: OSError(errno.EIO, "input/output error"), "disk-error"),
    "denied": (lambda: OSError(errno.EACCES, "permission denied"), "no-rights"),
    "too many files": (lambda: OSError(errno.EMFILE, "too many open files"), "too-many-files"),
    "share gone": (lambda: OSError(errno.ESTALE, "stale file handle"), "folder-went-away"),
    "held": (lambda: SharingViolationError(errno.EACCES, "the file is being used by another process"), "file-in-use"),
}


class FailAt:
    """A step hook that fails at the disk's step of that number, counted from 1, and ever after when told to."""

    def __init__(self, number: int, make: Callable[[], OSError], *, for_ever: bool) -> None:
        self._number, self._make, self._for_ever = number, make, for_ever
        self.count = 0

    def __call__(self, what: str) -> None:
        if not of_the_disk(what):
            return
        self.count += 1
        if self.count == self._number or (self._for_ever and self.count > self._number):
            raise self._make()


def of_the_disk(what: str) -> bool:
    """Progress is told to people, and is no step at which a disk can refuse."""
    return not what.startswith("fetched")


def attempt(operation: Operation, world: World, step: FailAt) -> RepoManagerError | None:
    """The error it ended with; any other exception goes through and fails the test."""
    outcome: Outcome | None
    try:
        outcome = operation(world, step)
    except RepoManagerError as error:
        return error
    return outcome.error if outcome is not None else None


# Every fault on the run that has all kinds of steps; the two most different ones on the others.
CASES = [("sync", fault) for fault in FAULTS]
CASES += [(command, fault) for command in ("add", "prune", "restore") for fault in ("full", "held")]


@pytest.mark.slow
@pytest.mark.parametrize("for_ever", [False, True], ids=["once", "for ever"])
@pytest.mark.parametrize(("command", "fault"), CASES)
def test_a_refusal_at_any_step_leaves_the_folder_as_before_or_as_after(
    command: str, fault: str, *, for_ever: bool, tmp_path: Path
) -> None:
    make, operation = operations.OPERATIONS[command]
    error_of, code = FAULTS[fault]
    begin = make(tmp_path / "begin")
    whole = begin.at(tmp_path / "whole")
    steps = [what for what in steps_of(operation, whole) if of_the_disk(what)]
    before, goal = snapshot(begin), snapshot(whole)

    for number in some_of(range(1, len(steps) + 1), CASES.index((command, fault)) + for_ever):
        context = f"{command}, {fault} at step {number}: {steps[number - 1]}"
        world = begin.at(tmp_path / f"{number}")
        step = FailAt(number, error_of, for_ever=for_ever)
        error = attempt(operation, world, step)
        assert step.count >= number, context
        check(before, world, goal)
        now = snapshot(world)
        if error is None:
            assert now.state == goal.state, context
        elif error.code == "not-put-back":
            assert for_ever, context
            assert (world.repository / ".repo-manager" / "journal.json").exists(), context
        elif error.code == "not-confirmed":
            # The journal is closed: nothing may be undone any more.
            assert steps[number - 1].startswith(("close", "sync")), context
            assert now.state == goal.state, context
        else:
            assert (isinstance(error, MachineError), error.code) == (True, code), context
            assert error.hint, context
            assert now.files in (before.files, goal.files), context

        outcome = operation(world, no_step)
        assert outcome is None or outcome.error is None, context
        assert snapshot(world).state == goal.state, context
        assert left_over(world) == [], context


@pytest.mark.skipif(not faults.can_fork, reason="needs a process that can be copied")
@pytest.mark.slow
@pytest.mark.parametrize("command", ["sync", "prune", "restore"])
def test_a_failure_after_each_rename_and_a_kill_in_what_follows_leave_no_mixture(command: str, tmp_path: Path) -> None:
    """A journal that was closed is never undone: a kill in that undo would leave what no journal explains."""
    make, operation = operations.OPERATIONS[command]
    begin = make(tmp_path / "begin")
    whole = begin.at(tmp_path / "whole")
    steps = [what for what in steps_of(operation, whole) if of_the_disk(what)]
    before, goal = snapshot(begin), snapshot(whole)
    happened = len(small_world.bench(whole).folder.journals())
    first = next(number for number, what in enumerate(steps, 1) if what == "write journal.new")
    last = next(number for number, what in enumerate(steps, 1) if what.startswith("close")) + 2
    assert steps[last - 1] == "sync .repo-manager"

    for number in range(first, last + 1):
        for more in range(1, 3 * (last - first)):
            world = begin.at(tmp_path / f"{number}-{more}")
            step = FailAt(number, FAULTS["broken"][0], for_ever=False)
            ended = in_child(lambda: operation(world, FailThenKill(step, number + more)))  # noqa: B023 - done at once
            context = f"{command} fails at step {number}: {steps[number - 1]}, and is killed {more} steps later"
            check(before, world, goal)
            outcome = operation(world, no_step)
            assert outcome is None or outcome.error is None, context
            assert snapshot(world).state == goal.state, context
            assert left_over(world) == [], context
            assert len(small_world.bench(world).folder.journals()) == happened, context
            shutil.rmtree(world.root)
            if ended != KILLED:
                break


class FailThenKill:
    """Fails as it is told to, and ends the process before the disk's step of that number."""

    def __init__(self, fail: FailAt, number: int) -> None:
        self._fail, self._number = fail, number

    def __call__(self, what: str) -> None:
        self._fail(what)
        if self._fail.count == self._number:
            os._exit(KILLED)


def test_no_refusal_goes_unnoticed_and_a_hopeless_disk_is_reported(tmp_path: Path) -> None:
    """The table above would also hold if no step ever failed: here are the two ends of it."""
    world = small_world.build(tmp_path / "world")
    error = attempt(operations.sync, world, FailAt(1, FAULTS["full"][0], for_ever=True))
    assert error is not None
    assert error.code == "no-space"
    begin = snapshot(world)
    steps: list[str] = []
    operations.sync(world.at(tmp_path / "other"), steps.append)
    moving = 1 + [what for what in steps if of_the_disk(what)].index(next(s for s in steps if s.startswith("sync ")))
    error = attempt(operations.sync, world, FailAt(moving + 6, FAULTS["denied"][0], for_ever=True))
    assert error is not None
    assert error.exit_code == 3
    check(begin, world)
