"""Files that another program has open: waited for, then reported; the repository is as before or as after."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import operations
import pytest
import small_world
from held_file import ALONE, READERS, READERS_AND_WRITERS, OtherProgram
from processes import cli
from simulator import name_of
from small_world import check, left_over, snapshot

from repo_manager.adapters.filesystem.repository_folder import SUBFOLDER, Folder, no_step
from repo_manager.app.change import perform
from repo_manager.core.errors import ExitCode, MachineError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from small_world import World

    from repo_manager.core.transaction import Outcome

OLD = name_of("Windows", "9.65")
NEW = name_of("Windows")


@pytest.fixture
def world(tmp_path: Path) -> World:
    return small_world.build(tmp_path / "world")


@pytest.fixture
def programs() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def sync(
    world: World, step: Callable[[str], None] = no_step, wait: Callable[[float], None] = lambda _: None
) -> Outcome:
    """`sync` with somebody who is told of every step, and somebody who is told of every wait."""
    bench = small_world.bench(world, step)
    folder = Folder(world.repository, step=step, sleep=wait)
    return perform(replace(bench, folder=folder), operations.sync_task(world))


# What is held, how, and from which step on: the first that begins so.
HELD = {
    "an installer that goes, by a viewer": (OLD, READERS, "write journal"),
    "an installer that goes, by a careless reader": (OLD, READERS_AND_WRITERS, "write journal"),
    "an installer that goes, by a writer": (OLD, ALONE, "write journal"),
    "a staged file, by a virus scanner": (f"{SUBFOLDER}/staging/{NEW}", READERS, f"move staging/{NEW}"),
    "a part, by a virus scanner": (f"{SUBFOLDER}/staging/{NEW}.part", READERS, f"promote {NEW}"),
    "the journal, by a backup": (f"{SUBFOLDER}/journal.json", READERS, "move"),
    "the records, by an audit": (f"{SUBFOLDER}/records.json", READERS_AND_WRITERS, "rename records.new"),
}


class HoldFrom:
    """A step hook: from the step that begins so, another program has the file."""

    def __init__(self, path: Path, share: int, step: str, programs: ExitStack) -> None:
        self._path, self._share, self._step, self._programs = path, share, step, programs
        self.program: OtherProgram | None = None

    def __call__(self, what: str) -> None:
        if self.program is None and what.startswith(self._step):
            self.program = self._programs.enter_context(OtherProgram(self._path, self._share))

    def let_go(self, _: float) -> None:
        assert self.program is not None, "nobody waits before the file is held"
        self.program.let_go()


@pytest.mark.parametrize(("path", "share", "step"), HELD.values(), ids=HELD)
def test_a_file_that_is_let_go_in_time_hinders_nobody(
    path: str, share: int, step: str, *, world: World, programs: ExitStack
) -> None:
    whole = world.at(world.root.parent / "whole")
    assert sync(whole).error is None
    if "records" in path:
        (world.repository / SUBFOLDER).mkdir()
        (world.repository / path).write_text('{"files": {}}')
    before = snapshot(world)
    hold = HoldFrom(world.repository / path, share, step, programs)
    waits: list[float] = []

    def wait(seconds: float) -> None:
        waits.append(seconds)
        hold.let_go(seconds)

    outcome = sync(world, hold, wait)
    assert outcome.error is None
    assert waits, "it was in the way"
    assert snapshot(world).files == snapshot(whole).files
    check(before, world)
    assert left_over(world) == []


@pytest.mark.parametrize(("path", "share", "step"), HELD.values(), ids=HELD)
def test_a_file_that_is_never_let_go_ends_the_run_with_nothing_changed(
    path: str, share: int, step: str, *, world: World, programs: ExitStack
) -> None:
    if "records" in path:
        (world.repository / SUBFOLDER).mkdir()
        (world.repository / path).write_text('{"files": {}}')
    before = snapshot(world)
    hold = HoldFrom(world.repository / path, share, step, programs)
    error: BaseException | None
    try:
        error = sync(world, hold).error
    except MachineError as raised:
        error = raised
    assert isinstance(error, MachineError)
    assert error.exit_code == 3
    assert "is in use by" in error.message
    assert error.code == ("not-put-back" if "journal" in path else "file-in-use")
    assert hold.program is not None
    hold.program.let_go()
    check(before, world)
    assert snapshot(world).files == before.files

    assert sync(world).error is None
    assert left_over(world) == []


def test_the_command_line_says_what_is_held_and_ends_with_3(world: World) -> None:
    before = snapshot(world)
    line = ("--repository", str(world.repository), "sync", "--release", "latest", "--source", str(world.source))
    with OtherProgram(world.repository / OLD, READERS):
        done = cli(world, *line, "--yes")
    assert done.returncode == ExitCode.TRANSFER
    assert f"error[file-in-use]: {world.repository / OLD} is in use by" in done.stderr
    assert "hint: close" in done.stderr
    assert snapshot(world).files == before.files
    assert cli(world, *line, "--yes").returncode == ExitCode.DONE


def test_a_lock_file_that_is_held_is_no_lock(world: World) -> None:
    """A virus scanner is no other run."""
    folder = Folder(world.repository)
    folder.prepare()
    folder.lock_path.write_bytes(b"")
    with OtherProgram(folder.lock_path, ALONE), pytest.raises(MachineError) as caught:
        sync(world)
    assert caught.value.code == "file-in-use"
    assert sync(world).error is None


# Deleting


def retired(world: World) -> Folder:
    """A repository with a file that has been retired long ago, and another one since."""
    folder = Folder(world.repository, sleep=lambda _: None)
    folder.prepare()
    for identity in ("20250101T000000Z-0000", "20260101T000000Z-0000"):
        (folder.sub / "retired" / identity).mkdir()
        (folder.sub / "retired" / identity / "strange RHEL9-64 file").write_bytes(b"x")
    return folder


def test_a_retired_file_that_is_held_stays_until_the_next_time(world: World) -> None:
    folder = retired(world)
    old = folder.sub / "retired" / "20250101T000000Z-0000" / "strange RHEL9-64 file"
    now = datetime(2026, 5, 1, tzinfo=UTC)
    with OtherProgram(old, READERS):
        assert folder.trim(keep=0, days=1, now=now) == ()
        assert old.exists()
    assert [file.transaction for file in folder.trim(keep=0, days=1, now=now)] == ["20250101T000000Z-0000"]
    assert not old.parent.exists()


def test_read_only_files_are_retired_restored_trimmed_and_swept(world: World) -> None:
    """Whatever is copied from a CD or an ISO image is read-only."""
    (world.repository / OLD).chmod(0o444)
    before = snapshot(world)
    assert sync(world).error is None
    assert not (world.repository / OLD).exists()
    whole = snapshot(world)
    operations.restore(world, no_step)
    # What was damaged stays retired.
    damaged = name_of("RHEL9-64")
    assert snapshot(world).files == {**before.files, damaged: whole.files[damaged]}
    assert not (world.repository / OLD).stat().st_mode & 0o200

    folder = retired(world)
    old = folder.sub / "retired" / "20250101T000000Z-0000" / "strange RHEL9-64 file"
    old.chmod(0o444)
    leftover = folder.sub / "staging" / "left over"
    leftover.write_bytes(b"x")
    leftover.chmod(0o444)
    now = datetime.now(UTC)
    folder.trim(keep=1000, days=1, now=now)
    assert not old.exists()
    folder.sweep(now + timedelta(days=8))
    assert not leftover.exists()


def test_the_tool_s_own_files_may_be_read_only(world: World) -> None:
    """`attrib +R /S` on the repository, say."""
    assert sync(world).error is None
    for path in world.repository.rglob("*"):
        if path.is_file() and path.name != "lock":
            path.chmod(0o444)
    (world.repository / NEW).chmod(0o666)
    (world.repository / NEW).write_bytes(b"broken")
    assert sync(world).error is None
    assert (world.repository / NEW).read_bytes() == small_world.data_of(NEW)
