"""Addresses, certificates, limits and the end of a server."""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx
import pytest
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption
from processes import until
from web_certificates import make_certificate
from web_world import LARGE, Served, serving, target_path, write_set

from repo_manager.core.errors import InputError, MachineError
from repo_manager.web.connection_limits import ConnectionLimits
from repo_manager.web.limits import AccessLogEntry, Rate, client_of, line
from repo_manager.web.metrics import Metrics
from repo_manager.web.server import Address, Certificate, bind, is_one_of, proxies

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_set(tmp_path / "set")
    return tmp_path / "set"


# Addresses


@pytest.mark.parametrize(
    ("text", "host", "port", "own"),
    [
        ("127.0.0.1:8080", "127.0.0.1", 8080, True),
        ("localhost:0", "127.0.0.1", 0, True),
        ("127.9.9.9:1", "127.9.9.9", 1, True),
        ("[::1]:8443", "::1", 8443, True),
        ("0.0.0.0:443", "0.0.0.0", 443, False),  # noqa: S104 - what must be told apart
        ("[::]:443", "::", 443, False),
        ("10.0.0.5:443", "10.0.0.5", 443, False),
        ("leader.example:443", "leader.example", 443, False),
    ],
)
def test_an_address_says_whether_others_can_reach_it(text: str, host: str, port: int, *, own: bool) -> None:
    address = Address.parse(text)
    assert (address.host, address.port, address.for_this_machine_only) == (host, port, own)


