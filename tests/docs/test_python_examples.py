"""The examples of "Use from Python" run, in their order, and the public names are as the page says."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from cli_world import CATALOG

import repo_manager
from repo_manager import api
from repo_manager.demo import sandbox

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "use-from-python.md"


def test_the_examples_run_one_after_the_other_on_a_sandbox(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    sandbox.make(tmp_path, CATALOG)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REPO_MANAGER_CACHE_DIR", str(tmp_path / "cache"))
    blocks = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert len(blocks) > 3
    names: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, str(PAGE), "exec"), names)  # noqa: S102 - the page's own examples
    assert "missing" in capsys.readouterr().out


def test_every_public_name_is_documented_and_typed() -> None:
    for name in repo_manager.__all__:
        public = getattr(repo_manager, name)
        assert public.__doc__, name
        if public.__module__ == api.__name__:
            hints = public.__annotations__
            assert "return" in hints, name
    assert len(repo_manager.__all__) <= 16
    with pytest.raises(AttributeError, match="no attribute 'core2'"):
        _ = repo_manager.core2  # type: ignore[attr-defined]


def test_importing_the_package_loads_nothing_but_itself() -> None:
    code = "import sys, repo_manager; print(sorted(name for name in sys.modules if name.startswith('repo_manager')))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['repo_manager', 'repo_manager.version']"
