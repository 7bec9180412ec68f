"""A signed set as it lies in a depot: The Update Framework's metadata, and the installers by digest.

    metadata/N.root.json        which keys count; every one is kept
    metadata/N.targets.json     what the set holds
    metadata/N.snapshot.json    which targets belong together
    metadata/timestamp.json     which snapshot is the newest; written last
    targets/SHA256.NAME         the installers

Here is what writers and followers share: the layout, the bounds, and how metadata are read.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from repo_manager.adapters.filesystem.paths import component
from repo_manager.core import names, strict_json
from repo_manager.core.errors import InputError, RepoManagerError, VerificationError
from repo_manager.core.names import InstallerName, InvalidNameError

if TYPE_CHECKING:
    from datetime import datetime

    from tuf.api.metadata import Metadata, Targets

TIMESTAMP: Final = "metadata/timestamp.json"
ROOT_LIMIT: Final = 512_000
TIMESTAMP_LIMIT: Final = 16_384
SNAPSHOT_LIMIT: Final = 2_000_000
TARGETS_LIMIT: Final = 5_000_000

# What tells that there is nothing at a place, whichever kind of depot it is.
ABSENT: Final = frozenset({"not-at-source", "not-found"})
# Where the root is refused to strangers, S3 says so of every file that is not there.
NO_NEWER_ROOT: Final = ABSENT | {"access-denied"}

_DIGEST: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)
_PAYLOAD: Final = re.compile(r"targets/([0-9a-f]{64})\.([^/]+)", re.ASCII)
_METADATA: Final = re.compile(r"metadata/([1-9][0-9]{0,17})\.(root|targets|snapshot)\.json", re.ASCII)
_LARGEST: Final = 8 << 30


class SetExpiredError(VerificationError):
    """The set is no longer valid."""


class MixedSetError(VerificationError):
    """The metadata do not fit each other. It may pass: the leader may have replaced a key between two of our reads."""


@dataclass(frozen=True, slots=True)
class SetMember:
    """One installer of a set. `sha256` in lower-case hex; None for a plain folder, which says nothing of it."""

    name: InstallerName
    sha256: str | None
    size_bytes: int

    @property
    def path(self) -> str:
        """Where a depot has it."""
        return payload_path(self.sha256, self.name.text) if self.sha256 else self.name.text


@dataclass(frozen=True, slots=True)
class SignedSet:
    """What a leader published, verified.

    `root` is the sha256 of the root metadata that was trusted first, in hex. `expires` is the earliest of its
    metadata. `members` hold at most one installer a package, by name. `unchanged` says that it is the set that was
    seen last time.
    """

    root: str
    version: int
    expires: datetime
    members: tuple[SetMember, ...]
    unchanged: bool = False


def metadata_path(version: int, role: str) -> str:
    """Where a depot has a version of a role's metadata; `TIMESTAMP` has none."""
    return f"metadata/{version}.{role}.json"


def payload_path(sha256: str, name: str) -> str:
    """Where a depot has an installer."""
    return f"targets/{sha256}.{name}"


def split_metadata(path: str) -> tuple[int, str] | None:
    """The version and role in a path of metadata, None for all others."""
    found = _METADATA.fullmatch(path)
    return (int(found[1]), found[2]) if found else None


def is_payload(path: str) -> bool:
    """Whether a path is that of an installer, as we would have written it."""
    found = _PAYLOAD.fullmatch(path)
    return found is not None and _installer(found[2]) is not None


def belongs(path: str) -> bool:
    """Whether a path is one that a set has, as we would have written it."""
    return path == TIMESTAMP or split_metadata(path) is not None or is_payload(path)


def digest_of(text: str) -> str:
    """A digest as people hand it on.

    Raises:
        InputError: it is none.
    """
    digest = text.strip().removeprefix("sha256:").replace(":", "").lower()
    if not _DIGEST.fullmatch(digest):
        raise InputError(
            "bad-fingerprint",
            f"{text[:80]!r} is no sha256 of root metadata",
            "give the 64 hexadecimal digits that 'repo-manager publish' says",
        )
    return digest


def read_metadata(data: bytes, role: str, where: str) -> Metadata[Any]:
    """Metadata of a role as a value. Signatures are not looked at.

    Raises:
        VerificationError: `malformed-set`; also for a key that stands twice, which readers understand differently.
    """
    from tuf.api.metadata import Metadata
    from tuf.api.serialization import DeserializationError

    check_json(data, where)
    try:
        found: Metadata[Any] = Metadata.from_bytes(data)
    except DeserializationError as error:
        raise malformed(where, "no metadata of a signed set") from error
    if found.signed.type != role:
        raise malformed(where, f"metadata of {found.signed.type} instead of {role}")
    return found


def check_json(data: bytes, where: str) -> None:
    """Refuse what different readers would understand differently.

    Raises:
        VerificationError: `malformed-set`.
    """
    try:
        strict_json.loads(data)
    except strict_json.MalformedJsonError as error:
        why = f"the key {error.repeated[:40]!r} stands twice" if error.repeated else "no JSON text"
        raise malformed(where, why) from error


def members(targets: Targets, where: str) -> tuple[SetMember, ...]:
    """What verified metadata name, by name.

    Raises:
        VerificationError: `malformed-set`: a name that is a path or no installer's, two for one package, no digest.
    """
    found = [_member(path, file.length, file.hashes.get("sha256", ""), where) for path, file in targets.targets.items()]
    tokens = [member.name.token.casefold() for member in found]
    for member in found:
        if tokens.count(member.name.token.casefold()) > 1:
            raise malformed(where, f"more than one installer of {member.name.token}")
    return tuple(sorted(found, key=lambda member: member.name.text))


def _member(path: str, length: int, digest: str, where: str) -> SetMember:
    name = _installer(path)
    if name is None:
        raise malformed(where, f"{path[:120]!r} is not an installer's name")
    if not _DIGEST.fullmatch(digest):
        raise malformed(where, f"no sha256 of {name}")
    if not 0 < length <= _LARGEST:
        raise malformed(where, f"{name} would have {length} bytes")
    return SetMember(name, digest, length)


def _installer(text: str) -> InstallerName | None:
    """The name, where it is an installer's and a single component of a path."""
    try:
        return names.parse(component(text))
    except (InvalidNameError, RepoManagerError):
        return None


def malformed(where: str, what: str) -> VerificationError:
    """Metadata that no leader of ours has written."""
    return VerificationError(
        "malformed-set", f"{where}: {what}", "tell the owner of the source; nothing was changed here"
    )
