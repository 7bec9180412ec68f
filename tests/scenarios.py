"""A small world to break: a source folder, a messy repository, things that must not be touched.

Four packages in two releases, files of about 2 KB, so that a whole run takes milliseconds. `bench`
introduces the real parts to each other as the command line does; `operations` are the four changes.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import subprocess
import sys
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from repo_manager.adapters.filesystem.digests import Digests
from repo_manager.adapters.filesystem.repository_folder import SUBFOLDER, Folder, no_step
from repo_manager.adapters.filesystem.retired import REASONS
from repo_manager.adapters.installers.archive import inspect
from repo_manager.adapters.installers.inspect import Checker
from repo_manager.adapters.sources.depot_source import DepotSource
from repo_manager.adapters.sources.download import Downloader, Policy
from repo_manager.adapters.sources.fetching import Fetcher, join
from repo_manager.adapters.storage.local import FolderDepot
from repo_manager.adapters.tuf.keys import Keys
from repo_manager.adapters.tuf.publisher import Item, Order
from repo_manager.adapters.tuf.signed_set import Member
from repo_manager.adapters.tuf.trust_store import TrustStore
from repo_manager.adapters.tuf.verified_set import Anchor
from repo_manager.adapters.windows.service import AbsentService
from repo_manager.app import publish as publishing
from repo_manager.app.change import Retention, Task, Voice, Workbench, look, perform
from repo_manager.app.mirror import Follower, Trusting, installers
from repo_manager.app.publish import Press
from repo_manager.app.restore import Undoing
from repo_manager.core import catalog, names, plan, selection
from repo_manager.core.address import host_of
from repo_manager.core.address import parse as parse_address
from repo_manager.core.audit import findings
from repo_manager.core.audit.findings import Circumstances
from repo_manager.core.errors import InputError, VerificationError
from repo_manager.core.names import InstallerName, InvalidNameError, Token
from repo_manager.core.plan import Arrival
from repo_manager.core.selection import Request
from repo_manager.core.service import Patience
from repo_manager.demo.sample import sample_installer

if TYPE_CHECKING:
    from repo_manager.adapters.storage import Depot
    from repo_manager.adapters.tuf.publisher import Published
    from repo_manager.app.change import Seen
    from repo_manager.core.plan import Download, Plan
    from repo_manager.core.repository import File, Listing
    from repo_manager.core.transaction import Outcome

Step = Callable[[str], None]

TOKENS: Final = tuple(Token(token) for token in ("Windows", "RHEL9-64", "OL8-64", "UBUNTU-22.04-64"))
_DATES: Final = {"9.64": "19Dec2024", "9.65": "23Apr2025", "9.66": "20Sep2025"}
NOW: Final = datetime(2026, 5, 1, 12, 0, 0, tzinfo=UTC)


def name_of(token: str, release: str = "9.66") -> str:
    """The published name of a package's installer."""
    extension = ".exe" if token == "Windows" else ".tar.gz"  # noqa: S105 - a package, not a secret
    return f"Microsoft-ASR_UA_{release}.0.0_{token}_GA_{_DATES[release]}_release{extension}"


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
    for release in reversed(_DATES):
        lines += [f'  "{release}":', '    for_classic: "yes"', "    links:"]
        lines += [f"      {token}: https://download.example/{release}/{name_of(token, release)}" for token in TOKENS]
    return "\n".join(lines) + "\n"


CATALOG_TEXT: Final = _catalog_text()
CATALOG: Final = catalog.parse(CATALOG_TEXT)

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


# Introducing the parts


