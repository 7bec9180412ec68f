"""Every format, whole, as files to look at: what changes in one of them is seen by whoever reviews the change.

`REPO_MANAGER_TESTS_WRITE_GOLDEN=1 pytest tests/report/test_golden.py` writes them anew.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from assessment_world import compared, judged

from repo_manager.report import documents, html, junit, prometheus, sarif, tables
from repo_manager.version import __version__

if TYPE_CHECKING:
    from collections.abc import Callable

    from repo_manager.core.audit.result import AuditResult

GOLDEN: Final = Path(__file__).parent / "golden"
WRITE: Final = bool(os.environ.get("REPO_MANAGER_TESTS_WRITE_GOLDEN"))


def _body(assessed: AuditResult) -> str:
    """Without style and script, which have files of their own."""
    return re.sub(r"(?s).*?(<header>.*)<script>.*", r"\1", html.render(assessed))


FORMATS: Final[dict[str, Callable[[AuditResult], str]]] = {
    "audit.json": lambda assessed: json.dumps(documents.audit(assessed), indent=2),
    "audit.csv": tables.audit_sheet,
    "audit.xml": junit.render,
    "audit.sarif": sarif.render,
    "audit.prom": prometheus.render,
    "body.html": _body,
}


@pytest.mark.parametrize("name", FORMATS)
def test_a_format_is_what_its_golden_file_says(name: str) -> None:
    assessed = compared(
        replace(judged(24), unchecked=("Microsoft-ASR_UA_9.66.7567.1_Windows_GA_20Sep2025_release.exe",))
    )
    text = FORMATS[name](assessed).replace(__version__, "<version>") + "\n"
    file = GOLDEN / name
    if WRITE:
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, encoding="ascii", newline="\n")
    assert text == file.read_text(encoding="ascii")


def test_every_golden_file_has_its_format() -> None:
    assert {path.name for path in GOLDEN.iterdir()} == set(FORMATS)
