"""`repo-manager add`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from repo_manager.app import tasks
from repo_manager.cli import options
from repo_manager.cli.change import change
from repo_manager.cli.root import run_of

if TYPE_CHECKING:
    from repo_manager.cli.run import Run
    from repo_manager.core.plan import Arrival

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command()
def add(
    context: typer.Context,
    file: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Installers under their published names.")],
    allow_older: Annotated[
        bool,
        options.option("--allow-older", "Place a file even where a newer one lies in the repository."),
    ] = False,
    signatures: options.Signatures = None,
    dry_run: options.DryRun = False,
    yes: options.Yes = False,
    create: options.Create = False,
    no_restart: options.NoRestart = False,
) -> None:
    """Place files that are already here, with the same checks and the same transaction as sync."""
    run = run_of(context, create=create, signature_policy=signatures)
    run.signatures.insist()
    arrivals = tuple(tasks.arrival_of(path, run.catalog) for path in file)
    task = tasks.add(arrivals, run.path, allow_older=allow_older, restart=not no_restart)
    if dry_run:
        _inspect(run, arrivals)
    change(run, task, dry_run=dry_run, yes=yes)


def _inspect(run: Run, arrivals: tuple[Arrival, ...]) -> None:
    """Read the files as the real run would, so that a dry run refuses what it would refuse."""
    from repo_manager.adapters.installers.inspect import inspect_file

    for arrival in arrivals:
        inspect_file(Path(arrival.source), arrival.name)
        run.signatures.check(Path(arrival.source), arrival.name)
    run.say_of_signatures()
