"""`serve` on the command line: what is refused, the tokens, and a process that is asked to end."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import httpx
import pytest
from json_schemas import check_printed
from web_world import LARGE, PAYLOAD, target_path, write_set

from repo_manager.adapters import signals
from repo_manager.core.errors import ExitCode

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from cli_world import Cli


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ((), "usage"),
        (("--set", "absent"), "no-set"),
        (("--set", "set", "--listen", "8080"), "bad-address"),
        (("--set", "set", "--listen", "127.0.0.1:x"), "bad-address"),
        (("--set", "set", "--listen", "no.such.host.invalid:0"), "bad-address"),
        (("--set", "set", "--behind-proxy", "*"), "bad-address"),
        (("--set", "set", "--tls-cert", "set"), "usage"),
        (("--set", "set", "--tls-cert", "absent", "--tls-key", "absent"), "bad-certificate"),
        (("--set", "set", "--tokens", "absent"), "no-tokens"),
        (("--set", "set", "--reports", "reports"), "no-tokens"),
        (("--set", "set", "--max-connections", "0"), "usage"),
        (("--set", "set", "--drain", "-5"), "usage"),
        (("--set", "set", "--listen", "127.0.0.1:99999"), "bad-address"),
        (("--set", "set", "--behind-proxy", "127.0.0.1/8"), "bad-address"),
        (("--set", "set", "--log", "set"), "cannot-log"),
        (("token", "add", "x"), "usage"),
        (("token", "add", "--tokens", "t.json"), "usage"),
        (("token", "list", "x", "--tokens", "t.json"), "usage"),
        (("token", "list", "--tokens", "absent"), "no-tokens"),
        (("token", "remove", "x", "--tokens", "absent"), "no-tokens"),
        (("token", "add", "a b", "--tokens", "t.json"), "bad-token-name"),
        (("token", "add", "x", "--tokens", "t.json", "--server", "a"), "usage"),
        (("token", "renew", "x", "--tokens", "t.json"), "usage"),
    ],
)
def test_bad_input_is_refused_before_anything_listens(tool: Cli, options: tuple[str, ...], code: str) -> None:
    write_set(tool.folder / "set")
    answer = tool.json("serve", *options)
    assert answer.code == ExitCode.USAGE
    assert answer.error["code"] == code
    assert not (tool.folder / "reports").exists()
    assert not (tool.folder / "t.json").exists()


@pytest.mark.parametrize(
    ("option", "path"),
    [
        ("--tokens", "set/metadata/tokens.json"),
        ("--tls-key", "set/metadata/k.pem"),
        ("--reports", "set/targets"),
        ("--reports", "set/metadata/reports"),
        ("--reports", "elsewhere/../set/targets"),
        ("--fleet", "set/targets/fleet.yaml"),
        ("--log", "set/targets/log"),
    ],
)
def test_what_is_the_servers_own_must_not_lie_where_the_set_is_served(tool: Cli, option: str, path: str) -> None:
    write_set(tool.folder / "set")
    (tool.folder / "elsewhere").mkdir()
    tokens = ("--tokens", "t.json") if option != "--tokens" else ()
    before = sorted(tool.folder.rglob("*"))
    answer = tool.json("serve", "--set", "set", *tokens, option, path)
    assert (answer.code, answer.error["code"]) == (ExitCode.USAGE, "in-the-open")
    assert option in answer.error["hint"]
    assert sorted(tool.folder.rglob("*")) == before


@pytest.mark.skipif(sys.platform == "win32", reason="links need a right there that tests do not have")
def test_a_link_does_not_hide_where_it_leads(tool: Cli) -> None:
    write_set(tool.folder / "real")
    (tool.folder / "set").symlink_to(tool.folder / "real")
    (tool.folder / "tokens").symlink_to(tool.folder / "real" / "metadata")
    answer = tool.json("serve", "--set", "set", "--tokens", "tokens/t.json")
    assert answer.error["code"] == "in-the-open"


def test_reports_may_lie_beside_what_is_served(tool: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where servers put theirs themselves they are there as well."""
    write_set(tool.folder / "set")
    tool("serve", "token", "add", "a", "--tokens", "set/t.json")
    monkeypatch.setattr(signals._Listener, "asked", True)
    where = ("--set", "set", "--tokens", "set/t.json", "--reports", "set/reports", "--listen", "127.0.0.1:0")
    assert tool("serve", *where).code == ExitCode.INTERRUPTED


