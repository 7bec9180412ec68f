"""What tells that a folder may have changed: events, a look at the folder itself, and who holds a file open.

All of it is a hint. Events get lost (a full queue, a share), come late, or do not come at all; nobody
but `tending`, which looks, acts on what they say.
"""

from __future__ import annotations

import contextlib
import os
import queue
import sys
import threading
import time
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from watchdog.events import (
    DirDeletedEvent,
    FileClosedEvent,
    FileCreatedEvent,
    FileDeletedEvent,
    FileModifiedEvent,
    FileMovedEvent,
    FileSystemEventHandler,
)
from watchdog.observers.polling import PollingObserver

from repo_manager.adapters.filesystem.scan import on_a_share

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from watchdog.events import FileSystemEvent
    from watchdog.observers.api import BaseObserver


class QueueWakeSignal:
    """Wakes the one who watches. `ring` and `stop` may be called from any thread, as often as anybody likes.

    Ten thousand rings are one: there is nothing to store.
    """

    def __init__(self) -> None:
        # Its `put` takes no lock, so that it may be called in a signal handler that interrupts anything.
        self._tokens: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._rung = False
        self._stopped = False

    @property
    def stopped(self) -> bool:
        """Whether somebody has asked for the end."""
        return self._stopped

    def ring(self) -> None:
        """Something may have happened."""
        if not self._rung:
            self._rung = True
            self._tokens.put(None)

    def stop(self) -> None:
        """Ask for the end."""
        self._stopped = True
        self._tokens.put(None)

    def take(self) -> bool:
        """Whether it has rung since the last time."""
        rung, self._rung = self._rung, False
        with contextlib.suppress(queue.Empty):
            while True:
                self._tokens.get_nowait()
        return rung

    def wait(self, seconds: float, *, deaf: bool) -> None:
        """Wait that long, until the end is asked for, or, unless `deaf`, until it rings."""
        until = time.monotonic() + seconds
        while not self._stopped and (deaf or not self._rung) and (left := until - time.monotonic()) > 0:
            with contextlib.suppress(queue.Empty):
                self._tokens.get(timeout=min(left, _TURN_S))


# On Windows a wait hears Ctrl-C only when it ends.
_TURN_S: Final = 0.5


class EventMethod(StrEnum):
    """How events are learned of."""

    NATIVE = "native"
    POLLING = "polling"


class FolderEvents:
    """A folder's events, from construction until `stop`; each rings.

    `native` makes the system's own observer, which is not asked where `polling` is wanted, and which
    gives way to looking every `poll_s` seconds where it cannot start.

    Raises:
        OSError: the folder cannot be observed.
    """

    def __init__(
        self,
        folder: Path,
        ring: Callable[[], None],
        *,
        polling: bool,
        poll_s: float,
        native: Callable[[], BaseObserver] | None = None,
    ) -> None:
        self._ring = ring
        self._broken = False
        self._hook = threading.excepthook
        threading.excepthook = self._thread_failed
        try:
            maker = None if polling else native or _native
            self.kind, self._observer = _started(folder, _Handler(ring), maker, poll_s)
        except BaseException:
            threading.excepthook = self._hook
            raise

    @property
    def broken(self) -> bool:
        """Whether no more events will come: the folder is gone, or the system has given up."""
        alive = self._observer.is_alive() and all(emitter.is_alive() for emitter in self._observer.emitters)
        return self._broken or not alive

    def stop(self) -> None:
        """No more events."""
        _end(self._observer)
        threading.excepthook = self._hook

    def _thread_failed(self, failure: threading.ExceptHookArgs) -> None:
        """A share that goes away ends the library's threads with an exception that nobody catches."""
        frame = failure.exc_traceback
        while frame is not None:
            if str(frame.tb_frame.f_globals.get("__name__", "")).startswith("watchdog."):
                self._broken = True
                self._ring()
                return
            frame = frame.tb_next
        self._hook(failure)


class _Handler(FileSystemEventHandler):
    """Rings, whatever it is."""

    def __init__(self, ring: Callable[[], None]) -> None:
        self._ring = ring

    def on_any_event(self, event: FileSystemEvent) -> None:  # noqa: ARG002 - what it was shows when somebody looks
        self._ring()


_EVENTS: Final[tuple[type[FileSystemEvent], ...]] = (
    FileCreatedEvent,
    FileMovedEvent,
    FileDeletedEvent,
    FileClosedEvent,
    DirDeletedEvent,
)


def _started(
    folder: Path, handler: _Handler, native: Callable[[], BaseObserver] | None, poll_s: float
) -> tuple[EventMethod, BaseObserver]:
    """An observer at work: the system's own, or one that looks every `poll_s` seconds."""
    if native is not None and folder.is_dir():
        observer: BaseObserver | None = None
        # The number of watches is limited on Linux, and a file system may not know how to report.
        with contextlib.suppress(OSError, queue.Empty):
            observer = native()
            # Linux says when a file was closed; elsewhere there is nothing but each write.
            events = [*_EVENTS] if sys.platform == "linux" else [*_EVENTS, FileModifiedEvent]
            observer.schedule(handler, str(folder), event_filter=events)
            observer.start()
            return EventMethod.NATIVE, observer
        if observer is not None:
            _end(observer)
    polled = PollingObserver(timeout=poll_s)
    polled.schedule(handler, str(folder), event_filter=[*_EVENTS, FileModifiedEvent])
    polled.start()
    return EventMethod.POLLING, polled


