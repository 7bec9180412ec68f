"""`repo-manager add`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from repo_manager.adapters.filesystem.paths import reachable, real, shown
from repo_manager.app.change import Seen, Task
from repo_manager.cli import options
from repo_manager.cli.change import change
from repo_manager.cli.root import run_of
from repo_manager.core import names
from repo_manager.core import plan as plans
from repo_manager.core.errors import InputError
from repo_manager.core.plan import Arrival

if TYPE_CHECKING:
    from repo_manager.cli.run import Run
    from repo_manager.core.plan import Plan
    from repo_manager.core.repository import File, Listing

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
    run = run_of(context)
    run.create = create
    run.expect_signatures(signatures)
    arrivals = tuple(_arrival(run, path) for path in file)

    def planner(seen: Seen) -> Plan:
        if not allow_older:
            _refuse_older(arrivals, seen)
        return plans.add(seen.listing, arrivals, seen.verdicts)

    def matter(listing: Listing) -> tuple[File, ...]:
        tokens = {arrival.name.token for arrival in arrivals}
        return tuple(file for token in tokens for _, file in listing.by_token.get(token, ()))

    if dry_run:
        _inspect(run, arrivals)
    change(run, Task("add", planner, matter, restart=not no_restart), dry_run=dry_run, yes=yes)


def _arrival(run: Run, path: Path) -> Arrival:
    """A file that is brought: it must exist, be a file, and bear a known package's name."""
    path = reachable(path)
    try:
        size_bytes = path.stat().st_size
    except OSError as error:
        raise InputError("no-file", f"{shown(path)} cannot be read: {error.strerror}", "check the path") from error
    if not path.is_file():
        raise InputError("not-a-file", f"{shown(path)} is not a file", "name the installers themselves")
    found = real(path)
    if found.parent == real(run.folder.path):
        raise InputError(
            "already-there",
            f"{shown(path)} lies in the repository already",
            "run 'repo-manager audit --deep' to check it",
        )
    # Windows finds a file whatever the case; the name it has counts, not how it was typed.
    name = names.parse(found.name if found.name.casefold() == path.name.casefold() else path.name)
    run.catalog.require(name.token)
    return Arrival(name, str(found), size_bytes)


def _refuse_older(arrivals: tuple[Arrival, ...], seen: Seen) -> None:
    # Of two arrivals of one package only the newer is placed.
    for arrival in plans.newest(arrivals).values():
        newest = seen.listing.newest(arrival.name.token)
        if newest is not None and newest.recency > arrival.name.recency:
            raise InputError(
                "older-than-present",
                f"{arrival.name} is older than {newest.text}, which lies in the repository",
                "add --allow-older to place it all the same and retire the newer one",
            )


def _inspect(run: Run, arrivals: tuple[Arrival, ...]) -> None:
    """Read the files as the real run would, so that a dry run refuses what it would refuse."""
    from repo_manager.adapters.installers.inspect import inspect_file

    for arrival in arrivals:
        inspect_file(Path(arrival.source), arrival.name)
        run.signatures.check(Path(arrival.source), arrival.name)
    run.say_of_signatures()
