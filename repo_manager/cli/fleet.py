"""`repo-manager fleet audit`."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from repo_manager.app.fleet_survey import SILENT_AFTER, TIME_LIMIT_S
from repo_manager.cli import options
from repo_manager.cli.root import run_of
from repo_manager.core.address import Address, parse
from repo_manager.core.errors import ExitCode, InputError

if TYPE_CHECKING:
    from repo_manager.app.fleet_survey import FleetSurvey
    from repo_manager.cli.run import Run
    from repo_manager.core.fleet import FleetInventory

app = typer.Typer(rich_markup_mode=None, add_completion=False, no_args_is_help=True)

_Value = TypeVar("_Value")


@app.callback()
def fleet() -> None:
    """Look at many servers at once: who is behind, who differs, who is silent."""


@app.command()
def audit(
    context: typer.Context,
    fleet: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="fleet.yaml: the servers that there should be.")
    ] = None,
    reports: Annotated[
        str | None,
        options.option(
            "--reports",
            "Where reports lie, unless FILE says it: an address of serve, a folder, az:// or s3://.",
            metavar="PLACE",
        ),
    ] = None,
    set_: Annotated[
        str | None,
        options.option("--set", "Where the leader's set lies, unless FILE says it.", metavar="PLACE"),
    ] = None,
    trust: Annotated[
        str | None,
        options.option("--trust", "Verify the set by this fingerprint, that publish printed.", metavar="SHA256"),
    ] = None,
    silent_after: Annotated[
        int | None,
        options.option(
            "--silent-after", "A server that has not reported for so long is silent.", metavar="HOURS", min=1, max=1000
        ),
    ] = None,
    deep: Annotated[
        bool, options.option("--deep", "Read every byte of every installer in the repositories that are looked at.")
    ] = False,
    time_limit: Annotated[
        int,
        options.option(
            "--time-limit",
            "Do not wait for a server or place that gives nothing for so long.",
            metavar="SECONDS",
            min=1,
            max=1000,
        ),
    ] = TIME_LIMIT_S,
    allow_plain_http: options.AllowPlainHttp = False,
) -> None:
    """Say who is behind, who differs in what, who is silent, and who cannot be looked at. Changes nothing.

    Reads the reports that followers send after each mirror, and looks itself at the repositories that FILE
    names. Ends with 1 where servers merely differ, and with 7 where one failed, is silent or out of reach.
    """
    run = run_of(context, plain_http=allow_plain_http)
    inventory = _inventory(fleet)

    def choose(parameter: str, given: _Value | None, listed: _Value | None) -> _Value | None:
        """A flag or a variable beats the inventory, which beats the configuration of this machine."""
        return given if listed is None or options.was_said(context, parameter) else listed

    leader_at = _address(choose("set_", set_, inventory.followed if inventory else None))
    reports_at = _address(choose("reports", reports, inventory.reports if inventory else None))
    hours = choose("silent_after", silent_after, inventory.silent_after_h if inventory else None)
    fingerprint = choose("trust", trust, inventory.trust if inventory else None) if leader_at else None
    source = context.get_parameter_source("trust")
    # The variable and the key are those of mirror as well, and need not be meant.
    if leader_at is None and source is not None and source.name == "COMMANDLINE":
        raise InputError("usage", "--trust verifies a set, and nothing says where it lies", "add --set PLACE")
    if not (inventory or reports_at or leader_at):
        raise InputError("usage", "nothing says which servers to look at", "name fleet.yaml, or add --reports PLACE")
    survey = run.fleet_survey(inventory.servers if inventory else (), time_limit, deep=deep)
    survey.lead(leader_at, fingerprint)
    survey.gather(reports_at or leader_at, asked=reports_at is not None)
    survey.look()
    _answer(run, survey, timedelta(hours=hours) if hours else SILENT_AFTER, fleet, leader_at, reports_at or leader_at)


def _address(text: str | None) -> Address | None:
    return None if text is None else parse(text)


def _inventory(path: Path | None) -> FleetInventory | None:
    if path is None:
        return None
    from repo_manager.adapters.status_reports.expected import load

    return load(path)


def _answer(
    run: Run,
    survey: FleetSurvey,
    silent_after: timedelta,
    file: Path | None,
    leader_at: Address | None,
    reports_at: Address | None,
) -> None:
    from repo_manager.report import fleets as written

    judged, gathered = survey.judged(silent_after), survey.gathered
    about = written.About(
        at=gathered.at if gathered else survey.at,
        inventory=None if file is None else str(file),
        leader=str(leader_at) if leader_at and survey.leader else None,
        verified=survey.leader is not None and survey.leader.verified,
        reports=str(reports_at) if reports_at and gathered else None,
        read=len(gathered.received) if gathered else 0,
        unreadable=gathered.unreadable if gathered else (),
        looked=len(survey.looks),
        deep=survey.deep,
        problems=tuple(survey.problems),
    )
    run.console.emit(written.document(judged, about))
    if not run.console.json_wanted:
        run.console.answer(written.text(judged, about, run.console.width, run.console.coloured))
    for problem in survey.problems:
        run.console.error(problem)
    if judged.broken or survey.problems:
        raise typer.Exit(ExitCode.PARTIAL)
    if not judged.healthy:
        raise typer.Exit(ExitCode.FINDINGS)
