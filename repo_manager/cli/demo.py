"""`repo-manager demo`."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from repo_manager import api
from repo_manager.adapters.filesystem.repository_folder import Folder
from repo_manager.adapters.sources.download import Downloader, HttpPolicy
from repo_manager.adapters.sources.fetching import Fetcher
from repo_manager.app import tasks
from repo_manager.app.change import ChangeContext, perform
from repo_manager.app.restore import Restore
from repo_manager.app.tasks import PlanContext
from repo_manager.cli import options
from repo_manager.cli.quoting import quoted
from repo_manager.cli.root import run_of
from repo_manager.core.address import host_of, parse
from repo_manager.core.audit import findings
from repo_manager.core.audit.findings import Severity
from repo_manager.core.audit.result import AuditResult
from repo_manager.core.errors import InputError
from repo_manager.core.selection import Request
from repo_manager.core.service import Timeouts
from repo_manager.demo import sandbox
from repo_manager.report import documents, tables
from repo_manager.report.text import paragraph

if TYPE_CHECKING:
    from collections.abc import Iterator

    from repo_manager.cli.console import Console
    from repo_manager.cli.run import Run
    from repo_manager.core.audit.findings import Audit
    from repo_manager.core.transaction import Outcome

app = typer.Typer(rich_markup_mode=None, add_completion=False)

_BRISK = Timeouts(stop_s=2, start_s=2, steady_s=0.2, poll_s=0.05)


@app.command()
def demo(
    context: typer.Context,
    # A name of its own: the key `keep` of the configuration file is the number that `prune` keeps.
    demo_keep: Annotated[
        Path | None,
        options.option("--keep", "Make the sandbox here and keep it.", metavar="DIR", variable="demo_keep"),
    ] = None,
) -> None:
    """See the main job end to end on a sandbox: nothing outside it is touched.

    Makes a local download server with small stand-in installers, an old and messy repository and a
    stand-in service; audits, syncs, audits again, and shows what happens when the service does not
    come back.
    """
    asked = run_of(context)
    with _place(demo_keep) as folder:
        sandbox.make(folder, asked.catalog)
        story = _Story(asked, folder)
        story.tell()
        if demo_keep is not None:
            story.say_what_to_try(demo_keep)


@contextmanager
def _place(keep: Path | None) -> Iterator[Path]:
    if keep is None:
        folder = Path(tempfile.mkdtemp(prefix="repo-manager-demo-"))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        return
    if keep.exists() and (not keep.is_dir() or any(keep.iterdir())):
        raise InputError("not-empty", f"{keep} exists and is not an empty folder", "name a new folder with --keep")
    yield keep


class _Story:
    """The steps of the demo, told one after the other, and their documents for programs."""

    def __init__(self, asked: Run, folder: Path) -> None:
        self._console: Console = asked.console
        self._downloads = folder / "downloads"
        self._repository = folder / "repository"
        self._catalog = asked.catalog
        self._cache = folder / "cache"
        self._reserve_bytes = asked.settings.reserve_bytes
        self._service = sandbox.StandInService(self._repository, lambda text: self._console.answer(f"   {text}"))
        self._steps: list[dict[str, Any]] = []

    def tell(self) -> None:
        """All steps."""
        self._explain(
            "A repository as people leave it",
            "This folder is what a configuration server pushes agents from. Some packages were updated, some were"
            " forgotten; an older build lies beside a newer one; a copy was cut off; the packages that must be placed"
            " by hand never came. Nobody notices until protecting a machine fails.",
        )
        self._audit()
        with sandbox.download_server(self._downloads) as url:
            self._explain(
                "repo-manager sync",
                "One command downloads what is missing, checks every byte of it, gives it its name, retires what is"
                f" superseded, and restarts the service. The download server here is {url}",
            )
            self._sync(url)
            self._explain("The same command again", "Safe to run twice: there is nothing left to do.")
            self._sync(url)
        self._explain(
            "repo-manager audit --deep",
            "Every wanted package is there once, whole and current. The push client and the file that is none of our"
            " business were left alone.",
        )
        self._audit()
        self._explain(
            "And when the service does not come back?",
            "Now the last change is to be undone, but this time the service ends as soon as it has started. So"
            " everything is put back as it was, the service is started on the old set, and the exit code is 5.",
        )
        self._undo_with_a_broken_service()
        self._console.emit({"schema": "repo-manager/demo/1", "steps": self._steps})

    def say_what_to_try(self, keep: Path) -> None:
        """Commands to go on with."""
        repository = f"repo-manager --repository {quoted(str(keep / 'repository'))}"
        self._explain(
            "Go on by yourself",
            "The sandbox is kept. Some things to try, after damaging a file or deleting one:",
        )
        source = quoted(str(keep / "downloads"))
        for command in ("list", "audit --deep", f"sync --source {source}", "restore", "show RHEL5-64"):
            self._console.answer(f"  {repository} {command}")

    def _explain(self, title: str, text: str) -> None:
        number = len(self._steps) + 1
        self._console.answer(f"\n{number}. {title}\n")
        self._console.answer(paragraph(text, self._console.width, first="   ", rest="   ") + "\n")
        self._steps.append({"step": title})

    def _audit(self) -> None:
        judged = self._judged()
        fixes = ("repo-manager sync",) if judged.count(Severity.ERROR) else ()
        now = datetime.now(UTC).replace(microsecond=0)
        assessed = AuditResult(judged, "classic", now, deep=True, fixes=fixes)
        self._steps[-1]["audit"] = documents.audit(assessed)
        self._console.answer(tables.audit(assessed, self._console.width, self._console.coloured))

    def _judged(self) -> Audit:
        return api.audit_of(self._repository, self._catalog, None, self._cache, deep=True)

    def _sync(self, url: str) -> None:
        self._report(perform(self._bench(url), tasks.sync(PlanContext(self._catalog), Request(), parse(url))))

    def _undo_with_a_broken_service(self) -> None:
        folder = Folder(self._repository)
        # The folder was empty before, so that undoing takes every package away.
        drop = frozenset(folder.listing().by_token)
        self._service.broken = True
        outcome = perform(self._bench(), Restore(folder, self._catalog, "last", drop).task())
        self._report(outcome)
        if outcome.error is not None:
            self._console.answer(f"   exit code {outcome.error.exit_code:d}: {outcome.error.message}")
        wrong = findings.Severity.ERROR
        self._console.answer(f"   the audit still finds {self._judged().count(wrong)} errors")

    def _bench(self, url: str = "") -> ChangeContext:
        """The workbench of a change that downloads from `url`, whatever proxy the machine uses."""
        policy = HttpPolicy(hosts=frozenset({host_of(url)} if url else ()), trust_env=False)
        fetcher = Fetcher(lambda: Downloader(policy), reserve_bytes=self._reserve_bytes)
        bench = api.change_context(self._repository, self._catalog, fetcher, self._cache, self._service)
        return replace(bench, patience=_BRISK)

    def _report(self, outcome: Outcome) -> None:
        self._steps[-1]["outcome"] = documents.outcome(outcome)
        self._console.answer("   " + tables.outcome(outcome, self._console.width - 3).replace("\n", "\n   "))
