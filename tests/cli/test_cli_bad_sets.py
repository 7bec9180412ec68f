"""Sets that are wrong, and ways to them that are: one clear error each, and the follower as it was, byte for byte."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import pytest
from abuse_server import Honest, always, endless, redirect, serving
from cli_world import SUBFOLDER, tree
from object_stores import azurite, signature
from simulator import name_of
from small_world import data_of
from trust_world import ALL, DAY, OLD, Leading

from repo_manager.adapters.storage import Credentials, open_depot
from repo_manager.adapters.tuf.keys import KeyRole
from repo_manager.core.address import parse as parse_address
from repo_manager.core.errors import ExitCode

if TYPE_CHECKING:
    from collections.abc import Iterator

    from abuse_server import AbuseServer
    from cli_world import Answer, Cli
    from object_stores import Azurite

FEWER: Final = ALL[:3]


class Pair:
    """A follower who has seen two sets of its leader, and a third one that is on its way."""

    def __init__(self, tool: Cli) -> None:
        self.tool = tool
        self.leader = Leading(tool.folder / "leader", datetime.now(UTC))
        self.source = str(self.leader.depot)
        self.follower = tool.folder / "follower"
        self.follower.mkdir()
        (self.follower / "notes.txt").write_bytes(b"mine")
        self.root = self.leader.publish(FEWER, OLD).root
        self.first = tool.folder / "first"
        shutil.copytree(self.leader.depot, self.first)
        self.leader.publish(FEWER)
        assert self.mirror("--trust", self.root, "--create").code == ExitCode.DONE

    def mirror(self, *more: str) -> Answer:
        return self.tool("--json", "--repository", "follower", "mirror", self.source, *more, "--yes")

    def state(self) -> dict[str, str]:
        """Every byte of the follower. Who had the lock and the empty folders for a change do not count."""
        found = tree(self.follower).items()
        return {path: digest for path, digest in found if digest != "folder" and not path.endswith("lock")}

    def behind(self, server: AbuseServer) -> None:
        """Lay the newest set behind a web server."""
        self.source = f"{server.base}/set"
        for path in self.leader.depot.rglob("*.*"):
            etag = f'"{len(path.read_bytes())}-{path.name}"'
            server.url(f"/set/{path.relative_to(self.leader.depot).as_posix()}", Honest(path.read_bytes(), etag=etag))


@pytest.fixture
def pair(tool: Cli) -> Pair:
    return Pair(tool)


Spoil = Callable[[Pair], tuple[str, ...]]
"""Makes something wrong; returns what else stands on the command line."""


def another_fingerprint_than_was_trusted(pair: Pair) -> tuple[str, ...]:
    return ("--trust", "0" * 64)


def a_wrong_fingerprint_in_place_of_the_trust(pair: Pair) -> tuple[str, ...]:
    return ("--replace-trust", "--trust", "0" * 64)


def foreign_keys(pair: Pair) -> tuple[str, ...]:
    foreign = Leading(pair.tool.folder / "foreign", pair.leader.now)
    for release in (OLD, "9.66", OLD):
        foreign.publish(ALL, release)
    pair.source = str(foreign.depot)
    return ()


def an_older_set(pair: Pair) -> tuple[str, ...]:
    pair.source = str(pair.first)
    return ()


def a_set_of_two_days(pair: Pair) -> tuple[str, ...]:
    pair.leader.publish(ALL)
    shutil.copy(pair.leader.path("snapshot", 2), pair.leader.path("snapshot", 3))
    return ()


def a_set_whose_time_is_over_by_a_day(pair: Pair) -> tuple[str, ...]:
    """As if this machine's clock were a day ahead of a set that ends today."""
    pair.leader.now -= 31 * DAY
    pair.leader.publish(ALL)
    return ()


def a_leader_whose_clock_is_behind_by_a_day(pair: Pair) -> tuple[str, ...]:
    pair.leader.now -= DAY + timedelta(minutes=1)
    pair.leader.publish(ALL, days=1)
    return ()


def a_name_that_is_a_path(pair: Pair) -> tuple[str, ...]:
    def rename(signed: dict[str, dict[str, object]]) -> None:
        signed["targets"][f"../{name_of('Windows')}"] = signed["targets"].pop(name_of("Windows"))

    pair.leader.publish(ALL)
    pair.leader.forge("targets", rename, pair.leader.signer(KeyRole.TARGETS))
    pair.leader.chain_up()
    return ()


