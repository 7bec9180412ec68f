"""What `audit` does for an inventory: read it, ask installers for kernels, put the answers beside the findings."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from repo_manager.adapters import inventory_files
from repo_manager.cli.voice import TerminalProgress
from repo_manager.core.audit import machine_readiness
from repo_manager.core.audit.findings import gravest_first
from repo_manager.core.audit.machine_readiness import Readiness, ReadinessContext
from repo_manager.core.kernels import Supported

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from repo_manager.adapters.installers.inspect import Checker
    from repo_manager.cli.run import Run
    from repo_manager.core.audit.findings import Audit, AuditFacts
    from repo_manager.core.audit.machine_readiness import InventoryReadiness
    from repo_manager.core.inventory import Inventory
    from repo_manager.core.names import Token
    from repo_manager.core.repository import Listing
    from repo_manager.core.systems.resolver import Answer

# More would make a line that nobody pastes.
_MENDED_AT_ONCE: Final = 8


@dataclass(frozen=True, slots=True)
class Survey:
    """Machines, what they are, and which kernels the installers support that they would be sent."""

    inventory: Inventory
    answers: Sequence[Answer]
    kernels: Mapping[Token, Supported]

    def judged_with(self, judged: Audit, run: Run, about: AuditFacts) -> tuple[Audit, InventoryReadiness]:
        """The audit with the machines' findings in their places, and what each machine can expect."""
        knowledge = ReadinessContext(run.catalog, about.classic, self.kernels, about.command, about.sync)
        outlooks = machine_readiness.judge(self.inventory, self.answers, judged, knowledge)
        found = machine_readiness.findings_of(outlooks, judged, knowledge)
        return replace(judged, findings=gravest_first((*judged.findings, *found))), outlooks


def survey(run: Run, paths: Sequence[Path], listing: Listing, checker: Checker) -> Survey:
    """Read the files, and the installers whose kernels must be known.

    Raises:
        InputError: a file cannot be read, or is no list of machines.
    """
    for path in paths:
        run.console.detail(f"reading {path}")
    voice = TerminalProgress(run.console)
    voice.working("reading the machines")
    try:
        inventory = inventory_files.read(paths)
        answers = machine_readiness.answered(inventory, run.catalog.support)
    finally:
        voice.finished()
    asked = {}
    for token in machine_readiness.with_kernels(inventory, answers):
        present = listing.by_token.get(token, ())
        if present:
            asked[token] = present[0][1]
    try:
        listed = checker.kernels(listing, asked.values(), voice.reading(checker.unasked_bytes(asked.values())))
    finally:
        voice.finished()
    kernels = {token: Supported(listed[file.name]) for token, file in asked.items() if file.name in listed}
    return Survey(inventory, answers, kernels)


def mending(outlooks: InventoryReadiness, about: AuditFacts) -> str | None:
    """The command that fetches what machines lack, the most needed first; None where nothing can be fetched."""
    lacking = {item.package for item in outlooks.machines if item.prospect is Readiness.WITHOUT_PACKAGE}
    wanted = [need.package for need in outlooks.needs if need.package in lacking and need.newest]
    packages = " ".join(f"--package {token}" for token in wanted[:_MENDED_AT_ONCE])
    return f"{about.command} {about.sync} {packages}" if packages else None
