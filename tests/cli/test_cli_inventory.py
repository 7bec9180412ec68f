"""`audit --inventory` from the file to the exit code."""

from __future__ import annotations

import csv
import io
import json
import os
import shlex
from typing import TYPE_CHECKING

import pytest
from cli_world import CLASSIC, OLD, InstantService, data_of, name_of
from inventory_world import A_WAVE, RVTOOLS, csv_text, exported, ubuntu_20, xlsx
from simulator import resolve

from repo_manager.core import names
from repo_manager.demo.sample import sample_installer

if TYPE_CHECKING:
    from cli_world import Answer, Cli


def wave(tool: Cli, *rows: tuple[str, ...], name: str = "wave.csv") -> str:
    """A file with these machines beside a repository that has all packages; its name."""
    tool.fill()
    tool.service = InstantService()
    (tool.folder / name).write_text(csv_text((RVTOOLS, *(rows or A_WAVE))), encoding="utf-8", newline="")
    return name


def judged(answer: Answer) -> dict[str, str]:
    """What each machine can expect."""
    return {machine["name"]: machine["prospect"] for machine in answer.document["machines"]}


def test_each_machine_is_judged(tool: Cli) -> None:
    answer = tool.repo_json("audit", "--inventory", wave(tool))
    assert answer.code == 1
    assert judged(answer) == {
        "web-01": "ready",
        "web-02": "ready",
        "db-01": "ready",
        "db-02": "ambiguous",
        "db-03": "ambiguous",
        "app-01": "ready",
        "app-02": "kernel-not-supported",
        "app-03": "kernel-not-supported",
        "new-01": "modernized-only",
        "old-01": "unsupported",
        "box-01": "unknown",
        "dc-01": "ready",
        "=cmd|' /C calc'!A0": "ready",
    }
    counted = answer.document["inventory"]
    assert (counted["name"], counted["machines"]) == ("wave.csv", 13)
    assert (counted["templates"], counted["placeholders"], len(counted["troubles"])) == (1, 1, 2)
    assert sum(counted["prospects"].values()) == 13
    assert sum(need["machines"] for need in answer.document["needs"]) == 9


def test_the_answers_are_those_of_resolve(tool: Cli) -> None:
    answer = tool.repo_json("audit", "--inventory", wave(tool))
    machines = answer.document["machines"]
    asked = tool.repo_json("resolve", *(machine["system"] for machine in machines)).document["answers"]
    for machine, told in zip(machines, asked, strict=True):
        assert {key: machine[key] for key in ("status", "package", "candidates")} == {
            key: told[key] for key in ("status", "package", "candidates")
        }
        assert resolve(machine["system"]).status == machine["status"]


def test_a_finding_names_its_machine_and_a_command_that_works(tool: Cli) -> None:
    answer = tool.repo_json("audit", "--inventory", wave(tool))
    found = [finding for finding in answer.document["findings"] if finding["machine"]]
    assert {(finding["code"], finding["severity"], finding["machine"]) for finding in found} == {
        ("kernel-not-supported", "error", "app-02"),
        ("kernel-not-supported", "error", "app-03"),
        ("machine-ambiguous", "warning", "db-02"),
        ("machine-ambiguous", "warning", "db-03"),
        ("modernized-only", "warning", "new-01"),
    }
    for finding in found:
        assert tool(*shlex.split(finding["fix"])[1:]).code in {0, 1}


def test_a_machine_without_package_is_told_with_the_command_that_fetches_it(tool: Cli) -> None:
    file = wave(tool, exported("web", "Red Hat Enterprise Linux 7.9"))
    (tool.repository / name_of("RHEL7-64")).unlink()
    config = tool.config("require: [OL7-64]\n")
    answer = tool("--json", "--repository", "repo", "--config", config, "audit", "--inventory", file)
    assert answer.code == 1
    (finding,) = [found for found in answer.document["findings"] if found["code"] == "machine-without-package"]
    assert finding["fix"] == "repo-manager --repository repo --config config.yaml sync --package RHEL7-64"
    table = tool("--repository", "repo", "--config", config, "audit", "--inventory", file)
    assert table.out.splitlines()[-1] == f"to mend it: {finding['fix']}"


