"""Wanted + present -> findings.

A finding is one thing worth saying, with a severity and a command that mends it. An error is what
could make a push fail or send the wrong thing; a warning is something to plan; the rest is info.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import TYPE_CHECKING, Final

from repo_manager.core import names
from repo_manager.core.catalog import ReleaseStatus
from repo_manager.core.repository import FileKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import datetime

    from repo_manager.core.catalog import Catalog
    from repo_manager.core.names import InstallerName, Release, Token
    from repo_manager.core.repository import File, Listing
    from repo_manager.core.selection import Selection


class Severity(StrEnum):
    """How much a finding matters."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


class Code(StrEnum):
    """What a finding is about; each has a page in the documentation."""

    MISSING = "missing"
    OUTDATED = "outdated"
    DUPLICATE = "duplicate"
    STRAY = "stray"
    PARTIAL = "partial"
    CORRUPT = "corrupt"
    MISLABELLED = "mislabelled"
    UNSIGNED = "unsigned"
    TAMPERED = "tampered"
    OTHER_PUBLISHER = "other-publisher"
    UNKNOWN_PACKAGE = "unknown-package"
    MIXED_RELEASES = "mixed-releases"
    NEWER_THAN_SERVER = "newer-than-server"
    WITHDRAWN_RELEASE = "withdrawn-release"
    UNSUPPORTED_RELEASE = "unsupported-release"
    VULNERABLE_RELEASE = "vulnerable-release"
    NOT_A_REPOSITORY = "not-a-repository"
    RESTART_PENDING = "restart-pending"
    SECOND_FOLDER_DIFFERS = "second-folder-differs"
    MODERNIZED_ONLY = "modernized-only"
    MACHINE_WITHOUT_PACKAGE = "machine-without-package"
    MACHINE_AMBIGUOUS = "machine-ambiguous"
    KERNEL_NOT_SUPPORTED = "kernel-not-supported"
    WRITABLE_BY_OTHERS = "writable-by-others"


class PackageStatus(StrEnum):
    """What an audit says of one package."""

    OK = "ok"
    MISSING = "missing"
    OUTDATED = "outdated"
    DUPLICATE = "duplicate"
    CORRUPT = "corrupt"


class Precedence(IntEnum):
    """How far up the list a finding stands."""

    ERROR = 0
    WARNING = 1
    INFO = 2


@dataclass(frozen=True, slots=True)
class FileVerdict:
    """What reading a file's bytes showed. `code` is None for a good file, and then `message` is empty.

    `signer` is who signed it, proven by a trusted root; empty where that is not known. `read` is false
    where the bytes could not be read to their end, so that another try may show something else. `read_at` is when
    they were read, UTC, whole seconds; None where they were not, or the verdict is on the name or the size alone.
    """

    code: Code | None = None
    message: str = ""
    severity: Severity = Severity.ERROR
    signer: str = ""
    read: bool = True
    read_at: datetime | None = field(default=None, compare=False)

    @property
    def good(self) -> bool:
        """Whether the file may be handed to a machine."""
        return self.code is None or self.severity is not Severity.ERROR

    @property
    def whole(self) -> bool:
        """Whether the bytes are those of the installer that the name promises, as far as known."""
        return self.code not in _NOT_WHOLE or not self.read


