"""One change of a repository, from the lock to the look at what came of it.

    lock -> recover -> look -> plan -> agree -> room -> fetch and verify -> transaction -> look again

`sync`, `add`, `prune` and `restore` differ only in the plan they make of what they see.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from repo_manager.adapters.filesystem.lock import Lock, holder
from repo_manager.adapters.filesystem.os_errors import no_rights
from repo_manager.adapters.filesystem.paths import shown
from repo_manager.adapters.filesystem.repository_folder import PlacedRecord, timestamp
from repo_manager.adapters.filesystem.retired import reasons_text
from repo_manager.adapters.windows.service import serves_older_set
from repo_manager.core.errors import (
    DeclinedError,
    ExitCode,
    InputError,
    MachineError,
    RepoManagerError,
    ServiceError,
    TransferError,
)
from repo_manager.core.plan import Download, Place, Plan, Restart, Retire
from repo_manager.core.service import ServiceReport, ServiceState
from repo_manager.core.transaction import ActionResult, Outcome, TransactionIO, carry_out, recover

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from repo_manager.adapters.filesystem.repository_folder import Folder
    from repo_manager.adapters.installers.inspect import Checker
    from repo_manager.adapters.sources.fetching import Collected, Fetcher, StagedFile
    from repo_manager.core.audit.findings import FileVerdict
    from repo_manager.core.catalog import Catalog
    from repo_manager.core.names import Token
    from repo_manager.core.plan import Action
    from repo_manager.core.repository import File, Listing
    from repo_manager.core.service import Clock, Service, Timeouts
    from repo_manager.core.transaction import Journal


class Progress:
    """How an operation speaks to whoever started it. This one is silent and agrees to everything."""

    def note(self, text: str) -> None:
        """Something worth knowing."""

    def detail(self, text: str) -> None:
        """A step, for those who asked to see them."""

    def agree(self, plan: Plan) -> bool:
        """Show the plan and ask whether to go on."""
        return bool(plan)

    def reading(self, total_bytes: int) -> Callable[[int], None]:  # noqa: ARG002 - for those who show it
        """Files are about to be read; what is returned is told of every so many bytes."""
        return lambda _: None

    def fetching(self, downloads: tuple[Download, ...]) -> Callable[[str, int], None]:  # noqa: ARG002 - same
        """Files are about to be fetched; what is returned is told how many bytes of each are there by now."""
        return lambda _name, _count: None

    def sized(self, total_bytes: int) -> None:
        """So many bytes are to be fetched, as the sources say."""

    def finished(self) -> None:
        """Reading or fetching has ended."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What an operation sees: the folder, its files, and what reading them showed.

    `locked` is False in a preview: then nothing may be kept of what was seen.
    """

    folder: Folder
    listing: Listing
    verdicts: Mapping[str, FileVerdict]
    locked: bool = False


Planner = Callable[[Snapshot], Plan]
"""Makes a plan of what is seen. Called again afterwards, when it must find nothing left to do."""

Matter = Callable[["Listing"], "tuple[File, ...]"]
"""Chooses the files whose bytes must be known before a plan can be made."""


@dataclass(frozen=True, slots=True)
class Retention:
    """How long retired files stay."""

    keep: int = 4
    days: int = 365


@dataclass(frozen=True, slots=True)
class ChangeContext:
    """What every operation on one repository is handed."""

    folder: Folder
    catalog: Catalog
    checker: Callable[[Folder], Checker]
    fetcher: Fetcher
    service: Service
    clock: Clock
    patience: Timeouts
    now: Callable[[], datetime]
    owner: Mapping[str, str | int]
    retention: Retention = Retention()
    voice: Progress = field(default_factory=Progress)

    def means(self) -> TransactionIO:
        """The part that a transaction needs."""
        return TransactionIO(self.folder, self.service, self.clock, self.patience, self.voice.detail)


@dataclass(frozen=True, slots=True)
class Task:
    """What to do: a name for the journal, a planner, and the files it must know.

    `converges` says that the planner must find nothing to do afterwards; true of all but `restore`.
    `admit` raises where a plan that is not empty may not be carried out now.
    `beside` is for a rehearsal whose sources another change is yet to make: they are not asked, and that change takes
    so many bytes of the same volume.
    `changed` is what whoever asks knows of the time at which the set last changed, in seconds since the
    epoch, and None where it did not. Left out, the folder's own time of change counts. A service that
    may not have started since is restarted even where nothing moves. `drop` are packages that may be left without an
    installer. `confirm` looks at what came in, before the service sees it, and raises where it is not as planned.
    """

    command: str
    planner: Planner
    matter: Matter
    converges: bool = True
    restart: bool = True
    changed: Callable[[], float | None] | None = None
    drop: frozenset[Token] = frozenset()
    confirm: Callable[[], None] = lambda: None
    admit: Callable[[Plan], None] = lambda _: None
    beside: int | None = None


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What a run would do, and what would stop it, in the order of a run.

    `interrupted` is the journal of a killed run, which the run would undo first. The plan is for the folder after
    that.
    """

    plan: Plan
    obstacles: tuple[RepoManagerError, ...] = ()
    interrupted: Journal | None = None


