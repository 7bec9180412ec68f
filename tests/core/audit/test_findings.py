from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import pytest
from simulator import CUT_OFF, REAL, SIZE, SMALL, TOKENS, audit_of, listing_of, name_of, selection_of

from repo_manager.core.audit import findings
from repo_manager.core.audit.findings import (
    Audit,
    AuditFacts,
    Code,
    Exposed,
    FileVerdict,
    Finding,
    PackageLine,
    PackageStatus,
    Severity,
)
from repo_manager.core.names import Release
from repo_manager.core.selection import Request, select

if TYPE_CHECKING:
    from repo_manager.core.repository import Listing

WINDOWS, RHEL9, RHEL8, OL6, UBUNTU = TOKENS
COMMAND = "repo-manager --profile two"
OLD, NEW = name_of(RHEL9, "9.65"), name_of(RHEL9)
ALL = tuple(name_of(token) for token in TOKENS)


def judge(
    *present: str,
    packages: tuple[str, ...] = (RHEL9,),
    release: str = "9.66",
    classic: bool = True,
    verdicts: Mapping[str, FileVerdict] | None = None,
    server: str | None = None,
    second: Listing | None = None,
    sizes: Mapping[str, int] | None = None,
    links: tuple[str, ...] = (),
    sync: str = "sync",
    unseen_by: str | None = None,
    foreign: bool = False,
    exposed: Exposed | None = None,
) -> Audit:
    listing = listing_of(*present, sizes=sizes, links=links)
    about = AuditFacts(
        verdicts or {},
        classic,
        Release.parse(server) if server else None,
        second,
        unseen_by,
        COMMAND,
        sync,
        (),
        foreign,
        exposed,
    )
    return findings.audit(listing, selection_of(listing, *packages, release=release, classic=classic), SMALL, about)


def only(judged: Audit, code: Code) -> Finding:
    (found,) = (finding for finding in judged.findings if finding.code is code)
    return found


CUT = {NEW: CUT_OFF}
OTHER = FileVerdict(Code.MISLABELLED, "was built for RHEL8-64")
COPY = f"Copy of {NEW}"
EXE = name_of(WINDOWS)
UNKNOWN = name_of("RHEL99-64")
NEWER = name_of("PLAN9-64", "9.70", date="01Jan2026")
SECOND = listing_of(OLD, "who-to-call.txt")

