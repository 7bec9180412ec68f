"""Carries out a plan whose files are staged: journal, moves, restart, undo, recovery.

    begin (journal on disk) -> new ones in -> old ones out -> restart -> look -> commit

The journal says everything in advance, so that one function, `undo`, serves both a failure and a
run that was killed: it looks at which moves have happened and takes them back, last one first.
Since new ones come in before old ones go, taking back in reverse brings the old ones in before the
new ones go out.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final, Protocol

from repo_manager.core import plan as plans
from repo_manager.core.errors import MachineError, RepoManagerError, ServiceError
from repo_manager.core.plan import Download, Place, Restart
from repo_manager.core.service import ServiceReport, ServiceState, bring_up, restart

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from repo_manager.core.plan import Action, Plan
    from repo_manager.core.repository import FolderEntry
    from repo_manager.core.service import Clock, Service, Timeouts


class ActionResult(StrEnum):
    """What became of an action."""

    DONE = "done"
    FAILED = "failed"
    UNDONE = "undone"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Move:
    """One rename. Paths are relative to the repository's sub-folder; `../NAME` is a file of the repository.

    `damaged` says of a file that goes out that it is not whole.
    """

    origin: str
    destination: str
    size_bytes: int | None = None
    sha256: str | None = None
    damaged: bool = False


@dataclass(frozen=True, slots=True)
class Journal:
    """A transaction, written down before it begins.

    `service_was` is the state the service had, so that recovery knows whether to bring it back. `undoes` is the
    transaction that this one undoes; empty for all but `restore`. `damaged` says why a past one cannot be read.
    """

    identity: str
    command: str
    moves: tuple[Move, ...]
    service_was: ServiceState = ServiceState.ABSENT
    undoes: str = ""
    damaged: str = ""

    @property
    def restarts(self) -> bool:
        """Whether undoing it restarts the service: it was up."""
        return self.service_was in _UP


class Names(Protocol):
    """The names that a transaction gives and frees."""

    def size(self, path: str) -> int | None:
        """The size of a file in bytes, None when there is none. Links are not followed."""
        ...

    def same(self, path: str, other: str) -> bool:
        """Whether two names belong to one file: a move was stopped between giving the new name and removing the old."""
        ...

    def move(self, origin: str, destination: str) -> None:
        """Rename, never onto another file. Finishes a move that was stopped between its two names."""
        ...


class Store(Names, Protocol):
    """The repository and its sub-folder. Every method that writes raises MachineError."""

    def begin(self, journal: Journal) -> None:
        """Make the journal durable, before anything else happens."""
        ...

    def pending(self) -> Journal | None:
        """The journal of a transaction that was neither committed nor taken back."""
        ...

    def drop_closed(self) -> None:
        """Remove what is left of a journal that is closed. To be called where `pending` is None."""
        ...

    def settle(self) -> None:
        """Make all moves durable."""
        ...

    def commit(self, journal: Journal) -> None:
        """Close the journal: what it says is now so. After a failure `pending` tells whether it is closed."""
        ...

    def abandon(self, journal: Journal) -> None:
        """Close the journal: what it says was undone. After a failure `pending` tells whether it is closed."""
        ...


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a plan: every action with its result, the service, and the error that ended it, if any."""

    identity: str
    results: tuple[tuple[Action, ActionResult], ...]
    service: ServiceReport
    error: RepoManagerError | None = None


@dataclass(frozen=True, slots=True)
class TransactionIO:
    """What a transaction is handed to work with. `say` is told each step in words."""

    store: Store
    service: Service
    clock: Clock
    patience: Timeouts
    say: Callable[[str], None]


def moves_of(plan: Plan, identity: str) -> tuple[Move, ...]:
    """The renames that carry out a plan, in its order."""
    return tuple(
        Move(action.origin, f"../{action.name}", action.size_bytes, action.sha256)
        if isinstance(action, Place)
        else Move(
            f"../{action.name}",
            plans.retired(identity, action.name),
            action.size_bytes,
            action.sha256,
            action.damaged,
        )
        for action in plan.moves
    )


