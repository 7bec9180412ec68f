"""What a disk, a share or the operating system refuses, in our words."""

from __future__ import annotations

import contextlib
import errno
import sys
from typing import TYPE_CHECKING, Final

from repo_manager.adapters.filesystem.files_in_use import examine, refusal
from repo_manager.adapters.filesystem.paths import shown
from repo_manager.core.errors import DiskError, FileInUseError, MachineError, NoRightsError, NoSpaceError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_NO_SPACE: Final = (NoSpaceError, "no-space", "free space on this volume, or choose a folder on a larger one")
_NO_RIGHTS: Final = (NoRightsError, "no-rights", "run as a user who may write here, or have the rights granted")
_READ_ONLY: Final = (DiskError, "read-only", "have the volume mounted for writing")
_IN_USE: Final = (
    FileInUseError,
    "file-in-use",
    "close the program that holds the file (antivirus, backup, viewer), then run again",
)
_TOO_MANY: Final = (MachineError, "too-many-files", "run fewer jobs at once, or raise the limit of open files")
_AWAY: Final = (
    MachineError,
    "folder-went-away",
    "make sure that the folder or share is there and reachable, then run again",
)
_TOO_LONG: Final = (MachineError, "name-too-long", "use a folder with a shorter path, or have the file renamed")
_ELSEWHERE: Final = (
    MachineError,
    "subfolder-on-another-volume",
    "keep the repository and its sub-folder on one volume",
)
_DISK: Final = (DiskError, "disk-error", "have the volume checked, then run again")

_BY_ERRNO: Final = {
    errno.ENOSPC: _NO_SPACE,
    errno.EDQUOT: _NO_SPACE,
    errno.EACCES: _NO_RIGHTS,
    errno.EPERM: _NO_RIGHTS,
    errno.EROFS: _READ_ONLY,
    errno.EBUSY: _IN_USE,
    errno.EMFILE: _TOO_MANY,
    errno.ENFILE: _TOO_MANY,
    errno.ENOENT: _AWAY,
    errno.ENOTDIR: _AWAY,
    errno.ESTALE: _AWAY,
    errno.ENOTCONN: _AWAY,
    errno.EHOSTDOWN: _AWAY,
    errno.EHOSTUNREACH: _AWAY,
    errno.ENAMETOOLONG: _TOO_LONG,
    errno.EXDEV: _ELSEWHERE,
    errno.EIO: _DISK,
}

# Evidence: "System Error Codes (0-499)" on Microsoft Learn. Looked up first: Python folds several of
# them into one errno (a sharing violation and a missing right are both EACCES).
_BY_WINDOWS_CODE: Final = {
    5: _NO_RIGHTS,  # ERROR_ACCESS_DENIED
    17: _ELSEWHERE,  # ERROR_NOT_SAME_DEVICE
    19: _READ_ONLY,  # ERROR_WRITE_PROTECT
    21: _AWAY,  # ERROR_NOT_READY
    32: _IN_USE,  # ERROR_SHARING_VIOLATION
    33: _IN_USE,  # ERROR_LOCK_VIOLATION
    39: _NO_SPACE,  # ERROR_HANDLE_DISK_FULL
    53: _AWAY,  # ERROR_BAD_NETPATH
    59: _AWAY,  # ERROR_UNEXP_NET_ERR
    64: _AWAY,  # ERROR_NETNAME_DELETED
    67: _AWAY,  # ERROR_BAD_NET_NAME
    112: _NO_SPACE,  # ERROR_DISK_FULL
    206: _TOO_LONG,  # ERROR_FILENAME_EXCED_RANGE
    303: _IN_USE,  # ERROR_DELETE_PENDING
    1224: _IN_USE,  # ERROR_USER_MAPPED_FILE
    1295: _NO_SPACE,  # ERROR_DISK_QUOTA_EXCEEDED
}


def disk_error(error: OSError, path: Path) -> MachineError:
    """Say what the disk, share or operating system refused, for which path.

    The code is one of `no-space`, `no-rights`, `read-only`, `file-in-use`, `too-many-files`, `name-too-long`,
    `folder-went-away`, `subfolder-on-another-volume`, `disk-error`; raise it `from` the error, so that the cause
    is kept.
    """
    if sys.platform == "win32" and (known := refusal(error, [path], examine)) is not None:
        return known
    windows_code = getattr(error, "winerror", None)
    kind, code, hint = _BY_WINDOWS_CODE.get(windows_code or 0) or _BY_ERRNO.get(error.errno or 0, _DISK)
    reason = error.strerror or type(error).__name__
    return kind(code, f"{shown(path)}: {reason}", hint)


@contextlib.contextmanager
def translated(path: Path) -> Iterator[None]:
    """Raise `disk_error` for every OSError inside."""
    try:
        yield
    except OSError as error:
        raise disk_error(error, path) from error


def no_rights(path: Path) -> MachineError:
    """The error of a write for which this user has no rights, before it is tried."""
    return disk_error(PermissionError(errno.EACCES, "access denied"), path)
