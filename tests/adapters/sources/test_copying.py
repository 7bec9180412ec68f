from __future__ import annotations

import errno
import hashlib
import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from platforms import needs_links
from small_disk import mounted

from repo_manager.adapters.filesystem.os_errors import disk_error
from repo_manager.adapters.sources.copying import CopySource
from repo_manager.core.errors import InputError, MachineError, TransferError, VerificationError
from repo_manager.core.names import parse
from repo_manager.demo.sample import sample_installer

NAME = parse("Microsoft-ASR_UA_9.66.7567.1_RHEL9-64_GA_20Sep2025_release.tar.gz")
DATA = sample_installer(NAME, payload_bytes=600_000)
SHA256 = hashlib.sha256(DATA).hexdigest()


@pytest.fixture
def base(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    folder.mkdir()
    (folder / NAME.text).write_bytes(DATA)
    return folder


@pytest.fixture
def part(tmp_path: Path) -> Path:
    (tmp_path / "staging").mkdir()
    return tmp_path / "staging" / "staged"


def test_a_file_is_copied_hashed_and_inspected(base: Path, part: Path) -> None:
    seen: list[int] = []
    source = CopySource(base)

    fetched = source.fetch(NAME, part, sha256=SHA256, size_bytes=len(DATA), progress=seen.append)

    assert source.size(NAME) == len(DATA)
    assert (fetched.sha256, fetched.size_bytes, fetched.url) == (SHA256, len(DATA), str(base / NAME.text))
    assert fetched.contents.token == NAME.token
    assert part.read_bytes() == DATA
    assert [path.name for path in part.parent.iterdir()] == ["staged"]
    assert seen[-1] == len(DATA)


def test_what_an_earlier_run_left_is_written_over(base: Path, part: Path) -> None:
    part.write_bytes(b"x" * 1_000_000)

    CopySource(base).fetch(NAME, part)

    assert part.read_bytes() == DATA


def test_a_file_the_source_lacks_is_reported(base: Path, part: Path) -> None:
    (base / NAME.text).unlink()

    for ask in (lambda: CopySource(base).size(NAME), lambda: CopySource(base).fetch(NAME, part)):
        with pytest.raises(TransferError) as failure:
            ask()
        assert failure.value.code == "not-at-source"
    assert not part.exists()


def test_a_folder_under_the_name_is_no_file(base: Path, part: Path) -> None:
    (base / NAME.text).unlink()
    (base / NAME.text).mkdir()

    with pytest.raises(TransferError) as failure:
        CopySource(base).fetch(NAME, part)

    assert failure.value.code == "not-at-source"


@pytest.mark.parametrize("text", ["../secret", "/etc/passwd", "a/b", "a\\b", "..", ".", "", "C:x", "a:b\\c"])
def test_a_name_made_by_hand_does_not_leave_the_folder(base: Path, part: Path, text: str) -> None:
    with pytest.raises(InputError) as failure:
        CopySource(base).fetch(replace(NAME, text=text), part)

    assert failure.value.code == "not-a-file-name"


@needs_links
def test_a_link_out_of_the_folder_is_not_followed(base: Path, part: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(DATA)
    (base / NAME.text).unlink()
    (base / NAME.text).symlink_to(secret)

    with pytest.raises(TransferError) as failure:
        CopySource(base).fetch(NAME, part)

    assert failure.value.code == "outside-source"


@needs_links
def test_a_link_to_itself_is_no_file(base: Path, part: Path) -> None:
    (base / NAME.text).unlink()
    (base / NAME.text).symlink_to(NAME.text)

    with pytest.raises(TransferError) as failure:
        CopySource(base).fetch(NAME, part)

    assert failure.value.code == "source-went-away"


@needs_links
def test_a_link_inside_the_folder_and_a_linked_folder_are_followed(base: Path, part: Path, tmp_path: Path) -> None:
    (base / NAME.text).rename(base / "real")
    (base / NAME.text).symlink_to("real")
    (tmp_path / "alias").symlink_to(base)

    assert CopySource(tmp_path / "alias").fetch(NAME, part).sha256 == SHA256


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
    base: Path, part: Path, *, sha256: str | None, size_bytes: int | None, data: bytes, code: str
) -> None:
    (base / NAME.text).write_bytes(data)

    with pytest.raises(VerificationError) as failure:
        CopySource(base).fetch(NAME, part, sha256=sha256, size_bytes=size_bytes)

    assert failure.value.code == code
    assert list(part.parent.iterdir()) == []


def test_a_file_that_grows_while_it_is_read_is_not_taken(base: Path, part: Path) -> None:
    def grow(done: int) -> None:
        if done == len(DATA):
            with (base / NAME.text).open("ab") as file:
                file.write(b"more")

    with pytest.raises((TransferError, VerificationError)) as failure:
        CopySource(base).fetch(NAME, part, progress=grow)

    assert failure.value.code in {"changed-at-source", "damaged-archive"}
    assert not part.exists()


@pytest.mark.parametrize("kept", [0, 100_000])
def test_a_file_that_shrinks_while_it_is_read_is_not_taken(base: Path, part: Path, kept: int) -> None:
    with pytest.raises(TransferError) as failure:
        CopySource(base).fetch(NAME, part, progress=lambda _: os.truncate(base / NAME.text, kept))

    assert failure.value.code == "changed-at-source"
    assert not part.exists()


def test_a_file_that_is_written_again_while_it_is_read_is_not_taken(base: Path, part: Path) -> None:
    """With the same size and the same bytes: only its time of change differs."""

    def write(done: int) -> None:
        if done == len(DATA):
            (base / NAME.text).write_bytes(DATA)
            os.utime(base / NAME.text, (1, 1))

    with pytest.raises(TransferError) as failure:
        CopySource(base).fetch(NAME, part, progress=write)

    assert failure.value.code == "changed-at-source"
    assert not part.exists()


def test_a_folder_that_is_gone_has_no_files(base: Path, part: Path) -> None:
    base.rename(base.with_name("moved"))

    with pytest.raises(TransferError) as failure:
        CopySource(base).fetch(NAME, part)

    assert failure.value.code == "not-at-source"


def test_what_the_progress_raises_comes_through_as_it_is(base: Path, part: Path) -> None:
    """Ctrl-C reaches the caller, and no source may take it for a failure of its own."""

    def interrupt(_done: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        CopySource(base).fetch(NAME, part, progress=interrupt)


def test_cancelling_stops_the_copy(base: Path, part: Path) -> None:
    with pytest.raises(TransferError) as failure:
        CopySource(base).fetch(NAME, part, cancelled=lambda: True)

    assert failure.value.code == "cancelled"
    assert not part.exists()


def test_a_full_disk_is_the_machines_fault_and_gives_its_space_back(base: Path, part: Path) -> None:
    with mounted(part.parent, 200_000):
        with pytest.raises(MachineError) as failure:
            CopySource(base).fetch(NAME, part)

        assert failure.value.code == "no-space"
        assert list(part.parent.iterdir()) == []


def test_a_part_that_the_disk_did_not_confirm_is_not_used_again(
    base: Path, part: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a sync that failed the system may call the lost bytes written: a second sync proves nothing."""
    sync, failed = os.fsync, list[int]()

    def fail_once(descriptor: int) -> None:
        if not failed:
            failed.append(descriptor)
            raise OSError(errno.EIO, "input/output error")
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", fail_once)
    with pytest.raises(MachineError) as failure:
        CopySource(base).fetch(NAME, part)
    assert failure.value.code == "disk-error"
    assert list(part.parent.iterdir()) == []

    CopySource(base).fetch(NAME, part)
    assert part.read_bytes() == DATA


@needs_links
def test_a_link_in_the_place_of_a_part_is_replaced_and_its_target_stays(base: Path, part: Path) -> None:
    victim = part.parent.parent / "victim"
    victim.write_text("precious", encoding="utf-8")
    part.symlink_to(victim)

    CopySource(base).fetch(NAME, part)

    assert victim.read_text(encoding="utf-8") == "precious"
    assert not part.is_symlink()
    assert part.read_bytes() == DATA


def test_a_staging_folder_that_is_gone_is_the_machines_fault(base: Path, tmp_path: Path) -> None:
    with pytest.raises(MachineError) as failure:
        CopySource(base).fetch(NAME, tmp_path / "gone" / "staged")

    assert failure.value.code == "folder-went-away"


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (errno.ENOSPC, "no-space"),
        (errno.EDQUOT, "no-space"),
        (errno.EACCES, "no-rights"),
        (errno.EPERM, "no-rights"),
        (errno.EROFS, "read-only"),
        (errno.EBUSY, "file-in-use"),
        (errno.EMFILE, "too-many-files"),
        (errno.ENFILE, "too-many-files"),
        (errno.ENOENT, "folder-went-away"),
        (errno.ESTALE, "folder-went-away"),
        (errno.ENOTCONN, "folder-went-away"),
        (errno.EIO, "disk-error"),
        (errno.EFBIG, "disk-error"),
    ],
)
def test_a_refusal_of_the_disk_has_a_code_and_a_hint(number: int, code: str) -> None:
    refused = disk_error(OSError(number, os.strerror(number)), Path("a"))

    words = os.strerror(number)
    if sys.platform == "win32" and number == errno.EACCES:
        words = "access denied; either this user may not change it, or a program holds it: Windows does not say which"
    assert (refused.code, refused.message) == (code, f"a: {words}")
    assert refused.hint


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (5, "no-rights"),
        (32, "file-in-use"),
        (33, "file-in-use"),
        (53, "folder-went-away"),
        (64, "folder-went-away"),
        (67, "folder-went-away"),
        (112, "no-space"),
        (1295, "no-space"),
        (9999, "no-rights"),
    ],
)
def test_a_windows_code_says_more_than_the_errno_beside_it(number: int, code: str) -> None:
    error = OSError(errno.EACCES, "refused")
    error.winerror = number  # type: ignore[attr-defined, unused-ignore]

    assert disk_error(error, Path("a")).code == code


def test_an_error_without_a_text_still_says_something() -> None:
    assert disk_error(OSError(), Path("a")).message == "a: OSError"
