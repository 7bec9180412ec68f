"""Workbooks: what RVTools and people write, and what would hurt the reader."""

from __future__ import annotations

import contextlib
import io
import re
import struct
import tracemalloc
import zipfile
from typing import TYPE_CHECKING
from xml.sax.saxutils import quoteattr

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from inventory_world import RVTOOLS, csv_text, made_up, sheet_xml, workbook, xlsx

from repo_manager.adapters import inventory_files
from repo_manager.adapters.inventory_files import sheet, unpacking
from repo_manager.core.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from repo_manager.core.inventory import Inventory

PLAIN = (("VM", "OS according to the VMware Tools"), ("web", "Ubuntu 22.04.4 LTS"), ("db", "RHEL 9"))
MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
SHEET = "xl/worksheets/sheet1.xml"


def read(folder: Path, data: bytes, name: str = "export.xlsx") -> Inventory:
    path = folder / name
    path.write_bytes(data)
    return inventory_files.read([path])


def refusal(folder: Path, data: bytes) -> InputError:
    with pytest.raises(InputError) as refused:
        read(folder, data)
    assert "export.xlsx" in refused.value.message
    assert refused.value.hint
    return refused.value


def told(found: Inventory) -> list[tuple[str, str]]:
    return [(machine.name, machine.system) for machine in found.machines]


# What is read


@pytest.mark.parametrize("title", ["vInfo", "vinfo", "tabvInfo", "Sheet1"])
def test_the_sheet_of_an_export_or_the_only_one_is_read(tmp_path: Path, title: str) -> None:
    found = read(tmp_path, xlsx(PLAIN, title))
    assert told(found) == list(PLAIN[1:])
    assert found.machines[0].place == f"sheet {title}, row 2"


def test_of_many_sheets_vinfo_counts(tmp_path: Path) -> None:
    other = sheet_xml([("VM", "OS"), ("wrong", "RHEL 5")])
    assert told(read(tmp_path, workbook({"vCPU": other, "vInfo": sheet_xml(PLAIN), "vDisk": other}))) == list(PLAIN[1:])


def test_other_sheets_are_refused_by_name(tmp_path: Path) -> None:
    sheets = {title: sheet_xml(PLAIN) for title in ("vCPU", "vDisk & more")}
    refused = refusal(tmp_path, workbook(sheets))
    assert refused.code == "no-sheet"
    assert "there is no sheet vInfo; its 2 sheets are 'vCPU', 'vDisk & more'" in refused.message


def test_a_workbook_without_sheets_is_refused(tmp_path: Path) -> None:
    assert "it has no sheet with cells" in refusal(tmp_path, workbook({})).message


def test_the_same_export_is_the_same_as_workbook_and_as_text(tmp_path: Path) -> None:
    rows = (RVTOOLS, *made_up(300))
    (tmp_path / "export.csv").write_text(csv_text(rows), encoding="utf-8", newline="")
    of_text = inventory_files.read([tmp_path / "export.csv"])
    of_book = read(tmp_path, xlsx(rows))
    assert told(of_book) == told(of_text)
    assert (of_book.templates, of_book.placeholders) == (of_text.templates, of_text.placeholders)


@pytest.mark.slow
def test_a_hundred_thousand_rows_are_read_whole(tmp_path: Path) -> None:
    rows = [("VM", "OS", "Template"), *((f"vm{number}", f"RHEL {number % 9 + 1}", False) for number in range(100_000))]
    found = read(tmp_path, xlsx(rows))
    assert (len(found.machines), found.troubles) == (100_000, ())
    assert found.machines[-1].place == "sheet vInfo, row 100001"
    (tmp_path / "export.csv").write_text(csv_text(rows), encoding="utf-8", newline="")
    assert told(inventory_files.read([tmp_path / "export.csv"])) == told(found)


