"""CSV and JSON as people have them, and as nobody should."""

from __future__ import annotations

import json
import os
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inventory_world import RVTOOLS, csv_text, made_up, xlsx

from repo_manager.adapters import inventory_files
from repo_manager.adapters.inventory_files import quotes, tables, texts
from repo_manager.core.errors import InputError

if TYPE_CHECKING:
    from repo_manager.core.inventory import Inventory

ROWS = (("name", "os"), ("caf\u00e9", "RHEL 8"), ("web \u2013 1", "Ubuntu 22.04"))


def read(folder: Path, data: bytes, name: str = "list.csv") -> Inventory:
    path = folder / name
    path.write_bytes(data)
    return inventory_files.read([path])


def told(found: Inventory) -> list[tuple[str, str]]:
    return [(machine.name, machine.system) for machine in found.machines]


def refusal(folder: Path, data: bytes, name: str = "list.csv") -> InputError:
    with pytest.raises(InputError) as refused:
        read(folder, data, name)
    assert name in refused.value.message
    assert refused.value.hint
    return refused.value


# Encodings and delimiters


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_what_spreadsheets_write_is_read(tmp_path: Path, encoding: str, delimiter: str) -> None:
    found = read(tmp_path, csv_text(ROWS, delimiter).encode(encoding))
    assert told(found) == list(ROWS[1:])
    assert [machine.place for machine in found.machines] == ["line 2", "line 3"]
    assert found.troubles == ()


@pytest.mark.parametrize("mark", [b"\xff\xfe", b"\xfe\xff"])
def test_utf_16_is_read_by_its_byte_order_mark(tmp_path: Path, mark: bytes) -> None:
    encoding = "utf-16-le" if mark == b"\xff\xfe" else "utf-16-be"
    assert told(read(tmp_path, mark + csv_text(ROWS, "\t").encode(encoding))) == list(ROWS[1:])


@pytest.mark.parametrize("encoding", ["utf-32-le", "utf-32-be"])
def test_utf_32_is_read_by_its_byte_order_mark(tmp_path: Path, encoding: str) -> None:
    found = read(tmp_path, ("\ufeff" + csv_text(ROWS, "\t")).encode(encoding))
    assert (told(found), found.troubles) == (list(ROWS[1:]), ())


@pytest.mark.parametrize(
    ("encoding", "name"), [("utf-16-le", "UTF-16"), ("utf-16-be", "UTF-16"), ("utf-32-le", "UTF-32")]
)
def test_a_wide_file_that_was_cut_off_is_told(tmp_path: Path, encoding: str, name: str) -> None:
    found = read(tmp_path, "\ufeffname,os\nweb,RHEL 8\ndb,RHEL 9".encode(encoding)[:-1])
    assert [machine.name for machine in found.machines] == ["web", "db"]
    assert [str(trouble) for trouble in found.troubles] == [
        f"line 3: has bytes that are no {name}; some of its characters are lost",
        "line 3: the file ends in the middle of a character; it was cut off, or lost a byte on its way",
    ]
    assert found.dropped == 0


def test_half_a_character_of_utf_16_is_told(tmp_path: Path) -> None:
    found = read(tmp_path, "\ufeffname,os\n\ud841,RHEL 8\n".encode("utf-16-le", "surrogatepass"))
    assert [trouble.place for trouble in found.troubles] == ["line 2"]


def test_a_zero_is_a_control_character_like_others(tmp_path: Path) -> None:
    found = read(tmp_path, b"name,os,note\nweb\0,RHEL 8,\ndb,RHEL\0 9,\napp,RHEL 7,\0\n")
    assert told(found) == [("web\\x00", "RHEL 8"), ("db", "RHEL  9"), ("app", "RHEL 7")]
    assert [(trouble.place, trouble.column, trouble.dropped) for trouble in found.troubles] == [
        ("line 2", "name", False), ("line 3", "os", False),
    ]  # fmt: skip


def test_latin_1_is_read_where_windows_has_no_character(tmp_path: Path) -> None:
    (found,) = read(tmp_path, b"name,os\r\ncaf\xe9-\x81,RHEL 8\r\n").machines
    assert found.name == "caf\u00e9-\\x81"


def test_a_line_in_another_encoding_is_told(tmp_path: Path) -> None:
    found = read(tmp_path, "name,os\ncaf\u00e9,RHEL 8\n".encode() + b"b\xe9ta,RHEL 9\n")
    assert told(found) == [("caf\u00e9", "RHEL 8"), ("b\u00e9ta", "RHEL 9")]
    assert [str(trouble) for trouble in found.troubles] == [
        "line 3: is not UTF-8 as other lines are; read as Windows-1252"
    ]
    assert found.dropped == 0


