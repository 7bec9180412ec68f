"""The system's own observer on Windows, where its end could be waited for in vain."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest
from watchdog.observers import winapi

from repo_manager.adapters.folder_events import EventMethod, FolderEvents

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("name", ["ReadDirectoryChangesW", "ReadDirectoryChangesExW"])
def test_an_observation_ends_also_where_a_read_is_just_about_to_begin(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The library cancels the read that is under way, and used to wait for ever for one that had not begun."""
    real = getattr(winapi, name)
    if real is None:
        pytest.skip("this Windows has the other one alone")

    def late(*arguments: object) -> object:
        time.sleep(0.5)
        return real(*arguments)

    monkeypatch.setattr(winapi, name, late)
    observation = FolderEvents(tmp_path, lambda: None, polling=False, poll_s=1)
    assert observation.kind is EventMethod.NATIVE
    ending = threading.Thread(target=observation.stop, daemon=True)
    ending.start()
    ending.join(20)
    assert not ending.is_alive()
