"""The tool finds the repository of the machine it runs on, and says so where it cannot tell which."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from cli_world import InstantService, tree, unprivileged
from server_world import IN_PROGRAM_DATA, INSTALLER, OF_2015, ON_D, NoServer, World

from repo_manager.adapters.windows.service import ServiceFacts
from repo_manager.core.service import ServiceState

if TYPE_CHECKING:
    from cli_world import Answer, Cli

CHANGES: Final = ("sync", "prune", "audit", "list", "doctor")


@pytest.fixture
def world(tool: Cli, tmp_path: Path) -> World:
    """A server for the tool to run on."""
    made = World(tmp_path / "server")
    tool.server = made
    return made


class NotAsked(NoServer):
    """A machine that nobody may ask."""

    def fixed_drives(self) -> tuple[Path, ...]:
        raise AssertionError(self)

    def installed(self) -> tuple[Path, ...]:
        raise AssertionError(self)

    def has_service(self, name: str) -> bool:
        raise AssertionError(name)


@dataclass
class Described(InstantService):
    """A service that says how it is set up."""

    facts: ServiceFacts | None = None

    def describe(self) -> ServiceFacts | None:
        return self.facts


def checks(answer: Answer, name: str) -> list[dict[str, str]]:
    return [item for item in answer.document["checks"] if item["check"] == name]


def check(answer: Answer, name: str) -> dict[str, str]:
    (found,) = checks(answer, name)
    return found


# Which profile


def test_without_a_profile_the_one_whose_folder_is_there_is_taken(tool: Cli, world: World) -> None:
    wanted = world.make(*IN_PROGRAM_DATA, installers=(INSTALLER,))
    document = tool.json("audit").document
    assert (document["profile"], document["repository"]) == ("classic", str(wanted))


def test_an_appliance_needs_no_profile(tool: Cli, world: World) -> None:
    wanted = world.make_agents("D", INSTALLER)
    document = tool.json("audit").document
    assert (document["profile"], document["repository"]) == ("appliance", str(wanted))


@pytest.mark.parametrize("command", CHANGES)
def test_two_profiles_that_fit_are_refused_and_nothing_is_changed(tool: Cli, world: World, command: str) -> None:
    classic = world.make(*IN_PROGRAM_DATA, installers=(INSTALLER,))
    appliance = world.make_agents("D", INSTALLER)
    before = tree(world.base)
    answer = tool.json(command)
    if command == "doctor":
        assert (answer.code, check(answer, "profile")["health"]) == (1, "error")
    else:
        assert (answer.code, answer.error["code"]) == (2, "two-profiles")
        assert str(classic) in answer.error["message"]
        assert str(appliance) in answer.error["message"]
    assert tree(world.base) == before
    for profile, path in (("classic", classic), ("appliance", appliance)):
        assert tool.json("--profile", profile, "list").document["repository"] == str(path)
        assert tool.json("list", "--profile", profile).document["repository"] == str(path)


def test_profiles_of_the_configuration_count_only_when_they_are_named(tool: Cli, world: World) -> None:
    wanted = world.make(*IN_PROGRAM_DATA)
    tool.fill(("RHEL7-64",))
    config = tool.config("profiles:\n  lab: {repository: repo}\n")
    assert tool.json("--config", config, "list").document["repository"] == str(wanted)
    named = tool.json("--config", config, "--profile", "lab", "list").document["repository"]
    assert Path(named).name == "repo"


@pytest.mark.parametrize(
    ("arguments", "config"),
    [
        (("--repository", "repo"), ""),
        ((), "repository: repo\n"),
        ((), "profiles:\n  classic: {repository: repo}\n"),
        ((), "profile: lab\nprofiles:\n  lab: {repository: repo}\n"),
    ],
)
@pytest.mark.parametrize("command", [("list",), ("resolve", "rhel 7"), ("audit",)])
def test_where_the_folder_is_named_the_machine_is_not_asked(
    tool: Cli, arguments: tuple[str, ...], config: str, command: tuple[str, ...]
) -> None:
    tool.fill(("RHEL7-64",))
    tool.server = NotAsked(os.environ)
    answer = tool.json("--config", tool.config(config or "# nothing\n"), *arguments, *command)
    assert answer.code in {0, 1}, answer.err
    assert answer.document["schema"].startswith(f"repo-manager/{command[0]}/")


# Which folder


@pytest.mark.parametrize("command", CHANGES)
def test_two_folders_with_installers_are_refused_and_left_as_they_are(tool: Cli, world: World, command: str) -> None:
    both = [world.make(*parts, installers=(INSTALLER,)) for parts in (IN_PROGRAM_DATA, ON_D)]
    before = tree(world.base)
    answer = tool.json(command)
    if command == "doctor":
        assert (answer.code, check(answer, "folder")["health"]) == (1, "error")
        assert sum("found" in item["message"] for item in checks(answer, "looked at")) == 2
    else:
        assert (answer.code, answer.error["code"]) == (2, "several-repositories")
        assert all(str(path) in answer.error["message"] for path in both)
    assert tree(world.base) == before


@pytest.mark.parametrize("command", ["list", "sync", "resolve rhel9", "show RHEL9-64"])
def test_a_conf_that_names_a_folder_that_is_gone_is_one_message(tool: Cli, world: World, command: str) -> None:
    world.make(*OF_2015, installers=(INSTALLER,), conf=str(world.base / "Q" / "agents"))
    answer = tool.json(*command.split())
    assert (answer.code, answer.error["code"]) == (2, "conf-names-no-folder")
    assert answer.err.count("error[") == 1


@pytest.mark.parametrize("command", ["list", "sync"])
def test_a_conf_that_is_damaged_is_one_message(tool: Cli, world: World, command: str) -> None:
    world.make(*OF_2015, installers=(INSTALLER,), conf=bytes(64))
    answer = tool.json(*command.split())
    assert (answer.code, answer.error["code"]) == (2, "invalid-conf")
    assert "pushinstaller.conf" in answer.error["message"]


def test_resolve_answers_where_there_is_no_repository(tool: Cli, world: World) -> None:
    (found,) = tool.json("resolve", "rhel 9").document["answers"]
    assert (found["package"], found["file"]) == ("RHEL9-64", None)


def test_a_folder_on_a_drive_that_was_removed_is_said_to_be_missing(tool: Cli) -> None:
    answer = tool.json("--repository", "Q:/agents", "sync")
    assert (answer.code, answer.error["code"]) == (2, "no-repository")
    assert "agents" in answer.error["message"]


@pytest.mark.skipif(sys.platform == "win32", reason="rights of Windows are not those of chmod")
@pytest.mark.parametrize("part", ["repository", "pushinstaller.conf"])
@pytest.mark.parametrize("command", ["list", "sync"])
def test_what_this_user_may_not_look_at_is_an_error_of_rights(open_tool: Cli, part: str, command: str) -> None:
    world = World(open_tool.folder / "server")
    open_tool.server = world
    world.make(*IN_PROGRAM_DATA, installers=(INSTALLER,), conf=b"")
    for path in (world.base, *world.base.rglob("*")):
        path.chmod(0o755)
    closed = world.base.joinpath(*IN_PROGRAM_DATA, part)
    closed.chmod(0)
    open_tool("list")
    answer = unprivileged(open_tool, "--json", command)
    closed.chmod(0o755)
    assert (answer.code, answer.error["code"]) == (3, "no-rights")
    assert str(closed) in answer.error["message"]
    assert "administrator" in answer.error["hint"]


# doctor


@pytest.mark.parametrize(
    ("services", "expected"),
    [
        ({"dra", "cxprocessserver"}, "configuration server"),
        ({"cxprocessserver"}, "scale-out process server"),
        (set(), "none of the services that tell it is here"),
    ],
)
def test_doctor_tells_the_role_by_the_services(tool: Cli, world: World, services: set[str], expected: str) -> None:
    world.make(*IN_PROGRAM_DATA)
    tool.server = replace(world, services=frozenset(services))
    assert check(tool.json("doctor"), "role")["message"] == expected


def test_doctor_knows_an_appliance_by_its_profile(tool: Cli, world: World) -> None:
    world.make_agents("D", INSTALLER)
    answer = tool.json("doctor")
    assert check(answer, "profile")["message"] == "appliance"
    assert check(answer, "role")["message"] == "replication appliance"


def test_doctor_says_which_file_named_the_folder(tool: Cli, world: World) -> None:
    wanted = world.drive("D") / "agents"
    wanted.mkdir(parents=True)
    world.make(*IN_PROGRAM_DATA, conf=str(wanted))
    answer = tool.json("doctor")
    found = check(answer, "folder")
    assert found["health"] == "warning"
    assert found["message"].startswith(f"{wanted}, found and empty, named by ")
    assert found["message"].endswith("pushinstaller.conf")


def test_doctor_names_every_place_once_and_not_again_when_there_is_none(tool: Cli, world: World) -> None:
    near = world.base.joinpath(*ON_D).with_name("puhsinstallsvc")
    near.mkdir(parents=True)
    answer = tool.json("doctor")
    assert answer.code == 1
    looked = [item["message"] for item in checks(answer, "looked at")]
    assert len(looked) == len(set(looked)) > 10
    assert f"{near} is there: nearly the right name, and no service reads it" in looked
    folder = check(answer, "folder")
    assert (folder["health"], "\n" in folder["message"]) == ("error", False)
    assert "--repository" in folder["hint"]


def test_doctor_is_brief_about_the_other_places_when_there_is_one(tool: Cli, world: World) -> None:
    wanted = world.make(*ON_D, installers=(INSTALLER,))
    said = tool("doctor").out
    looked = [line for line in said.splitlines() if "looked at" in line]
    assert len(looked) == 2
    assert f"{wanted}: found with installers" in " ".join(said.split())
    assert looked[1].endswith("other places: not there; -v lists them")
    everything = len(checks(tool.json("doctor"), "looked at"))
    assert sum("looked at" in line for line in tool("-v", "doctor").out.splitlines()) == everything > 10


@pytest.mark.parametrize("named", [True, False])
def test_doctor_points_at_a_second_folder_that_nobody_configured(tool: Cli, world: World, named: bool) -> None:  # noqa: FBT001 - a row
    repository = world.make(*ON_D, installers=(INSTALLER,))
    arguments = ("--repository", str(repository)) if named else ()
    assert check(tool.json(*arguments, "doctor"), "second folder")["message"] == "none is configured"
    second = repository.parent.parent / "admin" / "web" / "sw"
    second.mkdir(parents=True)
    found = check(tool.json(*arguments, "doctor"), "second folder")
    assert (found["health"], found["message"]) == ("ok", f"none is configured, and there is {second}")
    assert "second_folder" in found["hint"]
    config = tool.config(f"second_folder: '{second}'\n")
    found = check(tool.json("--config", config, *arguments, "doctor"), "second folder")
    assert found["message"] == f"{second} is kept equal"


@pytest.mark.parametrize(
    ("state", "facts", "health", "message"),
    [
        (ServiceState.RUNNING, ServiceFacts("automatic (delayed)", "LocalSystem", "x.exe"), "ok",
         "InMage PushInstall is running, starts automatic (delayed), runs as LocalSystem"),
        (ServiceState.RUNNING, ServiceFacts("manual", "CORP\\asr", "x.exe"), "warning",
         "InMage PushInstall is running, starts manual, runs as CORP\\asr"),
        (ServiceState.STOPPED, ServiceFacts("automatic", "LocalSystem", "x.exe"), "warning",
         "InMage PushInstall is stopped, starts automatic, runs as LocalSystem"),
        (ServiceState.RUNNING, None, "ok", "InMage PushInstall is running"),
    ],
)  # fmt: skip
def test_doctor_says_how_the_service_is_set_up(
    tool: Cli, state: ServiceState, facts: ServiceFacts | None, health: str, message: str
) -> None:
    tool.fill()
    tool.service = Described(now=state, facts=facts)
    answer = tool.repo_json("doctor")
    found = check(answer, "service")
    assert (found["health"], found["message"]) == (health, message)
    assert [item["message"] for item in checks(answer, "program")] == ([facts.program] if facts else [])


def test_what_doctor_says_fits_80_columns(tool: Cli, world: World) -> None:
    world.make(*IN_PROGRAM_DATA, installers=(INSTALLER,))
    world.make(*ON_D)
    lines = tool("doctor").out.splitlines()
    assert [line for line in lines if len(line) > 80 and str(world.base) not in line] == []
