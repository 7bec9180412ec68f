"""The pages of findings, and the table of errors, as values.

The pages are written once, in the documentation, and travel with the tool. Text becomes a value here: a small part of
Markdown, which is all that those pages may use.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from repo_manager.core.catalog.strict_yaml import nearest
from repo_manager.core.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SECTIONS: Final = ("What it means", "Why it matters", "How it arises", "How to mend it")
"""What every page of a finding has, in this order."""


class BlockKind(StrEnum):
    """What a block of a page is."""

    PARAGRAPH = "paragraph"
    ITEM = "item"
    CODE = "code"


@dataclass(frozen=True, slots=True)
class Block:
    """A paragraph, an item of a list, or lines to paste.

    Lines of a paragraph and of an item are joined, their links are down to the words. Lines of code are as they stand,
    without the prompt.
    """

    kind: BlockKind
    text: str


@dataclass(frozen=True, slots=True)
class Section:
    """One heading with what stands below it."""

    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Page:
    """One finding. `more` are the pages it leads to: title, and path below the documentation's root."""

    code: str
    severity: str
    sections: tuple[Section, ...]
    more: tuple[tuple[str, str], ...]

    @property
    def summary(self) -> str:
        """What it means, in one sentence."""
        first, dot, _ = self.sections[0].blocks[0].text.partition(". ")
        return f"{first}." if dot else first


@dataclass(frozen=True, slots=True)
class ErrorExplanation:
    """One code that an error carries, with the exit code that goes with it."""

    code: str
    exit_code: int
    summary: str
    more: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    """All there is to say of one code: of a finding, of an error, or of both, as some are."""

    code: str
    page: Page | None
    problem: ErrorExplanation | None


@dataclass(frozen=True, slots=True)
class Book:
    """Everything that can be explained, findings in the order of their pages, errors in that of the table."""

    pages: Mapping[str, Page]
    problems: Mapping[str, ErrorExplanation]

    @property
    def codes(self) -> tuple[str, ...]:
        """Every code once, findings first."""
        return tuple(dict.fromkeys((*self.pages, *self.problems)))

    def explain(self, code: str) -> Explanation:
        """What is known of a code, in any case.

        Raises:
            InputError: there is none of that name; the hint has the nearest.
        """
        word = code.strip().strip("[]'\"`").lower()
        if word not in self.codes:
            near = " or ".join(self._meant(word))
            hint = f"did you mean {near}?" if near else "run 'repo-manager explain' for the codes there are"
            raise InputError("unknown-code", f"no finding and no error has the code {code[:60]!r}", hint)
        return Explanation(word, self.pages.get(word), self.problems.get(word))

    def _meant(self, word: str) -> tuple[str, ...]:
        """The first codes that have this word in them; else the one that is spelled nearest, or such a word's."""
        parts = {part for code in self.codes for part in code.split("-") if len(part) >= _TELLING}
        near = None if word in parts else nearest(word, self.codes)
        if near is not None:
            return (near,)
        part = nearest(word, sorted(parts))
        return tuple(code for code in self.codes if part in code.split("-"))[:_MEANT_MOST]


# Shorter ones, such as `not`, are in too many codes to mean one.
_TELLING: Final = 4
_MEANT_MOST: Final = 3

_LINK: Final = re.compile(r"\[([^\]]*)\]\(([^)\s]+)\)")
_ROW: Final = re.compile(r"\| (`[a-z-]+`(?:, `[a-z-]+`)*) \| ([0-9]+) \| (.*) \|")
_HOME: Final = "reference/findings"


def page(text: str) -> Page:
    """Read the page of a finding.

    Raises:
        ValueError: it lacks a part, or has Markdown of a kind that is not understood.
    """
    head, *parts = re.split(r"^## ", text, flags=re.MULTILINE)
    title, severity, *rest = [line for line in head.splitlines() if line]
    if not title.startswith("# ") or not severity.startswith("Severity: ") or rest:
        raise ValueError(title)
    sections = tuple(_section(part) for part in parts)
    if tuple(section.title for section in sections) != SECTIONS or not all(section.blocks for section in sections):
        raise ValueError(title)
    return Page(title.removeprefix("# "), severity.removeprefix("Severity: "), sections, tuple(_links(text, _HOME)))


def problems(text: str) -> Iterator[ErrorExplanation]:
    """The rows of the table of errors."""
    for codes, exit_code, words in _ROW.findall(text):
        for code in codes.replace("`", "").split(", "):
            yield ErrorExplanation(code, int(exit_code), plain(words), tuple(_links(words, "reference")))


def plain(markdown: str) -> str:
    """The words of a line: links down to what they say, code in quotes, lines joined."""
    words = _LINK.sub(lambda link: link[1], " ".join(markdown.split()))
    return words.replace("**", "").replace("`", "'")


def _section(text: str) -> Section:
    title, _, body = text.partition("\n")
    # Every other part stands between fences.
    blocks: list[Block] = []
    for place, part in enumerate(re.split(r"^```(?:[a-z]+$)?\n?", body, flags=re.MULTILINE)):
        blocks += _code(part) if place % 2 else _prose(part)
    return Section(title.strip(), tuple(blocks))


def _code(text: str) -> Iterator[Block]:
    lines = (line.removeprefix("C:\\> ").removeprefix("$ ") for line in text.rstrip("\n").split("\n"))
    yield Block(BlockKind.CODE, "\n".join(lines))


def _prose(text: str) -> Iterator[Block]:
    for paragraph in re.split(r"\n\s*\n|\n(?=- )", text.strip("\n")):
        if not paragraph.strip():
            continue
        if paragraph.lstrip().startswith(("|", "#", ">", "1.", "* ")):
            raise ValueError(paragraph)
        item = paragraph.startswith("- ")
        yield Block(BlockKind.ITEM if item else BlockKind.PARAGRAPH, plain(paragraph.removeprefix("- ")))


def _links(markdown: str, home: str) -> Iterator[tuple[str, str]]:
    """Where the links lead, below the documentation's root; each page once."""
    seen: set[str] = set()
    for words, target in _LINK.findall(markdown):
        path = _below(home, target.partition("#")[0])
        if path not in seen:
            seen.add(path)
            yield plain(words), path


def _below(home: str, target: str) -> str:
    parts = home.split("/")
    for part in target.split("/"):
        if part == "..":
            parts.pop()
        else:
            parts.append(part)
    return "/".join(parts)
