"""Which package serves which system: the section `systems` of a catalog, and `serves` of each package."""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple

from repo_manager.core.catalog import strict_yaml
from repo_manager.core.systems import vocabulary as known
from repo_manager.core.systems.support import (
    ANY,
    Exclusion,
    Family,
    Serves,
    Support,
    SystemFacts,
    Version,
    label,
    parse_version,
    spelled,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from repo_manager.core.names import Release, Token

_MAJORS: Final = re.compile(r"([0-9]{1,5})(?: - ([0-9]{1,5}))?", re.ASCII)


class _Versions(NamedTuple):
    """One item of `versions`: a major number and the minors of it."""

    major: int
    minors: range

    def has(self, version: Version) -> bool:
        return version.major == self.major and (version.minor is None or version.minor in self.minors)

    def overlaps(self, other: _Versions) -> bool:
        first, last = max(self.minors[0], other.minors[0]), min(self.minors[-1], other.minors[-1])
        return self.major == other.major and first <= last


class SystemsReader:
    """Reads `systems` first, then the `serves` of each package. `evidence` reads the evidence of a mapping."""

    def __init__(self, root: strict_yaml.Mapping, evidence: Callable[[strict_yaml.Mapping], tuple[str, ...]]) -> None:
        self._evidence = evidence
        self._systems = _read_systems(root.mapping("systems"))
        # What is served already: the versions, with the package and its line.
        self._served: dict[str, list[tuple[_Versions, str]]] = {}

    def serves(self, token: Token, view: strict_yaml.Mapping, extension: str) -> tuple[Serves, ...]:
        """The entries of a package, one for each major number."""
        entries = view.mappings("serves")
        if not entries:
            view.problem("serves", "serves: name at least one system")
        return tuple([each for entry in entries for each in self._entry(token, entry, extension)])

    def support(self, serves: Sequence[Serves]) -> Support:
        """The systems with what serves them; `serves` is in the order of the packages."""
        facts = {}
        for title, head in self._systems.items():
            own = [each for each in serves if each.system == (head.served_as or title)]
            facts[title] = head._replace(serves=tuple(each._replace(system=title) for each in own))
        return Support(MappingProxyType(facts))

    def _entry(self, token: Token, entry: strict_yaml.Mapping, extension: str) -> Iterator[Serves]:
        system = self._system(entry, extension)
        items = [item for item in self._versions(token, entry, system) if item is not None]
        since = dict(_since(entry, system, items))
        modernized_from = _one_of(entry, "modernized_from", system, items) if "modernized_from" in entry else None
        template = Serves(
            token,
            system,
            0,
            uncertainty=entry.text("uncertainty", ""),
            resolved_by=frozenset(entry.texts("resolved_by", ())),
            note=entry.text("note", ""),
            note_without_minor=entry.text("note_without_minor", ""),
            evidence=self._evidence(entry),
        )
        if template.resolved_by and not template.uncertainty:
            entry.problem("resolved_by", "resolved_by: there is no uncertainty beside it")
        entry.finish()
        for item in items:
            yield template._replace(
                major=item.major,
                minors=item.minors,
                since=tuple((version, release) for version, release in since.items() if item.has(version)),
                modernized_from=_first_modernized(modernized_from, item),
            )

    def _system(self, entry: strict_yaml.Mapping, extension: str) -> str:
        system = entry.text("system")
        facts = self._systems.get(system)
        if system and facts is None:
            entry.problem("system", f"{system[:80]!r} is not among the systems{_meant(system, self._systems)}")
        elif facts is not None and facts.served_as:
            entry.problem("system", f"{system} is served as {facts.served_as}; name that system")
        elif facts is not None and extension and (extension == ".exe") != (facts.family is Family.WINDOWS):
            entry.problem("system", f"{system} is of the family {facts.family}, and the package ends in {extension}")
        return system

    def _versions(self, token: Token, entry: strict_yaml.Mapping, system: str) -> Iterator[_Versions | None]:
        taken = self._served.setdefault(system, [])
        for index, text in enumerate(entry.text_or_texts("versions")):
            item = _item(entry, system, text, index) if text else None
            twin = next((by for other, by in taken if item is not None and item.overlaps(other)), None)
            if twin is not None:
                entry.problem("versions", f"versions: {text!r} overlaps what is served by {twin}", index)
            if item is not None:
                taken.append((item, f"{token} on line {entry.line('versions')}"))
            yield item


def _read_systems(view: strict_yaml.Mapping) -> dict[str, SystemFacts]:
    found: dict[str, SystemFacts] = {}
    titles = (*known.NAMES, *known.OTHERS)
    for title in view:
        if title not in titles:
            meant = _meant(title, titles)
            view.problem_at_key(title, f"{title[:80]!r} is not a system that the tool can read{meant}")
        entry = view.mapping(title)
        found[title] = SystemFacts(
            family=entry.choice("family", Family),
            settled_by=entry.text("settled_by"),
            note=entry.text("note", ""),
            served_as=entry.text("served_as", ""),
            exclusions=tuple([_exclusion(item) for item in entry.mappings("excluded", required=False)]),
        )
        entry.finish()
    for title, facts in found.items():
        if facts.served_as and (facts.served_as not in found or found[facts.served_as].served_as):
            view.mapping(title).problem("served_as", f"served_as: {facts.served_as[:80]!r} has no packages of its own")
    return found


def _exclusion(view: strict_yaml.Mapping) -> Exclusion:
    majors = ANY
    if "majors" in view:
        text = view.text("majors")
        match = _MAJORS.fullmatch(text)
        if match is not None:
            majors = range(int(match[1]), int(match[2] or match[1]) + 1)
        elif text:
            view.problem("majors", f"majors: {text[:40]!r} is neither a number such as '7' nor a range such as '0 - 7'")
    exclusion = Exclusion(frozenset(view.texts("words")), view.text("why"), majors)
    view.finish()
    return exclusion


def _item(entry: strict_yaml.Mapping, system: str, text: str, index: int) -> _Versions | None:
    first, *rest = [_version(entry, "versions", system, part, index) for part in text.split(" - ")]
    if first is None or None in rest:
        return None
    if not rest:
        minors = ANY if first.minor is None else range(first.minor, first.minor + 1)
        return _Versions(first.major, minors)
    last = rest[0]
    if len(rest) > 1 or last is None or first.minor is None or last.minor is None or first.major != last.major:
        wrong = "is not a range within one major version, such as '8.0 - 8.10'"
    elif first.minor >= last.minor:
        wrong = "does not go upwards"
    else:
        return _Versions(first.major, range(first.minor, last.minor + 1))
    entry.problem("versions", f"versions: {text[:40]!r} {wrong}", index)
    return None


def _version(entry: strict_yaml.Mapping, key: str, system: str, text: str, index: int | None = None) -> Version | None:
    version = parse_version(text)
    if version is not None and spelled(system, version) == text:
        return version
    meant = "" if version is None else f"; write {spelled(system, version)!r}"
    entry.problem(key, f"{key}: {text[:40]!r} is not a version of {system[:80] or 'a system'}{meant}", index)
    return None


def _since(entry: strict_yaml.Mapping, system: str, items: Sequence[_Versions]) -> Iterator[tuple[Version, Release]]:
    """The first release of all versions, or of some."""
    if "since" not in entry:
        return
    if not entry.is_mapping("since"):
        release = entry.release("since")
        for item in items:
            yield Version(item.major, None if item.minors == ANY else item.minors[0]), release
        return
    view = entry.mapping("since")
    for key in view:
        version = parse_version(key)
        if version is None or spelled(system, version) != key or not any(item.has(version) for item in items):
            view.problem_at_key(key, f"since: {key[:40]!r} is not among the versions of this entry")
        else:
            yield version, view.release(key)


def _one_of(entry: strict_yaml.Mapping, key: str, system: str, items: Sequence[_Versions]) -> Version | None:
    text = entry.text(key)
    version = _version(entry, key, system, text) if text else None
    if version is not None and items and not any(item.has(version) for item in items):
        entry.problem(key, f"{key}: {label(system, version)} is not among the versions of this entry")
    return version


def _first_modernized(modernized_from: Version | None, item: _Versions) -> int | None:
    """The first minor for the modernized experience alone; 0 where that is all of them."""
    if modernized_from is None or modernized_from.major > item.major:
        return None
    if modernized_from.major < item.major or modernized_from.minor is None or modernized_from.minor <= item.minors[0]:
        return 0
    return modernized_from.minor


def _meant(text: str, titles: Iterable[str]) -> str:
    near = strict_yaml.nearest(text, titles)
    return f"; did you mean {near!r}?" if near else ""
