"""`repo-manager prune`."""

from __future__ import annotations

from typing import Annotated

import typer

from repo_manager.app import tasks
from repo_manager.cli import options
from repo_manager.cli.change import change
from repo_manager.cli.root import run_of
from repo_manager.core import selection as selections

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command()
def prune(
    context: typer.Context,
    keep: Annotated[
        int | None,
        options.option(
            "--keep",
            "Keep this many older builds of each package in the retired area, for stepwise upgrades.",
            metavar="N",
            min=0,
            max=1000,
        ),
    ] = None,
    signatures: options.Signatures = None,
    dry_run: options.DryRun = False,
    yes: options.Yes = False,
    no_restart: options.NoRestart = False,
) -> None:
    """Retire superseded, partial and stray files. Downloads nothing; everything can be restored."""
    run = run_of(context, signature_policy=signatures)
    run.signatures.insist()
    task = tasks.prune(run.plan_context, run.request(release=selections.AUTO), restart=not no_restart)
    change(run, task, dry_run=dry_run, yes=yes, keep=keep)
