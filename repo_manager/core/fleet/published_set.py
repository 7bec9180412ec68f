"""What the metadata of a signed set say it holds. Nothing is verified here: that is for those who follow it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from repo_manager.core import names, strict_json
from repo_manager.core.errors import InputError
from repo_manager.core.fleet.report import SetName
from repo_manager.core.names import InvalidNameError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from repo_manager.core.names import InstallerName, Token

Reader = Callable[[str, int], bytes | None]
"""A file of the metadata by its name, if it has at most so many bytes; None where there is none of that name."""

SMALL_BYTES: Final = 1024 * 1024
LARGEST_BYTES: Final = 16 * 1024 * 1024

_ROOTS_MOST: Final = 1000


class SetUnreadableError(InputError):
    """There is no published set, or it cannot be understood."""


@dataclass(frozen=True, slots=True)
class PublishedSet:
    """What a set says of itself.

    `name` has the first root and the version of the snapshot. `expires` is the earliest of its metadata.
    `packages` has the version of the newest installer of each, in the order of their names.
    """

    name: SetName
    expires: datetime
    packages: Mapping[Token, str]
    later_roots: frozenset[str] = frozenset()


def published(timestamp: bytes, read: Reader) -> PublishedSet:
    """What the set of that timestamp says of itself.

    Raises:
        InputError: `no-set`: something is missing; `bad-set`: it cannot be understood.
    """
    try:
        return _understood(timestamp, read)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _bad() from error


def newest(texts: Iterable[str]) -> Mapping[Token, str]:
    """The version of the newest installer of each package among some paths, in the order of the packages' names."""
    found: dict[Token, InstallerName] = {}
    for text in texts:
        try:
            name = names.parse(text.rpartition("/")[2])
        except InvalidNameError:
            continue
        if name.token not in found or found[name.token] < name:
            found[name.token] = name
    return MappingProxyType({token: str(name.version) for token, name in sorted(found.items())})


def _understood(data: bytes, read: Reader) -> PublishedSet:
    timestamp = _signed(data)
    version = int(timestamp["meta"]["snapshot.json"]["version"])
    snapshot = _signed(_there(read, f"{version}.snapshot.json", SMALL_BYTES))
    number = int(snapshot["meta"]["targets.json"]["version"])
    targets = _signed(_there(read, f"{number}.targets.json", LARGEST_BYTES))
    first, *later = _roots(read)
    root = _signed(later[-1] if later else first)
    ends = [datetime.fromisoformat(signed["expires"]) for signed in (timestamp, snapshot, targets, root)]
    return PublishedSet(
        SetName(_digest(first), version), min(ends).astimezone(UTC), newest(targets["targets"]), _digests(later)
    )


def _roots(read: Reader) -> list[bytes]:
    """All root metadata, oldest first. At least one."""
    found = [_there(read, "1.root.json", SMALL_BYTES)]
    for number in range(2, _ROOTS_MOST):
        data = read(f"{number}.root.json", SMALL_BYTES)
        if data is None:
            break
        found.append(data)
    return found


def _there(read: Reader, name: str, limit: int) -> bytes:
    data = read(name, limit)
    if data is None:
        raise SetUnreadableError("no-set", f"there is no {name} in the set", "publish there first")
    return data


def _signed(data: bytes) -> Any:  # noqa: ANN401 - any JSON
    try:
        return strict_json.loads(data)["signed"]
    except strict_json.MalformedJsonError as error:
        raise _bad() from error


def _digests(roots: Iterable[bytes]) -> frozenset[str]:
    return frozenset(map(_digest, roots))


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _bad() -> SetUnreadableError:
    return SetUnreadableError("bad-set", "the metadata of the set cannot be understood", "publish again")
