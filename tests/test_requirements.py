"""The requirement files are the lock: they fit pyproject.toml and each other, and pip can use them anywhere."""

from __future__ import annotations

import copy
import functools
import re
import tomllib
from collections import defaultdict
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any, Final

import pytest
from packaging.requirements import Requirement
from packaging.utils import NormalizedName, canonicalize_name
from packaging.version import Version

ROOT: Final = Path(__file__).parents[1]
FOLDER: Final = ROOT / "requirements"
PROJECT: Final[dict[str, Any]] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))

ON_WINDOWS: Final = {
    "sys_platform": "win32",
    "platform_system": "Windows",
    "os_name": "nt",
    "platform_machine": "AMD64",
}
ON_LINUX: Final = {
    "sys_platform": "linux",
    "platform_system": "Linux",
    "os_name": "posix",
    "platform_machine": "x86_64",
}
ON_MACOS: Final = {**ON_LINUX, "sys_platform": "darwin", "platform_system": "Darwin", "platform_machine": "arm64"}
CPYTHON: Final = {"implementation_name": "cpython", "platform_python_implementation": "CPython"}
EVERYWHERE: Final = (ON_LINUX, ON_WINDOWS, ON_MACOS)
PYTHONS: Final = ("3.11", "3.12", "3.13", "3.14")

ENTRY: Final = re.compile(
    r"([a-z0-9-]+)==([^ ;]+)(?: ; ([^\\\n]+))? \\\n((?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)"
)


@dataclass(frozen=True, slots=True)
class Content:
    """What a file must hold: the project with extras or not at all, groups, and for which systems."""

    extras: tuple[str, ...] | None = None
    groups: tuple[str, ...] = ()
    systems: tuple[dict[str, str], ...] = EVERYWHERE


FOR_WINDOWS: Final = tuple(PROJECT["project"]["optional-dependencies"].keys() - {"all"})
FILES: Final = {
    "run": Content(extras=()),
    "all": Content(extras=("all",)),
    "dev": Content(extras=("all",), groups=("dev",)),
    "build": Content(groups=("build",)),
    "browser": Content(groups=("browser",)),
    "lock": Content(groups=("lock",)),
    "windows": Content(extras=FOR_WINDOWS, groups=("tests",), systems=(ON_WINDOWS,)),
    "bundle": Content(extras=FOR_WINDOWS, groups=("bundle",), systems=(ON_WINDOWS,)),
}


@dataclass(frozen=True, slots=True)
class Pin:
    """One entry of a file."""

    name: NormalizedName
    version: str
    marker: str

    def applies(self, environment: dict[str, str]) -> bool:
        return not self.marker or applies(Requirement(f"{self.name} ; {self.marker}"), environment, "")


def applies(requirement: Requirement, environment: dict[str, str], extra: str) -> bool:
    return requirement.marker is None or requirement.marker.evaluate({**environment, "extra": extra})


@functools.cache
def pins(name: str) -> list[Pin]:
    text = (FOLDER / f"{name}.txt").read_text(encoding="ascii")
    return [Pin(canonicalize_name(found[1]), found[2], found[3] or "") for found in ENTRY.finditer(text)]


def wanted(project: dict[str, Any], content: Content) -> list[str]:
    """The requirements that pyproject.toml names for a file."""
    lines: list[str] = []
    if content.extras is not None:
        lines += project["project"]["dependencies"]
        for extra in content.extras:
            lines += project["project"]["optional-dependencies"][extra]
    for group in content.groups:
        for line in project["dependency-groups"][group]:
            lines += [line] if isinstance(line, str) else wanted(project, Content(groups=(line["include-group"],)))
    own = project["project"]["name"]
    return [
        line
        for named in lines
        for line in (
            wanted(project, Content(extras=tuple(Requirement(named).extras))) if named.startswith(own) else [named]
        )
    ]


def misfits(project: dict[str, Any], name: str) -> set[str]:
    """What `project` needs, on any system and Python, that the file does not have; and what the file has in vain.

    A package that is not installed may be needed by one that cannot be asked, so it is not reported as unused.
    """
    content = FILES[name]
    found: set[str] = set()
    used: set[str] = set()
    for system in content.systems:
        for python in PYTHONS:
            environment = {**CPYTHON, **system, "python_version": python, "python_full_version": f"{python}.0"}
            there = {pin.name: pin for pin in pins(name) if pin.applies(environment)}
            seen: set[str] = set()
            waiting = [
                requirement
                for requirement in map(Requirement, wanted(project, content))
                if applies(requirement, environment, "")
            ]
            while waiting:
                requirement = waiting.pop()
                if str(requirement) in seen:
                    continue
                seen.add(str(requirement))
                pin = there.get(canonicalize_name(requirement.name))
                if pin is None or not requirement.specifier.contains(pin.version, prereleases=True):
                    found.add(f"{name}.txt: {requirement}")
                else:
                    used.add(pin.name)
                    waiting += needs(pin, requirement.extras, environment)
    if not can_tell(project, name):
        return found
    unused = [pin.name for pin in pins(name) if pin.name not in used and installed(pin.name)]
    return found | {f"{name}.txt: {each} is not needed" for each in unused}


