"""An audit as numbers: the text format of Prometheus, for the textfile collector of an exporter.

Every sample names the repository, so that the files of several audits can lie side by side. Packages have samples of
their own, machines only counts: there may be many thousands of them.

Evidence: the pages "Metric and label naming" and "Writing exporters" of the Prometheus documentation.
"""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, time
from typing import TYPE_CHECKING

from repo_manager.core.audit.findings import PackageStatus, Severity
from repo_manager.core.audit.machine_readiness import Readiness
from repo_manager.report.exposition import family
from repo_manager.report.rules import RULES
from repo_manager.report.subjects import published
from repo_manager.report.text import safe
from repo_manager.version import __version__

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from repo_manager.core.audit.findings import PackageLine
    from repo_manager.core.audit.machine_readiness import InventoryReadiness
    from repo_manager.core.audit.result import AuditResult, Changes
    from repo_manager.report.exposition import Labels


def render(assessed: AuditResult) -> str:
    """The document, without the line break at its end."""
    return "\n".join(_Writer(assessed).lines())


class _Writer:
    """Holds the label that all samples share."""

    def __init__(self, assessed: AuditResult) -> None:
        self.assessed = assessed
        self.repository = safe(assessed.audit.repository)

    def lines(self) -> Iterator[str]:
        yield from self._about_the_audit()
        yield from self._about_findings()
        yield from self._about_packages(self.assessed.audit.packages)
        if self.assessed.outlooks is not None:
            yield from self._about_machines(self.assessed.outlooks)
        if self.assessed.changes is not None:
            yield from self._about_changes(self.assessed.changes)

    def _gauge(self, name: str, help_: str, samples: Mapping[Labels, float]) -> Iterator[str]:
        shared = ("repository", self.repository)
        whole = {(shared, *labels): value for labels, value in samples.items()}
        return family(f"repo_manager_audit_{name}", "gauge", help_, whole)

    def _about_the_audit(self) -> Iterator[str]:
        assessed = self.assessed
        facts = (
            ("profile", safe(assessed.profile)),
            ("release", str(assessed.audit.release)),
            ("deep", str(assessed.deep).lower()),
            ("version", __version__),
        )
        yield from self._gauge("info", "What was audited, and by which version of the tool.", {facts: 1})
        when = int(assessed.at.timestamp())
        yield from self._gauge("timestamp_seconds", "When the audit was made, in Unix time.", {(): when})
        unchecked = len(assessed.unchecked)
        yield from self._gauge(
            "signatures_not_checked", "Installers whose signature was not looked at.", {(): unchecked}
        )

    def _about_findings(self) -> Iterator[str]:
        counted = Counter((finding.severity, finding.code) for finding in self.assessed.audit.findings)
        usual = {(severity, code) for code, rule in RULES.items() for severity in rule.severities}
        order = list(Severity)
        samples: dict[Labels, float] = {
            (("severity", severity.value), ("code", code.value)): counted[severity, code]
            for severity, code in sorted(usual | counted.keys(), key=lambda key: (order.index(key[0]), key[1]))
        }
        yield from self._gauge("findings", "Findings, by severity and code.", samples)

    def _about_packages(self, packages: tuple[PackageLine, ...]) -> Iterator[str]:
        states: dict[Labels, float] = {
            (("package", package.package), ("state", state.value)): int(package.state is state)
            for package in packages
            for state in PackageStatus
        }
        yield from self._gauge("package_state", "1 for the state that a package is in, 0 for the others.", states)
        facts: dict[Labels, float] = {
            (
                ("package", package.package),
                ("version", package.version or ""),
                ("wanted_version", package.newest or ""),
                ("placed_by_hand", str(package.manual).lower()),
            ): 1
            for package in packages
        }
        yield from self._gauge("package_info", "The version of a package that is there, and the wanted one.", facts)
        wanted: dict[Labels, float] = {(("package", package.package),): int(package.required) for package in packages}
        yield from self._gauge("package_wanted", "Whether a package is wanted.", wanted)
        days = {package.package: published(package) for package in packages}
        moments: dict[Labels, float] = {
            (("package", package),): int(datetime.combine(day, time(), UTC).timestamp())
            for package, day in days.items()
            if day is not None
        }
        help_ = "The day in the name of a package's newest installer, in Unix time."
        yield from self._gauge("package_published_timestamp_seconds", help_, moments)

    def _about_machines(self, outlooks: InventoryReadiness) -> Iterator[str]:
        counted = Counter(outlook.prospect for outlook in outlooks.machines)
        prospects: dict[Labels, float] = {(("prospect", prospect.value),): counted[prospect] for prospect in Readiness}
        yield from self._gauge("machines", "Machines of the inventory, by what they can expect.", prospects)
        needs: dict[Labels, float] = {(("package", need.package),): need.machines for need in outlooks.needs}
        yield from self._gauge("package_machines", "Machines of the inventory that need a package.", needs)
        skipped: dict[Labels, float] = {
            (("reason", "template"),): outlooks.templates,
            (("reason", "placeholder"),): outlooks.placeholders,
            (("reason", "unreadable"),): outlooks.dropped,
        }
        yield from self._gauge("inventory_rows_skipped", "Rows of the inventory that were left out.", skipped)

    def _about_changes(self, changes: Changes) -> Iterator[str]:
        counted: dict[Labels, float] = {
            (("change", "new"),): len(changes.new),
            (("change", "standing"),): len(changes.standing),
            (("change", "fixed"),): len(changes.fixed),
            (("change", "not-looked-for"),): len(changes.not_looked_for),
        }
        yield from self._gauge("findings_changed", "Findings, by what became of them since an earlier audit.", counted)
        if changes.since is not None:
            since = int(changes.since.timestamp())
            help_ = "When that earlier audit was made, in Unix time."
            yield from self._gauge("compared_timestamp_seconds", help_, {(): since})
