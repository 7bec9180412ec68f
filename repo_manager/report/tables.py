"""Tables for people: aligned, calm, readable at 80 columns; the fix in the last line."""

from __future__ import annotations

from collections.abc import Callable
from itertools import groupby
from typing import TYPE_CHECKING, Final

from repo_manager.core import names
from repo_manager.core.audit.findings import Code, PackageStatus, Severity
from repo_manager.core.names import InvalidNameError
from repo_manager.core.plan import Download, Place, Retire
from repo_manager.core.transaction import ActionResult
from repo_manager.report import changed, documents
from repo_manager.report.sheets import sheet
from repo_manager.report.text import paragraph, plural, readings, safe, size, table

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import tzinfo

    from repo_manager.core.audit.findings import Audit, Finding
    from repo_manager.core.audit.result import AuditResult
    from repo_manager.core.plan import Plan
    from repo_manager.core.transaction import Outcome
    from repo_manager.core.watch_state import WatchEvent

Paint = Callable[[str, Severity], str]
"""Puts a line into the colour of a severity, or leaves it."""


def audit(assessed: AuditResult, width: int, paint: Paint) -> str:
    """`audit`: a line per package, the findings, what to do next."""
    judged = assessed.audit
    # A deep audit has just read all of them.
    dated = not assessed.deep and any(state.read_at for state in judged.packages)
    rows = [
        [
            state.package,
            state.state.value,
            state.version or "-",
            (state.newest or "-") if state.required else "not wanted",
            "by hand" if state.manual else "",
            *([f"{state.read_at:%Y-%m-%d}" if state.read_at else "-"] if dated else ()),
        ]
        for state in judged.packages
    ]
    text = table(("PACKAGE", "STATE", "VERSION", "WANTED", "PLACED", *(("READ",) if dated else ())), rows)
    lines = [
        f"{safe(judged.repository)}",
        f"release {judged.release}, profile {assessed.profile}",
        "",
        *_painted(text.splitlines(), [PackageStatus(row[1]) for row in rows], paint),
        "",
    ]
    about_packages = [finding for finding in judged.findings if finding.machine is None]
    for (severity, code), found in groupby(about_packages, lambda finding: (finding.severity, finding.code)):
        lines += [*_findings(severity, code, list(found), width, paint), ""]
    if assessed.outlooks:
        from repo_manager.report import machines

        lines += [*machines.lines(assessed.outlooks, width, paint), ""]
    if assessed.changes:
        lines += [*changed.lines(assessed.changes, width, paint), ""]
    if assessed.readings and not assessed.deep:
        lines += [paragraph(readings(assessed.readings), width), ""]
    lines.append(summary(judged))
    if judged.findings and judged.findings[0].severity is not Severity.INFO:
        lines.append(f"what a code means: repo-manager explain {judged.findings[0].code.value}")
    labels = ("to mend it", *["then"] * len(assessed.fixes))
    lines += [f"{label}: {safe(fix)}" for label, fix in zip(labels, assessed.fixes, strict=False)]
    return "\n".join(lines)


def audit_sheet(assessed: AuditResult) -> str:
    """`audit` as CSV: a line per finding, and of an inventory a line for each machine that no finding is about.

    With an inventory there are columns more, which say of each machine what it can expect and what it is.
    """
    columns = ("severity", "code", "package", "file", "message", "fix", "machine")
    if assessed.outlooks is None:
        return sheet(columns, map(documents.finding, assessed.audit.findings))
    from repo_manager.report import machines

    return sheet((*columns, *machines.COLUMNS), machines.rows(assessed))


def summary(judged: Audit) -> str:
    """`3 errors, 1 warning, 0 notes`."""
    counts = (
        plural(judged.count(Severity.ERROR), "error"),
        plural(judged.count(Severity.WARNING), "warning"),
        plural(judged.count(Severity.INFO), "note"),
    )
    return ", ".join(counts)


def _painted(lines: list[str], states: list[PackageStatus], paint: Paint) -> list[str]:
    head, *rest = lines
    return [
        head,
        *(
            line if state is PackageStatus.OK else paint(line, Severity.ERROR)
            for line, state in zip(rest, states, strict=True)
        ),
    ]


# What all findings of a code have in common; what is listed below the line then says only which.
_HEADLINES: Final = {
    Code.MISSING: "no installer of these packages is in the repository",
    Code.OUTDATED: "older than wanted",
    Code.DUPLICATE: "a newer installer of the same package lies beside these",
    Code.MODERNIZED_ONLY: "supported by the modernized experience alone",
}


