"""The tree of a YAML text, with the place of each value, and the same tree as JSON."""

from __future__ import annotations

import re
from typing import Any, Final, NamedTuple

MAX_CHARACTERS: Final = 4 * 1024 * 1024
"""A longer text is refused unread: the largest honest catalog is a hundred times smaller."""


class Scalar(NamedTuple):
    """A single value. `plain` means it stood without quotes. Places count from 1."""

    text: str
    plain: bool
    line: int
    column: int


class Sequence(NamedTuple):
    """A list of values."""

    items: list[Node]
    line: int
    column: int


class Table(NamedTuple):
    """Keys with values, in the order of the text. The first of two equal keys counts."""

    entries: dict[str, tuple[Scalar, Node]]
    line: int
    column: int


Node = Scalar | Sequence | Table


def dumped(node: Node) -> list[Any]:
    """The tree as lists that JSON can hold: a kind, its contents, line and column."""
    if isinstance(node, Scalar):
        return [node.text, node.plain, node.line, node.column]
    if isinstance(node, Sequence):
        return [[dumped(item) for item in node.items], None, node.line, node.column]
    entries = {text: [dumped(key), dumped(value)] for text, (key, value) in node.entries.items()}
    return [entries, None, node.line, node.column]


def loaded(item: list[Any]) -> Node:
    """The tree that was dumped."""
    contents, plain, line, column = item
    if isinstance(contents, str):
        return Scalar(contents, plain, line, column)
    if isinstance(contents, list):
        return Sequence([loaded(each) for each in contents], line, column)
    return Table({text: (Scalar(*key), loaded(value)) for text, (key, value) in contents.items()}, line, column)


def short(text: str) -> str:
    """A text as messages quote it."""
    return repr(text) if len(text) <= 60 else repr(text[:60]) + "..."  # noqa: PLR2004 - what fits on a line


def place(text: str, index: int) -> tuple[int, int]:
    """Line and column of a character, from 1."""
    before = re.split(r"\r\n|\r|\n", text[:index])
    return len(before), len(before[-1]) + 1
