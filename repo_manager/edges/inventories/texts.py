"""A text file as lines, whatever wrote it: its encoding is found out, and what does not fit is told.

utf-8, with or without a byte order mark   line by line; a line that is none is read as Windows-1252, and told
                                           of where others are UTF-8 for sure
utf-16 with a byte order mark              as spreadsheets write "Unicode text"
cp1252, latin-1                            what is not UTF-8; where cp1252 has no character, latin-1 has one
"""

from __future__ import annotations

import codecs
from typing import TYPE_CHECKING, Final

from repo_manager.errors import InputError
from repo_manager.inventory import Trouble

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MAX_LINE: Final = 4 << 20
_WIDE: Final = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
_HINT: Final = "save it as CSV in UTF-8, or as .xlsx"


class Text:
    """A file's lines, once or several times. `mixed` fills while they are read: lines in another encoding."""

    def __init__(self, path: Path, name: str, head: bytes) -> None:
        self.name = name
        self.mixed: list[Trouble] = []
        self._path = path
        self._wide = _WIDE.get(head[:2])
        self._marked = head.startswith(codecs.BOM_UTF8)
        self._utf8 = self._marked
        self._suspects: list[int] = []
        if self._wide is None and b"\0" in head:
            raise InputError("no-list", f"{name} is no text, or is UTF-16 without a byte order mark", _HINT)
        beginning = head.decode(self._wide or "utf-8", "replace").lstrip("\ufeff \t\r\n")
        self.first = beginning[:1]

    def lines(self) -> Iterator[str]:
        """The lines with their ends.

        Raises:
            InputError: `no-list` when there is a line of more than 4 MiB.
            OSError: the file cannot be read.
        """
        self.mixed.clear()
        self._suspects.clear()
        self._utf8 = self._marked
        if self._wide is None:
            yield from self._narrow_lines()
        else:
            yield from self._wide_lines(self._wide)
        if self._utf8:
            message = "is not UTF-8 as other lines are; read as Windows-1252"
            self.mixed += [Trouble(f"line {number}", "", message) for number in self._suspects]

    def _narrow_lines(self) -> Iterator[str]:
        with self._path.open("rb") as file:
            number = 0
            while line := file.readline(MAX_LINE):
                number += 1
                self._refuse_long(len(line), number)
                if number == 1 and self._marked:
                    line = line.removeprefix(codecs.BOM_UTF8)
                yield self._decoded(line, number)

    def _decoded(self, line: bytes, number: int) -> str:
        if line.isascii():
            return line.decode("ascii")
        try:
            text = line.decode("utf-8")
        except UnicodeDecodeError:
            self._suspects.append(number)
        else:
            self._utf8 = True
            return text
        try:
            return line.decode("cp1252")
        except UnicodeDecodeError:
            return line.decode("latin-1")

    def _wide_lines(self, encoding: str) -> Iterator[str]:
        with self._path.open("r", encoding=encoding, errors="replace", newline="") as file:
            number = 0
            while line := file.readline(MAX_LINE):
                number += 1
                self._refuse_long(len(line), number)
                yield line.removeprefix("\ufeff") if number == 1 else line

    def _refuse_long(self, length: int, number: int) -> None:
        if length >= MAX_LINE:
            raise InputError("no-list", f"{self.name}: line {number} is longer than that of any list", _HINT)
