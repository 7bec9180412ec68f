"""Places that a set can only be read from."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from repo_manager.core.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


class ReadOnly:
    """The half of a depot that would change it: each method raises InputError `read-only-depot`."""

    name: str

    def write(self, path: str, data: bytes) -> NoReturn:
        """Refuse."""
        del path, data
        self._refuse()

    def upload(self, path: str, file: Path, *, sha256: str, progress: Callable[[int], None]) -> NoReturn:
        """Refuse."""
        del path, file, sha256, progress
        self._refuse()

    def list(self, prefix: str) -> NoReturn:
        """Refuse: only who changes a set needs to know what else lies there."""
        del prefix
        self._refuse()

    def delete(self, path: str) -> NoReturn:
        """Refuse."""
        del path
        self._refuse()

    def sweep(self, prefix: str, ours: Callable[[str], bool]) -> NoReturn:
        """Refuse."""
        del prefix, ours
        self._refuse()

    def _refuse(self) -> NoReturn:
        raise InputError(
            "read-only-depot",
            f"{self.name}: a set can be read there, and not be written",
            "publish to a folder, az://container/path or s3://bucket/path; a web server may serve what lies there",
        )
