"""The root metadata of a set that is published: who may sign what, from the first version to the newest.

A key is replaced so that a reader at no moment meets a set it cannot verify:

    root N      names the old key and the new one
    the set     signed with the new key (and with the old one, where it is still there)
    root N+1    names the new key alone
    the new key's file takes the place of the old one's

Each step can be told from the ones before by what lies in the keys' folder and in the newest root, so a
run that was killed is gone on with by the next.
"""

from __future__ import annotations

import copy
import hashlib
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from repo_manager.adapters.tuf.keys import KeyRole
from repo_manager.adapters.tuf.signed_set import ABSENT, ROOT_LIMIT, metadata_path, read_metadata
from repo_manager.core.errors import InputError, TransferError, VerificationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from securesystemslib.signer import CryptoSigner
    from tuf.api.metadata import Metadata, Root

    from repo_manager.adapters.storage import Storage
    from repo_manager.adapters.tuf.keys import Keys

ROOT_DAYS: Final = 3650
"""Long, because to renew it the offline key must be fetched, and followers stop when it ends."""

_SIGNING: Final = (KeyRole.TARGETS, KeyRole.SNAPSHOT, KeyRole.TIMESTAMP)


class RootChain:
    """The roots of one set, kept with the keys and laid into the depot.

    `there` has the size of every file of the depot, by path. `verify` compares every root in the depot with the one
    that is kept here, and writes again what is no root metadata. `broken` has the paths of those with what is wrong,
    and `rotated` the keys that have been replaced.
    """

    def __init__(
        self, keys: Keys, depot: Storage, there: Mapping[str, int], now: datetime, *, verify: bool = False
    ) -> None:
        self._keys = keys
        self._depot = depot
        self._there = there
        self._now = now
        self._files: list[bytes] = []
        self._newest: Metadata[Root] | None = None
        self._verify = verify
        self.broken: dict[str, str] = {}
        self.rotated: set[KeyRole] = set()

    @property
    def length(self) -> int:
        """How many roots there are."""
        return len(self._files)

    @property
    def newest_digest(self) -> str:
        """The sha256 of the newest root's bytes, in hex."""
        return hashlib.sha256(self._files[-1]).hexdigest()

    @property
    def begun(self) -> bool:
        """Whether there is a root by now."""
        return self._newest is not None

    @property
    def fingerprint(self) -> str:
        """The sha256 of the first root's bytes, in hex: what followers are told to trust."""
        return hashlib.sha256(self._files[0]).hexdigest()

    @property
    def root(self) -> Root:
        """The newest root."""
        if self._newest is None:
            raise AssertionError
        return self._newest.signed

    def load(self) -> None:
        """Take up the chain: what the keys' folder has of it, then what the depot has more.

        Raises:
            VerificationError: the depot has another chain.
        """
        for number, data in enumerate(self._keys.chain(), start=1):
            self._take(data, f"{self._keys.folder}: root {number}")
        known = len(self._files)
        # The newest that is known as well: another machine with the same keys may have signed another one.
        first_and_last = {1, known} if known else set[int]()
        for number in range(1, known + 1) if self._verify else sorted(first_and_last):
            found = self._in_depot(number)
            if self._verify and found is None and self._there:
                self.broken[metadata_path(number, "root")] = "it is missing"
            elif found is not None and found != self._files[number - 1]:
                if not self._verify or _is_root(found):
                    raise _foreign(self._depot)
                self.broken[metadata_path(number, "root")] = "it is not root metadata"
        while (more := self._in_depot(len(self._files) + 1)) is not None:
            self._take(more, f"{self._depot.name}: root {len(self._files) + 1}")
        if known == 0 and self._files and not self._ours():
            raise _foreign(self._depot)
        for number in range(known + 1, len(self._files) + 1):
            self._keys.remember_root(number, self._files[number - 1])

    def begin(self, rotate: Iterable[KeyRole]) -> None:
        """See that the newest root names the keys that are going to sign, and lay all roots into the depot.

        Raises:
            InputError: `key-missing`: the root's key is needed and not here.
        """
        self._go_on()
        if self._newest is None:
            self._first()
        for role in rotate:
            self._need_root_key(f"replace the key of {role.value}")
            self._keys.make(role, successor=True)
        self._add_successors()
        for number, data in enumerate(self._files, start=1):
            path = metadata_path(number, "root")
            if path not in self._there and self._there:
                refuse_taken(self._depot, path)
            if path in self.broken or self._there.get(path) != len(data):
                self._depot.write(path, data)
        self._go_on()

    def check_first(self) -> None:
        """Refuse what would end when the first root is made, before anything is sent for it.

        Raises:
            InputError: `key-missing`; `key-unreadable`.
        """
        there = [role for role in KeyRole if self._keys.signer(role) is not None]
        if self._keys.any and KeyRole.ROOT not in there:
            raise self._root_key_missing("begin a set")

    def finish(self) -> None:
        """Let the old keys go, now that the set is signed with the new ones."""
        done = [role for role in _SIGNING if self._keys.signer(role, successor=True) is not None]
        root = copy.deepcopy(self.root)
        for role in done:
            successor = self._successor(role)
            if successor is not None:
                for keyid in [keyid for keyid in root.roles[role.value].keyids if keyid != successor.public_key.keyid]:
                    root.revoke_key(keyid, role.value)
        if root != self.root:
            self._sign(root, ())
            path = metadata_path(len(self._files), "root")
            refuse_taken(self._depot, path)
            self._depot.write(path, self._files[-1])
        for role in done:
            self._keys.succeed(role)
        self.rotated.update(done)

    def signers(self, role: KeyRole) -> tuple[CryptoSigner, ...]:
        """The keys that are here and may sign for a role; nothing where none is."""
        found = (self._keys.signer(role), self._successor(role))
        allowed = self.root.roles[role.value].keyids
        return tuple(signer for signer in found if signer is not None and signer.public_key.keyid in allowed)

    def rotating(self, role: KeyRole) -> bool:
        """Whether a role's key is being replaced."""
        return self._successor(role) is not None

    def _successor(self, role: KeyRole) -> CryptoSigner | None:
        return self._keys.signer(role, successor=True)

    def _go_on(self) -> None:
        """The root's new key takes the old one's place as soon as the newest root names it alone."""
        heir = self._successor(KeyRole.ROOT)
        if heir is not None and self.begun and self.root.roles["root"].keyids == [heir.public_key.keyid]:
            self._keys.succeed(KeyRole.ROOT)
            self.rotated.add(KeyRole.ROOT)

    def _first(self) -> None:
        from tuf.api.metadata import Root

        self.check_first()
        root = Root(expires=self._expires(), consistent_snapshot=True)
        for role in KeyRole:
            root.add_key(self._keys.make(role).public_key, role.value)
        self._sign(root, (), version=1)

    def _add_successors(self) -> None:
        """A new root, where keys are to take over, or where the newest has half of its time behind it."""
        root = copy.deepcopy(self.root)
        for role in _SIGNING:
            successor = self._successor(role)
            if successor is not None and successor.public_key.keyid not in root.roles[role.value].keyids:
                root.add_key(successor.public_key, role.value)
        signers: tuple[CryptoSigner, ...] = ()
        heir = self._successor(KeyRole.ROOT)
        if heir is not None:
            signers = (heir,)
            for keyid in list(root.roles["root"].keyids):
                root.revoke_key(keyid, "root")
            root.add_key(heir.public_key, "root")
        aged = root.expires - self._now < timedelta(days=ROOT_DAYS / 2)
        if root != self.root or (aged and self._may_sign()):
            self._sign(root, signers)

    def _sign(self, root: Root, also: tuple[CryptoSigner, ...], version: int | None = None) -> None:
        from tuf.api.metadata import Metadata

        self._need_root_key("sign a new root")
        old = self._keys.signer(KeyRole.ROOT)
        root.version = version or self.root.version + 1
        root.expires = self._expires()
        signed: Metadata[Root] = Metadata(root)
        for signer in (old, *also):
            if signer is not None:
                signed.sign(signer, append=True)
        data = signed.to_bytes()
        self._keys.remember_root(root.version, data)
        self._take(data, "the new root")

    def _may_sign(self) -> bool:
        signer = self._keys.signer(KeyRole.ROOT)
        return signer is not None and (
            self._newest is None or signer.public_key.keyid in self.root.roles["root"].keyids
        )

    def _need_root_key(self, what: str) -> None:
        if not self._may_sign():
            raise self._root_key_missing(what)

    def _root_key_missing(self, what: str) -> InputError:
        return InputError(
            "key-missing",
            f"to {what}, the key root.pem is needed, and {self._keys.folder} does not have the right one",
            "bring the root key from where it is kept, for this run",
        )

    def _ours(self) -> bool:
        return any(self.signers(role) for role in (*_SIGNING, KeyRole.ROOT))

    def _expires(self) -> datetime:
        return self._now + timedelta(days=ROOT_DAYS)

    def _in_depot(self, number: int) -> bytes | None:
        path = metadata_path(number, "root")
        return read_if_any(self._depot, path, ROOT_LIMIT) if path in self._there else None

    def _take(self, data: bytes, where: str) -> None:
        """One more root, if the one before says that it may be."""
        from tuf.api.exceptions import RepositoryError

        found: Metadata[Any] = read_metadata(data, "root", where)
        try:
            for delegator in (self._newest.signed if self._newest else found.signed, found.signed):
                delegator.verify_delegate("root", found.signed_bytes, found.signatures)
        except (RepositoryError, ValueError) as error:
            raise VerificationError(
                "foreign-set", f"{where}: not signed with the keys of the root before it", _FOREIGN_HINT
            ) from error
        if found.signed.version != len(self._files) + 1:
            raise VerificationError("foreign-set", f"{where}: has the version {found.signed.version}", _FOREIGN_HINT)
        self._files.append(data)
        self._newest = found


