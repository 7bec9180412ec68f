"""An audit as SARIF 2.1.0, for code scanning of GitHub, Azure DevOps and others.

A finding about a file lies in the folder `REPOSITORY`, one about a machine in the inventory, at its line where the
inventory is text. Fingerprints are those by which audits are compared: they stay as long as the trouble does.
The run has no `automationDetails`: it would win over the category that a workflow gives an upload, and without a
category of its own the audit of one server would replace that of another.

Evidence: the OASIS standard "Static Analysis Results Interchange Format (SARIF) Version 2.1.0", and GitHub's page
"SARIF support for code scanning": what it needs of rules and locations, and that it takes 25,000 results of a run.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from textwrap import indent
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from repo_manager.core.audit.comparison import identity
from repo_manager.core.audit.findings import Code, Severity
from repo_manager.core.explanations import BlockKind
from repo_manager.report.rules import RULES
from repo_manager.report.subjects import sentence, subjects
from repo_manager.report.text import plural, safe
from repo_manager.report.uris import reference, segment
from repo_manager.version import __version__

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from repo_manager.core.audit.findings import Finding
    from repo_manager.core.audit.result import AuditResult
    from repo_manager.core.explanations import Page

_SCHEMA: Final = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_RESULTS_MOST: Final = 25_000
_BASE: Final = "REPOSITORY"
_PLACE: Final = re.compile(
    r"(?:(?P<file>.+), )?(?:line (?P<line>[1-9][0-9]{0,9})|sheet .*, row [0-9]+)", re.DOTALL | re.ASCII
)

_LEVELS: Final = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}
# As GitHub calls them.
_PROBLEMS: Final = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "recommendation"}
_PLACES: Final = {code: place for place, code in enumerate(Code)}

_NO_PAGES: Final[Mapping[str, Page]] = MappingProxyType({})

Part = dict[str, Any]


def render(assessed: AuditResult, pages: Mapping[str, Page] = _NO_PAGES, *, published_at: str | None = None) -> str:
    """The document.

    Args:
        assessed: the audit.
        pages: what is known of each code, which goes along as the help of its rule.
        published_at: the address below which the pages can be read as well; None where nobody has published them.
    """
    run: Part = {
        "tool": {"driver": _driver(pages, published_at)},
        "invocations": [_invocation(assessed)],
        "originalUriBaseIds": {_BASE: _base(assessed.audit.repository)},
        "results": list(_results(assessed)),
        "properties": {
            "profile": assessed.profile,
            "release": str(assessed.audit.release),
            "deep": assessed.deep,
        },
    }
    return json.dumps({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}, indent=1)


# The tool and its run


def _driver(pages: Mapping[str, Page], published_at: str | None) -> Part:
    return {
        "name": "repo-manager",
        "fullName": "repo-manager audit",
        "semanticVersion": __version__,
        "rules": [_rule(code, pages.get(code), published_at) for code in Code],
    }


def _rule(code: Code, page: Page | None, published_at: str | None) -> Part:
    rule = RULES[code]
    meaning = rule.meaning[0].upper() + rule.meaning[1:] + "."
    command = f"repo-manager explain {code}"
    described: Part = {
        "id": code.value,
        # Azure DevOps wants one, and it may not be the id in other letters.
        "name": "Audit" + "".join(word.capitalize() for word in code.split("-")),
        "shortDescription": {"text": meaning},
        "fullDescription": {"text": page.summary if page else meaning},
        "help": {
            "text": "\n\n".join(_told(page, "")) if page else f"{meaning} More: {command}",
            "markdown": "\n\n".join(_told(page, "## ")) if page else f"{meaning} More: `{command}`",
        },
        "defaultConfiguration": {"level": _LEVELS[rule.severities[0]]},
        "properties": {"precision": "very-high", "problem.severity": _PROBLEMS[rule.severities[0]]},
    }
    if published_at is not None:
        described["helpUri"] = f"{published_at.rstrip('/')}/{code}.md"
    return described


def _told(page: Page, heading: str) -> Iterator[str]:
    """The page, a paragraph each; with a mark before its headings it is Markdown."""
    for section in page.sections:
        yield f"{heading}{section.title}"
        for block in section.blocks:
            match block.kind:
                case BlockKind.PARAGRAPH:
                    yield block.text
                case BlockKind.ITEM:
                    yield f"- {block.text}"
                case BlockKind.CODE:
                    # Four columns make it code, in Markdown and to the eye.
                    yield indent(block.text, "    ")


def _invocation(assessed: AuditResult) -> Part:
    found: Part = {"executionSuccessful": True, "endTimeUtc": f"{assessed.at:%Y-%m-%dT%H:%M:%S}Z"}
    notes = []
    left_out = len(assessed.audit.findings) - _RESULTS_MOST
    if left_out > 0:
        notes.append(f"{plural(left_out, 'finding')} left out: only the gravest {_RESULTS_MOST} are here")
    if assessed.unchecked:
        notes.append(f"the signature of {plural(len(assessed.unchecked), 'installer')} was not looked at")
    if notes:
        found["toolExecutionNotifications"] = [{"level": "note", "message": {"text": note}} for note in notes]
    return found


def _base(repository: str) -> Part:
    described: Part = {"description": {"text": "The repository that was audited."}}
    uri = reference(repository)
    if uri.startswith("file:"):
        described["uri"] = uri if uri.endswith("/") else f"{uri}/"
    return described


# Results


def _results(assessed: AuditResult) -> Iterator[Part]:
    new = {id(finding) for finding in assessed.changes.new} if assessed.changes else None
    seen: Counter[tuple[str, ...]] = Counter()
    at = _Places(assessed)
    for finding in assessed.audit.findings[:_RESULTS_MOST]:
        same = identity(finding)
        seen[same] += 1
        digest = hashlib.sha256(repr((*same, seen[same])).encode()).hexdigest()
        result: Part = {
            "ruleId": finding.code.value,
            "ruleIndex": _PLACES[finding.code],
            "level": _LEVELS[finding.severity],
            "message": {"text": _plain(f"{sentence(finding)}. To mend it: {finding.fix}")},
            "locations": [at.location(finding)],
            # The second is the only one that GitHub looks at.
            "partialFingerprints": {"finding/v1": digest, "primaryLocationLineHash": digest[:32]},
            "properties": {"fix": finding.fix},
        }
        if new is not None:
            result["baselineState"] = "new" if id(finding) in new else "unchanged"
        yield result


class _Places:
    """Where findings are."""

    def __init__(self, assessed: AuditResult) -> None:
        self._inventory = assessed.outlooks.inventory if assessed.outlooks else ""
        self._places = {
            id(machine.finding): machine.outlook.machine.place
            for machine in subjects(assessed).machines
            if machine.finding is not None
        }

    def location(self, finding: Finding) -> Part:
        return {"physicalLocation": self._physical(finding), "logicalLocations": [_logical(finding)]}

    def _physical(self, finding: Finding) -> Part:
        if id(finding) in self._places:
            return _in_inventory(self._places[id(finding)], self._inventory)
        # A folder's reference ends with a slash, and this is the base itself.
        uri = segment(finding.file) if finding.file else "./"
        return {"artifactLocation": {"uri": uri, "uriBaseId": _BASE}}


def _in_inventory(place: str, inventory: str) -> Part:
    """A machine's place. Of several inventories it begins with the file's name; in a workbook a row is no line."""
    match = _PLACE.fullmatch(place)
    if match is None:
        return {"artifactLocation": {"uri": reference(inventory)}}
    found: Part = {"artifactLocation": {"uri": reference(match["file"] or inventory)}}
    return {**found, "region": {"startLine": int(match["line"])}} if match["line"] else found


def _logical(finding: Finding) -> Part:
    if finding.machine is not None:
        return {"name": safe(finding.machine), "kind": "machine"}
    if finding.package is not None:
        return {"name": finding.package, "kind": "package"}
    return {"name": "repository", "kind": "repository"}


def _plain(text: str) -> str:
    """The text as a message that has neither placeholders nor links, which this format would see in it."""
    text = re.sub(r"\{(?=[0-9])", "{{", safe(text))
    return re.sub(r"\[(?=[^\]]*\]\()", r"\\[", text)
