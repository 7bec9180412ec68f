"""One request and its answer over HTTP: redirects by our rules, failures in our words.

The only module that imports httpx, and only when a transport is made: a command that fetches nothing
does not pay for it.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from repo_manager.adapters.sources.http_rules import PASSING, check_hop, check_secret
from repo_manager.core.address import host_of
from repo_manager.core.errors import InputError, MachineError, TransferError
from repo_manager.core.redaction import host_entry, shown

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator, Mapping
    from types import TracebackType
    from typing import Self

    import httpx

    from repo_manager.adapters.sources.http_rules import HttpPolicy

_REDIRECTS: Final = frozenset((301, 302, 303, 307, 308))
_AGAIN: Final = "run the same command again to resume"


class PassingError(TransferError):
    """A failure that may pass by itself, so that asking again makes sense.

    Attributes:
        wait_s: how long the server asked to wait; None when it did not say.
    """

    def __init__(self, code: str, message: str, hint: str = _AGAIN, *, wait_s: float | None = None) -> None:
        super().__init__(code, message, hint)
        self.wait_s = wait_s


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server said, its body still to come.

    Attributes:
        url: who answered in the end, as messages may show it.
        headers: looked up without regard to case.
    """

    url: str
    status: int
    headers: Mapping[str, str]
    _response: httpx.Response
    _stall_timeout_s: float

    def body(self) -> Iterator[bytes | memoryview]:
        """The body's bytes as they come, never decoded; only inside the `ask` they came from.

        A chunk is good until the next one is asked for.

        Raises:
            PassingError: `cut-off` or `stalled`, after all bytes that did come.
        """
        import httpx

        from repo_manager.adapters.sources._body import chunks

        # Between two chunks the caller is at work: its errors never come through here.
        try:
            yield from chunks(self._response, self._stall_timeout_s)
        except TimeoutError as error:
            raise _stalled(self.url) from error
        except OSError as error:
            raise _cut_off(self.url) from error
        except httpx.HTTPError as error:
            raise _translate(error, self.url) from error


