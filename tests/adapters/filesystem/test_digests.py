from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from repo_manager.adapters.filesystem.digests import Digests, KnownDigest
from repo_manager.adapters.filesystem.user_cache import cache_folder
from repo_manager.core.audit.findings import Code, FileVerdict
from repo_manager.core.audit.signature_policy import Signature, SignatureState, Signer, Trust
from repo_manager.core.repository import FolderEntry

ENTRY = FolderEntry("a.tar.gz", 10, (1, 2, 3))
READ_AT = datetime(2026, 1, 31, 12, 0, 7, tzinfo=UTC)
GOOD = KnownDigest("ab" * 32, FileVerdict(), READ_AT)
BAD = KnownDigest("", FileVerdict(Code.CORRUPT, "the gzip data stops before its end"), READ_AT)


SIGNERS = (
    Signer("Example Agents", Trust.TRUSTED),
    Signer("Soci\xe9t\xe9", Trust.UNTRUSTED, "why", datetime(2020, 1, 1, tzinfo=UTC), datetime(2022, 1, 1, tzinfo=UTC)),
)
SIGNED = KnownDigest("ab" * 32, FileVerdict(), READ_AT, Signature(SignatureState.SIGNED, "", SIGNERS, "roots"))
UNSIGNED = KnownDigest("ab" * 32, FileVerdict(), READ_AT, Signature(SignatureState.UNSIGNED, roots="none"))
TAMPERED = KnownDigest(
    "ab" * 32, FileVerdict(), READ_AT, Signature(SignatureState.TAMPERED, "its bytes are others", (), "roots")
)


NO_ZONE = ["a", "trusted", "", None, "2022-01-01"]


@pytest.mark.parametrize(
    "known",
    [GOOD, BAD, SIGNED, UNSIGNED, TAMPERED],
    ids=["good", "bad", "signed", "unsigned", "tampered"],
)
def test_what_was_seen_is_remembered_by_the_next_run(tmp_path: Path, known: KnownDigest) -> None:
    digests = Digests(tmp_path, Path("/repository"))
    digests.put(ENTRY, known)
    digests.save(frozenset({ENTRY.name}))
    assert Digests(tmp_path, Path("/repository")).get(ENTRY) == known


@pytest.mark.parametrize(
    "changed",
    [
        FolderEntry("a.tar.gz", 11, (1, 2, 3)),
        FolderEntry("a.tar.gz", 10, (9, 2, 3)),
        FolderEntry("a.tar.gz", 10, (1, 9, 3)),
        FolderEntry("a.tar.gz", 10, (1, 2, 9)),
        FolderEntry("b.tar.gz", 10, (1, 2, 3)),
    ],
    ids=["another size", "another modification time", "another change time", "another file id", "another name"],
)
def test_a_file_that_may_have_changed_is_not_known(tmp_path: Path, changed: FolderEntry) -> None:
    digests = Digests(tmp_path, Path("/repository"))
    digests.put(ENTRY, GOOD)
    assert digests.get(changed) is None


def test_repositories_do_not_share_a_memory(tmp_path: Path) -> None:
    digests = Digests(tmp_path, Path("/one"))
    digests.put(ENTRY, GOOD)
    digests.save(frozenset({ENTRY.name}))
    assert Digests(tmp_path, Path("/two")).get(ENTRY) is None


def test_what_is_forgotten_stays_so_for_the_next_run(tmp_path: Path) -> None:
    digests = Digests(tmp_path, Path("/repository"))
    digests.put(ENTRY, GOOD)
    digests.save(frozenset({ENTRY.name}))
    digests.forget(ENTRY.name)
    digests.forget("never-seen")
    assert digests.get(ENTRY) is None
    digests.save(frozenset({ENTRY.name}))
    assert Digests(tmp_path, Path("/repository")).get(ENTRY) is None


def test_what_is_gone_from_the_folder_is_forgotten(tmp_path: Path) -> None:
    digests = Digests(tmp_path, Path("/repository"))
    digests.put(ENTRY, GOOD)
    digests.save(frozenset())
    assert Digests(tmp_path, Path("/repository")).get(ENTRY) is None


