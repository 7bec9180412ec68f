"""The repository on disk: scan, journal, moves, records, the retired area.

The tool's own files are in one sub-folder of the repository, on the same volume. So a file gets its
name by one rename:

    .repo-manager/
      lock                        who is changing the repository now
      journal.json                the transaction under way; gone when it has ended
      staging/NAME[.part]         fetched files waiting for their name, downloads to resume
      retired/ID/NAME             what transaction ID moved out, with reasons.txt beside it
      transactions/ID.json        what transaction ID did
      records.json                digest of every file that was placed

A write is staged, synced and renamed, so that a reader sees the old bytes or the new, never a part.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import time
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from repo_manager.adapters.filesystem import journal as journals
from repo_manager.adapters.filesystem import retired as retirement
from repo_manager.adapters.filesystem.atomic_write import replacing, write_whole
from repo_manager.adapters.filesystem.journal import PlacedRecord
from repo_manager.adapters.filesystem.opening import FILE_MODE, doubtful, not_plain, require_own, write_all
from repo_manager.adapters.filesystem.os_errors import disk_error, translated
from repo_manager.adapters.filesystem.paths import (
    SUBFOLDER,
    component,
    inside,
    is_link,
    own_name,
    reachable,
    refuse_elsewhere,
    shown,
)
from repo_manager.adapters.filesystem.rename import Mover
from repo_manager.adapters.filesystem.retired import REASONS, Retired, timestamp
from repo_manager.adapters.filesystem.scan import keeping_time, scan
from repo_manager.core.errors import FileInUseError, MachineError
from repo_manager.core.repository import FileKind, survey

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from datetime import datetime

    from repo_manager.adapters.filesystem.rename import FileSystem
    from repo_manager.core.repository import FolderEntry, Listing
    from repo_manager.core.transaction import Journal

__all__ = ["SUBFOLDER", "Folder", "PlacedRecord", "Retired", "component", "no_step", "timestamp"]

_PARTS_KEPT: Final = timedelta(days=7)

# What systems and file servers put into folders by themselves, and the tool's own sub-folder.
_OF_THE_SYSTEM: Final = frozenset(
    {
        SUBFOLDER,
        ".ds_store",
        ".snapshot",
        "$recycle.bin",
        "desktop.ini",
        "lost+found",
        "system volume information",
        "thumbs.db",
        "~snapshot",
    }
)

_PARTS: Final = ("staging", "retired", "transactions")
_JOURNAL: Final = "journal.json"
_UNDONE: Final = "-undone"
_RECORDS: Final = "records.json"

# The second is what a run that was killed while it wrote the first leaves.
_BESIDE: Final = frozenset({REASONS, f"{REASONS}.new"})


def no_step(_what: str) -> None:
    """The step hook of ordinary runs: nothing."""


def ignore_damage(_what: str) -> None:
    """What is told of damaged records where another part of the run has told it."""


class Folder:
    """A repository's folder.

    `step` is called before every primitive step that writes, with the step in words. Tests kill the
    process or raise an OSError there.
    """

    def __init__(
        self,
        path: Path,
        *,
        step: Callable[[str], None] = no_step,
        sleep: Callable[[float], None] = time.sleep,
        system: FileSystem | None = None,
    ) -> None:
        self.path = reachable(path)
        self.sub = self.path / SUBFOLDER
        self._step = step
        self._mover = Mover(sleep, system)

    # Looking

    @property
    def interrupted(self) -> Journal | None:
        """The transaction that counts as undone here, though it is not yet; see `recovered`."""
        return None

    def scan(self) -> tuple[FolderEntry, ...]:
        """Every file of the folder; see `scanning.scan`."""
        return self._scan(self.path)

    def listing(self) -> Listing:
        """What the folder has now.

        Raises:
            InputError, MachineError: see `scan`.
        """
        return survey(shown(self.path), self.scan())

    def is_foreign(self, listing: Listing) -> bool:
        """Whether the folder has other things and no trace of installers, so that it is hardly a repository.

        A trace is an installer, a push client, or what an earlier run has left in the sub-folder. `listing` is of
        this folder.
        """
        if any(file.kind in {FileKind.INSTALLER, FileKind.PUSH_CLIENT} for file in listing.files):
            return False
        with translated(self.path), os.scandir(self.path) as entries:
            others = {entry.name.casefold() for entry in entries} - _OF_THE_SYSTEM
        return bool(others) and not self._has_been_used()

    def _has_been_used(self) -> bool:
        """Whether an earlier run has begun to change the folder."""
        with translated(self.sub):
            parts = [self.sub / name for name in ("transactions", "retired")]
            return any((self.sub / name).exists() for name in (_RECORDS, _JOURNAL, "trust.json")) or any(
                part.is_dir() and any(part.iterdir()) for part in parts
            )

    def free_bytes(self) -> int:
        """Room left on the volume, in bytes."""
        with translated(self.path):
            return shutil.disk_usage(self.path).free

    # Staging

    def prepare(self) -> None:
        """Make the sub-folder, or see that only administrators and this user may write it.

        Raises:
            InputError: `untrusted-file`.
            MachineError: it is a link or lies on another volume, or it cannot be made.
        """
        with translated(self.sub):
            refuse_elsewhere(self.sub, self.path)
        if not self.sub.exists():
            with translated(self.sub), keeping_time(self.path):
                self._step(f"make {self.sub.name}")
                self._mover.make_folder(self.sub)
        with translated(self.sub):
            require_own(self.sub)
        for name in _PARTS:
            with translated(self.sub / name):
                refuse_elsewhere(self.sub / name, self.path)
                if not (self.sub / name).is_dir():
                    self._step(f"make {name}")
                    # Never the folder above as well: where a share or volume went away, it would be a new, empty one.
                    self._mover.make_folder(self.sub / name)
                require_own(self.sub / name)

    def look_at_parts(self) -> tuple[Path, ...]:
        """The sub-folder and what it must have, as far as it is there. Makes nothing.

        Raises:
            InputError: `untrusted-file`.
            MachineError: `prepare` would be refused: one is a link, lies on another volume, or is no folder.
        """
        parts = [self.sub, *(self.sub / name for name in _PARTS)]
        for part in parts:
            with translated(part):
                refuse_elsewhere(part, self.path)
                if part.exists() and not part.is_dir():
                    raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(part))
                if part.is_dir():
                    require_own(part)
        return tuple(part for part in parts if part.is_dir())

    def file(self, name: str) -> Path:
        """Where a file of the repository is."""
        return self._resolve(f"../{name}")

    @property
    def lock_path(self) -> Path:
        """The lock file."""
        return self.sub / "lock"

    def staged(self, name: str) -> Path:
        """Where a whole fetched file waits."""
        return self._resolve(f"staging/{component(name)}")

    def part(self, name: str) -> Path:
        """Where a file is written while it is fetched."""
        return inside(self.sub / "staging", f"{component(name)}.part")

    def left_over(self, name: str) -> int:
        """How many bytes an earlier run has staged under that name; 0 where they are not to be used again."""
        path = self.staged(name)
        try:
            found = path.lstat()
        except FileNotFoundError:
            return 0
        except OSError as error:
            raise disk_error(error, path) from error
        return 0 if doubtful(found) else found.st_size

    def promote(self, name: str) -> None:
        """A fetched file is whole: from `part` to `staged`."""
        with translated(self.part(name)):
            self._step(f"promote {name}")
            if self.staged(name).is_dir() and not self.staged(name).is_symlink():
                raise not_plain(self.staged(name))
            self._mover.replace(self.part(name), self.staged(name))

    def drop_staged(self, name: str) -> None:
        """Give back what a file takes in the staging area."""
        for path in (self.staged(name), self.part(name), Path(f"{self.part(name)}.json")):
            with contextlib.suppress(OSError, MachineError):
                self._mover.delete(path)

    def sweep(self, now: datetime) -> None:
        """Give back staging space that no run came back for within a week. Never fails."""
        oldest = (now - _PARTS_KEPT).timestamp()
        with contextlib.suppress(OSError), os.scandir(self.sub / "staging") as entries:
            for entry in entries:
                with contextlib.suppress(OSError, MachineError):
                    if entry.stat(follow_symlinks=False).st_mtime < oldest:
                        # What is still held after a week is no matter of seconds.
                        self._mover.delete_now(Path(entry.path))

    # The store of a transaction

    def begin(self, journal: Journal) -> None:
        """Write the journal down, synced. All that it builds on is on the disk before."""
        if self._closed(journal.identity):
            raise _name_taken(self.sub / _closed_as(journal.identity))
        # A run that was killed may have made these folders and not synced them.
        self._sync(self.path, self.sub / "retired", self.sub / "transactions")
        self._write_json(self.sub / _JOURNAL, journals.journal_to_json(journal))

    def pending(self) -> Journal | None:
        """The journal of a transaction that has not ended."""
        data = self._read_json(self.sub / _JOURNAL)
        if data is None:
            if self.size(_JOURNAL) is not None:
                raise journals.UnreadableJournalError
            return None
        journal = journals.journal_from_json(data)
        # Under its name among the transactions it is closed, even where its old name is still there.
        return None if self._closed(journal.identity) else journal

    def drop_closed(self) -> None:
        """Remove the old name of a journal that is closed, where a kill or a power cut has left it."""
        path = self.sub / _JOURNAL
        with translated(path), contextlib.suppress(FileNotFoundError):
            self._mover.delete(path)

    def size(self, path: str) -> int | None:
        """The size of a file in bytes, None when there is none."""
        try:
            return self._resolve(path).lstat().st_size
        except FileNotFoundError:
            return None
        except OSError as error:
            raise disk_error(error, self._resolve(path)) from error

    def same(self, path: str, other: str) -> bool:
        """Whether two names belong to one file, as a move by link and unlink leaves them that was killed in between."""
        one, two = self._resolve(path), self._resolve(other)
        try:
            return os.path.samestat(one.lstat(), two.lstat())
        except FileNotFoundError:
            return False
        except OSError as error:
            raise disk_error(error, one) from error

    def move(self, origin: str, destination: str) -> None:
        """Rename within the volume, never onto another file. Both names of one file become the new one alone.

        In the repository it gets the rights that the folder gives to new files.
        """
        old, new = self._resolve(origin), self._resolve(destination)
        if self.size(destination) is not None:
            if not self.same(origin, destination):
                raise _name_taken(new)
            with translated(old):
                self._step(f"finish {origin} -> {destination}")
                self._mover.delete(old)
            self._hand_on_rights(new)
            return
        with translated(old):
            # The folders of single transactions are not looked at before.
            require_own(old.parent)
            if not new.parent.is_dir():
                self._step(f"make {new.parent.name}")
                # On the disk before anything is moved into it.
                self._mover.make_folder(new.parent)
            self._step(f"move {origin} -> {destination}")
            try:
                self._mover.rename(old, new)
            except FileExistsError as error:
                raise _name_taken(new) from error
        self._hand_on_rights(new)

    def _hand_on_rights(self, path: Path) -> None:
        if path.parent == self.path:
            self._mover.inherit(path)

    def settle(self) -> None:
        """Sync the folders that moves have changed, those first into which files went out of the repository."""
        retired = self.sub / "retired"
        self._sync(*_subfolders(retired), retired, self.path, self.sub / "staging", self.sub)

    def commit(self, journal: Journal) -> None:
        """Close the journal with one rename: from now on the transaction has happened."""
        self._close(journal, "")

    def abandon(self, journal: Journal) -> None:
        """Close the journal of a transaction that was taken back."""
        self._close(journal, _UNDONE)

    def _close(self, journal: Journal, suffix: str) -> None:
        path, closed = self.sub / _JOURNAL, self.sub / _closed_as(journal.identity, suffix)
        with translated(path):
            self._step(f"close the journal{suffix}")
            with contextlib.suppress(FileNotFoundError):
                self._mover.rename(path, closed)
        # The new name first: without either of them nothing would be known of the transaction.
        self._sync(closed.parent, self.sub)

    def _closed(self, identity: str) -> bool:
        """Whether a transaction has ended, well or undone."""
        return any(self.size(_closed_as(identity, suffix)) is not None for suffix in ("", _UNDONE))

    def _sync(self, *folders: Path) -> None:
        for path in folders:
            with translated(path):
                self._step(f"sync {path.name}")
                self._mover.sync_folder(path)

    # What was, and what can be had back

    def journals(self) -> tuple[Journal, ...]:
        """The transactions that happened, in their order. What cannot be read is there as a damaged one."""
        folder = self.sub / "transactions"
        with translated(folder):
            found = sorted(path.stem for path in folder.glob("*.json")) if folder.is_dir() else []
        happened = (self._past(stem) for stem in found if not stem.endswith(_UNDONE))
        # A restart alone changed nothing that could be undone.
        return tuple(journal for journal in happened if journal and (journal.moves or journal.damaged))

    def _past(self, identity: str) -> Journal | None:
        """A past transaction. None where it is not there any more, and where a file is none of the tool's own."""
        path = self.sub / _closed_as(identity)
        try:
            data = self._read_json(path)
            if data is None and not path.exists():
                return None
            journal = journals.journal_from_json(data or {})
            damage = "" if journal.identity == identity else "it has the identity of another one"
        except MachineError as error:
            damage = (
                "it is not as the tool writes it"
                if isinstance(error, journals.UnreadableJournalError)
                else error.message
            )
        if not damage:
            return journal
        return journals.damaged(identity, damage) if retirement.is_identity(identity) else None

    def next_identity(self, now: datetime) -> str:
        """A name for the next transaction, behind all others. Ask for it under the lock."""
        with translated(self.sub):
            taken = [path.stem for path in (self.sub / "transactions").glob("*.json")]
            taken += [path.name for path in (self.sub / "retired").glob("*")]
        return retirement.next_identity(timestamp(now), taken)

    def retired(self) -> tuple[Retired, ...]:
        """All files in the retired area, newest transaction first, then by name."""
        found = []
        for folder in sorted(_subfolders(self.sub / "retired"), reverse=True):
            files = sorted((file.name, file.size_bytes) for file in self._scan(folder) if file.name not in _BESIDE)
            found += [Retired(folder.name, name, size_bytes) for name, size_bytes in files]
        return tuple(found)

    def trim(self, *, keep: int, days: int, now: datetime) -> tuple[Retired, ...]:
        """Delete retired files that are too many or too old; see `retired.surplus`. Returns what was deleted.

        What somebody holds stays: the change is made all the same, and the next one tries again.
        """
        gone = []
        for file in retirement.surplus(self.retired(), keep=keep, days=days, now=now):
            try:
                with translated(self._resolve(file.path)):
                    self._step(f"delete {file.path}")
                    self._mover.delete(self._resolve(file.path))
            except FileInUseError:
                continue
            gone.append(file)
        for folder in _subfolders(self.sub / "retired"):
            with contextlib.suppress(OSError, MachineError):
                beside = [path for path in folder.iterdir() if path.name in _BESIDE]
                if len(beside) == len(list(folder.iterdir())):
                    for path in beside:
                        self._mover.delete_now(path)
                folder.rmdir()
        return tuple(gone)

    def explain(self, transaction: str, text: str) -> None:
        """Lay a text beside what a transaction retired. It is no retired file: it goes when they are gone."""
        path = self.sub / "retired" / component(transaction) / REASONS
        with translated(path):
            self._step(f"write {REASONS}")
            write_whole(path, text, mode=FILE_MODE)

    def records(self, damaged: Callable[[str], None] = ignore_damage) -> Mapping[str, PlacedRecord]:
        """What is remembered of placed files, by name. `damaged` is told where nothing can be read of it.

        Raises:
            MachineError: the disk refused, or it is no plain file.
        """
        path = self.sub / _RECORDS
        found = journals.records_from_json(self._read_json(path))
        if found is None and self.size(_RECORDS) is not None:
            damaged(
                f"{shown(path)} is damaged: the digests of the files that were placed are lost, so a later change of"
                " their bytes may go unnoticed; the next change keeps the damaged file beside a new one"
            )
        return found or {}

    def remember(self, records: Mapping[str, PlacedRecord], identity: str) -> Path | None:
        """Add to what is remembered. Returns where the old records were put, where they are damaged."""
        lost: list[str] = []
        merged = {**self.records(lost.append), **records}
        aside = inside(self.sub, f"{_RECORDS}.damaged-{component(identity)}") if lost else None
        if aside is not None:
            with translated(aside):
                self._step(f"keep {aside.name}")
                self._mover.rename(self.sub / _RECORDS, aside)
        self._write_json(self.sub / _RECORDS, journals.records_to_json(merged))
        return aside

    def forget(self, names: Collection[str]) -> None:
        """Remove what is remembered of files."""
        records = self.records()
        if not records.keys().isdisjoint(names):
            kept = {name: record for name, record in records.items() if name not in names}
            self._write_json(self.sub / _RECORDS, journals.records_to_json(kept))

    def place(self, path: str) -> Path:
        """Where a path of a plan is: below the sub-folder, or `../NAME` of the repository."""
        return self._resolve(path)

    # Primitives

    def _scan(self, folder: Path) -> tuple[FolderEntry, ...]:
        """Every file of the repository, or of a folder below the sub-folder."""
        return scan(folder)

    def _resolve(self, path: str) -> Path:
        """A path below the sub-folder, or `../NAME` for a file of the repository; nothing else."""
        head, _, name = path.rpartition("/")
        if not head:
            return inside(self.sub, component(name))
        if head == "..":
            return inside(self.path, own_name(name))
        folder = self.sub
        for part in head.split("/"):
            folder = inside(folder, component(part))
        return inside(folder, own_name(name))

    def _read_json(self, path: Path) -> dict[str, Any] | None:
        """A file of the tool's own, None when there is none or it is not ours."""
        with translated(path):
            try:
                return journals.from_bytes(self._mover.read(path))
            except FileNotFoundError:
                return None

    def _write_json(self, path: Path, data: dict[str, Any]) -> None:
        temporary = path.with_suffix(".new")
        with translated(path), replacing(path, temporary=temporary, step=self._step, mover=self._mover) as file:
            write_all(file, json.dumps(data, indent=1).encode("ascii"))


def _closed_as(identity: str, suffix: str = "") -> str:
    return f"transactions/{identity}{suffix}.json"


def _name_taken(path: Path) -> MachineError:
    return MachineError(
        "name-taken", f"{shown(path)} exists already", "find out which program put it there, then run again"
    )


def _subfolders(folder: Path) -> list[Path]:
    try:
        return [path for path in folder.iterdir() if path.is_dir() and not is_link(path.lstat())]
    except OSError:
        return []
