"""HTTP as a source: fetches installers, resumes what was cut off, and lets nothing wrong through.

    url, url, url --> part (hashed and inspected on the way) --> Fetched

Each source is tried in its order. A failure that may pass is tried again after a wait; wrong bytes
are removed at once and the next source is asked. What was whole so far stays, also after a kill:
`part` with its record `part.json` is taken up by the next call.
"""

from __future__ import annotations

import random as _random
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from repo_manager.adapters.installers.archive import MismatchError
from repo_manager.adapters.sources._transport import PassingError, Transport, refusal, trust
from repo_manager.adapters.sources.fetched import Fetched, ignore, never
from repo_manager.adapters.sources.http_rules import (
    HttpPolicy,
    content_length,
    if_range,
    is_encoded,
    parse_content_range,
    retry_after_s,
)
from repo_manager.adapters.sources.part import Origin, PartialFile, check_size
from repo_manager.adapters.sources.retrying import Retrying
from repo_manager.core.errors import TransferError, VerificationError
from repo_manager.core.redaction import shown

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path
    from types import TracebackType
    from typing import Self

    from repo_manager.adapters.sources._transport import Answer
    from repo_manager.core.names import InstallerName

__all__ = ["Downloader", "HttpPolicy", "shown"]

# Servers that do not answer HEAD, or whose signed links are for GET alone.
_NO_HEAD: Final = frozenset((403, 405, 501))


def check_proxy(policy: HttpPolicy) -> None:
    """See that the proxy's address can be used. Nothing is asked of it.

    Raises:
        InputError: `bad-proxy`.
    """
    Transport(replace(policy, ca_file=None)).close()


def trusted_until(policy: HttpPolicy) -> datetime | None:
    """When the last certificate of `ca_file` expires; None where the system's are trusted, or it names no authority.

    Raises:
        MachineError: `no-ca-file`: the file cannot be read, or holds no certificate.
    """
    import ssl

    context = trust(policy)
    if policy.ca_file is None:
        return None
    ends = [ssl.cert_time_to_seconds(str(found["notAfter"])) for found in context.get_ca_certs()]
    return datetime.fromtimestamp(max(ends), UTC) if ends else None


@dataclass(frozen=True, slots=True)
class _Order:
    """What one `fetch` was asked for."""

    name: InstallerName
    sha256: str | None
    size_bytes: int | None
    progress: Callable[[int], None]
    cancelled: Callable[[], bool]


