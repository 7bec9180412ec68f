"""One publishing: what lies in the repository becomes the signed set of a depot.

    look -> choose -> lock the keys -> guard -> send, sign, clear away

The repository is only read. Files that were read before are not read again, and what the depot has is not sent
again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from repo_manager.adapters.filesystem.lock import Lock
from repo_manager.adapters.filesystem.repository_folder import timestamp
from repo_manager.adapters.tuf.publisher import InstallerToPublish, Publisher
from repo_manager.adapters.tuf.signed_set import SetMember
from repo_manager.core import names
from repo_manager.core.errors import InputError, MachineError, VerificationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import datetime

    from repo_manager.adapters.installers.inspect import Checker
    from repo_manager.adapters.storage import Storage
    from repo_manager.adapters.tuf.keys import Keys
    from repo_manager.adapters.tuf.publisher import PublishOrder, PublishResult
    from repo_manager.app.change import Progress
    from repo_manager.core.audit.findings import FileVerdict
    from repo_manager.core.names import Release, Token
    from repo_manager.core.repository import File, Listing


@dataclass(frozen=True, slots=True)
class PublishRequest:
    """What is to be published.

    `among` are the packages that may be. `asked` are those that were named, so that they must be; `expected` those
    that should be. `release` is None for whichever is there. `command` is how a command to paste begins.
    """

    among: frozenset[Token]
    asked: tuple[Token, ...] = ()
    expected: tuple[Token, ...] = ()
    release: Release | None = None
    command: str = "repo-manager"


@dataclass(frozen=True, slots=True)
class Chosen:
    """The installers to publish, at most one a package, and the expected packages that have none."""

    files: tuple[File, ...]
    missing: tuple[Token, ...]


def candidates(listing: Listing, wish: PublishRequest) -> tuple[File, ...]:
    """The files whose bytes must be known before it can be chosen among them."""
    return tuple(
        file
        for token, found in listing.by_token.items()
        if token in wish.among
        for installer, file in found
        if wish.release in {None, installer.release}
    )


def choose(listing: Listing, wish: PublishRequest, verdicts: Mapping[str, FileVerdict]) -> Chosen:
    """The newest installer of every package that is to be published.

    Where that one is not whole, an older one is no answer: all who follow would go back to it, and nobody would know.

    Raises:
        VerificationError: `would-publish-corrupt`: the newest installer of a package is not whole.
        MachineError: `cannot-be-read`: it may be whole, and cannot be read now.
        InputError: `nothing-to-publish`; `not-in-repository`: a package that was named has no file.
    """
    files: dict[Token, File] = {}
    behind: set[str] = set()
    for file in candidates(listing, wish):
        if file.installer is not None and files.setdefault(file.installer.token, file) is not file:
            behind.add(file.installer.token)
    for token, file in files.items():
        _refuse_broken(file, listing.repository, verdicts.get(file.name), wish.command, older=token in behind)
    missing = tuple(token for token in wish.expected if token not in files)
    absent = [token for token in wish.asked if token not in files]
    if absent:
        raise InputError(
            "not-in-repository",
            f"{listing.repository} has no installer of {', '.join(absent)} to publish",
            f"run '{wish.command} sync', or leave the package out",
        )
    if not files:
        raise InputError(
            "nothing-to-publish",
            f"{listing.repository} has no installer to publish",
            f"check --repository; fill it with '{wish.command} sync'",
        )
    return Chosen(tuple(files.values()), missing)


def _refuse_broken(file: File, repository: str, verdict: FileVerdict | None, command: str, *, older: bool) -> None:
    if file.entry.size_bytes and (verdict is None or verdict.good):
        return
    if verdict is not None and not verdict.read:
        raise MachineError(
            "cannot-be-read",
            f"{file.name} in {repository} {verdict.message}",
            "see that no other program holds the file and that you may read it, then publish again",
        )
    words = verdict.message if verdict is not None and verdict.message else "is empty"
    more = "; what lies beside it of its package is older, and is not published in its place" if older else ""
    raise VerificationError(
        "would-publish-corrupt",
        f"{file.name} in {repository} is not fit to be published: {words}{more}",
        f"run '{command} sync', then publish again",
    )


def items_of(chosen: Chosen, folder: Path, checker: Checker) -> tuple[InstallerToPublish, ...]:
    """The chosen installers with their digests, which are read only where nobody remembers them.

    Raises:
        RepoManagerError: a file cannot be read, or is not whole.
    """
    return tuple(
        InstallerToPublish(
            SetMember(names.parse(file.name), checker.sha256(file), file.entry.size_bytes), folder / file.name
        )
        for file in chosen.files
    )


@dataclass(frozen=True, slots=True)
class PublishJob:
    """What publishing is handed: the keys, the depot, the time, and how to speak to the person who started it.

    `again` tells how to run the same command with more options.
    """

    keys: Keys
    depot: Storage
    now: datetime
    owner: Mapping[str, str | int]
    voice: Progress
    again: Callable[..., str]


@dataclass(frozen=True, slots=True)
class Consent:
    """What the person who publishes has agreed to.

    `may_go_back` says that the release was named, so that it may be older than what the set has. `drop` are the
    packages that the set may lose.
    """

    may_go_back: bool = False
    drop: tuple[str, ...] = ()


def publish(press: PublishJob, order: PublishOrder, consent: Consent) -> PublishResult:
    """Bring the depot to what is ordered.

    Raises:
        InputError: `would-empty-set`, `would-drop-packages`, `would-publish-older`, and what `Publisher.publish`
            raises.
        RepoManagerError: see `Publisher.publish`; `locked` where another run publishes with these keys.
    """
    press.keys.prepare()
    owner = {**press.owner, "command": "publish", "since": timestamp(press.now)}
    with Lock(press.keys.folder / "lock", owner):
        leader = Publisher(press.keys, press.depot, press.now, verify=order.verify)
        dropped: tuple[Token, ...] = ()
        if order.items is not None:
            dropped = guard(leader.last, order.items, press.depot.name, consent.drop, press.again)
            if not consent.may_go_back:
                guard_versions(leader.last, order.items, press.depot.name)
            for remark in _without_effect(leader.last, order.items, consent.drop, press.depot.name):
                press.voice.note(remark)
        read = leader.last if order.verify else ()
        sizes = [member.size_bytes for member in (*read, *(item.member for item in order.items or ()))]
        progress = press.voice.reading(sum(sizes))
        try:
            return replace(leader.publish(order, progress), dropped=dropped)
        finally:
            press.voice.finished()


# As for a repository: one package may be dropped on purpose.
_SUSPICIOUS: Final = 2


def guard(
    current: tuple[SetMember, ...],
    items: tuple[InstallerToPublish, ...],
    place: str,
    drop: Iterable[str],
    again: Callable[..., str],
) -> tuple[Token, ...]:
    """Refuse to take packages away from all followers, but those that were named; returns the ones that go.

    Raises:
        InputError: `would-empty-set`: most packages would go; `would-drop-packages`.
    """
    coming = {item.member.name.token for item in items}
    named = {token.casefold() for token in drop}
    going = tuple(member.name.token for member in current if member.name.token not in coming)
    lost = [token for token in going if token.casefold() not in named]
    if not lost:
        return going
    on_purpose = again(*(word for token in lost for word in ("--drop", token)))
    if len(lost) >= _SUSPICIOUS and 2 * len(lost) > len(current):
        raise InputError(
            "would-empty-set",
            f"this would take {len(lost)} of the {len(current)} packages of {place} away from all who follow it:"
            f" {', '.join(lost)}",
            f"check the repository and --package; to do so on purpose, publish to a new place, or {on_purpose}",
        )
    what = "is" if len(lost) == 1 else "are"
    raise InputError(
        "would-drop-packages",
        f"{', '.join(lost)} {what} in the published set of {place} and would be missing from the new one; followers"
        " would retire what they have of it",
        f"bring the installers back into the repository with 'sync'; to drop them on purpose, {on_purpose}",
    )


def _without_effect(
    current: tuple[SetMember, ...], items: tuple[InstallerToPublish, ...], drop: Iterable[str], place: str
) -> Iterable[str]:
    """What to say of packages that were named to be dropped and are not."""
    coming = {item.member.name.token.casefold() for item in items}
    there = {member.name.token.casefold() for member in current}
    for token in drop:
        if token.casefold() in coming:
            yield f"--drop {token} has no effect: the package is in the repository, so it is published"
        elif token.casefold() not in there:
            yield f"--drop {token} has no effect: the package is not in the published set of {place}"


def guard_versions(current: tuple[SetMember, ...], items: tuple[InstallerToPublish, ...], place: str) -> None:
    """Refuse to take all followers back to an older installer that nobody has asked for.

    Raises:
        InputError: `would-publish-older`.
    """
    coming = {item.member.name.token: item.member.name for item in items}
    for member in current:
        name = coming.get(member.name.token)
        if name is not None and name.recency < member.name.recency:
            raise InputError(
                "would-publish-older",
                f"this would take {name.token} in {place} back from {member.name.version} to {name.version}:"
                f" the repository has nothing newer than {name.text}",
                f"bring {member.name.text} back into the repository; to go back on purpose, add --release"
                f" {name.release}, which publishes that release alone, or publish to a new place",
            )
