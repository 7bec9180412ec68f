"""Another program that has a file open, as only Windows knows them: whoever does not share it, keeps all others off."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

ALONE: Final = 0
"""As a program does that writes."""
READERS: Final = 1
"""As most viewers and copy tools do."""
READERS_AND_WRITERS: Final = 3
"""As the C library does, and so most programs that know nothing of sharing."""

_PROGRAM: Final = """
import ctypes, sys
kernel = ctypes.WinDLL("kernel32", use_last_error=True)
kernel.CreateFileW.restype = ctypes.c_void_p
READ, EXISTING = 0x80000000, 3
handle = kernel.CreateFileW(sys.argv[1], READ, int(sys.argv[2]), None, EXISTING, 0, None)
if handle in (None, ctypes.c_void_p(-1).value):
    raise ctypes.WinError(ctypes.get_last_error())
print("held", flush=True)
sys.stdin.readline()
kernel.CloseHandle(ctypes.c_void_p(handle))
print("let go", flush=True)
"""


class OtherProgram:
    """Holds a file from `with` to its end, or until it is told to let go."""

    def __init__(self, path: Path, share: int) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", _PROGRAM, str(path), str(share)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._held = True

    def __enter__(self) -> Self:
        self._expect("held")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.let_go()
        with self._process:
            pass

    @property
    def process(self) -> int:
        """The process's id."""
        return self._process.pid

    def let_go(self, *_: object) -> None:
        """Close the file, once."""
        if self._held:
            self._held = False
            assert self._process.stdin is not None
            self._process.stdin.write("\n")
            self._process.stdin.flush()
            self._expect("let go")

    def _expect(self, word: str) -> None:
        assert self._process.stdout is not None
        line = self._process.stdout.readline().strip()
        assert line == word, line
