"""What a code means, and how to get to a newer release."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from cli_world import CLASSIC, NEW, OLD

if TYPE_CHECKING:
    from cli_world import Cli


@pytest.mark.parametrize("code", ["missing", "MISSING", "[missing]"])
def test_a_finding_is_explained_without_a_repository(tool: Cli, code: str) -> None:
    answer = tool("explain", code)
    assert answer.code == 0
    assert answer.out.startswith("missing: a finding of an audit (error)\n\nWhat it means\n")
    assert "    repo-manager sync --package RHEL5-64\n" in answer.out
    assert "docs/how-to/place-manual-packages.md" in answer.out


def test_an_error_is_explained(tool: Cli) -> None:
    answer = tool("explain", "no-space")
    assert answer.out.startswith("no-space: an error that ends a command with exit code 3\n\n  the volume")


def test_a_code_of_both_is_explained_twice(tool: Cli) -> None:
    (found,) = tool.json("explain", "tampered").document["codes"]
    assert found["finding"]["severity"] == "error"
    assert found["error"]["exit"] == 4
    assert "tampered: also an error" in tool("explain", "tampered").out


def test_a_broken_configuration_can_be_asked_about(tool: Cli) -> None:
    config = tool.config("profle: classic\n")
    assert tool("--config", config, "list").code == 2
    assert tool("--config", config, "explain", "configuration").out.startswith("configuration: an error")
    assert tool("--config", config, "--json", "explain", "missing").document["codes"][0]["code"] == "missing"


def test_several_codes_come_one_after_the_other(tool: Cli) -> None:
    answer = tool.json("explain", "no-space", "stray")
    assert [found["code"] for found in answer.document["codes"]] == ["no-space", "stray"]


@pytest.mark.parametrize(
    ("code", "near"),
    [
        ("nospace", "no-space"),
        ("mising", "missing"),
        ("outdatet", "outdated"),
        ("kernel", "kernel-not-supported"),
        ("Kernels", "kernel-not-supported"),
        ("ambiguous", "machine-ambiguous"),
        ("machines", "machine-ambiguous or machine-without-package"),
        ("release", "unsupported-release or vulnerable-release or withdrawn-release"),
    ],
)
def test_a_wrong_code_is_told_the_nearest(tool: Cli, code: str, near: str) -> None:
    answer = tool.json("explain", code)
    assert (answer.code, answer.error["code"]) == (2, "unknown-code")
    assert answer.error["hint"] == f"did you mean {near}?"


def test_without_a_code_all_are_listed(tool: Cli) -> None:
    document = tool.json("explain").document
    assert document["schema"] == "repo-manager/explain/1"
    assert {"missing", "no-space", "vulnerable-release"} <= {found["code"] for found in document["codes"]}
    out = tool("explain").out
    assert out.startswith("FINDING ")
    assert "vulnerable-release" in out


def test_what_an_audit_ends_with_can_be_pasted(tool: Cli) -> None:
    tool.mess()
    (line,) = (line for line in tool.repo("audit").out.splitlines() if line.startswith("what a code means: "))
    assert tool(*line.partition("repo-manager ")[2].split()).code == 0
    tool.repo("prune", "--yes")


# advise


def releases(document: dict[str, list[dict[str, str]]]) -> list[str]:
    return [step["release"] for step in document["steps"]]


def test_a_folder_tells_where_it_begins(tool: Cli) -> None:
    tool.fill(("RHEL7-64",), OLD)
    document = tool.repo_json("advise").document
    assert (document["servers"], document["agents"], document["target"]) == (str(OLD), str(OLD), str(NEW))
    assert releases(document) == ["9.66"]


def test_a_folder_that_is_current_needs_nothing(tool: Cli) -> None:
    tool.fill(CLASSIC)
    answer = tool.repo("advise")
    assert (answer.code, answer.out) == (0, "from 9.66 to 9.66: nothing to do (classic experience)\n")


@pytest.mark.parametrize("order", [("9.57", "9.65"), ("9.65", "9.57")])
def test_the_oldest_of_several_releases_counts(tool: Cli, order: tuple[str, str]) -> None:
    document = tool.json("advise", "--from", order[0], "--from", order[1]).document
    assert (document["servers"], document["agents"]) == ("9.57", "9.57")


def test_the_servers_own_release_counts_for_the_servers(tool: Cli) -> None:
    config = tool.config('server_release: "9.65"\n')
    document = tool.json("--config", config, "advise", "--from", "9.57").document
    assert (document["servers"], document["agents"]) == ("9.65", "9.57")
    assert [step["parts"][0] for step in document["steps"]] == ["packages", "packages", "configuration-server"]
    out = tool("--config", config, "advise", "--from", "9.57").out
    assert "(not at steps 1 to 2: already there)" in out
    assert "add FILE --allow-older" in out


def test_the_experience_is_that_of_the_profile(tool: Cli) -> None:
    classic = tool.json("advise", "--from", "9.55").document
    modernized = tool.json("--profile", "appliance", "advise", "--from", "9.55").document
    assert (classic["experience"], modernized["experience"]) == ("classic", "modernized")
    assert "9.59" in releases(classic)
    assert "9.59" not in releases(modernized)


def test_the_packages_are_those_that_are_wanted(tool: Cli) -> None:
    document = tool.json("advise", "--from", "9.65", "--package", "rhel5-64").document
    (package,) = document["steps"][0]["packages"]
    assert (package["package"], package["manual"]) == ("RHEL5-64", True)
    assert package["url"].endswith(package["file"])


def test_evidence_is_told_in_words(tool: Cli) -> None:
    document = tool.json("advise", "--from", "9.65").document
    assert any("support matrix" in page for page in document["steps"][0]["evidence"])


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ((), "nothing-to-advise"),
        (("--from", "x"), "not-a-release"),
        (("--from", "9.60", "--to", "9.58"), "unfit-release"),
        (("--from", "9.60", "--to", "9.99"), "unknown-release"),
        (("--from", "9.60", "--package", "RHEL77"), "unknown-package"),
        (("--from", "9.99"), "unknown-release"),
        (("--from", "9.60", "--from", "1.2"), "unknown-release"),
        (("--fleet", "none.yaml"), "no-fleet"),
        (("--fleet", "none.yaml", "--from", "9.60"), "usage"),
    ],
)
def test_what_cannot_be_advised_is_one_clear_message(tool: Cli, arguments: tuple[str, ...], code: str) -> None:
    answer = tool.json("advise", *arguments)
    assert (answer.code, answer.error["code"]) == (2, code)
    assert answer.error["hint"]


def test_a_release_that_nobody_published_is_refused_in_the_words_of_the_audit(tool: Cli) -> None:
    tool.fill(("RHEL7-64",))
    errors = [tool.repo_json(*line).error for line in (("audit", "--release", "9.99"), ("advise", "--from", "9.99"))]
    assert [(error["code"], error["message"]) for error in errors] == [
        ("unknown-release", "nobody published a release 9.99")
    ] * 2


def test_a_version_as_other_screens_show_it_is_a_release(tool: Cli) -> None:
    assert tool.json("advise", "--from", "9.55.6765.1").document["agents"] == "9.55"


FLEET = """
servers:
  - {name: cs, role: configuration-server, repository: cs}
  - {name: ps1, repository: ps1}