def carry_out(
    plan: Plan, identity: str, command: str, means: TransactionIO, *, confirm: Callable[[], None] = lambda: None
) -> Outcome:
    """Apply a plan whose files are staged, whole and verified. All of it happens, or none.

    `confirm` is called when all files are in place, before the service sees them. What it raises undoes the change.

    A failure comes back in the outcome, after everything was put back. Only an interruption
    (KeyboardInterrupt) is raised, after everything was put back.

    Closing the journal is the commit point: a failure behind it comes back in the outcome as `not-confirmed`,
    and nothing is undone, because no journal would explain an undo that is killed.

    Raises:
        MachineError: a file that should come in is not there, and nothing was begun; or putting back
            failed too, and the next run does it; or `outcome-unknown`: whether the journal was closed cannot be
            read, and the next run decides.
        ServiceError: the state of the service cannot be told, and nothing was begun.
    """
    wants_restart = plan.restart is not None
    was = means.service.state() if wants_restart else ServiceState.ABSENT
    journal = Journal(identity, command, moves_of(plan, identity), was, plan.undoes)
    _see_what_comes(journal, means.store)
    seen = closing = False
    try:
        means.store.begin(journal)
    except RepoManagerError as error:
        # Nothing has moved. A journal that got as far as the disk says nothing that happened; the next run closes it.
        report = _untouched(means, "the repository is as it was")
        return Outcome(identity, _results(plan, ActionResult.UNDONE, report), report, error)
    try:
        for move in journal.moves:
            means.say(f"{move.origin} -> {move.destination}")
            means.store.move(move.origin, move.destination)
        means.store.settle()
        confirm()
        seen = wants_restart
        report = restart(means.service, means.clock, means.patience) if wants_restart else _untouched(means)
        _look(journal, means.store)
        closing = True
        means.store.commit(journal)
    except RepoManagerError as error:
        if closing and not _still_open(means.store, error):
            return Outcome(identity, _results(plan, ActionResult.DONE, report), report, _not_confirmed(error))
        return _put_back(plan, journal, means, error, seen=seen)
    except BaseException as error:
        # An interruption may come just after the journal was closed: then all of it has happened.
        if not closing or _still_open(means.store, error):
            undo(journal, means, seen=seen)
        raise
    return Outcome(identity, _results(plan, ActionResult.DONE, report), report)


def _still_open(store: Store, error: BaseException) -> bool:
    """Whether the journal is open after closing it ended with an error.

    Raises:
        MachineError: it cannot be read. To undo without a journal, or to keep half a change, would be a guess.
    """
    try:
        return store.pending() is not None
    except RepoManagerError as second:
        first = f"{error.message}\n  and " if isinstance(error, RepoManagerError) else "the run was interrupted, and "
        raise MachineError(
            "outcome-unknown",
            f"{first}the journal cannot be read, so the change may be complete or not: {second.message}",
            "correct what is named above and run the same command again; it keeps the change or undoes it",
        ) from error


def _not_confirmed(error: RepoManagerError) -> MachineError:
    return MachineError(
        "not-confirmed",
        f"the change was made, but the disk did not confirm it: {error.message}",
        "have the volume checked; after a power cut the next run may find the change undone, and makes it again",
    )


def recover(means: TransactionIO) -> Journal | None:
    """Take back what a killed run left half done. Returns its journal, None when there was nothing to do.

    Raises:
        MachineError: it cannot be taken back now; the next run tries again.
        ServiceError: the files are back, the service is not.
    """
    journal = means.store.pending()
    if journal is None:
        means.store.drop_closed()
    else:
        undo(journal, means)
    return journal


def undo(journal: Journal, means: TransactionIO, *, seen: bool = True) -> None:
    """Take back every move that happened, last one first, then the service. Safe to repeat and to kill.

    `seen` says that the service may have started on the new set: then it is restarted on the old one.

    Raises:
        MachineError: a file cannot be put back now; the journal stays for the next run.
        ServiceError: the files are back and the journal is closed, but the service is not up.
    """
    try:
        _take_back(journal, means, seen=seen)
    except KeyboardInterrupt:
        # There is only one interruption: finish the undo and the service, then end. Moves that were undone stay so.
        _take_back(journal, means, seen=seen)
        raise


def _take_back(journal: Journal, means: TransactionIO, *, seen: bool) -> None:
    store = means.store
    _move_back(journal, store, means.say)
    store.settle()
    try:
        if journal.restarts:
            again = restart if seen and means.service.state() in _UP else bring_up
            again(means.service, means.clock, means.patience)
    finally:
        # The files are back, whatever the service does: a service that stays down must not keep
        # later runs from correcting the folder.
        _abandon(journal, store)


