"""A terminal of 80 columns with a person in front of it: what they type, and what they see on its screen."""

from __future__ import annotations

import fcntl
import os
import select
import struct
import subprocess
import sys
import termios
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import pyte

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

COLUMNS: Final = 80
_LINES: Final = 120
_PATIENCE_S: Final = 60

# A process of its own session, whose terminal this is: Ctrl-C is sent by the terminal, as it is to people.
_AT_THE_TERMINAL: Final = (
    "import fcntl, os, sys, termios; os.setsid(); fcntl.ioctl(0, termios.TIOCSCTTY, 0); "
    "os.execv(sys.executable, [sys.executable, '-m', 'repo_manager', *sys.argv[1:]])"
)


class Terminal:
    """The person's side."""

    def __init__(self, process: subprocess.Popen[bytes], master: int) -> None:
        self.process = process
        self.raw = b""
        self._master = master
        self._screen = pyte.Screen(COLUMNS, _LINES)
        self._stream = pyte.ByteStream(self._screen)

    @property
    def lines(self) -> list[str]:
        """What stands on the screen, without what is empty."""
        return [line.rstrip() for line in self._screen.display if line.strip()]

    def colours(self) -> set[str]:
        """The colours that anything on the screen has."""
        return {cell.fg for line in self._screen.buffer.values() for cell in line.values()} - {"default"}

    def sees(self, text: str) -> None:
        """Wait until this stands on the screen."""
        end = time.monotonic() + _PATIENCE_S
        while not any(text in line for line in self.lines):
            assert time.monotonic() < end, self.lines
            assert self._more(1.0), f"it ended without {text!r}: {self.lines}"

    def types(self, text: str) -> None:
        """Press these keys."""
        os.write(self._master, text.encode())

    def ends(self) -> int:
        """Wait for the end. Returns the exit code."""
        end = time.monotonic() + _PATIENCE_S
        while self._more(1.0):
            assert time.monotonic() < end, self.lines
        return self.process.wait(_PATIENCE_S)

    def _more(self, patience_s: float) -> bool:
        """Take in what was written meanwhile. False when nobody will write any more."""
        if not select.select([self._master], [], [], patience_s)[0]:
            return True
        try:
            data = os.read(self._master, 1 << 16)
        except OSError:
            # So Linux says that nobody has the other side open any more.
            return False
        self.raw += data
        self._stream.feed(data)
        return bool(data)


@contextmanager
def terminal(*arguments: str, cwd: Path, **environment: str) -> Iterator[Terminal]:
    """The tool at work in a terminal."""
    master, slave = os.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", _LINES, COLUMNS, 0, 0))
    plain = {name: value for name, value in os.environ.items() if name not in {"COLUMNS", "LINES", "NO_COLOR"}}
    ends: dict[str, Any] = dict.fromkeys(("stdin", "stdout", "stderr"), slave)
    line = [sys.executable, "-c", _AT_THE_TERMINAL, *arguments]
    process = subprocess.Popen(line, cwd=cwd, env={**plain, "TERM": "xterm-256color", **environment}, **ends)
    os.close(slave)
    try:
        yield Terminal(process, master)
    finally:
        process.kill()
        process.wait()
        os.close(master)
