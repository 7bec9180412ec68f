"""The published schemas, and documents held against them."""

from __future__ import annotations

import copy
import json
import re
from functools import cache
from pathlib import Path
from typing import Any, Final

import jsonschema
from referencing import Registry, Resource

FOLDER: Final = Path(__file__).parents[2] / "docs" / "reference" / "schemas"
ALL: Final = tuple(sorted(path.stem for path in FOLDER.glob("*.json")))
SHOWN_ELSEWHERE: Final = frozenset(
    {
        # Lines of what goes on, and what is printed on Windows alone.
        *("watch-1", "watch-install-1", "watch-remove-1"),
        # Of the server; http.md shows them.
        *("serve-1", "serve-token-1", "serve-tokens-1", "report-1", "received-1", "reports-1"),
    }
)
"""Those without an example that can be run in a moment, on any system."""


def schema(name: str) -> dict[str, Any]:
    """A schema by its file's name, such as `audit-1`."""
    found: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text(encoding="ascii"))
    return found


def strict(found: dict[str, Any]) -> dict[str, Any]:
    """The schema, but no key that it does not describe may be there. Editions may add keys, and then must say so."""
    found = copy.deepcopy(found)
    waiting: list[Any] = [found]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            if "properties" in part and "type" in part:
                part["additionalProperties"] = False
            waiting += part.values()
        elif isinstance(part, list):
            waiting += part
    return found


def check(document: dict[str, Any]) -> None:
    """Hold a document against the schema that its own `schema` names.

    Raises:
        jsonschema.ValidationError: it does not fit, or has a key that is not described.
    """
    _, what, edition = document["schema"].split("/")
    _validator(f"{what}-{edition}").validate(document)


def check_printed(text: str) -> None:
    """Hold every document in what a command printed against its schema. Other formats are left alone.

    Raises:
        jsonschema.ValidationError: one does not fit, or has a key that is not described.
    """
    end = 0
    while begin := _BEGIN.match(text, end):
        document, end = json.JSONDecoder().raw_decode(text, begin.end())
        check(document)
    assert not end or not text[end:].strip(), "beside documents nothing is printed"


_BEGIN: Final = re.compile(r'\s*(?=\{\s*"schema":)')


def published(document: dict[str, Any]) -> bool:
    """Whether there is a schema for it."""
    return "-".join(document["schema"].split("/")[1:]) in ALL


@cache
def _validator(name: str) -> jsonschema.Draft202012Validator:
    kind = jsonschema.Draft202012Validator
    return kind(strict(schema(name)), registry=_registry(), format_checker=kind.FORMAT_CHECKER)


@cache
def _registry() -> Registry[Any]:
    """All of them by identity: some documents hold others."""
    everything = map(strict, map(schema, ALL))
    return Registry[Any]().with_resources((found["$id"], Resource.from_contents(found)) for found in everything)