def _memory(item: list[object]) -> str:
    return json.dumps({"schema": "repo-manager/digests/2", "files": {ENTRY.name: item}})


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        '{"files": 1}',
        '{"schema": "repo-manager/digests/2", "files": 1}',
        json.dumps({"schema": "repo-manager/digests/1", "files": {ENTRY.name: [10, 1, 2, 3, "x", "", ""]}}),
        _memory([10, 1, 2, 3, "x", "", ""]),
        _memory([10, 1, 2, 3, 10**30, "x", "", ""]),
        _memory([10, 1, 2, 3, -1, "x", "", ""]),
        _memory([10, 1, 2, 3, 5, "x", "no-such-code", ""]),
        _memory([10, 1, 2, 3, 5, "x", "", "", 7]),
        _memory([10, 1, 2, 3, 5, "x", "", "", ["golden", "", "", []]]),
        _memory([10, 1, 2, 3, 5, "x", "", "", ["signed", "", "", [["a"]]]]),
        _memory([10, 1, 2, 3, 5, "x", "", "", ["signed", "", "", [["a", "trusted", "", "soon", None]]]]),
        _memory([10, 1, 2, 3, 5, "x", "", "", ["signed", "", "", [NO_ZONE]]]),
        _memory([10, 1, 2, 3, 5, "x", "", "", ["unsigned", "", "", []], "more"]),
    ],
    ids=[
        "empty",
        "cut off",
        "a list",
        "no schema",
        "a number",
        "an earlier form",
        "no time of reading",
        "a time beyond all years",
        "a time before all clocks",
        "an unknown code",
        "a number for a signature",
        "an unknown state of a signature",
        "half a signer",
        "a time that is none",
        "a time without a zone",
        "more than there is",
    ],
)
def test_a_damaged_memory_is_an_empty_one(tmp_path: Path, text: str) -> None:
    digests = Digests(tmp_path, Path("/repository"))
    digests.put(ENTRY, GOOD)
    digests.save(frozenset({ENTRY.name}))
    (file,) = tmp_path.iterdir()
    file.write_text(text, encoding="ascii")
    assert Digests(tmp_path, Path("/repository")).get(ENTRY) is None


def test_a_memory_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way", encoding="ascii")
    digests = Digests(tmp_path / "file", Path("/repository"))
    digests.put(ENTRY, GOOD)
    digests.save(frozenset({ENTRY.name}))
    assert (tmp_path / "file").read_text(encoding="ascii") == "in the way"


@pytest.mark.parametrize(
    ("environ", "folder"),
    [
        ({"REPO_MANAGER_CACHE_DIR": "/c", "LOCALAPPDATA": "/l"}, Path("/c")),
        ({"LOCALAPPDATA": "/l", "XDG_CACHE_HOME": "/x"}, Path("/l/repo-manager/cache")),
        ({"XDG_CACHE_HOME": "/x"}, Path("/x/repo-manager")),
        ({}, Path("~/.cache/repo-manager").expanduser()),
    ],
    ids=["named", "Windows", "desktop", "home"],
)
def test_the_memory_lies_in_the_users_own_cache(environ: dict[str, str], folder: Path) -> None:
    assert cache_folder(environ) == folder


# Kernels


KERNELS = ("5.15.0-100-generic", "4.12.14-5.13-azure:0")
LISTING = KnownDigest("cd" * 32, FileVerdict(), READ_AT, kernels=KERNELS)


@pytest.mark.parametrize("kernels", [KERNELS, ()], ids=["some", "none"])
def test_kernels_are_remembered_with_the_digest(tmp_path: Path, kernels: tuple[str, ...]) -> None:
    digests = Digests(tmp_path, Path("/repository"))
    digests.put(ENTRY, KnownDigest("cd" * 32, FileVerdict(), READ_AT, kernels=kernels))
    digests.save(frozenset({ENTRY.name}))
    again = Digests(tmp_path, Path("/repository"))
    assert again.kernels("cd" * 32) == kernels
    assert again.get(ENTRY) == KnownDigest("cd" * 32, FileVerdict(), READ_AT)


def test_of_a_digest_that_nobody_asked_for_kernels_none_are_known(tmp_path: Path) -> None:
    digests = Digests(tmp_path, Path("/repository"))
    digests.put(ENTRY, GOOD)
    digests.save(frozenset({ENTRY.name}))
    assert Digests(tmp_path, Path("/repository")).kernels(GOOD.sha256) is None
    assert [path.suffixes for path in tmp_path.iterdir()] == [[".json"]], "and no file is written for them"


def test_kernels_of_files_that_are_gone_are_forgotten(tmp_path: Path) -> None:
    digests = Digests(tmp_path, Path("/repository"))
    digests.put(ENTRY, LISTING)
    digests.put(
        FolderEntry("b.tar.gz", 10, (1, 2, 3)), KnownDigest("ef" * 32, FileVerdict(), READ_AT, kernels=("1.0-1",))
    )
    digests.save(frozenset({ENTRY.name}))
    again = Digests(tmp_path, Path("/repository"))
    assert again.kernels("cd" * 32) == KERNELS
    assert again.kernels("ef" * 32) is None


@pytest.mark.parametrize("damage", ["", "[]", '{"kernels": 7}', '{"kernels": {"a": 7}}'])
def test_a_damaged_memory_of_kernels_is_none(tmp_path: Path, damage: str) -> None:
    digests = Digests(tmp_path, Path("/repository"))
    digests.put(ENTRY, LISTING)
    digests.save(frozenset({ENTRY.name}))
    (file,) = tmp_path.glob("*.kernels.json")
    file.write_text(damage, encoding="utf-8")
    again = Digests(tmp_path, Path("/repository"))
    assert again.kernels("cd" * 32) is None
    assert again.get(ENTRY) is not None
