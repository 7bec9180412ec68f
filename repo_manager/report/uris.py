"""Paths as URIs, whatever system they are of."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote

_DRIVE: Final = re.compile(r"[A-Za-z]:[\\/]")
_EXTENDED_SHARE: Final = "\\\\?\\UNC\\"
_EXTENDED: Final = "\\\\?\\"
# The characters of RFC 3986 that may stand in a segment of a path unescaped, but for the colon, which a relative
# reference may not have in its first segment.
_PLAIN: Final = "!$&'()*+,;=@"


def segment(name: str) -> str:
    """One name as it stands in a URI."""
    return quote(_encoded(name), safe=_PLAIN)


def reference(path: str) -> str:
    r"""A path as a URI reference: absolute as a `file:` URI, others relative.

    `C:\a b` is `file:///C:/a%20b`, `\\server\share\a` is `file://server/share/a`, and the extended forms of both are
    the same. Of a relative path a backslash is taken for a separator where there is no slash.

    Evidence: RFC 8089, sections 2 and appendix E.
    """
    if path.startswith(_EXTENDED_SHARE):
        path = "\\\\" + path.removeprefix(_EXTENDED_SHARE)
    else:
        path = path.removeprefix(_EXTENDED)
    if _DRIVE.match(path):
        return f"file:///{path[0].upper()}:{_segments(path[2:].replace(chr(92), '/'))}"
    if path.startswith("\\\\"):
        return f"file:{_segments(path.replace(chr(92), '/'))}"
    if path.startswith("/"):
        return f"file://{_segments(path)}"
    return _segments(path if "/" in path else path.replace("\\", "/"))


def _segments(path: str) -> str:
    return quote(_encoded(path), safe=f"{_PLAIN}/")


def _encoded(text: str) -> bytes:
    """The bytes of a name: those that the disk has where it is no text, or else its halves of characters."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")
