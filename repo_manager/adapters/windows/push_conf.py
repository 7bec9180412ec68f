r"""`pushinstaller.conf`: the servers' own word on where their repository is.

An INI file beside the repository. Only one line of it concerns the tool, and everything else in it is
let pass, whatever it is:

    [PushInstaller]
    RepositoryPathUA = "D:\agents\repository"

Evidence: the published sources of Azure/AzMigrate-Hydration, `host/config/fileconfigurator.cpp`, name the
section and the key; the deployment article of 2015 shows the file in `C:\pushinstallsvc`, and values
with typographic quotes. Quotes, variables and encodings are our own caution: nothing is published of them.
"""

from __future__ import annotations

import codecs
import re
from typing import TYPE_CHECKING, Final

from repo_manager.core.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

KEY: Final = "RepositoryPathUA"

# The real file has some dozen lines; what is larger is something else.
MOST_BYTES: Final = 1024 * 1024

_SECTION: Final = "pushinstaller"
_QUOTES: Final = {'"': '"', "'": "'", "\u201c": "\u201d", "\u201d": "\u201d"}

# The longer marks first: that of UTF-32 begins with that of UTF-16.
_MARKS: Final = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)

# `mbcs` and `oem` are this machine's own code pages and exist on Windows alone. cp437 reads any bytes.
_WITHOUT_MARK: Final = ("utf-8", "mbcs", "oem", "cp1252", "cp850", "cp437")

# A tabulator, the ends of lines, and the end of file of old editors are all that text needs.
_NO_TEXT: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x19\x1b-\x1f\x7f]")


def read(path: Path) -> bytes:
    """The file, and no more of it than shows that it is another one.

    Raises:
        InputError: it is a folder.
        OSError: it cannot be read.
    """
    if path.is_dir():
        raise broken(str(path), "it is a folder")
    with path.open("rb") as file:
        return file.read(MOST_BYTES + 1)


def named_folders(data: bytes, name: str, environ: Mapping[str, str]) -> tuple[str, ...]:
    """The folder that the file names, empty where it names none.

    Several where the bytes of a path can be read in several encodings, the likeliest first: which one is
    meant shows in which folder exists. `name` is the file's, for messages.

    Raises:
        InputError: the file is damaged, or the line cannot be understood.
    """
    found: dict[str, None] = {}
    for text in _readings(data, name):
        value = _value(text, name)
        if value:
            found[_expanded(value, name, environ)] = None
    return tuple(found)


def broken(name: str, reason: str) -> InputError:
    """The one error for a file that cannot be followed."""
    return InputError(
        "invalid-conf", f"{name}: {reason}", "mend that file, or name the repository's folder with --repository"
    )


def _readings(data: bytes, name: str) -> Iterator[str]:
    """The text, once for each encoding that it may be in."""
    if len(data) > MOST_BYTES:
        raise broken(name, f"it is no such file: larger than {MOST_BYTES // 1024} KiB")
    readings = [text for encoding, body in _encodings(data) if (text := _decoded(body, encoding)) is not None]
    if not readings:
        raise broken(name, "it is no text; the file is damaged")
    yield from readings


def _encodings(data: bytes) -> Iterator[tuple[str, bytes]]:
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            yield encoding, data[len(mark) :]
            return
    # The letters of a path and of all keys are ASCII, of which every second byte is zero in UTF-16.
    zeros = (data[0::2].count(0), data[1::2].count(0))
    if any(zeros):
        yield ("utf-16-be" if zeros[0] > zeros[1] else "utf-16-le"), data
        return
    for encoding in _WITHOUT_MARK:
        yield encoding, data


def _decoded(body: bytes, encoding: str) -> str | None:
    """The text; None where the bytes are not of that encoding, or this machine does not know it."""
    try:
        text = body.decode(encoding)
    except (UnicodeDecodeError, LookupError):
        return None
    return None if _NO_TEXT.search(text) else text


def _value(text: str, name: str) -> str | None:
    """What is written after the key, without quotes; None where it is not there."""
    found: str | None = None
    section = ""
    # Not str.splitlines, which also splits at characters that a path may hold.
    for number, line in enumerate(re.split(r"\r\n|\r|\n", text), 1):
        words = line.strip()
        if words.startswith("["):
            head, closed, _ = words[1:].partition("]")
            if not closed:
                raise broken(name, f"line {number}: the bracket of the section is not closed")
            section = head.strip().casefold()
        elif section == _SECTION and not words.startswith((";", "#")):
            key, equals, value = words.partition("=")
            if equals and key.strip().casefold() == KEY.casefold():
                here = _unquoted(value.strip(), f"{name}, line {number}")
                if found is not None and found != here:
                    raise broken(name, f"line {number}: {KEY} is there twice, with another folder")
                found = here
    return found


def _unquoted(value: str, where: str) -> str:
    closing = _QUOTES.get(value[:1])
    if closing is None:
        return value
    inner, closed, rest = value[1:].partition(closing)
    rest = rest.strip()
    if not closed or (rest and not rest.startswith((";", "#"))):
        raise broken(where, f"the quotes around the value of {KEY} do not match")
    return inner.strip()


def _expanded(value: str, name: str, environ: Mapping[str, str]) -> str:
    known = {key.casefold(): word for key, word in environ.items()}

    def word_of(match: re.Match[str]) -> str:
        word = known.get(match[1].casefold())
        if word is None:
            raise broken(name, f"{KEY} names the variable {match[0]}, which is not set here")
        return word

    return re.sub(r"%([^%]+)%", word_of, value)
