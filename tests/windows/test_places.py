"""Where things are, on a real drive, with the real registry and service manager."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from repo_manager.adapters.windows import facts
from repo_manager.adapters.windows.locate import CLASSIC, Search, search
from repo_manager.adapters.windows.service import Describing, ServiceFacts, service_of
from repo_manager.core.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

# For the type checker on other systems, which must not look for the registry below.
if sys.platform != "win32":
    pytest.skip("the registry is on Windows alone", allow_module_level=True)

import winreg

import win32service

INSTALLER: Final = "Microsoft-ASR_UA_9.66.7567.1_RHEL9-64_GA_20Sep2025_release.tar.gz"
BELOW: Final = Path("home", "svsystems", "pushinstallsvc")
SERVER: Final = "Microsoft Azure Site Recovery Configuration Server/Process Server"


@pytest.fixture
def machine(tmp_path: Path) -> facts.ThisMachine:
    """This machine, with program data of its own."""
    return facts.ThisMachine({"ProgramData": str(tmp_path), "SystemDrive": os.environ["SYSTEMDRIVE"]})


@pytest.fixture
def on_the_drive() -> Iterator[Path]:
    """The install directory that other servers have, right on the drive."""
    folder = Path(os.environ["SYSTEMDRIVE"] + "\\", "Microsoft Azure Site Recovery")
    folder.mkdir()
    yield folder
    shutil.rmtree(folder)


@contextlib.contextmanager
def listed(name: str | None, location: str | None, view: int) -> Iterator[None]:
    """A program in Windows' own list."""
    path = rf"{facts.UNINSTALL}\{uuid.uuid4()}"
    access = winreg.KEY_ALL_ACCESS | view
    with winreg.CreateKeyEx(winreg.HKEY_LOCAL_MACHINE, path, 0, access) as key:
        for value, text in (("DisplayName", name), ("InstallLocation", location)):
            if text is not None:
                winreg.SetValueEx(key, value, 0, winreg.REG_SZ, text)
    try:
        yield
    finally:
        winreg.DeleteKeyEx(winreg.HKEY_LOCAL_MACHINE, path, view, 0)


def make(folder: Path, conf: bytes | None = None) -> Path:
    repository = folder / BELOW / "repository"
    repository.mkdir(parents=True)
    (repository / INSTALLER).write_bytes(b"x")
    if conf is not None:
        (repository.parent / "pushinstaller.conf").write_bytes(conf)
    return repository


def looked_at(machine: facts.ThisMachine) -> Search:
    return search((CLASSIC,), machine)


def test_the_drive_of_the_system_is_built_in(machine: facts.ThisMachine) -> None:
    drives = machine.fixed_drives()
    assert Path(os.environ["SYSTEMDRIVE"] + "\\") in drives
    assert all(drive.is_dir() and drive.anchor == str(drive) for drive in drives)


def test_the_repository_is_found_on_a_built_in_drive(machine: facts.ThisMachine, on_the_drive: Path) -> None:
    wanted = make(on_the_drive)
    assert looked_at(machine).repository(CLASSIC).path == wanted


@pytest.mark.parametrize("view", [winreg.KEY_WOW64_64KEY, winreg.KEY_WOW64_32KEY], ids=["64 bit", "32 bit"])
@pytest.mark.parametrize("ending", ["", "\\", "\\home\\svsystems", "\\Home\\SVSystems\\"])
def test_the_repository_is_found_where_windows_says_that_the_servers_are_installed(
    machine: facts.ThisMachine, tmp_path: Path, view: int, ending: str
) -> None:
    wanted = make(tmp_path / "chosen")
    with listed(SERVER, f'"{tmp_path}\\chosen{ending}"', view):
        assert looked_at(machine).repository(CLASSIC).path == wanted
    assert machine.installed() == ()


