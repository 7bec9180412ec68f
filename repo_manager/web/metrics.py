"""Numbers for Prometheus, in its text format."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from repo_manager.report.exposition import Labels, family, text

if TYPE_CHECKING:
    from collections.abc import Iterator

MEDIA_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

__all__ = ["MEDIA_TYPE", "Labels", "Metrics", "family", "text"]


class Metrics:
    """What the server has counted since it started. For one thread, that of the event loop."""

    def __init__(self) -> None:
        self.under_way = 0
        self.connections = 0
        self._requests: Counter[tuple[str, str, str]] = Counter()
        self._sent: Counter[str] = Counter()
        self._refused: Counter[str] = Counter()

    def answered(self, method: str, kind: str, status: int, sent_bytes: int) -> None:
        """A request has had its answer, or as much of it as it took."""
        known = method if method in {"GET", "HEAD", "POST"} else "other"
        self._requests[known, kind, str(status)] += 1
        self._sent[kind] += sent_bytes

    def refused(self, why: str) -> None:
        """A limit was reached."""
        self._refused[why] += 1

    def families(self) -> Iterator[str]:
        """All that was counted."""
        yield from family(
            "repo_manager_http_requests_total",
            "counter",
            "Requests answered, by method, kind and status.",
            {
                (("method", method), ("kind", kind), ("status", status)): count
                for (method, kind, status), count in sorted(self._requests.items())
            },
        )
        yield from family(
            "repo_manager_http_sent_bytes_total",
            "counter",
            "Bytes of bodies sent, by kind.",
            {(("kind", kind),): count for kind, count in sorted(self._sent.items())},
        )
        yield from family(
            "repo_manager_refused_total",
            "counter",
            "Requests and connections refused because a limit was reached.",
            {(("reason", why),): count for why, count in sorted(self._refused.items())},
        )
        yield from family("repo_manager_requests_under_way", "gauge", "Requests being answered.", {(): self.under_way})
        yield from family("repo_manager_connections", "gauge", "Open connections.", {(): self.connections})
