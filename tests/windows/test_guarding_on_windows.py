"""Whose a file is, asked from Windows itself. Under Wine the answer is made from the rights of Linux."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from repo_manager.adapters.windows import guarding

if TYPE_CHECKING:
    from pathlib import Path

# What follows is in the module on Windows alone.
assert sys.platform == "win32"


def test_what_windows_tells_of_a_file_is_understood(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"x")

    for path in (file, tmp_path):
        found = guarding.parse(guarding._descriptor(path))
        assert found.owner is not None
        assert found.owner.startswith("S-1-")
        assert found.entries is not None
        assert all(entry.who.startswith("S-1-") for entry in found.entries)
    assert guarding._user().startswith("S-1-5-")


def test_what_this_user_has_just_made_is_believed(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"x")

    assert guarding.doubt(file) is None
    assert guarding.doubt(tmp_path / "missing") is None


def test_a_folder_of_a_share_is_its_servers_matter() -> None:
    assert not guarding._volume_keeps_owners("\\\\?\\UNC\\server\\share\\")


def test_a_file_that_was_moved_inherits_and_stays_as_it_is(tmp_path: Path) -> None:
    """What it inherits shows on NTFS alone; that the calls are right shows here too."""
    file = tmp_path / "file"
    file.write_bytes(b"x")

    for _ in range(2):
        guarding.inherit(file)
        guarding._inherit(file)

    assert file.read_bytes() == b"x"
    file.write_bytes(b"y")
    assert guarding.own_entries(guarding._descriptor(file)) is not None
    with pytest.raises(OSError, match="WinError 2"):
        guarding._inherit(tmp_path / "missing")
