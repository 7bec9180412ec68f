"""Make the signed programs anew: a certificate authority of our own, and osslsigncode (Debian: apt-get install it).

    python tests/data/signed/make.py

The tests only read what is here, so they need no tool. What osslsigncode itself says of each program is
kept in osslsigncode.json, for the tests to compare with. Keys are thrown away.
"""

from __future__ import annotations

import datetime as dt
import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

HERE: Final = Path(__file__).parent
sys.path.insert(0, str(HERE.parents[1] / "worlds"))

from signed_programs import PUBLISHER, program  # noqa: E402 - found by the line above

PROGRAMS: Final = [ExtendedKeyUsageOID.CODE_SIGNING]
TIMES: Final = [ExtendedKeyUsageOID.TIME_STAMPING]
SERVERS: Final = [ExtendedKeyUsageOID.SERVER_AUTH]

IN_2021: Final = "1620000000"
IN_2023: Final = "1700000000"


@dataclass(frozen=True)
class Identity:
    """A certificate with its key."""

    certificate: x509.Certificate
    key: rsa.RSAPrivateKey
    path: Path

    @property
    def key_path(self) -> Path:
        return self.path.with_suffix(".key")


def identity(
    folder: Path,
    file: str,
    name: str,
    *,
    issuer: Identity | None = None,
    purposes: list[x509.ObjectIdentifier] | None = None,
    years: tuple[int, int] = (2020, 2100),
) -> Identity:
    """Make a certificate; an authority's when it has no purposes."""
    key = rsa.generate_private_key(65537, 2048)
    subject = x509.Name(
        [x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Tests"), x509.NameAttribute(NameOID.COMMON_NAME, name)]
    )
    first, last = (dt.datetime(year, 1, 1, tzinfo=dt.UTC) for year in years)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(first)
        .not_valid_after(last)
        .add_extension(x509.BasicConstraints(ca=purposes is None, path_length=None), critical=True)
    )
    if purposes is not None:
        builder = builder.add_extension(x509.ExtendedKeyUsage(purposes), critical=purposes == TIMES)
    certificate = builder.sign(issuer.key if issuer else key, hashes.SHA256())
    made = Identity(certificate, key, folder / f"{file}.pem")
    made.path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    made.key_path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return made


def run(*words: str | Path) -> bool:
    """Run osslsigncode; whether it succeeded."""
    done = subprocess.run(["osslsigncode", *map(str, words)], check=False, capture_output=True, text=True)
    return done.returncode == 0


def main() -> None:
    """Make all of it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        root = identity(folder, "root", "Tests Root")
        between = identity(folder, "between", "Tests Issuing", issuer=root)
        other = identity(folder, "other-root", "Tests Root")
        authority = identity(folder, "times", "Tests Times", issuer=root, purposes=TIMES)
        foreign = identity(folder, "foreign-times", "Tests Times", issuer=other, purposes=TIMES)
        good = identity(folder, "good", PUBLISHER, issuer=between, purposes=PROGRAMS)
        short = identity(folder, "short", PUBLISHER, issuer=between, purposes=PROGRAMS, years=(2021, 2022))
        somebody = identity(folder, "somebody", "Somebody Else", issuer=between, purposes=PROGRAMS)
        strange = identity(folder, "strange", PUBLISHER, issuer=other, purposes=PROGRAMS)
        server = identity(folder, "server", PUBLISHER, issuer=between, purposes=SERVERS)
        # An end entity is no authority, whatever it signs.
        pretender = identity(folder, "pretender", PUBLISHER, issuer=good, purposes=PROGRAMS)

        def sign(
            file: str, signer: Identity, *more: str | Path, data: bytes | None = None, hash_: str = "sha256"
        ) -> None:
            source, target = folder / "source.exe", folder / f"{file}.exe"
            source.write_bytes(program() if data is None else data)
            words: list[str | Path] = ["sign", "-h", hash_, "-certs", signer.path, "-key", signer.key_path]
            words += ["-ac", good.path if signer is pretender else between.path, *more]
            if not run(*words, "-in", source, "-out", target):
                sys.exit(f"osslsigncode could not sign {file}")

        def by(stamper: Identity, time: str) -> tuple[str | Path, ...]:
            return ("-TSA-certs", stamper.path, "-TSA-key", stamper.key_path, "-TSA-time", time)

        sign("good", good)
        sign("good-64", good, data=program(plus=True), hash_="sha384")
        sign("good-sha1", good, hash_="sha1")
        sign("weak-md5", good, hash_="md5")
        sign("stamped", good, *by(authority, IN_2021))
        sign("expired", short)
        sign("expired-stamped", short, *by(authority, IN_2021))
        sign("expired-stamped-late", short, *by(authority, IN_2023))
        sign("expired-stamped-by-stranger", short, *by(foreign, IN_2021))
        sign("somebody-else", somebody)
        sign("other-root", strange)
        sign("not-for-programs", server)
        sign("pretender", pretender)
        sign("two-signers", good, "-nest", data=(folder / "somebody-else.exe").read_bytes())

        verdicts = {}
        for path in sorted(folder.glob("*.exe")):
            if path.name != "source.exe":
                verdicts[path.stem] = run(
                    "verify", "-CAfile", root.path, "-TSA-CAfile", root.path, "-ignore-cdp", "-ignore-crl", path
                )
                (HERE / path.name).write_bytes(path.read_bytes())
        for kept in (root, other):
            (HERE / kept.path.name).write_bytes(kept.path.read_bytes())
        (HERE / "osslsigncode.json").write_text(json.dumps(verdicts, indent=2, sort_keys=True) + "\n", "utf-8")
        print(f"{len(verdicts)} programs in {HERE}")  # noqa: T201 - a script


if __name__ == "__main__":
    main()
