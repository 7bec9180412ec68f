"""What is answered to whom. A Starlette application; nothing here knows sockets or the command line."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import anyio.to_thread
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from repo_manager.core import fleet
from repo_manager.core.errors import InputError, MachineError, RepoManagerError
from repo_manager.report import fleet_page
from repo_manager.version import __version__
from repo_manager.web import metrics as numbers
from repo_manager.web.limits import AccessLogEntry, Guard, Rate, refused
from repo_manager.web.sending import FileAnswer
from repo_manager.web.signed_folder import METADATA, TARGETS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from starlette.requests import Request
    from starlette.types import ASGIApp

    from repo_manager.adapters.status_reports.folder import ReportsFolder, ReportsInFolder
    from repo_manager.core.fleet import ExpectedServer, Fleet, PublishedSet, Received, WantedPackages
    from repo_manager.web.authenticator import Authenticator, Principal
    from repo_manager.web.signed_folder import OpenFile, SignedFolder

BODY_S: Final = 30.0
"""How long a report may take to arrive."""

_NEVER_CHANGES: Final = "max-age=31536000, immutable"
_ASK_AGAIN: Final = "no-cache"


def _now() -> datetime:
    return datetime.now(UTC)


def _nobody(_: AccessLogEntry) -> None:
    pass


def _nobody_expected() -> tuple[ExpectedServer, ...]:
    return ()


@dataclass
class Site:
    """What is served, and to whom. `reports` is None where none are taken. `expected` says who should report."""

    folder: SignedFolder
    doorkeeper: Authenticator
    reports: ReportsFolder | None = None
    silent_after: timedelta = timedelta(hours=48)
    expected: Callable[[], tuple[ExpectedServer, ...]] = _nobody_expected
    body_s: float = BODY_S
    now: Callable[[], datetime] = _now
    metrics: numbers.Metrics = field(default_factory=numbers.Metrics)
    rate: Rate = field(default_factory=Rate)
    tell: Callable[[AccessLogEntry], None] = _nobody


def application(site: Site) -> ASGIApp:
    """The application that answers for a site."""
    set_ = _OfTheSet(site)
    routes = [
        Route("/healthz", set_.health, methods=["GET"]),
        Route("/metadata/{name}", set_.metadata, methods=["GET"]),
        Route("/targets/{name}", set_.target, methods=["GET"]),
        Route("/metrics", _Numbers(site).answer, methods=["GET"]),
    ]
    if site.reports is not None:
        reports = _OfTheFleet(site, site.reports)
        routes += [
            Route("/reports", reports.all, methods=["GET"]),
            Route("/reports/{host}", reports.take, methods=["POST"]),
            Route("/fleet", reports.page, methods=["GET"]),
        ]
    inner = Starlette(routes=routes, exception_handlers={HTTPException: _said_no})
    # A path with a slash too many is another path, not the same one.
    inner.router.redirect_slashes = False
    return Guard(inner, site.metrics, site.rate, site.tell)


# Whoever is not let in


async def _said_no(request: Request, error: Exception) -> Response:
    del request
    if not isinstance(error, HTTPException):
        raise error
    words = {404: "there is nothing here", 405: "this cannot be done here"}.get(error.status_code, error.detail)
    return refused(error.status_code, words, dict(error.headers or {}))


def _visitor(site: Site, request: Request, *, page: bool = False) -> Principal:
    """Who asks.

    Raises:
        HTTPException: nobody who is known.
    """
    asks = request.method in {"GET", "HEAD"}
    try:
        visitor = site.doorkeeper.visitor(request.headers.get("authorization"), password_too=asks)
    except RepoManagerError as error:
        raise HTTPException(503, "the tokens cannot be read") from error
    if visitor is None:
        challenge = 'Basic realm="repo-manager", charset="UTF-8"' if page else 'Bearer realm="repo-manager"'
        raise HTTPException(401, "a token is needed", {"WWW-Authenticate": challenge})
    request.state.bearer = visitor.name
    return visitor


def _onlooker(site: Site, request: Request, *, page: bool = False) -> Principal:
    """Who asks, and may see how the fleet stands.

    Raises:
        HTTPException: nobody who may.
    """
    visitor = _visitor(site, request, page=page)
    if not visitor.may_look:
        raise HTTPException(403, "this token may not see this")
    return visitor


# The set


class _OfTheSet:
    def __init__(self, site: Site) -> None:
        self._site = site

    async def health(self, request: Request) -> Response:
        """Whether there is a set to serve. Nobody needs a token to ask."""
        del request
        try:
            await anyio.to_thread.run_sync(self._site.folder.published)
        except RepoManagerError:
            return refused(503, "there is no set to serve")
        return PlainTextResponse("ok\n", headers={"Cache-Control": "no-store"})

    async def metadata(self, request: Request) -> Response:
        """A file of the set's metadata."""
        numbered = request.path_params["name"].partition(".")[0].isdigit()
        return await self._file(request, METADATA, "application/json", _NEVER_CHANGES if numbered else _ASK_AGAIN)

    async def target(self, request: Request) -> Response:
        """An installer."""
        return await self._file(request, TARGETS, "application/octet-stream", _NEVER_CHANGES)

    async def _file(self, request: Request, part: str, media_type: str, caching: str) -> Response:
        _visitor(self._site, request)
        opened = await self._opened(part, request.path_params["name"])
        shared = "public" if self._site.doorkeeper.open_to_all else "private"
        return FileAnswer(opened, request.headers, media_type=media_type, caching=f"{shared}, {caching}")

    async def _opened(self, part: str, name: str) -> OpenFile:
        try:
            opened = await anyio.to_thread.run_sync(self._site.folder.open, part, name)
        except OSError as error:
            raise HTTPException(503, "the set cannot be read just now", {"Retry-After": "5"}) from error
        if opened is None:
            raise HTTPException(404)
        return opened


