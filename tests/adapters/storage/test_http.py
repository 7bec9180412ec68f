"""Web servers that lie, break off, drip or fall silent, as places of a signed set."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final, Protocol

import pytest
from abuse_server import Honest, always, drip, endless, in_turn, redirect, serving

from repo_manager.adapters.sources.http_rules import HttpPolicy
from repo_manager.adapters.storage import Credentials, open_depot
from repo_manager.core.address import parse as parse_address
from repo_manager.core.errors import RepoManagerError, VerificationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from abuse_server import AbuseServer, Request, Script

    from repo_manager.adapters.storage import Storage

QUICK: Final = HttpPolicy(frozenset(), attempts=3, backoff_s=0, stall_timeout_s=20, trust_env=False)
# Large enough to be read from the socket itself.
DATA: Final = bytes(range(251)) * 8_000
TOKEN: Final = "hunter2"  # noqa: S105 - of a server that lives as long as a test


@pytest.fixture
def server() -> Iterator[AbuseServer]:
    with serving() as server:
        yield server


class At(Protocol):
    """Opens the depot that a server's paths below /set make."""

    def __call__(self, server: AbuseServer, policy: HttpPolicy = ..., token: str = ...) -> Storage: ...


@pytest.fixture
def at(request: pytest.FixtureRequest) -> At:
    def opened(server: AbuseServer, policy: HttpPolicy = QUICK, token: str = "") -> Storage:
        ring = Credentials({"REPO_MANAGER_DEPOT_TOKEN": token})
        depot = open_depot(parse_address(f"{server.base}/set"), policy=policy, keyring=ring)
        request.addfinalizer(depot.close)
        return depot

    return opened


def whole(depot: Storage, path: str, offset: int = 0) -> bytes:
    return b"".join(bytes(piece) for piece in depot.stream(path, offset=offset))


def failure_of(act: Callable[[], object]) -> RepoManagerError:
    with pytest.raises(RepoManagerError) as caught:
        act()
    assert caught.value.hint
    assert TOKEN not in caught.value.message + caught.value.hint
    return caught.value


def test_what_is_cut_off_goes_on_where_it_stopped(server: AbuseServer, at: At) -> None:
    server.url("/set/x", Honest(DATA, cuts=[300_000, 1, 200_000, 100_000, 0, 150_000]))

    assert whole(at(server), "x") == DATA
    assert server.sent["/set/x"] == len(DATA)


def test_a_server_without_ranges_is_read_anew_and_what_came_is_left_out(server: AbuseServer, at: At) -> None:
    server.url("/set/x", Honest(DATA, cuts=[300_000], ranges=False))

    assert whole(at(server), "x") == DATA
    assert whole(at(server), "x", 777) == DATA[777:]


def test_a_file_that_changes_between_two_pieces_is_not_mixed(server: AbuseServer, at: At) -> None:
    for first, second in (
        (Honest(DATA, cuts=[500_000], etag='"one"'), Honest(DATA[::-1], etag='"two"')),
        (Honest(DATA, cuts=[500_000], etag=None), Honest(DATA[:-1], etag=None)),
        (Honest(DATA, cuts=[500_000], etag=None), Honest(DATA, etag=None, modified="Tue, 23 Sep 2025 10:00:00 GMT")),
        (Honest(DATA, cuts=[500_000]), Honest(DATA[:1000], etag=None, modified=None)),
    ):
        server.url("/set/x", in_turn(first, second))
        assert failure_of(lambda: whole(at(server), "x")).code == "changed-at-source"


def test_a_server_that_sends_another_range_than_asked_is_not_believed(server: AbuseServer, at: At) -> None:
    server.url("/set/x", Honest(DATA, lies=[{"Content-Range": f"bytes 0-9/{len(DATA)}"}] * 5))
    assert failure_of(lambda: whole(at(server), "x", 10)).code == "bad-range"


def test_more_bytes_than_the_file_has_are_not_taken(server: AbuseServer, at: At) -> None:
    server.url("/set/x", Honest(DATA, lies=[{"Content-Range": "bytes 10-20/21"}]))
    assert failure_of(lambda: whole(at(server), "x", 10)).code == "changed-at-source"


def test_a_drip_is_given_up(server: AbuseServer, at: At) -> None:
    released = threading.Event()

    def slowly(request: Request) -> None:
        request.answer(200, {"Content-Length": "1000000"})
        while not released.wait(0.02):
            request.send_body(b"x")

    server.url("/set/slow", slowly)
    server.url("/set/silent", drip(DATA, released))
    policy = HttpPolicy(frozenset(), attempts=1, stall_timeout_s=0.2, min_rate=1 << 20, trust_env=False)
    try:
        for path in ("slow", "silent"):
            error = failure_of(lambda path=path: at(server, policy).read(path, limit_bytes=9_000_000))  # type: ignore[misc]
            assert (error.code, error.exit_code) == ("stalled", 3)
            error = failure_of(lambda path=path: whole(at(server, policy), path))  # type: ignore[misc]
            assert (error.code, error.exit_code) == ("stalled", 3)
    finally:
        released.set()


