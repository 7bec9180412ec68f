"""Which column says what: headings as exports and people write them, in one row or in two."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from enum import StrEnum
from itertools import zip_longest
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence


class Role(StrEnum):
    """What a column says."""

    NAME = "name"
    TOOLS = "tools"
    DETAILED = "detailed"
    CONFIGURED = "configured"
    GIVEN = "given"
    RELEASE = "release"
    KERNEL = "kernel"
    POWER = "power"
    TEMPLATE = "template"
    PLACEHOLDER = "placeholder"
    UUID = "uuid"
    VM_ID = "vm-id"
    CENTER = "center"


HEADING_ROWS: Final = 20
"""So many rows may stand above the headings."""

# Headings in small letters and digits alone, without accents. Of several for one role the first listed counts: an
# export has the column Host too, which is where the machine runs.
_HEADINGS: Final[dict[Role, tuple[str, ...]]] = {
    Role.NAME: (
        "vm", "vinfovmname", "vmname", "virtualmachine", "name", "machine", "machinename", "computername", "computer",
        "servername", "server", "hostname", "fqdn", "dnsname", "nom", "rechnername", "host",
    ),
    Role.TOOLS: ("osaccordingtothevmwaretools", "vinfoostools", "ostools", "osfullname"),
    Role.DETAILED: ("guestdetaileddata", "vinfoguestdetaileddata", "detaileddata"),
    Role.CONFIGURED: (
        "osaccordingtotheconfigurationfile", "vinfoos", "osconfig", "configuredos", "guestid", "guestfullname",
    ),
    Role.GIVEN: (
        "os", "operatingsystem", "osname", "guestos", "operatingsystemname", "system", "betriebssystem",
        "systemedexploitation", "prettyname",
    ),
    Role.RELEASE: (
        "osversion", "operatingsystemversion", "osrelease", "distroversion", "betriebssystemversion",
        "versiondusystemedexploitation",
    ),
    Role.KERNEL: ("kernel", "kernelversion", "kernelrelease", "unamer", "uname"),
    Role.POWER: ("powerstate", "vinfopowerstate", "power"),
    Role.TEMPLATE: ("template", "vinfotemplate", "istemplate"),
    Role.PLACEHOLDER: ("srmplaceholder", "vinfosrmplaceholder", "placeholder"),
    Role.UUID: ("vmuuid", "vinfouuid", "vinfovmuuid"),
    Role.VM_ID: ("vmid", "vinfovmid"),
    Role.CENTER: ("visdkuuid", "vinfovisdkuuid", "visdkserver", "vinfovisdkserver"),
}  # fmt: skip
_ROLES: Final = {heading: (role, rank) for role, known in _HEADINGS.items() for rank, heading in enumerate(known)}
SYSTEM_ROLES: Final = frozenset({Role.TOOLS, Role.DETAILED, Role.CONFIGURED, Role.GIVEN})

# Many things have a version. This one is the system's only where it stands beside the system.
_VERSION: Final = "version"


@dataclass(frozen=True, slots=True)
class Columns:
    """Which column has which role. `headings` are those of the file, by column."""

    at: Mapping[Role, int]
    headings: tuple[str, ...]
    doubled: tuple[str, ...] = ()

    def heading(self, role: Role) -> str:
        """What the file calls the column; empty where there is none."""
        return self.headings[self.at[role]] if role in self.at else ""


def columns_of(cells: Sequence[str]) -> Columns | None:
    """The roles of headings; None unless one names the machine and one its system."""
    at: dict[Role, int] = {}
    ranks: dict[Role, int] = {}
    doubled: list[str] = []
    seen: set[str] = set()
    keys = [_key(cell) for cell in cells]
    for index, key in enumerate(keys):
        if key not in _ROLES:
            continue
        role, rank = _ROLES[key]
        if key in seen:
            doubled.append(cells[index].strip())
        elif rank < ranks.get(role, len(_ROLES)):
            at[role], ranks[role] = index, rank
        seen.add(key)
    if Role.NAME not in at or not SYSTEM_ROLES & at.keys():
        return None
    if Role.GIVEN in at and Role.RELEASE not in at:
        for index in (at[Role.GIVEN] + 1, at[Role.GIVEN] - 1):
            if 0 <= index < len(keys) and keys[index] == _VERSION:
                at[Role.RELEASE] = index
                break
    return Columns(at, tuple(cell.strip() for cell in cells), tuple(doubled))


def _key(heading: str) -> str:
    bare = heading if heading.isascii() else unicodedata.normalize("NFKD", heading)
    return "".join(character for character in bare.casefold() if character.isalnum())


class Finder:
    """Finds the headings, given one row after the other. `columns` is what was found so far."""

    def __init__(self) -> None:
        self.columns: Columns | None = None
        self._above: Sequence[str] = ()
        self._may_go_on = True

    def takes(self, cells: Sequence[str]) -> bool:
        """Whether the row belongs to the headings, or stands above them. Once one does not, none does."""
        if not self._may_go_on:
            return False
        if not any(cells):
            return True
        if self.columns is None:
            self.columns = _below(self._above, cells)
            self._above = cells
            return True
        self._may_go_on = False
        second = _second_row(self._above, cells)
        self.columns = second or self.columns
        return second is not None


def _below(above: Sequence[str], cells: Sequence[str]) -> Columns | None:
    """The roles of headings that may stand below those of groups of columns."""
    alone = columns_of(cells)
    # What stands in the first cell alone is a title.
    grouped = columns_of(tuple(_grouped(above, cells))) if any(above[1:]) else None
    if alone is None or grouped is None:
        return alone or grouped
    tells_more = Role.RELEASE in grouped.at and grouped.at.items() >= alone.at.items()
    return grouped if tells_more else alone


def _second_row(top: Sequence[str], cells: Sequence[str]) -> Columns | None:
    """The roles of headings in two rows, of which the first was taken for all; None where the second is a machine."""
    columns = columns_of(tuple(_grouped(top, cells, keep_known=True)))
    if columns is None:
        return None
    name = columns.at[Role.NAME]
    named = cells[name].strip() if name < len(cells) else ""
    of_system = {columns.at[role] for role in (*SYSTEM_ROLES, Role.RELEASE) if role in columns.at}
    told = [_key(cells[index]) for index in of_system if index < len(cells) and cells[index].strip()]
    known = [key in _ROLES or key == _VERSION for key in told]
    if not named:
        return columns if any(known) else None
    # A machine may be called `server`, but then its system is not called `os`.
    return columns if columns.headings[name] != top[name].strip() and told and all(known) else None


def _grouped(groups: Sequence[str], cells: Sequence[str], *, keep_known: bool = False) -> Iterator[str]:
    """Headings of which those above reach over several columns: `Operating system` over `Name` and `Version`.

    With `keep_known` the one above stays where only that one is known.
    """
    group = ""
    for above, below in zip_longest(groups, cells, fillvalue=""):
        group = above.strip() or group
        cell = below.strip()
        both = f"{group} {cell}"
        if not cell or (keep_known and _key(above) in _ROLES and not {_key(both), _key(cell)} & _ROLES.keys()):
            yield above
        else:
            yield both if _key(both) in _ROLES else cell
