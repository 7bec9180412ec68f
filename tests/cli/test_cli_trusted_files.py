"""What others could have written is not believed, and one command corrects it."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from cli_world import ROOT, name_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from cli_world import Cli

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="rights of Windows are not those of chmod")
of_root = pytest.mark.skipif(sys.platform != "win32" and os.geteuid() != 0, reason="only root gives files away")
NOBODY = 65534


def _machine_wide(text: str = "quiet: false\n") -> Path:
    """The configuration of the whole machine."""
    base = os.environ["ProgramData"]  # noqa: SIM112 - as Windows spells it
    file = Path(base, "repo-manager", "config.yaml")
    file.parent.mkdir(parents=True)
    file.write_text(text, encoding="utf-8")
    return file


def _catalog(tool: Cli) -> tuple[Path, list[str]]:
    file = tool.folder / "catalog.yaml"
    shutil.copyfile(ROOT / "catalog.yaml", file)
    return file, ["--catalog", "catalog.yaml", "catalog", "show"]


def _configuration(tool: Cli) -> tuple[Path, list[str]]:
    tool.config("release: latest\n")
    return tool.folder / "config.yaml", ["--config", "config.yaml", "resolve", "RHEL 7"]


def _configuration_after(tool: Cli) -> tuple[Path, list[str]]:
    tool.config("release: latest\n")
    return tool.folder / "config.yaml", ["resolve", "RHEL 7", "--config", "config.yaml"]


def _machine_wide_configuration(tool: Cli) -> tuple[Path, list[str]]:
    del tool
    return _machine_wide(), ["resolve", "RHEL 7"]


def _keys(tool: Cli) -> tuple[Path, list[str]]:
    tool.fill(("RHEL7-64",))
    arguments = ["--repository", "repo", "publish", "set", "--keys", "keys", "--package", "RHEL7-64"]
    assert tool(*arguments).code == 0
    return tool.folder / "keys" / "targets.pem", arguments


def _memory_of_keys(tool: Cli) -> tuple[Path, list[str]]:
    _, arguments = _keys(tool)
    return tool.folder / "keys" / "metadata" / "1.root.json", arguments


def _tokens(tool: Cli) -> tuple[Path, list[str]]:
    assert tool("serve", "token", "add", "one", "--tokens", "tokens.json").code == 0
    return tool.folder / "tokens.json", ["serve", "token", "list", "--tokens", "tokens.json"]


def _certificates(tool: Cli) -> tuple[Path, list[str]]:
    file = tool.folder / "ca.pem"
    file.write_text("", encoding="utf-8")
    tool.config("ca_file: ca.pem\n")
    tool.fill(("RHEL7-64",))
    return file, ["--config", "config.yaml", "--repository", "repo", "mirror", "https://127.0.0.1:9/set", "--yes"]


def _credentials(tool: Cli) -> tuple[Path, list[str]]:
    file = tool.folder / "store"
    file.write_text("AWS_REGION=here\n", encoding="utf-8")
    file.chmod(0o600)
    tool.config("store_credentials: store\n")
    tool.fill(("RHEL7-64",))
    return file, ["--config", "config.yaml", "--repository", "repo", "mirror", "https://127.0.0.1:9/set", "--yes"]


def _root_of_a_set(tool: Cli) -> tuple[Path, list[str]]:
    tool.fill(("RHEL7-64",))
    file = tool.folder / "root.json"
    file.write_text("{}", encoding="utf-8")
    return file, ["--repository", "repo", "mirror", "set", "--root", "root.json", "--yes"]


def _fleet(tool: Cli) -> tuple[Path, list[str]]:
    file = tool.folder / "fleet.yaml"
    file.write_text("servers: [{name: ps-01}]\n", encoding="utf-8")
    return file, ["fleet", "audit", "fleet.yaml"]


BELIEVED: list[Callable[[Cli], tuple[Path, list[str]]]] = [
    *(_configuration, _configuration_after, _machine_wide_configuration, _catalog, _keys, _memory_of_keys, _tokens),
    *(_certificates, _credentials, _root_of_a_set, _fleet),
]


@pytest.mark.parametrize("mode", [0o620, 0o602], ids=["by-its-group", "by-all"])
@pytest.mark.parametrize("world", BELIEVED)
def test_what_others_can_change_is_not_believed(
    tool: Cli, world: Callable[[Cli], tuple[Path, list[str]]], mode: int
) -> None:
    tool.repository.mkdir()
    file, arguments = world(tool)
    file.chmod(mode)

    answer = tool.json(*arguments)

    assert (answer.code, answer.error["code"]) == (2, "untrusted-file")
    assert str(file) in answer.error["message"]
    assert answer.error["hint"]


@of_root
@pytest.mark.parametrize("world", BELIEVED)
def test_what_belongs_to_another_user_is_not_believed(
    tool: Cli, world: Callable[[Cli], tuple[Path, list[str]]]
) -> None:
    tool.repository.mkdir()
    file, arguments = world(tool)
    os.chown(file, NOBODY, NOBODY)

    answer = tool.json(*arguments)

    assert (answer.code, answer.error["code"]) == (2, "untrusted-file")
    assert f"{file} is not trusted: it belongs to" in answer.error["message"]


@of_root
@pytest.mark.parametrize("world", BELIEVED)
def test_what_lies_in_a_folder_of_another_user_is_not_believed(
    tool: Cli, world: Callable[[Cli], tuple[Path, list[str]]]
) -> None:
    tool.repository.mkdir()
    file, arguments = world(tool)
    os.chown(file.parent, NOBODY, NOBODY)

    answer = tool.json(*arguments)

    assert (answer.code, answer.error["code"]) == (2, "untrusted-file")
    assert f" is not trusted: {file.parent} belongs to" in answer.error["message"]


@pytest.mark.parametrize("world", BELIEVED)
def test_what_administrators_alone_can_change_is_believed(
    tool: Cli, world: Callable[[Cli], tuple[Path, list[str]]]
) -> None:
    tool.repository.mkdir()
    _, arguments = world(tool)

    assert "untrusted-file" not in tool.json(*arguments).out


@of_root
def test_a_foreign_folder_for_the_configuration_is_refused_also_while_it_is_empty(tool: Cli) -> None:
    file = _machine_wide()
    file.unlink()
    os.chown(file.parent, NOBODY, NOBODY)

    answer = tool.json("resolve", "RHEL 7")

    assert (answer.code, answer.error["code"]) == (2, "untrusted-file")
    assert f"{file.parent} is not trusted: it belongs to" in answer.error["message"]


def test_the_refusal_names_the_command_with_the_options_of_the_run(tool: Cli) -> None:
    file, _ = _configuration(tool)
    file.chmod(0o666)

    answer = tool.json("--config", "config.yaml", "--repository", "repo", "list")

    wanted = "'repo-manager --repository repo --config config.yaml doctor --fix-permissions'"
    assert wanted in answer.error["hint"]


def test_an_unbelieved_configuration_can_be_explained_and_looked_at(tool: Cli) -> None:
    _machine_wide().chmod(0o666)

    assert tool("explain", "untrusted-file").code == 0
    answer = tool.json("doctor")
    checks = [check for check in answer.document["checks"] if check["check"] == "permissions"]
    assert answer.code == 1
    assert any("config.yaml" in check["message"] and check["health"] == "error" for check in checks)


def test_nothing_is_corrected_unasked(tool: Cli) -> None:
    file = _machine_wide()
    file.chmod(0o666)

    answer = tool.json("doctor", "--fix-permissions")

    assert (answer.code, answer.error["code"]) == (2, "confirmation-needed")
    assert f"{file}: " in answer.err
    assert file.stat().st_mode & 0o777 == 0o666


def test_one_command_corrects_all_files_of_an_installation(tool: Cli) -> None:
    """As a run of an older version with umask 000 left them."""
    key, publish = _keys(tool)
    credentials, _ = _credentials(tool)
    tokens, _ = _tokens(tool)
    catalog, _ = _catalog(tool)
    config = _machine_wide(
        f"repository: {tool.repository}\ncatalog: {catalog}\nkeys: {key.parent}\ntokens: {tokens}\n"
        f"store_credentials: {credentials}\n"
    )
    for path in (config.parent, config, key.parent, key, credentials, tokens, catalog):
        path.chmod(0o777 if path.is_dir() else 0o666)
    assert tool("list").code == 2

    answer = tool.json("doctor", "--fix-permissions", "--yes")

    assert answer.code == 0
    corrected = {entry["path"]: entry["result"] for entry in answer.document["permissions"]}
    assert corrected == dict.fromkeys(
        map(str, (config.parent, config, key.parent, key, credentials, tokens, catalog)), "done"
    )
    assert [path.stat().st_mode & 0o7777 for path in (key, credentials)] == [0o600, 0o600]
    assert tool("list").code == 0
    assert tool(*publish).code == 0
    assert tool("serve", "token", "list", "--tokens", str(tokens)).code == 0
    assert tool.json("doctor", "--fix-permissions", "--yes").document["permissions"] == []


@of_root
def test_files_of_other_users_become_ours(tool: Cli) -> None:
    config = _machine_wide()
    os.chown(config, NOBODY, NOBODY)

    answer = tool.json("doctor", "--fix-permissions", "--yes")

    assert answer.code == 0
    assert config.stat().st_uid == 0
    assert tool("resolve", "RHEL 7").code == 0


@of_root
def test_links_and_files_with_further_names_are_left_alone(tool: Cli) -> None:
    config = _machine_wide()
    victim = tool.folder / "victim"
    victim.write_text("quiet: true\n", encoding="utf-8")
    os.chown(victim, NOBODY, NOBODY)
    config.unlink()
    config.hardlink_to(victim)

    answer = tool.json("doctor", "--fix-permissions", "--yes")
    assert answer.code == 1
    assert [(entry["path"], entry["result"]) for entry in answer.document["permissions"]] == [(str(config), "left")]
    assert victim.stat().st_uid == NOBODY

    config.unlink()
    config.symlink_to(victim)
    os.chown(config, NOBODY, NOBODY, follow_symlinks=False)
    answer = tool.json("doctor", "--fix-permissions", "--yes")
    assert answer.code == 1
    assert "link" in answer.document["permissions"][0]["reason"]
    assert victim.stat().st_uid == NOBODY


def test_the_installers_themselves_are_never_touched(tool: Cli) -> None:
    tool.fill(("RHEL7-64",))
    installer = tool.repository / name_of("RHEL7-64")
    installer.chmod(0o666)

    assert tool.repo("doctor", "--fix-permissions", "--yes").code == 0
    assert installer.stat().st_mode & 0o777 == 0o666
