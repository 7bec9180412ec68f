"""What each finding is about, in the words of its page: for reports that list what was looked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from repo_manager.core.audit.findings import Code, Severity

_ERROR: Final = (Severity.ERROR,)
_WARNING: Final = (Severity.WARNING,)


@dataclass(frozen=True, slots=True)
class Rule:
    """One thing that is looked for: what it means, and how grave it is, the usual severity first."""

    meaning: str
    severities: tuple[Severity, ...]


RULES: Final = {
    Code.MISSING: Rule("a wanted package has no installer in the repository", _ERROR),
    Code.OUTDATED: Rule("the newest installer of a package is older than the wanted one", _ERROR),
    Code.DUPLICATE: Rule("an older installer lies beside a newer one of the same package", _ERROR),
    Code.STRAY: Rule("a file that is no installer", (Severity.ERROR, Severity.INFO)),
    Code.PARTIAL: Rule("a file that is not whole yet", _ERROR),
    Code.CORRUPT: Rule("the contents of an installer are not whole, or not what was placed", _ERROR),
    Code.MISLABELLED: Rule("an installer was built for another package than its name says", _ERROR),
    Code.UNSIGNED: Rule(
        "a Windows installer carries no signature, and one is expected", (Severity.WARNING, Severity.ERROR)
    ),
    Code.TAMPERED: Rule("the bytes of a Windows installer are not those that were signed", _ERROR),
    Code.OTHER_PUBLISHER: Rule(
        "a Windows installer is not signed by the expected publisher, or not by one that can be trusted",
        (Severity.WARNING, Severity.ERROR),
    ),
    Code.UNKNOWN_PACKAGE: Rule("the catalog knows no package of that name", (Severity.ERROR, Severity.WARNING)),
    Code.MIXED_RELEASES: Rule("the packages belong to several releases", _WARNING),
    Code.NEWER_THAN_SERVER: Rule("an installer is newer than the server itself, or than the wanted release", _ERROR),
    Code.WITHDRAWN_RELEASE: Rule("a release in the repository was withdrawn", _WARNING),
    Code.UNSUPPORTED_RELEASE: Rule("a release in the repository is out of support", _WARNING),
    Code.VULNERABLE_RELEASE: Rule(
        "a release in the repository is older than the security release of July 2022", _WARNING
    ),
    Code.NOT_A_REPOSITORY: Rule("the folder has other files and no trace of installers", _ERROR),
    Code.RESTART_PENDING: Rule("the folder changed after the service had started", _WARNING),
    Code.SECOND_FOLDER_DIFFERS: Rule("the second folder has other installers than the repository", _WARNING),
    Code.MODERNIZED_ONLY: Rule("a package or a release that classic servers do not support", _WARNING),
    Code.MACHINE_WITHOUT_PACKAGE: Rule("a machine needs a package that is not in the repository, or not whole", _ERROR),
    Code.MACHINE_AMBIGUOUS: Rule("a machine's system could need several packages", _WARNING),
    Code.KERNEL_NOT_SUPPORTED: Rule("the installer does not support the kernel that a machine runs", _ERROR),
    Code.WRITABLE_BY_OTHERS: Rule("other users can change or replace installers", _WARNING),
}
"""All codes. The meanings are those of the index of the findings' pages."""
