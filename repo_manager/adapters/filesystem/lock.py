"""One change of a repository at a time: an operating-system lock with an owner record.

The lock ends with the process that holds it, however that process ends, so a dead owner's lock is
free by itself. The record beside it only says who to ask.

On POSIX a lock file can be deleted while it is held, and a second run would lock a new one. So the
folder that the lock protects is locked too. Where its file system has no locks of folders, the file is
compared with the one of that name, after it was locked and again before the change. Windows does not
delete a file that is open.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from typing import TYPE_CHECKING, Final, Self

from repo_manager.adapters.filesystem.opening import not_plain, open_own, read_own
from repo_manager.adapters.filesystem.os_errors import disk_error
from repo_manager.adapters.filesystem.paths import SUBFOLDER, shown
from repo_manager.core.errors import LockedError, MachineError, RepoManagerError

if TYPE_CHECKING:
    import io
    from pathlib import Path
    from types import TracebackType

# Windows locks byte ranges and keeps others from reading them. Far behind the record, the locked
# byte leaves it readable.
_FAR_BYTE = 1 << 30

_TRIES: Final = 10

_CHANGING: Final = "is changing the repository"

_LOOK_S: Final = 0.05
"""Longer than a look takes."""


def this_process() -> dict[str, str | int]:
    """The owner of a lock that this process takes."""
    import socket

    return {"pid": os.getpid(), "host": socket.gethostname()}


class Lock:
    """Held from `with` to its end. `doing` says in a message what the other run is doing.

    Raises:
        LockedError: another process holds it; the message names the owner where it is known.
        MachineError: the lock file cannot be made, or its volume has no locks.
    """

    def __init__(self, path: Path, owner: dict[str, str | int], *, doing: str = _CHANGING) -> None:
        self._path = path
        self._owner = owner
        self._doing = doing
        self._file: io.FileIO | None = None
        self._guard: int | None = None

    def __enter__(self) -> Self:
        try:
            try:
                file = self._take()
            except BlockingIOError:
                # It may be a look of another process, which holds a lock for a moment.
                self._release()
                time.sleep(_LOOK_S)
                file = self._take()
        except BlockingIOError:
            held = self.held()
            self._release()
            raise held from None
        except BaseException:
            self._release()
            raise
        # The lock holds without its record, which is for people: a full disk has no room for it.
        with contextlib.suppress(OSError):
            file.seek(0)
            file.truncate()
            file.write(json.dumps(self._owner).encode())
        return self

    def _take(self) -> io.FileIO:
        self._guard = _lock_folder(_protected(self._path))
        self._file = self._locked()
        return self._file

    def confirm(self) -> None:
        """See that the lock still keeps others out. To be called before what must not be done twice at once.

        Raises:
            MachineError: `lock-lost`: its file was deleted or replaced, and its folder has no lock.
        """
        if self._guard is None and self._file is not None and not _same(self._file, self._path):
            raise MachineError(
                "lock-lost",
                f"{shown(self._path)} was deleted or replaced while this run held it; another run may be at work",
                "find out which program deletes it, then run the same command again",
            )

    def _locked(self) -> io.FileIO:
        """The lock file, open and locked. One that was deleted or replaced meanwhile is opened again."""
        for _ in range(_TRIES):
            file = _open(self._path)
            try:
                _lock(file)
                if _same(file, self._path):
                    return file
            except BlockingIOError:
                file.close()
                raise
            except OSError as error:
                file.close()
                raise MachineError(
                    "cannot-lock",
                    f"{shown(self._path)} cannot be locked: {error.strerror or error}",
                    "have locking enabled on the share, or run where the folder is on a local disk",
                ) from error
            file.close()
        raise MachineError(
            "cannot-lock",
            f"{shown(self._path)} was deleted or replaced each time that it was locked",
            "find out which program deletes it, then run the same command again",
        )

    def _release(self) -> None:
        if self._file is not None:
            _unlock(self._file)
            self._file.close()
            self._file = None
        if self._guard is not None:
            os.close(self._guard)
            self._guard = None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.seek(0)
                self._file.truncate()
        self._release()

    def held(self) -> LockedError:
        """The error where another process holds the lock."""
        return LockedError(
            "locked",
            f"another run {self._doing}{self._read_owner()}",
            "wait until it has ended, then run the same command again",
        )

    def _read_owner(self) -> str:
        """Say who holds the lock, as far as the record tells."""
        try:
            owner = json.loads(read_own(self._path))
            return f": {owner['command']} since {owner['since']} (process {owner['pid']} on {owner['host']})"
        except (OSError, RepoManagerError, ValueError, KeyError, TypeError, RecursionError):
            return ""


def _protected(path: Path) -> Path:
    """The folder that a lock file protects: the one that it is in, or the repository around the sub-folder."""
    return path.parent.parent if path.parent.name == SUBFOLDER else path.parent


def holder(path: Path, doing: str = _CHANGING) -> LockedError | None:
    """The error of a run that would begin now, None where the lock is free. Creates and changes nothing.

    A look holds the locks for a moment. A run that meets it tries once more.
    """
    try:
        _try_folder(_protected(path))
        with open_own(path, os.O_RDONLY) as file:
            _try(file)
            _unlock(file)
    except BlockingIOError:
        return Lock(path, {}, doing=doing).held()
    except (OSError, MachineError):
        # There is no lock file, or what hinders the look hinders the run too, which says so.
        pass
    return None


def _open(path: Path) -> io.FileIO:
    try:
        # Opened without truncating: the record in it may be another run's. Unbuffered: what a full disk
        # refuses must not come up again when the file is closed.
        file = open_own(path, os.O_RDWR | os.O_CREAT)
        if os.fstat(file.fileno()).st_nlink > 1:
            file.close()
            # Its other name may be that of a file which the record would overwrite.
            raise not_plain(path)
    except OSError as error:
        raise disk_error(error, path) from error
    return file


if sys.platform == "win32":
    import ctypes
    import msvcrt

    _kernel = ctypes.WinDLL("kernel32", use_last_error=True)
    _kernel.LockFile.argtypes = _kernel.UnlockFile.argtypes = (ctypes.c_void_p, *[ctypes.c_ulong] * 4)

    # Evidence: LockFile on Microsoft Learn. The C library's own function does not always say why it failed.
    _LOCK_VIOLATION: Final = 33

    def _lock(file: io.FileIO) -> None:
        """Lock it. Raises BlockingIOError where another process has."""
        if _kernel.LockFile(msvcrt.get_osfhandle(file.fileno()), _FAR_BYTE, 0, 1, 0):
            return
        code = ctypes.get_last_error()
        if code != _LOCK_VIOLATION:
            raise ctypes.WinError(code)
        raise BlockingIOError

    def _lock_folder(_folder: Path) -> int | None:
        """Nothing to do here: a file that is open keeps its name, and so do the folders above it."""
        return None

    def _same(_file: io.FileIO, _path: Path) -> bool:
        """Whether a file still has its name: while it is open nothing else can have it."""
        return True

    _try = _lock

    def _try_folder(_folder: Path) -> None:
        """Nothing to do here, as above."""

    def _unlock(file: io.FileIO) -> None:
        _kernel.UnlockFile(msvcrt.get_osfhandle(file.fileno()), _FAR_BYTE, 0, 1, 0)

else:
    import fcntl

    def _lock(file: io.FileIO) -> None:
        """Lock it. Raises BlockingIOError where another process has."""
        try:
            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except PermissionError as error:
            raise BlockingIOError from error

    def _lock_folder(folder: Path) -> int | None:
        """Lock a folder and return its descriptor, None where that cannot be done.

        Raises:
            BlockingIOError: another process has locked it.
        """
        try:
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError:
            # Without the right to read it, or gone: the lock file says what is wrong.
            return None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise
        except OSError:
            # Network file systems may have no locks of folders.
            os.close(descriptor)
            return None
        return descriptor

    def _try_folder(folder: Path) -> None:
        """Look whether a folder is locked. Raises BlockingIOError where another process has."""
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        finally:
            os.close(descriptor)

    def _same(file: io.FileIO, path: Path) -> bool:
        """Whether a file still has its name."""
        try:
            return os.path.samestat(os.fstat(file.fileno()), path.lstat())
        except FileNotFoundError:
            return False

    def _try(file: io.FileIO) -> None:
        """The same for a look: shared, because over NFS an exclusive lock needs a file that is open for writing."""
        try:
            fcntl.flock(file.fileno(), fcntl.LOCK_SH | fcntl.LOCK_NB)
        except PermissionError as error:
            raise BlockingIOError from error

    def _unlock(file: io.FileIO) -> None:
        with contextlib.suppress(OSError):
            fcntl.flock(file.fileno(), fcntl.LOCK_UN)
