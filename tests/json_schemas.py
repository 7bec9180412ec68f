"""The published schemas, and documents held against them."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any, Final

import jsonschema

FOLDER: Final = Path(__file__).parents[1] / "docs" / "reference" / "schemas"
NAMES: Final = tuple(sorted(path.stem for path in FOLDER.glob("*.json")))


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
    validator = jsonschema.Draft202012Validator
    validator(strict(schema(f"{what}-{edition}")), format_checker=validator.FORMAT_CHECKER).validate(document)


def published(document: dict[str, Any]) -> bool:
    """Whether there is a schema for it."""
    return "-".join(document["schema"].split("/")[1:]) in NAMES
