"""`repo-manager mirror`."""

from __future__ import annotations

import random
import re
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from repo_manager.adapters.filesystem import trusted_files
from repo_manager.adapters.status_reports.refusals import Refusals
from repo_manager.adapters.tuf.trust_store import TrustStore
from repo_manager.app.mirror import Follower, MirrorRequest, MirrorStatus, TrustOptions
from repo_manager.app.status_report import Destination, Reporter, destination
from repo_manager.app.tasks import check_source
from repo_manager.cli import options
from repo_manager.cli.change import change
from repo_manager.cli.root import run_of
from repo_manager.cli.voice import TerminalProgress
from repo_manager.core import fleet, maintenance_window
from repo_manager.core import selection as selections
from repo_manager.core.address import Address, parse
from repo_manager.core.errors import InputError, LockedError, RepoManagerError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from repo_manager.adapters.tuf.verified_set import TrustAnchor
    from repo_manager.cli.run import Run
    from repo_manager.core.fleet import Host

app = typer.Typer(rich_markup_mode=None, add_completion=False)

_RATE: Final = re.compile(r"([0-9]{1,12})([kmg]?)", re.ASCII | re.IGNORECASE)
_UNITS: Final = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}


@app.command()
def mirror(
    context: typer.Context,
    leader: Annotated[
        Address,
        typer.Argument(
            metavar="SOURCE",
            parser=parse,
            help="Where the set lies: a folder, a UNC path, https://, http://, az:// or s3:// address.",
        ),
    ],
    trust: Annotated[
        str | None,
        options.option("--trust", "On first contact: the fingerprint that publish printed.", metavar="SHA256"),
    ] = None,
    root: Annotated[
        Path | None,
        options.option("--root", "On first contact: a file with the root metadata to trust.", metavar="FILE"),
    ] = None,
    replace_trust: Annotated[
        bool, options.command_line_option("--replace-trust", "Replace the keys that this repository trusts.")
    ] = False,
    accept_expired: Annotated[
        bool,
        options.command_line_option("--accept-expired", "Accept an expired set, for example one carried in on a disk."),
    ] = False,
    unsigned: Annotated[
        bool, options.command_line_option("--unsigned", "SOURCE is a plain folder of installers without signatures.")
    ] = False,
    limit_rate: Annotated[
        str | None,
        options.option("--limit-rate", "At most so many bytes a second: 500k, 2M.", metavar="RATE"),
    ] = None,
    window: Annotated[
        list[str] | None,
        options.option(
            "--window",
            "Change something only in these hours, in local time; may be given several times.",
            metavar="HH:MM-HH:MM",
        ),
    ] = None,
    jitter: Annotated[
        int,
        options.option(
            "--jitter", "Wait up to so long before beginning, by chance.", metavar="MINUTES", min=0, max=1000
        ),
    ] = 0,
    report_to: Annotated[
        Address | None,
        options.option(
            "--report-to",
            "Report how it went to this place, not to SOURCE: an address of serve, a folder, az:// or s3://.",
            metavar="PLACE",
            parser=parse,
        ),
    ] = None,
    no_report: Annotated[bool, options.option("--no-report", "Tell nobody how it went.")] = False,
    host: Annotated[
        str | None,
        options.option("--host", "Report under this name, not under that of the machine.", metavar="NAME"),
    ] = None,
    release: options.Release = selections.AUTO,
    package: options.Packages = None,
    signatures: options.Signatures = None,
    dry_run: options.DryRun = False,
    allow_plain_http: options.AllowPlainHttp = False,
    yes: options.Yes = False,
    create: options.Create = False,
    no_restart: options.NoRestart = False,
) -> None:
    """Follow a published set: make the repository hold what the leader has, as one transaction.

    Everything is verified against the keys that are trusted here. What the set does not hold is retired.
    Where nothing is new, that takes one small request. Safe to run twice and to kill at any moment.

    Afterwards it reports how it went to where the set lies, if reports are taken there.
    """
    run = run_of(
        context,
        create=create,
        plain_http=allow_plain_http,
        signature_policy=signatures,
        confirmed=None if unsigned else set(),
    )
    windows = tuple(maintenance_window.parse(text) for text in window or ())
    rate = _rate(limit_rate)
    anchor = _anchor(trust, root, unsigned=unsigned)
    told = destination(leader, report_to, wanted=not (no_report or dry_run), signed=not unsigned)
    name = _host(host)
    run.signatures.insist()
    check_source(leader, run.folder.path)
    request = run.request(release=release, packages=tuple(package or ()))
    wanted = MirrorRequest(release, tuple(run.catalog.require(text).token for text in _named(request.packages)))
    if replace_trust and anchor is None:
        raise InputError("no-trust", "--replace-trust needs somebody to trust instead", "add --trust or --root")
    if jitter and not dry_run:
        run.console.detail("waiting, so that not all followers come at once")
        run.clock.sleep(random.SystemRandom().uniform(0, jitter * 60))
    reporter = _reporter(run, told)
    depot = run.depot(leader)
    follower = Follower(
        depot=depot,
        store=TrustStore(run.folder.path),
        catalog=run.catalog,
        checker=run.checker,
        judge=run.plan_context.audit,
        now=run.now,
        trusting=TrustOptions(anchor, accept_expired=accept_expired, afresh=replace_trust, unsigned=unsigned),
        wanted=wanted,
        voice=TerminalProgress(run.console),
    )
    status = MirrorStatus(follower, reporter, name, run.listing)
    try:
        _change(run, follower, status, rate, windows, dry_run=dry_run, yes=yes, no_restart=no_restart)
    except LockedError:
        # Whoever holds the lock has something to report in a moment.
        raise
    except RepoManagerError as error:
        status.report(error.exit_code, error)
        raise
    finally:
        depot.close()


