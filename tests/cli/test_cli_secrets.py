"""No address that a person, a file, a variable or a server gives is printed or stored with what may be secret in it.

Every address has the marker in its user, its password, its query and its fragment.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

import pytest
from abuse_server import always, redirect, serving
from cli_world import CATALOG, NEW, ROOT, data_of, name_of

from repo_manager import cli

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from abuse_server import Script
    from cli_world import Answer, Cli

    from repo_manager.cli.run import Run

MARK: Final = "S3CRET"
# Nothing listens on port 1, and no name has to be looked up.
ADDRESSES: Final = (
    f"https://u{MARK}:p{MARK}@127.0.0.1:1/set?sig={MARK}#{MARK}",
    f"http://u{MARK}:p{MARK}@127.0.0.1:1/set?sig={MARK}#{MARK}",
    f"HTTPS://u{MARK}:p{MARK}@127.0.0.1:1/set",
    f"https://127.0.0.1:1/set?sv=1&sig={MARK}",
    f"https://u:p{MARK}@[::1]:1/set?{MARK}",
    f"https://u:p@{MARK}@127.0.0.1:1/set",
    f"https://u%40x:%2F{MARK}%40@127.0.0.1:1/set",
    f"https://u:{MARK}/{MARK}@127.0.0.1:1/set",
    f"https://u:{MARK} {MARK}@127.0.0.1:1/set",
    f"https://u:{MARK}@127.0.0.1:{MARK}/set",
    f"https://u:{MARK}@[::1/set?{MARK}",
    f"https:/u:{MARK}@127.0.0.1:1/set?{MARK}",
    f"https:\\\\u:{MARK}@127.0.0.1:1\\set?{MARK}",
    f"az://container/path?sv=1&sig={MARK}",
    f"s3://KEY{MARK}:{MARK}/x@bucket/path",
    f"smb://u:{MARK}@127.0.0.1:1/share",
    f"\\\\u:{MARK}@127.0.0.1\\share",
    f"ftp://u:{MARK}@127.0.0.1:1/set",
    f"file://u:{MARK}@/set?{MARK}",
    f"https://u:{MARK}@127.0.0.1:1/\x1b[2Jset\n?{MARK}",
)
LINKS: Final = """\
### Version 9.68

- [RHEL9-64][RHEL9-64-968]

