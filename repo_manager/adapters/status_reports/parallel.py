"""Several things at once, none of which may hold up the others, nor the end of the process."""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from repo_manager.core.errors import TransferError

if TYPE_CHECKING:
    from collections.abc import Sequence

_Result = TypeVar("_Result")

Task = Callable[[Callable[[], None]], _Result]
"""Does something. What it is handed says, whenever it is called, that the work goes on."""

# How often the main thread looks up: signals reach Python only there, and on Windows only between two waits.
_LOOK_S: Final = 0.1


class _Worker(threading.Thread, Generic[_Result]):
    """One task. A daemon: a thread that is stuck in a dead share ends with the process, and never before."""

    def __init__(self, number: int, task: Task[_Result], ended: queue.SimpleQueue[int]) -> None:
        super().__init__(daemon=True, name=f"at-once-{number}")
        self.number = number
        self.seen = time.monotonic()
        self.result: _Result | None = None
        self.failure: BaseException | None = None
        self._task = task
        self._ended = ended

    def run(self) -> None:
        try:
            self.result = self._task(self._alive)
        except BaseException as error:  # noqa: BLE001 - it is raised again where it belongs
            self.failure = error
        self._ended.put(self.number)

    def _alive(self) -> None:
        self.seen = time.monotonic()


def at_once(
    tasks: Sequence[Task[_Result]], *, most: int, patience_s: float, told: Callable[[int], None] = lambda _: None
) -> list[_Result | None]:
    """Their results, in their order; None for one that was given up.

    Args:
        tasks: what one of them raises is raised here, and the others are given up.
        most: no more are begun at a time. One that was given up counts no longer.
        patience_s: a task is given up when it has not said for so long that it goes on.
        told: is told how many have ended or were given up by now.
    """
    ended: queue.SimpleQueue[int] = queue.SimpleQueue()
    waiting = deque(enumerate(tasks))
    running: dict[int, _Worker[_Result]] = {}
    results: list[_Result | None] = [None] * len(tasks)
    while waiting or running:
        while waiting and len(running) < most:
            worker = _Worker(*waiting.popleft(), ended)
            running[worker.number] = worker
            worker.start()
        for number in _news(ended):
            done = running.pop(number, None)
            if done is not None:
                if done.failure is not None:
                    raise done.failure
                results[number] = done.result
        late = [number for number, worker in running.items() if time.monotonic() - worker.seen > patience_s]
        for number in late:
            del running[number]
        told(len(tasks) - len(waiting) - len(running))
    return results


def within(seconds: float, act: Callable[[], None], where: str) -> None:
    """Do something that may take so long and no longer.

    Raises:
        TransferError: `stalled`: it took longer, and may still go on.
    """

    def task(_alive: Callable[[], None]) -> bool:
        act()
        return True

    if at_once([task], most=1, patience_s=seconds)[0] is None:
        raise TransferError("stalled", f"{where}: no answer within {seconds:g} s", "look at the network and the server")


def _news(ended: queue.SimpleQueue[int]) -> list[int]:
    """Which have ended, after a wait for at least one."""
    found = []
    try:
        found.append(ended.get(timeout=_LOOK_S))
        while True:
            found.append(ended.get_nowait())
    except queue.Empty:
        return found
