from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from simulator import CUT_OFF, SIZE, SMALL, TOKENS, audit_of, listing_of, name_of, selection_of

from repo_manager.core import history, names, plan
from repo_manager.core.audit import findings
from repo_manager.core.audit.findings import AuditFacts, Code, FileVerdict
from repo_manager.core.errors import InputError
from repo_manager.core.names import Release, Token
from repo_manager.core.plan import Action, Arrival, Download, Place, Plan, Restart, Retire
from repo_manager.core.repository import FileKind, FolderEntry, Listing, survey
from repo_manager.core.selection import Target
from repo_manager.core.transaction import Journal, Move, moves_of

if TYPE_CHECKING:
    from repo_manager.core.history import PastTransaction
    from repo_manager.core.selection import Selection

RHEL = TOKENS[1]
OLD, NEW = name_of(RHEL, "9.65"), name_of(RHEL)
LATER = name_of(RHEL, date="22Sep2025")
TWIN = NEW.replace("_release", "_Release")
PUSH_CLIENT = "RHEL9-64_pushinstallclient.tar.gz"
COPY = f"Copy of {NEW}"
PART = f"{NEW}.part"
FOREIGN = "who-to-call.txt"
UNKNOWN = name_of("RHEL99-64")
TOO_NEW = name_of("RHEL99-64", "9.70", date="01Jan2026")

Verdicts = Mapping[str, FileVerdict]


def words(made: Plan) -> list[str]:
    """The actions, short."""

    def word(action: Action) -> str:
        match action:
            case Download():
                return f"get {action.name}: {action.reason}"
            case Place():
                return f"place {action.name}: {action.reason}"
            case Retire():
                return f"retire {action.name}: {action.reason}"
            case Restart():
                return f"restart {action.service}"

    return [word(action) for action in made.actions]


def sync(listing: Listing, wanted: Selection, verdicts: Verdicts | None = None) -> Plan:
    return plan.sync(listing, wanted, audit_of(listing, wanted, verdicts), verdicts or {})


def prune(listing: Listing, verdicts: Verdicts | None = None) -> Plan:
    return plan.prune(listing, audit_of(listing, selection_of(listing), verdicts), verdicts or {})


# sync, one package at a time.


@pytest.mark.parametrize(
    ("present", "bad", "expected"),
    [
        pytest.param([], [], [f"get {NEW}: missing", f"place {NEW}: missing"], id="missing"),
        pytest.param([NEW], [], [], id="there"),
        pytest.param([LATER], [], [], id="a later build of the same release is as good"),
        pytest.param([TWIN], [], [], id="there, written in another case"),
        pytest.param(
            [OLD],
            [],
            [
                f"get {NEW}: replaces 9.65.0.0",
                f"place {NEW}: replaces 9.65.0.0",
                f"retire {OLD}: superseded by 9.66.0.0",
            ],
            id="outdated",
        ),
        pytest.param([OLD, NEW], [], [f"retire {OLD}: superseded by 9.66.0.0"], id="doubled"),
        pytest.param([NEW, LATER], [], [f"retire {NEW}: superseded by 9.66.0.0"], id="two builds of one release"),
        pytest.param(
            [NEW],
            [NEW],
            [
                f"get {NEW}: the file in the folder is not whole",
                f"retire {NEW}: is cut off",
                f"place {NEW}: the file in the folder is not whole",
            ],
            id="not whole: the name is freed first",
        ),
        pytest.param(
            [OLD, NEW],
            [OLD],
            [f"retire {OLD}: is cut off"],
            id="the older one is not whole",
        ),
        pytest.param(
            [OLD],
            [OLD],
            [f"get {NEW}: replaces 9.65.0.0", f"place {NEW}: replaces 9.65.0.0", f"retire {OLD}: is cut off"],
            id="outdated and not whole",
        ),
        pytest.param([PUSH_CLIENT, FOREIGN, NEW], [], [], id="what belongs to others"),
        pytest.param([COPY, PART, UNKNOWN, NEW], [], [], id="strays are not this run's business"),
    ],
)
def test_sync_of_one_package(present: list[str], bad: list[str], expected: list[str]) -> None:
    listing = listing_of(*present)
    wanted = selection_of(listing, RHEL, release="9.66")
    assert words(sync(listing, wanted, dict.fromkeys(bad, CUT_OFF))) == expected


