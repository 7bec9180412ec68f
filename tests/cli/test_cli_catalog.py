"""Taking in a newer list of official links through the command line."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Final

import pytest
from abuse_server import always, serving
from cli_world import ROOT, tree

from repo_manager.core import catalog
from repo_manager.core.names import Release

if TYPE_CHECKING:
    from pathlib import Path

    from cli_world import Cli

LINKS: Final = (ROOT / "tests" / "data" / "AgentDownloadLinks.md").read_text(encoding="utf-8")
OWN: Final = (ROOT / "catalog.yaml").read_bytes()
NEWER: Final = """\
# Links

### Version 9.68

- [RHEL9-64][RHEL9-64-968]
- [Windows][Windows-968]

[RHEL9-64-968]: https://download.microsoft.com/download/abc/Microsoft-ASR_UA_9.68.0.0_RHEL9-64_GA_03Sep2026_release.tar.gz
[Windows-968]: https://download.microsoft.com/download/abc/Microsoft-ASR_UA_9.68.0.0_Windows_GA_03Sep2026_release.exe
"""


def lists(tool: Cli, text: str = NEWER) -> str:
    (tool.folder / "links.md").write_text(text, encoding="utf-8")
    return "links.md"


def own(tool: Cli) -> Path:
    path = tool.folder / "mine.yaml"
    path.write_bytes(OWN)
    return path


def added(before: bytes, after: bytes) -> list[str]:
    """The lines that came; none may have gone."""
    changes = list(difflib.ndiff(before.decode().splitlines(keepends=True), after.decode().splitlines(keepends=True)))
    assert not [line for line in changes if line.startswith("- ")]
    return [line[2:] for line in changes if line.startswith("+ ")]


def test_a_newer_list_from_a_file_is_taken_in_and_all_else_stays_byte_for_byte(tool: Cli) -> None:
    path = own(tool)
    answer = tool.json("--catalog", "mine.yaml", "catalog", "update", lists(tool), "--yes")
    assert answer.code == 0, answer.err
    assert answer.document["written"] is True
    assert len(answer.document["added"]) == 2
    new = added(OWN, path.read_bytes())
    assert any('"9.68"' in line for line in new)
    assert sum("https://download.microsoft.com/download/abc/" in line for line in new) == 2
    assert catalog.parse(path.read_text(encoding="utf-8")).latest == Release(9, 68)
    assert tool("--catalog", "mine.yaml", "catalog", "check").code == 0
    again = tool.json("--catalog", "mine.yaml", "catalog", "update", lists(tool), "--yes")
    assert (again.code, again.document["added"], again.document["written"]) == (0, [], False)


def test_a_newer_list_from_an_address_says_the_same(tool: Cli) -> None:
    path = own(tool)
    with serving() as server:
        address = server.url("/links.md", always(200, {"Content-Type": "text/plain"}, NEWER.encode()))
        answer = tool.json("--catalog", "mine.yaml", "catalog", "update", address, "--yes")
    assert answer.code == 0, answer.err
    from_address = path.read_bytes()
    path.write_bytes(OWN)
    assert tool("--catalog", "mine.yaml", "catalog", "update", lists(tool), "--yes").code == 0
    assert path.read_bytes() == from_address


@pytest.mark.parametrize("arguments", [("--catalog", "mine.yaml"), ()])
def test_a_dry_run_shows_the_difference_and_writes_nothing(tool: Cli, arguments: tuple[str, ...]) -> None:
    own(tool)
    source = lists(tool)
    before = tree(tool.folder)
    to = () if arguments else ("--to", "other.yaml")
    answer = tool(*arguments, "catalog", "update", source, "--dry-run", *to)
    assert answer.code == 0, answer.err
    assert "9.68" in answer.out
    assert tree(tool.folder) == before


def test_to_writes_beside_and_leaves_the_catalog_in_use_alone(tool: Cli) -> None:
    path = own(tool)
    assert tool("--catalog", "mine.yaml", "catalog", "update", lists(tool), "--to", "other.yaml", "--yes").code == 0
    assert path.read_bytes() == OWN
    assert added(OWN, (tool.folder / "other.yaml").read_bytes())
    assert tool("catalog", "update", lists(tool), "--to", "third.yaml", "--yes").code == 0
    assert (tool.folder / "third.yaml").read_bytes() == (tool.folder / "other.yaml").read_bytes()


def test_the_tools_own_catalog_is_not_written_to(tool: Cli) -> None:
    answer = tool.json("catalog", "update", lists(tool))
    assert (answer.code, answer.error["code"]) == (2, "whose-catalog")
    assert "--to" in answer.error["hint"]
    assert (ROOT / "catalog.yaml").read_bytes() == OWN


def test_the_list_that_the_catalog_was_made_of_holds_nothing_new(tool: Cli) -> None:
    answer = tool.json("catalog", "update", lists(tool, LINKS), "--to", "mine.yaml")
    assert (answer.code, answer.document["added"], answer.document["changed"]) == (0, [], [])
    assert not (tool.folder / "mine.yaml").exists()


@pytest.mark.parametrize(
    ("text", "part", "reason"),
    [
        ("", "no heading", "empty"),
        ("<html><body>please log in</body></html>", "no heading", "a login page"),
        (NEWER.replace("https://download.microsoft.com", "http://evil.example"), "line 5", "another host"),
        (NEWER.replace("_RHEL9-64_GA", "_RHEL9_64_GA"), "line 5", "a name that is none"),
    ],
)
def test_a_list_that_is_none_is_refused_and_nothing_is_written(tool: Cli, text: str, part: str, reason: str) -> None:
    path = own(tool)
    answer = tool.json("--catalog", "mine.yaml", "catalog", "update", lists(tool, text), "--yes")
    assert (answer.code, answer.error["code"]) == (2, "invalid-link-list"), reason
    assert part in answer.error["message"]
    assert path.read_bytes() == OWN


def test_an_address_that_is_not_there_is_a_failed_transfer(tool: Cli) -> None:
    own(tool)
    with serving() as server:
        answer = tool.json("--catalog", "mine.yaml", "catalog", "update", f"{server.base}/none.md")
    assert answer.code == 3
    assert answer.error["hint"]


def test_an_updated_catalog_decides_what_is_wanted(tool: Cli) -> None:
    own(tool)
    tool.repository.mkdir()
    assert tool("--catalog", "mine.yaml", "catalog", "update", lists(tool), "--yes").code == 0
    document = tool.repo_json("--catalog", "mine.yaml", "sync", "--dry-run", "--source", "nowhere").document
    assert [item["package"] for item in document["actions"] if item["action"] == "download"] == ["Windows"]
