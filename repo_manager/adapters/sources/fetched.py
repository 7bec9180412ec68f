"""What every source hands back, and the listeners that nobody is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from repo_manager.adapters.installers.archive import Contents


@dataclass(frozen=True, slots=True)
class Fetched:
    """A whole installer, verified and on the disk (synced), still under its staging name.

    Attributes:
        sha256: 64 lower-case hexadecimal digits.
        url: where the last byte came from: a URL without credentials and query, or a path.
    """

    sha256: str
    size_bytes: int
    url: str
    contents: Contents


def ignore(_done: int) -> None:
    """The progress nobody watches."""


def never() -> bool:
    """The cancellation nobody asks for."""
    return False
