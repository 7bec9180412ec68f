"""`repo-manager fleet audit`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, TypeVar

import typer

from repo_manager.cli import options
from repo_manager.cli.root import run_of
from repo_manager.core import fleet as fleets
from repo_manager.core.address import Address, parse
from repo_manager.core.errors import ExitCode, InputError, MachineError, RepoManagerError, TransferError

if TYPE_CHECKING:
    from repo_manager.adapters.installers.inspect import Checker
    from repo_manager.adapters.status_reports.collect import Gathered
    from repo_manager.adapters.status_reports.probe import Leader
    from repo_manager.cli.run import Run
    from repo_manager.core.fleet import Inventory, Look, Server

app = typer.Typer(rich_markup_mode=None, add_completion=False, no_args_is_help=True)

_Value = TypeVar("_Value")

SILENT_AFTER_H: Final = 48
_TIME_LIMIT_S: Final = 30


@app.callback()
def fleet() -> None:
    """Look at many servers at once: who is behind, who differs, who is silent."""


@app.command()
def audit(
    context: typer.Context,
    fleet: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="fleet.yaml: the servers that there should be.")
    ] = None,
    reports: Annotated[
        str | None,
        options.option(
            "--reports",
            "Where reports lie, unless FILE says it: an address of serve, a folder, az:// or s3://.",
            metavar="PLACE",
        ),
    ] = None,
    set_: Annotated[
        str | None,
        options.option("--set", "Where the leader's set lies, unless FILE says it.", metavar="PLACE"),
    ] = None,
    trust: Annotated[
        str | None,
        options.option("--trust", "Verify the set by this fingerprint, that publish printed.", metavar="SHA256"),
    ] = None,
    silent_after: Annotated[
        int | None,
        options.option(
            "--silent-after", "A server that has not reported for so long is silent.", metavar="HOURS", min=1, max=1000
        ),
    ] = None,
    deep: Annotated[
        bool, options.option("--deep", "Read every byte of every installer in the repositories that are looked at.")
    ] = False,
    time_limit: Annotated[
        int,
        options.option(
            "--time-limit",
            "Do not wait for a server or place that gives nothing for so long.",
            metavar="SECONDS",
            min=1,
            max=1000,
        ),
    ] = _TIME_LIMIT_S,
    allow_plain_http: options.AllowPlainHttp = False,
) -> None:
    """Say who is behind, who differs in what, who is silent, and who cannot be looked at. Changes nothing.

    Reads the reports that followers send after each mirror, and looks itself at the repositories that FILE
    names. Ends with 1 where servers merely differ, and with 7 where one failed, is silent or out of reach.
    """
    run = run_of(context)
    run.plain_http = allow_plain_http
    inventory = _inventory(fleet)

    def choose(parameter: str, given: _Value | None, listed: _Value | None) -> _Value | None:
        """A flag or a variable beats the inventory, which beats the configuration of this machine."""
        return given if listed is None or options.was_said(context, parameter) else listed

    leader_at = _address(choose("set_", set_, inventory.followed if inventory else None))
    reports_at = _address(choose("reports", reports, inventory.reports if inventory else None))
    hours = choose("silent_after", silent_after, inventory.silent_after_h if inventory else None)
    fingerprint = choose("trust", trust, inventory.trust if inventory else None) if leader_at else None
    source = context.get_parameter_source("trust")
    # The variable and the key are those of mirror as well, and need not be meant.
    if leader_at is None and source is not None and source.name == "COMMANDLINE":
        raise InputError("usage", "--trust verifies a set, and nothing says where it lies", "add --set PLACE")
    if not (inventory or reports_at or leader_at):
        raise InputError("usage", "nothing says which servers to look at", "name fleet.yaml, or add --reports PLACE")
    survey = _Survey(run, inventory, time_limit, deep=deep)
    survey.lead(leader_at, fingerprint)
    survey.gather(reports_at or leader_at, asked=reports_at is not None)
    survey.look()
    _answer(run, survey, timedelta(hours=hours or SILENT_AFTER_H), fleet, leader_at, reports_at or leader_at)


def standing(run: Run, path: Path) -> tuple[Server, ...]:
    """The servers of fleet.yaml as their reports say, and as a look at their repositories shows. Problems are told."""
    from repo_manager.adapters.status_reports.expected import load

    inventory = load(path)
    survey = _Survey(run, inventory, _TIME_LIMIT_S, deep=False)
    survey.gather(_address(inventory.reports or inventory.followed), asked=inventory.reports is not None)
    survey.look()
    for problem in survey.problems:
        run.console.error(problem)
    return tuple(server for server in survey.judged(timedelta(hours=SILENT_AFTER_H)).servers if server.listed)


def _address(text: str | None) -> Address | None:
    return None if text is None else parse(text)


def _inventory(path: Path | None) -> Inventory | None:
    if path is None:
        return None
    from repo_manager.adapters.status_reports.expected import load

    return load(path)


class _Survey:
    """All that is read and seen. What cannot be read at all is noted, and the rest goes on."""

    def __init__(self, run: Run, inventory: Inventory | None, patience_s: float, *, deep: bool) -> None:
        self._run = run
        self._servers = inventory.servers if inventory else ()
        self._patience_s = patience_s
        self.deep = deep
        self.at = datetime.now(UTC)
        self.leader: Leader | None = None
        self.gathered: Gathered | None = None
        self.looks: tuple[Look, ...] = ()
        self.problems: list[RepoManagerError] = []

    def lead(self, place: Address | None, trust: str | None) -> None:
        """What the servers should have."""
        if place is None:
            return
        from repo_manager.adapters.status_reports.parallel import at_once
        from repo_manager.adapters.status_reports.probe import lead

        depot = self._run.depot(place, brisk=True)
        try:
            (self.leader,) = at_once([lambda _alive: lead(depot, trust, self.at)], most=1, patience_s=self._patience_s)
            if self.leader is None:
                self.problems.append(TransferError("stalled", f"{place}: nothing came for too long", "look at it"))
        except (TransferError, InputError) as error:
            if isinstance(error, InputError) and error.code not in {"no-set", "bad-set"}:
                raise
            self.problems.append(error)
        finally:
            depot.close()

    def gather(self, place: Address | None, *, asked: bool) -> None:
        """What the servers have reported. Where nobody said so, there need not be a place for it."""
        if place is None:
            return
        from repo_manager.adapters.status_reports.collect import gather

        try:
            self.gathered = gather(place, partial(self._run.depot, brisk=True), self.at, self._patience_s)
        except RepoManagerError as error:
            if not self._looked_at:
                raise
            if asked or error.code != "no-reports-there":
                self.problems.append(error)

    def look(self) -> None:
        """What is seen of the servers."""
        if not self._looked_at:
            return
        from repo_manager.adapters.status_reports.probe import Sight, look_at
        from repo_manager.cli.voice import TerminalVoice

        sight = Sight(partial(self._run.depot, brisk=True), self._checker, self.deep)
        voice = TerminalVoice(self._run.console)
        count = sum(server.repository is not None for server in self._servers)
        try:
            self.looks = look_at(self._servers, sight, self._patience_s, voice.counting("looking at servers", count))
        finally:
            voice.finished()

    @property
    def _looked_at(self) -> bool:
        return any(server.repository for server in self._servers)

    def _checker(self, path: Path) -> Checker:
        from repo_manager.adapters.filesystem.digests import Digests
        from repo_manager.adapters.filesystem.repository_folder import Folder
        from repo_manager.adapters.filesystem.user_cache import cache_folder
        from repo_manager.adapters.installers.inspect import Checker

        try:
            records = Folder(path).records()
        except MachineError:
            # What is known of files helps, and names can be seen without.
            records = {}
        # Without signatures: what is expected of them is set for this machine, and not for others.
        return Checker(path.joinpath, Digests(cache_folder(self._run.environ), path), records)

    def judged(self, silent_after: timedelta) -> fleets.Fleet:
        """How the servers stand."""
        received = self.gathered.received if self.gathered else ()
        wanted = self.leader.wanted if self.leader else fleets.consensus(received, self.looks)
        now = self.gathered.at if self.gathered else self.at
        return fleets.judge(
            wanted, received, now=now, silent_after=silent_after, expected=self._servers, looks=self.looks
        )


def _answer(
    run: Run,
    survey: _Survey,
    silent_after: timedelta,
    file: Path | None,
    leader_at: Address | None,
    reports_at: Address | None,
) -> None:
    from repo_manager.report import fleets as written

    judged, gathered = survey.judged(silent_after), survey.gathered
    about = written.About(
        at=gathered.at if gathered else survey.at,
        inventory=None if file is None else str(file),
        leader=str(leader_at) if leader_at and survey.leader else None,
        verified=survey.leader is not None and survey.leader.verified,
        reports=str(reports_at) if reports_at and gathered else None,
        read=len(gathered.received) if gathered else 0,
        unreadable=gathered.unreadable if gathered else (),
        looked=len(survey.looks),
        deep=survey.deep,
        problems=tuple(survey.problems),
    )
    run.console.emit(written.document(judged, about))
    if not run.console.json_wanted:
        run.console.answer(written.text(judged, about, run.console.width, run.console.coloured))
    for problem in survey.problems:
        run.console.error(problem)
    if judged.broken or survey.problems:
        raise typer.Exit(ExitCode.PARTIAL)
    if not judged.healthy:
        raise typer.Exit(ExitCode.FINDINGS)
