"""What a machine is like, for `doctor`: facts, looked at without changing anything."""

from __future__ import annotations

import os
import platform
import ssl
import sys
from typing import TYPE_CHECKING, Final

from repo_manager.adapters.windows import facts
from repo_manager.adapters.windows.locate import APPLIANCE, SERVICE_FOLDER, MachineFacts
from repo_manager.core.redaction import shown

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

# Evidence: the article on troubleshooting process servers lists the services of each kind of server. All have
# `cxprocessserver`; only where the process server is part of a configuration server there is `dra`.
_OF_CONFIGURATION_SERVER: Final = "dra"
_OF_EVERY_SERVER: Final = "cxprocessserver"

# Evidence: the overview of August 2020 asks for a second copy there, on every server.
_SECOND_FOLDER: Final = ("admin", "web", "sw")

_PROXY_VARIABLES: Final = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY")


def system() -> str:
    """The operating system and Python in a few words."""
    return f"{platform.system()} {platform.release()}, Python {platform.python_version()}"


def may_write(folder: Path) -> bool:
    """Whether this user may write there, as far as the system says without trying."""
    if sys.platform == "win32":
        return facts.may_fill(folder)
    return os.access(folder, os.R_OK | os.W_OK | os.X_OK)


def role(profile: str, machine: MachineFacts) -> str | None:
    """What kind of server this is, by its services; None where it has none of those."""
    if profile == APPLIANCE:
        return "replication appliance"
    if machine.has_service(_OF_CONFIGURATION_SERVER):
        return "configuration server"
    if machine.has_service(_OF_EVERY_SERVER):
        return "scale-out process server"
    return None


def second_folder_of(service_folder: Path) -> Path:
    """Where the second copy of a server would be, by the folder that the repository belongs to."""
    return service_folder.parent.joinpath(*_SECOND_FOLDER)


def service_folder_of(repository: Path) -> Path | None:
    """The folder that a repository in its usual place belongs to; None for a repository anywhere else."""
    folder = repository.parent
    return folder if folder.name.casefold() == SERVICE_FOLDER else None


def shown_proxy(address: str) -> str:
    """The address of a proxy, which may come without a scheme, as people may see it."""
    return shown(address if "://" in address else f"http://{address}").removeprefix("http://")


def proxies(environ: Mapping[str, str]) -> tuple[str, ...]:
    """The proxy variables that are set, without what could be a password."""
    found = []
    for name in _PROXY_VARIABLES:
        value = environ.get(name) or environ.get(name.lower())
        if value:
            found.append(f"{name}={shown_proxy(value)}")
    return tuple(found)


def tls() -> str:
    """The TLS library in use."""
    return ssl.OPENSSL_VERSION


def has_service_manager() -> bool:
    """Whether services of Windows can be asked for."""
    return sys.platform == "win32"
