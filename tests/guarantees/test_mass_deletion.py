"""Guarantee 10: a wrong source, a wrong root or a wrong catalog never empties a repository."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import operations
import pytest
import small_world
from platforms import needs_links
from processes import cli
from simulator import name_of
from small_world import TOKENS, snapshot
from spread_places import KINDS, place_of
from spread_world import Here, Leader, Mirror, error_of, installers, tree

from repo_manager.adapters.filesystem.repository_folder import SUBFOLDER
from repo_manager.adapters.tuf import publisher as leading
from repo_manager.adapters.tuf.keys import Keys
from repo_manager.core import catalog
from repo_manager.core.errors import DocumentError, ExitCode

if TYPE_CHECKING:
    from collections.abc import Iterator

    from small_world import World
    from spread_places import Place

UNKNOWN = "  CENTOS5-64: {systems: [a system], extension: .tar.gz}"
FOREIGN_CATALOG = f"""schema: 1
hosts: [download.example]
support_window: 4
vulnerable_below: "9.49.6395.1"
sources: {{}}
packages:
{UNKNOWN}
releases:
  "9.66":
    for_classic: "yes"
    links:
      CENTOS5-64: https://download.example/{name_of("CENTOS5-64")}
"""


def sync(world: World, source: Path | str) -> list[str]:
    return ["--repository", str(world.repository), "sync", "--release", "latest", "--source", str(source), "--yes"]


def missing_source(world: World) -> list[str]:
    return sync(world, world.root / "unmounted")


def empty_source(world: World) -> list[str]:
    (world.root / "empty").mkdir()
    return sync(world, world.root / "empty")


def source_is_a_file(world: World) -> list[str]:
    return sync(world, world.outside / "treasure.txt")


def source_is_the_target(world: World) -> list[str]:
    return sync(world, world.repository)


def source_is_the_target_by_another_path(world: World) -> list[str]:
    return sync(world, world.repository / "notes" / "..")


def source_lies_in_the_target(world: World) -> list[str]:
    return sync(world, world.repository / "notes")


def source_is_the_staging_area(world: World) -> list[str]:
    return sync(world, world.repository / ".repo-manager" / "staging")


def source_link_leads_to_the_target(world: World) -> list[str]:
    (world.root / "link").symlink_to(world.repository, target_is_directory=True)
    return sync(world, world.root / "link")


def source_of_an_unknown_kind(world: World) -> list[str]:
    return sync(world, "ftp://download.example/agents")


def no_root(world: World) -> list[str]:
    return ["--repository", str(world.root / "nowhere"), "sync", "--source", str(world.source), "--yes"]


def root_is_a_file(world: World) -> list[str]:
    return ["--repository", str(world.repository / small_world.FOREIGN), "prune", "--yes"]


def catalog_without_links(world: World) -> list[str]:
    text = "\n".join(line for line in small_world.CATALOG_TEXT.splitlines() if "https:" not in line)
    world.catalog.write_text(text.replace("    links:", ""), encoding="ascii")
    return sync(world, world.source)


def catalog_without_entries(world: World) -> list[str]:
    world.catalog.write_text("schema: 1\n", encoding="ascii")
    return ["--repository", str(world.repository), "prune", "--yes"]


def empty_catalog(world: World) -> list[str]:
    world.catalog.write_bytes(b"")
    return ["--repository", str(world.repository), "prune", "--yes"]


def catalog_of_something_else(world: World) -> list[str]:
    """None of the installers is known: all of them would go out as mistakes."""
    world.catalog.write_text(FOREIGN_CATALOG, encoding="ascii")
    return ["--repository", str(world.repository), "prune", "--yes"]


@pytest.mark.parametrize(
    ("prepare", "code", "exit_code"),
    [
        (missing_source, "not-at-source", 3),
        (empty_source, "not-at-source", 3),
        # Windows does not tell a path through a file from one that is not there.
        (source_is_a_file, "not-at-source" if sys.platform == "win32" else "source-went-away", 3),
        (source_is_the_target, "source-is-target", 2),
        (source_is_the_target_by_another_path, "source-is-target", 2),
        (source_lies_in_the_target, "source-is-target", 2),
        (source_is_the_staging_area, "source-is-target", 2),
        pytest.param(source_link_leads_to_the_target, "source-is-target", 2, marks=needs_links),
        (source_of_an_unknown_kind, "unknown-source", 2),
        (no_root, "no-repository", 2),
        (root_is_a_file, "not-a-folder", 2),
        (catalog_without_links, "invalid-catalog", 2),
        (catalog_without_entries, "invalid-catalog", 2),
        (empty_catalog, "invalid-catalog", 2),
        (catalog_of_something_else, "would-empty-repository", 2),
    ],
)
def test_what_would_empty_a_repository_is_refused_and_nothing_is_touched(
    prepare: Callable[[World], list[str]], code: str, exit_code: int, tmp_path: Path
) -> None:
    world = small_world.build(tmp_path / "world")
    arguments = prepare(world)
    before = snapshot(world)
    done = cli(world, *arguments)
    assert f"error[{code}]" in done.stderr, done.stderr
    assert done.returncode == exit_code, done.stderr
    assert "hint: " in done.stderr
    assert snapshot(world) == before


def test_a_source_of_empty_files_places_nothing(tmp_path: Path) -> None:
    """A share whose files were created and never filled, as a full disk on the other side leaves them."""
    world = small_world.build(tmp_path / "world")
    for path in world.source.iterdir():
        path.write_bytes(b"")
    before = snapshot(world)
    done = cli(world, *sync(world, world.source))
    assert done.returncode == 4, done.stderr
    assert snapshot(world) == before


def test_a_catalog_without_any_link_is_refused_with_its_line() -> None:
    text = "\n".join(line for line in small_world.CATALOG_TEXT.splitlines() if "https:" not in line)
    with pytest.raises(DocumentError) as caught:
        catalog.parse(text.replace("    links:", ""))
    assert [problem.line > 1 for problem in caught.value.problems] == [True]
    assert "link" in caught.value.message


def test_one_bad_package_may_go_although_it_is_all_there_is(tmp_path: Path) -> None:
    """The guard is against a wrong folder, not against work: a single broken file is retired."""
    world = small_world.build(tmp_path / "world", mess=False)
    world.put(name_of(TOKENS[1]), b"")
    world.put(small_world.COPY, b"x")
    done = cli(world, "--repository", str(world.repository), "prune", "--yes")
    assert done.returncode == 0, done.stderr
    assert not (world.repository / small_world.COPY).exists()


# mirror


@dataclass(frozen=True)
class Led:
    """A leader, a place of some kind with what it has published, and a follower that has followed."""

    leader: Leader
    place: Place
    follower: Mirror

    def publish(self, name: str, leader: Leader) -> str:
        """Publish beside the set; the fingerprint."""
        depot = self.place.depot(name)
        try:
            return leader.prepare(depot)
        finally:
            depot.close()

    def renew(self, name: str, leader: Leader, tokens: tuple[str, ...]) -> None:
        """What `publish` refuses: a newer set with the same keys that has lost most of what it had, or all."""
        depot, keys = self.place.depot(name), Keys(leader.world.root / "keys")
        items = operations.items_at(sorted(leader.world.repository / name_of(token) for token in tokens))
        try:
            leading.Publisher(keys, depot, datetime.now(UTC)).publish(leading.PublishOrder(items, 30), lambda _: None)
        finally:
            depot.close()


@pytest.fixture(scope="module", params=KINDS)
def led(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Led]:
    root = tmp_path_factory.mktemp("led")
    leader = Leader.build(root / "leader")
    (root / "place").mkdir()
    with place_of(request.param, root / "place") as place:
        follower = Mirror(small_world.build(root / "follower"), "", "")
        led = Led(leader, place, follower)
        follower.fingerprint = led.publish("set", leader)
        place.send(follower, "set")
        done = follower.run()
        assert done.returncode == ExitCode.DONE, done.stderr
        assert installers(follower.world) == leader.files
        yield led


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Here:
    return Here(monkeypatch, capsys)


def nothing_left_in_the_set(led: Led, mirror: Mirror) -> tuple[str, ...]:
    led.publish("emptied", led.leader)
    led.renew("emptied", led.leader, ())
    led.place.send(mirror, "emptied")
    return ()


def one_package_left_in_the_set(led: Led, mirror: Mirror) -> tuple[str, ...]:
    led.publish("shrunk", led.leader)
    led.renew("shrunk", led.leader, TOKENS[:1])
    led.place.send(mirror, "shrunk")
    return ()


def one_package_of_a_leader_that_is_not_trusted(led: Led, mirror: Mirror) -> tuple[str, ...]:
    led.publish("stranger", Leader.build(mirror.world.root / "stranger", TOKENS[:1]))
    led.place.send(mirror, "stranger")
    return ()


def one_package_of_another_leader_that_would_be_trusted_from_now_on(led: Led, mirror: Mirror) -> tuple[str, ...]:
    other = Leader.build(mirror.world.root / "other", TOKENS[:1])
    mirror.fingerprint = led.publish("other", other)
    led.place.send(mirror, "other")
    return ("--replace-trust",)


def source_was_emptied(led: Led, mirror: Mirror) -> tuple[str, ...]:
    """As a share is whose volume is not mounted."""
    led.publish("gone", led.leader)
    depot = led.place.depot("gone")
    for path, _ in list(depot.list("")):
        depot.delete(path)
    depot.close()
    led.place.send(mirror, "gone")
    return ()


def source_went_away(led: Led, mirror: Mirror) -> tuple[str, ...]:
    led.place.send_nowhere(mirror)
    return ()


def followers_own_folder(led: Led, mirror: Mirror) -> tuple[str, ...]:
    led.place.send_home(mirror)
    return ()


def followers_own_folder_unsigned(led: Led, mirror: Mirror) -> tuple[str, ...]:
    led.place.send_home(mirror)
    mirror.fingerprint = ""
    return ("--unsigned",)


Wrong = Callable[[Led, Mirror], tuple[str, ...]]
"""Sends a follower to where it should not follow; returns what else stands on the command line."""

REFUSED: Final[tuple[tuple[Wrong, tuple[str, int]], ...]] = (
    (nothing_left_in_the_set, ("empty-source", 2)),
    (one_package_left_in_the_set, ("would-empty-repository", 2)),
    (one_package_of_a_leader_that_is_not_trusted, ("wrong-signature", 4)),
    (one_package_of_another_leader_that_would_be_trusted_from_now_on, ("would-empty-repository", 2)),
    (source_was_emptied, ("no-signed-set", 3)),
    (source_went_away, ("cannot-connect", 3)),
    (followers_own_folder, ("no-signed-set", 3)),
    (followers_own_folder_unsigned, ("cannot-list", 2)),
)
OTHERWISE: Final[dict[tuple[str, Wrong], tuple[str, int]]] = {
    ("folder", source_went_away): ("source-went-away", 3),
    ("folder", followers_own_folder): ("source-is-target", 2),
    ("folder", followers_own_folder_unsigned): ("source-is-target", 2),
    # A store lists its files: they are what the follower has, and nothing is to do.
    ("s3", followers_own_folder_unsigned): ("", 0),
    ("azure", followers_own_folder_unsigned): ("", 0),
}


# Whoever is trusted says so with a newer set. That no older one counts may be remembered, also where nothing is done.
_NEWER: Final = frozenset((nothing_left_in_the_set, one_package_left_in_the_set))


@pytest.mark.slow
@pytest.mark.parametrize(("make", "said"), REFUSED)
def test_a_wrong_source_leaves_a_follower_as_it_was(
    led: Led, make: Wrong, said: tuple[str, int], tmp_path: Path, here: Here
) -> None:
    mirror = replace(led.follower, world=led.follower.world.at(tmp_path / "follower"))
    more = make(led, mirror)
    before, remembered = snapshot(mirror.world), tree(mirror.world)

    # In this process: all of it happens before anything is changed.
    done = here.cli(mirror.world, *mirror.words(*more), variables=mirror.variables)

    assert (error_of(done), done.returncode) == OTHERWISE.get((led.place.kind, make), said), done.stderr
    assert snapshot(mirror.world) == before
    changed = {name for name, _ in tree(mirror.world).items() ^ remembered.items()}
    changed -= {f"{SUBFOLDER}/reporting.json"}
    assert changed <= ({f"{SUBFOLDER}/trust.json"} if make in _NEWER else set())
