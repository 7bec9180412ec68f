"""Guarantee 12, for sets: whatever happens to a leader and two followers, each is as a small model of it says."""

from __future__ import annotations

import os
import shutil
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import faults
import operations
import pytest
import small_world
from faults import KILLED, KillAt, in_child
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from repository_model import HALVES, STRAYS, WHOLE, Contents, after_prune, after_sync
from simulator import name_of
from small_world import TOKENS, Step, World, check, snapshot
from trust_world import Following

from repo_manager.adapters.filesystem.repository_folder import no_step
from repo_manager.adapters.storage.local import LocalStorage
from repo_manager.app.change import perform
from repo_manager.core.errors import InputError

if TYPE_CHECKING:
    from repo_manager.core.transaction import Outcome

pytestmark = pytest.mark.slow

RELEASES: Final = ("9.65", "9.66")
FOLLOWERS: Final = ("one", "other")
COMMANDS: Final = ("mirror", "mirror", "sync", "prune")
SETS: Final = tuple(
    {name_of(token, release): WHOLE[name_of(token, release)] for token in tokens}
    for release in RELEASES
    for tokens in (TOKENS, TOKENS[:3], TOKENS[1:])
)


def tokens_in(contents: Contents) -> set[str]:
    return {name.split("_")[3] for name in contents if name in WHOLE}


def after_mirror(contents: Contents, published: Contents) -> Contents:
    """Exactly the set, but for the guard: most packages do not go at once."""
    lost = tokens_in(contents) - tokens_in(published)
    comes = any(contents.get(name) != data for name, data in published.items())
    guarded = len(lost) >= (5 if comes else 2) and 2 * len(lost) > len(tokens_in(contents))
    return contents if guarded else published


