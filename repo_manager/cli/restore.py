"""`repo-manager restore`."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from repo_manager.adapters.filesystem.paths import shown
from repo_manager.app.restore import Restore, find
from repo_manager.cli import options
from repo_manager.cli.change import change
from repo_manager.cli.quoting import repeated
from repo_manager.cli.root import run_of
from repo_manager.cli.voice import TerminalProgress
from repo_manager.core import history
from repo_manager.report.text import table

if TYPE_CHECKING:
    from repo_manager.cli.run import Run
    from repo_manager.core.history import PastTransaction

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command()
def restore(
    context: typer.Context,
    transaction: Annotated[
        str | None,
        typer.Argument(
            metavar="[TRANSACTION]",
            help="Which one to undo; last is the newest that is not undone and is not itself a restore.",
        ),
    ] = None,
    drop: options.Drop = None,
    dry_run: options.DryRun = False,
    yes: options.Yes = False,
    no_restart: options.NoRestart = False,
) -> None:
    """List past transactions, or undo one: what it retired comes back, what it placed is retired.

    Files that were changed since are left alone. Undoing a restore applies the transaction again.
    """
    run = run_of(context)
    run.folder.scan()
    entries = history.read(run.folder.journals())
    dropped = frozenset(run.catalog.require(text).token for text in drop or ())
    if transaction is None:
        _list(run, entries)
        return
    find(entries, transaction, run.command)
    voice = TerminalProgress(run.console)
    again = partial(repeated, run.options.words)
    undoing = Restore(run.folder, run.catalog, transaction, dropped, run.command, voice, again)
    change(run, undoing.task(restart=not no_restart), dry_run=dry_run, yes=yes)


def _list(run: Run, entries: tuple[PastTransaction, ...]) -> None:
    available = {file.path for file in run.folder.retired()}
    rows = [
        {
            "id": entry.identity,
            "command": entry.command,
            "placed": len(entry.placed),
            "retired": len(entry.retired),
            "restorable": sum(version.path in available for change in entry.undoable for version in change.went),
            "state": entry.state.value,
            "undoes": entry.undoes or None,
            "undone_by": entry.undone_by or None,
        }
        for entry in entries
    ]
    run.console.emit({"schema": "repo-manager/restore/1", "repository": shown(run.folder.path), "transactions": rows})
    if run.console.json_wanted:
        return
    if not rows:
        run.console.answer("no transaction yet")
        return
    headings = ("TRANSACTION", "COMMAND", "PLACED", "RETIRED", "RESTORABLE", "STATE")
    cells = [[*map(str, list(row.values())[:5]), entry.state.words] for row, entry in zip(rows, entries, strict=True)]
    run.console.answer(table(headings, cells, right=(2, 3, 4)))
    run.console.answer(f"to undo one: {run.command} restore TRANSACTION")
