"""From anybody's words to systems and versions, without judging them.

    "SUSE Linux Enterprise Server 12-SP5 (x86_64)"
     name_________________________ version  width

A query is cleaned, its bits are taken out, the rest becomes words, and in the words every known
name opens a mention that runs to the next name. Release files and other several-line texts are
read line by line and then put together. Everything here is linear in the length of the text.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Final

from repo_manager.systems import vocabulary as known

UNCONFIGURED: Final = "unconfigured"
"""The mark of words that are not the guest type somebody chose when the machine was created."""

_ID_LENGTH: Final = 80
_NUMBER_LENGTH: Final = 5
# A year belongs to Windows alone; elsewhere a number like 1908 is a build or a date.
_LARGEST_MAJOR: Final = 99
_RANGE: Final = "~"
_SEPARATORS: Final = frozenset({"/", ",", "&", "or", "and", "ou", "et", "und", "oder", "to", _RANGE})
_SERVICE_PACK: Final = (("service", "pack"), ("sp",), ("patchlevel",), ("update",), ("u",))
_OPEN_UP: Final = frozenset({"later", "newer", "above", "higher", "up", "onwards", "onward"})
_OPEN_DOWN: Final = frozenset({"older", "earlier", "below", "lower"})


class Width(Enum):
    """The processor a query speaks of."""

    UNSAID = "unsaid"
    X64 = "64-bit x86"
    X86 = "32-bit"
    FOREIGN = "not x86"
    CONFLICT = "contradictory"


@dataclass(frozen=True, slots=True)
class Version:
    """A release. `minor` is the point release, the service pack or, for Windows, the 2 of R2."""

    major: int
    minor: int | None = None


@dataclass(frozen=True, slots=True)
class Mention:
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


@dataclass(frozen=True, slots=True)
class Reading:
    """What a query says.

    Attributes:
        mentions: at most one for each system, in the order of the text.
        width: of the processor.
        bare: the version where a text is a version and nothing else, as in `/etc/debian_version`.
        generic: whether the words name a kind of system ("Other Linux") and not which.
    """

    mentions: tuple[Mention, ...] = ()
    width: Width = Width.UNSAID
    bare: Version | None = None
    generic: bool = False


def read(query: str) -> Reading:
    """Understand one query: a line, a guest id or the whole text of release files."""
    text = _clean(query)
    guest = _guest_id(text) if len(text) <= _ID_LENGTH else None
    if guest is not None:
        phrase, width = guest
        return replace(_read_text(phrase, configured=True), width=width)
    return _read_text(text, configured=_CONFIGURED.search(text) is not None)


# --- text to words ------------------------------------------------------------------------------

_DROPPED: Final = dict.fromkeys(map(ord, "\u00ad\u200b\u200c\u200d\u200e\u200f\u2060\ufeff"), None)
_SPACED: Final = dict.fromkeys(map(ord, "\u00ae\u2122\u00a9\ufffd\0"), " ")
_DASHES: Final = dict.fromkeys(map(ord, "\u2010\u2011\u2012\u2013\u2014\u2212"), "-")
_CHARACTERS: Final = {**_DROPPED, **_SPACED, **_DASHES}
_LEGAL: Final = re.compile(r"\((?:r|tm|c)\)")
_BREAK_TAG: Final = re.compile(r"</?br ?/?>")
_CONFIGURED: Final = re.compile(r"\((?:32|64)[- ]?bits?\)")
_BITS: Final = re.compile(
    r"(?P<foreign>(?<![a-z0-9])(?:aarch64|arm(?:64|hf|el|v[0-9]+[a-z]*)?|ppc(?:64(?:le|el)?)?|powerpc|s390x?|system z|"
    r"zseries|linuxone|riscv(?:64)?|risc-v|loongarch64|ia[-_]?64|itanium|sparc(?:64|v9)?|mips(?:64)?(?:el)?)(?![a-z0-9]))"
    r"|(?P<amd64>(?<![a-z])(?:x86[-_ ]64|x64|amd64|em64t|intel64)(?![a-z0-9]))"
    r"|(?P<bits64>(?<![0-9a-z.])64(?:[- ]?bits?)?(?![0-9a-z.]))"
    r"|(?P<bits32>(?<![a-z0-9])(?:i[3-6]86|ia[-_]?32|x86[-_]32|32[- ]?bits?|32(?=/64))(?![a-z0-9])|-686(?![0-9])|[-_]32(?![0-9a-z.]))"
    r"|(?P<x86>(?<![a-z])x86(?![0-9a-z]))"
)
# A kernel as VMware Tools and uname print it, so that its numbers are not taken for a release.
_KERNEL: Final = re.compile(r"^linux [0-9]\S*|(?<![0-9a-z.])[0-9]+\.[0-9]+\.[0-9]+-[0-9]\S*")
_SHORT_YEAR: Final = re.compile(
    r"(?<![a-z0-9])(?:(?:windows|win|ws|w|server|srv) ?2k([0-9]{1,2})?|2k(3|8|12|16|19|22|25))(?![0-9])"
)
_SHORT_SERVER: Final = re.compile(r"(?<![a-z0-9])ws? ?(?=20[0-9]{2}(?![0-9]))|^server (?=20[0-9]{2}(?![0-9]))")
_DIGIT_DASH: Final = re.compile(r"(?<=[0-9]) ?- ?(?=[0-9])")
_WORD: Final = re.compile(
    r"r2(?![0-9a-z])|[0-9]{2}h[12](?![0-9a-z])|[0-9]+(?:\.[0-9]+)*(?:\.[x*](?![a-z0-9]))?|[a-z]+|[/,&+~]"
)


def _clean(query: str) -> str:
    text = unicodedata.normalize("NFKC", query.translate(_CHARACTERS)).casefold()
    text = _BREAK_TAG.sub(" , ", _LEGAL.sub(" ", text))
    return "\n".join(line for line in (" ".join(line.split()) for line in text.splitlines()) if line)


def _words(text: str) -> list[str]:
    text = _SHORT_YEAR.sub(_long_year, text)
    text = _SHORT_SERVER.sub("windows ", text)
    return _WORD.findall(_DIGIT_DASH.sub(f" {_RANGE} ", text))


def _long_year(match: re.Match[str]) -> str:
    return f"windows {2000 + int(match[1] or match[2] or 0)} "


def _width(found: set[str]) -> Width:
    if "foreign" in found:
        return Width.CONFLICT if found & {"amd64", "bits32"} else Width.FOREIGN
    if "bits32" in found:
        return Width.CONFLICT if found & {"amd64", "bits64"} else Width.X86
    if found & {"amd64", "bits64"}:
        return Width.X64
    return Width.X86 if found else Width.UNSAID


# --- guest ids ----------------------------------------------------------------------------------

_GUEST_ID: Final = re.compile(r"(?:[a-z]+\.)*([a-z][a-z0-9_]*?)_?(64|32)?guest(64)?")
_PLAIN_ID: Final = re.compile(r"([a-z][a-z0-9]*?)(64)?")


def _guest_id(text: str) -> tuple[str, Width] | None:
    """The system a vCenter guest id means, in words, and its width; None for any other text."""
    match = _GUEST_ID.fullmatch(text)
    if match is not None:
        stem = match[1].replace("_", "")
        phrase = known.GUEST_IDS_IN_FULL.get(stem) or known.GUEST_IDS.get(stem) or stem
        if stem in known.GUEST_FAMILIES:
            return phrase, Width.UNSAID
        return phrase, Width.X64 if "64" in match.groups() else Width.X86
    match = _PLAIN_ID.fullmatch(text.replace("-", "").replace("_", ""))
    if match is None or match[1] not in known.GUEST_IDS:
        return None
    # The newest ids leave the bits out, since there is no such server of 32 bits.
    bits = Width.X64 if match[2] or "server20" in match[1] else Width.X86
    return known.GUEST_IDS[match[1]], bits


# --- words to mentions --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Name:
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
                words = tuple(_WORD.findall(phrase))
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
    return _number(words, at) is not None and words[at + 1 : at + 2] not in (["c"], ["g"], ["i"])


def _names(words: Sequence[str]) -> list[tuple[int, _Name]]:
    found = []
    at = 0
    while at < len(words):
        name = _name_at(words, at)
        if name is not None:
            found.append((at, name))
        at += len(name.words) if name is not None else 1
    return found


def _mentions(words: Sequence[str]) -> list[Mention]:
    """Every name and what follows it. A name without version borrows that of the name right after it."""
    names = _names(words)
    ends = [*(at for at, _ in names[1:]), len(words)][: len(names)]
    mentions: list[Mention] = []
    following: Mention | None = None
    for (at, name), end in zip(reversed(names), reversed(ends), strict=True):
        segment = words[at + len(name.words) : end]
        mention = _mention(name, segment)
        if not mention.versions and following is not None and _only_joins(segment):
            mention = replace(mention, versions=following.versions, reach=following.reach)
        mentions.append(mention)
        following = mention
    return mentions[::-1]


def _only_joins(segment: Sequence[str]) -> bool:
    return all(word in known.FILLERS or word in _SEPARATORS for word in segment)


def _mention(name: _Name, segment: Sequence[str]) -> Mention:
    lead = next((at for at, word in enumerate(segment) if word not in known.FILLERS), len(segment))
    versions, end = _versions(name.system, segment, lead)
    marks = frozenset(name.words) | frozenset(segment[:lead]) | (known.TAIL_MARKS & frozenset(segment))
    versions += _codename_versions(name.system, segment, versions)
    return Mention(name.system, tuple(dict.fromkeys(versions)), marks, _reach(segment, end))


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
        if at and words[at - 1] in {_RANGE, "to"} and versions:
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
    number = _number(words, at)
    if number is None:
        return None
    version = _compact(system, number)
    windows = system == known.WINDOWS_SYSTEM
    if version.major > _LARGEST_MAJOR and not windows:
        return None
    at += 1
    if windows and words[at : at + 1] == ["r2"]:
        return replace(version, minor=2), _service_pack(words, at + 1)[1]
    pack, end = _service_pack(words, at)
    if pack is not None and version.minor is None and not windows:
        version = replace(version, minor=pack)
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
            pack = _number(words, end)
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
        more.append(replace(version, minor=pack))
        at = end
    return at, more


def _reach(segment: Sequence[str], at: int) -> int:
    rest = list(segment[at : at + 2])
    if rest[:1] == ["+"] or (rest[:1] in (["or"], ["and"]) and rest[1:] and rest[1] in _OPEN_UP):
        return 1
    return -1 if rest[:1] in (["or"], ["and"]) and rest[1:] and rest[1] in _OPEN_DOWN else 0


def _number(words: Sequence[str], at: int) -> Version | None:
    """The word at `at` as a version of one or two numbers; later numbers are builds."""
    if at >= len(words) or not words[at][:1].isdecimal():
        return None
    parts = words[at].split(".")[:2]
    if any(len(part) > _NUMBER_LENGTH for part in parts) or not parts[0].isdecimal():
        return None
    minor = int(parts[1]) if parts[1:] and parts[1].isdecimal() else None
    return Version(int(parts[0]), minor)


# --- lines and files ----------------------------------------------------------------------------

_PAIR: Final = re.compile(r"""(?<![a-z0-9_.])([a-z][a-z0-9_]{0,40}) ?= ?("[^"\n]*"|'[^'\n]*'|[^\s"']*)""")
_BARE: Final = re.compile(r"[0-9]{1,2}\.[0-9]{1,2}(?:\.[0-9]{1,2})?")
_PHRASES: Final = (
    ("pretty_name",), ("prettyname",), ("name", "version"), ("id", "version_id"), ("distroname", "distroversion"),
    ("distrib_description",), ("distrib_id", "distrib_release"),
)  # fmt: skip
_BITNESS: Final = {"64": "bits64", "32": "bits32"}

