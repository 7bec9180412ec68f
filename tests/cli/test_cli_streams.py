"""A full disk behind stdout, and streams that a shell has closed: one line, exit code 3, and the state is known."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from cli_world import SUBFOLDER, name_of

if TYPE_CHECKING:
    from cli_world import Cli

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="shells there close no streams")

FULL: Final = Path("/dev/full")
needs_full = pytest.mark.skipif(not FULL.exists(), reason="there is no such device here")
LOST: Final = "error[cannot-write-output]: stdout cannot be written: "


def started(tool: Cli, redirected: str, *words: str) -> subprocess.CompletedProcess[str]:
    """The tool as a shell starts it, with its streams as `redirected` says."""
    done = subprocess.run(
        ["/bin/sh", "-c", f'exec "$0" -m repo_manager "$@" {redirected}', sys.executable, *words],
        cwd=tool.folder,
        env={**os.environ, "REPO_MANAGER_REPOSITORY": "repo"},
        input="",
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert "Traceback" not in done.stderr
    assert "Error:" not in done.stderr.replace("error[", "")
    assert "Exception" not in done.stderr
    return done


READING: Final = [
    ("list",),
    ("--json", "list"),
    ("audit", "--json"),
    ("audit", "--format", "csv"),
    ("parse", name_of("RHEL7-64")),
    ("resolve", "RHEL 9"),
    ("show", "RHEL9-64"),
    ("explain", "missing"),
    ("catalog", "show", "--json"),
    ("--help",),
    ("sync", "--help"),
    ("--version",),
    ("sync", "--source", "source", "--dry-run"),
    ("watch", "unit"),
]


@needs_full
@pytest.mark.parametrize("words", READING, ids=" ".join)
def test_an_answer_that_the_disk_has_no_room_for_is_one_line_and_code_3(tool: Cli, words: tuple[str, ...]) -> None:
    tool.fill(("RHEL7-64",))
    tool.fill_source()
    done = started(tool, ">/dev/full", *words)
    assert done.returncode == 3
    assert done.stderr.splitlines()[-1] == f"{LOST}no space left on device"
    assert done.stderr.count("error[") == 1


@pytest.mark.parametrize("words", READING, ids=" ".join)
def test_an_answer_to_a_closed_stdout_is_one_line_and_code_3(tool: Cli, words: tuple[str, ...]) -> None:
    tool.fill(("RHEL7-64",))
    tool.fill_source()
    done = started(tool, ">&-", *words)
    assert done.returncode == 3
    assert done.stderr.splitlines()[-1] == f"{LOST}it is closed"
    assert done.stderr.count("error[") == 1


@pytest.mark.parametrize("json", [(), ("--json",)], ids=["people", "json"])
@pytest.mark.parametrize("redirected", [pytest.param(">/dev/full", marks=needs_full), ">&-", "<&- >&-", "<&- >&- 2>&-"])
def test_a_change_whose_answer_is_lost_is_made_whole_and_said_to_be(
    tool: Cli, redirected: str, json: tuple[str, ...]
) -> None:
    tool.fill(("OL7-64",))
    tool.fill_source(("RHEL7-64",))
    words = ("sync", "--package", "RHEL7-64", "--source", "source", "--yes")
    done = started(tool, redirected, *json, *words)
    assert done.returncode == 3
    assert tool.names() == {name_of("OL7-64"), name_of("RHEL7-64")}
    assert not list((tool.repository / SUBFOLDER).glob("journal*"))
    if "2>" not in redirected:
        (line,) = [line for line in done.stderr.splitlines() if line.startswith("error[")]
        assert line.startswith(LOST)
        assert "; the change was made (transaction " in line
    again = started(tool, "", "--json", *words)
    assert again.returncode == 0
    assert '"transaction": ""' in again.stdout or '"actions": []' in again.stdout


@needs_full
def test_a_report_that_the_disk_has_no_room_for_ends_with_the_code_for_disk_errors(tool: Cli) -> None:
    tool.fill(("RHEL7-64",))
    done = started(tool, "", "audit", "--format", "csv", "--output", str(FULL))
    assert done.returncode == 3
    assert done.stderr.startswith(f"error[no-space]: {FULL}: ")


@needs_full
def test_a_full_stderr_neither_stops_a_change_nor_alters_its_exit_code(tool: Cli) -> None:
    tool.fill(("OL7-64",))
    tool.fill_source(("RHEL7-64",))
    words = ("-v", "sync", "--package", "RHEL7-64", "--source", "source", "--yes")
    done = started(tool, "2>/dev/full", *words)
    assert done.returncode == 0, done.stdout
    assert tool.names() == {name_of("OL7-64"), name_of("RHEL7-64")}


@needs_full
def test_a_command_that_fails_keeps_its_exit_code_where_its_document_is_lost(tool: Cli) -> None:
    done = started(tool, ">/dev/full", "--json", "list")
    assert done.returncode == 2
    assert "error[no-repository]" in done.stderr
    assert LOST in done.stderr


@pytest.mark.parametrize("words", [("parse", "-"), ("resolve", "-"), ("resolve", "--os-release", "-")], ids=" ".join)
def test_lines_from_a_closed_stdin_are_one_line_and_code_3(tool: Cli, words: tuple[str, ...]) -> None:
    done = started(tool, "<&-", *words)
    assert done.returncode == 3
    assert done.stderr.splitlines()[0] == "error[cannot-read-input]: stdin cannot be read: it is closed"
    assert done.stderr.count("\n") == 2, "and a hint"


def test_a_closed_stdin_hurts_no_command_that_does_not_read_it(tool: Cli) -> None:
    tool.fill(("OL7-64",))
    tool.fill_source(("RHEL7-64",))
    assert started(tool, "<&-", "list").returncode == 0
    words = ("sync", "--package", "RHEL7-64", "--source", "source")
    assert started(tool, "<&-", *words, "--yes").returncode == 0
    assert tool.names() == {name_of("OL7-64"), name_of("RHEL7-64")}


def test_a_file_never_gets_the_descriptor_of_a_closed_stream(tool: Cli) -> None:
    """Else what is printed would be written into the first file that the run opens."""
    tool.fill(("OL7-64",))
    done = started(tool, "<&- >&- 2>&-", "audit", "--format", "csv", "--output", "report.csv")
    assert done.returncode in {1, 3}
    assert (tool.folder / "report.csv").read_text(encoding="utf-8").startswith("severity,code,")


def test_a_reader_that_has_seen_enough_changes_no_exit_code(tool: Cli) -> None:
    tool.fill(("OL7-64",))
    done = started(tool, "| head -c 1 >/dev/null; exit 0", "list")
    assert "error[" not in done.stderr
