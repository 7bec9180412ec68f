from __future__ import annotations

import gzip
import hashlib
import io
import lzma
import struct
import tarfile
import tracemalloc
import zlib
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from repo_manager.adapters.installers.archive import (
    HEAD_BYTES,
    MAX_KERNELS_BYTES,
    Contents,
    Inspector,
    InstallerFormat,
    MismatchError,
    inspect,
    looks_wrong,
)
from repo_manager.adapters.installers.file_type import describe
from repo_manager.adapters.installers.tar import MAX_MEMBERS, TarStream
from repo_manager.core.errors import VerificationError
from repo_manager.core.names import InstallerName, Token, parse
from repo_manager.demo.sample import Compression, sample_installer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

NAME = parse("Microsoft-ASR_UA_9.66.7567.1_RHEL9-64_GA_20Sep2025_release.tar.gz")
UBUNTU = parse("Microsoft-ASR_UA_9.55.0.0_UBUNTU-16.04-64_GA_11Jul2023_release.tar.gz")
WINDOWS_NAME = parse("Microsoft-ASR_UA_9.66.7567.1_Windows_GA_20Sep2025_release.exe")
DATA = sample_installer(NAME)
EXE = sample_installer(WINDOWS_NAME)
COMPRESSIONS: tuple[Compression, ...] = ("gzip", "xz", "lzma")
VERSION_TEXT = b"VERSION=9.66.7567.1\nBUILD_TAG=x\nOS_BUILT_FOR=RHEL9-64\n"


def code_of(data: bytes, name: InstallerName = NAME) -> str:
    with pytest.raises(VerificationError) as failure:
        inspect([data], name)
    assert str(name) in failure.value.message
    return failure.value.code


def member(
    path: str, data: bytes = b"", kind: bytes = tarfile.REGTYPE, link: str = ""
) -> tuple[tarfile.TarInfo, bytes]:
    header = tarfile.TarInfo(path)
    header.type, header.linkname, header.size = kind, link, len(data)
    return header, data


def tar_of(*members: tuple[tarfile.TarInfo, bytes], form: int = tarfile.GNU_FORMAT) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form) as made:
        for header, data in members:
            made.addfile(header, io.BytesIO(data))
    return buffer.getvalue()


def packed(*members: tuple[tarfile.TarInfo, bytes], form: int = tarfile.GNU_FORMAT) -> bytes:
    return gzip.compress(tar_of(*members, form=form), mtime=0)


VERSION_MEMBER = member(".vx_version", VERSION_TEXT)


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_an_archive_tells_kind_token_version_size_and_digest(compression: Compression) -> None:
    data = sample_installer(NAME, compression=compression)

    assert inspect([data], NAME) == Contents(
        InstallerFormat(compression), NAME.token, "9.66.7567.1", len(data), hashlib.sha256(data).hexdigest(), ()
    )


def test_a_windows_program_tells_kind_size_and_digest() -> None:
    assert inspect([EXE], WINDOWS_NAME) == Contents(
        InstallerFormat.EXE, None, None, len(EXE), hashlib.sha256(EXE).hexdigest()
    )


@settings(max_examples=30)
@given(
    st.sampled_from([DATA, sample_installer(NAME, compression="xz"), sample_installer(NAME, compression="lzma")]),
    st.integers(1, 5000),
)
def test_the_size_of_the_portions_makes_no_difference(data: bytes, size: int) -> None:
    assert inspect((data[at : at + size] for at in range(0, len(data), size)), NAME) == inspect([data], NAME)


def test_byte_by_byte_is_a_portion_too() -> None:
    small = sample_installer(NAME, payload_bytes=100)
    exe = sample_installer(WINDOWS_NAME, payload_bytes=100)

    assert inspect((small[at : at + 1] for at in range(len(small))), NAME).token == NAME.token
    assert inspect((exe[at : at + 1] for at in range(len(exe))), WINDOWS_NAME).kind is InstallerFormat.EXE


