r"""A share as a source, where the operating system cannot open it by its name.

    \\server\share\folder        smb://server/share/folder        smb://server:port/share/folder

On Windows the first form is a path like any other, and Windows itself opens it as the user of the run.
Everywhere else, and for the other forms on Windows too, the tool speaks SMB itself, with a user and a
password from variables or from a file. `//server/share` is a local path on Linux and never means a share.
"""

from __future__ import annotations

import os
import re
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, unquote, urlsplit

from repo_manager.adapters.filesystem.secret_file import bad, pairs
from repo_manager.adapters.sources.copying import copy, file_name
from repo_manager.adapters.sources.fetched import ignore, never
from repo_manager.adapters.sources.part import check_size
from repo_manager.core.address import shown
from repo_manager.core.errors import InputError, TransferError, install_hint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from repo_manager.adapters.sources._smb_link import Link
    from repo_manager.adapters.sources.fetched import Fetched
    from repo_manager.core.names import InstallerName

PORT: Final = 445

USER_VARIABLE: Final = "REPO_MANAGER_SMB_USER"
PASSWORD_VARIABLE: Final = "REPO_MANAGER_SMB_PASSWORD"  # noqa: S105 - the name of a variable

_SCHEME: Final = "smb://"
_FORMS: Final = r"write \\server\share\folder or smb://server/share/folder"

# Evidence: "Naming Files, Paths, and Namespaces" on Microsoft Learn. A colon would name another stream of a file.
# Lone surrogates are what Python makes of bytes in an argument that are no text.
_NOT_IN_A_NAME: Final = re.compile(r'[<>:"|?*\\/\x00-\x1f\ud800-\udfff]')


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait: for a connection, and for each answer over it."""

    connect_s: float = 15.0
    answer_s: float = 60.0


@dataclass(frozen=True, slots=True)
class Share:
    """A share of a server."""

    server: str
    port: int
    name: str


@dataclass(frozen=True, slots=True)
class Location:
    """A folder on a share; `text` is how the operator wrote it, without a separator at its end."""

    share: Share
    folders: tuple[str, ...]
    text: str

    def place(self, name: str) -> str:
        """Where the folder has a file of that name, in the operator's way of writing."""
        return join(self.text, name)

    def path(self, name: str) -> str:
        """The same as the server knows it: below the share."""
        return "\\".join((*self.folders, name))


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who to be. Without a password there must be a Kerberos ticket for the user."""

    user: str
    password: str | None = field(default=None, repr=False)


def is_share(text: str, *, windows: bool = os.name == "nt") -> bool:
    """Whether a source is a share that the tool must read by itself."""
    return text.lower().startswith(_SCHEME) or (not windows and text.startswith("\\\\"))


def join(base: str, name: str) -> str:
    """Where a share's folder has a file of that name, written as the folder is."""
    base = base.rstrip("\\/")
    return f"{base}/{quote(name)}" if base.lower().startswith(_SCHEME) else f"{base}\\{name}"


def locate(text: str) -> Location:
    """Read the name of a folder on a share.

    Raises:
        InputError: `unknown-source`, `secret-in-source`.
    """
    if text.lower().startswith(_SCHEME):
        server, port, parts = _from_url(text)
        named = parts
    else:
        server, *parts = named = text.replace("/", "\\").removeprefix("\\\\").split("\\")
        port = PORT
    parts = [part for part in parts if part not in {"", "."}]
    if not server or server in {"?", "."} or not parts:
        raise _unreadable(text, "a share is named by its server and its own name")
    if ".." in parts or any(_NOT_IN_A_NAME.search(part) for part in named):
        raise _unreadable(text, "no folder of a share can have this name")
    return Location(Share(server.lower(), port, parts[0]), tuple(parts[1:]), text.rstrip("\\/"))


def require(source: str) -> None:
    """Refuse early what could not be read from at all.

    Raises:
        InputError: `unknown-source`, `secret-in-source`, `smb-not-installed`.
    """
    locate(source)
    if find_spec("smbprotocol") is None:
        raise InputError(
            "smb-not-installed",
            f"{shown(source)}: reading a share needs the extra 'smb', which is not installed here",
            f"{install_hint('smb')}; or name a folder that this system can open, such as a mounted share or, on"
            r" Windows, \\server\share\folder",
        )


def credentials(environ: Mapping[str, str], file: Path | None) -> Credentials | None:
    """Who to be: what the variables say, else what the file says, else nobody.

    The file has lines `username=`, `password=` and `domain=`, as mount.cifs reads them.

    Raises:
        InputError: `smb-credentials`: the file or the variables make no sense, or others may read the file.
            Never with a word of their contents.
    """
    user, password = environ.get(USER_VARIABLE), environ.get(PASSWORD_VARIABLE)
    if user:
        return Credentials(user, password or None)
    if password:
        raise InputError(
            "smb-credentials", f"{PASSWORD_VARIABLE} is set, but {USER_VARIABLE} is not", f"set {USER_VARIABLE} too"
        )
    return None if file is None else _from_file(file)


def nobody() -> None:
    """The credentials of a run that has none."""


