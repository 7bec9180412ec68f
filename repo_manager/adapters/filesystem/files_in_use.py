"""Who holds a file, where Windows tells; and what to say of a file that may not be touched.

Windows refuses a file that another program has open with errors that look much like missing rights.
Here they are told apart as far as that can be done.
"""

from __future__ import annotations

import contextlib
import errno
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from repo_manager.adapters.filesystem.paths import shown
from repo_manager.core.errors import FileInUseError, MachineError, NoRightsError

if TYPE_CHECKING:
    from pathlib import Path

# Evidence: "System Error Codes" on Microsoft Learn.
ACCESS_DENIED: Final = 5
SHARING_VIOLATION: Final = 32
LOCK_VIOLATION: Final = 33
DELETE_PENDING: Final = 303
USER_MAPPED_FILE: Final = 1224

IN_USE: Final = frozenset({SHARING_VIOLATION, LOCK_VIOLATION, DELETE_PENDING, USER_MAPPED_FILE})
PASSING: Final = IN_USE | {ACCESS_DENIED}
"""What may be over in a moment. Access denied is said of missing rights, and of files in use or about to vanish."""


@dataclass(frozen=True, slots=True)
class Holder:
    """A program that has a file open."""

    name: str
    process: int

    def __str__(self) -> str:
        return f"{self.name} (process {self.process})"


class FileUse(StrEnum):
    """What the system says of a file when it is asked for leave to rename or delete it."""

    FREE = "free"
    HELD = "held"
    VANISHING = "vanishing"
    FORBIDDEN = "forbidden"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Examined:
    """A file after a refusal: its grip, and who holds it. No holders does not mean that nobody does."""

    grip: FileUse
    holders: tuple[Holder, ...] = ()


Examine = Callable[["Path"], Examined]


def code_of(error: OSError) -> int | None:
    """The error's code on Windows, None where it has none.

    `open` goes through the C library, which keeps an errno alone and makes EACCES of a file in use too.
    """
    code: int | None = getattr(error, "winerror", None)
    if code is None and sys.platform == "win32" and error.errno == errno.EACCES:
        return ACCESS_DENIED
    return code


def refusal(error: OSError, paths: Sequence[Path], examine: Examine) -> MachineError | None:
    """What to say of an error that speaks of use or rights, None of any other.

    `paths` are the files and folders it may be about, the likeliest first. The code is `file-in-use` or `no-rights`.
    """
    code = code_of(error)
    if code not in PASSING:
        return None
    seen = [(path, examine(path)) for path in paths]
    for path, examined in seen:
        if examined.holders or examined.grip in {FileUse.HELD, FileUse.VANISHING}:
            return _in_use(path, examined)
    if code in IN_USE:
        return _in_use(paths[0], Examined(FileUse.HELD if code != DELETE_PENDING else FileUse.VANISHING))
    for path, examined in seen:
        if examined.grip is FileUse.FORBIDDEN:
            return NoRightsError("no-rights", f"{shown(path)}: this user may not change it", _GET_RIGHTS)
    return NoRightsError(
        "no-rights",
        f"{shown(paths[0])}: access denied; either this user may not change it, or a program holds it:"
        " Windows does not say which",
        f"{_GET_RIGHTS}; if that does not help, {_CLOSE}",
    )


_GET_RIGHTS: Final = "run as a user who may write here, or have the rights granted"
_CLOSE: Final = "close the program that holds the file (antivirus, backup, viewer), then run again"


def _in_use(path: Path, examined: Examined) -> MachineError:
    who = ", ".join(map(str, examined.holders))
    if examined.grip is FileUse.VANISHING:
        words = f"was deleted, and stays until it is closed by {who or 'the program that has it open'}"
    else:
        words = f"is in use by {who or 'another program'}"
    hint = f"close {examined.holders[0].name}, then run again" if len(examined.holders) == 1 else _CLOSE
    return FileInUseError("file-in-use", f"{shown(path)} {words}", hint)