def test_flags_numbers_and_shared_texts_are_text(tmp_path: Path) -> None:
    parts = "<r><t>R</t></r><r><t>HEL_x0020_8</t></r><rPh sb='0' eb='1'><t>spoken</t></rPh>"
    shared = f'<sst xmlns="{MAIN}"><si><t>we</t></si><si>{parts}</si></sst>'
    rows = [
        ("VM", "OS", "Template"),
        (4711, '<c r="{place}" t="s"><v>1</v></c>', False),
        (7.5, "RHEL 9", True),
        ('<c r="{place}" t="s"><v>0</v></c>', 7, ""),
    ]
    found = read(tmp_path, workbook({"vInfo": sheet_xml(rows)}, shared=shared))
    assert told(found) == [("4711", "RHEL 8"), ("we", "7")]
    assert found.templates == 1


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        ("<c r='A2' t='str'><v>web</v></c><c\tr = \"B2\" t=\"str\"><v>RHEL 8</v></c>", "any way to write an attribute"),
        ('<c r="A2" t="str"><v>web</v></c><c t="str"><v>RHEL 8</v></c>', "no place beside one with a place"),
        ('<c r="B2" t="str"><v>RHEL 8</v></c><c r="A2" t="str"><v>web</v></c>', "not in the order of columns"),
        ('<c r="A2" t="str"><v>w<!-- c -->eb</v></c><c r="B2" t="str"><v><![CDATA[RHEL 8]]></v></c>', "CDATA"),
    ],
)
def test_cells_are_read_however_they_are_written(tmp_path: Path, cells: str, reason: str) -> None:
    xml = sheet_xml([("VM", "OS")]).replace("</sheetData>", f'<row r="2">{cells}</row></sheetData>')
    assert told(read(tmp_path, workbook({"vInfo": xml}))) == [("web", "RHEL 8")], reason


@pytest.mark.parametrize(
    ("code", "is_date"),
    [
        ("yyyy\\-mm\\-dd", True),
        ("[$-409]d/m/yy h:mm AM/PM;@", True),
        ("[h]:mm:ss", True),
        ("mmm", True),
        ("General", False),
        ("0.00E+00", False),
        ("[Red]#,##0.00_);\\d0", False),
        ('0 "days"', False),
        ("@", False),
    ],
)
def test_a_format_of_its_own_may_make_a_date_of_a_number(tmp_path: Path, code: str, is_date: bool) -> None:  # noqa: FBT001 - a column of the table
    styles = (
        f'<styleSheet xmlns="{MAIN}"><numFmts><numFmt numFmtId="164" formatCode={quoteattr(code)}/></numFmts>'
        '<cellStyleXfs><xf numFmtId="14"/></cellStyleXfs><cellXfs><xf numFmtId="0"/><xf numFmtId="164"/></cellXfs>'
        "</styleSheet>"
    )
    data = xlsx([("VM", "OS"), ('<c r="{place}" s="1"><v>45000</v></c>', "RHEL 8"), ("web", "RHEL 9")])
    found = read(tmp_path, changed(data, {"xl/styles.xml": styles.encode()}))
    assert ("45000" in [machine.name for machine in found.machines]) is not is_date


def test_what_is_behind_the_cells_is_not_read(tmp_path: Path) -> None:
    links = "<hyperlinks>" + '<hyperlink ref="A1"/>' * 50_000 + "</hyperlinks>"
    assert told(read(tmp_path, workbook({"vInfo": sheet_xml(PLAIN, after=links)}))) == list(PLAIN[1:])


@pytest.mark.parametrize(
    ("value", "shown"),
    [("4711", "4711"), ("7.50", "7.5"), ("1E3", "1000"), ("007", "7"), ("1e20", "1e+20"), ("12 a", "12 a"), (" ", "")],
)
def test_a_number_is_written_as_people_write_it(tmp_path: Path, value: str, shown: str) -> None:
    found = read(tmp_path, xlsx([("VM", "OS"), ("web", f'<c r="{{place}}"><v>{value}</v></c>')]))
    assert told(found) == [("web", shown)]


def test_too_many_texts_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sheet, "MAX_CELLS", 10)
    shared = f"<sst>{'<si/>' * 11}</sst>"
    refused = refusal(tmp_path, workbook({"vInfo": sheet_xml(PLAIN)}, shared=shared))
    assert (refused.code, "too many texts" in refused.message) == ("inventory-too-large", True)


def test_notes_to_the_right_of_the_headings_are_left_out(tmp_path: Path) -> None:
    found = read(tmp_path, xlsx([("VM", "OS"), ("web", "RHEL 8", "", "ask Ann first"), ("db",)]))
    assert (told(found), found.troubles) == ([("web", "RHEL 8"), ("db", "")], ())


