"""`watch` as people start it, with a real service that reads the folder: what it saw, and after how many restarts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import small_world
from simulator import name_of
from small_world import data_of
from watch_world import started

if TYPE_CHECKING:
    from pathlib import Path

    from push_install import PushInstall
    from small_world import World

OLD, NEW = name_of("RHEL9-64", "9.65"), name_of("RHEL9-64")
OTHER, WINDOWS = name_of("OL8-64"), name_of("Windows")


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = small_world.build(tmp_path / "world", mess=False)
    made.put(OLD)
    made.put(OTHER)
    (made.root / "config.yaml").write_text("stop_timeout: 8\nstart_timeout: 10\nsteady_time: 1\n", encoding="ascii")
    return made


def test_a_burst_is_seen_by_the_service_after_one_restart(world: World, service: PushInstall) -> None:
    service.start()
    with started(world, "--settle", "2") as watch:
        # As long as one is being written, the burst is not over.
        with (world.repository / WINDOWS).open("wb") as file:
            world.put(NEW)
            world.put(f"Copy of {OTHER}", b"x")
            file.write(data_of(WINDOWS))
        watch.until("restarted")
    assert service.diary == ["start", "stop", "start"]
    assert {name for name in service.seen if name.startswith("Microsoft")} == {NEW, OTHER, WINDOWS}
    assert not any(name.startswith("Copy") for name in service.seen)


def test_a_whole_file_that_supersedes_nothing_is_seen_too(world: World, service: PushInstall) -> None:
    service.start()
    with started(world) as watch:
        world.put(WINDOWS)
        watch.until("restarted")
        assert watch.said("retired") == 0
    assert WINDOWS in service.seen


def test_a_service_that_starts_with_neither_set_is_told_of_and_the_watch_goes_on(
    world: World, service: PushInstall
) -> None:
    service.start()
    service.behave("refuse", when=NEW)
    with started(world) as watch:
        world.put(NEW)
        watch.until("service-failed")
        assert (world.repository / OLD).exists()
        service.behave()
        (world.repository / NEW).unlink()
        service.start()
        world.put(WINDOWS)
        watch.until("restarted")
    assert service.seen >= {OLD, OTHER, WINDOWS}
