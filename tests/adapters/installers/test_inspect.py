"""What is said of a file that cannot be read, and of one that can; which kernels it lists."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
import small_world
from simulator import name_of
from small_world import bench, data_of

from repo_manager.adapters.filesystem.digests import REMEMBERED_FOR, Digests
from repo_manager.adapters.filesystem.repository_folder import PlacedRecord
from repo_manager.adapters.installers.inspect import Checker, inspect_file
from repo_manager.adapters.sources.fetching import StagedFile
from repo_manager.core import names, repository
from repo_manager.core.audit.findings import Code
from repo_manager.core.repository import FolderEntry

if TYPE_CHECKING:
    from pathlib import Path

    from small_world import World

    from repo_manager.adapters.filesystem.digests import Confirmed
    from repo_manager.core.repository import Listing


def checker_of(world: World) -> Checker:
    """What the real parts at work on this world read files with."""
    parts = bench(world)
    return parts.checker(parts.folder)


def test_bytes_that_could_not_be_read_prove_nothing_and_are_not_remembered(tmp_path: Path) -> None:
    world = small_world.build(tmp_path / "world", mess=False)
    gone = repository.survey(str(world.repository), [FolderEntry(name_of("Windows"), 1000)])
    checker = checker_of(world)
    verdict = checker.read(gone, gone.files)[name_of("Windows")]
    assert (verdict.code, verdict.good, verdict.read) == (Code.CORRUPT, False, False)
    assert verdict.message.startswith("cannot be read: ")
    assert checker.unread_bytes(gone.files) == 1000


def test_bytes_that_were_read_are_remembered_good_or_not(tmp_path: Path) -> None:
    world = small_world.build(tmp_path / "world", mess=False)
    world.put(name_of("OL8-64"))
    world.put(name_of("RHEL9-64"), b"wrong")
    listing = bench(world).folder.listing()
    checker = checker_of(world)
    verdicts = checker.read(listing, listing.files)
    assert {name: (verdict.good, verdict.read) for name, verdict in verdicts.items()} == {
        name_of("OL8-64"): (True, True),
        name_of("RHEL9-64"): (False, True),
    }
    assert checker.unread_bytes(listing.files) == 0


# How long the memory counts

READ_AT = datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC)


def _checker(world: World, at: datetime, confirmed: Confirmed | None = None) -> Checker:
    return Checker(world.repository.joinpath, Digests(world.cache, world.repository, confirmed), {}, now=lambda: at)


def _one_that_was_read(tmp_path: Path, data: bytes | None = None) -> tuple[World, Listing]:
    world = small_world.build(tmp_path / "world", mess=False)
    world.put(name_of("OL8-64"), data)
    listing = bench(world).folder.listing()
    _checker(world, READ_AT).read(listing, listing.files)
    return world, listing


@pytest.mark.parametrize(
    ("later", "again"),
    [
        (timedelta(0), False),
        (REMEMBERED_FOR, False),
        (REMEMBERED_FOR + timedelta(seconds=1), True),
        (timedelta(seconds=-1), True),
    ],
    ids=["at once", "at the end", "after it", "before it was read"],
)
def test_what_was_read_counts_for_a_while_and_not_before_it_was_read(
    tmp_path: Path, later: timedelta, *, again: bool
) -> None:
    world, listing = _one_that_was_read(tmp_path)
    checker = _checker(world, READ_AT + later)
    assert (checker.unread_bytes(listing.files) > 0) is again
    (verdict,) = checker.read(listing, listing.files).values()
    assert verdict.read_at == (READ_AT + later if again else READ_AT)
    assert _checker(world, READ_AT + later).unread_bytes(listing.files) == 0, "it is remembered from then on"


def test_a_quick_look_tells_of_damage_however_long_ago_it_was_seen(tmp_path: Path) -> None:
    world, listing = _one_that_was_read(tmp_path, b"wrong")
    (verdict,) = _checker(world, READ_AT + 2 * REMEMBERED_FOR).known(listing).values()
    assert (verdict.code, verdict.read_at) == (Code.CORRUPT, READ_AT)


def test_a_quick_look_shows_no_time_of_reading_that_is_still_to_come(tmp_path: Path) -> None:
    world, listing = _one_that_was_read(tmp_path)
    (verdict,) = _checker(world, READ_AT - timedelta(days=1)).known(listing).values()
    assert verdict.read_at is None


def test_for_a_signed_set_each_process_reads_files_without_a_change_time_once(tmp_path: Path) -> None:
    world = small_world.build(tmp_path / "world", mess=False)
    world.put(name_of("OL8-64"))
    entries = bench(world).folder.listing().files
    stamps = [replace(file.entry, stamp=(file.entry.stamp[0], 0, file.entry.stamp[2])) for file in entries]
    listing = repository.survey(str(world.repository), stamps)
    size = len(data_of(name_of("OL8-64")))
    _checker(world, READ_AT).read(listing, listing.files)
    assert _checker(world, READ_AT).unread_bytes(listing.files) == 0, "for all else the memory counts"
    confirmed: Confirmed = set()
    assert _checker(world, READ_AT, confirmed).unread_bytes(listing.files) == size
    _checker(world, READ_AT, confirmed).read(listing, listing.files)
    assert _checker(world, READ_AT, confirmed).unread_bytes(listing.files) == 0


def test_for_a_signed_set_the_memory_counts_for_files_with_a_change_time(tmp_path: Path) -> None:
    world = small_world.build(tmp_path / "world", mess=False)
    world.put(name_of("OL8-64"))
    entries = bench(world).folder.listing().files
    stamps = [replace(file.entry, stamp=(file.entry.stamp[0], 5, file.entry.stamp[2])) for file in entries]
    listing = repository.survey(str(world.repository), stamps)
    _checker(world, READ_AT).read(listing, listing.files)
    assert _checker(world, READ_AT, set()).unread_bytes(listing.files) == 0


# Kernels

LISTED = ("5.15.0-100-generic", "5.15.0-101-generic")


def test_kernels_are_read_once_and_remembered_with_what_the_reading_showed(tmp_path: Path) -> None:
    world = small_world.build(tmp_path / "world", mess=False)
    world.put(name_of("SLES12-64"))
    world.put(name_of("OL8-64"))
    listing = bench(world).folder.listing()
    checker = checker_of(world)
    assert checker.unasked_bytes(listing.files) == sum(
        map(len, (data_of(name_of("SLES12-64")), data_of(name_of("OL8-64"))))
    )
    assert checker.kernels(listing, listing.files) == {name_of("SLES12-64"): LISTED}, "of OL8-64 the list is empty"
    again = checker_of(world)
    assert (again.unasked_bytes(listing.files), again.unread_bytes(listing.files)) == (0, 0)
    assert again.kernels(listing, listing.files) == {name_of("SLES12-64"): LISTED}


def test_a_file_that_was_read_before_anybody_asked_for_kernels_is_read_again_when_somebody_does(tmp_path: Path) -> None:
    world = small_world.build(tmp_path / "world", mess=False)
    world.put(name_of("SLES12-64"))
    listing = bench(world).folder.listing()
    checker_of(world).read(listing, listing.files)
    for file in world.cache.glob("*.kernels.json"):
        file.unlink()
    checker = checker_of(world)
    assert checker.unread_bytes(listing.files) == 0, "an audit has nothing to read"
    read: list[int] = []
    assert checker.kernels(listing, listing.files, read.append) == {name_of("SLES12-64"): LISTED}
    assert sum(read) == len(data_of(name_of("SLES12-64")))
    assert checker.unread_bytes(listing.files) == 0


def test_a_damaged_file_lists_no_kernels_and_is_not_read_again(tmp_path: Path) -> None:
    world = small_world.build(tmp_path / "world", mess=False)
    world.put(name_of("SLES12-64"), b"wrong")
    listing = bench(world).folder.listing()
    checker = checker_of(world)
    assert checker.kernels(listing, listing.files) == {}
    assert checker.unasked_bytes(listing.files) == 0
    (verdict,) = checker.known(listing).values()
    assert verdict.code is Code.CORRUPT


def test_a_file_that_is_not_the_one_that_was_placed_lists_no_kernels(tmp_path: Path) -> None:
    world = small_world.build(tmp_path / "world", mess=False)
    name = name_of("SLES12-64")
    world.put(name)
    listing = bench(world).folder.listing()
    records = {name: PlacedRecord("0" * 64, listing.files[0].entry.size_bytes)}
    checker = Checker(world.repository.joinpath, Digests(world.cache, world.repository), records)
    assert checker.kernels(listing, listing.files) == {}
    assert checker.known(listing)[name].code is Code.CORRUPT
    assert checker.unasked_bytes(listing.files) == 0


def test_a_file_that_is_gone_lists_no_kernels(tmp_path: Path) -> None:
    world = small_world.build(tmp_path / "world", mess=False)
    gone = repository.survey(str(world.repository), [FolderEntry(name_of("SLES12-64"), 1000)])
    assert checker_of(world).kernels(gone, gone.files) == {}


def test_what_was_verified_on_its_way_in_has_its_kernels_told(tmp_path: Path) -> None:
    world = small_world.build(tmp_path / "world", mess=False)
    world.put(name_of("SLES12-64"))
    listing = bench(world).folder.listing()
    path = world.repository / name_of("SLES12-64")
    stage = StagedFile(
        path.name, inspect_file(path, names.parse(path.name)), path.stat().st_size, None, ("6.4.0-1-default",)
    )
    checker = checker_of(world)
    checker.learn(listing, {path.name: stage})
    assert checker.kernels(listing, listing.files) == {path.name: ("6.4.0-1-default",)}
