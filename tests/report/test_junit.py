"""JUnit results, held against the schema of Jenkins's xUnit plugin."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final
from xml.etree import ElementTree as ET

import pytest
import xmlschema
from assessment_world import AT, HOSTILE, audited, compared, hostile, judged
from hypothesis import given
from hypothesis import strategies as st

from repo_manager.core.audit.findings import Code, Finding, Severity
from repo_manager.core.audit.machine_readiness import Readiness
from repo_manager.core.inventory import Machine, Wording
from repo_manager.report.junit import render
from repo_manager.report.text import safe

if TYPE_CHECKING:
    from collections.abc import Callable

    from repo_manager.core.audit.result import AuditResult

SCHEMA: Final = xmlschema.XMLSchema(str(Path(__file__).parents[1] / "data" / "junit" / "junit-10.xsd"))

MAKERS: Final = {
    "a folder": audited,
    "a tidy folder": lambda: audited(tidy=True),
    "with machines": lambda: judged(120),
    "compared": lambda: compared(judged(20)),
    "hostile": hostile,
}


def parsed(assessed: AuditResult) -> ET.Element:
    return ET.fromstring(render(assessed))  # noqa: S314 - our own


def suite(assessed: AuditResult, name: str) -> ET.Element:
    found = parsed(assessed).find(f"testsuite[@name='{name}']")
    assert found is not None
    return found


def cases(assessed: AuditResult, name: str) -> dict[str, ET.Element]:
    return {case.attrib["name"]: case for case in suite(assessed, name).iter("testcase")}


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_the_document_is_valid(make: Callable[[], AuditResult]) -> None:
    SCHEMA.validate(render(make()))


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_the_document_is_ascii_so_that_every_encoding_carries_it(make: Callable[[], AuditResult]) -> None:
    assert render(make()).isascii()


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_the_counts_are_those_of_the_cases(make: Callable[[], AuditResult]) -> None:
    root = parsed(make())
    for counted in (root, *root.findall("testsuite")):
        assert int(counted.attrib["tests"]) == len(list(counted.iter("testcase")))
        assert int(counted.attrib["failures"]) == len(list(counted.iter("failure")))
        if counted.tag == "testsuite":
            assert int(counted.attrib["skipped"]) == len(list(counted.iter("skipped")))


def test_there_is_a_case_for_every_package_and_every_machine() -> None:
    assessed = judged(50)
    assert assessed.outlooks is not None
    assert list(cases(assessed, "packages")) == [state.package for state in assessed.audit.packages]
    assert list(cases(assessed, "machines")) == [outlook.machine.name for outlook in assessed.outlooks.machines]


def test_no_inventory_has_no_suite_of_machines() -> None:
    assert [found.attrib["name"] for found in parsed(audited()).findall("testsuite")] == ["packages", "repository"]


def test_an_error_fails_its_case_and_says_how_to_mend_it() -> None:
    failure = cases(audited(), "packages")["RHEL5-64"].find("failure")
    assert failure is not None
    assert failure.attrib["type"] == "missing"
    assert failure.attrib["message"].startswith("no installer for RHEL5-64")
    assert "to mend it: repo-manager --repository /srv/repository sync --package RHEL5-64" in (failure.text or "")


def test_a_warning_fails_nothing_and_is_said() -> None:
    case = cases(audited(), "repository")["mixed-releases"]
    assert case.find("failure") is None
    assert "warning mixed-releases: the packages belong to 2 releases" in (case.findtext("system-out") or "")


def test_several_errors_of_a_package_are_one_failure_that_tells_all() -> None:
    assessed = audited()
    more = Finding(
        Code.MISLABELLED, Severity.ERROR, "was built for OL7-64", "fix it", assessed.audit.packages[1].package
    )
    assessed = replace(assessed, audit=replace(assessed.audit, findings=(*assessed.audit.findings, more)))
    case = cases(assessed, "packages")["RHEL5-64"]
    failures = case.findall("failure")
    assert len(failures) == 1
    assert failures[0].attrib["message"].endswith("(and 1 more)")
    assert "was built for OL7-64" in (failures[0].text or "")


def test_a_case_of_the_repository_is_there_when_nothing_is_wrong() -> None:
    """A history needs the case before it fails, and after."""
    tidy, messy = (set(cases(audited(tidy=tidy), "repository")) for tidy in (True, False))
    assert tidy == messy
    assert {"stray", "partial", "mixed-releases", "restart-pending"} <= tidy


@pytest.mark.parametrize(
    ("prospect", "outcome"),
    [
        (Readiness.READY, "passed"),
        (Readiness.NOT_CURRENT, "passed"),
        (Readiness.WITHOUT_PACKAGE, "failure"),
        (Readiness.KERNEL_NOT_SUPPORTED, "failure"),
        (Readiness.AMBIGUOUS, "skipped"),
        (Readiness.MODERNIZED_ONLY, "skipped"),
        (Readiness.UNSUPPORTED, "skipped"),
        (Readiness.UNKNOWN, "skipped"),
    ],
)
def test_what_a_machine_can_expect_decides_its_case(prospect: Readiness, outcome: str) -> None:
    assessed = judged(1200)
    assert assessed.outlooks is not None
    told = cases(assessed, "machines")
    found = {
        next((child.tag for child in told[outlook.machine.name] if child.tag != "system-out"), "passed")
        for outlook in assessed.outlooks.machines
        if outlook.prospect is prospect
    }
    assert found == {outcome}


def test_machines_that_share_a_name_have_cases_of_their_own() -> None:
    named = ["web", "db", "web", "web (2)", "web"]
    machines = [Machine(name, f"line {row}", "Solaris 11", Wording.GIVEN) for row, name in enumerate(named, 2)]
    assert list(cases(judged(machines), "machines")) == ["web", "db", "web (2)", "web (2) (2)", "web (3)"]


def test_names_do_not_hang_on_when_or_on_the_place_in_the_list() -> None:
    """A history is kept by class and name."""

    def named(assessed: AuditResult) -> set[tuple[str, str]]:
        return {(case.attrib["classname"], case.attrib["name"]) for case in parsed(assessed).iter("testcase")}

    assessed = judged(30)
    assert assessed.outlooks is not None
    other = replace(
        assessed,
        at=AT.replace(year=2027),
        outlooks=replace(assessed.outlooks, machines=assessed.outlooks.machines[::-1]),
    )
    assert named(other) == named(assessed)


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_stay_names(name: str) -> None:
    machine = Machine(name, "line 2", "Red Hat Enterprise Linux 9.4", Wording.GIVEN)
    assert list(cases(judged([machine]), "machines")) == [safe(name)]


@given(st.text(st.characters(codec=None), max_size=40))
def test_any_name_makes_a_document_that_can_be_read(name: str) -> None:
    machine = Machine(name, "line 2", name, Wording.GIVEN)
    assert list(cases(judged([machine], tidy=True), "machines")) == [safe(name)]


def test_names_neither_begin_lines_nor_bring_control_characters() -> None:
    repository = "/srv/two\nforged lines\x1b[31m\u202e"
    finding = Finding(
        Code.STRAY, Severity.ERROR, "is no\nforged line", f"list '{repository}'", file="two\nforged lines\x1b[2J"
    )
    assessed = judged([Machine("a", "line 2", "nothing\nforged system \x1b[31m", Wording.GIVEN)])
    told = replace(assessed.audit, repository=repository, findings=(*assessed.audit.findings, finding))
    text = render(replace(assessed, audit=told))
    SCHEMA.validate(text)
    assert "forged lines" in text
    for element in ET.fromstring(text).iter():  # noqa: S314 - our own
        for value in (element.text or "", *element.attrib.values()):
            assert all(line.isprintable() and not line.startswith("forged") for line in value.split("\n"))
