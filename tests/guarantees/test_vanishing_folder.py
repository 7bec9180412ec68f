"""A repository or a source whose volume or share goes away during a run: nothing is lost, and the next run succeeds."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import faults
import operations
import pytest
import small_world
from operations import OPERATIONS
from small_world import Step, check, left_over, snapshot

from repo_manager.core.errors import ExitCode, RepoManagerError

if TYPE_CHECKING:
    from pathlib import Path

    from operations import Operation
    from small_world import World


pytestmark = pytest.mark.skipif(
    sys.platform == "win32", reason="Windows keeps a folder whose files are open; test_unc.py does the same on a share"
)


class Volume:
    """Takes a folder of a world away before the step of that number, counted from 1."""

    def __init__(self, world: World, number: int, folder: Path | None = None) -> None:
        self._here = folder or world.repository
        self._away = world.root / "away"
        self._left = number

    def __call__(self, _what: str) -> None:
        self._left -= 1
        if self._left == 0:
            self._here.rename(self._away)

    @property
    def is_away(self) -> bool:
        return self._away.exists()

    def come_back(self) -> None:
        self._away.rename(self._here)


def failure_of(operation: Operation, world: World, step: Step) -> RepoManagerError | None:
    """How an operation ended, whether it says so or raises it."""
    try:
        outcome = operation(world, step)
    except RepoManagerError as error:
        return error
    return None if outcome is None else outcome.error


@pytest.mark.parametrize("name", OPERATIONS)
def test_a_repository_that_goes_away_at_any_step_is_as_it_was_and_the_next_run_gets_there(
    name: str, tmp_path: Path
) -> None:
    build, operation = OPERATIONS[name]
    first = build(tmp_path / "first")
    goal_world = first.at(tmp_path / "goal")
    steps = faults.steps_of(operation, goal_world)
    goal = snapshot(goal_world)
    away = 0
    for number in range(1, len(steps) + 1):
        world = first.at(tmp_path / f"world-{number}")
        before = snapshot(world)
        volume = Volume(world, number)
        error = failure_of(operation, world, volume)
        assert volume.is_away, number
        assert not world.repository.exists(), f"made anew at step {number}"
        if error is not None:
            away += 1
            assert error.exit_code in {ExitCode.TRANSFER, ExitCode.USAGE}, error
            assert error.hint
        volume.come_back()
        check(before, world, goal)
        assert failure_of(operation, world, lambda _: None) is None, number
        check(before, world, goal)
        assert snapshot(world).state == goal.state, number
        assert left_over(world) == []
    assert away > 5


def test_a_source_that_goes_away_at_any_step_leaves_the_folder_complete_and_the_next_run_succeeds(
    tmp_path: Path,
) -> None:
    first = small_world.build(tmp_path / "first")
    goal_world = first.at(tmp_path / "goal")
    steps = faults.steps_of(operations.sync, goal_world)
    goal = snapshot(goal_world)
    codes: list[str] = []
    for number in range(1, len(steps) + 1):
        world = first.at(tmp_path / f"world-{number}")
        before = snapshot(world)
        source = Volume(world, number, world.source)
        error = failure_of(operations.sync, world, source)
        assert source.is_away, number
        if error is not None:
            codes.append(error.code)
            assert (error.exit_code, bool(error.hint)) == (ExitCode.TRANSFER, True), error
            now = snapshot(world)
            assert (now.files, now.retired) == (before.files, before.retired), number
        source.come_back()
        assert failure_of(operations.sync, world, lambda _: None) is None, number
        check(before, world, goal)
        assert snapshot(world).good == goal.good, number
        assert left_over(world) == []
    assert set(codes) <= {"not-at-source", "source-went-away"}
    assert codes
