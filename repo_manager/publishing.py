"""One publishing: what lies in the repository becomes the signed set of a depot.

    look -> choose -> guard -> lock the keys -> send, sign, clear away

The repository is only read. Files that were read before are not read again, and what the depot has is not sent
again.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from repo_manager import names
from repo_manager.edges.disk.folder import timestamp
from repo_manager.edges.disk.lock import Lock
from repo_manager.edges.signed_sets.leading import Item, Leader, Order, Published
from repo_manager.edges.signed_sets.signed_set import Member
from repo_manager.errors import InputError, VerificationError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from repo_manager.audit import Verdict
    from repo_manager.edges.contents.checking import Checker
    from repo_manager.edges.depots import Depot
    from repo_manager.edges.signed_sets.keys import Keys, Role
    from repo_manager.names import Release, Token
    from repo_manager.operation import Voice
    from repo_manager.repository import File, Listing


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be published.

    `among` are the packages that may be. `asked` are those that were named, so that they must be; `expected` those
    that should be. `release` is None for whichever is there.
    """

    among: frozenset[Token]
    asked: tuple[Token, ...] = ()
    expected: tuple[Token, ...] = ()
    release: Release | None = None


@dataclass(frozen=True, slots=True)
class Chosen:
    """The installers to publish, at most one a package, and the expected packages that have none."""

    files: tuple[File, ...]
    missing: tuple[Token, ...]


def candidates(listing: Listing, wish: Wish) -> tuple[File, ...]:
    """The files whose bytes must be known before it can be chosen among them."""
    return tuple(
        file
        for token, found in listing.by_token.items()
        if token in wish.among
        for installer, file in found
        if wish.release in {None, installer.release}
    )


def choose(listing: Listing, wish: Wish, verdicts: Mapping[str, Verdict]) -> Chosen:
    """The newest whole installer of every package that is to be published.

    Raises:
        VerificationError: `would-publish-corrupt`: a package has files and none of them is whole.
        InputError: `nothing-to-publish`; `not-in-repository`: a package that was named has no file.
    """
    files: dict[Token, File] = {}
    broken = []
    for file in candidates(listing, wish):
        if file.installer is None or file.installer.token in files:
            continue
        verdict = verdicts.get(file.name)
        if file.entry.size_bytes and (verdict is None or verdict.good):
            files[file.installer.token] = file
        else:
            broken.append(file)
    broken = [file for file in broken if file.installer is not None and file.installer.token not in files]
    if broken:
        raise VerificationError(
            "would-publish-corrupt",
            f"{broken[0].name} in {listing.repository} is not whole, and its package has no other file",
            "run 'repo-manager sync', then publish again",
        )
    missing = tuple(token for token in wish.expected if token not in files)
    absent = [token for token in wish.asked if token not in files]
    if absent:
        raise InputError(
            "not-in-repository",
            f"{listing.repository} has no installer of {', '.join(absent)} to publish",
            "run 'repo-manager sync', or leave the package out",
        )
    if not files:
        raise InputError(
            "nothing-to-publish",
            f"{listing.repository} has no installer to publish",
            "check --repository; fill it with 'repo-manager sync'",
        )
    return Chosen(tuple(files.values()), missing)


def items_of(chosen: Chosen, folder: Path, checker: Checker) -> tuple[Item, ...]:
    """The chosen installers with their digests, which are read only where nobody remembers them.

    Raises:
        RepoManagerError: a file cannot be read, or is not whole.
    """
    return tuple(
        Item(Member(names.parse(file.name), checker.sha256(file), file.entry.size_bytes), folder / file.name)
        for file in chosen.files
    )


@dataclass(frozen=True, slots=True)
class Press:
    """What publishing is handed: the keys, the depot, the time, and who speaks to whoever started it."""

    keys: Keys
    depot: Depot
    now: datetime
    owner: Mapping[str, str | int]
    voice: Voice


def publish(press: Press, items: tuple[Item, ...] | None, days: int, rotate: frozenset[Role]) -> Published:
    """Bring the depot to these installers; None renews what is there.

    Raises:
        InputError: `would-empty-set`, and what `Leader.publish` raises.
        RepoManagerError: see `Leader.publish`; `locked` where another run publishes with these keys.
    """
    press.keys.prepare()
    owner = {**press.owner, "command": "publish", "since": timestamp(press.now)}
    with Lock(press.keys.folder / "lock", owner):
        leader = Leader(press.keys, press.depot, press.now)
        if items is not None:
            guard(leader.current, items, press.depot.name)
        progress = press.voice.reading(sum(item.member.size_bytes for item in items or ()))
        try:
            return leader.publish(Order(items, days, rotate), progress)
        finally:
            press.voice.finished()


# As for a repository: one package may be dropped on purpose.
_SUSPICIOUS: Final = 2


def guard(current: tuple[Member, ...], items: tuple[Item, ...], place: str) -> None:
    """Refuse to take most packages away from all followers at once.

    Raises:
        InputError: `would-empty-set`.
    """
    coming = {item.member.name.token for item in items}
    lost = [member for member in current if member.name.token not in coming]
    if len(lost) >= _SUSPICIOUS and 2 * len(lost) > len(current):
        raise InputError(
            "would-empty-set",
            f"this would take {len(lost)} of the {len(current)} packages of {place} away from all who follow it",
            "check the repository and --package; to do so on purpose, publish to a new place",
        )