# code, what was judged, severity, package, file, the fix's command, words of the message
CASES = [
    pytest.param(
        Code.NOT_A_REPOSITORY,
        judge("notes.txt", foreign=True),
        "error",
        None,
        None,
        "doctor",
        "no trace of installers",
        id="not-a-repository",
    ),
    pytest.param(
        Code.WRITABLE_BY_OTHERS,
        judge(NEW, exposed=Exposed("can be changed by Users", {})),
        "warning",
        None,
        None,
        "doctor",
        "the folder can be changed by Users, so others can replace every installer",
        id="writable-by-others, the folder",
    ),
    pytest.param(
        Code.WRITABLE_BY_OTHERS,
        judge(NEW, exposed=Exposed("", {"b": "belongs to b", "a": "belongs to a", "c": "belongs to c"})),
        "warning",
        None,
        None,
        "doctor",
        "a belongs to a, and 2 more can be changed by others",
        id="writable-by-others, installers",
    ),
    pytest.param(
        Code.RESTART_PENDING,
        judge(NEW, unseen_by="a service"),
        "warning",
        None,
        None,
        "restart",
        "the folder changed after 'a service' had started",
        id="restart-pending",
    ),
    pytest.param(
        Code.MISSING,
        judge(),
        "error",
        RHEL9,
        None,
        f"sync --package {RHEL9}",
        "no installer for RHEL9-64",
        id="missing",
    ),
    pytest.param(
        Code.MISSING,
        judge(),
        "error",
        RHEL9,
        None,
        f"sync --package {RHEL9}",
        "must be placed by hand",
        id="missing, by hand",
    ),
    pytest.param(
        Code.OUTDATED,
        judge(OLD),
        "error",
        RHEL9,
        OLD,
        f"sync --package {RHEL9}",
        "is 9.65.0.0; 9.66.0.0 is wanted",
        id="outdated",
    ),
    pytest.param(
        Code.OUTDATED,
        judge(name_of(RHEL9, "9.59"), release="9.63"),
        "error",
        RHEL9,
        name_of(RHEL9, "9.59"),
        f"show {RHEL9}",
        "release 9.63 is wanted",
        id="outdated, no link known",
    ),
    pytest.param(
        Code.OUTDATED,
        judge(OLD, sync="sync --release 9.66"),
        "error",
        RHEL9,
        OLD,
        f"sync --release 9.66 --package {RHEL9}",
        "is wanted",
        id="outdated, a release was asked for",
    ),
    pytest.param(Code.DUPLICATE, judge(OLD, NEW), "error", RHEL9, OLD, "prune", f"lies beside {NEW}", id="duplicate"),
    pytest.param(
        Code.STRAY, judge(NEW, COPY), "error", None, COPY, "prune", "could be taken for a package", id="stray"
    ),
    pytest.param(
        Code.STRAY,
        judge(links=(NEW,)),
        "error",
        None,
        NEW,
        "prune",
        "is a link or a device",
        id="a link under a good name",
    ),
    pytest.param(
        Code.STRAY, judge(NEW, "notes.txt"), "info", None, "notes.txt", "list", "it is left alone", id="foreign stray"
    ),
    pytest.param(
        Code.PARTIAL, judge(NEW, f"{NEW}.part"), "error", None, f"{NEW}.part", "prune", "is not whole", id="partial"
    ),
    pytest.param(
        Code.CORRUPT,
        judge(NEW, verdicts=CUT),
        "error",
        RHEL9,
        NEW,
        f"sync --package {RHEL9}",
        "is cut off",
        id="corrupt",
    ),
    pytest.param(
        Code.CORRUPT, judge(NEW, sizes={NEW: 0}), "error", RHEL9, NEW, f"sync --package {RHEL9}", "is empty", id="empty"
    ),
    pytest.param(
        Code.CORRUPT,
        judge(NEW, packages=(OL6,), verdicts=CUT),
        "error",
        RHEL9,
        NEW,
        "prune",
        "cut off",
        id="corrupt, not wanted",
    ),
    pytest.param(
        Code.MISLABELLED,
        judge(NEW, verdicts={NEW: OTHER}),
        "error",
        RHEL9,
        NEW,
        f"sync --package {RHEL9}",
        "was built for RHEL8-64",
        id="mislabelled",
    ),
    pytest.param(
        Code.UNKNOWN_PACKAGE,
        judge(UNKNOWN),
        "error",
        "RHEL99-64",
        UNKNOWN,
        "prune",
        "no package RHEL99-64; did somebody mean RHEL9-64?",
        id="unknown package",
    ),
    pytest.param(
        Code.UNKNOWN_PACKAGE,
        judge(NEWER),
        "warning",
        "PLAN9-64",
        NEWER,
        "catalog show",
        "no package PLAN9-64; release 9.70 is newer than the catalog",
        id="newer than the catalog",
    ),
    pytest.param(
        Code.UNKNOWN_PACKAGE,
        judge(name_of("RHEL99-64", "9.70", date="01Jan2026")),
        "warning",
        "RHEL99-64",
        name_of("RHEL99-64", "9.70", date="01Jan2026"),
        "catalog show",
        "did somebody mean RHEL9-64? release 9.70 is newer than the catalog",
        id="newer than the catalog, with a guess",
    ),
    pytest.param(
        Code.MIXED_RELEASES,
        judge(NEW, name_of(OL6, "9.65")),
        "warning",
        None,
        None,
        f"sync --package {OL6}",
        "belong to 2 releases (9.65: 1; 9.66: 1)",
        id="mixed releases",
    ),
    pytest.param(
        Code.NEWER_THAN_SERVER,
        judge(NEW, server="9.65"),
        "error",
        RHEL9,
        NEW,
        f"sync --release 9.65 --package {RHEL9}",
        "release 9.66 is newer than the server's own 9.65",
        id="newer than the server",
    ),
    pytest.param(
        Code.NEWER_THAN_SERVER,
        judge(NEW, release="9.65"),
        "error",
        RHEL9,
        NEW,
        f"sync --package {RHEL9}",
        "newer than the wanted release 9.65",
        id="newer than the wanted release",
    ),
    pytest.param(
        Code.WITHDRAWN_RELEASE,
        judge(name_of(RHEL9, "9.58")),
        "warning",
        None,
        None,
        "advise",
        "release 9.58 was withdrawn: RHEL9-64",
        id="withdrawn",
    ),
    pytest.param(
        Code.UNSUPPORTED_RELEASE,
        judge(name_of(RHEL9, "9.59")),
        "warning",
        None,
        None,
        "advise",
        "releases behind 9.66",
        id="unsupported",
    ),
    pytest.param(
        Code.VULNERABLE_RELEASE,
        judge(name_of(RHEL9, "9.48")),
        "warning",
        None,
        None,
        "advise",
        "older than the security release of July 2022",
        id="vulnerable",
    ),
    pytest.param(
        Code.MODERNIZED_ONLY,
        judge(name_of(UBUNTU)),
        "warning",
        UBUNTU,
        name_of(UBUNTU),
        f"show {UBUNTU}",
        "modernized experience alone",
        id="package for the modernized experience",
    ),
    pytest.param(
        Code.MODERNIZED_ONLY,
        judge(name_of(RHEL9, "9.56")),
        "warning",
        None,
        None,
        "advise",
        "release 9.56 was published for the modernized experience alone: RHEL9-64",
        id="release for the modernized experience",
    ),
    pytest.param(
        Code.SECOND_FOLDER_DIFFERS,
        judge(NEW, second=listing_of()),
        "warning",
        None,
        NEW,
        "prune",
        "is not in the second folder /repository",
        id="not in the second folder",
    ),
    pytest.param(
        Code.SECOND_FOLDER_DIFFERS,
        judge(second=SECOND),
        "warning",
        None,
        OLD,
        "show RHEL9-64",
        "lies only in",
        id="only in the second folder",
    ),
    pytest.param(
        Code.UNSIGNED,
        judge(
            EXE, packages=(WINDOWS,), verdicts={EXE: FileVerdict(Code.UNSIGNED, "has no signature", Severity.WARNING)}
        ),
        "warning",
        WINDOWS,
        EXE,
        f"sync --package {WINDOWS} --signatures require",
        "has no signature",
        id="unsigned",
    ),
    pytest.param(
        Code.OTHER_PUBLISHER,
        judge(EXE, verdicts={EXE: FileVerdict(Code.OTHER_PUBLISHER, "is signed by others", Severity.ERROR)}),
        "error",
        WINDOWS,
        EXE,
        "prune --signatures require",
        "is signed by others",
        id="other-publisher",
    ),
    pytest.param(
        Code.TAMPERED,
        judge(EXE, packages=(WINDOWS,), verdicts={EXE: FileVerdict(Code.TAMPERED, "its bytes are others")}),
        "error",
        WINDOWS,
        EXE,
        f"sync --package {WINDOWS}",
        "its bytes are others",
        id="tampered",
    ),
    pytest.param(
        Code.SECOND_FOLDER_DIFFERS,
        judge(NEW, second=listing_of(NEW, sizes={NEW: SIZE + 1})),
        "warning",
        None,
        NEW,
        "prune",
        "has another size in",
        id="another size in the second folder",
    ),
]