def test_the_line_of_excel_says_the_delimiter(tmp_path: Path) -> None:
    found = read(tmp_path, b"sep=;\r\nname;os\r\nweb, the first;RHEL 8\r\n")
    assert [(machine.name, machine.place) for machine in found.machines] == [("web, the first", "line 3")]


def test_a_delimiter_is_the_one_with_which_the_headings_are_found(tmp_path: Path) -> None:
    assert told(read(tmp_path, b"Machines, Paris, 2026\n\nname;note, or so;os\nweb;a,b;RHEL 8\n")) == [
        ("web", "RHEL 8")
    ]


def test_lines_may_end_as_on_unix_and_the_last_one_not_at_all(tmp_path: Path) -> None:
    assert told(read(tmp_path, b"name,os\n\nweb,RHEL 8\n\ndb,RHEL 9")) == [("web", "RHEL 8"), ("db", "RHEL 9")]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "cp1252", "utf-16"])
def test_lines_may_end_as_on_old_macs(tmp_path: Path, encoding: str) -> None:
    found = read(tmp_path, csv_text(ROWS, ";").replace("\r\n", "\r").encode(encoding))
    assert [(machine.name, machine.place) for machine in found.machines] == [
        (ROWS[1][0], "line 2"), (ROWS[2][0], "line 3"),
    ]  # fmt: skip
    assert found.troubles == ()


def test_headings_in_two_rows_are_found_with_any_delimiter(tmp_path: Path) -> None:
    data = b";Operating system;\nVM;Name;Version\nweb, the first;RHEL;7.9\n"
    assert told(read(tmp_path, data)) == [("web, the first", "RHEL 7.9")]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"name,os\r\n\r\n", "line 1: has the headings, and no machine stands below them"),
        (b"[]", "the list: has no machine in it"),
    ],
)
def test_a_list_without_machines_is_told(tmp_path: Path, data: bytes, message: str) -> None:
    found = read(tmp_path, data)
    assert (found.machines, [str(trouble) for trouble in found.troubles]) == ((), [message])


# Quotes

QUOTES = "its quotes do not match: one is not closed, or ends in the middle of a cell"


def test_a_note_may_have_several_lines(tmp_path: Path) -> None:
    found = read(tmp_path, b'name,note,os\nweb,"one\ntwo\n\nthree ""3""",RHEL 8\ndb,,RHEL 9\n')
    assert [(machine.name, machine.place) for machine in found.machines] == [("web", "line 2"), ("db", "line 6")]


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        (b'bad,"RHEL 7\n', QUOTES),
        (b'"bad,RHEL 7\n', QUOTES),
        (b'bad,"RHEL" 7\n', QUOTES),
        (
            b'bad,"' + b"x" * 140_000 + b'"\n',
            "a cell is longer than that of any list; look for a quote that is not closed",
        ),
        (b"bad,RHEL\r7\n", "a line ends in the middle of a cell"),
    ],
)
def test_a_broken_line_is_told_and_the_lines_after_it_are_read(tmp_path: Path, broken: bytes, words: str) -> None:
    found = read(tmp_path, b"name,os\nweb,RHEL 8\n" + broken + b'db,RHEL 9\napp,"RHEL 8"\n')
    assert [machine.name for machine in found.machines] == ["web", "db", "app"]
    assert [machine.place for machine in found.machines] == ["line 2", "line 4", "line 5"]
    assert [str(trouble) for trouble in found.troubles] == [f"line 3: {words}"]
    assert found.dropped == 1


def test_a_broken_quote_in_the_headings_is_told(tmp_path: Path) -> None:
    assert f"; line 1: {QUOTES}; line 2 has 'web'" in refusal(tmp_path, b'name,"os\nweb,RHEL 8\n').message


def test_an_open_quote_does_not_swallow_a_long_file(tmp_path: Path) -> None:
    many = "".join(f"vm{number},RHEL 8\n" for number in range(3 * quotes.MAX_RECORD_LINES))
    found = read(tmp_path, f'name,os\n"bad,RHEL 7\n{many}'.encode())
    assert len(found.machines) == 3 * quotes.MAX_RECORD_LINES
    assert [trouble.place for trouble in found.troubles] == ["line 2"]


def test_a_quote_in_the_middle_of_a_cell_is_a_quote(tmp_path: Path) -> None:
    assert told(read(tmp_path, b'name,os\nscreen 5",RHEL 8\ndb,RHEL 9\n')) == [
        ('screen 5"', "RHEL 8"),
        ("db", "RHEL 9"),
    ]


