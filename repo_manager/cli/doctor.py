"""`repo-manager doctor`."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from repo_manager.cli import options
from repo_manager.cli.root import run_of
from repo_manager.edges import machine
from repo_manager.edges.places import candidates
from repo_manager.errors import ExitCode, RepoManagerError
from repo_manager.report.text import paragraph, size
from repo_manager.restart import ServiceState
from repo_manager.settings import machine_wide

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from repo_manager.cli.run import Run

app = typer.Typer(rich_markup_mode=None, add_completion=False)

# A release takes 26 packages of 50 to 250 MB, and the superseded ones stay a while.
_COMFORTABLE_BYTES = 8 * 1000**3


class Health(StrEnum):
    """How a check came out."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at. `hint` says what to do, empty when there is nothing to do."""

    what: str
    health: Health
    message: str
    hint: str = ""


@app.command()
def doctor(
    context: typer.Context,
    online: Annotated[
        bool,
        options.option("--online", "Also ask the download server for one file's size."),
    ] = False,
) -> None:
    """Look whether this machine is ready. Changes nothing; exit 1 when something must be mended."""
    run = run_of(context)
    checks = [found for look in (*_LOOKS, *((_download_server,) if online else ())) for found in _safely(look, run)]
    run.console.emit(
        {
            "schema": "repo-manager/doctor/1",
            "checks": [
                {"check": check.what, "health": check.health.value, "message": check.message, "hint": check.hint}
                for check in checks
            ],
        }
    )
    if not run.console.json_wanted:
        widest = max(len(check.what) for check in checks)
        for check in checks:
            head = f"{check.health.value:<7}  {check.what:<{widest}}  "
            rest = " " * len(head)
            joint = "\n" if "\n" in check.message else "; "
            text = check.message + (joint + check.hint if check.hint else "")
            for number, line in enumerate(text.split("\n")):
                start = rest if number else head
                run.console.answer(paragraph(line.strip(), run.console.width, first=start, rest=rest))
    if any(check.health is Health.ERROR for check in checks):
        raise typer.Exit(ExitCode.FINDINGS)


def _safely(look: Callable[[Run], Iterator[Check]], run: Run) -> Iterator[Check]:
    """What a look finds; an error of ours becomes a check that failed, so that the others still run."""
    try:
        yield from look(run)
    except RepoManagerError as error:
        yield Check(look.__name__.strip("_").replace("_", " "), Health.ERROR, error.message, error.hint)


def _machine(_run: Run) -> Iterator[Check]:
    yield Check("machine", Health.OK, machine.system())


def _configuration(run: Run) -> Iterator[Check]:
    machine_wide_file = machine_wide(run.environ)
    named = run.option("config") or (machine_wide_file if machine_wide_file.is_file() else None)
    yield Check("configuration", Health.OK, str(named) if named else "none; defaults are in force")
    yield Check("profile", Health.OK, run.profile.name)


def _catalog(run: Run) -> Iterator[Check]:
    yield Check("catalog", Health.OK, f"newest release with links {run.catalog.latest}, {run.catalog_path}")


def _folder(run: Run) -> Iterator[Check]:
    if not (run.option("repository") or run.profile.repository):
        for place in candidates(run.profile.name, os.environ):
            found = "found" if place.is_dir() else "not there"
            yield Check("looked at", Health.OK, f"{place}: {found}")
    listing = run.listing()
    count = sum(file.installer is not None for file in listing.files)
    words = f"{listing.repository}, {count} installers" if count else f"{listing.repository}, found and empty"
    yield Check("folder", Health.OK if count else Health.WARNING, words, "" if count else "run 'repo-manager sync'")
    if machine.may_write(run.folder.path):
        yield Check("rights", Health.OK, "this user may write there")
    else:
        yield Check("rights", Health.ERROR, "this user may not write there", "run as an administrator of this server")
    if run.folder.pending() is not None:
        yield Check(
            "journal",
            Health.WARNING,
            "a change is under way, or was interrupted",
            "the next change puts an interrupted one back first",
        )


def _disk(run: Run) -> Iterator[Check]:
    if not _has_folder(run):
        return
    free = run.folder.free_bytes()
    roomy = free >= _COMFORTABLE_BYTES + run.settings.reserve_bytes
    hint = "" if roomy else f"a whole release with the one before it takes about {size(_COMFORTABLE_BYTES)}"
    yield Check("disk", Health.OK if roomy else Health.WARNING, f"{size(free)} free", hint)


def _has_folder(run: Run) -> bool:
    """Whether there is a folder to look at; where not, the look at the folder says so."""
    try:
        return run.folder.path.is_dir()
    except RepoManagerError:
        return False


def _second_folder(run: Run) -> Iterator[Check]:
    second = run.profile.second_folder
    if second is None:
        yield Check("second folder", Health.OK, "none is configured")
    elif Path(second).is_dir():
        yield Check("second folder", Health.OK, f"{second} is kept equal")
    else:
        yield Check("second folder", Health.WARNING, f"{second} does not exist", "make it, or drop second_folder")


def _service(run: Run) -> Iterator[Check]:
    if run.profile.service is None:
        yield Check("service", Health.OK, "this profile has none")
        return
    state = run.service.state()
    name = run.profile.service
    if state is ServiceState.ABSENT:
        where = "" if machine.has_service_manager() else "; this is not Windows"
        yield Check("service", Health.WARNING, f"there is no service {name!r}{where}", "nothing will be restarted here")
    else:
        health = Health.OK if state is ServiceState.RUNNING else Health.WARNING
        yield Check("service", health, f"{name} is {state.value}")


def _clock(run: Run) -> Iterator[Check]:
    """A clock that is far behind makes every certificate invalid."""
    newest = max(link.name.date for link in run.catalog.links(run.catalog.latest))
    today = datetime.now(UTC).date()
    if today < newest - timedelta(days=1):
        yield Check("clock", Health.ERROR, f"it says {today}, before release {run.catalog.latest}", "set the clock")
    else:
        yield Check("clock", Health.OK, f"{today} UTC")


def _network(run: Run) -> Iterator[Check]:
    proxy = run.settings.proxy
    named = f"{proxy.rpartition('@')[2]} from the configuration" if proxy else ", ".join(machine.proxies(os.environ))
    yield Check("proxy", Health.OK, named or "none")
    trust = str(run.settings.ca_file) if run.settings.ca_file else "the system's certificates"
    yield Check("tls", Health.OK, f"{machine.tls()}, trusting {trust}")


def _download_server(run: Run) -> Iterator[Check]:
    link = run.catalog.links(run.catalog.latest)[0]
    with run.downloader() as downloader:
        found = downloader.size(link.url)
    yield Check("download server", Health.OK, f"{link.name.text} has {size(found)}")


def _antivirus(run: Run) -> Iterator[Check]:
    if _has_folder(run):
        yield Check(
            "antivirus",
            Health.OK,
            f"exclude {run.folder.path} from scans on access if placing files is slow or refused",
        )


_LOOKS = (
    _machine,
    _configuration,
    _catalog,
    _folder,
    _disk,
    _second_folder,
    _service,
    _clock,
    _network,
    _antivirus,
)
