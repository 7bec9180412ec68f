"""A rename never replaces a file that appeared meanwhile, by each way that a file system may know."""

from __future__ import annotations

import errno
import os
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

if sys.platform == "win32":
    pytest.skip("Windows renames without replacing by itself", allow_module_level=True)

import faults
import operations
import small_world
from small_world import check, left_over, snapshot

from repo_manager.adapters.filesystem import rename_without_replacing as noreplace
from repo_manager.adapters.filesystem.rename import Mover, OwnSystem
from repo_manager.adapters.filesystem.rename_without_replacing import (
    CannotError,
    Place,
    Way,
    after_a_look,
    by_link,
    in_kernel,
)
from repo_manager.adapters.filesystem.repository_folder import Folder, no_step
from repo_manager.core.errors import MachineError
from repo_manager.core.transaction import Journal, Move, recover

if TYPE_CHECKING:
    from pathlib import Path

WAYS = {"in the kernel": (in_kernel,), "by link": (by_link,), "after a look": (after_a_look,)}
every_way = pytest.mark.parametrize("ways", WAYS.values(), ids=WAYS)


class System(OwnSystem):
    """The real system, with the ways that a file system knows."""

    def __init__(self, ways: tuple[Way, ...]) -> None:
        self.ways = ways


@every_way
def test_a_free_name_is_given_and_a_taken_one_is_refused(ways: tuple[Way, ...], tmp_path: Path) -> None:
    mover = Mover(lambda _: None, System(ways))
    old, new = tmp_path / "old", tmp_path / "new"
    old.write_text("old")
    mover.rename(old, new)
    assert not old.exists()
    assert new.read_text() == "old"
    old.write_text("another")
    with pytest.raises(FileExistsError):
        mover.rename(old, new)
    assert (old.read_text(), new.read_text()) == ("another", "old")
    with pytest.raises(FileNotFoundError):
        mover.rename(tmp_path / "not there", tmp_path / "other")


@every_way
def test_a_link_is_moved_and_not_followed(ways: tuple[Way, ...], tmp_path: Path) -> None:
    (tmp_path / "target").write_text("precious")
    (tmp_path / "old").symlink_to("target")
    Mover(lambda _: None, System(ways)).rename(tmp_path / "old", tmp_path / "new")
    assert (tmp_path / "new").readlink().name == "target"
    assert (tmp_path / "target").read_text() == "precious"


@pytest.mark.parametrize("ways", [(in_kernel,), (by_link,)], ids=["in the kernel", "by link"])
def test_a_file_that_appears_between_the_look_and_the_rename_stays(ways: tuple[Way, ...], tmp_path: Path) -> None:
    """The folder looks whether the name is free; another program takes it before the rename."""

    def step(what: str) -> None:
        if what.startswith("move"):
            (tmp_path / "x").write_bytes(b"of another program")

    folder = Folder(tmp_path, step=step, system=System(ways))
    folder.prepare()
    folder.staged("x").write_bytes(b"ours")
    with pytest.raises(MachineError) as caught:
        folder.move("staging/x", "../x")
    assert caught.value.code == "name-taken"
    assert (tmp_path / "x").read_bytes() == b"of another program"
    assert folder.staged("x").read_bytes() == b"ours"


def test_what_a_file_system_does_not_know_is_done_in_the_next_way(tmp_path: Path) -> None:
    asked: list[str] = []

    def unknown(_old: Place, _new: Place) -> None:
        asked.append("first")
        raise CannotError

    (tmp_path / "old").write_text("old")
    Mover(lambda _: None, System((unknown, by_link))).rename(tmp_path / "old", tmp_path / "new")
    assert asked == ["first"]
    assert (tmp_path / "new").read_text() == "old"


def test_the_call_of_the_kernel_is_there_without_a_function_of_the_library() -> None:
    """Other C libraries than glibc have no function for it: the number must be right."""
    number = noreplace.NUMBERS.get(os.uname().machine)
    if number is None or not sys.platform.startswith("linux"):
        pytest.skip("no number is known for this machine")
    import ctypes

    library = ctypes.CDLL(None, use_errno=True)
    # A flag that does not exist: the kernel knows the call, and refuses the flag.
    assert library.syscall(ctypes.c_long(number), -1, b"a", -1, b"b", ctypes.c_uint(1 << 31)) == -1
    assert ctypes.get_errno() == errno.EINVAL


MOVES = {"in": Move("staging/x", "../x", 4), "out": Move("../x", "retired/1/x", 4)}


@pytest.mark.parametrize("first", ["origin", "destination"])
@pytest.mark.parametrize("move", MOVES.values(), ids=MOVES)
def test_a_move_that_was_killed_between_link_and_unlink_is_undone(move: Move, first: str, tmp_path: Path) -> None:
    """The name that is there first is that of the origin on the way there, and the other one on the way back."""
    folder = Folder(tmp_path, system=System((by_link,)))
    folder.prepare()
    (folder.sub / "retired" / "1").mkdir()
    journal = Journal("1", "sync", (move,))
    folder.begin(journal)
    origin, destination = (folder.sub / path for path in (move.origin, move.destination))
    old, new = (origin, destination) if first == "origin" else (destination, origin)
    old.write_bytes(b"four")
    os.link(old, new)

    recover(replace(small_world.bench(small_world.World(tmp_path)).means(), store=folder))

    assert origin.read_bytes() == b"four"
    assert origin.stat().st_nlink == 1
    assert not destination.exists()
    assert folder.pending() is None


def test_a_journal_that_was_closed_halfway_is_closed(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    folder.prepare()
    (tmp_path / "x").write_bytes(b"four")
    folder.begin(Journal("1", "sync", (MOVES["in"],)))
    os.link(folder.sub / "journal.json", folder.sub / "transactions" / "1.json")
    assert folder.pending() is None
    recover(replace(small_world.bench(small_world.World(tmp_path)).means(), store=folder))
    assert not (folder.sub / "journal.json").exists()
    assert [journal.identity for journal in folder.journals()] == ["1"]


@pytest.mark.parametrize("command", ["sync", "restore"])
def test_a_run_by_link_that_is_killed_between_the_two_names_is_corrected_by_the_next(
    command: str, tmp_path: Path
) -> None:
    make, operation = operations.OPERATIONS[command]
    begin = make(tmp_path / "begin")
    whole = begin.at(tmp_path / "whole")
    operation(whole, no_step)
    before, goal = snapshot(begin), snapshot(whole)

    number = 0
    while True:
        number += 1
        world = begin.at(tmp_path / f"{number}")
        if not _killed_after_link(world, command, number):
            break
        check(before, world, goal)
        outcome = operation(world, no_step)
        assert outcome is None or outcome.error is None
        assert snapshot(world).state == goal.state, number
        assert left_over(world) == [], number
    assert number > 5


def _killed_after_link(world: small_world.World, command: str, number: int) -> bool:
    """Do the command by link and unlink, and stop for good after the link of that number."""
    left = number

    def killed_halfway(old: Place, new: Place) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            os.link(old[1], new[1], src_dir_fd=old[0], dst_dir_fd=new[0], follow_symlinks=False)
            os._exit(faults.KILLED)
        by_link(old, new)

    def run() -> None:
        OwnSystem.ways = (killed_halfway,)
        operations.OPERATIONS[command][1](world, no_step)

    return faults.in_child(run) == faults.KILLED
