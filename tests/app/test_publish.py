"""What is chosen to be published, and what is refused before anything is sent."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from simulator import name_of
from small_world import data_of

from repo_manager.adapters.tuf.publisher import InstallerToPublish
from repo_manager.adapters.tuf.signed_set import SetMember
from repo_manager.app import publish
from repo_manager.app.publish import PublishRequest
from repo_manager.core import names, repository
from repo_manager.core.audit.findings import Code, FileVerdict
from repo_manager.core.errors import InputError, MachineError, VerificationError
from repo_manager.core.names import Release, Token
from repo_manager.core.repository import FolderEntry

if TYPE_CHECKING:
    from repo_manager.core.repository import Listing

ALL = frozenset(map(Token, ("Windows", "RHEL9-64", "OL8-64")))
BROKEN = FileVerdict(Code.CORRUPT, "is cut off")


def _again(*more: str) -> str:
    return f"again with {' '.join(more)}"


def _listing(*installers: tuple[str, str]) -> Listing:
    return repository.survey("here", [FolderEntry(name_of(*each), len(data_of(name_of(*each)))) for each in installers])


@pytest.mark.parametrize(
    ("there", "broken", "wish", "expected"),
    [
        pytest.param(
            [("Windows", "9.65"), ("Windows", "9.66")],
            [],
            PublishRequest(ALL),
            [("Windows", "9.66")],
            id="the newest of two",
        ),
        pytest.param(
            [("Windows", "9.65"), ("Windows", "9.66")],
            [("Windows", "9.65")],
            PublishRequest(ALL),
            [("Windows", "9.66")],
            id="the newest is whole, whatever an older one is",
        ),
        pytest.param(
            [("Windows", "9.65"), ("Windows", "9.66")],
            [("Windows", "9.66")],
            PublishRequest(ALL, release=Release(9, 65)),
            [("Windows", "9.65")],
            id="the release that was named, and the newer one is broken",
        ),
        pytest.param(
            [("Windows", "9.65"), ("Windows", "9.66")],
            [],
            PublishRequest(ALL, release=Release(9, 65)),
            [("Windows", "9.65")],
            id="the release that was named",
        ),
        pytest.param(
            [("Windows", "9.66"), ("OL8-64", "9.65")],
            [],
            PublishRequest(ALL),
            [("OL8-64", "9.65"), ("Windows", "9.66")],
            id="what is kept of an older release",
        ),
        pytest.param(
            [("Windows", "9.66"), ("OL8-64", "9.66")],
            [],
            PublishRequest(frozenset({Token("OL8-64")})),
            [("OL8-64", "9.66")],
            id="of some packages alone",
        ),
    ],
)
def test_the_newest_installer_of_every_package_is_chosen(
    there: list[tuple[str, str]], broken: list[tuple[str, str]], wish: PublishRequest, expected: list[tuple[str, str]]
) -> None:
    verdicts = {name_of(*each): BROKEN for each in broken}

    chosen = publish.choose(_listing(*there), wish, verdicts)

    assert [file.name for file in chosen.files] == [name_of(*each) for each in expected]


def test_expected_packages_that_are_not_there_are_named(tmp_path: Path) -> None:
    wish = PublishRequest(ALL, expected=(Token("RHEL9-64"), Token("Windows")))

    assert publish.choose(_listing(("Windows", "9.66")), wish, {}).missing == ("RHEL9-64",)


@pytest.mark.parametrize(
    "older",
    [
        pytest.param((), id="there is no other"),
        pytest.param((("Windows", "9.65"),), id="an older one is whole, and all who follow would go back to it"),
    ],
)
def test_a_package_whose_newest_file_is_broken_is_refused(older: tuple[tuple[str, str], ...]) -> None:
    name = name_of("Windows", "9.66")

    with pytest.raises(VerificationError, match=name) as failure:
        publish.choose(_listing(("Windows", "9.66"), ("OL8-64", "9.66"), *older), PublishRequest(ALL), {name: BROKEN})

    assert failure.value.code == "would-publish-corrupt"
    assert "is cut off" in failure.value.message
    assert ("older" in failure.value.message) == bool(older)


@pytest.mark.parametrize("older", [(), (("Windows", "9.65"),)])
def test_a_file_that_cannot_be_read_now_is_not_called_broken(older: tuple[tuple[str, str], ...]) -> None:
    name = name_of("Windows", "9.66")
    held = FileVerdict(Code.CORRUPT, "cannot be read: Permission denied", read=False)

    with pytest.raises(MachineError, match=name) as failure:
        publish.choose(_listing(("Windows", "9.66"), *older), PublishRequest(ALL), {name: held})

    assert (failure.value.code, failure.value.exit_code) == ("cannot-be-read", 3)
    assert "cannot be read: Permission denied" in failure.value.message


def test_an_empty_file_is_broken_whoever_looked() -> None:
    listing = repository.survey("here", [FolderEntry(name_of("Windows"), 0)])

    with pytest.raises(VerificationError):
        publish.choose(listing, PublishRequest(ALL), {})


@pytest.mark.parametrize(
    ("wish", "code"),
    [
        pytest.param(PublishRequest(frozenset()), "nothing-to-publish", id="no package at all"),
        pytest.param(
            PublishRequest(ALL, release=Release(9, 64)), "nothing-to-publish", id="a release that is not there"
        ),
        pytest.param(PublishRequest(ALL, asked=(Token("OL8-64"),)), "not-in-repository", id="a package that was named"),
    ],
)
def test_nothing_is_refused_before_anything_is_sent(wish: PublishRequest, code: str) -> None:
    with pytest.raises(InputError) as failure:
        publish.choose(_listing(("Windows", "9.66")), wish, {})

    assert failure.value.code == code


@pytest.mark.parametrize(
    ("before", "after", "named", "refused"),
    [
        pytest.param(0, 1, (), None, id="a first set"),
        pytest.param(4, 4, (), None, id="the same"),
        pytest.param(4, 3, (), "would-drop-packages", id="one less"),
        pytest.param(4, 3, (3,), None, id="one less, which was named"),
        pytest.param(4, 3, (0,), "would-drop-packages", id="one less, and another was named"),
        pytest.param(4, 2, (), "would-drop-packages", id="half of them"),
        pytest.param(4, 2, (2,), "would-drop-packages", id="half of them, one was named"),
        pytest.param(4, 1, (), "would-empty-set", id="most of them"),
        pytest.param(4, 1, (1, 2), "would-drop-packages", id="most of them, all but one were named"),
        pytest.param(4, 1, (1, 2, 3), None, id="most of them, all were named"),
        pytest.param(2, 1, (), "would-drop-packages", id="one of two"),
        pytest.param(2, 0, (), "would-empty-set", id="both"),
    ],
)
def test_a_set_loses_no_package_that_was_not_named(
    before: int, after: int, named: tuple[int, ...], refused: str | None
) -> None:
    tokens = ("Windows", "RHEL9-64", "OL8-64", "UBUNTU-22.04-64")
    members = tuple(SetMember(names.parse(name_of(token)), "0" * 64, 1) for token in tokens)
    items = tuple(InstallerToPublish(member, Path(member.name.text)) for member in members[:after])
    drop = tuple(tokens[index].lower() for index in named)
    lost = [token for token in tokens[after:before] if token.lower() not in drop]

    if refused:
        with pytest.raises(InputError) as failure:
            publish.guard(members[:before], items, "there", drop, _again)
        assert failure.value.code == refused
        assert all(token in failure.value.message for token in lost)
        assert failure.value.hint.endswith(f"again with {' '.join(f'--drop {token}' for token in lost)}")
    else:
        going = publish.guard(members[:before], items, "there", drop, _again)
        assert going == tokens[after:before]


@pytest.mark.parametrize(
    ("before", "after", "refused"),
    [
        pytest.param("9.66", "9.66", False, id="the same"),
        pytest.param("9.65", "9.66", False, id="newer"),
        pytest.param("9.66", "9.65", True, id="older"),
        pytest.param("9.66", None, False, id="no more of that package, which is another matter"),
    ],
)
def test_a_set_in_which_one_package_would_go_back_is_refused(before: str, after: str | None, *, refused: bool) -> None:
    def item(token: str, release: str) -> InstallerToPublish:
        return InstallerToPublish(SetMember(names.parse(name_of(token, release)), "0" * 64, 1), Path(token))

    current = (item("Windows", before).member, item("OL8-64", "9.65").member)
    items = (*([item("Windows", after)] if after else []), item("OL8-64", "9.66"))

    if refused:
        with pytest.raises(InputError) as failure:
            publish.guard_versions(current, items, "there")
        assert failure.value.code == "would-publish-older"
        assert all(word in failure.value.message for word in ("Windows", "9.66", "9.65", "there"))
        assert name_of("Windows", "9.66") in failure.value.hint
    else:
        publish.guard_versions(current, items, "there")
