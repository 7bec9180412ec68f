"""Signatures of Windows installers through the command line."""

from __future__ import annotations

import json
import shutil
import sys
from typing import TYPE_CHECKING

import pytest
from cli_world import ROOT as ROOT_OF_THE_PROJECT
from cli_world import name_of, real, tree
from signed_programs import PUBLISHER, SIGNED, flipped, program, signed

if TYPE_CHECKING:
    from pathlib import Path

    from cli_world import Cli

EXE = name_of("Windows")
LINUX = name_of("RHEL7-64")
BAD = [
    pytest.param(program(), "unsigned", id="unsigned"),
    pytest.param(flipped(signed("good"), 0x250), "tampered", id="tampered"),
    pytest.param(signed("somebody-else"), "other-publisher", id="another publisher"),
    pytest.param(signed("other-root"), "other-publisher", id="another authority"),
    pytest.param(signed("expired"), "other-publisher", id="a certificate that is over"),
]
# Copies beside the world: the rights of the checkout are those that its owner gave it.
ROOT, OTHER_ROOT = "../root.pem", "../other-root.pem"
CONFIG = f"publisher: {PUBLISHER}\nsignature_roots: {json.dumps(ROOT)}\n"


@pytest.fixture(autouse=True)
def roots(tool: Cli) -> None:
    for name in ("root.pem", "other-root.pem"):
        (tool.folder.parent / name).write_bytes((SIGNED / name).read_bytes())


def offer(tool: Cli, data: bytes) -> None:
    tool.repository.mkdir(exist_ok=True)
    tool.fill_source(("RHEL7-64",))
    (tool.source / EXE).write_bytes(data)


def findings(tool: Cli, *arguments: str) -> list[tuple[str, str]]:
    answer = tool.repo_json("audit", "--package", "Windows", *arguments)
    return [(found["code"], found["severity"]) for found in answer.document["findings"]]


@pytest.mark.parametrize("name", ["good", "good-64", "stamped", "expired-stamped", "two-signers"])
def test_sync_places_what_the_expected_publisher_signed(tool: Cli, name: str) -> None:
    offer(tool, signed(name))
    tool.config(CONFIG)
    answer = tool.repo("--config", "config.yaml", "sync", "--source", "source", "--package", "Windows", "--yes")
    assert answer.code == 0, answer.err
    assert tool.names() == {EXE}
    assert "signature" not in answer.err


@pytest.mark.parametrize(("data", "code"), BAD)
def test_sync_places_nothing_when_a_signature_will_not_do(tool: Cli, data: bytes, code: str) -> None:
    offer(tool, data)
    tool.fill(("OL7-64",))
    tool.config(CONFIG)
    before = tree(tool.repository, own=False)
    answer = tool.repo_json(
        "--config",
        "config.yaml",
        "sync",
        "--source",
        "source",
        "--package",
        "Windows",
        "--package",
        "RHEL7-64",
        "--yes",
    )
    assert (answer.code, answer.document["error"]["code"]) == (4, code)
    assert EXE in answer.document["error"]["message"]
    assert tree(tool.repository, own=False) == before
    assert not [name for name in tree(tool.repository) if EXE in name]


@pytest.mark.parametrize(("data", "code"), BAD)
def test_add_and_its_dry_run_refuse_alike(tool: Cli, data: bytes, code: str) -> None:
    offer(tool, data)
    tool.config(CONFIG)
    for more in ((), ("--dry-run",)):
        answer = tool.repo_json("--config", "config.yaml", "add", f"source/{EXE}", *more, "--yes")
        assert (answer.code, answer.document["error"]["code"]) == (4, code)
    assert tool.names() == set()


@pytest.mark.parametrize(("data", "code"), BAD)
def test_download_leaves_nothing_that_will_not_do(tool: Cli, data: bytes, code: str) -> None:
    offer(tool, data)
    tool.config(CONFIG)
    answer = tool.json(
        "--config", "config.yaml", "download", "Windows", "RHEL7-64", "--source", "source", "--to", "usb"
    )
    assert (answer.code, answer.document["error"]["code"]) == (4, code)
    assert {path.name for path in (tool.folder / "usb").iterdir()} == {LINUX, "SHA256SUMS"}


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ((), 0),
        (("--signatures", "warn"), 0),
        (("--signatures", "off"), 0),
        (("--signatures", "require"), 4),
    ],
    ids=["nobody is expected", "warn", "off", "require"],
)
def test_an_unsigned_program_is_placed_unless_signatures_are_required(
    tool: Cli, arguments: tuple[str, ...], code: int
) -> None:
    offer(tool, program())
    tool.config(f"signature_roots: {json.dumps(ROOT)}\n")
    words = ("--config", "config.yaml", "sync", "--source", "source", "--package", "Windows", "--yes")
    answer = tool.repo(*words, *arguments)
    assert answer.code == code, answer.err
    assert tool.names() == ({EXE} if code == 0 else set())
    assert ("has no signature" in answer.err) is (arguments[1:] in {("warn",), ("require",)})


