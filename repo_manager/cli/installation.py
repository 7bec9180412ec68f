"""Which files make up an installation: what the tool keeps, and what the configuration and the options name."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from repo_manager.adapters.filesystem.paths import SUBFOLDER, is_link
from repo_manager.adapters.filesystem.permissions import InstalledPath
from repo_manager.adapters.filesystem.retired import REASONS
from repo_manager.adapters.filesystem.user_cache import cache_folder
from repo_manager.app import settings
from repo_manager.app.settings import PREFIX
from repo_manager.core.errors import RepoManagerError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from repo_manager.cli.run import Run


def configuration(run: Run) -> Iterator[InstalledPath]:
    """The configuration file in use, and the machine's folder for it."""
    machine_wide = settings.machine_wide(run.environ)
    yield InstalledPath(machine_wide.parent)
    named = run.options.given.get("config") or run.environ.get(f"{PREFIX}CONFIG")
    yield InstalledPath(Path(named) if named else machine_wide)


def rest(run: Run, keys: Path | None, tokens: Path | None) -> Iterator[InstalledPath]:
    """All else. Where the configuration is not believed, only what is known without it."""
    try:
        found = run.settings
    except RepoManagerError:
        found = settings.Settings()
    yield from _keys(keys or _named(found, "keys") or settings.machine_wide(run.environ).parent / "keys")
    public = (tokens or _named(found, "tokens"), found.ca_file, found.signature_roots, _named(found, "fleet"))
    secret = (found.store_credentials, found.report_credentials, _named(found, "tls_key"))
    yield from (InstalledPath(path) for path in public if path is not None)
    yield from (InstalledPath(path, secret=True) for path in secret if path is not None)
    catalog = run.options.given.get("catalog") or found.options.get("catalog")
    if catalog:
        yield InstalledPath(Path(str(catalog)))
    yield from _subfolders(run)
    cache = cache_folder(run.environ)
    yield from (
        InstalledPath(path, cache=True) for path in (cache, *(path for path in _in(cache) if path.suffix == ".json"))
    )


def _named(found: settings.Settings, option: str) -> Path | None:
    named = found.options.get(option)
    return None if named is None else Path(str(named))


def _keys(folder: Path) -> Iterator[InstalledPath]:
    """The folder of keys and what is in it, by the names that the tool gives: it could be any folder."""
    yield InstalledPath(folder)
    for path in (folder / f"{role}{kind}.pem" for role in _ROLES for kind in ("", ".next")):
        yield InstalledPath(path, secret=True)
    metadata = folder / "metadata"
    yield from map(InstalledPath, (metadata, *(path for path in _in(metadata) if path.suffix == ".json")))


_ROLES: Final = ("root", "targets", "snapshot", "timestamp")


def _subfolders(run: Run) -> Iterator[InstalledPath]:
    named = run.options.given.get("repository")
    if named:
        # Known also where the configuration is not believed.
        yield from _subfolder(Path(str(named)) / SUBFOLDER)
    try:
        yield from _subfolder(run.path / SUBFOLDER)
        if run.profile.second_folder is not None:
            yield from _subfolder(Path(run.profile.second_folder) / SUBFOLDER)
    except RepoManagerError:
        # Without a repository there is no sub-folder.
        return


def _subfolder(folder: Path) -> Iterator[InstalledPath]:
    """What the tool keeps in a repository. Retired files are installers, whose rights are as they were."""
    yield InstalledPath(folder)
    yield from map(InstalledPath, _in(folder))
    for name in ("staging", "retired", "transactions"):
        yield from map(InstalledPath, _in(folder / name))
    for retired in _in(folder / "retired"):
        yield from (InstalledPath(path) for path in _in(retired) if path.name == REASONS)


def _in(folder: Path) -> list[Path]:
    """What is in a folder; nothing where it is a link."""
    try:
        return [] if is_link(folder.lstat()) else sorted(folder.iterdir())
    except OSError:
        return []
