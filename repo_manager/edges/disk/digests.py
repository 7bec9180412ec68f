"""What reading a file's bytes showed, remembered by size, stamp and file id.

The memory lies in the user's cache folder, not in the repository: an audit changes nothing there.
Losing it costs a second reading, nothing else.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from repo_manager.audit import Code, Verdict
from repo_manager.signing import Signature, Signer, State, Trust

if TYPE_CHECKING:
    from collections.abc import Mapping

    from repo_manager.repository import Entry


@dataclass(frozen=True, slots=True)
class Known:
    """The digest of a file that was read to its end (empty when it could not be), and the verdict on it.

    `signature` holds facts and no verdict, so that it outlives a change of what is expected; None where
    nobody has looked.
    """

    sha256: str
    verdict: Verdict
    signature: Signature | None = None


class Digests:
    """The memory for one repository. Not safe for several threads."""

    def __init__(self, folder: Path, repository: Path) -> None:
        key = hashlib.sha256(os.path.normcase(repository.absolute()).encode(errors="surrogatepass")).hexdigest()
        self._file = folder / f"{key[:32]}.json"
        self._entries = self._load()
        self._changed = False

    def get(self, entry: Entry) -> Known | None:
        """What is known of a file that has not changed since; None when it must be read."""
        item = self._entries.get(entry.name)
        if item is None or item[:4] != [entry.size_bytes, *entry.stamp]:
            return None
        code = Code(str(item[5])) if item[5] else None
        return Known(str(item[4]), Verdict(code, str(item[6])), _signature(item[7]) if len(item) > _PLAIN else None)

    def put(self, entry: Entry, known: Known) -> None:
        """Remember."""
        verdict = known.verdict
        self._entries[entry.name] = [
            entry.size_bytes,
            *entry.stamp,
            known.sha256,
            verdict.code.value if verdict.code else "",
            verdict.message,
        ]
        if known.signature is not None:
            self._entries[entry.name].append(_written(known.signature))
        self._changed = True

    def save(self, names: frozenset[str]) -> None:
        """Write down what is known of `names`, forgetting the rest. A cache that cannot be written is no error."""
        kept = {name: item for name, item in self._entries.items() if name in names}
        if not self._changed and len(kept) == len(self._entries):
            return
        temporary = self._file.with_suffix(f".{os.getpid()}.new")
        with contextlib.suppress(OSError):
            self._file.parent.mkdir(parents=True, exist_ok=True)
            temporary.write_text(json.dumps({"schema": "repo-manager/digests/1", "files": kept}), encoding="ascii")
            temporary.replace(self._file)
            self._changed = False

    def _load(self) -> dict[str, list[Any]]:
        try:
            files = json.loads(self._file.read_bytes())["files"]
            if not isinstance(files, dict):
                return {}
            return {str(name): list(item) for name, item in files.items() if _believable(item)}
        except (OSError, ValueError, KeyError, TypeError):
            return {}


# An entry without a signature.
_PLAIN: Final = 7


def _believable(item: object) -> bool:
    match item:
        case [int(), int(), int(), int(), str(), str(code), str()]:
            return code in {"", *Code}
        case [int(), int(), int(), int(), str(), str(code), str(), signature]:
            return code in {"", *Code} and _signature(signature) is not None
        case _:
            return False


def _written(signature: Signature) -> list[Any]:
    signers = [
        [signer.name, signer.trust.value, signer.problem, *map(_stamp, (signer.since, signer.until))]
        for signer in signature.signers
    ]
    return [signature.state.value, signature.problem, signature.roots, signers]


def _signature(item: object) -> Signature | None:
    """The facts as they were written; None when they cannot be believed."""
    try:
        match item:
            case [str(state), str(problem), str(roots), list(signers)]:
                return Signature(State(state), problem, tuple(map(_signer, signers)), roots)
    except ValueError:
        pass
    return None


def _signer(item: object) -> Signer:
    match item:
        case [str(name), str(trust), str(problem), str() | None as since, str() | None as until]:
            times = [datetime.fromisoformat(text) if text else None for text in (since, until)]
            if all(time is None or time.tzinfo is not None for time in times):
                return Signer(name, Trust(trust), problem, *times)
    raise ValueError(item)


def _stamp(time: datetime | None) -> str | None:
    return time.isoformat() if time else None


def cache_folder(environ: Mapping[str, str]) -> Path:
    """The user's cache folder for this tool."""
    if environ.get("REPO_MANAGER_CACHE_DIR"):
        return Path(environ["REPO_MANAGER_CACHE_DIR"])
    if environ.get("LOCALAPPDATA"):
        return Path(environ["LOCALAPPDATA"]) / "repo-manager" / "cache"
    base = environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path(os.path.expanduser("~")) / ".cache") / "repo-manager"  # noqa: PTH111 - Path.home raises where expanduser gives up quietly
