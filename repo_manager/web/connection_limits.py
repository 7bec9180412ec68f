"""How many connections there may be, and how long they may take."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from repo_manager.web.limits import is_loopback

if TYPE_CHECKING:
    from collections.abc import Callable

    from repo_manager.web.metrics import Metrics


@dataclass
class ConnectionLimits:
    """How many may be in at once, and how long they may take. `exempt` are addresses that may use all connections.

    `handshake_s` is for TLS, `head_s` for a request's head, `stall_s` for a client that takes nothing of what is
    sent, and `idle_s` for one that asks for nothing more.
    """

    metrics: Metrics
    most: int = 500
    most_of_one: int = 250
    handshake_s: float = 5.0
    head_s: float = 20.0
    stall_s: float = 60.0
    idle_s: int = 15
    exempt: Callable[[str], bool] = is_loopback
    by_client: Counter[str] = field(default_factory=Counter)

    def enter(self, client: str) -> ConnectionSlot | None:
        """The place of one more of this address; None where there is no room for it."""
        if self.by_client.total() >= self.most or (
            self.by_client[client] >= self.most_of_one and not self.exempt(client)
        ):
            self.metrics.refused("connections")
            return None
        self.by_client[client] += 1
        self.metrics.connections += 1
        return ConnectionSlot(self, client)


class ConnectionSlot:
    """The place of one connection, which counts until it leaves."""

    def __init__(self, doors: ConnectionLimits, client: str) -> None:
        self._doors = doors
        self._client = client
        self._taken = True

    def leave(self) -> None:
        """It has gone. To say so twice does no harm."""
        if not self._taken:
            return
        self._taken = False
        by_client = self._doors.by_client
        by_client[self._client] -= 1
        self._doors.metrics.connections -= 1
        if not by_client[self._client]:
            del by_client[self._client]
