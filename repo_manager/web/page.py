"""The fleet page: one HTML document that needs nothing else.

It is whole without its script, which sorts and filters what is there. Style and script are allowed by their digests
and by nothing else, so that no text from outside could ever become one.
"""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Final

from repo_manager import fleet as fleets
from repo_manager.audit import State
from repo_manager.fleet import Condition
from repo_manager.report.text import plural, safe

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime, timedelta

    from repo_manager.fleet import Difference, Fleet, Server
    from repo_manager.names import Token

_HERE: Final = Path(__file__).parent
_DIFFERENCES_MOST: Final = 2000
_SKEW_WORTH_SAYING_S: Final = 300
_NEVER: Final = 10**9

_WORDS: Final = {
    Condition.UNHEARD: "never reported",
    Condition.SILENT: "silent",
    Condition.FAILED: "failed",
    Condition.DIFFERS: "differs",
    Condition.BEHIND: "behind",
    Condition.CURRENT: "current",
}
_SORTED: Final = {condition: number for number, condition in enumerate(Condition)}

_HEADS: Final = ("Server", "State", "Version", "Last report", "Last run", "Drift")


def render(fleet: Fleet, now: datetime, *, unreadable: tuple[str, ...] = ()) -> tuple[str, str]:
    """The document, and the content security policy it needs."""
    style, script = _asset("fleet.css"), _asset("fleet.js")
    body = "\n".join(_body(fleet, now, unreadable))
    current = f"{fleet.count(Condition.CURRENT)} of {len(fleet.servers)} current"
    text = (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>Fleet: {current}</title>\n<style>{style}</style>\n</head>\n<body>\n"
        f"{body}\n<script>{script}</script>\n</body>\n</html>\n"
    )
    policy = (
        f"default-src 'none'; style-src '{_digest(style)}'; script-src '{_digest(script)}'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return text, policy


@cache
def _asset(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")


@cache
def _digest(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _body(fleet: Fleet, now: datetime, unreadable: tuple[str, ...]) -> Iterator[str]:
    yield "<header>\n<h1>Fleet</h1>"
    yield f'<p class="soft">{_described(fleet)} As of {_time(now, fleets.stamp(now))}.</p>'
    yield '<ul class="counts">'
    for condition in Condition:
        yield f"<li><b>{fleet.count(condition)}</b> {_WORDS[condition]}</li>"
    yield "</ul>"
    if unreadable:
        names = ", ".join(_text(name) for name in unreadable[:10])
        yield f"<p>{plural(len(unreadable), 'file')} without a report that can be read: {names}</p>"
    yield "</header>\n<main>"
    yield from _controls()
    yield '<p id="said" role="status" class="soft"></p>'
    yield '<div class="scroll" role="region" aria-label="Servers and packages" tabindex="0">'
    yield from _table(fleet)
    yield "</div>"
    yield from _differences(fleet)
    yield "</main>"


def _described(fleet: Fleet) -> str:
    followed = fleet.wanted.followed
    servers = plural(len(fleet.servers), "server")
    if followed is None:
        return f"{servers}, held against what most of them have."
    return f"{servers}, held against version {followed.version} of the set {followed.root[:16]}."


def _controls() -> Iterator[str]:
    choices = "".join(f'<option value="{condition}">{_WORDS[condition]}</option>' for condition in Condition)
    yield '<form id="controls" hidden>'
    yield '<label>Server <input id="name" type="search" autocomplete="off" spellcheck="false"></label>'
    yield f'<label>State <select id="condition"><option value="">any</option>{choices}</select></label>'
    yield '<label><input id="drifted" type="checkbox"> Only packages that differ</label>'
    yield '<button type="reset">Show all</button>'
    yield "</form>"


# The matrix


def _table(fleet: Fleet) -> Iterator[str]:
    packages = fleet.packages
    yield '<table id="fleet">'
    yield (
        "<caption>A row for each server, a column for each package. <i>ok</i>: as wanted. A number: another version. "
        "<i>none</i>: missing. <i>extra</i>: not wanted. <i>bad</i>: damaged or doubled.</caption>"
    )
    yield "<thead><tr>"
    for head in _HEADS:
        yield f'<th scope="col" aria-sort="none"><button type="button">{head}</button></th>'
    for package in packages:
        button = f'<button type="button">{_text(package)}</button>'
        yield f'<th scope="col" aria-sort="none" class="package">{button}</th>'
    yield "</tr></thead>\n<tbody>"
    for server in fleet.servers:
        yield _row(server, packages)
    yield "</tbody>\n</table>"


def _row(server: Server, packages: tuple[Token, ...]) -> str:
    differences = {difference.package: difference for difference in server.differences}
    cells = [
        f'<th scope="row">{_text(server.host)}</th>',
        _td(_WORDS[server.condition], server.condition, sort=_SORTED[server.condition]),
        *_facts(server),
        *(_cell(server, differences.get(package)) for package in packages),
    ]
    return f'<tr data-host="{_text(server.host)}" data-condition="{server.condition}">{"".join(cells)}</tr>'


def _td(inner: str, kind: str = "", *, sort: int | None = None, title: str = "") -> str:
    """A cell, of markup that is safe. `sort` is what counts where it is not the text."""
    marks = (("class", kind), ("data-sort", "" if sort is None else str(sort)), ("title", title))
    said = "".join(f' {name}="{value}"' for name, value in marks if value)
    return f"<td{said}>{inner}</td>"


def _facts(server: Server) -> Iterator[str]:
    """Version, last report, last run, drift."""
    if server.received is None or server.age is None:
        yield from (_td("-", sort=-1), _td("never", sort=_NEVER), _td("-"), _td("-", "number", sort=-1))
        return
    report = server.received.report
    yield _version(server)
    when = _time(server.received.at, f"{_span(server.age)} ago")
    yield _td(f"{when}{_skew(server)}", sort=max(int(server.age.total_seconds()), 0))
    outcome = f"exit {report.exit_code}" if report.failed else "done"
    why = f": {_text(report.error)}" if report.error else ""
    yield _td(f"{_text(report.command)} {outcome}{why}", "bad" if report.failed else "")
    yield _td(str(len(server.differences)), "number", sort=len(server.differences))


def _version(server: Server) -> str:
    followed = server.received.report.followed if server.received else None
    kind = "off" if server.other_set or server.behind else ""
    if followed is None:
        return _td("no set", kind, sort=-1)
    lag = f" ({server.behind} behind)" if server.behind > 0 else f" ({-server.behind} ahead)" if server.behind else ""
    words = f"{followed.version} of another set" if server.other_set else f"{followed.version}{lag}"
    return _td(words, kind, sort=followed.version)


def _skew(server: Server) -> str:
    seconds = server.skew.total_seconds()
    if abs(seconds) <= _SKEW_WORTH_SAYING_S:
        return ""
    return f", clock {_span(abs(server.skew))} {'ahead' if seconds > 0 else 'late'}"


def _cell(server: Server, difference: Difference | None) -> str:
    if server.received is None:
        return _td("-", "cell same")
    if difference is None:
        return _td("ok", "cell same")
    kind, word = _judged(difference)
    full = _said(difference)
    return _td(f'{word}<span class="unseen">: {full}</span>', f"cell {kind}", title=full)


def _judged(difference: Difference) -> tuple[str, str]:
    """The class and the word of a cell that is not as wanted."""
    if difference.found is None:
        return "bad", "none"
    if difference.state in {State.CORRUPT, State.DUPLICATE}:
        return "bad", "bad"
    if difference.wanted is None:
        return "off", "extra"
    found, wanted = difference.found.split("."), difference.wanted.split(".")
    return "off", _text(".".join(found[:2]) if found[:2] != wanted[:2] else found[2])


def _said(difference: Difference) -> str:
    found = difference.found or "nothing"
    wanted = difference.wanted or "nothing"
    state = f", {difference.state.value}" if difference.state and difference.state is not State.OK else ""
    return _text(f"{found} instead of {wanted}{state}" if found != wanted else f"{found}{state}")


# In words


def _differences(fleet: Fleet) -> Iterator[str]:
    rows = [(server, difference) for server in fleet.servers for difference in server.differences]
    if not rows:
        return
    yield f"<details>\n<summary>What differs, in words ({len(rows)})</summary>"
    if len(rows) > _DIFFERENCES_MOST:
        yield f"<p>The first {_DIFFERENCES_MOST} are shown.</p>"
    heads = "".join(f'<th scope="col">{head}</th>' for head in ("Server", "Package", "What it has"))
    yield f"<table>\n<thead><tr>{heads}</tr></thead>\n<tbody>"
    for server, difference in rows[:_DIFFERENCES_MOST]:
        package = _text(difference.package)
        yield f'<tr><th scope="row">{_text(server.host)}</th><td>{package}</td><td>{_said(difference)}</td></tr>'
    yield "</tbody>\n</table>\n</details>"


def _time(at: datetime, words: str) -> str:
    stamp = fleets.stamp(at)
    return f'<time datetime="{stamp}" title="{stamp}">{words}</time>'


def _span(length: timedelta) -> str:
    minutes = max(int(length.total_seconds()) // 60, 0)
    if minutes < 60:  # noqa: PLR2004 - an hour
        return f"{minutes} min"
    if minutes < 48 * 60:
        return f"{minutes // 60} h"
    return f"{minutes // (24 * 60)} d"


def _text(text: str) -> str:
    """Text from outside: without what could turn or hide it, and never markup."""
    return escape(safe(text))
