"""Time that passes while the process waits."""

from __future__ import annotations

import time


class SystemClock:
    """The machine's own time."""

    def monotonic(self) -> float:
        """Seconds from some fixed point."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)
