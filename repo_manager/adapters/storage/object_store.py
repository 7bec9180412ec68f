"""Object stores as depots: Azure Blob Storage and S3.

The only module that imports obstore. Objects are atomic for their readers. A large one is sent in pieces
that nobody sees before the last has come; what is given up is taken back. What the library says when it fails
is read for its kind alone and goes no further: it names addresses, and a signature may be part of one.
"""

from __future__ import annotations

import os
import random
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final, Protocol
from urllib.parse import urlsplit

from repo_manager.adapters.filesystem.os_errors import disk_error
from repo_manager.adapters.sources._transport import PassingError
from repo_manager.adapters.sources.fetched import never
from repo_manager.adapters.sources.http_rules import check_secret
from repo_manager.adapters.sources.retrying import Failures, Retrying
from repo_manager.adapters.storage import object_store_errors
from repo_manager.adapters.storage.chunks import PIECE, hashed
from repo_manager.adapters.storage.contract import HINT_AGAIN, StoredFile, changed, checked, checked_prefix, too_large
from repo_manager.adapters.storage.object_store_settings import StoreSettings, azure_settings, check_names, s3_settings
from repo_manager.adapters.storage.stall import StallDetector
from repo_manager.adapters.storage.waiting import wait_for
from repo_manager.core.errors import InputError, MachineError, RepoManagerError, TransferError, install_hint
from repo_manager.core.redaction import shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime
    from pathlib import Path

    from repo_manager.adapters.sources.http_rules import HttpPolicy
    from repo_manager.adapters.storage.credentials import Credentials
    from repo_manager.core.address import ObjectStore

_AT_ONCE: Final = 4

# What the library gathers before it hands bytes over: nothing. It would go on gathering for as long as a byte comes
# now and then, and it is as quick without (300 MB from nginx, hashed: 400 to 680 MB/s whatever is gathered).
_GATHER: Final = 1

# No answer takes longer; how slowly its bytes may come is watched by ourselves.
_READING_S: Final = 24 * 3600.0
# One piece, on a line that four share: 56 kB/s is enough.
_WRITING_S: Final = 600.0

# A request is tried again for so long, with what it was signed with.
_RETRY_S: Final = 180.0


class _Meta(Protocol):
    """Of what the library says of an object, that which is used."""

    def __getitem__(self, key: str) -> Any:  # noqa: ANN401 - a dictionary of several types
        ...


@dataclass(slots=True)
class _Reading:
    """How far one reading of an object has come, over all its requests, and which state of it is read."""

    at: int
    etag: str | None = None


def open_store(
    address: ObjectStore,
    policy: HttpPolicy,
    keyring: Credentials,
    *,
    cancelled: Callable[[], bool] = never,
    sleep: Callable[[float], None] = time.sleep,
) -> ObjectStorage:
    """The depot in a container or bucket.

    Raises:
        InputError: `unknown-source`, `objects-not-installed`, `bad-store-settings`, `secret-over-http`.
        MachineError: `no-ca-file`.
    """
    check_names(address)
    if find_spec("obstore") is None:
        raise InputError(
            "objects-not-installed",
            f"{address}: object stores need the extra 'objects', which is not installed here",
            install_hint("objects"),
        )
    settings = (azure_settings if address.scheme == "az" else s3_settings)(address, keyring)
    if settings.sends_secret:
        endpoint = settings.values["endpoint"]
        check_secret(policy, scheme="http", host=urlsplit(endpoint).hostname or "", url=shown(endpoint))
    return ObjectStorage(str(address).rstrip("/"), settings, policy, cancelled=cancelled, sleep=sleep)


