from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from simulator import REAL, SMALL, SMALL_CATALOG_TEXT, TOKENS, listing_of, name_of

from repo_manager.core import catalog
from repo_manager.core.catalog import ReleaseStatus
from repo_manager.core.errors import InputError
from repo_manager.core.names import Release, Token
from repo_manager.core.selection import Request
from repo_manager.core.upgrade import (
    Advice,
    ServerPosition,
    StartingPoint,
    UpgradePart,
    advise,
    choose_target,
    named,
    of_fleet,
    stand,
    standpoint,
)

WINDOWS, RHEL9, RHEL8, OL6, UBUNTU = TOKENS
VULNERABLE, WITHDRAWN = ReleaseStatus.VULNERABLE, ReleaseStatus.WITHDRAWN


def release(text: str) -> Release:
    return Release.parse(text)


def advice(
    agents: str, target: str = "latest", *, servers: str | None = None, classic: bool = True, package: str = "RHEL7-64"
) -> Advice:
    """What the real catalog says to somebody who has one release, or two."""
    goal = choose_target(target, REAL, classic=classic)
    start = StartingPoint(release(servers or agents), release(agents))
    return advise(start, goal, Request(packages=(package,), classic=classic), REAL)


def way(found: Advice) -> str:
    return " ".join(str(step.release) for step in found.steps)


@pytest.mark.parametrize(
    ("agents", "target", "classic", "steps"),
    [
        pytest.param("9.65", "latest", True, "9.66", id="the next one"),
        pytest.param("9.62", "latest", True, "9.66", id="four at once"),
        pytest.param("9.61", "latest", True, "9.65 9.66", id="five in two: the one with links comes between"),
        pytest.param("9.57", "latest", True, "9.61 9.65 9.66", id="9.58, 9.59, 9.60 are not needed"),
        pytest.param("9.55", "latest", True, "9.59 9.61 9.65 9.66", id="9.63 has no setup for sure, and no links"),
        pytest.param("9.55", "latest", False, "9.57 9.61 9.65 9.66", id="9.59 is for classic servers alone"),
        pytest.param("9.54", "9.57", True, "9.57", id="9.56 is left out"),
        pytest.param("9.45", "9.53", True, "9.49 9.53", id="the first one that is not vulnerable"),
        pytest.param("9.40", "9.53", True, "9.49 9.53", id="vulnerable ones are no steps, even if that is too far"),
        pytest.param("8.4", "9.53", True, "9.49 9.53", id="over a major version"),
        pytest.param("9.66", "latest", True, "", id="there already"),
        pytest.param("9.67", "latest", True, "", id="ahead already"),
        pytest.param("9.60", "9.59", True, "", id="never back"),
    ],
)
def test_the_steps(agents: str, target: str, classic: bool, steps: str) -> None:  # noqa: FBT001 - a column
    assert way(advice(agents, target, classic=classic)) == steps


@given(st.integers(20, 66), st.booleans())
def test_no_step_is_too_far_or_unfit_without_saying_so(minor: int, classic: bool) -> None:  # noqa: FBT001 - drawn
    found = advice(f"9.{minor}", classic=classic)
    before = minor
    for step in found.steps:
        standing = REAL.standing(step.release)
        assert not standing & {VULNERABLE, WITHDRAWN}
        assert (ReleaseStatus.NOT_FOR_CLASSIC if classic else ReleaseStatus.CLASSIC_ONLY) not in standing
        assert step.ahead == step.release.minor - before
        assert step.too_far == (step.ahead > 4)
        before = step.release.minor
    assert before == 66
    assert {left.release for left in found.left_out}.isdisjoint(step.release for step in found.steps)


