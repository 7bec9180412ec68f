"""The Windows service manager, as far as a service of our own needs it: put in, take out, be hosted."""

from __future__ import annotations

import contextlib
import ntpath
import os
import threading
from typing import TYPE_CHECKING, Any, Final

from repo_manager.adapters.windows import event_log, guarding
from repo_manager.adapters.windows.background import DESCRIPTION, DISPLAY, SERVICE, BeingRemovedError
from repo_manager.adapters.windows.service import WindowsService, closing
from repo_manager.core.errors import ExitCode, InputError, MachineError, ServiceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from repo_manager.core.service import Service

# Evidence: "System Error Codes (1000-1299)" and "(0-499)" on Microsoft Learn.
_ACCESS_DENIED: Final = 5
_NO_CONTROLLER: Final = 1063
_SERVICE_SPECIFIC: Final = 1066
_MARKED_FOR_DELETE: Final = 1072
_NO_SUCH_SERVICE: Final = 1060

_RESTART_AFTER_MS: Final = 60_000
_FORGET_AFTER_S: Final = 24 * 3600

_DRIVE_REMOTE: Final = 4


class WindowsManager:
    """The service manager of this machine."""

    def command_line(self) -> str | None:
        """What our service runs, None where it is not installed."""
        import pywintypes
        import win32service

        with _refusals(), closing(win32service.OpenSCManager(None, None, win32service.SC_MANAGER_CONNECT)) as manager:
            try:
                opened = win32service.OpenService(manager, SERVICE, win32service.SERVICE_QUERY_CONFIG)
            except pywintypes.error as error:
                if error.winerror == _NO_SUCH_SERVICE:
                    return None
                raise
            with closing(opened) as service:
                return str(win32service.QueryServiceConfig(service)[3])

    def create(self, command_line: str) -> None:
        """Put our service in: LocalSystem, started by itself a while after Windows, restarted when it dies."""
        import win32service

        access = win32service.SC_MANAGER_CONNECT | win32service.SC_MANAGER_CREATE_SERVICE
        with _refusals(), closing(win32service.OpenSCManager(None, None, access)) as manager:
            event_log.know_source()
            guarding.close(event_log.default_log(os.environ).parents[1])
            created = win32service.CreateService(
                manager,
                SERVICE,
                DISPLAY,
                win32service.SERVICE_ALL_ACCESS,
                win32service.SERVICE_WIN32_OWN_PROCESS,
                win32service.SERVICE_AUTO_START,
                win32service.SERVICE_ERROR_NORMAL,
                command_line,
                None,
                False,
                None,
                None,
                None,
            )
            with closing(created) as service:
                _set_the_rest(service)

    def delete(self) -> None:
        """Take our service out, and its name out of the Event Log."""
        import pywintypes
        import win32service

        with _refusals(), closing(win32service.OpenSCManager(None, None, win32service.SC_MANAGER_CONNECT)) as manager:
            delete = 0x00010000  # DELETE, from winnt.h
            with closing(win32service.OpenService(manager, SERVICE, delete)) as service:
                try:
                    win32service.DeleteService(service)
                except pywintypes.error as error:
                    if error.winerror != _MARKED_FOR_DELETE:
                        raise
            event_log.forget_source()

    def open_to_anybody(self, paths: Sequence[Path]) -> Sequence[Path]:
        """Those of the paths that more than administrators may change."""
        return guarding.open_to_anybody(paths)

    def of_another_machine(self, path: str) -> bool:
        """Whether the path begins with a drive letter that stands for a share."""
        import win32file

        drive = ntpath.splitdrive(path)[0]
        letter = len(drive) == len("C:") and drive[0].isalpha()
        return letter and win32file.GetDriveType(f"{drive}\\") == _DRIVE_REMOTE

    def service(self) -> Service:
        """Our service, for starting and stopping."""
        return WindowsService(SERVICE)


def _set_the_rest(service: Any) -> None:  # noqa: ANN401 - a pywin32 handle
    """What `CreateService` cannot be told. A system that does not know one of them goes without it."""
    import pywintypes
    import win32service

    restart = (win32service.SC_ACTION_RESTART, _RESTART_AFTER_MS)
    failure = {"ResetPeriod": _FORGET_AFTER_S, "RebootMsg": "", "Command": "", "Actions": [restart] * 3}
    for level, value in (
        (win32service.SERVICE_CONFIG_DESCRIPTION, DESCRIPTION),
        (win32service.SERVICE_CONFIG_FAILURE_ACTIONS, failure),
        # An end that it reports itself, with an error, counts as a failure too.
        (win32service.SERVICE_CONFIG_FAILURE_ACTIONS_FLAG, True),
        (win32service.SERVICE_CONFIG_DELAYED_AUTO_START_INFO, True),
    ):
        with contextlib.suppress(pywintypes.error):
            win32service.ChangeServiceConfig2(service, level, value)


