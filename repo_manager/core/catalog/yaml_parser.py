"""A YAML text to its tree. What YAML guesses, and what could grow while it is read, is refused."""

from __future__ import annotations

import contextlib
import re
from typing import TYPE_CHECKING, Final

import yaml

from repo_manager.core.catalog.yaml_tree import MAX_CHARACTERS, Scalar, Sequence, Table, place, short
from repo_manager.core.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from repo_manager.core.catalog.yaml_tree import Node

MAX_DEPTH: Final = 24
"""Nesting beyond this is refused: no document of ours goes past six."""

_LOOK_AHEAD: Final = 1024
"""How many characters of a line a parser may read before it reports what it has read: the limit of YAML for a key."""

# The parser in C is seven times faster; where PyYAML was built without it, the other one reads the same.
_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

# Controls, separators that count as a line only for some, marks that turn the reading direction,
# halves of surrogate pairs: none of them belongs in a text that people compare by eye. The wide
# pattern takes 3 ms to compile, so it is made only for a text that is not plain ASCII.
_UNREADABLE_ASCII: Final = re.compile("[^\t\n\r -~]")
_UNREADABLE: Final = (
    "[^\t\n\r -~\xa0-\u200d\u2010-\u2027\u202f-\u2065\u206a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
)


def compose(text: str, problems: list[Problem]) -> Node | None:
    """The tree of `text`. None, with at least one problem noted, when there is none or it breaks off."""
    if len(text) > MAX_CHARACTERS:
        problems.append(Problem(1, 1, f"the document is longer than {MAX_CHARACTERS} characters"))
        return None
    forbidden = _UNREADABLE_ASCII if text.isascii() else re.compile(_UNREADABLE)
    unreadable = forbidden.search(text.removeprefix("\ufeff"))
    if unreadable is not None:
        line, column = place(text, unreadable.start())
        problems.append(Problem(line, column, f"the character U+{ord(unreadable[0]):04X} is not allowed"))
        return None
    builder = _Builder(problems)
    try:
        return builder.root if builder.take(yaml.parse(text, Loader=_LOADER)) else None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
        if builder.is_too_deep_ahead(text[: mark.index] if mark else text):
            return None
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        what = getattr(error, "problem", None) or getattr(error, "context", None) or str(error)
        problems.append(Problem(line, column, f"not YAML: {what}"))
    return None


def _start_of(event: yaml.Event) -> tuple[int, int]:
    mark = event.start_mark
    # The parsers mark every event; the types allow for events that a program made.
    return (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)


class _Builder:
    """Puts the parser's events together, without recursion, and notes what we refuse."""

    def __init__(self, problems: list[Problem]) -> None:
        self.root: Node | None = None
        self._problems = problems
        # The open lists and tables, each with the key that waits for its value.
        self._open: list[tuple[Sequence | Table, Scalar | None]] = []
        self._last: yaml.Event | None = None

    def take(self, events: Iterator[yaml.Event]) -> bool:
        """Take all events; False when a refusal ends the reading early."""
        for event in events:
            self._last = event
            if isinstance(event, yaml.ScalarEvent):
                line, column = _start_of(event)
                if event.tag is not None or event.anchor is not None:
                    self._refuse_extras(event)
                self._attach(Scalar(event.value, event.implicit[0], line, column))
            elif isinstance(event, yaml.CollectionEndEvent):
                self._open.pop()
            elif not self._start(event):
                return False
        return True

    def is_too_deep_ahead(self, text: str) -> bool:
        """Whether `text`, which ends where the parser failed, is nested too deep after the last event; notes it.

        A parser reads ahead, because a bracket may begin a key. Some have a limit of their own for nesting
        and fail there, before they report the first of these brackets.
        """
        mark = self._last.end_mark if self._last is not None else None
        index, line, column = (mark.index, mark.line, mark.column) if mark is not None else (0, 0, 0)
        depth = len(self._open)
        # A mistake ends the reading here too, and so does a text that is cut in the middle.
        with contextlib.suppress(yaml.YAMLError):
            # Brackets inside quotes do not count, so this reads tokens. The scanner in Python has no limit.
            for token in yaml.scan(text[index : index + _LOOK_AHEAD], Loader=yaml.SafeLoader):
                if isinstance(token, yaml.FlowSequenceStartToken | yaml.FlowMappingStartToken):
                    depth += 1
                    if depth > MAX_DEPTH:
                        at = token.start_mark
                        self._note_too_deep(line + at.line + 1, at.column + (0 if at.line else column) + 1)
                        return True
                elif isinstance(token, yaml.FlowSequenceEndToken | yaml.FlowMappingEndToken):
                    depth -= 1
        return False

    def _start(self, event: yaml.Event) -> bool:
        """A list, a table, an alias or a document begins; False when the reading must end here."""
        line, column = _start_of(event)
        if isinstance(event, yaml.CollectionStartEvent):
            self._refuse_extras(event)
            node: Sequence | Table = (
                Sequence([], line, column) if isinstance(event, yaml.SequenceStartEvent) else Table({}, line, column)
            )
            if len(self._open) >= MAX_DEPTH:
                self._note_too_deep(line, column)
                return False
            self._attach(node)
            self._open.append((node, None))
        elif isinstance(event, yaml.AliasEvent):
            self._note(line, column, f"the alias *{event.anchor} is not allowed; write the value itself")
            self._attach(Scalar(f"*{event.anchor}", False, line, column))
        elif isinstance(event, yaml.DocumentStartEvent) and self.root is not None:
            self._note(line, column, "a second document begins here; keep one")
            return False
        return True

    def _note_too_deep(self, line: int, column: int) -> None:
        self._note(line, column, f"nested more than {MAX_DEPTH} deep")

    def _refuse_extras(self, event: yaml.ScalarEvent | yaml.CollectionStartEvent) -> None:
        line, column = _start_of(event)
        if event.tag is not None:
            self._note(line, column, f"the tag {event.tag[:60]} is not allowed; write the value alone")
        if event.anchor is not None:
            self._note(line, column, f"the anchor &{event.anchor} is not allowed; write the value where it is needed")

    def _attach(self, node: Node) -> None:
        if not self._open:
            self.root = node
            return
        holder, key = self._open[-1]
        if isinstance(holder, Sequence):
            holder.items.append(node)
        elif key is None:
            if not isinstance(node, Scalar):
                self._note(node.line, node.column, "a key must be text")
                node = Scalar("", False, node.line, node.column)
            self._open[-1] = (holder, node)
        else:
            first = holder.entries.setdefault(key.text, (key, node))
            if first[0] is not key:
                self._note(key.line, key.column, f"the key {short(key.text)} is already on line {first[0].line}")
            self._open[-1] = (holder, None)

    def _note(self, line: int, column: int, message: str) -> None:
        self._problems.append(Problem(line, column, message))
