"""A real full disk: the old state stands, the staging space is given back, and the run says so."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import operations
import pytest
import small_world
from abuse_server import Honest, Request, serving
from simulator import name_of
from small_disk import mounted
from small_world import TOKENS, snapshot

from repo_manager.adapters.filesystem.repository_folder import no_step
from repo_manager.app.change import perform
from repo_manager.core import names
from repo_manager.core.errors import MachineError
from repo_manager.demo.sample import sample_installer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from small_world import World

DISK_BYTES = 1 << 20
LARGE = 600_000
"""Each of the four files; two of them do not fit."""


@pytest.fixture
def on_small_disk(tmp_path: Path) -> Iterator[World]:
    """A world whose repository lies on a disk of one megabyte, and whose source has more than that."""
    world = small_world.build(tmp_path / "world")
    for token in TOKENS:
        name = names.parse(name_of(token))
        (world.source / name.text).write_bytes(sample_installer(name, payload_bytes=LARGE))
    filled = tmp_path / "filled"
    world.repository.rename(filled)
    world.repository.mkdir()
    with mounted(world.repository, DISK_BYTES):
        shutil.copytree(filled, world.repository, symlinks=True, dirs_exist_ok=True)
        yield world


def free_bytes(world: World) -> int:
    return shutil.disk_usage(world.repository).free


def assert_refused(world: World, source: str | None) -> MachineError:
    """The sync ends with `no-space`, and all but the memory of it is as before."""
    bench = small_world.bench(world, source=source)
    bench.folder.prepare()
    before, room = snapshot(world), free_bytes(world)
    with pytest.raises(MachineError) as caught:
        perform(bench, operations.sync_task(world, source=source))
    assert caught.value.code == "no-space"
    assert caught.value.exit_code == 3
    assert caught.value.hint
    assert snapshot(world) == before
    assert small_world.left_over(world) == []
    # The lock file may have taken a page.
    assert room - free_bytes(world) <= 4096
    return caught.value


def assert_works_with_room(world: World, source: str | None) -> None:
    """The next run, for the packages that fit, reaches its goal."""
    task = operations.sync_task(world, source=source, packages=("Windows",))
    outcome = perform(small_world.bench(world, source=source), task)
    assert outcome.error is None
    assert (world.repository / name_of("Windows")).read_bytes() == (world.source / name_of("Windows")).read_bytes()


def without_length(data: bytes) -> Callable[[Request], None]:
    """A server that says neither beforehand nor in the answer how much will come."""

    def script(request: Request) -> None:
        request.answer(200, {"Connection": "close"}, data)
        request.hang_up()

    return script


def test_too_little_room_for_a_folder_is_seen_before_the_first_byte(on_small_disk: World) -> None:
    error = assert_refused(on_small_disk, None)
    assert "bytes are needed" in error.message
    assert_works_with_room(on_small_disk, None)


def test_too_little_room_for_downloads_is_seen_before_the_first_byte(on_small_disk: World) -> None:
    with serving() as server:
        for path in on_small_disk.source.iterdir():
            server.url(f"/{path.name}", Honest(path.read_bytes()))
        error = assert_refused(on_small_disk, server.base)
        assert "bytes are needed" in error.message
        assert server.sent == {}
        assert_works_with_room(on_small_disk, server.base)


def test_a_disk_that_fills_up_in_the_middle_gives_everything_back(on_small_disk: World) -> None:
    with serving() as server:
        for path in on_small_disk.source.iterdir():
            server.url(f"/{path.name}", without_length(path.read_bytes()))
        error = assert_refused(on_small_disk, server.base)
        assert "bytes are needed" not in error.message
        assert sum(server.sent.values()) > 0
        assert_works_with_room(on_small_disk, server.base)


def test_a_disk_without_a_single_byte_left_still_gets_a_clear_answer(on_small_disk: World) -> None:
    bench = small_world.bench(on_small_disk)
    bench.folder.prepare()
    with (on_small_disk.repository / "filler.bin").open("wb", buffering=0) as filler:
        try:
            while True:
                filler.write(bytes(65536))
        except OSError:
            pass
    before = snapshot(on_small_disk)
    with pytest.raises(MachineError) as caught:
        perform(bench, operations.sync_task(on_small_disk))
    assert caught.value.code == "no-space"
    assert snapshot(on_small_disk) == before


def test_a_prune_on_a_full_disk_changes_nothing_or_all(on_small_disk: World) -> None:
    """Pruning needs room for the journal alone; where there is none, the folder stays as it is."""
    bench = small_world.bench(on_small_disk)
    bench.folder.prepare()
    filler = on_small_disk.repository / "filler.bin"
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(65536))
        except OSError:
            pass
    before = snapshot(on_small_disk)
    try:
        outcome = operations.prune(on_small_disk, no_step)
    except MachineError as error:
        assert error.code == "no-space"  # noqa: PT017 - either end is right
        assert snapshot(on_small_disk).files == before.files
    else:
        assert outcome is not None
        assert outcome.error is None or snapshot(on_small_disk).files == before.files
    filler.unlink()
    again = operations.prune(on_small_disk, no_step)
    assert again is not None
    assert again.error is None
    assert not (on_small_disk.repository / small_world.COPY).exists()