@pytest.mark.parametrize(
    ("head", "looks"),
    [
        (b"", "empty"),
        (b"ok", "plain text"),
        (b"\x1f", "something unknown"),
        (b"<!DOCTYPE html><html>Sign in", "an HTML page"),
        (b"\xef\xbb\xbf\r\n <HTML>", "an HTML page"),
        (b"<?xml version='1.0'?><Error>BlobNotFound</Error>", "an XML document"),
        (b'{"error": "gone"}', "a JSON document"),
        (b"PK\x03\x04" + bytes(60), "a zip archive"),
        (b"MZ" + bytes(600), "a Windows program"),
        (bytes(4096), "zeros only"),
        (b"\xed\xab\xee\xdb" + bytes(600), "an RPM package"),
        (b"!<arch>\ndebian-binary", "a Debian package"),
        (b"BZh91AY&SY", "a bzip2 archive"),
        (b"version https://git-lfs.github.com/spec/v1\n", "a Git LFS pointer"),
        (tar_of(VERSION_MEMBER), "a tar that is not compressed"),
        (tar_of(VERSION_MEMBER).replace(b"ustar", b"v7ta\0"), "something unknown"),
        (b"\x7fELF\x02\x01", "a Linux program"),
        (b"#!/bin/sh\n", "a script"),
        (b"\x1f\x8b\x08"[1:] + bytes(600), "something unknown"),
        (b"\x00\x01\x02\x03\x04\x05", "something unknown"),
    ],
)
def test_what_is_no_archive_is_told_apart_in_words(head: bytes, looks: str) -> None:
    with pytest.raises(VerificationError, match=looks) as failure:
        inspect([head], NAME)

    assert failure.value.code == ("not-an-archive" if head else "empty-file")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"<html>", "a login page"),
        (b"M", "one byte"),
        (b"MZ", "two bytes"),
        (DATA, "an archive under the name of a program"),
        (bytes(70_000), "zeros"),
        (b"ZM" + EXE[2:], "a flipped magic"),
        (EXE[:0x30], "ends in the DOS header"),
        (EXE[:0x84], "ends in the PE header"),
        (EXE[:0xB0], "ends in the section table"),
        (EXE[:0x80] + b"NE\0\0" + EXE[0x84:], "a program of another age"),
        (EXE[:0x86] + b"\xff\xff" + EXE[0x88:], "more sections than headers have room for"),
    ],
)
def test_what_is_no_program_is_refused(data: bytes, reason: str) -> None:
    assert code_of(data, WINDOWS_NAME) == "not-an-executable", reason


@pytest.mark.parametrize("offset", [0, 0xFFFFFFF0], ids=["in the DOS header", "out of reach"])
def test_a_program_that_shows_no_more_than_its_magic_is_let_pass(offset: int) -> None:
    program = EXE[:0x3C] + struct.pack("<I", offset) + EXE[0x40:]
    assert inspect([program], WINDOWS_NAME).size_bytes == len(program)


@pytest.mark.parametrize("size", [0x200, 1000, len(EXE) - 1])
def test_a_program_shorter_than_its_sections_is_truncated(size: int) -> None:
    assert code_of(EXE[:size], WINDOWS_NAME) == "truncated-executable"


def program_signed_at_its_end(magic: int, directories_at: int, directories: int = 16) -> bytes:
    """6,000 bytes, of which the last 1,000 are the certificate table, if the header has that many directories."""
    optional = struct.pack("<H", magic).ljust(directories_at - 4, b"\0") + struct.pack("<I", directories)
    optional = optional.ljust(directories_at + 4 * 8, b"\0") + struct.pack("<II", 5000, 1000)
    coff = struct.pack("<4sHHIIIHH", b"PE\0\0", 0x8664, 0, 0, 0, 0, len(optional), 0)
    return (b"MZ".ljust(0x3C, b"\0") + struct.pack("<I", 0x40) + coff + optional).ljust(6000, b"\1")


@pytest.mark.parametrize(("magic", "directories_at"), [(0x10B, 96), (0x20B, 112)])
def test_a_program_shorter_than_its_signature_is_truncated(magic: int, directories_at: int) -> None:
    program = program_signed_at_its_end(magic, directories_at)

    assert inspect([program], WINDOWS_NAME).size_bytes == 6000
    assert code_of(program[:-1], WINDOWS_NAME) == "truncated-executable"


