"""A small file, written so that a reader sees the old text or the new, never a part."""

from __future__ import annotations

import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from repo_manager.edges.disk.paths import reachable

if TYPE_CHECKING:
    from io import TextIOWrapper


def write_whole(path: Path, text: str, *, newline: str | None = None, mode: int | None = None) -> None:
    """Write, sync, rename, sync the folder. `newline` as `open` takes it: None writes the system's line ends.

    `mode` is what the file may be used for by whom, where systems know that; None leaves it to the umask.
    What cannot be written whole leaves nothing behind.

    Raises:
        OSError: it cannot be written, and what was there before still is; or the disk did not confirm it.
        MachineError: the same, where another program holds what was there before.
    """
    # Loaded by those alone who write: listings and audits only may.
    from repo_manager.edges.disk.renaming import Mover, sync_above

    path = reachable(path)
    temporary, file = _beside(path, newline, 0o666 if mode is None else mode)
    try:
        with file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
            if mode is not None and hasattr(os, "fchmod"):
                os.fchmod(file.fileno(), mode)
        Mover().replace(temporary, path)
    except BaseException:
        # Not where it was renamed: the name may be another run's by now.
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
    sync_above(path)


def write_where_told(path: Path, text: str, *, newline: str | None = None, mode: int | None = None) -> None:
    """The same for a file that a person named: links are followed, and what is no file, such as a device, stays it.

    Raises:
        OSError: it cannot be written; what was there before still is.
        MachineError: the same, where another program holds what was there before.
    """
    path = reachable(path)
    if _takes_what_comes(path):
        with path.open("w", encoding="utf-8", newline=newline) as file:
            file.write(text)
        return
    write_whole(Path(os.path.realpath(path)) if path.is_symlink() else path, text, newline=newline, mode=mode)


def _takes_what_comes(path: Path) -> bool:
    """Whether a device, a pipe or a socket stands there."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def _beside(path: Path, newline: str | None, mode: int) -> tuple[Path, TextIOWrapper]:
    """A new file in the same folder. What has its name already, another run's or a stranger's, is left alone."""

    def new(name: str) -> tuple[Path, TextIOWrapper]:
        temporary = path.with_name(name)
        # With no more rights than wanted from the first moment on.
        how = lambda file, flags: os.open(file, flags, mode)  # noqa: E731 - as short as it is
        return temporary, open(temporary, "x", encoding="utf-8", newline=newline, opener=how)

    try:
        return new(f"{path.name}.new")
    except FileExistsError:
        return new(f"{path.name}.{secrets.token_hex(4)}.new")
