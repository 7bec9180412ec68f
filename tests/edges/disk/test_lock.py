"""One change at a time: who holds the lock, who held it, and where there is none to be had."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from repo_manager.edges.disk.lock import Lock
from repo_manager.errors import LockedError, MachineError

if TYPE_CHECKING:
    from pathlib import Path

OWNER: dict[str, str | int] = {"command": "sync", "since": "20260501T120000Z", "pid": 4711, "host": "here"}

HOLD = """
import sys
from pathlib import Path
from repo_manager.edges.disk.lock import Lock
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
