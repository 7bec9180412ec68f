"""A file on its way out: in pieces, hashed, and never whole unless its bytes are the right ones."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

from repo_manager.adapters.filesystem.os_errors import disk_error
from repo_manager.adapters.storage.contract import other_bytes

if TYPE_CHECKING:
    import io
    from collections.abc import Callable, Iterator
    from pathlib import Path

# S3 takes 10,000 pieces of one object, each of 5 MiB or more.
PIECE: Final = 8 << 20


def hashed(source: io.FileIO, file: Path, sha256: str, progress: Callable[[int], None]) -> Iterator[bytes]:
    """The file in pieces, the last one only after all were seen to be the right ones.

    Without its last piece an upload does not become an object.
    """
    digest, done, held = hashlib.sha256(), 0, b""
    while piece := _piece(source, file):
        if held:
            yield held
        digest.update(piece)
        held = piece
        done += len(piece)
        progress(done)
    if digest.hexdigest() != sha256:
        raise other_bytes(file, expected=sha256, found=digest.hexdigest())
    yield held


def _piece(source: io.FileIO, file: Path) -> bytes:
    piece = bytearray(PIECE)
    view, filled = memoryview(piece), 0
    try:
        while filled < PIECE and (count := source.readinto(view[filled:])):
            filled += count
    except OSError as error:
        raise disk_error(error, file) from error
    return bytes(view[:filled])
