"""A workbook (.xlsx) -> the rows of its sheet vInfo, or of its only sheet."""

from __future__ import annotations

import posixpath
import re
from contextlib import closing
from typing import TYPE_CHECKING, Final

from repo_manager.adapters.inventory_files import sheet
from repo_manager.adapters.inventory_files.unpacking import Archive
from repo_manager.core.errors import InputError
from repo_manager.core.inventory import Finder, Row

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

SHEET: Final = "vInfo"

_MAX_INDEX: Final = 4 << 20
_NAMED: Final = 12
_OF_EXPORT: Final = re.compile(r"(?:tab)?v[A-Z]\w+")


def rows(path: Path, name: str) -> Iterator[Row]:
    """The rows of the sheet, from its first one on; `name` is what messages call the file.

    Cells to the right of the headings are left out: people write notes there.

    Raises:
        InputError: `no-workbook`, `no-sheet`, `inventory-too-large`.
        OSError: the file cannot be read.
    """
    with closing(Archive(path, name)) as archive:
        title, entries = _chosen(archive, name)
        texts = sheet.shared_texts(archive, entries["sharedStrings"]) if "sharedStrings" in entries else []
        dates = sheet.date_styles(archive, entries["styles"]) if "styles" in entries else []
        found = sheet.Sheet(archive, entries["sheet"], texts, dates)
        finder = Finder()
        for number, cells in found.rows():
            if not finder.takes(cells) and finder.columns is not None:
                found.wanted = set(finder.columns.at.values())
            width = len(finder.columns.headings) if finder.columns else len(cells)
            yield Row(f"sheet {title}, row {number}", (*cells[:width], *[""] * (width - len(cells))))


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
        for element in sheet.children(archive, book, "sheets", _MAX_INDEX)
        for key, link in element.attrib.items()
        if sheet.local(key) == "id" and link in targets
    ]
    others = {
        kind: link["Target"]
        for link in links
        for kind in ("sharedStrings", "styles")
        if link["Type"].endswith(f"/{kind}") and link["Target"] in archive
    }
    named = [one for one in sheets if one[0].casefold() in {SHEET.casefold(), f"tab{SHEET}".casefold()}]
    chosen = named or sheets
    # What is hidden, or has nothing in it, is no list that anybody means; old spreadsheets make three sheets of one.
    # Of an export no other sheet will do.
    exported = any(_OF_EXPORT.fullmatch(title) for title, _, _ in sheets)
    if len(chosen) > 1 and not exported:
        chosen = [one for one in chosen if one[2] == "visible"]
    if len(chosen) > 1 and not exported:
        chosen = [one for one in chosen if sheet.has_values(archive, one[1])]
    if len(chosen) != 1:
        raise _no_sheet(name, [title for title, _, _ in sheets])
    title, entry, _ = chosen[0]
    return title, {**others, "sheet": entry}


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
        for element in sheet.children(archive, entry, "Relationships", _MAX_INDEX)
        if element.get("TargetMode") != "External"
    ]
