"""The rules of a download that need no network: how patient, whom to ask, what an answer's headers mean."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final

from repo_manager.core.errors import InputError, TransferError
from repo_manager.core.redaction import DEFAULT_PORTS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

# 429 and 503 carry Retry-After; the others are the ways of servers and proxies that are busy or half up.
PASSING: Final = frozenset((408, 425, 429, 500, 502, 503, 504))

_CONTENT_RANGE: Final = re.compile(r"bytes (?:([0-9]{1,19})-([0-9]{1,19})|\*)/([0-9]{1,19}|\*)", re.ASCII)
_SECONDS: Final = re.compile(r"[0-9]{1,12}", re.ASCII)
_LENGTH: Final = re.compile(r"[0-9]{1,19}", re.ASCII)


@dataclass(frozen=True, slots=True)
class HttpPolicy:
    """How patient a download is, and whom it may ask.

    Attributes:
        hosts: whom it may ask, redirects included: `host` for the scheme's own port, `host:port`
            for another. The caller adds the host of each source it was told to use (`address.host_of`).
        attempts: how often in a row a source may fail without bringing anything new.
        backoff_s: the first wait lies between zero and this; each next one may be twice as long.
        backoff_cap_s: no wait of our own is longer.
        retry_after_cap_s: no wait that a server asks for is longer.
        stall_timeout_s: without a byte for so long, the transfer has failed.
        min_rate: bytes a second, over twice the stall timeout; a slower body has failed. Zero: any.
        proxy: a URL; None for what the environment says, if `trust_env`.
        ca_file: certificates to trust instead of the system's store.
        max_size_bytes: a longer body is refused.
        plain_http: whether a token or password may go to another machine over http.
    """

    hosts: frozenset[str]
    attempts: int = 5
    backoff_s: float = 1.0
    backoff_cap_s: float = 60.0
    retry_after_cap_s: float = 120.0
    connect_timeout_s: float = 15.0
    stall_timeout_s: float = 30.0
    min_rate: int = 1024
    redirects_max: int = 10
    proxy: str | None = None
    trust_env: bool = True
    ca_file: Path | None = None
    user_agent: str = "repo-manager"
    max_size_bytes: int = 8 << 30
    plain_http: bool = False

    def backoff(self, failures: int, random: float) -> float:
        """How long to wait after so many failures in a row: full jitter, `random` being in [0, 1)."""
        # Past 2**32 the cap has long decided, and a float still holds the power.
        return random * min(self.backoff_cap_s, self.backoff_s * 2.0 ** min(failures - 1, 32))


def check_secret(policy: HttpPolicy, *, scheme: str, host: str, url: str) -> None:
    """Raise where a token or password would go to another machine unencrypted.

    Args:
        policy: whether that was allowed.
        scheme: of the address that is asked.
        host: without brackets.
        url: for the message, already `shown`.

    Raises:
        InputError: `secret-over-http`.
    """
    if scheme == "http" and not policy.plain_http and not _is_this_machine(host):
        raise InputError(
            "secret-over-http",
            f"{url}: a token or password would be sent unencrypted, and others on the network could read it",
            "use https://; or add --allow-plain-http if the network is trusted",
        )


def _is_this_machine(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower().rstrip(".") == "localhost"


def check_hop(policy: HttpPolicy, *, scheme: str, entry: str, before: str | None, url: str) -> None:
    """Raise unless a request may go there.

    Args:
        policy: whose `hosts` count.
        scheme: of the URL to ask next.
        entry: its host as in `HttpPolicy.hosts`.
        before: the scheme of the URL that led here; None for the first request.
        url: for the message, already `shown`.

    Raises:
        TransferError: `refused-scheme`, `refused-downgrade`, `refused-host`.
    """
    if scheme not in DEFAULT_PORTS:
        raise TransferError(
            "refused-scheme", f"{url}: only http and https are followed", "give an http or https address"
        )
    if before == "https" and scheme == "http":
        raise TransferError(
            "refused-downgrade",
            f"{url}: a redirect led from https to unprotected http",
            "ask the owner of the source to redirect to https",
        )
    if entry not in policy.hosts:
        raise TransferError(
            "refused-host",
            f"{url}: {entry or 'no host'} is not among the hosts that may be asked",
            "add the host to the catalog or the settings if it can be trusted",
        )


@dataclass(frozen=True, slots=True)
class ContentRange:
    """`bytes first-last/total`. `first` is None in a refusal (416), `total` where the server does not tell."""

    first: int | None
    last: int | None
    total: int | None


def parse_content_range(text: str | None) -> ContentRange | None:
    """Read a Content-Range; None when there is none or it makes no sense."""
    match = _CONTENT_RANGE.fullmatch((text or "").strip())
    if match is None:
        return None
    first, last, total = (int(group) if group and group != "*" else None for group in match.groups())
    if first is not None and last is not None and (last < first or (total is not None and last >= total)):
        return None
    return ContentRange(first, last, total)


def content_length(headers: Mapping[str, str]) -> int | None:
    """The Content-Length, None when there is none or it makes no sense."""
    text = headers.get("content-length", "").strip()
    return int(text) if _LENGTH.fullmatch(text) else None


def is_encoded(headers: Mapping[str, str]) -> bool:
    """Whether the body was compressed on the way, although we asked for it as it is."""
    return headers.get("content-encoding", "").strip().lower() not in {"", "identity"}


def retry_after_s(headers: Mapping[str, str], now: float) -> float | None:
    """How long the server asks to wait, never negative; None when it does not say.

    Args:
        headers: of the answer. A date is compared with the answer's own Date where it has one,
            so that a wrong clock here does no harm.
        now: seconds since 1970, for an answer without a Date.
    """
    text = headers.get("retry-after", "").strip()
    if _SECONDS.fullmatch(text):
        return float(text)
    until = _timestamp(text)
    if until is None:
        return None
    sent = _timestamp(headers.get("date", ""))
    return max(0.0, until - (now if sent is None else sent))


def if_range(etag: str | None, last_modified: str | None) -> str | None:
    """The validator a resumed request may name: a strong entity tag, or else the date of change."""
    if etag is not None and etag.startswith('"'):
        return etag
    return last_modified


def _timestamp(text: str) -> float | None:
    from email.utils import parsedate_to_datetime

    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, TypeError, OverflowError, OSError):
        return None
