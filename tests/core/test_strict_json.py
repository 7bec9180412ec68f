"""JSON from outside is read so that every reader sees the same document."""

from __future__ import annotations

import pytest

from repo_manager.core.strict_json import MalformedJsonError, loads, loads_repeated


@pytest.mark.parametrize(
    ("text", "repeated"),
    [
        ('{"a": 1, "a": 1}', "a"),
        ('[{"b": {"x": 1, "y": 2, "x": 3}}]', "x"),
        ('{"b": 1, "a": 1, "b": 2, "a": 2}', "a"),
        ('{"a": 1, "\\u0061": 2}', "a"),
    ],
)
def test_a_repeated_key_is_refused_and_named(text: str, repeated: str) -> None:
    with pytest.raises(MalformedJsonError, match=f"'{repeated}' is repeated") as caught:
        loads(text.encode())
    assert caught.value.repeated == repeated


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"{", "cut off"),
        (b'{"a": NaN}', "a constant that JSON does not have"),
        (b"-Infinity", "another one"),
        (b'"\xff"', "bytes that are not UTF-8"),
        (b"\xff\xfe[\x00]\x00", "UTF-16"),
        (b"[" * 200_000, "too many levels"),
    ],
)
def test_malformed_json_is_one_kind_of_error(data: bytes, reason: str) -> None:
    with pytest.raises(MalformedJsonError, match="it is not JSON in UTF-8") as caught:
        loads(data)
    assert caught.value.repeated == "", reason


def test_values_are_plain_json_values() -> None:
    assert loads(b'{"a": [1, {"b": null}], "c": {}}') == {"a": [1, {"b": None}], "c": {}}


def test_a_lenient_reader_keeps_the_last_value_and_names_the_repeated_keys() -> None:
    found = loads_repeated('{"b": 1, "a": 2, "b": 3, "a": NaN, "c": {}}', "no number")
    assert found == {"b": 3, "a": "no number", "c": {}}
    assert (found.repeated, found["c"].repeated) == (("a", "b"), ())
