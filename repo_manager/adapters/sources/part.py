"""A file on its way in: written under a staging name, hashed and inspected while it is written.

Beside `part` lies `part.json`, the record of where its bytes came from, so that a later run can go on
where this one was stopped. Both are gone once the bytes turn out wrong: nothing wrong is ever resumed.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from repo_manager.adapters.filesystem.opening import doubtful, open_own, read_own, write_all
from repo_manager.adapters.filesystem.os_errors import disk_error
from repo_manager.adapters.filesystem.rename import Mover
from repo_manager.adapters.installers.archive import Contents, Inspector, MismatchError
from repo_manager.core.errors import MachineError, RepoManagerError, VerificationError

if TYPE_CHECKING:
    import io
    from types import TracebackType
    from typing import Self

    from repo_manager.core.names import InstallerName

_READ: Final = 256 << 10


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a part's bytes came from.

    Attributes:
        url: without credentials and query.
        etag: as the server sent it, weak ones too; None when it sent none, or when the bytes
            came from more than one source.
        last_modified: the same for the date of change.
        total: the whole file's size, None when the server did not say.
    """

    url: str
    etag: str | None
    last_modified: str | None
    total: int | None


class PartialFile:
    """One file under way. Use as a context manager: leaving closes the file and keeps it.

    Every method raises MachineError for what the disk refuses. A full disk takes the part with it,
    so that the space is given back.

    Attributes:
        origin: where the bytes so far came from; None when they cannot be gone on with.
        size_bytes: how many there are.
        pieced: whether they came in more than one answer, so that a wrong whole may be made of right pieces.
    """

    def __init__(self, path: Path, name: InstallerName) -> None:
        self.path = path
        self.origin: Origin | None = None
        self.size_bytes = 0
        self.pieced = False
        self._name = name
        self._inspector = Inspector(name)
        self._file: io.FileIO | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    @property
    def complete(self) -> bool:
        """Whether all bytes are here, as far as the record can tell."""
        return self.size_bytes > 0 and self.origin is not None and self.size_bytes == self.origin.total

    def resume(self) -> None:
        """Take up what an earlier run left, reading it once through the inspector; or leave it unread.

        Leftovers that cannot be the beginning of this installer, or that others may write to, are dropped.

        Raises:
            MachineError: the disk refused.
        """
        self.origin = _read_record(self._record)
        if self.origin is None:
            return
        try:
            self._file = open_own(self.path, os.O_RDWR)
            if doubtful(os.fstat(self._file.fileno())):
                self.discard()
                return
            buffer = bytearray(_READ)
            while count := self._file.readinto(buffer):
                self._inspector.feed(memoryview(buffer)[:count])
                self.size_bytes += count
            self.pieced = bool(self.size_bytes)
        except (FileNotFoundError, VerificationError, MachineError):
            self.discard()
        except OSError as error:
            raise self._refused(error) from error

    def restart(self, origin: Origin | None) -> None:
        """Begin again from zero. The record is written last: a record without its bytes must not be believed."""
        self._inspector = Inspector(self._name)
        self.size_bytes = 0
        self.pieced = False
        try:
            with suppress(FileNotFoundError):
                Mover().delete(self._record)
            if self._file is None:
                self._file = Mover().create(self.path)
            else:
                self._file.seek(0)
                self._file.truncate()
        except OSError as error:
            raise self._refused(error) from error
        self.describe(origin)

    def describe(self, origin: Origin | None) -> None:
        """Record where the bytes come from; None leaves no record, so that nobody resumes."""
        self.origin = origin
        if origin is None:
            return
        try:
            with Mover().create(self._record) as file:
                write_all(file, json.dumps(asdict(origin)).encode("ascii"))
        except OSError as error:
            raise self._refused(error) from error

    def write(self, chunk: bytes | bytearray | memoryview) -> None:
        """Append.

        Raises:
            VerificationError: the bytes cannot be this installer any more.
            MachineError: the disk refused.
        """
        if self._file is None:
            self.restart(None)
        self._inspector.feed(chunk)
        rest = memoryview(chunk)
        try:
            while rest and self._file is not None:
                # An unbuffered write may take less than it was given.
                written = self._file.write(rest)
                self.size_bytes += written
                rest = rest[written:]
        except OSError as error:
            raise self._refused(error) from error

    def finish(self, *, sha256: str | None, size_bytes: int | None) -> Contents:
        """Verify the whole, and bring it to the disk. Takes the record away: there is nothing to resume.

        Raises:
            VerificationError: the inspector's, or a MismatchError `size-mismatch` or `digest-mismatch`.
            MachineError: the disk refused.
        """
        check_size(self._name, expected=size_bytes, found=self.size_bytes)
        contents = self._inspector.finish()
        if sha256 is not None and contents.sha256 != sha256.lower():
            raise MismatchError(
                "digest-mismatch",
                f"{self._name}: expected sha256 {sha256.lower()}, received {contents.sha256}",
                "do not use these bytes; compare the digest with the source's and fetch again",
                expected=sha256.lower(),
                found=contents.sha256,
            )
        self._sync()
        try:
            self.close()
            with suppress(FileNotFoundError):
                Mover().delete(self._record)
        except OSError as error:
            raise self._refused(error) from error
        return contents

    def _sync(self) -> None:
        try:
            if self._file is not None:
                os.fsync(self._file.fileno())
        except OSError as error:
            # The system may take these bytes for written from now on, so a second sync would prove nothing.
            self.discard()
            raise disk_error(error, self.path) from error

    def discard(self) -> None:
        """Remove the part and its record, as far as the disk lets us; a leftover is swept by recovery."""
        self.close()
        self.origin = None
        self.size_bytes = 0
        self.pieced = False
        self._inspector = Inspector(self._name)
        for path in (self._record, self.path):
            with suppress(OSError, MachineError):
                Mover().delete_now(path)

    def close(self) -> None:
        """Let go of the file; what was written stays. `finish` has synced what matters before."""
        if self._file is not None:
            with suppress(OSError):
                self._file.close()
            self._file = None

    @property
    def _record(self) -> Path:
        return self.path.with_name(self.path.name + ".json")

    def _refused(self, error: OSError) -> MachineError:
        refused = disk_error(error, self.path)
        if refused.code == "no-space":
            self.discard()
        else:
            self.close()
        return refused


def check_size(name: InstallerName, *, expected: int | None, found: int) -> None:
    """Raise a MismatchError `size-mismatch` when both sizes are known and differ."""
    if expected is not None and expected != found:
        raise MismatchError(
            "size-mismatch",
            f"{name}: expected {expected} bytes, received {found}",
            "compare the size with the source's; if the catalog is right, fetch from another source",
            expected=str(expected),
            found=str(found),
        )


def _read_record(path: Path) -> Origin | None:
    """The record, or None when there is none that can be believed."""
    try:
        values = json.loads(read_own(path))
        origin = Origin(**values)
    except (OSError, RepoManagerError, ValueError, TypeError, RecursionError):
        return None
    texts = (origin.etag, origin.last_modified)
    sound = isinstance(origin.url, str) and all(text is None or isinstance(text, str) for text in texts)
    return origin if sound and (origin.total is None or type(origin.total) is int) else None
