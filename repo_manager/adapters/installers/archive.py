"""What is inside an installer, learned while its bytes pass by: kind, digest, the token it was built for.

    inspector = Inspector(name)
    for chunk in chunks:
        inspector.feed(chunk)
    contents = inspector.finish()

No file is read twice, and nothing is ever extracted: archives are unpacked piece by piece in memory,
their members counted and skipped, and only the version file and the list of kernels at the top level are looked into.

What this proves without a published digest: a gzip or xz is whole to the last byte (checksums cover all
but a few bytes of the head, such as the time stamp); an lzma has no checksum, so only what breaks its
coding or its tar shows; of an exe the headers, and that it reaches as far as they say.

Evidence: the agent's public build scripts compress some builds with lzma or xz under the extension
`.tar.gz`; `.vx_version` lies at the top level and has the lines VERSION, BUILD_TAG and OS_BUILT_FOR; beside it
`supported_kernels` has a kernel on each line, and is empty where the agent takes all of a system.
"""

from __future__ import annotations

import hashlib
import lzma
import re
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from repo_manager.adapters.installers.file_type import HEAD_BYTES, InstallerFormat, describe, kind_of, looks_wrong
from repo_manager.adapters.installers.pe import ExecutableReader
from repo_manager.adapters.installers.tar import TarStream
from repo_manager.core.errors import VerificationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from repo_manager.core.names import InstallerName, Token

__all__ = ["HEAD_BYTES", "Contents", "Inspector", "InstallerFormat", "MismatchError", "inspect", "looks_wrong"]

VERSION_FILE: Final = ".vx_version"
KERNELS_FILE: Final = "supported_kernels"

# Some thousand kernels are 100 KiB. A list that is cut off would refuse what it no longer has, so it is dropped.
MAX_KERNELS_BYTES: Final = 1 << 20
_MAX_VERSION_BYTES: Final = 64 << 10
_WANTED: Final = {VERSION_FILE: _MAX_VERSION_BYTES, KERNELS_FILE: MAX_KERNELS_BYTES}

# A bomb costs at most this much work: agents of 50 to 250 MB hold payloads that are compressed already,
# so they grow little. Deflate cannot exceed 1032:1, which is why the ratio must be lower to mean anything.
MAX_UNPACKED: Final = 8 << 30
MAX_RATIO: Final = 100
RATIO_FREE: Final = 64 << 20

# An xz or lzma says how much memory unpacking takes; `xz -9` needs 65 MiB.
_MEMORY: Final = 256 << 20

# zlib hands back what it did not take as a copy. With pieces this small going in, those copies stay
# cheap even where every piece grows a thousandfold.
_PIECE_IN: Final = 64 << 10
_PIECE_OUT: Final = 1 << 20

_MAGIC_BYTES: Final = 6
_HINT: Final = "fetch the file again from its source"
_TOKEN: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+\-]*", re.ASCII)


class MismatchError(VerificationError):
    """Two facts that should agree and do not.

    Attributes:
        expected: what the name, the catalog or the source says.
        found: what the bytes say.
    """

    def __init__(self, code: str, message: str, hint: str, *, expected: str, found: str) -> None:
        super().__init__(code, message, hint)
        self.expected = expected
        self.found = found


@dataclass(frozen=True, slots=True)
class Contents:
    """What an installer turned out to be.

    Attributes:
        token: what the version file says it was built for; None without a version file (not known
            of every older build), and for an exe.
        version: the version file's VERSION, as it stands there.
        sha256: 64 lower-case hexadecimal digits.
        kernels: the lines of the list of supported kernels; empty where there is none, or where it says nothing.
    """

    kind: InstallerFormat
    token: Token | None
    version: str | None
    size_bytes: int
    sha256: str
    kernels: tuple[str, ...] = ()


class _Reader(Protocol):
    """Looks into one kind of file. `finish` gives the bytes of the members that were asked for, by path."""

    def feed(self, view: memoryview) -> None: ...

    def finish(self) -> Mapping[str, bytes]: ...


