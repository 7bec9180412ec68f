from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from inventory_world import machine
from simulator import TOKENS, assessment_of, audit_of, listing_of, name_of, resolve, selection_of

from repo_manager.core.audit import comparison
from repo_manager.core.audit.findings import Code, Finding, Severity
from repo_manager.core.audit.machine_readiness import InventoryReadiness, MachineReadiness, Readiness
from repo_manager.core.errors import InputError
from repo_manager.core.names import Token
from repo_manager.report import documents

if TYPE_CHECKING:
    from repo_manager.core.audit.comparison import PreviousAudit
    from repo_manager.core.audit.result import AuditResult

WINDOWS, RHEL9, RHEL8, OL6, UBUNTU = TOKENS


def outlooks(*found: MachineReadiness) -> InventoryReadiness:
    return InventoryReadiness("vms.csv", found, (), 0, 0, ())


def outlook(name: str, package: str | None = None, *, kernel_judged: bool = False) -> MachineReadiness:
    """A machine that may expect the best."""
    token = None if package is None else Token(package)
    return MachineReadiness(
        machine(name), resolve(""), Readiness.READY, token, None, "is ready", kernel_judged=kernel_judged
    )


MACHINES = outlooks()


def finding(code: Code, words: str = "is so", *, severity: Severity = Severity.ERROR, **about: Any) -> Finding:  # noqa: ANN401 - what a finding is about
    return Finding(code, severity, words, "repo-manager sync", **about)


def assessed(*findings: Finding, machines: bool = False) -> AuditResult:
    """An assessment with exactly these findings, of a folder where four packages are wanted."""
    audit = replace(audit_of(listing_of(), selection_of(None)), findings=findings)
    return assessment_of(audit, outlooks=MACHINES if machines else None)


def earlier(*findings: Finding, machines: bool = False) -> PreviousAudit:
    """The same as an earlier audit, by way of its document."""
    return comparison.read(json.dumps(documents.audit(assessed(*findings, machines=machines))), "before.json")


OUTDATED = finding(Code.OUTDATED, package=RHEL8, file=name_of(RHEL8, "9.64"))
STRAY = finding(Code.STRAY, file="Copy of x.tar.gz")
LONELY = finding(Code.MACHINE_WITHOUT_PACKAGE, package=OL6, machine="db01")
OLD, OLDER = (finding(Code.UNSUPPORTED_RELEASE, f"release {release} is old") for release in ("9.50", "9.49"))


@pytest.mark.parametrize(
    ("before", "now", "new", "fixed"),
    [
        pytest.param((), (), (), (), id="nothing stays nothing"),
        pytest.param((STRAY,), (STRAY,), (), (), id="the same"),
        pytest.param((), (STRAY,), (STRAY,), (), id="one more"),
        pytest.param((STRAY,), (), (), (STRAY,), id="one less"),
        pytest.param((STRAY,), (replace(STRAY, message="other words"),), (), (), id="words do not count"),
        pytest.param((STRAY,), (replace(STRAY, severity=Severity.INFO),), (), (), id="severity does not count"),
        pytest.param((STRAY,), (replace(STRAY, fix="other"),), (), (), id="the command does not count"),
        pytest.param((STRAY,), (replace(STRAY, file="COPY OF X.TAR.GZ"),), (), (), id="nor does the case of a name"),
        pytest.param((STRAY,), (replace(STRAY, file="y"),), (replace(STRAY, file="y"),), (STRAY,), id="another file"),
        pytest.param(
            (STRAY,),
            (replace(STRAY, code=Code.PARTIAL),),
            (replace(STRAY, code=Code.PARTIAL),),
            (STRAY,),
            id="another code",
        ),
        pytest.param(
            (OUTDATED,), (replace(OUTDATED, file="b"),), (), (), id="outdated it stays, whichever file it is by"
        ),
        pytest.param((LONELY,), (replace(LONELY, file="x"),), (), (), id="a machine is known by its name"),
        pytest.param((LONELY,), (replace(LONELY, machine="DB01"),), (), (), id="in any case"),
        pytest.param((OLD, OLDER), (OLD,), (), (OLDER,), id="findings of one identity are told apart by words"),
        pytest.param((OLD,), (OLDER, OLD), (OLDER,), (), id="also when one comes before"),
        pytest.param((OLD, OLDER), (replace(OLD, message="?"),), (), (OLDER,), id="or one by one"),
        pytest.param((STRAY, STRAY), (STRAY,), (), (STRAY,), id="each counts once"),
    ],
)
def test_what_became_of_findings(
    before: tuple[Finding, ...], now: tuple[Finding, ...], new: tuple[Finding, ...], fixed: tuple[Finding, ...]
) -> None:
    found = comparison.compare(earlier(*before, machines=True), assessed(*now, machines=True))
    assert (found.new, found.fixed) == (new, fixed)
    assert sorted(map(str, (*found.new, *found.standing))) == sorted(map(str, now))
    assert found.remarks == ()


