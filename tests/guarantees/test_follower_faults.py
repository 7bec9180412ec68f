"""Guarantee 11: followers that are down, slow, read-only, full, in use, or worked on by another tool.

They follow a place of each kind. Each says what is wrong with it, the others finish, and the next run converges.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from subprocess import CompletedProcess
from typing import TYPE_CHECKING, Final

import pytest
import small_world
from simulator import name_of
from small_disk import mounted, read_only
from small_world import TOKENS, check, left_over, snapshot
from spread_places import KINDS, place_of
from spread_world import Here, Leader, Mirror, error_of, installers, large

from repo_manager.adapters.filesystem.lock import Lock
from repo_manager.adapters.filesystem.repository_folder import SUBFOLDER
from repo_manager.core.errors import ExitCode

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from spread_places import Place

pytestmark = pytest.mark.slow

RATE: Final = "4M"


@dataclass(frozen=True)
class Led:
    """A leader and the place that it publishes to."""

    leader: Leader
    place: Place
    fingerprint: str


@pytest.fixture(scope="module", params=KINDS)
def led(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Led]:
    root = tmp_path_factory.mktemp("led")
    leader = Leader.build(root / "leader", payload=True)
    (root / "place").mkdir()
    with place_of(request.param, root / "place") as place:
        depot = place.depot("set")
        fingerprint = leader.prepare(depot)
        depot.close()
        yield Led(leader, place, fingerprint)


def well(_led: Led, _mirror: Mirror, _trouble: ExitStack) -> tuple[str, ...]:
    return ()


def slow(_led: Led, _mirror: Mirror, _trouble: ExitStack) -> tuple[str, ...]:
    return ("--limit-rate", RATE)


def down(led: Led, mirror: Mirror, trouble: ExitStack) -> tuple[str, ...]:
    """Its way to the leader is."""
    led.place.send_nowhere(mirror)
    trouble.callback(led.place.send, mirror, "set")
    return ()


def in_use(_led: Led, mirror: Mirror, trouble: ExitStack) -> tuple[str, ...]:
    (mirror.world.repository / SUBFOLDER).mkdir()
    owner: dict[str, str | int] = {"pid": os.getpid(), "host": "here", "command": "sync", "since": "now"}
    trouble.enter_context(Lock(mirror.world.repository / SUBFOLDER / "lock", owner))
    return ()


def half_copied(_led: Led, mirror: Mirror, _trouble: ExitStack) -> tuple[str, ...]:
    """By a tool that has gone: under the right name, and as a part beside it."""
    name = name_of(TOKENS[3])
    mirror.world.put(name, large(name)[:400_000])
    mirror.world.put(f"{name}.crdownload", large(name)[:300_000])
    return ()


def moved_away(_led: Led, mirror: Mirror, trouble: ExitStack) -> tuple[str, ...]:
    """A volume that is not mounted."""
    away = mirror.world.root / "unmounted"
    mirror.world.repository.rename(away)
    trouble.callback(away.rename, mirror.world.repository)
    return ()


def _own_disk(mirror: Mirror, size_bytes: int, ends: ExitStack) -> None:
    filled = mirror.world.root / "filled"
    mirror.world.repository.rename(filled)
    mirror.world.repository.mkdir()
    ends.enter_context(mounted(mirror.world.repository, size_bytes))
    shutil.copytree(filled, mirror.world.repository, symlinks=True, dirs_exist_ok=True)


def not_writable(_led: Led, mirror: Mirror, trouble: ExitStack) -> tuple[str, ...]:
    trouble.enter_context(read_only(mirror.world.repository))
    return ()


def full(_led: Led, mirror: Mirror, trouble: ExitStack) -> tuple[str, ...]:
    filler = mirror.world.repository / "filler.bin"
    with filler.open("wb") as file:
        file.write(bytes(6_000_000))
    trouble.callback(filler.unlink)
    return ()


Trouble = Callable[[Led, Mirror, ExitStack], tuple[str, ...]]
"""Makes trouble for a follower until the end; returns what else stands on the command line."""

EVERYWHERE: Final[tuple[tuple[Trouble, str, int], ...]] = (
    (well, "", 0),
    (slow, "", 0),
    (half_copied, "", 0),
    (down, "cannot-connect", 3),
)
# Before a follower asks anybody, so that it is the same wherever it would.
BEFORE_IT_ASKS: Final[tuple[tuple[Trouble, str, int], ...]] = ((in_use, "locked", 6), (moved_away, "no-repository", 2))
# With a disk of its own, which only root on Linux can make.
OF_ITS_OWN: Final[tuple[tuple[Trouble, str, int], ...]] = ((not_writable, "read-only", 3), (full, "no-space", 3))
NOT_THERE: Final = {"folder": "source-went-away"}
"""What is said of a place that cannot be reached, where it is no connection."""


@dataclass(frozen=True)
class Audit:
    """Looks at all followers by what they report."""

    here: Here
    led: Led
    root: Path

    def words(self, mirror: Mirror) -> tuple[str, ...]:
        """What a follower is told, so that it can be seen."""
        return ("--report-to", str(self.root), "--host", mirror.world.root.name)

    def of(self, mirrors: list[Mirror]) -> tuple[int, set[str]]:
        """The exit code of `fleet audit`, and who is as the leader's set says."""
        first, file = mirrors[0], self.root / "fleet.yaml"
        names = "".join(f"  - name: {mirror.world.root.name}\n" for mirror in mirrors)
        file.write_text(f"servers:\n{names}", encoding="ascii")
        place = ("--set", first.source, "--trust", self.led.fingerprint, "--reports", str(self.root))
        words = ("--json", "fleet", "audit", str(file), *place)
        done = self.here.cli(first.world, *words, variables=first.variables)
        document = json.loads(done.stdout)
        assert document["problems"] == []
        assert document["wanted"]["verified"]
        current = {server["host"] for server in document["servers"] if server["condition"] == "current"}
        return done.returncode, current


