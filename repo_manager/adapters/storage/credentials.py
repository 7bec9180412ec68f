"""Who to be at an object store or a web server: names and values from variables and from a file.

The names are those that the stores' own tools use, so that what works there works here. A value is never
an option, and never in a message, a log or a report.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from repo_manager.adapters.filesystem.secret_file import pairs
from repo_manager.core.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

TOKEN_VARIABLE: Final = "REPO_MANAGER_DEPOT_TOKEN"  # noqa: S105 - the name of a variable

_PREFIXES: Final = ("AZURE_", "AWS_")


@dataclass(frozen=True, slots=True)
class Credentials:
    """Values by the names of their variables, upper case. Its `repr` shows none."""

    values: Mapping[str, str] = field(repr=False)

    def first(self, *names: str) -> str | None:
        """The value of the first of these names that has one."""
        return next((value for name in names if (value := self.values.get(name, "").strip())), None)

    @property
    def token(self) -> str | None:
        """The bearer token for a web server.

        Raises:
            InputError: it has characters that no header can carry.
        """
        token = self.first(TOKEN_VARIABLE)
        if token is not None and not (token.isascii() and token.isprintable() and " " not in token):
            raise InputError(
                "bad-store-settings", f"{TOKEN_VARIABLE} is no token: it has blanks or odd characters", "correct it"
            )
        return token


def keyring(environ: Mapping[str, str], file: Path | None) -> Credentials:
    """What the variables say, and below that what the file says.

    The file has lines `NAME=value`, with the names of the variables.

    Raises:
        InputError: `store-credentials`: the file makes no sense, or others may read it. Never with a word of its
            values.
    """
    values = {} if file is None else _from_file(file)
    named = {name.upper(): value for name, value in environ.items() if value and _known(name.upper())}
    return Credentials(values | named)


def _known(name: str) -> bool:
    return name == TOKEN_VARIABLE or name.startswith(_PREFIXES)


def _from_file(file: Path) -> dict[str, str]:
    found = pairs(file, _known, f"AZURE_...=, AWS_...= or {TOKEN_VARIABLE}=", "store-credentials")
    return {name: value.strip() for name, value in found.items()}
