from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, cast

import pytest
from simulator import (
    NEVER,
    SIZE,
    FakeClock,
    Faulty,
    Killed,
    MemoryService,
    Start,
    means_of,
    name_of,
)

from repo_manager.adapters.filesystem.repository_folder import Folder
from repo_manager.core.errors import MachineError, RepoManagerError, ServiceError
from repo_manager.core.names import Token
from repo_manager.core.plan import Download, Place, Plan, Retire
from repo_manager.core.repository import FolderEntry
from repo_manager.core.service import ServiceState
from repo_manager.core.transaction import (
    ActionResult,
    Journal,
    Move,
    Outcome,
    Store,
    after_undo,
    carry_out,
    moves_of,
    recover,
    undo,
)

TOKEN = Token("RHEL9-64")
OLD = name_of(TOKEN, "9.65")
NEW = name_of(TOKEN)
BROKEN = name_of("OL6-64")

IDENTITY = "20260501T120000Z-0001"
PLACE = Place(TOKEN, NEW, f"staging/{NEW}", "source", SIZE, "missing")
RETIRE = Retire(TOKEN, OLD, SIZE, "superseded")
# A name that is freed and given again: the broken file goes, the whole one comes.
FREE = Retire(Token("OL6-64"), BROKEN, 7, "not whole")
RENEW = Place(Token("OL6-64"), BROKEN, f"staging/{BROKEN}", "source", SIZE, "not whole")
DOWNLOAD = Download(TOKEN, NEW, ("source",), SIZE, None, "missing")

PLAN = Plan((DOWNLOAD, PLACE, FREE, RENEW, RETIRE))
BEFORE = {f"../{OLD}": SIZE, f"../{BROKEN}": 7, f"staging/{NEW}": SIZE, f"staging/{BROKEN}": SIZE}
AFTER = {
    f"../{NEW}": SIZE,
    f"../{BROKEN}": SIZE,
    f"retired/{IDENTITY}/{OLD}": SIZE,
    f"retired/{IDENTITY}/{BROKEN}": 7,
}
WRITES = 8
"""begin, four moves, settle, commit; and then one more that never comes."""


@dataclass(frozen=True)
class Site:
    """A repository on disk and ways to look into it and to meddle with it."""

    store: Store
    files: Callable[[], dict[str, int]]
    write: Callable[[str, int | None], None]


def lay_out(tmp_path: Path) -> Site:
    folder = Folder(tmp_path, sleep=lambda _: None)
    folder.prepare()

    def files() -> dict[str, int]:
        found = {f"../{path.name}": path for path in tmp_path.iterdir() if path.is_file()}
        for area in ("staging", "retired"):
            paths = (folder.sub / area).rglob("*")
            found |= {path.relative_to(folder.sub).as_posix(): path for path in paths if path.is_file()}
        return {path: file.stat().st_size for path, file in found.items()}

    def write(path: str, size_bytes: int | None) -> None:
        file = folder.sub / path
        if size_bytes is None:
            file.unlink()
        else:
            file.write_bytes(b"x" * size_bytes)

    for path, size_bytes in BEFORE.items():
        write(path, size_bytes)
    return Site(folder, files, write)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return lay_out(tmp_path)


def service_at(site: Site, **moods: Any) -> MemoryService:  # noqa: ANN401 - the knobs of a scenario
    """A service that sees the names in the repository when it starts."""

    def reads() -> frozenset[str]:
        return frozenset(path for path in site.files() if path.startswith("../"))

    return MemoryService(FakeClock(), reads=reads, **moods)


def run(
    site: Site,
    service: MemoryService | None = None,
    *,
    store: Store | None = None,
    plan: Plan = PLAN,
    identity: str = IDENTITY,
) -> Outcome:
    if service is not None:
        plan = plan.with_restart(service.name)
    at_work = service or MemoryService(FakeClock(), ServiceState.ABSENT)
    return carry_out(plan, identity, "sync", means_of(store or site.store, at_work, at_work.clock))


def results(outcome: Outcome) -> list[ActionResult]:
    return [result for _, result in outcome.results]


