"""A report: what is taken for one, and what is not."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from fleet_world import NEW, NOW, OTHER_ROOT, ROOT, document, line, received, report, without
from hypothesis import given
from hypothesis import strategies as st

from repo_manager.core import fleet
from repo_manager.core.audit.findings import Audit, Code, Finding, PackageLine, PackageStatus, Severity
from repo_manager.core.errors import InputError
from repo_manager.core.fleet import Received
from repo_manager.core.names import Release, Token


def _bytes(value: object) -> bytes:
    return json.dumps(value).encode()


@pytest.mark.parametrize(
    "made",
    [
        report(),
        report("a", None),
        report("a.b-c_d", 1, line(version=None, state=PackageStatus.MISSING), release=None),
        report(exit_code=4, error="mislabelled", errors=3, warnings=2, infos=1),
        report(root=OTHER_ROOT, command="sync"),
    ],
)
def test_a_report_that_was_written_is_read_as_the_same(made: fleet.Report) -> None:
    assert fleet.parse(_bytes(fleet.document(made))) == made


def test_unknown_keys_are_left_out() -> None:
    more = document(note="<script>", packages=[{"package": "RHEL9-64", "state": "ok", "version": NEW, "x": 1}])
    assert fleet.parse(_bytes(more)) == report("ps-01", 7, line())


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "nothing"),
        (b"\xff\xfe", "no UTF-8"),
        (b"{", "cut off"),
        (b"[]", "a list"),
        (b"null", "nothing in JSON"),
        (b'{"schema": "repo-manager/report/1", "schema": "repo-manager/report/1"}', "a key twice"),
        (b'{"x": NaN}', "no number"),
        (b'{"x": Infinity}', "no number"),
        (b"[" * 60_000, "deep"),
        (b'{"x":' * 20_000, "deep objects"),
        (b"1" * 6_000, "an endless number"),
        (b" " * (fleet.LIMIT_BYTES + 1), "too long"),
    ],
)
def test_what_is_no_json_is_refused(data: bytes, why: str) -> None:
    with pytest.raises(InputError) as caught:
        fleet.parse(data)
    assert caught.value.code == "bad-report", why


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (without("schema"), "no schema"),
        (document(schema="repo-manager/report/2"), "another schema"),
        (without("host"), "no host"),
        (document(host="../../etc/passwd"), "a path"),
        (document(host="a/b"), "a path"),
        (document(host="a\\b"), "a path of Windows"),
        (document(host=".."), "a path"),
        (document(host="-a"), "begins as an option"),
        (document(host="a."), "ends with a dot"),
        (document(host="a" * 201), "too long"),
        (document(host="<script>alert(1)</script>"), "a script"),
        (document(host="PS-01"), "capitals, which could be told apart from the same name"),
        (document(host="ps\u202e01"), "a mark that turns the text round"),
        (document(host=["ps-01"]), "a list"),
        (document(at="2026-11-23 12:00:00"), "another form"),
        (document(at="2026-11-23T12:00:00+01:00"), "another zone"),
        (document(at="2026-13-23T12:00:00Z"), "no such month"),
        (document(at="0000-01-01T00:00:00Z"), "no such year"),
        (document(at=5), "a number"),
        (document(tool=""), "no version"),
        (document(tool="1" * 41), "too long"),
        (document(run=None), "no run"),
        (document(run={"command": "mirror", "exit_code": True, "error": None}), "a truth for a number"),
        (document(run={"command": "mirror", "exit_code": 1.0, "error": None}), "a broken number"),
        (document(run={"command": "mirror", "exit_code": -1, "error": None}), "below nothing"),
        (document(run={"command": "mirror", "exit_code": 256, "error": None}), "above what there is"),
        (document(run={"command": "rm -rf", "exit_code": 0, "error": None}), "not a word"),
        (document(run={"command": "mirror", "exit_code": 4, "error": "what happened: token=abc"}), "free text"),
        (document(set={"root": ROOT}), "no version"),
        (document(set={"root": "xy", "version": 1}), "no digest"),
        (document(set={"root": ROOT, "version": 2**54}), "too large"),
        (document(set=[]), "a list"),
        (document(release="9"), "no release"),
        (document(release=9.5), "a number"),
        (without("packages"), "no packages"),
        (document(packages={}), "no list"),
        (document(packages=[1]), "no object"),
        (document(packages=[{"package": "x", "state": "ok"}] * 2), "one twice"),
        (document(packages=[{"package": f"p{n}", "state": "ok"} for n in range(501)]), "too many"),
        (document(packages=[{"package": "a b", "state": "ok"}]), "no token"),
        (document(packages=[{"package": "x", "state": "fine"}]), "no state"),
        (document(packages=[{"package": "x", "state": []}]), "a list"),
        (document(packages=[{"package": "x", "state": "ok", "version": "9.66"}]), "no version"),
        (document(packages=[{"package": "x", "state": "ok", "version": 9}]), "a number"),
        (without("summary"), "no summary"),
        (document(summary={"errors": 0, "warnings": 0}), "one is missing"),
        (document(summary={"errors": 10**9, "warnings": 0, "infos": 0}), "too many"),
    ],
)
def test_what_is_no_report_is_refused(value: object, why: str) -> None:
    with pytest.raises(InputError) as caught:
        fleet.parse(_bytes(value))
    assert caught.value.code in {"bad-report", "bad-host"}, why
    assert caught.value.message.isprintable()


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)
    )
)
def test_any_json_is_a_report_or_is_refused(value: object) -> None:
    changed = document(packages=value, set=value, release=value)
    try:
        fleet.parse(_bytes(changed))
    except InputError:
        return


@pytest.mark.parametrize(
    ("text", "expected"),
    [("PS-01", "ps-01"), (" ps-01.example.com ", "ps-01.example.com"), ("win_2019", "win_2019"), ("7", "7")],
)
def test_a_servers_name_is_one_whatever_its_case(text: str, expected: str) -> None:
    assert fleet.host(text) == expected


@pytest.mark.parametrize("text", ["", "..", "a b", "-a", "a/b", "a:b", "\u00e4"])
def test_what_is_no_servers_name_is_refused(text: str) -> None:
    with pytest.raises(InputError) as caught:
        fleet.host(text)
    assert caught.value.code == "bad-host"


def test_no_servers_name_is_a_device_of_windows_in_a_files_name() -> None:
    assert fleet.file_name(fleet.host("CON")) == "report-con.json"


def test_what_is_kept_says_when_it_came_and_who_brought_it() -> None:
    item = received(report())
    document_ = fleet.kept(item, "token-of-ps-01")
    assert document_["by"] == "token-of-ps-01"
    assert fleet.take(_bytes(document_), NOW) == item


def test_a_report_that_a_server_wrote_itself_came_when_its_file_was_written() -> None:
    came = NOW - timedelta(days=1)
    assert fleet.take(_bytes(document()), came) == fleet.Received(report(), came)


@pytest.mark.parametrize(
    "value",
    [
        [],
        {"schema": "repo-manager/received/1"},
        {"schema": "repo-manager/received/1", "report": document()},
        {"schema": "repo-manager/received/1", "at": "soon", "report": document()},
    ],
)
def test_what_was_not_kept_by_us_is_refused(value: object) -> None:
    with pytest.raises(InputError):
        fleet.take(_bytes(value), NOW)


def test_a_time_is_written_in_utc() -> None:
    assert fleet.stamp(datetime(2026, 1, 2, 3, 4, 5, 999, tzinfo=UTC)) == "2026-01-02T03:04:05Z"


def test_an_audit_becomes_the_lines_and_counts_of_a_report() -> None:
    state = PackageLine(Token("RHEL9-64"), True, False, PackageStatus.OUTDATED, "x", "9.65.7417.1", NEW)
    found = [Finding(Code.OUTDATED, severity, "m", "f") for severity in (Severity.ERROR, Severity.INFO, Severity.INFO)]
    judged = Audit("/srv", Release(9, 66), (state,), tuple(found))
    assert fleet.summary(judged) == (fleet.ReportedPackage(Token("RHEL9-64"), PackageStatus.OUTDATED, "9.65.7417.1"),)
    assert fleet.counts(judged) == (1, 0, 2)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("PS-01", "ps-01"),
        ("ps 01.example.com", "ps-01.example.com"),
        ("-ps_01-", "ps_01"),
        ("Büro Süd", "b-ro-s-d"),
        ("a/../b", "a-..-b"),
        ("\n", "unnamed"),
        ("日本", "unnamed"),
        ("x" * 300, "x" * 200),
    ],
)
def test_every_machine_has_a_name_to_report_under(text: str, named: str) -> None:
    assert fleet.host_of_machine(text) == named
    assert fleet.host(named) == named


def test_a_report_carries_each_package_once_and_not_too_many() -> None:
    many = [line(f"P{number}-64") for number in range(600)]
    lines = fleet.fitting([line("A-64", "1.2.3.4"), line("a-64"), line("no token"), *many])
    assert lines[0] == line("A-64", "1.2.3.4")
    assert len(lines) == 500
    made = report("a", 7, *lines)
    assert fleet.parse(json.dumps(fleet.document(made)).encode()) == made


def _all(**changes: object) -> bytes:
    whole = {"schema": fleet.ALL_SCHEMA, "at": "2026-11-23T12:00:00Z", "reports": [], "unreadable": [], **changes}
    return json.dumps(whole).encode()


def test_all_reports_of_a_leader_are_read_and_what_is_none_is_told() -> None:
    good = {"at": "2026-11-23T11:00:00Z", "report": fleet.document(report())}
    at, found, lost = fleet.all_of(_all(reports=[good, {"at": "x"}, 7], unreadable=["report-x.json", 7]))
    assert at == NOW
    assert found == (Received(report(), NOW - timedelta(hours=1)),)
    assert lost == ("report-x.json", "report 2 of the answer", "report 3 of the answer")


@pytest.mark.parametrize(
    "data",
    [b"", b"<html>", b"[]", _all(schema="x"), _all(reports=7), _all(unreadable=None), _all(at="now")],
)
def test_what_is_no_answer_of_a_leader_is_refused(data: bytes) -> None:
    with pytest.raises(InputError) as caught:
        fleet.all_of(data)
    assert caught.value.code == "bad-report"