class Spread(RuleBasedStateMachine):
    """A leader's depot and two followers, each beside its model.

    After a crash a model has two states: as before, and as after. The set that followers see is one of
    `published`, which has more than one only while a publishing is half done.
    """

    def __init__(self) -> None:
        super().__init__()
        self.root = Path(tempfile.mkdtemp(prefix="spread-"))
        self.leader = small_world.build(self.root / "leader", mess=False)
        for name, data in WHOLE.items():
            (self.leader.source / name).write_bytes(data)
        self.fingerprint = ""
        self.published: list[Contents] = []
        self.worlds: dict[str, World] = {}
        self.possible: dict[str, list[Contents]] = {}
        self.undo: dict[str, Contents | None] = {}
        for name in FOLLOWERS:
            self.worlds[name] = small_world.build(self.root / name, mess=False)
            for file, data in WHOLE.items():
                (self.worlds[name].source / file).write_bytes(data)
            self.possible[name], self.undo[name] = [{}], None
        self.steady = {name: snapshot(world) for name, world in self.worlds.items()}

    def teardown(self) -> None:
        shutil.rmtree(self.root)

    def contents(self, name: str) -> Contents:
        folder = self.worlds[name].repository
        return {path.name: path.read_bytes() for path in folder.iterdir() if path.name in WHOLE or path.name in STRAYS}

    def settle(self, name: str, undo: Contents | None = None) -> None:
        self.possible[name], self.undo[name] = [self.contents(name)], undo
        self.steady[name] = snapshot(self.worlds[name])

    def crashed(self, name: str) -> bool:
        return len(self.possible[name]) > 1

    # The leader

    def publish(self, what: Contents, step: Step) -> None:
        release = next(iter(what)).split("_")[2][:4]
        operations.publish(self.leader, step, [name.split("_")[3] for name in what], release=release)

    @rule(what=st.sampled_from(SETS))
    def the_leader_publishes(self, what: Contents) -> None:
        self.publish(what, no_step)
        self.fingerprint = operations.fingerprint_of(self.leader)
        self.published = [what]

    @precondition(lambda self: faults.can_fork and self.published)
    @rule(what=st.sampled_from(SETS), number=st.integers(1, 30))
    def the_leader_is_killed(self, what: Contents, number: int) -> None:
        code = in_child(lambda: self.publish(what, KillAt(number)))
        assert code in {0, KILLED}
        self.published = [what] if code == 0 else [*self.published, what]

    @precondition(lambda self: self.published)
    @rule()
    def somebody_reads_the_set(self) -> None:
        depot = LocalStorage(self.leader.depot)
        found = Following(depot, self.fingerprint, now=small_world.NOW).follow().found
        seen = {member.name.text: b"".join(map(bytes, depot.stream(member.path))) for member in found.members}
        assert seen in self.published
        self.published = [seen]

    # The followers

    def mirror(self, name: str, step: Step) -> Outcome:
        depot, world = LocalStorage(self.leader.depot), self.worlds[name]
        following = operations.follower(world, step, depot=depot, fingerprint=self.fingerprint)
        return operations.mirror_with(world, step, following)

    def change(self, name: str, command: str, step: Step) -> None:
        try:
            if command == "mirror":
                outcome: Outcome | None = self.mirror(name, step)
            else:
                outcome = operations.OPERATIONS[command][1](self.worlds[name], step)
        except InputError as error:
            if error.code != "would-empty-repository":
                raise
            return
        assert outcome is not None
        assert outcome.error is None

    def ends(self, command: str, name: str) -> list[Contents]:
        if command == "mirror":
            return [after_mirror(was, what) for was in self.possible[name] for what in self.published]
        after = {"sync": after_sync, "prune": after_prune}[command]
        return [end for was in self.possible[name] for end in after(was)]

    def able(self, command: str) -> bool:
        return command != "mirror" or bool(self.published)

    @rule(name=st.sampled_from(FOLLOWERS), command=st.sampled_from(COMMANDS))
    def a_follower_changes(self, name: str, command: str) -> None:
        if not self.able(command):
            return
        expected, was, undo = self.ends(command, name), self.possible[name], self.undo[name]
        self.change(name, command, no_step)
        check(self.steady[name], self.worlds[name], self.allowed(command))
        now = self.contents(name)
        assert now in expected
        if command == "mirror" and now in self.published:
            self.published = [now]
        self.settle(name, was[0] if len(was) == 1 and now != was[0] else undo if len(was) == 1 else None)

    @rule(
        name=st.sampled_from(FOLLOWERS),
        command=st.sampled_from(COMMANDS),
        number=st.integers(1, 50),
    )
    def a_follower_is_killed(self, name: str, command: str, number: int) -> None:
        if not faults.can_fork or not self.able(command) or self.crashed(name):
            return
        was, expected = self.possible[name][0], self.ends(command, name)
        code = in_child(partial(self.change, name, command, KillAt(number)))
        assert code in {0, KILLED}
        check(self.steady[name], self.worlds[name], self.allowed(command))
        if code == 0:
            assert self.contents(name) in expected
            self.settle(name)
        else:
            self.possible[name], self.undo[name] = [was, *expected], None

    def allowed(self, command: str) -> small_world.WorldState | None:
        """A set may take packages away; nothing else may."""
        if command != "mirror":
            return None
        in_all = set.intersection(*map(tokens_in, self.published))
        kept = frozenset(name for name in self.published[0] if name.split("_")[3] in in_all)
        return small_world.WorldState({}, (), {}, kept)

    @rule(name=st.sampled_from(FOLLOWERS), file=st.sampled_from([*WHOLE.items(), *HALVES.items(), *STRAYS.items()]))
    def somebody_drops_a_file(self, name: str, file: tuple[str, bytes]) -> None:
        if not self.crashed(name):
            self.worlds[name].put(*file)
            self.settle(name)

    @rule(name=st.sampled_from(FOLLOWERS))
    def the_last_change_is_taken_back(self, name: str) -> None:
        goal = self.undo[name]
        if goal is None:
            return
        folder = small_world.bench(self.worlds[name]).folder
        task = operations.restore_task(folder, folder.journals()[-1].identity)
        outcome = perform(small_world.bench(self.worlds[name]), task)
        assert outcome.error is None
        assert self.contents(name) == goal
        self.settle(name)

    # Whatever happened

    @invariant()
    def each_follower_is_as_the_model_says(self) -> None:
        for name in FOLLOWERS:
            if not self.crashed(name):
                assert self.contents(name) == self.possible[name][0]

    @invariant()
    def nobody_sees_part_of_an_installer(self) -> None:
        for name in FOLLOWERS:
            for file, data in self.contents(name).items():
                if file in WHOLE:
                    assert data in {WHOLE[file], HALVES[file]}


Spread.TestCase.settings = settings(
    max_examples=int(os.environ.get("REPO_MANAGER_EXAMPLES", "15")),
    stateful_step_count=10,
    deadline=None,
    derandomize="CI" in os.environ,
    suppress_health_check=[HealthCheck.too_slow],
)
TestSpread = Spread.TestCase