def test_the_end_that_was_asked_for_is_told_as_one(tool: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    write_set(tool.folder / "set")
    monkeypatch.setattr(signals._Listener, "asked", True)
    answer = tool("-vv", "serve", "--set", "set", "--listen", "127.0.0.1:0")
    assert answer.code == ExitCode.INTERRUPTED
    assert answer.err.splitlines() == [
        "error[interrupted]: serve has stopped, as it was asked to",
        "  hint: run the same command to start it again",
    ]


def test_without_the_extra_it_is_said_how_to_get_it(tool: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    write_set(tool.folder / "set")
    monkeypatch.setitem(sys.modules, "starlette", None)
    answer = tool.json("serve", "--set", "set")
    assert answer.code == ExitCode.USAGE
    assert answer.error["code"] == "serve-not-installed"
    assert "[serve]" in answer.error["hint"]


def test_a_port_that_is_taken_is_an_error_of_the_machine(tool: Cli) -> None:
    write_set(tool.folder / "set")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        answer = tool.json("serve", "--set", "set", "--listen", f"127.0.0.1:{taken.getsockname()[1]}")
    assert answer.code == ExitCode.TRANSFER
    assert answer.error["code"] == "cannot-listen"


def test_a_token_is_shown_once(tool: Cli) -> None:
    made = tool("serve", "token", "add", "ps-01", "--role", "report", "--server", "PS-01", "--tokens", "t.json")
    secret = made.out.strip()
    assert (made.code, len(secret), secret[:4]) == (0, 68, "rmt_")
    listed = tool("serve", "token", "list", "--tokens", "t.json")
    assert secret not in listed.out + listed.err + (tool.folder / "t.json").read_text()
    assert listed.out.splitlines()[1].split()[:2] == ["ps-01", "report"]
    assert tool("serve", "token", "add", "ps-01", "--tokens", "t.json").code == ExitCode.USAGE
    assert tool("serve", "token", "remove", "ps-01", "--tokens", "t.json").code == 0
    assert "no tokens" in tool("serve", "token", "list", "--tokens", "t.json").out


def test_the_documents_of_tokens(tool: Cli) -> None:
    added = tool.json("serve", "token", "add", "a", "--tokens", "t.json").document
    assert added == {"schema": "repo-manager/serve-token/1", "name": "a", "role": "read", "token": added["token"]}
    (listed,) = tool.json("serve", "token", "list", "--tokens", "t.json").document["tokens"]
    assert listed == {"name": "a", "role": "read", "made": listed["made"], "servers": []}
    removed = tool.json("serve", "token", "remove", "a", "--tokens", "t.json").document
    assert removed == {"schema": "repo-manager/serve-token/1", "name": "a", "removed": True}


@pytest.mark.parametrize(
    ("listen", "tokens", "words"),
    [
        ("127.0.0.1:0", False, []),
        ("[::1]:0", False, []),
        ("0.0.0.0:0", False, ["--tls-cert", "--tokens"]),
        ("0.0.0.0:0", True, ["--tls-cert"]),
    ],
)
def test_whoever_opens_it_to_others_is_warned(
    tool: Cli, monkeypatch: pytest.MonkeyPatch, listen: str, *, tokens: bool, words: list[str]
) -> None:
    write_set(tool.folder / "set")
    tool("serve", "token", "add", "a", "--tokens", "t.json")
    monkeypatch.setattr(signals._Listener, "asked", True)
    more = ("--tokens", "t.json") if tokens else ()
    answer = tool("serve", "--set", "set", "--listen", listen, *more)
    assert answer.code == ExitCode.INTERRUPTED
    warned = [line for line in answer.err.splitlines() if line.startswith("warning:")]
    assert [word for word in ("--tls-cert", "--tokens") if any(word in line for line in warned)] == words
    assert len(warned) == len(words)


def test_a_set_that_is_not_there_yet_is_said_to_be(tool: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    (tool.folder / "set").mkdir()
    monkeypatch.setattr(signals._Listener, "asked", True)
    assert "warning: there is no timestamp.json" in tool("serve", "--set", "set", "--listen", "127.0.0.1:0").err


# A process


@pytest.fixture
def process(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    write_set(tmp_path / "set")
    words = ["--json", "serve", "--set", str(tmp_path / "set"), "--listen", "127.0.0.1:0", "--log", "requests.log"]
    environ = {name: value for name, value in os.environ.items() if not name.startswith("REPO_MANAGER_")}
    command = [sys.executable, "-m", "repo_manager", *words]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path, env=environ
    ) as running:
        yield running
        running.kill()


@pytest.mark.skipif(sys.platform == "win32", reason="no signals there; the console's events have tests of their own")
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_process_that_is_asked_to_end_finishes_what_is_under_way(
    process: subprocess.Popen[str], tmp_path: Path, name: str
) -> None:
    assert process.stdout is not None
    line = process.stdout.readline()
    check_printed(line)
    listening = json.loads(line)
    assert (listening["schema"], listening["event"]) == ("repo-manager/serve/1", "listening")
    data = PAYLOAD * 100
    (tmp_path / "set" / "targets" / LARGE).write_bytes(data)
    with httpx.stream("GET", f"{listening['address']}/targets/{LARGE}", trust_env=False, timeout=20) as answer:
        pieces = answer.iter_raw(1000)
        first = next(pieces)
        process.send_signal(signal.Signals[name])
        assert first + b"".join(pieces) == data
    assert process.wait(20) == ExitCode.INTERRUPTED
    rest = process.stdout.read()
    check_printed(rest)
    assert json.loads(rest.splitlines()[0])["event"] == "stopped"
    (line,) = (tmp_path / "requests.log").read_text().splitlines()
    assert line.split()[1:6] == ["127.0.0.1", "-", "GET", f"/targets/{LARGE}", "200"]


def test_the_libraries_of_the_server_are_not_loaded_by_other_commands() -> None:
    program = (
        "import sys; from repo_manager.cli import main; main(['resolve', 'rhel 9']); main(['serve', '--help']);"
        "print(*sorted({name.partition('.')[0] for name in sys.modules} & {'starlette', 'uvicorn', 'anyio', 'h11'}))"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout.splitlines()[-1] == ""


def test_the_option_of_the_set_may_stand_in_the_configuration(tool: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    write_set(tool.folder / "set")
    (tool.folder / "config.yaml").write_text('set: set\nlisten: "127.0.0.1:0"\ntokens: t.json\n')
    assert tool("--config", "config.yaml", "serve", "token", "add", "a").code == 0
    monkeypatch.setattr(signals._Listener, "asked", True)
    answer = tool("--config", "config.yaml", "serve")
    assert (answer.code, "listening on http://127.0.0.1:" in answer.out) == (ExitCode.INTERRUPTED, True)


def test_the_file_that_is_served_is_the_one_of_the_set(process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    address = json.loads(process.stdout.readline())["address"]
    assert httpx.get(f"{address}{target_path()}", trust_env=False).content == PAYLOAD
