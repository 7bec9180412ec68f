"""One invocation: the options that count for every command, and what they lead to."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import repo_manager
from repo_manager import repository, settings
from repo_manager.cli.console import Console
from repo_manager.edges.places import find_repository
from repo_manager.edges.scanning import scan
from repo_manager.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from repo_manager.audit import Circumstances, Verdict
    from repo_manager.catalog import Catalog
    from repo_manager.edges.checking import Checker
    from repo_manager.edges.download import Downloader
    from repo_manager.edges.fetching import Fetcher
    from repo_manager.edges.folder import Folder
    from repo_manager.operation import Workbench
    from repo_manager.repository import Listing
    from repo_manager.restart import Patience, Service
    from repo_manager.selection import Request
    from repo_manager.settings import Profile, Settings


class SystemClock:
    """The machine's own time."""

    def monotonic(self) -> float:
        """Seconds from some fixed point."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)


@dataclass
class Run:
    """What the global options say, and the parts they lead to, each made when first asked for."""

    given: dict[str, Any]
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)

    def give(self, name: str, value: object) -> None:
        """An option given after the command, which counts more than before it."""
        self.given[name] = value
        for part in ("console", "settings", "profile", "catalog_path", "catalog", "path", "folder", "service"):
            self.__dict__.pop(part, None)

    def option(self, name: str) -> Any:  # noqa: ANN401 - options are texts, numbers and flags
        """A global option: what was given, else what the configuration file says, else None."""
        return self.given[name] if name in self.given else self.settings.options.get(name)

    @cached_property
    def console(self) -> Console:
        """Where words go."""
        verbosity = -1 if self.option("quiet") else int(self.option("verbose") or 0)
        return Console(json_wanted=bool(self.option("json")), verbosity=verbosity, colour=not self.option("no_color"))

    @cached_property
    def settings(self) -> Settings:
        """The configuration file's say."""
        named = self.given.get("config")
        return settings.load(Path(named) if named else None, self.environ)

    @cached_property
    def profile(self) -> Profile:
        """The profile in force."""
        return self.settings.profile(self.option("profile") or "classic")

    @cached_property
    def catalog_path(self) -> Path:
        """The catalog in use: the one that was named, or the tool's own."""
        named = self.option("catalog")
        if named:
            return Path(named)
        package = Path(repo_manager.__file__).parent
        inside = package / "catalog.yaml"
        return inside if inside.is_file() else package.parent / "catalog.yaml"

    def catalog_text(self) -> str:
        """The catalog as it is written.

        Raises:
            InputError: it cannot be read.
        """
        try:
            data = self.catalog_path.read_bytes()
        except OSError as error:
            raise InputError(
                "no-catalog", f"{self.catalog_path} cannot be read: {error.strerror}", "check --catalog"
            ) from error
        from repo_manager import document

        return document.decode(data, str(self.catalog_path), "invalid-catalog")

    @cached_property
    def catalog(self) -> Catalog:
        """What should exist."""
        from repo_manager import catalog as catalogs

        return catalogs.parse(self.catalog_text(), str(self.catalog_path))

    # What only some commands need is imported where it is made: `list` and `resolve` start twice as fast.

    @cached_property
    def path(self) -> Path:
        """Where the repository is, found by the profile where it was not named."""
        named = self.option("repository") or self.profile.repository
        return Path(named) if named else find_repository(self.profile.name, self.environ)

    @cached_property
    def folder(self) -> Folder:
        """The repository's folder."""
        from repo_manager.edges.folder import Folder

        return Folder(self.path)

    def listing(self, path: Path | None = None) -> Listing:
        """What lies in the repository, or in another folder."""
        path = path or self.path
        return repository.survey(str(path), scan(path))

    def listing_if_any(self) -> Listing | None:
        """What lies in the repository, None where there is none and nobody has named one.

        Raises:
            InputError: one was named and cannot be read.
        """
        try:
            return self.listing()
        except InputError:
            if self.option("repository"):
                raise
            return None

    def circumstances(self, verdicts: Mapping[str, Verdict]) -> Circumstances:
        """What an audit of this run's repository knows beside the folder and the wish."""
        from repo_manager.audit import Circumstances

        return Circumstances(
            verdicts=verdicts,
            classic=self.profile.classic,
            server_release=self.settings.server_release,
            command=self.command,
        )

    @cached_property
    def service(self) -> Service:
        """The service that reads the folder."""
        from repo_manager.edges.service import service_of

        return service_of(self.profile.service)

    @property
    def patience(self) -> Patience:
        """How long to wait for the service."""
        from repo_manager.restart import Patience

        return self.settings.patience or Patience()

    def checker(self, folder: Folder | None = None) -> Checker:
        """Reads files and remembers what it saw."""
        from repo_manager.edges.checking import Checker
        from repo_manager.edges.digests import Digests, cache_folder

        folder = folder or self.folder
        return Checker(folder.path, Digests(cache_folder(self.environ), folder.path), folder.records())

    def request(self, *, release: str, packages: tuple[str, ...] = (), manual_only: bool = False) -> Request:
        """What is wanted, with the profile's share."""
        from repo_manager.selection import Request

        return Request(
            release=release,
            packages=packages,
            require=self.profile.require,
            classic=self.profile.classic,
            manual_only=manual_only,
        )

    def fetcher(self, extra_hosts: tuple[str, ...] = ()) -> Fetcher:
        """Brings files from folders and over HTTP."""
        from repo_manager.edges.fetching import Fetcher

        return Fetcher(lambda: self.downloader(extra_hosts), reserve_bytes=self.settings.reserve_bytes)

    def downloader(self, extra_hosts: tuple[str, ...] = ()) -> Downloader:
        """HTTP, to the catalog's hosts and the configured ones alone."""
        from repo_manager.edges.download import Downloader, Policy

        hosts = self.catalog.hosts | {host.lower() for host in (*self.settings.hosts, *extra_hosts)}
        return Downloader(
            Policy(
                hosts=hosts,
                attempts=self.settings.attempts,
                backoff_s=0.5,
                proxy=self.settings.proxy,
                ca_file=self.settings.ca_file,
            )
        )

    def workbench(self, *, yes: bool, fetcher: Fetcher | None = None) -> Workbench:
        """What an operation on the repository is handed."""
        import socket

        from repo_manager.cli.voice import TerminalVoice
        from repo_manager.operation import Retention, Workbench

        return Workbench(
            folder=self.folder,
            catalog=self.catalog,
            checker=self.checker,
            fetcher=fetcher or self.fetcher(),
            service=self.service,
            clock=SystemClock(),
            patience=self.patience,
            now=lambda: datetime.now(UTC),
            owner={"pid": os.getpid(), "host": socket.gethostname()},
            retention=Retention(self.settings.retired_keep, self.settings.retired_days),
            voice=TerminalVoice(self.console, ask=not yes),
        )

    @property
    def command(self) -> str:
        """How a command to paste begins: with the global options of this run that matter to it."""
        words = ["repo-manager"]
        for name in ("profile", "repository", "catalog", "config"):
            value = self.given.get(name)
            if value:
                words += [f"--{name}", quoted(str(value))]
        return " ".join(words)


def quoted(word: str) -> str:
    """A word for a command line, in double quotes where either shell would split it."""
    return word if word and all(character.isalnum() or character in "-_./:\\" for character in word) else f'"{word}"'
