"""JSON from outside. Readers that keep different values of a repeated key would read different documents."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any


class MalformedJsonError(ValueError):
    """It is not JSON in UTF-8, or an object has the key `repeated` more than once."""

    def __init__(self, repeated: str = "") -> None:
        self.repeated = repeated
        super().__init__(f"the key {repeated[:40]!r} is repeated" if repeated else "it is not JSON in UTF-8")


class Object(dict[str, Any]):
    """A JSON object with the last value of each key. `repeated` has the keys that are written more than once."""

    __slots__ = ("repeated",)

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        self.repeated: tuple[str, ...] = ()
        if len(self) < len(pairs):
            self.repeated = tuple(sorted(key for key, count in Counter(key for key, _ in pairs).items() if count > 1))


def loads(data: bytes) -> Any:  # noqa: ANN401 - any JSON
    """Decode JSON in which every object has each key once.

    Raises:
        MalformedJsonError: it is not such JSON, has a constant such as NaN, or is nested too deeply.
    """
    try:
        return json.loads(data.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_refused)
    except MalformedJsonError:
        raise
    except (ValueError, RecursionError) as error:
        raise MalformedJsonError from error


def loads_repeated(text: str, constant: object) -> Any:  # noqa: ANN401 - any JSON
    """Decode JSON that may repeat keys, each object as an `Object`. NaN and Infinity are not JSON: read as `constant`.

    Raises:
        ValueError: it is not JSON.
        RecursionError: it is nested too deeply.
    """
    return json.loads(text, object_pairs_hook=Object, parse_constant=lambda _: constant)


def _unique(pairs: list[tuple[str, Any]]) -> Object:
    found = Object(pairs)
    if found.repeated:
        raise MalformedJsonError(found.repeated[0])
    return found


def _refused(_: str) -> object:
    raise MalformedJsonError
