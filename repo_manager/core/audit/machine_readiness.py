"""Machines + packages -> what each machine can expect of a push.

answered(inventory, support)  ->  answers  one for each machine, each distinct text resolved once
with_kernels(...)    ->  packages         whose installers must be asked which kernels they support
judge(...)           ->  Outlooks         and findings_of(...) what of it is worth a finding
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from repo_manager.core import kernels as kernel_lists
from repo_manager.core.audit.findings import Code, Finding, PackageLine, PackageStatus, Severity
from repo_manager.core.systems import resolver as systems
from repo_manager.core.systems.resolver import Ambiguous, Resolved, Unsupported

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from repo_manager.core.audit.findings import Audit
    from repo_manager.core.catalog import Catalog
    from repo_manager.core.inventory import Inventory, Machine, RowProblem
    from repo_manager.core.kernels import Kernel, Supported
    from repo_manager.core.names import Token
    from repo_manager.core.systems.resolver import Answer


class Readiness(StrEnum):
    """What one machine can expect."""

    # Its package is in the repository, and is as wanted.
    READY = "ready"
    # Its package is there, but outdated, doubled, or has a damaged installer beside a whole one.
    NOT_CURRENT = "not-current"
    # Its package is not there, or no installer of it is whole.
    WITHOUT_PACKAGE = "without-package"
    # The installer does not support its kernel.
    KERNEL_NOT_SUPPORTED = "kernel-not-supported"
    # These servers run the classic experience, and only the modernized one supports its system.
    MODERNIZED_ONLY = "modernized-only"
    # Several packages could be meant.
    AMBIGUOUS = "ambiguous"
    # No package serves its system.
    UNSUPPORTED = "unsupported"
    # Nobody can say what system it is.
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class MachineReadiness:
    """One machine, the answer to what it is, and what it can expect.

    `package` is None where the answer is no single package. `file` is the installer that would be sent. `why` is a
    sentence for people. `closest_kernel` is the nearest one that is supported, where its own is not. `kernel_judged`
    says whether its kernel was looked up in what the installer lists.
    """

    machine: Machine
    answer: Answer
    prospect: Readiness
    package: Token | None
    file: str | None
    why: str
    closest_kernel: str | None = None
    kernel_judged: bool = False


@dataclass(frozen=True, slots=True)
class PackageNeed:
    """One package: how many machines need it, and whether it is there and current."""

    package: Token
    machines: int
    state: PackageStatus
    file: str | None
    version: str | None
    newest: str | None


@dataclass(frozen=True, slots=True)
class InventoryReadiness:
    """The whole answer for one inventory: machines in the inventory's order, packages by how many need them."""

    inventory: str
    machines: tuple[MachineReadiness, ...]
    needs: tuple[PackageNeed, ...]
    templates: int
    placeholders: int
    troubles: tuple[RowProblem, ...]

    @property
    def dropped(self) -> int:
        """How many rows were left out because they could not be used."""
        return sum(trouble.dropped for trouble in self.troubles)

    def count(self, prospect: Readiness) -> int:
        """How many machines can expect that."""
        return sum(machine.prospect is prospect for machine in self.machines)


@dataclass(frozen=True, slots=True)
class ReadinessContext:
    """What is known beside the machines and the audit.

    `kernels` has the list of each installer that was asked. `command` is how the fixes begin, with the global options
    of this run; `sync` is the command that mends most of them.
    """

    catalog: Catalog
    classic: bool = True
    kernels: Mapping[Token, Supported] = field(default_factory=dict)
    command: str = "repo-manager"
    sync: str = "sync"


def answered(inventory: Inventory, support: systems.Support) -> tuple[Answer, ...]:
    """The answer for each machine's system, in the inventory's order; the same text has the very same answer."""
    answers = {text: systems.resolve(text, support) for text in {machine.system for machine in inventory.machines}}
    return tuple(answers[machine.system] for machine in inventory.machines)


def with_kernels(inventory: Inventory, answers: Sequence[Answer]) -> frozenset[Token]:
    """The packages of machines whose kernel is known, as far as their installers list kernels."""
    return frozenset(
        answer.package
        for machine, answer in zip(inventory.machines, answers, strict=True)
        if isinstance(answer, Resolved) and machine.kernel and kernel_lists.listed(answer.package)
    )