@pytest.mark.parametrize(("code", "judged", "severity", "package", "file", "fix", "words"), CASES)
def test_each_finding_says_what_where_and_how_to_mend_it(  # noqa: PLR0917 - the columns of the table
    code: Code, judged: Audit, severity: str, package: str | None, file: str | None, fix: str, words: str
) -> None:
    found = only(judged, code)
    assert found.severity is Severity(severity)
    assert (found.package, found.file) == (package, file)
    assert found.fix == f"{COMMAND} {fix}"
    assert words in found.message


@pytest.mark.parametrize(
    ("verdict", "state"),
    [
        (FileVerdict(Code.UNSIGNED, "has no signature", Severity.WARNING), PackageStatus.OK),
        (FileVerdict(Code.UNSIGNED, "has no signature"), PackageStatus.CORRUPT),
        (FileVerdict(signer="Example Agents"), PackageStatus.OK),
    ],
    ids=["a warning", "an error", "signed"],
)
def test_a_warning_about_a_signature_does_not_make_a_file_corrupt(verdict: FileVerdict, state: PackageStatus) -> None:
    (line,) = judge(EXE, packages=(WINDOWS,), verdicts={EXE: verdict}).packages
    assert (line.state, line.signer) == (state, verdict.signer or None)


def test_every_code_has_a_case() -> None:
    of_machines = {Code.MACHINE_WITHOUT_PACKAGE, Code.MACHINE_AMBIGUOUS, Code.KERNEL_NOT_SUPPORTED}
    assert {case.values[0] for case in CASES} == set(Code) - of_machines


# What is no finding.


@pytest.mark.parametrize(
    "judged",
    [
        pytest.param(judge(*ALL[:4], packages=()), id="complete"),
        pytest.param(judge(*ALL, packages=(), classic=False), id="complete, modernized"),
        pytest.param(judge(NEW, "RHEL9-64_pushinstallclient.tar.gz"), id="push clients are nobody's business"),
        pytest.param(judge(NEW, second=listing_of(NEW, "who-to-call.txt")), id="foreign files of the second folder"),
        pytest.param(judge(NEW, server="9.66"), id="as new as the server"),
        pytest.param(judge(name_of(RHEL9, "9.56"), release="9.56", classic=False), id="a modernized release there"),
        pytest.param(judge(name_of(RHEL9, date="22Sep2025")), id="a later build"),
    ],
)
def test_a_healthy_repository_has_no_error(judged: Audit) -> None:
    assert [finding for finding in judged.findings if finding.code is not Code.UNSUPPORTED_RELEASE] == []


