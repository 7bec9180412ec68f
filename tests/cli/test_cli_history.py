"""Audits that are kept, and what a later one says has changed."""

from __future__ import annotations

import json
import os
import re
from typing import TYPE_CHECKING

import pytest
from cli_world import CLASSIC, OLD, name_of, tree
from json_schemas import check
from platforms import needs_links

if TYPE_CHECKING:
    from pathlib import Path

    from cli_world import Cli

ONLY = ("--package", "RHEL7-64", "--package", "OL7-64")


def kept(tool: Cli) -> list[Path]:
    folder = tool.folder.parent / "state" / "audits"
    return sorted(folder.iterdir()) if folder.exists() else []


def codes(document: dict[str, object], word: str) -> list[str]:
    found = document["changes"]
    assert isinstance(found, dict)
    return [item["code"] for item in found[word]]


def test_an_audit_is_kept_when_asked_and_nothing_is_written_into_the_repository(tool: Cli) -> None:
    tool.fill(("RHEL7-64",))
    before = tree(tool.repository)
    assert tool.repo("audit", *ONLY).code == 1
    assert kept(tool) == []
    assert tool.repo("audit", *ONLY, "--save").code == 1
    (path,) = kept(tool)
    document = json.loads(path.read_text(encoding="utf-8"))
    assert document["schema"] == "repo-manager/audit/1"
    check(document)
    assert tree(tool.repository) == before


def test_the_next_audit_says_what_is_new_what_is_fixed_and_what_stands(tool: Cli) -> None:
    tool.fill(("RHEL7-64",), OLD)
    partial = tool.put("RHEL7-64.tar.gz.part")
    latest = ("audit", "--release", "latest", *ONLY)
    tool.repo(*latest, "--save")
    partial.unlink()
    tool.put("who-to-call.txt")
    tool.fill(("OL7-64",), OLD)
    document = tool.repo_json(*latest, "--since", "LAST").document
    assert codes(document, "new") == ["outdated", "stray"]
    assert codes(document, "standing") == ["outdated"]
    assert codes(document, "fixed") == ["partial", "missing"] or codes(document, "fixed") == ["missing", "partial"]
    assert document["changes"]["remarks"] == []
    out = tool.repo(*latest, "--since", "last").out
    assert re.search(r"since the audit of \d{4}-\d\d-\d\d \d\d:\d\d UTC: 2 new, 2 fixed, 1 standing", out)


def test_without_since_nothing_is_compared(tool: Cli) -> None:
    tool.fill(("RHEL7-64",))
    assert tool.repo_json("audit", *ONLY, "--save").document["changes"] is None


def test_the_first_audit_says_that_all_is_new(tool: Cli) -> None:
    tool.fill(("RHEL7-64",))
    answer = tool.repo_json("audit", *ONLY, "--since", "LAST")
    assert codes(answer.document, "new") == ["missing"]
    assert answer.document["changes"]["earlier"] is None
    assert "no earlier audit" in answer.err
    assert "--save" in answer.err
    assert "--save" not in tool.repo("audit", *ONLY, "--since", "LAST", "--save").err


@pytest.mark.parametrize(
    ("change", "code"),
    [
        pytest.param(None, 0, id="what stands is no news"),
        pytest.param("RHEL7-64.tar.gz.part", 1, id="a new error"),
        pytest.param("who-to-call.txt", 0, id="a note is not worth a failure"),
        pytest.param(name_of("DEBIAN12-64"), 1, id="a new warning"),
    ],
)
def test_a_schedule_fails_only_on_what_is_new(tool: Cli, change: str | None, code: int) -> None:
    tool.fill(("RHEL7-64",))
    line = ("audit", *ONLY, "--save", "--fail-on", "new")
    assert tool.repo(*line).code == 1, "the first time everything is new"
    if change:
        tool.put(change)
    assert tool.repo(*line).code == code
    assert tool.repo(*line).code == 0, "and then it is known"


def test_a_folder_without_findings_has_nothing_new(tool: Cli) -> None:
    tool.fill(CLASSIC)
    assert tool.repo("audit", "--save", "--fail-on", "new").code == 0


def test_since_takes_a_report_that_somebody_wrote(tool: Cli) -> None:
    tool.fill(("RHEL7-64",))
    tool.repo("audit", *ONLY, "--format", "json", "--output", "before.json")
    tool.put("RHEL7-64.tar.gz.part")
    document = tool.repo_json("audit", *ONLY, "--since", "before.json").document
    assert codes(document, "new") == ["partial"]
    assert document["changes"]["earlier"].endswith("before.json")


