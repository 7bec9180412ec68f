"""Stand-ins for installers: right in name, shape and version file, for the demonstration and for tests.

They hold random bytes and a few words. Nothing in them is the vendor's, and nothing in them runs.
"""

from __future__ import annotations

import gzip
import io
import lzma
import random
import struct
import tarfile
from typing import TYPE_CHECKING, Final, Literal

from repo_manager.core.names import WINDOWS, Token

if TYPE_CHECKING:
    from repo_manager.core.names import InstallerName

Compression = Literal["gzip", "xz", "lzma"]

# Debian and Ubuntu get their payload as a tar, the other systems as an RPM.
_TAR_PAYLOADS: Final = ("DEBIAN", "UBUNTU")

# Red Hat and Oracle agents bring one driver for all kernels of a system, and their list is empty.
_NO_KERNEL_LIST: Final = ("RHEL", "OL")

_PE_AT: Final = 0x80
_PE_HEADERS: Final = 0x200


def sample_installer(
    name: InstallerName,
    *,
    payload_bytes: int = 200_000,
    seed: int = 0,
    compression: Compression = "gzip",
    token: Token | None = None,
) -> bytes:
    """Build the bytes of a stand-in for the named installer. The same arguments give the same bytes.

    Args:
        name: also decides the kind: a Windows program, or an archive with a version file.
        payload_bytes: how many random bytes it carries; the result is a few KiB larger.
        seed: another seed, another payload.
        compression: how the archive is packed; an exe is not.
        token: what the version file says it was built for; the name's own token when None.
    """
    payload = random.Random(f"{name}/{seed}").randbytes(payload_bytes)  # noqa: S311 - filler, not a secret
    if name.token == WINDOWS:
        return _program(payload)
    tar = _tar(_members(name, payload, token or name.token))
    if compression == "gzip":
        # Level 1: the payload is random, so a higher one would only take longer.
        return gzip.compress(tar, compresslevel=1, mtime=0)
    return lzma.compress(tar, lzma.FORMAT_XZ if compression == "xz" else lzma.FORMAT_ALONE, preset=0)


def _members(name: InstallerName, payload: bytes, token: Token) -> dict[str, bytes]:
    version = name.build or name.version
    note = b"# A stand-in made for demonstrations and tests; it installs nothing.\n"
    if token.upper().startswith(_TAR_PAYLOADS):
        payload_name = f"InMage_VX_{version}_{token}.tar"
    else:
        payload_name = f"InMageVx-{version}-1.{'x86_64' if token.endswith('64') else 'i386'}.rpm"
    kernels = b"" if token.upper().startswith(_NO_KERNEL_LIST) else b"5.15.0-100-generic\n5.15.0-101-generic\n"
    facts = f"VERSION={version}\nBUILD_TAG={name.config}_{name.channel}_{name.date.isoformat()}\nOS_BUILT_FOR={token}\n"
    return {
        "install": b"#!/bin/sh\n" + note + b"exit 1\n",
        "uninstall.sh": b"#!/bin/sh\n" + note + b"exit 1\n",
        "conf_file": note,
        "OS_details.sh": b"#!/bin/sh\n" + note + b"exit 1\n",
        "prereq_check_install.sh": b"#!/bin/sh\n" + note + b"exit 1\n",
        "supported_kernels": kernels,
        "spv.json": b"{}\n",
        ".vx_version": facts.encode("ascii"),
        payload_name: payload,
    }


def _tar(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for path, data in members.items():
            member = tarfile.TarInfo(path)
            member.size = len(data)
            member.mode = 0o755 if data.startswith(b"#!") else 0o644
            archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def _program(payload: bytes) -> bytes:
    """The headers of a 32-bit program with one section, which holds the payload."""
    dos = struct.pack("<2s58xI", b"MZ", _PE_AT).ljust(_PE_AT, b"\0")
    coff = struct.pack("<4sHHIIIHH", b"PE\0\0", 0x14C, 1, 0, 0, 0, 0, 0x0102)
    section = struct.pack("<8sIIII12xI", b".rsrc", len(payload), 0x1000, len(payload), _PE_HEADERS, 0x40000040)
    return (dos + coff + section).ljust(_PE_HEADERS, b"\0") + payload
