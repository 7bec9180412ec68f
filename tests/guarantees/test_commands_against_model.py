"""Guarantee 12: random sequences of commands, kills and people, against a reference of each file's last change."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from command_world import CommandWorld, WorldView
from faults import can_fork
from hypothesis import HealthCheck, currently_in_test_context, event, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from last_changes import Files, LastChanges, Transaction, changed
from repository_model import HALVES, WHOLE
from simulator import name_of
from small_world import TOKENS

from repo_manager.adapters.filesystem import rename_without_replacing as noreplace
from repo_manager.adapters.filesystem.lock import Lock
from repo_manager.adapters.filesystem.rename import OwnSystem
from repo_manager.adapters.filesystem.repository_folder import no_step
from repo_manager.core import names
from repo_manager.core.service import ServiceState
from repo_manager.demo.sample import sample_installer

if TYPE_CHECKING:
    from cli_world import Answer

pytestmark = pytest.mark.slow

RELEASES: Final = ("9.64", "9.65", "9.66")
LAST: Final = -1


@cache
def other_build(name: str) -> bytes:
    """Complete bytes for a name, which are not those of the source."""
    return sample_installer(names.parse(name), payload_bytes=500, seed=1)


@cache
def mislabelled(name: str) -> bytes:
    """Complete bytes, built for another package."""
    token = next(token for token in TOKENS if f"_{token}_" not in name)
    return sample_installer(names.parse(name), payload_bytes=500, token=token)


CONTENTS: Final[Mapping[str, Callable[[str], bytes]]] = {
    "complete": lambda name: WHOLE[name],
    "complete, another build": other_build,
    "cut off": lambda name: HALVES[name],
    "empty": lambda _: b"",
    "mislabelled": mislabelled,
}


def token_of(name: str) -> str | None:
    """The package of an installer's name; None for any other file."""
    return name.split("_")[3] if name in WHOLE else None


@cache
def fits(name: str, data: bytes) -> bool:
    """Whether bytes are a complete installer of the name's package. The version inside may be another."""
    others = [name_of(name.split("_")[3], release) for release in RELEASES]
    return any(data in (WHOLE[other], other_build(other)) for other in others)


def complete(files: Files, *, as_placed: bool = False) -> set[str]:
    """The packages that have a complete installer; with `as_placed` only the source's own bytes count."""
    return {
        name.split("_")[3]
        for name, data in files.items()
        if name in WHOLE and (data == WHOLE[name] if as_placed else fits(name, data))
    }


def takable(name: str) -> bool:
    """Whether a name is no installer's, and could be taken for one."""
    return name not in WHOLE and "Microsoft-ASR" in name


def count(words: str) -> None:
    """Something happened: for the statistics that `--hypothesis-show-statistics` prints."""
    if currently_in_test_context():
        event(words)


# Commands


@dataclass(frozen=True, repr=False)
class Command:
    """One command line, in words that the checks understand too."""

    kind: str
    options: tuple[str, ...] = ()
    release: str = "auto"
    tokens: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    folder: str = "source"
    keep: int | None = None
    which: int = LAST

    def __repr__(self) -> str:
        said = {item.name: getattr(self, item.name) for item in fields(self) if item.name != "kind"}
        told = [f", {name}={value!r}" for name, value in said.items() if value != _USUAL[name]]
        return f"Command({self.kind!r}{''.join(told)})"


_USUAL: Final = {item.name: item.default for item in fields(Command)}


def some(tokens: st.SearchStrategy[str], least: int = 0, most: int = 2) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(tokens, min_size=least, max_size=most, unique=True).map(tuple)


