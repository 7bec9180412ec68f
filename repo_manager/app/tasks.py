"""What `sync`, `add`, `prune` and `watch` plan.

Each task is carried out by `change.perform` and previewed by `change.rehearse`. The tasks of `mirror`, `restore` and of
the second folder are in the modules of these names.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from repo_manager.adapters.filesystem.paths import place_of, reachable, real, shown
from repo_manager.app.change import Snapshot, Task
from repo_manager.core import names, selection
from repo_manager.core import plan as plans
from repo_manager.core.address import Folder
from repo_manager.core.audit import findings
from repo_manager.core.audit.findings import AuditFacts
from repo_manager.core.errors import InputError
from repo_manager.core.plan import Arrival
from repo_manager.core.watch_state import Scope
from repo_manager.report.text import plural

if TYPE_CHECKING:
    from collections.abc import Sequence

    from repo_manager.core.address import Address
    from repo_manager.core.audit.findings import Audit
    from repo_manager.core.catalog import Catalog
    from repo_manager.core.names import Token
    from repo_manager.core.plan import Plan
    from repo_manager.core.repository import File, Listing
    from repo_manager.core.selection import Request, Selection


@dataclass(frozen=True, slots=True)
class PlanContext:
    """What every plan depends on beside the folder: the catalog, and what is known of the server."""

    catalog: Catalog
    circumstances: AuditFacts = field(default_factory=AuditFacts)

    def audit(self, seen: Snapshot, wanted: Selection) -> Audit:
        """The audit that a plan is made from."""
        return findings.audit(seen.listing, wanted, self.catalog, replace(self.circumstances, verdicts=seen.verdicts))

    def select(self, request: Request, listing: Listing | None, source: Address | None = None) -> Selection:
        """What is requested; with a `source`, every installer of it comes from there, under its published name.

        Raises:
            InputError: the release or a package is unknown.
        """
        selected = selection.select(request, listing, self.catalog)
        if source is None:
            return selected
        from repo_manager.adapters.sources.fetching import join

        targets = {
            token: replace(target, sources=(join(source, target.name.text),))
            for token, target in selected.targets.items()
        }
        return replace(selected, targets=targets)


def sync(context: PlanContext, request: Request, source: Address | None = None, *, restart: bool = True) -> Task:
    """Make the repository complete, current and clean.

    The planner raises InputError where a requested package cannot be had: `nothing-wanted`, `no-links`.
    """

    def planner(seen: Snapshot) -> Plan:
        selected = context.select(request, seen.listing, source)
        _require_available(context.catalog, seen.listing, selected)
        return plans.sync(seen.listing, selected, context.audit(seen, selected), seen.verdicts)

    def matter(listing: Listing) -> tuple[File, ...]:
        wanted = context.select(request, listing, source).tokens
        files = [file for token in wanted for _, file in listing.by_token.get(token, ())]
        return tuple(dict.fromkeys((*files, *_duplicates(listing))))

    return Task("sync", planner, matter, restart=restart)


def prune(context: PlanContext, request: Request, *, restart: bool = True) -> Task:
    """Retire what is superseded, partial or stray."""

    def planner(seen: Snapshot) -> Plan:
        return clean_up(context, request, seen)

    return Task("prune", planner, _duplicates, restart=restart)


def clean_up(context: PlanContext, request: Request, seen: Snapshot, scope: Scope = Scope.ALL) -> Plan:
    """What leaves the folder: everything superseded, partial and stray, or only what is harmful."""
    selected = context.select(request, seen.listing)
    plan = plans.prune if scope is Scope.ALL else plans.dangers
    return plan(seen.listing, context.audit(seen, selected), seen.verdicts)


def add(arrivals: tuple[Arrival, ...], repository: Path, *, allow_older: bool = False, restart: bool = True) -> Task:
    """Place files that are on this machine.

    The planner raises InputError, `older-than-present`, where the repository has a newer installer, unless
    `allow_older`.

    Raises:
        InputError: `already-there`: a file is in the repository itself.
    """
    own = real(repository)
    for arrival in arrivals:
        if Path(arrival.source).parent == own:
            raise InputError(
                "already-there",
                f"{shown(Path(arrival.source))} is in the repository already",
                "run 'repo-manager audit --deep' to check it",
            )

    def planner(seen: Snapshot) -> Plan:
        if not allow_older:
            _refuse_older(arrivals, seen.listing)
        return plans.add(seen.listing, arrivals, seen.verdicts)

    def matter(listing: Listing) -> tuple[File, ...]:
        tokens = {arrival.name.token for arrival in arrivals}
        return tuple(file for token in tokens for _, file in listing.by_token.get(token, ()))

    return Task("add", planner, matter, restart=restart)


def arrival_of(path: Path, catalog: Catalog) -> Arrival:
    """A file to be added.

    Raises:
        InputError: it cannot be read, is not a file, or its name is not that of an installer of a known package.
    """
    path = reachable(path)
    try:
        size_bytes = path.stat().st_size
    except OSError as error:
        raise InputError("no-file", f"{shown(path)} cannot be read: {error.strerror}", "check the path") from error
    if not path.is_file():
        raise InputError("not-a-file", f"{shown(path)} is not a file", "name the installers themselves")
    found = real(path)
    # Windows finds a file whatever the case; the name it has counts, not how it was typed.
    name = names.parse(found.name if found.name.casefold() == path.name.casefold() else path.name)
    catalog.require(name.token)
    return Arrival(name, str(found), size_bytes)


def check_source(source: Address | None, repository: Path) -> None:
    """Refuse to fill a repository from itself: what is missing is not there, and what is broken stays so.

    Raises:
        InputError: the source is the repository or a folder in it, by whatever path or link.
    """
    if isinstance(source, Folder) and place_of(Path(source.path)).is_relative_to(place_of(repository)):
        raise InputError(
            "source-is-target",
            f"the source {source} is the repository itself, or a folder in it",
            "give --source another folder, a UNC path or a URL",
        )


def _duplicates(listing: Listing) -> tuple[File, ...]:
    """The installers of every package that has more than one: which may go depends on which is complete."""
    return tuple(file for found in listing.by_token.values() if len(found) > 1 for _, file in found)


def _refuse_older(arrivals: tuple[Arrival, ...], listing: Listing) -> None:
    # Of two arrivals of one package only the newer is placed.
    for arrival in plans.newest(arrivals).values():
        newest = listing.newest(arrival.name.token)
        if newest is not None and newest.recency > arrival.name.recency:
            raise InputError(
                "older-than-present",
                f"{arrival.name} is older than {newest.text}, which lies in the repository",
                "add --allow-older to place it all the same and retire the newer one",
            )


def _require_available(catalog: Catalog, listing: Listing, selected: Selection) -> None:
    """Refuse to promise what cannot be fetched: a wanted package that is not there in that release and has no link.

    Raises:
        InputError: there is such a package, or no package at all is wanted.
    """
    if not selected.tokens:
        raise InputError(
            "nothing-wanted",
            f"no package of release {selected.release} is wanted",
            "check --package, --manual-only and require in the configuration file",
        )
    absent = [
        token
        for token in selected.unavailable
        if all(name.release != selected.release for name, _ in listing.by_token.get(token, ()))
    ]
    if absent:
        linked = ", ".join(str(facts.release) for facts in catalog.releases if facts.links)
        raise InputError(
            "no-links",
            f"the catalog has no link for {_few(absent)} of release {selected.release}",
            f"choose --release from those with links ({linked}), add links with 'repo-manager catalog update',"
            " or place the files with 'repo-manager add'",
        )


_FEW: Final = 4


def _few(tokens: Sequence[Token]) -> str:
    """The first of them and how many more there are."""
    more = len(tokens) - _FEW
    return ", ".join(tokens[:_FEW]) + (f" and {plural(more, 'other package')}" if more > 0 else "")
