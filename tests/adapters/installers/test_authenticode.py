"""What signatures show, of programs that osslsigncode signed and that were spoilt here."""

from __future__ import annotations

import struct
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from signed_programs import (
    DIRECTORY_AT,
    OTHER_ROOT,
    PUBLISHER,
    ROOT,
    flipped,
    program,
    signed,
    table_of,
    verdicts_of_osslsigncode,
)

from repo_manager.adapters.installers.authenticode import examine
from repo_manager.adapters.installers.certificate_chain import TrustedRoots
from repo_manager.adapters.installers.signature import Roots
from repo_manager.core.audit.signature_policy import Rules, Signature, SignaturePolicy, SignatureState, Trust
from repo_manager.core.names import WINDOWS

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2026, 6, 1, tzinfo=UTC)
ANCHORS = Roots(ROOT).anchors
NO_ROOTS = TrustedRoots((), "none")

# It takes MD5; we do not.
STRICTER = "weak-md5"


def look(folder: Path, data: bytes, anchors: TrustedRoots = ANCHORS) -> Signature:
    path = folder / "program.exe"
    path.write_bytes(data)
    return examine(path, anchors)


@pytest.mark.parametrize("name", sorted(verdicts_of_osslsigncode()))
def test_we_accept_what_osslsigncode_accepts(tmp_path: Path, name: str) -> None:
    facts = look(tmp_path, signed(name))
    accepted = Rules(asked=SignaturePolicy.REQUIRE).verdict(WINDOWS, facts, NOW).good
    assert accepted is (verdicts_of_osslsigncode()[name] and name != STRICTER)
    assert facts.state is SignatureState.SIGNED


@pytest.mark.parametrize(
    ("name", "signers"),
    [
        ("good", [(PUBLISHER, Trust.TRUSTED, "")]),
        ("good-64", [(PUBLISHER, Trust.TRUSTED, "")]),
        ("good-sha1", [(PUBLISHER, Trust.TRUSTED, "")]),
        ("stamped", [(PUBLISHER, Trust.TRUSTED, "")]),
        ("expired-stamped", [(PUBLISHER, Trust.TRUSTED, "")]),
        ("expired-stamped-late", [(PUBLISHER, Trust.UNTRUSTED, "not valid when it was signed, on 2023-11-14")]),
        ("somebody-else", [("Somebody Else", Trust.TRUSTED, "")]),
        ("other-root", [(PUBLISHER, Trust.UNTRUSTED, "does not lead to a trusted root")]),
        ("not-for-programs", [(PUBLISHER, Trust.UNTRUSTED, "for signing programs")]),
        ("pretender", [(PUBLISHER, Trust.UNTRUSTED, "does not lead to a trusted root")]),
        ("two-signers", [("Somebody Else", Trust.TRUSTED, ""), (PUBLISHER, Trust.TRUSTED, "")]),
        ("weak-md5", [("", Trust.UNTRUSTED, "too weak")]),
    ],
)
def test_who_signed_and_whether_that_is_proven(
    tmp_path: Path, name: str, signers: list[tuple[str, Trust, str]]
) -> None:
    found = look(tmp_path, signed(name)).signers
    assert [(signer.name, signer.trust) for signer in found] == [(who, trust) for who, trust, _ in signers]
    for signer, (_, _, words) in zip(found, signers, strict=True):
        assert words in signer.problem


@pytest.mark.parametrize(
    ("name", "until"),
    [
        ("good", 2100),
        ("stamped", None),
        ("expired", 2022),
        ("expired-stamped", None),
        ("expired-stamped-by-stranger", 2022),
    ],
    ids=[
        "as long as its certificate",
        "for good, since a trusted authority says when",
        "no longer",
        "for good, though the certificate is over",
        "no longer: the authority is not trusted",
    ],
)
def test_how_long_a_signature_counts(tmp_path: Path, name: str, until: int | None) -> None:
    (signer,) = look(tmp_path, signed(name)).signers
    assert (signer.until and signer.until.year) == until


def test_a_timestamp_that_was_changed_is_as_good_as_none(tmp_path: Path) -> None:
    data = signed("expired-stamped")
    # The token ends the certificate table, and its signature ends the token.
    facts = look(tmp_path, flipped(data, len(data) - 40))
    assert [signer.until and signer.until.year for signer in facts.signers] == [2022]
    assert not Rules(asked=SignaturePolicy.REQUIRE).verdict(WINDOWS, facts, NOW).good


def test_a_timestamp_of_another_signature_is_as_good_as_none(tmp_path: Path) -> None:
    mine, foreign = signed("expired"), signed("stamped")
    offset, size = table_of(mine)
    entry = mine[offset : offset + size]
    joined = entry + foreign[table_of(foreign)[0] :]
    changed = bytearray(mine[:offset] + joined)
    struct.pack_into("<II", changed, DIRECTORY_AT, offset, len(joined))
    facts = look(tmp_path, bytes(changed))
    assert [signer.until and signer.until.year for signer in facts.signers] == [2022, None]


def test_without_roots_a_signer_is_a_name_and_no_more(tmp_path: Path) -> None:
    for name in ("good", "other-root", "expired-stamped-late"):
        (signer,) = look(tmp_path, signed(name), NO_ROOTS).signers
        assert (signer.name, signer.trust) == (PUBLISHER, Trust.UNCHECKED)