def _read_text(text: str, *, configured: bool) -> Reading:
    pairs: dict[str, list[str]] = {}
    for key, value in _PAIR.findall(text):
        pairs.setdefault(key, []).append(value.strip("\"'"))
    lines = [line for line in _PAIR.sub(" ", text).split("\n") if not line.startswith("#")]
    lines = [line.strip() for line in lines if line.strip(" ,;\"'")]
    bits = _pair_bits(pairs)
    phrases: list[list[str]] = []
    for line in [*_pair_phrases(pairs), *lines]:
        bits.update(match.lastgroup for match in _BITS.finditer(line) if match.lastgroup)
        phrases.append(_words(_KERNEL.sub(" ", _BITS.sub(" ", line))))
    mentions = [mention for words in phrases for mention in _mentions(words) or _codename_alone(words)]
    bare = next((_number([line], 0) for line in lines if _BARE.fullmatch(line)), None)
    mentions += _from_bare_files(mentions, pairs, bare)
    merged = _merge(mentions)
    if pairs or len(lines) > 1 or all("release" in mention.marks for mention in merged):
        merged = _without_kept_files(merged)
    if not configured:
        merged = [replace(mention, marks=mention.marks | {UNCONFIGURED}) for mention in merged]
    return Reading(
        tuple(merged),
        _width(bits),
        bare if len(lines) == 1 and not pairs else None,
        any(word in known.GENERIC for line in lines for word in _WORD.findall(line)),
    )


