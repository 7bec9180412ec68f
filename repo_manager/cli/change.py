"""What `sync`, `add`, `prune` and `restore` share: preview or perform, then report."""

from __future__ import annotations

from dataclasses import replace
from itertools import groupby
from typing import TYPE_CHECKING

import typer

from repo_manager.app.change import Rehearsal, Task, after_recovery, exit_code, perform, preview, rehearse
from repo_manager.cli.voice import TerminalProgress
from repo_manager.core.errors import DeclinedError, ExitCode, RepoManagerError
from repo_manager.report import documents, tables
from repo_manager.report.text import paragraph

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from repo_manager.adapters.sources.fetching import Fetcher
    from repo_manager.app.change import ChangeContext, Progress
    from repo_manager.app.second_folder import SecondFolder
    from repo_manager.cli.run import Run
    from repo_manager.core.transaction import Outcome


def change(
    run: Run,
    task: Task,
    *,
    dry_run: bool,
    yes: bool,
    fetcher: Fetcher | None = None,
    keep: int | None = None,
    facts: Callable[[], Mapping[str, object]] = dict,
    ended: Callable[[ExitCode, RepoManagerError | None], Mapping[str, object]] = lambda _code, _error: {},
) -> None:
    """Carry a task out, or only say what it would do, and end with the exit code of the contract.

    `fetcher` brings the files, where not the usual one; `keep` overrides how many retired builds stay; `facts` are
    asked for in the end and join the document. `ended` is told how it ended when people have read it, and what it
    gives joins the document too; not when nothing is changed, nor for what is raised here.
    """
    bench = run.workbench(yes=yes, fetcher=fetcher)
    if keep is not None:
        bench = replace(bench, retention=replace(bench.retention, keep=keep))
    foreign = run.not_a_repository(run.listing())
    if dry_run:
        raise typer.Exit(_rehearse(run, bench, task, facts, foreign))
    if foreign is not None:
        raise foreign
    try:
        if not yes and not run.console.can_ask:
            _refuse_unconfirmed(run, bench, task)
        outcome = perform(bench, task)
    finally:
        run.say_of_signatures()
    second = None
    if outcome.error is None:
        # One question for both folders: the second one gets what was agreed to for the first.
        second = copy_to_second_folder(run, bench, ask=None if yes or outcome.results else run.agreed)
    if outcome.error is None and outcome.identity:
        run.console.made = f"the change was made (transaction {outcome.identity}); see 'repo-manager list'"
    document = {**documents.outcome(outcome), **facts()}
    document["signatures_not_checked"] = sorted(run.signatures.unchecked)
    if second is not None:
        document["second_folder"] = documents.outcome(second)
    run.console.answer(tables.outcome(outcome, run.console.width))
    errors = [done.error for done in (outcome, second) if done is not None and done.error is not None]
    for error in errors:
        run.console.error(error)
    code = exit_code(outcome)
    if second is not None and second.error is not None:
        code = exit_code(second) if isinstance(second.error, DeclinedError) else ExitCode.PARTIAL
    run.console.emit({**document, **ended(code, errors[0] if errors else None)})
    raise typer.Exit(code)


def _rehearse(
    run: Run,
    bench: ChangeContext,
    task: Task,
    facts: Callable[[], Mapping[str, object]],
    foreign: RepoManagerError | None,
) -> ExitCode:
    """Say what a run would do to both folders and what would stop it. Returns the exit code of that run."""
    found = rehearse(bench, task)
    if foreign is not None:
        found = replace(found, obstacles=(foreign, *found.obstacles))
    folder, second, title = run.second_folder, None, ""
    if folder is not None and folder.exists:
        second, title = folder.rehearse(bench, found.plan), _title(folder)
    elif folder is not None:
        run.console.note(_absent(folder))
    document = {**documents.rehearsal(found.plan, found.obstacles, found.interrupted), **facts()}
    if second is not None:
        document["second_folder"] = documents.rehearsal(second.plan, second.obstacles, second.interrupted)
    run.console.emit(document)
    if not run.console.json_wanted:
        _show(run, found)
        if second is not None:
            run.console.answer(f"\n{title}\n")
            _show(run, second)
    warn_of(run, found.obstacles)
    if found.obstacles:
        return found.obstacles[0].exit_code
    if second is not None and second.obstacles:
        warn_of(run, second.obstacles, f" {title}")
        return ExitCode.PARTIAL
    return ExitCode.FINDINGS if found.plan.skipped else ExitCode.DONE


def warn_of(run: Run, obstacles: Iterable[RepoManagerError], where: str = "") -> None:
    """Print what would stop a run; of those that are alike the first."""
    for number, (_, alike) in enumerate(groupby(obstacles, lambda obstacle: obstacle.code)):
        first, *more = alike
        if not number:
            run.console.note(f"\nwithout --dry-run this would stop{where}:")
        run.console.error(first)
        if more:
            run.console.note(f"  and {len(more)} more like it, which --json lists")


def _show(run: Run, found: Rehearsal) -> None:
    if found.interrupted is not None:
        journal = found.interrupted
        what = f"an interrupted run ({journal.command}, {journal.identity})"
        restarted = " and the service restarted" if journal.restarts else ""
        words = f"{what} would be undone first{restarted}; the plan is for the folder after that"
        run.console.answer(paragraph(words, run.console.width) + "\n")
    run.console.answer(tables.plan(found.plan, run.console.width))


def _refuse_unconfirmed(run: Run, bench: ChangeContext, task: Task) -> None:
    """Without `--yes` and a terminal a run may only find that there is nothing to do.

    Raises:
        InputError: `confirmation-needed`.
    """
    bench = after_recovery(bench)
    plan = preview(bench, task)
    text = tables.plan(plan, run.console.width)
    if not plan.actions:
        folder = run.second_folder
        if folder is None or not folder.exists:
            return
        second = folder.preview(bench)
        if not second.actions:
            return
        text = f"{_title(folder)}\n\n{tables.plan(second, run.console.width)}"
    raise run.unconfirmed(text)


def copy_to_second_folder(
    run: Run, bench: ChangeContext, voice: Progress | None = None, *, ask: Callable[[str, str], bool] | None = None
) -> Outcome | None:
    """Give the second folder what the repository has, where the configuration names one and it exists."""
    folder = run.second_folder
    if folder is None:
        return None
    if not folder.exists:
        (voice or run.console).note(_absent(folder))
        return None
    return folder.perform(bench, voice or TerminalProgress(run.console, ask=ask, title=_title(folder)))


def _absent(folder: SecondFolder) -> str:
    return f"{folder.name} does not exist; nothing is copied there"


def _title(folder: SecondFolder) -> str:
    return f"in {folder.name}"
