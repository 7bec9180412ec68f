"""Opens files of the tool's own: through no link, and without waiting for the other end of a pipe.

What others could put in the place of such a file (a link, a pipe, a folder, a device) is refused with the
error `not-a-plain-file`. On POSIX the folders below the repository are opened one after the other, so that
a folder that is exchanged for a link between a check and its use leads nowhere.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import sys
from typing import TYPE_CHECKING, Final

from repo_manager.adapters.filesystem import trusted_files
from repo_manager.adapters.filesystem.paths import SUBFOLDER, refuse_link, shown
from repo_manager.adapters.filesystem.trusted_files import Correction
from repo_manager.core.errors import MachineError

if TYPE_CHECKING:
    import io
    from collections.abc import Iterator
    from pathlib import Path

FILE_MODE: Final = 0o644
"""Of new files: everyone reads them, the service and other administrators too; only their owner writes them."""

FOLDER_MODE: Final = 0o755

PRIVATE_FILE_MODE: Final = 0o600
"""Of new files that their owner alone reads: secrets, and what this user remembers."""

PRIVATE_FOLDER_MODE: Final = 0o700

_MOST_BYTES: Final = 256 << 20
"""More than any journal or record has."""


def open_own(path: Path, flags: int = os.O_RDONLY, mode: int = FILE_MODE) -> io.FileIO:
    """Open a file of the tool's own, unbuffered. `flags` are those of `os.open`; a new file has `mode`.

    Raises:
        MachineError: `not-a-plain-file`, `subfolder-is-a-link`.
        OSError: the disk refused.
    """
    descriptor = _descriptor(path, flags, mode)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise not_plain(path)
    return os.fdopen(descriptor, "r+b" if flags & _WRITES else "rb", buffering=0)


def plain_file(path: str, flags: int) -> int:
    """An opener for `open` that accepts plain files only, and does not wait for the other end of a pipe.

    Raises:
        OSError: it is no file, or the disk refused.
    """
    descriptor = trusted_files.without_waiting(path, flags)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "not a plain file", path)
    return descriptor


def create_own(path: Path, mode: int = FILE_MODE) -> io.FileIO:
    """Make a new file and open it, whatever the umask. What has the name already is never opened.

    Raises:
        MachineError: `subfolder-is-a-link`.
        OSError: the disk refused, or something has the name.
    """
    return open_own(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, mode)


def make_folders(folder: Path, mode: int = FOLDER_MODE) -> None:
    """Make a folder unless it is there, whatever the umask, and the folders above it for all to read.

    Raises:
        MachineError: `subfolder-is-a-link`.
        OSError: the disk refused, or something else has the name.
    """
    if folder.is_dir():
        return
    if folder.parent != folder:
        make_folders(folder.parent)
    try:
        new_folder(folder, mode)
    except FileExistsError:
        # Another run was faster.
        if not folder.is_dir():
            raise


def read_own(path: Path) -> bytes:
    """The bytes of a small file of the tool's own.

    Raises:
        InputError: `untrusted-file`; others may write it, or the sub-folder that it is in.
        MachineError: `not-a-plain-file`, `subfolder-is-a-link`.
        OSError: the disk refused.
    """
    try:
        with open_own(path) as file:
            require_own(path, file.fileno())
            size = os.fstat(file.fileno()).st_size
            if size > _MOST_BYTES:
                raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), str(path))
            return file.readall()
    except FileNotFoundError:
        # Who may write the folder could have removed the file, and put another one there a moment later.
        require_own(path.parent)
        raise


def require_own(path: Path, opened: int | None = None) -> None:
    """See that only administrators and this user may write what is in the sub-folder of a repository.

    The repository itself is not judged: the folder of the vendor lets others in. Other paths are not judged either.

    Args:
        path: a file or folder, in the sub-folder or the sub-folder itself.
        opened: the descriptor of the file, where it is open.

    Raises:
        InputError: `untrusted-file`.
        OSError: it cannot be looked at.
    """
    sub = next((folder for folder in (path, *path.parents) if folder.name == SUBFOLDER), None)
    if sub is not None and sub.is_dir():
        trusted_files.require(path, correction=Correction(sub), within=sub, opened=opened)


def write_all(file: io.FileIO, data: bytes | memoryview) -> None:
    """Write everything: an unbuffered write may take less than it was given."""
    rest = memoryview(data)
    while rest:
        rest = rest[file.write(rest) :]


def doubtful(found: os.stat_result) -> str | None:
    """Why a staged file or a partial one is not used again, None where nothing speaks against it.

    Others could write into a file that is theirs or open to them, or that has a second name elsewhere.
    """
    if not stat.S_ISREG(found.st_mode):
        return "is not a plain file"
    if found.st_nlink > 1:
        return "has several names"
    return trusted_files.doubt_of(found)


def not_plain(path: Path) -> MachineError:
    """A link, a pipe, a folder or a device has the name of a file of the tool's own."""
    return MachineError(
        "not-a-plain-file",
        f"{shown(path)} is a link, a pipe, a folder, a device, or has further names;"
        " the tool's own files are plain files",
        "find out which program put it there, remove it, then run the same command again",
    )