# When all goes well.


def test_all_moves_happen_and_the_service_sees_the_new_set(site: Site) -> None:
    service = service_at(site)
    outcome = run(site, service)
    assert outcome.error is None
    assert site.files() == AFTER
    assert outcome.service.restarted
    assert service.serving == frozenset({f"../{NEW}", f"../{BROKEN}"})
    assert results(outcome) == [ActionResult.DONE] * 6
    assert site.store.pending() is None


def test_a_plan_without_a_restart_leaves_the_service_alone(site: Site) -> None:
    service = service_at(site)
    outcome = carry_out(PLAN, IDENTITY, "sync", means_of(site.store, service, service.clock))
    assert outcome.error is None
    assert not outcome.service.restarted
    assert outcome.service.state is ServiceState.RUNNING
    assert service.asked == []


def test_each_step_is_said(site: Site) -> None:
    said: list[str] = []
    service = MemoryService(FakeClock(), ServiceState.ABSENT)
    means = means_of(site.store, service, service.clock)
    carry_out(PLAN, IDENTITY, "sync", type(means)(means.store, service, service.clock, means.patience, said.append))
    assert said == [f"{move.origin} -> {move.destination}" for move in moves_of(PLAN, IDENTITY)]


@pytest.mark.parametrize("state", [ServiceState.STOPPED, ServiceState.ABSENT])
def test_a_service_that_did_not_run_before_does_not_run_after(site: Site, state: ServiceState) -> None:
    service = service_at(site, was=state)
    outcome = run(site, service)
    assert outcome.error is None
    assert site.files() == AFTER
    assert service.state() is state
    assert service.asked == []
    assert results(outcome)[-1] is ActionResult.SKIPPED
    assert outcome.service.remark


# When the service does not come back.


@pytest.mark.parametrize(
    ("moods", "code", "state"),
    [
        ({"starts": (Start.FAILS, Start.WELL)}, "service-did-not-start", ServiceState.RUNNING),
        ({"starts": (Start.DIES, Start.WELL)}, "service-died", ServiceState.RUNNING),
        ({"refuses": {"stop": "service-access-denied"}}, "service-access-denied", ServiceState.RUNNING),
        ({"starts": (Start.FAILS,)}, "service-did-not-start", ServiceState.STOPPED),
        ({"starts": (Start.DIES,)}, "service-died", ServiceState.STOPPED),
        ({"refuses": {"start": "service-disabled"}}, "service-disabled", ServiceState.STOPPED),
        ({"stop_takes_s": NEVER}, "service-did-not-stop", ServiceState.STOPPING),
        ({"start_takes_s": NEVER}, "service-did-not-start", ServiceState.STARTING),
    ],
    ids=[
        "start fails once",
        "dies after two seconds once",
        "access denied",
        "start fails always",
        "dies always",
        "disabled",
        "stop hangs",
        "start hangs",
    ],
)
def test_if_the_service_does_not_come_back_the_repository_is_as_it_was(
    site: Site, moods: dict[str, Any], code: str, state: ServiceState
) -> None:
    service = service_at(site, **moods)
    outcome = run(site, service)
    assert outcome.error is not None
    assert outcome.error.code == code
    assert isinstance(outcome.error, ServiceError)
    assert site.files() == BEFORE
    assert site.store.pending() is None
    assert outcome.service.state is state
    assert not outcome.service.restarted
    assert outcome.service.remark
    assert results(outcome) == [ActionResult.DONE, *[ActionResult.UNDONE] * 4, ActionResult.FAILED]


@pytest.mark.parametrize("start", [Start.FAILS, Start.DIES])
def test_a_service_that_comes_back_after_the_undo_serves_the_old_set(site: Site, start: Start) -> None:
    service = service_at(site, starts=(start, Start.WELL))
    run(site, service)
    assert service.state() is ServiceState.RUNNING
    assert service.serving == frozenset({f"../{OLD}", f"../{BROKEN}"})
    assert service.asked == ["stop", "start", "start"]