class Inspector:
    """Hashes an installer and looks inside, in one pass. Not for use after it raised."""

    def __init__(self, name: InstallerName) -> None:
        self._name = name
        self._sha256 = hashlib.sha256()
        self._size_bytes = 0
        self._head = b""
        self._kind = InstallerFormat.EXE
        self._reader: _Reader | None = None

    @property
    def size_bytes(self) -> int:
        """How many bytes were fed so far."""
        return self._size_bytes

    def feed(self, chunk: bytes | bytearray | memoryview) -> None:
        """Take the next bytes, in any portion.

        Raises:
            VerificationError: as soon as the bytes cannot be the named installer any more:
                `not-an-archive`, `not-an-executable`, `damaged-archive`, `unpacks-too-large`.
        """
        view = memoryview(chunk)
        self._sha256.update(view)
        self._size_bytes += len(view)
        if self._reader is not None:
            self._reader.feed(view)
            return
        self._head += bytes(view)
        if len(self._head) >= _MAGIC_BYTES:
            self._reader = self._choose()
            self._reader.feed(memoryview(self._head))
            self._head = b""

    def finish(self) -> Contents:
        """Say what it was; call it once, after the last byte.

        Raises:
            VerificationError: `empty-file`; `truncated-archive` or `truncated-executable` when bytes
                are missing at the end; `mislabelled` (a MismatchError) when the version file names
                another token than the file's name; and what `feed` raises.
        """
        if not self._size_bytes:
            raise VerificationError("empty-file", f"{self._name}: the file is empty", _HINT)
        if self._reader is None:
            self._reader = self._choose()
            self._reader.feed(memoryview(self._head))
        found = self._reader.finish()
        facts = _version_facts(found.get(VERSION_FILE, b""))
        # Only now are the checksums known to be right: earlier, a damaged archive would pass for a mislabelled one.
        token = self._check_token(facts.get("OS_BUILT_FOR"))
        kernels = _kernel_lines(found.get(KERNELS_FILE, b""))
        return Contents(self._kind, token, facts.get("VERSION"), self._size_bytes, self._sha256.hexdigest(), kernels)

    def _choose(self) -> _Reader:
        kind = kind_of(self._head)
        if kind is None or looks_wrong(self._head, self._name) is not None:
            wanted, code = "an archive", "not-an-archive"
            if self._name.extension == ".exe":
                wanted, code = "a Windows program", "not-an-executable"
            raise VerificationError(
                code, f"{self._name}: this is not {wanted} but looks like {describe(self._head[:HEAD_BYTES])}", _HINT
            )
        self._kind = kind
        if kind is InstallerFormat.EXE:
            return ExecutableReader(str(self._name))
        return _ArchiveReader(str(self._name), kind)

    def _check_token(self, built_for: str | None) -> Token | None:
        if not built_for:
            return None
        if built_for.casefold() == self._name.token.casefold():
            return self._name.token
        found = built_for if _TOKEN.fullmatch(built_for) else ascii(built_for)
        raise MismatchError(
            "mislabelled",
            f"{self._name}: the name says {self._name.token}, but the archive inside was built for {found[:80]}",
            "take the file that was published under this name; do not rename installers",
            expected=self._name.token,
            found=built_for,
        )


def inspect(chunks: Iterable[bytes | bytearray | memoryview], name: InstallerName) -> Contents:
    """Inspect a whole installer given in portions.

    Raises:
        VerificationError: as `Inspector.feed` and `Inspector.finish` do.
    """
    inspector = Inspector(name)
    for chunk in chunks:
        inspector.feed(chunk)
    return inspector.finish()


