"""What each machine of an inventory can expect."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Final

from repo_manager.core.audit.machine_readiness import Prospect
from repo_manager.report.html.markup import bar, heads, number, safe_plural, text
from repo_manager.report.subjects import subjects

if TYPE_CHECKING:
    from collections.abc import Iterator

    from repo_manager.core.audit.machine_readiness import Outlooks
    from repo_manager.core.audit.result import Assessment
    from repo_manager.report.subjects import JudgedMachine

WORDS: Final = {
    Prospect.WITHOUT_PACKAGE: "without package",
    Prospect.KERNEL_NOT_SUPPORTED: "kernel not supported",
    Prospect.AMBIGUOUS: "ambiguous",
    Prospect.MODERNIZED_ONLY: "modernized only",
    Prospect.NOT_CURRENT: "package not current",
    Prospect.UNSUPPORTED: "not supported",
    Prospect.UNKNOWN: "not known",
    Prospect.READY: "ready",
}
"""What a prospect is called in the report, gravest first."""

_RANK: Final = {prospect: rank for rank, prospect in enumerate(WORDS)}
_HEADS: Final = ("Machine", "Expectation", "System", "Package", "Why")
# What needs no explanation: there are many of them.
_PLAIN: Final = {Prospect.READY, Prospect.NOT_CURRENT}
_APART: Final = {Prospect.UNSUPPORTED, Prospect.UNKNOWN}
_NAMES_MOST: Final = 200
_TROUBLES_MOST: Final = 500


def table(assessed: Assessment) -> Iterator[str]:
    """A row for each machine, gravest first."""
    outlooks = assessed.outlooks
    if outlooks is None:
        return
    counts = {prospect: outlooks.count(prospect) for prospect in WORDS}
    yield bar(((prospect.value, count) for prospect, count in counts.items()), len(outlooks.machines))
    yield '<ul class="counts" id="prospects" aria-label="Machines by what they can expect">'
    for prospect, count in counts.items():
        kind = prospect.value if count else f"{prospect.value} zero"
        yield f'<li class="{kind}" data-prospect="{prospect.value}"><b>{number(count)}</b> {WORDS[prospect]}</li>'
    yield "</ul>"
    yield (
        '<form id="controls" hidden><label>Search '
        '<input id="search" type="search" autocomplete="off" spellcheck="false"></label>'
        '<button id="reset" type="button">Show all</button><span id="shown" class="soft" role="status"></span>'
        '<span id="pager"><button id="before" type="button">Before</button>'
        '<button id="after" type="button">Next</button></span></form>'
    )
    yield '<div class="scroll many" role="region" aria-label="Table of machines" tabindex="0">'
    yield f'<table id="machines-table">{heads(_HEADS, sorted_by="Expectation")}\n<tbody>'
    machines = subjects(assessed).machines
    yield "\n".join(_row(machine) for machine in sorted(machines, key=lambda one: _RANK[one.outlook.prospect]))
    yield "</tbody></table></div>"


def _row(machine: JudgedMachine) -> str:
    """As short as it can be: there may be many thousands."""
    outlook = machine.outlook
    prospect = outlook.prospect
    marks = ", ".join(_marks(machine))
    system = text(outlook.machine.system) or "-"
    aside = f' <span class="soft">({marks})</span>' if marks else ""
    why = "" if prospect in _PLAIN else text(_why(machine))
    return (
        f'<tr class="{prospect.value}"><th scope="row">{text(machine.label)}</th>'
        f'<td class="state" data-sort="{_RANK[prospect]}">{WORDS[prospect]}</td>'
        f"<td>{system}{aside}</td><td>{text(outlook.package or '-')}</td><td>{why}</td></tr>"
    )


def _marks(machine: JudgedMachine) -> Iterator[str]:
    if machine.outlook.machine.weak:
        yield "as configured"
    if machine.outlook.machine.powered_on is False:
        yield "off"


def _why(machine: JudgedMachine) -> str:
    return machine.finding.message if machine.finding else machine.outlook.why


# Apart


def apart(outlooks: Outlooks) -> Iterator[str]:
    """Systems that no package serves, or that nobody can tell, with the machines that run them."""
    systems: dict[tuple[Prospect, str, str], list[str]] = defaultdict(list)
    for outlook in outlooks.machines:
        if outlook.prospect in _APART:
            systems[outlook.prospect, outlook.machine.system, outlook.why].append(outlook.machine.name)
    if not systems:
        return
    yield '<p class="soft">These are no findings: nothing in the repository could help them.</p>'
    yield '<div class="scroll" role="region" aria-label="Table of systems" tabindex="0">'
    titles = ("System", "Why", "Machines", "Which")
    yield f'<table class="sorts wrap">{heads(titles, numbers=frozenset({"Machines"}))}\n<tbody>'
    for (_, system, why), named in sorted(systems.items(), key=lambda item: (_RANK[item[0][0]], -len(item[1]))):
        names = ", ".join(text(name) for name in named[:_NAMES_MOST])
        more = f" and {number(len(named) - _NAMES_MOST)} more" if len(named) > _NAMES_MOST else ""
        yield (
            f'<tr><th scope="row">{text(system) or "(nothing is said)"}</th><td>{text(why)}</td>'
            f'<td class="number" data-sort="{len(named)}">{number(len(named))}</td><td>{names}{more}</td></tr>'
        )
    yield "</tbody></table></div>"


def left_out(outlooks: Outlooks) -> Iterator[str]:
    """Rows that were skipped, and why."""
    counted = [
        safe_plural(count, word)
        for count, word in ((outlooks.templates, "template"), (outlooks.placeholders, "placeholder"))
        if count
    ]
    if counted:
        yield f"<p>{' and '.join(counted)}.</p>"
    if outlooks.troubles:
        left_out = f"; {safe_plural(outlooks.dropped, 'row')} left out" if outlooks.dropped else ""
        yield f"<p>{safe_plural(len(outlooks.troubles), 'remark')} on the inventory{left_out}:</p>\n<ul>"
        for trouble in outlooks.troubles[:_TROUBLES_MOST]:
            column = f", column {text(trouble.column)}" if trouble.column else ""
            yield f"<li>{text(trouble.place)}{column}: {text(trouble.message)}</li>"
        yield "</ul>"
        if len(outlooks.troubles) > _TROUBLES_MOST:
            yield f'<p class="note">Only the first {_TROUBLES_MOST} are here.</p>'
