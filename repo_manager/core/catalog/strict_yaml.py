"""YAML that a person wrote, read strictly: every mistake is collected with its line and column.

    root = read(text)                      # never raises; an unreadable text is an empty root
    title = root.text("title")             # each reader notes a mistake instead of raising
    depth = root.integer("depth", 3)       # a second argument is the default of an optional key
    root.finish()                          # notes the keys nobody asked for
    root.raise_problems("invalid-settings", "settings.yaml", "mend the lines above")

What YAML guesses, this module refuses: an unquoted `9.50` is a number to YAML and would lose its
zero, an unquoted `no` is false. Anchors, aliases, tags, merge keys and second documents are
refused as well, so a text cannot grow while it is read.
"""

from __future__ import annotations

import contextlib
import re
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

import yaml

from repo_manager.core.errors import DocumentError, InputError, Problem
from repo_manager.core.names import Release

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from enum import StrEnum

    _Choice = TypeVar("_Choice", bound=StrEnum)
_Value = TypeVar("_Value")

MAX_CHARACTERS: Final = 4 * 1024 * 1024
"""A longer text is refused unread: the largest honest catalog is a hundred times smaller."""

MAX_DEPTH: Final = 24
"""Nesting beyond this is refused: no document of ours goes past six."""

_LOOK_AHEAD: Final = 1024
"""How many characters of a line a parser may read before it reports what it has read: the limit of YAML for a key."""

MAX_PROBLEMS: Final = 100
"""So many mistakes are reported at most; more are counted."""

# The parser in C is seven times faster; where PyYAML was built without it, the other one reads the same.
_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

# Controls, separators that count as a line only for some, marks that turn the reading direction,
# halves of surrogate pairs: none of them belongs in a text that people compare by eye. The wide
# pattern takes 3 ms to compile, so it is made only for a text that is not plain ASCII.
_UNREADABLE_ASCII: Final = re.compile("[^\t\n\r -~]")
_UNREADABLE: Final = (
    "[^\t\n\r -~\xa0-\u200d\u2010-\u2027\u202f-\u2065\u206a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
)

# What YAML 1.1 takes for something else than text when it stands unquoted.
_NUMBER: Final = re.compile(
    r"[-+]?(?:[0-9][0-9_]*(?:\.[0-9_]*)?|\.[0-9_]+)(?:[eE][-+]?[0-9]+)?"
    r"|[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?|[-+]?0(?:x[0-9a-fA-F_]+|o[0-7_]+|b[01_]+)"
)
_SPECIAL_NUMBER: Final = re.compile(r"[-+]?\.inf|\.nan", re.IGNORECASE)
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[Tt \t].*)?")
_INTEGER: Final = re.compile(r"-?(?:0|[1-9][0-9]{0,17})")
_FLAGS: Final = frozenset({"true", "false", "yes", "no", "on", "off"})
_NOTHING: Final = frozenset({"", "~", "null"})
# No text beginning with another letter can be one of the above; this keeps reading fast.
_DOUBTFUL_START: Final = frozenset("0123456789+-.~nNyYtTfFoO<=")


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


def decode(data: bytes, name: str, code: str = "invalid-document") -> str:
    """Bytes of a file to text, without a byte order mark.

    Raises:
        DocumentError: the bytes are not UTF-8; says where.
    """
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8", "replace")
        line, column = _place(before, len(before))
        problem = Problem(line, column, f"byte 0x{data[error.start]:02x} is not UTF-8 text")
        raise DocumentError(code, name, (problem,), "save the file as UTF-8") from error


def read(text: str) -> Mapping:
    """The keys and values of `text`, whose top must be a mapping.

    Never raises: what is wrong is noted, and `Mapping.raise_problems` reports it.
    """
    problems: list[Problem] = []
    node = _compose(text, problems)
    if node is None and not problems:
        problems.append(Problem(1, 1, "the document is empty; expected keys with values"))
    if node is not None and not isinstance(node, Table):
        problems.append(Problem(node.line, node.column, f"expected keys with values, found {_called(node)}"))
    return Mapping(node if isinstance(node, Table) else None, problems)


def nearest(text: str, known: Iterable[str]) -> str | None:
    """The entry of `known` that `text` was probably meant to be; None when nothing is near."""
    # Imported here because only a mistake needs it and start-up should not pay.
    from difflib import get_close_matches

    by_folded = {entry.casefold(): entry for entry in known}
    found = get_close_matches(text[:80].casefold(), by_folded, n=1, cutoff=0.7)
    return by_folded[found[0]] if found else None


