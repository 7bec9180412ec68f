from __future__ import annotations

import subprocess
import sys
from enum import StrEnum
from pathlib import Path
from typing import Final

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from repo_manager.core.catalog import strict_yaml
from repo_manager.core.errors import DocumentError
from repo_manager.core.names import Release

ROOT: Final = Path(__file__).parents[3]


class Colour(StrEnum):
    RED = "red"
    GREEN = "green"


def problems(root: strict_yaml.Mapping) -> list[tuple[int, int, str]]:
    """What was noted, as (line, column, message)."""
    try:
        root.raise_problems("invalid", "a.yaml", "mend it")
    except DocumentError as error:
        return [(problem.line, problem.column, problem.message) for problem in error.problems]
    return []


def test_a_sound_document_reads_without_a_problem() -> None:
    root = strict_yaml.read(
        "title: one\ncount: 3\nloud: true\ncolour: green\nsince: '9.50'\nlist: [a, b]\n"
        "inner: {depth: 2}\nrows:\n  - {name: x}\n  - {name: y}\n"
    )
    assert root.text("title") == "one"
    assert root.integer("count") == 3
    assert root.flag("loud") is True
    assert root.choice("colour", Colour) is Colour.GREEN
    assert root.release("since") == Release(9, 50)
    assert root.texts("list") == ("a", "b")
    assert root.mapping("inner").integer("depth") == 2
    assert [row.text("name") for row in root.mappings("rows")] == ["x", "y"]
    assert (root.line("count"), root.column("count")) == (2, 1)
    root.finish()
    assert problems(root) == []


def test_an_optional_key_that_is_absent_gives_its_default() -> None:
    root = strict_yaml.read("other: 1\n")
    assert root.text("title", "none") == "none"
    assert root.integer("count", 7) == 7
    assert root.flag("loud", True) is True
    assert root.texts("list", ("a",)) == ("a",)
    assert root.choice("colour", Colour, Colour.GREEN) is Colour.GREEN
    assert list(root.mapping("inner", required=False)) == []
    assert root.mappings("rows", required=False) == ()
    assert "title" not in root
    assert (root.line("title"), root.column("title")) == (0, 0)
    assert problems(root) == []


@pytest.mark.parametrize(
    ("text", "expected", "reason"),
    [
        ("since: 9.50", "expected text, found the number 9.50; write it in quotes: '9.50'", "the zero would be lost"),
        ("since: 9", "expected text, found the number 9; write it in quotes: '9'", "a whole number is no text"),
        ("since: 0x1F", "expected text, found the number 0x1F; write it in quotes: '0x1F'", "hexadecimal"),
        ("since: 1e3", "expected text, found the number 1e3; write it in quotes: '1e3'", "exponent"),
        ("since: 1:30", "expected text, found the number 1:30; write it in quotes: '1:30'", "base sixty"),
        ("since: .inf", "expected text, found the number .inf; write it in quotes: '.inf'", "infinity"),
        ("since: no", "expected text, found no, which YAML takes for a yes or no; write it in quotes: 'no'", "no"),
        (
            "since: 2025-10-01",
            "expected text, found '2025-10-01', which YAML takes for a date; write it in quotes: '2025-10-01'",
            "a date",
        ),
        ("since: ~", "expected text, found nothing; write it in quotes: '~'", "a null"),
        ("since:", "expected text, found nothing", "no value"),
        ("since: ''", "since: expected text, found nothing", "an empty text"),
        ("since: [a]", "since: expected text, found a list", "a list"),
        ("since: {a: b}", "since: expected text, found keys with values", "a mapping"),
        ("since: '='", "since: '=' is not a release; write two numbers with a dot, such as 9.66", "quoted"),
        ("since: =", "expected text, found '=', which means something else to YAML; write it in quotes: '='", "value"),
    ],
)
def test_a_value_that_is_not_the_text_wanted_is_explained(text: str, expected: str, reason: str) -> None:
    root = strict_yaml.read(text)
    root.release("since")
    assert [message for _, _, message in problems(root)] == [expected], reason


@pytest.mark.parametrize("text", ["9.66.7567.1", "UBUNTU-16.04-64", "https://a/b", "n-4", "on-call", "None of them"])
def test_an_unquoted_text_that_yaml_leaves_alone_is_text(text: str) -> None:
    root = strict_yaml.read(f"a: {text}")
    assert root.text("a") == text
    assert problems(root) == []


def test_every_mistake_is_reported_in_the_order_of_the_text() -> None:
    root = strict_yaml.read(
        "colour: gren\ncount: many\nbig: 99\nloud: yes\nlist: a\nrows: [1]\nmore: 5\ninner: []\ntitel: x\n"
    )
    root.text("title")
    root.integer("count")
    root.integer("big", most=10)
    root.flag("loud")
    root.texts("list")
    root.mappings("rows")
    root.mappings("more")
    root.mapping("inner")
    root.choice("colour", Colour)
    root.finish()
    assert problems(root) == [
        (1, 1, "the key 'title' is missing"),
        (1, 9, "colour: 'gren' is not one of red, green; did you mean 'green'?"),
        (2, 8, "count: expected a whole number, found the text 'many'"),
        (3, 6, "big: expected a whole number from 0 to 10, found 99"),
        (4, 7, "loud: expected true or false, found yes, which YAML takes for a yes or no"),
        (5, 7, "list: expected a list of texts, found the text 'a'"),
        (6, 8, "rows: expected keys with values, found the number 1"),
        (7, 7, "more: expected a list, found the number 5"),
        (8, 8, "inner: expected keys with values, found a list"),
        (9, 1, "unknown key 'titel'; did you mean 'title'?"),
    ]