def test_the_changes_name_the_audit_before() -> None:
    found = comparison.compare(earlier(), assessed())
    assert (found.earlier, found.since) == ("before.json", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))


def test_without_an_earlier_audit_all_is_new() -> None:
    found = comparison.nothing_before(assessed(STRAY, OLD))
    assert (found.new, found.standing, found.fixed) == ((STRAY, OLD), (), ())
    assert (found.earlier, found.since) == (None, None)


MISSING = finding(Code.MISSING, package=RHEL9)


@pytest.mark.parametrize(
    ("before", "now", "fixed", "remark"),
    [
        pytest.param(
            earlier(LONELY, machines=True),
            assessed(),
            (),
            "judged an inventory, this one did not; not looked for, so not called fixed: 1 earlier finding of machines:"
            " no inventory was judged",
            id="no inventory now",
        ),
        pytest.param(earlier(), assessed(LONELY, machines=True), (), "judged no inventory", id="no inventory then"),
        pytest.param(replace(earlier(), release="9.64"), assessed(), (), "wanted release 9.64", id="another release"),
        pytest.param(
            replace(earlier(MISSING, STRAY), wanted=frozenset({"RHEL10-64"})),
            assessed(),
            (MISSING, STRAY),
            "other packages were wanted then",
            id="other packages",
        ),
        pytest.param(replace(earlier(), deep=True), assessed(), (), "read every byte", id="not as deep"),
        pytest.param(
            replace(earlier(), at=datetime(2036, 1, 1, tzinfo=UTC)),
            assessed(),
            (),
            "is dated 2036-01-01 00:00 UTC, later than this one: one clock was wrong",
            id="of the future",
        ),
        pytest.param(replace(earlier(), unknown=2), assessed(), (), "2 earlier findings are of kinds", id="of later"),
    ],
)
def test_what_makes_two_audits_hard_to_compare_is_said(
    before: PreviousAudit, now: AuditResult, fixed: tuple[Finding, ...], remark: str
) -> None:
    found = comparison.compare(before, now)
    assert found.fixed == fixed
    assert remark in "; ".join(found.remarks)
    assert len(found.remarks) == len(remark.split("; "))


CORRUPT = finding(Code.CORRUPT, package=RHEL8, file=name_of(RHEL8))
UNSIGNED = finding(Code.UNSIGNED, package=WINDOWS, file=name_of(WINDOWS))
SECOND = finding(Code.SECOND_FOLDER_DIFFERS, file=name_of(WINDOWS))
KERNEL = finding(Code.KERNEL_NOT_SUPPORTED, package=UBUNTU, machine="app01")
BROKEN = replace(LONELY, file=name_of(OL6))


