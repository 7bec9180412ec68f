"""The bundle, unzipped where a careless administrator may put it, and started as its README says."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

import processes
import pytest
import small_world
import win32service
from processes import until
from simulator import name_of
from small_world import data_of

from repo_manager.adapters.windows import event_log
from repo_manager.adapters.windows.background import DISPLAY, SERVICE
from repo_manager.adapters.windows.service_manager import WindowsManager
from repo_manager.core.errors import ExitCode
from repo_manager.core.service import ServiceState

if TYPE_CHECKING:
    from collections.abc import Iterator

ZIPS: Final = sorted((Path(__file__).parents[2] / "dist").glob("repo-manager-*-windows.zip"))
pytestmark = pytest.mark.skipif(not ZIPS, reason="make bundle was not run")


@pytest.fixture(scope="module")
def unzipped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("b") / "Pr\u00f3gram Files (x) \u03a9"
    with zipfile.ZipFile(ZIPS[-1]) as archive:
        archive.extractall(place)
    (folder,) = place.iterdir()
    stand_in = Path(sys.executable).with_name("bcryptprimitives.dll")
    if stand_in.exists():
        # Wine lacks what some wheels call; the tier has built it for its own Python.
        shutil.copy(stand_in, folder / "python")
    return folder


def run(folder: Path, *words: str, world: small_world.World | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [folder / "repo-manager.exe", *words],
        env=None if world is None else processes.environment(world),
        cwd=folder.parent,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        errors="backslashreplace",
        timeout=120,
        check=False,
    )


def test_one_folder_and_nothing_else_is_in_the_zip(unzipped: Path) -> None:
    assert sorted(path.name for path in unzipped.iterdir()) == [
        "CONTENTS.txt",
        "README.txt",
        "python",
        "repo-manager.exe",
    ]
    version = unzipped.name.removeprefix("repo-manager-")
    done = run(unzipped, "--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"repo-manager {version}\n", "")


def test_every_licence_that_is_named_is_there(unzipped: Path) -> None:
    lines = (unzipped / "CONTENTS.txt").read_text(encoding="ascii").partition("\n\n")[0].splitlines()
    texts = [line.split("  ")[-1].strip() for line in lines]
    assert len(texts) > 15
    assert [text for text in texts if not (unzipped / text).exists()] == []


def test_it_runs_its_own_python_and_looks_at_nobody_elses_packages(unzipped: Path) -> None:
    modules = "lief, cryptography, yaml, httpx, watchdog, win32service, tuf, obstore, starlette, uvicorn, jinja2"
    script = f"import sys, {modules}; print(ascii(sys.path))"
    done = subprocess.run(
        [unzipped / "python" / "python.exe", "-c", script],
        env={**processes.environment(small_world.World(unzipped.parent)), "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert all("gram Files (x)" in entry for entry in done.stdout.split(", "))


def test_the_demo_runs(unzipped: Path) -> None:
    done = run(unzipped, "-q", "demo")
    assert done.returncode == ExitCode.DONE, done.stderr


def test_doctor_and_audit_say_what_they_would_elsewhere(unzipped: Path, tmp_path: Path) -> None:
    world = small_world.build(tmp_path / "world")
    done = run(unzipped, "--repository", str(world.repository), "doctor", "--json", world=world)
    assert json.loads(done.stdout)["schema"].startswith("repo-manager/doctor/"), done.stderr
    words = ("--repository", str(world.repository), "audit", "--deep", "--json", "--release", "latest")
    done = run(unzipped, *words, world=world)
    assert done.returncode == ExitCode.FINDINGS, done.stderr
    answers = [json.loads(text) for text in (done.stdout, processes.cli(world, *words).stdout)]
    assert all(answer.pop("at") for answer in answers)
    for answer in answers:
        for package in answer["packages"]:
            package.pop("read_at")
    assert answers[0] == answers[1]


def test_an_audit_is_written_as_a_page(unzipped: Path, tmp_path: Path) -> None:
    world = small_world.build(tmp_path / "world")
    words = ("--repository", str(world.repository), "audit", "--format", "html", "--fail-on", "never")
    done = run(unzipped, *words, world=world)
    assert done.returncode == ExitCode.DONE, done.stderr
    assert done.stdout.startswith("<!doctype html>")


def test_a_set_is_published_and_followed_with_what_is_in_the_zip(unzipped: Path, tmp_path: Path) -> None:
    world = small_world.build(tmp_path / "leader", mess=False)
    world.put(name_of("OL8-64"))
    place, follower = tmp_path / "set", tmp_path / "follower"
    follower.mkdir()
    words = ("--json", "--repository", str(world.repository), "publish", str(place), "--keys", str(tmp_path / "keys"))
    done = run(unzipped, *words, world=world)
    assert done.returncode == ExitCode.DONE, done.stderr
    trust = ("--trust", json.loads(done.stdout)["root"])
    done = run(unzipped, "--repository", str(follower), "mirror", str(place), *trust, "--yes", world=world)
    assert done.returncode == ExitCode.DONE, done.stderr
    assert (follower / name_of("OL8-64")).read_bytes() == data_of(name_of("OL8-64"))


@pytest.mark.parametrize(
    "words", [("mirror", "az://sets/asr", "--dry-run"), ("mirror", "s3://sets/asr", "--dry-run"), ("serve", "no-set")]
)
def test_nothing_has_to_be_installed_for_object_stores_and_the_server(
    words: tuple[str, ...], unzipped: Path, tmp_path: Path
) -> None:
    world = small_world.build(tmp_path / "world", mess=False)
    done = run(unzipped, "--repository", str(world.repository), *words, world=world)
    assert done.returncode != ExitCode.DONE
    assert done.stderr
    assert "not-installed" not in done.stderr


@pytest.fixture
def no_watch(tmp_path: Path) -> Iterator[WindowsManager]:
    manager = WindowsManager()
    if manager.command_line() is not None:
        pytest.skip("this machine's own watch is installed")
    yield manager
    if manager.command_line() is not None:
        done = processes.cli(small_world.World(tmp_path), "watch", "remove")
        assert done.returncode == ExitCode.DONE, done.stderr


def test_the_watch_runs_as_a_service_of_the_bundle(unzipped: Path, tmp_path: Path, no_watch: WindowsManager) -> None:
    world = small_world.build(tmp_path / "w\u00f6rld", mess=False)
    world.put(name_of("OL8-64", "9.65"))
    log = tmp_path / "logs" / "watch.log"
    words = ("--repository", str(world.repository), "--catalog", str(world.catalog))
    done = run(unzipped, *words, "watch", "install", "--settle", "1", "--log", str(log))
    assert done.returncode == ExitCode.DONE, done.stderr
    assert DISPLAY in done.stdout
    line = no_watch.command_line()
    assert line is not None
    assert str(unzipped / "python" / "python.exe") in line
    assert event_log.source_is_known()
    until(lambda: "started" in log.read_text(encoding="ascii"), "the watch has begun")
    world.put(name_of("RHEL9-64"), data_of(name_of("RHEL9-64"))[:900])
    world.put(name_of("OL8-64"))
    gone = (world.repository / name_of("RHEL9-64"), world.repository / name_of("OL8-64", "9.65"))
    until(lambda: not any(path.exists() for path in gone), "the broken and the superseded one are retired", 90)
    assert (world.repository / name_of("OL8-64")).exists()
    again = run(unzipped, *words, "watch", "install", "--settle", "1", "--log", str(log))
    assert "was installed already" in again.stdout
    other = run(unzipped, *words, "watch", "install", "--settle", "2", "--log", str(log))
    assert other.returncode == ExitCode.USAGE
    done = run(unzipped, "watch", "remove")
    assert (done.returncode, "stopped and removed" in done.stdout) == (0, True), done.stderr
    said = [entry.split()[2] for entry in log.read_text(encoding="ascii").splitlines()]
    assert said[0] == "started"
    assert "retired" in said
    assert said[-1] == "stopped"
    done = run(unzipped, "watch", "remove")
    assert (done.returncode, "there is no service" in done.stdout) == (0, True), done.stderr


def test_a_watch_that_cannot_begin_ends_with_its_exit_code(
    unzipped: Path, tmp_path: Path, no_watch: WindowsManager
) -> None:
    world = small_world.build(tmp_path / "world", mess=False)
    # Not the name that the fixture has its own configuration under: it must be able to take the watch out.
    config = tmp_path / "watch.yaml"
    config.write_text("settle: 1\n", encoding="ascii")
    words = ("--config", str(config), "--repository", str(world.repository), "watch", "install")
    assert run(unzipped, *words, "--log", str(tmp_path / "watch.log")).returncode == ExitCode.DONE
    no_watch.service().request_stop()
    until(lambda: no_watch.service().state() is ServiceState.STOPPED, "the service has stopped")
    assert ended() == (0, 0)
    config.write_text("no_such_key: 1\n", encoding="ascii")
    no_watch.service().request_start()
    until(lambda: ended() != (0, 0), "the service has given up")
    assert ended() == (1066, ExitCode.USAGE)


def ended() -> tuple[int, int]:
    """What the service manager was told when our service ended: an error of Windows, and our own exit code."""
    manager = win32service.OpenSCManager(None, None, win32service.SC_MANAGER_CONNECT)
    service = win32service.OpenService(manager, SERVICE, win32service.SERVICE_QUERY_STATUS)
    status = win32service.QueryServiceStatusEx(service)
    win32service.CloseServiceHandle(service)
    win32service.CloseServiceHandle(manager)
    if status["CurrentState"] != win32service.SERVICE_STOPPED:
        return 0, 0
    return status["Win32ExitCode"], status["ServiceSpecificExitCode"]
