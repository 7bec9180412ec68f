"""When to look at a watched folder, and what may be touched there: a value that is handed the time and what was seen.

    hinted -> due -> looked -> decide -> tended

Events are hints to look earlier; what counts is what a look shows. A file is left alone until it has
been the same for a while and nobody writes to it. Then dangers are removed at once, and all else is
done when the folder is calm and the maintenance window is open, so that a burst costs one restart.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from repo_manager.core import names
from repo_manager.core.repository import FileKind

if TYPE_CHECKING:
    from collections.abc import Container, Iterable
    from datetime import datetime

    from repo_manager.core.audit.findings import Severity
    from repo_manager.core.repository import File, FolderEntry, Listing


class WatchEventKind(StrEnum):
    """What can happen while a folder is watched. The words are public: they stand in logs and documents."""

    STARTED = "started"
    STOPPED = "stopped"
    ARRIVED = "arrived"
    RETIRED = "retired"
    RESTARTED = "restarted"
    WAITING = "waiting"
    PLANNED = "planned"
    AWAY = "away"
    BACK = "back"
    FAILED = "failed"
    SERVICE_FAILED = "service-failed"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class WatchEvent:
    """One thing worth a line in a log. `message` is one line; `facts` name the file, the reason and the like."""

    at: datetime
    what: WatchEventKind
    severity: Severity
    message: str
    facts: Mapping[str, str] = field(default_factory=dict)


class Scope(StrEnum):
    """How much may be done."""

    DANGERS = "dangers"
    """Files that must not be handed to a machine go out. The service is left alone."""
    ALL = "all"
    """Superseded files go out too, and the service is restarted."""


class BatchResult(StrEnum):
    """What became of a tending."""

    DONE = "done"
    LOCKED = "locked"
    """Another run was changing the repository."""
    FAILED = "failed"
    """The folder is as it was."""


@dataclass(frozen=True, slots=True)
class WatchTiming:
    """How long things take, in seconds.

    A file must be the same for `settle_s`. A look comes `quiet_s` after the last hint, and at most
    `burst_s` after the first. `patience_s` is how long files that do not settle put off the others,
    and how long a file with an unfinished name must be the same. `interval_s` is the longest time
    between two looks; a folder that is away is looked for every `away_s`, and a lock every `locked_s`.
    """

    settle_s: float = 10.0
    quiet_s: float = 2.0
    burst_s: float = 60.0
    patience_s: float = 900.0
    interval_s: float = 900.0
    away_s: float = 15.0
    locked_s: float = 30.0


@dataclass(frozen=True, slots=True)
class GrowingFile:
    """A file that may still be written, as it was last seen.

    It may be asked for at `ripe_s`. `since_s` is when it came or changed, None when that was before
    anybody looked. An `unfinished` name says of itself that the file is not whole.
    """

    entry: FolderEntry
    ripe_s: float
    since_s: float | None
    unfinished: bool


Identity = tuple[str, int, int, int]
"""Name, size, modification time and file id: what stays when a file is moved out and put back."""


@dataclass(frozen=True, slots=True)
class FailedBatch:
    """A tending that failed: that set of files is left alone until `until_s`, a little longer each time."""

    scope: Scope
    files: frozenset[Identity]
    count: int
    until_s: float


@dataclass(frozen=True, slots=True)
class Batch:
    """What may be done now: to the `settled` files alone, as they were seen.

    `arrived` are the installers among them that came or changed since the last tending. `changed_s` is
    when installers last came, changed or went since the service was last looked after, None when none
    did. `in_place` says that one of them changed under its name, which the folder's own time does not show.
    """

    scope: Scope
    settled: Mapping[str, FolderEntry]
    arrived: frozenset[str]
    changed_s: float | None
    in_place: bool


@dataclass(frozen=True, slots=True)
class WatchState:
    """What is known of a watched folder. Times are seconds of one clock that never goes back.

    Its size is bounded by the number of files in the folder: hints take no room.

    `unchecked` says that something has settled that nobody has judged yet, `owing_s` since when
    there has been something that only a tending of all can settle.
    """

    pace: WatchTiming
    rescan_s: float
    there: bool = False
    peopled: bool = False
    first_hint_s: float | None = None
    last_hint_s: float = 0.0
    settled: Mapping[str, FolderEntry] = field(default_factory=dict)
    unsettled: Mapping[str, GrowingFile] = field(default_factory=dict)
    arrived: frozenset[str] = frozenset()
    unchecked: bool = False
    owing_s: float | None = None
    changed_s: float | None = None
    in_place: bool = False
    retry_s: float | None = None
    setback: FailedBatch | None = None

    # What comes in

    def hinted(self, now: float) -> WatchState:
        """Something may have happened."""
        first = now if self.first_hint_s is None else self.first_hint_s
        return replace(self, first_hint_s=first, last_hint_s=now)

    def looks_away(self, listing: Listing, *, own: bool) -> bool:
        """Whether an empty folder is none: there were files, or the tool's `own` sub-folder, and all of it is gone.

        So looks the place where a share was mounted.
        """
        return self.peopled and not listing.files and not own

    def lost(self, now: float) -> WatchState:
        """The folder cannot be seen. What was known of its files counts no more."""
        return WatchState(self.pace, now + self.pace.away_s, peopled=self.peopled, setback=self.setback)

    def ripe(self, now: float, listing: Listing) -> tuple[str, ...]:
        """The files that are settled unless somebody holds them open."""
        return tuple(
            file.name
            for file in listing.files
            if (growth := self.unsettled.get(file.name)) and growth.entry == file.entry and growth.ripe_s <= now
        )

    def looked(self, now: float, listing: Listing, *, own: bool = True, held: Container[str] = ()) -> WatchState:
        """The folder was looked at. `held` are those of the `ripe` files that somebody writes to."""
        settled: dict[str, FolderEntry] = {}
        unsettled: dict[str, GrowingFile] = {}
        ripe = frozenset(self.ripe(now, listing))
        rewritten = []
        for file in listing.files:
            if self.settled.get(file.name) == file.entry or (file.name in ripe and file.name not in held):
                settled[file.name] = file.entry
            else:
                unsettled[file.name] = self._growing(file, now, held=file.name in ripe)
                if file.name in self.settled:
                    rewritten.append(file.name)
        fresh = settled.keys() - self.settled.keys()
        gone = self.settled.keys() - settled.keys() - unsettled.keys()
        arrived = {name for name in fresh if self.unsettled[name].since_s is not None and _matters(name)}
        times = [since for name in arrived if (since := self.unsettled[name].since_s) is not None]
        times += [self._happened(now)] * any(map(_matters, gone))
        rescan = now >= self.rescan_s
        news = bool(settled) and bool(fresh or gone or rescan)
        return replace(
            self,
            rescan_s=now + self.pace.interval_s if rescan else self.rescan_s,
            there=True,
            peopled=self.peopled or own or bool(listing.files),
            first_hint_s=None,
            settled=settled,
            unsettled=unsettled,
            arrived=(self.arrived & settled.keys()) | arrived,
            unchecked=bool(settled) and (self.unchecked or news),
            owing_s=(now if self.owing_s is None and news else self.owing_s) if settled else None,
            changed_s=max([*times, *([] if self.changed_s is None else [self.changed_s])], default=None),
            in_place=self.in_place or any(unsettled[name].since_s is not None for name in rewritten),
        )

    def tended(self, now: float, tend: Batch, result: BatchResult, gone: Iterable[str] = ()) -> WatchState:
        """Something was done, or could not be. `gone` are the names that were moved out."""
        if result is BatchResult.LOCKED:
            return replace(self, retry_s=now + self.pace.locked_s)
        if result is BatchResult.FAILED:
            setback = self._set_back(now, tend)
            # Dangers may still go out where only the service failed.
            return replace(self, retry_s=None, setback=setback, owing_s=now, unchecked=tend.scope is Scope.ALL)
        moved = frozenset(gone)
        left = {name: entry for name, entry in self.settled.items() if name not in moved}
        done = replace(self, settled=left, arrived=frozenset(), unchecked=False, retry_s=None)
        if tend.scope is Scope.ALL:
            return replace(done, owing_s=None, changed_s=None, in_place=False, setback=None)
        rest = self.setback and replace(
            self.setback, files=frozenset(item for item in self.setback.files if item[0] not in moved)
        )
        return replace(done, changed_s=now if moved else self.changed_s, setback=rest)

    # What comes out

    def decide(self, now: float, opens_in_s: float = 0.0) -> Batch | None:
        """What may be done now, None when nothing. The maintenance window opens in `opens_in_s`, 0 when it is open."""
        for scope in (Scope.ALL, Scope.DANGERS):
            at = self._at(scope, now, opens_in_s)
            if at is not None and at <= now:
                return Batch(scope, self.settled, self.arrived, self.changed_s, self.in_place)
        return None

    def due(self, now: float, opens_in_s: float = 0.0) -> float:
        """When to look next, at the latest `interval_s` from the last scheduled look."""
        if not self.there:
            return self.rescan_s
        times = [self.rescan_s, *(growth.ripe_s for growth in self.unsettled.values())]
        if self.first_hint_s is not None:
            times.append(min(self.last_hint_s + self.pace.quiet_s, self.first_hint_s + self.pace.burst_s))
        times += [at for scope in Scope if (at := self._at(scope, now, opens_in_s)) is not None]
        return min(times)

    # Rules

    def _growing(self, file: File, now: float, *, held: bool) -> GrowingFile:
        growth = self.unsettled.get(file.name)
        if growth is None or growth.entry != file.entry:
            unfinished = file.kind is FileKind.PARTIAL
            still_s = max(self.pace.patience_s, self.pace.settle_s) if unfinished else self.pace.settle_s
            before = self.settled.get(file.name)
            # What was moved out and put back has another change time, but it is no news.
            put_back = before is not None and _identity(before) == _identity(file.entry)
            since_s = self._happened(now) if self.there and not put_back else None
            return GrowingFile(file.entry, now + still_s, since_s, unfinished)
        return replace(growth, ripe_s=now + self.pace.settle_s) if held else growth

    def _happened(self, now: float) -> float:
        """When what a look shows has come about, as far as anybody knows: the last hint came soon after it."""
        return now if self.first_hint_s is None else self.last_hint_s

    def _at(self, scope: Scope, now: float, opens_in_s: float) -> float | None:
        """When that much may be done, None when there is nothing to do."""
        not_before = max(self.retry_s or now, self._spared_until(scope, now))
        if scope is Scope.DANGERS:
            return not_before if self.unchecked else None
        if self.owing_s is None:
            return None
        busy = any(not growth.unfinished for growth in self.unsettled.values())
        calm = self.owing_s + self.pace.patience_s if busy else now
        return max(not_before, calm, now + opens_in_s)

    def _spared_until(self, scope: Scope, now: float) -> float:
        setback = self.setback
        if setback is None or (setback.scope is Scope.ALL and scope is Scope.DANGERS):
            return now
        return setback.until_s if setback.files == _identities(self.settled.values()) else now

    def _set_back(self, now: float, tend: Batch) -> FailedBatch:
        files = _identities(tend.settled.values())
        again = self.setback is not None and self.setback.files == files
        count = self.setback.count + 1 if self.setback is not None and again else 1
        longer = min(self.pace.interval_s * 2 ** min(count - 1, _MOST_DOUBLINGS), max(_DAY_S, self.pace.interval_s))
        return FailedBatch(tend.scope, files, count, now + longer)


_DAY_S: Final = 86400.0
_MOST_DOUBLINGS: Final = 30


def begin(now: float, pace: WatchTiming) -> WatchState:
    """A folder of which nothing is known: it is looked at once."""
    return WatchState(pace, now)


def _matters(name: str) -> bool:
    """Whether the service has an interest in a file: notes and the like may come and go."""
    return names.token_of(name) is not None


def _identities(entries: Iterable[FolderEntry]) -> frozenset[Identity]:
    return frozenset(map(_identity, entries))


def _identity(entry: FolderEntry) -> Identity:
    return entry.name, entry.size_bytes, entry.stamp[0], entry.stamp[2]
