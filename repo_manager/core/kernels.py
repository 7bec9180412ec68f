"""Kernels as `uname -r` prints them, and the list of those that an installer supports.

    5.15.0-100-generic          4.12.14-5.13-azure:0
    version_-build-flavour      version-build-flavour:patch level

Lists of machines have more around them: all that `uname -a` prints, the name of a file in /boot, the architecture.

Evidence: an installer's `supported_kernels` has a kernel on each line, with a patch level after a colon for SUSE; it is
empty for the Red Hat and Oracle families, and then says nothing. A running machine never prints the patch level.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from repo_manager.core.names import Token

_KERNEL: Final = re.compile(
    r"(?P<version>[0-9]{1,9}(?:\.[0-9]{1,9}){1,4})"
    r"-(?P<build>[0-9][0-9A-Za-z.~+]{0,40}(?:-[0-9][0-9A-Za-z.~+]{0,40}){0,3})"
    r"(?:-(?P<flavour>[A-Za-z][0-9A-Za-z_.\-]{0,60}))?",
    re.ASCII,
)
_BEFORE: Final = re.compile(
    r"(?:.*/)?(?:(?:vmlinu[xz]|initrd(?:\.img)?|initramfs|linux-image(?:-unsigned)?|kernel)-)?", re.IGNORECASE
)
_ARCHITECTURE: Final = re.compile(
    r"(?:[._](?:x86_64|amd64|aarch64|arm64|i[3-6]86|ppc64(?:le)?|s390x))+\Z", re.IGNORECASE
)
_VERSION: Final = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,9}){1,4}(?![0-9A-Za-z.])\S*", re.ASCII)
_WITH_LISTS: Final = re.compile("ubuntu|debian|suse|sles", re.IGNORECASE)
_NOT_SAID: Final = frozenset({"-", "--", "?", "n/a", "na", "none", "null", "unknown", "not available"})
_LONGEST: Final = 200
_NUMBER: Final = re.compile(r"[0-9]{1,9}")
_LISTED: Final = ("UBUNTU", "DEBIAN", "SLES")


@dataclass(frozen=True, slots=True)
class Kernel:
    """One kernel. `order` are its numbers, version before build; comparing two makes sense within a flavour."""

    text: str
    order: tuple[tuple[int, ...], tuple[int, ...]]
    flavour: str

    def __str__(self) -> str:
        return self.text


def parse(text: str) -> Kernel | None:
    """The kernel that a text names, without its patch level and architecture; None where it names none.

    What has no flavour is none either: it was cut off, or is of a system whose installers list no kernels.
    """
    return next(filter(None, map(_of_word, text.split())), None)


def _of_word(word: str) -> Kernel | None:
    match = _KERNEL.fullmatch(_bare(word))
    # Debian once had 3.16.0-4-586, whose flavour is a number.
    if match is None or (match["flavour"] is None and "-" not in match["build"]):
        return None
    flavour = (match["flavour"] or "").lower()
    text = f"{match['version']}-{match['build']}{'-' if flavour else ''}{flavour}"
    return Kernel(text, (_numbers(match["version"]), _numbers(match["build"])), flavour)


def _bare(word: str) -> str:
    """The word without what stands around a kernel."""
    before = _BEFORE.match(word)
    bare = word[before.end() if before else 0 :].partition(":")[0]
    return _ARCHITECTURE.sub("", bare) if len(bare) < _LONGEST else bare


def told(cell: str, system: str) -> tuple[str | None, str]:
    """The kernel that a list of machines names for a system, None where it names none; and what is to be said of it.

    Nothing is said of systems whose installers list no kernels: those are not compared.
    """
    kernel = parse(cell)
    if kernel is not None:
        return kernel.text, ""
    version = next((word for word in cell.split() if _VERSION.fullmatch(_bare(word))), None)
    if cell.strip().casefold() in _NOT_SAID or not _WITH_LISTS.search(system):
        return version, ""
    if version is None:
        return None, "is no kernel as uname -r prints it; the machine is judged without one"
    if _bare(version).replace("-", "").replace(".", "").isdigit():
        return version, "has no flavour such as generic, so nobody can say whether an installer supports this kernel"
    return version, "is a kernel that was built by hand or is cut off, which cannot be compared with any list"


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(digits) for digits in _NUMBER.findall(text))


def listed(package: Token) -> bool:
    """Whether installers of the package list the kernels they support: those of Ubuntu, Debian and SUSE do."""
    return package.startswith(_LISTED)


class Supported:
    """The kernels that one installer supports. Falsy where its list says nothing."""

    def __init__(self, lines: Iterable[str]) -> None:
        kernels = {kernel.text: kernel for kernel in map(parse, lines) if kernel is not None}
        self._texts = frozenset(kernels)
        self._by_flavour: dict[str, list[Kernel]] = {}
        for kernel in sorted(kernels.values(), key=lambda kernel: (kernel.order, kernel.text)):
            self._by_flavour.setdefault(kernel.flavour, []).append(kernel)

    def __bool__(self) -> bool:
        return bool(self._texts)

    def __contains__(self, kernel: Kernel) -> bool:
        return kernel.text in self._texts

    @property
    def flavours(self) -> tuple[str, ...]:
        """Those that the list has a kernel of."""
        return tuple(sorted(self._by_flavour))

    def newest_of_series(self, kernel: Kernel) -> Kernel | None:
        """Of any flavour the newest of the same series, such as 5.15; None where there is none."""
        series = kernel.order[0][:2]
        same = [known for kernels in self._by_flavour.values() for known in kernels if known.order[0][:2] == series]
        return max(same, key=lambda known: known.order, default=None)

    def closest(self, kernel: Kernel) -> Kernel | None:
        """Of the same flavour the newest that is not newer, else the oldest; None where the flavour has none."""
        same = self._by_flavour.get(kernel.flavour)
        if not same:
            return None
        older = [known for known in same if known.order <= kernel.order]
        return older[-1] if older else same[0]
