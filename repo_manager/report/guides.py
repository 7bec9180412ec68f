"""One package with its manual installation, for people and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from repo_manager.core.systems.support import spelled
from repo_manager.report.text import paragraph, table

if TYPE_CHECKING:
    from repo_manager.core.catalog import Catalog, Package
    from repo_manager.core.install_guide import Guide, Placing, Step
    from repo_manager.core.systems.support import Serves


def document(package: Package, catalog: Catalog, guide: Guide, placing: Placing | None) -> dict[str, Any]:
    """`show` as JSON."""
    return {
        "schema": "repo-manager/show/1",
        "package": package.token,
        "systems": list(package.systems),
        "serves": [serves(each) for each in package.serves],
        "extension": package.extension,
        "since": str(package.since) if package.since else None,
        "modernized_only": package.modernized_only,
        "manual": catalog.manual(package.token, guide.release),
        "manual_since": str(package.manual.since) if package.manual and package.manual.since else None,
        "manual_evidence": list(package.manual.evidence) if package.manual else [],
        "note": package.note,
        "release": str(guide.release),
        "standing": sorted(catalog.standing(guide.release)),
        "links": [
            {"release": str(facts.release), "name": link.name.text, "url": link.url}
            for facts in reversed(catalog.releases)
            if (link := facts.links.get(package.token)) is not None
        ],
        "placing": placing._asdict() if placing else None,
        "guide": guide._asdict()
        | {"release": str(guide.release), "steps": [_step_document(each) for each in guide.steps]},
    }


def serves(each: Serves) -> dict[str, Any]:
    """Versions of one system that a package serves, as JSON."""
    return {
        "system": each.system,
        "versions": each.versions,
        "since": [
            {"version": spelled(each.system, version), "release": str(release)} for version, release in each.since
        ],
        "modernized_from": each.modernized_version,
        "uncertainty": each.uncertainty,
        "resolved_by": sorted(each.resolved_by),
        "note": each.note,
        "note_without_minor": each.note_without_minor,
        "evidence": list(each.evidence),
    }


def _step_document(step: Step) -> dict[str, Any]:
    return step._asdict() | {"parameters": [each._asdict() for each in step.parameters]}


def text(package: Package, catalog: Catalog, guide: Guide, placing: Placing | None, width: int) -> str:
    """`show` for people."""
    lines = [package.token, ""]
    facts = {
        "systems": "; ".join(package.systems),
        "since": f"release {package.since}" if package.since else "unknown",
        "experience": "modernized alone" if package.modernized_only else "classic and modernized",
        "by hand": _by_hand(package, catalog),
        "note": package.note,
    }
    lines += [
        paragraph(f"{key:<10}  {value}", width, first="  ", rest=" " * 14) for key, value in facts.items() if value
    ]
    standing = ", ".join(sorted(catalog.standing(guide.release)))
    lines += ["", f"release {guide.release}{f' ({standing})' if standing else ''}: {guide.file_name}"]
    lines += ["", "official links"]
    for release in reversed(catalog.releases):
        link = release.links.get(package.token)
        if link is not None:
            lines.append(f"  {link.url}")
    if lines[-1] == "official links":
        lines.append("  none is known")
    if placing is not None:
        lines += ["", placing.title.lower()]
        lines += [
            paragraph(f"{number}. {sentence}", width, first="  ", rest="     ")
            for number, sentence in enumerate(placing.sentences, start=1)
        ]
    lines += ["", f"install and register the agent by hand on a {guide.system} machine"]
    for number, step in enumerate(guide.steps, start=1):
        lines += ["", *_step(number, step, width)]
    for title, items in (("logs", guide.logs), ("worth knowing", guide.notes)):
        if items:
            lines += ["", title, *(paragraph(item, width, first="  ", rest="  ") for item in items)]
    return "\n".join(lines)


def _by_hand(package: Package, catalog: Catalog) -> str:
    if package.manual is None:
        return "no, it comes with the servers"
    since = f"from release {package.manual.since}" if package.manual.since else "since when is unclear"
    pages = "; ".join(catalog.sources.get(key, key) for key in package.manual.evidence)
    note = f" {package.manual.note}" if package.manual.note else ""
    return f"yes, {since} (evidence: {pages}).{note}"


def _step(number: int, step: Step, width: int) -> list[str]:
    lines = [f"{number}. {step.title}", *(f"     {command}" for command in step.commands)]
    if step.remark:
        lines.append(paragraph(step.remark, width, first="   ", rest="   "))
    if step.parameters:
        rows = [(parameter.flag, "required" if parameter.required else "optional") for parameter in step.parameters]
        heads = table(("", ""), rows).splitlines()[1:]
        for head, parameter in zip(heads, step.parameters, strict=True):
            values = f" ({', '.join(parameter.values)})" if parameter.values else ""
            indent = " " * (len(head) + 5)
            lines.append(paragraph(f"{head}  {parameter.meaning}{values}", width, first="   ", rest=indent))
    return lines
