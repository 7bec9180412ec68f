"""The body of an answer, as fast as the socket gives it.

httpx hands a body over in pieces of 64 KiB (16 KiB over TLS), and each costs more time in layers than on
the wire. A large body is therefore read from the connection's socket straight into one buffer, as far as
that is safe: the answer must say its length, come over HTTP/1.1 and be neither chunked nor encoded.
All else goes through httpx; both ways give the same bytes.
"""

from __future__ import annotations

import socket
import ssl
import time
from typing import TYPE_CHECKING, Final

from repo_manager.adapters.sources.http_rules import content_length, is_encoded

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

# The connection cannot be used again afterwards, so a small body is not worth it.
DIRECT_FROM: Final = 1 << 20

_BUFFER: Final = 256 << 10

# How long bytes are gathered before they are handed over, so that progress is seen on a slow line as well.
_GATHER_S: Final = 0.2


def chunks(response: httpx.Response, stall_timeout_s: float) -> Iterator[bytes | memoryview]:
    """The body's bytes as they come, never decoded. A chunk is good until the next one is asked for.

    Raises:
        httpx.HTTPError: as httpx does.
        OSError: the connection failed; TimeoutError when nothing came for `stall_timeout_s`.
    """
    source = _direct_source(response)
    # Without a chunk size: httpx would copy every byte once more to make the chunks even.
    pieces = response.iter_raw()
    if source is None:
        yield from pieces
        return
    # The first piece is what came along with the headers, and must be taken before the socket is read.
    first = next(pieces, b"")
    yield first
    left = (content_length(response.headers) or 0) - len(first)
    source.settimeout(stall_timeout_s)
    buffer = memoryview(bytearray(_BUFFER))
    while left > 0:
        filled, failure = _fill(source, buffer[: min(left, _BUFFER)])
        left -= filled
        if filled:
            yield buffer[:filled]
        if failure is not None:
            raise failure
        if not filled:
            # The other side hung up; whoever counts will miss the rest.
            return


def _fill(source: socket.socket, buffer: memoryview) -> tuple[int, OSError | None]:
    """Gather bytes until the buffer is full, the time is up, the line ends or fails; bytes before a failure count."""
    filled, until = 0, time.monotonic() + _GATHER_S
    while filled < len(buffer):
        try:
            count = source.recv_into(buffer[filled:])
        except OSError as error:
            return filled, error
        filled += count
        if not count or time.monotonic() > until:
            break
    return filled, None


def _direct_source(response: httpx.Response) -> socket.socket | None:
    """The socket to read from, None when that would not be safe or not be worth it."""
    if (
        response.http_version != "HTTP/1.1"
        or "transfer-encoding" in response.headers
        or is_encoded(response.headers)
        or (content_length(response.headers) or 0) < DIRECT_FROM
        or response.request.method != "GET"
    ):
        return None
    stream = response.extensions.get("network_stream")
    if stream is None:
        return None
    source = stream.get_extra_info("socket")
    # TLS through a TLS proxy: the socket would give the outer layer's bytes, which are still encrypted.
    tunnelled = isinstance(stream.get_extra_info("ssl_object"), ssl.SSLObject)
    return source if isinstance(source, socket.socket) and not tunnelled else None
