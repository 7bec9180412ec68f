"""Where words go: answers to stdout, everything else to stderr, JSON alone on stdout when asked for."""

from __future__ import annotations

import errno
import json
import os
import shutil
import sys
from typing import TYPE_CHECKING, Any, Final, TextIO

from repo_manager.core.errors import DocumentError, MachineError
from repo_manager.core.redaction import redacted
from repo_manager.report.text import safe

if TYPE_CHECKING:
    from collections.abc import Iterator

    from repo_manager.core.audit.findings import Severity
    from repo_manager.core.errors import RepoManagerError

# By the severities' own words: importing them would cost every command the audit's module.
_COLOURS: Final = {"error": "31", "warning": "33", "info": "36"}
_NARROWEST: Final = 60
_WIDEST: Final = 160


class Console:
    """What a command speaks through."""

    def __init__(self, *, json_wanted: bool = False, verbosity: int = 0, colour: bool = True) -> None:
        self.json_wanted = json_wanted
        self.a_line_each = False
        self.verbosity = verbosity
        # What has been done already, for the case that the answer cannot be written.
        self.made = ""
        self._colour = colour and not os.environ.get("NO_COLOR") and _shows_colours(sys.stdout)
        for stream in (sys.stdout, sys.stderr):
            # A console in cp1252 must not end the run because of one character.
            if hasattr(stream, "reconfigure"):
                stream.reconfigure(errors="backslashreplace")

    @property
    def width(self) -> int:
        """The columns there are, within reason."""
        return min(max(shutil.get_terminal_size((80, 24)).columns, _NARROWEST), _WIDEST)

    def speak_utf8(self) -> None:
        """Let stdout carry UTF-8 from now on, unless a person reads it: what is for programs has one encoding."""
        if not is_terminal(sys.stdout) and hasattr(sys.stdout, "reconfigure"):
            sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")

    def answer(self, text: str) -> None:
        """The answer for people: stdout, or stderr when stdout carries JSON."""
        if self.verbosity >= 0 or not self.json_wanted:
            _say(text, sys.stderr if self.json_wanted else sys.stdout)

    def emit(self, document: dict[str, Any]) -> None:
        """The answer for programs, when it was asked for. Of a command that goes on, `a_line_each`."""
        if self.json_wanted:
            _say(json.dumps(document, indent=None if self.a_line_each else 2), sys.stdout)

    def note(self, text: str) -> None:
        """Worth knowing beside the answer; left out by -q."""
        if self.verbosity >= 0:
            _say(safe_lines(redacted(text)), sys.stderr)

    @property
    def can_ask(self) -> bool:
        """Whether a person sees a question and can answer it."""
        return is_terminal(sys.stdin) and is_terminal(sys.stderr)

    def agreed(self, question: str, about: str = "") -> bool:
        """Show what the question is about, also with -q, and ask it."""
        if about:
            _say(safe_lines(about), sys.stderr)
        print(f"\n{question} [y/N] ", end="", file=sys.stderr, flush=True)  # noqa: T201 - a question to a person
        return sys.stdin.readline().strip().lower() in {"y", "yes"}

    def detail(self, text: str) -> None:
        """A step, for -v."""
        if self.verbosity > 0:
            self.note(text)

    def error(self, error: RepoManagerError) -> None:
        """What went wrong and what to do next."""
        lines = error.message.splitlines() or [""]
        first = lines[0] if isinstance(error, DocumentError) else "\n  ".join(lines[:1])
        text = "\n".join([f"error[{error.code}]: {first}", *(f"  {line.strip()}" for line in lines[1:])])
        if error.hint:
            text += f"\n  hint: {error.hint}"
        _say(safe_lines(text), sys.stderr)

    def traceback(self, error: BaseException) -> None:
        """Where it was raised, for -vv. Messages of libraries may quote addresses, and names from outside."""
        from traceback import TracebackException

        text = "".join(TracebackException.from_exception(error).format())
        _say(safe_lines(redacted(text.rstrip("\n"))), sys.stderr)

    def coloured(self, text: str, severity: Severity) -> str:
        """The text in the colour of a severity, where colour is wanted and seen."""
        return f"\x1b[{_COLOURS[severity]}m{text}\x1b[0m" if self._colour else text


def lines_from_stdin() -> Iterator[str]:
    """The lines of stdin without their ends, whatever bytes they hold.

    Raises:
        MachineError: `cannot-read-input`.
    """
    if hasattr(sys.stdin, "reconfigure"):
        sys.stdin.reconfigure(errors="surrogateescape")
    try:
        for line in sys.stdin:
            # Some shells of Windows begin what they pipe with a byte order mark.
            yield line.removeprefix("\ufeff").rstrip("\r\n")
    except OSError as error:
        raise MachineError(
            "cannot-read-input", f"stdin cannot be read: {reason(error)}", "give the lines through a pipe or a file"
        ) from error


def reason(error: OSError) -> str:
    """Why a standard stream cannot be used, in words."""
    return "it is closed" if error.errno == errno.EBADF else (error.strerror or "the system refused").lower()


def _shows_colours(stream: TextIO) -> bool:
    """Whether the stream is a terminal that understands escape codes."""
    if not is_terminal(stream) or os.environ.get("TERM") == "dumb":
        return False
    if sys.platform != "win32":
        return True
    import ctypes
    import msvcrt

    # Consoles before Windows 10 and Server 2016 print the codes; later ones must be asked to obey them.
    handle, mode = msvcrt.get_osfhandle(stream.fileno()), ctypes.c_ulong()
    console = ctypes.windll.kernel32
    return bool(console.GetConsoleMode(handle, ctypes.byref(mode)) and console.SetConsoleMode(handle, mode.value | 4))


def is_terminal(stream: TextIO) -> bool:
    """Whether a person sits at the other end."""
    if not stream.isatty() or sys.platform != "win32":
        return stream.isatty()
    import ctypes
    import msvcrt

    # Windows calls every device a terminal, NUL too, and that is what a scheduled task may read from.
    handle, mode = msvcrt.get_osfhandle(stream.fileno()), ctypes.c_ulong()
    return bool(ctypes.windll.kernel32.GetConsoleMode(handle, ctypes.byref(mode)))


def _say(text: str, stream: TextIO) -> bool:
    """Print it. Whether the stream took it, as far as that is known before it is flushed."""
    try:
        print(text, file=stream)
    except OSError as error:
        _deafen(stream, error)
        return False
    return True


class _Lost:
    """Why output to stdout could not be written, None while all of it could."""

    error: OSError | None = None


def lost_output() -> OSError | None:
    """Why output to stdout could not be written since this was asked last; None where all of it could."""
    error, _Lost.error = _Lost.error, None
    return error


def flush() -> bool:
    """Write out what is still waiting to be printed. Whether some of it could not be written."""
    gone = False
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError as error:
            _deafen(stream, error)
            gone = True
    return gone


def can_print() -> bool:
    """Whether stdout takes what is printed. Where it does, it gets an empty line: only so can it be told."""
    if flush():
        return False
    return _say("", sys.stdout) and not flush()


def _deafen(stream: TextIO, error: OSError) -> None:
    """Drop what else is printed there: the work continues, and no output may stop it half-way.

    A reader of a pipe that has seen enough changes nothing; Windows says EINVAL where others say EPIPE. Other
    failures are remembered: `main` reports them at the end.
    """
    if error.errno not in {errno.EPIPE, errno.EINVAL} and stream is sys.stdout:
        _Lost.error = error
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def safe_lines(text: str) -> str:
    """Each line made safe to print."""
    return "\n".join(safe(line) for line in text.split("\n"))
