"""Publishing and following, refused at any single step, once or for ever: as before or as after, and it says so.

The steps are those that the parts tell of themselves, and then every call that Python tells of: each open, rename,
removal, new folder and listing below the world, whoever makes it.
"""

from __future__ import annotations

import errno
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Final

import faults
import operations
import pytest
import small_world
from faults import in_child, some_of
from simulator import name_of
from small_world import TOKENS, Step, World, check, left_over, snapshot
from trust_world import Following

from repo_manager.adapters.filesystem.repository_folder import no_step
from repo_manager.adapters.storage.local import LocalStorage
from repo_manager.core.errors import MachineError, RepoManagerError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


pytestmark = pytest.mark.slow


class SharingViolationError(OSError):
    """What Windows says of a file that another program holds."""

    winerror = 32


# The fault, and what it is called where something is written and where the depot is read.
FAULTS: Final[dict[str, tuple[Callable[[], OSError], str]]] = {
    "full": (lambda: OSError(errno.ENOSPC, "no space left on device"), "no-space"),
    "broken": (lambda: OSError(errno.EIO, "input/output error"), "disk-error"),
    "denied": (lambda: OSError(errno.EACCES, "permission denied"), "no-rights"),
    "too many files": (lambda: OSError(errno.EMFILE, "too many open files"), "too-many-files"),
    "share gone": (lambda: OSError(errno.ESTALE, "stale file handle"), "folder-went-away"),
    "held": (lambda: SharingViolationError(errno.EACCES, "the file is being used by another process"), "file-in-use"),
}
FEWER: Final = TOKENS[:3]


class FailAt:
    """A step hook that fails at the step of that number, counted from 1, and ever after when told to."""

    def __init__(self, number: int, make: Callable[[], OSError], *, for_ever: bool) -> None:
        self._number, self._make, self._for_ever = number, make, for_ever
        self.count = 0

    def __call__(self, what: str) -> None:
        if what.startswith(("fetched", "sent", "wrote")):
            # Told to people; nothing that a disk can refuse.
            return
        self.count += 1
        if self.count == self._number or (self._for_ever and self.count > self._number):
            raise self._make()


# The worlds


def published(root: Path) -> World:
    """A world whose leader is about to publish one package more."""
    world = small_world.build(root)
    operations.publish(world, no_step, FEWER)
    return world


Act = Callable[[], object]


def publishing(world: World, step: Step = no_step) -> Act:
    """Publishing to the world's folder, whose every step is told."""
    items = operations.items_of(world)
    return lambda: operations.publish_items(world, step, items, LocalStorage(world.depot, step=step))


def following(world: World, step: Step = no_step) -> Act:
    """Following the world's leader."""
    follower = operations.follower(world, step)
    # The world's own clock looks at the folder.
    now = small_world.bench(world).now()
    return lambda: operations.mirror_with(world, step, follower, now)


def shown(world: World) -> frozenset[str]:
    """What a reader of the world's set sees, every byte verified."""
    depot = LocalStorage(world.depot)
    found = Following(depot, operations.fingerprint_of(world), now=small_world.NOW).follow().found
    for member in found.members:
        data = b"".join(bytes(piece) for piece in depot.stream(member.path))
        assert data == small_world.data_of(member.name.text)
    return frozenset(member.name.text for member in found.members)


OLD: Final = frozenset(name_of(token) for token in FEWER)
NEW: Final = frozenset(name_of(token) for token in TOKENS)


def staged(world: World) -> list[str]:
    """What of a publishing must not stay: half files in the depot, and half keys."""
    return [path.name for folder in (world.depot, world.root / "keys") for path in folder.rglob("*.new")]


def attempt(act: Act) -> RepoManagerError | None:
    """The error it ended with; any other exception goes through and fails the test."""
    try:
        outcome = act()
    except RepoManagerError as error:
        return error
    return getattr(outcome, "error", None)


# Each case takes every fifth step, so that each step meets at least two of the faults.
_EACH: Final = 5
CASES: Final = [(fault, for_ever) for fault in FAULTS for for_ever in (False, True)]
IDS: Final = [f"{fault} {'for ever' if for_ever else 'once'}" for fault, for_ever in CASES]


