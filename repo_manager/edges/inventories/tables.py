"""Text -> rows or records: CSV with whatever stands between its columns, JSON lines, a JSON list.

A quote that is not closed would swallow all that follows. So a record may run over a few hundred lines at most, and
must end where a quote ends; where it does not, its first line is told of and left out, and reading goes on behind it.
"""

from __future__ import annotations

import csv
import json
import re
from collections import deque
from typing import TYPE_CHECKING, Final

from repo_manager.errors import InputError
from repo_manager.inventory import HEADING_ROWS, Record, Row, Trouble, columns_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from repo_manager.edges.inventories.texts import Text

DELIMITERS: Final = (",", ";", "\t", "|")

# A note in an export may have some lines; one of hundreds is a quote that nobody closed.
MAX_RECORD_LINES: Final = 300
MAX_JSON_LIST: Final = 64 << 20

_SEPARATOR_LINE: Final = re.compile(r'"?sep=(?P<delimiter>[^\r\n"])"?\s*', re.IGNORECASE)


def rows(text: Text) -> Iterator[Row | Trouble]:
    """The rows of a CSV file, with a Trouble in place of each that cannot be read.

    Raises:
        InputError: it is no text.
    """
    delimiter, skipped = _delimiter(text)
    yield from _rows(text, delimiter, skipped)
    yield from text.mixed


def _delimiter(text: Text) -> tuple[str, int]:
    """What stands between the columns, and how many lines come before them: Excel may say so in the first line.

    Otherwise it is the one with which the headings are found; a comma where none is.
    """
    said = _SEPARATOR_LINE.fullmatch(next(iter(text.lines()), ""))
    if said is not None:
        return said["delimiter"], 1
    for delimiter in DELIMITERS:
        for seen, row in enumerate(_rows(text, delimiter, 0)):
            if isinstance(row, Row) and columns_of(row.cells) is not None:
                return delimiter, 0
            if seen >= HEADING_ROWS:
                break
    return DELIMITERS[0], 0


def _rows(text: Text, delimiter: str, skipped: int) -> Iterator[Row | Trouble]:
    lines = _Lines(text.lines())
    for _ in range(skipped):
        next(lines)
    while True:
        reader = csv.reader(lines, delimiter=delimiter, strict=True)
        try:
            while True:
                lines.begin_record()
                cells = next(reader)
                yield Row(f"line {lines.first}", tuple(cells))
        except StopIteration:
            return
        except (csv.Error, _UnclosedError) as error:
            yield Trouble(f"line {lines.first}", "", _in_words(error))
            lines.back_to_second()


def _in_words(error: Exception) -> str:
    if "new-line" in str(error):
        return "a line ends in the middle of a cell"
    if "limit" in str(error):
        return "a cell is longer than that of any list; look for a quote that is not closed"
    return "its quotes do not match: one is not closed, or ends in the middle of a cell"


class _UnclosedError(Exception):
    """A record that does not end."""


class _Lines:
    """Lines with a memory of the record under way. `first` is the number of its first line."""

    def __init__(self, source: Iterator[str]) -> None:
        self._source = source
        self._waiting: deque[str] = deque()
        self._record: list[str] = []
        self._number = 0
        self.first = 1

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        if len(self._record) >= MAX_RECORD_LINES:
            raise _UnclosedError
        line = self._waiting.popleft() if self._waiting else next(self._source)
        self._number += 1
        self._record.append(line)
        return line

    def begin_record(self) -> None:
        self._record.clear()
        self.first = self._number + 1

    def back_to_second(self) -> None:
        """Give the lines of a record that cannot be read once more, without its first."""
        again = self._record[1:]
        self._waiting.extendleft(reversed(again))
        self._number -= len(again)


def records(text: Text) -> Iterator[Record | Trouble]:
    """The objects of JSON lines, or of a list of objects, with a Trouble in place of what is none.

    Raises:
        InputError: `no-list` when it is a list that is too large or no JSON, or when no line is an object.
    """
    if text.first == "[":
        yield from _listed(text)
        return
    found = False
    broken: list[Trouble] = []
    for number, line in enumerate(text.lines(), 1):
        if not line.strip():
            continue
        item = _record(line.strip(), f"line {number}")
        if isinstance(item, Record):
            yield from broken
            broken.clear()
            found = True
            yield item
        elif found:
            yield item
        else:
            broken.append(item)
    if not found:
        raise InputError(
            "no-list",
            f"{text.name}: no line is a JSON object; {broken[0]}",
            "write an object on each line, with the keys name and os",
        )
    yield from text.mixed


def _listed(text: Text) -> Iterator[Record | Trouble]:
    parts: list[str] = []
    size = 0
    for line in text.lines():
        parts.append(line)
        size += len(line)
        if size > MAX_JSON_LIST:
            raise InputError(
                "inventory-too-large", f"{text.name} is a JSON list of more than 64 MiB", "write an object on each line"
            )
    try:
        items = json.loads("".join(parts))
    except (ValueError, RecursionError) as error:
        where = f": line {error.lineno}, column {error.colno}" if isinstance(error, json.JSONDecodeError) else ""
        raise InputError("no-list", f"{text.name} is no JSON{where}", "write an object on each line") from error
    found = [_of_object(item, f"item {number}") for number, item in enumerate(items, 1)]
    if found and all(isinstance(item, Trouble) for item in found):
        raise InputError("no-list", f"{text.name}: no item is a JSON object", "give objects with the keys name and os")
    yield from found
    yield from text.mixed


def _record(line: str, place: str) -> Record | Trouble:
    try:
        return _of_object(json.loads(line), place)
    except json.JSONDecodeError as error:
        return Trouble(place, "", f"is no JSON: column {error.colno}, {error.msg[:1].lower()}{error.msg[1:]}")
    except (ValueError, RecursionError):
        return Trouble(place, "", "is no JSON")


def _of_object(item: object, place: str) -> Record | Trouble:
    if not isinstance(item, dict):
        return Trouble(place, "", "is no JSON object")
    return Record(place, {str(key): _text(value) for key, value in item.items()})


def _text(value: object) -> str:
    """A scalar as text; of anything with parts nothing, since no machine's name or system has some."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return str(value)
    return "" if value is None or isinstance(value, dict | list) else str(value)
