"""A browser, and a fleet worth looking at: what `make test-browser` and the pictures of the documentation share.

The browser is Debian's Chromium or the one that `REPO_MANAGER_BROWSER` names. It reaches nothing but this machine.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from fleet_world import OTHER_ROOT
from web_world import ROOT_DIGEST, Served, make_tokens, serving, write_set

from repo_manager.core import catalog, fleet
from repo_manager.core.audit.findings import PackageStatus
from repo_manager.core.fleet import ExpectedServer, Host, Received, Report, ReportedPackage, SetName, WantedPackages
from repo_manager.core.names import Release, Token
from repo_manager.web.tokens import BearerRole

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from playwright.sync_api import Browser, BrowserContext, HttpCredentials, Page

_ROOT: Final = Path(__file__).parents[2]
_AXE: Final = _ROOT / ".browser/node_modules/axe-core/axe.min.js"

NOW: Final = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
SET_VERSION: Final = 41
SILENT_AFTER: Final = timedelta(hours=48)

# The fleet


def _newest() -> Mapping[Token, str]:
    """The packages of the newest release of the catalog that has links: 26 of them, with the name of each file."""
    known = catalog.parse((_ROOT / "catalog.yaml").read_text(encoding="utf-8"))
    return {link.token: link.name.text for link in known.links(known.latest)}


FILES: Final = _newest()
PACKAGES: Final = {Token(token): name.split("_")[2] for token, name in FILES.items()}
WANTED: Final = WantedPackages(SetName(ROOT_DIGEST, SET_VERSION), PACKAGES)

_SITES: Final = ("ams", "dub", "fra", "hel", "lon", "mad", "mil", "osl", "par", "sto", "vie", "waw")
_OLD: Final = "9.65.7417.1"
_BEFORE: Final = "9.66.7500.1"

# What is not as it should be, by a server's number: few of 300, and those in every way there is.
_SILENT: Final = {17: 75.0, 101: 9 * 24.0, 222: 26 * 24.0}
_FAILED: Final = {
    5: (3, "no-space"),
    90: (3, "connection-failed"),
    150: (5, "service-did-not-start"),
    199: (4, "wrong-digest"),
    288: (6, "locked"),
}
_LONG_BEHIND: Final = frozenset({60, 61, 178})
_OTHER_SET: Final = 250
_NO_SET: Final = 251
_WRONG_CLOCK: Final = {33: 7.0, 140: -2.0}


def host(number: int) -> Host:
    site = _SITES[number // 25 % len(_SITES)]
    return Host(f"ps-{site}-{number // (25 * len(_SITES)) * 25 + number % 25 + 1:02}")


def fleet_of(servers: int) -> list[Received]:
    """What so many servers report: nearly all are as they should be."""
    return [_server(number) for number in range(servers)]


def _server(number: int) -> Received:
    came = NOW - timedelta(hours=_SILENT.get(number, 0.2 + (number * 37 % 230) / 10))
    exit_code, error = _FAILED.get(number, (0, None))
    root = OTHER_ROOT if number == _OTHER_SET else ROOT_DIGEST
    followed = None if number == _NO_SET else SetName(root, SET_VERSION - _behind(number))
    report = Report(
        host=host(number),
        at=came + timedelta(hours=_WRONG_CLOCK.get(number, 0)),
        tool="0.1.0",
        command="mirror",
        exit_code=exit_code,
        error=error,
        followed=followed,
        release=Release(9, 65 if number in _LONG_BEHIND else 66),
        packages=tuple(_lines(number)),
    )
    return Received(report, came)


def _behind(number: int) -> int:
    if number in _LONG_BEHIND:
        return 9
    return 1 if number % 23 == 7 or number in _FAILED else 3 if number in _SILENT else 0


def _lines(number: int) -> Iterator[ReportedPackage]:
    missing = Token("SLES15-64") if number % 97 == 4 else None
    corrupt = Token("RHEL8-64") if number == 133 else None
    doubled = Token("UBUNTU-22.04-64") if number == 211 else None
    late = {Token("RHEL9-64"), Token("Windows")} if _behind(number) == 1 else set()
    for token, version in PACKAGES.items():
        if number in _LONG_BEHIND:
            yield ReportedPackage(token, PackageStatus.OK, _OLD)
        elif token == missing:
            yield ReportedPackage(token, PackageStatus.MISSING, None)
        elif token in {corrupt, doubled}:
            yield ReportedPackage(
                token, PackageStatus.CORRUPT if token == corrupt else PackageStatus.DUPLICATE, version
            )
        else:
            yield ReportedPackage(token, PackageStatus.OK, _BEFORE if token in late else version)
    if number in {70, 71}:
        yield ReportedPackage(Token("OL10-64"), PackageStatus.OK, PACKAGES[Token("OL9-64")])


def judged(servers: int, *, expected: Sequence[ExpectedServer] = ()) -> fleet.Fleet:
    """The fleet as the page gets it, without a server around it."""
    return fleet.judge(WANTED, fleet_of(servers), now=NOW, silent_after=SILENT_AFTER, expected=expected)


@dataclass
class Clock:
    """The leader's clock."""

    now: datetime = NOW


