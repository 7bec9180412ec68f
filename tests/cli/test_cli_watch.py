"""`watch` on the command line: what is refused before it begins, and what is handed on to a service or a unit."""

from __future__ import annotations

import json
import shlex
import sys
import threading
from typing import TYPE_CHECKING

import pytest
from cli_world import OLD, name_of
from processes import until

from repo_manager.adapters import signals
from repo_manager.core.errors import ExitCode

if TYPE_CHECKING:
    from cli_world import Cli

not_on_windows = pytest.mark.skipif(sys.platform == "win32", reason="systemd is not there, and a unit names its paths")


@pytest.fixture
def ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody has asked for the end before the watch began: it begins and ends."""
    monkeypatch.setattr(signals._Listener, "asked", True)


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (("--window", "22-05"), "bad-window"),
        (("--window", "22:00-05:00", "--window", "05:00-05:00"), "bad-window"),
        (("--settle", "0"), "usage"),
        (("--settle", "soon"), "usage"),
        (("--interval", "0"), "usage"),
        (("--log", "repo"), "cannot-log"),
        (("install", "--window", "never"), "bad-window"),
        (("unit", "--window", "never"), "bad-window"),
        (("rest",), "usage"),
    ],
)
def test_bad_input_ends_it_before_it_begins(tool: Cli, options: tuple[str, ...], code: str) -> None:
    tool.fill(("RHEL7-64",))
    answer = tool.repo_json("watch", *options)
    assert answer.code == ExitCode.USAGE
    assert answer.error["code"] == code
    assert tool.names() == {name_of("RHEL7-64")}
    assert list(tool.repository.iterdir()) == [tool.repository / name_of("RHEL7-64")]


def test_a_folder_that_is_not_there_is_refused(tool: Cli) -> None:
    answer = tool.json("--repository", "absent", "watch")
    assert answer.code == ExitCode.USAGE
    assert answer.error["code"] == "no-repository"


def test_a_window_of_the_configuration_file_counts(tool: Cli) -> None:
    tool.fill(("RHEL7-64",))
    answer = tool.repo_json("--config", tool.config('window: ["never"]\n'), "watch")
    assert answer.error["code"] == "bad-window"


@pytest.mark.usefixtures("ended")
def test_every_line_is_a_document_and_the_last_one_says_that_it_was_interrupted(tool: Cli) -> None:
    tool.fill(("RHEL7-64",))
    answer = tool.repo_json("watch", "--log", "watch.log")
    assert answer.code == ExitCode.INTERRUPTED
    lines = [json.loads(line) for line in answer.out.splitlines()]
    assert [line.get("event") for line in lines] == ["started", "stopped", None]
    assert lines[-1]["error"] == {
        "code": "interrupted",
        "message": "watch has stopped, as it was asked to",
        "hint": "run the same command to start it again",
    }
    log = (tool.folder / "watch.log").read_text(encoding="ascii").splitlines()
    assert [line.split()[2] for line in log] == ["started", "stopped"]


@pytest.mark.usefixtures("ended")
def test_people_read_a_line_with_the_time_and_quiet_leaves_out_what_is_well(tool: Cli) -> None:
    tool.fill(("RHEL7-64",))
    answer = tool.repo("watch")
    place = str(tool.repository) if sys.platform == "win32" else "repo"
    assert [line.split(maxsplit=3)[2:] for line in answer.out.splitlines()] == [
        ["started", f"watching {place}"],
        ["stopped", f"no longer watching {place}"],
    ]
    assert tool.repo("-q", "watch").out == ""


def test_a_watch_puts_the_folder_right_until_it_is_asked_to_end(tool: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    tool.fill(("RHEL7-64", "OL7-64"))
    tool.fill(("RHEL7-64",), OLD)
    second = tool.folder / "second"
    second.mkdir()
    config = tool.config("second_folder: second\nsettle: 1\n")
    monkeypatch.setattr(signals._Listener, "asked", False)

    superseded = tool.repository / name_of("RHEL7-64", OLD)
    here = set()

    def wait_and_end() -> None:
        try:
            until(lambda: not superseded.exists(), "the superseded file has gone")
            until(lambda: len(list(second.glob("Microsoft*"))) == 2, "the second folder is equal")
            here.update(tool.names())
        finally:
            signals.request()

    thread = threading.Thread(target=wait_and_end)
    thread.start()
    answer = tool.repo_json("--config", config, "watch", "--yes")
    thread.join()
    assert answer.code == ExitCode.INTERRUPTED
    assert here == {name_of("RHEL7-64"), name_of("OL7-64")}
    events = [json.loads(line).get("event") for line in answer.out.splitlines()]
    assert "retired" in events


@pytest.mark.usefixtures("ended")
def test_a_catalog_is_read_before_it_begins(tool: Cli) -> None:
    tool.fill(("RHEL7-64",))
    (tool.folder / "mine.yaml").write_text("schema: 1\n", encoding="ascii")
    answer = tool.repo_json("--catalog", "mine.yaml", "watch")
    assert answer.error["code"] == "invalid-catalog"


# Unattended


def command_of(unit: str) -> list[str]:
    (line,) = (line for line in unit.splitlines() if line.startswith("ExecStart="))
    return shlex.split(line.removeprefix("ExecStart="))


@not_on_windows
def test_a_unit_runs_what_was_said_with_paths_that_hold_from_anywhere(tool: Cli) -> None:
    config = tool.config("settle: 20\n")
    line = ("--config", config, "watch", "unit", "--window", "22:00-05:00", "--window", "12:00-13:00", "--no-restart")
    answer = tool.repo(*line)
    assert answer.code == ExitCode.DONE
    words = command_of(answer.out)
    assert words[words.index("-m") + 1 :] == [
        "repo_manager",
        *("--repository", str(tool.repository.absolute())),
        *("--config", str(tool.folder / config)),
        *("watch", "--yes"),
        *("--window", "22:00-05:00", "--window", "12:00-13:00"),
        "--no-restart",
    ]


@not_on_windows
def test_options_before_the_word_unit_and_those_of_variables_are_taken_over(
    tool: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REPO_MANAGER_SETTLE", "30")
    answer = tool.repo("watch", "--polling", "--log", "w.log", "unit", "--interval", "5")
    words = command_of(answer.out)
    log = str(tool.folder / "w.log")
    assert words[words.index("watch") :] == [
        *("watch", "--yes", "--settle", "30", "--interval", "5", "--polling", "--log", log),
    ]


@not_on_windows
def test_a_unit_as_a_document(tool: Cli) -> None:
    document = tool.repo_json("watch", "unit").document
    assert document["schema"] == "repo-manager/watch-unit/1"
    assert document["unit"].startswith("[Unit]\n")


@not_on_windows
@pytest.mark.parametrize("command", ["install", "remove"])
def test_a_windows_service_is_for_windows(tool: Cli, command: str) -> None:
    tool.fill(("RHEL7-64",))
    answer = tool.repo_json("watch", command)
    assert answer.code == ExitCode.USAGE
    assert answer.error["code"] == "not-on-windows"
