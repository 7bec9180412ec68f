"""The changes of the small world's repository, through the use cases that the commands call."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from simulator import name_of
from small_world import CATALOG, CONTEXT, NOW, TOKENS, Step, World, bench, build, data_of, digest_of

from repo_manager.adapters.filesystem.repository_folder import Folder, no_step
from repo_manager.adapters.sources.depot_source import DepotSource
from repo_manager.adapters.sources.fetching import Fetcher
from repo_manager.adapters.storage.local import LocalStorage
from repo_manager.adapters.tuf.keys import Keys
from repo_manager.adapters.tuf.publisher import InstallerToPublish, PublishOrder
from repo_manager.adapters.tuf.signed_set import SetMember
from repo_manager.adapters.tuf.trust_store import TrustStore
from repo_manager.adapters.tuf.verified_set import TrustAnchor
from repo_manager.app import publish as publishing
from repo_manager.app import tasks
from repo_manager.app.change import Progress, Task, perform
from repo_manager.app.mirror import Follower, TrustOptions
from repo_manager.app.publish import PublishJob
from repo_manager.app.restore import Restore
from repo_manager.core import names
from repo_manager.core.address import parse
from repo_manager.core.errors import InputError
from repo_manager.core.selection import Request

if TYPE_CHECKING:
    from datetime import datetime

    from repo_manager.adapters.sources.download import Downloader
    from repo_manager.adapters.storage import Storage
    from repo_manager.adapters.tuf.publisher import PublishResult
    from repo_manager.core.transaction import Outcome


def sync_task(world: World, *, source: str | None = None, packages: tuple[str, ...] = ()) -> Task:
    """`sync --release latest --source SOURCE`."""
    return tasks.sync(CONTEXT, Request(release="latest", packages=packages), parse(source or str(world.source)))


def add_task(world: World, *paths: Path) -> Task:
    """`add PATH...`."""
    return tasks.add(tuple(tasks.arrival_of(path, CATALOG) for path in paths), world.repository)


PRUNE: Final = tasks.prune(CONTEXT, Request())
"""`prune`."""


def restore_task(folder: Folder, identity: str) -> Task:
    """`restore IDENTITY`, with leave to drop every package."""
    return Restore(folder, CATALOG, identity, frozenset(CATALOG.packages)).task()


Operation = Callable[[World, Step], "Outcome | None"]
"""One change of a world's repository, told of each step. None when there was nothing left to do."""


def sync(world: World, step: Step) -> Outcome | None:
    return perform(bench(world, step), sync_task(world))


def add(world: World, step: Step) -> Outcome | None:
    paths = [world.source / name_of(token) for token in ("Windows", "RHEL9-64", "UBUNTU-22.04-64")]
    return perform(bench(world, step), add_task(world, *paths))


def prune(world: World, step: Step) -> Outcome | None:
    return perform(bench(world, step), PRUNE)


def restore(world: World, step: Step) -> Outcome | None:
    """Take the world's first transaction back."""
    folder = bench(world).folder
    first = folder.journals()[0]
    try:
        return perform(bench(world, step), restore_task(folder, first.identity))
    except InputError as error:
        # What was damaged when it was retired is left alone, and is all that is left.
        if error.code in {"already-undone", "nothing-to-restore"}:
            return None
        raise


def mirror(world: World, step: Step) -> Outcome | None:
    """`mirror DEPOT --trust FINGERPRINT`."""
    return mirror_with(world, step, follower(world, step))


def mirror_plain(world: World, step: Step) -> Outcome | None:
    """`mirror SOURCE --unsigned`."""
    return mirror_with(world, step, follower(world, step, unsigned=True))


def mirror_with(world: World, step: Step, following: Follower, now: datetime | None = None) -> Outcome:
    """What a follower does with what it sees."""
    fetcher = Fetcher(_no_http, reserve_bytes=0, depot=DepotSource(following.depot))
    at_work = replace(bench(world, step), fetcher=fetcher)
    return perform(at_work if now is None else replace(at_work, now=lambda: now), following.task())


def _no_http() -> Downloader:
    raise AssertionError


