"""The world that every test of the command line begins in."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from cli_world import Cli

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    """The tool in an empty folder, with nothing of this machine's own settings in sight."""
    return _tool(tmp_path, monkeypatch, capsys)


@pytest.fixture
def open_tool(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Cli]:
    """The same in a folder that everybody may look into, which the test runner's own is not."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield _tool(Path(name), monkeypatch, capsys)
        monkeypatch.undo()


def _tool(base: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    for name in list(os.environ):
        if name.startswith("REPO_MANAGER_") or name.upper().endswith("_PROXY") or name == "NO_COLOR":
            monkeypatch.delenv(name)
    world = base / "world"
    world.mkdir()
    monkeypatch.chdir(world)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("REPO_MANAGER_CACHE_DIR", str(base / "cache"))
    monkeypatch.setenv("REPO_MANAGER_STATE_DIR", str(base / "state"))
    # The machine-wide configuration and the documented places are looked for below it.
    monkeypatch.setenv("ProgramData", str(base / "program-data"))
    return Cli(world, capsys)
