"""Which package serves which release. Data only.

Evidence: the vendor's public detection script (Azure/Azure-SiteRecovery, MobilityAgent/OS_details.sh,
June 2026) for what gets a package; the support matrices of August 2025 and April 2026 for what the
modernized experience alone supports.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from repo_manager.core.names import WINDOWS, Token
from repo_manager.core.systems import vocabulary as known

ANY: Final = range(100_000)
R2: Final = 2


@dataclass(frozen=True, slots=True)
class Line:
    """The releases of one system under one major number that one package serves.

    Attributes:
        major: `7` of RHEL 7.9, `2008` of Server 2008 R2.
        token: the package.
        minors: the point releases or service packs that it serves.
        doubt: why a missing minor leaves the answer open; empty where it does not.
        settled_by: marks that settle it without a minor, any of them.
        modernized_from: the first minor that the modernized experience alone supports.
        note: what to tell with the answer; may be empty.
        bare_note: what to tell besides where the minor is missing; may be empty.
    """

    major: int
    token: Token
    minors: range = ANY
    doubt: str = ""
    settled_by: frozenset[str] = frozenset()
    modernized_from: int | None = None
    note: str = ""
    bare_note: str = ""


def _line(major: int, token: str, minors: range = ANY, doubt: str = "", modernized_from: int | None = None) -> Line:
    return Line(major, Token(token), minors, doubt, modernized_from=modernized_from)


_ONLY_10_0: Final = "the official detection takes 10.0 alone"
_OR_STREAM: Final = "CentOS Linux has a package and CentOS Stream has none"
_FIVE_FROM_2: Final = "5.0 and 5.1 have no package"
_NO_MATRIX: Final = "accepted by the official detection, promised by no support matrix"

# The last point releases of 6, 7 and 8 are out, so their ranges are closed.
_RED_HAT: Final = (
    replace(_line(5, "RHEL5-64", range(2, 12)), bare_note=_FIVE_FROM_2),
    _line(6, "RHEL6-64", range(11)),
    _line(7, "RHEL7-64", range(10)),
    _line(8, "RHEL8-64", range(11), modernized_from=9),
    _line(9, "RHEL9-64", range(9), modernized_from=0),
    _line(10, "RHEL10-64", range(1), _ONLY_10_0, modernized_from=0),
)
_REBUILDS: Final = tuple(replace(line, modernized_from=0) for line in _RED_HAT if line.major >= 8)  # noqa: PLR2004 - Rocky and AlmaLinux begin at 8
_LINUX_WORD: Final = frozenset({"linux", "centoslinux"})
# CentOS Linux ended with 8.5; the official detection has a pattern for a 9 that never came.
_CENTOS_BESIDE_STREAM: Final = tuple(
    Line(major, Token(f"RHEL{major}-64"), minors, _OR_STREAM, _LINUX_WORD, modernized_from)
    for major, minors, modernized_from in ((8, range(6), None), (9, range(9), 0))
)
_SLES: Final = (
    _line(11, "SLES11-SP3-64", range(3, 4), "SP3 and SP4 have a package each, earlier ones have none"),
    _line(11, "SLES11-SP4-64", range(4, 5), "SP3 and SP4 have a package each, earlier ones have none"),
    _line(12, "SLES12-64"),
    _line(15, "SLES15-64", modernized_from=5),
)
_HAS_ALSO_INTERIM: Final = "the interim releases of that year have no package"


def _ubuntu(major: int, modernized_from: int | None = None) -> Line:
    line = _line(major, f"UBUNTU-{major}.04-64", range(4, 5), _HAS_ALSO_INTERIM, modernized_from)
    return replace(line, settled_by=frozenset({"lts", *_codenames(major)}))


def _codenames(major: int) -> Iterable[str]:
    return (name for name, version in known.CODENAMES[known.UBUNTU].items() if version == (major, 4))


def _windows(major: int, minors: range = ANY, doubt: str = "", note: str = "") -> Line:
    return Line(major, WINDOWS, minors, doubt, note=note)


_NEEDS_SP1: Final = "supported from Service Pack 1 on"
_MIGRATION: Final = "Windows Server 2008 before R2 can be migrated and not protected"
_SEMI_ANNUAL: Final = "no support matrix names the semi-annual releases"

LINES: Final[dict[str, tuple[Line, ...]]] = {
    known.RED_HAT: _RED_HAT,
    known.CENTOS: (*_RED_HAT[:3], *_CENTOS_BESIDE_STREAM),
    known.ROCKY: _REBUILDS,
    known.ALMA: _REBUILDS,
    known.ORACLE: (
        _line(6, "OL6-64", range(4, 11), "6.0 to 6.3 have no package"),
        _line(7, "OL7-64", range(10)),
        _line(8, "OL8-64", range(11), modernized_from=9),
        _line(9, "OL9-64", range(7), modernized_from=0),
        _line(10, "OL10-64", range(1), _ONLY_10_0, modernized_from=0),
    ),
    known.SLES: _SLES,
    # The script finds 11 and 12 in SuSE-release, which a desktop has too, and 15 by the word SLES.
    known.SLED: tuple(replace(line, note=f"SUSE desktops: {_NO_MATRIX}") for line in _SLES[:-1]),
    known.OPENSUSE: (replace(_line(15, "SLES15-64"), note=f"openSUSE Leap 15: {_NO_MATRIX}"),),
    known.UBUNTU: (
        *map(_ubuntu, (14, 16, 18, 20)),
        _ubuntu(22, modernized_from=0),
        _ubuntu(24, modernized_from=0),
    ),
    known.DEBIAN: (
        _line(7, "DEBIAN7-64"),
        _line(8, "DEBIAN8-64"),
        # The system's own files and the vendor's table say "Debian 9" and no more, and the official
        # detection takes it; a configured guest type is only what somebody once chose.
        Line(
            9, Token("DEBIAN9-64"), range(1, 14), "9.0 has no package", frozenset({known.UNCONFIGURED}),
            bare_note="9.0 is excluded; /etc/debian_version shows the point release",
        ),
        _line(10, "DEBIAN10-64"),
        _line(11, "DEBIAN11-64"),
        _line(12, "DEBIAN12-64", modernized_from=0),
    ),
    known.WINDOWS_SYSTEM: (
        # The numbers of the kernel, as `ver` and Windows NT print them.
        _windows(6, range(1, 4), "6.0 has no package", f"6.1 is {_NEEDS_SP1}"),
        _windows(7, note=f"Windows 7 is {_NEEDS_SP1}"),
        *map(_windows, (8, 10, 11)),
        _windows(2008, range(R2, R2 + 1), _MIGRATION, f"Windows Server 2008 R2 is {_NEEDS_SP1}"),
        _windows(2011, note="Small Business Server 2011 is built on Windows Server 2008 R2"),
        *map(_windows, (2012, 2016, 2019, 2022, 2025)),
        *(_windows(major, range(0), _SEMI_ANNUAL) for major in (1709, 1803, 1809, 1903, 1909, 2004)),
    ),
}  # fmt: skip
"""Every release that has a package, by system; in the vendor's order."""
LINES[known.RED_HAT_LINUX] = LINES[known.RED_HAT]

