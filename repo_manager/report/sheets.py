"""CSV for spreadsheets, with cells that cannot be taken for formulas."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any, Final

from repo_manager.report.text import safe

if TYPE_CHECKING:
    from collections.abc import Iterable


# A cell that begins with one of these is run as a formula by common spreadsheets.
_FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r")


def sheet(columns: tuple[str, ...], rows: Iterable[dict[str, Any]]) -> str:
    """Rows of documents as CSV, without a line break at the end."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_cell(row[column]) for column in columns] for row in rows)
    return text.getvalue().rstrip("\n")


def _cell(value: object) -> str:
    text = "" if value is None else safe(str(value))
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text
