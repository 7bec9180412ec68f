"""The Windows service that reads the repository.

pywin32, which knows the service manager, is there on Windows alone. Everywhere else, and where the service is
not installed, its state is ABSENT.
"""

from __future__ import annotations

import contextlib
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol, runtime_checkable

from repo_manager.adapters.filesystem.scan import changed_at
from repo_manager.core.errors import ServiceAbsentError, ServiceError, ServiceUnchangedError
from repo_manager.core.service import Service, ServiceState

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class ServiceFacts:
    r"""How a service is set up.

    Attributes:
        start_type: `automatic`, `automatic (delayed)`, `manual`, `disabled`, or another word for what is none of them.
        account: who it runs as, as Windows writes it: `LocalSystem`, or `DOMAIN\name`.
        program: the command that starts it.
    """

    start_type: str
    account: str
    program: str

    @property
    def starts_by_itself(self) -> bool:
        """Whether it comes up with the server."""
        return self.start_type.startswith("automatic")


@runtime_checkable
class Describing(Protocol):
    """A service that can say how it is set up."""

    def describe(self) -> ServiceFacts | None:
        """How it is set up; None where there is none, or this user may not ask."""
        ...


class AbsentService:
    """Stands where there is no such service: on Linux, or, without a name, for a profile that has none."""

    def __init__(self, name: str) -> None:
        self.name = name

    def state(self) -> ServiceState:
        """Always ABSENT."""
        return ServiceState.ABSENT

    def started_at(self) -> float | None:
        """It never started."""
        return None

    def ready(self) -> None:
        """Nothing to restart."""

    def request_stop(self) -> None:
        """Nothing to stop."""

    def request_start(self) -> None:
        """Nothing to start."""


def service_of(name: str | None) -> Service:
    """The machine's service of that name; an absent one where there is no service manager."""
    if name is None or sys.platform != "win32":
        return AbsentService(name or "")
    return WindowsService(name)


def serves_older_set(service: Service, folder: Path, now: float) -> bool:
    """Whether a running service started before its folder last changed, so that it does not see what lies there now.

    What cannot be told is not so. `now` is in seconds since the epoch: a change in the future comes from another
    machine's clock and says nothing.
    """
    changed = changed_at(folder)
    if changed is None or changed > now:
        return False
    try:
        started = service.started_at()
    except ServiceError:
        return False
    return started is not None and started < changed


# The least right that lets a process be asked when it started, from winnt.h.
_PROCESS_QUERY_LIMITED_INFORMATION: Final = 0x1000


class WindowsService:
    """A service of the Windows service control manager, by its display name or its key name."""

    def __init__(self, name: str) -> None:
        self.name = name

    def state(self) -> ServiceState:
        """What the service manager says. Paused and pending states count as their nearest."""
        import win32service

        states = {
            win32service.SERVICE_RUNNING: ServiceState.RUNNING,
            win32service.SERVICE_STOPPED: ServiceState.STOPPED,
            win32service.SERVICE_START_PENDING: ServiceState.STARTING,
            win32service.SERVICE_CONTINUE_PENDING: ServiceState.STARTING,
            win32service.SERVICE_STOP_PENDING: ServiceState.STOPPING,
        }
        try:
            status = self._status()
        except ServiceAbsentError:
            return ServiceState.ABSENT
        return states.get(status["CurrentState"], ServiceState.PAUSED)

    def started_at(self) -> float | None:
        """When the process of the service started; None also where this user may not ask."""
        import pywintypes
        import win32api
        import win32process

        with contextlib.suppress(ServiceError, pywintypes.error):
            process_id = self._status()["ProcessId"]
            if process_id:
                process = win32api.OpenProcess(_PROCESS_QUERY_LIMITED_INFORMATION, False, process_id)
                try:
                    return float(win32process.GetProcessTimes(process)["CreationTime"].timestamp())
                finally:
                    process.Close()
        return None

    def ready(self) -> None:
        """Look at rights and start type before anything is stopped.

        Raises:
            ServiceError: this user may not stop and start it, or it is disabled and would stay down.
        """
        import win32service

        access = win32service.SERVICE_STOP | win32service.SERVICE_START | win32service.SERVICE_QUERY_CONFIG
        with self._opened(access) as service:
            start_type = win32service.QueryServiceConfig(service)[1]
        if start_type == win32service.SERVICE_DISABLED:
            raise _refusal(self.name, 1058, "it is disabled, and would not start again once it is stopped")

    def describe(self) -> ServiceFacts | None:
        """How it is set up; None where there is none, or this user may not ask."""
        import pywintypes
        import win32service

        start_types = {
            win32service.SERVICE_AUTO_START: "automatic",
            win32service.SERVICE_DEMAND_START: "manual",
            win32service.SERVICE_DISABLED: "disabled",
        }
        with contextlib.suppress(ServiceError), self._opened(win32service.SERVICE_QUERY_CONFIG) as service:
            told = win32service.QueryServiceConfig(service)
            start_type = start_types.get(told[1], "of a driver")
            # Older systems do not know delays.
            with contextlib.suppress(pywintypes.error):
                delayed = win32service.QueryServiceConfig2(service, win32service.SERVICE_CONFIG_DELAYED_AUTO_START_INFO)
                start_type += " (delayed)" if delayed and start_type == "automatic" else ""
            return ServiceFacts(start_type, str(told[7]), str(told[3]))
        return None

    def request_stop(self) -> None:
        """Ask the service manager to stop it."""
        import win32service

        with self._opened(win32service.SERVICE_STOP) as service:
            win32service.ControlService(service, win32service.SERVICE_CONTROL_STOP)

    def request_start(self) -> None:
        """Ask the service manager to start it."""
        import win32service

        with self._opened(win32service.SERVICE_START) as service:
            win32service.StartService(service, None)

    def _status(self) -> dict[str, int]:
        import win32service

        with self._opened(win32service.SERVICE_QUERY_STATUS) as service:
            return dict(win32service.QueryServiceStatusEx(service))

    @contextlib.contextmanager
    def _opened(self, access: int) -> Iterator[Any]:
        """A handle of the service; the refusals of every call made with it become ServiceError."""
        import pywintypes
        import win32service

        try:
            with closing(win32service.OpenSCManager(None, None, win32service.SC_MANAGER_CONNECT)) as manager:
                key = self._key(manager)
                try:
                    with closing(win32service.OpenService(manager, key, access)) as service:
                        yield service
                except pywintypes.error as error:
                    dependents = _running_dependents(manager, key) if error.winerror == _HAS_DEPENDENTS else ""
                    raise _refusal(self.name, error.winerror, f"{str(error.strerror).strip()}{dependents}") from error
        except pywintypes.error as error:
            raise _refusal(self.name, error.winerror, str(error.strerror).strip()) from error

    def _key(self, manager: Any) -> str:  # noqa: ANN401 - a pywin32 handle
        """The service's key name, found by the display name that people know."""
        import pywintypes
        import win32service

        try:
            return str(win32service.GetServiceKeyName(manager, self.name))
        except pywintypes.error:
            return self.name


