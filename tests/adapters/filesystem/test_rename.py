"""Moves and deletes where Windows says that somebody holds the file: patience, then a name."""

from __future__ import annotations

import errno
import stat
from typing import TYPE_CHECKING, Any

import pytest

from repo_manager.adapters.filesystem.files_in_use import Examined, FileUse, Holder
from repo_manager.adapters.filesystem.rename import Mover, OwnSystem
from repo_manager.core.errors import MachineError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


class RefusedError(OSError):
    """What Windows says, on any system."""

    def __init__(self, code: int) -> None:
        super().__init__(errno.EACCES, f"Windows error {code}")
        self.winerror = code


class Stubborn(OwnSystem):
    """The system as it is, after so many refusals."""

    def __init__(self, code: int, times: int, grips: dict[str, Examined] | None = None) -> None:
        self.code, self.left, self.grips = code, times, grips or {}

    def rename(self, old: Path, new: Path) -> None:
        self._refuse()
        super().rename(old, new)

    def replace(self, old: Path, new: Path) -> None:
        self._refuse()
        super().replace(old, new)

    def delete(self, path: Path) -> None:
        self._refuse()
        super().delete(path)

    def examine(self, path: Path) -> Examined:
        return self.grips.get(path.name, Examined(FileUse.FREE))

    def _refuse(self) -> None:
        if self.left:
            self.left -= 1
            raise RefusedError(self.code)


class ReadOnlyAware(OwnSystem):
    """Like Windows: neither deletes nor replaces what is read-only. Holds on to it all the same where told to."""

    def __init__(self, *, held: bool = False) -> None:
        self.held = held

    def replace(self, old: Path, new: Path) -> None:
        self._mind(new)
        super().replace(old, new)

    def delete(self, path: Path) -> None:
        self._mind(path)
        super().delete(path)

    def examine(self, path: Path) -> Examined:
        return Examined(FileUse.FREE)

    def _mind(self, path: Path) -> None:
        if path.exists() and (self.held or not path.stat().st_mode & stat.S_IWRITE):
            raise RefusedError(5)


ACTS: dict[str, Callable[[Mover, Path, Path], object]] = {
    "rename": lambda mover, old, new: mover.rename(old, new),
    "replace": lambda mover, old, new: mover.replace(old, new),
    "delete": lambda mover, old, _: mover.delete(old),
}


@pytest.mark.parametrize("act", ACTS.values(), ids=ACTS)
@pytest.mark.parametrize("code", [5, 32, 33, 303, 1224])
def test_a_file_that_is_let_go_in_time_is_moved(
    code: int, act: Callable[[Mover, Path, Path], object], tmp_path: Path
) -> None:
    waited: list[float] = []
    old, new = tmp_path / "old", tmp_path / "new"
    old.write_text("x")
    act(Mover(waited.append, Stubborn(code, 7)), old, new)
    assert not old.exists()
    assert 5 < sum(waited) < 10, "long enough for a virus scanner, short enough for a person"