def preview(bench: ChangeContext, task: Task) -> Plan:
    """The plan, without changing anything.

    Raises:
        RepoManagerError: the folder cannot be read, or the task cannot be planned.
    """
    return _planned(bench, task, _look(bench, task))


def after_recovery(bench: ChangeContext) -> ChangeContext:
    """The workbench with the folder as `perform` finds it after it has undone an interrupted run.

    Raises:
        MachineError: the journal cannot be read, or the disk refused.
    """
    from repo_manager.adapters.filesystem import recovered

    return replace(bench, folder=recovered.after_recovery(bench.folder))


def rehearse(bench: ChangeContext, task: Task) -> Rehearsal:
    """What `perform` would do and what would stop it. Leaves no trace in the folder.

    The plan is made for the folder after recovery.
    The sources are asked which files they have and how large these are; nothing is downloaded.

    Raises:
        RepoManagerError: the folder cannot be read, or the task cannot be planned.
    """
    # As in a run: first of all there must be a folder.
    bench.folder.scan()
    obstacles = _in_the_way(bench)
    try:
        bench = after_recovery(bench)
        seen = _look(bench, task)
        plan = _planned(bench, task, seen)
    except RepoManagerError as error:
        # The first obstacle is what the run would end with.
        raise (*obstacles, error)[0] from error
    interrupted = bench.folder.interrupted
    if not plan.actions:
        return Rehearsal(plan, obstacles, interrupted)
    try:
        task.admit(plan)
        if plan.restart is not None and bench.service.state() not in LEFT_ALONE:
            bench.service.ready()
    except RepoManagerError as error:
        obstacles = (*obstacles, error)
    try:
        ahead = bench.fetcher.look_ahead((*plan.downloads, *_brought(plan)), bench.folder, beside=task.beside)
    finally:
        bench.fetcher.close()
    return Rehearsal(_with_sizes(plan, ahead.sizes), (*obstacles, *ahead.errors), interrupted)


def _in_the_way(bench: ChangeContext) -> tuple[RepoManagerError, ...]:
    """What would stop any run before it looks: missing rights, or another run."""
    try:
        found = [no_rights(part) for part in unwritable(bench.folder)[:1]]
    except RepoManagerError as error:
        return (error,)
    held = holder(bench.folder.lock_path)
    return (*found, *((held,) if held else ()))


def unwritable(folder: Folder) -> list[Path]:
    """The folders of a repository in which a change must write and this user may not.

    Raises:
        InputError, MachineError: a change would refuse its sub-folder; see `Folder.look_at_parts`.
    """
    from repo_manager.adapters.windows.machine import may_write

    return [part for part in (folder.path, *folder.look_at_parts()) if not may_write(part)]


def perform(bench: ChangeContext, task: Task) -> Outcome:
    """Do it. A failure after the plan was made is in the outcome, and the folder is as it was.

    Raises:
        RepoManagerError: it could not begin, or the folder could not be put back.
    """
    bench.folder.scan()
    bench.folder.prepare()
    owner = {**bench.owner, "command": task.command, "since": timestamp(bench.now())}
    with Lock(bench.folder.lock_path, owner) as lock:
        left = recover(bench.means())
        _forget_undone(bench)
        identity = bench.folder.next_identity(bench.now())
        if left is not None:
            bench.voice.note(f"put back what an interrupted run ({left.command}, {left.identity}) had left half done")
        plan = _planned(bench, task, _look(bench, task, locked=True))
        if plan.actions:
            task.admit(plan)
        if plan.actions and not bench.voice.agree(plan):
            results = tuple((action, ActionResult.SKIPPED) for action in (*plan.actions, *plan.skipped))
            return Outcome(identity, results, _state(bench), DeclinedError())
        if not plan.actions:
            _tidy(bench)
            return Outcome(identity, (), _state(bench))
        if plan.restart is not None and bench.service.state() not in LEFT_ALONE:
            # Before anything is fetched: gigabytes later is too late to say that rights are missing.
            bench.service.ready()
        outcome, staged = _apply(bench, task, plan, identity, lock)
        if outcome.error is None:
            bench.checker(bench.folder).learn(bench.folder.listing(), staged)
            _forget_undone(bench)
            _explain(bench, plan, outcome.identity, task.command)
            _tidy(bench)
            _look_again(bench, task)
        return outcome


