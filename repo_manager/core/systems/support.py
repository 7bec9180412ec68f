"""Which package serves which version of which system: the values into which a catalog is read."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from repo_manager.core.systems import vocabulary as known

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from repo_manager.core.names import Release, Token

ANY: Final = range(100_000)
"""Every number that a version can have."""

R2: Final = 2
_SPELLED: Final = re.compile(
    r"(?P<major>[0-9]{1,5})(?:\.(?P<minor>[0-9]{1,5})| SP(?P<pack>[0-9]{1,5})|(?P<r2> R2))?", re.ASCII
)
_SERVER_YEARS: Final = range(2003, 2100)


# These are named tuples, because `resolve` makes them each time it starts: a class of them takes a fifth of the time
# that a frozen dataclass takes.


class Family(StrEnum):
    """The two families of systems, which have different installers and shells."""

    WINDOWS = "Windows"
    LINUX = "Linux"


class Version(NamedTuple):
    """The version of a system. `minor` is the point release, the service pack or, for Windows, the 2 of R2."""

    major: int
    minor: int | None = None


class Serves(NamedTuple):
    """The versions of one system under one major number that one package serves.

    Attributes:
        token: the package.
        system: its title in the vocabulary.
        major: `7` of RHEL 7.9, `2008` of Server 2008 R2.
        minors: the point releases or service packs that it serves; `ANY` where it serves all of them.
        since: versions whose first release is known, with that release.
        modernized_from: from this minor on the modernized experience alone supports it; 0 for all of `minors`.
        uncertainty: why a version without minor leaves the answer open; empty where it does not.
        resolved_by: words that resolve the uncertainty, any of them.
        note: printed with the answer; may be empty.
        note_without_minor: printed too where the minor is missing; may be empty.
        evidence: keys of the catalog's sources.
    """

    token: Token
    system: str
    major: int
    minors: range = ANY
    since: tuple[tuple[Version, Release], ...] = ()
    modernized_from: int | None = None
    uncertainty: str = ""
    resolved_by: frozenset[str] = frozenset()
    note: str = ""
    note_without_minor: str = ""
    evidence: tuple[str, ...] = ()

    @property
    def versions(self) -> str:
        """Its versions as people write them: `7`, `10.0` or `8.0 to 8.10`."""
        if self.minors == ANY:
            return str(self.major)
        first = spelled(self.system, Version(self.major, self.minors[0]))
        last = f" to {spelled(self.system, Version(self.major, self.minors[-1]))}"
        return first + (last if len(self.minors) > 1 else "")

    @property
    def modernized_version(self) -> str | None:
        """The first version that the modernized experience alone supports, as people write it; None where none is."""
        if self.modernized_from is None:
            return None
        if self.minors == ANY and self.modernized_from == 0:
            return str(self.major)
        return spelled(self.system, Version(self.major, max(self.modernized_from, self.minors[0])))

    @property
    def label(self) -> str:
        """The system with its versions, as people write it."""
        return f"{_title(self.system, self.major)} {self.versions}"


class Exclusion(NamedTuple):
    """Words beside a system's name that leave it without a package."""

    words: frozenset[str]
    why: str
    majors: range = ANY


class SystemFacts(NamedTuple):
    """What belongs to a system.

    Attributes:
        family: Windows or Linux.
        settled_by: where a machine states its exact version.
        note: printed with each positive answer; may be empty.
        served_as: the system whose packages it shares; empty where it has its own.
        exclusions: words that leave it without a package.
        serves: the versions that have a package, in the order of the packages.
    """

    family: Family
    settled_by: str
    note: str = ""
    served_as: str = ""
    exclusions: tuple[Exclusion, ...] = ()
    serves: tuple[Serves, ...] = ()


# Not slotted: the tables below are made when they are first needed and kept.
@dataclass(frozen=True)
class Support:
    """All systems that have a package, by title, in the order of answers."""

    systems: Mapping[str, SystemFacts]

    @cached_property
    def order(self) -> Mapping[Token, int]:
        """Every package that an answer can name, with its place in the order of answers."""
        tokens = dict.fromkeys(each.token for facts in self.systems.values() for each in facts.serves)
        return {token: at for at, token in enumerate(tokens)}

    @cached_property
    def by_caseless_token(self) -> Mapping[str, Token]:
        """The packages by their names in lower case."""
        return {token.casefold(): token for token in self.order}

    def modernized_only(self, token: Token) -> bool:
        """Whether the modernized experience alone supports all that a package serves."""
        return modernized_only(
            [each for facts in self.systems.values() for each in facts.serves if each.token == token]
        )


def dumped(support: Support) -> list[Any]:
    """What answers need, as lists that JSON can hold; first releases are left out."""
    return [_dumped_system(title, facts) for title, facts in support.systems.items()]


def _dumped_system(title: str, facts: SystemFacts) -> list[Any]:
    excluded = [[sorted(each.words), each.why, each.majors.start, each.majors.stop] for each in facts.exclusions]
    serves = [_dumped_entry(each) for each in facts.serves]
    return [title, facts.family, facts.settled_by, facts.note, facts.served_as, excluded, serves]


def _dumped_entry(each: Serves) -> list[Any]:
    what = [each.token, each.system, each.major, each.minors.start, each.minors.stop, each.modernized_from]
    return [*what, each.uncertainty, sorted(each.resolved_by), each.note, each.note_without_minor, each.evidence]


def loaded(items: list[Any]) -> Support:
    """The support that was dumped."""
    systems = {}
    for title, family, settled_by, note, served_as, exclusions, serves in items:
        excluded = tuple([Exclusion(frozenset(words), why, range(*majors)) for words, why, *majors in exclusions])
        entries = tuple([_loaded_entry(each) for each in serves])
        systems[title] = SystemFacts(Family(family), settled_by, note, served_as, excluded, entries)
    return Support(systems)


def _loaded_entry(item: list[Any]) -> Serves:
    token, system, major, first, stop, modernized_from, uncertainty, resolved_by, note, without_minor, evidence = item
    return Serves(
        token,
        system,
        major,
        range(first, stop),
        (),
        modernized_from,
        uncertainty,
        frozenset(resolved_by),
        note,
        without_minor,
        tuple(evidence),
    )


def modernized_only(serves: Sequence[Serves]) -> bool:
    """Whether the modernized experience alone supports all of these; False where there are none."""
    return bool(serves) and all(each.modernized_from == 0 for each in serves)


def spelled(system: str, version: Version) -> str:
    """A version as people write it: `7.9`, `12 SP5`, `22.04`, `2012 R2`."""
    if version.minor is None:
        return str(version.major)
    if system in {known.SLES, known.SLED}:
        return f"{version.major} SP{version.minor}"
    if system == known.UBUNTU:
        return f"{version.major}.{version.minor:02}"
    if system == known.WINDOWS_SYSTEM and version.minor == R2 and version.major in _SERVER_YEARS:
        return f"{version.major} R2"
    return f"{version.major}.{version.minor}"


def parse_version(text: str) -> Version | None:
    """The version that a text spells for some system; None where it is something else."""
    match = _SPELLED.fullmatch(text)
    if match is None:
        return None
    pack, minor = match["pack"], match["minor"]
    return Version(int(match["major"]), int(pack or minor) if pack or minor else R2 if match["r2"] else None)


def label(system: str, version: Version) -> str:
    """A system with its version, as people write it."""
    return f"{_title(system, version.major)} {spelled(system, version)}"


def _title(system: str, major: int) -> str:
    return "Windows Server" if system == known.WINDOWS_SYSTEM and major in _SERVER_YEARS else system