# The fleet


class _OfTheFleet:
    def __init__(self, site: Site, reports: ReportsFolder) -> None:
        self._site = site
        self._reports = reports

    async def all(self, request: Request) -> Response:
        """Every server's last report."""
        _onlooker(self._site, request)
        text = await anyio.to_thread.run_sync(self._document)
        return Response(text, media_type="application/json", headers={"Cache-Control": "no-store"})

    async def page(self, request: Request) -> Response:
        """How the fleet stands, for people."""
        _onlooker(self._site, request, page=True)
        text, policy = await anyio.to_thread.run_sync(self._page)
        headers = {
            "Cache-Control": "no-store",
            "Content-Security-Policy": policy,
            "Referrer-Policy": "no-referrer",
            "X-Frame-Options": "DENY",
        }
        return Response(text, media_type="text/html", headers=headers)

    async def take(self, request: Request) -> Response:
        """Keep a server's report."""
        visitor = _visitor(self._site, request)
        host = _host(request.path_params["host"])
        if visitor.token is None or not visitor.token.may_report(host):
            raise HTTPException(403, "this token may not report for this server")
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            raise HTTPException(415, "a report is application/json")
        report = _report(await _body(request, self._site.body_s))
        if report.host != host:
            raise HTTPException(400, "the report is of another server than the address")
        received = fleet.Received(report, self._site.now().replace(microsecond=0))
        try:
            await anyio.to_thread.run_sync(self._reports.keep, received, visitor.name)
        except MachineError as error:
            raise HTTPException(507, error.code) from error
        return Response(status_code=204)

    def _document(self) -> str:
        gathered = _gathered(self._reports)
        document = {
            "schema": fleet.ALL_SCHEMA,
            "at": fleet.stamp(self._site.now()),
            "reports": [
                {"at": fleet.stamp(item.at), "report": fleet.document(item.report)} for item in gathered.received
            ],
            "unreadable": list(gathered.unreadable),
        }
        return json.dumps(document)

    def _page(self) -> tuple[str, str]:
        gathered = _gathered(self._reports)
        judged = judged_fleet(self._site, gathered)
        return fleet_page.render(judged, self._site.now(), unreadable=gathered.unreadable)


