"""Damaged records of placed files are said, by each command that would have used them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from cli_world import Cli


@pytest.fixture
def damaged(tool: Cli) -> Cli:
    tool.fill()
    assert tool.repo("sync", "--source", str(tool.fill_source()), "--yes").code in {0, 1}
    folder = tool.repository / ".repo-manager"
    folder.mkdir(exist_ok=True)
    (folder / "records.json").write_bytes(b'{"schema": "repo-manager/records/1", "fil')
    return tool


@pytest.mark.parametrize("more", [(), ("--deep",)], ids=["quick", "deep"])
def test_an_audit_says_once_that_the_records_are_damaged(more: tuple[str, ...], damaged: Cli) -> None:
    answer = damaged.repo("audit", *more)
    assert answer.err.count("records.json is damaged") == 1
    assert answer.code in {0, 1}


def test_doctor_says_that_the_records_are_damaged(damaged: Cli) -> None:
    checks = {check["check"]: check for check in damaged.repo_json("doctor").document["checks"]}
    assert checks["records"]["health"] == "warning"
    assert "records.json is damaged" in checks["records"]["message"]


def test_a_change_keeps_the_damaged_records_and_says_so(damaged: Cli) -> None:
    next(path for path in damaged.repository.iterdir() if "RHEL8" in path.name).unlink()
    answer = damaged.repo("sync", "--source", str(damaged.source), "--yes")
    assert answer.code == 0, answer.err
    assert "they are kept as" in answer.err
    kept = list((damaged.repository / ".repo-manager").glob("records.json.damaged-*"))
    assert [path.read_bytes()[-4:] for path in kept] == [b'"fil']
    assert "damaged" not in damaged.repo("audit").err
