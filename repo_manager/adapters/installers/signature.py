"""Signatures of installers: what is checked by which roots, and what is done about it.

The libraries are loaded when the first signature is checked, and not before. Without them nothing is checked,
and whoever asks is told so; where signatures are required, that is an error.
"""

from __future__ import annotations

import hashlib
import ssl
import sys
from functools import cached_property
from importlib import import_module
from typing import TYPE_CHECKING, Final

from repo_manager.core.audit.signature_policy import SignaturePolicy, SignatureState, Trust
from repo_manager.core.errors import InputError, VerificationError, install_hint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime
    from pathlib import Path

    from repo_manager.adapters.installers.certificate_chain import TrustedRoots
    from repo_manager.core.audit.findings import FileVerdict
    from repo_manager.core.audit.signature_policy import Rules, Signature
    from repo_manager.core.names import InstallerName

_BEGIN: Final = "-----BEGIN CERTIFICATE-----"
_END: Final = "-----END CERTIFICATE-----"
_SUFFIXES: Final = frozenset({".pem", ".crt", ".cer"})
_CODE_SIGNING: Final = "1.3.6.1.5.5.7.3.3"


def available() -> bool:
    """Whether the libraries that check signatures are installed, and can be loaded on this machine."""
    try:
        import_module("repo_manager.adapters.installers.authenticode")
    except ImportError:
        return False
    return True


