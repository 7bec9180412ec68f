"""Object stores that refuse, break off, lie, or are not there: each time one clear error, and no secret in it."""

from __future__ import annotations

import gc
import hashlib
import shutil
import ssl
import subprocess
import threading
import traceback
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import pytest
from abuse_server import Honest, always, drip, endless, in_turn, redirect, serving
from object_stores import ACCOUNT, KEY, Azurite, azurite, s3_server, signature

from repo_manager.adapters.sources.http_rules import HttpPolicy
from repo_manager.adapters.storage import Credentials, open_depot
from repo_manager.core.address import parse as parse_address
from repo_manager.core.errors import InputError, MachineError, RepoManagerError, TransferError, VerificationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from abuse_server import AbuseServer, Request, Script

    from repo_manager.adapters.storage import Storage

QUICK: Final = HttpPolicy(frozenset(), attempts=3, backoff_s=0.001, backoff_cap_s=0.001, stall_timeout_s=20)
DATA: Final = bytes(range(251)) * 8_000
SECRETS: Final = ("S3SECRETVALUE", "hunter2", KEY, "sig=", "sig%3D", "SharedKey", "reqwest", "obstore", "Generic")


@pytest.fixture
def server() -> Iterator[AbuseServer]:
    with serving() as server:
        yield server


def at(server: AbuseServer, policy: HttpPolicy = QUICK) -> Storage:
    """The depot that the server's paths below /bucket/set make, as S3 has them."""
    variables = {
        "AWS_ACCESS_KEY_ID": "somebody",
        "AWS_SECRET_ACCESS_KEY": "S3SECRETVALUE",
        "AWS_ENDPOINT_URL": server.base,
    }
    return open_depot(parse_address("s3://bucket/set"), policy=policy, keyring=Credentials(variables))


def failure_of(act: Callable[[], object]) -> RepoManagerError:
    """What it raises, after a look for secrets, the library's words and its kinds, also where -vv would show them."""
    with pytest.raises(RepoManagerError) as caught:
        act()
    error = caught.value
    assert error.hint
    shown = error.message + error.hint + "".join(traceback.format_exception(error))
    # The lines of our own source are part of a traceback.
    shown = "\n".join(line for line in shown.splitlines() if not line.startswith("    "))
    for secret in SECRETS:
        assert secret not in shown.replace("/obstore/", "/")
    return error


def whole(depot: Storage, path: str, offset: int = 0) -> bytes:
    return b"".join(bytes(piece) for piece in depot.stream(path, offset=offset))


def answered(server: AbuseServer, path: str) -> list[str | None]:
    return server.ranges(f"/bucket/set/{path}")


# Reading, where the way is bad


def test_what_is_cut_off_goes_on_where_it_stopped(server: AbuseServer) -> None:
    server.url("/bucket/set/x", Honest(DATA, cuts=[300_000, 1, 200_000, 100_000, 0, 150_000, 200_000, 200_000]))

    assert whole(at(server), "x") == DATA
    assert server.sent["/bucket/set/x"] < len(DATA) + (1 << 20)


def test_what_never_gets_further_is_given_up(server: AbuseServer) -> None:
    server.url("/bucket/set/x", Honest(DATA, cuts=[1000] * 100))

    error = failure_of(lambda: whole(at(server), "x"))

    assert (error.code, error.exit_code) == ("cut-off", 3)
    assert len(answered(server, "x")) < 20


def test_an_object_that_changes_between_two_pieces_is_not_mixed(server: AbuseServer) -> None:
    first, second = Honest(DATA, cuts=[500_000], etag='"one"'), Honest(DATA[::-1], etag='"two"')
    server.url("/bucket/set/x", in_turn(first, second))
    came = bytearray()

    def read() -> None:
        for piece in at(server).stream("x"):
            came.extend(piece)

    error = failure_of(read)

    assert error.exit_code == 3
    assert error.code in {"changed-at-source", "cut-off"}
    assert DATA.startswith(came)


def test_an_object_that_changed_before_the_rest_was_asked_for_is_refused(server: AbuseServer) -> None:
    def script(request: Request) -> None:
        if request.command == "HEAD":
            Honest(DATA, etag='"one"')(request)
        else:
            assert request.headers.get("If-Match") == '"one"'
            always(412)(request)

    server.url("/bucket/set/x", script)

    assert failure_of(lambda: whole(at(server), "x", 1000)).code == "changed-at-source"


