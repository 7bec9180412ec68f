"""The documents and exit codes that scripts rely on: each is produced by the situation it stands for."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from cli_world import CLASSIC, OLD, ROOT, InstantService, data_of, name_of, real, tree
from server_world import NoServer

if TYPE_CHECKING:
    from pathlib import Path

    from cli_world import Cli

PLAN_ACTION = {"action", "package", "name", "source", "bytes", "reason"}
FINDING = {"code", "severity", "package", "file", "message", "fix"}
PACKAGE = {"package", "required", "manual", "state", "file", "version", "newest"}
CODES = {
    "missing", "outdated", "duplicate", "stray", "partial", "corrupt", "mislabelled", "unknown-package",
    "mixed-releases", "newer-than-server", "withdrawn-release", "unsupported-release", "vulnerable-release",
    "restart-pending", "second-folder-differs", "modernized-only", "machine-without-package", "machine-ambiguous",
    "writable-by-others",
}  # fmt: skip


def test_parse_says_every_part_of_a_name_and_why_a_text_is_none(tool: Cli) -> None:
    answer = tool.json("parse", "Microsoft-ASR_UA_9.30.0.0_UBUNTU-16.04-64_GA_22Oct2019_release.tar.gz", "hello.txt")
    assert answer.code == 1
    assert answer.document["schema"] == "repo-manager/parse/1"
    good, bad = answer.document["names"]
    assert good.items() >= {
        "name": "Microsoft-ASR_UA_9.30.0.0_UBUNTU-16.04-64_GA_22Oct2019_release.tar.gz",
        "ok": True,
        "product": "Microsoft-ASR_UA",
        "version": "9.30.0.0",
        "release": "9.30",
        "package": "UBUNTU-16.04-64",
        "known": True,
        "channel": "GA",
        "date": "2019-10-22",
        "config": "release",
        "extension": ".tar.gz",
        "build": "9.30.5407.1",
        "build_derived": True,
    }.items()  # fmt: skip
    assert bad.keys() >= {"name", "ok", "reason"}
    assert not bad["ok"]


def test_parse_of_good_names_alone_is_done(tool: Cli) -> None:
    assert tool("parse", name_of("RHEL9-64")).code == 0


def test_resolve_says_which_package_and_which_file_and_never_guesses(tool: Cli) -> None:
    tool.fill(("RHEL7-64",))
    answer = tool.repo_json("resolve", "Red Hat Enterprise Linux 7.9", "Debian", "Solaris 11", "Ubuntu 16.04")
    assert answer.code == 1
    assert answer.document["schema"] == "repo-manager/resolve/1"
    answers = answer.document["answers"]
    assert all(item.keys() >= {"query", "status", "package", "candidates", "file", "why"} for item in answers)
    assert [(item["status"], item["package"], item["file"]) for item in answers] == [
        ("resolved", "RHEL7-64", name_of("RHEL7-64")),
        ("ambiguous", None, None),
        ("unsupported", None, None),
        ("resolved", "UBUNTU-16.04-64", None),
    ]
    assert "DEBIAN7-64" in answers[1]["candidates"]
    assert all(item["why"] for item in answers)


def test_resolve_of_what_nobody_understands_is_unknown(tool: Cli) -> None:
    answer = tool.json("resolve", "my old server")
    assert (answer.code, answer.document["answers"][0]["status"]) == (1, "unknown")


def test_resolve_with_an_answer_is_done(tool: Cli) -> None:
    assert tool.json("resolve", "rhel 7.9").code == 0


def test_list_says_what_every_file_is(tool: Cli) -> None:
    tool.mess()
    answer = tool.repo_json("list")
    assert answer.code == 0
    document = answer.document
    assert document["schema"] == "repo-manager/list/1"
    assert document["repository"] == tool.shown
    files = {item["name"]: item for item in document["files"]}
    assert set(files) == tool.names()
    assert all(item.keys() >= {"name", "kind", "package", "version", "date", "bytes"} for item in document["files"])
    assert {item["kind"] for item in document["files"]} == {"installer", "push-client", "partial", "stray"}
    old = files["Microsoft-ASR_UA_9.64.7374.1_RHEL8-64_GA_11Mar2025_release.tar.gz"]
    assert (old["package"], old["version"], old["date"]) == ("RHEL8-64", "9.64.7374.1", "2025-03-11")
    assert files["who-to-call.txt"]["package"] is None
    assert files["who-to-call.txt"]["bytes"] == len(b"the backup team")


def test_audit_says_what_is_wrong_with_every_package_and_file(tool: Cli) -> None:
    tool.mess()
    answer = tool.repo_json("audit", "--deep")
    assert answer.code == 1
    document = answer.document
    assert document.keys() >= {"repository", "profile", "release", "packages", "findings", "summary"}
    assert (document["schema"], document["profile"], document["release"]) == ("repo-manager/audit/1", "classic", "9.66")
    assert all(item.keys() >= PACKAGE for item in document["packages"])
    assert {item["state"] for item in document["packages"]} == {"ok", "missing", "outdated", "duplicate", "corrupt"}
    assert all(item.keys() >= FINDING for item in document["findings"])
    found = {item["code"] for item in document["findings"]}
    assert found == {
        "missing", "outdated", "duplicate", "stray", "partial", "corrupt", "mislabelled", "unknown-package",
        "mixed-releases",
    }  # fmt: skip
    assert found <= CODES
    severities = [item["severity"] for item in document["findings"]]
    assert severities == sorted(severities, key=["error", "warning", "info"].index)
    assert document["summary"] == {
        "errors": severities.count("error"),
        "warnings": severities.count("warning"),
        "infos": severities.count("info"),
    }
    assert all(item["fix"].startswith("repo-manager --repository repo ") for item in document["findings"])


def test_every_fix_of_an_audit_is_a_command_that_is_understood(tool: Cli) -> None:
    tool.mess()
    source = str(tool.fill_source())
    for fix in {item["fix"] for item in tool.repo_json("audit", "--deep").document["findings"]}:
        words = fix.split()[1:]
        changing = {"sync", "prune"}.intersection(words)
        extra = ["--dry-run", *(["--source", source] if "sync" in words else [])] if changing else []
        assert tool(*words, *extra).code == 0, fix


def test_show_says_all_that_is_known_of_a_package(tool: Cli) -> None:
    document = tool.json("show", "rhel5-64").document
    assert document["schema"] == "repo-manager/show/1"
    assert document.keys() >= {"package", "systems", "release", "links", "manual", "guide"}
    assert document["package"] == "RHEL5-64"
    assert document["manual"] is True
    assert {link["release"] for link in document["links"]} == {"9.64", "9.65", "9.66"}


def test_sync_says_what_became_of_every_action(tool: Cli) -> None:
    tool.mess()
    tool.service = InstantService()
    answer = tool.repo_json("sync", "--source", str(tool.fill_source()), "--yes")
    assert answer.code == 0, answer.err
    document = answer.document
    assert document["schema"] == "repo-manager/sync/1"
    assert document["transaction"]
    assert document["service"].items() >= {"restarted": True, "state": "running"}.items()
    assert all(item.keys() >= {*PLAN_ACTION, "result"} for item in document["actions"])
    assert {item["action"] for item in document["actions"]} == {"download", "place", "retire", "restart"}
    assert {item["result"] for item in document["actions"]} == {"done"}


@pytest.mark.parametrize(
    ("arguments", "kinds"),
    [
        (("sync", "--dry-run", "--source", "source"), {"download", "place", "retire", "restart"}),
        (("prune", "--dry-run"), {"retire", "restart"}),
        (("add", "--dry-run", f"source/{name_of('RHEL5-64')}"), {"place", "restart"}),
        (("download", "--dry-run", "all", "--to", "carry", "--source", "source"), {"download"}),
        (("restart", "--dry-run"), {"restart"}),
    ],
)
def test_a_dry_run_prints_a_plan_and_changes_nothing(tool: Cli, arguments: tuple[str, ...], kinds: set[str]) -> None:
    tool.mess()
    tool.fill_source()
    tool.service = InstantService()
    before = tree(tool.folder)
    answer = tool.repo_json(*arguments)
    assert answer.code == 0, answer.err
    assert answer.document["schema"] == "repo-manager/plan/1"
    assert all(item.keys() >= PLAN_ACTION for item in answer.document["actions"])
    assert {item["action"] for item in answer.document["actions"]} == kinds
    assert tree(tool.folder) == before
    assert tool.service.starts == 0


def test_download_says_what_it_carried(tool: Cli) -> None:
    answer = tool.json("download", "RHEL5-64", "--to", "carry", "--source", str(tool.fill_source()))
    assert answer.code == 0, answer.err
    (item,) = answer.document["files"]
    assert item.keys() >= {"name", "package", "bytes", "sha256", "result"}
    assert (item["package"], item["result"]) == ("RHEL5-64", "done")


def test_restore_lists_what_was_done(tool: Cli) -> None:
    tool.mess()
    identity = tool.repo_json("prune", "--yes").document["transaction"]
    answer = tool.repo_json("restore")
    assert answer.code == 0
    (item,) = answer.document["transactions"]
    assert (item["id"], item["command"]) == (identity, "prune")


def test_restart_says_what_became_of_the_service(tool: Cli) -> None:
    tool.fill()
    tool.service = InstantService()
    answer = tool.repo_json("restart")
    assert answer.code == 0
    assert answer.document["service"].items() >= {"restarted": True, "state": "running"}.items()
    assert tool.service.starts == 1


@pytest.mark.parametrize("more", [(), ("--dry-run",)])
def test_a_restart_without_such_a_service_fails(tool: Cli, more: tuple[str, ...]) -> None:
    tool.fill()
    answer = tool.repo_json("restart", *more)
    assert (answer.code, answer.error["code"]) == (5, "no-service")
    assert "no service 'InMage PushInstall'" in answer.error["message"]


def test_a_restart_in_a_profile_without_a_service_fails(tool: Cli) -> None:
    tool.fill()
    config = tool.config("profiles: {lab: {repository: repo, service: none}}")
    answer = tool.json("--config", config, "--profile", "lab", "restart")
    assert (answer.code, answer.error["code"]) == (5, "no-service")
    assert "the profile lab has no service" in answer.error["message"]


def test_a_change_on_a_machine_without_the_service_says_that_nothing_was_restarted(tool: Cli) -> None:
    tool.mess()
    answer = tool.repo_json("prune", "--yes")
    assert answer.code == 0
    assert [item["result"] for item in answer.document["actions"] if item["action"] == "restart"] == ["skipped"]
    assert answer.document["service"]["remark"] == "there is no service 'InMage PushInstall' here"
    assert "not restarted: there is no service 'InMage PushInstall' here" in answer.err


def test_a_catalog_that_is_sound_is_said_to_be(tool: Cli) -> None:
    answer = tool.json("catalog", "check")
    assert answer.code == 0
    assert answer.document.items() >= {"ok": True, "packages": 29}.items()


def test_catalog_show_has_packages_and_releases(tool: Cli) -> None:
    document = tool.json("catalog", "show").document
    assert document.keys() >= {"schema", "packages", "releases"}
    assert document["latest"] == "9.66"


def test_catalog_update_says_the_difference(tool: Cli) -> None:
    links = str(ROOT / "tests" / "data" / "AgentDownloadLinks.md")
    document = tool.json("catalog", "update", links, "--to", "mine.yaml", "--dry-run").document
    assert document.keys() >= {"schema", "added", "changed", "unchanged", "written"}
    assert document["written"] is False


def test_doctor_gives_every_check_a_health(tool: Cli) -> None:
    tool.fill()
    answer = tool.repo_json("doctor")
    assert answer.code == 0
    checks = answer.document["checks"]
    assert all(item.keys() >= {"check", "health", "message", "hint"} for item in checks)
    named = {item["check"] for item in checks}
    assert named >= {"folder", "rights", "service", "disk", "proxy", "tls", "clock", "second folder", "antivirus"}


def test_doctor_without_a_repository_says_what_must_be_mended(tool: Cli) -> None:
    answer = tool.repo_json("doctor")
    assert answer.code == 1
    assert any(item["health"] == "error" and item["hint"] for item in answer.document["checks"])


def test_doctor_lists_where_it_looked_a_line_each(tool: Cli) -> None:
    tool.server = NoServer({"ProgramData": "/absent/data", "SystemDrive": "/absent/drive"})
    answer = tool("doctor")
    assert answer.code == 1
    lines = answer.out.replace("\\", "/").splitlines()
    assert any("/absent/data/" in line for line in lines)
    assert any("/absent/drive/" in line for line in lines)
    assert not any("/absent/data/" in line and "/absent/drive/" in line for line in lines)


def test_demo_tells_its_steps(tool: Cli) -> None:
    answer = tool.json("demo")
    assert answer.code == 0, answer.err
    steps = answer.document["steps"]
    assert steps[0]["audit"]["summary"]["errors"] > 0
    assert steps[1]["outcome"]["service"]["restarted"] is True
    assert steps[3]["audit"]["summary"]["errors"] == 0
    assert steps[4]["outcome"]["error"]["code"] == "service-did-not-start"
    assert tree(tool.folder) == {}


# Exit codes


def test_exit_0_of_an_audit_means_that_all_is_well(tool: Cli) -> None:
    tool.fill()
    answer = tool.repo_json("audit", "--deep")
    assert (answer.code, answer.document["findings"]) == (0, [])


@pytest.mark.parametrize(
    ("fail_on", "files", "code"),
    [
        ("error", "missing", 1),
        ("warning", "missing", 1),
        ("never", "missing", 0),
        ("error", "warned", 0),
        ("warning", "warned", 1),
        ("never", "warned", 0),
        ("warning", "well", 0),
    ],
)
def test_fail_on_decides_which_findings_make_exit_1(tool: Cli, fail_on: str, files: str, code: int) -> None:
    tool.fill(CLASSIC[:-1] if files == "missing" else CLASSIC)
    if files == "warned":
        tool.fill(("UBUNTU-24.04-64",))
    assert tool.repo("audit", "--fail-on", fail_on).code == code


def test_exit_3_a_transfer_failed_and_what_was_whole_stays(tool: Cli) -> None:
    tool.mess()
    tool.fill_source(("RHEL5-64", "RHEL6-64"))
    before = tree(tool.repository)
    answer = tool.repo_json("sync", "--source", "source", "--package", "RHEL5-64", "--package", "OL8-64", "--yes")
    assert answer.code == 3
    assert answer.document["error"]["code"]
    assert {item["result"] for item in answer.document["actions"] if item["action"] == "place"} <= {"skipped", "failed"}
    assert tree(tool.repository, own=False) == before
    assert (tool.repository / ".repo-manager" / "staging" / name_of("RHEL5-64")).is_file()


@pytest.mark.parametrize("fault", ["mislabelled", "cut off", "a login page", "empty"])
def test_exit_4_something_is_not_what_it_should_be_and_nothing_of_it_is_placed(tool: Cli, fault: str) -> None:
    tool.mess()
    tool.fill_source()
    name = name_of("RHEL5-64")
    bad = {
        "mislabelled": data_of(name, token="RHEL6-64"),  # noqa: S106 - a package
        "cut off": data_of(name)[:-200],
        "a login page": b"<html>please log in</html>",
        "empty": b"",
    }[fault]
    (tool.source / name).write_bytes(bad)
    before = tree(tool.repository)
    answer = tool.repo_json("sync", "--source", "source", "--yes")
    assert answer.code == 4
    assert name in answer.document["error"]["message"]
    assert answer.document["error"]["hint"]
    assert tree(tool.repository, own=False) == before


def test_exit_5_the_service_does_not_come_back_and_everything_is_as_it_was(tool: Cli) -> None:
    tool.mess()
    tool.fill_source()
    tool.service = InstantService(broken=1)
    before = tree(tool.repository)
    answer = tool.repo_json("sync", "--source", "source", "--yes")
    assert answer.code == 5
    assert answer.document["schema"] == "repo-manager/sync/1"
    assert answer.document["error"]["code"] == "service-did-not-start"
    results = {(item["action"], item["result"]) for item in answer.document["actions"]}
    assert results == {("download", "done"), ("place", "undone"), ("retire", "undone"), ("restart", "failed")}
    assert tree(tool.repository, own=False) == before
    assert answer.document["service"]["state"] == "running"
    assert tool.service.starts == 2


def test_exit_5_for_people_names_the_service_and_what_to_do(tool: Cli) -> None:
    tool.mess()
    tool.fill_source()
    tool.service = InstantService(broken=9)
    answer = tool.repo("sync", "--source", "source", "--yes")
    assert answer.code == 5
    assert "error[service-did-not-start]: 'InMage PushInstall'" in answer.err
    assert "hint: " in answer.err


def test_a_service_that_was_stopped_stays_stopped(tool: Cli) -> None:
    from repo_manager.core.service import ServiceState

    tool.mess()
    tool.service = InstantService(now=ServiceState.STOPPED)
    answer = tool.repo_json("prune", "--yes")
    assert (answer.code, tool.service.starts, tool.service.now) == (0, 0, ServiceState.STOPPED)


def test_no_restart_leaves_the_service_alone(tool: Cli) -> None:
    tool.mess()
    tool.service = InstantService()
    answer = tool.repo_json("prune", "--no-restart", "--yes")
    assert (answer.code, tool.service.starts) == (0, 0)
    assert answer.document["service"]["restarted"] is False
    assert all(item["action"] != "restart" for item in answer.document["actions"])


def test_exit_6_another_run_holds_the_lock(tool: Cli) -> None:
    tool.mess()
    holder = (
        "import sys, pathlib\n"
        "from repo_manager.adapters.filesystem.lock import Lock\n"
        "path = pathlib.Path('repo/.repo-manager'); path.mkdir()\n"
        "with Lock(path / 'lock', {'command': 'sync', 'since': '20260101T000000Z', 'pid': 4711, 'host': 'cs1'}):\n"
        "    print('held', flush=True); sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", holder], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=tool.folder
    ) as child:
        assert child.stdout is not None
        assert child.stdin is not None
        assert child.stdout.readline() == "held\n"
        before = tree(tool.repository, own=False)
        answer = tool.repo_json("prune", "--yes")
        looked = tool.repo("audit")
        child.stdin.close()
    assert answer.code == 6
    assert answer.error["code"] == "locked"
    assert "process 4711 on cs1" in answer.error["message"]
    assert answer.error["hint"]
    assert tree(tool.repository, own=False) == before
    assert looked.code == 1, "an audit needs no lock"
    assert tool.repo("prune", "--yes").code == 0, "the lock ends with its holder"


def test_exit_7_the_second_folder_cannot_be_written(tool: Cli) -> None:
    tool.fill(("RHEL7-64",))
    tool.fill_source()
    second = tool.folder / "sw"
    second.mkdir()
    (second / ".repo-manager").write_bytes(b"in the way")
    config = tool.config("second_folder: sw\n")
    answer = tool.repo_json("--config", config, "sync", "--source", "source", "--yes")
    assert answer.code == 7
    assert answer.document["second_folder"]["error"]["code"]
    assert "error[" in answer.err
    assert tree(second) == {".repo-manager": tree(second)[".repo-manager"]}
    assert tool.repo("audit").code == 0, "the repository itself is done"


def test_a_second_folder_is_made_equal(tool: Cli) -> None:
    tool.fill(("RHEL7-64",))
    tool.fill_source()
    second = tool.folder / "sw"
    second.mkdir()
    (second / "index.html").write_bytes(b"the web server's own")
    (second / name_of("RHEL7-64", OLD)).write_bytes(data_of(name_of("RHEL7-64", OLD)))
    config = tool.config("second_folder: sw\n")
    answer = tool.repo_json("--config", config, "sync", "--source", "source", "--yes")
    assert answer.code == 0, answer.err
    assert {path.name for path in second.iterdir() if path.is_file()} == tool.names() | {"index.html"}
    judged = tool.repo_json("--config", config, "audit", "--deep")
    assert (judged.code, judged.document["findings"]) == (0, [])


# Errors


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("--frobnicate",), "usage"),
        (("frobnicate",), "usage"),
        (("list", "--frobnicate"), "usage"),
        (("list", "too", "much"), "usage"),
        (("parse",), "usage"),
        (("catalog", "frobnicate"), "usage"),
        (("audit", "--format", "papyrus"), "usage"),
        (("prune", "--keep", "many"), "usage"),
        (("download", "RHEL9-64", "--release", "nine"), "not-a-release"),
        (("--profile", "azure", "list"), "unknown-profile"),
        (("--profile", "azure", "--repository", ".", "list"), "unknown-profile"),
        (("--config", "none.yaml", "list"), "no-configuration"),
        (("--catalog", "none.yaml", "catalog", "check"), "no-catalog"),
        (("list",), "no-repository"),
        (("--repository", "none", "list"), "no-repository"),
        (("--repository", "none", "sync"), "no-repository"),
        (("--repository", "none", "prune"), "no-repository"),
        (("--repository", "none", "audit"), "no-repository"),
        (("--repository", "none", "restore"), "no-repository"),
        (("show", "RHEL77"), "unknown-package"),
        (("download", "RHEL77"), "unknown-package"),
        (("resolve",), "usage"),
        (("resolve", "--os-release", "none"), "no-file"),
        (("catalog", "update", "none.md", "--to", "x.yaml"), "no-file"),
    ],
)  # fmt: skip
def test_exit_2_is_a_document_on_stdout_and_one_message_on_stderr(
    tool: Cli, arguments: tuple[str, ...], code: str
) -> None:
    before = tree(tool.folder)
    answer = tool.json(*arguments)
    assert (answer.code, answer.error["code"]) == (2, code)
    assert answer.error["message"]
    assert answer.error["hint"]
    assert answer.err.count("error[") == 1
    assert "  hint: " in answer.err
    assert "Traceback" not in answer.err
    assert tree(tool.folder) == before


@pytest.mark.parametrize("arguments", [(), ("catalog",)])
def test_a_command_line_without_a_command_shows_the_help_on_stderr(tool: Cli, arguments: tuple[str, ...]) -> None:
    answer = tool(*arguments)
    assert (answer.code, answer.out) == (2, "")
    assert "Commands:" in answer.err


def test_a_group_without_a_command_is_an_error_document_too(tool: Cli) -> None:
    answer = tool.json("catalog")
    assert (answer.code, answer.document["error"]["code"]) == (2, "usage")


@pytest.mark.parametrize(
    "words", [("audit", "--nosuch", "--json"), ("audit", "--fail-on", "bogus", "--json"), ("bogus", "--json")]
)
def test_an_error_is_json_also_where_that_is_asked_for_behind_what_is_wrong(tool: Cli, words: tuple[str, ...]) -> None:
    answer = tool(*words)
    assert (answer.code, answer.error["code"]) == (2, "usage")


def test_a_name_that_looks_like_an_option_asks_for_nothing(tool: Cli) -> None:
    answer = tool("parse", "--nosuch", "--", "--json")
    assert (answer.code, answer.out) == (2, "")


def test_an_error_is_json_also_where_only_the_format_asks_for_it(tool: Cli) -> None:
    assert tool("audit", "--format", "json").error["code"] == "no-repository"


def test_an_error_is_json_also_where_only_the_configuration_asks_for_it(tool: Cli) -> None:
    config = tool.config("json: true\n")
    assert tool("--config", config, "list").error["code"] == "no-repository"


def test_an_error_is_json_also_where_only_the_variable_asks_for_it(tool: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REPO_MANAGER_JSON", "1")
    assert tool("frobnicate").error["code"] == "usage"


def test_an_error_without_json_leaves_stdout_empty(tool: Cli) -> None:
    answer = tool("list")
    assert (answer.code, answer.out) == (2, "")


def test_a_traceback_is_shown_only_when_asked_for(tool: Cli) -> None:
    assert "Traceback" not in tool("-v", "list").err
    assert "Traceback" in tool("-vv", "list").err
    assert "Traceback" in tool("list", "-vv").err


def test_people_read_beside_the_document_unless_quiet(tool: Cli) -> None:
    tool.mess()
    answer = tool.repo_json("prune", "--yes")
    assert json.loads(answer.out)
    assert "retired" in answer.err
    tool.service = InstantService()
    assert tool.repo_json("-q", "restart").err == ""


# As people start it


@pytest.mark.skipif(sys.platform == "win32", reason="the tier lays the tree on Python's path and installs no script")
def test_the_module_and_the_script_are_the_same_program(tool: Cli) -> None:
    tool.mess()
    module = real("--repository", "repo", "list", "--json", cwd=tool.folder)
    script = subprocess.run(
        [str(_script()), "--repository", "repo", "list", "--json"], cwd=tool.folder, capture_output=True, check=False
    )
    assert module.returncode == script.returncode == 0
    assert module.stdout == script.stdout
    assert json.loads(module.stdout)["schema"] == "repo-manager/list/1"


def test_a_real_run_ends_with_the_exit_code_and_the_document_of_its_error(tool: Cli) -> None:
    answer = real("--json", "list", "--repository", "none", cwd=tool.folder)
    assert answer.returncode == 2
    assert json.loads(answer.stdout)["error"]["code"] == "no-repository"
    assert answer.stderr.startswith(b"error[no-repository]: there is no folder ")
    assert b"none" in answer.stderr.splitlines()[0]


@pytest.mark.parametrize("arguments", [("--version",), ("list", "--help"), ("--help",)])
def test_what_is_asked_about_the_program_itself_is_answered_on_stdout(tool: Cli, arguments: tuple[str, ...]) -> None:
    answer = real(*arguments, cwd=tool.folder)
    assert answer.returncode == 0
    assert answer.stdout
    assert answer.stderr == b""


def _script() -> Path:
    from pathlib import Path

    return Path(sys.executable).parent / "repo-manager"
