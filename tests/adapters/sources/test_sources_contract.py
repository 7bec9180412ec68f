"""What every source of files promises, held to a folder and to a share of a real Samba server.

Both read the same folder of this machine, so that a test can change what lies there.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import replace
from typing import TYPE_CHECKING, Final, Protocol
from urllib.parse import quote

import pytest
from samba import PASSWORD, sharing

from repo_manager.adapters.sources.copying import CopySource
from repo_manager.adapters.sources.smb import Credentials, Shares
from repo_manager.core.errors import InputError, MachineError, TransferError, VerificationError
from repo_manager.core.names import parse
from repo_manager.demo.sample import sample_installer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from samba import Samba

    from repo_manager.adapters.sources.fetched import Fetched
    from repo_manager.core.names import InstallerName

NAME: Final = parse("Microsoft-ASR_UA_9.66.7567.1_RHEL9-64_GA_20Sep2025_release.tar.gz")
# More than a piece of either source, and no multiple of one.
DATA: Final = sample_installer(NAME, payload_bytes=1_700_000)
SHA256: Final = hashlib.sha256(DATA).hexdigest()
FOLDER: Final = "Büro Süd/#1 100%"


class Source(Protocol):
    """What the fetcher knows of a source."""

    def size(self, name: InstallerName) -> int: ...

    def fetch(
        self,
        name: InstallerName,
        part: Path,
        *,
        sha256: str | None = None,
        size_bytes: int | None = None,
        progress: Callable[[int], None] = ...,
        cancelled: Callable[[], bool] = ...,
    ) -> Fetched: ...


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Samba]:
    root = tmp_path_factory.mktemp("samba")
    (root / "shared").mkdir()
    with sharing(root / "shared", root / "own") as server:
        yield server


@pytest.fixture(params=["folder", pytest.param("share", marks=pytest.mark.smb)])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Path, Source]]:
    """The folder as this machine knows it, and the source that reads it."""
    if request.param == "folder":
        base = tmp_path / "source" / FOLDER
        base.mkdir(parents=True)
        yield base, CopySource(base)
        return
    server: Samba = request.getfixturevalue("server")
    base = server.shared / tmp_path.name / FOLDER
    base.mkdir(parents=True)
    shares = Shares(lambda: Credentials(server.user, PASSWORD))
    try:
        yield (
            base,
            shares.source(server.url("files", quote(f"{tmp_path.name}/{FOLDER}"))),
        )
    finally:
        shares.close()


@pytest.fixture
def base(place: tuple[Path, Source]) -> Path:
    (place[0] / NAME.text).write_bytes(DATA)
    return place[0]


@pytest.fixture
def source(place: tuple[Path, Source]) -> Source:
    return place[1]


@pytest.fixture
def part(tmp_path: Path) -> Path:
    (tmp_path / "staging").mkdir()
    return tmp_path / "staging" / "staged"


def test_a_file_is_copied_hashed_and_inspected(base: Path, source: Source, part: Path) -> None:
    seen: list[int] = []

    fetched = source.fetch(NAME, part, sha256=SHA256, size_bytes=len(DATA), progress=seen.append)

    assert source.size(NAME) == len(DATA)
    assert (fetched.sha256, fetched.size_bytes) == (SHA256, len(DATA))
    assert fetched.url.endswith(NAME.text)
    assert fetched.contents.token == NAME.token
    assert part.read_bytes() == DATA
    assert [path.name for path in part.parent.iterdir()] == ["staged"]
    assert seen == sorted(seen)
    assert len(seen) > 1
    assert seen[-1] == len(DATA)


def test_what_an_earlier_run_left_is_written_over(base: Path, source: Source, part: Path) -> None:
    part.write_bytes(b"x" * 3_000_000)

    source.fetch(NAME, part)

    assert part.read_bytes() == DATA


def test_one_file_after_the_other_comes_over_the_same_source(base: Path, source: Source, part: Path) -> None:
    for number in range(5):
        other = part.with_name(f"staged-{number}")
        assert source.fetch(NAME, other).sha256 == SHA256


def test_a_file_the_source_lacks_is_reported(base: Path, source: Source, part: Path) -> None:
    (base / NAME.text).unlink()

    for ask in (lambda: source.size(NAME), lambda: source.fetch(NAME, part)):
        with pytest.raises(TransferError) as failure:
            ask()
        assert (failure.value.code, failure.value.exit_code) == ("not-at-source", 3)
        assert NAME.text in failure.value.message
        assert failure.value.hint
    assert not part.exists()


def test_a_folder_that_is_gone_has_no_files(base: Path, source: Source, part: Path) -> None:
    base.rename(base.with_name("moved"))

    with pytest.raises(TransferError) as failure:
        source.fetch(NAME, part)

    assert failure.value.code == "not-at-source"


def test_a_folder_under_the_name_is_no_file(base: Path, source: Source, part: Path) -> None:
    (base / NAME.text).unlink()
    (base / NAME.text).mkdir()

    with pytest.raises(TransferError) as failure:
        source.fetch(NAME, part)

    assert failure.value.code == "not-at-source"


@pytest.mark.parametrize("text", ["../secret", "/etc/passwd", "a/b", "a\\b", "..", ".", "", "C:x", "a:b\\c"])
def test_a_name_made_by_hand_does_not_leave_the_folder(base: Path, source: Source, part: Path, text: str) -> None:
    with pytest.raises(InputError) as failure:
        source.fetch(replace(NAME, text=text), part)

    assert failure.value.code == "not-a-file-name"


@pytest.mark.parametrize(
    ("sha256", "size_bytes", "data", "code"),
    [
        ("0" * 64, None, DATA, "digest-mismatch"),
        (None, 5, DATA, "size-mismatch"),
        (None, None, DATA[:-10], "truncated-archive"),
        (None, None, b"", "empty-file"),
        (None, None, b"<html>", "not-an-archive"),
    ],
)
def test_wrong_bytes_are_refused_and_removed(
    base: Path, source: Source, part: Path, *, sha256: str | None, size_bytes: int | None, data: bytes, code: str
) -> None:
    (base / NAME.text).write_bytes(data)

    with pytest.raises(VerificationError) as failure:
        source.fetch(NAME, part, sha256=sha256, size_bytes=size_bytes)

    assert failure.value.code == code
    assert list(part.parent.iterdir()) == []
    (base / NAME.text).write_bytes(DATA)
    assert source.fetch(NAME, part).sha256 == SHA256


def test_a_file_that_grows_while_it_is_read_is_not_taken(base: Path, source: Source, part: Path) -> None:
    grown: list[int] = []

    def grow(done: int) -> None:
        if done == len(DATA) and not grown:
            grown.append(done)
            with (base / NAME.text).open("ab") as file:
                file.write(b"more")

    with pytest.raises((TransferError, VerificationError)) as failure:
        source.fetch(NAME, part, progress=grow)

    assert failure.value.code in {"changed-at-source", "damaged-archive"}
    assert not part.exists()


@pytest.mark.parametrize("kept", [0, 100_000])
def test_a_file_that_shrinks_while_it_is_read_is_not_taken(base: Path, source: Source, part: Path, kept: int) -> None:
    with pytest.raises(TransferError) as failure:
        source.fetch(NAME, part, progress=lambda _: os.truncate(base / NAME.text, kept))

    assert failure.value.code == "changed-at-source"
    assert not part.exists()


def test_a_file_written_anew_while_it_is_read_is_not_taken(base: Path, source: Source, part: Path) -> None:
    """Of the same size and the same bytes: only its time of change tells."""
    written: list[int] = []

    def write(done: int) -> None:
        if not written:
            written.append(done)
            with (base / NAME.text).open("r+b") as file:
                file.write(DATA)

    with pytest.raises(TransferError) as failure:
        source.fetch(NAME, part, progress=write)

    assert failure.value.code == "changed-at-source"


def test_cancelling_stops_the_copy(base: Path, source: Source, part: Path) -> None:
    with pytest.raises(TransferError) as failure:
        source.fetch(NAME, part, cancelled=lambda: True)

    assert failure.value.code == "cancelled"
    assert not part.exists()
    assert source.fetch(NAME, part).sha256 == SHA256


def test_what_the_progress_raises_comes_through_as_it_is(base: Path, source: Source, part: Path) -> None:
    """Ctrl-C reaches whoever watches, and no source may take it for a failure of its own."""

    def interrupt(_done: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        source.fetch(NAME, part, progress=interrupt)


def test_a_staging_folder_that_is_gone_is_the_machines_fault(base: Path, source: Source, tmp_path: Path) -> None:
    with pytest.raises(MachineError) as failure:
        source.fetch(NAME, tmp_path / "gone" / "staged")

    assert failure.value.code == "folder-went-away"
    assert source.size(NAME) == len(DATA)
