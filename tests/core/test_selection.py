from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from simulator import REAL, SMALL, TOKENS, listing_of, name_of

from repo_manager.core.errors import InputError
from repo_manager.core.names import Release, Token
from repo_manager.core.selection import Request, choose_release, select

if TYPE_CHECKING:
    from repo_manager.core import catalog

WINDOWS, RHEL9, RHEL8, OL6, UBUNTU = TOKENS


@pytest.mark.parametrize(
    ("wanted", "present", "release"),
    [
        pytest.param("auto", [], "9.66", id="auto, empty folder: the newest there is"),
        pytest.param("auto", [name_of(OL6, "9.64"), name_of(RHEL9, "9.65")], "9.65", id="auto: the newest present"),
        pytest.param("auto", [name_of(RHEL9, "9.64"), name_of("RHEL99-64", "9.66")], "9.64", id="auto: unknown apart"),
        pytest.param("latest", [name_of(OL6, "9.64")], "9.66", id="latest whatever is present"),
        pytest.param(" LATEST ", [], "9.66", id="a word in any case"),
        pytest.param("9.64", [name_of(OL6, "9.66")], "9.64", id="by number"),
        pytest.param("9.63", [], "9.63", id="published without links"),
    ],
)
def test_the_release_that_is_wanted(wanted: str, present: list[str], release: str) -> None:
    assert choose_release(wanted, listing_of(*present), SMALL) == Release.parse(release)


def test_without_a_repository_auto_is_the_newest_there_is() -> None:
    assert choose_release("auto", None, SMALL) == Release(9, 66)


@pytest.mark.parametrize(("wanted", "code"), [("9.99", "unknown-release"), ("newest", "not-a-release")])
def test_a_release_nobody_published_is_refused(wanted: str, code: str) -> None:
    with pytest.raises(InputError) as caught:
        choose_release(wanted, None, SMALL)
    assert caught.value.code == code
    assert caught.value.hint


def test_the_refusal_names_the_releases_that_have_links() -> None:
    with pytest.raises(InputError) as caught:
        choose_release("9.99", None, SMALL)
    assert caught.value.hint == "choose one the catalog has links for (9.64, 9.65, 9.66), or latest, or auto"


@pytest.mark.parametrize(
    ("request_", "tokens", "limited"),
    [
        pytest.param(Request(), (WINDOWS, RHEL9, RHEL8, OL6), False, id="classic leaves out modernized alone"),
        pytest.param(Request(classic=False), TOKENS, False, id="the appliance has all"),
        pytest.param(Request(packages=("all",)), TOKENS, False, id="all is all"),
        pytest.param(Request(packages=(RHEL9, " ALL ")), TOKENS, False, id="all beats one"),
        pytest.param(Request(packages=("ol6-64", "windows")), (WINDOWS, OL6), True, id="named, in catalog order"),
        pytest.param(Request(packages=(UBUNTU,)), (UBUNTU,), True, id="named though modernized alone"),
        pytest.param(Request(require=(RHEL8,)), (RHEL8,), False, id="the configuration's list is the whole wish"),
        pytest.param(Request(require=("all",)), TOKENS, False, id="the configuration may say all"),
        pytest.param(Request(packages=(OL6,), require=(RHEL8,)), (OL6,), True, id="the operator beats the list"),
        pytest.param(Request(manual_only=True), (RHEL9, RHEL8), True, id="only what is placed by hand"),
        pytest.param(Request(release="9.64", manual_only=True), (RHEL8,), True, id="by hand since a later release"),
        pytest.param(Request(release="9.63"), (WINDOWS, RHEL9, RHEL8), False, id="no links: what existed by then"),
        pytest.param(Request(release="9.63", packages=(OL6,)), (OL6,), True, id="named counts though not yet there"),
    ],
)
def test_the_packages_that_are_wanted(request_: Request, tokens: tuple[Token, ...], limited: bool) -> None:  # noqa: FBT001 - a row
    wanted = select(request_, listing_of(), SMALL)
    assert wanted.tokens == tokens
    assert wanted.limited is limited


def test_a_target_is_the_catalogs_link() -> None:
    wanted = select(Request(), listing_of(), SMALL)
    target = wanted.targets[RHEL9]
    assert target.name.text == name_of(RHEL9)
    assert target.sources == (f"https://download.example/9.66/{name_of(RHEL9)}",)
    assert (target.sha256, target.size_bytes) == (None, None)
    assert wanted.unavailable == ()


def test_packages_without_a_link_are_wanted_and_unavailable() -> None:
    wanted = select(Request(release="9.63"), None, SMALL)
    assert wanted.unavailable == wanted.tokens
    assert not wanted.targets


def test_an_unknown_package_is_refused_and_the_nearest_named() -> None:
    with pytest.raises(InputError) as caught:
        select(Request(packages=("RHEL99-64",)), None, SMALL)
    assert caught.value.code == "unknown-package"
    assert caught.value.hint == "did you mean RHEL9-64?"


@pytest.mark.parametrize("facts", REAL.releases, ids=lambda facts: str(facts.release))
def test_every_release_of_the_real_catalog_can_be_wanted(facts: catalog.ReleaseFacts) -> None:
    wanted = select(Request(release=str(facts.release), classic=False), None, REAL)
    assert wanted.release == facts.release
    assert set(wanted.targets) == set(facts.links)