@pytest.mark.parametrize(
    ("gone", "now", "words"),
    [
        pytest.param(CORRUPT, {"unread": (name_of(RHEL8).upper(),)}, "installers that were not read", id="unread"),
        pytest.param(CORRUPT, {"unread": (name_of(RHEL9),)}, None, id="another is unread"),
        pytest.param(CORRUPT, {}, None, id="read"),
        pytest.param(
            replace(CORRUPT, code=Code.MISLABELLED), {"unread": (CORRUPT.file,)}, "not read", id="mislabelled"
        ),
        pytest.param(UNSIGNED, {"unchecked": (UNSIGNED.file,)}, "signatures that were not", id="signature not checked"),
        pytest.param(UNSIGNED, {"unread": (UNSIGNED.file,)}, "signatures that were not", id="nor read"),
        pytest.param(UNSIGNED, {}, None, id="signature checked"),
        pytest.param(replace(MISSING, package=Token("OL9-64")), {}, "packages that are not wanted", id="not wanted"),
        pytest.param(
            finding(Code.NEWER_THAN_SERVER, package="OL9-64", file="x"), {}, "packages that are not", id="newer"
        ),
        pytest.param(MISSING, {}, None, id="wanted"),
        pytest.param(SECOND, {}, "of the second folder, which was not compared", id="no second folder"),
        pytest.param(SECOND, {"second": True}, None, id="a second folder"),
        pytest.param(LONELY, {}, "machines: no inventory was judged", id="no inventory"),
        pytest.param(LONELY, {"outlooks": outlooks(outlook("x"))}, "machines that are in no inventory", id="not in it"),
        pytest.param(LONELY, {"outlooks": outlooks(outlook("DB01"))}, None, id="in it"),
        pytest.param(
            BROKEN, {"outlooks": outlooks(outlook("db01")), "unread": (BROKEN.file,)}, "not read", id="was not whole"
        ),
        pytest.param(BROKEN, {"outlooks": outlooks(outlook("db01"))}, None, id="is whole"),
        pytest.param(
            KERNEL, {"outlooks": outlooks(outlook("app01", UBUNTU))}, "kernels that could not be", id="no kernel said"
        ),
        pytest.param(
            KERNEL, {"outlooks": outlooks(outlook("app01"))}, "kernels that could not be", id="no system said"
        ),
        pytest.param(KERNEL, {"outlooks": outlooks(outlook("app01", UBUNTU, kernel_judged=True))}, None, id="kernel"),
        pytest.param(KERNEL, {"outlooks": outlooks(outlook("app01", RHEL9))}, None, id="another system by now"),
    ],
)
def test_what_an_audit_did_not_look_for_is_not_called_fixed(
    gone: Finding, now: dict[str, Any], words: str | None
) -> None:
    found = comparison.compare(earlier(gone), assessment_of(assessed().audit, **now))
    assert (found.fixed, found.not_looked_for) == (((), (gone,)) if words else ((gone,), ()))
    said = [remark for remark in found.remarks if remark.startswith("not looked for, so not called fixed: 1 earlier")]
    assert len(said) == bool(words)
    assert (words or "") in "".join(said)


def test_what_stands_was_looked_for_and_counts_are_told_by_reason() -> None:
    now = assessment_of(replace(assessed().audit, findings=(CORRUPT,)), unread=(CORRUPT.file, name_of(RHEL9)))
    other = replace(CORRUPT, package=RHEL9, file=name_of(RHEL9))
    again = replace(other, code=Code.MISLABELLED)
    found = comparison.compare(earlier(CORRUPT, other, again), now)
    assert (found.standing, found.fixed, found.not_looked_for) == ((CORRUPT,), (), (other, again))
    assert found.remarks == (
        "not looked for, so not called fixed: 2 earlier findings of installers that were not read; --deep reads them",
    )


def test_what_was_missing_of_packages_that_are_not_wanted_now_is_not_fixed() -> None:
    alone = assessment_of(replace(audit_of(listing_of(), selection_of(None, RHEL8)), findings=()))
    gone = replace(MISSING, package=Token(RHEL8))
    found = comparison.compare(earlier(MISSING, gone, STRAY), alone)
    assert (found.fixed, found.not_looked_for) == ((gone, STRAY), (MISSING,))


