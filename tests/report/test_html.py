"""The HTML report as a document: what it says, and that nothing in it comes alive. Browsers have tests of their own."""

from __future__ import annotations

import base64
import hashlib
import html
import re
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Final

import pytest
from assessment_world import COMMAND, HOSTILE, audited, compared, hostile, judged, parsed_day

from repo_manager.core.audit.findings import Code, Finding, Severity
from repo_manager.core.audit.machine_readiness import Readiness
from repo_manager.core.inventory import Machine, Wording
from repo_manager.report.html import STATES, WORDS, render
from repo_manager.report.text import safe

if TYPE_CHECKING:
    from collections.abc import Callable

    from repo_manager.core.audit.result import AuditResult

MAKERS: Final = {
    "a folder": audited,
    "a tidy folder": lambda: audited(tidy=True),
    "with machines": lambda: judged(120),
    "compared": lambda: compared(judged(20)),
    "hostile": hostile,
}
_VOID: Final = {"meta", "input", "rect"}


class Reader(HTMLParser):
    """Texts by section, the cells of each table, every element and every attribute."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.attributes: list[tuple[str, str | None]] = []
        self.sections: dict[str, str] = {}
        self.tables: dict[str, list[list[str]]] = {}
        self._section = ""
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes += attrs
        if tag not in _VOID:
            self._open.append(tag)
        if tag == "section":
            self._section = dict(attrs)["id"] or ""
            self.sections[self._section] = ""
        if tag == "tr":
            self.tables.setdefault(self._section, []).append([])
        if tag in {"td", "th"}:
            self.tables[self._section][-1].append("")

    def handle_endtag(self, tag: str) -> None:
        if tag not in _VOID:
            assert self._open.pop() == tag
        if tag == "section":
            self._section = ""

    def handle_data(self, data: str) -> None:
        if self._section:
            self.sections[self._section] += data
        if {"td", "th"} & set(self._open):
            self.tables[self._section][-1][-1] += data


def read(assessed: AuditResult) -> Reader:
    return Reader(render(assessed))


def rows(assessed: AuditResult, section: str) -> list[list[str]]:
    return [[cell.strip() for cell in row] for row in read(assessed).tables[section][1:]]


# Safety


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_the_document_is_ascii_and_every_element_is_closed(make: Callable[[], AuditResult]) -> None:
    text = render(make())
    assert text.isascii()
    assert Reader(text).tags["html"] == 1


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_the_policy_lets_this_style_and_this_script_be_and_nothing_else(make: Callable[[], AuditResult]) -> None:
    text = render(make())
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)
    assert policy
    digests = {
        kind: base64.b64encode(hashlib.sha256(found.encode()).digest()).decode()
        for kind, found in re.findall(r"<(style|script)>(.*?)</\1>", text, re.DOTALL)
    }
    assert html.unescape(policy[1]) == (
        f"default-src 'none'; style-src 'sha256-{digests['style']}'; script-src 'sha256-{digests['script']}'; "
        "base-uri 'none'; form-action 'none'"
    )
    assert text.index("Content-Security-Policy") < text.index("<style>")


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_nothing_outside_the_document_is_named(make: Callable[[], AuditResult]) -> None:
    reader = read(make())
    assert {"img", "iframe", "object", "embed", "base", "link", "b>i"} & set(reader.tags) == set()
    assert (reader.tags["script"], reader.tags["style"]) == (1, 1)
    for name, value in reader.attributes:
        assert not name.startswith("on"), name
        assert name not in {"src", "srcset", "style", "action", "formaction", "ping"}
        if name == "href":
            assert (value or "").startswith("#")


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_is_shown_and_nothing_more(name: str) -> None:
    machine = Machine(name, "line 2", name, Wording.GIVEN)
    found = rows(judged([machine]), "machines")
    assert found[0][0] == safe(name).strip()


def test_hostile_texts_make_no_elements() -> None:
    machines = [Machine(f"m{number}", f"line {number}", "x", Wording.GIVEN) for number in range(2 * len(HOSTILE))]
    calm = judged(machines)
    strays = [
        Finding(Code.STRAY, Severity.INFO, "is left alone", "x", file=f"f{number}") for number in range(len(HOSTILE))
    ]
    calm = compared(replace(calm, audit=replace(calm.audit, findings=(*calm.audit.findings, *strays))))
    assert read(hostile()).tags.keys() == read(calm).tags.keys()


# What it says


def test_every_package_has_its_state_version_wanted_day_and_age() -> None:
    assessed = audited()
    found = rows(assessed, "packages")
    for row, state in zip(found, assessed.audit.packages, strict=True):
        day = parsed_day(state.file) if state.file else "-"
        assert row[:5] == [state.package, STATES[state.state], state.version or "-", state.newest or "-", day]
        assert row[6] == ("by hand" if state.manual else "")
        assert row[5] == {"2025-09-20": "14 mon", "2025-09-22": "14 mon", "2025-04-23": "19 mon", "-": "-"}[day]


def test_signers_have_a_column_where_there_are_some() -> None:
    assessed = audited()
    first, *rest = assessed.audit.packages
    signed = replace(assessed.audit, packages=(replace(first, signer="Microsoft Corporation"), *rest))
    assert rows(replace(assessed, audit=signed), "packages")[0][-1] == "Microsoft Corporation"
    assert "Signed by" not in render(assessed)


def test_every_finding_of_the_folder_is_told_with_its_fix() -> None:
    assessed = audited()
    said = read(assessed).sections["findings"]
    for finding in assessed.audit.findings:
        assert finding.message in said
        assert finding.fix in said


def test_machines_that_need_the_same_are_one_line() -> None:
    assessed = judged(1200)
    same = [finding for finding in assessed.audit.findings if finding.package == "DEBIAN10-64" and finding.machine]
    said = read(assessed).sections["findings"]
    assert f"DEBIAN10-64: {len(same)} machines ({same[0].machine}, " in said
    assert said.count(f"{COMMAND} sync --package DEBIAN10-64") == 2, "once for the machines, once for the package"


def test_every_machine_is_in_the_table() -> None:
    assessed = judged(300)
    assert assessed.outlooks is not None
    found = {row[0]: row for row in rows(assessed, "machines")}
    assert len(found) == 300
    for outlook in assessed.outlooks.machines:
        row = found[outlook.machine.name]
        assert row[1] == WORDS[outlook.prospect]
        assert row[2].startswith(outlook.machine.system or "-")
        assert row[3] == (outlook.package or "-")
        if outlook.prospect not in {Readiness.READY, Readiness.NOT_CURRENT}:
            assert outlook.why in row[4]


def test_weak_words_and_machines_that_are_off_are_marked() -> None:
    machine = Machine("a", "line 2", "Debian GNU/Linux 11", Wording.CONFIGURED, powered_on=False)
    assert rows(judged([machine]), "machines")[0][2] == "Debian GNU/Linux 11 (as configured, off)"


def test_what_no_package_serves_is_listed_apart() -> None:
    assessed = judged(1200)
    assert assessed.outlooks is not None
    found = rows(assessed, "apart")
    count = assessed.outlooks.count(Readiness.UNSUPPORTED) + assessed.outlooks.count(Readiness.UNKNOWN)
    assert sum(int(row[2]) for row in found) == count
    assert {row[0] for row in found} >= {"Solaris 11", "FreeBSD 13", "(nothing is said)"}


def test_what_was_left_out_is_counted() -> None:
    said = read(judged(5)).sections["skipped"]
    assert "12 templates and 3 placeholders." in said
    assert "line 17, column OS according to the VMware Tools: the quote is never closed" in said


def test_a_bar_of_the_chart_is_split_by_what_its_machines_can_expect() -> None:
    text = render(judged(1200))
    row = re.search(r'<th scope="row">SLES15-64</th>.*', text.partition('id="needs"')[2])
    assert row
    lengths = {kind: int(width) for kind, width in re.findall(r'<rect class="([a-z-]+)" x="\d+" width="(\d+)"', row[0])}
    assert lengths.keys() == {"ready", "kernel-not-supported"}
    need = next(need for need in judged(1200).outlooks.needs if need.package == "SLES15-64")  # type: ignore[union-attr]
    assert sum(lengths.values()) == need.machines


def test_what_changed_is_told() -> None:
    assessed = compared(audited())
    assert assessed.changes is not None
    said = read(assessed).sections["changes"]
    assert "Since the audit of 2026-11-16 03:00 UTC." in said
    assert all(finding.message in said for finding in (*assessed.changes.new, *assessed.changes.fixed))
    remarked = replace(
        assessed, changes=replace(assessed.changes, remarks=("the earlier audit is of <another> folder",))
    )
    assert "the earlier audit is of <another> folder." in read(remarked).sections["changes"]
    unseen = replace(assessed, changes=replace(assessed.changes, fixed=(), not_looked_for=assessed.changes.fixed))
    told = read(unseen).sections["changes"]
    assert "2 not looked for" in " ".join(told.split())
    assert all(finding.message in told for finding in assessed.changes.fixed)
    assert "not looked for" not in said


def test_without_an_earlier_audit_everything_is_new() -> None:
    assessed = compared(audited())
    assert assessed.changes is not None
    first = replace(assessed, changes=replace(assessed.changes, since=None, new=assessed.audit.findings, fixed=()))
    said = read(first).sections["changes"]
    assert "There is no earlier audit: everything is new." in said
    assert "no installer for RHEL5-64" not in said, "the findings below say it"


def test_signatures_that_nobody_looked_at_are_told() -> None:
    assert "The signature of 2 installers was not looked at." in render(replace(audited(), unchecked=("a", "b")))


@pytest.mark.parametrize("count", [501, 1200])
def test_long_lists_end_and_say_so(count: int) -> None:
    strays = tuple(
        Finding(Code.STRAY, Severity.ERROR, "could be taken", "prune", file=f"{number}.gz") for number in range(count)
    )
    assessed = audited()
    text = render(replace(assessed, audit=replace(assessed.audit, findings=strays)))
    assert text.count("could be taken") == 500
    assert f"The first 500 of {count:,} are here." in text
