"""How a fleet stands, for people and for programs."""

from __future__ import annotations

import textwrap
from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from repo_manager.core import fleet as fleets
from repo_manager.core.audit.findings import PackageStatus, Severity
from repo_manager.core.fleet import Condition
from repo_manager.report import documents
from repo_manager.report.text import paragraph, plural, safe, span, table

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from repo_manager.core.errors import RepoManagerError
    from repo_manager.core.fleet import Fleet, PackageDifference, ServerStatus
    from repo_manager.report.tables import Paint

WORDS: Final = {
    Condition.UNHEARD: "never reported",
    Condition.SILENT: "silent",
    Condition.FAILED: "failed",
    Condition.DIFFERS: "differs",
    Condition.BEHIND: "behind",
    Condition.CURRENT: "current",
}
_UNREACHABLE: Final = "unreachable"
_STATES: Final = (*map(WORDS.__getitem__, reversed(Condition)), _UNREACHABLE)
# What weighs more than that nobody could look.
_GRAVER: Final = frozenset({Condition.SILENT, Condition.FAILED})
_MERELY_OTHER: Final = frozenset({Condition.DIFFERS, Condition.BEHIND})

SKEW_WORTH_SAYING: Final = timedelta(minutes=5)
_EXPLAINED_MOST: Final = 50
_DIFFERENCES_MOST: Final = 4
_HOSTS_MOST: Final = 5


@dataclass(frozen=True, slots=True)
class About:
    """Where all of it comes from.

    `inventory` is the file with the servers, `leader` where the set lies, `reports` where reports were read; None
    where there is none. `verified` says whether the set's signatures were looked at, `looked` how many servers were.
    `problems` are what could not be read at all.
    """

    at: datetime
    inventory: str | None = None
    leader: str | None = None
    verified: bool = False
    reports: str | None = None
    read: int = 0
    unreadable: tuple[str, ...] = ()
    looked: int = 0
    deep: bool = False
    problems: tuple[RepoManagerError, ...] = ()


# For programs


def document(fleet: Fleet, about: About) -> dict[str, Any]:
    """`fleet audit`."""
    wanted = fleet.wanted
    return {
        "schema": "repo-manager/fleet/1",
        "at": fleets.stamp(about.at),
        "inventory": about.inventory,
        "wanted": {
            "from": "consensus" if about.leader is None else "leader",
            "place": about.leader,
            "verified": about.verified,
            "set": _set(wanted.followed),
            "packages": [{"package": token, "version": version} for token, version in wanted.packages.items()],
        },
        "reports": {"place": about.reports, "read": about.read, "unreadable": list(about.unreadable)},
        "looked": {"servers": about.looked, "deep": about.deep},
        "servers": [_server(server) for server in fleet.servers],
        "problems": [documents.error_facts(problem) for problem in about.problems],
        "summary": {
            "servers": len(fleet.servers),
            **{condition.value: fleet.count(condition) for condition in Condition},
            "unreachable": len(fleet.unseen),
            "unlisted": len(fleet.unlisted),
        },
    }


def _server(server: ServerStatus) -> dict[str, Any]:
    return {
        "host": server.host,
        "role": None if server.role is None else server.role.value,
        "listed": server.listed,
        "condition": server.condition.value,
        "set": _set(server.followed),
        "behind": server.behind,
        "other_set": server.other_set,
        "report": _report(server),
        "look": None if server.look is None else {"error": server.look.error, "message": server.look.why},
        "packages": [
            {"package": line.package, "state": line.state.value, "version": line.version} for line in server.packages
        ],
        "differences": [
            {
                "package": item.package,
                "wanted": item.wanted,
                "found": item.found,
                "state": None if item.state is None else item.state.value,
            }
            for item in server.differences
        ],
    }


def _set(name: fleets.SetName | None) -> dict[str, Any] | None:
    return None if name is None else {"root": name.root, "version": name.version}


def _report(server: ServerStatus) -> dict[str, Any] | None:
    if server.received is None or server.age is None:
        return None
    report = server.received.report
    return {
        "at": fleets.stamp(server.received.at),
        "age_s": int(server.age.total_seconds()),
        "clock_ahead_s": int(server.skew.total_seconds()),
        "tool": report.tool,
        "command": report.command,
        "exit_code": report.exit_code,
        "error": report.error,
        "summary": {"errors": report.errors, "warnings": report.warnings, "infos": report.infos},
    }


# For people


def text(fleet: Fleet, about: About, width: int, paint: Paint) -> str:
    """`fleet audit`: what it is held against, a line per server, what is the matter with each, what to do next."""
    lines = [*(paragraph(words, width, rest="  ") for words in _against(fleet, about)), ""]
    if fleet.servers:
        lines += [*_table(fleet, about, width, paint), ""]
    explained = [(server, why) for server in fleet.servers if (why := "; ".join(_why(server)))]
    lines += [paragraph(f"{server.host}: {why}", width, rest="  ") for server, why in explained[:_EXPLAINED_MOST]]
    if len(explained) > _EXPLAINED_MOST:
        lines.append(f"and {plural(len(explained) - _EXPLAINED_MOST, 'server')} more; --json has all of them")
    if explained:
        lines.append("")
    if about.unreadable:
        names = ", ".join(safe(name) for name in about.unreadable[:_HOSTS_MOST])
        words = f"{plural(len(about.unreadable), 'file')} without a report that can be read: {names}"
        lines += [paragraph(words, width, rest="  "), ""]
    lines.append(paragraph(_summary(fleet), width, rest="  "))
    lines += [paragraph(step, width, rest="  ") for step in _next(fleet, about)]
    return "\n".join(lines)


