"""Remembers that a place takes no reports, so that a run that finds nothing new stays one small request."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from repo_manager.adapters.filesystem.atomic_write import write_whole
from repo_manager.adapters.filesystem.opening import FILE_MODE, read_own
from repo_manager.adapters.filesystem.paths import SUBFOLDER, reachable, refuse_elsewhere
from repo_manager.core import fleet, strict_json
from repo_manager.core.errors import RepoManagerError

if TYPE_CHECKING:
    from pathlib import Path

KEPT: Final = timedelta(days=1)
"""How long a place is not asked again."""

_SCHEMA: Final = "repo-manager/reporting/1"


@dataclass(frozen=True, slots=True)
class Question:
    """Who asks whom. Another server, or the same with other credentials, asks another question.

    `identity` tells these credentials from others, and does not hold them.
    """

    place: str
    host: str
    identity: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """By which code a place has refused, and when."""

    code: str
    at: datetime


class Refusals:
    """The memory of one repository. It is a help and no more: what cannot be read or written is left out."""

    def __init__(self, repository: Path) -> None:
        self._repository = reachable(repository)
        self._path = self._repository / SUBFOLDER / "reporting.json"

    def of(self, question: Question, now: datetime) -> Refusal | None:
        """How a question was refused of late; None where it was not, or that is long ago."""
        try:
            known: Any = strict_json.loads(read_own(self._path))
            since = fleet.moment(known["at"])
            asked = Question(known["place"], known["host"], known["identity"])
            if known["schema"] == _SCHEMA and asked == question and since <= now < since + KEPT:
                return Refusal(str(known["code"]), since)
        except (OSError, RepoManagerError, ValueError, KeyError, TypeError):
            pass
        return None

    def remember(self, question: Question, code: str, now: datetime) -> None:
        """It was refused."""
        facts = {**asdict(question), "code": code, "at": fleet.stamp(now)}
        text = json.dumps({"schema": _SCHEMA, **facts}, indent=1)
        try:
            refuse_elsewhere(self._path.parent, self._repository)
            write_whole(self._path, f"{text}\n", newline="\n", mode=FILE_MODE)
        except (OSError, RepoManagerError):
            pass
