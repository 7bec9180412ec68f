from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repo_manager.report import text


@pytest.mark.parametrize(
    ("raw", "printed"),
    [
        ("plain (1).txt", "plain (1).txt"),
        ("caf\u00e9", "caf\u00e9"),
        ("a\nb\tc", "a\\nb\\tc"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("\u202etxt.exe", "\\u202etxt.exe"),
        ("\udcff", "\\udcff"),
        ("", ""),
    ],
    ids=["plain", "letters of people", "line break", "escape sequence", "right-to-left", "surrogate", "empty"],
)
def test_a_text_is_made_safe_to_print(raw: str, printed: str) -> None:
    assert text.safe(raw) == printed


@given(st.text(st.characters(exclude_categories=())))
def test_what_is_safe_is_one_line_and_can_be_encoded(raw: str) -> None:
    printed = text.safe(raw)
    assert len(printed.splitlines()) <= 1
    assert printed.isprintable()
    assert text.safe(printed) == printed
    printed.encode("utf-8")


@pytest.mark.parametrize(
    ("size_bytes", "printed"),
    [
        (None, "-"),
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 KB"),
        (115_643_359, "115.6 MB"),
        (2_500_000_000, "2.5 GB"),
        (3 * 10**15, "3000.0 TB"),
    ],
)
def test_sizes_are_said_in_the_unit_that_fits(size_bytes: int | None, printed: str) -> None:
    assert text.size(size_bytes) == printed


@pytest.mark.parametrize(
    ("then", "printed"),
    [
        (date(2026, 1, 1), "0 d"),
        (date(2026, 2, 1), "0 d"),
        (date(2025, 11, 3), "59 d"),
        (date(2025, 11, 2), "2 mon"),
        (date(2024, 1, 3), "24 mon"),
        (date(2024, 1, 2), "2 y"),
    ],
    ids=["today", "tomorrow", "59 days", "60 days", "729 days", "730 days"],
)
def test_ages_are_said_in_the_unit_that_fits(then: date, printed: str) -> None:
    assert text.age(then, date(2026, 1, 1)) == printed


def test_a_table_is_as_wide_as_its_cells_and_has_no_trailing_space() -> None:
    printed = text.table(("NAME", "SIZE", "NOTE"), [("a", "10 B", ""), ("long\n", "5 B", "x")], right=(1,))
    assert printed.splitlines() == ["NAME    SIZE  NOTE", "a       10 B", "long\\n   5 B  x"]


def test_a_paragraph_is_wrapped_between_words_only() -> None:
    printed = text.paragraph("one two-three four " + "x" * 30, 12, first="- ", rest="  ")
    assert printed.splitlines() == ["- one", "  two-three", "  four", "  " + "x" * 30]


@pytest.mark.parametrize(("count", "printed"), [(0, "0 files"), (1, "1 file"), (2, "2 files")])
def test_words_follow_their_number(count: int, printed: str) -> None:
    assert text.plural(count, "file") == printed
