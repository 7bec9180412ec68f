"""The service edge and the rules of a restart against a real service and the service manager of this Windows."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
import win32service
from push_install import KEY, wait_until

from repo_manager.adapters.windows.service import WindowsService
from repo_manager.app.settings import PUSH_SERVICE
from repo_manager.core.errors import ServiceError
from repo_manager.core.service import ServiceState, Timeouts, bring_up, restart

if TYPE_CHECKING:
    from push_install import PushInstall

QUICK = Timeouts(stop_s=15, start_s=15, steady_s=0.3, poll_s=0.1)


def code_of(act: object, *arguments: object) -> str:
    assert callable(act)
    with pytest.raises(ServiceError) as caught:
        act(*arguments)
    assert caught.value.hint
    return caught.value.code


@pytest.mark.parametrize("name", [PUSH_SERVICE, KEY], ids=["by display name", "by key name"])
def test_a_running_service_is_restarted(service: PushInstall, name: str) -> None:
    service.start()
    edge = WindowsService(name)
    before = edge.started_at()
    report = restart(edge, time, QUICK)
    assert (report.restarted, report.state) == (True, ServiceState.RUNNING)
    assert service.diary == ["start", "stop", "start"]
    after = edge.started_at()
    assert before is not None
    assert after is not None
    assert before < after <= time.time() + 1


def test_it_can_be_restarted_again_and_again(service: PushInstall) -> None:
    service.start()
    patience = Timeouts(stop_s=15, start_s=15, steady_s=0, poll_s=0.02)
    for _ in range(20):
        assert restart(WindowsService(PUSH_SERVICE), time, patience).restarted
    assert service.diary == ["start", *["stop", "start"] * 20]


@pytest.mark.parametrize("behaviour", ["slow-start", "slow-stop"])
def test_a_slow_service_is_waited_for(service: PushInstall, behaviour: str) -> None:
    service.behave(behaviour)
    service.start()
    assert restart(WindowsService(PUSH_SERVICE), time, QUICK).restarted
    assert WindowsService(PUSH_SERVICE).state() is ServiceState.RUNNING


def test_a_service_that_refuses_to_start_is_said_to_be_down(service: PushInstall) -> None:
    service.start()
    service.behave("refuse")
    assert code_of(restart, WindowsService(PUSH_SERVICE), time, QUICK) == "service-did-not-start"
    assert WindowsService(PUSH_SERVICE).state() is ServiceState.STOPPED
    assert service.diary == ["start", "stop", "start"]


def test_a_service_that_dies_two_seconds_later_does_not_count_as_up(service: PushInstall) -> None:
    service.start()
    service.behave("die")
    patience = Timeouts(stop_s=15, start_s=15, steady_s=6, poll_s=0.1)
    assert code_of(restart, WindowsService(PUSH_SERVICE), time, patience) == "service-died"


def test_a_service_that_never_stops_is_given_up(service: PushInstall) -> None:
    service.behave("never-stop")
    service.start()
    patience = Timeouts(stop_s=2, start_s=2, steady_s=0, poll_s=0.1)
    assert code_of(restart, WindowsService(PUSH_SERVICE), time, patience) == "service-did-not-stop"
    assert WindowsService(PUSH_SERVICE).state() is ServiceState.STOPPING
    assert code_of(WindowsService(PUSH_SERVICE).request_stop) == "service-busy"


def test_a_service_that_is_starting_may_not_be_stopped_yet_and_is_waited_for(service: PushInstall) -> None:
    service.behave("slow-start")
    edge = WindowsService(PUSH_SERVICE)
    edge.request_start()
    wait_until(lambda: edge.state() is ServiceState.STARTING, "it is starting")
    assert code_of(edge.request_stop) == "service-busy"
    assert restart(edge, time, QUICK).restarted
    assert service.diary == ["start", "stop", "start"]


def test_a_service_that_is_stopping_is_brought_up_again(service: PushInstall) -> None:
    service.behave("slow-stop")
    service.start()
    edge = WindowsService(PUSH_SERVICE)
    edge.request_stop()
    bring_up(edge, time, QUICK)
    assert service.state == win32service.SERVICE_RUNNING


def test_a_disabled_service_is_refused_before_it_is_stopped(service: PushInstall) -> None:
    service.start()
    service.disable()
    edge = WindowsService(PUSH_SERVICE)
    assert code_of(edge.ready) == "service-disabled"
    assert code_of(restart, edge, time, QUICK) == "service-disabled"
    assert edge.state() is ServiceState.RUNNING
    edge.request_stop()
    wait_until(lambda: edge.state() is ServiceState.STOPPED, "it is stopped")
    assert code_of(edge.request_start) == "service-disabled"


def test_a_service_that_is_not_installed_is_absent(unregistered: PushInstall) -> None:
    edge = WindowsService(PUSH_SERVICE)
    assert edge.state() is ServiceState.ABSENT
    assert edge.started_at() is None
    report = restart(edge, time, QUICK)
    assert (report.restarted, report.state) == (False, ServiceState.ABSENT)
    assert PUSH_SERVICE in report.remark
    for act in (edge.ready, edge.request_stop, edge.request_start):
        assert code_of(act) == "service-not-installed"


def test_what_it_does_already_is_refused_and_what_it_does_not_do_as_well(service: PushInstall) -> None:
    edge = WindowsService(PUSH_SERVICE)
    assert code_of(edge.request_stop) == "service-not-active"
    service.start()
    assert code_of(edge.request_start) == "service-already-running"


def test_a_stopped_service_stays_stopped(service: PushInstall) -> None:
    edge = WindowsService(PUSH_SERVICE)
    assert edge.started_at() is None
    report = restart(edge, time, QUICK)
    assert (report.restarted, report.state) == (False, ServiceState.STOPPED)
    assert service.diary == []


def test_a_service_whose_program_is_gone_says_so(service: PushInstall, monkeypatch: pytest.MonkeyPatch) -> None:
    service.remove()
    monkeypatch.setenv("TIER_PROGRAMS", "C:\\nowhere")
    service.register()
    assert code_of(WindowsService(PUSH_SERVICE).request_start) == "service-program-missing"
