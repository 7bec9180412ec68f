"""Brings files into the staging area: several at a time, from the first source that has each whole."""

from __future__ import annotations

import contextlib
import stat
import threading
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol, TypeVar
from urllib.parse import quote, urlsplit

from repo_manager.adapters.filesystem.os_errors import disk_error
from repo_manager.adapters.installers.inspect import contents_of
from repo_manager.adapters.sources.copying import CopySource
from repo_manager.adapters.sources.part import check_size
from repo_manager.core import names
from repo_manager.core.address import Folder, Web, host_of, parse
from repo_manager.core.errors import InputError, MachineError, RepoManagerError, TransferError, VerificationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from concurrent.futures import Future

    from repo_manager.adapters.installers.signature import Signatures
    from repo_manager.adapters.sources.depot_source import DepotSource
    from repo_manager.adapters.sources.download import Downloader
    from repo_manager.core.address import Address
    from repo_manager.core.audit.signature_policy import Signature
    from repo_manager.core.names import InstallerName
    from repo_manager.core.plan import Download

_Result = TypeVar("_Result")

WORKERS: Final = 4


class Staging(Protocol):
    """Where files wait: `part` while they are fetched, `staged` when they are whole."""

    def part(self, name: str) -> Path:
        """The path to write to."""
        ...

    def staged(self, name: str) -> Path:
        """The path of the whole file."""
        ...

    def left_over(self, name: str) -> int:
        """How many bytes an earlier run has left under the whole file's name; 0 where they are not to be used."""
        ...

    def promote(self, name: str) -> None:
        """The part is whole."""
        ...

    def drop_staged(self, name: str) -> None:
        """Give back the space of what was begun."""
        ...

    def free_bytes(self) -> int:
        """Room left."""
        ...


@dataclass(frozen=True, slots=True)
class StagedFile:
    """A file that is whole in the staging area. `signature` and `kernels` are None where nobody looked at them."""

    name: str
    sha256: str
    size_bytes: int
    signature: Signature | None = None
    kernels: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Collected:
    """What came of fetching: the whole files and the errors, by name."""

    staged: Mapping[str, StagedFile]
    errors: Mapping[str, RepoManagerError]

    @property
    def worst(self) -> RepoManagerError | None:
        """The error to report: bad bytes before a bad way, because running again will not mend them."""
        ranked = sorted(self.errors.values(), key=lambda error: not isinstance(error, VerificationError))
        return ranked[0] if ranked else None


def check_room(needed: int, reserve: int, free: int) -> None:
    """See that so many bytes more fit, and the reserve stays.

    Raises:
        MachineError: `no-space`.
    """
    if needed + reserve > free:
        raise MachineError(
            "no-space",
            f"{needed:,} bytes are needed and {reserve:,} kept in reserve, but {free:,} are free",
            "make room on the repository's volume, or lower reserve_mb in the configuration",
        )


@dataclass(frozen=True, slots=True)
class SourceCheck:
    """What the sources say before anything is fetched: the sizes by name, and what would stop the fetching."""

    sizes: Mapping[str, int]
    errors: tuple[RepoManagerError, ...]


