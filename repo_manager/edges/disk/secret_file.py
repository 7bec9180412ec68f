"""A file of `name=value` lines with credentials: for its owner's eyes, and never shown."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from repo_manager.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

_OTHERS: Final = 0o006
_MOST_BYTES: Final = 64 << 10


def pairs(file: Path, known: Callable[[str], bool], expected: str, code: str) -> Mapping[str, str]:
    """The values by name, as they stand there: with the blanks around them. Empty lines and `#` lines are left out.

    Args:
        file: the file.
        known: whether a name may stand there.
        expected: the names, for the message.
        code: of the error; the key of the configuration that names the file, with hyphens.

    Raises:
        InputError: it cannot be read, is open to every user, or has a line that is none. No value is in the message.
    """
    try:
        with file.open("rb") as opened:
            open_to_all = os.name != "nt" and os.fstat(opened.fileno()).st_mode & _OTHERS
            text = opened.read(_MOST_BYTES).decode("utf-8-sig")
    except OSError as error:
        raise bad(file, f"cannot be read: {error.strerror}", code) from error
    except UnicodeDecodeError:
        # Not the error itself: it carries the bytes.
        raise bad(file, "is not UTF-8 text", code) from None
    if open_to_all:
        what = f"{file} can be read or changed by every user"
        raise InputError(code, what, f"give it to yourself: chmod 600 {file}")
    values: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, equals, value = line.partition("=")
        name = name.strip()
        if not equals or not known(name) or name in values:
            raise bad(file, f"line {number} is no {expected}, or is there twice", code)
        values[name] = value
    return values


def bad(file: Path, what: str, code: str) -> InputError:
    """What to say of such a file."""
    return InputError(code, f"{file} {what}", f"mend the file that {code.replace('-', '_')} names")
