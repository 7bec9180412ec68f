"""Lists of machines as people have them: workbooks, tables as text, JSON. What is in them is `inventory`'s business.

read(paths) -> Inventory
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from repo_manager import inventory
from repo_manager.edges.disk.paths import reachable
from repo_manager.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from repo_manager.inventory import Inventory

__all__ = ["read"]

MAX_FILE: Final = 1 << 30
_HEAD_BYTES: Final = 4096
_TEXT_HINT: Final = "give an RVTools export (.xlsx or .csv), a CSV file with the headings name and os, or JSON lines"

# First bytes of files that people take for lists, and what to say of them.
_OTHERS: Final = (
    (
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
        "is a workbook of the old kind (.xls), or one that is protected by a password",
        "open it in a spreadsheet and save it as .xlsx without a password, or as CSV",
    ),
    (b"%PDF", "is a PDF", _TEXT_HINT),
    (b"\x1f\x8b", "is packed with gzip", "unpack it first"),
    (b"7z\xbc\xaf", "is packed with 7-Zip", "unpack it first"),
)


def read(paths: Sequence[Path]) -> Inventory:
    """The machines of one or several files.

    Raises:
        InputError: a file cannot be read, or is nothing that could be a list of machines; the message says why.
    """
    return inventory.merged([_read(path) for path in paths])


def _read(path: Path) -> Inventory:
    name = str(path)
    try:
        path = reachable(path)
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
        size_bytes = path.stat().st_size
        return _of_kind(path, name, head, size_bytes)
    except OSError as error:
        raise InputError(
            "no-inventory", f"{name} cannot be read: {error.strerror or error}", "check --inventory"
        ) from error


def _of_kind(path: Path, name: str, head: bytes, size_bytes: int) -> Inventory:
    if size_bytes > MAX_FILE:
        raise InputError("inventory-too-large", f"{name} has {size_bytes >> 20} MiB, which no list has", _TEXT_HINT)
    for magic, what, hint in _OTHERS:
        if head.startswith(magic):
            raise InputError("no-workbook", f"{name} {what}", hint)
    if head.startswith(b"PK"):
        from repo_manager.edges.inventories import workbook

        return inventory.from_rows(name, workbook.rows(path, name))
    from repo_manager.edges.inventories import tables, texts

    text = texts.Text(path, name, head)
    if text.first in {"{", "["}:
        return inventory.from_records(name, tables.records(text))
    return inventory.from_rows(name, tables.rows(text))
