"""What the reports of many servers say together: who is behind, who differs in what, who has been silent."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from repo_manager.core import names
from repo_manager.core.audit.findings import PackageStatus
from repo_manager.core.fleet.expected import ExpectedServer
from repo_manager.core.fleet.report import SetName

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from repo_manager.core.fleet.expected import ServerRole
    from repo_manager.core.fleet.probe import ProbeResult
    from repo_manager.core.fleet.report import Host, Received, Report, ReportedPackage
    from repo_manager.core.names import Token


class Condition(StrEnum):
    """How a server stands, gravest first. The first one that holds is the one that counts."""

    # It is expected, never reported, and was not seen.
    UNHEARD = "unheard"
    # Its last report is too old.
    SILENT = "silent"
    # Its last run did not reach its goal.
    FAILED = "failed"
    # It has other packages than it should have, or follows another set.
    DIFFERS = "differs"
    # It has an older version of the set.
    BEHIND = "behind"
    CURRENT = "current"


_GRAVITY: Final = tuple(Condition)

# It failed, or it is not known how it stands.
_BROKEN: Final = frozenset({Condition.UNHEARD, Condition.SILENT, Condition.FAILED})

WAITS: Final = "window-closed"
"""The code of a run that has something to do and waits for its hours."""


@dataclass(frozen=True, slots=True)
class WantedPackages:
    """What the servers should have: the set's name where there is one, and the version of each package.

    `later_roots` are digests of later root metadata of the same set: a server may have begun to trust it with one.
    """

    followed: SetName | None
    packages: Mapping[Token, str]
    later_roots: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class PackageDifference:
    """One package that is not as wanted. `wanted` is None for one too many, `found` for one that is not there.

    `state` is what the server's own audit says of it, None where it says nothing.
    """

    package: Token
    wanted: str | None
    found: str | None
    state: PackageStatus | None


@dataclass(frozen=True, slots=True)
class ServerStatus:
    """One server: what it reported, and what was seen of it by us.

    `behind` counts versions of the set, is negative for one that is ahead, and 0 where unknown. `look` is None where
    nobody looked. `role` is None where no inventory says it; `listed` is false where there is an inventory that does
    not know the server.
    """

    host: Host
    condition: Condition
    received: Received | None = None
    age: timedelta | None = None
    behind: int = 0
    other_set: bool = False
    differences: tuple[PackageDifference, ...] = ()
    look: ProbeResult | None = None
    role: ServerRole | None = None
    listed: bool = True

    @property
    def packages(self) -> tuple[ReportedPackage, ...]:
        """What it has: as we saw it, or else as it reported."""
        return _packages(self.received, self.look)

    @property
    def followed(self) -> SetName | None:
        """The set that it follows: as we saw it, or else as it reported."""
        return _followed(self.received, self.look)

    @property
    def unseen(self) -> str | None:
        """The code of what kept us from looking at it; None where we looked, or did not want to."""
        return self.look.error if self.look else None

    @property
    def skew(self) -> timedelta:
        """How far the server's clock is from that of the place that took the report; positive where it is ahead."""
        return self.received.report.at - self.received.at if self.received else timedelta()


@dataclass(frozen=True, slots=True)
class Fleet:
    """All servers, gravest first and then by name."""

    wanted: WantedPackages
    servers: tuple[ServerStatus, ...]

    def count(self, condition: Condition) -> int:
        """How many servers are in that condition."""
        return sum(server.condition is condition for server in self.servers)

    @property
    def healthy(self) -> bool:
        """Whether every server that is expected is current, and none of them could not be looked at."""
        return all(server.condition is Condition.CURRENT and not server.unseen for server in self._counting)

    @property
    def broken(self) -> bool:
        """Whether of some server that is expected it is not known how it stands, or its last run failed."""
        return any(server.condition in _BROKEN or server.unseen for server in self._counting)

    @property
    def _counting(self) -> tuple[ServerStatus, ...]:
        return tuple(server for server in self.servers if server.listed)

    @property
    def behind(self) -> tuple[ServerStatus, ...]:
        """The servers with an older version of the set, also those that are silent or failed."""
        return tuple(server for server in self.servers if server.behind > 0)

    @property
    def differing(self) -> tuple[ServerStatus, ...]:
        """The servers with other packages, also those that are behind."""
        return tuple(server for server in self.servers if server.differences or server.other_set)

    @property
    def silent(self) -> tuple[ServerStatus, ...]:
        """The servers that nobody has heard of for too long, or ever."""
        return tuple(server for server in self.servers if server.condition in {Condition.SILENT, Condition.UNHEARD})

    @property
    def unseen(self) -> tuple[ServerStatus, ...]:
        """The servers that could not be looked at."""
        return tuple(server for server in self.servers if server.unseen)

    @property
    def unlisted(self) -> tuple[ServerStatus, ...]:
        """The servers that report and are not in the inventory."""
        return tuple(server for server in self.servers if not server.listed)

    @property
    def packages(self) -> tuple[Token, ...]:
        """Every package that is wanted or found anywhere: first the wanted ones in their order."""
        found = (line.package for server in self.servers for line in server.packages)
        return tuple(dict.fromkeys((*self.wanted.packages, *found)))


