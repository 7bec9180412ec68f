"""Pages are made from templates that escape everything, and the templates are in every package of the project."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
from jinja2 import DictLoader, UndefinedError

from repo_manager.report import page
from repo_manager.report.page import TEMPLATES

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT: Final = Path(__file__).parents[2]
Render = Callable[..., str]


@pytest.fixture
def render() -> Render:
    """Renders one template text as the pages are rendered."""

    def rendered(text: str, **values: object) -> str:
        environment = page._environment().overlay(loader=DictLoader({"text": text}), cache_size=0)
        return environment.get_template("text").render(values)

    return rendered


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;"),
        ("\"'&", "&#34;&#39;&amp;"),
        ("a\u202eb\x00c\ud800", r"a\u202eb\x00c\ud800"),
        ("two\nlines", r"two\nlines"),
        (7, "7"),
    ],
)
def test_a_value_is_escaped_wherever_it_is_printed(render: Render, value: object, shown: str) -> None:
    assert render("{{ value }}", value=value) == shown
    assert (
        render('{% macro m(v) %}<b title="{{ v }}">{% endmacro %}{{ m(value) }}', value=value) == f'<b title="{shown}">'
    )
    assert render("{{ [value, value] | join('<br>') }}", value=value) == f"{shown}&lt;br&gt;{shown}"
    assert render("{{ '<' ~ value }}", value=value) == f"&lt;{shown}"


@pytest.mark.parametrize("text", ["{{ missing }}", "{% if missing %}{% endif %}", "{{ value.missing }}"])
def test_a_name_that_a_template_does_not_get_is_an_error(render: Render, text: str) -> None:
    with pytest.raises(UndefinedError, match="missing"):
        render(text, value=object())


def _templates() -> Iterator[Path]:
    return TEMPLATES.glob("*.html")


def test_no_template_turns_escaping_off() -> None:
    assert {path.name for path in _templates()} == {"audit.html", "fleet.html", "macros.html", "page.html"}
    for path in _templates():
        assert not re.search(r"\bsafe\b|\bautoescape\b|Markup|xmlattr", path.read_text(encoding="ascii")), path


def test_every_attribute_in_a_template_is_quoted() -> None:
    """A value without quotes could end its attribute with a space."""
    for path in _templates():
        assert not re.search(r"=\s*\{\{", path.read_text(encoding="ascii")), path


@pytest.mark.parametrize("target", ["wheel", "sdist"])
def test_a_package_contains_every_template(target: str) -> None:
    builders: Any = pytest.importorskip(f"hatchling.builders.{target}")
    builder = {"wheel": "WheelBuilder", "sdist": "SdistBuilder"}[target]
    files = {file.distribution_path for file in getattr(builders, builder)(str(ROOT)).recurse_included_files()}
    expected = {f"repo_manager/report/templates/{path.name}" for path in TEMPLATES.iterdir()}
    assert len(expected) == 8
    assert expected <= files
