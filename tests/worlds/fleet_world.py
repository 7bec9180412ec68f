"""Reports as servers make them, for the tests of all that reads them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from repo_manager.core import fleet
from repo_manager.core.audit.findings import PackageStatus
from repo_manager.core.fleet import Host, Received, Report, ReportedPackage, SetName
from repo_manager.core.names import Release, Token

NOW: Final = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
ROOT: Final = "ab" * 32
OTHER_ROOT: Final = "cd" * 32
NEW: Final = "9.66.7567.1"
OLD: Final = "9.65.7417.1"
RHEL: Final = Token("RHEL9-64")
SLES: Final = Token("SLES15-64")


def line(package: str = RHEL, version: str | None = NEW, state: PackageStatus = PackageStatus.OK) -> ReportedPackage:
    return ReportedPackage(Token(package), state, version)


def report(host: str = "ps-01", version: int | None = 7, *lines: ReportedPackage, **more: Any) -> Report:  # noqa: ANN401 - any field
    """A run that went well on a server that follows version 7."""
    followed = None if version is None else SetName(more.pop("root", ROOT), version)
    facts = {"at": NOW, "tool": "0.1.0", "command": "mirror", "exit_code": 0, "release": Release(9, 66), **more}
    return Report(host=Host(host), followed=followed, packages=lines or (line(RHEL), line(SLES)), **facts)


def received(made: Report, hours_ago: float = 1) -> Received:
    return Received(made, NOW - timedelta(hours=hours_ago))


def document(**changes: object) -> dict[str, Any]:
    """A good report's document, with some keys changed."""
    whole = {**fleet.document(report()), **changes}
    return {key: value for key, value in whole.items() if value is not _AWAY}


_AWAY: Final = object()


def without(key: str) -> dict[str, Any]:
    return document(**{key: _AWAY})