@pytest.mark.parametrize(
    ("text", "line", "column", "part", "reason"),
    [
        ("a: 1\nb: 2\na: 3", 3, 1, "the key 'a' is already on line 1", "duplicate key"),
        ("a: &x 1", 1, 4, "the anchor &x is not allowed", "anchor"),
        ("a: &x [1]\nb: *x", 2, 4, "the alias *x is not allowed", "alias"),
        ("a: {<<: {b: 1}}\n<<: {c: 1}", 2, 1, "unknown key '<<'", "merge key"),
        ("a: !!python/object:os.system 1", 1, 4, "the tag tag:yaml.org,2002:python/object:os.system", "object tag"),
        ("a: !!str 1", 1, 4, "the tag tag:yaml.org,2002:str is not allowed", "plain tag"),
        ("a: !x {b: 1}", 1, 4, "the tag !x is not allowed", "tag on a mapping"),
        ("a: 1\n---\nb: 2", 2, 1, "a second document begins here", "several documents"),
        ("? [a, b]\n: 1", 1, 3, "a key must be text", "a list for a key"),
        ("? {a: b}\n: 1", 1, 3, "a key must be text", "a mapping for a key"),
        ("a: [1, 2\n", 2, 1, "not YAML: ", "a list left open"),
        ("a: b: c", 1, 5, "not YAML: ", "two colons"),
        ("\ta: 1", 1, 1, "not YAML: ", "a tab for indentation"),
        ("a: 'x\n", 2, 1, "not YAML: ", "a quote left open"),
        ("", 1, 1, "the document is empty", "nothing"),
        ("# only a comment\n", 1, 1, "the document is empty", "a comment"),
        ("- a\n- b", 1, 1, "expected keys with values, found a list", "a list at the top"),
        ("just words", 1, 1, "expected keys with values, found the text 'just words'", "a text at the top"),
        ("a: 1\nb: \x07", 2, 4, "the character U+0007 is not allowed", "a control character"),
        ("a: x\x85b", 1, 5, "the character U+0085 is not allowed", "a line end that only YAML sees"),
        ("a: x\u202eb", 1, 5, "the character U+202E is not allowed", "a mark that turns the reading direction"),
        ("a: \ud800", 1, 4, "the character U+D800 is not allowed", "half a surrogate pair"),
        ("a: x\ufeff", 1, 5, "the character U+FEFF is not allowed", "a byte order mark inside"),
        ("[" * 100_000, 1, 25, "nested more than 24 deep", "a list in a list in a list"),
        ("{a: " * 100_000, 1, 97, "nested more than 24 deep", "a mapping in a mapping"),
        ("{" * 5_000, 1, 25, "nested more than 24 deep", "a mapping as a key, where parsers have limits of their own"),
        ("b: 1\na:\n  " + "[" * 5_000, 3, 26, "nested more than 24 deep", "a list below a key"),
        ("a: [['[[[', " + "[" * 5_000, 1, 34, "nested more than 24 deep", "brackets in quotes do not count"),
        ("[[]," + "[" * 5_000, 1, 28, "nested more than 24 deep", "closed brackets do not count"),
        ("[" * 1_001 + "'" + "x" * 2_000 + "'", 1, 25, "nested more than 24 deep", "a long text in the depth"),
        ("[" * 30 + "@", 1, 25, "nested more than 24 deep", "another mistake after it"),
        ("a: " + "x" * (4 * 1024 * 1024), 1, 1, "longer than 4194304 characters", "too long"),
    ],
)
def test_a_hostile_or_broken_document_is_refused_with_its_place(
    text: str, line: int, column: int, part: str, reason: str
) -> None:
    root = strict_yaml.read(text)
    root.mapping("a", required=False)
    root.finish()
    found = [problem for problem in problems(root) if part in problem[2]]
    assert [(line, column)] == [(at, beside) for at, beside, _ in found], (reason, problems(root))


def test_both_parsers_of_pyyaml_report_deep_nesting_at_the_same_place() -> None:
    script = (
        "import yaml; vars(yaml).pop(NAME, None); from repo_manager.core.catalog import strict_yaml\n"
        "for text in ('[' * 100_000, 'a: {' * 30, 'a: ' + '[' * 2_000):\n"
        "    try: strict_yaml.read(text).raise_problems('x', 'x', 'x')\n"
        "    except strict_yaml.DocumentError as error: print(*error.problems)\n"
    )
    lines = [f"line 1, column {column}: nested more than 24 deep" for column in (25, 96, 27)]
    for name in ("CSafeLoader", "none of that name"):
        command = [sys.executable, "-c", script.replace("NAME", repr(name))]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, encoding="ascii", check=True)
        assert done.stdout.splitlines() == lines, name


