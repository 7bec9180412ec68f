"""Small files are written whole, and nothing beside them is touched."""

from __future__ import annotations

import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from platforms import needs_links

from repo_manager.adapters.filesystem import user_cache
from repo_manager.adapters.filesystem.atomic_write import write_where_told, write_whole

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Write = Callable[[Path, str], None]

posix = pytest.mark.skipif(sys.platform == "win32", reason="such files are another matter there")
both = pytest.mark.parametrize("write", [write_whole, write_where_told])


@both
def test_a_file_is_replaced_and_nothing_else_is_left(tmp_path: Path, write: Write) -> None:
    path = tmp_path / "report.txt"
    for text in ("old", "new"):
        write(path, text)
        assert path.read_text(encoding="utf-8") == text
    assert list(tmp_path.iterdir()) == [path]


@both
def test_a_strangers_file_beside_it_is_left_alone(tmp_path: Path, write: Write) -> None:
    stranger = tmp_path / "report.txt.new"
    stranger.write_text("precious", encoding="utf-8")
    write(tmp_path / "report.txt", "text")
    assert stranger.read_text(encoding="utf-8") == "precious"
    assert {path.name for path in tmp_path.iterdir()} == {"report.txt", "report.txt.new"}


@needs_links
@both
def test_a_link_laid_beside_it_leads_nowhere(tmp_path: Path, write: Write) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious", encoding="utf-8")
    (tmp_path / "report.txt.new").symlink_to(victim)
    write(tmp_path / "report.txt", "text")
    assert victim.read_text(encoding="utf-8") == "precious"
    assert not (tmp_path / "report.txt").is_symlink()


def test_many_at_once_all_write_and_one_of_them_stays(tmp_path: Path) -> None:
    path = tmp_path / "report.txt"
    texts = [f"{number}" * 50_000 for number in range(8)]
    with ThreadPoolExecutor(len(texts)) as pool:
        for done in [pool.submit(write_whole, path, text) for text in texts]:
            done.result()
    assert path.read_text(encoding="utf-8") in texts
    assert list(tmp_path.iterdir()) == [path]


@needs_links
def test_where_a_person_names_a_link_its_file_is_written(tmp_path: Path) -> None:
    there, link = tmp_path / "2026-11.html", tmp_path / "latest.html"
    there.write_text("old", encoding="utf-8")
    link.symlink_to(there.name)
    write_where_told(link, "new")
    assert link.is_symlink()
    assert there.read_text(encoding="utf-8") == "new"


@posix
def test_a_device_stays_one(tmp_path: Path) -> None:
    # A terminal of the test's own: what went wrong with it would harm nobody else.
    master, slave = os.openpty()
    try:
        (tmp_path / "device").symlink_to(os.ttyname(slave))
        write_where_told(tmp_path / "device", "text")
        assert os.read(master, 100) == b"text"
        assert (tmp_path / "device").is_char_device()
    finally:
        os.close(master)
        os.close(slave)


@posix
def test_a_pipe_is_written_to(tmp_path: Path) -> None:
    path, read = tmp_path / "pipe", list[str]()
    os.mkfifo(path)
    reader = threading.Thread(target=lambda: read.append(path.read_text(encoding="utf-8")))
    reader.start()
    write_where_told(path, "text")
    reader.join(30)
    assert read == ["text"]
    assert path.is_fifo()


@posix
@pytest.mark.parametrize("umask", [0o000, 0o077])
def test_what_is_replaced_hands_its_rights_on(tmp_path: Path, umask: int) -> None:
    path = tmp_path / "report.txt"
    path.write_text("old", encoding="utf-8")
    before = os.umask(umask)
    try:
        for mode, asked, wanted in [
            (0o640, None, 0o640),
            (0o666, None, 0o666),
            (0o664, 0o644, 0o644),
            (0o600, 0o644, 0o600),
        ]:
            path.chmod(mode)
            write_where_told(path, "new", mode=asked)
            assert path.stat().st_mode & 0o7777 == wanted
    finally:
        os.umask(before)


@posix
@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() != 0, reason="only root gives files away")
def test_what_is_replaced_hands_its_group_on(tmp_path: Path) -> None:
    path = tmp_path / "report.txt"
    path.write_text("old", encoding="utf-8")
    os.chown(path, -1, 65534)
    path.chmod(0o640)

    write_where_told(path, "new")

    assert (path.stat().st_gid, path.stat().st_mode & 0o7777) == (65534, 0o640)


def test_a_file_of_the_cache_is_replaced_without_waiting_for_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fsync(_: int) -> None:
        raise AssertionError

    monkeypatch.setattr(os, "fsync", fsync)
    file = tmp_path / "cache" / "digests.json"
    for data in (b"old", b"new"):
        assert user_cache.write(file, data)
    assert file.read_bytes() == b"new"
    assert [path.name for path in file.parent.iterdir()] == [file.name]
