"""Which release and which packages are wanted."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from repo_manager.core.errors import InputError
from repo_manager.core.names import Release

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from repo_manager.core.catalog import Catalog, Link
    from repo_manager.core.names import InstallerName, Token
    from repo_manager.core.repository import Listing

AUTO: Final = "auto"
LATEST: Final = "latest"
ALL: Final = "all"


@dataclass(frozen=True, slots=True)
class Request:
    """What the operator asked for.

    `release` is `auto`, `latest` or a release such as `9.66`; `packages` holds tokens or `all` and
    is empty when nothing was asked for; `require` is the configuration's list and counts when
    `packages` is empty; `classic` says which experience the servers run.
    """

    release: str = AUTO
    packages: tuple[str, ...] = ()
    require: tuple[str, ...] = ()
    classic: bool = True
    manual_only: bool = False


@dataclass(frozen=True, slots=True)
class Target:
    """The installer wanted of one package: its published name and where it can come from, in order.

    `sources` may be empty when only the audit needs the target.
    """

    token: Token
    name: InstallerName
    sources: tuple[str, ...]
    sha256: str | None = None
    size_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Selection:
    """What is wanted: one release and its packages, in catalog order, at most one each.

    `targets` lacks a package for which nobody published a link. `limited` says that the operator
    named packages, so that the others are none of this run's business.
    """

    release: Release
    tokens: tuple[Token, ...]
    targets: Mapping[Token, Target]
    limited: bool = False

    @property
    def unavailable(self) -> tuple[Token, ...]:
        """The wanted packages that no link is known for."""
        return tuple(token for token in self.tokens if token not in self.targets)


def select(request: Request, listing: Listing | None, catalog: Catalog) -> Selection:
    """Decide what is wanted of a repository. `listing` is None where there is no repository yet.

    Raises:
        InputError: the release or a package is unknown.
    """
    release = choose_release(request.release, listing, catalog)
    tokens = _choose_packages(request, release, catalog)
    targets = {link.token: _target(link) for link in catalog.links(release) if link.token in tokens}
    limited = bool(request.packages and ALL not in _folded(request.packages)) or request.manual_only
    return Selection(release, tokens, MappingProxyType(targets), limited)


def choose_release(wanted: str, listing: Listing | None, catalog: Catalog) -> Release:
    """Turn `auto`, `latest` or `9.66` into a release.

    `auto` is the newest release among the installers in the folder, because servers must not be
    handed agents newer than themselves, and `latest` where the folder has none.

    Raises:
        InputError: nobody published that release.
    """
    word = wanted.strip().lower()
    if word == AUTO:
        installers = listing.by_token if listing else {}
        present = [found[0][0].release for token, found in installers.items() if catalog.known(token)]
        return max(present, default=catalog.latest)
    if word == LATEST:
        return catalog.latest
    release = Release.parse(word)
    if catalog.facts(release) is None:
        linked = ", ".join(str(facts.release) for facts in catalog.releases if facts.links)
        raise InputError(
            "unknown-release",
            f"nobody published a release {release}",
            f"choose one the catalog has links for ({linked}), or latest, or auto",
        )
    return release


def _choose_packages(request: Request, release: Release, catalog: Catalog) -> tuple[Token, ...]:
    asked = request.packages or request.require
    if not asked:
        tokens = _published(release, catalog, classic=request.classic)
    elif ALL in _folded(asked):
        tokens = _published(release, catalog, classic=False)
    else:
        named = {catalog.require(text).token for text in asked}
        tokens = tuple(token for token in catalog.packages if token in named)
    if request.manual_only:
        tokens = tuple(token for token in tokens if catalog.manual(token, release))
    return tokens


def _published(release: Release, catalog: Catalog, *, classic: bool) -> tuple[Token, ...]:
    """What exists of a release: what the catalog links, or else what it knows to have been published by then."""
    packages = [catalog.packages[link.token] for link in catalog.links(release)]
    if not packages:
        ever = {token for facts in catalog.releases for token in facts.links}
        packages = [package for package in catalog.packages.values() if package.token in ever]
        packages = [package for package in packages if package.since is not None and package.since <= release]
    return tuple(package.token for package in packages if not (classic and package.modernized_only))


def _target(link: Link) -> Target:
    return Target(link.token, link.name, (link.url, *link.mirrors), link.sha256, link.size_bytes)


def _folded(texts: Sequence[str]) -> set[str]:
    return {text.strip().lower() for text in texts}
