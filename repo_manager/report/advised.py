"""How to get from one release to another, for people and as JSON."""

from __future__ import annotations

import sys
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

from repo_manager.core.catalog import ReleaseStatus
from repo_manager.core.upgrade import UpgradePart
from repo_manager.report.text import paragraph, plural, table

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from repo_manager.core.catalog import Catalog
    from repo_manager.core.upgrade import Advice, PackageToPlace, ServerPosition, SkippedRelease, UpgradeStep


def document(advice: Advice, catalog: Catalog) -> dict[str, Any]:
    """`advise` as JSON."""
    return {
        "schema": "repo-manager/advise/1",
        "servers": str(advice.start.servers),
        "agents": str(advice.start.agents),
        "target": str(advice.target),
        "experience": "classic" if advice.classic else "modernized",
        "present": [str(release) for release in advice.start.present],
        "backwards": advice.backwards,
        "fleet": [_stand_facts(stand) for stand in advice.start.fleet],
        "here": [_left_out_facts(here) for here in advice.here],
        "steps": [_step_facts(step, catalog) for step in advice.steps],
        "left_out": [_left_out_facts(left) for left in advice.left_out],
        "notes": list(advice.notes),
    }


def _stand_facts(stand: ServerPosition) -> dict[str, Any]:
    release, oldest = (str(value) if value else None for value in (stand.release, stand.oldest))
    return {"host": stand.host, "role": stand.role, "release": release, "oldest": oldest}


def _left_out_facts(left: SkippedRelease) -> dict[str, Any]:
    return {"release": str(left.release), "why": [reason.value for reason in left.why]}


def _step_facts(step: UpgradeStep, catalog: Catalog) -> dict[str, Any]:
    facts = step.facts
    return {
        "release": str(step.release),
        "published": facts.published,
        "for_classic": facts.for_classic.value,
        "ahead": step.ahead,
        "too_far": step.too_far,
        "between": [str(release) for release in step.between],
        "linked": step.linked,
        "parts": [part.value for part in step.parts],
        "packages": [_package_facts(item) for item in step.packages],
        "note": facts.note,
        "evidence": _evidence(step, catalog),
    }


def _evidence(step: UpgradeStep, catalog: Catalog) -> list[str]:
    return [catalog.sources.get(key, key) for key in step.facts.evidence]


def _package_facts(item: PackageToPlace) -> dict[str, Any]:
    return {"package": item.token, "manual": item.manual, "file": item.file, "url": item.url}


def text(advice: Advice, command: str, width: int) -> str:
    """`advise` for people. `command` is how the commands to paste begin."""
    parts: list[tuple[str, Iterable[str]]] = [
        ("", _heading(advice, width)),
        ("the servers, by what they have", _fleet(advice.start.fleet, width)),
        ("", _overview(advice)),
        ("at each step, in this order", _order(advice, width)),
        ("what to place", _placing(advice, command, width)),
        ("too far", _too_far(advice, width)),
        ("doubtful for classic servers, because pages disagree", _doubtful(advice, width)),
        ("on the way, and never a step", _left_out(advice.left_out, width)),
        ("worth knowing", (paragraph(note, width, first="  ", rest="  ") for note in advice.notes)),
    ]
    found = [(title, tuple(lines)) for title, lines in parts]
    return "\n\n".join("\n".join([title, *lines] if title else lines) for title, lines in found if lines)


def _heading(advice: Advice, width: int) -> Iterator[str]:
    start, experience = advice.start, "classic" if advice.classic else "modernized"
    same = start.servers == start.agents
    servers = "servers" if advice.classic else "appliance"
    where = f"from {start.servers}" if same else f"{servers} {start.servers}, agents {start.agents},"
    count = plural(len(advice.steps), "step") if advice.steps else "nothing to do"
    if advice.backwards:
        count = "no steps"
    yield f"{where} to {advice.target}: {count} ({experience} experience)"
    if advice.backwards:
        words = f"{advice.target} is older than what you have: steps only lead to newer releases, never back"
        yield paragraph(words, width)
    for here in advice.here:
        yield paragraph(f"release {here.release}: {', '.join(_REASONS[reason] for reason in here.why)}", width)


def _fleet(fleet: tuple[ServerPosition, ...], width: int) -> Iterator[str]:
    """The servers of each release, the oldest first, and those that nobody knows of."""
    for _, group in groupby(sorted(fleet, key=_age), _age):
        stands = tuple(group)
        release, oldest = stands[0].release, stands[0].oldest
        older = f" (some packages {oldest})" if oldest != release else ""
        hosts = ", ".join(
            f"{stand.host} ({_ROLES[stand.role]})" if stand.role in _ROLES else stand.host for stand in stands
        )
        yield paragraph(f"{release or 'not known'}{older}: {hosts}", width, first="  ", rest="    ")


# What is nothing else than a process server needs no word.
_ROLES: Final = {"configuration-server": "configuration server"}


def _age(stand: ServerPosition) -> tuple[tuple[int, int], ...]:
    return tuple((value.major, value.minor) if value else (sys.maxsize, 0) for value in (stand.release, stand.oldest))


