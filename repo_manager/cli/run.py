"""The parts that one command works with, made from its options when they are first needed."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

from repo_manager.adapters.filesystem import trusted_files
from repo_manager.adapters.filesystem.paths import reachable, shown
from repo_manager.adapters.filesystem.scan import scan
from repo_manager.adapters.filesystem.trusted_files import Correction
from repo_manager.app import settings
from repo_manager.cli.console import Console
from repo_manager.cli.quoting import repeated
from repo_manager.core import repository
from repo_manager.core.address import Web, refuse_share
from repo_manager.core.audit.signature_policy import Rules, SignaturePolicy
from repo_manager.core.errors import InputError, NoRepositoryError, NoRightsError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from repo_manager.adapters.catalog_files import CatalogFile
    from repo_manager.adapters.filesystem.digests import Confirmed
    from repo_manager.adapters.filesystem.repository_folder import Folder
    from repo_manager.adapters.installers.inspect import Checker
    from repo_manager.adapters.installers.signature import Signatures
    from repo_manager.adapters.sources.depot_source import DepotSource
    from repo_manager.adapters.sources.download import Downloader
    from repo_manager.adapters.sources.fetching import Fetcher
    from repo_manager.adapters.sources.http_rules import HttpPolicy
    from repo_manager.adapters.storage import Credentials, Storage
    from repo_manager.adapters.windows.locate import MachineFacts, Search
    from repo_manager.app.change import ChangeContext
    from repo_manager.app.fleet_survey import FleetSurvey
    from repo_manager.app.second_folder import SecondFolder
    from repo_manager.app.settings import Profile, Settings
    from repo_manager.app.tasks import PlanContext
    from repo_manager.app.watch_loop import WakeSignal
    from repo_manager.cli.console import Console
    from repo_manager.cli.global_options import GlobalOptions
    from repo_manager.core.address import Address
    from repo_manager.core.catalog import Catalog
    from repo_manager.core.fleet import ExpectedServer
    from repo_manager.core.install_guide import Guides
    from repo_manager.core.repository import Listing
    from repo_manager.core.selection import Request
    from repo_manager.core.service import Clock, Service, Timeouts
    from repo_manager.core.systems.resolver import Support


@dataclass(frozen=True)
class Run:
    """The parts of one command. `replace` gives a run that makes them again, for the same command line.

    Attributes:
        options: the global options.
        changing: whether the command may place files; what is expected of their signatures depends on it.
        signature_policy: the command's own option; None for that of the configuration.
        plain_http: whether a token or password may go to another machine over http.
        create: whether a folder with other files may become a repository; None for a command without that option.
        confirmed: what this process has read, where files without a change time must be read; see `Digests`.
        loaded: a catalog that was read before and is still current.
    """

    options: GlobalOptions
    changing: bool = True
    signature_policy: SignaturePolicy | None = None
    plain_http: bool = False
    create: bool | None = None
    confirmed: Confirmed | None = None
    loaded: Catalog | None = None
    _noted: set[str] = field(default_factory=set)

    @property
    def environ(self) -> Mapping[str, str]:
        """The environment variables."""
        return self.options.environ

    @property
    def console(self) -> Console:
        """The console of the command line."""
        return self.options.console

    @property
    def settings(self) -> Settings:
        """The configuration file in use."""
        return self.options.settings

    @property
    def command(self) -> str:
        """How a command to paste begins."""
        return self.options.command

    def trusted(self, path: Path | None) -> Path | None:
        """A file or folder that the configuration names, or an option; only administrators may have written it.

        Raises:
            InputError: `untrusted-file`.
        """
        if path is not None:
            # What is not there is reported where it is read.
            with contextlib.suppress(OSError):
                for each in (path, *(path.iterdir() if path.is_dir() else ())):
                    trusted_files.require(each)
        return path

    @cached_property
    def profile(self) -> Profile:
        """The profile in force: the one that was named, else the one whose folder is on this machine.

        Where the folder was named, or the configuration says where a classic one is, there is nothing to look for.

        Raises:
            InputError: there is none of that name, or two fit this machine.
        """
        named = self.options.option("profile")
        if named:
            return self.settings.profile(named)
        classic = self.settings.profile("classic")
        if self.options.option("repository") or classic.repository:
            return classic
        return self.settings.profile(self.search.profile)

    @cached_property
    def machine(self) -> MachineFacts:
        """What there is beside files: drives, programs, services."""
        from repo_manager.adapters.windows.facts import ThisMachine

        return ThisMachine(self.environ)

    @cached_property
    def search(self) -> Search:
        """One look at the places of the profile that was named, or of those that are built in."""
        from repo_manager.adapters.windows.locate import search

        named = self.options.option("profile")
        return search((named,) if named else tuple(settings.BUILT_IN), self.machine)

    @cached_property
    def catalog_path(self) -> Path:
        """The catalog in use: the one that was named, or the tool's own."""
        named = self.options.option("catalog")
        return Path(named) if named else _own_catalog()

    def catalog_text(self) -> str:
        """The catalog as it is written.

        Raises:
            InputError: it cannot be read.
        """
        from repo_manager.core.catalog import strict_yaml

        return strict_yaml.decode(self._catalog_data(self.catalog_path), str(self.catalog_path), "invalid-catalog")

    def _catalog_data(self, path: Path) -> bytes:
        try:
            own = path == _own_catalog() or path.samefile(_own_catalog())
            return path.read_bytes() if own else trusted_files.read(path, correction=Correction(path))
        except OSError as error:
            raise InputError("no-catalog", f"{path} cannot be read: {error.strerror}", "check --catalog") from error

    def _catalog_file(self, path: Path) -> CatalogFile:
        from repo_manager.adapters.catalog_files import CatalogFile
        from repo_manager.adapters.filesystem.user_cache import cache_folder

        return CatalogFile(path, self._catalog_data(path), cache_folder(self.environ))

    @cached_property
    def catalog(self) -> Catalog:
        """What should exist."""
        if self.loaded is not None:
            return self.loaded
        from repo_manager.adapters.catalog_files import load
        from repo_manager.adapters.filesystem.user_cache import cache_folder

        return load(self.catalog_path, cache_folder(self.environ), self._catalog_data)

    @cached_property
    def support(self) -> Support:
        """Which package serves which system. Faster than the whole catalog."""
        return self._catalog_file(self.catalog_path).support() or self.catalog.support

    @property
    def guides(self) -> Guides:
        """The commands that install an agent by hand: the catalog's, or those of the tool's own of an older edition."""
        paths = (self.catalog_path, _own_catalog())
        return next(guides for path in paths if (guides := self._catalog_file(path).guides()) is not None)

    # What only some commands need is imported where it is made: `list` and `resolve` start twice as fast.

    @cached_property
    def path(self) -> Path:
        """Where the repository is, found by the profile where it was not named."""
        # A profile that does not exist is a mistake also where the folder is named.
        profile = self.profile
        named = self.options.option("repository") or profile.repository
        if named:
            refuse_share(named)
        return reachable(Path(named) if named else self.search.repository(profile.name).path)

    @cached_property
    def folder(self) -> Folder:
        """The repository's folder."""
        from repo_manager.adapters.filesystem.repository_folder import Folder

        return Folder(self.path)

    def listing(self, path: Path | None = None) -> Listing:
        """What lies in the repository, or in another folder."""
        path = path or self.path
        return repository.survey(shown(path), scan(path))

    def listing_if_any(self) -> Listing | None:
        """What lies in the repository, None where there is none and nobody has named one.

        Raises:
            RepoManagerError: one was named and cannot be read, or it cannot be told which it is.
        """
        try:
            return self.listing()
        except (NoRepositoryError, NoRightsError):
            if self.options.option("repository"):
                raise
            return None

    def not_a_repository(self, listing: Listing) -> InputError | None:
        """The error of a change in a folder that is hardly a repository, None where it may be changed."""
        if self.create or not self.folder.is_foreign(listing):
            return None
        accept = "" if self.create is None else "; to make it a repository, run the same command with --create"
        return InputError(
            "not-a-repository",
            f"{listing.repository} has other files and no trace of installers",
            f"check --repository{accept}",
        )

    @property
    def plan_context(self) -> PlanContext:
        """What plans and audits of this run depend on beside the folder."""
        from repo_manager.app.tasks import PlanContext
        from repo_manager.core.audit.findings import AuditFacts

        circumstances = AuditFacts(
            classic=self.profile.classic, server_release=self.settings.server_release, command=self.command
        )
        return PlanContext(self.catalog, circumstances)

    @property
    def second_folder(self) -> SecondFolder | None:
        """The second folder, None where the configuration names none."""
        from repo_manager.app.second_folder import SecondFolder

        named = self.profile.second_folder
        return None if named is None else SecondFolder(reachable(Path(named)), self.plan_context)

    @cached_property
    def service(self) -> Service:
        """The service that reads the folder."""
        from repo_manager.adapters.windows.service import service_of

        return service_of(self.profile.service)

    @cached_property
    def clock(self) -> Clock:
        """What measures and spends time while the run waits."""
        from repo_manager.adapters.interruptible import SystemClock

        return SystemClock()

    def now(self) -> datetime:
        """The date and time, as transactions and signed sets are dated."""
        return datetime.now(UTC)

    def bell(self) -> WakeSignal:
        """What wakes a watch."""
        from repo_manager.adapters.folder_events import QueueWakeSignal

        return QueueWakeSignal()

    @property
    def patience(self) -> Timeouts:
        """How long to wait for the service."""
        from repo_manager.core.service import Timeouts

        return self.settings.patience or Timeouts()

    def checker(self, folder: Folder | None = None) -> Checker:
        """Reads files and remembers what it saw."""
        from repo_manager.adapters.filesystem.digests import Digests
        from repo_manager.adapters.filesystem.user_cache import cache_folder
        from repo_manager.adapters.installers.inspect import Checker

        folder = folder or self.folder
        digests = Digests(cache_folder(self.environ), folder.path, self.confirmed)
        return Checker(folder.file, digests, folder.records(self._note_once), self.signatures)

    def fleet_survey(self, servers: tuple[ExpectedServer, ...], patience_s: float, *, deep: bool) -> FleetSurvey:
        """A survey of many servers; see `FleetSurvey`."""
        from repo_manager.adapters.filesystem.user_cache import cache_folder
        from repo_manager.app.fleet_survey import FleetSurvey
        from repo_manager.cli.voice import TerminalProgress

        open_storage = partial(self.depot, brisk=True)
        cache, voice = cache_folder(self.environ), TerminalProgress(self.console)
        return FleetSurvey(servers, open_storage, cache, patience_s, voice, datetime.now(UTC), deep=deep)

    def _note_once(self, text: str) -> None:
        if text not in self._noted:
            self._noted.add(text)
            self.console.note(text)

    @cached_property
    def signatures(self) -> Signatures:
        """What is expected of signatures, and the means to check them."""
        from repo_manager.adapters.installers.signature import Roots, Signatures

        packages = self.catalog.packages.items()
        rules = Rules(
            asked=self._asked_of_signatures(),
            changing=self.changing,
            publisher=self.settings.publisher,
            publishers={token: package.publisher for token, package in packages if package.publisher},
        )
        return Signatures(rules, Roots(self.trusted(self.settings.signature_roots)), self.now)

    def say_of_signatures(self) -> None:
        """What the checks left to say: what was not checked, and what was let pass."""
        for remark in self.signatures.remarks():
            self.console.note(remark)

    def _asked_of_signatures(self) -> SignaturePolicy | None:
        word = self.signature_policy or self.options.option("signatures")
        if word is None:
            return None
        try:
            return SignaturePolicy(word)
        except ValueError as error:
            raise InputError(
                "configuration",
                f"signatures: {word!r} is none of {', '.join(SignaturePolicy)}",
                "mend the configuration file",
            ) from error

    def request(self, *, release: str, packages: tuple[str, ...] = (), manual_only: bool = False) -> Request:
        """What is wanted, with the profile's share."""
        from repo_manager.core.selection import Request

        return Request(
            release=release,
            packages=packages,
            require=self.profile.require,
            classic=self.profile.classic,
            manual_only=manual_only,
        )

    def fetcher(self, source: Address | None = None, depot: DepotSource | None = None) -> Fetcher:
        """Brings files from folders and over HTTP, or out of a depot.

        The host of a `source` that the operator named may be downloaded from.
        """
        from repo_manager.adapters.sources.fetching import Fetcher

        hosts = (source.host,) if isinstance(source, Web) else ()
        return Fetcher(
            lambda: self.downloader(hosts),
            reserve_bytes=self.settings.reserve_bytes,
            signatures=self.signatures,
            depot=depot,
        )

    def depot(self, address: Address, *, brisk: bool = False, ring: Credentials | None = None) -> Storage:
        """Where a signed set lies. Close it in the end. A brisk one gives up soon and asks once.

        `ring` says who to be there, where not the same as everywhere.

        Raises:
            InputError: what reads it is not installed, or its settings make no sense.
        """
        from repo_manager.adapters.storage import open_depot

        return open_depot(address, policy=self.policy(brisk=brisk), keyring=ring or self.keyring())

    def keyring(self) -> Credentials:
        """Who to be at object stores and web servers."""
        from repo_manager.adapters.storage.credentials import keyring

        return keyring(self.environ, self.settings.store_credentials)

    def reporting_keyring(self) -> Credentials:
        """Who to be where reports go: nobody else than the file for it says, where there is one."""
        from repo_manager.adapters.storage.credentials import keyring

        own = self.settings.report_credentials
        return self.keyring() if own is None else keyring({}, own)

    def policy(self, *, brisk: bool = False) -> HttpPolicy:
        """How to ask web servers and object stores that were named on the command line."""
        from repo_manager.adapters.sources.http_rules import HttpPolicy

        policy = HttpPolicy(
            hosts=frozenset(),
            attempts=self.settings.attempts,
            backoff_s=0.5,
            proxy=self.settings.proxy,
            ca_file=self.trusted(self.settings.ca_file),
            plain_http=self.plain_http,
        )
        return replace(policy, attempts=1, connect_timeout_s=5, stall_timeout_s=5) if brisk else policy

    def downloader(self, extra_hosts: tuple[str, ...] = ()) -> Downloader:
        """HTTP, to the catalog's hosts and the configured ones alone."""
        from repo_manager.adapters.sources.download import Downloader, HttpPolicy

        hosts = self.catalog.hosts | {host.lower() for host in (*self.settings.hosts, *extra_hosts)}
        return Downloader(
            HttpPolicy(
                hosts=hosts,
                attempts=self.settings.attempts,
                backoff_s=0.5,
                proxy=self.settings.proxy,
                ca_file=self.trusted(self.settings.ca_file),
                plain_http=self.plain_http,
            )
        )

    def agreed(self, question: str, about: str = "") -> bool:
        """Show what a change is, and ask the person at the terminal.

        Raises:
            InputError: `confirmation-needed`: there is no terminal.
        """
        if not self.console.can_ask:
            raise self.unconfirmed(about)
        return self.console.agreed(question, about)

    def unconfirmed(self, about: str = "") -> InputError:
        """Show what a change is. Returns the error of one without `--yes` where there is no terminal to ask on."""
        if about:
            self.console.note(f"{about}\n")
        return InputError(
            "confirmation-needed",
            "a change needs a confirmation, and there is no terminal to ask on; nothing was changed",
            f"{repeated(self.options.words, '--yes')} to apply the plan, or with --dry-run to print it only",
        )

    @property
    def owner(self) -> dict[str, str | int]:
        """Who holds a lock: this process."""
        from repo_manager.adapters.filesystem.lock import this_process

        return this_process()

    def workbench(self, *, yes: bool, fetcher: Fetcher | None = None) -> ChangeContext:
        """What an operation on the repository is handed."""
        from repo_manager.app.change import ChangeContext, Retention
        from repo_manager.cli.voice import TerminalProgress

        return ChangeContext(
            folder=self.folder,
            catalog=self.catalog,
            checker=self.checker,
            fetcher=fetcher or self.fetcher(),
            service=self.service,
            clock=self.clock,
            patience=self.patience,
            now=self.now,
            owner=self.owner,
            retention=Retention(self.settings.retired_keep, self.settings.retired_days),
            voice=TerminalProgress(self.console, ask=None if yes else self.agreed),
        )


def _own_catalog() -> Path:
    from repo_manager.adapters.catalog_files import own_catalog

    return own_catalog()
