"""Waiting for a library that does not look up while it works, so that Ctrl-C gets through all the same."""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

_Result = TypeVar("_Result")

# How often the main thread looks up: signals reach Python only there, and on Windows only between two waits.
_LOOK_S = 0.1

# What is given up may take back what it had begun for so long.
_GRACE_S = 10.0


def nothing() -> None:
    """What is given up needs no telling."""


def wait_for(act: Callable[[], _Result], give_up: Callable[[], None] = nothing, grace_s: float = _GRACE_S) -> _Result:
    """What `act` returns or raises. Where signals arrive, in the main thread, another thread does it.

    Args:
        act: may block for long.
        give_up: called when somebody wants an end meanwhile; `act` should then end soon.
        grace_s: how long it may take to do so before it is left to itself.

    Raises:
        KeyboardInterrupt: somebody wants an end.
    """
    if threading.current_thread() is not threading.main_thread():
        return act()
    results: list[_Result] = []
    failures: list[BaseException] = []

    def run() -> None:
        try:
            results.append(act())
        except BaseException as error:  # noqa: BLE001 - it is raised again where it belongs
            failures.append(error)

    thread = threading.Thread(target=run, daemon=True)
    try:
        # Inside, because an interrupt may come as soon as there are two threads.
        thread.start()
        while thread.is_alive():
            thread.join(_LOOK_S)
    except KeyboardInterrupt:
        give_up()
        # One that was not begun cannot be waited for.
        with suppress(RuntimeError):
            thread.join(grace_s)
        raise
    if failures:
        raise failures[0]
    return results[0]
