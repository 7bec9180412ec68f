"""Which local files the tool believes: those that administrators and the running user alone could have written.

In the way of OpenSSH's StrictModes: a file is believed if it, each folder on its path and each link on the way belong
to an accepted owner, and only accepted owners may change them. A folder in which everyone may create entries, but not
rename or delete those of others, is accepted too: what is planted there has another owner. On POSIX such a folder is
sticky, as `/tmp` is.

Accepted owners are root and the running user; on Windows SYSTEM, the administrators, and the running user.
A file system that keeps no owners (FAT, a share) says nothing, so nothing is refused on it.
"""

from __future__ import annotations

import contextlib
import os
import stat
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from repo_manager.adapters.filesystem.paths import reachable, shown
from repo_manager.core.errors import UntrustedFileError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from repo_manager.core.audit.findings import Exposed

CORRECT: Final = "repo-manager doctor --fix-permissions"
"""The command that corrects the owners and permissions of an installation's own files."""

OTHERS_WRITE: Final = stat.S_IWGRP | stat.S_IWOTH
_MOST_LINKS: Final = 40
_MOUNTS: Final = Path("/proc/self/mountinfo")


@dataclass(frozen=True, slots=True)
class TrustProblem:
    """Why a path is not believed.

    Attributes:
        path: the file, a folder on the way to it, or a link.
        what: what is wrong with it, as the end of a sentence that begins with the path.
        correction: a command that corrects it, where the tool's own does not.
    """

    path: Path
    what: str
    correction: str


@dataclass(frozen=True, slots=True)
class Correction:
    """What the tool's own command corrects: `own` and all below it, when it is given these further options."""

    own: Path
    options: str = ""


def read(path: Path, *, most: int = -1, correction: Correction | None = None, within: Path | None = None) -> bytes:
    """The bytes of a file that is believed; `most` of them at the most.

    The opened file is judged before anything is read, then the path to it. So a file that is exchanged meanwhile
    is not believed either.

    Args:
        path: the file.
        most: how many bytes, all where it is negative.
        correction: what the tool's own command corrects; None where only the system's commands do.
        within: judge no folder above this one.

    Raises:
        InputError: `untrusted-file`.
        OSError: it cannot be read.
    """
    try:
        with open(reachable(path), "rb", opener=without_waiting) as file:
            require(path, correction=correction, within=within, opened=file.fileno())
            if sys.platform != "win32":
                os.set_blocking(file.fileno(), True)
            return file.read(most)
    except FileNotFoundError:
        # A folder that others own could hold the file a moment later.
        if path.parent.is_dir():
            require(path.parent, correction=correction, within=within)
        raise


