"""An audit as test results: JUnit XML, as Jenkins, Azure DevOps, GitLab and others read it.

A case is there whether or not something is wrong with it, so that a history shows when that began and when it ended.
An error fails its case. A warning is said in the case's output and fails nothing. A machine of which nobody could say
that it can be protected, or that it should be, is skipped.

Evidence: junit-10.xsd of Jenkins's xUnit plugin.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from xml.etree import ElementTree as ET

from repo_manager.core.audit.findings import Code, Severity
from repo_manager.core.audit.machine_readiness import Readiness
from repo_manager.report.rules import RULES
from repo_manager.report.subjects import sentence, subjects
from repo_manager.report.text import safe

if TYPE_CHECKING:
    from collections.abc import Iterator

    from repo_manager.core.audit.findings import Finding
    from repo_manager.core.audit.result import AuditResult
    from repo_manager.report.subjects import JudgedMachine, JudgedPackage

# What is looked for in the folder as a whole. Others of its findings get a case when there are some.
_OF_THE_REPOSITORY: Final = frozenset(
    {
        Code.STRAY,
        Code.PARTIAL,
        Code.UNKNOWN_PACKAGE,
        Code.MIXED_RELEASES,
        Code.WITHDRAWN_RELEASE,
        Code.UNSUPPORTED_RELEASE,
        Code.VULNERABLE_RELEASE,
        Code.NOT_A_REPOSITORY,
        Code.RESTART_PENDING,
        Code.SECOND_FOLDER_DIFFERS,
        Code.WRITABLE_BY_OTHERS,
    }
)
_NOT_JUDGED: Final = {Readiness.AMBIGUOUS, Readiness.MODERNIZED_ONLY, Readiness.UNSUPPORTED, Readiness.UNKNOWN}


@dataclass(frozen=True, slots=True)
class _Case:
    name: str
    findings: tuple[Finding, ...]
    skipped: tuple[str, str] | None = None
    output: tuple[str, ...] = ()

    @property
    def failures(self) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.severity is Severity.ERROR)


def render(assessed: AuditResult) -> str:
    """The document, in ASCII: it reads the same whatever encoding it is stored or printed in."""
    found = subjects(assessed)
    suites = {
        "packages": [_package(package) for package in found.packages],
        "repository": list(_repository(found.others)),
    }
    if assessed.outlooks is not None:
        suites["machines"] = [_machine(machine) for machine in found.machines]
    cases = [case for suite in suites.values() for case in suite]
    root = ET.Element("testsuites", {"name": "repo-manager audit", **_counts(cases), "time": "0"})
    for name, suite in suites.items():
        _add_suite(root, name, suite, assessed)
    ET.indent(root, "")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(root, "us-ascii").decode("ascii")}'


# Cases


def _package(package: JudgedPackage) -> _Case:
    state = package.state
    version = f"version {state.version}" if state.version else "no installer"
    wanted = f"wanted {state.newest}" if state.newest else "wanted" if state.required else "not wanted"
    return _Case(state.package, package.findings, output=(f"{state.state.value}: {version}, {wanted}",))


def _repository(others: tuple[Finding, ...]) -> Iterator[_Case]:
    for code in Code:
        found = tuple(finding for finding in others if finding.code is code)
        if found or code in _OF_THE_REPOSITORY:
            yield _Case(code.value, found)


def _machine(machine: JudgedMachine) -> _Case:
    outlook = machine.outlook
    findings = (machine.finding,) if machine.finding else ()
    if outlook.prospect in _NOT_JUDGED:
        return _Case(machine.label, findings, skipped=(outlook.prospect.value, outlook.why))
    return _Case(machine.label, findings, output=(f"{outlook.prospect.value}: {outlook.why}",))


# As XML. Every text from outside passes `safe`, which leaves no character that XML forbids.


def _add_suite(root: ET.Element, name: str, cases: list[_Case], assessed: AuditResult) -> None:
    skipped = sum(case.skipped is not None and not case.failures for case in cases)
    times = {"time": "0", "timestamp": f"{assessed.at:%Y-%m-%dT%H:%M:%S}"}
    suite = ET.SubElement(root, "testsuite", {"name": name, **_counts(cases), "skipped": str(skipped), **times})
    facts = {
        "repository": assessed.audit.repository,
        "profile": assessed.profile,
        "release": str(assessed.audit.release),
        "deep": str(assessed.deep).lower(),
    }
    if assessed.outlooks is not None and name == "machines":
        facts["inventory"] = assessed.outlooks.inventory
    properties = ET.SubElement(suite, "properties")
    for key, value in facts.items():
        ET.SubElement(properties, "property", name=key, value=safe(value))
    group = safe(f"repo-manager.{assessed.profile}.{name}")
    for case in cases:
        element = ET.SubElement(suite, "testcase", classname=group, name=safe(case.name), time="0")
        element.extend((*_failure(case), *_skipped(case), *_output(case)))


def _counts(cases: list[_Case]) -> dict[str, str]:
    failures = sum(bool(case.failures) for case in cases)
    return {"tests": str(len(cases)), "failures": str(failures), "errors": "0"}


def _failure(case: _Case) -> Iterator[ET.Element]:
    """One at most: readers of this format show the first, and count more of them in different ways."""
    if not case.failures:
        return
    first, *more = case.failures
    rest = f" (and {len(more)} more)" if more else ""
    element = ET.Element("failure", type=first.code.value, message=safe(f"{sentence(first)}{rest}"))
    element.text = "\n\n".join(_told(finding) for finding in case.failures)
    yield element


def _skipped(case: _Case) -> Iterator[ET.Element]:
    if case.skipped is not None and not case.failures:
        kind, why = case.skipped
        yield ET.Element("skipped", type=kind, message=safe(why))


def _output(case: _Case) -> Iterator[ET.Element]:
    said = [_told(finding) for finding in case.findings if finding.severity is not Severity.ERROR]
    lines = [*map(safe, case.output), *said]
    if lines:
        element = ET.Element("system-out")
        element.text = "\n".join(lines)
        yield element


def _told(finding: Finding) -> str:
    """Several lines. A line break in a text from outside begins no line."""
    return (
        f"{finding.severity.value} {finding.code.value}: {safe(sentence(finding))}\n"
        f"({RULES[finding.code].meaning})\nto mend it: {safe(finding.fix)}"
    )
