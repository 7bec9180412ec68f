"""A plain folder that downloaded files are carried in, with a `SHA256SUMS` beside them."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from typing import TYPE_CHECKING, Final

from repo_manager.adapters.filesystem.atomic_write import write_whole
from repo_manager.adapters.filesystem.lock import Lock, holder
from repo_manager.adapters.filesystem.opening import FILE_MODE
from repo_manager.adapters.filesystem.os_errors import disk_error, no_rights
from repo_manager.adapters.filesystem.paths import SUBFOLDER, component, reachable, shown
from repo_manager.adapters.filesystem.rename import Mover
from repo_manager.adapters.sources.fetching import size_of
from repo_manager.core import names
from repo_manager.core.errors import InputError, MachineError
from repo_manager.core.names import InvalidNameError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from repo_manager.core.errors import RepoManagerError

SUMS: Final = "SHA256SUMS"
LOCK: Final = ".download.lock"


class DownloadFolder:
    """The staging area of `download`: a file has its name as soon as it is whole."""

    def __init__(self, folder: Path) -> None:
        self.folder = reachable(folder)
        self._mover = Mover()

    def prepare(self) -> None:
        """Make the folder.

        Raises:
            InputError: it is a file.
            MachineError: it cannot be made.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError) as error:
            raise _not_a_folder(self.folder) from error
        except OSError as error:
            raise disk_error(error, self.folder) from error

    def obstacles(self) -> tuple[RepoManagerError, ...]:
        """What would stop a download before the first file. Creates and changes nothing."""
        from repo_manager.adapters.windows.machine import may_write

        place = self._place()
        if not place.is_dir():
            return (_not_a_folder(place),)
        if not may_write(place):
            return (no_rights(place),)
        held = holder(self._lock, doing=self._doing)
        return () if held is None else (held,)

    def _place(self) -> Path:
        """The folder, or the nearest one above it that exists."""
        return next((path for path in (self.folder, *self.folder.parents) if os.path.lexists(path)), self.folder)

    @property
    def _doing(self) -> str:
        return f"is filling {shown(self.folder)}"

    @property
    def _lock(self) -> Path:
        shared = (self.folder / SUBFOLDER).is_dir()
        return self.folder / SUBFOLDER / "lock" if shared else self.folder / LOCK

    @contextlib.contextmanager
    def locked(self, owner: dict[str, str | int]) -> Iterator[None]:
        """Fill the folder alone. In a repository this is the lock of all changes; elsewhere a hidden file, which goes.

        Raises:
            LockedError: another run fills the folder.
            MachineError: the lock cannot be made.
        """
        path = self._lock
        shared = path.name != LOCK
        try:
            with Lock(path, owner, doing=self._doing):
                try:
                    yield
                finally:
                    # Deleted before it is unlocked, where the system can: no other run then takes it for the lock.
                    if not (shared or sys.platform == "win32"):
                        _delete(path)
        finally:
            # On Windows a file that another run has opened cannot be deleted, and stays that run's lock.
            if not shared and sys.platform == "win32":
                _delete(path)

    def part(self, name: str) -> Path:
        """Where a file is written while it is downloaded."""
        return self.folder / f"{component(name)}.part"

    def staged(self, name: str) -> Path:
        """Where it lies when it is whole."""
        return self.folder / component(name)

    def left_over(self, name: str) -> int:
        """How many bytes the file of that name has; 0 where there is none."""
        return size_of(self.staged(name))

    def promote(self, name: str) -> None:
        """It is whole."""
        try:
            self._mover.replace(self.part(name), self.staged(name))
        except OSError as error:
            raise disk_error(error, self.staged(name)) from error

    def drop_staged(self, name: str) -> None:
        """Give back what was begun. A file that has its name stays."""
        part = self.part(name)
        for path in (part, part.with_name(f"{part.name}.json")):
            with contextlib.suppress(OSError, MachineError):
                self._mover.delete(path)

    def free_bytes(self) -> int:
        """Room left on the volume."""
        try:
            return shutil.disk_usage(self._place()).free
        except OSError as error:
            raise disk_error(error, self.folder) from error

    def write_sums(self, digests: Mapping[str, str]) -> None:
        """Write the digests down, together with those of installers that were carried before and are still there."""
        path = self.folder / SUMS
        try:
            lines = {**self._read_sums(path), **digests}
            text = "".join(f"{digest} *{name}\n" for name, digest in sorted(lines.items()))
            write_whole(path, text, newline="\n", mode=FILE_MODE)
        except OSError as error:
            raise disk_error(error, path) from error

    def _read_sums(self, path: Path) -> dict[str, str]:
        sums = {}
        with contextlib.suppress(FileNotFoundError):
            for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
                digest, _, name = line.partition(" *")
                with contextlib.suppress(InvalidNameError):
                    if (self.folder / names.parse(name).text).is_file():
                        sums[name] = digest
        return sums


def _not_a_folder(path: Path) -> InputError:
    return InputError("not-a-folder", f"{shown(path)} is a file, not a folder", "choose another --to")


def _delete(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink()
