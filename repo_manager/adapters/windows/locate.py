r"""Where the servers keep their repository, and which of several places it is.

A server of the classic experience has a folder `pushinstallsvc`. In it lies the repository, and
`pushinstaller.conf`, which may name another one. A replication appliance has `Software\Agents`.

Evidence: the FAQ and the overview articles have `%ProgramData%\ASR\home\svsystems` and
`INSTALL_DIR\home\svsystems`, the deployment article of 2015 `C:\pushinstallsvc`, the article on the
modernized Mobility service `E:\Software\Agents`. INSTALL_DIR is chosen at setup, so that the usual name
is looked for on every built-in drive, and what Windows' list of installed programs says: our own reasoning.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from repo_manager.core import names
from repo_manager.core.errors import InputError, MachineError, NoRepositoryError, NoRightsError, RepoManagerError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

CLASSIC: Final = "classic"
APPLIANCE: Final = "appliance"

SERVICE_FOLDER: Final = "pushinstallsvc"
_CONF: Final = "pushinstaller.conf"
_REPOSITORY: Final = "repository"
_INSTALL_DIR: Final = "Microsoft Azure Site Recovery"
_BELOW_INSTALL_DIR: Final = ("home", "svsystems")
_AGENTS: Final = ("Software", "Agents")
_DOCUMENTED_DRIVE: Final = "E:/"

# Variables of the environment, and what the folders are called on other drives.
_PROGRAM_FOLDERS: Final = {"ProgramFiles(x86)": "Program Files (x86)", "ProgramFiles": "Program Files"}

# Evidence: the manual installation has the Mobility service in `agent` below INSTALL_DIR.
_AGENT: Final = "agent"

# "System Error Codes" on Microsoft Learn: no such drive, not ready, no such share, no such name, no such
# path, not a file system that Windows knows. A volume that is locked is none of these, and is said to be.
_NOT_THERE: Final = frozenset({15, 21, 53, 67, 123, 161, 1005})

# The articles on deploying the Mobility service with management software spell one folder `puhsinstallsvc`.
# Below this likeness (of difflib) two names are two things: `repo` is no misspelling of `repository`.
_ALIKE: Final = 0.75


class MachineFacts(Protocol):
    """What the search asks of a machine, beside its files."""

    @property
    def environ(self) -> Mapping[str, str]:
        """The environment's variables."""
        ...

    def fixed_drives(self) -> tuple[Path, ...]:
        """The roots of the built-in drives, by letter."""
        ...

    def installed(self) -> tuple[Path, ...]:
        """Where programs of Site Recovery are installed."""
        ...

    def has_service(self, name: str) -> bool:
        """Whether there is a service of that name."""
        ...


class PlaceState(StrEnum):
    """What one look at a place saw."""

    ABSENT = "not there"
    REFUSED = "this user may not look there"
    UNCLEAR = "not clear"
    EMPTY = "found and empty"
    FILLED = "found with installers"


@dataclass(frozen=True, slots=True)
class SearchedPlace:
    """One place that was looked at.

    Attributes:
        path: the repository, if it is there.
        conf: the file that names it; None for a folder in its usual place.
        service_folder: the folder that decides where the repository is; None for an appliance.
        same_as: the same folder by another path, which was looked at before; None where there is none.
        trouble: why the state is REFUSED or UNCLEAR.
    """

    path: Path
    state: PlaceState
    conf: Path | None = None
    service_folder: Path | None = None
    same_as: Path | None = None
    trouble: RepoManagerError | None = None

    @property
    def found(self) -> bool:
        """Whether there is a folder."""
        return self.state in {PlaceState.EMPTY, PlaceState.FILLED}

    def __str__(self) -> str:
        other = self.same_as not in {None, self.path}
        words = f"{self.path}: the same folder as {self.same_as}" if other else f"{self.path}: {self.state}"
        return words if self.conf is None else f"{words}, named by {self.conf}"