class Clock:
    """Time that passes only when somebody waits."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def monotonic(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds


class StepVoice(Voice):
    """Counts what fetching says as steps."""

    def __init__(self, step: Step) -> None:
        self._step = step

    def fetching(self, downloads: tuple[Download, ...]) -> Callable[[str, int], None]:
        return lambda name, count: self._step(f"fetched {count} bytes of {name}")


def bench(world: World, step: Step = no_step, *, source: str | None = None, reserve_bytes: int = 0) -> Workbench:
    """The real parts at work on this world."""
    folder = Folder(world.repository, step=step, sleep=lambda _: None)
    host = host_of(source) if source else None
    policy = Policy(hosts=frozenset({host} if host else ()), trust_env=False)
    return Workbench(
        folder=folder,
        catalog=CATALOG,
        checker=lambda folder: Checker(folder.file, Digests(world.cache, folder.path), folder.records()),
        fetcher=Fetcher(lambda: Downloader(policy, sleep=lambda _: None), reserve_bytes=reserve_bytes),
        service=AbsentService("none"),
        clock=Clock(),
        patience=Patience(),
        # Every transaction has a second of its own, so that their names tell their order.
        now=lambda: NOW + timedelta(seconds=len(_tree(folder.sub / "transactions"))),
        owner={"pid": os.getpid(), "host": "here"},
        retention=Retention(keep=1000),
        voice=StepVoice(step),
    )


def listing(world: World) -> Listing:
    """What lies in the world's repository."""
    return look(bench(world))


def sync_task(world: World, *, source: str | None = None, packages: tuple[str, ...] = ()) -> Task:
    """`sync --release latest --source SOURCE`."""
    request = Request(release="latest", packages=packages)

    def select(listing: Listing) -> selection.Selection:
        wanted = selection.select(request, listing, CATALOG)
        base = source or str(world.source)
        targets = {
            token: replace(target, sources=(join(parse_address(base), target.name.text),))
            for token, target in wanted.targets.items()
        }
        return replace(wanted, targets=targets)

    def planner(seen: Seen) -> Plan:
        wanted = select(seen.listing)
        return plan.sync(seen.listing, wanted, _judged(seen, wanted), seen.verdicts)

    def matter(listing: Listing) -> tuple[File, ...]:
        return tuple(file for found in listing.by_token.values() for _, file in found)

    return Task("sync", planner, matter)


def prune_task() -> Task:
    """`prune`."""

    def planner(seen: Seen) -> Plan:
        wanted = selection.select(Request(), seen.listing, CATALOG)
        return plan.prune(seen.listing, _judged(seen, wanted), seen.verdicts)

    def matter(listing: Listing) -> tuple[File, ...]:
        return tuple(file for found in listing.by_token.values() if len(found) > 1 for _, file in found)

    return Task("prune", planner, matter)


def add_task(*paths: Path) -> Task:
    """`add PATH...`."""
    arrivals = tuple(Arrival(names.parse(path.name), str(path), path.stat().st_size) for path in paths)

    def planner(seen: Seen) -> Plan:
        return plan.add(seen.listing, arrivals, seen.verdicts)

    def matter(listing: Listing) -> tuple[File, ...]:
        tokens = {arrival.name.token for arrival in arrivals}
        return tuple(file for token in tokens for _, file in listing.by_token.get(token, ()))

    return Task("add", planner, matter)


def restore_task(folder: Folder, identity: str) -> Task:
    """`restore IDENTITY`, with leave to drop every package."""
    return Undoing(folder, CATALOG, identity, frozenset(CATALOG.packages)).task()


def _judged(seen: Seen, wanted: selection.Selection) -> findings.Audit:
    return findings.audit(seen.listing, wanted, CATALOG, Circumstances(seen.verdicts))


Operation = Callable[[World, Step], "Outcome | None"]
"""One change of a world's repository, told of each step. None when there was nothing left to do."""


def sync(world: World, step: Step) -> Outcome | None:
    return perform(bench(world, step), sync_task(world))


def add(world: World, step: Step) -> Outcome | None:
    paths = [world.source / name_of(token) for token in ("Windows", "RHEL9-64", "UBUNTU-22.04-64")]
    return perform(bench(world, step), add_task(*paths))


def prune(world: World, step: Step) -> Outcome | None:
    return perform(bench(world, step), prune_task())


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


def items_of(world: World, tokens: Iterable[str] = TOKENS, release: str = "9.66") -> tuple[Item, ...]:
    """The installers of the world's source, to be published."""
    return items_at(world.source / name_of(token, release) for token in tokens)