def test_headings_may_be_shifted_and_stand_below_merged_cells(tmp_path: Path) -> None:
    rows = [(), ("", "", "All of Paris", ""), (), ("", "", "VM", "OS"), ("", "", "web", "RHEL 8")]
    merge = '<mergeCells count="1"><mergeCell ref="C2:D2"/></mergeCells>'
    found = read(tmp_path, workbook({"vInfo": sheet_xml(rows, after=merge)}))
    assert [(machine.name, machine.place) for machine in found.machines] == [("web", "sheet vInfo, row 5")]


def test_merged_names_are_the_first_row_s_and_the_others_are_told(tmp_path: Path) -> None:
    rows = [("VM", "OS"), ("web", "RHEL 8"), ("", "RHEL 9")]
    merge = '<mergeCells count="1"><mergeCell ref="A2:A3"/></mergeCells>'
    found = read(tmp_path, workbook({"vInfo": sheet_xml(rows, after=merge)}))
    assert told(found) == [("web", "RHEL 8")]
    assert [str(trouble) for trouble in found.troubles] == ["sheet vInfo, row 3, VM: has no name"]


@pytest.mark.parametrize(
    ("name", "system", "column", "words"),
    [
        ('<c r="{place}"><f>B2</f></c>', "RHEL 8", "VM", "never calculated"),
        ('<c r="{place}"><f>B2</f><v/></c>', "RHEL 8", "VM", "never calculated"),
        ('<c r="{place}"><f>B2</f><v></v></c>', "RHEL 8", "VM", "never calculated"),
        ('<c r="{place}" t="str"><f>B2</f><v></v></c>', "RHEL 8", "VM", "has no name"),
        ('<c r="{place}" t="e"><v>#N/A</v></c>', "RHEL 8", "VM", "a formula that failed"),
        ('<c r="{place}" t="e"><f>1/0</f><v>#DIV/0!</v></c>', "RHEL 8", "VM", "a formula that failed"),
        ('<c r="{place}" s="1"><v>45000</v></c>', "RHEL 8", "VM", "a date, which a spreadsheet made of a name"),
        ('<c r="{place}" s="1"><v>1e20</v></c>', "RHEL 8", "VM", "a date, which a spreadsheet made of a name"),
        ('<c r="{place}" t="d"><v>2024-03-12</v></c>', "RHEL 8", "VM", "a date, which a spreadsheet made of a name"),
        ("web", '<c r="{place}" t="e"><v>#REF!</v></c>', "OS", "a formula that failed; the machine is kept"),
        ("web", '<c r="{place}"><f>A1</f></c>', "OS", "never calculated"),
    ],
)
def test_a_cell_without_a_value_is_told_with_row_and_column(
    tmp_path: Path, name: str, system: str, column: str, words: str
) -> None:
    found = read(tmp_path, xlsx([("VM", "OS"), ("first", "RHEL 8"), (name, system), ("last", "RHEL 8")]))
    (trouble,) = found.troubles
    assert (trouble.place, trouble.column) == ("sheet vInfo, row 3", column)
    assert words in trouble.message
    assert [machine.name for machine in found.machines if machine.name != "web"] == ["first", "last"]


def test_a_calculated_formula_is_its_value(tmp_path: Path) -> None:
    rows = [("VM", "OS"), ('<c r="{place}" t="str"><f>A1</f><v>web</v></c>', "RHEL 8")]
    assert told(read(tmp_path, xlsx(rows))) == [("web", "RHEL 8")]


def test_sheets_of_other_writers_have_prefixes_and_spaces(tmp_path: Path) -> None:
    xml = (
        '<x:worksheet xmlns:x="' + MAIN + '"><x:sheetData>'
        '<x:row r="1"><x:c r="A1" t="str"><x:v>VM</x:v></x:c><x:c r="B1" t="str"><x:v>OS</x:v></x:c></x:row>'
        '<x:row r="2"><x:c t="str" r="A2"><x:v>web</x:v></x:c><x:c r="B2" t="e"><x:v>#N/A</x:v></x:c></x:row>'
        "</x:sheetData></x:worksheet>"
    )
    found = read(tmp_path, workbook({"vInfo": xml}))
    assert told(found) == [("web", "")]
    assert len(found.troubles) == 1


