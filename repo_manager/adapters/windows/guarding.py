"""Whose a file of Windows is and who may change it: the decision on values, and the means to read and to correct it.

Wine keeps no access control lists to speak of: what is done here shows only on Windows itself.
"""

from __future__ import annotations

import contextlib
import struct
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

# Evidence: "Well-known SIDs" on Microsoft Learn: SYSTEM, Administrators, TrustedInstaller, and who owns a file.
_SYSTEM: Final = "S-1-5-18"
_ADMINISTRATORS: Final = "S-1-5-32-544"
_TRUSTED_INSTALLER: Final = "S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464"
_OWNER_RIGHTS: Final = "S-1-3-4"
_ACCEPTED: Final = frozenset({_SYSTEM, _ADMINISTRATORS, _TRUSTED_INSTALLER})

# Evidence: "File Access Rights Constants" and "Access Mask Format" on Microsoft Learn.
_WRITE: Final = 0x2
_APPEND: Final = 0x4
_DELETE_CHILD: Final = 0x40
_DELETE: Final = 0x10000
_CHANGE_RIGHTS: Final = 0x40000
_CHANGE_OWNER: Final = 0x80000
_ALL: Final = 0x10000000
_GENERIC_WRITE: Final = 0x40000000
# In a folder the right to write is the right to create files, which then belong to whoever creates them.
_CHANGES_FOLDER: Final = _DELETE_CHILD | _DELETE | _CHANGE_RIGHTS | _CHANGE_OWNER | _ALL
_CHANGES_FILE: Final = _CHANGES_FOLDER | _WRITE | _APPEND | _GENERIC_WRITE

# Evidence: ACE_HEADER on Microsoft Learn: the kinds that allow, plain and with a condition.
_ALLOWED: Final = frozenset({0, 9})
_FOR_CHILDREN_ONLY: Final = 0x8


@dataclass(frozen=True, slots=True)
class AccessEntry:
    """One entry of an access control list: who gets which rights. `own` is false where it is for children alone."""

    who: str
    rights: int
    own: bool = True


@dataclass(frozen=True, slots=True)
class Descriptor:
    """Whose a file is, and the entries that allow something. `entries` is None where everyone may do everything."""

    owner: str | None
    entries: tuple[AccessEntry, ...] | None


def judge(descriptor: Descriptor, user: str, *, folder: bool) -> str | None:
    """What is wrong with a file or folder for this user, None where nothing is. SIDs are texts such as `S-1-5-18`."""
    accepted = _ACCEPTED | {user}
    if descriptor.owner is not None and descriptor.owner not in accepted:
        return f"belongs to {descriptor.owner}"
    if descriptor.entries is None:
        return "can be changed by everyone: it has no access control list"
    changes = _CHANGES_FOLDER if folder else _CHANGES_FILE
    for entry in descriptor.entries:
        if entry.own and entry.rights & changes and entry.who not in accepted | {_OWNER_RIGHTS}:
            return f"can be changed by {_KNOWN.get(entry.who, entry.who)}"
    return None


_KNOWN: Final = {
    "S-1-1-0": "Everyone",
    "S-1-5-11": "Authenticated Users",
    "S-1-5-4": "Interactive",
    "S-1-5-32-545": "Users",
}


def parse(data: bytes) -> Descriptor:
    """A descriptor as Windows gives it, self-relative.

    Evidence: [MS-DTYP] 2.4.6 SECURITY_DESCRIPTOR, 2.4.5 ACL, 2.4.4 ACE, 2.4.2.2 SID.

    Raises:
        ValueError: it is none.
    """
    try:
        _, _, control, owner, _, _, entries = struct.unpack_from("<BBHIIII", data)
        who = _sid(data, owner) if owner else None
        if not (control & _HAS_ENTRIES and entries):
            return Descriptor(who, None)
        count, at = struct.unpack_from("<H", data, entries + 4)[0], entries + 8
        found = []
        for _ in range(count):
            kind, flags, size = struct.unpack_from("<BBH", data, at)
            if kind in _ALLOWED:
                rights = struct.unpack_from("<I", data, at + 4)[0]
                found.append(AccessEntry(_sid(data, at + 8), rights, not flags & _FOR_CHILDREN_ONLY))
            at += size
        return Descriptor(who, tuple(found))
    except struct.error as error:
        raise ValueError("no security descriptor") from error


_HAS_ENTRIES: Final = 0x4


