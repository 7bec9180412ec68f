"""The fleet page: one HTML document that needs nothing else.

It is whole without its script, which sorts and filters what is there. Style and script are allowed by their digests
and by nothing else, so that no text from outside could ever become one.
"""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from repo_manager.core.fleet import Condition
from repo_manager.report.fleets import WORDS
from repo_manager.report.html.markup import text
from repo_manager.report.text import plural
from repo_manager.web import matrix
from repo_manager.web.matrix import said, time

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from repo_manager.core.fleet import Fleet, Server

_HERE: Final = Path(__file__).parent
_SENTENCES_MOST: Final = 2000
_UNREADABLE_MOST: Final = 10

# What somebody who sees a server in that condition does next. A command is the part after the colon.
_NEXT: Final = {
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


def render(fleet: Fleet, now: datetime, *, unreadable: tuple[str, ...] = ()) -> tuple[str, str]:
    """The document, and the content security policy it needs."""
    style, script = _asset("fleet.css"), _asset("fleet.js")
    body = "\n".join(_body(fleet, now, unreadable))
    document = (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>Fleet: {_current(fleet)} current</title>\n<style>{style}</style>\n</head>\n<body>\n"
        f"{body}\n<script>{script}</script>\n</body>\n</html>\n"
    )
    policy = (
        f"default-src 'none'; style-src '{_digest(style)}'; script-src '{_digest(script)}'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return document, policy


@cache
def _asset(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")


@cache
def _digest(content: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}"


def _body(fleet: Fleet, now: datetime, unreadable: tuple[str, ...]) -> Iterator[str]:
    yield "<header>\n<h1>Fleet</h1>"
    yield from _summary(fleet, now)
    if unreadable:
        names = ", ".join(text(name) for name in unreadable[:_UNREADABLE_MOST])
        more = ", ..." if len(unreadable) > _UNREADABLE_MOST else ""
        yield f'<p class="note">{plural(len(unreadable), "file")} without a report that can be read: {names}{more}</p>'
    yield from _advice(fleet)
    yield "</header>\n<main>"
    if fleet.servers:
        yield from _controls()
        yield from matrix.table(fleet)
        yield from _differences(fleet)
    else:
        yield (
            "<p>No server has reported yet. Each one that follows the set reports after its runs; "
            "it needs a token that may.</p>"
        )
    yield "</main>"


# The summary


def _current(fleet: Fleet) -> str:
    return f"{fleet.count(Condition.CURRENT)} of {len(fleet.servers)}"


def _summary(fleet: Fleet, now: datetime) -> Iterator[str]:
    verb = "is" if len(fleet.servers) == 1 else "are"
    servers = "server" if len(fleet.servers) == 1 else "servers"
    moment = now.strftime("%Y-%m-%d %H:%M UTC")
    yield (
        f'<p class="lead"><b>{_current(fleet)}</b> {servers} {verb} current '
        f'<span class="soft">as of {time(now, moment)}, held against {_against(fleet)}.</span></p>'
    )
    yield from _proportions(fleet)
    yield '<ul class="counts" aria-label="Servers by state">'
    for condition in Condition:
        number = fleet.count(condition)
        kind = f"{condition}" if number else f"{condition} zero"
        yield f'<li class="{kind}" data-condition="{condition}"><b>{number}</b> {WORDS[condition]}</li>'
    yield "</ul>"


def _against(fleet: Fleet) -> str:
    followed = fleet.wanted.followed
    if followed is None:
        return "what most of them have"
    return f"version {followed.version} of the set {followed.root[:16]}"


def _proportions(fleet: Fleet) -> Iterator[str]:
    """A bar; all it says is said in numbers below it. Its lengths are attributes, for the policy allows no style."""
    if not fleet.servers:
        return
    yield (
        f'<svg class="bar" aria-hidden="true" viewBox="0 0 {len(fleet.servers)} 1" preserveAspectRatio="none" '
        'width="100%" height="6">'
    )
    begin = 0
    for condition in Condition:
        number = fleet.count(condition)
        if number:
            yield f'<rect class="{condition}" x="{begin}" width="{number}" height="1"/>'
        begin += number
    yield "</svg>"


def _advice(fleet: Fleet) -> Iterator[str]:
    seen = [condition for condition in _NEXT if fleet.count(condition)]
    if not seen:
        return
    yield "<details>\n<summary>What to do</summary>\n<dl>"
    for condition in seen:
        why, command = _NEXT[condition]
        yield f"<dt>{WORDS[condition]}</dt><dd>{why}: <code>{command}</code></dd>"
    yield "</dl>\n</details>"


def _controls() -> Iterator[str]:
    yield '<form id="controls" hidden>'
    yield '<label>Server <input id="name" type="search" autocomplete="off" spellcheck="false"></label>'
    yield '<label><input id="drifted" type="checkbox" autocomplete="off"> Only packages that differ</label>'
    yield '<button id="reset" type="button">Show all</button>'
    yield '<span id="said" role="status" class="soft"></span>'
    yield "</form>"


# In words


def _differences(fleet: Fleet) -> Iterator[str]:
    rows = [sentence for server in fleet.servers for sentence in _sentences(server)]
    if not rows:
        return
    yield '<details id="words">\n<summary>What differs, in words</summary>'
    if len(rows) > _SENTENCES_MOST:
        yield f'<p class="note">Only the first {_SENTENCES_MOST} lines are here.</p>'
    heads = "".join(f'<th scope="col">{head}</th>' for head in ("Server", "What it has", "Packages"))
    yield f"<table>\n<thead><tr>{heads}</tr></thead>\n<tbody>"
    yield from rows[:_SENTENCES_MOST]
    yield "</tbody>\n</table>\n</details>"


def _sentences(server: Server) -> Iterator[str]:
    """A row for each thing that is said of a server, with the packages it is said of."""
    packages: dict[str, list[str]] = {}
    for difference in server.differences:
        packages.setdefault(said(difference), []).append(text(difference.package))
    host = text(server.host)
    for sentence, named in packages.items():
        yield f'<tr data-host="{host}"><th scope="row">{host}</th><td>{sentence}</td><td>{", ".join(named)}</td></tr>'
