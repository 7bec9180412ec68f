"""The text beside retired files: there for people, and in nobody's way."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import operations
import pytest
import small_world
from simulator import name_of
from small_world import NOW, bench

from repo_manager.adapters.filesystem.repository_folder import SUBFOLDER, Folder
from repo_manager.adapters.filesystem.retired import REASONS, reasons_text
from repo_manager.app.change import Progress, perform
from repo_manager.core.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

    from small_world import World


@pytest.fixture
def pruned(tmp_path: Path) -> World:
    world = small_world.build(tmp_path / "world")
    assert operations.prune(world, lambda _: None) is not None
    return world


def texts(world: World) -> list[str]:
    found = sorted((world.repository / SUBFOLDER / "retired").glob(f"*/{REASONS}"))
    return [path.read_text(encoding="utf-8") for path in found]


def test_every_retired_file_is_named_with_the_reason(pruned: World) -> None:
    (text,) = texts(pruned)
    retired = {file.name for file in Folder(pruned.repository).retired()}
    assert {line.partition(": ")[0] for line in text.splitlines()[3:]} == retired
    assert f"{name_of('OL8-64', '9.65')}: superseded by 9.66.0.0\n" in text
    assert text.startswith("Moved out of the repository by 'repo-manager prune' on 2026-05-01 12:00:0")


def test_it_is_no_retired_file_and_nothing_to_restore(pruned: World) -> None:
    folder = Folder(pruned.repository)
    assert REASONS not in {file.name for file in folder.retired()}
    outcome = operations.restore(pruned, lambda _: None)
    assert outcome is not None
    assert outcome.error is None
    assert not (pruned.repository / REASONS).exists()


def test_it_goes_with_the_last_file_it_is_about(pruned: World) -> None:
    folder = Folder(pruned.repository)
    newer = pruned.repository / SUBFOLDER / "retired" / "20990101T000000Z-0000"
    newer.mkdir()
    (newer / name_of("Windows", "9.64")).write_bytes(b"retired later")
    (first, *rest) = [file for file in folder.retired() if file.transaction != newer.name]
    for file in rest:
        (folder.sub / file.path).unlink()
    folder.trim(keep=100, days=100, now=NOW)
    assert len(texts(pruned)) == 1
    (folder.sub / first.path).unlink()
    folder.trim(keep=100, days=100, now=NOW + timedelta(days=1))
    assert texts(pruned) == []
    assert [path.name for path in (folder.sub / "retired").iterdir()] == [newer.name]


def test_what_a_run_killed_while_it_wrote_it_left_is_in_nobodys_way(pruned: World) -> None:
    folder = Folder(pruned.repository)
    retired = folder.retired()
    (written,) = (folder.sub / "retired").glob(f"*/{REASONS}")
    written.with_name(f"{REASONS}.new").write_bytes(b"half a sen")
    assert folder.retired() == retired
    for file in retired:
        (folder.sub / file.path).unlink()
    folder.trim(keep=100, days=100, now=NOW)
    assert not written.parent.exists()


def test_a_change_stands_without_it(tmp_path: Path) -> None:
    world = small_world.build(tmp_path / "world")
    notes: list[str] = []

    class Hearing(Progress):
        def note(self, text: str) -> None:
            notes.append(text)

    def step(what: str) -> None:
        if what == f"write {REASONS}":
            raise OSError(28, "No space left on device")

    outcome = perform(replace(bench(world, step), voice=Hearing()), operations.PRUNE)
    assert outcome.error is None
    assert texts(world) == []
    assert len([note for note in notes if "the reasons could not be written down" in note]) == 1


def test_a_transaction_that_is_a_path_is_refused(pruned: World) -> None:
    with pytest.raises(InputError, match="not a file's name"):
        Folder(pruned.repository).explain("../..", "x")


def test_names_that_are_no_text_and_reasons_of_several_lines_are_made_presentable() -> None:
    text = reasons_text("ID", "watch", NOW, {"bad \udcff name": "first\nsecond"})
    assert text.splitlines()[3:] == ["bad \\udcff name: first second"]
