r"""The signature inside a Windows program: where it lies, and whether the bytes are those that were signed.

    headers ... sections ... | certificate table: length, revision, type, PKCS #7 | ...

The digest covers the whole file but three places: the checksum and the place of the certificate table in
the headers, and the table itself. Files are read in portions, so memory does not grow with them; LIEF checks
the signature in the table.

Evidence: "Windows Authenticode Portable Executable Signature Format" (version 1.0), and "PE Format" on
Microsoft Learn (the attribute certificate table).
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Final

import lief

from repo_manager.adapters.installers.certificate_chain import VerifiedSignature
from repo_manager.adapters.installers.pe import MAX_HEADERS, NotExecutableError, read_headers
from repo_manager.core.audit.signature_policy import Signature, SignatureState, Signer, Trust

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path
    from typing import BinaryIO

    from repo_manager.adapters.installers.certificate_chain import TrustedRoots

_READ: Final = 256 << 10
_CHECKSUM_BYTES: Final = 4
_DIRECTORY_BYTES: Final = 8

_ENTRY: Final = struct.Struct("<IHH")
_PKCS7: Final = 2
_ALIGNMENT: Final = 8

# The table of a real installer has some 10 to 30 KB.
_MOST_TABLE: Final = 1 << 20
_MOST_SIGNATURES: Final = 8

_SPC_INDIRECT_DATA: Final = "1.3.6.1.4.1.311.2.1.4"
# The attribute that holds an RFC 3161 timestamp, 1.3.6.1.4.1.311.3.3.1, as it stands in the bytes.
_TIMESTAMP: Final = bytes.fromhex("060a2b060104018237030301")
_LONG: Final = 0x80

# MD5 is left out: two files with one digest can be made by anybody.
_ALGORITHMS: Final = {
    lief.PE.ALGORITHMS.SHA_1: "sha1",
    lief.PE.ALGORITHMS.SHA_256: "sha256",
    lief.PE.ALGORITHMS.SHA_384: "sha384",
    lief.PE.ALGORITHMS.SHA_512: "sha512",
}
_FLAGS: Final = lief.PE.Signature.VERIFICATION_FLAGS
_WRONG: Final = _FLAGS.BAD_DIGEST | _FLAGS.BAD_SIGNATURE

# It writes to the console what we say in our own words.
lief.logging.disable()


@dataclass(frozen=True, slots=True)
class _Layout:
    """Where the three places lie that the digest leaves out. `table` is empty where nothing is signed."""

    size: int
    checksum: int
    directory: int
    table: range


class _TamperedError(Exception):
    """The signature is there and is not right. Its text ends a sentence about the file."""


class _CutOffError(_TamperedError):
    """The headers speak of a certificate table that the file does not have."""

    def __init__(self) -> None:
        super().__init__("the certificate table at its end is cut off")


class _UnreadableError(Exception):
    """The signature is of a kind that cannot be checked."""


@dataclass(frozen=True, slots=True)
class _Claim:
    """What one signature, whose value is right, says of the file."""

    algorithm: str
    digest: bytes
    sealed: VerifiedSignature


def examine(path: Path, anchors: TrustedRoots) -> Signature:
    """What a program's signature shows.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        try:
            signers = _signers(file, anchors)
        except _TamperedError as error:
            return Signature(SignatureState.TAMPERED, str(error), roots=anchors.fingerprint)
    state = SignatureState.SIGNED if signers else SignatureState.UNSIGNED
    return Signature(state, signers=signers, roots=anchors.fingerprint)


def _signers(file: BinaryIO, anchors: TrustedRoots) -> tuple[Signer, ...]:
    layout = _layout(file)
    if not layout.table:
        return ()
    claims, unreadable = _claims(_entries(_at(file, layout.table)))
    digests = _digests(file, layout, {claim.algorithm for claim in claims})
    if any(digests[claim.algorithm] != claim.digest for claim in claims):
        raise _TamperedError("its bytes are not those that were signed")
    signers = [anchors.judge(claim.sealed) for claim in claims]
    if unreadable:
        signers.append(Signer("", Trust.UNTRUSTED, unreadable))
    return tuple(signers)


def _layout(file: BinaryIO) -> _Layout:
    """Find the three places. What is no program has no signature."""
    size = file.seek(0, 2)
    nothing = _Layout(size, 0, 0, range(0))
    head = _at(file, range(MAX_HEADERS))
    try:
        headers = read_headers(head)
    except NotExecutableError:
        return nothing
    if not head.startswith(b"MZ") or headers is None or not headers.directory:
        return nothing
    table = headers.certificates
    if table.stop > size or (table and table.start < headers.directory + _DIRECTORY_BYTES) or len(table) > _MOST_TABLE:
        raise _CutOffError
    return _Layout(size, headers.checksum, headers.directory, table)


