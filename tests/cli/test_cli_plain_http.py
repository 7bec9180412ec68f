"""Tokens and passwords go to another machine over https alone, unless a command line allows http.

The other machine is a name that only a proxy on loopback knows. So a test sees every request, and none leaves here.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Final

import pytest
from abuse_server import AbuseServer, always, serving
from cli_world import data_of, name_of

from repo_manager.adapters.sources.http_rules import HttpPolicy, check_secret
from repo_manager.core.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from abuse_server import Request, Script
    from cli_world import Cli

TOKEN: Final = "rmt_S3CRET"  # noqa: S105 - of a test
BASIC: Final = f"Basic {base64.b64encode(b'user:S3CRET').decode()}"
INSTALLER: Final = name_of("RHEL7-64")


class Sent(list[str]):
    """The credentials that came to the proxy."""

    def script(self, then: Script) -> Script:
        def script(request: Request) -> None:
            self.append(request.headers.get("Authorization", "none"))
            then(request)

        return script


@pytest.fixture
def proxy() -> Iterator[AbuseServer]:
    with serving() as server:
        yield server


@pytest.fixture
def sent(proxy: AbuseServer, tool: Cli, monkeypatch: pytest.MonkeyPatch) -> Sent:
    """What is sent to leader.invalid, which the proxy of the configuration reaches."""
    found = Sent()
    for path in ("metadata/1.root.json", "metadata/timestamp.json", "reports", f"reports/{'a'}"):
        proxy.scripts[f"http://leader.invalid/{path}"] = found.script(always(404))
    (tool.folder / "config.yaml").write_text(f"proxy: http://{proxy.entry}\nattempts: 1\n", encoding="utf-8")
    monkeypatch.setenv("REPO_MANAGER_CONFIG", "config.yaml")
    monkeypatch.setenv("REPO_MANAGER_REPOSITORY", "repo")
    monkeypatch.setenv("REPO_MANAGER_DEPOT_TOKEN", TOKEN)
    tool.fill(("OL7-64",))
    return found


@pytest.mark.parametrize(
    "words",
    [
        ("mirror", "http://leader.invalid", "--trust", "0" * 64, "--yes", "--no-report"),
        ("fleet", "audit", "--set", "http://leader.invalid"),
        ("fleet", "audit", "--reports", "http://leader.invalid"),
    ],
)
def test_a_token_goes_to_another_machine_over_http_only_if_the_command_line_allows_it(
    tool: Cli, sent: Sent, words: tuple[str, ...]
) -> None:
    refused = tool.json(*words)
    assert (refused.code, refused.error["code"]) == (2, "secret-over-http")
    assert "--allow-plain-http" in refused.error["hint"]
    assert sent == []
    tool.json(*words, "--allow-plain-http")
    assert sent
    assert set(sent) == {f"Bearer {TOKEN}"}
    assert tool.names() == {name_of("OL7-64")}


def test_without_a_token_http_needs_no_permission(tool: Cli, sent: Sent, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REPO_MANAGER_DEPOT_TOKEN")
    answer = tool.json("fleet", "audit", "--reports", "http://leader.invalid")
    assert answer.error["code"] == "no-reports-there"
    assert set(sent) == {"none"}


def test_a_report_goes_over_http_only_if_the_command_line_allows_it(tool: Cli, sent: Sent) -> None:
    words = ("mirror", "absent", "--trust", "0" * 64, "--yes", "--host", "a", "--report-to", "http://leader.invalid")
    answer = tool.json(*words)
    assert (answer.code, answer.error["code"]) == (2, "secret-over-http")
    assert sent == []
    tool.json(*words, "--allow-plain-http")
    assert sent == [f"Bearer {TOKEN}"]


@pytest.mark.parametrize(
    "words",
    [
        ("sync", "--package", "RHEL7-64", "--yes", "--source", "http://user:S3CRET@files.invalid/set"),
        ("download", "RHEL7-64", "--to", "out", "--source", "http://user:S3CRET@files.invalid/set"),
        ("catalog", "update", "http://user:S3CRET@files.invalid/list", "--to", "new.yaml"),
    ],
)
def test_a_password_of_an_address_is_not_sent_over_http_to_another_machine(tool: Cli, words: tuple[str, ...]) -> None:
    tool.fill(("OL7-64",))
    answer = tool.json("--repository", "repo", *words)
    assert answer.code == 2
    assert "secret-over-http" in answer.out + answer.err
    assert "S3CRET" not in answer.out + answer.err
    assert not list(tool.folder.rglob(INSTALLER))


def test_loopback_is_no_other_machine(tool: Cli) -> None:
    sent = Sent()
    tool.fill(("OL7-64",))
    with serving() as server:
        server.scripts[f"/set/{INSTALLER}"] = sent.script(always(200, {}, data_of(INSTALLER)))
        base = f"http://user:S3CRET@{server.entry}/set"
        answer = tool.json("--repository", "repo", "sync", "--package", "RHEL7-64", "--yes", "--source", base)
    assert answer.code == 0, answer.err
    assert set(sent) == {BASIC}


def test_a_configuration_cannot_allow_it(tool: Cli) -> None:
    answer = tool.json("--config", tool.config("allow_plain_http: true\n"), "list")
    assert (answer.code, answer.error["code"]) == (2, "configuration")


def test_a_signature_for_a_store_is_not_sent_over_http_to_another_machine(
    tool: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("obstore")
    del tmp_path
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", "account")
    monkeypatch.setenv("AZURE_STORAGE_SAS_TOKEN", "sv=1&sig=S3CRET")
    monkeypatch.setenv("AZURE_STORAGE_ENDPOINT", "http://store.invalid/account")
    tool.fill(("OL7-64",))
    for words in (("mirror", "az://container/set", "--yes"), ("publish", "az://container/set", "--keys", "keys")):
        answer = tool.json("--repository", "repo", *words)
        assert (answer.code, answer.error["code"]) == (2, "secret-over-http")
        assert "S3CRET" not in answer.out + answer.err


@pytest.mark.parametrize(
    ("host", "own"),
    [
        ("127.0.0.1", True),
        ("127.8.9.10", True),
        ("::1", True),
        ("localhost", True),
        ("LocalHost.", True),
        ("128.0.0.1", False),
        ("127.0.0.1.example.com", False),
        ("localhost.example.com", False),
        ("0.0.0.0", False),  # noqa: S104 - no address to listen at
        ("::", False),
        ("127.1", False),
        ("", False),
    ],
)
def test_which_hosts_are_this_machine(host: str, *, own: bool) -> None:
    policy = HttpPolicy(frozenset())
    if own:
        check_secret(policy, scheme="http", host=host, url="x")
        return
    with pytest.raises(InputError) as refused:
        check_secret(policy, scheme="http", host=host, url="x")
    assert refused.value.code == "secret-over-http"
    check_secret(policy, scheme="https", host=host, url="x")
