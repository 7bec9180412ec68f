"""A leader and its followers as real processes: the command line, `serve` with TLS, object stores, nginx."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import operations
import processes
import small_world
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from simulator import name_of
from small_world import TOKENS, World

from repo_manager import cli as command_line
from repo_manager.adapters.filesystem.repository_folder import no_step
from repo_manager.adapters.storage.local import LocalStorage
from repo_manager.core import names
from repo_manager.demo.sample import sample_installer

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pytest

    from repo_manager.adapters.storage import Storage

PAYLOAD: Final = 1_200_000


def large(name: str) -> bytes:
    """An installer that takes a while to send."""
    return sample_installer(names.parse(name), payload_bytes=PAYLOAD)


def tree(world: World) -> dict[str, str]:
    """Every file of a follower, also of what it remembers; not who has the lock."""
    found = {
        path.relative_to(world.repository).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in world.repository.rglob("*")
        if path.is_file() and not path.is_symlink()
    }
    found.pop(".repo-manager/lock", None)
    return found


# The leader


@dataclass(frozen=True)
class Leader:
    """A world that publishes what lies in its repository, with keys of its own."""

    world: World

    @classmethod
    def build(cls, root: Path, tokens: Iterable[str] = TOKENS, *, payload: bool = False) -> Leader:
        """A leader with these packages."""
        leader = cls(small_world.build(root, mess=False))
        for token in tokens:
            name = name_of(token)
            leader.world.put(name, large(name) if payload else None)
        return leader

    def words(self, dest: str, *more: str) -> tuple[str, ...]:
        """The command line to publish by."""
        keys = str(self.world.root / "keys")
        return ("--json", "--repository", str(self.world.repository), "publish", dest, "--keys", keys, *more)

    def publish(self, dest: str, *more: str, variables: Mapping[str, str] | None = None) -> dict[str, Any]:
        """Publish, in a process of its own; the document."""
        done = processes.cli(self.world, *self.words(dest, *more), variables=variables)
        assert done.returncode == 0, done.stderr
        document: dict[str, Any] = json.loads(done.stdout)
        return document

    def prepare(self, depot: Storage | None = None) -> str:
        """Publish in this process, where publishing is not what a test is about; the root.

        To the world's depot, where no other is named.
        """
        items = operations.items_at(sorted(self.world.repository.glob("Microsoft-ASR_UA_*")))
        to = depot or LocalStorage(self.world.depot)
        return operations.publish_items(self.world, no_step, items, to, datetime.now(UTC)).root

    @property
    def files(self) -> dict[str, bytes]:
        """What followers should have."""
        return installers(self.world)


def installers(world: World) -> dict[str, bytes]:
    """The files of a repository that are named like installers."""
    return {path.name: path.read_bytes() for path in world.repository.glob("Microsoft-ASR_UA_*")}


# The followers


@dataclass
class Mirror:
    """A world that follows some place as a process of its own."""

    world: World
    source: str
    fingerprint: str
    variables: Mapping[str, str] = field(default_factory=dict)

    def words(self, *more: str) -> tuple[str, ...]:
        """The command line to follow by. The fingerprint may be given again, or be empty for none."""
        at = ("--json", "--repository", str(self.world.repository))
        trust = ("--trust", self.fingerprint) if self.fingerprint else ()
        return (*at, "mirror", self.source, *trust, "--yes", *more)

    def run(self, *more: str) -> subprocess.CompletedProcess[str]:
        """Follow, to the end."""
        return processes.cli(self.world, *self.words(*more), variables=self.variables)

    def start(self, *more: str, output: int = subprocess.PIPE) -> subprocess.Popen[str]:
        """Begin to follow. Use as a context manager."""
        return processes.start(self.world, *self.words(*more), variables=self.variables, output=output)

    def configure(self, **settings: object) -> None:
        """Write the configuration file anew."""
        plain = {name: value if isinstance(value, int) else str(value) for name, value in settings.items()}
        lines = [f"{name}: {json.dumps(value)}\n" for name, value in plain.items()]
        (self.world.root / "config.yaml").write_text("".join(["reserve_mb: 0\n", *lines]), encoding="utf-8")


@dataclass(frozen=True)
class Here:
    """The real command line in this process, which begins at once."""

    patch: pytest.MonkeyPatch
    capture: pytest.CaptureFixture[str]

    def cli(
        self, world: World, *arguments: str, variables: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """See `processes.cli`."""
        wanted = {**processes.environment(world), **(variables or {})}
        with self.patch.context() as patch:
            for name in os.environ.keys() - wanted.keys():
                patch.delenv(name)
            for name, value in wanted.items():
                patch.setenv(name, value)
            self.capture.readouterr()
            code = command_line.main(list(arguments))
        return subprocess.CompletedProcess(arguments, code, *self.capture.readouterr())


def error_of(done: subprocess.CompletedProcess[str]) -> str:
    """The code of what a run said went wrong; empty where nothing did."""
    document = json.loads(done.stdout)
    error = document.get("error") or {}
    assert not error or error["hint"], done.stderr
    assert "Traceback" not in done.stderr
    return str(error.get("code", ""))


# TLS


class Authority:
    """Somebody who signs certificates. `file` is what those trust who trust it."""

    def __init__(self, folder: Path, name: str = "authority") -> None:
        folder.mkdir(exist_ok=True)
        self._folder, self._name = folder, x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self._key = ec.generate_private_key(ec.SECP256R1())
        self.file = folder / f"{name}.pem"
        own = self._begun(self._name, timedelta(days=-1), timedelta(days=2)).public_key(self._key.public_key())
        own = own.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        unwanted = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement")
        others = dict.fromkeys((*unwanted, "encipher_only", "decipher_only"), False)
        usage = x509.KeyUsage(key_cert_sign=True, crl_sign=True, **others)
        own = own.add_extension(usage, critical=True)
        self._own_id = x509.SubjectKeyIdentifier.from_public_key(self._key.public_key())
        own = own.add_extension(self._own_id, critical=False)
        self.file.write_bytes(own.sign(self._key, hashes.SHA256()).public_bytes(Encoding.PEM))

    def issue(
        self, name: str, *, host: str = "127.0.0.1", begins: timedelta = timedelta(days=-1), days: int = 2
    ) -> tuple[Path, Path]:
        """A server's certificate and its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        made = self._begun(subject, begins, begins + timedelta(days=days)).public_key(key.public_key())
        made = made.add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address(host))]), critical=False)
        known = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(self._own_id)
        made = made.add_extension(known, critical=False)
        files = self._folder / f"{name}.crt", self._folder / f"{name}.key"
        files[0].write_bytes(made.sign(self._key, hashes.SHA256()).public_bytes(Encoding.PEM))
        files[1].write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return files

    def _begun(self, subject: x509.Name, begins: timedelta, ends: timedelta) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        made = x509.CertificateBuilder().subject_name(subject).issuer_name(self._name)
        made = made.serial_number(x509.random_serial_number())
        return made.not_valid_before(now + begins).not_valid_after(now + ends)


@contextmanager
def served(world: World, folder: Path, certificate: tuple[Path, Path] | None, *more: str) -> Iterator[str]:
    """`serve` as a process of its own, until the end of the `with`; its address."""
    tls = ("--tls-cert", str(certificate[0]), "--tls-key", str(certificate[1])) if certificate else ()
    words = ("--json", "serve", "--set", str(folder), "--listen", "127.0.0.1:0", *tls, *more)
    with processes.start(world, *words) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line, process.communicate()[1]
            yield json.loads(line)["address"]
        finally:
            process.kill()
            process.communicate()
