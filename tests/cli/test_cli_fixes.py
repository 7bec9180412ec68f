"""The commands that an audit gives are run as they are pasted, and what they were given for is gone."""

from __future__ import annotations

import json
import shlex
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from cli_world import CLASSIC, OLD, Cli, InstantService, data_of, name_of

from repo_manager.core.audit.findings import Code

if TYPE_CHECKING:
    from collections.abc import Callable

ADVICE = frozenset({"list", "show", "advise", "catalog", "resolve"})
"""Commands that change nothing: what they are given for needs a decision, or a file that only people can bring."""

UNKNOWN = "Microsoft-ASR_UA_9.66.7567.1_OL6.-64_GA_20Sep2025_release.tar.gz"
NEWER = name_of("RHEL7-64").replace("9.66.7567.1", "9.99.1.1").replace("RHEL7-64", "RHEL12-64")


@dataclass(frozen=True)
class Case:
    """How a finding comes about, the options of the audit, and how the fix begins."""

    code: Code
    make: Callable[[Cli], object]
    options: tuple[str, ...] = ()
    command: str = "sync"
    before: tuple[str, ...] = ()


def _without(token: str) -> Callable[[Cli], object]:
    return lambda tool: tool.fill(tuple(other for other in CLASSIC if other != token))


def _all_and(name: str, data: bytes = b"x") -> Callable[[Cli], object]:
    def make(tool: Cli) -> None:
        tool.fill()
        tool.put(name, data)

    return make


def _outdated(tool: Cli) -> None:
    tool.fill()
    (tool.repository / name_of("RHEL8-64")).unlink()
    tool.fill(("RHEL8-64",), OLD)


def _doubled(tool: Cli) -> None:
    tool.fill()
    tool.fill(("RHEL8-64",), OLD)


def _all_old(tool: Cli) -> None:
    tool.fill(CLASSIC_OLD, OLD)


CLASSIC_OLD = tuple(token for token in CLASSIC if token not in {"RHEL10-64", "OL10-64"})


def _cut(tool: Cli) -> None:
    tool.fill()
    name = name_of("RHEL8-64")
    tool.put(name, data_of(name)[:900])


def _wrong(tool: Cli) -> None:
    tool.fill()
    name = name_of("RHEL8-64")
    tool.put(name, data_of(name, token="OL8-64"))  # noqa: S106 - a package


def _second(tool: Cli) -> None:
    tool.fill()
    (tool.folder / "second").mkdir()
    tool.config("profiles: {classic: {second_folder: second}}")


def _served_before(tool: Cli) -> None:
    tool.fill()
    tool.service = InstantService(since=1.0)


def _server_of_old(tool: Cli) -> None:
    tool.fill()
    tool.config("server_release: '9.64'")


def _server_without_links(tool: Cli) -> None:
    tool.fill()
    tool.config("server_release: '9.50'")


CONFIG = ("--config", "config.yaml")
SOME = ("--package", "rhel8-64", "--package", "OL7-64")

