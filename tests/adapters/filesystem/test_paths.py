"""The two forms of a path of Windows, and where the tool's own folders may lie."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repo_manager.adapters.filesystem.paths import (
    component,
    extended,
    inside,
    is_odd,
    joined,
    plain,
    reachable,
    shown,
)
from repo_manager.adapters.filesystem.repository_folder import SUBFOLDER, Folder
from repo_manager.core.errors import InputError, MachineError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DEEP = "d" * 100


@pytest.mark.parametrize(
    ("given", "expected", "reason"),
    [
        (r"C:\repository", r"C:\repository", "short paths stay as they are"),
        ("C:\\" + "x" * 96, "C:\\" + "x" * 96, "the longest that leaves room for what lies below"),
        ("C:\\" + "x" * 97, "\\\\?\\C:\\" + "x" * 97, "one more"),
        (rf"C:\{DEEP}", rf"\\?\C:\{DEEP}", "a drive"),
        (rf"\\server\share\{DEEP}", rf"\\?\UNC\server\share\{DEEP}", "a share"),
        (rf"\\?\C:\{DEEP}", rf"\\?\C:\{DEEP}", "already extended"),
        (r"\\?\C:\short", r"\\?\C:\short", "a form that somebody chose is kept"),
        (r"\\?\Volume{0}\x", r"\\?\Volume{0}\x", "a volume without a letter"),
    ],
)
def test_a_deep_path_gets_the_extended_form(given: str, expected: str, reason: str) -> None:
    assert extended(given) == expected, reason


@pytest.mark.parametrize("device", [r"\\.\NUL", r"\\.\CON", r"\\.\COM1", r"\\.\PhysicalDrive0"])
def test_a_device_is_no_folder(device: str) -> None:
    """Windows makes these of `NUL`, `C:\\folder\\CON` and `com1.txt`."""
    with pytest.raises(InputError) as caught:
        extended(device)
    assert caught.value.code == "not-a-path"
    assert "is a device of Windows" in caught.value.message


@pytest.mark.parametrize(
    ("given", "expected", "reason"),
    [
        (r"\\?\C:\a", r"C:\a", "a drive"),
        (r"\\?\UNC\server\share\a", r"\\server\share\a", "a share"),
        (r"\\?\unc\server\share\a", r"\\server\share\a", "in any case"),
        (r"\\?\Volume{0}\a", r"\\?\Volume{0}\a", "has no other form"),
        (r"C:\a", r"C:\a", "is ordinary"),
        (r"\\server\share\a", r"\\server\share\a", "is ordinary"),
        ("/srv/mirror", "/srv/mirror", "is none of Windows"),
    ],
)
def test_people_are_shown_the_ordinary_form(given: str, expected: str, reason: str) -> None:
    assert plain(given) == expected, reason


@given(st.sampled_from([r"C:\a", r"\\server\share\a", rf"D:\{DEEP}", rf"\\server\share\{DEEP}"]))
def test_the_ordinary_form_of_an_extended_path_is_the_path(path: str) -> None:
    assert plain(extended(path)) == path


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Microsoft-ASR_UA_9.66.0.0_RHEL9-64_GA_20Sep2025_release.tar.gz", False),
        ("notes.txt", False),
        ("console.txt", False),
        ("com10", False),
        ("nulls", False),
        (".gitignore", False),
        ("name.", True),
        ("name ", True),
        ("con", True),
        ("NUL.tar.gz", True),
        ("nul .txt", True),
        ("Aux", True),
        ("COM1.log", True),
        ("lpt9", True),
        ("com\u00b9", True),
        ("CONIN$", True),
    ],
)
def test_names_that_windows_takes_for_others_are_known(name: str, expected: bool) -> None:  # noqa: FBT001 - a column of the table
    assert is_odd(name) is expected


@pytest.mark.parametrize(
    ("folder", "name", "expected", "reason"),
    [
        (r"C:\r", "a.txt", r"C:\r\a.txt", "an ordinary file"),
        ("C:\\", "a.txt", r"C:\a.txt", "in the root of a drive"),
        (r"C:\r", "a.txt.", r"\\?\C:\r\a.txt.", "the dot would be lost, and another file touched"),
        (r"C:\r", "nul.txt", r"\\?\C:\r\nul.txt", "would be a device"),
        (r"C:\r", "x" * 250, rf"\\?\C:\r\{'x' * 250}", "would be too long"),
        (r"\\s\h\r", "a ", "\\\\?\\UNC\\s\\h\\r\\a ", "on a share"),
        (r"\\?\C:\r", "a.txt", r"\\?\C:\r\a.txt", "in a folder that has the form already"),
    ],
)
def test_a_file_is_found_under_its_very_name(folder: str, name: str, expected: str, reason: str) -> None:
    assert joined(folder, name) == expected, reason


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a\\b", "C:", "a:b", "a\0b"])
def test_what_is_more_than_a_name_is_refused(name: str) -> None:
    with pytest.raises(InputError) as caught:
        component(name)
    assert caught.value.code == "not-a-file-name"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has the two forms")
def test_elsewhere_a_path_has_one_form(tmp_path: Path) -> None:
    deep = tmp_path / DEEP
    assert reachable(deep) == deep
    assert inside(deep, "nul. ") == deep / "nul. "
    assert shown(deep) == str(deep)


# Where the tool's own folders may lie


@pytest.mark.skipif(sys.platform == "win32", reason="making a link needs a right there")
@pytest.mark.parametrize("place", ["", "staging", "retired", "transactions"])
def test_a_link_is_no_place_for_what_is_staged(place: str, tmp_path: Path) -> None:
    folder = Folder(tmp_path / "repository")
    folder.path.mkdir()
    folder.prepare()
    spot = folder.sub / place if place else folder.sub
    shutil.move(spot, tmp_path / "elsewhere")
    spot.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(MachineError) as caught:
        folder.prepare()
    assert caught.value.code == "subfolder-is-a-link"


@pytest.fixture
def other_volume(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """A folder below the repository with a small disk of its own mounted there."""
    if not sys.platform.startswith("linux"):
        pytest.skip("needs Linux to mount a disk")
    spot: Path = tmp_path / "repository" / SUBFOLDER / request.param
    spot.mkdir(parents=True)
    try:
        command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(spot)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("there is no mount command")
    if done.returncode != 0:
        pytest.skip(f"may not mount here: {done.stderr.strip()}")
    try:
        yield spot
    finally:
        subprocess.run(["umount", "-l", str(spot)], check=True)


@pytest.mark.parametrize("other_volume", ["", "staging", "retired", "transactions"], indirect=True)
def test_another_volume_is_no_place_for_what_is_staged(other_volume: Path, tmp_path: Path) -> None:
    folder = Folder(tmp_path / "repository")
    before = sorted(os.walk(folder.path))
    with pytest.raises(MachineError) as caught:
        folder.prepare()
    assert caught.value.code == "subfolder-on-another-volume"
    assert str(other_volume) in caught.value.message
    assert caught.value.exit_code == 3
    below = [path for path, _, _ in before]
    assert all(path in below or path.startswith(str(folder.sub)) for path, _, _ in os.walk(folder.path))
