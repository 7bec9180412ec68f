"""Paths and names on another machine: checked, and written as words of a command."""

from __future__ import annotations

import re
from typing import Final

from repo_manager.core.errors import InputError
from repo_manager.core.systems.support import Family

_POSIX_PATH: Final = re.compile(r"/.*", re.DOTALL)
_DRIVE_PATH: Final = re.compile(r"[A-Za-z]:\\.*", re.DOTALL)
_UNC_PATH: Final = re.compile(r"\\\\[^\\]+\\[^\\]+\\.+", re.DOTALL)
# cmd expands %NAME% even between quotes and has no way to write a quote between quotes; no Windows
# path can hold the others.
_NOT_ON_WINDOWS: Final = frozenset('"%<>|?*')
_NOT_IN_A_FILE_NAME: Final = _NOT_ON_WINDOWS | frozenset("/\\:")
# What cmd and the C runtime both read as one plain word.
_PLAIN_WORD: Final = re.compile(r"[A-Za-z0-9_.:/\\+@~\-]+", re.ASCII)


def quote_cmd(text: str) -> str:
    """One argument for a program started at a cmd prompt, in double quotes.

    The quotes are for cmd, to which `&`, `^`, `(` and a space mean something outside of them. A
    backslash before the closing quote is doubled, because the C runtime would read it as an escape.

    Raises:
        InputError: `cannot-be-quoted`: there is no way to write this character at a prompt.
    """
    _check_printable(text)
    for character in '"%':
        if character in text:
            raise _unquotable(text, character)
    trailing = text[len(text.rstrip("\\")) :]
    return f'"{text}{trailing}"'


def address(text: str) -> str:
    """An IP address of a server.

    Raises:
        InputError: `not-an-ip-address`.
    """
    # Most commands load this module and need no address.
    import ipaddress

    try:
        ipaddress.ip_address(text)
    except ValueError as error:
        raise _not_an_address(text) from error
    # A zone (fe80::1%eth0) means something on one machine only, and cmd would expand its percent sign.
    if "%" in text:
        raise _not_an_address(text)
    return text


def _not_an_address(text: str) -> InputError:
    return InputError(
        "not-an-ip-address",
        f"{text[:80]!r} is not an IP address",
        "give the configuration server's address, such as 10.0.0.4, not its name",
    )


def passphrase_file(text: str | None, family: Family) -> str | None:
    """The full path of a file on a machine of this family; None where it is not given.

    Raises:
        InputError: `not-an-absolute-path` or `cannot-be-quoted`.
    """
    if text is None:
        return None
    if family is Family.WINDOWS:
        example = r"C:\Temp\passphrase.txt or \\server\share\passphrase.txt"
        _check_absolute(text, "passphrase file", example, _DRIVE_PATH, _UNC_PATH)
        _check_windows_path(text)
    else:
        _check_absolute(text, "passphrase file", "/var/passphrase.txt", _POSIX_PATH)
    _check_printable(text)
    return text


def install_dir(text: str | None, family: Family, default: str) -> str:
    """The folder without separators at its end, so that a path below it can be written."""
    if family is Family.WINDOWS:
        folder = default if text is None else text
        # No share: cmd cannot change into one, and no service starts from there.
        _check_absolute(folder, "install folder", default, _DRIVE_PATH)
        _check_windows_path(folder)
        _check_printable(folder)
        stripped = folder.rstrip("\\")
        return f"{stripped}\\" if stripped.endswith(":") else stripped
    folder = default if text is None else text
    _check_absolute(folder, "install folder", default, _POSIX_PATH)
    _check_printable(folder)
    return folder.rstrip("/") or "/"


def below(folder: str, separator: str, rest: str) -> str:
    """A path below a folder, which ends in a separator only when it is a root."""
    return folder + rest if folder.endswith(separator) else folder + separator + rest


def _check_absolute(text: str, what: str, example: str, *shapes: re.Pattern[str]) -> None:
    if not any(shape.fullmatch(text) for shape in shapes):
        raise InputError(
            "not-an-absolute-path",
            f"the {what} {text[:120]!r} is not a full path on that machine",
            f"write the whole path, such as {example}",
        )


def _check_windows_path(text: str) -> None:
    # A slash would do in a path, but these programs read it as the start of a switch.
    bad = next((character for character in text if character in _NOT_ON_WINDOWS or character == "/"), None)
    if bad is not None:
        raise _unquotable(text, bad)
    if ":" in text[2:]:
        raise _unquotable(text, ":")


def check_file_name(text: str) -> None:
    """Refuse what is no name of a file.

    Raises:
        InputError: `not-a-file-name`.
    """
    if (
        not text.strip(". ")
        or text.startswith("-")
        or not text.isprintable()
        or any(character in _NOT_IN_A_FILE_NAME for character in text)
    ):
        raise InputError(
            "not-a-file-name", f"{text[:120]!r} is not a file's name", "give the installer's name without a folder"
        )


def _check_printable(text: str) -> None:
    """Refuse line breaks and every invisible character: what is pasted must be what was read."""
    bad = next((character for character in text if not character.isprintable()), None)
    if bad is not None:
        raise _unquotable(text, bad)


def _unquotable(text: str, character: str) -> InputError:
    return InputError(
        "cannot-be-quoted",
        f"{text[:120]!r} holds {character!r}, which cannot be written in this command",
        "choose a path without this character",
    )


def cmd_word(text: str) -> str:
    """An argument at a cmd prompt, quoted only where it must be."""
    return text if _PLAIN_WORD.fullmatch(text) else quote_cmd(text)