TOKENS: Final = frozenset(line.token for lines in LINES.values() for line in lines)
"""Every package an answer can name."""

MODERNIZED_TOKENS: Final = frozenset(
    line.token for line in (*LINES[known.RED_HAT], *LINES[known.ORACLE], *LINES[known.UBUNTU], *LINES[known.DEBIAN])
    if line.modernized_from == 0
)  # fmt: skip
"""The packages all of whose systems the modernized experience alone supports."""


@dataclass(frozen=True, slots=True)
class Exclusion:
    """Marks that leave a system without package, or without the vendor's promise."""

    system: str
    marks: frozenset[str]
    why: str
    majors: range = ANY


_OLD_WORDING: Final = frozenset({"client", "computenode", "desktop"})
EXCLUSIONS: Final = (
    Exclusion(known.CENTOS, frozenset({"stream", "centosstream"}), "CentOS Stream has no package"),
    Exclusion(
        known.RED_HAT, _OLD_WORDING, "up to 7 the official detection takes Server and Workstation alone", range(8)
    ),
    Exclusion(known.OPENSUSE, frozenset({"tumbleweed", "microos"}), "of openSUSE only Leap 15 has a package"),
    Exclusion(known.DEBIAN, frozenset({"sid", "testing", "unstable"}), (
        "Debian testing and unstable have no package (Ubuntu has such a debian_version too: see its /etc/lsb-release)"
    )),
    Exclusion(known.WINDOWS_SYSTEM, frozenset({"rtm"}), "Service Pack 1 is needed", range(7, 8)),
    Exclusion(known.WINDOWS_SYSTEM, frozenset({"rtm"}), "Service Pack 1 is needed", range(2008, 2009)),
    Exclusion(known.WINDOWS_SYSTEM, frozenset({"insider"}), "previews of Windows are not supported"),
)  # fmt: skip

SETTLED_BY: Final = {
    known.RED_HAT: "the line in /etc/redhat-release",
    known.RED_HAT_LINUX: "the line in /etc/redhat-release",
    known.CENTOS: "the line in /etc/redhat-release",
    known.ROCKY: "the line in /etc/redhat-release",
    known.ALMA: "the line in /etc/redhat-release",
    known.ORACLE: "the line in /etc/oracle-release",
    known.SLES: "/etc/SuSE-release or /etc/os-release with the service pack",
    known.SLED: "/etc/SuSE-release or /etc/os-release with the service pack",
    known.OPENSUSE: "the text of /etc/os-release",
    known.UBUNTU: "the release in /etc/lsb-release",
    known.DEBIAN: "the number in /etc/debian_version",
    known.WINDOWS_SYSTEM: "the full name that winver or systeminfo shows",
}
