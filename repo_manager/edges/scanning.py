"""One look at a folder."""

from __future__ import annotations

import contextlib
import os
import re
import sys
from typing import TYPE_CHECKING

from repo_manager.errors import InputError
from repo_manager.repository import Entry

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def scan(folder: Path) -> tuple[Entry, ...]:
    """Every file of a folder, in no particular order. Sub-folders are not looked into, links not followed.

    Raises:
        InputError: there is no such folder, it is a file, or it may not be read.
        MachineError: the disk or the share failed.
    """
    try:
        with os.scandir(folder) as entries:
            seen = (_entry(entry) for entry in entries if not entry.is_dir(follow_symlinks=False))
            return tuple(entry for entry in seen if entry is not None)
    except FileNotFoundError as error:
        raise InputError("no-repository", f"there is no folder {folder}", _NAME_IT) from error
    except NotADirectoryError as error:
        raise InputError("not-a-folder", f"{folder} is a file, not a folder", _NAME_IT) from error
    except PermissionError as error:
        raise InputError(
            "no-rights", f"{folder} may not be read by this user", "run as an administrator of this server"
        ) from error
    except OSError as error:
        from repo_manager.edges.fetched import disk_error

        raise disk_error(error, folder) from error


def changed_at(folder: Path) -> float | None:
    """When a file last came into a folder or went out of it, in seconds since the epoch.

    None where that cannot be told, and on a share, which has the time of another machine's clock.
    """
    if _ON_A_SHARE.match(str(folder)):
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


# `\\server\share`, also in its extended form, but neither `\\?\C:` nor `\\.\C:`.
_ON_A_SHARE = re.compile(r"(?:\\\\|//)(?:[?.][\\/]UNC[\\/]|[^?.\\/])", re.IGNORECASE)

_NAME_IT = "name the repository's folder with --repository"


def _entry(entry: os.DirEntry[str]) -> Entry | None:
    """What a scan says of a file; None when it went away meanwhile, as it may while another run is at work."""
    try:
        # On Windows a scan's own stat carries no file id, and its ctime is the time of creation.
        stat = os.lstat(entry.path) if sys.platform == "win32" else entry.stat(follow_symlinks=False)
    except FileNotFoundError:
        return None
    changed_ns = 0 if sys.platform == "win32" else stat.st_ctime_ns
    stamp = (stat.st_mtime_ns, changed_ns, stat.st_ino)
    return Entry(entry.name, stat.st_size, stamp, entry.is_file(follow_symlinks=False))
