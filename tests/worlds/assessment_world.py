"""Audits worth reporting: a folder as people leave it, and an inventory of made-up machines judged against it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from simulator import REAL

from repo_manager.core import names, repository, selection
from repo_manager.core.audit import findings as audit
from repo_manager.core.audit import machine_readiness
from repo_manager.core.audit.findings import AuditFacts, Code, FileVerdict, Finding, Severity
from repo_manager.core.audit.machine_readiness import ReadinessContext
from repo_manager.core.audit.result import AuditResult, Changes
from repo_manager.core.inventory import Inventory, Machine, RowProblem, Wording
from repo_manager.core.kernels import Supported
from repo_manager.core.names import Token
from repo_manager.core.repository import FolderEntry
from repo_manager.core.selection import Request

AT: Final = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
COMMAND: Final = "repo-manager --repository /srv/repository"
_RELEASE: Final = REAL.latest
_OLDER: Final = next(facts.release for facts in reversed(REAL.releases) if facts.links and facts.release < _RELEASE)

# What is wrong in the folder.
MISSING: Final = frozenset({"RHEL5-64", "SLES11-SP3-64", "DEBIAN10-64", "UBUNTU-20.04-64"})
OUTDATED: Final = frozenset({"OL7-64", "RHEL8-64"})
DOUBLED: Final = "Windows"
CORRUPT: Final = "UBUNTU-18.04-64"


def _link(token: str, *, old: bool = False) -> str:
    facts = REAL.facts(_OLDER if old else _RELEASE)
    assert facts is not None
    return facts.links[Token(token)].name.text


def _folder(*, tidy: bool) -> list[str]:
    classic = [link.token for link in REAL.links(_RELEASE) if not REAL.packages[link.token].modernized_only]
    if tidy:
        return [_link(token) for token in classic]
    found = [_link(token, old=token in OUTDATED) for token in classic if token not in MISSING]
    return [*found, _link(DOUBLED, old=True), "Copy of RHEL7-64.tar.gz", "notes & <plans>.txt"]


def audited(*, tidy: bool = False) -> AuditResult:
    """A folder without an inventory; a tidy one gives no findings."""
    listing = repository.survey("/srv/repository", [FolderEntry(name, 115_643_359) for name in _folder(tidy=tidy)])
    wanted = selection.select(Request(release="latest", packages=(), classic=True), listing, REAL)
    verdicts = {} if tidy else {_link(CORRUPT): FileVerdict(Code.CORRUPT, "the gzip data stops before its end")}
    judged = audit.audit(listing, wanted, REAL, AuditFacts(verdicts, command=COMMAND))
    return AuditResult(judged, "classic", AT, deep=True, fixes=() if tidy else (f"{COMMAND} sync",))


# Machines

_SYSTEMS: Final = (
    ("Microsoft Windows Server 2019 (64-bit)", 240),
    ("Microsoft Windows Server 2016 (64-bit)", 150),
    ("Microsoft Windows Server 2022 (64-bit)", 110),
    ("Red Hat Enterprise Linux 7 (64-bit)", 90),
    ("Red Hat Enterprise Linux 8.8", 85),
    ("Red Hat Enterprise Linux 9.4", 10),
    ("Ubuntu 18.04", 35),
    ("Ubuntu 20.04", 45),
    ("Ubuntu 22.04", 14),
    ("SUSE Linux Enterprise 12 SP5", 30),
    ("SUSE Linux Enterprise 15 SP4", 28),
    ("Oracle Linux 7.9", 22),
    ("Oracle Linux 8.6", 18),
    ("Debian GNU/Linux 10", 16),
    ("Debian GNU/Linux 11", 12),
    ("SUSE Linux Enterprise 11 (64-bit)", 9),
    ("Oracle Linux", 7),
    ("Solaris 11", 4),
    ("FreeBSD 13", 3),
    ("Other 3.x Linux (64-bit)", 5),
    ("", 2),
)
_EVERY: Final = tuple(system for system, count in _SYSTEMS for _ in range(count))
_SITES: Final = ("ams", "dub", "fra", "hel", "lon", "mad", "mil", "osl", "par", "sto", "vie", "waw")
_ROLES: Final = ("app", "db", "web", "erp", "file", "mail", "sql", "test")
KERNELS: Final = ("5.14.21-150400.24.136-default:3", "5.14.21-150400.24.141-default:0")
"""What the installer for SLES 15 lists."""


def _machine(number: int) -> Machine:
    system = _EVERY[number * 617 % len(_EVERY)]
    name = f"{_SITES[number * 7 % 12]}-{_ROLES[number * 5 % 8]}-{number + 1:05}"
    kernel = f"5.14.21-150400.24.{(136, 141, 153)[number % 3]}-default" if "15 SP4" in system else None
    wording = Wording.CONFIGURED if number % 17 == 3 else Wording.TOOLS
    return Machine(name, f"line {number + 2}", system, wording, number % 13 != 5, kernel)


def judged(machines: int | list[Machine], *, inventory: str = "exports/vinfo.csv", tidy: bool = False) -> AuditResult:
    """The same folder with so many machines, or with these."""
    assessed = audited(tidy=tidy)
    found = tuple(map(_machine, range(machines))) if isinstance(machines, int) else tuple(machines)
    trouble = RowProblem("line 17", "OS according to the VMware Tools", "the quote is never closed")
    listed = Inventory(inventory, found, templates=12, placeholders=3, troubles=(trouble,))
    knowledge = ReadinessContext(REAL, kernels={Token("SLES15-64"): Supported(KERNELS)}, command=COMMAND)
    told = machine_readiness.judge(listed, machine_readiness.answered(listed, REAL.support), assessed.audit, knowledge)
    findings = (*assessed.audit.findings, *machine_readiness.findings_of(told, assessed.audit, knowledge))
    order = list(Severity)
    merged = sorted(findings, key=lambda finding: order.index(finding.severity))
    return replace(assessed, audit=replace(assessed.audit, findings=tuple(merged)), outlooks=told)


def compared(assessed: AuditResult) -> AuditResult:
    """The same with an earlier audit to be compared with: every third finding is new, and two are fixed."""
    findings = assessed.audit.findings
    fixed = (
        Finding(Code.MISSING, Severity.ERROR, "no installer for OL9-64", f"{COMMAND} sync", Token("OL9-64")),
        Finding(
            Code.RESTART_PENDING, Severity.WARNING, "the folder changed after it had started", f"{COMMAND} restart"
        ),
    )
    new = findings[::3]
    standing = tuple(finding for place, finding in enumerate(findings) if place % 3)
    changes = Changes(datetime(2026, 11, 16, 3, 0, tzinfo=UTC), new, standing, fixed)
    return replace(assessed, changes=changes)


HOSTILE: Final = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</td></table><h1>gone</h1>",
    "=cmd|' /C calc'!A0",
    "[click](https://evil.example) {0}",
    "bell\x07 nul\x00 escape\x1b[31m",
    "right\u202etfel",
    "two\nforged lines\r\x85forged",
    "title \x1b]0;x\x07 \x9b31m",
    "half \udcff \ud800",
    "]]> & &amp; ' \"",
    "\ufffe\uffff\u2028",
    "\u00fcbung-\u8cc7\u6599-\U0001f680",
    "x" * 300,
)
"""Names that outsiders may give to machines, files and systems."""


def hostile() -> AuditResult:
    """Every text from outside is one of those."""
    machines = [Machine(name, f"line {row}", name, Wording.GIVEN) for row, name in enumerate((*HOSTILE, *HOSTILE), 2)]
    assessed = judged(machines, inventory="exports/<b>&\udcff.csv")
    strays = [
        Finding(Code.STRAY, Severity.INFO, "is no installer; it is left alone", f"{COMMAND} list", file=name)
        for name in HOSTILE
    ]
    told = replace(assessed.audit, repository="/srv/<i>&\udcff", findings=(*assessed.audit.findings, *strays))
    return compared(replace(assessed, audit=told))


def parsed_day(text: str) -> str:
    """The day in an installer's name, as reports write it."""
    return names.parse(text).date.isoformat()