def test_a_service_that_was_starting_is_brought_back_too(site: Site) -> None:
    service = service_at(site, was=ServiceState.STOPPED, starts=(Start.WELL, Start.FAILS, Start.WELL))
    service.request_start()
    outcome = run(site, service)
    assert outcome.error is not None
    assert site.files() == BEFORE
    assert service.state() is ServiceState.RUNNING


def test_a_service_that_may_not_be_looked_at_stops_everything_before_it_begins(site: Site) -> None:
    service = service_at(site, refuses={"state": "service-access-denied"})
    with pytest.raises(ServiceError) as caught:
        run(site, service)
    assert caught.value.code == "service-access-denied"
    assert site.files() == BEFORE
    assert site.store.pending() is None


def test_a_service_that_cannot_be_looked_at_any_more_does_not_keep_the_files_from_going_back(site: Site) -> None:
    service = service_at(site)

    def lose_the_service(number: int) -> None:
        if number == 2:
            service.refuses = {"state": "service-access-denied"}

    outcome = run(site, service, store=Faulty(site.store, after=lose_the_service))
    assert outcome.error is not None
    assert outcome.error.code == "service-access-denied"
    assert site.files() == BEFORE
    assert site.store.pending() is None


def test_without_a_restart_a_service_that_cannot_be_looked_at_is_no_reason_to_undo(site: Site) -> None:
    service = service_at(site, refuses={"state": "service-access-denied"})
    outcome = carry_out(PLAN, IDENTITY, "sync", means_of(site.store, service, service.clock))
    assert outcome.error is None
    assert site.files() == AFTER
    assert "refused" in outcome.service.remark


# When the store fails.


@pytest.mark.parametrize("number", range(1, WRITES))
def test_a_failure_at_any_write_puts_everything_back(site: Site, number: int) -> None:
    service = service_at(site)
    full = MachineError("disk-full", "no room")
    outcome = run(site, service, store=Faulty(site.store, {number: full}))
    assert outcome.error is full
    assert site.files() == BEFORE
    assert site.store.pending() is None
    assert service.state() is ServiceState.RUNNING
    assert service.serving == frozenset({f"../{OLD}", f"../{BROKEN}"})
    assert outcome.service.state is ServiceState.RUNNING


@pytest.mark.parametrize("number", range(1, WRITES - 1))
def test_a_failure_before_the_restart_does_not_disturb_the_service(site: Site, number: int) -> None:
    service = service_at(site)
    run(site, service, store=Faulty(site.store, {number: MachineError("disk-full", "no room")}))
    assert service.asked == []


@pytest.mark.parametrize("number", range(1, WRITES))
def test_an_interruption_at_any_write_puts_everything_back_and_goes_on(site: Site, number: int) -> None:
    service = service_at(site)
    with pytest.raises(KeyboardInterrupt):
        run(site, service, store=Faulty(site.store, {number: KeyboardInterrupt()}))
    assert site.files() == BEFORE
    assert site.store.pending() is None
    assert service.serving == frozenset({f"../{OLD}", f"../{BROKEN}"})


@pytest.mark.parametrize("number", range(5, 9))
def test_an_interruption_while_a_failure_is_put_back_does_not_cut_that_short(site: Site, number: int) -> None:
    service = service_at(site)
    faults: dict[int, RepoManagerError | Killed | KeyboardInterrupt] = {
        4: MachineError("disk-full", "no room"),
        number: KeyboardInterrupt(),
    }
    store = Faulty(site.store, faults)
    with pytest.raises(KeyboardInterrupt):
        run(site, service, store=store)
    assert site.files() == BEFORE
    assert site.store.pending() is None
    assert service.state() is ServiceState.RUNNING


def test_an_interruption_just_after_the_end_takes_nothing_back(site: Site) -> None:
    def interrupt(number: int) -> None:
        if number == WRITES - 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(site, store=Faulty(site.store, after=interrupt))
    assert site.files() == AFTER
    assert site.store.pending() is None