def _pair_bits(pairs: Mapping[str, Sequence[str]]) -> set[str]:
    """What `bitness='64'` and `architecture='X86'` say together: the bits, and whether it is x86 at all."""
    bits = {_BITNESS[value] for value in pairs.get("bitness", ()) if value in _BITNESS}
    for value in pairs.get("architecture", ()):
        found = {match.lastgroup for match in _BITS.finditer(value) if match.lastgroup}
        bits |= found if not bits or "foreign" in found else set()
    return bits


def _pair_phrases(pairs: Mapping[str, Sequence[str]]) -> list[str]:
    """The pairs that name a system, as if they were lines."""
    return [
        " ".join(values)
        for keys in _PHRASES
        if keys[0] in pairs
        for values in zip(*(pairs.get(key, [""]) for key in keys), strict=False)
    ]


def _codename_alone(words: Sequence[str]) -> list[Mention]:
    if not words or not known.CODENAME_PARTNERS.issuperset(words[1:]):
        return []
    return [
        Mention(system, (Version(*codenames[words[0]]),), known.TAIL_MARKS & frozenset(words))
        for system, codenames in known.CODENAMES.items()
        if words[0] in codenames
    ]


def _from_bare_files(
    mentions: Sequence[Mention], pairs: Mapping[str, Sequence[str]], bare: Version | None
) -> list[Mention]:
    """What two files say without a name: SuSE-release in its pairs, debian_version as a number alone."""
    systems = {mention.system for mention in mentions}
    more = []
    version = next((told for value in pairs.get("version", ()) if (told := _number([value], 0))), None)
    pack = next((told for value in pairs.get("patchlevel", ()) if (told := _number([value], 0))), None)
    if version is not None and pack is not None and (not systems or systems & {known.SLES, known.SLED}):
        system = known.SLED if known.SLED in systems else known.SLES
        more.append(Mention(system, (Version(version.major, pack.major),)))
    if bare is not None and known.DEBIAN in systems:
        more.append(Mention(known.DEBIAN, (bare,)))
    return more


