"""`repo-manager restart`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from repo_manager.cli import options
from repo_manager.cli.root import run_of
from repo_manager.core import service
from repo_manager.core.errors import ServiceError
from repo_manager.core.plan import Plan, Restart
from repo_manager.core.service import ServiceState
from repo_manager.report import documents

if TYPE_CHECKING:
    from repo_manager.cli.run import Run

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command()
def restart(context: typer.Context, dry_run: options.DryRun = False, yes: options.Yes = False) -> None:  # noqa: ARG001 - every changing command knows --yes
    """Restart the push-install service and wait until it has been running for a while.

    A service that was stopped stays stopped. Where there is no such service the command fails.
    """
    run = run_of(context)
    if run.service.state() is ServiceState.ABSENT:
        raise _no_service(run)
    if dry_run:
        plan = Plan((Restart(run.service.name, "asked for"),))
        run.console.emit(documents.plan(plan))
        run.console.answer(f"restart the service {run.service.name} (now {run.service.state().value})")
        return
    report = service.restart(run.service, run.clock, run.patience)
    run.console.made = "the service was restarted" if report.restarted else ""
    run.console.emit(
        {
            "schema": "repo-manager/restart/1",
            "service": {"restarted": report.restarted, "state": report.state.value, "remark": report.remark},
        }
    )
    run.console.answer(f"{run.service.name} was restarted and is running" if report.restarted else report.remark)


def _no_service(run: Run) -> ServiceError:
    if not run.service.name:
        return ServiceError(
            "no-service",
            f"the profile {run.profile.name} has no service to restart",
            "name one as service of the profile in the configuration, or choose another --profile",
        )
    return ServiceError(
        "no-service",
        f"this machine has no service {run.service.name!r}; nothing was restarted",
        "run this on the server that the repository belongs to; 'repo-manager doctor' shows what is here",
    )
