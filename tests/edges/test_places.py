from __future__ import annotations

from pathlib import Path

import pytest

from repo_manager.edges.places import candidates, find_repository
from repo_manager.errors import InputError

SERVER = {
    "ProgramData": r"C:\ProgramData",
    "ProgramFiles(x86)": r"C:\Program Files (x86)",
    "ProgramFiles": r"C:\Program Files",
    "SystemDrive": "C:",
}


def test_a_classic_server_is_looked_at_in_the_documented_places_the_default_first() -> None:
    looked = [str(place).replace("/", "\\") for place in candidates("classic", SERVER)]
    assert looked == [
        r"C:\ProgramData\ASR\home\svsystems\pushinstallsvc\repository",
        r"C:\Program Files (x86)\Microsoft Azure Site Recovery\home\svsystems\pushinstallsvc\repository",
        r"C:\Program Files\Microsoft Azure Site Recovery\home\svsystems\pushinstallsvc\repository",
        r"C:\pushinstallsvc\repository",
    ]


def test_an_appliance_has_one_place() -> None:
    assert candidates("appliance", SERVER) == (Path("E:/Software/Agents"),)


@pytest.mark.parametrize("profile", ["classic", "lab"])
def test_where_nothing_is_known_of_the_machine_nothing_is_guessed(profile: str) -> None:
    assert candidates(profile, {}) == ()


def test_the_first_place_that_exists_is_the_repository(tmp_path: Path) -> None:
    wanted = tmp_path / "pushinstallsvc" / "repository"
    wanted.mkdir(parents=True)
    environ = {"ProgramData": str(tmp_path / "ProgramData"), "SystemDrive": str(tmp_path)}
    assert find_repository("classic", environ) == wanted


def test_every_place_that_was_looked_at_is_named_when_there_is_none(tmp_path: Path) -> None:
    environ = {"ProgramData": str(tmp_path / "one"), "SystemDrive": str(tmp_path / "two")}
    with pytest.raises(InputError) as caught:
        find_repository("classic", environ)
    assert caught.value.code == "no-repository"
    assert str(tmp_path / "one") in caught.value.message
    assert str(tmp_path / "two") in caught.value.message
    assert "--repository" in caught.value.hint
