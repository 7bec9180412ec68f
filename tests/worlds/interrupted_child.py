"""A change whose service hangs, in a process that is asked to end: what is put back hangs as well.

Run as a program: the world's folder is the argument. It says `waiting` whenever the service keeps it waiting, and
goes on when the file `go` is there.
"""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from pathlib import Path

import operations
import small_world

from repo_manager.adapters import signals
from repo_manager.app.change import perform
from repo_manager.core.errors import ExitCode
from repo_manager.core.service import ServiceState


class Hanging:
    """A service that takes its time to stop, once while the set is put in place and once while it is put back."""

    name = "hanging"

    def __init__(self, go: Path) -> None:
        self._go = go
        self._state = ServiceState.RUNNING

    def state(self) -> ServiceState:
        return self._state

    def started_at(self) -> float | None:
        return None

    def ready(self) -> None:
        pass

    def request_stop(self) -> None:
        print("waiting", flush=True)  # noqa: T201 - what the test listens to
        while not self._go.exists():
            time.sleep(0.02)
        self._go.unlink()
        self._state = ServiceState.STOPPED

    def request_start(self) -> None:
        self._state = ServiceState.RUNNING


class RealClock:
    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(min(seconds, 0.01))


def main() -> None:
    """Sync, and end as the command line does."""
    signals.listen()
    world = small_world.World(Path(sys.argv[1]))
    bench = small_world.bench(world)
    patient = replace(bench.patience, steady_s=0.0)
    try:
        perform(
            replace(bench, service=Hanging(world.root / "go"), clock=RealClock(), patience=patient),
            operations.sync_task(world),
        )
    except KeyboardInterrupt:
        sys.exit(ExitCode.INTERRUPTED)


if __name__ == "__main__":
    main()
