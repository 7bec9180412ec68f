"""The file system's own time of change, which no program sets back."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from held_file import ALONE, OtherProgram
from simulator import name_of

from repo_manager.adapters.filesystem.scan import scan

if TYPE_CHECKING:
    from pathlib import Path

    from repo_manager.core.repository import FolderEntry


def _scanned(path: Path) -> FolderEntry:
    return next(entry for entry in scan(path.parent) if entry.name == path.name)


def test_a_modification_time_that_is_set_back_changes_the_change_time(tmp_path: Path) -> None:
    path = tmp_path / name_of("RHEL7-64")
    path.write_bytes(b"right")
    status, before = path.stat(), _scanned(path)
    with path.open("r+b") as file:
        file.write(b"wrong")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    after = _scanned(path)
    assert (after.size_bytes, after.stamp[0], after.stamp[2]) == (before.size_bytes, before.stamp[0], before.stamp[2])
    assert 0 < before.stamp[1] < after.stamp[1]
    assert after.has_change_time


def test_only_files_that_can_be_remembered_are_asked_for_it(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes(b"x")
    assert not _scanned(path).has_change_time


def test_a_file_that_another_program_holds_does_not_hinder_a_scan(tmp_path: Path) -> None:
    path = tmp_path / name_of("RHEL7-64")
    path.write_bytes(b"x")
    free = _scanned(path)
    with OtherProgram(path, ALONE):
        held = _scanned(path)
    assert held.stamp[1] in {0, free.stamp[1]}
