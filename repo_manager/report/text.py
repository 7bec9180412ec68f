"""Plain text for people: aligned tables, sizes, ages, names made safe to print."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date, datetime, timedelta

_UNITS: Final = ("B", "KB", "MB", "GB", "TB")
_STEP: Final = 1000


def safe(text: str) -> str:
    """The text with everything that could move the cursor, turn the reading direction or fail to encode escaped."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        character
        if character.isprintable() and not "\ud800" <= character <= "\udfff"
        else character.encode("unicode_escape", "surrogatepass").decode("ascii")
        for character in text
    )


def size(size_bytes: int | None) -> str:
    """`115.6 MB`; a dash for an unknown size."""
    if size_bytes is None:
        return "-"
    amount = float(size_bytes)
    power = 0
    while amount >= _STEP and power < len(_UNITS) - 1:
        amount /= _STEP
        power += 1
    return f"{amount:.{min(power, 1)}f} {_UNITS[power]}"


def age(then: date, today: date) -> str:
    """`3 d`, `5 mon`, `2 y`: how long ago, in the unit that says it best."""
    days = (today - then).days
    if days < 60:  # noqa: PLR2004 - two months
        return f"{max(days, 0)} d"
    if days < 730:  # noqa: PLR2004 - two years
        return f"{days // 30} mon"
    return f"{days // 365} y"


def span(length: timedelta) -> str:
    """`5 min`, `3 h`, `4 d`: how long, in the unit that says it best."""
    minutes = max(int(length.total_seconds()) // 60, 0)
    if minutes < 60:  # noqa: PLR2004 - an hour
        return f"{minutes} min"
    if minutes < 48 * 60:
        return f"{minutes // 60} h"
    return f"{minutes // (24 * 60)} d"


def readings(times: Sequence[datetime | None]) -> str:
    """What an audit that reads nothing knows of the installers' bytes, and from when."""
    known = sorted(time for time in times if time is not None)
    if not known:
        return f"names and sizes were looked at; {plural(len(times), 'installer')} not read: --deep reads them"
    unread = len(times) - len(known)
    earlier = f"{plural(len(known), 'installer')} read earlier, the first on {known[0]:%Y-%m-%d}"
    words = f"names and sizes were looked at; {earlier}"
    return words + (f", {unread} not read: --deep reads them" if unread else "")


def table(headings: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[int] = ()) -> str:
    """Columns two spaces apart, as wide as their widest cell. `right` names the columns to align right."""
    lines = [tuple(headings), *(tuple(safe(cell) for cell in row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(headings))]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def paragraph(text: str, width: int, *, first: str = "", rest: str = "") -> str:
    """Text wrapped to `width`, words kept whole even when they are longer."""
    return textwrap.fill(
        safe(text),
        width,
        initial_indent=first,
        subsequent_indent=rest,
        break_long_words=False,
        break_on_hyphens=False,
    )


def plural(count: int, word: str) -> str:
    """`1 error`, `2 errors`."""
    return f"{count} {word}" if count == 1 else f"{count} {word}s"
