"""The second folder: another folder of the server that gets the same installers as the repository.

Evidence: the overview of August 2020 asked for a copy in the web server's `sw` folder; later ones do not.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from repo_manager.adapters.filesystem.paths import shown
from repo_manager.adapters.filesystem.repository_folder import Folder
from repo_manager.adapters.windows.service import AbsentService
from repo_manager.app.change import Rehearsal, Task, after_recovery, perform, preview, rehearse
from repo_manager.core import plan as plans
from repo_manager.core.errors import InputError, RepoManagerError
from repo_manager.core.plan import Plan
from repo_manager.core.selection import Selection, Target
from repo_manager.core.service import ServiceReport, ServiceState
from repo_manager.core.transaction import Outcome

if TYPE_CHECKING:
    from collections.abc import Container

    from repo_manager.app.change import ChangeContext, Progress, Snapshot
    from repo_manager.app.tasks import PlanContext
    from repo_manager.core.repository import Listing


@dataclass(frozen=True, slots=True)
class SecondFolder:
    """The second folder at `path`. `bench` is in all methods the workbench of the repository itself."""

    path: Path
    context: PlanContext

    @property
    def exists(self) -> bool:
        """Whether it is there; it is never created."""
        return self.path.is_dir()

    @property
    def name(self) -> str:
        """How messages name it."""
        return f"the second folder {shown(self.path)}"

    def perform(self, bench: ChangeContext, voice: Progress) -> Outcome:
        """Give it what the repository has. An error is in the outcome."""
        there = replace(self._bench(bench), voice=voice)
        try:
            self._check()
            return perform(there, self._task(bench.folder.listing()))
        except RepoManagerError as error:
            return Outcome("", (), ServiceReport(restarted=False, state=ServiceState.ABSENT), error)

    def preview(self, bench: ChangeContext) -> Plan:
        """What `perform` would do now."""
        return preview(after_recovery(self._bench(bench)), self._task(bench.folder.listing()))

    def rehearse(self, bench: ChangeContext, plan: Plan) -> Rehearsal:
        """What `perform` would do, and what would stop it, after `plan` was carried out in the repository."""
        unknown = {place.name for place in plan.places if place.size_bytes is None}
        task = self._task(plans.carried_out(plan, after_recovery(bench).folder.listing()), unknown)
        try:
            self._check()
            return rehearse(self._bench(bench), replace(task, beside=self._beside(bench, plan)))
        except RepoManagerError as error:
            return Rehearsal(Plan(), (error,))

    def _bench(self, bench: ChangeContext) -> ChangeContext:
        return replace(bench, folder=Folder(self.path), service=AbsentService(""))

    def _check(self) -> None:
        """Refuse to fill, and to prune, a folder that was named by mistake.

        Raises:
            InputError: `not-a-repository`.
        """
        folder = Folder(self.path)
        if folder.is_foreign(folder.listing()):
            raise InputError(
                "not-a-repository",
                f"{self.name} has other files and no trace of installers",
                "check second_folder in the configuration; where it is right, copy one installer there by hand",
            )

    def _beside(self, bench: ChangeContext, plan: Plan) -> int:
        """The bytes that a change of the repository takes on the volume of this folder."""
        try:
            same = self.path.stat().st_dev == bench.folder.path.stat().st_dev
        except OSError:
            same = False
        return sum(place.size_bytes or 0 for place in plan.places) if same else 0

    def _task(self, primary: Listing, unknown: Container[str] = ()) -> Task:
        """Make it hold the same installers. The size of those in `unknown` is not known."""
        catalog = self.context.catalog
        targets = [
            Target(
                token,
                name,
                (str(Path(primary.repository) / name.text),),
                None,
                None if name.text in unknown else file.entry.size_bytes,
            )
            for token, ((name, file), *_) in primary.by_token.items()
            if catalog.known(token)
        ]
        release = max((target.name.release for target in targets), default=catalog.latest)
        wanted = {target.token: target for target in targets}
        selected = Selection(release, tuple(wanted), wanted)

        def planner(seen: Snapshot) -> Plan:
            # The repository may have lost what this folder still has: only a person takes that away.
            audit = self.context.audit(seen, selected)
            return plans.mirror(seen.listing, targets, audit, seen.verdicts, plans.Others.KEEP_COMPLETE)

        return Task("copy to the second folder", planner, lambda listing: listing.installers, restart=False)
