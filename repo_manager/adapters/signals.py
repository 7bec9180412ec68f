"""Whatever asks the process to end, ends a run as Ctrl-C does, and only once.

Ctrl-C, Ctrl-Break on Windows, SIGTERM (service managers, `kill`) and SIGHUP (a console that goes away) become one
KeyboardInterrupt. What is under way is then put back, and a second request must not cut that short: it is
answered with a line that says how to end the process all the same.

A command that stays can ask to be told instead. The stop control of the Windows service manager reaches it the
same way, through `request`.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

_REQUESTS: Final = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")


def listen() -> None:
    """Begin to treat every request to end alike. For the main thread, once per process.

    A request that the caller has told us to ignore stays ignored: so `nohup` works.
    """
    for number in _heeded():
        signal.signal(number, _first)


def _heeded() -> list[signal.Signals]:
    known = [signal.Signals[name] for name in _REQUESTS if name in signal.Signals.__members__]
    return [number for number in known if signal.getsignal(number) is not signal.SIG_IGN]


def _first(_number: int, _frame: FrameType | None) -> None:
    for number in _heeded():
        if signal.getsignal(number) is _first:
            signal.signal(number, _again)
    raise KeyboardInterrupt


def _again(_number: int, _frame: FrameType | None) -> None:
    # Not `print`: a handler may run in the middle of one.
    with contextlib.suppress(OSError):
        os.write(2, _STILL.format(by_force()).encode("ascii"))


_STILL: Final = "still putting back what was begun; '{}' ends it now, and the next run puts back\n"


def by_force() -> str:
    """The command that ends this process whatever it is doing."""
    return f"taskkill /F /PID {os.getpid()}" if sys.platform == "win32" else f"kill -9 {os.getpid()}"


class StopRequests:
    """What came while a command was listening."""

    def __init__(self, stop: Callable[[], None]) -> None:
        self.asked = False
        self._stop = stop

    def ask(self) -> None:
        """Pass the request on."""
        self.asked = True
        self._stop()


class _Listener:
    """The command that wants to be told, and whether somebody asked before it said so."""

    told: StopRequests | None = None
    asked = False


def request() -> None:
    """Ask the command of this process to end, from any thread. One that has not begun to listen ends when it does."""
    _Listener.asked = True
    if _Listener.told is not None:
        _Listener.told.ask()


@contextlib.contextmanager
def told_to_stop(stop: Callable[[], None]) -> Iterator[StopRequests]:
    """Inside, the first request to end calls `stop`, and the second is a KeyboardInterrupt as usual.

    `stop` must not block: it may be called from another thread or in the middle of anything.
    """
    told = StopRequests(stop)
    _Listener.told = told
    with _signals_to(told):
        if _Listener.asked:
            told.ask()
        try:
            yield told
        finally:
            _Listener.told = None


@contextlib.contextmanager
def _signals_to(told: StopRequests) -> Iterator[None]:
    import threading

    if threading.current_thread() is not threading.main_thread():
        # Signals are the main thread's. In a service this is another, and `request` is all there is.
        yield
        return
    before = {number: signal.getsignal(number) for number in _heeded()}

    def once(_number: int, _frame: FrameType | None) -> None:
        restore()
        told.ask()

    def restore() -> None:
        for number, handler in before.items():
            if signal.getsignal(number) is once:
                signal.signal(number, handler)

    for number in before:
        signal.signal(number, once)
    try:
        yield
    finally:
        restore()
