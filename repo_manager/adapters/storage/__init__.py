"""Depots: the places of signed sets, one interface over all. The type of the address decides which engine serves.

An engine's library is loaded when a depot of its kind is opened.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from repo_manager.adapters.sources.fetched import never
from repo_manager.adapters.sources.http_rules import HttpPolicy
from repo_manager.adapters.storage.contract import Storage, StoredFile, checked
from repo_manager.adapters.storage.credentials import Credentials
from repo_manager.core.address import Folder, ObjectStore, Web

if TYPE_CHECKING:
    from collections.abc import Callable

    from repo_manager.core.address import Address

__all__ = ["Credentials", "Storage", "StoredFile", "checked", "open_depot"]


def open_depot(
    address: Address,
    *,
    policy: HttpPolicy | None = None,
    keyring: Credentials | None = None,
    cancelled: Callable[[], bool] = never,
) -> Storage:
    """The depot at this address. Nothing is read before the depot is used. Close it in the end.

    Args:
        address: one without secrets.
        policy: how patient, which proxy, which certificates; the depot's own host need not be in `hosts`.
        keyring: who to be at an object store or a web server.
        cancelled: asked during waits.

    Raises:
        InputError: `unknown-source`, `objects-not-installed`, `bad-store-settings`, `bad-proxy`.
        MachineError: `no-ca-file`.
    """
    policy = policy or HttpPolicy(frozenset())
    keyring = keyring or Credentials({})
    match address:
        case Web():
            from repo_manager.adapters.storage.http import HttpStorage

            return HttpStorage(address, policy, token=keyring.token, cancelled=cancelled)
        case ObjectStore():
            from repo_manager.adapters.storage.object_store import open_store

            return open_store(address, policy, keyring, cancelled=cancelled)
        case Folder():
            from repo_manager.adapters.storage.local import LocalStorage

            return LocalStorage(Path(address.path))
    raise TypeError(address)
