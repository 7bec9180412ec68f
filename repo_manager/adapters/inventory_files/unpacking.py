"""Entries of a zip, unpacked piece by piece and counted meanwhile: a small file may unpack to very much."""

from __future__ import annotations

import struct
import zipfile
import zlib
from contextlib import ExitStack
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
# Small, so that what is made of a piece is gone before the collector of garbage looks: it is twice as quick.
_PIECE: Final = 8 << 10
_ENCRYPTED: Final = 1
_HINT: Final = "open it in a spreadsheet, check that it is what it should be, and save it again as .xlsx or CSV"


class Archive:
    """A zip. Close it in the end. Of an entry, zipfile gives no more bytes than the list of contents promises."""

    def __init__(self, path: Path, name: str) -> None:
        self.name = name
        with ExitStack() as opened:
            file = opened.enter_context(path.open("rb"))
            try:
                self._zip = zipfile.ZipFile(_Bounded(file))
            except (zipfile.BadZipFile, NotImplementedError, ValueError, EOFError, struct.error) as error:
                raise self.damaged("its list of contents cannot be read") from error
            infos = self._zip.infolist()
            self._entries = {info.filename: info for info in infos}
            if len(self._entries) != len(infos):
                raise self.damaged("the same name stands in it twice")
            self.close = opened.pop_all().close

    def __contains__(self, entry: str) -> bool:
        return entry in self._entries

    def pieces(self, entry: str, limit: int = MAX_UNPACKED) -> Iterator[bytes]:
        """An entry in small pieces, checked by its checksum in the end.

        Raises:
            InputError: `no-workbook` when it is not there, is damaged, or is protected by a password;
                `inventory-too-large` as soon as there are more than `limit` bytes, or it unpacks like a bomb.
        """
        info = self._entries.get(entry)
        if info is None:
            raise self.damaged(f"{entry} is missing")
        if info.flag_bits & _ENCRYPTED:
            raise self.damaged("it is protected by a password")
        if info.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
            raise self.damaged(f"{entry} is packed in a way that workbooks are not")
        try:
            opened = self._zip.open(info)
        except (zipfile.BadZipFile, NotImplementedError, ValueError, struct.error) as error:
            raise self.damaged(f"{entry} is not where it should be") from error
        most = min(limit, max(RATIO_FREE, info.compress_size * MAX_RATIO))
        unpacked = 0
        try:
            while piece := opened.read(_PIECE):
                unpacked += len(piece)
                if unpacked > most:
                    raise InputError(
                        "inventory-too-large",
                        f"{self.name}: {entry} unpacks to more than {most >> 20} MiB from"
                        f" {info.compress_size >> 10} KiB, which no list of machines does",
                        _HINT,
                    )
                yield piece
        except (zipfile.BadZipFile, zlib.error, EOFError) as error:
            raise self.damaged(f"{entry} is damaged") from error

    def damaged(self, why: str) -> InputError:
        """The refusal of this file."""
        return InputError("no-workbook", f"{self.name} cannot be read as a workbook: {why}", _HINT)


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
