"""What comes into the repository gets the rights that the repository gives to new files."""

from __future__ import annotations

import os
import struct
import sys
from typing import TYPE_CHECKING

import pytest

from repo_manager.adapters.filesystem.rename import OwnSystem
from repo_manager.adapters.filesystem.repository_folder import Folder

if TYPE_CHECKING:
    from pathlib import Path

_ACCESS, _DEFAULT = "system.posix_acl_access", "system.posix_acl_default"
_NO_ID, _SERVICE = 0xFFFFFFFF, 65534
# Evidence: acl(5) and linux/posix_acl_xattr.h: owner, one user, group, mask, others.
_LIST = struct.pack("<I", 2) + b"".join(
    struct.pack("<HHI", tag, rights, who)
    for tag, rights, who in [(1, 7, _NO_ID), (2, 5, _SERVICE), (4, 5, _NO_ID), (16, 5, _NO_ID), (32, 5, _NO_ID)]
)


class Told(OwnSystem):
    """The real system, which remembers what was to inherit."""

    def __init__(self, *, refuses: bool = False) -> None:
        self.inherited: list[str] = []
        self.refuses = refuses

    def inherit(self, path: Path) -> None:
        self.inherited.append(path.name)
        if self.refuses:
            raise PermissionError
        super().inherit(path)


def _staged(folder: Folder, name: str) -> Path:
    folder.prepare()
    path = folder.staged(name)
    path.write_bytes(b"installer")
    return path


@pytest.mark.parametrize("refuses", [False, True])
def test_only_what_comes_into_the_repository_inherits(tmp_path: Path, *, refuses: bool) -> None:
    system = Told(refuses=refuses)
    folder = Folder(tmp_path, system=system)
    _staged(folder, "a.exe")

    folder.move("staging/a.exe", "../a.exe")
    assert system.inherited == ["a.exe"]
    folder.move("../a.exe", "retired/1/a.exe")
    assert system.inherited == ["a.exe"]
    folder.move("retired/1/a.exe", "../a.exe")
    assert system.inherited == ["a.exe", "a.exe"]
    assert (tmp_path / "a.exe").read_bytes() == b"installer"


@pytest.mark.skipif(sys.platform == "win32", reason="a move is one step there")
def test_a_move_that_was_killed_between_its_two_names_inherits_when_it_is_finished(tmp_path: Path) -> None:
    system = Told()
    folder = Folder(tmp_path, system=system)
    (tmp_path / "a.exe").hardlink_to(_staged(folder, "a.exe"))

    folder.move("staging/a.exe", "../a.exe")

    assert system.inherited == ["a.exe"]


if sys.platform == "linux":

    def test_a_default_list_of_the_repository_reaches_what_is_placed(tmp_path: Path) -> None:
        try:
            os.setxattr(tmp_path, _DEFAULT, _LIST)
        except OSError:
            pytest.skip("this file system has no access control lists")
        folder = Folder(tmp_path)
        folder.prepare()
        with folder._mover.create(folder.staged("a.exe")) as file:
            file.write(b"installer")

        folder.move("staging/a.exe", "../a.exe")

        found = os.getxattr(tmp_path / "a.exe", _ACCESS)
        entries = [struct.unpack_from("<HHI", found, at) for at in range(4, len(found), 8)]
        assert (2, 5, _SERVICE) in entries
        assert (16, 4, _NO_ID) in entries
