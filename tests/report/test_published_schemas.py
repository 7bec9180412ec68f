"""The published schemas are those of the code: every document has one, with the code's own words."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, get_args

import jsonschema
import pytest
from assessment_world import audited
from fleet_world import document as report_document
from json_schemas import ALL, check, check_printed, schema
from web_world import make_tokens, serving, write_set

from repo_manager.cli import doctor
from repo_manager.core import (
    explanations,
    fleet,
    history,
    install_guide,
    plan,
    repository,
    transaction,
    watch_state,
)
from repo_manager.core.audit import findings
from repo_manager.core.audit.machine_readiness import Readiness
from repo_manager.core.catalog import ForClassic, ReleaseStatus
from repo_manager.core.errors import InputError
from repo_manager.core.inventory import Wording
from repo_manager.core.service import ServiceState
from repo_manager.core.systems import resolver as systems
from repo_manager.core.systems.support import Family
from repo_manager.core.upgrade import UpgradePart
from repo_manager.report import documents
from repo_manager.web import tokens

if TYPE_CHECKING:
    from collections.abc import Iterator
    from enum import StrEnum

ROOT: Final = Path(__file__).parents[2]
PAGE: Final = (ROOT / "docs" / "reference" / "json.md").read_text(encoding="utf-8")
NOW: Final = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
OWN_FILES: Final = {"journal", "records", "digests", "kernels", "compiled-catalog", "reporting", "trust", "tokens"}
"""What the tool writes for itself alone, and may write otherwise from one version to the next."""


# Every document has a schema


def test_every_document_that_the_code_makes_has_a_schema_and_there_is_no_other() -> None:
    sources = (ROOT / "repo_manager").rglob("*.py")
    made = {
        f"{what}-{edition}"
        for path in sources
        for what, edition in re.findall(r'"repo-manager/([a-z-]+)/([0-9]+)"', path.read_text("utf-8"))
    }
    assert {name for name in made if name.rpartition("-")[0] not in OWN_FILES} == set(ALL)
    assert {name.rpartition("-")[0] for name in made} >= OWN_FILES


@pytest.mark.parametrize("name", ALL)
def test_a_key_that_is_required_is_described(name: str) -> None:
    parts = [(where, part) for where, part in _parts(schema(name)) if "required" in part and "properties" in part]
    assert parts
    assert [where for where, part in parts if set(part["required"]) - set(part["properties"])] == []


# Words


WORDS: Final[dict[str, type[StrEnum]]] = {
    "advise left_out why": ReleaseStatus,
    "advise step for_classic": ForClassic,
    "advise step parts": UpgradePart,
    "advise stand role": fleet.ServerRole,
    "audit package state": findings.PackageStatus,
    "audit finding severity": findings.Severity,
    "audit inventory prospects": Readiness,
    "audit need state": findings.PackageStatus,
    "audit machine wording": Wording,
    "audit machine status": systems.Status,
    "audit machine prospect": Readiness,
    "catalog release for_classic": ForClassic,
    "catalog release standing": ReleaseStatus,
    "doctor check health": doctor.Health,
    "explain block kind": explanations.BlockKind,
    "fleet server role": fleet.ServerRole,
    "fleet server condition": fleet.Condition,
    "fleet line state": findings.PackageStatus,
    "fleet difference state": findings.PackageStatus,
    "list file kind": repository.FileKind,
    "report line state": findings.PackageStatus,
    "resolve answer status": systems.Status,
    "restore transaction state": history.Undoability,
    "restart service state": ServiceState,
    "serve-token role": tokens.BearerRole,
    "serve-tokens token role": tokens.BearerRole,
    "show standing": ReleaseStatus,
    "show guide system": Family,
    "show step shell": install_guide.Shell,
    "sync done result": transaction.ActionResult,
    "sync service state": ServiceState,
    "watch event": watch_state.WatchEventKind,
    "watch severity": findings.Severity,
}
ACTIONS: Final = [kind.__name__.lower() for kind in get_args(plan.Action)]
# The code has no set of these: real documents are held against them.
OTHER_WORDS: Final = {
    "advise experience": ["classic", "modernized"],
    "doctor permission result": ["done", "left"],
    "download file result": ["done", "failed"],
    "fleet wanted from": ["leader", "consensus"],
    "plan action action": ACTIONS,
    "publish rotated": ["root", "targets", "snapshot", "timestamp"],
    "serve event": ["listening", "stopped"],
    "sync done action": ACTIONS,
    "watch action": ["retire", "restart"],
}


def test_the_words_of_the_schemas_are_those_of_the_code() -> None:
    found = {
        f"{name.rpartition('-')[0]} {where}".strip(): [word for word in part["enum"] if word is not None]
        for name in ALL
        for where, part in _parts(schema(name))
        if "enum" in part
    }
    assert found == {where: [word.value for word in words] for where, words in WORDS.items()} | OTHER_WORDS


def test_the_findings_that_the_schema_names_are_those_of_the_code() -> None:
    finding = schema("audit-1")["$defs"]["finding"]
    assert finding["properties"]["code"]["examples"] == [code.value for code in findings.Code]


def _parts(part: object, where: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every part of a schema, with the names of the keys that lead there."""
    if not isinstance(part, dict):
        return
    yield where, part
    for word, inner in part.items():
        if word in {"properties", "$defs"}:
            for name, item in inner.items():
                yield from _parts(item, f"{where} {name}".strip())
        elif word in {"items", "propertyNames", "additionalProperties"}:
            yield from _parts(inner, where)


