from __future__ import annotations

import pytest
from simulator import REAL

from repo_manager.advice import Advice, Standpoint, advise, choose_target
from repo_manager.names import Release
from repo_manager.report import advised
from repo_manager.selection import Request


def advice(servers: str, agents: str, *packages: str, classic: bool = True) -> Advice:
    start = Standpoint(Release.parse(servers), Release.parse(agents))
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
