"""Two audits -> what is new, what stands, what is fixed.

The earlier audit comes as the JSON document that `audit` writes, of any 1.x edition: text becomes a value here.
"""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict, deque
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from repo_manager.core.audit.findings import Code, Finding, Severity
from repo_manager.core.audit.result import Changes
from repo_manager.core.errors import InputError
from repo_manager.core.names import Token

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from repo_manager.core.audit.machine_readiness import MachineReadiness
    from repo_manager.core.audit.result import AuditResult

Identity = tuple[Code, str, str, str]
"""What makes two findings the same one: code, package, file and machine."""

_SCHEMA: Final = re.compile(r"repo-manager/audit/1(?:\.[0-9]{1,4})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class PreviousAudit:
    """An audit that was made before, as far as its document says.

    `name` is the file it came from. `at` and `deep` are None where the document does not say; `wanted` holds the
    packages that it required. `machines` says whether an inventory was judged, `unknown` counts findings that this
    version does not know.
    """

    name: str
    repository: str
    release: str
    at: datetime | None
    deep: bool | None
    wanted: frozenset[str]
    machines: bool
    findings: tuple[Finding, ...]
    unknown: int = 0


def identity(finding: Finding) -> Identity:
    """The same for the same trouble, whatever its words and severity.

    A machine is known by its name and an outdated package by its token: that another file came, which does not mend
    it, makes no new finding. Spelling counts without regard to case, as on the servers' own file system.
    """
    by_file = finding.machine is None and finding.code is not Code.OUTDATED
    file = (finding.file or "") if by_file else ""
    return (finding.code, finding.package or "", file.casefold(), (finding.machine or "").casefold())


def compare(earlier: PreviousAudit, now: AuditResult, *, same_place: bool = True) -> Changes:
    """What became of the earlier findings. Each list is in the order of its audit.

    Findings that have one identity (two releases without support, say) are told apart by their words, and what is left
    over is matched one by one. Earlier findings that are gone, and that this audit did not look for, are not called
    fixed: of machines that are in no inventory now, of kernels that nobody looked up, of bytes and signatures that
    nobody read, of packages that are not wanted now, and of a second folder that was not compared.

    Args:
        earlier: the audit before.
        now: the audit that was just made.
        same_place: whether both looked at the same folder.
    """
    before = earlier.findings
    standing, gone = _matched(now.audit.findings, before)
    sight = _Sight(now)
    unseen = {place: why for place in gone if (why := sight.unseen(before[place])) is not None}
    return Changes(
        earlier.at,
        new=tuple(finding for place, finding in enumerate(now.audit.findings) if place not in standing),
        standing=tuple(finding for place, finding in enumerate(now.audit.findings) if place in standing),
        fixed=tuple(before[place] for place in sorted(gone - unseen.keys())),
        earlier=earlier.name,
        remarks=tuple(_remarks(earlier, now, same_place=same_place)) + _unlooked(Counter(unseen.values())),
        not_looked_for=tuple(before[place] for place in sorted(unseen)),
    )


class _Unseen(StrEnum):
    """Why an audit cannot say whether an earlier finding is gone: words behind a count of such findings."""

    NO_INVENTORY = "of machines: no inventory was judged"
    NOT_LISTED = "of machines that are in no inventory now"
    KERNEL = "of kernels that could not be looked up"
    UNREAD = "of installers that were not read; --deep reads them"
    UNCHECKED = "of signatures that were not looked at"
    NOT_WANTED = "of packages that are not wanted now"
    SECOND = "of the second folder, which was not compared"


_OF_BYTES: Final = frozenset({Code.CORRUPT, Code.MISLABELLED})
_OF_SIGNATURES: Final = frozenset({Code.UNSIGNED, Code.TAMPERED, Code.OTHER_PUBLISHER})
_OF_WANTED: Final = frozenset({Code.MISSING, Code.OUTDATED, Code.NEWER_THAN_SERVER})


class _Sight:
    """What an audit looked for."""

    def __init__(self, now: AuditResult) -> None:
        self._now = now
        self._wanted = _wanted(now)
        self._unread = {name.casefold() for name in now.unread}
        self._unchecked = {name.casefold() for name in now.unchecked}
        self._machines: defaultdict[str, list[MachineReadiness]] = defaultdict(list)
        for outlook in now.outlooks.machines if now.outlooks else ():
            self._machines[outlook.machine.name.casefold()].append(outlook)

    def unseen(self, finding: Finding) -> _Unseen | None:
        """Why the audit could not have found this; None where it would have."""
        if finding.machine is not None:
            return self._unseen_machine(finding, finding.machine)
        file = (finding.file or "").casefold()
        reasons = (
            (_Unseen.UNREAD, finding.code in _OF_BYTES and file in self._unread),
            (_Unseen.UNCHECKED, finding.code in _OF_SIGNATURES and file in self._unread | self._unchecked),
            (_Unseen.NOT_WANTED, finding.code in _OF_WANTED and finding.package not in self._wanted),
            (_Unseen.SECOND, finding.code is Code.SECOND_FOLDER_DIFFERS and not self._now.second),
        )
        return next((why for why, holds in reasons if holds), None)

    def _unseen_machine(self, finding: Finding, name: str) -> _Unseen | None:
        if self._now.outlooks is None:
            return _Unseen.NO_INVENTORY
        found = self._machines.get(name.casefold())
        if not found:
            return _Unseen.NOT_LISTED
        if finding.code is Code.MACHINE_WITHOUT_PACKAGE and (finding.file or "").casefold() in self._unread:
            # There was an installer that was not whole, and it may still be there.
            return _Unseen.UNREAD
        looked_up = any(outlook.kernel_judged or _is_another(outlook, finding) for outlook in found)
        return None if finding.code is not Code.KERNEL_NOT_SUPPORTED or looked_up else _Unseen.KERNEL


def _is_another(outlook: MachineReadiness, finding: Finding) -> bool:
    """Whether the machine runs another system by now, so that what was said of its kernel is of the past."""
    return outlook.package not in {None, finding.package}


def _wanted(now: AuditResult) -> frozenset[str]:
    return frozenset(state.package for state in now.audit.packages if state.required)


def nothing_before(now: AuditResult) -> Changes:
    """The changes where there is no earlier audit: all that was found is new."""
    return Changes(None, now.audit.findings, (), ())


def _matched(now: tuple[Finding, ...], before: tuple[Finding, ...]) -> tuple[set[int], set[int]]:
    """The places of the findings that stand, and of the earlier ones that are gone."""
    standing: set[int] = set()
    gone = set(range(len(before)))
    # First those that say the same, then those that only are the same.
    for key in (_with_words, identity):
        waiting = _places(key, ((place, before[place]) for place in sorted(gone)))
        for place, finding in enumerate(now):
            if place not in standing and waiting[key(finding)]:
                standing.add(place)
                gone.remove(waiting[key(finding)].popleft())
    return standing, gone


def _places(
    key: Callable[[Finding], object], findings: Iterable[tuple[int, Finding]]
) -> defaultdict[object, deque[int]]:
    places: defaultdict[object, deque[int]] = defaultdict(deque)
    for place, finding in findings:
        places[key(finding)].append(place)
    return places


def _with_words(finding: Finding) -> object:
    return (identity(finding), finding.message)


def _unlooked(counted: Counter[_Unseen]) -> tuple[str, ...]:
    """A sentence for each reason."""
    words = "not looked for, so not called fixed:"
    plural = {why: "" if counted[why] == 1 else "s" for why in _Unseen}
    return tuple(f"{words} {counted[why]} earlier finding{plural[why]} {why.value}" for why in _Unseen if counted[why])


def _remarks(earlier: PreviousAudit, now: AuditResult, *, same_place: bool) -> Iterable[str]:
    if not same_place:
        yield f"the earlier audit is of another folder, {earlier.repository}"
    if earlier.at is not None and earlier.at > now.at:
        yield f"the earlier audit is dated {earlier.at:%Y-%m-%d %H:%M} UTC, later than this one: one clock was wrong"
    if earlier.release != str(now.audit.release):
        yield f"the earlier audit wanted release {earlier.release}, this one {now.audit.release}"
    if earlier.wanted != _wanted(now):
        yield "other packages were wanted then"
    if earlier.machines and now.outlooks is None:
        yield "the earlier audit judged an inventory, this one did not"
    elif now.outlooks is not None and not earlier.machines:
        yield "the earlier audit judged no inventory, so what concerns machines is new"
    if earlier.deep and not now.deep:
        yield "the earlier audit read every byte, this one did not"
    if earlier.unknown:
        yield f"{earlier.unknown} earlier findings are of kinds that this version does not know; they are left out"


def read(data: str | bytes, name: str) -> PreviousAudit:
    """Read the document of an earlier audit. Bytes may be UTF-8, or UTF-16 as some shells of Windows write it.

    Raises:
        InputError: it is none, or an edition that this version cannot read.
    """
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise _bad(name, "is not a whole JSON document") from error
    if not isinstance(document, dict) or not isinstance(document.get("schema"), str):
        raise _bad(name, "is not the document of an audit")
    if _SCHEMA.fullmatch(document["schema"]) is None:
        raise _bad(name, f"is a document of the kind {document['schema'][:60]!r}")
    try:
        return _earlier(document, name)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise _bad(name, "is the document of an audit, but not as it was written") from error


def _bad(name: str, what: str) -> InputError:
    return InputError(
        "bad-audit", f"{name} {what}", "name a file that 'repo-manager audit --json --output FILE' has written"
    )


def _earlier(document: dict[str, Any], name: str) -> PreviousAudit:
    rows = list(document["findings"])
    known = [row for row in rows if row["code"] in set(Code) and row["severity"] in set(Severity)]
    at, deep = document.get("at"), document.get("deep")
    return PreviousAudit(
        name,
        _text(document["repository"]),
        _text(document["release"]),
        None if at is None else _moment(at),
        None if deep is None else bool(deep),
        frozenset(_text(row["package"]) for row in document["packages"] if row["required"]),
        document.get("inventory") is not None,
        tuple(map(_finding, known)),
        len(rows) - len(known),
    )


def _moment(value: object) -> datetime:
    moment = datetime.fromisoformat(_text(value))
    if moment.tzinfo is None:
        raise ValueError(value)
    return moment.astimezone(UTC)


def _finding(row: dict[str, Any]) -> Finding:
    package = row["package"]
    return Finding(
        Code(row["code"]),
        Severity(row["severity"]),
        _text(row["message"]),
        _text(row["fix"]),
        None if package is None else Token(_text(package)),
        _text_or_none(row["file"]),
        # Documents of before inventories have no such key.
        _text_or_none(row.get("machine")),
    )


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(value)
    return value


def _text_or_none(value: object) -> str | None:
    return None if value is None else _text(value)
