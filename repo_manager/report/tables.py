"""Tables for people: aligned, calm, readable at 80 columns; the fix in the last line."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from repo_manager.audit import Severity, State
from repo_manager.plan import Download, Place, Restart, Retire
from repo_manager.report.text import age, paragraph, plural, safe, size, table
from repo_manager.repository import Kind

if TYPE_CHECKING:
    from datetime import date

    from repo_manager.audit import Audit, Finding
    from repo_manager.plan import Action, Plan
    from repo_manager.repository import Listing
    from repo_manager.transaction import Outcome

# The longest published name has 78 characters; with the other columns a line holds it from here on.
_WIDE: Final = 140

Paint = Callable[[str, Severity], str]
"""Puts a line into the colour of a severity, or leaves it."""


def listing(seen: Listing, today: date, width: int) -> str:
    """`list`: installers by package, then everything else by name."""
    wide = width >= _WIDE
    headings = ["PACKAGE", "VERSION", "DATE", "AGE", "SIZE", *(["FILE"] if wide else [])]
    rows = [
        [
            name.token,
            str(name.version),
            name.date.isoformat(),
            age(name.date, today),
            size(file.entry.size_bytes),
            *([name.text] if wide else []),
        ]
        for found in seen.by_token.values()
        for name, file in found
    ]
    others = [
        [file.kind.value, size(file.entry.size_bytes), file.name]
        for file in seen.files
        if file.kind is not Kind.INSTALLER
    ]
    parts = [safe(seen.repository), ""]
    if rows:
        parts += [table(headings, rows, right=(3, 4)), ""]
    if others:
        parts += [table(("KIND", "SIZE", "FILE"), others, right=(1,)), ""]
    return "\n".join([*parts, f"{plural(len(rows), 'installer')}, {plural(len(others), 'other file')}"])


def audit(judged: Audit, profile: str, width: int, paint: Paint, fix: str | None) -> str:
    """`audit`: a line per package, the findings, what to do next."""
    rows = [
        [
            state.package,
            state.state.value,
            state.version or "-",
            (state.newest or "-") if state.required else "not wanted",
            "by hand" if state.manual else "",
        ]
        for state in judged.packages
    ]
    text = table(("PACKAGE", "STATE", "VERSION", "WANTED", "PLACED"), rows)
    lines = [
        f"{safe(judged.repository)}",
        f"release {judged.release}, profile {profile}",
        "",
        *_painted(text.splitlines(), [State(row[1]) for row in rows], paint),
        "",
        *(line for finding in judged.findings for line in _finding(finding, width, paint)),
    ]
    if judged.findings:
        lines.append("")
    lines.append(summary(judged))
    if fix:
        lines.append(f"to mend it: {fix}")
    return "\n".join(lines)


def summary(judged: Audit) -> str:
    """`3 errors, 1 warning, 0 notes`."""
    counts = (
        plural(judged.count(Severity.ERROR), "error"),
        plural(judged.count(Severity.WARNING), "warning"),
        plural(judged.count(Severity.INFO), "note"),
    )
    return ", ".join(counts)


def _painted(lines: list[str], states: list[State], paint: Paint) -> list[str]:
    head, *rest = lines
    return [
        head,
        *(line if state is State.OK else paint(line, Severity.ERROR) for line, state in zip(rest, states, strict=True)),
    ]


def _finding(finding: Finding, width: int, paint: Paint) -> list[str]:
    label = f"{finding.severity.value:<7}  {finding.code.value}"
    subject = f"{finding.file}: " if finding.file else ""
    body = paragraph(f"{subject}{finding.message}", width, first="  ", rest="  ")
    return [paint(label, finding.severity), body]


def plan(actions: Plan, width: int) -> str:
    """What would be done, one entry an action; downloading and placing one file is one entry."""
    if not actions.actions:
        return "nothing to do"
    fetched = {action.name for action in actions.downloads}
    rows = [_planned(action) for action in actions.actions if not _doubled(action, fetched)]
    lines = []
    for verb, subject, amount, reason in rows:
        lines.append(f"{verb:<8}  {safe(subject)}")
        about = ", ".join(part for part in (amount, reason) if part)
        lines.append(paragraph(about, width, first=" " * 10, rest=" " * 10))
    total = len(fetched)
    moves = actions.moves
    counts = ", ".join(
        part
        for part in (
            f"download {total}" if total else "",
            f"place {sum(isinstance(move, Place) for move in moves)}",
            f"retire {sum(isinstance(move, Retire) for move in moves)}",
            "restart the service" if actions.restart else "",
        )
        if part
    )
    return "\n".join([*lines, "", counts])


def _doubled(action: Action, fetched: set[str]) -> bool:
    return isinstance(action, Place) and action.name in fetched


def _planned(action: Action) -> tuple[str, str, str, str]:
    match action:
        case Download():
            return "download", action.name, size(action.size_bytes) if action.size_bytes else "", action.reason
        case Place():
            return "place", action.name, size(action.size_bytes) if action.size_bytes else "", action.reason
        case Retire():
            return "retire", action.name, "", action.reason
        case Restart():
            return "restart", action.service, "", action.reason


def outcome(done: Outcome) -> str:
    """What was done, in two or three sentences."""
    placed = sum(isinstance(action, Place) for action, _ in done.results)
    retired = sum(isinstance(action, Retire) for action, _ in done.results)
    if done.error is not None:
        return "nothing was changed: the repository is as it was"
    if not done.results:
        return "nothing to do: the repository is as wanted"
    lines = [f"placed {plural(placed, 'file')}, retired {plural(retired, 'file')} (transaction {done.identity})"]
    if done.service.restarted:
        lines.append(f"the service was restarted and is {done.service.state.value}")
    elif done.service.remark:
        lines.append(f"not restarted: {safe(done.service.remark)}")
    return "\n".join(lines)
