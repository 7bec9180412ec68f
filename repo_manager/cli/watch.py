"""`repo-manager watch`, and `install`, `remove` and `unit` below it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from repo_manager.app.tasks import clean_up
from repo_manager.cli import StoppedError, options
from repo_manager.cli.change import copy_to_second_folder
from repo_manager.cli.root import run_of
from repo_manager.core import maintenance_window
from repo_manager.core import selection as selections
from repo_manager.core.watch_state import WatchTiming
from repo_manager.report import documents, tables

if TYPE_CHECKING:
    from collections.abc import Iterator

    from typer._click.core import Context

    from repo_manager.adapters.windows.event_log import Log
    from repo_manager.app.change import ChangeContext, Snapshot
    from repo_manager.app.watch_loop import WakeSignal, Watcher
    from repo_manager.cli.run import Run
    from repo_manager.core.plan import Plan
    from repo_manager.core.watch_state import Scope, WatchEvent

app = typer.Typer(rich_markup_mode=None, add_completion=False, invoke_without_command=True)

Settle = Annotated[
    int,
    options.option(
        "--settle",
        "Leave a file alone until it has been the same for this long.",
        metavar="SECONDS",
        min=1,
        max=1000,
    ),
]
Interval = Annotated[
    int,
    options.option("--interval", "Look at everything at least this often.", metavar="MINUTES", min=1, max=1000),
]
Windows = Annotated[
    list[str] | None,
    options.option(
        "--window",
        "When superseded files may go and the service may be restarted, in local time; may be given several times.",
        metavar="HH:MM-HH:MM",
    ),
]
Polling = Annotated[
    bool, options.option("--polling", "Look every few seconds instead of waiting for events; shares always do.")
]
LogFile = Annotated[Path | None, options.option("--log", "Write what happens to this file as well.", metavar="FILE")]

_SETTLE_S: Final = 10
_INTERVAL_MIN: Final = 15


@app.callback()
def watch(
    context: typer.Context,
    settle: Settle = _SETTLE_S,
    interval: Interval = _INTERVAL_MIN,
    window: Windows = None,
    polling: Polling = False,
    log: LogFile = None,
    signatures: options.Signatures = None,
    dry_run: options.DryRun = False,
    yes: options.Yes = False,  # noqa: ARG001 - every changing command knows --yes
    no_restart: options.NoRestart = False,
) -> None:
    """Stay, and put right what is dropped into the repository.

    A new file is left alone until it has stopped growing and nobody holds it open. Then it is read.
    What is wrong is retired at once, with the reason beside it. What is superseded is retired and the
    service is restarted once for everything that came together. Ends when it is asked to.

    install: run unattended, as a Windows service. remove: no longer. unit: print a systemd unit.
    """
    if context.invoked_subcommand is not None:
        _hand_down(context)
        return
    run = run_of(context, signature_policy=signatures)
    run.signatures.insist()
    wishes = _WatchOptions.of(settle, interval, window, polling=polling, dry_run=dry_run, no_restart=no_restart)
    _check(run)
    from repo_manager.adapters.windows.event_log import open_log

    kept = open_log(log)
    try:
        asked = _stay(run, wishes, kept)
    finally:
        kept.close()
    if asked:
        raise StoppedError("watch")


@app.command()
def install(
    context: typer.Context,
    settle: Settle = _SETTLE_S,
    interval: Interval = _INTERVAL_MIN,
    window: Windows = None,
    polling: Polling = False,
    log: LogFile = None,
    signatures: options.Signatures = None,
    no_restart: options.NoRestart = False,
) -> None:
    """Watch unattended from now on, as a Windows service that starts with the machine."""
    from repo_manager.adapters.windows import background
    from repo_manager.adapters.windows.event_log import default_log

    run = run_of(context, signature_policy=signatures)
    run.signatures.insist()
    _WatchOptions.of(settle, interval, window, polling=polling, no_restart=no_restart)
    _check(run)
    arguments = _arguments(run, context, log or default_log(run.environ))
    said = background.install(arguments, clock=run.clock, patience=run.patience)
    run.console.emit(
        {"schema": "repo-manager/watch-install/1", "service": background.SERVICE, "arguments": arguments, "done": said}
    )
    run.console.answer(said)


@app.command()
def remove(context: typer.Context) -> None:
    """Stop watching unattended: take the Windows service away."""
    from repo_manager.adapters.windows import background

    run = run_of(context)
    said = background.remove(clock=run.clock, patience=run.patience)
    run.console.emit({"schema": "repo-manager/watch-remove/1", "service": background.SERVICE, "done": said})
    run.console.answer(said)


@app.command()
def unit(
    context: typer.Context,
    settle: Settle = _SETTLE_S,
    interval: Interval = _INTERVAL_MIN,
    window: Windows = None,
    polling: Polling = False,
    log: LogFile = None,
    signatures: options.Signatures = None,
    no_restart: options.NoRestart = False,
) -> None:
    """Print a systemd unit that watches, for Linux."""
    from repo_manager.adapters import systemd

    run = run_of(context, signature_policy=signatures)
    run.signatures.insist()
    _WatchOptions.of(settle, interval, window, polling=polling, no_restart=no_restart)
    arguments = _arguments(run, context, log)
    text = systemd.unit(arguments)
    run.console.emit({"schema": "repo-manager/watch-unit/1", "name": systemd.NAME, "unit": text})
    if not run.console.json_wanted:
        run.console.answer(text.rstrip("\n"))


@dataclass(frozen=True, slots=True)
class _WatchOptions:
    """The options as values."""

    pace: WatchTiming
    windows: tuple[maintenance_window.Window, ...]
    polling: bool
    dry_run: bool
    restart: bool

    @classmethod
    def of(
        cls,
        settle: int,
        interval: int,
        window: list[str] | None,
        *,
        polling: bool,
        no_restart: bool,
        dry_run: bool = False,
    ) -> _WatchOptions:
        usual = WatchTiming()
        # Files that settle slowly must not seem to be endless.
        patience_s = max(usual.patience_s, 3.0 * settle)
        pace = WatchTiming(settle_s=settle, interval_s=interval * 60.0, patience_s=patience_s)
        windows = tuple(maintenance_window.parse(text) for text in window or ())
        return cls(pace, windows, polling, dry_run, not no_restart)


def _check(run: Run) -> None:
    """Refuse what can never be watched. A share may come later."""
    from repo_manager.adapters.filesystem.scan import on_a_share

    _ = run.catalog
    if not on_a_share(run.path):
        foreign = run.not_a_repository(run.listing())
        if foreign is not None:
            raise foreign


def _stay(run: Run, wishes: _WatchOptions, kept: Log) -> bool:
    """Watch until somebody asks for the end. Returns whether somebody did."""
    from repo_manager.adapters.signals import told_to_stop

    run.console.a_line_each = True
    bell = run.bell()
    with told_to_stop(bell.stop) as told:
        _attendant(run, wishes, bell, kept).run()
    return told.asked


def _attendant(run: Run, wishes: _WatchOptions, bell: WakeSignal, kept: Log) -> Watcher:
    from repo_manager.adapters import folder_events
    from repo_manager.app.watch_loop import FolderMonitor, WatchConfig, Watcher

    def tell(happening: WatchEvent) -> None:
        kept.write(happening)
        _show(run, happening)

    polling = wishes.polling or folder_events.remote(run.path)
    poll_s = _POLL_AFAR_S if folder_events.remote(run.path) else _POLL_S
    current = _CurrentRun(run)
    orders = WatchConfig(
        folder=run.folder,
        bench=current.bench,
        plan=current.plan,
        opens_in=lambda: maintenance_window.opens_in(wishes.windows, datetime.now().astimezone().time()),
        afterwards=current.copy_to_second_folder,
        remarks=current.remarks,
        restart=wishes.restart,
        dry_run=wishes.dry_run,
    )
    senses = FolderMonitor(
        observe=lambda ring: folder_events.FolderEvents(run.path, ring, polling=polling, poll_s=poll_s),
        held_open=folder_events.held_open,
        pulse=folder_events.pulse,
        pulse_s=poll_s,
    )
    return Watcher(orders, senses, bell=bell, clock=run.clock, now=run.now, pace=wishes.pace, tell=tell)


_POLL_S: Final = 2.0
_POLL_AFAR_S: Final = 10.0


class _CurrentRun:
    """The run of the present batch. Each batch makes its parts again, with the catalog as it is by then."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self._stamp = _stamp(run.catalog_path)

    def bench(self) -> ChangeContext:
        """The workbench of a new batch."""
        stamp = _stamp(self.run.catalog_path)
        unchanged = stamp is None or stamp == self._stamp
        self._stamp = stamp or self._stamp
        self.run = replace(self.run, loaded=self.run.catalog if unchanged else None)
        return self.run.workbench(yes=True)

    def plan(self, seen: Snapshot, scope: Scope) -> Plan:
        """What the batch does."""
        return clean_up(self.run.plan_context, self.run.request(release=selections.AUTO), seen, scope)

    def copy_to_second_folder(self, bench: ChangeContext) -> None:
        """What follows a change.

        Raises:
            RepoManagerError: the second folder could not be changed.
        """
        second = copy_to_second_folder(self.run, bench, bench.voice)
        if second is not None and second.error is not None:
            raise second.error

    def remarks(self) -> Iterator[str]:
        """What the checks of signatures of this batch left to say."""
        return self.run.signatures.remarks()


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_mtime_ns, stat.st_size


