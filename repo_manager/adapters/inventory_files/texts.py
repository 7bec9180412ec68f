"""A text file as lines, whatever wrote it: its encoding is found out, and what does not fit is told.

utf-8, with or without a byte order mark   line by line; a line that is none is read as Windows-1252, and told
                                           of where others are UTF-8 for sure
utf-16, utf-32 with a byte order mark      as spreadsheets write "Unicode text"
cp1252, latin-1                            what is not UTF-8; where cp1252 has no character, latin-1 has one

Lines end as on Windows or Unix; where the beginning has no such end, as on old Macs.
"""

from __future__ import annotations

import codecs
from typing import TYPE_CHECKING, Final

from repo_manager.core.errors import InputError
from repo_manager.core.inventory import RowProblem

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MAX_LINE: Final = 4 << 20
# The mark of utf-16-le is the beginning of that of utf-32-le.
_WIDE: Final = {
    codecs.BOM_UTF32_LE: "utf-32-le",
    codecs.BOM_UTF32_BE: "utf-32-be",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}
_HINT: Final = "save it as CSV in UTF-8, or as .xlsx"
_UNREADABLE: Final = "\ufffd"

# A text has a control character by mistake; what is no text has one in ten bytes at least.
_CONTROLS: Final = bytes({*range(32), 127} - {*b"\t\n\v\f\r\x1b"})
_ONE_IN: Final = 10


class Text:
    """A file's lines, once or several times. `mixed` fills while they are read: what does not fit its encoding."""

    def __init__(self, path: Path, name: str, head: bytes) -> None:
        self.name = name
        self.mixed: list[RowProblem] = []
        self._path = path
        self._wide = next((encoding for mark, encoding in _WIDE.items() if head.startswith(mark)), None)
        self._marked = head.startswith(codecs.BOM_UTF8)
        self._utf8 = self._marked
        self._suspects: list[int] = []
        if self._wide is None:
            _refuse_other(head, name)
        beginning = head.decode(self._wide or "utf-8", "replace")
        self._line_end = "\r" if "\r" in beginning and "\n" not in beginning else ""
        self.first = beginning.lstrip("\ufeff \t\r\n")[:1]

    def lines(self) -> Iterator[str]:
        """The lines with their ends.

        Raises:
            InputError: `no-list` when there is a line of more than 4 MiB.
            OSError: the file cannot be read.
        """
        self.mixed.clear()
        self._suspects.clear()
        self._utf8 = self._marked
        if self._wide is not None:
            yield from self._wide_lines(self._wide)
        elif self._line_end:
            yield from self._decoded_lines(self._old_mac_lines())
        else:
            with self._path.open("rb") as file:
                yield from self._decoded_lines(iter(lambda: file.readline(MAX_LINE), b""))
        if self._utf8:
            message = "is not UTF-8 as other lines are; read as Windows-1252"
            self.mixed += [RowProblem(f"line {number}", "", message) for number in self._suspects]

    def _old_mac_lines(self) -> Iterator[bytes]:
        # Latin-1 has a character for each byte.
        with self._path.open("r", encoding="latin-1", newline=self._line_end) as file:
            while line := file.readline(MAX_LINE):
                yield line.encode("latin-1")

    def _decoded_lines(self, lines: Iterator[bytes]) -> Iterator[str]:
        for number, line in enumerate(lines, 1):
            self._refuse_long(len(line), number)
            bare = line.removeprefix(codecs.BOM_UTF8) if number == 1 and self._marked else line
            yield self._decoded(bare, number)

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
        number = 0
        with self._path.open("r", encoding=encoding, errors="replace", newline=self._line_end) as file:
            while line := file.readline(MAX_LINE):
                number += 1
                self._refuse_long(len(line), number)
                if _UNREADABLE in line:
                    message = f"has bytes that are no {encoding[:6].upper()}; some of its characters are lost"
                    self.mixed.append(RowProblem(f"line {number}", "", message))
                yield line.removeprefix("\ufeff") if number == 1 else line
        if self._path.stat().st_size % len("\ufeff".encode(encoding)):
            message = "the file ends in the middle of a character; it was cut off, or lost a byte on its way"
            self.mixed.append(RowProblem(f"line {number}", "", message))

    def _refuse_long(self, length: int, number: int) -> None:
        if length >= MAX_LINE:
            raise InputError("no-list", f"{self.name}: line {number} is longer than that of any list", _HINT)


def _refuse_other(head: bytes, name: str) -> None:
    """Refuse what is no text. A zero alone is none of its signs: it is a control character like others."""
    if b"\0" not in head:
        return
    first, second = head[::2], head[1::2]
    few, many = sorted((first.count(0), second.count(0)))
    if few * _ONE_IN < len(second) <= many * 2:
        raise InputError("no-list", f"{name} is UTF-16 without a byte order mark", _HINT)
    controls = len(head) - len(head.translate(None, _CONTROLS))
    if controls * _ONE_IN > len(head):
        raise InputError(
            "no-list", f"{name} is no text: {controls} of its first {len(head)} bytes are control characters", _HINT
        )