def follower(
    world: World,
    step: Step = no_step,
    *,
    unsigned: bool = False,
    depot: Storage | None = None,
    fingerprint: str | None = None,
) -> Follower:
    """Who follows the world's leader, or another, or else the world's source as a plain folder."""
    parts = bench(world, step)
    anchor = None if unsigned else TrustAnchor(fingerprint or fingerprint_of(world))
    return Follower(
        depot=depot or LocalStorage(world.source if unsigned else world.depot),
        store=TrustStore(world.repository, step=step),
        catalog=CATALOG,
        checker=parts.checker,
        judge=CONTEXT.audit,
        now=lambda: NOW,
        trusting=TrustOptions(anchor, unsigned=unsigned),
    )


class SteppingDepot:
    """A depot that tells of each change before it is made."""

    def __init__(self, depot: LocalStorage, step: Step) -> None:
        self._depot = depot
        self._step = step
        self.name = depot.name
        self.read, self.stream, self.size = depot.read, depot.stream, depot.size
        self.list, self.sweep, self.close = depot.list, depot.sweep, depot.close

    def write(self, path: str, data: bytes) -> None:
        self._step(f"write {path}")
        self._depot.write(path, data)
        self._step(f"wrote {path}")

    def upload(self, path: str, file: Path, *, sha256: str, progress: Callable[[int], None]) -> None:
        def told(count: int) -> None:
            self._step(f"sent {count} bytes of {path}")
            progress(count)

        self._step(f"upload {path}")
        self._depot.upload(path, file, sha256=sha256, progress=told)

    def delete(self, path: str) -> None:
        self._step(f"delete {path}")
        self._depot.delete(path)


def fingerprint_of(world: World) -> str:
    """What the followers of the world's leader are told to trust."""
    return digest_of((world.depot / "metadata" / "1.root.json").read_bytes())


def items_of(world: World, tokens: Iterable[str] = TOKENS, release: str = "9.66") -> tuple[InstallerToPublish, ...]:
    """The installers of the world's source, to be published."""
    return items_at(world.source / name_of(token, release) for token in tokens)


def items_at(paths: Iterable[Path]) -> tuple[InstallerToPublish, ...]:
    """Installers that lie somewhere, to be published."""
    return tuple(
        InstallerToPublish(
            SetMember(names.parse(path.name), hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_size), path
        )
        for path in paths
    )


def publish(world: World, step: Step, tokens: Iterable[str] = TOKENS, *, release: str = "9.66") -> PublishResult:
    """What a leader does with the installers of the world's source."""
    return publish_items(world, step, items_of(world, tokens, release))


def publish_items(
    world: World, step: Step, items: tuple[InstallerToPublish, ...], depot: Storage | None = None, now: datetime = NOW
) -> PublishResult:
    """The same, to the world's depot or another."""
    owner: dict[str, str | int] = {"pid": os.getpid(), "host": "here"}
    depot = depot or SteppingDepot(LocalStorage(world.depot), step)
    press = PublishJob(
        Keys(world.root / "keys", step=step), depot, now, owner, Progress(), lambda *more: " ".join(more)
    )
    consent = publishing.Consent(may_go_back=True, drop=tuple(CATALOG.packages))
    return publishing.publish(press, PublishOrder(items, 30), consent)


def synced(root: Path) -> World:
    """A world after a sync, so that there is something to take back."""
    world = build(root)
    outcome = sync(world, no_step)
    assert outcome is not None
    assert outcome.error is None
    return world


def led(root: Path) -> World:
    """A world with a leader, who has published what the source has."""
    world = build(root)
    publish(world, no_step)
    return world


def followed(root: Path) -> World:
    """A world that follows its leader, who has published something new since: another release, and a package more."""
    world = build(root)
    for token in TOKENS[:3]:
        (world.source / name_of(token, "9.65")).write_bytes(data_of(name_of(token, "9.65")))
    publish(world, no_step, TOKENS[:3], release="9.65")
    assert mirror(world, no_step) is not None
    publish(world, no_step)
    return world


OPERATIONS: Final[Mapping[str, tuple[Callable[[Path], World], Operation]]] = {
    "sync": (build, sync),
    "add": (build, add),
    "prune": (build, prune),
    "restore": (synced, restore),
    "mirror": (led, mirror),
    "mirror again": (followed, mirror),
    "mirror --unsigned": (build, mirror_plain),
}
"""Each change with the world it begins in."""