_WRITES: Final = os.O_WRONLY | os.O_RDWR


if sys.platform == "win32":
    import ctypes
    import msvcrt
    from ctypes import wintypes

    # Evidence: CreateFileW, GetFileInformationByHandleEx, FILE_ATTRIBUTE_TAG_INFO, FILE_BASIC_INFO on Microsoft Learn.
    _GENERIC_READ: Final = 0x80000000
    _GENERIC_WRITE: Final = 0x40000000
    # Not for deletion, as Python opens files: who holds a file keeps its name.
    _SHARE_READ_WRITE: Final = 3
    _CREATE_NEW: Final = 1
    _OPEN_EXISTING: Final = 3
    _OPEN_ALWAYS: Final = 4
    _OPEN_REPARSE_POINT: Final = 0x00200000
    _FILE_BASIC_INFO: Final = 0
    _FILE_ATTRIBUTE_TAG_INFO: Final = 9
    _READ_ATTRIBUTES: Final = 0x80
    _SHARE_ALL: Final = 7
    _BACKUP_SEMANTICS: Final = 0x02000000
    _REPARSE_POINT: Final = 0x400
    _NAME_SURROGATE: Final = 0x20000000
    _INVALID_HANDLE: Final = ctypes.c_void_p(-1).value

    _kernel = ctypes.WinDLL("kernel32", use_last_error=True)
    _kernel.CreateFileW.restype = ctypes.c_void_p
    _kernel.CreateFileW.argtypes = (
        wintypes.LPCWSTR,
        wintypes.DWORD,
        wintypes.DWORD,
        ctypes.c_void_p,
        wintypes.DWORD,
        wintypes.DWORD,
        ctypes.c_void_p,
    )

    def _descriptor(path: Path, flags: int, mode: int) -> int:
        """Open without following a link. Other reparse points, such as those of deduplicated files, are opened."""
        del mode
        handle = _handle(path, flags, _OPEN_REPARSE_POINT)
        tag = _reparse_tag(handle)
        if tag:
            _kernel.CloseHandle(ctypes.c_void_p(handle))
            if tag & _NAME_SURROGATE:
                raise not_plain(path)
            handle = _handle(path, flags & ~(os.O_CREAT | os.O_EXCL), 0)
        return msvcrt.open_osfhandle(handle, flags & (os.O_RDONLY | os.O_RDWR | os.O_WRONLY) | os.O_NOINHERIT)

    def _handle(path: Path, flags: int, how: int) -> int:
        access = _GENERIC_READ | (_GENERIC_WRITE if flags & _WRITES else 0)
        when = _OPEN_EXISTING
        if flags & os.O_CREAT:
            when = _CREATE_NEW if flags & os.O_EXCL else _OPEN_ALWAYS
        handle = _kernel.CreateFileW(str(path), access, _SHARE_READ_WRITE, None, when, how, None)
        if handle == _INVALID_HANDLE or handle is None:
            code = ctypes.get_last_error()
            if path.is_dir():
                raise not_plain(path)
            raise OSError(0, ctypes.FormatError(code).strip(), str(path), code)
        return int(handle)

    def _reparse_tag(handle: int) -> int:
        found = (wintypes.DWORD * 2)()
        ok = _kernel.GetFileInformationByHandleEx(
            ctypes.c_void_p(handle), _FILE_ATTRIBUTE_TAG_INFO, ctypes.byref(found), ctypes.sizeof(found)
        )
        return int(found[1]) if ok and found[0] & _REPARSE_POINT else 0

    def change_time(path: str) -> int:
        """When a file last changed by the file system's own account, as Windows counts; 0 where that is not told.

        Programs set the other times, not this one. A link is not followed, and no right to read the file is needed.
        """
        how = _OPEN_REPARSE_POINT | _BACKUP_SEMANTICS
        handle = _kernel.CreateFileW(path, _READ_ATTRIBUTES, _SHARE_ALL, None, _OPEN_EXISTING, how, None)
        if handle == _INVALID_HANDLE or handle is None:
            return 0
        try:
            # Of creation, last access, last writing and change; then the attributes.
            found = (ctypes.c_longlong * 5)()
            ok = _kernel.GetFileInformationByHandleEx(
                ctypes.c_void_p(handle), _FILE_BASIC_INFO, ctypes.byref(found), ctypes.sizeof(found)
            )
            return found[3] if ok else 0
        finally:
            _kernel.CloseHandle(ctypes.c_void_p(handle))

    @contextlib.contextmanager
    def folder_of(path: Path) -> Iterator[tuple[None, Path]]:
        """The folder that a name is in: here the whole path is used, after a look at the folder."""
        if SUBFOLDER in path.parent.parts:
            refuse_link(path.parent)
        yield None, path

    def new_folder(path: Path, mode: int = FOLDER_MODE) -> None:
        """Make a folder in one that exists; it inherits its rights."""
        del mode
        path.mkdir()

