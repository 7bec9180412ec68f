"""Writes a signed set into a depot so that a reader sees the old set or the new one, never a mixture.

    roots -> installers -> targets -> snapshot -> timestamp -> look again -> what nobody can ask for any more goes

The very first time the installers come before the roots: no key is made for a place that cannot be written to.
Until the timestamp is replaced, nothing that is new is named by anything a reader looks at; what the old
set named stays until no snapshot that is still valid names it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, timedelta
from typing import TYPE_CHECKING, Any, Final

from repo_manager.adapters.tuf.garbage_collection import superfluous
from repo_manager.adapters.tuf.key_rotation import RootChain, published_meanwhile, read_if_any, refuse_taken
from repo_manager.adapters.tuf.keys import KeyRole
from repo_manager.adapters.tuf.signed_set import (
    ABSENT,
    SNAPSHOT_LIMIT,
    TARGETS_LIMIT,
    TIMESTAMP,
    TIMESTAMP_LIMIT,
    SetMember,
    belongs,
    members,
    metadata_path,
    read_metadata,
    split_metadata,
)
from repo_manager.core.errors import InputError, RepoManagerError, TransferError, VerificationError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from tuf.api.metadata import MetaFile

    from repo_manager.adapters.storage import Storage
    from repo_manager.adapters.tuf.keys import Keys
    from repo_manager.core.names import Token

TARGETS_DAYS: Final = 365
"""How long the word on what the set holds is good at least: its key may be kept offline."""

_DAY: Final = timedelta(days=1)
_ROLES: Final = (KeyRole.TARGETS, KeyRole.SNAPSHOT, KeyRole.TIMESTAMP)


@dataclass(frozen=True, slots=True)
class InstallerToPublish:
    """An installer to publish: what it is, and where it lies on this machine."""

    member: SetMember
    path: Path


@dataclass(frozen=True, slots=True)
class PublishOrder:
    """What to publish. `items` is None where the set shall only be renewed; `rotate` names keys to replace.

    `verify` reads all that is published, and sends again what is damaged.
    """

    items: tuple[InstallerToPublish, ...] | None
    days: int
    rotate: frozenset[KeyRole] = frozenset()
    verify: bool = False


@dataclass(frozen=True, slots=True)
class DamagedFile:
    """A file of the depot that is not as it was published: its path there, and what is wrong with it."""

    path: str
    problem: str


@dataclass(frozen=True, slots=True)
class VerificationResult:
    """What reading the published files showed.

    `files` counts those that were read. `damaged` are those that could not be repaired, `foreign` the paths in the
    set's folders that are not part of a set; they are left alone.
    """

    files: int
    repaired: tuple[DamagedFile, ...] = ()
    damaged: tuple[DamagedFile, ...] = ()
    foreign: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PublishResult:
    """What came of it.

    `root` is what followers are told to trust, a sha256 in hex; `bytes_sent` counts installers; `deleted` counts files.
    `dropped` are the packages that the set had before and has no more. `rotated` names the keys that were replaced;
    `root_version` and `newest_root` (a sha256 in hex) are of the newest root metadata. `verified` is None where that
    was not asked for.
    """

    root: str
    version: int
    packages: int
    bytes_sent: int
    expires: datetime
    renewed: bool
    deleted: int
    remarks: tuple[str, ...] = ()
    dropped: tuple[Token, ...] = ()
    rotated: tuple[KeyRole, ...] = ()
    root_version: int = 1
    newest_root: str = ""
    verified: VerificationResult | None = None


@dataclass(frozen=True, slots=True)
class _Held:
    """Metadata with the bytes they were read from or written as: digests are of those."""

    signed: Any
    data: bytes

    @property
    def version(self) -> int:
        return int(self.signed.version)

    def meta(self) -> MetaFile:
        from tuf.api.metadata import MetaFile

        return MetaFile(self.version, len(self.data), {"sha256": hashlib.sha256(self.data).hexdigest()})


class Publisher:
    """Publishes to one depot with one folder of keys, at one time. To be used by one run at a time.

    `verify` says that what is published may be damaged: see `PublishOrder`.
    """

    def __init__(self, keys: Keys, depot: Storage, now: datetime, *, verify: bool = False) -> None:
        self._keys = keys
        self._depot = depot
        self._now = now.astimezone(UTC)
        self._place = hashlib.sha256(depot.name.encode(errors="surrogatepass")).hexdigest()[:16]
        self._seen = dict(keys.seen(self._place))
        self._days = {role: self._seen[_days_of(role)] for role in _ROLES if _days_of(role) in self._seen}
        self._remarks: list[str] = []
        self._unsound: dict[str, str] = {}
        self._there = self._listed()
        self._chain = RootChain(keys, depot, self._there, self._now, verify=verify)
        self._chain.load()
        self._held: dict[KeyRole, _Held] = {}
        if self._chain.begun:
            self._read_all()

    @property
    def current(self) -> tuple[SetMember, ...]:
        """What the depot has by now, by name; nothing where it has no set of these keys that makes sense."""
        try:
            return self._members()
        except VerificationError:
            # Somebody else has the key. What is published next puts an end to it.
            return ()

    @property
    def last(self) -> tuple[SetMember, ...]:
        """What the depot had when it was last whole, by name.

        `current`, or where timestamp or snapshot are damaged, what the newest targets say that the keys in force have
        signed: the next set replaces that one, and followers have what it names.
        """
        return self.current or self._newest_targets()

    def _newest_targets(self) -> tuple[SetMember, ...]:
        from tuf.api.exceptions import RepositoryError

        if not self._chain.begun:
            return ()
        splits: Mapping[str, tuple[int, str] | None] = {path: split_metadata(path) for path in self._there}
        found = sorted(
            (split[0], path) for path, split in splits.items() if split and split[1] == KeyRole.TARGETS.value
        )
        for _, path in reversed(found):
            data = read_if_any(self._depot, path, TARGETS_LIMIT)
            try:
                targets = read_metadata(data or b"", KeyRole.TARGETS.value, path)
                self._chain.root.verify_delegate(KeyRole.TARGETS.value, targets.signed_bytes, targets.signatures)
                return members(targets.signed, self._depot.name)
            except (RepositoryError, ValueError, VerificationError):
                continue
        return ()

    def _members(self) -> tuple[SetMember, ...]:
        targets = self._held.get(KeyRole.TARGETS)
        return () if targets is None else members(targets.signed, self._depot.name)

    def publish(self, order: PublishOrder, progress: Callable[[int], None]) -> PublishResult:
        """Bring the depot to what is ordered. Running it again does what is left to do, and nothing else.

        `progress` is told of every so many bytes sent.

        Raises:
            InputError: `key-missing`: a key is needed that is not here; `nothing-to-renew`; `nothing-to-verify`.
            VerificationError: `set-went-back`; `digest-mismatch`: a file is not what it was.
            TransferError: `published-meanwhile`: another machine publishes there with the same keys.
            TransferError, MachineError: the depot or the disk refused; readers see the old set.
        """
        if order.verify:
            self._refuse_nothing()
        wanted = self._wanted(order)
        self._check_keys(wanted, order)
        if self._chain.begun:
            self._chain.begin(order.rotate)
        verified = self._verify(wanted, order.items or (), progress) if order.verify else None
        damaged = {flaw.path for flaw in verified.damaged} if verified else set[str]()
        sound = [member for member in wanted if member.path not in damaged]
        sent = sum(self._send(item, progress) for item in order.items or () if item.member.path not in damaged)
        if verified:
            sent += sum(
                member.size_bytes for member in wanted if member.path in {flaw.path for flaw in verified.repaired}
            )
        if not self._chain.begun:
            self._chain.begin(order.rotate)
        renewed = self._sign(wanted, order)
        versions = {role.value: held.version for role, held in self._held.items()}
        self._keys.remember(self._place, {**versions, **{_days_of(role): days for role, days in self._days.items()}})
        if sent or renewed:
            self._look_again(sound)
        self._chain.finish()
        deleted = self._clear()
        return PublishResult(
            self._chain.fingerprint,
            self._held[KeyRole.SNAPSHOT].version,
            len(wanted),
            sent,
            min((self._chain.root.expires, *(held.signed.expires for held in self._held.values()))),
            renewed=renewed,
            deleted=deleted,
            remarks=tuple(self._remarks),
            rotated=tuple(role for role in KeyRole if role in self._chain.rotated),
            root_version=int(self._chain.root.version),
            newest_root=self._chain.newest_digest,
            verified=verified,
        )

    # Whether what is published is still what was published

    def _refuse_nothing(self) -> None:
        if not self._there and not self._seen:
            raise InputError(
                "nothing-to-verify",
                f"{self._depot.name} has no published set to verify",
                "check DEST; to publish a set there, leave --verify out",
            )

    def _verify(
        self, wanted: Sequence[SetMember], items: Sequence[InstallerToPublish], progress: Callable[[int], None]
    ) -> VerificationResult:
        """Read what the depot has of the set, and send again what is not as it was published."""
        published = {member.path for member in self.last}
        sources = {item.member.path: item for item in items}
        # What is wrong with metadata is replaced by what is written next.
        repaired = [DamagedFile(path, problem) for path, problem in (self._chain.broken | self._unsound).items()]
        damaged: list[DamagedFile] = []
        old = [member for member in wanted if member.path in published or member.path in self._there]
        for member in old:
            problem = self._problem(member, progress)
            if not problem:
                continue
            left = self._repair(member, sources.get(member.path), progress)
            if left is None:
                repaired.append(DamagedFile(member.path, problem))
            else:
                damaged.append(DamagedFile(member.path, f"{problem}; {left}"))
        foreign = sorted(path for path in self._there if not belongs(path))
        read = len(old) + len(self._held) + self._chain.length + len(self._unsound)
        return VerificationResult(read, tuple(repaired), tuple(damaged), tuple(foreign))

    def _problem(self, member: SetMember, progress: Callable[[int], None]) -> str:
        """What is wrong with an installer in the depot; nothing where all of its bytes are right."""
        size = self._there.get(member.path)
        if size is None:
            return "it is missing"
        if size != member.size_bytes:
            return f"it has {size} bytes instead of {member.size_bytes}"
        digest = hashlib.sha256()
        try:
            for piece in self._depot.stream(member.path):
                digest.update(piece)
                progress(len(piece))
        except TransferError as error:
            if error.code not in ABSENT:
                raise
            return "it is missing"
        return "" if digest.hexdigest() == member.sha256 else "its bytes are not those that were published"

    def _repair(
        self, member: SetMember, item: InstallerToPublish | None, progress: Callable[[int], None]
    ) -> str | None:
        """Send a damaged installer again. None where its bytes are right now, else why they are not."""
        if item is None:
            return "--renew sends nothing again"
        try:
            self._upload(item, progress)
        except VerificationError as error:
            return f"it cannot be sent again: {error.message}"
        return "it was sent again, and is still damaged" if self._problem(member, progress) else None

    # What there is

    def _listed(self) -> dict[str, int]:
        """The files of the depot; none where it is a folder still to be made."""
        try:
            return {path: size for prefix in ("metadata/", "targets/") for path, size in self._depot.list(prefix)}
        except TransferError as error:
            # A place that had a set and is gone is not reachable; a new one would hide that.
            if error.code == "source-went-away" and not self._seen:
                return {}
            raise

    def _read_all(self) -> None:
        if not self._read(TIMESTAMP, KeyRole.TIMESTAMP, TIMESTAMP_LIMIT):
            return
        meta = self._held[KeyRole.TIMESTAMP].signed.snapshot_meta
        if not self._read(metadata_path(meta.version, "snapshot"), KeyRole.SNAPSHOT, SNAPSHOT_LIMIT, meta):
            return
        meta = self._held[KeyRole.SNAPSHOT].signed.meta.get("targets.json")
        if meta is not None:
            self._read(metadata_path(meta.version, "targets"), KeyRole.TARGETS, TARGETS_LIMIT, meta)

    def _read(self, path: str, role: KeyRole, limit: int, meta: MetaFile | None = None) -> bool:
        """Hold metadata that the newest root vouches for. Others are left, to be made anew."""
        from tuf.api.exceptions import RepositoryError

        data = read_if_any(self._depot, path, limit) if path in self._there else None
        if data is None:
            self._unsound[path] = "it is missing"
            return False
        try:
            found = read_metadata(data, role.value, f"{self._depot.name}: {path}")
            if meta is not None:
                meta.verify_length_and_hashes(data)
            self._chain.root.verify_delegate(role.value, found.signed_bytes, found.signatures)
        except (RepositoryError, ValueError, VerificationError):
            self._remarks.append(f"{path} is not signed with the keys in force; it is written again")
            self._unsound[path] = "its signature or its digest is wrong"
            return False
        self._held[role] = _Held(found.signed, data)
        return True

    # What is to be

    def _wanted(self, order: PublishOrder) -> tuple[SetMember, ...]:
        if order.items is not None:
            return tuple(sorted((item.member for item in order.items), key=lambda member: member.name.text))
        targets = self._held.get(KeyRole.TARGETS)
        if targets is None:
            raise InputError(
                "nothing-to-renew", f"{self._depot.name} has no set of these keys", "publish one, without --renew"
            )
        if targets.version < self._seen.get(KeyRole.TARGETS.value, 0):
            raise VerificationError(
                "set-went-back",
                f"{self._depot.name} holds an older set than was published there",
                "publish with the targets key, without --renew",
            )
        return self._members()

    def _check_keys(self, wanted: Sequence[SetMember], order: PublishOrder) -> None:
        """Refuse before anything is written what would end half-way."""
        if not self._chain.begun:
            self._chain.check_first()
            return
        for role in (*_ROLES[1:], *(_ROLES[:1] if self._changes(wanted) else ())):
            if self._chain.signers(role) or self._chain.rotating(role) or role in order.rotate:
                continue
            what = "publish another set than is there" if role is KeyRole.TARGETS else "renew the set"
            more = ", or add --renew to renew the set that is there" if role is KeyRole.TARGETS else ""
            raise InputError(
                "key-missing",
                f"to {what}, the key {role.value}.pem is needed, and {self._keys.folder} does not have the right one",
                f"bring it; if it is lost, bring root.pem and add --rotate {role.value}{more}",
            )

    def _changes(self, wanted: Sequence[SetMember]) -> bool:
        return KeyRole.TARGETS not in self._held or self.current != tuple(wanted)

    def _send(self, item: InstallerToPublish, progress: Callable[[int], None]) -> int:
        """Send an installer that is not there; returns how many bytes that took."""
        if self._there.get(item.member.path) == item.member.size_bytes:
            return 0
        return self._upload(item, progress)

    def _upload(self, item: InstallerToPublish, progress: Callable[[int], None]) -> int:
        member, done = item.member, 0

        def told(count: int) -> None:
            nonlocal done
            progress(count - done)
            done = count

        self._depot.upload(member.path, item.path, sha256=member.sha256 or "", progress=told)
        self._there[member.path] = member.size_bytes
        return member.size_bytes

    def _sign(self, wanted: Sequence[SetMember], order: PublishOrder) -> bool:
        """Write what is to be new of the metadata, the timestamp last. Returns whether anything was."""
        from tuf.api.metadata import Snapshot, TargetFile, Targets, Timestamp

        days = max(order.days, TARGETS_DAYS)
        can = bool(self._chain.signers(KeyRole.TARGETS))
        again = order.items is None or not can
        if self._changes(wanted) or (can and self._due(KeyRole.TARGETS, days)):
            files = [
                TargetFile(member.size_bytes, {"sha256": member.sha256 or ""}, member.name.text) for member in wanted
            ]
            self._write(Targets(targets={file.path: file for file in files}), KeyRole.TARGETS, days)
            again = True
        days, held = order.days, self._held
        if not (again or self._due(KeyRole.SNAPSHOT, days) or self._due(KeyRole.TIMESTAMP, days)):
            return False
        self._write(Snapshot(meta={"targets.json": held[KeyRole.TARGETS].meta()}), KeyRole.SNAPSHOT, days)
        self._write(Timestamp(snapshot_meta=held[KeyRole.SNAPSHOT].meta()), KeyRole.TIMESTAMP, days)
        return True

    def _due(self, role: KeyRole, days: int) -> bool:
        """Whether metadata must be signed anew: for the key, for the time they have left, or for another time.

        What was asked for when they were signed is remembered, so that asking for the same every hour signs nothing.
        Where nobody remembers, what lacks more than a day counts as another time, once.
        """
        held = self._held.get(role)
        if held is None or self._chain.rotating(role):
            return True
        left, asked = held.signed.expires - self._now, timedelta(days=days)
        other = self._days[role] != days if role in self._days else left < asked - _DAY
        return bool(other or left < asked / 2 or left > asked)

    def _write(self, signed: Any, role: KeyRole, days: int) -> None:  # noqa: ANN401 - one of three of the library's classes
        from tuf.api.metadata import Metadata

        signed.version = self._next_version(role)
        signed.expires = self._now + timedelta(days=days)
        found: Metadata[Any] = Metadata(signed)
        for signer in self._chain.signers(role):
            found.sign(signer, append=True)
        held = _Held(signed, found.to_bytes())
        path = _path_of(role, held)
        if role is not KeyRole.TIMESTAMP:
            refuse_taken(self._depot, path)
        self._depot.write(path, held.data)
        self._there[path] = len(held.data)
        self._held[role] = held
        self._days[role] = days

    def _next_version(self, role: KeyRole) -> int:
        """One more than was ever seen there: also than what a killed run has left, which nobody can have read."""
        splits: Mapping[str, tuple[int, str] | None] = {path: split_metadata(path) for path in self._there}
        left = [split[0] for split in splits.values() if split is not None and split[1] == role.value]
        held = self._held.get(role)
        return max((held.version if held else 0, self._seen.get(role.value, 0), *left)) + 1

    def _look_again(self, wanted: Sequence[SetMember]) -> None:
        """See that what was published is what lies there: no lock holds off another machine with the same keys."""
        there = self._listed()
        lost = [member.path for member in wanted if there.get(member.path) != member.size_bytes]
        others = [
            path
            for path, held in ((_path_of(role, held), held) for role, held in self._held.items())
            if read_if_any(self._depot, path, len(held.data)) != held.data
        ]
        for path in (*lost, *others):
            raise published_meanwhile(self._depot, path)

    def _clear(self) -> int:
        """Delete what no valid snapshot names. It is no failure of the publishing if that cannot be done."""
        current = {role.value: held.version for role, held in self._held.items()}
        try:
            going = superfluous(self._depot, self._there, current, self._now)
            for path in going:
                self._depot.delete(path)
            left = sum(self._depot.sweep(folder, belongs) for folder in ("metadata", "targets"))
        except RepoManagerError as error:
            self._remarks.append(f"what is no longer needed could not all be deleted: {error.message}")
            return 0
        return len(going) + left


def _days_of(role: KeyRole) -> str:
    """Under which name it is remembered for how many days a role's metadata were signed."""
    return f"{role.value}-days"


def _path_of(role: KeyRole, held: _Held) -> str:
    return TIMESTAMP if role is KeyRole.TIMESTAMP else metadata_path(held.version, role.value)