# A service that is stopped stays so, whoever may start it.
LEFT_ALONE: Final = frozenset({ServiceState.STOPPED, ServiceState.ABSENT})


def _forget_undone(bench: ChangeContext) -> None:
    """Remove the records of what the newest `restore` moved out. Repeated by the next run, for one that was killed."""
    for journal in bench.folder.journals()[-1:]:
        if journal.undoes:
            out = (move.origin for move in journal.moves if move.origin.startswith("../"))
            bench.folder.forget({origin.removeprefix("../") for origin in out})


def exit_code(outcome: Outcome) -> ExitCode:
    """What a run with this outcome returns."""
    if outcome.error is not None:
        return outcome.error.exit_code
    left_alone = any(
        result is ActionResult.SKIPPED for action, result in outcome.results if not isinstance(action, Restart)
    )
    return ExitCode.FINDINGS if left_alone else ExitCode.DONE


def _look(bench: ChangeContext, task: Task, *, locked: bool = False) -> Snapshot:
    listing = bench.folder.listing()
    files = task.matter(listing)
    checker = bench.checker(bench.folder)
    progress = bench.voice.reading(checker.unread_bytes(files))
    try:
        return Snapshot(bench.folder, listing, checker.read(listing, files, progress), locked)
    finally:
        bench.voice.finished()


def _planned(bench: ChangeContext, task: Task, seen: Snapshot) -> Plan:
    plan = _marked(task.planner(seen), seen.verdicts)
    _guard(plan, seen.listing, task.drop)
    if not task.restart:
        return plan
    return plan.with_restart(bench.service.name, pending=_pending(bench, task))


def _pending(bench: ChangeContext, task: Task) -> bool:
    """Whether the service runs and may not have seen the set as it is."""
    interrupted = bench.folder.interrupted
    if interrupted is not None and interrupted.restarts:
        return False
    if task.changed is None:
        return serves_older_set(bench.service, bench.folder.path, bench.now().timestamp())
    changed = task.changed()
    if changed is None:
        return False
    try:
        started = bench.service.started_at()
        runs = bench.service.state() not in LEFT_ALONE
    except ServiceError:
        return False
    return runs and (started is None or started < changed)


# One package may be emptied on purpose: its only file may be broken. A few unknown ones may go while
# others come. More is the mark of a wrong folder, source or catalog.
_SUSPICIOUS: Final = 2
_SUSPICIOUS_BESIDE_NEW_ONES: Final = 5


def _guard(plan: Plan, listing: Listing, drop: frozenset[Token]) -> None:
    """Refuse to leave most of the packages of a repository without any installer. Those in `drop` do not count."""
    leaving = {action.name for action in plan.moves if not isinstance(action, Place)}
    coming = {place.token for place in plan.places}
    lost = [
        token
        for token, found in listing.by_token.items()
        if token not in coming | drop and all(file.name in leaving for _, file in found)
    ]
    least = _SUSPICIOUS_BESIDE_NEW_ONES if plan.places else _SUSPICIOUS
    if len(lost) >= least and 2 * len(lost) > len(listing.by_token):
        raise InputError(
            "would-empty-repository",
            f"this would leave {len(lost)} of the {len(listing.by_token)} packages in {listing.repository}"
            " without any installer",
            "check the folder, the source and the catalog",
        )


