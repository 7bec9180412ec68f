"""The repository on disk: scan, journal, moves, records, the retired area.

All that the tool keeps for itself lies in one sub-folder of the repository, on the same volume, so
that giving a file its name is one rename:

    .repo-manager/
      lock                        who is changing the repository now
      journal.json                the transaction under way; gone when it has ended
      staging/NAME[.part]         fetched files waiting for their name, downloads to resume
      retired/ID/NAME             what transaction ID moved out
      transactions/ID.json        what transaction ID did
      records.json                digest of every file that was placed

A write is staged, synced and renamed, so that a reader sees the old bytes or the new, never a part.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from repo_manager import names
from repo_manager.edges.fetched import disk_error
from repo_manager.edges.scanning import scan
from repo_manager.errors import InputError, MachineError
from repo_manager.restart import ServiceState
from repo_manager.transaction import Journal, Move

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from repo_manager.names import Token
    from repo_manager.repository import Entry

SUBFOLDER: Final = ".repo-manager"

# Antivirus and indexers hold a new file for a moment. Together about six seconds.
_PATIENCE_S: Final = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.0)

# Access denied (a file in use or about to vanish), sharing violation, lock violation.
_PASSING_WINERRORS: Final = frozenset({5, 32, 33})

_NUMBERED: Final = re.compile("[0-9]{8}T[0-9]{6}Z-([0-9a-f]{4})")

_PARTS_KEPT: Final = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Record:
    """What is remembered of a file that was placed."""

    sha256: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Retired:
    """A file in the retired area."""

    transaction: str
    name: str
    size_bytes: int

    @property
    def path(self) -> str:
        """Where it lies below the sub-folder."""
        return f"retired/{self.transaction}/{self.name}"


def no_step(_what: str) -> None:
    """The step hook of ordinary runs: nothing."""


class Folder:
    """A repository's folder.

    `step` is called before every primitive step that writes, with the step in words. Tests kill the
    process or raise an OSError there.
    """

    def __init__(
        self, path: Path, *, step: Callable[[str], None] = no_step, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self.path = path
        self.sub = path / SUBFOLDER
        self._step = step
        self._sleep = sleep

    # Looking

    def scan(self) -> tuple[Entry, ...]:
        """Every file of the folder; see `scanning.scan`."""
        return scan(self.path)

    def free_bytes(self) -> int:
        """Room left on the volume, in bytes."""
        with _translated(self.path):
            return shutil.disk_usage(self.path).free

    # Staging

    def prepare(self) -> None:
        """Make the sub-folder.

        Raises:
            MachineError: it is a link, or cannot be made.
        """
        _refuse_link(self.sub)
        for name in ("staging", "retired", "transactions"):
            with _translated(self.sub / name):
                _refuse_link(self.sub / name)
                if not (self.sub / name).is_dir():
                    self._step(f"make {name}")
                    (self.sub / name).mkdir(parents=True, exist_ok=True)

    @property
    def lock_path(self) -> Path:
        """The lock file."""
        return self.sub / "lock"

    def staged(self, name: str) -> Path:
        """Where a whole fetched file waits."""
        return self.sub / "staging" / component(name)

    def part(self, name: str) -> Path:
        """Where a file is written while it is fetched."""
        return self.sub / "staging" / f"{component(name)}.part"

    def promote(self, name: str) -> None:
        """A fetched file is whole: from `part` to `staged`."""
        with _translated(self.part(name)):
            self._step(f"promote {name}")
            self._patiently(lambda: self.part(name).replace(self.staged(name)))

    def drop_staged(self, name: str) -> None:
        """Give back what a file takes in the staging area."""
        for path in (self.staged(name), self.part(name), Path(f"{self.part(name)}.json")):
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)

    def sweep(self, now: datetime) -> None:
        """Give back staging space that no run came back for within a week. Never fails."""
        oldest = (now - _PARTS_KEPT).timestamp()
        with contextlib.suppress(OSError), os.scandir(self.sub / "staging") as entries:
            for entry in entries:
                with contextlib.suppress(OSError):
                    if entry.stat(follow_symlinks=False).st_mtime < oldest:
                        Path(entry.path).unlink()

    # The store of a transaction

    def begin(self, journal: Journal) -> None:
        """Write the journal down, synced."""
        self._write_json(self.sub / "journal.json", _journal_to_json(journal))

    def pending(self) -> Journal | None:
        """The journal of a transaction that has not ended."""
        data = _read_json(self.sub / "journal.json")
        if data is None and self.size("journal.json") is not None:
            raise _unreadable_journal()
        return None if data is None else _journal_from_json(data)

    def size(self, path: str) -> int | None:
        """The size of a file in bytes, None when there is none."""
        try:
            return self._resolve(path).lstat().st_size
        except FileNotFoundError:
            return None
        except OSError as error:
            raise disk_error(error, self._resolve(path)) from error

    def move(self, origin: str, destination: str) -> None:
        """Rename within the volume, never onto something that exists."""
        old, new = self._resolve(origin), self._resolve(destination)
        if self.size(destination) is not None:
            raise MachineError(
                "name-taken", f"{new} exists already", "find out which program put it there, then run again"
            )
        with _translated(old):
            if not new.parent.is_dir():
                self._step(f"make {new.parent.name}")
                new.parent.mkdir(parents=True, exist_ok=True)
            self._step(f"move {origin} -> {destination}")
            self._patiently(lambda: old.rename(new))

    def settle(self) -> None:
        """Sync the folders that moves have changed."""
        for path in (self.path, self.sub, self.sub / "staging", *_subfolders(self.sub / "retired")):
            with _translated(path):
                self._step(f"sync {path.name}")
                _sync_folder(path)

    def commit(self, journal: Journal) -> None:
        """Close the journal with one rename: from now on the transaction has happened."""
        self._close(journal, "")

    def abandon(self, journal: Journal) -> None:
        """Close the journal of a transaction that was taken back."""
        self._close(journal, "-undone")

    def _close(self, journal: Journal, suffix: str) -> None:
        path = self.sub / "journal.json"
        with _translated(path):
            self._step(f"close the journal{suffix}")
            with contextlib.suppress(FileNotFoundError):
                self._patiently(lambda: path.replace(self.sub / "transactions" / f"{journal.identity}{suffix}.json"))
            _sync_folder(self.sub)

    # What was, and what can be had back

    def history(self) -> tuple[Journal, ...]:
        """The transactions that happened, newest first."""
        folder = self.sub / "transactions"
        with _translated(folder):
            found = sorted((path.stem for path in folder.glob("*.json")), reverse=True) if folder.is_dir() else []
        journals = (_read_json(folder / f"{stem}.json") for stem in found if not stem.endswith("-undone"))
        return tuple(_journal_from_json(data) for data in journals if data is not None)

    def next_identity(self, now: datetime) -> str:
        """A name for the next transaction, behind all others of the same second. Ask for it under the lock."""
        second = timestamp(now)
        with _translated(self.sub):
            taken = [path.stem for path in (self.sub / "transactions").glob(f"{second}-*.json")]
            taken += [path.name for path in (self.sub / "retired").glob(f"{second}-*")]
        numbers = [int(found[1], 16) for name in taken if (found := _NUMBERED.match(name))]
        return f"{second}-{max(numbers, default=-1) + 1:04x}"

    def retired(self) -> tuple[Retired, ...]:
        """All files in the retired area, newest transaction first, then by name."""
        found = []
        for folder in sorted(_subfolders(self.sub / "retired"), reverse=True):
            with _translated(folder):
                files = sorted(path for path in folder.iterdir() if not path.is_dir())
                found += [Retired(folder.name, path.name, path.lstat().st_size) for path in files]
        return tuple(found)

    def trim(self, *, keep: int, days: int, now: datetime) -> tuple[Retired, ...]:
        """Delete retired files that are too many or too old. Returns what was deleted.

        Of every package the `keep` newest retired builds stay, for stepwise upgrades; files of no
        package stay for so many `days`. The last transaction is never touched, so that it can be
        undone.
        """
        everything = self.retired()
        last = everything[0].transaction if everything else ""
        oldest = timestamp(now - timedelta(days=days))
        seen: dict[Token | None, int] = {}
        gone = []
        for file in everything:
            token = names.token_of(file.name)
            seen[token] = seen.get(token, 0) + 1
            surplus = seen[token] > keep if token else file.transaction < oldest
            if surplus and file.transaction != last:
                with _translated(self._resolve(file.path)):
                    self._step(f"delete {file.path}")
                    self._resolve(file.path).unlink()
                gone.append(file)
        for folder in _subfolders(self.sub / "retired"):
            with contextlib.suppress(OSError):
                folder.rmdir()
        return tuple(gone)

    def records(self) -> Mapping[str, Record]:
        """What is remembered of placed files, by name."""
        data = _read_json(self.sub / "records.json") or {}
        with contextlib.suppress(KeyError, TypeError, AttributeError, ValueError, OverflowError):
            return {name: Record(str(item["sha256"]), int(item["size_bytes"])) for name, item in data["files"].items()}
        return {}

    def remember(self, records: Mapping[str, Record]) -> None:
        """Add to what is remembered."""
        merged = {**self.records(), **records}
        files = {name: {"sha256": item.sha256, "size_bytes": item.size_bytes} for name, item in sorted(merged.items())}
        self._write_json(self.sub / "records.json", {"schema": "repo-manager/records/1", "files": files})

    # Primitives

    def _resolve(self, path: str) -> Path:
        """A path below the sub-folder, or `../NAME` for a file of the repository; nothing else."""
        head, _, name = path.rpartition("/")
        if not head:
            return self.sub / component(name)
        if head == "..":
            return self.path / _own_name(name)
        folder = self.sub
        for part in head.split("/"):
            folder /= component(part)
        return folder / _own_name(name)

    def _write_json(self, path: Path, data: dict[str, Any]) -> None:
        temporary = path.with_suffix(".new")
        with _translated(path):
            self._step(f"write {temporary.name}")
            # Made anew: what lies there may be a link that leads elsewhere.
            temporary.unlink(missing_ok=True)
            with temporary.open("x", encoding="utf-8") as file:
                json.dump(data, file, indent=1)
                file.flush()
                self._step(f"sync {temporary.name}")
                os.fsync(file.fileno())
            self._step(f"rename {temporary.name} -> {path.name}")
            self._patiently(lambda: temporary.replace(path))
            _sync_folder(path.parent)

    def _patiently(self, act: Callable[[], object]) -> None:
        """Try again where Windows says that somebody holds the file just now."""
        for delay_s in _PATIENCE_S:
            try:
                act()
            except OSError as error:
                if getattr(error, "winerror", None) not in _PASSING_WINERRORS:
                    raise
                self._sleep(delay_s)
            else:
                return
        act()


def component(name: str) -> str:
    """The name, if it is a single path component that stays in its folder.

    Raises:
        InputError: it is a path, or a name that Windows would take for something else.
    """
    if name in {"", ".", ".."} or any(character in name for character in "/\\:\0"):
        raise InputError("not-a-file-name", f"{name[:80]!r} is not a file's name", "give a name without a path")
    return name


def _own_name(name: str) -> str:
    """The name of a file as a scan found it: there, whatever the system allows in a name is a name.

    Raises:
        InputError: it is a path.
    """
    if sys.platform == "win32":
        return component(name)
    if name in {"", ".", ".."} or "/" in name or "\0" in name:
        raise InputError("not-a-file-name", f"{name[:80]!r} is not a file's name", "give a name without a path")
    return name


def _refuse_link(path: Path) -> None:
    if path.is_symlink() or (hasattr(path, "is_junction") and path.is_junction()):
        raise MachineError(
            "subfolder-is-a-link",
            f"{path} is a link; what is staged and retired must lie on the repository's own volume",
            "remove the link, then run the same command again",
        )


@contextlib.contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise disk_error(error, path) from error


def _subfolders(folder: Path) -> list[Path]:
    try:
        return [path for path in folder.iterdir() if path.is_dir() and not path.is_symlink()]
    except OSError:
        return []


def _sync_folder(path: Path) -> None:
    """Make renames durable. Windows has no such call; there a rename is in the file system's own journal."""
    if sys.platform == "win32":
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _read_json(path: Path) -> dict[str, Any] | None:
    """A file of the tool's own, None when there is none or it is not ours."""
    try:
        data = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except (ValueError, RecursionError):
        return None
    except OSError as error:
        raise disk_error(error, path) from error
    return data if isinstance(data, dict) else None


