"""The tool's own small files as JSON: journals of transactions, and the records of placed files."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from repo_manager.adapters.filesystem.paths import SUBFOLDER, component, own_name
from repo_manager.core.errors import InputError, MachineError
from repo_manager.core.service import ServiceState
from repo_manager.core.transaction import Journal, Move

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class PlacedRecord:
    """What is remembered of a file that was placed."""

    sha256: str
    size_bytes: int


def from_bytes(text: bytes) -> dict[str, Any] | None:
    """What a file of the tool's own says, None when it is not ours."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return data if isinstance(data, dict) else None


def journal_to_json(journal: Journal) -> dict[str, Any]:
    """The journal as it is written down."""
    return {
        "schema": "repo-manager/journal/1",
        "id": journal.identity,
        "command": journal.command,
        "service_was": journal.service_was,
        "moves": [[move.origin, move.destination, move.size_bytes] for move in journal.moves],
        **({"undoes": journal.undoes} if journal.undoes else {}),
        "sha256": {move.destination: move.sha256 for move in journal.moves if move.sha256},
        "damaged": [move.destination for move in journal.moves if move.damaged],
    }


def journal_from_json(data: dict[str, Any]) -> Journal:
    """What was written down.

    Raises:
        MachineError: `journal-unreadable`; it says something that the tool does not write.
    """
    try:
        identity = component(str(data["id"]))
        moves = tuple(_move_from_json(origin, destination, size) for origin, destination, size in data["moves"])
        # Journals of version 0.1 have neither.
        digests, damaged = dict(data.get("sha256", {})), frozenset(data.get("damaged", ()))
        moves = tuple(
            replace(move, sha256=digests.get(move.destination), damaged=move.destination in damaged) for move in moves
        )
        undoes = str(data.get("undoes", ""))
        return Journal(identity, str(data["command"]), moves, ServiceState(data["service_was"]), undoes)
    except (KeyError, TypeError, ValueError, InputError) as error:
        raise UnreadableJournalError from error


# `retired` and the transaction's identity.
_RETIRED_DEPTH: Final = 2


def _move_from_json(origin: object, destination: object, size: object) -> Move:
    """A move as the tool plans them: a file comes in, or goes out, under the name it has.

    Raises:
        ValueError: any other; a journal that was tampered with must not move anything else.
    """
    inside, outside = sorted((str(origin), str(destination)), key=lambda path: path.startswith("../"))
    *folder, name = inside.split("/")
    known = folder == ["staging"] or (len(folder) == _RETIRED_DEPTH and folder[0] == "retired")
    sized = size is None or type(size) is int
    if not known or outside != f"../{name}" or not sized:
        raise ValueError(origin, destination, size)
    component("/".join(folder[1:]) or "staging")
    own_name(name)
    return Move(str(origin), str(destination), size if type(size) is int else None)


def damaged(identity: str, reason: str) -> Journal:
    """A past transaction whose journal cannot be read."""
    return Journal(identity, "unknown", (), damaged=reason)


class UnreadableJournalError(MachineError):
    """A journal is not as the tool writes it."""

    def __init__(self) -> None:
        super().__init__(
            "journal-unreadable",
            "the journal of the last transaction cannot be read",
            f"look into {SUBFOLDER}/journal.json, put the files back by hand and remove it",
        )


def records_to_json(records: Mapping[str, PlacedRecord]) -> dict[str, Any]:
    """The records as they are written down, by name."""
    files = {name: {"sha256": item.sha256, "size_bytes": item.size_bytes} for name, item in sorted(records.items())}
    return {"schema": "repo-manager/records/1", "files": files}


def records_from_json(data: dict[str, Any] | None) -> dict[str, PlacedRecord] | None:
    """What is remembered; None where it is not as the tool writes it."""
    try:
        files = (data or {})["files"]
        return {name: PlacedRecord(str(item["sha256"]), int(item["size_bytes"])) for name, item in files.items()}
    except (KeyError, TypeError, AttributeError, ValueError, OverflowError):
        return None
