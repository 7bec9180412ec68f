"""`repo-manager doctor`."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from repo_manager.adapters.filesystem import permissions, trusted_files
from repo_manager.adapters.filesystem.paths import SUBFOLDER, shown
from repo_manager.adapters.windows import machine
from repo_manager.adapters.windows.facts import file_system, is_elevated
from repo_manager.adapters.windows.locate import PlaceState, near_misses
from repo_manager.adapters.windows.service import Describing
from repo_manager.app.change import LEFT_ALONE, unwritable
from repo_manager.app.settings import machine_wide
from repo_manager.cli import installation, options
from repo_manager.cli.quoting import repeated
from repo_manager.cli.root import run_of
from repo_manager.core.errors import DeclinedError, ExitCode, InputError, RepoManagerError, ServiceError
from repo_manager.core.service import ServiceState
from repo_manager.report.text import paragraph, plural, size

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from repo_manager.adapters.filesystem.permissions import Found
    from repo_manager.cli.run import Run
    from repo_manager.core.repository import Listing

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
    """One thing looked at.

    `hint` says what to do, empty when there is nothing to do. People see an `aside` with -v alone.
    """

    what: str
    health: Health
    message: str
    hint: str = ""
    aside: bool = False


@app.command()
def doctor(
    context: typer.Context,
    online: Annotated[
        bool,
        options.option("--online", "Also ask the download server for one file's size."),
    ] = False,
    fix_permissions: Annotated[
        bool,
        options.command_line_option(
            "--fix-permissions",
            "Correct owners and permissions of the tool's own files and of those it is told to believe.",
        ),
    ] = False,
    keys: Annotated[
        Path | None, options.option("--keys", "The folder of the keys that sign a set.", metavar="DIR")
    ] = None,
    tokens: Annotated[
        Path | None, options.option("--tokens", "The file with the tokens of serve.", metavar="FILE")
    ] = None,
    yes: options.Yes = False,
) -> None:
    """Look whether this machine is ready. Exit 1 when something must be corrected.

    Nothing is changed without --fix-permissions. With it, owners and permissions are looked at alone, listed, and
    corrected after a question or with --yes. Look at the contents of the listed files first: they are believed then.
    """
    run = run_of(context)
    if fix_permissions:
        _fix_permissions(run, keys, tokens, yes=yes)
        return
    looks = (*_LOOKS, lambda run: _permissions(run, keys, tokens), *((_download_server,) if online else ()))
    checks = _all_checks(looks, run)
    console = run.options.console_without_configuration
    console.emit(_document(checks))
    if not console.json_wanted:
        widest = max(len(check.what) for check in checks)
        for check in (check for check in checks if not check.aside or console.verbosity > 0):
            head = f"{check.health.value:<7}  {check.what:<{widest}}  "
            rest = " " * len(head)
            joint = "\n" if "\n" in check.message else "; "
            text = check.message + (joint + check.hint if check.hint else "")
            for number, line in enumerate(text.split("\n")):
                start = rest if number else head
                console.answer(paragraph(line.strip(), console.width, first=start, rest=rest))
    if any(check.health is Health.ERROR for check in checks):
        raise typer.Exit(ExitCode.FINDINGS)


def _document(checks: Iterable[Check]) -> dict[str, object]:
    return {
        "schema": "repo-manager/doctor/1",
        "checks": [
            {"check": check.what, "health": check.health.value, "message": check.message, "hint": check.hint}
            for check in checks
        ],
    }


def _all_checks(looks: Iterable[Callable[[Run], Iterator[Check]]], run: Run) -> list[Check]:
    """What all looks find. An error of ours becomes a check that failed, so that the others still run.

    Several looks may meet the same error, such as that of two profiles; it is said once.
    """
    checks: list[Check] = []
    said: set[str] = set()
    for look in looks:
        try:
            checks += look(run)
        except RepoManagerError as error:
            if error.message not in said:
                checks.append(Check(_called(look), Health.ERROR, error.message, error.hint))
            said.add(error.message)
    return checks


def _called(look: Callable[[Run], Iterator[Check]]) -> str:
    return look.__name__.strip("_").replace("_", " ")


def _machine(_run: Run) -> Iterator[Check]:
    yield Check("machine", Health.OK, machine.system())


def _configuration(run: Run) -> Iterator[Check]:
    machine_wide_file = machine_wide(run.environ)
    named = run.options.option("config") or (machine_wide_file if machine_wide_file.is_file() else None)
    yield Check("configuration", Health.OK, str(named) if named else "none; defaults are in force")


def _profile(run: Run) -> Iterator[Check]:
    name = run.profile.name
    yield Check("profile", Health.OK, name)
    found = machine.role(name, run.machine)
    yield Check("role", Health.OK, found or "none of the services that tell it is here")


def _catalog(run: Run) -> Iterator[Check]:
    yield Check("catalog", Health.OK, f"newest release with links {run.catalog.latest}, {run.catalog_path}")


def _places(run: Run) -> Iterator[Check]:
    """Where the folder was looked for, unless somebody said where it is."""
    if run.options.option("repository") or run.profile.repository:
        return
    places = [place for places in run.search.looked.values() for place in places]
    found = any(place.found for place in places)
    others = [place for place in places if found and place.state is PlaceState.ABSENT]
    for place in places:
        yield Check("looked at", Health.OK, str(place), aside=place in others)
        for near in near_misses(place):
            yield Check(
                "looked at",
                Health.WARNING,
                f"{near} is there: nearly the right name, and no service reads it",
                "move what belongs into the repository from there",
            )
    if others and run.console.verbosity <= 0 and not run.console.json_wanted:
        yield Check("looked at", Health.OK, f"{plural(len(others), 'other place')}: not there", "-v lists them")


def _folder(run: Run) -> Iterator[Check]:
    named_by = None
    if not (run.options.option("repository") or run.profile.repository):
        try:
            named_by = run.search.repository(run.profile.name).conf
        except RepoManagerError as error:
            # The places that its other lines name are listed already.
            yield Check("folder", Health.ERROR, error.message.partition("\n")[0], error.hint)
            return
    listing = run.listing()
    count = len(listing.installers)
    words = f"{listing.repository}, " + (f"{count} installers" if count else "found and empty")
    words += f", named by {named_by}" if named_by else ""
    if run.folder.is_foreign(listing):
        words = f"{listing.repository} has other files and no trace of installers; it is hardly a repository"
        yield Check("folder", Health.ERROR, words, "check --repository; 'sync --create' accepts the folder")
    else:
        hint = "" if count else f"run '{run.command} sync'"
        yield Check("folder", Health.OK if count else Health.WARNING, words, hint)
    yield _rights(run)
    yield from _exposure(run, listing)
    damage: list[str] = []
    run.folder.records(damage.append)
    for what in damage:
        yield Check("records", Health.WARNING, what, "run 'repo-manager audit --deep' to read the files themselves")
    if run.folder.pending() is not None:
        yield Check(
            "journal",
            Health.WARNING,
            "a change is under way, or was interrupted",
            "the next change puts an interrupted one back first",
        )


def _exposure(run: Run, listing: Listing) -> Iterator[Check]:
    """What others can change. It is never refused: the folder is the vendor's, with the rights that its setup gave."""
    found = trusted_files.exposed(run.path, (file.name for file in listing.installers))
    if found.message:
        problems = {what.startswith("belongs"): what for what in (found.folder, *found.files.values()) if what}
        commands = ", and: ".join(trusted_files.closing(run.path, what) for what in problems.values())
        hint = f"run 'repo-manager audit --deep'; if the push service can still read them, run: {commands}"
        yield Check("installers", Health.WARNING, found.message, hint)


