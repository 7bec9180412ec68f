"""`repo-manager demo`."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from repo_manager.app.change import Seen, perform
from repo_manager.app.restore import Undoing
from repo_manager.cli import options
from repo_manager.cli.change import judge
from repo_manager.cli.quoting import quoted
from repo_manager.cli.root import run_of
from repo_manager.cli.run import Run
from repo_manager.cli.sync import task_of
from repo_manager.core import repository
from repo_manager.core import selection as selections
from repo_manager.core.address import host_of, parse
from repo_manager.core.audit import findings
from repo_manager.core.audit.findings import Severity
from repo_manager.core.audit.result import Assessment
from repo_manager.core.errors import InputError
from repo_manager.core.service import Patience
from repo_manager.demo import sandbox
from repo_manager.report import documents, tables
from repo_manager.report.text import paragraph

if TYPE_CHECKING:
    from collections.abc import Iterator

    from repo_manager.adapters.sources.fetching import Fetcher
    from repo_manager.app.change import Workbench
    from repo_manager.cli.console import Console
    from repo_manager.core.audit.findings import Audit
    from repo_manager.core.transaction import Outcome

app = typer.Typer(rich_markup_mode=None, add_completion=False)

_BRISK = Patience(stop_s=2, start_s=2, steady_s=0.2, poll_s=0.05)


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
        self._folder = folder
        self._repository = folder / "repository"
        self._run = Run(
            # The stand-in installers are signed by nobody, whatever this machine's configuration expects.
            {"repository": str(self._repository), "profile": "classic", "quiet": True, "signatures": "off"},
            {**os.environ, "REPO_MANAGER_CACHE_DIR": str(folder / "cache")},
        )
        self._run.__dict__["catalog"] = asked.catalog
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
        with sandbox.download_server(self._folder / "downloads") as url:
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
        unchecked = tuple(sorted(self._run.signatures.unchecked))
        assessed = Assessment(judged, "classic", now, deep=True, unchecked=unchecked, fixes=fixes)
        self._steps[-1]["audit"] = documents.audit(assessed)
        self._console.answer(tables.audit(assessed, self._console.width, self._console.coloured))

    def _judged(self) -> Audit:
        run = self._run
        listing = run.listing()
        selection = selections.select(run.request(release=selections.AUTO), listing, run.catalog)
        files = tuple(file for file in listing.files if file.installer is not None)
        return judge(run, Seen(run.folder, listing, run.checker().read(listing, files)), selection)

    def _sync(self, url: str) -> None:
        request = self._run.request(release=selections.AUTO)
        self._report(
            perform(self._bench(_plain_fetcher(self._run, url)), task_of(self._run, request, parse(url), restart=True))
        )

    def _undo_with_a_broken_service(self) -> None:
        folder = self._run.folder
        # The folder was empty before, so that undoing takes every package away.
        drop = frozenset(repository.survey("", folder.scan()).by_token)
        self._service.broken = True
        task = Undoing(folder, self._run.catalog, "last", drop).task()
        outcome = perform(self._bench(self._run.fetcher()), task)
        self._report(outcome)
        if outcome.error is not None:
            self._console.answer(f"   exit code {outcome.error.exit_code:d}: {outcome.error.message}")
        wrong = findings.Severity.ERROR
        self._console.answer(f"   the audit still finds {self._judged().count(wrong)} errors")

    def _bench(self, fetcher: Fetcher) -> Workbench:
        bench = self._run.workbench(yes=True, fetcher=fetcher)
        return replace(bench, service=self._service, patience=_BRISK)

    def _report(self, outcome: Outcome) -> None:
        self._steps[-1]["outcome"] = documents.outcome(outcome)
        self._console.answer("   " + tables.outcome(outcome, self._console.width - 3).replace("\n", "\n   "))


def _plain_fetcher(run: Run, url: str) -> Fetcher:
    """A fetcher that goes straight to the sandbox's server, whatever proxy the machine uses."""
    from repo_manager.adapters.sources.download import Downloader, Policy
    from repo_manager.adapters.sources.fetching import Fetcher

    policy = Policy(hosts=frozenset({host_of(url)}), trust_env=False)
    return Fetcher(lambda: Downloader(policy), reserve_bytes=run.settings.reserve_bytes)
