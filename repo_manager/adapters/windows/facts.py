"""What Windows tells of the machine: drives, installed programs, services, rights. Elsewhere there is nothing to tell.

The only module that reads the registry. What cannot be asked is not there: looking for a folder must
not fail because one of the places to look at does.
"""

from __future__ import annotations

import contextlib
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# Evidence: the article on managing the configuration server says in which order to uninstall the
# programs; the names of the servers' own all begin so.
PRODUCT: Final = "Microsoft Azure Site Recovery"

UNINSTALL: Final = r"SOFTWARE\Microsoft\Windows\CurrentVersion\Uninstall"

# From winbase.h, winnt.h and fileapi.h.
_DRIVE_FIXED: Final = 3
_LIST_ADD_AND_ENTER: Final = 0x0001 | 0x0002 | 0x0004 | 0x0020
_SHARE_ALL: Final = 0x0007
_OPEN_EXISTING: Final = 3
_BACKUP_SEMANTICS: Final = 0x02000000
_LONGEST_NAME: Final = 261


@dataclass(frozen=True, slots=True)
class ThisMachine:
    """The machine this runs on, as `places.Machine` wants it."""

    environ: Mapping[str, str]

    def fixed_drives(self) -> tuple[Path, ...]:
        """The roots of the drives that are built in, by letter: no CD, no stick, no mapped share."""
        if sys.platform != "win32":
            return ()
        import ctypes

        kernel = ctypes.windll.kernel32
        mask = kernel.GetLogicalDrives()
        roots = (f"{chr(ord('A') + number)}:\\" for number in range(26) if mask >> number & 1)
        return tuple(Path(root) for root in roots if kernel.GetDriveTypeW(root) == _DRIVE_FIXED)

    def installed(self) -> tuple[Path, ...]:
        """Where the programs of Site Recovery are installed, as Windows lists them; in no particular order."""
        return tuple(dict.fromkeys(_install_locations()))

    def has_service(self, name: str) -> bool:
        """Whether a service of that name, key or displayed, is installed."""
        from repo_manager.adapters.windows.service import service_of
        from repo_manager.core.errors import ServiceError
        from repo_manager.core.service import ServiceState

        try:
            return service_of(name).state() is not ServiceState.ABSENT
        except ServiceError:
            # There is one, and this user may not ask it.
            return True


def _install_locations() -> Iterator[Path]:
    if sys.platform != "win32":
        return
    import winreg

    # A 32-bit setup writes into a view of its own.
    for view in (winreg.KEY_WOW64_64KEY, winreg.KEY_WOW64_32KEY):
        access = winreg.KEY_READ | view
        with contextlib.suppress(OSError), winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, UNINSTALL, 0, access) as programs:
            for number in range(winreg.QueryInfoKey(programs)[0]):
                with (
                    contextlib.suppress(OSError),
                    winreg.OpenKey(programs, winreg.EnumKey(programs, number), 0, access) as program,
                ):
                    name, _ = winreg.QueryValueEx(program, "DisplayName")
                    location, _ = winreg.QueryValueEx(program, "InstallLocation")
                    folder = Path(str(location).strip().strip('"'))
                    if str(name).startswith(PRODUCT) and folder.is_absolute():
                        yield folder


def is_elevated() -> bool | None:
    """Whether this process has an administrator's rights; None where Windows cannot be asked."""
    if sys.platform != "win32":
        return None
    import ctypes

    return bool(ctypes.windll.shell32.IsUserAnAdmin())


def may_fill(folder: Path) -> bool:
    """Whether files may be put there, asked by opening the folder for it. Nothing is changed.

    The attribute that Python's own question looks at says nothing of a folder's rights.
    """
    if sys.platform != "win32":
        raise AssertionError(folder)
    import ctypes

    kernel = ctypes.WinDLL("kernel32")
    kernel.CreateFileW.restype = ctypes.c_void_p
    kernel.CreateFileW.argtypes = [
        ctypes.c_wchar_p,
        ctypes.c_uint32,
        ctypes.c_uint32,
        ctypes.c_void_p,
        ctypes.c_uint32,
        ctypes.c_uint32,
        ctypes.c_void_p,
    ]
    kernel.CloseHandle.argtypes = [ctypes.c_void_p]
    handle = kernel.CreateFileW(
        str(folder), _LIST_ADD_AND_ENTER, _SHARE_ALL, None, _OPEN_EXISTING, _BACKUP_SEMANTICS, None
    )
    if handle is None or handle == ctypes.c_void_p(-1).value:
        return False
    kernel.CloseHandle(handle)
    return True


def file_system(folder: Path) -> str:
    """The name of the file system that a folder lies on, such as `NTFS`; empty where that cannot be told."""
    if sys.platform != "win32":
        return ""
    import ctypes

    kernel = ctypes.windll.kernel32
    root = ctypes.create_unicode_buffer(_LONGEST_NAME + len(str(folder)))
    name = ctypes.create_unicode_buffer(_LONGEST_NAME)
    if not kernel.GetVolumePathNameW(str(folder), root, len(root)):
        return ""
    told = kernel.GetVolumeInformationW(root.value, None, 0, None, None, None, name, len(name))
    return name.value if told else ""
