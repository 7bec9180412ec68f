"""The repository on disk as recovery will leave it, for a dry run after a killed run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from repo_manager.adapters.filesystem.repository_folder import Folder
from repo_manager.adapters.filesystem.scan import scan
from repo_manager.core.transaction import after_undo

if TYPE_CHECKING:
    from pathlib import Path

    from repo_manager.core.repository import FolderEntry
    from repo_manager.core.transaction import Journal


def after_recovery(folder: Folder) -> Folder:
    """The folder as `transaction.recover` will leave it. Changes nothing.

    Raises:
        MachineError: the journal cannot be read, or the disk refused.
    """
    journal = folder.pending()
    return folder if journal is None else _Recovered(folder, journal)


class _Recovered(Folder):
    """A folder to read, never to write. It shows each file under the name to which recovery will move it.

    `place` tells where the bytes are now.
    """

    def __init__(self, folder: Folder, journal: Journal) -> None:
        super().__init__(folder.path)
        self._journal = journal
        paths = ["../", *(path for move in journal.moves for path in (move.origin, move.destination))]
        heads = {path.rpartition("/")[0] for path in paths}
        places = {head: self.path if head == ".." else self.sub / head for head in heads}
        files = {
            f"{head}/{entry.name}": entry for head, place in places.items() if place.is_dir() for entry in scan(place)
        }
        self._now = after_undo(journal, files)
        self._scans: dict[Path, list[FolderEntry]] = {place: [] for place in places.values()}
        for path, now in self._now.items():
            self._scans[places[path.rpartition("/")[0]]].append(files[now])

    @property
    def interrupted(self) -> Journal | None:
        return self._journal

    def _scan(self, folder: Path) -> tuple[FolderEntry, ...]:
        return tuple(self._scans[folder]) if folder in self._scans else super()._scan(folder)

    def _resolve(self, path: str) -> Path:
        return super()._resolve(self._now.get(path, path))
