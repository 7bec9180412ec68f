"""What may go from a depot: all that no snapshot names which a follower may still be reading by."""

from __future__ import annotations

from typing import TYPE_CHECKING

from repo_manager.adapters.tuf.key_rotation import read_if_any
from repo_manager.adapters.tuf.signed_set import (
    SNAPSHOT_LIMIT,
    TARGETS_LIMIT,
    is_payload,
    metadata_path,
    payload_path,
    read_metadata,
    split_metadata,
)
from repo_manager.core.errors import VerificationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from repo_manager.adapters.storage import Storage


def superfluous(depot: Storage, there: Iterable[str], current: Mapping[str, int], now: datetime) -> list[str]:
    """The paths that may be deleted, in the order in which they go: what names others before what it names.

    Nothing is in it that this tool would not have written there.

    Args:
        depot: where they lie.
        there: all paths of the depot.
        current: the versions in force, by role.
        now: what has expired by then is valid no more.

    Raises:
        TransferError: the depot cannot be read.
    """
    found = {path: split for path in there if (split := split_metadata(path)) is not None}
    old = {path: version for path, (version, role) in found.items() if role == "snapshot"}
    valid = {version: current["targets"] for version in old.values() if version == current["snapshot"]}
    for path, version in old.items():
        targets = 0 if version in valid else _named_by(depot, path, now)
        if targets:
            valid[version] = targets
    named = {current["targets"], *valid.values()}
    payload = {path for version in named for path in _payload_of(depot, version)}
    snapshots = [path for path, version in old.items() if version not in valid]
    targets_gone = [path for path, (version, role) in found.items() if role == "targets" and version not in named]
    return [*snapshots, *targets_gone, *(path for path in there if is_payload(path) and path not in payload)]


def _named_by(depot: Storage, path: str, now: datetime) -> int:
    """The version of the targets that a snapshot names, 0 when it has expired or is none."""
    data = read_if_any(depot, path, SNAPSHOT_LIMIT)
    if data is None:
        return 0
    try:
        signed = read_metadata(data, "snapshot", path).signed
    except VerificationError:
        return 0
    meta = signed.meta.get("targets.json")
    return 0 if meta is None or signed.is_expired(now) else int(meta.version)


def _payload_of(depot: Storage, version: int) -> list[str]:
    data = read_if_any(depot, metadata_path(version, "targets"), TARGETS_LIMIT)
    if data is None:
        return []
    targets = read_metadata(data, "targets", depot.name).signed.targets
    return [payload_path(file.hashes.get("sha256", ""), path) for path, file in targets.items()]
