"""Writes down which tests are known, which began and which ended, so that a run that is cut off can name the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    import pytest


class Progress:
    """A plugin of pytest, for the process that all results come to."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("a", encoding="utf-8", errors="backslashreplace", newline="\n")
        self._known = False

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """All tests of this process are known."""
        self._all(item.nodeid for item in session.items)

    def pytest_xdist_node_collection_finished(self, ids: Iterable[str]) -> None:
        """The same where others run them. Each knows all."""
        self._all(ids)

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """A test begins."""
        self._write("began", nodeid)

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        """A test has ended."""
        self._write("ended", nodeid)

    def _all(self, ids: Iterable[str]) -> None:
        if not self._known:
            for nodeid in ids:
                self._known = True
                self._write("known", nodeid)

    def _write(self, what: str, nodeid: str) -> None:
        one_line = nodeid.encode("unicode_escape").decode("ascii")
        self._file.write(f"{what} {one_line}\n")
        self._file.flush()