@contextlib.contextmanager
def served_fleet(base: Path, received: Sequence[Received], **more: Any) -> Iterator[Served]:  # noqa: ANN401 - of `serving`
    """A real server whose reports were really posted, each at its time."""
    clock = Clock()
    write_set(base / "set", version=SET_VERSION, names=tuple(FILES.values()), data=b"x")
    secrets = make_tokens(base / "tokens.json", NOW, ("office", BearerRole.READ, ()), ("all", BearerRole.REPORT, ()))
    terms = {"tokens_file": base / "tokens.json", "reports": base / "reports", "now": lambda: clock.now, **more}
    with serving(base / "set", **terms) as served:
        with served.client(secrets["all"]) as client:
            for item in received:
                clock.now = item.at
                answer = client.post(f"/reports/{item.report.host}", json=fleet.document(item.report))
                assert answer.status_code == 204, answer.text
        clock.now = NOW
        served.secrets = secrets
        yield served


# The browser


def typed(secret: str) -> HttpCredentials:
    """What a person types whom the server asks who is there: any name, and a token as the password."""
    return {"username": "anybody", "password": secret}


def _chromium() -> str:
    named = os.environ.get("REPO_MANAGER_BROWSER") or shutil.which("chromium")
    if named is None:
        raise RuntimeError("these tests need Chromium: run 'make test-browser'")
    return named


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """A browser that asks nobody but this machine."""
    from playwright.sync_api import sync_playwright

    # As root, which is who builds in containers, Chromium's sandbox refuses to work.
    root = hasattr(os, "geteuid") and os.geteuid() == 0
    options = ["--no-proxy-server", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=_chromium(), chromium_sandbox=not root, args=options)
        try:
            yield browser
        finally:
            browser.close()


@dataclass
class Sight:
    """A page that is open, and what it did besides being shown."""

    page: Page
    requests: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def until(self, expression: str) -> None:
        """Wait until this holds in the page. The library's own way of waiting is refused by strict policies."""
        for _ in range(600):
            if self.page.evaluate(expression):
                return
            self.page.wait_for_timeout(50)
        raise AssertionError(expression)

    def rows(self) -> list[list[str]]:
        """The matrix as it is shown: the texts of all cells that are not hidden, a row each, without the heads."""
        texts: list[list[str]] = self.page.evaluate(_ROWS)
        return texts

    def column(self, head: str) -> list[str]:
        """What is shown below a head."""
        place = self.heads().index(head)
        return [row[place] for row in self.rows()]

    def said(self) -> str:
        """What a screen reader was told last."""
        words: str = self.page.locator("[role=status]").inner_text()
        return words

    def heads(self) -> list[str]:
        """The heads of the columns that are not hidden."""
        texts: list[str] = self.page.evaluate(_HEADS)
        return texts

    def orders(self) -> dict[str, str]:
        """The columns that say that the rows are sorted by them, and how."""
        found: dict[str, str] = self.page.evaluate(_ORDERS)
        return found

    def sort(self, head: str) -> None:
        """Click on a head."""
        self.page.locator("#fleet thead").get_by_role("button", name=head, exact=True).click()

    def state(self, word: str) -> None:
        """Click on a state on top."""
        self.page.locator(".counts").get_by_role("button", name=word).click()

    def faults(self) -> list[str]:
        """What axe-core finds that keeps somebody from using the page."""
        self.page.evaluate(_AXE.read_text(encoding="utf-8"))
        found: dict[str, Any] = self.page.evaluate("() => axe.run(document, { resultTypes: ['violations'] })")
        return [
            f"{violation['id']} ({violation['impact']}): {violation['nodes'][0]['html'][:200]}"
            for violation in found["violations"]
        ]


_SHOWN: Final = """cells => [...cells].filter(cell => !cell.hidden).map(cell => [...cell.childNodes]
  .filter(node => node.className !== "unseen").map(node => node.textContent).join(""))"""
_ROWS: Final = f"""() => [...document.getElementById("fleet").tBodies[0].rows]
  .filter(row => !row.hidden).map(row => ({_SHOWN})(row.cells))"""
_HEADS: Final = f"""() => ({_SHOWN})(document.getElementById("fleet").tHead.rows[0].cells)"""
_ORDERS: Final = """() => Object.fromEntries([...document.querySelectorAll("#fleet thead th")]
  .filter(head => head.getAttribute("aria-sort") !== "none")
  .map(head => [head.innerText.trim(), head.getAttribute("aria-sort")]))"""

# Told by the browser itself, whatever the page's policy.
_WITNESS: Final = """document.addEventListener("securitypolicyviolation",
  event => console.error(`refused by the policy: ${event.violatedDirective}`));"""

ADDRESS: Final = "http://fleet.invalid/fleet"


def watched(context: BrowserContext) -> Sight:
    """A new page, from its first moment on."""
    page = context.new_page()
    page.set_default_timeout(60_000)
    sight = Sight(page)
    page.add_init_script(_WITNESS)
    page.on("request", lambda request: sight.requests.append(request.url))
    page.on("requestfailed", lambda request: sight.refused.append(f"{request.failure} {request.url}"))
    page.on("console", lambda message: sight.complaints.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: sight.complaints.append(f"thrown: {error}"))
    return sight


def show(sight: Sight, document: tuple[str, str]) -> None:
    """Show a document with its policy, as if a server had sent it."""
    text, policy = document
    headers = {"Content-Security-Policy": policy, "Content-Type": "text/html; charset=utf-8"}
    sight.page.route(ADDRESS, lambda route: route.fulfill(status=200, headers=headers, body=text))
    sight.page.goto(ADDRESS)
