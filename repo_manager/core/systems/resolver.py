"""An operating system in free words -> exactly one package, or what is missing to tell.

    >>> resolve("Red Hat Enterprise Linux Server release 7.9 (Maipo)", catalog.support).package
    'RHEL7-64'

There is never a guess: where words leave something open the answer is Ambiguous, with what would settle it.
"""

from __future__ import annotations

from typing import Final

from repo_manager.core.systems.answers import Ambiguous, Answer, CatalogEntry, Resolved, Status, Unknown, Unsupported
from repo_manager.core.systems.lexing import Width
from repo_manager.core.systems.reading import Reading, read
from repo_manager.core.systems.support import Support
from repo_manager.core.systems.verdicts import Judge, SystemVerdict

__all__ = [
    "MAX_LENGTH",
    "Ambiguous",
    "Answer",
    "Resolved",
    "Status",
    "Support",
    "Unknown",
    "Unsupported",
    "names_system",
    "resolve",
    "resolve_os_release",
]

MAX_LENGTH: Final = 16_384
"""All release files of a machine together are a quarter of this; longer text is no system's name."""

_WIDTH_WHY: Final = {
    Width.X86: "32-bit systems have no package",
    Width.FOREIGN: "only 64-bit x86 processors have packages",
}


def resolve(query: str, support: Support) -> Answer:
    """Find the package that serves a system, in time linear in the length of the query.

    Args:
        query: a package token in any case, a system's name, a line of a release file, the whole text
            of one or several release files, a guest name or id of vCenter, a string of VMware Tools,
            or a Windows caption.
        support: which package serves which system, from the catalog.
    """
    if len(query) > MAX_LENGTH:
        return Unknown(query, f"longer than {MAX_LENGTH} characters")
    token = support.by_caseless_token.get(query.strip().casefold())
    if token is not None:
        return Resolved(query, token, f"{token} is a package", modernized_only=support.modernized_only(token))
    return _answer(query, read(query), support)


def resolve_os_release(text: str, support: Support) -> Answer:
    """Find the package that serves the machine whose `/etc/os-release` this is."""
    if len(text) <= MAX_LENGTH and "=" not in text:
        return Unknown(text, "not an os-release file: no line is KEY=value")
    return resolve(text, support)


def names_system(text: str) -> bool:
    """Whether a text names a system, or a kind of systems that has no package. A number alone names none."""
    if len(text) > MAX_LENGTH:
        return False
    reading = read(text)
    return bool(reading.mentions) or (reading.generic and reading.width in _WIDTH_WHY)


def _answer(query: str, reading: Reading, support: Support) -> Answer:
    if not (reading.mentions or reading.generic or reading.bare):
        return Unknown(query, "names no system we know" if query.strip() else "is empty")
    verdict = _verdict(reading, Judge(support))
    if verdict is not None and not verdict.tokens:
        return Unsupported(query, verdict.why)
    if reading.width in _WIDTH_WHY:
        return Unsupported(query, _WIDTH_WHY[reading.width])
    if verdict is None:
        return Unknown(query, "says what kind of system it is, not which; the text of /etc/os-release would settle it")
    return _positive(query, verdict, reading.width)


def _positive(query: str, verdict: SystemVerdict, width: Width) -> Answer:
    if not verdict.firm:
        return Ambiguous(query, verdict.tokens, verdict.why)
    if width is Width.CONFLICT:
        return Ambiguous(query, verdict.tokens, f"{verdict.why}, if it is 64-bit x86; `uname -m` would settle it")
    serves = tuple(CatalogEntry(each.label, each.evidence) for each in verdict.serves)
    return Resolved(query, verdict.tokens[0], verdict.why, verdict.note, verdict.modernized_only, serves)


def _verdict(reading: Reading, judge: Judge) -> SystemVerdict | None:
    if reading.mentions:
        return judge.judge(reading.mentions, wide=reading.width is Width.X64)
    return judge.bare(reading.bare) if reading.bare else None
