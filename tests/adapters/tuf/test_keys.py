"""The keys of a set, each in a file for its owner alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from repo_manager.adapters.tuf.keys import KeyRole, Keys
from repo_manager.core.errors import InputError, MachineError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    keys = Keys(tmp_path / "keys")
    keys.prepare()
    return keys


def test_a_key_that_is_there_is_never_replaced(keys: Keys) -> None:
    first = keys.make(KeyRole.ROOT).public_key

    assert keys.make(KeyRole.ROOT).public_key == first
    assert keys.make(KeyRole.ROOT, successor=True).public_key != first


def test_a_locked_key_opens_with_its_passphrase_alone(tmp_path: Path) -> None:
    keys = Keys(tmp_path, "correct horse")
    keys.prepare()
    made = keys.make(KeyRole.ROOT).public_key

    again = Keys(tmp_path, "correct horse").signer(KeyRole.ROOT)
    assert again is not None
    assert again.public_key == made
    for other in (None, "battery staple"):
        with pytest.raises(InputError) as failure:
            Keys(tmp_path, other).signer(KeyRole.ROOT)
        assert failure.value.code == "key-unreadable"
        assert "battery" not in str(failure.value) + failure.value.hint
        assert ("no passphrase was given" in failure.value.message) == (other is None)


def test_an_open_key_is_read_though_a_passphrase_is_set(keys: Keys) -> None:
    keys.make(KeyRole.ROOT)

    assert Keys(keys.folder, "correct horse").signer(KeyRole.ROOT) is not None


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"-----BEGIN PRIVATE KEY-----\nnonsense\n-----END PRIVATE KEY-----\n", id="nonsense"),
        pytest.param(
            b"-----BEGIN PRIVATE KEY-----\n"
            b"MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgevZzL1gdAFr88hb2\n"
            b"OF/2NxApJCzGCEDdfSp6VQO30hyhRANCAAQRWz+jn65BtOMvdyHKcvjBeBSDZH2r\n"
            b"1RTwjmYSi9R/zpBnuQ4EiMnCqfMPWiZqB4QdbAd0E7oH50VpuZ1P087G\n"
            b"-----END PRIVATE KEY-----\n",
            id="a key of another kind",
        ),
    ],
)
def test_what_is_no_key_is_refused(keys: Keys, data: bytes) -> None:
    (keys.folder / "root.pem").write_bytes(data)

    with pytest.raises(InputError) as failure:
        keys.signer(KeyRole.ROOT)

    assert failure.value.code == "key-unreadable"


def test_what_is_remembered_of_a_place_reads_back(keys: Keys) -> None:
    assert keys.seen("place") == {}

    keys.remember("place", {"root": 1, "targets": 7})

    assert keys.seen("place") == {"root": 1, "targets": 7}


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"{", id="no JSON"),
        pytest.param(b"[" * 50_000, id="deep nesting"),
        pytest.param(b"[1]", id="a list"),
        pytest.param(b'{"root": "x"}', id="a word for a version"),
        pytest.param(b'{"root": null}', id="nothing for a version"),
    ],
)
def test_what_is_remembered_and_makes_no_sense_is_not_taken_for_nothing(keys: Keys, data: bytes) -> None:
    (keys.folder / "metadata" / "place.json").write_bytes(data)

    with pytest.raises(MachineError, match=r"place\.json") as failure:
        keys.seen("place")

    assert failure.value.code == "keys-damaged"
    assert failure.value.hint
