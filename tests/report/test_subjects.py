from __future__ import annotations

from dataclasses import replace

from assessment_world import audited, judged
from hypothesis import given
from hypothesis import strategies as st

from repo_manager.core.audit.findings import Code, Finding, Severity
from repo_manager.core.inventory import Machine, Wording
from repo_manager.report.subjects import published, sentence, subjects


def test_every_finding_is_in_one_place() -> None:
    assessed = judged(500)
    found = subjects(assessed)
    places = [
        *(finding for package in found.packages for finding in package.findings),
        *found.others,
        *(machine.finding for machine in found.machines if machine.finding),
    ]
    assert sorted(map(id, places)) == sorted(map(id, assessed.audit.findings))


def test_a_machine_has_the_finding_that_is_its_own() -> None:
    """Several machines may share a name, and be of different kinds."""
    systems = ("Oracle Linux", "Debian GNU/Linux 10", "Oracle Linux", "Windows Server 2019", "Debian GNU/Linux 10")
    assessed = judged([Machine("web", f"line {row}", system, Wording.GIVEN) for row, system in enumerate(systems, 2)])
    codes = [machine.finding.code if machine.finding else None for machine in subjects(assessed).machines]
    ambiguous, without = Code.MACHINE_AMBIGUOUS, Code.MACHINE_WITHOUT_PACKAGE
    assert codes == [ambiguous, without, ambiguous, None, without]


def test_a_finding_about_an_unknown_machine_is_not_lost() -> None:
    assessed = judged(3)
    stranger = Finding(Code.MACHINE_WITHOUT_PACKAGE, Severity.ERROR, "no installer", "sync", machine="stranger")
    assessed = replace(assessed, audit=replace(assessed.audit, findings=(stranger,)))
    assert subjects(assessed).others == (stranger,)
    assert subjects(replace(assessed, outlooks=None)).others == (stranger,)


@given(st.lists(st.sampled_from(["a", "a (2)", "a (3)", "b"])))
def test_labels_are_there_once(names: list[str]) -> None:
    machines = [Machine(name, "line 2", "Solaris 11", Wording.GIVEN) for name in names]
    labels = [machine.label for machine in subjects(judged(machines, tidy=True)).machines]
    assert len(set(labels)) == len(names)
    assert all(label.startswith(name) for label, name in zip(labels, names, strict=True))


def test_a_sentence_needs_nothing_beside_it() -> None:
    finding = Finding(Code.STRAY, Severity.INFO, "is no installer", "list", file="a.txt")
    assert sentence(finding) == "a.txt: is no installer"
    assert sentence(replace(finding, message="a.txt is no installer")) == "a.txt is no installer"
    assert sentence(replace(finding, file=None)) == "is no installer"


def test_the_day_of_a_package_is_that_of_its_name() -> None:
    state = audited().audit.packages[0]
    assert published(state) is not None
    assert published(replace(state, file=None)) is None
    assert published(replace(state, file="nonsense.exe")) is None
