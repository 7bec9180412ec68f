r"""What only an SMB client could open: `smb://` everywhere, UNC paths on Linux. One error, and nothing is touched."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Final

import pytest
from cli_world import ROOT, tree

from repo_manager.core.errors import ExitCode

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cli_world import Answer, Cli

SECRET: Final = "hunter2"  # noqa: S105 - looked for in what is printed
PAGE: Final = "docs/how-to/mount-a-share.md"
SMB: Final = ("smb://files/asr", "SMB://Files/asr/9.66", f"smb://me:{SECRET}@files/asr", f"smb://me:{SECRET}/x@files")
UNC: Final = (r"\\files\asr", rf"\\me:{SECRET}@files\asr")
COMMANDS: Final = {
    "sync": ("--repository", "repo", "sync", "--yes", "--source", "ADDRESS"),
    "sync, dry": ("--repository", "repo", "sync", "--dry-run", "--source", "ADDRESS"),
    "download": ("download", "RHEL7-64", "--to", "out", "--source", "ADDRESS"),
    "mirror": ("--repository", "repo", "mirror", "ADDRESS", "--yes"),
    "mirror, unsigned": ("--repository", "repo", "mirror", "ADDRESS", "--unsigned", "--yes"),
    "mirror, report": ("--repository", "repo", "mirror", "set", "--yes", "--report-to", "ADDRESS"),
    "publish": ("--repository", "repo", "publish", "ADDRESS", "--keys", "keys"),
    "fleet set": ("fleet", "audit", "--set", "ADDRESS"),
    "fleet reports": ("fleet", "audit", "--reports", "ADDRESS"),
    "repository": ("--repository", "ADDRESS", "audit"),
    "repository, changing": ("--repository", "ADDRESS", "sync", "--create", "--yes", "--source", "source"),
}


@pytest.fixture
def filled(tool: Cli) -> Iterator[Cli]:
    """A repository with two installers, which none of this may touch."""
    tool.fill(("Windows", "RHEL9-64"))
    before = tree(tool.folder)
    yield tool
    after = tree(tool.folder)
    assert {name: digest for name, digest in after.items() if name in before} == before
    assert all("repo-manager" in name or name.startswith(("out", "given", "cache")) for name in after.keys() - before)


def refused(answer: Answer) -> None:
    assert answer.code == ExitCode.USAGE, answer.err
    assert answer.error["code"] == "no-smb-client"
    assert PAGE in answer.error["hint"]
    assert SECRET not in answer.out + answer.err


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("address", SMB)
def test_an_smb_address_is_refused_with_the_page_on_mounting(filled: Cli, command: str, address: str) -> None:
    refused(filled.json(*(word.replace("ADDRESS", address) for word in COMMANDS[command])))


@pytest.mark.skipif(sys.platform == "win32", reason="Windows opens UNC paths")
@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("address", UNC)
def test_a_unc_path_is_refused_where_the_system_cannot_open_it(filled: Cli, command: str, address: str) -> None:
    refused(filled.json(*(word.replace("ADDRESS", address) for word in COMMANDS[command])))


@pytest.mark.skipif(sys.platform == "win32", reason="Windows opens UNC paths")
def test_a_unc_path_is_not_a_folder_below_the_current_one(filled: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(filled.repository)

    refused(filled.json("--repository", ".", "sync", "--source", r"\\files\asr", "--yes"))


@pytest.mark.parametrize("key", ["source", "report_to", "repository", "second_folder", "set", "reports"])
def test_an_smb_address_in_the_configuration_is_refused(filled: Cli, key: str) -> None:
    commands = {"report_to": ("mirror", "set", "--yes"), "set": ("fleet", "audit"), "reports": ("fleet", "audit")}
    text = "profiles:\n  classic:\n    repository: 'smb://files/asr'\n" if key == "repository" else None
    (filled.folder / "given.yaml").write_text(text or f"{key}: 'smb://files/asr'\n", encoding="ascii")
    repository = () if key == "repository" else ("--repository", "repo")

    refused(filled.json("--config", "given.yaml", *repository, *commands.get(key, ("sync", "--dry-run"))))


def test_a_server_of_the_fleet_on_smb_is_reported_and_the_others_are_looked_at(filled: Cli) -> None:
    fleet = "servers:\n  - name: a\n    repository: 'smb://files/asr'\n  - name: b\n    repository: repo\n"
    (filled.folder / "given-fleet.yaml").write_text(fleet, encoding="ascii")

    answer = filled.json("fleet", "audit", "given-fleet.yaml")

    assert answer.code == ExitCode.PARTIAL, answer.err
    servers = {server["host"]: server for server in answer.document["servers"]}
    assert "no-smb-client" in json.dumps(servers["a"])
    assert "no-smb-client" not in json.dumps(servers["b"])


@pytest.mark.parametrize("command", [("audit",), ("list",), ("sync", "--yes"), ("mirror", "set", "--yes")])
def test_the_configuration_key_of_the_smb_client_is_refused_with_its_place(
    filled: Cli, command: tuple[str, ...]
) -> None:
    (filled.folder / "given.yaml").write_text("retired_keep: 2\nsmb_credentials: /etc/smb\n", encoding="ascii")

    answer = filled.json("--config", "given.yaml", "--repository", "repo", *command)

    refused(answer)
    assert "given.yaml: line 2, column 1: " in answer.error["message"]
    assert "smb_credentials" in answer.error["message"]


def test_doctor_reports_the_configuration_key_of_the_smb_client(filled: Cli) -> None:
    (filled.folder / "given.yaml").write_text("smb_credentials: /etc/smb\n", encoding="ascii")

    answer = filled("--config", "given.yaml", "--repository", "repo", "doctor")

    assert answer.code != ExitCode.DONE
    assert PAGE in answer.out + answer.err


def test_the_page_that_the_error_names_is_there() -> None:
    assert (ROOT / PAGE).is_file()
