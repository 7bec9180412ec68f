from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from repo_manager.core.audit.findings import Code
from repo_manager.report.rules import RULES

INDEX: Final = Path(__file__).parents[2] / "docs" / "reference" / "findings" / "index.md"


def test_every_code_has_a_rule() -> None:
    assert list(RULES) == list(Code)


def test_a_rule_says_what_the_index_of_the_pages_says() -> None:
    rows = re.findall(
        r"^\| \[`([a-z-]+)`\]\S+ \| ([a-z, ]+) \| (.+) \|$", INDEX.read_text(encoding="utf-8"), re.MULTILINE
    )
    told = {code: (", or ".join(rule.severities), rule.meaning) for code, rule in RULES.items()}
    assert {code: (severity, meaning) for code, severity, meaning in rows} == told