class Shares:
    """The shares that a run reads from, with their connections. Any number of threads may use it.

    A connection is used by one file at a time. After `close` it begins anew with the next use.

    Args:
        credentials: who to be, asked when first needed.
        patience: how long to wait.
    """

    def __init__(
        self, credentials: Callable[[], Credentials | None] = nobody, *, patience: Patience | None = None
    ) -> None:
        self._credentials = credentials
        self._patience = patience or Patience()
        # One logon at a time, and none after a refusal: some servers lock a user out after three.
        self._logging_on = threading.Lock()
        self._books = threading.Lock()
        self._idle: dict[Share, list[Link]] = {}
        self._links: set[Link] = set()
        self._refused: dict[Share, TransferError] = {}

    def source(self, base: str) -> SmbSource:
        """The folder of that name as a source.

        Raises:
            InputError: see `require`.
        """
        require(base)
        return SmbSource(self, locate(base))

    def source_of(self, place: str) -> SmbSource:
        """The folder that has the file at this place, which `join` made.

        Raises:
            InputError: see `require`.
        """
        return self.source(place[: max(place.rfind("/"), place.rfind("\\"))])

    @contextmanager
    def lend(self, location: Location) -> Iterator[Link]:
        """A connection to the share, for one caller at a time.

        Raises:
            TransferError: there is none to be had; see `SmbSource.fetch`.
        """
        link = self._link(location)
        try:
            yield link
        finally:
            with self._books:
                if link.usable and link in self._links:
                    self._idle.setdefault(location.share, []).append(link)
                else:
                    self._links.discard(link)
                    link.close()

    def close(self) -> None:
        """Close every connection, also those in use: whoever waits there for an answer gets a TransferError."""
        with self._books:
            links = tuple(self._links)
            self._links.clear()
            self._idle.clear()
            self._refused.clear()
        for link in links:
            link.close()

    def _link(self, location: Location) -> Link:
        from repo_manager.adapters.sources._smb_link import Link

        share = location.share
        with self._logging_on:
            with self._books:
                if share in self._refused:
                    raise self._refused[share]
                idle = self._idle.get(share)
                if idle:
                    return idle.pop()
                link = Link(share, location.text, self._patience)
                self._links.add(link)
            try:
                link.connect(self._credentials())
            except BaseException as error:
                with self._books:
                    self._links.discard(link)
                    if isinstance(error, TransferError):
                        self._refused[share] = error
                link.close()
                raise
            return link


class SmbSource:
    """Reads installers out of one folder of a share, and never from anywhere else."""

    def __init__(self, shares: Shares, location: Location) -> None:
        self._shares = shares
        self._location = location

    def size(self, name: InstallerName) -> int:
        """How many bytes the source's file has.

        Raises:
            InputError: `not-a-file-name`.
            TransferError: see `fetch`.
        """
        where, path = self._find(name)
        with self._shares.lend(self._location) as link, link.open(path, where) as file:
            return file.state()[0]

    def fetch(  # noqa: PLR0913 - the shape that all sources share
        self,
        name: InstallerName,
        part: Path,
        *,
        sha256: str | None = None,
        size_bytes: int | None = None,
        progress: Callable[[int], None] = ignore,
        cancelled: Callable[[], bool] = never,
    ) -> Fetched:
        """Copy the installer to `part`, verified and synced. When it fails, `part` is gone again.

        The arguments are those of `copying.CopySource.fetch`.

        Raises:
            TransferError: `not-at-source`, `source-went-away`, `outside-source`, `changed-at-source`, `cancelled`;
                of the share `cannot-connect`, `logon-refused`, `no-such-share`, `source-refused`,
                `unsigned-answer`.
            VerificationError: as `adapters.installers.archive` says, and `size-mismatch`, `digest-mismatch`.
            MachineError: `part` could not be written; see `adapters.filesystem.os_errors`.
        """
        where, path = self._find(name)
        with self._shares.lend(self._location) as link, link.open(path, where) as file:
            check_size(name, expected=size_bytes, found=file.state()[0])
            return copy(
                file,
                name,
                part,
                where=where,
                sha256=sha256,
                size_bytes=size_bytes,
                progress=progress,
                cancelled=cancelled,
            )

    def _find(self, name: InstallerName) -> tuple[str, str]:
        text = file_name(name)
        return self._location.place(text), self._location.path(text)


def _from_url(text: str) -> tuple[str, int, list[str]]:
    """Server, port and the names below it, decoded."""
    try:
        parts = urlsplit(text)
        server, port = parts.hostname or "", parts.port or PORT
    except ValueError:
        raise _unreadable(text, "the server or its port cannot be read") from None
    if parts.username is not None or parts.password is not None:
        raise InputError(
            "secret-in-source",
            f"{shown(text)}: a user or password in the address can be seen by every user of this machine",
            f"leave it out; set {USER_VARIABLE} and {PASSWORD_VARIABLE}, or smb_credentials in the configuration file",
        )
    if parts.query or parts.fragment:
        raise _unreadable(text, "in an address, write # as %23; no folder's name can have a question mark")
    return server, port, [unquote(part) for part in parts.path.split("/")]


def _unreadable(text: str, why: str) -> InputError:
    return InputError("unknown-source", f"{shown(text)!r} is not a folder on a share: {why}", _FORMS)


_KEYS: Final = frozenset({"username", "password", "domain"})


def _from_file(file: Path) -> Credentials:
    found = pairs(file, _KEYS.__contains__, "username=, password= or domain=", "smb-credentials")
    # A password may begin or end with a space; a name may not.
    values = {key: value if key == "password" else value.strip() for key, value in found.items()}
    user = values.get("username", "")
    if not user:
        raise bad(file, "has no username=", "smb-credentials")
    domain = values.get("domain")
    return Credentials(f"{domain}\\{user}" if domain else user, values.get("password") or None)