@dataclass(frozen=True, slots=True)
class Search:
    """What was looked at, by profile, in the order in which places are documented."""

    looked: Mapping[str, tuple[SearchedPlace, ...]]

    @property
    def profile(self) -> str:
        """The profile that fits this machine; `classic` where none does.

        Raises:
            InputError: both do.
        """
        classic = _distinct(self.looked[CLASSIC])
        appliance = _distinct(self.looked[APPLIANCE])
        filled = [place for place in appliance if place.state is PlaceState.FILLED]
        if classic and filled:
            raise InputError(
                "two-profiles",
                f"two profiles fit this machine\n  {CLASSIC}: {classic[0].path}\n  {APPLIANCE}: {filled[0].path}",
                f"choose one with --profile {CLASSIC} or --profile {APPLIANCE}",
            )
        # Anybody may call a folder `Software\Agents`: an empty one counts in the documented place alone.
        documented = appliance and appliance[0] is self.looked[APPLIANCE][0]
        return APPLIANCE if not classic and (filled or documented) else CLASSIC

    def repository(self, profile: str) -> SearchedPlace:
        """The repository of a profile.

        Raises:
            InputError: there is none, or it cannot be told which of several is meant.
            MachineError: this user may not look.
        """
        found = _distinct(self.looked[profile])
        for place in found:
            if place.trouble is not None:
                raise place.trouble
        if not found:
            raise self._nothing(profile)
        by_conf = {place.same_as or place.path for place in self.looked[profile] if place.conf is not None}
        named = [place for place in found if place.path in by_conf] or found
        choice = [place for place in named if place.state is PlaceState.FILLED] or named
        if len(choice) > 1:
            raise InputError(
                "several-repositories",
                f"there are {len(choice)} folders that could be the repository, and the service reads only one"
                + "".join(f"\n  {place}" for place in choice),
                "name the one that the service reads with --repository",
            )
        return choice[0]

    def _nothing(self, profile: str) -> InputError:
        names = " or ".join(repr(name) for name in dict.fromkeys((profile, *self.looked)))
        looked = [place for places in self.looked.values() for place in places]
        lines = [
            f"looked at {place.path}" if place.state is PlaceState.ABSENT else f"looked at {place}" for place in looked
        ]
        near = [
            f"{found} is there: nearly the right name, and no service reads it"
            for place in looked
            for found in near_misses(place)
        ]
        several = "s" if len(self.looked) > 1 else ""
        return NoRepositoryError(
            "no-repository",
            f"no repository found for the profile{several} {names}"
            + "".join(f"\n  {line}" for line in dict.fromkeys((*lines, *near))),
            "name the folder with --repository, or set repository in the configuration file",
        )


def search(profiles: tuple[str, ...], machine: MachineFacts) -> Search:
    """Look at all places of these profiles. One that has no places of its own gives none; this never fails."""
    looks = {CLASSIC: _classic, APPLIANCE: _appliance}
    return Search({name: tuple(_once(looks[name](machine))) if name in looks else () for name in profiles})


def near_misses(place: SearchedPlace) -> tuple[Path, ...]:
    """Folders whose names look like a misspelling of the ones that lead to a place; mostly none."""
    folder = place.service_folder
    return () if folder is None else (*_alike(folder), *_alike(folder / _REPOSITORY))


def _distinct(places: tuple[SearchedPlace, ...]) -> list[SearchedPlace]:
    """The places that are there, or may be, each once."""
    return [place for place in places if (place.found or place.trouble is not None) and place.same_as is None]


def _once(places: Iterator[SearchedPlace]) -> Iterator[SearchedPlace]:
    """The places without repetition; a folder that was seen by another path before is said to be the same.

    Evidence: the articles give two paths for the same servers; one of them may lead to the other.
    """
    seen: set[str] = set()
    identities: dict[tuple[int, int], Path] = {}
    for place in places:
        text = os.path.normcase(place.path)
        if text in seen and place.conf is None:
            continue
        seen.add(text)
        identity = _identity(place.path) if place.found else None
        if identity is not None and identity in identities:
            yield replace(place, same_as=identities[identity])
        else:
            if identity is not None:
                identities[identity] = place.path
            yield place


def _identity(path: Path) -> tuple[int, int] | None:
    """What makes a folder the same by any path; None where the file system does not tell."""
    facts = path.stat()
    return (facts.st_dev, facts.st_ino) if facts.st_ino else None


def _appliance(machine: MachineFacts) -> Iterator[SearchedPlace]:
    drives = machine.fixed_drives()
    # The documented drive comes first, and is looked at even where it is not among the built-in ones.
    for root in (Path(_DOCUMENTED_DRIVE), *drives) if drives else ():
        yield _seen(root.joinpath(*_AGENTS))


def _classic(machine: MachineFacts) -> Iterator[SearchedPlace]:
    for folder in _service_folders(machine):
        conf = folder / _CONF
        try:
            named = _named(conf, machine.environ)
        except RepoManagerError as trouble:
            yield SearchedPlace(folder / _REPOSITORY, PlaceState.UNCLEAR, conf, folder, trouble=trouble)
        else:
            yield _seen(folder / _REPOSITORY, service_folder=folder) if named is None else _seen(named, conf, folder)


