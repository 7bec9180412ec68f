"""The fleet page: one HTML document that needs nothing else.

It is complete without its script, which sorts and filters.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

from repo_manager.core.audit.findings import PackageStatus
from repo_manager.core.fleet import WAITS, Condition, ServerRole
from repo_manager.report.fleets import SKEW_WORTH_SAYING, WORDS
from repo_manager.report.page import render_page
from repo_manager.report.text import span

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from repo_manager.core.fleet import Fleet, PackageDifference, Report, ServerStatus
    from repo_manager.core.names import Token

# What to do about a server in that condition. A command is the part after the colon.
NEXT: Final = {
    Condition.UNHEARD: (
        "It is expected, and no report of it ever came. Let it follow the set once, with a token that may report",
        "repo-manager mirror SOURCE",
    ),
    Condition.SILENT: (
        "Its last report is too old. Is it on, and does its schedule still run? On that server",
        "repo-manager doctor",
    ),
    Condition.FAILED: (
        "Its last run did not reach its goal; Last run has the exit code and the error. On that server, to read more",
        "repo-manager mirror SOURCE --dry-run",
    ),
    Condition.DIFFERS: (
        "It has other packages than it should have, or follows another set. On that server, to see each file",
        "repo-manager audit --deep",
    ),
    Condition.BEHIND: (
        "It has an older version of the set. Its next run brings the rest; to have it now, on that server",
        "repo-manager mirror SOURCE --yes",
    ),
}

# Nearly all servers of a fleet have the same one, so that it is one soft word.
_ROLES: Final = {ServerRole.PROCESS_SERVER: "process", ServerRole.CONFIGURATION_SERVER: "configuration"}

# A browser takes some seconds for a table of this size. A program can read more servers from /reports.
_ROWS_MOST: Final = 5000
# Packages that are not wanted. One server could make up hundreds of them.
_STRANGERS_MOST: Final = 40
_SENTENCES_MOST: Final = 2000
_UNREADABLE_MOST: Final = 10

_NEVER: Final = 10**9
_SORTED: Final = {condition: number for number, condition in enumerate(Condition)}

# The headings of the facts, and the order that the first click on them gives. The rows come by state, gravest first.
_HEADS: Final = (
    ("Server", ""),
    ("State", ""),
    ("Version", ""),
    ("Last report", "descending"),
    ("Last run", ""),
    ("Drift", "descending"),
)


def render(fleet: Fleet, now: datetime, *, unreadable: tuple[str, ...] = ()) -> tuple[str, str]:
    """The document, and the content security policy it needs."""
    packages, strangers = _columns(fleet)
    followed = fleet.wanted.followed
    sentences = [sentence for server in fleet.servers for sentence in _sentences(server)]
    document, policy = render_page(
        "fleet",
        now=now,
        unreadable=unreadable,
        unreadable_most=_UNREADABLE_MOST,
        against=f"version {followed.version} of the set {followed.root[:16]}" if followed else "what most of them have",
        current=fleet.count(Condition.CURRENT),
        servers=len(fleet.servers),
        counts=[(condition, fleet.count(condition), WORDS[condition]) for condition in Condition],
        advice=[(WORDS[condition], *NEXT[condition]) for condition in NEXT if fleet.count(condition)],
        heads=_HEADS,
        packages=packages,
        bands=list(_bands(packages)),
        rows=(_row(server, packages) for server in fleet.servers[:_ROWS_MOST]),
        rows_most=_ROWS_MOST,
        strangers=strangers,
        sentences=sentences,
        sentences_most=_SENTENCES_MOST,
    )
    return document, f"{policy}; frame-ancestors 'none'"


# Columns


def _columns(fleet: Fleet) -> tuple[tuple[Token, ...], int]:
    """What is wanted, then what else is there; and how many of these are left out."""
    wanted = sorted(fleet.wanted.packages, key=_natural)
    others = [package for package in fleet.packages if package not in fleet.wanted.packages]
    shown = sorted(others[:_STRANGERS_MOST], key=_natural)
    return (*wanted, *shown), len(others) - len(shown)


def _natural(package: Token) -> list[tuple[int, str]]:
    """DEBIAN9 comes before DEBIAN10."""
    return [(int(part), "") if part.isdecimal() else (0, part.lower()) for part in re.split(r"([0-9]+)", package)]


def _bands(packages: tuple[Token, ...]) -> Iterator[bool]:
    """Whether the column of a package is shaded: every other family of packages has a shade of its own."""
    before, shaded = "", True
    for package in packages:
        family = re.split(r"[^A-Za-z]", package, maxsplit=1)[0].lower()
        shaded = shaded if family == before else not shaded
        before = family
        yield shaded


# Rows


class _Fact(NamedTuple):
    """A cell with words. `at` is the time that they describe; `sort` is its key where that is not the text."""

    words: str
    kind: str = ""
    sort: int | None = None
    at: datetime | None = None
    aside: str = ""
    cause: str = ""


class _Cell(NamedTuple):
    """A package that is not as it is wanted."""

    kind: str
    word: str
    sentence: str


class _Row(NamedTuple):
    server: ServerStatus
    role: str
    facts: tuple[_Fact, ...]
    cells: list[_Cell | None]
    is_known: bool


def _row(server: ServerStatus, packages: tuple[Token, ...]) -> _Row:
    cells = {difference.package: _cell(difference) for difference in server.differences}
    state = _Fact(
        WORDS[server.condition],
        "state",
        _SORTED[server.condition],
        aside=f"not seen: {server.unseen}" if server.unseen else "",
    )
    role = _ROLES[server.role] if server.role else ""
    row = [cells.get(package) for package in packages]
    return _Row(server, role, (state, *_facts(server)), row, _is_known(server))


def _is_known(server: ServerStatus) -> bool:
    """Whether its packages are known: by a report, or because this machine looked."""
    return server.received is not None or (server.look is not None and not server.unseen)


def _facts(server: ServerStatus) -> Iterator[_Fact]:
    """Version, last report, last run, drift."""
    if not _is_known(server):
        yield from (_Fact("-", sort=-1), _Fact("never", sort=_NEVER), _Fact("-"), _Fact("-", "number", -1))
        return
    yield _version(server)
    if server.received is None or server.age is None:
        yield from (_Fact("never", sort=_NEVER), _Fact("-"))
    else:
        seconds = max(int(server.age.total_seconds()), 0)
        yield _Fact(f"{span(server.age)} ago", sort=seconds, at=server.received.at, aside=_skew(server))
        yield _run(server.received.report)
    drift = len(server.differences)
    yield _Fact(str(drift), "number some" if drift else "number", drift)


def _version(server: ServerStatus) -> _Fact:
    followed = server.followed
    kind = "odd" if server.other_set or server.behind else ""
    if followed is None:
        return _Fact("no set", kind, -1)
    lag = f" ({server.behind} behind)" if server.behind > 0 else f" ({-server.behind} ahead)" if server.behind else ""
    words = f"{followed.version} of another set" if server.other_set else f"{followed.version}{lag}"
    return _Fact(words, kind, followed.version)


def _run(report: Report) -> _Fact:
    if not report.failed:
        return _Fact(f"{report.command} done")
    kind = "odd" if report.error == WAITS else "wrong"
    return _Fact(f"{report.command} exit {report.exit_code}", kind, cause=report.error or "")


def _skew(server: ServerStatus) -> str:
    if abs(server.skew) <= SKEW_WORTH_SAYING:
        return ""
    return f"clock {span(abs(server.skew))} {'ahead' if server.skew > timedelta() else 'late'}"


def _cell(difference: PackageDifference) -> _Cell:
    sentence = _sentence(difference)
    if difference.found is None:
        return _Cell("bad", "none", sentence)
    if difference.state in {PackageStatus.CORRUPT, PackageStatus.DUPLICATE}:
        return _Cell("bad", "bad", sentence)
    if difference.wanted is None:
        return _Cell("off", "extra", sentence)
    found, wanted = difference.found.split("."), difference.wanted.split(".")
    return _Cell("off", ".".join(found[:2]) if found[:2] != wanted[:2] else found[2], sentence)


def _sentence(difference: PackageDifference) -> str:
    found = difference.found or "nothing"
    wanted = difference.wanted or "nothing"
    state = f", {difference.state.value}" if difference.state and difference.state is not PackageStatus.OK else ""
    return f"{found} instead of {wanted}{state}" if found != wanted else f"{found}{state}"


def _sentences(server: ServerStatus) -> Iterator[tuple[str, str, str]]:
    """The server, each thing that differs in words, and the packages that differ so."""
    packages: dict[str, list[str]] = {}
    for difference in server.differences:
        packages.setdefault(_sentence(difference), []).append(difference.package)
    for sentence, named in packages.items():
        yield server.host, sentence, ", ".join(named)