_NOT_WHOLE: Final = frozenset({Code.CORRUPT, Code.MISLABELLED, Code.TAMPERED})


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing an audit says. `fix` is a command that can be pasted."""

    code: Code
    severity: Severity
    message: str
    fix: str
    package: Token | None = None
    file: str | None = None
    machine: str | None = None


@dataclass(frozen=True, slots=True)
class PackageLine:
    """One line of the audit: a package that is wanted or present.

    `file` and `version` are those of the newest installer in the folder; `newest` is the version of
    the wanted release that the catalog links, None when it links none. `signer` is who signed the
    newest installer, proven by a trusted root; None where that is not known. `read_at` is when the newest installer's
    bytes were read to judge them, None where they never were. `whole` is false where there are
    installers, and none of them is whole: then there is nothing that could be sent.
    """

    package: Token
    required: bool
    manual: bool
    state: PackageStatus
    file: str | None
    version: str | None
    newest: str | None
    signer: str | None = None
    whole: bool = True
    read_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Audit:
    """The whole answer: a line per package in catalog order, and the findings, gravest first.

    `fixes` are the commands that fix the errors, in the order in which to run them; those that no command can fix are
    not covered.
    """

    repository: str
    release: Release
    packages: tuple[PackageLine, ...]
    findings: tuple[Finding, ...]
    fixes: tuple[str, ...] = ()

    def count(self, severity: Severity) -> int:
        """How many findings have that severity."""
        return sum(finding.severity is severity for finding in self.findings)


@dataclass(frozen=True, slots=True)
class Exposed:
    """What others than administrators and the running user can change: in which way, as the end of a sentence.

    `folder` is about the repository's folder, where others could exchange what is in it; empty where they cannot.
    `files` has the installers by name.
    """

    folder: str
    files: Mapping[str, str]

    @property
    def message(self) -> str:
        """All of it in one sentence; empty where there is nothing to say."""
        parts = [f"the folder {self.folder}, so others can replace every installer"] if self.folder else []
        if self.files:
            name, what = min(self.files.items())
            count = len(self.files)
            parts.append(f"{name} {what}" + (f", and {count - 1} more can be changed by others" if count > 1 else ""))
        return "; ".join(parts)


@dataclass(frozen=True, slots=True)
class AuditFacts:
    """What an audit knows beside the folder and the wish.

    `verdicts` holds what is known of files' bytes, by name; a file that nobody read has none.
    `second` is the listing of the second folder, None when there is none to compare.
    `unseen_by` is the service that started before the folder last changed, None when there is none.
    `foreign` says that the folder has other files and no trace of installers.
    `exposed` is what of the repository others can change.
    `command` is how the fixes begin, with the global options of this run; `sync` is the command that
    fixes most of them, with the release where one was asked for, and `packages` are those that were asked for.
    """

    verdicts: Mapping[str, FileVerdict] = field(default_factory=dict)
    classic: bool = True
    server_release: Release | None = None
    second: Listing | None = None
    unseen_by: str | None = None
    command: str = "repo-manager"
    sync: str = "sync"
    packages: tuple[str, ...] = ()
    foreign: bool = False
    exposed: Exposed | None = None


def audit(listing: Listing, selection: Selection, catalog: Catalog, circumstances: AuditFacts) -> Audit:
    """Judge a repository. Pure: the same arguments give the same answer."""
    auditor = _Auditor(listing, selection, catalog, circumstances)
    findings = gravest_first(auditor.findings())
    fixes = tuple(auditor.fixes(findings))
    return Audit(listing.repository, selection.release, tuple(auditor.states()), findings, fixes)


def gravest_first(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Findings in the order in which they are told; those that are alike stay as they were."""
    return tuple(
        sorted(findings, key=lambda finding: (Precedence[finding.severity.name], finding.code, finding.file or ""))
    )


def superseded(file: File, listing: Listing) -> bool:
    """Whether a newer installer of the same package lies beside the file."""
    if file.installer is None:
        return False
    return listing.by_token[file.installer.token][0][1] is not file


def replaceable(installer: InstallerName, catalog: Catalog) -> bool:
    """Whether an installer of a token the catalog does not know is surely a mistake.

    One that is newer than all the catalog knows may belong to a package published since: the
    catalog is old, not the file wrong.
    """
    return not catalog.known(installer.token) and installer.release <= catalog.releases[-1].release


