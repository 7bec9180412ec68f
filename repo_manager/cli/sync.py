"""`repo-manager sync`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from repo_manager.adapters.filesystem.paths import place_of
from repo_manager.app.change import Seen, Task
from repo_manager.cli import options
from repo_manager.cli.change import change, contested, judge, with_source
from repo_manager.cli.root import run_of
from repo_manager.core import plan as plans
from repo_manager.core import selection as selections
from repo_manager.core.address import Address, Folder, Web
from repo_manager.core.errors import InputError
from repo_manager.report.text import plural

if TYPE_CHECKING:
    from collections.abc import Sequence

    from repo_manager.cli.run import Run
    from repo_manager.core.names import Token
    from repo_manager.core.plan import Plan
    from repo_manager.core.repository import File, Listing
    from repo_manager.core.selection import Request, Selection

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command()
def sync(
    context: typer.Context,
    release: options.Release = selections.AUTO,
    package: options.Packages = None,
    source: options.Source = None,
    manual_only: options.ManualOnly = False,
    signatures: options.Signatures = None,
    dry_run: options.DryRun = False,
    allow_plain_http: options.AllowPlainHttp = False,
    yes: options.Yes = False,
    create: options.Create = False,
    no_restart: options.NoRestart = False,
) -> None:
    """Make the repository complete, current and clean, as one transaction.

    Downloads what is missing, verifies it, places it, retires what is superseded or stray, restarts
    the service, and undoes everything if the service does not come back. Safe to run twice and to
    kill at any moment.
    """
    run = run_of(context)
    run.create = create
    run.plain_http = allow_plain_http
    request = run.request(release=release, packages=tuple(package or ()), manual_only=manual_only)
    check_source(source, run.folder.path)
    run.expect_signatures(signatures)
    task = task_of(run, request, source, restart=not no_restart)
    change(run, task, dry_run=dry_run, yes=yes, fetcher=run.fetcher(source_hosts(source)))


def task_of(run: Run, request: Request, source: Address | None, *, restart: bool) -> Task:
    """The task of making one repository what was asked for."""

    def select(listing: Listing) -> Selection:
        return with_source(selections.select(request, listing, run.catalog), source)

    def planner(seen: Seen) -> Plan:
        selection = select(seen.listing)
        _check_available(run, seen, selection)
        return plans.sync(seen.listing, selection, judge(run, seen, selection), seen.verdicts)

    def matter(listing: Listing) -> tuple[File, ...]:
        wanted = select(listing).tokens
        files = [file for token in wanted for _, file in listing.by_token.get(token, ())]
        return tuple(dict.fromkeys((*files, *contested(listing))))

    return Task("sync", planner, matter, restart=restart)


def check_source(source: Address | None, repository: Path) -> None:
    """Refuse to fill a repository from itself: what is missing is not there, and what is broken stays so.

    Raises:
        InputError: the source is the repository or a folder in it, by whatever path or link.
    """
    if isinstance(source, Folder) and place_of(Path(source.path)).is_relative_to(place_of(repository)):
        raise InputError(
            "source-is-target",
            f"the source {source} is the repository itself, or lies in it",
            "give --source another folder, a UNC path or a URL",
        )


def source_hosts(source: Address | None) -> tuple[str, ...]:
    """The host of a source that the operator named: it may be downloaded from."""
    return (source.host,) if isinstance(source, Web) else ()


def _check_available(run: Run, seen: Seen, selection: Selection) -> None:
    """Refuse to promise what cannot be fetched: a wanted package that is not there in that release and has no link.

    Raises:
        InputError: there is such a package, or nothing at all is wanted.
    """
    if not selection.tokens:
        raise InputError(
            "nothing-wanted",
            f"no package of release {selection.release} is wanted",
            "check --package, --manual-only and require in the configuration file",
        )
    found = seen.listing.by_token
    absent = [
        token
        for token in selection.unavailable
        if all(name.release != selection.release for name, _ in found.get(token, ()))
    ]
    if absent:
        linked = ", ".join(str(facts.release) for facts in run.catalog.releases if facts.links)
        raise InputError(
            "no-links",
            f"the catalog has no link for {_few(absent)} of release {selection.release}",
            f"choose --release from those with links ({linked}), add links with 'repo-manager catalog update',"
            " or place the files with 'repo-manager add'",
        )


_FEW = 4


def _few(tokens: Sequence[Token]) -> str:
    """The first of them and how many more there are."""
    more = len(tokens) - _FEW
    return ", ".join(tokens[:_FEW]) + (f" and {plural(more, 'other package')}" if more > 0 else "")
