"""YAML that a person wrote, read strictly: every mistake is collected with its line and column.

    root = read(text)                      # never raises; an unreadable text is an empty root
    title = root.text("title")             # each reader notes a mistake instead of raising
    depth = root.integer("depth", 3)       # a second argument is the default of an optional key
    root.finish()                          # notes the keys that were not asked for
    root.raise_problems("invalid-settings", "settings.yaml", "correct the lines above")

What YAML guesses, this module refuses: an unquoted `9.50` is a number to YAML and would lose its
zero, an unquoted `no` is false. Anchors, aliases, tags, merge keys and second documents are
refused as well, so a text cannot grow while it is read.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, TypeVar

from repo_manager.core.catalog.yaml_tree import Scalar, Sequence, Table, dumped, loaded, place, short
from repo_manager.core.errors import DocumentError, InputError, Problem
from repo_manager.core.names import Release

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from enum import StrEnum

    from repo_manager.core.catalog.yaml_tree import Node

    _Choice = TypeVar("_Choice", bound=StrEnum)
_Value = TypeVar("_Value")

MAX_PROBLEMS: Final = 100
"""So many mistakes are reported at most; more are counted."""

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


def decode(data: bytes, name: str, code: str = "invalid-document") -> str:
    """Bytes of a file to text, without a byte order mark.

    Raises:
        DocumentError: the bytes are not UTF-8; says where.
    """
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8", "replace")
        line, column = place(before, len(before))
        problem = Problem(line, column, f"byte 0x{data[error.start]:02x} is not UTF-8 text")
        raise DocumentError(code, name, (problem,), "save the file as UTF-8") from error


def read(text: str) -> Mapping:
    """The keys and values of `text`, whose top must be a mapping.

    Never raises: what is wrong is noted, and `Mapping.raise_problems` reports it.
    """
    # Only a text needs the parser: a catalog that was read before is kept as a tree.
    from repo_manager.core.catalog.yaml_parser import compose

    problems: list[Problem] = []
    node = compose(text, problems)
    if node is None and not problems:
        problems.append(Problem(1, 1, "the document is empty; expected keys with values"))
    if node is not None and not isinstance(node, Table):
        problems.append(Problem(node.line, node.column, f"expected keys with values, found {_called(node)}"))
    return Mapping(node if isinstance(node, Table) else None, problems)


def restored(kept: list[Any]) -> Mapping:
    """What `Mapping.kept` gave, without another look at the text."""
    node = loaded(kept)
    return Mapping(node if isinstance(node, Table) else None, [])


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

    def kept(self) -> list[Any] | None:
        """All of it as lists that JSON can hold, for `restored`; None where it is not there."""
        return None if self._table is None else dumped(self._table)

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
            self._wrong(node, f"{key}: {short(text)} is not one of {', '.join(words)}{_meant(text, words)}")
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
        for key, (node, _) in self._table.entries.items():
            if key not in self._asked:
                missing = self._asked - self._table.entries.keys()
                self._wrong(node, f"unknown key {short(key)}{_meant(key, sorted(missing or self._asked))}")

    def raise_problems(self, code: str, name: str, hint: str) -> None:
        """Report everything noted so far, in the order of the text.

        Raises:
            DocumentError: something was noted.
        """
        if not self._problems:
            return
        found = sorted(dict.fromkeys(self._problems), key=lambda problem: (problem.line, problem.column))
        listed = found[:MAX_PROBLEMS]
        if len(found) > len(listed):
            last = listed[-1]
            listed.append(
                Problem(last.line, last.column, f"and {len(found) - len(listed)} more mistakes after this one")
            )
        raise DocumentError(code, name, tuple(listed), hint)

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
        return f"{short(text)}, which YAML takes for a date"
    if _NUMBER.fullmatch(text) or _SPECIAL_NUMBER.fullmatch(text):
        return f"the number {text[:40]}"
    return f"{short(text)}, which means something else to YAML" if text in ("<<", "=") else None


def _called(node: Node) -> str:
    match node:
        case Scalar(text=text, plain=True):
            return _guess(text) or f"the text {short(text)}"
        case Scalar(text=text):
            return f"the text {short(text)}"
        case Sequence():
            return "a list"
        case _:
            return "keys with values"


def _meant(text: str, known: Iterable[str]) -> str:
    near = nearest(text, known)
    return f"; did you mean {near!r}?" if near else ""
