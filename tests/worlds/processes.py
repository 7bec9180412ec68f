"""The real command line on a small world, in processes of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from small_world import World


def environment(world: World) -> dict[str, str]:
    """What a child needs, without what this machine's user has set up."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("REPO_MANAGER_")}
    for name in list(kept):
        if name.lower().endswith("_proxy"):
            del kept[name]
    named = {"REPO_MANAGER_CACHE_DIR": str(world.cache), "REPO_MANAGER_CATALOG": str(world.catalog)}
    return {**kept, **named, "REPO_MANAGER_CONFIG": str(_configuration(world)), "NO_COLOR": "1"}


def _configuration(world: World) -> Path:
    path = world.root / "config.yaml"
    if not path.exists():
        path.write_text("reserve_mb: 0\n", encoding="ascii")
    return path


def cli(world: World, *arguments: str, variables: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command line to its end."""
    with start(world, *arguments, variables=variables) as process:
        try:
            stdout, stderr = process.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
    return subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)


def start(
    world: World, *arguments: str, variables: Mapping[str, str] | None = None, output: int = subprocess.PIPE
) -> subprocess.Popen[str]:
    """Start a command line and return the running process. Use as a context manager.

    Where no thread reads the output while the process runs, pass `subprocess.DEVNULL`: pipes of Windows are soon full.
    """
    for attempt in range(_STARTS):
        try:
            return subprocess.Popen(
                [sys.executable, "-m", "repo_manager", *arguments],
                env={**environment(world), **(variables or {})},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                text=True,
                encoding="utf-8",
                errors="backslashreplace",
            )
        except OSError as error:
            if getattr(error, "winerror", None) != _INTERNAL_ERROR or attempt + 1 == _STARTS:
                raise
    raise AssertionError


_STARTS: Final = 3


_INTERNAL_ERROR: Final = 1359
"""Wine's answer when a new process ended before its first instruction, as under heavy load. Nothing has run then."""


def until(condition: Callable[[], bool], what: str, limit_s: float = 30.0) -> None:
    """Wait for something that another process does."""
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline, f"waited {limit_s:g} s in vain until {what}"
        time.sleep(0.01)
