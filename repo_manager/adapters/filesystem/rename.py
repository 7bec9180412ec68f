"""Renames and deletes that are durable, and patient where somebody holds the file for a moment.

Windows refuses to rename or delete what another program has open: antivirus, backup, a viewer.
Most let go within seconds, so it is tried again for a while; after that the error names who holds
the file, where Windows tells.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import sys
import time
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

from repo_manager.adapters.filesystem.files_in_use import ACCESS_DENIED, PASSING, Examined, code_of, examine, refusal
from repo_manager.adapters.filesystem.opening import FILE_MODE, create_own, not_plain, read_own

if TYPE_CHECKING:
    import io
    from collections.abc import Callable, Sequence
    from pathlib import Path

_Result = TypeVar("_Result")

# Antivirus and indexers hold a new file for a moment. Together about six seconds.
_PATIENCE_S: Final = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.0)


class FileSystem(Protocol):
    """What the operating system does with names. All but `examine` raise OSError."""

    def rename(self, old: Path, new: Path) -> None:
        """Give a file a name that is free. Raises FileExistsError where it is not."""
        ...

    def replace(self, old: Path, new: Path) -> None:
        """Give a file a name, whoever has it."""
        ...

    def delete(self, path: Path) -> None:
        """Delete a file."""
        ...

    def make_folder(self, path: Path) -> None:
        """Make a folder in one that exists, unless it is there."""
        ...

    def inherit(self, path: Path) -> None:
        """Give a file that was moved the rights that its folder gives to new files."""
        ...

    def sync_folder(self, path: Path) -> None:
        """Bring the names in a folder to the disk."""
        ...

    def examine(self, path: Path) -> Examined:
        """Say what stands in the way of changing it."""
        ...


class Mover:
    """Moves and deletes files.

    Every method raises MachineError (`file-in-use`, `no-rights`) for what was still held after some
    seconds, and for links and pipes in the place of the tool's own folders and files; OSError for
    whatever else the system refuses.
    """

    def __init__(self, sleep: Callable[[float], None] = time.sleep, system: FileSystem | None = None) -> None:
        self._sleep = sleep
        self._system: FileSystem = system or OwnSystem()

    def rename(self, old: Path, new: Path) -> None:
        """Give a file another name, which is free."""
        self._patiently(lambda: self._system.rename(old, new), (old, new.parent))

    def replace(self, old: Path, new: Path) -> None:
        """Put a file of the tool's own in the place of another, even of one that is read-only."""
        self._patiently(lambda: _writable_again(new, lambda: self._system.replace(old, new)), (new, old, new.parent))

    def inherit(self, path: Path) -> None:
        """Give a file that was moved the rights that its folder gives to new files, as far as the system lets us.

        Where it does not, the file keeps the rights that it had: administrators and the system can read it either way.
        """
        with contextlib.suppress(OSError, ValueError):
            self._system.inherit(path)

    def delete(self, path: Path) -> None:
        """Delete a file, even one that is read-only."""
        try:
            self._patiently(lambda: _writable_again(path, lambda: self._system.delete(path)), (path,))
        except IsADirectoryError as error:
            raise not_plain(path) from error

    def create(self, path: Path, mode: int = FILE_MODE) -> io.FileIO:
        """Make a new file of the tool's own and open it. Whatever else has its name is deleted, but no folder."""
        with contextlib.suppress(FileNotFoundError):
            if stat.S_ISDIR(path.lstat().st_mode) and not path.is_symlink():
                raise not_plain(path)
            self.delete(path)
        return create_own(path, mode)

    def delete_now(self, path: Path) -> None:
        """Delete a file without waiting."""
        _writable_again(path, lambda: self._system.delete(path))

    def make_folder(self, path: Path) -> None:
        """Make a folder that is on the disk when this returns. Never the folder above it as well."""
        self._system.make_folder(path)
        self._system.sync_folder(path.parent)

    def sync_folder(self, path: Path) -> None:
        """Bring the names in a folder to the disk. Raises OSError alone."""
        self._system.sync_folder(path)

    def read(self, path: Path) -> bytes:
        """The bytes of a small file of the tool's own, which may be on its way to being replaced."""
        return self._patiently(lambda: read_own(path), (path,))

    def open(self, path: Path) -> io.FileIO:
        """A file to read without a second buffer, which may be on its way to being replaced."""
        return self._patiently(lambda: path.open("rb", buffering=0), (path,))

    def _patiently(self, act: Callable[[], _Result], paths: Sequence[Path]) -> _Result:
        """Try again where Windows says that somebody holds the file just now."""
        for delay_s in _PATIENCE_S:
            try:
                return act()
            except OSError as error:
                if code_of(error) not in PASSING:
                    raise
                self._sleep(delay_s)
        try:
            return act()
        except OSError as error:
            known = refusal(error, [path for path in paths if os.path.lexists(path)] or paths, self._system.examine)
            if known is None:
                raise
            raise known from error


