"""The world in memory: a clock, a service with moods, a store in trouble, and builders for what tests look at."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from repo_manager.core import catalog, names, repository, selection
from repo_manager.core.audit import findings, machine_readiness
from repo_manager.core.audit.findings import Audit, AuditFacts, Code, FileVerdict
from repo_manager.core.audit.result import AuditResult
from repo_manager.core.catalog import strict_yaml
from repo_manager.core.errors import RepoManagerError, ServiceError, ServiceUnchangedError
from repo_manager.core.names import Token
from repo_manager.core.repository import FolderEntry, Listing
from repo_manager.core.selection import Request, Selection
from repo_manager.core.service import Clock, Service, ServiceState, Timeouts
from repo_manager.core.systems import resolver as systems
from repo_manager.core.transaction import Journal, Store, TransactionIO

if TYPE_CHECKING:
    from repo_manager.core.catalog import Catalog
    from repo_manager.core.install_guide import Guides
    from repo_manager.core.inventory import Inventory
    from repo_manager.core.systems.resolver import Answer

REAL_CATALOG_TEXT: Final = (Path(__file__).parents[2] / "catalog.yaml").read_text(encoding="utf-8")

TOKENS: Final = tuple(Token(token) for token in ("Windows", "RHEL9-64", "RHEL8-64", "OL6-64", "UBUNTU-24.04-64"))
"""Of the small catalog. RHEL9-64 and RHEL8-64 are placed by hand, the last is for the modernized experience alone."""

DATES: Final = {
    "9.48": "10Apr2022",
    "9.56": "10Oct2023",
    "9.58": "10Jan2024",
    "9.59": "10Feb2024",
    "9.63": "21Oct2024",
    "9.64": "11Mar2025",
    "9.65": "23Apr2025",
    "9.66": "20Sep2025",
}


def name_of(token: str, release: str = "9.66", *, date: str = "", build: str = "0.0") -> str:
    """The published name of a package's installer."""
    extension = ".exe" if token == names.WINDOWS else ".tar.gz"
    return f"Microsoft-ASR_UA_{release}.{build}_{token}_GA_{date or DATES[release]}_release{extension}"


NEW_NAMES: Final = tuple(name_of(token) for token in TOKENS)
"""The installers of the newest release, in catalog order."""


def _small_catalog_text() -> str:
    facts = {
        "RHEL9-64": ', manual: {since: "9.65", evidence: [page]}',
        "RHEL8-64": ", manual: {since: unclear}",
        "UBUNTU-24.04-64": ", modernized_only: true",
    }
    experience = {"9.58": "withdrawn", "9.56": '"no"', "9.59": "only"}
    lines = ["schema: 1", "hosts: [download.example]", "support_window: 3", 'vulnerable_below: "9.49.6395.1"']
    lines += ["sources: {page: a page}", "packages:"]
    for token in TOKENS:
        extension = ".exe" if token == names.WINDOWS else ".tar.gz"
        since = {"OL6-64": "9.64"}.get(token, "9.48")
        system = f"systems: [{token} system, its twin], extension: {extension}"
        lines.append(f'  {token}: {{{system}, since: "{since}"{facts.get(token, "")}}}')
    lines += ["aliases: {RHELP9-64: RHEL9-64}", "releases:"]
    for release in reversed(DATES):
        lines += [f'  "{release}":', f"    for_classic: {experience.get(release, chr(34) + 'yes' + chr(34))}"]
        if release >= "9.64":
            lines.append("    links:")
            lines += [
                f"      {token}: https://download.example/{release}/{name_of(token, release)}" for token in TOKENS
            ]
    return "\n".join(lines) + "\n"


SMALL_CATALOG_TEXT: Final = _small_catalog_text()
"""Five packages with links at 9.64, 9.65 and 9.66; 9.63 is the oldest supported release."""


def guides_of(text: str) -> Guides:
    """The commands by hand of a catalog."""
    guides = catalog.parse_guides(strict_yaml.read(text))
    assert guides is not None
    return guides


REAL: Final = catalog.parse(REAL_CATALOG_TEXT)
GUIDES: Final = guides_of(REAL_CATALOG_TEXT)
SMALL: Final = catalog.parse(SMALL_CATALOG_TEXT).completed_by(REAL)


def resolve(text: str) -> Answer:
    """The answer by the real catalog."""
    return systems.resolve(text, REAL.support)


def answered(listed: Inventory) -> tuple[Answer, ...]:
    """The answers for machines by the real catalog."""
    return machine_readiness.answered(listed, REAL.support)


SIZE: Final = 1000
"""Bytes of a file of which nothing else is said."""


def listing_of(
    *file_names: str, sizes: Mapping[str, int] | None = None, links: Iterable[str] = (), known: Catalog = SMALL
) -> Listing:
    """What a scan of a folder with these files saw. `links` are names that are links."""
    sizes = sizes or {}
    linked = frozenset(links)
    entries = [FolderEntry(name, sizes.get(name, SIZE), regular=name not in linked) for name in (*file_names, *linked)]
    return repository.survey("/repository", entries)


def selection_of(listing: Listing | None, *packages: str, release: str = "auto", classic: bool = True) -> Selection:
    return selection.select(Request(release=release, packages=packages, classic=classic), listing, SMALL)


