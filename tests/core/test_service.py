from __future__ import annotations

import pytest
from simulator import NEVER, FakeClock, MemoryService, Start

from repo_manager.core.errors import ExitCode, ServiceError
from repo_manager.core.service import ServiceReport, ServiceState, Timeouts, bring_up, restart

PATIENCE = Timeouts(stop_s=30, start_s=20, steady_s=5, poll_s=0.5)


def refusal(service: MemoryService) -> ServiceError:
    with pytest.raises(ServiceError) as caught:
        restart(service, service.clock, PATIENCE)
    assert caught.value.exit_code is ExitCode.SERVICE
    assert service.name in caught.value.message
    return caught.value


def test_a_running_service_is_stopped_and_started_and_watched_for_a_while() -> None:
    clock = FakeClock()
    service = MemoryService(clock)
    assert restart(service, clock, PATIENCE) == ServiceReport(restarted=True, state=ServiceState.RUNNING)
    assert service.asked == ["stop", "start"]
    assert clock.now_s == 1.0 + 1.0 + PATIENCE.steady_s


@pytest.mark.parametrize(
    ("state", "remark"),
    [
        (ServiceState.STOPPED, "'InMage PushInstall' was stopped before and stays stopped"),
        (ServiceState.ABSENT, "there is no service 'InMage PushInstall' here"),
    ],
)
def test_a_service_that_does_not_run_is_left_alone_and_that_is_said(state: ServiceState, remark: str) -> None:
    service = MemoryService(FakeClock(), state)
    assert restart(service, service.clock, PATIENCE) == ServiceReport(restarted=False, state=state, remark=remark)
    assert service.asked == []


def test_a_paused_service_is_restarted() -> None:
    service = MemoryService(FakeClock(), ServiceState.PAUSED)
    assert restart(service, service.clock, PATIENCE).restarted
    assert service.state() is ServiceState.RUNNING


def test_a_service_that_is_starting_is_let_come_up_before_it_is_stopped() -> None:
    service = MemoryService(FakeClock(), ServiceState.STOPPED, start_takes_s=10)
    service.request_start()
    assert restart(service, service.clock, PATIENCE).restarted
    assert service.asked == ["start", "stop", "start"]


def test_a_service_that_crashed_while_starting_is_not_told_to_stop() -> None:
    clock = FakeClock()
    service = MemoryService(clock, was=ServiceState.STARTING)
    service._timetable = [(1.0, ServiceState.STOPPED)]
    assert restart(service, clock, PATIENCE).restarted
    assert service.asked == ["start"]


def test_a_service_that_is_stopping_already_is_not_told_again() -> None:
    service = MemoryService(FakeClock(), stop_takes_s=10)
    service.request_stop()
    assert restart(service, service.clock, PATIENCE).restarted
    assert service.asked == ["stop", "start"]


def test_a_slow_start_within_patience_counts_as_well() -> None:
    service = MemoryService(FakeClock(), start_takes_s=19)
    assert restart(service, service.clock, PATIENCE).restarted


def test_a_start_that_takes_too_long_is_said_so() -> None:
    service = MemoryService(FakeClock(), start_takes_s=NEVER)
    error = refusal(service)
    assert error.code == "service-did-not-start"
    assert "is starting" in error.message


def test_a_stop_that_hangs_is_given_up_and_the_service_is_not_told_to_start() -> None:
    service = MemoryService(FakeClock(), stop_takes_s=NEVER)
    error = refusal(service)
    assert error.code == "service-did-not-stop"
    assert "is stopping after 30 s" in error.message
    assert service.asked == ["stop"]


def test_a_start_that_ends_in_a_stop_is_noticed_at_once() -> None:
    clock = FakeClock()
    service = MemoryService(clock, starts=(Start.FAILS,))
    error = refusal(service)
    assert error.code == "service-did-not-start"
    assert "is stopped" in error.message
    assert clock.now_s == 2.0


def test_a_service_that_dies_after_two_seconds_has_not_come_back() -> None:
    service = MemoryService(FakeClock(), starts=(Start.DIES,))
    error = refusal(service)
    assert error.code == "service-died"
    assert "started, then was stopped within 5 s" in error.message


def test_without_a_steady_time_nobody_waits_to_see_it_die() -> None:
    service = MemoryService(FakeClock(), starts=(Start.DIES,))
    assert restart(service, service.clock, Timeouts(steady_s=0)).restarted


@pytest.mark.parametrize(
    ("refuses", "code"),
    [
        ({"start": "service-disabled"}, "service-disabled"),
        ({"ready": "service-disabled"}, "service-disabled"),
        ({"stop": "service-access-denied"}, "service-access-denied"),
        ({"state": "service-access-denied"}, "service-access-denied"),
    ],
    ids=["disabled", "known to be disabled", "may not be stopped", "may not even be looked at"],
)
def test_a_refusal_of_the_service_manager_is_passed_on(refuses: dict[str, str], code: str) -> None:
    assert refusal(MemoryService(FakeClock(), refuses=refuses)).code == code


def test_a_service_that_would_not_start_again_is_not_stopped() -> None:
    service = MemoryService(FakeClock(), refuses={"ready": "service-disabled"})
    refusal(service)
    assert service.asked == []


class Ahead(MemoryService):
    """Does by itself what it is about to be asked for."""

    def request_stop(self) -> None:
        self.was = ServiceState.STOPPED
        super().request_stop()

    def request_start(self) -> None:
        self.was = ServiceState.RUNNING
        super().request_start()


def test_a_service_that_does_by_itself_what_was_to_be_asked_is_as_good() -> None:
    service = Ahead(FakeClock())
    assert restart(service, service.clock, PATIENCE).restarted
    assert service.asked == ["stop", "start"]


@pytest.mark.parametrize(
    ("state", "asked"),
    [(ServiceState.STOPPED, ["start"]), (ServiceState.RUNNING, [])],
)
def test_bringing_up_asks_only_where_it_must(state: ServiceState, asked: list[str]) -> None:
    service = MemoryService(FakeClock(), state)
    bring_up(service, service.clock, PATIENCE)
    assert service.asked == asked
    assert service.state() is ServiceState.RUNNING


def test_bringing_up_waits_for_a_stop_that_is_under_way() -> None:
    service = MemoryService(FakeClock(), stop_takes_s=10)
    service.request_stop()
    bring_up(service, service.clock, PATIENCE)
    assert service.asked == ["stop", "start"]
    assert service.state() is ServiceState.RUNNING
