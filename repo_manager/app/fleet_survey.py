"""What many servers report, and what a look at their repositories shows."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Final, Protocol

from repo_manager.core import fleet as fleets
from repo_manager.core.errors import MachineError, RepoManagerError, TransferError

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

    from repo_manager.adapters.installers.inspect import Checker
    from repo_manager.adapters.status_reports.collect import CollectedReports
    from repo_manager.adapters.status_reports.probe import PublishedState
    from repo_manager.adapters.storage import Storage
    from repo_manager.core.address import Address
    from repo_manager.core.fleet import ExpectedServer, ProbeResult

SILENT_AFTER: Final = timedelta(hours=48)
"""A server that has not reported for so long is silent, where no other time is given."""

TIME_LIMIT_S: Final = 30
"""How long to wait for a server or place that gives nothing, where no other time is given."""


class Counter(Protocol):
    """Shows how many of many things are done."""

    def counting(self, what: str, total: int) -> Callable[[int], None]:
        """Begin; what is returned is called with the number that is done."""

    def finished(self) -> None:
        """All are done."""


@dataclass
class FleetSurvey:
    """What is known of many servers. What cannot be read at all is added to `problems`, and the rest is read.

    Attributes:
        servers: those that should exist, empty where no file names them.
        open_storage: opens the place of a set or of reports; each place is closed again.
        cache: the folder of what is remembered of files.
        patience_s: how long to wait for one server.
        progress: shows how many servers were looked at.
        at: the time of the survey.
    """

    servers: tuple[ExpectedServer, ...]
    open_storage: Callable[[Address], Storage]
    cache: Path
    patience_s: float
    progress: Counter
    at: datetime
    deep: bool = False
    leader: PublishedState | None = None
    gathered: CollectedReports | None = None
    looks: tuple[ProbeResult, ...] = ()
    problems: list[RepoManagerError] = field(default_factory=list)

    def lead(self, place: Address | None, trust: str | None) -> None:
        """What the servers should have."""
        if place is None:
            return
        from repo_manager.adapters.status_reports.parallel import at_once
        from repo_manager.adapters.status_reports.probe import lead

        depot = self.open_storage(place)
        try:
            (self.leader,) = at_once([lambda _alive: lead(depot, trust, self.at)], most=1, patience_s=self.patience_s)
            if self.leader is None:
                self.problems.append(TransferError("stalled", f"{place}: nothing came for too long", "look at it"))
        except (TransferError, fleets.SetUnreadableError) as error:
            self.problems.append(error)
        finally:
            depot.close()

    def gather(self, place: Address | None, *, asked: bool) -> None:
        """Read the reports of the servers.

        A place that takes no reports is a problem where the operator named it (`asked`).
        """
        if place is None:
            return
        from repo_manager.adapters.status_reports.collect import NoReportsError, gather

        try:
            self.gathered = gather(place, self.open_storage, self.at, self.patience_s)
        except RepoManagerError as error:
            if not self._looked_at:
                raise
            if asked or not isinstance(error, NoReportsError):
                self.problems.append(error)

    def look(self) -> None:
        """What is seen of the servers."""
        if not self._looked_at:
            return
        from repo_manager.adapters.status_reports.probe import ProbeContext, look_at

        sight = ProbeContext(self.open_storage, self._checker, self.deep)
        count = sum(server.repository is not None for server in self.servers)
        try:
            self.looks = look_at(
                self.servers, sight, self.patience_s, self.progress.counting("looking at servers", count)
            )
        finally:
            self.progress.finished()

    @property
    def _looked_at(self) -> bool:
        return any(server.repository for server in self.servers)

    def _checker(self, path: Path) -> Checker:
        from repo_manager.adapters.filesystem.digests import Digests
        from repo_manager.adapters.filesystem.repository_folder import Folder
        from repo_manager.adapters.installers.inspect import Checker

        try:
            records = Folder(path).records()
        except MachineError:
            # What is known of files helps, and names can be seen without.
            records = {}
        # Without signatures: what is expected of them is set for this machine, and not for others.
        return Checker(path.joinpath, Digests(self.cache, path), records)

    def judged(self, silent_after: timedelta) -> fleets.Fleet:
        """How the servers stand."""
        received = self.gathered.received if self.gathered else ()
        wanted = self.leader.wanted if self.leader else fleets.consensus(received, self.looks)
        now = self.gathered.at if self.gathered else self.at
        return fleets.judge(
            wanted, received, now=now, silent_after=silent_after, expected=self.servers, looks=self.looks
        )