def _writable_again(path: Path, act: Callable[[], None]) -> None:
    """Do it; where a read-only file is in the way, take the attribute off and do it again.

    Evidence: DeleteFileW and MoveFileExW on Microsoft Learn: both refuse access to such a file.
    """
    try:
        act()
    except OSError as error:
        if code_of(error) != ACCESS_DENIED or (mode := _read_only(path)) is None:
            raise
        path.chmod(mode | stat.S_IWRITE)
        try:
            act()
        except OSError:
            # What stays is as it was.
            with contextlib.suppress(OSError):
                path.chmod(mode)
            raise


def _read_only(path: Path) -> int | None:
    """The mode of a file that is read-only, None of any other."""
    try:
        mode = path.lstat().st_mode
    except OSError:
        return None
    return None if mode & stat.S_IWRITE else stat.S_IMODE(mode)


if sys.platform == "win32":
    import ctypes
    from ctypes import wintypes

    _MoveFileEx = ctypes.WinDLL("kernel32", use_last_error=True).MoveFileExW
    _MoveFileEx.argtypes = (wintypes.LPCWSTR, wintypes.LPCWSTR, wintypes.DWORD)

    # Evidence: MoveFileExW on Microsoft Learn. Without leave to copy, a move is a rename or it fails.
    _REPLACE_EXISTING: Final = 1
    _WRITE_THROUGH: Final = 8

    def _move(old: Path, new: Path, flags: int) -> None:
        if not _MoveFileEx(str(old), str(new), flags):
            code = ctypes.get_last_error()
            raise OSError(0, ctypes.FormatError(code).strip(), str(old), code, str(new))

    class OwnSystem:
        """Windows. A move comes back when it is on the disk."""

        def rename(self, old: Path, new: Path) -> None:
            """Give a file a name that is free."""
            _move(old, new, _WRITE_THROUGH)

        def replace(self, old: Path, new: Path) -> None:
            """Give a file a name, whoever has it."""
            _move(old, new, _WRITE_THROUGH | _REPLACE_EXISTING)

        def delete(self, path: Path) -> None:
            """Delete a file."""
            path.unlink()

        def make_folder(self, path: Path) -> None:
            """Make a folder in one that exists, unless it is there."""
            path.mkdir(exist_ok=True)

        def inherit(self, path: Path) -> None:
            """Give a file that was moved the rights of its new folder: on NTFS it keeps those of the old one."""
            from repo_manager.adapters.windows.guarding import inherit

            inherit(path)

        def sync_folder(self, path: Path) -> None:
            """Nothing to do here, where a move comes back when it is on the disk."""

        def examine(self, path: Path) -> Examined:
            """Say what stands in the way of changing it."""
            return examine(path)

else:
    from repo_manager.adapters.filesystem.opening import folder_of, new_folder
    from repo_manager.adapters.filesystem.rename_without_replacing import WAYS, CannotError

    if TYPE_CHECKING:
        from repo_manager.adapters.filesystem.rename_without_replacing import Way

    class OwnSystem:
        """Any other system. What was moved is on the disk after `sync_folder`.

        `ways` are the ways to rename without replacing, the best first; see `noreplace`.
        """

        ways: tuple[Way, ...] = WAYS

        def rename(self, old: Path, new: Path) -> None:
            """Give a file a name that is free."""
            with folder_of(old) as origin, folder_of(new) as destination:
                for way in self.ways:
                    try:
                        way(origin, destination)
                    except CannotError:
                        continue
                    return

        def replace(self, old: Path, new: Path) -> None:
            """Give a file a name, whoever has it."""
            with folder_of(old) as (above, name), folder_of(new) as (below, other):
                os.replace(name, other, src_dir_fd=above, dst_dir_fd=below)

        def delete(self, path: Path) -> None:
            """Delete a file."""
            with folder_of(path) as (folder, name):
                os.unlink(name, dir_fd=folder)

        def make_folder(self, path: Path) -> None:
            """Make a folder in one that exists, unless it is there."""
            with contextlib.suppress(FileExistsError):
                new_folder(path)

        def inherit(self, path: Path) -> None:
            """Nothing to do here: the sub-folder hands on the group and the default list of the repository."""

        def sync_folder(self, path: Path) -> None:
            """Bring the names in a folder to the disk."""
            # What is synced must be open for reading: `folder_of` opens the folder in a way that needs no right.
            with folder_of(path / "x") as (folder, _):
                descriptor = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=folder)
            try:
                os.fsync(descriptor)
            except OSError as error:
                # Some network and FUSE file systems have no such call.
                if error.errno not in _NO_SUCH_CALL:
                    raise
            finally:
                os.close(descriptor)

        def examine(self, path: Path) -> Examined:
            """Say what stands in the way of changing it."""
            return examine(path)

    _NO_SUCH_CALL: Final = frozenset({errno.EINVAL, errno.ENOSYS, errno.ENOTSUP})


def sync_folder(path: Path) -> None:
    """Bring the names in a folder to the disk: files that were renamed into it, or deleted."""
    OwnSystem().sync_folder(path)


def sync_above(path: Path) -> None:
    """Bring the name of a new folder to the disk. A folder above it that this user may not read is left alone."""
    with contextlib.suppress(PermissionError):
        sync_folder(path.parent)
