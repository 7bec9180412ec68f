"""One change at a time: who holds the lock, who held it, and where there is none to be had."""

from __future__ import annotations

import errno
import json
import os
import shutil
import stat
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from planted import lay

from repo_manager.adapters.filesystem.lock import Lock
from repo_manager.adapters.filesystem.paths import SUBFOLDER
from repo_manager.core.errors import LockedError, MachineError

if TYPE_CHECKING:
    from pathlib import Path

OWNER: dict[str, str | int] = {"command": "sync", "since": "20260501T120000Z", "pid": 4711, "host": "here"}

of_posix = pytest.mark.skipif(sys.platform == "win32", reason="a file that is open keeps its name there")

HOLD = """
import sys
from pathlib import Path
from repo_manager.adapters.filesystem.lock import Lock
lock = Lock(Path(sys.argv[1]), {"command": "add", "since": "now", "pid": 1, "host": "there"})
lock.__enter__()
print("held", flush=True)
sys.stdin.readline()
"""


def test_whoever_comes_second_is_told_who_came_first(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with Lock(path, OWNER), pytest.raises(LockedError) as caught, Lock(path, {"command": "add"}):
        raise AssertionError
    assert "sync since 20260501T120000Z (process 4711 on here)" in caught.value.message
    assert path.read_bytes() == b""
    with Lock(path, OWNER):
        assert json.loads(path.read_bytes()) == OWNER


def test_the_lock_ends_with_the_process_that_holds_it_and_its_record_is_nobodys(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline().strip() == "held"
        with pytest.raises(LockedError) as caught, Lock(path, OWNER):
            raise AssertionError
        assert "add since now (process 1 on there)" in caught.value.message
        holder.kill()
    assert json.loads(path.read_bytes())["command"] == "add", "a dead owner cannot take its record away"
    with Lock(path, OWNER):
        assert json.loads(path.read_bytes()) == OWNER


@pytest.mark.parametrize("record", [b"", b"{", b"[]", b'{"pid": 1}', b"\xff", b"x" * 100_000])
def test_a_record_that_says_nothing_hinders_nobody(record: bytes, tmp_path: Path) -> None:
    path = tmp_path / "lock"
    path.write_bytes(record)
    with Lock(path, OWNER):
        assert json.loads(path.read_bytes()) == OWNER
        path.write_bytes(record)
        with pytest.raises(LockedError) as caught, Lock(path, OWNER):
            raise AssertionError
        assert caught.value.message == "another run is changing the repository"


def test_a_folder_in_the_lock_s_place_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "lock").mkdir()
    with pytest.raises(MachineError) as caught, Lock(tmp_path / "lock", OWNER):
        raise AssertionError
    assert caught.value.hint


def test_a_folder_that_went_away_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(MachineError) as caught, Lock(tmp_path / "not there" / "lock", OWNER):
        raise AssertionError
    assert caught.value.code == "folder-went-away"


CHANGE = """
import contextlib, sys
from pathlib import Path
from repo_manager.adapters.filesystem.lock import Lock
from repo_manager.core.errors import RepoManagerError
try:
    with Lock(Path(sys.argv[1]), {"command": "add", "since": "now", "pid": 1, "host": "there"}):
        print("held", flush=True)
except RepoManagerError as error:
    print(error.code, flush=True)
"""


def second_run(path: Path) -> str:
    """What another process gets that wants the lock."""
    command = [sys.executable, "-c", CHANGE, str(path)]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.strip()


@of_posix
@pytest.mark.parametrize("away", ["deleted", "replaced", "its folder deleted"])
@pytest.mark.parametrize("where", [SUBFOLDER, "keys"])
def test_two_runs_do_not_get_in_where_the_lock_file_is_deleted(away: str, where: str, tmp_path: Path) -> None:
    folder = tmp_path / where
    folder.mkdir()
    path = folder / "lock"
    with Lock(path, OWNER) as lock:
        if away == "its folder deleted" and where == SUBFOLDER:
            shutil.rmtree(folder)
            folder.mkdir()
        else:
            path.unlink()
        if away == "replaced":
            path.write_text("")
        assert second_run(path) == "locked"
        lock.confirm()
    assert second_run(path) == "held"


@of_posix
def test_where_folders_have_no_locks_a_deleted_lock_file_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import fcntl

    flock = fcntl.flock

    def of_files_alone(file: int, how: int) -> None:
        """As on network file systems that keep locks on the server."""
        if stat.S_ISDIR(os.fstat(file).st_mode):
            raise OSError(errno.EBADF, "bad file descriptor")
        flock(file, how)

    monkeypatch.setattr(fcntl, "flock", of_files_alone)
    path = tmp_path / "lock"
    with Lock(path, OWNER) as lock:
        lock.confirm()
        path.unlink()
        path.write_text("")
        with pytest.raises(MachineError) as caught:
            lock.confirm()
        assert caught.value.code == "lock-lost"
        assert caught.value.hint


@of_posix
def test_a_lock_file_that_is_replaced_while_it_is_locked_is_locked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import fcntl

    flock, path, times = fcntl.flock, tmp_path / "lock", [0]

    def replaced_first(file: int, how: int) -> None:
        flock(file, how)
        if times[0] < 2 and stat.S_ISREG(os.fstat(file).st_mode):
            times[0] += 1
            path.unlink()

    monkeypatch.setattr(fcntl, "flock", replaced_first)
    with Lock(path, OWNER):
        assert times == [2]
        assert json.loads(path.read_bytes()) == OWNER


@of_posix
@pytest.mark.parametrize("kind", ["link", "hard link", "pipe", "folder"])
def test_what_is_no_file_of_its_own_is_not_locked_and_not_written_to(kind: str, tmp_path: Path) -> None:
    victim, path = tmp_path / "victim", tmp_path / "lock"
    victim.write_text("precious")
    lay(kind, path, victim)
    with pytest.raises(MachineError) as caught, Lock(path, OWNER):
        raise AssertionError
    assert caught.value.code == "not-a-plain-file"
    assert str(path) in caught.value.message
    assert victim.read_text() == "precious"


@pytest.mark.skipif(sys.platform != "win32", reason="elsewhere a file that is open can be deleted")
def test_a_lock_file_that_is_held_cannot_be_deleted(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with Lock(path, OWNER):
        with pytest.raises(PermissionError):
            path.unlink()
        assert second_run(path) == "locked"
    path.unlink()
