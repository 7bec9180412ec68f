"""Reads the reports of servers where they lie: behind `serve`, in an object store, or in a folder.

Whatever lies there was written by others: sizes are bounded, and what holds no report is named and passed over.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final

from repo_manager.adapters.status_reports.folder import FOLDER, SERVERS_MOST, ReportsFolder
from repo_manager.adapters.status_reports.parallel import Task, at_once
from repo_manager.adapters.storage.credentials import TOKEN_VARIABLE
from repo_manager.core import fleet
from repo_manager.core.address import Folder, Web
from repo_manager.core.errors import InputError, RepoManagerError, TransferError, VerificationError

if TYPE_CHECKING:
    from datetime import datetime

    from repo_manager.adapters.storage import Storage
    from repo_manager.adapters.storage.object_store import ObjectStorage
    from repo_manager.core.address import Address
    from repo_manager.core.fleet import Received

Opener = Callable[["Address"], "Storage"]

# Twenty thousand reports of fifty packages each.
_ANSWER_MOST: Final = 128 << 20
_KEPT_MOST: Final = 2 * fleet.LIMIT_BYTES
_AT_ONCE: Final = 16
_PATH: Final = re.compile(rf"{FOLDER}/report-[a-z0-9][a-z0-9._-]*\.json", re.ASCII)


class NoReportsError(TransferError):
    """The place takes no reports."""


@dataclass(frozen=True, slots=True)
class CollectedReports:
    """All reports, the time at the place they were read from, and the names of files that hold none."""

    at: datetime
    received: tuple[Received, ...] = ()
    unreadable: tuple[str, ...] = ()


def gather(place: Address, open_at: Opener, now: datetime, patience_s: float) -> CollectedReports:
    """Read all reports.

    Args:
        place: what followers report to, or the folder in which `serve` keeps reports.
        open_at: opens a depot.
        now: this machine's time, which counts where the place says none.
        patience_s: how long the place may give nothing.

    Raises:
        RepoManagerError: the place cannot be read.
    """

    def read(alive: Callable[[], None]) -> CollectedReports:
        if isinstance(place, Web):
            return _asked(place, open_at)
        if isinstance(place, Folder):
            return _looked_up(place, now)
        return _listed(place, open_at, now, alive, patience_s / 2)

    (found,) = at_once([read], most=1, patience_s=patience_s)
    if found is None:
        raise TransferError("stalled", f"{place}: nothing came for too long", "look at the network and the server")
    return found


def _asked(place: Web, open_at: Opener) -> CollectedReports:
    """All in one answer of `serve`."""
    depot = open_at(place)
    try:
        blob = depot.read(FOLDER, limit_bytes=_ANSWER_MOST)
    except TransferError as error:
        raise _refused(error, place) from error
    finally:
        depot.close()
    try:
        return CollectedReports(*fleet.all_of(blob.data if blob else b""))
    except InputError as error:
        raise NoReportsError("no-reports-there", f"{place}: {error.message}", _HINT) from error


def _listed(
    place: Address, open_at: Opener, now: datetime, alive: Callable[[], None], patience_s: float
) -> CollectedReports:
    """An object each. One that does not come in time is named with those that hold no report."""
    from repo_manager.adapters.storage.object_store import ObjectStorage

    depot = open_at(place)
    if not isinstance(depot, ObjectStorage):
        raise TypeError(depot)
    try:
        named = (item for item in depot.dated(FOLDER) if _PATH.fullmatch(item[0]))
        listed = sorted(islice(named, SERVERS_MOST))
        alive()
        tasks = [_reader(depot, path, size, came, alive) for path, size, came in listed]
        found = at_once(tasks, most=_AT_ONCE, patience_s=patience_s)
    finally:
        depot.close()
    lost = [path.removeprefix(f"{FOLDER}/") for (path, _, _), item in zip(listed, found, strict=True) if item is None]
    return CollectedReports(now, tuple(item for item in found if item is not None), tuple(lost))


def _reader(
    depot: ObjectStorage, path: str, size: int, came: datetime, alive: Callable[[], None]
) -> Task[Received | None]:
    def read(_alive: Callable[[], None]) -> Received | None:
        if size > _KEPT_MOST:
            return None
        try:
            blob = depot.read(path, limit_bytes=_KEPT_MOST)
            received = fleet.take(blob.data if blob else b"", came)
        except (InputError, VerificationError):
            return None
        except TransferError as error:
            if error.code != "not-at-source":
                raise
            return None
        alive()
        return received if path == f"{FOLDER}/{fleet.file_name(received.report.host)}" else None

    return read


def _looked_up(place: Folder, now: datetime) -> CollectedReports:
    """A file each: below the folder of a set, or in the folder that `serve` keeps."""
    base = Path(place.path)
    if not base.is_dir():
        raise TransferError("source-went-away", f"{place}: the folder is not there", "make sure that it is reachable")
    below = base / FOLDER
    gathered = ReportsFolder(below if below.is_dir() else base).gather()
    return CollectedReports(now, gathered.received, gathered.unreadable)


_HINT: Final = "name a place that takes reports: what serve listens on, a folder, az://container/path, s3://bucket/path"


def _refused(error: TransferError, place: Address) -> RepoManagerError:
    if error.code == "access-denied":
        return TransferError(
            "access-denied",
            f"{place}: the server does not let this token see the reports",
            f"put a token of the role read into {TOKEN_VARIABLE}",
        )
    if error.code in {"not-at-source", "not-found"}:
        return NoReportsError("no-reports-there", f"{place}: this place takes no reports", _HINT)
    return error
