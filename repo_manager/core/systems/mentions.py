"""From words to the systems they name and the versions that follow the names.

In the words every known name opens a mention that runs to the next name:

    suse linux enterprise server  12 sp 5  or later
    name________________________  version  reach
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from repo_manager.core.systems import vocabulary as known
from repo_manager.core.systems.lexing import RANGE, words_of
from repo_manager.core.systems.support import Version

_NUMBER_LENGTH: Final = 5
# A year belongs to Windows alone; elsewhere a number like 1908 is a build or a date.
_LARGEST_MAJOR: Final = 99
_SEPARATORS: Final = frozenset({"/", ",", "&", "or", "and", "ou", "et", "und", "oder", "to", RANGE})
_SERVICE_PACK: Final = (("service", "pack"), ("sp",), ("patchlevel",), ("update",), ("u",))
_OPEN_UP: Final = frozenset({"later", "newer", "above", "higher", "up", "onwards", "onward"})
_OPEN_DOWN: Final = frozenset({"older", "earlier", "below", "lower"})


class SystemMention(NamedTuple):
    """A system as it is named in a query.

    Attributes:
        system: a title of the vocabulary.
        versions: as listed; empty where none is told.
        marks: words around the name that may change the answer, such as `stream`.
        reach: +1 for "or later", -1 for "or older", 0 for exactly these.
    """

    system: str
    versions: tuple[Version, ...] = ()
    marks: frozenset[str] = frozenset()
    reach: int = 0


class _Name(NamedTuple):
    words: tuple[str, ...]
    system: str
    terse: bool


def _index() -> dict[str, list[_Name]]:
    """All names by their first word, the longest first."""
    tables: tuple[tuple[Mapping[str, tuple[str, ...]], bool], ...] = (
        (known.NAMES, False), (known.OTHERS, False), (known.TERSE_NAMES, True),
    )  # fmt: skip
    index: dict[str, list[_Name]] = {}
    for table, terse in tables:
        for system, phrases in table.items():
            for phrase in phrases:
                words = tuple(words_of(phrase))
                index.setdefault(words[0], []).append(_Name(words, system, terse))
    for names in index.values():
        names.sort(key=lambda name: -len(name.words))
    return index


_NAMES: Final = _index()


def _name_at(words: Sequence[str], at: int) -> _Name | None:
    for name in _NAMES.get(words[at], ()):
        end = at + len(name.words)
        if tuple(words[at:end]) == name.words and (not name.terse or _opens_version(words, end)):
            return name
    return None


def _opens_version(words: Sequence[str], at: int) -> bool:
    """Whether a release follows at once; `Oracle 19c` is a database."""
    return number_at(words, at) is not None and words[at + 1 : at + 2] not in (["c"], ["g"], ["i"])


def _names(words: Sequence[str]) -> list[tuple[int, _Name]]:
    found = []
    at = 0
    while at < len(words):
        name = _name_at(words, at)
        if name is not None:
            found.append((at, name))
        at += len(name.words) if name is not None else 1
    return found


def mentions_in(words: Sequence[str]) -> list[SystemMention]:
    """Every system that is named, in the order of the words; a release's name alone counts as one.

    A name without version borrows that of the name right after it, as in `RHEL/CentOS 7`.
    """
    names = _names(words)
    ends = [*(at for at, _ in names[1:]), len(words)][: len(names)]
    mentions: list[SystemMention] = []
    following: SystemMention | None = None
    for (at, name), end in zip(reversed(names), reversed(ends), strict=True):
        segment = words[at + len(name.words) : end]
        mention = _mention(name, segment)
        if not mention.versions and following is not None and _only_joins(segment):
            mention = mention._replace(versions=following.versions, reach=following.reach)
        mentions.append(mention)
        following = mention
    return mentions[::-1] or _codename_alone(words)


def _only_joins(segment: Sequence[str]) -> bool:
    return all(word in known.FILLERS or word in _SEPARATORS for word in segment)


def _mention(name: _Name, segment: Sequence[str]) -> SystemMention:
    lead = next((at for at, word in enumerate(segment) if word not in known.FILLERS), len(segment))
    versions, end = _versions(name.system, segment, lead)
    marks = frozenset(name.words) | frozenset(segment[:lead]) | (known.TAIL_MARKS & frozenset(segment))
    versions += _codename_versions(name.system, segment, versions)
    return SystemMention(name.system, tuple(dict.fromkeys(versions)), marks, _reach(segment, end))


def _codename_versions(system: str, segment: Sequence[str], versions: Sequence[Version]) -> list[Version]:
    """The releases whose names stand beside the system and that the numbers do not name already."""
    codenames = known.CODENAMES.get(system, {})
    named = [Version(*codenames[word]) for word in segment if word in codenames]
    return [version for version in named if not any(_refines(told, version) for told in versions)]


def _refines(fine: Version, coarse: Version) -> bool:
    return fine.major == coarse.major and coarse.minor in {None, fine.minor}


def _versions(system: str, words: Sequence[str], at: int) -> tuple[list[Version], int]:
    """The list of versions that begins at `at`, and where it ends."""
    versions: list[Version] = []
    while (told := _version(system, words, at)) is not None:
        version, end = told
        if versions and words[at - 1] in {RANGE, "to"} and version.major <= _LARGEST_MAJOR:
            versions.extend(Version(major) for major in range(versions[-1].major + 1, version.major))
        versions.append(version)
        at, more = _more_service_packs(version, words, end)
        versions.extend(more)
        if not (at < len(words) and words[at] in _SEPARATORS and _continues(words, end - 1, at)):
            break
        at += 1
    return versions, at


def _continues(words: Sequence[str], last: int, separator: int) -> bool:
    """Whether a list goes on behind a separator. A comma also ends phrases, so the shapes must agree."""
    if separator + 1 >= len(words) or not words[separator + 1][0].isdecimal():
        return False
    previous = next((words[at] for at in range(last, -1, -1) if words[at][0].isdecimal()), "")
    return words[separator] != "," or _shape(words[separator + 1]) == _shape(previous) or words[last] == "r2"


def _shape(number: str) -> tuple[int, bool]:
    return number.count("."), len(number) == len("2019")


def _version(system: str, words: Sequence[str], at: int) -> tuple[Version, int] | None:
    number = number_at(words, at)
    if number is None:
        return None
    version = _compact(system, number)
    windows = system == known.WINDOWS_SYSTEM
    if version.major > _LARGEST_MAJOR and not windows:
        return None
    at += 1
    if windows and words[at : at + 1] == ["r2"]:
        return version._replace(minor=2), _service_pack(words, at + 1)[1]
    pack, end = _service_pack(words, at)
    if pack is not None and version.minor is None and not windows:
        version = version._replace(minor=pack)
    return version, end


def _compact(system: str, version: Version) -> Version:
    """Ubuntu's releases are also written without the dot: `ubuntu2204`."""
    if system == known.UBUNTU and version.minor is None and version.major > _LARGEST_MAJOR:
        return Version(*divmod(version.major, 100))
    return version


