"""Chains from a signer to a root, with certificates made here."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.utils import CryptographyDeprecationWarning
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from repo_manager.adapters.installers.certificate_chain import TrustedRoots, VerifiedSignature
from repo_manager.core.audit.signature_policy import Signer, Trust

PROGRAMS = ExtendedKeyUsageOID.CODE_SIGNING
SERVERS = ExtendedKeyUsageOID.SERVER_AUTH
ANYTHING = ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE


@dataclass(frozen=True)
class Holder:
    """A certificate with its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.DER)


def holder(
    names: dict[x509.ObjectIdentifier, str] | str,
    issuer: Holder | None = None,
    *,
    purposes: tuple[x509.ObjectIdentifier, ...] = (),
    ca: bool | None = True,
    length: int | None = None,
    signs: bool | None = None,
    years: tuple[int, int] = (2020, 2100),
    serial: int | None = None,
) -> Holder:
    """A certificate; what is None is left out of it."""
    parts = {NameOID.COMMON_NAME: names} if isinstance(names, str) else names
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(kind, value) for kind, value in parts.items()])
    first, last = (dt.datetime(year, 1, 1, tzinfo=dt.UTC) for year in years)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(serial or x509.random_serial_number())
        .not_valid_before(first)
        .not_valid_after(last)
    )
    if ca is not None:
        builder = builder.add_extension(x509.BasicConstraints(ca, length if ca else None), critical=True)
    if purposes:
        builder = builder.add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
    if signs is not None:
        usage = x509.KeyUsage(
            digital_signature=True,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            key_cert_sign=signs,
            crl_sign=False,
            encipher_only=False,
            decipher_only=False,
        )
        builder = builder.add_extension(usage, critical=True)
    return Holder(builder.sign(issuer.key if issuer else key, hashes.SHA256()), key)


ROOT = holder("Root")


def judge(leaf: bytes, *between: Holder, roots: tuple[bytes, ...] = (ROOT.der,)) -> Signer:
    return TrustedRoots(roots, "roots").judge(VerifiedSignature(leaf, tuple(one.der for one in between), b"value", ()))


def leaf(issuer: Holder, years: tuple[int, int] = (2020, 2100)) -> Holder:
    return holder("Example Agents", issuer, purposes=(PROGRAMS,), ca=False, years=years)


@pytest.mark.parametrize(
    ("between", "trust"),
    [
        pytest.param(holder("Between", ROOT), Trust.TRUSTED, id="an authority"),
        pytest.param(holder("Between", ROOT, signs=True), Trust.TRUSTED, id="one that says that it signs certificates"),
        pytest.param(holder("Between", ROOT, purposes=(PROGRAMS,)), Trust.TRUSTED, id="one for programs"),
        pytest.param(holder("Between", ROOT, purposes=(ANYTHING,)), Trust.TRUSTED, id="one for anything"),
        pytest.param(holder("Between", ROOT, purposes=(SERVERS,)), Trust.UNTRUSTED, id="one for servers"),
        pytest.param(holder("Between", ROOT, signs=False), Trust.UNTRUSTED, id="one that may not sign certificates"),
        pytest.param(holder("Between", ROOT, ca=False), Trust.UNTRUSTED, id="no authority"),
        pytest.param(holder("Between", ROOT, ca=None), Trust.UNTRUSTED, id="one that does not say what it is"),
        pytest.param(holder("Between", holder("Root")), Trust.UNTRUSTED, id="another root of the same name"),
        pytest.param(holder("Between", ROOT, years=(2020, 2021)), Trust.TRUSTED, id="over, and was not when it issued"),
        pytest.param(holder("Between", ROOT, years=(2022, 2023)), Trust.UNTRUSTED, id="not valid yet when it issued"),
    ],
)
def test_who_may_stand_between_a_signer_and_a_root(between: Holder, trust: Trust) -> None:
    assert judge(leaf(between).der, between).trust is trust


def test_an_authority_may_be_kept_from_making_others() -> None:
    narrow = holder("Narrow", ROOT, length=0)
    below = holder("Below", narrow)
    assert judge(leaf(narrow).der, narrow).trust is Trust.TRUSTED
    assert judge(leaf(below).der, narrow, below).trust is Trust.UNTRUSTED


def test_a_signature_counts_as_long_as_every_certificate_above_it() -> None:
    between = holder("Between", ROOT, years=(2019, 2024))
    signer = judge(leaf(between, years=(2020, 2026)).der, between)
    assert (signer.since, signer.until) == (
        dt.datetime(2020, 1, 1, tzinfo=dt.UTC),
        dt.datetime(2024, 1, 1, tzinfo=dt.UTC),
    )


def test_a_certificate_that_is_missing_from_the_signature_is_missed() -> None:
    between = holder("Between", ROOT)
    assert judge(leaf(between).der).trust is Trust.UNTRUSTED
    assert judge(leaf(between).der, roots=(ROOT.der, between.der)).trust is Trust.TRUSTED


def test_certificates_that_sign_each_other_in_a_circle_end() -> None:
    many = [holder("Round") for _ in range(12)]
    round_ = [holder("Round", one) for one in many]
    assert judge(leaf(many[0]).der, *many, *round_).trust is Trust.UNTRUSTED


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ({NameOID.ORGANIZATION_NAME: "Firm", NameOID.COMMON_NAME: "Example"}, "Example"),
        ({NameOID.ORGANIZATION_NAME: "Firm", NameOID.COUNTRY_NAME: "US"}, "Firm"),
        ({NameOID.COUNTRY_NAME: "US"}, ""),
    ],
    ids=["the common name", "else the organisation", "else nobody"],
)
def test_a_signer_has_the_name_that_windows_shows(names: dict[x509.ObjectIdentifier, str], expected: str) -> None:
    found = judge(holder(names, ROOT, purposes=(PROGRAMS,), ca=False).der)
    assert (found.name, found.trust) == (expected, Trust.TRUSTED if expected else Trust.UNTRUSTED)


def test_a_damaged_certificate_is_nobodys() -> None:
    found = judge(b"0\x03abc")
    assert (found.name, found.trust) == ("", Trust.UNTRUSTED)
    assert found.problem


def test_a_damaged_certificate_in_between_is_passed_over() -> None:
    sealed = VerifiedSignature(leaf(ROOT).der, (b"0\x03abc",), b"value", (b"no token", b""))
    assert TrustedRoots((b"junk", ROOT.der), "roots").judge(sealed).trust is Trust.TRUSTED


def test_a_root_that_is_odd_is_taken_without_a_word() -> None:
    # A store may hold roots with a serial number that is not positive, which no builder makes any more.
    mark = bytes.fromhex("02080123456789abcdef")
    odd = holder("Odd", serial=0x0123456789ABCDEF).der
    assert odd.count(mark) == 1
    odd = odd.replace(mark, bytes.fromhex("0208ff23456789abcdef"))
    with pytest.warns(CryptographyDeprecationWarning):
        x509.load_der_x509_certificate(odd)
    assert judge(leaf(ROOT).der, roots=(odd, ROOT.der)).trust is Trust.TRUSTED
