"""Audits that were kept, so that a later one can say what has changed.

They lie in the user's state folder, a file each, named by repository and time. An audit changes nothing in the
repository, and keeping it does not either.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import re
import time
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING, Final

from repo_manager.adapters.filesystem.opening import (
    PRIVATE_FILE_MODE,
    PRIVATE_FOLDER_MODE,
    create_own,
    make_folders,
    write_all,
)
from repo_manager.adapters.filesystem.os_errors import disk_error
from repo_manager.adapters.filesystem.paths import place_of, reachable, shown
from repo_manager.adapters.filesystem.rename import Mover
from repo_manager.core.audit import comparison
from repo_manager.core.errors import InputError, RepoManagerError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from repo_manager.core.audit.comparison import PreviousAudit

# The largest honest one, of a hundred thousand machines, has a quarter of that.
_MOST_BYTES: Final = 256 * 1024 * 1024
_STALE_S: Final = 24 * 60 * 60
_MOST_OF_A_SECOND: Final = 1000
_STAMP: Final = "[0-9]{8}T[0-9]{6}Z"


@dataclass(frozen=True, slots=True)
class Latest:
    """The newest kept audit that can be read; `audit` is None where there is none.

    `passed_over` says what is wrong with newer ones, a sentence each.
    """

    audit: PreviousAudit | None
    passed_over: tuple[str, ...] = ()


class KeptAudits:
    """The audits of one repository."""

    def __init__(self, folder: Path, repository: Path, *, most: int) -> None:
        self._folder = reachable(folder)
        # Where it really is: whoever writes it with `..`, or goes by a link, means the same one.
        place = str(place_of(repository))
        key = hashlib.sha256(place.encode(errors="surrogatepass")).hexdigest()
        self._key = key[:32]
        self._most = most

    def latest(self) -> Latest:
        """The newest that can be read. What cannot be read is passed over, never an error."""
        passed_over: list[str] = []
        for path in reversed(self._paths()):
            try:
                return Latest(read(path), tuple(passed_over))
            except RepoManagerError as error:
                passed_over.append(error.message)
        return Latest(None, tuple(passed_over))

    def draft(self, text: str, at: datetime) -> UnsavedAudit:
        """Write an audit down without giving it its name yet. Of the same second there may be several.

        Raises:
            MachineError: it cannot be written.
        """
        stamp = at.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
        path = self._folder / f"{self._key}-{stamp}.json"
        temporary = path.with_name(f"{path.name}.{os.getpid()}.new")
        try:
            # It names machines, which is nobody else's business.
            make_folders(self._folder, PRIVATE_FOLDER_MODE)
            temporary.unlink(missing_ok=True)
            with create_own(temporary, PRIVATE_FILE_MODE) as file:
                write_all(file, text.encode())
                os.fsync(file.fileno())
        except OSError as error:
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise disk_error(error, self._folder) from error
        return UnsavedAudit(self, temporary, path)

    def tidy(self) -> None:
        """Delete the oldest beyond the bound, and what broken runs left. What cannot be deleted stays."""
        paths = self._paths()
        for path in paths[: max(len(paths) - self._most, 0)]:
            with contextlib.suppress(OSError):
                path.unlink()
        for path in self._named(rf"{self._key}-{_STAMP}\.json\.[0-9]+\.new"):
            with contextlib.suppress(OSError):
                if time.time() - path.stat().st_mtime > _STALE_S:
                    path.unlink()

    def _paths(self) -> list[Path]:
        """The kept audits, oldest first."""
        return sorted(self._named(rf"{self._key}-{_STAMP}(?:-[0-9]{{1,4}})?\.json"), key=_age)

    def _named(self, pattern: str) -> list[Path]:
        try:
            found = sorted(self._folder.iterdir())
        except OSError:
            # Nobody has kept one here yet; what else may be wrong shows when one is.
            return []
        return [path for path in found if re.fullmatch(pattern, path.name, re.ASCII)]


@dataclass(frozen=True, slots=True)
class UnsavedAudit:
    """An audit on the disk, whole, that does not count yet."""

    _kept: KeptAudits
    _temporary: Path
    _path: Path

    def keep(self) -> Path:
        """Let it count from now on. Returns where it lies.

        Raises:
            MachineError: it cannot be given its name.
        """
        try:
            path = _claimed(self._path)
            try:
                Mover().replace(self._temporary, path)
            except OSError:
                with contextlib.suppress(OSError):
                    path.unlink()
                raise
        except OSError as error:
            raise disk_error(error, self._path) from error
        self._kept.tidy()
        return Path(shown(path))

    def drop(self) -> None:
        """Forget it."""
        with contextlib.suppress(OSError):
            self._temporary.unlink()


def _claimed(path: Path) -> Path:
    """The first name that is free, taken by an empty file: another process may keep one in this very second."""
    for number in range(1, _MOST_OF_A_SECOND + 1):
        free = path if number == 1 else path.with_stem(f"{path.stem}-{number}")
        try:
            free.open("xb").close()
        except FileExistsError:
            continue
        except PermissionError:
            # So Windows says that there is a folder of that name.
            if not free.is_dir():
                raise
        else:
            return free
    raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))


def _age(path: Path) -> tuple[str, int]:
    """Sorts the names of kept audits, the oldest first."""
    _, stamp, *number = path.stem.split("-")
    return stamp, int(number[0]) if number else 1


def read(path: Path) -> PreviousAudit:
    """Read the audit in a file that somebody names.

    Raises:
        InputError: it is not there, cannot be read, or is no audit.
    """
    path = reachable(path)
    name = shown(path)
    try:
        # A pipe or a device could keep whoever opens it waiting for ever.
        if not path.is_file():
            hint = "name LAST, or a file that 'repo-manager audit --json' has written"
            raise InputError("no-file", f"there is no file {name}", hint)
        with path.open("rb") as file:
            data = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise InputError("no-file", f"{name} cannot be read: {error.strerror}", "check the path") from error
    if len(data) > _MOST_BYTES:
        raise InputError("bad-audit", f"{name} is larger than any audit", "name a file that an audit has written")
    return comparison.read(data, name)


def state_folder(environ: Mapping[str, str]) -> Path:
    """Where this user's kept audits lie."""
    if environ.get("REPO_MANAGER_STATE_DIR"):
        return Path(environ["REPO_MANAGER_STATE_DIR"]) / "audits"
    if environ.get("LOCALAPPDATA"):
        return Path(environ["LOCALAPPDATA"]) / "repo-manager" / "audits"
    base = environ.get("XDG_STATE_HOME")
    home = Path(os.path.expanduser("~")) / ".local" / "state"  # noqa: PTH111 - Path.home raises where expanduser gives up quietly
    return (Path(base) if base else home) / "repo-manager" / "audits"