@pytest.mark.parametrize(
    ("agents", "ahead", "between"),
    [
        pytest.param("9.40", 9, "9.43 9.47", id="9.44 was for a preview"),
        pytest.param("9.16", 33, "9.20 9.24 9.28 9.32 9.36 9.40 9.43 9.47", id="as the article's own example begins"),
        pytest.param("9.3", 46, "", id="the catalog knows none between 9.3 and 9.14"),
        pytest.param("8.3", None, "", id="nobody says how far a major version is"),
    ],
)
def test_a_step_that_is_too_far_names_what_the_rule_would_take(agents: str, ahead: int | None, between: str) -> None:
    step = advice(agents).steps[0]
    assert (str(step.release), step.too_far, step.ahead) == ("9.49", True, ahead)
    assert " ".join(map(str, step.between)) == between


def test_a_step_within_reach_names_none() -> None:
    assert [step.between for step in advice("9.45").steps] == [()] * 6


ALL = (UpgradePart.CONFIGURATION_SERVER, UpgradePart.PROCESS_SERVERS, UpgradePart.PACKAGES, UpgradePart.AGENTS)


@pytest.mark.parametrize(
    ("servers", "agents", "parts"),
    [
        pytest.param("9.57", "9.57", [ALL, ALL, ALL], id="everything, servers first"),
        pytest.param("9.61", "9.57", [ALL[2:], ALL, ALL], id="servers that are there already stay"),
        pytest.param("9.66", "9.57", [ALL[2:], ALL[2:], ALL[2:]], id="agents alone"),
        pytest.param("9.57", "9.65", [ALL[:3], ALL[:3], ALL], id="agents ahead of their servers wait"),
    ],
)
def test_who_moves_at_each_step(servers: str, agents: str, parts: list[tuple[UpgradePart, ...]]) -> None:
    found = advice(agents, servers=servers)
    assert way(found) == "9.61 9.65 9.66"
    assert [step.parts for step in found.steps] == parts


def test_what_may_be_no_step_is_named_with_the_reason() -> None:
    assert [(str(left.release), left.why) for left in advice("9.47").left_out] == [
        ("9.48", (VULNERABLE,)),
        ("9.56", (ReleaseStatus.NOT_FOR_CLASSIC,)),
        ("9.58", (WITHDRAWN,)),
        ("9.62", (ReleaseStatus.NOT_FOR_CLASSIC,)),
    ]
    modernized = [str(left.release) for left in advice("9.55", classic=False).left_out]
    assert modernized == ["9.58", "9.59"]
    assert advice("9.43").left_out[0].why == (VULNERABLE, ReleaseStatus.NOT_FOR_CLASSIC)


@pytest.mark.parametrize(
    ("servers", "agents", "here"),
    [
        pytest.param(
            "9.66", "9.62", [("9.62", (ReleaseStatus.NOT_FOR_CLASSIC,))], id="the oldest supported, and unfit"
        ),
        pytest.param("9.65", "9.64", [], id="well"),
        pytest.param("9.58", "9.58", [("9.58", (WITHDRAWN, ReleaseStatus.UNSUPPORTED))], id="withdrawn"),
        pytest.param(
            "9.50",
            "9.48",
            [("9.48", (VULNERABLE, ReleaseStatus.UNSUPPORTED)), ("9.50", (ReleaseStatus.UNSUPPORTED,))],
            id="servers and agents",
        ),
    ],
)
def test_what_speaks_against_where_it_begins(
    servers: str, agents: str, here: list[tuple[str, tuple[ReleaseStatus, ...]]]
) -> None:
    assert [(str(item.release), item.why) for item in advice(agents, servers=servers).here] == here


def test_the_packages_of_a_step_are_the_wanted_ones_with_their_links() -> None:
    start = StartingPoint(release("9.61"), release("9.61"))
    found = advise(start, release("9.65"), Request(packages=("RHEL5-64", "windows")), REAL)
    (step,) = found.steps
    assert step.linked
    assert [(item.token, item.manual, item.file) for item in step.packages] == [
        ("Windows", False, "Microsoft-ASR_UA_9.65.0.0_Windows_GA_23Apr2025_release.exe"),
        ("RHEL5-64", True, "Microsoft-ASR_UA_9.65.0.0_RHEL5-64_GA_23Apr2025_release.tar.gz"),
    ]
    assert all(item.url and item.url.endswith(f"/{item.file}") for item in step.packages)


