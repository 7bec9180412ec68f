"""The machines of an inventory: for people, grouped until ten thousand are a page; for programs, each of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from repo_manager.core.audit.findings import Code, PackageStatus, Severity
from repo_manager.core.audit.machine_readiness import Readiness, grouped
from repo_manager.report.text import paragraph, plural, safe, table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from repo_manager.core.audit.machine_readiness import (
        InventoryReadiness,
        MachineGroup,
        MachineReadiness,
        PackageNeed,
    )
    from repo_manager.core.audit.result import AuditResult

    Paint = Callable[[str, Severity], str]

_GROUPS: Final = 8
_NAMES: Final = 3
_TROUBLES: Final = 5
_SUBJECT: Final = 60

_HEADS: Final[dict[Readiness, tuple[Severity | None, str, str]]] = {
    Readiness.WITHOUT_PACKAGE: (
        Severity.ERROR, Code.MACHINE_WITHOUT_PACKAGE, "the package they need is not there",
    ),
    Readiness.KERNEL_NOT_SUPPORTED: (
        Severity.ERROR, Code.KERNEL_NOT_SUPPORTED, "the installer does not support their kernel",
    ),
    Readiness.AMBIGUOUS: (Severity.WARNING, Code.MACHINE_AMBIGUOUS, "several packages could be meant"),
    Readiness.MODERNIZED_ONLY: (
        Severity.WARNING, Code.MODERNIZED_ONLY, "for the modernized experience alone",
    ),
    Readiness.UNSUPPORTED: (None, "unsupported", "no package serves their system"),
    Readiness.UNKNOWN: (None, "unknown", "nobody can say what system they have"),
}  # fmt: skip
_WORDS: Final = {
    Readiness.READY: "ready",
    Readiness.NOT_CURRENT: "with a package that is not current",
    Readiness.WITHOUT_PACKAGE: "without package",
    Readiness.KERNEL_NOT_SUPPORTED: "with a kernel that is not supported",
    Readiness.MODERNIZED_ONLY: "for the modernized experience alone",
    Readiness.AMBIGUOUS: "ambiguous",
    Readiness.UNSUPPORTED: "unsupported",
    Readiness.UNKNOWN: "unknown",
}


def document(outlooks: InventoryReadiness) -> dict[str, Any]:
    """The keys `inventory`, `needs` and `machines` of an audit."""
    return {
        "inventory": {
            "name": outlooks.inventory,
            "machines": len(outlooks.machines),
            "prospects": {prospect.value: outlooks.count(prospect) for prospect in Readiness},
            "templates": outlooks.templates,
            "placeholders": outlooks.placeholders,
            "dropped": outlooks.dropped,
            "troubles": [
                {
                    "place": trouble.place,
                    "column": trouble.column,
                    "message": trouble.message,
                    "dropped": trouble.dropped,
                }
                for trouble in outlooks.troubles
            ],
        },
        "needs": [need(item) for item in outlooks.needs],
        "machines": [machine(item) for item in outlooks.machines],
    }


def need(item: PackageNeed) -> dict[str, Any]:
    """One package that machines need."""
    return {
        "package": item.package,
        "machines": item.machines,
        "state": item.state.value,
        "file": item.file,
        "version": item.version,
        "newest": item.newest,
    }


def machine(item: MachineReadiness) -> dict[str, Any]:
    """One machine and what it can expect."""
    return {
        "name": item.machine.name,
        "place": item.machine.place,
        "system": item.machine.system,
        "wording": item.machine.wording.value,
        "weak": item.machine.weak,
        "powered_on": item.machine.powered_on,
        "kernel": item.machine.kernel,
        "status": item.answer.status.value,
        "package": item.package,
        "candidates": list(item.answer.candidates),
        "prospect": item.prospect.value,
        "file": item.file,
        "why": item.why,
        "closest_kernel": item.closest_kernel,
    }


COLUMNS: Final = ("prospect", "system", "wording", "powered_on", "kernel", "closest_kernel", "place")
"""Of a sheet, beside those of a finding."""


def rows(assessed: AuditResult) -> Iterator[dict[str, Any]]:
    """The lines of a sheet: each finding, with the machine it is about, and then the machines without one."""
    from repo_manager.report import documents
    from repo_manager.report.subjects import subjects

    found = subjects(assessed)
    about = {id(item.finding): item.outlook for item in found.machines if item.finding}
    for finding in assessed.audit.findings:
        outlook = about.get(id(finding))
        yield {**(_cells(outlook) if outlook else _NOTHING), **documents.finding(finding)}
    for item in found.machines:
        if item.finding is None:
            told = _cells(item.outlook)
            facts = {"severity": None, "code": told["prospect"], "message": told["why"], "fix": None}
            yield {**told, **facts, "machine": told["name"]}


def _cells(outlook: MachineReadiness) -> dict[str, Any]:
    on = outlook.machine.powered_on
    return {**machine(outlook), "powered_on": None if on is None else str(on).lower()}


_NOTHING: Final = dict.fromkeys(COLUMNS)


def lines(outlooks: InventoryReadiness, width: int, paint: Paint) -> list[str]:
    """The machines for people: what they need, what they can expect, and who must be looked at."""
    found = [paragraph(_head(outlooks), width, rest="  "), ""]
    if outlooks.needs:
        found += [*_needs(outlooks, paint), ""]
    groups = grouped(outlooks)
    for prospect in _HEADS:
        if prospect in groups:
            found += [*_section(prospect, groups[prospect], width, paint), ""]
    if outlooks.troubles:
        found += [*_troubles(outlooks, width), ""]
    expected = [f"{count} {_WORDS[prospect]}" for prospect in Readiness if (count := outlooks.count(prospect))]
    if expected:
        found.append(paragraph(f"{plural(len(outlooks.machines), 'machine')}: {', '.join(expected)}", width, rest="  "))
        found.append("each machine: --format csv, or --json")
    return found


def _head(outlooks: InventoryReadiness) -> str:
    left_out = [
        plural(count, what)
        for count, what in ((outlooks.templates, "template"), (outlooks.placeholders, "SRM placeholder"))
        if count
    ]
    tail = f"; left out: {', '.join(left_out)}" if left_out else ""
    return f"inventory {outlooks.inventory}: {plural(len(outlooks.machines), 'machine')}{tail}"


def _needs(outlooks: InventoryReadiness, paint: Paint) -> Iterator[str]:
    rows = [
        [need.package, str(need.machines), need.state.value, need.version or "-", need.newest or "-"]
        for need in outlooks.needs
    ]
    head, *rest = table(("NEEDED", "MACHINES", "STATE", "VERSION", "WANTED"), rows, right=(1,)).splitlines()
    yield head
    for line, need in zip(rest, outlooks.needs, strict=True):
        yield line if need.state is PackageStatus.OK else paint(line, Severity.ERROR)


def _section(prospect: Readiness, groups: tuple[MachineGroup, ...], width: int, paint: Paint) -> Iterator[str]:
    severity, code, words = _HEADS[prospect]
    if any(_is_broken(group) for group in groups):
        words = "their package is not there, or not whole"
    count = sum(len(group.machines) for group in groups)
    label = f"{severity.value} {code} ({count})" if severity else f"{code} ({count})"
    yield f"{paint(label, severity) if severity else label}: {words}"
    for group in groups[:_GROUPS]:
        yield from _group(group, width)
    if rest := groups[_GROUPS:]:
        others = sum(len(group.machines) for group in rest)
        yield f"  and {plural(others, 'machine')} of {len(rest)} other kinds"


def _is_broken(group: MachineGroup) -> bool:
    """Whether there is an installer that cannot be sent."""
    return group.prospect is Readiness.WITHOUT_PACKAGE and group.machines[0].file is not None


def _group(group: MachineGroup, width: int) -> Iterator[str]:
    names = ", ".join(outlook.machine.name for outlook in group.machines[:_NAMES])
    more = ", ..." if len(group.machines) > _NAMES else ""
    weak = " (as configured)" if all(outlook.machine.weak for outlook in group.machines) else ""
    subject = group.subject if len(group.subject) <= _SUBJECT else f"{group.subject[: _SUBJECT - 3]}..."
    text = f"{subject}{weak}: {plural(len(group.machines), 'machine')}: {names}{more}"
    yield paragraph(text, width, first="  ", rest="    ")
    if _is_broken(group):
        yield "    an installer is there, and it is not whole, or not what its name promises"
    elif group.prospect is Readiness.AMBIGUOUS:
        candidates = ", ".join(group.machines[0].answer.candidates)
        yield paragraph(f"{candidates}: {group.why}", width, first="    ", rest="    ")
    elif group.prospect is Readiness.KERNEL_NOT_SUPPORTED:
        closest = group.machines[0].closest_kernel
        other = f"{group.machines[0].machine.kernel}".rpartition("-")[2] != f"{closest}".rpartition("-")[2]
        told = (
            "no kernel of this flavour is supported; the newest that is" if other else "the closest that is supported"
        )
        words = f"{told}: {safe(closest)}" if closest else group.why
        yield paragraph(words, width, first="    ", rest="    ")


def _troubles(outlooks: InventoryReadiness, width: int) -> Iterator[str]:
    left_out = f"; left out: {plural(outlooks.dropped, 'row')}" if outlooks.dropped else ""
    yield f"remarks on the inventory ({len(outlooks.troubles)}{left_out})"
    for trouble in outlooks.troubles[:_TROUBLES]:
        yield paragraph(str(trouble), width, first="  ", rest="    ")
    if len(outlooks.troubles) > _TROUBLES:
        yield f"  and {len(outlooks.troubles) - _TROUBLES} more, all of them with --json"
