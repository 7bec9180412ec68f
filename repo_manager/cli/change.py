"""What `sync`, `add`, `prune` and `restore` share: preview or perform, then report."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import typer

from repo_manager import audit as audits
from repo_manager.audit import Circumstances
from repo_manager.operation import exit_code, perform, preview
from repo_manager.report import documents, tables
from repo_manager.selection import Selection

if TYPE_CHECKING:
    from repo_manager.audit import Audit
    from repo_manager.cli.run import Run
    from repo_manager.operation import Seen, Task
    from repo_manager.repository import File, Listing


def change(run: Run, task: Task, *, dry_run: bool, yes: bool, hosts: tuple[str, ...] = ()) -> None:
    """Carry a task out, or only say what it would do, and end with the exit code of the contract."""
    bench = run.workbench(yes=yes, fetcher=run.fetcher(hosts))
    if dry_run:
        plan = preview(bench, task)
        run.console.emit(documents.plan(plan))
        if not run.console.json_wanted:
            run.console.answer(tables.plan(plan, run.console.width))
        return
    outcome = perform(bench, task)
    run.console.emit(documents.outcome(outcome))
    if not run.console.json_wanted or outcome.error is None:
        run.console.answer(tables.outcome(outcome))
    if outcome.error is not None:
        run.console.error(outcome.error)
    raise typer.Exit(exit_code(outcome))


def judge(run: Run, seen: Seen, selection: Selection) -> Audit:
    """The audit that a plan is made of."""
    circumstances = Circumstances(
        verdicts=seen.verdicts,
        classic=run.profile.classic,
        server_release=run.settings.server_release,
        command=run.command,
    )
    return audits.audit(seen.listing, selection, run.catalog, circumstances)


def contested(listing: Listing) -> tuple[File, ...]:
    """The installers of every package that has more than one: which may go depends on which is whole."""
    return tuple(file for found in listing.by_token.values() if len(found) > 1 for _, file in found)


def with_source(selection: Selection, base: str | None) -> Selection:
    """The selection with every target fetched from `base`, under its published name."""
    if base is None:
        return selection
    from repo_manager.edges.fetching import join

    targets = {
        token: replace(target, sources=(join(base, target.name.text),)) for token, target in selection.targets.items()
    }
    return replace(selection, targets=targets)
