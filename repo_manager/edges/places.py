"""Where the servers keep their repository.

Evidence: the overview articles of 2015, 2020 and 2024 for the classic places; field scripts for
other drives.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from repo_manager.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

_BELOW_HOME: Final = ("home", "svsystems", "pushinstallsvc", "repository")
_INSTALL_DIR: Final = "Microsoft Azure Site Recovery"


def candidates(profile: str, environ: Mapping[str, str]) -> tuple[Path, ...]:
    """The places to look at, the documented default first. Empty where the profile knows none."""
    if profile == "appliance":
        return (Path("E:/Software/Agents"),)
    if profile != "classic":
        return ()
    places = []
    if environ.get("ProgramData"):
        places.append(Path(environ["ProgramData"]).joinpath("ASR", *_BELOW_HOME))
    places += [
        Path(environ[variable]).joinpath(_INSTALL_DIR, *_BELOW_HOME)
        for variable in ("ProgramFiles(x86)", "ProgramFiles")
        if environ.get(variable)
    ]
    if environ.get("SystemDrive"):
        places.append(Path(environ["SystemDrive"] + "/").joinpath("pushinstallsvc", "repository"))
    return tuple(places)


def find_repository(profile: str, environ: Mapping[str, str]) -> Path:
    """The first place that exists.

    Raises:
        InputError: none does; the message lists where it looked.
    """
    looked = candidates(profile, environ)
    for place in looked:
        if place.is_dir():
            return place
    places = "".join(f"\n  looked at {place}" for place in looked)
    raise InputError(
        "no-repository",
        f"no repository found for the profile {profile!r}{places}",
        "name the folder with --repository, or set repository in the configuration file",
    )
