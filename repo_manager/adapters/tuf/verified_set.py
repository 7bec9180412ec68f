"""Reads a signed set out of a depot, and lets nothing through that the trusted keys do not vouch for.

What is verified and in which order is the workflow of The Update Framework, done by its own client. This
module brings it the bytes, the time and what was seen before, and says in our words what it refuses.
Where the newest timestamp is the one seen last time, the set is the one seen last time too: that is one
small request, and nothing is verified twice.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from repo_manager.adapters.tuf.signed_set import (
    ABSENT,
    NO_NEWER_ROOT,
    ROOT_LIMIT,
    TIMESTAMP,
    TIMESTAMP_LIMIT,
    MixedSetError,
    SetExpiredError,
    SignedSet,
    check_json,
    members,
    metadata_path,
    read_metadata,
)
from repo_manager.adapters.tuf.trust_store import TrustRecord
from repo_manager.core.errors import InputError, TransferError, VerificationError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from repo_manager.adapters.storage import Storage, StoredFile

# Longer than every time a set can be valid.
_BEFORE_ALL: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class TrustAnchor:
    """What an operator trusts: the sha256 of the first root metadata in hex, or root metadata themselves."""

    sha256: str
    data: bytes | None = None

    @classmethod
    def of(cls, data: bytes, where: str) -> TrustAnchor:
        """The anchor that is these root metadata. `where` they come from is for messages.

        Raises:
            InputError: `not-root-metadata`.
        """
        from tuf.api.exceptions import RepositoryError

        try:
            found = read_metadata(data, "root", where)
            found.signed.verify_delegate("root", found.signed_bytes, found.signatures)
        except (RepositoryError, ValueError, VerificationError) as error:
            raise InputError(
                "not-root-metadata",
                f"{where}: no root metadata of a signed set, or not signed by those whom they name",
                "give the file 1.root.json of the folder metadata at the leader, or use --trust",
            ) from error
        return cls(hashlib.sha256(data).hexdigest(), data)


@dataclass(frozen=True, slots=True)
class VerifiedSet:
    """The set as it is now, and what to remember of it."""

    found: SignedSet
    memory: TrustRecord


def follow(
    depot: Storage, memory: TrustRecord | None, *, anchor: TrustAnchor | None, accept_expired: bool, now: datetime
) -> VerifiedSet:
    """Read and verify what a leader has published.

    Args:
        depot: where.
        memory: what was seen there before; None on first contact.
        anchor: whom to trust, which first contact needs.
        accept_expired: whether a set counts whose time is over. All else is verified as always.
        now: what this machine's clock says.

    Raises:
        InputError: `no-trust`.
        VerificationError: `wrong-fingerprint`, `other-trust`, `set-expired`, `set-went-back`, `wrong-signature`,
            `set-mixed`, `malformed-set`, `too-large`.
        TransferError: `no-signed-set`, and what the depot raises.
    """
    if memory is None and anchor is None:
        raise InputError(
            "no-trust",
            f"nothing says which keys to trust for {depot.name}",
            "add --trust with the fingerprint that 'repo-manager publish' gave the leader, or --root FILE",
        )
    if memory is not None and anchor is not None and anchor.sha256 not in memory.anchors:
        raise VerificationError(
            "other-trust",
            f"{anchor.sha256[:16]}... is not what this repository trusts, which is {memory.anchors[0][:16]}...",
            "leave --trust and --root out; if the leader has begun anew with other keys, add --replace-trust",
        )
    blob: StoredFile | None = None
    if memory is not None:
        blob = _timestamp(depot, memory)
        if blob is None or blob.data == memory.files["timestamp.json"]:
            if memory.found.expires <= now and not accept_expired:
                raise _expired(depot, now, memory.found.expires)
            seen = memory if blob is None else memory.seen_at(depot.name, blob.etag)
            return VerifiedSet(replace(memory.found, unchanged=True), seen)
    courier = _SetFetcher(depot, blob)
    time = _BEFORE_ALL if accept_expired else now
    try:
        try:
            return _refreshed(depot, memory, anchor, courier, time)
        except MixedSetError:
            pass
        # Between our reading two of its files the leader may have replaced a key.
        courier = _SetFetcher(depot, None)
        return _refreshed(depot, memory, anchor, courier, time)
    except SetExpiredError as error:
        raise _expired(depot, now, min(courier.ends, default=None)) from error


def _timestamp(depot: Storage, memory: TrustRecord) -> StoredFile | None:
    etag = memory.etag if memory.place == depot.name else None
    return _asked(depot, TIMESTAMP, TIMESTAMP_LIMIT, etag)


def _asked(depot: Storage, path: str, limit_bytes: int, etag: str | None = None) -> StoredFile | None:
    """A file that every signed set has; None when it is the one of that tag."""
    try:
        return depot.read(path, limit_bytes=limit_bytes, etag=etag)
    except TransferError as error:
        if error.code not in ABSENT:
            raise
        raise TransferError(
            "no-signed-set",
            f"{depot.name} holds no signed set",
            "check the address; a plain folder of installers is followed with --unsigned",
        ) from error


def _refreshed(
    depot: Storage, memory: TrustRecord | None, anchor: TrustAnchor | None, courier: _SetFetcher, time: datetime
) -> VerifiedSet:
    # It loads a library that takes longer than all of a run that finds nothing new.
    from repo_manager.adapters.tuf.client import refreshed

    root, anchors = _begin(depot, memory, anchor)
    files = refreshed(courier.bring, root, memory.files if memory else {}, time, depot.name)
    roots = tuple(dict.fromkeys((*anchors, *courier.roots)))
    found = _set_of(files, roots[0], depot.name)
    return VerifiedSet(found, TrustRecord(roots, files, found, depot.name, courier.etag))


def _begin(depot: Storage, memory: TrustRecord | None, anchor: TrustAnchor | None) -> tuple[bytes, tuple[str, ...]]:
    """The root to begin with, and the digests of the roots up to it."""
    if memory is not None:
        return memory.files["root.json"], memory.anchors
    if anchor is None:
        raise AssertionError
    data = anchor.data
    if data is None:
        blob = _asked(depot, metadata_path(1, "root"), ROOT_LIMIT)
        data = blob.data if blob else b""
        digest = hashlib.sha256(data).hexdigest()
        if digest != anchor.sha256:
            raise VerificationError(
                "wrong-fingerprint",
                f"{depot.name}: the first root metadata have the sha256 {digest}, not {anchor.sha256}",
                "compare the fingerprint with what 'repo-manager publish' says at the leader; trust no other",
            )
    check_json(data, f"{depot.name}: root")
    return data, (anchor.sha256,)


def _set_of(files: Mapping[str, bytes], root: str, where: str) -> SignedSet:
    """What verified metadata amount to."""
    read = {file: read_metadata(data, file.removesuffix(".json"), where).signed for file, data in files.items()}
    return SignedSet(
        root,
        int(read["snapshot.json"].version),
        min(signed.expires for signed in read.values()),
        members(read["targets.json"], where),
    )


def _expired(depot: Storage, now: datetime, when: datetime | None) -> SetExpiredError:
    ended = when is not None and when <= now
    over = f"the time of this set was over on {when:%Y-%m-%d %H:%M} UTC" if ended else "the time of this set is over"
    return SetExpiredError(
        "set-expired",
        f"{depot.name}: {over}; this machine's clock says {now.astimezone(UTC):%Y-%m-%d %H:%M} UTC",
        "have the leader publish again, check the clock, or add --accept-expired for a set that was carried here",
    )


class _SetFetcher:
    """Brings the client what it asks for, and keeps what the client does not tell."""

    def __init__(self, depot: Storage, timestamp: StoredFile | None) -> None:
        self._depot = depot
        self._timestamp = timestamp
        self.etag: str | None = None
        self.roots: list[str] = []
        self.ends: list[datetime] = []

    def bring(self, path: str, limit_bytes: int) -> bytes | None:
        """A file, None where it is a root that there is not."""
        blob = self._root(path, limit_bytes) if path.endswith(".root.json") else self._other(path, limit_bytes)
        if blob is None:
            return None
        role = path.removesuffix(".json").rpartition("/")[2].rpartition(".")[2]
        self.ends.append(read_metadata(blob.data, role, f"{self._depot.name}: {path}").signed.expires)
        return blob.data

    def _root(self, path: str, limit_bytes: int) -> StoredFile | None:
        try:
            blob = self._depot.read(path, limit_bytes=limit_bytes)
        except TransferError as error:
            if error.code in NO_NEWER_ROOT:
                return None
            raise
        if blob is not None:
            self.roots.append(hashlib.sha256(blob.data).hexdigest())
        return blob

    def _other(self, path: str, limit_bytes: int) -> StoredFile | None:
        if path != TIMESTAMP:
            return _asked(self._depot, path, limit_bytes)
        # The one that showed that there is something new; where there is a new root, it may be older than that.
        blob = self._timestamp if self._timestamp and not self.roots else _asked(self._depot, path, limit_bytes)
        self.etag = blob.etag if blob else None
        return blob