CASES = {
    "missing": Case(Code.MISSING, _without("RHEL8-64")),
    "missing, of some packages": Case(Code.MISSING, _without("RHEL8-64"), SOME),
    "missing, of an older release": Case(
        Code.MISSING, lambda tool: tool.fill(("OL7-64",), OLD), (*SOME, "--release", "9.64")
    ),
    "missing, without a link": Case(
        Code.MISSING, lambda tool: tool.fill(("OL7-64",)), ("--release", "9.50", "--package", "RHEL8-64"), "show"
    ),
    "outdated": Case(Code.OUTDATED, _outdated),
    "outdated, of some packages": Case(Code.OUTDATED, _outdated, SOME),
    "outdated, of the newest release": Case(Code.OUTDATED, _all_old, ("--release", "latest")),
    "duplicate": Case(Code.DUPLICATE, _doubled, command="prune"),
    "duplicate, of a package that was not asked for": Case(Code.DUPLICATE, _doubled, ("--package", "OL7-64"), "prune"),
    "stray": Case(Code.STRAY, _all_and("Copy of RHEL7-64.tar.gz"), command="prune"),
    "stray, of no package": Case(Code.STRAY, _all_and("who-to-call.txt"), command="list"),
    "partial": Case(Code.PARTIAL, _all_and(f"{name_of('OL6-64')}.part"), command="prune"),
    "corrupt": Case(Code.CORRUPT, _cut, ("--deep",)),
    "corrupt, of some packages": Case(Code.CORRUPT, _cut, ("--deep", *SOME)),
    "corrupt, of a package that was not asked for": Case(
        Code.CORRUPT, _cut, ("--deep", "--package", "OL7-64"), "prune"
    ),
    "mislabelled": Case(Code.MISLABELLED, _wrong, ("--deep",)),
    "unknown package": Case(Code.UNKNOWN_PACKAGE, _all_and(UNKNOWN), command="prune"),
    "unknown package of a newer release": Case(Code.UNKNOWN_PACKAGE, _all_and(NEWER), command="catalog"),
    "mixed releases": Case(Code.MIXED_RELEASES, _outdated),
    "mixed releases, of some packages": Case(Code.MIXED_RELEASES, _outdated, ("--package", "OL7-64")),
    "mixed releases, without links": Case(Code.MIXED_RELEASES, _outdated, ("--release", "9.50"), "advise"),
    "newer than asked for": Case(
        Code.NEWER_THAN_SERVER, lambda tool: tool.fill(("RHEL8-64",)), (*SOME, "--release", "9.64")
    ),
    "newer than asked for, without a link": Case(
        Code.NEWER_THAN_SERVER,
        lambda tool: tool.fill(("RHEL8-64",)),
        ("--package", "RHEL8-64", "--release", "9.50"),
        "show",
    ),
    "newer than the server": Case(Code.NEWER_THAN_SERVER, _server_of_old, before=CONFIG),
    "newer than the server, without links": Case(
        Code.NEWER_THAN_SERVER, _server_without_links, before=CONFIG, command="show"
    ),
    "vulnerable": Case(
        Code.VULNERABLE_RELEASE,
        lambda tool: tool.put(name_of("RHEL7-64").replace("9.66.7567.1", "9.40.1.1")),
        command="advise",
    ),
    "modernized": Case(
        Code.MODERNIZED_ONLY, _all_and(name_of("RHEL9-64"), data_of(name_of("RHEL9-64"))), command="show"
    ),
    "restart": Case(Code.RESTART_PENDING, _served_before, command="restart"),
    "second folder": Case(Code.SECOND_FOLDER_DIFFERS, _second, before=CONFIG),
    "second folder, of some packages": Case(Code.SECOND_FOLDER_DIFFERS, _second, SOME, "prune", CONFIG),
}