@pytest.mark.parametrize("text", ["", "8080", ":8080", "host", "host:", "::1:80", "a b:1", "http://x:1"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(InputError) as caught:
        Address.parse(text)
    assert caught.value.code == "bad-address"
    assert "HOST:PORT" in caught.value.message


@pytest.mark.parametrize("text", ["127.0.0.1:65536", "[::1]:99999"])
def test_a_port_that_is_too_high_is_said_to_be(text: str) -> None:
    with pytest.raises(InputError) as caught:
        Address.parse(text)
    assert caught.value.code == "bad-address"
    assert f"there is no port {text.rpartition(':')[2]}" in caught.value.message
    assert "65535" in caught.value.hint


def test_a_port_that_is_taken_is_said_to_be() -> None:
    with bind(Address("127.0.0.1", 0)) as first, pytest.raises(MachineError) as caught:
        bind(Address("127.0.0.1", first.getsockname()[1]))
    assert caught.value.code == "cannot-listen"
    assert caught.value.message.endswith("cannot be listened at: another program has this port")


def test_an_address_of_another_machine_is_refused() -> None:
    with pytest.raises(InputError) as caught:
        bind(Address("192.0.2.1", 0))
    assert caught.value.code == "bad-address"
    assert caught.value.message == "192.0.2.1 is no address of this machine"


def test_a_url_names_the_port_that_was_taken() -> None:
    assert Address("::1", 0).url(5, tls=True) == "https://[::1]:5"
    assert Address("10.0.0.5", 0).url(80, tls=False) == "http://10.0.0.5:80"


# Proxies


@pytest.mark.parametrize("text", ["*", "", "proxy.example", "10.0.0.0/33", "10.0.0.1/8"])
def test_only_named_addresses_are_believed(text: str) -> None:
    with pytest.raises(InputError):
        proxies((text,))


@pytest.mark.parametrize(
    ("text", "network"), [("127.0.0.1/8", "127.0.0.0/8"), ("10.1.2.3/16", "10.1.0.0/16"), ("fe80::1/64", "fe80::/64")]
)
def test_an_address_in_a_network_is_told_the_network(text: str, network: str) -> None:
    with pytest.raises(InputError) as caught:
        proxies((text,))
    assert caught.value.code == "bad-address"
    assert "no address" not in caught.value.message
    assert f"{network} for the whole network" in caught.value.hint


def test_an_address_is_looked_for_in_networks() -> None:
    believed = proxies(("10.0.0.0/8", "::1"))
    assert [is_one_of(text, believed) for text in ("10.1.2.3", "::1", "11.0.0.1", "unknown")] == [
        True,
        True,
        False,
        False,
    ]


def _clients(folder: Path, behind: tuple[str, ...], forwarded: str) -> list[str]:
    with serving(folder, behind=behind) as running:
        running.get("/healthz", x_forwarded_for=forwarded)
    return [entry.client for entry in running.entries]


@pytest.mark.parametrize(
    ("behind", "forwarded", "client", "why"),
    [
        ((), "198.51.100.7", "127.0.0.1", "nobody is believed"),
        (("203.0.113.1",), "198.51.100.7", "127.0.0.1", "another proxy is"),
        (("127.0.0.1",), "198.51.100.7", "198.51.100.7", "this one is"),
        (("127.0.0.1",), "6.6.6.6, 198.51.100.7", "198.51.100.7", "the last one that the proxy wrote"),
        (("127.0.0.0/8",), "198.51.100.7", "198.51.100.7", "a network"),
        (("127.0.0.1",), "<script>\x1b[2J", "unknown", "no address"),
    ],
)
def test_a_proxy_is_believed_when_it_was_named(
    folder: Path, behind: tuple[str, ...], forwarded: str, client: str, why: str
) -> None:
    printable = forwarded.replace("\x1b", "")
    assert _clients(folder, behind, printable) == [client], why


# Limits


def _link(served: Served) -> socket.socket:
    parts = urlsplit(served.url)
    return socket.create_connection((parts.hostname or "", parts.port or 0), timeout=10)


def _heard(link: socket.socket, *pieces: bytes) -> bytes:
    """All that the server says to these pieces, to the end of the connection. It may end before all were sent."""
    heard = b""
    with contextlib.suppress(ConnectionError):
        for piece in pieces:
            link.sendall(piece)
    with contextlib.suppress(ConnectionError):
        while piece := link.recv(1 << 16):
            heard += piece
    return heard


def _head(size: int, more: bytes = b"") -> bytes:
    """The head of a request that has so many bytes with the empty line behind it."""
    start, end = b"GET /healthz HTTP/1.1\r\nHost: x\r\n" + more + b"X: ", b"\r\n\r\n"
    return start + b"a" * (size - len(start) - len(end)) + end


_LIMIT = 16 * 1024
_CLOSE = b"Connection: close\r\n"


@pytest.mark.parametrize("size", [100, _LIMIT - 1, _LIMIT])
@pytest.mark.parametrize("step", [7, 1000, _LIMIT])
def test_a_head_up_to_the_limit_is_answered_however_it_comes(folder: Path, size: int, step: int) -> None:
    head = _head(size, _CLOSE)
    with serving(folder) as running, _link(running) as link:
        heard = _heard(link, *(head[at : at + step] for at in range(0, len(head), step)))
    assert heard.startswith(b"HTTP/1.1 200 ")
    assert heard.count(b"HTTP/1.1 ") == 1


@pytest.mark.parametrize(
    ("request_", "why"),
    [
        (_head(_LIMIT + 1), "one byte too many"),
        (_head(200_000), "one long header"),
        (b"GET /healthz HTTP/1.1\r\nHost: x\r\n" + b"X: a\r\n" * 4000 + b"\r\n", "many headers"),
        (b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", "a long first line"),
        (b"HEAD /" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", "a method whose answers have no body"),
        (b"POST /reports/a HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\nX: " + b"a" * 20_000 + b"\r\n\r\nx", "a body"),
        (_head(20_000)[:-4], "its end never comes"),
        (b"A" * 20_000, "no line ends"),
        (_head(_LIMIT) * 3 + _head(_LIMIT + 1), "behind others that are answered"),
    ],
)
@pytest.mark.parametrize("step", [1000, 1 << 20])
def test_a_head_over_the_limit_is_refused_and_the_connection_ends(
    folder: Path, request_: bytes, why: str, step: int
) -> None:
    with serving(folder) as running:
        with _link(running) as link:
            heard = _heard(link, *(request_[at : at + step] for at in range(0, len(request_), step)))
        answered = request_.count(_head(_LIMIT))
        assert heard.count(b"HTTP/1.1 200 ") == answered, why
        assert heard.count(b"HTTP/1.1 431 ") == 1, why
        assert heard.endswith(b"Connection: close\r\n\r\n"), why
        assert 'repo_manager_refused_total{reason="head"} 1' in "\n".join(running.site.metrics.families())
        until(lambda: running.site.metrics.connections == 0, "the connection is closed")


def test_a_request_behind_one_that_was_refused_is_not_answered(folder: Path) -> None:
    with serving(folder) as running, _link(running) as link:
        heard = _heard(link, _head(_LIMIT + 1) + _head(100, _CLOSE))
    assert heard.count(b"HTTP/1.1 ") == 1
    assert heard.startswith(b"HTTP/1.1 431 ")
    assert running.entries == []


def test_heads_that_never_end_take_a_bounded_memory_and_hold_up_no_one_else(folder: Path) -> None:
    with serving(folder) as running, contextlib.ExitStack() as stack:
        links = [stack.enter_context(_link(running)) for _ in range(20)]
        for link in links:
            link.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 16_000)
        assert running.get("/healthz").status_code == 200
        until(lambda: running.site.metrics.connections >= 20, "all are in")
        held = [len(found.conn.trailing_data[0]) for found in running.server.server_state.connections]  # type: ignore[union-attr]
        assert max(held) <= _LIMIT
        for link in links:
            # Far more than is read of it.
            with contextlib.suppress(ConnectionError):
                link.sendall(b"a" * 3_000_000)
        assert running.get("/healthz").status_code == 200
        until(lambda: running.site.metrics.connections <= 1, "they are sent away")


def test_a_head_over_the_limit_is_refused_over_tls_too(folder: Path, tmp_path: Path) -> None:
    certificate, key = make_certificate(tmp_path, "leader")
    trust = ssl.create_default_context(cafile=certificate)
    trust.check_hostname = False
    with (
        serving(folder, certificate=Certificate(certificate, key)) as running,
        _link(running) as link,
        trust.wrap_socket(link) as wrapped,
    ):
        heard = _heard(wrapped, _head(_LIMIT + 1))
    assert heard.startswith(b"HTTP/1.1 431 ")


def test_a_trailer_that_is_too_long_ends_the_connection(folder: Path) -> None:
    begun = b"POST /healthz HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: "
    with serving(folder) as running:
        with _link(running) as link:
            heard = _heard(link, begun, b"a" * 100_000)
        assert heard.count(b"HTTP/1.1 ") <= 1
        until(lambda: running.site.metrics.connections == 0, "the connection is closed")


@pytest.mark.parametrize("begun", [b"", b"GET /healthz HT", b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET /he"])
def test_a_client_that_does_not_go_on_is_not_waited_for_for_ever(folder: Path, begun: bytes) -> None:
    with serving(folder, doors=ConnectionLimits(Metrics(), head_s=0.2, idle_s=1)) as running, _link(running) as link:
        link.sendall(begun)
        heard = b""
        try:
            while piece := link.recv(1000):
                heard += piece
        except ConnectionResetError:
            pass
        assert heard.count(b"HTTP/1.1 200 ") == begun.count(b"\r\n\r\n")
        until(lambda: running.site.metrics.connections == 0, "the connection is closed")


def test_a_client_that_takes_nothing_is_cut(folder: Path) -> None:
    with (folder / "targets" / LARGE).open("wb") as file:
        file.truncate(256 * 1024 * 1024)
    with serving(folder, doors=ConnectionLimits(Metrics(), stall_s=0.2)) as running, _link(running) as link:
        link.sendall(f"GET /targets/{LARGE} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        until(lambda: len(running.entries) == 1, "the requests are written down")
    assert [(entry.status, entry.whole) for entry in running.entries] == [(200, False)]


def test_a_client_that_goes_away_is_noticed(folder: Path) -> None:
    with (folder / "targets" / LARGE).open("wb") as file:
        file.truncate(256 * 1024 * 1024)
    with serving(folder) as running:
        with _link(running) as link:
            link.sendall(f"GET /targets/{LARGE} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            link.recv(1000)
        until(lambda: len(running.entries) == 1, "the requests are written down")
    assert not running.entries[0].whole
    assert running.site.metrics.under_way == 0


def test_a_small_file_does_not_wait_for_the_clients_word_on_the_head(folder: Path) -> None:
    """With Nagle's algorithm each one did, for 40 ms."""
    with serving(folder) as served, served.client() as client:
        assert client.get("/metadata/timestamp.json").status_code == 200
        (connection,) = served.server.server_state.connections
        own = connection.transport.get_extra_info("socket")
        assert own.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_no_more_connections_than_allowed(folder: Path) -> None:
    with serving(folder, doors=ConnectionLimits(Metrics(), most=2)) as running:
        with _link(running), _link(running):
            until(lambda: running.site.metrics.connections == 2, "the connections are there")
            with _link(running) as third:
                assert third.recv(1000).startswith(b"HTTP/1.1 503 ")
        until(lambda: running.site.metrics.connections == 0, "the connection is closed")
        assert running.get("/healthz").status_code == 200


def test_no_more_connections_of_one_client_than_allowed(folder: Path) -> None:
    doors = ConnectionLimits(Metrics(), most_of_one=1, exempt=lambda _: False)
    with serving(folder, doors=doors) as running, _link(running):
        until(lambda: running.site.metrics.connections == 1, "the connections are there")
        with _link(running) as second:
            assert second.recv(1000).startswith(b"HTTP/1.1 503 ")


def test_who_asks_too_often_is_told_to_wait(folder: Path) -> None:
    rate = Rate(per_s=1.0, burst=3.0, clock=lambda: 100.0)
    with serving(folder, behind=("127.0.0.1",), rate=rate) as running:
        codes = [running.get("/healthz", x_forwarded_for="198.51.100.7") for _ in range(4)]
        assert [answer.status_code for answer in codes] == [200, 200, 200, 429]
        assert codes[-1].headers["retry-after"] == "1"
        assert running.get("/healthz", x_forwarded_for="198.51.100.8").status_code == 200
        assert running.get("/healthz").status_code == 200


def test_a_rate_recovers_and_the_longest_silent_are_forgotten() -> None:
    now = [0.0]
    rate = Rate(per_s=2.0, burst=1.0, clock=lambda: now[0])
    assert [rate.allows("a"), rate.allows("a")] == [True, False]
    now[0] = 0.5
    assert [rate.allows("a"), rate.allows("a")] == [True, False]
    for number in range(20_000):
        rate.allows(str(number))
    assert len(rate._left) == 10_000
    assert rate.allows("a")


@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        ({"client": ("198.51.100.7", 5)}, "198.51.100.7"),
        ({"client": ("fe80::1%eth0", 5)}, "fe80::1"),
        ({"client": None}, "unknown"),
        ({"client": ("<b>", 5)}, "unknown"),
    ],
)
def test_a_client_is_an_address_or_unknown(scope: dict[str, object], expected: str) -> None:
    assert client_of(scope) == expected


def test_a_fault_is_a_number_and_no_traceback(folder: Path) -> None:
    def broken() -> datetime:
        raise ZeroDivisionError

    with serving(folder, rate=Rate(clock=lambda: broken().timestamp()), behind=("127.0.0.1",)) as running:
        answer = running.get("/healthz", x_forwarded_for="198.51.100.7")
        assert (answer.status_code, "Traceback" in answer.text) == (500, False)
    assert [entry.fault for entry in running.entries] == ["ZeroDivisionError"]


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        (AccessLogEntry("::1", "-", "GET", "/x", 200, 5, 0.01, whole=True), "::1 - GET /x 200 5 0.010s"),
        (AccessLogEntry("::1", "a", "GET", "/x", 200, 5, 0.01, whole=False), "::1 a GET /x 200 5 0.010s cut"),
        (AccessLogEntry("::1", "a", "GET", "/x", 500, 0, 0.01, whole=False, fault="E"), "::1 a GET /x 500 0 0.010s E"),
    ],
)
def test_a_request_is_one_line(entry: AccessLogEntry, expected: str) -> None:
    assert line(entry) == expected


# TLS


def test_a_set_is_served_over_tls_to_those_who_trust_the_certificate(folder: Path, tmp_path: Path) -> None:
    files = make_certificate(tmp_path, "leader")
    trust = ssl.create_default_context(cafile=files[0])
    with serving(folder, certificate=Certificate(*files), trust=trust) as running:
        assert running.url.startswith("https://")
        assert running.get(target_path()).status_code == 200
        assert running.get(target_path(), range="bytes=5-9").status_code == 206
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"{running.url}/healthz", trust_env=False)
        with pytest.raises(httpx.HTTPError):
            httpx.get(f"{running.url.replace('https', 'http')}/healthz", trust_env=False)


def test_versions_of_tls_that_are_broken_are_not_spoken(tmp_path: Path) -> None:
    assert Certificate(*make_certificate(tmp_path, "x")).context.minimum_version == ssl.TLSVersion.TLSv1_2


def test_a_renewed_certificate_needs_no_restart(folder: Path, tmp_path: Path) -> None:
    files = make_certificate(tmp_path, "first")
    # The server refreshes its own certificate as well, soon after its start, so only this one's answer is certain.
    certificate, unserved = Certificate(*files), Certificate(*files)
    with serving(folder, certificate=certificate) as running:
        first = _shown_certificate(running)
        make_certificate(tmp_path, "second-and-longer")
        assert unserved.refresh()
        certificate.refresh()
        assert _shown_certificate(running) != first
        (tmp_path / "key.pem").write_text("damaged")
        assert not unserved.refresh()
        assert not certificate.refresh()
        assert not Certificate(*make_certificate(tmp_path, "third")).refresh()


def _shown_certificate(served: Served) -> bytes:
    parts = urlsplit(served.url)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with _link(served) as plain, context.wrap_socket(plain, server_hostname=parts.hostname) as link:
        return link.getpeercert(binary_form=True) or b""


def test_files_that_are_no_certificate_are_refused(tmp_path: Path) -> None:
    certificate, key = make_certificate(tmp_path, "x")
    (tmp_path / "text").write_text("x")
    for files in ((certificate, tmp_path / "text"), (tmp_path / "text", key), (certificate, tmp_path / "absent")):
        with pytest.raises(InputError) as caught:
            Certificate(*files)
        assert caught.value.code == "bad-certificate"


def test_a_key_with_a_password_is_refused_and_nobody_is_asked(tmp_path: Path) -> None:
    files = make_certificate(tmp_path, "x", encryption=BestAvailableEncryption(b"hush"))
    with pytest.raises(InputError) as caught:
        Certificate(*files)
    assert "password" in caught.value.message


# The end


def test_what_is_under_way_is_finished_and_nobody_else_is_let_in(folder: Path) -> None:
    data = os.urandom(64 * 1024 * 1024)
    (folder / "targets" / LARGE).write_bytes(data)
    with serving(folder, drain_s=20) as running:
        with _link(running) as link:
            link.sendall(f"GET /targets/{LARGE} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            received = bytearray(link.recv(100_000))
            running.server.stop()
            until(lambda: not _lets_in(running), "nobody is let in")
            while piece := link.recv(1 << 20):
                received += piece
        assert received.partition(b"\r\n\r\n")[2] == data
    assert [entry.whole for entry in running.entries] == [True]


def _lets_in(served: Served) -> bool:
    try:
        _link(served).close()
    except OSError:
        return False
    return True


def test_who_takes_too_long_at_the_end_is_cut(folder: Path) -> None:
    with (folder / "targets" / LARGE).open("wb") as file:
        file.truncate(256 * 1024 * 1024)
    with serving(folder, drain_s=1) as running, _link(running) as link:
        link.sendall(f"GET /targets/{LARGE} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        link.recv(1000)
        running.server.stop()
        until(lambda: len(running.entries) == 1, "the requests are written down")
    assert not running.entries[0].whole
