"""A real full disk, at the leader's depot and at the follower: the old set stands, and the room is given back."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import operations
import processes
import pytest
import small_world
from simulator import name_of
from small_disk import mounted
from small_world import TOKENS, data_of, left_over, snapshot
from spread_world import PAYLOAD, Leader, Mirror, error_of, large, tree
from trust_world import Following

from repo_manager.adapters.storage.local import LocalStorage
from repo_manager.app.mirror import MirrorRequest
from repo_manager.core.errors import ExitCode, MachineError

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.slow

# Room for two of the four installers that are published.
DISK_BYTES: Final = 3_000_000


@pytest.fixture
def small_follower(tmp_path: Path) -> Iterator[Mirror]:
    """A follower with too little room for what its leader has; it has followed a smaller set before."""
    leader = Leader.build(tmp_path / "leader")
    fingerprint = leader.prepare()
    world = small_world.build(tmp_path / "follower", mess=False)
    filled = tmp_path / "filled"
    world.repository.rename(filled)
    world.repository.mkdir()
    with mounted(world.repository, DISK_BYTES):
        shutil.copytree(filled, world.repository, symlinks=True, dirs_exist_ok=True)
        mirror = Mirror(world, str(leader.world.depot), fingerprint)
        done = mirror.run()
        assert done.returncode == ExitCode.DONE, done.stderr
        for token in TOKENS:
            leader.world.put(name_of(token), large(name_of(token)))
        leader.prepare()
        yield mirror


def free_bytes(folder: Path) -> int:
    return shutil.disk_usage(folder).free


def fill(folder: Path, *, but: int = 0) -> Path:
    """Fill the disk, but for so many bytes."""
    filler = folder / "filler.bin"
    with filler.open("wb", buffering=0) as file:
        try:
            while free_bytes(folder) > but:
                file.write(bytes(min(65536, max(4096, free_bytes(folder) - but))))
        except OSError:
            pass
    return filler


def test_a_follower_without_room_is_as_it_was_and_follows_when_there_is_room(small_follower: Mirror) -> None:
    world = small_follower.world
    before, room = snapshot(world), free_bytes(world.repository)

    done = small_follower.run()

    assert (done.returncode, error_of(done)) == (ExitCode.TRANSFER, "no-space"), done.stderr
    assert "bytes are needed" in done.stderr
    assert snapshot(world).state == before.state
    assert left_over(world) == []
    # What was verified of the newer set is remembered.
    assert room - free_bytes(world.repository) <= 8192
    done = small_follower.run("--package", "Windows")
    assert done.returncode == ExitCode.DONE, done.stderr
    assert (world.repository / name_of("Windows")).read_bytes() == large(name_of("Windows"))


def test_a_follower_whose_disk_is_full_to_the_last_byte_remembers_what_it_did(small_follower: Mirror) -> None:
    """Not even what was verified can be written down."""
    world = small_follower.world
    filler = fill(world.repository)
    before = tree(world)

    done = small_follower.run()

    assert (done.returncode, error_of(done)) == (ExitCode.TRANSFER, "no-space"), done.stderr
    assert tree(world) == before
    filler.unlink()
    done = small_follower.run("--package", "Windows")
    assert done.returncode == ExitCode.DONE, done.stderr


def test_a_disk_that_fills_up_while_a_follower_fetches_gives_everything_back(small_follower: Mirror) -> None:
    """Somebody else takes the room between the look and the bytes."""
    world = small_follower.world
    before = snapshot(world)
    depot = LocalStorage(Path(small_follower.source))
    following = operations.follower(world, fingerprint=small_follower.fingerprint, depot=depot)
    following.wanted = MirrorRequest(packages=(TOKENS[0],))
    filled: list[Path] = []

    def step(what: str) -> None:
        if what.startswith("fetched") and not filled:
            filled.append(fill(world.repository))

    with pytest.raises(MachineError) as failure:
        operations.mirror_with(world, step, following)

    assert failure.value.code == "no-space"
    assert left_over(world) == []
    filled[0].unlink()
    assert snapshot(world).state == before.state
    assert small_follower.run("--package", "Windows").returncode == ExitCode.DONE


# The leader's side


@pytest.fixture
def small_depot(tmp_path: Path) -> Iterator[tuple[Leader, str]]:
    """A leader whose depot has too little room for what is to be published next, and the fingerprint of its set."""
    leader = Leader.build(tmp_path / "leader")
    leader.world.depot.mkdir()
    with mounted(leader.world.depot, DISK_BYTES):
        fingerprint = leader.prepare()
        for token in TOKENS:
            leader.world.put(name_of(token), large(name_of(token)))
        yield leader, fingerprint


def shown(leader: Leader, fingerprint: str) -> dict[str, bytes]:
    """What a reader sees who has never seen it before."""
    depot = LocalStorage(leader.world.depot)
    found = Following(depot, fingerprint, now=datetime.now(UTC)).follow().found
    return {member.name.text: b"".join(map(bytes, depot.stream(member.path))) for member in found.members}


SMALL: Final = {name_of(token): data_of(name_of(token)) for token in TOKENS}


def test_a_depot_without_room_keeps_the_old_set_and_half_of_no_file(small_depot: tuple[Leader, str]) -> None:
    leader, fingerprint = small_depot
    depot = leader.world.depot

    done = processes.cli(leader.world, *leader.words(str(depot)))

    assert (done.returncode, error_of(done)) == (ExitCode.TRANSFER, "no-space"), done.stderr
    assert shown(leader, fingerprint) == SMALL
    assert [path for path in depot.rglob("*") if path.name.startswith(".")] == []
    # What was sent whole stays, so that it is not sent again.
    sent = [path for path in (depot / "targets").iterdir() if path.stat().st_size > PAYLOAD]
    assert len(sent) == 2
    for token in TOKENS:
        if not any(f"_{token}_" in path.name for path in sent):
            leader.world.put(name_of(token))
    assert leader.publish(str(depot))["bytes_sent"] == 0
    assert sum(len(data) > PAYLOAD for data in shown(leader, fingerprint).values()) == 2


def test_a_depot_that_is_full_to_the_last_byte_keeps_the_old_set(small_depot: tuple[Leader, str]) -> None:
    leader, fingerprint = small_depot
    depot = leader.world.depot
    filler = fill(depot)
    before = {path: path.read_bytes() for path in depot.rglob("*") if path.is_file()}

    done = processes.cli(leader.world, *leader.words(str(depot), "--rotate", "timestamp"))

    assert (done.returncode, error_of(done)) == (ExitCode.TRANSFER, "no-space"), done.stderr
    assert {path: path.read_bytes() for path in depot.rglob("*") if path.is_file()} == before
    filler.unlink()
    for token in TOKENS[1:]:
        leader.world.put(name_of(token))
    leader.publish(str(depot))
    assert shown(leader, fingerprint) == {**SMALL, name_of(TOKENS[0]): large(name_of(TOKENS[0]))}


def test_keys_on_a_full_disk_are_made_whole_or_not_at_all(tmp_path: Path) -> None:
    leader = Leader.build(tmp_path / "leader")
    keys = leader.world.root / "keys"
    keys.mkdir()
    with mounted(keys, 64 << 10):
        filler = fill(keys)

        done = processes.cli(leader.world, *leader.words(str(leader.world.depot)))

        assert (done.returncode, error_of(done)) == (ExitCode.TRANSFER, "no-space"), done.stderr
        assert [path for path in keys.rglob("*") if path.is_file() and path not in {filler, keys / "lock"}] == []
        assert not (leader.world.depot / "metadata").exists()
        filler.unlink()
        leader.publish(str(leader.world.depot))
