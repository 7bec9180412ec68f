"""Kernels as `uname -r` prints them, and the list of those that an installer supports.

    5.15.0-100-generic          4.12.14-5.13-azure:0
    version_-build-flavour      version-build-flavour:patch level

Evidence: an installer's `supported_kernels` has a kernel on each line, with a patch level after a colon for SUSE; it is
empty for the Red Hat and Oracle families, and then says nothing. A running machine never prints the patch level.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from repo_manager.names import Token

_KERNEL: Final = re.compile(
    r"(?P<version>[0-9]{1,9}(?:\.[0-9]{1,9}){1,4})"
    r"-(?P<build>[0-9][0-9A-Za-z.~+]{0,40}(?:-[0-9][0-9A-Za-z.~+]{0,40}){0,3})"
    r"(?:-(?P<flavour>[A-Za-z][0-9A-Za-z_.\-]{0,60}))?",
    re.ASCII,
)
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
    """A kernel, without its patch level; None for any other text, such as one that was cut off."""
    bare = text.strip().partition(":")[0]
    match = _KERNEL.fullmatch(bare)
    if match is None:
        return None
    return Kernel(bare, (_numbers(match["version"]), _numbers(match["build"])), match["flavour"] or "")


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

    def closest(self, kernel: Kernel) -> Kernel | None:
        """Of the same flavour the newest that is not newer, else the oldest; None where the flavour has none."""
        same = self._by_flavour.get(kernel.flavour)
        if not same:
            return None
        older = [known for known in same if known.order <= kernel.order]
        return older[-1] if older else same[0]
