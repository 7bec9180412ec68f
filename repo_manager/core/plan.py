"""Wanted + present -> ordered actions.

`sync`, `add`, `prune` and `restore` all end in a plan: what is fetched, what comes in, what goes
out, the restart. A plan is a value: printing it is the dry run, carrying it out is `transaction`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from repo_manager.core import history, names, repository
from repo_manager.core.audit.findings import Code, FileVerdict, Severity
from repo_manager.core.errors import InputError
from repo_manager.core.history import Undoability

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from repo_manager.core.audit.findings import Audit
    from repo_manager.core.history import MovedFile, NameChange, PastTransaction
    from repo_manager.core.names import InstallerName, Token
    from repo_manager.core.repository import File, Listing
    from repo_manager.core.selection import Selection, Target

Verdicts = Mapping[str, FileVerdict]
"""What is known of files' bytes, by name. A file that nobody read counts as good."""


@dataclass(frozen=True, slots=True)
class Download:
    """Fetch a file into the staging area, from the first of `sources` that has it whole."""

    token: Token
    name: str
    sources: tuple[str, ...]
    size_bytes: int | None
    sha256: str | None
    reason: str


@dataclass(frozen=True, slots=True)
class Place:
    """Give a staged or retired file its name in the repository.

    `origin` is where it waits, a path below the sub-folder with forward slashes: `staging/NAME` or
    `retired/ID/NAME`. `source` is where its bytes come from, for people.
    """

    token: Token | None
    name: str
    origin: str
    source: str
    size_bytes: int | None
    reason: str
    sha256: str | None = None


@dataclass(frozen=True, slots=True)
class Retire:
    """Move a file out of the repository, restorable. `damaged` says that its bytes were read and are not whole."""

    token: Token | None
    name: str
    size_bytes: int | None
    reason: str
    sha256: str | None = None
    damaged: bool = False


@dataclass(frozen=True, slots=True)
class Restart:
    """Restart the service so that it sees the new set."""

    service: str
    reason: str = "the service reads the folder only when it starts"


Action = Download | Place | Retire | Restart


@dataclass(frozen=True, slots=True)
class Plan:
    """Ordered actions: downloads, what comes in, what goes out, the restart. May be empty.

    `skipped` are the moves of a `restore` that are left out, each with the reason; `undoes` is the transaction that it
    undoes.
    """

    actions: tuple[Action, ...] = ()
    skipped: tuple[Place | Retire, ...] = ()
    undoes: str = ""

    @property
    def downloads(self) -> tuple[Download, ...]:
        """What must be fetched."""
        return tuple(action for action in self.actions if isinstance(action, Download))

    @property
    def moves(self) -> tuple[Place | Retire, ...]:
        """What changes in the folder, in order."""
        return tuple(action for action in self.actions if isinstance(action, Place | Retire))

    @property
    def places(self) -> tuple[Place, ...]:
        """What comes in."""
        return tuple(action for action in self.actions if isinstance(action, Place))

    @property
    def restart(self) -> Restart | None:
        """The restart, None when there is none."""
        return next((action for action in self.actions if isinstance(action, Restart)), None)

    def with_restart(self, service: str | None, *, pending: bool = False) -> Plan:
        """The same plan, ending in a restart where there is a service and the plan changes anything.

        `pending` says that the service has not seen an earlier change: then it is restarted anyway.
        """
        if not service or not (self.moves or pending):
            return self
        restart = Restart(service) if self.moves else Restart(service, "the set changed after the service had started")
        return replace(self, actions=(*self.actions, restart))


@dataclass(frozen=True, slots=True)
class Arrival:
    """A file somebody brings: a checked installer's name and where it lies."""

    name: InstallerName
    source: str
    size_bytes: int


def staged(name: str) -> str:
    """Where a fetched file waits for its name, below the sub-folder."""
    return f"staging/{name}"


