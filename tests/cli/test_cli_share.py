"""`--source` on a share, as far as no server is needed: one clear message each, and nothing touched."""

from __future__ import annotations

import socket
import sys
from typing import TYPE_CHECKING, Final

import pytest
from cli_world import tree

from repo_manager.core.errors import ExitCode

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cli_world import Cli

SECRET: Final = "hunter2"  # noqa: S105 - looked for in what is said


@pytest.fixture
def filled(tool: Cli) -> Iterator[Cli]:
    """A repository with two installers, which nothing of this may touch."""
    tool.fill(("Windows", "RHEL9-64"))
    before = tree(tool.repository)
    yield tool
    after = {name: digest for name, digest in tree(tool.repository).items() if ".repo-manager" not in name}
    assert after == before


@pytest.mark.parametrize("more", [(), ("--dry-run",)])
def test_without_the_extra_it_is_named_before_anything_else(
    filled: Cli, monkeypatch: pytest.MonkeyPatch, more: tuple[str, ...]
) -> None:
    monkeypatch.setitem(sys.modules, "smbprotocol", None)

    answer = filled.repo_json("sync", "--source", "smb://files/asr", "--yes", *more)

    assert answer.code == ExitCode.USAGE
    assert answer.error["code"] == "smb-not-installed"
    assert "asr-repo-manager[smb]" in answer.error["hint"]
    assert not (filled.repository / ".repo-manager").exists()


@pytest.mark.parametrize(
    ("source", "code"),
    [
        ("smb://files", "unknown-source"),
        ("smb://files/asr/../other", "unknown-source"),
        (f"smb://me:{SECRET}@files/asr", "secret-in-source"),
        ("smbs://files/asr", "unknown-source"),  # no such scheme
        ("cifs://files/asr", "unknown-source"),
    ],
)
def test_a_source_that_names_no_share_is_refused(filled: Cli, source: str, code: str) -> None:
    answer = filled.repo_json("sync", "--source", source, "--yes")

    assert answer.code == ExitCode.USAGE
    assert answer.error["code"] == code
    assert answer.error["hint"]
    assert SECRET not in answer.out + answer.err


@pytest.mark.skipif(sys.platform == "win32", reason="Windows opens shares by itself and is tested without the extra")
@pytest.mark.parametrize("name", ["smb_credentials", "REPO_MANAGER_SMB_PASSWORD"])
def test_credentials_that_make_no_sense_are_told_when_they_are_needed(
    filled: Cli, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    if name == "smb_credentials":
        file = filled.folder / "credentials"
        file.write_text(f"user={SECRET}\n", encoding="ascii")
        file.chmod(0o600)
        (filled.folder / "config.yaml").write_text("smb_credentials: credentials\n", encoding="ascii")
        monkeypatch.setenv("REPO_MANAGER_CONFIG", "config.yaml")
    else:
        monkeypatch.setenv(name, SECRET)
    with socket.create_server(("127.0.0.1", 0)) as server:
        source = f"smb://127.0.0.1:{server.getsockname()[1]}/asr"

        answer = filled.repo_json("sync", "--source", source, "--yes")

    assert answer.code == ExitCode.USAGE
    assert answer.error["code"] == "smb-credentials"
    assert SECRET not in answer.out + answer.err


@pytest.mark.skipif(sys.platform == "win32", reason="Windows opens shares by itself and is tested without the extra")
def test_a_server_that_is_not_there_is_a_failed_transfer(filled: Cli) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]

    answer = filled.repo_json("sync", "--source", f"smb://127.0.0.1:{port}/asr", "--yes")

    assert answer.code == ExitCode.TRANSFER
    assert answer.document["error"]["code"] == "cannot-connect"
    assert "Errno" not in answer.err


@pytest.mark.skipif(sys.platform == "win32", reason="there it is a path")
def test_the_windows_way_to_write_a_share_is_no_folder_here(filled: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even with the repository as the current folder, in which it would be a name."""
    monkeypatch.setitem(sys.modules, "smbprotocol", None)
    monkeypatch.chdir(filled.repository)

    answer = filled.json("--repository", ".", "sync", "--source", r"\\files\asr", "--yes")

    assert answer.error["code"] == "smb-not-installed"
