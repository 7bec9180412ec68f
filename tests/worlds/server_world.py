"""A server's drives as folders, so that looking for a repository is tested on any system."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

INSTALLER: Final = "Microsoft-ASR_UA_9.66.7567.1_RHEL9-64_GA_20Sep2025_release.tar.gz"
SVSYSTEMS: Final = ("home", "svsystems")
INSTALL_DIR: Final = "Microsoft Azure Site Recovery"


@dataclass(frozen=True)
class World:
    """A server below a folder: drives are folders with a letter for a name."""

    base: Path
    letters: tuple[str, ...] = ("C", "D")
    programs: tuple[Path, ...] = ()
    services: frozenset[str] = frozenset()
    variables: Mapping[str, str] = field(default_factory=dict)

    @property
    def environ(self) -> Mapping[str, str]:
        drive = self.drive("C")
        return {
            "ProgramData": str(drive / "ProgramData"),
            "ProgramFiles(x86)": str(drive / "Program Files (x86)"),
            "ProgramFiles": str(drive / "Program Files"),
            "SystemDrive": str(drive),
            **self.variables,
        }

    def drive(self, letter: str) -> Path:
        return self.base / letter

    def fixed_drives(self) -> tuple[Path, ...]:
        return tuple(self.drive(letter) for letter in self.letters)

    def installed(self) -> tuple[Path, ...]:
        return self.programs

    def has_service(self, name: str) -> bool:
        return name in self.services

    def make(self, *parts: str, installers: tuple[str, ...] = (), conf: str | bytes | None = None) -> Path:
        """A `pushinstallsvc` folder with a repository in it; the repository."""
        folder = self.base.joinpath(*parts)
        repository = folder / "repository"
        repository.mkdir(parents=True)
        for name in installers:
            (repository / name).write_bytes(b"x")
        if conf is not None:
            data = conf if isinstance(conf, bytes) else f'[PushInstaller]\nRepositoryPathUA="{conf}"\n'.encode()
            (folder / "pushinstaller.conf").write_bytes(data)
        return repository

    def make_agents(self, letter: str, *installers: str) -> Path:
        """An appliance's folder."""
        folder = self.drive(letter) / "Software" / "Agents"
        folder.mkdir(parents=True)
        for name in installers:
            (folder / name).write_bytes(b"x")
        return folder


@dataclass(frozen=True)
class NoServer:
    """A machine that has variables and nothing else, so that no test meets the servers of the machine it runs on."""

    environ: Mapping[str, str]

    def fixed_drives(self) -> tuple[Path, ...]:
        return ()

    def installed(self) -> tuple[Path, ...]:
        return ()

    def has_service(self, name: str) -> bool:
        return False


IN_PROGRAM_DATA: Final = ("C", "ProgramData", "ASR", *SVSYSTEMS, "pushinstallsvc")
OF_2015: Final = ("C", "pushinstallsvc")
ON_D: Final = ("D", INSTALL_DIR, *SVSYSTEMS, "pushinstallsvc")
