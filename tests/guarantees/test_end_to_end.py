"""The real command line, a real server, the real catalog: from a mess to a whole set, through every mishap."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import small_world
from abuse_server import Honest, always, serving
from processes import cli, start, until
from simulator import name_of
from small_world import TOKENS, check, data_of, snapshot

from repo_manager.adapters.filesystem.repository_folder import SUBFOLDER
from repo_manager.core import catalog, names
from repo_manager.core.errors import ExitCode
from repo_manager.core.names import Release, Token
from repo_manager.demo.sample import sample_installer

if TYPE_CHECKING:
    from collections.abc import Callable

    from abuse_server import AbuseServer, Request
    from small_world import World

CATALOG = Path(__file__).parents[2] / "catalog.yaml"
LOGIN_PAGE = b"<!DOCTYPE html><html><body>Sign in to continue</body></html>" * 30


def sync(world: World, server: AbuseServer, *more: str) -> tuple[str, ...]:
    return (
        "--repository",
        str(world.repository),
        "sync",
        "--release",
        "latest",
        "--source",
        server.base,
        "--yes",
        *more,
    )


def gets(server: AbuseServer) -> list[str]:
    return sorted(path.removeprefix("/") for method, path, _ in server.log if method == "GET")


def staged(world: World) -> set[str]:
    return {path.name for path in (world.repository / SUBFOLDER / "staging").iterdir()}


def test_a_messy_folder_becomes_the_whole_release_and_a_second_run_asks_for_nothing(tmp_path: Path) -> None:
    text = CATALOG.read_text(encoding="utf-8")
    known = catalog.parse(text)
    wanted = {link.name.text: sample_installer(link.name, payload_bytes=2000) for link in known.links(known.latest)}
    assert len(wanted) == 26
    world = small_world.build(tmp_path / "world", mess=False)
    world.catalog.write_text(text, encoding="utf-8")
    for link in known.links(Release(9, 64))[:9]:
        world.put(link.name.text, sample_installer(link.name, payload_bytes=2000))
    for number, (name, data) in enumerate(wanted.items()):
        if number % 5 == 0:
            world.put(name, data)
        elif number % 7 == 0:
            world.put(name, data[:1500])
        elif number % 9 == 0:
            world.put(f"{name}.crdownload", data[:900])
    world.put("Copy of RHEL7-64.tar.gz", b"a copy")
    foreign = {path.name for path in small_world.build(tmp_path / "clean", mess=False).repository.iterdir()}
    before = snapshot(world)
    damaged = {name for name in wanted if name in before.files and name not in before.good}
    assert damaged

    with serving() as server:
        for name, data in wanted.items():
            server.url(f"/{name}", Honest(data))
        done = cli(world, *sync(world, server, "--package", "all", "--json"))
        assert done.returncode == ExitCode.DONE, done.stderr
        document = json.loads(done.stdout)
        assert {action["result"] for action in document["actions"]} <= {"done", "skipped"}
        there = {path.name for path in world.repository.iterdir()} - {SUBFOLDER}
        assert there == set(wanted) | foreign
        assert {name: (world.repository / name).read_bytes() for name in wanted} == wanted
        check(before, world)

        at = ("--repository", str(world.repository))
        done = cli(world, *at, "audit", "--deep", "--package", "all")
        assert done.returncode == ExitCode.DONE, done.stdout

        asked, whole = len(server.log), snapshot(world)
        done = cli(world, *sync(world, server, "--package", "all"))
        assert done.returncode == ExitCode.DONE, done.stderr
        assert len(server.log) == asked
        assert snapshot(world) == whole

    drops = [word for name in wanted for word in ("--drop", names.parse(name).token)]
    done = cli(world, *at, "restore", "last", *drops, "--yes")
    assert done.returncode == ExitCode.FINDINGS, done.stderr
    now = snapshot(world)
    assert {name for name in now.files if now.files[name] != before.files.get(name)} == damaged
    assert damaged <= now.good, "what was damaged does not come back"
    assert before.files.keys() == now.files.keys()


def test_a_download_that_was_killed_goes_on_where_it_was(tmp_path: Path) -> None:
    world = small_world.build(tmp_path / "world")
    name = names.parse(name_of("Windows"))
    data = sample_installer(name, payload_bytes=4_000_000)
    part = world.repository / SUBFOLDER / "staging" / f"{name}.part"
    released = threading.Event()

    def half(request: Request) -> None:
        request.answer(200, {"Content-Length": str(len(data)), "ETag": '"build-1"', "Accept-Ranges": "bytes"})
        if request.command == "GET":
            request.send_body(data[: len(data) // 2])
            released.wait(30)
            request.hang_up()

    with serving() as server:
        path = f"/{name}"
        server.url(path, half)
        before = snapshot(world)
        arguments = sync(world, server, "--package", "Windows")
        with start(world, *arguments) as run:
            until(lambda: part.exists() and part.stat().st_size > len(data) // 4, "a quarter has come")
            run.kill()
            run.communicate()
        released.set()
        check(before, world)
        assert snapshot(world).files == before.files
        kept = part.stat().st_size
        assert 0 < kept <= len(data) // 2

        server.url(path, Honest(data))
        sent = server.sent[path]
        done = cli(world, *arguments)
        assert done.returncode == ExitCode.DONE, done.stderr
        assert server.ranges(path)[-1] == f"bytes={kept}-"
        assert server.sent[path] - sent == len(data) - kept
    assert (world.repository / name.text).read_bytes() == data


def script_of(mishap: str | None, data: bytes) -> Callable[[Request], None]:
    """A server's answer where nothing, or one thing, is wrong."""
    match mishap:
        case "missing":
            return always(404)
        case "truncated":
            return Honest(data[:-40])
        case "login":
            return always(200, {"Content-Type": "text/html"}, LOGIN_PAGE)
        case "another package":
            return Honest(sample_installer(names.parse(name_of("OL8-64"))))
        case _:
            return Honest(data)


