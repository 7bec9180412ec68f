"""Takes the pictures of the fleet page that the documentation shows. `make test-browser` sets up what it needs.

PYTHONPATH=tests .venv/bin/python tests/browser/pictures.py [FOLDER]
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from browser_world import chromium, fleet_of, served_fleet, typed, watched

if TYPE_CHECKING:
    from playwright.sync_api import ViewportSize

IMAGES: Final = Path(__file__).parents[2] / "docs" / "images"

_SIZE: Final[ViewportSize] = {"width": 1600, "height": 640}


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as own, served_fleet(Path(own), fleet_of(300)) as served, chromium() as browser:
        for scheme in ("light", "dark"):
            context = browser.new_context(
                viewport=_SIZE, color_scheme=scheme, http_credentials=typed(served.secrets["office"])
            )
            sight = watched(context)
            sight.page.goto(f"{served.url}/fleet")
            sight.page.screenshot(path=folder / f"fleet-{scheme}.png")
            context.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else IMAGES)