def a_snapshot_that_is_not_there_yet(pair: Pair) -> tuple[str, ...]:
    """Copied by another tool, in another order."""
    pair.leader.publish(ALL)
    pair.leader.path("snapshot").unlink()
    return ()


def an_installer_that_is_not_there_yet(pair: Pair) -> tuple[str, ...]:
    pair.leader.publish(ALL)
    next(pair.leader.depot.rglob("*UBUNTU*")).unlink()
    return ()


def an_installer_with_another_byte(pair: Pair) -> tuple[str, ...]:
    pair.leader.publish(ALL)
    path = next(pair.leader.depot.rglob("*UBUNTU*"))
    data = path.read_bytes()
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    return ()


def half_an_installer(pair: Pair) -> tuple[str, ...]:
    pair.leader.publish(ALL)
    path = next(pair.leader.depot.rglob("*UBUNTU*"))
    path.write_bytes(path.read_bytes()[:900])
    return ()


def a_timestamp_of_a_gigabyte(pair: Pair) -> tuple[str, ...]:
    with pair.leader.path("timestamp").open("r+b") as file:
        file.truncate(1 << 30)
    return ()


def no_timestamp(pair: Pair) -> tuple[str, ...]:
    pair.leader.path("timestamp").unlink()
    return ()


def half_a_timestamp(pair: Pair) -> tuple[str, ...]:
    pair.leader.publish(ALL)
    path = pair.leader.path("timestamp")
    path.write_bytes(path.read_bytes()[:-30])
    return ()


def an_empty_folder(pair: Pair) -> tuple[str, ...]:
    (pair.tool.folder / "empty").mkdir()
    pair.source = "empty"
    return ()


def an_empty_folder_that_is_not_signed(pair: Pair) -> tuple[str, ...]:
    an_empty_folder(pair)
    return ("--unsigned",)


def a_share_that_is_not_mounted(pair: Pair) -> tuple[str, ...]:
    pair.leader.depot.rename(pair.tool.folder / "unmounted")
    return ()


def itself(pair: Pair) -> tuple[str, ...]:
    pair.source = "follower"
    return ()


def its_own_staging_area(pair: Pair) -> tuple[str, ...]:
    pair.source = f"follower/{SUBFOLDER}/staging"
    return ("--unsigned",)


def a_file(pair: Pair) -> tuple[str, ...]:
    pair.source = "follower/notes.txt"
    return ()


@pytest.mark.parametrize(
    ("spoil", "code", "exit_code"),
    [
        (another_fingerprint_than_was_trusted, "other-trust", 4),
        (a_wrong_fingerprint_in_place_of_the_trust, "wrong-fingerprint", 4),
        (foreign_keys, "wrong-signature", 4),
        (an_older_set, "set-went-back", 4),
        (a_set_of_two_days, "set-mixed", 4),
        (a_set_whose_time_is_over_by_a_day, "set-expired", 4),
        (a_leader_whose_clock_is_behind_by_a_day, "set-expired", 4),
        (a_name_that_is_a_path, "malformed-set", 4),
        (a_snapshot_that_is_not_there_yet, "no-signed-set", 3),
        (a_timestamp_of_a_gigabyte, "too-large", 4),
        (no_timestamp, "no-signed-set", 3),
        (half_a_timestamp, "malformed-set", 4),
        (an_empty_folder, "no-signed-set", 3),
        (an_empty_folder_that_is_not_signed, "empty-source", 2),
        (a_share_that_is_not_mounted, "source-went-away", 3),
        (itself, "source-is-target", 2),
        (its_own_staging_area, "source-is-target", 2),
        (a_file, "source-is-target", 2),
    ],
)
def test_a_set_that_is_refused_leaves_the_follower_as_it_was(
    pair: Pair, spoil: Spoil, code: str, exit_code: int
) -> None:
    more = spoil(pair)
    before = pair.state()

    answer = pair.mirror(*more)

    assert (answer.code, answer.error["code"]) == (exit_code, code), answer.err
    assert answer.error["message"]
    assert answer.error["hint"]
    assert pair.state() == before


