"""uvicorn with timeouts and limits that it does not have, and files that the system sends.

This is the only module that uses uvicorn, and with it parts of uvicorn that are not documented.

uvicorn waits for ever for a first request, for the rest of a request's head, and for a client that does not read.
Here all three end. h11 limits a head only while it is incomplete; here every head is limited.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import sys
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, cast

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from repo_manager.web.limits import CutError
from repo_manager.web.listener import AcceptedConnection, Listener, RateLimitedLog
from repo_manager.web.sending import ZERO_COPY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from io import FileIO

    from starlette.types import ASGIApp
    from uvicorn.config import Config
    from uvicorn.server import ServerState

    from repo_manager.web.connection_limits import ConnectionLimits, ConnectionSlot
    from repo_manager.web.server import Certificate

HEAD_BYTES: Final = 16 * 1024
"""The longest head of a request: its first line, its headers and the empty line behind them."""

_LOOK_AT_CERTIFICATES_S: Final = 60
_LINGER_BYTES: Final = 256 * 1024
_LINGER_S: Final = 2.0
"""How much more of a refused request is read and dropped, and how long: a connection that is closed with bytes unread
is reset, and its client may never see the answer."""

_SLICE_BYTES: Final = 1024 * 1024
"""How much is handed to the system at once: a client must take it within `ConnectionLimits.stall_s`."""


class _LimitedHeads(h11.Connection):
    """Refuses a head that is longer than `HEAD_BYTES`, also one that arrives in one piece."""

    head_too_long = False

    def next_event(self) -> h11.Event | type[h11.NEED_DATA | h11.PAUSED]:
        """See the base class."""
        if self.their_state is not h11.IDLE:
            return super().next_event()
        before = len(self.trailing_data[0])
        try:
            event = super().next_event()
        except h11.RemoteProtocolError as error:
            self.head_too_long = error.error_status_hint == HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
            raise
        if isinstance(event, h11.Request) and before - len(self.trailing_data[0]) > HEAD_BYTES:
            self.head_too_long = True
            raise h11.RemoteProtocolError("head too long", HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        return event


class Connection(H11Protocol, AcceptedConnection):
    """See the module. It has its place already, and gives it up when it has gone."""

    def __init__(
        self, config: Config, server_state: ServerState, doors: ConnectionLimits, seat: ConnectionSlot
    ) -> None:
        super().__init__(config, server_state, {})
        self.conn: _LimitedHeads = _LimitedHeads(h11.SERVER, HEAD_BYTES)
        # How many bytes of a refused request are still read and dropped; None while none was refused.
        self._dropping: int | None = None
        self.doors = doors
        self._seat = seat
        self._head = _Timer(self._lose)
        self._stall = _Timer(self._lose)
        self._linger = _Timer(self._abort)

        self.app = self._watched(self.app)

    @property
    def has_begun(self) -> bool:
        """Whether its client and it can hear each other, or could."""
        # uvicorn declares what it has only then.
        return bool(self.transport)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for a request."""
        super().connection_made(transport)
        _at_once(transport)
        self._head.wait(self.loop, self.doors.head_s)

    def connection_lost(self, exc: Exception | None) -> None:
        """It has gone."""
        self._head.stop()
        self._stall.stop()
        self._linger.stop()
        self._seat.leave()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Wait no longer than is right for the rest of a head; whatever comes after it is the application's."""
        if self._dropping is not None:
            self._dropping -= len(data)
            if self._dropping < 0:
                self.transport.abort()
            return
        super().data_received(data)
        if self.conn.their_state is not h11.IDLE:
            self._head.stop()
        elif not self._head.waits:
            self._head.wait(self.loop, self.doors.head_s)

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no request, with 431 where its head is too long."""
        if self.conn.our_state not in {h11.IDLE, h11.SEND_RESPONSE}:
            # In the middle of an answer there is no way to send another.
            self.transport.abort()
            return
        if not self.conn.head_too_long:
            super().send_400_response(msg)
            return
        self.doors.metrics.refused("head")
        status = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
        headers = [(b"Content-Length", b"0"), (b"Connection", b"close")]
        answer = h11.Response(status_code=status, headers=headers, reason=status.phrase.encode("ascii"))
        self.transport.write((self.conn.send(answer) or b"") + (self.conn.send(h11.EndOfMessage()) or b""))
        if not self.transport.can_write_eof():
            # With TLS, the end of the session is sent before the connection is closed.
            self.transport.close()
            return
        self.transport.write_eof()
        self._dropping = _LINGER_BYTES
        self._linger.wait(self.loop, _LINGER_S)

    def pause_writing(self) -> None:
        """The client does not take what is sent: it has so long to begin again."""
        super().pause_writing()
        self._stall.wait(self.loop, self.doors.stall_s)

    def resume_writing(self) -> None:
        """It does."""
        super().resume_writing()
        self._stall.stop()

    def _watched(self, app: Any) -> Any:  # noqa: ANN401 - uvicorn's own types of an application are its private ones
        """The application, which may hand over a file instead of its bytes, and learns when the client has gone."""

        async def watched(scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401 - see above
            cycle = self.cycle

            async def send_or_carry(message: Any) -> None:  # noqa: ANN401 - see above
                if message["type"] == ZERO_COPY:
                    await self._carry(message["file"], message["offset"], message["count"])
                    message = {"type": "http.response.body", "body": b"", "more_body": False}
                await send(message)
                if cycle.disconnected:
                    raise CutError

            if self.scheme == "http" and hasattr(os, "sendfile"):
                # What has to be encrypted must come by here.
                scope["extensions"] = {ZERO_COPY: {}}
            await app(scope, receive, send_or_carry)

        return watched

    async def _carry(self, file: FileIO, offset: int, count: int) -> None:
        """Let the system send bytes of a file.

        Raises:
            CutError: not all of them went.
        """
        if self.flow.write_paused:
            await self.flow.drain()
        if self.cycle.disconnected:
            raise CutError
        # h11 must know how many bytes of the body went, it need not see them.
        self.conn.send_with_data_passthrough(h11.Data(data=cast("bytes", _Unseen(count))))
        sent = 0
        while sent < count:
            size = min(count - sent, _SLICE_BYTES)
            _read_ahead(file, offset + sent + size)
            went = await self._carry_slice(file, offset + sent, size)
            sent += went
            if went < size:
                raise CutError(sent)

    async def _carry_slice(self, file: FileIO, offset: int, size: int) -> int:
        """How many bytes went. Fewer where the file has become shorter, the client has gone, or does not take them."""
        try:
            async with asyncio.timeout(self.doors.stall_s):
                return await self.loop.sendfile(self.transport, file, offset, size)
        except TimeoutError:
            self._lose()
        except (OSError, RuntimeError):
            # There is no way to say so in the middle of a body.
            self.transport.abort()
        return 0

    def _abort(self) -> None:
        self.transport.abort()

    def _lose(self) -> None:
        self.doors.metrics.refused("slow")
        self.transport.abort()


@dataclass(frozen=True, slots=True)
class _Unseen:
    """As many bytes as a file has, for the arithmetic alone."""

    count: int

    def __len__(self) -> int:
        return self.count


def _read_ahead(file: FileIO, offset: int) -> None:
    """Ask the system to have the next bytes in memory by then: sending waits for the disk, and all others with it."""
    if sys.platform == "linux":
        os.posix_fadvise(file.fileno(), offset, _SLICE_BYTES, os.POSIX_FADV_WILLNEED)


def _at_once(transport: asyncio.Transport) -> None:
    """Have small pieces sent at once. A body would wait for the client's word on the head, which takes it 40 ms.

    asyncio does so by itself, but not where the listening socket was made without naming TCP.
    """
    connection = transport.get_extra_info("socket")
    if connection is not None:
        with contextlib.suppress(OSError):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


class _Timer:
    """Calls when something has taken too long."""

    def __init__(self, call: Callable[[], None]) -> None:
        self._call = call
        self._handle: asyncio.TimerHandle | None = None

    @property
    def waits(self) -> bool:
        return self._handle is not None

    def wait(self, loop: asyncio.AbstractEventLoop, seconds: float) -> None:
        self.stop()
        self._handle = loop.call_later(seconds, self._call)

    def stop(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None


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