class _ArchiveReader:
    """Unpacks a gzip, xz or lzma piece by piece into a `TarStream`."""

    def __init__(self, subject: str, kind: InstallerFormat) -> None:
        self._subject = subject
        self._tar = TarStream(subject, _WANTED)
        self._unpacker: _Gzip | _Lzma = _Gzip() if kind is InstallerFormat.GZIP else _Lzma(kind)
        self._kind = kind
        self._taken = 0
        self._unpacked = 0

    def feed(self, view: memoryview) -> None:
        for start in range(0, len(view), _PIECE_IN):
            part = view[start : start + _PIECE_IN]
            self._taken += len(part)
            try:
                for piece in self._unpacker.unpack(part):
                    self._check_growth(len(piece))
                    self._tar.feed(piece)
            except (zlib.error, lzma.LZMAError, _TrailingError) as error:
                raise self._damaged(error) from error

    def finish(self) -> Mapping[str, bytes]:
        if not self._unpacker.whole:
            raise VerificationError(
                "truncated-archive", f"{self._subject}: the {self._kind} data stops before its end", _HINT
            )
        return self._tar.finish()

    def _check_growth(self, count: int) -> None:
        self._unpacked += count
        limit = min(MAX_UNPACKED, max(RATIO_FREE, self._taken * MAX_RATIO))
        if self._unpacked > limit:
            raise VerificationError(
                "unpacks-too-large",
                f"{self._subject}: {self._taken} bytes unpack to more than {limit}, which no agent does",
                _HINT,
            )

    def _damaged(self, error: Exception) -> VerificationError:
        if isinstance(error, _TrailingError):
            what = f"other bytes follow the end of the {self._kind} data"
        else:
            what = f"the {self._kind} data is damaged"
        return VerificationError("damaged-archive", f"{self._subject}: {what}", _HINT)


class _TrailingError(Exception):
    """Bytes after the end of the compressed data, zeros included: nothing published ends like that."""


class _Gzip:
    """One or more gzip members, one after the other, as gzip itself reads them."""

    def __init__(self) -> None:
        self._member = zlib.decompressobj(zlib.MAX_WBITS | 16)

    @property
    def whole(self) -> bool:
        return self._member.eof

    def unpack(self, data: bytes | memoryview) -> Iterator[bytes]:
        piece = b""
        # A full piece may have left more behind inside zlib, even when all bytes were taken.
        while data or len(piece) == _PIECE_OUT:
            if self._member.eof:
                if data[:1] != b"\x1f":
                    raise _TrailingError
                self._member = zlib.decompressobj(zlib.MAX_WBITS | 16)
            piece = self._member.decompress(data, _PIECE_OUT)
            data = self._member.unused_data if self._member.eof else self._member.unconsumed_tail
            yield piece


class _Lzma:
    """One or more xz streams, or one lzma stream (the old format knows no second one)."""

    def __init__(self, kind: InstallerFormat) -> None:
        self._format = lzma.FORMAT_XZ if kind is InstallerFormat.XZ else lzma.FORMAT_ALONE
        self._stream = self._new()

    @property
    def whole(self) -> bool:
        return self._stream.eof

    def unpack(self, data: bytes | memoryview) -> Iterator[bytes]:
        while data or not (self._stream.eof or self._stream.needs_input):
            if self._stream.eof:
                if self._format == lzma.FORMAT_ALONE or data[:1] != b"\xfd":
                    raise _TrailingError
                self._stream = self._new()
            piece = self._stream.decompress(data, _PIECE_OUT)
            data = self._stream.unused_data if self._stream.eof else b""
            yield piece

    def _new(self) -> lzma.LZMADecompressor:
        return lzma.LZMADecompressor(self._format, memlimit=_MEMORY)


def _version_facts(text: bytes) -> dict[str, str]:
    """The `KEY=value` lines; a later line wins, as when a shell reads the file."""
    lines = (line.partition("=") for line in text.decode("utf-8", "replace").splitlines())
    return {key.strip(): value.strip().strip("'\"") for key, equals, value in lines if equals}


def _kernel_lines(text: bytes) -> tuple[str, ...]:
    if len(text) >= MAX_KERNELS_BYTES:
        return ()
    return tuple(line for line in map(str.strip, text.decode("utf-8", "replace").splitlines()) if line)
