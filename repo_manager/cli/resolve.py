"""`repo-manager resolve`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from repo_manager.cli import options
from repo_manager.cli.console import lines_from_stdin
from repo_manager.cli.root import run_of
from repo_manager.core.errors import ExitCode, InputError
from repo_manager.core.systems import resolver as systems
from repo_manager.core.systems.resolver import Resolved, Status
from repo_manager.report.text import paragraph, safe

if TYPE_CHECKING:
    from repo_manager.cli.run import Run
    from repo_manager.core.repository import Listing
    from repo_manager.core.systems.resolver import Answer

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command()
def resolve(
    context: typer.Context,
    system: Annotated[
        list[str] | None,
        typer.Argument(metavar="SYSTEM...", help="Names in anyone's words; - reads them from stdin, a line each."),
    ] = None,
    os_release: Annotated[
        Path | None,
        options.option("--os-release", "A whole /etc/os-release file.", metavar="FILE"),
    ] = None,
) -> None:
    """Say which package serves an operating system, and which file of the repository that is.

    Resolved, ambiguous, unsupported or unknown: never a guess. Exit 1 when one is not resolved.
    """
    run = run_of(context)
    support = run.support
    answers = [systems.resolve(text, support) for text in _texts(system or [])]
    if os_release is not None:
        answers.append(systems.resolve_os_release(_read(os_release), support))
    if not answers:
        raise InputError("usage", "no system was named", "name one, such as 'Red Hat Enterprise Linux 7.9'")
    listing = _listing(run)
    documents = [_document(answer, listing) for answer in answers]
    run.console.emit({"schema": "repo-manager/resolve/1", "answers": documents})
    if not run.console.json_wanted:
        for answer, document in zip(answers, documents, strict=True):
            run.console.answer(_lines(answer, document["file"], run))
    if any(not isinstance(answer, Resolved) for answer in answers):
        raise typer.Exit(ExitCode.FINDINGS)


def _texts(given: list[str]) -> list[str]:
    texts: list[str] = []
    for text in given:
        texts += [line for line in lines_from_stdin() if line.strip()] if text == "-" else [text]
    return texts


def _read(path: Path) -> str:
    if str(path) == "-":
        return "\n".join(lines_from_stdin())
    try:
        return path.read_bytes().decode("utf-8", errors="replace")
    except OSError as error:
        raise InputError("no-file", f"{path} cannot be read: {error.strerror}", "check --os-release") from error


def _listing(run: Run) -> Listing | None:
    """The repository, where one was named or found; `resolve` answers without one too."""
    return run.listing() if run.profile.repository else run.listing_if_any()


def _document(answer: Answer, listing: Listing | None) -> dict[str, Any]:
    package = answer.package if isinstance(answer, Resolved) else None
    newest = listing.newest(package) if listing and package else None
    return {
        "query": answer.query,
        "status": answer.status.value,
        "package": package,
        "candidates": list(answer.candidates),
        "file": newest.text if newest else None,
        "why": answer.why,
        "note": answer.note if isinstance(answer, Resolved) else "",
        "modernized_only": isinstance(answer, Resolved) and answer.modernized_only,
        "serves": [
            {"versions": each.versions, "evidence": list(each.evidence)}
            for each in (answer.serves if isinstance(answer, Resolved) else ())
        ],
    }


def _lines(answer: Answer, file: str | None, run: Run) -> str:
    lines = [safe(" ".join(answer.query.split())[:200])]
    head = answer.package if isinstance(answer, Resolved) else answer.status.value
    if answer.status is Status.AMBIGUOUS:
        head += f": {', '.join(answer.candidates)}"
    lines.append(paragraph(head, run.console.width, first="  ", rest="    "))
    lines.append(paragraph(answer.why, run.console.width, first="  ", rest="  "))
    if isinstance(answer, Resolved):
        if answer.note:
            lines.append(paragraph(f"note: {answer.note}", run.console.width, first="  ", rest="  "))
        if answer.modernized_only and run.profile.classic:
            lines.append("  warning: only the modernized experience supports this system")
        if file:
            lines.append(f"  {file}")
    return "\n".join(lines)