def read_if_any(depot: Storage, path: str, limit_bytes: int) -> bytes | None:
    """A small file of a depot, None where there is none."""
    try:
        blob = depot.read(path, limit_bytes=limit_bytes)
    except TransferError as error:
        if error.code in ABSENT:
            return None
        raise
    return None if blob is None else blob.data


def refuse_taken(depot: Storage, path: str) -> None:
    """Versioned files are written once. One that is there by now was written by another machine.

    Raises:
        TransferError: `published-meanwhile`.
    """
    if depot.size(path) is not None:
        raise published_meanwhile(depot, path)


def published_meanwhile(depot: Storage, path: str) -> TransferError:
    """Two machines publish to one place at the same time."""
    return TransferError(
        "published-meanwhile",
        f"{depot.name}: somebody else published there at the same time ({path})",
        "run again; let one machine alone publish to a place",
    )


def _is_root(data: bytes) -> bool:
    """Whether these are root metadata, signed by those whom they name."""
    from tuf.api.exceptions import RepositoryError

    try:
        found: Metadata[Any] = read_metadata(data, "root", "")
        found.signed.verify_delegate("root", found.signed_bytes, found.signatures)
    except (RepositoryError, ValueError, VerificationError):
        return False
    return True


_FOREIGN_HINT: Final = "name the keys that this set was published with, or publish to another place"


def _foreign(depot: Storage) -> VerificationError:
    return VerificationError("foreign-set", f"{depot.name} holds a set that was signed with other keys", _FOREIGN_HINT)