@pytest.mark.parametrize(
    ("name", "location", "reason"),
    [
        ("Another Program", "C:\\chosen", "another program"),
        (None, "C:\\chosen", "no name"),
        (SERVER, None, "no place"),
        (SERVER, "", "an empty place"),
        (SERVER, "chosen", "half a place"),
    ],
)
def test_what_the_list_of_programs_does_not_say_is_left_out(
    machine: facts.ThisMachine, name: str | None, location: str | None, reason: str
) -> None:
    with listed(name, location, winreg.KEY_WOW64_64KEY):
        assert machine.installed() == (), reason


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-le", "mbcs", "oem"])
def test_the_servers_own_file_is_read_in_the_encodings_of_this_machine(
    machine: facts.ThisMachine, on_the_drive: Path, tmp_path: Path, encoding: str
) -> None:
    wanted = tmp_path / "für alle"
    wanted.mkdir()
    make(on_the_drive, f"[PushInstaller]\r\nRepositoryPathUA={wanted}\r\n".encode(encoding))
    assert looked_at(machine).repository(CLASSIC).path == wanted


def test_a_folder_on_a_removed_drive_is_an_error_and_no_other_is_taken(
    machine: facts.ThisMachine, on_the_drive: Path
) -> None:
    make(on_the_drive, b'[PushInstaller]\r\nRepositoryPathUA="Q:\\agents"\r\n')
    with pytest.raises(InputError) as caught:
        looked_at(machine).repository(CLASSIC)
    assert caught.value.code == "conf-names-no-folder"
    assert "Q:\\agents" in caught.value.message


@pytest.mark.parametrize("value", ["\\agents", "Q:agents", "agents"])
def test_a_path_that_depends_on_a_current_drive_or_folder_is_no_whole_path(
    machine: facts.ThisMachine, on_the_drive: Path, value: str
) -> None:
    make(on_the_drive, f"[PushInstaller]\r\nRepositoryPathUA={value}\r\n".encode())
    with pytest.raises(InputError) as caught:
        looked_at(machine).repository(CLASSIC)
    assert (caught.value.code, "no whole path" in caught.value.message) == ("invalid-conf", True)


def test_one_folder_by_two_paths_is_one(machine: facts.ThisMachine, on_the_drive: Path) -> None:
    wanted = make(on_the_drive)
    with listed(SERVER, f"\\\\?\\{on_the_drive}", winreg.KEY_WOW64_64KEY):
        found = looked_at(machine)
    assert len([place for place in found.looked[CLASSIC] if place.found]) == 2
    assert found.repository(CLASSIC).path.samefile(wanted)


def test_rights_and_the_file_system_are_told_without_writing(tmp_path: Path) -> None:
    assert facts.may_fill(tmp_path)
    assert not facts.may_fill(tmp_path / "nowhere")
    assert list(tmp_path.iterdir()) == []
    assert facts.file_system(tmp_path)
    assert facts.file_system(Path("Q:\\")) == ""
    assert facts.is_elevated() in {True, False}


@pytest.fixture
def service() -> Iterator[str]:
    """A service that is set up and never started."""
    name = f"places-{uuid.uuid4()}"
    manager = win32service.OpenSCManager(None, None, win32service.SC_MANAGER_ALL_ACCESS)
    handle = win32service.CreateService(
        manager,
        name,
        f"Places {name}",
        win32service.SERVICE_ALL_ACCESS,
        win32service.SERVICE_WIN32_OWN_PROCESS,
        win32service.SERVICE_DEMAND_START,
        win32service.SERVICE_ERROR_NORMAL,
        '"C:\\Program Files\\places.exe" /service',
        None,
        False,
        None,
        None,
        None,
    )
    yield name
    win32service.DeleteService(handle)
    win32service.CloseServiceHandle(handle)
    win32service.CloseServiceHandle(manager)


def test_a_service_says_how_it_is_set_up(service: str, machine: facts.ThisMachine) -> None:
    for name in (service, f"Places {service}"):
        found = service_of(name)
        assert isinstance(found, Describing)
        assert found.describe() == ServiceFacts("manual", "LocalSystem", '"C:\\Program Files\\places.exe" /service')
        assert machine.has_service(name)


def test_a_service_that_is_not_installed_says_nothing(machine: facts.ThisMachine) -> None:
    found = service_of("No Such Service")
    assert isinstance(found, Describing)
    assert found.describe() is None
    assert not machine.has_service("No Such Service")
