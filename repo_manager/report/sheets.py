"""CSV for spreadsheets, with cells that cannot be taken for formulas."""

from __future__ import annotations

import csv
import io
import re
from typing import TYPE_CHECKING, Any, Final

from repo_manager.report.text import safe

if TYPE_CHECKING:
    from collections.abc import Iterable


# Spreadsheets take what begins with one of these for a formula; in East Asian settings also their wide and small forms.
# Where the system separates lists with semicolons, they split a cell there, whatever quotes are around it.
_FORMULA: Final = re.compile(
    r"(^|[;|])([\s\"']*)(?=[-=+@\uff1d\uff0b\uff0d\uff20\ufe66\ufe62\ufe63\ufe6b])",
)


def sheet(columns: tuple[str, ...], rows: Iterable[dict[str, Any]]) -> str:
    """Rows of documents as CSV, without a line break at the end."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_cell(row[column]) for column in columns] for row in rows)
    return text.getvalue().rstrip("\n")


def _cell(value: object) -> str:
    text = "" if value is None else safe(str(value))
    return _FORMULA.sub(r"\1\2'", text)
