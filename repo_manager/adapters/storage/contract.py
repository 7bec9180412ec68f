"""What every depot promises, and the words in which it says no."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from repo_manager.adapters.filesystem.paths import is_odd
from repo_manager.core.errors import TransferError, VerificationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


# Nothing here needs quoting in a URL, is hidden, or means more than itself on any system.
_PART: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+~-]{0,239}", re.ASCII)
_LONGEST: Final = 900

HINT_ABSENT: Final = "check the address, and that a set has been published there"
HINT_AGAIN: Final = "run the same command again to resume"


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A small file, whole. `etag` changes when the file does; None where the place has none."""

    data: bytes
    etag: str | None


class Storage(Protocol):
    """A place where a signed set lies: files under relative paths with forward slashes.

    Any number of threads may use one. Every method but `close` refuses, before it asks anybody, a path
    that could lead out of the depot (`unsafe-path`). A reader never sees part of a file that is written
    through this interface: the old one, or the new one, or none.

    Beside what each says, every method that asks the place raises TransferError for a way that is broken or
    closed (`cannot-connect`, `stalled`, `cut-off`, `server-busy`, `server-error`, `access-denied`,
    `no-such-store`, `source-went-away`, ...), MachineError for what the disk refuses, and InputError
    `read-only-depot` where the place can only be read.

    Attributes:
        name: for people, without secrets.
    """

    name: str

    def read(self, path: str, *, limit_bytes: int, etag: str | None = None) -> StoredFile | None:
        """A small file, whole; None when it still is the one that has this `etag`.

        Raises:
            TransferError: `not-at-source`: there is no such file.
            VerificationError: `too-large`: it has more bytes than that. They were not all fetched.
        """
        ...

    def stream(self, path: str, *, offset: int = 0) -> Iterator[bytes | memoryview]:
        """A file's bytes from there on, of one and the same state of it. A piece is good until the next is asked for.

        What breaks off is gone on with, patiently. At the very end there is nothing.

        Raises:
            TransferError: `not-at-source`; `changed-at-source`: it became another file meanwhile, or ends before
                `offset`.
        """
        ...

    def size(self, path: str) -> int | None:
        """How many bytes a file has, None when there is no such file."""
        ...

    def write(self, path: str, data: bytes) -> None:
        """Put a small file there, in the place of another."""
        ...

    def upload(self, path: str, file: Path, *, sha256: str, progress: Callable[[int], None]) -> None:
        """Put a large file there, in the place of another.

        Args:
            path: where.
            file: on this machine.
            sha256: what its bytes must have, 64 lower-case hexadecimal digits. They are hashed on their way.
            progress: told how many bytes have been handed over by now. What it raises ends the upload.

        Raises:
            VerificationError: `digest-mismatch`: the bytes are others. Nothing was put there.
            MachineError: `file` cannot be read.
        """
        ...

    def list(self, prefix: str) -> Iterator[tuple[str, int]]:
        """Path and size of every file below the folder `prefix`, in no order; of all files for an empty one.

        A folder that does not exist has no files.
        """
        ...

    def delete(self, path: str) -> None:
        """Take a file away; it may be gone already."""
        ...

    def sweep(self, prefix: str, ours: Callable[[str], bool]) -> int:
        """Take away what writers that were killed have left right below a folder, and say how many files that were.

        Args:
            prefix: the folder.
            ours: asked for the path that a leftover should have become; only those go, and only after a day.
        """
        ...

    def close(self) -> None:
        """Let go of every connection."""
        ...


def checked(path: str) -> str:
    """The path, if it stays in its depot on any system.

    Raises:
        VerificationError: `unsafe-path`. Paths are made of what others wrote down.
    """
    parts = path.split("/")
    if len(path) > _LONGEST or not all(_PART.fullmatch(part) and not is_odd(part) for part in parts):
        raise VerificationError(
            "unsafe-path",
            f"{path[:120]!r} is no path in a signed set",
            "do not use this set; ask those who publish it where the name comes from",
        )
    return path


def checked_prefix(prefix: str) -> str:
    """The same for a folder, which may be empty and may end with a slash."""
    prefix = prefix.removesuffix("/")
    return checked(prefix) if prefix else ""


def absent(where: str) -> TransferError:
    """There is no such file."""
    return TransferError("not-at-source", f"{where}: there is no such file", HINT_ABSENT)


def changed(where: str) -> TransferError:
    """A file became another one while it was read."""
    return TransferError(
        "changed-at-source", f"{where}: the file changed while it was read", "run the same command again"
    )


def too_large(where: str, limit_bytes: int) -> VerificationError:
    """A small file that is none."""
    return VerificationError(
        "too-large",
        f"{where}: more than {limit_bytes} bytes, where a small file should be",
        "do not use this set; check what the address leads to",
    )


def other_bytes(file: Path, *, expected: str, found: str) -> VerificationError:
    """A file that is to be published is not what it was taken for."""
    return VerificationError(
        "digest-mismatch",
        f"{file}: expected sha256 {expected}, read {found}",
        "check the repository with audit --deep, then publish again",
    )