def _service_pack(words: Sequence[str], at: int) -> tuple[int | None, int]:
    """The number of the service pack or update at `at`, and where its words end."""
    for phrase in _SERVICE_PACK:
        end = at + len(phrase)
        if tuple(words[at:end]) == phrase:
            pack = number_at(words, end)
            if pack is not None and pack.minor is None:
                return pack.major, end + 1
    return None, at


def _more_service_packs(version: Version, words: Sequence[str], at: int) -> tuple[int, list[Version]]:
    """The packs of a list such as `12 SP1, SP2, SP3`."""
    more: list[Version] = []
    while at < len(words) and words[at] in _SEPARATORS:
        pack, end = _service_pack(words, at + 1)
        if pack is None:
            break
        more.append(version._replace(minor=pack))
        at = end
    return at, more


def _reach(segment: Sequence[str], at: int) -> int:
    rest = list(segment[at : at + 2])
    if rest[:1] == ["+"] or (rest[:1] in (["or"], ["and"]) and rest[1:] and rest[1] in _OPEN_UP):
        return 1
    return -1 if rest[:1] in (["or"], ["and"]) and rest[1:] and rest[1] in _OPEN_DOWN else 0


def number_at(words: Sequence[str], at: int) -> Version | None:
    """The word at `at` as a version of one or two numbers; later numbers are builds."""
    if at >= len(words) or not words[at][:1].isdecimal():
        return None
    parts = words[at].split(".")[:2]
    if any(len(part) > _NUMBER_LENGTH for part in parts) or not parts[0].isdecimal():
        return None
    minor = int(parts[1]) if parts[1:] and parts[1].isdecimal() else None
    return Version(int(parts[0]), minor)


def _codename_alone(words: Sequence[str]) -> list[SystemMention]:
    if not words or not known.CODENAME_PARTNERS.issuperset(words[1:]):
        return []
    return [
        SystemMention(system, (Version(*codenames[words[0]]),), known.TAIL_MARKS & frozenset(words))
        for system, codenames in known.CODENAMES.items()
        if words[0] in codenames and system != known.WINDOWS_SYSTEM
    ]


def merge(mentions: Iterable[SystemMention]) -> list[SystemMention]:
    """One mention for each system. What is told more exactly elsewhere in the text is dropped."""
    merged: dict[str, SystemMention] = {}
    for new in mentions:
        old = merged.get(new.system, SystemMention(new.system))
        versions = tuple(dict.fromkeys(old.versions + new.versions))
        merged[new.system] = SystemMention(new.system, versions, old.marks | new.marks, old.reach or new.reach)
    return [mention._replace(versions=_most_exact(mention.versions)) for mention in merged.values()]


def _most_exact(versions: tuple[Version, ...]) -> tuple[Version, ...]:
    told = {version.major for version in versions if version.minor is not None}
    return tuple(version for version in versions if version.minor is not None or version.major not in told)
