"""What all tests share."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from hypothesis import settings

if TYPE_CHECKING:
    import pytest

# A deadline would be a timing assertion. In CI the examples are always the same ones, so that a change is
# judged by what it changes.
settings.register_profile("default", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "default")


def pytest_configure(config: pytest.Config) -> None:
    """Have progress written down where the tier for Windows asks for it, by the process that all results come to."""
    path = os.environ.get("TIER_PROGRESS")
    if path and not hasattr(config, "workerinput"):
        from progress import Progress

        # A worker of pytest-xdist inherits the variable, and must not count the tests once more.
        config.pluginmanager.register(Progress(Path(path)))


# What others may write is refused. A test that is about it says so; no other depends on who starts the tests.
os.umask(0o022)

# In the background of a shell Ctrl-C is ignored, under nohup a lost terminal, and by every process that is started
# there as well. One that is handled is back at its default in a new process.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if sys.platform != "win32" and signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, lambda *_: None)
