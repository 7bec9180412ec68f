r"""A share as a depot, where the system cannot open it by its name. To read from.

On Windows `\\server\share\folder` is a folder like any other, and no matter of this module.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from repo_manager.adapters.sources.smb import join
from repo_manager.adapters.storage.contract import Blob, absent, changed, checked, too_large
from repo_manager.adapters.storage.read_only import ReadOnly
from repo_manager.core.errors import TransferError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from repo_manager.adapters.sources.smb import Location, Shares


class ShareDepot(ReadOnly):
    """A depot in a folder of a share.

    Args:
        shares: the connections; they are closed with the depot.
        location: the folder.
    """

    def __init__(self, shares: Shares, location: Location) -> None:
        self._shares = shares
        self._location = location
        self.name = location.text

    def read(self, path: str, *, limit_bytes: int, etag: str | None = None) -> Blob | None:
        """See `Depot.read`. The tag is made of the bytes."""
        where, place = self._find(path)
        data = bytearray()
        try:
            with self._shares.lend(self._location) as link, link.open(place, where) as file:
                while (piece := file.read()) and len(data) <= limit_bytes:
                    data += piece
        except TransferError as error:
            if error.code == "not-at-source":
                raise absent(where) from error
            raise
        if len(data) > limit_bytes:
            raise too_large(where, limit_bytes)
        found = f'"{hashlib.sha256(data).hexdigest()}"'
        return None if found == etag else Blob(bytes(data), found)

    def stream(self, path: str, *, offset: int = 0) -> Iterator[bytes | memoryview]:
        """See `Depot.stream`. What breaks off is not gone on with: the next run does."""
        where, place = self._find(path)
        at = offset
        try:
            with self._shares.lend(self._location) as link, link.open(place, where) as file:
                before = file.state()
                if offset > before[0]:
                    raise changed(where)
                file.start_at(offset)
                while piece := file.read():
                    at += len(piece)
                    yield piece
                if not before == file.state() == (at, before[1]):
                    raise changed(where)
        except TransferError as error:
            if error.code == "not-at-source":
                raise absent(where) from error
            raise

    def size(self, path: str) -> int | None:
        """See `Depot.size`."""
        where, place = self._find(path)
        try:
            with self._shares.lend(self._location) as link, link.open(place, where) as file:
                return file.state()[0]
        except TransferError as error:
            if error.code == "not-at-source":
                return None
            raise

    def close(self) -> None:
        """See `Depot.close`."""
        self._shares.close()

    def _find(self, path: str) -> tuple[str, str]:
        place = self._location.text
        for part in checked(path).split("/"):
            place = join(place, part)
        return place, self._location.path(path.replace("/", "\\"))