def _overview(advice: Advice) -> Iterator[str]:
    rows = [
        (
            str(number),
            str(step.release),
            step.facts.published,
            str(len(step.packages)),
            str(sum(item.manual for item in step.packages)),
            str(sum(item.url is not None for item in step.packages) or "-"),
            ", ".join([*(["too far"] if step.too_far else []), *(["doubtful"] if step.doubtful else [])]),
        )
        for number, step in enumerate(advice.steps, start=1)
    ]
    headings = ("STEP", "RELEASE", "PUBLISHED", "PACKAGES", "BY HAND", "LINKS", "REMARK")
    if rows:
        yield table(headings, rows, right=(3, 4, 5))


_WORDS: Final = {
    UpgradePart.CONFIGURATION_SERVER: "upgrade the configuration server",
    UpgradePart.PROCESS_SERVERS: "upgrade each scale-out process server",
    UpgradePart.APPLIANCE: "upgrade each replication appliance",
    UpgradePart.PACKAGES: "place the packages on each of these servers",
    UpgradePart.AGENTS: "upgrade the agents, and reboot their machines",
}


def _order(advice: Advice, width: int) -> Iterator[str]:
    needed = {part for step in advice.steps for part in step.parts}
    for letter, part in zip("abcd", (part for part in UpgradePart if part in needed), strict=False):
        left_out = [step for step in advice.steps if part not in step.parts]
        words = f" (not at {_spans(advice, left_out)}: already there)" if left_out else ""
        what = _WORDS[part] if advice.classic else _WORDS[part].replace("of these servers", "appliance")
        yield paragraph(f"{what}{words}", width, first=f"  {letter}. ", rest="     ")


def _spans(advice: Advice, steps: Sequence[UpgradeStep]) -> str:
    """Those steps by number: `step 1`, `steps 1 to 3`. They follow each other."""
    first, last = (advice.steps.index(step) + 1 for step in (steps[0], steps[-1]))
    return f"step {first}" if first == last else f"steps {first} to {last}"


def _placing(advice: Advice, command: str, width: int) -> Iterator[str]:
    for number, step in enumerate(advice.steps, start=1):
        yield from _to_place(f"{number}. {step.release}  ", step, command, width)
    for by_hand, group in groupby(advice.steps, _by_hand):
        if by_hand:
            who = "servers" if advice.classic else "appliances"
            words = f"by hand at {_spans(advice, list(group))}, because {who} may come without: {', '.join(by_hand)}"
            yield paragraph(words, width, first="  ", rest="    ")
    if not all(item.url for step in advice.steps for item in step.packages):
        words = "Where there is no link, take the installers from an archive of your own, or ask Microsoft's support."
        yield paragraph(words, width, first="  ", rest="  ")


def _by_hand(step: UpgradeStep) -> tuple[str, ...]:
    return tuple(item.token for item in step.packages if item.manual)


def _to_place(head: str, step: UpgradeStep, command: str, width: int) -> Iterator[str]:
    without = [item.token for item in step.packages if item.url is None]
    indent = " " * (len(head) + 2)
    lines = []
    if len(without) < len(step.packages):
        lines.append(f"{indent}{command} sync --release {step.release}")
    if without:
        which = "any package" if len(without) == len(step.packages) else ", ".join(without)
        lines.append(paragraph(f"the catalog has no link for {which}", width, first=indent, rest=indent))
        # What is older than the folder's own must be asked for.
        older = " --allow-older" if step.parts[0] is UpgradePart.PACKAGES else ""
        lines.append(f"{indent}{command} add FILE{older}")
    yield f"  {head}{lines[0].removeprefix(indent)}"
    yield from lines[1:]


def _too_far(advice: Advice, width: int) -> Iterator[str]:
    for step in advice.steps:
        if not step.too_far:
            continue
        distance = "of another major version" if step.ahead is None else f"{step.ahead} releases ahead"
        words = f"{step.release} is {distance}: the rule allows less, and no release in between may be a step."
        if step.between:
            words += f" The rule alone would go over {', '.join(map(str, step.between))}, which are vulnerable."
        yield paragraph(f"{words} Ask Microsoft's support before you begin.", width, first="  ", rest="  ")


def _doubtful(advice: Advice, width: int) -> Iterator[str]:
    for step in advice.steps:
        if step.doubtful:
            yield paragraph(f"{step.release}: {step.facts.note}", width, first="  ", rest="    ")


def _left_out(left_out: tuple[SkippedRelease, ...], width: int) -> Iterator[str]:
    """A line per reason, with neighbours in the list as a range."""
    reasons = sorted({left.why for left in left_out}, key=[left.why for left in left_out].index)
    for why in reasons:
        places = [place for place, left in enumerate(left_out) if left.why == why]
        runs = groupby(enumerate(places), lambda pair: pair[1] - pair[0])
        spans = [[left_out[place] for _, place in run] for _, run in runs]
        words = ", ".join(
            str(span[0].release) if len(span) == 1 else f"{span[0].release} to {span[-1].release}" for span in spans
        )
        label = ", ".join(_REASONS[reason] for reason in why)
        yield paragraph(f"{label}: {words}", width, first="  ", rest="    ")


_REASONS: Final = {
    ReleaseStatus.WITHDRAWN: "withdrawn",
    ReleaseStatus.VULNERABLE: "vulnerable",
    ReleaseStatus.NOT_FOR_CLASSIC: "not for classic servers",
    ReleaseStatus.CLASSIC_ONLY: "for classic servers alone",
    ReleaseStatus.UNSUPPORTED: "out of support",
}
