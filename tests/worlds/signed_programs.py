"""Small Windows programs that can be signed, and the signed ones that are kept in tests/data/signed."""

from __future__ import annotations

import json
import random
import struct
from pathlib import Path
from typing import Final

SIGNED: Final = Path(__file__).parents[1] / "data" / "signed"
ROOT: Final = SIGNED / "root.pem"
OTHER_ROOT: Final = SIGNED / "other-root.pem"
PUBLISHER: Final = "Example Agents"

# The directory entry that says where the certificate table lies, in a program made here.
DIRECTORY_AT: Final = 0x80 + 24 + 96 + 4 * 8

_HEADERS: Final = 0x200


def signed(name: str) -> bytes:
    """A program that osslsigncode signed; see make.py beside it for how."""
    return (SIGNED / f"{name}.exe").read_bytes()


def verdicts_of_osslsigncode() -> dict[str, bool]:
    """Whether osslsigncode accepts a program, by the root in root.pem."""
    found: dict[str, bool] = json.loads((SIGNED / "osslsigncode.json").read_text("utf-8"))
    return found


def program(payload_bytes: int = 512, *, seed: int = 0, plus: bool = False) -> bytes:
    """An unsigned program: headers, one section, and no certificate table. `plus` is for the 64-bit headers."""
    payload = random.Random(seed).randbytes(payload_bytes)  # noqa: S311 - filler, not a secret
    payload += bytes(-len(payload) % 512)
    dos = struct.pack("<2s58xI", b"MZ", 0x80).ljust(0x80, b"\0")
    size = 0xF0 if plus else 0xE0
    coff = struct.pack("<4sHHIIIHH", b"PE\0\0", 0x8664 if plus else 0x14C, 1, 0, 0, 0, size, 0x0102)
    image = 0x1000 + (len(payload) + 0xFFF & ~0xFFF)
    start = struct.pack("<HBBIIIII", 0x20B if plus else 0x10B, 14, 0, 0, len(payload), 0, 0x1000, 0x1000)
    base = struct.pack("<Q", 0x140000000) if plus else struct.pack("<II", 0x1000, 0x400000)
    middle = struct.pack("<IIHHHHHHIIIIHH", 0x1000, 0x200, 6, 0, 0, 0, 6, 0, 0, image, _HEADERS, 0, 3, 0)
    ends = struct.pack("<QQQQII" if plus else "<IIIIII", 1 << 20, 1 << 12, 1 << 20, 1 << 12, 0, 16)
    optional = (start + base + middle + ends).ljust(size, b"\0")
    section = struct.pack("<8sIIII12xI", b".rsrc", len(payload), 0x1000, len(payload), _HEADERS, 0x40000040)
    return (dos + coff + optional + section).ljust(_HEADERS, b"\0") + payload


def flipped(data: bytes, at: int) -> bytes:
    """The same with one bit turned."""
    changed = bytearray(data)
    changed[at] ^= 1
    return bytes(changed)


def table_of(data: bytes) -> tuple[int, int]:
    """Where the certificate table of a 32-bit program begins, and how long it is."""
    offset, size = struct.unpack_from("<II", data, DIRECTORY_AT)
    return offset, size
