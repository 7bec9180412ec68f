"""Listening: addresses, certificates, and the end. The only module beside `connection.py` that knows uvicorn."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import re
import socket
import ssl
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Any, Final

import uvicorn

from repo_manager.core.errors import InputError, MachineError
from repo_manager.web.connection import Connection, ConnectionLimits
from repo_manager.web.entrance import Listener, RateLimitedLog
from repo_manager.web.limits import is_loopback

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from starlette.types import ASGIApp

    from repo_manager.web.connection import ConnectionSlot

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


def _nobody(_: str) -> None:
    pass


@dataclass(frozen=True, slots=True)
class ServerConfig:
    """How to serve. `behind` are the proxies that are believed; `drain_s` is what running answers get at the end.

    `warn` is told in a line what whoever runs the server should know.
    """

    doors: ConnectionLimits
    certificate: Certificate | None = None
    behind: tuple[str, ...] = ()
    drain_s: int = 30
    warn: Callable[[str], None] = _nobody


class HttpServer(uvicorn.Server):
    """uvicorn, which leaves signals to the tool, and the doors too."""

    def __init__(self, app: ASGIApp, terms: ServerConfig) -> None:
        _quiet()
        super().__init__(_config(app, terms))
        self._terms = terms
        self._warn = RateLimitedLog(terms.warn)
        self._entrances: list[Listener] = []

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """What ends a run is `adapters/signals.py`."""
        yield

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve until `stop`."""
        asyncio.get_running_loop().set_exception_handler(self._tell)
        await super().serve(sockets)
        for entrance in self._entrances:
            await entrance.clear()
        for connection in tuple(self.server_state.connections):
            # Its client has had its time to take the rest.
            if connection.transport is not None:
                connection.transport.abort()
        # They are closed in the loop's next turn.
        await asyncio.sleep(0)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin, and let in by our own doors those who come to these sockets."""
        await super().startup(sockets=[])
        certificate = self._terms.certificate
        context = None if certificate is None else certificate.context
        for listening in sockets or ():
            entrance = Listener(listening, self._terms.doors, context, self._connection, self._warn)
            entrance.open()
            self._entrances.append(entrance)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close the doors, then wait for those inside."""
        for entrance in self._entrances:
            await entrance.close()
        await super().shutdown(sockets)

    def _connection(self, seat: ConnectionSlot) -> Connection:
        return Connection(self.config, self.server_state, self._terms.doors, seat)

    def _tell(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """What the loop would print with a traceback, in a line."""
        kind = type(context.get("exception")).__name__ if context.get("exception") else "no exception"
        self._warn(f"warning: something unexpected: {ascii(context.get('message', ''))[1:-1]} ({kind})")

    def stop(self) -> None:
        """Take no more requests, finish those under way, then end. From any thread, or in the middle of anything."""
        self.should_exit = True


def _config(app: ASGIApp, terms: ServerConfig) -> uvicorn.Config:
    more: dict[str, Any] = {}
    certificate = terms.certificate
    if certificate is not None:

        async def refresh() -> None:
            await asyncio.to_thread(certificate.refresh)

        more = {
            "callback_notify": refresh,
            "timeout_notify": _LOOK_AT_CERTIFICATES_S,
        }
    return uvicorn.Config(
        app,
        loop="asyncio",
        http=Connection,
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
        **more,
    )


def _quiet() -> None:
    """What uvicorn would say is said by the tool, where it matters."""
    logger = logging.getLogger("uvicorn")
    logger.handlers = [logging.NullHandler()]
    logger.propagate = False