@pytest.mark.parametrize(
    ("leave_out", "reason"),
    [
        (r'(?<=<c) r="[A-Z]+[0-9]+"', "cells do not say where they are"),
        (r'(?<=<c|ow) r="[A-Z]*[0-9]+"', "and neither do rows"),
        (r' r="A[0-9]+"', "only the others do"),
    ],
)
def test_cells_stand_beside_those_before_them_where_nothing_else_is_said(
    tmp_path: Path, leave_out: str, reason: str
) -> None:
    rows = [
        ("VM", "OS"), ("web", "RHEL 8"), ("db", '<c r="{place}" t="e"><v>#N/A</v></c>'), ('<c r="{place}"/>', "RHEL 7"),
    ]  # fmt: skip
    many = [*rows, *((f"vm{number}", "RHEL 9") for number in range(12_000))]
    found = read(tmp_path, workbook({"vInfo": re.sub(leave_out, "", sheet_xml(many))}))
    assert told(found)[:3] == [("web", "RHEL 8"), ("db", ""), ("vm0", "RHEL 9")], reason
    assert found.machines[-1].place == "sheet vInfo, row 12004"
    assert [(trouble.place, trouble.dropped) for trouble in found.troubles] == [
        ("sheet vInfo, row 3", False), ("sheet vInfo, row 4", True),
    ]  # fmt: skip


def test_a_tag_without_end_is_let_through_to_be_refused(tmp_path: Path) -> None:
    sheet = sheet_xml([]).replace("<sheetData>", f"<sheetData><row><c><v>1</v></c><c {' ' * 3_000_000}")
    assert refusal(tmp_path, workbook({"vInfo": sheet}, packed=False)).code == "no-workbook"


@pytest.mark.parametrize("column", ["B", "Z", "AA", "AZ", "BA", "ZZ", "AAA", "XFD"])
def test_columns_have_letters_and_numbers(tmp_path: Path, column: str) -> None:
    rows = [(f'<c r="A{row}" t="str"><v>{name}</v></c><c r="{column}{row}" t="str"><v>{system}</v></c>',)
            for row, (name, system) in enumerate((("VM", "OS"), ("web", "RHEL 8"), ("db", "RHEL 9")), 1)]  # fmt: skip
    assert told(read(tmp_path, xlsx(rows))) == [("web", "RHEL 8"), ("db", "RHEL 9")]


STYLED = '<c r="{place}" s="1"/>'


@pytest.mark.parametrize(
    ("other", "state"),
    [
        (sheet_xml([]), "hidden"),
        (sheet_xml(PLAIN), "hidden"),
        (sheet_xml(PLAIN), "veryHidden"),
        (sheet_xml([]), "visible"),
        (sheet_xml([(STYLED,)]), "visible"),
        (sheet_xml([(STYLED,) * 90] * 1000), "visible"),
    ],
)
def test_sheets_that_are_hidden_or_empty_do_not_count(tmp_path: Path, other: str, state: str) -> None:
    data = workbook({"Machines": sheet_xml(PLAIN), "Other": other})
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        book = archive.read("xl/workbook.xml").replace(b'name="Other"', f'name="Other" state="{state}"'.encode())
    found = read(tmp_path, changed(data, {"xl/workbook.xml": book}))
    assert found.machines[0].place == "sheet Machines, row 2"


def test_a_hidden_sheet_counts_where_it_is_the_only_one(tmp_path: Path) -> None:
    data = xlsx(PLAIN)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        book = archive.read("xl/workbook.xml").replace(b"<sheet ", b'<sheet state="hidden" ')
    assert told(read(tmp_path, changed(data, {"xl/workbook.xml": book}))) == list(PLAIN[1:])


def test_of_an_export_no_other_sheet_will_do(tmp_path: Path) -> None:
    refused = refusal(tmp_path, workbook({"vCPU": sheet_xml(PLAIN), "vDisk": sheet_xml([])}))
    assert "there is no sheet vInfo; its 2 sheets are 'vCPU', 'vDisk'" in refused.message


def test_only_empty_sheets_are_refused(tmp_path: Path) -> None:
    refused = refusal(tmp_path, workbook({"Sheet1": sheet_xml([]), "Sheet2": sheet_xml([])}))
    assert refused.code == "no-sheet"


# What is refused