def test_a_step_without_links_says_which_packages_there_must_be() -> None:
    found = advise(StartingPoint(release("9.57"), release("9.57")), release("9.61"), Request(), REAL)
    (step,) = found.steps
    assert not step.linked
    assert {"Windows", "RHEL5-64"} <= {item.token for item in step.packages}
    assert "RHEL9-64" not in {item.token for item in step.packages}, "classic servers do not support it"
    assert {(item.file, item.url) for item in step.packages} == {(None, None)}


def test_require_limits_the_packages() -> None:
    found = advise(StartingPoint(release("9.65"), release("9.65")), release("9.66"), Request(require=(OL6,)), SMALL)
    assert [item.token for item in found.steps[0].packages] == [OL6]


def test_an_unknown_package_is_refused() -> None:
    with pytest.raises(InputError) as caught:
        advice("9.65", package="RHEL77")
    assert caught.value.code == "unknown-package"


@pytest.mark.parametrize(("classic", "doubtful"), [(True, ["9.65", "9.66"]), (False, [])])
def test_doubts_count_where_the_servers_are_classic(classic: bool, doubtful: list[str]) -> None:  # noqa: FBT001 - a column
    steps = advice("9.61", classic=classic).steps
    assert [str(step.release) for step in steps if step.doubtful] == doubtful


@pytest.mark.parametrize(
    ("found", "notes"),
    [
        pytest.param(advice("9.61"), ["Reboot", "Microsoft retired"], id="classic"),
        pytest.param(
            advice("9.53"), ["Reboot", "From 9.55", "Microsoft retired"], id="over the release with the switch"
        ),
        pytest.param(advice("9.61", classic=False), ["Reboot"], id="modernized"),
        pytest.param(advice("9.66", servers="9.65"), ["Microsoft retired"], id="servers alone"),
        pytest.param(advice("9.66"), [], id="nothing to do"),
    ],
)
def test_what_is_worth_knowing(found: Advice, notes: list[str]) -> None:
    assert len(found.notes) == len(notes)
    assert all(note.startswith(beginning) for note, beginning in zip(found.notes, notes, strict=True))


# Where it begins and where it leads


@pytest.mark.parametrize(
    ("present", "server", "servers", "agents"),
    [
        pytest.param([name_of(RHEL8, "9.64")], None, "9.64", "9.64", id="one"),
        pytest.param([name_of(RHEL8, "9.64"), name_of(OL6, "9.66")], None, "9.66", "9.64", id="mixed"),
        pytest.param([name_of(RHEL8, "9.64"), name_of(RHEL8, "9.66")], None, "9.66", "9.66", id="an older one beside"),
        pytest.param([name_of(RHEL8, "9.64"), name_of("RHEL99-64", "9.66")], None, "9.64", "9.64", id="unknown apart"),
        pytest.param([name_of(RHEL8, "9.64")], "9.65", "9.65", "9.64", id="the configuration knows better"),
    ],
)
def test_where_a_repository_stands(present: list[str], server: str | None, servers: str, agents: str) -> None:
    found = standpoint(listing_of(*present), SMALL, release(server) if server else None)
    assert (found.servers, found.agents) == (release(servers), release(agents))
    assert found.oldest == min(release(servers), release(agents))
    assert {found.agents} <= set(found.present)


