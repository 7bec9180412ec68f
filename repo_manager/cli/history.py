"""What `audit` does with audits of before: read one, compare, and keep the new one for the next time."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import typer

from repo_manager.adapters import saved_audits as audits
from repo_manager.adapters.filesystem.paths import place_of, real, shown
from repo_manager.core.audit import comparison
from repo_manager.core.audit.findings import Severity
from repo_manager.core.errors import InputError, MachineError
from repo_manager.report import documents

if TYPE_CHECKING:
    from collections.abc import Iterator

    from repo_manager.cli.run import Run
    from repo_manager.core.audit.comparison import PreviousAudit
    from repo_manager.core.audit.result import AuditResult

LAST: Final = "last"
"""The word for the audit of this repository that was kept last, in any case."""

# What never fails a run by its severity does not become grave by being new.
_WORTH_A_LOOK: Final = frozenset({Severity.ERROR, Severity.WARNING})


def earlier(run: Run, since: str) -> PreviousAudit | None:
    """The audit that is meant by `LAST` or a file's name; None where none was kept.

    Raises:
        InputError: the file is not there, or is no audit.
    """
    if since.strip().lower() != LAST:
        return audits.read(Path(since))
    latest = _kept(run).latest()
    for words in latest.passed_over:
        run.console.note(f"note: {words}; it was passed over")
    return latest.audit


def compared(run: Run, assessed: AuditResult, before: PreviousAudit | None, *, save: bool) -> AuditResult:
    """The assessment with what has changed since. What makes the two hard to compare is said."""
    if before is None:
        later = "" if save else "; add --save, so that the next one can be compared with this"
        run.console.note(f"note: there is no earlier audit of this repository, so every finding counts as new{later}")
        return replace(assessed, changes=comparison.nothing_before(assessed))
    same_place = _same_place(before.repository, assessed.audit.repository, run.path)
    found = comparison.compare(before, assessed, same_place=same_place)
    for remark in found.remarks:
        run.console.note(f"note: {remark}")
    return replace(assessed, changes=found)


@contextmanager
def keeping(run: Run, assessed: AuditResult) -> Iterator[None]:
    """Keep an audit if, and only if, what is done meanwhile succeeds: the report that somebody is to read.

    Raises:
        Exit: it cannot be kept. That is said, and what was to be done meanwhile is done all the same.
    """
    # What becomes of findings is all that is compared, and ten thousand machines are megabytes.
    whole = {"repository": shown(real(run.path)), "machines": []}
    document = {**documents.audit(replace(assessed, changes=None)), **whole}
    draft: audits.UnsavedAudit | None = None
    try:
        draft = _kept(run).draft(json.dumps(document, indent=1), assessed.at)
    except MachineError as error:
        trouble = error
    try:
        yield
    except BaseException:
        if draft is not None:
            draft.drop()
        raise
    if draft is not None:
        try:
            run.console.detail(f"kept as {draft.keep()}")
        except MachineError as error:
            trouble = error
        else:
            return
    run.console.error(trouble)
    raise typer.Exit(trouble.exit_code)


def something_new(assessed: AuditResult) -> bool:
    """Whether there is a new finding that somebody should look at: an error or a warning."""
    return assessed.changes is not None and any(finding.severity in _WORTH_A_LOOK for finding in assessed.changes.new)


def _kept(run: Run) -> audits.KeptAudits:
    return audits.KeptAudits(audits.state_folder(run.environ), run.path, most=run.settings.audits_keep)


def _same_place(before: str, now: str, path: Path) -> bool:
    """Whether two spellings mean one folder, `now` being at `path`. A relative one hangs on where that audit ran."""
    if before == now:
        return True
    try:
        return place_of(Path(before)) == place_of(path)
    except InputError:
        # Another system's, or what no path can be.
        return False