def own_entries(data: bytes) -> bytes | None:
    """The access control list of a descriptor without what it has inherited; None where it is to inherit nothing.

    Evidence: [MS-DTYP] 2.4.6 SECURITY_DESCRIPTOR, 2.4.5 ACL, 2.4.4.1 ACE_HEADER.

    Raises:
        ValueError: it is none.
    """
    try:
        _, _, control, _, _, _, at = struct.unpack_from("<BBHIIII", data)
        if control & _PROTECTED:
            return None
        revision, count, kept = 2, 0, []
        if control & _HAS_ENTRIES and at:
            revision, _, _, count, _ = struct.unpack_from("<BBHHH", data, at)
            at += 8
        for _ in range(count):
            _, flags, size = struct.unpack_from("<BBH", data, at)
            if not flags & _INHERITED:
                kept.append(struct.unpack_from(f"{size}s", data, at)[0])
            at += size
    except struct.error as error:
        raise ValueError("no security descriptor") from error
    entries = b"".join(kept)
    return struct.pack("<BBHHH", revision, 0, 8 + len(entries), len(kept), 0) + entries


_PROTECTED: Final = 0x1000
_INHERITED: Final = 0x10


def _sid(data: bytes, at: int) -> str:
    revision, count = struct.unpack_from("<BB", data, at)
    authority = int.from_bytes(data[at + 2 : at + 8], "big")
    return "-".join(["S", str(revision), str(authority), *map(str, struct.unpack_from(f"<{count}I", data, at + 8))])


if sys.platform == "win32":
    import ctypes
    from ctypes import wintypes
    from functools import cache

    # Evidence: GetFileSecurityW, SetNamedSecurityInfoW, SECURITY_INFORMATION, GetTokenInformation,
    # GetVolumeInformationW, GetDriveTypeW on Microsoft Learn.
    _OWNER_AND_ENTRIES: Final = 0x1 | 0x4
    _ENTRIES_AND_INHERITED: Final = 0x4 | 0x20000000
    _FILE: Final = 1
    _TOKEN_QUERY: Final = 0x8
    _TOKEN_USER: Final = 1
    _REMOTE: Final = 4
    _PERSISTENT_ACLS: Final = 0x8
    _LONGEST: Final = 33000

    _advapi = ctypes.WinDLL("advapi32", use_last_error=True)
    _kernel = ctypes.WinDLL("kernel32", use_last_error=True)
    _kernel.GetCurrentProcess.restype = wintypes.HANDLE
    _advapi.OpenProcessToken.argtypes = (wintypes.HANDLE, wintypes.DWORD, ctypes.POINTER(wintypes.HANDLE))
    _advapi.GetTokenInformation.argtypes = (
        *(wintypes.HANDLE, ctypes.c_int, ctypes.c_void_p, wintypes.DWORD, ctypes.POINTER(wintypes.DWORD)),
    )
    _advapi.GetFileSecurityW.argtypes = (
        *(wintypes.LPCWSTR, wintypes.DWORD, ctypes.c_void_p, wintypes.DWORD, ctypes.POINTER(wintypes.DWORD)),
    )

    _advapi.SetNamedSecurityInfoW.restype = wintypes.DWORD
    _advapi.SetNamedSecurityInfoW.argtypes = (
        *(wintypes.LPCWSTR, ctypes.c_int, wintypes.DWORD),
        *(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p),
    )

    def doubt(path: Path, *, creating: bool = False) -> str | None:
        """What is wrong with a file or folder, None where nothing is or nothing can be told.

        With `creating`, no others may create files in a folder either: everything in it is run.
        """
        with contextlib.suppress(OSError, ValueError):
            if keeps_owners(path):
                return judge(parse(_descriptor(path)), _user(), folder=path.is_dir() and not creating)
        return None

    def inherit(path: Path) -> None:
        """Let a file that was moved inherit from its new folder. What was given to the file itself stays.

        Raises:
            OSError: Windows refused.
            ValueError: what it told is no security descriptor.
        """
        if keeps_owners(path):
            _inherit(path)

    def _inherit(path: Path) -> None:
        entries = own_entries(_descriptor(path))
        if entries is None:
            return
        # A list without what was inherited: Windows adds what the folder hands on.
        code = _advapi.SetNamedSecurityInfoW(str(path), _FILE, _ENTRIES_AND_INHERITED, None, None, entries, None)
        if code:
            raise ctypes.WinError(code)

    def keeps_owners(path: Path) -> bool:
        """Whether the volume says whose a file is: shares are their server's matter, FAT has no owners."""
        return not _under_wine() and volume_keeps_owners(path)

    def volume_keeps_owners(path: Path) -> bool:
        """The same by what is said of the volume alone."""
        return _volume_keeps_owners(path.absolute().anchor)

    @cache
    def _under_wine() -> bool:
        return hasattr(ctypes.WinDLL("ntdll"), "wine_get_version")

    @cache
    def _volume_keeps_owners(root: str) -> bool:
        flags = wintypes.DWORD()
        if _kernel.GetDriveTypeW(root) == _REMOTE or root.startswith(("\\\\?\\UNC", "\\\\.\\")):
            return False
        told = _kernel.GetVolumeInformationW(root, None, 0, None, None, ctypes.byref(flags), None, 0)
        return bool(told and flags.value & _PERSISTENT_ACLS)

    def _descriptor(path: Path) -> bytes:
        needed = wintypes.DWORD()
        _advapi.GetFileSecurityW(str(path), _OWNER_AND_ENTRIES, None, 0, ctypes.byref(needed))
        buffer = ctypes.create_string_buffer(needed.value)
        if not _advapi.GetFileSecurityW(str(path), _OWNER_AND_ENTRIES, buffer, needed, ctypes.byref(needed)):
            raise ctypes.WinError(ctypes.get_last_error())
        return buffer.raw

    @cache
    def _user() -> str:
        """The SID of the running user."""
        token, needed = wintypes.HANDLE(), wintypes.DWORD()
        if not _advapi.OpenProcessToken(_kernel.GetCurrentProcess(), _TOKEN_QUERY, ctypes.byref(token)):
            raise ctypes.WinError(ctypes.get_last_error())
        try:
            _advapi.GetTokenInformation(token, _TOKEN_USER, None, 0, ctypes.byref(needed))
            buffer = ctypes.create_string_buffer(needed.value)
            if not _advapi.GetTokenInformation(token, _TOKEN_USER, buffer, needed, ctypes.byref(needed)):
                raise ctypes.WinError(ctypes.get_last_error())
        finally:
            _kernel.CloseHandle(token)
        # SID_AND_ATTRIBUTES: a pointer to the SID, which is behind it in the same buffer.
        at = ctypes.c_void_p.from_buffer(buffer).value or 0
        return _sid(buffer.raw, at - ctypes.addressof(buffer))

