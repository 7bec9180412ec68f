"""From a query to clean words, with the processor's bits and the kernel taken out."""

from __future__ import annotations

import re
import unicodedata
from enum import Enum
from typing import Final

from repo_manager.core.systems import vocabulary as known

RANGE: Final = "~"
"""The word that stands for a dash between two numbers."""

_ID_LENGTH: Final = 80


class Width(Enum):
    """The processor a query speaks of."""

    UNSAID = "unsaid"
    X64 = "64-bit x86"
    X86 = "32-bit"
    FOREIGN = "not x86"
    CONFLICT = "contradictory"


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
    r"|(?P<bits32>(?<![a-z0-9])(?:i[3-6]86|ia[-_]?32|x86[-_]32|32[- ]?bits?|32(?=/64))(?![a-z0-9])"
    r"|-686(?![0-9])|[-_]32(?![0-9a-z.]))"
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


def clean(query: str) -> str:
    """The query in lower case and plain characters, without marks, empty lines and doubled spaces."""
    text = unicodedata.normalize("NFKC", query.translate(_CHARACTERS)).casefold()
    text = _BREAK_TAG.sub(" , ", _LEGAL.sub(" ", text))
    return "\n".join(line for line in (" ".join(line.split()) for line in text.splitlines()) if line)


def words_of(phrase: str) -> list[str]:
    """The words, numbers and separators of a clean text."""
    return _WORD.findall(phrase)


def words_in(line: str) -> list[str]:
    """The words of a clean line that can name a system: no bits, no kernel, short years written out."""
    text = _KERNEL.sub(" ", _BITS.sub(" ", line))
    text = _SHORT_SERVER.sub("windows ", _SHORT_YEAR.sub(_long_year, text))
    return words_of(_DIGIT_DASH.sub(f" {RANGE} ", text))


def _long_year(match: re.Match[str]) -> str:
    return f"windows {2000 + int(match[1] or match[2] or 0)} "


def is_configured(text: str) -> bool:
    """Whether a clean text has the form of vCenter's guest names, which end in "(64-bit)"."""
    return _CONFIGURED.search(text) is not None


def bits_in(text: str) -> set[str]:
    """What a clean text says of the processor: `foreign`, `amd64`, `bits64`, `bits32`, `x86`."""
    return {match.lastgroup for match in _BITS.finditer(text) if match.lastgroup}


def width_of(bits: set[str]) -> Width:
    """What all the bits say together. A lone x86 is 32-bit, beside "64-bit" it is not."""
    if "foreign" in bits:
        return Width.CONFLICT if bits & {"amd64", "bits32"} else Width.FOREIGN
    if "bits32" in bits:
        return Width.CONFLICT if bits & {"amd64", "bits64"} else Width.X86
    if bits & {"amd64", "bits64"}:
        return Width.X64
    return Width.X86 if bits else Width.UNSAID


_GUEST_ID: Final = re.compile(r"(?:[a-z]+\.)*([a-z][a-z0-9_]*?)_?(64|32)?guest(64)?")
_PLAIN_ID: Final = re.compile(r"([a-z][a-z0-9]*?)(64)?")


def guest_id(text: str) -> tuple[str, Width] | None:
    """The system a vCenter guest id means, in words, and its width; None for any other clean text.

    The API's form is `windows9_64Guest`, a machine's own file says `windows9-64`, and the REST
    enumeration `WINDOWS_9_64`.
    """
    if len(text) > _ID_LENGTH:
        return None
    match = _GUEST_ID.fullmatch(text)
    if match is not None:
        stem = match[1].replace("_", "")
        phrase = known.GUEST_IDS_IN_FULL.get(stem) or known.GUEST_IDS.get(stem) or stem
        width = Width.X64 if "64" in match.groups() else Width.X86
        return phrase, Width.UNSAID if stem in known.UNSIZED_GUESTS else width
    match = _PLAIN_ID.fullmatch(text.replace("-", "").replace("_", ""))
    if match is None or match[1] not in known.GUEST_IDS:
        return None
    # The newest ids leave the bits out, since there is no such server of 32 bits.
    return known.GUEST_IDS[match[1]], Width.X64 if match[2] or "server20" in match[1] else Width.X86
