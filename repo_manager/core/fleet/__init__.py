"""Servers that should agree: what each of them reports, what is seen of them, and what that says together.

inventory.py says which servers there should be, sets.py what they should have, judging.py how they stand.
"""

from __future__ import annotations

from repo_manager.core.fleet.expected import ExpectedServer, FleetInventory, ServerRole
from repo_manager.core.fleet.probe import ProbeResult, present
from repo_manager.core.fleet.published_set import PublishedSet, SetUnreadableError, published
from repo_manager.core.fleet.report import (
    ALL_SCHEMA,
    LIMIT_BYTES,
    SCHEMA,
    Host,
    Received,
    Report,
    ReportedPackage,
    SetName,
    all_of,
    counts,
    document,
    file_name,
    fitting,
    host,
    host_of_machine,
    kept,
    moment,
    parse,
    read,
    stamp,
    summary,
    take,
)
from repo_manager.core.fleet.status import (
    WAITS,
    Condition,
    Fleet,
    PackageDifference,
    ServerStatus,
    WantedPackages,
    consensus,
    judge,
)

__all__ = [
    "ALL_SCHEMA",
    "LIMIT_BYTES",
    "SCHEMA",
    "WAITS",
    "Condition",
    "ExpectedServer",
    "Fleet",
    "FleetInventory",
    "Host",
    "PackageDifference",
    "ProbeResult",
    "PublishedSet",
    "Received",
    "Report",
    "ReportedPackage",
    "ServerRole",
    "ServerStatus",
    "SetName",
    "SetUnreadableError",
    "WantedPackages",
    "all_of",
    "consensus",
    "counts",
    "document",
    "file_name",
    "fitting",
    "host",
    "host_of_machine",
    "judge",
    "kept",
    "moment",
    "parse",
    "present",
    "published",
    "read",
    "stamp",
    "summary",
    "take",
]
