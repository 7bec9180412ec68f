"""Lists of machines as people have them: workbooks, tables as text, JSON. What is in them is `inventory`'s business.

read(paths) -> Inventory
"""

from __future__ import annotations

import os
import stat
import tempfile
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

from repo_manager.adapters.filesystem.paths import reachable, real
from repo_manager.core import inventory, kernels
from repo_manager.core.errors import InputError
from repo_manager.core.inventory import RowProblem

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from repo_manager.core.inventory import Inventory

__all__ = ["read"]

MAX_FILE: Final = 1 << 30
_HEAD_BYTES: Final = 4096
_PIECE: Final = 1 << 20
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
    """The machines of one or several files. A pipe is read to its end first. A file named twice is read once.

    Raises:
        InputError: a file cannot be read, or is nothing that could be a list of machines; the message says why.
    """
    once: dict[Path, Path] = {}
    again: list[RowProblem] = []
    for path in paths:
        place = real(path)
        if place not in once:
            once[place] = path
            continue
        also = "is named twice" if path == once[place] else f"is the same file as {once[place]}"
        again.append(RowProblem(str(path), "", f"{also}; read once"))
    found = inventory.merged([_read(path) for path in once.values()])
    return replace(found, troubles=(*found.troubles, *again)) if again else found


def _read(path: Path) -> Inventory:
    name = str(path)
    try:
        with _whole(reachable(path), name) as (whole, head):
            return _of_kind(whole, name, head)
    except OSError as error:
        raise InputError(
            "no-inventory", f"{name} cannot be read: {error.strerror or error}", "check --inventory"
        ) from error


@contextmanager
def _whole(path: Path, name: str) -> Iterator[tuple[Path, bytes]]:
    """A file that can be opened again, and its first bytes. What comes through a pipe is kept for so long."""
    with ExitStack() as opened:
        file = opened.enter_context(path.open("rb"))
        status = os.fstat(file.fileno())
        if stat.S_ISREG(status.st_mode):
            _refuse_large(status.st_size, name)
        else:
            path = Path(opened.enter_context(tempfile.TemporaryDirectory())) / "inventory"
            _keep(file, path, name)
            file = opened.enter_context(path.open("rb"))
        yield path, file.read(_HEAD_BYTES)


def _keep(pipe: BinaryIO, copy: Path, name: str) -> None:
    size_bytes = 0
    with copy.open("wb") as kept:
        while piece := pipe.read(_PIECE):
            size_bytes += len(piece)
            _refuse_large(size_bytes, name)
            kept.write(piece)


def _refuse_large(size_bytes: int, name: str) -> None:
    if size_bytes > MAX_FILE:
        raise InputError(
            "inventory-too-large", f"{name} has more than {MAX_FILE >> 20} MiB, which no list has", _TEXT_HINT
        )


def _of_kind(path: Path, name: str, head: bytes) -> Inventory:
    for magic, what, hint in _OTHERS:
        if head.startswith(magic):
            raise InputError("no-workbook", f"{name} {what}", hint)
    if head.startswith(b"PK"):
        from repo_manager.adapters.inventory_files import workbook

        return inventory.from_rows(name, workbook.rows(path, name), kernels.told)
    from repo_manager.adapters.inventory_files import tables, texts

    text = texts.Text(path, name, head)
    if text.first in {"{", "["}:
        return inventory.from_records(name, tables.records(text), kernels.told)
    return inventory.from_rows(name, tables.rows(text), kernels.told)
