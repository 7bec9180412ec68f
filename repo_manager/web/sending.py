"""Answers with the bytes of a file: all of it, a part of it, or the word that it has not changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import anyio.to_thread
from starlette.responses import Response

from repo_manager.web.http_values import UNSATISFIABLE, Span, asked_span, not_modified, range_holds

if TYPE_CHECKING:
    from io import FileIO

    from starlette.datastructures import Headers
    from starlette.types import Receive, Scope, Send

    from repo_manager.web.signed_folder import OpenFile

CHUNK_BYTES: Final = 256 * 1024
"""How much is read at once. With a smaller one, going to another thread for it costs more than reading; with a
larger one, two hundred clients cost more memory than they should."""

ZERO_COPY: Final = "http.response.zerocopysend"
"""What the server's end of the connection says when the system can carry a file to the network by itself."""


class FileAnswer(Response):
    """The answer to a GET or HEAD for a file. It closes the file, whatever happens."""

    def __init__(self, opened: OpenFile, asked: Headers, *, media_type: str, caching: str) -> None:
        status, self._span = _outcome(opened, asked)
        headers = {
            "ETag": opened.validators.etag,
            "Last-Modified": opened.validators.date,
            "Accept-Ranges": "bytes",
            "Cache-Control": caching,
        }
        if status == 206:  # noqa: PLR2004 - HTTP's own number
            headers["Content-Range"] = f"bytes {self._span.start}-{self._span.stop - 1}/{opened.size}"
        elif status == 416:  # noqa: PLR2004 - HTTP's own number
            headers["Content-Range"] = f"bytes */{opened.size}"
        if status != 304:  # noqa: PLR2004 - HTTP's own number
            headers["Content-Length"] = str(self._span.size)
        super().__init__(status_code=status, headers=headers, media_type=media_type)
        self._file = opened.file

    def init_headers(self, headers: dict[str, str] | None = None) -> None:  # type: ignore[override]
        """The length of the body is told, not measured."""
        super().init_headers(headers)
        if not (headers and "Content-Length" in headers):
            del self.headers["content-length"]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        del receive
        with self._file as file:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            if scope["method"] == "HEAD" or not self._span.size:
                await send({"type": "http.response.body", "body": b"", "more_body": False})
            elif ZERO_COPY in scope.get("extensions", {}):
                count, start = self._span.size, self._span.start
                await send({"type": ZERO_COPY, "file": file, "offset": start, "count": count, "more_body": False})
            else:
                await _send_chunks(file, self._span, send)


async def _send_chunks(file: FileIO, span: Span, send: Send) -> None:
    """Read ahead in another thread and send. Ends early where the file has become shorter: the connection is cut."""
    file.seek(span.start)
    left = span.size
    while left:
        chunk = await anyio.to_thread.run_sync(file.read, min(left, CHUNK_BYTES))
        if not chunk:
            return
        left -= len(chunk)
        await send({"type": "http.response.body", "body": chunk, "more_body": bool(left)})


def _outcome(opened: OpenFile, asked: Headers) -> tuple[int, Span]:
    """The status, and the bytes to send."""
    validators = opened.validators
    since = asked.get("if-modified-since")
    if not_modified(validators, if_none_match=asked.get("if-none-match"), if_modified_since=since):
        return 304, Span(0, 0)
    span = asked_span(asked.get("range"), opened.size)
    if span is None or not range_holds(validators, asked.get("if-range")):
        return 200, Span(0, opened.size)
    return (416, Span(0, 0)) if span == UNSATISFIABLE else (206, span)