def retired(transaction: str, name: str) -> str:
    """Where a retired file lies, below the sub-folder."""
    return f"retired/{transaction}/{name}"


def sync(listing: Listing, selection: Selection, judged: Audit, verdicts: Verdicts) -> Plan:
    """Make the wanted packages present and current, and retire what is an error.

    A limited selection leaves all else alone. Whatever the service might take instead of the wanted
    installer goes out, but only together with the wanted one coming in.
    """
    targets = [selection.targets[token] for token in selection.tokens if token in selection.targets]
    keeps = {target.token: kept(listing, target, verdicts) for target in targets}
    says = f"--release {selection.release}"
    downloads, leaving = _exchange(listing, targets, keeps, verdicts, says=says)
    if not selection.limited:
        leaving |= mistakes(listing, judged, verdicts, except_for=keeps)
    return _with_downloads(listing, downloads, leaving)


class Others(StrEnum):
    """What becomes of packages that a set does not have."""

    RETIRE = "retire"
    KEEP_COMPLETE = "keep-complete"
    """The newest complete installer of each stays; all else is cleaned up."""
    IGNORE = "ignore"


def mirror(
    listing: Listing, targets: Sequence[Target], judged: Audit, verdicts: Verdicts, others: Others = Others.RETIRE
) -> Plan:
    """Make a folder hold exactly the installers of `targets`, at most one a package; see `Others` for the rest."""
    keeps = {target.token: _exactly(listing, target, verdicts) for target in targets}
    downloads, leaving = _exchange(listing, targets, keeps, verdicts, says="as the set has it")
    if others is not Others.IGNORE:
        leaving |= mistakes(listing, judged, verdicts, except_for=keeps)
    if others is Others.RETIRE:
        for token, found in listing.by_token.items():
            if token not in keeps:
                leaving |= {file.name: "not in the set that is followed" for _, file in found}
    # A package may be newer than this catalog, which would call it unknown.
    for keep in keeps.values():
        leaving.pop(keep or "", None)
    return _with_downloads(listing, downloads, leaving)


def _exchange(
    listing: Listing,
    targets: Sequence[Target],
    keeps: Mapping[Token, str | None],
    verdicts: Verdicts,
    *,
    says: str,
) -> tuple[list[Download], dict[str, str]]:
    """What must come for the targets that nothing in the folder serves, and what goes for all of them.

    `says` is who wants a package to go back, for the reason.
    """
    downloads: list[Download] = []
    leaving: dict[str, str] = {}
    for target in targets:
        keep = keeps[target.token]
        if keep is None:
            reason = _why(listing, target, verdicts, says)
            downloads.append(
                Download(target.token, target.name.text, target.sources, target.size_bytes, target.sha256, reason)
            )
        leaving |= _others(listing, target.token, keep or target.name.text, verdicts)
    return downloads, leaving


def _with_downloads(listing: Listing, downloads: list[Download], leaving: dict[str, str]) -> Plan:
    places = [
        Place(item.token, item.name, staged(item.name), item.sources[0], item.size_bytes, item.reason)
        for item in downloads
    ]
    return Plan((*downloads, *_ordered(listing, places, leaving)))


def prune(listing: Listing, judged: Audit, verdicts: Verdicts) -> Plan:
    """Retire superseded and stray files, never the last good installer of a package."""
    return Plan(tuple(_ordered(listing, [], mistakes(listing, judged, verdicts))))


def dangers(listing: Listing, judged: Audit, verdicts: Verdicts) -> Plan:
    """The part of `prune` that must not wait: what could reach a machine and is wrong. Superseded files stay."""
    condemned = _condemned(judged)
    leaving = {
        name: reason
        for name, reason in mistakes(listing, judged, verdicts).items()
        if name in condemned or ((file := listing.find(name)) is not None and not _good(file, verdicts))
    }
    return Plan(tuple(_ordered(listing, [], leaving)))


