"""A workbook (.xlsx) -> the rows of its sheet vInfo, or of its only sheet.

The only module that imports python-calamine. Nothing of the file reaches the library but what was unpacked, counted
and looked at before: a new, small workbook is put together of the one sheet, the shared texts and the styles, and the
library opens that.
"""

from __future__ import annotations

import posixpath
import re
import tempfile
import zipfile
from contextlib import closing
from datetime import date, time, timedelta
from typing import IO, TYPE_CHECKING, Any, Final
from xml.etree import ElementTree as ET

from repo_manager.adapters.inventory_files.placing import placed
from repo_manager.adapters.inventory_files.sheet_guard import SheetGuard
from repo_manager.adapters.inventory_files.unpacking import Archive
from repo_manager.core.errors import InputError, install_hint
from repo_manager.core.inventory import DATE, Row

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

SHEET: Final = "vInfo"

_MAX_INDEX: Final = 4 << 20
_MAX_STYLES: Final = 32 << 20
_MAX_TEXTS: Final = 256 << 20
_PIECE: Final = 1 << 20
_NAMED: Final = 12
_EXACT: Final = 1e15
_VALUE: Final = re.compile(rb"<(?:\w+:)?(?:v|is|f)[\s/>]")
_OF_EXPORT: Final = re.compile(r"(?:tab)?v[A-Z]\w+")
_LONGEST_TAG: Final = 64

_PACKAGE: Final = "http://schemas.openxmlformats.org/package/2006/"
_DOCUMENT: Final = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_MAIN: Final = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_ROOT_LINKS: Final = (
    f'<Relationships xmlns="{_PACKAGE}relationships"><Relationship Id="rId1" Type="{_DOCUMENT}/officeDocument"'
    ' Target="xl/workbook.xml"/></Relationships>'
)
_LINKS: Final = (
    f'<Relationships xmlns="{_PACKAGE}relationships">'
    f'<Relationship Id="rId1" Type="{_DOCUMENT}/worksheet" Target="worksheets/sheet1.xml"/>'
    f'<Relationship Id="rId2" Type="{_DOCUMENT}/sharedStrings" Target="sharedStrings.xml"/>'
    f'<Relationship Id="rId3" Type="{_DOCUMENT}/styles" Target="styles.xml"/></Relationships>'
)
_WORKBOOK: Final = (
    f'<workbook xmlns="{_MAIN}" xmlns:r="{_DOCUMENT}">'
    f'<sheets><sheet name="{SHEET}" sheetId="1" r:id="rId1"/></sheets></workbook>'
)
_NO_TEXTS: Final = f'<sst xmlns="{_MAIN}"/>'.encode()
_NO_STYLES: Final = f'<styleSheet xmlns="{_MAIN}"/>'.encode()


def rows(path: Path, name: str) -> Iterator[Row]:
    """The rows of the sheet, from its first one on; `name` is what messages call the file.

    Raises:
        InputError: `inventory-not-installed`, `no-workbook`, `no-sheet`, `inventory-too-large`.
        OSError: the file, or a temporary one, cannot be read or written.
    """
    workbook = _library()
    with tempfile.TemporaryFile() as safe:
        with closing(Archive(path, name)) as archive:
            title, odd = _rebuild(archive, safe, name)
        safe.seek(0)
        yield from _rows(workbook, safe, odd, title, name)


def _library() -> Callable[[IO[bytes]], Any]:
    try:
        from python_calamine import CalamineWorkbook
    except ImportError as error:
        raise InputError(
            "inventory-not-installed",
            "workbooks need a reader, and python-calamine is not installed",
            f"{install_hint('inventory')}; or save the sheet as CSV",
        ) from error
    return CalamineWorkbook.from_filelike


def _rebuild(archive: Archive, safe: IO[bytes], name: str) -> tuple[str, Mapping[tuple[int, int], str]]:
    """Write the small workbook. Returns the sheet's name and its cells that hold no value."""
    title, entries = _chosen(archive, name)
    guard = SheetGuard(name)
    texts = archive.whole(entries["sharedStrings"], _MAX_TEXTS) if "sharedStrings" in entries else _NO_TEXTS
    styles = archive.whole(entries["styles"], _MAX_STYLES) if "styles" in entries else _NO_STYLES
    with zipfile.ZipFile(safe, "w") as made:
        for entry, data in (
            ("_rels/.rels", _ROOT_LINKS),
            ("xl/workbook.xml", _WORKBOOK),
            ("xl/_rels/workbook.xml.rels", _LINKS),
            ("xl/sharedStrings.xml", texts),
            ("xl/styles.xml", styles),
        ):
            made.writestr(entry, data)
        with made.open("xl/worksheets/sheet1.xml", "w", force_zip64=True) as sheet:
            for piece in placed(archive.pieces(entries["sheet"])):
                guard.feed(piece)
                sheet.write(piece)
            guard.finish()
    with zipfile.ZipFile(safe) as made, made.open("xl/worksheets/sheet1.xml") as sheet:
        guard.check_texts(texts, iter(lambda: sheet.read(_PIECE), b""))
    return title, guard.odd


