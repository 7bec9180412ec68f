"""Takes the pictures of the HTML report that the documentation shows. `make test-browser` sets up what it needs.

PYTHONPATH=tests .venv/bin/python tests/browser/report_pictures.py [FOLDER]
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from assessment_world import judged
from browser_world import chromium, watched

from repo_manager.report.html import render

if TYPE_CHECKING:
    from playwright.sync_api import ViewportSize

IMAGES: Final = Path(__file__).parents[2] / "docs" / "images"

_SIZE: Final[ViewportSize] = {"width": 1180, "height": 800}
# Where each picture begins.
_PARTS: Final[tuple[tuple[Literal["light", "dark"], str], ...]] = (("light", "header"), ("dark", "#needs"))


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as own, chromium() as browser:
        report = Path(own) / "report.html"
        report.write_text(render(judged(1200)), encoding="utf-8")
        for scheme, part in _PARTS:
            context = browser.new_context(viewport=_SIZE, color_scheme=scheme)
            sight = watched(context)
            sight.page.goto(report.as_uri())
            sight.page.locator(part).evaluate("element => element.scrollIntoView()")
            sight.page.screenshot(path=folder / f"report-{scheme}.png")
            context.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else IMAGES)
