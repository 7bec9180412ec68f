"""A service of our own under a real service manager: put in, started, stopped, taken out."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
from processes import until

from repo_manager.adapters.interruptible import SystemClock
from repo_manager.adapters.windows import background, event_log, guarding
from repo_manager.adapters.windows.background import SERVICE, this_python
from repo_manager.adapters.windows.service_manager import WindowsManager, host
from repo_manager.core.audit.findings import Severity
from repo_manager.core.errors import InputError
from repo_manager.core.service import ServiceState, Timeouts, bring_up
from repo_manager.core.watch_state import WatchEvent, WatchEventKind

if TYPE_CHECKING:
    from collections.abc import Iterator

if sys.platform != "win32":
    pytest.skip("needs a service manager", allow_module_level=True)

import winreg

import win32service

CLOCK: Final = SystemClock()
PATIENCE: Final = Timeouts(stop_s=60, start_s=60, steady_s=1, poll_s=0.1)
TREE: Final = Path(__file__).parents[2]

STAYS: Final = """
import sys, threading, pathlib
from repo_manager.adapters.windows.service_manager import host
ended = threading.Event()
def run():
    pathlib.Path(sys.argv[1]).write_text('began')
    ended.wait(60)
    ended.clear()
    ended.wait(float(sys.argv[2]))
    pathlib.Path(sys.argv[1]).write_text('ended well')
    return 130
host(run, ended.set)
"""
FAILS: Final = """
from repo_manager.adapters.windows.service_manager import host
def run():
    import time
    time.sleep(2)
    return 3
host(run, print)
"""


@pytest.fixture
def manager() -> Iterator[WindowsManager]:
    there = WindowsManager()
    if there.command_line() is not None:
        pytest.skip("this machine's own watch is installed")
    yield there
    if there.command_line() is not None:
        background.remove(clock=CLOCK, patience=PATIENCE, manager=there)


def runs(manager: WindowsManager, code: str, *words: str) -> None:
    """Put in a service that runs this code."""
    import subprocess

    python = this_python()
    added = f"import sys, site; sys.path.insert(0, {str(TREE)!a});"
    added += "".join(f"site.addsitedir({folder!a});" for folder in python.folders)
    lines = f"exec({added + code!a})"
    manager.create(subprocess.list2cmdline([python.program, "-I", "-c", lines, *words]))


def status() -> dict[str, Any]:
    manager = win32service.OpenSCManager(None, None, win32service.SC_MANAGER_CONNECT)
    service = win32service.OpenService(manager, SERVICE, win32service.SERVICE_QUERY_STATUS)
    found = dict(win32service.QueryServiceStatusEx(service))
    win32service.CloseServiceHandle(service)
    win32service.CloseServiceHandle(manager)
    return found


def test_a_stop_waits_for_the_work_to_come_to_its_end(manager: WindowsManager, tmp_path: Path) -> None:
    said = tmp_path / "said.txt"
    runs(manager, STAYS, str(said), "5")
    bring_up(manager.service(), CLOCK, PATIENCE)
    until(said.exists, "the work began")
    assert said.read_text() == "began"
    manager.service().request_stop()
    first = status()
    until(lambda: status()["CheckPoint"] != first["CheckPoint"], "the service says that it is still stopping")
    until(lambda: manager.service().state() is ServiceState.STOPPED, "the service has stopped")
    assert said.read_text() == "ended well"
    assert status()["Win32ExitCode"] == 0


def test_an_exit_code_reaches_the_service_manager(manager: WindowsManager) -> None:
    runs(manager, FAILS)
    manager.service().request_start()
    until(lambda: manager.service().state() is ServiceState.STOPPED, "the service has ended")
    assert (status()["Win32ExitCode"], status()["ServiceSpecificExitCode"]) == (1066, 3)


def test_what_is_taken_out_is_gone_and_so_is_its_name_in_the_event_log(manager: WindowsManager, tmp_path: Path) -> None:
    runs(manager, STAYS, str(tmp_path / "said.txt"), "0")
    assert event_log.source_is_known()
    bring_up(manager.service(), CLOCK, PATIENCE)
    assert "stopped and removed" in background.remove(clock=CLOCK, patience=PATIENCE, manager=manager)
    until(lambda: manager.command_line() is None, "the service is gone")
    assert not event_log.source_is_known()
    assert "there is no service" in background.remove(clock=CLOCK, patience=PATIENCE, manager=manager)


def test_the_service_is_set_up_to_run_unattended(manager: WindowsManager, tmp_path: Path) -> None:
    runs(manager, STAYS, str(tmp_path / "said.txt"), "0")
    opened = win32service.OpenSCManager(None, None, win32service.SC_MANAGER_CONNECT)
    service = win32service.OpenService(opened, SERVICE, win32service.SERVICE_QUERY_CONFIG)
    kind, start, _, _, _, _, _, account, display = win32service.QueryServiceConfig(service)
    assert kind == win32service.SERVICE_WIN32_OWN_PROCESS
    assert start == win32service.SERVICE_AUTO_START
    assert account == "LocalSystem"
    assert display == background.DISPLAY
    said = win32service.QueryServiceConfig2(service, win32service.SERVICE_CONFIG_DESCRIPTION)
    assert said == background.DESCRIPTION
    win32service.CloseServiceHandle(service)
    win32service.CloseServiceHandle(opened)


def test_the_event_log_knows_our_name_and_where_our_texts_are() -> None:
    event_log.know_source()
    try:
        with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, event_log._KEY) as key:
            path, kind = winreg.QueryValueEx(key, "EventMessageFile")
            assert winreg.QueryValueEx(key, "TypesSupported") == (7, winreg.REG_DWORD)
        assert kind == winreg.REG_EXPAND_SZ
        assert winreg.ExpandEnvironmentStrings(path).lower().endswith(r"\system32\eventcreate.exe")
        log = event_log.WindowsLog()
        log.write(
            WatchEvent(datetime.now(UTC), WatchEventKind.RETIRED, Severity.WARNING, "a file went", {"file": "a\0b"})
        )
        assert log.report(event_log.EventId.ENDED, "error", "x" * 100_000)
        log.close()
    finally:
        event_log.forget_source()
    event_log.forget_source()
    assert not event_log.source_is_known()


def test_a_process_that_no_service_manager_started_is_told_so() -> None:
    with pytest.raises(InputError, match="only the service manager"):
        host(lambda: 0, lambda: None)


def test_the_folder_of_the_configuration_is_closed_and_says_who_may_change_it(tmp_path: Path) -> None:
    folder = tmp_path / "repo-manager"
    guarding.close(folder)
    guarding.close(folder)
    assert folder.is_dir()
    assert guarding.open_to_anybody([tmp_path / "not there"]) == []