def _change(
    run: Run,
    follower: Follower,
    status: MirrorStatus,
    rate: int | None,
    windows: Sequence[maintenance_window.Window],
    *,
    dry_run: bool,
    yes: bool,
    no_restart: bool,
) -> None:
    from repo_manager.adapters.sources.depot_source import DepotSource, RateLimit

    closed_s = maintenance_window.opens_in(windows, datetime.now().astimezone().time())
    task = follower.task(opens_in_s=closed_s, restart=not no_restart)
    fetcher = run.fetcher(depot=DepotSource(follower.depot, RateLimit(rate)))
    change(run, task, dry_run=dry_run, yes=yes, fetcher=fetcher, facts=follower.facts, ended=status.report)


def _reporter(run: Run, told: Destination) -> Reporter:
    from repo_manager.adapters.status_reports.send import ReportSender

    ring = run.reporting_keyring()
    post = ReportSender(run.policy(brisk=True), ring, partial(run.depot, brisk=True, ring=ring))
    if told.asked and told.place is not None:
        post.refuse_plain_http(told.place)
    return Reporter(
        destination=told,
        sender=post,
        refusals=Refusals(run.folder.path),
        now=run.now,
        voice=TerminalProgress(run.console),
    )


def _host(named: str | None) -> Host:
    """The name to report under.

    Raises:
        InputError: what was given is none.
    """
    import socket

    return fleet.host_of_machine(socket.gethostname()) if named is None else fleet.host(named)


def _named(packages: tuple[str, ...]) -> tuple[str, ...]:
    every = any(text.strip().lower() == selections.ALL for text in packages)
    return () if every else packages


def _rate(text: str | None) -> int | None:
    if text is None:
        return None
    found = _RATE.fullmatch(text.strip())
    rate = int(found[1]) * _UNITS[found[2].lower()] if found else 0
    if not rate:
        raise InputError("bad-rate", f"{text[:40]!r} is no rate", "write bytes a second, as in 500k or 2M")
    return rate


def _anchor(trust: str | None, root: Path | None, *, unsigned: bool) -> TrustAnchor | None:
    """Whom the operator trusts, where that was said.

    Raises:
        InputError: it makes no sense, or was said twice.
    """
    from repo_manager.adapters.tuf.keys import require_trust
    from repo_manager.adapters.tuf.signed_set import ROOT_LIMIT, digest_of
    from repo_manager.adapters.tuf.verified_set import TrustAnchor

    if sum(map(bool, (trust, root, unsigned))) > 1:
        raise InputError("usage", "--trust, --root and --unsigned exclude each other", "give one of them")
    if trust:
        return TrustAnchor(digest_of(trust))
    if root is None:
        return None
    try:
        data = trusted_files.read(root, most=ROOT_LIMIT)
    except OSError as error:
        raise InputError("no-file", f"{root} cannot be read: {error.strerror}", "check --root") from error
    # What reads it is an extra.
    require_trust()
    return TrustAnchor.of(data, f"--root {root}")
