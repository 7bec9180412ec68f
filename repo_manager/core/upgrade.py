"""From one release to another -> the steps in between, and what to place at each.

Evidence: the article on service updates of 2019-07-31. The newest release and the four before it are supported. A jump
of more than four minor versions goes in steps of at most four, as 9.16, 9.20, 9.24. The order is configuration server,
scale-out process servers, agents. A reboot is advised after each upgrade of an agent, and required once the release is
more than four ahead of the one at the last reboot.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from repo_manager.core import names
from repo_manager.core.catalog import ForClassic, ReleaseStatus
from repo_manager.core.errors import InputError
from repo_manager.core.names import Release
from repo_manager.core.selection import LATEST, Request, choose_release, select

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from packaging.version import Version

    from repo_manager.core.catalog import Catalog, ReleaseFacts
    from repo_manager.core.names import Token
    from repo_manager.core.repository import Listing


class UpgradePart(StrEnum):
    """What is brought to a release, in this order."""

    CONFIGURATION_SERVER = "configuration-server"
    PROCESS_SERVERS = "process-servers"
    # In the modernized experience it is both.
    APPLIANCE = "appliance"
    PACKAGES = "packages"
    AGENTS = "agents"


@dataclass(frozen=True, slots=True)
class ServerPosition:
    """Where one server of a fleet stands, by the packages it has; `oldest` is the release of the oldest of them.

    Both are None where nobody knows what it has.
    """

    host: str
    role: str | None
    release: Release | None
    oldest: Release | None


@dataclass(frozen=True, slots=True)
class StartingPoint:
    """Where somebody stands: the oldest release among the servers, and among the agents that machines have.

    `present` are all releases that were named or found, and `builds` the four-part versions among what was named.
    `fleet` has the servers one by one, where it was made of those; `configuration` and `processes` are then the oldest
    release among those of either role. They are None where nobody knows them, and the oldest of all counts.
    """

    servers: Release
    agents: Release
    present: tuple[Release, ...] = ()
    builds: tuple[Version, ...] = ()
    fleet: tuple[ServerPosition, ...] = ()
    configuration: Release | None = None
    processes: Release | None = None

    @property
    def oldest(self) -> Release:
        """Where the way begins."""
        return min(self.servers, self.agents)


@dataclass(frozen=True, slots=True)
class PackageToPlace:
    """One package to place at a step. `file` and `url` are None where the catalog has no link.

    `manual` says that servers of this release may come without it.
    """

    token: Token
    manual: bool
    file: str | None
    url: str | None


@dataclass(frozen=True, slots=True)
class UpgradeStep:
    """One release on the way.

    `ahead` is how many minor versions it is ahead of the step before, None where the major version changes. `too_far`
    says that this is more than the rule allows, because no release in between may be a step; `between` are then those
    that the rule alone would take. `doubtful` says that pages contradict each other on its use for classic servers, and
    that this matters here. `parts` are what is older than this release, in order. `packages` are in catalog order.
    """

    facts: ReleaseFacts
    ahead: int | None
    too_far: bool
    between: tuple[Release, ...]
    doubtful: bool
    parts: tuple[UpgradePart, ...]
    packages: tuple[PackageToPlace, ...]

    @property
    def release(self) -> Release:
        """Which release it is."""
        return self.facts.release

    @property
    def linked(self) -> bool:
        """Whether the catalog knows where its installers can be had."""
        return bool(self.facts.links)


@dataclass(frozen=True, slots=True)
class SkippedRelease:
    """A release that should not be installed, and why, gravest first."""

    release: Release
    why: tuple[ReleaseStatus, ...]


@dataclass(frozen=True, slots=True)
class Advice:
    """The whole answer. `steps` is empty where nothing is older than `target`.

    `here` is what speaks against the releases that are there, `left_out` those on the way that may not be a step; both
    oldest first.
    """

    start: StartingPoint
    target: Release
    classic: bool
    here: tuple[SkippedRelease, ...]
    steps: tuple[UpgradeStep, ...]
    left_out: tuple[SkippedRelease, ...]
    notes: tuple[str, ...]

    @property
    def backwards(self) -> bool:
        """Whether all that is there is newer than the target, where no step leads."""
        return self.target < self.start.oldest


def named(texts: Iterable[str], server: Release | None, catalog: Catalog) -> StartingPoint:
    """Where somebody says to stand: releases such as `9.60`, or versions of four parts as other screens show them.

    Args:
        texts: what was said, at least one.
        server: the servers' own release, where the configuration says it.
        catalog: what releases there are.

    Raises:
        InputError: one is no release, or nobody published it.
    """
    builds = []
    releases = []
    for text in texts:
        build = names.parse_version(text.strip()) if text.count(".") > 1 else None
        release = Release(build.major, build.minor) if build else Release.parse(text.strip())
        if catalog.facts(release) is None:
            first, last = catalog.releases[0].release, catalog.releases[-1].release
            hint = f"say the release you have; the catalog knows those from {first} to {last}"
            raise InputError("unknown-release", f"nobody published a release {release}", hint)
        releases.append(release)
        builds += [build] if build else []
    oldest = min(releases)
    return StartingPoint(server or oldest, oldest, tuple(sorted(set(releases))), tuple(builds))


def standpoint(listing: Listing | None, catalog: Catalog, server: Release | None) -> StartingPoint:
    """Where a repository stands, as far as its installers tell: machines may have what the oldest package is.

    Args:
        listing: what lies in it, None where there is none.
        catalog: what packages there are.
        server: the server's own release, where somebody has said it.

    Raises:
        InputError: it has no installer.
    """
    by_token = listing.by_token.items() if listing else ()
    present = [found[0][0].release for token, found in by_token if catalog.known(token)]
    if not present:
        raise InputError(
            "nothing-to-advise",
            "there is no installer that tells the release you have",
            "say it with --from 9.60, as often as you have releases",
        )
    return StartingPoint(server or max(present), min(present), tuple(sorted(set(present))))


def stand(
    host: str, role: str | None, packages: Iterable[tuple[Token, str | None]], catalog: Catalog
) -> ServerPosition:
    """Where one server stands, by the version that it has of each package; None where it has none of it."""
    versions = [names.parse_version(version) for token, version in packages if version and catalog.known(token)]
    releases = [Release(version.major, version.minor) for version in versions]
    return ServerPosition(host, role, max(releases, default=None), min(releases, default=None))


def of_fleet(stands: Iterable[ServerPosition]) -> StartingPoint:
    """Where the servers of a fleet stand together; machines may have what the oldest of their packages is.

    Raises:
        InputError: of no server it is known what it has.
    """
    fleet = tuple(sorted(stands, key=lambda one: one.host))
    releases = [one.release for one in fleet if one.release is not None]
    oldest = [one.oldest for one in fleet if one.oldest is not None]
    if not releases:
        raise InputError(
            "nothing-to-advise",
            f"of {len(fleet)} servers none tells which packages it has",
            "run 'repo-manager fleet audit' to see why, or say the releases you have with --from",
        )
    return StartingPoint(
        min(releases),
        min(oldest),
        tuple(sorted({*releases, *oldest})),
        fleet=fleet,
        configuration=_oldest(fleet, UpgradePart.CONFIGURATION_SERVER),
        processes=_oldest(fleet, UpgradePart.PROCESS_SERVERS),
    )


def _oldest(fleet: tuple[ServerPosition, ...], part: UpgradePart) -> Release | None:
    """Among the servers of that role; None where there is none, or one of them does not tell."""
    configuration = UpgradePart.CONFIGURATION_SERVER
    found = [one.release for one in fleet if (one.role == configuration.value) == (part is configuration)]
    known = [release for release in found if release is not None]
    return min(known) if known and len(known) == len(found) else None


def choose_target(wanted: str, catalog: Catalog, *, classic: bool) -> Release:
    """Turn `latest` or `9.66` into the release to go to. The latest is the newest that fits and has links.

    Raises:
        InputError: nobody published it, or it should not be installed; or there is none that fits.
    """
    if wanted.strip().lower() == LATEST:
        fitting = [facts for facts in catalog.releases if not _against(facts.release, catalog, classic=classic)]
        if not fitting:
            raise InputError(
                "unfit-release",
                "the catalog has no release that should be installed here",
                "check --catalog and --profile",
            )
        return max(facts.release for facts in [item for item in fitting if item.links] or fitting)
    # `auto` would be where one stands already.
    target = choose_release(wanted, None, catalog)
    against = _against(target, catalog, classic=classic)
    if against:
        raise InputError(
            "unfit-release",
            f"release {target} should not be installed here: {', '.join(_WORDS[reason] for reason in against)}",
            "choose another with --to, or leave it out for the newest that fits",
        )
    return target


def advise(start: StartingPoint, target: Release, request: Request, catalog: Catalog) -> Advice:
    """Say how to get from where somebody stands to a release that fits.

    That way is taken which breaks the rule least often; then the one that leads least often over a release that is
    doubtful and has no links, because servers may find no setup of it; then the shortest; then the one with the most
    links; then the one that gets ahead soonest.

    Args:
        start: where somebody stands.
        target: what `choose_target` said.
        request: which packages are wanted; its release does not count.
        catalog: what there is.

    Raises:
        InputError: a package is unknown.
    """
    on_the_way = [facts for facts in catalog.releases if start.oldest < facts.release <= target]
    against = {facts.release: _against(facts.release, catalog, classic=request.classic) for facts in on_the_way}
    fitting = tuple(facts for facts in on_the_way if not against[facts.release])
    way = _shortest(start.oldest, fitting, catalog.support_window, classic=request.classic)
    befores = (start.oldest, *(facts.release for facts in way))
    return Advice(
        start,
        target,
        request.classic,
        tuple(_here(start, catalog, classic=request.classic)),
        tuple(_step(before, facts, start, request, catalog) for before, facts in zip(befores, way, strict=False)),
        tuple(SkippedRelease(release, why) for release, why in against.items() if why),
        tuple(_notes(start, way, request, catalog.modernized_assumed_since)),
    )


# What speaks against a release, gravest first.
_AGAINST: Final = (
    ReleaseStatus.WITHDRAWN,
    ReleaseStatus.VULNERABLE,
    ReleaseStatus.NOT_FOR_CLASSIC,
    ReleaseStatus.CLASSIC_ONLY,
)
_WORDS: Final = {
    ReleaseStatus.WITHDRAWN: "it was withdrawn",
    ReleaseStatus.VULNERABLE: "its servers carry the vulnerabilities of July 2022",
    ReleaseStatus.NOT_FOR_CLASSIC: "it was never for classic servers",
    ReleaseStatus.CLASSIC_ONLY: "it is for classic servers alone",
}


def _against(release: Release, catalog: Catalog, *, classic: bool) -> tuple[ReleaseStatus, ...]:
    other = ReleaseStatus.CLASSIC_ONLY if classic else ReleaseStatus.NOT_FOR_CLASSIC
    standing = catalog.standing(release)
    return tuple(reason for reason in _AGAINST if reason in standing and reason is not other)


def _here(start: StartingPoint, catalog: Catalog, *, classic: bool) -> Iterator[SkippedRelease]:
    old_builds = {Release(build.major, build.minor) for build in start.builds if build < catalog.vulnerable_below}
    for release in sorted({start.servers, start.agents, *start.present}):
        against = {*_against(release, catalog, classic=classic)}
        against |= {ReleaseStatus.VULNERABLE} if release in old_builds else set()
        against |= catalog.standing(release) & {ReleaseStatus.UNSUPPORTED}
        if why := tuple(reason for reason in (*_AGAINST, ReleaseStatus.UNSUPPORTED) if reason in against):
            yield SkippedRelease(release, why)


def _ahead(before: Release, after: Release) -> int | None:
    """How many minor versions; None over a change of the major version, where nobody says how they are counted."""
    return after.minor - before.minor if after.major == before.major else None


def _within(before: Release, after: Release, window: int) -> bool:
    ahead = _ahead(before, after)
    return ahead is not None and ahead <= window


_Cost = tuple[int, int, int, int]
"""Steps that are too far, doubtful steps without links, steps, steps without links."""


def _doubtful(facts: ReleaseFacts, *, classic: bool) -> bool:
    return classic and facts.for_classic is ForClassic.UNCLEAR


def _shortest(
    start: Release, fitting: tuple[ReleaseFacts, ...], window: int, *, classic: bool
) -> tuple[ReleaseFacts, ...]:
    """The best way from `start` to the last of `fitting`, which are oldest first; empty where there are none."""
    best: dict[Release, tuple[_Cost, tuple[ReleaseFacts, ...]]] = {}
    befores = (start, *(facts.release for facts in fitting))
    for place in reversed(range(len(befores))):
        before, later = befores[place], fitting[place:]
        # Where no release is near enough, the next one is the least evil.
        near = [facts for facts in later if _within(before, facts.release, window)]
        best[before] = min(
            (_joined(before, facts, best[facts.release], window, classic=classic) for facts in near or later[:1]),
            key=lambda way: (way[0], tuple((-facts.release.major, -facts.release.minor) for facts in way[1])),
            default=((0, 0, 0, 0), ()),
        )
    return best[start][1]


def _joined(
    before: Release, facts: ReleaseFacts, rest: tuple[_Cost, tuple[ReleaseFacts, ...]], window: int, *, classic: bool
) -> tuple[_Cost, tuple[ReleaseFacts, ...]]:
    too_far, doubtful, steps, unlinked = rest[0]
    cost = (
        too_far + (not _within(before, facts.release, window)),
        doubtful + (_doubtful(facts, classic=classic) and not facts.links),
        steps + 1,
        unlinked + (not facts.links),
    )
    return cost, (facts, *rest[1])


def _step(
    before: Release, facts: ReleaseFacts, start: StartingPoint, request: Request, catalog: Catalog
) -> UpgradeStep:
    release = facts.release
    too_far = not _within(before, release, catalog.support_window)
    between = _by_rule(before, release, catalog, classic=request.classic) if too_far else ()
    servers = tuple(part for part, oldest in _servers(start, classic=request.classic) if oldest < release)
    agents = (UpgradePart.AGENTS,) if start.agents < release else ()
    packages = tuple(_packages(release, request, catalog))
    return UpgradeStep(
        facts,
        _ahead(before, release),
        too_far,
        between,
        _doubtful(facts, classic=request.classic),
        (*servers, UpgradePart.PACKAGES, *agents),
        packages,
    )


def _servers(start: StartingPoint, *, classic: bool) -> tuple[tuple[UpgradePart, Release], ...]:
    if not classic:
        return ((UpgradePart.APPLIANCE, start.servers),)
    configuration, processes = start.configuration or start.servers, start.processes or start.servers
    return ((UpgradePart.CONFIGURATION_SERVER, configuration), (UpgradePart.PROCESS_SERVERS, processes))


def _by_rule(before: Release, after: Release, catalog: Catalog, *, classic: bool) -> tuple[Release, ...]:
    """The releases the rule would take in between if it did not matter that they are vulnerable.

    Empty where the catalog does not know enough of them.
    """
    known = [facts.release for facts in catalog.releases if before < facts.release < after]
    sound = [release for release in known if _against(release, catalog, classic=classic) == (ReleaseStatus.VULNERABLE,)]
    return _hops(before, after, sound, catalog.support_window)


def _hops(before: Release, after: Release, known: list[Release], window: int) -> tuple[Release, ...]:
    """Each time the furthest that is within reach; empty where that leads nowhere."""
    hops: list[Release] = []
    while not _within(before, after, window):
        reached = [release for release in known if release > before and _within(before, release, window)]
        if not reached:
            return ()
        before = max(reached)
        hops.append(before)
    return tuple(hops)


def _packages(release: Release, request: Request, catalog: Catalog) -> Iterator[PackageToPlace]:
    asked = Request(
        str(release), request.packages, request.require, classic=request.classic, manual_only=request.manual_only
    )
    selection = select(asked, None, catalog)
    for token in selection.tokens:
        target = selection.targets.get(token)
        yield PackageToPlace(
            token,
            catalog.manual(token, release),
            target.name.text if target else None,
            target.sources[0] if target else None,
        )


def _notes(
    start: StartingPoint, way: Iterable[ReleaseFacts], request: Request, assumed: Release | None
) -> Iterator[str]:
    releases = [facts.release for facts in way]
    if not releases:
        return
    if any(release > start.agents for release in releases):
        yield (
            "Reboot a machine after each upgrade of its agent. It is advised each time, and required once the release "
            "is more than four ahead of the one at the last reboot."
        )
    if request.classic and assumed is not None and start.agents < assumed <= releases[-1]:
        yield (
            f"From {assumed} on an installer that is started by hand assumes the modernized "
            "experience, unless it is told CSLegacy: 'repo-manager show PACKAGE' prints the commands."
        )
    if request.classic:
        yield (
            "Microsoft retired the classic experience on 2026-03-30, and no new classic replication can be begun since "
            "2026-01-31."
        )