@pytest.mark.parametrize(
    ("texts", "present"),
    [
        (("9.60",), "9.60"),
        ((" 9.60 ", "9.55", "9.60"), "9.55 9.60"),
        (("9.55.6765.1",), "9.55"),
        (("9.66.0.0", "9.14"), "9.14 9.66"),
    ],
)
def test_releases_are_named_as_two_numbers_or_as_four(texts: tuple[str, ...], present: str) -> None:
    found = named(texts, None, REAL)
    assert " ".join(map(str, found.present)) == present
    assert found.servers == found.agents == found.present[0]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("9.99", "unknown-release"),
        ("1.2", "unknown-release"),
        ("9.99.1.1", "unknown-release"),
        ("x", "not-a-release"),
        ("9.60.1", "not-a-version"),
    ],
)
def test_what_is_no_release_that_was_ever_published_is_refused(text: str, code: str) -> None:
    with pytest.raises(InputError) as caught:
        named(("9.60", text), None, REAL)
    assert caught.value.code == code
    assert caught.value.hint


def against(found: Advice) -> dict[str, tuple[ReleaseStatus, ...]]:
    return {str(here.release): here.why for here in found.here}


def test_every_release_that_is_there_is_judged() -> None:
    unsupported = ReleaseStatus.UNSUPPORTED
    start = named(("9.48", "9.58", "9.65", "9.66"), None, REAL)
    assert against(advise(start, release("9.66"), Request(), REAL)) == {
        "9.48": (VULNERABLE, unsupported),
        "9.58": (WITHDRAWN, unsupported),
    }
    folder = standpoint(listing_of(name_of(RHEL8, "9.48"), name_of(OL6, "9.58"), name_of(RHEL9, "9.66")), SMALL, None)
    assert against(advise(folder, release("9.66"), Request(), SMALL)) == {
        "9.48": (VULNERABLE, unsupported),
        "9.58": (WITHDRAWN, unsupported),
    }


@pytest.mark.parametrize(("build", "vulnerable"), [("9.49.6394.9", True), ("9.49.6395.1", False)])
def test_a_build_of_before_the_security_release_is_vulnerable_itself(build: str, vulnerable: bool) -> None:  # noqa: FBT001 - a column
    found = advise(named((build,), None, REAL), release("9.66"), Request(), REAL)
    assert (VULNERABLE in against(found)["9.49"]) == vulnerable


@pytest.mark.parametrize(
    ("servers", "agents", "target", "backwards"),
    [("9.66", "9.66", "9.60", True), ("9.66", "9.55", "9.60", False), ("9.60", "9.60", "9.60", False)],
)
def test_a_way_back_is_none(servers: str, agents: str, target: str, backwards: bool) -> None:  # noqa: FBT001 - a column
    found = advice(agents, target, servers=servers)
    assert found.backwards == backwards
    assert not (found.backwards and found.steps)


def test_an_appliance_is_one_thing() -> None:
    parts = [step.parts for step in advice("9.60", classic=False).steps]
    assert parts == [(UpgradePart.APPLIANCE, UpgradePart.PACKAGES, UpgradePart.AGENTS)] * len(parts)
    assert parts


# A fleet


def server(
    name: str, *versions: str | None, role: str | None = "process-server", package: str = RHEL8
) -> ServerPosition:
    return stand(name, role, [(Token(package), version) for version in versions], REAL)


def test_a_fleet_stands_where_its_oldest_server_does() -> None:
    found = of_fleet(
        [
            server("ps2", "9.60.0.0", None, "9.57.0.0"),
            server("cs", "9.66.7567.1", role="configuration-server"),
            server("ps1", "9.58.0.0"),
        ]
    )
    assert (found.servers, found.agents) == (release("9.58"), release("9.57"))
    assert (found.configuration, found.processes) == (release("9.66"), release("9.58"))
    assert " ".join(map(str, found.present)) == "9.57 9.58 9.60 9.66"
    assert found.fleet == (
        ServerPosition("cs", "configuration-server", release("9.66"), release("9.66")),
        ServerPosition("ps1", "process-server", release("9.58"), release("9.58")),
        ServerPosition("ps2", "process-server", release("9.60"), release("9.57")),
    )


