"""What stands before the answers: no client may ask too often, every request is counted, and no fault shows itself."""

from __future__ import annotations

import time
from collections import OrderedDict
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final

from starlette.responses import PlainTextResponse

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from repo_manager.web.metrics import Metrics

_REMEMBERED: Final = 10_000
_SHOWN: Final = 300


class CutError(Exception):
    """The connection broke, or is to be broken, before all was sent. `sent` bytes of the last piece went."""

    def __init__(self, sent: int = 0) -> None:
        super().__init__(sent)
        self.sent = sent


@dataclass(frozen=True, slots=True)
class AccessLogEntry:
    """One request that has had its answer. `path` is as it came, without its query, and is safe to print.

    `whole` is false where the connection broke before all was sent. `fault` is the kind of a failure that nobody
    expected, empty where there was none.
    """

    client: str
    bearer: str
    method: str
    path: str
    status: int
    sent_bytes: int
    seconds: float
    whole: bool
    fault: str = ""


@dataclass
class Rate:
    """How often a client may ask: `burst` times at once, and `per_s` times a second in the long run."""

    per_s: float = 50.0
    burst: float = 500.0
    clock: Callable[[], float] = time.monotonic
    _left: OrderedDict[str, tuple[float, float]] = field(default_factory=OrderedDict)

    def allows(self, client: str) -> bool:
        """Whether this client may ask once more now. Those who have not asked for long are forgotten."""
        now = self.clock()
        left, then = self._left.pop(client, (self.burst, now))
        left = min(self.burst, left + (now - then) * self.per_s)
        allowed = left >= 1
        self._left[client] = (left - 1 if allowed else left, now)
        if len(self._left) > _REMEMBERED:
            self._left.popitem(last=False)
        return allowed


class Guard:
    """The outermost layer of the application."""

    def __init__(self, inner: ASGIApp, metrics: Metrics, rate: Rate, tell: Callable[[AccessLogEntry], None]) -> None:
        self._inner = inner
        self._metrics = metrics
        self._rate = rate
        self._tell = tell

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, count, tell."""
        if scope["type"] != "http":
            return
        answer = _Answer(send, close=_has_unread_body(scope))
        scope.setdefault("state", {})
        client, began = client_of(scope), time.perf_counter()
        self._metrics.under_way += 1
        try:
            if is_loopback(client) or self._rate.allows(client):
                await self._inner(scope, receive, answer.send)
            else:
                self._metrics.refused("rate")
                await refused(429, "too many requests", {"Retry-After": "1"})(scope, receive, answer.send)
        except CutError:
            # There is nobody to say it to. Without an end of the answer the connection is cut.
            pass
        except Exception as error:  # noqa: BLE001 - whoever asks is told no more than that it failed
            answer.fault = type(error).__name__
            if not answer.status:
                await refused(500, "something unexpected; the log of the server may say more")(
                    scope, receive, answer.send
                )
        finally:
            self._metrics.under_way -= 1
            self._account(scope, answer, client, time.perf_counter() - began)

    def _account(self, scope: Scope, answer: _Answer, client: str, seconds: float) -> None:
        kind = kind_of(scope["path"])
        self._metrics.answered(scope["method"], kind, answer.status, answer.sent_bytes)
        path = bytes(scope.get("raw_path") or b"").partition(b"?")[0].decode("ascii", "backslashreplace")
        printable = "".join(letter if letter.isprintable() else "?" for letter in path)[:_SHOWN]
        bearer = str(scope["state"].get("bearer", "-"))
        method = scope["method"][:10]
        self._tell(
            AccessLogEntry(
                client,
                bearer,
                method,
                printable,
                answer.status,
                answer.sent_bytes,
                seconds,
                whole=answer.whole and not answer.fault,
                fault=answer.fault,
            )
        )


class _Answer:
    """Looks on while an answer is sent."""

    def __init__(self, send: Send, *, close: bool) -> None:
        self._send = send
        self._close = close
        self.status = 0
        self.sent_bytes = 0
        self.whole = False
        self.fault = ""

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            extra = [(b"x-content-type-options", b"nosniff")]
            if self._close or self.status in {400, 408, 411, 413, 415, 500}:
                # What is left of the body is not read.
                extra.append((b"connection", b"close"))
            message = {**message, "headers": [*message.get("headers", ()), *extra]}
        try:
            await self._send(message)
        except CutError as error:
            self.sent_bytes += error.sent
            raise
        if message["type"] != "http.response.start":
            self.sent_bytes += message.get("count", 0) or len(message.get("body", b""))
            self.whole = not message.get("more_body", False)


def line(entry: AccessLogEntry) -> str:
    """A request as a line of a log: who, with which token, what, and what came of it."""
    end = entry.fault or ("" if entry.whole else "cut")
    words = (entry.client, entry.bearer, entry.method, entry.path, entry.status, entry.sent_bytes)
    return " ".join([*map(str, words), f"{entry.seconds:.3f}s", *([end] if end else [])])


def client_of(scope: Scope) -> str:
    """The address of who asks, as the connection or a trusted proxy says; `unknown` for what is no address."""
    try:
        return str(ip_address(scope["client"][0].partition("%")[0]))
    except (ValueError, TypeError, IndexError, AttributeError):
        return "unknown"


def is_loopback(address: str) -> bool:
    """Whether this machine asks itself: as many requests as it likes, it could do worse."""
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return False


def kind_of(path: str) -> str:
    """What a request is for, in a word of a closed set."""
    first = path.split("/", 2)[1] if path.startswith("/") else ""
    return first if first in _KINDS else "other"


_KINDS: Final = frozenset(("metadata", "targets", "reports", "fleet", "healthz", "metrics"))


def refused(status: int, why: str, headers: dict[str, str] | None = None) -> PlainTextResponse:
    """An answer that says no, in a line."""
    return PlainTextResponse(f"{why}\n", status_code=status, headers={"Cache-Control": "no-store", **(headers or {})})


def _has_unread_body(scope: Scope) -> bool:
    """Whether a body comes with a request that has no use for one."""
    if scope["method"] == "POST":
        return False
    return any(
        name == b"transfer-encoding" or (name == b"content-length" and value != b"0")
        for name, value in scope["headers"]
    )
