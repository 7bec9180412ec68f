"""Which packages are there, how old they are, and how many machines wait for each."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from repo_manager.core.audit.findings import State
from repo_manager.core.audit.machine_readiness import Prospect
from repo_manager.report.html.machines import WORDS
from repo_manager.report.html.markup import bar, cell, heads, number, text
from repo_manager.report.subjects import published
from repo_manager.report.text import age

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    from repo_manager.core.audit.findings import PackageState
    from repo_manager.core.audit.machine_readiness import Outlooks
    from repo_manager.core.audit.result import Assessment

STATES: Final = {
    State.MISSING: "missing",
    State.CORRUPT: "corrupt",
    State.OUTDATED: "outdated",
    State.DUPLICATE: "doubled",
    State.OK: "as wanted",
}
"""Gravest first."""

_RANK: Final = {state: rank for rank, state in enumerate(STATES)}
_HEADS: Final = ("Package", "State", "Version", "Wanted", "Published", "Age", "Placed")
_OF_PACKAGES: Final = (
    Prospect.READY,
    Prospect.NOT_CURRENT,
    Prospect.MODERNIZED_ONLY,
    Prospect.KERNEL_NOT_SUPPORTED,
    Prospect.WITHOUT_PACKAGE,
)


def table(assessed: Assessment) -> Iterator[str]:
    """A row for each package that is wanted or there."""
    packages = assessed.audit.packages
    counted = Counter(package.state for package in packages)
    yield bar(((state.value, counted[state]) for state in STATES), len(packages))
    yield '<ul class="counts" aria-label="Packages by state">'
    for state, words in STATES.items():
        kind = state.value if counted[state] else f"{state.value} zero"
        yield f'<li class="{kind}"><b>{number(counted[state])}</b> {words}</li>'
    yield "</ul>"
    needs = {need.package: need.machines for need in assessed.outlooks.needs} if assessed.outlooks else None
    signed = any(package.signer for package in packages)
    titles = (*_HEADS, *(("Machines",) if needs is not None else ()), *(("Signed by",) if signed else ()))
    yield '<div class="scroll" role="region" aria-label="Table of packages" tabindex="0">'
    yield f'<table class="sorts">{heads(titles, numbers=frozenset({"Age", "Machines"}))}\n<tbody>'
    today = assessed.at.date()
    oldest = max((_days(package, today) for package in packages), default=0)
    for package in packages:
        machines = None if needs is None else needs.get(package.package, 0)
        yield _row(package, today, oldest, machines, signed=signed)
    yield "</tbody></table></div>"


def _row(package: PackageState, today: date, oldest: int, machines: int | None, *, signed: bool) -> str:
    day = published(package)
    late = package.required and package.version != package.newest and package.version is not None
    cells = [
        f'<th scope="row">{text(package.package)}</th>',
        cell(STATES[package.state], f"state {package.state.value}", sort=_RANK[package.state]),
        cell(text(package.version or "-"), "odd" if late else ""),
        cell(text(package.newest or "-") if package.required else "not wanted", "" if package.required else "soft"),
        cell(day.isoformat() if day else "-"),
        _age(day, today, oldest),
        cell("by hand" if package.manual else ""),
    ]
    if machines is not None:
        cells.append(cell(number(machines) if machines else "-", "number", sort=machines))
    if signed:
        cells.append(cell(text(package.signer or "-")))
    return f"<tr>{''.join(cells)}</tr>"


def _age(day: date | None, today: date, oldest: int) -> str:
    """How old it is, with a length beside it: the oldest has the longest."""
    if day is None:
        return cell("-", "age", sort=-1)
    days = max((today - day).days, 0)
    return cell(f"{bar([('length', days)], oldest, kind='mini')} {age(day, today)}", "age", sort=days)


def _days(package: PackageState, today: date) -> int:
    day = published(package)
    return max((today - day).days, 0) if day else 0


# The chart


def chart(outlooks: Outlooks) -> Iterator[str]:
    """A bar for each package that some machine needs, the longest first, split by what the machines can expect."""
    if not outlooks.needs:
        return
    counted = Counter((outlook.package, outlook.prospect) for outlook in outlooks.machines if outlook.package)
    most = max(need.machines for need in outlooks.needs)
    yield '<p class="legend soft">'
    yield from (f'<span class="swatch {prospect.value}">{WORDS[prospect]}</span>' for prospect in _OF_PACKAGES)
    yield "</p>"
    yield '<table class="chart"><caption class="unseen">Machines that need each package</caption>'
    titles = "".join(
        f'<th scope="col">{title}</th>'
        for title in ("Package", "Machines", "What they can expect", "State of the package")
    )
    yield f'<thead class="unseen"><tr>{titles}</tr></thead>\n<tbody>'
    for need in outlooks.needs:
        parts = [(prospect.value, counted[need.package, prospect]) for prospect in _OF_PACKAGES]
        told = ", ".join(
            f"{counted[need.package, prospect]} {WORDS[prospect]}"
            for prospect in _OF_PACKAGES
            if counted[need.package, prospect]
        )
        length = f'{bar(parts, most, kind="long", height=14)}<span class="unseen">{told}</span>'
        yield (
            f'<tr><th scope="row">{text(need.package)}</th><td class="number">{number(need.machines)}</td>'
            f'<td class="length" title="{told}">{length}</td>'
            f'<td class="state {need.state.value}">{STATES[need.state]}</td></tr>'
        )
    yield "</tbody></table>"