class Fetcher:
    """Fetches downloads into a staging area, checking each on its way.

    `downloader` makes the HTTP client at first use, so that a run without HTTP never loads it. Without `signatures`
    none are checked. With a `depot` everything comes out of that, whatever is named as a source.
    """

    def __init__(
        self,
        downloader: Callable[[], Downloader],
        *,
        reserve_bytes: int,
        signatures: Signatures | None = None,
        depot: DepotSource | None = None,
    ) -> None:
        self._depot = depot
        self._make_downloader = downloader
        self._downloader: Downloader | None = None
        self._making = threading.Lock()
        self._reserve_bytes = reserve_bytes
        self._signatures = signatures
        self._cancelled = threading.Event()
        self._unreachable: dict[str, TransferError] = {}

    def collect(
        self,
        downloads: Sequence[Download],
        staging: Staging,
        progress: Callable[[str, int], None],
        sized: Callable[[int], None] = lambda _: None,
    ) -> Collected:
        """Fetch everything; a failure of one does not stop the others, so that the next run has less to do.

        `progress` is told a name and how many bytes of it are there by now, from several threads. `sized` is
        told before how many bytes all of them have, where every source says so.

        Raises:
            MachineError: there is no room; nothing was fetched, or all of it was given back.
        """
        staged: dict[str, StagedFile] = {}
        errors: dict[str, RepoManagerError] = {}
        pool = ThreadPoolExecutor(max_workers=WORKERS)
        try:
            sizes = self._sizes(downloads, staging, pool)
            errors |= {name: size for name, size in sizes.items() if isinstance(size, RepoManagerError)}
            known = [size for size in sizes.values() if isinstance(size, int)]
            if len(errors) < len(sizes):
                self._check_room(sum(known), sizes, staging)
            if len(known) + len(errors) == len(sizes):
                sized(sum(known))
            able = [item for item in downloads if item.name not in errors]
            jobs = [(item, pool.submit(self._fetch, item, staging, progress)) for item in able]
            for item, job in jobs:
                try:
                    staged[item.name] = _result(job)
                except RepoManagerError as error:
                    errors[item.name] = error
                    if error.code == "no-space":
                        self._cancelled.set()
        except BaseException:
            # Without waiting: a thread may be reading from a server that says nothing.
            self._cancelled.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise
        pool.shutdown()
        full = next((error for error in errors.values() if error.code == "no-space"), None)
        if full is not None:
            for item in downloads:
                staging.drop_staged(item.name)
            raise full
        return Collected(staged, errors)

    def look_ahead(self, downloads: Sequence[Download], staging: Staging, *, beside: int | None = None) -> SourceCheck:
        """What the sources say of the files, and what would stop `collect` before the first byte. Downloads nothing.

        With `beside` the sources are not asked, and so many bytes more are needed for something else.
        """
        with ThreadPoolExecutor(max_workers=WORKERS) as pool:
            missing = [item for item in downloads if not staging.left_over(item.name)]
            asked = [(item.name, pool.submit(self._look_at, item)) for item in missing if beside is None]
            found: dict[str, int | RepoManagerError | None] = {item.name: item.size_bytes for item in missing}
            found |= {name: _result(job) for name, job in asked}
        sizes = {name: size for name, size in found.items() if isinstance(size, int)}
        errors = [error for error in found.values() if isinstance(error, RepoManagerError)]
        if len(errors) < len(found):
            try:
                self._check_room(sum(sizes.values()) + (beside or 0), found, staging)
            except MachineError as error:
                # As in `collect`, where it comes before the first byte.
                errors.insert(0, error)
        return SourceCheck(sizes, tuple(errors))

    def _look_at(self, item: Download) -> int | RepoManagerError | None:
        """Ask the sources even where the size is known; see `_size`."""
        found = self._size(replace(item, size_bytes=None))
        if not isinstance(found, int):
            return found or item.size_bytes
        if len(item.sources) == 1:
            # With more of them another one may have the right file.
            try:
                check_size(names.parse(item.name), expected=item.size_bytes, found=found)
            except VerificationError as error:
                return error
        return found

    def close(self) -> None:
        """Close the HTTP client, if there is one."""
        if self._downloader is not None:
            self._downloader.close()

    def _sizes(
        self, downloads: Sequence[Download], staging: Staging, pool: ThreadPoolExecutor
    ) -> dict[str, int | RepoManagerError | None]:
        """The size of each that is not there yet; the error of what no source has, as there is no need to try again."""
        missing = [item for item in downloads if not staging.left_over(item.name)]
        asked = [(item.name, pool.submit(self._size, item)) for item in missing]
        return {name: _result(job) for name, job in asked}

    def _check_room(self, needed: int, names: Iterable[str], staging: Staging) -> None:
        """See that everything fits before the first byte. Unknown sizes count as nothing."""
        needed -= sum(size_of(staging.part(name)) for name in names)
        check_room(needed, self._reserve_bytes, staging.free_bytes())

    def _size(self, item: Download) -> int | RepoManagerError | None:
        """The size in bytes, None when no source says; the first error when none has the file."""
        if item.size_bytes is not None:
            return item.size_bytes
        errors: list[RepoManagerError] = []
        if self._depot is not None:
            try:
                return self._depot.size(names.parse(item.name), item.sha256)
            except (TransferError, MachineError) as error:
                return error
        for source in item.sources:
            try:
                size = self._size_at(source, item.name)
            except (TransferError, MachineError) as error:
                errors.append(error)
            else:
                if size is not None:
                    return size
        return errors[0] if len(errors) == len(item.sources) and errors else None

    def _size_at(self, source: str, name: str) -> int | None:
        if _is_web(source):
            return self._over_http([source], lambda http: http.size(source))
        return CopySource(Path(source).parent).size(names.parse(name))

    def _fetch(self, item: Download, staging: Staging, progress: Callable[[str, int], None]) -> StagedFile:
        name = names.parse(item.name)
        whole = staging.staged(item.name)
        if size_bytes := staging.left_over(item.name):
            # What is not whole after all, or another build, is replaced when the download is.
            with contextlib.suppress(VerificationError, OSError):
                contents = contents_of(whole, name)
                sha256 = contents.sha256
                if item.size_bytes in {None, size_bytes} and (item.sha256 or sha256).lower() == sha256:
                    return StagedFile(item.name, sha256, size_bytes, self._signature(whole, name), contents.kernels)
        part = staging.part(item.name)

        def told(count: int) -> None:
            progress(item.name, count)

        urls = [source for source in item.sources if _is_web(source)] if self._depot is None else []
        if urls:
            fetched = self._over_http(
                urls,
                lambda http: http.fetch(
                    name,
                    urls,
                    part,
                    sha256=item.sha256,
                    size_bytes=item.size_bytes,
                    progress=told,
                    cancelled=self._cancelled.is_set,
                ),
            )
        else:
            fetched = (self._depot or CopySource(Path(item.sources[0]).parent)).fetch(
                name,
                part,
                sha256=item.sha256,
                size_bytes=item.size_bytes,
                progress=told,
                cancelled=self._cancelled.is_set,
            )
        try:
            signature = self._signature(part, name)
        except VerificationError:
            staging.drop_staged(item.name)
            raise
        except OSError as error:
            raise disk_error(error, part) from error
        staging.promote(item.name)
        return StagedFile(item.name, fetched.sha256, fetched.size_bytes, signature, fetched.contents.kernels)

    def _signature(self, path: Path, name: InstallerName) -> Signature | None:
        return self._signatures.check(path, name) if self._signatures else None

    def _over_http(self, urls: Sequence[str], act: Callable[[Downloader], _Result]) -> _Result:
        """Ask, unless the only host was found to be out of reach before: each attempt takes seconds of waiting."""
        hosts = {host for url in urls if (host := host_of(url))}
        host = hosts.pop() if len(hosts) == 1 else ""
        if host in self._unreachable:
            raise self._unreachable[host]
        try:
            return act(self._http())
        except TransferError as error:
            if host and error.code == "cannot-connect":
                self._unreachable[host] = error
            raise

    def _http(self) -> Downloader:
        with self._making:
            if self._downloader is None:
                self._downloader = self._make_downloader()
            return self._downloader


