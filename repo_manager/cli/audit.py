"""`repo-manager audit`."""

from __future__ import annotations

import json
import time
from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from repo_manager.adapters.filesystem.atomic_write import write_where_told
from repo_manager.adapters.filesystem.os_errors import disk_error
from repo_manager.adapters.filesystem.paths import place_of, reachable
from repo_manager.adapters.filesystem.trusted_files import exposed
from repo_manager.adapters.windows.service import serves_older_set
from repo_manager.cli import history, options
from repo_manager.cli.root import run_of
from repo_manager.core import selection as selections
from repo_manager.core.audit import findings
from repo_manager.core.audit.findings import Severity
from repo_manager.core.audit.result import AuditResult
from repo_manager.core.errors import DiskError, ExitCode, InputError
from repo_manager.report import documents, tables

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from repo_manager.adapters.installers.inspect import Checker
    from repo_manager.cli.inventories import Survey
    from repo_manager.cli.run import Run
    from repo_manager.core.audit.findings import Audit, AuditFacts, FileVerdict
    from repo_manager.core.audit.machine_readiness import InventoryReadiness
    from repo_manager.core.repository import Listing

app = typer.Typer(rich_markup_mode=None, add_completion=False)


class AuditFormat(StrEnum):
    """How an audit is written."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"
    HTML = "html"
    JUNIT = "junit"
    SARIF = "sarif"
    PROMETHEUS = "prometheus"


class FailOn(StrEnum):
    """The gravest finding that still is no failure lies below this."""

    ERROR = "error"
    WARNING = "warning"
    NEW = "new"
    NEVER = "never"


_FAILING = {
    FailOn.ERROR: {Severity.ERROR},
    FailOn.WARNING: {Severity.ERROR, Severity.WARNING},
    FailOn.NEW: set[Severity](),
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
    format_: Annotated[AuditFormat, options.option("--format", "How it is written.")] = AuditFormat.TABLE,
    output: Annotated[
        Path | None,
        options.option("--output", "Write to this file, not to stdout.", metavar="FILE"),
    ] = None,
    inventory: Annotated[
        list[Path] | None,
        options.option(
            "--inventory",
            "A list of machines to judge by: an RVTools export (.xlsx, .csv), a CSV file with name and os, or JSON"
            " lines; may be given several times.",
            metavar="FILE",
        ),
    ] = None,
    fail_on: Annotated[FailOn, options.option("--fail-on", "Which findings make exit 1.")] = FailOn.ERROR,
    since: Annotated[
        str | None,
        options.option(
            "--since",
            "Say what is new and what is fixed since an earlier audit: LAST is the one that was kept last.",
            metavar="LAST|FILE",
        ),
    ] = None,
    save: Annotated[bool, options.option("--save", "Keep this audit, for --since LAST.")] = False,
) -> None:
    """Say what is missing, outdated, doubled, stray or corrupt, and how to mend it. Changes nothing."""
    run = run_of(
        context,
        given={"json": True} if format_ is AuditFormat.JSON else {},
        changing=False,
        signature_policy=signatures,
    )
    run.signatures.insist()
    since = history.LAST if since is None and fail_on is FailOn.NEW else since
    before = None if since is None else history.earlier(run, since)
    listing = run.listing()
    if output is not None:
        _refuse_to_overwrite(output, run.path, inventory or ())
    request = run.request(release=release, packages=tuple(package or ()))
    selection = selections.select(request, listing, run.catalog)
    checker = run.checker()
    if deep:
        checker.forget(listing.files)
    survey = _survey(run, inventory, listing, checker) if inventory else None
    second = _second(run)
    circumstances = replace(
        run.plan_context.circumstances,
        verdicts=_verdicts(run, checker, listing, deep=deep),
        second=second,
        foreign=run.folder.is_foreign(listing),
        exposed=exposed(run.path, (file.name for file in listing.installers)),
        unseen_by=run.service.name if serves_older_set(run.service, run.path, time.time()) else None,
        sync="sync" if release.strip().lower() == selections.AUTO else f"sync --release {selection.release}",
        packages=_named(run, package or ()),
    )
    judged = findings.audit(listing, selection, run.catalog, circumstances)
    outlooks = None
    if survey is not None:
        judged, outlooks = survey.judged_with(judged, run, circumstances)
    _say_pending(run)
    run.say_of_signatures()
    assessed = AuditResult(
        judged,
        run.profile.name,
        datetime.now(UTC).replace(microsecond=0),
        deep=deep,
        readings=_readings(listing, circumstances.verdicts),
        unread=_unread(listing, circumstances.verdicts),
        unchecked=tuple(sorted(run.signatures.unchecked)),
        second=second is not None,
        outlooks=outlooks,
        fixes=_fixes(judged, outlooks, circumstances),
    )
    if since is not None:
        assessed = history.compared(run, assessed, before, save=save)
    with history.keeping(run, assessed) if save else nullcontext():
        _write(run, assessed, format_, output)
    failing = any(finding.severity in _FAILING[fail_on] for finding in judged.findings)
    if failing or (fail_on is FailOn.NEW and history.something_new(assessed)):
        raise typer.Exit(ExitCode.FINDINGS)


def _survey(run: Run, paths: list[Path], listing: Listing, checker: Checker) -> Survey:
    # What is known of systems' names is loaded by those alone who judge machines.
    from repo_manager.cli import inventories

    return inventories.survey(run, paths, listing, checker)


def _fixes(judged: Audit, outlooks: InventoryReadiness | None, about: AuditFacts) -> tuple[str, ...]:
    """The commands that fix most of it: errors of the repository, or else what machines lack."""
    if judged.fixes or outlooks is None:
        return judged.fixes
    from repo_manager.cli import inventories

    fix = inventories.mending(outlooks, about)
    return (fix,) if fix else ()


def _named(run: Run, packages: Sequence[str]) -> tuple[str, ...]:
    """The packages that were asked for, as the catalog spells them."""
    if any(text.strip().lower() == selections.ALL for text in packages):
        return (selections.ALL,)
    return tuple(dict.fromkeys(str(run.catalog.require(text).token) for text in packages))


def _verdicts(run: Run, checker: Checker, listing: Listing, *, deep: bool) -> Mapping[str, FileVerdict]:
    from repo_manager.cli.voice import TerminalProgress

    if not deep:
        return checker.known(listing)
    voice = TerminalProgress(run.console)
    try:
        return checker.read(listing, listing.installers, voice.reading(checker.unread_bytes(listing.installers)))
    finally:
        voice.finished()


def _unread(listing: Listing, verdicts: Mapping[str, FileVerdict]) -> tuple[str, ...]:
    """The installers of whose bytes this audit cannot say whether they are right. An empty one needs no reading."""
    installers = [file for file in listing.installers if file.entry.size_bytes]
    return tuple(file.name for file in installers if file.name not in verdicts or not verdicts[file.name].read)


def _readings(listing: Listing, verdicts: Mapping[str, FileVerdict]) -> tuple[datetime | None, ...]:
    """When the bytes of each installer were read last."""
    names = [file.name for file in listing.installers]
    return tuple(verdicts[name].read_at if name in verdicts else None for name in names)


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


def _refuse_to_overwrite(output: Path, repository: Path, inventories: Sequence[Path]) -> None:
    """A report may not take the place of what it is about."""
    if output.is_dir():
        raise InputError("cannot-write", f"{output} is a folder", "name a file after --output")
    place = place_of(output)
    if place.is_relative_to(place_of(repository)):
        hint = "name a file outside of it: what lies there can be taken for an installer"
        raise InputError("cannot-write", f"{output} would lie in the repository", hint)
    if place in set(map(place_of, inventories)):
        raise InputError("cannot-write", f"{output} is the inventory itself", "name another file after --output")


def _write(run: Run, assessed: AuditResult, format_: AuditFormat, output: Path | None) -> None:
    if output is None and run.console.json_wanted:
        if format_ not in {AuditFormat.TABLE, AuditFormat.JSON}:
            run.console.note(f"note: --json beats --format {format_} on stdout; leave it out, or add --output FILE")
        run.console.emit(documents.audit(assessed))
        return
    text = _text(run, assessed, format_, painted=output is None)
    if output is None:
        if format_ is not AuditFormat.TABLE:
            run.console.speak_utf8()
        run.console.answer(text)
        return
    try:
        # What a collector of metrics reads has these line ends on every system, and is read by another account.
        shared = format_ is AuditFormat.PROMETHEUS
        write_where_told(output, f"{text}\n", newline="\n" if shared else None, mode=0o644 if shared else None)
    except OSError as error:
        refused = disk_error(error, output)
        if isinstance(refused, DiskError):
            raise refused from error
        raise InputError("cannot-write", f"{output} cannot be written: {error.strerror}", "check --output") from error
    run.console.note(f"written to {output}")


def _text(run: Run, assessed: AuditResult, format_: AuditFormat, *, painted: bool) -> str:
    """The audit in a format, without a line break at the end."""
    match format_:
        case AuditFormat.CSV:
            return tables.audit_sheet(assessed)
        case AuditFormat.HTML | AuditFormat.JUNIT | AuditFormat.SARIF | AuditFormat.PROMETHEUS:
            return _rendered(assessed, format_)
        case AuditFormat.JSON:
            return json.dumps(documents.audit(assessed), indent=2)
        case AuditFormat.TABLE if run.console.json_wanted:
            return json.dumps(documents.audit(assessed), indent=2)
        case AuditFormat.TABLE:
            paint = run.console.coloured if painted else lambda line, _severity: line
            return tables.audit(assessed, run.console.width, paint)


def _rendered(assessed: AuditResult, format_: AuditFormat) -> str:
    """The formats for other programs. Each is loaded by those alone who ask for it."""
    if format_ is AuditFormat.HTML:
        from repo_manager.report.html import render
    elif format_ is AuditFormat.JUNIT:
        from repo_manager.report.junit import render
    elif format_ is AuditFormat.SARIF:
        from repo_manager.adapters.bundled_pages import book
        from repo_manager.report import sarif

        return sarif.render(assessed, book().pages)
    else:
        from repo_manager.report.prometheus import render
    return render(assessed)
