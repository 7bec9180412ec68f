from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from server_world import IN_PROGRAM_DATA, INSTALL_DIR, INSTALLER, OF_2015, ON_D, SVSYSTEMS, NoServer, World

from repo_manager.adapters.windows import locate
from repo_manager.adapters.windows.facts import ThisMachine
from repo_manager.adapters.windows.locate import APPLIANCE, CLASSIC, PlaceState, Search, near_misses, search
from repo_manager.core.errors import ExitCode, InputError, MachineError

if TYPE_CHECKING:
    from repo_manager.adapters.windows.locate import MachineFacts


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def classic(machine: MachineFacts) -> Search:
    return search((CLASSIC,), machine)


def repository(machine: MachineFacts, profile: str = CLASSIC) -> Path:
    return search((profile,), machine).repository(profile).path


def refusal(machine: MachineFacts, profile: str = CLASSIC) -> InputError:
    with pytest.raises(InputError) as caught:
        search((profile,), machine).repository(profile)
    assert caught.value.exit_code is ExitCode.USAGE
    assert "--repository" in caught.value.hint
    return caught.value


PLACES: Final = [
    (IN_PROGRAM_DATA, "the documented default"),
    (("C", "Program Files (x86)", INSTALL_DIR, *SVSYSTEMS, "pushinstallsvc"), "the usual install directory"),
    (("C", "Program Files", INSTALL_DIR, *SVSYSTEMS, "pushinstallsvc"), "of a 64-bit setup"),
    (("C", INSTALL_DIR, *SVSYSTEMS, "pushinstallsvc"), "right on the drive"),
    (("C", *SVSYSTEMS, "pushinstallsvc"), "without an install directory"),
    (("D", "Program Files (x86)", INSTALL_DIR, *SVSYSTEMS, "pushinstallsvc"), "on another drive"),
    (ON_D, "right on another drive"),
    (("D", *SVSYSTEMS, "pushinstallsvc"), "on another drive without an install directory"),
    (OF_2015, "servers of 2015"),
]


@pytest.mark.parametrize(("parts", "reason"), PLACES)
def test_the_repository_is_found_in_every_place_that_servers_use(
    world: World, parts: tuple[str, ...], reason: str
) -> None:
    wanted = world.make(*parts)
    assert repository(world) == wanted, reason


def test_the_places_are_looked_at_in_the_documented_order(world: World) -> None:
    looked = [place.path for place in classic(world).looked[CLASSIC]]
    wanted = [world.base.joinpath(*parts, "repository") for parts, _ in PLACES]
    others = {world.drive("D") / "Program Files" / INSTALL_DIR}
    assert [path for path in looked if not any(other in path.parents for other in others)] == wanted
    assert len(looked) == len(wanted) + len(others)


@pytest.mark.parametrize(
    ("location", "reason"),
    [
        ("Recovery", "the install directory itself"),
        ("Recovery/agent", "the Mobility service's folder in it"),
        ("Recovery/home/svsystems", "the servers' folder in it"),
    ],
)
def test_a_folder_that_the_administrator_chose_is_found_by_the_list_of_programs(
    world: World, location: str, reason: str
) -> None:
    wanted = world.make("D", "Recovery", *SVSYSTEMS, "pushinstallsvc")
    assert repository(World(world.base, programs=(world.drive("D") / location,))) == wanted, reason


def test_without_drives_and_variables_nothing_is_guessed() -> None:
    nothing = NoServer({})
    assert both(nothing).looked == {CLASSIC: (), APPLIANCE: ()}
    assert both(nothing).profile == CLASSIC
    assert search(("lab",), nothing).looked == {"lab": ()}
    assert refusal(nothing, "lab").code == "no-repository"


def test_found_and_empty_is_told_from_not_found(world: World) -> None:
    world.make(*IN_PROGRAM_DATA)
    world.make(*ON_D, installers=(INSTALLER,))
    (world.base.joinpath(*IN_PROGRAM_DATA) / "repository" / "notes.txt").write_text("x", encoding="ascii")
    states = {place.path: place.state for place in classic(world).looked[CLASSIC]}
    assert states.pop(world.base.joinpath(*IN_PROGRAM_DATA, "repository")) is PlaceState.EMPTY
    assert states.pop(world.base.joinpath(*ON_D, "repository")) is PlaceState.FILLED
    assert set(states.values()) == {PlaceState.ABSENT}


def test_a_file_of_that_name_is_no_folder(world: World) -> None:
    path = world.make(*IN_PROGRAM_DATA)
    path.rmdir()
    path.write_bytes(b"")
    assert refusal(world).code == "no-repository"


def test_every_place_that_was_looked_at_is_named_when_there_is_none(world: World) -> None:
    error = refusal(world)
    assert error.code == "no-repository"
    for place in classic(world).looked[CLASSIC]:
        assert f"\n  looked at {place.path}" in error.message


# pushinstaller.conf


