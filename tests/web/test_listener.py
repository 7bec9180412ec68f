"""Who is let in, and that those who say nothing keep nobody out, with a real server and real floods."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import os
import socket
import ssl
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import httpx
import pytest
from processes import until
from web_certificates import make_certificate
from web_world import LARGE, serving, target_path, write_set

from repo_manager.web.app import Site, application
from repo_manager.web.authenticator import Authenticator
from repo_manager.web.connection_limits import ConnectionLimits
from repo_manager.web.listener import RateLimitedLog, room_for
from repo_manager.web.metrics import Metrics
from repo_manager.web.server import Address, Certificate, bind
from repo_manager.web.signed_folder import SignedFolder
from repo_manager.web.uvicorn_server import HttpServer, ServerConfig

if TYPE_CHECKING:
    from collections.abc import Iterator

on_posix = pytest.mark.skipif(sys.platform == "win32", reason="a process there has no such bound")
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="only there a process lists what it has open")

TESTS: Final = Path(__file__).parents[1]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_set(tmp_path / "set")
    return tmp_path / "set"


@pytest.fixture
def certificate(tmp_path: Path) -> Certificate:
    return Certificate(*make_certificate(tmp_path, "leader"))


def link_to(url: str) -> socket.socket:
    parts = urlsplit(url)
    return socket.create_connection((parts.hostname or "", parts.port or 0), timeout=20)


def rest_of(link: socket.socket) -> bytes:
    """All that comes until the other side ends it, however it does."""
    heard = b""
    with contextlib.suppress(ConnectionResetError):
        while piece := link.recv(1 << 16):
            heard += piece
    return heard


def trusting_anybody() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


# Before and at the handshake


def test_who_has_not_spoken_tls_yet_counts(folder: Path, certificate: Certificate) -> None:
    doors = ConnectionLimits(Metrics(), most=3, handshake_s=600)
    with serving(folder, certificate=certificate, doors=doors) as running, contextlib.ExitStack() as stack:
        for _ in range(3):
            stack.enter_context(link_to(running.url))
        until(lambda: running.site.metrics.connections == 3, "they are counted")
        with link_to(running.url) as another:
            assert rest_of(another) == b""
        stack.close()
        until(lambda: running.site.metrics.connections == 0, "their places are free")
        assert running.get("/healthz").status_code == 200


@pytest.mark.parametrize("begun", [b"", b"\x16\x03\x01\x02\x00\x01"])
def test_who_does_not_get_on_with_the_handshake_is_sent_away(
    folder: Path, certificate: Certificate, begun: bytes
) -> None:
    doors = ConnectionLimits(Metrics(), handshake_s=0.2)
    with serving(folder, certificate=certificate, doors=doors) as running, link_to(running.url) as link:
        link.sendall(begun)
        assert rest_of(link) == b""
        until(lambda: running.site.metrics.connections == 0, "its place is free")
        numbers = running.get("/metrics").text
    assert 'repo_manager_refused_total{reason="handshake"} 1' in numbers


def test_what_is_no_tls_frees_its_place(folder: Path, certificate: Certificate) -> None:
    with serving(folder, certificate=certificate) as running:
        for said in (b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", b"\x00" * 5000):
            with link_to(running.url) as link:
                link.sendall(said)
                assert b"HTTP" not in rest_of(link)
        with link_to(running.url):
            pass
        until(lambda: running.site.metrics.connections == 0, "their places are free")
        assert running.get(target_path()).status_code == 200


def test_a_place_is_free_again_after_every_kind_of_end(folder: Path, certificate: Certificate) -> None:
    doors = ConnectionLimits(Metrics(), most=2)
    with serving(folder, certificate=certificate, doors=doors) as running:
        for _ in range(10):
            assert running.get("/healthz").status_code == 200
            with link_to(running.url) as plain, trusting_anybody().wrap_socket(plain) as link:
                link.sendall(b"GET /healthz HT")
            until(lambda: running.site.metrics.connections == 0, "the place is free")


# The end


def test_nobody_who_is_silent_holds_up_the_end(folder: Path, certificate: Certificate) -> None:
    doors = ConnectionLimits(Metrics(), handshake_s=600)
    with serving(folder, certificate=certificate, doors=doors, drain_s=600) as running, link_to(running.url) as link:
        until(lambda: running.site.metrics.connections == 1, "it is counted")
        running.server.stop()
        assert rest_of(link) == b""
        until(lambda: running.site.metrics.connections == 0, "its place is free")


# On Windows, asyncio drops a connection that is accepted at the moment in which accepting stops. Here these are the
# connections that `_lets_in` makes. They end with the process.
@pytest.mark.filterwarnings("ignore:.*unclosed <socket:pytest.PytestUnraisableExceptionWarning")
@pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")
def test_who_ends_the_handshake_after_the_doors_were_closed_is_sent_away(
    folder: Path, certificate: Certificate
) -> None:
    data = os.urandom(32 * 1024 * 1024)
    (folder / "targets" / LARGE).write_bytes(data)
    doors = ConnectionLimits(Metrics(), handshake_s=600)
    with (
        serving(folder, certificate=certificate, doors=doors, drain_s=20) as running,
        link_to(running.url) as plain,
        trusting_anybody().wrap_socket(plain) as link,
        link_to(running.url) as late,
    ):
        link.sendall(f"GET /targets/{LARGE} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        received = bytearray(link.recv(1000))
        until(lambda: running.site.metrics.connections == 2, "both are there")
        running.server.stop()
        until(lambda: not _lets_in(running.url), "the doors are closed")
        with trusting_anybody().wrap_socket(late) as spoken:
            assert rest_of(spoken) == b""
        while piece := link.recv(1 << 20):
            received += piece
        assert received.partition(b"\r\n\r\n")[2] == data
    gc.collect()


def _lets_in(url: str) -> bool:
    try:
        link_to(url).close()
    except OSError:
        return False
    return True


# Floods


BOUNDED: Final = """
import resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (int(sys.argv[1]), int(sys.argv[1])))
sys.argv = ["repo-manager", *sys.argv[2:]]
from repo_manager.__main__ import main
main()
"""


@contextlib.contextmanager
def bounded(program: str, *words: str) -> Iterator[subprocess.Popen[str]]:
    """A process of its own, that may have few descriptors."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("REPO_MANAGER_")}
    environ["PYTHONPATH"] = os.pathsep.join([str(TESTS), str(TESTS.parent)])
    command = [sys.executable, "-c", program, *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environ) as process:
        try:
            yield process
        finally:
            process.terminate()


