"""The reference for the model test: to which transaction each file of a repository owes its present state.

It learns of changes by comparing the folder before and after a command, never from what the tool wrote down.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

Files = Mapping[str, bytes]
"""The regular files of the repository folder itself, by name."""


@dataclass(frozen=True, eq=False)
class State:
    """A state of one name, and the state before it. The first state of every name is None."""

    before: State | None

    def comes_after(self, other: State | None) -> bool:
        """Whether the other is this state or an earlier one on the way to it."""
        return self is other or (self.before.comes_after(other) if self.before else other is None)


@dataclass(frozen=True)
class Transaction:
    """What one transaction did to each name: its bytes and its state before and after."""

    identity: str
    command: str
    was: Mapping[str, bytes | None]
    became: Mapping[str, bytes | None]
    start: Mapping[str, State | None]
    end: Mapping[str, State | None]


@dataclass
class LastChanges:
    """All transactions in order of commit, and the state of each name. What people change leads to no other state."""

    transactions: dict[str, Transaction] = field(default_factory=dict)
    states: dict[str, State | None] = field(default_factory=dict)

    def note(self, identity: str, command: str, before: Files, after: Files, undoes: Transaction | None = None) -> None:
        """A command committed a transaction; a restore leads each name back to where the undone one started."""
        names = changed(before, after)
        start = {name: self.states.get(name) for name in names}
        end = {name: undoes.start[name] if undoes else State(start[name]) for name in names}
        was, became = ({name: files.get(name) for name in names} for files in (before, after))
        self.transactions[identity] = Transaction(identity, command, was, became, start, end)
        self.states |= end

    def undoable(self, done: Transaction, files: Files) -> set[str]:
        """The names whose last change was this transaction and that are as it left them: all that undoing may touch."""
        last = {name for name, end in done.end.items() if self.states.get(name) is end}
        return {name for name in last if files.get(name) == done.became[name]}

    def undone(self, done: Transaction) -> bool:
        """Whether all that the transaction did was undone."""
        return self.undone_names(done) == set(done.became)

    def undone_names(self, done: Transaction) -> set[str]:
        """The names of which the change was undone."""
        return {name for name in done.became if self._undone(done, name)}

    def _undone(self, done: Transaction, name: str) -> bool:
        now, start, end = self.states.get(name), done.start[name], done.end[name]
        if start is not None and start.comes_after(end):
            # It led back, as a restore does: undone while the state that it left holds again.
            return now is not None and now.comes_after(start)
        return now is None or not now.comes_after(end)

    def last(self) -> Transaction | None:
        """What `restore last` means: the newest transaction that is no restore and was not undone, not even in part."""
        candidates = [
            done
            for done in self.transactions.values()
            if done.command != "restore" and done.became and not self.undone_names(done)
        ]
        return candidates[-1] if candidates else None


def changed(before: Files, after: Files) -> set[str]:
    """The names that came, went or got other bytes."""
    return {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