def test_the_folder_that_the_servers_own_file_names_beats_the_default_beside_it(world: World) -> None:
    wanted = world.drive("D") / "agents"
    wanted.mkdir(parents=True)
    world.make(*IN_PROGRAM_DATA, installers=(INSTALLER,), conf=str(wanted))
    place = classic(world).repository(CLASSIC)
    assert (place.path, place.state) == (wanted, PlaceState.EMPTY)
    assert place.conf == world.base.joinpath(*IN_PROGRAM_DATA) / "pushinstaller.conf"


def test_a_file_that_names_none_leaves_the_default(world: World) -> None:
    wanted = world.make(*IN_PROGRAM_DATA, conf=b"[PushInstaller]\nLogLevel=3\n")
    assert repository(world) == wanted


def test_variables_in_it_are_those_of_this_machine(world: World) -> None:
    wanted = world.drive("D") / "agents"
    wanted.mkdir(parents=True)
    world.make(*OF_2015, conf="%AGENTS%/agents")
    assert repository(World(world.base, variables={"Agents": str(world.drive("D"))})) == wanted


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252", "cp850"])
def test_it_may_be_in_any_encoding(world: World, encoding: str) -> None:
    wanted = world.drive("D") / "Verteilung für Köln"
    wanted.mkdir(parents=True)
    world.make(*IN_PROGRAM_DATA, conf=f"[PushInstaller]\r\nRepositoryPathUA={wanted}\r\n".encode(encoding))
    assert repository(world) == wanted


def test_a_folder_it_names_that_is_gone_is_an_error_and_no_other_folder_is_taken(world: World) -> None:
    gone = world.base / "X" / "agents"
    world.make(*IN_PROGRAM_DATA, installers=(INSTALLER,), conf=str(gone))
    world.make(*ON_D, installers=(INSTALLER,))
    error = refusal(world)
    assert error.code == "conf-names-no-folder"
    assert str(gone) in error.message
    assert "pushinstaller.conf" in error.message


@pytest.mark.parametrize(
    ("conf", "words"),
    [
        (bytes(100), "damaged"),
        (b"[PushInstaller\n", "bracket"),
        (b"[PushInstaller]\nRepositoryPathUA=repository\n", "no whole path"),
    ],
)
def test_a_broken_one_is_an_error_that_names_it(world: World, conf: bytes, words: str) -> None:
    world.make(*IN_PROGRAM_DATA, conf=conf)
    world.make(*ON_D, installers=(INSTALLER,))
    error = refusal(world)
    assert error.code == "invalid-conf"
    assert str(world.base.joinpath(*IN_PROGRAM_DATA) / "pushinstaller.conf") in error.message
    assert words in error.message


def test_a_folder_of_its_name_is_an_error_too(world: World) -> None:
    world.make(*IN_PROGRAM_DATA)
    (world.base.joinpath(*IN_PROGRAM_DATA) / "pushinstaller.conf").mkdir()
    assert refusal(world).code == "invalid-conf"


# Several


def test_one_with_installers_beats_empty_ones(world: World) -> None:
    world.make(*IN_PROGRAM_DATA)
    world.make(*OF_2015)
    wanted = world.make(*ON_D, installers=(INSTALLER,))
    assert repository(world) == wanted


@pytest.mark.parametrize("installers", [(INSTALLER,), ()])
def test_two_of_the_same_kind_are_refused_and_both_are_named(world: World, installers: tuple[str, ...]) -> None:
    both = [world.make(*IN_PROGRAM_DATA, installers=installers), world.make(*ON_D, installers=installers)]
    error = refusal(world)
    assert error.code == "several-repositories"
    assert all(f"\n  {path}" in error.message for path in both)


def test_of_several_the_one_that_a_servers_file_names_is_taken(world: World) -> None:
    world.make(*IN_PROGRAM_DATA, installers=(INSTALLER,))
    wanted = world.make(*ON_D, installers=(INSTALLER,))
    world.make(*OF_2015, conf=str(wanted))
    assert repository(world) == wanted


def test_two_files_that_name_two_folders_are_refused(world: World) -> None:
    one, other = world.drive("D") / "one", world.drive("D") / "other"
    for folder in (one, other):
        folder.mkdir(parents=True)
    world.make(*IN_PROGRAM_DATA, conf=str(one))
    world.make(*ON_D, conf=str(other))
    error = refusal(world)
    assert error.code == "several-repositories"
    assert error.message.count("named by") == 2
    (other / INSTALLER).write_bytes(b"x")
    assert repository(world) == other


@pytest.mark.skipif(sys.platform == "win32", reason="links need a right there")
def test_one_folder_by_two_paths_is_one(world: World) -> None:
    """Servers have the default folder as a link into the install directory."""
    wanted = world.make("C", "Program Files (x86)", INSTALL_DIR, *SVSYSTEMS, "pushinstallsvc", installers=(INSTALLER,))
    link = world.drive("C") / "ProgramData" / "ASR"
    link.parent.mkdir()
    link.symlink_to(world.drive("C") / "Program Files (x86)" / INSTALL_DIR)
    found = classic(world)
    assert found.repository(CLASSIC).path.samefile(wanted)
    assert sum("the same folder as" in str(place) for place in found.looked[CLASSIC]) == 1


