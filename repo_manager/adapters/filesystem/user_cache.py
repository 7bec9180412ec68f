"""Files that the tool keeps in the user's cache folder. Losing one costs time and nothing else."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

from repo_manager.adapters.filesystem import trusted_files
from repo_manager.core.errors import InputError, MachineError

if TYPE_CHECKING:
    from collections.abc import Mapping


def cache_folder(environ: Mapping[str, str]) -> Path:
    """The user's cache folder for this tool."""
    if environ.get("REPO_MANAGER_CACHE_DIR"):
        return Path(environ["REPO_MANAGER_CACHE_DIR"])
    if environ.get("LOCALAPPDATA"):
        return Path(environ["LOCALAPPDATA"]) / "repo-manager" / "cache"
    base = environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path(os.path.expanduser("~")) / ".cache") / "repo-manager"  # noqa: PTH111 - Path.home raises where expanduser gives up quietly


def read(file: Path) -> bytes | None:
    """The bytes of a file of the cache. None where it cannot be read, or others could have written it."""
    try:
        return trusted_files.read(file)
    except (OSError, InputError):
        return None


def write(file: Path, data: bytes) -> bool:
    """Replace a file of the cache. False where it cannot be written now: it is not waited for, nor is the disk."""
    from repo_manager.adapters.filesystem.atomic_write import replacing
    from repo_manager.adapters.filesystem.opening import (
        PRIVATE_FILE_MODE,
        PRIVATE_FOLDER_MODE,
        make_folders,
        write_all,
    )
    from repo_manager.adapters.filesystem.rename import Mover

    mover = Mover(sleep=lambda _: None)
    temporary = file.with_suffix(f".{os.getpid()}.new")
    with contextlib.suppress(OSError, InputError, MachineError):
        make_folders(file.parent, PRIVATE_FOLDER_MODE)
        trusted_files.require(file.parent)
        with replacing(file, temporary=temporary, mode=PRIVATE_FILE_MODE, mover=mover, durable=False) as opened:
            write_all(opened, data)
        return True
    return False
