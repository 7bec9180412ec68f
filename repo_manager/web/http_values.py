"""What the headers of a request ask for, as values. No network here.

Evidence: RFC 9110, sections 8.8, 13 and 14.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from typing import Final

_RANGE: Final = re.compile(r"bytes=([0-9]{0,19})-([0-9]{0,19})", re.ASCII)
_TAG: Final = re.compile(r'(?:W/)?("[\x21\x23-\x7e]*")')


@dataclass(frozen=True, slots=True)
class Span:
    """Bytes from `start` up to, and without, `stop`."""

    start: int
    stop: int

    @property
    def size(self) -> int:
        """How many bytes."""
        return self.stop - self.start


@dataclass(frozen=True, slots=True)
class Validators:
    """What tells one state of a file from another. `modified` is in whole seconds since the epoch."""

    etag: str
    modified: int

    @property
    def date(self) -> str:
        """The time of the last change as a header has it."""
        return format_datetime(datetime.fromtimestamp(self.modified, UTC), usegmt=True)


UNSATISFIABLE: Final = Span(-1, -1)
"""The range that was asked for begins behind the end of the file."""


def asked_span(header: str | None, size: int) -> Span | None:
    """The bytes that a `Range` asks for. None where it asks for none that we serve: then the whole file is due.

    Only one range is served. A client that asks for several must be able to take all.
    """
    found = _RANGE.fullmatch(header.strip()) if header else None
    if found is None or found[0] == "bytes=-":
        return None
    first, last = found.groups()
    if not first:
        return Span(max(size - int(last), 0), size) if int(last) and size else UNSATISFIABLE
    start, stop = int(first), min(int(last) + 1, size) if last else size
    if last and int(last) < start:
        return None
    return Span(start, stop) if start < size else UNSATISFIABLE


def not_modified(validators: Validators, *, if_none_match: str | None, if_modified_since: str | None) -> bool:
    """Whether the client has this state already. A tag beats a date."""
    if if_none_match is not None:
        return if_none_match.strip() == "*" or validators.etag in _TAG.findall(if_none_match)
    since = _seconds(if_modified_since)
    return since is not None and validators.modified <= since


def range_holds(validators: Validators, if_range: str | None) -> bool:
    """Whether the bytes the client already has are of this state, so that a range may be sent."""
    if if_range is None:
        return True
    return if_range.strip() in {validators.etag, validators.date}


def _seconds(header: str | None) -> float | None:
    if not header:
        return None
    try:
        at = parsedate_to_datetime(header)
        return at.replace(tzinfo=at.tzinfo or UTC).timestamp()
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
