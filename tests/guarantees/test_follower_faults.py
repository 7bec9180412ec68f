"""Guarantee 11: followers that are down, slow, read-only, full, in use, or worked on by another tool.

Each says what is wrong with it, the others finish, and the next run converges.
"""

from __future__ import annotations

import os
import shutil
import sys
import threading
from collections.abc import Callable
from contextlib import ExitStack
from subprocess import CompletedProcess
from typing import TYPE_CHECKING, Final

import pytest
import scenarios
from scenarios import TOKENS, check, left_over, name_of, snapshot
from small_disk import mounted, read_only
from spread_world import Leader, Mirror, error_of, installers, large

from repo_manager.edges.disk.folder import SUBFOLDER
from repo_manager.edges.disk.lock import Lock
from repo_manager.errors import ExitCode

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

RATE: Final = "4M"


def well(_mirror: Mirror, _trouble: ExitStack) -> tuple[str, ...]:
    return ()


def slow(_mirror: Mirror, _trouble: ExitStack) -> tuple[str, ...]:
    return ("--limit-rate", RATE)


def down(mirror: Mirror, trouble: ExitStack) -> tuple[str, ...]:
    """Its way to the leader is."""
    mirror.configure(attempts=1)
    right, mirror.source = mirror.source, "http://127.0.0.1:9/set"
    trouble.callback(setattr, mirror, "source", right)
    return ()


def in_use(mirror: Mirror, trouble: ExitStack) -> tuple[str, ...]:
    (mirror.world.repository / SUBFOLDER).mkdir()
    owner: dict[str, str | int] = {"pid": os.getpid(), "host": "here", "command": "sync", "since": "now"}
    trouble.enter_context(Lock(mirror.world.repository / SUBFOLDER / "lock", owner))
    return ()


def half_copied(mirror: Mirror, _trouble: ExitStack) -> tuple[str, ...]:
    """By a tool that has gone: under the right name, and as a part beside it."""
    name = name_of(TOKENS[3])
    mirror.world.put(name, large(name)[:400_000])
    mirror.world.put(f"{name}.crdownload", large(name)[:300_000])
    return ()


def moved_away(mirror: Mirror, trouble: ExitStack) -> tuple[str, ...]:
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


def not_writable(mirror: Mirror, trouble: ExitStack) -> tuple[str, ...]:
    trouble.enter_context(read_only(mirror.world.repository))
    return ()


def full(mirror: Mirror, trouble: ExitStack) -> tuple[str, ...]:
    filler = mirror.world.repository / "filler.bin"
    with filler.open("wb") as file:
        file.write(bytes(6_000_000))
    trouble.callback(filler.unlink)
    return ()


Trouble = Callable[[Mirror, ExitStack], tuple[str, ...]]
"""Makes trouble for a follower until the end; returns what else stands on the command line."""

EVERYWHERE: Final[tuple[tuple[Trouble, str, int], ...]] = (
    (well, "", 0),
    (slow, "", 0),
    (half_copied, "", 0),
    (down, "cannot-connect", 3),
    (in_use, "locked", 6),
    (moved_away, "no-repository", 2),
)
# With a disk of its own, which only root on Linux can make.
OF_ITS_OWN: Final[tuple[tuple[Trouble, str, int], ...]] = ((not_writable, "read-only", 3), (full, "no-space", 3))


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


@pytest.mark.parametrize(
    "troubles",
    [
        pytest.param(EVERYWHERE, id="everywhere"),
        pytest.param(
            ((well, "", 0), *OF_ITS_OWN),
            id="with disks of their own",
            marks=pytest.mark.skipif(sys.platform == "win32", reason="nobody can mount a small disk there"),
        ),
    ],
)
def test_followers_in_trouble_say_so_and_do_not_hold_up_the_others(
    tmp_path: Path, troubles: tuple[tuple[Trouble, str, int], ...]
) -> None:
    leader = Leader.build(tmp_path / "leader", payload=True)
    fingerprint = leader.prepare()
    with ExitStack() as disks:
        mirrors = []
        for make, _, _ in troubles:
            mirror = Mirror(scenarios.build(tmp_path / make.__name__), str(leader.world.depot), fingerprint)
            if any(make is own for own, _, _ in OF_ITS_OWN):
                _own_disk(mirror, 9_000_000, disks)
            mirrors.append(mirror)
        with ExitStack() as trouble:
            more = [make(mirror, trouble) for (make, _, _), mirror in zip(troubles, mirrors, strict=True)]
            before = [snapshot(mirror.world) for mirror in mirrors]

            ends = _run_all(list(zip(mirrors, more, strict=True)))

            assert ends == [(code, exit_code) for _, code, exit_code in troubles]
            for mirror, was, (code, _) in zip(mirrors, before, ends, strict=True):
                if code:
                    assert snapshot(mirror.world).state == was.state, code
                else:
                    check(was, mirror.world)
                    assert installers(mirror.world) == leader.files

        ends = _run_all([(mirror, ()) for mirror in mirrors])

        assert ends == [("", ExitCode.DONE)] * len(mirrors)
        for mirror in mirrors:
            assert installers(mirror.world) == leader.files
            assert left_over(mirror.world) == []
