"""A real disk of a few megabytes, for those who may mount one."""

from __future__ import annotations

import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def mounted(folder: Path, size_bytes: int) -> Iterator[None]:
    """The folder is a disk of that size until the end of the `with`. Skips the test where that cannot be had."""
    if not sys.platform.startswith("linux"):
        pytest.skip("needs Linux to make a small disk")
    command = ["mount", "-t", "tmpfs", "-o", f"size={size_bytes}", "tmpfs", str(folder)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("there is no mount command")
    if done.returncode != 0:
        pytest.skip(f"may not mount a small disk here: {done.stderr.strip()}")
    try:
        yield
    finally:
        # Lazily: a file that a failed test still holds must not keep the disk.
        subprocess.run(["umount", "-l", str(folder)], check=True)


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """A folder that is a disk of its own takes no more writing until the end of the `with`."""
    subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
    try:
        yield
    finally:
        subprocess.run(["mount", "-o", "remount,rw", str(folder)], check=True)
