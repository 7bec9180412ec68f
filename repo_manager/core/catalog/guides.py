"""The commands that install an agent by hand: the section `guides` of a catalog."""

from __future__ import annotations

import re
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from repo_manager.core.errors import InputError
from repo_manager.core.install_guide import (
    FILLED,
    PLACEHOLDER,
    FamilyPaths,
    Guides,
    NoteRow,
    Parameter,
    ParameterRow,
    Shell,
    Step,
    StepRow,
    When,
    WordsRow,
)
from repo_manager.core.names import Release
from repo_manager.core.systems.support import Family

if TYPE_CHECKING:
    from collections.abc import Callable

    from repo_manager.core.catalog.strict_yaml import Mapping

_RELEASES: Final = re.compile(r"(?:([0-9.]+) )?-(?: ([0-9.]+))?", re.ASCII)
_NAME: Final = re.compile(r"[a-z_]+", re.ASCII)


class _Experience(StrEnum):
    CLASSIC = "classic"
    MODERNIZED = "modernized"


def read_guides(view: Mapping, evidence: Callable[[Mapping], tuple[str, ...]]) -> Guides:
    """The whole table; `evidence` reads the evidence of a row."""
    return _Reader(evidence).guides(view)


class _Reader:
    def __init__(self, evidence: Callable[[Mapping], tuple[str, ...]]) -> None:
        self._evidence = evidence
        self._words: frozenset[str] = frozenset()
        self._families: dict[Family, FamilyPaths] = {}

    def guides(self, view: Mapping) -> Guides:
        families = view.mapping("families")
        self._families = {family: _paths(families.mapping(family)) for family in Family}
        families.finish()
        words = tuple([self._words_row(entry) for entry in view.mappings("words")])
        if not words or words[-1].when != When():
            view.problem("words", "words: the last row must be for all families, experiences and releases")
        self._words = frozenset.intersection(*(frozenset(row.others) for row in words)) if words else frozenset()
        guides = Guides(
            families=MappingProxyType(self._families),
            words=words,
            steps=tuple([self._step(entry) for entry in view.mappings("steps")]),
            parameters=tuple([self._parameter(entry) for entry in view.mappings("parameters")]),
            notes=tuple([self._note(entry) for entry in view.mappings("notes", required=False)]),
        )
        # The catalog itself reads this key.
        "modernized_assumed_since" in view  # noqa: B015 - marks the key as known
        view.finish()
        return guides

    def _words_row(self, entry: Mapping) -> WordsRow:
        others = _named(entry.mapping("others", required=False))
        row = WordsRow(_when(entry), entry.text("agent"), entry.text("master_target"), others, entry.text("remark", ""))
        self._evidence(entry)
        entry.finish()
        return row

    def _step(self, entry: Mapping) -> StepRow:
        when = _when(entry)
        step = Step(
            title=entry.text("title"),
            shell=Shell.CMD if when.family is Family.WINDOWS else Shell.SH,
            commands=self._templates(entry, "commands", when),
            remark=self._template(entry, "remark", when) if "remark" in entry else "",
            evidence=self._evidence(entry),
        )
        row = StepRow(when, entry.text("action"), step)
        entry.finish()
        return row

    def _parameter(self, entry: Mapping) -> ParameterRow:
        when = _when(entry)
        parameter = Parameter(
            flag=entry.text("flag"),
            required=entry.flag("required"),
            meaning=self._template(entry, "meaning", when),
            values=self._templates(entry, "values", when) if "values" in entry else (),
        )
        row = ParameterRow(when, entry.text("action"), parameter)
        self._evidence(entry)
        entry.finish()
        return row

    def _note(self, entry: Mapping) -> NoteRow:
        row = NoteRow(_when(entry), entry.text("text"), self._evidence(entry))
        entry.finish()
        return row

    def _templates(self, entry: Mapping, key: str, when: When) -> tuple[str, ...]:
        texts = entry.texts(key)
        for index, text in enumerate(texts):
            self._check(entry, key, text, when, index)
        return texts

    def _template(self, entry: Mapping, key: str, when: When) -> str:
        text = entry.text(key)
        self._check(entry, key, text, when)
        return text

    def _check(self, entry: Mapping, key: str, text: str, when: When, index: int | None = None) -> None:
        """Refuse a placeholder that not every guide for the row has a value for."""
        families = [self._families[when.family]] if when.family else list(self._families.values())
        known = FILLED | self._words | frozenset.intersection(*(frozenset(each.below) for each in families))
        for name in PLACEHOLDER.findall(text):
            if name not in known:
                entry.problem(key, f"{key}: {{{name}}} is not one of {', '.join(sorted(known))}", index)


def _paths(entry: Mapping) -> FamilyPaths:
    paths = FamilyPaths(
        entry.text("install_dir"), entry.texts("logs", ()), _named(entry.mapping("below", required=False))
    )
    entry.finish()
    return paths


def _named(view: Mapping) -> MappingProxyType[str, str]:
    for key in view:
        if _NAME.fullmatch(key) is None or key in FILLED:
            view.problem_at_key(key, f"{key[:40]!r} is not a new name of a placeholder, such as agent_dir")
    return MappingProxyType({key: view.text(key) for key in view})


def _when(entry: Mapping) -> When:
    first, last = _releases(entry) if "releases" in entry else (None, None)
    return When(
        family=entry.choice("family", Family) if "family" in entry else None,
        classic=entry.choice("experience", _Experience) is _Experience.CLASSIC if "experience" in entry else None,
        first=first,
        last=last,
    )


def _releases(entry: Mapping) -> tuple[Release | None, Release | None]:
    text = entry.text("releases")
    match = _RELEASES.fullmatch(text)
    try:
        if match is not None and (match[1] or match[2]):
            first, last = (Release.parse(part) if part else None for part in match.groups())
            if first is None or last is None or first <= last:
                return first, last
    except InputError:
        pass
    if text:
        entry.problem("releases", f"releases: {text[:40]!r} is not a range such as '9.40 - 9.54', '9.55 -' or '- 9.39'")
    return None, None
