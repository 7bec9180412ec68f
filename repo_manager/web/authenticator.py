"""Who asks, by the token they show; the file of tokens is looked at before every answer."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from repo_manager.web import tokens
from repo_manager.web.tokens import BearerRole, Token, Tokens

if TYPE_CHECKING:
    from pathlib import Path

_SCHEME: Final = re.compile(r"(bearer|basic) +([A-Za-z0-9._~+/=-]{1,512})", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks. `token` is None for one who needed none. `name` is for the log."""

    token: Token | None

    @property
    def name(self) -> str:
        """The token's name."""
        return self.token.name if self.token else "-"

    @property
    def may_look(self) -> bool:
        """Whether this one may see how the fleet stands, and not only the set."""
        return self.token is None or self.token.role is BearerRole.READ


class Authenticator:
    """Knows the tokens. Without a file of them everybody may read, and nobody may report."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._mark: tuple[int, int, int] | None = None
        self._tokens = Tokens()

    @property
    def open_to_all(self) -> bool:
        """Whether nobody needs a token."""
        return self._path is None

    def refresh(self) -> None:
        """Read the file again where it has changed: a token that was removed ends at once.

        Raises:
            InputError: the file cannot be read; then nobody is let in.
        """
        if self._path is None:
            return
        mark = None
        try:
            status = self._path.stat()
            mark = (status.st_mtime_ns, status.st_size, status.st_ino)
        except OSError:
            self._mark = None
        if mark is None or mark != self._mark:
            self._tokens = Tokens()
            self._mark = None
            self._tokens = tokens.load(self._path)
            self._mark = mark

    def visitor(self, authorization: str | None, *, password_too: bool) -> Principal | None:
        """Who this is; None for nobody who is known.

        Args:
            authorization: the header.
            password_too: whether a token may come as the password that a browser asks for. Browsers add it to what
                other sites make them ask, so it is for questions alone.

        Raises:
            InputError: the file of tokens cannot be read.
        """
        self.refresh()
        if self._path is None:
            return Principal(None)
        found = _SCHEME.fullmatch(authorization.strip()) if authorization else None
        if found is None:
            return None
        secret = found[2] if found[1].lower() == "bearer" else _password(found[2]) if password_too else None
        token = None if secret is None else self._tokens.bearer(secret)
        return None if token is None else Principal(token)


def _password(encoded: str) -> str | None:
    try:
        return base64.b64decode(encoded, validate=True).decode("utf-8").partition(":")[2]
    except (binascii.Error, ValueError):
        return None
