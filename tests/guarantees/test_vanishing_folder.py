"""A repository whose volume or share goes away in the middle: as it was when it comes back, and never made anew."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest
import scenarios
from scenarios import OPERATIONS, check, left_over, snapshot

from repo_manager.core.errors import ExitCode, RepoManagerError

if TYPE_CHECKING:
    from pathlib import Path

    from scenarios import Operation, Step, World

pytestmark = pytest.mark.skipif(
    sys.platform == "win32", reason="Windows keeps a folder whose files are open; test_unc.py does the same on a share"
)


class Volume:
    """Takes a world's repository away before the step of that number, counted from 1."""

    def __init__(self, world: World, number: int) -> None:
        self._here = world.repository
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
    steps = scenarios.steps_of(operation, goal_world)
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
