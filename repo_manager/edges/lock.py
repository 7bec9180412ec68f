"""One change of a repository at a time: an operating-system lock with an owner record.

The lock ends with the process that holds it, however that process ends, so a dead owner's lock is
free by itself. The record beside it only says who to ask.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from typing import TYPE_CHECKING, Self

from repo_manager.edges.fetched import disk_error
from repo_manager.errors import LockedError

if TYPE_CHECKING:
    import io
    from pathlib import Path
    from types import TracebackType

# Windows locks byte ranges and keeps others from reading them. Far behind the record, the locked
# byte leaves it readable.
_FAR_BYTE = 1 << 30

# A link in the lock's place would have its target emptied.
_FLAGS = os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0)


class Lock:
    """Held from `with` to its end.

    Raises:
        LockedError: another process holds it; the message names the owner where it is known.
        MachineError: the lock file cannot be made.
    """

    def __init__(self, path: Path, owner: dict[str, str | int]) -> None:
        self._path = path
        self._owner = owner
        self._file: io.FileIO | None = None

    def __enter__(self) -> Self:
        try:
            # Opened without truncating: the record in it may be another run's. Unbuffered: what a full disk
            # refuses must not come up again when the file is closed.
            self._file = os.fdopen(os.open(self._path, _FLAGS, 0o644), "r+b", buffering=0)
        except OSError as error:
            raise disk_error(error, self._path) from error
        if not _lock(self._file):
            owner = self._read_owner()
            self._file.close()
            raise LockedError(
                "locked",
                f"another run is changing the repository{owner}",
                "wait until it has ended, then run the same command again",
            )
        # The lock holds without its record, which is for people: a full disk has no room for it.
        with contextlib.suppress(OSError):
            self._file.seek(0)
            self._file.truncate()
            self._file.write(json.dumps(self._owner).encode())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.seek(0)
                self._file.truncate()
            _unlock(self._file)
            self._file.close()

    def _read_owner(self) -> str:
        """Say who holds the lock, as far as the record tells."""
        try:
            owner = json.loads(self._path.read_bytes())
            return f": {owner['command']} since {owner['since']} (process {owner['pid']} on {owner['host']})"
        except (OSError, ValueError, KeyError, TypeError):
            return ""


if sys.platform == "win32":
    import msvcrt

    def _lock(file: io.FileIO) -> bool:
        file.seek(_FAR_BYTE)
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

    def _unlock(file: io.FileIO) -> None:
        with contextlib.suppress(OSError):
            file.seek(_FAR_BYTE)
            msvcrt.locking(file.fileno(), msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    def _lock(file: io.FileIO) -> bool:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True

    def _unlock(file: io.FileIO) -> None:
        with contextlib.suppress(OSError):
            fcntl.flock(file, fcntl.LOCK_UN)
