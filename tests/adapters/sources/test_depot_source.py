"""A depot as a source: whole or not at all, gone on with where it stopped, and no faster than told."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest
from simulator import name_of
from small_world import data_of

from repo_manager.adapters.sources.depot_source import DepotSource, RateLimit
from repo_manager.adapters.storage.local import LocalStorage
from repo_manager.adapters.tuf.signed_set import payload_path
from repo_manager.core import names
from repo_manager.core.errors import TransferError, VerificationError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NAME = names.parse(name_of("OL8-64"))
DATA = data_of(NAME.text)
DIGEST = hashlib.sha256(DATA).hexdigest()
PATH = payload_path(DIGEST, NAME.text)


class Cut:
    """A depot that breaks off after so many bytes of every stream, and knows where each began."""

    def __init__(self, depot: LocalStorage, after: int) -> None:
        self._depot = depot
        self._after = after
        self.offsets: list[int] = []
        self.name = depot.name
        self.read, self.size, self.write, self.upload = depot.read, depot.size, depot.write, depot.upload
        self.list, self.delete, self.sweep, self.close = depot.list, depot.delete, depot.sweep, depot.close

    def stream(self, path: str, *, offset: int = 0) -> Iterator[bytes | memoryview]:
        self.offsets.append(offset)
        data = b"".join(bytes(piece) for piece in self._depot.stream(path, offset=offset))
        yield data[: self._after]
        if len(data) > self._after:
            raise TransferError("cut-off", "the connection broke off", "run again")


@pytest.fixture
def depot(tmp_path: Path) -> LocalStorage:
    (tmp_path / "depot").mkdir()
    depot = LocalStorage(tmp_path / "depot")
    depot.write(PATH, DATA)
    return depot


def test_an_installer_comes_whole(depot: LocalStorage, tmp_path: Path) -> None:
    seen: list[int] = []
    part = tmp_path / "x.part"

    fetched = DepotSource(depot).fetch(NAME, part, sha256=DIGEST, size_bytes=len(DATA), progress=seen.append)

    assert (fetched.sha256, fetched.size_bytes, part.read_bytes()) == (DIGEST, len(DATA), DATA)
    assert seen[-1] == len(DATA)


def test_what_broke_off_is_gone_on_with_by_the_next_run(depot: LocalStorage, tmp_path: Path) -> None:
    part = tmp_path / "x.part"
    cut = Cut(depot, 700)
    for _ in range(len(DATA) // 700):
        with pytest.raises(TransferError, match="broke off"):
            DepotSource(cut).fetch(NAME, part, sha256=DIGEST, size_bytes=len(DATA))

    DepotSource(cut).fetch(NAME, part, sha256=DIGEST, size_bytes=len(DATA))

    assert part.read_bytes() == DATA
    assert cut.offsets == list(range(0, len(DATA), 700))


def test_without_a_digest_nothing_is_gone_on_with(depot: LocalStorage, tmp_path: Path) -> None:
    depot.write(NAME.text, DATA)
    part = tmp_path / "x.part"
    cut = Cut(depot, 700)
    with pytest.raises(TransferError):
        DepotSource(cut).fetch(NAME, part, size_bytes=len(DATA))

    DepotSource(depot).fetch(NAME, part, size_bytes=len(DATA))
    with pytest.raises(TransferError):
        DepotSource(cut).fetch(NAME, part, size_bytes=len(DATA))

    assert cut.offsets == [0, 0]


def test_a_beginning_of_another_build_is_given_up(depot: LocalStorage, tmp_path: Path) -> None:
    """A part that an earlier set has left: right as far as anybody can tell before the end."""
    part = tmp_path / "x.part"
    with pytest.raises(TransferError):
        DepotSource(Cut(depot, 700)).fetch(NAME, part, sha256=DIGEST, size_bytes=len(DATA))
    data = bytearray(part.read_bytes())
    data[-1] ^= 1
    part.write_bytes(data)

    DepotSource(depot).fetch(NAME, part, sha256=DIGEST, size_bytes=len(DATA))

    assert part.read_bytes() == DATA


@pytest.mark.parametrize(
    ("data", "code"),
    [
        pytest.param(DATA[:-1] + bytes([DATA[-1] ^ 1]), None, id="a flipped bit"),
        pytest.param(DATA + b"\0" * 10_000_000, None, id="more than was signed"),
        pytest.param(DATA[:-10], "size-mismatch", id="less than was signed"),
        pytest.param(b"<html>Sign in</html>", None, id="a login page"),
    ],
)
def test_wrong_bytes_leave_nothing_behind(depot: LocalStorage, tmp_path: Path, data: bytes, code: str | None) -> None:
    depot.write(PATH, data)
    part = tmp_path / "x.part"

    with pytest.raises(VerificationError) as failure:
        DepotSource(depot).fetch(NAME, part, sha256=DIGEST, size_bytes=len(DATA))

    assert code in {None, failure.value.code}
    assert f"--verify at the leader, which sends {PATH} again" in failure.value.hint, "to fetch it again is no help"
    assert not part.exists()
    assert not part.with_name("x.part.json").exists()


def test_a_transfer_that_was_stopped_can_be_gone_on_with(depot: LocalStorage, tmp_path: Path) -> None:
    part = tmp_path / "x.part"

    with pytest.raises(TransferError) as failure:
        DepotSource(depot).fetch(NAME, part, sha256=DIGEST, size_bytes=len(DATA), cancelled=lambda: True)

    assert failure.value.code == "cancelled"
    assert part.exists()


class Time:
    def __init__(self) -> None:
        self.now_s = 100.0

    def clock(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds


@pytest.mark.parametrize(
    ("rate", "pieces", "least_s", "most_s"),
    [
        pytest.param(1000, [1000] * 10, 9.5, 10.0, id="ten seconds' worth"),
        pytest.param(1000, [10_000], 9.5, 10.0, id="the same in one piece"),
        pytest.param(10**9, [1000] * 10, 0.0, 0.1, id="less than the rate allows"),
        pytest.param(None, [10**9], 0.0, 0.0, id="no limit"),
    ],
)
def test_the_rate_is_kept(rate: int | None, pieces: list[int], least_s: float, most_s: float) -> None:
    time = Time()
    pace = RateLimit(rate, sleep=time.sleep, clock=time.clock)

    for piece in pieces:
        pace.take(piece)

    assert least_s <= time.now_s - 100.0 <= most_s


def test_a_pause_is_not_made_up_for(tmp_path: Path) -> None:
    time = Time()
    pace = RateLimit(1000, sleep=time.sleep, clock=time.clock)
    pace.take(1000)
    time.now_s = 1000.0

    pace.take(5000)

    assert time.now_s >= 1004.5


def test_nobody_waits_for_a_rate_once_it_was_stopped() -> None:
    time = Time()

    RateLimit(1, sleep=time.sleep, clock=time.clock).take(10**9, lambda: True)

    assert time.now_s == 100.0
