"""A folder or share as a source: installers lying there under their published names.

Bytes are hashed and inspected while they are copied, as a download's are.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING, Final

from repo_manager.edges.fetched import Fetched, disk_error, ignore, never
from repo_manager.edges.part import Part, check_size
from repo_manager.errors import InputError, TransferError, VerificationError

if TYPE_CHECKING:
    import io
    from collections.abc import Callable

    from repo_manager.names import InstallerName

_READ: Final = 256 << 10
_HINT: Final = "make sure that the source is reachable and complete, then run again"


class CopySource:
    """Reads installers out of one folder, and never from anywhere else, whatever a name or a link says."""

    def __init__(self, base: Path) -> None:
        self._base = base

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
            VerificationError: as `edges.archive` says, and `size-mismatch`, `digest-mismatch`.
            MachineError: `part` could not be written; see `edges.fetched.disk_error`.
        """
        path = self._path(name)
        check_size(name, expected=size_bytes, found=self.size(name))

        def tick(done: int) -> None:
            if cancelled():
                raise TransferError("cancelled", f"{path}: the copy was stopped")
            progress(done)

        with Part(part, name) as target:
            try:
                _copy(path, target, tick)
                contents = target.finish(sha256=sha256, size_bytes=size_bytes)
            except (TransferError, VerificationError):
                target.discard()
                raise
        return Fetched(contents.sha256, contents.size_bytes, str(path), contents)

    def _path(self, name: InstallerName) -> Path:
        text = name.text
        # A parsed name is one component; one made by hand need not be, on either system.
        if text in {"", ".", ".."} or text != PurePosixPath(text).name or text != PureWindowsPath(text).name:
            raise InputError("not-a-file-name", f"{text[:255]!r} is not a file name", "use a published name")
        return self._base / text

    def _look(self, path: Path) -> os.stat_result:
        """The file's facts; refuses what is no file, and links that lead out of the folder."""
        # Unlike Path.resolve, this has an answer for loops and for volumes that cannot resolve.
        if not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(self._base)):
            raise TransferError("outside-source", f"{path}: a link that leads out of the source", _HINT)
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            raise TransferError("not-at-source", f"{path}: not a file", _HINT)
        return found


def _copy(path: Path, target: Part, tick: Callable[[int], None]) -> None:
    try:
        source = path.open("rb", buffering=0)
    except OSError as error:
        raise _source_failed(error, path) from error
    with source:
        before = _state(source, path)
        target.restart(None)
        buffer = bytearray(_READ)
        while count := _read(source, buffer, path):
            target.write(memoryview(buffer)[:count])
            tick(target.size_bytes)
        if not before == _state(source, path) == (target.size_bytes, before[1]):
            raise TransferError(
                "changed-at-source", f"{path}: the file changed while it was read", "run again when it is whole"
            )


def _read(source: io.FileIO, buffer: bytearray, path: Path) -> int:
    try:
        return source.readinto(buffer)
    except OSError as error:
        raise _source_failed(error, path) from error


def _state(source: io.FileIO, path: Path) -> tuple[int, int]:
    """Size and time of change."""
    try:
        found = os.fstat(source.fileno())
    except OSError as error:
        raise _source_failed(error, path) from error
    return found.st_size, found.st_mtime_ns


def _source_failed(error: OSError, path: Path) -> TransferError:
    if isinstance(error, FileNotFoundError) and getattr(error, "winerror", None) not in {53, 67}:
        return TransferError("not-at-source", f"{path}: the source has no such file", _HINT)
    return TransferError("source-went-away", disk_error(error, path).message, _HINT)
