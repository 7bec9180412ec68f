"""Whose a file of Windows is and who may change it: the decision on values, on any system."""

from __future__ import annotations

import struct

import pytest

from repo_manager.adapters.windows.guarding import AccessEntry, Descriptor, judge, own_entries, parse

SYSTEM, ADMINISTRATORS, USERS, EVERYONE = "S-1-5-18", "S-1-5-32-544", "S-1-5-32-545", "S-1-1-0"
INSTALLER = "S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464"
ME, OTHER, CREATOR, OWNER = "S-1-5-21-1-2-3-1001", "S-1-5-21-1-2-3-1002", "S-1-3-0", "S-1-3-4"
FULL, READ, MODIFY = 0x1F01FF, 0x1200A9, 0x1301BF
# `(A;CI;DCLCRPCR;;;BU)` of %ProgramData%: create files and folders, write attributes.
CREATE = 0x116
CLOSED = (AccessEntry(SYSTEM, FULL), AccessEntry(ADMINISTRATORS, FULL), AccessEntry(USERS, READ))


@pytest.mark.parametrize(
    ("owner", "entries", "folder", "wrong"),
    [
        pytest.param(ADMINISTRATORS, CLOSED, False, None, id="a file of the administrators"),
        pytest.param(SYSTEM, CLOSED, True, None, id="a folder of SYSTEM"),
        pytest.param(ME, (AccessEntry(ME, FULL), *CLOSED), False, None, id="my own file"),
        pytest.param(INSTALLER, (AccessEntry(INSTALLER, FULL), *CLOSED), True, None, id="a folder of Windows"),
        pytest.param(ADMINISTRATORS, (), False, None, id="a list that allows nothing"),
        pytest.param(ME, (*CLOSED, AccessEntry(OWNER, FULL)), False, None, id="rights of the owner"),
        pytest.param(
            SYSTEM,
            (*CLOSED, AccessEntry(CREATOR, 0x10000000, own=False), AccessEntry(USERS, CREATE)),
            True,
            None,
            id="as %ProgramData%: others create there, and own what they create",
        ),
        pytest.param(OTHER, CLOSED, False, "belongs to", id="a file of another user"),
        pytest.param(OTHER, CLOSED, True, "belongs to", id="a planted folder"),
        pytest.param(ADMINISTRATORS, None, False, "no access control list", id="everyone may do everything"),
        pytest.param(
            ADMINISTRATORS, (*CLOSED, AccessEntry(USERS, MODIFY)), False, "by Users", id="others may change it"
        ),
        pytest.param(ADMINISTRATORS, (*CLOSED, AccessEntry(OTHER, 0x2)), False, OTHER, id="one other may write"),
        pytest.param(ADMINISTRATORS, (*CLOSED, AccessEntry(OTHER, 0x4)), False, OTHER, id="one other may append"),
        pytest.param(
            ADMINISTRATORS, (*CLOSED, AccessEntry(EVERYONE, 0x40)), True, "by Everyone", id="delete what is in it"
        ),
        pytest.param(ADMINISTRATORS, (*CLOSED, AccessEntry(USERS, 0x10000)), True, "by Users", id="rename the folder"),
        pytest.param(ADMINISTRATORS, (*CLOSED, AccessEntry(USERS, 0x40000)), True, "by Users", id="change its rights"),
        pytest.param(ADMINISTRATORS, (*CLOSED, AccessEntry(USERS, 0x80000)), False, "by Users", id="become its owner"),
        pytest.param(ADMINISTRATORS, (*CLOSED, AccessEntry(USERS, 0x10000000)), True, "by Users", id="generic all"),
        pytest.param(ADMINISTRATORS, (*CLOSED, AccessEntry(USERS, 0x40000000)), False, "by Users", id="generic write"),
        pytest.param(
            ADMINISTRATORS, (*CLOSED, AccessEntry(USERS, MODIFY, own=False)), True, None, id="for its children"
        ),
    ],
)
def test_owner_and_entries_decide(
    owner: str,
    entries: tuple[AccessEntry, ...] | None,
    folder: bool,  # noqa: FBT001 - a row
    wrong: str | None,
) -> None:
    found = judge(Descriptor(owner, entries), ME, folder=folder)

    assert (found is None) if wrong is None else (found is not None and wrong in found)