def _chosen(archive: Archive, name: str) -> tuple[str, Mapping[str, str]]:
    """The sheet's name, and the entries that are read: `sheet`, and maybe `sharedStrings` and `styles`."""
    book = "xl/workbook.xml"
    for link in _links(archive, "_rels/.rels", ""):
        if link["Type"].endswith("/officeDocument"):
            book = link["Target"]
    if not book.endswith(".xml"):
        raise archive.damaged("it is a binary workbook (.xlsb)")
    links = _links(archive, posixpath.join(posixpath.dirname(book), "_rels", f"{posixpath.basename(book)}.rels"), book)
    targets = {link["Id"]: link["Target"] for link in links if link["Type"].endswith("/worksheet")}
    sheets = [
        (element.get("name", ""), targets[link], element.get("state", "visible"))
        for element in _xml(archive, book).iter()
        if _local(element.tag) == "sheet"
        for key, link in element.attrib.items()
        if _local(key) == "id" and link in targets
    ]
    others = {
        kind: link["Target"]
        for link in links
        for kind in ("sharedStrings", "styles")
        if link["Type"].endswith(f"/{kind}") and link["Target"] in archive
    }
    named = [sheet for sheet in sheets if sheet[0].casefold() in {SHEET.casefold(), f"tab{SHEET}".casefold()}]
    chosen = named or sheets
    # What is hidden, or has nothing in it, is no list that anybody means; old spreadsheets make three sheets of one.
    # Of an export no other sheet will do.
    exported = any(_OF_EXPORT.fullmatch(title) for title, _, _ in sheets)
    if len(chosen) > 1 and not exported:
        chosen = [sheet for sheet in chosen if sheet[2] == "visible"]
    if len(chosen) > 1 and not exported:
        chosen = [sheet for sheet in chosen if _has_values(archive, sheet[1])]
    if len(chosen) != 1:
        raise _no_sheet(name, [title for title, _, _ in sheets])
    title, entry, _ = chosen[0]
    return title, {**others, "sheet": entry}


def _has_values(archive: Archive, entry: str) -> bool:
    rest = b""
    for piece in archive.pieces(entry):
        rest += piece
        if _VALUE.search(rest):
            return True
        rest = rest[-_LONGEST_TAG:]
    return False


def _no_sheet(name: str, titles: list[str]) -> InputError:
    shown = ", ".join(repr(title) for title in titles[:_NAMED]) + (", ..." if len(titles) > _NAMED else "")
    there = f"its {len(titles)} sheets are {shown}" if titles else "it has no sheet with cells"
    return InputError(
        "no-sheet",
        f"{name}: there is no sheet {SHEET}; {there}",
        f"give an RVTools export with the sheet {SHEET}, or a workbook with one sheet alone",
    )


def _links(archive: Archive, entry: str, base: str) -> list[dict[str, str]]:
    """The relationships in an entry, each with Id, Type and Target; targets are whole paths."""
    folder = posixpath.dirname(base)
    return [
        {
            "Id": element.get("Id", ""),
            "Type": element.get("Type", ""),
            "Target": posixpath.normpath(posixpath.join("/", folder, element.get("Target", ""))).lstrip("/"),
        }
        for element in _xml(archive, entry)
        if element.get("TargetMode") != "External"
    ]


def _xml(archive: Archive, entry: str) -> ET.Element:
    data = archive.whole(entry, _MAX_INDEX)
    if b"<!" in data.replace(b"<!--", b""):
        raise archive.damaged(f"{entry} declares a document type")
    try:
        return ET.fromstring(data)  # noqa: S314 - bounded, and without entities of its own
    except (ET.ParseError, ValueError) as error:
        raise archive.damaged(f"{entry} is no XML") from error


def _local(name: str) -> str:
    return name.rpartition("}")[2]


def _rows(
    workbook: Callable[[IO[bytes]], Any], safe: IO[bytes], odd: Mapping[tuple[int, int], str], title: str, name: str
) -> Iterator[Row]:
    try:
        sheet = workbook(safe).get_sheet_by_name(SHEET)
        start = sheet.start
        cells = sheet.iter_rows()
    except (KeyboardInterrupt, SystemExit, MemoryError):
        raise
    except BaseException as error:
        # The library's own failures, and its panics, which are no Exception.
        raise InputError(
            "no-workbook",
            f"{name}: the sheet {title!r} cannot be read, because it or the texts it uses are damaged",
            "open it in a spreadsheet and save it again as .xlsx or CSV",
        ) from error
    first = start[1] + 1 if start else 1
    odd_rows = {row for row, _ in odd}
    for number, row in enumerate(cells, 1):
        # Nearly all cells are text, and a call for each of them is what takes longest.
        texts = [cell if cell.__class__ is str else _text(cell) for cell in row]
        if number in odd_rows:
            texts = [odd.get((number, column), text) for column, text in enumerate(texts, first)]
        yield Row(f"sheet {title}, row {number}", tuple(texts))


def _text(cell: object) -> str:
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() and abs(cell) < _EXACT else repr(cell)
    if isinstance(cell, date | time | timedelta):
        return DATE
    return str(cell)