def _rights(run: Run) -> Check:
    """Whether a change could write where it must."""
    hint = "run as an administrator of this server"
    try:
        closed = unwritable(run.folder)
    except RepoManagerError as error:
        return Check("rights", Health.ERROR, error.message, error.hint or hint)
    lock = run.folder.lock_path
    if lock.exists() and not os.access(lock, os.R_OK | os.W_OK):
        closed.append(lock)
    if closed:
        return Check("rights", Health.ERROR, f"this user may not write to {', '.join(map(shown, closed))}", hint)
    return Check("rights", Health.OK, "this user may write there")


def _disk(run: Run) -> Iterator[Check]:
    if not _has_folder(run):
        return
    from repo_manager.adapters.sources.fetching import check_room

    free = run.folder.free_bytes()
    check_room(0, run.settings.reserve_bytes, free)
    roomy = free >= _COMFORTABLE_BYTES + run.settings.reserve_bytes
    hint = "" if roomy else f"a whole release with the one before it takes about {size(_COMFORTABLE_BYTES)}"
    kind = file_system(run.folder.path)
    words = f"{size(free)} free" + (f", {kind}" if kind else "")
    yield Check("disk", Health.OK if roomy else Health.WARNING, words, hint)


def _has_folder(run: Run) -> bool:
    """Whether there is a folder to look at; where not, the look at the folder says so."""
    try:
        return run.folder.path.is_dir()
    except RepoManagerError:
        return False


