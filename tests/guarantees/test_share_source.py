"""A sync whose source is a share: it fills the repository, or the folder is as it was and the next run gets there."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import pytest
import scenarios
from samba import HOST, PASSWORD, FallSilent, HangUp, is_piece, sharing, way
from scenarios import TOKENS, check, name_of, snapshot

from repo_manager.adapters.sources.smb import PORT
from repo_manager.core import names
from repo_manager.core.errors import ExitCode
from repo_manager.demo.sample import sample_installer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from samba import Filter, Frame, Samba
    from scenarios import World

pytestmark = pytest.mark.smb

FOLDER: Final = "Büro Süd"


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A world whose source has files of several pieces."""
    world = scenarios.build(tmp_path / "world")
    # The one that is there already would not be fetched.
    (world.repository / name_of("OL8-64")).unlink()
    for token in TOKENS:
        name = names.parse(name_of(token))
        (world.source / name.text).write_bytes(sample_installer(name, payload_bytes=1_500_000))
    return world


@pytest.fixture
def server(world: World, tmp_path: Path) -> Iterator[Samba]:
    """Shares the world's source, which lies two folders down."""
    inside = tmp_path / "shared" / FOLDER / "9.66"
    inside.parent.mkdir(parents=True)
    world.source.rename(inside)
    world.source.symlink_to(inside, target_is_directory=True)
    with sharing(tmp_path / "shared", tmp_path / "own") as server:
        allow(world, server.user, PASSWORD)
        yield server


def allow(world: World, user: str, password: str) -> None:
    """Write down who to be, and name the file in the configuration."""
    file = world.root / "credentials"
    file.write_text(f"username={user}\npassword={password}\n", encoding="utf-8")
    file.chmod(0o600)
    text = f"reserve_mb: 0\nsmb_credentials: {file}\n"
    (world.root / "config.yaml").write_text(text, encoding="utf-8")


def sync(world: World, source: str, *more: str) -> tuple[str, ...]:
    at = ("--repository", str(world.repository))
    return (*at, "sync", "--release", "latest", "--source", source, "--yes", *more)


def url(server: Samba, port: int = 0) -> str:
    return server.url("files", f"{FOLDER}/9.66", port=port)


def assert_converges(world: World, source: str, before: scenarios.Snapshot) -> None:
    done = scenarios.cli(world, *sync(world, source))
    assert done.returncode == ExitCode.DONE, done.stderr
    check(before, world)
    for token in TOKENS:
        assert (world.repository / name_of(token)).read_bytes() == (world.source / name_of(token)).read_bytes()
    assert scenarios.left_over(world) == []


def test_a_share_fills_the_repository_and_a_second_run_asks_for_nothing(world: World, server: Samba) -> None:
    before = snapshot(world)

    assert_converges(world, url(server), before)

    server.kill()
    done = scenarios.cli(world, *sync(world, url(server)))
    assert done.returncode == ExitCode.DONE, done.stderr
    assert done.stderr.count("error") == 0


def test_a_dry_run_shows_the_share_and_changes_nothing(world: World, server: Samba) -> None:
    before = snapshot(world)

    done = scenarios.cli(world, *sync(world, url(server), "--dry-run", "--json"))

    assert done.returncode == ExitCode.DONE, done.stderr
    sources = [action["source"] for action in json.loads(done.stdout)["actions"] if action["action"] == "download"]
    assert sources
    assert all(source.startswith(url(server) + "/") for source in sources)
    assert snapshot(world) == before


def test_the_windows_way_to_write_a_share_works_as_well(world: World, tmp_path: Path) -> None:
    """It has no place for a port, so the server listens where servers do."""
    before = snapshot(world)
    with sharing(world.source, tmp_path / "own", port=PORT) as server:
        allow(world, server.user, PASSWORD)
        assert_converges(world, rf"\\{HOST}\files", before)