def test_a_failure_after_the_journal_was_closed_is_reported_and_undoes_nothing(site: Site) -> None:
    """Without a journal nothing would explain an undo that is killed halfway."""

    def fail(number: int) -> None:
        if number == WRITES - 1:
            raise MachineError("disk-error", "no answer")

    outcome = run(site, service_at(site), store=Faulty(site.store, after=fail))
    assert outcome.error is not None
    assert (outcome.error.code, outcome.error.exit_code) == ("not-confirmed", 3)
    assert "no answer" in outcome.error.message
    assert results(outcome) == [ActionResult.DONE] * 6
    assert site.files() == AFTER
    assert site.store.pending() is None


@pytest.mark.parametrize("stop", [MachineError("disk-error", "no answer"), KeyboardInterrupt()])
def test_where_it_cannot_be_read_whether_the_journal_was_closed_nothing_is_undone(
    stop: BaseException, tmp_path: Path
) -> None:
    site = lay_out(tmp_path)
    unreadable = tmp_path / ".repo-manager" / "journal.json"

    def fail(number: int) -> None:
        if number == WRITES - 1:
            unreadable.mkdir()
            raise stop

    with pytest.raises(MachineError) as caught:
        run(site, service_at(site), store=Faulty(site.store, after=fail))
    assert caught.value.code == "outcome-unknown"
    assert caught.value.hint
    assert site.files() == AFTER
    unreadable.rmdir()
    service = service_at(site)
    assert recover(means_of(site.store, service, service.clock)) is None
    assert site.files() == AFTER


def test_an_undo_whose_journal_cannot_be_closed_is_finished_by_the_next_run(site: Site) -> None:
    # begin, one move, the one that fails, one move back, settle, abandon
    faults = {3: MachineError("disk-full", "no room"), 6: MachineError("vanished", "the share is gone")}
    with pytest.raises(MachineError) as caught:
        run(site, service_at(site), store=Faulty(site.store, faults))
    assert caught.value.code == "not-put-back"
    assert site.files() == BEFORE
    assert site.store.pending() is not None
    service = service_at(site)
    assert recover(means_of(site.store, service, service.clock)) is not None
    assert site.files() == BEFORE
    assert site.store.pending() is None


def test_an_undo_whose_end_the_disk_does_not_confirm_is_an_undo(site: Site) -> None:
    def fail(number: int) -> None:
        # begin, one move, the one that fails, one move back, settle, abandon
        if number == 6:
            raise MachineError("disk-error", "no answer")

    full = MachineError("disk-full", "no room")
    outcome = run(site, service_at(site), store=Faulty(site.store, {3: full}, after=fail))
    assert outcome.error is full
    assert site.files() == BEFORE
    assert site.store.pending() is None


def test_a_transaction_does_not_begin_under_a_name_that_was_used(site: Site) -> None:
    run(site)
    site.write(f"staging/{NEW}", SIZE)
    outcome = run(site, plan=Plan((PLACE,)))
    assert outcome.error is not None
    assert outcome.error.code == "name-taken"
    assert site.store.pending() is None


def test_when_putting_back_fails_too_it_is_said_and_the_next_run_does_it(site: Site) -> None:
    faults: dict[int, RepoManagerError | Killed | KeyboardInterrupt] = {
        4: MachineError("disk-full", "no room"),
        5: MachineError("vanished", "the share is gone"),
    }
    with pytest.raises(MachineError) as caught:
        run(site, service_at(site), store=Faulty(site.store, faults))
    assert caught.value.code == "not-put-back"
    assert caught.value.message == "no room\n  and putting back failed: the share is gone"
    assert site.store.pending() is not None
    assert site.files() != BEFORE
    service = service_at(site)
    journal = recover(means_of(site.store, service, service.clock))
    assert journal is not None
    assert site.files() == BEFORE


# When another program works in the folder.


@pytest.mark.parametrize(
    ("path", "size_bytes"),
    [(f"../{NEW}", 5), (f"../{OLD}", SIZE)],
    ids=["what came in was changed", "what went out came again"],
)
def test_a_folder_that_changes_meanwhile_is_noticed(site: Site, path: str, size_bytes: int) -> None:
    def meddle(number: int) -> None:
        if number == 6:
            site.write(path, size_bytes)

    outcome = run(site, store=Faulty(site.store, after=meddle))
    assert outcome.error is not None
    assert outcome.error.code == "changed-under-us"


