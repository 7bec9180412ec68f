"""`repo-manager list`."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated

import typer

from repo_manager.cli import options
from repo_manager.cli.root import run_of
from repo_manager.report import listings

app = typer.Typer(rich_markup_mode=None, add_completion=False)


class ListFormat(StrEnum):
    """How a listing is written."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


@app.command(name="list")
def list_(
    context: typer.Context,
    format_: Annotated[ListFormat, options.option("--format", "How it is written.")] = ListFormat.TABLE,
) -> None:
    """The repository as it is: each file, what it is, version, age, size."""
    run = run_of(context, given={"json": True} if format_ is ListFormat.JSON else {})
    listing = run.listing()
    run.console.emit(listings.document(listing))
    if format_ is ListFormat.CSV and not run.console.json_wanted:
        run.console.speak_utf8()
        run.console.answer(listings.csv(listing))
    elif not run.console.json_wanted:
        run.console.answer(listings.text(listing, datetime.now(UTC).date(), run.console.width))