@pytest.mark.parametrize(
    "script",
    [
        pytest.param(always(200, {"Content-Length": str(1 << 40)}), id="said to be huge"),
        pytest.param(endless(b"x" * 1000), id="without an end"),
    ],
)
def test_a_gigabyte_of_metadata_is_refused(server: AbuseServer, at: At, script: Script) -> None:
    server.url("/set/timestamp.json", script)

    error = failure_of(lambda: at(server).read("timestamp.json", limit_bytes=16_384))

    assert isinstance(error, VerificationError)
    assert error.code == "too-large"
    assert server.sent.get("/set/timestamp.json", 0) < 10 << 20


@pytest.mark.parametrize(
    ("script", "code"),
    [
        pytest.param(always(401), "access-denied", id="nobody is known"),
        pytest.param(always(403), "access-denied", id="not for this one"),
        pytest.param(always(410), "not-at-source", id="gone"),
        pytest.param(always(500), "server-error", id="an error of the server's"),
        pytest.param(always(503), "server-busy", id="busy"),
        pytest.param(always(304, {}), "server-refused", id="unchanged, though nobody asked"),
        pytest.param(always(200, {"Content-Encoding": "gzip"}, b"x"), "compressed-body", id="compressed"),
        pytest.param(redirect("http://127.0.0.2:1/x"), "refused-host", id="to another host"),
        pytest.param(redirect("file:///etc/passwd"), "refused-scheme", id="to a file"),
        pytest.param(redirect("/set/x"), "too-many-redirects", id="in a circle"),
    ],
)
def test_each_refusal_has_its_name(server: AbuseServer, at: At, script: Script, code: str) -> None:
    server.url("/set/x", script)

    for ask in (lambda: at(server).read("x", limit_bytes=100), lambda: whole(at(server), "x")):
        assert failure_of(ask).code == code


PAGE: Final = b"\xef\xbb\xbf\r\n<!DOCTYPE html><html>Sign in</html>"


@pytest.mark.parametrize(
    "script",
    [
        pytest.param(always(200, body=PAGE), id="a short one"),
        pytest.param(always(200, {"Content-Type": "text/html; charset=utf-8"}, PAGE * 900), id="a long one"),
        pytest.param(endless(PAGE), id="one whose length is not told"),
    ],
)
def test_a_page_for_people_is_told_from_a_file_of_a_set(server: AbuseServer, at: At, script: Script) -> None:
    server.url("/set/timestamp.json", script)

    error = failure_of(lambda: at(server).read("timestamp.json", limit_bytes=16_384))

    assert (error.code, error.exit_code) == ("web-page", 3)
    assert "browser" in error.hint


def test_a_file_is_none_the_worse_for_being_called_a_page(server: AbuseServer, at: At) -> None:
    server.url("/set/timestamp.json", always(200, {"Content-Type": "text/html"}, b"{}"))

    found = at(server).read("timestamp.json", limit_bytes=16_384)

    assert found is not None
    assert found.data == b"{}"


def test_whoever_is_refused_is_told_of_the_variable_with_the_token(server: AbuseServer, at: At) -> None:
    server.url("/set/x", always(401))

    assert "set REPO_MANAGER_DEPOT_TOKEN" in failure_of(lambda: at(server).read("x", limit_bytes=100)).hint


def test_the_token_goes_to_the_server_it_is_for(server: AbuseServer, at: At) -> None:
    with serving("localhost") as other:
        server.url("/set/x", Honest(b"here"))
        server.url("/set/y", redirect(f"{other.base}/set/y"))
        other.url("/set/y", Honest(b"there"))
        policy = HttpPolicy(frozenset({other.entry}), attempts=1, trust_env=False)

        assert whole(at(server, policy, TOKEN), "x") == b"here"
        assert server.log[-1][2]["authorization"] == f"Bearer {TOKEN}"
        refused = failure_of(lambda: whole(at(server, policy, TOKEN), "y"))
        assert refused.code == "refused-host"
        assert "catalog" not in refused.hint, "with a token no other host is ever asked"
        assert "the address that it leads to" in refused.hint
        assert other.log == []
        assert whole(at(server, policy), "y") == b"there"
        assert "authorization" not in other.log[-1][2]


def test_the_size_is_asked_for_in_another_way_where_head_is_refused(server: AbuseServer, at: At) -> None:
    def script(request: Request) -> None:
        (always(405) if request.command == "HEAD" else Honest(DATA))(request)

    server.url("/set/x", script)
    assert at(server).size("x") == len(DATA)


def test_what_is_not_changed_costs_one_small_request(server: AbuseServer, at: At) -> None:
    server.url("/set/timestamp.json", always(304, {"ETag": '"x"'}))

    assert at(server).read("timestamp.json", limit_bytes=100, etag='"x"') is None
    assert [(method, path) for method, path, _ in server.log] == [("GET", "/set/timestamp.json")]