def without_waiting(path: str, flags: int) -> int:
    """An opener for `open` that does not wait for the other end of a pipe."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def require(
    path: Path, *, correction: Correction | None = None, within: Path | None = None, opened: int | None = None
) -> None:
    """See that a file or folder is believed.

    Args:
        path: the file or folder.
        correction: what the tool's own command corrects; None where only the system's commands do.
        within: judge no folder above this one.
        opened: the descriptor of the file, where it is open.

    Raises:
        InputError: `untrusted-file`.
        OSError: it cannot be looked at.
    """
    found = doubt(path, within=within, opened=opened)
    if found is not None:
        raise untrusted(path, found, correction)


def untrusted(path: Path, found: TrustProblem, correction: Correction | None) -> UntrustedFileError:
    """What to say of a file that is not believed."""
    whole = _whole(path)
    place = "it" if _whole(found.path) == whole else shown(found.path)
    own = correction is not None and _whole(found.path).is_relative_to(_whole(correction.own))
    command = f"run '{CORRECT}{correction.options}'" if correction and own else f"run: {found.correction}"
    message = f"{shown(whole)} is not trusted: {place} {found.what}"
    return UntrustedFileError("untrusted-file", message, f"check its contents, then {command}")


def _whole(path: Path) -> Path:
    return Path(os.path.abspath(path))  # noqa: PTH100 - does not follow links


def doubt(path: Path, *, within: Path | None = None, opened: int | None = None) -> TrustProblem | None:
    """Why a file or folder is not believed, None where it is.

    Raises:
        OSError: it cannot be looked at.
    """
    if opened is not None and (found := _of_opened(path, opened)) is not None:
        return found
    for place, of_place in _way(reachable(path), within):
        if of_place is not None:
            return TrustProblem(place, *of_place)
    return None


def exposed(folder: Path, names: Iterable[str]) -> Exposed:
    """What others can change of a folder and the files of these names in it. What cannot be looked at is not so.

    Where others may create files in the folder, but not rename or delete what is there, that is no exposure.
    """
    from repo_manager.core.audit.findings import Exposed

    place = reachable(folder)
    files = {name: what for name in names if (what := _own_doubt(place / name)) is not None}
    return Exposed(_own_doubt(place) or "", files)


def closing(folder: Path, what: str) -> str:
    """Commands of the system that close a folder and the files in it to others, where `what` is wrong with one."""
    place = shown(folder)
    if sys.platform == "win32":
        if what.startswith("belongs"):
            return f'icacls "{place}" /setowner *S-1-5-32-544 /T'
        return f'icacls "{place}" {_CLOSE}, then: icacls "{place}\\*" /reset'
    import shlex

    change = "chown root" if what.startswith("belongs") else "chmod go-w"
    return f"{change} {shlex.quote(place)} {shlex.quote(place)}/*"


# POSIX


@dataclass(frozen=True, slots=True)
class Rights:
    """Whose a file is and who may write it, on POSIX: the owner's number, and the mode with the kind of file.

    The mask of an access control list shows in the group's bits, so these cover what a list adds.
    """

    owner: int
    mode: int


def judge(rights: Rights, user: int) -> str | None:
    """What is wrong with a file, a folder or a link for this user, None where nothing is."""
    if rights.owner not in {0, user}:
        return f"belongs to {owner_name(rights.owner)}"
    folder = stat.S_ISDIR(rights.mode)
    if not (folder or stat.S_ISREG(rights.mode) or stat.S_ISFIFO(rights.mode)):
        # The mode of a link says nothing, and what is written to a device is not what is read from it.
        return None
    if folder and rights.mode & stat.S_ISVTX:
        return None
    mode = f"(mode {stat.S_IMODE(rights.mode):04o})"
    if rights.mode & stat.S_IWOTH:
        return f"can be changed by every user {mode}"
    return f"can be changed by its group {mode}" if rights.mode & stat.S_IWGRP else None


def owner_name(user: int) -> str:
    """A user as people know it."""
    if sys.platform != "win32":
        import pwd

        with contextlib.suppress(KeyError):
            return f"{pwd.getpwuid(user).pw_name} (user {user})"
    return f"user {user}"


if sys.platform == "win32":

    def doubt_of(status: os.stat_result) -> str | None:
        """What is wrong with a file by what `stat` saw: here it sees no rights."""
        del status
        return None

    def _own_doubt(path: Path) -> str | None:
        """What is wrong with a file or folder itself; the folders above are not looked at."""
        from repo_manager.adapters.windows.guarding import doubt

        return doubt(path)

    def without_owners(path: Path) -> str:
        """The kind of file system of a path, where it says nothing of whose a file is; empty where it does."""
        from repo_manager.adapters.windows.guarding import volume_keeps_owners

        return "" if volume_keeps_owners(path) else "a share, or a volume without access control lists"

    def _of_opened(path: Path, descriptor: int) -> TrustProblem | None:
        """What is wrong with an opened file: as long as it is open, its name cannot be given to another one."""
        del path, descriptor
        return None

    def _way(path: Path, within: Path | None) -> Iterator[tuple[Path, tuple[str, str] | None]]:
        """Each folder on a path, as it is written and as links lead, and what is wrong with it."""
        from repo_manager.adapters.windows.guarding import doubt

        whole = Path(os.path.abspath(path))  # noqa: PTH100 - asks Windows
        ways = [whole] if within is not None else [whole, Path(os.path.realpath(whole))]
        limit = None if within is None else Path(os.path.abspath(within))  # noqa: PTH100 - same
        for place in dict.fromkeys(place for way in ways for place in (*reversed(way.parents), way)):
            if limit is not None and not place.is_relative_to(limit):
                continue
            what = doubt(place)
            if what is None:
                yield place, None
                continue
            change = "/setowner *S-1-5-32-544" if what.startswith("belongs") else _CLOSE
            yield place, (what, f'icacls "{shown(place)}" {change}')

    _CLOSE: Final = "/inheritance:r /grant:r *S-1-5-18:(OI)(CI)F *S-1-5-32-544:(OI)(CI)F *S-1-5-32-545:(OI)(CI)RX"

else:

    def doubt_of(status: os.stat_result) -> str | None:
        """What is wrong with a file by what `stat` saw."""
        what = judge(Rights(status.st_uid, status.st_mode), os.geteuid())
        return None if what is None or keeps_no_owners(status.st_dev) else what

    def _own_doubt(path: Path) -> str | None:
        """What is wrong with a file or folder itself; the folders above are not looked at."""
        with contextlib.suppress(OSError):
            return doubt_of(path.stat())
        return None

    def _of_opened(path: Path, descriptor: int) -> TrustProblem | None:
        """What is wrong with an opened file."""
        found = _found(path, os.fstat(descriptor))
        return None if found is None else TrustProblem(path, *found)

    def _found(path: Path, status: os.stat_result) -> tuple[str, str] | None:
        what = doubt_of(status)
        if what is None:
            return None
        import shlex

        change = "chown -h root" if what.startswith("belongs") else "chmod go-w"
        return what, f"{change} {shlex.quote(str(path))}"

    def _way(path: Path, within: Path | None) -> Iterator[tuple[Path, tuple[str, str] | None]]:
        """Each folder and link on a path, links followed, and what is wrong with it."""
        if within is not None:
            yield from ((place, _found(place, place.lstat())) for place in _below(path, within))
            return
        if path.is_absolute():
            yield from _walk(Path(path.anchor), path.parts[1:])
            return
        here = Path.cwd()
        try:
            yield from _walk(Path(here.anchor), (here / path).parts[1:])
        except PermissionError:
            # The working directory is in folders that this user may not enter. It is used without them.
            yield from _walk(Path(), path.parts, here)

    def _walk(
        at: Path, parts: Iterable[str], above: Path | None = None
    ) -> Iterator[tuple[Path, tuple[str, str] | None]]:
        """The same from one folder on, which is `above` where it has no name."""
        links = 0
        left = list(reversed(tuple(parts)))
        start = above or at
        yield start, _found(start, at.lstat())
        while left:
            part = left.pop()
            if part == ".." and at.name not in {"", ".."}:
                at = at.parent
                continue
            place = at / part
            try:
                status = place.lstat()
            except FileNotFoundError:
                # What `/dev/stdin` leads to has no name; it was judged when it was opened.
                return
            except PermissionError:
                # Or it has one where this user may not look. No others can have put it there: the folder is closed.
                if links:
                    return
                raise
            named = above / place if above else place
            yield named, _found(named, status)
            if not stat.S_ISLNK(status.st_mode):
                at = place
                continue
            links += 1
            if links > _MOST_LINKS:
                return
            target = place.readlink()
            at = Path(target.anchor) if target.is_absolute() else at
            left.extend(reversed(target.parts[1:] if target.is_absolute() else target.parts))

    def _below(path: Path, within: Path) -> Iterator[Path]:
        """The path and the folders above it, as far as they are in `within` or are it."""
        yield from reversed([place for place in (path, *path.parents) if place.is_relative_to(within)])

    def without_owners(path: Path) -> str:
        """The kind of file system of a path, where it says nothing of whose a file is; empty where it does."""
        with contextlib.suppress(OSError):
            kind = _kind(path.stat().st_dev)
            return kind if kind in WITHOUT_OWNERS else ""
        return ""

    def keeps_no_owners(device: int) -> bool:
        """Whether a file system says nothing of whose a file is, or says what the mount was told."""
        return _kind(device) in WITHOUT_OWNERS

    def _kind(device: int) -> str:
        """The kind of a mounted file system; empty where that cannot be told."""
        with contextlib.suppress(OSError), _MOUNTS.open(encoding="utf-8", errors="replace") as mounts:
            return kind_in(mounts, f"{os.major(device)}:{os.minor(device)}")
        return ""


def kind_in(mounts: Iterable[str], number: str) -> str:
    """The kind of file system of a device, such as `8:1`, by the lines of Linux' `mountinfo`; empty where it is not."""
    for line in mounts:
        facts, _, kinds = line.partition(" - ")
        if facts.split(" ")[2:3] == [number]:
            kind, *_, options = kinds.split()
            return "drvfs" if kind == "9p" and "aname=drvfs" in options else kind
    return ""


# Evidence: mount(8), mount.cifs(8), nfs(5), and "File Permissions for WSL" on Microsoft Learn. On NFS the server may
# put another owner in the place of root.
WITHOUT_OWNERS: Final = frozenset(
    {"vfat", "msdos", "exfat", "ntfs", "ntfs3", "fuseblk", "cifs", "smb3", "smbfs", "nfs", "nfs4", "vboxsf", "drvfs"}
)