else:

    def _descriptor(path: Path, flags: int, mode: int) -> int:
        how = flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        with folder_of(path) as (folder, name):
            try:
                if not flags & os.O_CREAT:
                    return os.open(name, how, dir_fd=folder)
                try:
                    descriptor = os.open(name, how | os.O_EXCL, mode, dir_fd=folder)
                except FileExistsError:
                    if flags & os.O_EXCL:
                        raise
                    # What is there keeps its mode: it may be another file by a second name.
                    return os.open(name, how, mode, dir_fd=folder)
            except OSError as error:
                # A link; a folder that would be written to; a pipe without a reader or a socket.
                if error.errno in {errno.ELOOP, errno.EISDIR, errno.ENXIO, errno.EOPNOTSUPP}:
                    raise not_plain(path) from error
                raise
            # Whatever the umask. Some file systems have no modes.
            with contextlib.suppress(OSError):
                os.fchmod(descriptor, mode)
            return descriptor

    def new_folder(path: Path, mode: int = FOLDER_MODE) -> None:
        """Make a folder in one that exists, with these rights."""
        with folder_of(path) as (folder, name):
            os.mkdir(name, mode, dir_fd=folder)
            # Whatever the umask; the folder above may hand its group on. Some file systems have no modes.
            with contextlib.suppress(OSError):
                made = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
                try:
                    os.fchmod(made, mode | os.fstat(made).st_mode & stat.S_ISGID)
                finally:
                    os.close(made)

    @contextlib.contextmanager
    def folder_of(path: Path) -> Iterator[tuple[int, str]]:
        """The folder that a name is in, open, and the name. No link below the repository is followed."""
        descriptor = open_folder(path.parent)
        try:
            yield descriptor, path.name
        finally:
            os.close(descriptor)

    def open_folder(folder: Path) -> int:
        """Open a folder. What a person named may be reached through links, the tool's own folders may not.

        Raises:
            MachineError: `subfolder-is-a-link`.
            OSError: the disk refused.
        """
        own = [folder, *folder.parents]
        at = next((number for number, path in enumerate(own) if path.name == SUBFOLDER), -1)
        descriptor = os.open(own[at + 1], _FOLDER)
        for path in reversed(own[: at + 1]):
            try:
                inner = os.open(path.name, _FOLDER | os.O_NOFOLLOW, dir_fd=descriptor)
            except OSError:
                refuse_link(path)
                raise
            finally:
                os.close(descriptor)
            descriptor = inner
        return descriptor

    # Where systems know it, a descriptor that needs no right to read the folder.
    _FOLDER: Final = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_CLOEXEC
