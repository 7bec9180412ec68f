"""A small file, written so that a reader sees the old text or the new, never a part."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

from repo_manager.edges.disk.paths import reachable

if TYPE_CHECKING:
    from pathlib import Path


def write_whole(path: Path, text: str, *, newline: str | None = None, mode: int | None = None) -> None:
    """Write, sync, rename. `newline` as `open` takes it: None writes the system's line ends.

    `mode` is what the file may be used for by whom, where systems know that; None leaves it to the umask.
    What cannot be written whole leaves nothing behind.

    Raises:
        OSError: it cannot be written; what was there before still is.
        MachineError: the same, where another program holds what was there before.
    """
    # Loaded by those alone who write: listings and audits only may.
    from repo_manager.edges.disk.renaming import Mover

    path = reachable(path)
    temporary = path.with_name(f"{path.name}.new")
    try:
        with temporary.open("w", encoding="utf-8", newline=newline) as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
            if mode is not None and hasattr(os, "fchmod"):
                os.fchmod(file.fileno(), mode)
        Mover().replace(temporary, path)
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
