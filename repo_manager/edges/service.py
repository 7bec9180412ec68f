"""The Windows service that reads the repository.

The only module that knows pywin32, which is installed on Windows alone. Everywhere else, and where
the service is not installed, its state is ABSENT.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from repo_manager.errors import ServiceError
from repo_manager.restart import Service, ServiceState

if TYPE_CHECKING:
    from collections.abc import Callable


class AbsentService:
    """Stands where there is no such service: on Linux, or, without a name, for a profile that has none."""

    def __init__(self, name: str) -> None:
        self.name = name

    def state(self) -> ServiceState:
        """Always ABSENT."""
        return ServiceState.ABSENT

    def request_stop(self) -> None:
        """Nothing to stop."""

    def request_start(self) -> None:
        """Nothing to start."""


def service_of(name: str | None) -> Service:
    """The machine's service of that name; an absent one where there is no service manager."""
    if name is None or sys.platform != "win32":
        return AbsentService(name or "")
    return WindowsService(name)


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
            status = self._with(win32service.SERVICE_QUERY_STATUS, win32service.QueryServiceStatus)
        except ServiceError as error:
            if error.code == "service-not-installed":
                return ServiceState.ABSENT
            raise
        return states.get(status[1], ServiceState.PAUSED)

    def request_stop(self) -> None:
        """Ask the service manager to stop it."""
        import win32service

        self._with(
            win32service.SERVICE_STOP,
            lambda handle: win32service.ControlService(handle, win32service.SERVICE_CONTROL_STOP),
        )

    def request_start(self) -> None:
        """Ask the service manager to start it."""
        import win32service

        self._with(win32service.SERVICE_START, lambda handle: win32service.StartService(handle, None))

    def _with(self, access: int, act: Callable[[Any], Any]) -> Any:  # noqa: ANN401 - pywin32 has no types
        import pywintypes
        import win32service

        try:
            manager = win32service.OpenSCManager(None, None, win32service.SC_MANAGER_CONNECT)
            try:
                service = win32service.OpenService(manager, self._key(manager), access)
                try:
                    return act(service)
                finally:
                    win32service.CloseServiceHandle(service)
            finally:
                win32service.CloseServiceHandle(manager)
        except pywintypes.error as error:
            raise _translated(self.name, error) from error

    def _key(self, manager: Any) -> str:  # noqa: ANN401 - a pywin32 handle
        """The service's key name, found by the display name that people know."""
        import pywintypes
        import win32service

        try:
            return str(win32service.GetServiceKeyName(manager, self.name))
        except pywintypes.error:
            return self.name


def _translated(name: str, error: Any) -> ServiceError:  # noqa: ANN401 - pywintypes.error has no types
    number, _call, words = error.args
    code, hint = _REFUSALS.get(number, (f"service-error-{number}", "look into the Windows event log"))
    return ServiceError(code, f"{name!r}: {str(words).strip()} (error {number})", hint)


# Windows' own numbers, from winerror.h.
_REFUSALS = {
    5: ("service-access-denied", "run as administrator"),
    1051: ("service-has-dependents", "stop the services that depend on it first"),
    1053: ("service-timed-out", "look into the Windows event log"),
    1056: ("service-already-running", "run the same command again"),
    1058: ("service-disabled", "enable the service in services.msc"),
    1060: ("service-not-installed", "check the service's name in the profile"),
    1061: ("service-busy", "wait a minute, then run the same command again"),
    1062: ("service-not-active", "run the same command again"),
}
