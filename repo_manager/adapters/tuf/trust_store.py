"""Whom a repository trusts, and what it has seen of them: the memory that no older set gets past.

    .repo-manager/trust.json    the newest metadata that were verified, what they amount to, and whom to trust

One file, so that a run that is stopped anywhere remembers all of one set. It lies in the repository, whose
owner it concerns: whoever could change it could change the installers.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Final

from repo_manager.adapters.filesystem.atomic_write import replacing
from repo_manager.adapters.filesystem.opening import write_all
from repo_manager.adapters.filesystem.os_errors import translated
from repo_manager.adapters.filesystem.paths import SUBFOLDER, is_link, reachable, refuse_elsewhere, shown
from repo_manager.adapters.filesystem.rename import Mover
from repo_manager.adapters.tuf.signed_set import SetMember, SignedSet
from repo_manager.core import names
from repo_manager.core.errors import MachineError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

FILES: Final = ("root.json", "targets.json", "snapshot.json", "timestamp.json")
_SCHEMA: Final = "repo-manager/trust/1"


class TrustDamagedError(MachineError):
    """What a repository remembers of the set that it follows cannot be read."""


@dataclass(frozen=True, slots=True)
class TrustRecord:
    """What was verified last.

    `anchors` are the digests of the roots from the one that was trusted first to the newest. `files` holds the
    metadata by `FILES`. `place` and `etag` say where the timestamp came from, and what the place calls it.
    """

    anchors: tuple[str, ...]
    files: Mapping[str, bytes]
    found: SignedSet
    place: str
    etag: str | None

    def seen_at(self, place: str, etag: str | None) -> TrustRecord:
        """The same set, seen somewhere."""
        return replace(self, place=place, etag=etag)


class TrustStore:
    """The memory of one repository. `step` is called before every primitive step that writes."""

    def __init__(self, repository: Path, *, step: Callable[[str], None] = lambda _: None) -> None:
        self._repository = reachable(repository)
        self._path = self._repository / SUBFOLDER / "trust.json"
        self._step = step

    def load(self) -> TrustRecord | None:
        """What is remembered, None where nothing ever was.

        Raises:
            MachineError: it cannot be read. `trust-damaged`: it makes no sense, or is a link. To take that for
                nothing would let every older set in.
        """
        with translated(self._path):
            try:
                data = None if is_link(self._path.lstat()) else Mover().read(self._path)
            except (FileNotFoundError, NotADirectoryError):
                return None
        memory = None if data is None else _from_state(data)
        if memory is None:
            raise TrustDamagedError(
                "trust-damaged",
                f"{shown(self._path)}: what this repository remembers of the set that it follows is damaged, so an"
                " older set than it has seen could not be told",
                "put the file back from a backup; if there is none, see that the source has the newest set, and begin"
                " anew with --replace-trust --trust",
            )
        return memory

    def save(self, memory: TrustRecord) -> None:
        """Remember. To be called under the repository's lock.

        Raises:
            MachineError: it cannot be written; what was remembered before still is. Or the folder is a link.
        """
        try:
            if memory == self.load():
                return
        except TrustDamagedError:
            # Whoever trusts anew replaces what is damaged.
            pass
        with translated(self._path):
            refuse_elsewhere(self._path.parent, self._repository)
            with replacing(self._path, step=self._step) as file:
                write_all(file, _to_state(memory))


def _to_state(memory: TrustRecord) -> bytes:
    found = memory.found
    state = {
        "schema": _SCHEMA,
        "anchors": list(memory.anchors),
        "place": memory.place,
        "etag": memory.etag,
        "version": found.version,
        "expires": found.expires.isoformat(),
        "members": [[member.name.text, member.sha256, member.size_bytes] for member in found.members],
        # Digests and signatures are of these very bytes; that they are text was seen when they were verified.
        "files": {name: memory.files[name].decode("utf-8") for name in FILES},
    }
    return json.dumps(state, indent=1).encode("ascii")


def _from_state(data: bytes) -> TrustRecord | None:
    try:
        state = json.loads(data)
        match state:
            case {
                "schema": "repo-manager/trust/1",
                "anchors": [str(first), *_] as anchors,
                "place": str(place),
                "etag": str() | None as etag,
                "version": int(version),
                "expires": str(expires),
                "members": list(listed),
                "files": dict(texts),
            }:
                files = {name: str(texts[name]).encode("utf-8") for name in FILES}
                found = SignedSet(first, version, datetime.fromisoformat(expires), tuple(map(_member, listed)))
                if found.expires.tzinfo is None:
                    return None
                return TrustRecord(tuple(map(str, anchors)), files, found, place, etag)
    except (ValueError, KeyError, RecursionError, names.InvalidNameError):
        pass
    return None


def _member(item: object) -> SetMember:
    match item:
        case [str(name), str(sha256), int(size_bytes)]:
            return SetMember(names.parse(name), sha256, size_bytes)
    raise ValueError(item)
