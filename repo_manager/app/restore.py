"""Undoing a past transaction: the task behind `restore TRANSACTION`."""

from __future__ import annotations

import stat
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from repo_manager.adapters.filesystem.os_errors import disk_error
from repo_manager.app.change import Progress, Snapshot, Task
from repo_manager.core import history, names, plan
from repo_manager.core.errors import InputError, MachineError, VerificationError

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from repo_manager.adapters.filesystem.repository_folder import Folder
    from repo_manager.core.catalog import Catalog
    from repo_manager.core.history import MovedFile, PastTransaction
    from repo_manager.core.names import Token
    from repo_manager.core.plan import Plan
    from repo_manager.core.repository import File, Listing


def find(entries: tuple[PastTransaction, ...], wanted: str, command: str = "repo-manager") -> PastTransaction:
    """The transaction of that identity; of `last`, the newest that is no restore and is not undone.

    Raises:
        InputError: `unknown-transaction`.
        MachineError: `transaction-damaged`; what it did cannot be read.
    """
    if wanted == "last":
        found = history.last_to_undo(entries)
    else:
        found = next((entry for entry in entries if entry.identity == wanted), None)
    if found is None:
        absent = "no transaction that could be undone next" if wanted == "last" else f"no transaction {wanted[:80]!r}"
        raise InputError("unknown-transaction", f"there is {absent}", f"run '{command} restore' to list them")
    if found.damaged:
        raise MachineError(
            "transaction-damaged",
            f".repo-manager/transactions/{found.identity}.json cannot be read: {found.damaged}",
            "bring the file back from a backup; without it neither this transaction nor older ones can be undone",
        )
    return found


@dataclass(frozen=True, slots=True)
class _Looked:
    """What reading a retired file showed: which file it was, its digest, and what is wrong with it, if anything."""

    mark: tuple[int, ...]
    sha256: str
    wrong: str = ""


def _add(*options: str) -> str:
    return f"run the same command with {' '.join(options)}"