SYNC: Final = st.builds(
    Command,
    st.just("sync"),
    release=st.sampled_from(("auto", "latest", *RELEASES)),
    tokens=st.one_of(st.just(()), some(st.sampled_from(TOKENS))),
)
ADD: Final = st.builds(
    Command,
    st.just("add"),
    options=st.sampled_from(((), ("--allow-older",))),
    files=some(st.sampled_from(sorted(WHOLE)), 1, 3),
    folder=st.sampled_from(("source", "source", "source", "broken")),
)
PRUNE: Final = st.builds(Command, st.just("prune"), keep=st.sampled_from((None, None, 0, 2)))
RESTORE: Final = st.builds(
    Command,
    st.just("restore"),
    which=st.one_of(st.just(LAST), st.integers(0, 7)),
    drop=st.one_of(st.just(()), st.just(()), some(st.sampled_from(TOKENS), 1, 4)),
)
MIRROR: Final = st.builds(Command, st.just("mirror"))
WATCH: Final = st.builds(Command, st.just("watch"))
CHANGES: Final = st.one_of(SYNC, SYNC, ADD, PRUNE, RESTORE, RESTORE, MIRROR, WATCH)


class Commands(RuleBasedStateMachine):
    """A repository, a leader whose set it may follow, people, and the reference.

    `state` is the last observed state; after a kill it is the state that recovery leads to. `published` are the sets
    that a follower may see: several while a publishing that was killed has not been looked at.
    """

    def __init__(self) -> None:
        super().__init__()
        self.base = Path(tempfile.mkdtemp(prefix="commands-"))
        self.world = CommandWorld(self.base / "world")
        self.reference = LastChanges()
        self.crashed = False
        self.placed: set[str] = set()
        self.published: list[Files] = []
        self.fingerprint = ""
        self.stamp = 0
        self.keep = 0

    def teardown(self) -> None:
        if can_fork:
            OwnSystem.ways = noreplace.WAYS
        shutil.rmtree(self.base)

    @initialize(
        keep=st.sampled_from((1, 1, 4)),
        filled=st.sampled_from(("", "9.64", "9.65")),
        led=st.sampled_from(("", *RELEASES)),
        ways=st.sampled_from(("in the kernel", "by link")),
    )
    def begin(self, keep: int, filled: str, led: str = "", ways: str = "in the kernel") -> None:
        self.keep = keep
        if can_fork and ways == "by link":
            OwnSystem.ways = noreplace.WAYS[1:]
        self.world.build(keep)
        self.state = self.world.seen()
        for token in TOKENS if filled else ():
            self.put(name_of(token, filled), WHOLE[name_of(token, filled)])
        if led:
            self.the_leader_publishes(tokens=TOKENS, release=led, drop=(), number=0)

    # The commands of the repository

    @rule(command=SYNC)
    def a_sync(self, command: Command) -> None:
        self.do(command)

    @rule(command=st.one_of(ADD, PRUNE, WATCH))
    def an_add_a_prune_or_a_watch(self, command: Command) -> None:
        self.do(command)

    @precondition(lambda self: self.reference.transactions)
    @rule(command=RESTORE)
    def a_restore(self, command: Command) -> None:
        self.do(command)

    @precondition(lambda self: self.reference.transactions)
    @rule(drop=st.sampled_from(((), TOKENS)))
    def the_last_change_is_undone(self, drop: tuple[str, ...]) -> None:
        self.do(Command("restore", drop=drop))

    @precondition(lambda self: self.published)
    @rule(command=MIRROR)
    def a_mirror(self, command: Command) -> None:
        self.do(command)

    def do(self, command: Command) -> None:
        self.judge(command, self.carry_out(command))

    @precondition(lambda self: can_fork and not self.crashed)
    @rule(command=CHANGES, number=st.integers(1, 60))
    def a_command_is_killed(self, command: Command, number: int) -> None:
        before = self.state
        with self.world.rehearsal():
            expected = self.carry_out(command)
            goal, ended = self.world.seen(), self.world.now()
        answer = self.world.killed(number, lambda _, step: self.carry_out(command, step))
        if answer is not None:
            assert (answer.code, self.world.seen().files) == (expected.code, goal.files)
            self.judge(command, answer)
            return
        count(f"{command.kind} was killed")
        self.world.offset += ended - self.world.now()
        self.check_moment(command, before, goal)
        with self.world.rehearsal():
            self.world.watch("--polling", "--settle", "1000", seconds=1)
            found = self.world.seen()
            service = self.world.service.state()
        assert not found.pending
        self.crashed = True
        for name in changed(before.files, goal.files):
            assert found.files.get(name) in (before.files.get(name), goal.files.get(name))
        if command.kind != "watch":
            assert found.files in (before.files, goal.files), "a mixture"
        if not self.failing_before:
            assert service is self.service_before, "the service is not as it was"
        if found.files == before.files != goal.files:
            assert found.retired == before.retired
        self.absorb(command, found, trimming=True)

    def check_moment(self, command: Command, before: WorldView, goal: WorldView) -> None:
        """What must hold at every moment, right after a kill."""
        raw = self.world.seen()
        for name, data in raw.files.items():
            assert data == before.files.get(name) or data in self.right(command, name), f"{name} has strange bytes"
        lost = complete(before.files) & complete(goal.files) - complete(raw.files)
        # A change that the service would have undone takes away for a moment what was named.
        allowed = set(command.drop).union(*(set(TOKENS) - complete(found) for found in self.published))
        assert lost <= (allowed if command.kind in {"mirror", "restore"} else set()), f"{lost} were gone for a moment"
        assert raw.untouchable == before.untouchable

    @precondition(lambda self: not self.crashed and self.world.sub.exists())
    @rule(command=st.one_of(SYNC, PRUNE, RESTORE))
    def a_command_finds_the_lock_held(self, command: Command) -> None:
        with Lock(self.world.sub / "lock", {}):
            answer = self.carry_out(command)
        count(f"lock: {command.kind} exit {answer.code}")
        assert answer.code in {2, 6}
        assert self.world.seen() == self.state

    @rule(deep=st.booleans())
    def an_audit(self, deep: bool) -> None:  # noqa: FBT001 - drawn
        before = self.world.seen()
        answer = self.world.run("audit", *(["--deep"] if deep else []))
        count(f"audit exit {answer.code}")
        assert answer.code in {0, 1}
        assert self.world.seen() == before
        if deep and not self.crashed:
            assert (answer.code == 0) == self.healthy()

    def healthy(self) -> bool:
        files = self.state.files
        installers = {name for name in files if name in WHOLE}
        newest = max((name.split("_")[2][:4] for name in installers), default="")
        right = {name for name in installers if self.whole(name, files[name])}
        wanted = {name_of(token, newest) for token in TOKENS} if newest else None
        return right == installers == wanted and not any(map(takable, files))

    def whole(self, name: str, data: bytes) -> bool:
        """Whether an installer is complete, and what the tool placed under its name where it ever placed it."""
        return data == WHOLE[name] or (fits(name, data) and name not in self.placed)

    # The leader

    @rule(
        tokens=some(st.sampled_from(TOKENS), 1, 4),
        release=st.sampled_from(RELEASES),
        drop=some(st.sampled_from(TOKENS), 0, 4),
        number=st.one_of(st.just(0), st.integers(1, 60)),
    )
    def the_leader_publishes(self, tokens: tuple[str, ...], release: str, drop: tuple[str, ...], number: int) -> None:
        leader = self.world.root / "leader"
        for path in leader.iterdir():
            if path.is_file():
                path.unlink()
        goal = {name_of(token, release): WHOLE[name_of(token, release)] for token in tokens}
        for name, data in goal.items():
            self.write(leader / name, data)
        line = ("publish", "set", "--keys", "keys", "--release", release)
        dropped = tuple(word for token in drop for word in ("--drop", token))
        if number and can_fork:
            answer = self.world.killed(
                number, lambda world, step: world.run(*line, *dropped, repository="leader", step=step)
            )
        else:
            answer = self.world.run(*line, *dropped, repository="leader")
        if answer is None:
            count("publish was killed")
            self.published = [*self.published, goal] if self.published else []
            return
        count(f"publish exit {answer.code}{self.said(answer)}")
        if answer.code:
            assert answer.code == 2
            assert answer.error["code"] in {"would-empty-set", "would-drop-packages"}
            return
        if len(self.published) == 1:
            lost = complete(self.published[0]) - set(tokens)
            assert lost <= set(drop), f"the set lost {lost}"
        self.fingerprint = answer.document["root"]
        self.published = [goal]

    # People

    @precondition(lambda self: not self.crashed)
    @rule(
        name=st.sampled_from(sorted(WHOLE)),
        content=st.sampled_from(list(CONTENTS)),
        form=st.sampled_from(("{}", "{}", "{}", "Copy of {}", "{}.part", "{}.txt")),
    )
    def a_person_drops_a_file(self, name: str, content: str, form: str) -> None:
        self.put(form.format(name), CONTENTS[content](name))

    @precondition(lambda self: not self.crashed and self.candidates())
    @rule(
        number=st.integers(0, 20),
        how=st.sampled_from(("delete", "rename", "copy", *CONTENTS)),
        name=st.sampled_from(sorted(WHOLE)),
    )
    def a_person_changes_a_file(self, number: int, how: str, name: str) -> None:
        candidates = self.candidates()
        old = candidates[number % len(candidates)]
        if how == "delete":
            (self.world.repo / old).unlink()
        elif how == "rename":
            (self.world.repo / old).replace(self.world.repo / name)
        elif how == "copy":
            (self.world.repo / old).replace(self.world.repo / f"Copy of {old}")
        elif old in WHOLE:
            self.write(self.world.repo / old, CONTENTS[how](old))
        self.by_operator()

    @precondition(lambda self: not self.crashed and self.state.retired)
    @rule(number=st.integers(0, 20), how=st.sampled_from(("flipped", "emptied", "deleted")))
    def a_retired_file_is_damaged(self, number: int, how: str) -> None:
        keys = sorted(self.state.retired)
        key = keys[number % len(keys)]
        path, data = self.world.sub / "retired" / key, self.state.retired[key]
        if how == "flipped" and path.name not in WHOLE:
            # Of files that are no installers the size alone is known.
            how = "emptied"
        path.unlink()
        if how != "deleted":
            self.write(path, b"" if how == "emptied" else data[:-1] + bytes([(data or b"\0")[-1] ^ 1]))
        self.state = self.world.seen()

    @rule(
        step=st.sampled_from(
            (timedelta(seconds=1), timedelta(hours=1), timedelta(hours=-1), timedelta(days=-3), timedelta(days=400))
        )
    )
    def the_clock_is_set(self, step: timedelta) -> None:
        self.world.offset += step

    @precondition(lambda self: not self.crashed)
    @rule(running=st.sampled_from((True, True, True, False)), failing=st.sampled_from((0, 1, 1, 2, 9)))
    def the_service_changes(self, running: bool, failing: int) -> None:  # noqa: FBT001 - drawn
        self.world.service.set(ServiceState.RUNNING if running else ServiceState.STOPPED, failing)

    # Parts

    def carry_out(self, command: Command, step: Callable[[str], None] = no_step) -> Answer:
        if not self.crashed:
            # A run that was killed may have stopped the service: recovery starts it again.
            self.service_before = self.world.service.state()
        self.failing_before = self.world.service.failing
        if command.kind == "watch":
            return self.world.watch("--polling", step=step)
        line = [command.kind, "--yes", *command.options]
        if command.kind == "sync":
            line += ["--source", "source", "--release", command.release]
            line += [word for token in command.tokens for word in ("--package", token)]
        elif command.kind == "add":
            line += [f"{command.folder}/{name}" for name in command.files]
        elif command.kind == "prune" and command.keep is not None:
            line += ["--keep", str(command.keep)]
        elif command.kind == "mirror":
            line += ["set", "--trust", self.fingerprint or "0" * 64, "--no-report"]
        elif command.kind == "restore":
            line += ["last" if command.which == LAST else self.chosen(command)]
            line += [word for token in command.drop for word in ("--drop", token)]
        return self.world.run(*line, step=step)

    def chosen(self, command: Command) -> str:
        """The identity that a restore names."""
        known = list(self.reference.transactions)
        return known[command.which % len(known)] if known else "20260101T000000Z-0000"

    def judge(self, command: Command, answer: Answer) -> None:
        """What must hold after a command that ended by itself."""
        before, after = self.state, self.world.seen()
        count(f"{command.kind} exit {answer.code}{self.said(answer)}")
        assert answer.code in ENDS[command.kind], answer.err
        assert answer.code != 2 or answer.error["code"] in REFUSALS, answer.err
        assert "internal-error" not in answer.err, answer.err
        assert not after.pending
        self.crashed = False
        gone = complete(before.files, as_placed=True) - complete(after.files)
        allowed = set(command.drop)
        if command.kind == "mirror" and answer.code == 0:
            found = {name: data for name, data in after.files.items() if name in WHOLE}
            assert found in self.published
            self.published = [found]
            allowed |= set(TOKENS) - complete(found)
        assert gone <= allowed, f"{command} left no complete installer of {gone - allowed}"
        changes = answer.code in {0, 1, 130}
        if not changes:
            assert not changed(before.files, after.files)
            assert not changed(before.retired, after.retired)
            assert before.ids == after.ids
        if not self.failing_before:
            assert self.world.service.state() is self.service_before
            assert answer.code != 5
        if command.kind == "restore":
            self.check_restore(command, answer, after)
        elif answer.code == 0:
            self.check_goal(command, before, after)
        if command.kind != "watch" and changes:
            self.check_document(answer, before, after)
        self.absorb(command, after, trimming=changes)

    def said(self, answer: Answer) -> str:
        found = answer.err.partition("error[")[2].partition("]")[0]
        return f" {found}" if found else ""

    def check_document(self, answer: Answer, before: WorldView, after: WorldView) -> None:
        done = [item for item in answer.document["actions"] if item["result"] == "done"]
        placed = {item["name"] for item in done if item["action"] == "place"}
        retired = {item["name"] for item in done if item["action"] == "retire"}
        names_ = changed(before.files, after.files)
        # A file that came back with the bytes it had is placed and retired, and no change.
        assert {name for name in names_ if name in after.files} <= placed
        assert {name for name in names_ if name in before.files} <= retired
        if names_:
            assert answer.document["transaction"] in set(after.ids) - set(before.ids)

    def check_goal(self, command: Command, before: WorldView, after: WorldView) -> None:
        installers = {name: data for name, data in after.files.items() if name in WHOLE}
        if command.kind == "sync":
            release = self.release_of(command, before)
            for token in command.tokens or TOKENS:
                found = {name for name in installers if f"_{token}_" in name}
                assert found == {name_of(token, release)}
                assert all(fits(name, installers[name]) for name in found)
            again = self.carry_out(replace(command, options=("--dry-run",), release=release))
            assert again.code == 0
            assert not [item for item in again.document["actions"] if item["action"] != "restart"]
        elif command.kind == "add":
            for token in {name.split("_")[3] for name in command.files}:
                goal = max(name for name in command.files if f"_{token}_" in name)
                assert {name for name in installers if f"_{token}_" in name} == {goal}
                assert fits(goal, installers[goal])
        elif command.kind == "prune":
            for token in TOKENS:
                assert len([name for name in installers if f"_{token}_" in name]) <= 1
        if command.kind in {"prune", "mirror"} or (command.kind == "sync" and not command.tokens):
            assert not [name for name in after.files if takable(name)]

    def release_of(self, command: Command, before: WorldView) -> str:
        if command.release == "latest":
            return RELEASES[-1]
        if command.release != "auto":
            return command.release
        return max((name.split("_")[2][:4] for name in before.files if name in WHOLE), default=RELEASES[-1])

    def target(self, command: Command) -> Transaction | None:
        """What a restore is about."""
        return self.reference.last() if command.which == LAST else self.reference.transactions.get(self.chosen(command))

    def check_restore(self, command: Command, answer: Answer, after: WorldView) -> None:
        before, done = self.state, self.target(command)
        if done is None or self.reference.undone(done):
            assert answer.code == 2, "what is undone was undone again"
            assert answer.error["code"] == ("already-undone" if done else "unknown-transaction")
            return
        own, left = self.reference.undoable(done, before.files), set(done.became) - self.reference.undone_names(done)
        touched = changed(before.files, after.files)
        assert touched <= own, f"{touched - own} were not last changed by {done.identity}"
        for name in touched:
            assert after.files.get(name) == done.was[name], f"{name} is not as it was before {done.identity}"
        if answer.code == 0:
            assert touched == own == left
        elif answer.code == 1:
            moves = [item for item in answer.document["actions"] if item["action"] != "restart"]
            skipped = {item["name"] for item in moves if item["result"] == "skipped"}
            assert touched, "nothing was undone"
            assert touched | skipped == left
        else:
            self.check_refusal(command, answer, done, own)

    def check_refusal(self, command: Command, answer: Answer, done: Transaction, own: set[str]) -> None:
        """A restore may be refused only for a reason."""
        if answer.code in {4, 5}:
            assert answer.code == 5 or self.unsure(done)
            return
        code = answer.error["code"]
        goal = {**self.state.files, **{name: data for name in own if (data := done.was[name]) is not None}}
        goal = {name: data for name, data in goal.items() if name not in own or done.was[name] is not None}
        lost = complete(self.state.files) - complete(goal)
        if code in {"would-drop-packages", "would-empty-repository"}:
            assert lost - set(command.drop) or self.unsure(done), f"refused, but {lost} were named"
        else:
            assert code == "nothing-to-restore"
            assert not own or self.unsure(done)

    def unsure(self, done: Transaction) -> bool:
        """Whether a file that should come back is not there any more, or is not complete."""
        return any(
            self.state.retired.get(f"{done.identity}/{name}") != data or data != WHOLE.get(name)
            for name, data in done.was.items()
            if data is not None
        )

    def absorb(self, command: Command, after: WorldView, *, trimming: bool) -> None:
        """Account for every change, and let the reference know."""
        before = self.state
        new = sorted(set(after.ids) - set(before.ids))
        assert set(before.ids) <= set(after.ids)
        if new and before.ids:
            assert new[0] > max(before.ids), f"{new[0]} was committed after {max(before.ids)}"
        touched = changed(before.files, after.files)
        # Nothing is deleted: what left the folder is retired.
        home: dict[str, str] = {}
        for name in touched & before.files.keys():
            places = [identity for identity in new if after.retired.get(f"{identity}/{name}") == before.files[name]]
            assert places, f"{name} was deleted"
            home[name] = places[0]
        came = {name for name in touched if name in after.files}
        for name in came:
            known = {before.retired[key] for key in before.retired if key.endswith(f"/{name}")}
            assert after.files[name] in ({WHOLE.get(name)} if command.kind != "restore" else known), (
                f"{name} is not right"
            )
        self.check_retired(command, before, after, came, trimming=trimming)
        assert after.untouchable == before.untouchable, "something that is not the tool's was touched"
        undoes = self.target(command) if command.kind == "restore" else None
        files = dict(before.files)
        for identity in new:
            mine = {name for name in touched if home.get(name, new[-1]) == identity}
            step = {name: data for name, data in files.items() if name not in mine}
            step |= {name: after.files[name] for name in mine if name in after.files}
            if mine:
                self.reference.note(identity, command.kind, files, step, undoes)
            files = step
        assert files == after.files, f"{command} changed {changed(files, after.files)} outside of a transaction"
        if command.kind in {"sync", "add", "mirror"}:
            self.placed |= came
        self.state = after

    def right(self, command: Command, name: str) -> set[bytes | None]:
        """The bytes that a command may place under a name."""
        kept = {data for key, data in self.state.retired.items() if key.endswith(f"/{name}")}
        return {*kept} if command.kind == "restore" else {WHOLE.get(name)}

    def check_retired(
        self, command: Command, before: WorldView, after: WorldView, came: set[str], *, trimming: bool
    ) -> None:
        keep = self.keep if command.keep is None else command.keep
        everything = {**before.retired, **after.retired}
        last = max((key.partition("/")[0] for key in everything), default="")
        oldest = f"{self.world.now() - timedelta(days=365):%Y%m%dT%H%M%SZ}"
        for key, data in before.retired.items():
            identity, _, name = key.partition("/")
            if key in after.retired:
                assert after.retired[key] == data, f"{key} has other bytes"
                continue
            if command.kind == "restore" and name in came and after.files[name] == data:
                continue
            assert trimming, f"{key} was deleted"
            assert identity != last, f"{key} was deleted, of the last transaction"
            token = names.token_of(name)
            newer = [k for k in everything if k > key and names.token_of(k.partition("/")[2]) == token]
            assert len(newer) >= keep if token else identity < oldest, f"{key} was deleted too early"

    # People's parts

    def candidates(self) -> list[str]:
        """The files that a person may delete or rename."""
        return sorted(name for name in self.state.files if "Microsoft-ASR" in name)

    def put(self, name: str, data: bytes) -> None:
        self.write(self.world.repo / name, data)
        self.by_operator()

    def write(self, path: Path, data: bytes) -> None:
        """A new file in the place of the old one, with a time of change of its own."""
        beside = self.world.root / "beside"
        beside.write_bytes(data)
        self.stamp += 1
        when = 1_700_000_000_000_000_000 + self.stamp * 1_000_000_000
        os.utime(beside, ns=(when, when))
        beside.replace(path)

    def by_operator(self) -> None:
        self.state = self.world.seen()


