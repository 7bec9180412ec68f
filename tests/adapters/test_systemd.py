"""The unit for Linux, read as systemd reads it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from configparser import ConfigParser
from typing import TYPE_CHECKING

import pytest

from repo_manager.adapters import systemd
from repo_manager.adapters.systemd import quoted, unit
from repo_manager.core.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

WATCH = ("--repository", "/srv/asr", "watch")
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="systemd is Linux's")


def read(text: str) -> ConfigParser:
    parser = ConfigParser(interpolation=None, strict=False, delimiters=("=",), comment_prefixes=("#", ";"))
    parser.read_string(text)
    return parser


def test_a_unit_runs_this_program_and_starts_it_again_when_it_fails() -> None:
    service = read(unit(WATCH))["Service"]
    assert service["ExecStart"] == f"{sys.executable} -m repo_manager --repository /srv/asr watch"
    assert service["Restart"] == "on-failure"
    assert service["SuccessExitStatus"] == "130"
    assert service["RestartPreventExitStatus"] == "2"
    assert service["ProtectSystem"] == "full"


def test_folders_to_write_to_make_all_else_read_only() -> None:
    text = unit(WATCH, writable=("/srv/asr", "/var/log/repo manager"))
    assert read(text)["Service"]["ProtectSystem"] == "strict"
    assert 'ReadWritePaths="/srv/asr"\nReadWritePaths="/var/log/repo manager"\n' in text


@pytest.mark.parametrize(
    ("word", "written"),
    [
        ("/srv/asr", "/srv/asr"),
        ("", '""'),
        ("a b", '"a b"'),
        ("100%", '"100%%"'),
        ("$HOME", '"$$HOME"'),
        ('say "x"', '"say \\"x\\""'),
        ("back\\slash", '"back\\\\slash"'),
        ("it's", '"it\'s"'),
        ("22:00-04:00", "22:00-04:00"),
    ],
)
def test_a_word_means_itself(word: str, written: str) -> None:
    assert quoted(word) == written


@pytest.mark.parametrize("text", ["a\nb", "tab\t", "\x00"])
def test_what_a_unit_cannot_hold_is_refused(text: str) -> None:
    with pytest.raises(InputError) as caught:
        unit((text,))
    assert caught.value.code == "bad-argument"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_systemd_itself_finds_nothing_to_complain_of(tmp_path: Path) -> None:
    folder = tmp_path / 'a 100% $strange "folder"'
    path = tmp_path / systemd.NAME
    path.write_text(unit(("--repository", str(folder), "watch"), writable=(str(folder),)), encoding="utf-8")
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(path)], capture_output=True, text=True, timeout=60, check=False
    )
    said = [line for line in (done.stdout + done.stderr).splitlines() if systemd.NAME in line]
    assert (done.returncode, said) == (0, []), done.stderr
