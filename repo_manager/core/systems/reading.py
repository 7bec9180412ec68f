"""From free words to systems and versions, without judging them.

    "SUSE Linux Enterprise Server 12-SP5 (x86_64)"
     name_________________________ version  width

Release files and other texts of several lines are read line by line and then put together.
Everything here is linear in the length of the text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from repo_manager.core.systems import vocabulary as known
from repo_manager.core.systems.lexing import (
    Width,
    bits_in,
    clean,
    guest_id,
    is_configured,
    width_of,
    words_in,
    words_of,
)
from repo_manager.core.systems.mentions import SystemMention, mentions_in, merge, number_at
from repo_manager.core.systems.support import Version


class Reading(NamedTuple):
    """What a query says.

    Attributes:
        mentions: at most one for each system, in the order of the text.
        width: of the processor.
        bare: the version where a text is a version and nothing else, as in `/etc/debian_version`.
        generic: whether the words name a kind of system ("Other Linux") and not which.
    """

    mentions: tuple[SystemMention, ...] = ()
    width: Width = Width.UNSAID
    bare: Version | None = None
    generic: bool = False


def read(query: str) -> Reading:
    """Understand one query: a line, a guest id or the whole text of release files."""
    text = clean(query)
    guest = guest_id(text)
    if guest is not None:
        phrase, width = guest
        return _read_text(phrase, configured=True)._replace(width=width)
    return _read_text(text, configured=is_configured(text))


_PAIR: Final = re.compile(r"""(?<![a-z0-9_.])([a-z][a-z0-9_]{0,40}) ?= ?("[^"\n]*"|'[^'\n]*'|[^\s"']*)""")
_BARE: Final = re.compile(r"[0-9]{1,2}\.[0-9]{1,2}(?:\.[0-9]{1,2})?")
_PHRASES: Final = (
    ("pretty_name",), ("prettyname",), ("name", "version"), ("id", "version_id"), ("distroname", "distroversion"),
    ("distrib_description",), ("distrib_id", "distrib_release"),
)  # fmt: skip
_BITNESS: Final = {"64": "bits64", "32": "bits32"}


def _read_text(text: str, *, configured: bool) -> Reading:
    pairs, lines = _pairs_and_lines(text)
    phrases = [*_pair_phrases(pairs), *lines]
    bits = _pair_bits(pairs).union(*map(bits_in, phrases))
    bare = next((number_at([line], 0) for line in lines if _BARE.fullmatch(line)), None)
    mentions = [mention for phrase in phrases for mention in mentions_in(words_in(phrase))]
    mentions += _from_bare_files(mentions, pairs, bare)
    several = bool(pairs) or len(lines) > 1
    return Reading(
        mentions=_settled(merge(mentions), several=several, configured=configured),
        width=width_of(bits),
        bare=None if several else bare,
        generic=any(word in known.GENERIC for line in lines for word in words_of(line)),
    )


def _pairs_and_lines(text: str) -> tuple[dict[str, list[str]], list[str]]:
    """All `key=value` of a text, and the lines that are left without them and without comments."""
    pairs: dict[str, list[str]] = {}
    for key, value in _PAIR.findall(text):
        pairs.setdefault(key, []).append(value.strip("\"'"))
    lines = [line.strip(" ,;\"'") for line in _PAIR.sub(" ", text).split("\n") if not line.startswith("#")]
    return pairs, [line for line in lines if line]


def _settled(mentions: Sequence[SystemMention], *, several: bool, configured: bool) -> tuple[SystemMention, ...]:
    files = several or all("release" in mention.marks for mention in mentions)
    own = [base for base in mentions if not any(_keeps_files_of(built, base, files=files) for built in mentions)]
    if configured:
        return tuple(own)
    return tuple(mention._replace(marks=mention.marks | {known.UNCONFIGURED}) for mention in own)


def _pair_bits(pairs: Mapping[str, Sequence[str]]) -> set[str]:
    """What `bitness='64'` and `architecture='X86'` say together: the bits, and whether it is x86 at all."""
    bits = {_BITNESS[value] for value in pairs.get("bitness", ()) if value in _BITNESS}
    for value in pairs.get("architecture", ()):
        found = bits_in(value)
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


def _from_bare_files(
    mentions: Sequence[SystemMention], pairs: Mapping[str, Sequence[str]], bare: Version | None
) -> list[SystemMention]:
    """What two files say without a name: SuSE-release in its pairs, debian_version as a number alone."""
    systems = {mention.system for mention in mentions}
    more = []
    version = next((told for value in pairs.get("version", ()) if (told := number_at([value], 0))), None)
    pack = next((told for value in pairs.get("patchlevel", ()) if (told := number_at([value], 0))), None)
    if version is not None and pack is not None and (not systems or systems & {known.SLES, known.SLED}):
        system = known.SLED if known.SLED in systems else known.SLES
        more.append(SystemMention(system, (Version(version.major, pack.major),)))
    if bare is not None and known.DEBIAN in systems:
        more.append(SystemMention(known.DEBIAN, (bare,)))
    return more


def _keeps_files_of(built: SystemMention, base: SystemMention, *, files: bool) -> bool:
    """Whether `base` comes from a file that `built` keeps of the system it was built from.

    In a line of prose both may be meant, unless the base is named without a release, as in
    "Oracle Linux 8 (Red Hat compatible kernel)".
    """
    if built.system == known.ORACLE:
        majors = {version.major for version in built.versions}
        same = majors.issuperset(version.major for version in base.versions)
        return base.system == known.RED_HAT and same and (files or not base.versions)
    if built.system == known.UBUNTU:
        return base.system == known.DEBIAN and "sid" in base.marks
    return files and built.system in known.OTHERS and base.system in {known.RED_HAT, known.UBUNTU, known.DEBIAN}
