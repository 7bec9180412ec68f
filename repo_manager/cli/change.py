"""What `sync`, `add`, `prune` and `restore` share: preview or perform, then report."""

from __future__ import annotations

from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from repo_manager.adapters.filesystem.paths import reachable, shown
from repo_manager.adapters.filesystem.repository_folder import Folder
from repo_manager.adapters.windows.service import AbsentService
from repo_manager.app.change import Rehearsal, Task, after_recovery, exit_code, look, perform, preview, rehearse
from repo_manager.cli.voice import TerminalVoice
from repo_manager.core import plan as plans
from repo_manager.core.audit import findings
from repo_manager.core.errors import DeclinedError, ExitCode, InputError, RepoManagerError
from repo_manager.core.plan import Plan
from repo_manager.core.selection import Selection, Target
from repo_manager.core.service import ServiceReport, ServiceState
from repo_manager.core.transaction import Outcome
from repo_manager.report import documents, tables
from repo_manager.report.text import paragraph

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Mapping

    from repo_manager.adapters.sources.fetching import Fetcher
    from repo_manager.app.change import Seen, Voice, Workbench
    from repo_manager.cli.run import Run
    from repo_manager.core.address import Address
    from repo_manager.core.audit.findings import Audit
    from repo_manager.core.repository import File, Listing


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
        second = equalise(run, bench, ask=None if yes or outcome.results else run.agreed)
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
    run: Run, bench: Workbench, task: Task, facts: Callable[[], Mapping[str, object]], foreign: RepoManagerError | None
) -> ExitCode:
    """Say what a run would do to both folders and what would stop it. Returns the exit code of that run."""
    found = rehearse(bench, task)
    if foreign is not None:
        found = replace(found, obstacles=(foreign, *found.obstacles))
    second, title = _rehearse_second(run, bench, found.plan)
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


def _rehearse_second(run: Run, bench: Workbench, plan: Plan) -> tuple[Rehearsal | None, str]:
    """What would happen in the second folder after a plan was carried out, and the title of that."""
    path = _second_folder(run)
    if path is None or not path.is_dir():
        if path is not None:
            run.console.note(_absent(path))
        return None, ""
    unknown = {place.name for place in plan.places if place.size_bytes is None}
    copy = _copy_of(run, plans.carried_out(plan, look(after_recovery(bench))), unknown)
    try:
        _check_second(run, path)
        found = rehearse(_second_bench(bench, path), replace(copy, beside=_beside(run, path, plan)))
    except RepoManagerError as error:
        found = Rehearsal(Plan(), (error,))
    return found, _title(path)


def warn_of(run: Run, obstacles: Iterable[RepoManagerError], where: str = "") -> None:
    """Print what would stop a run; of those that are alike the first."""
    for number, (_, alike) in enumerate(groupby(obstacles, lambda obstacle: obstacle.code)):
        first, *more = alike
        if not number:
            run.console.note(f"\nwithout --dry-run this would stop{where}:")
        run.console.error(first)
        if more:
            run.console.note(f"  and {len(more)} more like it, which --json lists")


def _beside(run: Run, second: Path, plan: Plan) -> int:
    """The bytes that a change of the repository takes on the volume of the second folder."""
    try:
        same = second.stat().st_dev == run.folder.path.stat().st_dev
    except OSError:
        same = False
    return sum(place.size_bytes or 0 for place in plan.places) if same else 0


def _show(run: Run, found: Rehearsal) -> None:
    if found.interrupted is not None:
        journal = found.interrupted
        what = f"an interrupted run ({journal.command}, {journal.identity})"
        restarted = " and the service restarted" if journal.restarts else ""
        words = f"{what} would be undone first{restarted}; the plan is for the folder after that"
        run.console.answer(paragraph(words, run.console.width) + "\n")
    run.console.answer(tables.plan(found.plan, run.console.width))