@pytest.mark.parametrize(
    ("mishaps", "exit_code", "code"),
    [
        ({"Windows": "missing"}, ExitCode.TRANSFER, "not-found"),
        ({"RHEL9-64": "truncated"}, ExitCode.VERIFICATION, "truncated-archive"),
        ({"RHEL9-64": "login"}, ExitCode.VERIFICATION, "not-an-archive"),
        ({"Windows": "login"}, ExitCode.VERIFICATION, "not-an-executable"),
        ({"UBUNTU-22.04-64": "another package"}, ExitCode.VERIFICATION, "mislabelled"),
        (
            {"Windows": "missing", "RHEL9-64": "truncated", "UBUNTU-22.04-64": "login"},
            ExitCode.VERIFICATION,
            "truncated-archive",
        ),
    ],
)
def test_a_source_with_mishaps_places_nothing_and_the_next_run_fetches_only_what_is_missing(
    mishaps: dict[str, str], exit_code: ExitCode, code: str, tmp_path: Path
) -> None:
    world = small_world.build(tmp_path / "world")
    (world.repository / name_of("OL8-64")).unlink()
    before = snapshot(world)
    with serving() as server:
        for token in TOKENS:
            data = data_of(name_of(token))
            server.url(f"/{name_of(token)}", script_of(mishaps.get(token), data))
        done = cli(world, *sync(world, server))
        assert done.returncode == exit_code, done.stderr
        assert f"error[{code}]" in done.stderr, done.stderr
        now = snapshot(world)
        assert (now.files, now.retired) == (before.files, before.retired)
        whole = {name_of(token) for token in TOKENS if token not in mishaps}
        assert staged(world) == whole

        for token in map(Token, mishaps):
            server.url(f"/{name_of(token)}", Honest(data_of(name_of(token))))
        server.log.clear()
        done = cli(world, *sync(world, server))
        assert done.returncode == ExitCode.DONE, done.stderr
        assert gets(server) == sorted(name_of(token) for token in mishaps)
    check(before, world)
    assert snapshot(world).good == {name_of(token) for token in TOKENS}
    assert small_world.left_over(world) == []
