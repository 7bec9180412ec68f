"""Records over several lines: notes stay whole, and rows that a stray pair of quotes swallowed are found again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inventory_world import RVTOOLS, csv_text, exported

from repo_manager.adapters import inventory_files

if TYPE_CHECKING:
    from pathlib import Path

    from repo_manager.core.inventory import Inventory


def read(folder: Path, text: str) -> Inventory:
    path = folder / "list.csv"
    path.write_bytes(text.encode())
    return inventory_files.read([path])


def told(found: Inventory) -> list[tuple[str, str]]:
    return [(machine.name, machine.system) for machine in found.machines]


def remarks(found: Inventory) -> list[str]:
    return [str(trouble) for trouble in found.troubles]


def test_a_stray_pair_of_quotes_swallows_no_machine(tmp_path: Path) -> None:
    notes = {5: '"see ticket', 290: 'done"'}
    lines = [f"m{number},RHEL 8,{notes.get(number, 'x')}" for number in range(1, 301)]
    found = read(tmp_path, "\n".join(("name,os,notes", *lines)))
    assert [machine.name for machine in found.machines] == [f"m{number}" for number in range(1, 301)]
    assert [machine.place for machine in found.machines] == [f"line {number}" for number in range(2, 302)]
    (remark,) = remarks(found)
    assert remark == (
        "line 6, notes: the quote at character 11 is closed in line 291 only, behind what looks like rows; it is left"
        " out, and each line is read as a row"
    )
    assert found.dropped == 0


@pytest.mark.parametrize(
    ("text", "expected", "place"),
    [
        (
            'name,os\na,"RHEL 8\nb,RHEL 9\nc,RHEL 7"\nd,RHEL 8\n',
            [("a", "RHEL 8"), ("b", "RHEL 9"), ("c", 'RHEL 7"'), ("d", "RHEL 8")],
            "line 2, os: the quote at character 3",
        ),
        (
            'name,os\r\na,"RHEL 8\r\nb,RHEL 9\r\nc,RHEL 7"\r\n',
            [("a", "RHEL 8"), ("b", "RHEL 9"), ("c", 'RHEL 7"')],
            "line 2, os: the quote at character 3",
        ),
        (
            'name,os,note\na,"RHEL 8,x\nb,RHEL 9",y\n',
            [("a", "RHEL 8"), ("b", 'RHEL 9"')],
            "line 2, os: the quote at character 3",
        ),
        (
            'name,os\na,"RHEL 8\nb",RHEL 9\n',
            [("a", "RHEL 8"), ('b"', "RHEL 9")],
            "line 2, os: the quote at character 3",
        ),
        (
            'name,os,note\na,RHEL 8,"see\nb",RHEL 9,z\n',
            [("a", "RHEL 8"), ('b"', "RHEL 9")],
            "line 2, note: the quote at character 10",
        ),
        (
            'name,os,note\n"a, 1","RHEL 8","""x"" y\nb,RHEL 9,z"\n',
            [("a, 1", "RHEL 8"), ("b", "RHEL 9")],
            "line 2, note: the quote at character 17",
        ),
        (
            'note,name,os\n"x,a,RHEL 8\ny,b,RHEL 9\nz",c,RHEL 7\n',
            [("a", "RHEL 8"), ("b", "RHEL 9"), ("c", "RHEL 7")],
            "line 2, note: the quote at character 1",
        ),
        (
            'name;os;site;note\na;RHEL 8;x;"one\nb;RHEL 9\nc;RHEL 9\nd;RHEL 9\ne;;;z"\n',
            [("a", "RHEL 8"), ("b", "RHEL 9"), ("c", "RHEL 9"), ("d", "RHEL 9"), ("e", "")],
            "line 2, note: the quote at character 12",
        ),
    ],
    ids=[
        "system",
        "windows ends",
        "in between",
        "two lines",
        "note of two lines",
        "other quotes",
        "first cell",
        "short rows",
    ],
)
def test_what_a_stray_pair_of_quotes_swallowed_is_read(
    tmp_path: Path, text: str, expected: list[tuple[str, str]], place: str
) -> None:
    found = read(tmp_path, text)
    assert told(found) == expected
    (remark,) = remarks(found)
    assert remark.startswith(f"{place} is closed in line ")
    assert found.dropped == 0


def test_rows_of_systems_that_nobody_knows_are_found_where_they_are_many(tmp_path: Path) -> None:
    lines = "\n".join(f"vm{number},Plan 9,x" for number in range(12))
    assert len(read(tmp_path, f'name,os,note\na,RHEL 8,"one\n{lines}"\n').machines) == 13


