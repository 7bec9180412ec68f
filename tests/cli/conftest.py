"""The world that every test of the command line begins in."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from cli_world import Cli

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    """The tool in an empty folder, with nothing of this machine's own settings in sight."""
    for name in list(os.environ):
        if name.startswith("REPO_MANAGER_") or name.upper().endswith("_PROXY") or name == "NO_COLOR":
            monkeypatch.delenv(name)
    world = tmp_path / "world"
    world.mkdir()
    monkeypatch.chdir(world)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("REPO_MANAGER_CACHE_DIR", str(tmp_path / "cache"))
    # The machine-wide configuration and the documented places are looked for below it.
    monkeypatch.setenv("ProgramData", str(tmp_path / "program-data"))
    return Cli(world, capsys)