def _journal_to_json(journal: Journal) -> dict[str, Any]:
    return {
        "schema": "repo-manager/journal/1",
        "id": journal.identity,
        "command": journal.command,
        "service_was": journal.service_was,
        "moves": [[move.origin, move.destination, move.size_bytes] for move in journal.moves],
    }


def _journal_from_json(data: dict[str, Any]) -> Journal:
    try:
        identity = component(str(data["id"]))
        moves = tuple(_move_from_json(origin, destination, size) for origin, destination, size in data["moves"])
        return Journal(identity, str(data["command"]), moves, ServiceState(data["service_was"]))
    except (KeyError, TypeError, ValueError, InputError) as error:
        raise _unreadable_journal() from error


def _move_from_json(origin: object, destination: object, size: object) -> Move:
    """A move as the tool plans them: a file comes in, or goes out, under the name it has.

    Raises:
        ValueError: any other; a journal that was tampered with must not move anything else.
    """
    inside, outside = sorted((str(origin), str(destination)), key=lambda path: path.startswith("../"))
    *folder, name = inside.split("/")
    known = folder == ["staging"] or (len(folder) == _RETIRED_DEPTH and folder[0] == "retired")
    sized = size is None or type(size) is int
    if not known or outside != f"../{name}" or not sized:
        raise ValueError(origin, destination, size)
    component("/".join(folder[1:]) or "staging")
    _own_name(name)
    return Move(str(origin), str(destination), size if type(size) is int else None)


# `retired` and the transaction's identity.
_RETIRED_DEPTH: Final = 2


def _unreadable_journal() -> MachineError:
    return MachineError(
        "journal-unreadable",
        "the journal of the last transaction cannot be read",
        f"look into {SUBFOLDER}/journal.json, put the files back by hand and remove it",
    )


def timestamp(now: datetime) -> str:
    """The sortable beginning of a transaction's identity, in UTC."""
    return now.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
