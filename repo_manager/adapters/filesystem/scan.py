"""One look at a folder."""

from __future__ import annotations

import contextlib
import os
import re
import sys
from typing import TYPE_CHECKING

from repo_manager.adapters.filesystem.paths import joined, reachable, shown
from repo_manager.core.errors import InputError, NoRepositoryError
from repo_manager.core.repository import FolderEntry

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from repo_manager.core.errors import RepoManagerError


def scan(folder: Path) -> tuple[FolderEntry, ...]:
    """Every file of a folder, in no particular order. Sub-folders are not looked into, links not followed.

    Raises:
        InputError: there is no such folder, it is a file, or it may not be read.
        MachineError: the disk or the share failed.
    """
    folder = reachable(folder)
    try:
        with os.scandir(folder) as entries:
            at = str(folder)
            seen = (_entry(at, entry) for entry in entries if not entry.is_dir(follow_symlinks=False))
            return tuple(entry for entry in seen if entry is not None)
    except OSError as error:
        raise _refused(error, folder) from error


def _refused(error: OSError, folder: Path) -> RepoManagerError:
    code = getattr(error, "winerror", None)
    if isinstance(error, NotADirectoryError) or os.path.isfile(folder):  # noqa: PTH113 - raises nothing
        return InputError("not-a-folder", f"{shown(folder)} is a file, not a folder", _NAME_IT)
    if isinstance(error, FileNotFoundError) or code in _NO_SUCH_PLACE:
        return NoRepositoryError("no-repository", f"there is no folder {shown(folder)}", _NAME_IT)
    # Windows' own code where there is one: Python makes a missing right of much that is none.
    if code in _NO_LEAVE or (code is None and isinstance(error, PermissionError)):
        words = f"{shown(folder)} may not be read by this user"
        return NoRepositoryError("no-rights", words, "run as an administrator of this server")
    from repo_manager.adapters.filesystem.os_errors import disk_error

    return disk_error(error, folder)


# Evidence: "System Error Codes" on Microsoft Learn.
_NO_SUCH_PLACE = frozenset(
    {
        21,  # ERROR_NOT_READY: a drive without a medium
        123,  # ERROR_INVALID_NAME
        161,  # ERROR_BAD_PATHNAME
    }
)
_NO_LEAVE = frozenset(
    {
        5,  # ERROR_ACCESS_DENIED
        65,  # ERROR_NETWORK_ACCESS_DENIED
        86,  # ERROR_INVALID_PASSWORD
        1326,  # ERROR_LOGON_FAILURE
    }
)


def changed_at(folder: Path) -> float | None:
    """When a file last came into a folder or went out of it, in seconds since the epoch.

    None where that cannot be told, and on a share, which has the time of another machine's clock.
    """
    if on_a_share(folder):
        return None
    try:
        return folder.stat().st_mtime
    except OSError:
        return None


@contextlib.contextmanager
def keeping_time(folder: Path) -> Iterator[None]:
    """Leave the folder's time of change as it was: the tool's own sub-folder is no change of the set."""
    try:
        before = folder.stat()
    except OSError:
        before = None
    yield
    if before is not None:
        # Where it may not be set, the service is restarted once too often.
        with contextlib.suppress(OSError):
            os.utime(folder, ns=(before.st_atime_ns, before.st_mtime_ns))


def on_a_share(path: Path) -> bool:
    """Whether a path begins with a server's name."""
    return bool(_ON_A_SHARE.match(str(path)))


# `\\server\share`, also in its extended form, but neither `\\?\C:` nor `\\.\C:`.
_ON_A_SHARE = re.compile(r"(?:\\\\|//)(?:[?.][\\/]UNC[\\/]|[^?.\\/])", re.IGNORECASE)

_NAME_IT = "name the repository's folder with --repository"


def _entry(folder: str, entry: os.DirEntry[str]) -> FolderEntry | None:
    """What a scan says of a file; None when it went away meanwhile, as it may while another run is at work."""
    try:
        if sys.platform == "win32":
            # On Windows a scan's own stat carries no file id, and its ctime is the time of creation.
            path = joined(folder, entry.name)
            stat = os.lstat(path)
            changed = _change_time(path, entry.name)
        else:
            stat = entry.stat(follow_symlinks=False)
            changed = stat.st_ctime_ns
    except FileNotFoundError:
        return None
    stamp = (stat.st_mtime_ns, changed, stat.st_ino)
    return FolderEntry(entry.name, stat.st_size, stamp, entry.is_file(follow_symlinks=False))


if sys.platform == "win32":
    from repo_manager.core.names import PRODUCTS

    def _change_time(path: str, name: str) -> int:
        """When a file changed, of those alone that could be remembered: each is opened for it."""
        if not name.startswith(PRODUCTS):
            return 0
        from repo_manager.adapters.filesystem.opening import change_time

        return change_time(path)