def test_an_empty_file_is_fetched_again_though_nobody_read_it() -> None:
    listing = listing_of(NEW, sizes={NEW: 0})
    assert words(sync(listing, selection_of(listing, RHEL))) == [
        f"get {NEW}: the file in the folder is not whole",
        f"retire {NEW}: is empty",
        f"place {NEW}: the file in the folder is not whole",
    ]


def test_a_download_knows_where_from_and_what_is_known_of_the_file() -> None:
    listing = listing_of()
    wanted = selection_of(listing, RHEL)
    target = replace(wanted.targets[RHEL], sources=("https://one/x", "https://two/x"), sha256="0" * 64, size_bytes=12)
    made = sync(listing, replace(wanted, targets={RHEL: target}))
    assert made.downloads == (Download(RHEL, NEW, target.sources, 12, "0" * 64, "missing"),)
    assert made.places == (Place(RHEL, NEW, f"staging/{NEW}", "https://one/x", 12, "missing"),)


def test_a_package_nobody_has_a_link_for_is_left_as_it_is() -> None:
    listing = listing_of(name_of(RHEL, "9.59"))
    wanted = selection_of(listing, RHEL, release="9.63")
    assert wanted.unavailable == (RHEL,)
    assert sync(listing, wanted) == Plan()


def test_an_older_release_that_was_asked_for_replaces_the_newer_one() -> None:
    listing = listing_of(NEW)
    assert words(sync(listing, selection_of(listing, RHEL, release="9.65"))) == [
        f"get {OLD}: DOWNGRADE from 9.66.0.0 (--release 9.65)",
        f"place {OLD}: DOWNGRADE from 9.66.0.0 (--release 9.65)",
        f"retire {NEW}: replaced by the older 9.65.0.0",
    ]


def test_an_unlimited_sync_retires_strays_too_and_leaves_what_nobody_could_take_for_a_package() -> None:
    present = [name_of(token) for token in TOKENS]
    listing = listing_of(*present, COPY, PART, UNKNOWN, TOO_NEW, PUSH_CLIENT, FOREIGN)
    made = sync(listing, selection_of(listing))
    assert sorted(move.name for move in made.moves) == sorted([COPY, PART, UNKNOWN])
    assert {move.token for move in made.moves} == {None, Token("RHEL99-64")}


def test_free_names_are_given_before_a_taken_one_changes_hands() -> None:
    windows = name_of("Windows")
    listing = listing_of(NEW, name_of("Windows", "9.65"))
    made = sync(listing, selection_of(listing, RHEL, "Windows", release="9.66"), {NEW: CUT_OFF})
    assert [move.name for move in made.moves] == [windows, NEW, NEW, name_of("Windows", "9.65")]


# prune.


@pytest.mark.parametrize(
    ("present", "bad", "retired"),
    [
        pytest.param([OLD, NEW], [], {OLD: "superseded by 9.66.0.0"}, id="superseded"),
        pytest.param([OLD, NEW], [NEW], {NEW: "is cut off"}, id="the newest is broken, the older one stays"),
        pytest.param([NEW], [NEW], {NEW: "is cut off"}, id="a broken one is nobody's last good one"),
        pytest.param([OLD], [], {}, id="outdated is not prune's business"),
        pytest.param(
            [COPY, PART, FOREIGN, PUSH_CLIENT],
            [],
            {
                COPY: "could be taken for a package, but does not begin with Microsoft-ASR_UA_ or InMage_UA_",
                PART: "is not whole: a copy or a download that was cut off, or is still going on",
            },
            id="strays that could be taken for a package",
        ),
        pytest.param(
            [UNKNOWN],
            [],
            {UNKNOWN: "the catalog knows no package RHEL99-64; did somebody mean RHEL9-64?"},
            id="unknown",
        ),
        pytest.param([TOO_NEW], [], {}, id="newer than the catalog"),
    ],
)
def test_prune(present: list[str], bad: list[str], retired: dict[str, str]) -> None:
    made = prune(listing_of(*present), dict.fromkeys(bad, CUT_OFF))
    assert {move.name: move.reason for move in made.moves if isinstance(move, Retire)} == retired
    assert not made.places
    assert not made.downloads


