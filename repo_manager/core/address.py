r"""Addresses: where installers and signed sets are, where reports go. Parsed once, printed without secrets.

    Folder       D:\sets\asr    /srv/asr    \\server\share\asr (on Windows)
    Web          https://server/asr         http://server/asr
    ObjectStore  az://container/path        s3://bucket/path

`str` of each is what people may see.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass, field
from typing import Final

from repo_manager.core.errors import InputError, NoSmbClientError
from repo_manager.core.redaction import holds_secret, host_entry, shown, split

_HOST: Final = re.compile(r"[^\s/?#@\\\x00-\x1f\x7f]+")


class Address:
    """What `parse` returns: a Folder, a Web or an ObjectStore."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Folder(Address):
    """A folder by its path, as it was written: on a disk, mounted, or on Windows a UNC path."""

    path: str

    def __str__(self) -> str:
        return shown(self.path)


@dataclass(frozen=True, slots=True)
class Web(Address):
    """An address of a web server.

    Attributes:
        url: as it was written, perhaps with a secret.
        scheme: `http` or `https`.
        server: the name or the IP address, without brackets.
        host: `server`, with the port when it is not the scheme's own.
    """

    url: str = field(repr=False)
    scheme: str
    server: str
    host: str

    def __str__(self) -> str:
        return shown(self.url)


@dataclass(frozen=True, slots=True)
class ObjectStore(Address):
    """A folder in a container or bucket. `scheme` is `az` or `s3`; `prefix` has no slash at its end."""

    scheme: str
    container: str
    prefix: str
    text: str = field(repr=False)

    def __str__(self) -> str:
        return shown(self.text)


def parse(text: str, *, secrets: bool = False, windows: bool = sys.platform == "win32") -> Address:
    r"""Read an address.

    Args:
        text: as the operator wrote it.
        secrets: whether it may hold a user, a password or a signature.
        windows: whether the system opens UNC paths.

    Raises:
        NoSmbClientError: see `refuse_share`.
        InputError: `unknown-source`, `secret-in-source`, `bad-address`.

    >>> parse("https://Server:8443/set")
    Web(scheme='https', server='server', host='server:8443')
    >>> parse("s3://bucket/sets/asr/")
    ObjectStore(scheme='s3', container='bucket', prefix='sets/asr')
    >>> parse(r"D:\sets")
    Folder(path='D:\\sets')
    """
    refuse_share(text, windows=windows)
    parts = split(text)
    if parts is not None and not parts.complete:
        raise _unknown(f"an address that begins with {parts.scheme}: needs // behind it")
    if not text.strip() or (parts is not None and parts.scheme not in _SCHEMES):
        raise _no_address(text)
    if not secrets and holds_secret(text):
        raise InputError(
            "secret-in-source",
            f"{shown(text)}: the address holds a user, a query or a signature, which every user of this machine"
            " could see",
            "leave it out; set the store's variables, or store_credentials in the configuration file",
        )
    if parts is None:
        return Folder(text)
    name, _, path = parts.rest.partition("/")
    if not name:
        raise _no_address(text)
    if parts.scheme in _WEB:
        return _web(text.strip())
    return ObjectStore(parts.scheme, name, path.removesuffix("/"), text.strip())


def refuse_share(text: str, *, windows: bool = sys.platform == "win32") -> None:
    r"""Refuse what only an SMB client could open: `smb://...`, and `\\server\share` on other systems than Windows.

    Raises:
        NoSmbClientError: it is such an address.
    """
    parts = split(text)
    if parts is not None and parts.scheme == "smb":
        raise NoSmbClientError(f"{shown(text)}: SMB addresses are not supported")
    if text.startswith("\\\\") and not windows:
        raise NoSmbClientError(f"{shown(text)}: only Windows opens UNC paths")


def host_of(url: str) -> str:
    """The host of a URL, with the port when it is not the scheme's own; empty when it names no host."""
    try:
        return _host_of(url)[2]
    except ValueError:
        return ""


_WEB: Final = frozenset(("http", "https"))
_SCHEMES: Final = _WEB | {"az", "s3"}


def _web(url: str) -> Web:
    try:
        scheme, server, host = _host_of(url)
    except ValueError:
        host = ""
    if not host:
        # Not shown: a malformed address may hold a secret anywhere.
        raise InputError("bad-address", "invalid address: bad host or port", "correct the address")
    return Web(url, scheme, server, host)


def _host_of(url: str) -> tuple[str, str, str]:
    """Scheme, server, and the host with its port, empty when it is malformed.

    Raises:
        ValueError: the URL is malformed.
    """
    # Imported here, as most commands need no address of a web server.
    from urllib.parse import urlsplit

    parts = urlsplit(url)
    scheme, server = parts.scheme.lower(), (parts.hostname or "").lower()
    return scheme, server, host_entry(scheme, server, parts.port) if _HOST.fullmatch(server) else ""


def _no_address(text: str) -> InputError:
    return _unknown(f"{shown(text)!r} is not the address of a folder, a web server or an object store")


def _unknown(message: str) -> InputError:
    return InputError(
        "unknown-source", message, "name a folder, https://server/path, az://container/path or s3://bucket/path"
    )