def test_a_publisher_in_the_catalog_is_required_and_the_configuration_beats_it(tool: Cli) -> None:
    text = (ROOT_OF_THE_PROJECT / "catalog.yaml").read_text("utf-8")
    head, windows, rest = text.partition("\n    extension: .exe\n")
    assert windows
    (tool.folder / "catalog.yaml").write_text(f"{head}{windows}    publisher: Somebody Else\n{rest}", "utf-8")
    offer(tool, signed("somebody-else"))
    tool.config(f"signature_roots: {json.dumps(ROOT)}\n")
    words = (
        "--catalog",
        "catalog.yaml",
        "--config",
        "config.yaml",
        "sync",
        "--source",
        "source",
        "--package",
        "Windows",
        "--yes",
    )
    (tool.source / EXE).write_bytes(signed("good"))
    assert tool.repo_json(*words).document["error"]["code"] == "other-publisher"
    tool.config(CONFIG)
    assert tool.repo(*words).code == 0


def test_a_spoilt_signature_is_refused_whoever_is_expected(tool: Cli) -> None:
    offer(tool, flipped(signed("good"), 0x250))
    words = ("sync", "--source", "source", "--package", "Windows", "--yes")
    assert tool.repo(*words).code == 4
    assert tool.repo(*words, "--signatures", "warn").code == 4
    assert tool.repo(*words, "--signatures", "off").code == 0


@pytest.mark.parametrize(("data", "code"), BAD)
def test_an_audit_warns_and_sync_replaces(tool: Cli, data: bytes, code: str) -> None:
    tool.put(EXE, data)
    tool.config(CONFIG)
    words = ("--config", "config.yaml", "--deep")
    severity = "error" if code == "tampered" else "warning"
    assert findings(tool, *words) == [(code, severity)]
    assert findings(tool, *words, "--signatures", "require") == [(code, "error")]
    assert findings(tool, *words, "--signatures", "off") == []
    offer(tool, signed("good"))
    answer = tool.repo_json("--config", "config.yaml", "sync", "--source", "source", "--package", "Windows", "--yes")
    assert answer.code == 0, answer.err
    assert [action["action"] for action in answer.document["actions"]][:3] == ["download", "retire", "place"]
    assert answer.document["actions"][0]["reason"] == "the file in the folder has not the signature it should have"
    assert (tool.repository / EXE).read_bytes() == signed("good")
    assert findings(tool, *words) == []


def test_the_fix_of_a_finding_mends_it(tool: Cli) -> None:
    tool.put(EXE, program())
    tool.config(CONFIG)
    answer = tool.repo_json("--config", "config.yaml", "audit", "--deep", "--package", "Windows")
    (finding,) = answer.document["findings"]
    assert finding["fix"].endswith("sync --package Windows --signatures require")


@pytest.mark.parametrize("more", [(), ("--signatures", "warn")], ids=["nobody is expected", "warn"])
def test_an_unsigned_stand_in_is_as_good_as_before_where_nobody_is_expected(tool: Cli, more: tuple[str, ...]) -> None:
    tool.fill(("Windows",))
    expected = [("unsigned", "warning")] if more else []
    assert findings(tool, "--deep", *more) == expected


def test_a_second_audit_remembers_the_signature_and_what_is_expected_may_change(tool: Cli) -> None:
    path = tool.put(EXE, signed("somebody-else"))
    tool.config(CONFIG)
    assert findings(tool, "--config", "config.yaml", "--deep") == [("other-publisher", "warning")]
    stamp = path.stat()
    # The bytes are not read again: where they lie there are none to read any more.
    assert findings(tool, "--config", "config.yaml") == [("other-publisher", "warning")]
    tool.config(CONFIG.replace(PUBLISHER, "Somebody Else"))
    assert findings(tool, "--config", "config.yaml") == []
    answer = tool.repo_json("--config", "config.yaml", "audit", "--package", "Windows")
    assert answer.document["packages"][0]["signer"] == "Somebody Else"
    tool.config(CONFIG.replace(json.dumps(ROOT), json.dumps(OTHER_ROOT)))
    assert findings(tool, "--config", "config.yaml") == []
    assert findings(tool, "--config", "config.yaml", "--deep") == [("other-publisher", "warning")]
    assert path.stat() == stamp or sys.platform == "win32"


