from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from repo_manager.core.audit.findings import Code, Finding, Severity
from repo_manager.core.audit.result import Changes
from repo_manager.core.names import Token
from repo_manager.report import changed

if TYPE_CHECKING:
    from repo_manager.core.audit.findings import Severity as Gravity

AT = datetime(2026, 5, 2, 3, 4, 5, tzinfo=UTC)


def finding(code: Code = Code.STRAY, **about: Any) -> Finding:  # noqa: ANN401 - what a finding is about
    return Finding(code, Severity.ERROR, "is so", "repo-manager prune", **about)


def lines(changes: Changes) -> list[str]:
    return "\n".join(changed.lines(changes, 80, lambda text, _severity: text)).splitlines()


@pytest.mark.parametrize(
    ("changes", "heading"),
    [
        pytest.param(
            Changes(AT, (), (finding(),), (), "x"),
            "since the audit of 2026-05-02 03:04 UTC: 0 new, 0 fixed, 1 standing",
            id="when",
        ),
        pytest.param(
            Changes(None, (), (), (), "x.json"), "since the audit in x.json: 0 new, 0 fixed, 0 standing", id="where"
        ),
        pytest.param(Changes(None, (finding(),), (), ()), "there is no earlier audit: 1 new finding", id="none"),
    ],
)
def test_the_heading_says_what_was_compared_with(changes: Changes, heading: str) -> None:
    assert lines(changes)[0] == heading


def test_findings_are_named_by_machine_file_or_package() -> None:
    new = (
        finding(file="a.txt", package=Token("RHEL7-64")),
        finding(Code.MISSING, package=Token("RHEL5-64")),
        finding(Code.MACHINE_WITHOUT_PACKAGE, package=Token("RHEL5-64"), machine="db01", file="x"),
        finding(Code.MIXED_RELEASES),
    )
    assert lines(Changes(AT, new, (), (), "x"))[1:] == [
        "  new    error stray",
        "         a.txt",
        "  new    error missing",
        "         RHEL5-64",
        "  new    error machine-without-package",
        "         db01",
        "  new    error mixed-releases",
    ]


def test_a_long_name_gets_nearly_all_of_the_line() -> None:
    part = "Microsoft-ASR_UA_9.66.7567.1_UBUNTU-20.04-64_GA_20Sep2025_release.tar.gz.part"
    new = (finding(Code.PARTIAL, file=part), finding(Code.PARTIAL, file=part.replace("20.04", "18.04")))
    found = lines(Changes(AT, new, (), (), "x"))
    assert found[1:3] == ["  new    error partial (2)", f"  {part},"]
    assert max(map(len, found)) <= 80


def test_what_nobody_looked_for_is_counted() -> None:
    heading = lines(Changes(AT, (), (), (), "x", (), (finding(), finding())))
    assert " ".join(" ".join(heading).split()).endswith("0 new, 0 fixed, 0 standing, 2 not looked for")


def test_ten_thousand_machines_are_a_few_lines() -> None:
    gone = tuple(finding(Code.MACHINE_AMBIGUOUS, machine=f"vm{number:05}") for number in range(10_000))
    found = lines(Changes(AT, (), (), gone, "x"))
    assert found[1] == "  fixed  error machine-ambiguous (10000)"
    assert (
        " ".join(" ".join(found[2:]).split()) == f"{', '.join(f'vm{number:05}' for number in range(8))} and 9992 more"
    )


def test_only_what_is_new_is_coloured() -> None:
    def paint(text: str, severity: Gravity) -> str:
        return f"<{severity.value}>{text}"

    found = changed.lines(Changes(AT, (finding(file="a"),), (), (finding(file="b"),), "x"), 80, paint)
    assert [line for line in found if "<error>" in line] == ["  <error>new    error stray"]


def test_names_from_the_outside_world_are_made_safe() -> None:
    found = "\n".join(
        lines(Changes(None, (finding(file="a\x1b[31m\u202e"),), (), (finding(machine="\n"),), "\x07.json"))
    )
    assert all(bad not in found for bad in ("\x1b", "\u202e", "\x07"))
    assert "\\n" in found
