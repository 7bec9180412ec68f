"""`repo-manager parse`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from repo_manager.cli.console import lines_from_stdin
from repo_manager.cli.root import run_of
from repo_manager.core import names
from repo_manager.core.errors import ExitCode
from repo_manager.core.names import InvalidNameError
from repo_manager.report import documents
from repo_manager.report.text import paragraph, safe

if TYPE_CHECKING:
    from collections.abc import Iterable

    from repo_manager.core.catalog import Catalog
    from repo_manager.report.documents import Document

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command()
def parse(
    context: typer.Context,
    name: Annotated[list[str], typer.Argument(metavar="NAME...", help="File names; - reads them from stdin.")],
) -> None:
    """Take installers' names apart: product, version, package, channel, date, config.

    Exit 1 when a text is no installer's name. A package the catalog does not know is said to be
    unknown, with the nearest one that it does.
    """
    run = run_of(context)
    answers = [_answer(text, run.catalog) for text in _texts(name)]
    run.console.emit(documents.names(answers))
    if not run.console.json_wanted:
        for answer in answers:
            run.console.answer(_lines(answer, run.console.width))
    if not all(answer["ok"] for answer in answers):
        raise typer.Exit(ExitCode.FINDINGS)


def _texts(given: list[str]) -> Iterable[str]:
    for text in given:
        if text == "-":
            yield from lines_from_stdin()
        else:
            yield text


def _answer(text: str, catalog: Catalog) -> Document:
    try:
        return documents.parsed_name(names.parse(text), catalog)
    except InvalidNameError as error:
        return documents.refused_name(text, error.reason)


def _lines(answer: Document, width: int) -> str:
    if not answer["ok"]:
        reason = paragraph(f"no installer's name: it {answer['reason']}", width, first="  ", rest="  ")
        return f"{safe(answer['name'])}\n{reason}"
    unknown = f" (unknown; nearest: {answer['nearest'] or 'none'})"
    build = f"{answer['build']} (derived from the date)" if answer["build_derived"] else answer["build"]
    facts = {
        "product": answer["product"],
        "package": answer["package"] + ("" if answer["known"] else unknown),
        "version": f"{answer['version']} (release {answer['release']})",
        "build": build or "-",
        "date": answer["date"],
        "channel": answer["channel"],
        "config": answer["config"],
    }
    return "\n".join([answer["name"], *(f"  {key:<8} {value}" for key, value in facts.items())])