def test_a_store_that_falls_silent_is_given_up(server: AbuseServer) -> None:
    released = threading.Event()
    server.url("/bucket/set/x", drip(DATA, released))
    try:
        error = failure_of(lambda: whole(at(server, HttpPolicy(frozenset(), attempts=1, stall_timeout_s=0.2)), "x"))
    finally:
        released.set()

    assert error.exit_code == 3
    assert error.code in {"stalled", "cut-off"}


def test_bytes_that_come_too_slowly_are_given_up(server: AbuseServer) -> None:
    released = threading.Event()

    def script(request: Request) -> None:
        request.answer(
            200, {"Content-Length": "1000000", "ETag": '"x"', "Last-Modified": "Mon, 22 Sep 2025 10:00:00 GMT"}
        )
        while not released.wait(0.05):
            request.send_body(b"x")

    server.url("/bucket/set/x", script)
    policy = HttpPolicy(frozenset(), attempts=1, stall_timeout_s=0.2, min_rate=1 << 20)
    try:
        error = failure_of(lambda: at(server, policy).read("x", limit_bytes=2_000_000))
    finally:
        released.set()

    assert (error.code, error.exit_code) == ("stalled", 3)


@pytest.mark.parametrize(
    ("script", "code"),
    [
        pytest.param(always(500), "server-error", id="an error of the store's"),
        pytest.param(always(503, body=b"<Error><Code>SlowDown</Code></Error>"), "server-busy", id="busy"),
        pytest.param(always(429), "server-busy", id="too many requests"),
        pytest.param(always(401), "access-denied", id="nobody is known"),
        pytest.param(always(403), "access-denied", id="not for this one"),
        pytest.param(always(404), "not-at-source", id="no such object"),
        pytest.param(
            always(404, body=b"<Error><Code>NoSuchBucket</Code></Error>"), "no-such-store", id="no such bucket"
        ),
        pytest.param(always(400, body=b"<Error><Code>Odd</Code></Error>"), "server-refused", id="not understood"),
        pytest.param(always(409), "changed-at-source", id="a conflict"),
        pytest.param(endless(b"x" * 1000), "server-refused", id="a body without an end"),
        pytest.param(redirect("http://127.0.0.1:1/x"), "cannot-connect", id="elsewhere"),
    ],
)
def test_each_refusal_has_its_name(server: AbuseServer, script: Script, code: str) -> None:
    server.url("/bucket/set/x", script)

    for ask in (lambda: at(server).read("x", limit_bytes=5_000_000), lambda: whole(at(server), "x")):
        error = failure_of(ask)
        assert (error.code, error.exit_code) == (code, 3)
        assert "s3://bucket/set" in error.message


def test_a_store_that_was_busy_for_a_moment_is_asked_again(server: AbuseServer) -> None:
    server.url("/bucket/set/x", in_turn(always(503), always(500), Honest(b"here")))

    blob = at(server).read("x", limit_bytes=100)

    assert blob is not None
    assert blob.data == b"here"


def test_an_object_as_large_as_the_disk_is_refused_by_its_head(server: AbuseServer) -> None:
    def script(request: Request) -> None:
        request.answer(
            200, {"Content-Length": str(1 << 40), "ETag": '"x"', "Last-Modified": "Mon, 22 Sep 2025 10:00:00 GMT"}
        )
        request.hang_up()

    server.url("/bucket/set/timestamp.json", script)

    error = failure_of(lambda: at(server).read("timestamp.json", limit_bytes=16_384))

    assert isinstance(error, VerificationError)
    assert error.code == "too-large"


def test_a_store_that_leaves_out_another_part_than_asked_is_refused(server: AbuseServer) -> None:
    server.url("/bucket/set/x", Honest(DATA, ranges=False))
    assert failure_of(lambda: whole(at(server), "x", 1000)).code == "bad-range"


