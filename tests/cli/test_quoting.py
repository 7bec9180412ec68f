"""A command that is pasted runs nothing but itself, whatever the names in it."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Final

import pytest

from repo_manager.cli.quoting import quoted, repeated

if TYPE_CHECKING:
    from cli_world import Cli

NAMES: Final = (
    "plain",
    "with space",
    'r sp$(id)&"q',
    "`id`",
    "$HOME",
    "it's",
    "a;b|c&d>e<f",
    "100%PATH%",
    "back\\slash\\",
    "~",
    "-x",
    "*",
    "!!",
    "two\nlines",
    "",
)


@pytest.mark.parametrize("name", NAMES)
def test_a_posix_shell_reads_the_very_word(name: str) -> None:
    assert shlex.split(f"x {quoted(name, windows=False)} y") == ["x", name, "y"]


@pytest.mark.skipif(sys.platform == "win32", reason="this is about the shell of other systems")
@pytest.mark.parametrize("name", NAMES)
def test_and_so_does_a_real_one(name: str) -> None:
    shell = shutil.which("sh")
    assert shell is not None
    line = f"printf %s {quoted(name, windows=False)}"
    assert subprocess.run([shell, "-c", line], capture_output=True, check=True).stdout == name.encode()


@pytest.mark.parametrize(
    ("name", "line", "reason"),
    [
        (r"E:\Repository", r"E:\Repository", "a plain path stays as it is"),
        ("r\u00e9f\u00e9rentiel", "r\u00e9f\u00e9rentiel", "so do letters of any language"),
        (r"C:\Program Files (x86)\Repository", r'"C:\Program Files (x86)\Repository"', "as both shells know it"),
        ("a&b|c;d", '"a&b|c;d"', "nothing of this counts in quotes"),
        ("a,b", '"a,b"', "a comma makes a list"),
        ("@a", '"@a"', "and this one of a variable"),
        ("it's", '"it\'s"', "in quotes of the other kind it is a letter"),
        ("$(calc)", '"`$(calc)"', "a part that would be run"),
        ("$env:TEMP", '"`$env:TEMP"', "a variable"),
        ("a`b", '"a``b"', "the backtick itself"),
        ('a"; calc; "', '"a`"; calc; `""', "no file has such a name, but somebody may type it"),
        ("a\u201d; calc; \u201c", '"a`\u201d; calc; `\u201c"', "quotes as word processors write them"),
        ("C:\\my folder\\", '"C:\\my folder\\\\"', "else the program would see a quote at the end"),
        ("", '""', "nothing is a word too"),
    ],
)
def test_powershell_reads_the_very_word(name: str, line: str, reason: str) -> None:
    assert quoted(name, windows=True) == line, reason


@pytest.mark.parametrize(
    ("words", "repeated_line", "reason"),
    [
        (("sync", "--source", "https://h/p"), True, "nothing is left out of it"),
        (("sync", "--source", "https://H/@scope/p"), True, "an @ in the path is no user"),
        (("sync", "--source", "/srv/a@b?c#d"), True, "a path has no secret"),
        (("sync", "--source", "https://u:S3CRET@h/p"), False, "a password"),
        (("sync", "--source=https://u:S3CRET@h/p"), False, "the same in one word"),
        (("sync", "--source=https://u:S3CRET x/y@h/p"), False, "with a blank and a slash"),
        (("sync", "--source", "https://h/p?sig=S3CRET"), False, "a signature"),
        (("sync", "--source", "https:/u:S3CRET@h/p"), False, "a mistyped scheme"),
        (("sync", "--source", "user:S3CRET@h/p"), False, "no scheme"),
        (("sync", "--source", r"\\u:S3CRET@h\p"), False, "a share"),
    ],
)
def test_a_command_line_is_repeated_only_without_secrets(
    words: tuple[str, ...], reason: str, *, repeated_line: bool
) -> None:
    hint = repeated(words, "--yes")

    assert hint.startswith("run 'repo-manager sync") is repeated_line, reason
    assert "--yes" in hint
    assert "S3CRET" not in hint


@pytest.mark.skipif(sys.platform == "win32", reason="no folder can have that name there")
def test_a_fix_of_a_repository_with_an_odd_name_is_that_repositorys(tool: Cli) -> None:
    odd = 'r sp$(id)&"q'
    (tool.folder / odd).mkdir()
    answer = tool.json("--repository", odd, "audit", "--package", "RHEL7-64")
    (finding,) = answer.document["findings"]
    assert shlex.split(finding["fix"]) == ["repo-manager", "--repository", odd, "sync", "--package", "RHEL7-64"]
    last = tool("--repository", odd, "audit").out.splitlines()[-1]
    assert shlex.split(last.removeprefix("to mend it: ")) == ["repo-manager", "--repository", odd, "sync"]


@pytest.mark.skipif(sys.platform == "win32", reason="no folder can have that name there")
def test_a_name_with_control_characters_does_not_move_the_cursor(tool: Cli) -> None:
    odd = "r\x1b[31m\nq"
    (tool.folder / odd).mkdir()
    out = tool("--repository", odd, "audit", "--package", "RHEL7-64").out
    assert all(line.isprintable() for line in out.splitlines())
