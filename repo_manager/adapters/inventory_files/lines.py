"""Lines with a memory of the record under way, so that a record that cannot be read can be read in another way."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

# A note in an export may have some lines; one of hundreds is a quote that nobody closed.
MAX_RECORD_LINES: Final = 300


class UnclosedError(Exception):
    """A record that does not end."""


class Lines:
    """Iterates over lines. `record` has those of the record under way, `first` is the number of its first one."""

    def __init__(self, source: Iterator[str]) -> None:
        self.record: list[str] = []
        self.first = 1
        self._source = source
        self._waiting: deque[str] = deque()
        self._number = 0

    def __iter__(self) -> Lines:
        return self

    def __next__(self) -> str:
        if len(self.record) >= MAX_RECORD_LINES:
            raise UnclosedError
        line = self._waiting.popleft() if self._waiting else next(self._source)
        self._number += 1
        self.record.append(line)
        return line

    @property
    def last(self) -> int:
        """The number of the last line that was read."""
        return self._number

    def begin_record(self) -> None:
        """What comes next is another record."""
        self.record.clear()
        self.first = self._number + 1

    def back_to_second(self) -> None:
        """Give the lines of a record that cannot be read once more, without its first."""
        again = self.record[1:]
        self._waiting.extendleft(reversed(again))
        self._number -= len(again)
