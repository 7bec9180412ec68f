"""A watch of real folders in a time that passes only when somebody waits."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import operations
import pytest
import small_world
from simulator import Start, name_of
from small_world import COPY, FOREIGN, HALF_LOADED, PUSH_CLIENT, data_of
from watch_world import PACE, Watched

from repo_manager.adapters.filesystem.lock import Lock
from repo_manager.adapters.filesystem.repository_folder import SUBFOLDER
from repo_manager.app.change import perform
from repo_manager.core import names
from repo_manager.core.errors import InputError
from repo_manager.core.service import ServiceState
from repo_manager.core.watch_state import WatchEventKind
from repo_manager.demo.sample import sample_installer

if TYPE_CHECKING:
    from collections.abc import Callable

RHEL_OLD, RHEL = name_of("RHEL9-64", "9.65"), name_of("RHEL9-64")
OL_OLDEST, OL_OLD, OL = (name_of("OL8-64", release) for release in ("9.64", "9.65", "9.66"))
WINDOWS: Final = name_of("Windows")


@pytest.fixture
def watched(tmp_path: Path) -> Watched:
    """A clean repository with one package in an older release, and the current one of another."""
    world = small_world.build(tmp_path / "world", mess=False)
    world.put(RHEL_OLD)
    world.put(OL)
    return Watched(world)


# Dropping


def test_nothing_to_do_is_nothing_done_and_nothing_said(watched: Watched) -> None:
    watched.until(10_000)
    assert watched.whats() == []
    assert watched.restarts == 0
    assert not (watched.world.repository / SUBFOLDER).exists()
    assert watched.bell.waits <= 10_000 / 2 + 50


def test_a_mess_is_put_right_as_soon_as_it_has_settled(tmp_path: Path) -> None:
    watched = Watched(small_world.build(tmp_path / "world")).until(400)
    assert watched.retired() == {RHEL, OL_OLD, COPY, HALF_LOADED}
    assert watched.names() == {name_of("Windows", "9.65"), RHEL_OLD, OL, PUSH_CLIENT, FOREIGN}
    # A file with an unfinished name has longer, so it goes by itself.
    assert watched.restarts == 2


def test_a_new_whole_file_stays_and_what_it_supersedes_goes_with_one_restart(watched: Watched) -> None:
    watched.at(100, watched.dropped(RHEL)).until(1000)
    assert watched.names() >= {RHEL, OL}
    assert watched.retired() == {RHEL_OLD}
    assert watched.restarts == 1
    assert watched.service.serving == {RHEL, OL}
    assert watched.whats() == [WatchEventKind.ARRIVED, WatchEventKind.RETIRED, WatchEventKind.RESTARTED]


def test_a_new_whole_file_that_supersedes_nothing_is_seen_by_the_service_after_one_restart(watched: Watched) -> None:
    watched.at(100, watched.dropped(WINDOWS)).until(2000)
    assert watched.retired() == set()
    assert watched.service.serving == {RHEL_OLD, OL, WINDOWS}
    assert watched.whats() == [WatchEventKind.ARRIVED, WatchEventKind.RESTARTED]


@pytest.mark.parametrize("tells_start", [True, False], ids=["its start is known", "its start is not known"])
def test_an_installer_that_somebody_takes_away_is_news_to_the_service_too(
    watched: Watched, *, tells_start: bool
) -> None:
    watched.service.tells_start = tells_start
    watched.at(100, (watched.world.repository / RHEL_OLD).unlink).until(2000)
    assert watched.service.serving == {OL}
    assert watched.restarts == 1


def test_a_service_that_was_restarted_meanwhile_is_left_alone(watched: Watched) -> None:
    def restarted() -> None:
        watched.service.since = watched.clock.now_s

    watched.at(100, watched.dropped(WINDOWS)).at(105, restarted, silent=True).until(2000)
    assert watched.restarts == 0


def test_a_corrupt_file_is_retired_with_the_reason_beside_it(watched: Watched) -> None:
    watched.at(100, watched.dropped(RHEL, data_of(RHEL)[:900])).until(1000)
    assert watched.retired() == {RHEL}
    assert RHEL_OLD in watched.names()
    told = watched.told[[item.what for item in watched.told].index(WatchEventKind.RETIRED)]
    assert told.facts["file"] == RHEL
    assert f"{RHEL}: {told.facts['reason']}" in watched.reasons()
    assert "'repo-manager watch' on 2026-05-01 12:01" in watched.reasons()
    assert f"repo-manager restore {told.facts['transaction']}" in watched.reasons()


def test_of_two_good_builds_that_are_dropped_together_the_newer_stays(watched: Watched) -> None:
    (watched.world.repository / OL).unlink()
    watched.at(100, watched.dropped(OL_OLD)).at(103, watched.dropped(OL)).until(1000)
    assert watched.names() >= {RHEL_OLD, OL}
    assert watched.retired() == {OL_OLD}
    assert watched.restarts == 1


def test_a_file_that_is_written_in_a_hundred_slow_steps_is_touched_when_it_is_whole(watched: Watched) -> None:
    path, data = watched.world.repository / RHEL, data_of(RHEL)
    seen = []

    def write(number: int) -> Callable[[], None]:
        def act() -> None:
            assert path.exists() or number == 0
            seen.append(len(watched.whats()))
            with path.open("ab") as file:
                file.write(data[len(data) * number // 100 : len(data) * (number + 1) // 100])

        return act

    for number in range(100):
        watched.at(100 + 3 * number, write(number))
    watched.until(1000)
    assert seen == [0] * 100
    assert path.read_bytes() == data
    assert watched.retired() == {RHEL_OLD}
    assert watched.restarts == 1


def test_a_file_that_is_held_open_is_left_alone_and_that_is_said_once(watched: Watched) -> None:
    watched.held.add(RHEL)
    watched.at(100, watched.dropped(RHEL, data_of(RHEL)[:900])).at(200, watched.dropped(RHEL))
    watched.at(250, watched.held.clear, silent=True).until(1000)
    assert watched.messages(WatchEventKind.WAITING) == [
        f"{RHEL} is held open by another program; it is left alone until then",
    ]
    assert watched.retired() == {RHEL_OLD}


def test_a_file_that_cannot_be_read_is_not_taken_for_a_broken_one(watched: Watched) -> None:
    watched.blocked.add(RHEL)
    watched.at(100, watched.dropped(RHEL)).at(500, watched.blocked.clear, silent=True)
    seen: list[set[str]] = []
    watched.at(499, lambda: seen.append(watched.retired()), silent=True).until(2000)
    assert seen == [set()]
    assert watched.messages(WatchEventKind.WAITING) == [f"{RHEL} cannot be read: Input/output error; it is left alone"]
    assert watched.retired() == {RHEL_OLD}
    assert watched.service.serving == {RHEL, OL}


def test_a_rename_into_the_folder_is_a_drop_like_any_other(watched: Watched) -> None:
    beside = watched.world.outside / RHEL
    beside.write_bytes(data_of(RHEL))
    watched.at(100, lambda: beside.rename(watched.world.repository / RHEL)).until(1000)
    assert watched.retired() == {RHEL_OLD}


def test_ten_thousand_events_are_few_looks_and_one_restart(watched: Watched) -> None:
    for number in range(10_000):
        watched.at(100 + number / 500, watched.dropped(f"notes-{number % 300}.txt", b"x" * number))
    watched.at(121, watched.dropped(RHEL)).until(1000)
    assert watched.restarts == 1
    assert watched.retired() == {RHEL_OLD}
    # Of the folder's scans, most are those of the one transaction.
    assert watched.folder.looks < 30


# Events that do not come


def test_events_that_were_lost_are_made_up_for_by_the_folder_s_own_time(watched: Watched) -> None:
    watched.at(100, watched.dropped(RHEL), silent=True).until(200)
    assert watched.retired() == {RHEL_OLD}


def test_without_events_and_without_a_pulse_the_timer_is_left(watched: Watched) -> None:
    watched.pulse = lambda path: (1, 2, 3) if path.exists() else None
    watched.blind = True
    watched.at(100, watched.dropped(RHEL), silent=True).until(PACE.interval_s + 50)
    assert watched.retired() == {RHEL_OLD}


def test_an_observer_that_has_given_up_is_replaced(watched: Watched) -> None:
    def break_it() -> None:
        watched.eyes[0].broken = True

    watched.at(100, break_it).until(200)
    assert [eyes.ended for eyes in watched.eyes] == [True, True]
    assert len(watched.messages(WatchEventKind.NOTE)) == 1


# Away and back


def test_a_share_that_vanishes_is_waited_for_and_looked_at_anew(watched: Watched) -> None:
    here, away = watched.world.repository, watched.world.root / "away"

    def come_back() -> None:
        away.rename(here)
        watched.world.put(RHEL)

    watched.at(100, lambda: here.rename(away), silent=True).at(200, come_back, silent=True).until(400)
    assert watched.whats() == [
        WatchEventKind.AWAY,
        WatchEventKind.BACK,
        WatchEventKind.RETIRED,
        WatchEventKind.RESTARTED,
    ]
    assert watched.retired() == {RHEL_OLD}
    assert len(watched.eyes) == 2


def test_an_empty_place_where_the_share_was_is_no_empty_repository(watched: Watched) -> None:
    here, away = watched.world.repository, watched.world.root / "away"
    made: list[Path] = []

    def unmount() -> None:
        here.rename(away)
        here.mkdir()

    def mount() -> None:
        made.extend(here.iterdir())
        here.rmdir()
        away.rename(here)

    watched.at(100, unmount).at(2000, mount).until(3000)
    assert made == []
    assert watched.whats() == [WatchEventKind.AWAY, WatchEventKind.BACK]
    assert watched.restarts == 0


def test_another_folder_in_its_place_is_observed_anew(watched: Watched) -> None:
    here, other = watched.world.repository, watched.world.root / "other"
    other.mkdir()
    (other / OL).write_bytes(data_of(OL))

    def mount() -> None:
        here.rename(watched.world.root / "below")
        other.rename(here)

    watched.at(100, mount, silent=True).until(200)
    assert [eyes.ended for eyes in watched.eyes] == [True, True]
    assert watched.service.serving == {OL}


def test_a_share_that_is_not_there_yet_is_waited_for(watched: Watched) -> None:
    here, away = watched.world.repository, watched.world.root / "away"
    here.rename(away)
    watched.at(100, lambda: away.rename(here), silent=True).until(200)
    assert watched.whats() == [WatchEventKind.AWAY, WatchEventKind.BACK]


# When something goes wrong


def test_another_run_at_work_is_waited_for_and_that_is_said_once(watched: Watched) -> None:
    watched.folder.prepare()
    lock = Lock(watched.folder.lock_path, {"command": "sync", "since": "now", "pid": 1, "host": "here"})
    watched.at(50, lock.__enter__, silent=True).at(100, watched.dropped(RHEL))
    watched.at(400, lambda: lock.__exit__(None, None, None), silent=True).until(600)
    assert watched.whats() == [
        WatchEventKind.ARRIVED,
        WatchEventKind.WAITING,
        WatchEventKind.RETIRED,
        WatchEventKind.RESTARTED,
    ]


def test_a_service_that_does_not_come_back_gets_the_old_set_and_some_rest(watched: Watched) -> None:
    watched.service.starts = (Start.FAILS, Start.WELL, Start.FAILS, Start.WELL, Start.WELL)
    watched.at(100, watched.dropped(RHEL))
    seen: dict[int, tuple[int, frozenset[str]]] = {}

    def note(second: int) -> Callable[[], None]:
        return lambda: seen.update({second: (watched.restarts, watched.installers())})

    both = frozenset({RHEL, RHEL_OLD, OL})
    for second in (900, 1500, 5000):
        watched.at(second, note(second), silent=True)
    watched.until(6000)
    # Each failure is two starts: on the new set, and on the old one again.
    assert seen == {900: (2, both), 1500: (4, both), 5000: (5, frozenset({RHEL, OL}))}
    failures = [WatchEventKind.SERVICE_FAILED, WatchEventKind.SERVICE_FAILED]
    assert watched.whats() == [WatchEventKind.ARRIVED, *failures, WatchEventKind.RETIRED, WatchEventKind.RESTARTED]
    assert watched.service.serving == {RHEL, OL}


def test_what_is_dangerous_goes_even_where_the_service_does_not_come_back(watched: Watched) -> None:
    watched.service.starts = (Start.FAILS, Start.WELL)
    watched.at(100, watched.dropped(RHEL), watched.dropped(WINDOWS, b"no installer")).until(800)
    assert WINDOWS in watched.retired()
    assert {RHEL, RHEL_OLD} <= watched.names()
    assert watched.restarts == 2


def test_a_service_that_cannot_be_asked_keeps_the_change_from_being_made(watched: Watched) -> None:
    watched.at(90, lambda: setattr(watched.service, "refuses", {"state": "access-denied"}), silent=True)
    watched.at(100, watched.dropped(RHEL)).until(800)
    assert watched.whats() == [WatchEventKind.ARRIVED, WatchEventKind.SERVICE_FAILED]
    assert watched.retired() == set()


def test_a_file_that_is_given_other_bytes_under_its_name_is_news_to_the_service(watched: Watched) -> None:
    other = sample_installer(names.parse(OL), payload_bytes=700)
    watched.at(100, watched.dropped(OL, other)).until(800)
    assert watched.whats() == [WatchEventKind.ARRIVED, WatchEventKind.RESTARTED]


def test_a_second_folder_that_cannot_be_kept_equal_is_told_and_the_change_stands(watched: Watched) -> None:
    def trouble(_bench: object) -> None:
        raise InputError("no-rights", "the second folder may not be written to")

    watched.afterwards = trouble
    watched.at(100, watched.dropped(RHEL)).until(800)
    assert watched.whats() == [
        WatchEventKind.ARRIVED,
        WatchEventKind.RETIRED,
        WatchEventKind.RESTARTED,
        WatchEventKind.FAILED,
    ]
    assert watched.restarts == 1


def test_a_change_after_a_failure_is_a_new_try(watched: Watched) -> None:
    watched.service.starts = (Start.FAILS, Start.WELL)
    watched.at(100, watched.dropped(RHEL)).at(400, watched.dropped(WINDOWS)).until(800)
    assert watched.retired() == {RHEL_OLD}
    first = [WatchEventKind.ARRIVED, WatchEventKind.SERVICE_FAILED]
    assert watched.whats() == [*first, WatchEventKind.ARRIVED, WatchEventKind.RETIRED, WatchEventKind.RESTARTED]


def test_a_service_that_stands_still_stays_so_and_that_is_said_once(watched: Watched) -> None:
    watched.service.was = ServiceState.STOPPED
    watched.at(100, watched.dropped(RHEL)).at(400, watched.dropped(WINDOWS, b"wrong")).until(3000)
    assert watched.restarts == 0
    assert watched.messages(WatchEventKind.NOTE).count("'InMage PushInstall' was stopped before and stays stopped") == 1


def test_what_would_empty_the_repository_is_refused_and_watching_goes_on(watched: Watched) -> None:
    for name in (RHEL_OLD, OL):
        watched.world.put(name, b"cut")
    watched.at(400, watched.dropped(RHEL_OLD), watched.dropped(OL), watched.dropped(RHEL)).until(1000)
    failed = next(item for item in watched.told if item.what is WatchEventKind.FAILED)
    assert failed.facts["code"] == "would-empty-repository"
    assert watched.retired() == {RHEL_OLD}


def test_what_a_killed_run_left_half_done_is_put_back_first(watched: Watched) -> None:
    watched.world.put(RHEL)

    class KilledError(BaseException):
        pass

    def kill(what: str) -> None:
        if "close the journal" in what or "-> ../" in what:
            raise KilledError

    with pytest.raises(KilledError):
        perform(small_world.bench(watched.world, kill), operations.PRUNE)
    assert RHEL_OLD not in watched.names()
    watched.until(100)
    assert any("interrupted run" in message for message in watched.messages(WatchEventKind.NOTE))
    assert watched.folder.pending() is None
    assert watched.retired() == {RHEL_OLD}


def test_an_unreadable_journal_is_said_once_and_nothing_is_touched(watched: Watched) -> None:
    watched.folder.prepare()
    (watched.folder.sub / "journal.json").write_text("not ours")
    watched.at(100, watched.dropped(WINDOWS)).until(300)
    codes = [item.facts["code"] for item in watched.told if item.what is WatchEventKind.FAILED]
    assert set(codes) == {"journal-unreadable"}
    assert watched.names() >= {RHEL_OLD, OL, WINDOWS}


def test_a_catalog_that_cannot_be_read_any_more_ends_nothing(watched: Watched) -> None:
    watched.trouble = InputError("no-catalog", "catalog.yaml cannot be read", "check --catalog")

    def mend() -> None:
        watched.trouble = None

    watched.at(100, watched.dropped(RHEL)).at(500, mend, silent=True).until(3000)
    assert WatchEventKind.FAILED in watched.whats()
    assert watched.retired() == {RHEL_OLD}


# The window


def test_outside_the_window_what_is_wrong_goes_at_once_and_the_rest_when_it_opens(watched: Watched) -> None:
    watched.opens_in = lambda: max(0.0, 5000 - watched.clock.now_s)
    seen: list[tuple[set[str], int]] = []
    watched.at(100, watched.dropped(RHEL), watched.dropped(WINDOWS, b"wrong"))
    watched.at(4990, lambda: seen.append((watched.retired(), watched.restarts)), silent=True).until(6000)
    assert seen == [({WINDOWS}, 0)]
    assert watched.retired() == {WINDOWS, RHEL_OLD}
    assert watched.restarts == 1
    assert watched.whats() == [
        WatchEventKind.ARRIVED,
        WatchEventKind.WAITING,
        WatchEventKind.RETIRED,
        WatchEventKind.RETIRED,
        WatchEventKind.RESTARTED,
    ]


# Options


def test_a_dry_run_says_what_it_would_do_once_and_changes_nothing(watched: Watched) -> None:
    watched.dry_run = True
    watched.at(100, watched.dropped(RHEL)).until(5000)
    assert watched.messages(WatchEventKind.PLANNED) == [
        f"would retire {RHEL_OLD}: superseded by 9.66.0.0",
        "would restart InMage PushInstall: the service reads the folder only when it starts",
    ]
    assert not (watched.world.repository / SUBFOLDER).exists()


def test_without_a_restart_the_service_is_left_alone(watched: Watched) -> None:
    watched.restart = False
    watched.at(100, watched.dropped(RHEL)).until(3000)
    assert watched.retired() == {RHEL_OLD}
    assert watched.service.asked == []


def test_what_judging_leaves_to_say_is_said_once(watched: Watched) -> None:
    watched.remarks = ("the signature of a file was not checked",)
    watched.at(100, watched.dropped(RHEL)).until(5000)
    assert watched.messages(WatchEventKind.NOTE).count(watched.remarks[0]) == 1


# The end


def test_it_says_when_it_begins_and_when_it_ends(watched: Watched) -> None:
    watched.until(100)
    assert (watched.told[0].what, watched.told[-1].what) == (WatchEventKind.STARTED, WatchEventKind.STOPPED)
    assert [eyes.ended for eyes in watched.eyes] == [True]


def test_an_interruption_is_passed_on_after_the_end_was_told(watched: Watched) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        watched.at(100, interrupt, silent=True).until(200)
    assert watched.told[-1].what is WatchEventKind.STOPPED
    assert watched.eyes[0].ended


def test_an_interruption_in_a_transaction_puts_everything_back(watched: Watched) -> None:
    def step(what: str) -> None:
        if "retired" in what and what.startswith("move"):
            raise KeyboardInterrupt

    watched.step = step
    with pytest.raises(KeyboardInterrupt):
        watched.at(100, watched.dropped(RHEL)).until(1000)
    assert watched.names() >= {RHEL, RHEL_OLD, OL}
    assert watched.folder.pending() is None


def test_what_is_told_is_one_line_each(watched: Watched) -> None:
    name = f"Copy of {RHEL}" if sys.platform == "win32" else f"Copy\nof {RHEL}"
    watched.at(100, lambda: (watched.world.repository / name).write_bytes(b"x")).until(1000)
    assert watched.retired() == {name}
    assert all("\n" not in item.message + "".join(item.facts.values()) for item in watched.told)