"""


def test_the_servers_of_a_fleet_tell_where_they_stand(tool: Cli) -> None:
    for name, release in (("cs", NEW), ("ps1", OLD)):
        tool.fill(("RHEL7-64",), release)
        tool.repository.rename(tool.folder / name)
    (tool.folder / "fleet.yaml").write_text(FLEET, encoding="ascii")
    document = tool.json("advise", "--fleet", "fleet.yaml").document
    assert (document["servers"], document["agents"], releases(document)) == ("9.64", "9.64", ["9.66"])
    assert document["steps"][0]["parts"] == ["process-servers", "packages", "agents"]
    assert [(stand["host"], stand["release"]) for stand in document["fleet"]] == [("cs", "9.66"), ("ps1", "9.64")]
    by_key = tool.json("--config", tool.config("fleet: fleet.yaml\n"), "advise")
    assert by_key.document["fleet"] == document["fleet"]
    named = tool.json("--config", "config.yaml", "advise", "--from", "9.60")
    assert named.document["fleet"] == [], "what is said on the command line counts"


def test_a_server_that_cannot_be_looked_at_is_named(tool: Cli) -> None:
    tool.fill(("RHEL7-64",))
    tool.repository.rename(tool.folder / "cs")
    (tool.folder / "fleet.yaml").write_text(FLEET, encoding="ascii")
    answer = tool("advise", "--fleet", "fleet.yaml")
    assert answer.code == 7
    assert "  not known: ps1\n" in answer.out
    assert "nobody knows what these servers have: ps1" in answer.err


@pytest.mark.parametrize("package", ["RHEL7-64", "RHEL10-64"])
def test_only_what_has_a_link_is_to_be_synced(tool: Cli, package: str) -> None:
    tool.fill_source(("RHEL7-64",))
    out = tool("--profile", "appliance", "advise", "--from", "9.61", "--package", package, "--package", "RHEL7-64").out
    assert "sync --release 9.66" in out
    assert ("the catalog has no link for RHEL10-64" in out) == (package == "RHEL10-64")
