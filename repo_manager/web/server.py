"""Listening: addresses, certificates, and the end. The only module beside `connection.py` that knows uvicorn."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import socket
import ssl
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Any, Final

import uvicorn

from repo_manager.errors import InputError, MachineError
from repo_manager.web.connection import Connection, Doors
from repo_manager.web.limits import is_loopback

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from starlette.types import ASGIApp

HEAD_BYTES: Final = 16 * 1024
"""The longest head of a request."""

_ADDRESS: Final = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+)):([0-9]{1,5})", re.ASCII)
_HIGHEST_PORT: Final = 65535
_LOOK_AT_CERTIFICATES_S: Final = 60


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
        if found is None or int(found[3]) > _HIGHEST_PORT:
            raise InputError(
                "bad-address", f"{text[:60]!r} is not of the form HOST:PORT", "write it as in 127.0.0.1:8443"
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
            ip_network(text)
        except ValueError as error:
            raise InputError(
                "bad-address", f"{text[:60]!r} is no address and no network", "name the proxy's own address"
            ) from error
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
        raise InputError(
            "bad-address", f"{address.host} is no address of this machine", "name another one with --listen"
        ) from error
    except OSError as error:
        raise MachineError(
            "cannot-listen",
            f"{address.host}:{address.port} cannot be listened at: {error.strerror}",
            "choose another port with --listen, or end the program that has this one",
        ) from error


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


@dataclass(frozen=True, slots=True)
class Terms:
    """How to serve. `behind` are the proxies that are believed; `drain_s` is what running answers get at the end."""

    doors: Doors
    certificate: Certificate | None = None
    behind: tuple[str, ...] = ()
    drain_s: int = 30


class Server(uvicorn.Server):
    """uvicorn, which leaves signals to the tool."""

    def __init__(self, app: ASGIApp, terms: Terms) -> None:
        _quiet()
        super().__init__(_config(app, terms))

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """What ends a run is `edges/interrupts.py`."""
        yield

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve until `stop`."""
        await super().serve(sockets)
        for connection in tuple(self.server_state.connections):
            # Its client has had its time to take the rest.
            if connection.transport is not None:
                connection.transport.abort()
        # They are closed in the loop's next turn.
        await asyncio.sleep(0)

    def stop(self) -> None:
        """Take no more requests, finish those under way, then end. From any thread, or in the middle of anything."""
        self.should_exit = True


def _config(app: ASGIApp, terms: Terms) -> uvicorn.Config:
    more: dict[str, Any] = {}
    certificate = terms.certificate
    if certificate is not None:

        async def refresh() -> None:
            await asyncio.to_thread(certificate.refresh)

        more = {
            "ssl_context_factory": lambda _config, _default: certificate.context,
            "callback_notify": refresh,
            "timeout_notify": _LOOK_AT_CERTIFICATES_S,
        }
    return uvicorn.Config(
        app,
        loop="asyncio",
        http=type("OwnConnection", (Connection,), {"doors": terms.doors}),
        ws="none",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(terms.behind),
        forwarded_allow_ips=list(terms.behind),
        timeout_keep_alive=terms.doors.idle_s,
        timeout_graceful_shutdown=terms.drain_s,
        h11_max_incomplete_event_size=HEAD_BYTES,
        **more,
    )


def _quiet() -> None:
    """What uvicorn would say is said by the tool, where it matters."""
    logger = logging.getLogger("uvicorn")
    logger.handlers = [logging.NullHandler()]
    logger.propagate = False
