"""What a machine is like, for `doctor`: facts, looked at without changing anything."""

from __future__ import annotations

import os
import platform
import ssl
import sys
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_PROXY_VARIABLES: Final = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY")


def system() -> str:
    """The operating system and Python in a few words."""
    return f"{platform.system()} {platform.release()}, Python {platform.python_version()}"


def may_write(folder: Path) -> bool:
    """Whether this user may write there, as far as the system says without trying."""
    return os.access(folder, os.R_OK | os.W_OK | os.X_OK)


def proxies(environ: Mapping[str, str]) -> tuple[str, ...]:
    """The proxy variables that are set, without what could be a password."""
    found = []
    for name in _PROXY_VARIABLES:
        value = environ.get(name) or environ.get(name.lower())
        if value:
            found.append(f"{name}={value.rpartition('@')[2]}")
    return tuple(found)


def tls() -> str:
    """The TLS library in use."""
    return ssl.OPENSSL_VERSION


def has_service_manager() -> bool:
    """Whether services of Windows can be asked for."""
    return sys.platform == "win32"