else:

    def doubt(path: Path, *, creating: bool = False) -> str | None:
        """What is wrong with a file or folder: only Windows tells."""
        del path, creating
        return None


def open_to_anybody(paths: Iterable[Path]) -> list[Path]:
    """Those of the paths that others may change, or create files in. What cannot be told is not so."""
    return [path for path in paths if doubt(path, creating=True) is not None]


# Owned by the administrators; all rights for them and the system, reading for users; nothing from above.
# Evidence: "Security Descriptor Definition Language" on Microsoft Learn.
_CLOSED: Final = "O:BAD:PAI(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)(A;OICI;0x1200a9;;;BU)"
_SECRET: Final = "O:BAD:PAI(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)"  # noqa: S105 - rights


def close(folder: Path) -> None:
    """Make a folder that is the tool's own, and let administrators alone change what is in it.

    `%ProgramData%` lets every user make folders, so one that waits there under our name may be anybody's.

    Raises:
        OSError: it cannot be made.
    """
    import pywintypes

    folder.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(pywintypes.error):
        correct(folder)


def correct(path: Path, *, secret: bool = False) -> None:
    """Give a file or folder to the administrators, and let them alone change it; a secret they alone read.

    Raises:
        pywintypes.error: Windows refused.
    """
    import win32security

    _take_ownership()
    text = _SECRET if secret else _CLOSED
    wanted: Any = win32security.ConvertStringSecurityDescriptorToSecurityDescriptor(
        text if path.is_dir() else text.replace("OICI", ""), win32security.SDDL_REVISION_1
    )
    name = str(path)
    # The owner first: it is who may change the rights.
    win32security.SetNamedSecurityInfo(
        *(name, win32security.SE_FILE_OBJECT, win32security.OWNER_SECURITY_INFORMATION),
        *(wanted.GetSecurityDescriptorOwner(), None, None, None),
    )
    what = win32security.DACL_SECURITY_INFORMATION | win32security.PROTECTED_DACL_SECURITY_INFORMATION
    win32security.SetNamedSecurityInfo(
        *(name, win32security.SE_FILE_OBJECT, what, None, None, wanted.GetSecurityDescriptorDacl(), None)
    )


def _take_ownership() -> None:
    """Use the administrators' right to become the owner of any file, where this process has it."""
    import pywintypes
    import win32api
    import win32security

    with contextlib.suppress(pywintypes.error):
        token = win32security.OpenProcessToken(
            win32api.GetCurrentProcess(), win32security.TOKEN_ADJUST_PRIVILEGES | win32security.TOKEN_QUERY
        )
        wanted = [
            (win32security.LookupPrivilegeValue(None, name), win32security.SE_PRIVILEGE_ENABLED)
            for name in ("SeTakeOwnershipPrivilege", "SeRestorePrivilege")
        ]
        win32security.AdjustTokenPrivileges(token, False, wanted)
