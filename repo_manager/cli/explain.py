"""`repo-manager explain`."""

from __future__ import annotations

from typing import Annotated

import typer

from repo_manager.adapters.bundled_pages import book
from repo_manager.cli.root import run_of
from repo_manager.report import explained

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command()
def explain(
    context: typer.Context,
    code: Annotated[
        list[str] | None,
        typer.Argument(metavar="[CODE]...", help="What stands in an audit, or in brackets behind the word error."),
    ] = None,
) -> None:
    """Say what a finding or an error means, how it arises and how to mend it. Without a code, list them all."""
    run = run_of(context)
    console = run.options.console_without_configuration
    known = book()
    found = [known.explain(word) for word in code or known.codes]
    console.emit(explained.document(found))
    if console.json_wanted:
        return
    if code:
        console.answer("\n\n\n".join(explained.text(item, console.width) for item in found))
    else:
        console.answer(explained.listing(known, console.width))
