"""Where words go: answers to stdout, everything else to stderr, JSON alone on stdout when asked for."""

from __future__ import annotations

import json
import os
import shutil
import sys
from typing import TYPE_CHECKING, Any, Final

from repo_manager.errors import DocumentError
from repo_manager.report.text import safe

if TYPE_CHECKING:
    from repo_manager.audit import Severity
    from repo_manager.errors import RepoManagerError

# By the severities' own words: importing them would cost every command the audit's module.
_COLOURS: Final = {"error": "31", "warning": "33", "info": "36"}
_NARROWEST: Final = 60
_WIDEST: Final = 160


class Console:
    """What a command speaks through."""

    def __init__(self, *, json_wanted: bool = False, verbosity: int = 0, colour: bool = True) -> None:
        self.json_wanted = json_wanted
        self.verbosity = verbosity
        self._colour = colour and not os.environ.get("NO_COLOR") and sys.stdout.isatty()
        for stream in (sys.stdout, sys.stderr):
            # A console in cp1252 must not end the run because of one character.
            if hasattr(stream, "reconfigure"):
                stream.reconfigure(errors="backslashreplace")

    @property
    def width(self) -> int:
        """The columns there are, within reason."""
        return min(max(shutil.get_terminal_size((80, 24)).columns, _NARROWEST), _WIDEST)

    def answer(self, text: str) -> None:
        """The answer for people: stdout, or stderr when stdout carries JSON."""
        if self.verbosity >= 0 or not self.json_wanted:
            print(text, file=sys.stderr if self.json_wanted else sys.stdout)

    def emit(self, document: dict[str, Any]) -> None:
        """The answer for programs, when it was asked for."""
        if self.json_wanted:
            print(json.dumps(document, indent=2))  # noqa: T201 - see above

    def note(self, text: str) -> None:
        """Worth knowing beside the answer; left out by -q."""
        if self.verbosity >= 0:
            print(safe_lines(text), file=sys.stderr)  # noqa: T201 - see above

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
        print(safe_lines(text), file=sys.stderr)  # noqa: T201 - see above

    def coloured(self, text: str, severity: Severity) -> str:
        """The text in the colour of a severity, where colour is wanted and seen."""
        return f"\x1b[{_COLOURS[severity]}m{text}\x1b[0m" if self._colour else text


def safe_lines(text: str) -> str:
    """Each line made safe to print."""
    return "\n".join(safe(line) for line in text.split("\n"))
