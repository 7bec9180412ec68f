"""A package for a version that the tool does not know yet: the catalog is edited, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest
from cli_world import ROOT

from repo_manager.core import names
from repo_manager.demo.sample import sample_installer

if TYPE_CHECKING:
    from cli_world import Cli

NAME: Final = "Microsoft-ASR_UA_9.70.0.0_RHEL11-64_GA_01Mar2027_release.tar.gz"
PACKAGE: Final = """\
packages:
  RHEL11-64:
    serves:
      - system: Red Hat Enterprise Linux
        versions: "11.0 - 11.4"
        modernized_from: "11.3"
      - {system: Rocky Linux, versions: "11"}
    extension: .tar.gz
    since: "9.70"
"""
RELEASE: Final = f"""\
releases:
  "9.70":
    published: "2027-03"
    for_classic: "yes"
    links:
      RHEL11-64: https://download.microsoft.com/download/x/{NAME}
"""
INVENTORY: Final = "Name,OS\nweb,Red Hat Enterprise Linux 11.2\nold,Red Hat Enterprise Linux 12.0\n"


@pytest.fixture
def edited(tool: Cli) -> Cli:
    """The world with the tool's own catalog, in which only a package and a release were added."""
    text = (ROOT / "catalog.yaml").read_text(encoding="utf-8")
    for heading, block in (("packages:\n", PACKAGE), ("releases:\n", RELEASE)):
        assert text.count(f"\n{heading}") == 1
        text = text.replace(f"\n{heading}", f"\n{block}")
    (tool.folder / "mine.yaml").write_text(text, encoding="utf-8")
    (tool.folder / "machines.csv").write_text(INVENTORY, encoding="utf-8")
    tool.repository.mkdir()
    (tool.folder / "source").mkdir()
    (tool.folder / "source" / NAME).write_bytes(sample_installer(names.parse(NAME), payload_bytes=1500, seed=0))
    return tool


GIVEN: Final = ("--catalog", "mine.yaml")


def test_a_new_package_is_served_after_an_edit_of_the_catalog_alone(edited: Cli) -> None:
    assert edited(*GIVEN, "catalog", "check").code == 0
    (parsed,) = edited.json(*GIVEN, "parse", NAME).document["names"]
    assert (parsed["package"], parsed["known"], parsed["release"]) == ("RHEL11-64", True, "9.70")

    (resolved,) = edited.json(*GIVEN, "resolve", "Red Hat Enterprise Linux release 11.4 (Plow)").document["answers"]
    assert (resolved["status"], resolved["package"]) == ("resolved", "RHEL11-64")
    assert resolved["modernized_only"] is True
    (rocky,) = edited.json(*GIVEN, "resolve", "ID=rocky VERSION_ID=11.9").document["answers"]
    assert rocky["package"] == "RHEL11-64"
    (own,) = edited.json("resolve", "RHEL 11.4").document["answers"]
    assert own["status"] == "unsupported"

    wanted = ("--package", "RHEL11-64", "--release", "9.70")
    audit = edited.repo_json(*GIVEN, "audit", *wanted, "--inventory", "machines.csv").document
    assert {machine["name"]: machine["prospect"] for machine in audit["machines"]} == {
        "web": "without-package",
        "old": "unsupported",
    }
    synced = edited.repo_json(*GIVEN, "sync", *wanted, "--source", "source", "--yes")
    assert synced.code == 0, synced.err
    assert [item["name"] for item in synced.document["actions"] if item["action"] == "place"] == [NAME]
    assert (edited.repository / NAME).is_file()
    audit = edited.repo_json(*GIVEN, "audit", *wanted, "--inventory", "machines.csv").document
    assert {machine["name"]: machine["prospect"] for machine in audit["machines"]}["web"] == "ready"

    shown = edited.repo_json(*GIVEN, "show", "rhel11-64").document
    assert shown["systems"] == ["Red Hat Enterprise Linux 11.0 to 11.4", "Rocky Linux 11"]
    assert [(each["system"], each["versions"], each["modernized_from"]) for each in shown["serves"]] == [
        ("Red Hat Enterprise Linux", "11.0 to 11.4", "11.3"),
        ("Rocky Linux", "11", None),
    ]
    assert shown["guide"]["file_name"] == NAME
    assert any(NAME in command for step in shown["guide"]["steps"] for command in step["commands"])


def test_a_catalog_of_the_first_edition_answers_by_the_tools_own(edited: Cli) -> None:
    lines = ["schema: 1", "hosts: [download.microsoft.com]", "support_window: 4", 'vulnerable_below: "9.49.6395.1"']
    lines += ["sources: {page: a page}", 'packages: {RHEL11-64: {systems: ["RHEL 11"], extension: .tar.gz}}']
    (edited.folder / "older.yaml").write_text("\n".join(lines) + "\n" + RELEASE, encoding="utf-8")

    checked = edited("--catalog", "older.yaml", "catalog", "check")
    assert checked.code == 0, checked.err
    assert "edition 1" in checked.err
    answers = edited.json("--catalog", "older.yaml", "resolve", "RHEL 9.4", "RHEL 11.4").document["answers"]
    assert [answer["package"] for answer in answers] == ["RHEL9-64", None]
    assert edited.json("--catalog", "older.yaml", "show", "RHEL11-64").document["systems"] == ["RHEL 11"]