if sys.platform == "win32":
    import ctypes
    from ctypes import wintypes

    # Evidence: MoveFileExW, CreateFileW, RmGetList and RM_PROCESS_INFO on Microsoft Learn.
    _DELETE: Final = 0x00010000
    _ADD_FILE: Final = 0x00000002
    _SHARE_ALL: Final = 7
    _OPEN_EXISTING: Final = 3
    # A folder can be opened with the first; a link is not followed with the second.
    _BACKUP_SEMANTICS: Final = 0x02000000
    _OPEN_REPARSE_POINT: Final = 0x00200000
    _STATUS_DELETE_PENDING: Final = 0xC0000056
    _INVALID_HANDLE: Final = ctypes.c_void_p(-1).value

    def examine(path: Path) -> Examined:
        """Ask Windows. Never fails: what cannot be told is unknown."""
        if path.is_dir():
            return Examined(_grip(path, _ADD_FILE))
        return Examined(_grip(path, _DELETE), holders_of(path))

    def _grip(path: Path, access: int) -> FileUse:
        """Open it for `access`, sharing everything, and look at what Windows has against that."""
        kernel = ctypes.WinDLL("kernel32", use_last_error=True)
        kernel.CreateFileW.restype = ctypes.c_void_p
        last_status = ctypes.WinDLL("ntdll").RtlGetLastNtStatus
        last_status.restype = wintypes.ULONG
        how = _BACKUP_SEMANTICS | _OPEN_REPARSE_POINT
        handle = kernel.CreateFileW(str(path), access, _SHARE_ALL, None, _OPEN_EXISTING, how, None)
        # Asked for at once: it says more than the error code that is made of it.
        status, code = last_status(), ctypes.get_last_error()
        if handle != _INVALID_HANDLE:
            kernel.CloseHandle(ctypes.c_void_p(handle))
            return FileUse.FREE
        if code in IN_USE:
            return FileUse.VANISHING if code == DELETE_PENDING else FileUse.HELD
        if code == ACCESS_DENIED:
            return FileUse.VANISHING if status == _STATUS_DELETE_PENDING else FileUse.FORBIDDEN
        return FileUse.UNKNOWN

    class _Process(ctypes.Structure):
        _fields_ = (
            ("process", wintypes.DWORD),
            ("started", wintypes.FILETIME),
            ("application", wintypes.WCHAR * 256),
            ("service", wintypes.WCHAR * 64),
            ("kind", wintypes.DWORD),
            ("status", wintypes.ULONG),
            ("session", wintypes.DWORD),
            ("restartable", wintypes.BOOL),
        )

    def holders_of(path: Path, manager: Any = None) -> tuple[Holder, ...]:  # noqa: ANN401 - a library
        """The programs that have a file open; none where the Restart Manager is missing, or does not say.

        `manager` is `rstrtmgr.dll`, or a stand-in.
        """
        with contextlib.suppress(OSError):
            manager = manager or ctypes.WinDLL("rstrtmgr")
            session = wintypes.DWORD()
            # The session's key is a GUID as text.
            if manager.RmStartSession(ctypes.byref(session), 0, ctypes.create_unicode_buffer(33)) != 0:
                return ()
            try:
                files = (wintypes.LPCWSTR * 1)(shown(path))
                if manager.RmRegisterResources(session, 1, files, 0, None, 0, None) == 0:
                    return _listed(manager, session)
            finally:
                manager.RmEndSession(session)
        return ()

    # More than anybody names in one sentence.
    _MOST: Final = 16

    def _listed(manager: Any, session: wintypes.DWORD) -> tuple[Holder, ...]:  # noqa: ANN401 - same
        found = (_Process * _MOST)()
        needed, count, reasons = wintypes.UINT(), wintypes.UINT(_MOST), wintypes.DWORD()
        answer = manager.RmGetList(session, ctypes.byref(needed), ctypes.byref(count), found, ctypes.byref(reasons))
        if answer != 0:
            return ()
        # A stub says that it went well, and leaves the count as it was.
        listed = found[: min(count.value, needed.value)]
        return tuple(Holder(item.application or item.service, item.process) for item in listed)

else:

    def examine(_path: Path) -> Examined:
        """Elsewhere nobody holds a file in a way that hinders."""
        return Examined(FileUse.UNKNOWN)

    def holders_of(_path: Path, _manager: Any = None) -> tuple[Holder, ...]:  # noqa: ANN401 - as on Windows
        """None."""
        return ()
