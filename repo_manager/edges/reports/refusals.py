"""Remembers that a place takes no reports, so that a run that finds nothing new stays one small request."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from repo_manager import fleet
from repo_manager.edges.disk.paths import SUBFOLDER, reachable, refuse_elsewhere
from repo_manager.edges.disk.writing import write_whole
from repo_manager.errors import InputError, RepoManagerError

if TYPE_CHECKING:
    from pathlib import Path

KEPT: Final = timedelta(days=1)
"""How long a place is not asked again."""

_SCHEMA: Final = "repo-manager/reporting/1"
_LIMIT_BYTES: Final = 16 * 1024


class Refusals:
    """The memory of one repository. It is a help and no more: what cannot be read or written is left out."""

    def __init__(self, repository: Path) -> None:
        self._repository = reachable(repository)
        self._path = self._repository / SUBFOLDER / "reporting.json"

    def of(self, place: str, now: datetime) -> str | None:
        """The code by which a place has refused of late; None where it has not, or that is long ago."""
        try:
            with self._path.open("rb") as file:
                known: Any = fleet.loads(file.read(_LIMIT_BYTES))
            since = fleet.moment(known["at"])
            if known["schema"] == _SCHEMA and known["place"] == place and since <= now < since + KEPT:
                return str(known["code"])
        except (OSError, InputError, KeyError, TypeError):
            pass
        return None

    def remember(self, place: str, code: str, now: datetime) -> None:
        """A place has refused."""
        text = json.dumps({"schema": _SCHEMA, "place": place, "code": code, "at": fleet.stamp(now)}, indent=1)
        try:
            refuse_elsewhere(self._path.parent, self._repository)
            write_whole(self._path, f"{text}\n", newline="\n")
        except (OSError, RepoManagerError):
            pass
