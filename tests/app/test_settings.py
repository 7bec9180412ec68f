from __future__ import annotations

from pathlib import Path

import pytest

from repo_manager.app import settings
from repo_manager.app.settings import PUSH_SERVICE, Profile, Settings
from repo_manager.core.errors import DocumentError, InputError
from repo_manager.core.names import Release
from repo_manager.core.service import Timeouts

EVERYTHING = """\
profile: lab
package: [RHEL9-64, Windows]
deep: true
verbose: 2
hosts: [mirror.example]
proxy: http://proxy.example:8080
ca_file: /etc/ca.pem
publisher: Example Agents
signature_roots: /etc/roots
signatures: warn
server_release: "9.65"
retired_keep: 2
retired_days: 30
reserve_mb: 1
stop_timeout: 10
start_timeout: 20
steady_time: 0
second_folder: E:/second
require: [RHEL9-64]
profiles:
  classic:
    repository: F:/repository
  lab:
    repository: /srv/agents
    service: none
    experience: modernized
    second_folder: /srv/second
    require: [all]
  branch:
    repository: D:/repository
"""


def test_every_key_arrives_where_it_belongs() -> None:
    found = settings.parse(EVERYTHING, "config.yaml")
    assert dict(found.options) == {
        "profile": "lab",
        "package": ("RHEL9-64", "Windows"),
        "deep": True,
        "verbose": 2,
        "signatures": "warn",
    }
    assert found.hosts == ("mirror.example",)
    assert found.proxy == "http://proxy.example:8080"
    assert found.ca_file == Path("/etc/ca.pem")
    assert (found.publisher, found.signature_roots) == ("Example Agents", Path("/etc/roots"))
    assert found.server_release == Release(9, 65)
    assert (found.retired_keep, found.retired_days, found.reserve_bytes) == (2, 30, 1024 * 1024)
    assert found.patience == Timeouts(stop_s=10, start_s=20, steady_s=0)


@pytest.mark.parametrize(
    "profile",
    [
        Profile("classic", "F:/repository", PUSH_SERVICE, True, "E:/second", ("RHEL9-64",)),
        Profile("appliance", None, None, False, "E:/second", ("RHEL9-64",)),
        Profile("lab", "/srv/agents", None, False, "/srv/second", ("all",)),
        Profile("branch", "D:/repository", PUSH_SERVICE, True, "E:/second", ("RHEL9-64",)),
    ],
    ids=lambda profile: profile.name,
)
def test_a_profile_takes_what_it_does_not_say_from_the_top_level_and_the_built_in_ones(profile: Profile) -> None:
    assert settings.parse(EVERYTHING, "config.yaml").profile(profile.name) == profile


def test_a_file_that_sets_nothing_of_note_leaves_the_defaults() -> None:
    usual = Settings(options={"yes": False}, patience=Timeouts())
    assert settings.parse("yes: false\n", "config.yaml") == usual


def test_an_unknown_profile_is_refused_and_the_known_ones_named() -> None:
    with pytest.raises(InputError) as caught:
        Settings().profile("lab")
    assert caught.value.code == "unknown-profile"
    assert "appliance, classic" in caught.value.hint


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        pytest.param("relase: auto\n", (1, 1), "release", id="a key mistyped"),
        pytest.param("deep: perhaps\n", (1, 7), "deep", id="no flag"),
        pytest.param("release: 9.50\n", (1, 10), "9.50", id="a release without quotes would lose its zero"),
        pytest.param("server_release: newest\n", (1, 17), "not a release", id="no release"),
        pytest.param("keep: -1\n", (1, 7), "keep", id="too small"),
        pytest.param("stop_timeout: 0\n", (1, 15), "stop_timeout", id="no patience at all"),
        pytest.param("retired_keep: 1001\n", (1, 15), "retired_keep", id="too large"),
        pytest.param("profiles:\n  lab:\n    experience: old\n", (3, 17), "classic or modernized", id="experience"),
        pytest.param("profiles:\n  lab:\n    servise: x\n", (3, 5), "service", id="a profile's key mistyped"),
        pytest.param("package: RHEL9-64\n", (1, 10), "package", id="no list"),
        pytest.param("", (1, 1), "empty", id="an empty file"),
    ],
)
def test_a_mistake_is_reported_with_its_place(text: str, place: tuple[int, int], words: str) -> None:
    with pytest.raises(DocumentError) as caught:
        settings.parse(text, "config.yaml")
    (problem,) = caught.value.problems
    assert (problem.line, problem.column) == place
    assert words in problem.message
    assert caught.value.message.startswith("config.yaml: 1 mistake")
    assert caught.value.code == "configuration"


def test_all_mistakes_are_reported_together() -> None:
    with pytest.raises(DocumentError) as caught:
        settings.parse("deep: perhaps\nkeep: -1\nprofiles: {lab: {experience: old}}\n", "config.yaml")
    assert [problem.line for problem in caught.value.problems] == [1, 2, 3]


# Where the file is.


def test_the_file_that_is_named_is_read(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("quiet: true\n", encoding="utf-8")
    assert settings.load(file, {}).options == {"quiet": True}


def test_the_variable_names_a_file_and_the_option_beats_it(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).write_text(f"profile: {name}\n", encoding="utf-8")
    environ = {"REPO_MANAGER_CONFIG": str(tmp_path / "one")}
    assert settings.load(None, environ).options == {"profile": "one"}
    assert settings.load(tmp_path / "two", environ).options == {"profile": "two"}


def test_the_machines_own_file_is_read_where_nobody_names_one(tmp_path: Path) -> None:
    file = settings.machine_wide({"ProgramData": str(tmp_path)})
    assert file == tmp_path / "repo-manager" / "config.yaml"
    assert settings.load(None, {"ProgramData": str(tmp_path)}) == Settings()
    file.parent.mkdir()
    file.write_text("\ufeffprofile: appliance\n", encoding="utf-8")
    assert settings.load(None, {"ProgramData": str(tmp_path)}).options == {"profile": "appliance"}


def test_without_program_data_the_machines_file_is_below_etc() -> None:
    assert settings.machine_wide({}) == Path("/etc/repo-manager/config.yaml")


def test_a_named_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no file") as caught:
        settings.load(tmp_path / "none.yaml", {})
    assert caught.value.code == "no-configuration"


def test_a_folder_is_no_configuration(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read") as caught:
        settings.load(tmp_path, {})
    assert caught.value.code == "no-configuration"


def test_bytes_that_are_no_text_are_refused_with_their_place(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_bytes(b"quiet: true\nprofile: \xff\n")
    with pytest.raises(DocumentError) as caught:
        settings.load(file, {})
    assert [(problem.line, problem.column) for problem in caught.value.problems] == [(2, 10)]