class Roots:
    """The roots that signers must lead to: those of a file or folder, else the system's, else none.

    Windows has a store for them. The bundles of other systems are made for web servers and say nothing
    about who may sign programs, so none is taken from there.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path

    @cached_property
    def certificates(self) -> tuple[bytes, ...]:
        """In DER; empty where there are none to ask.

        Raises:
            InputError: the file or folder that was named has none.
        """
        if self._path is None:
            return _of_the_system()
        try:
            files = sorted(self._path.iterdir()) if self._path.is_dir() else [self._path]
            texts = [
                file.read_text(encoding="ascii", errors="replace")
                for file in files
                if file == self._path or file.suffix.lower() in _SUFFIXES
            ]
            found = tuple(certificate for text in texts for certificate in _in_pem(text))
        except OSError as error:
            raise _no_roots(f"{self._path} cannot be read: {error.strerror}") from error
        except ValueError as error:
            raise _no_roots(f"{self._path} holds a certificate that is damaged") from error
        if not found:
            raise _no_roots(f"{self._path} holds no certificate in PEM")
        return found

    @cached_property
    def fingerprint(self) -> str:
        """Tells one set of roots from another."""
        prints = sorted(hashlib.sha256(certificate).hexdigest() for certificate in self.certificates)
        return hashlib.sha256(" ".join(prints).encode()).hexdigest()[:16] if prints else "none"

    @cached_property
    def anchors(self) -> TrustedRoots:
        """The same, ready for checking."""
        from repo_manager.adapters.installers.certificate_chain import TrustedRoots

        return TrustedRoots(self.certificates, self.fingerprint)


class Signatures:
    """Checks signatures by the rules of one run. Any number of threads may share it.

    Attributes:
        unchecked: the names of files whose signature was not checked for want of the libraries.
        unanchored: the names of files whose signer could not be held against a root.
        doubtful: what speaks against files that were let pass, by name.
    """

    def __init__(self, rules: Rules, roots: Roots, now: Callable[[], datetime]) -> None:
        self._rules = rules
        self._roots = roots
        self._now = now
        self.unchecked: set[str] = set()
        self.unanchored: set[str] = set()
        self.doubtful: dict[str, str] = {}

    @property
    def policy(self) -> SignaturePolicy | None:
        """What the operator asked for; None for the usual."""
        return self._rules.asked

    def insist(self) -> None:
        """See that everything needed is there, where the operator wants signatures required.

        Raises:
            InputError: a library or a root is missing.
        """
        if self._rules.asked is SignaturePolicy.REQUIRE or (
            self._rules.changing and self._rules.publisher and not self.policy
        ):
            self._need_libraries()
            self._need_roots()

    def wanted(self, installer: InstallerName, known: Signature | None) -> bool:
        """Whether a file's signature must be looked at, beside what is known of it.

        Raises:
            InputError: it must, and cannot.
        """
        if not self._rules.concern(installer):
            return False
        if known is not None and known.roots == self._roots.fingerprint:
            return False
        return self._able(installer)

    def examine(self, path: Path) -> Signature:
        """What a file's signature shows.

        Raises:
            OSError: it cannot be read.
        """
        from repo_manager.adapters.installers.authenticode import examine

        return examine(path, self._roots.anchors)

    def verdict(self, installer: InstallerName, signature: Signature | None) -> FileVerdict | None:
        """What the facts mean, by the rules and by now; None where they say nothing any more."""
        if signature is None or not self._rules.concern(installer) or signature.roots != self._roots.fingerprint:
            return None
        if self._rules.expected(installer.token) and any(
            signer.trust is Trust.UNCHECKED for signer in signature.signers
        ):
            self.unanchored.add(installer.text)
        return self._rules.verdict(installer.token, signature, self._now())

    def check(self, path: Path, installer: InstallerName) -> Signature | None:
        """Look at a file that is about to be placed; None where there is nothing to look at.

        Raises:
            VerificationError: its signature will not do: `unsigned`, `tampered`, `other-publisher`.
            InputError: it must be checked, and cannot be.
            OSError: it cannot be read.
        """
        if not self.wanted(installer, None):
            return None
        signature = self.examine(path)
        verdict = self.verdict(installer, signature)
        if verdict is None or verdict.code is None:
            return signature
        if not verdict.good:
            hint = "take the file that was published under this name, or see 'docs/how-to/check-signatures.md'"
            if signature.state is SignatureState.TAMPERED:
                hint = "do not use these bytes; fetch the file again from its official source"
            raise VerificationError(verdict.code.value, f"{installer}: {verdict.message}", hint)
        self.doubtful[installer.text] = verdict.message
        return signature

    def remarks(self) -> Iterator[str]:
        """What whoever started the run should know, a line each."""
        for name, problem in sorted(self.doubtful.items()):
            yield f"{name} {problem}"
        if self.unchecked:
            yield (
                f"the signature of {', '.join(sorted(self.unchecked))} was not checked: the extra 'signatures' is"
                f" missing; {install_hint('signatures')}"
            )
        if self.unanchored:
            yield (
                f"the signer of {', '.join(sorted(self.unanchored))} was compared by name alone, which proves nothing;"
                " name the trusted roots with signature_roots in the configuration"
            )

    def _able(self, installer: InstallerName) -> bool:
        required = self._rules.policy(installer.token) is SignaturePolicy.REQUIRE
        if available():
            if required:
                self._need_roots()
            return True
        if required:
            self._need_libraries()
        self.unchecked.add(installer.text)
        return False

    def _need_libraries(self) -> None:
        if not available():
            raise InputError(
                "no-signature-library",
                "signatures are required, and what checks them is not installed",
                f"{install_hint('signatures')}; or give --signatures warn",
            )

    def _need_roots(self) -> None:
        if not self._roots.certificates:
            raise _no_roots("signatures are required, and there is no trusted root to check them against")


def _no_roots(message: str) -> InputError:
    return InputError(
        "no-signature-roots",
        message,
        "name a PEM file, or a folder of them, with signature_roots in the configuration",
    )


def _of_the_system() -> tuple[bytes, ...]:
    """The roots that Windows trusts for signing programs; none elsewhere."""
    if sys.platform != "win32":
        return ()
    return tuple(
        certificate
        for certificate, encoding, trust in ssl.enum_certificates("ROOT")
        if encoding == "x509_asn" and (trust is True or (not isinstance(trust, bool) and _CODE_SIGNING in trust))
    )


def _in_pem(text: str) -> Iterator[bytes]:
    for part in text.split(_BEGIN)[1:]:
        yield ssl.PEM_cert_to_DER_cert(f"{_BEGIN}{part.partition(_END)[0]}{_END}")
