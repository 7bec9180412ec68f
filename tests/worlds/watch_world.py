"""A watched world: real folders and transactions, with time, events and the service under the test's control."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import processes
import small_world
from processes import until
from simulator import FakeClock, MemoryService
from small_world import CATALOG, NOW, World

from repo_manager.adapters import folder_events
from repo_manager.adapters.filesystem.digests import Digests
from repo_manager.adapters.filesystem.repository_folder import SUBFOLDER, Folder, no_step
from repo_manager.adapters.filesystem.retired import REASONS
from repo_manager.adapters.installers.inspect import Checker
from repo_manager.app.watch_loop import FolderMonitor, WatchConfig, Watcher
from repo_manager.core import plan, selection
from repo_manager.core.audit import findings
from repo_manager.core.audit.findings import AuditFacts, Code, FileVerdict
from repo_manager.core.selection import Request
from repo_manager.core.watch_state import Scope, WatchEvent, WatchEventKind, WatchTiming

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator

    from repo_manager.app.change import ChangeContext, Snapshot
    from repo_manager.core.errors import RepoManagerError
    from repo_manager.core.plan import Plan
    from repo_manager.core.repository import File, FolderEntry, Listing

PACE: Final = WatchTiming(settle_s=10, quiet_s=2, burst_s=60, patience_s=300, interval_s=900, away_s=15, locked_s=30)


@dataclass
class Push(MemoryService):
    """The push service. It started before the watch did, and says so in the test's own time."""

    tells_start: bool = True

    def started_at(self) -> float | None:
        since = super().started_at()
        return None if since is None or not self.tells_start else NOW.timestamp() + since


@dataclass
class ScriptedBell:
    """Lets time pass, and what is to happen in it happens: acts, each at its second."""

    clock: FakeClock
    script: list[tuple[float, Callable[[], object]]] = field(default_factory=list)
    stopped: bool = False
    rings: int = 0
    waits: int = 0
    _rung: bool = False

    def ring(self) -> None:
        self.rings += 1
        self._rung = True

    def stop(self) -> None:
        self.stopped = True

    def take(self) -> bool:
        rung, self._rung = self._rung, False
        return rung

    def wait(self, seconds: float, *, deaf: bool) -> None:
        assert seconds > 0
        self.waits += 1
        until = self.clock.now_s + seconds
        while self.script and self.script[0][0] <= until and not self.stopped:
            at, act = self.script.pop(0)
            self.clock.now_s = max(self.clock.now_s, at)
            act()
            if self._rung and not deaf:
                return
        self.clock.now_s = max(self.clock.now_s, until)


@dataclass
class Eyes:
    """An observation that can break."""

    kind: str = "native"
    broken: bool = False
    ended: bool = False

    def stop(self) -> None:
        self.ended = True


class Blocked(Checker):
    """Cannot read some files."""

    def __init__(self, world: World, folder: Folder, names: Container[str]) -> None:
        super().__init__(folder.file, Digests(world.cache, folder.path), folder.records())
        self._names = names

    def read(
        self, listing: Listing, files: Iterable[File], progress: Callable[[int], None] = lambda _: None
    ) -> dict[str, FileVerdict]:
        blocked = [file.name for file in files if file.name in self._names]
        others = [file for file in files if file.name not in blocked]
        verdict = FileVerdict(Code.CORRUPT, "cannot be read: Input/output error", read=False)
        return {**super().read(listing, others, progress), **dict.fromkeys(blocked, verdict)}


class CountingFolder(Folder):
    """Knows how often it was looked at from outside a transaction."""

    looks = 0

    def scan(self) -> tuple[FolderEntry, ...]:
        self.looks += 1
        return super().scan()