def items_at(paths: Iterable[Path]) -> tuple[Item, ...]:
    """Installers that lie somewhere, to be published."""
    return tuple(
        Item(Member(names.parse(path.name), hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_size), path)
        for path in paths
    )


def publish(world: World, step: Step, tokens: Iterable[str] = TOKENS, *, release: str = "9.66") -> Published:
    """What a leader does with the installers of the world's source."""
    return publish_items(world, step, items_of(world, tokens, release))


def publish_items(
    world: World, step: Step, items: tuple[Item, ...], depot: Depot | None = None, now: datetime = NOW
) -> Published:
    """The same, to the world's depot or another."""
    owner: dict[str, str | int] = {"pid": os.getpid(), "host": "here"}
    depot = depot or SteppingDepot(FolderDepot(world.depot), step)
    press = Press(Keys(world.root / "keys", step=step), depot, now, owner, Voice(), lambda *more: " ".join(more))
    consent = publishing.Consent(may_go_back=True, drop=tuple(CATALOG.packages))
    return publishing.publish(press, Order(items, 30), consent)


class SteppingDepot:
    """A depot that tells of each change before it is made."""

    def __init__(self, depot: FolderDepot, step: Step) -> None:
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


def digest_of(data: bytes) -> str:
    """The sha256 of these bytes, in hex."""
    return hashlib.sha256(data).hexdigest()


def follower(
    world: World,
    step: Step = no_step,
    *,
    unsigned: bool = False,
    depot: Depot | None = None,
    fingerprint: str | None = None,
) -> Follower:
    """Who follows the world's leader, or another, or else the world's source as a plain folder."""
    parts = bench(world, step)
    anchor = None if unsigned else Anchor(fingerprint or fingerprint_of(world))
    return Follower(
        depot=depot or FolderDepot(world.source if unsigned else world.depot),
        store=TrustStore(world.repository, step=step),
        catalog=CATALOG,
        checker=parts.checker,
        judge=_judged,
        now=lambda: NOW,
        trusting=Trusting(anchor, unsigned=unsigned),
    )


def mirror(world: World, step: Step) -> Outcome | None:
    """`mirror DEPOT --trust FINGERPRINT`."""
    return mirror_with(world, step, follower(world, step))


def mirror_plain(world: World, step: Step) -> Outcome | None:
    """`mirror SOURCE --unsigned`."""
    return mirror_with(world, step, follower(world, step, unsigned=True))


def mirror_with(world: World, step: Step, following: Follower, now: datetime | None = None) -> Outcome:
    """What a follower does with what it sees."""
    fetcher = Fetcher(_no_http, reserve_bytes=0, depot=DepotSource(following.depot))
    task = Task("mirror", following.plan, installers)
    at_work = replace(bench(world, step), fetcher=fetcher)
    return perform(at_work if now is None else replace(at_work, now=lambda: now), task)


def _no_http() -> Downloader:
    raise AssertionError


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


# Looking at what came of it


@dataclass(frozen=True, slots=True)
class Snapshot:
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


def snapshot(world: World) -> Snapshot:
    files = {path: digest for path, digest in _tree(world.repository).items() if not path.startswith(SUBFOLDER)}
    retired = sorted(
        (Path(path).name, digest)
        for path, digest in _tree(world.repository / SUBFOLDER / "retired").items()
        # It is for people, and goes with the files it is about; so does what a run that was stopped left of it.
        if Path(path).name not in {REASONS, f"{REASONS}.new"}
    )
    elsewhere = {**_tree(world.source), **_tree(world.outside)}
    good = frozenset(name for name in files if _good(world.repository / name))
    return Snapshot(files, tuple(retired), elsewhere, good)


def check(before: Snapshot, world: World, goal: Snapshot | None = None) -> None:
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
    return Counter(_tree(world.repository / SUBFOLDER / "staging").values())


def left_over(world: World) -> list[str]:
    """What a run that ended well must not leave in the sub-folder."""
    sub = world.repository / SUBFOLDER
    return [
        path
        for path in _tree(sub)
        # What a disk that refused everything kept of the reasons goes with them.
        if path.startswith("staging") or (path.endswith((".new", "journal.json")) and REASONS not in path)
    ]


