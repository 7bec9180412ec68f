"""The keys that sign a set: one Ed25519 key a role, each in a file of one folder.

    root.pem          says which keys count; best kept offline
    targets.pem       says what the set holds; may be kept offline
    snapshot.pem      both renew the set
    timestamp.pem
    ROLE.next.pem     the key that takes over, while a rotation is under way
    metadata/         what was signed with them, to go on from; nothing secret

A key is made in one step: its file is there whole or not at all.
"""

from __future__ import annotations

import json
import sys
from enum import StrEnum
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

from repo_manager.adapters.filesystem import trusted_files
from repo_manager.adapters.filesystem.atomic_write import replacing
from repo_manager.adapters.filesystem.opening import (
    PRIVATE_FILE_MODE,
    PRIVATE_FOLDER_MODE,
    make_folders,
    write_all,
)
from repo_manager.adapters.filesystem.os_errors import translated
from repo_manager.adapters.filesystem.paths import component, inside, reachable, shown
from repo_manager.adapters.filesystem.rename import Mover, sync_above, sync_folder
from repo_manager.adapters.filesystem.trusted_files import Correction
from repo_manager.core.errors import InputError, MachineError, install_hint

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from securesystemslib.signer import CryptoSigner

PASSPHRASE_VARIABLE: Final = "REPO_MANAGER_KEYS_PASSPHRASE"  # noqa: S105 - the name of a variable


class KeyRole(StrEnum):
    """What a key is for."""

    ROOT = "root"
    TARGETS = "targets"
    SNAPSHOT = "snapshot"
    TIMESTAMP = "timestamp"


def require_trust() -> None:
    """Refuse early what cannot be done without the libraries.

    Raises:
        InputError: `trust-not-installed`.
    """
    if find_spec("tuf") is None or find_spec("cryptography") is None:
        raise InputError(
            "trust-not-installed",
            "signed sets need the extra 'trust', which is not installed here",
            install_hint("trust"),
        )


