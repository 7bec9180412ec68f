"""What a signature shows + what is expected -> a verdict.

Facts are what the bytes and the trusted roots say, and stay true; a verdict depends on the policy, on
the publisher that is expected, and on the time, and is made anew whenever one is asked for.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from repo_manager.core.audit.findings import FileVerdict
    from repo_manager.core.names import InstallerName, Token


class SignaturePolicy(StrEnum):
    """What a signature that is missing or not the expected one means."""

    REQUIRE = "require"
    WARN = "warn"
    OFF = "off"


class Trust(StrEnum):
    """Whether a signer's certificate leads to a trusted root."""

    TRUSTED = "trusted"
    UNTRUSTED = "untrusted"
    UNCHECKED = "unchecked"
    """There was no root to check against."""


class SignatureState(StrEnum):
    """What a file's signature does to its bytes."""

    SIGNED = "signed"
    UNSIGNED = "unsigned"
    TAMPERED = "tampered"


@dataclass(frozen=True, slots=True)
class Signer:
    """Who signed.

    Attributes:
        name: the common name in the signer's certificate; empty where the signature cannot be read.
        trust: whether the certificate leads to a trusted root.
        problem: why it is not trusted, the end of a sentence; empty when it is.
        since: from when on the signature counts; None without such a bound.
        until: up to when it counts; None when a trusted timestamp says that it was made in time.
    """

    name: str
    trust: Trust
    problem: str = ""
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Signature:
    """Facts about one file.

    Attributes:
        state: what the signature does to the bytes.
        problem: what is wrong with a tampered one, the end of a sentence.
        signers: of a signed one, at least one; the first is the one that Windows shows.
        roots: the fingerprint of the roots that were asked.
    """

    state: SignatureState
    problem: str = ""
    signers: tuple[Signer, ...] = ()
    roots: str = ""


@dataclass(frozen=True, slots=True)
class Rules:
    """What is expected of signatures.

    Attributes:
        asked: the policy that the operator named; None for the usual one.
        changing: whether files are about to be placed, which makes the usual policy stricter.
        publisher: the operator's word on who signs; it beats the catalog's.
        publishers: the catalog's word, by package.
    """

    asked: SignaturePolicy | None = None
    changing: bool = False
    publisher: str | None = None
    publishers: Mapping[Token, str] = field(default_factory=dict)

    def expected(self, token: Token) -> str | None:
        """Who must have signed a package's installer; None when nobody says."""
        return self.publisher or self.publishers.get(token)

    def policy(self, token: Token) -> SignaturePolicy:
        """The policy in force for a package."""
        if self.asked is not None:
            return self.asked
        return SignaturePolicy.REQUIRE if self.changing and self.expected(token) else SignaturePolicy.WARN

    def concern(self, installer: InstallerName) -> bool:
        """Whether the signature of such a file is looked at. Only Windows programs carry one."""
        return installer.extension == ".exe" and self.policy(installer.token) is not SignaturePolicy.OFF

    def verdict(self, token: Token, signature: Signature, now: datetime) -> FileVerdict:
        """What the facts mean.

        Bytes that are not those that were signed are always an error. Where nobody asked for more,
        neither by a policy nor by naming a publisher, that is all.
        """
        # The command line names the policies, and must not load the catalog for it.
        from repo_manager.core.audit.findings import Code, FileVerdict, Severity

        policy, expected = self.policy(token), self.expected(token)
        if policy is SignaturePolicy.OFF:
            return FileVerdict()
        if signature.state is SignatureState.TAMPERED:
            return FileVerdict(Code.TAMPERED, signature.problem)
        signer = _best(signature, expected, now)
        if self.asked is None and expected is None:
            return FileVerdict(signer=_proven(signer, now))
        severity = Severity.ERROR if policy is SignaturePolicy.REQUIRE else Severity.WARNING
        if signer is None:
            by = f"; one by {shown(expected)} is expected" if expected else ""
            return FileVerdict(Code.UNSIGNED, f"has no signature{by}", severity)
        problem = _problem(signer, expected, now, strict=policy is SignaturePolicy.REQUIRE)
        if problem:
            return FileVerdict(Code.OTHER_PUBLISHER, problem, severity)
        return FileVerdict(signer=_proven(signer, now))


def _best(signature: Signature, expected: str | None, now: datetime) -> Signer | None:
    """The signer that speaks most for the file: every one of them signed all its bytes."""
    for strict in (True, False):
        for signer in signature.signers:
            if not _problem(signer, expected, now, strict=strict):
                return signer
    return signature.signers[0] if signature.signers else None


def _problem(signer: Signer, expected: str | None, now: datetime, *, strict: bool) -> str:
    """Why a signer will not do, the end of a sentence; empty when it will.

    Without roots a name can be compared, but proves nothing: only the strict want more than that.
    """
    if not signer.name:
        return f"has a signature that cannot be checked: {signer.problem}"
    by = f"is signed by {shown(signer.name)}"
    if expected is not None and signer.name != expected:
        return f"{by}, not by {shown(expected)}"
    if signer.trust is Trust.UNTRUSTED:
        return f"{by}, but {signer.problem}"
    if signer.trust is Trust.UNCHECKED and strict:
        return f"{by}, but there is no trusted root to check that against"
    return _problem_of_time(signer, by, now)


def _problem_of_time(signer: Signer, by: str, now: datetime) -> str:
    if signer.since is not None and now < signer.since:
        return f"{by}, but the certificate is not valid before {signer.since:%Y-%m-%d}"
    if signer.until is not None and now > signer.until:
        return (
            f"{by}, but the certificate is not valid after {signer.until:%Y-%m-%d},"
            " and no trusted timestamp says that it was signed before"
        )
    return ""


def _proven(signer: Signer | None, now: datetime) -> str:
    """The name of a signer that leads to a trusted root; empty for all others."""
    return signer.name if signer and not _problem(signer, None, now, strict=True) else ""


_LONGEST: Final = 80


def shown(name: str) -> str:
    """A name out of a certificate, for a message: anybody may have written anything into it."""
    return ascii(name[:_LONGEST])[1:-1]
