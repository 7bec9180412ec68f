"""The schemas of the documents: right by themselves, held against the examples, and linked."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Final

import jsonschema
import pytest
from assessment_world import audited, compared, hostile, judged
from json_schemas import ALL, SHOWN_ELSEWHERE, check, published, schema

from repo_manager.report import documents

PAGE: Final = (Path(__file__).parents[2] / "docs" / "reference" / "json.md").read_text(encoding="utf-8")
EXAMPLES: Final = [json.loads(block) for block in re.findall(r"^```json\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)]


@pytest.mark.parametrize("name", ALL)
def test_a_schema_is_one(name: str) -> None:
    found = schema(name)
    assert found["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    jsonschema.Draft202012Validator.check_schema(found)


@pytest.mark.parametrize("name", ALL)
def test_a_schema_says_which_document_it_is_of(name: str) -> None:
    """Its identity never changes."""
    what, edition = name.rsplit("-", 1)
    found = schema(name)
    assert found["$id"] == f"urn:repo-manager:{what}:{edition}"
    assert found["properties"]["schema"] == {"const": f"repo-manager/{what}/{edition}"}


@pytest.mark.parametrize("name", ALL)
def test_the_page_links_every_schema(name: str) -> None:
    assert f"(schemas/{name}.json)" in PAGE


@pytest.mark.parametrize(
    "example", [example for example in EXAMPLES if published(example)], ids=lambda example: example["schema"]
)
def test_the_examples_fit(example: dict[str, Any]) -> None:
    check(example)


def test_every_schema_has_an_example() -> None:
    shown = {"-".join(example["schema"].split("/")[1:]) for example in EXAMPLES}
    assert set(ALL) - shown == SHOWN_ELSEWHERE


@pytest.mark.parametrize(
    "assessed",
    [audited(), audited(tidy=True), judged(200), compared(judged(50)), hostile()],
    ids=["folder", "tidy", "machines", "compared", "hostile"],
)
def test_audits_of_all_kinds_fit(assessed: Any) -> None:  # noqa: ANN401 - an assessment
    check(json.loads(json.dumps(documents.audit(assessed))))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"release": "9"}, "a release has two numbers"),
        ({"packages": [{"package": "x"}]}, "a package has more to it"),
        ({"surprise": 1}, "a key that the schema does not describe"),
        ({"at": "yesterday"}, "no moment"),
    ],
)
def test_a_document_that_does_not_fit_is_noticed(change: dict[str, Any], reason: str) -> None:
    del reason
    with pytest.raises(jsonschema.ValidationError):
        check({**documents.audit(audited()), **change})
