"""Guarantee 8: many runs at once, readers in between, owners that are killed."""

from __future__ import annotations

import itertools
import os
import random
import socket
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
import small_world
from abuse_server import drip, serving
from processes import cli, start, until
from simulator import name_of
from small_world import TOKENS, data_of, snapshot

from repo_manager.adapters.filesystem.repository_folder import SUBFOLDER
from repo_manager.core import names
from repo_manager.core.errors import ExitCode, InputError

if TYPE_CHECKING:
    from pathlib import Path

    from small_world import World

SOAK_S = float(os.environ.get("REPO_MANAGER_SOAK_S", "12"))
PROCESSES = 8
_PATIENCE_S = 120


def commands(world: World) -> tuple[tuple[str, ...], ...]:
    newest = tuple(str(world.source / name_of(token)) for token in TOKENS[:2])
    return (
        ("sync", "--release", "latest", "--source", str(world.source), "--yes"),
        ("add", *newest, "--yes"),
        ("prune", "--yes"),
        ("audit", "--deep"),
    )


class Reader(threading.Thread):
    """Reads every file under a published name, again and again, and keeps what was not whole."""

    def __init__(self, world: World) -> None:
        super().__init__(name="reader", daemon=True)
        self._world = world
        self._before = {path.name: path.read_bytes() for path in world.repository.iterdir() if path.is_file()}
        self.ended = threading.Event()
        self.read = 0
        self.torn: list[str] = []

    def run(self) -> None:
        while not self.ended.is_set():
            for path in sorted(self._world.repository.iterdir()):
                self._look_at(path)
            self.ended.wait(0.002)

    def _look_at(self, path: Path) -> None:
        try:
            names.parse(path.name)
            data = path.read_bytes()
        except (InputError, FileNotFoundError):
            return
        except PermissionError:
            # Windows keeps readers out for the moment in which a file is renamed. They see nothing, and no part.
            if sys.platform == "win32":
                return
            raise
        self.read += 1
        if data not in (data_of(path.name), self._before.get(path.name)):
            self.torn.append(f"{path.name}: {len(data)} bytes")


def drop(world: World, ended: threading.Event) -> None:
    """Drop older installers and strays into the folder, each whole at once, so that there always is work.

    No name twice: one that comes back while it is being retired is rightly taken for another program's work.
    """
    older = [name_of(token, "9.64") for token in TOKENS]
    for number in itertools.count():
        if ended.wait(0.15):
            return
        name = older.pop() if number % 8 == 0 and older else f"Copy {number} of {name_of('OL8-64', '9.65')}"
        waiting = world.root / "waiting"
        waiting.write_bytes(data_of(name.rpartition(" ")[2]))
        waiting.replace(world.repository / name)


def expected(command: str, code: int, words: str) -> bool:
    """Done, locked out, or findings; a change has findings only where the dropper was at work meanwhile."""
    if code == ExitCode.FINDINGS:
        return "Traceback" not in words and (command == "audit" or "error[goal-not-reached]" in words)
    return code in (ExitCode.DONE, ExitCode.LOCKED)


@pytest.mark.slow
def test_eight_processes_at_once_never_show_a_part_and_reach_the_goal(tmp_path: Path) -> None:
    world = small_world.build(tmp_path / "world")
    before = snapshot(world)
    lines, until_s = commands(world), time.monotonic() + SOAK_S
    reader, ended = Reader(world), threading.Event()
    got_through: set[str] = set()

    def enough() -> bool:
        # A slow machine may take longer until each command has had its turn.
        return got_through >= {"sync", "prune"} and reader.read > 100

    def work(number: int) -> list[tuple[str, int, str]]:
        choice, seen = random.Random(number), []  # noqa: S311 - no secret
        while (now_s := time.monotonic()) < until_s or (not enough() and now_s < until_s + _PATIENCE_S):
            words = choice.choice(lines)
            done = cli(world, "--repository", str(world.repository), *words)
            seen.append((words[0], done.returncode, done.stderr))
            if done.returncode != ExitCode.LOCKED:
                # A change that the dropper was too quick for was made as well.
                got_through.add(words[0])
        return seen

    dropper = threading.Thread(target=drop, args=(world, ended))
    reader.start()
    dropper.start()
    try:
        with ThreadPoolExecutor(PROCESSES) as pool:
            ends = [end for seen in pool.map(work, range(PROCESSES)) for end in seen]
    finally:
        ended.set()
        reader.ended.set()
        dropper.join()
        reader.join()

    unexpected = [end for end in ends if not expected(*end)]
    assert unexpected == []
    assert reader.torn == []
    assert enough()

    done = cli(world, "--repository", str(world.repository), *lines[0])
    assert done.returncode == ExitCode.DONE, done.stderr
    done = cli(world, "--repository", str(world.repository), "audit", "--deep", "--release", "latest")
    assert done.returncode == ExitCode.DONE, done.stdout
    now = snapshot(world)
    assert now.good == {name_of(token) for token in TOKENS}
    assert now.elsewhere == before.elsewhere
    assert small_world.left_over(world) == []


def test_a_held_lock_names_its_owner_and_a_killed_owner_is_replaced(tmp_path: Path) -> None:
    world = small_world.build(tmp_path / "world")
    at = ("--repository", str(world.repository))
    before, released = snapshot(world), threading.Event()
    with serving() as server:
        for path in world.source.iterdir():
            server.url(f"/{path.name}", drip(path.read_bytes(), released))
        owner = start(world, *at, "sync", "--release", "latest", "--source", server.base, "--yes")
        with owner:
            until(lambda: sum(server.sent.values()) > 0, "the download has begun")

            for words in commands(world)[:3]:
                done = cli(world, *at, *words)
                assert done.returncode == ExitCode.LOCKED, done.stderr
                assert "error[locked]" in done.stderr
                assert "sync since 20" in done.stderr
                assert f"(process {owner.pid} on {socket.gethostname()})" in done.stderr
            assert cli(world, *at, "audit").returncode == ExitCode.FINDINGS
            now = snapshot(world)
            assert (now.files, now.retired) == (before.files, before.retired)

            owner.kill()
            owner.communicate()
            released.set()

    done = cli(world, *at, *commands(world)[0])
    assert done.returncode == ExitCode.DONE, done.stderr
    assert snapshot(world).good == {name_of(token) for token in TOKENS}
    # Who held it last is nobody's concern any more.
    assert (world.repository / SUBFOLDER / "lock").read_bytes() == b""
