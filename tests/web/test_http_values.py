"""What headers ask for."""

from __future__ import annotations

import pytest

from repo_manager.web.http_values import UNSATISFIABLE, Span, Validators, asked_span, not_modified, range_holds

STATE = Validators('"18ea-64"', 1_700_000_000)
DATE = "Tue, 14 Nov 2023 22:13:20 GMT"


@pytest.mark.parametrize(
    ("header", "expected", "why"),
    [
        (None, None, "nothing is asked for"),
        ("", None, "nothing is asked for"),
        ("bytes=0-9", Span(0, 10), "the first ten"),
        ("bytes=90-", Span(90, 100), "the rest"),
        ("bytes=90-500", Span(90, 100), "no more than there is"),
        ("bytes=99-99", Span(99, 100), "the last one"),
        ("bytes=-10", Span(90, 100), "the last ten"),
        ("bytes=-500", Span(0, 100), "the last ones, and there are fewer"),
        (" bytes=0-9 ", Span(0, 10), "spaces around"),
        ("bytes=100-", UNSATISFIABLE, "behind the end"),
        ("bytes=100-200", UNSATISFIABLE, "behind the end"),
        ("bytes=-0", UNSATISFIABLE, "the last none"),
        ("bytes=9-0", None, "backwards: no range at all"),
        ("bytes=-", None, "no range at all"),
        ("bytes=0-9,20-29", None, "several: the whole is sent"),
        ("bytes=a-b", None, "no numbers"),
        ("bytes=0 - 9", None, "spaces inside"),
        ("items=0-9", None, "another unit"),
        ("bytes=" + "9" * 20 + "-", None, "more digits than any file needs"),
    ],
)
def test_a_range_is_understood_or_the_whole_is_sent(header: str | None, expected: Span | None, why: str) -> None:
    assert asked_span(header, 100) == expected, why


def test_an_empty_file_has_no_range() -> None:
    assert asked_span("bytes=0-", 0) == UNSATISFIABLE
    assert asked_span("bytes=-5", 0) == UNSATISFIABLE


@pytest.mark.parametrize(
    ("tag", "since", "expected", "why"),
    [
        (None, None, False, "nothing is known"),
        ('"18ea-64"', None, True, "the same"),
        ('W/"18ea-64"', None, True, "the same, said weakly"),
        ('"a", "18ea-64"', None, True, "one of several"),
        ("*", None, True, "any"),
        ('"18ea-65"', None, False, "another"),
        ("18ea-64", None, False, "not in quotes: no tag"),
        ('"18ea-65"', DATE, False, "a tag beats a date"),
        (None, DATE, True, "not changed since"),
        (None, "Tue, 14 Nov 2023 22:13:19 GMT", False, "changed a second later"),
        (None, "yesterday", False, "no date"),
        (None, "Tue, 14 Nov 99999 22:13:20 GMT", False, "no date that a calendar has"),
        (None, "", False, "nothing"),
    ],
)
def test_what_a_client_has_is_not_sent_again(tag: str | None, since: str | None, expected: bool, why: str) -> None:  # noqa: FBT001 - a row
    assert not_modified(STATE, if_none_match=tag, if_modified_since=since) is expected, why


@pytest.mark.parametrize(
    ("header", "expected", "why"),
    [
        (None, True, "no condition"),
        ('"18ea-64"', True, "the same"),
        (DATE, True, "the same time"),
        ('"18ea-65"', False, "another state: the whole is sent"),
        ('W/"18ea-64"', False, "a weak tag is not enough for pieces"),
        ("Tue, 14 Nov 2023 22:13:21 GMT", False, "another time"),
    ],
)
def test_a_piece_is_sent_to_those_alone_who_have_pieces_of_the_same(
    header: str | None,
    expected: bool,  # noqa: FBT001 - a row
    why: str,
) -> None:
    assert range_holds(STATE, header) is expected, why


def test_a_date_is_written_as_headers_have_it() -> None:
    assert STATE.date == DATE