@pytest.mark.parametrize(
    ("present", "bad", "retired"),
    [
        pytest.param([OLD, NEW], [], [], id="superseded can wait"),
        pytest.param([OLD, NEW], [NEW], [NEW], id="broken"),
        pytest.param([OLD, NEW], [OLD], [OLD], id="superseded and broken"),
        pytest.param([NEW, COPY, PART, FOREIGN, PUSH_CLIENT], [], [COPY, PART], id="strays"),
        pytest.param([NEW, UNKNOWN, TOO_NEW], [], [UNKNOWN], id="unknown"),
    ],
)
def test_only_what_is_wrong_is_a_danger(present: list[str], bad: list[str], retired: list[str]) -> None:
    listing, verdicts = listing_of(*present), dict.fromkeys(bad, CUT_OFF)
    made = plan.dangers(listing, audit_of(listing, selection_of(listing), verdicts), verdicts)
    assert sorted(move.name for move in made.moves) == sorted(retired)


def test_of_two_names_that_differ_in_case_alone_one_goes() -> None:
    listing = listing_of(NEW, TWIN)
    assert len(prune(listing).moves) == 1


# add.


def arrival(name: str, size_bytes: int = SIZE) -> Arrival:
    return Arrival(names.parse(name), f"/media/{name}", size_bytes)


@pytest.mark.parametrize(
    ("present", "brought", "bad", "expected"),
    [
        pytest.param([], [NEW], [], [f"place {NEW}: brought by hand"], id="new"),
        pytest.param(
            [OLD], [NEW], [], [f"place {NEW}: brought by hand", f"retire {OLD}: superseded by 9.66.0.0"], id="newer"
        ),
        pytest.param(
            [NEW],
            [OLD],
            [],
            [f"place {OLD}: DOWNGRADE from 9.66.0.0 (--allow-older)", f"retire {NEW}: replaced by the older 9.65.0.0"],
            id="older",
        ),
        pytest.param([NEW], [NEW], [], [], id="there already"),
        pytest.param([TWIN], [NEW], [], [], id="there already, written in another case"),
        pytest.param(
            [NEW], [NEW], [NEW], [f"retire {NEW}: is cut off", f"place {NEW}: brought by hand"], id="there, not whole"
        ),
        pytest.param([], [NEW, OLD], [], [f"place {NEW}: brought by hand"], id="of two the newer"),
        pytest.param([COPY, PUSH_CLIENT], [NEW], [], [f"place {NEW}: brought by hand"], id="nothing else is touched"),
    ],
)
def test_add(present: list[str], brought: list[str], bad: list[str], expected: list[str]) -> None:
    made = plan.add(listing_of(*present), map(arrival, brought), dict.fromkeys(bad, CUT_OFF))
    assert words(made) == expected


def test_a_file_of_another_size_under_the_same_name_is_replaced() -> None:
    made = plan.add(listing_of(NEW), [arrival(NEW, SIZE + 1)], {})
    assert words(made) == [f"retire {NEW}: replaced", f"place {NEW}: brought by hand"]


# undo.


def gone(name: str) -> str:
    return plan.retired("T1", name)


def entry(placed: list[str], retired: list[str]) -> PastTransaction:
    """A transaction of the command `sync`, the only one there was."""
    coming = [Move(plan.staged(name), f"../{name}", SIZE) for name in placed]
    going = [Move(f"../{name}", gone(name), SIZE) for name in retired]
    (found,) = history.read([Journal("T1", "sync", (*coming, *going))])
    return found


def undone(placed: list[str], retired: list[str], *present: str, available: list[str], bad: Verdicts = {}) -> Plan:  # noqa: B006 - never changed
    kept = {gone(name): "" for name in available}
    return plan.undo(entry(placed, retired), listing_of(*present), kept, bad)