def _end(observer: BaseObserver) -> None:
    # Whatever state it is in: one that could not start cannot be joined.
    with contextlib.suppress(OSError, RuntimeError):
        observer.stop()
        observer.join()


def pulse(folder: Path) -> tuple[int, int, int] | None:
    """Volume, file id and time of change of the folder itself; None when it cannot be seen.

    One call, which shows what events cannot: that some were lost, and that another folder lies there now.
    """
    try:
        stat = folder.stat()
    except OSError:
        return None
    return stat.st_dev, stat.st_ino, stat.st_mtime_ns


if sys.platform == "win32":
    import ctypes
    from ctypes import wintypes

    from watchdog.observers import winapi
    from watchdog.observers.api import BaseObserver as _BaseObserver
    from watchdog.observers.read_directory_changes import WindowsApiEmitter

    class _Emitter(WindowsApiEmitter):
        """Hands over what there is, several times a second.

        The library's own collects for as long as events follow each other within a second: while a
        file is copied nothing would arrive, and the collection would grow.
        """

        def queue_events(self, timeout: float) -> None:  # noqa: ARG002 - the base class's signature
            if not self.stopped_event.wait(_DRAIN_S):
                super().queue_events(0)

        def on_thread_stop(self) -> None:
            """End the reading, also where it is just about to begin.

            The library cancels one read and waits for the reader. One that has not begun yet is not
            cancelled, begins, and both wait for ever if nothing happens in the folder. So: again.
            """
            reader = self._reader
            ending = threading.Thread(target=super().on_thread_stop, name="end of reading", daemon=True)
            ending.start()
            while ending.is_alive():
                ending.join(_DRAIN_S)
                if reader is not None and ending.is_alive():
                    with reader._lock:  # noqa: SLF001 - the library has no other way to cancel again
                        if reader._handle is not None:  # noqa: SLF001 - same
                            winapi._cancel_handle_io(reader._handle)  # noqa: SLF001 - same

    _DRAIN_S: Final = 0.2

    def _native() -> BaseObserver:
        return _BaseObserver(_Emitter)

    _kernel = ctypes.WinDLL("kernel32", use_last_error=True)
    _kernel.CreateFileW.restype = wintypes.HANDLE
    _kernel.CreateFileW.argtypes = (
        wintypes.LPCWSTR,
        wintypes.DWORD,
        wintypes.DWORD,
        wintypes.LPVOID,
        wintypes.DWORD,
        wintypes.DWORD,
        wintypes.HANDLE,
    )
    _kernel.CloseHandle.argtypes = (wintypes.HANDLE,)
    _GENERIC_READ: Final = 0x80000000
    _SHARE_READ_AND_DELETE: Final = 0x1 | 0x4
    _OPEN_EXISTING: Final = 3
    _OPEN_REPARSE_POINT: Final = 0x00200000
    _IN_USE: Final = frozenset({32, 33})
    _DRIVE_REMOTE: Final = 4

    def held_open(path: Path) -> bool:
        """Whether somebody has the file open for writing. What cannot be told is a no.

        Opened without a share for writers, which fails while there is one. Readers, such as the push
        service at work, neither count nor notice.
        """
        handle = _kernel.CreateFileW(
            str(path), _GENERIC_READ, _SHARE_READ_AND_DELETE, None, _OPEN_EXISTING, _OPEN_REPARSE_POINT, None
        )
        if handle == wintypes.HANDLE(-1).value:
            return ctypes.get_last_error() in _IN_USE
        _kernel.CloseHandle(handle)
        return False

    def remote(folder: Path) -> bool:
        """Whether the folder lies on another machine, so that events may not come."""
        return on_a_share(folder) or _kernel.GetDriveTypeW(f"{folder.drive}\\") == _DRIVE_REMOTE

else:
    import errno
    import fcntl
    import signal

    def _native() -> BaseObserver:
        from watchdog.observers import Observer

        return Observer()

    # Other machines' file systems, and those whose changes are made behind the kernel's back.
    _REMOTE: Final = ("nfs", "cifs", "smb", "9p", "afs", "ceph", "gluster", "lustre", "fuse", "virtiofs", "vboxsf")

    def held_open(path: Path) -> bool:
        """Whether somebody has the file open for writing. What cannot be told is a no.

        A read lease is granted only where nobody does. Remote file systems refuse it for reasons of
        their own, and so does the kernel to those who do not own the file.
        """
        if not hasattr(fcntl, "F_SETLEASE") or remote(path.parent):
            return False
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
        except OSError:
            return False
        try:
            # Somebody who opens the file in this moment waits for us and we are sent a signal: one that does nothing.
            fcntl.fcntl(descriptor, fcntl.F_SETSIG, signal.SIGURG)
            fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
            fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
        except OSError as error:
            return error.errno == errno.EAGAIN
        finally:
            os.close(descriptor)
        return False

    def remote(folder: Path) -> bool:
        """Whether the folder lies on another machine, so that events may not come."""
        try:
            device = folder.stat().st_dev
            with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as mounts:  # noqa: PTH123 - no path of the user's
                kinds = [
                    line.partition(" - ")[2].split()[0]
                    for line in mounts
                    if line.split()[2] == f"{os.major(device)}:{os.minor(device)}"
                ]
        except (OSError, IndexError):
            return on_a_share(folder)
        return any(kind.startswith(_REMOTE) for kind in kinds)
