"""The XML in a workbook, read as a stream: of a sheet only the row under way is kept.

A file may come from anywhere, so there is a limit to all that grows with it: elements without end, the rectangle from
the first cell to the last, and the texts in the cells. A document type, which could define entities, is refused.

Evidence: ECMA-376 part 1, 18.3.1 (worksheets), 18.4 (shared texts), 18.8.30 (formats of dates by number).
"""

from __future__ import annotations

import re
from string import ascii_uppercase
from typing import TYPE_CHECKING, Final
from xml.etree import ElementTree as ET

from repo_manager.adapters.inventory_files.unpacking import MAX_UNPACKED
from repo_manager.core.errors import InputError
from repo_manager.core.inventory import DATE, UNCALCULATED

if TYPE_CHECKING:
    from collections.abc import Container, Iterator

    from repo_manager.adapters.inventory_files.unpacking import Archive

# 100,000 rows of 160 columns.
MAX_CELLS: Final = 16_000_000
MAX_TEXT_BYTES: Final = 512 << 20

_MAX_TEXTS: Final = 256 << 20
_MAX_STYLES: Final = 32 << 20
# A part that is not complete is kept: a row of 16,384 cells, or a text in many styles. Each tag takes up to 230 bytes.
_MAX_PART: Final = 8 << 20
_MAX_TAGS: Final = 400_000
_DOCTYPE_BYTES: Final = len("<!DOCTYPE")
_MAX_COLUMN: Final = 16_384
_MAX_ROW_DIGITS: Final = 7
_EXACT: Final = 1e15

_DATES: Final = frozenset(map(str, (*range(14, 23), *range(27, 37), *range(45, 48), *range(50, 59))))
# Of a format what is not a part of a date: quoted text, colours and conditions, escaped and repeated characters.
_NO_DATE: Final = re.compile(r'"[^"]*"|\[(?!h+\]|m+\]|s+\])[^\]]*\]|[\\_*].|general')
_ESCAPED: Final = re.compile("_x([0-9A-Fa-f]{4})_")
_TOO_LARGE: Final = "delete the empty rows and columns around the list and save it again, or save the sheet as CSV"


def children(archive: Archive, entry: str, parent: str, limit: int = MAX_UNPACKED) -> Iterator[ET.Element]:
    """The elements in the first `parent` of an entry, each when it is complete. What follows them is only unpacked.

    Raises:
        InputError: as `Archive.pieces` does; `no-workbook` when it is no XML, or an element in it has no end.
    """
    # The parser adds all that it reads to this element, also what is not complete.
    builder = ET.TreeBuilder()
    root = builder.start("root", {})
    parser = ET.XMLParser(target=builder)  # noqa: S314 - without a document type there are no entities
    place: tuple[ET.Element, ET.Element] | None = None
    recent, part, tags = b"", 0, 0
    try:
        for piece in archive.pieces(entry, limit):
            if place and place[0][-1] is not place[1]:
                continue
            if not len(root):
                recent = recent[-_DOCTYPE_BYTES:] + piece
                _check_beginning(archive, entry, recent)
            parser.feed(piece)
            place = place or _place(root, parent)
            part += len(piece)
            tags += piece.count(b"<")
            if place and len(place[1]) > 1:
                yield from place[1][:-1]
                del place[1][:-1]
                part = tags = 0
            if part > _MAX_PART or tags > _MAX_TAGS:
                raise archive.damaged(f"an element in {entry} has no end")
        if not place or place[0][-1] is place[1]:
            parser.close()
    except (ET.ParseError, ValueError) as error:
        raise archive.damaged(f"{entry} is no XML") from error
    if place:
        yield from place[1]


def _check_beginning(archive: Archive, entry: str, data: bytes) -> None:
    if b"<!DOCTYPE" in data:
        raise archive.damaged(f"{entry} declares a document type")
    if b"\0" in data:
        raise archive.damaged(f"{entry} is not written in UTF-8")


def _place(root: ET.Element, name: str) -> tuple[ET.Element, ET.Element] | None:
    """The first element of that name, with the one that it is in."""
    return next(((owner, element) for owner in root.iter() for element in owner if local(element.tag) == name), None)


def local(tag: str) -> str:
    """A name without its namespace: writers have several."""
    return tag.rpartition("}")[2]


# Shared texts and styles


def shared_texts(archive: Archive, entry: str) -> list[str]:
    """The texts that cells name by their number.

    Raises:
        InputError: as `children` does; `inventory-too-large`.
    """
    texts: list[str] = []
    for item in children(archive, entry, "sst", _MAX_TEXTS):
        texts.append(_text(item, item.tag.removesuffix("si")))
        if len(texts) > MAX_CELLS:
            raise InputError("inventory-too-large", f"{archive.name}: {entry} has too many texts", _TOO_LARGE)
    return texts


def _text(element: ET.Element, namespace: str) -> str:
    """A text, plain or in several parts with styles of their own; without the phonetic one of Japanese."""
    text, part = f"{namespace}t", f"{namespace}r"
    plain = element.findtext(text)
    if plain is None:
        plain = "".join([child.findtext(text) or "" for child in element if child.tag == part])
    return _unescaped(plain)


