"""What a file is by its first bytes, and what a wrong one looks like to a person."""

from __future__ import annotations

import tarfile
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from repo_manager.core.names import InstallerName

HEAD_BYTES: Final = 512
"""With so many bytes `looks_wrong` knows all it can know."""


class InstallerFormat(StrEnum):
    """How an installer is packed. The three archives share the extension `.tar.gz`."""

    GZIP = "gzip"
    XZ = "xz"
    LZMA = "lzma"
    EXE = "exe"


_MAGIC: Final = {
    InstallerFormat.GZIP: b"\x1f\x8b",
    InstallerFormat.XZ: b"\xfd7zXZ\0",
    InstallerFormat.LZMA: b"\x5d\0\0",
    InstallerFormat.EXE: b"MZ",
}

# First match wins.
_LOOK_ALIKES: Final = (
    (b"\x1f\x8b", "a gzip archive"),
    (b"\xfd7zXZ\0", "an xz archive"),
    (b"\x5d\0\0", "an lzma archive"),
    (b"MZ", "a Windows program"),
    (b"PK\x03\x04", "a zip archive"),
    (b"BZh", "a bzip2 archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    (b"\x28\xb5\x2f\xfd", "a zstd archive"),
    (b"MSCF", "a cabinet archive"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "a Windows Installer package or an old Office document"),
    (b"\xed\xab\xee\xdb", "an RPM package"),
    (b"!<arch>", "a Debian package"),
    (b"\x7fELF", "a Linux program"),
    (b"%PDF", "a PDF document"),
    (b"#!", "a script"),
    (b"version https://git-lfs", "a Git LFS pointer"),
)
_HTML: Final = (b"<!doctype html", b"<html", b"<head", b"<body", b"<script", b"<!--", b"<meta", b"<title")
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_USTAR_AT: Final = 257
_CONTROL: Final = frozenset(range(32)) - frozenset(b"\t\n\r\f\x1b")


def kind_of(head: bytes) -> InstallerFormat | None:
    """The kind these first bytes announce; six are enough."""
    return next((kind for kind, magic in _MAGIC.items() if head.startswith(magic)), None)


def looks_wrong(head: bytes, name: InstallerName) -> str | None:
    """What the first bytes look like when they cannot begin the named installer, such as "an HTML page".

    Any number of bytes will do, also none; None as long as they can still become what they should be.
    """
    wanted = (
        (InstallerFormat.EXE,)
        if name.extension == ".exe"
        else (InstallerFormat.GZIP, InstallerFormat.XZ, InstallerFormat.LZMA)
    )
    magics = [_MAGIC[kind] for kind in wanted]
    if any(head.startswith(magic) or magic.startswith(head) for magic in magics):
        return None
    return describe(head)


def describe(head: bytes) -> str:
    """Say in a few words what a file with these first bytes looks like."""
    if not head:
        return "an empty file"
    if head.count(0) == len(head):
        return "zeros only"
    known = next((what for magic, what in _LOOK_ALIKES if head.startswith(magic)), None)
    if known is not None:
        return known
    if head[_USTAR_AT:].startswith(b"ustar") or _is_tar_header(head):
        return "a tar that is not compressed"
    return _describe_text(head)


def _is_tar_header(head: bytes) -> bool:
    try:
        tarfile.TarInfo.frombuf(head[: tarfile.BLOCKSIZE], "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        return False
    return True


def _describe_text(head: bytes) -> str:
    text = head.removeprefix(_BYTE_ORDER_MARK).lstrip().lower()
    if text.startswith(_HTML):
        return "an HTML page"
    if text.startswith(b"<"):
        return "an XML document"
    if text.startswith((b"{", b"[")):
        return "a JSON document"
    if not _CONTROL.intersection(head):
        return "plain text"
    return "something unknown"