def bomb(entry: str, mib: int, *, lie: bool) -> bytes:
    """A workbook with an entry of so many MiB of spaces, of which it may say that they are few."""
    filler = b" " * (1 << 20)
    body = io.BytesIO()
    small = zipfile.ZipFile(io.BytesIO(workbook({"vInfo": sheet_xml(PLAIN)}, shared="<sst/>")))
    with small, zipfile.ZipFile(body, "w", zipfile.ZIP_DEFLATED) as made:
        for info in small.infolist():
            with made.open(info.filename, "w") as target:
                for _ in range(mib if info.filename == entry else 0):
                    target.write(filler)
                target.write(small.read(info))
    data = bytearray(body.getvalue())
    if lie:
        at = data.rfind(entry.encode())
        # The size that the list of contents gives, 22 bytes before the name.
        data[at - 22 : at - 18] = struct.pack("<I", 100)
    return bytes(data)


@pytest.mark.parametrize(
    ("entry", "code"),
    [
        (SHEET, "no-workbook"),
        ("xl/sharedStrings.xml", "no-workbook"),
        ("xl/styles.xml", "no-workbook"),
        ("xl/workbook.xml", "inventory-too-large"),
        ("_rels/.rels", "inventory-too-large"),
    ],
)
def test_a_bomb_is_given_up_early(tmp_path: Path, entry: str, code: str) -> None:
    data = bomb(entry, 90, lie=False)
    assert len(data) < 200_000
    refused = refusal(tmp_path, data)
    assert refused.code == code
    assert ("has no end" in refused.message) is (code == "no-workbook")


@pytest.mark.parametrize("entry", [SHEET, "xl/sharedStrings.xml", "xl/styles.xml", "xl/workbook.xml", "_rels/.rels"])
def test_a_bomb_that_claims_to_be_small_is_damaged(tmp_path: Path, entry: str) -> None:
    refused = refusal(tmp_path, bomb(entry, 90, lie=True))
    assert f"{entry} is damaged" in refused.message


def test_a_sheet_that_unpacks_to_very_much_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpacking, "RATIO_FREE", 2 << 20)
    monkeypatch.setattr(unpacking, "MAX_RATIO", 2)
    data = xlsx([("VM", "OS"), *[("web", "RHEL 8")] * 50_000])
    assert "unpacks to more than 2 MiB from" in refusal(tmp_path, data).message


def test_an_entry_unpacks_to_a_limit(tmp_path: Path) -> None:
    path = tmp_path / "export.xlsx"
    path.write_bytes(bomb(SHEET, 3, lie=False))
    archive = unpacking.Archive(path, "export.xlsx")
    with pytest.raises(InputError) as refused:
        list(archive.pieces(SHEET, 2 << 20))
    archive.close()
    assert refused.value.code == "inventory-too-large"


@pytest.mark.parametrize(
    ("xml", "words"),
    [
        (
            '<row r="1"><c r="A1"><v>1</v></c></row><row r="1048576"><c r="XFD1048576"><v>2</v></c></row>',
            "column 16384",
        ),
        ("<row r='1048576'><c r='A1048576'/><c\tr = 'XFD1048576'><v>2</v></c></row>", "column 16384 and row 1048576"),
        ('<row r="1"><c r="A1"><v>1</v></c><c r="XFD1048576"><v>2</v></c></row>', "do not say where they are"),
        ('<row r="1"><c r="XFE1"/></row>', "do not say where they are"),
        ('<row r="1"><c r="1"/></row>', "do not say where they are"),
        ('<row r="1"><c r="a1"/></row>', "do not say where they are"),
        ('<row r="A"><c r="A1"/></row>', "do not say where they are"),
        (f'<row r="{"9" * 5000}"><c/></row>', "do not say where they are"),
        (f"<row>{'<c/>' * 20_000}</row>", "do not say where they are"),
        ('<row r="1"><c><v>1</v></c></row><row r="1048576"><c r="XFC1048576"/><c/></row>', "column 16384"),
        ('<row r="1"><c r="A1"><v>\0</v></c></row>', "not written in UTF-8"),
    ],
)
def test_cells_far_apart_or_nowhere_are_refused(tmp_path: Path, xml: str, words: str) -> None:
    sheet = sheet_xml([]).replace("<sheetData>", f"<sheetData>{xml}")
    refused = refusal(tmp_path, workbook({"vInfo": sheet}))
    assert words in refused.message
    assert ("delete the empty rows" in refused.hint) is (refused.code == "inventory-too-large")


