"""A change needs a confirmation: `--yes`, or a person at a terminal who answers y."""

from __future__ import annotations

import shlex
import sys
from typing import TYPE_CHECKING, Final

import pytest
from abuse_server import serving
from change_world import CHANGES, messy, state
from cli_world import CLASSIC, OLD, ROOT, InstantService, data_of, name_of, tree

if TYPE_CHECKING:
    from cli_world import Cli

NEEDED: Final = (2, "confirmation-needed")


@pytest.mark.parametrize("case", CHANGES)
def test_without_a_terminal_a_change_needs_yes_and_nothing_is_touched(tool: Cli, case: str) -> None:
    prepare, words = CHANGES[case]
    prepare(tool)
    before = state(tool.folder)
    answer = tool.repo_json(*words)
    assert (answer.code, answer.error["code"]) == NEEDED
    assert state(tool.folder) == before
    assert "1 file" in answer.err or "files" in answer.err, "the plan"
    assert f"'repo-manager --json --repository repo {shlex.join(words)} --yes'" in answer.error["hint"]
    assert "--dry-run" in answer.error["hint"]


@pytest.mark.parametrize("case", CHANGES)
def test_yes_is_the_confirmation(tool: Cli, case: str) -> None:
    prepare, words = CHANGES[case]
    prepare(tool)
    before = tree(tool.repository, own=False)
    assert tool.repo(*words, "--yes").code == 0
    assert tree(tool.repository, own=False) != before


@pytest.mark.skipif(sys.platform == "win32", reason="the hint is for the shell of the system")
def test_the_command_in_the_hint_can_be_pasted(tool: Cli) -> None:
    messy(tool)
    hint = tool.repo_json("add", "--", f"source/{name_of('RHEL5-64')}").error["hint"]
    command = shlex.split(hint.split("'")[1])
    assert tool(*command[1:]).code == 0
    assert name_of("RHEL5-64") in tool.names()


def test_a_run_with_nothing_to_do_needs_no_confirmation(tool: Cli) -> None:
    tool.fill()
    tool.fill_source()
    assert tool.repo("sync", "--source", "source").code == 0
    assert tool.repo("prune").code == 0


def test_nothing_is_downloaded_before_the_confirmation(tool: Cli) -> None:
    tool.fill(("OL7-64",))
    with serving() as server:
        words = ("sync", "--package", "RHEL7-64", "--source", server.base)
        answer = tool.repo_json(*words)
        assert (answer.code, answer.error["code"]) == NEEDED
        assert server.log == []
    assert not (tool.repository / ".repo-manager").exists()


def test_a_variable_and_the_configuration_can_confirm(tool: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    messy(tool)
    assert tool.repo("--config", tool.config("yes: true\n"), "prune").code == 0
    monkeypatch.setenv("REPO_MANAGER_YES", "1")
    assert tool.repo("restore", "last").code == 0


def test_the_hint_has_no_secret_of_the_command_line(tool: Cli) -> None:
    tool.fill(("OL7-64",))
    answer = tool.repo_json("sync", "--package", "RHEL7-64", "--source", "http://user:hush@127.0.0.1:9/set?sig=hush")
    assert (answer.code, answer.error["code"]) == NEEDED
    assert "run the same command with --yes" in answer.error["hint"]
    assert "hush" not in answer.out + answer.err


def test_a_change_of_the_second_folder_alone_needs_a_confirmation_too(tool: Cli) -> None:
    tool.fill()
    tool.fill_source()
    (tool.folder / "second").mkdir()
    words = ("--config", tool.config("second_folder: second\n"), "sync", "--source", "source")
    answer = tool.repo_json(*words)
    assert (answer.code, answer.error["code"]) == NEEDED
    assert "in the second folder" in answer.err
    assert list((tool.folder / "second").iterdir()) == []
    assert tool.repo(*words, "--yes").code == 0
    assert len(list((tool.folder / "second").glob("Microsoft*"))) == len(CLASSIC)


def test_a_catalog_update_needs_a_confirmation_too(tool: Cli) -> None:
    older = (ROOT / "catalog.yaml").read_bytes().replace(b"9.66.7569.1_RHEL6", b"9.66.7568.1_RHEL6")
    catalog = tool.folder / "mine.yaml"
    catalog.write_bytes(older)
    links = str(ROOT / "tests" / "data" / "AgentDownloadLinks.md")
    words = ("--catalog", "mine.yaml", "catalog", "update", links)
    answer = tool.json(*words)
    assert (answer.code, answer.error["code"]) == NEEDED
    assert "written" not in answer.document
    assert catalog.read_bytes() == older
    assert tool(*words, "--yes").code == 0
    assert catalog.read_bytes() != older


def test_a_download_and_a_restart_change_no_repository_and_need_no_confirmation(tool: Cli) -> None:
    tool.fill_source(("RHEL5-64",))
    tool.service = InstantService()
    assert tool("download", "RHEL5-64", "--source", "source", "--to", "carry").code == 0
    tool.fill()
    assert tool.repo("restart").code == 0
    assert tool.service.starts == 1


def test_an_installer_that_a_person_brings_is_not_read_into_the_repository_unconfirmed(tool: Cli) -> None:
    tool.fill(("RHEL7-64",), OLD)
    tool.put("notes.txt", b"ours")
    (tool.folder / name_of("RHEL7-64")).write_bytes(data_of(name_of("RHEL7-64")))
    answer = tool.repo_json("add", name_of("RHEL7-64"))
    assert (answer.code, answer.error["code"]) == NEEDED
    assert tool.names() == {name_of("RHEL7-64", OLD), "notes.txt"}