[RHEL9-64-968]: https://download.microsoft.com/download/abc/Microsoft-ASR_UA_9.68.0.0_RHEL9-64_GA_03Sep2026_release.tar.gz
"""
# Where the name of a file is asked for, these are one.
NO_ADDRESSES: Final = frozenset(address for address in ADDRESSES if "://" not in address or not address.isprintable())
TAKES_A_PATH: Final = frozenset(
    {"catalog update to", "repository", "repository, changing", "catalog", "configuration", "unit", "install"}
)
COMMANDS: Final[dict[str, tuple[str, ...]]] = {
    "sync": ("sync", "--package", "RHEL7-64", "--yes", "--source", "ADDRESS"),
    "sync, dry": ("sync", "--package", "RHEL7-64", "--dry-run", "--source", "ADDRESS"),
    "download": ("download", "RHEL7-64", "--to", "out", "--source", "ADDRESS"),
    "mirror": ("mirror", "ADDRESS", "--yes"),
    "mirror, unsigned": ("mirror", "ADDRESS", "--unsigned", "--yes"),
    "mirror, report": ("mirror", "set", "--yes", "--report-to", "ADDRESS"),
    "publish": ("publish", "ADDRESS", "--keys", "keys"),
    "catalog update": ("catalog", "update", "ADDRESS", "--to", "new.yaml", "--yes"),
    "catalog update to": ("catalog", "update", "links.md", "--to", "ADDRESS", "--yes"),
    "fleet set": ("fleet", "audit", "--set", "ADDRESS"),
    "fleet reports": ("fleet", "audit", "--reports", "ADDRESS"),
    "serve": ("serve", "ADDRESS"),
    "serve, listen": ("serve", "set", "--listen", "ADDRESS"),
    "repository": ("--repository", "ADDRESS", "audit"),
    "repository, changing": ("--repository", "ADDRESS", "sync", "--package", "RHEL7-64", "--source", "source"),
    "catalog": ("--catalog", "ADDRESS", "catalog", "check"),
    "configuration": ("--config", "ADDRESS", "audit"),
    "usage": ("list", "ADDRESS"),
    "option": ("sync", "--window=ADDRESS"),
    "no command": ("ADDRESS",),
    "unit": ("watch", "unit", "--log", "ADDRESS"),
    "install": ("watch", "install", "--config", "ADDRESS"),
}


@pytest.fixture
def clean(tool: Cli, tmp_path: Path) -> Callable[[Answer], None]:
    """Sees that neither what was said nor any file of the world has the marker."""

    def check(answer: Answer) -> None:
        assert MARK not in answer.out
        assert MARK not in answer.err
        assert "internal-error" not in answer.err
        for path in sorted(tmp_path.rglob("*")):
            name = str(path.relative_to(tmp_path))
            # The folders that a command was asked to make are called as it was asked.
            assert not path.is_file() or path.name.startswith("given") or MARK.encode() not in path.read_bytes(), name

    tool.fill(("OL7-64",))
    tool.fill_source(("RHEL7-64", "OL7-64"))
    return check


@pytest.mark.parametrize("command", [command for command in COMMANDS if command != "unit" or sys.platform != "win32"])
def test_no_command_shows_the_secrets_of_an_address(tool: Cli, clean: Callable[[Answer], None], command: str) -> None:
    (tool.folder / "links.md").write_text(LINKS, encoding="utf-8")
    for address in sorted(set(ADDRESSES) - (NO_ADDRESSES if command in TAKES_A_PATH else set())):
        words = [word.replace("ADDRESS", address) for word in COMMANDS[command]]
        for options in (("-vv",), ("--json", "-vv")):
            with pytest.MonkeyPatch.context() as here:
                here.setenv("REPO_MANAGER_REPOSITORY", "repo")
                clean(tool(*options, *words))


@pytest.mark.parametrize("key", ["repository", "set", "reports"])
def test_no_address_of_a_fleets_inventory_is_shown_with_secrets(
    tool: Cli, clean: Callable[[Answer], None], key: str
) -> None:
    for address in ADDRESSES:
        if not address.isprintable():
            continue
        quoted = "'" + address.replace("'", "''") + "'"
        more = f"    repository: {quoted}\n" if key == "repository" else f"{key}: {quoted}\n"
        (tool.folder / "given-fleet.yaml").write_text(f"servers:\n  - name: a\n{more}", encoding="utf-8")
        for options in (("-vv",), ("--json", "-vv")):
            clean(tool(*options, "fleet", "audit", "given-fleet.yaml", "--time-limit", "5"))


@pytest.mark.parametrize("key", ["source", "reports", "set", "report_to", "proxy", "hosts"])
def test_no_address_of_the_configuration_is_shown_with_secrets(
    tool: Cli, clean: Callable[[Answer], None], key: str
) -> None:
    commands = {
        "source": ("sync", "--package", "RHEL7-64"),
        "report_to": ("mirror", "set", "--yes"),
        "proxy": ("doctor",),
        "hosts": ("doctor",),
    }
    for address in ADDRESSES:
        if not address.isprintable():
            continue
        quoted = "'" + address.replace("'", "''") + "'"
        text = f"{key}: [{quoted}]\n" if key == "hosts" else f"{key}: {quoted}\n"
        (tool.folder / "given.yaml").write_text(text, encoding="utf-8")
        for options in (("-vv",), ("--json", "-vv")):
            words = commands.get(key, ("fleet", "audit"))
            clean(tool(*options, "--repository", "repo", "--config", "given.yaml", *words))


def test_no_proxy_of_the_configuration_is_shown_with_its_password_when_it_is_used(
    tool: Cli, clean: Callable[[Answer], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    proxies = (f"http://u:{MARK}@127.0.0.1:1", f"http://u:{MARK}/x@127.0.0.1:1", f"http://u:p@127.0.0.1:{MARK}", MARK)
    for proxy in proxies:
        (tool.folder / "given.yaml").write_text(f"proxy: {proxy}\nattempts: 1\n", encoding="utf-8")
        monkeypatch.setenv("REPO_MANAGER_CONFIG", "given.yaml")
        monkeypatch.setenv("REPO_MANAGER_REPOSITORY", "repo")
        for options in ("-vv", "--json"):
            for words in (("mirror", "http://127.0.0.1:1/set", "--yes"), ("fleet", "audit", "--reports", "az://c/p")):
                answer = tool(options, *words)
                if proxy != MARK:
                    clean(answer)


def test_a_catalog_with_secrets_in_its_links_is_refused_without_them(
    tool: Cli, clean: Callable[[Answer], None]
) -> None:
    link = next(link for link in CATALOG.links(NEW) if link.token == "RHEL7-64")  # noqa: S105 - a package
    own = (ROOT / "catalog.yaml").read_text(encoding="utf-8")
    for bad in (
        link.url.replace("https://", f"https://u:{MARK}{'x' * 250}@"),
        f"{link.url}?sv={'1' * 300}&sig={MARK}",
        f"{link.url}#{MARK}",
    ):
        (tool.folder / "given.yaml").write_text(own.replace(link.url, bad), encoding="utf-8")
        (tool.folder / "given.md").write_text(LINKS.replace("https://", f"https://u:{MARK}@"), encoding="utf-8")
        for options in (("-vv",), ("--json", "-vv")):
            answer = tool(*options, "--catalog", "given.yaml", "catalog", "check")
            assert answer.code
            clean(answer)
            clean(tool(*options, "catalog", "update", "given.md", "--to", "new.yaml"))


INSTALLER: Final = name_of("RHEL7-64")
SCRIPTS: Final[dict[str, Script]] = {
    "success": always(200, {"ETag": f'"{MARK}"'}, data_of(INSTALLER)),
    "not found": always(404),
    "denied": always(403, {"WWW-Authenticate": f"Basic realm={MARK}"}),
    "busy": always(503, {"Retry-After": "0"}),
    "teapot": always(418),
    "logon page": always(200, {"Content-Type": "text/html"}, f"<html>{MARK}".encode()),
    "other bytes": always(200, {}, b"x" * 5000),
    "compressed": always(200, {"Content-Encoding": "gzip"}, b"x" * 50),
    "to another host": redirect(f"https://u:{MARK}@other.invalid/x?sig={MARK}#{MARK}"),
    "to no scheme": redirect(f"file://u:{MARK}@x/y?{MARK}"),
    "to no address": redirect(f"http://u:{MARK}@[::1/x"),
    "to no port": redirect(f"http://u:p@127.0.0.1:{MARK}/x"),
    "round and round": redirect(f"?sig={MARK}"),
}


@pytest.mark.parametrize("how", SCRIPTS)
def test_no_answer_of_a_server_brings_secrets_to_light(
    tool: Cli, clean: Callable[[Answer], None], how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REPO_MANAGER_REPOSITORY", "repo")
    commands = (
        ("sync", "--package", "RHEL7-64", "--yes", "--source", "ADDRESS"),
        ("download", "RHEL7-64", "--to", "out", "--source", "ADDRESS"),
        ("catalog", "update", "ADDRESS/list", "--to", "new.yaml", "--yes"),
        ("mirror", "PLAIN", "--yes"),
        ("fleet", "audit", "--reports", "PLAIN"),
        ("fleet", "audit", "--set", "PLAIN"),
    )
    with serving() as server:
        paths = ("list", INSTALLER, "metadata/timestamp.json", "metadata/1.root.json", "reports")
        for path in paths:
            server.scripts[f"/set/{path}"] = SCRIPTS[how]
            server.scripts[f"/set/{path}?sig={MARK}"] = SCRIPTS[how]
        given = {"ADDRESS": f"http://u:{MARK}@{server.entry}/set?sig={MARK}", "PLAIN": f"http://{server.entry}/set"}
        for words in commands:
            for options in (("-vv",), ("--json", "-vv")):
                made = [given.get(word, word) for word in words]
                if "ADDRESS/list" in words:
                    made[made.index("ADDRESS/list")] = f"http://u:{MARK}@{server.entry}/set/list?sig={MARK}#{MARK}"
                answer = tool(*options, *made)
                clean(answer)
                if how == "success" and words[0] in {"sync", "download"}:
                    assert answer.code == 0, answer.err


def test_a_list_of_links_is_taken_in_from_an_address_whose_secrets_stay_unsaid(
    tool: Cli, clean: Callable[[Answer], None]
) -> None:
    with serving() as server:
        server.scripts[f"/list?sig={MARK}"] = always(200, {}, LINKS.encode())
        url = f"http://u:{MARK}@{server.entry}/list?sig={MARK}#{MARK}"
        for options in (("-vv",), ("--json", "-vv")):
            answer = tool(*options, "catalog", "update", url, "--to", "new.yaml", "--yes")
            assert answer.code == 0, answer.err
            clean(answer)
        server.scripts[f"/list?sig={MARK}"] = always(200, {}, b"no list")
        clean(tool("-vv", "catalog", "update", url, "--to", "new.yaml", "--yes"))


@pytest.mark.skipif(sys.platform == "win32", reason="no file of Windows has such a name")
def test_names_from_outside_reach_no_terminal_raw_in_a_traceback(tool: Cli) -> None:
    name = "given\x1b]0;x\x07\u202etxt\x9b31m\r.yaml"
    answer = tool("-vv", "--catalog", name, "catalog", "check")
    assert "Traceback" in answer.err
    assert "given" in answer.err
    for raw in ("\x1b", "\x07", "\u202e", "\x9b", "\r"):
        assert raw not in answer.err


def test_an_error_that_the_tool_did_not_expect_is_shown_without_secrets_and_escaped(
    tool: Cli, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(_options: object, **_choices: object) -> Run:
        raise ValueError(f"\x1b[2J https://u:{MARK}@h/p?{MARK}")

    code = cli.main(["-vv", "list"], broken)
    out, err = capsys.readouterr()
    assert code == 3
    assert "internal-error" in err
    assert "Traceback" in err
    assert MARK not in out + err
    assert "\x1b" not in err
