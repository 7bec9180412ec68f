"""What an assessment says, by what it is said of: a package, the repository, a machine."""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from repo_manager.core import names
from repo_manager.core.audit.findings import Code
from repo_manager.core.audit.machine_readiness import Readiness
from repo_manager.core.names import InvalidNameError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date

    from repo_manager.core.audit.findings import Finding, PackageLine
    from repo_manager.core.audit.machine_readiness import MachineReadiness
    from repo_manager.core.audit.result import AuditResult

_SAID_OF: Final = {
    Readiness.WITHOUT_PACKAGE: Code.MACHINE_WITHOUT_PACKAGE,
    Readiness.KERNEL_NOT_SUPPORTED: Code.KERNEL_NOT_SUPPORTED,
    Readiness.AMBIGUOUS: Code.MACHINE_AMBIGUOUS,
    Readiness.MODERNIZED_ONLY: Code.MODERNIZED_ONLY,
}


@dataclass(frozen=True, slots=True)
class JudgedPackage:
    """A package, and the findings that name it."""

    state: PackageLine
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class JudgedMachine:
    """A machine, and the finding that names it.

    `label` is its name, and where several machines share one, its name with a number: each label is there once.
    """

    label: str
    outlook: MachineReadiness
    finding: Finding | None


@dataclass(frozen=True, slots=True)
class Subjects:
    """Everything, each finding in one place: `others` are those of the repository as a whole."""

    packages: tuple[JudgedPackage, ...]
    others: tuple[Finding, ...]
    machines: tuple[JudgedMachine, ...]


def subjects(assessed: AuditResult) -> Subjects:
    """Packages in catalog order, machines in the inventory's order."""
    machines, rest = _machines(assessed)
    known = {state.package for state in assessed.audit.packages}
    by_package: dict[str, list[Finding]] = defaultdict(list)
    others: list[Finding] = []
    for finding in rest:
        if finding.package in known and finding.machine is None:
            by_package[finding.package].append(finding)
        else:
            others.append(finding)
    packages = (JudgedPackage(state, tuple(by_package[state.package])) for state in assessed.audit.packages)
    return Subjects(tuple(packages), tuple(others), machines)


def _machines(assessed: AuditResult) -> tuple[tuple[JudgedMachine, ...], list[Finding]]:
    """The machines, and the findings that belong to none of them."""
    if assessed.outlooks is None:
        return (), list(assessed.audit.findings)
    rest: list[Finding] = []
    waiting: dict[tuple[str, Code], deque[Finding]] = defaultdict(deque)
    for finding in assessed.audit.findings:
        if finding.machine is None:
            rest.append(finding)
        else:
            waiting[finding.machine, finding.code].append(finding)
    labels = _labels(outlook.machine.name for outlook in assessed.outlooks.machines)
    machines = []
    for label, outlook in zip(labels, assessed.outlooks.machines, strict=True):
        code = _SAID_OF.get(outlook.prospect)
        found = waiting[outlook.machine.name, code] if code else None
        machines.append(JudgedMachine(label, outlook, found.popleft() if found else None))
    return tuple(machines), [*rest, *(finding for left in waiting.values() for finding in left)]


def _labels(found: Iterable[str]) -> list[str]:
    seen: Counter[str] = Counter()
    labels = []
    taken: set[str] = set()
    for name in found:
        seen[name] += 1
        label = name if seen[name] == 1 else f"{name} ({seen[name]})"
        while label in taken:
            seen[name] += 1
            label = f"{name} ({seen[name]})"
        taken.add(label)
        labels.append(label)
    return labels


def sentence(finding: Finding) -> str:
    """A finding in words that need nothing beside them: what it is said of, and what is said."""
    subject = finding.machine or finding.file
    return finding.message if subject is None or subject in finding.message else f"{subject}: {finding.message}"


def published(state: PackageLine) -> date | None:
    """The day in the name of the newest installer; None where there is none."""
    if state.file is None:
        return None
    try:
        return names.parse(state.file).date
    except InvalidNameError:
        return None
