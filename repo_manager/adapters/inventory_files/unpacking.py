"""Entries of a zip, unpacked in pieces and counted meanwhile: what an archive says of its own sizes may be a lie."""

from __future__ import annotations

import struct
import zipfile
import zlib
from typing import TYPE_CHECKING, BinaryIO, Final

from repo_manager.core.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# Of a workbook with 100,000 rows and 90 columns the largest entry has 360 MB.
MAX_UNPACKED: Final = 1 << 30

# A sheet shrinks to a tenth, a very monotonous one to a hundredth; deflate ends at 1032:1.
MAX_RATIO: Final = 300
RATIO_FREE: Final = 64 << 20

_MAX_DIRECTORY: Final = 4 << 20
_PIECE_IN: Final = 64 << 10
_PIECE_OUT: Final = 1 << 20
_LOCAL: Final = struct.Struct("<4s22xHH")
_ENCRYPTED: Final = 1
_HINT: Final = "open it in a spreadsheet, check that it is what it should be, and save it again as .xlsx or CSV"


class Archive:
    """A zip, of which nothing is believed but where its entries begin. Close it in the end."""

    def __init__(self, path: Path, name: str) -> None:
        self._name = name
        self._file = path.open("rb")
        try:
            self._entries = self._listed()
        except BaseException:
            self._file.close()
            raise

    def _listed(self) -> dict[str, zipfile.ZipInfo]:
        try:
            with zipfile.ZipFile(_Bounded(self._file)) as listing:
                infos = listing.infolist()
        except (zipfile.BadZipFile, NotImplementedError, ValueError, EOFError, struct.error) as error:
            raise self.damaged("its list of contents cannot be read") from error
        entries = {info.filename: info for info in infos}
        if len(entries) != len(infos):
            raise self.damaged("the same name stands in it twice")
        if any(info.header_offset < 0 for info in infos):
            raise self.damaged("its list of contents is wrong")
        return entries

    def __contains__(self, entry: str) -> bool:
        return entry in self._entries

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def whole(self, entry: str, limit: int) -> bytes:
        """A small entry.

        Raises:
            InputError: as `pieces` does.
        """
        return b"".join(self.pieces(entry, limit))

    def pieces(self, entry: str, limit: int = MAX_UNPACKED) -> Iterator[bytes]:
        """An entry in pieces of at most a MiB, checked by its checksum in the end.

        Raises:
            InputError: `no-workbook` when it is not there, is damaged, or is protected by a password;
                `inventory-too-large` as soon as there are more than `limit` bytes, or it unpacks like a bomb.
        """
        info = self._entries.get(entry)
        if info is None:
            raise self.damaged(f"{entry} is missing")
        if info.flag_bits & _ENCRYPTED:
            raise self.damaged("it is protected by a password")
        unpacked = checksum = 0
        for taken, piece in self._unpacked(info):
            unpacked += len(piece)
            if unpacked > limit or (unpacked > RATIO_FREE and unpacked > taken * MAX_RATIO):
                raise InputError(
                    "inventory-too-large",
                    f"{self._name}: {entry} unpacks to more than {min(unpacked, limit) >> 20} MiB from"
                    f" {taken >> 10} KiB, which no list of machines does",
                    _HINT,
                )
            checksum = zlib.crc32(piece, checksum)
            yield piece
        if checksum != info.CRC:
            raise self.damaged(f"{entry} is damaged")

    def _unpacked(self, info: zipfile.ZipInfo) -> Iterator[tuple[int, bytes]]:
        """Pieces, each with how many packed bytes were taken so far."""
        self._file.seek(info.header_offset)
        head = self._file.read(_LOCAL.size)
        if len(head) < _LOCAL.size or not head.startswith(b"PK\3\4"):
            raise self.damaged(f"{info.filename} is not where it should be")
        _, name_bytes, extra_bytes = _LOCAL.unpack(head)
        self._file.seek(name_bytes + extra_bytes, 1)
        packed = self._packed(info.compress_size)
        if info.compress_type == zipfile.ZIP_STORED:
            yield from packed
        elif info.compress_type == zipfile.ZIP_DEFLATED:
            yield from self._inflated(packed, info.filename)
        else:
            raise self.damaged(f"{info.filename} is packed in a way that workbooks are not")

    def _packed(self, left: int) -> Iterator[tuple[int, bytes]]:
        taken = 0
        while left > 0 and (piece := self._file.read(min(left, _PIECE_IN))):
            left -= len(piece)
            taken += len(piece)
            yield taken, piece

    def _inflated(self, packed: Iterator[tuple[int, bytes]], entry: str) -> Iterator[tuple[int, bytes]]:
        stream = zlib.decompressobj(-zlib.MAX_WBITS)
        try:
            for taken, data in packed:
                rest = data
                piece = b""
                while (rest or len(piece) == _PIECE_OUT) and not stream.eof:
                    piece = stream.decompress(rest, _PIECE_OUT)
                    rest = stream.unconsumed_tail
                    yield taken, piece
                if stream.eof:
                    return
        except zlib.error as error:
            raise self.damaged(f"{entry} is damaged") from error
        raise self.damaged(f"{entry} is cut off")

    def damaged(self, why: str) -> InputError:
        """The refusal of this file."""
        return InputError("no-workbook", f"{self._name} cannot be read as a workbook: {why}", _HINT)


class _Bounded:
    """A file of which nothing large is read at once, so that a list of contents cannot fill the memory."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.tell, self.seekable = file.tell, file.seekable

    def seek(self, offset: int, whence: int = 0) -> int:
        if whence == 0 and offset < 0:
            raise zipfile.BadZipFile
        return self._file.seek(offset, whence)

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(_MAX_DIRECTORY if size < 0 else min(size, _MAX_DIRECTORY + 1))
        if len(data) > _MAX_DIRECTORY:
            raise zipfile.BadZipFile
        return data
