r"""Names and places: what may be joined to a folder, and how Windows finds what lies deep or has an odd name.

Windows has two forms of a path. The ordinary one may have 259 characters, loses dots and spaces at
the end of a name, and takes some names for devices. The extended one, `\\?\C:\...` or
`\\?\UNC\server\share\...`, goes to the file system as it is. The tool works with the extended form
where the ordinary one would not do, and shows the ordinary one to people.

Evidence: "Naming Files, Paths, and Namespaces" and "Maximum Path Length Limitation" on Microsoft Learn.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
import sys
from pathlib import Path
from typing import Final

from repo_manager.core.errors import InputError, MachineError

SUBFOLDER: Final = ".repo-manager"

# A path ends with a zero, a folder's must leave room for a short name.
_LONGEST: Final = 259
_LONGEST_FOLDER: Final = 247

# `\.repo-manager\retired\` and a transaction's identity before the name, `.part.json` behind one of 105 characters.
_ROOM_BELOW: Final = 160

_EXTENDED: Final = "\\\\?\\"
_DEVICE: Final = "\\\\.\\"
# Compiled when they are first asked for: every command is quicker to start.
_DRIVE_OR_SHARE: Final = r"[a-z]:\\|unc\\"
_DEVICE_NAME: Final = r"(?:con|prn|aux|nul|conin\$|conout\$|(?:com|lpt)[0-9\u00b9\u00b2\u00b3]) *(?:[.:].*)?"


def reachable(path: Path) -> Path:
    """A path a person named, in the form in which Windows finds all that lies below it. Elsewhere, the path itself.

    Raises:
        InputError: it is a device, or no system can have such a path.
    """
    if "\0" in str(path):
        raise InputError("not-a-path", f"{str(path)[:80]!r} holds a zero character", "name a file or a folder")
    return Path(extended(os.path.abspath(path))) if sys.platform == "win32" else path  # noqa: PTH100 - asks Windows


def real(path: Path) -> Path:
    """Where a path leads through all links, in the ordinary form; the path itself where its volume cannot tell."""
    path = reachable(path)
    with contextlib.suppress(OSError):
        path = Path(os.path.realpath(path))
    return Path(shown(path))


def place_of(path: Path) -> Path:
    """The same for each way to write one place: by links, by `..`, and in any case where Windows knows only one."""
    return Path(os.path.normcase(real(path)))


def inside(folder: Path, name: str) -> Path:
    """The file of that name in a folder, whatever a name Windows makes of others like it."""
    return Path(joined(str(folder), name)) if sys.platform == "win32" else folder / name


def shown(path: Path | str) -> str:
    """A path as people write it."""
    return plain(str(path)) if sys.platform == "win32" else str(path)


# The same on texts, on any system.


def extended(absolute: str) -> str:
    r"""An absolute path of Windows, in its extended form if it is so long that names below it may not be found.

    Raises:
        InputError: it is a device, as Windows says of `NUL` or `C:\folder\CON`.
    """
    if absolute.startswith(_DEVICE):
        raise InputError(
            "not-a-path", f"{absolute.removeprefix(_DEVICE)} is a device of Windows", "name a file or a folder"
        )
    return _prefixed(absolute) if len(absolute) > _LONGEST - _ROOM_BELOW else absolute


def joined(folder: str, name: str) -> str:
    """A folder of Windows, absolute and as `extended` gives it, and the name of a file in it."""
    path = f"{folder.rstrip(chr(92))}\\{name}"
    return _prefixed(path) if len(path) > _LONGEST_FOLDER or is_odd(name) else path


def is_odd(name: str) -> bool:
    """Whether Windows takes the name for another one, or for a device, in an ordinary path."""
    return name.endswith((".", " ")) or re.fullmatch(_DEVICE_NAME, name, re.IGNORECASE) is not None


def plain(path: str) -> str:
    """The ordinary form of a path of Windows; a volume without a letter has none."""
    rest = path.removeprefix(_EXTENDED)
    if rest == path or not re.match(_DRIVE_OR_SHARE, rest, re.IGNORECASE):
        return path
    return f"\\\\{rest[4:]}" if rest[:4].lower() == "unc\\" else rest


def _prefixed(absolute: str) -> str:
    if absolute.startswith(_EXTENDED):
        return absolute
    if absolute.startswith("\\\\"):
        return f"{_EXTENDED}UNC{absolute[1:]}"
    return f"{_EXTENDED}{absolute}"


# What may be joined


def component(name: str) -> str:
    """The name, if it is a single path component that stays in its folder.

    Raises:
        InputError: it is a path, or a name that Windows would take for something else.
    """
    if name in {"", ".", ".."} or any(character in name for character in "/\\:\0"):
        raise _not_a_name(name)
    return name


def own_name(name: str) -> str:
    """The name of a file as a scan found it: there, whatever the system allows in a name is a name.

    Raises:
        InputError: it is a path.
    """
    if sys.platform == "win32":
        return component(name)
    if name in {"", ".", ".."} or "/" in name or "\0" in name:
        raise _not_a_name(name)
    return name


def _not_a_name(name: str) -> InputError:
    return InputError("not-a-file-name", f"{name[:80]!r} is not a file's name", "give a name without a path")


# Where the tool's own folders may lie


def refuse_elsewhere(path: Path, repository: Path) -> None:
    """See that a folder of the tool's own lies on the repository's volume, or is not there yet.

    Only there is a rename one step, from which a file comes whole or not at all.

    Raises:
        MachineError: it is a link, or another volume is mounted there.
        OSError: the disk refused.
    """
    try:
        found = path.lstat()
    except FileNotFoundError:
        return
    _refuse_link(path, found)
    if found.st_dev != repository.stat().st_dev:
        raise other_volume(path)


def refuse_link(path: Path) -> None:
    """See that something of the tool's own, which exists, is what it seems to be.

    Raises:
        MachineError: it is a link.
        OSError: the disk refused.
    """
    _refuse_link(path, path.lstat())


def _refuse_link(path: Path, found: os.stat_result) -> None:
    if is_link(found):
        raise MachineError(
            "subfolder-is-a-link",
            f"{shown(path)} is a link; what is staged and retired must lie on the repository's own volume",
            "remove the link, then run the same command again",
        )


def is_link(status: os.stat_result) -> bool:
    """Whether `lstat` saw something that leads elsewhere: a symbolic link, a junction, a mounted folder."""
    if stat.S_ISLNK(status.st_mode):
        return True
    # Not every reparse point leads elsewhere: deduplicated and cloud files are where they seem to be.
    return sys.platform == "win32" and bool(status.st_reparse_tag & _NAME_SURROGATE)


# Evidence: IsReparseTagNameSurrogate in winnt.h of the Windows SDK.
_NAME_SURROGATE: Final = 0x20000000


def other_volume(path: Path) -> MachineError:
    """A folder of the tool's own lies where no rename leads from it into the repository."""
    return MachineError(
        "subfolder-on-another-volume",
        f"{shown(path)} lies on another volume; what is staged and retired must lie on the repository's own",
        "move what is mounted there elsewhere, then run the same command again",
    )
