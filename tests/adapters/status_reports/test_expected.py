"""fleet.yaml on a disk, read once and read again."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from repo_manager.adapters.status_reports.expected import InventoryFile, load
from repo_manager.core.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path


def _write(path: Path, text: str, at: int) -> None:
    path.write_text(text, encoding="utf-8")
    # Two writes within one tick of the disk's clock would look like one.
    os.utime(path, (at, at))


def test_what_cannot_be_read_is_refused(tmp_path: Path) -> None:
    for path, code in ((tmp_path / "absent", "no-fleet"), (tmp_path, "no-fleet")):
        with pytest.raises(InputError) as caught:
            load(path)
        assert (caught.value.code, bool(caught.value.hint)) == (code, True)


def test_what_is_no_text_is_refused_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "fleet.yaml").write_bytes(b"servers:\n  - name: \xff\n")
    with pytest.raises(InputError, match="line 2, column 11") as caught:
        load(tmp_path / "fleet.yaml")
    assert caught.value.code == "invalid-fleet"


def test_a_change_counts_at_once_and_a_mistake_never(tmp_path: Path) -> None:
    path = tmp_path / "fleet.yaml"
    _write(path, "servers:\n  - name: a\n", 1_000_000)
    file = InventoryFile(path)
    assert [server.host for server in file.servers()] == ["a"]
    _write(path, "servers:\n  - name: b\n", 1_000_010)
    assert [server.host for server in file.servers()] == ["b"]
    _write(path, "servers: oops\n", 1_000_020)
    assert [server.host for server in file.servers()] == ["b"]
    path.unlink()
    assert [server.host for server in file.servers()] == ["b"]
    _write(path, "servers:\n  - name: c\n", 1_000_030)
    assert [server.host for server in file.servers()] == ["c"]
