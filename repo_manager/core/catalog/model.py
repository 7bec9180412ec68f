"""The catalog as a value: packages, releases, links, and what follows from them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, Final

from repo_manager.core.catalog import strict_yaml
from repo_manager.core.errors import InputError
from repo_manager.core.names import Release, Token
from repo_manager.core.systems.support import Family

if TYPE_CHECKING:
    from collections.abc import Mapping

    from packaging.version import Version

    from repo_manager.core.names import InstallerName
    from repo_manager.core.systems.support import Serves, Support


class ForClassic(StrEnum):
    """Whether a release is meant for classic servers, those with a push-install repository."""

    YES = "yes"
    NO = "no"
    ONLY = "only"
    WITHDRAWN = "withdrawn"
    UNCLEAR = "unclear"


class ReleaseStatus(StrEnum):
    """What to know of a release before it is installed."""

    WITHDRAWN = "withdrawn"
    """It was published for classic servers and withdrawn."""

    NOT_FOR_CLASSIC = "not-for-classic"
    CLASSIC_ONLY = "classic-only"

    VULNERABLE = "vulnerable"
    """Servers of this release carry the vulnerabilities published in July 2022."""

    UNSUPPORTED = "unsupported"
    """Older than the window of supported releases."""

    N4_BASE = "n-4-base"
    """The oldest release that is still supported."""


@dataclass(frozen=True, slots=True)
class Manual:
    """From which release on a package must be placed by hand. `since` is None where no page says."""

    since: Release | None
    evidence: tuple[str, ...]
    note: str


@dataclass(frozen=True, slots=True)
class Package:
    """What is known of one operating-system token.

    `serves` decides which systems it is for; `systems` describes them for people. `since` is the first
    release known to have it, which may have come earlier; None when no page ties it to a release.
    `modernized_only` says that the modernized experience alone supports all of its systems. `bundled`
    holds the releases whose server setup is known to lay it down, and may be empty. `publisher` is who
    signs its installers, the common name in the signer's certificate; None where no page says.
    """

    token: Token
    systems: tuple[str, ...]
    extension: str
    manual: Manual | None
    since: Release | None
    modernized_only: bool
    scout_only: bool
    bundled: tuple[Release, ...]
    evidence: tuple[str, ...]
    note: str
    serves: tuple[Serves, ...] = ()
    publisher: str | None = None

    @property
    def family(self) -> Family:
        """The family of its systems, which its installers' names tell."""
        return Family.WINDOWS if self.extension == ".exe" else Family.LINUX


@dataclass(frozen=True, slots=True)
class Link:
    """Where one installer of one release can be had. `sha256` is in lower-case hex."""

    token: Token
    release: Release
    name: InstallerName
    url: str
    mirrors: tuple[str, ...] = ()
    sha256: str | None = None
    size_bytes: int | None = None

    @property
    def sources(self) -> tuple[str, ...]:
        """All addresses, the official one first."""
        return (self.url, *self.mirrors)


@dataclass(frozen=True, slots=True)
class ReleaseFacts:
    """What is known of one release.

    `rollups` are in the order of publication and may be empty; `support` maps a rollup to its page
    where one is known; `builds` are sorted; `published` is a month such as `2025-10`, or empty;
    `links` are in catalog order and may be empty.
    """

    release: Release
    rollups: tuple[str, ...]
    builds: tuple[Version, ...]
    published: str
    for_classic: ForClassic
    links: Mapping[Token, Link]
    support: Mapping[str, str]
    evidence: tuple[str, ...]
    note: str


