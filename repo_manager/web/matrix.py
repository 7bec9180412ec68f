"""The matrix of the fleet page: a row for each server, a column for each package."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from repo_manager.core import fleet as fleets
from repo_manager.core.audit.findings import State
from repo_manager.core.fleet import Condition, Role
from repo_manager.report.fleets import SKEW_WORTH_SAYING, WORDS
from repo_manager.report.html.markup import text
from repo_manager.report.text import plural, span

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from repo_manager.core.fleet import Difference, Fleet, Report, Server
    from repo_manager.core.names import Token

# Nearly all servers of a fleet have the same one, so that it is one soft word.
_ROLES: Final = {Role.PROCESS_SERVER: "process", Role.CONFIGURATION_SERVER: "configuration"}

# A browser takes some seconds for a table of this size. Whoever has more servers reads /reports by a program.
_ROWS_MOST: Final = 5000
# Packages that nobody wants. One server could make up hundreds of them.
_STRANGERS_MOST: Final = 40

_NEVER: Final = 10**9
_SORTED: Final = {condition: number for number, condition in enumerate(Condition)}

# The heads of the facts, and the order that the first click on them gives. The rows come by state, gravest first.
_HEADS: Final = (
    ("Server", ""),
    ("State", ""),
    ("Version", ""),
    ("Last report", "descending"),
    ("Last run", ""),
    ("Drift", "descending"),
)


def table(fleet: Fleet) -> Iterator[str]:
    """The matrix, in a region of its own that scrolls."""
    packages, strangers = _columns(fleet)
    yield '<div class="scroll" role="region" aria-label="Servers and packages" tabindex="0">'
    yield '<table id="fleet">'
    yield (
        "<caption>A row for each server, a column for each package. ok: as wanted. "
        '<i class="off">A number</i>: another version. <i class="off">extra</i>: not wanted. '
        '<i class="bad">none</i>: missing. <i class="bad">bad</i>: damaged or doubled.</caption>'
    )
    yield from _bands(packages)
    yield "<thead><tr>"
    for head, first in _HEADS:
        order = "ascending" if head == "State" else "none"
        begin = f' data-first="{first}"' if first else ""
        yield f'<th scope="col" aria-sort="{order}"{begin}>{head}</th>'
    for package in packages:
        yield f'<th scope="col" aria-sort="none" class="package"><span>{text(package)}</span></th>'
    yield "</tr></thead>\n<tbody>"
    for server in fleet.servers[:_ROWS_MOST]:
        yield _row(server, packages)
    yield "</tbody>\n</table>\n</div>"
    if strangers:
        yield f'<p class="note">{plural(strangers, "more package")} that nobody wants: counted as drift, not shown.</p>'
    if len(fleet.servers) > _ROWS_MOST:
        yield f'<p class="note">The gravest {_ROWS_MOST} of {len(fleet.servers)} servers are shown.</p>'


def _columns(fleet: Fleet) -> tuple[tuple[Token, ...], int]:
    """What is wanted, then what else is there; and how many of these are left out."""
    wanted = sorted(fleet.wanted.packages, key=_natural)
    others = [package for package in fleet.packages if package not in fleet.wanted.packages]
    shown = sorted(others[:_STRANGERS_MOST], key=_natural)
    return (*wanted, *shown), len(others) - len(shown)


def _natural(package: Token) -> list[tuple[int, str]]:
    """DEBIAN9 comes before DEBIAN10."""
    return [(int(part), "") if part.isdecimal() else (0, part.lower()) for part in re.split(r"([0-9]+)", package)]


def _bands(packages: tuple[Token, ...]) -> Iterator[str]:
    """Every other family of packages has a shade of its own."""
    yield f'<colgroup><col span="{len(_HEADS)}"></colgroup><colgroup>'
    before, shaded = "", True
    for package in packages:
        family = re.split(r"[^A-Za-z]", package, maxsplit=1)[0].lower()
        shaded = shaded if family == before else not shaded
        before = family
        yield '<col class="band">' if shaded else "<col>"
    yield "</colgroup>"


def _row(server: Server, packages: tuple[Token, ...]) -> str:
    differences = {difference.package: difference for difference in server.differences}
    known = _is_known(server)
    cells = [
        f'<th scope="row">{_name(server)}</th>',
        _fact(f"{WORDS[server.condition]}{_unseen(server)}", "state", sort=_SORTED[server.condition]),
        *_facts(server),
        *(_cell(differences.get(package), known=known) for package in packages),
    ]
    return f'<tr class="{server.condition}">{"".join(cells)}</tr>'


# What a server is


def _fact(inner: str, kind: str = "", *, sort: int | None = None) -> str:
    """A cell, of markup that is safe. `sort` is what counts where it is not the text."""
    kinds = f"fact {kind}".rstrip()
    order = "" if sort is None else f' data-sort="{sort}"'
    return f'<td class="{kinds}"{order}>{inner}</td>'


def _name(server: Server) -> str:
    """The name comes first and alone: the script looks for it there."""
    role = f' <span class="soft">{_ROLES[server.role]}</span>' if server.role else ""
    stranger = "" if server.listed else ' <span class="aside late">not in the inventory</span>'
    return f"{text(server.host)}{role}{stranger}"


def _unseen(server: Server) -> str:
    return f', <span class="aside late">not seen: {text(server.unseen)}</span>' if server.unseen else ""


def _is_known(server: Server) -> bool:
    """Whether anything is known of what it has: by a report, or because somebody looked."""
    return server.received is not None or (server.look is not None and not server.unseen)


def _facts(server: Server) -> Iterator[str]:
    """Version, last report, last run, drift."""
    if not _is_known(server):
        yield from (_fact("-", sort=-1), _fact("never", sort=_NEVER), _fact("-"), _fact("-", "number", sort=-1))
        return
    yield _version(server)
    if server.received is None or server.age is None:
        yield from (_fact("never", sort=_NEVER), _fact("-"))
    else:
        when = time(server.received.at, f"{span(server.age)} ago")
        yield _fact(f"{when}{_skew(server)}", sort=max(int(server.age.total_seconds()), 0))
        yield _run(server.received.report)
    drift = len(server.differences)
    yield _fact(str(drift), "number some" if drift else "number", sort=drift)


def _version(server: Server) -> str:
    followed = server.followed
    kind = "odd" if server.other_set or server.behind else ""
    if followed is None:
        return _fact("no set", kind, sort=-1)
    lag = f" ({server.behind} behind)" if server.behind > 0 else f" ({-server.behind} ahead)" if server.behind else ""
    words = f"{followed.version} of another set" if server.other_set else f"{followed.version}{lag}"
    return _fact(words, kind, sort=followed.version)


def _run(report: Report) -> str:
    if not report.failed:
        return _fact(f"{text(report.command)} done")
    kind = "odd" if report.error == fleets.WAITS else "wrong"
    why = f': <span class="aside">{text(report.error)}</span>' if report.error else ""
    return _fact(f"{text(report.command)} exit {report.exit_code}{why}", kind)


def _skew(server: Server) -> str:
    if abs(server.skew) <= SKEW_WORTH_SAYING:
        return ""
    way = "ahead" if server.skew > timedelta() else "late"
    return f', <span class="aside late">clock {span(abs(server.skew))} {way}</span>'


# What it has


def _cell(difference: Difference | None, *, known: bool) -> str:
    """One package on one server. There are many, so that the usual one is short."""
    if difference is None:
        return "<td>ok</td>" if known else "<td>-</td>"
    kind, word = _judged(difference)
    full = said(difference)
    return f'<td class="{kind}" title="{full}">{word}<span class="unseen">: {full}</span></td>'


def _judged(difference: Difference) -> tuple[str, str]:
    """The class and the word of a cell that is not as wanted."""
    if difference.found is None:
        return "bad", "none"
    if difference.state in {State.CORRUPT, State.DUPLICATE}:
        return "bad", "bad"
    if difference.wanted is None:
        return "off", "extra"
    found, wanted = difference.found.split("."), difference.wanted.split(".")
    return "off", text(".".join(found[:2]) if found[:2] != wanted[:2] else found[2])


def said(difference: Difference) -> str:
    """A difference in words, as markup that is safe."""
    found = difference.found or "nothing"
    wanted = difference.wanted or "nothing"
    state = f", {difference.state.value}" if difference.state and difference.state is not State.OK else ""
    return text(f"{found} instead of {wanted}{state}" if found != wanted else f"{found}{state}")


def time(at: datetime, words: str) -> str:
    """A time, in words that are safe; the exact one is behind them."""
    stamp = fleets.stamp(at)
    return f'<time datetime="{stamp}" title="{stamp}">{words}</time>'