def can_tell(project: dict[str, Any], name: str) -> bool:
    """Whether the packages of a file are installed in their locked versions, so that they tell what they need."""
    named = list(map(Requirement, wanted(project, FILES[name])))
    return all(installed(each.name) for each in named if applies(each, {}, "")) and all(
        installed(pin.name) in {None, Version(pin.version)} for pin in pins(name)
    )


def installed(name: str) -> Version | None:
    """The version of an installed package, None where it is not installed."""
    try:
        return Version(distribution(name).version)
    except PackageNotFoundError:
        return None


def needs(pin: Pin, extras: set[str], environment: dict[str, str]) -> list[Requirement]:
    """What the pinned release itself needs, where it is installed and can be asked."""
    return [
        each
        for each in requires(pin.name, pin.version)
        if any(applies(each, environment, extra) for extra in ("", *extras))
    ]


@functools.cache
def requires(name: str, version: str) -> tuple[Requirement, ...]:
    if installed(name) != Version(version):
        return ()
    return tuple(map(Requirement, distribution(name).requires or ()))


@pytest.mark.parametrize("name", FILES)
def test_the_file_fits_pyproject(name: str) -> None:
    assert misfits(PROJECT, name) == set(), "make lock"


@pytest.mark.parametrize("name", FILES)
def test_every_entry_is_one_version_with_hashes_and_nothing_else_is_in_the_file(name: str) -> None:
    text = (FOLDER / f"{name}.txt").read_text(encoding="ascii")
    assert ENTRY.sub("", text) == ""
    assert pins(name)


def test_every_file_is_known_here() -> None:
    assert sorted(path.name for path in FOLDER.iterdir()) == sorted(f"{name}.txt" for name in FILES)


def test_a_package_has_the_same_version_in_all_files() -> None:
    versions = defaultdict(set)
    for name in FILES:
        for pin in pins(name):
            versions[pin.name].add(pin.version)
    assert {name: found for name, found in versions.items() if len(found) > 1} == {}


def test_a_package_has_the_same_hashes_in_all_files() -> None:
    hashes = defaultdict(set)
    for name in FILES:
        for found in ENTRY.finditer((FOLDER / f"{name}.txt").read_text(encoding="ascii")):
            hashes[found[1]].add(frozenset(re.findall("sha256:([0-9a-f]{64})", found[4])))
    assert {name for name, found in hashes.items() if len(found) > 1} == set()


def test_what_builds_the_project_is_what_the_build_system_asks_for() -> None:
    there = {pin.name: pin for pin in pins("build")}
    for requirement in map(Requirement, PROJECT["build-system"]["requires"]):
        assert requirement.specifier.contains(there[canonicalize_name(requirement.name)].version)


def test_the_extra_all_is_all_of_them() -> None:
    extras = PROJECT["project"]["optional-dependencies"]
    named = {extra for line in extras["all"] for extra in Requirement(line).extras}
    # These two are empty.
    assert named == extras.keys() - {"all", "smb", "inventory"}


@pytest.mark.parametrize(
    ("table", "key", "line", "name", "reason"),
    [
        ("project", "dependencies", "httpx>=99", "run", "a bound that the pinned version does not reach"),
        ("project", "dependencies", "no-such-package", "all", "a dependency that is not locked"),
        ("project", "dependencies", "no-such; sys_platform == 'darwin'", "run", "one that one system alone needs"),
        ("dependency-groups", "tests", "no-such-package", "dev", "an entry of an included group"),
        ("dependency-groups", "tests", "no-such-package", "windows", "the same for Windows"),
    ],
)
def test_a_change_of_pyproject_without_the_files_is_noticed(
    table: str, key: str, line: str, name: str, reason: str
) -> None:
    project = copy.deepcopy(PROJECT)
    project[table][key].append(line)
    assert len(misfits(project, name)) == 1, reason


@pytest.mark.parametrize(
    ("table", "key", "begins", "name"),
    [("project", "dependencies", "watchdog", "run"), ("dependency-groups", "tests", "hypothesis", "windows")],
)
def test_a_package_that_pyproject_no_longer_names_is_noticed(table: str, key: str, begins: str, name: str) -> None:
    project = copy.deepcopy(PROJECT)
    if not can_tell(project, name):
        pytest.skip("needs the locked packages")
    project[table][key] = [line for line in project[table][key] if not str(line).startswith(begins)]
    assert f"{name}.txt: {begins} is not needed" in misfits(project, name)