def test_an_alias_bomb_is_refused_without_growing() -> None:
    lines = ["a0: &a0 [x, x]"] + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 30)]
    root = strict_yaml.read("\n".join(lines))
    for key in root:
        root.texts(key)
    found = problems(root)
    assert len(found) == strict_yaml.MAX_PROBLEMS + 1
    assert found[-1][2] == f"and {30 + 29 * 9 - strict_yaml.MAX_PROBLEMS} more mistakes after this one"


def test_a_choice_that_is_no_text_is_reported_once() -> None:
    root = strict_yaml.read("colour: no")
    assert root.choice("colour", Colour) is Colour.RED
    assert len(problems(root)) == 1


def test_the_first_of_two_equal_keys_counts() -> None:
    assert strict_yaml.read("a: one\na: two").text("a") == "one"


def test_the_keys_of_a_data_mapping_must_be_text_too() -> None:
    root = strict_yaml.read("releases:\n  9.50: x\n  '9.51': y\n")
    releases = root.mapping("releases")
    assert list(releases) == ["9.50", "9.51"]
    releases.problem_at_key("9.51", "is too new")
    releases.finish()
    assert problems(root) == [
        (2, 3, "expected text, found the number 9.50; write it in quotes: '9.50'"),
        (3, 3, "is too new"),
    ]


def test_an_absent_mapping_is_silent_below_the_place_where_it_was_missed() -> None:
    root = strict_yaml.read("a: 1")
    inner = root.mapping("inner")
    assert (inner.text("x"), inner.integer("y"), inner.flag("z"), inner.texts("l")) == ("", 0, False, ())
    assert (inner.release("r"), inner.choice("c", Colour), list(inner)) == (Release(0, 0), Colour.RED, [])
    inner.problem("x", "never seen")
    inner.problem_at_key("x", "never seen")
    inner.finish()
    assert [message for _, _, message in problems(root)] == ["the key 'inner' is missing"]


def test_a_problem_can_point_at_one_item_of_a_list() -> None:
    root = strict_yaml.read("list: [a, b,\n  c]")
    root.problem("list", "the third", 2)
    root.problem("list", "the list", 9)
    assert problems(root) == [(1, 7, "the list"), (2, 3, "the third")]


def test_what_a_key_holds_can_be_asked_without_a_problem() -> None:
    root = strict_yaml.read("a: x\nb: {c: d}")
    assert [root.is_mapping(key) for key in ("a", "b", "absent")] == [False, True, False]
    root.finish()
    assert problems(root) == []


@pytest.mark.parametrize(("text", "start"), [("\ufeffa: b", 1), ("\r\na: b", 2), ("\n\na: b\n", 3)])
def test_byte_order_marks_and_any_line_end_are_fine(text: str, start: int) -> None:
    root = strict_yaml.read(text)
    assert root.text("a") == "b"
    assert root.line("a") == start
    assert problems(root) == []


def test_bytes_that_are_not_utf_8_are_refused_with_their_place() -> None:
    with pytest.raises(DocumentError) as caught:
        strict_yaml.decode("a: é\r\nb: ".encode() + b"\xe9t\xe9", "a.yaml")
    assert [str(problem) for problem in caught.value.problems] == ["line 2, column 4: byte 0xe9 is not UTF-8 text"]
    assert caught.value.hint == "save the file as UTF-8"


def test_bytes_lose_their_byte_order_mark() -> None:
    assert strict_yaml.decode(b"\xef\xbb\xbfa: b", "a.yaml") == "a: b"


@pytest.mark.parametrize(
    ("text", "expected"), [("RHEL9_64", "RHEL9-64"), ("rhel9-64", "RHEL9-64"), ("zzz", None), ("", None)]
)
def test_the_nearest_name_is_found_in_any_case_or_not_at_all(text: str, expected: str | None) -> None:
    assert strict_yaml.nearest(text, ["RHEL9-64", "OL9-64"]) == expected


@given(st.text(max_size=200))
@example("a: *x")
@example("%TAG ! tag:x,2000:\n---\na: 1")
@example("? ")
@example("- - - -")
@example("!<tag:x> a: 1")
def test_any_text_is_an_answer_or_a_list_of_problems(text: str) -> None:
    root = strict_yaml.read(text)
    for key in root:
        root.text(key)
    root.finish()
    for line, column, message in problems(root):
        assert line >= 1
        assert column >= 1
        assert message


@given(
    st.dictionaries(
        st.from_regex(r"[a-z]{1,8}", fullmatch=True),
        st.text(st.characters(codec="ascii", categories=("L", "N", "P", "Zs")), min_size=1).filter(str.strip),
    )
)
def test_quoted_texts_come_back_as_they_were(values: dict[str, str]) -> None:
    text = "".join(f"'{key}': '{value.replace(chr(39), chr(39) * 2)}'\n" for key, value in values.items())
    root = strict_yaml.read(text or "{}")
    assert {key: root.text(key) for key in root} == values
    assert problems(root) == []
