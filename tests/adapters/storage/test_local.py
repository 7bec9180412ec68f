"""A folder as a place of a signed set: links, leftovers, rights, and what happens in the middle."""

from __future__ import annotations

import hashlib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from repo_manager.adapters.storage.local import LocalStorage
from repo_manager.core.errors import MachineError, TransferError

if TYPE_CHECKING:
    from collections.abc import Callable

posix = pytest.mark.skipif(sys.platform == "win32", reason="links and pipes need rights or do not exist there")


def whole(depot: LocalStorage, path: str) -> bytes:
    return b"".join(bytes(piece) for piece in depot.stream(path))


def _read(depot: LocalStorage, path: str) -> object:
    return depot.read(path, limit_bytes=10)


@posix
def test_a_link_that_leads_out_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "file").write_bytes(b"x")
    (tmp_path / "set" / "file").symlink_to(tmp_path / "secret" / "file")
    (tmp_path / "set" / "folder").symlink_to(tmp_path / "secret")
    depot = LocalStorage(tmp_path / "set")

    for path in ("file", "folder/file"):
        asks: tuple[Callable[[LocalStorage, str], object], ...] = (_read, whole, LocalStorage.size)
        for ask in asks:
            with pytest.raises(TransferError) as failure:
                ask(depot, path)
            assert failure.value.code == "outside-source"
    acts: tuple[Callable[[], None], ...] = (
        lambda: depot.write("folder/new", b"x"),
        lambda: depot.delete("folder/file"),
    )
    for act in acts:
        with pytest.raises(TransferError) as failure:
            act()
        assert failure.value.code == "outside-source"
    assert list(depot.list("")) == []
    assert [path.name for path in (tmp_path / "secret").iterdir()] == ["file"]


@posix
def test_a_pipe_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(TransferError) as failure:
        LocalStorage(tmp_path).read("pipe", limit_bytes=10)
    assert failure.value.code == "not-at-source"


def test_a_folder_that_is_not_there_is_not_an_empty_set(tmp_path: Path) -> None:
    depot = LocalStorage(tmp_path / "unmounted")

    for ask in (
        lambda: depot.read("metadata/2.root.json", limit_bytes=10),
        lambda: whole(depot, "metadata/2.root.json"),
        lambda: depot.size("metadata/2.root.json"),
        lambda: list(depot.list("")),
    ):
        with pytest.raises(TransferError) as failure:
            ask()
        assert failure.value.code == "source-went-away"


def test_writing_makes_the_folder_but_not_the_one_above(tmp_path: Path) -> None:
    LocalStorage(tmp_path / "set").write("metadata/x", b"x")
    assert (tmp_path / "set/metadata/x").read_bytes() == b"x"

    with pytest.raises(MachineError) as failure:
        LocalStorage(tmp_path / "unmounted" / "set").write("x", b"x")
    assert (failure.value.code, failure.value.exit_code) == ("folder-went-away", 3)
    assert not (tmp_path / "unmounted").exists()


def test_a_reader_never_sees_part_of_a_file(tmp_path: Path) -> None:
    depot = LocalStorage(tmp_path)
    (tmp_path / "payload").write_bytes(bytes(1_000_000))
    depot.write("targets/x", b"old")
    seen: list[bytes] = []

    def look(_: int) -> None:
        seen.append(whole(depot, "targets/x"))

    sha256 = hashlib.sha256(bytes(1_000_000)).hexdigest()
    depot.upload("targets/x", tmp_path / "payload", sha256=sha256, progress=look)

    assert len(seen) > 1
    assert set(seen) == {b"old"}
    assert whole(depot, "targets/x") == bytes(1_000_000)
    assert [path.name for path in (tmp_path / "targets").iterdir()] == ["x"]


def test_no_two_states_of_a_file_are_of_the_same_second(tmp_path: Path) -> None:
    """nginx makes its entity tags of nothing but the size and the second."""
    depot, seconds = LocalStorage(tmp_path), set()
    for number in range(4):
        depot.write("metadata/timestamp.json", b"%d" % number)
        seconds.add(int((tmp_path / "metadata" / "timestamp.json").stat().st_mtime))

    assert len(seconds) == 4


def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path: Path) -> None:
    depot = LocalStorage(tmp_path)
    (tmp_path / "x").write_bytes(bytes(1_000_000))

    reading = depot.stream("x")
    next(reading)
    (tmp_path / "x").write_bytes(b"less")
    with pytest.raises(TransferError) as failure:
        list(reading)
    assert failure.value.code == "changed-at-source"


def test_what_a_killed_run_left_is_no_part_of_the_set_and_goes_after_a_day(tmp_path: Path) -> None:
    (tmp_path / ".x.aaaa.new").write_bytes(b"half")
    left = (tmp_path / ".x.aaaa.new").stat().st_mtime

    LocalStorage(tmp_path, now=lambda: left + 3600).write("x", b"x")
    assert (tmp_path / ".x.aaaa.new").exists()
    assert list(LocalStorage(tmp_path).list("")) == [("x", 1)]

    LocalStorage(tmp_path, now=lambda: left + 90_000).write("x", b"x")
    assert not (tmp_path / ".x.aaaa.new").exists()


def test_leftovers_of_ours_are_swept_after_a_day_whether_or_not_their_file_is_written_again(tmp_path: Path) -> None:
    folder = tmp_path / "targets"
    folder.mkdir()
    strangers = [".x.new", "x.aaaa.new", ".y.aaaa.new", ".x.note.new", ".x.aaaa.new.txt"]
    for name in (".x.aaaa.new", ".x.0123abcd.new", *strangers):
        (folder / name).write_bytes(b"half")
    (folder / ".x.bbbb.new").mkdir()
    left = (folder / ".x.aaaa.new").stat().st_mtime
    asked: list[str] = []

    def ours(path: str) -> bool:
        asked.append(path)
        return path == "targets/x"

    assert LocalStorage(tmp_path, now=lambda: left + 3600).sweep("targets", ours) == 0
    assert LocalStorage(tmp_path, now=lambda: left + 90_000).sweep("targets", ours) == 2

    assert sorted(path.name for path in folder.iterdir()) == sorted([*strangers, ".x.bbbb.new"])
    assert "targets/y" in asked


@posix
def test_nothing_is_swept_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / ".x.aaaa.new").write_bytes(b"half")
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "targets").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(TransferError) as failure:
        LocalStorage(tmp_path / "set", now=lambda: 1e12).sweep("targets", lambda _: True)

    assert failure.value.code == "outside-source"
    assert (tmp_path / "elsewhere" / ".x.aaaa.new").exists()


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="rights do not bind there")
def test_a_folder_without_rights_is_named(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    (tmp_path / "set").chmod(0o500)
    with pytest.raises(MachineError) as failure:
        LocalStorage(tmp_path / "set").write("x", b"x")
    assert failure.value.code == "no-rights"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="asks Linux which folders were synced")
def test_each_new_folder_is_on_the_disk_before_a_file_is_in_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sync, synced = os.fsync, list[Path]()

    def listened(descriptor: int) -> None:
        synced.append(Path(f"/proc/self/fd/{descriptor}").readlink())
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", listened)
    base = tmp_path.resolve() / "set"
    depot = LocalStorage(base)
    depot.write("targets/a.json", b"{}")
    assert {tmp_path.resolve(), base, base / "targets"} <= set(synced)
    assert synced[-1] == base / "targets"
    synced.clear()
    depot.write("targets/b.json", b"{}")
    assert [path for path in synced if path.is_dir()] == [base / "targets"]