@pytest.mark.parametrize(("magic", "directories_at"), [(0x10B, 96), (0x20B, 112)])
def test_a_program_without_an_entry_for_certificates_may_end_anywhere(magic: int, directories_at: int) -> None:
    program = program_signed_at_its_end(magic, directories_at, directories=4)

    assert inspect([program[:-1]], WINDOWS_NAME).size_bytes == 5999


def test_a_program_with_a_short_optional_header_has_no_signature() -> None:
    coff = struct.pack("<4sHHIIIHH", b"PE\0\0", 0x8664, 0, 0, 0, 0, 10, 0)
    program = b"MZ".ljust(0x3C, b"\0") + struct.pack("<I", 0x40) + coff + bytes(10)

    assert inspect([program], WINDOWS_NAME).kind is InstallerFormat.EXE


CORRUPTIONS: list[tuple[str, Callable[[bytes], bytes]]] = [
    ("a flipped bit in the magic", lambda data: bytes([data[0] ^ 1]) + data[1:]),
    ("a flipped bit in the third byte", lambda data: data[:2] + bytes([data[2] ^ 1]) + data[3:]),
    ("a flipped bit in the first compressed bytes", lambda data: data[:14] + bytes([data[14] ^ 4]) + data[15:]),
    ("a flipped bit in the middle", lambda data: data[:100_000] + bytes([data[100_000] ^ 16]) + data[100_001:]),
    ("a flipped bit at the tail", lambda data: data[:-1] + bytes([data[-1] ^ 128])),
    ("a flipped bit in the stored checksum", lambda data: data[:-6] + bytes([data[-6] ^ 2]) + data[-5:]),
    ("a missing byte in the middle", lambda data: data[:70_000] + data[70_001:]),
    ("a doubled byte in the middle", lambda data: data[:70_000] + data[69_999:]),
    ("two blocks in the wrong order", lambda data: data[:4096] + data[8192:12288] + data[4096:8192] + data[12288:]),
    ("zeros from the middle on", lambda data: data[:100_000] + bytes(len(data) - 100_000)),
    ("a hole of zeros", lambda data: data[:40_000] + bytes(4096) + data[44_096:]),
    ("zeros only", lambda data: bytes(len(data))),
    ("one more byte", lambda data: data + b"\n"),
    ("zeros at the end", lambda data: data + bytes(512)),
    ("a page of HTML at the end", lambda data: data + b"<html>"),
    ("the whole twice", lambda data: data + data),
]


@pytest.mark.parametrize(("what", "damage"), CORRUPTIONS, ids=[what for what, _ in CORRUPTIONS])
@pytest.mark.parametrize("compression", ["gzip", "xz"])
def test_every_damage_is_found_without_a_digest(
    compression: Compression, what: str, damage: Callable[[bytes], bytes]
) -> None:
    data = damage(sample_installer(NAME, compression=compression))

    assert code_of(data) in {"damaged-archive", "truncated-archive", "not-an-archive"}, what


SMALL = sample_installer(NAME, payload_bytes=0x3C00)


@pytest.mark.parametrize("position", [*range(0, len(SMALL), 97), *range(1, 12)])
def test_a_flipped_bit_anywhere_in_a_gzip_is_found_or_harmless(position: int) -> None:
    """No checksum covers time stamp and system (bytes 4 to 9) and the bits that pad a block: they carry nothing."""
    damaged = bytearray(SMALL)
    damaged[position] ^= 0x20

    if unpacks_to_the_same(bytes(damaged)):
        assert inspect([damaged], NAME).token == NAME.token
    else:
        assert position not in range(4, 10)
        assert code_of(bytes(damaged)) in {"damaged-archive", "truncated-archive", "not-an-archive"}


def unpacks_to_the_same(damaged: bytes) -> bool:
    try:
        # Python's reader alone lets a reserved flag pass.
        return damaged[3] == SMALL[3] and gzip.decompress(damaged) == gzip.decompress(SMALL)
    except (zlib.error, OSError, EOFError):
        return False


