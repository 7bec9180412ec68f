r"""The headers of a Windows program, read as its bytes pass by.

    "MZ" ... e_lfanew at 0x3c -> "PE\0\0", COFF header, optional header, section table

The section table and the certificate table say how far the file must reach, which shows most truncated
downloads: the certificate of a signed program is the last thing in the file.

Evidence: "PE Format" on Microsoft Learn (COFF file header, optional header data directories, section table).
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

from repo_manager.core.errors import VerificationError

if TYPE_CHECKING:
    from collections.abc import Mapping

# The headers of real programs lie in the first page or two; a larger offset is no program of ours.
MAX_HEADERS: Final = 64 << 10

_HINT: Final = "fetch the file again from its source"
_LFANEW_AT: Final = 0x3C
_DOS_HEADER: Final = 0x40
_COFF: Final = struct.Struct("<4sHHIIIHH")
_SECTION: Final = struct.Struct("<8sIIII16x")
_DIRECTORY: Final = struct.Struct("<II")

# Where the data directories begin in the optional header, by its magic number: PE32, PE32+.
_DIRECTORIES_AT: Final = {0x10B: 96, 0x20B: 112}
_CERTIFICATES: Final = 4


class ExecutableReader:
    """Checks the headers and how far the file reaches. Has no version file to give."""

    def __init__(self, subject: str) -> None:
        self._subject = subject
        self._head = bytearray()
        self._size_bytes = 0
        self._needed: int | None = None

    def feed(self, view: memoryview) -> None:
        """Take the next bytes.

        Raises:
            VerificationError: `not-an-executable` as soon as the headers show it.
        """
        self._size_bytes += len(view)
        if self._needed is None:
            self._head += view[: MAX_HEADERS - len(self._head)]
            self._needed = self._read_headers()
            if self._needed is not None:
                self._head.clear()

    def finish(self) -> Mapping[str, bytes]:
        """No members to tell of, but much to refuse.

        Raises:
            VerificationError: `not-an-executable` when the headers never came;
                `truncated-executable` when the file ends before what they describe.
        """
        if self._needed is None:
            raise self._no_program("it ends inside its headers")
        if self._size_bytes < self._needed:
            raise VerificationError(
                "truncated-executable",
                f"{self._subject}: the program has {self._size_bytes} bytes, its headers speak of {self._needed}",
                _HINT,
            )
        return {}

    def _read_headers(self) -> int | None:
        """How many bytes the file must have; None while the headers are not complete."""
        head = self._head
        if len(head) < _DOS_HEADER:
            return None
        start = int.from_bytes(head[_LFANEW_AT : _LFANEW_AT + 4], "little")
        if not _DOS_HEADER <= start <= MAX_HEADERS - _COFF.size:
            # The vendor's pages promise no more than MZ, so a file without further headers is let pass.
            return _DOS_HEADER
        if len(head) < start + _COFF.size:
            return None
        signature, _, sections, _, _, _, optional_size, _ = _COFF.unpack_from(head, start)
        if signature != b"PE\0\0":
            raise self._no_program("it has no PE header")
        table = start + _COFF.size + optional_size
        end = table + sections * _SECTION.size
        if end > MAX_HEADERS:
            raise self._no_program("its headers are larger than those of any program")
        if len(head) < end:
            return None
        reach: list[int] = [end, self._end_of_certificates(start + _COFF.size, optional_size)]
        for _, _, _, size, offset in _SECTION.iter_unpack(bytes(head[table:end])):
            # A section without bytes in the file (.bss) may have any offset.
            reach.append(offset + size if size else 0)
        return max(reach)

    def _end_of_certificates(self, optional: int, optional_size: int) -> int:
        if optional_size < _DIRECTORY.size:
            return 0
        magic = int.from_bytes(self._head[optional : optional + 2], "little")
        at = _DIRECTORIES_AT.get(magic, optional_size) + _CERTIFICATES * _DIRECTORY.size
        if at + _DIRECTORY.size > optional_size:
            return 0
        # Alone among the directories, this one holds a file offset.
        offset, size = _DIRECTORY.unpack_from(self._head, optional + at)
        return int(offset + size)

    def _no_program(self, why: str) -> VerificationError:
        return VerificationError("not-an-executable", f"{self._subject}: this is not a Windows program, {why}", _HINT)
