"""From rows of cells to machines, and what is said of rows that are none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inventory_world import RVTOOLS

from repo_manager.core.errors import InputError
from repo_manager.core.inventory import (
    DATE,
    NESTED,
    NO_NUMBER,
    UNCALCULATED,
    Inventory,
    JsonRecord,
    Machine,
    Row,
    RowProblem,
    Wording,
    columns_of,
    from_records,
    from_rows,
    merged,
)

DETAILED = (
    "architecture='X86' bitness='64' distroName='Ubuntu' distroVersion='20.04' familyName='Linux'"
    " kernelVersion='5.4.0-26-generic' prettyName='Ubuntu 20.04.6 LTS'"
)
REDUCED = (
    "architecture='X86' bitness='64' distroName='Ubuntu' distroVersion='20.04' familyName='Linux'"
    " prettyName='Ubuntu 20.04.6 LTS'"
)


def rows(*lines: tuple[str, ...]) -> list[Row]:
    return [Row(f"line {number}", line) for number, line in enumerate(lines, 1)]


def read(*lines: tuple[str, ...]) -> Inventory:
    return from_rows("list.csv", rows(*lines))


def only(*lines: tuple[str, ...]) -> Machine:
    (machine,) = read(*lines).machines
    return machine


# Headings


@pytest.mark.parametrize(
    ("headings", "cells"),
    [
        (("name", "os"), ("web", "RHEL 8")),
        (("OS", "Site", "Name"), ("RHEL 8", "Paris", "web")),
        (("vm", "operating system"), ("web", "RHEL 8")),
        (("Hostname ", " Guest OS"), ("web", "RHEL 8")),
        (("OPERATING_SYSTEM", "computer-name"), ("RHEL 8", "web")),
        (("vInfoVMName", "vInfoPowerstate", "vInfoOSTools"), ("web", "poweredOn", "RHEL 8")),
        (("VM", "OS according to the VMware Tools"), ("web", "RHEL 8")),
        (("VM", "OS according to the configuration file"), ("web", "RHEL 8")),
        (("vInfoVMName", "vInfoOS"), ("web", "RHEL 8")),
    ],
)
def test_name_and_system_are_found_in_any_order_and_under_many_headings(
    headings: tuple[str, ...], cells: tuple[str, ...]
) -> None:
    machine = only(headings, cells)
    assert (machine.name, machine.system) == ("web", "RHEL 8")


def test_headings_that_say_only_one_of_the_two_are_none() -> None:
    assert columns_of(("name", "memory")) is None
    assert columns_of(("os", "memory")) is None


def test_the_machine_of_an_export_is_not_the_host_it_runs_on() -> None:
    machine = only(("Host", "DNS Name", "VM", "OS"), ("esx01", "web.example", "web", "RHEL 8"))
    assert machine.name == "web"


def test_headings_may_stand_below_a_title() -> None:
    inventory = read(("Machines of Paris",), (), ("name", "os"), ("web", "RHEL 8"))
    assert [(machine.name, machine.place) for machine in inventory.machines] == [("web", "line 4")]


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ((), "there is nothing in it"),
        ((("", ""),), "there is nothing in it"),
        ((("name", "memory"), ("web", "4096")), "line 1 has 'name', 'memory'"),
        ((("os", "memory"),), "line 1 has 'os', 'memory'"),
        ((tuple(f"h{number}" for number in range(20)),), "'h11', ..."),
        ((("n\x07",),), "'n\\x07'"),
        ((("OS",), ("vm", "name")), "line 1 has 'OS'"),
        ((*((f"title {number}",) for number in range(20)), ("name", "os")), "line 1 has 'title 0'"),
    ],
)
def test_a_table_without_headings_is_refused_with_what_was_found(
    lines: tuple[tuple[str, ...], ...], words: str
) -> None:
    with pytest.raises(InputError) as refusal:
        read(*lines)
    assert refusal.value.code == "no-headings"
    assert words in refusal.value.message


def test_a_heading_that_stands_twice_is_told_and_the_first_column_counts() -> None:
    inventory = read(("name", "os", "OS"), ("web", "RHEL 8", "RHEL 9"))
    assert inventory.machines[0].system == "RHEL 8"
    assert inventory.troubles == (
        RowProblem("line 1", "OS", "this heading stands twice; the first of the two columns counts"),
    )


@pytest.mark.parametrize(
    "heading",
    [
        "Syst\u00e8me d'exploitation",
        "Syste\u0300me d\u2019exploitation",
        "SYST\u00c8ME D'EXPLOITATION",
        "Betriebssystem",
    ],
)
def test_headings_are_known_with_and_without_accents(heading: str) -> None:
    assert only(("Nom", heading), ("web", "RHEL 8")).system == "RHEL 8"


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ([("", "Operating system", ""), ("Name", "OS", "Version")], "the second row says it all"),
        ([("Name", "Operating system", ""), ("", "OS", "Version")], "the first would do, and has no version"),
        ([("Name", "Operating system", ""), (), ("", "Name", "Version")], "what a group is of, and an empty row"),
        (
            [("Name", "Operating system", ""), ("", "Family", "Version")],
            "a word that is no heading: the group's counts",
        ),
        ([("Machine", "Operating system", ""), ("Name", "Name", "Version")], "neither means anything alone"),
        ([("", "Operating system", "", ""), ("Name", "OS", "Edition", "Version")], "apart, and below the same group"),
        ([("", "Operating system", ""), ("VM", "Name", "Version")], "only both together are headings"),
    ],
)
def test_headings_may_stand_in_two_rows(lines: list[tuple[str, ...]], reason: str) -> None:
    machine = only(*lines, ("web", "RHEL", *("",) * (len(lines[-1]) - 3), "7.9"))
    assert (machine.name, machine.system) == ("web", "RHEL 7.9"), reason


@pytest.mark.parametrize(
    "cells",
    [("web", "OS"), ("server", "RHEL 8"), ("server", ""), ("name", "Other")],
)
def test_a_machine_below_the_headings_is_no_second_row_of_them(cells: tuple[str, str]) -> None:
    inventory = read(("machine", "operating system"), cells)
    assert [(machine.name, machine.system) for machine in inventory.machines] == [cells]


def test_a_row_without_a_name_below_the_headings_is_told() -> None:
    (trouble,) = read(("name", "os"), ("", "RHEL 8")).troubles
    assert (str(trouble), trouble.dropped) == ("line 2, name: has no name", True)


def test_a_title_of_one_cell_is_no_group_of_headings() -> None:
    with pytest.raises(InputError):
        read(("OS",), ("vm", "name"), ("web", "RHEL 8"))


def test_what_could_not_be_read_above_missing_headings_is_told() -> None:
    broken = RowProblem("line 1", "", "its quotes do not match", dropped=True)
    with pytest.raises(InputError) as refusal:
        from_rows("list.csv", [broken, Row("line 2", ("web", "RHEL 8"))])
    assert refusal.value.message.endswith("; line 1: its quotes do not match; line 2 has 'web', 'RHEL 8'")
    with pytest.raises(InputError) as refusal:
        from_rows("list.csv", [broken])
    assert refusal.value.message.endswith("; line 1: its quotes do not match")


# Systems


def export(**cells: str) -> Machine:
    names = {
        "tools": "OS according to the VMware Tools",
        "configured": "OS according to the configuration file",
        "detailed": "Guest Detailed Data",
    }
    facts = {"VM": "web", **{names[key]: value for key, value in cells.items()}}
    return only(RVTOOLS, tuple(facts.get(heading, "") for heading in RVTOOLS))


def test_what_tools_saw_counts_more_than_what_was_configured() -> None:
    machine = export(tools="Ubuntu 22.04.4 LTS", configured="CentOS 4/5/6/7 (64-bit)")
    assert (machine.system, machine.wording, machine.weak) == ("Ubuntu 22.04.4 LTS", Wording.TOOLS, False)


def test_what_was_configured_is_weak() -> None:
    machine = export(configured="CentOS 7 (64-bit)")
    assert (machine.system, machine.wording, machine.weak) == ("CentOS 7 (64-bit)", Wording.CONFIGURED, True)


def test_detailed_data_count_most_and_know_the_kernel() -> None:
    machine = export(detailed=DETAILED, tools="Other 4.x Linux (64-bit)")
    assert (machine.system, machine.wording, machine.kernel) == (REDUCED, Wording.TOOLS, "5.4.0-26-generic")


def test_detailed_data_that_name_no_system_are_left_for_the_tools_string() -> None:
    machine = export(detailed="bitness='64' kernelVersion='5.4.0-26-generic'", tools="Ubuntu 20.04.6 LTS")
    assert (machine.system, machine.kernel) == ("Ubuntu 20.04.6 LTS", "5.4.0-26-generic")


def test_a_tools_string_may_begin_with_the_kernel() -> None:
    assert export(tools="Linux 5.15.0-91-generic Ubuntu 22.04.4 LTS").kernel == "5.15.0-91-generic"


def test_a_machine_of_which_nothing_is_said_has_no_system() -> None:
    machine = export()
    assert (machine.system, machine.weak, machine.kernel, machine.powered_on) == ("", False, None, None)


@pytest.mark.parametrize(
    ("system", "release", "expected"),
    [
        ("Ubuntu", "20.04", "Ubuntu 20.04"),
        ("Windows Server 2019 Standard", "10.0 (17763)", "Windows Server 2019 Standard"),
        ("Debian", "", "Debian"),
        ("Red Hat Enterprise Linux (64-bit)", "7.9", "Red Hat Enterprise Linux (64-bit) 7.9"),
        ("RHEL x86_64", "7.9", "RHEL x86_64 7.9"),
        ("Ubuntu (64)", "20.04", "Ubuntu (64) 20.04"),
        ("Debian i386, 32 bit", "11", "Debian i386, 32 bit 11"),
        ("Ubuntu amd64", "20.04", "Ubuntu amd64 20.04"),
        ("RHEL 8 x86_64", "8.4", "RHEL 8 x86_64"),
    ],
)
def test_a_release_in_a_column_of_its_own_is_taken_where_the_system_has_none(
    system: str, release: str, expected: str
) -> None:
    assert only(("name", "os", "os version"), ("web", system, release)).system == expected


@pytest.mark.parametrize(
    ("headings", "cells", "expected"),
    [
        (("name", "os", "version"), ("web", "RHEL", "7.9"), "RHEL 7.9"),
        (("name", "Version", "os"), ("web", "7.9", "RHEL"), "RHEL 7.9"),
        (("version", "name", "os"), ("9.66", "web", "RHEL"), "RHEL"),
        (("name", "os", "agent", "version"), ("web", "RHEL", "asr", "9.66"), "RHEL"),
        (("name", "os", "version", "os version"), ("web", "RHEL", "9.66", "7.9"), "RHEL 7.9"),
    ],
)
def test_a_version_is_the_system_s_where_it_stands_beside_it(
    headings: tuple[str, ...], cells: tuple[str, ...], expected: str
) -> None:
    assert only(headings, cells).system == expected


def test_kernels_are_what_their_reader_makes_of_them() -> None:
    def kernel_of(cell: str, system: str) -> tuple[str | None, str]:
        return (None, f"is odd on {system}") if cell == "odd" else (f"<{cell}>", "")

    headings = ("name", "detailed data", "kernel")
    found = from_rows("x", rows(headings, ("web", DETAILED, "odd"), ("db", "", "odd"), ("app", "", "5\x07")), kernel_of)
    assert [machine.kernel for machine in found.machines] == ["<5.4.0-26-generic>", None, "<5\\x07>"]
    assert [(trouble.place, trouble.column, trouble.dropped) for trouble in found.troubles] == [
        ("line 2", "kernel", False), ("line 3", "kernel", False),
    ]  # fmt: skip
    assert found.troubles[0].message == f"is odd on {REDUCED}"


def test_a_kernel_column_counts_more_than_other_words() -> None:
    assert (
        only(("name", "os", "kernel"), ("web", "Linux 5.4.0-1-generic", " 5.4.0-2-generic ")).kernel
        == "5.4.0-2-generic"
    )


def test_the_lines_of_a_whole_file_are_kept() -> None:
    text = 'NAME="Ubuntu"\nVERSION_ID="22.04"'
    assert only(("name", "os"), ("web", text)).system == text


# Power, templates, placeholders


@pytest.mark.parametrize(
    ("word", "expected"),
    [("poweredOn", True), ("PoweredOff", False), ("suspended", False), ("on", True), ("", None), ("unknown", None)],
)
def test_machines_are_kept_whether_they_run_or_not(word: str, expected: bool | None) -> None:  # noqa: FBT001 - a column
    assert only(("name", "os", "power state"), ("web", "RHEL 8", word)).powered_on is expected


def test_templates_and_placeholders_are_left_out_and_counted() -> None:
    inventory = read(
        ("VM", "OS", "Template", "SRM Placeholder"),
        ("web", "RHEL 8", "False", "False"),
        ("gold", "RHEL 8", "True", "False"),
        ("gold2", "RHEL 8", "WAHR", ""),
        ("far", "RHEL 8", "False", "1"),
    )
    assert [machine.name for machine in inventory.machines] == ["web"]
    assert (inventory.templates, inventory.placeholders, inventory.troubles) == (2, 1, ())


# Troubles


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("", "has no name"),
        ("   ", "has no name"),
        ("#N/A", "is a formula that failed"),
        (UNCALCULATED, "is a formula that was never calculated"),
        (DATE, "is a date, which a spreadsheet made of a name"),
        ("x" * 257, "has 257 characters"),
    ],
)
def test_a_row_without_a_usable_name_is_told_and_the_others_are_kept(name: str, words: str) -> None:
    inventory = read(("VM", "OS"), ("web", "RHEL 8"), (name, "RHEL 8"), ("db", "RHEL 8"))
    assert [machine.name for machine in inventory.machines] == ["web", "db"]
    (trouble,) = inventory.troubles
    assert (trouble.place, trouble.column, trouble.dropped) == ("line 3", "VM", True)
    assert words in trouble.message


def test_a_row_with_more_cells_than_headings_is_told() -> None:
    inventory = read(("name", "os"), ("web, the first", "RHEL 8", "", ""), ("web", "the second", "RHEL 8"))
    assert [machine.name for machine in inventory.machines] == ["web, the first"]
    assert str(inventory.troubles[0]).startswith("line 3: has more cells than there are headings")


def test_a_row_with_fewer_cells_is_a_machine_of_which_less_is_known() -> None:
    assert only(("name", "os"), ("web",)).system == ""


def test_empty_rows_are_nothing() -> None:
    (machine,) = read(("name", "os"), ("", ""), (), ("web", "RHEL 8"), ()).machines
    assert machine.place == "line 4"


def test_headings_alone_are_no_machines_which_is_told() -> None:
    empty = RowProblem("line 1", "", "has the headings, and no machine stands below them")
    assert read(("name", "os"), ("", ""), ()) == Inventory("list.csv", (), troubles=(empty,))
    assert read(("name", "os", "template"), ("gold", "", "yes")).troubles == ()


@pytest.mark.parametrize("column", ["os", "kernel", "os version"])
def test_a_formula_in_another_column_is_told_and_the_machine_kept(column: str) -> None:
    headings = ("name", "os", "kernel", "os version")
    cells = ("web", *("#REF!" if heading == column else "Ubuntu" for heading in headings[1:]))
    inventory = read(headings, cells)
    assert [(trouble.place, trouble.column, trouble.dropped) for trouble in inventory.troubles] == [
        ("line 2", column, False)
    ]
    assert "#REF!" not in f"{inventory.machines[0].system}{inventory.machines[0].kernel}"


def test_characters_that_cannot_be_shown_are_written_out_and_told() -> None:
    inventory = read(("name", "os"), ("we\x07b\u202e\ud800", "RHEL\x07 8"), ("two\nlines", "RHEL 8"))
    assert [machine.name for machine in inventory.machines] == ["we\\x07b\\u202e\\ud800", "two lines"]
    assert inventory.machines[0].system == "RHEL  8"
    assert [str(trouble) for trouble in inventory.troubles] == [
        "line 2, name: has characters that cannot be shown; they are written as \\x.., and the machine is kept",
        "line 2, os: has characters that cannot be shown; they are read as blanks, and the machine is kept",
        "line 3, name: runs over several lines, which are read as one name; look for a quote that is not closed",
    ]
    assert inventory.dropped == 0


def test_a_name_and_a_system_may_have_odd_blanks() -> None:
    assert read(("name", "os"), ("we\u00a0b", "NAME=x\r\nVERSION=1")).troubles == ()


def test_the_same_machine_twice_is_counted_once_and_told() -> None:
    inventory = read(("name", "os"), ("web", "RHEL 8"), ("WEB", "RHEL 8"))
    assert [machine.name for machine in inventory.machines] == ["web"]
    assert str(inventory.troubles[0]) == (
        "line 3, name: 'WEB' stands in line 2 already, with the same system; counted once"
    )


def test_a_machine_is_compared_with_all_of_its_name() -> None:
    inventory = read(("name", "os"), ("web", "RHEL 8"), ("web", "RHEL 9"), ("web", "RHEL 9"))
    assert [machine.system for machine in inventory.machines] == ["RHEL 8", "RHEL 9"]
    assert str(inventory.troubles[-1]) == (
        "line 4, name: 'web' stands in line 3 already, with the same system; counted once"
    )
    assert inventory.dropped == 0


@pytest.mark.parametrize(
    ("headings", "one", "other", "machines"),
    [
        (("VM UUID",), ("42-1",), ("42-2",), 2),
        (("VM UUID",), ("42-A",), ("42-a",), 1),
        (("VM ID",), ("vm-1",), ("vm-2",), 2),
        (("VI SDK UUID",), ("a",), ("b",), 2),
        (("VI SDK Server",), ("one.example",), ("two.example",), 2),
        (("VM UUID", "VM ID", "VI SDK Server"), ("42", "vm-1", "a"), ("42", "vm-1", "b"), 2),
        (("VM UUID", "VM ID"), ("42-1", "vm-1"), ("", "vm-1"), 1),
        (("VM UUID",), ("42-1",), ("",), 1),
        (("Site",), ("a",), ("b",), 1),
    ],
)
def test_identifiers_tell_machines_of_one_name_apart(
    headings: tuple[str, ...], one: tuple[str, ...], other: tuple[str, ...], machines: int
) -> None:
    inventory = read(("VM", "OS", *headings), ("web", "RHEL 8", *one), ("web", "RHEL 8", *other))
    assert len(inventory.machines) == machines
    words = "with another identifier; both are kept" if machines > 1 else "with the same system; counted once"
    assert [str(trouble) for trouble in inventory.troubles] == [f"line 3, VM: 'web' stands in line 2 already, {words}"]


@pytest.mark.parametrize(("uuids", "machines"), [(("", ""), 2), (("42", "42"), 1)])
def test_a_machine_that_runs_only_in_one_of_two_rows_is_one_if_its_identifier_says_so(
    uuids: tuple[str, str], machines: int
) -> None:
    headings = ("VM", "OS", "Powerstate", "VM UUID")
    rows_ = (("web", "RHEL 8", state, uuid) for state, uuid in zip(("poweredOn", "poweredOff"), uuids, strict=True))
    assert len(read(headings, *rows_).machines) == machines


def test_a_name_with_two_systems_is_two_machines_and_told() -> None:
    inventory = read(("name", "os"), ("web", "RHEL 8"), ("web", "RHEL 9"))
    assert [machine.system for machine in inventory.machines] == ["RHEL 8", "RHEL 9"]
    assert "both are kept" in inventory.troubles[0].message


def test_what_a_reader_could_not_read_stays_where_it_stood() -> None:
    broken = RowProblem("line 2", "", "a quote opens and is not closed")
    assert from_rows("x", [*rows(("name", "os")), broken]).troubles == (broken,)


# Records


def test_records_may_have_keys_of_their_own() -> None:
    inventory = from_records(
        "list.jsonl",
        [
            JsonRecord("line 1", {"name": "web", "os": "RHEL 8"}),
            JsonRecord("line 2", {"OS": "RHEL 9", "vm": "db", "kernel": "5"}),
            JsonRecord("line 3", {"vm": "db"}),
            RowProblem("line 4", "", "is no JSON"),
            JsonRecord("line 5", {"name": "app", "os": "RHEL 8", "OS": "RHEL 7"}),
        ],
    )
    assert [(machine.name, machine.system) for machine in inventory.machines] == [
        ("web", "RHEL 8"), ("db", "RHEL 9"), ("app", "RHEL 8"),
    ]  # fmt: skip
    assert {(trouble.place, trouble.column, trouble.dropped) for trouble in inventory.troubles} == {
        ("line 3", "", True), ("line 4", "", False), ("line 5", "OS", False),
    }  # fmt: skip
    assert inventory.dropped == 1


@pytest.mark.parametrize("cell", [NESTED, NO_NUMBER])
def test_a_value_that_is_no_text_is_told(cell: str) -> None:
    records = [JsonRecord("line 1", {"name": cell, "os": "RHEL 8"}), JsonRecord("line 2", {"name": "web", "os": cell})]
    found = from_records("list.jsonl", records)
    assert [(machine.name, machine.system) for machine in found.machines] == [("web", "")]
    assert [(trouble.place, trouble.column, trouble.dropped) for trouble in found.troubles] == [
        ("line 1", "name", True), ("line 2", "os", False),
    ]  # fmt: skip


def test_records_of_which_none_has_the_keys_are_refused() -> None:
    with pytest.raises(InputError) as refusal:
        from_records("list.jsonl", [JsonRecord("line 1", {"id": "1"})])
    assert refusal.value.code == "no-headings"


def test_no_records_are_no_machines_which_is_told() -> None:
    empty = RowProblem("the list", "", "has no machine in it")
    assert from_records("list.jsonl", []) == Inventory("list.jsonl", (), troubles=(empty,))


# Several files


def test_several_files_are_one_inventory_with_the_files_in_the_places() -> None:
    one = from_rows(
        "one.csv", rows(("name", "os", "template"), ("web", "RHEL 8", ""), ("", "", "no"), ("gold", "", "yes"))
    )
    two = from_rows("two.csv", rows(("name", "os", "placeholder"), ("db", "RHEL 9", ""), ("far", "", "yes")))
    both = merged([one, two])
    assert both.name == "one.csv, two.csv"
    assert [machine.place for machine in both.machines] == ["one.csv, line 2", "two.csv, line 2"]
    assert (both.templates, both.placeholders) == (1, 1)
    assert [trouble.place for trouble in both.troubles] == ["one.csv, line 3"]
    assert merged([one]) is one


def of(name: str, *lines: tuple[str, ...], headings: tuple[str, ...] = ("name", "os")) -> Inventory:
    return from_rows(name, rows(headings, *lines))


def test_a_machine_of_two_files_is_one_and_a_remark_counts_those() -> None:
    both = merged([
        of("one.csv", ("web", "RHEL 8"), ("db", "RHEL 9"), ("app", "RHEL 7")),
        of("two.csv", ("WEB", "RHEL 8"), ("app", "RHEL 8"), ("db", "RHEL 9"), ("new", "RHEL 9")),
    ])  # fmt: skip
    assert [(machine.name, machine.system) for machine in both.machines] == [
        ("web", "RHEL 8"), ("db", "RHEL 9"), ("app", "RHEL 7"), ("app", "RHEL 8"), ("new", "RHEL 9"),
    ]  # fmt: skip
    differs, counts = both.troubles
    assert str(differs) == "two.csv, line 3: 'app' stands in one.csv, line 4 already, with other words; both are kept"
    assert str(counts) == (
        "two.csv: 2 of its machines stand in an earlier file already, with the same system; counted once"
        " ('WEB' in one.csv, line 2)"
    )
    assert both.dropped == 0


def test_machines_of_one_name_in_two_files_are_told_apart_by_identifiers() -> None:
    headings = ("VM", "OS", "VI SDK Server")
    both = merged([
        of("one.csv", ("web", "RHEL 8", "a"), headings=headings),
        of("two.csv", ("web", "RHEL 8", "b"), ("web", "RHEL 8", "a"), headings=headings),
        of("plain.csv", ("web", "RHEL 8"), ("web", "RHEL 9")),
    ])  # fmt: skip
    assert [machine.place for machine in both.machines] == ["one.csv, line 2", "two.csv, line 2", "plain.csv, line 3"]


def test_very_many_machines_of_one_name_are_told_apart() -> None:
    lines = [("localhost", "RHEL 8", f"42-{number}") for number in range(3000)]
    found = of("one.csv", *lines, *lines[-3:], headings=("VM", "OS", "VM UUID"))
    assert (len(found.machines), len(found.troubles)) == (3000, 3002)


def test_one_machine_without_identifier_is_not_two_of_another_file() -> None:
    both = merged([
        of("plain.csv", ("web", "RHEL 8")),
        of("two.csv", ("web", "RHEL 8", "42-1"), ("web", "RHEL 8", "42-2"), headings=("VM", "OS", "VM UUID")),
    ])  # fmt: skip
    assert [machine.place for machine in both.machines] == ["plain.csv, line 2", "two.csv, line 3"]


@given(st.lists(st.lists(st.text(max_size=12), min_size=2, max_size=4), max_size=6))
def test_every_row_is_a_machine_or_is_told_or_is_empty(cells: list[list[str]]) -> None:
    inventory = read(("name", "os"), *map(tuple, cells))
    told = {trouble.place for trouble in inventory.troubles}
    for number, row in enumerate(cells, 2):
        place = f"line {number}"
        kept = any(machine.place == place for machine in inventory.machines)
        dropped = any(trouble.place == place and trouble.dropped for trouble in inventory.troubles)
        again = any("counted once" in trouble.message for trouble in inventory.troubles if trouble.place == place)
        assert kept + dropped + again == bool(any(row)) or not any("".join(row).strip() for row in (row,))
    assert told <= {f"line {number}" for number in range(1, len(cells) + 2)}
    assert all(machine.name.isprintable() for machine in inventory.machines)
