"""A dry run reports everything that the run would do and everything that would stop it, and leaves no trace."""

from __future__ import annotations

import os
import shutil
import sys
from typing import TYPE_CHECKING, Final

import pytest
from abuse_server import Honest, always, serving
from change_world import CHANGES, messy, state
from cli_world import CLASSIC, OLD, InstantService, data_of, name_of, unprivileged

from repo_manager.adapters.download_folder import DownloadFolder
from repo_manager.adapters.filesystem.lock import Lock
from repo_manager.adapters.filesystem.repository_folder import Folder
from repo_manager.core.service import ServiceState
from repo_manager.core.transaction import Journal, Move

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from cli_world import Answer, Cli

SYNC: Final = ("sync", "--source", "source")


def obstacles(answer: Answer) -> list[str]:
    """The codes of what would stop the run; each is also printed for people."""
    found = [obstacle["code"] for obstacle in answer.document["obstacles"]]
    assert all(f"error[{code}]: " in answer.err for code in found)
    return found


@pytest.mark.parametrize("case", CHANGES)
def test_a_dry_run_leaves_no_trace_and_says_what_the_run_then_does(tool: Cli, case: str) -> None:
    prepare, words = CHANGES[case]
    prepare(tool)
    before = state(tool.folder)
    dry = tool.repo_json(*words, "--dry-run")
    assert (dry.code, obstacles(dry)) == (0, [])
    assert state(tool.folder) == before
    real = tool.repo_json(*words, "--yes")
    assert real.code == 0
    done = [{key: value for key, value in action.items() if key != "result"} for action in real.document["actions"]]
    assert dry.document["actions"] == done


def test_a_dry_run_says_what_happens_in_the_second_folder(tool: Cli) -> None:
    messy(tool)
    second = tool.folder / "second"
    second.mkdir()
    (second / name_of("RHEL7-64", OLD)).write_bytes(data_of(name_of("RHEL7-64", OLD)))
    words = ("--config", tool.config("second_folder: second\n"), *SYNC)
    before = state(tool.folder)
    dry = tool.repo_json(*words, "--dry-run")
    assert dry.code == 0
    planned = dry.document["second_folder"]
    assert planned["schema"] == "repo-manager/plan/1"
    assert (planned["obstacles"], planned["interrupted"]) == ([], None)
    text = tool.repo(*words, "--dry-run").out
    assert f"in the second folder {second if sys.platform == 'win32' else 'second'}" in text
    assert f"download and place {len(CLASSIC)} files" in text
    assert state(tool.folder) == before
    done = tool.repo_json(*words, "--yes").document["second_folder"]["actions"]
    assert planned["actions"] == [{key: value for key, value in action.items() if key != "result"} for action in done]


def test_a_source_that_does_not_exist_stops_the_run(tool: Cli) -> None:
    tool.mess()
    words = ("sync", "--source", "nowhere")
    dry, real = tool.repo_json(*words, "--dry-run"), tool.repo_json(*words, "--yes")
    assert dry.code == real.code == 3
    assert obstacles(dry)[0] == real.document["error"]["code"]
    assert dry.document["actions"], "the plan is printed all the same"


def test_a_file_that_the_source_lacks_stops_the_run(tool: Cli) -> None:
    messy(tool)
    (tool.source / name_of("RHEL5-64")).unlink()
    answer = tool.repo_json(*SYNC, "--dry-run")
    assert (answer.code, obstacles(answer)) == (3, ["not-at-source"])
    assert name_of("RHEL5-64") in answer.document["obstacles"][0]["message"]


def test_a_server_is_asked_for_sizes_and_nothing_is_downloaded(tool: Cli) -> None:
    tool.fill(("OL7-64",))
    data = data_of(name_of("RHEL7-64"))
    with serving() as server:
        server.url(f"/{name_of('RHEL7-64')}", Honest(data))
        words = ("sync", "--source", server.base, "--dry-run", "--package")
        answer = tool.repo_json(*words, "RHEL7-64")
        assert (answer.code, obstacles(answer)) == (0, [])
        assert {action["bytes"] for action in answer.document["actions"] if action["name"] == name_of("RHEL7-64")} == {
            len(data)
        }
        assert {method for method, _, _ in server.log} == {"HEAD"}
        server.url(f"/{name_of('RHEL8-64')}", always(404))
        assert tool.repo_json(*words, "RHEL8-64").code == 3


def test_too_little_room_stops_the_run(tool: Cli) -> None:
    messy(tool)
    config = tool.config("reserve_mb: 1000000\n")
    answer = tool.repo_json("--config", config, *SYNC, "--dry-run")
    assert (answer.code, obstacles(answer)) == (3, ["no-space"])
    assert tool.repo_json("--config", config, *SYNC, "--yes").error["code"] == "no-space"


def test_a_lock_that_another_run_holds_stops_the_run(tool: Cli) -> None:
    messy(tool)
    folder = Folder(tool.repository)
    folder.prepare()
    owner: dict[str, str | int] = {"pid": 1, "host": "here", "command": "prune", "since": "now"}
    with Lock(folder.lock_path, owner):
        before = state(tool.folder)
        answer = tool.repo_json("prune", "--dry-run")
        assert (answer.code, obstacles(answer)) == (6, ["locked"])
        assert "prune since now (process 1 on here)" in answer.err
        assert state(tool.folder) == before
    assert tool.repo("prune", "--dry-run").code == 0


