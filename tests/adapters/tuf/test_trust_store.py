"""What a follower remembers."""

from __future__ import annotations

import errno
import json
import re
from typing import TYPE_CHECKING

import pytest
from trust_world import Following, Leading

from repo_manager.adapters.filesystem.repository_folder import SUBFOLDER
from repo_manager.adapters.storage.local import LocalStorage
from repo_manager.adapters.tuf.trust_store import FILES, TrustRecord, TrustStore
from repo_manager.core.errors import MachineError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def memory(tmp_path: Path) -> TrustRecord:
    leader = Leading(tmp_path / "leader")
    return Following(LocalStorage(leader.depot), leader.publish().root).follow().memory


@pytest.fixture
def store(tmp_path: Path) -> TrustStore:
    (tmp_path / "repository" / ".repo-manager").mkdir(parents=True)
    return TrustStore(tmp_path / "repository")


def test_a_memory_reads_back(store: TrustStore, memory: TrustRecord) -> None:
    assert store.load() is None
    store.save(memory)

    assert store.load() == memory


def test_a_memory_that_has_not_changed_is_not_written(tmp_path: Path, store: TrustStore, memory: TrustRecord) -> None:
    store.save(memory)
    steps: list[str] = []

    TrustStore(tmp_path / "repository", step=steps.append).save(memory)

    assert steps == []


def test_a_memory_is_written_in_one_step_so_that_it_is_always_of_one_set(
    tmp_path: Path, store: TrustStore, memory: TrustRecord
) -> None:
    store.save(memory)
    steps: list[str] = []

    TrustStore(tmp_path / "repository", step=steps.append).save(memory.seen_at("elsewhere", None))

    assert steps == [
        "write trust.json.new",
        "sync trust.json.new",
        "rename trust.json.new -> trust.json",
        f"sync {SUBFOLDER}",
    ]


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
def test_a_memory_that_cannot_be_believed_is_not_taken_for_none_and_can_be_replaced(
    tmp_path: Path, store: TrustStore, memory: TrustRecord, state: bytes
) -> None:
    store.save(memory)
    path = tmp_path / "repository" / ".repo-manager" / "trust.json"
    path.write_bytes(state)

    with pytest.raises(MachineError, match=re.escape(str(path))) as failure:
        store.load()
    assert failure.value.code == "trust-damaged"
    assert "--replace-trust" in failure.value.hint

    store.save(memory)
    assert store.load() == memory


@pytest.mark.parametrize("name", FILES)
def test_a_memory_without_one_of_its_files_is_damaged(
    tmp_path: Path, store: TrustStore, memory: TrustRecord, name: str
) -> None:
    store.save(memory)
    path = tmp_path / "repository" / ".repo-manager" / "trust.json"
    state = json.loads(path.read_bytes())
    del state["files"][name]
    path.write_text(json.dumps(state), encoding="ascii")

    with pytest.raises(MachineError) as failure:
        store.load()
    assert failure.value.code == "trust-damaged"


def test_a_memory_that_could_not_be_written_leaves_the_one_before_and_nothing_else(
    tmp_path: Path, store: TrustStore, memory: TrustRecord
) -> None:
    store.save(memory)

    def fail(what: str) -> None:
        if what.startswith("rename"):
            raise OSError(errno.ENOSPC, "no space left on device")

    with pytest.raises(MachineError) as failure:
        TrustStore(tmp_path / "repository", step=fail).save(memory.seen_at("elsewhere", None))

    assert failure.value.code == "no-space"
    assert store.load() == memory
    assert [path.name for path in (tmp_path / "repository" / ".repo-manager").iterdir()] == ["trust.json"]