def judge(inventory: Inventory, answers: Sequence[Answer], audit: Audit, about: ReadinessContext) -> InventoryReadiness:
    """Say what each machine can expect. Pure: the same arguments give the same answer."""
    judge_ = _ReadinessRules(audit, about)
    machines = tuple(map(judge_.outlook, inventory.machines, answers))
    needed = Counter(machine.package for machine in machines if machine.package is not None)
    order = {token: at for at, token in enumerate(about.catalog.packages)}
    needs = tuple(
        judge_.need(token, count)
        for token, count in sorted(needed.items(), key=lambda item: (-item[1], order.get(item[0], len(order))))
    )
    return InventoryReadiness(
        inventory.name, machines, needs, inventory.templates, inventory.placeholders, inventory.troubles
    )


class _ReadinessRules:
    """Holds what is the same for all machines."""

    def __init__(self, audit: Audit, about: ReadinessContext) -> None:
        self._about = about
        self._release = audit.release
        self._states = {state.package: state for state in audit.packages}
        # Many machines share a kernel, and lists are long.
        self._refusals: dict[tuple[Token, str], tuple[str, str | None]] = {}

    def state(self, token: Token) -> PackageLine:
        """What the audit says of a package; of one that is neither wanted nor there, that it is missing."""
        if token not in self._states:
            facts = self._about.catalog.facts(self._release)
            link = facts.links.get(token) if facts else None
            newest = str(link.name.version) if link else None
            manual = (
                self._about.catalog.manual(token, self._release) if token in self._about.catalog.packages else False
            )
            self._states[token] = PackageLine(token, False, manual, PackageStatus.MISSING, None, None, newest)
        return self._states[token]

    def need(self, token: Token, machines: int) -> PackageNeed:
        state = self.state(token)
        return PackageNeed(token, machines, state.state, state.file, state.version, state.newest)

    def outlook(self, machine: Machine, answer: Answer) -> MachineReadiness:
        if not isinstance(answer, Resolved):
            return MachineReadiness(machine, answer, _UNRESOLVED[type(answer)], None, None, answer.why)
        state = self.state(answer.package)
        prospect, why, closest = self._prospect(machine, answer, state)
        judged = prospect is not Readiness.MODERNIZED_ONLY and self._listed(machine, state) is not None
        return MachineReadiness(machine, answer, prospect, answer.package, state.file, why, closest, judged)

    def _prospect(self, machine: Machine, answer: Resolved, state: PackageLine) -> tuple[Readiness, str, str | None]:
        token = answer.package
        known = self._about.catalog.packages.get(token)
        if self._about.classic and (answer.modernized_only or (known is not None and known.modernized_only)):
            why = "only the modernized experience supports this system, and these servers run the classic one"
            return Readiness.MODERNIZED_ONLY, why, None
        if state.file is None:
            return Readiness.WITHOUT_PACKAGE, f"no installer for {token} is in the repository", None
        if not state.whole:
            why = f"the installer for {token} in the repository is not whole, or not what its name promises"
            return Readiness.WITHOUT_PACKAGE, why, None
        refusal = self._refusal_of_kernel(machine, token, state)
        if refusal is not None:
            why, closest = refusal
            return Readiness.KERNEL_NOT_SUPPORTED, why, closest
        if state.state is not PackageStatus.OK:
            return Readiness.NOT_CURRENT, f"{token} is in the repository, but {_WRONG[state.state]}", None
        return Readiness.READY, f"{token} is in the repository", None

    def _refusal_of_kernel(self, machine: Machine, token: Token, state: PackageLine) -> tuple[str, str | None] | None:
        """Why the installer would refuse the kernel, and the closest that it takes; None where nothing says so."""
        listed = self._listed(machine, state)
        if listed is None:
            return None
        kernel, supported = listed
        if kernel in supported:
            return None
        if (token, kernel.text) not in self._refusals:
            words, closest = _instead(supported, kernel)
            why = f"kernel {kernel} is not supported by {token} {state.version}{words}"
            self._refusals[token, kernel.text] = (why, closest)
        return self._refusals[token, kernel.text]

    def _listed(self, machine: Machine, state: PackageLine) -> tuple[Kernel, Supported] | None:
        """The machine's kernel and the list to look it up in; None where either is not known, or not to be believed."""
        supported = self._about.kernels.get(state.package)
        kernel = kernel_lists.parse(machine.kernel or "")
        return (kernel, supported) if supported and kernel is not None and state.whole else None


def _instead(supported: Supported, kernel: Kernel) -> tuple[str, str | None]:
    """What comes closest to a kernel that is not supported: the end of a sentence, and that kernel if there is one."""
    closest = supported.closest(kernel)
    if closest is not None:
        return f"; the closest that is: {closest}", closest.text
    words = f", and neither is any other {kernel.flavour or 'such'} kernel"
    newest = supported.newest_of_series(kernel)
    if newest is not None:
        return f"{words}; the newest that is, of the same series: {newest}", newest.text
    return f"{words}; it supports {', '.join(supported.flavours)}", None


