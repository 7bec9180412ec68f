"""A vCenter export or a plain list -> machines.

    rows of cells, or records  --from_rows, from_records-->  Inventory

What a reader hands over are rows of cells; which file they came from, and how it was encoded, is the edge's business.
A row that cannot be used is never dropped in silence: it becomes a Trouble that says where it stands and why.

model.py is what there is, headings.py which column says what, cells.py what a cell says, making.py puts it together.
"""

from __future__ import annotations

from repo_manager.core.inventory.build import from_records, from_rows, merged
from repo_manager.core.inventory.cells import DATE, NESTED, NO_NUMBER, UNCALCULATED
from repo_manager.core.inventory.columns import HEADING_ROWS, Columns, Finder, Role, columns_of
from repo_manager.core.inventory.model import Inventory, JsonRecord, Machine, Row, RowProblem, Wording

__all__ = [
    "DATE",
    "HEADING_ROWS",
    "NESTED",
    "NO_NUMBER",
    "UNCALCULATED",
    "Columns",
    "Finder",
    "Inventory",
    "JsonRecord",
    "Machine",
    "Role",
    "Row",
    "RowProblem",
    "Wording",
    "columns_of",
    "from_records",
    "from_rows",
    "merged",
]