@contextlib.contextmanager
def _refusals() -> Iterator[None]:
    """What the service manager, or the registry, refuses, in our own errors."""
    import pywintypes

    try:
        yield
    except pywintypes.error as error:
        raise _refused(error.winerror, str(error.strerror).strip()) from error
    except PermissionError as error:
        raise _refused(_ACCESS_DENIED, str(error.strerror)) from error


def _refused(number: int, words: str) -> MachineError | ServiceError:
    said = f"{DISPLAY!r}: {words} (error {number})"
    if number == _ACCESS_DENIED:
        return MachineError("no-rights", said, "run as administrator")
    if number == _MARKED_FOR_DELETE:
        return BeingRemovedError(said)
    return ServiceError(f"service-error-{number}", said, "look into the Windows event log")


# Being hosted

_BEAT_S: Final = 3.0
_HINT_MS: Final = 30_000


def host(run: Callable[[], int], stop: Callable[[], None]) -> int:
    """Connect to the service manager that started this process, run, and report what comes of it.

    Args:
        run: the work, called in a thread of its own; returns an exit code.
        stop: called when the service manager asks to stop or the machine shuts down; `run` must then end.

    Returns:
        What `run` returned.

    Raises:
        InputError: no service manager started this process.
    """
    import pywintypes
    import servicemanager

    ended: list[int] = []

    class Hosted(_Hosted):
        """What pywin32 makes an instance of, once the service manager wants the service."""

        def SvcRun(self) -> None:  # noqa: N802 - the name pywin32 calls
            ended.append(self.run(run, stop))
            if ended[0]:
                # pywin32 would report a success once we return. The process ends by itself meanwhile.
                threading.Event().wait()

    servicemanager.Initialize(SERVICE, None)
    servicemanager.PrepareToHostSingle(Hosted)
    try:
        servicemanager.StartServiceCtrlDispatcher()
    except pywintypes.error as error:
        if error.winerror == _NO_CONTROLLER:
            raise InputError(
                "not-a-service", "only the service manager can run this", "run 'repo-manager watch install'"
            ) from error
        raise _refused(error.winerror, str(error.strerror).strip()) from error
    return ended[0] if ended else int(ExitCode.SERVICE)


class _Hosted:
    """One run under the service manager: tells it the state, and hears what it wants."""

    def __init__(self, arguments: list[str]) -> None:  # noqa: ARG002 - the signature pywin32 calls
        import servicemanager

        self._stop: Callable[[], None] = lambda: None
        self._stopping = threading.Event()
        self._over = threading.Event()
        self._speaking = threading.Lock()
        self._beats = 0
        self._handle = servicemanager.RegisterServiceCtrlHandler(SERVICE, self._control, True)

    def run(self, work: Callable[[], int], stop: Callable[[], None]) -> int:
        """Do the work and report. A request to stop makes any end a good one."""
        import win32service

        self._stop = stop
        self._report(win32service.SERVICE_RUNNING)
        try:
            code = work()
        except BaseException:  # noqa: BLE001 - whatever it was, the service manager must hear of the end
            code = int(ExitCode.TRANSFER)
        with self._speaking:
            self._over.set()
        if self._stopping.is_set():
            code = 0
        self._report(win32service.SERVICE_STOPPED if code else win32service.SERVICE_STOP_PENDING, code)
        return code

    def _control(self, control: int, _kind: int, _data: object) -> None:
        import win32service

        if control in {win32service.SERVICE_CONTROL_STOP, win32service.SERVICE_CONTROL_SHUTDOWN}:
            if not self._stopping.is_set():
                self._stopping.set()
                self._stop()
                threading.Thread(target=self._beat, name="still stopping", daemon=True).start()
        elif control == win32service.SERVICE_CONTROL_INTERROGATE and not self._stopping.is_set():
            self._report(win32service.SERVICE_RUNNING)

    def _beat(self) -> None:
        """While the work comes to its end, say that it does: what is under way may restart another service."""
        import win32service

        while True:
            with self._speaking:
                # Never after the end: the manager would wait for another one.
                if self._over.is_set():
                    return
                self._report(win32service.SERVICE_STOP_PENDING)
            self._over.wait(_BEAT_S)

    def _report(self, state: int, code: int = 0) -> None:
        import win32service

        running = state == win32service.SERVICE_RUNNING
        pending = state == win32service.SERVICE_STOP_PENDING
        self._beats = self._beats + 1 if pending else 0
        accepted = win32service.SERVICE_ACCEPT_STOP | win32service.SERVICE_ACCEPT_SHUTDOWN
        win32service.SetServiceStatus(
            self._handle,
            (
                win32service.SERVICE_WIN32_OWN_PROCESS,
                state,
                accepted if running else 0,
                _SERVICE_SPECIFIC if code else 0,
                code,
                self._beats,
                _HINT_MS if pending else 0,
            ),
        )
