"""A small world to break: a source folder, a messy repository, things that must not be touched.

Four packages in three releases, files of about 2 KB, so that a whole run takes milliseconds.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from simulator import FakeClock, name_of

from repo_manager.adapters.filesystem.digests import Digests
from repo_manager.adapters.filesystem.repository_folder import SUBFOLDER, Folder, no_step
from repo_manager.adapters.filesystem.retired import REASONS
from repo_manager.adapters.installers.archive import inspect
from repo_manager.adapters.installers.inspect import Checker
from repo_manager.adapters.sources.download import Downloader, HttpPolicy
from repo_manager.adapters.sources.fetching import Fetcher
from repo_manager.adapters.windows.service import AbsentService
from repo_manager.app.change import ChangeContext, Progress, Retention
from repo_manager.app.tasks import PlanContext
from repo_manager.core import catalog, names
from repo_manager.core.address import host_of
from repo_manager.core.errors import VerificationError
from repo_manager.core.names import InstallerName, InvalidNameError, Token
from repo_manager.core.service import Timeouts
from repo_manager.demo.sample import sample_installer

if TYPE_CHECKING:
    from repo_manager.core.plan import Download


Step = Callable[[str], None]

TOKENS: Final = tuple(Token(token) for token in ("Windows", "RHEL9-64", "OL8-64", "UBUNTU-22.04-64"))


NOW: Final = datetime(2026, 5, 1, 12, 0, 0, tzinfo=UTC)


@cache
def data_of(name: str) -> bytes:
    """The right bytes of an installer."""
    return sample_installer(names.parse(name), payload_bytes=500)


def _catalog_text() -> str:
    lines = ["schema: 1", "hosts: [download.example]", "support_window: 4", 'vulnerable_below: "9.49.6395.1"']
    lines += ["sources: {page: a page}", "packages:"]
    for token in TOKENS:
        extension = ".exe" if token == names.WINDOWS else ".tar.gz"
        lines.append(f'  {token}: {{systems: [a system], extension: {extension}, since: "9.64", evidence: [page]}}')
    lines.append("releases:")
    for release in ("9.66", "9.65", "9.64"):
        lines += [f'  "{release}":', '    for_classic: "yes"', "    links:"]
        lines += [f"      {token}: https://download.example/{release}/{name_of(token, release)}" for token in TOKENS]
    return "\n".join(lines) + "\n"


CATALOG_TEXT: Final = _catalog_text()


CATALOG: Final = catalog.parse(CATALOG_TEXT)


CONTEXT: Final = PlanContext(CATALOG)


COPY: Final = f"Copy of {name_of('OL8-64', '9.65')}"


HALF_LOADED: Final = f"{name_of('UBUNTU-22.04-64')}.part"


PUSH_CLIENT: Final = "RHEL9-64_pushinstallclient.tar.gz"


FOREIGN: Final = "who-to-call.txt"


@dataclass(frozen=True, slots=True)
class World:
    """Everything lies below `root`; `outside` and `source` must stay as they are."""

    root: Path

    @property
    def repository(self) -> Path:
        return self.root / "repository"

    @property
    def source(self) -> Path:
        return self.root / "source"

    @property
    def depot(self) -> Path:
        return self.root / "depot"

    @property
    def outside(self) -> Path:
        return self.root / "outside"

    @property
    def cache(self) -> Path:
        return self.root / "cache"

    @property
    def catalog(self) -> Path:
        return self.root / "catalog.yaml"

    def at(self, root: Path) -> World:
        """A copy of this world, its links and times included."""
        copy_tree(self.root, root)
        return World(root)

    def put(self, name: str, data: bytes | None = None) -> None:
        """Lay a file into the repository; the right installer of that name where no bytes are given."""
        (self.repository / name).write_bytes(data_of(name) if data is None else data)


def build(root: Path, *, mess: bool = True) -> World:
    """Make a world. The mess holds one package of every kind of trouble.

    Windows is outdated; RHEL9 has a broken new installer beside a good old one; OL8 lies there twice;
    Ubuntu is missing, and a browser has left a part of it.
    """
    world = World(root)
    for folder in (world.repository, world.source, world.outside):
        folder.mkdir(parents=True)
    world.catalog.write_text(CATALOG_TEXT, encoding="ascii")
    for token in TOKENS:
        (world.source / name_of(token)).write_bytes(data_of(name_of(token)))
    (world.outside / "treasure.txt").write_bytes(b"nobody's business")
    world.put(PUSH_CLIENT, b"comes with the server")
    world.put(FOREIGN, b"the backup team")
    (world.repository / "notes").mkdir()
    (world.repository / "notes" / name_of("OL8-64", "9.64")).write_bytes(b"not looked at")
    if sys.platform != "win32":
        (world.repository / "link to treasure").symlink_to(world.outside / "treasure.txt")
    if mess:
        world.put(name_of("Windows", "9.65"))
        world.put(name_of("RHEL9-64", "9.65"))
        world.put(name_of("RHEL9-64"), data_of(name_of("RHEL9-64"))[:900])
        world.put(name_of("OL8-64", "9.65"))
        world.put(name_of("OL8-64"))
        world.put(COPY, data_of(name_of("OL8-64", "9.65")))
        world.put(HALF_LOADED, b"half")
    return world


def copy_tree(origin: Path, destination: Path) -> None:
    """Copy a folder. Two names of one file stay so, as a move by link and unlink leaves them that was killed."""
    copies: dict[tuple[int, int], str] = {}

    def copy(old: str, new: str) -> str:
        status = os.lstat(old)
        first = copies.setdefault((status.st_dev, status.st_ino), new)
        if first != new and status.st_nlink > 1:
            os.link(first, new)
            return new
        return str(shutil.copy2(old, new))

    shutil.copytree(origin, destination, symlinks=True, copy_function=copy)


class StepVoice(Progress):
    """Counts what fetching says as steps."""

    def __init__(self, step: Step) -> None:
        self._step = step

    def fetching(self, downloads: tuple[Download, ...]) -> Callable[[str, int], None]:
        return lambda name, count: self._step(f"fetched {count} bytes of {name}")


def bench(world: World, step: Step = no_step, *, source: str | None = None, reserve_bytes: int = 0) -> ChangeContext:
    """The real parts at work on this world."""
    folder = Folder(world.repository, step=step, sleep=lambda _: None)
    host = host_of(source) if source else None
    policy = HttpPolicy(hosts=frozenset({host} if host else ()), trust_env=False)
    return ChangeContext(
        folder=folder,
        catalog=CATALOG,
        checker=lambda folder: Checker(folder.file, Digests(world.cache, folder.path), folder.records()),
        fetcher=Fetcher(lambda: Downloader(policy, sleep=lambda _: None), reserve_bytes=reserve_bytes),
        service=AbsentService("none"),
        clock=FakeClock(),
        patience=Timeouts(),
        # Every transaction has a second of its own, so that their names tell their order.
        now=lambda: NOW + timedelta(seconds=len(tree_of(folder.sub / "transactions"))),
        owner={"pid": os.getpid(), "host": "here"},
        retention=Retention(keep=1000),
        voice=StepVoice(step),
    )


@dataclass(frozen=True, slots=True)
class WorldState:
    """All that can be seen of a world: digests by path below the folders, and the installers that are good."""

    files: Mapping[str, str]
    retired: tuple[tuple[str, str], ...]
    elsewhere: Mapping[str, str]
    good: frozenset[str]

    @property
    def tokens(self) -> frozenset[Token]:
        """The packages that have a good installer."""
        return frozenset(names.parse(name).token for name in self.good)

    @property
    def contents(self) -> Counter[str]:
        """How often each content lies in the repository or its retired area."""
        return Counter([*self.files.values(), *(digest for _, digest in self.retired)])

    @property
    def state(self) -> tuple[dict[str, str], tuple[tuple[str, str], ...]]:
        """What two runs must agree on: the folder, and what was retired from it."""
        return dict(self.files), self.retired


def snapshot(world: World) -> WorldState:
    files = {path: digest for path, digest in tree_of(world.repository).items() if not path.startswith(SUBFOLDER)}
    retired = sorted(
        (Path(path).name, digest)
        for path, digest in tree_of(world.repository / SUBFOLDER / "retired").items()
        # It is for people, and goes with the files it is about; so does what a run that was stopped left of it.
        if Path(path).name not in {REASONS, f"{REASONS}.new"}
    )
    elsewhere = {**tree_of(world.source), **tree_of(world.outside)}
    good = frozenset(name for name in files if _good(world.repository / name))
    return WorldState(files, tuple(retired), elsewhere, good)


def check(before: WorldState, world: World, goal: WorldState | None = None) -> None:
    """What must hold whenever anybody looks: G1, G3 and G5.

    `goal` is the end that was asked for, where it takes packages away: restoring may.
    """
    now = snapshot(world)
    for name, digest in now.files.items():
        if _installer(name) is not None:
            was_there = before.files.get(name) == digest or (name, digest) in before.retired
            assert name in now.good or was_there, f"{name} is neither whole nor as it was"
    lost_packages = before.tokens & (goal or before).tokens - now.tokens
    assert not lost_packages, f"no good installer left for {lost_packages}"
    for name in (PUSH_CLIENT, FOREIGN, f"notes/{name_of('OL8-64', '9.64')}", "link to treasure"):
        assert now.files.get(name) == before.files.get(name), f"{name} was touched"
    assert now.elsewhere == before.elsewhere, "something outside was touched"
    new = {name for name in now.files if name not in before.files and _installer(name) is None}
    returned = {name for name, _ in before.retired}
    assert new <= returned, f"{new} lie in the repository itself"
    lost = before.contents - now.contents - _staged(world)
    assert not lost, "something was deleted"


def _staged(world: World) -> Counter[str]:
    return Counter(tree_of(world.repository / SUBFOLDER / "staging").values())


def left_over(world: World) -> list[str]:
    """What a run that ended well must not leave in the sub-folder."""
    sub = world.repository / SUBFOLDER
    return [
        path
        for path in tree_of(sub)
        # What a disk that refused everything kept of the reasons goes with them.
        if path.startswith("staging") or (path.endswith((".new", "journal.json")) and REASONS not in path)
    ]


def tree_of(folder: Path) -> dict[str, str]:
    found = {}
    for path in sorted(folder.rglob("*")) if folder.is_dir() else ():
        status = path.lstat()
        key = path.relative_to(folder).as_posix()
        if stat.S_ISREG(status.st_mode):
            found[key] = hashlib.sha256(path.read_bytes()).hexdigest()
        elif stat.S_ISLNK(status.st_mode):
            found[key] = f"-> {path.readlink()}"
        elif not stat.S_ISDIR(status.st_mode):
            found[key] = "a device"
    return found


def _installer(name: str) -> InstallerName | None:
    try:
        return names.parse(name)
    except InvalidNameError:
        return None


def _good(path: Path) -> bool:
    name = _installer(path.name)
    return name is not None and path.is_file() and not path.is_symlink() and _whole(name.text, path.read_bytes())


@cache
def _whole(name: str, data: bytes) -> bool:
    try:
        inspect([data], names.parse(name))
    except VerificationError:
        return False
    return True


def digest_of(data: bytes) -> str:
    """The sha256 of these bytes, in hex."""
    return hashlib.sha256(data).hexdigest()