def test_a_retired_file_that_must_not_come_back_stays_with_its_name() -> None:
    kept = {gone(OLD): "is damaged", gone(COPY): ""}
    made = plan.undo(entry([], [OLD, COPY]), listing_of(), kept, {})
    assert words(made) == [f"place {COPY}: retired by sync"]
    assert words(Plan(made.skipped)) == [f"place {OLD}: is damaged"]


@pytest.mark.parametrize(
    ("present", "placed", "retired", "available", "expected", "skipped"),
    [
        pytest.param(
            [NEW],
            [NEW],
            [OLD],
            [OLD],
            [f"place {OLD}: retired by sync", f"retire {NEW}: placed by T1"],
            [],
            id="exchange",
        ),
        pytest.param([NEW], [NEW], [], [], [f"retire {NEW}: placed by T1"], [], id="only placed"),
        pytest.param([], [], [COPY], [COPY], [f"place {COPY}: retired by sync"], [], id="only retired, no installer"),
        pytest.param(
            [NEW],
            [NEW],
            [OLD],
            [],
            [f"retire {NEW}: placed by T1"],
            [f"place {OLD}: no longer kept among the retired files"],
            id="the old one was deleted since",
        ),
        pytest.param(
            [],
            [NEW],
            [OLD],
            [OLD],
            [f"place {OLD}: retired by sync"],
            [f"retire {NEW}: deleted from the repository since"],
            id="the new one is gone already",
        ),
        pytest.param(
            [NEW],
            [NEW],
            [NEW],
            [NEW],
            [f"retire {NEW}: replaced", f"place {NEW}: retired by sync"],
            [],
            id="the same name was freed and given",
        ),
        pytest.param(
            [TWIN],
            [TWIN],
            [NEW],
            [NEW],
            [f"retire {TWIN}: placed by T1", f"place {NEW}: retired by sync"],
            [],
            id="the same name in another case",
        ),
        pytest.param(
            [NEW, OLD],
            [NEW],
            [OLD],
            [OLD],
            [f"retire {NEW}: placed by T1"],
            [f"place {OLD}: another file of this name was put here since"],
            id="the old one is there by now",
        ),
        pytest.param(
            [NEW, TWIN, OLD],
            [NEW],
            [COPY],
            [COPY],
            [f"place {COPY}: retired by sync"],
            [f"retire {NEW}: another file of this name was put here since"],
            id="a name that differs in case was put beside the new one",
        ),
    ],
)
def test_undo(  # noqa: PLR0917 - the columns of the table
    present: list[str],
    placed: list[str],
    retired: list[str],
    available: list[str],
    expected: list[str],
    skipped: list[str],
) -> None:
    made = undone(placed, retired, *present, available=available)
    assert sorted(words(made)) == sorted(expected)
    assert words(Plan(made.skipped)) == skipped
    assert made.undoes == "T1"


@pytest.mark.parametrize(
    ("size", "regular", "verdict"),
    [
        pytest.param(SIZE + 1, True, FileVerdict(), id="another size"),
        pytest.param(SIZE, True, CUT_OFF, id="other bytes"),
        pytest.param(SIZE, False, FileVerdict(), id="a link"),
    ],
)
def test_a_file_that_was_replaced_by_hand_is_left_alone(size: int, regular: bool, verdict: FileVerdict) -> None:  # noqa: FBT001 - a table
    listing = survey("there", [FolderEntry(NEW, size, regular=regular)])
    made = plan.undo(entry([NEW], [COPY]), listing, {gone(COPY): ""}, {NEW: verdict})
    assert words(made) == [f"place {COPY}: retired by sync"]
    assert words(Plan(made.skipped)) == [f"retire {NEW}: replaced or damaged by another program since"]


def test_what_comes_back_comes_from_the_retired_area() -> None:
    made = undone([], [OLD, COPY], available=[OLD, COPY])
    assert made.places == (
        Place(RHEL, OLD, gone(OLD), "retired by T1", SIZE, "retired by sync"),
        Place(None, COPY, gone(COPY), "retired by T1", SIZE, "retired by sync"),
    )


