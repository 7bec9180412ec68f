r"""Texts as people may see them: addresses in them lose user, password, query and fragment.

`shown` is for one address, `redacted` for a text that may quote some, such as the message of a library's exception.
Every address in output, logs, reports and records passes one of the two. `holds_secret` is the one rule of what they
leave out.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

DEFAULT_PORTS: Final = {"http": 80, "https": 443}

# Also with one slash, with backslashes and with none, as people mistype the schemes that the tool knows.
_HALF: Final = r"(?:https?|smb|az|s3|ftps?|file)"
_ADDRESS: Final = re.compile(
    rf"\s*(?:([A-Za-z][A-Za-z0-9+.-]+)://|({_HALF}):[/\\]*)(.*)", re.DOTALL | re.IGNORECASE | re.ASCII
)
_HOST: Final = re.compile(r"(\[[0-9A-Fa-f:.]+(?:%[^\s\]]*)?\]|[^\s:\[\]<>\"'`^{|}]*)(?::([0-9]{0,5}))?", re.ASCII)
_USER_OF_SHARE: Final = re.compile(r"(\\\\)[^\\/]*:[^\\/]*@")
# An address without its scheme, or with a mistyped one, is taken for a path. One letter before a colon is a drive.
_USER_OF_PATH: Final = re.compile(
    r"(?<![\w./\\%+~-])(?:((?:\w+:?)?//)[\w.%+~-]+|[\w.%+~-]{2,}):[^\s/\\@]+(?:@[^\s/\\@]+)*@(?=[\w\[])", re.ASCII
)
# A password may have blanks: they belong to the address where a colon with no blank behind it, and no port, is before
# and an @ behind them. A quotation mark belongs to it unless what follows shows that it closes a quotation.
_IN_TEXT: Final = re.compile(
    rf"(?:[A-Za-z][A-Za-z0-9+.-]*://|\b{_HALF}:(?:[/\\]+|(?=\S*@)))"
    rf"(?:[^\s/@:]*:(?!\s|[0-9]{{1,5}}[\s:,.;)])[^/@\n]*@)?(?:[^\s\"'`]|[\"'`](?![\s,.:;)\]}}]|$))*",
    re.IGNORECASE | re.ASCII,
)
_START: Final = re.compile(rf"[A-Za-z][A-Za-z0-9+.-]+://|\b{_HALF}:(?:[/\\]|(?=\S*@))", re.IGNORECASE | re.ASCII)
_PUNCTUATION: Final = ".,:;)]}>\"'`"


def host_entry(scheme: str, host: str, port: int | None) -> str:
    """`host`, or `host:port` when the port is not the scheme's own; an address of IPv6 in brackets."""
    host = f"[{host}]" if ":" in host else host
    return host if port is None or port == DEFAULT_PORTS.get(scheme) else f"{host}:{port}"


def shown(address: str) -> str:
    r"""The address without user, password, query and fragment; a path of a disk as it is.

    Of an address whose parts cannot be told apart only the scheme is left.

    >>> shown("https://user:password@Server:8443/set?sig=1#top")
    'https://server:8443/set'
    >>> shown("s3://KEY:sec/ret@bucket/path")
    's3://...'
    >>> shown(r"\\server\share"), shown(r"\\user:password@server\share")
    ('\\\\server\\share', '\\\\server\\share')
    """
    parts = split(address)
    if parts is None:
        return _without_user(address)
    scheme, rest, authority = parts.scheme, parts.rest, parts.authority
    host = _host(authority)
    # What looks like a path may be the rest of a password that has a slash.
    if host is None or not host[1] or (rest.rfind("@") >= len(authority) and ":" in rest[: rest.rfind("@")]):
        return f"{scheme}://..."
    name = host[1][1:-1] if host[1].startswith("[") else host[1]
    port = int(host[2]) if host[2] else None
    return f"{scheme}://{host_entry(scheme, name.lower(), port)}{parts.path}"


def redacted(text: str) -> str:
    """The text with every address in it as `shown`, and the punctuation behind it."""
    if "@" not in text and ":/" not in text and ":\\" not in text:
        return text
    return _without_user(_IN_TEXT.sub(_in_text, text))


def holds_secret(text: str) -> bool:
    """Whether a text is or contains an address with a part that is not shown.

    >>> holds_secret("https://server/set"), holds_secret("https://server/set?sig=1")
    (False, True)
    >>> holds_secret("--source=https://user:password@server/set")
    True
    """
    start = _START.search(text)
    parts = split(text) or (split(text[start.start() :]) if start else None)
    if parts is None:
        return _without_user(text) != text
    return any(mark in parts.rest for mark in "?#") or "@" in (
        parts.authority if _host(parts.authority) else parts.rest
    )


class Parts(NamedTuple):
    """An address taken apart: `rest` is all behind the scheme, `authority` and `path` are parts of it.

    `complete` says whether `://` is behind the scheme.
    """

    scheme: str
    complete: bool
    rest: str
    authority: str
    path: str


def split(address: str) -> Parts | None:
    """The parts of an address; None for a path of a disk."""
    found = _ADDRESS.fullmatch(address)
    if found is None:
        return None
    plain = re.split(r"[?#]", found[3], maxsplit=1)[0]
    authority = re.split(r"[/\\]", plain, maxsplit=1)[0]
    scheme = (found[1] or found[2]).lower()
    return Parts(scheme, found[1] is not None, found[3], authority, plain[len(authority) :])


def _without_user(text: str) -> str:
    return _USER_OF_PATH.sub(lambda found: found[1] or "", _USER_OF_SHARE.sub(r"\1", text))


def _host(authority: str) -> re.Match[str] | None:
    """The host and the port; None where the authority is malformed."""
    return _HOST.fullmatch(authority.rpartition("@")[2])


def _in_text(found: re.Match[str]) -> str:
    address = found[0].rstrip(_PUNCTUATION)
    plain, rest = shown(address), found[0][len(address) :]
    return plain + (rest.lstrip(".") if plain.endswith("...") else rest)