# Not slotted: the look-up tables below are made when first asked for and kept.
@dataclass(frozen=True)
class Catalog:
    """The whole of it. `packages` are in the order of the text, `releases` oldest first.

    `aliases` are other spellings of a package seen in public, `look_alikes` the names that other
    products use; a look-alike without a package maps to None. `legacy` maps the tokens of older
    lines to a word about them. From release `modernized_assumed_since` on an installer that is started by
    hand assumes the modernized experience. `support` is empty in a catalog of edition 1: see `completed_by`.
    """

    packages: Mapping[Token, Package]
    releases: tuple[ReleaseFacts, ...]
    hosts: frozenset[str]
    aliases: Mapping[str, Token]
    look_alikes: Mapping[str, Token | None]
    legacy: Mapping[str, str]
    sources: Mapping[str, str]
    unplaced_rollups: Mapping[str, str]
    vulnerable_below: Version
    support_window: int
    support: Support
    modernized_assumed_since: Release | None
    edition: int

    def completed_by(self, own: Catalog) -> Catalog:
        """This catalog, with what an older edition has no place for taken from the tool's own catalog."""
        if self.edition >= own.edition:
            return self
        return replace(self, support=own.support, modernized_assumed_since=own.modernized_assumed_since)

    @cached_property
    def latest(self) -> Release:
        """The newest release that has links."""
        return max(facts.release for facts in self.releases if facts.links)

    @cached_property
    def oldest_supported(self) -> Release:
        """The newest release with links, less `support_window` of the known releases before it."""
        known = [facts.release for facts in self.releases if facts.release <= self.latest]
        return known[-min(len(known), self.support_window + 1)]

    def facts(self, release: Release) -> ReleaseFacts | None:
        """What is known of a release; None when nothing is."""
        return self._by_release.get(release)

    def links(self, release: Release) -> tuple[Link, ...]:
        """The links of a release in catalog order; empty when none is known."""
        facts = self.facts(release)
        return tuple(facts.links.values()) if facts else ()

    def known(self, token: str) -> bool:
        """Whether a package of exactly this token is in the catalog."""
        return token in self.packages

    def nearest(self, text: str) -> Token | None:
        """The package that `text` was probably meant to be: by alias first, then by spelling.

        None when nothing is near, and for names that are known to belong to something else.
        """
        folded = text.strip().casefold()
        if folded in self._known_names:
            return self._known_names[folded]
        near = strict_yaml.nearest(folded, self.packages)
        return Token(near) if near else None

    def require(self, text: str) -> Package:
        """The package of a token written in any case.

        Raises:
            InputError: there is none; the hint names the nearest.
        """
        folded = text.strip().casefold()
        token = self._by_folded.get(folded)
        if token is not None:
            return self.packages[token]
        near = self.nearest(text)
        legacy = {token.casefold(): note for token, note in self.legacy.items()}.get(folded)
        message = f"the catalog has no package {text[:80]!r}" + (f" ({legacy})" if legacy else "")
        hint = f"did you mean {near}?" if near else "run 'repo-manager catalog show' for the packages there are"
        raise InputError("unknown-package", message, hint)

    def manual(self, token: Token, release: Release) -> bool:
        """Whether this package must be placed by hand at this release.

        A package whose first such release is unclear counts as one at every release: looking once
        too often is harmless, a missing installer is not.
        """
        package = self.packages.get(token)
        if package is None or package.manual is None:
            return False
        return package.manual.since is None or release >= package.manual.since

    def standing(self, release: Release) -> frozenset[ReleaseStatus]:
        """What speaks against a release, or is special about it; empty for a sound one."""
        facts = self.facts(release)
        found = {_STANDING_OF[facts.for_classic]} if facts and facts.for_classic in _STANDING_OF else set()
        if self._vulnerable(release, facts):
            found.add(ReleaseStatus.VULNERABLE)
        if release < self.oldest_supported:
            found.add(ReleaseStatus.UNSUPPORTED)
        elif release == self.oldest_supported:
            found.add(ReleaseStatus.N4_BASE)
        return frozenset(found)

    def _vulnerable(self, release: Release, facts: ReleaseFacts | None) -> bool:
        bound = Release(self.vulnerable_below.major, self.vulnerable_below.minor)
        if release != bound:
            return release < bound
        builds = facts.builds if facts else ()
        return bool(builds) and all(build < self.vulnerable_below for build in builds)

    @cached_property
    def _by_release(self) -> dict[Release, ReleaseFacts]:
        return {facts.release: facts for facts in self.releases}

    @cached_property
    def _by_folded(self) -> dict[str, Token]:
        return {token.casefold(): token for token in self.packages}

    @cached_property
    def _known_names(self) -> dict[str, Token | None]:
        """Every name the catalog can place, the surest last so that it wins."""
        names: dict[str, Token | None] = {token.casefold(): None for token in self.legacy}
        for others in (self.look_alikes, self.aliases):
            names.update((other.casefold(), token) for other, token in others.items())
        names.update(self._by_folded)
        return names


_STANDING_OF: Final = {
    ForClassic.WITHDRAWN: ReleaseStatus.WITHDRAWN,
    ForClassic.NO: ReleaseStatus.NOT_FOR_CLASSIC,
    ForClassic.ONLY: ReleaseStatus.CLASSIC_ONLY,
}
