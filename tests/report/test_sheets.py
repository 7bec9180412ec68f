from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

import pytest
from assessment_world import audited, hostile, judged
from hypothesis import given
from hypothesis import strategies as st
from simulator import NEW_NAMES, assessment_of, audit_of, listing_of, selection_of

from repo_manager.report import listings, tables
from repo_manager.report.sheets import sheet

if TYPE_CHECKING:
    from repo_manager.core.audit.result import AuditResult


def rows(printed: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(printed)))


def test_a_sheet_has_a_heading_and_a_line_per_row() -> None:
    printed = sheet(("name", "bytes"), [{"name": "a,b", "bytes": 7, "more": 1}, {"name": 'say "x"', "bytes": None}])
    assert printed == 'name,bytes\n"a,b",7\n"say ""x""",'
    assert rows(printed)[1:] == [["a,b", "7"], ['say "x"', ""]]


@pytest.mark.parametrize("start", ["=", "+", "-", "@"])
def test_a_cell_cannot_be_taken_for_a_formula(start: str) -> None:
    assert sheet(("a",), [{"a": f"{start}1+1"}]) == f"a\n'{start}1+1"


@pytest.mark.parametrize("start", ["\uff1d", "\uff0b", "\uff0d", "\uff20", "\ufe66", "\ufe62", "\ufe63", "\ufe6b"])
def test_wide_and_small_forms_of_these_characters_begin_no_formula_either(start: str) -> None:
    assert sheet(("a",), [{"a": f"{start}1+1"}]) == f"a\n'{start}1+1"


@pytest.mark.parametrize(
    "cell",
    [
        ";=1+1",
        "x;=1+1",
        "x;\uff1d1+1",
        "x; =1+1",
        'x;"=1+1"',
        "a,b;@SUM(1)",
        "x|=1",
        " =1+1",
        '"=1+1',
        ";;-1",
    ],
)
@pytest.mark.parametrize("separator", [",", ";", "|"])
def test_no_part_of_a_cell_is_a_formula_where_spreadsheets_split_at_another_separator(
    cell: str, separator: str
) -> None:
    line = sheet(("n", "a"), [{"n": "x", "a": cell}]).partition("\n")[2]
    split = [part for row in csv.reader([line], delimiter=separator) for part in row]
    for part in (*split, *line.split(separator)):
        assert not part.strip('" ').startswith(("=", "+", "-", "@", "\uff1d")), part


def test_a_hyphen_inside_a_text_stays_as_it_is() -> None:
    assert sheet(("a",), [{"a": "9.66-1; see -v a=b"}]) == "a\n9.66-1; see -v a=b"


@pytest.mark.parametrize("control", ["\t", "\r", "\n"])
def test_a_control_character_does_not_get_through(control: str) -> None:
    assert control not in sheet(("a",), [{"a": f"{control}=1"}]).removeprefix("a\n")


@given(st.lists(st.text(), min_size=1))
def test_every_row_stays_one_line(cells: list[str]) -> None:
    printed = sheet(("n", "a"), [{"n": "x", "a": cell} for cell in cells])
    assert len(printed.split("\n")) == len(cells) + 1
    assert len(rows(printed)) == len(cells) + 1


def test_a_listing_as_a_sheet() -> None:
    name = NEW_NAMES[1]
    assert rows(listings.csv(listing_of(name, "=cmd.txt"))) == [
        ["name", "kind", "package", "version", "date", "bytes"],
        ["'=cmd.txt", "stray", "", "", "", "1000"],
        [name, "installer", "RHEL9-64", "9.66.0.0", "2025-09-20", "1000"],
    ]


def test_an_audit_as_a_sheet() -> None:
    listing = listing_of("notes.txt")
    printed = rows(tables.audit_sheet(assessment_of(audit_of(listing, selection_of(listing, "OL6-64")))))
    assert printed == [
        ["severity", "code", "package", "file", "message", "fix", "machine"],
        [
            "error",
            "missing",
            "OL6-64",
            "",
            "no installer for OL6-64 (OL6-64 system, its twin)",
            "repo-manager sync --package OL6-64",
            "",
        ],
        ["info", "stray", "", "notes.txt", "is no installer; it is left alone", "repo-manager list", ""],
    ]


# An audit with machines


def _machine_rows(assessed: AuditResult) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(tables.audit_sheet(assessed))))


def test_a_sheet_with_an_inventory_has_every_finding_and_every_machine() -> None:
    assessed = judged(400)
    assert assessed.outlooks is not None
    found = _machine_rows(assessed)
    findings = assessed.audit.findings
    assert [row["code"] for row in found[: len(findings)]] == [finding.code for finding in findings]
    machines = [row for row in found if row["prospect"]]
    assert {row["machine"] for row in machines} == {outlook.machine.name for outlook in assessed.outlooks.machines}
    assert len(machines) == 400
    assert {(row["machine"], row["system"], row["kernel"], row["prospect"]) for row in machines} == {
        (outlook.machine.name, outlook.machine.system, outlook.machine.kernel or "", outlook.prospect)
        for outlook in assessed.outlooks.machines
    }


def test_a_sheet_without_an_inventory_has_no_columns_of_machines() -> None:
    assert "prospect" not in tables.audit_sheet(audited())


def test_no_cell_of_a_hostile_inventory_is_a_formula() -> None:
    printed = rows(tables.audit_sheet(hostile()))
    assert [cell for row in printed for cell in row if cell.startswith(("=", "+", "-", "@", "\t", "\r"))] == []
    assert "'=cmd|' /C calc'!A0" in {cell for row in printed for cell in row}
