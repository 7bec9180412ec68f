"""An audit as one HTML document that needs nothing else, for people who were not there when it was made.

It is complete without its script, which copies commands, sorts, filters, and shows the machines a page at a time.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from repo_manager.core.audit.findings import PackageStatus, Severity
from repo_manager.core.audit.machine_readiness import Readiness
from repo_manager.report.page import plural, render_page
from repo_manager.report.rules import RULES
from repo_manager.report.subjects import published, sentence, subjects
from repo_manager.report.text import age, readings
from repo_manager.version import __version__

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    from repo_manager.core.audit.findings import Code, Finding, PackageLine
    from repo_manager.core.audit.machine_readiness import InventoryReadiness
    from repo_manager.core.audit.result import AuditResult, Changes
    from repo_manager.report.subjects import JudgedMachine

STATES: Final = {
    PackageStatus.MISSING: "missing",
    PackageStatus.CORRUPT: "corrupt",
    PackageStatus.OUTDATED: "outdated",
    PackageStatus.DUPLICATE: "doubled",
    PackageStatus.OK: "as wanted",
}
"""What the state of a package is called in the report, gravest first."""

WORDS: Final = {
    Readiness.WITHOUT_PACKAGE: "without package",
    Readiness.KERNEL_NOT_SUPPORTED: "kernel not supported",
    Readiness.AMBIGUOUS: "ambiguous",
    Readiness.MODERNIZED_ONLY: "modernized only",
    Readiness.NOT_CURRENT: "package not current",
    Readiness.UNSUPPORTED: "not supported",
    Readiness.UNKNOWN: "not known",
    Readiness.READY: "ready",
}
"""What a prospect is called in the report, gravest first."""

_KINDS: Final = {Severity.ERROR: "bad", Severity.WARNING: "warned", Severity.INFO: "calm"}
_STATE_RANK: Final = {state: rank for rank, state in enumerate(STATES)}
_RANK: Final = {prospect: rank for rank, prospect in enumerate(WORDS)}
# What needs no explanation: there are many of them.
_PLAIN: Final = {Readiness.READY, Readiness.NOT_CURRENT}
_APART: Final = {Readiness.UNSUPPORTED, Readiness.UNKNOWN}
_OF_PACKAGES: Final = (
    Readiness.READY,
    Readiness.NOT_CURRENT,
    Readiness.MODERNIZED_ONLY,
    Readiness.KERNEL_NOT_SUPPORTED,
    Readiness.WITHOUT_PACKAGE,
)
_ROWS_MOST: Final = 500
_NAMES_MOST: Final = 6
_APART_MOST: Final = 200


def render(assessed: AuditResult) -> str:
    """The document, in ASCII: it reads the same whatever encoding it is stored or printed in."""
    audit, outlooks = assessed.audit, assessed.outlooks
    document, _ = render_page(
        "audit",
        assessed=assessed,
        version=__version__,
        readings="every byte was read" if assessed.deep else readings(assessed.readings),
        errors=audit.count(Severity.ERROR),
        warnings=audit.count(Severity.WARNING),
        cards=list(_cards(assessed)),
        changes=_changes(assessed.changes) if assessed.changes else None,
        groups=list(_groups(audit.findings)),
        packages=_packages(assessed),
        inventory=_inventory(assessed, outlooks) if outlooks else None,
        kinds=_KINDS,
        most=_ROWS_MOST,
    )
    return document


# What it comes to


class _Card(NamedTuple):
    target: str
    kind: str
    amount: str
    what: str
    more: str


def _cards(assessed: AuditResult) -> Iterator[_Card]:
    audit = assessed.audit
    errors, warnings, infos = (audit.count(severity) for severity in (Severity.ERROR, Severity.WARNING, Severity.INFO))
    kind = "bad" if errors else "warned" if warnings else "good"
    more = f"{plural(warnings, 'warning')}, {plural(infos, 'note')}"
    yield _Card("findings", kind, f"{errors:,}", "error" if errors == 1 else "errors", more)
    wanted = Counter(state.state for state in audit.packages if state.required)
    ok, count = wanted[PackageStatus.OK], wanted.total()
    kind = "good" if ok == count else "bad"
    yield _Card(
        "packages", kind, f"{ok:,} of {count:,}", "packages as wanted", f"{wanted[PackageStatus.MISSING]:,} missing"
    )
    if assessed.outlooks is not None:
        yield _machines_card(assessed.outlooks)


def _machines_card(outlooks: InventoryReadiness) -> _Card:
    ready, count = outlooks.count(Readiness.READY), len(outlooks.machines)
    refused = outlooks.count(Readiness.WITHOUT_PACKAGE) + outlooks.count(Readiness.KERNEL_NOT_SUPPORTED)
    kind = "bad" if refused else "good" if ready == count else "warned"
    more = f"{refused:,} would fail; from {outlooks.inventory}"
    return _Card("machines", kind, f"{ready:,} of {count:,}", "machines ready", more)


# Findings, and what became of them since an earlier audit


class _FindingRow(NamedTuple):
    """`machines` is empty for a finding that is of no machine."""

    subject: str
    fix: str
    machines: str = ""
    names: str = ""


class _Group(NamedTuple):
    severity: Severity
    code: Code
    meaning: str
    findings: int
    rows: list[_FindingRow]


def _groups(findings: tuple[Finding, ...]) -> Iterator[_Group]:
    """All findings, by severity and code."""
    ordered = sorted(findings, key=lambda finding: (list(Severity).index(finding.severity), finding.code))
    for (severity, code), grouped in groupby(ordered, key=lambda finding: (finding.severity, finding.code)):
        found = list(grouped)
        yield _Group(severity, code, RULES[code].meaning, len(found), list(_rows(found)))


def _rows(found: list[Finding]) -> Iterator[_FindingRow]:
    """A row each; machines that need the same have one together, for they are listed further down."""
    machines: dict[tuple[str, str], list[str]] = defaultdict(list)
    for finding in found:
        if finding.machine is None:
            yield _FindingRow(sentence(finding), finding.fix)
        else:
            machines[finding.package or finding.message, finding.fix].append(finding.machine)
    for (alike, fix), names in machines.items():
        more = ", ..." if len(names) > _NAMES_MOST else ""
        yield _FindingRow(alike, fix, plural(len(names), "machine"), f"{', '.join(names[:_NAMES_MOST])}{more}")


def _changes(changes: Changes) -> dict[str, Any]:
    listed = [("Fixed", changes.fixed), ("Not looked for", changes.not_looked_for)]
    if changes.earlier is not None or changes.since is not None:
        listed.insert(0, ("New", changes.new))
    return {
        "since": changes.since,
        "is_first": changes.since is None and changes.earlier is None,
        "remarks": changes.remarks,
        "counts": [("new", len(changes.new)), ("standing", len(changes.standing)), ("fixed", len(changes.fixed))],
        "not_looked_for": len(changes.not_looked_for),
        "lists": [
            (title, [(one.severity, one.code, sentence(one)) for one in found]) for title, found in listed if found
        ],
        "open_most": _NAMES_MOST,
    }


# Packages


class _PackageRow(NamedTuple):
    """`days` is None where no installer has a day."""

    package: PackageLine
    state: str
    rank: int
    is_late: bool
    day: date | None
    days: int | None
    age: str
    machines: int


def _packages(assessed: AuditResult) -> dict[str, Any]:
    """A row for each package that is wanted or there."""
    packages, outlooks = assessed.audit.packages, assessed.outlooks
    needs = {need.package: need.machines for need in outlooks.needs} if outlooks else {}
    rows = [_package_row(package, assessed.at.date(), needs.get(package.package, 0)) for package in packages]
    counted = Counter(package.state for package in packages)
    return {
        "counts": [(state, counted[state], words) for state, words in STATES.items()],
        "rows": rows,
        "oldest": max((row.days or 0 for row in rows), default=0),
        "has_machines": outlooks is not None,
        "has_signers": any(package.signer for package in packages),
    }


def _package_row(package: PackageLine, today: date, machines: int) -> _PackageRow:
    day = published(package)
    days = max((today - day).days, 0) if day else None
    late = package.required and package.version not in {package.newest, None}
    rank = _STATE_RANK[package.state]
    words = age(day, today) if day else ""
    return _PackageRow(package, STATES[package.state], rank, late, day, days, words, machines)


# Machines


class _MachineRow(NamedTuple):
    prospect: Readiness
    label: str
    rank: int
    word: str
    system: str
    marks: str
    package: str
    why: str


def _inventory(assessed: AuditResult, outlooks: InventoryReadiness) -> dict[str, Any]:
    machines = sorted(subjects(assessed).machines, key=lambda machine: _RANK[machine.outlook.prospect])
    skipped = ((outlooks.templates, "template"), (outlooks.placeholders, "placeholder"))
    return {
        "needs": list(_needs(outlooks)),
        "legend": [(prospect, WORDS[prospect]) for prospect in _OF_PACKAGES],
        "counts": [(prospect, outlooks.count(prospect), words) for prospect, words in WORDS.items()],
        "machines": map(_machine_row, machines),
        "count": len(machines),
        "apart": list(_apart(outlooks)),
        "skipped": [plural(count, word) for count, word in skipped if count],
        "troubles": outlooks.troubles,
        "dropped": outlooks.dropped,
    }


def _machine_row(machine: JudgedMachine) -> _MachineRow:
    """As short as it can be: there may be many thousands."""
    outlook = machine.outlook
    prospect = outlook.prospect
    found = outlook.machine
    marks = ", ".join(["as configured"] * found.weak + ["off"] * (found.powered_on is False))
    why = "" if prospect in _PLAIN else machine.finding.message if machine.finding else outlook.why
    package = outlook.package or "-"
    return _MachineRow(
        prospect, machine.label, _RANK[prospect], WORDS[prospect], found.system or "-", marks, package, why
    )


class _Need(NamedTuple):
    """One bar of the chart: a package that some machines need, and what these can expect."""

    package: str
    machines: int
    parts: list[tuple[Readiness, int]]
    words: str
    state: PackageStatus
    state_words: str


def _needs(outlooks: InventoryReadiness) -> Iterator[_Need]:
    counted = Counter((outlook.package, outlook.prospect) for outlook in outlooks.machines if outlook.package)
    for need in outlooks.needs:
        parts = [(prospect, counted[need.package, prospect]) for prospect in _OF_PACKAGES]
        words = ", ".join(f"{count} {WORDS[prospect]}" for prospect, count in parts if count)
        yield _Need(need.package, need.machines, parts, words, need.state, STATES[need.state])


class _System(NamedTuple):
    """A system that no package serves, or that is not identified, with the machines that run it."""

    system: str
    why: str
    machines: int
    names: str
    more: int


def _apart(outlooks: InventoryReadiness) -> Iterator[_System]:
    systems: dict[tuple[Readiness, str, str], list[str]] = defaultdict(list)
    for outlook in outlooks.machines:
        if outlook.prospect in _APART:
            systems[outlook.prospect, outlook.machine.system, outlook.why].append(outlook.machine.name)
    for (_, system, why), names in sorted(systems.items(), key=lambda item: (_RANK[item[0][0]], -len(item[1]))):
        yield _System(system, why, len(names), ", ".join(names[:_APART_MOST]), max(len(names) - _APART_MOST, 0))