def test_a_report_of_another_folder_is_compared_with_a_note(tool: Cli) -> None:
    tool.fill(("RHEL7-64",))
    tool.repo("audit", *ONLY, "--format", "json", "--output", "here.json")
    tool.repository.rename(tool.folder / "there")
    answer = tool.json("--repository", "there", "audit", *ONLY, "--since", "here.json")
    assert codes(answer.document, "standing") == ["missing"]
    assert "another folder" in answer.err
    assert "another folder" in answer.document["changes"]["remarks"][0]


def test_a_folder_is_the_same_by_a_relative_and_by_a_whole_path(tool: Cli) -> None:
    tool.fill(("RHEL7-64",))
    tool.repo("audit", *ONLY, "--format", "json", "--output", "before.json", "--save")
    for since in ("before.json", "LAST"):
        answer = tool.json("--repository", str(tool.repository), "audit", *ONLY, "--since", since)
        assert answer.document["changes"]["remarks"] == []
        assert codes(answer.document, "standing") == ["missing"]


@pytest.mark.parametrize(
    ("name", "data", "code"),
    [
        ("none.json", None, "no-file"),
        (".", None, "no-file"),
        ("bad.json", b"", "bad-audit"),
        ("bad.json", b"\xff\xfe", "bad-audit"),
        ("bad.json", b'{"schema": "repo-manager/list/1"}', "bad-audit"),
        ("bad.json", b"[" * 10_000, "bad-audit"),
    ],
)
def test_what_is_no_audit_is_one_clear_message(tool: Cli, name: str, data: bytes | None, code: str) -> None:
    tool.fill(("RHEL7-64",))
    if data is not None:
        (tool.folder / name).write_bytes(data)
    answer = tool.repo_json("audit", "--since", name, "--save")
    assert (answer.code, answer.error["code"]) == (2, code)
    assert kept(tool) == []


def test_a_kept_audit_that_is_damaged_is_passed_over_with_a_note(tool: Cli) -> None:
    tool.fill(("RHEL7-64",))
    tool.repo("audit", *ONLY, "--save")
    (path,) = kept(tool)
    damaged = path.with_name(f"{path.name[:33]}20990101T000000Z.json")
    damaged.write_bytes(b'{"schema": "repo-man')
    answer = tool.repo_json("audit", *ONLY, "--since", "LAST")
    assert codes(answer.document, "standing") == ["missing"]
    assert "20990101T000000Z.json is not a whole JSON document; it was passed over" in answer.err


def test_an_audit_whose_report_could_not_be_written_is_not_kept(tool: Cli) -> None:
    tool.fill(("RHEL7-64",))
    (tool.folder / "folder").mkdir()
    assert tool.repo("audit", *ONLY, "--save", "--output", "folder").code in {2, 3}
    assert kept(tool) == []


def test_an_audit_that_cannot_be_kept_is_told_all_the_same(tool: Cli) -> None:
    tool.fill(("RHEL7-64",))
    (tool.folder.parent / "state").write_text("a file", encoding="ascii")
    answer = tool.repo_json("audit", *ONLY, "--save")
    assert answer.code == 3, "a schedule would notice that there is nothing to compare with"
    assert [item["code"] for item in answer.document["findings"]] == ["missing"]
    assert re.search(r"^error\[[a-z-]+\]: .*state", answer.err, re.MULTILINE)


@pytest.mark.parametrize("way", ["../world/repo", "repo/../repo", pytest.param("link", marks=needs_links)])
def test_the_last_one_is_found_by_whatever_way_one_comes(tool: Cli, way: str) -> None:
    tool.fill(("RHEL7-64",))
    if way == "link":
        (tool.folder / way).symlink_to(tool.repository, target_is_directory=True)
    tool.repo("audit", *ONLY, "--save")
    answer = tool.json("--repository", way, "audit", *ONLY, "--since", "LAST", "--fail-on", "new")
    assert (answer.code, codes(answer.document, "standing")) == (0, ["missing"])
    assert answer.document["changes"]["remarks"] == []


def test_what_is_kept_says_where_the_repository_really_is(tool: Cli) -> None:
    tool.fill(("RHEL7-64",))
    tool.repo("audit", *ONLY, "--save")
    (path,) = kept(tool)
    assert json.loads(path.read_bytes())["repository"] == os.path.realpath(tool.repository)
    answer = tool.json("--repository", "repo", "audit", *ONLY, "--since", str(path))
    assert answer.document["changes"]["remarks"] == []


@pytest.mark.parametrize("elsewhere", ["nul\0", "\\\\server\\share\\folder", "", "/gone"])
def test_a_place_of_another_machine_is_another_folder(tool: Cli, elsewhere: str) -> None:
    tool.fill(("RHEL7-64",))
    document = tool.repo_json("audit", *ONLY).document
    (tool.folder / "before.json").write_text(json.dumps({**document, "repository": elsewhere}), encoding="ascii")
    answer = tool.repo_json("audit", *ONLY, "--since", "before.json")
    assert "another folder" in answer.document["changes"]["remarks"][0]