def test_where_no_command_mends_anything_none_is_named(tool: Cli) -> None:
    answer = tool.repo("audit", "--inventory", wave(tool, exported("app", detailed=ubuntu_20("5.15.0-999-generic"))))
    assert answer.code == 1
    assert "to mend it" not in answer.out
    assert "5.15.0-101-generic" in answer.out


@pytest.mark.parametrize(("fail_on", "code"), [("error", 0), ("warning", 1), ("never", 0)])
def test_machines_count_for_the_exit_code(tool: Cli, fail_on: str, code: int) -> None:
    file = wave(tool, exported("db", configured="SUSE Linux Enterprise 11 (64-bit)"))
    assert tool.repo("audit", "--inventory", file, "--fail-on", fail_on).code == code


def test_unsupported_and_unknown_systems_do_not_count(tool: Cli) -> None:
    file = wave(tool, exported("old", "Solaris 10"), exported("box", "Other (64-bit)"))
    answer = tool.repo("audit", "--inventory", file, "--fail-on", "warning")
    assert answer.code == 0
    assert "unsupported (1)" in answer.out
    assert "unknown (1)" in answer.out


def test_an_appliance_has_the_machines_of_the_modernized_experience(tool: Cli) -> None:
    file = wave(tool, exported("new", "Ubuntu 22.04.4 LTS"))
    tool.fill((*CLASSIC, "UBUNTU-22.04-64"))
    answer = tool("--json", "--profile", "appliance", "--repository", "repo", "audit", "--inventory", file)
    assert judged(answer) == {"new": "ready"}


def test_an_old_installer_may_not_know_a_kernel_that_the_new_one_does(tool: Cli) -> None:
    file = wave(tool, exported("app", detailed=ubuntu_20("5.15.0-139-generic")))
    (tool.repository / name_of("UBUNTU-20.04-64")).unlink()
    tool.fill(("UBUNTU-20.04-64",), OLD)
    answer = tool.repo_json("audit", "--inventory", file)
    assert judged(answer) == {"app": "kernel-not-supported"}
    (finding,) = [found for found in answer.document["findings"] if found["machine"]]
    assert finding["fix"].endswith("sync --package UBUNTU-20.04-64")
    assert finding["file"] == name_of("UBUNTU-20.04-64", OLD)


def test_an_installer_without_a_list_says_nothing_of_kernels(tool: Cli) -> None:
    name = name_of("UBUNTU-20.04-64")
    file = wave(tool, exported("app", detailed=ubuntu_20("5.15.0-139-generic")))
    # What is built for a Red Hat has an empty list; it is told as mislabelled, and lists nothing either.
    tool.put(name, sample_installer(names.parse(name), token=names.Token("RHEL7-64")))
    assert judged(tool.repo_json("audit", "--inventory", file)) == {"app": "without-package"}


def test_the_machines_of_a_damaged_installer_would_fail_in_every_format(tool: Cli) -> None:
    file = wave(tool, exported("app", detailed=ubuntu_20("5.15.0-139-generic")), exported("b", detailed=ubuntu_20("")))
    name = name_of("UBUNTU-20.04-64")
    tool.put(name, data_of(name)[:300])
    line = ("audit", "--inventory", file, "--deep")
    answer = tool.repo_json(*line)
    assert judged(answer) == {"app": "without-package", "b": "without-package"}
    found = [finding for finding in answer.document["findings"] if finding["machine"]]
    assert {(finding["code"], finding["file"]) for finding in found} == {("machine-without-package", name)}
    table = tool.repo(*line).out
    assert "error machine-without-package (2)" in table
    assert "    an installer is there, and it is not whole" in table
    assert "2 would fail" in tool.repo(*line, "--format", "html").out
    report = tool.repo(*line, "--format", "junit").out
    assert report.count('<failure type="machine-without-package"') == 2


def test_the_list_of_an_installer_that_is_not_the_placed_one_is_not_believed(tool: Cli) -> None:
    file = wave(tool, exported("app", detailed=ubuntu_20("5.15.0-139-generic")))
    name = name_of("UBUNTU-20.04-64")
    (tool.repository / name).unlink()
    tool.fill_source()
    assert tool.repo("sync", "--source", "source", "--yes").code == 0
    tool.put(name, data_of(name, seed=7))
    answer = tool.repo_json("audit", "--inventory", file)
    assert judged(answer) == {"app": "without-package"}
    assert [finding["code"] for finding in answer.document["findings"]] == ["corrupt", "machine-without-package"]


