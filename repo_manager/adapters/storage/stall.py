"""A limit for how slowly bytes may come: a server that sends one now and then would never be done."""

from __future__ import annotations

from typing import TYPE_CHECKING

from repo_manager.adapters.sources._transport import PassingError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from repo_manager.adapters.sources.http_rules import HttpPolicy


class StallDetector:
    """Watches pieces come. Only waiting for them counts, not what is done with them."""

    def __init__(self, policy: HttpPolicy, clock: Callable[[], float]) -> None:
        self._policy = policy
        self._clock = clock

    def watch(self, pieces: Iterable[bytes | memoryview], where: str) -> Iterator[bytes | memoryview]:
        """The same pieces.

        Raises:
            PassingError: `stalled`: fewer than `HttpPolicy.min_rate` bytes a second, over twice the stall timeout.
        """
        coming = iter(pieces)
        waited_s, came = 0.0, 0
        while True:
            asked = self._clock()
            piece = next(coming, None)
            waited_s += self._clock() - asked
            if piece is None:
                return
            came += len(piece)
            if waited_s > 2 * self._policy.stall_timeout_s:
                if came < self._policy.min_rate * waited_s:
                    raise PassingError("stalled", f"{where}: the bytes come too slowly")
                waited_s, came = 0.0, 0
            yield piece
