"""The verdict on what a query mentions: one package for sure, packages perhaps, or none."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from repo_manager.core.systems import vocabulary as known
from repo_manager.core.systems.mentions import Mention, Version
from repo_manager.core.systems.rules import ANY, EXCLUSIONS, LINES, R2, SETTLED_BY, Exclusion, Line

if TYPE_CHECKING:
    from repo_manager.core.names import Token

_SERVER_YEARS: Final = range(2003, 2100)
_LISTED: Final = 6
_ORDER: Final = {
    token: at for at, token in enumerate(dict.fromkeys(line.token for lines in LINES.values() for line in lines))
}
# Red Hat Linux, without Enterprise and of 32 bits, ended with 9 in 2003.
_LAST_OLD_RED_HAT: Final = {5: 2, 6: 2, 7: 3, 8: 0, 9: 0}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is said of one version: one package for sure, packages perhaps, or none."""

    tokens: tuple[Token, ...]
    firm: bool
    why: str
    note: str = ""
    modernized_only: bool = False


def judge(mentions: Sequence[Mention], *, wide: bool) -> Verdict:
    """The verdict on everything a query mentions, `wide` where it says 64-bit; at least one mention."""
    return _together([_on_mention(mention, wide=wide) for mention in mentions])


def bare_verdict(version: Version) -> Verdict | None:
    """The verdict on a text that is a version and nothing else; None where no system has that version.

    Only /etc/debian_version is such a text, yet people leave out names: a number that several
    systems have stays open.
    """
    systems = (known.DEBIAN, known.RED_HAT, known.ORACLE, known.UBUNTU)
    readings = [verdict for system in systems if (verdict := _on_version(Mention(system), version)).tokens]
    if not readings or (len(readings) == 1 and readings[0].tokens[0] in _tokens(LINES[known.DEBIAN])):
        return readings[0] if readings else None
    why = "a number without a name; the name of the system before it would settle it"
    return Verdict(_tokens(verdict.tokens[0] for verdict in readings), firm=False, why=why)


def _on_mention(mention: Mention, *, wide: bool) -> Verdict:
    if mention.system not in LINES:
        return Verdict((), firm=True, why=f"{mention.system} has no package")
    if not mention.versions:
        return _on_any(mention)
    if mention.reach:
        return _on_reach(mention, mention.versions[0])
    verdicts = [_on_version(mention, version) for version in mention.versions]
    if mention.system == known.RED_HAT_LINUX and not wide:
        told = zip(verdicts, mention.versions, strict=True)
        verdicts = [_perhaps_the_old_one(verdict) if _has_old_one(version) else verdict for verdict, version in told]
    return _together(verdicts)


def _on_any(mention: Mention) -> Verdict:
    """No version is told: every release is a candidate, unless the marks leave none."""
    excluded = next((found for found in EXCLUSIONS if _applies(found, mention) and found.majors == ANY), None)
    if excluded is not None:
        return Verdict((), firm=True, why=excluded.why)
    why = f"{mention.system} without a release; {SETTLED_BY[mention.system]} would settle it"
    return Verdict(_tokens(LINES[mention.system]), firm=False, why=why)


def _on_reach(mention: Mention, version: Version) -> Verdict:
    """'Or later', 'or older': what was meant when it was written, and whatever came since."""
    lines = [line for line in LINES[mention.system] if (line.major - version.major) * mention.reach >= 0]
    first = _on_version(mention, version)
    label = _label(mention.system, version)
    if mention.system == known.WINDOWS_SYSTEM and mention.reach > 0 and first.firm and first.tokens:
        return replace(first, why=f"{label} or later: every Windows has the same package")
    if not lines:
        return Verdict((), firm=True, why=f"{label} and beyond: no package")
    why = f"{label} and beyond could be any of several; {SETTLED_BY[mention.system]} would settle it"
    return Verdict(_tokens(lines), firm=False, why=why)


def _on_version(mention: Mention, version: Version) -> Verdict:
    system, label = mention.system, _label(mention.system, version)
    for excluded in EXCLUSIONS:
        if _applies(excluded, mention) and version.major in excluded.majors:
            return Verdict((), firm=True, why=f"{label}: {excluded.why}")
    lines = [line for line in LINES[system] if line.major == version.major]
    if not lines:
        return Verdict((), firm=True, why=f"{label} has no package")
    fitting = lines if version.minor is None else [line for line in lines if version.minor in line.minors]
    if version.minor is not None or not _in_doubt(lines, mention):
        return _firm(mention, version, fitting, lines)
    why = f"{label}: {lines[0].doubt}; {SETTLED_BY[system]} would settle it"
    return Verdict(_tokens(lines), firm=False, why=why)