def _second_folder(run: Run) -> Iterator[Check]:
    second = run.profile.second_folder
    if second is None:
        there = _unconfigured_second_folder(run)
        words, hint = (f", and there is {there}", "set second_folder to have it kept equal") if there else ("", "")
        yield Check("second folder", Health.OK, f"none is configured{words}", hint)
    elif Path(second).is_dir():
        yield Check("second folder", Health.OK, f"{second} is kept equal")
    else:
        yield Check("second folder", Health.WARNING, f"{second} does not exist", "make it, or drop second_folder")


def _unconfigured_second_folder(run: Run) -> Path | None:
    """The second folder of the server whose repository this is, where there is one."""
    if not _has_folder(run):
        return None
    home = machine.service_folder_of(Path(shown(run.path)))
    if not (run.options.option("repository") or run.profile.repository):
        home = run.search.repository(run.profile.name).service_folder
    second = home and machine.second_folder_of(home)
    return second if second and second.is_dir() else None


def _service(run: Run) -> Iterator[Check]:
    name = run.profile.service
    if name is None:
        yield Check("service", Health.OK, "this profile has none")
        return
    state = run.service.state()
    if state is ServiceState.ABSENT:
        where = "" if machine.has_service_manager() else "; this is not Windows"
        yield Check("service", Health.WARNING, f"there is no service {name!r}{where}", "nothing will be restarted here")
        return
    facts = run.service.describe() if isinstance(run.service, Describing) else None
    words, hint = f"{name} is {state.value}", ""
    health = Health.OK if state is ServiceState.RUNNING else Health.WARNING
    if facts is not None:
        words += f", starts {facts.start_type}, runs as {facts.account}"
        if not facts.starts_by_itself:
            # Evidence: the article on troubleshooting process servers asks for automatic or delayed start.
            health, hint = Health.WARNING, "set its start type to Automatic in services.msc"
    if state not in LEFT_ALONE:
        # As a change does, before it fetches anything.
        try:
            run.service.ready()
        except ServiceError as error:
            words, health, hint = f"{words}; {error.message}", Health.ERROR, error.hint
    yield Check("service", health, words, hint)
    if facts is not None:
        # It shows which of several installations is the one in use.
        yield Check("program", Health.OK, facts.program)
    if is_elevated() is False:
        yield Check(
            "administrator",
            Health.WARNING,
            "this process has no administrator's rights",
            "restart services from a prompt that was opened as administrator",
        )


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
    named = f"{machine.shown_proxy(proxy)} from the configuration" if proxy else ", ".join(machine.proxies(os.environ))
    from repo_manager.adapters.sources.download import check_proxy, trusted_until

    policy = run.policy()
    try:
        check_proxy(policy)
    except RepoManagerError as error:
        yield Check("proxy", Health.ERROR, error.message, error.hint)
    else:
        yield Check("proxy", Health.OK, named or "none")
    trust = str(run.settings.ca_file) if run.settings.ca_file else "the system's certificates"
    try:
        until = trusted_until(policy)
    except RepoManagerError as error:
        yield Check("tls", Health.ERROR, error.message, error.hint)
        return
    if until is not None and until <= run.now():
        words = f"{trust}: every certificate in it expired, the last one on {until:%Y-%m-%d}"
        yield Check("tls", Health.ERROR, words, "name a PEM file with the certificates to trust")
        return
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
            f"exclude {shown(run.path)} from scans on access if placing files is slow or refused",
        )


# Owners and permissions


