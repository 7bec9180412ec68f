"""Where credentials may be: in a file that its owner alone reads, and never in the options of a service."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from repo_manager.adapters.filesystem import trusted_files
from repo_manager.adapters.filesystem.trusted_files import Correction
from repo_manager.core.errors import InputError
from repo_manager.core.redaction import holds_secret

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

_OTHERS: Final = 0o004
_MOST_BYTES: Final = 64 << 10


def pairs(file: Path, known: Callable[[str], bool], expected: str, code: str) -> Mapping[str, str]:
    """The values by name, as they stand there: with the blanks around them. Empty lines and `#` lines are left out.

    Args:
        file: the file.
        known: whether a name may stand there.
        expected: the names, for the message.
        code: of the error; the key of the configuration that names the file, with hyphens.

    Raises:
        InputError: it cannot be read, is open to others, or has a line that is none. No value is in the message.
    """
    try:
        with file.open("rb") as opened:
            _believed(file, opened.fileno())
            open_to_all = os.name != "nt" and os.fstat(opened.fileno()).st_mode & _OTHERS
            text = opened.read(_MOST_BYTES).decode("utf-8-sig")
    except OSError as error:
        raise bad(file, f"cannot be read: {error.strerror}", code) from error
    except UnicodeDecodeError:
        # Not the error itself: it carries the bytes.
        raise bad(file, "is not UTF-8 text", code) from None
    if open_to_all:
        what = f"{file} can be read by every user"
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


def _believed(file: Path, descriptor: int) -> None:
    try:
        trusted_files.require(file, correction=Correction(file), opened=descriptor)
    except InputError as error:
        # Of the two ways the shorter one, where it is enough.
        error.hint += "" if os.name == "nt" else f", or: chmod 600 {file}"
        raise


def bad(file: Path, what: str, code: str) -> InputError:
    """What to say of such a file."""
    return InputError(code, f"{file} {what}", f"mend the file that {code.replace('-', '_')} names")


def refuse_in_options(arguments: Iterable[str]) -> None:
    """Refuse options of a service or a unit that hold an address with secrets: every user may read them.

    Raises:
        InputError: `secret-in-options`.
    """
    if any(map(holds_secret, arguments)):
        raise InputError(
            "secret-in-options",
            "an option holds an address with a user or a query, and every user may read the options of a service",
            "write it into the configuration file",
        )