def judge(  # noqa: PLR0913 - what is known of a fleet, part by part
    wanted: WantedPackages,
    received: Iterable[Received],
    *,
    now: datetime,
    silent_after: timedelta,
    expected: Iterable[Host | ExpectedServer] = (),
    looks: Iterable[ProbeResult] = (),
) -> Fleet:
    """Hold every server against what is wanted.

    Of a server that both reported and was looked at, what was seen counts for its packages, and the report for
    whether its last run went well and how long ago that was.

    Args:
        wanted: what the leader has, or `consensus` where no leader is known.
        received: at most one per server.
        now: the time of the place that took the reports.
        silent_after: older reports are too old.
        expected: the servers that there should be, by name or as an inventory has them. Empty where nobody knows.
        looks: at most one per server.
    """
    reports = {item.report.host: item for item in received}
    seen = {look.host: look for look in looks}
    known = [item if isinstance(item, ExpectedServer) else ExpectedServer(item) for item in expected]
    listed = {item.host: item for item in reversed(known)}
    judgement = _Judgement(wanted, now, silent_after)
    servers = [
        replace(
            judgement.of(name, reports.get(name), seen.get(name)),
            role=listed[name].role if name in listed else None,
            listed=name in listed or not listed,
        )
        for name in dict.fromkeys((*listed, *reports, *seen))
    ]
    return Fleet(wanted, tuple(sorted(servers, key=lambda server: (_GRAVITY.index(server.condition), server.host))))


def consensus(received: Iterable[Received], looks: Iterable[ProbeResult] = ()) -> WantedPackages:
    """What most servers have, where no leader says what they should: the set most of them follow, its newest version.

    Of each package, the version that most of those have which have that version of the set; of two, the newer one.
    """
    reports, seen = {item.report.host: item for item in received}, {look.host: look for look in looks}
    pairs = [(reports.get(name), seen.get(name)) for name in dict.fromkeys((*reports, *seen))]
    votes = [(_followed(*pair), _packages(*pair)) for pair in pairs]
    roots = Counter(followed.root for followed, _ in votes if followed)
    if not roots:
        return WantedPackages(None, _majority(packages for _, packages in votes))
    root = max(roots, key=lambda name: (roots[name], name))
    newest = SetName(root, max(found.version for found, _ in votes if found and found.root == root))
    return WantedPackages(newest, _majority(packages for followed, packages in votes if followed == newest))


def _packages(received: Received | None, look: ProbeResult | None) -> tuple[ReportedPackage, ...]:
    if look is not None and look.error is None:
        return look.packages
    return received.report.packages if received else ()


def _followed(received: Received | None, look: ProbeResult | None) -> SetName | None:
    if look is not None and look.followed is not None:
        return look.followed
    return received.report.followed if received else None


def _majority(voters: Iterable[tuple[ReportedPackage, ...]]) -> Mapping[Token, str]:
    votes: dict[Token, Counter[str]] = {}
    for lines in voters:
        for line in lines:
            if line.version is not None:
                votes.setdefault(line.package, Counter())[line.version] += 1
    return MappingProxyType({package: _winner(count) for package, count in votes.items()})


def _winner(votes: Counter[str]) -> str:
    return max(votes, key=lambda version: (votes[version], names.parse_version(version)))


@dataclass(frozen=True, slots=True)
class _Judgement:
    wanted: WantedPackages
    now: datetime
    silent_after: timedelta

    def of(self, name: Host, received: Received | None, look: ProbeResult | None) -> ServerStatus:
        seen = look is not None and look.error is None
        if received is None and not seen:
            return ServerStatus(name, Condition.UNHEARD, look=look)
        ours, theirs = self.wanted.followed, _followed(received, look)
        other_set = ours is not None and self._is_other(ours, theirs, reported=received is not None)
        behind = ours.version - theirs.version if ours and theirs and not other_set else 0
        differences = _differences(self.wanted.packages, _packages(received, look))
        age = self.now - received.at if received else None
        if age is not None and age > self.silent_after:
            condition = Condition.SILENT
        elif received is not None and _went_wrong(received.report):
            condition = Condition.FAILED
        elif behind > 0:
            condition = Condition.BEHIND
        elif other_set or behind < 0 or differences:
            condition = Condition.DIFFERS
        else:
            condition = Condition.CURRENT
        return ServerStatus(name, condition, received, age, behind, other_set, differences, look)

    def _is_other(self, ours: SetName, theirs: SetName | None, *, reported: bool) -> bool:
        if theirs is None:
            # A repository that was only looked at may be filled in another way, such as the leader's own.
            return reported
        return theirs.root not in {ours.root, *self.wanted.later_roots}


def _went_wrong(report: Report) -> bool:
    """Whether the run failed. One that found something to do outside its hours has not: it differs until then."""
    return report.failed and report.error != WAITS


def _differences(wanted: Mapping[Token, str], packages: tuple[ReportedPackage, ...]) -> tuple[PackageDifference, ...]:
    lines = {line.package: line for line in packages}
    found = []
    for package in dict.fromkeys((*wanted, *lines)):
        line = lines.get(package)
        version, state = (line.version, line.state) if line else (None, None)
        if version != wanted.get(package) or state not in {PackageStatus.OK, None}:
            found.append(PackageDifference(package, wanted.get(package), version, state))
    return tuple(found)
