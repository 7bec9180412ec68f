"""A record that runs over several lines: is it one with a note in it, or did a pair of stray quotes swallow rows?

Both look alike to a reader of CSV. Rows give themselves away: a line within the quotes has as many separators as the
headings have, and a system where the systems stand. Where that is clear, the quote is told of, and the lines are read
as rows of their own. Where it may as well be a note, the record stays whole, and a remark says which lines to look at.
"""

from __future__ import annotations

import csv
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from repo_manager.core.inventory import Columns, Role, Row, RowProblem
from repo_manager.core.inventory.columns import SYSTEM_ROLES
from repo_manager.core.systems.resolver import names_system

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

# A note in an export may have some lines. One of hundreds of lines has a quote without its end.
MAX_RECORD_LINES: Final = 300

# So many lines with just the separators of a row are no prose.
_MANY: Final = 10

# So many lines of a note that begin as a row does are no coincidence.
_SEVERAL: Final = 3


class UnclosedError(Exception):
    """A record that does not end."""


class Lines:
    """Iterates over lines. `record` has those of the record under way, `first` is the number of its first one."""

    def __init__(self, source: Iterator[str]) -> None:
        self.record: list[str] = []
        self.first = 1
        self._source = source
        self._waiting: deque[str] = deque()
        self._number = 0

    def __iter__(self) -> Lines:
        return self

    def __next__(self) -> str:
        if len(self.record) >= MAX_RECORD_LINES:
            raise UnclosedError
        line = self._waiting.popleft() if self._waiting else next(self._source)
        self._number += 1
        self.record.append(line)
        return line

    @property
    def last(self) -> int:
        """The number of the last line that was read."""
        return self._number

    def begin_record(self) -> None:
        """What comes next is another record."""
        self.record.clear()
        self.first = self._number + 1

    def back_to_second(self) -> None:
        """Give the lines of a record that cannot be read once more, without its first."""
        again = self.record[1:]
        self._waiting.extendleft(reversed(again))
        self._number -= len(again)


@dataclass(frozen=True, slots=True)
class Doubt:
    """What is said in place of a record. Where it is `broken`, its lines behind the first are to be read anew."""

    found: tuple[Row | RowProblem, ...]
    broken: bool


def look(lines: Lines, cells: Sequence[str], columns: Columns, delimiter: str) -> Doubt | None:
    """Look at the record under way, which runs over several lines; None where nothing speaks against it."""
    too_many = any(cell.strip() for cell in cells[len(columns.headings) :])
    remark: RowProblem | None = None
    for index, cell in [(index, cell) for index, cell in enumerate(cells) if "\n" in cell]:
        # A row has one separator at least.
        inner = [line.split(delimiter) for line in cell.split("\n")[1:] if delimiter in line]
        if too_many:
            # What follows a quote that closes too late belongs to the last line.
            inner.append([cell.rpartition("\n")[2], *cells[index + 1 :]])
        if not inner:
            continue
        alike = sum(len(parts) == len(columns.headings) or any(_told(parts, columns)) for parts in inner)
        if _are_rows(inner, columns, note=index not in columns.at.values()):
            return Doubt(tuple(_opened(lines, cells, index, columns, delimiter)), broken=True)
        if alike and remark is None:
            message = (
                f"a cell runs from line {lines.first} to line {lines.last}, and {alike} of its lines could be rows;"
                " it is read as one cell, so look for a quote that should not be there"
            )
            remark = RowProblem(f"line {lines.first}", _heading(columns, index), message)
    return Doubt((Row(remark.place, tuple(cells)), remark), broken=False) if remark else None


def _are_rows(inner: Sequence[Sequence[str]], columns: Columns, *, note: bool) -> bool:
    """Whether lines within a cell are rows for sure; a `note` is prose, and may name a system after a comma."""
    whole = [parts for parts in inner if len(parts) == len(columns.headings)]
    short = [parts for parts in inner if len(parts) < len(columns.headings) and _is_machine(parts, columns)]
    return (
        len(whole) >= _MANY
        or len(short) >= (_SEVERAL if note else 1)
        or any(_is_machine(parts, columns) for parts in whole)
    )


def _is_machine(parts: Sequence[str], columns: Columns) -> bool:
    """Whether a line has a name where the names stand, and what the world calls a system where the systems do."""
    return any(map(names_system, _told(parts, columns)))


def _told(parts: Sequence[str], columns: Columns) -> list[str]:
    """What stands in a line where the systems do, if it has a name and no more cells than there are headings."""
    name = columns.at[Role.NAME]
    if not name < len(parts) <= len(columns.headings) or not parts[name].strip():
        return []
    of_system = (columns.at[role] for role in SYSTEM_ROLES & columns.at.keys())
    told = (parts[index].strip(' "\r') for index in of_system if index < len(parts))
    return [text for text in told if text]


def _opened(
    lines: Lines, cells: Sequence[str], index: int, columns: Columns, delimiter: str
) -> Iterator[Row | RowProblem]:
    """The first line of a broken record without the quote that opens the cell; told of, if not to be read so either."""
    place = f"line {lines.first}"
    line = lines.record[0].rstrip("\r\n")
    at = len(line) - len(cells[index].split("\n")[0].rstrip("\r").replace('"', '""')) - 1
    kept: list[str] = []
    if not any("\n" in cell for cell in cells[:index]) and line[at : at + 1] == '"':
        kept = next(csv.reader([line[:at] + line[at + 1 :]], delimiter=delimiter))
    where = f"the quote at character {at + 1}" if kept else "a quote"
    message = f"{where} is closed in line {lines.last} only, behind what looks like rows"
    if index < len(kept) <= len(columns.headings):
        yield Row(place, tuple(kept))
        yield RowProblem(place, _heading(columns, index), f"{message}; it is left out, and each line is read as a row")
    else:
        message = f"{message}; this line is left out, and each one behind it is read as a row"
        yield RowProblem(place, _heading(columns, index), message, dropped=True)


def _heading(columns: Columns, index: int) -> str:
    return columns.headings[index] if index < len(columns.headings) else ""
