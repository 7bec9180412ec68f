"""Pieces of markup. Whatever is handed to `text` or `command` is text; all else is markup that is safe."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from repo_manager.report.text import safe

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime


def text(content: str) -> str:
    """Text from outside: without what could turn or hide it, and never markup."""
    return escape(safe(content))


def command(words: str) -> str:
    """A command that can be copied; the script gives it a button."""
    return f'<span class="fix"><code>{text(words)}</code></span>'


def number(amount: int) -> str:
    """`1,200`."""
    return f"{amount:,}"


def safe_plural(count: int, word: str) -> str:
    """`1 error`, `1,200 errors`."""
    return f"{count:,} {word}" if count == 1 else f"{count:,} {word}s"


def time(at: datetime) -> str:
    """A time of UTC."""
    return f'<time datetime="{at:%Y-%m-%dT%H:%M:%SZ}">{at:%Y-%m-%d %H:%M} UTC</time>'


def section(name: str, title: str, inner: Iterable[str]) -> Iterator[str]:
    """A part of the document; none where it would be empty."""
    parts = list(inner)
    if parts:
        yield f'<section id="{name}" aria-labelledby="{name}-title">\n<h2 id="{name}-title">{title}</h2>'
        yield from parts
        yield "</section>"


def heads(titles: Sequence[str], *, sorted_by: str = "", numbers: frozenset[str] = frozenset()) -> str:
    """The head of a table that can be sorted."""
    cells = (
        f'<th scope="col" aria-sort="{"ascending" if title == sorted_by else "none"}"'
        f"{' class=number' if title in numbers else ''}>{title}</th>"
        for title in titles
    )
    return f"<thead><tr>{''.join(cells)}</tr></thead>"


def cell(inner: str, kind: str = "", *, sort: int | None = None) -> str:
    """A cell. `sort` is what counts where it is not the text."""
    kinds = f' class="{kind}"' if kind else ""
    order = "" if sort is None else f' data-sort="{sort}"'
    return f"<td{kinds}{order}>{inner}</td>"


def bar(parts: Iterable[tuple[str, int]], whole: int, *, kind: str = "bar", height: int = 6) -> str:
    """Lengths side by side. All they say is said in numbers beside them, so that readers of screens pass over it.

    The policy allows no style in the markup, so that lengths are attributes.
    """
    rects = []
    begin = 0
    for name, length in parts:
        if length:
            rects.append(f'<rect class="{name}" x="{begin}" width="{length}" height="1"/>')
        begin += length
    return (
        f'<svg class="{kind}" aria-hidden="true" viewBox="0 0 {max(whole, 1)} 1" preserveAspectRatio="none" '
        f'width="100%" height="{height}">{"".join(rects)}</svg>'
    )
