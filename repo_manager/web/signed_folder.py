"""A signed set as it lies in a folder: opens what belongs to it and nothing else, and says what it holds.

A name is let in by what it is made of, not kept out by what it holds. What it names must be a plain file right in
one of the two folders of the set, not reached through a link.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from repo_manager import fleet, names
from repo_manager.edges.disk.paths import inside, is_link, is_odd, reachable
from repo_manager.errors import InputError
from repo_manager.names import InvalidNameError
from repo_manager.web.http_values import Validators

if TYPE_CHECKING:
    from collections.abc import Mapping
    from io import FileIO
    from pathlib import Path

    from repo_manager.fleet import SetName
    from repo_manager.names import InstallerName, Token

METADATA: Final = "metadata"
TARGETS: Final = "targets"

# Without a tilde, so that no short name of Windows (`METADA~1`) is one; without a colon, so no stream is.
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+_-]{0,254}", re.ASCII)

_SMALL_BYTES: Final = 1024 * 1024
_LARGEST_BYTES: Final = 16 * 1024 * 1024
_ROOTS_MOST: Final = 1000


@dataclass(frozen=True, slots=True)
class OpenFile:
    """A file of the set, to be closed by whoever has it."""

    file: FileIO
    size: int
    validators: Validators


@dataclass(frozen=True, slots=True)
class Published:
    """What the set says of itself. Nothing is verified here: that is for those who follow it.

    `name` has the first root and the version of the snapshot. `expires` is the earliest of its metadata.
    """

    name: SetName
    expires: datetime
    packages: Mapping[Token, str]
    later_roots: frozenset[str] = frozenset()


class SignedFolder:
    """The folder with `metadata` and `targets` below it."""

    def __init__(self, path: Path) -> None:
        self._path = reachable(path)
        self._known: tuple[Validators, Published] | None = None

    def check(self) -> None:
        """See that there is such a folder.

        Raises:
            InputError: there is none.
        """
        if not self._path.is_dir():
            raise InputError("no-set", f"there is no folder {self._path}", "name the folder that publish has written")

    def open(self, part: str, name: str) -> OpenFile | None:
        """Open a file of `metadata` or `targets`; None where there is none of that name.

        Raises:
            OSError: the disk refused.
        """
        if part not in {METADATA, TARGETS} or not _NAME.fullmatch(name) or is_odd(name):
            return None
        try:
            descriptor = _open(self._path, part, name)
        except (FileNotFoundError, NotADirectoryError):
            return None
        if descriptor is None:
            return None
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            os.close(descriptor)
            return None
        file = open(descriptor, "rb", buffering=0)  # noqa: SIM115, PTH123 - whoever asked closes it
        etag = f'"{status.st_mtime_ns:x}-{status.st_size:x}"'
        return OpenFile(file, status.st_size, Validators(etag, int(status.st_mtime)))

    def published(self) -> Published:
        """What the set holds, read anew when it has changed.

        Raises:
            InputError: there is no set, or it cannot be understood.
        """
        validators, data = self._read("timestamp.json", _SMALL_BYTES)
        if self._known is None or self._known[0] != validators:
            try:
                self._known = validators, self._understood(data)
            except (KeyError, TypeError, ValueError, AttributeError, OSError) as error:
                raise InputError("bad-set", "the metadata of the set cannot be understood", "publish again") from error
        return self._known[1]

    def _understood(self, data: bytes) -> Published:
        timestamp = fleet.loads(data)["signed"]
        version = int(timestamp["meta"]["snapshot.json"]["version"])
        snapshot = self._signed(f"{version}.snapshot.json", _SMALL_BYTES)
        targets = self._signed(f"{int(snapshot['meta']['targets.json']['version'])}.targets.json", _LARGEST_BYTES)
        first, *later = self._roots()
        newest = fleet.loads(later[-1] if later else first)["signed"]
        ends = [datetime.fromisoformat(signed["expires"]) for signed in (timestamp, snapshot, targets, newest)]
        return Published(
            fleet.SetName(_digest(first), version),
            min(ends).astimezone(UTC),
            _packages(targets["targets"]),
            frozenset(map(_digest, later)),
        )

    def _roots(self) -> list[bytes]:
        """All root metadata, oldest first. At least one."""
        found = [self._read("1.root.json", _SMALL_BYTES)[1]]
        for number in range(2, _ROOTS_MOST):
            opened = self.open(METADATA, f"{number}.root.json")
            if opened is None:
                break
            with opened.file as file:
                found.append(file.read(_SMALL_BYTES))
        return found

    def _signed(self, name: str, limit: int) -> Any:  # noqa: ANN401 - any JSON
        return fleet.loads(self._read(name, limit)[1])["signed"]

    def _read(self, name: str, limit: int) -> tuple[Validators, bytes]:
        try:
            opened = self.open(METADATA, name)
        except OSError as error:
            raise InputError("bad-set", f"{name} cannot be read: {error.strerror}", "look at the folder") from error
        if opened is None:
            raise InputError("no-set", f"there is no {name} in the set", "publish into this folder first")
        with opened.file as file:
            if opened.size > limit:
                raise InputError("bad-set", f"{name} is too large: {opened.size} bytes", "publish again")
            return opened.validators, file.readall()


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _packages(targets: Mapping[str, object]) -> Mapping[Token, str]:
    """The newest installer of each package, in the order of the names."""
    found: dict[Token, InstallerName] = {}
    for text in targets:
        try:
            name = names.parse(text.rpartition("/")[2])
        except InvalidNameError:
            continue
        if name.token not in found or found[name.token] < name:
            found[name.token] = name
    return MappingProxyType({token: str(name.version) for token, name in sorted(found.items())})


if sys.platform == "win32":

    def _open(folder: Path, part: str, name: str) -> int | None:
        """Open for reading, unless a link is on the way."""
        below = inside(folder, part)
        path = inside(below, name)
        before = path.lstat()
        if is_link(below.lstat()) or is_link(before):
            return None
        if not stat.S_ISREG(before.st_mode):
            return None
        descriptor = os.open(path, os.O_RDONLY | os.O_BINARY | os.O_NOINHERIT)
        if not os.path.samestat(before, os.fstat(descriptor)):
            # Something else has got the name in between: it may be a link.
            os.close(descriptor)
            return None
        return descriptor

else:

    def _open(folder: Path, part: str, name: str) -> int | None:
        """Open for reading, unless a link is on the way. What blocks when it is opened, such as a pipe, does not."""
        try:
            above = os.open(folder / part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError as error:
            _pass_over(error, folder / part)
            return None
        try:
            return os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=above)
        except OSError as error:
            _pass_over(error, folder / part / name)
            return None
        finally:
            os.close(above)

    def _pass_over(error: OSError, path: Path) -> None:
        """A link and what cannot be opened at all (a socket) are not there; every other refusal is one."""
        try:
            mode = path.lstat().st_mode
        except FileNotFoundError:
            return
        if stat.S_ISLNK(mode) or stat.S_ISSOCK(mode):
            return
        raise error