def _tree(folder: Path) -> dict[str, str]:
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


# Children that may be killed

KILLED: Final = 9
BROKEN: Final = 70

can_fork = hasattr(os, "fork")


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


def in_child(act: Callable[[], object]) -> int:
    """Do it in a forked child; the value is the child's exit code, `BROKEN` after an exception."""
    with warnings.catch_warnings():
        # The child runs the operation alone and never meets the parent's threads.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        try:
            act()
        except BaseException:  # noqa: BLE001 - nothing may come back into the test runner of the child
            traceback.print_exc()
            os._exit(BROKEN)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def killed_at(world: World, command: str, number: int) -> int:
    """Do the operation of that name in a process that ends before its step of that number; its exit code."""
    if can_fork:
        return in_child(lambda: OPERATIONS[command][1](world, KillAt(number)))
    return subprocess.run(
        [sys.executable, str(CHILD), str(world.root), command, str(number)],
        stdin=subprocess.DEVNULL,
        timeout=60,
        check=False,
    ).returncode


CHILD: Final = Path(__file__).with_name("scenario_child.py")

STRIDE: Final = int(os.environ.get("REPO_MANAGER_TESTS_STRIDE", "1"))
"""Of the steps at which a run is broken, every so-manieth. More than 1 where a process takes long to start."""


def some_of(steps: Iterable[int], case: int) -> list[int]:
    """Every `STRIDE`th of the steps' numbers; which ones depends on the case, so that all have their turn."""
    return [number for number in steps if number % STRIDE == case % STRIDE]


class KillAt:
    """A step hook that ends the process before the step of that number, counted from 1."""

    def __init__(self, number: int) -> None:
        self._left = number

    def __call__(self, _what: str) -> None:
        self._left -= 1
        if self._left == 0:
            os._exit(KILLED)


def steps_of(operation: Operation, world: World) -> list[str]:
    """The steps of an undisturbed run, in words."""
    steps: list[str] = []
    operation(world, steps.append)
    return steps


# The real command line


def environment(world: World) -> dict[str, str]:
    """What a child needs, without what this machine's user has set up."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("REPO_MANAGER_")}
    for name in list(kept):
        if name.lower().endswith("_proxy"):
            del kept[name]
    named = {"REPO_MANAGER_CACHE_DIR": str(world.cache), "REPO_MANAGER_CATALOG": str(world.catalog)}
    return {**kept, **named, "REPO_MANAGER_CONFIG": str(_configuration(world)), "NO_COLOR": "1"}


def _configuration(world: World) -> Path:
    path = world.root / "config.yaml"
    if not path.exists():
        path.write_text("reserve_mb: 0\n", encoding="ascii")
    return path


def cli(world: World, *arguments: str, variables: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command line to its end."""
    with start(world, *arguments, variables=variables) as process:
        try:
            stdout, stderr = process.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
    return subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)


def start(
    world: World, *arguments: str, variables: Mapping[str, str] | None = None, output: int = subprocess.PIPE
) -> subprocess.Popen[str]:
    """Start a command line and return the running process. Use as a context manager.

    Where no thread reads the output while the process runs, pass `subprocess.DEVNULL`: pipes of Windows are soon full.
    """
    for attempt in range(_STARTS):
        try:
            return subprocess.Popen(
                [sys.executable, "-m", "repo_manager", *arguments],
                env={**environment(world), **(variables or {})},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                text=True,
                encoding="utf-8",
                errors="backslashreplace",
            )
        except OSError as error:
            if getattr(error, "winerror", None) != _INTERNAL_ERROR or attempt + 1 == _STARTS:
                raise
    raise AssertionError


_STARTS: Final = 3
_INTERNAL_ERROR: Final = 1359
"""Wine's answer when a new process ended before its first instruction, as under heavy load. Nothing has run then."""


def until(condition: Callable[[], bool], what: str, limit_s: float = 30.0) -> None:
    """Wait for something that another process does."""
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline, f"waited {limit_s:g} s in vain until {what}"
        time.sleep(0.01)
