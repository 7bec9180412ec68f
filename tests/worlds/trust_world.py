"""A leader, a follower, and whoever stands between them and may change every byte of the depot."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from simulator import name_of
from small_world import data_of
from tuf.api.metadata import Metadata

from repo_manager.adapters.storage.local import LocalStorage
from repo_manager.adapters.tuf.keys import KeyRole, Keys
from repo_manager.adapters.tuf.publisher import InstallerToPublish, Publisher, PublishOrder, PublishResult
from repo_manager.adapters.tuf.signed_set import SetMember
from repo_manager.adapters.tuf.verified_set import TrustAnchor, VerifiedSet, follow
from repo_manager.core import names

if TYPE_CHECKING:
    from securesystemslib.signer import CryptoSigner

    from repo_manager.adapters.storage import Storage
    from repo_manager.adapters.tuf.trust_store import TrustRecord

NOW: Final = datetime(2026, 5, 1, 12, 0, 0, tzinfo=UTC)
DAY: Final = timedelta(days=1)
ALL: Final = ("Windows", "RHEL9-64", "OL8-64", "UBUNTU-22.04-64")
OLD: Final = "9.65"


@dataclass
class Leading:
    """A leader with a folder of installers, a folder of keys and a folder as a depot."""

    root: Path
    now: datetime = NOW

    def __post_init__(self) -> None:
        (self.root / "installers").mkdir(parents=True, exist_ok=True)

    @property
    def depot(self) -> Path:
        return self.root / "depot"

    @property
    def keys(self) -> Keys:
        return Keys(self.root / "keys")

    def items(self, tokens: Iterable[str] = ALL, release: str = "9.66") -> tuple[InstallerToPublish, ...]:
        found = []
        for token in tokens:
            name = name_of(token, release)
            path = self.root / "installers" / name
            path.write_bytes(data_of(name))
            digest = hashlib.sha256(data_of(name)).hexdigest()
            found.append(InstallerToPublish(SetMember(names.parse(name), digest, len(data_of(name))), path))
        return tuple(found)

    def publish(
        self,
        tokens: Iterable[str] = ALL,
        release: str = "9.66",
        *,
        days: int = 30,
        rotate: Iterable[KeyRole] = (),
        renew: bool = False,
        depot: Storage | None = None,
    ) -> PublishResult:
        """What `publish` does, without the repository before it."""
        items = None if renew else self.items(tokens, release)
        self.keys.prepare()
        leader = Publisher(self.keys, depot or LocalStorage(self.depot), self.now)
        return leader.publish(PublishOrder(items, days, frozenset(rotate)), lambda _: None)

    def signer(self, role: KeyRole) -> CryptoSigner:
        signer = self.keys.signer(role)
        assert signer is not None
        return signer

    # What somebody does who may change the depot

    def path(self, role: str, version: int | None = None) -> Path:
        """Where metadata lie; the newest where no version is said."""
        folder = self.depot / "metadata"
        if role == "timestamp":
            return folder / "timestamp.json"
        if version is None:
            version = max(int(path.name.partition(".")[0]) for path in folder.glob(f"*.{role}.json"))
        return folder / f"{version}.{role}.json"

    def read(self, role: str, version: int | None = None) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.path(role, version).read_bytes())
        return found

    def forge(self, role: str, change: Callable[[dict[str, Any]], None], *signers: CryptoSigner) -> None:
        """Change the newest metadata of a role, and sign them with these keys; with none, keep the signatures."""
        path = self.path(role)
        document = self.read(role)
        change(document["signed"])
        if not signers:
            path.write_text(json.dumps(document, separators=(",", ":")), encoding="ascii")
            return
        found: Metadata[Any] = Metadata.from_dict(document)
        found.signatures.clear()
        for signer in signers:
            found.sign(signer, append=True)
        target = path if role == "timestamp" else self.path(role, found.signed.version)
        target.write_bytes(found.to_bytes())

    def chain_up(self, *, sign: bool = True) -> None:
        """Make snapshot and timestamp name what lies there, signed with the leader's own keys: he has lost them."""
        for role, below in (("snapshot", "targets"), ("timestamp", "snapshot")):
            data = self.path(below).read_bytes()
            facts = {
                "version": json.loads(data)["signed"]["version"],
                "length": len(data),
                "hashes": {"sha256": hashlib.sha256(data).hexdigest()},
            }

            def name(signed: dict[str, Any], below: str = below, facts: dict[str, Any] = facts) -> None:
                signed["meta"] = {f"{below}.json": facts}
                signed["version"] += 1

            self.forge(role, name, *([self.signer(KeyRole(role))] if sign else []))


@dataclass
class Following:
    """A follower with a memory. A refusal leaves it as it was."""

    depot: Storage
    fingerprint: str | None = None
    now: datetime = NOW
    memory: TrustRecord | None = field(default=None, repr=False)

    def follow(self, *, accept_expired: bool = False, anchor: TrustAnchor | None = None) -> VerifiedSet:
        """Look at the depot, and remember what was seen."""
        first = TrustAnchor(self.fingerprint) if self.fingerprint and self.memory is None else None
        followed = follow(self.depot, self.memory, anchor=anchor or first, accept_expired=accept_expired, now=self.now)
        self.memory = followed.memory
        return followed

    def at(self, depot: Storage) -> Following:
        """The same follower, at another place."""
        return replace(self, depot=depot)
