"""Publishing is killed before every step: whoever reads the depot sees the old set or the new one, whole.

And the next publishing makes it good.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from contextlib import suppress
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import faults
import operations
import pytest
import small_world
from faults import KILLED, KillAt, in_child, some_of
from simulator import name_of
from small_world import World
from trust_world import ALL, DAY, NOW, Following, Leading

from repo_manager.adapters.storage.local import LocalStorage
from repo_manager.adapters.tuf.keys import KeyRole, Keys
from repo_manager.adapters.tuf.publisher import Publisher, PublishOrder
from repo_manager.core.errors import InputError, MachineError, RepoManagerError, TransferError, VerificationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from repo_manager.adapters.storage import StoredFile
    from repo_manager.adapters.tuf.publisher import PublishResult

FEWER: Final = ("Windows", "RHEL9-64", "OL8-64")

forks = pytest.mark.skipif(not faults.can_fork, reason="every step is a process of its own")


def _publish(
    leader: Leading, step: Callable[[str], None], tokens: Iterable[str] = ALL, rotate: Iterable[KeyRole] = ()
) -> PublishResult:
    keys = Keys(leader.root / "keys", step=step)
    keys.prepare()
    depot = operations.SteppingDepot(LocalStorage(leader.depot), step)
    return Publisher(keys, depot, leader.now).publish(
        PublishOrder(leader.items(tokens), 30, frozenset(rotate)), lambda _: None
    )


def _copy(leader: Leading, root: Path) -> Leading:
    shutil.copytree(leader.root, root)
    return Leading(root, leader.now)


def _shown(follower: Following) -> frozenset[str]:
    """What a reader sees, every byte of it checked."""
    found = follower.follow().found
    for member in found.members:
        data = b"".join(bytes(piece) for piece in follower.depot.stream(member.path))
        assert (len(data), hashlib.sha256(data).hexdigest()) == (member.size_bytes, member.sha256)
    return frozenset(member.name.token for member in found.members)


@forks
@pytest.mark.slow
@pytest.mark.parametrize(
    ("before", "after", "rotate"),
    [
        pytest.param(FEWER, ALL, (), id="one more package"),
        pytest.param(ALL, FEWER, (), id="one less package"),
        pytest.param(ALL, FEWER, (KeyRole.ROOT,), id="a new root key"),
        pytest.param(ALL, FEWER, (KeyRole.TARGETS,), id="a new targets key"),
        pytest.param(ALL, FEWER, (KeyRole.SNAPSHOT, KeyRole.TIMESTAMP), id="new small keys"),
        pytest.param(ALL, FEWER, tuple(KeyRole), id="all keys new"),
    ],
)
def test_a_publishing_killed_before_any_step_leaves_a_whole_set_and_is_made_good(
    tmp_path: Path, before: tuple[str, ...], after: tuple[str, ...], rotate: tuple[KeyRole, ...]
) -> None:
    begin = Leading(tmp_path / "begin")
    fingerprint = _publish(begin, lambda _: None, before).root
    begin.now += timedelta(hours=1)
    steps: list[str] = []
    _publish(_copy(begin, tmp_path / "whole"), steps.append, after, rotate)
    assert len(steps) > 5

    for number in some_of(range(1, len(steps) + 1), len(rotate)):
        context = f"killed before step {number}: {steps[number - 1]}"
        leader = _copy(begin, tmp_path / f"{number}")
        old = Following(LocalStorage(begin.depot), fingerprint, now=leader.now)
        old.follow()

        assert in_child(partial(_publish, leader, KillAt(number), after, rotate)) == KILLED

        depot = LocalStorage(leader.depot)
        for follower in (Following(depot, fingerprint, now=leader.now), old.at(depot)):
            assert _shown(follower) in {frozenset(before), frozenset(after)}, context
        published = _publish(leader, lambda _: None, after)
        assert published.root == fingerprint, context
        assert _shown(old.at(depot)) == frozenset(after), context
        assert not list(leader.keys.folder.glob("*.next.pem")), context
        again = _publish(leader, lambda _: None, after)
        assert (again.bytes_sent, again.renewed, again.deleted) == (0, False, 0), context


@forks
@pytest.mark.slow
def test_a_first_publishing_killed_before_any_step_is_made_good(tmp_path: Path) -> None:
    steps: list[str] = []
    _publish(Leading(tmp_path / "whole"), steps.append)

    for number in some_of(range(1, len(steps) + 1), 0):
        context = f"killed before step {number}: {steps[number - 1]}"
        leader = Leading(tmp_path / f"{number}")
        assert in_child(partial(_publish, leader, KillAt(number))) == KILLED

        published = _publish(leader, lambda _: None)

        assert _shown(Following(LocalStorage(leader.depot), published.root)) == frozenset(ALL), context


@forks
def test_a_follower_of_a_killed_publishing_goes_on_as_before(tmp_path: Path) -> None:
    world = operations.led(tmp_path / "world")
    assert operations.mirror(world, lambda _: None) is not None
    before = small_world.snapshot(world)
    (world.source / name_of("OL8-64")).unlink()
    (world.source / name_of("OL8-64")).write_bytes(small_world.data_of(name_of("OL8-64")))
    tokens = [str(token) for token in small_world.TOKENS[:3]]

    def publish(number: int) -> None:
        operations.publish(world, KillAt(number), tokens)

    assert in_child(lambda: publish(3)) == KILLED

    outcome = operations.mirror(world, lambda _: None)
    assert outcome is not None
    assert outcome.results == ()
    assert small_world.snapshot(world).state == before.state


class _FailAt:
    """A step hook that fails at the step of that number, counted from 1, and at all that follow."""

    def __init__(self, number: int) -> None:
        self._left = number

    def __call__(self, what: str) -> None:
        self._left -= 1
        if self._left <= 0:
            raise MachineError("no-space", f"{what}: no space left", "make room")


@pytest.mark.slow
@pytest.mark.parametrize("rotate", [(), (KeyRole.TIMESTAMP,), (KeyRole.ROOT,)])
def test_a_publishing_that_fails_at_any_step_leaves_a_whole_set(tmp_path: Path, rotate: tuple[KeyRole, ...]) -> None:
    begin = Leading(tmp_path / "begin")
    fingerprint = _publish(begin, lambda _: None, ALL).root
    steps: list[str] = []
    _publish(_copy(begin, tmp_path / "whole"), steps.append, FEWER, rotate)

    for number in range(1, len(steps) + 1):
        context = f"failed at step {number}: {steps[number - 1]}"
        leader = _copy(begin, tmp_path / f"{number}")
        # What fails after the new set is in force is a remark.
        with suppress(MachineError):
            _publish(leader, _FailAt(number), FEWER, rotate)
        depot = LocalStorage(leader.depot)
        assert _shown(Following(depot, fingerprint)) in {frozenset(ALL), frozenset(FEWER)}, context
        _publish(leader, lambda _: None, FEWER)
        assert _shown(Following(depot, fingerprint)) == frozenset(FEWER), context


def test_what_a_thief_has_signed_is_replaced_by_the_next_publishing(tmp_path: Path) -> None:
    leader = Leading(tmp_path)
    first = leader.publish()

    def evil(signed: dict[str, Any]) -> None:
        signed["version"] += 1
        signed["targets"]["../evil.exe"] = signed["targets"].pop(name_of("Windows"))

    leader.forge("targets", evil, leader.signer(KeyRole.TARGETS))
    leader.chain_up()

    published = leader.publish(rotate=[KeyRole.TARGETS, KeyRole.SNAPSHOT, KeyRole.TIMESTAMP])

    assert published.packages == 4
    assert _shown(Following(LocalStorage(leader.depot), first.root)) == frozenset(ALL)


class _AskingDepot:
    """A depot that tells of each request before it is made; of a look at a file and its writing, only of the look."""

    def __init__(self, depot: LocalStorage, step: Callable[[str], None]) -> None:
        self._depot, self._step = depot, step
        self.name, self.stream, self.sweep, self.close = depot.name, depot.stream, depot.sweep, depot.close
        self._looked = ""

    def read(self, path: str, *, limit_bytes: int, etag: str | None = None) -> StoredFile | None:
        self._step(f"read {path}")
        return self._depot.read(path, limit_bytes=limit_bytes, etag=etag)

    def size(self, path: str) -> int | None:
        self._step(f"look at {path}")
        self._looked = path
        return self._depot.size(path)

    def list(self, prefix: str) -> Iterator[tuple[str, int]]:
        self._step(f"list {prefix}")
        return self._depot.list(prefix)

    def write(self, path: str, data: bytes) -> None:
        if path != self._looked:
            self._step(f"write {path}")
        self._depot.write(path, data)

    def upload(self, path: str, file: Path, *, sha256: str, progress: Callable[[int], None]) -> None:
        self._step(f"upload {path}")
        self._depot.upload(path, file, sha256=sha256, progress=progress)

    def delete(self, path: str) -> None:
        self._step(f"delete {path}")
        self._depot.delete(path)


# What is sent, and what goes


def _files(leader: Leading) -> Mapping[str, tuple[int, int]]:
    found = {}
    for path in leader.depot.rglob("*"):
        if path.is_file():
            facts = path.stat()
            found[path.relative_to(leader.depot).as_posix()] = (facts.st_ino, facts.st_mtime_ns)
    return found


def test_publishing_again_changes_no_file(tmp_path: Path) -> None:
    leader = Leading(tmp_path)
    first = leader.publish()
    before = _files(leader)
    leader.now += timedelta(days=3)

    again = leader.publish()

    assert (again.root, again.version, again.bytes_sent, again.renewed) == (first.root, 1, 0, False)
    assert _files(leader) == before


def test_what_has_not_changed_is_not_sent_again(tmp_path: Path) -> None:
    leader = Leading(tmp_path)
    leader.publish(FEWER)
    before = {path: facts for path, facts in _files(leader).items() if path.startswith("targets/")}

    more = leader.publish(ALL)

    assert more.bytes_sent == len(small_world.data_of(name_of("UBUNTU-22.04-64")))
    assert before.items() <= _files(leader).items()


def test_a_set_with_half_of_its_time_behind_it_is_renewed_without_sending(tmp_path: Path) -> None:
    leader = Leading(tmp_path)
    leader.publish()
    leader.now += 16 * DAY

    again = leader.publish()

    assert (again.version, again.bytes_sent, again.renewed) == (2, 0, True)
    assert again.expires == NOW + 46 * DAY


def test_a_shorter_time_counts_at_once(tmp_path: Path) -> None:
    leader = Leading(tmp_path)
    leader.publish(days=30)

    assert leader.publish(days=2).expires == NOW + 2 * DAY


@pytest.mark.parametrize(
    ("first", "asked", "after"),
    [
        pytest.param(30, 59, 0, id="less than twice as long"),
        pytest.param(30, 31, 0, id="a day longer"),
        pytest.param(30, 20, 0, id="shorter"),
        pytest.param(30, 20, 12, id="shorter, and less than that is left"),
        pytest.param(30, 500, 0, id="longer than the word on what the set holds"),
    ],
)
def test_another_time_counts_at_once_and_is_signed_for_once(tmp_path: Path, first: int, asked: int, after: int) -> None:
    leader = Leading(tmp_path)
    leader.publish(days=first)
    leader.now += after * DAY

    assert leader.publish(days=asked).expires == leader.now + asked * DAY

    until = leader.now + asked * DAY
    for _ in range(4):
        leader.now += timedelta(hours=1)
        again = leader.publish(days=asked)
        assert (again.renewed, again.expires) == (False, until)


def test_a_schedule_that_always_asks_for_the_same_time_signs_when_half_of_it_is_over(tmp_path: Path) -> None:
    leader = Leading(tmp_path)
    signed = []
    for day in range(40):
        leader.now = NOW + day * DAY
        if leader.publish(days=30).renewed:
            signed.append(day)

    assert signed == [0, 16, 32]


def test_where_nobody_remembers_for_how_long_a_set_was_signed_that_is_found_out_once(tmp_path: Path) -> None:
    leader = Leading(tmp_path)
    leader.publish(days=30)
    leader.now += 5 * DAY
    shutil.rmtree(leader.keys.folder / "metadata")

    assert leader.publish(days=30).expires == leader.now + 30 * DAY

    leader.now += 5 * DAY
    assert not leader.publish(days=30).renewed


def test_what_killed_runs_have_left_at_a_place_goes_with_the_next_publishing_after_a_day(tmp_path: Path) -> None:
    leader = Leading(tmp_path)
    leader.publish()
    payload = next((leader.depot / "targets").iterdir())
    left = [payload.with_name(f".{payload.name}.46ea7cec.new"), leader.depot / "metadata" / ".9.root.json.46ea7cec.new"]
    strangers = [leader.depot / "targets" / ".notes.46ea7cec.new", leader.depot / ".1.root.json.46ea7cec.new"]
    for path in (*left, *strangers):
        path.write_bytes(b"half")
    later = payload.stat().st_mtime + 90_000

    assert leader.publish().deleted == 0
    assert all(path.exists() for path in left), "somebody may be writing it now"
    swept = leader.publish(depot=LocalStorage(leader.depot, now=lambda: later))

    assert (swept.deleted, swept.renewed) == (2, False)
    assert not any(path.exists() for path in left)
    assert all(path.exists() for path in strangers)


def test_what_a_valid_snapshot_names_stays_and_then_goes(tmp_path: Path) -> None:
    leader = Leading(tmp_path)
    leader.publish(release="9.65")
    old = [path for path in _files(leader) if "_9.65." in path]
    assert len(old) == 4
    leader.now += 20 * DAY
    leader.publish()
    assert set(old) < set(_files(leader))

    leader.now += 11 * DAY
    cleared = leader.publish(FEWER)

    assert cleared.deleted == 6
    assert not [path for path in _files(leader) if "_9.65." in path]
    assert [path for path in _files(leader) if "UBUNTU" in path], "the snapshot before is still good"
    assert leader.path("root", 1).exists()
    assert not leader.path("snapshot", 1).exists()
    assert not leader.path("targets", 1).exists()


def test_what_others_laid_into_the_depot_stays(tmp_path: Path) -> None:
    leader = Leading(tmp_path)
    leader.publish()
    strangers = ["readme.txt", "targets/notes.txt", "metadata/notes.json", "reports/one.json"]
    for name in strangers:
        path = leader.depot / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"somebody's")
    leader.now += 40 * DAY

    leader.publish(FEWER)

    assert {path for path in _files(leader) if path in strangers} == set(strangers)


def test_where_nothing_is_new_a_depot_is_asked_for_two_lists_and_four_small_files(tmp_path: Path) -> None:
    leader = Leading(tmp_path)
    leader.publish()
    asked: list[str] = []

    leader.publish(depot=_AskingDepot(LocalStorage(leader.depot), asked.append))

    # The clearing away looks at what the snapshot names.
    assert sorted(set(asked)) == [
        "list metadata/",
        "list targets/",
        "read metadata/1.root.json",
        "read metadata/1.snapshot.json",
        "read metadata/1.targets.json",
        "read metadata/timestamp.json",
    ]
    assert len(asked) <= 7


def test_the_bytes_that_are_said_to_be_sent_are_those_that_the_depot_was_given(tmp_path: Path) -> None:
    leader = Leading(tmp_path)
    leader.publish(FEWER)
    sent: list[str] = []

    published = leader.publish(ALL, depot=_AskingDepot(LocalStorage(leader.depot), sent.append))

    uploads = [step.removeprefix("upload ") for step in sent if step.startswith("upload")]
    assert published.bytes_sent == sum((leader.depot / path).stat().st_size for path in uploads)
    assert len(uploads) == 1


def test_an_installer_that_is_gone_from_the_depot_is_sent_again(tmp_path: Path) -> None:
    leader = Leading(tmp_path)
    leader.publish()
    lost = next(path for path in leader.depot.rglob("*OL8*"))
    lost.unlink()

    assert leader.publish().bytes_sent == len(small_world.data_of(name_of("OL8-64")))
    assert lost.exists()


def test_a_file_that_changed_after_it_was_read_is_not_published(tmp_path: Path) -> None:
    leader = Leading(tmp_path)
    leader.publish(FEWER)
    before = _files(leader)
    items = leader.items(ALL)
    items[3].path.write_bytes(b"x" * items[3].member.size_bytes)

    with pytest.raises(VerificationError) as failure:
        Publisher(leader.keys, LocalStorage(leader.depot), NOW).publish(PublishOrder(items, 30), lambda _: None)

    assert failure.value.code == "digest-mismatch"
    assert _files(leader) == before


# Keys


def test_the_small_keys_renew_the_set(tmp_path: Path) -> None:
    leader = Leading(tmp_path)
    first = leader.publish()
    for name in ("root.pem", "targets.pem"):
        (leader.keys.folder / name).unlink()
    leader.now += DAY

    again = leader.publish()

    assert (again.root, again.version, again.bytes_sent, again.renewed) == (first.root, 2, 0, True)
    follower = Following(LocalStorage(leader.depot), first.root, now=leader.now)
    assert len(follower.follow().found.members) == 4


def test_the_small_keys_renew_without_the_repository(tmp_path: Path) -> None:
    leader = Leading(tmp_path)
    leader.publish()
    (leader.keys.folder / "targets.pem").unlink()

    assert leader.publish(renew=True).packages == 4


def test_the_small_keys_cannot_change_the_set(tmp_path: Path) -> None:
    leader = Leading(tmp_path)
    leader.publish()
    (leader.keys.folder / "targets.pem").unlink()
    before = _files(leader)

    with pytest.raises(InputError) as failure:
        leader.publish(FEWER)

    assert failure.value.code == "key-missing"
    assert "targets.pem" in failure.value.message
    assert "--renew" in failure.value.hint
    assert _files(leader) == before


@pytest.mark.parametrize("role", [KeyRole.TARGETS, KeyRole.SNAPSHOT, KeyRole.TIMESTAMP])
def test_a_lost_key_is_replaced_with_the_root_key(tmp_path: Path, role: KeyRole) -> None:
    leader = Leading(tmp_path)
    first = leader.publish()
    follower = Following(LocalStorage(leader.depot), first.root)
    follower.follow()
    (leader.keys.folder / f"{role.value}.pem").unlink()
    with pytest.raises(InputError, match=f"{role.value}.pem"):
        leader.publish(FEWER)

    leader.publish(FEWER, rotate=[role])

    assert len(follower.follow().found.members) == 3
    assert leader.publish(ALL).root == first.root


@pytest.mark.parametrize("role", list(KeyRole))
def test_nothing_is_replaced_without_the_root_key(tmp_path: Path, role: KeyRole) -> None:
    leader = Leading(tmp_path)
    leader.publish()
    (leader.keys.folder / "root.pem").unlink()
    before = _files(leader)

    with pytest.raises(InputError, match=r"root\.pem") as failure:
        leader.publish(rotate=[role])

    assert failure.value.code == "key-missing"
    assert _files(leader) == before
    assert not list(leader.keys.folder.glob("*.next.pem"))


def test_other_keys_do_not_touch_a_set(tmp_path: Path) -> None:
    leader = Leading(tmp_path / "one")
    leader.publish()
    before = _files(leader)
    other = Leading(tmp_path / "other")

    with pytest.raises(VerificationError) as failure:
        other.publish(depot=LocalStorage(leader.depot))
    assert failure.value.code == "foreign-set"
    assert not list(other.keys.folder.glob("*.pem")), "nothing is made for a set that has keys"
    other.publish()
    with pytest.raises(VerificationError):
        other.publish(depot=LocalStorage(leader.depot))

    assert _files(leader) == before


class _Closed(_AskingDepot):
    """A place that may be looked at, and not be written to."""

    def write(self, path: str, data: bytes) -> None:
        raise TransferError("access-denied", f"{path}: may not be written, all {len(data)} bytes", "have it allowed")

    def upload(self, path: str, file: Path, *, sha256: str, progress: Callable[[int], None]) -> None:
        self.write(path, f"{file}{sha256}{progress}".encode())


def test_no_keys_are_made_for_a_place_that_cannot_be_written_to(tmp_path: Path) -> None:
    leader = Leading(tmp_path)

    with pytest.raises(TransferError) as failure:
        leader.publish(depot=_Closed(LocalStorage(leader.depot), lambda _: None))

    assert failure.value.code == "access-denied"
    assert not leader.keys.any
    assert leader.publish().renewed


def test_nothing_is_sent_where_the_first_root_could_not_be_signed(tmp_path: Path) -> None:
    leader = Leading(tmp_path)
    leader.keys.prepare()
    leader.keys.make(KeyRole.TARGETS)

    with pytest.raises(InputError) as failure:
        leader.publish()

    assert failure.value.code == "key-missing"
    assert not leader.depot.exists()


def test_one_folder_of_keys_signs_for_several_places_under_one_fingerprint(tmp_path: Path) -> None:
    leader = Leading(tmp_path)
    first = leader.publish()
    second = leader.publish(depot=LocalStorage(tmp_path / "second"))

    assert second.root == first.root
    assert second.bytes_sent == first.bytes_sent
    leader.publish(FEWER, rotate=[KeyRole.ROOT, KeyRole.TIMESTAMP])
    assert leader.publish(FEWER, depot=LocalStorage(tmp_path / "second")).root == first.root
    assert _shown(Following(LocalStorage(tmp_path / "second"), first.root)) == frozenset(FEWER)


def test_keys_that_come_without_their_memory_go_on_from_the_depot(tmp_path: Path) -> None:
    leader = Leading(tmp_path)
    first = leader.publish(rotate=())
    leader.publish(rotate=[KeyRole.ROOT])
    shutil.rmtree(leader.keys.folder / "metadata")

    again = leader.publish(FEWER)

    assert again.root == first.root
    assert _shown(Following(LocalStorage(leader.depot), first.root)) == frozenset(FEWER)


def test_a_set_that_was_put_back_is_not_renewed(tmp_path: Path) -> None:
    leader = Leading(tmp_path / "leader")
    leader.publish(release="9.65")
    shutil.copytree(leader.depot, tmp_path / "old")
    leader.publish()
    shutil.rmtree(leader.depot)
    shutil.copytree(tmp_path / "old", leader.depot)
    (leader.keys.folder / "targets.pem").rename(tmp_path / "targets.pem")

    with pytest.raises(VerificationError) as failure:
        leader.publish(renew=True)
    assert failure.value.code == "set-went-back"

    (tmp_path / "targets.pem").rename(leader.keys.folder / "targets.pem")
    assert leader.publish().version == 3, "no version is used twice"


def test_a_depot_that_went_away_is_not_taken_for_a_new_one(tmp_path: Path) -> None:
    leader = Leading(tmp_path)
    leader.publish()
    leader.depot.rename(tmp_path / "unmounted")

    with pytest.raises(RepoManagerError) as failure:
        leader.publish()

    assert failure.value.code == "source-went-away"
    assert not leader.depot.exists()


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="needs modes, and root ignores them")
def test_a_depot_without_rights_is_left_as_it_is(tmp_path: Path) -> None:
    leader = Leading(tmp_path)
    leader.publish(FEWER)
    (leader.depot / "targets").chmod(0o500)

    with pytest.raises(MachineError) as failure:
        leader.publish(ALL)

    assert failure.value.code == "no-rights"


def test_the_world_of_the_other_suites_has_a_leader(tmp_path: Path) -> None:
    world = operations.led(tmp_path)

    assert isinstance(world, World)
    assert len(list((world.depot / "targets").iterdir())) == 4


# Two machines with the same keys


class _At:
    """A step hook that does something once, before the step of that number."""

    def __init__(self, number: int, act: Callable[[], object]) -> None:
        self._left, self._act = number, act
        self.done = False

    def __call__(self, _what: str) -> None:
        self._left -= 1
        if self._left == 0:
            self.done = True
            # Whose key has just been replaced can publish no more, and says so.
            with suppress(InputError):
                self._act()


@pytest.mark.slow
@pytest.mark.parametrize(
    "rotate", [(), (KeyRole.TIMESTAMP,), (KeyRole.ROOT,)], ids=["no key", "the timestamp key", "the root key"]
)
def test_whoever_publishes_between_two_requests_of_another_machine_breaks_no_set(
    tmp_path: Path, rotate: tuple[KeyRole, ...]
) -> None:
    """Each has a folder of keys of its own, so that no lock keeps them apart."""
    begin = Leading(tmp_path / "begin")
    fingerprint = begin.publish(FEWER[:2]).root
    steps: list[str] = []
    whole = _copy(begin, tmp_path / "whole")
    whole.publish(FEWER, rotate=rotate, depot=_AskingDepot(LocalStorage(whole.depot), steps.append))
    ends: set[str] = set()

    for number in some_of(range(1, len(steps) + 1), len(rotate)):
        context = f"before request {number}: {steps[number - 1]}"
        one, other = _copy(begin, tmp_path / f"{number}"), _copy(begin, tmp_path / f"{number}-other")
        late = _At(number, partial(other.publish, ALL, depot=LocalStorage(one.depot)))
        try:
            one.publish(FEWER, rotate=rotate, depot=_AskingDepot(LocalStorage(one.depot), late))
        except TransferError as error:
            ends.add(error.code)
        assert late.done, context
        depot = LocalStorage(one.depot)
        reader = Following(depot, fingerprint)
        try:
            assert _shown(reader) in {frozenset(ALL), frozenset(FEWER)}, context
        except VerificationError as error:
            # The other machine signed with the key that went at this very moment.
            assert (rotate, error.code) == ((KeyRole.TIMESTAMP,), "wrong-signature"), context  # noqa: PT017 - either is right

        one.publish(FEWER)

        assert _shown(reader) == _shown(Following(depot, fingerprint)) == frozenset(FEWER), context
    assert ends == {"published-meanwhile"}
