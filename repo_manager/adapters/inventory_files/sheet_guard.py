"""Looks at a sheet's XML as it passes by, before the library may: is it safe to open, and which cells hold no value?

The library lays a sheet out as a full rectangle, with a copy of a shared text in each cell that names it. Two cells far
apart, or a long text named often, would take all memory, and end the process without an exception.

Evidence: tafia/calamine, issues 433 and 693.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Final

from repo_manager.adapters.inventory_files.placing import number
from repo_manager.core.errors import InputError
from repo_manager.core.inventory import UNCALCULATED

if TYPE_CHECKING:
    from collections.abc import Iterable

# 100,000 rows of 160 columns; the library takes about 70 bytes for each.
MAX_CELLS: Final = 16_000_000
MAX_TEXT_BYTES: Final = 512 << 20

# A row is cut at its end; one that is longer than this is none.
_MAX_ROW_BYTES: Final = 16 << 20
_MAX_ODD: Final = 10_000

# As nearly all writers write a cell, which is quick to find; and any way in which it may be written.
_PLAIN_CELL: Final = re.compile(rb"<c[\s/>]")
_PLAIN_COLUMN: Final = re.compile(rb'<c r="([A-Z]{1,3})[0-9]{1,7}"')
_PLAIN_ROW: Final = re.compile(rb'<c r="[A-Z]{1,3}([0-9]{1,7})"')
_PREFIXED: Final = re.compile(rb"<\w+:c[\s/>]")
_CELL: Final = re.compile(rb"<(?:\w+:)?c[\s/>]")
_COLUMN: Final = re.compile(rb'<(?:\w+:)?c(?: [a-z]+="[^"<>]*")*? r="([A-Z]{1,3})[0-9]{1,7}"')
_ROW: Final = re.compile(rb'<(?:\w+:)?c(?: [a-z]+="[^"<>]*")*? r="[A-Z]{1,3}([0-9]{1,7})"')
_FORMULA: Final = rb"<(?:\w+:)?f(?:[^<>]*/>|[^<>]*>[^<]*</(?:\w+:)?f>)"
_FAILED: Final = re.compile(
    rb'<(?:\w+:)?c r="([A-Z]{1,3}[0-9]{1,7})"[^<>]* t="e"[^<>]*>(?:%b)?<(?:\w+:)?v>(#[A-Z0-9/!?]+)<' % _FORMULA
)
# An empty text is a value; an empty anything else is none.
_UNCALCULATED: Final = re.compile(
    rb'<(?:\w+:)?c r="([A-Z]{1,3}[0-9]{1,7})"(?![^<>]* t="str")[^<>]*>%b'
    rb"(?:<(?:\w+:)?v ?/>|<(?:\w+:)?v></(?:\w+:)?v>)?</(?:\w+:)?c>" % _FORMULA
)
_SHARED: Final = re.compile(rb"<(?:\w+:)?si(?=[\s/>])")
_LONGEST_REFERENCE: Final = 64
_REFERENCE: Final = re.compile(rb">([0-9]{1,9})</(?:\w+:)?v>")
_TOO_LARGE: Final = "delete the empty rows and columns around the list and save it again, or save the sheet as CSV"
_ODD: Final = "open it in a spreadsheet and save it again as .xlsx or CSV"


class SheetGuard:
    """Feed it a whole sheet, then `finish`. `odd` has what stands for a value in cells without one, by row and column.

    Rows and columns count from 1.
    """

    def __init__(self, name: str) -> None:
        self.odd: dict[tuple[int, int], str] = {}
        self._name = name
        self._rest = b""
        self._cells = 0
        self._last = (0, 0)

    def feed(self, piece: bytes) -> None:
        """Take the next bytes.

        Raises:
            InputError: `inventory-too-large`, or `no-workbook` when this is not the XML of a sheet.
        """
        data = self._rest + piece
        end = data.rfind(b"row>") + 4
        if end < 4:  # noqa: PLR2004 - not found
            end = 0
        self._look(data[:end])
        self._rest = data[end:]
        if len(self._rest) > _MAX_ROW_BYTES:
            raise self._refusal("no-workbook", "a row in it has no end")

    def finish(self) -> None:
        """Look at what is left.

        Raises:
            InputError: as `feed` does.
        """
        self._look(self._rest)

    def _look(self, data: bytes) -> None:
        if b"\0" in data:
            raise self._refusal("no-workbook", "its sheet is not written in UTF-8")
        columns, rows = self._places(data)
        if not columns:
            return
        self._cells += len(columns)
        width = max(self._last[0], *map(number, set(columns)))
        height = max(self._last[1], *map(int, set(rows)))
        self._last = (width, height)
        if width * height > MAX_CELLS or self._cells > MAX_CELLS:
            message = f"its cells reach to column {width} and row {height}, which is too much to take in"
            raise self._refusal("inventory-too-large", message)
        if b'"e"' in data:
            self._note(_FAILED.findall(data))
        if b"f></" in data or b"/></" in data or b"v></" in data:
            self._note((place, UNCALCULATED.encode()) for place in _UNCALCULATED.findall(data))

    def _places(self, data: bytes) -> tuple[list[bytes], list[bytes]]:
        """Column and row of each cell. A cell that does not say so would be laid out where nobody expects it."""
        if not _PREFIXED.search(data):
            columns = _PLAIN_COLUMN.findall(data)
            if len(columns) == len(_PLAIN_CELL.findall(data)):
                return columns, _PLAIN_ROW.findall(data)
        columns = _COLUMN.findall(data)
        if len(columns) != len(_CELL.findall(data)):
            raise self._refusal("no-workbook", "some of its cells do not say where they are")
        return columns, _ROW.findall(data)

    def _note(self, found: Iterable[tuple[bytes, bytes]]) -> None:
        for place, value in found:
            letters = place.rstrip(b"0123456789")
            if len(self.odd) < _MAX_ODD:
                self.odd[int(place[len(letters) :]), number(letters)] = value.decode("ascii")

    def check_texts(self, shared: bytes, sheet: Iterable[bytes]) -> None:
        """See that the texts of all cells together fit: `shared` is the list of texts, `sheet` once more the sheet.

        Raises:
            InputError: `inventory-too-large`.
        """
        starts = [match.start() for match in _SHARED.finditer(shared)]
        if not starts:
            return
        sizes = [end - start for start, end in zip(starts, [*starts[1:], len(shared)], strict=True)]
        if self._cells * max(sizes) <= MAX_TEXT_BYTES:
            return
        total, rest = 0, b""
        for piece in sheet:
            data = rest + piece
            end = data.rfind(b"v>") + 2
            found = Counter(_REFERENCE.findall(data[:end]))
            total += sum(count * sizes[at] for index, count in found.items() if (at := int(index)) < len(sizes))
            rest = data[max(end, len(data) - _LONGEST_REFERENCE) :]
            if total > MAX_TEXT_BYTES:
                raise self._refusal("inventory-too-large", "the texts in its cells take more than 512 MiB")

    def _refusal(self, code: str, why: str) -> InputError:
        return InputError(code, f"{self._name}: {why}", _ODD if code == "no-workbook" else _TOO_LARGE)