def test_two_that_are_saved_at_once_both_stay(tool: Cli) -> None:
    tool.fill(("RHEL7-64",))
    for _ in range(4):
        assert tool.repo("audit", *ONLY, "--save").code == 1
    assert len(kept(tool)) == 4


def machines(tool: Cli, *lines: str) -> str:
    (tool.folder / "machines.csv").write_text("\n".join(("name,os,kernel", *lines)), encoding="ascii")
    return "machines.csv"


def test_bytes_that_nobody_read_are_not_called_fixed(tool: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    tool.fill(("RHEL7-64",))
    name = name_of("RHEL7-64")
    whole = (tool.repository / name).read_bytes()
    line = ("audit", "--package", "RHEL7-64")
    tool.put(name, whole[:300])
    assert tool.repo(*line, "--deep", "--save").code == 1
    monkeypatch.setenv("REPO_MANAGER_CACHE_DIR", str(tool.folder.parent / "another cache"))
    answer = tool.repo_json(*line, "--since", "LAST")
    assert (codes(answer.document, "fixed"), codes(answer.document, "not_looked_for")) == ([], ["corrupt"])
    assert "1 earlier finding of installers that were not read; --deep reads them" in answer.err
    assert ": 0 new, 0 fixed, 0 standing, 1 not looked for" in " ".join(tool.repo(*line, "--since", "LAST").out.split())
    tool.put(name, whole)
    answer = tool.repo_json(*line, "--deep", "--since", "LAST")
    assert (codes(answer.document, "fixed"), codes(answer.document, "not_looked_for")) == (["corrupt"], [])


def test_machines_and_kernels_that_nobody_looked_at_are_not_called_fixed(tool: Cli) -> None:
    tool.fill(("UBUNTU-20.04-64",))
    line = ("audit", "--package", "UBUNTU-20.04-64", "--inventory")
    one, two = ("app,Ubuntu 20.04,5.15.0-139-generic", "db,RHEL 7.9,")
    before = tool.repo_json(*line, machines(tool, one, two), "--save")
    assert [item["code"] for item in before.document["findings"]] == ["kernel-not-supported", "machine-without-package"]
    for now, standing, unseen in (
        (("app,Ubuntu 20.04,", two), ["machine-without-package"], ["kernel-not-supported"]),
        ((two,), ["machine-without-package"], ["kernel-not-supported"]),
        (("x,RHEL 8.4,",), [], ["kernel-not-supported", "machine-without-package"]),
    ):
        answer = tool.repo_json(*line, machines(tool, *now), "--since", "LAST")
        assert codes(answer.document, "fixed") == []
        assert codes(answer.document, "standing") == standing
        assert codes(answer.document, "not_looked_for") == unseen
    answer = tool.repo_json(*line, machines(tool, "app,Ubuntu 20.04,5.15.0-100-generic", two), "--since", "LAST")
    assert codes(answer.document, "fixed") == ["kernel-not-supported"]


def test_an_audit_of_the_future_is_compared_with_a_note(tool: Cli) -> None:
    tool.fill(("RHEL7-64",))
    document = tool.repo_json("audit", *ONLY).document
    (tool.folder / "later.json").write_text(
        json.dumps({**document, "at": "2099-01-01T00:00:00+00:00"}), encoding="ascii"
    )
    answer = tool.repo_json("audit", *ONLY, "--since", "later.json")
    assert "the earlier audit is dated 2099-01-01 00:00 UTC, later than this one: one clock was wrong" in answer.err


def test_so_many_are_kept_as_the_configuration_says(tool: Cli) -> None:
    tool.fill(("RHEL7-64",))
    tool.repo("audit", *ONLY, "--save")
    (path,) = kept(tool)
    for day in range(10, 20):
        path.with_name(f"{path.name[:33]}202501{day}T000000Z.json").write_bytes(path.read_bytes())
    config = tool.config("audits_keep: 4\n")
    tool.repo("--config", config, "audit", *ONLY, "--save")
    assert len(kept(tool)) == 4
    assert tool.repo("--config", tool.config("audits_keep: 0\n"), "audit").code == 2


def test_a_limited_audit_calls_nothing_fixed_that_it_did_not_look_for(tool: Cli) -> None:
    tool.fill(("RHEL7-64",))
    tool.repo("audit", *ONLY, "--save")
    answer = tool.repo_json("audit", "--package", "RHEL7-64", "--since", "LAST")
    assert codes(answer.document, "fixed") == []
    assert "other packages were wanted then" in answer.err