def _entries(table: bytes) -> Iterable[bytes]:
    """The PKCS #7 entries of a certificate table; the other kinds were never used."""
    at = 0
    while at + _ENTRY.size <= len(table):
        length, _, kind = _ENTRY.unpack_from(table, at)
        if length < _ENTRY.size or at + length > len(table):
            raise _CutOffError
        if kind == _PKCS7:
            yield table[at + _ENTRY.size : at + length]
        at += -(-length // _ALIGNMENT) * _ALIGNMENT


def _claims(entries: Iterable[bytes]) -> tuple[list[_Claim], str]:
    """What every signature says, the outer ones first, and why one of them could not be read; may be empty.

    Raises:
        _TamperedError: one of them is not what its signer made.
    """
    claims: list[_Claim] = []
    problem = ""
    for entry in islice(entries, _MOST_SIGNATURES):
        tokens = tuple(islice(_tokens(entry), _MOST_SIGNATURES))
        signature = lief.PE.Signature.parse(list(entry))
        waiting = [signature]
        while waiting and len(claims) < _MOST_SIGNATURES:
            found = waiting.pop(0)
            try:
                claims.append(_claim(found, tokens))
            except _UnreadableError as error:
                problem = str(error)
                continue
            if found is not None:
                waiting += _nested(found)
    return claims, problem


def _claim(signature: lief.PE.Signature | None, tokens: tuple[bytes, ...]) -> _Claim:
    if signature is None:
        raise _UnreadableError("it is damaged, or of an unknown kind")
    flags = signature.check(lief.PE.Signature.VERIFICATION_CHECKS.SKIP_CERT_TIME)
    if flags & _WRONG:
        raise _TamperedError("its signature is not right")
    contents = signature.content_info
    algorithm = _ALGORITHMS.get(contents.digest_algorithm)
    if flags != _FLAGS.OK or contents.content_type != _SPC_INDIRECT_DATA or algorithm is None:
        raise _UnreadableError("it is of a kind that is not known, or too weak")
    signer = signature.signers[0]
    if signer.cert is None:
        raise _UnreadableError("the signer's certificate is not in it")
    others = tuple(bytes(certificate.raw) for certificate in signature.certificates)
    sealed = VerifiedSignature(bytes(signer.cert.raw), others, bytes(signer.encrypted_digest), tokens)
    return _Claim(algorithm, bytes(contents.digest), sealed)


def _nested(signature: lief.PE.Signature) -> Iterable[lief.PE.Signature]:
    for attribute in signature.signers[0].unauthenticated_attributes:
        if isinstance(attribute, lief.PE.MsSpcNestedSignature):
            yield attribute.signature


def _tokens(entry: bytes) -> Iterable[bytes]:
    """What may be RFC 3161 timestamps: LIEF does not hand out their bytes.

    Nothing is believed for lying there: a token counts when it is one of a trusted authority, over the very
    value of the signature.
    """
    at = entry.find(_TIMESTAMP)
    while at >= 0:
        values, _ = _contents(entry, at + len(_TIMESTAMP))
        start, size = _contents(entry, values)
        yield entry[values : start + size]
        at = entry.find(_TIMESTAMP, at + 1)


def _contents(data: bytes, at: int) -> tuple[int, int]:
    """Where the contents of the DER value at that place begin, and how long they say they are."""
    first = int.from_bytes(data[at + 1 : at + 2], "big")
    if first < _LONG:
        return at + 2, first
    start = at + 2 + first - _LONG
    return start, int.from_bytes(data[at + 2 : start], "big")


def _digests(file: BinaryIO, layout: _Layout, algorithms: Iterable[str]) -> dict[str, bytes]:
    hashes = {algorithm: hashlib.new(algorithm) for algorithm in algorithms}
    table = layout.table or range(layout.size, layout.size)
    spans = (
        range(layout.checksum),
        range(layout.checksum + _CHECKSUM_BYTES, layout.directory),
        range(layout.directory + _DIRECTORY_BYTES, table.start),
        range(table.stop, layout.size),
    )
    buffer = memoryview(bytearray(_READ))
    for span in spans:
        file.seek(span.start)
        left = len(span)
        while left and (count := file.readinto(buffer[: min(left, _READ)])):  # type: ignore[attr-defined]
            left -= count
            for digest in hashes.values():
                digest.update(buffer[:count])
    return {algorithm: digest.digest() for algorithm, digest in hashes.items()}


def _at(file: BinaryIO, span: range) -> bytes:
    file.seek(span.start)
    return file.read(len(span))
