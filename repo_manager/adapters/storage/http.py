"""A web server as a depot: any that serves files, with ranges and entity tags if it knows them. To read from."""

from __future__ import annotations

import random
import time
from contextlib import contextmanager
from dataclasses import replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, NoReturn

from repo_manager.adapters.sources._transport import PassingError, Transport, refusal
from repo_manager.adapters.sources.fetched import never
from repo_manager.adapters.sources.http_rules import (
    content_length,
    is_encoded,
    parse_content_range,
    retry_after_s,
)
from repo_manager.adapters.sources.retrying import Failures, Retrying
from repo_manager.adapters.storage.contract import StoredFile, absent, changed, checked, too_large
from repo_manager.adapters.storage.credentials import TOKEN_VARIABLE
from repo_manager.adapters.storage.stall import StallDetector
from repo_manager.core.errors import InputError, TransferError
from repo_manager.core.redaction import shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from repo_manager.adapters.sources._transport import Answer
    from repo_manager.adapters.sources.http_rules import HttpPolicy
    from repo_manager.core.address import Web

_DENIED: Final = frozenset((HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN))
_GONE: Final = frozenset((HTTPStatus.NOT_FOUND, HTTPStatus.GONE))
_HTML: Final = frozenset(("text/html", "application/xhtml+xml"))
_NO_HEAD: Final = frozenset((HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.NOT_IMPLEMENTED))


