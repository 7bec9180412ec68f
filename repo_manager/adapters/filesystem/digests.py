"""What reading a file's bytes showed, and when that was, remembered by size, stamp and file id.

The memory lies in the user's cache folder, not in the repository: an audit changes nothing there.
Losing it costs a second reading, nothing else. The kernels that installers support lie in a file beside it, by digest,
since they are many and few runs ask for them.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from repo_manager.adapters.filesystem import user_cache
from repo_manager.core.audit.findings import Code, FileVerdict
from repo_manager.core.audit.signature_policy import Signature, SignatureState, Signer, Trust

if TYPE_CHECKING:
    from repo_manager.core.repository import FolderEntry

    Confirmed = set[tuple[Path, FolderEntry]]

REMEMBERED_FOR: Final = timedelta(days=30)
"""How long a file is not read again. A disk can lose bytes without any sign of it."""


@dataclass(frozen=True, slots=True)
class KnownDigest:
    """The digest of a file that was read to its end (empty when it could not be), and the verdict on it.

    `read_at` is when its bytes were read, UTC, whole seconds. `signature` holds facts and no verdict, so that it
    outlives a change of what is expected; None where it was not looked at. `kernels` are those that the installer
    lists; None where this reading did not look. What `get` gives never has them: ask `kernels` for those of a digest.
    """

    sha256: str
    verdict: FileVerdict
    read_at: datetime
    signature: Signature | None = None
    kernels: tuple[str, ...] | None = None


class Digests:
    """The memory for one repository. Not safe for several threads.

    `confirmed` is what this process has read itself, for all repositories. Where it is given, as for signed sets, a
    file whose stamp has no change time must be in it to count as read: every user who may write the
    file can set the rest of its stamp. Without it the memory of earlier runs counts for such files too.
    """

    def __init__(self, folder: Path, repository: Path, confirmed: Confirmed | None = None) -> None:
        key = hashlib.sha256(os.path.normcase(repository.absolute()).encode(errors="surrogatepass")).hexdigest()
        self._file = folder / f"{key[:32]}.json"
        self._confirmed = confirmed
        self._entries = self._load()
        self._changed = False
        self._kernels_file = self._file.with_suffix(".kernels.json")
        self._kernels: dict[str, tuple[str, ...]] | None = None
        self._kernels_changed = False

    def get(self, entry: FolderEntry) -> KnownDigest | None:
        """What is known of a file that has not changed since, however old; None where nothing is."""
        item = self._entries.get(entry.name)
        if item is None or item[:4] != [entry.size_bytes, *entry.stamp]:
            return None
        read_at, sha256, code, message, *signature = item[4:]
        verdict = FileVerdict(Code(code) if code else None, message)
        return KnownDigest(sha256, verdict, _time(read_at), _signature(signature[0]) if signature else None)

    def current(self, entry: FolderEntry, now: datetime) -> KnownDigest | None:
        """What is known of a file that need not be read again; None where it must be.

        What was read long ago is not enough, nor what was read at a time that is still to come.
        """
        known = self.get(entry)
        if known is None or not timedelta(0) <= now - known.read_at <= REMEMBERED_FOR:
            return None
        if self._confirmed is None or entry.has_change_time or (self._file, entry) in self._confirmed:
            return known
        return None

    def forget(self, name: str) -> None:
        """Know nothing of a file until it is read again."""
        if self._entries.pop(name, None) is not None:
            self._changed = True

    def put(self, entry: FolderEntry, known: KnownDigest) -> None:
        """Remember."""
        if self._confirmed is not None:
            self._confirmed.add((self._file, entry))
        verdict = known.verdict
        self._entries[entry.name] = [
            entry.size_bytes,
            *entry.stamp,
            int(known.read_at.timestamp()),
            known.sha256,
            verdict.code.value if verdict.code else "",
            verdict.message,
        ]
        if known.signature is not None:
            self._entries[entry.name].append(_written(known.signature))
        self._changed = True
        if known.sha256 and known.kernels is not None and self.kernels(known.sha256) != known.kernels:
            self._all_kernels()[known.sha256] = known.kernels
            self._kernels_changed = True

    def kernels(self, sha256: str) -> tuple[str, ...] | None:
        """The kernels that the installer of this digest lists, maybe none; None where nobody has looked."""
        return self._all_kernels().get(sha256)

    def save(self, names: frozenset[str]) -> None:
        """Write down what is known of `names`, forgetting the rest. A cache that cannot be written is no error."""
        kept = {name: item for name, item in self._entries.items() if name in names}
        if self._kernels_changed:
            current = {item[_SHA256] for item in kept.values()}
            listed = {sha256: list(lines) for sha256, lines in self._all_kernels().items() if sha256 in current}
            if _write(self._kernels_file, {"schema": "repo-manager/kernels/1", "kernels": listed}):
                self._kernels_changed = False
        if not self._changed and len(kept) == len(self._entries):
            return
        if _write(self._file, {"schema": _SCHEMA, "files": kept}):
            self._changed = False

    def _all_kernels(self) -> dict[str, tuple[str, ...]]:
        if self._kernels is None:
            try:
                listed = json.loads(user_cache.read(self._kernels_file) or b"")["kernels"]
                self._kernels = {str(sha256): tuple(map(str, lines)) for sha256, lines in listed.items()}
            except (ValueError, KeyError, TypeError, AttributeError):
                self._kernels = {}
        return self._kernels

    def _load(self) -> dict[str, list[Any]]:
        try:
            document = json.loads(user_cache.read(self._file) or b"")
            files = document["files"]
            if document["schema"] != _SCHEMA or not isinstance(files, dict):
                return {}
            return {str(name): list(item) for name, item in files.items() if _believable(item)}
        except (ValueError, KeyError, TypeError):
            # What others could have written is as good as nothing.
            return {}


def _write(file: Path, document: dict[str, Any]) -> bool:
    return user_cache.write(file, json.dumps(document).encode("ascii"))


_SCHEMA: Final = "repo-manager/digests/2"

# Where an entry has the digest: after size, stamp and the time of reading.
_SHA256: Final = 5


def _believable(item: object) -> bool:
    """An entry is size, the three parts of the stamp, when it was read, digest, code, message, maybe a signature."""
    match item:
        case [int(), int(), int(), int(), int(read_at), str(), str(code), str(), *signature] if code in {"", *Code}:
            return _is_time(read_at) and (
                not signature or (len(signature) == 1 and _signature(signature[0]) is not None)
            )
        case _:
            return False


def _is_time(seconds: int) -> bool:
    try:
        return _time(seconds).timestamp() >= 0
    except (OverflowError, ValueError, OSError):
        return False


def _time(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


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
                return Signature(SignatureState(state), problem, tuple(map(_signer, signers)), roots)
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
