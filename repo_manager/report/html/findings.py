"""What was found, and what became of it since an earlier audit."""

from __future__ import annotations

from collections import defaultdict
from itertools import groupby
from typing import TYPE_CHECKING, Final

from repo_manager.core.audit.findings import Severity
from repo_manager.report.html.markup import command, number, safe_plural, text, time
from repo_manager.report.rules import RULES
from repo_manager.report.subjects import sentence

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from repo_manager.core.audit.findings import Code, Finding
    from repo_manager.core.audit.result import Changes

_ROWS_MOST: Final = 500
_NAMES_MOST: Final = 6
_KINDS: Final = {Severity.ERROR: "bad", Severity.WARNING: "warned", Severity.INFO: "calm"}


def groups(findings: tuple[Finding, ...]) -> Iterator[str]:
    """All findings, by severity and code."""
    if not findings:
        yield "<p>Nothing was found: the repository is as it should be.</p>"
    ordered = sorted(findings, key=lambda finding: (list(Severity).index(finding.severity), finding.code))
    for (severity, code), found in groupby(ordered, key=lambda finding: (finding.severity, finding.code)):
        yield from _group(severity, code, list(found))


def _group(severity: Severity, code: Code, found: list[Finding]) -> Iterator[str]:
    meaning = RULES[code].meaning
    folded = severity is Severity.INFO
    yield f'<details class="group"{"" if folded else " open"}>'
    yield (
        f'<summary><span class="tag {_KINDS[severity]}">{severity}</span> <b>{code}</b> '
        f'<span class="soft">({number(len(found))}) {meaning}</span></summary>'
    )
    yield '<ul class="found">'
    rows = list(_rows(found))
    yield from rows[:_ROWS_MOST]
    yield "</ul>"
    if len(rows) > _ROWS_MOST:
        yield f'<p class="note">The first {_ROWS_MOST} of {number(len(rows))} are here.</p>'
    yield "</details>"


def _rows(found: list[Finding]) -> Iterator[str]:
    """A row each; machines that need the same have one together, for they are listed further down."""
    machines: dict[tuple[str, str], list[Finding]] = defaultdict(list)
    for finding in found:
        if finding.machine is None:
            yield f"<li><span>{text(sentence(finding))}</span>{command(finding.fix)}</li>"
        else:
            alike = finding.package or finding.message
            machines[alike, finding.fix].append(finding)
    for (alike, fix), same in machines.items():
        named = ", ".join(text(finding.machine or "") for finding in same[:_NAMES_MOST])
        more = ", ..." if len(same) > _NAMES_MOST else ""
        count = safe_plural(len(same), "machine")
        yield (
            f"<li><span><b>{text(alike)}</b>: {count} "
            f'<span class="soft">({named}{more})</span></span>{command(fix)}</li>'
        )


# Since an earlier audit


def changes(told: Changes) -> Iterator[str]:
    """New and fixed findings in words, and how many stand."""
    if told.since is not None:
        yield f'<p class="soft">Since the audit of {time(told.since)}.</p>'
    elif told.earlier is None:
        yield '<p class="soft">There is no earlier audit: everything is new.</p>'
    yield from (f'<p class="note">{text(remark)}.</p>' for remark in told.remarks)
    yield '<ul class="counts">'
    for kind, found in (("new", told.new), ("standing", told.standing), ("fixed", told.fixed)):
        yield f'<li class="{kind if found else f"{kind} zero"}"><b>{number(len(found))}</b> {kind}</li>'
    if told.not_looked_for:
        yield f'<li class="unknown"><b>{number(len(told.not_looked_for))}</b> not looked for</li>'
    yield "</ul>"
    if told.earlier is not None or told.since is not None:
        yield from _listed("New", told.new)
    yield from _listed("Fixed", told.fixed)
    yield from _listed("Not looked for", told.not_looked_for)


def _listed(title: str, found: Iterable[Finding]) -> Iterator[str]:
    rows = [
        f'<li><span class="tag {_KINDS[finding.severity]}">{finding.severity}</span> <b>{finding.code}</b> '
        f"{text(sentence(finding))}</li>"
        for finding in found
    ]
    if rows:
        opened = " open" if len(rows) <= _NAMES_MOST else ""
        yield f'<details{opened}><summary>{title}</summary>\n<ul class="plain">'
        yield from rows[:_ROWS_MOST]
        yield "</ul>"
        if len(rows) > _ROWS_MOST:
            yield f'<p class="note">The first {_ROWS_MOST} of {number(len(rows))} are here.</p>'
        yield "</details>"
