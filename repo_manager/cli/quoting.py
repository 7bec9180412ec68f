"""Words from outside in commands that are to be pasted: no shell may read them as anything but a word."""

from __future__ import annotations

import re
import shlex
import sys
from typing import TYPE_CHECKING, Final

from repo_manager.core.redaction import holds_secret

if TYPE_CHECKING:
    from collections.abc import Sequence

# PowerShell takes typographic quotes for plain ones.
_READ_IN_QUOTES: Final = re.compile('[$`"\u201c\u201d\u201e]')
_PLAIN: Final = frozenset("-_./:\\")


def quoted(word: str, *, windows: bool = sys.platform == "win32") -> str:
    """A word for a command line of this system's shell: PowerShell on Windows, any POSIX shell elsewhere."""
    return _for_powershell(word) if windows else shlex.quote(word)


def repeated(words: Sequence[str], *more: str) -> str:
    """Tell to run a command line of this tool again with more options.

    The line itself is repeated only where it is short and no address in it can hold a secret.
    """
    end = words.index("--") if "--" in words else len(words)
    line = " ".join(["repo-manager", *map(quoted, [*words[:end], *more, *words[end:]])])
    secret = any(map(holds_secret, words))
    return f"run the same command with {' '.join(more)}" if secret or len(line) > _LONGEST else f"run '{line}'"


_LONGEST: Final = 300


def _for_powershell(word: str) -> str:
    """In double quotes, which cmd knows as well, unless it is plain.

    What PowerShell reads in double quotes gets its backtick. cmd does not know that one, and puts variables between
    percent signs into any quotes: there such a name is a wrong one, and still runs nothing.

    Evidence: "about_Quoting_Rules" of PowerShell; "Parsing C command-line arguments" on Microsoft Learn, by which a
    backslash before the last quote must be doubled.
    """
    if word and all(character.isalnum() or character in _PLAIN for character in word):
        return word
    backslashes = "\\" * (len(word) - len(word.rstrip("\\")))
    return f'"{_READ_IN_QUOTES.sub(lambda found: f"`{found[0]}", word)}{backslashes}"'