@contextlib.contextmanager
def closing(handle: Any) -> Iterator[Any]:  # noqa: ANN401 - a pywin32 handle
    """A handle of the service manager, until the end of the block."""
    import win32service

    try:
        yield handle
    finally:
        win32service.CloseServiceHandle(handle)


_HAS_DEPENDENTS: Final = 1051


def _running_dependents(manager: Any, key: str) -> str:  # noqa: ANN401 - a pywin32 handle
    """Which services keep this one from stopping, as the end of a message; nothing where that cannot be told."""
    import pywintypes
    import win32service

    with contextlib.suppress(pywintypes.error):
        with closing(win32service.OpenService(manager, key, win32service.SERVICE_ENUMERATE_DEPENDENTS)) as service:
            found = win32service.EnumDependentServices(service, win32service.SERVICE_ACTIVE)
        return ": " + ", ".join(str(status[1]) for status in found) if found else ""
    return ""


def _refusal(name: str, number: int, words: str) -> ServiceError:
    code, hint = _REFUSALS.get(number, (f"service-error-{number}", "look into the Windows event log"))
    kind = _CLASSES.get(code, ServiceError)
    return kind(code, f"{name!r}: {words} (error {number})", hint)


_LOG = "look into the Windows event log"
_AGAIN = "wait a minute, then run the same command again"

_CLASSES: Final = {
    "service-already-running": ServiceUnchangedError,
    "service-not-active": ServiceUnchangedError,
    "service-not-installed": ServiceAbsentError,
}

# Windows' own numbers. Evidence: "System Error Codes (1000-1299)" on Microsoft Learn.
_REFUSALS: Final = {
    2: ("service-program-missing", "repair the installation: the service's program is not where it should be"),
    3: ("service-program-missing", "repair the installation: the service's program is not where it should be"),
    5: ("service-access-denied", "run as administrator"),
    1051: ("service-has-dependents", "stop the services that depend on it, then run the same command again"),
    1052: ("service-busy", _AGAIN),
    1053: ("service-timed-out", _LOG),
    1055: ("service-manager-locked", _AGAIN),
    1056: ("service-already-running", "run the same command again"),
    1057: ("service-account", "mend the account the service runs as in services.msc"),
    1058: ("service-disabled", "set its start type to Automatic in services.msc"),
    1060: ("service-not-installed", "check the service's name in the profile"),
    1061: ("service-busy", _AGAIN),
    1062: ("service-not-active", "run the same command again"),
    1064: ("service-failed", _LOG),
    1066: ("service-failed", _LOG),
    1067: ("service-failed", _LOG),
    1068: ("service-dependency-failed", "start the services it depends on first"),
    1069: ("service-account", "mend the account the service runs as in services.msc"),
    1070: ("service-failed", _LOG),
    1072: ("service-being-removed", "close services.msc and restart the server"),
    1075: ("service-dependency-failed", "repair the installation: a service it depends on is missing"),
    1115: ("shutting-down", "run the same command again once the server is up"),
    1722: ("service-manager-away", _AGAIN),
}
