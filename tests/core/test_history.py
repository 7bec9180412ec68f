"""What past transactions did to each name, and which of it may be undone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repo_manager.core import history
from repo_manager.core.history import Undoability
from repo_manager.core.plan import retired, staged
from repo_manager.core.transaction import Journal, Move

if TYPE_CHECKING:
    from collections.abc import Mapping

    from repo_manager.core.history import PastTransaction

UNDOABLE, UNDONE, CHANGED = Undoability.UNDOABLE, Undoability.UNDONE, Undoability.CHANGED


class Repository:
    """Transactions on files whose only content is the transaction that brought them, undone as their paths say."""

    def __init__(self, *, records_undoes: bool = True) -> None:
        self.folder: dict[str, str] = {}
        self.kept: dict[str, str] = {}
        self.journals: list[Journal] = []
        self._records_undoes = records_undoes

    @property
    def next(self) -> str:
        return f"T{len(self.journals) + 1:02}"

    def change(self, *names: str, gone: tuple[str, ...] = ()) -> str:
        """Place new files under these names, and retire what had them and what is in `gone`."""
        identity = self.next
        moves = [self._out(identity, name) for name in tuple(self.folder) if name in {*names, *gone}]
        for name in names:
            self.folder[name] = identity
            moves.append(Move(staged(name), f"../{name}", 1))
        self.journals.append(Journal(identity, "sync", tuple(moves)))
        return identity

    def restore(self, wanted: str) -> str:
        """Undo what may be undone of a transaction."""
        identity = self.next
        changes = self.entry(wanted).undoable
        assert changes
        moves = [self._out(identity, version.name) for change in changes for version in change.came]
        for change in changes:
            for version in change.went:
                self.folder[version.name] = self.kept.pop(version.path)
                moves.append(Move(version.path, f"../{version.name}", 1))
        undoes = wanted if self._records_undoes else ""
        self.journals.append(Journal(identity, "restore", tuple(moves), undoes=undoes))
        return identity

    def _out(self, identity: str, name: str) -> Move:
        self.kept[retired(identity, name)] = self.folder.pop(name)
        return Move(f"../{name}", retired(identity, name), 1)

    def entries(self) -> tuple[PastTransaction, ...]:
        return history.read(self.journals)

    def entry(self, identity: str) -> PastTransaction:
        return next(entry for entry in self.entries() if entry.identity == identity)

    def states(self) -> Mapping[str, list[Undoability]]:
        return {entry.identity: [change.state for change in entry.changes] for entry in reversed(self.entries())}

    def last(self) -> str:
        found = history.last_to_undo(self.entries())
        return found.identity if found else ""


@pytest.fixture(params=[True, False], ids=["recorded", "derived, as of version 0.1"])
def there(request: pytest.FixtureRequest) -> Repository:
    return Repository(records_undoes=request.param)


def test_stepping_back_undoes_one_transaction_after_the_other(there: Repository) -> None:
    one = there.change("v1")
    two = there.change("v2", gone=("v1",))
    three = there.change("v3", gone=("v2",))
    for wanted, folder in ((three, {"v2": two}), (two, {"v1": one}), (one, {})):
        assert there.last() == wanted
        there.restore("T01" if wanted == one else wanted)
        assert there.folder == folder
    assert there.last() == ""
    assert [entry.undone_by for entry in reversed(there.entries())] == ["T06", "T05", "T04", "", "", ""]


def test_what_was_undone_is_not_undone_again_whatever_came_since(there: Repository) -> None:
    first = there.change("a", "b")
    back = there.restore(first)
    there.change("a", "b")
    assert there.entry(first).undone_by == back
    assert there.entry(first).undoable == ()
    assert there.entry(back).undoable == ()
    assert there.last() == "T03"


def test_undoing_a_restore_applies_the_first_transaction_again_and_it_can_be_undone_again(there: Repository) -> None:
    first = there.change("old")
    second = there.change("new", gone=("old",))
    back = there.restore(second)
    again = there.restore(back)
    assert there.folder == {"new": second}
    assert there.entry(back).undone_by == again
    assert there.entry(second).undone_by == ""
    assert there.last() == second
    # The old file waits where the redoing has put it.
    assert [version.path for version in there.entry(second).retired] == [retired(again, "old")]
    there.restore(second)
    assert there.folder == {"old": first}
    there.restore(first)
    assert there.folder == {}


def test_undoing_goes_back_and_forth_as_often_as_wanted() -> None:
    there = Repository()
    there.change("a")
    wanted = there.change("b", gone=("a",))
    for _ in range(5):
        assert there.folder == {"b": "T02"}
        wanted = there.restore(wanted)
        assert there.folder == {"a": "T01"}
        wanted = there.restore(wanted)


def test_a_name_that_changed_since_stands_for_itself(there: Repository) -> None:
    first = there.change("a", "b", "c")
    second = there.change("b", gone=("c",))
    assert there.states() == {first: [UNDOABLE, CHANGED, CHANGED], second: [UNDOABLE, UNDOABLE]}
    assert [change.by for change in there.entry(first).changes] == ["", second, second]
    back = there.restore(first)
    assert there.folder == {"b": second}
    assert [change.state for change in there.entry(first).changes] == [UNDONE, CHANGED, CHANGED]
    assert there.entry(first).undone_by == "", "not all of it is undone"
    assert there.entry(back).undoes == first
    there.restore(second)
    assert there.folder == {"b": first, "c": first}
    assert [change.state for change in there.entry(first).changes] == [UNDONE, UNDOABLE, UNDOABLE]
    there.restore(first)
    assert there.folder == {}
    assert there.entry(first).undone_by == "T05"


def test_a_restore_that_went_further_back_leaves_the_first_one_changed() -> None:
    there = Repository()
    first = there.change("f")
    second = there.change("f")
    back = there.restore(second)
    further = there.restore(first)
    assert there.states() == {first: [UNDONE], second: [UNDONE], back: [CHANGED], further: [UNDOABLE]}
    assert there.entry(back).changes[0].by == further


def test_names_are_compared_without_regard_to_case() -> None:
    journals = [
        Journal("T01", "sync", (Move(staged("File"), "../File", 1),)),
        Journal("T02", "sync", (Move("../FILE", retired("T02", "FILE"), 1), Move(staged("file"), "../file", 1))),
    ]
    second, first = history.read(journals)
    assert [change.state for change in first.changes] == [CHANGED]
    assert [change.state for change in second.changes] == [UNDOABLE]


def test_a_restore_of_which_it_is_not_known_what_it_undid_is_a_change_like_others() -> None:
    moves = (Move(retired("T01", "a"), "../a", 1), Move(retired("T02", "b"), "../b", 1))
    journals = [
        Journal("T01", "sync", (Move("../a", retired("T01", "a"), 1),)),
        Journal("T02", "sync", (Move("../b", retired("T02", "b"), 1),)),
        Journal("T03", "restore", moves),
    ]
    assert [entry.undoes for entry in history.read(journals)] == ["", "", ""]
    assert [change.state for change in history.read(journals)[-1].changes] == [CHANGED]


def test_a_restore_that_left_a_file_behind_did_not_undo_its_name() -> None:
    """Version 0.1 retired the new file where the one that it had replaced was gone."""
    journals = [
        Journal("T01", "sync", (Move("../f", retired("T01", "f"), 1), Move(staged("f"), "../f", 2))),
        Journal("T02", "restore", (Move("../f", retired("T02", "f"), 2),), undoes="T01"),
    ]
    assert [change.state for entry in history.read(journals) for change in entry.changes] == [UNDOABLE, CHANGED]


def test_when_a_transaction_began_is_read_from_its_identity() -> None:
    assert history.time_of("20260102T030405Z-0000") == "2026-01-02 03:04:05 UTC"
    assert history.time_of("T1") == "T1"


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("change"), st.sets(st.sampled_from("abc"), min_size=1), st.sets(st.sampled_from("abc"))),
        st.tuples(st.just("restore"), st.integers(0, 20), st.just(frozenset[str]())),
    ),
    max_size=14,
)


@given(STEPS)
def test_undoing_gives_each_name_what_it_had_before_the_transaction(steps: list[tuple[str, object, set[str]]]) -> None:
    there = Repository()
    before: dict[str, dict[str, str]] = {}
    for what, value, gone in steps:
        was = dict(there.folder)
        if what == "change":
            assert isinstance(value, set | frozenset)
            before[there.change(*sorted(value), gone=tuple(sorted(gone)))] = was
            continue
        assert isinstance(value, int)
        possible = [entry for entry in there.entries() if entry.undoable]
        if not possible:
            continue
        wanted = possible[value % len(possible)]
        names = {version.name for change in wanted.undoable for version in (*change.came, *change.went)}
        before[there.restore(wanted.identity)] = was
        for name in "abc":
            expected = before[wanted.identity] if name in names else was
            assert there.folder.get(name) == expected.get(name)
        for entry in there.entries():
            assert not (entry.undone_by and entry.undoable)
