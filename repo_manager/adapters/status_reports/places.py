"""What kind of place an address names; it decides how a report comes there, and how reports are read."""

from __future__ import annotations

import re
from enum import Enum, auto
from typing import Final

from repo_manager.adapters.filesystem.paths import refuse_share
from repo_manager.adapters.storage import without_secrets
from repo_manager.core.address import shown
from repo_manager.core.errors import InputError

FOLDER: Final = "reports"
"""The folder below a place in which reports lie."""


class Kind(Enum):
    """How to speak to a place."""

    WEB = auto()
    STORE = auto()
    FOLDER = auto()


def kind_of(address: str) -> Kind:
    """What kind of place this is.

    Raises:
        InputError: the address holds a secret, or names no place.
    """
    refuse_share(address)
    match = _SCHEME.match(address)
    if match is None:
        return Kind.FOLDER
    kind = _KINDS.get(match[1].lower())
    if kind is None:
        raise InputError(
            "unknown-source",
            f"{shown(address)} is no place that can be reached",
            "name a folder, an address of serve, az://container/path or s3://bucket/path",
        )
    without_secrets(address)
    return kind


# Two letters at least: one is a drive of Windows.
_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://")
_KINDS: Final = {"http": Kind.WEB, "https": Kind.WEB, "az": Kind.STORE, "s3": Kind.STORE}
