"""HTML pages that need no other file: one skeleton, with style and script inside.

Templates escape every value (`autoescape`), and `finalize` makes invisible characters visible. The content security
policy allows this style and this script by their digests, and nothing else. The only module that imports Jinja2.
"""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from repo_manager.report.text import safe

TEMPLATES: Final = Path(__file__).parent / "templates"


def render_page(name: str, **context: object) -> tuple[str, str]:
    """The document of `name`.html with `name`.css and `name`.js, in ASCII for every encoding; and its policy."""
    style, script = _asset(f"{name}.css"), _asset(f"{name}.js")
    policy = (
        f"default-src 'none'; style-src '{_digest(style)}'; script-src '{_digest(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )
    template = _environment().get_template(f"{name}.html")
    document = template.render(context, style=style, script=script, policy=policy)
    return document.encode("ascii", "xmlcharrefreplace").decode("ascii"), policy


def plural(count: int, word: str) -> str:
    """`1 error`, `1,200 errors`."""
    return f"{count:,} {word}" if count == 1 else f"{count:,} {word}s"


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.filters |= {"number": "{:,}".format, "plural": plural}
    return environment


def _finalize(value: Any) -> Any:  # noqa: ANN401 - what an expression of a template can be
    return safe(value) if isinstance(value, str) and not isinstance(value, Markup) else value


@cache
def _asset(name: str) -> Markup:
    return Markup((TEMPLATES / name).read_text(encoding="ascii"))  # noqa: S704 - a file of this package


def _digest(content: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}"
