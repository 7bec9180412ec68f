r"""The headers of a Windows program, read as its bytes pass by.

    "MZ" ... e_lfanew at 0x3c -> "PE\0\0", COFF header, optional header, section table

The section table and the certificate table say how far the file must reach, which shows most truncated
downloads: the certificate of a signed program is the last thing in the file.

Evidence: "PE Format" on Microsoft Learn (COFF file header, optional header data directories, section table).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
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
_CHECKSUM_AT: Final = 64


class NotExecutableError(Exception):
    """The headers are not those of a program. Its text ends a sentence about the file."""


@dataclass(frozen=True, slots=True)
class Headers:
    """The places that the headers name. `directory` is the entry of the certificate table, 0 where there is none."""

    end: int
    """Where the headers, the sections and the certificates end."""

    checksum: int = 0
    directory: int = 0
    certificates: range = range(0)


def read_headers(head: bytes | bytearray) -> Headers | None:
    """The headers at the beginning of a file; None while they are not complete.

    Raises:
        NotExecutableError: they are not those of a program.
    """
    if len(head) < _DOS_HEADER:
        return None
    start = int.from_bytes(head[_LFANEW_AT : _LFANEW_AT + 4], "little")
    if not _DOS_HEADER <= start <= MAX_HEADERS - _COFF.size:
        # The vendor's pages promise no more than MZ, so a file without further headers is let pass.
        return Headers(_DOS_HEADER)
    optional = start + _COFF.size
    if len(head) < optional:
        return None
    signature, _, sections, _, _, _, optional_size, _ = _COFF.unpack_from(head, start)
    if signature != b"PE\0\0":
        raise NotExecutableError("it has no PE header")
    table = optional + optional_size
    end = table + sections * _SECTION.size
    if end > MAX_HEADERS:
        raise NotExecutableError("its headers are larger than those of any program")
    if len(head) < end:
        return None
    directory, certificates = _certificates(head[optional:table])
    # A section without bytes in the file (.bss) may have any offset.
    reach = [offset + size for _, _, _, size, offset in _SECTION.iter_unpack(bytes(head[table:end])) if size]
    place = optional + directory if directory else 0
    return Headers(max(end, certificates.stop, *reach), optional + _CHECKSUM_AT, place, certificates)


def _certificates(optional: bytes | bytearray) -> tuple[int, range]:
    """Where the optional header has the entry of the certificate table, and where the table is in the file."""
    first = _DIRECTORIES_AT.get(int.from_bytes(optional[:2], "little"), len(optional))
    at = first + _CERTIFICATES * _DIRECTORY.size
    # The four bytes before the directories are their number.
    if at + _DIRECTORY.size > len(optional) or int.from_bytes(optional[first - 4 : first], "little") <= _CERTIFICATES:
        return 0, range(0)
    # Alone among the directories, this one holds a file offset.
    offset, size = _DIRECTORY.unpack_from(optional, at)
    return at, range(offset, offset + size)


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
        try:
            headers = read_headers(self._head)
        except NotExecutableError as error:
            raise self._no_program(str(error)) from error
        return headers.end if headers else None

    def _no_program(self, why: str) -> VerificationError:
        return VerificationError("not-an-executable", f"{self._subject}: this is not a Windows program, {why}", _HINT)