class Keys:
    """The keys of one folder. `passphrase` locks those that are made, and opens those that are locked.

    `step` is called before every primitive step that writes, with the step in words.
    """

    def __init__(
        self, folder: Path, passphrase: str | None = None, *, step: Callable[[str], None] = lambda _: None
    ) -> None:
        self.folder = reachable(folder)
        self._passphrase = passphrase.encode() if passphrase else None
        self._step = step

    @property
    def any(self) -> bool:
        """Whether there is a key, or the memory of one."""
        return any(self._path(role).exists() for role in KeyRole) or bool(self.chain())

    def prepare(self) -> None:
        """Make the folder, for its owner alone.

        Raises:
            MachineError: it cannot be made.
        """
        with translated(self.folder):
            if not self.folder.is_dir():
                make_folders(self.folder, PRIVATE_FOLDER_MODE)
                _tighten(self.folder)
                sync_above(self.folder)
            kept = self.folder / "metadata"
            if not kept.is_dir():
                make_folders(kept, PRIVATE_FOLDER_MODE)
                sync_above(kept)

    def signer(self, role: KeyRole, *, successor: bool = False) -> CryptoSigner | None:
        """What signs for a role, None where its key is not here.

        Raises:
            InputError: the file holds no Ed25519 key, or none that the passphrase opens.
            MachineError: it cannot be read.
        """
        path = self._path(role, successor=successor)
        data = self._believed(path)
        if data is None:
            return None
        from securesystemslib.signer import CryptoSigner

        return CryptoSigner(self._opened(path, data))

    def make(self, role: KeyRole, *, successor: bool = False) -> CryptoSigner:
        """Make a role's key, or the one that takes over from it. One that is there is never replaced.

        Raises:
            MachineError: it cannot be written.
        """
        there = self.signer(role, successor=successor)
        if there is not None:
            return there
        from cryptography.hazmat.primitives import serialization
        from securesystemslib.signer import CryptoSigner

        signer = CryptoSigner.generate_ed25519()
        private = serialization.load_pem_private_key(signer.private_bytes, None)
        locking: serialization.KeySerializationEncryption = serialization.NoEncryption()
        if self._passphrase:
            locking = serialization.BestAvailableEncryption(self._passphrase)
        data = private.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, locking)
        self._write(self._path(role, successor=successor), data)
        return signer

    def succeed(self, role: KeyRole) -> None:
        """The successor is the role's key from now on; the old one is gone.

        Raises:
            MachineError: the file cannot be renamed.
        """
        new, old = self._path(role, successor=True), self._path(role)
        with translated(new):
            self._step(f"rename {new.name} -> {old.name}")
            Mover().replace(new, old)
            sync_folder(self.folder)

    # What was signed

    def chain(self) -> tuple[bytes, ...]:
        """The root metadata so far, from the first to the newest. Nothing where none is known."""
        found: list[bytes] = []
        while (data := self._read(f"{len(found) + 1}.root.json")) is not None:
            found.append(data)
        return tuple(found)

    def remember_root(self, version: int, data: bytes) -> None:
        """Keep root metadata; the first is what followers trust."""
        self._write(self._kept(f"{version}.root.json"), data)

    def seen(self, place: str) -> Mapping[str, int]:
        """What was kept of a place, nothing where that is nothing. `place` is a file name.

        Raises:
            MachineError: `keys-damaged`: it makes no sense. Without it nobody would notice a set that was put back.
        """
        data = self._read(f"{place}.json")
        try:
            found = {} if data is None else json.loads(data)
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict) or any(type(number) is not int for number in found.values()):
            raise MachineError(
                "keys-damaged",
                f"{shown(self._kept(f'{place}.json'))}: what is remembered of the last publishing is damaged",
                "put the file back from a copy of the keys; if there is none, see that the newest set is where it was"
                " published to, and delete the file",
            )
        return found

    def remember(self, place: str, numbers: Mapping[str, int]) -> None:
        """Keep what is to be known of a place: the versions that were published there, and for how many days."""
        if dict(self.seen(place)) != dict(numbers):
            self._write(self._kept(f"{place}.json"), json.dumps(dict(numbers)).encode())

    def _path(self, role: KeyRole, *, successor: bool = False) -> Path:
        return self.folder / f"{role.value}{'.next' if successor else ''}.pem"

    def _kept(self, name: str) -> Path:
        return inside(self.folder / "metadata", component(name))

    def _read(self, name: str) -> bytes | None:
        return self._believed(self._kept(name))

    def _believed(self, path: Path) -> bytes | None:
        """The bytes of a file, None where there is none. A key that others could have put there is none of ours."""
        correction = Correction(self.folder, f' --keys "{shown(self.folder)}"')
        with translated(path):
            try:
                return trusted_files.read(path, correction=correction)
            except FileNotFoundError:
                return None

    def _opened(self, path: Path, data: bytes) -> Ed25519PrivateKey:
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        from cryptography.hazmat.primitives.serialization import load_pem_private_key

        locked = b"ENCRYPTED" in data
        try:
            key: Any = load_pem_private_key(data, self._passphrase if locked else None)
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            if not locked:
                words, hint = "holds no key", "put the right file back"
            elif self._passphrase is None:
                words, hint = "is locked, and no passphrase was given", f"set {PASSPHRASE_VARIABLE}"
            else:
                words = "the passphrase does not open it"
                hint = f"set {PASSPHRASE_VARIABLE} to the one that the keys were made with"
            raise InputError("key-unreadable", f"{shown(path)}: {words}", hint) from error
        if not isinstance(key, Ed25519PrivateKey):
            raise InputError("key-unreadable", f"{shown(path)}: not an Ed25519 key", "put the right file back")
        return key

    def _write(self, path: Path, data: bytes) -> None:
        """For the owner alone; whole or not at all."""
        with translated(path), replacing(path, mode=PRIVATE_FILE_MODE, step=self._step) as file:
            write_all(file, data)


if sys.platform == "win32":
    # The system, the administrators and the owner, inherited by what lies in it.
    # Evidence: "Security Descriptor String Format" on Microsoft Learn.
    _OWN: Final = "D:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)(A;OICI;FA;;;OW)"

    def _tighten(folder: Path) -> None:
        """Let nobody else in: the mode of a new folder says nothing here."""
        import win32security

        described = win32security.ConvertStringSecurityDescriptorToSecurityDescriptor(_OWN, 1)
        win32security.SetNamedSecurityInfo(
            str(folder),
            win32security.SE_FILE_OBJECT,
            win32security.DACL_SECURITY_INFORMATION | win32security.PROTECTED_DACL_SECURITY_INFORMATION,
            None,
            None,
            described.GetSecurityDescriptorDacl(),
            None,
        )

else:

    def _tighten(folder: Path) -> None:
        """Let nobody else in: the mode of a new folder is enough."""
