"""What has changed since an earlier audit, for people."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Final

from repo_manager.report.text import paragraph, plural, safe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from repo_manager.core.audit.findings import Finding, Severity
    from repo_manager.core.audit.result import Changes

# So many are named; the list of findings above has all that are not fixed.
_NAMED: Final = 8
_INDENT: Final = 9
_LEAST_INDENT: Final = 2


def lines(changes: Changes, width: int, paint: Callable[[str, Severity], str]) -> list[str]:
    """A heading with the counts, then a line per code for what is new and for what is fixed."""
    return [
        paragraph(_heading(changes), width, rest="  "),
        *_by_code("new", changes.new, width, paint),
        *_by_code("fixed", changes.fixed, width, lambda text, _severity: text),
    ]


def _heading(changes: Changes) -> str:
    if changes.earlier is None:
        return f"there is no earlier audit: {plural(len(changes.new), 'new finding')}"
    when = f"of {changes.since:%Y-%m-%d %H:%M} UTC" if changes.since else f"in {changes.earlier}"
    counts = f"{len(changes.new)} new, {len(changes.fixed)} fixed, {len(changes.standing)} standing"
    unseen = f", {len(changes.not_looked_for)} not looked for" if changes.not_looked_for else ""
    return f"since the audit {when}: {counts}{unseen}"


def _by_code(
    word: str, findings: Sequence[Finding], width: int, paint: Callable[[str, Severity], str]
) -> Iterator[str]:
    for (severity, code), group in groupby(findings, lambda finding: (finding.severity, finding.code)):
        found = list(group)
        names = [name for finding in found if (name := finding.machine or finding.file or finding.package)]
        label = f"{word:<5}  {severity.value} {code.value}"
        yield f"  {paint(label, severity)}" + (f" ({len(found)})" if len(found) > 1 else "")
        if names:
            more = len(names) - _NAMED
            rest = f" and {more} more" if more > 0 else ""
            # A whole name can be copied, so where one is long it gets nearly all of the line.
            longest = max(len(safe(name)) for name in names[:_NAMED])
            indent = " " * (_INDENT if longest + len(",") <= width - _INDENT else _LEAST_INDENT)
            yield paragraph(", ".join(names[:_NAMED]) + rest, width, first=indent, rest=indent)
