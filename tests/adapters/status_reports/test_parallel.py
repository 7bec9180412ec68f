"""Several things at once: order, bounds, and what is stuck."""

from __future__ import annotations

import subprocess
import sys
import threading
from functools import partial
from typing import TYPE_CHECKING

import pytest

from repo_manager.adapters.status_reports.parallel import Task, at_once, within
from repo_manager.core.errors import TransferError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture
def never() -> Iterator[threading.Event]:
    """Something to be stuck at until the end of the test."""
    event = threading.Event()
    yield event
    event.set()


def _give(value: int, _alive: Callable[[], None]) -> int:
    return value


def _wait(event: threading.Event) -> None:
    event.wait()


def test_results_come_in_the_order_of_the_tasks() -> None:
    told: list[int] = []
    tasks = [partial(_give, number) for number in range(50)]
    assert at_once(tasks, most=4, patience_s=60, told=told.append) == list(range(50))
    assert told == sorted(told)
    assert told[-1] == 50
    assert at_once([], most=4, patience_s=60) == []


def test_no_more_than_so_many_are_under_way() -> None:
    lock, under_way, seen = threading.Lock(), set[int](), list[int]()
    gate = threading.Barrier(3)

    def task(number: int, _alive: Callable[[], None]) -> None:
        with lock:
            under_way.add(number)
            seen.append(len(under_way))
        gate.wait(30)
        with lock:
            under_way.discard(number)

    at_once([partial(task, number) for number in range(9)], most=3, patience_s=60)
    assert max(seen) <= 3


def test_one_that_is_stuck_holds_up_nobody(never: threading.Event) -> None:
    def stuck(_alive: Callable[[], None]) -> int:
        never.wait()
        return 0

    tasks: list[Task[int]] = [stuck, partial(_give, 1), stuck, partial(_give, 2)]
    assert at_once(tasks, most=1, patience_s=1.5) == [None, 1, None, 2]


def test_one_that_goes_on_is_waited_for(never: threading.Event) -> None:
    def slow(alive: Callable[[], None]) -> str:
        for _ in range(35):
            never.wait(0.1)
            alive()
        return "done"

    assert at_once([slow], most=1, patience_s=3) == ["done"]


def test_what_a_task_raises_is_raised() -> None:
    def fails(_alive: Callable[[], None]) -> None:
        raise TransferError("stalled", "x", "y")

    with pytest.raises(TransferError):
        at_once([fails], most=1, patience_s=60)


def test_what_may_take_so_long_takes_no_longer(never: threading.Event) -> None:
    within(60, lambda: None, "here")
    with pytest.raises(TransferError, match=r"no answer within 0\.1 s") as caught:
        within(0.1, partial(_wait, never), "here")
    assert caught.value.code == "stalled"


def test_what_is_stuck_does_not_keep_the_process() -> None:
    script = (
        "import threading\n"
        "from repo_manager.adapters.status_reports.parallel import at_once\n"
        "print(at_once([lambda alive: threading.Event().wait()], most=1, patience_s=0.2))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[None]"
