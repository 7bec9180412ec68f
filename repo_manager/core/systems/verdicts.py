"""The verdict on what a query mentions: one package for sure, packages perhaps, or none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from repo_manager.core.systems import vocabulary as known
from repo_manager.core.systems.mentions import SystemMention
from repo_manager.core.systems.support import ANY, Family, Serves, Support, SystemFacts, Version, label

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from repo_manager.core.names import Token

_LISTED: Final = 6


class SystemVerdict(NamedTuple):
    """What is known of one version: one package for sure, packages perhaps, or none."""

    tokens: tuple[Token, ...]
    firm: bool
    why: str
    note: str = ""
    modernized_only: bool = False
    serves: tuple[Serves, ...] = ()


class Judge:
    """Judges mentions by what a catalog says of systems."""

    def __init__(self, support: Support) -> None:
        self._support = support

    def judge(self, mentions: Sequence[SystemMention], *, wide: bool) -> SystemVerdict:
        """The verdict on everything a query mentions, `wide` where it says 64-bit; at least one mention."""
        return self._together([self._on_mention(mention, wide=wide) for mention in mentions])

    def bare(self, version: Version) -> SystemVerdict | None:
        """The verdict on a text that is a version and nothing else; None where no system has that version.

        Only /etc/debian_version is such a text, yet people leave out names: a number that several
        systems have stays open.
        """
        systems = {system: self._support.systems.get(system) for system in known.WRITTEN_WITHOUT_NAME}
        readings = [
            (system, verdict)
            for system, facts in systems.items()
            if facts and (verdict := _on_version(facts, SystemMention(system), version)).tokens
        ]
        if not readings:
            return None
        if [system for system, _ in readings] == [known.DEBIAN]:
            return readings[0][1]
        why = "a number without a name; the name of the system before it would settle it"
        return SystemVerdict(self._ordered(verdict.tokens[0] for _, verdict in readings), firm=False, why=why)

    def _on_mention(self, mention: SystemMention, *, wide: bool) -> SystemVerdict:
        facts = self._support.systems.get(mention.system)
        if facts is None or not facts.serves:
            return SystemVerdict((), firm=True, why=f"{mention.system} has no package")
        if not mention.versions:
            return self._on_any(facts, mention)
        if mention.reach:
            return self._on_reach(facts, mention, mention.versions[0])
        verdicts = [_on_version(facts, mention, version) for version in mention.versions]
        if facts.served_as and not wide:
            found = zip(verdicts, mention.versions, strict=True)
            verdicts = [
                _perhaps_another(facts, verdict) if _had_its_own(mention.system, version) else verdict
                for verdict, version in found
            ]
        return self._together(verdicts)

    def _on_any(self, facts: SystemFacts, mention: SystemMention) -> SystemVerdict:
        """No version is known: every version is a candidate, unless the marks leave none."""
        for excluded in facts.exclusions:
            if excluded.words & mention.marks and excluded.majors == ANY:
                return SystemVerdict((), firm=True, why=excluded.why)
        why = f"{mention.system} without a release; {facts.settled_by} would settle it"
        return SystemVerdict(self._ordered(each.token for each in facts.serves), firm=False, why=why)

    def _on_reach(self, facts: SystemFacts, mention: SystemMention, version: Version) -> SystemVerdict:
        """'Or later', 'or older': what was meant when it was written, and what came since."""
        within = [each for each in facts.serves if (each.major - version.major) * mention.reach >= 0]
        first = _on_version(facts, mention, version)
        name = label(mention.system, version)
        same = facts.family is Family.WINDOWS and len({each.token for each in facts.serves}) == 1
        if same and mention.reach > 0 and first.firm and first.tokens:
            return first._replace(why=f"{name} or later: every Windows has the same package")
        if not within:
            return SystemVerdict((), firm=True, why=f"{name} and beyond: no package")
        why = f"{name} and beyond could be any of several; {facts.settled_by} would settle it"
        return SystemVerdict(self._ordered(each.token for each in within), firm=False, why=why)

    def _together(self, verdicts: Sequence[SystemVerdict]) -> SystemVerdict:
        """One verdict of several: firm only where all agree."""
        if len(verdicts) == 1:
            return verdicts[0]._replace(tokens=self._ordered(verdicts[0].tokens))
        tokens = self._ordered(token for verdict in verdicts for token in verdict.tokens)
        firm = all(verdict.firm for verdict in verdicts)
        if not tokens or (firm and len(tokens) == 1 and all(verdict.tokens for verdict in verdicts)):
            notes = dict.fromkeys(verdict.note for verdict in verdicts if verdict.note)
            modernized_only = all(verdict.modernized_only for verdict in verdicts)
            serves = tuple(dict.fromkeys(each for verdict in verdicts for each in verdict.serves))
            return verdicts[0]._replace(note="; ".join(notes), modernized_only=modernized_only, serves=serves)
        why = dict.fromkeys(verdict.why for verdict in verdicts)
        listed = "; ".join(list(why)[:_LISTED]) + ("; ..." if len(why) > _LISTED else "")
        return SystemVerdict(
            tokens, firm=False, why=f"several systems are named ({listed}); naming one would settle it"
        )

    def _ordered(self, tokens: Iterable[Token]) -> tuple[Token, ...]:
        return tuple(sorted(set(tokens), key=self._support.order.__getitem__))


def _on_version(facts: SystemFacts, mention: SystemMention, version: Version) -> SystemVerdict:
    name = label(mention.system, version)
    for excluded in facts.exclusions:
        if excluded.words & mention.marks and version.major in excluded.majors:
            return SystemVerdict((), firm=True, why=f"{name}: {excluded.why}")
    same_major = [each for each in facts.serves if each.major == version.major]
    if not same_major:
        return SystemVerdict((), firm=True, why=f"{name} has no package")
    fitting = same_major if version.minor is None else [each for each in same_major if version.minor in each.minors]
    if not fitting:
        served = ", ".join(each.label for each in same_major)
        return SystemVerdict((), firm=True, why=f"{name} has no package: the official detection takes {served}")
    if _is_open(fitting[0], mention, version):
        why = f"{name}: {fitting[0].uncertainty}; {facts.settled_by} would settle it"
        return SystemVerdict(tuple(dict.fromkeys(each.token for each in fitting)), firm=False, why=why)
    return _firm(facts, mention, version, fitting[0])


def _is_open(serves: Serves, mention: SystemMention, version: Version) -> bool:
    """Whether the entry's uncertainty applies. A minor resolves it where the entry lists minors."""
    if not serves.uncertainty or serves.resolved_by & mention.marks:
        return False
    return version.minor is None or serves.minors == ANY


