"""What Windows says of a file that may not be touched, and what the Restart Manager knows of its holders."""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, Any

import pytest
from held_file import ALONE, READERS, OtherProgram

from repo_manager.adapters.filesystem.files_in_use import FileUse, Holder, examine, holders_of

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("share", [ALONE, READERS])
def test_a_file_that_another_program_has_open_is_held(share: int, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x")
    assert examine(path).grip is FileUse.FREE
    with OtherProgram(path, share) as program:
        examined = examine(path)
        assert examined.grip is FileUse.HELD
        assert {holder.process for holder in examined.holders} <= {program.process}
    assert examine(path).grip is FileUse.FREE


def test_a_folder_is_free_and_what_is_gone_is_unknown(tmp_path: Path) -> None:
    assert examine(tmp_path).grip is FileUse.FREE
    assert examine(tmp_path / "gone").grip is FileUse.UNKNOWN


class Manager:
    """The Restart Manager, with what it knows; its record has 668 bytes, the name at 12, the service's at 524.

    Evidence: RM_PROCESS_INFO on Microsoft Learn, CCH_RM_MAX_APP_NAME 255, CCH_RM_MAX_SVC_NAME 63.
    """

    def __init__(self, *known: tuple[int, str, str], answers: tuple[int, int, int] = (0, 0, 0)) -> None:
        self._known = known
        self._start, self._register, self._list = answers
        self.ended = 0
        self.asked_for = ""

    def RmStartSession(self, _session: object, _flags: int, _key: object) -> int:  # noqa: N802 - its name
        return self._start

    def RmRegisterResources(self, _session: object, count: int, files: Any, *_: object) -> int:  # noqa: N802, ANN401 - same
        assert count == 1
        self.asked_for = files[0]
        return self._register

    def RmGetList(self, _session: object, needed: Any, count: Any, found: Any, _reasons: object) -> int:  # noqa: N802, ANN401 - same
        needed._obj.value = len(self._known)
        if self._list:
            return self._list
        room = count._obj.value
        assert ctypes.sizeof(found) == room * 668
        for number, (process, application, service) in enumerate(self._known):
            at = ctypes.addressof(found) + number * 668
            ctypes.c_uint32.from_address(at).value = process
            for offset, text in ((12, application), (524, service)):
                ctypes.memmove(at + offset, ctypes.create_unicode_buffer(text), 2 * len(text) + 2)
        count._obj.value = min(room, len(self._known))
        return 0

    def RmEndSession(self, _session: object) -> int:  # noqa: N802 - same
        self.ended += 1
        return 0


def test_holders_are_named_by_their_program_and_process(tmp_path: Path) -> None:
    manager = Manager((4711, "Notepad", ""), (12, "", "BackupSvc"))
    assert holders_of(tmp_path / "file", manager) == (Holder("Notepad", 4711), Holder("BackupSvc", 12))
    assert manager.asked_for == str(tmp_path / "file")
    assert manager.ended == 1


@pytest.mark.parametrize(
    ("answers", "ended", "reason"),
    [
        ((121, 0, 0), 0, "no session"),
        ((0, 29, 0), 1, "the file cannot be named"),
        ((0, 0, 5), 1, "no leave to look"),
        ((0, 0, 234), 1, "more than there is room for"),
    ],
)
def test_a_manager_that_does_not_say_names_nobody(
    answers: tuple[int, int, int], ended: int, reason: str, tmp_path: Path
) -> None:
    manager = Manager((1, "a", ""), answers=answers)
    assert holders_of(tmp_path / "file", manager) == (), reason
    assert manager.ended == ended, reason