@given(st.text(alphabet='ab",\n\r', max_size=60))
def test_any_quotes_leave_the_last_good_line_readable(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    folder = tmp_path_factory.mktemp("quotes")
    found = read(folder, f"name,os\n{text}\nlast,RHEL 8\n".encode())
    assert found.machines[-1].name == "last" or any("quote" in trouble.message for trouble in found.troubles)


# JSON


def test_json_lines_are_read(tmp_path: Path) -> None:
    lines = [{"name": "web", "os": "RHEL 8", "tags": ["a"], "cpus": 4}, {"vm": "db", "guest os": None, "kernel": 5.4}]
    data = "\ufeff" + "\n\n".join(map(json.dumps, lines)) + '\n{"name": "bad"\n[1]\n{"name": true, "os": "RHEL 9"}\n'
    found = read(tmp_path, data.encode(), "list.jsonl")
    assert told(found) == [("web", "RHEL 8"), ("db", ""), ("True", "RHEL 9")]
    assert [str(trouble) for trouble in found.troubles] == [
        "line 4: is no JSON: column 15, expecting ',' delimiter",
        "line 5: is no JSON object",
    ]


def test_a_json_list_is_read(tmp_path: Path) -> None:
    data = json.dumps([{"name": "web", "os": "RHEL 8"}, 7], indent=2).encode("utf-16")
    found = read(tmp_path, data, "list.json")
    assert [(machine.name, machine.place) for machine in found.machines] == [("web", "item 1")]
    assert [str(trouble) for trouble in found.troubles] == ["item 2: is no JSON object"]


@pytest.mark.parametrize(
    ("data", "code", "words"),
    [
        (b'{\n  "name": "web"\n}\n', "no-list", "no line is a JSON object; line 1: is no JSON"),
        (b"[1, 2", "no-list", "is no JSON: line 1, column 6"),
        (b"[" * 100_000, "no-list", "is no JSON"),
        (b'{"a":' + b"[" * 100_000, "no-list", "no line is a JSON object"),
        (b'{"a": 1}\n', "no-headings", "line 1 has 'a'"),
        (b"[7]", "no-list", "no item is a JSON object"),
    ],
    ids=["one object over lines", "cut off", "deep", "deep line", "other keys", "no objects"],
)
def test_json_that_is_no_list_of_machines_is_refused(tmp_path: Path, data: bytes, code: str, words: str) -> None:
    refused = refusal(tmp_path, data, "list.json")
    assert refused.code == code
    assert words in refused.message


def test_a_json_list_that_is_too_large_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "MAX_JSON_LIST", 20)
    assert refusal(tmp_path, b"[\n" + b" " * 30 + b"\n]", "list.json").code == "inventory-too-large"


@pytest.mark.parametrize("value", ['{"name": "RHEL"}', '["RHEL"]', "NaN", "-Infinity"])
def test_a_value_that_is_no_text_is_told_where_it_counts(tmp_path: Path, value: str) -> None:
    data = f'{{"name": "web", "os": {value}, "tags": {value}}}\n{{"name": {value}, "os": "RHEL 8"}}\n'
    found = read(tmp_path, data.encode(), "list.jsonl")
    assert told(found) == [("web", "")]
    assert [(trouble.place, trouble.column, trouble.dropped) for trouble in found.troubles] == [
        ("line 1", "os", False), ("line 2", "name", True),
    ]  # fmt: skip


@pytest.mark.parametrize(("before", "place"), [("", "line 1"), ("[", "item 1")])
def test_a_key_that_stands_twice_is_told(tmp_path: Path, before: str, place: str) -> None:
    one = '{"os": "RHEL 8", "name": "web", "os": "RHEL 9", "tags": {"a": 1, "a": 2}}'
    found = read(tmp_path, f"{before}{one}{before and ']'}".encode(), "list.json")
    assert told(found) == [("web", "RHEL 9")]
    assert [str(trouble) for trouble in found.troubles] == [
        f"{place}, os: this key stands twice; the last of its values counts"
    ]


# What is no list


@pytest.mark.parametrize(
    ("data", "code", "words"),
    [
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 500, "no-workbook", "old kind (.xls), or one that is protected"),
        (b"%PDF-1.7", "no-workbook", "is a PDF"),
        (b"\x1f\x8b\x08\0", "no-workbook", "is packed with gzip"),
        (b"7z\xbc\xaf\x27\x1c", "no-workbook", "is packed with 7-Zip"),
        (b"n\0a\0m\0e\0", "no-list", "UTF-16 without a byte order mark"),
        (b"\x89PNG\r\n\x1a\n" + b"\0\0\0\rIHDR\0\1\2", "no-list", "is no text: "),
        (b"", "no-headings", "there is nothing in it"),
        (b"web\ndb\n", "no-headings", "line 1 has 'web'"),
        (b"name,os\n" + b"x" * texts.MAX_LINE, "no-list", "line 2 is longer than that of any list"),
    ],
    ids=["xls", "pdf", "gzip", "7z", "utf-16", "picture", "empty", "no headings", "long line"],
)
def test_another_file_is_refused_in_words(tmp_path: Path, data: bytes, code: str, words: str) -> None:
    refused = refusal(tmp_path, data, "list.xls")
    assert refused.code == code
    assert words in refused.message


