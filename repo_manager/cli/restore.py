"""`repo-manager restore`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from repo_manager import plan as plans
from repo_manager.cli import options
from repo_manager.cli.change import change
from repo_manager.cli.root import run_of
from repo_manager.edges.disk.paths import shown
from repo_manager.errors import InputError
from repo_manager.operation import Seen, Task
from repo_manager.report.text import table

if TYPE_CHECKING:
    from repo_manager.cli.run import Run
    from repo_manager.plan import Plan
    from repo_manager.transaction import Journal

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command()
def restore(
    context: typer.Context,
    transaction: Annotated[
        str | None, typer.Argument(metavar="[TRANSACTION]", help="Which one to undo; last is the newest.")
    ] = None,
    dry_run: options.DryRun = False,
    yes: options.Yes = False,
    no_restart: options.NoRestart = False,
) -> None:
    """List past transactions, or undo one: what it retired comes back, what it placed is retired."""
    run = run_of(context)
    run.folder.scan()
    journals = run.folder.history()
    if transaction is None:
        _list(run, journals)
        return
    journal = _find(journals, transaction)
    available = {file.path: file for file in run.folder.retired()}

    def planner(seen: Seen) -> Plan:
        retired = {path: file.size_bytes for path, file in available.items()}
        return plans.undo(journal.past, seen.listing, retired)

    change(
        run,
        Task("restore", planner, lambda _: (), converges=False, restart=not no_restart),
        dry_run=dry_run,
        yes=yes,
    )


def _find(journals: tuple[Journal, ...], wanted: str) -> Journal:
    if wanted == "last" and journals:
        return journals[0]
    found = [journal for journal in journals if journal.identity == wanted]
    if not found:
        raise InputError(
            "unknown-transaction",
            f"there is no transaction {wanted[:80]!r}",
            "run 'repo-manager restore' to list them",
        )
    return found[0]


def _list(run: Run, journals: tuple[Journal, ...]) -> None:
    available = {file.path for file in run.folder.retired()}
    rows = [
        {
            "id": journal.identity,
            "command": journal.command,
            "placed": len(journal.past.placed),
            "retired": len(journal.past.retired),
            "restorable": len(available.intersection(journal.past.retired)),
        }
        for journal in journals
    ]
    run.console.emit({"schema": "repo-manager/restore/1", "repository": shown(run.folder.path), "transactions": rows})
    if run.console.json_wanted:
        return
    if not rows:
        run.console.answer("no transaction yet")
        return
    headings = ("TRANSACTION", "COMMAND", "PLACED", "RETIRED", "RESTORABLE")
    run.console.answer(table(headings, [[str(value) for value in row.values()] for row in rows], right=(2, 3, 4)))
    run.console.answer(f"to undo one: {run.command} restore TRANSACTION")