def _in_doubt(lines: Sequence[Line], mention: Mention) -> bool:
    return bool(lines[0].doubt) and not lines[0].settled_by & mention.marks


def _firm(mention: Mention, version: Version, fitting: Sequence[Line], lines: Sequence[Line]) -> Verdict:
    label = _label(mention.system, version)
    if not fitting:
        return Verdict((), firm=True, why=f"{label} has no package: {_served(mention.system, lines)}")
    line = fitting[0]
    return Verdict(
        (line.token,),
        firm=True,
        why=f"{label}: {line.token}",
        note=_note(mention.system, line, version),
        modernized_only=line.modernized_from is not None and (version.minor or 0) >= line.modernized_from,
    )


def _note(system: str, line: Line, version: Version) -> str:
    notes = [line.note]
    if version.minor is None:
        notes.append(line.bare_note)
        if line.modernized_from:
            first = _label(system, Version(line.major, line.modernized_from))
            notes.append(f"from {first} on the modernized experience alone supports it")
    return "; ".join(filter(None, notes))


def _has_old_one(version: Version) -> bool:
    return (version.minor or 0) <= _LAST_OLD_RED_HAT.get(version.major, -1)


def _perhaps_the_old_one(verdict: Verdict) -> Verdict:
    """Keep open what a Red Hat Linux without Enterprise leaves open."""
    if not (verdict.firm and verdict.tokens):
        return verdict
    why = f"{verdict.why}, if Red Hat Enterprise Linux is meant; the line in /etc/redhat-release would settle it"
    return Verdict(verdict.tokens, firm=False, why=why)


def _together(verdicts: Sequence[Verdict]) -> Verdict:
    """One verdict of several: firm only where all agree."""
    if len(verdicts) == 1:
        return verdicts[0]
    tokens = _tokens(token for verdict in verdicts for token in verdict.tokens)
    firm = all(verdict.firm for verdict in verdicts)
    if not tokens or (firm and len(tokens) == 1 and all(verdict.tokens for verdict in verdicts)):
        notes = dict.fromkeys(verdict.note for verdict in verdicts if verdict.note)
        modernized_only = all(verdict.modernized_only for verdict in verdicts)
        return replace(verdicts[0], note="; ".join(notes), modernized_only=modernized_only)
    why = dict.fromkeys(verdict.why for verdict in verdicts)
    listed = "; ".join(list(why)[:_LISTED]) + ("; ..." if len(why) > _LISTED else "")
    return Verdict(tokens, firm=False, why=f"several systems are named ({listed}); naming one would settle it")


def _applies(excluded: Exclusion, mention: Mention) -> bool:
    return excluded.system == mention.system and bool(excluded.marks & mention.marks)


def _tokens(lines: Iterable[Line] | Iterable[Token]) -> tuple[Token, ...]:
    tokens = {line.token if isinstance(line, Line) else line for line in lines}
    return tuple(sorted(tokens, key=_ORDER.__getitem__))


def _served(system: str, lines: Sequence[Line]) -> str:
    served = ", ".join(
        _label(system, Version(line.major, line.minors[0]))
        + (f" to {_label('', Version(line.major, line.minors[-1]))}" if len(line.minors) > 1 else "")
        for line in lines
    )
    return f"the official detection takes {served}"


def _label(system: str, version: Version) -> str:
    name = f"{system} " if system else ""
    if system == known.WINDOWS_SYSTEM and version.major in _SERVER_YEARS:
        name = "Windows Server "
    if version.minor is None:
        return f"{name}{version.major}"
    if system in {known.SLES, known.SLED}:
        return f"{name}{version.major} SP{version.minor}"
    if system == known.UBUNTU:
        return f"{name}{version.major}.{version.minor:02}"
    if system == known.WINDOWS_SYSTEM and version.minor == R2 and version.major in _SERVER_YEARS:
        return f"{name}{version.major} R2"
    return f"{name}{version.major}.{version.minor}"