@pytest.mark.parametrize("compression", COMPRESSIONS)
@pytest.mark.parametrize("kept", [1, 2, 3, 6, 10, 13, 18, 100, 4096, 65_536, 65_537, 150_000, -100, -8, -1])
def test_a_truncated_archive_is_never_taken_for_whole(compression: Compression, kept: int) -> None:
    data = sample_installer(NAME, compression=compression)

    assert code_of(data[:kept]) in {"truncated-archive", "not-an-archive"}


@pytest.mark.parametrize("extra", [b"\n", bytes(512), b"<html>"])
def test_an_lzma_ends_where_it_ends(extra: bytes) -> None:
    assert code_of(sample_installer(NAME, compression="lzma") + extra) == "damaged-archive"


@pytest.mark.parametrize("kept", [512, 700, 1024, 2048, 100_000])
def test_a_tar_that_stops_early_inside_a_whole_gzip_is_truncated(kept: int) -> None:
    tar = zlib.decompress(DATA, zlib.MAX_WBITS | 16)

    assert code_of(gzip.compress(tar[:kept])) == "truncated-archive"


@pytest.mark.parametrize(
    ("tar", "code", "reason"),
    [
        (b"", "truncated-archive", "nothing was packed"),
        (bytes(10_240), "damaged-archive", "a tar without members"),
        (b"hello" * 1000, "not-an-archive", "text was packed"),
        (tar_of(VERSION_MEMBER) + b"x" * 512, "damaged-archive", "something follows the end"),
        (tar_of(VERSION_MEMBER)[:1024] + b"x" * 512, "damaged-archive", "the second header is none"),
        (tar_of(VERSION_MEMBER)[:1024] + tar_of(VERSION_MEMBER)[:100].ljust(512, b"\0"), "damaged-archive", "half one"),
    ],
)
def test_what_is_packed_must_be_a_tar(tar: bytes, code: str, reason: str) -> None:
    assert code_of(gzip.compress(tar)) == code, reason


def test_one_block_of_zeros_is_end_enough() -> None:
    assert inspect([gzip.compress(tar_of(VERSION_MEMBER)[: 1024 + 512])], NAME).token == NAME.token


def test_a_gzip_of_several_members_is_one_archive() -> None:
    tar = tar_of(VERSION_MEMBER)
    data = b"".join(gzip.compress(tar[at : at + 700]) for at in range(0, len(tar), 700))

    assert inspect([data], NAME).token == NAME.token
    assert inspect([data[at : at + 1] for at in range(len(data))], NAME).token == NAME.token


def test_an_xz_of_several_streams_is_one_archive() -> None:
    tar = tar_of(VERSION_MEMBER)
    data = lzma.compress(tar[:700]) + lzma.compress(tar[700:])

    assert inspect([data], NAME).token == NAME.token


@pytest.mark.parametrize(
    ("text", "token", "version"),
    [
        (VERSION_TEXT, "RHEL9-64", "9.66.7567.1"),
        (VERSION_TEXT.replace(b"\n", b"\r\n"), "RHEL9-64", "9.66.7567.1"),
        (b"OS_BUILT_FOR = 'rhel9-64'\n", "RHEL9-64", None),
        (b"OS_BUILT_FOR=\nVERSION=9\n", None, "9"),
        (b"", None, None),
        (b"\xff\xfe no lines\0", None, None),
        (b"OS_BUILT_FOR=RHEL8-64\nOS_BUILT_FOR=RHEL9-64\n", "RHEL9-64", None),
    ],
)
def test_the_version_file_is_read_as_it_is(text: bytes, token: str | None, version: str | None) -> None:
    contents = inspect([packed(member(".vx_version", text))], NAME)

    assert (contents.token, contents.version) == (token, version)


@pytest.mark.parametrize("path", [".vx_version", "./.vx_version"])
@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_the_version_file_lies_at_the_top_level(path: str, form: int) -> None:
    assert inspect([packed(member(path, VERSION_TEXT), form=form)], NAME).token == NAME.token


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (member("sub/.vx_version", b"OS_BUILT_FOR=RHEL8-64\n"), "not at the top level"),
        (member("../.vx_version", b"OS_BUILT_FOR=RHEL8-64\n"), "outside"),
        (member("/.vx_version", b"OS_BUILT_FOR=RHEL8-64\n"), "outside"),
        (member(".vx_version", kind=tarfile.SYMTYPE, link="/etc/passwd"), "a link"),
        (member(".vx_version", kind=tarfile.LNKTYPE, link="other"), "a link"),
        (member(".vx_version", kind=tarfile.DIRTYPE), "a folder"),
        (member("install"), "none"),
    ],
)
def test_without_a_version_file_the_token_is_not_known(found: tuple[tarfile.TarInfo, bytes], reason: str) -> None:
    assert inspect([packed(found)], NAME).token is None, reason


