"""A folder as a source: installers lying there under their published names.

Bytes are hashed and inspected while they are copied, as a download's are.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING, Final

from repo_manager.adapters.filesystem.os_errors import disk_error
from repo_manager.adapters.filesystem.paths import is_link, reachable, real, shown
from repo_manager.adapters.sources.fetched import Fetched, ignore, never
from repo_manager.adapters.sources.part import PartialFile, check_size
from repo_manager.core.errors import InputError, TransferError, VerificationError

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Self

    from repo_manager.core.names import InstallerName

_READ: Final = 256 << 10
_HINT: Final = "make sure that the source is reachable and complete, then run again"


class CopySource:
    """Reads installers out of one folder, and never from anywhere else, whatever a name or a link says."""

    def __init__(self, base: Path) -> None:
        self._base = reachable(base)

    def size(self, name: InstallerName) -> int:
        """How many bytes the source's file has.

        Raises:
            InputError: `not-a-file-name`.
            TransferError: `not-at-source`, `source-went-away`, `outside-source`.
        """
        path = self._path(name)
        try:
            return self._look(path).st_size
        except OSError as error:
            raise _source_failed(error, path) from error

    def fetch(  # noqa: PLR0913 - the shape that all sources share
        self,
        name: InstallerName,
        part: Path,
        *,
        sha256: str | None = None,
        size_bytes: int | None = None,
        progress: Callable[[int], None] = ignore,
        cancelled: Callable[[], bool] = never,
    ) -> Fetched:
        """Copy the installer to `part`, verified and synced. When it fails, `part` is gone again.

        Args:
            name: also the name of the file in the source.
            part: a path in a staging folder that exists; never the published place.
            sha256: the digest it must have, where one is known.
            size_bytes: the size it must have, where one is known.
            progress: told how many bytes `part` has by now.
            cancelled: asked between portions.

        Raises:
            TransferError: `not-at-source`, `source-went-away`, `outside-source`, `changed-at-source`, `cancelled`.
            VerificationError: as `adapters.installers.archive` says, and `size-mismatch`, `digest-mismatch`.
            MachineError: `part` could not be written; see `adapters.filesystem.os_errors`.
        """
        path = self._path(name)
        check_size(name, expected=size_bytes, found=self.size(name))
        where = shown(path)

        def tick(done: int) -> None:
            if cancelled():
                raise TransferError("cancelled", f"{where}: the copy was stopped")
            progress(done)

        with _Opened(path) as file, PartialFile(part, name) as target:
            try:
                _pour(file, target, where, tick)
                contents = target.finish(sha256=sha256, size_bytes=size_bytes)
            except (TransferError, VerificationError):
                target.discard()
                raise
        return Fetched(contents.sha256, contents.size_bytes, where, contents)

    def _path(self, name: InstallerName) -> Path:
        return self._base / _file_name(name)

    def _look(self, path: Path) -> os.stat_result:
        """The file's facts; refuses what is no file, and links that lead out of the folder."""
        # Unlike Path.resolve, this has an answer for loops and for volumes that cannot resolve.
        if is_link(path.lstat()) and not real(path).is_relative_to(real(self._base)):
            raise TransferError("outside-source", f"{shown(path)}: a link that leads out of the source", _HINT)
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            raise TransferError("not-at-source", f"{shown(path)}: not a file", _HINT)
        return found


class _Opened:
    """A file of the folder, open for reading."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._buffer = bytearray(_READ)
        try:
            self._file = path.open("rb", buffering=0)
        except OSError as error:
            raise _source_failed(error, path) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._file.close()

    def state(self) -> tuple[int, int]:
        """Its size in bytes, and when it was changed last, as of now."""
        try:
            found = os.fstat(self._file.fileno())
        except OSError as error:
            raise _source_failed(error, self._path) from error
        return found.st_size, found.st_mtime_ns

    def read(self) -> memoryview:
        """The next piece, valid until the next call; empty at the end."""
        try:
            count = self._file.readinto(self._buffer)
        except OSError as error:
            raise _source_failed(error, self._path) from error
        return memoryview(self._buffer)[:count]


def _pour(file: _Opened, target: PartialFile, where: str, tick: Callable[[int], None]) -> None:
    before = file.state()
    target.restart(None)
    while piece := file.read():
        target.write(piece)
        tick(target.size_bytes)
    if not before == file.state() == (target.size_bytes, before[1]):
        raise TransferError(
            "changed-at-source", f"{where}: the file changed while it was read", "run again when it is whole"
        )


def _file_name(name: InstallerName) -> str:
    """The name as one component of a path, on either system; a name made by hand need not be one.

    Raises:
        InputError: `not-a-file-name`.
    """
    text = name.text
    if text in {"", ".", ".."} or text != PurePosixPath(text).name or text != PureWindowsPath(text).name:
        raise InputError("not-a-file-name", f"{text[:255]!r} is not a file name", "use a published name")
    return text


def _source_failed(error: OSError, path: Path) -> TransferError:
    if isinstance(error, FileNotFoundError) and getattr(error, "winerror", None) not in {53, 67}:
        return TransferError("not-at-source", f"{shown(path)}: the source has no such file", _HINT)
    return TransferError("source-went-away", disk_error(error, path).message, _HINT)
