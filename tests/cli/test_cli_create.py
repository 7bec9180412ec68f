"""A folder with other files and no trace of installers is not filled unasked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest
from change_world import state
from cli_world import OLD, data_of, name_of

if TYPE_CHECKING:
    from cli_world import Cli

REFUSED: Final = (2, "not-a-repository")
FILLING: Final = {
    "sync": ("sync", "--source", "source"),
    "add": ("add", f"source/{name_of('RHEL5-64')}"),
    "mirror": ("mirror", "source", "--unsigned"),
}


def foreign(tool: Cli) -> None:
    tool.fill_source()
    (tool.repository / "ssl").mkdir(parents=True)
    tool.put("hosts", b"127.0.0.1 localhost")


@pytest.mark.parametrize("case", FILLING)
def test_a_foreign_folder_is_filled_only_with_create_and_only_asked_once(tool: Cli, case: str) -> None:
    foreign(tool)
    before = state(tool.folder)
    answer = tool.repo_json(*FILLING[case], "--yes")
    assert (answer.code, answer.error["code"]) == REFUSED
    assert "--create" in answer.error["hint"]
    dry = tool.repo_json(*FILLING[case], "--dry-run")
    assert (dry.code, [obstacle["code"] for obstacle in dry.document["obstacles"]]) == (2, ["not-a-repository"])
    assert dry.document["actions"]
    assert state(tool.folder) == before
    assert tool.repo(*FILLING[case], "--yes", "--create").code == 0
    for name in tool.names() - {"hosts"}:
        (tool.repository / name).unlink()
    assert tool.repo(*FILLING[case], "--yes").code == 0, "the history is a trace"


@pytest.mark.parametrize("words", [("prune", "--yes"), ("watch", "--yes")])
def test_other_commands_refuse_a_foreign_folder_and_know_no_create(tool: Cli, words: tuple[str, ...]) -> None:
    foreign(tool)
    before = state(tool.folder)
    answer = tool.repo_json(*words)
    assert (answer.code, answer.error["code"]) == REFUSED
    assert "--create" not in answer.error["hint"]
    assert state(tool.folder) == before


def test_an_audit_says_that_a_folder_is_hardly_a_repository(tool: Cli) -> None:
    foreign(tool)
    answer = tool.repo_json("audit")
    assert "not-a-repository" in {finding["code"] for finding in answer.document["findings"]}
    tool.put("RHEL7-64_pushinstallclient.tar.gz", b"comes with the servers")
    answer = tool.repo_json("audit")
    assert "not-a-repository" not in {finding["code"] for finding in answer.document["findings"]}


@pytest.mark.parametrize(
    "name", ["desktop.ini", "Thumbs.db", ".DS_Store", "RHEL7-64_pushinstallclient.tar.gz", name_of("RHEL7-64", OLD)]
)
def test_an_empty_folder_and_one_with_a_trace_need_no_create(tool: Cli, name: str) -> None:
    tool.fill_source()
    tool.repository.mkdir()
    tool.put(name, data_of(name) if name.startswith("Microsoft") else b"x")
    for folder in ("$RECYCLE.BIN", "System Volume Information", "lost+found"):
        (tool.repository / folder).mkdir()
    assert tool.repo("sync", "--source", "source", "--release", "latest", "--yes").code == 0


def test_a_second_folder_that_is_none_is_neither_filled_nor_pruned(tool: Cli) -> None:
    tool.fill(("RHEL7-64",))
    tool.fill(("RHEL7-64",), OLD)
    second = tool.folder / "second"
    second.mkdir()
    (second / "RHEL7-64.tar.gz").write_bytes(b"ours")
    words = ("--config", tool.config("second_folder: second\n"), "prune")
    dry = tool.repo_json(*words, "--dry-run")
    assert (dry.code, dry.document["second_folder"]["obstacles"][0]["code"]) == (7, "not-a-repository")
    answer = tool.repo_json(*words, "--yes")
    assert (answer.code, answer.document["second_folder"]["error"]["code"]) == (7, "not-a-repository")
    assert [path.name for path in second.iterdir()] == ["RHEL7-64.tar.gz"]


def test_a_downgrade_is_labelled_and_yes_suffices(tool: Cli) -> None:
    tool.fill(("RHEL7-64",))
    tool.fill_source(("RHEL7-64",), OLD)
    words = ("sync", "--release", str(OLD), "--package", "RHEL7-64", "--source", "source")
    answer = tool.repo(*words, "--dry-run")
    assert answer.code == 0
    assert "DOWNGRADE from 9.66.7567.1 (--release 9.64)" in answer.out
    assert "replaced by the older 9.64.7374.1" in answer.out
    assert tool.repo(*words, "--yes").code == 0
    assert tool.names() == {name_of("RHEL7-64", OLD)}
    added = tool.repo("add", "--allow-older", f"source/{name_of('RHEL7-64', OLD)}", "--dry-run")
    assert added.code == 0


def test_the_second_folder_keeps_what_the_repository_has_lost(tool: Cli) -> None:
    tool.fill(("RHEL7-64", "OL7-64"))
    second = tool.folder / "second"
    second.mkdir()
    for token in ("RHEL7-64", "OL7-64"):
        (second / name_of(token)).write_bytes(data_of(name_of(token)))
        (second / name_of(token, OLD)).write_bytes(data_of(name_of(token, OLD)))
    (tool.repository / name_of("RHEL7-64")).unlink()
    config = ("--config", tool.config("second_folder: second\n"))

    assert tool.repo(*config, "prune", "--yes").code == 0
    assert {path.name for path in second.iterdir() if path.is_file()} == {name_of("RHEL7-64"), name_of("OL7-64")}

    findings = tool.repo_json(*config, "audit", "--package", "OL7-64").document["findings"]
    (kept,) = [finding for finding in findings if finding["code"] == "second-folder-differs"]
    assert "the repository has no installer of this package" in kept["message"]
    assert kept["fix"].endswith(" show RHEL7-64")


def test_a_dry_run_notes_that_the_second_folder_does_not_exist(tool: Cli) -> None:
    tool.fill(("OL7-64",))
    config = ("--config", tool.config("second_folder: second\n"))
    for words in (("--dry-run",), ("--yes",)):
        answer = tool.repo(*config, "sync", "--package", "OL7-64", *words)
        assert (answer.code, "second does not exist" in answer.err) == (0, True)
