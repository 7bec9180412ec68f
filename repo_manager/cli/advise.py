"""`repo-manager advise`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from repo_manager.app.fleet_survey import SILENT_AFTER, TIME_LIMIT_S
from repo_manager.cli import options
from repo_manager.cli.root import run_of
from repo_manager.core import selection as selections
from repo_manager.core import upgrade
from repo_manager.core.address import parse
from repo_manager.core.errors import ExitCode, InputError
from repo_manager.report import advised

if TYPE_CHECKING:
    from collections.abc import Iterator

    from repo_manager.cli.run import Run
    from repo_manager.core.upgrade import ServerPosition, StartingPoint

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command()
def advise(
    context: typer.Context,
    advise_from: Annotated[
        list[str] | None,
        options.option(
            "--from",
            "A release that you have, or a version of it, instead of what the folder tells; may be given several times:"
            " the oldest counts, and what speaks against any of them is told.",
            metavar="RELEASE",
            variable="advise_from",
        ),
    ] = None,
    fleet: Annotated[
        Path | None,
        options.option(
            "--fleet",
            "A fleet.yaml: its servers tell where they stand, instead of the folder.",
            metavar="FILE",
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
    allow_plain_http: options.AllowPlainHttp = False,
) -> None:
    """Say in which steps servers and agents get to a newer release, and what to place at each. Changes nothing."""
    run = run_of(context, plain_http=allow_plain_http)
    classic = run.profile.classic
    target = upgrade.choose_target(advise_to, run.catalog, classic=classic)
    request = run.request(release=advise_to, packages=tuple(package or ()))
    if advise_from and fleet and options.was_said(context, "fleet"):
        raise InputError("usage", "--from and --fleet both say where you stand", "leave one of them out")
    found = upgrade.advise(_start(run, advise_from or [], fleet), target, request, run.catalog)
    run.console.emit(advised.document(found, run.catalog))
    if not run.console.json_wanted:
        run.console.answer(advised.text(found, run.command, run.console.width))
    silent = [stand.host for stand in found.start.fleet if stand.release is None]
    if silent:
        run.console.note(f"warning: nobody knows what these servers have: {', '.join(silent)}")
        raise typer.Exit(ExitCode.PARTIAL)


def _start(run: Run, named: list[str], fleet: Path | None) -> StartingPoint:
    """Where it begins. A server's own release that the configuration names counts for the servers in any case."""
    server = run.settings.server_release
    if named:
        return upgrade.named(named, server, run.catalog)
    if fleet is not None:
        return upgrade.of_fleet(_stands(run, fleet))
    return upgrade.standpoint(run.listing_if_any(), run.catalog, server)


def _stands(run: Run, fleet: Path) -> Iterator[ServerPosition]:
    """The servers of fleet.yaml, from their reports and a look at their repositories. Problems are printed."""
    from repo_manager.adapters.status_reports.expected import load

    inventory = load(fleet)
    survey = run.fleet_survey(inventory.servers, TIME_LIMIT_S, deep=False)
    place = inventory.reports or inventory.followed
    survey.gather(None if place is None else parse(place), asked=inventory.reports is not None)
    survey.look()
    for problem in survey.problems:
        run.console.error(problem)
    for server in survey.judged(SILENT_AFTER).servers:
        if server.listed:
            role = server.role.value if server.role else None
            packages = ((line.package, line.version) for line in server.packages)
            yield upgrade.stand(server.host, role, packages, run.catalog)