class Transport:
    """A pool of connections, for any number of threads. Close it in the end."""

    def __init__(self, policy: HttpPolicy) -> None:
        from http.cookiejar import CookieJar, DefaultCookiePolicy

        import httpx

        _silence()
        self._policy = policy
        if policy.proxy is not None and not host_of(policy.proxy):
            raise _bad_proxy()
        try:
            self._client = httpx.Client(
                verify=trust(policy),
                proxy=policy.proxy,
                trust_env=policy.trust_env,
                follow_redirects=False,
                timeout=httpx.Timeout(policy.stall_timeout_s, connect=policy.connect_timeout_s, pool=None),
                headers={"User-Agent": policy.user_agent, "Accept-Encoding": "identity"},
                # No server gets to mark us.
                cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
            )
        except (httpx.InvalidURL, ValueError, ImportError):
            # Same: it may quote a password.
            raise _bad_proxy() from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close every connection."""
        self._client.close()

    @contextmanager
    def ask(self, method: str, url: str, headers: Mapping[str, str], content: bytes | None = None) -> Iterator[Answer]:
        """Send one request, with a body where there is one, and follow its redirects, each under the policy's rules.

        Raises:
            InputError: `secret-over-http`.
            PassingError: `cannot-connect`, `stalled`, `cut-off`.
            TransferError: `refused-scheme`, `refused-downgrade`, `refused-host`, `too-many-redirects`,
                `bad-address`, `certificate-refused`, `proxy-refused`.
        """
        import httpx

        where = shown(url)
        response: httpx.Response | None = None
        try:
            before: str | None = None
            target = httpx.URL(url)
            for _ in range(self._policy.redirects_max + 1):
                where = shown(str(target))
                self._check(target, before, where)
                if target.userinfo or "Authorization" in headers:
                    check_secret(self._policy, scheme=target.scheme, host=target.host, url=where)
                request = self._client.build_request(method, target, headers=dict(headers), content=content)
                response = self._client.send(request, stream=True)
                if response.status_code not in _REDIRECTS or "location" not in response.headers:
                    yield Answer(where, response.status_code, response.headers, response, self._policy.stall_timeout_s)
                    return
                response.close()
                before, target = target.scheme, target.join(response.headers["location"])
            raise TransferError(
                "too-many-redirects",
                f"{shown(url)}: more than {self._policy.redirects_max} redirects",
                "ask the owner of the source where the file lies now",
            )
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            # An address that httpx cannot read is quoted in part by the cause, and the part may be a password.
            raise _translate(error, where) from (None if _has_bad_address(error) else error)
        finally:
            if response is not None:
                response.close()

    def _check(self, target: httpx.URL, before: str | None, where: str) -> None:
        entry = host_entry(target.scheme, target.host.lower(), target.port)
        check_hop(self._policy, scheme=target.scheme, entry=entry, before=before, url=where)


def _bad_proxy() -> InputError:
    return InputError("bad-proxy", "the proxy's address cannot be used", "give it as http://host:port")


def trust(policy: HttpPolicy) -> ssl.SSLContext:
    """The certificates to trust.

    Raises:
        MachineError: `no-ca-file`: the file cannot be read, or holds no certificate.
    """
    import ssl

    if policy.ca_file is None:
        import truststore

        return truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        return ssl.create_default_context(cafile=policy.ca_file)
    except (OSError, ssl.SSLError) as error:
        raise MachineError(
            "no-ca-file",
            f"{policy.ca_file}: the certificates cannot be read",
            "name a PEM file with the certificates to trust",
        ) from error


def _silence() -> None:
    import logging

    # Both write whole URLs to the log, and a query may be a key.
    for name in ("httpx", "httpcore"):
        logging.getLogger(name).setLevel(logging.WARNING)


def _translate(error: Exception, where: str) -> TransferError:
    """Say what went wrong in our words, without any text of a URL that may hold a secret."""
    import httpx

    if isinstance(error, httpx.TimeoutException) and not isinstance(error, httpx.ConnectTimeout):
        return _stalled(where)
    if isinstance(error, httpx.ProxyError):
        return TransferError(
            "proxy-refused", f"{where}: the proxy refused ({error})", "check the proxy's address and credentials"
        )
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
        return _not_connected(error, where)
    if isinstance(error, httpx.NetworkError | httpx.RemoteProtocolError) and not _has_bad_address(error):
        return _cut_off(where)
    return TransferError("bad-address", f"{where}: this address cannot be asked", "correct the address")


def _has_bad_address(error: Exception) -> bool:
    """Whether an address cannot be read. Of one that a redirect leads to, httpx says that the protocol is broken."""
    import httpx

    return isinstance(error, httpx.InvalidURL) or isinstance(error.__context__, httpx.InvalidURL)


def _stalled(where: str) -> PassingError:
    return PassingError("stalled", f"{where}: nothing came for too long")


def _cut_off(where: str) -> PassingError:
    return PassingError("cut-off", f"{where}: the connection broke off")


def _words(error: Exception) -> str:
    """What the system says, without its number: `Connection refused`."""
    return re.sub(r"\[(?:Errno|WinError) -?[0-9]+\] ", "", str(error))


def _not_connected(error: Exception, where: str) -> TransferError:
    import ssl

    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, ssl.SSLCertVerificationError):
        cause = cause.__cause__ or cause.__context__
    if cause is not None:
        return TransferError(
            "certificate-refused",
            f"{where}: the server's certificate is not trusted ({cause.verify_message})",
            "if a proxy inspects TLS here, name its certificate with ca_file",
        )
    return PassingError(
        "cannot-connect", f"{where}: no connection ({_words(error)})", "check the network, the name and the proxy"
    )


def refusal(answer: Answer, wait_s: float | None) -> TransferError:
    """What an answer means that is none of those hoped for."""
    phrase = _phrase(answer.status)
    message = f"{answer.url}: the server answered {phrase}"
    if answer.status in PASSING:
        busy = answer.status in {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}
        return PassingError("server-busy" if busy else "server-error", message, "run again later", wait_s=wait_s)
    code, hint = _REFUSALS.get(answer.status, ("server-refused", "check the address in the catalog or the settings"))
    return TransferError(code, message, hint)


_MOVED: Final = ("not-found", "look up where the file lies now: catalog update takes in a newer list of links")
_DENIED: Final = ("access-denied", "check the credentials in the source's address; a signed link may have expired")
_REFUSALS: Final = {
    401: _DENIED,
    403: _DENIED,
    404: _MOVED,
    407: ("proxy-refused", "check the proxy's address and credentials"),
    410: _MOVED,
}


def _phrase(status: int) -> str:
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)
