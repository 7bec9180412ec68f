"""What can be said of a system: one package, several, none, or nothing."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, ClassVar, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from repo_manager.core.names import Token


class Status(StrEnum):
    """The four kinds of answer."""

    RESOLVED = "resolved"
    AMBIGUOUS = "ambiguous"
    UNSUPPORTED = "unsupported"
    UNKNOWN = "unknown"


class CatalogEntry(NamedTuple):
    """An entry of the catalog: the versions that a package serves, in words, and keys of the catalog's sources."""

    versions: str
    evidence: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Resolved:
    """Exactly one package serves the system.

    Attributes:
        query: the words as they were given.
        why: what was understood, and the package it leads to.
        note: what a careful reader should also know; may be empty.
        modernized_only: this very system is supported by the modernized experience alone, so a
            classic server should not be expected to protect it.
        serves: the entries of the catalog that the answer comes from; none where the query is the name of a package.
    """

    status: ClassVar = Status.RESOLVED

    query: str
    package: Token
    why: str
    note: str = ""
    modernized_only: bool = False
    serves: tuple[CatalogEntry, ...] = ()

    @property
    def candidates(self) -> tuple[Token, ...]:
        """The package alone."""
        return (self.package,)


@dataclass(frozen=True, slots=True)
class Ambiguous:
    """Several systems could be meant, or not every system meant has a package.

    Attributes:
        query: the words as they were given.
        candidates: the packages that could be right, in the vendor's order; at least one.
        why: what leaves it open, and what would settle it.
    """

    status: ClassVar = Status.AMBIGUOUS
    package: ClassVar[None] = None

    query: str
    candidates: tuple[Token, ...]
    why: str


@dataclass(frozen=True, slots=True)
class Unsupported:
    """The system is known, and no package serves it."""

    status: ClassVar = Status.UNSUPPORTED
    package: ClassVar[None] = None
    candidates: ClassVar[tuple[Token, ...]] = ()

    query: str
    why: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """Nobody could say from these words which system it is."""

    status: ClassVar = Status.UNKNOWN
    package: ClassVar[None] = None
    candidates: ClassVar[tuple[Token, ...]] = ()

    query: str
    why: str


Answer: TypeAlias = Resolved | Ambiguous | Unsupported | Unknown