@pytest.mark.parametrize(
    ("spoil", "code", "exit_code"),
    [
        (an_installer_that_is_not_there_yet, "not-at-source", 3),
        (an_installer_with_another_byte, "damaged-archive", 4),
        (half_an_installer, "size-mismatch", 4),
    ],
)
def test_an_installer_that_is_refused_leaves_the_others_and_is_fetched_when_it_is_right(
    pair: Pair, spoil: Spoil, code: str, exit_code: int
) -> None:
    """What was verified of the set is remembered, so that nobody can put an older one in its place."""
    more = spoil(pair)
    before = {path: digest for path, digest in pair.state().items() if SUBFOLDER not in path}

    answer = pair.mirror(*more)

    assert (answer.code, answer.document["error"]["code"]) == (exit_code, code), answer.err
    assert ("publish --verify at the leader" in answer.document["error"]["hint"]) == (
        exit_code == ExitCode.VERIFICATION
    )
    assert {path: digest for path, digest in pair.state().items() if SUBFOLDER not in path} == before
    assert [path for path in pair.state() if path.startswith(f"{SUBFOLDER}/staging")] == []
    next(pair.leader.depot.rglob("*UBUNTU*"), pair.leader.depot / "x").unlink(missing_ok=True)
    pair.leader.publish(ALL)
    assert pair.mirror().code == ExitCode.DONE
    assert (pair.follower / name_of("UBUNTU-22.04-64")).read_bytes() == data_of(name_of("UBUNTU-22.04-64"))


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("<html>Sign in</html>", id="no JSON"),
        pytest.param("{}", id="no metadata"),
        pytest.param(None, id="metadata of another role"),
        pytest.param('{"signed": {"_type": "root"}, "signatures": []}', id="hardly anything"),
    ],
)
@pytest.mark.parametrize("again", [False, True], ids=["on first contact", "in place of whom is trusted"])
def test_a_root_that_is_none_is_not_blamed_on_the_source(pair: Pair, text: str | None, *, again: bool) -> None:
    file = pair.tool.folder / "root.json"
    file.write_text(pair.leader.path("targets").read_text(encoding="ascii") if text is None else text, encoding="ascii")
    if not again:
        (pair.follower / SUBFOLDER / "trust.json").unlink()

    answer = pair.mirror("--root", "root.json", *(["--replace-trust"] if again else []))

    assert (answer.code, answer.error["code"]) == (ExitCode.USAGE, "not-root-metadata"), answer.err
    assert "--root root.json" in answer.error["message"]
    assert pair.source not in answer.err
    assert "Error" not in answer.error["message"], "a class of a library's"


def test_a_root_whose_signature_is_another_s_is_not_one_to_begin_with(pair: Pair) -> None:
    document = pair.leader.read("root")
    document["signed"]["expires"] = "2099-01-01T00:00:00Z"
    (pair.tool.folder / "root.json").write_text(json.dumps(document), encoding="ascii")

    answer = pair.mirror("--root", "root.json", "--replace-trust")

    assert (answer.code, answer.error["code"]) == (ExitCode.USAGE, "not-root-metadata"), answer.err


def test_metadata_that_make_no_sense_are_told_without_a_library_s_word(pair: Pair) -> None:
    """Signed by whom it should be, and named by all that should name it."""
    pair.leader.publish(ALL)
    pair.leader.forge(
        "snapshot", lambda signed: signed["meta"].pop("targets.json"), pair.leader.signer(KeyRole.SNAPSHOT)
    )
    data = pair.leader.path("snapshot").read_bytes()
    facts = {
        "version": pair.leader.read("snapshot")["signed"]["version"],
        "length": len(data),
        "hashes": {"sha256": hashlib.sha256(data).hexdigest()},
    }

    def name(signed: dict[str, Any]) -> None:
        signed["meta"] = {"snapshot.json": facts}
        signed["version"] += 1

    pair.leader.forge("timestamp", name, pair.leader.signer(KeyRole.TIMESTAMP))

    answer = pair.mirror()

    assert (answer.code, answer.error["code"]) == (ExitCode.VERIFICATION, "malformed-set"), answer.err
    assert "Error" not in answer.error["message"]


def test_an_expired_set_names_its_end_and_this_machines_clock(pair: Pair) -> None:
    pair.leader.now -= 31 * DAY
    ended = pair.leader.publish(ALL).expires

    message = pair.mirror().error["message"]

    assert f"{ended:%Y-%m-%d %H:%M} UTC" in message
    assert f"{datetime.now(UTC):%Y-%m-%d}" in message


def test_a_clock_that_is_a_day_behind_follows_as_ever(pair: Pair) -> None:
    """Nothing in a set says when it begins to be good."""
    pair.leader.now += DAY
    pair.leader.publish(ALL)

    assert pair.mirror().code == ExitCode.DONE
    assert (pair.follower / name_of("UBUNTU-22.04-64")).exists()


