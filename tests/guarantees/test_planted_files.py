"""What others put in the place of a file of the tool's own is neither followed nor waited for, and is named."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING

import pytest

if sys.platform == "win32":
    pytest.skip("has no pipes in folders, and wants a right for links", allow_module_level=True)

import signal

import faults
import operations
import small_world
from faults import in_child
from planted import KINDS, lay
from simulator import name_of
from small_world import check, data_of, left_over, snapshot

from repo_manager.adapters.filesystem.journal import records_to_json
from repo_manager.adapters.filesystem.repository_folder import SUBFOLDER, no_step
from repo_manager.core.errors import MachineError, RepoManagerError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from small_world import World

NAME = name_of("UBUNTU-22.04-64")
REFUSED = ("journal.json", "records.json", "lock")
REPLACED = (f"staging/{NAME}", f"staging/{NAME}.part", f"staging/{NAME}.part.json", "journal.new", "records.new")


def within_time(act: Callable[[], None]) -> None:
    """Do it in a child that ends after a minute, so that a wait without an end fails the test and does not hang it."""

    def run() -> None:
        signal.alarm(60)
        act()

    assert in_child(run) == 0


def planted(tmp_path: Path, path: str, kind: str) -> World:
    """A world in which something has the name of a file of the tool's own."""
    world = small_world.build(tmp_path / "world")
    small_world.bench(world).folder.prepare()
    lay(kind, world.repository / SUBFOLDER / path, world.outside / "treasure.txt")
    return world


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("path", REFUSED)
def test_a_file_that_says_what_happened_is_refused_and_named(path: str, kind: str, tmp_path: Path) -> None:
    world = planted(tmp_path, path, kind)
    before = snapshot(world)

    def act() -> None:
        with pytest.raises(MachineError) as caught:
            operations.sync(world, no_step)
        assert caught.value.code == "not-a-plain-file"
        assert str(world.repository / SUBFOLDER / path) in caught.value.message
        assert caught.value.hint

    within_time(act)
    check(before, world)
    assert snapshot(world).files == before.files


@pytest.mark.parametrize("kind", [*KINDS, "hard link"])
@pytest.mark.parametrize("path", REPLACED)
def test_a_file_that_is_written_is_replaced_and_never_written_through(path: str, kind: str, tmp_path: Path) -> None:
    world = planted(tmp_path, path, kind)
    before = snapshot(world)

    def act() -> None:
        try:
            outcome = operations.sync(world, no_step)
        except RepoManagerError as error:
            refused: RepoManagerError | None = error
        else:
            assert outcome is not None
            refused = outcome.error
        if kind == "folder":
            assert refused is not None
            assert refused.code == "not-a-plain-file"
        else:
            assert refused is None
            assert (world.repository / NAME).read_bytes() == data_of(NAME)
            assert (world.repository / NAME).stat().st_nlink == 1
            assert left_over(world) == []

    within_time(act)
    check(before, world)


@pytest.mark.parametrize("kind", ["a second name", "another owner", "open to all"])
@pytest.mark.parametrize("whole", [True, False], ids=["staged", "part"])
def test_a_staged_file_that_others_can_write_to_is_fetched_again(whole: bool, kind: str, tmp_path: Path) -> None:  # noqa: FBT001 - a column of the table
    """Its bytes are right now. Another name or owner could change them once they were verified."""
    world = small_world.build(tmp_path / "world")
    bench = small_world.bench(world)
    bench.folder.prepare()
    path = bench.folder.staged(NAME) if whole else bench.folder.part(NAME)
    path.write_bytes(data_of(NAME) if whole else data_of(NAME)[:900])
    old = path.stat().st_ino
    other = world.root / "other name"
    # Kept open, so that its number is not given to the new file.
    with path.open("rb"):
        if kind == "a second name":
            os.link(path, other)
        elif kind == "another owner":
            if os.geteuid() != 0:
                pytest.skip("needs the right to give a file away")
            os.chown(path, 65534, 65534)
        else:
            path.chmod(0o666)
        outcome = operations.sync(world, no_step)
        assert outcome is not None
        assert outcome.error is None
        placed = (world.repository / NAME).stat()
        assert placed.st_ino != old
        assert (placed.st_uid, placed.st_nlink, placed.st_mode & 0o022) == (os.geteuid(), 1, 0)


