"""The file of tokens."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import pytest
from fleet_world import NOW

from repo_manager.core.errors import InputError, MachineError
from repo_manager.core.fleet import Host
from repo_manager.web import tokens
from repo_manager.web.tokens import BearerRole, Tokens

if TYPE_CHECKING:
    from pathlib import Path

SECRET = tokens.new_secret(b"s" * 32)


def test_a_token_is_known_again_and_its_text_is_not_kept(tmp_path: Path) -> None:
    made = Tokens().with_one("ps-01", BearerRole.REPORT, SECRET, NOW, ("PS-01",))
    tokens.save(tmp_path / "t.json", made)
    assert SECRET not in (tmp_path / "t.json").read_text()
    assert SECRET.removeprefix("rmt_") not in (tmp_path / "t.json").read_text()
    known = tokens.load(tmp_path / "t.json")
    assert known == made
    found = known.bearer(SECRET)
    assert found is not None
    assert found.name == "ps-01"


@pytest.mark.parametrize("secret", ["", "x", SECRET[:-1], SECRET + "0", SECRET.upper(), "\udc80", "rmt_" + "0" * 64])
def test_nothing_else_is_that_token(secret: str) -> None:
    assert Tokens().with_one("a", BearerRole.READ, SECRET, NOW).bearer(secret) is None


def test_two_tokens_are_not_mixed_up() -> None:
    other = tokens.new_secret(b"o" * 32)
    both = Tokens().with_one("a", BearerRole.READ, SECRET, NOW).with_one("b", BearerRole.REPORT, other, NOW)
    assert [found.name for found in (both.bearer(SECRET), both.bearer(other)) if found] == ["a", "b"]


@pytest.mark.parametrize(
    ("role", "hosts", "host", "expected"),
    [
        (BearerRole.READ, (), "a", False),
        (BearerRole.REPORT, (), "a", True),
        (BearerRole.REPORT, ("a", "b"), "b", True),
        (BearerRole.REPORT, ("a",), "aa", False),
    ],
)
def test_a_token_reports_for_its_own_servers(
    role: BearerRole, hosts: tuple[str, ...], host: str, *, expected: bool
) -> None:
    (token,) = Tokens().with_one("t", role, SECRET, NOW, hosts).tokens
    assert token.may_report(Host(host)) is expected


@pytest.mark.parametrize(
    ("name", "role", "hosts", "code"),
    [
        ("", BearerRole.READ, (), "bad-token-name"),
        ("a b", BearerRole.READ, (), "bad-token-name"),
        ("-x", BearerRole.READ, (), "bad-token-name"),
        ("a" * 65, BearerRole.READ, (), "bad-token-name"),
        ("taken", BearerRole.READ, (), "token-exists"),
        ("x", BearerRole.READ, ("a",), "usage"),
        ("x", BearerRole.REPORT, ("a/b",), "bad-host"),
    ],
)
def test_a_bad_wish_makes_no_token(name: str, role: BearerRole, hosts: tuple[str, ...], code: str) -> None:
    before = Tokens().with_one("taken", BearerRole.READ, SECRET, NOW)
    with pytest.raises(InputError) as caught:
        before.with_one(name, role, SECRET, NOW, hosts)
    assert caught.value.code == code


def test_what_is_not_there_cannot_be_removed() -> None:
    with pytest.raises(InputError) as caught:
        Tokens().without("x")
    assert caught.value.code == "no-such-token"


def _good() -> dict[str, object]:
    return {"name": "a", "role": "read", "sha256": "a" * 64, "made": "2026-01-01T00:00:00Z", "servers": []}


@pytest.mark.parametrize(
    "items",
    [
        [{**_good(), "role": "admin"}],
        [{**_good(), "sha256": "a"}],
        [{**_good(), "sha256": None}],
        [{**_good(), "name": 5}],
        [{**_good(), "made": "soon"}],
        [{**_good(), "servers": ["a/b"]}],
        [{**_good(), "servers": None}],
        [_good(), _good()],
        [{}],
        5,
    ],
)
def test_a_damaged_file_is_refused(tmp_path: Path, items: object) -> None:
    path = tmp_path / "t.json"
    path.write_text(json.dumps({"schema": tokens.SCHEMA, "tokens": items}))
    with pytest.raises(InputError) as caught:
        tokens.load(path)
    assert caught.value.code == "bad-tokens"


def test_a_file_that_is_not_there_or_no_file_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "absent", tmp_path):
        with pytest.raises(InputError) as caught:
            tokens.load(path)
        assert caught.value.code == "no-tokens"
    assert tokens.load(tmp_path / "absent", absent_is_empty=True) == Tokens()
    with pytest.raises(MachineError):
        tokens.save(tmp_path / "no" / "folder", Tokens())


@pytest.mark.skipif(sys.platform == "win32", reason="rights are those of the folder there")
def test_the_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    tokens.save(tmp_path / "t.json", Tokens())
    assert (tmp_path / "t.json").stat().st_mode & 0o777 == 0o600