@pytest.fixture(autouse=True)
def _installers_are_at_hand(tool: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    tool.fill_source()
    tool.fill_source(CLASSIC_OLD, OLD)
    monkeypatch.setenv("REPO_MANAGER_SOURCE", "source")


def _audit(tool: Cli, case: Case) -> list[dict[str, Any]]:
    document = tool.json(*case.before, "--repository", "repo", "audit", *case.options).document
    found: list[dict[str, Any]] = document["findings"]
    return found


def _same(finding: dict[str, Any]) -> tuple[str, str | None, str | None]:
    # A package that is not at one release with the others may be so in other words, when one has been moved.
    return (finding["code"], finding["package"], finding["file"])


def _pasted(tool: Cli, fix: str, *more: str) -> int:
    words = shlex.split(fix, posix=sys.platform != "win32")
    assert words[0] == "repo-manager"
    answer = tool(*(word.strip('"') for word in words[1:]), *more)
    assert answer.code == 0, (fix, answer.err)
    return answer.code


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_the_fix_of_a_finding_makes_it_go_away(tool: Cli, case: Case) -> None:
    case.make(tool)
    (finding, *_) = [found for found in _audit(tool, case) if found["code"] == case.code]
    command = next(word for word in finding["fix"].split() if word in ADVICE | {"sync", "prune", "restart"})
    assert command == case.command, finding["fix"]
    if command in ADVICE:
        _pasted(tool, finding["fix"])
        return

    _pasted(tool, finding["fix"], *(() if command == "restart" else ("--yes",)))

    assert _same(finding) not in map(_same, _audit(tool, case)), finding["fix"]


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_the_last_lines_of_an_audit_fix_every_error_that_a_command_can_fix(tool: Cli, case: Case) -> None:
    case.make(tool)
    found = _audit(tool, case)
    fixes = _last_lines(tool, case)
    errors = [finding for finding in found if finding["severity"] == "error"]
    fixable = [finding for finding in errors if not ADVICE.intersection(finding["fix"].split())]
    assert bool(fixes) == bool(fixable), fixes

    for fix in fixes:
        _pasted(tool, fix, "--yes")

    left = [_same(finding) for finding in _audit(tool, case) if finding["severity"] == "error"]
    assert not [finding for finding in fixable if _same(finding) in left], fixes


def _last_lines(tool: Cli, case: Case) -> list[str]:
    text = tool(*case.before, "--repository", "repo", "audit", *case.options).out
    return [line.partition(": ")[2] for line in text.splitlines() if line.startswith(("to mend it: ", "then: "))]


def test_the_last_line_repeats_the_packages_and_the_release(tool: Cli) -> None:
    tool.repository.mkdir()

    text = tool.repo("audit", "--package", "rhel8-64", "--release", "9.64").out

    fix = "repo-manager --repository repo sync --release 9.64 --package RHEL8-64"
    assert text.splitlines()[-1] == f"to mend it: {fix}"
    assert (
        json.loads(tool.repo_json("audit", "--package", "rhel8-64", "--release", "9.64").out)["findings"][0]["fix"]
        == fix
    )
    every = tool.repo("audit", "--package", "all").out
    assert every.splitlines()[-1].endswith(" sync") or every.splitlines()[-1].endswith(" sync --package all")


def test_what_a_limited_sync_leaves_alone_has_a_line_of_its_own(tool: Cli) -> None:
    tool.mess()

    text = tool.repo("audit", "--package", "RHEL8-64", "--package", "OL7-64").out

    assert text.splitlines()[-2:] == [
        "to mend it: repo-manager --repository repo sync --package RHEL8-64 --package OL7-64",
        "then: repo-manager --repository repo prune",
    ]


def test_the_last_line_offers_no_sync_for_a_folder_that_is_hardly_a_repository(tool: Cli) -> None:
    tool.put("passwd")

    text = tool.repo("audit").out

    assert text.splitlines()[-1] == "to mend it: repo-manager --repository repo doctor"
    looked = tool.repo("doctor")
    assert looked.code == 1
    assert "no trace of installers" in looked.out + looked.err


def test_every_kind_of_finding_of_a_repository_is_tried() -> None:
    elsewhere = {
        # Of an inventory: tests/cli/test_cli_inventory.py. Of signatures: tests/cli/test_cli_signatures.py.
        *(Code.MACHINE_WITHOUT_PACKAGE, Code.MACHINE_AMBIGUOUS, Code.KERNEL_NOT_SUPPORTED),
        *(Code.UNSIGNED, Code.TAMPERED, Code.OTHER_PUBLISHER),
        # Advice as of the vulnerable ones.
        *(Code.WITHDRAWN_RELEASE, Code.UNSUPPORTED_RELEASE),
        # For people to look at: the test below, and tests/cli/test_cli_trusted_files.py.
        *(Code.NOT_A_REPOSITORY, Code.WRITABLE_BY_OTHERS),
    }
    assert {case.code for case in CASES.values()} == set(Code) - elsewhere
