"""What a watch did, kept for whoever asks later: a text log of bounded size, and the Windows Event Log.

Nothing here may end the watch: what cannot be written is left out.
"""

from __future__ import annotations

import contextlib
import io
import sys
from dataclasses import dataclass
from datetime import UTC
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from repo_manager.core.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from repo_manager.core.watch_state import WatchEvent

SOURCE: Final = "repo-manager"
"""The name under which the Windows Event Log has our entries, in its log Application."""


class EventId(IntEnum):
    """The number of each kind of event in the Windows Event Log. A number is never given to another kind.

    They lie between 1 and 1000: these are the ones that the message file has a text for.
    """

    STARTED = 100
    STOPPED = 101
    NOTE = 102
    ARRIVED = 200
    RETIRED = 201
    RESTARTED = 202
    WAITING = 203
    PLANNED = 204
    AWAY = 300
    BACK = 301
    FAILED = 400
    SERVICE_FAILED = 401
    ENDED = 402


class Log(Protocol):
    """Takes what happened. Never raises."""

    def write(self, happening: WatchEvent) -> None:
        """Keep it."""
        ...

    def close(self) -> None:
        """Nothing more will come."""
        ...


def default_log(environ: Mapping[str, str]) -> Path:
    """Where the text log of the whole machine lies."""
    if environ.get("ProgramData"):
        return Path(environ["ProgramData"]) / "repo-manager" / "logs" / "watch.log"
    return Path("/var/log/repo-manager/watch.log")


def open_log(path: Path | None) -> Log:
    """The text log where a path is given, and on Windows the Event Log where it knows our source.

    Raises:
        InputError: the file cannot be written to.
    """
    logs: list[Log] = []
    if path is not None:
        logs.append(TextLog(path))
    if sys.platform == "win32" and source_is_known():
        logs.append(WindowsLog())
    return _Logs(tuple(logs))


@dataclass(frozen=True, slots=True)
class _Logs:
    logs: tuple[Log, ...]

    def write(self, happening: WatchEvent) -> None:
        for log in self.logs:
            log.write(happening)

    def close(self) -> None:
        for log in self.logs:
            log.close()


# The text log

LIMIT_BYTES: Final = 1_000_000
KEPT: Final = 4


@dataclass(frozen=True, slots=True)
class TextLog:
    """A line per event. Full files are renamed to `NAME.1`, `NAME.2`...; `kept` of them stay.

    The file is opened for each line: so it may be moved, deleted or on a volume that goes away, and nobody who
    reads it keeps it from being renamed for long.

    Raises:
        InputError: on construction, where the file cannot be written to.
    """

    path: Path
    limit_bytes: int = LIMIT_BYTES
    kept: int = KEPT

    def __post_init__(self) -> None:
        try:
            self._append("")
        except OSError as error:
            raise InputError(
                "cannot-log",
                f"{self.path} cannot be written to: {error.strerror or error}",
                "name another file with --log, or run as administrator",
            ) from error

    def write(self, happening: WatchEvent) -> None:
        """Add a line, in UTC."""
        with contextlib.suppress(OSError):
            self._append(f"{happening.at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ} {line(happening)}\n")

    def add(self, text: str) -> None:
        """Add a line as it is, with its end."""
        with contextlib.suppress(OSError):
            self._append(text)

    def close(self) -> None:
        """The file is not held."""

    def _append(self, text: str) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        data = text.encode("ascii", "backslashreplace")
        with self.path.open("ab") as file:
            size = file.tell()
        if size and size + len(data) > self.limit_bytes:
            self._rotate(size)
        with self.path.open("ab") as file:
            file.write(data)

    def _rotate(self, size: int) -> None:
        """Rename the full file. While somebody holds one of them open it grows on, but not for ever."""
        full = self.path.with_name(f"{self.path.name}.full")
        try:
            # First the one that others may hold: where it stays, the older ones stay as well.
            self.path.replace(full)
            for number in range(self.kept, 1, -1):
                newer = self._numbered(number - 1)
                if newer.exists():
                    newer.replace(self._numbered(number))
            full.replace(self._numbered(1))
        except OSError:
            if size > 2 * self.limit_bytes:
                raise

    def _numbered(self, number: int) -> Path:
        return self.path.with_name(f"{self.path.name}.{number}")


def line(happening: WatchEvent) -> str:
    """An event as a line: severity, what, the message, and its facts."""
    facts = "".join(f" {key}={_quoted(value)}" for key, value in sorted(happening.facts.items()))
    return f"{happening.severity:<7} {happening.what:<14} {_one_line(happening.message)}{facts}"


