"""Who may change what a Windows service runs and heeds. Ours runs with all rights, so nobody but administrators may.

Wine keeps no access control lists to speak of: what is done here shows only on Windows itself.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

# Evidence: "Well-known SIDs" on Microsoft Learn: Everyone, Authenticated Users, Interactive, Users.
_ANYBODY: Final = ("S-1-1-0", "S-1-5-11", "S-1-5-4", "S-1-5-32-545")

# Evidence: "File Access Rights Constants" and "Access Mask Format" on Microsoft Learn. Write, append, delete a
# child, delete, change the rights, become the owner, generic write, generic all.
_CHANGES: Final = 0x2 | 0x4 | 0x40 | 0x10000 | 0x40000 | 0x80000 | 0x40000000 | 0x10000000

_ALLOWED: Final = 0
_FOR_CHILDREN_ONLY: Final = 0x8

# Owned by the administrators; all rights for them and the system, reading for users; nothing from above.
# Evidence: "Security Descriptor Definition Language" on Microsoft Learn.
_CLOSED: Final = "O:BAD:PAI(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)(A;OICI;0x1200a9;;;BU)"


def open_to_anybody(paths: Iterable[Path]) -> list[Path]:
    """Those of the paths that more than administrators may change. What cannot be told is not so."""
    import pywintypes

    found = []
    for path in paths:
        with contextlib.suppress(pywintypes.error):
            if _open(path):
                found.append(path)
    return found


def _open(path: Path) -> bool:
    import win32security

    rights = win32security.GetFileSecurity(str(path), win32security.DACL_SECURITY_INFORMATION)
    entries: Any = rights.GetSecurityDescriptorDacl()
    if entries is None:
        return True
    for number in range(entries.GetAceCount()):
        (kind, flags), mask, *_, sid = entries.GetAce(number)
        counts = kind == _ALLOWED and not flags & _FOR_CHILDREN_ONLY and mask & _CHANGES
        if counts and win32security.ConvertSidToStringSid(sid) in _ANYBODY:
            return True
    return False


def close(folder: Path) -> None:
    """Make a folder that is the tool's own, and let administrators alone change what is in it.

    `%ProgramData%` lets every user make folders, so one that waits there under our name may be anybody's.

    Raises:
        OSError: it cannot be made.
    """
    import pywintypes
    import win32security

    folder.mkdir(parents=True, exist_ok=True)
    wanted = win32security.ConvertStringSecurityDescriptorToSecurityDescriptor(_CLOSED, win32security.SDDL_REVISION_1)
    what = (
        win32security.OWNER_SECURITY_INFORMATION
        | win32security.DACL_SECURITY_INFORMATION
        | win32security.PROTECTED_DACL_SECURITY_INFORMATION
    )
    with contextlib.suppress(pywintypes.error):
        win32security.SetNamedSecurityInfo(
            str(folder),
            win32security.SE_FILE_OBJECT,
            what,
            wanted.GetSecurityDescriptorOwner(),
            None,
            wanted.GetSecurityDescriptorDacl(),
            None,
        )
