"""What the pages about reports say, held against the reports."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
import yaml
from assessment_world import compared, judged
from prometheus_client.parser import text_string_to_metric_families

from repo_manager.core.audit.machine_readiness import Readiness
from repo_manager.report import html, machines, prometheus

if TYPE_CHECKING:
    from collections.abc import Iterator

DOCS: Final = Path(__file__).parents[2] / "docs"
PROMETHEUS: Final = (DOCS / "how-to" / "prometheus.md").read_text(encoding="utf-8")
JOBS: Final = (DOCS / "how-to" / "ci-job.md").read_text(encoding="utf-8")
FORMATS: Final = (DOCS / "reference" / "formats.md").read_text(encoding="utf-8")
PREFIX: Final = "repo_manager_audit_"


def test_the_report_to_look_at_is_what_the_tool_writes() -> None:
    """`REPO_MANAGER_TESTS_WRITE_GOLDEN=1` writes it anew."""
    sample = DOCS / "examples" / "audit.html"
    text = html.render(compared(judged(120))) + "\n"
    if os.environ.get("REPO_MANAGER_TESTS_WRITE_GOLDEN"):
        sample.parent.mkdir(exist_ok=True)
        sample.write_text(text, encoding="ascii", newline="\n")
    assert text == sample.read_text(encoding="ascii")


def _blocks(page: str) -> list[Any]:
    found = [yaml.safe_load(block) for block in re.findall(r"^```yml\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)]
    assert found
    return found


def _labels() -> dict[str, set[str]]:
    """The labels of every metric of an audit that has all there is."""
    text = prometheus.render(compared(judged(50))) + "\n"
    return {
        family.name.removeprefix(PREFIX): {label for sample in family.samples for label in sample.labels}
        for family in text_string_to_metric_families(text)
    }


def test_the_page_lists_every_metric_with_its_labels() -> None:
    rows = re.findall(r"^\| `([a-z_]+)` \| ([a-z_`, ]*) ?\| ", PROMETHEUS, re.MULTILINE)
    told = {name: {"repository", *re.findall(r"`([a-z_]+)`", labels)} for name, labels in rows}
    assert told == _labels()


def _rules() -> list[dict[str, Any]]:
    rules: list[dict[str, Any]] = [rule for group in _blocks(PROMETHEUS)[0]["groups"] for rule in group["rules"]]
    return rules


@pytest.mark.parametrize("rule", _rules(), ids=lambda rule: rule["alert"])
def test_an_alert_asks_for_what_there_is(rule: dict[str, Any]) -> None:
    metrics = re.findall(rf"{PREFIX}([a-z_]+)(?:{{([^}}]*)}})?", rule["expr"])
    assert metrics
    known = _labels()
    for name, selectors in metrics:
        assert set(re.findall(r"([a-z_]+)=", selectors)) <= known[name]
    assert rule["labels"]["severity"] in {"info", "warning", "critical"}
    # What Prometheus adds to everything that it scrapes.
    kept = re.search(r"by \(([a-z, ]+)\)", rule["expr"])
    labels = set(kept[1].split(", ")) if kept else {"instance", *known[metrics[0][0]]}
    used = set(re.findall(r"\$labels\.([a-z_]+)", str(rule["annotations"])))
    assert used <= labels


def test_alerts_name_codes_and_prospects_that_exist() -> None:
    from repo_manager.core.audit.findings import Code, Severity

    known = {*Code, *Severity, *Readiness}
    named = [
        value
        for rule in _rules()
        for found in re.findall(r'="?~?"([^"]+)"', rule["expr"])
        for value in found.split("|")
    ]
    assert named
    assert set(named) <= known


def test_alertmanager_knows_the_receivers_it_is_told_of() -> None:
    settings = _blocks(PROMETHEUS)[1]
    named = {receiver["name"] for receiver in settings["receivers"]}
    assert {settings["route"]["receiver"], *(route["receiver"] for route in settings["route"]["routes"])} == named


def _steps() -> Iterator[str]:
    github, azure = _blocks(JOBS)
    for step in github["jobs"]["audit"]["steps"]:
        yield from str(step.get("run", "")).splitlines()
    for step in azure["steps"]:
        yield str(step.get("script", ""))


def test_jobs_run_commands_that_parse() -> None:
    from typer._click.core import Context

    from repo_manager.cli.root import root

    lines = [line for line in _steps() if line]
    assert len(lines) == 6
    group = root()
    audit = group.get_command(Context(group), "audit")
    assert audit is not None
    for line in lines:
        tool, command, *words = line.split()
        assert (tool, command) == ("repo-manager", "audit")
        _, rest, order = audit.make_parser(Context(audit)).parse_args(words)
        assert rest == []
        assert order


def test_the_page_lists_every_column_and_every_prospect() -> None:
    section = FORMATS.partition("\n## csv\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (`[a-z_`, ]+`) \| (.*) \|$", section, re.MULTILINE)
    assert tuple(name for names, _ in rows for name in re.findall(r"`([a-z_]+)`", names)) == machines.COLUMNS
    prospects = re.findall(r"`([a-z-]+)`", rows[0][1])
    assert set(prospects) == set(Readiness)
