"""What others could have written is not believed, and one command corrects it."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from cli_world import OLD, ROOT, SUBFOLDER, data_of, name_of, tree, unprivileged

from repo_manager.adapters.filesystem import trusted_files

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


# The sub-folder of a repository


@pytest.fixture
def used(tool: Cli) -> Cli:
    """A repository with a history, and a set that it follows."""
    tool.fill(("RHEL7-64",), OLD)
    tool.fill_source(("RHEL7-64",))
    command = ("--package", "RHEL7-64", "--release", "9.66", "--source", "source", "--yes")
    assert tool.repo("sync", *command).code == 0
    tool.fill(("RHEL7-64",))
    published = tool.json("--repository", "repo", "publish", "set", "--keys", "keys", "--package", "RHEL7-64")
    assert published.code == 0
    trust = ("--trust", published.document["root"])
    assert tool.repo("mirror", "set", "--package", "RHEL7-64", "--yes", "--no-report", *trust).code == 0
    return tool


def _own(tool: Cli, name: str) -> Path:
    sub = tool.repository / SUBFOLDER
    return next(iter(sorted((sub / "transactions").iterdir()))) if name == "transaction" else sub / name


COMMANDS = {
    "sync": ("sync", "--package", "RHEL7-64", "--source", "source", "--yes"),
    "audit": ("audit", "--deep"),
    "mirror": ("mirror", "set", "--package", "RHEL7-64", "--yes", "--no-report"),
    "restore": ("restore",),
}

OWN = [
    *((name, "sync") for name in ("", "staging", "retired", "transactions", "records.json")),
    *((name, "audit") for name in ("", "records.json")),
    *((name, "mirror") for name in ("", "staging", "trust.json")),
    *((name, "restore") for name in ("", "transactions", "transaction")),
]


@pytest.mark.parametrize(("name", "command"), OWN)
def test_what_others_can_change_in_the_sub_folder_is_not_believed(used: Cli, name: str, command: str) -> None:
    path = _own(used, name)
    before = path.stat().st_mode
    path.chmod(before | 0o020)

    answer = used.repo_json(*COMMANDS[command])

    assert (answer.code, answer.error["code"]) == (2, "untrusted-file")
    assert str(path) in answer.error["message"]
    assert "--repository repo doctor --fix-permissions" in answer.error["hint"]
    path.chmod(before)
    assert used.repo_json(*COMMANDS[command]).code in {0, 1}


@of_root
@pytest.mark.parametrize(("name", "command"), OWN)
def test_what_belongs_to_others_in_the_sub_folder_is_not_believed(used: Cli, name: str, command: str) -> None:
    path = _own(used, name)
    os.chown(path, NOBODY, NOBODY)

    answer = used.repo_json(*COMMANDS[command])

    assert (answer.code, answer.error["code"]) == (2, "untrusted-file")
    assert str(path) in answer.error["message"]


@of_root
def test_a_planted_journal_moves_nothing(used: Cli) -> None:
    journal = _own(used, "journal.json")
    shutil.copyfile(_own(used, "transaction"), journal)
    os.chown(journal, NOBODY, NOBODY)
    before = tree(used.repository)

    answer = used.repo_json("sync", "--package", "RHEL7-64", "--source", "source", "--yes")

    assert (answer.code, answer.error["code"]) == (2, "untrusted-file")
    assert tree(used.repository) == before


@of_root
def test_records_that_could_have_been_removed_are_missed(used: Cli) -> None:
    """Whoever owns the folder may have removed the records, which would tell an exchanged installer."""
    _own(used, "records.json").unlink()
    assert used.repo("audit", "--deep").code != 2
    os.chown(_own(used, ""), NOBODY, NOBODY)

    answer = used.repo_json("audit", "--deep")

    assert (answer.code, answer.error["code"]) == (2, "untrusted-file")


@of_root
def test_the_repository_itself_may_belong_to_others(used: Cli) -> None:
    os.chown(used.repository, NOBODY, NOBODY)
    used.repository.chmod(0o777)
    for path in used.repository.iterdir():
        if path.is_file():
            os.chown(path, NOBODY, NOBODY)
            path.chmod(0o666)

    assert used.repo("audit", "--package", "RHEL7-64").code == 0
    assert used.repo(*COMMANDS["sync"]).code == 0


@pytest.mark.parametrize("umask", [0o000, 0o002, 0o077])
def test_what_the_tool_makes_does_not_depend_on_the_umask(tool: Cli, umask: int) -> None:
    before = os.umask(umask)
    try:
        tool.fill(("RHEL7-64",), OLD)
        tool.fill_source(("RHEL7-64",))
        assert tool.repo("sync", "--package", "RHEL7-64", "--release", "9.66", "--source", "source", "--yes").code == 0
    finally:
        os.umask(before)

    own = [path for path in (tool.repository / SUBFOLDER).rglob("*") if path.parent.parent.name != "retired"]
    assert len(own) > len(("lock", "records.json", "staging", "retired", "transactions"))
    modes = {str(path): f"{path.stat().st_mode & 0o7777:o}" for path in own}
    assert modes == {str(path): "755" if path.is_dir() else "644" for path in own}
    assert (tool.repository / name_of("RHEL7-64")).stat().st_mode & 0o7777 == 0o644


LINKS = """\
### Version 9.68

