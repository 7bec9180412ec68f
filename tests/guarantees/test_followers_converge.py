"""A leader and three followers of different kinds, all of them killed again and again, end with the same set."""

from __future__ import annotations

import hashlib
import random
import shutil
from functools import partial
from typing import TYPE_CHECKING, Final

import faults
import operations
import pytest
import small_world
from abuse_server import Honest, always, serving
from faults import KILLED, KillAt, in_child
from simulator import name_of
from small_world import TOKENS, Step, World, check, snapshot

from repo_manager.adapters.filesystem.repository_folder import no_step
from repo_manager.adapters.sources.http_rules import HttpPolicy
from repo_manager.adapters.storage import open_depot
from repo_manager.adapters.storage.local import LocalStorage
from repo_manager.core.address import parse as parse_address

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from abuse_server import Request, Script

    from repo_manager.adapters.storage import Storage
    from repo_manager.core.transaction import Outcome

ROUNDS: Final = 6

pytestmark = pytest.mark.skipif(not faults.can_fork, reason="every run is a process of its own")


class _Folder(dict[str, "Script"]):
    """Scripts that serve a folder's files as they are when they are asked for."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder

    def get(self, path: str, _default: object = None) -> Script:
        try:
            data = (self._folder / path.lstrip("/")).read_bytes()
        except OSError:
            return always(404)
        etag = f'"{hashlib.sha256(data).hexdigest()[:16]}"'
        honest = Honest(data, etag=etag)

        def answer(request: Request) -> None:
            same = request.headers.get("If-None-Match") == etag
            (always(304, {"ETag": etag, "Content-Length": "0"}) if same else honest)(request)

        return answer


def _mirror(world: World, depot: Callable[[], Storage], fingerprint: str, step: Step) -> Outcome | None:
    opened = depot()
    try:
        following = operations.follower(world, step, depot=opened, fingerprint=fingerprint)
        return operations.mirror_with(world, step, following)
    finally:
        opened.close()


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_a_leader_and_three_followers_converge_after_random_kills(seed: int, tmp_path: Path) -> None:
    chance = random.Random(seed)  # noqa: S311 - chance, not a secret
    leader = small_world.build(tmp_path / "leader")
    fingerprint = operations.publish(leader, no_step).root
    stick = tmp_path / "carried"
    policy = HttpPolicy(frozenset(), backoff_s=0, attempts=2, trust_env=False)
    with serving() as server:
        server.scripts = _Folder(leader.depot)
        kinds: dict[str, Callable[[], Storage]] = {
            "folder": lambda: LocalStorage(leader.depot),
            "web": lambda: open_depot(parse_address(server.base), policy=policy),
            "stick": lambda: LocalStorage(stick),
        }
        followers = {kind: small_world.build(tmp_path / kind) for kind in kinds}
        before = {kind: snapshot(world) for kind, world in followers.items()}
        for _ in range(ROUNDS):
            tokens = chance.sample(TOKENS, chance.choice((3, 4)))
            in_child(partial(operations.publish, leader, KillAt(chance.randrange(1, 40)), tokens))
            if (leader.depot / "metadata" / "timestamp.json").exists() and chance.random() < 0.7:
                shutil.rmtree(stick, ignore_errors=True)
                shutil.copytree(leader.depot, stick)
            for kind, world in followers.items():
                if not stick.exists():
                    continue
                act = partial(_mirror, world, kinds[kind], fingerprint, KillAt(chance.randrange(1, 60)))
                assert in_child(act) in {0, KILLED}, kind
        goal = {name_of(token) for token in TOKENS}
        operations.publish(leader, no_step)
        shutil.rmtree(stick, ignore_errors=True)
        shutil.copytree(leader.depot, stick)
        for kind, world in followers.items():
            outcome = _mirror(world, kinds[kind], fingerprint, no_step)
            assert outcome is not None
            assert outcome.error is None, kind
            check(before[kind], world)
            found = {path.name for path in world.repository.iterdir() if path.name.startswith("Microsoft-ASR")}
            assert found == goal, kind
            again = _mirror(world, kinds[kind], fingerprint, no_step)
            assert again is not None
            assert again.results == (), kind


def test_one_follower_that_cannot_be_written_to_does_not_disturb_the_others(tmp_path: Path) -> None:
    leader = small_world.build(tmp_path / "leader")
    fingerprint = operations.publish(leader, no_step).root
    worlds = [small_world.build(tmp_path / str(number)) for number in range(3)]
    # A file where the tool's folder should be: no run can begin there.
    (worlds[1].repository / ".repo-manager").write_bytes(b"")

    codes = []
    for world in worlds:
        act = partial(_mirror, world, lambda: LocalStorage(leader.depot), fingerprint, no_step)
        codes.append(in_child(act))

    assert [code == 0 for code in codes] == [True, False, True]