@pytest.mark.parametrize("present", [[], [OLD]], ids=["everything is gone", "what was retired is in the folder again"])
def test_an_undo_of_nothing_is_refused_with_the_reason_of_each_file(present: list[str]) -> None:
    with pytest.raises(InputError) as caught:
        undone([NEW], [OLD], *present, available=[OLD] if present else [])
    assert caught.value.code == "nothing-to-restore"
    assert NEW in caught.value.message
    assert OLD in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize(
    ("present", "verdicts", "lost"),
    [
        pytest.param([NEW], {}, [RHEL], id="its only installer"),
        pytest.param([NEW, OLD], {}, [], id="another one stays"),
        pytest.param([NEW, OLD], {OLD: CUT_OFF}, [RHEL], id="another one stays that is not whole"),
        pytest.param([NEW, OLD], {OLD: FileVerdict(Code.CORRUPT, "held", read=False)}, [RHEL], id="unreadable stays"),
        pytest.param([NEW], {NEW: FileVerdict(Code.CORRUPT, "held", read=False)}, [RHEL], id="unreadable goes"),
        pytest.param([NEW], {NEW: FileVerdict(Code.UNSIGNED, "unsigned")}, [RHEL], id="unsigned, and complete"),
        pytest.param([NEW], {NEW: CUT_OFF}, [], id="it had no complete one"),
    ],
)
def test_a_package_that_would_lose_its_complete_installer(
    present: list[str], verdicts: Verdicts, lost: list[Token]
) -> None:
    made = Plan((Retire(RHEL, NEW, SIZE, "asked"),))
    assert list(plan.left_without(made, listing_of(*present), verdicts)) == lost


# mirror.


def mirror(listing: Listing, wanted: Selection, verdicts: Verdicts | None = None) -> Plan:
    judged = audit_of(listing, wanted, verdicts)
    return plan.mirror(listing, tuple(wanted.targets.values()), judged, verdicts or {})


@pytest.mark.parametrize(
    ("present", "bad", "names_moved"),
    [
        pytest.param([NEW], [], [], id="the same"),
        pytest.param([LATER], [], [NEW, LATER], id="a later build is not the same"),
        pytest.param([OLD], [], [NEW, OLD], id="older"),
        pytest.param([NEW], [NEW], [NEW, NEW], id="not whole"),
        pytest.param([NEW, name_of("Windows")], [], [name_of("Windows")], id="a package that is not in the set"),
        pytest.param([NEW, COPY, FOREIGN, PUSH_CLIENT], [], [COPY], id="strays"),
    ],
)
def test_a_mirror_holds_exactly_the_set(present: list[str], bad: list[str], names_moved: list[str]) -> None:
    listing = listing_of(*present)
    made = mirror(listing, selection_of(listing, RHEL, release="9.66"), dict.fromkeys(bad, CUT_OFF))
    assert [move.name for move in made.moves] == names_moved


def test_a_mirror_goes_back_because_the_set_says_so() -> None:
    """Nobody has asked for that at this machine."""
    listing = listing_of(NEW)
    made = mirror(listing, selection_of(listing, RHEL, release="9.65"))
    assert {item.reason for item in made.downloads} == {"DOWNGRADE from 9.66.0.0 (as the set has it)"}


def test_a_mirrored_file_of_another_size_is_fetched_again() -> None:
    listing = listing_of(NEW)
    wanted = selection_of(listing, RHEL)
    target = replace(wanted.targets[RHEL], size_bytes=SIZE + 1)
    assert len(mirror(listing, replace(wanted, targets={RHEL: target})).downloads) == 1


def test_a_mirror_of_some_packages_leaves_all_others_alone() -> None:
    listing = listing_of(OLD, name_of("Windows"), COPY)
    wanted = selection_of(listing, RHEL, release="9.66")
    targets = tuple(wanted.targets.values())

    made = plan.mirror(listing, targets, audit_of(listing, wanted), {}, plan.Others.IGNORE)

    assert [move.name for move in made.moves] == [NEW, OLD]