def test_a_staged_file_of_an_earlier_run_is_read_again_and_not_believed(tmp_path: Path) -> None:
    world = small_world.build(tmp_path / "world")
    folder = small_world.bench(world).folder
    folder.prepare()
    right = data_of(NAME)
    folder.staged(NAME).write_bytes(right[:-20] + bytes(20))
    outcome = operations.sync(world, no_step)
    assert outcome is not None
    assert outcome.error is None
    assert (world.repository / NAME).read_bytes() == right


def test_a_file_with_several_names_is_copied_by_add(tmp_path: Path) -> None:
    world = small_world.build(tmp_path / "world")
    os.link(world.source / name_of("Windows"), world.root / "another name")
    outcome = operations.add(world, no_step)
    assert outcome is not None
    assert outcome.error is None
    assert (world.repository / name_of("Windows")).stat().st_nlink == 1


def test_a_staging_folder_that_is_exchanged_for_a_link_leads_nowhere(tmp_path: Path) -> None:
    """It is exchanged after it was looked at, before each step that follows."""
    world = small_world.build(tmp_path / "world")
    staging = world.repository / SUBFOLDER / "staging"
    steps = faults.steps_of(operations.sync, world.at(tmp_path / "whole"))
    elsewhere = tmp_path / "elsewhere"
    for number, what in enumerate(steps, start=1):
        # Not where the folder is still to be made.
        if what.startswith("make") or not any(word in what for word in ("staging", "promote", "fetched")):
            continue
        here = world.at(tmp_path / f"{number}")
        elsewhere.mkdir()
        (elsewhere / NAME).write_bytes(b"of an attacker")
        staging = here.repository / SUBFOLDER / "staging"
        before, left = snapshot(here), [number]

        def exchange(_what: str, staging: Path = staging, left: list[int] = left) -> None:
            left[0] -= 1
            if left[0] == 0 and staging.is_dir():
                staging.rename(staging.with_name("real"))
                staging.symlink_to(elsewhere)

        refused: RepoManagerError | None
        try:
            outcome = operations.sync(here, exchange)
        except RepoManagerError as error:
            refused = error
        else:
            assert outcome is not None
            refused = outcome.error
        assert refused is not None, what
        # Another thread may just be opening its file, and finds none of that name in the folder that the link leads to.
        assert refused.code in {"subfolder-is-a-link", "not-put-back", "staged-file-gone", "folder-went-away"}, what
        assert [path.name for path in elsewhere.iterdir()] == [NAME], what
        assert (elsewhere / NAME).read_bytes() == b"of an attacker", what
        check(before, here)
        (elsewhere / NAME).unlink()
        elsewhere.rmdir()


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'{"files": {"a": {}}}'])
def test_records_that_are_damaged_are_noted_and_kept_beside_the_new_ones(data: bytes, tmp_path: Path) -> None:
    world = small_world.build(tmp_path / "world")
    bench = small_world.bench(world)
    bench.folder.prepare()
    path = world.repository / SUBFOLDER / "records.json"
    path.write_bytes(data)
    told: list[str] = []
    assert bench.folder.records(told.append) == {}
    assert [str(path) in text for text in told] == [True]

    outcome = operations.sync(world, no_step)
    assert outcome is not None
    assert outcome.error is None
    aside = path.with_name(f"records.json.damaged-{outcome.identity}")
    assert aside.read_bytes() == data
    assert NAME in json.loads(path.read_bytes())["files"]
    told.clear()
    bench.folder.records(told.append)
    assert told == []


def test_records_that_are_there_or_not_yet_are_no_damage(tmp_path: Path) -> None:
    world = small_world.build(tmp_path / "world")
    folder = small_world.bench(world).folder
    folder.prepare()
    told: list[str] = []
    assert folder.records(told.append) == {}
    (folder.sub / "records.json").write_text(json.dumps(records_to_json({})))
    assert folder.records(told.append) == {}
    assert told == []