def _against(fleet: Fleet, about: About) -> Iterator[str]:
    followed = fleet.wanted.followed
    if about.leader is None:
        yield "held against what most servers have" + (f", version {followed.version} of the set" if followed else "")
    elif followed is not None:
        verified = "" if about.verified else ", which was not verified"
        yield f"held against version {followed.version} of {about.leader}{verified}"
    if about.reports:
        yield f"{plural(about.read, 'report')} at {about.reports}"
    if about.looked:
        yield f"{plural(about.looked, 'server')} looked at{', every byte' if about.deep else ''}"


def _table(fleet: Fleet, about: About, width: int, paint: Paint) -> Iterator[str]:
    heads = ["SERVER", "STATE", "SET", "REPORTED", "DIFFERS"]
    rows = [_row(server) for server in fleet.servers]
    if about.inventory is not None:
        heads.append("ROLE")
        for row, server in zip(rows, fleet.servers, strict=True):
            row.append(server.role.value if server.role else "not in the file")
    others = sum(max(map(len, column)) + 2 for column in zip(heads[1:], *(row[1:] for row in rows), strict=True))
    long = [len(row[0]) + others > width for row in rows]
    cells = [["", *row[1:]] if is_long else row for row, is_long in zip(rows, long, strict=True)]
    head, *lines = table(heads, cells, right=(4,)).splitlines()
    yield head
    for line, is_long, server in zip(lines, long, fleet.servers, strict=True):
        # A name for which there is no room beside the others stands above them, whole.
        above = textwrap.wrap(server.host, width, subsequent_indent="  ", break_on_hyphens=False) if is_long else ()
        for words in (*above, line):
            yield _painted(words, server, paint)


def _row(server: ServerStatus) -> list[str]:
    followed = server.followed
    known = server.received is not None or server.look is not None
    return [
        server.host,
        _state(server),
        "-" if followed is None else f"{followed.version}{' (other)' if server.other_set else ''}",
        "never" if server.age is None else f"{span(server.age)} ago",
        str(len(server.differences)) if known and server.condition is not Condition.UNHEARD else "-",
    ]


def _state(server: ServerStatus) -> str:
    return _UNREACHABLE if server.unseen and server.condition not in _GRAVER else WORDS[server.condition]


def _painted(line: str, server: ServerStatus, paint: Paint) -> str:
    if server.condition is Condition.CURRENT and not server.unseen:
        return line
    return paint(line, Severity.WARNING if server.condition in _MERELY_OTHER and not server.unseen else Severity.ERROR)


def _why(server: ServerStatus) -> Iterator[str]:
    """What is the matter with a server; nothing where nothing is."""
    if server.look is not None and server.look.error:
        yield f"cannot be looked at ({server.look.error}): {server.look.why}"
    report = server.received.report if server.received else None
    if report is not None and report.error == fleets.WAITS:
        yield "waits for its hours"
    elif report is not None and report.failed:
        code = f", {report.error}" if report.error else ""
        yield f"its last {report.command} ended with exit code {report.exit_code}{code}"
    if server.other_set:
        yield "follows another set" if server.followed else "follows no set"
    if server.behind:
        yield f"{plural(abs(server.behind), 'version')} {'behind' if server.behind > 0 else 'ahead'}"
    if server.differences:
        yield _differing(server.differences)
    if abs(server.skew) > SKEW_WORTH_SAYING:
        yield f"its clock is {span(abs(server.skew))} {'ahead' if server.skew > timedelta() else 'late'}"


def _differing(differences: tuple[PackageDifference, ...]) -> str:
    words = [_difference(item) for item in differences[:_DIFFERENCES_MOST]]
    more = len(differences) - len(words)
    return ", ".join([*words, *([f"and {more} more"] if more else [])])


def _difference(item: PackageDifference) -> str:
    if item.found is None:
        return f"{item.package} missing"
    state = f" ({item.state.value})" if item.state not in {PackageStatus.OK, None} else ""
    if item.wanted is None:
        return f"{item.package} {item.found} not wanted{state}"
    wanted = f" instead of {item.wanted}" if item.found != item.wanted else ""
    return f"{item.package} {item.found}{wanted}{state}"


def _summary(fleet: Fleet) -> str:
    states = Counter(_state(server) for server in fleet.servers)
    counts = [f"{states[word]} {_counted(word, states[word])}" for word in _STATES if states[word]]
    if fleet.unlisted:
        counts.append(f"{len(fleet.unlisted)} not in the file")
    return f"{plural(len(fleet.servers), 'server')}: {', '.join(counts)}" if counts else "no servers"


def _counted(word: str, count: int) -> str:
    return "differ" if word == WORDS[Condition.DIFFERS] and count > 1 else word


def _next(fleet: Fleet, about: About) -> Iterator[str]:
    """What to do, of servers that are expected."""
    off = [server.host for server in fleet.servers if server.listed and server.condition is not Condition.CURRENT]
    unseen = [server.host for server in fleet.unseen if server.condition is Condition.CURRENT]
    if unseen:
        yield f"to mend it: see that the repositories of {_some(unseen)} can be read from here"
    if off:
        place = f" {about.leader}" if about.leader else ""
        yield f"to mend it: run 'repo-manager mirror{place}' on {_some(off)}, and read what it says"


def _some(hosts: list[fleets.Host]) -> str:
    more = len(hosts) - _HOSTS_MOST
    return ", ".join(hosts[:_HOSTS_MOST]) + (f" and {more} more" if more > 0 else "")
