"""Maintenance windows: text and value, and how long until one is open."""

from __future__ import annotations

from datetime import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repo_manager.core.errors import InputError
from repo_manager.core.maintenance_window import Window, opens_in, parse

HOUR = 3600
MINUTES = st.integers(0, 24 * 60 - 1)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("22:00-05:00", "22:00-05:00"),
        ("02:30-04:00", "02:30-04:00"),
        ("9:00-17:00", "09:00-17:00"),
        (" 00:00-06:00 ", "00:00-06:00"),
        ("18:00-24:00", "18:00-24:00"),
        ("24:00-06:00", "00:00-06:00"),
    ],
    ids=["passes midnight", "within a day", "one digit", "spaces around", "ends with the day", "begins with the day"],
)
def test_a_window_is_parsed_and_prints_back(text: str, shown: str) -> None:
    assert str(parse(text)) == shown


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "is not of the form"),
        ("22:00", "is not of the form"),
        ("22-5", "is not of the form"),
        ("22:00 - 05:00", "is not of the form"),
        ("22:00-05:00,12:00-13:00", "is not of the form"),
        ("\u0662\u0662:00-05:00", "is not of the form"),
        ("25:00-05:00", "25:00 is no time of the day"),
        ("22:60-05:00", "22:60 is no time of the day"),
        ("22:00-24:01", "24:01 is no time of the day"),
        ("05:00-05:00", "opens and closes at the same time"),
    ],
)
def test_what_is_no_window_is_refused_with_the_reason(text: str, why: str) -> None:
    with pytest.raises(InputError) as caught:
        parse(text)
    assert caught.value.code == "bad-window"
    assert why in caught.value.message


@pytest.mark.parametrize(
    ("window", "now", "expected"),
    [
        ("22:00-05:00", time(21, 59, 59), 1),
        ("22:00-05:00", time(22, 0), 0),
        ("22:00-05:00", time(23, 59, 59), 0),
        ("22:00-05:00", time(0, 0), 0),
        ("22:00-05:00", time(4, 59, 59), 0),
        ("22:00-05:00", time(5, 0), 17 * HOUR),
        ("02:00-04:00", time(1, 0), HOUR),
        ("02:00-04:00", time(3, 0), 0),
        ("02:00-04:00", time(4, 0), 22 * HOUR),
        ("18:00-24:00", time(23, 59, 59), 0),
        ("18:00-24:00", time(0, 0), 18 * HOUR),
    ],
)
def test_how_long_until_it_is_open(window: str, now: time, expected: int) -> None:
    assert opens_in([parse(window)], now) == expected


def test_of_several_the_next_one_counts_and_without_any_it_is_always_open() -> None:
    both = [parse("02:00-03:00"), parse("12:00-13:00")]
    assert opens_in(both, time(11, 0)) == HOUR
    assert opens_in(both, time(13, 0)) == 13 * HOUR
    assert opens_in([], time(11, 0)) == 0


@given(MINUTES, MINUTES.map(lambda minute: minute + 1))
def test_text_and_value_are_the_same(opens: int, closes: int) -> None:
    if opens != closes:
        assert parse(str(Window(opens, closes))) == Window(opens, closes)


@given(MINUTES, MINUTES.map(lambda minute: minute + 1), st.integers(0, 24 * HOUR - 1))
def test_after_the_wait_it_is_open_and_a_moment_before_it_is_not(opens: int, closes: int, second: int) -> None:
    if opens == closes:
        return
    window = Window(opens, closes)
    wait = window.opens_in(second)
    assert 0 <= wait < 24 * HOUR
    assert window.opens_in((second + wait) % (24 * HOUR)) == 0
    if wait:
        assert window.opens_in((second + wait - 1) % (24 * HOUR)) == 1