def test_a_long_line_of_utf_16_is_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path, "x".encode("utf-16") * (texts.MAX_LINE + 1)).code == "no-list"


def test_a_file_that_is_too_large_is_refused_before_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inventory_files, "MAX_FILE", 5)
    assert refusal(tmp_path, b"name,os\n").code == "inventory-too-large"


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "none.csv", tmp_path):
        with pytest.raises(InputError) as refused:
            inventory_files.read([path])
        assert refused.value.code == "no-inventory"


# Pipes


@pytest.mark.skipif(sys.platform == "win32", reason="there is no name for a pipe of one's own")
@pytest.mark.parametrize("kind", ["csv", "xlsx", "empty"])
def test_a_pipe_is_read_to_its_end(tmp_path: Path, kind: str) -> None:
    many = [("name", "os"), *((f"vm{number}", "RHEL 8") for number in range(5000))]
    data = {"csv": csv_text(many).encode(), "xlsx": xlsx(many), "empty": b""}[kind]
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(data,))
    writer.start()
    try:
        if kind == "empty":
            with pytest.raises(InputError) as refused:
                inventory_files.read([pipe])
            assert "there is nothing in it" in refused.value.message
        else:
            assert told(inventory_files.read([pipe])) == many[1:]
    finally:
        writer.join()


@pytest.mark.skipif(sys.platform == "win32", reason="an open file has no name there")
def test_an_open_file_is_read_by_its_number(tmp_path: Path) -> None:
    ours, theirs = os.pipe()
    os.write(theirs, b"name,os\nweb,RHEL 8\n")
    os.close(theirs)
    try:
        assert told(inventory_files.read([Path(f"/dev/fd/{ours}")])) == [("web", "RHEL 8")]
    finally:
        os.close(ours)


@pytest.mark.skipif(sys.platform == "win32", reason="there is no such file")
def test_a_pipe_without_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inventory_files, "MAX_FILE", 5 << 20)
    with pytest.raises(InputError) as refused:
        inventory_files.read([Path("/dev/zero")])
    assert refused.value.code == "inventory-too-large"


# All together


def test_a_file_that_is_named_twice_is_read_once(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_bytes(b"name,os,template\nweb,RHEL 8,no\ngold,RHEL 8,yes\n,RHEL 8,no\n")
    again = tmp_path / "." / ".." / tmp_path.name / "list.csv"
    found = inventory_files.read([path, again, path])
    assert (len(found.machines), found.templates, found.dropped) == (1, 1, 1)
    assert [str(trouble) for trouble in found.troubles] == [
        "line 4, name: has no name", f"{again}: is the same file as {path}; read once",
        f"{path}: is named twice; read once",
    ]  # fmt: skip


def test_kernels_are_looked_at_with_the_system_in_mind(tmp_path: Path) -> None:
    data = b"name,os,kernel\nweb,Ubuntu 20.04,garbage\ndb,RHEL 8,garbage\napp,Ubuntu 20.04,vmlinuz-5.4.0-9-Generic\n"
    found = read(tmp_path, data)
    assert [machine.kernel for machine in found.machines] == [None, None, "5.4.0-9-generic"]
    assert [str(trouble) for trouble in found.troubles] == [
        "line 2, kernel: is no kernel as uname -r prints it; the machine is judged without one"
    ]


def test_several_files_are_one_inventory(tmp_path: Path) -> None:
    (tmp_path / "one.csv").write_bytes(b"name,os\nweb,RHEL 8\n")
    (tmp_path / "two.jsonl").write_bytes(b'{"name": "db", "os": "RHEL 9"}\n')
    one, two = tmp_path / "one.csv", tmp_path / "two.jsonl"
    found = inventory_files.read([one, two])
    assert [machine.place for machine in found.machines] == [f"{one}, line 2", f"{two}, line 1"]


def test_an_export_of_a_thousand_machines_is_read_whole(tmp_path: Path) -> None:
    rows = made_up(1000)
    found = read(tmp_path, csv_text((RVTOOLS, *rows), ";").encode("utf-8-sig"))
    assert found.troubles == ()
    assert len(found.machines) + found.templates + found.placeholders == 1000
    kept = [row for row in rows if "True" not in (row[2], row[3])]
    assert [machine.name for machine in found.machines] == [row[0] for row in kept]