def test_variables_say_who_to_be(world: World, server: Samba) -> None:
    allow(world, server.user, "not this one")
    named = {"REPO_MANAGER_SMB_USER": server.user, "REPO_MANAGER_SMB_PASSWORD": PASSWORD}

    done = subprocess.run(
        [sys.executable, "-m", "repo_manager", *sync(world, url(server))],
        env={**scenarios.environment(world), **named},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == ExitCode.DONE, done.stderr


# A source that is wrong


def wrong_share(_world: World, server: Samba) -> str:
    return server.url("nothing")


def wrong_folder(_world: World, server: Samba) -> str:
    return server.url("files", "nothing")


def wrong_password(world: World, server: Samba) -> str:
    allow(world, server.user, "hunter2")
    return url(server)


def not_allowed(_world: World, server: Samba) -> str:
    return server.url("not yours")


def ended(_world: World, server: Samba) -> str:
    server.kill()
    return url(server)


def empty(_world: World, server: Samba) -> str:
    (server.shared / "empty").mkdir()
    return server.url("files", "empty")


@pytest.mark.parametrize(
    ("prepare", "code"),
    [
        (wrong_share, "no-such-share"),
        (wrong_folder, "not-at-source"),
        (wrong_password, "logon-refused"),
        (not_allowed, "source-refused"),
        (ended, "cannot-connect"),
        (empty, "not-at-source"),
    ],
)
def test_a_wrong_share_touches_nothing_and_says_no_secret(
    world: World, server: Samba, prepare: Callable[[World, Samba], str], code: str
) -> None:
    source = prepare(world, server)
    before = snapshot(world)

    done = scenarios.cli(world, "-vv", *sync(world, source))

    assert done.returncode == ExitCode.TRANSFER, done.stderr
    assert f"error[{code}]" in done.stderr, done.stderr
    assert "hint: " in done.stderr
    now = snapshot(world)
    assert (now.files, now.retired) == (before.files, before.retired)
    for secret in (PASSWORD, "hunter2"):
        assert secret not in done.stdout + done.stderr
    quiet = scenarios.cli(world, *sync(world, source))
    assert "Traceback" not in quiet.stderr


# A source that goes away


class Once:
    """A filter that acts at the n-th piece, counted from 1, and lets everything pass from then on if told so."""

    def __init__(self, number: int, act: Filter) -> None:
        self._number = number
        self._act = act
        self._seen = 0
        self.acted = threading.Event()

    def __call__(self, frame: Frame) -> Frame:
        if is_piece(frame):
            self._seen += 1
            if self._seen >= self._number:
                self.acted.set()
                return self._act(frame)
        return frame


def hang_up(_frame: Frame) -> Frame:
    raise HangUp


def fall_silent(_frame: Frame) -> Frame:
    raise FallSilent


@pytest.mark.parametrize("number", [1, 5, 12])
def test_a_share_that_goes_away_in_the_middle_leaves_the_folder_as_it_was(
    world: World, server: Samba, number: int
) -> None:
    before = snapshot(world)
    once = Once(number, hang_up)

    with way(server.port, once) as port:
        done = scenarios.cli(world, *sync(world, url(server, port)))

    assert once.acted.is_set()
    assert done.returncode == ExitCode.TRANSFER, done.stderr
    assert "error[source-went-away]" in done.stderr, done.stderr
    now = snapshot(world)
    assert (now.files, now.retired) == (before.files, before.retired)
    check(before, world)
    assert_converges(world, url(server), before)


def test_a_server_that_is_ended_in_the_middle_leaves_the_folder_as_it_was(world: World, server: Samba) -> None:
    before = snapshot(world)

    def kill(frame: Frame) -> Frame:
        server.kill()
        return frame

    with way(server.port, Once(4, kill)) as port:
        done = scenarios.cli(world, *sync(world, url(server, port)))

    assert done.returncode == ExitCode.TRANSFER, done.stderr
    now = snapshot(world)
    assert (now.files, now.retired) == (before.files, before.retired)
    server.start()
    assert_converges(world, url(server), before)


@pytest.mark.parametrize("request_to_end", [signal.SIGINT, signal.SIGTERM])
def test_whoever_asks_it_to_end_does_not_wait_for_a_silent_server(
    world: World, server: Samba, request_to_end: signal.Signals
) -> None:
    before = snapshot(world)
    once = Once(3, fall_silent)
    with way(server.port, once) as port, scenarios.start(world, *sync(world, url(server, port))) as run:
        try:
            assert once.acted.wait(30)
            run.send_signal(request_to_end)
            # Less than the patience with a silent server.
            _, said = run.communicate(timeout=30)
        finally:
            with suppress(ProcessLookupError):
                run.kill()
    assert run.returncode == ExitCode.INTERRUPTED, said
    assert "Traceback" not in said
    now = snapshot(world)
    assert (now.files, now.retired) == (before.files, before.retired)
    assert_converges(world, url(server), before)
