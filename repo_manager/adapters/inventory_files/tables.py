"""Text -> rows or records: CSV with whatever stands between its columns, JSON lines, a JSON list.

A quote that is not closed would swallow all that follows. So a record may run over a few hundred lines at most, and
must end where a quote ends; where it does not, its first line is told of and left out, and reading goes on behind it.
Where it does, `quotes` looks whether it swallowed rows.
"""

from __future__ import annotations

import csv
import json
import re
from typing import TYPE_CHECKING, Final

from repo_manager.adapters.inventory_files import quotes
from repo_manager.adapters.inventory_files.quotes import Lines, UnclosedError
from repo_manager.core.errors import InputError
from repo_manager.core.inventory import HEADING_ROWS, NESTED, NO_NUMBER, Finder, JsonRecord, Row, RowProblem
from repo_manager.core.strict_json import Object, loads_repeated

if TYPE_CHECKING:
    from collections.abc import Iterator

    from repo_manager.adapters.inventory_files.texts import Text

DELIMITERS: Final = (",", ";", "\t", "|")

MAX_JSON_LIST: Final = 64 << 20

_SEPARATOR_LINE: Final = re.compile(r'"?sep=(?P<delimiter>[^\r\n"])"?\s*', re.IGNORECASE)


def rows(text: Text) -> Iterator[Row | RowProblem]:
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
        finder = Finder()
        for seen, row in enumerate(_rows(text, delimiter, 0)):
            if isinstance(row, Row) and finder.takes(row.cells) and finder.columns is not None:
                return delimiter, 0
            if seen >= HEADING_ROWS:
                break
    return DELIMITERS[0], 0


def _rows(text: Text, delimiter: str, skipped: int) -> Iterator[Row | RowProblem]:
    lines = Lines(text.lines())
    for _ in range(skipped):
        next(lines)
    finder = Finder()
    while True:
        reader = csv.reader(lines, delimiter=delimiter, strict=True)
        try:
            while True:
                lines.begin_record()
                cells = next(reader)
                if len(lines.record) > 1 and finder.columns is not None:
                    doubt = quotes.look(lines, cells, finder.columns, delimiter)
                    if doubt is not None:
                        yield from doubt.found
                        if doubt.broken:
                            lines.back_to_second()
                            break
                        continue
                finder.takes(cells)
                yield Row(f"line {lines.first}", tuple(cells))
        except StopIteration:
            return
        except (csv.Error, UnclosedError) as error:
            yield RowProblem(f"line {lines.first}", "", _in_words(error), dropped=True)
            lines.back_to_second()


def _in_words(error: Exception) -> str:
    if "new-line" in str(error):
        return "a line ends in the middle of a cell"
    if "limit" in str(error):
        return "a cell is longer than that of any list; look for a quote that is not closed"
    return "its quotes do not match: one is not closed, or ends in the middle of a cell"


def records(text: Text) -> Iterator[JsonRecord | RowProblem]:
    """The objects of JSON lines, or of a list of objects, with a Trouble in place of what is none.

    Raises:
        InputError: `no-list` when it is a list that is too large or no JSON, or when no line is an object.
    """
    if text.first == "[":
        yield from _listed(text)
        return
    found = False
    broken: list[JsonRecord | RowProblem] = []
    for number, line in enumerate(text.lines(), 1):
        if not line.strip():
            continue
        items = _record(line.strip(), f"line {number}")
        found = found or isinstance(items[0], JsonRecord)
        broken += items
        if found:
            yield from broken
            broken.clear()
    if not found:
        raise InputError(
            "no-list",
            f"{text.name}: no line is a JSON object; {broken[0]}",
            "write an object on each line, with the keys name and os",
        )
    yield from text.mixed


def _listed(text: Text) -> Iterator[JsonRecord | RowProblem]:
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
        items = loads_repeated("".join(parts), NO_NUMBER)
    except (ValueError, RecursionError) as error:
        where = f": line {error.lineno}, column {error.colno}" if isinstance(error, json.JSONDecodeError) else ""
        raise InputError("no-list", f"{text.name} is no JSON{where}", "write an object on each line") from error
    if items and isinstance(items, list) and not any(isinstance(item, Object) for item in items):
        raise InputError("no-list", f"{text.name}: no item is a JSON object", "give objects with the keys name and os")
    for number, item in enumerate(items if isinstance(items, list) else (), 1):
        yield from _of_object(item, f"item {number}")
    yield from text.mixed


def _record(line: str, place: str) -> tuple[JsonRecord | RowProblem, ...]:
    try:
        return _of_object(loads_repeated(line, NO_NUMBER), place)
    except json.JSONDecodeError as error:
        what = f"is no JSON: column {error.colno}, {error.msg[:1].lower()}{error.msg[1:]}"
    except (ValueError, RecursionError):
        what = "is no JSON"
    return (RowProblem(place, "", what, dropped=True),)


def _of_object(item: object, place: str) -> tuple[JsonRecord | RowProblem, ...]:
    if not isinstance(item, Object):
        return (RowProblem(place, "", "is no JSON object", dropped=True),)
    record = JsonRecord(place, {key: _text(value) for key, value in item.items()})
    message = "this key stands twice; the last of its values counts"
    return (record, *(RowProblem(place, key, message) for key in item.repeated))


def _text(value: object) -> str:
    """A scalar as text; of anything with parts what stands for such a thing."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    return NESTED if isinstance(value, Object | list) else str(value)