def _quoted(value: str) -> str:
    text = _one_line(value)
    return text if text and not set(text) & set(' "=') else '"' + text.replace('"', "'") + '"'


def _one_line(text: str) -> str:
    return " ".join(text.split())


# The last words


class OutputTail(io.StringIO):
    """A stream that keeps the end of what is written to it: the process may run for months."""

    def write(self, text: str) -> int:
        """Keep at most twice what is reported."""
        super().write(text)
        if self.tell() > 2 * _LAST:
            kept = self.getvalue()[-_LAST:]
            self.seek(0)
            self.truncate()
            super().write(kept)
        return len(text)


_LAST: Final = 4000


def report_end(code: int, words: str) -> None:
    """Tell the Event Log, where there is one that knows us, that a hosted command ended with this exit code."""
    if sys.platform == "win32" and source_is_known():
        log = WindowsLog()
        log.report(EventId.ENDED, "error", f"repo-manager ended with exit code {code}\n{words[-_LAST:].strip()}")
        log.close()


# The Windows Event Log

_KEY: Final = rf"SYSTEM\CurrentControlSet\Services\EventLog\Application\{SOURCE}"

# Part of Windows since XP: a table of the numbers 1 to 1000, the text of each is what the entry brings along.
# Evidence: Microsoft's page of the command `eventcreate` gives the range of /id.
_MESSAGES: Final = r"%SystemRoot%\System32\EventCreate.exe"

# Evidence: the page of ReportEventW: EVENTLOG_ERROR_TYPE, EVENTLOG_WARNING_TYPE, EVENTLOG_INFORMATION_TYPE.
_TYPES: Final = {"error": 1, "warning": 2, "info": 4}
_ALL_TYPES: Final = 7

# Evidence: the page of ReportEventW: a string may have 31,839 characters.
_LONGEST: Final = 31_000

if sys.platform == "win32":
    import winreg

    def know_source() -> None:
        """Tell the Event Log our name and where the texts of our numbers are. Needs the rights of an administrator."""
        with winreg.CreateKeyEx(winreg.HKEY_LOCAL_MACHINE, _KEY, 0, winreg.KEY_SET_VALUE) as key:
            winreg.SetValueEx(key, "EventMessageFile", 0, winreg.REG_EXPAND_SZ, _MESSAGES)
            winreg.SetValueEx(key, "TypesSupported", 0, winreg.REG_DWORD, _ALL_TYPES)

    def forget_source() -> None:
        """Take that back. What has been logged stays."""
        with contextlib.suppress(FileNotFoundError):
            winreg.DeleteKey(winreg.HKEY_LOCAL_MACHINE, _KEY)

    def source_is_known() -> bool:
        """Whether the Event Log knows us: where the watch was never installed it is left alone."""
        try:
            winreg.CloseKey(winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, _KEY))
        except OSError:
            return False
        return True

    class WindowsLog:
        """The Event Log of this machine."""

        def __init__(self) -> None:
            import ctypes
            from ctypes import wintypes

            self._calls = ctypes.WinDLL("advapi32", use_last_error=True)
            self._calls.RegisterEventSourceW.restype = wintypes.HANDLE
            self._calls.DeregisterEventSource.argtypes = [wintypes.HANDLE]
            strings = ctypes.POINTER(wintypes.LPCWSTR)
            word, number = wintypes.WORD, wintypes.DWORD
            self._calls.ReportEventW.argtypes = [
                wintypes.HANDLE, word, word, number, ctypes.c_void_p, word, number, strings, ctypes.c_void_p
            ]  # fmt: skip
            self._texts: Any = wintypes.LPCWSTR * 1
            self._handle = self._calls.RegisterEventSourceW(None, SOURCE)

        def write(self, happening: WatchEvent) -> None:
            """Add an entry."""
            facts = "".join(f"\n{key}: {value}" for key, value in sorted(happening.facts.items()))
            event = EventId[happening.what.name]
            self.report(event, happening.severity, f"{happening.message}{facts}")

        def report(self, event: EventId, severity: str, text: str) -> bool:
            """Add an entry. False where the Event Log did not take it."""
            texts = self._texts(text.replace("\0", " ")[:_LONGEST])
            return bool(self._calls.ReportEventW(self._handle, _TYPES[severity], 0, event, None, 1, 0, texts, None))

        def close(self) -> None:
            """Let go of the Event Log."""
            self._calls.DeregisterEventSource(self._handle)

else:

    def know_source() -> None:
        """There is no Event Log here."""

    def forget_source() -> None:
        """There is no Event Log here."""

    def source_is_known() -> bool:
        """There is no Event Log here."""
        return False
