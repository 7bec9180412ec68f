"""A real HTTP server on the loopback that misbehaves on order: every path has its script.

A script is a function that is handed the request and answers it. `Honest` is the script of a good
server (ranges, validators, HEAD), with a knob for each way of being cut off; the others are lies.
"""

from __future__ import annotations

import os
import socket
import struct
import threading
from collections.abc import Callable
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator

MODIFIED = "Mon, 22 Sep 2025 10:00:00 GMT"


class Request(BaseHTTPRequestHandler):
    """One request, with the means to answer it well or badly."""

    protocol_version = "HTTP/1.1"
    timeout = 20
    server: AbuseServer

    def answer(self, status: int, headers: dict[str, str], body: bytes = b"", *, cut: int | None = None) -> None:
        """Send this; with `cut`, hang up after so many bytes of the body."""
        self.send_response_only(status)
        for key, value in headers.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command != "HEAD":
            self.send_body(body if cut is None else body[:cut])
        if cut is not None:
            self.hang_up()

    def send_body(self, body: bytes) -> None:
        """Send body bytes and keep count of them: before, so that whoever has them finds them counted."""
        self.server.sent[self.path] = self.server.sent.get(self.path, 0) + len(body)
        self.wfile.write(body)

    def hang_up(self) -> None:
        self.close_connection = True

    def do_GET(self) -> None:
        self.server.log.append((self.command, self.path, {key.lower(): value for key, value in self.headers.items()}))
        script = self.server.scripts.get(self.path)
        with suppress(ConnectionError):
            if script is None:
                self.answer(404, {"Content-Length": "0"})
            else:
                script(self)

    do_HEAD = do_GET  # noqa: N815 - the name http.server looks for

    def do_POST(self) -> None:
        # Unread, the body would be taken for the next request.
        self.rfile.read(int(self.headers.get("Content-Length", "0")))
        self.do_GET()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name the base class has
        pass


Script = Callable[["Request"], None]
"""Answers one request, well or badly."""


class AbuseServer(ThreadingHTTPServer):
    """Scripts by path, a log of requests, and how many body bytes went out on each path."""

    daemon_threads = True
    # A listing of pending connections too short would look like a failing server.
    request_queue_size = 64

    def __init__(self, host: str = "127.0.0.1") -> None:
        self.scripts: dict[str, Script] = {}
        self.log: list[tuple[str, str, dict[str, str]]] = []
        self.sent: dict[str, int] = {}
        super().__init__((host, 0), Request)
        self.entry = f"{host}:{self.server_port}"
        self.base = f"http://{self.entry}"

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is part of the game."""

    def url(self, path: str, script: Script) -> str:
        """Give the path its script."""
        self.scripts[path] = script
        return self.base + path

    def ranges(self, path: str) -> list[str | None]:
        """The Range of each GET of this path, in order."""
        return [headers.get("range") for method, asked, headers in self.log if method == "GET" and asked == path]


@contextmanager
def serving(host: str = "127.0.0.1", tls: ssl.SSLContext | None = None) -> Iterator[AbuseServer]:
    """A server at work until the end of the `with`."""
    with AbuseServer(host) as server:
        if tls is not None:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
            server.base = f"https://{server.entry}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@dataclass
class Honest:
    """A good server's script, for one file.

    `cuts` are taken one per GET: hang up after so many bytes of that body. `lies` changes the headers
    of answers with 206, one entry per such answer.
    """

    data: bytes
    etag: str | None = '"build-1"'
    modified: str | None = MODIFIED
    cuts: list[int] = field(default_factory=list)
    lies: list[dict[str, str]] = field(default_factory=list)
    ranges: bool = True

    def __call__(self, request: Request) -> None:
        headers = {"Accept-Ranges": "bytes"}
        if self.etag is not None:
            headers["ETag"] = self.etag
        if self.modified is not None:
            headers["Last-Modified"] = self.modified
        start = self._start(request)
        if start is None:
            status, body = 200, self.data
        elif start >= len(self.data):
            status, body = 416, b""
            headers["Content-Range"] = f"bytes */{len(self.data)}"
        else:
            status, body = 206, self.data[start:]
            headers["Content-Range"] = f"bytes {start}-{len(self.data) - 1}/{len(self.data)}"
        headers["Content-Length"] = str(len(body))
        if status == 206 and self.lies:
            headers |= self.lies.pop(0)
        cut = self.cuts.pop(0) if self.cuts and request.command == "GET" else None
        request.answer(status, headers, body, cut=cut)

    def _start(self, request: Request) -> int | None:
        wanted, condition = request.headers.get("Range"), request.headers.get("If-Range")
        if wanted is None or not self.ranges or condition not in {None, self.etag, self.modified}:
            return None
        return int(wanted.removeprefix("bytes=").partition("-")[0])


def always(status: int, headers: dict[str, str] | None = None, body: bytes = b"") -> Script:
    """The same answer every time; Content-Length is added where nothing else is said."""

    def script(request: Request) -> None:
        said = {"Content-Length": str(len(body))} | (headers or {})
        request.answer(status, said, body)

    return script


def in_turn(*scripts: Script) -> Script:
    """The first script for the first request, and so on; the last one stays."""
    left = list(scripts)

    def script(request: Request) -> None:
        (left.pop(0) if len(left) > 1 else left[0])(request)

    return script


def redirect(location: str, status: int = 302) -> Script:
    return always(status, {"Location": location, "Content-Length": "0"})


def endless(piece: bytes) -> Script:
    """A body without a length that does not end by itself."""

    def script(request: Request) -> None:
        request.answer(200, {"Connection": "close"})
        request.hang_up()
        while True:
            request.send_body(piece)

    return script


def drip(data: bytes, released: threading.Event) -> Script:
    """The beginning of the data, and then nothing until released."""

    def script(request: Request) -> None:
        request.answer(200, {"Content-Length": str(len(data)), "ETag": '"drip"'})
        request.send_body(data[: len(data) // 2])
        request.wfile.flush()
        released.wait(10)
        request.hang_up()

    return script


def chunked(data: bytes, size: int = 100_000) -> Script:
    """The data in chunked coding, without a length."""

    def script(request: Request) -> None:
        request.answer(200, {"Transfer-Encoding": "chunked"})
        for start in range(0, len(data), size):
            piece = data[start : start + size]
            request.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
        request.wfile.write(b"0\r\n\r\n")

    return script


def reset_after(data: bytes, count: int) -> Script:
    """The beginning of the data, and then a reset instead of a proper end."""

    def script(request: Request) -> None:
        request.answer(200, {"Content-Length": str(len(data)), "ETag": '"reset"'})
        request.send_body(data[:count])
        # To linger for no time is to reset; Windows has shorter fields.
        linger = struct.pack("hh" if os.name == "nt" else "ii", 1, 0)
        request.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        request.connection.close()
        request.hang_up()

    return script
