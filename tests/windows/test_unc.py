r"""Shares under their UNC paths: as the source, as the repository, and gone in the middle of everything.

Wine looks a share up in a folder of its prefix, `dosdevices/unc/HOST/SHARE`. So a share is a folder that a test
makes there, and goes away when it is moved.
"""

from __future__ import annotations

import itertools
import os
import shutil
import uuid
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import faults
import operations
import pytest
import small_world
from processes import cli
from simulator import name_of
from small_world import TOKENS, check, left_over, snapshot

from repo_manager.adapters.filesystem.repository_folder import SUBFOLDER, no_step
from repo_manager.app import tasks
from repo_manager.app.change import perform
from repo_manager.app.tasks import PlanContext
from repo_manager.core import catalog
from repo_manager.core.address import parse
from repo_manager.core.errors import ExitCode, RepoManagerError
from repo_manager.core.selection import Request
from repo_manager.demo.sample import sample_installer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from small_world import World

CATALOG: Final = Path(__file__).parents[2] / "catalog.yaml"

_PREFIX: Final = os.environ.get("WINECONFIGDIR", "").removeprefix("\\??\\")

pytestmark = pytest.mark.skipif(not _PREFIX, reason="makes a share in the way of Wine")


@dataclass
class Share:
    """A share, as Windows names it and where it really lies."""

    name: str
    _real: Path

    @property
    def path(self) -> Path:
        return Path(self.name)

    def go_away(self) -> None:
        self._real.rename(self._away)

    def come_back(self) -> None:
        self._away.rename(self._real)

    @property
    def _away(self) -> Path:
        return self._real.with_name("away")


@pytest.fixture
def share() -> Iterator[Share]:
    host = f"files-{uuid.uuid4().hex[:8]}"
    server = Path(_PREFIX, "dosdevices", "unc", host)
    real = server / "Büro Süd"
    real.mkdir(parents=True)
    yield Share(rf"\\{host}\Büro Süd", real)
    shutil.rmtree(server)


def sync(repository: Path | str, source: Path | str) -> tuple[str, ...]:
    return ("--repository", str(repository), "sync", "--release", "latest", "--source", str(source), "--yes")


def long(path: Path) -> str:
    r"""The same path in the form that has no limit of its length: `\\?\UNC\host\share\...`."""
    return "\\\\?\\UNC" + str(path).removeprefix("\\")


# A repository on a share


@pytest.mark.parametrize("spelling", [str, long])
def test_a_repository_on_a_share_is_made_whole_and_put_back(share: Share, spelling: Callable[[Path], str]) -> None:
    world = small_world.build(share.path / "world")
    repository = spelling(world.repository)
    before = snapshot(world)

    done = cli(world, *sync(repository, world.source))
    assert done.returncode == ExitCode.DONE, done.stderr
    check(before, world)
    assert snapshot(world).good == {name_of(token) for token in TOKENS}
    assert left_over(world) == []

    whole = snapshot(world)
    again = cli(world, *sync(repository, world.source))
    assert again.returncode == ExitCode.DONE, again.stderr
    assert snapshot(world) == whole
    audit = cli(world, "--repository", repository, "audit", "--deep", "--release", "latest")
    assert audit.returncode == ExitCode.DONE, audit.stdout
    restored = cli(world, "--repository", repository, "restore", "last", "--drop", "UBUNTU-22.04-64", "--yes")
    assert restored.returncode == ExitCode.FINDINGS, restored.stderr
    # What was damaged stays retired.
    damaged = name_of("RHEL9-64")
    assert snapshot(world).files == {**before.files, damaged: whole.files[damaged]}


@pytest.mark.parametrize("command", [("list",), ("audit",), ("prune", "--yes"), ("restore",), ("sync", "--yes")])
def test_a_repository_whose_share_is_away_is_no_empty_one(
    share: Share, command: tuple[str, ...], tmp_path: Path
) -> None:
    world = small_world.build(share.path / "world")
    before = snapshot(world)
    here = small_world.build(tmp_path / "here")
    share.go_away()

    done = cli(here, "--repository", str(world.repository), *command)
    assert done.returncode == ExitCode.USAGE, done.stderr
    assert "error[no-repository]" in done.stderr, done.stderr
    assert not share.path.exists()

    share.come_back()
    assert snapshot(world) == before