# Documents that no test of the command line prints


EVENTS: Final = re.findall(r"^\| `([a-z-]+)` \| (info|warning|error) \|([^|]*)\|", PAGE, re.MULTILINE)


@pytest.mark.parametrize(("event", "severity", "facts"), EVENTS)
def test_every_event_fits(event: str, severity: str, facts: str) -> None:
    """Elsewhere the table is held against real watches."""
    # An action is one of two words; everything else may be any text.
    said = {name: "retire" if name == "action" else "x" for name in re.findall("`([a-z]+)`", facts)}
    thing = watch_state.WatchEvent(NOW, watch_state.WatchEventKind(event), findings.Severity(severity), "words", said)
    check(documents.happening(thing))


def test_the_shown_lines_of_a_watch_fit() -> None:
    (block,) = re.findall(r"^```jsonl\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert block.startswith('{"schema"')
    check_printed(block)


@pytest.mark.parametrize("name", ["watch-install", "watch-remove"])
def test_what_is_printed_on_windows_alone_has_the_keys_that_the_page_names(name: str) -> None:
    (named,) = re.findall(rf"`repo-manager/{name}/1`\]?(?:\([^)]*\))?\s+with\s+([^.]*?)(?:, and `repo|\.)", PAGE)
    assert set(re.findall("`([a-z]+)`", named)) == set(schema(f"{name}-1")["properties"]) - {"schema"}


def test_what_a_server_keeps_and_answers_fits(tmp_path: Path) -> None:
    write_set(tmp_path / "set")
    wanted = (("reader", tokens.BearerRole.READ, ()), ("any", tokens.BearerRole.REPORT, ()))
    secrets = make_tokens(tmp_path / "t.json", NOW, *wanted)
    made = [report_document(), report_document(host="ps-02", set=None, release=None, packages=[])]
    with serving(tmp_path / "set", tokens_file=tmp_path / "t.json", reports=tmp_path / "r", now=lambda: NOW) as server:
        for one in made:
            body = json.dumps(one).encode()
            assert server.post(f"/reports/{one['host']}", secrets["any"], body).status_code == 204
        (tmp_path / "r" / "report-ps-03.json").write_bytes(b"{}")
        answer = server.get("/reports", secrets["reader"]).json()
    kept = [json.loads((tmp_path / "r" / f"report-{one['host']}.json").read_bytes()) for one in made]
    assert [one["report"] for one in kept] == [one["report"] for one in answer["reports"]] == made
    assert answer["unreadable"] == ["report-ps-03.json"]
    for one in (*kept, answer):
        check(one)


LINE: Final = {"package": "RHEL9-64", "state": "ok", "version": "9.66.7567.1"}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"host": "PS 01"}, "no server's name"),
        ({"host": "x" * 201}, "too long"),
        ({"host": "-x"}, "no name begins so"),
        ({"at": "2026-11-23T12:00:00+01:00"}, "not in UTC"),
        ({"at": "2026-11-23"}, "a day"),
        ({"tool": "<b>"}, "no version"),
        ({"run": {"command": "mirror", "exit_code": 256, "error": None}}, "no exit code"),
        ({"run": {"command": "mirror", "exit_code": 3, "error": "No Space"}}, "no code of an error"),
        ({"run": {"command": "Mirror", "exit_code": 0, "error": None}}, "no command"),
        ({"set": {"root": "ab", "version": 1}}, "no digest"),
        ({"set": {"root": "ab" * 32, "version": -1}}, "before the first"),
        ({"set": {"root": "ab" * 32, "version": 2**53 + 1}}, "no number of JSON"),
        ({"release": "9"}, "a release has two numbers"),
        ({"packages": [LINE | {"state": "fine"}]}, "no state"),
        ({"packages": [LINE | {"package": "a b"}]}, "no package"),
        ({"packages": [LINE | {"version": "9.66"}]}, "a version has four numbers"),
        ({"packages": [LINE | {"package": f"P{number}"} for number in range(501)]}, "too many"),
        ({"summary": {"errors": 1_000_001, "warnings": 0, "infos": 0}}, "too many"),
        ({"summary": {"errors": True, "warnings": 0, "infos": 0}}, "no number"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_no_report_is_refused_at_the_door_and_by_the_schema(changes: dict[str, Any], reason: str) -> None:
    del reason
    refused = report_document(**changes)
    with pytest.raises(InputError):
        fleet.parse(json.dumps(refused).encode())
    with pytest.raises(jsonschema.ValidationError):
        check(refused)


def test_what_a_report_may_leave_out_the_schema_lets_out() -> None:
    """Either takes it, as a report of a server that has nothing to say."""
    lines = [{"package": "RHEL9-64", "state": "missing"}]
    small = report_document(packages=lines, run={"command": "x", "exit_code": 0})
    del small["set"], small["release"]
    check(small)
    assert fleet.parse(json.dumps(small).encode()).followed is None


# What does not fit is noticed


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ({"schema": "repo-manager/demo/1", "steps": [{"step": "x", "surprise": 1}]}, "a key that is not described"),
        (
            {"schema": "repo-manager/demo/1", "steps": [{"step": "x", "audit": documents.audit(audited()) | {"y": 1}}]},
            "a key that is not described, in a document within",
        ),
        ({"schema": "repo-manager/serve-token/1", "name": "x"}, "neither made nor removed"),
        (
            {"schema": "repo-manager/serve-token/1", "name": "x", "role": "read", "token": "t", "removed": True},
            "both made and removed",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_document_that_does_not_fit_is_noticed(document: dict[str, Any], reason: str) -> None:
    del reason
    with pytest.raises(jsonschema.ValidationError):
        check(document)


@pytest.mark.parametrize("beside", ["and words", '{"other": 1}'])
def test_what_is_printed_beside_a_document_is_noticed(beside: str) -> None:
    printed = json.dumps(documents.error(InputError("x", "y", "z")))
    check_printed(f"{printed}\n{printed}\n")
    with pytest.raises(AssertionError):
        check_printed(f"{printed}\n{beside}\n")
