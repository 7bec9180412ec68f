"""Guarantee 12: random sequences of everything that happens to a repository, against a small model of it."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import faults
import operations
import pytest
import small_world
from faults import KILLED, KillAt, in_child
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from repository_model import (
    BROUGHT,
    HALVES,
    NEWEST,
    STRAYS,
    WHOLE,
    Contents,
    after_add,
    after_prune,
    after_sync,
    good,
)
from small_world import Step, World, check, snapshot

from repo_manager.adapters.filesystem.repository_folder import no_step
from repo_manager.app.change import perform
from repo_manager.core import names
from repo_manager.core.errors import InputError

pytestmark = pytest.mark.slow

AFTER: Final[Mapping[str, Callable[[Contents], list[Contents]]]] = {
    "sync": after_sync,
    "add": after_add,
    "prune": after_prune,
}


class Repository(RuleBasedStateMachine):
    """A real folder beside its model.

    After a crash the model has several states: as before, and as after. `steady` is the snapshot of
    the last moment at which no change was under way; `undo` is what taking the last change back
    must lead to, None where something else happened since.
    """

    def __init__(self) -> None:
        super().__init__()
        self.root = Path(tempfile.mkdtemp(prefix="stateful-"))
        self.world = small_world.build(self.root / "world", mess=False)
        self.possible: list[Contents] = [{}]
        self.crashed = False
        self.steady = snapshot(self.world)
        self.undo: Contents | None = None

    def teardown(self) -> None:
        shutil.rmtree(self.root)

    def contents(self) -> Contents:
        folder = self.world.repository
        return {path.name: path.read_bytes() for path in folder.iterdir() if path.name in WHOLE or path.name in STRAYS}

    def run(self, command: str, world: World, step: Step) -> None:
        if command == "add":
            paths = [world.source / NEWEST[token] for token in BROUGHT]
            outcome = perform(small_world.bench(world, step), operations.add_task(world, *paths))
            assert outcome.error is None
            return
        try:
            result = operations.OPERATIONS[command][1](world, step)
        except InputError as error:
            if error.code != "would-empty-repository":
                raise
            return
        assert result is not None
        assert result.error is None

    # Rules

    def settle(self, undo: Contents | None = None) -> None:
        """Nothing is under way, and the folder is as it was just found right."""
        self.possible, self.crashed = [self.contents()], False
        self.steady, self.undo = snapshot(self.world), undo

    @precondition(lambda self: not self.crashed)
    @rule(file=st.sampled_from([*WHOLE.items(), *HALVES.items(), *STRAYS.items()]))
    def somebody_drops_a_file(self, file: tuple[str, bytes]) -> None:
        self.world.put(*file)
        self.settle()

    @precondition(lambda self: not self.crashed)
    @rule(name=st.sampled_from(list(WHOLE)))
    def somebody_deletes_a_file(self, name: str) -> None:
        (self.world.repository / name).unlink(missing_ok=True)
        self.settle()

    @rule(command=st.sampled_from(list(AFTER)))
    def a_change(self, command: str) -> None:
        self.run(command, self.world, no_step)
        check(self.steady, self.world)
        now = self.contents()
        assert now in [end for was in self.possible for end in AFTER[command](was)]
        changed = not self.crashed and now != self.possible[0]
        unchanged_undo = None if self.crashed else self.undo
        self.settle(self.possible[0] if changed else unchanged_undo)

    # Elsewhere a child costs too much; killing has a test of its own.
    @precondition(lambda self: faults.can_fork and not self.crashed)
    @rule(command=st.sampled_from(list(AFTER)), number=st.integers(1, 45))
    def a_change_that_is_killed(self, command: str, number: int) -> None:
        was = self.possible[0]
        code = in_child(lambda: self.run(command, self.world, KillAt(number)))
        check(self.steady, self.world)
        if code == 0:
            assert self.contents() in AFTER[command](was)
            self.settle()
        else:
            assert code == KILLED
            self.possible, self.crashed, self.undo = [was, *AFTER[command](was)], True, None

    @precondition(lambda self: self.undo is not None)
    @rule()
    def the_last_change_is_taken_back(self) -> None:
        folder = small_world.bench(self.world).folder
        task = operations.restore_task(folder, folder.journals()[-1].identity)
        outcome = perform(small_world.bench(self.world), task)
        assert outcome.error is None
        check(self.steady, self.world, snapshot(self.world))
        assert self.contents() == self.undo
        self.settle()

    # Whatever happened

    @invariant()
    def the_folder_is_as_the_model_says(self) -> None:
        if not self.crashed:
            assert self.contents() == self.possible[0]

    @invariant()
    def no_installer_is_there_that_nobody_dropped_and_that_is_not_whole(self) -> None:
        for name, data in self.contents().items():
            if name in WHOLE:
                names.parse(name)
                assert good(name, data) or data == HALVES[name]


Repository.TestCase.settings = settings(
    max_examples=int(os.environ.get("REPO_MANAGER_EXAMPLES", "20")),
    stateful_step_count=8,
    deadline=None,
    derandomize="CI" in os.environ,
    suppress_health_check=[HealthCheck.too_slow],
)
TestRepository = Repository.TestCase