def _apply(
    bench: ChangeContext, task: Task, plan: Plan, identity: str, lock: Lock
) -> tuple[Outcome, Mapping[str, StagedFile]]:
    collected = _fetch(bench, plan)
    error = collected.worst
    if error is not None:
        for other in collected.errors.values():
            if other is not error:
                bench.voice.note(f"also failed: {other.message}")
        results = tuple((action, _result(action, collected)) for action in plan.actions)
        return Outcome(identity, results, _state(bench), error), {}
    sizes = {name: stage.size_bytes for name, stage in collected.staged.items()}
    sized = _with_sizes(plan, sizes, {name: stage.sha256 for name, stage in collected.staged.items()})
    records = {name: PlacedRecord(stage.sha256, stage.size_bytes) for name, stage in collected.staged.items()}
    lock.confirm()
    if records and (aside := bench.folder.remember(records, identity)) is not None:
        bench.voice.note(
            f"the records of placed files were damaged; they are kept as {shown(aside)}, and new ones begin"
        )
    return carry_out(sized, identity, task.command, bench.means(), confirm=task.confirm), collected.staged


def _fetch(bench: ChangeContext, plan: Plan) -> Collected:
    wanted = (*plan.downloads, *_brought(plan))
    progress = bench.voice.fetching(wanted)
    try:
        return bench.fetcher.collect(wanted, bench.folder, progress, bench.voice.sized)
    finally:
        bench.voice.finished()
        bench.fetcher.close()


def _brought(plan: Plan) -> tuple[Download, ...]:
    """The files of `add`: placed from where they lie, so staged by copying and not worth an action of their own."""
    downloaded = {item.name for item in plan.downloads}
    return tuple(
        Download(place.token, place.name, (place.source,), place.size_bytes, None, place.reason)
        for place in plan.places
        if place.token is not None and place.origin.startswith("staging/") and place.name not in downloaded
    )


def _result(action: object, collected: Collected) -> ActionResult:
    if isinstance(action, Download | Place) and action.name in collected.errors:
        return ActionResult.FAILED
    return ActionResult.DONE if isinstance(action, Download) else ActionResult.SKIPPED


def _with_sizes(plan: Plan, sizes: Mapping[str, int], digests: Mapping[str, str] = MappingProxyType({})) -> Plan:
    """The plan with the sizes and digests of the files that are fetched, by name."""

    def sized(action: Action) -> Action:
        if not isinstance(action, Download | Place):
            return action
        size_bytes = sizes.get(action.name, action.size_bytes)
        return replace(action, size_bytes=size_bytes, sha256=digests.get(action.name, action.sha256))

    return replace(plan, actions=tuple(map(sized, plan.actions)))


def _marked(plan: Plan, verdicts: Mapping[str, FileVerdict]) -> Plan:
    """The plan, with a mark on the files that go out and were found damaged: `restore` must not bring them back."""

    def marked(action: Action) -> Action:
        if not isinstance(action, Retire) or action.token is None:
            return action
        verdict = verdicts.get(action.name)
        return replace(action, damaged=action.size_bytes == 0 or (verdict is not None and not verdict.whole))

    return replace(plan, actions=tuple(map(marked, plan.actions)))


def _explain(bench: ChangeContext, plan: Plan, identity: str, command: str) -> None:
    """Lay the reasons beside what was retired. They are for people: the change stands without them."""
    reasons = {move.name: move.reason for move in plan.moves if isinstance(move, Retire)}
    try:
        if reasons:
            bench.folder.explain(identity, reasons_text(identity, command, bench.now(), reasons))
    except MachineError as error:
        bench.voice.note(f"the reasons could not be written down: {error.message}")


def _tidy(bench: ChangeContext) -> None:
    """When the goal is reached: bound the retired area, give back old staging space."""
    gone = bench.folder.trim(keep=bench.retention.keep, days=bench.retention.days, now=bench.now())
    if gone:
        bench.voice.note(f"deleted {len(gone)} retired files beyond the {bench.retention.keep} kept of each package")
    bench.folder.sweep(bench.now())


def _look_again(bench: ChangeContext, task: Task) -> None:
    """Exit 0 means that the goal was looked at and holds."""
    if not task.converges:
        return
    left = task.planner(_look(bench, task, locked=True))
    if left.moves:
        names = ", ".join(sorted({move.name for move in left.moves})[:3])
        raise GoalMissedError(
            "goal-not-reached",
            f"done, but by now there is more to do ({names}): another program works in the folder",
            "run the same command again",
        )


class GoalMissedError(TransferError):
    """The change was made, and somebody changed the folder meanwhile."""

    exit_code = ExitCode.FINDINGS


def _state(bench: ChangeContext) -> ServiceReport:
    try:
        state = bench.service.state()
    except RepoManagerError as error:
        return ServiceReport(restarted=False, state=ServiceState.ABSENT, remark=error.message)
    return ServiceReport(restarted=False, state=state)
