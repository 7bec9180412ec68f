"""A real server on loopback: what it hands out, and that it hands out nothing else."""

from __future__ import annotations

import hashlib
import json
import os
import socket
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from prometheus_client.parser import text_string_to_metric_families
from web_world import (
    EXPIRES,
    LARGE,
    PAYLOAD,
    RHEL,
    ROOT_DIGEST,
    SLES,
    Served,
    serving,
    target_path,
    write_set,
    write_signed,
)

from repo_manager.core.errors import InputError
from repo_manager.web.signed_folder import SignedFolder

if TYPE_CHECKING:
    from collections.abc import Iterator

on_posix = pytest.mark.skipif(sys.platform == "win32", reason="links need a right there that tests do not have")

SECRET = b"not a part of the set"
# Names that installers of a set may have, so that it is not for the name that they are not there.
OUT, IN, UP, ABSENT, PIPE = (f"{digit * 64}.{RHEL}" for digit in "abcde")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A set with all kinds of neighbours."""
    base = tmp_path_factory.mktemp("served")
    folder = base / "set"
    write_set(folder)
    for path in ("secret.txt", "set/secret.txt", "set/metadata/.hidden", "set/targets/sub/secret.txt", "set/root.pem"):
        (base / path).parent.mkdir(exist_ok=True)
        (base / path).write_bytes(SECRET)
    for own in ("set/.repo-manager/lock", "set/metadata/.repo-manager/trust"):
        (base / own).parent.mkdir()
        (base / own).write_bytes(SECRET)
    if sys.platform != "win32":
        (folder / "targets" / OUT).symlink_to(base / "secret.txt")
        (folder / "targets" / IN).symlink_to(folder / "metadata" / "timestamp.json")
        (folder / "targets" / UP).symlink_to(base)
        (folder / "targets" / ABSENT).symlink_to(base / "nothing")
        os.mkfifo(folder / "targets" / PIPE)
    return base


@pytest.fixture(scope="module")
def served(world: Path) -> Iterator[Served]:
    with serving(world / "set") as running:
        yield running


# What is handed out


@pytest.mark.parametrize("name", ["timestamp.json", "3.snapshot.json", "3.targets.json", "1.root.json"])
def test_metadata_are_handed_out_as_they_are(served: Served, world: Path, name: str) -> None:
    answer = served.get(f"/metadata/{name}")
    assert answer.status_code == 200
    assert answer.content == (world / "set" / "metadata" / name).read_bytes()
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_caches_keep_what_never_changes_and_ask_for_the_rest(served: Served) -> None:
    def caching(path: str) -> str:
        return str(served.get(path).headers["cache-control"])

    assert caching("/metadata/timestamp.json") == "public, no-cache"
    assert caching("/metadata/3.targets.json") == "public, max-age=31536000, immutable"
    assert caching(target_path()) == "public, max-age=31536000, immutable"
    assert caching("/healthz") == "no-store"


def test_an_installer_is_handed_out_whole(served: Served) -> None:
    answer = served.get(target_path())
    assert (answer.status_code, answer.content) == (200, PAYLOAD)
    assert answer.headers["content-length"] == str(len(PAYLOAD))
    assert answer.headers["accept-ranges"] == "bytes"


@pytest.mark.parametrize(
    ("asked", "status", "start", "stop"),
    [
        ("bytes=0-0", 206, 0, 1),
        ("bytes=5-9", 206, 5, 10),
        ("bytes=300000-", 206, 300_000, len(PAYLOAD)),
        ("bytes=-7", 206, len(PAYLOAD) - 7, len(PAYLOAD)),
        ("bytes=0-1,5-6", 200, 0, len(PAYLOAD)),
        ("nonsense", 200, 0, len(PAYLOAD)),
    ],
)
def test_a_range_is_handed_out(served: Served, asked: str, status: int, start: int, stop: int) -> None:
    answer = served.get(target_path(), range=asked)
    assert (answer.status_code, answer.content) == (status, PAYLOAD[start:stop])
    expected = f"bytes {start}-{stop - 1}/{len(PAYLOAD)}" if status == 206 else None
    assert answer.headers.get("content-range") == expected


def test_a_range_behind_the_end_is_refused_with_the_size(served: Served) -> None:
    answer = served.get(target_path(), range=f"bytes={len(PAYLOAD)}-")
    assert (answer.status_code, answer.content) == (416, b"")
    assert answer.headers["content-range"] == f"bytes */{len(PAYLOAD)}"


def test_what_has_not_changed_costs_one_small_answer(served: Served) -> None:
    first = served.get("/metadata/timestamp.json")
    tag, date = first.headers["etag"], first.headers["last-modified"]
    again = served.get("/metadata/timestamp.json", if_none_match=tag)
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    assert served.get("/metadata/timestamp.json", if_modified_since=date).status_code == 304
    assert served.get("/metadata/timestamp.json", if_none_match='"another"').status_code == 200


def test_a_transfer_goes_on_only_with_the_same_file(served: Served) -> None:
    tag = served.get(target_path()).headers["etag"]
    assert served.get(target_path(), range="bytes=5-9", if_range=tag).status_code == 206
    assert served.get(target_path(), range="bytes=5-9", if_range='"another"').content == PAYLOAD


def test_head_says_all_but_the_bytes(served: Served) -> None:
    with served.client() as client:
        head, whole = client.head(target_path()), client.get(target_path())
        assert (head.status_code, head.content) == (200, b"")
        for name in ("etag", "content-length", "last-modified", "accept-ranges"):
            assert head.headers[name] == whole.headers[name]
        assert client.head(target_path(), headers={"Range": "bytes=0-4"}).headers["content-length"] == "5"


def test_many_answers_come_over_one_connection(served: Served) -> None:
    with served.client() as client:
        for start in range(0, 50_000, 5000):
            answer = client.get(target_path(), headers={"Range": f"bytes={start}-{start + 4999}"})
            assert answer.content == PAYLOAD[start : start + 5000]
    assert served.site.metrics.connections <= 1


def test_an_empty_file_is_handed_out(served: Served, world: Path) -> None:
    (world / "set" / "targets" / LARGE).touch()
    answer = served.get(f"/targets/{LARGE}")
    assert (answer.status_code, answer.content, answer.headers["content-length"]) == (200, b"", "0")


# Nothing else


def raw(url: str, request: bytes) -> bytes:
    """Whatever the server says to these bytes, to the end of the connection."""
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname or "", parts.port or 0), timeout=10) as link:
        link.sendall(request)
        return b"".join(iter(lambda: link.recv(65536), b""))


_DEVICES = ("con", "NUL", "nul.json", "com1", "lpt1.txt", "aux", "CONIN$", "com\u00b9")

ATTACKS = [
    ("/", "no listing"),
    ("/metadata", "no listing"),
    ("/metadata/", "no listing"),
    ("/targets/", "no listing"),
    ("/secret.txt", "a neighbour in the set's folder"),
    ("/root.pem", "a key that somebody left there"),
    ("/../secret.txt", "one up"),
    ("/metadata/../../secret.txt", "two up"),
    ("/metadata/..%2f..%2fsecret.txt", "encoded"),
    ("/metadata/%2e%2e/%2e%2e/secret.txt", "dots encoded"),
    ("/metadata/%252e%252e%252fsecret.txt", "encoded twice"),
    ("/metadata/..%5c..%5csecret.txt", "backslashes"),
    ("/metadata/..\\..\\secret.txt", "backslashes as they are"),
    ("/metadata/%c0%ae%c0%ae/secret.txt", "dots in a form that UTF-8 forbids"),
    ("/metadata/..;/secret.txt", "a parameter, as some servers have"),
    ("//metadata/timestamp.json", "an empty folder in front"),
    ("/metadata//timestamp.json", "an empty folder between"),
    ("/metadata/./timestamp.json", "the folder itself"),
    ("/metadata/timestamp.json/", "a file as a folder"),
    ("/metadata/timestamp.json%00", "a zero"),
    ("/metadata/timestamp.json%00.txt", "a zero before an ending"),
    ("/metadata/timestamp.json.", "a dot that Windows leaves out"),
    ("/metadata/timestamp.json%20", "a space that Windows leaves out"),
    ("/metadata/timestamp.json::$DATA", "a stream of Windows"),
    ("/metadata/TIMEST~1.JSO", "a short name of Windows"),
    ("/METADA~1/timestamp.json", "a short name of Windows"),
    ("/metadata/C:/Windows/win.ini", "a drive"),
    ("/metadata/C:%5cWindows%5cwin.ini", "a drive"),
    ("/C:/Windows/win.ini", "a drive"),
    ("/metadata/%5c%5cserver%5cshare%5cx", "a share"),
    ("//server/share/x", "a share"),
    ("/metadata/%5c%5c%3f%5cC:%5cx", "an extended path of Windows"),
    ("/targets/%2fetc%2fpasswd", "an absolute path"),
    ("/targets//etc/passwd", "an absolute path"),
    ("/etc/passwd", "an absolute path"),
    ("/targets/sub/secret.txt", "a folder in the set"),
    ("/targets/sub", "a folder as a file"),
    ("/metadata/.hidden", "a hidden file"),
    ("/.repo-manager/lock", "the tool's own"),
    ("/metadata/.repo-manager/trust", "the tool's own"),
    ("/metadata/.repo-manager", "the tool's own"),
    ("/targets/" + "a" * 300, "longer than a name may be"),
    ("/targets/%0d%0aX-Injected:%20yes", "a line end"),
    ("/targets/x%0d%0a%0d%0a<script>", "a whole answer of one's own"),
    ("/targets/%f0%9f%92%a5", "no ASCII"),
    ("/fleet", "no reports are taken here"),
    ("/reports", "no reports are taken here"),
    ("/reports/ps-01", "no reports are taken here"),
    ("http://elsewhere.example/metadata/timestamp.json", "another server"),
    ("file:///etc/passwd", "another kind of address"),
    *((f"/targets/{name}", "a device of Windows") for name in map(str, _DEVICES) if name.isascii()),
]


@pytest.mark.parametrize(("path", "why"), ATTACKS)
def test_nothing_outside_the_set_can_be_reached(served: Served, path: str, why: str) -> None:
    answer = raw(served.url, f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    assert answer.startswith((b"HTTP/1.1 404 ", b"HTTP/1.1 400 ")), why
    assert SECRET not in answer
    assert b"X-Injected" not in answer


@on_posix
@pytest.mark.parametrize(
    ("name", "why"),
    [
        (OUT, "leads out"),
        (IN, "leads to a file of the set: no link is followed"),
        (UP, "leads to a folder"),
        (ABSENT, "leads nowhere"),
        (f"{UP}%2fsecret.txt", "through a folder"),
        (PIPE, "would wait for a writer"),
    ],
)
def test_links_and_what_is_no_file_are_not_there(served: Served, name: str, why: str) -> None:
    assert served.get(f"/targets/{name}").status_code == 404, why


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("metadata/tokens.json", "tokens that somebody keeps there"),
        ("metadata/key.pem", "a key"),
        ("metadata/root.json", "without a number"),
        ("metadata/0.root.json", "there is no version 0"),
        ("metadata/3.timestamp.json", "with a number"),
        ("metadata/3.keys.json", "no role of ours"),
        ("metadata/3.root.json.new", "not whole yet"),
        ("targets/report-ps-01.json", "a report"),
        (f"targets/{RHEL}", "without its digest"),
        (f"targets/{'A' * 64}.{RHEL}", "capitals"),
        (f"targets/{'a' * 64}.notes.txt", "no installer"),
        ("targets/3.root.json", "in the wrong folder"),
        (f"metadata/{'a' * 64}.{RHEL}", "in the wrong folder"),
    ],
)
def test_what_lies_in_the_folders_and_is_not_of_a_set_is_not_there(tmp_path: Path, path: str, why: str) -> None:
    write_set(tmp_path)
    (tmp_path / path).write_bytes(SECRET)
    part, _, name = path.partition("/")
    assert SignedFolder(tmp_path).open(part, name) is None, why


@on_posix
def test_a_folder_of_the_set_that_is_a_link_is_not_there(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    write_set(elsewhere)
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "metadata").symlink_to(elsewhere / "metadata")
    assert SignedFolder(tmp_path / "set").open("metadata", "timestamp.json") is None
    opened = SignedFolder(elsewhere).open("metadata", "timestamp.json")
    assert opened is not None
    opened.file.close()


@pytest.mark.parametrize("method", ["PUT", "DELETE", "POST", "PATCH", "OPTIONS", "TRACE", "PROPFIND", "CONNECT"])
def test_a_set_can_only_be_read(served: Served, world: Path, method: str) -> None:
    before = (world / "set" / "metadata" / "timestamp.json").read_bytes()
    request = (
        f"{method} /metadata/timestamp.json HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nConnection: close\r\n\r\nxx"
    )
    answer = raw(served.url, request.encode())
    assert answer.startswith(b"HTTP/1.1 405 ")
    assert (world / "set" / "metadata" / "timestamp.json").read_bytes() == before


# The rest


def test_the_server_says_whether_it_has_a_set(tmp_path: Path) -> None:
    with serving(tmp_path) as running:
        assert running.get("/healthz").status_code == 503
        assert running.get("/metadata/timestamp.json").status_code == 404
        write_set(tmp_path)
        answer = running.get("/healthz")
        assert (answer.status_code, answer.text) == (200, "ok\n")


def test_a_new_version_is_seen_at_once(tmp_path: Path) -> None:
    write_set(tmp_path, version=3)
    folder = SignedFolder(tmp_path)
    assert folder.published().name.version == 3
    write_set(tmp_path, version=4, names=(RHEL,))
    published = folder.published()
    assert (published.name.version, published.name.root) == (4, ROOT_DIGEST)
    assert dict(published.packages) == {"RHEL9-64": "9.66.7567.1"}


def test_a_set_ends_with_the_first_of_its_metadata_and_has_all_its_roots(tmp_path: Path) -> None:
    write_set(tmp_path)
    newer = b'{"signed": {"expires": "2027-01-01T00:00:00Z"}}'
    (tmp_path / "metadata" / "2.root.json").write_bytes(newer)
    published = SignedFolder(tmp_path).published()
    assert published.expires == datetime(2027, 1, 1, tzinfo=UTC)
    assert published.name.root == ROOT_DIGEST
    assert published.later_roots == {hashlib.sha256(newer).hexdigest()}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b'{"signed": 5}',
        b'{"signed": {"meta": {"snapshot.json": {"version": "../../x"}}}}',
        b"x" * 2_000_000,
    ],
)
def test_metadata_that_cannot_be_understood_are_no_set(tmp_path: Path, data: bytes) -> None:
    write_set(tmp_path)
    (tmp_path / "metadata" / "timestamp.json").write_bytes(data)
    with pytest.raises(InputError):
        SignedFolder(tmp_path).published()


def test_of_each_package_the_newest_counts_and_foreign_names_do_not(tmp_path: Path) -> None:
    write_set(tmp_path)
    older = SLES.replace("9.66.7567.1", "9.65.7417.1")
    targets = {"expires": EXPIRES, "targets": {SLES: {}, older: {}, "notes.txt": {}}}
    write_signed(tmp_path / "metadata" / "3.targets.json", targets)
    assert dict(SignedFolder(tmp_path).published().packages) == {"SLES15-64": "9.66.7567.1"}


def test_the_numbers_are_valid_for_prometheus_and_right(tmp_path: Path) -> None:
    write_set(tmp_path)
    with serving(tmp_path) as running:
        running.get(target_path())
        running.get('/nothing/here"\\')
        text = running.get("/metrics").text
    families = {family.name: family for family in text_string_to_metric_families(text)}
    samples = {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in families.values()
        for sample in family.samples
    }
    asked = (("kind", "targets"), ("method", "GET"), ("status", "200"))
    assert samples["repo_manager_http_requests_total", asked] == 1
    assert samples["repo_manager_http_sent_bytes_total", (("kind", "targets"),)] == len(PAYLOAD)
    assert samples["repo_manager_set_version", ()] == 3
    assert families["repo_manager_http_requests"].type == "counter"
    assert all(family.documentation for family in families.values())


def test_every_request_is_written_down_without_its_secrets(tmp_path: Path) -> None:
    write_set(tmp_path)
    with serving(tmp_path) as running:
        running.get("/metadata/timestamp.json?sig=hush", token="hush")  # noqa: S106 - what must not be seen
        running.get("/a%1b%5b2Jb")
    first, second = running.entries
    assert (first.method, first.path, first.status, first.whole) == ("GET", "/metadata/timestamp.json", 200, True)
    assert "hush" not in repr(running.entries)
    assert second.path == "/a%1b%5b2Jb"
    assert json.dumps(second.path).isascii()


def test_a_file_that_becomes_shorter_while_it_is_sent_is_cut_and_said_to_be(tmp_path: Path) -> None:
    write_set(tmp_path)
    path = tmp_path / "targets" / LARGE
    with path.open("wb") as file:
        file.truncate(64 * 1024 * 1024)
    with serving(tmp_path) as running:
        parts = urlsplit(running.url)
        with socket.create_connection((parts.hostname or "", parts.port or 0), timeout=10) as link:
            link.sendall(f"GET /targets/{LARGE} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            received = len(link.recv(1000))
            with path.open("r+b") as file:
                file.truncate(1024)
            while piece := link.recv(1 << 20):
                received += len(piece)
    assert received < 64 * 1024 * 1024
    assert [entry.whole for entry in running.entries] == [False]


def test_a_large_file_arrives_as_it_is(tmp_path: Path) -> None:
    write_set(tmp_path)
    data = os.urandom(5 * 1024 * 1024 + 7)
    (tmp_path / "targets" / LARGE).write_bytes(data)
    with serving(tmp_path) as running:
        assert hashlib.sha256(running.get(f"/targets/{LARGE}").content).digest() == hashlib.sha256(data).digest()
        assert running.get(f"/targets/{LARGE}", range="bytes=3000000-").content == data[3_000_000:]