def test_a_set_in_the_middle_of_being_published_is_the_old_one(pair: Pair) -> None:
    timestamp = pair.leader.path("timestamp").read_bytes()
    pair.leader.publish(ALL)
    pair.leader.path("timestamp").write_bytes(timestamp)
    before = pair.state()

    answer = pair.mirror()

    assert (answer.code, answer.document["actions"]) == (ExitCode.DONE, [])
    assert pair.state() == before


def test_a_first_set_in_the_middle_of_being_published_is_none(tool: Cli) -> None:
    leader = Leading(tool.folder / "leader", datetime.now(UTC))
    root = leader.publish().root
    leader.path("timestamp").unlink()
    (tool.folder / "follower").mkdir()

    answer = tool("--json", "--repository", "follower", "mirror", str(leader.depot), "--trust", root, "--yes")

    assert (answer.code, answer.error["code"]) == (ExitCode.TRANSFER, "no-signed-set")
    assert [path for path in (tool.folder / "follower").rglob("*") if path.is_file() and path.name != "lock"] == []


# Web servers


@pytest.mark.parametrize(
    ("script", "code", "exit_code"),
    [
        pytest.param(always(200, body=b"<html>Sign in</html>"), "web-page", 3, id="a login page"),
        pytest.param(endless(b" " * 4096), "too-large", 4, id="a body without an end"),
        pytest.param(always(200, {"Content-Length": str(1 << 30)}), "too-large", 4, id="a gigabyte, as it says itself"),
        pytest.param(always(200, {"Content-Encoding": "gzip"}, b"x"), "compressed-body", 3, id="a compressed body"),
        pytest.param(always(401), "access-denied", 3, id="nobody is known"),
        pytest.param(always(403), "access-denied", 3, id="not for this one"),
        pytest.param(always(404), "no-signed-set", 3, id="nothing"),
        pytest.param(always(418), "server-refused", 3, id="something else"),
        pytest.param(redirect("http://127.0.0.1:9/x"), "refused-host", 3, id="another host"),
        pytest.param(redirect("file:///etc/passwd"), "refused-scheme", 3, id="a file"),
    ],
)
def test_an_answer_that_is_no_timestamp_leaves_the_follower_as_it_was(
    pair: Pair, script: Callable[[object], None], code: str, exit_code: int
) -> None:
    with serving() as server:
        pair.behind(server)
        server.url("/set/metadata/timestamp.json", script)
        before = pair.state()

        answer = pair.mirror()

    assert (answer.code, answer.error["code"]) == (exit_code, code), answer.err
    assert answer.error["hint"]
    assert pair.state() == before
    assert sum(server.sent.values()) < 10_000_000


@pytest.mark.parametrize("folder", ["metadata", "targets"])
def test_a_connection_that_is_cut_leaves_the_follower_as_it_was_and_the_next_run_succeeds(
    pair: Pair, monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    monkeypatch.setenv("REPO_MANAGER_CONFIG", pair.tool.config("attempts: 1\n"))
    pair.leader.publish(ALL)
    with serving() as server:
        pair.behind(server)
        paths = sorted(pair.leader.depot.joinpath(folder).iterdir())
        whole = {path: server.scripts[f"/set/{folder}/{path.name}"] for path in paths}
        for path in paths:
            server.url(f"/set/{folder}/{path.name}", Honest(path.read_bytes(), cuts=[1] * 9, ranges=False))
        before = tree(pair.follower, own=False)

        answer = pair.mirror()

        assert answer.code == ExitCode.TRANSFER, answer.err
        assert tree(pair.follower, own=False) == before
        for path, script in whole.items():
            server.url(f"/set/{folder}/{path.name}", script)
        assert pair.mirror().code == ExitCode.DONE
    installers = {path.name for path in pair.follower.iterdir() if path.is_file()} - {"notes.txt"}
    assert installers == {name_of(token) for token in ALL}


# Stores


@pytest.fixture(scope="module")
def azure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azurite]:
    with azurite(tmp_path_factory.mktemp("azurite")) as server:
        server.make("sets")
        server.make("other")
        yield server


