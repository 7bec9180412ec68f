r"""Depots: the places a signed set lies in, one interface over all.

    folder        D:\sets\asr    /srv/asr    \\server\share\asr
    web server    https://server/asr        http://server/asr       to read from
    object store  az://container/path       s3://bucket/path

Which engine serves is told by the address. An engine's library is loaded when a depot of its kind is opened.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from repo_manager.adapters.filesystem.paths import refuse_share
from repo_manager.adapters.sources.fetched import never
from repo_manager.adapters.sources.http_rules import Policy, required_host
from repo_manager.adapters.storage.contract import Blob, Depot, checked
from repo_manager.adapters.storage.credentials import Keyring
from repo_manager.core.address import holds_secret, shown
from repo_manager.core.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Blob", "Depot", "Keyring", "checked", "is_folder", "open_depot", "without_secrets"]

# Two letters at least: one is a drive of Windows.
_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://")
# Nobody means a folder of that name.
_SCHEME_HALF_SAID: Final = re.compile(r"(az|s3|https?|smb):", re.IGNORECASE)


def open_depot(
    address: str,
    *,
    policy: Policy | None = None,
    keyring: Keyring | None = None,
    cancelled: Callable[[], bool] = never,
) -> Depot:
    """The depot at this address. Nobody is asked before the depot is used. Close it in the end.

    Args:
        address: as the operator wrote it, without secrets.
        policy: how patient, which proxy, which certificates; the depot's own host need not be in `hosts`.
        keyring: who to be at an object store or a web server.
        cancelled: asked during waits.

    Raises:
        InputError: `unknown-source`, `secret-in-source`, `no-smb-client`, `objects-not-installed`,
            `bad-store-settings`, `bad-proxy`.
        MachineError: `no-ca-file`.
    """
    policy = policy or Policy(frozenset())
    keyring = keyring or Keyring({})
    match = _SCHEME.match(address)
    scheme = match[1].lower() if match else ""
    if scheme in {"http", "https"}:
        from repo_manager.adapters.storage.http import HttpDepot

        return HttpDepot(without_secrets(address), policy, token=keyring.token, cancelled=cancelled)
    if scheme in {"az", "s3"}:
        from repo_manager.adapters.storage.object_store import open_store

        return open_store(without_secrets(address), policy, keyring, cancelled=cancelled)
    if not is_folder(address):
        raise _unknown(address)
    from repo_manager.adapters.storage.local import FolderDepot

    return FolderDepot(Path(address))


def is_folder(address: str) -> bool:
    """Whether the address is that of a folder, as the system reads it.

    Raises:
        NoSmbClientError: see `refuse_share`.
    """
    refuse_share(address)
    return bool(address.strip()) and not (_SCHEME.match(address) or _SCHEME_HALF_SAID.match(address))


def without_secrets(address: str) -> str:
    """The address, if every user of the machine may see it.

    Raises:
        InputError: `secret-in-source`, `unknown-source`.
    """
    _, _, rest = address.partition("://")
    host = rest.partition("/")[0]
    if holds_secret(address):
        raise InputError(
            "secret-in-source",
            f"{shown(address)}: the address holds a user, a query or a signature, which every user of this machine"
            " could see",
            "leave it out; set the store's variables, or store_credentials in the configuration file",
        )
    if not host:
        raise _unknown(address)
    if address.lower().startswith("http"):
        required_host(address)
    return address


def _unknown(address: str) -> InputError:
    return InputError(
        "unknown-source",
        f"{shown(address)!r} is no place a signed set can lie in",
        "name a folder, https://server/path, az://container/path or s3://bucket/path",
    )
