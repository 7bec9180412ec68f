"""A signer's certificate + the trusted roots -> whether, and from when to when, it may be believed.

`cryptography` builds and checks the chains, `rfc3161_client` the timestamps. Nothing is fetched: revocation
lists are on the network, and are not asked for.

Evidence: RFC 5280 (path validation), RFC 3161 (timestamps).
"""

from __future__ import annotations

import warnings
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import rfc3161_client
from cryptography import x509
from cryptography.utils import CryptographyDeprecationWarning
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from cryptography.x509.verification import Criticality, ExtensionPolicy, PolicyBuilder, Store, VerificationError

from repo_manager.core.audit.signature_policy import Signer, Trust

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from cryptography.x509.verification import Policy

_LONGEST_CHAIN: Final = 8
_PURPOSE: Final = ExtendedKeyUsageOID.CODE_SIGNING

# TimeStampResp { status { granted }, token }: the library reads answers of a server, of which a file has the token.
_SEQUENCE: Final = 0x30
_LONG: Final = 0x80
_GRANTED: Final = bytes.fromhex("3003020100")


@dataclass(frozen=True, slots=True)
class VerifiedSignature:
    """One signature whose value is right.

    Attributes:
        certificate: the signer's, in DER.
        others: the certificates that came with it, in DER.
        value: the signature itself, which a timestamp is about.
        tokens: what may be timestamps of it.
    """

    certificate: bytes
    others: tuple[bytes, ...]
    value: bytes
    tokens: tuple[bytes, ...]


class TrustedRoots:
    """The trusted roots, which may be none. `fingerprint` tells one set of them from another."""

    def __init__(self, roots: Iterable[bytes], fingerprint: str) -> None:
        self.fingerprint = fingerprint
        self._roots = tuple(_loaded(roots))

    def judge(self, sealed: VerifiedSignature) -> Signer:
        """Who signed, and whether that may be believed."""
        try:
            certificate = _load(sealed.certificate)
            name = _name_of(certificate)
        except ValueError:
            name = ""
        if not name:
            return Signer("", Trust.UNTRUSTED, "the signer's certificate is damaged, or names nobody")
        if not self._roots:
            return Signer(name, Trust.UNCHECKED)
        return self._judge(name, certificate, sealed)

    def _judge(self, name: str, certificate: x509.Certificate, sealed: VerifiedSignature) -> Signer:
        others = list(_loaded(sealed.others))
        # Those who issued it were valid when they did.
        chain = self._chain(certificate, others, certificate.not_valid_before_utc + timedelta(seconds=1))
        if chain is None:
            return Signer(name, Trust.UNTRUSTED, "the certificate does not lead to a trusted root for signing programs")
        signed = next(self._times(sealed), None)
        if signed is None:
            since = max(link.not_valid_before_utc for link in chain)
            return Signer(name, Trust.TRUSTED, since=since, until=min(link.not_valid_after_utc for link in chain))
        if self._chain(certificate, others, signed) is None:
            problem = f"the certificate was not valid when it was signed, on {signed:%Y-%m-%d}"
            return Signer(name, Trust.UNTRUSTED, problem)
        return Signer(name, Trust.TRUSTED)

    def _chain(
        self, leaf: x509.Certificate, others: list[x509.Certificate], time: datetime
    ) -> list[x509.Certificate] | None:
        """From the leaf to a root, all of it valid at that time and meant for signing programs; None without one."""
        verifier = (
            PolicyBuilder()
            .store(Store(list(self._roots)))
            .time(time)
            .max_chain_depth(_LONGEST_CHAIN)
            .extension_policies(ca_policy=_issuers(), ee_policy=_signers())
            .build_client_verifier()
        )
        try:
            return verifier.verify(leaf, others).chain
        except (VerificationError, ValueError):
            return None

    def _times(self, sealed: VerifiedSignature) -> Iterator[datetime]:
        """When trusted authorities say that the signature was made."""
        verifier = rfc3161_client.VerifierBuilder(roots=list(self._roots)).build()
        for token in sealed.tokens:
            # A timestamp that is not right is as good as none.
            with suppress(ValueError, rfc3161_client.VerificationError):
                answer = rfc3161_client.decode_timestamp_response(_answer(token))
                verifier.verify_message(answer, sealed.value)
                yield answer.tst_info.gen_time


def _signers() -> ExtensionPolicy:
    return ExtensionPolicy.permit_all().require_present(x509.ExtendedKeyUsage, Criticality.AGNOSTIC, _signs_programs)


def _issuers() -> ExtensionPolicy:
    return (
        ExtensionPolicy.permit_all()
        .require_present(x509.BasicConstraints, Criticality.AGNOSTIC, _is_authority)
        .may_be_present(x509.KeyUsage, Criticality.AGNOSTIC, _may_sign_certificates)
        .may_be_present(x509.ExtendedKeyUsage, Criticality.AGNOSTIC, _may_issue_signers)
    )


# The library takes a ValueError for a refusal.


def _signs_programs(_policy: Policy, _certificate: x509.Certificate, purposes: x509.ExtendedKeyUsage) -> None:
    if _PURPOSE not in purposes:
        raise ValueError("not for signing programs")


def _is_authority(_policy: Policy, _certificate: x509.Certificate, constraints: x509.BasicConstraints) -> None:
    if not constraints.ca:
        raise ValueError("not an authority")


def _may_sign_certificates(_policy: Policy, _certificate: x509.Certificate, usage: x509.KeyUsage | None) -> None:
    if usage is not None and not usage.key_cert_sign:
        raise ValueError("not for signing certificates")


def _may_issue_signers(_policy: Policy, _certificate: x509.Certificate, purposes: x509.ExtendedKeyUsage | None) -> None:
    if purposes is not None and not {_PURPOSE, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE}.intersection(purposes):
        raise ValueError("not for those who sign programs")


def _answer(token: bytes) -> bytes:
    """A server's answer that has this token; the length is in DER's shortest form."""
    body = _GRANTED + token
    size = len(body)
    digits = size.to_bytes((size.bit_length() + 7) // 8, "big")
    length = bytes([size]) if size < _LONG else bytes([_LONG | len(digits)]) + digits
    return bytes([_SEQUENCE]) + length + body


def _name_of(certificate: x509.Certificate) -> str:
    """The common name, else the organisation, as Windows shows it."""
    for kind in (NameOID.COMMON_NAME, NameOID.ORGANIZATION_NAME):
        for attribute in certificate.subject.get_attributes_for_oid(kind):
            return attribute.value if isinstance(attribute.value, str) else ""
    return ""


def _loaded(certificates: Iterable[bytes]) -> Iterator[x509.Certificate]:
    """Those that can be read: a system's store may hold curiosities."""
    for certificate in certificates:
        with suppress(ValueError):
            yield _load(certificate)


def _load(certificate: bytes) -> x509.Certificate:
    with warnings.catch_warnings():
        # Windows trusts some with a serial number of zero, which is nothing to tell whoever runs this.
        warnings.simplefilter("ignore", CryptographyDeprecationWarning)
        return x509.load_der_x509_certificate(certificate)