@dataclass
class Watched:
    """One watch of a world, to be run from second 0 until a second of the test's choice."""

    world: World
    clock: FakeClock = field(default_factory=FakeClock)
    service: Push = field(init=False)
    bell: ScriptedBell = field(init=False)
    folder: CountingFolder = field(init=False)
    told: list[WatchEvent] = field(default_factory=list)
    eyes: list[Eyes] = field(default_factory=list)
    held: set[str] = field(default_factory=set)
    blocked: set[str] = field(default_factory=set)
    pulse: Callable[[Path], tuple[int, int, int] | None] = folder_events.pulse
    opens_in: Callable[[], float] = lambda: 0.0
    step: Callable[[str], None] = no_step
    restart: bool = True
    dry_run: bool = False
    blind: bool = False
    trouble: RepoManagerError | None = None
    remarks: tuple[str, ...] = ()
    afterwards: Callable[[ChangeContext], None] = lambda _: None
    attendant: Watcher = field(init=False)

    def __post_init__(self) -> None:
        self.service = Push(self.clock, reads=self.installers)
        self.bell = ScriptedBell(self.clock)
        self.folder = CountingFolder(self.world.repository, step=self._stepped, sleep=lambda _: None)

    # What happens

    def at(self, second: float, *acts: Callable[[], object], silent: bool = False) -> Watched:
        """Something happens then, and rings unless it is `silent`."""
        rings = () if silent else (self.bell.ring,)
        self.bell.script += [(second, act) for act in (*acts, *rings)]
        return self

    def dropped(self, name: str, data: bytes | None = None) -> Callable[[], None]:
        return lambda: self.world.put(name, data)

    def until(self, second: float) -> Watched:
        """Run from the beginning until then."""
        self.at(second, self.bell.stop, silent=True)
        self.bell.script.sort(key=lambda item: item[0])
        self.attendant = Watcher(
            WatchConfig(
                folder=self.folder,
                bench=self.bench,
                plan=planned,
                opens_in=self.opens_in,
                afterwards=self.afterwards,
                remarks=lambda: self.remarks,
                restart=self.restart,
                dry_run=self.dry_run,
            ),
            FolderMonitor(self.observe, lambda path: path.name in self.held, self.pulse, 2.0),
            bell=self.bell,
            clock=self.clock,
            now=self.now,
            pace=PACE,
            tell=self.told.append,
        )
        self.attendant.run()
        return self

    def now(self) -> datetime:
        return NOW + timedelta(seconds=self.clock.now_s)

    def bench(self) -> ChangeContext:
        if self.trouble is not None:
            raise self.trouble
        made = small_world.bench(self.world)
        return replace(
            made,
            folder=self.folder,
            checker=lambda folder: Blocked(self.world, folder, self.blocked),
            service=self.service,
            clock=self.clock,
            now=self.now,
        )

    def observe(self, ring: Callable[[], None]) -> Eyes:
        if self.blind:
            raise OSError
        self.eyes.append(Eyes())
        return self.eyes[-1]

    def _stepped(self, what: str) -> None:
        self.step(what)

    # What came of it

    def names(self) -> set[str]:
        """The files of the repository."""
        return {path.name for path in self.world.repository.iterdir() if path.is_file() and not path.is_symlink()}

    def installers(self) -> frozenset[str]:
        return frozenset(name for name in self.names() if name.startswith("Microsoft"))

    def retired(self) -> set[str]:
        return {file.name for file in self.folder.retired()}

    def reasons(self) -> str:
        """What lies beside the retired files."""
        found = sorted((self.world.repository / SUBFOLDER / "retired").glob(f"*/{REASONS}"))
        return "".join(path.read_text(encoding="utf-8") for path in found)

    def whats(self, *but: WatchEventKind) -> list[WatchEventKind]:
        """What was told, without beginning and end and what is of no interest here."""
        return [
            item.what
            for item in self.told
            if item.what not in {WatchEventKind.STARTED, WatchEventKind.STOPPED, WatchEventKind.NOTE, *but}
        ]

    def messages(self, what: WatchEventKind) -> list[str]:
        return [item.message for item in self.told if item.what is what]

    @property
    def restarts(self) -> int:
        return self.service.asked.count("start")


def planned(seen: Snapshot, scope: Scope) -> Plan:
    wanted = selection.select(Request(), seen.listing, CATALOG)
    judged = findings.audit(seen.listing, wanted, CATALOG, AuditFacts(seen.verdicts))
    return (plan.prune if scope is Scope.ALL else plan.dangers)(seen.listing, judged, seen.verdicts)


# A watch in a process of its own

LIMIT_S: Final = 60.0


@dataclass
class Process:
    """`repo-manager watch --json` as people start it, and what it has printed so far."""

    process: subprocess.Popen[str]
    lines: list[dict[str, Any]] = field(default_factory=list)

    def listen(self) -> None:
        assert self.process.stdout is not None
        self.lines += (json.loads(line) for line in self.process.stdout)

    def said(self, event: str) -> int:
        return sum(line.get("event") == event for line in list(self.lines))

    def until(self, event: str, times: int = 1) -> None:
        until(lambda: self.said(event) >= times, f"{event} was printed {times} times: {self.lines}", LIMIT_S)


@contextlib.contextmanager
def started(world: World, *options: str) -> Iterator[Process]:
    line = ("--json", "--repository", str(world.repository), "--catalog", str(world.catalog))
    with subprocess.Popen(
        [sys.executable, "-m", "repo_manager", *line, "watch", "--settle", "1", *options],
        env=processes.environment(world),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        encoding="utf-8",
    ) as process:
        watch = Process(process)
        listener = threading.Thread(target=watch.listen)
        listener.start()
        try:
            watch.until("note")
            yield watch
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()
            listener.join()
