"""What the reports of many servers say together: who is behind, who differs in what, who has been silent."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from repo_manager import names
from repo_manager.audit import State
from repo_manager.fleet.report import SetName

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from repo_manager.fleet.report import Host, Received, Report
    from repo_manager.names import Token


class Condition(StrEnum):
    """How a server stands, gravest first. The first one that holds is the one that counts."""

    # It is expected, and never reported.
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


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the servers should have: the set's name where there is one, and the version of each package.

    `later_roots` are digests of later root metadata of the same set: a server may have begun to trust it with one.
    """

    followed: SetName | None
    packages: Mapping[Token, str]
    later_roots: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Difference:
    """One package that is not as wanted. `wanted` is None for one too many, `found` for one that is not there.

    `state` is what the server's own audit says of it, None where it says nothing.
    """

    package: Token
    wanted: str | None
    found: str | None
    state: State | None


@dataclass(frozen=True, slots=True)
class Server:
    """One server. `behind` counts versions of the set, is negative for one that is ahead, and 0 where unknown."""

    host: Host
    condition: Condition
    received: Received | None = None
    age: timedelta | None = None
    behind: int = 0
    other_set: bool = False
    differences: tuple[Difference, ...] = ()

    @property
    def skew(self) -> timedelta:
        """How far the server's clock is from that of the place that took the report; positive where it is ahead."""
        return self.received.report.at - self.received.at if self.received else timedelta()


@dataclass(frozen=True, slots=True)
class Fleet:
    """All servers, gravest first and then by name."""

    wanted: Wanted
    servers: tuple[Server, ...]

    def count(self, condition: Condition) -> int:
        """How many servers are in that condition."""
        return sum(server.condition is condition for server in self.servers)

    @property
    def healthy(self) -> bool:
        """Whether every server is current."""
        return self.count(Condition.CURRENT) == len(self.servers)

    @property
    def behind(self) -> tuple[Server, ...]:
        """The servers with an older version of the set, also those that are silent or failed."""
        return tuple(server for server in self.servers if server.behind > 0)

    @property
    def differing(self) -> tuple[Server, ...]:
        """The servers with other packages, also those that are behind."""
        return tuple(server for server in self.servers if server.differences or server.other_set)

    @property
    def silent(self) -> tuple[Server, ...]:
        """The servers that nobody has heard of for too long, or ever."""
        return tuple(server for server in self.servers if server.condition in {Condition.SILENT, Condition.UNHEARD})

    @property
    def packages(self) -> tuple[Token, ...]:
        """Every package that is wanted or found anywhere: first the wanted ones in their order."""
        found = (line.package for server in self.servers if server.received for line in server.received.report.packages)
        return tuple(dict.fromkeys((*self.wanted.packages, *found)))


def judge(
    wanted: Wanted,
    received: Iterable[Received],
    *,
    now: datetime,
    silent_after: timedelta,
    expected: Iterable[Host] = (),
) -> Fleet:
    """Hold every server against what is wanted.

    Args:
        wanted: what the leader has, or `consensus` where no leader is known.
        received: at most one per server.
        now: the time of the place that took the reports.
        silent_after: older reports are too old.
        expected: servers that should have reported.
    """
    by_host = {item.report.host: item for item in received}
    heard = [_server(wanted, item, now - item.at, silent_after) for item in by_host.values()]
    unheard = [Server(name, Condition.UNHEARD) for name in dict.fromkeys(expected) if name not in by_host]
    servers = sorted([*heard, *unheard], key=lambda server: (_GRAVITY.index(server.condition), server.host))
    return Fleet(wanted, tuple(servers))


def consensus(received: Iterable[Received]) -> Wanted:
    """What most servers have, where no leader says what they should: the set most of them follow, its newest version.

    Of each package, the version that most of those have which report that version; of two, the newer one.
    """
    reports = [item.report for item in received]
    roots = Counter(report.followed.root for report in reports if report.followed)
    if not roots:
        return Wanted(None, _majority(reports))
    root = max(roots, key=lambda name: (roots[name], name))
    followed = [report.followed for report in reports if report.followed]
    newest = SetName(root, max(name.version for name in followed if name.root == root))
    return Wanted(newest, _majority([report for report in reports if report.followed == newest]))


def _majority(reports: list[Report]) -> Mapping[Token, str]:
    votes: dict[Token, Counter[str]] = {}
    for report in reports:
        for line in report.packages:
            if line.version is not None:
                votes.setdefault(line.package, Counter())[line.version] += 1
    return MappingProxyType({package: _winner(count) for package, count in votes.items()})


def _winner(votes: Counter[str]) -> str:
    return max(votes, key=lambda version: (votes[version], names.parse_version(version)))


def _server(wanted: Wanted, item: Received, age: timedelta, silent_after: timedelta) -> Server:
    report = item.report
    ours, theirs = wanted.followed, report.followed
    other_set = ours is not None and (theirs is None or theirs.root not in {ours.root, *wanted.later_roots})
    behind = ours.version - theirs.version if ours and theirs and not other_set else 0
    differences = _differences(wanted.packages, report)
    if age > silent_after:
        condition = Condition.SILENT
    elif report.failed:
        condition = Condition.FAILED
    elif behind > 0:
        condition = Condition.BEHIND
    elif other_set or behind < 0 or differences:
        condition = Condition.DIFFERS
    else:
        condition = Condition.CURRENT
    return Server(report.host, condition, item, age, behind, other_set, differences)


def _differences(wanted: Mapping[Token, str], report: Report) -> tuple[Difference, ...]:
    lines = {line.package: line for line in report.packages}
    found = []
    for package in dict.fromkeys((*wanted, *lines)):
        line = lines.get(package)
        version, state = (line.version, line.state) if line else (None, None)
        if version != wanted.get(package) or state not in {State.OK, None}:
            found.append(Difference(package, wanted.get(package), version, state))
    return tuple(found)
