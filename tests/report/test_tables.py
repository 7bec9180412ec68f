from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pytest
from simulator import NEW_NAMES, assessment_of, audit_of, listing_of, name_of, selection_of

from repo_manager.core.audit.result import Changes
from repo_manager.core.errors import MachineError
from repo_manager.core.names import Token
from repo_manager.core.plan import Download, Place, Plan, Restart, Retire
from repo_manager.core.service import ServiceReport, ServiceState
from repo_manager.core.transaction import ActionResult, Outcome
from repo_manager.report import listings, tables

if TYPE_CHECKING:
    from repo_manager.core.audit.findings import Severity

RHEL9 = Token("RHEL9-64")
NEW = NEW_NAMES[1]
OLD = name_of("RHEL9-64", "9.65")
COPY = f"Copy of {NEW}"


def plain(line: str, _: Severity) -> str:
    return line


def marked(line: str, severity: Severity) -> str:
    return f"<{severity}>{line}</>"


# list


def test_a_listing_shows_installers_by_package_then_the_rest() -> None:
    printed = listings.text(listing_of(NEW, OLD, "a.txt"), date(2026, 1, 1), 80)
    assert printed.splitlines() == [
        "/repository",
        "",
        "PACKAGE   VERSION   DATE          AGE    SIZE",
        "RHEL9-64  9.66.0.0  2025-09-20  3 mon  1.0 KB",
        "RHEL9-64  9.65.0.0  2025-04-23  8 mon  1.0 KB",
        "",
        "KIND     SIZE  FILE",
        "stray  1.0 KB  a.txt",
        "",
        "2 installers, 1 other file",
    ]


def test_a_wide_listing_names_the_files() -> None:
    assert listings.text(listing_of(NEW), date(2026, 1, 1), 140).splitlines()[3].endswith(NEW)


def test_an_empty_repository_is_said_to_be_empty() -> None:
    assert listings.text(listing_of(), date(2026, 1, 1), 80).splitlines() == [
        "/repository",
        "",
        "0 installers, 0 other files",
    ]


# audit


def judged(*present: str, packages: tuple[str, ...] = ("RHEL9-64",)) -> str:
    listing = listing_of(*present)
    found = audit_of(listing, selection_of(listing, *packages, release="latest"))
    return tables.audit(assessment_of(found, fixes=("repo-manager sync",)), 80, plain)


def test_an_audit_shows_a_line_per_package_the_findings_and_the_fix_last() -> None:
    assert judged(OLD, COPY).splitlines() == [
        "/repository",
        "release 9.66, profile classic",
        "",
        "PACKAGE   STATE     VERSION   WANTED    PLACED",
        "RHEL9-64  outdated  9.65.0.0  9.66.0.0  by hand",
        "",
        "error outdated: older than wanted",
        "  RHEL9-64",
        "",
        "error stray",
        f"  {COPY}",
        "    could be taken for a package, but does not begin with Microsoft-ASR_UA_ or",
        "    InMage_UA_",
        "",
        "2 errors, 0 warnings, 0 notes",
        "what a code means: repo-manager explain outdated",
        "to mend it: repo-manager sync",
    ]


def test_notes_alone_need_no_explanation() -> None:
    assert "what a code means" not in judged(NEW, "who-to-call.txt")


def test_what_has_changed_stands_above_the_counts() -> None:
    listing = listing_of(OLD)
    found = audit_of(listing, selection_of(listing, "RHEL9-64", release="latest"))
    changes = Changes(None, found.findings, (), (), "before.json")
    lines = tables.audit(assessment_of(found, changes=changes), 80, plain).splitlines()
    at = lines.index("since the audit in before.json: 1 new, 0 fixed, 0 standing")
    assert lines[at + 1 : at + 5] == [
        "  new    error outdated",
        f"         {OLD}",
        "",
        "1 error, 0 warnings, 0 notes",
    ]


def test_findings_of_one_kind_are_said_once() -> None:
    lines = judged(packages=("RHEL9-64", "OL6-64")).splitlines()
    assert "error missing (2): no installer of these packages is in the repository" in lines
    assert "  RHEL9-64, OL6-64" in lines


def test_doubled_installers_are_named_by_file() -> None:
    lines = judged(OLD, NEW).splitlines()
    assert (
        lines[lines.index("error duplicate: a newer installer of the same package lies beside these") + 1] == f"  {OLD}"
    )


def test_a_finding_without_a_file_is_a_paragraph() -> None:
    lines = judged(NEW, name_of("OL6-64", "9.65")).splitlines()
    assert lines[lines.index("warning mixed-releases") + 1] == (
        "  the packages belong to 2 releases (9.65: 1; 9.66: 1)"
    )


def test_a_release_for_the_modernized_experience_is_told_in_full() -> None:
    printed = judged(name_of("RHEL9-64", "9.56"))
    assert "release 9.56 was published for the modernized experience alone: RHEL9-64" in printed


def test_only_what_is_wrong_is_painted() -> None:
    listing = listing_of(NEW, name_of("OL6-64", "9.65"))
    found = audit_of(listing, selection_of(listing, "RHEL9-64", "OL6-64", release="latest"))
    lines = tables.audit(assessment_of(found), 80, marked).splitlines()
    assert [line for line in lines if line.startswith("<")] == [
        "<error>OL6-64    outdated  9.65.0.0  9.66.0.0</>",
        "<error>error outdated</>: older than wanted",
        "<warning>warning mixed-releases</>",
    ]
    assert lines[-2:] == ["1 error, 1 warning, 0 notes", "what a code means: repo-manager explain outdated"]