@pytest.mark.parametrize("act", ACTS.values(), ids=ACTS)
@pytest.mark.parametrize("code", [32, 33, 303, 1224])
def test_a_file_that_is_never_let_go_is_named_with_whoever_holds_it(
    code: int, act: Callable[[Mover, Path, Path], object], tmp_path: Path
) -> None:
    old = tmp_path / "old"
    old.write_text("x")
    held = Examined(FileUse.HELD, (Holder("Backup Agent", 4711),))
    with pytest.raises(MachineError) as caught:
        act(Mover(lambda _: None, Stubborn(code, 100, {"old": held})), old, tmp_path / "new")
    assert caught.value.code == "file-in-use"
    assert caught.value.message == f"{old} is in use by Backup Agent (process 4711)"
    assert caught.value.hint == "close Backup Agent, then run again"
    assert old.read_text() == "x"
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("code", "grips", "expected", "words", "reason"),
    [
        (32, {}, "file-in-use", "old is in use by another program", "nobody is named"),
        (
            5,
            {"old": Examined(FileUse.HELD, (Holder("a", 1), Holder("b", 2)))},
            "file-in-use",
            "old is in use by a (process 1), b (process 2)",
            "two hold it",
        ),
        (
            5,
            {"old": Examined(FileUse.HELD)},
            "file-in-use",
            "old is in use by another program",
            "held, by whom is unknown",
        ),
        (5, {"old": Examined(FileUse.VANISHING)}, "file-in-use", "old was deleted, and stays until", "delete-pending"),
        (303, {}, "file-in-use", "old was deleted, and stays until", "delete-pending in its own words"),
        (
            5,
            {"old": Examined(FileUse.FORBIDDEN)},
            "no-rights",
            "old: this user may not change it",
            "no right to the file",
        ),
        (5, {"FOLDER": Examined(FileUse.FORBIDDEN)}, "no-rights", "this user may not change it", "nor to the folder"),
        (5, {}, "no-rights", "Windows does not say which", "it cannot be told"),
        (5, {"old": Examined(FileUse.UNKNOWN)}, "no-rights", "Windows does not say which", "nor here"),
    ],
)
def test_what_is_in_the_way_is_said_as_far_as_it_is_known(
    code: int, grips: dict[str, Examined], expected: str, words: str, *, reason: str, tmp_path: Path
) -> None:
    old = tmp_path / "old"
    old.write_text("x")
    grips = {tmp_path.name if name == "FOLDER" else name: grip for name, grip in grips.items()}
    with pytest.raises(MachineError) as caught:
        Mover(lambda _: None, Stubborn(code, 100, grips)).rename(old, tmp_path / "new")
    assert caught.value.code == expected, reason
    assert words in caught.value.message, reason
    assert caught.value.hint, reason


def test_what_will_not_pass_is_not_waited_for(tmp_path: Path) -> None:
    waited: list[float] = []
    with pytest.raises(FileNotFoundError):
        Mover(waited.append).rename(tmp_path / "not there", tmp_path / "new")
    with pytest.raises(RefusedError):
        Mover(waited.append, Stubborn(112, 1)).delete(tmp_path / "old")
    with pytest.raises(RefusedError):
        Mover(waited.append, Stubborn(32, 1)).delete_now(tmp_path / "old")
    assert waited == []


def test_a_read_only_file_is_deleted_or_replaced_by_the_tool_s_own(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    for path in (old, new):
        path.write_text(path.name)
    new.chmod(stat.S_IREAD)
    mover = Mover(lambda _: None, ReadOnlyAware())
    mover.replace(old, new)
    assert new.read_text() == "old"
    new.chmod(stat.S_IREAD)
    mover.delete(new)
    assert list(tmp_path.iterdir()) == []


def test_a_read_only_file_that_is_held_as_well_stays_read_only(tmp_path: Path) -> None:
    path = tmp_path / "old"
    path.write_text("x")
    path.chmod(stat.S_IREAD)
    with pytest.raises(MachineError):
        Mover(lambda _: None, ReadOnlyAware(held=True)).delete(path)
    assert not path.stat().st_mode & stat.S_IWRITE


class _BeingReplaced:
    """A path that Windows will not open as long as another program gives the file its name."""

    def __init__(self, path: Path, code: int, times: int) -> None:
        self._path, self._code, self._left = path, code, times

    def open(self, mode: str, *, buffering: int) -> object:
        if self._left:
            self._left -= 1
            raise RefusedError(self._code)
        return self._path.open(mode, buffering=buffering)


@pytest.mark.parametrize("code", [5, 32, 303])
def test_a_file_that_is_being_replaced_is_opened_when_it_is_there(code: int, tmp_path: Path) -> None:
    waited: list[float] = []
    (tmp_path / "x").write_bytes(b"here")
    path: Any = _BeingReplaced(tmp_path / "x", code, 3)

    with Mover(waited.append).open(path) as file:
        assert file.read() == b"here"

    assert len(waited) == 3
