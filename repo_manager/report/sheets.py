"""CSV for spreadsheets: one line a file or a finding, cells that cannot be taken for formulas."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any, Final

from repo_manager.report import documents
from repo_manager.report.text import safe

if TYPE_CHECKING:
    from collections.abc import Iterable

    from repo_manager.audit import Audit
    from repo_manager.repository import Listing

# A cell that begins with one of these is run as a formula by common spreadsheets.
_FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r")


def listing(seen: Listing) -> str:
    """`list`, a line per file."""
    return _sheet(("name", "kind", "package", "version", "date", "bytes"), map(documents.listed_file, seen.files))


def audit(judged: Audit) -> str:
    """`audit`, a line per finding."""
    return _sheet(("severity", "code", "package", "file", "message", "fix"), map(documents.finding, judged.findings))


def _sheet(columns: tuple[str, ...], rows: Iterable[dict[str, Any]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_cell(row[column]) for column in columns] for row in rows)
    return text.getvalue().rstrip("\n")


def _cell(value: object) -> str:
    text = "" if value is None else safe(str(value))
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text
