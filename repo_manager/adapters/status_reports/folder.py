"""The reports of servers, a file each."""

from __future__ import annotations

import json
import os
import re
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from repo_manager.adapters.filesystem.atomic_write import write_whole
from repo_manager.adapters.filesystem.opening import FILE_MODE, make_folders
from repo_manager.adapters.filesystem.paths import inside, is_link, reachable
from repo_manager.core import fleet
from repo_manager.core.errors import InputError, MachineError

if TYPE_CHECKING:
    from repo_manager.core.fleet import Received

FOLDER: Final = "reports"
"""The folder of the reports below a place."""

SERVERS_MOST: Final = 20_000
"""No more servers are taken in, so that a lost token does not fill the disk."""

_NAME: Final = re.compile(r"report-[a-z0-9][a-z0-9._-]*\.json", re.ASCII)

# A report, and around it when it came and who brought it, both with the spaces that we write.
_LIMIT_BYTES: Final = 2 * fleet.LIMIT_BYTES


@dataclass(frozen=True, slots=True)
class ReportsInFolder:
    """All reports, by server's name, and the names of files that hold none."""

    received: tuple[Received, ...]
    unreadable: tuple[str, ...] = ()


class ReportsFolder:
    """Keeps the last report of each server. Safe to use from several threads."""

    def __init__(self, path: Path) -> None:
        self._path = reachable(path)
        self._lock = threading.Lock()
        self._seen: dict[str, tuple[tuple[int, int], Received | None]] = {}

    def prepare(self) -> None:
        """Make the folder, where there is none.

        Raises:
            InputError: it cannot be made.
        """
        try:
            make_folders(self._path)
        except OSError as error:
            raise InputError("no-reports-folder", f"{self._path}: {error.strerror}", "check --reports") from error

    def keep(self, received: Received, by: str) -> None:
        """Keep a report in the place of the one before.

        Raises:
            MachineError: the disk refused, or there are too many servers.
        """
        name = fleet.file_name(received.report.host)
        path = inside(self._path, name)
        with self._lock:
            try:
                if not path.exists() and len(self._names()) >= SERVERS_MOST:
                    raise MachineError(
                        "too-many-servers", f"{SERVERS_MOST} servers have reported", "delete the reports of those gone"
                    )
                text = json.dumps(fleet.kept(received, by), indent=1) + "\n"
                write_whole(path, text, newline="\n", mode=FILE_MODE)
            except OSError as error:
                raise MachineError(
                    "not-kept", f"the report cannot be written: {error.strerror}", "look at the disk"
                ) from error

    def gather(self) -> ReportsInFolder:
        """Read all; a file that has not changed is not read again.

        Raises:
            MachineError: the folder cannot be read.
        """
        with self._lock:
            try:
                seen = {name: self._look(name) for name in self._names()}
            except OSError as error:
                raise MachineError(
                    "no-reports", f"the reports cannot be read: {error.strerror}", "look at the folder"
                ) from error
            self._seen = {name: found for name, found in seen.items() if found is not None}
        known = [(name, received) for name, (_, received) in sorted(self._seen.items())]
        return ReportsInFolder(
            tuple(received for _, received in known if received is not None),
            tuple(name for name, received in known if received is None),
        )

    def _names(self) -> list[str]:
        with os.scandir(self._path) as entries:
            found = [entry.name for entry in entries if _NAME.fullmatch(entry.name)]
        return sorted(found)[:SERVERS_MOST]

    def _look(self, name: str) -> tuple[tuple[int, int], Received | None] | None:
        path = inside(self._path, name)
        try:
            status = path.lstat()
            mark = (status.st_mtime_ns, status.st_size)
            before = self._seen.get(name)
            if before is not None and before[0] == mark:
                return before
            if is_link(status) or not path.is_file() or status.st_size > _LIMIT_BYTES:
                return mark, None
            data = path.read_bytes()
        except FileNotFoundError:
            return None
        return mark, _taken(data, datetime.fromtimestamp(status.st_mtime, UTC), name)


def _taken(data: bytes, came: datetime, name: str) -> Received | None:
    try:
        received = fleet.take(data, came)
    except InputError:
        return None
    return received if fleet.file_name(received.report.host) == name else None
