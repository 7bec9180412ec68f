"""Which local files are believed: the decision on values, and the reading of real files on POSIX."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import pytest

from repo_manager.adapters.filesystem import trusted_files
from repo_manager.adapters.filesystem.trusted_files import WITHOUT_OWNERS, Correction, Rights, judge, kind_in
from repo_manager.core.errors import InputError

of_posix = pytest.mark.skipif(sys.platform == "win32", reason="rights of Windows are not those of chmod")
of_root = pytest.mark.skipif(sys.platform == "win32" or os.geteuid() != 0, reason="only root gives files away")
FILE, FOLDER, LINK, DEVICE = stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK, stat.S_IFCHR
ME, OTHER = 1000, 1001


@pytest.mark.parametrize(
    ("rights", "wrong"),
    [
        pytest.param(Rights(0, FILE | 0o644), None, id="root's file"),
        pytest.param(Rights(ME, FILE | 0o600), None, id="my file"),
        pytest.param(Rights(ME, FOLDER | 0o755), None, id="my folder"),
        pytest.param(Rights(0, FOLDER | 0o1777), None, id="a sticky folder: others cannot rename what is in it"),
        pytest.param(Rights(0, LINK | 0o777), None, id="the mode of a link says nothing"),
        pytest.param(Rights(0, DEVICE | 0o666), None, id="what is written to a device is not read from it"),
        pytest.param(Rights(OTHER, FILE | 0o600), "belongs to", id="a file of another user"),
        pytest.param(Rights(OTHER, FOLDER | 0o1755), "belongs to", id="a sticky folder of another user"),
        pytest.param(Rights(OTHER, LINK | 0o777), "belongs to", id="a link of another user"),
        pytest.param(Rights(0, FILE | 0o664), "can be changed by its group", id="umask 002, or an access control list"),
        pytest.param(Rights(0, FILE | 0o646), "can be changed by every user", id="for all to write"),
        pytest.param(Rights(ME, FOLDER | 0o775), "can be changed by its group", id="a folder of the group"),
        pytest.param(Rights(ME, FOLDER | 0o777), "can be changed by every user", id="a folder for all"),
    ],
)
def test_owner_and_mode_decide(rights: Rights, wrong: str | None) -> None:
    found = judge(rights, ME)

    assert (found is None) if wrong is None else (found is not None and found.startswith(wrong))


@of_posix
@pytest.mark.parametrize("mode", [0o664, 0o646, 0o666])
def test_a_file_that_others_can_change_is_not_read(tmp_path: Path, mode: int) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"planted")
    file.chmod(mode)

    with pytest.raises(InputError) as failure:
        trusted_files.read(file, correction=Correction(file))

    assert failure.value.code == "untrusted-file"
    assert str(file) in failure.value.message
    assert f"{mode:04o}" in failure.value.message
    assert "doctor --fix-permissions" in failure.value.hint


@of_posix
def test_each_folder_on_the_path_counts(tmp_path: Path) -> None:
    file = tmp_path / "open" / "deep" / "file"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"believed")
    assert trusted_files.read(file) == b"believed"
    (tmp_path / "open").chmod(0o777)

    with pytest.raises(InputError) as failure:
        trusted_files.read(file, correction=Correction(file))

    assert failure.value.code == "untrusted-file"
    assert f"{tmp_path / 'open'} can be changed by every user" in failure.value.message
    assert f"chmod go-w {tmp_path / 'open'}" in failure.value.hint


@of_posix
def test_no_folder_above_the_limit_counts(tmp_path: Path) -> None:
    file = tmp_path / "open" / "own" / "file"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"believed")
    (tmp_path / "open").chmod(0o777)

    assert trusted_files.read(file, within=tmp_path / "open" / "own") == b"believed"
    file.parent.chmod(0o777)
    with pytest.raises(InputError):
        trusted_files.read(file, within=tmp_path / "open" / "own")


@of_posix
def test_a_link_is_followed_and_the_way_behind_it_counts(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir()
    (tmp_path / "closed").mkdir()
    (tmp_path / "open" / "file").write_bytes(b"x")
    (tmp_path / "closed" / "absolute").symlink_to(tmp_path / "open" / "file")
    (tmp_path / "closed" / "relative").symlink_to("../open/file")
    for name in ("absolute", "relative"):
        assert trusted_files.read(tmp_path / "closed" / name) == b"x"
    (tmp_path / "open").chmod(0o777)

    for name in ("absolute", "relative"):
        with pytest.raises(InputError):
            trusted_files.read(tmp_path / "closed" / name)


@of_posix
def test_where_a_file_is_missing_the_folder_counts_that_could_hold_it(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        trusted_files.read(tmp_path / "missing" / "file")
    with pytest.raises(FileNotFoundError):
        trusted_files.read(tmp_path / "file")
    tmp_path.chmod(0o777)
    with pytest.raises(InputError):
        trusted_files.read(tmp_path / "file")


@of_root
@pytest.mark.parametrize("kind", ["file", "folder", "link"])
def test_what_belongs_to_another_user_is_not_believed(tmp_path: Path, kind: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "file").write_bytes(b"x")
    (tmp_path / "link").symlink_to("folder")
    planted = {"file": tmp_path / "folder" / "file", "folder": tmp_path / "folder", "link": tmp_path / "link"}[kind]
    os.chown(planted, 65534, 65534, follow_symlinks=False)

    with pytest.raises(InputError) as failure:
        trusted_files.read(tmp_path / "link" / "file")

    assert "user 65534" in failure.value.message


@of_root
def test_a_folder_where_all_may_create_is_no_reason_and_what_others_plant_there_is(tmp_path: Path) -> None:
    tmp_path.chmod(0o1777)
    file = tmp_path / "file"
    file.write_bytes(b"x")
    assert trusted_files.read(file) == b"x"
    os.chown(file, 65534, 65534)
    with pytest.raises(InputError):
        trusted_files.read(file)


@of_posix
def test_a_pipe_of_our_own_is_believed() -> None:
    read, write = os.pipe()
    os.write(write, b"from a program")
    os.close(write)
    try:
        assert trusted_files.read(Path(f"/dev/fd/{read}")) == b"from a program"
    finally:
        os.close(read)


MOUNTS = (
    "22 27 0:21 / /proc rw,relatime - proc proc rw\n",
    "27 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n",
    "30 27 0:40 / /mnt/set rw,relatime shared:9 - cifs //files/asr rw,uid=0\n",
    "31 27 0:41 / /mnt/c rw,noatime - 9p drvfs rw,dirsync,aname=drvfs;path=C:\\;uid=1000\n",
    "32 27 0:42 / / rw - 9p none rw,trans=fd\n",
)


@pytest.mark.parametrize(
    ("number", "kind", "has_owners"),
    [("8:1", "ext4", True), ("0:40", "cifs", False), ("0:41", "drvfs", False), ("0:42", "9p", True), ("9:9", "", True)],
)
def test_shares_and_simple_file_systems_keep_no_owners(number: str, kind: str, has_owners: bool) -> None:  # noqa: FBT001 - a row
    assert kind_in(MOUNTS, number) == kind
    assert (kind not in WITHOUT_OWNERS) is has_owners