class Downloader:
    """Fetches over HTTP under one policy. Any number of threads may share it. Close it in the end.

    Args:
        policy: how patient, and whom to ask.
        sleep: waits some seconds.
        random: gives numbers in [0, 1), which spread the waits of many downloads.
        clock: seconds from any point, for the rate.
    """

    def __init__(
        self,
        policy: HttpPolicy,
        *,
        sleep: Callable[[float], None] = time.sleep,
        random: Callable[[], float] = _random.random,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._policy = policy
        self._retrying = Retrying(policy, sleep=sleep, random=random)
        self._clock = clock
        self._transport = Transport(policy)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close every connection."""
        self._transport.close()

    def size(self, url: str, *, cancelled: Callable[[], bool] = never) -> int | None:
        """How many bytes the file has, asked for without fetching it; None when the server does not say.

        Raises:
            TransferError: the file cannot be had from there.
        """
        return self._retrying.run(lambda: self._size(url), cancelled=cancelled)

    def text(self, url: str, limit: int, *, cancelled: Callable[[], bool] = never) -> str:
        """A small UTF-8 document of at most `limit` bytes.

        Raises:
            TransferError: also `too-large` and `not-text`.
        """
        return self._retrying.run(lambda: self._text(url, limit), cancelled=cancelled)

    def fetch(  # noqa: PLR0913 - the shape that all sources share
        self,
        name: InstallerName,
        urls: Sequence[str],
        part: Path,
        *,
        sha256: str | None = None,
        size_bytes: int | None = None,
        progress: Callable[[int], None] = ignore,
        cancelled: Callable[[], bool] = never,
    ) -> Fetched:
        """Fetch the installer to `part`, verified and synced.

        When it fails, `part` and its record stay for the next call to resume, unless its bytes were
        wrong or the disk is full: then both are gone.

        Args:
            name: what the bytes must be.
            urls: the sources, best first. They need not be equally fast, but must mean the same file.
            part: a path in a staging folder that exists; never the published place.
            sha256: the digest it must have, where one is known. Only then may one source go on
                where another stopped.
            size_bytes: the size it must have, where one is known.
            progress: told how many bytes `part` has by now; the number falls when a source starts over.
            cancelled: asked between portions and during waits.

        Raises:
            TransferError: no source delivered; `cancelled` when told to stop.
            VerificationError: no source delivered, and one at least gave wrong bytes. The message names
                every source tried. Codes as `adapters.installers.archive` says, and `size-mismatch`, `digest-mismatch`.
            MachineError: `part` could not be written; see `adapters.filesystem.os_errors`.
        """
        order = _Order(name, sha256, size_bytes, progress, cancelled)
        failures: list[tuple[str, TransferError | VerificationError]] = []
        with PartialFile(part, name) as target:
            target.resume()
            for url in urls:
                target.pieced = bool(target.size_bytes)
                try:
                    return self._from_source(order, url, target)
                except (TransferError, VerificationError) as error:
                    if error.code == "cancelled":
                        raise
                    failures.append((shown(url), error))
        raise _all_failed(name, failures)

    def _from_source(self, order: _Order, url: str, target: PartialFile) -> Fetched:
        try:
            return self._whole(order, url, target)
        except VerificationError:
            if not target.pieced:
                target.discard()
                raise
        # Right pieces of two builds make a wrong whole: the source gets one chance to give all of it.
        target.discard()
        try:
            return self._whole(order, url, target)
        except VerificationError:
            target.discard()
            raise

    def _whole(self, order: _Order, url: str, target: PartialFile) -> Fetched:
        if not target.complete:
            self._retrying.run(
                lambda: self._transfer(order, url, target),
                cancelled=order.cancelled,
                reached=lambda: target.size_bytes,
            )
        contents = target.finish(sha256=order.sha256, size_bytes=order.size_bytes)
        return Fetched(contents.sha256, contents.size_bytes, shown(url), contents)

    def _transfer(self, order: _Order, url: str, target: PartialFile) -> None:
        """One request: go on where the part ends if that is safe, else from zero."""
        headers = _range_headers(target, url, order.sha256)
        with self._transport.ask("GET", url, headers) as answer:
            if answer.status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and headers:
                _expect_complete(answer, target)
                return
            end: int | None
            if answer.status == HTTPStatus.PARTIAL_CONTENT and headers:
                end = _go_on(answer, url, target, order)
            elif answer.status == HTTPStatus.OK:
                end = self._start(answer, url, target, order)
            else:
                raise self._refusal(answer)
            self._take_body(answer, target, order, end)

    def _start(self, answer: Answer, url: str, target: PartialFile, order: _Order) -> int | None:
        """Begin at zero; returns where the file ends, None when the server does not say."""
        _expect_plain(answer)
        total = content_length(answer.headers)
        if total is not None:
            check_size(order.name, expected=order.size_bytes, found=total)
        if (total or 0) > self._policy.max_size_bytes:
            raise _too_large(answer, self._policy.max_size_bytes)
        target.restart(Origin(shown(url), answer.headers.get("etag"), answer.headers.get("last-modified"), total))
        return total

    def _take_body(self, answer: Answer, target: PartialFile, order: _Order, end: int | None) -> None:
        limit = self._policy.max_size_bytes if end is None else end
        window_start, window_size = self._clock(), target.size_bytes
        for chunk in answer.body():
            if order.cancelled():
                raise TransferError("cancelled", f"{answer.url}: the download was stopped", "run again to resume")
            if target.size_bytes + len(chunk) > limit:
                target.discard()
                raise _too_large(answer, limit)
            target.write(chunk)
            order.progress(target.size_bytes)
            elapsed = self._clock() - window_start
            if elapsed > 2 * self._policy.stall_timeout_s:
                if target.size_bytes - window_size < self._policy.min_rate * elapsed:
                    raise PassingError("stalled", f"{answer.url}: the bytes come too slowly")
                window_start, window_size = self._clock(), target.size_bytes
        if end is not None and target.size_bytes != end:
            raise PassingError("cut-off", f"{answer.url}: {target.size_bytes} of {end} bytes came")

    def _size(self, url: str) -> int | None:
        with self._transport.ask("HEAD", url, {}) as answer:
            if answer.status == HTTPStatus.OK:
                return None if is_encoded(answer.headers) else content_length(answer.headers)
            if answer.status not in _NO_HEAD:
                raise self._refusal(answer)
        with self._transport.ask("GET", url, {"Range": "bytes=0-0"}) as answer:
            if answer.status == HTTPStatus.PARTIAL_CONTENT:
                content_range = parse_content_range(answer.headers.get("content-range"))
                return None if content_range is None else content_range.total
            if answer.status == HTTPStatus.OK:
                return None if is_encoded(answer.headers) else content_length(answer.headers)
            raise self._refusal(answer)

    def _text(self, url: str, limit: int) -> str:
        with self._transport.ask("GET", url, {}) as answer:
            if answer.status != HTTPStatus.OK:
                raise self._refusal(answer)
            _expect_plain(answer)
            body = bytearray()
            for chunk in answer.body():
                body += chunk
                if len(body) > limit:
                    raise _too_large(answer, limit)
        try:
            return body.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise TransferError(
                "not-text", f"{answer.url}: the document is not UTF-8 text", "check the address"
            ) from error

    def _refusal(self, answer: Answer) -> TransferError:
        wait_s = retry_after_s(answer.headers, time.time())
        return refusal(answer, None if wait_s is None else min(wait_s, self._policy.retry_after_cap_s))


def _range_headers(target: PartialFile, url: str, sha256: str | None) -> dict[str, str]:
    """Ask for the rest, where nothing can go unnoticed: the same file by its validator, or by its digest in the end."""
    if not target.size_bytes or target.origin is None:
        return {}
    same = target.origin.url == shown(url)
    validator = if_range(target.origin.etag, target.origin.last_modified) if same else None
    if validator is None and sha256 is None:
        return {}
    headers = {"Range": f"bytes={target.size_bytes}-"}
    if validator is not None:
        headers["If-Range"] = validator
    return headers


def _go_on(answer: Answer, url: str, target: PartialFile, order: _Order) -> int:
    """Check that the answer goes on exactly where the part ends; returns where the file ends."""
    _expect_plain(answer)
    origin, content_range = target.origin, parse_content_range(answer.headers.get("content-range"))
    if (
        origin is None
        or content_range is None
        or content_range.first != target.size_bytes
        or content_range.total is None
        or origin.total not in {None, content_range.total}
    ):
        raise _start_over(answer, target, "another range than asked for")
    check_size(order.name, expected=order.size_bytes, found=content_range.total)
    same = origin.url == shown(url)
    if same and _changed(origin, answer):
        raise _start_over(answer, target, "a file that has changed meanwhile")
    if not same:
        # Bytes of two sources have no common validator; from here on only the digest can vouch for them.
        target.describe(Origin(shown(url), None, None, content_range.total))
    target.pieced = True
    return content_range.total


def _changed(origin: Origin, answer: Answer) -> bool:
    pairs = ((origin.etag, answer.headers.get("etag")), (origin.last_modified, answer.headers.get("last-modified")))
    return any(before is not None and now is not None and before != now for before, now in pairs)


def _expect_complete(answer: Answer, target: PartialFile) -> None:
    """A 416 after the last byte means that all is here; any other means that this is another file."""
    content_range = parse_content_range(answer.headers.get("content-range"))
    if content_range is None or content_range.total != target.size_bytes:
        raise _start_over(answer, target, "no such range")


def _start_over(answer: Answer, target: PartialFile, what: str) -> PassingError:
    target.discard()
    return PassingError("bad-range", f"{answer.url}: asked to resume, the server sent {what}")


def _expect_plain(answer: Answer) -> None:
    if is_encoded(answer.headers):
        raise TransferError(
            "compressed-body",
            f"{answer.url}: the file was compressed on the way, although asked for as it is",
            "switch off compression for it in the server or the proxy between",
        )


def _too_large(answer: Answer, limit: int) -> TransferError:
    return TransferError("too-large", f"{answer.url}: more than {limit} bytes came", "check what the address leads to")


def _all_failed(
    name: InstallerName, failures: list[tuple[str, TransferError | VerificationError]]
) -> TransferError | VerificationError:
    """One error for all sources: wrong bytes weigh more than a broken way, the first more than the later."""
    if not failures:
        return TransferError("no-source", f"{name}: no source is known", "add a link to the catalog, or name a source")
    leading = next((error for _, error in failures if isinstance(error, VerificationError)), failures[0][1])
    lines = [error.message if url in error.message else f"{error.message} (from {url})" for url, error in failures]
    message = lines[0] if len(lines) == 1 else "\n  ".join((f"{name}: no source gave a usable file", *lines))
    if isinstance(leading, MismatchError):
        error: TransferError | VerificationError = MismatchError(
            leading.code, message, leading.hint, expected=leading.expected, found=leading.found
        )
    elif isinstance(leading, VerificationError):
        error = VerificationError(leading.code, message, leading.hint)
    else:
        error = TransferError(leading.code, message, leading.hint)
    error.__cause__ = leading
    return error
