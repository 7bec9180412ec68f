"""The way in: a connection has its place from the moment it is accepted, before a word of TLS is spoken.

Left to themselves, asyncio and uvicorn tell of one only after its handshake, for which it has a minute. Until then it
would count for nobody, and those who say nothing could take every descriptor that the process may have.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import socket
    import ssl
    from collections.abc import Callable

    from repo_manager.web.connection_limits import ConnectionLimits, ConnectionSlot


class AcceptedConnection(asyncio.Protocol):
    """One connection, which has its slot already."""

    transport: asyncio.Transport

    @property
    def has_begun(self) -> bool:
        """Whether its client and it can hear each other, or could."""
        raise NotImplementedError

    def shutdown(self) -> None:
        """End when the answer under way is sent."""
        raise NotImplementedError


_BUSY: Final = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
_PAUSE_S: Final = 0.5
"""How long nobody is let in where the system has no room for one more."""

_OWN_DESCRIPTORS: Final = 24
"""What the process itself has open, beside connections and what they are sent."""


def room_for(connections: int) -> int:
    """How many connections this process can have, at most so many. Each may need a file as well.

    The bound that the process has is raised as far as it may do so itself.
    """
    if sys.platform == "win32":
        return connections
    import resource

    needed, unbounded = 2 * connections + _OWN_DESCRIPTORS, resource.RLIM_INFINITY
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == unbounded:
        return connections
    if soft < needed:
        wanted = needed if hard == unbounded else min(needed, hard)
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            soft = wanted
    return max(1, min(connections, (soft - _OWN_DESCRIPTORS) // 2))


class RateLimitedLog:
    """Passes words on, the same ones once a minute at most."""

    def __init__(
        self, say: Callable[[str], None], every_s: float = 60.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._say = say
        self._every_s = every_s
        self._clock = clock
        self._said: dict[str, float] = {}

    def __call__(self, words: str) -> None:
        """Say it, unless it was said just now."""
        now = self._clock()
        if now - self._said.get(words, -self._every_s) >= self._every_s:
            self._said[words] = now
            self._say(words)


class Listener:
    """Lets in those who come to one listening socket, for as long as there is room.

    Args:
        context: for TLS; None where it is not spoken.
        make: makes the connection of whoever has got a seat.
        warn: is told where the system has no room for more connections.
    """

    def __init__(
        self,
        listening: socket.socket,
        doors: ConnectionLimits,
        context: ssl.SSLContext | None,
        make: Callable[[ConnectionSlot], AcceptedConnection],
        warn: Callable[[str], None],
    ) -> None:
        self._listening = listening
        self._doors = doors
        self._context = context
        self._make = make
        self._warn = warn
        self._open = False
        self._accepting: asyncio.Task[None] | None = None
        self._on_the_way: set[asyncio.Task[None]] = set()

    def open(self) -> None:
        """Begin. To be called in the loop."""
        self._listening.setblocking(False)
        self._open = True
        self._accepting = asyncio.get_running_loop().create_task(self._accept())

    async def close(self) -> None:
        """Let nobody in any more. Those who are at their handshake may finish it, and are then sent away."""
        self._open = False
        with contextlib.suppress(NotImplementedError):
            # Loops that wait for readiness would accept once more for somebody who has ceased to wait.
            asyncio.get_running_loop().remove_reader(self._listening)
        # Whoever was accepted by now is seen, and not forgotten open.
        await asyncio.sleep(0)
        await _ended([self._accepting] if self._accepting else [])

    async def clear(self) -> None:
        """Send away those who are still at their handshake."""
        await _ended(list(self._on_the_way))

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while self._open:
            try:
                link, address = await loop.sock_accept(self._listening)
            except ConnectionError:
                # It went away before it was let in.
                await asyncio.sleep(0)
            except OSError as error:
                self._warn(f"warning: nobody else can come in just now: {error.strerror}")
                await asyncio.sleep(_PAUSE_S)
            else:
                self._receive(link, str(address[0]))
                # Those who come by the hundred must not keep the others waiting.
                await asyncio.sleep(0)

    def _receive(self, link: socket.socket, client: str) -> None:
        seat = self._doors.enter(client) if self._open else None
        if seat is None:
            self._refuse(link)
            return
        task = asyncio.get_running_loop().create_task(self._welcome(link, seat))
        self._on_the_way.add(task)
        task.add_done_callback(self._on_the_way.discard)

    def _refuse(self, link: socket.socket) -> None:
        with link, contextlib.suppress(OSError):
            if self._context is None:
                link.send(_BUSY)
                # What was asked must have been read, or the system of whoever asked throws the answer away.
                link.recv(len(_BUSY) * 16)

    async def _welcome(self, link: socket.socket, seat: ConnectionSlot) -> None:
        connection = self._make(seat)
        patience_s = None if self._context is None else self._doors.handshake_s
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: connection, link, ssl=self._context, ssl_handshake_timeout=patience_s
            )
        except OSError:
            self._doors.metrics.refused("handshake")
        finally:
            if not connection.has_begun:
                # Nobody else will do it.
                seat.leave()
                link.close()
        if connection.has_begun and not self._open and not connection.transport.is_closing():
            connection.shutdown()


async def _ended(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
