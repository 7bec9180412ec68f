"""What every depot promises, held to folders, web servers and object stores."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pytest
from abuse_server import Honest, always, serving
from object_stores import azurite, nginx, s3_server

from repo_manager.adapters.sources.http_rules import HttpPolicy
from repo_manager.adapters.storage import Credentials, Storage, StoredFile, open_depot
from repo_manager.core.address import parse as parse_address
from repo_manager.core.errors import InputError, RepoManagerError, TransferError, VerificationError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from abuse_server import AbuseServer, Request, Script
    from object_stores import Azurite, S3Server

POLICY: Final = HttpPolicy(frozenset(), backoff_s=0, stall_timeout_s=20)
# Goes in more than one piece in every engine, and is no multiple of one.
LARGE: Final = bytes(range(251)) * 40_000
SMALL: Final = 1 << 16
UNSAFE: Final = (
    "..",
    "../x",
    "targets/../../x",
    "/etc/passwd",
    "targets//x",
    "targets/",
    "",
    ".",
    "targets/.hidden",
    "targets\\x",
    "C:x",
    "nul",
    "targets/con.json",
    "x.",
    "x?sig=1",
    "x#1",
    "x%2e",
    "a b",
    "\u202egnp.x",
    "x\0",
    "x\n",
    "x" * 300,
    "x/" * 500 + "x",
)


@dataclass
class Place:
    """A depot, and a way to put files there that does not go through it where it only reads."""

    depot: Storage
    put: Callable[[str, bytes], object]


@pytest.fixture(scope="module")
def s3() -> Iterator[S3Server]:
    with s3_server() as server:
        yield server


@pytest.fixture(scope="module")
def azure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azurite]:
    with azurite(tmp_path_factory.mktemp("azurite")) as server:
        yield server


def _folder(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    depot = open_depot(parse_address(str(tmp_path / "set")), policy=POLICY)
    (tmp_path / "set").mkdir()
    yield Place(depot, depot.write)


def _http(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    with serving() as server:
        yield Place(
            open_depot(parse_address(f"{server.base}/set"), policy=POLICY),
            lambda path, data: publish(server, path, data),
        )


def _nginx(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    (tmp_path / "set").mkdir()
    (tmp_path / "own").mkdir()
    inner = open_depot(parse_address(str(tmp_path / "set")))
    with nginx(tmp_path, tmp_path / "own") as base:
        yield Place(open_depot(parse_address(f"{base}/set"), policy=POLICY), inner.write)


def _s3(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    server: S3Server = request.getfixturevalue("s3")
    address = server.make(tmp_path.name.replace("_", "-").lower().strip("-"))
    depot = open_depot(parse_address(f"{address}/some/set"), policy=POLICY, keyring=Credentials(server.variables()))
    yield Place(depot, depot.write)


def _azure(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    server: Azurite = request.getfixturevalue("azure")
    address = server.make(f"c{hashlib.sha256(tmp_path.name.encode()).hexdigest()[:20]}")
    depot = open_depot(parse_address(f"{address}/some/set"), policy=POLICY, keyring=Credentials(server.variables()))
    yield Place(depot, depot.write)


TO_WRITE: Final = (_folder, _s3, pytest.param(_azure, marks=pytest.mark.stores))
TO_READ: Final = (
    _http,
    pytest.param(_nginx, marks=pytest.mark.stores),
)


def _named(make: Callable[..., object]) -> str:
    return make.__name__.strip("_")


@pytest.fixture(params=[*TO_WRITE, *TO_READ], ids=_named)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    for place in request.param(request, tmp_path):
        yield place
        place.depot.close()


@pytest.fixture(params=TO_WRITE, ids=_named)
def writable(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Storage]:
    for place in request.param(request, tmp_path):
        yield place.depot
        place.depot.close()


@pytest.fixture(params=TO_READ, ids=_named)
def read_only(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Storage]:
    for place in request.param(request, tmp_path):
        yield place.depot
        place.depot.close()


def publish(server: AbuseServer, path: str, data: bytes) -> None:
    """Serve this, with ranges, an entity tag, and 304 to whoever has it."""
    etag = f'"{hashlib.sha256(data).hexdigest()[:16]}"'
    honest: Script = Honest(data, etag=etag)

    def script(request: Request) -> None:
        same = request.headers.get("If-None-Match") == etag
        (always(304, {"ETag": etag, "Content-Length": "0"}) if same else honest)(request)

    server.url(f"/set/{path}", script)


def whole(depot: Storage, path: str, offset: int = 0) -> bytes:
    return b"".join(bytes(piece) for piece in depot.stream(path, offset=offset))


def upload(depot: Storage, path: str, file: Path) -> list[int]:
    """Upload a file under its own digest; returns what the progress said."""
    seen: list[int] = []
    depot.upload(path, file, sha256=hashlib.sha256(file.read_bytes()).hexdigest(), progress=seen.append)
    return seen


# Reading


def test_a_small_file_is_read_whole(place: Place) -> None:
    place.put("metadata/timestamp.json", b"{}")

    blob = place.depot.read("metadata/timestamp.json", limit_bytes=2)

    assert isinstance(blob, StoredFile)
    assert blob.data == b"{}"
    assert blob.etag


def test_an_empty_file_is_a_file(place: Place) -> None:
    place.put("metadata/empty", b"")

    blob = place.depot.read("metadata/empty", limit_bytes=10)

    assert blob is not None
    assert blob.data == b""
    assert place.depot.size("metadata/empty") == 0
    assert whole(place.depot, "metadata/empty") == b""


def test_what_has_not_changed_is_not_read_again(place: Place) -> None:
    place.put("timestamp.json", b"one")
    first = place.depot.read("timestamp.json", limit_bytes=SMALL)
    assert first is not None

    assert place.depot.read("timestamp.json", limit_bytes=SMALL, etag=first.etag) is None

    # Of another length: nginx makes its tags of the size and the second of the change.
    place.put("timestamp.json", b"three")
    second = place.depot.read("timestamp.json", limit_bytes=SMALL, etag=first.etag)
    assert second is not None
    assert second.data == b"three"
    assert second.etag != first.etag


def test_a_small_file_that_is_large_is_refused(place: Place) -> None:
    place.put("timestamp.json", b"x" * 1001)

    with pytest.raises(VerificationError) as failure:
        place.depot.read("timestamp.json", limit_bytes=1000)

    assert (failure.value.code, failure.value.exit_code) == ("too-large", 4)
    assert "timestamp.json" in failure.value.message


def test_a_file_that_is_not_there_is_said_to_be_absent(place: Place) -> None:
    place.put("other", b"x")

    for ask in (
        lambda: place.depot.read("metadata/7.root.json", limit_bytes=SMALL),
        lambda: whole(place.depot, "metadata/7.root.json"),
        lambda: whole(place.depot, "metadata/7.root.json", 5),
    ):
        with pytest.raises(TransferError) as failure:
            ask()
        assert (failure.value.code, failure.value.exit_code) == ("not-at-source", 3)
        assert "7.root.json" in failure.value.message
        assert failure.value.hint
    assert place.depot.size("metadata/7.root.json") is None


def test_a_large_file_is_streamed_in_pieces(place: Place) -> None:
    place.put("targets/large", LARGE)

    pieces = [bytes(piece) for piece in place.depot.stream("targets/large")]

    assert b"".join(pieces) == LARGE
    assert len(pieces) > 1
    assert place.depot.size("targets/large") == len(LARGE)


@pytest.mark.parametrize(
    "offset",
    [
        pytest.param(1, id="after the first byte"),
        pytest.param(5_000_000, id="in the middle"),
        pytest.param(len(LARGE) - 1, id="before the last byte"),
        pytest.param(len(LARGE), id="nothing is left"),
    ],
)
def test_a_reading_goes_on_where_an_earlier_one_stopped(place: Place, offset: int) -> None:
    place.put("targets/large", LARGE)

    assert whole(place.depot, "targets/large", offset) == LARGE[offset:]


def test_a_file_that_ends_before_the_offset_has_changed(place: Place) -> None:
    place.put("targets/short", b"12345")

    with pytest.raises(TransferError) as failure:
        whole(place.depot, "targets/short", 6)

    assert failure.value.code == "changed-at-source"


def test_a_reading_may_be_given_up(place: Place) -> None:
    place.put("targets/large", LARGE)

    for _ in range(3):
        reading = place.depot.stream("targets/large")
        assert LARGE.startswith(bytes(next(reading)))
        del reading

    assert whole(place.depot, "targets/large") == LARGE


@pytest.mark.parametrize("path", UNSAFE)
def test_a_path_that_could_lead_out_is_refused_before_anybody_is_asked(place: Place, path: str) -> None:
    for ask in (
        lambda: place.depot.read(path, limit_bytes=SMALL),
        lambda: whole(place.depot, path),
        lambda: place.depot.size(path),
    ):
        with pytest.raises(VerificationError) as failure:
            ask()
        assert failure.value.code == "unsafe-path"


# Writing


def test_where_a_set_is_only_read_from_nothing_is_written(read_only: Storage, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    asks: tuple[Callable[[], object], ...] = (
        lambda: read_only.write("x", b"x"),
        lambda: upload(read_only, "x", tmp_path / "file"),
        lambda: read_only.delete("x"),
        lambda: read_only.list(""),
        lambda: read_only.sweep("targets", lambda _: True),
    )
    for ask in asks:
        with pytest.raises(InputError) as failure:
            ask()
        assert failure.value.code == "read-only-depot"


@pytest.mark.parametrize("path", UNSAFE)
def test_nothing_is_written_under_a_path_that_could_lead_out(writable: Storage, path: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    asks: tuple[Callable[[], object], ...] = (
        lambda: writable.write(path, b"x"),
        lambda: upload(writable, path, tmp_path / "file"),
        lambda: writable.delete(path),
    )
    for ask in asks:
        with pytest.raises(VerificationError) as failure:
            ask()
        assert failure.value.code == "unsafe-path"
    assert list(writable.list("")) == []


def test_a_small_file_is_written_over(writable: Storage) -> None:
    for data in (b"first", b"a longer second one", b"", b"last"):
        writable.write("metadata/timestamp.json", data)

        blob = writable.read("metadata/timestamp.json", limit_bytes=SMALL)
        assert blob is not None
        assert blob.data == data
    assert list(writable.list("")) == [("metadata/timestamp.json", 4)]


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"x", id="a byte"),
        pytest.param(LARGE[: 8 << 20], id="just one piece"),
        pytest.param(LARGE, id="more than one piece"),
    ],
)
def test_a_payload_is_uploaded(writable: Storage, tmp_path: Path, data: bytes) -> None:
    file = tmp_path / "payload"
    file.write_bytes(data)

    seen = upload(writable, "targets/payload.tar.gz", file)

    assert whole(writable, "targets/payload.tar.gz") == data
    assert list(writable.list("targets")) == [("targets/payload.tar.gz", len(data))]
    assert seen == sorted(seen)
    assert seen[-1:] == ([len(data)] if data else [])


def test_a_payload_with_other_bytes_than_it_should_have_never_comes_to_be(writable: Storage, tmp_path: Path) -> None:
    file = tmp_path / "payload"
    for data in (b"short", LARGE):
        file.write_bytes(data)
        with pytest.raises(VerificationError) as failure:
            writable.upload("targets/payload", file, sha256="0" * 64, progress=lambda _: None)
        assert (failure.value.code, failure.value.exit_code) == ("digest-mismatch", 4)
        assert str(file) in failure.value.message
    assert list(writable.list("")) == []


def test_an_upload_that_is_given_up_leaves_what_was_there(writable: Storage, tmp_path: Path) -> None:
    file = tmp_path / "payload"
    file.write_bytes(b"old")
    upload(writable, "targets/payload", file)
    file.write_bytes(LARGE)

    def stop(done: int) -> None:
        raise TransferError("cancelled", f"stopped after {done} bytes")

    with pytest.raises(TransferError) as failure:
        writable.upload("targets/payload", file, sha256=hashlib.sha256(LARGE).hexdigest(), progress=stop)

    assert failure.value.code == "cancelled"
    assert whole(writable, "targets/payload") == b"old"
    assert list(writable.list("")) == [("targets/payload", 3)]


def test_a_payload_that_is_not_there_cannot_be_uploaded(writable: Storage, tmp_path: Path) -> None:
    with pytest.raises(RepoManagerError) as failure:
        writable.upload("targets/x", tmp_path / "nothing", sha256="0" * 64, progress=lambda _: None)

    assert failure.value.exit_code == 3
    assert str(tmp_path / "nothing") in failure.value.message
    assert list(writable.list("")) == []


def test_files_are_listed_by_folder(writable: Storage) -> None:
    for path in ("metadata/1.root.json", "metadata/timestamp.json", "targets/a", "targets-2/b", "c"):
        writable.write(path, path.encode())

    assert sorted(writable.list("")) == [
        ("c", 1),
        ("metadata/1.root.json", 20),
        ("metadata/timestamp.json", 23),
        ("targets-2/b", 11),
        ("targets/a", 9),
    ]
    assert sorted(writable.list("metadata")) == [("metadata/1.root.json", 20), ("metadata/timestamp.json", 23)]
    assert list(writable.list("targets/")) == [("targets/a", 9)]
    assert list(writable.list("nothing")) == []


def test_many_files_are_listed(writable: Storage) -> None:
    for number in range(60):
        writable.write(f"reports/{number}.json", b"{}")

    assert len(dict(writable.list("reports"))) == 60


def test_a_file_is_deleted_and_may_be_gone_already(writable: Storage) -> None:
    writable.write("targets/a", b"x")
    writable.write("targets/b", b"x")

    for _ in range(2):
        writable.delete("targets/a")

    assert list(writable.list("")) == [("targets/b", 1)]


def test_sweeping_takes_nothing_of_what_is_there(writable: Storage) -> None:
    writable.write("targets/x", b"x")

    assert writable.sweep("targets", lambda _: True) == 0
    assert writable.sweep("metadata", lambda _: True) == 0

    assert list(writable.list("")) == [("targets/x", 1)]