@pytest.mark.parametrize(
    "first",
    ['"x, 1\ny",a,"RHEL 8', '"x\ny",a,"RHEL 8'],
    ids=["with a separator", "without"],
)
def test_a_line_that_cannot_be_read_without_its_quote_is_left_out(tmp_path: Path, first: str) -> None:
    found = read(tmp_path, f'note,name,os\n{first}\nz,b,RHEL 9\nz,c,RHEL 7"\n')
    assert [machine.name for machine in found.machines][-2:] == ["b", "c"]
    assert remarks(found)[0] == (
        "line 2, os: a quote is closed in line 5 only, behind what looks like rows; this line is left out, and each"
        " one behind it is read as a row"
    )
    assert found.troubles[0].dropped


def test_a_quote_that_holds_a_separator_too_many_is_left_out(tmp_path: Path) -> None:
    found = read(tmp_path, 'name,os\na,"RHEL 8, the old one\nb,RHEL 9"\n')
    assert told(found) == [("b", 'RHEL 9"')]
    assert found.dropped == 1


# Notes


@pytest.mark.parametrize(
    "note",
    ["one\ntwo", "one\n\nthree, and four, and five, and six", "patched:\nMonday\nTuesday", "a\n,b", "a\nb,"],
)
def test_a_note_stays_whole(tmp_path: Path, note: str) -> None:
    found = read(tmp_path, csv_text([("name", "os", "note"), ("web", "RHEL 8", note), ("db", "RHEL 9", "")]))
    assert (told(found), found.troubles) == ([("web", "RHEL 8"), ("db", "RHEL 9")], ())


@pytest.mark.parametrize(
    ("headings", "cells", "heading"),
    [
        (("name", "os"), ("web", "Ubuntu 22.04\npatched Monday, by Bob"), "os"),
        (("name", "os", "note"), ("web", "RHEL 8", "one\ntwo, three, four"), "note"),
        (("name", "os", "note"), ("web", "RHEL 8", "ask first\nBob, Windows team"), "note"),
        (("name", "os", "note"), ("web", "RHEL 8", "ask first\nBob, or Alice"), "note"),
    ],
)
def test_a_note_that_could_be_rows_stays_whole_and_is_told(
    tmp_path: Path, headings: tuple[str, ...], cells: tuple[str, ...], heading: str
) -> None:
    found = read(tmp_path, csv_text([headings, cells, ("db", "RHEL 9", "")[: len(headings)]]))
    assert told(found) == [(cells[0], cells[1]), ("db", "RHEL 9")]
    (remark,) = remarks(found)
    assert remark == (
        f"line 2, {heading}: a cell runs from line 2 to line 3, and 1 of its lines could be rows; it is read as one"
        " cell, so look for a quote that should not be there"
    )
    assert found.dropped == 0


def test_a_note_in_a_row_of_too_many_cells_is_no_rows(tmp_path: Path) -> None:
    found = read(tmp_path, 'name,os,note\nweb,RHEL 8,"one\ntwo",more\ndb,RHEL 9,\n')
    assert told(found) == [("db", "RHEL 9")]
    assert {trouble.place for trouble in found.troubles} == {"line 2"}
    assert found.dropped == 1


def test_annotations_of_an_export_may_hold_commas_and_systems(tmp_path: Path) -> None:
    at = RVTOOLS.index("Annotation")
    row = list(exported("web", "Red Hat Enterprise Linux 7.9"))
    row[at] = "owner: Bob, Alice\nwas RHEL 6, then RHEL 7, now, as of 2024, RHEL 7.9\n" * 40
    found = read(tmp_path, csv_text([RVTOOLS, row, exported("db", "Oracle Linux 8.4")]))
    assert ([machine.name for machine in found.machines], found.troubles) == (["web", "db"], ())


@given(
    st.lists(st.sampled_from(["a,RHEL 8,x", 'b,"RHEL 9', 'c",RHEL 7,"', 'd,RHEL 6,"y', 'z",Ubuntu,x', ""]), max_size=9)
)
def test_a_line_with_a_machine_is_a_machine_or_is_told(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str]
) -> None:
    found = read(tmp_path_factory.getbasetemp(), "\n".join(("name,os,note", *lines, "last,RHEL 8,x")))
    expected = sum(bool(line) for line in lines) + 1
    again = sum("counted once" in trouble.message for trouble in found.troubles)
    assert len(found.machines) + again + found.dropped == expected or any(
        "quote" in trouble.message for trouble in found.troubles
    )
