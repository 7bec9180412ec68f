"""What is said of a file that cannot be read, and of one that can."""

from __future__ import annotations

from typing import TYPE_CHECKING

import scenarios
from scenarios import bench, name_of

from repo_manager import repository
from repo_manager.audit import Code
from repo_manager.operation import look
from repo_manager.repository import Entry

if TYPE_CHECKING:
    from pathlib import Path


def test_bytes_that_could_not_be_read_prove_nothing_and_are_not_remembered(tmp_path: Path) -> None:
    world = scenarios.build(tmp_path / "world", mess=False)
    gone = repository.survey(str(world.repository), [Entry(name_of("Windows"), 1000)])
    checker = bench(world).checker()
    verdict = checker.read(gone, gone.files)[name_of("Windows")]
    assert (verdict.code, verdict.good, verdict.read) == (Code.CORRUPT, False, False)
    assert verdict.message.startswith("cannot be read: ")
    assert checker.unread_bytes(gone.files) == 1000


def test_bytes_that_were_read_are_remembered_good_or_not(tmp_path: Path) -> None:
    world = scenarios.build(tmp_path / "world", mess=False)
    world.put(name_of("OL8-64"))
    world.put(name_of("RHEL9-64"), b"wrong")
    listing = look(bench(world))
    checker = bench(world).checker()
    verdicts = checker.read(listing, listing.files)
    assert {name: (verdict.good, verdict.read) for name, verdict in verdicts.items()} == {
        name_of("OL8-64"): (True, True),
        name_of("RHEL9-64"): (False, True),
    }
    assert checker.unread_bytes(listing.files) == 0
