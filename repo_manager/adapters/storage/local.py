"""A folder as a depot, on a disk, a mounted share, a UNC path of Windows, or a stick that is carried around."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import stat
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

from repo_manager.adapters.filesystem.atomic_write import replacing
from repo_manager.adapters.filesystem.opening import make_folders, new_folder, write_all
from repo_manager.adapters.filesystem.os_errors import disk_error
from repo_manager.adapters.filesystem.paths import inside, is_link, reachable, real, shown
from repo_manager.adapters.filesystem.rename import Mover, sync_above
from repo_manager.adapters.storage.contract import (
    StoredFile,
    absent,
    changed,
    checked,
    checked_prefix,
    other_bytes,
    too_large,
)
from repo_manager.core.errors import TransferError

if TYPE_CHECKING:
    import io
    from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

_READ: Final = 256 << 10
_UNBUFFERED: Final = 0

# A file on its way in is hidden, and so no part of any set.
_STAGED: Final = ".new"
_LEFTOVER: Final = re.compile(rf"\.(.+)\.[0-9a-f]+{re.escape(_STAGED)}")
_LEFT_BEHIND_S: Final = 24 * 3600.0

_HINT: Final = "make sure that the folder or share is there and reachable, then run again"


class LocalStorage:
    """A depot in a folder. Writing makes the folder, if the one above it exists.

    Args:
        base: the folder.
        token: makes the part of a staging name that no other run has.
        now: seconds since 1970.
        step: called before every primitive step that writes, with the step in words.
    """

    def __init__(
        self,
        base: Path,
        *,
        token: Callable[[], str] = lambda: secrets.token_hex(4),
        now: Callable[[], float] = time.time,
        step: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._base = reachable(base)
        self._token = token
        self._now = now
        self._step = step
        self._synced: set[Path] = set()
        self.name = shown(base)

    def read(self, path: str, *, limit_bytes: int, etag: str | None = None) -> StoredFile | None:
        """See `Depot.read`. The tag is made of the bytes: dates are too coarse on some volumes."""
        with self._opened(path) as file, self._reading(path):
            data = file.read(limit_bytes + 1) or b""
            # An unbuffered read may bring less than it was asked for.
            while len(data) <= limit_bytes and (more := file.read(limit_bytes + 1 - len(data))):
                data += more
        if len(data) > limit_bytes:
            raise too_large(self._where(path), limit_bytes)
        found = f'"{hashlib.sha256(data).hexdigest()}"'
        return None if found == etag else StoredFile(data, found)

    def stream(self, path: str, *, offset: int = 0) -> Iterator[bytes | memoryview]:
        """See `Depot.stream`."""
        with self._opened(path) as file:
            buffer = memoryview(bytearray(_READ))
            with self._reading(path):
                before, at = os.fstat(file.fileno()), file.seek(offset)
            if offset > before.st_size:
                raise changed(self._where(path))
            while count := self._piece(file, buffer, path):
                at += count
                yield buffer[:count]
            with self._reading(path):
                after = os.fstat(file.fileno())
            if (
                not (before.st_size, before.st_mtime_ns)
                == (after.st_size, after.st_mtime_ns)
                == (at, before.st_mtime_ns)
            ):
                raise changed(self._where(path))

    def size(self, path: str) -> int | None:
        """See `Depot.size`."""
        try:
            with self._reading(path):
                return self._look(path).st_size
        except TransferError as error:
            if error.code == "not-at-source":
                return None
            raise

    def write(self, path: str, data: bytes) -> None:
        """See `Depot.write`."""
        with self._staged(path) as file:
            write_all(file, data)

    def upload(self, path: str, file: Path, *, sha256: str, progress: Callable[[int], None]) -> None:
        """See `Depot.upload`."""
        digest, done = hashlib.sha256(), 0
        buffer = memoryview(bytearray(_READ))
        with _source(file) as source, self._staged(path) as target:
            while count := _read_source(source, buffer, file):
                digest.update(buffer[:count])
                write_all(target, buffer[:count])
                done += count
                progress(done)
            if digest.hexdigest() != sha256:
                raise other_bytes(file, expected=sha256, found=digest.hexdigest())

    def list(self, prefix: str) -> Iterator[tuple[str, int]]:
        """See `Depot.list`. What is hidden or a link is no part of a depot."""
        folder = self._path(checked_prefix(prefix)) if prefix else self._base
        if not self._is_there():
            raise self._away()
        yield from self._below(folder, prefix.removesuffix("/"))

    def delete(self, path: str) -> None:
        """See `Depot.delete`."""
        place = self._path(path)
        try:
            with suppress(FileNotFoundError, NotADirectoryError):
                self._refuse_way_out(place)
                self._step(f"delete {path}")
                Mover().delete(place)
        except OSError as error:
            raise disk_error(error, place) from error

    def sweep(self, prefix: str, ours: Callable[[str], bool]) -> int:
        """See `Depot.sweep`. What cannot be taken away stays for the next time."""
        folder = self._path(checked_prefix(prefix))
        try:
            self._refuse_way_out(folder)
            with os.scandir(folder) as entries:
                found = [(entry.name, match[1]) for entry in entries if (match := _LEFTOVER.fullmatch(entry.name))]
        except (FileNotFoundError, NotADirectoryError):
            return 0
        except OSError as error:
            raise disk_error(error, folder) from error
        return sum(self._swept(folder / name) for name, whole in found if ours(f"{prefix}/{whole}"))

    def close(self) -> None:
        """See `Depot.close`."""

    def _where(self, path: str) -> str:
        return shown(self._path(path))

    def _path(self, path: str) -> Path:
        place = self._base
        for part in checked(path).split("/"):
            place = inside(place, part)
        return place

    def _look(self, path: str) -> os.stat_result:
        """The file's facts; refuses what is no file, and links that lead out of the folder."""
        place = self._path(path)
        found = place.stat()
        self._refuse_way_out(place)
        if not stat.S_ISREG(found.st_mode):
            raise TransferError("not-at-source", f"{shown(place)}: not a file", _HINT)
        return found

    def _refuse_way_out(self, place: Path) -> None:
        """Nothing of a depot lies elsewhere, whatever a link in it says."""
        if not real(place).is_relative_to(real(self._base)):
            raise TransferError("outside-source", f"{shown(place)}: a link that leads out of the depot", _HINT)

    @contextmanager
    def _opened(self, path: str) -> Iterator[io.FileIO]:
        with self._reading(path):
            # Looked at before it is opened: to open a pipe is to wait for its other end.
            self._look(path)
            file = Mover().open(self._path(path))
        with file:
            yield file

    @contextmanager
    def _reading(self, path: str) -> Iterator[None]:
        place = self._path(path)
        try:
            yield
        except (FileNotFoundError, NotADirectoryError) as error:
            raise (absent(shown(place)) if self._is_there() else self._away()) from error
        except OSError as error:
            raise TransferError("source-went-away", disk_error(error, place).message, _HINT) from error

    def _piece(self, file: io.FileIO, buffer: memoryview, path: str) -> int:
        with self._reading(path):
            return file.readinto(buffer)

    def _is_there(self) -> bool:
        try:
            return self._base.is_dir()
        except OSError as error:
            raise disk_error(error, self._base) from error

    def _away(self) -> TransferError:
        return TransferError("source-went-away", f"{self.name}: the folder is not there", _HINT)

    def _below(self, folder: Path, prefix: str) -> Iterator[tuple[str, int]]:
        try:
            with os.scandir(folder) as entries:
                found = [entry for entry in entries if not entry.name.startswith(".")]
            for entry in found:
                path = f"{prefix}/{entry.name}" if prefix else entry.name
                facts = entry.stat(follow_symlinks=False)
                if is_link(facts):
                    continue
                if stat.S_ISDIR(facts.st_mode):
                    yield from self._below(folder / entry.name, path)
                elif stat.S_ISREG(facts.st_mode):
                    yield path, facts.st_size
        except (FileNotFoundError, NotADirectoryError):
            return
        except OSError as error:
            raise TransferError("source-went-away", disk_error(error, folder).message, _HINT) from error

    @contextmanager
    def _staged(self, path: str) -> Iterator[io.FileIO]:
        """A file that takes its place when the `with` ends well, and is gone when it does not."""
        place = self._path(path)
        staged = place.with_name(f".{place.name}.{self._token()}{_STAGED}")
        try:
            self._step(f"make room for {path}")
            self._make_room(place)
            closed = partial(_date_apart, place=place)
            with replacing(place, temporary=staged, step=self._step, closed=closed) as file:
                yield file
        except OSError as error:
            raise disk_error(error, place) from error

    def _make_room(self, place: Path) -> None:
        """The folders above a file, and nothing in them that a killed run has left."""
        with suppress(FileExistsError):
            new_folder(self._base)
        make_folders(place.parent)
        self._refuse_way_out(place)
        # Once for each folder, also where a run that was killed has made it.
        for folder in (place.parent, *place.parent.parents):
            if not folder.is_relative_to(self._base) or folder in self._synced:
                break
            sync_above(folder)
            self._synced.add(folder)
        for left in place.parent.glob(f".{place.name}.*{_STAGED}"):
            self._swept(left)

    def _swept(self, left: Path) -> bool:
        """Take away what a killed run has left, if it is old enough that nobody can still be writing it."""
        with suppress(OSError):
            facts = left.lstat()
            if stat.S_ISREG(facts.st_mode) and self._now() - facts.st_mtime > _LEFT_BEHIND_S:
                self._step(f"delete {left.name}")
                left.unlink()
                return True
        return False


def _date_apart(staged: Path, place: Path) -> None:
    """See that a written file is not of the second of the one that it replaces.

    Web servers such as nginx tell two states of a file apart by its size and the second of its change alone.
    """
    with suppress(FileNotFoundError):
        before, now = place.stat(), staged.stat()
        if int(now.st_mtime) <= int(before.st_mtime):
            os.utime(staged, (now.st_atime, int(before.st_mtime) + 1))


@contextmanager
def _source(file: Path) -> Iterator[io.FileIO]:
    try:
        opened = file.open("rb", buffering=_UNBUFFERED)
    except OSError as error:
        raise disk_error(error, file) from error
    with opened:
        yield opened


def _read_source(source: io.FileIO, buffer: memoryview, file: Path) -> int:
    try:
        return source.readinto(buffer)
    except OSError as error:
        raise disk_error(error, file) from error
