"""The table of commands in a catalog: what a row is for, and every mistake with its place."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import jsonschema
import pytest
import yaml
from catalog_documents import with_value
from simulator import GUIDES, REAL, guides_of

from repo_manager.core import catalog, install_guide
from repo_manager.core.errors import DocumentError
from repo_manager.core.names import Release, Token
from repo_manager.core.systems.support import Family

ROOT = Path(__file__).parents[3]
SCHEMA = json.loads((ROOT / "docs" / "reference" / "catalog.schema.json").read_text(encoding="utf-8"))
TABLE: Final[dict[str, Any]] = {
    "modernized_assumed_since": "9.60",
    "families": {
        "Windows": {"install_dir": "C:\\Agent", "logs": ["C:\\log.txt"]},
        "Linux": {"install_dir": "/agent", "below": {"tool": "bin/tool"}},
    },
    "words": [
        {"releases": "- 9.50", "agent": "OLD", "master_target": "OLDER", "others": {"also": "A", "more": "B"}},
        {
            "agent": "NEW",
            "master_target": "NEWER",
            "others": {"also": "A"},
            "remark": "or A",
            "evidence": ["whats-new"],
        },
    ],
    "steps": [
        {"action": "unpack", "title": "Unpack", "commands": ["unpack {file_name}"], "evidence": ["whats-new"]},
        {
            "action": "install",
            "family": "Linux",
            "experience": "classic",
            "releases": "9.40 - 9.54",
            "title": "Install",
            "commands": ["{tool} {role} {platform} {address}"],
        },
        {"action": "install", "title": "Install", "commands": ["install {role} {also}"], "remark": "in {install_dir}"},
        {"action": "unpack", "title": "Never", "commands": ["never"]},
    ],
    "parameters": [
        {"action": "install", "flag": "-r", "releases": "9.55 -", "required": True, "meaning": "new"},
        {"action": "install", "flag": "-r", "required": False, "meaning": "{role}", "values": ["{role}", "x"]},
        {"action": "unpack", "flag": "-r", "required": False, "meaning": "other action"},
    ],
    "notes": [
        {"text": "always"},
        {"text": "modernized", "experience": "modernized", "evidence": ["whats-new"]},
        {"text": "one", "releases": "9.55 - 9.55"},
    ],
}


LINK: Final = "https://download.example/Microsoft-ASR_UA_9.70.0.0_Windows_GA_01Mar2027_release.exe"


def document(table: object) -> dict[str, Any]:
    return {
        "schema": 2,
        "hosts": ["download.example"],
        "support_window": 4,
        "vulnerable_below": "9.49.6395.1",
        "sources": {"whats-new": "a page"},
        "systems": {"Windows": {"family": "Windows", "settled_by": "winver"}},
        "packages": {"Windows": {"extension": ".exe", "serves": [{"system": "Windows", "versions": "2022"}]}},
        "releases": {"9.70": {"for_classic": "yes", "links": {"Windows": LINK}}},
        "guides": table,
    }


def changed(*path_and_value: object) -> dict[str, Any]:
    """The catalog with one value of the table put at a path; a value of `...` takes the key away."""
    return document(with_value(TABLE, *path_and_value))


@pytest.fixture(scope="module")
def table() -> install_guide.Guides:
    text = yaml.safe_dump(document(TABLE), sort_keys=False)
    assert catalog.parse(text).modernized_assumed_since == Release(9, 60)
    return guides_of(text)


def commands(
    table: install_guide.Guides, family: Family, release: str, *, classic: bool = True
) -> tuple[install_guide.Guide, tuple[str, ...]]:
    found = install_guide.guide(
        table, Token("X-64"), family, Release.parse(release), file_name="x.exe", classic=classic
    )
    return found, tuple(command for step in found.steps for command in step.commands)


@pytest.mark.parametrize(
    ("family", "release", "classic", "expected"),
    [
        (Family.LINUX, "9.39", True, ("unpack x.exe", "install OLD A")),
        (Family.LINUX, "9.40", True, ("unpack x.exe", "/agent/bin/tool OLD VmWare <CSIP>")),
        (Family.LINUX, "9.54", True, ("unpack x.exe", "/agent/bin/tool NEW VmWare <CSIP>")),
        (Family.LINUX, "9.55", True, ("unpack x.exe", "install NEW A")),
        (Family.LINUX, "9.54", False, ("unpack x.exe", "install NEW A")),
        (Family.WINDOWS, "9.54", True, ("unpack x.exe", "install NEW A")),
    ],
)
def test_the_first_row_of_an_action_that_fits_counts(
    table: install_guide.Guides,
    family: Family,
    release: str,
    classic: bool,  # noqa: FBT001 - a column of the table
    expected: tuple[str, ...],
) -> None:
    assert commands(table, family, release, classic=classic)[1] == expected


def test_switches_notes_and_remarks_follow_the_rows(table: install_guide.Guides) -> None:
    old, new = commands(table, Family.LINUX, "9.54")[0], commands(table, Family.WINDOWS, "9.55", classic=False)[0]
    assert old.steps[1].parameters == (install_guide.Parameter("-r", False, "NEW", ("NEW", "x")),)
    assert new.steps[1].parameters == (install_guide.Parameter("-r", True, "new"),)
    assert (old.steps[1].remark, new.steps[1].remark) == ("or A", 'in "C:\\Agent"')
    assert (old.notes, new.notes) == (("always",), ("always", "modernized", "one"))
    assert (old.logs, new.logs) == ((), ("C:\\log.txt",))
    assert new.steps[0].evidence == ("whats-new",)


@pytest.mark.parametrize(
    ("change", "part"),
    [
        (("steps", 0, "commands", ["run {file}"]), "commands: {file} is not one of address, also, file_name,"),
        (("steps", 0, "commands", ["run {tool}"]), "commands: {tool} is not one of"),
        (("steps", 1, "family", "Windows"), "commands: {tool} is not one of"),
        (("steps", 0, "commands", ["run {more}"]), "commands: {more} is not one of"),
        (("words", []), "words: the last row must be for all"),
        (("words", 1, "experience", "classic"), "words: the last row must be for all"),
        (("steps", 2, "remark", "see {page}"), "remark: {page} is not one of"),
        (("parameters", 1, "meaning", "see {page}"), "meaning: {page} is not one of"),
        (("parameters", 1, "values", ["{page}"]), "values: {page} is not one of"),
        (("steps", 1, "releases", "9.54 - 9.40"), "releases: '9.54 - 9.40' is not a range such as"),
        (("steps", 1, "evidence", ["page"]), "evidence 'page' is not among the sources"),
        (("families", "Linux", "below", {"role": "x"}), "'role' is not a new name of a placeholder"),
    ],
)
def test_a_mistake_that_only_the_loader_can_see_is_refused(change: tuple[object, ...], part: str) -> None:
    with pytest.raises(DocumentError) as caught:
        catalog.parse(yaml.safe_dump(changed(*change), sort_keys=False))
    assert [problem for problem in caught.value.problems if part in problem.message and problem.line > 1], str(
        caught.value
    )


@pytest.mark.parametrize(
    "change",
    [
        ("families", "Linux", ...),
        ("families", "Linux", "install_dir", ...),
        ("families", "macOS", {"install_dir": "/x"}),
        ("families", "Linux", "below", {"Tool": "x"}),
        ("words", ...),
        ("words", 0, "agent", ...),
        ("steps", 0, "title", ...),
        ("steps", 0, "commands", "unpack"),
        ("steps", 0, "comand", "unpack"),
        ("steps", 1, "family", "linux"),
        ("steps", 1, "experience", "both"),
        ("steps", 1, "releases", "-"),
        ("steps", 1, "releases", "9.40"),
        ("steps", 1, "releases", "9.x -"),
        ("steps", 1, "releases", "9. -"),
        ("steps", 1, "releases", ""),
        ("parameters", 0, "required", "yes"),
        ("parameters", 0, "flag", ...),
        ("notes", 0, "text", ...),
        ("note", []),
    ],
)
def test_a_mistake_of_form_is_refused_by_the_loader_and_by_the_schema(change: tuple[object, ...]) -> None:
    wrong = changed(*change)
    with pytest.raises(DocumentError):
        catalog.parse(yaml.safe_dump(wrong, sort_keys=False))
    assert not jsonschema.Draft202012Validator(SCHEMA).is_valid(wrong)


def test_the_table_of_these_tests_fits_the_schema() -> None:
    jsonschema.Draft202012Validator(SCHEMA).validate(document(TABLE))


def test_every_real_row_counts_in_some_case() -> None:
    releases = [facts.release for facts in REAL.releases]
    cases = [
        install_guide.Case(family, release, classic)
        for family in Family
        for release in releases
        for classic in (True, False)
    ]
    guides = GUIDES
    tables: tuple[tuple[tuple[Any, ...], Callable[[Any], str]], ...] = (
        (guides.words, lambda _: ""),
        (guides.steps, lambda row: row.action),
        (guides.parameters, lambda row: row.action + row.parameter.flag),
        (guides.notes, lambda row: row.text),
    )
    for rows, key in tables:
        used: set[int] = set()
        for case in cases:
            first: dict[str, int] = {}
            for number, row in enumerate(rows):
                if row.when.fits(case):
                    first.setdefault(key(row), number)
            used |= set(first.values())
        assert used == set(range(len(rows)))
