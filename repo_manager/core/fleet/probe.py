"""What is seen of a server by whoever looks at its repository, beside what it reports of itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from repo_manager.core.audit.findings import PackageStatus
from repo_manager.core.fleet.report import ReportedPackage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from repo_manager.core.audit.findings import FileVerdict
    from repo_manager.core.fleet.report import Host, SetName
    from repo_manager.core.names import InstallerName
    from repo_manager.core.repository import File, Listing


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """One look at one server's repository.

    `followed` is the set that the repository followed last, None where that cannot be seen. `error` is the code of
    what kept us from looking, None where nothing did, and `why` says so to people; then there are no `packages`.
    """

    host: Host
    packages: tuple[ReportedPackage, ...] = ()
    followed: SetName | None = None
    error: str | None = None
    why: str = ""


def present(listing: Listing, verdicts: Mapping[str, FileVerdict]) -> tuple[ReportedPackage, ...]:
    """A line for each package that has an installer. `verdicts` is what is known of the files' bytes, by name."""
    return tuple(
        ReportedPackage(token, _state(found, verdicts), str(found[0][0].version))
        for token, found in listing.by_token.items()
    )


def _state(found: tuple[tuple[InstallerName, File], ...], verdicts: Mapping[str, FileVerdict]) -> PackageStatus:
    if any(file.name in verdicts and not verdicts[file.name].good for _, file in found):
        return PackageStatus.CORRUPT
    return PackageStatus.DUPLICATE if len(found) > 1 else PackageStatus.OK