@contextlib.contextmanager
def flood(url: str, count: int) -> Iterator[None]:
    """As many connections, that say nothing."""
    with contextlib.ExitStack() as stack:
        for _ in range(count):
            stack.enter_context(link_to(url))
        yield


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/healthz", trust_env=False, verify=False, timeout=20).status_code == 200  # noqa: S501 - its own
    except httpx.TransportError:
        return False


@on_linux
@pytest.mark.parametrize("tls", [True, False], ids=["TLS", "plain"])
def test_a_flood_of_the_silent_neither_takes_all_descriptors_nor_keeps_others_out(
    folder: Path, tmp_path: Path, *, tls: bool
) -> None:
    files = make_certificate(tmp_path, "leader")
    words = ["--json", "serve", "--set", str(folder), "--listen", "127.0.0.1:0", "--max-connections", "50"]
    words += ["--tls-cert", str(files[0]), "--tls-key", str(files[1])] if tls else []
    with bounded(BOUNDED, "200", *words) as process:
        assert process.stdout is not None
        url = json.loads(process.stdout.readline())["address"]
        with flood(url, 300):
            open_ones = len(list(Path(f"/proc/{process.pid}/fd").iterdir()))
            if tls:
                until(lambda: _answers(url), "a question is answered")
        until(lambda: _answers(url), "a question is answered")
        process.terminate()
        _, said = process.communicate(timeout=30)
    assert open_ones < 100
    assert said.splitlines()[0] == "error[interrupted]: serve has stopped, as it was asked to"


