"""Every format of an audit from the command line: to stdout, and whole into a file."""

from __future__ import annotations

import csv
import json
import os
import re
import stat
import subprocess
import sys
from typing import TYPE_CHECKING, Final
from xml.etree import ElementTree as ET

import pytest
from cli_world import InstantService, real
from json_schemas import check, published
from prometheus_client.parser import text_string_to_metric_families

from repo_manager.cli.audit import AuditFormat

if TYPE_CHECKING:
    from cli_world import Cli

MACHINES: Final = """\
Name,OS,Kernel
web-01,Red Hat Enterprise Linux 7.9,
web-02,Red Hat Enterprise Linux 9.4,
db-01,Oracle Linux,
old-01,Solaris 11,
"=cmd|' /C calc'!A0",Debian GNU/Linux 11,
"""


@pytest.fixture
def messy(tool: Cli) -> Cli:
    tool.mess()
    tool.service = InstantService()
    (tool.folder / "machines.csv").write_text(MACHINES, encoding="utf-8")
    return tool


def _written(tool: Cli, format_: AuditFormat, *more: str) -> str:
    answer = tool.repo("audit", "--format", format_, "--output", "report", *more)
    assert answer.code == 1
    assert answer.out == ""
    assert "written to report" in answer.err
    return (tool.folder / "report").read_bytes().decode("utf-8")


@pytest.mark.parametrize("format_", AuditFormat)
def test_a_file_has_what_stdout_would_have(messy: Cli, format_: AuditFormat) -> None:
    written = _written(messy, format_, "--inventory", "machines.csv")
    printed = messy.repo("audit", "--format", format_, "--inventory", "machines.csv")
    assert printed.code == 1
    assert {path.name for path in messy.folder.iterdir()} == {"repo", "machines.csv", "report"}
    assert _timeless(written.replace("\r\n", "\n")) == _timeless(printed.out)