def test_nobody_answers() -> None:
    variables = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "hunter2", "AWS_ENDPOINT_URL": "http://127.0.0.1:1"}
    depot = open_depot(parse_address("s3://bucket/set"), policy=QUICK, keyring=Credentials(variables))

    for ask in (lambda: depot.read("x", limit_bytes=10), lambda: depot.write("x", b""), lambda: list(depot.list(""))):
        error = failure_of(ask)
        assert (error.code, error.exit_code) == ("cannot-connect", 3)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A self-made certificate for 127.0.0.1, and its key."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("needs openssl to make a certificate")
    folder = tmp_path_factory.mktemp("tls")
    paths = folder / "certificate.pem", folder / "key.pem"
    command = [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=store"]
    command += ["-addext", "subjectAltName=IP:127.0.0.1", "-addext", "basicConstraints=critical,CA:false"]
    command += ["-out", str(paths[0]), "-keyout", str(paths[1])]
    subprocess.run(command, check=True, capture_output=True)
    return paths


def test_a_certificate_nobody_vouches_for_is_refused_and_one_that_was_named_is_trusted(
    certificate: tuple[Path, Path],
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    with serving(tls=context) as server:
        server.url("/bucket/set/x", Honest(b"here"))

        error = failure_of(lambda: at(server).read("x", limit_bytes=10))
        assert (error.code, error.exit_code) == ("certificate-refused", 3)
        assert server.log == []

        blob = at(server, replace(QUICK, ca_file=certificate[0])).read("x", limit_bytes=10)
        assert blob is not None
        assert blob.data == b"here"

    with pytest.raises(MachineError) as failure:
        at(server, replace(QUICK, ca_file=certificate[0].with_name("nothing")))
    assert failure.value.code == "no-ca-file"


# Writing, where the store does not want it


@pytest.mark.parametrize(
    ("script", "code"),
    [
        pytest.param(always(403), "access-denied", id="no right to write"),
        pytest.param(always(409), "store-conflict", id="409: leased, or kept from changes"),
        pytest.param(always(412), "store-conflict", id="412: somebody else was first"),
        pytest.param(always(404, body=b"<Code>NoSuchBucket</Code>"), "no-such-store", id="no such bucket"),
        pytest.param(always(507), "server-refused", id="full"),
        pytest.param(always(503), "server-busy", id="busy"),
    ],
)
def test_each_refusal_to_be_written_has_its_name(
    server: AbuseServer, script: Script, code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_bytes(b"x")
    monkeypatch.setattr("abuse_server.Request.do_PUT", _put, raising=False)
    server.url("/bucket/set/x", script)
    sha256 = hashlib.sha256(b"x").hexdigest()

    for ask in (
        lambda: at(server).write("x", b"x"),
        lambda: at(server).upload("x", tmp_path / "file", sha256=sha256, progress=lambda _: None),
    ):
        error = failure_of(ask)
        assert (error.code, error.exit_code) == (code, 3)


def _put(request: Request) -> None:
    request.rfile.read(int(request.headers.get("Content-Length", "0")))
    request.do_GET()


def test_an_upload_that_is_given_up_is_taken_back(tmp_path: Path) -> None:
    """Pieces that nobody sees would cost money for ever."""
    file = tmp_path / "payload"
    file.write_bytes(bytes(60 << 20))
    under_way: list[bool] = []

    with s3_server() as server:
        bucket = server.make("bucket")
        depot = open_depot(parse_address(f"{bucket}/set"), policy=QUICK, keyring=Credentials(server.variables()))

        def stop(done: int) -> None:
            under_way.append("<UploadId>" in server.uploads(bucket))
            if done > 50 << 20:
                raise TransferError("cancelled", "stopped", "run again")

        error = failure_of(lambda: depot.upload("x", file, sha256="0" * 64, progress=stop))
        assert error.code == "cancelled"
        assert under_way[-1]
        assert "<UploadId>" not in server.uploads(bucket)
        assert depot.size("x") is None


# Azure, with Microsoft's own stand-in


@pytest.fixture(scope="module")
def azure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azurite]:
    with azurite(tmp_path_factory.mktemp("azurite")) as server:
        server.make("sets")
        server.make("other")
        open_depot(parse_address("az://sets/a"), keyring=Credentials(server.variables())).write("timestamp.json", b"{}")
        yield server


def with_signature(azure: Azurite, text: str) -> Storage:
    return open_depot(parse_address("az://sets/a"), policy=QUICK, keyring=Credentials(azure.with_signature(text)))


@pytest.mark.stores
def test_a_signature_that_may_only_read_is_all_that_a_follower_needs(azure: Azurite) -> None:
    depot = with_signature(azure, signature("sets", "r"))

    blob = depot.read("timestamp.json", limit_bytes=10)

    assert blob is not None
    assert whole(depot, "timestamp.json") == blob.data == b"{}"
    assert depot.read("timestamp.json", limit_bytes=10, etag=blob.etag) is None
    assert depot.size("timestamp.json") == 2
    assert failure_of(lambda: depot.read("nothing", limit_bytes=10)).code == "not-at-source"
    asks: tuple[Callable[[], Any], ...] = (
        lambda: depot.write("timestamp.json", b"x"),
        lambda: depot.delete("timestamp.json"),
        lambda: list(depot.list("")),
    )
    for ask in asks:
        assert failure_of(ask).code == "access-denied"
    assert whole(depot, "timestamp.json") == b"{}"


@pytest.mark.stores
@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param(lambda: signature("sets", "rwl", to_s=-60), "ended on", id="expired"),
        pytest.param(lambda: signature("sets", "rwl", from_s=3600, to_s=7200), "refused", id="not yet valid"),
        pytest.param(lambda: signature("other", "rwl"), "refused", id="of another container"),
        pytest.param(lambda: "sp=r&se=2099-01-01T00%3A00%3A00Z&sv=2021-06-08&sr=c&sig=hunter2", "refused", id="forged"),
    ],
)
def test_a_signature_that_does_not_count_is_refused(azure: Azurite, text: Callable[[], str], words: str) -> None:
    depot = with_signature(azure, text())

    for ask in (
        lambda: depot.read("timestamp.json", limit_bytes=10),
        lambda: whole(depot, "timestamp.json"),
        lambda: list(depot.list("")),
    ):
        error = failure_of(ask)
        assert (error.code, error.exit_code) == ("access-denied", 3)
        assert words in error.message


