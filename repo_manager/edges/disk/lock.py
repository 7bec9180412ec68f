"""One change of a repository at a time: an operating-system lock with an owner record.

The lock ends with the process that holds it, however that process ends, so a dead owner's lock is
free by itself. The record beside it only says who to ask.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from typing import TYPE_CHECKING, Final, Self

from repo_manager.edges.disk.paths import refuse_link, shown
from repo_manager.edges.disk.refusals import disk_error
from repo_manager.errors import LockedError, MachineError

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
    """Held from `with` to its end. `doing` says in a message what the other run is doing.

    Raises:
        LockedError: another process holds it; the message names the owner where it is known.
        MachineError: the lock file cannot be made, or its volume has no locks.
    """

    def __init__(self, path: Path, owner: dict[str, str | int], *, doing: str = "is changing the repository") -> None:
        self._path = path
        self._owner = owner
        self._doing = doing
        self._file: io.FileIO | None = None

    def __enter__(self) -> Self:
        self._file = _open(self._path)
        try:
            locked = _lock(self._file)
        except OSError as error:
            self._file.close()
            raise MachineError(
                "cannot-lock",
                f"{shown(self._path)} cannot be locked: {error.strerror or error}",
                "have locking enabled on the share, or run where the folder is on a local disk",
            ) from error
        if not locked:
            owner = self._read_owner()
            self._file.close()
            raise LockedError(
                "locked",
                f"another run {self._doing}{owner}",
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

    @property
    def current(self) -> bool:
        """Whether the file that is locked is still the one at its path: another run may have deleted it before."""
        if self._file is None:
            return False
        try:
            there, held = self._path.stat(), os.fstat(self._file.fileno())
        except OSError:
            return False
        return os.path.samestat(there, held)

    def _read_owner(self) -> str:
        """Say who holds the lock, as far as the record tells."""
        try:
            owner = json.loads(self._path.read_bytes())
            return f": {owner['command']} since {owner['since']} (process {owner['pid']} on {owner['host']})"
        except (OSError, ValueError, KeyError, TypeError):
            return ""


def _open(path: Path) -> io.FileIO:
    try:
        # Windows has no flag against links.
        if sys.platform == "win32" and os.path.lexists(path):
            refuse_link(path)
        # Opened without truncating: the record in it may be another run's. Unbuffered: what a full disk
        # refuses must not come up again when the file is closed.
        return os.fdopen(os.open(path, _FLAGS, 0o644), "r+b", buffering=0)
    except OSError as error:
        raise disk_error(error, path) from error


if sys.platform == "win32":
    import ctypes
    import msvcrt

    _kernel = ctypes.WinDLL("kernel32", use_last_error=True)
    _kernel.LockFile.argtypes = _kernel.UnlockFile.argtypes = (ctypes.c_void_p, *[ctypes.c_ulong] * 4)

    # Evidence: LockFile on Microsoft Learn. The C library's own function does not always say why it failed.
    _LOCK_VIOLATION: Final = 33

    def _lock(file: io.FileIO) -> bool:
        if _kernel.LockFile(msvcrt.get_osfhandle(file.fileno()), _FAR_BYTE, 0, 1, 0):
            return True
        code = ctypes.get_last_error()
        if code != _LOCK_VIOLATION:
            raise ctypes.WinError(code)
        return False

    def _unlock(file: io.FileIO) -> None:
        _kernel.UnlockFile(msvcrt.get_osfhandle(file.fileno()), _FAR_BYTE, 0, 1, 0)

else:
    import fcntl

    def _lock(file: io.FileIO) -> bool:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):
            return False
        return True

    def _unlock(file: io.FileIO) -> None:
        with contextlib.suppress(OSError):
            fcntl.flock(file, fcntl.LOCK_UN)