def _service_folders(machine: MachineFacts) -> tuple[Path, ...]:
    """The folders that may be `pushinstallsvc`, the documented default first."""
    environ = machine.environ
    homes = [Path(environ["ProgramData"]) / "ASR"] if environ.get("ProgramData") else []
    homes += [_install_dir(location) for location in machine.installed()]
    homes += [Path(environ[name]) / _INSTALL_DIR for name in _PROGRAM_FOLDERS if environ.get(name)]
    for root in machine.fixed_drives():
        homes += [*(root / name / _INSTALL_DIR for name in _PROGRAM_FOLDERS.values()), root / _INSTALL_DIR, root]
    folders = [home.joinpath(*_BELOW_INSTALL_DIR, SERVICE_FOLDER) for home in homes]
    if environ.get("SystemDrive"):
        folders.append(Path(environ["SystemDrive"] + "/") / SERVICE_FOLDER)
    return tuple({os.path.normcase(folder): folder for folder in reversed(folders)}.values())[::-1]


def _install_dir(location: Path) -> Path:
    """INSTALL_DIR, from where a program of it is installed. Which of its folders that is differs by program."""
    below = tuple(part.casefold() for part in location.parts)
    if below[-2:] == _BELOW_INSTALL_DIR:
        return location.parents[1]
    return location.parent if below[-1] == _AGENT else location


def _named(conf: Path, environ: Mapping[str, str]) -> Path | None:
    """The folder that a server's own file names; None where there is no such file, or it names none.

    Raises:
        InputError: the file is broken, or the folder is not there.
        MachineError: the file may not be read.
    """
    try:
        # Anything that is there, also a folder of that name, is somebody's word on where the repository is.
        conf.lstat()
    except OSError as error:
        if _is_absent(error):
            return None
        raise _refusal(error, conf) from error
    # Imported here because only servers have such a file and start-up should not pay elsewhere.
    from repo_manager.adapters.windows import push_conf

    try:
        data = push_conf.read(conf)
    except OSError as error:
        raise _refusal(error, conf) from error
    folders = [Path(folder) for folder in push_conf.named_folders(data, str(conf), environ)]
    there = (folder for folder in folders if _seen(folder).state is not PlaceState.ABSENT)
    found = next(there, folders[0] if folders else None)
    if found is not None and not found.is_absolute():
        raise push_conf.broken(str(conf), f"{push_conf.KEY} names {found}, which is no whole path")
    if found is not None and _seen(found).state is PlaceState.ABSENT:
        raise InputError(
            "conf-names-no-folder",
            f"{conf} says that the repository is {found}, and there is no such folder",
            "bring that drive or share back, mend that file, or name the folder with --repository",
        )
    return found


def _seen(path: Path, conf: Path | None = None, service_folder: Path | None = None) -> SearchedPlace:
    """A place, looked at. A folder is filled as soon as one installer lies in it."""
    try:
        with os.scandir(path) as entries:
            filled = any(_is_installer(entry.name) for entry in entries)
    except OSError as error:
        if _is_absent(error):
            return SearchedPlace(path, PlaceState.ABSENT, conf, service_folder)
        return SearchedPlace(path, PlaceState.REFUSED, conf, service_folder, trouble=_refusal(error, path))
    return SearchedPlace(path, PlaceState.FILLED if filled else PlaceState.EMPTY, conf, service_folder)


def _is_installer(name: str) -> bool:
    try:
        names.parse(name)
    except names.InvalidNameError:
        return False
    return True


def _alike(path: Path) -> tuple[Path, ...]:
    """The folders beside a path whose names are nearly its name."""
    # Imported here because only a mistake needs it and start-up should not pay.
    from difflib import get_close_matches

    try:
        with os.scandir(path.parent) as entries:
            beside = [entry.name for entry in entries if entry.is_dir()]
    except OSError:
        return ()
    close = get_close_matches(path.name, [name.casefold() for name in beside], n=3, cutoff=_ALIKE)
    # The right name in another case is the right one, unless case matters here and it leads nowhere.
    right = path.name.casefold() if path.is_dir() else None
    return tuple(path.parent / name for name in sorted(beside) if name.casefold() in close and name.casefold() != right)


def _is_absent(error: OSError) -> bool:
    number = getattr(error, "winerror", None)
    return isinstance(error, FileNotFoundError | NotADirectoryError) or number in _NOT_THERE


def _refusal(error: OSError, path: Path) -> MachineError:
    from repo_manager.adapters.filesystem.os_errors import disk_error

    found = disk_error(error, path)
    if not isinstance(found, NoRightsError):
        return found
    return NoRightsError("no-rights", f"{path} may not be read by this user", "run as an administrator of this server")