- [RHEL9-64][RHEL9-64-968]

[RHEL9-64-968]: https://download.microsoft.com/download/abc/Microsoft-ASR_UA_9.68.0.0_RHEL9-64_GA_03Sep2026_release.tar.gz
"""


def _modes(folder: Path) -> set[tuple[str, str]]:
    """What kinds of rights there are below a folder, and its own."""
    return {
        ("folder" if path.is_dir() else "file", f"{path.stat().st_mode & 0o7777:o}")
        for path in (folder, *folder.rglob("*"))
    }


@pytest.mark.parametrize("umask", [0o000, 0o077])
def test_no_command_makes_files_by_the_umask(tool: Cli, umask: int) -> None:
    before = os.umask(umask)
    try:
        tool.fill(("RHEL7-64",))
        tool.fill_source(("RHEL7-64",))
        assert tool.repo("audit", "--deep", "--package", "RHEL7-64", "--save").code == 0
        published = tool.json("--repository", "repo", "publish", "set", "--keys", "b/keys", "--package", "RHEL7-64")
        assert published.code == 0
        (tool.folder / "follower").mkdir()
        follow = ("mirror", "set", "--trust", published.document["root"], "--no-report", "--yes")
        assert tool("--repository", "follower", *follow, "--package", "RHEL7-64").code == 0
        (tool.folder / "links.md").write_text(LINKS, encoding="utf-8")
        assert tool("catalog", "update", "links.md", "--to", "new.yaml", "--yes").code == 0
        assert tool("serve", "token", "add", "one", "--tokens", "tokens.json").code == 0
        assert tool("download", "RHEL7-64", "--to", "carry", "--source", "source").code == 0
    finally:
        os.umask(before)

    assert _modes(tool.folder / "set") == {("folder", "755"), ("file", "644")}
    assert _modes(tool.folder / "follower" / SUBFOLDER) == {("folder", "755"), ("file", "644")}
    assert _modes(tool.folder / "b" / "keys") - {("file", "644")} == {("folder", "700"), ("file", "600")}
    assert _modes(Path(os.environ["REPO_MANAGER_CACHE_DIR"])) == {("folder", "700"), ("file", "600")}
    assert _modes(Path(os.environ["REPO_MANAGER_STATE_DIR"], "audits")) == {("folder", "700"), ("file", "600")}
    assert _modes(tool.folder / "new.yaml") == {("file", "644")}
    assert _modes(tool.folder / "tokens.json") == {("file", "600")}
    assert {mode for kind, mode in _modes(tool.folder / "carry") if kind == "file"} == {"644"}
    assert (tool.folder / "b").stat().st_mode & 0o7777 == 0o755


def test_a_group_that_the_repository_hands_on_is_kept(tool: Cli) -> None:
    tool.repository.mkdir()
    if os.geteuid() == 0:
        os.chown(tool.repository, -1, NOBODY)
    tool.repository.chmod(0o2755)
    tool.fill_source(("RHEL7-64",))
    assert tool.repo("sync", "--package", "RHEL7-64", "--source", "source", "--yes").code == 0

    assert (tool.repository / SUBFOLDER / "staging").stat().st_mode & 0o7777 == 0o2755
    assert (tool.repository / name_of("RHEL7-64")).stat().st_gid == tool.repository.stat().st_gid


def _as_an_older_version_left_it(tool: Cli, umask: int) -> None:
    """Version 0.1 made its files with the rights that the umask left, but for the keys."""
    for path in (tool.repository / SUBFOLDER, *(tool.repository / SUBFOLDER).rglob("*")):
        path.chmod((0o777 if path.is_dir() else 0o666) & ~umask)


def test_an_installation_of_an_older_version_needs_nothing_with_the_usual_umask(used: Cli) -> None:
    _as_an_older_version_left_it(used, 0o022)

    for arguments in COMMANDS.values():
        assert used.repo(*arguments).code in {0, 1}
    checks = used.repo_json("doctor").document["checks"]
    assert [check["health"] for check in checks if check["check"] == "permissions"] == ["ok"]


@pytest.mark.parametrize("umask", [0o002, 0o000])
def test_an_installation_of_an_older_version_is_corrected_by_one_command(used: Cli, umask: int) -> None:
    _as_an_older_version_left_it(used, umask)
    retired = [path for path in (used.repository / SUBFOLDER).glob("retired/*/*") if path.name != "reasons.txt"]
    mode = 0o666 & ~umask
    for arguments in COMMANDS.values():
        assert used.repo_json(*arguments).error["code"] == "untrusted-file"

    assert used.repo("doctor", "--fix-permissions", "--yes").code == 0

    for arguments in COMMANDS.values():
        assert used.repo(*arguments).code in {0, 1}
    assert used.repo_json("doctor", "--fix-permissions", "--yes").document["permissions"] == []
    assert retired
    assert {path.stat().st_mode & 0o777 for path in retired} == {mode}, "an installer keeps its rights"


def test_a_download_that_others_could_have_written_is_begun_again(tool: Cli) -> None:
    name = name_of("RHEL7-64")
    tool.fill_source(("RHEL7-64",))
    tool.repository.mkdir()
    assert tool.repo("sync", "--package", "RHEL7-64", "--source", "source", "--yes").code == 0
    (tool.repository / name).unlink()
    staged = tool.repository / SUBFOLDER / "staging" / name
    staged.write_bytes(data_of(name, seed=5))
    staged.chmod(0o666)

    assert tool.repo("sync", "--package", "RHEL7-64", "--source", "source", "--yes").code == 0
    assert (tool.repository / name).read_bytes() == data_of(name)


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


@of_root
def test_a_program_of_another_user_does_not_become_one_of_root(tool: Cli) -> None:
    tool.fill(("RHEL7-64",))
    sub = tool.repository / SUBFOLDER
    sub.mkdir()
    planted = sub / "sh"
    planted.write_bytes(b"#!/bin/sh\n")
    os.chown(planted, NOBODY, NOBODY)
    planted.chmod(0o6755)
    os.chown(sub, NOBODY, NOBODY)

    with planted.open("r+b") as held:
        assert tool.repo("doctor", "--fix-permissions", "--yes").code == 0
        held.write(b"written by who had it open")
    status = planted.stat()

    assert (status.st_uid, status.st_mode & 0o7777) == (0, 0o644)
    assert planted.read_bytes() == b"#!/bin/sh\n"
    assert [path.name for path in sub.iterdir()] == ["sh"]


def test_a_file_with_further_names_keeps_its_mode(tool: Cli) -> None:
    tool.fill(("RHEL7-64",))
    secret = tool.folder / "secret"
    secret.write_bytes(b"")
    secret.chmod(0o600)
    (tool.repository / SUBFOLDER).mkdir()
    (tool.repository / SUBFOLDER / "lock").hardlink_to(secret)

    assert tool.repo("prune", "--yes").code == 3
    assert secret.stat().st_mode & 0o777 == 0o600


@of_root
def test_a_pipe_of_another_user_in_the_place_of_the_configuration_is_not_waited_for(tool: Cli) -> None:
    os.mkfifo(tool.folder / "config.yaml", 0o600)
    os.chown(tool.folder / "config.yaml", NOBODY, NOBODY)
    answer = tool.json("--config", "config.yaml", "list")
    assert (answer.code, answer.error["code"]) == (2, "untrusted-file")


def test_what_is_still_not_believed_is_no_success(tool: Cli) -> None:
    tool.fill(("RHEL7-64",))
    etc = tool.folder / "etc"
    etc.mkdir()
    (etc / "config.yaml").write_text("retired_keep: 3\n", encoding="utf-8")
    sub = tool.repository / SUBFOLDER
    sub.mkdir()
    for path in (etc, sub):
        path.chmod(0o777)
    line = ("--config", "etc/config.yaml", "--repository", "repo", "doctor")

    looked = tool.json(*line)
    assert looked.code == 1
    said = [
        (check["health"], check["message"]) for check in looked.document["checks"] if check["check"] == "permissions"
    ]
    assert {health for health, _ in said} == {"error"}
    corrected = tool.json(*line, "--fix-permissions", "--yes")
    assert corrected.code == 1
    assert "etc can be changed by every user" in corrected.err + corrected.out
    assert [path.stat().st_mode & 0o777 for path in (etc, sub)] == [0o777, 0o755]

    etc.chmod(0o755)
    assert tool.json(*line, "--fix-permissions", "--yes").code == 0
    assert tool("--config", "etc/config.yaml", "--repository", "repo", "list").code == 0


def test_the_installers_themselves_are_never_touched(tool: Cli) -> None:
    tool.fill(("RHEL7-64",))
    installer = tool.repository / name_of("RHEL7-64")
    installer.chmod(0o666)

    assert tool.repo("doctor", "--fix-permissions", "--yes").code == 0
    assert installer.stat().st_mode & 0o777 == 0o666


@pytest.mark.parametrize("what", ["folder", "file"])
def test_a_cache_that_others_can_write_is_ignored(tool: Cli, what: str) -> None:
    name = name_of("RHEL7-64")
    path = tool.put(name, data_of(name)[:900])
    assert tool.repo("audit", "--deep", "--package", "RHEL7-64").code == 1
    cache = Path(os.environ["REPO_MANAGER_CACHE_DIR"])
    (file,) = tool.memory
    assert "corrupt" in file.read_text(encoding="ascii")
    file.write_text(
        file.read_text(encoding="ascii").replace('"corrupt"', '""').replace("partial", ""), encoding="ascii"
    )
    planted = file.read_bytes()
    assert tool.repo("audit", "--package", "RHEL7-64").code == 0
    {"folder": cache, "file": file}[what].chmod(0o777)

    tool.repo("audit", "--package", "RHEL7-64")

    assert path.is_file()
    found = tool.repo_json("sync", "--package", "RHEL7-64", "--dry-run", "--source", "source")
    assert name in found.out
    if what == "folder":
        assert file.read_bytes() == planted


# A working directory that is used without the folders above it


def _enter(tool: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """A world of the user without special rights, in a folder that this user may not enter."""
    # What is named by its whole path is out of reach there.
    monkeypatch.setenv("ProgramData", "/missing")
    for path in (tool.folder, *tool.folder.rglob("*")):
        os.chown(path, NOBODY, NOBODY)
    tool.folder.parent.chmod(0o700)


@of_root
@pytest.mark.parametrize("world", [_configuration, _catalog, _tokens, _credentials])
def test_a_relative_path_is_used_where_the_folders_above_may_not_be_entered(
    open_tool: Cli, world: Callable[[Cli], tuple[Path, list[str]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    open_tool.repository.mkdir()
    _, arguments = world(open_tool)
    expected = open_tool.json(*arguments)
    _enter(open_tool, monkeypatch)

    answer = unprivileged(open_tool, "--json", *arguments)

    assert "untrusted-file" not in answer.out
    assert answer.code == expected.code


@of_root
@pytest.mark.parametrize("world", [_configuration, _catalog, _tokens, _credentials, _certificates])
@pytest.mark.parametrize("what", ["file", "folder"])
def test_what_others_can_change_there_is_not_believed(
    open_tool: Cli, world: Callable[[Cli], tuple[Path, list[str]]], what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_tool.repository.mkdir()
    file, arguments = world(open_tool)
    open_tool.json(*arguments)
    _enter(open_tool, monkeypatch)
    path = {"file": file, "folder": open_tool.folder}[what]
    path.chmod(path.stat().st_mode | 0o022)

    answer = unprivileged(open_tool, "--json", *arguments)

    assert (answer.code, answer.error["code"]) == (2, "untrusted-file")
    assert f"{path} can be changed by" in answer.error["message"] or what == "file"


@of_root
def test_a_set_is_published_by_its_whole_path_so_its_folders_must_be_open(
    open_tool: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, arguments = _keys(open_tool)
    _enter(open_tool, monkeypatch)

    answer = unprivileged(open_tool, "--json", *arguments)

    assert (answer.code, answer.error["code"]) == (3, "no-rights")
    assert str(open_tool.folder / "set") in answer.error["message"]


# The repository and the installers in it are reported, never refused


def _exposure(tool: Cli) -> list[str]:
    document = tool.repo_json("audit", "--package", "RHEL7-64").document
    found = [finding for finding in document["findings"] if finding["code"] == "writable-by-others"]
    assert {(finding["severity"], finding["file"]) for finding in found} <= {("warning", None)}
    return [finding["message"] for finding in found]


def _in_doctor(tool: Cli) -> list[tuple[str, str, str]]:
    checks = tool.repo_json("doctor").document["checks"]
    return [(each["health"], each["message"], each["hint"]) for each in checks if each["check"] == "installers"]


def test_installers_that_others_can_change_are_one_finding_and_nothing_is_refused(tool: Cli) -> None:
    tool.fill(("RHEL7-64", "OL7-64", "RHEL8-64"))
    assert (_exposure(tool), _in_doctor(tool)) == ([], []), "a default installation is closed"
    for package in ("RHEL7-64", "OL7-64"):
        (tool.repository / name_of(package)).chmod(0o666)
    first = min(name_of("RHEL7-64"), name_of("OL7-64"))
    message = f"{first} can be changed by every user (mode 0666), and 1 more can be changed by others"

    assert _exposure(tool) == [message]
    ((health, said, hint),) = _in_doctor(tool)
    assert (health, said) == ("warning", message)
    assert "chmod go-w repo repo/*" in hint
    assert tool.repo("audit", "--package", "RHEL7-64").code == 0, "a warning"
    assert tool.repo("audit", "--package", "RHEL7-64", "--fail-on", "warning").code == 1


@of_root
def test_an_installer_of_another_user_is_reported(tool: Cli) -> None:
    tool.fill(("RHEL7-64",))
    os.chown(tool.repository / name_of("RHEL7-64"), NOBODY, -1)
    (message,) = _exposure(tool)
    assert message.startswith(f"{name_of('RHEL7-64')} belongs to ")
    assert "chown root repo repo/*" in _in_doctor(tool)[0][2]


@pytest.mark.parametrize(("mode", "said"), [(0o777, True), (0o775, True), (0o1777, False), (0o755, False)])
def test_a_repository_in_which_others_can_exchange_installers_is_reported(tool: Cli, mode: int, *, said: bool) -> None:
    tool.fill(("RHEL7-64",))
    tool.repository.chmod(mode)
    found = _exposure(tool)
    assert len(found) == said
    assert all("so others can replace every installer" in message for message in found)
    assert len(_in_doctor(tool)) == said


def test_doctor_says_where_a_file_system_keeps_no_owners(tool: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    tool.fill(("RHEL7-64",))

    def owners() -> list[tuple[str, str]]:
        checks = tool.repo_json("doctor").document["checks"]
        return [(each["health"], each["message"]) for each in checks if each["check"] == "owners"]

    device = tool.repository.stat().st_dev
    number = f"{os.major(device)}:{os.minor(device)}"
    mounts = tool.folder / "mountinfo"
    monkeypatch.setattr(trusted_files, "_MOUNTS", mounts)
    for kind, keeps in (("ext4", True), ("cifs", False), ("vfat", False)):
        mounts.write_text(f"36 35 {number} / / rw - {kind} /dev/x rw\n", encoding="utf-8")
        said = f"repo: this file system keeps none ({kind}), so who can change files there cannot be judged"
        assert owners() == ([] if keeps else [("warning", said)])

    (tool.repository / name_of("RHEL7-64")).chmod(0o666)
    assert _exposure(tool) == [], "what such a file system shows proves nothing"
