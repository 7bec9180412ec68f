"""All that one audit has to say, as one value: every format is written from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from repo_manager.core.audit.findings import Audit, Finding
    from repo_manager.core.audit.machine_readiness import InventoryReadiness


@dataclass(frozen=True, slots=True)
class Changes:
    """What became of the findings since an earlier audit.

    `since` is when that one was made, None where there is none, or where it does not say. `earlier` names the file it
    was read from, None where there is no earlier audit: then every finding is new. `not_looked_for` are the earlier
    findings of which this audit cannot say whether they are gone. `remarks` say what makes the two hard to compare, a
    sentence each; usually empty.
    """

    since: datetime | None
    new: tuple[Finding, ...]
    standing: tuple[Finding, ...]
    fixed: tuple[Finding, ...]
    earlier: str | None = None
    remarks: tuple[str, ...] = ()
    not_looked_for: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class AuditResult:
    """One audit.

    `audit.findings` holds those of the inventory's machines as well. `at` is when it was made, UTC, whole seconds.
    `deep` says whether every byte was read now; `readings` says of each installer when its bytes were read last, None
    where they never were. `unread` names the installers of whose bytes nothing is known, `unchecked`
    those whose signature was not looked at. `second` says whether a second folder was compared.
    `outlooks` is what the machines of an inventory can expect, None without one; `changes` is None where nothing
    earlier was asked about. `fixes` are the commands that fix most of it, in the order in which to run them.
    """

    audit: Audit
    profile: str
    at: datetime
    deep: bool = False
    readings: tuple[datetime | None, ...] = ()
    unread: tuple[str, ...] = ()
    unchecked: tuple[str, ...] = ()
    second: bool = False
    outlooks: InventoryReadiness | None = None
    changes: Changes | None = None
    fixes: tuple[str, ...] = ()
