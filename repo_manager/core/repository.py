"""What lies in a folder, as a value: which files are installers, and which are something else.

A scan (`adapters.filesystem`) hands over entries; `survey` says of each what it is. Nothing here judges
whether a file should be there: that is `audit`'s.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from repo_manager.core import names
from repo_manager.core.names import InvalidNameError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from repo_manager.core.names import InstallerName, Token

# Evidence: public build scripts of 2022 put these helpers of the push beside the agents.
_PUSH_CLIENT: Final = re.compile(r"[A-Za-z0-9.\-]+_pushinstallclient\.tar\.gz", re.ASCII | re.IGNORECASE)

# What somebody, or the push service, could take for a package: a name with the product's prefix, or
# with something of a token's shape, be it a package's or not (CENTOS7-64 is none). `Windows` is an
# everyday word, so it counts only as a whole field between underscores.
_LOOKALIKE: Final = re.compile(
    r"microsoft-asr|inmage_ua|_windows_"
    r"|(?<![a-z0-9])(?:rhel|centos|ol|oel|sles|ubuntu|debian)-?[0-9][0-9a-z.]*(?:-sp[0-9])?-(?:64|32)(?![a-z0-9])",
    re.ASCII | re.IGNORECASE,
)

# What browsers, copy tools and download managers append while a file is not whole yet.
_UNFINISHED: Final = (
    ".part",
    ".partial",
    ".crdownload",
    ".download",
    ".filepart",
    ".opdownload",
    ".aria2",
    ".tmp",
    ".temp",
    ".!ut",
    ".incomplete",
)


class FileKind(StrEnum):
    """What a file in the repository is."""

    INSTALLER = "installer"
    PUSH_CLIENT = "push-client"
    PARTIAL = "partial"
    STRAY = "stray"


@dataclass(frozen=True, slots=True)
class FolderEntry:
    """One file as a scan saw it.

    `stamp` changes whenever the file system says that the bytes may have: modification time, change
    time and file id. `regular` is false for links and devices, which are never
    followed or read.
    """

    name: str
    size_bytes: int
    stamp: tuple[int, int, int] = (0, 0, 0)
    regular: bool = True

    @property
    def file_id(self) -> int:
        """The same for all names of one file, on one volume."""
        return self.stamp[2]

    @property
    def has_change_time(self) -> bool:
        """Whether the stamp has a time of change, which programs cannot set. It is 0 where the file system has none."""
        return self.stamp[1] != 0


@dataclass(frozen=True, slots=True)
class File:
    """An entry and what it is.

    `installer` is set for installers alone. `takable` says of anything else whether somebody, or
    the push service, could take it for a package: its name carries a package token or the
    product's prefix.
    """

    entry: FolderEntry
    kind: FileKind
    installer: InstallerName | None = None
    takable: bool = False
    reason: str = ""

    @property
    def name(self) -> str:
        """The file's name."""
        return self.entry.name


@dataclass(frozen=True, slots=True)
class Listing:
    """What one scan of the repository saw, sorted by name. May be empty."""

    repository: str
    files: tuple[File, ...]
    by_token: Mapping[Token, tuple[tuple[InstallerName, File], ...]]
    """The installers of each package, newest first, at least one each."""
    by_folded_name: Mapping[str, tuple[File, ...]]
    """The files by name without regard to case, at least one each."""

    @property
    def installers(self) -> tuple[File, ...]:
        """The installers, also those of packages that the catalog does not know."""
        return tuple(file for file in self.files if file.installer is not None)

    def newest(self, token: Token) -> InstallerName | None:
        """The newest installer of a package, None when there is none."""
        found = self.by_token.get(token)
        return found[0][0] if found else None

    def find(self, name: str) -> File | None:
        """The file of that name, or else of one that differs in case alone: to Windows it is the same."""
        found = self.by_folded_name.get(name.casefold(), ())
        return next((file for file in found if file.name == name), found[0] if found else None)


def survey(repository: str, entries: Iterable[FolderEntry]) -> Listing:
    """Say of every entry what it is."""
    files = sorted(map(_classify, entries), key=lambda file: file.name)
    by_token: dict[Token, list[tuple[InstallerName, File]]] = defaultdict(list)
    for file in files:
        if file.installer is not None:
            by_token[file.installer.token].append((file.installer, file))
    for found in by_token.values():
        found.sort(key=lambda pair: pair[0].order, reverse=True)
    newest_first = {token: tuple(found) for token, found in sorted(by_token.items())}
    folded: dict[str, tuple[File, ...]] = {}
    for file in files:
        key = file.name.casefold()
        folded[key] = (*folded.get(key, ()), file)
    return Listing(repository, tuple(files), MappingProxyType(newest_first), MappingProxyType(folded))


def _classify(entry: FolderEntry) -> File:
    name = entry.name
    try:
        installer = names.parse(name)
    except InvalidNameError as error:
        reason = error.reason
    else:
        if entry.regular:
            return File(entry, FileKind.INSTALLER, installer)
        return File(entry, FileKind.STRAY, takable=True, reason="is a link or a device, not a file")
    if _PUSH_CLIENT.fullmatch(name) is not None:
        return File(entry, FileKind.PUSH_CLIENT)
    takable = _LOOKALIKE.search(name) is not None
    if takable and name.lower().endswith(_UNFINISHED):
        return File(entry, FileKind.PARTIAL, takable=True, reason="is a file that is not whole yet")
    return File(entry, FileKind.STRAY, takable=takable, reason=reason)