def audit_of(listing: Listing, wanted: Selection, verdicts: Mapping[str, FileVerdict] | None = None) -> Audit:
    return findings.audit(listing, wanted, SMALL, AuditFacts(verdicts or {}))


def assessment_of(found: Audit, **more: Any) -> AuditResult:  # noqa: ANN401 - whatever an assessment has
    """What the formats are written from, made at a fixed time."""
    return AuditResult(found, "classic", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), **more)


CUT_OFF: Final = FileVerdict(Code.CORRUPT, "is cut off")


# Time and the service


class FakeClock:
    """Time that passes only when somebody waits."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def monotonic(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds


class Start(StrEnum):
    """How a start goes."""

    WELL = "well"
    FAILS = "fails"
    DIES = "dies"
    """Runs for two seconds, then stops."""


@dataclass(slots=True)
class MemoryService:
    """A service with moods. It reads the set of files when it starts, as the real one does.

    `starts` says how the first starts go; the last of it goes on for ever. `refuses` maps `ready`,
    `stop`, `start` or `state` to the code of the service manager's refusal. `reads` is what it sees when it starts, and
    `serving` what it saw.
    """

    clock: Clock
    was: ServiceState = ServiceState.RUNNING
    starts: tuple[Start, ...] = (Start.WELL,)
    refuses: Mapping[str, str] = field(default_factory=dict)
    stop_takes_s: float = 1.0
    start_takes_s: float = 1.0
    reads: Callable[[], object] = lambda: None
    name: str = "InMage PushInstall"
    serving: object = None
    since: float = 0.0
    """When its process started, by the clock."""
    asked: list[str] = field(default_factory=list)
    _timetable: list[tuple[float, ServiceState]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.serving = self.reads()

    def state(self) -> ServiceState:
        self._refuse("state")
        while self._timetable and self._timetable[0][0] <= self.clock.monotonic():
            self.was = self._timetable.pop(0)[1]
        return self.was

    def started_at(self) -> float | None:
        return self.since if self.state() is ServiceState.RUNNING else None

    def ready(self) -> None:
        self._refuse("ready")

    def request_stop(self) -> None:
        self.asked.append("stop")
        self._refuse("stop")
        if self.was is ServiceState.STOPPED:
            raise ServiceUnchangedError("service-not-active", f"{self.name!r} is not running")
        self.was = ServiceState.STOPPING
        self._timetable = [(self.clock.monotonic() + self.stop_takes_s, ServiceState.STOPPED)]

    def request_start(self) -> None:
        self.asked.append("start")
        self._refuse("start")
        if self.was is not ServiceState.STOPPED:
            raise ServiceUnchangedError("service-already-running", f"{self.name!r} is {self.was}")
        now_s = self.clock.monotonic()
        how, *later = self.starts
        self.starts = tuple(later) or self.starts
        self.serving = self.reads()
        self.since = now_s
        self.was = ServiceState.STARTING
        up = (now_s + self.start_takes_s, ServiceState.RUNNING)
        down = (now_s + self.start_takes_s + (2.0 if how is Start.DIES else 0.0), ServiceState.STOPPED)
        self._timetable = {Start.WELL: [up], Start.FAILS: [down], Start.DIES: [up, down]}[how]

    def _refuse(self, what: str) -> None:
        if what in self.refuses:
            raise ServiceError(self.refuses[what], f"{self.name!r}: {what} was refused", "run as administrator")


NEVER: Final = math.inf
"""How long a hanging stop or start takes."""


# Trouble with files


class Killed(BaseException):
    """The process is gone: nothing after this happens in it."""


class Faulty:
    """A store in which the calls that write, counted from 1, go wrong.

    `faults` maps the number of a call to the error it ends in, before anything was written. After
    `Killed` every further call is `Killed` too. `after` is told the number of each call that went well.
    """

    def __init__(
        self,
        store: Store,
        faults: Mapping[int, RepoManagerError | Killed | KeyboardInterrupt] | None = None,
        after: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._store = store
        self._faults = faults or {}
        self._after = after
        self._dead = False
        self.calls: list[str] = []

    def begin(self, journal: Journal) -> None:
        self._write("begin", lambda: self._store.begin(journal))

    def pending(self) -> Journal | None:
        return self._store.pending()

    def size(self, path: str) -> int | None:
        if self._dead:
            raise Killed
        return self._store.size(path)

    def drop_closed(self) -> None:
        self._store.drop_closed()

    def same(self, path: str, other: str) -> bool:
        return self._store.same(path, other)

    def move(self, origin: str, destination: str) -> None:
        self._write(f"move {origin} -> {destination}", lambda: self._store.move(origin, destination))

    def settle(self) -> None:
        self._write("settle", self._store.settle)

    def commit(self, journal: Journal) -> None:
        self._write("commit", lambda: self._store.commit(journal))

    def abandon(self, journal: Journal) -> None:
        self._write("abandon", lambda: self._store.abandon(journal))

    def _write(self, what: str, act: Callable[[], None]) -> None:
        if self._dead:
            raise Killed
        self.calls.append(what)
        fault = self._faults.get(len(self.calls))
        if fault is not None:
            self._dead = isinstance(fault, Killed)
            raise fault
        act()
        self._after(len(self.calls))


def means_of(store: Store, service: Service, clock: Clock, patience: Timeouts | None = None) -> TransactionIO:
    return TransactionIO(store, service, clock, patience or Timeouts(), lambda _: None)
