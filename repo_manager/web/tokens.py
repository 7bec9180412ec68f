"""Who may do what: bearer tokens by role. The file holds their digests alone, so whoever reads it learns no token.

A token is 256 random bits, which nobody can guess: one SHA-256 is enough, and it costs a request nothing.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from repo_manager.adapters.filesystem import trusted_files
from repo_manager.adapters.filesystem.atomic_write import write_whole
from repo_manager.adapters.filesystem.paths import shown
from repo_manager.adapters.filesystem.trusted_files import Correction
from repo_manager.core import fleet, strict_json
from repo_manager.core.errors import InputError, MachineError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime
    from pathlib import Path

    from repo_manager.core.fleet import Host

SCHEMA: Final = "repo-manager/tokens/1"
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
_DIGEST: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)
_LIMIT_BYTES: Final = 16 * 1024 * 1024
_PREFIX: Final = "rmt_"
"""How every token begins, so that tools that look for leaked secrets can find one."""


class BearerRole(StrEnum):
    """What the bearer of a token may do. Both may read the set."""

    READ = "read"
    REPORT = "report"


@dataclass(frozen=True, slots=True)
class Token:
    """A token as it is kept. One with `hosts` may report for these servers alone."""

    name: str
    role: BearerRole
    digest: str
    made: str
    hosts: tuple[Host, ...] = ()

    def may_report(self, host: Host) -> bool:
        """Whether its bearer may report for that server."""
        return self.role is BearerRole.REPORT and (not self.hosts or host in self.hosts)


@dataclass(frozen=True, slots=True)
class Tokens:
    """All tokens, by the order in which they were made."""

    tokens: tuple[Token, ...] = ()

    def bearer(self, secret: str) -> Token | None:
        """The token that this is. Every one is compared, each in constant time."""
        digest, found = digest_of(secret), None
        for token in self.tokens:
            if hmac.compare_digest(token.digest, digest):
                found = token
        return found

    def with_one(self, name: str, role: BearerRole, secret: str, made: datetime, hosts: Iterable[str] = ()) -> Tokens:
        """These and a new one.

        Raises:
            InputError: the name is none, or is taken; or a role that reads was given servers.
        """
        known = tuple(fleet.host(host) for host in hosts)
        if not _NAME.fullmatch(name):
            raise InputError("bad-token-name", f"{name[:40]!r} is no name", "use letters, digits, dots and hyphens")
        if known and role is not BearerRole.REPORT:
            raise InputError("usage", "a token that may only read is not for one server", "leave --server out")
        if any(token.name == name for token in self.tokens):
            raise InputError(
                "token-exists", f"there is a token {name!r} already", "remove it first, or take another name"
            )
        return Tokens((*self.tokens, Token(name, role, digest_of(secret), fleet.stamp(made), known)))

    def without(self, name: str) -> Tokens:
        """These but one.

        Raises:
            InputError: there is none of that name.
        """
        left = tuple(token for token in self.tokens if token.name != name)
        if len(left) == len(self.tokens):
            raise InputError("no-such-token", f"there is no token {name[:40]!r}", "see 'repo-manager serve token list'")
        return Tokens(left)


def new_secret(random: bytes) -> str:
    """A token as its bearer gets it, once. `random` is 32 bytes that nobody can guess."""
    return _PREFIX + random.hex()


def digest_of(secret: str) -> str:
    """What is kept of a token."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


# The file


def load(path: Path, *, absent_is_empty: bool = False) -> Tokens:
    """The tokens in a file.

    Raises:
        InputError: it cannot be read, holds something else, or others may write it.
    """
    try:
        correction = Correction(path, f' --tokens "{shown(path)}"')
        data = trusted_files.read(path, most=_LIMIT_BYTES + 1, correction=correction)
    except FileNotFoundError as error:
        if absent_is_empty:
            return Tokens()
        raise InputError(
            "no-tokens", f"there is no file {path}", "make a token with 'repo-manager serve token add NAME'"
        ) from error
    except OSError as error:
        raise InputError("no-tokens", f"{path} cannot be read: {error.strerror}", "check --tokens") from error
    try:
        return _read(strict_json.loads(data))
    except (InputError, KeyError, TypeError, ValueError) as error:
        raise InputError("bad-tokens", f"{path} does not hold tokens, or is damaged", "check --tokens") from error


def save(path: Path, tokens: Tokens) -> None:
    """Keep them, for the owner of the file alone where the system knows such rights.

    Raises:
        MachineError: the file cannot be written.
    """
    document = {
        "schema": SCHEMA,
        "tokens": [
            {
                "name": token.name,
                "role": token.role.value,
                "sha256": token.digest,
                "made": token.made,
                "servers": list(token.hosts),
            }
            for token in tokens.tokens
        ],
    }
    try:
        # On Windows the folder's rights count.
        write_whole(path, json.dumps(document, indent=2) + "\n", newline="\n", mode=0o600)
    except OSError as error:
        raise MachineError(
            "no-rights", f"{path} cannot be written: {error.strerror}", "name another file with --tokens"
        ) from error


def _read(document: Any) -> Tokens:  # noqa: ANN401 - any JSON
    if document["schema"] != SCHEMA:
        raise ValueError(SCHEMA)
    tokens = tuple(_token(item) for item in document["tokens"])
    if len({token.name for token in tokens}) != len(tokens):
        raise ValueError("a name is there twice")
    return Tokens(tokens)


def _token(item: Any) -> Token:  # noqa: ANN401 - any JSON
    if not (_NAME.fullmatch(item["name"]) and _DIGEST.fullmatch(item["sha256"])):
        raise ValueError("a token is damaged")
    made = fleet.stamp(fleet.moment(item["made"]))
    return Token(
        item["name"],
        BearerRole(item["role"]),
        item["sha256"],
        made,
        tuple(fleet.host(host) for host in item["servers"]),
    )