TOO_FEW: Final = """
import resource, sys
from pathlib import Path
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
from repo_manager.web.app import Site, application
from repo_manager.web.connection_limits import ConnectionLimits
from repo_manager.web.authenticator import Authenticator
from repo_manager.web.server import Address, bind
from repo_manager.web.uvicorn_server import HttpServer, ServerConfig
from repo_manager.web.signed_folder import SignedFolder

site = Site(SignedFolder(Path(sys.argv[1])), Authenticator(None))
limits = ConnectionLimits(site.metrics, most=1000, head_s=600)
warn = lambda words: print(words, file=sys.stderr, flush=True)
server = HttpServer(application(site), ServerConfig(limits, warn=warn))
listening = bind(Address("127.0.0.1", 0))
print(listening.getsockname()[1], flush=True)
server.run(sockets=[listening])
"""


@on_posix
def test_where_the_system_has_no_room_it_is_said_in_a_line_and_it_goes_on_afterwards(folder: Path) -> None:
    with bounded(TOO_FEW, str(folder)) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        url = f"http://127.0.0.1:{process.stdout.readline().strip()}"
        with flood(url, 100):
            first = process.stderr.readline()
        until(lambda: _answers(url), "a question is answered")
        process.terminate()
        _, rest = process.communicate(timeout=30)
    assert first == "warning: nobody else can come in just now: Too many open files\n"
    assert rest == ""


def test_what_the_loop_did_not_expect_is_said_in_a_line_once(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    said: list[str] = []
    site = Site(SignedFolder(folder), Authenticator(None))
    server = HttpServer(application(site), ServerConfig(ConnectionLimits(site.metrics), warn=said.append))

    async def serve_and_fail() -> None:
        serving_now = asyncio.create_task(server.serve([bind(Address("127.0.0.1", 0))]))
        await asyncio.to_thread(until, lambda: server.started, "it serves")
        for _ in range(3):
            asyncio.get_running_loop().call_exception_handler({"message": "a\nb", "exception": OSError("secret")})
        server.stop()
        await serving_now

    asyncio.run(serve_and_fail())
    assert said == [r"warning: something unexpected: a\nb (OSError)"]
    assert capfd.readouterr() == ("", "")


# How many there is room for


ROOM: Final = """
import resource, sys
soft, hard, wanted = map(int, sys.argv[1:])
resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
from repo_manager.web.listener import room_for
print(room_for(wanted), *resource.getrlimit(resource.RLIMIT_NOFILE))
"""


@on_posix
@pytest.mark.parametrize(
    ("soft", "hard", "wanted", "expected", "why"),
    [
        (1024, 1024, 500, "500 1024 1024", "the usual number has room in the usual bound"),
        (200, 1000, 300, "300 624 1000", "the bound is raised as far as needed"),
        (200, 400, 300, "188 400 400", "or as far as it may be"),
        (1000, 1000, 100, "100 1000 1000", "and never lowered"),
        (25, 25, 5, "1 25 25", "there is room for one"),
    ],
)
def test_there_is_room_for_as_many_as_descriptors_allow(
    soft: int, hard: int, wanted: int, expected: str, why: str
) -> None:
    with bounded(ROOM, str(soft), str(hard), str(wanted)) as process:
        said, _ = process.communicate(timeout=30)
    assert said.strip() == expected, why


def test_few_connections_always_have_room() -> None:
    assert room_for(3) == 3


@on_posix
def test_whoever_asks_for_more_than_there_is_room_for_is_warned(folder: Path) -> None:
    words = ["--json", "serve", "--set", str(folder), "--listen", "127.0.0.1:0", "--max-connections", "200"]
    with bounded(BOUNDED, "200", *words) as process:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["event"] == "listening"
        process.terminate()
        _, said = process.communicate(timeout=30)
    assert said.startswith("warning: this process may open too few files for 200 connections, it takes 88 at once;")


def test_the_same_words_are_said_once_a_minute() -> None:
    now, said = [0.0], list[str]()
    seldom = RateLimitedLog(said.append, clock=lambda: now[0])
    for now[0] in (0.0, 30.0, 59.0, 61.0, 70.0):
        seldom("a")
    seldom("b")
    assert said == ["a", "a", "b"]
