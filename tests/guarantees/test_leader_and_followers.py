"""Everything together, as real processes: publish, serve with TLS, object stores, mirror, and kills at random."""

from __future__ import annotations

import random
import signal
import sys
import threading
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from functools import partial
from subprocess import DEVNULL
from typing import TYPE_CHECKING, Any, Final

import faults
import operations
import processes
import pytest
import small_world
from object_stores import azurite, nginx, s3_server, signature
from processes import until
from simulator import name_of
from small_world import TOKENS, check, left_over, snapshot
from spread_world import Authority, Leader, Mirror, error_of, installers, large, served, tree
from trust_world import Following
from web_world import serving

from repo_manager.adapters.filesystem.repository_folder import SUBFOLDER
from repo_manager.adapters.storage.local import LocalStorage
from repo_manager.core.errors import ExitCode, RepoManagerError
from repo_manager.core.names import Token
from repo_manager.web.server import Certificate

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path
    from subprocess import Popen

    from small_world import World

pytestmark = pytest.mark.slow

ROUNDS: Final = max(1, 2 // faults.STRIDE)


class Together:
    """A leader who publishes to a folder and to a store, and places of several kinds to follow it from."""

    def __init__(self, root: Path, ends: ExitStack) -> None:
        self.root = root
        self._ends = ends
        self.leader = Leader.build(root / "leader", payload=True)
        self.depot = self.leader.world.root / "set"
        self.fingerprint = self.leader.publish(str(self.depot))["root"]
        self.stores: dict[str, Mapping[str, str]] = {}

    def follower(self, kind: str) -> Mirror:
        """A messy repository that follows from a place of that kind."""
        mirror = Mirror(small_world.build(self.root / kind), str(self.depot), self.fingerprint)
        make: Callable[[Mirror], None] = getattr(self, f"_{kind}", lambda _: None)
        make(mirror)
        return mirror

    def _https(self, mirror: Mirror) -> None:
        authority = Authority(self.root / "tls")
        server = served(self.leader.world, self.depot, authority.issue("leader"))
        mirror.source = self._ends.enter_context(server)
        mirror.configure(ca_file=authority.file)

    def _nginx(self, mirror: Mirror) -> None:
        authority, own = Authority(self.root / "nginx-tls"), self.root / "nginx-own"
        own.mkdir()
        base = self._ends.enter_context(nginx(self.leader.world.root, own, authority.issue("web")))
        mirror.source = f"{base}/set"
        mirror.configure(ca_file=authority.file)

    def _s3(self, mirror: Mirror) -> None:
        server = self._ends.enter_context(s3_server())
        self._stored(mirror, f"{server.make('sets')}/asr", server.variables(), server.variables())

    def _azure(self, mirror: Mirror) -> None:
        server = self._ends.enter_context(azurite(self.root / "azurite"))
        may_read = server.with_signature(signature("sets", "r"))
        self._stored(mirror, f"{server.make('sets')}/asr", server.variables(), may_read)

    def _stored(self, mirror: Mirror, address: str, leaders: Mapping[str, str], followers: Mapping[str, str]) -> None:
        self.stores[address] = leaders
        self.leader.publish(address, variables=leaders)
        mirror.source, mirror.variables = address, followers

    def publishings(self) -> dict[str, Mapping[str, str]]:
        """Where the leader publishes to, with what the store asks for."""
        return {str(self.depot): {}, **self.stores}


@pytest.fixture
def together(tmp_path: Path) -> Any:  # noqa: ANN401 - a fixture that ends what it began
    with ExitStack() as ends:
        yield Together(tmp_path, ends)


EVERY: Final = (
    "folder",
    "https",
    "s3",
    pytest.param("nginx", marks=pytest.mark.stores),
    pytest.param("azure", marks=pytest.mark.stores),
)


@pytest.mark.parametrize("kind", EVERY)
def test_a_follower_becomes_what_its_leader_is_and_then_asks_for_one_small_file(together: Together, kind: str) -> None:
    mirror = together.follower(kind)
    before = snapshot(mirror.world)

    done = mirror.run()

    assert done.returncode == ExitCode.DONE, done.stderr
    assert installers(mirror.world) == together.leader.files
    check(before, mirror.world)
    assert left_over(mirror.world) == []
    # What the set names is gone, all but what says that there is nothing new.
    for path in [*(together.depot / "targets").iterdir(), *(together.depot / "metadata").glob("*.*.json")]:
        path.unlink()
    after = tree(mirror.world)
    again = mirror.run()
    assert again.returncode == ExitCode.DONE, again.stderr
    assert tree(mirror.world) == after


# TLS


@pytest.mark.parametrize(
    ("issue", "trusted"),
    [
        pytest.param({}, "another", id="by nobody that is trusted here"),
        pytest.param({"host": "127.0.0.2"}, "authority", id="for another host"),
        pytest.param({"begins": timedelta(days=-9)}, "authority", id="that has ended, or a clock that is ahead"),
        pytest.param({"begins": timedelta(days=1)}, "authority", id="that has not begun, or a clock that is behind"),
        pytest.param({}, None, id="by somebody the system does not know"),
    ],
)
def test_a_certificate_that_does_not_count_is_refused_and_nothing_is_touched(
    tmp_path: Path, published: Leader, issue: dict[str, Any], trusted: str | None
) -> None:
    authority = Authority(tmp_path / "tls")
    files = {"authority": authority.file, "another": Authority(tmp_path / "tls", "another").file}
    mirror = Mirror(small_world.build(tmp_path / "follower"), "", operations.fingerprint_of(published.world))
    if trusted:
        mirror.configure(ca_file=files[trusted])
    before = snapshot(mirror.world)

    with serving(published.world.depot, certificate=Certificate(*authority.issue("server", **issue))) as server:
        mirror.source = server.url
        done = mirror.run()

    assert (done.returncode, error_of(done)) == (ExitCode.TRANSFER, "certificate-refused"), done.stderr
    assert snapshot(mirror.world).state == before.state
    assert not (mirror.world.repository / SUBFOLDER / "trust.json").exists()


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Leader:
    """A leader with a set in a folder."""
    leader = Leader.build(tmp_path_factory.mktemp("published") / "leader")
    leader.prepare()
    return leader


# Kills


def _begun(process: Popen[str], world: World) -> bool:
    staging = world.repository / SUBFOLDER / "staging"
    return process.poll() is not None or (staging.is_dir() and any(staging.iterdir()))


def _publishes(process: Popen[str], world: World) -> bool:
    return process.poll() is not None or (world.root / "keys" / "lock").stat().st_size > 0


def _kill(process: Popen[str], chance: random.Random) -> int:
    """Let it work for some moments, then end it without a word; its exit code, negative or 1 when it was ended."""
    threading.Event().wait(chance.uniform(0, 0.15))
    process.kill()
    process.communicate()
    return process.returncode


def _killed() -> set[int]:
    return {1} if sys.platform == "win32" else {-signal.SIGKILL}


class Reader(threading.Thread):
    """Follows the leader's folder again and again, reads every byte, and keeps what was no whole set."""

    def __init__(self, depot: Path, fingerprint: str) -> None:
        super().__init__(name="reader", daemon=True)
        self._depot, self._fingerprint = depot, fingerprint
        self.ended = threading.Event()
        self.seen: set[frozenset[str]] = set()
        self.wrong: list[str] = []
        self.rounds = 0

    def run(self) -> None:
        while not self.ended.wait(0.01):
            try:
                self.seen.add(self._look())
            except RepoManagerError as error:
                self.wrong.append(f"{error.code}: {error.message}")
            self.rounds += 1

    def _look(self) -> frozenset[str]:
        depot = LocalStorage(self._depot)
        found = Following(depot, self._fingerprint, now=datetime.now(UTC)).follow().found
        for member in found.members:
            if b"".join(bytes(piece) for piece in depot.stream(member.path)) != large(member.name.text):
                self.wrong.append(f"{member.name} has other bytes")
        return frozenset(member.name.token for member in found.members)


KINDS: Final = (("folder", "https", "s3"), pytest.param(("nginx", "azure", "https"), marks=pytest.mark.stores))


@pytest.mark.parametrize("kinds", KINDS, ids="-".join)
def test_a_leader_and_three_followers_of_different_kinds_converge_after_random_kills(
    together: Together, kinds: tuple[str, ...]
) -> None:
    chance = random.Random("-".join(kinds))  # noqa: S311 - chance, not a secret
    leader = together.leader
    followers = [together.follower(kind) for kind in kinds]
    before = [snapshot(mirror.world) for mirror in followers]
    reader = Reader(together.depot, together.fingerprint)
    reader.start()
    published = {frozenset(TOKENS)}
    ends: list[int] = []
    try:
        for number in range(ROUNDS):
            changing = name_of(TOKENS[3])
            lost: tuple[str, ...] = ()
            if number % 2:
                leader.world.put(changing, large(changing))
            else:
                (leader.world.repository / changing).unlink()
                lost = ("--drop", TOKENS[3])
            published.add(frozenset(Token(name.split("_")[3]) for name in leader.files))
            for dest, variables in together.publishings().items():
                # Another time to be good for, so that there is always something to sign.
                words = leader.words(dest, "--expires", str(20 + number), *lost)
                with processes.start(leader.world, *words, variables=variables) as run:
                    until(partial(_publishes, run, leader.world), "it publishes", 120)
                    ends.append(_kill(run, chance))
            with ExitStack() as running:
                begun = [running.enter_context(mirror.start(output=DEVNULL)) for mirror in followers]
                for mirror, run in zip(followers, begun, strict=True):
                    until(partial(_begun, run, mirror.world), "it fetches", 120)
                    ends.append(_kill(run, chance))
            for mirror, was in zip(followers, before, strict=True):
                check(was, mirror.world)
        for dest, variables in together.publishings().items():
            leader.publish(dest, *lost, variables=variables)
    finally:
        reader.ended.set()
        reader.join()

    assert set(ends) & _killed(), ends
    for mirror, was in zip(followers, before, strict=True):
        done = mirror.run()
        assert done.returncode == ExitCode.DONE, done.stderr
        check(was, mirror.world)
        assert installers(mirror.world) == leader.files, mirror.source
        # What was fetched of a package that left the set meanwhile stays for some days.
        assert {path for path in left_over(mirror.world) if name_of(TOKENS[3]) not in path} == set()
    assert reader.wrong == []
    assert reader.rounds > 5
    assert reader.seen <= published
