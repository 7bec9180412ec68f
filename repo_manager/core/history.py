"""What past transactions did to each file name, and which of it may be undone.

Names are compared without regard to case. Each transaction takes a name from one state to the next:

    no file --A--> the file of A --B--> the file of B

A transaction may undo a change only while the name is in the state that this change led to. Undoing leads back to
the state before it, so that A is the last change again once B was undone. Undoing a `restore` leads forward again.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence


class _Move(Protocol):
    """One rename, as a journal has it: see `transaction.Move`."""

    @property
    def origin(self) -> str: ...

    @property
    def destination(self) -> str: ...

    @property
    def size_bytes(self) -> int | None: ...

    @property
    def sha256(self) -> str | None: ...

    @property
    def damaged(self) -> bool: ...


class _Journal(Protocol):
    """What a transaction did: see `transaction.Journal`."""

    @property
    def identity(self) -> str: ...

    @property
    def command(self) -> str: ...

    @property
    def moves(self) -> Sequence[_Move]: ...

    @property
    def undoes(self) -> str: ...

    @property
    def damaged(self) -> str: ...


class Undoability(StrEnum):
    """Whether a transaction, or what it did to one name, may be undone."""

    UNDOABLE = "undoable"
    PARTLY = "partly-undoable"
    """Of a transaction: some of it may, and some was changed since."""
    PARTLY_UNDONE = "partly-undone"
    """Of a transaction: some of it was undone, and a run left the rest alone, or it was changed since."""
    UNDONE = "undone"
    CHANGED = "changed-since"
    """A later transaction changed the name, or all of the names, again."""
    DAMAGED = "damaged"
    """Of a transaction: what it did cannot be read. Of a name: a later one, which is damaged, may have changed it."""

    @property
    def words(self) -> str:
        """For people."""
        return self.value.replace("-", " ")


@dataclass(frozen=True, slots=True)
class MovedFile:
    """A file that a transaction moved.

    `path` is where it waits below the sub-folder; empty for one it placed. `damaged` says that it was not whole when it
    was retired.
    """

    name: str
    size_bytes: int | None
    path: str = ""
    sha256: str | None = None
    damaged: bool = False


@dataclass(frozen=True, slots=True)
class NameChange:
    """What a transaction did to one name: the files it placed under it, and those it retired.

    `by` is the transaction that undid it or changed the name since; empty where there was none.
    """

    came: tuple[MovedFile, ...]
    went: tuple[MovedFile, ...]
    state: Undoability
    by: str = ""


@dataclass(frozen=True, slots=True)
class PastTransaction:
    """A past transaction. `undoes` is the one that a `restore` undid, where that is known."""

    identity: str
    command: str
    changes: tuple[NameChange, ...]
    undoes: str = ""
    damaged: str = ""

    @property
    def placed(self) -> tuple[MovedFile, ...]:
        """The files that it placed."""
        return tuple(version for change in self.changes for version in change.came)

    @property
    def retired(self) -> tuple[MovedFile, ...]:
        """The files that it retired."""
        return tuple(version for change in self.changes for version in change.went)

    @property
    def undoable(self) -> tuple[NameChange, ...]:
        """The changes that may be undone."""
        return tuple(change for change in self.changes if change.state is Undoability.UNDOABLE)

    @property
    def state(self) -> Undoability:
        """Whether it may be undone."""
        if self.damaged:
            return Undoability.DAMAGED
        states = {change.state for change in self.changes}
        if Undoability.UNDONE in states and len(states) > 1:
            return Undoability.PARTLY_UNDONE
        changed = not states.isdisjoint({Undoability.CHANGED, Undoability.DAMAGED})
        if Undoability.UNDOABLE in states:
            return Undoability.PARTLY if changed else Undoability.UNDOABLE
        return Undoability.CHANGED if changed else Undoability.UNDONE

    @property
    def undone_by(self) -> str:
        """The transaction that undid it, the newest of several; empty while some of it is not undone."""
        return max(change.by for change in self.changes) if self.state is Undoability.UNDONE else ""


@dataclass(frozen=True, slots=True)
class _Step:
    """A transaction's step from one state of a name to another. `upward` leads back to an earlier state."""

    came: tuple[MovedFile, ...]
    went: tuple[MovedFile, ...]
    before: int
    after: int
    upward: bool = False


