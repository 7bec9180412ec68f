"""An audit as one HTML document that needs nothing else, for people who were not there when it was made.

It is whole without its script, which copies commands, sorts, filters, and shows the machines a page at a time. Its
policy allows this style and this script by their digests and nothing else: the document asks nobody for anything, and
no text from outside could ever run.
"""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Final

from repo_manager import __version__
from repo_manager.core.audit.findings import Severity, State
from repo_manager.core.audit.machine_readiness import Prospect
from repo_manager.report.html import findings, machines, packages
from repo_manager.report.html.markup import command, number, safe_plural, section, text, time
from repo_manager.report.text import readings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from repo_manager.core.audit.result import Assessment

_HERE: Final = Path(__file__).parent


def render(assessed: Assessment) -> str:
    """The document, in ASCII: it reads the same whatever encoding it is stored or printed in."""
    style, script = _asset("report.css"), _asset("report.js")
    policy = (
        f"default-src 'none'; style-src '{_digest(style)}'; script-src '{_digest(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )
    body = "\n".join(_body(assessed))
    document = (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="referrer" content="no-referrer">\n'
        f"<title>Audit: {_counts(assessed)}</title>\n<style>{style}</style>\n</head>\n<body>\n"
        f"{body}\n<script>{script}</script>\n</body>\n</html>"
    )
    return document.encode("ascii", "xmlcharrefreplace").decode("ascii")


def _asset(name: str) -> str:
    return (_HERE / name).read_text(encoding="ascii")


def _digest(content: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}"


def _body(assessed: Assessment) -> Iterator[str]:
    yield "<header>"
    yield from _head(assessed)
    yield "</header>\n<main>"
    if assessed.changes is not None:
        yield from section("changes", "What changed", findings.changes(assessed.changes))
    yield from section("findings", "Findings", findings.groups(assessed.audit.findings))
    yield from section("packages", "Packages", packages.table(assessed))
    if assessed.outlooks is not None:
        yield from section("needs", "Machines by package", packages.chart(assessed.outlooks))
        yield from section("machines", "Machines", machines.table(assessed))
        yield from section("apart", "Not supported, or not known", machines.apart(assessed.outlooks))
        yield from section("skipped", "Left out of the inventory", machines.left_out(assessed.outlooks))
    yield "</main>"
    yield f'<footer class="soft">repo-manager {__version__}, {time(assessed.at)}</footer>'


# What it comes to


def _head(assessed: Assessment) -> Iterator[str]:
    audit = assessed.audit
    yield "<h1>Repository audit</h1>"
    read = "every byte was read" if assessed.deep else readings(assessed.readings)
    yield (
        f'<p class="lead"><b class="path">{text(audit.repository)}</b> <span class="soft">held against release '
        f"{audit.release} for the profile {text(assessed.profile)}, as of {time(assessed.at)}; {read}.</span></p>"
    )
    yield '<ul class="cards">'
    yield from _cards(assessed)
    yield "</ul>"
    labels = ("To mend what can be mended at once", *["Then"] * len(assessed.fixes))
    for label, fix in zip(labels, assessed.fixes, strict=False):
        yield f"<p>{label}: {command(fix)}</p>"
    if assessed.unchecked:
        files = safe_plural(len(assessed.unchecked), "installer")
        yield f'<p class="note">The signature of {files} was not looked at.</p>'
    yield '<p id="said" role="status" class="unseen"></p>'


def _cards(assessed: Assessment) -> Iterator[str]:
    audit = assessed.audit
    grave = audit.count(Severity.ERROR)
    kind = "bad" if grave else "warned" if audit.count(Severity.WARNING) else "good"
    more = f"{safe_plural(audit.count(Severity.WARNING), 'warning')}, {safe_plural(audit.count(Severity.INFO), 'note')}"
    yield _card("findings", kind, number(grave), "error" if grave == 1 else "errors", more)
    wanted = [state for state in audit.packages if state.required]
    well = sum(state.state is State.OK for state in wanted)
    missing = sum(state.state is State.MISSING for state in wanted)
    kind = "good" if well == len(wanted) else "bad"
    yield _card(
        "packages", kind, f"{number(well)} of {number(len(wanted))}", "packages as wanted", f"{number(missing)} missing"
    )
    if assessed.outlooks is not None:
        yield _machines_card(assessed)


def _machines_card(assessed: Assessment) -> str:
    told = assessed.outlooks
    if told is None:
        return ""
    ready, count = told.count(Prospect.READY), len(told.machines)
    refused = told.count(Prospect.WITHOUT_PACKAGE) + told.count(Prospect.KERNEL_NOT_SUPPORTED)
    kind = "bad" if refused else "good" if ready == count else "warned"
    return _card(
        "machines",
        kind,
        f"{number(ready)} of {number(count)}",
        "machines ready",
        f"{number(refused)} would fail; from {text(told.inventory)}",
    )


def _card(target: str, kind: str, amount: str, what: str, more: str) -> str:
    return (
        f'<li class="{kind}"><a href="#{target}"><b>{amount}</b> {what}</a><span class="soft more">{more}</span></li>'
    )


def _counts(assessed: Assessment) -> str:
    """`12 errors, 2 warnings`, for the tab of a browser."""
    errors = safe_plural(assessed.audit.count(Severity.ERROR), "error")
    return f"{errors}, {safe_plural(assessed.audit.count(Severity.WARNING), 'warning')}"