def _sid(text: str) -> bytes:
    _, revision, authority, *rest = text.split("-")
    head = bytes([int(revision), len(rest)]) + int(authority).to_bytes(6, "big")
    return head + struct.pack(f"<{len(rest)}I", *map(int, rest))


def _ace(kind: int, flags: int, rights: int, who: str) -> bytes:
    body = struct.pack("<I", rights) + _sid(who)
    return struct.pack("<BBH", kind, flags, 4 + len(body)) + body


def _descriptor(owner: str, aces: tuple[bytes, ...] | None, *, protected: bool = False) -> bytes:
    """Self-relative, as GetFileSecurityW gives it."""
    who = _sid(owner)
    control = 0x8000 | (0 if aces is None else 0x4) | (0x1000 if protected else 0)
    at = 0 if aces is None else 20 + len(who)
    body = b"".join(aces or ())
    acl = b"" if aces is None else struct.pack("<BBHHH", 2, 0, 8 + len(body), len(aces), 0) + body
    return struct.pack("<BBHIIII", 1, 0, control, 20, 0, 0, at) + who + acl


def test_a_descriptor_is_read_from_its_bytes() -> None:
    aces = (
        _ace(0, 0x3, FULL, SYSTEM),
        _ace(1, 0, FULL, EVERYONE),
        _ace(0, 0xB, FULL, CREATOR),
        _ace(9, 0, READ, OTHER) + b"artx",
    )

    found = parse(_descriptor(INSTALLER, aces))

    assert found.owner == INSTALLER
    assert found.entries == (AccessEntry(SYSTEM, FULL), AccessEntry(CREATOR, FULL, own=False), AccessEntry(OTHER, READ))


def test_no_list_lets_everyone_in_and_an_empty_one_lets_none_in() -> None:
    assert parse(_descriptor(SYSTEM, None)).entries is None
    assert parse(_descriptor(SYSTEM, ())).entries == ()


@pytest.mark.parametrize("length", range(0, 60, 7))
def test_half_a_descriptor_is_none(length: int) -> None:
    data = _descriptor(SYSTEM, (_ace(0, 0, FULL, SYSTEM),))
    with pytest.raises(ValueError, match="descriptor"):
        parse(data[: min(length, len(data) - 1)])


def _list(*aces: bytes) -> bytes:
    body = b"".join(aces)
    return struct.pack("<BBHHH", 2, 0, 8 + len(body), len(aces), 0) + body


def test_a_file_that_moves_leaves_what_it_has_inherited_and_keeps_what_was_given_to_it() -> None:
    given, denied = _ace(0, 0, READ, OTHER), _ace(1, 0, MODIFY, EVERYONE)
    inherited = (_ace(0, 0x10, FULL, SYSTEM), _ace(0, 0x10, READ, USERS))

    assert own_entries(_descriptor(SYSTEM, (denied, *inherited, given))) == _list(denied, given)
    assert own_entries(_descriptor(SYSTEM, inherited)) == _list()
    assert own_entries(_descriptor(SYSTEM, None)) == _list()


def test_a_file_that_is_to_inherit_nothing_keeps_its_list() -> None:
    assert own_entries(_descriptor(SYSTEM, (_ace(0, 0, FULL, SYSTEM),), protected=True)) is None


@pytest.mark.parametrize("length", [0, 19, 25, 45, 58])
def test_half_a_list_is_handed_on_to_no_file(length: int) -> None:
    data = _descriptor(SYSTEM, (_ace(0, 0, FULL, SYSTEM), _ace(0, 0, READ, USERS)))
    with pytest.raises(ValueError, match="descriptor"):
        own_entries(data[:length])
