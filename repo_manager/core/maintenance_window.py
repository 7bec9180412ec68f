"""Maintenance windows: the hours in which a service may be restarted."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from repo_manager.core.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import time

_SHAPE: Final = re.compile(r"([0-9]{1,2}):([0-9]{2})-([0-9]{1,2}):([0-9]{2})", re.ASCII)
_HOUR: Final = 60
_DAY: Final = 24 * _HOUR


@dataclass(frozen=True, slots=True)
class Window:
    """A span of every day, in minutes after midnight, local time. One that closes before it opens passes midnight."""

    opens: int
    closes: int

    def __str__(self) -> str:
        return f"{_clock(self.opens)}-{_clock(self.closes)}"

    def opens_in(self, second: int) -> int:
        """How long it takes from a second of the day until the window is open, in seconds; 0 while it is open."""
        opens, closes = self.opens * 60, self.closes * 60
        inside = opens <= second < closes if opens < closes else second >= opens or second < closes
        return 0 if inside else (opens - second) % (_DAY * 60)


def parse(text: str) -> Window:
    """A window as people write it: `22:00-05:00`.

    Raises:
        InputError: it is none; the message says what is wrong.
    """
    found = _SHAPE.fullmatch(text.strip())
    if found is None:
        raise _refused(text, "is not of the form HH:MM-HH:MM")
    opens, closes = (_minute(text, *found.group(first, first + 1)) for first in (1, 3))
    if opens == closes:
        raise _refused(text, "opens and closes at the same time")
    return Window(opens % _DAY, closes)


def opens_in(windows: Iterable[Window], local: time) -> int:
    """How long it takes until the next of the windows is open, in seconds; 0 while one is, or where there is none."""
    second = (local.hour * 60 + local.minute) * 60 + local.second
    return min((window.opens_in(second) for window in windows), default=0)


def _minute(text: str, hours: str, minutes: str) -> int:
    minute = int(hours) * _HOUR + int(minutes)
    if int(minutes) >= _HOUR or minute > _DAY:
        raise _refused(text, f"cannot be: {hours}:{minutes} is no time of the day")
    return minute


def _refused(text: str, why: str) -> InputError:
    return InputError("bad-window", f"the window {text[:40]!r} {why}", "write it as in 22:00-05:00, in local time")


def _clock(minute: int) -> str:
    return f"{minute // _HOUR:02}:{minute % _HOUR:02}"
