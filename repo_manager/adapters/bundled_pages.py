"""The pages that the tool can print by itself.

They are those of the documentation: people edit them there, and the wheel carries a copy beside its modules.
"""

from __future__ import annotations

from pathlib import Path

from repo_manager.core import explanations
from repo_manager.core.errors import MachineError
from repo_manager.core.explanations import Book


def book() -> Book:
    """Everything that can be explained.

    Raises:
        MachineError: the installation is damaged.
    """
    reference = _reference()
    try:
        paths = sorted(path for path in (reference / "findings").glob("*.md") if path.stem != "index")
        pages = [explanations.page(path.read_text(encoding="utf-8")) for path in paths]
        problems = explanations.problems((reference / "errors.md").read_text(encoding="utf-8"))
        return Book({page.code: page for page in pages}, {problem.code: problem for problem in problems})
    except (OSError, ValueError) as error:
        raise MachineError(
            "no-pages", f"the pages that belong to the tool cannot be read in {reference}", "install the tool anew"
        ) from error


def _reference() -> Path:
    """Where the pages lie: beside the modules of an installed tool, in the documentation of a source tree."""
    package = Path(__file__).parents[1]
    inside = package / "reference"
    return inside if inside.is_dir() else package.parent / "docs" / "reference"
