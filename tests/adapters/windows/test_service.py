"""What can be said of services without a service manager; the real one is in tests/windows."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from simulator import FakeClock, MemoryService

from repo_manager.adapters.filesystem.scan import changed_at
from repo_manager.adapters.windows.service import AbsentService, serves_older_set
from repo_manager.core.service import ServiceState

CHANGED = 1_000_000.0


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    os.utime(tmp_path, (CHANGED, CHANGED))
    return tmp_path


def service_since(started_at: float, state: ServiceState = ServiceState.RUNNING) -> MemoryService:
    return MemoryService(FakeClock(), state, since=started_at)


@pytest.mark.parametrize(
    ("service", "now", "pending"),
    [
        pytest.param(service_since(CHANGED - 1), CHANGED + 1, True, id="started before the change"),
        pytest.param(service_since(CHANGED + 1), CHANGED + 2, False, id="started after it"),
        pytest.param(service_since(CHANGED - 1), CHANGED - 0.5, False, id="the change is in the future"),
        pytest.param(service_since(0, ServiceState.STOPPED), CHANGED + 1, False, id="does not run"),
        pytest.param(AbsentService("none"), CHANGED + 1, False, id="is not there"),
        pytest.param(
            MemoryService(FakeClock(), since=0, refuses={"state": "service-access-denied"}),
            CHANGED + 1,
            False,
            id="may not be asked",
        ),
    ],
)
def test_a_service_serves_an_older_set_when_it_started_before_the_folder_changed(
    folder: Path,
    service: MemoryService,
    now: float,
    pending: bool,  # noqa: FBT001 - a row
) -> None:
    assert serves_older_set(service, folder, now) is pending


@pytest.mark.parametrize(
    "path",
    [r"\\server\share\repository", r"\\?\UNC\server\share\repository", "//server/share/repository"],
    ids=["share", "share in the extended form", "share with slashes"],
)
def test_a_share_has_the_time_of_another_clock(path: str) -> None:
    assert changed_at(Path(path)) is None


def test_a_file_that_comes_changes_the_folder_and_one_below_a_sub_folder_does_not(folder: Path) -> None:
    (folder / "sub").mkdir()
    os.utime(folder, (CHANGED, CHANGED))
    (folder / "sub" / "file").write_bytes(b"x")
    assert changed_at(folder) == CHANGED
    (folder / "file").write_bytes(b"x")
    assert (changed_at(folder) or 0) > CHANGED
    assert changed_at(folder / "gone") is None
