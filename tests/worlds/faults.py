"""Processes that end before a step of a change."""

from __future__ import annotations

import os
import subprocess
import sys
import traceback
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from operations import OPERATIONS, Operation

if TYPE_CHECKING:
    from small_world import World


KILLED: Final = 9
BROKEN: Final = 70


can_fork = hasattr(os, "fork")


def in_child(act: Callable[[], object]) -> int:
    """Do it in a forked child; the value is the child's exit code, `BROKEN` after an exception."""
    with warnings.catch_warnings():
        # The child runs the operation alone and never meets the parent's threads.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        try:
            act()
        except BaseException:  # noqa: BLE001 - nothing may come back into the test runner of the child
            traceback.print_exc()
            os._exit(BROKEN)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def killed_at(world: World, command: str, number: int) -> int:
    """Do the operation of that name in a process that ends before its step of that number; its exit code."""
    if can_fork:
        return in_child(lambda: OPERATIONS[command][1](world, KillAt(number)))
    return subprocess.run(
        [sys.executable, str(CHILD), str(world.root), command, str(number)],
        stdin=subprocess.DEVNULL,
        timeout=60,
        check=False,
    ).returncode


CHILD: Final = Path(__file__).with_name("killed_child.py")


STRIDE: Final = int(os.environ.get("REPO_MANAGER_TESTS_STRIDE", "1"))
"""Of the steps at which a run is broken, every so-manieth. More than 1 where a process takes long to start."""


def some_of(steps: Iterable[int], case: int) -> list[int]:
    """Every `STRIDE`th of the steps' numbers; which ones depends on the case, so that all have their turn."""
    return [number for number in steps if number % STRIDE == case % STRIDE]


class KillAt:
    """A step hook that ends the process before the step of that number, counted from 1."""

    def __init__(self, number: int) -> None:
        self._left = number

    def __call__(self, _what: str) -> None:
        self._left -= 1
        if self._left == 0:
            os._exit(KILLED)


def steps_of(operation: Operation, world: World) -> list[str]:
    """The steps of an undisturbed run, in words."""
    steps: list[str] = []
    operation(world, steps.append)
    return steps