def test_a_placed_file_that_vanishes_is_noticed_and_the_rest_goes_back(site: Site) -> None:
    def meddle(number: int) -> None:
        if number == 6:
            site.write(f"../{NEW}", None)

    outcome = run(site, store=Faulty(site.store, after=meddle))
    assert outcome.error is not None
    assert outcome.error.code == "changed-under-us"
    assert site.files() == {path: size for path, size in BEFORE.items() if path != f"staging/{NEW}"}


def test_a_file_of_unknown_size_need_only_be_there(site: Site) -> None:
    unknown = Place(TOKEN, NEW, f"staging/{NEW}", "source", None, "missing")
    assert run(site, plan=Plan((unknown,))).error is None


def test_nothing_begins_without_the_file_that_should_come_in(site: Site) -> None:
    site.write(f"staging/{BROKEN}", None)
    before = site.files()
    with pytest.raises(MachineError) as caught:
        run(site, plan=Plan((FREE, RENEW)), store=Faulty(site.store, {2: MachineError("no-rights", "in use")}))
    assert caught.value.code == "staged-file-gone"
    assert site.files() == before
    assert site.store.pending() is None


# When the process is killed.


@pytest.mark.parametrize("number", range(1, WRITES))
def test_a_kill_at_any_write_is_mended_by_the_next_run(site: Site, number: int) -> None:
    service = service_at(site)
    with pytest.raises(Killed):
        run(site, service, store=Faulty(site.store, {number: Killed()}))
    journal = recover(means_of(site.store, service, service.clock))
    assert (journal is None) == (number == 1)
    assert site.files() == BEFORE
    assert site.store.pending() is None
    assert service.state() is ServiceState.RUNNING
    assert service.serving == frozenset({f"../{OLD}", f"../{BROKEN}"})


@pytest.mark.parametrize("first", range(2, WRITES))
@pytest.mark.parametrize("second", range(1, 7))
def test_a_kill_inside_the_recovery_is_mended_by_the_run_after(site: Site, first: int, second: int) -> None:
    service = service_at(site)
    with pytest.raises(Killed):
        run(site, service, store=Faulty(site.store, {first: Killed()}))
    again = Faulty(site.store, {second: Killed()})
    try:
        recover(means_of(again, service, service.clock))
    except Killed:
        recover(means_of(site.store, service, service.clock))
    assert site.files() == BEFORE
    assert site.store.pending() is None
    assert service.serving == frozenset({f"../{OLD}", f"../{BROKEN}"})


def as_entries(files: dict[str, int]) -> dict[str, FolderEntry]:
    """Files as a scan sees them: each has an identity of its own."""
    return {
        path: FolderEntry(path.rpartition("/")[2], size_bytes, (0, 0, number))
        for number, (path, size_bytes) in enumerate(files.items())
    }


@pytest.mark.parametrize("number", range(2, WRITES))
def test_what_recovery_leaves_after_a_kill_can_be_computed(site: Site, number: int) -> None:
    service = service_at(site)
    with pytest.raises(Killed):
        run(site, service, store=Faulty(site.store, {number: Killed()}))
    journal, found = site.store.pending(), site.files()
    assert journal is not None
    now = after_undo(journal, as_entries(found))
    assert site.files() == found
    recover(means_of(site.store, service, service.clock))
    assert {path: found[place] for path, place in now.items()} == site.files()