def newest(arrivals: Iterable[Arrival]) -> dict[Token, Arrival]:
    """The newest arrival of each package."""
    return {arrival.name.token: arrival for arrival in sorted(arrivals, key=lambda arrival: arrival.name.order)}


def add(listing: Listing, arrivals: Iterable[Arrival], verdicts: Verdicts) -> Plan:
    """Place files somebody brings and retire what they supersede.

    A file that lies in the folder already, whole, is left where it is. Of two arrivals for one
    package the newer is placed.
    """
    places: list[Place] = []
    leaving: dict[str, str] = {}
    for token, arrival in newest(arrivals).items():
        name = arrival.name.text
        there = listing.find(name)
        if there is None or there.entry.size_bytes != arrival.size_bytes or not _good(there, verdicts):
            places.append(
                Place(token, name, staged(name), arrival.source, arrival.size_bytes, _brought(listing, arrival))
            )
        leaving |= _others(listing, token, name, verdicts)
    return Plan(tuple(_ordered(listing, places, leaving)))


def _brought(listing: Listing, arrival: Arrival) -> str:
    """Why a file is placed that a person brings."""
    newest = listing.newest(arrival.name.token)
    back = newest is not None and newest.recency > arrival.name.recency
    return f"DOWNGRADE from {newest.version} (--allow-older)" if newest and back else "brought by hand"


def undo(
    entry: PastTransaction,
    listing: Listing,
    kept: Mapping[str, str],
    verdicts: Verdicts,
    *,
    command: str = "repo-manager",
) -> Plan:
    """Undo a past transaction: what it retired comes in again, what it placed goes out.

    `kept` are the files in the retired area, by path, each with the reason why it must not come back, or with an empty
    text. A name is left alone, and is among the
    plan's skipped moves, where a later transaction or another program changed it, or where the retired file is gone.

    Raises:
        InputError: `already-undone`, or `nothing-to-restore` where all of it must be left alone.
    """
    if entry.undone_by:
        raise InputError(
            "already-undone",
            f"transaction {entry.identity} was undone already, by {entry.undone_by}"
            f" ({history.time_of(entry.undone_by)})",
            f"run '{command} restore' to see which transactions can be undone",
        )
    places: list[Place] = []
    leaving: dict[str, str] = {}
    skipped: list[Place | Retire] = []
    for change in entry.changes:
        if change.state is Undoability.UNDONE:
            continue
        reason = _why_not(change, listing, verdicts) or _unfit(change.went, kept)
        if reason:
            skipped += _reversed(entry, change, listing, reason)[:1]
            continue
        for move in _reversed(entry, change, listing):
            if isinstance(move, Place):
                places.append(move)
            else:
                leaving[move.name] = move.reason
    if not places and not leaving:
        reasons = "".join(f"\n{move.name}: {move.reason}" for move in skipped)
        raise InputError(
            "nothing-to-restore",
            f"nothing of transaction {entry.identity} can be undone{reasons}",
            f"run '{command} restore' to see which transactions can be undone",
        )
    return Plan(tuple(_ordered(listing, places, leaving)), tuple(skipped), entry.identity)


def _reversed(entry: PastTransaction, change: NameChange, listing: Listing, reason: str = "") -> list[Place | Retire]:
    """The moves that undo the change of one name; with the reason, where they are left out."""
    back: list[Place | Retire] = [
        Place(
            names.token_of(version.name),
            version.name,
            version.path,
            f"retired by {version.path.split('/')[1]}",
            version.size_bytes,
            reason or f"retired by {entry.command}",
            version.sha256,
        )
        for version in change.went
    ]
    replaced = {version.name for version in change.went}
    out = [version.name for version in change.came if version.name not in replaced]
    return back + [_retire(listing, name, reason or f"placed by {entry.identity}") for name in out]


