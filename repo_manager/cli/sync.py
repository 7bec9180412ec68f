"""`repo-manager sync`."""

from __future__ import annotations

import typer

from repo_manager.app import tasks
from repo_manager.cli import options
from repo_manager.cli.change import change
from repo_manager.cli.root import run_of
from repo_manager.core import selection as selections

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command()
def sync(
    context: typer.Context,
    release: options.Release = selections.AUTO,
    package: options.Packages = None,
    source: options.Source = None,
    manual_only: options.ManualOnly = False,
    signatures: options.Signatures = None,
    dry_run: options.DryRun = False,
    allow_plain_http: options.AllowPlainHttp = False,
    yes: options.Yes = False,
    create: options.Create = False,
    no_restart: options.NoRestart = False,
) -> None:
    """Make the repository complete, current and clean, as one transaction.

    Downloads what is missing, verifies it, places it, retires what is superseded or stray, restarts
    the service, and undoes everything if the service does not come back. Safe to run twice and to
    kill at any moment.
    """
    run = run_of(context, create=create, plain_http=allow_plain_http, signature_policy=signatures)
    request = run.request(release=release, packages=tuple(package or ()), manual_only=manual_only)
    tasks.check_source(source, run.folder.path)
    run.signatures.insist()
    task = tasks.sync(run.plan_context, request, source, restart=not no_restart)
    change(run, task, dry_run=dry_run, yes=yes, fetcher=run.fetcher(source))