def test_a_package_that_is_not_wanted_is_not_outdated() -> None:
    judged = judge(NEW, name_of(OL6, "9.65"))
    assert all(finding.code is Code.MIXED_RELEASES for finding in judged.findings)


def test_a_package_that_is_superseded_is_not_judged_for_the_experience_too() -> None:
    judged = judge(name_of(UBUNTU, "9.65"), name_of(UBUNTU))
    assert only(judged, Code.MODERNIZED_ONLY).file == name_of(UBUNTU)


# States.


@pytest.mark.parametrize(
    ("judged", "state"),
    [
        pytest.param(judge(NEW), PackageStatus.OK, id="there"),
        pytest.param(judge(), PackageStatus.MISSING, id="missing"),
        pytest.param(judge(OLD), PackageStatus.OUTDATED, id="outdated"),
        pytest.param(judge(OLD, NEW), PackageStatus.DUPLICATE, id="doubled"),
        pytest.param(judge(OLD, name_of(RHEL9, "9.64")), PackageStatus.OUTDATED, id="outdated and doubled: outdated"),
        pytest.param(judge(OLD, NEW, verdicts=CUT), PackageStatus.CORRUPT, id="one of two is broken"),
        pytest.param(judge(NEW, sizes={NEW: 0}), PackageStatus.CORRUPT, id="empty"),
        pytest.param(judge(NEW, verdicts={NEW: FileVerdict()}), PackageStatus.OK, id="read and good"),
    ],
)
def test_each_package_has_one_state(judged: Audit, state: PackageStatus) -> None:
    (line,) = judged.packages
    assert line.state is state


def test_a_line_says_what_is_there_and_what_is_wanted() -> None:
    judged = judge(OLD, name_of(OL6, "9.59"))
    assert judged.packages == (
        PackageLine(RHEL9, True, True, PackageStatus.OUTDATED, OLD, "9.65.0.0", "9.66.0.0"),
        PackageLine(OL6, False, False, PackageStatus.OK, name_of(OL6, "9.59"), "9.59.0.0", None),
    )


def test_lines_are_in_catalog_order_and_findings_gravest_first() -> None:
    judged = judge("notes.txt", COPY, name_of(UBUNTU), name_of(OL6, "9.65"), packages=())
    assert [line.package for line in judged.packages] == list(TOKENS)
    assert [finding.severity for finding in judged.findings] == sorted(
        (finding.severity for finding in judged.findings), key=["error", "warning", "info"].index
    )
    assert judged.count(Severity.ERROR) == 5
    assert judged.count(Severity.WARNING) == 2
    assert judged.count(Severity.INFO) == 1


def test_classic_and_modernized_want_different_packages() -> None:
    assert judge(packages=()).count(Severity.ERROR) == 4
    assert judge(packages=(), classic=False).count(Severity.ERROR) == 5


def test_a_modernized_server_may_have_what_is_modernized_alone() -> None:
    assert judge(name_of(UBUNTU), packages=(UBUNTU,), classic=False).findings == ()


# Helpers that others use.


@pytest.mark.parametrize(
    ("name", "replaceable"), [(UNKNOWN, True), (NEWER, False), (NEW, False)], ids=["a mistake", "newer", "known"]
)
def test_only_an_unknown_package_of_a_known_release_is_surely_a_mistake(name: str, replaceable: bool) -> None:  # noqa: FBT001 - a row
    (file,) = listing_of(name).files
    assert file.installer is not None
    assert findings.replaceable(file.installer, SMALL) is replaceable


def test_what_is_no_installer_is_never_superseded() -> None:
    listing = listing_of(OLD, NEW, COPY)
    assert {file.name: findings.superseded(file, listing) for file in listing.files} == {
        OLD: True,
        NEW: False,
        COPY: False,
    }


def test_a_full_folder_of_the_real_catalog_is_healthy() -> None:
    links = REAL.links(REAL.latest)
    listing = listing_of(*(link.name.text for link in links), known=REAL)
    judged = findings.audit(listing, select(Request(classic=False), listing, REAL), REAL, AuditFacts({}, classic=False))
    assert judged.findings == ()
    assert {line.state for line in judged.packages} == {PackageStatus.OK}
    assert len(judged.packages) == len(links) == 26


def test_an_audit_is_the_same_whenever_it_is_asked() -> None:
    listing = listing_of(OLD, COPY)
    assert audit_of(listing, selection_of(listing)) == audit_of(listing, selection_of(listing))
