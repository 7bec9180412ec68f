"""Stop a service, start it, and wait until it has been running for a while.

The rules are here; a real service manager, and a twin that can hang, fail or die, satisfy
`Service`. Time comes in as a `Clock`.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from repo_manager.core.errors import ServiceError, ServiceUnchangedError

if TYPE_CHECKING:
    from collections.abc import Callable


class ServiceState(StrEnum):
    """What a service manager says of a service."""

    RUNNING = "running"
    STOPPED = "stopped"
    STARTING = "starting"
    STOPPING = "stopping"
    PAUSED = "paused"
    ABSENT = "absent"


class Service(Protocol):
    """One service of the machine.

    `request_stop` and `request_start` return at once; both raise ServiceError when the service
    manager refuses: ServiceUnchangedError where a service that is to be stopped does not run (any more), and where one
    that is to be started does (already).
    """

    @property
    def name(self) -> str:
        """What people call the service."""
        ...

    def state(self) -> ServiceState:
        """What it is doing now; ABSENT where there is no such service."""
        ...

    def started_at(self) -> float | None:
        """When its process started, in seconds since the epoch; None where it does not run or nobody can tell."""
        ...

    def ready(self) -> None:
        """Raise ServiceError where it could not be stopped and started again, as far as that is known beforehand."""
        ...

    def request_stop(self) -> None:
        """Ask it to stop."""
        ...

    def request_start(self) -> None:
        """Ask it to start."""
        ...


class Clock(Protocol):
    """Time for waiting."""

    def monotonic(self) -> float:
        """Seconds from some fixed point, never going back."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait."""
        ...


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long to wait, in seconds. `steady_s` is how long it must stay up to count as well."""

    stop_s: float = 120.0
    start_s: float = 120.0
    steady_s: float = 5.0
    poll_s: float = 0.5


@dataclass(frozen=True, slots=True)
class ServiceReport:
    """What became of the service. `remark` is a sentence for people, may be empty."""

    restarted: bool
    state: ServiceState
    remark: str = ""


def restart(service: Service, clock: Clock, patience: Timeouts) -> ServiceReport:
    """Restart a running service. One that is stopped stays stopped; one that is absent is said to be.

    Raises:
        ServiceError: it did not stop, did not start, or did not stay up.
    """
    state = service.state()
    if state is ServiceState.ABSENT:
        return ServiceReport(restarted=False, state=state, remark=f"there is no service {service.name!r} here")
    if state is ServiceState.STOPPED:
        return ServiceReport(
            restarted=False, state=state, remark=f"{service.name!r} was stopped before and stays stopped"
        )
    service.ready()
    _stop(service, clock, patience)
    bring_up(service, clock, patience)
    return ServiceReport(restarted=True, state=ServiceState.RUNNING)


def bring_up(service: Service, clock: Clock, patience: Timeouts) -> None:
    """Start a service, whatever it is doing, and wait until it has been running for `steady_s`.

    Raises:
        ServiceError: it did not start, or did not stay up.
    """
    if service.state() is ServiceState.STOPPING:
        _await(service, ServiceState.STOPPED, patience.stop_s, clock, patience)
    if service.state() not in {ServiceState.RUNNING, ServiceState.STARTING}:
        _unless_already(service.request_start)
    if not _await(service, ServiceState.RUNNING, patience.start_s, clock, patience):
        raise ServiceError(
            "service-did-not-start",
            f"{service.name!r} was told to start and is {service.state()}",
            "look into the Windows event log, then start the service by hand",
        )
    steady_until = clock.monotonic() + patience.steady_s
    while clock.monotonic() < steady_until:
        clock.sleep(patience.poll_s)
        state = service.state()
        if state is not ServiceState.RUNNING:
            raise ServiceError(
                "service-died",
                f"{service.name!r} started, then was {state} within {patience.steady_s:g} s",
                "look into the Windows event log, then start the service by hand",
            )


def _stop(service: Service, clock: Clock, patience: Timeouts) -> None:
    if service.state() is ServiceState.STARTING:
        _await(service, ServiceState.RUNNING, patience.start_s, clock, patience)
    if service.state() not in {ServiceState.STOPPING, ServiceState.STOPPED}:
        _unless_already(service.request_stop)
    if not _await(service, ServiceState.STOPPED, patience.stop_s, clock, patience):
        raise ServiceError(
            "service-did-not-stop",
            f"{service.name!r} was told to stop and is {service.state()} after {patience.stop_s:g} s",
            "end the pushes that are running, or raise stop_timeout in the configuration",
        )


def _unless_already(request: Callable[[], None]) -> None:
    """Ask for what may have come about by itself since the last look."""
    with contextlib.suppress(ServiceUnchangedError):
        request()


def _await(service: Service, wanted: ServiceState, limit_s: float, clock: Clock, patience: Timeouts) -> bool:
    """Poll until the service is as wanted. False when the time is up, or when a start ended in a stop."""
    deadline = clock.monotonic() + limit_s
    while (state := service.state()) is not wanted:
        gave_up = wanted is ServiceState.RUNNING and state in {ServiceState.STOPPED, ServiceState.ABSENT}
        if gave_up or clock.monotonic() >= deadline:
            return False
        clock.sleep(patience.poll_s)
    return True
