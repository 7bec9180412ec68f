"""`repo-manager audit`."""

from __future__ import annotations

import time
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from repo_manager import audit as audits
from repo_manager import selection as selections
from repo_manager.audit import Severity
from repo_manager.cli import options
from repo_manager.cli.root import run_of
from repo_manager.edges.disk.paths import reachable
from repo_manager.edges.disk.writing import write_whole
from repo_manager.edges.windows.service import serves_older_set
from repo_manager.errors import ExitCode, InputError
from repo_manager.report import documents, tables

if TYPE_CHECKING:
    from collections.abc import Mapping

    from repo_manager.audit import Audit, Verdict
    from repo_manager.cli.run import Run
    from repo_manager.repository import Listing

app = typer.Typer(rich_markup_mode=None, add_completion=False)


class Format(StrEnum):
    """How an audit is written."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


class FailOn(StrEnum):
    """The gravest finding that still is no failure lies below this."""

    ERROR = "error"
    WARNING = "warning"
    NEVER = "never"


_FAILING = {
    FailOn.ERROR: {Severity.ERROR},
    FailOn.WARNING: {Severity.ERROR, Severity.WARNING},
    FailOn.NEVER: set[Severity](),
}


@app.command()
def audit(
    context: typer.Context,
    release: options.Release = selections.AUTO,
    package: options.Packages = None,
    deep: Annotated[
        bool,
        options.option("--deep", "Read every byte of every installer."),
    ] = False,
    signatures: options.Signatures = None,
    format_: Annotated[Format, options.option("--format", "How it is written.")] = Format.TABLE,
    output: Annotated[
        Path | None,
        options.option("--output", "Write to this file, not to stdout.", metavar="FILE"),
    ] = None,
    fail_on: Annotated[FailOn, options.option("--fail-on", "Which findings make exit 1.")] = FailOn.ERROR,
) -> None:
    """Say what is missing, outdated, doubled, stray or corrupt, and how to mend it. Changes nothing."""
    run = run_of(context)
    if format_ is Format.JSON:
        run.give("json", value=True)
    run.expect_signatures(signatures, changing=False)
    listing = run.listing()
    request = run.request(release=release, packages=tuple(package or ()))
    selection = selections.select(request, listing, run.catalog)
    circumstances = replace(
        run.circumstances(_verdicts(run, listing, deep=deep)),
        second=_second(run),
        unseen_by=run.service.name if serves_older_set(run.service, run.path, time.time()) else None,
        sync="sync" if release.strip().lower() == selections.AUTO else f"sync --release {selection.release}",
    )
    judged = audits.audit(listing, selection, run.catalog, circumstances)
    _say_pending(run)
    run.say_of_signatures()
    fix = f"{run.command} {circumstances.sync}" if judged.count(Severity.ERROR) else None
    _write(run, judged, format_, output, fix, deep=deep)
    if any(finding.severity in _FAILING[fail_on] for finding in judged.findings):
        raise typer.Exit(ExitCode.FINDINGS)


def _verdicts(run: Run, listing: Listing, *, deep: bool) -> Mapping[str, Verdict]:
    from repo_manager.cli.voice import TerminalVoice

    checker = run.checker()
    if not deep:
        return checker.known(listing)
    files = tuple(file for file in listing.files if file.installer is not None)
    voice = TerminalVoice(run.console, ask=False)
    try:
        return checker.read(listing, files, voice.reading(checker.unread_bytes(files)))
    finally:
        voice.finished()


def _second(run: Run) -> Listing | None:
    """The second folder's listing, where the configuration names one and it exists."""
    second = run.profile.second_folder
    if second is None:
        return None
    path = reachable(Path(second))
    if not path.is_dir():
        run.console.note(f"the second folder {second} does not exist; it was not compared")
        return None
    return run.listing(path)


def _say_pending(run: Run) -> None:
    if run.folder.pending() is not None:
        run.console.note(
            "a change is under way here, or was interrupted; the next one puts an interrupted one back first"
        )


def _write(run: Run, judged: Audit, format_: Format, output: Path | None, fix: str | None, *, deep: bool) -> None:
    import json

    document = documents.audit(judged, run.profile.name, deep=deep)
    document["signatures_not_checked"] = sorted(run.signatures.unchecked)
    if output is None:
        run.console.emit(document)
        if run.console.json_wanted:
            return
    if format_ is Format.CSV:
        text = tables.audit_sheet(judged)
    elif run.console.json_wanted:
        text = json.dumps(document, indent=2)
    else:
        paint = run.console.coloured if output is None else lambda line, _severity: line
        text = tables.audit(judged, run.profile.name, run.console.width, paint, fix)
    if output is None:
        run.console.answer(text)
        return
    try:
        write_whole(output, f"{text}\n")
    except OSError as error:
        raise InputError("cannot-write", f"{output} cannot be written: {error.strerror}", "check --output") from error
    run.console.note(f"written to {output}")