def _refuse_unconfirmed(run: Run, bench: Workbench, task: Task) -> None:
    """Without `--yes` and a terminal a run may only find that there is nothing to do.

    Raises:
        InputError: `confirmation-needed`.
    """
    bench = after_recovery(bench)
    plan = preview(bench, task)
    text = tables.plan(plan, run.console.width)
    if not plan.actions:
        path = _second_folder(run)
        if path is None or not path.is_dir():
            return
        second = preview(after_recovery(_second_bench(bench, path)), _copy_of(run, look(bench)))
        if not second.actions:
            return
        text = f"{_title(path)}\n\n{tables.plan(second, run.console.width)}"
    raise run.unconfirmed(text)


def equalise(
    run: Run, bench: Workbench, voice: Voice | None = None, *, ask: Callable[[str, str], bool] | None = None
) -> Outcome | None:
    """Give the second folder what the repository has, where the configuration asks for one and it exists.

    Evidence: the overview of August 2020 asked for a copy in the web server's `sw` folder; later ones do not.
    """
    path = _second_folder(run)
    if path is None:
        return None
    if not path.is_dir():
        (voice or run.console).note(_absent(path))
        return None
    bench = _second_bench(bench, path)
    bench = replace(bench, voice=voice or TerminalVoice(run.console, ask=ask, title=_title(path)))
    try:
        _check_second(run, path)
        return perform(bench, _copy_of(run, run.listing()))
    except RepoManagerError as error:
        state = ServiceReport(restarted=False, state=ServiceState.ABSENT)
        return Outcome("", (), state, error)


def _second_folder(run: Run) -> Path | None:
    named = run.profile.second_folder
    return None if named is None else reachable(Path(named))


def _check_second(run: Run, path: Path) -> None:
    """Refuse to fill, and to prune, a folder that was named by mistake.

    Raises:
        InputError: `not-a-repository`.
    """
    if Folder(path).is_foreign(run.listing(path)):
        raise InputError(
            "not-a-repository",
            f"the second folder {shown(path)} has other files and no trace of installers",
            "check second_folder in the configuration; where it is right, copy one installer there by hand",
        )


def _second_bench(bench: Workbench, path: Path) -> Workbench:
    return replace(bench, folder=Folder(path), service=AbsentService(""))


def _absent(path: Path) -> str:
    return f"the second folder {shown(path)} does not exist; nothing is copied there"


def _title(path: Path) -> str:
    return f"in the second folder {shown(path)}"


def _copy_of(run: Run, primary: Listing, unknown: Container[str] = ()) -> Task:
    """The task of making another folder hold the same installers. The size of those in `unknown` is not known."""
    targets = [
        Target(
            token,
            name,
            (str(Path(primary.repository) / name.text),),
            None,
            None if name.text in unknown else file.entry.size_bytes,
        )
        for token, ((name, file), *_) in primary.by_token.items()
        if run.catalog.known(token)
    ]
    tokens = tuple(target.token for target in targets)
    release = max((target.name.release for target in targets), default=run.catalog.latest)
    selection = Selection(release, tokens, {target.token: target for target in targets})

    def planner(seen: Seen) -> Plan:
        # The repository may have lost what this folder still has: only a person takes that away.
        judged = judge(run, seen, selection)
        return plans.mirror(seen.listing, targets, judged, seen.verdicts, plans.Others.KEEP_COMPLETE)

    def matter(listing: Listing) -> tuple[File, ...]:
        return tuple(file for file in listing.files if file.installer is not None)

    return Task("copy to the second folder", planner, matter, restart=False)


def judge(run: Run, seen: Seen, selection: Selection) -> Audit:
    """The audit that a plan is made of."""
    return findings.audit(seen.listing, selection, run.catalog, run.circumstances(seen.verdicts))


def contested(listing: Listing) -> tuple[File, ...]:
    """The installers of every package that has more than one: which may go depends on which is whole."""
    return tuple(file for found in listing.by_token.values() if len(found) > 1 for _, file in found)


def with_source(selection: Selection, base: Address | None) -> Selection:
    """The selection with every target fetched from `base`, under its published name."""
    if base is None:
        return selection
    from repo_manager.adapters.sources.fetching import join

    targets = {
        token: replace(target, sources=(join(base, target.name.text),)) for token, target in selection.targets.items()
    }
    return replace(selection, targets=targets)
