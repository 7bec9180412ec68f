"""fleet.yaml on a disk."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from repo_manager.adapters.filesystem import trusted_files
from repo_manager.adapters.filesystem.paths import reachable, shown
from repo_manager.core.catalog import strict_yaml
from repo_manager.core.catalog.yaml_tree import MAX_CHARACTERS
from repo_manager.core.errors import InputError
from repo_manager.core.fleet import expected

if TYPE_CHECKING:
    from pathlib import Path

    from repo_manager.core.fleet import ExpectedServer, FleetInventory

_LIMIT_BYTES: Final = 4 * MAX_CHARACTERS


def load(path: Path) -> FleetInventory:
    """Read an inventory.

    Raises:
        InputError: `no-fleet`: it cannot be read; `invalid-fleet`: with every mistake in it; `untrusted-file`: it
            names places that are sent tokens, and others may write it.
    """
    try:
        data = trusted_files.read(path, most=_LIMIT_BYTES)
    except FileNotFoundError as error:
        raise InputError("no-fleet", f"there is no file {shown(path)}", "name the file that lists servers") from error
    except OSError as error:
        raise InputError("no-fleet", f"{shown(path)} cannot be read: {error.strerror}", "check the file") from error
    return expected.parse(strict_yaml.decode(data, shown(path), "invalid-fleet"), shown(path))


class InventoryFile:
    """An inventory that somebody may change meanwhile. One with mistakes counts only when they are mended."""

    def __init__(self, path: Path) -> None:
        self._path = reachable(path)
        self._mark = self._marked()
        self.inventory = load(path)

    def servers(self) -> tuple[ExpectedServer, ...]:
        """The servers of the newest state of the file that could be read."""
        mark = self._marked()
        if mark != self._mark:
            try:
                self.inventory = load(self._path)
            except InputError:
                return self.inventory.servers
            self._mark = mark
        return self.inventory.servers

    def _marked(self) -> tuple[int, int, int] | None:
        try:
            status = self._path.stat()
        except OSError:
            return None
        return status.st_mtime_ns, status.st_size, status.st_ino