@pytest.mark.stores
def test_a_wrong_key_is_refused(azure: Azurite) -> None:
    wrong = {name: value.replace(KEY, "aHVudGVyMg==") for name, value in azure.variables().items()}
    depot = open_depot(parse_address("az://sets/a"), policy=QUICK, keyring=Credentials(wrong))

    for ask in (lambda: depot.read("timestamp.json", limit_bytes=10), lambda: depot.write("x", b"x")):
        assert failure_of(ask).code == "access-denied"


@pytest.mark.stores
def test_a_container_or_account_that_does_not_exist_is_not_an_empty_set(azure: Azurite) -> None:
    absent = open_depot(parse_address("az://no-such-container/a"), policy=QUICK, keyring=Credentials(azure.variables()))
    elsewhere = {name: value.replace(ACCOUNT, "wrongaccount") for name, value in azure.variables().items()}
    wrong = open_depot(parse_address("az://sets/a"), policy=QUICK, keyring=Credentials(elsewhere))

    for depot in (absent, wrong):
        for ask in (_read, _write, _list):
            error = failure_of(partial(ask, depot))
            assert (error.code, error.exit_code) == ("no-such-store", 3)


def _read(depot: Storage) -> None:
    depot.read("timestamp.json", limit_bytes=10)


def _write(depot: Storage) -> None:
    depot.write("timestamp.json", b"x")


def _list(depot: Storage) -> None:
    list(depot.list(""))


@pytest.mark.stores
def test_two_prefixes_of_a_container_do_not_know_each_other(azure: Azurite) -> None:
    one, two = (
        open_depot(parse_address(f"az://sets/{name}"), keyring=Credentials(azure.variables())) for name in ("p", "p2")
    )
    one.write("x", b"one")
    two.write("x", b"two")

    assert list(one.list("")) == [("x", 3)]
    assert whole(two, "x") == b"two"


# What is wrong before anybody is asked


def test_no_credentials_at_all_are_named_as_such(server: AbuseServer) -> None:
    """The library then asks the machine for its identity, here a server that has none."""
    variables = {
        "AZURE_STORAGE_ACCOUNT_NAME": "account",
        "AZURE_STORAGE_ENDPOINT": f"{server.base}/account",
        "AZURE_MSI_ENDPOINT": f"{server.base}/metadata/identity/oauth2/token",
    }
    depot = open_depot(parse_address("az://sets/a"), policy=QUICK, keyring=Credentials(variables))

    error = failure_of(lambda: depot.read("x", limit_bytes=10))

    assert (error.code, error.exit_code) == ("no-credentials", 3)


def test_without_the_library_the_message_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    # So Python says of a module that is not there.
    monkeypatch.setattr("repo_manager.adapters.storage.object_store.find_spec", lambda _: None)

    with pytest.raises(InputError) as failure:
        open_depot(parse_address("az://sets/a"))

    assert failure.value.code == "objects-not-installed"
    assert "asr-repo-manager[objects]" in failure.value.hint


def test_a_reading_that_was_given_up_holds_no_connection(server: AbuseServer) -> None:
    server.url("/bucket/set/x", Honest(DATA))
    depot = at(server)
    for _ in range(20):
        next(iter(depot.stream("x")))
    gc.collect()

    assert whole(depot, "x") == DATA
