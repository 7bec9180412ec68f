"""G1, G2, G3, G5: the process is killed before every single step, and the next run makes it good."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest
import scenarios
from scenarios import KILLED, KillAt, check, in_child, left_over, snapshot, steps_of

from repo_manager.edges.folder import no_step

if TYPE_CHECKING:
    from pathlib import Path

    from scenarios import Operation, Snapshot, World

pytestmark = pytest.mark.skipif(not scenarios.can_fork, reason="killing a forked child needs POSIX")

SAMPLE = 9


def assert_goal(world: World, operation: Operation, goal: Snapshot, context: str) -> None:
    """One more run reaches the end state of an undisturbed one, and another one has nothing to do."""
    outcome = operation(world, no_step)
    assert outcome is None or outcome.error is None, context
    assert snapshot(world).state == goal.state, context
    assert left_over(world) == [], context
    again = operation(world, no_step)
    assert again is None or again.results == (), context


@pytest.mark.slow
@pytest.mark.parametrize("command", scenarios.OPERATIONS)
def test_a_run_killed_before_any_step_is_made_good_by_the_next(command: str, tmp_path: Path) -> None:
    make, operation = scenarios.OPERATIONS[command]
    begin = make(tmp_path / "begin")
    whole = begin.at(tmp_path / "whole")
    steps = steps_of(operation, whole)
    goal = snapshot(whole)
    before = snapshot(begin)
    assert goal.state != before.state
    assert len(steps) > 10

    for number, what in enumerate(steps, start=1):
        context = f"{command} killed before step {number}: {what}"
        world = begin.at(tmp_path / f"{number}")
        assert in_child(lambda: operation(world, KillAt(number))) == KILLED, context  # noqa: B023 - called at once
        check(before, world, goal)
        assert_goal(world, operation, goal, context)
        check(before, world, goal)


@pytest.mark.slow
@pytest.mark.parametrize("command", scenarios.OPERATIONS)
def test_a_recovery_killed_before_any_step_is_made_good_by_the_next(command: str, tmp_path: Path) -> None:
    make, operation = scenarios.OPERATIONS[command]
    begin = make(tmp_path / "begin")
    whole = begin.at(tmp_path / "whole")
    steps = steps_of(operation, whole)
    goal, before = snapshot(whole), snapshot(begin)
    moves = [number for number, what in enumerate(steps, start=1) if what.startswith("move")]
    closing = next(number for number, what in enumerate(steps, start=1) if what.startswith("close"))

    # Half of the moves done, and all of them: the recoveries that have the most to do.
    for first in (moves[len(moves) // 2], closing):
        broken = begin.at(tmp_path / f"broken-{first}")
        assert in_child(lambda: operation(broken, KillAt(first))) == KILLED  # noqa: B023 - called at once
        recovery = steps_of(operation, broken.at(tmp_path / f"recovered-{first}"))
        undoing = next(number for number, what in enumerate(recovery, start=1) if what.endswith("-undone"))
        assert undoing > 3
        for number in range(1, undoing + 3):
            context = f"{command} killed before step {first}, its recovery before step {number}"
            world = broken.at(tmp_path / f"{first}-{number}")
            assert in_child(lambda: operation(world, KillAt(number))) == KILLED, context  # noqa: B023 - same
            check(before, world, goal)
            assert_goal(world, operation, goal, context)


@pytest.mark.parametrize("command", scenarios.OPERATIONS)
def test_a_run_killed_from_outside_is_made_good_by_the_next(command: str, tmp_path: Path) -> None:
    make, operation = scenarios.OPERATIONS[command]
    begin = make(tmp_path / "begin")
    whole = begin.at(tmp_path / "whole")
    count = len(steps_of(operation, whole))
    goal, before = snapshot(whole), snapshot(begin)
    for number in sorted({max(1, count * part // SAMPLE) for part in range(1, SAMPLE + 1)}):
        world = begin.at(tmp_path / f"{number}")
        _kill_from_outside(world, operation, number)
        check(before, world, goal)
        assert_goal(world, operation, goal, f"{command} killed at step {number} of {count}")


def _kill_from_outside(world: World, operation: Operation, number: int) -> None:
    """The child reports each step and waits for leave to go on; at the step of that number none comes."""
    reports, report = os.pipe()
    leaves, leave = os.pipe()

    def step(_what: str) -> None:
        os.write(report, b".")
        os.read(leaves, 1)

    child = os.fork()
    if child == 0:
        operation(world, step)
        os._exit(0)
    for _ in range(number - 1):
        assert os.read(reports, 1) == b"."
        os.write(leave, b".")
    assert os.read(reports, 1) == b"."
    os.kill(child, signal.SIGKILL)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    for descriptor in (reports, report, leaves, leave):
        os.close(descriptor)
