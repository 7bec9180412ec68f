"""Files that are replaced as a whole: a reader sees the old bytes or the new ones, never a part."""

from __future__ import annotations

import os
import secrets
import stat
import sys
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from repo_manager.adapters.filesystem.opening import FILE_MODE
from repo_manager.adapters.filesystem.paths import reachable
from repo_manager.adapters.filesystem.trusted_files import OTHERS_WRITE
from repo_manager.core.errors import MachineError

if TYPE_CHECKING:
    import io
    from collections.abc import Callable, Iterator
    from io import TextIOWrapper

    from repo_manager.adapters.filesystem.rename import Mover


@contextmanager
def replacing(  # noqa: PLR0913 - each has a default that fits most callers
    path: Path,
    *,
    temporary: Path | None = None,
    mode: int = FILE_MODE,
    step: Callable[[str], None] = lambda _: None,
    mover: Mover | None = None,
    durable: bool = True,
    closed: Callable[[Path], None] = lambda _: None,
) -> Iterator[io.FileIO]:
    """Open a new file that takes the name `path` when the block ends. After an error it is removed.

    The bytes, the name and the folder are on the disk afterwards, where it is to be `durable`.

    Args:
        path: the file to replace.
        temporary: the name of the new file until then, `path` with `.new` unless given. A file that has it already
            was left by a run that was killed, and is deleted.
        mode: the permissions of the new file, whatever the umask.
        step: is called before every primitive step that writes.
        mover: does the renaming.
        durable: whether to wait for the disk.
        closed: is called with the new file when it is written and closed, before it is renamed.

    Raises:
        OSError: it cannot be written. What was at `path` still is there, unless the folder alone could not be synced.
        MachineError: the same, where another program holds a file, or one is no plain file.
    """
    # Loaded by those alone who write: listings and audits only may.
    from repo_manager.adapters.filesystem.rename import Mover

    mover = mover or Mover()
    temporary = temporary or path.with_name(f"{path.name}.new")
    step(f"write {temporary.name}")
    try:
        with mover.create(temporary, mode) as file:
            yield file
            if durable:
                step(f"sync {temporary.name}")
                os.fsync(file.fileno())
        closed(temporary)
        step(f"rename {temporary.name} -> {path.name}")
        mover.replace(temporary, path)
    except BaseException:
        # Also after a sync that was refused: its bytes may not be on the disk even where a second one succeeds.
        with suppress(OSError, MachineError):
            mover.delete_now(temporary)
        raise
    if durable:
        step(f"sync {path.parent.name}")
        mover.sync_folder(path.parent)


def write_whole(
    path: Path, text: str, *, newline: str | None = None, mode: int | None = None, group: int | None = None
) -> None:
    """Write, sync, rename, sync the folder. `newline` as `open` takes it: None writes the system's line ends.

    `mode` is what the file may be used for by whom, where systems know that; None leaves it to the umask.
    `group` is whose group's file it becomes, where this user may say so; None leaves that to the system.
    What cannot be written whole leaves nothing behind.

    Raises:
        OSError: it cannot be written, and what was there before still is; or the disk did not confirm it.
        MachineError: the same, where another program holds what was there before.
    """
    # Loaded by those alone who write: listings and audits only may.
    from repo_manager.adapters.filesystem.rename import Mover, sync_above

    path = reachable(path)
    temporary, file = _beside(path, newline, 0o666 if mode is None else mode)
    try:
        with file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
            if mode is not None and sys.platform != "win32":
                _give_rights(file.fileno(), mode, group)
        Mover().replace(temporary, path)
    except BaseException:
        # Not where it was renamed: the name may be another run's by now.
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
    sync_above(path)


def write_where_told(path: Path, text: str, *, newline: str | None = None, mode: int | None = None) -> None:
    """The same for a file that a person named: links are followed, and what is no file, such as a device, stays it.

    What is replaced hands its rights on. Where a mode is given, others may not write it either way.

    Raises:
        OSError: it cannot be written; what was there before still is.
        MachineError: the same, where another program holds what was there before.
    """
    path = reachable(path)
    if _takes_what_comes(path):
        with path.open("w", encoding="utf-8", newline=newline) as file:
            file.write(text)
        return
    group = None
    with suppress(OSError):
        before = path.stat()
        if sys.platform != "win32":
            group, kept = before.st_gid, stat.S_IMODE(before.st_mode) & _RIGHTS
            mode = kept if mode is None else kept & ~OTHERS_WRITE
    target = Path(os.path.realpath(path)) if path.is_symlink() else path
    write_whole(target, text, newline=newline, mode=mode, group=group)


_RIGHTS: Final = 0o777


if sys.platform != "win32":

    def _give_rights(descriptor: int, mode: int, group: int | None) -> None:
        """Whatever the umask. Some file systems have no modes."""
        with suppress(OSError):
            if group is not None and group != os.fstat(descriptor).st_gid:
                try:
                    os.fchown(descriptor, -1, group)
                except OSError:
                    # What one group may do is not for another one.
                    mode &= ~stat.S_IRWXG
            os.fchmod(descriptor, mode)


def _takes_what_comes(path: Path) -> bool:
    """Whether a path is a device, a pipe or a socket."""
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