class _NameHistory:
    """The states of one name. They form a tree: undoing leads to the parent, and the next change to a new child."""

    def __init__(self) -> None:
        self.current = 0
        self.last = ""
        self.steps: dict[str, _Step] = {}
        self._parents: dict[int, tuple[int, str]] = {}
        self._paths: dict[tuple[int, str], str] = {}
        self._digests: dict[tuple[int, str], str | None] = {}
        self._unknown: set[str] = set()
        self._left: dict[int, str] = {}
        self._reached: dict[int, str] = {}

    @property
    def made_by(self) -> str:
        """The transaction that led to the present state; empty for the state before all of them."""
        return self._parents.get(self.current, (0, ""))[1]

    def go(self, identity: str, came: tuple[MovedFile, ...], went: tuple[MovedFile, ...], undoes: str) -> None:
        """Take the next step."""
        undone = self.steps.get(undoes)
        for version in went:
            self._paths[self.current, version.name] = version.path
        if undone is not None and undone.after == self.current and _is_reverse(undone, came, went):
            after, upward = undone.before, not undone.upward
        else:
            after, upward = len(self._parents) + 1, False
            self._parents[after] = (self.current, identity)
        if upward:
            self._left[self.current] = identity
        else:
            self._reached[after] = identity
        for version in came:
            self._digests[after, version.name] = version.sha256 or self._digests.get((after, version.name))
        self.steps[identity] = _Step(came, went, self.current, after, upward)
        self.current, self.last = after, identity

    def lose(self, identity: str) -> None:
        """A transaction that cannot be read may have changed the name."""
        self.go(identity, (), (), "")
        self._unknown.add(identity)

    def change(self, identity: str) -> NameChange:
        """How a transaction's step stands now."""
        step = self.steps[identity]
        path = self._ancestry()
        went = tuple(
            replace(
                version,
                path=self._paths[step.before, version.name],
                sha256=version.sha256 or self._digests.get((step.before, version.name)),
            )
            for version in step.went
        )
        if step.after == self.current:
            return NameChange(step.came, went, Undoability.UNDOABLE)
        # A step back is undone while the state that it left is in effect again, any other while its own is not.
        if step.upward and step.before in path:
            return NameChange(step.came, went, Undoability.UNDONE, self._reached[step.before])
        if not step.upward and step.after not in path:
            return NameChange(step.came, went, Undoability.UNDONE, self._left[step.after])
        by = path.get(step.after, self.last)
        return NameChange(step.came, went, Undoability.DAMAGED if by in self._unknown else Undoability.CHANGED, by)

    def _ancestry(self) -> dict[int, str]:
        """The states that led to the present one, each with the transaction that changed the name then."""
        state, found = self.current, {self.current: ""}
        while state in self._parents:
            state, identity = self._parents[state]
            found[state] = identity
        return found


def read(journals: Iterable[_Journal]) -> tuple[PastTransaction, ...]:
    """The transactions, newest first, from their journals in the order in which they happened."""
    lines: defaultdict[str, _NameHistory] = defaultdict(_NameHistory)
    happened: list[tuple[_Journal, str, tuple[str, ...]]] = []
    for journal in journals:
        if journal.damaged:
            for line in lines.values():
                line.lose(journal.identity)
        changed = _by_name(journal.moves)
        undoes = journal.undoes or _derived(journal, [lines[key] for key in changed])
        for key, (came, went) in changed.items():
            lines[key].go(journal.identity, came, went, undoes)
        happened.append((journal, undoes, tuple(changed)))
    return tuple(
        PastTransaction(
            journal.identity,
            journal.command,
            tuple(lines[key].change(journal.identity) for key in keys),
            undoes,
            journal.damaged,
        )
        for journal, undoes, keys in reversed(happened)
    )


def last_to_undo(entries: Iterable[PastTransaction]) -> PastTransaction | None:
    """Of entries newest first, the one that stepping back undoes next: no `restore`, and not even partly undone."""
    undone = {Undoability.UNDONE, Undoability.PARTLY_UNDONE}
    return next((entry for entry in entries if entry.command != "restore" and entry.state not in undone), None)


def time_of(identity: str) -> str:
    """When a transaction began, by its identity, for people; the identity itself where it has no time."""
    found = re.match("([0-9]{4})([0-9]{2})([0-9]{2})T([0-9]{2})([0-9]{2})([0-9]{2})Z", identity)
    return "{}-{}-{} {}:{}:{} UTC".format(*found.groups()) if found else identity


def _by_name(moves: Iterable[_Move]) -> dict[str, tuple[tuple[MovedFile, ...], tuple[MovedFile, ...]]]:
    """What came and what went under each name."""
    found: defaultdict[str, tuple[list[MovedFile], list[MovedFile]]] = defaultdict(lambda: ([], []))
    for move in moves:
        incoming = move.destination.startswith("../")
        name = (move.destination if incoming else move.origin).removeprefix("../")
        path = "" if incoming else move.destination
        version = MovedFile(name, move.size_bytes, path, move.sha256, move.damaged)
        found[name.casefold()][0 if incoming else 1].append(version)
    return {key: (tuple(came), tuple(went)) for key, (came, went) in found.items()}


def _is_reverse(step: _Step, came: tuple[MovedFile, ...], went: tuple[MovedFile, ...]) -> bool:
    return set(_names(came)) == set(_names(step.went)) and set(_names(went)) == set(_names(step.came))


def _names(versions: Iterable[MovedFile]) -> Iterator[str]:
    return (version.name for version in versions)


def _derived(journal: _Journal, lines: Iterable[_NameHistory]) -> str:
    """Which transaction a `restore` undid whose journal does not record it, as those of version 0.1 do not.

    What came back came from one transaction's retired files; where nothing came back, what went out was placed by one.
    """
    if journal.command != "restore":
        return ""
    origins = {move.origin.split("/")[1] for move in journal.moves if move.origin.startswith("retired/")}
    found = origins or {line.made_by for line in lines}
    return found.pop() if len(found) == 1 else ""
