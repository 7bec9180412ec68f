"""A vCenter export or a plain list -> machines.

    rows of cells, or records  --from_rows, from_records-->  Inventory

What a reader hands over are rows of cells; which file they came from, and how it was encoded, is the edge's business.
A row that cannot be used is never dropped in silence: it becomes a Trouble that says where it stands and why.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from repo_manager.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence


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
    `powered_on` is None where nothing is said.
    """

    name: str
    place: str
    system: str
    wording: Wording
    powered_on: bool | None = None
    kernel: str | None = None

    @property
    def weak(self) -> bool:
        """Whether the system is only what somebody once chose."""
        return self.wording is Wording.CONFIGURED


@dataclass(frozen=True, slots=True)
class Trouble:
    """What is wrong with a row, which was left out unless the message says otherwise.

    `column` is the heading, empty where it is the whole row's.
    """

    place: str
    column: str
    message: str

    def __str__(self) -> str:
        return f"{self.place}{f', {self.column}' if self.column else ''}: {self.message}"


@dataclass(frozen=True, slots=True)
class Inventory:
    """The machines of one file, in its order. `templates` and `placeholders` were skipped, and are counted here."""

    name: str
    machines: tuple[Machine, ...]
    templates: int = 0
    placeholders: int = 0
    troubles: tuple[Trouble, ...] = ()


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a table. A cell is plain text, empty where there is nothing."""

    place: str
    cells: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Record:
    """One machine with headings of its own, as in JSON."""

    place: str
    cells: Mapping[str, str]


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


UNCALCULATED: Final = "#FORMULA!"
"""What a reader gives for a formula whose value nobody has calculated yet."""

DATE: Final = "#DATE!"
"""What a reader gives for a date: spreadsheets make one of `Mar-12`, and the name is lost."""

HEADING_ROWS: Final = 20
"""So many rows may stand above the headings."""

# Headings in small letters and digits alone. Of several for one role the first listed counts: an export has the column
# Host too, which is where the machine runs.
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
    Role.RELEASE: ("osversion", "operatingsystemversion", "osrelease", "distroversion"),
    Role.KERNEL: ("kernel", "kernelversion", "kernelrelease", "unamer", "uname"),
    Role.POWER: ("powerstate", "vinfopowerstate", "power"),
    Role.TEMPLATE: ("template", "vinfotemplate", "istemplate"),
    Role.PLACEHOLDER: ("srmplaceholder", "vinfosrmplaceholder", "placeholder"),
}  # fmt: skip
_ROLES: Final = {heading: (role, rank) for role, known in _HEADINGS.items() for rank, heading in enumerate(known)}
_SYSTEM_ROLES: Final = frozenset({Role.TOOLS, Role.DETAILED, Role.CONFIGURED, Role.GIVEN})

_YES: Final = frozenset({"true", "1", "yes", "y", "x", "wahr", "ja", "vrai", "oui"})
_ON: Final = frozenset({"poweredon", "on", "running", *_YES})
_OFF: Final = frozenset({"poweredoff", "off", "suspended", "stopped", "false", "0", "no"})
_ERRORS: Final = {
    **dict.fromkeys(("#N/A", "#REF!", "#VALUE!", "#NAME?", "#DIV/0!", "#NULL!", "#NUM!"), "a formula that failed"),
    UNCALCULATED: "a formula that was never calculated; open the file in a spreadsheet and save it again",
    DATE: "a date, which a spreadsheet made of a name; write it as text",
}
_LONGEST_NAME: Final = 256
_SHOWN: Final = 12

# Evidence: guestInfo.detailed.data of VMware Tools; `key='value'` pairs with a space between them.
_PAIR: Final = re.compile(r"(?<![A-Za-z0-9])([A-Za-z]{1,40})='([^'\n]*)'")
_NAMING: Final = ("prettyName", "distroName")
_OF_SYSTEM: Final = ("architecture", "bitness", "distroName", "distroVersion", "familyName", "prettyName")
_TOOLS_KERNEL: Final = re.compile(r"\s*Linux (?P<kernel>[0-9]\S+)")


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
    for index, cell in enumerate(cells):
        key = "".join(character for character in cell.casefold() if character.isalnum())
        if key not in _ROLES:
            continue
        role, rank = _ROLES[key]
        if key in seen:
            doubled.append(cell.strip())
        elif rank < ranks.get(role, len(_ROLES)):
            at[role], ranks[role] = index, rank
        seen.add(key)
    if Role.NAME not in at or not _SYSTEM_ROLES & at.keys():
        return None
    return Columns(at, tuple(cell.strip() for cell in cells), tuple(doubled))


def from_rows(name: str, rows: Iterable[Row | Trouble]) -> Inventory:
    """A table: the headings are in one of its first rows.

    Raises:
        InputError: `no-headings` when none of them is a row of headings.
    """
    maker = _Maker(name)
    above: list[Row] = []
    columns: Columns | None = None
    for row in rows:
        if isinstance(row, Trouble):
            maker.troubles.append(row)
        elif columns is not None:
            if any(row.cells):
                maker.take(row.place, row.cells, columns)
        elif (columns := columns_of(row.cells)) is not None:
            maker.note_doubled(row.place, columns)
        else:
            above += [row] if any(row.cells) else []
            if len(above) >= HEADING_ROWS:
                break
    if columns is None:
        raise _no_headings(name, above)
    return maker.made()


def from_records(name: str, records: Iterable[Record | Trouble]) -> Inventory:
    """Records, each with headings of its own.

    Raises:
        InputError: `no-headings` when none of them names a machine and its system.
    """
    maker = _Maker(name)
    known: dict[tuple[str, ...], Columns | None] = {}
    odd: list[Row] = []
    for record in records:
        if isinstance(record, Trouble):
            maker.troubles.append(record)
            continue
        headings = tuple(record.cells)
        if headings not in known:
            known[headings] = columns_of(headings)
        columns = known[headings]
        if columns is None:
            odd.append(Row(record.place, headings))
            maker.troubles.append(Trouble(record.place, "", "has no name, or nothing that says which system it is"))
        else:
            maker.take(record.place, tuple(record.cells.values()), columns)
    if odd and not any(known.values()):
        raise _no_headings(name, odd)
    return maker.made()


def merged(inventories: Sequence[Inventory]) -> Inventory:
    """Several files as one, each place with its file's name. Of one file it is that file's inventory."""
    if len(inventories) == 1:
        return inventories[0]
    return Inventory(
        ", ".join(inventory.name for inventory in inventories),
        tuple(
            replace(machine, place=f"{inventory.name}, {machine.place}")
            for inventory in inventories
            for machine in inventory.machines
        ),
        sum(inventory.templates for inventory in inventories),
        sum(inventory.placeholders for inventory in inventories),
        tuple(
            replace(trouble, place=f"{inventory.name}, {trouble.place}")
            for inventory in inventories
            for trouble in inventory.troubles
        ),
    )


def _no_headings(name: str, rows: Sequence[Row]) -> InputError:
    found = "there is nothing in it"
    if rows:
        cells = [cell.strip() for cell in rows[0].cells if cell.strip()]
        more = ", ..." if len(cells) > _SHOWN else ""
        shown = ", ".join(f"'{_visible(cell)[:40]}'" for cell in cells[:_SHOWN])
        found = f"{rows[0].place} has {shown}{more}"
    return InputError(
        "no-headings",
        f"{name}: no row has a heading for the machine's name and one for its system; {found}",
        "give an RVTools export, or a list with the headings name and os in one row",
    )


class _Maker:
    """Takes rows one by one."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.troubles: list[Trouble] = []
        self._machines: list[Machine] = []
        self._templates = 0
        self._placeholders = 0
        self._seen: dict[str, Machine] = {}

    def made(self) -> Inventory:
        return Inventory(self.name, tuple(self._machines), self._templates, self._placeholders, tuple(self.troubles))

    def note_doubled(self, place: str, columns: Columns) -> None:
        self.troubles += [
            Trouble(place, heading, "this heading stands twice; the first of the two columns counts")
            for heading in columns.doubled
        ]

    def take(self, place: str, cells: Sequence[str], columns: Columns) -> None:
        """Take one row, or say what is wrong with it."""
        if any(cell.strip() for cell in cells[len(columns.headings) :]):
            message = "has more cells than there are headings; a separator inside a cell needs quotes around the cell"
            self.troubles.append(Trouble(place, "", message))
            return
        told = {role: cells[index].strip() for role, index in columns.at.items() if index < len(cells)}
        if told.get(Role.TEMPLATE, "").casefold() in _YES:
            self._templates += 1
            return
        if told.get(Role.PLACEHOLDER, "").casefold() in _YES:
            self._placeholders += 1
            return
        name = told.get(Role.NAME, "")
        problem = _problem_of_name(name)
        if problem:
            self.troubles.append(Trouble(place, columns.heading(Role.NAME), problem))
            return
        self._note_cells(place, told, columns)
        system, wording = _words(told)
        power = told.get(Role.POWER, "").casefold()
        powered_on = True if power in _ON else False if power in _OFF else None
        machine = Machine(_visible(name), place, system, wording, powered_on, _kernel(told))
        if not self._doubled(machine, columns):
            self._machines.append(machine)

    def _note_cells(self, place: str, told: dict[Role, str], columns: Columns) -> None:
        """Say what was odd about cells of a row that is kept, and take what is no text for nothing."""
        if _visible(told[Role.NAME]) != " ".join(told[Role.NAME].split()):
            message = "has characters that cannot be shown; they are written as \\x.., and the machine is kept"
            self.troubles.append(Trouble(place, columns.heading(Role.NAME), message))
        for role in (*sorted(_SYSTEM_ROLES), Role.RELEASE, Role.KERNEL):
            if told.get(role) in _ERRORS:
                message = f"is {_ERRORS[told[role]]}; the machine is kept without it"
                self.troubles.append(Trouble(place, columns.heading(role), message))
                told[role] = ""

    def _doubled(self, machine: Machine, columns: Columns) -> bool:
        """Whether the very same was said before. A name that stands twice is told in any case."""
        key = machine.name.casefold()
        before = self._seen.setdefault(key, machine)
        if before is machine:
            return False
        heading = columns.heading(Role.NAME)
        if replace(machine, name=before.name, place=before.place) == before:
            message = f"{machine.name!r} stands in {before.place} already, with the same system; counted once"
            self.troubles.append(Trouble(machine.place, heading, message))
            return True
        message = f"{machine.name!r} stands in {before.place} already, with other words; both are kept"
        self.troubles.append(Trouble(machine.place, heading, message))
        return False