def _result(job: Future[_Result]) -> _Result:
    """What a job returns or raises. Waited for in turns: on Windows a wait without an end hears no Ctrl-C."""
    while not wait([job], timeout=_TURN_S).done:
        pass
    return job.result()


_TURN_S: Final = 0.25


def join(base: Address, name: str) -> str:
    """Where a base has a file of that name.

    Raises:
        InputError: the base is an object store.
    """
    if isinstance(base, Folder):
        return str(Path(base.path) / name)
    if not isinstance(base, Web):
        raise InputError(
            "unknown-source",
            f"{base} is not a folder, an http or an https address",
            "give a folder, a UNC path (on Windows), or a URL that begins with https://",
        )
    parts = urlsplit(base.url)
    path = f"{parts.path.rstrip('/')}/{quote(name)}"
    return parts._replace(path=path, fragment="").geturl()


def _is_web(source: str) -> bool:
    return isinstance(parse(source, secrets=True), Web)


def size_of(path: Path) -> int:
    """How many bytes a file has; 0 where there is none. Links and pipes are no files: they are replaced.

    Raises:
        MachineError: the disk refused.
    """
    try:
        found = path.lstat()
        return found.st_size if stat.S_ISREG(found.st_mode) else 0
    except FileNotFoundError:
        return 0
    except OSError as error:
        raise disk_error(error, path) from error
