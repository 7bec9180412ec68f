"""Corrects the owners and permissions of an installation's own files, so that they are believed again.

First everything is looked at and listed; a person decides; then exactly what was listed is changed. A file that was
exchanged meanwhile is left alone. Links are never followed, and what is not a file or folder is never touched.
A file of another owner is replaced by a copy: who has it open can no longer write to what is believed.
"""

from __future__ import annotations

import contextlib
import os
import stat
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from repo_manager.adapters.filesystem.atomic_write import replacing
from repo_manager.adapters.filesystem.paths import reachable
from repo_manager.core.errors import MachineError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class InstalledPath:
    """A file or folder of an installation.

    `secret` says that other users may not even read it; `cache`, that the tool works without it.
    """

    path: Path
    secret: bool = False
    cache: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    """A file or folder that is not as it should be.

    Attributes:
        path: where it is.
        now: whose it is and who may use it, in words.
        change: what would be changed, in words; empty where nothing can be.
        reason: why it cannot be corrected; empty where it can.
        identity: tells this very file from another one of that name.
    """

    path: Path
    now: str
    change: str = ""
    reason: str = ""
    identity: tuple[int, ...] = ()
    secret: bool = False


def wrong(items: Iterable[InstalledPath]) -> list[Found]:
    """Everything among the items that should be corrected, each path once. What is not there is not wrong."""
    found: dict[str, Found] = {}
    for item in items:
        path = reachable(item.path)
        with contextlib.suppress(OSError):
            seen = _look(path, secret=item.secret)
            if seen is not None:
                found.setdefault(str(path), seen)
    return list(found.values())


if sys.platform == "win32":
    from repo_manager.adapters.filesystem.paths import is_link
    from repo_manager.adapters.windows import guarding

    def _look(path: Path, *, secret: bool) -> Found | None:
        """What is wrong with a path."""
        status = path.lstat()
        what = guarding.doubt(path)
        if what is None:
            return None
        reason = "it is a link; remove it" if is_link(status) else ""
        if not reason and status.st_nlink > 1:
            reason = "the file has further names elsewhere; replace it by a copy"
        change = "" if reason else "only administrators may change it"
        return Found(path, f"it {what}", change, reason, (status.st_dev, status.st_ino), secret)

    def correct(found: Found) -> str:
        """Correct what was found. Returns why it was left alone, empty when it was corrected."""
        import pywintypes

        try:
            status = found.path.lstat()
            if is_link(status) or (status.st_dev, status.st_ino) != found.identity:
                return "it was exchanged meanwhile; run the same command again"
            guarding.correct(found.path, secret=found.secret)
        except pywintypes.error as error:
            return str(error.strerror).strip()
        except OSError as error:
            return str(error.strerror)
        return ""

else:
    import secrets
    import shutil

    from repo_manager.adapters.filesystem.trusted_files import OTHERS_WRITE, keeps_no_owners, owner_name

    # A service of another user may read a secret by its group.
    _OTHERS_USE: int = stat.S_IWGRP | stat.S_IRWXO
    # A file of another owner could be a program that would run with the rights of its new owner.
    _NO_PROGRAM: int = 0o666

    def _look(path: Path, *, secret: bool) -> Found | None:
        """What is wrong with a path."""
        status = path.lstat()
        wanted = _wanted(status, secret=secret)
        mode = stat.S_IMODE(status.st_mode)
        if wanted == (status.st_uid, mode) or keeps_no_owners(status.st_dev):
            return None
        now = f"{owner_name(status.st_uid)}, mode {mode:04o}"
        reason = _reason(status)
        owner, new = wanted
        changes = [f"owner {owner_name(owner)}"] if owner != status.st_uid else []
        changes += [f"mode {new:04o}"] if new != mode else []
        identity = (status.st_dev, status.st_ino)
        return Found(path, now, "" if reason else ", ".join(changes), reason, identity, secret)

    def _wanted(status: os.stat_result, *, secret: bool) -> tuple[int, int]:
        """The owner and the mode that a file should have."""
        user, mode = os.geteuid(), stat.S_IMODE(status.st_mode)
        owner = status.st_uid if status.st_uid in {0, user} else user
        if not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):
            return owner, mode
        if stat.S_ISREG(status.st_mode) and owner != status.st_uid:
            mode &= _NO_PROGRAM
        if secret and (owner != status.st_uid or mode & _OTHERS_USE):
            return owner, mode & stat.S_IRWXU
        return owner, mode & ~OTHERS_WRITE

    def _reason(status: os.stat_result) -> str:
        """Why this is not corrected; empty where it is."""
        if stat.S_ISLNK(status.st_mode):
            return "it is a link; remove it"
        if not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):
            return "it is neither a file nor a folder; remove it"
        if stat.S_ISREG(status.st_mode) and status.st_nlink > 1:
            return "the file has further names elsewhere; replace it by a copy"
        if os.geteuid() not in {0, status.st_uid}:
            return "only root can change it"
        return ""

    def correct(found: Found) -> str:
        """Correct what was found. Returns why it was left alone, empty when it was corrected."""
        try:
            # Without waiting for the other end of a pipe that took the file's place.
            descriptor = os.open(found.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except OSError as error:
            return str(error.strerror)
        try:
            return _correct(descriptor, found)
        except OSError as error:
            return str(error.strerror)
        except MachineError as error:
            return error.message
        finally:
            os.close(descriptor)

    def _correct(descriptor: int, found: Found) -> str:
        status = os.fstat(descriptor)
        if (status.st_dev, status.st_ino) != found.identity:
            return "it was exchanged meanwhile; run the same command again"
        reason = _reason(status)
        if reason:
            return reason
        owner, mode = _wanted(status, secret=found.secret)
        if stat.S_ISREG(status.st_mode) and owner != status.st_uid:
            _copy(descriptor, found.path, mode)
            return ""
        if owner != status.st_uid:
            os.fchown(descriptor, owner, os.getegid())
        os.fchmod(descriptor, mode)
        return ""

    def _copy(descriptor: int, path: Path, mode: int) -> None:
        """Put a copy of an opened file in its place."""
        copy = path.with_name(f"{path.name}.{secrets.token_hex(4)}.new")
        with replacing(path, temporary=copy, mode=mode) as new, os.fdopen(os.dup(descriptor), "rb") as old:
            shutil.copyfileobj(old, new)