def _timeless(text: str) -> str:
    text = re.sub(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(:[0-9]{2})?", "<time>", text)
    return re.sub(r"(?m)^(repo_manager_audit_timestamp_seconds\S* )[0-9]+$", r"\1<time>", text)


@pytest.mark.parametrize("format_", AuditFormat)
def test_no_half_file_is_left_and_the_old_one_stays_when_it_cannot_be_written(messy: Cli, format_: AuditFormat) -> None:
    folder = messy.folder / "report"
    folder.mkdir()
    answer = messy.repo("audit", "--format", format_, "--output", "report")
    assert answer.code in {2, 3}
    assert list(folder.iterdir()) == []


def test_all_formats_tell_the_same_story(messy: Cli) -> None:
    document = json.loads(_written(messy, AuditFormat.JSON, "--inventory", "machines.csv"))
    count = len(document["findings"])
    sheet = list(csv.DictReader(_written(messy, AuditFormat.CSV, "--inventory", "machines.csv").splitlines()))
    assert len([row for row in sheet if row["severity"]]) == count
    sarif = json.loads(_written(messy, AuditFormat.SARIF, "--inventory", "machines.csv"))
    assert len(sarif["runs"][0]["results"]) == count
    numbers = _written(messy, AuditFormat.PROMETHEUS, "--inventory", "machines.csv")
    found = {family.name: family for family in text_string_to_metric_families(numbers)}
    assert sum(sample.value for sample in found["repo_manager_audit_findings"].samples) == count
    junit = ET.fromstring(_written(messy, AuditFormat.JUNIT, "--inventory", "machines.csv"))  # noqa: S314 - our own
    machines = {case.attrib["name"] for case in junit.iterfind("testsuite[@name='machines']/testcase")}
    html = _written(messy, AuditFormat.HTML, "--inventory", "machines.csv")
    assert machines == {row["name"] for row in document["machines"]}
    assert all(f'<th scope="row">{name}</th>' in html for name in ("web-01", "web-02", "db-01", "old-01"))


def test_every_machine_is_in_the_sheet_and_none_is_a_formula(messy: Cli) -> None:
    sheet = list(csv.DictReader(_written(messy, AuditFormat.CSV, "--inventory", "machines.csv").splitlines()))
    names = [row["machine"] for row in sheet if row["machine"]]
    assert sorted(names) == ["'=cmd|' /C calc'!A0", "db-01", "old-01", "web-01", "web-02"]


@pytest.mark.skipif(sys.platform == "win32", reason="modes are POSIX's")
def test_the_numbers_can_be_read_by_the_account_that_collects_them(messy: Cli) -> None:
    before = os.umask(0o077)
    try:
        _written(messy, AuditFormat.PROMETHEUS)
        assert stat.S_IMODE((messy.folder / "report").stat().st_mode) == 0o644
        # What is replaced would hand its mode on.
        (messy.folder / "report").unlink()
        _written(messy, AuditFormat.HTML)
        assert stat.S_IMODE((messy.folder / "report").stat().st_mode) == 0o600
    finally:
        os.umask(before)


def test_the_numbers_have_the_line_ends_that_collectors_read(messy: Cli) -> None:
    assert "\r" not in _written(messy, AuditFormat.PROMETHEUS)


@pytest.mark.parametrize(
    "format_",
    [AuditFormat.HTML, AuditFormat.JUNIT, AuditFormat.SARIF, AuditFormat.JSON],
    ids=lambda format_: format_.value,
)
def test_what_a_shell_redirects_is_the_same_in_every_encoding(messy: Cli, format_: AuditFormat) -> None:
    messy.put("Microsoft-ASR_UA_\u00fcbung.tar.gz")
    printed = {
        encoding: real(
            "--repository", "repo", "audit", "--format", format_, cwd=messy.folder, env={"PYTHONIOENCODING": encoding}
        ).stdout
        for encoding in ("cp1252", "utf-8")
    }
    assert all(text.isascii() for text in printed.values())


@pytest.mark.parametrize(
    "line", [("audit", "--format", "csv"), ("audit", "--format", "prometheus"), ("list", "--format", "csv")]
)
def test_what_is_no_ascii_is_utf_8_in_every_encoding(messy: Cli, line: tuple[str, ...]) -> None:
    (messy.folder / "r\u00e9po").mkdir()
    (messy.folder / "r\u00e9po" / "Microsoft-ASR_UA_\u00fcbung-\u8cc7.tar.gz").write_bytes(b"x")
    for encoding in ("cp1252", "ascii", "utf-8"):
        answer = real("--repository", "r\u00e9po", *line, cwd=messy.folder, env={"PYTHONIOENCODING": encoding})
        said = answer.stdout.decode("utf-8")
        assert "r\u00e9po" in said or "\u00fcbung-\u8cc7" in said, answer.stderr


def test_json_beats_another_format_with_a_note(messy: Cli) -> None:
    answer = messy.repo_json("audit", "--format", "csv")
    assert answer.document["schema"] == "repo-manager/audit/1"
    assert "note: --json beats --format csv on stdout; leave it out, or add --output FILE" in answer.err
    both = messy.repo_json("audit", "--format", "csv", "--output", "report.csv")
    assert "note: --json" not in both.err
    assert (messy.folder / "report.csv").read_text(encoding="utf-8").startswith("severity,code,")
    for line in (("audit",), ("audit", "--format", "json")):
        assert "note: --json" not in messy.repo_json(*line).err


def loaded(messy: Cli, *arguments: str) -> set[str]:
    """The renderers, and the libraries that only some of them need, that one command loads."""
    code = (
        "import sys; from repo_manager import cli;"
        "cli.main(['--repository', 'repo', *sys.argv[1:]]);"
        "print(*sys.modules, file=sys.stderr)"
    )
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(command, cwd=messy.folder, capture_output=True, text=True, check=True)
    renderers = {"html", "page", "fleet_page", "junit", "sarif", "prometheus", "rules", "uris"}
    rarely = {f"repo_manager.report.{name}" for name in renderers} | {"jinja2", "markupsafe", "xml.etree.ElementTree"}
    return rarely & set(done.stderr.splitlines()[-1].split())


@pytest.mark.parametrize(
    "arguments",
    [
        ("list",),
        ("parse", "readme.txt"),
        ("resolve", "RHEL 9"),
        ("show", "RHEL9-64"),
        ("sync", "--dry-run", "--source", "source"),
        ("audit",),
        ("audit", "--format", "csv"),
        ("audit", "--format", "json"),
    ],
    ids=" ".join,
)
def test_renderers_that_were_not_asked_for_are_not_loaded(messy: Cli, arguments: tuple[str, ...]) -> None:
    """Start-up time: an audit is made often, and by many servers at once."""
    assert loaded(messy, *arguments) == set()


def test_only_pages_load_the_template_engine(messy: Cli) -> None:
    assert {"repo_manager.report.html", "jinja2", "markupsafe"} <= loaded(messy, "audit", "--format", "html")
    assert "jinja2" not in loaded(messy, "audit", "--format", "junit")


@pytest.mark.parametrize(
    "arguments",
    [
        ("audit", "--deep", "--inventory", "machines.csv", "--save"),
        ("audit", "--since", "LAST"),
        ("list",),
        ("resolve", "Red Hat Enterprise Linux 7.9", "debian", "Solaris 11", "what"),
        ("parse", "readme.txt", "Microsoft-ASR_UA_9.66.7567.1_RHEL9-64_GA_20Sep2025_release.tar.gz"),
        ("sync", "--dry-run", "--source", "source"),
        ("sync", "--source", "source", "--yes"),
        ("sync", "--source", "nowhere", "--yes"),
        ("prune", "--yes"),
        ("audit", "--release", "9.12"),
        ("lisst",),
    ],
    ids=" ".join,
)
def test_documents_fit_their_schemas(messy: Cli, arguments: tuple[str, ...]) -> None:
    messy.fill_source()
    document = messy.repo_json(*arguments).document
    assert published(document)
    check(document)
