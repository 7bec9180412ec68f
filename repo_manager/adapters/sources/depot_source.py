"""A depot as a source of installers: resumed, held to a rate, and verified on the way."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final

from repo_manager.adapters.sources.fetched import Fetched, ignore, never
from repo_manager.adapters.sources.part import Origin, PartialFile, check_size
from repo_manager.adapters.storage.contract import absent
from repo_manager.adapters.tuf.signed_set import SetMember
from repo_manager.core.errors import TransferError, VerificationError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from repo_manager.adapters.storage import Storage
    from repo_manager.core.names import InstallerName

# How far ahead of the rate a transfer may be: one piece of any depot's.
_AHEAD_S: Final = 0.25

# How long a wait may go without asking whether to stop.
_NAP_S: Final = 0.5


class RateLimit:
    """Holds any number of transfers to a rate in bytes a second, all together. None is no limit."""

    def __init__(
        self,
        rate: int | None,
        *,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._rate = rate
        self._sleep = sleep
        self._clock = clock
        self._lock = threading.Lock()
        self._free_at = clock()

    def take(self, count: int, cancelled: Callable[[], bool] = never) -> None:
        """So many bytes have come: wait until they might have at that rate, or until nobody waits for them any more."""
        if self._rate is None:
            return
        with self._lock:
            now = self._clock()
            self._free_at = max(self._free_at, now) + count / self._rate
            wait_s = self._free_at - now - _AHEAD_S
        while wait_s > 0 and not cancelled():
            self._sleep(min(wait_s, _NAP_S))
            wait_s -= _NAP_S


class DepotSource:
    """Fetches the installers of a set. Any number of threads may share it."""

    def __init__(self, depot: Storage, pace: RateLimit | None = None) -> None:
        self._depot = depot
        self._pace = pace or RateLimit(None)

    def size(self, name: InstallerName, sha256: str | None) -> int:
        """How many bytes an installer has in the depot.

        Raises:
            TransferError: what the depot raises, and `not-at-source`.
        """
        path = SetMember(name, sha256, 0).path
        size = self._depot.size(path)
        if size is None:
            raise absent(f"{self._depot.name}/{path}")
        return size

    def fetch(  # noqa: PLR0913 - the shape that all sources share
        self,
        name: InstallerName,
        part: Path,
        *,
        sha256: str | None = None,
        size_bytes: int | None = None,
        progress: Callable[[int], None] = ignore,
        cancelled: Callable[[], bool] = never,
    ) -> Fetched:
        """Bring an installer to `part`, verified and synced.

        What came so far stays for the next run to go on with, where a digest can vouch for the whole in the end.
        Bytes that turn out wrong are removed; where they came in more than one run, all of them are asked for once.

        Args:
            name: what the bytes must be.
            part: a path in a staging folder that exists; never the published place.
            sha256: as the set says; None for a plain folder.
            size_bytes: the same.
            progress: told how many bytes `part` has by now.
            cancelled: asked between portions.

        Raises:
            TransferError: what the depot raises, and `cancelled`.
            VerificationError: as `adapters.installers.archive` says, and `size-mismatch`, `digest-mismatch`.
            MachineError: `part` could not be written; see `adapters.filesystem.os_errors`.
        """
        path = SetMember(name, sha256, size_bytes or 0).path

        def tick(done: int, came: int) -> None:
            self._pace.take(came, cancelled)
            if cancelled():
                raise TransferError("cancelled", f"{name}: the transfer was stopped", "run again to resume")
            progress(done)

        with PartialFile(part, name) as target:
            if sha256 is not None:
                target.resume()
            try:
                return self._whole(path, name, target, tick, sha256, size_bytes)
            except TransferError:
                if not target.size_bytes:
                    # There is nothing to go on with.
                    target.discard()
                raise
            except VerificationError as error:
                pieced = target.pieced
                target.discard()
                if not pieced:
                    _advise(error, path, sha256)
                    raise
            try:
                return self._whole(path, name, target, tick, sha256, size_bytes)
            except VerificationError as error:
                target.discard()
                _advise(error, path, sha256)
                raise

    def _whole(  # noqa: PLR0913, PLR0917 - the parts of one order
        self,
        path: str,
        name: InstallerName,
        target: PartialFile,
        tick: Callable[[int, int], None],
        sha256: str | None,
        size_bytes: int | None,
    ) -> Fetched:
        where = f"{self._depot.name}/{path}"
        if size_bytes is not None and target.size_bytes > size_bytes:
            target.discard()
        if not target.size_bytes:
            target.restart(None if sha256 is None else Origin(where, None, None, size_bytes))
        if target.size_bytes != size_bytes:
            for piece in self._depot.stream(path, offset=target.size_bytes):
                target.write(piece)
                if size_bytes is not None and target.size_bytes > size_bytes:
                    check_size(name, expected=size_bytes, found=target.size_bytes)
                tick(target.size_bytes, len(piece))
        contents = target.finish(sha256=sha256, size_bytes=size_bytes)
        return Fetched(contents.sha256, contents.size_bytes, where, contents)


def _advise(error: VerificationError, path: str, sha256: str | None) -> None:
    """Say what helps where a set was verified and its installer is another: to fetch it again brings the same bytes."""
    if sha256 is not None:
        error.hint = f"run publish --verify at the leader, which sends {path} again; then run again"