@pytest.mark.parametrize(("fault", "for_ever"), CASES, ids=IDS)
def test_a_follower_that_is_refused_at_any_step_is_as_before_or_as_after(
    fault: str, *, for_ever: bool, tmp_path: Path
) -> None:
    error_of, code = FAULTS[fault]
    begin = operations.followed(tmp_path / "begin")
    whole = begin.at(tmp_path / "whole")
    counting = FailAt(0, error_of, for_ever=False)
    operations.mirror(whole, counting)
    before, goal = snapshot(begin), snapshot(whole)
    assert counting.count > 15

    case = CASES.index((fault, for_ever))
    for number in some_of(range(1 + case % _EACH, counting.count + 1, _EACH), case):
        context = f"{fault} at step {number}"
        world = begin.at(tmp_path / f"{number}")
        step = FailAt(number, error_of, for_ever=for_ever)
        error = attempt(following(world, step))
        assert step.count >= number, context
        check(before, world, goal)
        if error is None:
            assert snapshot(world).state == goal.state, context
        elif error.code == "not-put-back":
            assert for_ever, context
        elif error.code == "not-confirmed":
            # The journal is closed: nothing may be undone any more.
            assert snapshot(world).files == goal.files, context
        else:
            assert (isinstance(error, MachineError), error.code, error.exit_code) == (True, code, 3), context
            assert error.hint, context
            assert snapshot(world).files in (before.files, goal.files), context

        outcome = operations.mirror(world, no_step)
        assert outcome is not None, context
        assert outcome.error is None, context
        assert snapshot(world).state == goal.state, context
        assert left_over(world) == [], context


@pytest.mark.parametrize(("fault", "for_ever"), CASES, ids=IDS)
@pytest.mark.parametrize("first", [True, False], ids=["first publishing", "one more package"])
def test_a_publishing_that_is_refused_at_any_step_leaves_the_old_set_or_the_new(
    fault: str, *, first: bool, for_ever: bool, tmp_path: Path
) -> None:
    error_of, code = FAULTS[fault]
    begin = (small_world.build if first else published)(tmp_path / "begin")
    counting = FailAt(0, error_of, for_ever=False)
    publishing(begin.at(tmp_path / "whole"), counting)()
    assert counting.count > 15

    case = CASES.index((fault, for_ever))
    for number in some_of(range(1 + case % _EACH, counting.count + 1, _EACH), case):
        context = f"{fault} at step {number}"
        world = begin.at(tmp_path / f"{number}")
        step = FailAt(number, error_of, for_ever=for_ever)
        error = attempt(publishing(world, step))
        assert step.count >= number, context
        if error is not None:
            assert (isinstance(error, MachineError), error.code, error.exit_code) == (True, code, 3), context
            assert error.hint, context
        if first and error is not None and not (world.depot / "metadata" / "timestamp.json").exists():
            # Nobody takes a beginning for a set.
            refused = attempt(partial(shown, world)) if (world.depot / "metadata" / "1.root.json").exists() else error
            assert refused is not None, context
            assert refused.code in {"no-signed-set", code}, context
        else:
            assert shown(world) in ({OLD, NEW} if error else {NEW}), context
        assert staged(world) == [], context

        publishing(world)()
        assert shown(world) == NEW, context
        assert staged(world) == [], context


# Every call


_EVENTS: Final = frozenset(
    ("open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.scandir", "os.listdir", "os.truncate")
)


@contextmanager
def refusing(places: tuple[Path, ...], number: int, make: Callable[[], OSError], *, for_ever: bool) -> Iterator[None]:
    """Refuse the call of that number below these places. There is no way to take a hook off: for children alone."""
    below = tuple(str(place) for place in places)
    calls, active = 0, True

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal calls
        if not active or event not in _EVENTS or not arguments:
            return
        if not os.fsdecode(_path(arguments[0])).startswith(below):
            return
        calls += 1
        if calls == number or (for_ever and calls > number):
            raise make()

    sys.addaudithook(hook)
    try:
        yield
    finally:
        active = False
    if calls < number:
        raise _NoSuchCallError


def _path(argument: object) -> str | bytes:
    return argument if isinstance(argument, str | bytes) else ""