FIRST_IN: Final = Move(f"staging/{NEW}", f"../{NEW}", SIZE)
THEN_OUT: Final = Move(f"../{OLD}", f"retired/{IDENTITY}/{OLD}")


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        pytest.param(
            {f"../{NEW}": SIZE, f"retired/{IDENTITY}/{OLD}": 7, "../other": 1},
            {f"staging/{NEW}": f"../{NEW}", f"../{OLD}": f"retired/{IDENTITY}/{OLD}", "../other": "../other"},
            id="both moves happened",
        ),
        pytest.param({f"staging/{NEW}": SIZE}, {f"staging/{NEW}": f"staging/{NEW}"}, id="no move happened"),
        pytest.param(
            {f"../{NEW}": SIZE + 1}, {f"../{NEW}": f"../{NEW}"}, id="another program's file of another size stays"
        ),
        pytest.param(
            {f"../{OLD}": 8, f"retired/{IDENTITY}/{OLD}": 7},
            {f"../{OLD}": f"../{OLD}", f"retired/{IDENTITY}/{OLD}": f"retired/{IDENTITY}/{OLD}"},
            id="another program's file under the old name stays",
        ),
    ],
)
def test_what_recovery_leaves_of_foreign_files_can_be_computed(found: dict[str, int], expected: dict[str, str]) -> None:
    journal = Journal(IDENTITY, "sync", (FIRST_IN, THEN_OUT))
    assert after_undo(journal, as_entries(found)) == expected


def test_of_two_names_of_one_file_recovery_leaves_the_old_one() -> None:
    entry = FolderEntry(NEW, SIZE, (0, 0, 1))
    found = {f"staging/{NEW}": entry, f"../{NEW}": entry}
    assert after_undo(Journal(IDENTITY, "sync", (FIRST_IN,)), found) == {f"staging/{NEW}": f"../{NEW}"}


def test_a_recovery_leaves_a_file_alone_that_somebody_else_put_in_the_way(site: Site) -> None:
    service = service_at(site)
    with pytest.raises(Killed):
        run(site, service, store=Faulty(site.store, {WRITES - 1: Killed()}))
    site.write(f"../{NEW}", SIZE + 1)
    recover(means_of(site.store, service, service.clock))
    assert site.files()[f"../{NEW}"] == SIZE + 1
    assert site.files()[f"../{OLD}"] == SIZE
    assert site.store.pending() is None


def test_there_is_nothing_to_recover_after_a_run_that_ended(site: Site) -> None:
    run(site, service_at(site))
    service = service_at(site)
    assert recover(means_of(site.store, service, service.clock)) is None
    assert site.files() == AFTER


def test_a_service_killed_while_it_was_down_is_brought_up_by_the_recovery(site: Site) -> None:
    journal = Journal(IDENTITY, "sync", moves_of(PLAN, IDENTITY), ServiceState.RUNNING)
    service = service_at(site, was=ServiceState.STOPPED)
    undo(journal, means_of(site.store, service, service.clock))
    assert service.state() is ServiceState.RUNNING
    assert service.asked == ["start"]


def test_a_service_that_was_stopped_before_is_not_started_by_the_recovery(site: Site) -> None:
    journal = Journal(IDENTITY, "sync", moves_of(PLAN, IDENTITY), ServiceState.STOPPED)
    service = service_at(site, was=ServiceState.STOPPED)
    undo(journal, means_of(site.store, service, service.clock))
    assert service.asked == []


def test_a_recovery_closes_the_journal_even_if_the_service_stays_down(site: Site) -> None:
    site.store.begin(Journal(IDENTITY, "sync", (Move("staging/x", "../x"),), ServiceState.RUNNING))
    service = service_at(site, was=ServiceState.STOPPED, starts=(Start.FAILS,))
    with pytest.raises(ServiceError):
        recover(means_of(site.store, service, service.clock))
    assert site.store.pending() is None
    assert site.files() == BEFORE


def test_the_disk_remembers_what_happened_and_forgets_what_was_taken_back(tmp_path: Path) -> None:
    site = lay_out(tmp_path)
    folder = cast("Folder", site.store)
    run(site, service_at(site, starts=(Start.FAILS, Start.WELL)))
    assert folder.journals() == ()
    later = "20260501T120000Z-0002"
    run(site, service_at(site), identity=later)
    assert [journal.identity for journal in folder.journals()] == [later]
    assert folder.trim(keep=0, days=0, now=datetime(2026, 5, 2, tzinfo=UTC)) == ()