def _move_back(journal: Journal, names: Names, say: Callable[[str], None] = lambda _: None) -> None:
    for move in reversed(journal.moves):
        size = names.size(move.destination)
        # Another size means that another program has put another file there: that one is not moved.
        if size is None or move.size_bytes not in {None, size}:
            continue
        if names.size(move.origin) is None or names.same(move.origin, move.destination):
            say(f"{move.destination} -> {move.origin}")
            names.move(move.destination, move.origin)


def after_undo(journal: Journal, files: Mapping[str, FolderEntry]) -> Mapping[str, str]:
    """Where every file is now, by the path that it has once `undo` has moved the files of the journal back.

    `files` are those of the folders that the journal names, by their path now.
    """
    found = _Found(files)
    _move_back(journal, found)
    return found.now


class _Found:
    """Names as values. `now` is where their files are now."""

    def __init__(self, files: Mapping[str, FolderEntry]) -> None:
        self._files = files
        self.now = {path: path for path in files}

    def size(self, path: str) -> int | None:
        return self._files[self.now[path]].size_bytes if path in self.now else None

    def same(self, path: str, other: str) -> bool:
        return self._files[self.now[path]].file_id == self._files[self.now[other]].file_id

    def move(self, origin: str, destination: str) -> None:
        self.now[destination] = self.now.pop(origin)


def _abandon(journal: Journal, store: Store) -> None:
    try:
        store.abandon(journal)
    except RepoManagerError:
        # Closed, though the disk did not confirm it: a journal that a power cut brings back has nothing to undo.
        if store.pending() is not None:
            raise


_UP: Final = frozenset({ServiceState.RUNNING, ServiceState.STARTING})


def _put_back(plan: Plan, journal: Journal, means: TransactionIO, error: RepoManagerError, *, seen: bool) -> Outcome:
    remark = "the repository is as it was"
    try:
        undo(journal, means, seen=seen)
    except ServiceError as second:
        remark = second.message
    except MachineError as second:
        raise MachineError(
            "not-put-back",
            f"{error.message}\n  and putting back failed: {second.message}",
            "mend what is named above and run the same command again; it puts back first",
        ) from error
    report = _untouched(means, remark)
    return Outcome(journal.identity, _results(plan, ActionResult.UNDONE, report), report, error)


def _see_what_comes(journal: Journal, store: Store) -> None:
    """Refuse to begin without a file that should come in: `undo` could not tell its move from one that happened."""
    for move in journal.moves:
        if not move.origin.startswith("../") and store.size(move.origin) is None:
            raise MachineError(
                "staged-file-gone",
                f"{move.origin} is gone: another program works in the sub-folder",
                "run the same command again",
            )


def _look(journal: Journal, store: Store) -> None:
    """See with our own eyes that the goal holds: what came in is there, what went out is gone."""
    # To Windows the name that was freed is still there when another case of it has come in.
    placed = {move.destination.casefold() for move in journal.moves}
    for move in journal.moves:
        size = store.size(move.destination)
        changed = move.size_bytes is not None and size != move.size_bytes
        still_there = move.origin.casefold() not in placed and store.size(move.origin) is not None
        if size is None or changed or still_there:
            name = move.destination.rpartition("/")[2]
            raise MachineError(
                "changed-under-us",
                f"{name} is not as it was put: another program works in the folder",
                "find out which, then run the same command again",
            )


def _untouched(means: TransactionIO, remark: str = "") -> ServiceReport:
    try:
        return ServiceReport(restarted=False, state=means.service.state(), remark=remark)
    except ServiceError as error:
        return ServiceReport(restarted=False, state=ServiceState.ABSENT, remark=error.message)


def _results(plan: Plan, result: ActionResult, report: ServiceReport) -> tuple[tuple[Action, ActionResult], ...]:
    def of(action: Action) -> ActionResult:
        if isinstance(action, Download):
            return ActionResult.DONE
        if not isinstance(action, Restart):
            return result
        if result is not ActionResult.DONE:
            return ActionResult.FAILED
        return ActionResult.DONE if report.restarted else ActionResult.SKIPPED

    skipped = ((move, ActionResult.SKIPPED) for move in plan.skipped)
    return (*((action, of(action)) for action in plan.actions), *skipped)