def test_a_sync_remembers_the_kernels_of_what_it_placed(tool: Cli) -> None:
    file = wave(tool, exported("app", detailed=ubuntu_20("5.15.0-139-generic")))
    (tool.repository / name_of("UBUNTU-20.04-64")).unlink()
    tool.fill_source()
    assert tool.repo("sync", "--source", "source", "--yes").code == 0
    (memory,) = (tool.folder.parent / "cache").glob("*.kernels.json")
    assert ["5.15.0-100-generic", "5.15.0-101-generic"] in json.loads(memory.read_bytes())["kernels"].values()
    assert judged(tool.repo_json("audit", "--inventory", file)) == {"app": "kernel-not-supported"}


def test_the_sheet_has_every_machine_and_no_formula(tool: Cli) -> None:
    answer = tool.repo("audit", "--inventory", wave(tool), "--format", "csv")
    lines = list(csv.DictReader(io.StringIO(answer.out)))
    assert len([line for line in lines if line["machine"]]) == 13
    assert "'=cmd|' /C calc'!A0" in {line["machine"] for line in lines}
    assert not any(cell.startswith(("=", "+", "-", "@")) for line in lines for cell in line.values() if cell)


def test_several_files_are_judged_together_by_option_variable_and_configuration(
    tool: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = wave(tool, exported("one", "Oracle Linux Server 7.9"), name="the first.csv")
    two = wave(tool, exported("two", "Oracle Linux Server 8.4"), name="two.csv")
    expected = {"one": "ready", "two": "ready"}
    assert judged(tool.repo_json("audit", "--inventory", one, "--inventory", two)) == expected
    config = tool.config(f"inventory: ['{one}', '{two}']\n")
    assert judged(tool("--json", "--repository", "repo", "--config", config, "audit")) == expected
    monkeypatch.setenv("REPO_MANAGER_INVENTORY", os.pathsep.join((one, two)))
    answer = tool.repo_json("audit")
    assert judged(answer) == expected
    assert [machine["place"] for machine in answer.document["machines"]] == ["the first.csv, line 2", "two.csv, line 2"]


@pytest.mark.parametrize(
    ("name", "data", "code"),
    [
        ("none.csv", None, "no-inventory"),
        ("list.csv", b"a,b\n1,2\n", "no-headings"),
        ("list.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600, "no-workbook"),
        ("list.xlsx", xlsx([("VM", "OS")])[:-40], "no-workbook"),
        ("list.bin", bytes(range(256)) * 20, "no-list"),
    ],
    ids=["missing", "no headings", "old workbook", "cut workbook", "no text"],
)
def test_a_file_that_is_no_list_is_one_error(tool: Cli, name: str, data: bytes | None, code: str) -> None:
    wave(tool)
    if data is not None:
        (tool.folder / name).write_bytes(data)
    answer = tool.repo_json("audit", "--inventory", name)
    assert (answer.code, answer.document["error"]["code"]) == (2, code)
    assert name in answer.document["error"]["message"]
    assert "Traceback" not in answer.err


def test_rows_that_cannot_be_used_are_told_in_words_on_every_console(tool: Cli) -> None:
    rows = csv_text((RVTOOLS, exported("we\x07b", "RHEL 7.9"), exported("", "RHEL 7.9")))
    wave(tool)
    (tool.folder / "odd.csv").write_bytes(rows.encode() + b'"open,RHEL\n' + "r\u00e9seau,x\n".encode("cp1252"))
    answer = tool.repo("audit", "--inventory", "odd.csv")
    assert all(line.isprintable() for line in answer.out.splitlines())
    assert "remarks on the inventory (3; left out: 2 rows)" in answer.out
    assert "line 3, VM: has no name" in answer.out


def test_control_characters_in_a_system_are_blanks_as_the_page_on_formats_says(tool: Cli) -> None:
    wave(tool)
    (tool.folder / "odd.csv").write_bytes(b"name,os\nweb,RHEL\x1b[31m 8.8\n")
    (machine,) = tool.repo_json("audit", "--inventory", "odd.csv").document["machines"]
    assert machine["system"] == "RHEL [31m 8.8"


def test_an_audit_without_inventory_has_the_keys_and_nothing_in_them(tool: Cli) -> None:
    tool.fill()
    document = tool.repo_json("audit").document
    assert (document["inventory"], document["needs"], document["machines"]) == (None, [], [])
