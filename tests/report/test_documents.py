from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from simulator import NEW_NAMES, SMALL, assessment_of, audit_of, listing_of, name_of, selection_of

from repo_manager.core import names
from repo_manager.core.audit.result import Changes
from repo_manager.core.errors import MachineError
from repo_manager.core.names import Token
from repo_manager.core.plan import Action, Download, Place, Plan, Restart, Retire
from repo_manager.core.service import ServiceReport, ServiceState
from repo_manager.core.transaction import ActionResult, Outcome
from repo_manager.report import documents, listings

RHEL9 = Token("RHEL9-64")
NEW = NEW_NAMES[1]
OLD = name_of("RHEL9-64", "9.65")


def test_a_name_that_parses() -> None:
    parsed = names.parse("Microsoft-ASR_UA_9.30.0.0_OL6-64_GA_22Oct2019_release.tar.gz")
    assert documents.names([documents.parsed_name(parsed, SMALL)]) == {
        "schema": "repo-manager/parse/1",
        "names": [
            {
                "name": parsed.text,
                "ok": True,
                "product": "Microsoft-ASR_UA",
                "version": "9.30.0.0",
                "release": "9.30",
                "package": "OL6-64",
                "known": True,
                "nearest": None,
                "channel": "GA",
                "date": "2019-10-22",
                "config": "release",
                "extension": ".tar.gz",
                "build": "9.30.5407.1",
                "build_derived": True,
            }
        ],
    }


def test_a_name_of_an_unknown_package_names_the_nearest_and_an_early_one_has_no_build() -> None:
    document = documents.parsed_name(names.parse(name_of("RHELP9-64", date="01Jan2000")), SMALL)
    assert (document["known"], document["nearest"], document["build"]) == (False, "RHEL9-64", None)


def test_a_name_that_does_not_parse() -> None:
    assert documents.refused_name("x", "is short") == {"name": "x", "ok": False, "reason": "is short"}


def test_a_listing() -> None:
    document = listings.document(listing_of(NEW, "a.txt", "RHEL9-64_pushinstallclient.tar.gz"))
    assert document["schema"] == "repo-manager/list/1"
    assert document["repository"] == "/repository"
    assert [(file["name"], file["kind"], file["package"]) for file in document["files"]] == [
        (NEW, "installer", "RHEL9-64"),
        ("RHEL9-64_pushinstallclient.tar.gz", "push-client", None),
        ("a.txt", "stray", None),
    ]
    assert [bool(file["reason"]) for file in document["files"]] == [False, False, True]


def test_an_audit() -> None:
    listing = listing_of(OLD)
    judged = audit_of(listing, selection_of(listing, "RHEL9-64", release="latest"))
    assert documents.audit(assessment_of(judged, deep=True)) == {
        "schema": "repo-manager/audit/1",
        "repository": "/repository",
        "profile": "classic",
        "at": "2026-01-02T03:04:05+00:00",
        "release": "9.66",
        "deep": True,
        "packages": [
            {
                "package": "RHEL9-64",
                "required": True,
                "manual": True,
                "state": "outdated",
                "file": OLD,
                "version": "9.65.0.0",
                "newest": "9.66.0.0",
                "signer": None,
                "read_at": None,
            }
        ],
        "findings": [
            {
                "code": "outdated",
                "severity": "error",
                "package": "RHEL9-64",
                "file": OLD,
                "machine": None,
                "message": "RHEL9-64 is 9.65.0.0; 9.66.0.0 is wanted",
                "fix": "repo-manager sync --package RHEL9-64",
            }
        ],
        "summary": {"errors": 1, "warnings": 0, "infos": 0},
        "signatures_not_checked": [],
        "inventory": None,
        "needs": [],
        "machines": [],
        "changes": None,
    }


def test_what_has_changed_since_an_earlier_audit() -> None:
    listing = listing_of(OLD)
    judged = audit_of(listing, selection_of(listing, "RHEL9-64", release="latest"))
    (found,) = judged.findings
    changes = Changes(datetime(2026, 1, 1, tzinfo=UTC), (found,), (), (found,), "before.json", ("odd",), (found,))
    assert documents.audit(assessment_of(judged, changes=changes))["changes"] == {
        "since": "2026-01-01T00:00:00+00:00",
        "earlier": "before.json",
        "new": [documents.finding(found)],
        "standing": [],
        "fixed": [documents.finding(found)],
        "not_looked_for": [documents.finding(found)],
        "remarks": ["odd"],
    }
    first = documents.audit(assessment_of(judged, changes=Changes(None, (), (), ())))["changes"]
    assert (first["since"], first["earlier"]) == (None, None)


ACTIONS: tuple[tuple[Action, dict[str, object]], ...] = (
    (
        Download(RHEL9, NEW, ("https://a.example/x", "https://b.example/x"), 5, None, "missing"),
        {"action": "download", "package": "RHEL9-64", "name": NEW, "source": "https://a.example/x", "bytes": 5},
    ),
    (
        Place(RHEL9, NEW, f"staging/{NEW}", "E:/media", 5, "missing"),
        {"action": "place", "package": "RHEL9-64", "name": NEW, "source": "E:/media", "bytes": 5},
    ),
    (
        Retire(None, "a.txt", None, "missing"),
        {"action": "retire", "package": None, "name": "a.txt", "source": None, "bytes": None},
    ),
    (
        Restart("a service", "missing"),
        {"action": "restart", "package": None, "name": "a service", "source": None, "bytes": None},
    ),
)


@pytest.mark.parametrize(("action", "facts"), ACTIONS, ids=["download", "place", "retire", "restart"])
def test_each_action_has_the_same_keys(action: Action, facts: dict[str, object]) -> None:
    assert documents.plan(Plan((action,))) == {
        "schema": "repo-manager/plan/1",
        "actions": [{**facts, "reason": "missing"}],
    }


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("https://user:secret@a.example/x?sig=secret#part", "https://a.example/x"),
        ("https://a.example?sig=secret", "https://a.example"),
        ("//server/share/a?b", "//server/share/a?b"),
        ("C:/media/a#1", "C:/media/a#1"),
    ],
    ids=["everything secret", "no path", "UNC path", "a folder with a strange name"],
)
def test_a_source_is_shown_without_its_secrets(source: str, shown: str) -> None:
    places = Place(RHEL9, NEW, f"staging/{NEW}", source, 5, "missing")
    downloads = Download(RHEL9, NEW, (source,), 5, None, "missing")
    assert documents.action(places)["source"] == shown
    assert documents.action(downloads)["source"] == shown


def test_an_outcome_carries_each_actions_result_and_the_service() -> None:
    done = Outcome(
        "T1", tuple((action, ActionResult.DONE) for action, _ in ACTIONS), ServiceReport(True, ServiceState.RUNNING)
    )
    document = documents.outcome(done)
    assert document["schema"] == "repo-manager/sync/1"
    assert document["transaction"] == "T1"
    assert [action["result"] for action in document["actions"]] == ["done"] * 4
    assert document["service"] == {"restarted": True, "state": "running", "remark": ""}
    assert "error" not in document
    assert json.loads(json.dumps(document)) == document


def test_a_failed_outcome_carries_its_error() -> None:
    error = MachineError("disk-full", "no room", "make room")
    done = Outcome("T1", (), ServiceReport(False, ServiceState.ABSENT), error)
    facts = {"code": "disk-full", "message": "no room", "hint": "make room"}
    assert documents.outcome(done)["error"] == facts
    assert documents.error(error) == {"schema": "repo-manager/error/1", "error": facts}
