"""What one run on one server left behind: a report.

Its texts are all of a narrow shape: names, numbers, codes.
There is no free text in it, so that whatever shows it shows no more than the tool could have written.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, NewType

from repo_manager.core import names, strict_json
from repo_manager.core.audit.findings import PackageStatus, Severity
from repo_manager.core.errors import InputError
from repo_manager.core.names import Release, Token

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from repo_manager.core.audit.findings import Audit

Host = NewType("Host", str)
"""A server's name in small letters, as `host` gives it: also a part of a file's name and of an address."""

SCHEMA: Final = "repo-manager/report/1"
RECEIVED_SCHEMA: Final = "repo-manager/received/1"
ALL_SCHEMA: Final = "repo-manager/reports/1"

LIMIT_BYTES: Final = 128 * 1024
"""No report is longer. One with a line for each of 500 packages has a third of that."""

_PACKAGES_MOST: Final = 500
_COUNT_MOST: Final = 1_000_000

_HOST: Final = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,198}[a-z0-9])?", re.ASCII)
_NO_PART_OF_A_HOST: Final = re.compile(r"[^a-z0-9._-]+")
_TOOL: Final = re.compile(r"[0-9A-Za-z][0-9A-Za-z.+-]{0,39}", re.ASCII)
_WORD: Final = re.compile(r"[a-z][a-z0-9-]{0,59}", re.ASCII)
_TOKEN: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+-]{0,63}", re.ASCII)
_DIGEST: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)
_TIME: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z", re.ASCII)


@dataclass(frozen=True, slots=True)
class ReportedPackage:
    """What a server says of one package. `version` is that of the newest installer, None where there is none."""

    package: Token
    state: PackageStatus
    version: str | None


@dataclass(frozen=True, slots=True)
class SetName:
    """Which signed set: the SHA-256 digest of the root metadata that was trusted first, in hex, and the version.

    The version is that of the snapshot.
    """

    root: str
    version: int


@dataclass(frozen=True, slots=True)
class Report:
    """One run on one server.

    `at` is the server's own time, UTC, whole seconds. `followed` is None for a server that follows no signed set.
    `error` is the code of what went wrong, None where nothing did. `packages` has each package once, in the order
    of the audit. The counts are those of the audit's findings by severity.
    """

    host: Host
    at: datetime
    tool: str
    command: str
    exit_code: int
    error: str | None = None
    followed: SetName | None = None
    release: Release | None = None
    packages: tuple[ReportedPackage, ...] = ()
    errors: int = 0
    warnings: int = 0
    infos: int = 0

    @property
    def failed(self) -> bool:
        """Whether the run did not reach its goal."""
        return self.exit_code != 0


def host(text: str) -> Host:
    """A server's name, whatever its case.

    Raises:
        InputError: it is none.
    """
    name = text.strip().lower()
    if not _HOST.fullmatch(name):
        raise InputError(
            "bad-host", f"{text[:60]!r} is no server's name", "use letters, digits, dots, hyphens and underscores"
        )
    return Host(name)


def host_of_machine(text: str) -> Host:
    """The name of a machine as its system has it, with what no server's name may have replaced by hyphens."""
    name = _NO_PART_OF_A_HOST.sub("-", text.strip().lower())[:200].strip("-._")
    return Host(name or "unnamed")


def summary(judged: Audit) -> tuple[ReportedPackage, ...]:
    """The lines of a report: what an audit says of each package."""
    return tuple(ReportedPackage(state.package, state.state, state.version) for state in judged.packages)


def fitting(lines: Iterable[ReportedPackage]) -> tuple[ReportedPackage, ...]:
    """Those of the lines that a report can carry: each package once whatever its case, and not too many."""
    first: dict[str, ReportedPackage] = {}
    for line in lines:
        if _TOKEN.fullmatch(line.package):
            first.setdefault(line.package.lower(), line)
    return tuple(first.values())[:_PACKAGES_MOST]


def counts(judged: Audit) -> tuple[int, int, int]:
    """Errors, warnings and infos of an audit, for a report."""
    return judged.count(Severity.ERROR), judged.count(Severity.WARNING), judged.count(Severity.INFO)


def document(report: Report) -> dict[str, Any]:
    """The report as a JSON document; `parse` is the way back."""
    followed = report.followed
    return {
        "schema": SCHEMA,
        "host": report.host,
        "at": stamp(report.at),
        "tool": report.tool,
        "run": {"command": report.command, "exit_code": report.exit_code, "error": report.error},
        "set": None if followed is None else {"root": followed.root, "version": followed.version},
        "release": None if report.release is None else str(report.release),
        "packages": [
            {"package": line.package, "state": line.state.value, "version": line.version} for line in report.packages
        ],
        "summary": {"errors": report.errors, "warnings": report.warnings, "infos": report.infos},
    }