def error_of(world: World, step: Callable[[str], None], source: Path) -> RepoManagerError | None:
    """How a sync ended, whether it says so or raises it."""
    try:
        outcome = perform(small_world.bench(world, step), operations.sync_task(world, source=str(source)))
    except RepoManagerError as error:
        return error
    return None if outcome is None else outcome.error


def test_a_repository_that_goes_away_at_any_step_is_as_it_was_and_the_next_run_gets_there(
    share: Share, tmp_path: Path
) -> None:
    count = len(faults.steps_of(operations.sync, small_world.build(tmp_path / "counted")))
    assert count > 10
    # The second step makes a folder, and must not make the one above it as well.
    for number in faults.some_of(range(1, count + 1), case=2):
        root = share.path / f"world-{number}"
        # The source and the cache stay reachable.
        here = small_world.build(tmp_path / f"here-{number}")
        world = small_world.build(root)
        before = snapshot(world)
        seen = itertools.count(1)

        def step(_what: str, number: int = number, seen: Iterator[int] = seen) -> None:
            if next(seen) == number:
                share.go_away()

        error = error_of(world, step, here.source)
        if share.path.exists():
            # The last steps come after the last look at the folder.
            assert error is None, (number, error)
            continue
        assert not share.path.exists(), "somebody made the folder anew"
        share.come_back()
        check(before, world)
        outcome = perform(small_world.bench(world), operations.sync_task(world, source=str(here.source)))
        assert outcome.error is None
        check(before, world)
        assert snapshot(world).good == {name_of(token) for token in TOKENS}
        assert left_over(world) == []
        shutil.rmtree(root)


# A source on a share


@pytest.mark.parametrize("spelling", [str, long])
def test_a_source_on_a_share_fills_the_repository(
    share: Share, spelling: Callable[[Path], str], tmp_path: Path
) -> None:
    world = small_world.build(tmp_path / "world")
    world.source.rename(tmp_path / "moved")
    shutil.copytree(tmp_path / "moved", share.path / "9.66")
    source = spelling(share.path / "9.66")

    done = cli(world, *sync(world.repository, source))

    assert done.returncode == ExitCode.DONE, done.stderr
    assert snapshot(world).good == {name_of(token) for token in TOKENS}
    assert left_over(world) == []


def test_a_source_whose_share_is_away_touches_nothing(share: Share, tmp_path: Path) -> None:
    world = small_world.build(tmp_path / "world")
    before = snapshot(world)
    share.go_away()

    for source in (share.name, str(share.path / "9.66"), r"\\no-such-server\agents"):
        done = cli(world, *sync(world.repository, source))
        assert done.returncode == ExitCode.TRANSFER, done.stderr
        assert "hint: " in done.stderr
        assert snapshot(world) == before

    share.come_back()


def test_a_source_that_goes_away_in_the_middle_leaves_the_folder_as_it_was(share: Share, tmp_path: Path) -> None:
    """More files than are fetched at a time: those that are open may still come whole, the others cannot."""
    known = catalog.parse(CATALOG.read_text(encoding="utf-8"))
    task = tasks.sync(PlanContext(known), Request(release="latest", packages=("all",)), parse(share.name))
    links = known.links(known.latest)
    for link in links:
        (share.path / link.name.text).write_bytes(sample_installer(link.name, payload_bytes=2000))
    world = small_world.build(tmp_path / "world", mess=False)
    world.put(name_of("OL8-64", "9.65"))
    before = snapshot(world)
    gone = iter([share.go_away])

    def step(what: str) -> None:
        if what.startswith("fetched "):
            for act in gone:
                act()

    outcome = perform(replace(small_world.bench(world, step), catalog=known), task)

    assert outcome.error is not None
    assert outcome.error.exit_code == ExitCode.TRANSFER
    now = snapshot(world)
    assert (now.files, now.retired) == (before.files, before.retired)
    staged = {path.name for path in (world.repository / SUBFOLDER / "staging").iterdir()}
    assert staged < {link.name.text for link in links}

    share.come_back()
    outcome = perform(replace(small_world.bench(world, no_step), catalog=known), task)
    assert outcome.error is None
    assert {link.name.text for link in links} <= snapshot(world).good
    assert left_over(world) == []