def _unescaped(text: str) -> str:
    """A text with the characters that XML does not allow."""
    return _ESCAPED.sub(lambda match: chr(int(match[1], 16)), text) if "_x" in text else text


def date_styles(archive: Archive, entry: str) -> list[bool]:
    """For each style of cells whether it shows a number as a date.

    Raises:
        InputError: as `children` does.
    """
    dates = _DATES
    styles: list[bool] = []
    for part in children(archive, entry, "styleSheet", _MAX_STYLES):
        if local(part.tag) == "numFmts":
            formats = {item.get("numFmtId", ""): item.get("formatCode", "") for item in part}
            dates = _DATES - formats.keys() | {number for number, code in formats.items() if _is_date(code)}
        elif local(part.tag) == "cellXfs":
            styles += [item.get("numFmtId") in dates for item in part]
    return styles


def _is_date(code: str) -> bool:
    return not set("dmyhs").isdisjoint(_NO_DATE.sub("", code.lower()))


# Rows


class Sheet:
    """The rows of a sheet. Once `wanted` is set, only the cells of these columns, counted from 0, have their text."""

    def __init__(self, archive: Archive, entry: str, texts: list[str], dates: list[bool]) -> None:
        self.wanted: Container[int] | None = None
        self._archive, self._entry, self._texts, self._dates = archive, entry, texts, dates
        self._columns: dict[str, int] = {}
        self._row = 0

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """Each row with its number, and its cells from the first column on.

        Raises:
            InputError: as `children` does; `no-workbook` also when a cell has an impossible place or text;
                `inventory-too-large`.
        """
        width = height = cells = size = 0
        for row in children(self._archive, self._entry, "sheetData"):
            values = self._values(row)
            width, height = max(width, len(values)), max(height, self._row)
            cells += len(values)
            size += sum(map(len, values))
            if max(width * height, cells) > MAX_CELLS:
                raise self._too_large(
                    f"its cells reach to column {width} and row {height}, which is too much to take in"
                )
            if size > MAX_TEXT_BYTES:
                raise self._too_large("the texts in its cells take more than 512 MiB")
            yield self._row, values

    def _values(self, row: ET.Element) -> list[str]:
        """The cells of a row. One that does not say where it is is beside the one before it."""
        namespace = row.tag.removesuffix("row")
        tag = f"{namespace}c"
        cells = [cell for cell in row if cell.tag == tag]
        first = next((place for cell in cells if (place := cell.get("r"))), "")
        number = row.get("r") or first.lstrip(ascii_uppercase) or str(self._row + 1)
        self._row = self._number(number)
        found: list[str] = []
        column = 0
        for cell in cells:
            place = cell.get("r")
            column = self._column(place.removesuffix(number)) if place else column + 1
            if column > _MAX_COLUMN:
                raise self._lost()
            if column > len(found):
                found += [""] * (column - len(found))
            if self.wanted is None or column - 1 in self.wanted:
                found[column - 1] = self._value(cell, namespace)
        return found

    def _value(self, cell: ET.Element, namespace: str) -> str:
        kind, text = cell.get("t", "n"), cell.findtext(f"{namespace}v") or ""
        if kind == "inlineStr":
            return "".join(_text(part, namespace) for part in cell)
        if not text and kind != "str" and cell.find(f"{namespace}f") is not None:
            return UNCALCULATED
        if not text or kind in {"str", "e"}:
            return _unescaped(text)
        if kind == "s":
            return self._shared(text)
        if kind == "b":
            return str(text in {"1", "true"})
        return DATE if kind == "d" or self._is_date(cell.get("s", "0")) else _shown(text)

    def _shared(self, number: str) -> str:
        index = int(number) if number.isdecimal() else -1
        if not 0 <= index < len(self._texts):
            raise self._archive.damaged(f"a cell names the text {number[:9]}, and there are {len(self._texts)}")
        return self._texts[index]

    def _is_date(self, style: str) -> bool:
        return style.isdecimal() and int(style) < len(self._dates) and self._dates[int(style)]

    def _column(self, letters: str) -> int:
        if letters not in self._columns:
            number = 0
            for letter in letters if letters.isascii() and letters.isalpha() and letters.isupper() else "":
                number = number * 26 + ord(letter) - 64
            if not number:
                raise self._lost()
            self._columns[letters] = number
        return self._columns[letters]

    def _number(self, text: str) -> int:
        if not (text.isascii() and text.isdecimal() and len(text) <= _MAX_ROW_DIGITS):
            raise self._lost()
        return int(text)

    def _lost(self) -> InputError:
        return self._archive.damaged("some of its cells do not say where they are")

    def _too_large(self, why: str) -> InputError:
        return InputError("inventory-too-large", f"{self._archive.name}: {why}", _TOO_LARGE)


def _shown(text: str) -> str:
    """A number as people write it."""
    if text.isdecimal() and text[0] != "0":
        return text
    try:
        number = float(text)
    except ValueError:
        return text
    return str(int(number)) if number.is_integer() and abs(number) < _EXACT else repr(number)


def has_values(archive: Archive, entry: str) -> bool:
    """Whether any cell has a value.

    Raises:
        InputError: as `children` does.
    """
    values = ("v", "is", "f")
    return any(
        local(part.tag) in values for row in children(archive, entry, "sheetData") for part in row.iterfind("*/*")
    )
