"""What a code means, for people and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from repo_manager.core.explanations import BlockKind
from repo_manager.report.text import paragraph

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from repo_manager.core.explanations import Block, Book, ErrorExplanation, Explanation, Page

_FINDINGS: Final = "reference/findings/"


def document(explanations: Iterable[Explanation]) -> dict[str, Any]:
    """`explain` as JSON. `finding` or `error` is null where the code is none."""
    return {
        "schema": "repo-manager/explain/1",
        "codes": [
            {
                "code": found.code,
                "finding": _finding(found.page) if found.page else None,
                "error": _error(found.problem) if found.problem else None,
            }
            for found in explanations
        ],
    }


def _finding(page: Page) -> dict[str, Any]:
    sections = [
        {
            "title": section.title,
            "blocks": [{"kind": block.kind.value, "text": block.text} for block in section.blocks],
        }
        for section in page.sections
    ]
    return {"severity": page.severity, "summary": page.summary, "sections": sections, "pages": _pages(page.more)}


def _error(problem: ErrorExplanation) -> dict[str, Any]:
    return {"exit": problem.exit_code, "summary": problem.summary, "pages": _pages(problem.more)}


def _pages(more: Iterable[tuple[str, str]]) -> list[str]:
    return [path for _, path in more]


def text(found: Explanation, width: int) -> str:
    """One code, for people."""
    lines = []
    if found.page:
        lines += [*_page(found.page, width), ""]
    if found.problem:
        lines += [*_problem(found.problem, width, also=found.page is not None), ""]
    return "\n".join(lines[:-1])


def _page(page: Page, width: int) -> Iterator[str]:
    yield paragraph(f"{page.code}: a finding of an audit ({_plain_severity(page)})", width, rest="  ")
    for section in page.sections:
        yield ""
        yield section.title
        before = None
        for block in section.blocks:
            # Items stand together, all else apart.
            if before is not None and not (before is BlockKind.ITEM and block.kind is BlockKind.ITEM):
                yield ""
            yield from _block(block, width)
            before = block.kind
    yield from _more(page.more, width)


def _plain_severity(page: Page) -> str:
    return page.severity.replace("`", "'")


def _block(block: Block, width: int) -> Iterator[str]:
    if block.kind is BlockKind.CODE:
        yield from (f"    {line}".rstrip() for line in block.text.splitlines())
    elif block.kind is BlockKind.ITEM:
        yield paragraph(block.text, width, first="  - ", rest="    ")
    else:
        yield paragraph(block.text, width, first="  ", rest="  ")


def _problem(problem: ErrorExplanation, width: int, *, also: bool) -> Iterator[str]:
    words = "also an error" if also else "an error"
    yield f"{problem.code}: {words} that ends a command with exit code {problem.exit_code}"
    yield ""
    yield paragraph(problem.summary, width, first="  ", rest="  ")
    yield from _more(problem.more, width)


def _more(more: tuple[tuple[str, str], ...], width: int) -> Iterator[str]:
    if more:
        yield ""
        yield "Read more"
    for title, path in more:
        if path.startswith(_FINDINGS):
            code = path.removeprefix(_FINDINGS).removesuffix(".md")
            yield f"  repo-manager explain {code}"
        else:
            yield paragraph(f"{title}: docs/{path}", width, first="  ", rest="    ")


def listing(book: Book, width: int) -> str:
    """Every finding there is, and that errors have codes as well."""
    code_width = max(map(len, book.pages))
    severities = {page.code: page.severity.partition(";")[0] for page in book.pages.values()}
    second = max(map(len, severities.values()))
    rest = " " * (code_width + second + 4)
    lines = [f"{'FINDING':<{code_width}}  {'SEVERITY':<{second}}  WHAT IT MEANS"]
    for page in book.pages.values():
        head = f"{page.code:<{code_width}}  {severities[page.code]:<{second}}  "
        lines.append(head + paragraph(page.summary, width, first=rest, rest=rest).removeprefix(rest))
    more = "Errors have codes too. They stand in brackets behind the word error."
    return "\n".join(
        [*lines, "", paragraph(more, width), "", "the whole page of a code: repo-manager explain missing no-space"]
    )
