"""After a killed run a dry run predicts what the real run does once it has undone the killed one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from command_world import CommandWorld
from faults import can_fork
from repository_model import HALVES, WHOLE
from simulator import name_of
from small_world import COPY, TOKENS, copy_tree

from repo_manager.adapters.filesystem import rename_without_replacing as noreplace
from repo_manager.adapters.filesystem.rename import OwnSystem

if TYPE_CHECKING:
    from cli_world import Answer

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not can_fork, reason="a child is killed")]

LINES: Final = {
    "sync": ("sync", "--source", "source", "--release", "9.66"),
    "prune": ("prune",),
    "restore": ("restore", "last"),
}


@pytest.fixture(params=["in the kernel", "by link"])
def world(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[CommandWorld]:
    """A repository with a past, old builds, a damaged installer and a stray file."""
    made = CommandWorld(tmp_path / "world")
    made.build(retired_keep=4)
    for token in TOKENS:
        (made.repo / name_of(token, "9.64")).write_bytes(WHOLE[name_of(token, "9.64")])
    assert made.run("sync", "--yes", "--source", "source", "--release", "9.65").code == 0
    (made.repo / name_of(TOKENS[1], "9.64")).write_bytes(WHOLE[name_of(TOKENS[1], "9.64")])
    (made.repo / name_of(TOKENS[2], "9.66")).write_bytes(HALVES[name_of(TOKENS[2], "9.66")])
    (made.repo / COPY).write_bytes(b"a copy")
    if request.param == "by link":
        OwnSystem.ways = noreplace.WAYS[1:]
    yield made
    OwnSystem.ways = noreplace.WAYS


@pytest.mark.parametrize("killed", LINES)
def test_a_dry_run_after_a_kill_predicts_the_real_run(world: CommandWorld, killed: str) -> None:
    states: list[object] = []
    number, answer = 0, None
    while answer is None:
        number += 1
        trial = copied(world, number)
        answer = trial.killed(number, lambda world, step: world.run(*LINES[killed], "--yes", step=step))
        before = left_by(trial)
        if answer is not None or before in states:
            continue
        states.append(before)
        for line in LINES.values():
            with trial.rehearsal():
                dry = trial.run(*line, "--dry-run")
                assert left_by(trial) == before
                real = trial.run(*line, "--yes")
                assert told(dry) == told(real), f"{killed} was killed before write {number}, then {line}"
    assert answer.code in {0, 1}, answer.err
    assert len(states) > len(TOKENS)


def copied(world: CommandWorld, number: int) -> CommandWorld:
    """The same world once more."""
    root = world.root.with_name(f"trial-{number}") / "world"
    root.parent.mkdir()
    copy_tree(world.root, root)
    return CommandWorld(root, offset=world.offset)


def left_by(world: CommandWorld) -> object:
    """All files of the repository, but what tells no run what to do."""
    paths = [path for path in world.repo.rglob("*") if path.is_file() and path.name != "lock"]
    return {path.relative_to(world.repo).as_posix(): path.read_bytes() for path in paths}


def told(answer: Answer) -> object:
    """How a command ended, and its actions without their results."""
    if answer.code and "actions" not in answer.document:
        return answer.code, answer.error["code"]
    # A real run lists what it left out behind what it did.
    actions = [*answer.document["actions"], *answer.document.get("skipped", ())]
    return answer.code, [(action["action"], action.get("name")) for action in actions]