def _merge(mentions: Iterable[Mention]) -> list[Mention]:
    """One mention for each system. What is told more exactly elsewhere in the text is dropped."""
    merged: dict[str, Mention] = {}
    for new in mentions:
        old = merged.get(new.system, Mention(new.system))
        versions = tuple(dict.fromkeys(old.versions + new.versions))
        merged[new.system] = Mention(new.system, versions, old.marks | new.marks, old.reach or new.reach)
    return [replace(mention, versions=_most_exact(mention.versions)) for mention in merged.values()]


def _most_exact(versions: tuple[Version, ...]) -> tuple[Version, ...]:
    told = {version.major for version in versions if version.minor is not None}
    return tuple(version for version in versions if version.minor is not None or version.major not in told)


def _without_kept_files(mentions: Sequence[Mention]) -> list[Mention]:
    """The mentions without those that come from files a system keeps of the one it was built from."""
    return [mention for mention in mentions if not any(_keeps_files_of(built, mention) for built in mentions)]


def _keeps_files_of(built: Mention, base: Mention) -> bool:
    if built.system == known.ORACLE:
        majors = {version.major for version in built.versions}
        return base.system == known.RED_HAT and majors.issuperset(version.major for version in base.versions)
    if built.system == known.UBUNTU:
        return base.system == known.DEBIAN and "sid" in base.marks
    return built.system in known.OTHERS and base.system in {known.RED_HAT, known.UBUNTU, known.DEBIAN}