class Mapping:
    """Keys with values, read one by one. A reader that finds a mistake notes it and gives a stand-in.

    The stand-in ('' or 0 or an empty tuple) only lets the reading go on to the next mistake: a caller
    ends with `raise_problems`, so it never gets out. A mapping that is not there at all is silent,
    because its absence was noted where it was asked for.
    """

    __slots__ = ("_asked", "_problems", "_table")

    def __init__(self, table: Table | None, problems: list[Problem]) -> None:
        self._table = table
        self._problems = problems
        self._asked: set[str] = set()

    def __contains__(self, key: str) -> bool:
        self._asked.add(key)
        return self._table is not None and key in self._table.entries

    def __iter__(self) -> Iterator[str]:
        """All keys, for a mapping whose keys are data: each must be text that YAML does not take for more."""
        if self._table is None:
            return iter(())
        for key, _ in self._table.entries.values():
            if key.plain:
                self._check_plain(key)
        self._asked.update(self._table.entries)
        return iter(self._table.entries)

    def is_mapping(self, key: str) -> bool:
        """Whether the value of `key` is a mapping; does not count as a mistake when not."""
        return key in self and isinstance(self._node(key), Table)

    def text(self, key: str, default: str | None = None) -> str:
        """A text of at least one character."""
        node = self._wanted(key, default is None)
        return (default or "") if node is None else self._text(node, key)

    def texts(self, key: str, default: tuple[str, ...] | None = None) -> tuple[str, ...]:
        """A list of texts; may be empty."""
        node = self._wanted(key, default is None)
        if node is None:
            return default or ()
        if not isinstance(node, Sequence):
            self._wrong(node, f"{key}: expected a list of texts, found {_called(node)}")
            return ()
        return tuple([self._text(item, key) for item in node.items])

    def text_or_texts(self, key: str) -> tuple[str, ...]:
        """A text, or a list of at least one text."""
        node = self._wanted(key, required=True)
        if isinstance(node, Scalar):
            return (self._text(node, key),)
        found = self.texts(key, ())
        if isinstance(node, Sequence) and not found:
            self._wrong(node, f"{key}: name at least one")
        return found

    def flag(self, key: str, default: bool | None = None) -> bool:  # noqa: FBT001 - a flag's default is a flag
        """`true` or `false`."""
        node = self._wanted(key, default is None)
        if node is None:
            return bool(default)
        if isinstance(node, Scalar) and node.plain and node.text in ("true", "false"):
            return node.text == "true"
        self._wrong(node, f"{key}: expected true or false, found {_called(node)}")
        return False

    def integer(self, key: str, default: int | None = None, *, least: int = 0, most: int | None = None) -> int:
        """A whole number between `least` and `most`."""
        node = self._wanted(key, default is None)
        if node is None:
            return default or 0
        if not (isinstance(node, Scalar) and node.plain and _INTEGER.fullmatch(node.text)):
            self._wrong(node, f"{key}: expected a whole number, found {_called(node)}")
            return least
        number = int(node.text)
        if number < least or (most is not None and number > most):
            bounds = f"at least {least}" if most is None else f"from {least} to {most}"
            self._wrong(node, f"{key}: expected a whole number {bounds}, found {number}")
        return number

    def choice(self, key: str, choices: type[_Choice], default: _Choice | None = None) -> _Choice:
        """One of a closed set of words."""
        first = next(iter(choices))
        node = self._wanted(key, default is None)
        if node is None:
            return default or first
        text = self._text(node, key)
        if text in choices.__members__.values():
            return choices(text)
        if text:
            words = [member.value for member in choices]
            self._wrong(node, f"{key}: {_short(text)} is not one of {', '.join(words)}{_meant(text, words)}")
        return first

    def release(self, key: str) -> Release:
        """A release such as '9.66', in quotes."""
        return self.parsed(key, Release.parse, Release(0, 0))

    def parsed(self, key: str, parse: Callable[[str], _Value], stand_in: _Value) -> _Value:
        """A text that `parse` turns into a value; its InputError becomes a noted mistake."""
        text = self.text(key)
        if not text:
            return stand_in
        try:
            return parse(text)
        except InputError as error:
            self.problem(key, f"{key}: {error.message}; {error.hint}")
            return stand_in

    def mapping(self, key: str, *, required: bool = True) -> Mapping:
        """Keys with values below `key`; empty and silent when they are not there."""
        node = self._wanted(key, required)
        if node is not None and not isinstance(node, Table):
            self._wrong(node, f"{key}: expected keys with values, found {_called(node)}")
            node = None
        return Mapping(node, self._problems)

    def mappings(self, key: str, *, required: bool = True) -> tuple[Mapping, ...]:
        """A list of mappings; may be empty."""
        node = self._wanted(key, required)
        if node is None:
            return ()
        if not isinstance(node, Sequence):
            self._wrong(node, f"{key}: expected a list, found {_called(node)}")
            return ()
        for item in node.items:
            if not isinstance(item, Table):
                self._wrong(item, f"{key}: expected keys with values, found {_called(item)}")
        return tuple([Mapping(item, self._problems) for item in node.items if isinstance(item, Table)])

    def line(self, key: str) -> int:
        """The line on which `key` stands, from 1; 0 when it does not."""
        return self._table.entries[key][0].line if self._table is not None and key in self._table.entries else 0

    def column(self, key: str) -> int:
        """The column at which `key` begins, from 1; 0 when it does not."""
        return self._table.entries[key][0].column if self._table is not None and key in self._table.entries else 0

    def problem(self, key: str, message: str, index: int | None = None) -> None:
        """Note a mistake at the value of `key`, or at item `index` of its list."""
        node = self._node(key)
        if isinstance(node, Sequence) and index is not None and index < len(node.items):
            node = node.items[index]
        if node is not None:
            self._wrong(node, message)

    def problem_at_key(self, key: str, message: str) -> None:
        """Note a mistake at `key` itself."""
        if self._table is not None and key in self._table.entries:
            self._wrong(self._table.entries[key][0], message)

    def finish(self) -> None:
        """Note every key that no reader asked for, with the nearest one that was."""
        if self._table is None or self._asked.issuperset(self._table.entries):
            return
        for key, (place, _) in self._table.entries.items():
            if key not in self._asked:
                missing = self._asked - self._table.entries.keys()
                self._wrong(place, f"unknown key {_short(key)}{_meant(key, sorted(missing or self._asked))}")

    def raise_problems(self, code: str, name: str, hint: str) -> None:
        """Report everything noted so far, in the order of the text.

        Raises:
            DocumentError: something was noted.
        """
        if not self._problems:
            return
        found = sorted(dict.fromkeys(self._problems), key=lambda problem: (problem.line, problem.column))
        shown = found[:MAX_PROBLEMS]
        if len(found) > len(shown):
            last = shown[-1]
            shown.append(Problem(last.line, last.column, f"and {len(found) - len(shown)} more mistakes after this one"))
        raise DocumentError(code, name, tuple(shown), hint)

    def _node(self, key: str) -> Node | None:
        if self._table is None:
            return None
        entry = self._table.entries.get(key)
        return None if entry is None else entry[1]

    def _wanted(self, key: str, required: bool) -> Node | None:  # noqa: FBT001 - private, always given by a comparison
        self._asked.add(key)
        if self._table is None:
            return None
        entry = self._table.entries.get(key)
        if entry is not None:
            return entry[1]
        if required:
            self._wrong(self._table, f"the key {key!r} is missing")
        return None

    def _text(self, node: Node, what: str) -> str:
        if not isinstance(node, Scalar):
            self._wrong(node, f"{what}: expected text, found {_called(node)}")
            return ""
        if node.plain and not self._check_plain(node):
            return ""
        if not node.text.strip():
            self._wrong(node, f"{what}: expected text, found nothing")
            return ""
        return node.text

    def _check_plain(self, node: Scalar) -> bool:
        guess = _guess(node.text)
        if guess is None:
            return True
        advice = f"; write it in quotes: '{node.text}'" if node.text else ""
        self._wrong(node, f"expected text, found {guess}{advice}")
        return False

    def _wrong(self, node: Node, message: str) -> None:
        self._problems.append(Problem(node.line, node.column, message))