def test_a_package_that_is_not_wanted_is_said_not_to_be() -> None:
    assert any(line.split()[:4] == ["OL6-64", "ok", "9.66.0.0", "not"] for line in judged(NEW_NAMES[3]).splitlines())


@pytest.mark.parametrize("width", [80, 140])
def test_lines_keep_to_the_width_except_for_long_names(width: int) -> None:
    listing = listing_of(OLD, COPY, "a.txt", name_of("RHEL99-64"))
    found = audit_of(listing, selection_of(listing))
    lines = tables.audit(assessment_of(found), width, plain).splitlines()
    assert all(len(line) <= width for line in lines if "Microsoft-ASR_UA_9" not in line)


# plan


def test_an_empty_plan_says_so() -> None:
    assert tables.plan(Plan(), 80) == "nothing to do"


def test_a_plan_is_told_by_kind_and_a_fetched_file_once() -> None:
    printed = tables.plan(
        Plan(
            (
                Download(RHEL9, NEW, ("https://a.example/x",), 115_643_359, None, "missing"),
                Place(RHEL9, NEW, f"staging/{NEW}", "https://a.example/x", 115_643_359, "missing"),
                Place(Token("OL6-64"), NEW_NAMES[3], f"staging/{NEW_NAMES[3]}", "E:/media", None, "brought by hand"),
                Retire(RHEL9, OLD, 5, "superseded by 9.66.0.0"),
                Retire(None, "Copy of RHEL9-64.zip", 5, "stray"),
                Restart("InMage PushInstall"),
            )
        ),
        100,
    )
    assert printed.splitlines() == [
        "download and place 1 file",
        "  RHEL9-64  9.66.0.0  missing (115.6 MB)",
        "",
        "place 1 file",
        "  OL6-64  9.66.0.0  brought by hand",
        "",
        "retire 2 files",
        "  RHEL9-64  9.65.0.0  superseded by 9.66.0.0",
        "  Copy of RHEL9-64.zip  stray",
        "",
        "restart the service InMage PushInstall",
    ]


@pytest.mark.parametrize("name", [OLD, f"Copy of {NEW}"], ids=["an installer", "a stray"])
def test_a_long_reason_goes_on_below(name: str) -> None:
    retire = Retire(None, name, 5, "could be taken for a package, " * 6)
    head, first, *rest = tables.plan(Plan((retire,)), 80).splitlines()
    assert head == "retire 1 file"
    assert rest
    assert all(line.startswith("    ") and len(line) <= 80 for line in rest)
    assert first.startswith("  ")


def test_nothing_in_a_plan_can_move_the_cursor() -> None:
    printed = tables.plan(Plan((Retire(None, "\x1b[2J\u202e.txt", 1, "stray"), Restart("\x1bservice"))), 80)
    assert "\x1b" not in printed
    assert "\u202e" not in printed


# outcome


@pytest.mark.parametrize(
    ("done", "printed"),
    [
        pytest.param(
            Outcome(
                "T1",
                (
                    (Place(RHEL9, NEW, f"staging/{NEW}", "x", 1, "r"), ActionResult.DONE),
                    (Retire(RHEL9, OLD, 1, "r"), ActionResult.DONE),
                ),
                ServiceReport(True, ServiceState.RUNNING),
            ),
            "placed 1 file, retired 1 file (transaction T1)\nthe service was restarted and is running",
            id="restarted",
        ),
        pytest.param(
            Outcome(
                "T1",
                ((Retire(RHEL9, OLD, 1, "r"), ActionResult.DONE),),
                ServiceReport(False, ServiceState.STOPPED, "it was stopped before"),
            ),
            "placed 0 files, retired 1 file (transaction T1)\nnot restarted: it was stopped before",
            id="not restarted",
        ),
        pytest.param(
            Outcome(
                "T1",
                (
                    (Retire(RHEL9, OLD, 1, "r"), ActionResult.DONE),
                    (Retire(RHEL9, NEW, 1, "changed since by T0"), ActionResult.SKIPPED),
                    (Restart("push"), ActionResult.SKIPPED),
                ),
                ServiceReport(False, ServiceState.STOPPED, "it was stopped before"),
            ),
            "placed 0 files, retired 1 file (transaction T1)\n"
            "left alone 1 file\n"
            "  RHEL9-64  9.66.0.0  changed since by T0\n"
            "not restarted: it was stopped before",
            id="left alone",
        ),
        pytest.param(
            Outcome(
                "T1", ((Retire(RHEL9, OLD, 1, "r"), ActionResult.DONE),), ServiceReport(False, ServiceState.RUNNING)
            ),
            "placed 0 files, retired 1 file (transaction T1)",
            id="nothing to say of the service",
        ),
        pytest.param(
            Outcome("T1", (), ServiceReport(False, ServiceState.RUNNING)),
            "nothing to do: the repository is as wanted",
            id="nothing to do",
        ),
        pytest.param(
            Outcome("T1", (), ServiceReport(False, ServiceState.RUNNING), MachineError("disk-full", "no room")),
            "nothing was changed: the repository is as it was",
            id="failed",
        ),
    ],
)
def test_an_outcome_is_told_in_a_sentence_or_two(done: Outcome, printed: str) -> None:
    assert tables.outcome(done, 80) == printed
