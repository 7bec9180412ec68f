"""`repo-manager download`."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from repo_manager.adapters.download_folder import SUMS, DownloadFolder
from repo_manager.adapters.filesystem.repository_folder import timestamp
from repo_manager.cli import options
from repo_manager.cli.change import warn_of
from repo_manager.cli.root import run_of
from repo_manager.cli.voice import TerminalProgress
from repo_manager.core import selection as selections
from repo_manager.core.errors import InputError, LockedError
from repo_manager.core.plan import Download, Plan
from repo_manager.core.selection import Request
from repo_manager.report import documents, tables
from repo_manager.report.text import plural, safe, size

if TYPE_CHECKING:
    from repo_manager.adapters.sources.fetching import Collected, Fetcher
    from repo_manager.cli.run import Run
    from repo_manager.core.repository import Listing
    from repo_manager.core.selection import Selection

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command()
def download(
    context: typer.Context,
    package: Annotated[
        list[str], typer.Argument(metavar="PACKAGE...", help="Which packages; all is every one of the release.")
    ],
    to: Annotated[Path, options.option("--to", "The folder to fill.", metavar="DIR")] = Path(),
    release: options.Release = selections.AUTO,
    source: options.Source = None,
    signatures: options.Signatures = None,
    dry_run: options.DryRun = False,
    allow_plain_http: options.AllowPlainHttp = False,
) -> None:
    """Fetch and verify packages into any folder, for carrying to a server without internet.

    A SHA256SUMS file is written beside them. What is there already and whole is not fetched again.
    """
    run = run_of(context, plain_http=allow_plain_http, signature_policy=signatures)
    run.signatures.insist()
    listing = _listing(run) if release.strip().lower() == selections.AUTO else None
    request = Request(release=release, packages=tuple(package), classic=run.profile.classic)
    selection = run.plan_context.select(request, listing, source)
    items = _items(selection)
    carrier = DownloadFolder(to)
    if dry_run:
        _rehearse(run, items, carrier, run.fetcher(source))
        return
    carrier.prepare()
    voice = TerminalProgress(run.console)
    owner = {**run.owner, "command": "download", "since": timestamp(run.now())}
    with carrier.locked(owner):
        fetcher = run.fetcher(source)
        try:
            collected = fetcher.collect(items, carrier, voice.fetching(items), voice.sized)
        finally:
            voice.finished()
            fetcher.close()
        run.say_of_signatures()
        carrier.write_sums({name: stage.sha256 for name, stage in collected.staged.items()})
    run.console.made = "" if collected.errors else "the files were fetched"
    _report(run, items, collected, to)


def _listing(run: Run) -> Listing | None:
    """The repository that `auto` looks at; a machine that only downloads has none."""
    if run.options.option("repository") or run.profile.repository or sys.platform == "win32":
        return run.listing_if_any()
    return None


def _items(selection: Selection) -> tuple[Download, ...]:
    if selection.unavailable or not selection.tokens:
        raise InputError(
            "no-links",
            f"the catalog has no link for {', '.join(selection.unavailable)} of release {selection.release}",
            "choose another --release; 'repo-manager catalog show' says which have links",
        )
    return tuple(
        Download(token, target.name.text, target.sources, target.size_bytes, target.sha256, "asked for")
        for token, target in ((token, selection.targets[token]) for token in selection.tokens)
    )


def _rehearse(run: Run, items: tuple[Download, ...], carrier: DownloadFolder, fetcher: Fetcher) -> None:
    """Say what a run would fetch and what would stop it, and end with the exit code of that run."""
    obstacles = carrier.obstacles()
    plan = Plan(items)
    # A folder that cannot be filled has no room to look at either.
    if all(isinstance(obstacle, LockedError) for obstacle in obstacles):
        try:
            ahead = fetcher.look_ahead(items, carrier)
        finally:
            fetcher.close()
        obstacles = (*obstacles, *ahead.errors)
        plan = Plan(tuple(replace(item, size_bytes=ahead.sizes.get(item.name, item.size_bytes)) for item in items))
    run.console.emit(documents.rehearsal(plan, obstacles, None))
    if not run.console.json_wanted:
        run.console.answer(tables.plan(plan, run.console.width))
    warn_of(run, obstacles)
    if obstacles:
        raise typer.Exit(obstacles[0].exit_code)


def _report(run: Run, items: tuple[Download, ...], collected: Collected, to: Path) -> None:
    from repo_manager.report.documents import error_facts

    files: list[dict[str, Any]] = []
    for item in items:
        stage = collected.staged.get(item.name)
        files.append(
            {
                "name": item.name,
                "package": item.token,
                "bytes": stage.size_bytes if stage else None,
                "sha256": stage.sha256 if stage else None,
                "result": "done" if stage else "failed",
            }
        )
    document: dict[str, Any] = {"schema": "repo-manager/download/1", "to": str(to), "files": files}
    document["signatures_not_checked"] = sorted(run.signatures.unchecked)
    worst = collected.worst
    if worst is not None:
        document["error"] = error_facts(worst)
    run.console.emit(document)
    total = sum(stage.size_bytes for stage in collected.staged.values())
    count = plural(len(collected.staged), "file")
    run.console.answer(f"{count} whole in {safe(str(to))} ({size(total)}); digests in {SUMS}")
    if worst is not None:
        for error in collected.errors.values():
            run.console.error(error)
        raise typer.Exit(worst.exit_code)