def _findings(severity: Severity, code: Code, found: list[Finding], width: int, paint: Paint) -> list[str]:
    """All findings of one code: a line that says what is the matter, then which packages or files."""
    count = f" ({len(found)})" if len(found) > 1 else ""
    label = paint(f"{severity.value} {code.value}{count}", severity)
    headline = _HEADLINES.get(code)
    if headline is None or any(finding.package is None for finding in found):
        return [label, *(_finding(finding, width) for finding in found)]
    if code is Code.DUPLICATE:
        return [f"{label}: {headline}", *(f"  {safe(finding.file or '')}" for finding in found)]
    packages = ", ".join(finding.package or "" for finding in found)
    return [f"{label}: {headline}", paragraph(packages, width, first="  ", rest="  ")]


def _finding(finding: Finding, width: int) -> str:
    if finding.file is None:
        return paragraph(finding.message, width, first="  ", rest="  ")
    return f"  {safe(finding.file)}\n{paragraph(finding.message, width, first='    ', rest='    ')}"


def plan(actions: Plan, width: int) -> str:
    """What would be done, by kind; downloading and placing one file is one line."""
    if not actions.actions:
        return "nothing to do"
    fetched = {action.name for action in actions.downloads}
    sections = (
        ("download and place" if actions.places else "download", list(actions.downloads)),
        ("place", [action for action in actions.places if action.name not in fetched]),
        ("retire", [action for action in actions.moves if isinstance(action, Retire)]),
        ("leave alone", list(actions.skipped)),
    )
    lines: list[str] = []
    for title, items in sections:
        if items:
            lines += [f"{title} {plural(len(items), 'file')}", *_planned(items, width), ""]
    if actions.restart:
        why = "" if actions.moves else f": {actions.restart.reason}"
        lines += [paragraph(f"restart the service {safe(actions.restart.service)}{why}", width, rest="  "), ""]
    return "\n".join(lines[:-1])


def _planned(items: Sequence[Download | Place | Retire], width: int) -> list[str]:
    """A line for each: package and version, or the name of what is no installer, and the reason."""
    subjects = []
    for item in items:
        try:
            name = names.parse(item.name)
        except InvalidNameError:
            subjects.append((item.name, ""))
        else:
            subjects.append((name.token, str(name.version)))
    first = max((len(safe(subject)) for subject, version in subjects if version), default=0)
    second = max(len(version) for _, version in subjects)
    lines = []
    for item, (subject, version) in zip(items, subjects, strict=True):
        head = f"  {safe(subject):<{first}}  {version:<{second}}" if version else f"  {safe(subject)}"
        amount = f" ({size(item.size_bytes)})" if item.size_bytes and not isinstance(item, Retire) else ""
        line = f"{head}  {item.reason}{amount}"
        if len(line) > width:
            indent = " " * (first + second + 6 if version else 4)
            beginning = f"{head}  " if version else f"{head}\n{indent}"
            line = beginning + paragraph(item.reason + amount, width, first=indent, rest=indent).removeprefix(indent)
        lines.append(line)
    return lines


def outcome(done: Outcome, width: int) -> str:
    """What was done, in two or three sentences, and what was left alone."""
    moves = [(action, result) for action, result in done.results if isinstance(action, Place | Retire)]
    skipped = [action for action, result in moves if result is ActionResult.SKIPPED]
    placed = sum(isinstance(action, Place) for action, _ in moves if action not in skipped)
    retired = len(moves) - len(skipped) - placed
    if done.error is not None:
        return "nothing was changed: the repository is as it was"
    if not done.results:
        return "nothing to do: the repository is as wanted"
    lines = []
    if placed or retired:
        counts = f"placed {plural(placed, 'file')}, retired {plural(retired, 'file')}"
        lines.append(f"{counts} (transaction {done.identity})")
    if skipped:
        lines += [f"left alone {plural(len(skipped), 'file')}", *_planned(skipped, width)]
    if done.service.restarted:
        lines.append(f"the service was restarted and is {done.service.state.value}")
    elif done.service.remark:
        lines.append(f"not restarted: {safe(done.service.remark)}")
    return "\n".join(lines)


def happening(thing: WatchEvent, zone: tzinfo | None = None) -> str:
    """One line of `watch`, in the zone's time, or else in local time."""
    hint = thing.facts.get("hint")
    words = f"{thing.message}; {hint}" if hint else thing.message
    return f"{thing.at.astimezone(zone):%Y-%m-%d %H:%M:%S}  {thing.what.value:<{_WIDEST_WHAT}}  {safe(words)}"


_WIDEST_WHAT: Final = 14
