"""An operation's voice on a terminal: the plan, the question, the progress."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

from repo_manager.app.change import Progress
from repo_manager.cli.console import is_terminal
from repo_manager.report import tables
from repo_manager.report.text import plural

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.progress import Progress as RichProgress
    from rich.progress import ProgressColumn, TaskID

    from repo_manager.cli.console import Console
    from repo_manager.core.plan import Download, Plan


# So short that a whole line has room in 80 columns, and for the ^C that a terminal may add.
_BAR: Final = 20


class TerminalProgress(Progress):
    """Speaks through a console. `ask` asks a question about a text; None does not ask.

    `title` is printed above the plan.
    """

    def __init__(self, console: Console, *, ask: Callable[[str, str], bool] | None = None, title: str = "") -> None:
        self._console = console
        self._ask = ask
        self._title = title
        self._progress: RichProgress | None = None

    def note(self, text: str) -> None:
        """Print to stderr."""
        self._console.note(text)

    def detail(self, text: str) -> None:
        """Print to stderr with -v."""
        self._console.detail(text)

    def agree(self, plan: Plan) -> bool:
        """Show the plan; ask unless `--yes` was given."""
        text = tables.plan(plan, self._console.width)
        if self._title:
            text = f"\n{self._title}\n\n{text}"
        if self._ask is not None:
            return self._ask("Apply these changes?", text)
        self._console.note(text)
        return True

    def reading(self, total_bytes: int) -> Callable[[int], None]:
        """A bar for all files together."""
        task = self._bar("checking", total_bytes)
        if task is None or self._progress is None:
            return lambda _: None
        progress = self._progress
        return lambda count: progress.update(task, advance=count)

    def fetching(self, downloads: tuple[Download, ...]) -> Callable[[str, int], None]:
        """A bar for all files together."""
        sizes = [item.size_bytes for item in downloads]
        total = None if None in sizes else sum(size or 0 for size in sizes)
        task = self._bar(f"downloading {plural(len(downloads), 'file')}", total) if downloads else None
        if task is None or self._progress is None:
            return lambda _name, _count: None
        progress = self._progress
        there: dict[str, int] = {}

        def told(name: str, count: int) -> None:
            there[name] = count
            progress.update(task, completed=sum(there.values()))

        return told

    def sized(self, total_bytes: int) -> None:
        """How long the bar is."""
        if self._progress is not None:
            self._progress.update(self._progress.task_ids[0], total=total_bytes)

    def counting(self, what: str, total: int) -> Callable[[int], None]:
        """A bar for so many things; what is returned is told how many are done."""
        if not self._may_show():
            return lambda _: None
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn

        progress = self._begun(TextColumn("{task.description}"), BarColumn(_BAR), MofNCompleteColumn())
        task = progress.add_task(what, total=total)
        return lambda done: progress.update(task, completed=done)

    def working(self, what: str) -> None:
        """Something is under way of which nobody can say how much there is of it."""
        if self._may_show():
            from rich.progress import TextColumn, TimeElapsedColumn

            self._begun(TextColumn("{task.description}"), TimeElapsedColumn()).add_task(what, total=None)

    def finished(self) -> None:
        """Take the bar away."""
        if self._progress is not None:
            self._progress.stop()
            self._progress = None

    def _may_show(self) -> bool:
        terminal = is_terminal(sys.stdout) and is_terminal(sys.stderr)
        return terminal and not self._console.json_wanted and self._console.verbosity >= 0

    def _bar(self, what: str, total_bytes: int | None) -> TaskID | None:
        """Begin a bar on a terminal; nothing elsewhere, and nothing for nothing."""
        if total_bytes == 0 or not self._may_show():
            return None
        from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeRemainingColumn, TransferSpeedColumn

        said = TextColumn("{task.description}")
        progress = self._begun(said, BarColumn(_BAR), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
        return progress.add_task(what, total=total_bytes)

    def _begun(self, *columns: ProgressColumn) -> RichProgress:
        from rich.console import Console as RichConsole
        from rich.progress import Progress as RichProgress

        self._progress = RichProgress(*columns, console=RichConsole(stderr=True), transient=True)
        self._progress.start()
        return self._progress