class _NoSuchCallError(Exception):
    """There are not so many calls: what was to be refused was done."""


_DONE, _REFUSED, _NOT_PUT_BACK, _ENDED = 0, 10, 11, 12


def _child(act: Act, places: tuple[Path, ...], number: int, fault: str, *, for_ever: bool) -> None:
    """Leave with what came of it. Whatever is not one of our own errors is a traceback and fails the test."""
    make, _ = FAULTS[fault]
    try:
        with refusing(places, number, make, for_ever=for_ever):
            error = attempt(act)
    except _NoSuchCallError:
        os._exit(_ENDED)
    if error is None:
        os._exit(_DONE)
    # 2 is for a repository that cannot be read at all: whoever named it may have meant another.
    assert error.exit_code in {2, 3}, repr(error)
    assert error.hint, error.message
    os._exit(_NOT_PUT_BACK if error.code == "not-put-back" else _REFUSED)


def _each_call(
    begin: World, make: Callable[[World], Act], fault: str, *, for_ever: bool, part: int, of: int
) -> Iterator[tuple[World, int, str]]:
    """A world for every call of the given share, the exit code of the child, and words for a failure."""
    number = 1 + part
    while True:
        world = begin.at(begin.root.with_name(f"{number}"))
        temporary = world.root / "temporary"
        temporary.mkdir(exist_ok=True)
        tempfile.tempdir = str(temporary)
        try:
            code = in_child(partial(_child, make(world), (world.root,), number, fault, for_ever=for_ever))
        finally:
            tempfile.tempdir = None
        if code == _ENDED:
            return
        shutil.rmtree(temporary)
        yield world, code, f"{fault} at call {number}, {'for ever' if for_ever else 'once'}"
        shutil.rmtree(world.root)
        number += of


# Which share of the calls each fault is tried at. Together they meet every call.
SHARES: Final = (
    ("broken", False, 0, 6),
    ("too many files", True, 1, 6),
    ("share gone", False, 2, 6),
    ("denied", True, 3, 6),
    ("full", False, 4, 6),
    ("broken", True, 5, 6),
)

forks = pytest.mark.skipif(not faults.can_fork, reason="a hook stays for ever, so each call has its own process")


@forks
@pytest.mark.parametrize(("fault", "for_ever", "part", "of"), SHARES)
def test_a_follower_that_is_refused_any_call_is_as_before_or_as_after(
    fault: str, *, for_ever: bool, part: int, of: int, tmp_path: Path
) -> None:
    begin = operations.followed(tmp_path / "begin")
    whole = begin.at(tmp_path / "whole")
    operations.mirror(whole, no_step)
    before, goal = snapshot(begin), snapshot(whole)
    seen: list[int] = []

    for world, code, context in _each_call(begin, following, fault, for_ever=for_ever, part=part, of=of):
        seen.append(code)
        assert code in {_DONE, _REFUSED, _NOT_PUT_BACK}, context
        check(before, world, goal)
        now = snapshot(world)
        if code == _DONE:
            assert now.state == goal.state, context
        elif code == _REFUSED:
            assert now.files in (before.files, goal.files), context
        outcome = operations.mirror(world, no_step)
        assert outcome is not None, context
        assert outcome.error is None, context
        assert snapshot(world).state == goal.state, context
        assert left_over(world) == [], context
    assert len(seen) > 10
    assert _REFUSED in seen


@forks
@pytest.mark.parametrize(("fault", "for_ever", "part", "of"), SHARES)
def test_a_publishing_that_is_refused_any_call_leaves_the_old_set_or_the_new(
    fault: str, *, for_ever: bool, part: int, of: int, tmp_path: Path
) -> None:
    begin = published(tmp_path / "begin")
    seen: list[int] = []

    for world, code, context in _each_call(begin, publishing, fault, for_ever=for_ever, part=part, of=of):
        seen.append(code)
        assert code in {_DONE, _REFUSED}, context
        assert shown(world) in ({NEW} if code == _DONE else {OLD, NEW}), context
        publishing(world)()
        assert shown(world) == NEW, context
    assert len(seen) > 10
    assert _REFUSED in seen
