"""G1, G2, G3, G5: the process is killed before every single step, and the next run makes it good."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import faults
import operations
import pytest
from faults import CHILD, KILLED, killed_at, some_of, steps_of
from small_world import check, left_over, snapshot

from repo_manager.adapters.filesystem.repository_folder import no_step

if TYPE_CHECKING:
    from pathlib import Path

    from operations import Operation
    from small_world import World, WorldState

COMMANDS = list(operations.OPERATIONS)
SAMPLE = max(3, 9 // faults.STRIDE)


def assert_goal(world: World, operation: Operation, goal: WorldState, context: str) -> None:
    """One more run reaches the end state of an undisturbed one, and another one has nothing to do."""
    outcome = operation(world, no_step)
    assert outcome is None or outcome.error is None, context
    assert snapshot(world).state == goal.state, context
    assert left_over(world) == [], context
    again = operation(world, no_step)
    assert again is None or again.results == (), context


@pytest.mark.slow
@pytest.mark.parametrize("command", operations.OPERATIONS)
def test_a_run_killed_before_any_step_is_made_good_by_the_next(command: str, tmp_path: Path) -> None:
    make, operation = operations.OPERATIONS[command]
    begin = make(tmp_path / "begin")
    whole = begin.at(tmp_path / "whole")
    steps = steps_of(operation, whole)
    goal = snapshot(whole)
    before = snapshot(begin)
    assert goal.state != before.state
    assert len(steps) > 10

    for number in some_of(range(1, len(steps) + 1), COMMANDS.index(command)):
        context = f"{command} killed before step {number}: {steps[number - 1]}"
        world = begin.at(tmp_path / f"{number}")
        assert killed_at(world, command, number) == KILLED, context
        check(before, world, goal)
        assert_goal(world, operation, goal, context)
        check(before, world, goal)


@pytest.mark.slow
@pytest.mark.parametrize("command", operations.OPERATIONS)
def test_a_recovery_killed_before_any_step_is_made_good_by_the_next(command: str, tmp_path: Path) -> None:
    make, operation = operations.OPERATIONS[command]
    begin = make(tmp_path / "begin")
    whole = begin.at(tmp_path / "whole")
    steps = steps_of(operation, whole)
    goal, before = snapshot(whole), snapshot(begin)
    moves = [number for number, what in enumerate(steps, start=1) if what.startswith("move")]
    closing = next(number for number, what in enumerate(steps, start=1) if what.startswith("close"))

    # Half of the moves done, and all of them: the recoveries that have the most to do.
    for first in (moves[len(moves) // 2], closing):
        broken = begin.at(tmp_path / f"broken-{first}")
        assert killed_at(broken, command, first) == KILLED
        recovery = steps_of(operation, broken.at(tmp_path / f"recovered-{first}"))
        undoing = next(number for number, what in enumerate(recovery, start=1) if what.endswith("-undone"))
        assert undoing > 3
        for number in some_of(range(1, undoing + 3), COMMANDS.index(command)):
            context = f"{command} killed before step {first}, its recovery before step {number}"
            world = broken.at(tmp_path / f"{first}-{number}")
            assert killed_at(world, command, number) == KILLED, context
            check(before, world, goal)
            assert_goal(world, operation, goal, context)


@pytest.mark.parametrize("command", operations.OPERATIONS)
def test_a_run_killed_from_outside_is_made_good_by_the_next(command: str, tmp_path: Path) -> None:
    make, operation = operations.OPERATIONS[command]
    begin = make(tmp_path / "begin")
    whole = begin.at(tmp_path / "whole")
    count = len(steps_of(operation, whole))
    goal, before = snapshot(whole), snapshot(begin)
    for number in sorted({max(1, count * part // SAMPLE) for part in range(1, SAMPLE + 1)}):
        world = begin.at(tmp_path / f"{number}")
        _kill_from_outside(world, command, number)
        check(before, world, goal)
        assert_goal(world, operation, goal, f"{command} killed at step {number} of {count}")


def _kill_from_outside(world: World, command: str, number: int) -> None:
    """The child reports each step and waits for leave to go on; at the step of that number none comes."""
    with subprocess.Popen(
        [sys.executable, str(CHILD), str(world.root), command, "ask"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        bufsize=0,
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        for _ in range(number - 1):
            assert child.stdout.read(1) == b"."
            child.stdin.write(b".")
        assert child.stdout.read(1) == b"."
        child.kill()
    assert child.returncode not in {0, KILLED}
