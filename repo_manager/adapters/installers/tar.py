"""Finds small files in a tar that passes by in pieces, and proves that the tar is whole.

    pieces of bytes --feed--> TarStream --finish--> the files' contents, by path

Nothing is ever written: members are counted and skipped, whatever their names, links or modes say.
Memory stays bounded: one header, and as much of a member that is looked into as was said.
"""

from __future__ import annotations

import tarfile
from typing import TYPE_CHECKING, Final

from repo_manager.core.errors import VerificationError

if TYPE_CHECKING:
    from collections.abc import Mapping

BLOCK: Final = tarfile.BLOCKSIZE

# An agent archive has some thirty members; this bounds the time a hostile one can cost.
MAX_MEMBERS: Final = 100_000

# No long name and no pax header is larger in earnest.
MAX_LOOK: Final = 64 * 1024

_ZEROS: Final = bytes(BLOCK)
_HINT: Final = "fetch the file again from its source"

# Members of these types are followed by data in the stream; a link, folder or device is not, whatever
# size its header claims. Types nobody knows are read as files, as tar itself does.
_WITHOUT_DATA: Final = frozenset(
    (tarfile.LNKTYPE, tarfile.SYMTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE)
)
_FILES: Final = frozenset((tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.CONTTYPE))
_LOOKED_INTO: Final = frozenset((tarfile.GNUTYPE_LONGNAME, tarfile.XHDTYPE, tarfile.SOLARIS_XHDTYPE))

# Where an old GNU sparse header, and each block that goes on with it, says whether another follows.
_SPARSE_MORE_FIRST: Final = 482
_SPARSE_MORE_NEXT: Final = 504

# Enough for any size there is, too few for a number that takes long to read.
_MAX_DIGITS: Final = 20


class TarStream:
    """Walks one tar. Feed it everything, in order, then `finish` once.

    Args:
        subject: what messages call the file.
        wanted: how many bytes are kept of each member that is asked for, by its path at the top level; `./` before it
            makes no difference.
    """

    def __init__(self, subject: str, wanted: Mapping[str, int]) -> None:
        self._subject = subject
        self._wanted = wanted
        self._members = 0
        self._header = bytearray()
        self._data_left = 0  # of the member under way, its padding included
        self._look_left = 0  # how much of that is still to be kept
        self._look = bytearray()
        self._type = tarfile.REGTYPE
        self._sparse_more = False
        self._next_path: str | None = None
        self._next_size: int | None = None
        self._ended = False
        self._path = ""
        self._found: dict[str, bytes] = {}

    def feed(self, piece: bytes) -> None:
        """Take the next bytes of the tar.

        Raises:
            VerificationError: `not-an-archive` when the first bytes are no tar at all;
                `damaged-archive` when a later header is not one, or bytes follow the end.
        """
        at, end = 0, len(piece)
        while at < end:
            if self._data_left and not self._sparse_more:
                at = self._pass(piece, at)
            elif self._ended:
                self._expect_zeros(piece[at:])
                return
            else:
                step = min(BLOCK - len(self._header), end - at)
                self._header += piece[at : at + step]
                at += step
                if len(self._header) == BLOCK:
                    block = bytes(self._header)
                    self._header.clear()
                    self._read_block(block)

    def finish(self) -> Mapping[str, bytes]:
        """The contents of the wanted members that there were (the last one of each, as unpacking would leave it).

        Raises:
            VerificationError: `truncated-archive` when the tar stops before its end mark.
        """
        if not self._ended:
            raise VerificationError("truncated-archive", f"{self._subject}: the tar inside stops before its end", _HINT)
        return self._found

    def _pass(self, piece: bytes, at: int) -> int:
        """Go over the data of the member under way; returns where the piece goes on."""
        step = min(self._data_left, len(piece) - at)
        if self._look_left:
            kept = piece[at : at + min(step, self._look_left)]
            self._look += kept
            self._look_left -= len(kept)
        self._data_left -= step
        if not self._data_left:
            self._member_done()
        return at + step

    def _read_block(self, block: bytes) -> None:
        if self._sparse_more:
            self._sparse_more = bool(block[_SPARSE_MORE_NEXT])
        elif block == _ZEROS:
            self._end()
        else:
            self._read_header(block)

    def _end(self) -> None:
        if not self._members:
            raise VerificationError("damaged-archive", f"{self._subject}: the archive holds no files", _HINT)
        self._ended = True

    def _read_header(self, block: bytes) -> None:
        self._members += 1
        if self._members > MAX_MEMBERS:
            raise VerificationError(
                "unpacks-too-large", f"{self._subject}: the archive holds more than {MAX_MEMBERS} files", _HINT
            )
        try:
            header = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
        except tarfile.HeaderError as error:
            raise self._bad_header() from error
        self._type = header.type
        self._sparse_more = header.type == tarfile.GNUTYPE_SPARSE and bool(block[_SPARSE_MORE_FIRST])
        size, path = header.size, header.name
        if header.type not in _LOOKED_INTO and header.type not in (tarfile.XGLTYPE, tarfile.GNUTYPE_LONGLINK):
            size = size if self._next_size is None else self._next_size
            path = path if self._next_path is None else self._next_path
            self._next_size = self._next_path = None
        if size < 0:
            raise self._bad_header()
        self._begin(path, 0 if header.type in _WITHOUT_DATA else size)

    def _begin(self, path: str, size: int) -> None:
        self._data_left = -(-size // BLOCK) * BLOCK
        self._look.clear()
        self._path = path.removeprefix("./")
        wanted = self._type in _FILES and self._path in self._wanted
        self._look_left = min(size, MAX_LOOK) if self._type in _LOOKED_INTO else 0
        if wanted:
            self._look_left = min(size, self._wanted[self._path])
            self._found[self._path] = b""
        if self._type in _LOOKED_INTO and size > MAX_LOOK:
            raise self._bad_header()

    def _member_done(self) -> None:
        if self._type in _FILES and self._look:
            self._found[self._path] = bytes(self._look)
        elif self._type == tarfile.GNUTYPE_LONGNAME:
            self._next_path = self._look.split(b"\0", 1)[0].decode("utf-8", "surrogateescape")
        elif self._type in _LOOKED_INTO:
            self._read_pax(bytes(self._look))
        self._look.clear()

    def _read_pax(self, records: bytes) -> None:
        """Take path and size out of a pax header: `<length> <key>=<value>` and a newline, again and again."""
        while records:
            length, space, _ = records.partition(b" ")
            end = _number(length)
            if not space or end is None or not len(length) + 1 < end <= len(records):
                raise self._bad_header()
            record, records = records[len(length) + 1 : end], records[end:]
            key, _, value = record.removesuffix(b"\n").partition(b"=")
            if key == b"path":
                self._next_path = value.decode("utf-8", "surrogateescape")
            elif key == b"size":
                self._next_size = _number(value)
                if self._next_size is None:
                    raise self._bad_header()

    def _expect_zeros(self, rest: bytes) -> None:
        if rest.count(0) != len(rest):
            raise VerificationError(
                "damaged-archive", f"{self._subject}: more bytes follow the end of the tar inside", _HINT
            )

    def _bad_header(self) -> VerificationError:
        if self._members == 1:
            return VerificationError("not-an-archive", f"{self._subject}: what is compressed in it is not a tar", _HINT)
        return VerificationError(
            "damaged-archive", f"{self._subject}: member {self._members} of the tar inside has a damaged header", _HINT
        )


def _number(digits: bytes) -> int | None:
    return int(digits) if digits.isdigit() and len(digits) <= _MAX_DIGITS else None
