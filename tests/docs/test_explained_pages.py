"""What `explain` prints is what the documentation says, and all of it."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from repo_manager.adapters import bundled_pages as library
from repo_manager.core import explanations
from repo_manager.core.audit.findings import Code
from repo_manager.report import explained

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT: Final = Path(__file__).parents[2]
BOOK: Final = library.book()
_CODE: Final = re.compile(r"[a-z]+(?:-[a-z]+)+|usage|configuration|locked|declined|interrupted|cancelled|stalled")


def _raised() -> Iterator[tuple[str, str]]:
    """Every code that an exception of ours is made with, where it stands there as a word, and the module."""
    for path in sorted((ROOT / "repo_manager").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not (isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant)):
                continue
            called = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
            word = node.args[0].value
            if called.endswith("Error") and isinstance(word, str) and _CODE.fullmatch(word):
                yield word, path.relative_to(ROOT).as_posix()


def test_every_finding_has_a_page_with_the_four_sections() -> None:
    """Reading a page refuses all but these sections; here it is which findings there are."""
    assert set(BOOK.pages) == set(Code)
    assert all(tuple(s.title for s in page.sections) == explanations.SECTIONS for page in BOOK.pages.values())


@pytest.mark.parametrize("code", list(BOOK.pages))
def test_every_page_says_how_it_arises_in_a_list_and_how_to_mend_it_in_a_command(code: str) -> None:
    _, _, arises, mend = BOOK.pages[code].sections
    assert any(block.kind is explanations.BlockKind.ITEM for block in arises.blocks)
    commands = [block.text for block in mend.blocks if block.kind is explanations.BlockKind.CODE]
    assert any(text.startswith("repo-manager ") for text in commands)


@pytest.mark.parametrize("code", BOOK.codes)
def test_every_code_is_explained_in_plain_text_at_80_columns(code: str) -> None:
    text = explained.text(BOOK.explain(code), 80)
    assert [line for line in text.splitlines() if len(line) > 80] == []
    assert text.isascii()
    assert not re.search(r"\]\(|`|\*\*|^#", text, re.MULTILINE), "Markdown that is left over"
    assert "\n\n\n" not in text


@pytest.mark.parametrize("code", BOOK.codes)
def test_every_page_that_is_named_to_read_more_is_there(code: str) -> None:
    found = BOOK.explain(code)
    more = [*(found.page.more if found.page else ()), *(found.problem.more if found.problem else ())]
    assert [path for _, path in more if not (ROOT / "docs" / path).is_file()] == []


def test_the_severities_of_the_index_are_those_of_the_pages() -> None:
    index = (ROOT / "docs" / "reference" / "findings" / "index.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| \[`([a-z-]+)`\]\([a-z-]+\.md\) \| ([a-z, ]+) \|", index, re.MULTILINE))
    assert rows.keys() == BOOK.pages.keys()
    for code, severity in rows.items():
        words = set(re.findall("error|warning|info", severity))
        assert words == set(re.findall("error|warning|info", BOOK.pages[code].severity)), code


def test_every_error_that_the_code_raises_is_in_the_table() -> None:
    assert sorted({(word, module) for word, module in _raised() if word not in BOOK.problems}) == []


def test_there_are_errors_to_look_for() -> None:
    assert {"no-repository", "bad-audit", "unfit-release"} <= {word for word, _ in _raised()}


def test_no_error_is_explained_twice() -> None:
    text = (ROOT / "docs" / "reference" / "errors.md").read_text(encoding="utf-8")
    codes = [problem.code for problem in explanations.problems(text)]
    assert sorted({code for code in codes if codes.count(code) > 1}) == []


def test_every_row_of_the_table_is_read() -> None:
    text = (ROOT / "docs" / "reference" / "errors.md").read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| `")]
    written = {code for row in rows for code in re.findall("`([a-z-]+)`", row.split("|")[1])}
    assert written == set(BOOK.problems)


def test_the_wheel_carries_the_pages() -> None:
    """The same files: a build copies them beside the modules."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    for name in ("errors.md", "findings"):
        assert f'"docs/reference/{name}" = "repo_manager/reference/{name}"' in text
