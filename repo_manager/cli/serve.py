"""`repo-manager serve`, and `token` below it."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from repo_manager.cli import StoppedError, options
from repo_manager.cli.root import run_of
from repo_manager.core.errors import InputError, install_hint

if TYPE_CHECKING:
    from repo_manager.cli.run import Run
    from repo_manager.web.app import Site
    from repo_manager.web.limits import AccessLogEntry
    from repo_manager.web.server import Address
    from repo_manager.web.signed_folder import SignedFolder
    from repo_manager.web.tokens import Tokens
    from repo_manager.web.uvicorn_server import HttpServer, ServerConfig

app = typer.Typer(rich_markup_mode=None, add_completion=False, invoke_without_command=True)


class Action(StrEnum):
    """What to do with tokens."""

    ADD = "add"
    LIST = "list"
    REMOVE = "remove"


class TokenRole(StrEnum):
    """What the bearer of a token may do."""

    READ = "read"
    REPORT = "report"


SetFolder = Annotated[
    Path | None, options.option("--set", "The signed set to serve: the folder that publish wrote.", metavar="DIR")
]
Listen = Annotated[
    str,
    options.option("--listen", "Where to listen; only this machine can reach the usual address.", metavar="HOST:PORT"),
]
TlsCert = Annotated[
    Path | None,
    options.option("--tls-cert", "The server's certificate with those above it, in PEM.", metavar="FILE"),
]
TlsKey = Annotated[
    Path | None, options.option("--tls-key", "The key of the certificate, in PEM, without a password.", metavar="FILE")
]
TokensFile = Annotated[
    Path | None,
    options.option("--tokens", "Let in only those with a token of this file; see serve token.", metavar="FILE"),
]
ReportsFolderOption = Annotated[
    Path | None,
    options.option("--reports", "Take reports of servers, keep them in this folder, show the fleet.", metavar="DIR"),
]
BehindProxy = Annotated[
    list[str] | None,
    options.option(
        "--behind-proxy",
        "Believe this proxy, or those of this network, when it says who asks; may be given several times.",
        metavar="ADDRESS",
    ),
]
FleetFile = Annotated[
    Path | None,
    options.option("--fleet", "Expect the servers of this file, as fleet audit does.", metavar="FILE"),
]
SilentAfter = Annotated[
    int | None,
    options.option(
        "--silent-after", "A server that has not reported for so long is silent.", metavar="HOURS", min=1, max=1000
    ),
]
MaxConnections = Annotated[
    int,
    options.option("--max-connections", "How many connections there may be at once.", metavar="N", min=1, max=1000),
]
Drain = Annotated[
    int,
    options.option(
        "--drain",
        "How long running transfers may go on when the server is to end.",
        metavar="SECONDS",
        min=0,
        max=1000,
    ),
]
LogFile = Annotated[Path | None, options.option("--log", "Write every request to this file.", metavar="FILE")]
Servers = Annotated[
    list[str] | None,
    options.option(
        "--server", "The token may report for this server alone; may be given several times.", metavar="NAME"
    ),
]
RoleOption = Annotated[
    TokenRole,
    options.option(
        "--role",
        "read: the set, the fleet, the numbers. report: the set, and to report.",
        variable="token-role",
    ),
]

_LISTEN: Final = "127.0.0.1:8080"
_SILENT_AFTER_H: Final = 48
_CONNECTIONS: Final = 500
_DRAIN_S: Final = 30


@app.callback()
def serve(
    context: typer.Context,
    set_: SetFolder = None,
    listen: Listen = _LISTEN,
    tls_cert: TlsCert = None,
    tls_key: TlsKey = None,
    tokens: TokensFile = None,
    reports: ReportsFolderOption = None,
    fleet: FleetFile = None,
    behind_proxy: BehindProxy = None,
    silent_after: SilentAfter = None,
    max_connections: MaxConnections = _CONNECTIONS,
    drain: Drain = _DRAIN_S,
    log: LogFile = None,
) -> None:
    """Serve a signed set over HTTP or HTTPS, take reports, show the fleet.

    What is served are the two folders of the set and nothing else, to be read. Only this machine can
    reach it unless --listen says otherwise. Ends when it is asked to; running transfers are finished.

    token: make, list and remove the tokens that let others in.
    """
    if context.invoked_subcommand is not None:
        given = {"tokens": tokens} if tokens is not None else {}
        defaults = context.default_map or {}
        below = str(context.invoked_subcommand)
        context.default_map = {**defaults, below: {**defaults.get(below, {}), **given}}
        return
    run = run_of(context)
    _see_that_it_is_installed()
    from repo_manager.web.server import Address, proxies

    address = Address.parse(listen)
    behind = proxies(behind_proxy or ())
    folder = _folder(set_)
    folder.keep_apart({"--tokens": tokens, "--tls-key": tls_key, "--reports": reports, "--fleet": fleet, "--log": log})
    site = _site(folder, tokens, reports)
    _expect(site, fleet, silent_after, counts=options.was_said(context, "silent_after"))
    site.tell = _Log(run, log).tell
    terms = _terms(run, site, tls_cert, tls_key, behind, max_connections, drain)
    _warn(run, address, site, terms)
    if _serve(run, address, site, terms):
        raise StoppedError("serve")


@app.command()
def token(
    context: typer.Context,
    action: Annotated[Action, typer.Argument(help="add, list or remove.")],
    name: Annotated[str, typer.Argument(metavar="[NAME]", help="The token's name; that of its bearer does well.")] = "",
    tokens: TokensFile = None,
    token_role: RoleOption = TokenRole.READ,
    server: Servers = None,
) -> None:
    """Make, list and remove the tokens that let others in.

    A token is shown once, when it is made. The file holds its digest alone. Changes count at once,
    also for a server that runs.
    """
    run = run_of(context)
    if tokens is None:
        raise InputError("usage", "which file of tokens is not said", "add --tokens FILE")
    if (action is Action.LIST) == bool(name):
        raise InputError("usage", f"{action} {'takes no' if name else 'needs a'} name", "see --help")
    from repo_manager.web.tokens import load

    known = load(tokens, absent_is_empty=action is Action.ADD)
    match action:
        case Action.ADD:
            _add(run, tokens, known, name, token_role, tuple(server or ()))
        case Action.REMOVE:
            _remove(run, tokens, known, name)
        case Action.LIST:
            _list(run, known)


# Tokens


def _add(run: Run, path: Path, known: Tokens, name: str, role: TokenRole, servers: tuple[str, ...]) -> None:
    from repo_manager.web.tokens import BearerRole, new_secret, save

    secret = new_secret(secrets.token_bytes(32))
    more = known.with_one(name, BearerRole(role.value), secret, datetime.now(UTC), servers)
    save(path, more)
    run.console.made = f"the token {name!r} was made; remove it and make another"
    run.console.emit({"schema": "repo-manager/serve-token/1", "name": name, "role": role.value, "token": secret})
    if not run.console.json_wanted:
        run.console.answer(secret)
    run.console.note("this is the only time that it is shown; hand it over on a way that nobody else reads")


def _remove(run: Run, path: Path, known: Tokens, name: str) -> None:
    from repo_manager.web.tokens import save

    save(path, known.without(name))
    run.console.emit({"schema": "repo-manager/serve-token/1", "name": name, "removed": True})
    run.console.answer(f"removed {name}: its bearer is not let in any more")


def _list(run: Run, known: Tokens) -> None:
    from repo_manager.report.text import table

    rows = [(token.name, token.role.value, token.made, ", ".join(token.hosts) or "-") for token in known.tokens]
    run.console.emit(
        {
            "schema": "repo-manager/serve-tokens/1",
            "tokens": [
                {"name": token.name, "role": token.role.value, "made": token.made, "servers": list(token.hosts)}
                for token in known.tokens
            ],
        }
    )
    if not run.console.json_wanted:
        run.console.answer(table(("NAME", "ROLE", "MADE", "SERVERS"), rows) if rows else "no tokens")


# The server


def _see_that_it_is_installed() -> None:
    missing = [name for name in ("starlette", "uvicorn") if find_spec(name) is None]
    if missing:
        raise InputError(
            "serve-not-installed",
            f"serving needs the extra 'serve', which is not installed here: there is no {missing[0]}",
            install_hint("serve"),
        )


def _expect(site: Site, file: Path | None, silent_after_h: int | None, *, counts: bool) -> None:
    """Which servers there should be, and how soon one is silent. What was said now `counts` more than the file."""
    listed = None
    if file is not None:
        from repo_manager.adapters.status_reports.expected import InventoryFile

        if site.reports is None:
            raise InputError("usage", "servers are expected to report, and nobody takes reports", "add --reports DIR")
        inventory = InventoryFile(file)
        site.expected = inventory.servers
        listed = inventory.inventory.silent_after_h
    hours = silent_after_h if counts or listed is None else listed
    site.silent_after = timedelta(hours=hours or _SILENT_AFTER_H)


def _folder(set_: Path | None) -> SignedFolder:
    from repo_manager.web.signed_folder import SignedFolder

    if set_ is None:
        raise InputError("usage", "which set to serve is not said", "add --set DIR")
    folder = SignedFolder(set_)
    folder.check()
    return folder


def _site(folder: SignedFolder, tokens: Path | None, reports: Path | None) -> Site:
    from repo_manager.adapters.status_reports.folder import ReportsFolder
    from repo_manager.web.app import Site
    from repo_manager.web.authenticator import Authenticator

    doorkeeper = Authenticator(tokens)
    doorkeeper.refresh()
    if reports is None:
        return Site(folder, doorkeeper)
    if tokens is None:
        raise InputError(
            "no-tokens",
            "anybody could report anything without tokens",
            "make some with 'serve token add', add --tokens",
        )
    kept = ReportsFolder(reports)
    kept.prepare()
    return Site(folder, doorkeeper, kept)


def _terms(
    run: Run,
    site: Site,
    tls_cert: Path | None,
    tls_key: Path | None,
    behind: tuple[str, ...],
    connections: int,
    drain_s: int,
) -> ServerConfig:
    from repo_manager.web.connection_limits import ConnectionLimits
    from repo_manager.web.limits import is_loopback
    from repo_manager.web.listener import room_for
    from repo_manager.web.server import Certificate, is_one_of
    from repo_manager.web.uvicorn_server import ServerConfig

    if (tls_cert is None) != (tls_key is None):
        raise InputError("usage", "a certificate and its key belong together", "give both --tls-cert and --tls-key")
    tls_cert, tls_key = run.trusted(tls_cert), run.trusted(tls_key)
    certificate = Certificate(tls_cert, tls_key) if tls_cert and tls_key else None
    most = room_for(connections)
    if most < connections:
        run.console.note(
            f"warning: this process may open too few files for {connections} connections, it takes {most} at once;"
            " raise its limit (ulimit -n, or LimitNOFILE of its unit)"
        )
    doors = ConnectionLimits(
        site.metrics,
        most=most,
        most_of_one=max(most // 2, 1),
        exempt=lambda client: is_loopback(client) or is_one_of(client, behind),
    )
    return ServerConfig(doors, certificate, behind, drain_s, run.console.note)


def _warn(run: Run, address: Address, site: Site, terms: ServerConfig) -> None:
    """Say what may surprise."""
    if not address.for_this_machine_only:
        if terms.certificate is None:
            run.console.note("warning: without --tls-cert everybody on the way can read tokens and reports")
        if site.doorkeeper.open_to_all:
            run.console.note("warning: without --tokens everybody who can reach this address may read the set")
    try:
        site.folder.published()
    except InputError as error:
        run.console.note(f"warning: {error.message}; {error.hint}")


def _serve(run: Run, address: Address, site: Site, terms: ServerConfig) -> bool:
    """Serve until somebody asks for the end. Returns whether somebody did."""
    from repo_manager.adapters.signals import told_to_stop
    from repo_manager.cli.console import flush
    from repo_manager.web.app import application
    from repo_manager.web.server import bind
    from repo_manager.web.uvicorn_server import HttpServer

    run.console.a_line_each = True
    listening = bind(address)
    url = address.url(listening.getsockname()[1], tls=terms.certificate is not None)
    server: HttpServer = HttpServer(application(site), terms)
    with told_to_stop(server.stop) as told:
        _say(run, "listening", f"listening on {url}; Ctrl-C ends it", address=url)
        flush()
        server.run(sockets=[listening])
    _say(run, "stopped", "stopped")
    return told.asked


def _say(run: Run, event: str, words: str, **facts: Any) -> None:  # noqa: ANN401 - facts of an event
    at = datetime.now(UTC).isoformat(timespec="seconds")
    run.console.emit({"schema": "repo-manager/serve/1", "at": at, "event": event, **facts})
    if not run.console.json_wanted:
        run.console.answer(words)


class _Log:
    """What is said of requests: all of them with -v and in the file, otherwise only what nobody expected."""

    def __init__(self, run: Run, path: Path | None) -> None:
        from repo_manager.adapters.windows.event_log import TextLog

        self._run = run
        self._file = None if path is None else TextLog(path, limit_bytes=_LOG_BYTES)

    def tell(self, entry: AccessLogEntry) -> None:
        from repo_manager.web.limits import line

        words = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} {line(entry)}"
        if self._file is not None:
            self._file.add(f"{words}\n")
        if entry.fault:
            self._run.console.note(words)
        else:
            self._run.console.detail(words)


_LOG_BYTES: Final = 10_000_000
