"""Guarantee 10: a wrong source, a wrong root or a wrong catalog never empties a repository."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import scenarios
from platforms import needs_links
from scenarios import TOKENS, cli, name_of, snapshot

from repo_manager import catalog
from repo_manager.errors import DocumentError

if TYPE_CHECKING:
    from collections.abc import Callable

    from scenarios import World

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
    return ["--repository", str(world.repository / scenarios.FOREIGN), "prune", "--yes"]


def catalog_without_links(world: World) -> list[str]:
    text = "\n".join(line for line in scenarios.CATALOG_TEXT.splitlines() if "https:" not in line)
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
    world = scenarios.build(tmp_path / "world")
    arguments = prepare(world)
    before = snapshot(world)
    done = cli(world, *arguments)
    assert f"error[{code}]" in done.stderr, done.stderr
    assert done.returncode == exit_code, done.stderr
    assert "hint: " in done.stderr
    assert snapshot(world) == before


def test_a_source_of_empty_files_places_nothing(tmp_path: Path) -> None:
    """A share whose files were created and never filled, as a full disk on the other side leaves them."""
    world = scenarios.build(tmp_path / "world")
    for path in world.source.iterdir():
        path.write_bytes(b"")
    before = snapshot(world)
    done = cli(world, *sync(world, world.source))
    assert done.returncode == 4, done.stderr
    assert snapshot(world) == before


def test_a_catalog_without_any_link_is_refused_with_its_line() -> None:
    text = "\n".join(line for line in scenarios.CATALOG_TEXT.splitlines() if "https:" not in line)
    with pytest.raises(DocumentError) as caught:
        catalog.parse(text.replace("    links:", ""))
    assert [problem.line > 1 for problem in caught.value.problems] == [True]
    assert "link" in caught.value.message


def test_one_bad_package_may_go_although_it_is_all_there_is(tmp_path: Path) -> None:
    """The guard is against a wrong folder, not against work: a single broken file is retired."""
    world = scenarios.build(tmp_path / "world", mess=False)
    world.put(name_of(TOKENS[1]), b"")
    world.put(scenarios.COPY, b"x")
    done = cli(world, "--repository", str(world.repository), "prune", "--yes")
    assert done.returncode == 0, done.stderr
    assert not (world.repository / scenarios.COPY).exists()
