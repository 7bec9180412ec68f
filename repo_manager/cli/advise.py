"""`repo-manager advise`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from repo_manager import advice
from repo_manager import selection as selections
from repo_manager.advice import Standpoint
from repo_manager.cli import options
from repo_manager.cli.root import run_of
from repo_manager.names import Release
from repo_manager.report import advised

if TYPE_CHECKING:
    from repo_manager.cli.run import Run

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command()
def advise(
    context: typer.Context,
    advise_from: Annotated[
        list[str] | None,
        options.option(
            "--from",
            "A release that you have, instead of what the folder tells; may be given several times, the oldest counts.",
            metavar="RELEASE",
            variable="advise_from",
        ),
    ] = None,
    # A name of its own: the key `to` of the configuration file is the folder that `download` fills.
    advise_to: Annotated[
        str,
        options.option(
            "--to",
            "The release to go to: 9.66, or latest (the newest that fits and has links).",
            metavar="RELEASE",
            variable="advise_to",
        ),
    ] = selections.LATEST,
    package: options.Packages = None,
) -> None:
    """Say in which steps servers and agents get to a newer release, and what to place at each. Changes nothing."""
    run = run_of(context)
    classic = run.profile.classic
    target = advice.choose_target(advise_to, run.catalog, classic=classic)
    request = run.request(release=advise_to, packages=tuple(package or ()))
    found = advice.advise(_start(run, advise_from or []), target, request, run.catalog)
    run.console.emit(advised.document(found, run.catalog))
    if not run.console.json_wanted:
        run.console.answer(advised.text(found, run.command, run.console.width))


def _start(run: Run, named: list[str]) -> Standpoint:
    """Where it begins. A server's own release that the configuration names counts for the servers in any case."""
    server = run.settings.server_release
    if named:
        oldest = min(Release.parse(text.strip()) for text in named)
        return Standpoint(server or oldest, oldest)
    return advice.standpoint(run.listing_if_any(), run.catalog, server)