def _firm(facts: SystemFacts, mention: SystemMention, version: Version, serves: Serves) -> SystemVerdict:
    return SystemVerdict(
        (serves.token,),
        firm=True,
        why=f"{label(mention.system, version)}: {serves.token}",
        note="; ".join(filter(None, (facts.note, serves.note, *_notes_without_minor(mention.system, serves, version)))),
        modernized_only=serves.modernized_from is not None and (version.minor or 0) >= serves.modernized_from,
        serves=(serves,),
    )


def _notes_without_minor(system: str, serves: Serves, version: Version) -> tuple[str, ...]:
    if version.minor is not None:
        return ()
    if not serves.modernized_from:
        return (serves.note_without_minor,)
    first = label(system, Version(serves.major, serves.modernized_from))
    return serves.note_without_minor, f"from {first} on the modernized experience alone supports it"


def _had_its_own(system: str, version: Version) -> bool:
    return (version.minor or 0) <= known.OLDER_NAMESAKES.get(system, {}).get(version.major, -1)


def _perhaps_another(facts: SystemFacts, verdict: SystemVerdict) -> SystemVerdict:
    """Keep open what is left open by a system that had the same name."""
    if not (verdict.firm and verdict.tokens):
        return verdict
    why = f"{verdict.why}, if {facts.served_as} is meant; {facts.settled_by} would settle it"
    return SystemVerdict(verdict.tokens, firm=False, why=why)
