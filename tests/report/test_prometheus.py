"""Numbers for Prometheus, read by the parser of its own client."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import pytest
from assessment_world import AT, audited, compared, hostile, judged, parsed_day
from prometheus_client.parser import text_string_to_metric_families

from repo_manager.core.audit.findings import PackageStatus, Severity
from repo_manager.core.audit.machine_readiness import Readiness
from repo_manager.report.prometheus import render

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
PREFIX: Final = "repo_manager_audit_"


def families(assessed: AuditResult) -> dict[str, Any]:
    return {family.name: family for family in text_string_to_metric_families(f"{render(assessed)}\n")}


def values(assessed: AuditResult, name: str, *labels: str) -> dict[Any, float]:
    """The samples of a metric by these labels."""
    samples = families(assessed)[PREFIX + name].samples
    found = {tuple(sample.labels[label] for label in labels): sample.value for sample in samples}
    assert len(found) == len(samples)
    return found


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_names_types_and_help_are_as_they_should_be(make: Callable[[], AuditResult]) -> None:
    for name, family in families(make()).items():
        assert re.fullmatch(r"repo_manager_audit_[a-z_]+", name)
        assert not name.endswith("_total"), "nothing here is a counter"
        assert family.type == "gauge"
        assert family.documentation.endswith(".")
        if "timestamp" in name:
            assert name.endswith("_timestamp_seconds")


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_no_sample_is_there_twice_and_all_name_the_repository(make: Callable[[], AuditResult]) -> None:
    """An exporter shows none of its files when two samples are the same."""
    assessed = make()
    samples = [sample for family in families(assessed).values() for sample in family.samples]
    keys = Counter((sample.name, tuple(sorted(sample.labels.items()))) for sample in samples)
    assert max(keys.values()) == 1
    assert {bool(sample.labels["repository"]) for sample in samples} == {True}


def test_two_files_can_lie_side_by_side() -> None:
    here = audited()
    there = replace(here, audit=replace(here.audit, repository="/srv/other"))
    keys = Counter(
        (sample.name, tuple(sorted(sample.labels.items())))
        for assessed in (here, there)
        for family in families(assessed).values()
        for sample in family.samples
    )
    assert max(keys.values()) == 1


def test_a_windows_path_comes_through() -> None:
    assessed = audited()
    path = 'C:\\new "folder"\\asr'
    assessed = replace(assessed, audit=replace(assessed.audit, repository=path))
    assert values(assessed, "timestamp_seconds", "repository") == {(path,): AT.timestamp()}


def test_findings_are_counted_and_what_was_not_found_is_a_zero() -> None:
    assessed = judged(300)
    found = values(assessed, "findings", "severity", "code")
    expected = Counter((finding.severity, finding.code) for finding in assessed.audit.findings)
    assert {key: value for key, value in found.items() if value} == expected
    assert found["error", "tampered"] == 0
    assert sum(value for (severity, _), value in found.items() if severity == "error") == assessed.audit.count(
        Severity.ERROR
    )


def test_a_package_is_in_one_state() -> None:
    assessed = audited()
    found = values(assessed, "package_state", "package", "state")
    on = {package: state for (package, state), value in found.items() if value}
    assert on == {state.package: state.state for state in assessed.audit.packages}
    assert len(found) == len(assessed.audit.packages) * len(PackageStatus)


def test_a_package_has_the_day_of_its_installer() -> None:
    assessed = audited()
    found = values(assessed, "package_published_timestamp_seconds", "package")
    for state in assessed.audit.packages:
        if state.file is None:
            assert (state.package,) not in found
        else:
            day = datetime.fromtimestamp(found[state.package,], UTC).date()
            assert day.isoformat() == parsed_day(state.file)


def test_machines_are_counted_and_none_is_named() -> None:
    """Ten thousand machines would be ten thousand series."""
    assessed = judged(1000)
    assert assessed.outlooks is not None
    found = values(assessed, "machines", "prospect")
    assert found == {(prospect.value,): assessed.outlooks.count(prospect) for prospect in Readiness}
    needs = values(assessed, "package_machines", "package")
    assert needs == {(need.package,): need.machines for need in assessed.outlooks.needs}
    assert "ams-" not in render(assessed)


def test_the_number_of_samples_does_not_hang_on_the_number_of_machines() -> None:
    assert len(render(judged(2000)).splitlines()) == len(render(judged(5000)).splitlines())


def test_without_an_inventory_there_are_no_machines() -> None:
    assert PREFIX + "machines" not in families(audited())
    assert PREFIX + "findings_changed" not in families(audited())


def test_what_changed_is_counted() -> None:
    assessed = compared(judged(50))
    assert assessed.changes is not None
    assessed = replace(assessed, changes=replace(assessed.changes, not_looked_for=assessed.changes.fixed[:1]))
    assert assessed.changes is not None
    found = values(assessed, "findings_changed", "change")
    assert found == {
        ("new",): len(assessed.changes.new),
        ("standing",): len(assessed.changes.standing),
        ("fixed",): len(assessed.changes.fixed),
        ("not-looked-for",): 1,
    }
    assert values(assessed, "compared_timestamp_seconds") == {(): datetime(2026, 11, 16, 3, tzinfo=UTC).timestamp()}


def test_an_audit_of_unknown_age_has_no_time() -> None:
    assessed = compared(audited())
    assert assessed.changes is not None
    assessed = replace(assessed, changes=replace(assessed.changes, since=None))
    assert PREFIX + "compared_timestamp_seconds" not in families(assessed)
