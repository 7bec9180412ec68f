from __future__ import annotations

import pytest
from simulator import REAL

from repo_manager.core.names import Release
from repo_manager.core.selection import Request
from repo_manager.core.upgrade import Advice, ServerPosition, StartingPoint, advise, choose_target, named
from repo_manager.report import advised


def advice(servers: str, agents: str, *packages: str, classic: bool = True) -> Advice:
    start = StartingPoint(Release.parse(servers), Release.parse(agents))
    return advise(
        start, choose_target("latest", REAL, classic=classic), Request(packages=packages, classic=classic), REAL
    )


def text(found: Advice) -> str:
    return advised.text(found, "repo-manager", 80)


@pytest.mark.parametrize("agents", ["8.3", "9.3", "9.16", "9.40", "9.48", "9.55", "9.58", "9.62", "9.66"])
@pytest.mark.parametrize("classic", [True, False])
def test_every_answer_fits_80_columns_and_is_plain(agents: str, classic: bool) -> None:  # noqa: FBT001 - drawn
    said = text(advice(agents, agents, classic=classic))
    assert [line for line in said.splitlines() if len(line) > 80] == []
    assert said.isascii()
    assert "\n\n\n" not in said
    assert not said.endswith("\n")


def test_neighbours_are_told_as_a_range() -> None:
    said = text(advice("9.40", "9.40"))
    assert "  vulnerable: 9.41 to 9.43, 9.45 to 9.48\n" in said
    assert "  vulnerable, not for classic servers: 9.44\n" in said
    assert "  withdrawn: 9.58\n" in said


def test_a_major_version_is_no_number_of_releases() -> None:
    assert "9.49 is of another major version: the rule allows less" in text(advice("8.3", "8.3"))


def test_packages_by_hand_are_grouped_by_steps() -> None:
    said = text(advice("9.49", "9.49", "RHEL5-64", "DEBIAN9-64"))
    # Debian 9 must be placed by hand from 9.52 on.
    assert "  by hand at steps 1 to 5, because servers may come without: RHEL5-64," in said
    said = text(advice("9.47", "9.47", "RHEL5-64", "DEBIAN9-64"))
    assert "  by hand at step 1, because servers may come without: RHEL5-64\n" in said
    assert "  by hand at steps 2 to 6, because servers may come without: RHEL5-64," in said


def test_an_appliance_has_words_of_its_own() -> None:
    said = text(advice("9.60", "9.57", classic=False))
    assert said.startswith("appliance 9.60, agents 9.57, to 9.66: ")
    assert "upgrade each replication appliance" in said
    assert "place the packages on each appliance" in said
    assert "because appliances may come without" in said
    assert "server" not in said.replace("not for classic servers", "").replace("for classic servers alone", "")


def test_a_way_back_is_told_as_none() -> None:
    start = named(("9.66",), None, REAL)
    found = advise(start, choose_target("9.60", REAL, classic=True), Request(), REAL)
    assert text(found) == (
        "from 9.66 to 9.60: no steps (classic experience)\n"
        "9.60 is older than what you have: steps only lead to newer releases, never back"
    )
    assert advised.document(found, REAL)["backwards"] is True


def test_a_fleet_is_told_by_release_the_oldest_first() -> None:
    def stand(host: str, role: str, *found: str) -> ServerPosition:
        release, oldest = map(Release.parse, found) if found else (None, None)
        return ServerPosition(host, role, release, oldest)

    fleet = (
        stand("cs1", "configuration-server", "9.66", "9.66"),
        stand("ps1", "process-server", "9.60", "9.57"),
        stand("ps2", "process-server"),
        stand("ps3", "process-server", "9.60", "9.57"),
    )
    start = StartingPoint(Release(9, 60), Release(9, 57), fleet=fleet)
    found = advise(start, choose_target("latest", REAL, classic=True), Request(), REAL)
    told = text(found)
    assert (
        "\n\nthe servers, by what they have\n"
        "  9.60 (some packages 9.57): ps1, ps3\n"
        "  9.66: cs1 (configuration server)\n"
        "  not known: ps2\n\n"
    ) in told
    assert advised.document(found, REAL)["fleet"][2] == {
        "host": "ps2",
        "role": "process-server",
        "release": None,
        "oldest": None,
    }


def test_what_nobody_does_is_not_in_the_order() -> None:
    assert "configuration server" not in text(advice("9.66", "9.61"))
    assert "upgrade the agents" not in text(advice("9.61", "9.66"))


def test_programs_get_every_step_with_its_packages() -> None:
    document = advised.document(advice("9.65", "9.61", "RHEL5-64"), REAL)
    first, last = document["steps"]
    assert (first["release"], first["parts"]) == ("9.65", ["packages", "agents"])
    assert last["parts"] == ["configuration-server", "process-servers", "packages", "agents"]
    assert last["packages"][0].keys() == {"package", "manual", "file", "url"}
    assert all(isinstance(page, str) and " " in page for page in first["evidence"])
