"""Brings a report to the place that takes it: `serve`, an object store, or a folder. Briefly, or not at all."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Final

from repo_manager.adapters.status_reports.folder import FOLDER
from repo_manager.adapters.status_reports.parallel import within
from repo_manager.adapters.storage.credentials import TOKEN_VARIABLE
from repo_manager.core import fleet
from repo_manager.core.address import Folder, Web
from repo_manager.core.errors import TransferError

if TYPE_CHECKING:
    from collections.abc import Callable

    from repo_manager.adapters.sources._transport import Answer
    from repo_manager.adapters.sources.http_rules import HttpPolicy
    from repo_manager.adapters.storage import Credentials, Storage
    from repo_manager.core.address import Address
    from repo_manager.core.fleet import Report

LIMIT_S: Final = 10.0
"""No report takes longer on its way, whatever the place does."""

REFUSALS: Final = frozenset(
    ("takes-no-reports", "access-denied", "no-credentials", "no-rights", "read-only", "read-only-depot")
)
"""The errors by which a place says that it takes no reports from here, so that asking again soon is no use."""

# In hexadecimal digits: enough to see that credentials are others, too few to find them out by trying.
_IDENTITY: Final = 4

_TAKEN: Final = frozenset((HTTPStatus.OK, HTTPStatus.CREATED, HTTPStatus.ACCEPTED, HTTPStatus.NO_CONTENT))
_NOT_THERE: Final = frozenset((404, 405, 410, 501))
_DENIED: Final = frozenset((401, 403))
_NOT_UNDERSTOOD: Final = frozenset((400, 413, 415))


class ReportSender:
    """Sends reports.

    Args:
        policy: how patient, which proxy, which certificates.
        keyring: who to be at a web server.
        depot: opens a place that is no web server.
    """

    def __init__(self, policy: HttpPolicy, keyring: Credentials, depot: Callable[[Address], Storage]) -> None:
        self._policy = policy
        self._keyring = keyring
        self._depot = depot

    def can_reach(self, place: Address) -> bool:
        """Whether it makes sense to try: a web server takes a report with a token alone.

        Raises:
            InputError: the token is none.
        """
        return not isinstance(place, Web) or self._keyring.token is not None

    def refuse_plain_http(self, place: Address) -> None:
        """Refuse a place to which the token would go unencrypted, before anything is done.

        Raises:
            InputError: `secret-over-http`.
        """
        from repo_manager.adapters.sources.http_rules import check_secret

        if isinstance(place, Web) and self._keyring.token is not None:
            check_secret(self._policy, scheme=place.scheme, host=place.server, url=str(place))

    @property
    def identity(self) -> str:
        """What tells these credentials from others, and does not hold them."""
        values = json.dumps(sorted(self._keyring.values.items()))
        return hashlib.sha256(values.encode("ascii")).hexdigest()[:_IDENTITY]

    def send(self, place: Address, report: Report, *, anywhere: bool) -> None:
        """Bring it there. `anywhere` says whether a folder counts that holds no signed set.

        Raises:
            RepoManagerError: it did not arrive, or nobody knows whether it did.
        """
        data = json.dumps(fleet.document(report), indent=1).encode("ascii")

        def act() -> None:
            if isinstance(place, Web):
                self._post(place, report.host, data)
            else:
                self._put(place, report.host, data, anywhere=anywhere)

        within(LIMIT_S, act, str(place))

    def _put(self, place: Address, host: fleet.Host, data: bytes, *, anywhere: bool) -> None:
        if isinstance(place, Folder):
            _see_that_it_is_one(place, anywhere=anywhere)
        depot = self._depot(place)
        try:
            depot.write(f"{FOLDER}/{fleet.file_name(host)}", data)
        finally:
            depot.close()

    def _post(self, place: Web, host: fleet.Host, data: bytes) -> None:
        from repo_manager.adapters.sources._transport import Transport

        # A token goes to the place that was named and to no other.
        policy = replace(self._policy, hosts=frozenset((place.host,)), redirects_max=0)
        headers = {"Authorization": f"Bearer {self._keyring.token}", "Content-Type": "application/json"}
        url = f"{place.url.rstrip('/')}/{FOLDER}/{host}"
        with Transport(policy) as transport, transport.ask("POST", url, headers, data) as answer:
            if answer.status not in _TAKEN:
                raise _refused(answer, host)


def _see_that_it_is_one(place: Folder, *, anywhere: bool) -> None:
    """Writing would make the folder; where one has gone away there must not be another in its place."""
    base = Path(place.path)
    if not base.is_dir():
        raise TransferError("source-went-away", f"{place}: the folder is not there", "make sure that it is reachable")
    if not (anywhere or (base / "metadata").is_dir() or (base / FOLDER).is_dir()):
        raise TransferError(
            "takes-no-reports", f"{place}: there is no signed set", "name a place for reports with --report-to"
        )


def _refused(answer: Answer, host: fleet.Host) -> TransferError:
    from repo_manager.adapters.sources._transport import refusal

    if answer.status in _DENIED:
        return TransferError(
            "access-denied",
            f"{answer.url}: the server does not let this token report ({answer.status})",
            f"put a token that may report for {host} into {TOKEN_VARIABLE}",
        )
    if answer.status in _NOT_THERE:
        return TransferError(
            "takes-no-reports",
            f"{answer.url}: nobody takes reports there ({answer.status})",
            "start serve with --reports, or name another place with --report-to",
        )
    if answer.status in _NOT_UNDERSTOOD:
        return TransferError(
            "report-refused",
            f"{answer.url}: the report was not accepted ({answer.status})",
            "update the older of the two sides",
        )
    return refusal(answer, None)
