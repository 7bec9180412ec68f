"""`sync` as people start it, with a real service that reads the folder: what it saw, and what is undone."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import processes
import pytest
import small_world
import win32service
from processes import cli
from push_install import wait_until
from simulator import name_of
from small_world import TOKENS, check, left_over, snapshot

from repo_manager.core.errors import ExitCode

if TYPE_CHECKING:
    from pathlib import Path

    from push_install import PushInstall
    from small_world import World

UP, DOWN = win32service.SERVICE_RUNNING, win32service.SERVICE_STOPPED


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A messy repository below the test's folder, where the stand-in service looks for it; little patience."""
    made = small_world.build(tmp_path / "world")
    (made.root / "config.yaml").write_text(
        "reserve_mb: 0\nstop_timeout: 8\nstart_timeout: 10\nsteady_time: 1\n", encoding="ascii"
    )
    return made


def sync(world: World) -> tuple[str, ...]:
    """The command line, without the tool's name."""
    at = ("--repository", str(world.repository))
    return (*at, "sync", "--release", "latest", "--source", str(world.source), "--yes")


def files(world: World) -> set[str]:
    return {path.name for path in world.repository.iterdir() if path.is_file()}


def test_the_restarted_service_sees_exactly_the_new_set(world: World, service: PushInstall) -> None:
    service.start()
    before = snapshot(world)
    assert service.seen == files(world)

    done = cli(world, "--json", *sync(world))
    assert done.returncode == ExitCode.DONE, done.stderr
    document = json.loads(done.stdout)
    assert document["service"]["restarted"] is True
    assert service.state == UP
    assert service.diary == ["start", "stop", "start"]
    assert service.seen == files(world)
    assert service.seen >= {name_of(token) for token in TOKENS}
    assert not {name for name in service.seen if "9.65" in name}
    check(before, world)
    assert left_over(world) == []

    again = cli(world, *sync(world))
    assert again.returncode == ExitCode.DONE, again.stderr
    assert service.diary == ["start", "stop", "start"]


def test_a_service_that_is_slow_both_ways_sees_the_new_set_as_well(world: World, service: PushInstall) -> None:
    service.start()
    service.behave("slow-start")
    done = cli(world, *sync(world))
    assert done.returncode == ExitCode.DONE, done.stderr
    assert service.state == UP
    assert service.seen == files(world)


@pytest.mark.parametrize("behaviour", ["refuse", "die"])
def test_a_service_that_does_not_like_the_new_set_gets_the_old_one_back(
    world: World, service: PushInstall, behaviour: str
) -> None:
    service.start()
    # This name is in the new set alone.
    service.behave(behaviour, when=name_of("Windows"))
    (world.root / "config.yaml").write_text(
        "reserve_mb: 0\nstop_timeout: 8\nstart_timeout: 10\nsteady_time: 4\n", encoding="ascii"
    )
    before, names = snapshot(world), files(world)
    done = cli(world, *sync(world))
    assert done.returncode == ExitCode.SERVICE, done.stderr
    expected = "service-did-not-start" if behaviour == "refuse" else "service-died"
    assert f"error[{expected}]" in done.stderr
    assert snapshot(world).state == before.state
    assert service.state == UP
    assert service.seen == names


def test_a_service_that_never_stops_leaves_everything_as_it_was(world: World, service: PushInstall) -> None:
    service.behave("never-stop")
    service.start()
    (world.root / "config.yaml").write_text("reserve_mb: 0\nstop_timeout: 2\nstart_timeout: 2\n", encoding="ascii")
    before = snapshot(world)
    done = cli(world, *sync(world))
    assert done.returncode == ExitCode.SERVICE, done.stderr
    assert "error[service-did-not-stop]" in done.stderr
    assert snapshot(world).state == before.state
    assert service.diary == ["start", "stop"]


def test_a_stopped_service_stays_stopped(world: World, service: PushInstall) -> None:
    done = cli(world, *sync(world))
    assert done.returncode == ExitCode.DONE, done.stderr
    assert "stays stopped" in done.stdout + done.stderr
    assert service.state == DOWN
    assert service.diary == []


def test_without_the_service_the_set_is_placed_all_the_same(world: World, unregistered: PushInstall) -> None:
    done = cli(world, *sync(world))
    assert done.returncode == ExitCode.DONE, done.stderr
    assert snapshot(world).good == {name_of(token) for token in TOKENS}


def test_a_disabled_service_is_noticed_before_anything_moves(world: World, service: PushInstall) -> None:
    service.start()
    service.disable()
    before = snapshot(world)
    done = cli(world, *sync(world))
    assert done.returncode == ExitCode.SERVICE, done.stderr
    assert "error[service-disabled]" in done.stderr
    assert snapshot(world) == before
    assert service.state == UP


def test_a_run_killed_while_the_service_stops_is_made_good_by_the_next(world: World, service: PushInstall) -> None:
    service.behave("slow-stop")
    service.start()
    before = snapshot(world)
    with processes.start(world, *sync(world)) as run:
        wait_until(lambda: "stop" in service.diary, "the service is told to stop")
        run.kill()
        run.communicate()
    assert (world.repository / ".repo-manager" / "journal.json").exists()
    check(before, world)

    done = cli(world, *sync(world))
    assert done.returncode == ExitCode.DONE, done.stderr
    assert "put back what an interrupted run" in done.stderr
    assert service.state == UP
    assert service.seen == files(world)
    assert snapshot(world).good == {name_of(token) for token in TOKENS}
    check(before, world)
    assert left_over(world) == []
