"""The functions of the public interface; `repo_manager` itself exports them.

The defaults are those of the commands without a configuration file.
"""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from repo_manager.adapters import catalog_files
from repo_manager.adapters.filesystem.digests import Digests
from repo_manager.adapters.filesystem.lock import this_process
from repo_manager.adapters.filesystem.repository_folder import Folder
from repo_manager.adapters.filesystem.user_cache import cache_folder
from repo_manager.adapters.installers.inspect import Checker
from repo_manager.adapters.interruptible import SystemClock
from repo_manager.adapters.windows.service import AbsentService
from repo_manager.app import change, tasks
from repo_manager.app.settings import Settings
from repo_manager.app.tasks import PlanContext
from repo_manager.core import names
from repo_manager.core.address import Web, parse
from repo_manager.core.selection import Request
from repo_manager.core.service import Timeouts
from repo_manager.core.systems import resolver

if TYPE_CHECKING:
    from pathlib import Path

    from repo_manager.adapters.sources.fetching import Fetcher
    from repo_manager.app.change import ChangeContext, Progress
    from repo_manager.core.address import Address
    from repo_manager.core.audit.findings import Audit
    from repo_manager.core.catalog import Catalog
    from repo_manager.core.names import InstallerName
    from repo_manager.core.plan import Plan
    from repo_manager.core.repository import Listing
    from repo_manager.core.service import Service
    from repo_manager.core.systems.resolver import Answer
    from repo_manager.core.transaction import Outcome


def parse_name(text: str) -> InstallerName:
    """Take the file name of an installer apart.

    Raises:
        InputError: it is not the name of an installer.
    """
    return names.parse(text)


def load_catalog(path: Path | None = None) -> Catalog:
    """Load a catalog, by default the one that comes with the tool.

    Raises:
        InputError: the file cannot be read, or has mistakes; the message has all of them.
    """
    return catalog_files.load(path or catalog_files.own_catalog(), cache_folder(os.environ))


def resolve(text: str, catalog: Catalog) -> Answer:
    """Find the package that serves an operating system, however the system is written.

    The answer is a Resolved, Ambiguous, Unsupported or Unknown.
    """
    return resolver.resolve(text, catalog.support)


def scan(repository: Path) -> Listing:
    """List the files of a repository folder.

    Raises:
        InputError: there is no such folder, or this user may not read it.
    """
    return Folder(repository).listing()


def audit(repository: Path, catalog: Catalog, request: Request | None = None, *, deep: bool = False) -> Audit:
    """Compare a repository with what is requested. Changes nothing.

    Args:
        repository: the folder.
        catalog: what should exist.
        request: which release and packages; everything of the release in use by default.
        deep: read every byte of every installer. Otherwise names and sizes count.

    Raises:
        InputError: the folder cannot be read, or the request names something that the catalog does not have.
        MachineError: a file cannot be read.
    """
    return audit_of(repository, catalog, request, cache_folder(os.environ), deep=deep)


def audit_of(repository: Path, catalog: Catalog, request: Request | None, cache: Path, *, deep: bool) -> Audit:
    """The same with another cache folder."""
    folder = Folder(repository)
    listing = folder.listing()
    verdicts = _checker(cache, folder).read(listing, listing.installers) if deep else {}
    context = PlanContext(catalog)
    return context.audit(change.Snapshot(folder, listing, verdicts), context.select(request or Request(), listing))


def plan(repository: Path, catalog: Catalog, request: Request | None = None, *, source: str | None = None) -> Plan:
    """What `sync` would do now. Reads the installers that are there; changes nothing and uses no network.

    Raises:
        RepoManagerError: as for `sync`.
    """
    task, bench = _sync(repository, catalog, request, source)
    return change.preview(bench, task)


def sync(  # noqa: PLR0913 - what is needed, then the adapters
    repository: Path,
    catalog: Catalog,
    request: Request | None = None,
    *,
    source: str | None = None,
    service: Service | None = None,
    progress: Progress | None = None,
) -> Outcome:
    """Make a repository complete, current and clean, as one transaction. Asks no question.

    Args:
        repository: the folder.
        catalog: what should exist.
        request: which release and packages; everything of the release in use by default.
        source: a folder or URL that has the files under their published names, instead of the catalog's links.
        service: the service to restart when the set of files has changed. None restarts nothing.
        progress: is told what happens.

    Returns:
        What was done. `outcome.error` is the error after which everything was undone, None after success.

    Raises:
        RepoManagerError: it could not begin; see `code`, `hint` and `exit_code` of the error.
    """
    task, bench = _sync(repository, catalog, request, source, service, progress)
    return change.perform(bench, task)


def _sync(  # noqa: PLR0913, PLR0917 - see `sync`
    repository: Path,
    catalog: Catalog,
    request: Request | None,
    source: str | None,
    service: Service | None = None,
    progress: Progress | None = None,
) -> tuple[change.Task, ChangeContext]:
    address = None if source is None else parse(source, secrets=True)
    tasks.check_source(address, repository)
    task = tasks.sync(PlanContext(catalog), request or Request(), address, restart=service is not None)
    bench = change_context(
        repository, catalog, _fetcher(catalog, address), cache_folder(os.environ), service or AbsentService("")
    )
    return task, replace(bench, voice=progress or change.Progress())


def change_context(
    repository: Path, catalog: Catalog, fetcher: Fetcher, cache: Path, service: Service
) -> ChangeContext:
    """What a change needs, with the defaults of the commands. `cache` is the folder of what is remembered of files."""
    return change.ChangeContext(
        folder=Folder(repository),
        catalog=catalog,
        checker=partial(_checker, cache),
        fetcher=fetcher,
        service=service,
        clock=SystemClock(),
        patience=Timeouts(),
        now=lambda: datetime.now(UTC),
        owner=this_process(),
    )


def _checker(cache: Path, folder: Folder) -> Checker:
    return Checker(folder.file, Digests(cache, folder.path), folder.records())


def _fetcher(catalog: Catalog, source: Address | None) -> Fetcher:
    from repo_manager.adapters.sources.download import Downloader, HttpPolicy
    from repo_manager.adapters.sources.fetching import Fetcher

    hosts = catalog.hosts | ({source.host} if isinstance(source, Web) else set())
    return Fetcher(lambda: Downloader(HttpPolicy(hosts=frozenset(hosts))), reserve_bytes=Settings().reserve_bytes)