class _Auditor:
    """Holds the four arguments, so that each rule below reads as a sentence."""

    def __init__(self, listing: Listing, selection: Selection, catalog: Catalog, circumstances: AuditFacts) -> None:
        self.listing = listing
        self.selection = selection
        self.catalog = catalog
        self.about = circumstances

    def states(self) -> Iterator[PackageLine]:
        for token in self.catalog.packages:
            required = token in self.selection.tokens
            present = self.listing.by_token.get(token, ())
            if not required and not present:
                continue
            newest = present[0][0] if present else None
            target = self.selection.targets.get(token)
            yield PackageLine(
                token,
                required,
                self.catalog.manual(token, self.selection.release),
                self._state(token),
                newest.text if newest else None,
                str(newest.version) if newest else None,
                str(target.name.version) if target else None,
                (self._verdict(present[0][1]).signer or None) if present else None,
                whole=not present or any(self._verdict(file).whole for _, file in present),
                read_at=self._verdict(present[0][1]).read_at if present else None,
            )

    def _state(self, token: Token) -> PackageStatus:
        present = self.listing.by_token.get(token, ())
        if not present:
            return PackageStatus.MISSING
        if any(not self._verdict(file).good for _, file in present):
            return PackageStatus.CORRUPT
        if self._outdated(token):
            return PackageStatus.OUTDATED
        return PackageStatus.DUPLICATE if len(present) > 1 else PackageStatus.OK

    def findings(self) -> Iterator[Finding]:
        for token in self.selection.tokens:
            yield from self._about_package(token)
        for file in self.listing.files:
            yield from self._about_file(file)
        yield from self._about_releases()
        yield from self._about_second_folder()
        yield from self._about_folder()
        yield from self._about_service()

    def fixes(self, findings: Iterable[Finding]) -> Iterator[str]:
        """The commands that fix the errors among the findings."""
        errors = [finding for finding in findings if finding.severity is Severity.ERROR]
        if not errors:
            return
        if self.about.foreign:
            # A sync would fill a folder that was named by mistake.
            yield self._fix("doctor")
            return
        strict = " --signatures require" if any(error.code in _MENDED_WHEN_REQUIRED for error in errors) else ""
        back = [error.package for error in errors if error.code is Code.NEWER_THAN_SERVER and error.package]
        server = self.about.server_release if back else None
        if server is None and not self.selection.limited and not self._blocked():
            yield self._fix(f"{self.about.sync}{strict}")
            return
        release = self.selection.release if server is None else server
        linked = {link.token for link in self.catalog.links(release)}
        if server is None:
            linked &= set(self.selection.tokens)
        wrong = {error.package for error in errors}
        synced = [token for token in self.catalog.packages if token in linked and token in wrong]
        if synced:
            as_asked = server is None and self.selection.limited and not self._blocked()
            named = self.about.packages if as_asked and self.about.packages else synced
            sync = self.about.sync if server is None else f"sync --release {server}"
            yield self._fix(f"{sync}{_options_of(named)}{strict}")
        if any(error.code in _PRUNED and error.package not in synced for error in errors):
            yield self._fix(f"prune{strict}")

    def _blocked(self) -> bool:
        """Whether a sync of all that is wanted is refused, because something wanted can be had nowhere."""
        release = self.selection.release
        return any(
            all(name.release != release for name, _ in self.listing.by_token.get(token, ()))
            for token in self.selection.unavailable
        )

    def _about_package(self, token: Token) -> Iterator[Finding]:
        linked = token in self.selection.targets
        sync = self._fix(f"{self.about.sync} --package {token}" if linked else f"show {token}")
        newest = self.listing.newest(token)
        release = self.selection.release
        if newest is None:
            by_hand = ", which must be placed by hand" if self.catalog.manual(token, release) else ""
            systems = ", ".join(self.catalog.packages[token].systems[:2])
            message = f"no installer for {token} ({systems}){by_hand}"
            yield Finding(Code.MISSING, Severity.ERROR, message, sync, token)
        elif self._outdated(token):
            target = self.selection.targets.get(token)
            wanted = str(target.name.version) if target else f"release {release}"
            message = f"{token} is {newest.version}; {wanted} is wanted"
            yield Finding(Code.OUTDATED, Severity.ERROR, message, sync, token, newest.text)
        elif newest.release > release:
            message = f"{token} is {newest.version}, newer than the wanted release {release}"
            yield Finding(Code.NEWER_THAN_SERVER, Severity.ERROR, message, sync, token, newest.text)

    def _outdated(self, token: Token) -> bool:
        newest = self.listing.newest(token)
        if newest is None or token not in self.selection.tokens:
            return False
        target = self.selection.targets.get(token)
        if target is None:
            return newest.release < self.selection.release
        return newest.recency < target.name.recency

    def _about_file(self, file: File) -> Iterator[Finding]:
        if file.installer is not None:
            yield from self._about_installer(file, file.installer)
        elif file.kind is FileKind.PARTIAL:
            message = "is not whole: a copy or a download that was cut off, or is still going on"
            yield Finding(Code.PARTIAL, Severity.ERROR, message, self._fix("prune"), file=file.name)
        elif file.kind is FileKind.STRAY and file.takable:
            message = f"could be taken for a package, but {file.reason}"
            yield Finding(Code.STRAY, Severity.ERROR, message, self._fix("prune"), file=file.name)
        elif file.kind is FileKind.STRAY:
            message = "is no installer; it is left alone"
            yield Finding(Code.STRAY, Severity.INFO, message, self._fix("list"), file=file.name)

    def _about_installer(self, file: File, installer: InstallerName) -> Iterator[Finding]:
        token = installer.token
        verdict = self._verdict(file)
        if verdict.code is not None:
            mend = f"{self.about.sync} --package {token}" if token in self.selection.targets else "prune"
            strict = " --signatures require" if verdict.code in _MENDED_WHEN_REQUIRED else ""
            fix = self._fix(f"{mend}{strict}")
            yield Finding(verdict.code, verdict.severity, verdict.message, fix, token, file.name)
        if not self.catalog.known(token):
            yield self._unknown(file, installer)
        elif superseded(file, self.listing):
            newest = self.listing.by_token[token][0][0]
            message = f"an older installer of {token} lies beside {newest.text}"
            yield Finding(Code.DUPLICATE, Severity.ERROR, message, self._fix("prune"), token, file.name)
        elif self.about.classic and self.catalog.packages[token].modernized_only:
            message = f"{token} is supported by the modernized experience alone"
            yield Finding(Code.MODERNIZED_ONLY, Severity.WARNING, message, self._fix(f"show {token}"), token, file.name)
        server = self.about.server_release
        if server is not None and installer.release > server:
            message = f"release {installer.release} is newer than the server's own {server}"
            linked = any(link.token == token for link in self.catalog.links(server))
            fix = self._fix(f"sync --release {server} --package {token}" if linked else f"show {token}")
            yield Finding(Code.NEWER_THAN_SERVER, Severity.ERROR, message, fix, token, file.name)

    def _unknown(self, file: File, installer: InstallerName) -> Finding:
        nearest = self.catalog.nearest(installer.token)
        guess = f"; did somebody mean {nearest}?" if nearest else ""
        message = f"the catalog knows no package {installer.token}{guess}"
        if replaceable(installer, self.catalog):
            return Finding(
                Code.UNKNOWN_PACKAGE, Severity.ERROR, message, self._fix("prune"), installer.token, file.name
            )
        message += f"{'' if nearest else ';'} release {installer.release} is newer than the catalog, which may be old"
        return Finding(
            Code.UNKNOWN_PACKAGE, Severity.WARNING, message, self._fix("catalog show"), installer.token, file.name
        )

    def _about_releases(self) -> Iterator[Finding]:
        tokens: dict[Release, list[Token]] = defaultdict(list)
        for token, found in self.listing.by_token.items():
            if self.catalog.known(token):
                tokens[found[0][0].release].append(token)
        if len(tokens) > 1:
            kinds = "; ".join(f"{release}: {len(tokens[release])}" for release in sorted(tokens))
            message = f"the packages belong to {len(tokens)} releases ({kinds})"
            yield Finding(Code.MIXED_RELEASES, Severity.WARNING, message, self._fix(self._to_one_release(tokens)))
        for release in sorted(tokens):
            yield from self._about_release(release, ", ".join(tokens[release]))

    def _to_one_release(self, tokens: Mapping[Release, list[Token]]) -> str:
        """The command that brings all packages to the wanted release; advice where the catalog has no links for it."""
        wanted = self.selection.release
        others = [token for release in sorted(tokens) if release != wanted for token in tokens[release]]
        linked = {link.token for link in self.catalog.links(wanted)}
        if not linked.issuperset(others):
            return "advise"
        if self.selection.targets.keys() >= set(others) and not self.selection.limited and not self._blocked():
            return self.about.sync
        return f"{self.about.sync}{_options_of(others)}"

    def _about_release(self, release: Release, packages: str) -> Iterator[Finding]:
        fix = self._fix("advise")
        latest = self.catalog.latest
        standing = self.catalog.standing(release)
        rules = (
            (ReleaseStatus.WITHDRAWN, Code.WITHDRAWN_RELEASE, "was withdrawn"),
            (ReleaseStatus.VULNERABLE, Code.VULNERABLE_RELEASE, "is older than the security release of July 2022"),
            (ReleaseStatus.UNSUPPORTED, Code.UNSUPPORTED_RELEASE, f"is more than four releases behind {latest}"),
        )
        for standing_of, code, words in rules:
            if standing_of in standing:
                yield Finding(code, Severity.WARNING, f"release {release} {words}: {packages}", fix)
        if self.about.classic and ReleaseStatus.NOT_FOR_CLASSIC in standing:
            message = f"release {release} was published for the modernized experience alone: {packages}"
            yield Finding(Code.MODERNIZED_ONLY, Severity.WARNING, message, fix)

    def _about_second_folder(self) -> Iterator[Finding]:
        second = self.about.second
        if second is None:
            return
        here, there = (
            {file.name: file.entry.size_bytes for file in listing.files if file.kind is FileKind.INSTALLER}
            for listing in (self.listing, second)
        )
        for name in sorted(here.keys() | there.keys()):
            if here.get(name) == there.get(name):
                continue
            if name not in there:
                words = "is not in"
            elif name not in here:
                words = "lies only in"
            else:
                words = "has another size in"
            message = f"{words} the second folder {second.repository}"
            token = names.token_of(name)
            if token and token in self.catalog.packages and self.listing.newest(token) is None:
                message += ", which keeps it: the repository has no installer of this package"
                fix = self._fix(f"show {token}")
                yield Finding(Code.SECOND_FOLDER_DIFFERS, Severity.WARNING, message, fix, file=name)
                continue
            # Every change copies the repository to the second folder.
            fix = self._fix("prune" if self.selection.limited or self._blocked() else self.about.sync)
            yield Finding(Code.SECOND_FOLDER_DIFFERS, Severity.WARNING, message, fix, file=name)

    def _about_folder(self) -> Iterator[Finding]:
        if self.about.foreign:
            message = "the folder has other files and no trace of installers; it is hardly a repository"
            yield Finding(Code.NOT_A_REPOSITORY, Severity.ERROR, message, self._fix("doctor"))

        if self.about.exposed is not None and self.about.exposed.message:
            message = self.about.exposed.message
            yield Finding(Code.WRITABLE_BY_OTHERS, Severity.WARNING, message, self._fix("doctor"))

    def _about_service(self) -> Iterator[Finding]:
        if self.about.unseen_by is not None:
            message = f"the folder changed after {self.about.unseen_by!r} had started, and it looks there only then"
            yield Finding(Code.RESTART_PENDING, Severity.WARNING, message, self._fix("restart"))

    def _verdict(self, file: File) -> FileVerdict:
        if file.entry.size_bytes == 0:
            return FileVerdict(Code.CORRUPT, "is empty")
        return self.about.verdicts.get(file.name, _UNREAD)

    def _fix(self, command: str) -> str:
        return f"{self.about.command} {command}"


def _options_of(packages: Iterable[str]) -> str:
    return "".join(f" --package {token}" for token in packages)


_UNREAD: Final = FileVerdict()

# What `prune` retires.
_PRUNED: Final = frozenset(
    {
        Code.DUPLICATE,
        Code.STRAY,
        Code.PARTIAL,
        Code.CORRUPT,
        Code.MISLABELLED,
        Code.UNSIGNED,
        Code.TAMPERED,
        Code.OTHER_PUBLISHER,
        Code.UNKNOWN_PACKAGE,
    }
)

# What a plan leaves where it is, unless signatures are required.
_MENDED_WHEN_REQUIRED: Final = frozenset({Code.UNSIGNED, Code.OTHER_PUBLISHER})