def test_who_is_there_already_does_not_move() -> None:
    fleet = [server("cs", "9.65.0.0", role="configuration-server"), server("ps", "9.61.0.0")]
    found = advise(of_fleet(fleet), release("9.66"), Request(), REAL)
    assert [(str(step.release), step.parts[:2]) for step in found.steps] == [
        ("9.65", (UpgradePart.PROCESS_SERVERS, UpgradePart.PACKAGES)),
        ("9.66", (UpgradePart.CONFIGURATION_SERVER, UpgradePart.PROCESS_SERVERS)),
    ]


def test_a_server_that_does_not_tell_may_be_the_oldest_of_its_kind() -> None:
    found = of_fleet([server("a", "9.61.0.0"), server("b"), server("c", "9.61.0.0", package="RHEL99-64")])
    assert (found.servers, found.configuration, found.processes) == (release("9.61"), None, None)
    assert [stand.release for stand in found.fleet] == [release("9.61"), None, None]


def test_a_fleet_that_tells_nothing_is_refused() -> None:
    with pytest.raises(InputError) as caught:
        of_fleet([server("a"), server("b", None)])
    assert (caught.value.code, caught.value.message) == (
        "nothing-to-advise",
        "of 2 servers none tells which packages it has",
    )


@pytest.mark.parametrize("listing", [None, listing_of(), listing_of("who-to-call.txt")])
def test_a_folder_without_installers_tells_nothing(listing: object) -> None:
    with pytest.raises(InputError) as caught:
        standpoint(listing, SMALL, release("9.66"))  # type: ignore[arg-type]
    assert caught.value.code == "nothing-to-advise"
    assert "--from" in caught.value.hint


@pytest.mark.parametrize(
    ("wanted", "classic", "target"),
    [
        ("latest", True, "9.66"),
        (" LATEST ", False, "9.66"),
        ("9.65", True, "9.65"),
        ("9.59", True, "9.59"),
        ("9.62", False, "9.62"),
    ],
)
def test_the_target(wanted: str, classic: bool, target: str) -> None:  # noqa: FBT001 - a column
    assert choose_target(wanted, REAL, classic=classic) == release(target)


def test_without_links_the_latest_is_the_newest_that_fits() -> None:
    older = catalog.parse(
        SMALL_CATALOG_TEXT.replace('"9.66":\n    for_classic: "yes"', '"9.66":\n    for_classic: "no"')
    )
    assert choose_target("latest", older, classic=True) == release("9.65")
    unlinked = SMALL_CATALOG_TEXT
    for number in ("9.64", "9.65", "9.66"):
        unlinked = unlinked.replace(f'"{number}":\n    for_classic: "yes"', f'"{number}":\n    for_classic: "no"')
    assert choose_target("latest", catalog.parse(unlinked), classic=True) == release("9.63")


def test_a_catalog_without_a_fitting_release_has_no_target() -> None:
    text = SMALL_CATALOG_TEXT.replace('for_classic: "yes"', 'for_classic: "no"').replace(
        "for_classic: only", 'for_classic: "no"'
    )
    with pytest.raises(InputError) as caught:
        choose_target("latest", catalog.parse(text), classic=True)
    assert caught.value.code == "unfit-release"


@pytest.mark.parametrize(
    ("wanted", "classic", "code", "words"),
    [
        ("9.58", True, "unfit-release", "withdrawn"),
        ("9.48", True, "unfit-release", "vulnerabilities"),
        ("9.62", True, "unfit-release", "never for classic"),
        ("9.59", False, "unfit-release", "for classic servers alone"),
        ("9.99", True, "unknown-release", "nobody published"),
        ("newest", True, "not-a-release", "is not a release"),
    ],
)
def test_a_target_that_should_not_be_installed_is_refused(wanted: str, classic: bool, code: str, words: str) -> None:  # noqa: FBT001 - a column
    with pytest.raises(InputError) as caught:
        choose_target(wanted, REAL, classic=classic)
    assert caught.value.code == code
    assert words in caught.value.message
    assert caught.value.hint