def _permissions(run: Run, keys: Path | None, tokens: Path | None) -> Iterator[Check]:
    """What of the installation is not believed, or others may read."""
    items = [*installation.configuration(run), *installation.rest(run, keys, tokens)]
    found = permissions.wrong(items)
    for one in found:
        hint = one.reason or f"check its contents, then run '{run.command} doctor --fix-permissions'"
        yield Check("permissions", Health.ERROR, f"{shown(one.path)}: {one.now}", hint)
    doubted = list(_doubted(items, found))
    yield from doubted
    if not found and not doubted:
        yield Check("permissions", Health.OK, "only administrators and this user can change what the tool believes")
    yield from _owners(run, items)


def _doubted(items: Iterable[permissions.InstalledPath], wrong: Iterable[Found]) -> Iterator[Check]:
    """What is not believed because of a folder or a link on its path, which --fix-permissions does not touch."""
    named = {found.path for found in wrong}
    for item in items:
        sub = next((folder for folder in item.path.parents if folder.name == SUBFOLDER), None)
        with contextlib.suppress(OSError):
            found = None if item.cache else trusted_files.doubt(item.path, within=sub)
            if found is not None and found.path not in named:
                named.add(found.path)
                hint = f"check its contents, then run: {found.correction}"
                yield Check("permissions", Health.ERROR, f"{shown(found.path)} {found.what}", hint)


def _owners(run: Run, items: Iterable[permissions.InstalledPath]) -> Iterator[Check]:
    """Where nothing of the above can be told. Of each kind of file system the first path is named."""
    named: dict[str, Path] = {}
    places = [*([run.path] if _has_folder(run) else []), *(item.path for item in items if item.path.exists())]
    for place in places:
        kind = trusted_files.without_owners(place)
        if kind:
            named.setdefault(kind, place)
    for kind, place in named.items():
        yield Check(
            "owners",
            Health.WARNING,
            f"{shown(place)}: this file system keeps none ({kind}), so who can change files there cannot be judged",
            "see that the share or the mount lets administrators alone write",
        )


def _fix_permissions(run: Run, keys: Path | None, tokens: Path | None, *, yes: bool) -> None:
    """Correct the configuration first: what else there is to correct is known from it."""
    console = run.options.console_without_configuration
    done = _corrected(run, permissions.wrong(installation.configuration(run)), yes=yes)
    done += _corrected(run, permissions.wrong(installation.rest(run, keys, tokens)), yes=yes)
    checks = [
        Check("permissions", Health.ERROR, f"{shown(found.path)}: {found.now}", why) for found, why in done if why
    ]
    items = [*installation.configuration(run), *installation.rest(run, keys, tokens)]
    checks += _doubted(items, [found for found, why in done if why])
    fixed = {
        "permissions": [
            {
                "path": shown(found.path),
                "was": found.now,
                "change": found.change,
                "result": "left" if why else "done",
                "reason": why,
            }
            for found, why in done
        ]
    }
    words = f"{plural(sum(not why for _, why in done), 'path')} corrected"
    checks.append(Check("permissions", Health.OK, words))
    console.emit({**_document(checks), **fixed})
    console.answer("\n".join([*(f"not corrected: {check.message}; {check.hint}" for check in checks[:-1]), words]))
    if len(checks) > 1:
        raise typer.Exit(ExitCode.FINDINGS)


def _corrected(run: Run, found: list[Found], *, yes: bool) -> list[tuple[Found, str]]:
    """List what was found, ask, and correct it. With each why it was left alone; empty where it was corrected."""
    console = run.options.console_without_configuration
    possible = [one for one in found if not one.reason]
    for one in possible:
        console.answer(f"{shown(one.path)}: {one.now} -> {one.change}")
    if possible and not yes:
        if not console.can_ask:
            raise InputError(
                "confirmation-needed",
                f"{plural(len(possible), 'path')} would be corrected; nothing was changed",
                f"check the contents of what is listed, then {repeated(run.options.words, '--yes')}",
            )
        if not console.agreed("Did you check their contents, and shall they be believed from now on?"):
            raise DeclinedError
    return [(one, one.reason or permissions.correct(one)) for one in found]


_LOOKS = (
    _machine,
    _configuration,
    _profile,
    _catalog,
    _places,
    _folder,
    _disk,
    _second_folder,
    _service,
    _clock,
    _network,
    _antivirus,
)