def test_a_mirror_follows_a_leader_who_knows_more_packages() -> None:
    name = names.parse(UNKNOWN)
    target = Target(name.token, name, ("a source",), "0" * 64, SIZE)
    wanted = selection_of(None, RHEL)

    def mirrored(*present: str) -> Plan:
        listing = listing_of(*present)
        return plan.mirror(listing, (target,), audit_of(listing, wanted), {})

    assert [move.name for move in mirrored().moves] == [UNKNOWN]
    assert mirrored(UNKNOWN) == Plan()


# The plan as a value.


def test_a_plan_tells_its_parts() -> None:
    made = sync(listing_of(OLD), selection_of(None, RHEL)).with_restart("a service")
    assert [type(action) for action in made.actions] == [Download, Place, Retire, Restart]
    assert [move.name for move in made.moves] == [NEW, OLD]
    assert made.restart == Restart("a service")


@pytest.mark.parametrize(
    ("made", "service"),
    [(Plan(), "a service"), (prune(listing_of(OLD, NEW)), None)],
    ids=["nothing changes", "no service"],
)
def test_there_is_no_restart_without_a_change_or_without_a_service(made: Plan, service: str | None) -> None:
    assert made.with_restart(service) == made
    assert made.restart is None


def test_a_change_that_the_service_has_not_seen_is_worth_a_restart_of_its_own() -> None:
    (action,) = Plan().with_restart("a service", pending=True).actions
    assert action == Restart("a service", "the set changed after the service had started")
    assert Plan().with_restart(None, pending=True) == Plan()
    changing = prune(listing_of(OLD, NEW))
    assert changing.with_restart("a service", pending=True) == changing.with_restart("a service")


# Whatever lies there.

RELEASES = ("9.59", "9.64", "9.65", "9.66")
CANDIDATES = (
    *(name_of(token, release) for token in (*TOKENS, "RHEL99-64") for release in RELEASES),
    *(name_of(token, date="22Sep2025") for token in TOKENS),
    *(f"Copy of {name_of(token)}" for token in TOKENS),
    *(f"{name_of(token)}.part" for token in TOKENS),
    *(PUSH_CLIENT, FOREIGN, TOO_NEW, "\u202ecod.exe", "CON", "Microsoft-ASR_UA_\udcff"),
)
Folder = dict[str, int]
FOLDERS = st.dictionaries(st.sampled_from(CANDIDATES), st.sampled_from([0, SIZE]), max_size=16)
BAD = st.sets(st.sampled_from(CANDIDATES), max_size=8)
PACKAGES = st.lists(st.sampled_from(TOKENS), max_size=3, unique=True)
WISH = st.sampled_from(["auto", "latest", "9.64", "9.63"])


def listed(folder: Folder) -> Listing:
    return listing_of(*folder, sizes=folder)


def good(folder: Folder, verdicts: Verdicts) -> set[Token]:
    """The packages with an installer that may be handed to a machine."""
    found = listed(folder).files
    return {
        file.installer.token
        for file in found
        if file.installer and file.entry.size_bytes and file.name not in verdicts and SMALL.known(file.installer.token)
    }


def applied(made: Plan, folder: Folder, verdicts: Verdicts) -> tuple[Folder, Verdicts]:
    """The folder after the plan; no package is without a good installer on the way, but while its name is freed."""
    folder, verdicts = dict(folder), dict(verdicts)
    had = good(folder, verdicts)
    freed: set[str] = set()
    for move in made.moves:
        if isinstance(move, Place):
            assert move.name.casefold() not in {name.casefold() for name in folder}
            folder[move.name] = move.size_bytes or SIZE
            verdicts.pop(move.name, None)
            freed.discard(move.name)
        else:
            del folder[move.name]
            freed |= {move.name} if move.name in {place.name for place in made.places} else set()
        if not freed:
            assert had <= good(folder, verdicts)
    return folder, verdicts


def belongs_to_others(folder: Folder) -> set[str]:
    files = listed(folder).files
    return {
        file.name
        for file in files
        if file.kind is FileKind.PUSH_CLIENT or (file.kind is FileKind.STRAY and not file.takable)
    }