# Misspellings


@pytest.mark.parametrize(
    ("parts", "reason"),
    [
        (("home", "svsystems", "puhsinstallsvc"), "the misspelling of the articles"),
        (("home", "svsystems", "pushinstalsvc"), "a letter short"),
        (("home", "svsystems", "pushinstallsvc", "repositories"), "the repository's own name"),
        (("home", "svsystems", "pushinstallsvc", "repostory"), "a letter short there"),
    ],
)
def test_a_near_miss_is_pointed_at(world: World, parts: tuple[str, ...], reason: str) -> None:
    near = world.drive("D") / INSTALL_DIR / Path(*parts)
    near.mkdir(parents=True)
    assert f"\n  {near} is there" in refusal(world).message, reason


@pytest.mark.parametrize("name", ["pushinstallsvc", "bin", "push", "admin"])
def test_other_names_are_not(world: World, name: str) -> None:
    (world.drive("D") / INSTALL_DIR / "home" / "svsystems" / name / "repo").mkdir(parents=True)
    assert " is there" not in refusal(world).message


def test_a_misspelt_folder_beside_the_right_one_is_seen_too(world: World) -> None:
    right = world.make(*ON_D)
    near = right.parent.parent / "puhsinstallsvc"
    near.mkdir()
    place = classic(world).repository(CLASSIC)
    assert near_misses(place) == (near,)


# The appliance, and which profile fits


def both(machine: MachineFacts) -> Search:
    return search((CLASSIC, APPLIANCE), machine)


def test_an_appliance_is_looked_for_on_its_documented_drive_first_then_on_the_others(world: World) -> None:
    looked = [place.path for place in search((APPLIANCE,), world).looked[APPLIANCE]]
    assert looked == [Path("E:/Software/Agents"), *(world.drive(letter) / "Software" / "Agents" for letter in "CD")]
    wanted = world.make_agents("D")
    assert repository(world, APPLIANCE) == wanted


def test_without_a_profile_the_one_whose_folder_is_there_fits(world: World) -> None:
    assert both(world).profile == CLASSIC
    world.make_agents("D", INSTALLER)
    assert both(world).profile == APPLIANCE


def test_a_folder_called_agents_without_an_installer_makes_no_appliance(world: World) -> None:
    world.make_agents("D")
    assert both(world).profile == CLASSIC
    world.make(*IN_PROGRAM_DATA)
    assert both(world).profile == CLASSIC


def test_two_profiles_that_fit_are_refused(world: World) -> None:
    paths = (world.make(*IN_PROGRAM_DATA), world.make_agents("D", INSTALLER))
    with pytest.raises(InputError) as caught:
        _ = both(world).profile
    error = caught.value
    assert (error.code, error.exit_code) == ("two-profiles", ExitCode.USAGE)
    assert all(str(path) in error.message for path in paths)
    assert "--profile classic" in error.hint
    assert "--profile appliance" in error.hint


def test_a_server_whose_folder_is_not_clear_is_a_classic_one_still(world: World) -> None:
    world.make(*IN_PROGRAM_DATA, conf=bytes(8))
    assert both(world).profile == CLASSIC


# What the machine refuses


@pytest.mark.skipif(sys.platform == "win32", reason="links need a right there")
@pytest.mark.parametrize("part", ["repository", "pushinstaller.conf"])
def test_what_cannot_be_looked_at_is_no_empty_place(world: World, part: str) -> None:
    """A link to itself is refused to everybody, whatever the rights."""
    world.make(*ON_D, installers=(INSTALLER,))
    path = world.make(*IN_PROGRAM_DATA).parent / part
    if path.is_dir():
        path.rmdir()
    path.symlink_to(path)
    with pytest.raises(MachineError) as caught:
        repository(world)
    assert caught.value.exit_code is ExitCode.TRANSFER
    assert str(path) in caught.value.message


@pytest.mark.parametrize(
    ("number", "absent", "reason"),
    [
        (3, True, "no such path"),
        (21, True, "a drive without a medium"),
        (53, True, "a share whose server is gone"),
        (1005, True, "a volume that Windows cannot read"),
        (5, False, "access denied"),
        (32, False, "in use"),
        (-2144272384, False, "a volume that BitLocker has locked"),
    ],
)
def test_what_windows_says_of_a_place_decides_whether_it_is_absent(number: int, absent: bool, reason: str) -> None:  # noqa: FBT001 - a row
    error = FileNotFoundError() if number == 3 else OSError()
    # On other systems an error has no such number by itself.
    error.winerror = number  # type: ignore[attr-defined,unused-ignore]
    assert locate._is_absent(error) is absent, reason


@pytest.mark.skipif(sys.platform == "win32", reason="this is about everything else")
def test_where_there_is_no_windows_there_are_no_drives_programs_or_services() -> None:
    here = ThisMachine({})
    assert (here.fixed_drives(), here.installed(), here.has_service("InMage PushInstall")) == ((), (), False)