@dataclass(frozen=True, slots=True)
class Restore:
    """Undoing the transaction `wanted` of a repository.

    `drop` are the packages that may be left without a complete installer; `command` is how a command to paste begins.
    `again` tells to run the same command line with more options.
    """

    folder: Folder
    catalog: Catalog
    wanted: str
    drop: frozenset[Token] = frozenset()
    command: str = "repo-manager"
    voice: Progress = field(default_factory=Progress)
    again: Callable[..., str] = _add
    _looked: dict[str, _Looked] = field(default_factory=dict)
    _coming: list[plan.Place] = field(default_factory=list)

    def task(self, *, restart: bool = True) -> Task:
        """The task. Its planner raises InputError where the transaction may not be undone.

        It raises VerificationError where a retired installer is not what it was.
        """
        return Task(
            "restore",
            self._plan,
            self._matter,
            converges=False,
            restart=restart,
            drop=self.drop,
            confirm=self._confirm,
        )

    def _entries(self) -> tuple[PastTransaction, ...]:
        return history.read(self.folder.journals())

    def _matter(self, listing: Listing) -> tuple[File, ...]:
        """The installers of every package of which one may go out: whether another one stays depends on their bytes."""
        entry = find(self._entries(), self.wanted, self.command)
        tokens = {self._package(version.name) for change in entry.undoable for version in change.came}
        return tuple(file for token in tokens if token for _, file in listing.by_token.get(token, ()))

    def _package(self, name: str) -> Token | None:
        """The package of an installer, None where the catalog knows none: then nothing is known of its contents."""
        token = names.token_of(name)
        return token if token is not None and self.catalog.known(token) else None

    def _plan(self, seen: Snapshot) -> Plan:
        entries = self._entries()
        entry = find(entries, self.wanted, self.command)
        kept = {file.path: "" for file in seen.folder.retired()}
        made = plan.undo(entry, seen.listing, kept, seen.verdicts, command=self.command)
        unfit = self._unfit(seen.folder, entry, self._expected(entries, entry), {place.origin for place in made.places})
        if unfit:
            made = plan.undo(entry, seen.listing, {**kept, **unfit}, seen.verdicts, command=self.command)
        lost = tuple(filter(self.catalog.known, plan.left_without(made, seen.listing, seen.verdicts)))
        if any(token not in self.drop for token in lost):
            raise self._would_drop(entry, lost)
        for token in sorted(self.drop.difference(lost)):
            self.voice.note(f"--drop {token} is not needed: the package keeps an installer, or has none to lose")
        self._coming[:] = made.places
        return made

    def _would_drop(self, entry: PastTransaction, lost: tuple[Token, ...]) -> InputError:
        refused = [token for token in lost if token not in self.drop]
        count = "1 package" if len(refused) == 1 else f"{len(refused)} packages"
        options = [word for token in refused for word in ("--drop", token)]
        return InputError(
            "would-drop-packages",
            f"undoing {entry.identity} would leave {count} without a complete installer: {', '.join(refused)}",
            f"to accept that, {self.again(*options)}",
        )

    # What comes back

    def _expected(self, entries: Iterable[PastTransaction], entry: PastTransaction) -> Mapping[str, str]:
        """The digests of the retired files, by path, where they are known.

        Journals of version 0.1 have none. Then the record of the name counts, if no later file had the name.
        """
        records = self.folder.records()
        placed = set()
        for later in entries:
            placed |= {version.name for version in later.placed}
            if later is entry:
                break
        expected = {}
        for version in entry.retired:
            record = records.get(version.name)
            if version.sha256:
                expected[version.path] = version.sha256
            elif record and record.size_bytes == version.size_bytes and version.name not in placed:
                expected[version.path] = record.sha256
        return expected

    def _unfit(
        self, folder: Folder, entry: PastTransaction, expected: Mapping[str, str], coming: set[str]
    ) -> Mapping[str, str]:
        """Which retired files must not come back, by path, with the reason.

        Raises:
            VerificationError: an installer is not what it was when it was retired.
            MachineError: a file cannot be read.
        """
        unfit: dict[str, str] = {}
        damaged: dict[str, str] = {}
        to_read = []
        for change in entry.undoable:
            for version in (version for version in change.went if version.path in coming):
                replaced = change.came and not entry.undoes and entry.command not in _REPLACES_WHOLE_FILES
                if version.damaged or (replaced and self._package(version.name)):
                    unfit[version.path] = "was not complete when it was retired"
                else:
                    to_read.append(version)
        progress = self.voice.reading(sum(version.size_bytes or 0 for version in to_read))
        try:
            for version in to_read:
                wrong = self._look(folder.place(version.path), version, expected.get(version.path), progress).wrong
                token = self._package(version.name)
                if wrong and token and token not in self.drop:
                    damaged[version.path] = wrong
                elif wrong:
                    unfit[version.path] = wrong
        finally:
            self.voice.finished()
        if damaged:
            raise self._damaged(entry, damaged)
        return unfit

    def _look(self, path: Path, version: MovedFile, sha256: str | None, progress: Callable[[int], None]) -> _Looked:
        """Look at a retired file and read the bytes of an installer, whatever is remembered of them."""
        mark = _mark_of(path)
        known = self._looked.get(version.path)
        if known is None or known.mark != mark:
            self._looked[version.path] = known = self._read(version, path, mark, sha256, progress)
        return known

    def _read(
        self, version: MovedFile, path: Path, mark: tuple[int, ...], sha256: str | None, progress: Callable[[int], None]
    ) -> _Looked:
        size_bytes = mark[_SIZE]
        if version.size_bytes not in {None, size_bytes}:
            return _Looked(mark, "", f"has {size_bytes} bytes; {version.size_bytes} were retired")
        if self._package(version.name) is None:
            # Only an installer of a known package can be inspected. Of others the size must do.
            return _Looked(mark, "")
        if not stat.S_ISREG(mark[_MODE]):
            return _Looked(mark, "", "is a link or a device, not a file")
        from repo_manager.adapters.installers.inspect import contents_of

        try:
            found = contents_of(path, names.parse(version.name), progress).sha256
        except VerificationError as error:
            return _Looked(mark, "", error.message.removeprefix(f"{version.name}: "))
        except OSError as error:
            raise disk_error(error, path) from error
        return _Looked(mark, found, "" if sha256 in {None, found} else "has other bytes than the file that was placed")

    def _damaged(self, entry: PastTransaction, damaged: Mapping[str, str]) -> VerificationError:
        reasons = "".join(f"\n.repo-manager/{path}: {reason}" for path, reason in damaged.items())
        tokens = sorted({str(self._package(path.rpartition("/")[2])) for path in damaged})
        options = [word for token in tokens for word in ("--drop", token)]
        return VerificationError(
            "retired-file-damaged",
            f"{entry.identity} was not undone: files that would come back are damaged{reasons}",
            f"to undo the rest, {self.again(*options)}",
        )

    def _confirm(self) -> None:
        """See that the files that came back are those that were read.

        A rename keeps a file's identity, size and time. Where a file system gives another identity, it is read again.

        Raises:
            VerificationError: another program changed one meanwhile.
        """
        for place in self._coming:
            looked = self._looked[place.origin]
            path = self.folder.place(f"../{place.name}")
            if _mark_of(path) == looked.mark:
                continue
            version = history.MovedFile(place.name, place.size_bytes)
            again = self._read(version, path, _mark_of(path), looked.sha256 or None, lambda _: None)
            if again.wrong:
                raise VerificationError(
                    "changed-under-us",
                    f"{place.name} {again.wrong}: another program works in the folder",
                    "find out which, then run the same command again",
                )


_REPLACES_WHOLE_FILES = frozenset({"mirror", "add", "restore", "copy to the second folder"})
"""The commands that replace a file under its own name though it may be complete. Others replace only damaged ones."""

_MODE, _SIZE = 0, 1


def _mark_of(path: Path) -> tuple[int, ...]:
    """Mode, size, time and identity of a file: what a rename keeps, and writing changes."""
    try:
        found: os.stat_result = path.lstat()
    except FileNotFoundError:
        raise MachineError(
            "changed-under-us", f"{path.name} is gone: another program works in the folder", "run the command again"
        ) from None
    except OSError as error:
        raise disk_error(error, path) from error
    return found.st_mode, found.st_size, found.st_mtime_ns, found.st_dev, found.st_ino