def test_the_lock_of_a_run_that_was_killed_stops_nothing(tool: Cli) -> None:
    messy(tool)
    folder = Folder(tool.repository)
    folder.prepare()
    folder.lock_path.write_text('{"pid": 1, "host": "here", "command": "prune", "since": "now"}', encoding="ascii")
    assert tool.repo("prune", "--dry-run").code == 0


def test_a_service_that_may_not_be_restarted_stops_the_run(tool: Cli) -> None:
    messy(tool)
    tool.service = InstantService(refuses="service-access-denied")
    answer = tool.repo_json("prune", "--dry-run")
    assert (answer.code, obstacles(answer)) == (5, ["service-access-denied"])
    assert tool.repo_json("prune", "--dry-run", "--no-restart").code == 0


def interrupt(repository: Path, *, placed: str = "", service_was: ServiceState = ServiceState.ABSENT) -> None:
    """What a prune leaves that was killed when it had retired all files; with `placed` it has also placed one."""
    folder = Folder(repository)
    folder.prepare()
    sizes = {entry.name: entry.size_bytes for entry in folder.scan()}
    moves = tuple(Move(f"../{name}", f"retired/T1/{name}", size_bytes) for name, size_bytes in sizes.items())
    if placed:
        folder.staged(placed).write_bytes(data_of(placed))
        moves = (Move(f"staging/{placed}", f"../{placed}", len(data_of(placed))), *moves)
    folder.begin(Journal("T1", "prune", moves, service_was))
    for move in moves:
        folder.move(move.origin, move.destination)


def without_results(answer: Answer) -> list[dict[str, object]]:
    return [{key: value for key, value in action.items() if key != "result"} for action in answer.document["actions"]]


@pytest.mark.parametrize("case", CHANGES)
def test_after_an_interrupted_run_the_plan_is_for_the_folder_after_recovery(tool: Cli, case: str) -> None:
    prepare, words = CHANGES[case]
    prepare(tool)
    interrupt(tool.repository, placed=name_of("SLES12-64", OLD))
    before = state(tool.folder)
    dry = tool.repo_json(*words, "--dry-run")
    assert (dry.code, dry.document["interrupted"]) == (0, {"transaction": "T1", "command": "prune"})
    assert "an interrupted run (prune, T1) would be undone first" in tool.repo(*words, "--dry-run").out
    assert state(tool.folder) == before
    real = tool.repo_json(*words, "--yes")
    assert real.code == 0
    assert dry.document["actions"] == without_results(real)


def test_a_staged_file_that_recovery_puts_back_is_not_asked_of_the_source(tool: Cli) -> None:
    messy(tool)
    interrupt(tool.repository, placed=name_of("RHEL5-64"))
    (tool.source / name_of("RHEL5-64")).unlink()
    assert tool.repo_json(*SYNC, "--dry-run").code == 0
    assert tool.repo_json(*SYNC, "--yes").code == 0


@pytest.mark.parametrize("interrupted", ["repository", "second"])
def test_the_plan_of_the_second_folder_is_for_the_folders_after_recovery(tool: Cli, interrupted: str) -> None:
    second = tool.folder / "second"
    tool.fill(("RHEL7-64",))
    shutil.copytree(tool.repository, second)
    tool.fill(("OL7-64",))
    interrupt(tool.repository if interrupted == "repository" else second)
    words = ("--config", tool.config("second_folder: second\n"), "prune")
    before = state(tool.folder)
    dry = tool.repo_json(*words, "--dry-run").document
    assert state(tool.folder) == before
    assert tool.repo_json(*words).error["code"] == "confirmation-needed"
    assert state(tool.folder) == before
    real = tool.repo_json(*words, "--yes").document
    assert dry["actions"] == real["actions"] == []
    planned, done = (
        [(action["action"], action["name"]) for action in document["second_folder"]["actions"]]
        for document in (dry, real)
    )
    assert planned == done == [("download", name_of("OL7-64")), ("place", name_of("OL7-64"))]


def test_a_service_that_recovery_restarts_is_not_restarted_once_more(tool: Cli) -> None:
    tool.fill(("RHEL7-64", "OL7-64"))
    tool.service = InstantService(since=1.0)
    interrupt(tool.repository, service_was=ServiceState.RUNNING)
    words = " ".join(tool.repo("prune", "--dry-run").out.split())
    assert "an interrupted run (prune, T1) would be undone first and the service restarted" in words
    assert tool.repo_json("prune", "--dry-run").document["actions"] == []
    assert tool.repo_json("prune", "--yes").document["actions"] == []
    assert tool.service.starts == 1


