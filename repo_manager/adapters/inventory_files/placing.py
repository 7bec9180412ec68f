"""Says where cells are in a sheet whose writer left it out: each then stands beside the one before it.

What is written in an odd way is let through as it is; whoever looks at the sheet next refuses it.
"""

from __future__ import annotations

import re
from itertools import chain
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_CELL: Final = re.compile(rb"<(?:\w+:)?c[\s/>](?:[^<>]*>)?")
_TAG: Final = re.compile(rb'(<(?:\w+:)?(?:(row)|c))((?: [\w:]+="[^"<>]*")*)(?=\s?/?>)')
_PLACE: Final = re.compile(rb' r="([A-Z]{0,3})([0-9]{1,7})"')

# What stands before the first cell, and a tag, are not longer.
_LONGEST: Final = 64 << 10


def placed(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """The pieces of a sheet, with the place of each cell in it where its first cell has none."""
    begin = b""
    first = None
    for piece in pieces:
        begin += piece
        first = _CELL.search(begin)
        if len(begin) > _LONGEST or (first and first[0].endswith(b">")):
            break
    if first is None or b' r="' in first[0]:
        yield begin
        yield from pieces
        return
    placer = _Placer()
    rest = b""
    for piece in chain((begin,), pieces):
        data = rest + piece
        end = data.rfind(b">") + 1
        if len(data) - end > _LONGEST:
            end = len(data)
        yield _TAG.sub(placer.tag, data[:end])
        rest = data[end:]
    yield rest


class _Placer:
    """Knows where the last cell was."""

    def __init__(self) -> None:
        self._row = 0
        self._column = 0

    def tag(self, match: re.Match[bytes]) -> bytes:
        """The beginning of a row or of a cell, the latter with its place."""
        begin, row, attributes = match.groups()
        place = _PLACE.search(attributes)
        if row:
            self._row = int(place[2]) if place else self._row + 1
            self._column = 0
            return match[0]
        if place:
            self._column = number(place[1])
            return match[0]
        self._column += 1
        return b'%b r="%b%d"%b' % (begin, letters(self._column), self._row, attributes)


def number(column: bytes) -> int:
    """`A` is 1, `AA` is 27."""
    count = 0
    for letter in column:
        count = count * 26 + letter - 64
    return count


def letters(column: int) -> bytes:
    """1 is `A`, 27 is `AA`."""
    text = b""
    while column:
        column, rest = divmod(column - 1, 26)
        text = bytes((65 + rest,)) + text
    return text
