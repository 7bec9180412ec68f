"""The state machine of the watch: tables, and any sequence of looks, hints and times."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from simulator import name_of

from repo_manager.core import repository, watch_state
from repo_manager.core.repository import FolderEntry, Listing
from repo_manager.core.watch_state import Batch, BatchResult, Scope, WatchState, WatchTiming

PACE: Final = WatchTiming(settle_s=10, quiet_s=2, burst_s=60, patience_s=300, interval_s=900, away_s=15, locked_s=30)
OLD, NEW, OTHER = name_of("RHEL9-64", "9.65"), name_of("RHEL9-64"), name_of("RHEL8-64")
PART: Final = f"{NEW}.part"
FOR_EVER: Final = 1e9


def entry(name: str, size: int = 1000, changed: int = 0, inode: int = 7) -> FolderEntry:
    return FolderEntry(name, size, (1, changed, inode))


def listing(*entries: FolderEntry | str) -> Listing:
    return repository.survey("/repository", [entry(item) if isinstance(item, str) else item for item in entries])


def calm(*entries: FolderEntry | str) -> WatchState:
    """A watch that has seen these files settle and has tended them, at second 10."""
    watch = watch_state.begin(0, PACE).looked(0, listing(*entries)).looked(10, listing(*entries))
    tend = watch.decide(10)
    assert tend is not None
    return watch.tended(10, tend, BatchResult.DONE)


# Looking


def test_it_begins_with_a_look_and_looks_again_when_the_files_have_had_their_time() -> None:
    watch = watch_state.begin(5, PACE)
    assert watch.due(5) == 5
    assert watch.decide(5) is None
    assert watch.looked(5, listing(OLD)).due(5) == 15
    assert watch.looked(5, listing()).due(5) == 905


def test_a_hint_is_followed_by_a_look_when_it_has_become_quiet() -> None:
    watch = calm(OLD).hinted(100)
    assert watch.due(100) == 102
    assert watch.hinted(101).due(101) == 103


def test_hints_without_end_do_not_put_off_the_look_for_ever() -> None:
    watch = calm(OLD)
    for second in range(100, 200):
        watch = watch.hinted(second)
    assert watch.due(200) == 160


def test_ten_thousand_hints_take_no_room() -> None:
    watch = calm(OLD)
    once = watch.hinted(100)
    many = once
    for number in range(10_000):
        many = many.hinted(100 + number / 1000)
    assert replace(many, last_hint_s=once.last_hint_s) == once


def test_a_look_without_news_leads_to_nothing() -> None:
    watch = calm(OLD).hinted(100).looked(102, listing(OLD))
    assert watch.decide(102) is None
    assert watch.due(102) == 900


def test_everything_is_looked_at_and_judged_again_after_the_interval() -> None:
    watch = calm(OLD).looked(900, listing(OLD))
    tend = watch.decide(900)
    assert tend is not None
    assert (tend.scope, set(tend.settled), tend.arrived) == (Scope.ALL, {OLD}, frozenset())
    assert watch.tended(900, tend, BatchResult.DONE).due(900) == 1800


# Settling


def test_a_new_file_is_left_alone_until_it_has_been_the_same_for_a_while() -> None:
    watch = calm(OLD).looked(100, listing(OLD, entry(NEW, 1)))
    assert watch.decide(100) is None
    watch = watch.looked(110, listing(OLD, entry(NEW, 2)))
    assert watch.decide(110) is None
    watch = watch.looked(119, listing(OLD, entry(NEW, 2)))
    assert watch.decide(119) is None
    assert watch.due(119) == 120
    watch = watch.looked(120, listing(OLD, entry(NEW, 2)))
    tend = watch.decide(120)
    assert tend is not None
    assert set(tend.settled) == {OLD, NEW}
    assert tend.arrived == {NEW}
    assert (tend.changed_s, tend.in_place) == (110, False)


@pytest.mark.parametrize(
    "other",
    [entry(OLD, size=1001), entry(OLD, changed=1), entry(OLD, inode=8), FolderEntry(OLD, 1000, (2, 0, 7))],
    ids=["size", "change time", "another file", "modification time"],
)
def test_a_file_that_changes_must_settle_again(other: FolderEntry) -> None:
    watch = calm(OLD, OTHER).looked(100, listing(other, OTHER))
    assert OLD not in watch.settled
    assert watch.looked(110, listing(other, OTHER)).settled[OLD] == other


def test_a_file_that_somebody_holds_open_is_asked_for_again_later() -> None:
    watch = calm(OLD).looked(100, listing(OLD, NEW))
    assert watch.ripe(105, listing(OLD, NEW)) == ()
    assert watch.ripe(110, listing(OLD, NEW)) == (NEW,)
    watch = watch.looked(110, listing(OLD, NEW), held={NEW})
    assert NEW not in watch.settled
    assert watch.due(110) == 120
    assert NEW in watch.looked(120, listing(OLD, NEW)).settled


def test_nobody_is_asked_about_a_file_that_changes_still() -> None:
    watch = calm(OLD).looked(100, listing(OLD, NEW))
    assert watch.ripe(110, listing(OLD, entry(NEW, 2000))) == ()


def test_a_file_with_an_unfinished_name_has_longer() -> None:
    watch = calm(OLD).looked(100, listing(OLD, PART)).looked(110, listing(OLD, PART))
    assert PART in watch.unsettled
    assert PART in watch.looked(400, listing(OLD, PART)).settled


def test_a_file_that_is_gone_is_news() -> None:
    watch = calm(OLD, OTHER).looked(100, listing(OLD))
    tend = watch.decide(100)
    assert tend is not None
    assert tend.changed_s == 100


def test_what_was_there_when_watching_began_did_not_arrive() -> None:
    watch = watch_state.begin(0, PACE).looked(0, listing(OLD)).looked(10, listing(OLD))
    tend = watch.decide(10)
    assert tend is not None
    assert (tend.arrived, tend.changed_s) == (frozenset(), None)


def test_what_was_moved_out_and_put_back_is_no_news_but_settles_anew() -> None:
    back = entry(OLD, changed=99)
    watch = calm(OLD, OTHER).looked(100, listing(back, OTHER))
    assert OLD in watch.unsettled
    tend = watch.looked(110, listing(back, OTHER)).decide(110)
    assert tend is not None
    assert (tend.arrived, tend.changed_s) == (frozenset(), None)


# What may be done when


def test_while_other_files_are_coming_only_dangers_go() -> None:
    growing = listing(OLD, NEW, entry(OTHER, 5))
    watch = calm(OLD).looked(100, listing(OLD, NEW)).looked(109, growing).looked(110, growing)
    tend = watch.decide(110)
    assert tend is not None
    assert tend.scope is Scope.DANGERS
    assert OTHER not in tend.settled
    watch = watch.tended(110, tend, BatchResult.DONE)
    assert watch.decide(110) is None
    watch = watch.looked(119, growing)
    last = watch.decide(119)
    assert last is not None
    assert last.scope is Scope.ALL
    assert last.changed_s == 109


def test_a_file_that_never_settles_does_not_put_off_the_others_for_ever() -> None:
    watch = calm(OLD).looked(100, listing(OLD, NEW))
    watch = watch.looked(110, listing(OLD, NEW, entry(OTHER, 0)))
    for number in range(1, 30):
        tend = watch.decide(100 + 10 * number)
        if tend is not None:
            assert tend.scope is Scope.DANGERS
            watch = watch.tended(100 + 10 * number, tend, BatchResult.DONE)
        watch = watch.looked(110 + 10 * number, listing(OLD, NEW, entry(OTHER, number)))
    assert watch.decide(409) is None
    tend = watch.decide(410)
    assert tend is not None
    assert tend.scope is Scope.ALL
    assert OTHER not in tend.settled


def test_a_file_with_an_unfinished_name_puts_nothing_off() -> None:
    watch = calm(OLD).looked(100, listing(OLD, NEW, PART)).looked(110, listing(OLD, NEW, PART))
    tend = watch.decide(110)
    assert tend is not None
    assert tend.scope is Scope.ALL


def test_outside_the_window_only_dangers_go_and_the_rest_when_it_opens() -> None:
    watch = calm(OLD).looked(100, listing(OLD, NEW)).looked(110, listing(OLD, NEW))
    tend = watch.decide(110, opens_in_s=60)
    assert tend is not None
    assert tend.scope is Scope.DANGERS
    watch = watch.tended(110, tend, BatchResult.DONE)
    assert watch.decide(110, opens_in_s=60) is None
    assert watch.due(110, opens_in_s=60) == 170
    tend = watch.looked(170, listing(OLD, NEW)).decide(170)
    assert tend is not None
    assert tend.scope is Scope.ALL


def test_what_went_as_a_danger_is_no_news_afterwards_but_the_service_has_not_seen_it() -> None:
    watch = calm(OLD).looked(100, listing(OLD, NEW)).looked(110, listing(OLD, NEW))
    tend = watch.decide(110, opens_in_s=60)
    assert tend is not None
    watch = watch.tended(111, tend, BatchResult.DONE, [NEW]).looked(112, listing(OLD))
    assert watch.decide(112, opens_in_s=58) is None
    tend = watch.decide(170)
    assert tend is not None
    assert (tend.scope, tend.changed_s) == (Scope.ALL, 111)


def test_an_empty_folder_is_tended_by_nobody() -> None:
    watch = calm(OLD).looked(100, listing())
    assert watch.decide(FOR_EVER) is None
    assert watch.due(100) == 900


# What goes wrong


def test_another_run_at_work_is_waited_for() -> None:
    watch = calm(OLD).looked(100, listing(OLD, NEW)).looked(110, listing(OLD, NEW))
    tend = watch.decide(110)
    assert tend is not None
    watch = watch.tended(110, tend, BatchResult.LOCKED)
    assert watch.decide(139) is None
    assert watch.due(110) == 140
    assert watch.decide(140) == tend


def failed(scope: Scope = Scope.ALL) -> tuple[WatchState, Batch]:
    watch = calm(OLD).looked(100, listing(OLD, NEW)).looked(110, listing(OLD, NEW))
    tend = watch.decide(110)
    assert tend is not None
    tend = replace(tend, scope=scope)
    return watch.tended(110, tend, BatchResult.FAILED), tend


def test_after_a_failure_dangers_may_still_go_and_the_same_set_is_left_alone_for_longer_each_time() -> None:
    watch, _ = failed()
    tend = watch.decide(110)
    assert tend is not None
    assert tend.scope is Scope.DANGERS
    watch = watch.tended(110, tend, BatchResult.DONE)
    now, waits = 110.0, []
    for _ in range(12):
        watch = watch.looked(now, listing(OLD, NEW))
        tend = watch.decide(now)
        while tend is None or tend.scope is Scope.DANGERS:
            if tend is not None:
                watch = watch.tended(now, tend, BatchResult.DONE)
            last, now = now, watch.due(now)
            assert now > last
            watch = watch.looked(now, listing(OLD, NEW))
            tend = watch.decide(now)
        waits.append(now)
        watch = watch.tended(now, tend, BatchResult.FAILED)
    gaps = [later - earlier for earlier, later in zip([110.0, *waits], waits, strict=False)]
    assert gaps[:4] == [900, 1800, 3600, 7200]
    assert gaps[-1] == 86400


def test_after_a_failure_another_set_is_tried_at_once() -> None:
    watch, _ = failed()
    watch = watch.looked(120, listing(OLD, NEW, OTHER)).looked(130, listing(OLD, NEW, OTHER))
    tend = watch.decide(130)
    assert tend is not None
    assert tend.scope is Scope.ALL
    assert watch.tended(130, tend, BatchResult.DONE).setback is None


def test_a_failure_that_was_put_back_is_the_same_set_whatever_the_change_times_say() -> None:
    watch, _ = failed()
    back = listing(entry(OLD, changed=5), entry(NEW, changed=5))
    watch = watch.looked(111, back).looked(121, back)
    tend = watch.decide(121)
    assert tend is not None
    assert tend.scope is Scope.DANGERS


def test_a_danger_that_could_not_be_moved_is_left_alone_too() -> None:
    watch, _ = failed(Scope.DANGERS)
    assert watch.decide(111) is None
    assert watch.due(111) == 900


def test_dangers_that_go_later_do_not_make_the_set_another() -> None:
    watch, _ = failed()
    tend = watch.decide(110)
    assert tend is not None
    watch = watch.tended(110, tend, BatchResult.DONE, [NEW]).looked(112, listing(OLD))
    assert watch.decide(112) is None


# Away and back


def test_a_folder_that_is_away_is_looked_for_and_must_settle_anew_when_it_is_back() -> None:
    watch = calm(OLD).lost(100)
    assert watch.due(100) == 115
    assert watch.hinted(101).due(101) == 115
    assert watch.decide(115) is None
    watch = watch.looked(115, listing(OLD, NEW))
    assert watch.decide(115) is None
    tend = watch.looked(125, listing(OLD, NEW)).decide(125)
    assert tend is not None
    assert (tend.scope, tend.arrived) == (Scope.ALL, frozenset())


@pytest.mark.parametrize(
    ("before", "after", "own", "away"),
    [
        ([OLD], [], False, True),
        ([OLD], [], True, False),
        ([OLD], [NEW], False, False),
    ],
    ids=["all is gone", "the files were removed", "other files"],
)
def test_an_unmounted_share_is_told_from_an_empty_folder(
    before: list[str], after: list[str], *, own: bool, away: bool
) -> None:
    assert calm(*before).looks_away(listing(*after), own=own) is away


def test_an_empty_folder_that_always_was_is_not_away_and_a_lost_one_stays_so() -> None:
    empty = watch_state.begin(0, PACE).looked(0, listing(), own=False)
    assert not empty.looks_away(listing(), own=False)
    assert calm(OLD).lost(100).looks_away(listing(), own=False)


# Anything at all


NAMES: Final = (OLD, NEW, OTHER, PART, "notes.txt")


@dataclass
class World:
    """A folder with files that are written, and what the watch says of it; every rule is checked at each step."""

    now: float = 0.0
    files: dict[str, FolderEntry] = field(default_factory=dict)
    written: dict[str, float] = field(default_factory=dict)
    held: set[str] = field(default_factory=set)
    watch: WatchState = field(default_factory=lambda: watch_state.begin(0, PACE))
    looked_s: float = 0.0

    def write(self, name: str) -> None:
        size = self.files[name].size_bytes + 1 if name in self.files else 0
        self.files[name] = FolderEntry(name, size, (int(self.now * 1000), int(self.now * 1000), hash(name)))
        self.written[name] = self.now

    def look(self, opens_in_s: float, result: BatchResult) -> None:
        seen = repository.survey("/repository", self.files.values())
        ripe = self.watch.ripe(self.now, seen)
        self.watch = self.watch.looked(self.now, seen, held=self.held & set(ripe))
        self.looked_s = self.now
        assert len(self.watch.settled) + len(self.watch.unsettled) == len(self.files)
        for _ in range(3):
            tend = self.watch.decide(self.now, opens_in_s)
            if tend is None:
                break
            self.check(tend, opens_in_s)
            gone = [] if result is not BatchResult.DONE else sorted(tend.arrived)[:1]
            for name in gone:
                del self.files[name]
            self.watch = self.watch.tended(self.now, tend, result, gone)
        assert self.watch.decide(self.now, opens_in_s) is None
        assert self.now < self.watch.due(self.now, opens_in_s) <= self.now + PACE.interval_s

    def check(self, tend: Batch, opens_in_s: float) -> None:
        for name, seen in tend.settled.items():
            assert self.files[name] == seen
            assert self.now - self.written[name] >= PACE.settle_s
            assert name not in self.watch.unsettled
        assert tend.scope is Scope.DANGERS or opens_in_s <= 0


STEPS: Final = st.lists(
    st.tuples(
        st.sampled_from(["write", "remove", "hold", "release", "hint", "look", "lose"]),
        st.sampled_from(NAMES),
        st.sampled_from([0.0, 0.5, 1.0, 5.0, 10.0, 60.0, 301.0, 2000.0]),
        st.sampled_from([0.0, 30.0]),
        st.sampled_from(BatchResult),
    ),
    max_size=40,
)


@given(STEPS)
def test_whatever_happens_nothing_unsettled_is_touched_and_it_always_looks_again(
    steps: list[tuple[str, str, float, float, BatchResult]],
) -> None:
    world = World()
    for what, name, pause, opens_in_s, result in steps:
        world.now += pause
        match what:
            case "write":
                world.write(name)
            case "remove":
                world.files.pop(name, None)
            case "hold":
                world.held.add(name)
            case "release":
                world.held.discard(name)
            case "hint":
                world.watch = world.watch.hinted(world.now)
            case "look":
                world.look(opens_in_s, result)
            case _:
                world.watch = world.watch.lost(world.now)
                assert world.watch.decide(world.now) is None
        assert world.watch.due(world.now) <= max(world.now, world.looked_s) + PACE.interval_s


@given(st.lists(st.sampled_from(NAMES), unique=True, min_size=1), st.floats(0, 100))
def test_left_to_itself_it_comes_to_rest_with_everything_judged(present: list[str], start: float) -> None:
    world = World(now=start)
    for name in present:
        world.write(name)
    scopes = []
    for _ in range(50):
        world.now = max(world.now, world.watch.due(world.now))
        seen = repository.survey("/repository", world.files.values())
        world.watch = world.watch.looked(world.now, seen)
        tend = world.watch.decide(world.now)
        if tend is not None:
            scopes.append(tend.scope)
            world.watch = world.watch.tended(world.now, tend, BatchResult.DONE)
        if world.now > start + 2 * PACE.interval_s:
            break
    assert set(world.watch.settled) == set(present)
    assert Scope.ALL in scopes
    assert world.watch.owing_s is None
