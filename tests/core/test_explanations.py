from __future__ import annotations

import pytest

from repo_manager.core import explanations
from repo_manager.core.errors import InputError
from repo_manager.core.explanations import Block, BlockKind, Book, ErrorExplanation

TEXT = """# odd

Severity: warning; error with `--strict`

## What it means

Something is odd, and **this**
goes on. It says `why`.

## Why it matters

- One thing, see [the other](other.md).
- Two
  lines.

## How it arises

Somebody did it.

```console
C:\\> repo-manager list
$ repo-manager audit

C:\\> dir
```

Afterwards.

## How to mend it

See [How](../../how-to/mend-it.md#now), [how again](../../how-to/mend-it.md), [errors](../errors.md).
"""


def test_a_page_is_read() -> None:
    page = explanations.page(TEXT)
    assert (page.code, page.severity) == ("odd", "warning; error with `--strict`")
    assert tuple(section.title for section in page.sections) == explanations.SECTIONS
    assert [section.blocks for section in page.sections] == [
        (Block(BlockKind.PARAGRAPH, "Something is odd, and this goes on. It says 'why'."),),
        (Block(BlockKind.ITEM, "One thing, see the other."), Block(BlockKind.ITEM, "Two lines.")),
        (
            Block(BlockKind.PARAGRAPH, "Somebody did it."),
            Block(BlockKind.CODE, "repo-manager list\nrepo-manager audit\n\ndir"),
            Block(BlockKind.PARAGRAPH, "Afterwards."),
        ),
        (Block(BlockKind.PARAGRAPH, "See How, how again, errors."),),
    ]
    assert page.more == (
        ("the other", "reference/findings/other.md"),
        ("How", "how-to/mend-it.md"),
        ("errors", "reference/errors.md"),
    )


@pytest.mark.parametrize(
    ("meaning", "summary"),
    [
        ("One sentence.", "One sentence."),
        ("One. Two.", "One."),
        ("No end", "No end"),
        ("It is 9.66 now.", "It is 9.66 now."),
    ],
)
def test_the_summary_is_the_first_sentence(meaning: str, summary: str) -> None:
    page = explanations.page(TEXT.replace("Something is odd, and **this**\ngoes on. It says `why`.", meaning))
    assert page.summary == summary


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param("# odd\n", "odd\n", id="no title"),
        pytest.param("Severity: ", "Gravity: ", id="no severity"),
        pytest.param("\n\n## What it means", "\nmore\n\n## What it means", id="words before the first section"),
        pytest.param("## How it arises", "## How come", id="another section"),
        pytest.param("Somebody did it.", "| a | table |", id="a table"),
        pytest.param("Somebody did it.", "1. a step", id="a numbered list"),
        pytest.param("Somebody did it.", "### deeper", id="a heading below"),
        pytest.param(
            "See [How](../../how-to/mend-it.md#now), [how again](../../how-to/mend-it.md), [errors](../errors.md).",
            "",
            id="an empty section",
        ),
    ],
)
def test_a_page_of_another_form_is_refused(old: str, new: str) -> None:
    assert old in TEXT
    with pytest.raises(ValueError, match=r"."):
        explanations.page(TEXT.replace(old, new))


TABLE = """# Errors

| code | exit | what happened |
| --- | --- | --- |
| `no-space` | 3 | the volume is full |
| `one-thing`, `another` | 2 | see [The page](../how-to/page.md); `x` |
"""


def test_the_table_of_errors_is_read() -> None:
    more = (("The page", "how-to/page.md"),)
    assert list(explanations.problems(TABLE)) == [
        ErrorExplanation("no-space", 3, "the volume is full", ()),
        ErrorExplanation("one-thing", 2, "see The page; 'x'", more),
        ErrorExplanation("another", 2, "see The page; 'x'", more),
    ]


def book() -> Book:
    page = explanations.page(TEXT)
    problems = {problem.code: problem for problem in explanations.problems(TABLE)}
    return Book({"odd": page}, {**problems, "odd": ErrorExplanation("odd", 4, "odd", ())})


@pytest.mark.parametrize("code", ["odd", " ODD ", "[odd]", "`odd`"])
def test_a_code_is_found_as_people_paste_it(code: str) -> None:
    found = book().explain(code)
    assert found.code == "odd"
    assert found.page is not None
    assert found.problem is not None


def test_an_error_alone_has_no_page() -> None:
    found = book().explain("no-space")
    assert (found.page, found.problem) == (None, ErrorExplanation("no-space", 3, "the volume is full", ()))


def test_every_code_comes_once() -> None:
    assert book().codes == ("odd", "no-space", "one-thing", "another")


@pytest.mark.parametrize(
    ("code", "hint"),
    [("nospace", "did you mean no-space?"), ("zebra", "run 'repo-manager explain' for the codes there are")],
)
def test_an_unknown_code_is_told_the_nearest(code: str, hint: str) -> None:
    with pytest.raises(InputError) as caught:
        book().explain(code)
    assert (caught.value.code, caught.value.hint) == ("unknown-code", hint)
