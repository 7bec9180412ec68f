"""Followers that report, and `fleet audit` as people and programs call it."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from cli_world import SUBFOLDER, Cli, data_of, name_of, real, unprivileged
from json_schemas import check
from object_stores import s3_server
from web_world import make_tokens, serving

from repo_manager.adapters.filesystem.lock import Lock
from repo_manager.core import fleet
from repo_manager.web.tokens import BearerRole

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cli_world import Answer
    from object_stores import S3Server

FOUR = ("RHEL7-64", "OL7-64", "DEBIAN11-64", "Windows")


def _led(tool: Cli, place: str = "depot", tokens: tuple[str, ...] = FOUR) -> str:
    tool.fill(tokens)
    answer = tool.repo_json("publish", place, "--keys", "keys")
    assert answer.code == 0, answer.err
    return str(answer.document["root"])


def _mirror(tool: Cli, host: str, *more: str, source: str = "depot") -> Answer:
    (tool.folder / host).mkdir(exist_ok=True)
    return tool("--json", "--repository", host, "mirror", source, "--host", host, *more, "--yes")


def _kept(tool: Cli, host: str, place: str = "depot") -> dict[str, Any]:
    found = json.loads((tool.folder / place / "reports" / f"report-{host}.json").read_bytes())
    assert isinstance(found, dict)
    check(found)
    return found


def _fleet(tool: Cli, text: str) -> str:
    (tool.folder / "fleet.yaml").write_text(text, encoding="utf-8")
    return "fleet.yaml"


def _conditions(answer: Answer) -> dict[str, str]:
    return {server["host"]: server["condition"] for server in answer.document["servers"]}


@pytest.fixture(scope="module")
def s3() -> Iterator[S3Server]:
    with s3_server() as server:
        yield server


# mirror reports


def test_a_follower_reports_what_it_has_where_its_set_lies(tool: Cli) -> None:
    root = _led(tool)

    answer = _mirror(tool, "ps-01", "--trust", root)

    assert answer.document["report"] == {"sent": True, "to": "depot", "why": None}
    kept = _kept(tool, "ps-01")
    assert kept["run"] == {"command": "mirror", "exit_code": 0, "error": None}
    assert kept["set"] == {"root": root, "version": 1}
    assert {(item["package"], item["state"]) for item in kept["packages"]} == {(token, "ok") for token in FOUR}
    assert kept["summary"] == {"errors": 0, "warnings": 0, "infos": 0}
    assert fleet.parse(json.dumps(kept).encode()).host == "ps-01"


def test_a_run_without_anything_new_reports_too(tool: Cli) -> None:
    _mirror(tool, "ps-01", "--trust", _led(tool))
    shutil.rmtree(tool.folder / "depot" / "reports")

    answer = _mirror(tool, "ps-01")

    assert (answer.document["actions"], answer.document["report"]["sent"]) == ([], True)
    assert len(_kept(tool, "ps-01")["packages"]) == 4


@pytest.mark.parametrize(
    ("arguments", "exit_code", "code"),
    [
        (("--trust", "0" * 64), 4, "wrong-fingerprint"),
        ((), 2, "no-trust"),
    ],
)
def test_a_run_that_was_refused_reports_why_and_what_is_there(
    tool: Cli, arguments: tuple[str, ...], exit_code: int, code: str
) -> None:
    _led(tool)
    (tool.folder / "ps-01").mkdir()
    (tool.folder / "ps-01" / name_of("OL8-64")).write_bytes(data_of(name_of("OL8-64")))

    assert _mirror(tool, "ps-01", *arguments).code == exit_code

    kept = _kept(tool, "ps-01")
    assert kept["run"] == {"command": "mirror", "exit_code": exit_code, "error": code}
    assert kept["set"] is None
    assert [item["package"] for item in kept["packages"]] == ["OL8-64"]


def test_a_change_that_failed_reports_the_state_that_was_kept(tool: Cli) -> None:
    root = _led(tool)
    payload = next((tool.folder / "depot" / "targets").glob("*_Windows_*"))
    payload.write_bytes(payload.read_bytes()[:-1])

    answer = _mirror(tool, "ps-01", "--trust", root)

    assert answer.code == _kept(tool, "ps-01")["run"]["exit_code"] != 0
    assert answer.document["report"]["sent"]
    assert {item["state"] for item in _kept(tool, "ps-01")["packages"]} == {"missing"}


def test_outside_its_hours_a_follower_reports_that_it_waits(tool: Cli) -> None:
    soon = datetime.now().astimezone() + timedelta(hours=2)
    window = f"{soon:%H:%M}-{soon + timedelta(hours=1):%H:%M}"

    assert _mirror(tool, "ps-01", "--trust", _led(tool), "--window", window).code == 1

    assert _kept(tool, "ps-01")["run"] == {"command": "mirror", "exit_code": 1, "error": "window-closed"}
    answer = tool("fleet", "audit", "--set", "depot")
    assert answer.code == 1, "it differs, and has not failed"
    assert "ps-01: waits for its hours; " in answer.out


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        pytest.param(("--no-report",), "switched-off", id="not wanted"),
        pytest.param(("--unsigned",), "unsigned-source", id="a plain folder may be a repository"),
    ],
)
def test_where_nobody_is_to_be_told_nothing_is_written(tool: Cli, arguments: tuple[str, ...], why: str) -> None:
    root = _led(tool)
    source = "repo" if "--unsigned" in arguments else "depot"
    more = arguments if "--unsigned" in arguments else (*arguments, "--trust", root)

    answer = _mirror(tool, "ps-01", *more, source=source)

    assert (answer.code, answer.document["report"]) == (0, {"sent": False, "to": None, "why": why})
    assert not list(tool.folder.rglob("report-*.json"))


def test_neither_a_preview_nor_a_run_that_must_wait_reports(tool: Cli) -> None:
    root = _led(tool)
    assert "report" not in _mirror(tool, "ps-01", "--trust", root, "--dry-run").document
    assert _mirror(tool, "ps-01", "--trust", root).code == 0
    shutil.rmtree(tool.folder / "depot" / "reports")
    owner: dict[str, str | int] = {"pid": 1, "host": "here", "command": "mirror", "since": "now"}
    with Lock(tool.folder / "ps-01" / SUBFOLDER / "lock", owner):
        assert _mirror(tool, "ps-01").code == 6
    assert not (tool.folder / "depot" / "reports").exists()


def test_reports_go_to_the_place_that_is_named(tool: Cli) -> None:
    (tool.folder / "told").mkdir()

    answer = _mirror(tool, "ps-01", "--trust", _led(tool), "--report-to", "told")

    assert answer.document["report"]["to"] == "told"
    assert _kept(tool, "ps-01", "told")["host"] == "ps-01"
    assert not (tool.folder / "depot" / "reports").exists()


def test_a_place_that_is_gone_changes_no_exit_code_and_is_not_made(tool: Cli) -> None:
    answer = _mirror(tool, "ps-01", "--trust", _led(tool), "--report-to", "gone")

    assert answer.code == 0
    assert answer.document["report"] == {"sent": False, "to": "gone", "why": "source-went-away"}
    assert "warning: the report could not be sent: gone: the folder is not there" in answer.err
    assert not (tool.folder / "gone").exists()


def test_a_source_that_is_gone_is_not_made_by_the_report(tool: Cli) -> None:
    _mirror(tool, "ps-01", "--trust", _led(tool))
    (tool.folder / "depot").rename(tool.folder / "unmounted")

    assert _mirror(tool, "ps-01").code == 3

    assert not (tool.folder / "depot").exists()


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        pytest.param(("--host", "a b"), "bad-host", id="no name"),
        pytest.param(("--report-to", "https://u:p@x"), "secret-in-source", id="a password in the address"),
    ],
)
def test_bad_input_is_refused_before_anything_is_fetched(tool: Cli, arguments: tuple[str, ...], code: str) -> None:
    root = _led(tool)
    (tool.folder / "ps-01").mkdir()

    answer = tool("--json", "--repository", "ps-01", "mirror", "depot", "--trust", root, *arguments, "--yes")

    assert (answer.code, answer.error["code"]) == (2, code)
    assert list((tool.folder / "ps-01").iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="rights are of another kind there")
def test_a_place_without_rights_is_said_once(open_tool: Cli) -> None:
    tool = open_tool
    root = _led(tool)
    _mirror(tool, "ps-01", "--trust", root, "--no-report")
    if os.geteuid() == 0:
        for path in (tool.folder / "ps-01", *(tool.folder / "ps-01").rglob("*"), tool.folder.parent / "cache"):
            os.chown(path, 65534, 65534)
    (tool.folder / "depot").chmod(0o755)
    line = ("--repository", "ps-01", "mirror", "depot", "--host", "ps-01", "--yes")

    first, second = unprivileged(tool, *line), unprivileged(tool, *line)

    assert (first.code, second.code) == (0, 0)
    assert "no report was sent, and none is tried so for a day" in first.err
    assert "report" not in second.err
    remembered = json.loads((tool.folder / "ps-01" / SUBFOLDER / "reporting.json").read_bytes())
    assert (remembered["place"], remembered["code"]) == ("depot", "no-rights")


def test_a_place_that_gives_nothing_does_not_keep_a_run(tool: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REPO_MANAGER_DEPOT_TOKEN", "rmt_" + "7" * 64)
    with socket.create_server(("127.0.0.1", 0)) as mute:
        place = f"http://127.0.0.1:{mute.getsockname()[1]}"
        answer = _mirror(tool, "ps-01", "--trust", _led(tool), "--report-to", place)
    assert (answer.code, answer.document["report"]["why"]) == (0, "stalled")
    assert "rmt_" not in answer.out + answer.err


def test_what_is_remembered_costs_no_library(tool: Cli) -> None:
    root = _led(tool)
    _mirror(tool, "ps-01", "--trust", root)
    script = (
        "import sys\n"
        "from repo_manager import cli\n"
        "code = cli.main(['--quiet', '--repository', 'ps-01', 'mirror', 'depot'])\n"
        "print(code, sorted({'tuf', 'cryptography', 'httpx', 'obstore', 'rich', 'starlette'} & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tool.folder, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout.splitlines()[-1] == "0 []", done.stderr


# serve in between


def test_serve_takes_the_reports_and_a_reader_audits_them(tool: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    root = _led(tool)
    tokens = tool.folder / "tokens.json"
    secrets = make_tokens(
        tokens, datetime.now(UTC), ("ps-01", BearerRole.REPORT, ("ps-01",)), ("office", BearerRole.READ, ())
    )
    with serving(tool.folder / "depot", tokens_file=tokens, reports=tool.folder / "kept") as served:
        monkeypatch.setenv("REPO_MANAGER_DEPOT_TOKEN", secrets["ps-01"])
        first = _mirror(tool, "ps-01", "--trust", root, source=served.url)
        other = _mirror(tool, "ps-02", "--trust", root, source=served.url)
        refused = tool.json("fleet", "audit", "--reports", served.url)
        monkeypatch.setenv("REPO_MANAGER_DEPOT_TOKEN", secrets["office"])
        seen = tool.json("fleet", "audit", _fleet(tool, f"set: {served.url}\nservers: [{{name: ps-01}}]\n"))
        monkeypatch.delenv("REPO_MANAGER_DEPOT_TOKEN")
        unknown = _mirror(tool, "ps-02", source=served.url)

    assert first.document["report"] == {"sent": True, "to": served.url, "why": None}
    assert (other.code, other.document["report"]["why"]) == (0, "access-denied")
    assert "REPO_MANAGER_DEPOT_TOKEN" in other.err
    assert (refused.code, refused.error["code"]) == (3, "access-denied")
    assert (seen.code, _conditions(seen)) == (0, {"ps-01": "current"})
    assert seen.document["wanted"]["set"] == {"root": root, "version": 1}
    assert unknown.code == 3, "without a token not even the set is seen"
    said = first.out + first.err + other.err + refused.err + seen.out
    assert not any(secret in said for secret in secrets.values())


def test_serve_expects_the_servers_of_a_file(tool: Cli) -> None:
    _led(tool)
    bad = tool.json("serve", "--set", "depot", "--fleet", _fleet(tool, "servers:\n  - name: a b\n"))
    assert (bad.code, bad.error["code"]) == (2, "usage"), "nobody would report"
    tool("serve", "token", "add", "x", "--tokens", "t.json")
    options = ("--set", "depot", "--reports", "kept", "--tokens", "t.json", "--fleet", "fleet.yaml")
    bad = tool.json("serve", *options)
    assert (bad.code, bad.error["code"]) == (2, "invalid-fleet")
    assert "line 2, column 11" in bad.error["message"]


@pytest.mark.parametrize(
    ("said", "counts", "listed", "hours"),
    [
        pytest.param(None, False, None, 48, id="nobody says it"),
        pytest.param(None, False, 24, 24, id="the file says it"),
        pytest.param(12, True, 24, 12, id="a flag or a variable counts more"),
        pytest.param(100, False, 24, 24, id="the configuration counts less"),
        pytest.param(100, False, None, 100, id="and more than nothing"),
    ],
)
def test_serve_knows_when_a_server_is_silent(
    tool: Cli, said: int | None, listed: int | None, hours: int, *, counts: bool
) -> None:
    from repo_manager.adapters.status_reports.folder import ReportsFolder
    from repo_manager.cli.serve import _expect
    from repo_manager.web.app import Site
    from repo_manager.web.authenticator import Authenticator
    from repo_manager.web.signed_folder import SignedFolder

    site = Site(SignedFolder(tool.folder), Authenticator(None), ReportsFolder(tool.folder))
    _fleet(tool, f"{'' if listed is None else f'silent_after: {listed}'}\nservers:\n  - name: ps-09\n")

    _expect(site, tool.folder / "fleet.yaml", said, counts=counts)

    assert site.silent_after == timedelta(hours=hours)
    assert [server.host for server in site.expected()] == ["ps-09"]


def test_an_expected_server_that_never_reported_is_on_the_page(tool: Cli) -> None:
    from repo_manager.adapters.status_reports.expected import InventoryFile

    _led(tool)
    tokens = tool.folder / "tokens.json"
    secrets = make_tokens(tokens, datetime.now(UTC), ("office", BearerRole.READ, ()))
    file = InventoryFile(tool.folder / _fleet(tool, "servers:\n  - name: ps-09\n"))
    with serving(
        tool.folder / "depot", tokens_file=tokens, reports=tool.folder / "kept", expected=file.servers
    ) as served:
        page = served.get("/fleet", secrets["office"]).text
        numbers = served.get("/metrics", secrets["office"]).text
    assert "ps-09" in page
    assert "never reported" in page
    assert 'repo_manager_fleet_servers{condition="unheard"} 1' in numbers


def test_the_place_of_reports_may_know_another_token(tool: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """The set is read as one, the report is sent as another."""
    root = _led(tool)
    tokens = tool.folder / "tokens.json"
    secrets = make_tokens(tokens, datetime.now(UTC), ("all", BearerRole.REPORT, ()), ("office", BearerRole.READ, ()))
    file = tool.folder / "token"
    file.write_text(f"REPO_MANAGER_DEPOT_TOKEN={secrets['all']}\n", encoding="utf-8")
    file.chmod(0o600)
    config = tool.config("report_credentials: token\n")
    with serving(tool.folder / "depot", tokens_file=tokens, reports=tool.folder / "kept") as served:
        monkeypatch.setenv("REPO_MANAGER_DEPOT_TOKEN", secrets["office"])
        answer = _mirror(tool, "ps-01", "--trust", root, "--config", config, source=served.url)
    assert answer.document["report"]["sent"]


def test_a_token_that_was_mended_is_tried_at_once(tool: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    root = _led(tool)
    tokens = tool.folder / "tokens.json"
    secrets = make_tokens(
        tokens, datetime.now(UTC), ("one", BearerRole.REPORT, ("ps-01",)), ("two", BearerRole.REPORT, ("ps-02",))
    )
    kept = tool.folder / "ps-01" / SUBFOLDER / "reporting.json"
    with serving(tool.folder / "depot", tokens_file=tokens, reports=tool.folder / "kept") as served:
        monkeypatch.setenv("REPO_MANAGER_DEPOT_TOKEN", secrets["two"])
        first = _mirror(tool, "ps-01", "--trust", root, source=served.url)
        second = _mirror(tool, "ps-01", "-v", source=served.url)
        remembered = kept.read_text(encoding="utf-8")
        asked = [entry for entry in served.entries if entry.method == "POST"]
        monkeypatch.setenv("REPO_MANAGER_DEPOT_TOKEN", secrets["one"])
        third = _mirror(tool, "ps-01", source=served.url)

    whys = [answer.document["report"]["why"] for answer in (first, second, third)]
    assert whys == ["access-denied", "refused-lately", None]
    assert len(asked) == 1
    assert "none was tried" in second.err
    for secret in secrets.values():
        assert secret not in remembered
        assert secret[-8:] not in remembered


# An object store in between


def test_followers_of_a_store_report_there(tool: Cli, s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in s3.variables().items():
        monkeypatch.setenv(name, value)
    place = f"{s3.make('fleet')}/asr"
    root = _led(tool, place)
    for host in ("ps-01", "ps-02"):
        assert _mirror(tool, host, "--trust", root, source=place).document["report"]["sent"]
    tool.fill(("OL8-64",))
    assert tool.repo_json("publish", place, "--keys", "keys").code == 0
    assert _mirror(tool, "ps-02", source=place).code == 0

    answer = tool.json("fleet", "audit", "--set", place, "--trust", root)

    assert (answer.code, _conditions(answer)) == (1, {"ps-01": "behind", "ps-02": "current"})
    assert answer.document["wanted"]["verified"] is True
    assert "S3SECRETVALUE" not in answer.out + answer.err


# fleet audit


def test_some_are_down_slow_or_cannot_be_written_to_and_the_others_finish(tool: Cli) -> None:
    """Guarantee 11."""
    root = _led(tool)
    hosts = [f"ps-0{number}" for number in range(1, 6)]
    for host in hosts:
        assert _mirror(tool, host, "--trust", root).code == 0
    shutil.rmtree(tool.folder / "repo")
    tool.fill((*FOUR[:3], "OL8-64"))
    assert tool.repo_json("publish", "depot", "--keys", "keys", "--drop", "Windows").code == 0
    down, blocked, half, _, _ = hosts
    # One is down, one has a file where the tool's folder should be, one was half copied by another tool.
    (tool.folder / down).rename(tool.folder / "switched off")
    (tool.folder / blocked / SUBFOLDER).rename(tool.folder / "away")
    (tool.folder / blocked / SUBFOLDER).write_bytes(b"")
    (tool.folder / half / name_of("OL8-64")).write_bytes(data_of(name_of("OL8-64"))[:700])
    codes = {host: _mirror(tool, host).code for host in hosts if host != down}
    assert {host: code == 0 for host, code in codes.items()} == {
        blocked: False, half: True, "ps-04": True, "ps-05": True
    }  # fmt: skip
    with socket.create_server(("127.0.0.1", 0)) as mute:
        slow = f"http://127.0.0.1:{mute.getsockname()[1]}"
        servers = "".join(f"  - name: {host}\n    repository: {host}\n" for host in hosts)
        file = _fleet(tool, f"set: depot\nservers:\n{servers}  - name: ps-06\n    repository: {slow}\n")
        answer = tool.json("fleet", "audit", file, "--deep", "--time-limit", "3")

    assert answer.code == 7
    assert _conditions(answer) == {
        down: "behind", blocked: "failed", half: "current", "ps-04": "current", "ps-05": "current", "ps-06": "unheard"
    }  # fmt: skip
    looks = {server["host"]: server["look"]["error"] for server in answer.document["servers"]}
    assert looks == {**dict.fromkeys(hosts), down: "no-repository", "ps-06": "no-answer"}

    (tool.folder / "switched off").rename(tool.folder / down)
    (tool.folder / blocked / SUBFOLDER).unlink()
    (tool.folder / "away").rename(tool.folder / blocked / SUBFOLDER)
    for host in hosts:
        assert _mirror(tool, host).code == 0
    answer = tool.json("fleet", "audit", _fleet(tool, f"set: depot\nservers:\n{servers}"), "--deep")
    assert (answer.code, set(_conditions(answer).values())) == (0, {"current"})


@pytest.mark.skipif(sys.platform == "win32", reason="every path is made a whole one there")
def test_what_people_read_fits_and_ends_with_what_to_do(tool: Cli) -> None:
    root = _led(tool)
    for host in ("ps-01", "ps-02", "ps-03", "ps-99"):
        _mirror(tool, host, "--trust", root)
    (tool.folder / "ps-02" / name_of("Windows")).unlink()
    (tool.folder / "depot" / "reports" / "report-odd.json").write_text("{", encoding="utf-8")
    kept = tool.folder / "depot" / "reports" / "report-ps-03.json"
    os.utime(kept, (kept.stat().st_mtime - 300_000,) * 2)
    file = _fleet(
        tool,
        "set: depot\nservers:\n"
        "  - {name: cs-01, role: configuration-server, repository: repo}\n"
        "  - {name: ps-01, repository: ps-01}\n  - {name: ps-02, repository: ps-02}\n  - {name: ps-03}\n"
        "  - {name: ps-04, repository: nowhere}\n  - {name: ps-05}\n",
    )

    answer = tool("fleet", "audit", file)

    assert answer.code == 7
    assert answer.err == ""
    lines = answer.out.splitlines()
    assert max(map(len, lines)) <= 80
    expected = [
        "held against version 1 of depot, which was not verified",
        "4 reports at depot",
        "4 servers looked at",
        "",
        "SERVER  STATE           SET  REPORTED   DIFFERS  ROLE",
        "ps-04   unreachable     -    never            -  process-server",
        "ps-05   never reported  -    never            -  process-server",
        "ps-03   silent          1    3 d ago          0  process-server",
        "ps-02   differs         1    0 min ago        1  process-server",
        "cs-01   current         -    never            0  configuration-server",
        "ps-01   current         1    0 min ago        0  process-server",
        "ps-99   current         1    0 min ago        0  not in the file",
        "",
        "ps-04: cannot be looked at (no-repository): there is no folder nowhere",
        "ps-03: its clock is 3 d ahead",
        "ps-02: Windows missing",
        "",
        "1 file without a report that can be read: report-odd.json",
        "",
        "7 servers: 3 current, 1 differs, 1 silent, 1 never reported, 1 unreachable, 1",
        "  not in the file",
        "to mend it: run 'repo-manager mirror depot' on ps-04, ps-05, ps-03, ps-02, and",
        "  read what it says",
    ]
    assert lines == expected


def test_the_document_says_where_all_of_it_comes_from(tool: Cli) -> None:
    root = _led(tool)
    _mirror(tool, "ps-01", "--trust", root)
    document = tool.json("fleet", "audit", _fleet(tool, "set: depot\nservers:\n  - name: ps-01\n")).document
    assert document["schema"] == "repo-manager/fleet/1"
    assert document["inventory"] == "fleet.yaml"
    assert document["wanted"].items() >= {
        "from": "leader", "place": "depot", "verified": False, "set": {"root": root, "version": 1}
    }.items()  # fmt: skip
    assert document["reports"] == {"place": "depot", "read": 1, "unreadable": []}
    assert document["looked"] == {"servers": 0, "deep": False}
    assert document["problems"] == []
    assert document["summary"] == {
        "servers": 1, "unheard": 0, "silent": 0, "failed": 0, "differs": 0, "behind": 0, "current": 1,
        "unreachable": 0, "unlisted": 0,
    }  # fmt: skip
    (server,) = document["servers"]
    assert server["report"].items() >= {"command": "mirror", "exit_code": 0, "error": None}.items()
    assert (server["role"], server["look"], len(server["packages"])) == ("process-server", None, 4)


def test_reports_alone_are_enough(tool: Cli) -> None:
    root = _led(tool)
    for host in ("ps-01", "ps-02", "ps-03"):
        _mirror(tool, host, "--trust", root)
    answer = tool.json("fleet", "audit", "--reports", "depot")
    assert (answer.code, answer.document["wanted"]["from"]) == (0, "consensus")
    assert {server["listed"] for server in answer.document["servers"]} == {True}
    assert "what most servers have" in tool("fleet", "audit", "--reports", "depot").out


def test_a_fingerprint_without_a_set_is_wrong_usage(tool: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    root = _led(tool)
    _mirror(tool, "ps-01", "--trust", root)
    answer = tool.json("fleet", "audit", "--reports", "depot", "--trust", root)
    assert (answer.code, answer.error["code"]) == (2, "usage")
    assert answer.error["hint"] == "add --set PLACE"
    assert tool.json("fleet", "audit", "--set", "depot", "--trust", root).document["wanted"]["verified"] is True
    # The variable is that of mirror as well.
    monkeypatch.setenv("REPO_MANAGER_TRUST", root)
    assert tool.json("fleet", "audit", "--reports", "depot").document["wanted"]["from"] == "consensus"


def test_nothing_to_look_at_is_wrong_usage(tool: Cli) -> None:
    answer = tool.json("fleet", "audit")
    assert (answer.code, answer.error["code"]) == (2, "usage")


@pytest.mark.parametrize(
    ("text", "exit_code", "code"),
    [
        (None, 2, "no-fleet"),
        ("servers: []\n", 2, "invalid-fleet"),
        ("servers:\n  - name: a\n  - name: A\n", 2, "invalid-fleet"),
        ("set: gopher://x\nservers:\n  - name: a\n", 2, "unknown-source"),
        ("set: https://u:p@x\nservers:\n  - name: a\n", 2, "secret-in-source"),
        ("reports: gone\nservers:\n  - name: a\n", 3, "source-went-away"),
    ],
)
def test_what_cannot_be_audited_is_refused(tool: Cli, text: str | None, exit_code: int, code: str) -> None:
    file = "fleet.yaml" if text is None else _fleet(tool, text)
    answer = tool.json("fleet", "audit", file)
    assert (answer.code, answer.error["code"]) == (exit_code, code)


def test_a_leader_or_a_place_that_is_gone_leaves_the_rest_to_be_seen(tool: Cli) -> None:
    root = _led(tool)
    _mirror(tool, "ps-01", "--trust", root)
    file = _fleet(tool, "set: gone\nreports: away\nservers:\n  - {name: ps-01, repository: ps-01}\n")

    answer = tool.json("fleet", "audit", file)

    assert (answer.code, _conditions(answer)) == (7, {"ps-01": "current"})
    assert [problem["code"] for problem in answer.document["problems"]] == ["source-went-away", "source-went-away"]
    assert answer.document["wanted"]["from"] == "consensus"
    assert "error[source-went-away]: gone" in answer.err


def test_another_leader_than_the_fingerprint_says_is_refused(tool: Cli) -> None:
    _led(tool)
    file = _fleet(tool, f"set: depot\ntrust: '{'0' * 64}'\nservers:\n  - name: a\n")
    answer = tool.json("fleet", "audit", file)
    assert (answer.code, answer.error["code"]) == (4, "wrong-fingerprint")


def test_a_flag_beats_the_file_and_the_file_beats_the_configuration(tool: Cli) -> None:
    root = _led(tool)
    _mirror(tool, "ps-01", "--trust", root)
    kept = tool.folder / "depot" / "reports" / "report-ps-01.json"
    os.utime(kept, (kept.stat().st_mtime - 10 * 3600,) * 2)
    file = _fleet(tool, "set: depot\nsilent_after: 5\nservers:\n  - name: ps-01\n")
    config = tool.config("silent_after: 100\nset: elsewhere\nreports: elsewhere\n")
    assert tool("--config", config, "fleet", "audit", file, "--reports", "depot").code == 7
    assert tool("--config", config, "fleet", "audit", file, "--reports", "depot", "--silent-after", "11").code == 0
    file = _fleet(tool, "set: depot\nreports: depot\nservers:\n  - name: ps-01\n")
    assert tool("--config", config, "fleet", "audit", file).code == 0


def test_the_file_may_be_named_in_the_configuration(tool: Cli) -> None:
    root = _led(tool)
    _mirror(tool, "ps-01", "--trust", root)
    _fleet(tool, "set: depot\nservers:\n  - name: ps-01\n")
    answer = tool.json("--config", tool.config("fleet: fleet.yaml\n"), "fleet", "audit")
    assert (answer.code, answer.document["inventory"]) == (0, "fleet.yaml")


def test_a_server_that_is_stuck_does_not_keep_the_process(tool: Cli) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        place = f"http://127.0.0.1:{mute.getsockname()[1]}"
        _fleet(tool, f"servers:\n  - {{name: ps-01, repository: '{place}'}}\n")
        done = real("--json", "fleet", "audit", "fleet.yaml", "--time-limit", "1", cwd=tool.folder)
    assert done.returncode == 7
    assert json.loads(done.stdout)["servers"][0]["look"]["error"] == "no-answer"
