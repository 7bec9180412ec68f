"""What a follower remembers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from trust_world import Following, Leading

from repo_manager.edges.depots.folder import FolderDepot
from repo_manager.edges.signed_sets.trusted import FILES, Memory, TrustStore

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def memory(tmp_path: Path) -> Memory:
    leader = Leading(tmp_path / "leader")
    return Following(FolderDepot(leader.depot), leader.publish().root).follow().memory


@pytest.fixture
def store(tmp_path: Path) -> TrustStore:
    (tmp_path / "repository" / ".repo-manager").mkdir(parents=True)
    return TrustStore(tmp_path / "repository")


def test_a_memory_reads_back(store: TrustStore, memory: Memory) -> None:
    assert store.load() is None
    store.save(memory)

    assert store.load() == memory


def test_a_memory_that_has_not_changed_is_not_written(tmp_path: Path, store: TrustStore, memory: Memory) -> None:
    store.save(memory)
    steps: list[str] = []

    TrustStore(tmp_path / "repository", step=steps.append).save(memory)

    assert steps == []


def test_a_new_etag_is_all_that_is_written_of_a_set_seen_elsewhere(
    tmp_path: Path, store: TrustStore, memory: Memory
) -> None:
    store.save(memory)
    steps: list[str] = []

    TrustStore(tmp_path / "repository", step=steps.append).save(memory.seen_at("elsewhere", None))

    assert steps == ["write state.json.new", "rename state.json.new -> state.json"]


def test_what_was_forgotten_is_gone(store: TrustStore, memory: Memory) -> None:
    store.save(memory)
    store.forget()

    assert store.load() is None


@pytest.mark.parametrize(
    "state",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"[" * 50_000, id="deep nesting"),
        pytest.param(b'{"schema": "repo-manager/trust/2"}', id="another edition"),
        pytest.param(
            b'{"schema": "repo-manager/trust/1", "anchors": ["a"], "place": "", "etag": null, "version": 1,'
            b' "expires": "2026-01-01T00:00:00", "members": []}',
            id="a time without a zone",
        ),
        pytest.param(
            b'{"schema": "repo-manager/trust/1", "anchors": ["a"], "place": "", "etag": null, "version": 1,'
            b' "expires": "2026-01-01T00:00:00+00:00", "members": [["../evil", "", 1]]}',
            id="a name that is none",
        ),
    ],
)
def test_a_memory_that_cannot_be_believed_is_none(
    tmp_path: Path, store: TrustStore, memory: Memory, state: bytes
) -> None:
    store.save(memory)
    (tmp_path / "repository" / ".repo-manager" / "trust" / "state.json").write_bytes(state)

    assert store.load() is None


@pytest.mark.parametrize("name", FILES)
def test_a_memory_without_one_of_its_files_is_none(
    tmp_path: Path, store: TrustStore, memory: Memory, name: str
) -> None:
    store.save(memory)
    (tmp_path / "repository" / ".repo-manager" / "trust" / name).unlink()

    assert store.load() is None