def test_another_root_trusts_others(tmp_path: Path) -> None:
    others = Roots(OTHER_ROOT).anchors
    assert look(tmp_path, signed("other-root"), others).signers[0].trust is Trust.TRUSTED
    assert look(tmp_path, signed("good"), others).signers[0].trust is Trust.UNTRUSTED


UNSIGNED = {
    "a program": program(),
    "a 64-bit program": program(plus=True),
    "no headers": b"MZ" + bytes(range(256)) * 4,
    "the headers' place is beyond the end": b"MZ".ljust(0x3C, b"\0") + struct.pack("<I", 1 << 30),
    "headers that are cut off": program()[:0x90],
    "no directories": program()[:0x98] + b"\x0b\x01" + bytes(400),
    "another kind of header": flipped(program(), 0x98 + 1),
    "two bytes": b"MZ",
    "nothing": b"",
    "an archive": b"\x1f\x8b" + bytes(600),
}


@pytest.mark.parametrize("data", UNSIGNED.values(), ids=UNSIGNED)
def test_what_has_no_certificate_table_is_unsigned(tmp_path: Path, data: bytes) -> None:
    assert look(tmp_path, data) == Signature(SignatureState.UNSIGNED, roots=ANCHORS.fingerprint)


GOOD = signed("good")
OFFSET, SIZE = table_of(GOOD)


def with_table(offset: int, size: int) -> bytes:
    changed = bytearray(GOOD)
    struct.pack_into("<II", changed, DIRECTORY_AT, offset, size)
    return bytes(changed)


TAMPERED = {
    "a byte of the headers": flipped(GOOD, 0x60),
    "a byte of the section": flipped(GOOD, 0x250),
    "the last byte before the signature": flipped(GOOD, OFFSET - 1),
    "the digest in the signature": flipped(GOOD, GOOD.index(bytes.fromhex("060a2b060104018237020104")) + 90),
    "the value of the signature": flipped(GOOD, len(GOOD) - 40),
    "bytes after the signature": GOOD + b"more",
    "bytes slipped in before it": GOOD[:OFFSET] + bytes(8) + GOOD[OFFSET:],
    "the table is cut off": GOOD[:-100],
    "the table is gone": GOOD[:OFFSET],
    "the table lies in the headers": with_table(0x40, SIZE),
    "the table is larger than any": with_table(OFFSET, 1 << 30),
    "an entry is larger than the table": GOOD[:OFFSET] + struct.pack("<I", SIZE + 8) + GOOD[OFFSET + 4 :],
    "an entry is smaller than its own head": GOOD[:OFFSET] + struct.pack("<I", 4) + GOOD[OFFSET + 4 :],
    "the signature of another program": program(seed=7) + GOOD[OFFSET:],
}
TAMPERED["the signature of another program"] = (
    TAMPERED["the signature of another program"][:DIRECTORY_AT]
    + struct.pack("<II", OFFSET, SIZE)
    + TAMPERED["the signature of another program"][DIRECTORY_AT + 8 :]
)


@pytest.mark.parametrize("data", TAMPERED.values(), ids=TAMPERED)
def test_bytes_that_are_not_those_that_were_signed_are_found(tmp_path: Path, data: bytes) -> None:
    facts = look(tmp_path, data)
    assert facts.state is SignatureState.TAMPERED, facts
    assert facts.problem


def test_the_checksum_is_not_part_of_what_is_signed(tmp_path: Path) -> None:
    assert look(tmp_path, flipped(GOOD, 0x80 + 24 + 64)).state is SignatureState.SIGNED


def test_a_signature_that_cannot_be_read_is_one_by_nobody(tmp_path: Path) -> None:
    facts = look(tmp_path, GOOD[: OFFSET + 8] + bytes([0x31]) + GOOD[OFFSET + 9 :])
    assert [(signer.name, signer.trust) for signer in facts.signers] == [("", Trust.UNTRUSTED)]


def test_an_entry_of_another_kind_is_passed_over(tmp_path: Path) -> None:
    data = GOOD[: OFFSET + 6] + struct.pack("<H", 1) + GOOD[OFFSET + 8 :]
    assert look(tmp_path, data).state is SignatureState.UNSIGNED


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_single_change_turns_a_spoilt_program_into_a_trusted_one(tmp_path: Path, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, OFFSET - 1))
    covered = not (0x80 + 24 + 64 <= at < 0x80 + 24 + 68)
    facts = look(tmp_path, flipped(GOOD, at))
    trusted = facts.state is SignatureState.SIGNED and any(signer.trust is Trust.TRUSTED for signer in facts.signers)
    assert trusted is not covered


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(entry=st.binary(max_size=300), at=st.integers(0, SIZE - 9))
def test_any_certificate_table_gives_an_answer(tmp_path: Path, entry: bytes, at: int) -> None:
    table = bytearray(GOOD[OFFSET:])
    table[8 + at : 8 + at + len(entry)] = entry[: SIZE - 8 - at]
    assert look(tmp_path, GOOD[:OFFSET] + bytes(table[:SIZE])).state in SignatureState
