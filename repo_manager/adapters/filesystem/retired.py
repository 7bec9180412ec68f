"""The retired area in words: transactions by their sortable identity, and which of their files have stayed long enough.

What lies where is `folder`'s to know; nothing here touches the disk.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from repo_manager.core import names
from repo_manager.core.names import InvalidNameError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from repo_manager.core.names import Token

REASONS: Final = "reasons.txt"
"""The file beside the retired ones that says why they lie there. The tool itself never reads it."""

_NUMBERED: Final = re.compile("([0-8][0-9]{7}T[0-9]{6}Z)-([0-9a-f]{4})(?:-undone)?")
_SECOND: Final = "%Y%m%dT%H%M%SZ"
_LAST_NUMBER: Final = 0xFFFF


@dataclass(frozen=True, slots=True)
class Retired:
    """A file in the retired area."""

    transaction: str
    name: str
    size_bytes: int

    @property
    def path(self) -> str:
        """Where it lies below the sub-folder."""
        return f"retired/{self.transaction}/{self.name}"


def timestamp(now: datetime) -> str:
    """The sortable beginning of a transaction's identity, in UTC."""
    return now.astimezone(UTC).strftime(_SECOND)


def is_identity(name: str) -> bool:
    """Whether a name is a transaction's identity, or that of an undone one."""
    found = _NUMBERED.fullmatch(name)
    if found is None:
        return False
    try:
        datetime.strptime(found[1], _SECOND).replace(tzinfo=UTC)
    except ValueError:
        return False
    return True


def next_identity(second: str, taken: Iterable[str]) -> str:
    """A name for a transaction of this second, behind all that are taken, even where the clock was put back.

    Then it is the next one of the newest second that is taken. What is no identity does not count.
    """
    newest = max((name.removesuffix("-undone") for name in taken if is_identity(name)), default="")
    if newest < second:
        return f"{second}-0000"
    latest, _, number = newest.partition("-")
    if int(number, 16) < _LAST_NUMBER:
        return f"{latest}-{int(number, 16) + 1:04x}"
    following = datetime.strptime(latest, _SECOND).replace(tzinfo=UTC) + timedelta(seconds=1)
    return f"{timestamp(following)}-0000"


def reasons_text(identity: str, command: str, now: datetime, reasons: Mapping[str, str]) -> str:
    """What the file of the reasons says: by whom, when, why, and how to have the files back."""
    when = now.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    lines = [
        f"Moved out of the repository by 'repo-manager {command}' on {when}.",
        f"To put all of it back: repo-manager restore {identity}",
        "",
        *(f"{name}: {' '.join(reason.split())}" for name, reason in sorted(reasons.items())),
    ]
    # Linux allows names that are no text at all.
    return "".join(f"{line}\n" for line in lines).encode("utf-8", "backslashreplace").decode("utf-8")


def surplus(files: Sequence[Retired], *, keep: int, days: int, now: datetime) -> tuple[Retired, ...]:
    """Which retired files are too many or too old.

    Of every package the `keep` newest retired builds stay, for stepwise upgrades; files of no package
    stay for so many `days`. The last transaction is never touched, so that it can be undone.
    """
    last = max((file.transaction for file in files), default="")
    oldest = timestamp(now - timedelta(days=days))
    seen: dict[Token | None, int] = {}
    gone = []
    for file in sorted(files, key=_order, reverse=True):
        token = names.token_of(file.name)
        seen[token] = seen.get(token, 0) + 1
        too_much = seen[token] > keep if token else file.transaction < oldest
        if too_much and file.transaction != last:
            gone.append(file)
    return tuple(gone)


def _order(file: Retired) -> tuple[str, tuple[object, ...]]:
    """Newest last: by transaction, and what one transaction retired by build."""
    try:
        return file.transaction, names.parse(file.name).order
    except InvalidNameError:
        return file.transaction, ()