def _why_not(change: NameChange, listing: Listing, verdicts: Verdicts) -> str:
    """Why the change of a name is left alone; empty where the name is as the transaction left it."""
    if change.state is Undoability.CHANGED:
        return f"changed since by {change.by}"
    if change.state is Undoability.DAMAGED:
        return f"{change.by} is damaged and may have changed it"
    return _changed_by_hand(change, listing, verdicts)


def _changed_by_hand(change: NameChange, listing: Listing, verdicts: Verdicts) -> str:
    """What another program did to the name, by the files that have it now."""
    name = (*change.came, *change.went)[0].name
    there = {file.name: file for file in listing.by_folded_name.get(name.casefold(), ())}
    came = {version.name: version for version in change.came}
    if there.keys() - came.keys():
        return "another file of this name was put here since"
    if came.keys() - there.keys():
        return "deleted from the repository since"
    for file in there.values():
        is_link = file.installer is None and names.token_of(file.name) is not None
        same_size = came[file.name].size_bytes in {None, file.entry.size_bytes}
        if is_link or not same_size or not _whole(file, verdicts):
            return "replaced or damaged by another program since"
    return ""


def _unfit(went: Sequence[MovedFile], kept: Mapping[str, str]) -> str:
    """Why retired files cannot come back; empty where they can."""
    reasons = (kept.get(version.path, "no longer kept among the retired files") for version in went)
    return next(filter(None, reasons), "")


def left_without(made: Plan, listing: Listing, verdicts: Verdicts) -> tuple[Token, ...]:
    """The packages that have a complete installer, and would have none after the plan.

    What comes in counts as complete. A file that cannot be read now counts as complete where it goes out, and not
    where it stays.
    """
    leaving = {move.name for move in made.moves if isinstance(move, Retire)}
    coming = {place.token for place in made.places}

    def loses(found: Iterable[tuple[InstallerName, File]]) -> bool:
        whole = [file for _, file in found if _whole(file, verdicts)]
        stays = [file for file in whole if file.name not in leaving and verdicts.get(file.name, FileVerdict()).read]
        return bool(whole) and not stays

    return tuple(
        token
        for token, found in listing.by_token.items()
        if token not in coming and any(file.name in leaving for _, file in found) and loses(found)
    )


def _whole(file: File, verdicts: Verdicts) -> bool:
    """Whether a file is complete, whatever its signature is; yes where it cannot be read now."""
    return file.entry.size_bytes > 0 and verdicts.get(file.name, FileVerdict()).whole


def carried_out(plan: Plan, listing: Listing) -> Listing:
    """What a folder has once a plan was carried out. A size that is not known counts as 1."""
    going = {move.name for move in plan.moves if isinstance(move, Retire)}
    stay = [file.entry for file in listing.files if file.name not in going]
    coming = [repository.FolderEntry(place.name, place.size_bytes or 1) for place in plan.places]
    return repository.survey(listing.repository, [*stay, *coming])


def _version(name: str) -> str:
    """The version in an installer's name, for people."""
    return str(names.parse(name).version)


def kept(listing: Listing, target: Target, verdicts: Verdicts) -> str | None:
    """The name of the file that already is what the target asks for, None when there is none.

    A later build of the same release is as good as the target: 9.66 holds different builds.
    """
    for installer, file in listing.by_token.get(target.token, ()):
        if (
            installer.recency >= target.name.recency
            and installer.release == target.name.release
            and _good(file, verdicts)
        ):
            return file.name
    return None


def _exactly(listing: Listing, target: Target, verdicts: Verdicts) -> str | None:
    """The target's own file, when it lies there whole and as large as it should be."""
    for installer, file in listing.by_token.get(target.token, ()):
        same_size = target.size_bytes in {None, file.entry.size_bytes}
        if installer.text == target.name.text and same_size and _good(file, verdicts):
            return file.name
    return None


