from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import operations
import pytest
import small_world
from simulator import TOKENS, FakeClock, Killed, MemoryService, Start, listing_of, name_of

from repo_manager.adapters.filesystem.repository_folder import Folder
from repo_manager.app.change import _guard, perform
from repo_manager.core.errors import InputError, ServiceError
from repo_manager.core.plan import Place, Plan, Restart, Retire
from repo_manager.core.service import ServiceState
from repo_manager.core.transaction import ActionResult

if TYPE_CHECKING:
    from pathlib import Path

    from repo_manager.app.change import ChangeContext, Task

UNKNOWN = [name_of(f"PLAN{number}-64") for number in range(6)]
KNOWN = [name_of(token) for token in TOKENS]


def retiring(*file_names: str, placing: int = 0) -> Plan:
    places = [Place(token, name_of(token), "staging/x", "source", 1, "missing") for token in TOKENS[:placing]]
    return Plan((*places, *(Retire(None, name, 1, "superseded") for name in file_names)))


@pytest.mark.parametrize(
    ("present", "plan"),
    [
        (KNOWN, retiring(*KNOWN)),
        (KNOWN[:2], retiring(*KNOWN[:2])),
        # a catalog that was cut off knows one package, and takes the others for mistakes
        (UNKNOWN, retiring(*UNKNOWN, placing=1)),
    ],
    ids=["all", "both", "a catalog that was cut off"],
)
def test_leaving_most_packages_without_an_installer_is_refused(present: list[str], plan: Plan) -> None:
    with pytest.raises(InputError) as caught:
        _guard(plan, listing_of(*present), frozenset())
    assert caught.value.code == "would-empty-repository"


@pytest.mark.parametrize(
    ("present", "plan"),
    [
        (KNOWN[:1], retiring(*KNOWN[:1])),
        (UNKNOWN[:4], retiring(*UNKNOWN[:4], placing=1)),
        (KNOWN, retiring(*KNOWN, placing=5)),
        (KNOWN, retiring(*KNOWN[:2])),
        ([*KNOWN, name_of(TOKENS[0], "9.65")], retiring(name_of(TOKENS[0], "9.65"))),
        ([], Plan()),
    ],
    ids=[
        "one broken file",
        "a few unknown ones beside a new one",
        "all replaced",
        "less than half",
        "an older one",
        "nothing",
    ],
)
def test_what_an_honest_plan_retires_is_not_suspicious(present: list[str], plan: Plan) -> None:
    _guard(plan, listing_of(*present), frozenset())


def test_packages_that_a_person_named_do_not_count_as_lost() -> None:
    _guard(retiring(*KNOWN), listing_of(*KNOWN), frozenset(TOKENS))


# A restart with nothing to move.


class KilledBetween(MemoryService):
    """The run is gone when it has stopped the service and is about to start it."""

    dead = False

    def request_start(self) -> None:
        self.dead = "start" not in self.asked
        self.asked.append("start")
        self.or_not()
        super().request_start()

    def or_not(self, _what: str = "") -> None:
        if self.dead:
            raise Killed


def restarting(tmp_path: Path, service: MemoryService) -> tuple[ChangeContext, Task]:
    world = small_world.build(tmp_path / "world", mess=False)
    task = replace(operations.PRUNE, changed=small_world.NOW.timestamp)
    return replace(small_world.bench(world), service=service, clock=service.clock), task


def test_a_set_that_the_service_has_not_seen_is_shown_to_it(tmp_path: Path) -> None:
    service = MemoryService(FakeClock())
    outcome = perform(*restarting(tmp_path, service))
    assert [(type(action), result) for action, result in outcome.results] == [(Restart, ActionResult.DONE)]
    assert service.asked == ["stop", "start"]


def test_a_service_that_fails_to_start_once_is_started_again_all_the_same(tmp_path: Path) -> None:
    service = MemoryService(FakeClock(), starts=(Start.FAILS, Start.WELL))
    outcome = perform(*restarting(tmp_path, service))
    assert isinstance(outcome.error, ServiceError)
    assert [(type(action), result) for action, result in outcome.results] == [(Restart, ActionResult.FAILED)]
    assert service.state() is ServiceState.RUNNING


def test_a_run_killed_while_the_service_is_stopped_leaves_the_start_to_the_next(tmp_path: Path) -> None:
    service = KilledBetween(FakeClock())
    bench, task = restarting(tmp_path, service)
    with pytest.raises(Killed):
        perform(replace(bench, folder=Folder(bench.folder.path, step=service.or_not)), task)
    assert service.state() is ServiceState.STOPPED
    service.dead = False
    perform(bench, replace(task, changed=lambda: None))
    assert service.state() is ServiceState.RUNNING
