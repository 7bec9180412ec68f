"""What this system can do, for the tests that need it."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest


def _makes_links() -> bool:
    """Whether links can be made here: Windows wants a right for it, and Wine says yes and makes none."""
    with tempfile.TemporaryDirectory() as name:
        link = Path(name) / "link"
        try:
            link.symlink_to(name, target_is_directory=True)
        except (OSError, NotImplementedError):
            return False
        return link.is_symlink()


MAKES_LINKS = _makes_links()
needs_links = pytest.mark.skipif(not MAKES_LINKS, reason="no symbolic links can be made here")