def mistakes(
    listing: Listing, judged: Audit, verdicts: Verdicts, *, except_for: Iterable[Token] = ()
) -> dict[str, str]:
    """The files that should not be there, with the reason of each.

    Of every package the newest good installer stays; where none is good, none is kept for its own
    sake. Packages in `except_for` are settled elsewhere.
    """
    unwanted = _condemned(judged)
    settled = frozenset(except_for)
    for token, found in listing.by_token.items():
        files = [file for _, file in found if file.name not in unwanted]
        if token not in settled:
            best = next((file.name for file in files if _good(file, verdicts)), None)
            unwanted |= _others(listing, token, best, verdicts)
    return unwanted


def _condemned(judged: Audit) -> dict[str, str]:
    """The files that go whatever lies beside them, with the reason of each."""
    return {
        finding.file: finding.message
        for finding in judged.findings
        if finding.file and finding.severity is Severity.ERROR and finding.code in _GO_OUT
    }


_GO_OUT: Final = frozenset({Code.STRAY, Code.PARTIAL, Code.UNKNOWN_PACKAGE})


def _others(listing: Listing, token: Token, keep: str | None, verdicts: Verdicts) -> dict[str, str]:
    """Every installer of a package but the one that stays, with the reason it goes."""
    reasons = {}
    # Where `keep` lies under its very name, a name that differs in case alone is one too many.
    same = str if any(file.name == keep for _, file in listing.by_token.get(token, ())) else str.casefold
    for _, file in listing.by_token.get(token, ()):
        if not _good(file, verdicts):
            reasons[file.name] = verdicts[file.name].message if file.name in verdicts else "is empty"
        elif keep is not None and same(file.name) != same(keep):
            older = names.parse(keep).recency < names.parse(file.name).recency
            reasons[file.name] = f"{'replaced by the older' if older else 'superseded by'} {_version(keep)}"
    return reasons


def _good(file: File, verdicts: Verdicts) -> bool:
    verdict = verdicts.get(file.name)
    return file.entry.size_bytes > 0 and (verdict is None or verdict.good)


def _why(listing: Listing, target: Target, verdicts: Verdicts, says: str) -> str:
    found = listing.by_token.get(target.token, ())
    if not found:
        return "missing"
    newest, file = found[0]
    if not _good(file, verdicts) and newest.text == target.name.text:
        verdict = verdicts.get(file.name)
        signed_wrong = verdict is not None and verdict.code in _ABOUT_SIGNATURES
        what = "has not the signature it should have" if signed_wrong else "is not whole"
        return f"the file in the folder {what}"
    back = newest.recency > target.name.recency
    return f"DOWNGRADE from {newest.version} ({says})" if back else f"replaces {newest.version}"


_ABOUT_SIGNATURES: Final = frozenset({Code.UNSIGNED, Code.TAMPERED, Code.OTHER_PUBLISHER})


def _ordered(listing: Listing, places: list[Place], leaving: dict[str, str]) -> list[Place | Retire]:
    """New ones come in before old ones go; a name that is taken is freed right before it is given.

    Names that are free come first: a package must not be without a good installer while one of its
    names changes hands. A name is taken also by a file that differs in case alone: Windows knows only one of the two.
    """
    retire = {name: _retire(listing, name, reason) for name, reason in sorted(leaving.items())}
    freed: list[Place | Retire] = []
    free: list[Place] = []
    for place in places:
        there = listing.find(place.name)
        if there is None:
            free.append(place)
            continue
        if any(isinstance(action, Retire) and action.name == there.name for action in freed):
            # Freed before, for a name that differs in case alone.
            freed.append(place)
            continue
        going = retire.pop(there.name) if there.name in retire else _retire(listing, there.name, "replaced")
        freed += [going, place]
    return [*free, *freed, *retire.values()]


def _retire(listing: Listing, name: str, reason: str) -> Retire:
    file = listing.find(name)
    token = file.installer.token if file and file.installer else None
    return Retire(token, name, file.entry.size_bytes if file else None, reason)