def judged_fleet(site: Site, gathered: ReportsInFolder) -> Fleet:
    """The fleet, held against the set that is served, or where there is none against what most servers have."""
    published = _published(site)
    wanted = _wanted(published, gathered.received)
    return fleet.judge(
        wanted, gathered.received, now=site.now(), silent_after=site.silent_after, expected=site.expected()
    )


def _wanted(published: PublishedSet | None, received: tuple[Received, ...]) -> WantedPackages:
    if published is None:
        return fleet.consensus(received)
    return fleet.WantedPackages(published.name, published.packages, published.later_roots)


def _published(site: Site) -> PublishedSet | None:
    try:
        return site.folder.published()
    except RepoManagerError:
        return None


def _gathered(reports: ReportsFolder) -> ReportsInFolder:
    try:
        return reports.gather()
    except MachineError as error:
        raise HTTPException(503, "the reports cannot be read just now") from error


def _host(text: str) -> fleet.Host:
    if text != text.strip():
        # What is forgiven to a person is not to an address, where it stands encoded.
        raise HTTPException(400, "this is no server's name")
    try:
        return fleet.host(text)
    except InputError as error:
        raise HTTPException(400, "this is no server's name") from error


def _report(body: bytes) -> fleet.Report:
    try:
        return fleet.parse(body)
    except InputError as error:
        # The message is made of our own words and of pieces that were found to be printable.
        raise HTTPException(400, error.message.encode("ascii", "backslashreplace").decode("ascii")) from error


async def _body(request: Request, limit_s: float) -> bytes:
    """The body, if it is not too long and comes in time.

    Raises:
        HTTPException: it is or does not.
    """
    length = request.headers.get("content-length", "0")
    if not length.isdigit() or int(length) > fleet.LIMIT_BYTES:
        raise HTTPException(413, f"a report has at most {fleet.LIMIT_BYTES} bytes")
    data = bytearray()
    try:
        async with asyncio.timeout(limit_s):
            async for piece in request.stream():
                data += piece
                if len(data) > fleet.LIMIT_BYTES:
                    raise HTTPException(413, f"a report has at most {fleet.LIMIT_BYTES} bytes")
    except TimeoutError as error:
        raise HTTPException(408, "the report did not arrive in time") from error
    except ClientDisconnect as error:
        raise HTTPException(400, "the report was cut off") from error
    return bytes(data)


# Numbers


class _Numbers:
    def __init__(self, site: Site) -> None:
        self._site = site

    async def answer(self, request: Request) -> Response:
        """Everything that Prometheus may want to know."""
        _onlooker(self._site, request)
        lines = [*self._site.metrics.families(), *await anyio.to_thread.run_sync(lambda: list(self._of_the_disk()))]
        return Response(numbers.text(lines), headers={"Content-Type": numbers.MEDIA_TYPE, "Cache-Control": "no-store"})

    def _of_the_disk(self) -> Iterator[str]:
        version = (("version", __version__),)
        yield from numbers.family("repo_manager_build_info", "gauge", "The version of the tool.", {version: 1})
        published = _published(self._site)
        yield from numbers.family(
            "repo_manager_set_readable", "gauge", "Whether there is a set to serve.", {(): int(published is not None)}
        )
        if published is not None:
            version_of_set, expires = published.name.version, published.expires.timestamp()
            yield from numbers.family(
                "repo_manager_set_version", "gauge", "The version of the set.", {(): version_of_set}
            )
            yield from numbers.family(
                "repo_manager_set_expires_timestamp_seconds", "gauge", "When followers begin to refuse.", {(): expires}
            )
        if self._site.reports is not None:
            yield from self._of_the_fleet(self._site.reports)

    def _of_the_fleet(self, reports: ReportsFolder) -> Iterator[str]:
        gathered = _gathered(reports)
        judged = judged_fleet(self._site, gathered)
        counts: dict[numbers.Labels, float] = {
            (("condition", condition.value),): judged.count(condition) for condition in fleet.Condition
        }
        yield from numbers.family("repo_manager_fleet_servers", "gauge", "Servers by how they stand.", counts)
        yield from numbers.family(
            "repo_manager_fleet_unreadable_reports",
            "gauge",
            "Files that hold no report.",
            {(): len(gathered.unreadable)},
        )