class HttpStorage:
    """A depot below an address of a web server. A method that would change it raises InputError `read-only-depot`.

    Args:
        base: the address, without secrets.
        policy: how patient, and who may be asked beside the depot's own host. With a token: nobody else.
        token: who to be, sent as a bearer token; None for nobody.
        cancelled: asked during waits.
        sleep: waits some seconds.
        clock: seconds from any point, for the rate.
    """

    def __init__(  # noqa: PLR0913 - the outside world, part by part
        self,
        base: Web,
        policy: HttpPolicy,
        *,
        token: str | None = None,
        cancelled: Callable[[], bool] = never,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        own = frozenset((base.host,))
        self._policy = replace(policy, hosts=own if token else own | policy.hosts)
        self._base = base.url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._cancelled = cancelled
        self._clock = clock
        self._retrying = Retrying(self._policy, sleep=sleep)
        self._transport = Transport(self._policy)
        self.name = shown(self._base)

    def read(self, path: str, *, limit_bytes: int, etag: str | None = None) -> StoredFile | None:
        """See `Depot.read`."""
        url = self._url(path)
        return self._retrying.run(lambda: self._read(url, limit_bytes, etag), cancelled=self._cancelled)

    def stream(self, path: str, *, offset: int = 0) -> Iterator[bytes | memoryview]:
        """See `Depot.stream`."""
        url = self._url(path)
        reading = _Reading(offset)
        failures = Failures(self._policy, offset)
        while True:
            try:
                yield from self._pieces(url, reading)
            except PassingError as error:
                wait_s = failures.count(error, reading.at, random.random())  # noqa: S311 - spreads waits
                self._retrying.wait(wait_s, self._cancelled)
            else:
                return

    def size(self, path: str) -> int | None:
        """See `Depot.size`."""
        url = self._url(path)
        return self._retrying.run(lambda: self._size(url), cancelled=self._cancelled)

    def close(self) -> None:
        """See `Depot.close`."""
        self._transport.close()

    def write(self, path: str, data: bytes) -> NoReturn:
        """Refuse."""
        del path, data
        self._refuse()

    def upload(self, path: str, file: Path, *, sha256: str, progress: Callable[[int], None]) -> NoReturn:
        """Refuse."""
        del path, file, sha256, progress
        self._refuse()

    def list(self, prefix: str) -> NoReturn:
        """Refuse: only a publisher needs to know what else is there."""
        del prefix
        self._refuse()

    def delete(self, path: str) -> NoReturn:
        """Refuse."""
        del path
        self._refuse()

    def sweep(self, prefix: str, ours: Callable[[str], bool]) -> NoReturn:
        """Refuse."""
        del prefix, ours
        self._refuse()

    def _refuse(self) -> NoReturn:
        raise InputError(
            "read-only-depot",
            f"{self.name}: a set can be read there, and not be written",
            "publish to a folder, az://container/path or s3://bucket/path; a web server may serve these files",
        )

    def _url(self, path: str) -> str:
        # A checked path has nothing that would need quoting.
        return f"{self._base}/{checked(path)}"

    def _read(self, url: str, limit_bytes: int, etag: str | None) -> StoredFile | None:
        condition = {} if etag is None else {"If-None-Match": etag}
        with self._ask("GET", url, condition) as answer:
            if answer.status == HTTPStatus.NOT_MODIFIED and etag is not None:
                return None
            self._expect(answer, HTTPStatus.OK)
            total = content_length(answer.headers)
            if (total or 0) > limit_bytes:
                raise _web_page(answer) if _is_html(answer) else too_large(answer.url, limit_bytes)
            data = bytearray()
            for piece in StallDetector(self._policy, self._clock).watch(answer.body(), answer.url):
                data += piece
                if len(data) > limit_bytes:
                    raise _web_page(answer) if _begins_as_page(data) else too_large(answer.url, limit_bytes)
            if total is not None and len(data) != total:
                raise _cut_off(answer)
            if _begins_as_page(data):
                raise _web_page(answer)
            found = answer.headers.get("etag")
            return None if etag is not None and found == etag else StoredFile(bytes(data), found)

    def _pieces(self, url: str, reading: _Reading) -> Iterator[bytes | memoryview]:
        """One request: the rest of the file, as far as it comes."""
        headers = {"Range": f"bytes={reading.at}-"} if reading.at else {}
        with self._ask("GET", url, headers) as answer:
            if answer.status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and headers:
                reading.expect_end(answer)
                return
            if not (answer.status == HTTPStatus.PARTIAL_CONTENT and headers):
                self._expect(answer, HTTPStatus.OK)
            skip = reading.begin(answer)
            for piece in StallDetector(self._policy, self._clock).watch(answer.body(), answer.url):
                if skip >= len(piece):
                    skip -= len(piece)
                    continue
                # What was asked to be left out came all the same: the server knows no ranges.
                rest, skip = memoryview(piece)[skip:], 0
                reading.take(len(rest), answer)
                yield rest
            if skip or reading.at < (reading.total or 0):
                raise _cut_off(answer)

    def _size(self, url: str) -> int | None:
        with self._ask("HEAD", url, {}) as answer:
            if answer.status in _GONE:
                return None
            if answer.status not in _NO_HEAD:
                self._expect(answer, HTTPStatus.OK)
                total = content_length(answer.headers)
                if total is not None:
                    return total
        with self._ask("GET", url, {"Range": "bytes=0-0"}) as answer:
            if answer.status in _GONE:
                return None
            if answer.status == HTTPStatus.PARTIAL_CONTENT:
                found = parse_content_range(answer.headers.get("content-range"))
                total = None if found is None else found.total
            else:
                self._expect(answer, HTTPStatus.OK)
                total = content_length(answer.headers)
        if total is None:
            raise TransferError(
                "no-size", f"{answer.url}: the server does not say how large the file is", "use another server"
            )
        return total

    @contextmanager
    def _ask(self, method: str, url: str, headers: Mapping[str, str]) -> Iterator[Answer]:
        try:
            with self._transport.ask(method, url, {**self._headers, **headers}) as answer:
                yield answer
        except TransferError as error:
            if error.code != "refused-host" or not self._headers:
                raise
            hint = f"give the address that it leads to as the source; {TOKEN_VARIABLE} is sent to no other host"
            raise TransferError(error.code, error.message, hint) from error

    def _expect(self, answer: Answer, status: HTTPStatus) -> None:
        if answer.status in _GONE:
            raise absent(answer.url)
        if answer.status in _DENIED:
            words = "says that it must be told who asks" if answer.status == HTTPStatus.UNAUTHORIZED else "refuses"
            hint = f"have a token made that may read there, and set {TOKEN_VARIABLE} to it"
            raise TransferError("access-denied", f"{answer.url}: the server {words}", hint)
        if answer.status != status:
            wait_s = retry_after_s(answer.headers, time.time())
            raise refusal(answer, None if wait_s is None else min(wait_s, self._policy.retry_after_cap_s))
        if is_encoded(answer.headers):
            raise TransferError(
                "compressed-body",
                f"{answer.url}: the file was compressed on the way, although asked for as it is",
                "switch off compression for it in the server or the proxy between",
            )


class _Reading:
    """How far one reading of a file has come, over all its requests, and which state of the file it reads.

    Attributes:
        at: the offset of the next byte.
        total: the file's size, None as long as the server has not said.
    """

    def __init__(self, offset: int) -> None:
        self.at = offset
        self.total: int | None = None
        self._facts: tuple[int | str | None, ...] = (None, None, None)

    def begin(self, answer: Answer) -> int:
        """Check that the answer belongs to what came before; returns how many of its bytes came already.

        Raises:
            TransferError: `changed-at-source`.
            PassingError: `bad-range`.
        """
        skip = 0
        if answer.status == HTTPStatus.PARTIAL_CONTENT:
            found = parse_content_range(answer.headers.get("content-range"))
            if found is None or found.first != self.at or found.total is None:
                raise PassingError("bad-range", f"{answer.url}: asked to resume, the server sent another range")
            total: int | None = found.total
        else:
            total, skip = content_length(answer.headers), self.at
        if total is not None and total < self.at:
            raise changed(answer.url)
        facts = (total, answer.headers.get("etag"), answer.headers.get("last-modified"))
        if any(None not in pair and pair[0] != pair[1] for pair in zip(self._facts, facts, strict=True)):
            raise changed(answer.url)
        self._facts = facts
        self.total = total if total is not None else self.total
        return skip

    def take(self, count: int, answer: Answer) -> None:
        """So many bytes came."""
        self.at += count
        if self.total is not None and self.at > self.total:
            raise changed(answer.url)

    def expect_end(self, answer: Answer) -> None:
        """There is no such range: right after the last byte that is the end, and else another file."""
        found = parse_content_range(answer.headers.get("content-range"))
        if found is None or found.total != self.at:
            raise changed(answer.url)


def _is_html(answer: Answer) -> bool:
    return answer.headers.get("content-type", "").partition(";")[0].strip().lower() in _HTML


def _begins_as_page(data: bytearray) -> bool:
    """Whether a small file is a page for people: none that belongs to a set begins like that."""
    return data.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"<")


def _web_page(answer: Answer) -> TransferError:
    return TransferError(
        "web-page",
        f"{answer.url}: a web page came instead of the file, as from a proxy or server that wants a logon",
        "open the address in a browser to see what it asks for; let this machine pass there, or name another proxy",
    )


def _cut_off(answer: Answer) -> PassingError:
    return PassingError("cut-off", f"{answer.url}: the connection broke off")
