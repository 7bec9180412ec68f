"""A signed set as it lies in a folder: opens what belongs to it and nothing else, and says what it holds.

A name is let in where `publish` would have written it, not kept out by what it holds. What it names must be a plain
file right in one of the two folders of the set, not reached through a link.
"""

from __future__ import annotations

import os
import re
import stat
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from repo_manager.adapters.filesystem.paths import inside, is_link, is_odd, place_of, reachable, shown
from repo_manager.adapters.tuf.signed_set import belongs
from repo_manager.core.errors import InputError
from repo_manager.core.fleet import SetUnreadableError, published_set
from repo_manager.web.http_values import Validators

if TYPE_CHECKING:
    from collections.abc import Mapping
    from io import FileIO

    from repo_manager.core.fleet import PublishedSet

METADATA: Final = "metadata"
TARGETS: Final = "targets"

# Without a tilde, so that no short name of Windows (`METADA~1`) is one; without a colon, so no stream is.
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+_-]{0,254}", re.ASCII)


@dataclass(frozen=True, slots=True)
class OpenFile:
    """A file of the set, to be closed by whoever has it."""

    file: FileIO
    size: int
    validators: Validators


class SignedFolder:
    """The folder with `metadata` and `targets` below it."""

    def __init__(self, path: Path) -> None:
        self._path = reachable(path)
        self._known: tuple[Validators, PublishedSet] | None = None

    def check(self) -> None:
        """See that there is such a folder.

        Raises:
            InputError: there is none.
        """
        if not self._path.is_dir():
            raise SetUnreadableError(
                "no-set", f"there is no folder {self._path}", "name the folder that publish has written"
            )

    def keep_apart(self, own: Mapping[str, Path | None]) -> None:
        """Refuse to have what is the server's own, some of it secret, in the folders that are served.

        Args:
            own: by the option that named it.

        Raises:
            InputError: `in-the-open`.
        """
        for option, path in own.items():
            if path is not None and self._holds(path):
                raise InputError(
                    "in-the-open", f"{shown(path)} lies in a folder that is served", f"name another place with {option}"
                )

    def _holds(self, path: Path) -> bool:
        there = place_of(path)
        return any(there.is_relative_to(place_of(self._path / part)) for part in (METADATA, TARGETS))

    def open(self, part: str, name: str) -> OpenFile | None:
        """Open a file of `metadata` or `targets`; None where there is none of that name.

        Raises:
            OSError: the disk refused.
        """
        if not _NAME.fullmatch(name) or is_odd(name) or not belongs(f"{part}/{name}"):
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

    def published(self) -> PublishedSet:
        """What the set holds, read anew when it has changed.

        Raises:
            InputError: there is no set, or it cannot be understood.
        """
        found = self._read("timestamp.json", published_set.SMALL_BYTES)
        if found is None:
            raise SetUnreadableError(
                "no-set", "there is no timestamp.json in the set", "publish into this folder first"
            )
        validators, data = found
        if self._known is None or self._known[0] != validators:
            self._known = validators, published_set.published(data, self._bytes)
        return self._known[1]

    def _bytes(self, name: str, limit: int) -> bytes | None:
        found = self._read(name, limit)
        return None if found is None else found[1]

    def _read(self, name: str, limit: int) -> tuple[Validators, bytes] | None:
        try:
            opened = self.open(METADATA, name)
            if opened is None:
                return None
            with opened.file as file:
                if opened.size > limit:
                    raise SetUnreadableError("bad-set", f"{name} is too large: {opened.size} bytes", "publish again")
                return opened.validators, file.readall()
        except OSError as error:
            raise SetUnreadableError(
                "bad-set", f"{name} cannot be read: {error.strerror}", "look at the folder"
            ) from error


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
