"""Rows or records -> an inventory; several inventories -> one."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from repo_manager.core.errors import InputError
from repo_manager.core.inventory import cells as said
from repo_manager.core.inventory.columns import HEADING_ROWS, SYSTEM_ROLES, Columns, Finder, Role, columns_of
from repo_manager.core.inventory.model import Inventory, JsonRecord, Machine, Row, RowProblem

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Sequence

    KernelReader = Callable[[str, str], tuple[str | None, str]]

_SHOWN: Final = 12

# Of more machines with one name and one system, only those that are equal in all are found; the others are kept.
_COMPARED: Final = 50
_IDENTIFIERS: Final = (Role.UUID, Role.VM_ID, Role.CENTER)


def _as_it_stands(cell: str, _system: str) -> tuple[str | None, str]:
    return cell, ""


def from_rows(name: str, rows: Iterable[Row | RowProblem], kernel_of: KernelReader = _as_it_stands) -> Inventory:
    """A table: the headings are in one of its first rows.

    `kernel_of` takes the text of a kernel and the words for its system, and gives the kernel, None where it is none,
    and what is to be said of it, if anything.

    Raises:
        InputError: `no-headings` when none of them is a row of headings.
    """
    maker = _Maker(name, kernel_of)
    finder = Finder()
    above: list[Row] = []
    place = ""
    for row in rows:
        if isinstance(row, RowProblem):
            maker.troubles.append(row)
        elif not finder.takes(row.cells):
            if any(row.cells) and finder.columns is not None:
                maker.take(row.place, row.cells, finder.columns)
        elif finder.columns is not None:
            place = row.place if any(row.cells) else place
        else:
            above += [row] if any(row.cells) else []
            if len(above) >= HEADING_ROWS:
                break
    if finder.columns is None:
        raise _no_headings(name, above, maker.troubles)
    maker.note_doubled(place, finder.columns)
    return maker.made(place, "has the headings, and no machine stands below them")


def from_records(
    name: str, records: Iterable[JsonRecord | RowProblem], kernel_of: KernelReader = _as_it_stands
) -> Inventory:
    """Records, each with headings of its own; `kernel_of` as for `from_rows`.

    Raises:
        InputError: `no-headings` when none of them names a machine and its system.
    """
    maker = _Maker(name, kernel_of)
    known: dict[tuple[str, ...], Columns | None] = {}
    odd: list[Row] = []
    for record in records:
        if isinstance(record, RowProblem):
            maker.troubles.append(record)
            continue
        headings = tuple(record.cells)
        if headings not in known:
            known[headings] = columns = columns_of(headings)
            if columns is not None:
                maker.note_doubled(record.place, columns)
        columns = known[headings]
        if columns is None:
            odd.append(Row(record.place, headings))
            maker.drop(record.place, "", "has no name, or nothing that says which system it is")
        else:
            maker.take(record.place, tuple(record.cells.values()), columns)
    if odd and not any(known.values()):
        raise _no_headings(name, odd)
    return maker.made("the list", "has no machine in it")


def merged(inventories: Sequence[Inventory]) -> Inventory:
    """Several files as one, each place with its file's name. Of one file it is that file's inventory.

    What an earlier file says in the same words is counted once, and a remark says how many those are.
    """
    if len(inventories) == 1:
        return inventories[0]
    known = _Known()
    machines: list[Machine] = []
    troubles: list[RowProblem] = []
    for inventory in inventories:
        fresh, told = _added(inventory, known)
        machines += fresh
        troubles += told
    return Inventory(
        ", ".join(inventory.name for inventory in inventories),
        tuple(machines),
        sum(inventory.templates for inventory in inventories),
        sum(inventory.placeholders for inventory in inventories),
        tuple(troubles),
    )


def _added(inventory: Inventory, known: _Known) -> tuple[list[Machine], list[RowProblem]]:
    """What one more file has that the earlier ones have not, and what is to be said of it."""
    troubles = [replace(trouble, place=f"{inventory.name}, {trouble.place}") for trouble in inventory.troubles]
    fresh: list[Machine] = []
    again: dict[str, str] = {}
    for one in inventory.machines:
        machine = replace(one, place=f"{inventory.name}, {one.place}")
        # One machine of an earlier file is one of this file, not two.
        same = known.same(machine, again)
        if same is not None:
            again[same.place] = machine.name
            continue
        named = known.named(machine)
        if named is not None:
            troubles.append(_kept_beside(machine, named, ""))
        fresh.append(machine)
    for machine in fresh:
        known.add(machine)
    if again:
        where, name = next(iter(again.items()))
        message = f"{len(again)} of its machines stand in an earlier file already, with the same system; counted once"
        troubles.append(RowProblem(inventory.name, "", f"{message} ({name!r} in {where})"))
    return fresh, troubles


def _no_headings(name: str, rows: Sequence[Row], troubles: Sequence[RowProblem] = ()) -> InputError:
    found = "" if troubles else "there is nothing in it"
    if rows:
        cells = [cell.strip() for cell in rows[0].cells if cell.strip()]
        more = ", ..." if len(cells) > _SHOWN else ""
        shown = ", ".join(f"'{said.visible(cell)[:40]}'" for cell in cells[:_SHOWN])
        found = f"{rows[0].place} has {shown}{more}"
    first = str(troubles[0]) if troubles else ""
    return InputError(
        "no-headings",
        f"{name}: no row has a heading for the machine's name and one for its system;"
        f" {'; '.join(filter(None, (first, found)))}",
        "give an RVTools export, or a list with the headings name and os in one row",
    )


class _Known:
    """Machines by their names, by what is said of them, and by all of it."""

    def __init__(self) -> None:
        self._named: dict[str, Machine] = {}
        self._alike: dict[tuple[str | None, ...], list[Machine]] = {}
        self._exact: dict[tuple[object, ...], Machine] = {}

    def add(self, machine: Machine) -> None:
        said_of = _said_of(machine)
        self._named.setdefault(machine.name.casefold(), machine)
        self._alike.setdefault(said_of, []).append(machine)
        self._exact.setdefault((said_of, machine.identity, machine.powered_on), machine)

    def named(self, machine: Machine) -> Machine | None:
        """The first one of that name."""
        return self._named.get(machine.name.casefold())

    def same(self, machine: Machine, besides: Container[str] = ()) -> Machine | None:
        """The one of which the very same was said, besides those at these places."""
        said_of = _said_of(machine)
        exact = self._exact.get((said_of, machine.identity, machine.powered_on))
        if exact is not None and exact.place not in besides:
            return exact
        alike = self._alike.get(said_of, ())[:_COMPARED]
        return next((known for known in alike if known.place not in besides and _is_same(known, machine)), None)


def _said_of(machine: Machine) -> tuple[str | None, ...]:
    return machine.name.casefold(), machine.system, machine.wording, machine.kernel


def _is_same(one: Machine, other: Machine) -> bool:
    """Whether two machines of one name, with the same words, are one: no identifier says otherwise."""
    if _told_apart(one, other):
        return False
    # Of two exports of one machine it may run in one alone; that it is one is said by its identifiers.
    return one.powered_on is other.powered_on or any(
        mine and mine == theirs for mine, theirs in zip(one.identity[:2], other.identity[:2], strict=False)
    )


def _told_apart(one: Machine, other: Machine) -> bool:
    return any(mine and theirs and mine != theirs for mine, theirs in zip(one.identity, other.identity, strict=False))


def _kept_beside(machine: Machine, named: Machine, heading: str) -> RowProblem:
    how = "with another identifier" if _told_apart(named, machine) else "with other words"
    return RowProblem(machine.place, heading, f"{machine.name!r} stands in {named.place} already, {how}; both are kept")


class _Maker:
    """Takes rows one by one."""

    def __init__(self, name: str, kernel_of: KernelReader) -> None:
        self.name = name
        self.troubles: list[RowProblem] = []
        self._kernel_of = kernel_of
        self._machines: list[Machine] = []
        self._templates = 0
        self._placeholders = 0
        self._known = _Known()

    def made(self, place: str, when_empty: str) -> Inventory:
        """What came of it; where nothing did, the trouble with these words."""
        if not (self._machines or self._templates or self._placeholders or self.troubles):
            self.troubles.append(RowProblem(place, "", when_empty))
        return Inventory(self.name, tuple(self._machines), self._templates, self._placeholders, tuple(self.troubles))

    def note_doubled(self, place: str, columns: Columns) -> None:
        self.troubles[:0] = [
            RowProblem(place, heading, "this heading stands twice; the first of the two columns counts")
            for heading in columns.doubled
        ]

    def drop(self, place: str, column: str, message: str) -> None:
        """Leave a row out."""
        self.troubles.append(RowProblem(place, column, message, dropped=True))

    def take(self, place: str, cells: Sequence[str], columns: Columns) -> None:
        """Take one row, or say what is wrong with it."""
        if any(cell.strip() for cell in cells[len(columns.headings) :]):
            message = "has more cells than there are headings; a separator inside a cell needs quotes around the cell"
            self.drop(place, "", message)
            return
        told = {role: cells[index].strip() for role, index in columns.at.items() if index < len(cells)}
        if told.get(Role.TEMPLATE, "").casefold() in said.YES:
            self._templates += 1
            return
        if told.get(Role.PLACEHOLDER, "").casefold() in said.YES:
            self._placeholders += 1
            return
        name = told.get(Role.NAME, "")
        problem = said.problem_of_name(name)
        if problem:
            self.drop(place, columns.heading(Role.NAME), problem)
            return
        if not said.ERRORS.keys().isdisjoint(told.values()):
            self._note_errors(place, told, columns)
        system, wording, role = said.system(told)
        self._note_characters(place, told, role, columns)
        kernel = self._kernel(place, told, system, columns)
        running = said.powered_on(told)
        machine = Machine(said.visible(name), place, system, wording, running, kernel, _identity(told))
        if not self._doubled(machine, columns):
            self._machines.append(machine)

    def _note_errors(self, place: str, told: dict[Role, str], columns: Columns) -> None:
        """Say which cells of a row that is kept have no value, and take them for nothing."""
        for role, cell in told.items():
            if cell in said.ERRORS and (role in SYSTEM_ROLES or role in {Role.RELEASE, Role.KERNEL}):
                message = f"is {said.ERRORS[cell]}; the machine is kept without it"
                self.troubles.append(RowProblem(place, columns.heading(role), message))
                told[role] = ""

    def _note_characters(self, place: str, told: dict[Role, str], role: Role, columns: Columns) -> None:
        """Say where characters had to be written in another way."""
        name = told[Role.NAME]
        if not name.isprintable():
            message = ""
            if said.visible(name) != " ".join(name.split()):
                message = "has characters that cannot be shown; they are written as \\x.., and the machine is kept"
            elif "\n" in name or "\r" in name:
                message = "runs over several lines, which are read as one name; look for a quote that is not closed"
            if message:
                self.troubles.append(RowProblem(place, columns.heading(Role.NAME), message))
        if not said.is_plain(told.get(role, "")):
            message = "has characters that cannot be shown; they are read as blanks, and the machine is kept"
            self.troubles.append(RowProblem(place, columns.heading(role), message))

    def _kernel(self, place: str, told: dict[Role, str], system: str, columns: Columns) -> str | None:
        for text, role in said.kernels(told):
            kernel, remark = self._kernel_of(said.visible(text), system)
            if remark:
                self.troubles.append(RowProblem(place, columns.heading(role), remark))
            if kernel:
                return kernel
        return None

    def _doubled(self, machine: Machine, columns: Columns) -> bool:
        """Whether the very same was said before. A name that stands twice is told in any case."""
        named = self._known.named(machine)
        if named is not None:
            heading = columns.heading(Role.NAME)
            same = self._known.same(machine)
            if same is not None:
                message = f"{machine.name!r} stands in {same.place} already, with the same system; counted once"
                self.troubles.append(RowProblem(machine.place, heading, message))
                return True
            self.troubles.append(_kept_beside(machine, named, heading))
        self._known.add(machine)
        return False


def _identity(told: dict[Role, str]) -> tuple[str, ...]:
    if told.keys().isdisjoint(_IDENTIFIERS):
        return ()
    return tuple([told.get(role, "").casefold() for role in _IDENTIFIERS])
