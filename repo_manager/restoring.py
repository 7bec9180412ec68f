"""Undoing a past transaction: the task behind `restore TRANSACTION`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from repo_manager import history, names, plan
from repo_manager.errors import InputError
from repo_manager.operation import Seen, Task, Voice

if TYPE_CHECKING:
    from repo_manager.edges.disk.folder import Folder
    from repo_manager.history import Entry
    from repo_manager.names import Token
    from repo_manager.plan import Plan
    from repo_manager.repository import File, Listing


def find(entries: tuple[Entry, ...], wanted: str, command: str = "repo-manager") -> Entry:
    """The transaction of that identity; of `last`, the newest that is no restore and is not undone.

    Raises:
        InputError: `unknown-transaction`.
    """
    if wanted == "last":
        found = history.last_to_undo(entries)
    else:
        found = next((entry for entry in entries if entry.identity == wanted), None)
    if found is None:
        absent = "no transaction that could be undone next" if wanted == "last" else f"no transaction {wanted[:80]!r}"
        raise InputError("unknown-transaction", f"there is {absent}", f"run '{command} restore' to list them")
    return found


@dataclass(frozen=True, slots=True)
class Undoing:
    """Undoing the transaction `wanted` of a repository.

    `drop` are the packages that may be left without a complete installer; `command` is how a command to paste begins.
    """

    folder: Folder
    wanted: str
    drop: frozenset[Token] = frozenset()
    command: str = "repo-manager"
    voice: Voice = field(default_factory=Voice)

    def task(self, *, restart: bool = True) -> Task:
        """The task. Its planner raises InputError where the transaction may not be undone."""
        return Task("restore", self._plan, self._matter, converges=False, restart=restart, drop=self.drop)

    def _entry(self) -> Entry:
        return find(history.read(self.folder.journals()), self.wanted, self.command)

    def _matter(self, listing: Listing) -> tuple[File, ...]:
        """The installers of every package of which one may go out: whether another one stays depends on their bytes."""
        tokens = {names.token_of(version.name) for change in self._entry().undoable for version in change.came}
        return tuple(file for token in tokens if token for _, file in listing.by_token.get(token, ()))

    def _plan(self, seen: Seen) -> Plan:
        entry = self._entry()
        available = {file.path: file.size_bytes for file in self.folder.retired()}
        made = plan.undo(entry, seen.listing, available, seen.verdicts, command=self.command)
        lost = plan.left_without(made, seen.listing, seen.verdicts)
        if any(token not in self.drop for token in lost):
            raise self._would_drop(entry, lost)
        for token in sorted(self.drop.difference(lost)):
            self.voice.note(f"--drop {token} is not needed: the package keeps an installer, or has none to lose")
        return made

    def _would_drop(self, entry: Entry, lost: tuple[Token, ...]) -> InputError:
        refused = [token for token in lost if token not in self.drop]
        count = "1 package" if len(refused) == 1 else f"{len(refused)} packages"
        options = " ".join(f"--drop {token}" for token in lost)
        return InputError(
            "would-drop-packages",
            f"undoing {entry.identity} would leave {count} without a complete installer: {', '.join(refused)}",
            f"to accept that, run '{self.command} restore {entry.identity} {options}'",
        )
