"""What an object store's refusals are called.

Arithmetic on the words of a failure: its kind, the status the store answered, the code in the answer's body.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Final

from repo_manager.adapters.sources._transport import PassingError
from repo_manager.adapters.sources.http_rules import PASSING
from repo_manager.adapters.storage.contract import absent, changed
from repo_manager.core.errors import TransferError

_STATUS: Final = re.compile(r"status code: ([1-5][0-9]{2})\b|\(code: ([1-5][0-9]{2})\)", re.ASCII)
_CODE: Final = re.compile(r"<Code>([A-Za-z]{1,60})</Code>", re.ASCII)

# Evidence: "Blob Storage error codes" and "Common REST API error codes" on Microsoft Learn; Azurite says
# ResourceNotFound of an account it does not have.
_NO_STORE: Final = frozenset(
    ("ContainerNotFound", "ContainerBeingDeleted", "ContainerDisabled", "NoSuchBucket", "ResourceNotFound")
)

# Where clouds hand out the identity of a machine.
_IDENTITY: Final = (
    "169.254.169.254",
    "169.254.170.2",
    "/metadata/identity",
    "/latest/api/token",
    "login.microsoftonline",
)


@dataclass(frozen=True, slots=True)
class Failure:
    """What the library raised: the name of its kind, its text, and whether something was being written."""

    kind: str
    text: str
    writing: bool

    @property
    def status(self) -> int | None:
        """What the store answered, None where there was no answer."""
        found = _STATUS.search(self.text)
        return int(found[1] or found[2]) if found else None

    @property
    def code(self) -> str:
        """The store's own word for it; empty where it gave none."""
        found = _CODE.search(self.text)
        return found[1] if found else ""


@dataclass(frozen=True, slots=True)
class SharedAccessSignature:
    """When a shared access signature ends and what time it is, both in seconds since 1970."""

    expires: float | None
    now: float

    @property
    def over(self) -> bool:
        """Whether it has ended by this machine's clock."""
        return self.expires is not None and self.expires < self.now


def translate(failure: Failure, where: str, store: str, signature: SharedAccessSignature) -> TransferError:
    """The error to raise; of the library's words only a status and a code's letters are used.

    Args:
        failure: what the library said.
        where: the object it happened to.
        store: the depot's address.
        signature: for a store that refuses.
    """
    status = failure.status
    if any(place in failure.text for place in _IDENTITY):
        return TransferError(
            "no-credentials",
            f"{store}: no credentials were given, and this machine has no identity of its own that could be used",
            "set the store's variables, or store_credentials in the configuration file",
        )
    if failure.code in _NO_STORE:
        return TransferError(
            "no-such-store",
            f"{store}: there is no such container, bucket or account ({failure.code})",
            "check the address, and the name of the account; containers and buckets are not made by the tool",
        )
    if failure.kind == "FileNotFoundError" or status == HTTPStatus.NOT_FOUND:
        return absent(where)
    if failure.kind in {"PermissionDeniedError", "UnauthenticatedError"} or status in {401, 403}:
        return _denied(failure, where, signature)
    if failure.kind in {"PreconditionError", "AlreadyExistsError"} or status in {409, 412}:
        return _conflict(failure, where)
    return _no_answer(failure, where) if status is None else _other_status(failure, where, status)


def cut_off(where: str) -> PassingError:
    """The bytes ended before the object did."""
    return PassingError("cut-off", f"{where}: the connection broke off")


def _denied(failure: Failure, where: str, signature: SharedAccessSignature) -> TransferError:
    if signature.over and signature.expires is not None:
        ended = datetime.fromtimestamp(signature.expires, UTC)
        return TransferError(
            "access-denied",
            f"{where}: the shared access signature ended on {ended:%Y-%m-%d at %H:%M} UTC",
            "have a new signature made, and set it where the old one was",
        )
    what = "may not be written with these credentials" if failure.writing else "the store refused these credentials"
    return TransferError(
        "access-denied",
        f"{where}: {what}{_said(failure)}",
        "check the account, the key or signature and what it allows, and this machine's clock",
    )


def _conflict(failure: Failure, where: str) -> TransferError:
    if not failure.writing:
        return changed(where)
    return TransferError(
        "store-conflict",
        f"{where}: the store refused to replace it{_said(failure)}",
        "make sure that nobody else publishes there, and that no lease or immutability policy holds the object",
    )


def _other_status(failure: Failure, where: str, status: int) -> TransferError:
    if status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
        return changed(where)
    message = f"{where}: the store answered {status}{_said(failure)}"
    if status in {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}:
        return PassingError("server-busy", message, "run again later")
    if status in PASSING:
        return PassingError("server-error", message, "run again later")
    return TransferError("server-refused", message, "check the address and the store's settings")


def _no_answer(failure: Failure, where: str) -> TransferError:
    text = failure.text.lower()
    if "certificate" in text:
        return TransferError(
            "certificate-refused",
            f"{where}: the store's certificate is not trusted",
            "if a proxy inspects TLS here, name its certificate with ca_file",
        )
    # Before the rest: a wait that was too long is also a request that could not be sent.
    if "timedout" in text or "timed out" in text:
        return PassingError("stalled", f"{where}: nothing came for too long")
    if "error sending request" in text or "connect" in text:
        return PassingError(
            "cannot-connect", f"{where}: no connection", "check the network, the account's name and the proxy"
        )
    if "range" in text or "notpartial" in text:
        return TransferError(
            "bad-range", f"{where}: asked for a part, the store sent another", "check what the endpoint leads to"
        )
    if "header" in text:
        return TransferError(
            "server-refused", f"{where}: what answered is no object store", "check what the endpoint leads to"
        )
    return cut_off(where)


def _said(failure: Failure) -> str:
    return f" ({failure.code})" if failure.code else ""
