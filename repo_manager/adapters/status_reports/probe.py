"""Looks at servers' repositories, and at what their leader has published."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from repo_manager.adapters.filesystem.os_errors import disk_error
from repo_manager.adapters.filesystem.paths import reachable, shown
from repo_manager.adapters.filesystem.scan import scan
from repo_manager.adapters.status_reports.parallel import Task, at_once
from repo_manager.adapters.tuf.signed_set import ABSENT, NO_NEWER_ROOT, TIMESTAMP, TIMESTAMP_LIMIT, digest_of
from repo_manager.adapters.tuf.trust_store import TrustStore
from repo_manager.core import fleet, repository
from repo_manager.core.address import Folder, parse
from repo_manager.core.audit.findings import PackageStatus
from repo_manager.core.errors import MachineError, RepoManagerError, TransferError
from repo_manager.core.fleet import ProbeResult, ReportedPackage, SetName, WantedPackages
from repo_manager.core.redaction import shown as shown_address

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from repo_manager.adapters.installers.inspect import Checker
    from repo_manager.adapters.storage import Storage
    from repo_manager.core.address import Address
    from repo_manager.core.audit.findings import FileVerdict
    from repo_manager.core.fleet import ExpectedServer, PublishedSet
    from repo_manager.core.repository import Listing

AT_ONCE: Final = 16
"""So many servers are looked at at a time."""


@dataclass(frozen=True, slots=True)
class ProbeContext:
    """How to look: opens a depot, makes what knows and reads installers, and whether every byte is read."""

    depot: Callable[[Address], Storage]
    checker: Callable[[Path], Checker]
    deep: bool = False


def look_at(
    servers: Sequence[ExpectedServer],
    sight: ProbeContext,
    patience_s: float,
    told: Callable[[int], None] = lambda _: None,
) -> tuple[ProbeResult, ...]:
    """Look at all servers that say where their repository is, several at a time.

    Raises nothing that the tool says on purpose: what kept us from looking at one is in its look.

    Args:
        servers: in the order of the answer.
        sight: how.
        patience_s: a server that gives nothing for so long is given up.
        told: is told how many were looked at by now.
    """
    tasks = [_task(item, item.repository, sight) for item in servers if item.repository]
    found = at_once(tasks, most=AT_ONCE, patience_s=patience_s, told=told)
    there = [item for item in servers if item.repository]
    return tuple(
        look
        or ProbeResult(
            item.host,
            error="no-answer",
            why=f"{shown_address(item.repository or '')}: nothing came within {patience_s:g} s",
        )
        for item, look in zip(there, found, strict=True)
    )


def _task(item: ExpectedServer, place: str, sight: ProbeContext) -> Task[ProbeResult]:
    def look(alive: Callable[[], None]) -> ProbeResult:
        try:
            return _look(item, place, sight, alive)
        except RepoManagerError as error:
            return ProbeResult(item.host, error=error.code, why=" ".join(error.message.split()))
        except OSError as error:
            refusal = disk_error(error, Path(place))
            return ProbeResult(item.host, error=refusal.code, why=refusal.message)

    return look


def _look(item: ExpectedServer, text: str, sight: ProbeContext, alive: Callable[[], None]) -> ProbeResult:
    place = parse(text)
    if isinstance(place, Folder):
        return _folder(item, reachable(Path(place.path)), sight, alive)
    depot = sight.depot(place)
    try:
        found = published(depot)
    finally:
        depot.close()
    lines = tuple(ReportedPackage(token, PackageStatus.OK, version) for token, version in found.packages.items())
    return ProbeResult(item.host, lines, found.name)


def _folder(item: ExpectedServer, path: Path, sight: ProbeContext, alive: Callable[[], None]) -> ProbeResult:
    listing = repository.survey(shown(path), scan(path))
    alive()
    verdicts = _verdicts(listing, sight.checker(path), alive, deep=sight.deep)
    return ProbeResult(item.host, fleet.present(listing, verdicts), _followed(path))


def _followed(path: Path) -> SetName | None:
    """The set that the repository followed last, where its memory can be read."""
    try:
        memory = TrustStore(path).load()
    except MachineError:
        return None
    return SetName(memory.found.root, memory.found.version) if memory else None


def _verdicts(
    listing: Listing, checker: Checker, alive: Callable[[], None], *, deep: bool
) -> Mapping[str, FileVerdict]:
    if deep:
        checker.forget(listing.files)
    verdicts: Mapping[str, FileVerdict] = checker.known(listing)
    if deep:
        # One by one, by this very thread: others would be waited for when the process ends.
        for file in listing.installers:
            verdicts = checker.read(listing, (file,), lambda _count: alive())
            alive()
    return verdicts


# The leader


@dataclass(frozen=True, slots=True)
class PublishedState:
    """What a leader has published, and whether that was verified by its signatures."""

    wanted: WantedPackages
    verified: bool


def lead(depot: Storage, trust: str | None, now: datetime) -> PublishedState:
    """What the servers should have. Verified where a fingerprint is given, and else taken as it lies there.

    Raises:
        RepoManagerError: there is no set, or it is not signed by whom the fingerprint names.
    """
    if trust is None:
        found = published(depot)
        return PublishedState(WantedPackages(found.name, found.packages, found.later_roots), verified=False)
    from repo_manager.adapters.tuf.keys import require_trust
    from repo_manager.adapters.tuf.verified_set import TrustAnchor, follow

    require_trust()
    # Whether its time is over is a matter of those who follow it.
    followed = follow(depot, None, anchor=TrustAnchor(digest_of(trust)), accept_expired=True, now=now)
    members = sorted((member.name.token, str(member.name.version)) for member in followed.found.members)
    name = SetName(followed.found.root, followed.found.version)
    return PublishedState(
        WantedPackages(name, dict(members), frozenset(followed.memory.anchors) - {name.root}), verified=True
    )


def published(depot: Storage) -> PublishedSet:
    """What the set in a depot says of itself. Nothing is verified.

    Raises:
        RepoManagerError: there is none, or it cannot be read or understood.
    """
    try:
        blob = depot.read(TIMESTAMP, limit_bytes=TIMESTAMP_LIMIT)
    except TransferError as error:
        if error.code not in ABSENT:
            raise
        raise TransferError("no-signed-set", f"{depot.name} holds no signed set", "check the address") from error
    return fleet.published(blob.data if blob else b"", lambda name, limit: _metadata(depot, name, limit))


def _metadata(depot: Storage, name: str, limit: int) -> bytes | None:
    later_root = name.endswith(".root.json") and name != "1.root.json"
    try:
        blob = depot.read(f"metadata/{name}", limit_bytes=limit)
    except TransferError as error:
        if error.code in (NO_NEWER_ROOT if later_root else ABSENT):
            return None
        raise
    return blob.data if blob else None
