"""Values of the core as the JSON documents of the contract, one function per schema."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from repo_manager.core.audit.findings import Severity
from repo_manager.core.plan import Download, Place, Restart, Retire
from repo_manager.core.redaction import shown

if TYPE_CHECKING:
    from collections.abc import Iterable

    from repo_manager.core.audit.findings import Finding, PackageLine
    from repo_manager.core.audit.machine_readiness import InventoryReadiness
    from repo_manager.core.audit.result import AuditResult, Changes
    from repo_manager.core.catalog import Catalog
    from repo_manager.core.errors import RepoManagerError
    from repo_manager.core.names import InstallerName
    from repo_manager.core.plan import Action, Plan
    from repo_manager.core.transaction import Journal, Outcome
    from repo_manager.core.watch_state import WatchEvent

Document = dict[str, Any]

_ERROR_SCHEMA: Final = "repo-manager/error/1"


def error(problem: RepoManagerError) -> Document:
    """Any command that cannot answer."""
    return {"schema": _ERROR_SCHEMA, "error": error_facts(problem)}


def error_facts(problem: RepoManagerError) -> Document:
    """The inner part, which also stands in the document of a run that failed half-way."""
    return {"code": problem.code, "message": problem.message, "hint": problem.hint}


def parsed_name(name: InstallerName, catalog: Catalog) -> Document:
    """One name of `parse` that is an installer's."""
    known = catalog.known(name.token)
    return {
        "name": name.text,
        "ok": True,
        "product": name.product,
        "version": str(name.version),
        "release": str(name.release),
        "package": name.token,
        "known": known,
        "nearest": None if known else catalog.nearest(name.token),
        "channel": name.channel,
        "date": name.date.isoformat(),
        "config": name.config,
        "extension": name.extension,
        "build": str(name.build) if name.build else None,
        "build_derived": name.build_derived,
    }


def refused_name(text: str, reason: str) -> Document:
    """One name of `parse` that is not."""
    return {"name": text, "ok": False, "reason": reason}


def audit(assessed: AuditResult) -> Document:
    """`audit`."""
    judged = assessed.audit
    return {
        "schema": "repo-manager/audit/1",
        "repository": judged.repository,
        "profile": assessed.profile,
        "at": assessed.at.isoformat(timespec="seconds"),
        "release": str(judged.release),
        "deep": assessed.deep,
        "packages": [package_state(state) for state in judged.packages],
        "findings": [finding(found) for found in judged.findings],
        "summary": {
            "errors": judged.count(Severity.ERROR),
            "warnings": judged.count(Severity.WARNING),
            "infos": judged.count(Severity.INFO),
        },
        "signatures_not_checked": list(assessed.unchecked),
        **_of_inventory(assessed.outlooks),
        "changes": changes(assessed.changes) if assessed.changes else None,
    }


def _of_inventory(outlooks: InventoryReadiness | None) -> Document:
    if outlooks is None:
        return {"inventory": None, "needs": [], "machines": []}
    # Loaded by those alone who judge machines: it brings all that is known of systems' names.
    from repo_manager.report import machines

    return machines.document(outlooks)


def changes(found: Changes) -> Document:
    """What has changed since an earlier audit."""
    return {
        "since": found.since.isoformat(timespec="seconds") if found.since else None,
        "earlier": found.earlier,
        "new": [finding(item) for item in found.new],
        "standing": [finding(item) for item in found.standing],
        "fixed": [finding(item) for item in found.fixed],
        "not_looked_for": [finding(item) for item in found.not_looked_for],
        "remarks": list(found.remarks),
    }


def package_state(state: PackageLine) -> Document:
    """One package of `audit`."""
    return {
        "package": state.package,
        "required": state.required,
        "manual": state.manual,
        "state": state.state.value,
        "file": state.file,
        "version": state.version,
        "newest": state.newest,
        "signer": state.signer,
        "read_at": state.read_at.isoformat() if state.read_at else None,
    }


def finding(found: Finding) -> Document:
    """One finding of `audit`."""
    return {
        "code": found.code.value,
        "severity": found.severity.value,
        "package": found.package,
        "file": found.file,
        "machine": found.machine,
        "message": found.message,
        "fix": found.fix,
    }


def plan(actions: Plan) -> Document:
    """`sync --dry-run` and its siblings."""
    document: Document = {"schema": "repo-manager/plan/1", "actions": [action(item) for item in actions.actions]}
    if actions.skipped:
        document["skipped"] = [action(item) for item in actions.skipped]
    return document


def rehearsal(actions: Plan, obstacles: Iterable[RepoManagerError], interrupted: Journal | None) -> Document:
    """`--dry-run` of what changes a repository: the plan, what would stop the run, and what it would undo first."""
    first = None if interrupted is None else {"transaction": interrupted.identity, "command": interrupted.command}
    return {**plan(actions), "interrupted": first, "obstacles": [error_facts(obstacle) for obstacle in obstacles]}


def outcome(done: Outcome) -> Document:
    """`sync` and its siblings."""
    document: Document = {
        "schema": "repo-manager/sync/1",
        "transaction": done.identity,
        "actions": [{**action(item), "result": result.value} for item, result in done.results],
        "service": {
            "restarted": done.service.restarted,
            "state": done.service.state.value,
            "remark": done.service.remark,
        },
    }
    if done.error is not None:
        document["error"] = error_facts(done.error)
    return document


def action(item: Action) -> Document:
    """One action of a plan."""
    facts: Document
    match item:
        case Download():
            facts = {"action": "download", "package": item.token, "source": shown(item.sources[0])}
        case Place():
            facts = {"action": "place", "package": item.token, "source": shown(item.source)}
        case Retire():
            facts = {"action": "retire", "package": item.token, "source": None}
        case Restart():
            return {
                "action": "restart",
                "package": None,
                "name": item.service,
                "source": None,
                "bytes": None,
                "reason": item.reason,
            }
    return {**facts, "name": item.name, "bytes": item.size_bytes, "reason": item.reason}


def happening(thing: WatchEvent) -> Document:
    """One line of `watch`, whose keys beside the first five depend on the event."""
    return {
        "schema": "repo-manager/watch/1",
        "at": thing.at.isoformat(timespec="seconds"),
        "event": thing.what.value,
        "severity": thing.severity.value,
        "message": thing.message,
        **thing.facts,
    }


def names(found: Iterable[Document]) -> Document:
    """`parse`."""
    return {"schema": "repo-manager/parse/1", "names": list(found)}
