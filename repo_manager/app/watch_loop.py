"""One watch of a repository, from the first look until somebody asks for the end.

    ring, pulse, timer -> look -> judge -> one transaction -> a line for each thing done

When to look and what may be touched is `watching`'s to say; how a change is made is `operation`'s.
Nothing that goes wrong with the folder, the service or the catalog ends the watch: it is told, the
folder is as it was, and the next try comes later each time.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Protocol

from repo_manager.adapters.filesystem.paths import inside, shown
from repo_manager.adapters.filesystem.scan import changed_at
from repo_manager.app import change
from repo_manager.app.change import Progress, Snapshot, Task
from repo_manager.core import repository, watch_state
from repo_manager.core.audit.findings import Severity
from repo_manager.core.errors import LockedError, RepoManagerError, ServiceError
from repo_manager.core.plan import Plan, Restart, Retire
from repo_manager.core.transaction import ActionResult
from repo_manager.core.watch_state import BatchResult, Scope, WatchEvent, WatchEventKind
from repo_manager.report.text import safe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import datetime
    from pathlib import Path

    from repo_manager.adapters.filesystem.repository_folder import Folder
    from repo_manager.app.change import ChangeContext
    from repo_manager.core.repository import File, FolderEntry, Listing
    from repo_manager.core.service import Clock
    from repo_manager.core.transaction import Outcome
    from repo_manager.core.watch_state import Batch, WatchTiming


class WakeSignal(Protocol):
    """What wakes the watch."""

    @property
    def stopped(self) -> bool:
        """Whether somebody has asked for the end."""
        ...

    def ring(self) -> None:
        """Something may have happened."""
        ...

    def stop(self) -> None:
        """Ask for the end."""
        ...

    def take(self) -> bool:
        """Whether it has rung since the last time."""
        ...

    def wait(self, seconds: float, *, deaf: bool) -> None:
        """Wait that long, until the end is asked for, or, unless `deaf`, until it rings."""
        ...


class ObservedFolder(Protocol):
    """Events of a folder, which ring."""

    @property
    def kind(self) -> str:
        """How they are learned of."""
        ...

    @property
    def broken(self) -> bool:
        """Whether no more will come."""
        ...

    def stop(self) -> None:
        """No more of them."""
        ...


@dataclass(frozen=True, slots=True)
class FolderMonitor:
    """How the folder is perceived. `pulse` changes when the folder itself does, and is None when it cannot be seen.

    `observe` makes the bell ring from now on, or raises OSError. `pulse_s` is how often the pulse is felt.
    """

    observe: Callable[[Callable[[], None]], ObservedFolder]
    held_open: Callable[[Path], bool]
    pulse: Callable[[Path], tuple[int, int, int] | None]
    pulse_s: float


@dataclass(frozen=True, slots=True)
class WatchConfig:
    """What to do, and how far to go.

    `bench` is asked anew for every tending: the catalog may be another by then. `plan` makes a plan of
    what is seen, as far as the scope allows. `opens_in` says in how many seconds the service may be
    restarted, 0 for now. `afterwards` is called when a change was made. `remarks` is what judging left
    to say, a line each.
    """

    folder: Folder
    bench: Callable[[], ChangeContext]
    plan: Callable[[Snapshot, Scope], Plan]
    opens_in: Callable[[], float] = lambda: 0.0
    afterwards: Callable[[ChangeContext], None] = lambda _: None
    remarks: Callable[[], Iterable[str]] = tuple
    restart: bool = True
    dry_run: bool = False


class Watcher:
    """Watches one repository. Everything worth knowing is handed to `tell`, one value for each thing."""

    def __init__(  # noqa: PLR0913 - the parts of the world, each by name
        self,
        orders: WatchConfig,
        senses: FolderMonitor,
        *,
        bell: WakeSignal,
        clock: Clock,
        now: Callable[[], datetime],
        pace: WatchTiming,
        tell: Callable[[WatchEvent], None],
    ) -> None:
        self._orders = orders
        self._senses = senses
        self._bell = bell
        self._clock = clock
        self._now = now
        self._tell = tell
        self._watch = watch_state.begin(clock.monotonic(), pace)
        self._observation: ObservedFolder | None = None
        self._pulse: tuple[int, int, int] | None = None
        self._observed: tuple[int, int] | None = None
        self._said: dict[str, object] = {"unread": {}}
        self._arrived: Mapping[str, FolderEntry] = {}
        self._unread: Mapping[str, str] = {}
        self._remarked: tuple[str, ...] = ()
        self._knows = False
        self._place = shown(orders.folder.path)

    def run(self) -> None:
        """Watch until the bell says stop.

        Raises:
            KeyboardInterrupt: somebody asked for the end in another way; a change under way was put back.
        """
        try:
            self._say(WatchEventKind.STARTED, f"watching {self._place}", repository=self._place)
            while not self._bell.stopped:
                self._turn()
        finally:
            self._unobserve()
            self._say(WatchEventKind.STOPPED, f"no longer watching {self._place}")

    def _turn(self) -> None:
        """Look if it is time, and otherwise wait for a moment."""
        now = self._clock.monotonic()
        due = self._watch.due(now, self._orders.opens_in())
        if due <= now:
            self._look(now)
            return
        # Once something is known to have happened, more of it must not wake us.
        self._bell.wait(min(due - now, self._senses.pulse_s), deaf=self._watch.first_hint_s is not None)
        changed = self._feel()
        if self._bell.take() or changed:
            self._watch = self._watch.hinted(self._clock.monotonic())

    # Looking

    def _feel(self) -> bool:
        """Whether the folder itself is another than it was."""
        before, self._pulse = self._pulse, self._senses.pulse(self._orders.folder.path)
        return self._watch.there and self._pulse != before

    def _look(self, now: float) -> None:
        folder = self._orders.folder
        self._recover()
        try:
            listing = repository.survey(str(folder.path), folder.scan())
        except RepoManagerError as error:
            self._lose(now, error.message)
            return
        # Not `is_dir`, which may raise where a share is going away.
        own = self._senses.pulse(folder.sub) is not None
        if self._watch.looks_away(listing, own=own):
            self._lose(now, f"{self._place} is empty all at once, as the place of a share is that was taken away")
            return
        self._find()
        held = frozenset(
            name for name in self._watch.ripe(now, listing) if self._senses.held_open(inside(folder.path, name))
        )
        self._watch = self._watch.looked(now, listing, own=own, held=held)
        self._tell_held(held)
        self._tend_if_due(now)

    def _recover(self) -> None:
        """Take back what a killed run left half done, before anything is judged by it."""
        if self._orders.dry_run:
            return
        try:
            if self._orders.folder.pending() is not None:
                bench = replace(self._orders.bench(), voice=_BatchProgress(self._note))
                change.perform(bench, Task("watch", lambda _: Plan(), lambda _: (), restart=False))
        except LockedError:
            # It is not half done but under way.
            return
        except RepoManagerError as error:
            if self._news("recovery", why=error.message):
                self._fail(error)
            return
        self._said.pop("recovery", None)

    def _lose(self, now: float, why: str) -> None:
        """The folder is away: nothing is planned and nothing is made there until it is back."""
        self._watch = self._watch.lost(now)
        self._knows = False
        self._unobserve()
        if self._news("away", why="away"):
            self._say(WatchEventKind.AWAY, f"{why}; waiting until it is back", Severity.WARNING)

    def _find(self) -> None:
        """See to it that events come, and from the folder that lies there now."""
        if self._said.pop("away", None):
            self._say(WatchEventKind.BACK, f"{self._place} is back", repository=self._place)
        self._pulse = self._senses.pulse(self._orders.folder.path)
        place = self._pulse and self._pulse[:2]
        if self._observation is not None and (place != self._observed or self._observation.broken):
            self._unobserve()
        if self._observation is None:
            # Without events there is still the pulse, and the timer.
            with contextlib.suppress(OSError):
                self._observation = self._senses.observe(self._bell.ring)
                self._observed = place
                if self._news("observer", why=self._observation.kind):
                    self._say(
                        WatchEventKind.NOTE, f"changes are learned of by {_WORDS.get(self._observation.kind, 'events')}"
                    )

    def _unobserve(self) -> None:
        if self._observation is not None:
            self._observation.stop()
            self._observation = None

    # Tending

    def _tend_if_due(self, now: float) -> None:
        opens_in_s = self._orders.opens_in()
        tend = self._watch.decide(now, opens_in_s)
        if tend is not None:
            result, gone = self._tended(tend, now)
            self._watch = self._watch.tended(self._clock.monotonic(), tend, result, gone)
            self._knows = self._knows or (result is BatchResult.DONE and tend.scope is Scope.ALL)

    def _tended(self, tend: Batch, now: float) -> tuple[BatchResult, tuple[str, ...]]:
        try:
            result, gone = self._carry_out(tend, now)
        except LockedError as error:
            if self._news("locked", why=error.message):
                self._say(WatchEventKind.WAITING, error.message)
            return BatchResult.LOCKED, ()
        except RepoManagerError as error:
            self._fail(error)
            return BatchResult.FAILED, ()
        self._said.pop("locked", None)
        return result, gone

    def _carry_out(self, tend: Batch, now: float) -> tuple[BatchResult, tuple[str, ...]]:
        """Plan, and make one transaction of it where there is anything to do. Returns also the names that went out."""
        bench = replace(self._orders.bench(), voice=_BatchProgress(self._note))
        task = self._task(tend, now)
        plan = change.preview(bench, task)
        self._tell_remarks()
        self._tell_unread()
        self._tell_arrived(tend, plan)
        self._tell_waiting(tend, bench)
        if self._orders.dry_run:
            self._tell_planned(plan)
        if self._orders.dry_run or not plan.actions:
            return BatchResult.DONE, ()
        outcome = change.perform(bench, task)
        if outcome.error is not None:
            self._fail(outcome.error, outcome.service.remark)
            return BatchResult.FAILED, ()
        gone = self._tell_done(outcome)
        if gone or tend.arrived:
            try:
                self._orders.afterwards(bench)
            except RepoManagerError as error:
                self._fail(error)
        return BatchResult.DONE, gone

    def _task(self, tend: Batch, now: float) -> Task:
        """What may be done, with every file left out that is not as it was when it had settled."""

        def settled(listing: Listing) -> Listing:
            files = [file for file in listing.files if tend.settled.get(file.name) == file.entry]
            return repository.survey(listing.repository, [file.entry for file in files])

        def planner(seen: Snapshot) -> Plan:
            listing = settled(seen.listing)
            known = {file.name: seen.verdicts[file.name] for file in listing.files if file.name in seen.verdicts}
            # Nobody is at hand to say whether it is the file that is broken, or the way to it.
            unread = {name for name, verdict in known.items() if not verdict.read}
            self._unread = {name: known[name].message for name in unread}
            entries = [file.entry for file in listing.files if file.name not in unread]
            known = {name: verdict for name, verdict in known.items() if verdict.read}
            return self._orders.plan(
                Snapshot(seen.folder, repository.survey(listing.repository, entries), known), tend.scope
            )

        def matter(listing: Listing) -> tuple[File, ...]:
            return settled(listing).installers

        def changed() -> float | None:
            if tend.changed_s is None:
                return None
            seen = self._now().timestamp() - (now - tend.changed_s)
            # What we saw was a little earlier; the folder knows when, if it was not in a file alone.
            own = None if tend.in_place else changed_at(self._orders.folder.path)
            return seen if own is None else min(seen, own)

        restart = self._orders.restart and tend.scope is Scope.ALL
        # Of what came before the watch began the folder's own time tells.
        return Task("watch", planner, matter, restart=restart, changed=changed if self._knows else None)

    # Telling

    def _say(self, what: WatchEventKind, message: str, severity: Severity = Severity.INFO, **facts: str) -> None:
        said = {name: _one_line(fact) for name, fact in facts.items()}
        self._tell(WatchEvent(self._now(), what, severity, safe(_one_line(message)), said))

    def _news(self, topic: str, *, why: object) -> bool:
        """Whether this is the first time, or another than the last, that there is this to say of the topic."""
        last, self._said[topic] = self._said.get(topic), why
        return last != why

    def _note(self, text: str) -> None:
        self._say(WatchEventKind.NOTE, text)

    def _fail(self, error: RepoManagerError, remark: str = "") -> None:
        what = WatchEventKind.SERVICE_FAILED if isinstance(error, ServiceError) else WatchEventKind.FAILED
        message = f"{error.message}; {remark}" if remark else error.message
        self._say(what, message, Severity.ERROR, code=error.code, hint=error.hint)

    def _tell_held(self, held: frozenset[str]) -> None:
        known = self._said.get("held")
        before = known if isinstance(known, frozenset) else frozenset()
        for name in sorted(held - before):
            self._say(
                WatchEventKind.WAITING,
                f"{name} is held open by another program; it is left alone until then",
                file=name,
            )
        # Those that are not asked for just now are still held, as far as anybody knows.
        self._said["held"] = held | (before & self._watch.unsettled.keys())

    def _tell_unread(self) -> None:
        if self._news("unread", why=self._unread):
            for name, why in sorted(self._unread.items()):
                self._say(WatchEventKind.WAITING, f"{name} {why}; it is left alone", file=name)

    def _tell_remarks(self) -> None:
        remarks = tuple(self._orders.remarks())
        for remark in remarks:
            if remark not in self._remarked:
                self._note(remark)
        self._remarked = remarks or self._remarked

    def _tell_arrived(self, tend: Batch, plan: Plan) -> None:
        going = {move.name for move in plan.moves} | self._unread.keys()
        arrived = {name: tend.settled[name] for name in sorted(tend.arrived - going)}
        for name, entry in arrived.items():
            # The next try after a failure is about the same files.
            if self._arrived.get(name) != entry:
                self._say(WatchEventKind.ARRIVED, f"{name} is whole and stays", file=name)
        self._arrived = arrived

    def _tell_waiting(self, tend: Batch, bench: ChangeContext) -> None:
        """Say once that something waits for the maintenance window."""
        seconds = self._orders.opens_in()
        if tend.scope is Scope.ALL or seconds <= 0:
            self._said.pop("window", None)
            return
        rest = change.preview(bench, self._task(replace(tend, scope=Scope.ALL), self._clock.monotonic()))
        if rest.actions and self._news("window", why="closed"):
            words = f"{len(rest.actions)} actions wait for the maintenance window, in {seconds / 3600:.1f} hours"
            self._say(WatchEventKind.WAITING, words)

    def _tell_planned(self, plan: Plan) -> None:
        if not self._news("plan", why=plan):
            return
        for action in plan.actions:
            if isinstance(action, Retire):
                words = f"would retire {action.name}: {action.reason}"
                self._say(WatchEventKind.PLANNED, words, action="retire", file=action.name, reason=action.reason)
            elif isinstance(action, Restart):
                words = f"would restart {action.service}: {action.reason}"
                self._say(WatchEventKind.PLANNED, words, action="restart", service=action.service, reason=action.reason)

    def _tell_done(self, outcome: Outcome) -> tuple[str, ...]:
        gone = []
        identity = outcome.identity
        for action, result in outcome.results:
            if isinstance(action, Retire):
                gone.append(action.name)
                facts = {"file": action.name, "reason": action.reason, "transaction": identity}
                self._say(WatchEventKind.RETIRED, f"{action.name}: {action.reason}", Severity.WARNING, **facts)
            elif isinstance(action, Restart) and result is ActionResult.DONE:
                words = f"restarted {action.service}: {action.reason}"
                self._say(WatchEventKind.RESTARTED, words, service=action.service, transaction=identity)
            elif outcome.service.remark and self._news("service", why=outcome.service.remark):
                self._note(outcome.service.remark)
        return tuple(gone)


class _BatchProgress(Progress):
    """What an operation says goes where everything goes."""

    def __init__(self, note: Callable[[str], None]) -> None:
        self._note_to = note

    def note(self, text: str) -> None:
        self._note_to(text)


_WORDS: Final[Mapping[str, str]] = {"polling": "looking every few seconds"}


def _one_line(text: str) -> str:
    return " ".join(text.split())
