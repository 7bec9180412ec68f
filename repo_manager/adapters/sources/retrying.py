"""Asking again, patiently: what a failure that may pass is worth, and how long to wait after it."""

from __future__ import annotations

import random as _random
import time
from typing import TYPE_CHECKING, Final, TypeVar

from repo_manager.adapters.sources._transport import PassingError
from repo_manager.adapters.sources.fetched import never
from repo_manager.core.errors import TransferError

if TYPE_CHECKING:
    from collections.abc import Callable

    from repo_manager.adapters.sources.http_rules import HttpPolicy

_Result = TypeVar("_Result")

# What an attempt must bring for the count of failures to begin anew. Less is no progress: a server that
# gives a byte and hangs up would be asked for ever.
PROGRESS: Final = 64 << 10

# How long a wait may go without asking whether to stop.
_NAP_S: Final = 0.5


class Retrying:
    """Does something until it succeeds, fails for good, or has failed too often in a row.

    Args:
        policy: how often, and how long to wait between.
        sleep: waits some seconds.
        random: gives numbers in [0, 1), which spread the waits of many.
    """

    def __init__(
        self,
        policy: HttpPolicy,
        *,
        sleep: Callable[[float], None] = time.sleep,
        random: Callable[[], float] = _random.random,
    ) -> None:
        self._policy = policy
        self._sleep = sleep
        self._random = random

    def run(
        self, action: Callable[[], _Result], *, cancelled: Callable[[], bool] = never, reached: Callable[[], int] = int
    ) -> _Result:
        """The action's result.

        Args:
            action: raises a PassingError where asking again makes sense.
            cancelled: asked during waits.
            reached: how far the work has come, in bytes; coming further makes the count of failures begin anew.

        Raises:
            TransferError: `cancelled`, and whatever the action raised last.
        """
        failures = Failures(self._policy, reached())
        while True:
            try:
                return action()
            except PassingError as error:
                self.wait(failures.count(error, reached(), self._random()), cancelled)

    def wait(self, seconds: float, cancelled: Callable[[], bool] = never) -> None:
        """Wait so long, unless told to stop.

        Raises:
            TransferError: `cancelled`.
        """
        while seconds > 0:
            if cancelled():
                raise TransferError("cancelled", "the download was stopped", "run again to resume")
            self._sleep(min(seconds, _NAP_S))
            seconds -= _NAP_S


class Failures:
    """How often something has failed in a row."""

    def __init__(self, policy: HttpPolicy, reached: int) -> None:
        self._policy = policy
        self._furthest = reached
        self._count = 0

    def count(self, error: PassingError, reached: int, random: float) -> float:
        """Take note of one more; returns how long to wait before the next attempt, in seconds.

        Raises:
            PassingError: the same, when there is to be no other attempt.
        """
        if reached >= self._furthest + PROGRESS:
            self._count, self._furthest = 0, reached
        self._count += 1
        if self._count >= self._policy.attempts:
            raise error
        return max(error.wait_s or 0.0, self._policy.backoff(self._count, random))
