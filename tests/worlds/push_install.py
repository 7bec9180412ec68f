"""A real service of this Windows, named as the push-install service, that does as its script says."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pywintypes
import win32api
import win32service

from repo_manager.app.settings import PUSH_SERVICE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

KEY: Final = "PushInstallStandIn"
"""Its key name; `PUSH_SERVICE` is the name that people know."""

_TERMINATE: Final = 0x0001
_NOT_INSTALLED: Final = 1060
_BEING_REMOVED: Final = 1072


class PushInstall:
    """The service, registered or not; everything it reads and writes lies in `folder`."""

    def __init__(self, folder: Path, repository: Path) -> None:
        self._folder = folder
        self._repository = repository
        self.behave()

    def behave(self, behaviour: str = "normal", when: str = "") -> None:
        """From the next start on; with `when` only while a name with that text in it is in the repository."""
        lines = {
            "folder": self._repository,
            "seen": self._folder / "seen.txt",
            "diary": self._folder / "diary.txt",
            "behaviour": behaviour,
            "when": when,
        }
        text = "".join(f"{key}={value}\n" for key, value in lines.items())
        self._script.write_text(text, encoding="utf-8")

    @property
    def _script(self) -> Path:
        return self._folder / "service.txt"

    @property
    def seen(self) -> set[str]:
        """The names it saw when it last started."""
        return set((self._folder / "seen.txt").read_text(encoding="utf-8").splitlines())

    @property
    def diary(self) -> list[str]:
        """`start` and `stop`, in the order they came."""
        path = self._folder / "diary.txt"
        return path.read_text(encoding="ascii").split() if path.exists() else []

    def register(self) -> None:
        """Make it known to the service manager."""
        program = Path(os.environ["TIER_PROGRAMS"]) / "pushinstall.exe"
        with _manager() as manager:
            handle = win32service.CreateService(
                manager,
                KEY,
                PUSH_SERVICE,
                win32service.SERVICE_ALL_ACCESS,
                win32service.SERVICE_WIN32_OWN_PROCESS,
                win32service.SERVICE_DEMAND_START,
                win32service.SERVICE_ERROR_NORMAL,
                f'"{program}" "{self._script}"',
                None,
                0,
                None,
                None,
                None,
            )
            win32service.CloseServiceHandle(handle)

    def start(self) -> None:
        """Start it and wait until it runs."""
        with _service() as service:
            win32service.StartService(service, None)
        wait_until(lambda: self.state == win32service.SERVICE_RUNNING, "the service runs")

    def disable(self) -> None:
        """Keep it from being started."""
        keep = win32service.SERVICE_NO_CHANGE
        with _service() as service:
            win32service.ChangeServiceConfig(
                service, keep, win32service.SERVICE_DISABLED, keep, None, None, 0, None, None, None, None
            )

    @property
    def state(self) -> int:
        """The service manager's own number."""
        with _service() as service:
            return int(win32service.QueryServiceStatusEx(service)["CurrentState"])

    def remove(self) -> None:
        """End it, whatever it does, and take it from the service manager."""
        try:
            with _service() as service:
                process_id = win32service.QueryServiceStatusEx(service)["ProcessId"]
                win32service.DeleteService(service)
        except pywintypes.error as error:
            if error.winerror != _NOT_INSTALLED:
                raise
            return
        with contextlib.suppress(pywintypes.error):
            if process_id:
                process = win32api.OpenProcess(_TERMINATE, False, process_id)
                win32api.TerminateProcess(process, 1)
                process.Close()
        wait_until(_gone, "the service is gone")


def wait_until(condition: Callable[[], bool], what: str, limit_s: float = 30.0) -> None:
    """Wait for what another process does."""
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline, f"waited {limit_s:g} s in vain until {what}"
        time.sleep(0.05)


def _gone() -> bool:
    try:
        with _service():
            return False
    except pywintypes.error as error:
        return bool(error.winerror == _NOT_INSTALLED)


@contextlib.contextmanager
def _manager() -> Iterator[Any]:
    manager = win32service.OpenSCManager(None, None, win32service.SC_MANAGER_ALL_ACCESS)
    try:
        yield manager
    finally:
        win32service.CloseServiceHandle(manager)


@contextlib.contextmanager
def _service() -> Iterator[Any]:
    with _manager() as manager:
        service = win32service.OpenService(manager, KEY, win32service.SERVICE_ALL_ACCESS)
        try:
            yield service
        finally:
            win32service.CloseServiceHandle(service)