ENDS: Final[Mapping[str, set[int]]] = {
    "sync": {0, 2, 5},
    "add": {0, 2, 4, 5},
    "prune": {0, 2, 5},
    "restore": {0, 1, 2, 4, 5},
    "mirror": {0, 2, 3, 4, 5},
    "watch": {130},
}

REFUSALS: Final = frozenset(
    {
        "already-undone",
        "nothing-to-restore",
        "older-than-present",
        "unknown-transaction",
        "would-drop-packages",
        "would-empty-repository",
    }
)
"""Why a command may end with exit code 2."""

EXAMPLES: Final = os.environ.get("REPO_MANAGER_EXAMPLES", "")

Commands.TestCase.settings = settings(
    # The same sequences every time, unless a longer run is asked for: that one looks for new ones.
    # On Windows there are no kills, and under Wine a command takes a second.
    derandomize=not EXAMPLES,
    max_examples=int(EXAMPLES or (50 if can_fork else 8)),
    stateful_step_count=20,
    deadline=None,
    print_blob=True,
    # Every step is a whole command.
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
TestCommands = Commands.TestCase


# Sequences that went wrong once, the first of them as this model found it


UNDO_LAST: Final = Command("restore")
UNDO_FIRST: Final = Command("restore", which=0)
HOUR: Final = timedelta(hours=1)


@pytest.mark.parametrize(
    "steps",
    [
        pytest.param(
            [Command("add", files=(name_of("OL8-64", "9.64"), name_of("OL8-64", "9.65")))],
            id="adding two builds of a package places the newer one",
        ),
        pytest.param(
            [Command("add", files=(name_of("OL8-64", "9.64"),)), UNDO_LAST],
            id="undoing an add does not take the only installer away",
        ),
        pytest.param(
            [Command("sync", release="9.64"), UNDO_FIRST, Command("sync", release="9.64"), UNDO_FIRST],
            id="what is undone is not undone again",
        ),
        pytest.param(
            [
                Command("sync", release="9.64"),
                Command("sync", release="9.65"),
                Command("sync", release="9.66"),
                UNDO_LAST,
                UNDO_LAST,
                UNDO_LAST,
            ],
            id="undoing step by step does not empty the folder",
        ),
        pytest.param(
            [Command("sync", release="9.66"), -HOUR, Command("sync", release="9.65"), UNDO_LAST],
            id="a clock that goes back does not change the order of transactions",
        ),
        pytest.param(
            [Command("sync", release="9.64"), Command("sync", release="9.65"), "flipped", UNDO_LAST],
            id="a damaged retired file does not come back",
        ),
        pytest.param(
            [Command("sync", release="9.65"), Command("sync", release="9.66"), "emptied", UNDO_LAST],
            id="an empty retired file does not come back",
        ),
        pytest.param(
            [Command("sync", release="9.66"), "another build", UNDO_FIRST],
            id="a file that a person replaced is left alone",
        ),
    ],
)
@pytest.mark.parametrize("keep", [1, 4])
def test_a_sequence_that_went_wrong_once(steps: list[Command | timedelta | str], keep: int) -> None:
    machine = Commands()
    try:
        machine.begin(keep, "")
        for step in steps:
            if isinstance(step, Command):
                machine.do(step)
            elif isinstance(step, timedelta):
                machine.the_clock_is_set(step)
            elif step == "another build":
                machine.a_person_changes_a_file(number=0, how="complete, another build", name="")
            else:
                machine.a_retired_file_is_damaged(number=0, how=step)
    finally:
        machine.teardown()