@settings(max_examples=200)
@given(FOLDERS, BAD, PACKAGES, WISH)
def test_a_second_sync_finds_nothing_to_do(folder: Folder, bad: set[str], packages: list[Token], wish: str) -> None:
    verdicts: Verdicts = dict.fromkeys(bad, CUT_OFF)
    wanted = selection_of(listed(folder), *packages, release=wish)
    made = sync(listed(folder), wanted, verdicts)
    after, verdicts = applied(made, folder, verdicts)
    assert sync(listed(after), wanted, verdicts) == Plan()
    assert belongs_to_others(folder) == belongs_to_others(after)
    assert set(wanted.targets) <= good(after, verdicts)


@settings(max_examples=200)
@given(FOLDERS, BAD)
def test_an_unlimited_sync_leaves_no_error_it_could_mend(folder: Folder, bad: set[str]) -> None:
    verdicts: Verdicts = dict.fromkeys(bad, CUT_OFF)
    wanted = selection_of(listed(folder), release="latest")
    after, verdicts = applied(sync(listed(folder), wanted, verdicts), folder, verdicts)
    judged = findings.audit(listed(after), wanted, SMALL, AuditFacts(verdicts))
    left = {finding.code for finding in judged.findings if finding.severity is findings.Severity.ERROR}
    assert left <= {Code.CORRUPT}
    assert all(state.state is findings.PackageStatus.OK for state in judged.packages if state.required)


@settings(max_examples=200)
@given(FOLDERS, BAD)
def test_a_second_prune_finds_nothing_to_do_and_no_last_good_installer_goes(folder: Folder, bad: set[str]) -> None:
    verdicts: Verdicts = dict.fromkeys(bad, CUT_OFF)
    made = prune(listed(folder), verdicts)
    after, _ = applied(made, folder, verdicts)
    assert not made.places
    assert prune(listed(after), verdicts) == Plan()
    assert good(after, verdicts) == good(folder, verdicts)
    assert belongs_to_others(folder) == belongs_to_others(after)


@settings(max_examples=200)
@given(FOLDERS, BAD, PACKAGES.filter(bool), WISH)
def test_a_limited_sync_touches_only_its_packages(
    folder: Folder, bad: set[str], packages: list[Token], wish: str
) -> None:
    wanted = selection_of(listed(folder), *packages, release=wish)
    made = sync(listed(folder), wanted, dict.fromkeys(bad, CUT_OFF))
    assert {move.token for move in made.moves} <= set(packages)


@settings(max_examples=200)
@given(FOLDERS, BAD, st.sets(st.sampled_from(TOKENS), max_size=3))
def test_taking_back_what_was_taken_back_gives_the_new_set_again(
    folder: Folder, bad: set[str], packages: set[Token]
) -> None:
    verdicts: Verdicts = dict.fromkeys(bad, CUT_OFF)
    made = sync(listed(folder), selection_of(listed(folder), *packages, release="latest"), verdicts)
    if not made.moves:
        return
    after, _ = applied(made, folder, verdicts)
    retired = {gone(move.name): "" for move in made.moves if isinstance(move, Retire)}
    (past,) = history.read([Journal("T1", "sync", moves_of(made, "T1"))])
    back = plan.undo(past, listed(after), retired, {})
    assert back.skipped == ()
    before: Folder = dict(after)
    for move in back.moves:
        if isinstance(move, Place):
            assert move.name not in before
            before[move.name] = move.size_bytes or 0
        else:
            del before[move.name]
    assert before == folder


@given(st.sampled_from(RELEASES[1:]), PACKAGES)
def test_equal_states_need_no_plan(release: str, packages: list[Token]) -> None:
    listing = listing_of(*(name_of(token, release) for token in TOKENS))
    wanted = selection_of(listing, *packages)
    assert wanted.release == Release.parse(release)
    assert sync(listing, wanted) == Plan()
    assert prune(listing) == Plan()
    assert mirror(listing, selection_of(listing, "all")) == Plan()
