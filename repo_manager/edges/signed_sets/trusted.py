"""Whom a repository trusts, and what it has seen of them: the memory that no older set gets past.

    .repo-manager/trust/
      root.json, targets.json, snapshot.json, timestamp.json    the newest that were verified
      state.json                                                what they amount to; written last

It lies in the repository, whose owner it concerns: whoever could change it could change the installers.
"""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from repo_manager import names
from repo_manager.edges.disk.paths import SUBFOLDER, is_link, reachable, refuse_elsewhere
from repo_manager.edges.disk.refusals import disk_error
from repo_manager.edges.disk.renaming import Mover, sync_folder
from repo_manager.edges.signed_sets.signed_set import Member, SignedSet

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

FILES: Final = ("root.json", "targets.json", "snapshot.json", "timestamp.json")
_STATE: Final = "state.json"
_SCHEMA: Final = "repo-manager/trust/1"


@dataclass(frozen=True, slots=True)
class Memory:
    """What was verified last.

    `anchors` are the digests of the roots from the one that was trusted first to the newest. `files` holds the
    metadata by `FILES`. `place` and `etag` say where the timestamp came from, and what the place calls it.
    """

    anchors: tuple[str, ...]
    files: Mapping[str, bytes]
    found: SignedSet
    place: str
    etag: str | None

    def seen_at(self, place: str, etag: str | None) -> Memory:
        """The same set, seen somewhere."""
        return replace(self, place=place, etag=etag)


class TrustStore:
    """The memory of one repository. `step` is called before every primitive step that writes."""

    def __init__(self, repository: Path, *, step: Callable[[str], None] = lambda _: None) -> None:
        self._repository = reachable(repository)
        self._folder = self._repository / SUBFOLDER / "trust"
        self._step = step

    def load(self) -> Memory | None:
        """What is remembered, None where nothing is, or nothing that can be believed.

        Raises:
            MachineError: it cannot be read.
        """
        with self._translated():
            state = self._read(_STATE)
            files = {name: data for name in FILES if (data := self._read(name)) is not None}
        if state is None or len(files) != len(FILES):
            return None
        return _from_state(state, files)

    def save(self, memory: Memory) -> None:
        """Remember. To be called under the repository's lock.

        Raises:
            MachineError: it cannot be written, or the folder is a link.
        """
        if memory == self.load():
            return
        with self._translated():
            for folder in (self._folder.parent, self._folder):
                refuse_elsewhere(folder, self._repository)
            if not self._folder.is_dir():
                self._step("make trust")
                self._folder.mkdir()
            for name in FILES:
                self._write(name, memory.files[name])
            self._write(_STATE, json.dumps(_to_state(memory), indent=1).encode("ascii"))

    def forget(self) -> None:
        """Trust nobody any more.

        Raises:
            MachineError: a file cannot be deleted.
        """
        with self._translated():
            if self._folder.is_dir():
                refuse_elsewhere(self._folder, self._repository)
            for name in (_STATE, *FILES):
                with contextlib.suppress(FileNotFoundError):
                    Mover().delete(self._folder / name)

    def _read(self, name: str) -> bytes | None:
        path = self._folder / name
        try:
            return None if is_link(path.lstat()) else Mover().read(path)
        except (FileNotFoundError, NotADirectoryError):
            return None

    def _write(self, name: str, data: bytes) -> None:
        if self._read(name) == data:
            return
        temporary = self._folder / f"{name}.new"
        self._step(f"write {temporary.name}")
        # Made anew: what lies there may be a link that leads elsewhere.
        with contextlib.suppress(FileNotFoundError):
            Mover().delete(temporary)
        with temporary.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        self._step(f"rename {temporary.name} -> {name}")
        Mover().replace(temporary, self._folder / name)
        sync_folder(self._folder)

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise disk_error(error, self._folder) from error


def _to_state(memory: Memory) -> dict[str, Any]:
    found = memory.found
    return {
        "schema": _SCHEMA,
        "anchors": list(memory.anchors),
        "place": memory.place,
        "etag": memory.etag,
        "version": found.version,
        "expires": found.expires.isoformat(),
        "members": [[member.name.text, member.sha256, member.size_bytes] for member in found.members],
    }


def _from_state(data: bytes, files: Mapping[str, bytes]) -> Memory | None:
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
            }:
                found = SignedSet(first, version, datetime.fromisoformat(expires), tuple(map(_member, listed)))
                if found.expires.tzinfo is None:
                    return None
                return Memory(tuple(map(str, anchors)), files, found, place, etag)
    except (ValueError, RecursionError, names.InvalidNameError):
        pass
    return None


def _member(item: object) -> Member:
    match item:
        case [str(name), str(sha256), int(size_bytes)]:
            return Member(names.parse(name), sha256, size_bytes)
    raise ValueError(item)