def _show(run: Run, happening: WatchEvent) -> None:
    from repo_manager.cli.console import flush

    run.console.emit(documents.happening(happening))
    if not run.console.json_wanted and (run.console.verbosity >= 0 or happening.severity != "info"):
        run.console.answer(tables.happening(happening))
    # Whoever reads a pipe reads it now, not when it is full.
    flush()


def _hand_down(context: typer.Context) -> None:
    """Options before `install` or `unit` count for them too."""
    given = {name: value for name, value in context.params.items() if _was_given(context, name)}
    below = str(context.invoked_subcommand)
    defaults = context.default_map or {}
    context.default_map = {**defaults, below: {**defaults.get(below, {}), **given}}


def _was_given(context: Context, name: str) -> bool:
    source = context.get_parameter_source(name)
    return source is not None and source.name in {"COMMANDLINE", "ENVIRONMENT"}


_PATHS: Final = ("repository", "catalog", "config", "log")


def _arguments(run: Run, context: typer.Context, log: Path | None) -> list[str]:
    """The command line of an unattended watch: what was said here, with paths that hold from anywhere.

    What the configuration file says is left to it: it may change.
    """
    words = []
    for name in ("profile", "repository", "catalog", "config"):
        value = run.options.given.get(name)
        if value:
            words += [f"--{name}", _absolute(str(value)) if name in _PATHS else str(value)]
    words += ["watch", "--yes"]
    given = {**dict.fromkeys(_OPTIONS), **_said(context)}
    for name in _OPTIONS:
        value = _absolute(str(log)) if name == "log" and log is not None else given[name]
        flag = f"--{name.replace('_', '-')}"
        if value is True:
            words.append(flag)
        elif isinstance(value, list | tuple):
            words += [word for text in value for word in (flag, str(text))]
        elif value is not None and value is not False:
            words += [flag, str(value)]
    return words


_OPTIONS: Final = ("settle", "interval", "window", "polling", "log", "signatures", "no_restart")


def _said(context: typer.Context) -> dict[str, Any]:
    """What was said of the options, here or before the word `install`."""
    parent = context.parent
    before = {} if parent is None else {n: v for n, v in parent.params.items() if _was_given(parent, n)}
    return {**before, **{name: value for name, value in context.params.items() if _was_given(context, name)}}


def _absolute(path: str) -> str:
    return str(Path(path).absolute())
