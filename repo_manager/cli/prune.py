"""`repo-manager prune`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from repo_manager.app.change import Seen, Task
from repo_manager.cli import options
from repo_manager.cli.change import change, contested, judge
from repo_manager.cli.root import run_of
from repo_manager.core import plan as plans
from repo_manager.core import selection as selections

if TYPE_CHECKING:
    from repo_manager.core.plan import Plan

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
    run = run_of(context)
    run.expect_signatures(signatures)

    def planner(seen: Seen) -> Plan:
        selection = selections.select(run.request(release=selections.AUTO), seen.listing, run.catalog)
        return plans.prune(seen.listing, judge(run, seen, selection), seen.verdicts)

    change(run, Task("prune", planner, contested, restart=not no_restart), dry_run=dry_run, yes=yes, keep=keep)