def test_a_closed_maintenance_window_stops_the_run(tool: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    messy(tool)
    monkeypatch.setattr("repo_manager.core.maintenance_window.opens_in", lambda _windows, _now: 3600.0)
    words = ("mirror", "source", "--unsigned", "--window", "01:00-02:00")
    dry = tool.repo_json(*words, "--dry-run")
    assert (dry.code, obstacles(dry)) == (1, ["window-closed"])
    assert tool.repo_json(*words, "--yes").error["code"] == "window-closed"


@pytest.mark.parametrize(
    "left",
    [
        "no record",
        pytest.param("no file", marks=pytest.mark.skipif(sys.platform == "win32", reason="a held file stays")),
    ],
)
def test_a_lock_without_a_record_stops_the_run(tool: Cli, left: str) -> None:
    messy(tool)
    folder = Folder(tool.repository)
    folder.prepare()
    with Lock(folder.lock_path, {}):
        if left == "no file":
            folder.lock_path.unlink()
        else:
            os.truncate(folder.lock_path, 0)
        answer = tool.repo_json(*SYNC, "--dry-run")
    assert (answer.code, obstacles(answer)) == (6, ["locked"])
    assert tool.repo(*SYNC, "--dry-run").code == 0


def test_what_stops_the_second_folder_alone_is_exit_7(tool: Cli) -> None:
    tool.fill()
    tool.fill_source()
    second = Folder(tool.folder / "second")
    second.path.mkdir()
    second.prepare()
    words = ("--config", tool.config("second_folder: second\n"), *SYNC, "--dry-run")
    with Lock(second.lock_path, {"pid": 1, "host": "here", "command": "prune", "since": "now"}):
        answer = tool.repo_json(*words)
    assert (answer.code, obstacles(answer)) == (7, [])
    assert [obstacle["code"] for obstacle in answer.document["second_folder"]["obstacles"]] == ["locked"]
    assert "would stop in the second folder" in answer.err


@pytest.mark.skipif(sys.platform == "win32", reason="rights are set by mode")
def test_missing_rights_stop_the_run(open_tool: Cli) -> None:
    messy(open_tool)
    open_tool.source.chmod(0o755)
    # All modules are loaded before the rights to read them are given up.
    assert open_tool.repo_json(*SYNC, "--dry-run").code == 0
    open_tool.repository.chmod(0o555)
    dry = unprivileged(open_tool, "--json", "--repository", "repo", *SYNC, "--dry-run")
    real = unprivileged(open_tool, "--json", "--repository", "repo", *SYNC, "--yes")
    open_tool.repository.chmod(0o755)
    assert (dry.code, obstacles(dry)) == (real.code, [real.error["code"]])
    assert not (open_tool.repository / ".repo-manager").exists()


def no_source(tool: Cli) -> None:
    shutil.rmtree(tool.source)


def a_file_there(tool: Cli) -> None:
    (tool.folder / "carry").write_bytes(b"")


def a_file_above(tool: Cli) -> None:
    (tool.folder / "carry").write_bytes(b"")
    (tool.folder / "carry").rename(tool.folder / "above")


@pytest.mark.parametrize(
    ("prepare", "to", "code"),
    [
        (no_source, "carry", "not-at-source"),
        (lambda tool: (tool.source / name_of("OL7-64")).unlink(), "carry", "not-at-source"),
        (a_file_there, "carry", "not-a-folder"),
        (a_file_above, "above/carry", "not-a-folder"),
    ],
)
def test_what_stops_a_download_is_reported_with_the_exit_code_of_the_run(
    tool: Cli, prepare: Callable[[Cli], object], to: str, code: str
) -> None:
    tool.fill_source(("RHEL7-64", "OL7-64"))
    prepare(tool)
    before = state(tool.folder)
    words = ("download", "RHEL7-64", "OL7-64", "--source", "source", "--to", to)
    dry = tool.json(*words, "--dry-run")
    assert state(tool.folder) == before
    real = tool.json(*words)
    assert dry.code == real.code != 0
    assert code in real.err
    assert code in obstacles(dry)


def test_a_download_that_another_run_is_filling_is_reported(tool: Cli) -> None:
    tool.fill_source(("RHEL7-64",))
    (tool.folder / "carry").mkdir()
    words = ("download", "RHEL7-64", "--source", "source", "--to", "carry", "--dry-run")
    with DownloadFolder(tool.folder / "carry").locked({}):
        answer = tool.json(*words)
        assert (answer.code, obstacles(answer)) == (6, ["locked"])
        assert "is filling" in answer.err
    assert tool.json(*words).code == 0


def test_a_published_file_of_another_size_stops_the_run(tool: Cli) -> None:
    tool.fill(("RHEL7-64",))
    done = tool.repo_json("publish", "set", "--keys", "keys")
    assert done.code == 0
    (published,) = (tool.folder / "set").rglob(f"*{name_of('RHEL7-64')}")
    published.write_bytes(b"")
    words = ("--repository", "follower", "mirror", "set", "--trust", done.document["root"])
    (tool.folder / "follower").mkdir()

    dry, real = tool.json(*words, "--dry-run"), tool.json(*words, "--yes")

    assert (dry.code, obstacles(dry)) == (4, ["size-mismatch"])
    assert (real.code, "error[size-mismatch]" in real.err) == (4, True)