def _run_all(mirrors: list[tuple[Mirror, tuple[str, ...]]]) -> list[tuple[str, int]]:
    """Let all follow at once; what each ended with."""
    with ExitStack() as running:
        begun = [running.enter_context(mirror.start(*more)) for mirror, more in mirrors]
        said: dict[int, tuple[str, str]] = {}
        threads = [
            threading.Thread(target=lambda n=n, run=run: said.update({n: run.communicate(timeout=120)}))
            for n, run in enumerate(begun)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    ends = []
    for n, run in enumerate(begun):
        out, err = said[n]
        assert "Traceback" not in err
        done = CompletedProcess([], run.returncode, out, err)
        ends.append((error_of(done), run.returncode))
    return ends


def _troubles(kind: str, *, disks: bool) -> tuple[tuple[Trouble, str, int], ...]:
    """What is tried at a place. What has nothing to do with it is tried at one place alone."""
    if disks:
        return (*OF_ITS_OWN, *EVERYWHERE[:1]) if kind == "folder" else OF_ITS_OWN
    return (*EVERYWHERE, *BEFORE_IT_ASKS) if kind == "folder" else EVERYWHERE


@pytest.mark.parametrize(
    "disks",
    [
        pytest.param(False, id="everywhere"),
        pytest.param(
            True,
            id="with disks of their own",
            marks=pytest.mark.skipif(sys.platform == "win32", reason="nobody can mount a small disk there"),
        ),
    ],
)
def test_followers_in_trouble_say_so_and_do_not_hold_up_the_others(
    tmp_path: Path,
    led: Led,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    *,
    disks: bool,
) -> None:
    kind, leader = led.place.kind, led.leader
    troubles = _troubles(kind, disks=disks)
    audit = Audit(Here(monkeypatch, capsys), led, tmp_path)
    with ExitStack() as ends_of_disks:
        mirrors = []
        for make, _, _ in troubles:
            mirror = Mirror(small_world.build(tmp_path / make.__name__), "", led.fingerprint)
            led.place.send(mirror, "set")
            if any(make is own for own, _, _ in OF_ITS_OWN):
                _own_disk(mirror, 9_000_000, ends_of_disks)
            mirrors.append(mirror)
        with ExitStack() as trouble:
            more = [
                (*make(led, mirror, trouble), *audit.words(mirror))
                for (make, _, _), mirror in zip(troubles, mirrors, strict=True)
            ]
            before = [snapshot(mirror.world) for mirror in mirrors]

            ends = _run_all(list(zip(mirrors, more, strict=True)))

            assert ends == [
                (NOT_THERE.get(kind, code) if make is down else code, exit_code) for make, code, exit_code in troubles
            ]
            for mirror, was, (code, _) in zip(mirrors, before, ends, strict=True):
                if code:
                    assert snapshot(mirror.world).state == was.state, code
                else:
                    check(was, mirror.world)
                    assert installers(mirror.world) == leader.files
            finished = {make.__name__ for (make, _, _), (code, _) in zip(troubles, ends, strict=True) if not code}
            assert audit.of(mirrors) == (ExitCode.PARTIAL, finished)

        for mirror in mirrors:
            done = audit.here.cli(mirror.world, *mirror.words(*audit.words(mirror)), variables=mirror.variables)
            assert (error_of(done), done.returncode) == ("", ExitCode.DONE), done.stderr
            assert installers(mirror.world) == leader.files
            assert left_over(mirror.world) == []
        assert audit.of(mirrors) == (ExitCode.DONE, {make.__name__ for make, _, _ in troubles})