def test_what_was_placed_is_known_with_its_signature(tool: Cli) -> None:
    offer(tool, signed("stamped"))
    tool.config(CONFIG)
    assert tool.repo("--config", "config.yaml", "sync", "--source", "source", "--package", "Windows", "--yes").code == 0
    answer = tool.repo_json("--config", "config.yaml", "audit", "--package", "Windows")
    assert answer.document["packages"][0]["signer"] == PUBLISHER


def test_prune_retires_a_program_that_is_not_signed_as_expected(tool: Cli) -> None:
    older = EXE.replace("9.66.7567.1", "9.66.7000.1").replace("20Sep2025", "01Sep2025")
    tool.put(EXE, program())
    tool.put(older, signed("good"))
    tool.config(CONFIG)
    assert tool.repo("--config", "config.yaml", "prune", "--yes").code == 0
    assert tool.names() == {older}


@pytest.mark.parametrize(
    "command", [("audit",), ("sync", "--dry-run"), ("prune", "--dry-run"), ("download", "Windows")]
)
@pytest.mark.parametrize("where", ["flag", "variable", "file"])
def test_required_without_roots_is_said_at_once(
    tool: Cli, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...], where: str
) -> None:
    tool.repository.mkdir()
    tool.config(f"signature_roots: nowhere.pem\n{'signatures: require' if where == 'file' else ''}\n")
    if where == "variable":
        monkeypatch.setenv("REPO_MANAGER_SIGNATURES", "require")
    flags = ("--signatures", "require") if where == "flag" else ()
    answer = tool.repo_json("--config", "config.yaml", *command, *flags)
    assert (answer.code, answer.error["code"]) == (2, "no-signature-roots")


def test_a_policy_that_does_not_exist_is_refused(tool: Cli) -> None:
    tool.repository.mkdir()
    assert tool.repo("audit", "--signatures", "maybe").code == 2
    tool.config("signatures: maybe\n")
    assert tool.repo("--config", "config.yaml", "audit").code == 2


def without_the_library(folder: Path) -> dict[str, str]:
    """An environment in which LIEF cannot be loaded, as on a machine without the extra."""
    broken = folder / "broken"
    broken.mkdir()
    (broken / "lief.py").write_text("raise ImportError('not installed')\n", encoding="ascii")
    return {"PYTHONPATH": str(broken)}


def test_without_the_library_it_is_said_what_was_not_checked(tool: Cli) -> None:
    offer(tool, flipped(signed("good"), 0x250))
    env = without_the_library(tool.folder)
    words = ("--repository", "repo", "sync", "--source", "source", "--package", "Windows", "--no-restart", "--yes")
    refused = real(*words, "--signatures", "require", cwd=tool.folder, env=env)
    assert refused.returncode == 2
    assert b"error[no-signature-library]" in refused.stderr
    assert b"asr-repo-manager[signatures]" in refused.stderr
    done = real("--json", *words, cwd=tool.folder, env=env)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count(b"was not checked: the extra 'signatures' is missing; install it with: pip install") == 1
    assert json.loads(done.stdout)["signatures_not_checked"] == [EXE]
    audited = real(
        "--json", "--repository", "repo", "audit", "--deep", "--package", "Windows", cwd=tool.folder, env=env
    )
    assert json.loads(audited.stdout)["signatures_not_checked"] == [EXE]
    shutil.rmtree(tool.folder / "broken")


def test_an_audit_that_reads_nothing_does_not_load_the_library(tool: Cli) -> None:
    tool.put(EXE, signed("good"))
    words = ("--repository", "repo", "audit", "--package", "Windows")
    assert real(*words, "--deep", cwd=tool.folder).returncode == 0
    env = without_the_library(tool.folder)
    again = real(*words, cwd=tool.folder, env=env)
    assert again.returncode == 0
    assert b"not checked" not in again.stderr