def test_a_long_text_in_many_cells_is_refused(tmp_path: Path) -> None:
    text = "x" * 30_000
    shared = f"<sst><si><t>{text}</t></si></sst>"
    rows = [("VM", "OS"), *((('<c r="{place}" t="s"><v>0</v></c>',) * 2) for _ in range(10_000))]
    refused = refusal(tmp_path, workbook({"vInfo": sheet_xml(rows)}, shared=shared))
    assert "the texts in its cells take more than 512 MiB" in refused.message


@pytest.mark.parametrize(
    ("xml", "reason"),
    [
        ("<row>" + "<c/>" * 100_000 + "</row>", "cells"),
        ("<row>" + "<a>" * 100_000, "elements in each other"),
        ("<row><c t='str'><v>" + "x" * 300_000, "a text"),
        ("<row><c t='" + "x" * 300_000, "a tag"),
        ("<row>" + "<!-- -->" * 50_000, "comments"),
    ],
)
def test_a_row_without_end_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, xml: str, reason: str) -> None:
    monkeypatch.setattr(sheet, "_MAX_PART", 200_000)
    sheet_of = sheet_xml([]).replace("<sheetData>", f"<sheetData>{xml}")
    assert "has no end" in refusal(tmp_path, workbook({"vInfo": sheet_of})).message, reason


@pytest.mark.parametrize("xml", ["<a>", "<a/>"])
def test_many_elements_in_one_row_take_little_memory(tmp_path: Path, xml: str) -> None:
    sheet_of = sheet_xml([]).replace("<sheetData>", f"<sheetData><row>{xml * 1_000_000}")
    data = workbook({"vInfo": sheet_of})
    tracemalloc.start()
    try:
        assert "has no end" in refusal(tmp_path, data).message
        assert tracemalloc.get_traced_memory()[1] < 150 << 20
    finally:
        tracemalloc.stop()


def test_a_row_may_have_a_cell_in_every_column(tmp_path: Path) -> None:
    row = ("VM", "OS", *(f"column {number}" for number in range(16_382)))
    found = read(tmp_path, workbook({"vInfo": sheet_xml([row, ("web", "RHEL 8")])}))
    assert told(found) == [("web", "RHEL 8")]


def test_long_parts_are_read_where_each_element_in_them_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sheet, "_MAX_PART", 100_000)
    texts = ["VM", "OS", *(f"web-{number:05}" for number in range(50_000))]
    shared = f"<sst>{''.join(f'<si><t>{text}</t></si>' for text in texts)}</sst>"
    named = [f'<c r="{{place}}" t="s"><v>{number}</v></c>' for number in range(len(texts))]
    rows = [(named[0], named[1]), *((name, "RHEL 8") for name in named[2:])]
    found = read(tmp_path, workbook({"vInfo": sheet_xml(rows)}, shared=shared))
    assert [machine.name for machine in found.machines] == texts[2:]


def test_long_texts_in_few_cells_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sheet, "MAX_TEXT_BYTES", 400)
    shared = f"<sst><si><t>{'x' * 300}</t></si><si/><si><t>OS</t></si></sst>"
    rows = [("VM", '<c r="{place}" t="s"><v>2</v></c>'), ("web", "RHEL 8"), ("", '<c r="{place}" t="s"><v>9</v></c>')]
    with pytest.raises(InputError) as refused:
        read(tmp_path, workbook({"vInfo": sheet_xml(rows)}, shared=shared))
    assert refused.value.code == "no-workbook", "there is no tenth text"