_WRONG: Final = {
    PackageStatus.OUTDATED: "older than wanted",
    PackageStatus.DUPLICATE: "an older installer lies beside it",
    PackageStatus.CORRUPT: "an installer of it is not whole, or not as expected",
}
_UNRESOLVED: Final[dict[type, Readiness]] = {
    Ambiguous: Readiness.AMBIGUOUS,
    Unsupported: Readiness.UNSUPPORTED,
    systems.Unknown: Readiness.UNKNOWN,
}


def findings_of(outlooks: InventoryReadiness, audit: Audit, about: ReadinessContext) -> Iterator[Finding]:
    """A finding for each machine that needs somebody's attention, in the inventory's order.

    Unsupported and unknown systems are none: no change to the repository mends them.
    """
    outdated = {state.package for state in audit.packages if state.state is not PackageStatus.OK}
    facts = about.catalog.facts(audit.release)
    linked = frozenset(facts.links) if facts else frozenset()
    for outlook in outlooks.machines:
        if outlook.prospect in _FINDINGS:
            code, severity = _FINDINGS[outlook.prospect]
            fix = f"{about.command} {_fix(outlook, about.sync, outdated, linked)}"
            yield Finding(code, severity, _message(outlook), fix, outlook.package, outlook.file, outlook.machine.name)


_FINDINGS: Final = {
    Readiness.WITHOUT_PACKAGE: (Code.MACHINE_WITHOUT_PACKAGE, Severity.ERROR),
    Readiness.KERNEL_NOT_SUPPORTED: (Code.KERNEL_NOT_SUPPORTED, Severity.ERROR),
    Readiness.AMBIGUOUS: (Code.MACHINE_AMBIGUOUS, Severity.WARNING),
    Readiness.MODERNIZED_ONLY: (Code.MODERNIZED_ONLY, Severity.WARNING),
}


def _message(outlook: MachineReadiness) -> str:
    message = outlook.why
    if isinstance(outlook.answer, Ambiguous):
        message = f"could be any of {', '.join(outlook.answer.candidates)}: {outlook.why}"
    weak = " (from the configured type, which may be wrong)" if outlook.machine.weak else ""
    return f"{message}{weak}"


# What no shell reads as anything but itself between double quotes.
_QUOTABLE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ()./_,:+\-]{0,119}", re.ASCII)


def _fix(outlook: MachineReadiness, sync: str, outdated: set[Token], linked: frozenset[Token]) -> str:
    """A command that mends it or says more. The words of a file are shown to a shell only where they do no harm."""
    if isinstance(outlook.answer, Ambiguous):
        words = " ".join(outlook.answer.query.split())
        if _QUOTABLE.fullmatch(words):
            return f'resolve "{words}"'
        return f"show {outlook.answer.candidates[0]}"
    mendable = outlook.prospect is Readiness.WITHOUT_PACKAGE or (
        outlook.prospect is Readiness.KERNEL_NOT_SUPPORTED and outlook.package in outdated
    )
    if mendable and outlook.package in linked:
        return f"{sync} --package {outlook.package}"
    return f"show {outlook.package}"


@dataclass(frozen=True, slots=True)
class MachineGroup:
    """Machines of which the same is to be said. `subject` is a package, a kernel with it, or the words for a system."""

    prospect: Readiness
    subject: str
    why: str
    machines: tuple[MachineReadiness, ...]


def grouped(outlooks: InventoryReadiness) -> Mapping[Readiness, tuple[MachineGroup, ...]]:
    """The machines that are not ready, by what is to be said of them, the largest groups first."""
    found: dict[tuple[Readiness, str], list[MachineReadiness]] = defaultdict(list)
    for outlook in outlooks.machines:
        if outlook.prospect is not Readiness.READY:
            found[outlook.prospect, _subject(outlook)].append(outlook)
    groups: dict[Readiness, list[MachineGroup]] = defaultdict(list)
    for (prospect, subject), members in sorted(found.items(), key=lambda item: (-len(item[1]), item[0][1])):
        groups[prospect].append(MachineGroup(prospect, subject, members[0].why, tuple(members)))
    return {prospect: tuple(groups[prospect]) for prospect in Readiness if prospect in groups}


def _subject(outlook: MachineReadiness) -> str:
    if outlook.package is None:
        return " ".join(outlook.answer.query.split()) or "nothing said"
    if outlook.prospect is Readiness.KERNEL_NOT_SUPPORTED:
        return f"{outlook.package}, {outlook.machine.kernel}"
    return str(outlook.package)