def test_an_archive_built_for_another_system_is_mislabelled() -> None:
    with pytest.raises(MismatchError) as failure:
        inspect([sample_installer(NAME, token=Token("SLES15-64"))], NAME)

    assert (failure.value.code, failure.value.expected, failure.value.found) == ("mislabelled", "RHEL9-64", "SLES15-64")
    assert "SLES15-64" in failure.value.message


def test_of_two_version_files_the_last_counts_as_it_would_when_unpacked() -> None:
    data = packed(VERSION_MEMBER, member("./.vx_version", b"OS_BUILT_FOR=OL8-64\n"))

    assert code_of(data) == "mislabelled"


def test_a_token_that_is_none_does_not_reach_the_console_as_it_is() -> None:
    with pytest.raises(MismatchError) as failure:
        inspect([packed(member(".vx_version", "OS_BUILT_FOR=\x1b[2J\u202e".encode()))], NAME)

    assert failure.value.message.isascii()
    assert failure.value.message.isprintable()


def test_a_damaged_archive_is_not_called_mislabelled() -> None:
    data = sample_installer(NAME, token=Token("SLES15-64"))

    assert code_of(data[:-5] + b"\0" + data[-4:]) == "damaged-archive"


LONG = "a/" * 120 + "file"


@pytest.mark.parametrize("form", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_long_names_and_odd_members_are_gone_past(form: int) -> None:
    odd = [
        member(LONG, b"x" * 1000),
        member("link", kind=tarfile.SYMTYPE, link="b/" * 150),
        member("folder", kind=tarfile.DIRTYPE),
        member("device", kind=tarfile.CHRTYPE),
        member("pipe", kind=tarfile.FIFOTYPE),
        member("gr\u00fcn", b"y" * 512),
        member("nothing"),
    ]

    assert inspect([packed(*odd, VERSION_MEMBER, *odd, form=form)], NAME).token == NAME.token


def test_a_name_given_by_a_pax_header_counts() -> None:
    hidden, data = member("elsewhere", VERSION_TEXT)
    hidden.pax_headers = {"path": ".vx_version", "comment": "x" * 3000}

    assert inspect([packed((hidden, data), form=tarfile.PAX_FORMAT)], NAME).token == NAME.token


def raw_header(path: str, size: int, kind: bytes) -> bytes:
    header = tarfile.TarInfo(path)
    header.size, header.type = size, kind
    return header.tobuf(tarfile.GNU_FORMAT)


def pax(records: bytes, kind: bytes = tarfile.XHDTYPE) -> bytes:
    return raw_header("pax", len(records), kind) + records.ljust(-(-len(records) // 512) * 512, b"\0")


def test_a_size_given_by_a_pax_header_counts() -> None:
    body = b"x" * 1024
    tar = pax(b"13 size=1024\n") + raw_header("big", 0, tarfile.REGTYPE) + body + tar_of(VERSION_MEMBER)

    assert inspect([gzip.compress(tar)], NAME).token == NAME.token


@pytest.mark.parametrize(
    "records",
    [b"x", b"5 a=\n", b"999 path=x\n", b"0 path=x\n", b"13 size=-102\n", b"9" * 5000, b"12 size=1e3\n\n"],
)
def test_a_broken_pax_header_is_damage(records: bytes) -> None:
    tar = raw_header("first", 0, tarfile.REGTYPE) + pax(records) + tar_of(VERSION_MEMBER)

    if records == b"5 a=\n":
        assert inspect([gzip.compress(tar)], NAME).token == NAME.token, "an unknown key is nobody's business"
    else:
        assert code_of(gzip.compress(tar)) == "damaged-archive"


def test_a_pax_header_of_a_gigabyte_is_not_gathered() -> None:
    tar = raw_header("first", 0, tarfile.REGTYPE) + raw_header("pax", 1 << 30, tarfile.XHDTYPE)

    assert code_of(gzip.compress(tar)) == "damaged-archive"


def test_a_negative_size_is_damage() -> None:
    header = bytearray(raw_header("second", 0, tarfile.REGTYPE))
    header[124:136] = b"\xff" * 12
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)

    assert code_of(gzip.compress(raw_header("first", 0, tarfile.REGTYPE) + bytes(header))) == "damaged-archive"


def test_an_old_sparse_file_is_gone_past() -> None:
    header = bytearray(raw_header("sparse", 512, tarfile.GNUTYPE_SPARSE))
    header[482] = 1
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    first_more, last_more = bytearray(512), bytearray(512)
    first_more[504] = 1
    tar = bytes(header) + bytes(first_more) + bytes(last_more) + b"x" * 512 + tar_of(VERSION_MEMBER)

    assert inspect([gzip.compress(tar)], NAME).token == NAME.token


def test_a_version_file_of_a_megabyte_is_read_to_its_bound() -> None:
    text = VERSION_TEXT + b"x" * (1 << 20)

    assert inspect([packed(member(".vx_version", text))], NAME).token == NAME.token


def test_nothing_is_ever_extracted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    data = packed(
        member("../escaped", b"x"),
        member(str(tmp_path / "absolute"), b"x"),
        member("..\\escaped", b"x"),
        member("link", kind=tarfile.SYMTYPE, link="/etc"),
        member("link/owned", b"x"),
        member("hard", kind=tarfile.LNKTYPE, link="../../x"),
        member("plain", b"x"),
        VERSION_MEMBER,
    )

    assert inspect([data], NAME).token == NAME.token
    assert list(tmp_path.iterdir()) == []
    assert not (tmp_path.parent / "escaped").exists()


def zeros(count: int) -> Iterator[bytes]:
    for _ in range(count >> 20):
        yield bytes(1 << 20)


def bomb(count: int) -> Iterator[bytes]:
    """A gzip of a tar with one member of `count` zero bytes."""
    packer = zlib.compressobj(9, zlib.DEFLATED, zlib.MAX_WBITS | 16)
    yield packer.compress(raw_header("bomb", count, tarfile.REGTYPE))
    for piece in zeros(count):
        yield packer.compress(piece)
    yield packer.flush()


def test_a_bomb_is_given_up_early_in_bounded_memory() -> None:
    data = b"".join(bomb(300 << 20))
    inspector = Inspector(NAME)
    tracemalloc.start()
    try:
        with pytest.raises(VerificationError) as failure:
            inspector.feed(data)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert failure.value.code == "unpacks-too-large"
    assert len(data) < 400_000
    assert peak < 16 << 20


def test_what_grows_a_little_is_no_bomb() -> None:
    data = b"".join(bomb(32 << 20)) + gzip.compress(tar_of(VERSION_MEMBER))

    assert inspect([data], NAME).token == NAME.token


def test_an_archive_that_wants_too_much_memory_is_refused() -> None:
    # The old format's head says how large the dictionary is: here 3 GiB.
    data = sample_installer(NAME, compression="lzma")

    assert code_of(data[:1] + struct.pack("<I", 3 << 30) + data[5:]) == "damaged-archive"


def test_a_million_empty_members_are_given_up() -> None:
    stream = TarStream("x", {".vx_version": 1000})
    block = raw_header("member", 0, tarfile.REGTYPE)

    stream.feed(block * MAX_MEMBERS)
    with pytest.raises(VerificationError) as failure:
        stream.feed(block)

    assert failure.value.code == "unpacks-too-large"


@given(st.binary(max_size=3000))
def test_any_bytes_get_an_answer_or_a_reason(data: bytes) -> None:
    for name, head in ((NAME, b""), (NAME, b"\x1f\x8b\x08\0"), (NAME, b"\x5d\0\0"), (WINDOWS_NAME, b"MZ")):
        with pytest.raises(VerificationError):
            inspect([head + data], name)


@given(st.binary(max_size=3000), st.sampled_from([tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_SPARSE]))
def test_any_bytes_in_a_tar_get_an_answer_or_a_reason(data: bytes, kind: bytes) -> None:
    tar = raw_header("a", len(data), kind) + data.ljust(-(-len(data) // 512) * 512, b"\0") + tar_of(VERSION_MEMBER)

    assert answer_or_reason(tar) in {None, VERSION_TEXT, "damaged-archive", "not-an-archive", "truncated-archive"}


def answer_or_reason(tar: bytes) -> bytes | str | None:
    stream = TarStream("x", {".vx_version": 1000})
    try:
        stream.feed(tar)
        return stream.finish().get(".vx_version")
    except VerificationError as error:
        return error.code


@pytest.mark.parametrize("size", range(8))
def test_a_head_is_not_judged_before_it_shows_anything(size: int) -> None:
    for compression in COMPRESSIONS:
        assert looks_wrong(sample_installer(NAME, compression=compression)[:size], NAME) is None
    assert looks_wrong(EXE[:size], WINDOWS_NAME) is None


@pytest.mark.parametrize(
    ("head", "name", "expected"),
    [
        (b"<", NAME, "an XML document"),
        (b"<html>", WINDOWS_NAME, "an HTML page"),
        (b"MZ", NAME, "a Windows program"),
        (DATA[:HEAD_BYTES], WINDOWS_NAME, "a gzip archive"),
        (bytes(HEAD_BYTES), NAME, "zeros only"),
    ],
)
def test_a_wrong_head_shows_at_once(head: bytes, name: InstallerName, expected: str) -> None:
    assert looks_wrong(head, name) == expected


def test_nothing_at_all_has_a_name_too() -> None:
    assert describe(b"") == "an empty file"


def test_a_login_page_is_refused_by_its_first_portion() -> None:
    with pytest.raises(VerificationError, match="an HTML page"):
        Inspector(NAME).feed(b"<html>")


@pytest.mark.parametrize(
    ("name", "payload"),
    [
        (NAME, "InMageVx-9.66.7567.1-1.x86_64.rpm"),
        (UBUNTU, "InMage_VX_9.55.6765.1_UBUNTU-16.04-64.tar"),
    ],
)
def test_a_sample_has_the_members_an_agent_has(name: InstallerName, payload: str) -> None:
    with tarfile.open(fileobj=io.BytesIO(sample_installer(name, payload_bytes=1000))) as opened:
        members = opened.getnames()

    assert members == [
        *("install", "uninstall.sh", "conf_file", "OS_details.sh", "prereq_check_install.sh", "supported_kernels"),
        *("spv.json", ".vx_version", payload),
    ]


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_a_sample_is_the_same_every_time_and_another_with_another_seed(compression: Compression) -> None:
    first, again = (sample_installer(NAME, compression=compression) for _ in range(2))

    assert first == again
    assert first != sample_installer(NAME, compression=compression, seed=1)
    assert first != sample_installer(UBUNTU, compression=compression)


# The kernels


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_an_archive_tells_the_kernels_it_supports(compression: Compression) -> None:
    data = sample_installer(UBUNTU, compression=compression)
    assert inspect([data], UBUNTU).kernels == ("5.15.0-100-generic", "5.15.0-101-generic")


@pytest.mark.parametrize(
    ("text", "expected", "reason"),
    [
        (
            b"5.4.0-26-generic\r\n\n  4.12.14-5.13-azure:0  ",
            ("5.4.0-26-generic", "4.12.14-5.13-azure:0"),
            "any line ends",
        ),
        (b"", (), "an empty list says nothing"),
        (b"5.4.0-26-generic\n" * (MAX_KERNELS_BYTES // 17 + 1), (), "one that is cut off would refuse what it lacks"),
    ],
    ids=["two", "empty", "too long"],
)
def test_the_list_of_kernels_is_a_line_each(text: bytes, expected: tuple[str, ...], reason: str) -> None:
    data = packed(VERSION_MEMBER, member("./supported_kernels", text))
    assert inspect([data], NAME).kernels == expected, reason


def test_a_list_of_kernels_in_a_folder_is_another_file() -> None:
    assert inspect([packed(VERSION_MEMBER, member("old/supported_kernels", b"1.0-1\n"))], NAME).kernels == ()