def stamp(at: datetime) -> str:
    """A time as documents have it."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


# The door


def parse(data: bytes) -> Report:
    """Read a report's JSON.

    Keys that are not known are left out, so that a newer server can report to an older place.

    Raises:
        InputError: it is none; the message says where.
    """
    if len(data) > LIMIT_BYTES:
        raise _refused(f"it has {len(data)} bytes, and {LIMIT_BYTES} are allowed")
    return read(_loads(data))


def _loads(data: bytes) -> Any:  # noqa: ANN401 - any JSON
    try:
        return strict_json.loads(data)
    except strict_json.MalformedJsonError as error:
        raise _refused("it is not JSON in UTF-8, or a key is there twice") from error


def read(value: object) -> Report:
    """Take a report out of decoded JSON.

    Raises:
        InputError: it is none; the message says where.
    """
    table = _table(value, "the report")
    if table.get("schema") != SCHEMA:
        raise _refused(f"its schema is not {SCHEMA}")
    run, sums = _table(table.get("run"), "run"), _table(table.get("summary"), "summary")
    return Report(
        host=host(_text(table, "host", _HOST)),
        at=moment(_text(table, "at", _TIME)),
        tool=_text(table, "tool", _TOOL),
        command=_text(run, "command", _WORD),
        exit_code=_number(run, "exit_code", 255),
        error=None if run.get("error") is None else _text(run, "error", _WORD),
        followed=_followed(table.get("set")),
        release=_release(table.get("release")),
        packages=_lines(table.get("packages")),
        errors=_number(sums, "errors", _COUNT_MOST),
        warnings=_number(sums, "warnings", _COUNT_MOST),
        infos=_number(sums, "infos", _COUNT_MOST),
    )


def moment(text: str) -> datetime:
    """A time as `stamp` writes it.

    Raises:
        InputError: it is none.
    """
    try:
        return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except ValueError as error:
        raise _refused(f"{text[:30]!r} is no time") from error


def _followed(value: object) -> SetName | None:
    if value is None:
        return None
    table = _table(value, "set")
    return SetName(_text(table, "root", _DIGEST), _number(table, "version", 2**53))


def _release(value: object) -> Release | None:
    if value is None:
        return None
    try:
        return Release.parse(value if isinstance(value, str) else "")
    except InputError as error:
        raise _refused("release is none") from error


def _lines(value: object) -> tuple[ReportedPackage, ...]:
    if not isinstance(value, list) or len(value) > _PACKAGES_MOST:
        raise _refused(f"packages is no list of at most {_PACKAGES_MOST}")
    lines = tuple(_line(item) for item in value)
    if len({line.package.lower() for line in lines}) != len(lines):
        raise _refused("packages has one package twice")
    return lines


def _line(value: object) -> ReportedPackage:
    table = _table(value, "packages")
    state = _text(table, "state", _WORD)
    if state not in set(PackageStatus):
        raise _refused("the state of a package is none")
    return ReportedPackage(Token(_text(table, "package", _TOKEN)), PackageStatus(state), _version(table.get("version")))


def _version(value: object) -> str | None:
    if value is None:
        return None
    try:
        return str(names.parse_version(value if isinstance(value, str) else ""))
    except InputError as error:
        raise _refused("the version of a package is none") from error


def _table(value: object, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _refused(f"{what} is no object")
    return value


def _text(table: Mapping[str, object], key: str, shape: re.Pattern[str]) -> str:
    value = table.get(key)
    if not isinstance(value, str) or not shape.fullmatch(value):
        raise _refused(f"{key} is missing or is not of the right form")
    return value


def _number(table: Mapping[str, object], key: str, most: int) -> int:
    value = table.get(key)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= most:
        raise _refused(f"{key} is missing or is no number from 0 to {most}")
    return value


def _refused(why: str) -> InputError:
    return InputError("bad-report", f"this is no report: {why}", "report with repo-manager itself")


# What is kept of a report


@dataclass(frozen=True, slots=True)
class Received:
    """A report and when it came, by the clock of the place that took it."""

    report: Report
    at: datetime


def file_name(name: Host) -> str:
    """The file that holds a server's last report. No system takes it for something else, whatever the server's name."""
    return f"report-{name}.json"


def kept(received: Received, by: str) -> dict[str, Any]:
    """What is kept of a report: when it came, and who brought it (the name of a token)."""
    return {"schema": RECEIVED_SCHEMA, "at": stamp(received.at), "by": by, "report": document(received.report)}


def take(data: bytes, came: datetime) -> Received:
    """Read a kept report, or one as a server wrote it, which came when its file was written.

    Raises:
        InputError: it is neither.
    """
    value = _loads(data)
    if not isinstance(value, dict) or value.get("schema") != RECEIVED_SCHEMA:
        return Received(read(value), came.replace(microsecond=0))
    return Received(read(value.get("report")), moment(_text(value, "at", _TIME)))


def all_of(data: bytes) -> tuple[datetime, tuple[Received, ...], tuple[str, ...]]:
    """Read what a leader answers of all reports: its time, the reports, and names of files that hold none.

    A report that cannot be read is counted among the latter, by its number.

    Raises:
        InputError: it is something else.
    """
    value = _table(_loads(data), "the answer")
    if value.get("schema") != ALL_SCHEMA:
        raise _refused(f"its schema is not {ALL_SCHEMA}")
    listed, unreadable = value.get("reports"), value.get("unreadable")
    if not isinstance(listed, list) or not isinstance(unreadable, list):
        raise _refused("it has no list of reports")
    found, lost = [], [name for name in unreadable if isinstance(name, str)]
    for number, item in enumerate(listed, start=1):
        try:
            table = _table(item, "a report")
            found.append(Received(read(table.get("report")), moment(_text(table, "at", _TIME))))
        except InputError:
            lost.append(f"report {number} of the answer")
    return moment(_text(value, "at", _TIME)), tuple(found), tuple(lost)