def _problem_of_name(name: str) -> str:
    if not name:
        return "has no name"
    if name in _ERRORS:
        return f"is {_ERRORS[name]}"
    if len(name) > _LONGEST_NAME:
        return f"has {len(name)} characters, which is no name; look for a quote that is not closed"
    return ""


def _words(told: Mapping[Role, str]) -> tuple[str, Wording]:
    """The best words there are for the system: seen by VMware Tools, given in a list, or only configured."""
    pairs = dict(_PAIR.findall(told.get(Role.DETAILED, "")))
    if any(pairs.get(key) for key in _NAMING):
        # What differs from machine to machine, such as the kernel, is left out, so that equal systems have equal words.
        return _plain(" ".join(f"{key}='{pairs[key]}'" for key in _OF_SYSTEM if key in pairs)), Wording.TOOLS
    if told.get(Role.TOOLS):
        return _plain(told[Role.TOOLS]), Wording.TOOLS
    given = told.get(Role.GIVEN, "")
    if given:
        release = told.get(Role.RELEASE, "")
        needs_release = release and not any(character.isdigit() for character in given)
        return _plain(f"{given} {release}" if needs_release else given), Wording.GIVEN
    configured = told.get(Role.CONFIGURED, "")
    return _plain(configured), Wording.CONFIGURED if configured else Wording.GIVEN


def _kernel(told: Mapping[Role, str]) -> str | None:
    """The kernel by its own column, else as VMware Tools tells it."""
    if told.get(Role.KERNEL):
        return _visible(told[Role.KERNEL])
    pairs = dict(_PAIR.findall(told.get(Role.DETAILED, "")))
    if pairs.get("kernelVersion"):
        return _visible(pairs["kernelVersion"])
    match = _TOOLS_KERNEL.match(told.get(Role.TOOLS, ""))
    return _visible(match["kernel"]) if match else None


def _plain(text: str) -> str:
    """The text without characters that steer terminals; its lines are kept, since a cell may hold a whole file."""
    if text.isprintable():
        return text
    return "".join(
        " " if unicodedata.category(character) == "Cc" and character not in "\n\t" else character for character in text
    ).strip()


def _visible(text: str) -> str:
    r"""The text on one line, with characters that cannot be shown written as `\x07`."""
    line = " ".join(text.split())
    if line.isprintable():
        return line
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape", "surrogatepass").decode("ascii")
        for character in line
    )
