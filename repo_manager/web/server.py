"""Addresses to listen on, the proxies that are trusted, and certificates."""

from __future__ import annotations

import contextlib
import errno
import re
import socket
import ssl
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Final

from repo_manager.core.errors import InputError, MachineError
from repo_manager.web.limits import is_loopback

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


_ADDRESS: Final = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+)):([0-9]{1,5})", re.ASCII)
_HIGHEST_PORT: Final = 65535


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen. Port 0 is any that is free."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Address:
        """Read `HOST:PORT` or `[IPV6]:PORT`.

        Raises:
            InputError: it is neither.
        """
        found = _ADDRESS.fullmatch(text.strip())
        if found is None:
            raise InputError(
                "bad-address", f"{text[:60]!r} is not of the form HOST:PORT", "write it as in 127.0.0.1:8443"
            )
        if int(found[3]) > _HIGHEST_PORT:
            raise InputError(
                "bad-address",
                f"{text[:60]!r}: there is no port {found[3]}",
                f"take one up to {_HIGHEST_PORT}, as in 127.0.0.1:8443",
            )
        host = found[1] or found[2]
        return cls("127.0.0.1" if host.lower() == "localhost" else host, int(found[3]))

    @property
    def for_this_machine_only(self) -> bool:
        """Whether nobody else can come in."""
        return is_loopback(self.host)

    def url(self, port: int, *, tls: bool) -> str:
        """How the address is written with the port that was taken."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http{'s' if tls else ''}://{host}:{port}"


def proxies(texts: Sequence[str]) -> tuple[str, ...]:
    """The addresses and networks of the proxies that are believed.

    Raises:
        InputError: one is neither.
    """
    for text in texts:
        try:
            network = ip_network(text, strict=False)
        except ValueError as error:
            raise InputError(
                "bad-address", f"{text[:60]!r} is no address and no network", "name the proxy's own address"
            ) from error
        if str(network.network_address) != str(ip_address(text.partition("/")[0])):
            raise InputError(
                "bad-address",
                f"{text[:60]!r} names an address in a network, and not the network",
                f"write {network} for the whole network, or {text.partition('/')[0]} for that address alone",
            )
    return tuple(texts)


def is_one_of(client: str, believed: Sequence[str]) -> bool:
    """Whether that address is one of those, or in one of those networks."""
    try:
        address = ip_address(client)
    except ValueError:
        return False
    return any(address in ip_network(text) for text in believed)


def bind(address: Address) -> socket.socket:
    """A socket that listens there.

    Raises:
        InputError: there is no such address on this machine.
        MachineError: another program has the port, or the right is missing.
    """
    try:
        family = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((address.host, address.port), family=family, backlog=512)
    except socket.gaierror as error:
        raise _not_of_this_machine(address) from error
    except OSError as error:
        if error.errno == errno.EADDRNOTAVAIL:
            raise _not_of_this_machine(address) from error
        why, hint = _WHY_NOT.get(error.errno or 0, ("the system refused", "choose another port with --listen"))
        raise MachineError(
            "cannot-listen", f"{address.host}:{address.port} cannot be listened at: {why}", hint
        ) from error


# What the library says names its own doings, with what it was called with.
_WHY_NOT: Final = {
    errno.EADDRINUSE: (
        "another program has this port",
        "choose another port with --listen, or end the program that has this one",
    ),
    errno.EACCES: (
        "the right is missing, or the system keeps the port for itself",
        "choose another port with --listen, one above 1023",
    ),
}


def _not_of_this_machine(address: Address) -> InputError:
    return InputError("bad-address", f"{address.host} is no address of this machine", "name another one with --listen")


class Certificate:
    """A certificate and its key, read again when they have changed: so a renewed one needs no restart."""

    def __init__(self, certificate: Path, key: Path) -> None:
        self._files = (certificate, key)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2
        self._marks = self._looked_at()
        self._load()

    def refresh(self) -> bool:
        """Read them again where they have changed. Whether new ones are used from now on."""
        with contextlib.suppress(InputError):
            marks = self._looked_at()
            if marks != self._marks:
                self._load()
                self._marks = marks
                return True
        return False

    def _looked_at(self) -> tuple[tuple[int, int], ...]:
        try:
            found = [file.stat() for file in self._files]
        except OSError as error:
            raise self._refused(str(error.strerror)) from error
        return tuple((status.st_mtime_ns, status.st_size) for status in found)

    def _load(self) -> None:
        try:
            # Otherwise OpenSSL would ask for a password, on a terminal that may not be there.
            self.context.load_cert_chain(*self._files, password=self._no_password)
        except (OSError, ValueError) as error:
            raise self._refused("they are no certificate and key that belong together, in PEM") from error

    def _no_password(self) -> bytes:
        raise self._refused("the key has a password; a key without one is needed, for its owner alone to read")

    def _refused(self, why: str) -> InputError:
        certificate, key = self._files
        return InputError("bad-certificate", f"{certificate} and {key}: {why}", "check --tls-cert and --tls-key")
