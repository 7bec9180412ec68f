"""Reads installers and says whether they are what their names promise."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from repo_manager.adapters.filesystem.digests import KnownDigest
from repo_manager.adapters.filesystem.opening import plain_file
from repo_manager.adapters.filesystem.os_errors import disk_error
from repo_manager.adapters.filesystem.paths import reachable, shown
from repo_manager.core.audit.findings import Code, FileVerdict
from repo_manager.core.errors import VerificationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from repo_manager.adapters.filesystem.digests import Digests
    from repo_manager.adapters.filesystem.repository_folder import PlacedRecord
    from repo_manager.adapters.installers.archive import Contents
    from repo_manager.adapters.installers.signature import Signatures
    from repo_manager.adapters.sources.fetching import StagedFile
    from repo_manager.core.names import InstallerName
    from repo_manager.core.repository import File, Listing

# Large enough that a read costs little beside hashing it, small enough to stay in the CPU's cache.
_CHUNK_BYTES: Final = 256 * 1024


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Checker:
    """Verdicts on the files of one repository, remembered between runs. Without `signatures` none are checked.

    `path_of` returns the path of a file by its name. `now` is the time that is remembered of files that are read.
    """

    def __init__(
        self,
        path_of: Callable[[str], Path],
        digests: Digests,
        records: Mapping[str, PlacedRecord],
        signatures: Signatures | None = None,
        now: Callable[[], datetime] = _utc_now,
    ) -> None:
        self._path_of = path_of
        self._digests = digests
        self._records = records
        self._signatures = signatures
        self._now = now

    def forget(self, files: Iterable[File]) -> None:
        """Believe nothing that was read of these files before: they are read again, to their end."""
        for file in files:
            self._digests.forget(file.name)

    def known(self, listing: Listing) -> dict[str, FileVerdict]:
        """What can be said without reading: from the memory, however old, and from the recorded sizes."""
        verdicts = {}
        for file in listing.files:
            if file.installer is None:
                continue
            known = self._digests.get(file.entry)
            record = self._records.get(file.name)
            if known is not None:
                verdict = self._verdict(file, known)
                verdicts[file.name] = verdict if known.read_at <= self._now() else replace(verdict, read_at=None)
            elif record is not None and record.size_bytes != file.entry.size_bytes:
                words = f"has {file.entry.size_bytes} bytes; {record.size_bytes} were placed"
                verdicts[file.name] = FileVerdict(Code.CORRUPT, words)
        return verdicts

    def read(
        self, listing: Listing, files: Iterable[File], progress: Callable[[int], None] = lambda _: None
    ) -> dict[str, FileVerdict]:
        """Verdicts on `files`, reading those that are not known, beside what `known` says of the others.

        `progress` is told of every so many bytes read, from several threads.

        Raises:
            InputError: signatures are required, and cannot be checked.
        """
        verdicts = self.known(listing)
        unread = [file for file in files if self._unread(file)]
        if unread:
            for file, known in self._inspected(unread, progress):
                verdicts[file.name] = self._verdict(file, known)
        self._digests.save(frozenset(file.name for file in listing.files))
        return verdicts

    def kernels(
        self, listing: Listing, files: Iterable[File], progress: Callable[[int], None] = lambda _: None
    ) -> dict[str, tuple[str, ...]]:
        """The kernels that installers list as supported, by file name; those that are not whole have none.

        Reads what nobody has asked for its kernels before. `progress` is told as by `read`.
        """
        files = tuple(files)
        unasked = [file for file in files if self._unasked(file)]
        if unasked:
            for _ in self._inspected(unasked, progress, again=True):
                pass
            self._digests.save(frozenset(file.name for file in listing.files))
        listed = {file.name: self._kernels(file) for file in files}
        return {name: kernels for name, kernels in listed.items() if kernels}

    def unasked_bytes(self, files: Iterable[File]) -> int:
        """How much `kernels` would read."""
        return sum(file.entry.size_bytes for file in files if self._unasked(file))

    def _kernels(self, file: File) -> tuple[str, ...] | None:
        known = self._remembered(file)
        believed = known is not None and self._against_record(file, known).verdict.good
        return self._digests.kernels(known.sha256) if known is not None and believed else None

    def _unasked(self, file: File) -> bool:
        """Whether the list is to be read. A file that is known to be damaged has none that counts."""
        if file.installer is None:
            return False
        known = self._remembered(file)
        return (known is None or self._against_record(file, known).verdict.good) and self._kernels(file) is None

    def _inspected(
        self, files: list[File], progress: Callable[[int], None], *, again: bool = False
    ) -> Iterator[tuple[File, KnownDigest]]:
        """Read files, several at a time, and remember what will stay so."""
        if len(files) <= 1:
            # A single file is read by this very thread: none is left behind when a time limit gives it up.
            read: Iterator[tuple[KnownDigest, bool]] = (self._inspect(file, progress, again=again) for file in files)
            yield from self._remembering(files, read)
            return
        # Neither the threads nor the archives' libraries are loaded where nothing must be read.
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(max_workers=min(4, os.cpu_count() or 1)) as pool:
            read = pool.map(lambda file: self._inspect(file, progress, again=again), files)
            yield from self._remembering(files, read)

    def _remembering(
        self, files: list[File], read: Iterable[tuple[KnownDigest, bool]]
    ) -> Iterator[tuple[File, KnownDigest]]:
        for file, (known, lasting) in zip(files, read, strict=True):
            if lasting:
                self._digests.put(file.entry, known)
            yield file, known

    def sha256(self, file: File) -> str:
        """A file's digest, in hex: the remembered one, else by reading it.

        Raises:
            VerificationError: it is not what its name promises.
            MachineError: it cannot be read.
        """
        known = self._remembered(file)
        if known is not None and known.sha256:
            return known.sha256
        if file.installer is None:
            raise AssertionError(file)
        path = self._path_of(file.name)
        try:
            return inspect_file(path, file.installer)
        except OSError as error:
            raise disk_error(error, path) from error

    def unread_bytes(self, files: Iterable[File]) -> int:
        """How much `read` would read."""
        return sum(file.entry.size_bytes for file in files if self._unread(file))

    def learn(self, listing: Listing, placed: Mapping[str, StagedFile]) -> None:
        """Remember files that were verified on their way in, by name."""
        for file in listing.files:
            if file.name in placed:
                stage = placed[file.name]
                known = KnownDigest(stage.sha256, FileVerdict(), self._time(), stage.signature, stage.kernels)
                self._digests.put(file.entry, known)
        self._digests.save(frozenset(file.name for file in listing.files))

    def _inspect(self, file: File, progress: Callable[[int], None], *, again: bool) -> tuple[KnownDigest, bool]:
        """What the bytes show, and whether that will stay so: a file that cannot be read now may be right.

        `again` reads also what is known.
        """
        installer = file.installer
        if installer is None:
            raise AssertionError(file)
        path = self._path_of(file.name)
        known = self._remembered(file)
        try:
            if known is None or again:
                contents = contents_of(path, installer, progress)
                same = known is not None and known.sha256 == contents.sha256
                signature = known.signature if known is not None and same else None
                known = KnownDigest(contents.sha256, FileVerdict(), self._time(), signature, contents.kernels)
            if self._lacks_signature(file, known) and self._signatures is not None:
                known = replace(known, signature=self._signatures.examine(path))
            return known, True  # noqa: TRY300 - what is caught below may come from every line above
        except VerificationError as error:
            code = Code.MISLABELLED if error.code == Code.MISLABELLED else Code.CORRUPT
            return KnownDigest("", FileVerdict(code, error.message.removeprefix(f"{file.name}: ")), self._time()), True
        except OSError as error:
            words = disk_error(error, path).message.removeprefix(shown(path)).lstrip(": ")
            return KnownDigest(
                "", FileVerdict(Code.CORRUPT, f"cannot be read: {words}", read=False), self._time()
            ), False

    def _remembered(self, file: File) -> KnownDigest | None:
        """What is known of a file that need not be read again; None where it must be."""
        return self._digests.current(file.entry, self._now())

    def _time(self) -> datetime:
        return self._now().replace(microsecond=0)

    def _unread(self, file: File) -> bool:
        if file.installer is None:
            return False
        known = self._remembered(file)
        return known is None or self._lacks_signature(file, known)

    def _lacks_signature(self, file: File, known: KnownDigest) -> bool:
        """Whether the bytes are good, and their signature is still to be looked at."""
        if self._signatures is None or file.installer is None or not known.verdict.good:
            return False
        return self._signatures.wanted(file.installer, known.signature)

    def _verdict(self, file: File, known: KnownDigest) -> FileVerdict:
        verdict = self._against_record(file, known).verdict
        if self._signatures is not None and file.installer is not None and verdict.good:
            verdict = self._signatures.verdict(file.installer, known.signature) or verdict
        return replace(verdict, read_at=known.read_at if verdict.read else None)

    def _against_record(self, file: File, known: KnownDigest) -> KnownDigest:
        record = self._records.get(file.name)
        if record is None or not known.verdict.good or record.sha256 == known.sha256:
            return known
        verdict = FileVerdict(Code.CORRUPT, "its digest differs from that of the file that was placed")
        return KnownDigest(known.sha256, verdict, known.read_at)


def inspect_file(path: Path, name: InstallerName) -> str:
    """Read a file to its end and look inside on the way. Returns its sha256 in hex.

    Raises:
        VerificationError: it is not what the name promises.
        OSError: it cannot be read.
    """
    return contents_of(path, name).sha256


def contents_of(path: Path, name: InstallerName, progress: Callable[[int], None] = lambda _: None) -> Contents:
    """Read a file to its end and say what is inside. `progress` is told of every so many bytes.

    Raises:
        VerificationError: it is not what the name promises.
        OSError: it cannot be read.
    """
    from repo_manager.adapters.installers.archive import Inspector

    inspector = Inspector(name)
    buffer = memoryview(bytearray(_CHUNK_BYTES))
    with open(reachable(path), "rb", buffering=0, opener=plain_file) as file:
        while count := file.readinto(buffer):
            inspector.feed(buffer[:count])
            progress(count)
    return inspector.finish()
