"""What a package index shows: the readme outside of the repository, and the addresses of the project."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
PROJECT: Final = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
HOME: Final = PROJECT["urls"]["Homepage"]
LINK: Final = re.compile(r"(!?)\[[^\]]*\]\(([^)\s]+)\)")


@pytest.fixture(scope="module")
def readme() -> str:
    """The readme as it is in the metadata of a wheel. Windows Python of the tests does not build wheels."""
    core = pytest.importorskip("hatchling.metadata.core")
    plugins = pytest.importorskip("hatchling.plugin.manager")
    return str(core.ProjectMetadata(str(ROOT), plugins.PluginManager()).core.readme)


def test_every_link_and_picture_of_the_readme_is_absolute_and_what_it_names_is_here(readme: str) -> None:
    links = LINK.findall(readme)
    assert len(links) == len(LINK.findall((ROOT / "README.md").read_text(encoding="utf-8")))
    for picture, address in links:
        assert address.startswith("https://")
        if address.startswith(HOME):
            start = f"{HOME}/raw/main/" if picture else f"{HOME}/blob/main/"
            assert address.startswith(start)
            assert (ROOT / address.removeprefix(start).partition("#")[0]).exists(), address


def test_pictures_and_pages_of_this_project_are_in_the_readme(readme: str) -> None:
    assert sum(address.startswith(HOME) for picture, address in LINK.findall(readme) if picture) > 0
    assert sum(address.startswith(HOME) for picture, address in LINK.findall(readme) if not picture) > 0


def test_all_addresses_of_the_project_are_below_one() -> None:
    assert [address for address in PROJECT["urls"].values() if not address.startswith(HOME)] == []
