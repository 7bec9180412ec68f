"""Machines, the list they stand in, and what is to be said of its rows."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class Wording(StrEnum):
    """Where the words for a machine's system come from."""

    # VMware Tools saw it running.
    TOOLS = "tools"
    # Whoever made the machine chose it from a list. Weak: nobody keeps it right.
    CONFIGURED = "configured"
    # A plain list says so.
    GIVEN = "given"


@dataclass(frozen=True, slots=True)
class Machine:
    """One machine.

    `place` says where it stands, as in `line 12` or `sheet vInfo, row 12`. `system` is what it is called in anyone's
    words, empty where nothing is said. `kernel` is what `uname -r` prints on a running Linux; None where unknown.
    `powered_on` is None where nothing is said. `identity` has the identifiers that an export gives beside the name,
    always in the same order, each empty where nothing is said; () where no column has any.
    """

    name: str
    place: str
    system: str
    wording: Wording
    powered_on: bool | None = None
    kernel: str | None = None
    identity: tuple[str, ...] = ()

    @property
    def weak(self) -> bool:
        """Whether the system is only what somebody once chose."""
        return self.wording is Wording.CONFIGURED


@dataclass(frozen=True, slots=True)
class RowProblem:
    """What is to be said of a row. `column` is the heading, empty where it is the whole row's.

    `dropped` is whether the row was left out, so that a machine may be missing; otherwise this is a remark on a row
    that was kept, or on the file.
    """

    place: str
    column: str
    message: str
    dropped: bool = False

    def __str__(self) -> str:
        return f"{self.place}{f', {self.column}' if self.column else ''}: {self.message}"


@dataclass(frozen=True, slots=True)
class Inventory:
    """The machines of one file, in its order. `templates` and `placeholders` were skipped, and are counted here."""

    name: str
    machines: tuple[Machine, ...]
    templates: int = 0
    placeholders: int = 0
    troubles: tuple[RowProblem, ...] = ()

    @property
    def dropped(self) -> int:
        """How many rows were left out because they could not be used."""
        return sum(trouble.dropped for trouble in self.troubles)


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a table. A cell is plain text, empty where there is nothing."""

    place: str
    cells: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class JsonRecord:
    """One machine with headings of its own, as in JSON."""

    place: str
    cells: Mapping[str, str]