def changed(data: bytes, entries: Mapping[str, bytes | None]) -> bytes:
    """The workbook with entries replaced, or left out."""
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(made, "w") as new:
        for info in old.infolist():
            content = entries.get(info.filename, old.read(info))
            if content is not None:
                new.writestr(info.filename, content)
    return made.getvalue()


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ({"xl/worksheets/sheet1.xml": None}, "is missing"),
        ({"xl/workbook.xml": None}, "is missing"),
        ({"xl/workbook.xml": b"<workbook"}, "is no XML"),
        ({"xl/workbook.xml": b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'}, "declares a document type"),
        ({"xl/worksheets/sheet1.xml": b"<worksheet><sheetData><row>"}, "cannot be read"),
        ({"xl/worksheets/sheet1.xml": b"no xml"}, "cannot be read"),
        ({"xl/styles.xml": b"\xff\xfe<"}, "cannot be read"),
        ({"xl/sharedStrings.xml": b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'}, "declares a document type"),
        (
            {SHEET: b" " * 300_000 + b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///x">]><a>&b;</a>'},
            "declares a document type",
        ),
        ({SHEET: '<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'.encode("utf-16")}, "is not written in UTF-8"),
    ],
)
def test_a_damaged_workbook_is_refused_in_words(tmp_path: Path, entries: dict[str, bytes | None], words: str) -> None:
    assert words in refusal(tmp_path, changed(workbook({"vInfo": sheet_xml(PLAIN)}, shared="<sst/>"), entries)).message


def test_a_binary_workbook_is_refused(tmp_path: Path) -> None:
    links = b'<Relationships><Relationship Id="1" Type="x/officeDocument" Target="xl/workbook.bin"/></Relationships>'
    data = changed(xlsx(PLAIN), {"_rels/.rels": links})
    assert "binary workbook (.xlsb)" in refusal(tmp_path, data).message


def test_a_zip_of_something_else_is_refused(tmp_path: Path) -> None:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("export.csv", "name,os\n")
    assert "_rels/.rels is missing" in refusal(tmp_path, made.getvalue()).message


@pytest.mark.parametrize("more", [-40, 5_000, 1 << 20])
def test_a_list_of_contents_elsewhere_is_refused(tmp_path: Path, more: int) -> None:
    data = bytearray(xlsx(PLAIN))
    (at,) = struct.unpack("<I", data[-6:-2])
    data[-6:-2] = struct.pack("<I", at + more)
    assert refusal(tmp_path, bytes(data)).code == "no-workbook"


@pytest.mark.parametrize("keep", [4, 100, 400, -30, -1])
def test_a_workbook_that_was_cut_off_is_refused(tmp_path: Path, keep: int) -> None:
    assert refusal(tmp_path, xlsx(PLAIN)[:keep]).code == "no-workbook"


def test_a_protected_entry_is_refused(tmp_path: Path) -> None:
    data = bytearray(xlsx(PLAIN))
    at = data.find(b"PK\1\2")
    data[at + 8] |= 1
    assert "protected by a password" in refusal(tmp_path, bytes(data)).message


def test_another_compression_is_refused(tmp_path: Path) -> None:
    data = bytearray(xlsx(PLAIN))
    data[data.find(b"PK\1\2") + 10] = 12
    assert "packed in a way that workbooks are not" in refusal(tmp_path, bytes(data)).message


def test_an_entry_that_is_not_where_it_should_be_is_refused(tmp_path: Path) -> None:
    data = bytearray(xlsx(PLAIN))
    at = data.find(b"PK\1\2")
    data[at + 42] += 7
    assert "is not where it should be" in refusal(tmp_path, bytes(data)).message


def test_a_wrong_checksum_is_refused(tmp_path: Path) -> None:
    data = bytearray(workbook({"vInfo": sheet_xml(PLAIN)}, packed=False))
    at = data.find(b"Ubuntu")
    data[at] ^= 1
    assert f"{SHEET} is damaged" in refusal(tmp_path, bytes(data)).message


def test_the_same_name_twice_is_refused(tmp_path: Path) -> None:
    made = io.BytesIO(xlsx(PLAIN))
    with zipfile.ZipFile(made, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr(SHEET, "other")
    assert "the same name stands in it twice" in refusal(tmp_path, made.getvalue()).message


def test_a_list_of_contents_that_is_too_large_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpacking, "_MAX_DIRECTORY", 300)
    assert "its list of contents cannot be read" in refusal(tmp_path, xlsx(PLAIN)).message


BOOK = xlsx(PLAIN)


@settings(max_examples=150, deadline=None)
@given(st.integers(0, len(BOOK) - 1), st.binary(min_size=1, max_size=4))
def test_a_workbook_with_wrong_bytes_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, at: int, wrong: bytes
) -> None:
    data = BOOK[:at] + wrong + BOOK[at + len(wrong) :]
    with contextlib.suppress(InputError):
        read(tmp_path_factory.getbasetemp(), data, "fuzzed.xlsx")


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 600), st.binary(max_size=6))
def test_a_sheet_with_wrong_bytes_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, at: int, wrong: bytes
) -> None:
    xml = sheet_xml(PLAIN).encode()
    xml = xml[: at % len(xml)] + wrong + xml[at % len(xml) + len(wrong) :]
    with contextlib.suppress(InputError):
        read(tmp_path_factory.getbasetemp(), workbook({"vInfo": xml.decode("latin-1")}), "fuzzed.xlsx")