def test_another_folder_is_compared_with_a_remark() -> None:
    found = comparison.compare(earlier(STRAY), assessed(STRAY), same_place=False)
    assert found.standing == (STRAY,)
    assert "another folder" in found.remarks[0]


# The document


def document(**more: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON
    return {**documents.audit(assessed(STRAY, OUTDATED)), **more}


@pytest.mark.parametrize("edition", ["1", "1.0", "1.12"])
def test_any_edition_of_the_document_is_read(edition: str) -> None:
    found = comparison.read(json.dumps(document(schema=f"repo-manager/audit/{edition}")), "x")
    assert found.findings == (STRAY, OUTDATED)
    assert found.wanted == {WINDOWS, RHEL9, RHEL8, OL6}
    assert (found.deep, found.machines, found.unknown) == (False, False, 0)


def test_the_first_edition_said_neither_when_nor_of_which_machine() -> None:
    old = document()
    for key in ("at", "deep", "changes", "inventory", "needs", "machines"):
        del old[key]
    for row in old["findings"]:
        del row["machine"]
    found = comparison.read(json.dumps(old), "x")
    assert (found.at, found.deep, found.findings) == (None, None, (STRAY, OUTDATED))


def test_findings_of_a_later_version_are_counted_and_left_out() -> None:
    rows = documents.audit(assessed(STRAY))["findings"]
    odd = [{**rows[0], "code": "haunted"}, {**rows[0], "severity": "doom"}]
    found = comparison.read(json.dumps(document(findings=[*odd, *rows])), "x")
    assert (found.findings, found.unknown) == ((STRAY,), 2)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_what_a_shell_of_windows_makes_of_the_document_is_read(encoding: str) -> None:
    assert comparison.read(json.dumps(document()).encode(encoding), "x").findings == (STRAY, OUTDATED)


def test_the_time_is_told_in_utc() -> None:
    found = comparison.read(json.dumps(document(at="2026-05-02T05:00:00+02:00")), "x")
    assert found.at == datetime(2026, 5, 2, 3, tzinfo=UTC)
    assert found.at is not None
    assert found.at.tzinfo is UTC


@pytest.mark.parametrize(
    "data",
    [
        pytest.param("", id="nothing"),
        pytest.param("{", id="cut off"),
        pytest.param(b"\xff\xfe\x00", id="half a character"),
        pytest.param(b"\x80", id="no text"),
        pytest.param("[" * 100_000, id="nested without end"),
        pytest.param("[]", id="a list"),
        pytest.param("{}", id="no schema"),
        pytest.param('{"schema": 7}', id="a number for a schema"),
        pytest.param('{"schema": "repo-manager/sync/1"}', id="another document"),
        pytest.param('{"schema": "repo-manager/audit/2"}', id="a later edition"),
        pytest.param('{"schema": "repo-manager/audit/1"}', id="nothing but the schema"),
        pytest.param(json.dumps(document(repository=None)), id="no repository"),
        pytest.param(json.dumps(document(findings=None)), id="no findings"),
        pytest.param(json.dumps(document(findings=[7])), id="a number for a finding"),
        pytest.param(json.dumps(document(findings=["x"])), id="a text for a finding"),
        pytest.param(json.dumps(document(findings=[{"code": []}])), id="a list for a code"),
        pytest.param(json.dumps(document(findings=[{"code": "stray", "severity": "info"}])), id="half a finding"),
        pytest.param(json.dumps(document(packages=[{"package": 1, "required": True}])), id="a number for a package"),
        pytest.param(json.dumps(document(at="yesterday")), id="no time"),
        pytest.param(json.dumps(document(at="2026-05-02T05:00:00")), id="a time of nowhere"),
        pytest.param(json.dumps(document(at="0001-01-01T00:00:00+14:00")), id="a time before all time"),
    ],
)
def test_what_is_no_audit_is_refused_in_one_sentence(data: str | bytes) -> None:
    with pytest.raises(InputError) as caught:
        comparison.read(data, "report.json")
    assert caught.value.code == "bad-audit"
    assert caught.value.message.startswith("report.json is ")
    assert caught.value.hint