class ObjectStorage:
    """A depot in a container or bucket, below a prefix.

    Args:
        name: the address.
        settings: where it is and who to be.
        policy: how patient, which proxy, which certificates.
        cancelled: asked during waits.
        sleep: waits some seconds.
        clock: seconds from any point, for the rate.
        now: seconds since 1970, to tell an expired signature.
    """

    def __init__(  # noqa: PLR0913 - the outside world, part by part
        self,
        name: str,
        settings: StoreSettings,
        policy: HttpPolicy,
        *,
        cancelled: Callable[[], bool] = never,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.name = name
        self._settings = settings
        self._policy = policy
        self._cancelled = cancelled
        self._retrying = Retrying(policy, sleep=sleep)
        self._clock = clock
        self._now = now
        self._reader = _store(name, settings, policy, _READING_S)
        self._writer = _store(name, settings, policy, _WRITING_S)

    def read(self, path: str, *, limit_bytes: int, etag: str | None = None) -> StoredFile | None:
        """See `Depot.read`."""
        where = self._where(path)
        return wait_for(lambda: self._read(path, where, limit_bytes, etag))

    def stream(self, path: str, *, offset: int = 0) -> Iterator[bytes | memoryview]:
        """See `Depot.stream`."""
        where = self._where(path)
        reading = _Reading(offset)
        if offset and not self._is_more(path, where, reading):
            return
        failures = Failures(self._policy, offset)
        while True:
            before = reading.at
            try:
                yield from self._rest(path, where, reading)
            except PassingError as error:
                if reading.at == before:
                    # The library has asked again by itself, as often as it was told to.
                    raise
                wait_s = failures.count(error, reading.at, random.random())  # noqa: S311 - spreads waits
                self._retrying.wait(wait_s, self._cancelled)
            else:
                return

    def size(self, path: str) -> int | None:
        """See `Depot.size`. Without a word on whether there is such a container at all: this answer has no body."""
        try:
            return int(self._head(path, self._where(path))["size"])
        except TransferError as error:
            if error.code == "not-at-source":
                return None
            raise

    def write(self, path: str, data: bytes) -> None:
        """See `Depot.write`."""
        where = self._where(path)
        wait_for(lambda: self._put(path, where, data))

    def upload(self, path: str, file: Path, *, sha256: str, progress: Callable[[int], None]) -> None:
        """See `Depot.upload`. What broke off begins anew: pieces that were sent are taken back."""
        where = self._where(path)
        given_up = threading.Event()

        def tell(done: int) -> None:
            if given_up.is_set():
                raise TransferError("cancelled", f"{where}: the upload was stopped", HINT_AGAIN)
            progress(done)

        try:
            with file.open("rb", buffering=0) as opened:
                size = os.fstat(opened.fileno()).st_size
                pieces = hashed(opened, file, sha256, tell)
                wait_for(lambda: self._put(path, where, b"".join(pieces) if size <= PIECE else pieces), given_up.set)
        except OSError as error:
            raise disk_error(error, file) from error

    def list(self, prefix: str) -> Iterator[tuple[str, int]]:
        """See `Depot.list`."""
        yield from ((path, size) for path, size, _ in self.dated(prefix))

    def dated(self, prefix: str) -> Iterator[tuple[str, int, datetime]]:
        """The same, and when each object was written, by the store's clock."""
        import obstore

        folder = checked_prefix(prefix)
        with self._translated(f"{self.name}/{folder}".rstrip("/")):
            pages = iter(obstore.list(self._reader, folder or None, chunk_size=1000))
        while True:
            page = wait_for(lambda: self._page(pages, f"{self.name}/{folder}".rstrip("/")))
            if page is None:
                return
            for meta in page:
                yield meta["path"], meta["size"], meta["last_modified"]

    def delete(self, path: str) -> None:
        """See `Depot.delete`."""
        where = self._where(path)
        try:
            wait_for(lambda: self._delete(path, where))
        except TransferError as error:
            if error.code != "not-at-source":
                raise

    def sweep(self, prefix: str, ours: Callable[[str], bool]) -> int:
        """See `Depot.sweep`. Pieces that a killed upload has left are seen by the store alone, which drops them."""
        del prefix, ours
        return 0

    def close(self) -> None:
        """See `Depot.close`. The library closes what nobody uses any more."""

    def _where(self, path: str) -> str:
        return f"{self.name}/{checked(path)}"

    def _read(self, path: str, where: str, limit_bytes: int, etag: str | None) -> StoredFile | None:
        import obstore
        from obstore.exceptions import NotModifiedError

        try:
            with self._translated(where, but=NotModifiedError):
                result = obstore.get(self._reader, path, options={"if_none_match": etag} if etag else None)
        except NotModifiedError:
            return None
        if result.meta["size"] > limit_bytes:
            raise too_large(where, limit_bytes)
        data = b"".join(self._pieces(result, where))
        if len(data) != result.meta["size"]:
            raise object_store_errors.cut_off(where)
        found = result.meta["e_tag"]
        return None if etag is not None and found == etag else StoredFile(data, found)

    def _put(self, path: str, where: str, data: bytes | Iterator[bytes]) -> None:
        import obstore

        with self._translated(where, writing=True):
            if isinstance(data, bytes):
                obstore.put(self._writer, path, data, use_multipart=False)
            else:
                obstore.put(self._writer, path, data, chunk_size=PIECE, max_concurrency=_AT_ONCE)

    def _delete(self, path: str, where: str) -> None:
        import obstore

        with self._translated(where, writing=True):
            obstore.delete(self._writer, path)

    def _page(self, pages: Iterator[Any], where: str) -> Any:  # noqa: ANN401 - no such type at run time
        with self._translated(where):
            return next(pages, None)

    def _head(self, path: str, where: str) -> _Meta:
        import obstore

        def ask() -> _Meta:
            with self._translated(where):
                return obstore.head(self._reader, path)

        return wait_for(ask)

    def _is_more(self, path: str, where: str, reading: _Reading) -> bool:
        """Whether the object goes on there; which state of it that is, is remembered."""
        meta = self._head(path, where)
        if reading.at > meta["size"]:
            raise changed(where)
        reading.etag = meta["e_tag"]
        return bool(reading.at < meta["size"])

    def _rest(self, path: str, where: str, reading: _Reading) -> Iterator[bytes | memoryview]:
        """One request, as far as it comes."""
        import obstore

        options: Any = {"if_match": reading.etag} if reading.etag else {}
        if reading.at:
            options["range"] = {"offset": reading.at}

        def ask() -> Any:  # noqa: ANN401 - no such type at run time
            with self._translated(where):
                return obstore.get(self._reader, path, options=options)

        result = wait_for(ask)
        # Not every store heeds the condition.
        if reading.etag is not None and result.meta["e_tag"] != reading.etag:
            raise changed(where)
        reading.etag = result.meta["e_tag"]
        for piece in self._pieces(result, where):
            reading.at += len(piece)
            yield piece
        if reading.at < result.meta["size"]:
            raise object_store_errors.cut_off(where)

    def _pieces(self, result: Any, where: str) -> Iterator[bytes | memoryview]:  # noqa: ANN401 - same
        coming = iter(result.stream(min_chunk_size=_GATHER))

        def translated() -> Iterator[bytes]:
            while True:
                with self._translated(where):
                    piece = next(coming, None)
                if piece is None:
                    return
                yield piece

        yield from StallDetector(self._policy, self._clock).watch(translated(), where)

    @contextmanager
    def _translated(
        self, where: str, *, writing: bool = False, but: type[Exception] | tuple[()] = ()
    ) -> Iterator[None]:
        """Give whatever the library raises a code, a message and a hint. Its own texts are not passed on."""
        try:
            yield
        except RepoManagerError:
            raise
        except but:
            raise
        except Exception as error:  # noqa: BLE001 - it wraps what its runtime and the system say in many kinds
            told = object_store_errors.Failure(type(error).__name__, str(error), writing=writing)
            signature = object_store_errors.SharedAccessSignature(self._settings.expires, self._now())
            # Not `from error`: the whole chain is shown to those who ask for it, and a signature may be in it.
            raise object_store_errors.translate(told, where, self.name, signature) from None


def _store(name: str, settings: StoreSettings, policy: HttpPolicy, request_s: float) -> Any:  # noqa: ANN401 - one of two kinds
    from obstore.store import AzureStore, S3Store

    client: Any = {
        "user_agent": policy.user_agent,
        "connect_timeout": timedelta(seconds=policy.connect_timeout_s),
        "read_timeout": timedelta(seconds=policy.stall_timeout_s),
        "timeout": timedelta(seconds=request_s),
        # Only for an endpoint that somebody wrote as http://.
        "allow_http": settings.plain_http,
    }
    if policy.proxy is not None:
        client["proxy_url"] = policy.proxy
    if policy.ca_file is not None:
        client["root_certificate"] = _certificates(policy.ca_file)
    retry: Any = {
        "max_retries": policy.attempts - 1,
        "retry_timeout": timedelta(seconds=_RETRY_S),
        "backoff": {
            "init_backoff": timedelta(seconds=policy.backoff_s),
            "max_backoff": timedelta(seconds=policy.backoff_cap_s),
        },
    }
    kind: Any = AzureStore if settings.scheme == "az" else S3Store
    try:
        return kind(
            settings.container,
            prefix=settings.prefix or None,
            config=dict(settings.values),
            client_options=client,
            retry_config=retry,
        )
    except Exception:  # noqa: BLE001 - same as above; what it says may be a key
        raise InputError(
            "bad-store-settings",
            f"{name}: the store's settings or credentials make no sense",
            "check the store's variables, and the file that store_credentials names",
        ) from None


def _certificates(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise MachineError(
            "no-ca-file",
            f"{file}: the certificates cannot be read",
            "name a PEM file with the certificates to trust",
        ) from error
