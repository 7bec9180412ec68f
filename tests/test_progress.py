"""A run that is cut off names the tests that had not ended."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from types import ModuleType

TESTS: Final = Path(__file__).parent
SUITE: Final = """
import os, threading

def test_first():
    pass

def test_second():
    os._exit(9)

def test_third():
    pass
"""


def _tier() -> ModuleType:
    spec = importlib.util.spec_from_file_location("tier", TESTS / "windows" / "tier.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["tier"] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.skipif(sys.platform == "win32", reason="the tier runs on Linux")
@pytest.mark.parametrize("more", [(), ("-p", "xdist", "-n", "1", "--max-worker-restart", "0")], ids=["one", "workers"])
def test_the_tests_that_had_not_ended_are_named(tmp_path: Path, more: tuple[str, ...]) -> None:
    progress = tmp_path / "progress"
    progress.touch()
    suite = tmp_path / "suite"
    suite.mkdir()
    (suite / "conftest.py").write_bytes((TESTS / "conftest.py").read_bytes())
    (suite / "progress.py").write_bytes((TESTS / "worlds" / "progress.py").read_bytes())
    (suite / "test_it.py").write_text(SUITE, encoding="utf-8")
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "--rootdir",
        str(suite),
        *more,
        str(suite),
    ]
    env = {**os.environ, "TIER_PROGRESS": str(progress), "PYTHONPATH": str(suite)}
    env.pop("PYTEST_XDIST_WORKER", None)
    subprocess.run(command, cwd=suite, env=env, check=False, capture_output=True, timeout=120)
    said = _tier().left(progress.read_text(encoding="utf-8"))
    assert _tier().left("") == ["the tests were still being collected"]
    assert said == [
        "1 tests were under way:",
        "  test_it.py::test_second",
        "1 tests had not begun:",
        "  test_it.py::test_third",
    ]
