"""What the tests for Windows share. On other systems they are not even collected."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from push_install import PushInstall

collect_ignore_glob = [] if sys.platform == "win32" else ["test_*.py"]


@pytest.fixture
def unregistered(tmp_path: Path) -> Iterator[PushInstall]:
    """The stand-in service before it is known to the service manager; taken from it afterwards.

    The repository that it reads is `world/repository` below the test's folder.
    """
    from push_install import PushInstall

    service = PushInstall(tmp_path, tmp_path / "world" / "repository")
    service.remove()
    yield service
    service.remove()


@pytest.fixture
def service(unregistered: PushInstall) -> PushInstall:
    """The stand-in service, installed and stopped."""
    unregistered.register()
    return unregistered