@pytest.mark.stores
@pytest.mark.parametrize(
    ("sas", "words"),
    [
        pytest.param(lambda: signature("sets", "r", to_s=-60), "ended on", id="a signature that has ended"),
        pytest.param(lambda: signature("sets", "r", from_s=86400, to_s=90000), "clock", id="a clock a day behind"),
        pytest.param(lambda: signature("other", "r"), "allows", id="a signature for something else"),
        pytest.param(lambda: signature("sets", "w"), "allows", id="a signature that may not read"),
    ],
)
def test_a_store_without_rights_leaves_the_follower_as_it_was(
    pair: Pair, azure: Azurite, sas: Callable[[], str], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    depot = open_depot(parse_address("az://sets/asr"), keyring=Credentials(azure.variables()))
    for path in pair.leader.depot.rglob("*.*"):
        depot.write(path.relative_to(pair.leader.depot).as_posix(), path.read_bytes())
    text = sas()
    for name, value in azure.with_signature(text).items():
        monkeypatch.setenv(name, value)
    pair.source = "az://sets/asr"
    before = pair.state()

    answer = pair.mirror()

    assert (answer.code, answer.error["code"]) == (ExitCode.TRANSFER, "access-denied"), answer.err
    assert words in answer.error["message"] + answer.error["hint"]
    assert "sig=" not in answer.out + answer.err
    assert pair.state() == before


def test_a_store_that_refuses_leaves_the_follower_as_it_was(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving() as server:
        server.url("/bucket/asr/metadata/timestamp.json", always(403))
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.base)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "somebody")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "S3SECRETVALUE")
        pair.source = "s3://bucket/asr"
        before = pair.state()

        answer = pair.mirror()

    assert (answer.code, answer.error["code"]) == (ExitCode.TRANSFER, "access-denied"), answer.err
    assert "S3SECRETVALUE" not in answer.out + answer.err
    assert pair.state() == before


# Memory


_MEASURED: Final = """
import sys
from repo_manager import cli
code = cli.main(sys.argv[1:])
status = open("/proc/self/status", encoding="ascii").read()
print(code, status.partition("VmHWM:")[2].split()[0], file=sys.stderr)
"""


def _peak_kib(pair: Pair, environ: dict[str, str]) -> tuple[int, int]:
    """The exit code of following in a process of its own, and the most memory that it had."""
    words = ["--json", "--repository", "follower", "mirror", pair.source, "--yes"]
    done = subprocess.run(
        [sys.executable, "-c", _MEASURED, *words],
        cwd=pair.tool.folder,
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    code, peak = done.stderr.splitlines()[-1].split()
    return int(code), int(peak)


ROLES: Final = {
    "web": ("timestamp", "snapshot", "targets", "root"),
    "folder": ("targets",),
    "store": ("targets",),
}


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the most memory a process had is asked of Linux")
def test_metadata_without_an_end_are_not_taken_into_memory(pair: Pair) -> None:
    """Each role, from a folder, a web server and a store; a run in which all is well has 60 MB."""
    pair.leader.publish(ALL)
    small = {path: path.read_bytes() for path in (pair.leader.depot / "metadata").iterdir()}
    with serving() as server:
        keys = {"AWS_ENDPOINT_URL": server.base, "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "y"}
        environ = {"NO_COLOR": "1", **keys}
        before = pair.state()
        places = {"folder": pair.source, "web": f"{server.base}/set", "store": "s3://bucket/asr"}
        for kind, place in places.items():
            prefix = {"web": "/set", "store": "/bucket/asr"}.get(kind)
            for role in ROLES[kind]:
                # The next root is asked for first, where it is one.
                spoilt = pair.leader.path(role) if role != "root" else pair.leader.path("root", 2)
                if prefix is None:
                    with spoilt.open("ab") as file:
                        file.truncate(1 << 30)
                for path, data in small.items():
                    if prefix is not None:
                        server.url(f"{prefix}/metadata/{path.name}", Honest(data, etag=f'"{path.name}"'))
                if prefix is not None:
                    server.url(f"{prefix}/metadata/{spoilt.name}", _gigabyte())
                pair.source = place

                code, peak = _peak_kib(pair, environ)

                assert code == ExitCode.VERIFICATION, (kind, role)
                assert peak < 100_000, (kind, role)
                assert pair.state() == before, (kind, role)
                for path, data in small.items():
                    path.write_bytes(data)
                pair.leader.path("root", 2).unlink(missing_ok=True)
                server.scripts.clear()
        assert sum(server.sent.values()) < 200_000_000


def _gigabyte() -> Callable[[object], None]:
    """A file as long as the client will take it, with a length for who asks for one."""
    piece = bytes(1 << 16)

    def script(request: Any) -> None:  # noqa: ANN401 - a request of the server's
        headers = {"Content-Length": str(1 << 30), "ETag": '"x"', "Last-Modified": "Mon, 22 Sep 2025 10:00:00 GMT"}
        request.answer(200, headers)
        request.hang_up()
        if request.command == "GET":
            for _ in range((1 << 30) // len(piece)):
                request.send_body(piece)

    return script