def _guess(text: str) -> str | None:
    """What YAML takes an unquoted `text` for, in words; None when for text."""
    if text and text[0] not in _DOUBTFUL_START:
        return None
    if text.lower() in _NOTHING:
        return "nothing"
    if text.lower() in _FLAGS:
        return f"{text}, which YAML takes for a yes or no"
    if _DATE.fullmatch(text):
        return f"{_short(text)}, which YAML takes for a date"
    if _NUMBER.fullmatch(text) or _SPECIAL_NUMBER.fullmatch(text):
        return f"the number {text[:40]}"
    return f"{_short(text)}, which means something else to YAML" if text in ("<<", "=") else None


def _called(node: Node) -> str:
    match node:
        case Scalar(text=text, plain=True):
            return _guess(text) or f"the text {_short(text)}"
        case Scalar(text=text):
            return f"the text {_short(text)}"
        case Sequence():
            return "a list"
        case _:
            return "keys with values"


def _short(text: str) -> str:
    return repr(text) if len(text) <= 60 else repr(text[:60]) + "..."  # noqa: PLR2004 - what fits on a line


def _meant(text: str, known: Iterable[str]) -> str:
    near = nearest(text, known)
    return f"; did you mean {near!r}?" if near else ""


def _place(text: str, index: int) -> tuple[int, int]:
    before = re.split(r"\r\n|\r|\n", text[:index])
    return len(before), len(before[-1]) + 1


def _compose(text: str, problems: list[Problem]) -> Node | None:
    """The tree of `text`. None, with at least one problem noted, when there is none or it breaks off."""
    if len(text) > MAX_CHARACTERS:
        problems.append(Problem(1, 1, f"the document is longer than {MAX_CHARACTERS} characters"))
        return None
    forbidden = _UNREADABLE_ASCII if text.isascii() else re.compile(_UNREADABLE)
    unreadable = forbidden.search(text.removeprefix("\ufeff"))
    if unreadable is not None:
        line, column = _place(text, unreadable.start())
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
                self._note(key.line, key.column, f"the key {_short(key.text)} is already on line {first[0].line}")
            self._open[-1] = (holder, None)

    def _note(self, line: int, column: int, message: str) -> None:
        self._problems.append(Problem(line, column, message))
