"""What each machine can expect: tables of machines against an audit, and ten thousand against `resolve`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest
from inventory_world import RVTOOLS, inventory, machine, made_up, real_texts
from simulator import CUT_OFF, SMALL, answered, audit_of, listing_of, name_of, resolve, selection_of

from repo_manager.core.audit import machine_readiness
from repo_manager.core.audit.findings import Code, FileVerdict, PackageStatus, Severity
from repo_manager.core.audit.machine_readiness import (
    MachineGroup,
    MachineReadiness,
    PackageNeed,
    Readiness,
    ReadinessContext,
)
from repo_manager.core.inventory import Inventory, Row, Wording, from_rows
from repo_manager.core.kernels import Supported
from repo_manager.core.names import Token

if TYPE_CHECKING:
    from repo_manager.core.audit.findings import Audit, Finding
    from repo_manager.core.audit.machine_readiness import InventoryReadiness
    from repo_manager.core.inventory import Machine

UBUNTU: Final = Token("UBUNTU-24.04-64")
MODERN: Final = ReadinessContext(SMALL, classic=False)
CLASSIC: Final = ReadinessContext(SMALL)


def audit_with(*present: str, wanted: tuple[str, ...] = ()) -> Audit:
    listing = listing_of(*present)
    return audit_of(listing, selection_of(listing, *wanted, release="latest"))


def judged(audit: Audit, about: ReadinessContext, *machines: Machine) -> InventoryReadiness:
    listed = inventory(*machines)
    return machine_readiness.judge(listed, answered(listed), audit, about)


def only(audit: Audit, about: ReadinessContext, one: Machine) -> tuple[MachineReadiness, Finding | None]:
    outlooks = judged(audit, about, one)
    found = list(machine_readiness.findings_of(outlooks, audit, about))
    assert len(found) <= 1
    return outlooks.machines[0], found[0] if found else None


# Prospects


def test_a_machine_whose_package_is_there_is_ready() -> None:
    name = name_of("RHEL8-64")
    found, finding = only(audit_with(name), CLASSIC, machine("web", "RHEL 8.4"))
    assert (found.prospect, found.package, found.file) == (Readiness.READY, "RHEL8-64", name)
    assert finding is None


def test_a_machine_whose_package_is_old_is_told_apart_and_no_finding() -> None:
    found, finding = only(audit_with(name_of("RHEL8-64", "9.64")), CLASSIC, machine("web", "RHEL 8.4"))
    assert (found.prospect, found.why) == (
        Readiness.NOT_CURRENT,
        "RHEL8-64 is in the repository, but older than wanted",
    )
    assert finding is None


NEW_RHEL8: Final = name_of("RHEL8-64")
OLD_RHEL8: Final = name_of("RHEL8-64", "9.64")
UNSIGNED: Final = FileVerdict(Code.UNSIGNED, "has no signature")
UNREADABLE: Final = FileVerdict(Code.CORRUPT, "cannot be read", read=False)


@pytest.mark.parametrize(
    ("verdicts", "prospect"),
    [
        pytest.param({NEW_RHEL8: CUT_OFF}, Readiness.WITHOUT_PACKAGE, id="cut off"),
        pytest.param(
            {NEW_RHEL8: FileVerdict(Code.MISLABELLED, "?")}, Readiness.WITHOUT_PACKAGE, id="another package's"
        ),
        pytest.param({NEW_RHEL8: FileVerdict(Code.TAMPERED, "?")}, Readiness.WITHOUT_PACKAGE, id="not what was signed"),
        pytest.param({NEW_RHEL8: CUT_OFF, OLD_RHEL8: CUT_OFF}, Readiness.WITHOUT_PACKAGE, id="both cut off"),
        pytest.param({NEW_RHEL8: CUT_OFF, OLD_RHEL8: FileVerdict()}, Readiness.NOT_CURRENT, id="an older one is whole"),
        pytest.param({NEW_RHEL8: UNSIGNED}, Readiness.NOT_CURRENT, id="whole and not signed"),
        pytest.param({NEW_RHEL8: UNREADABLE}, Readiness.NOT_CURRENT, id="nobody could read it"),
    ],
)
def test_a_package_of_which_no_installer_is_whole_is_as_good_as_none(
    verdicts: dict[str, FileVerdict], prospect: Readiness
) -> None:
    listing = listing_of(*verdicts)
    audit = audit_of(listing, selection_of(listing, release="latest"), verdicts)
    found, finding = only(audit, CLASSIC, machine("web", "RHEL 8.4"))
    assert found.prospect is prospect
    assert (finding is not None) == (prospect is Readiness.WITHOUT_PACKAGE)
    if finding is not None:
        assert (finding.code, finding.severity) == (Code.MACHINE_WITHOUT_PACKAGE, Severity.ERROR)
        assert (
            finding.message
            == "the installer for RHEL8-64 in the repository is not whole, or not what its name promises"
        )
        assert finding.fix == "repo-manager sync --package RHEL8-64"


@pytest.mark.parametrize("wanted", [(), ("OL6-64",)], ids=["wanted", "not wanted"])
def test_a_machine_without_package_is_an_error_with_a_command(wanted: tuple[str, ...]) -> None:
    found, finding = only(audit_with(wanted=wanted), CLASSIC, machine("web", "RHEL 8.4"))
    assert (found.prospect, found.file) == (Readiness.WITHOUT_PACKAGE, None)
    assert finding is not None
    assert (finding.code, finding.severity, finding.machine, finding.package) == (
        Code.MACHINE_WITHOUT_PACKAGE, Severity.ERROR, "web", "RHEL8-64",
    )  # fmt: skip
    assert finding.message == "no installer for RHEL8-64 is in the repository"
    assert finding.fix == "repo-manager sync --package RHEL8-64"


def test_a_package_that_has_no_link_is_shown_and_not_fetched() -> None:
    about = ReadinessContext(
        SMALL, classic=False, command="repo-manager --profile appliance", sync="sync --release 9.66"
    )
    found, finding = only(audit_with(), about, machine("web", "Debian 12"))
    assert (found.prospect, found.package) == (Readiness.WITHOUT_PACKAGE, "DEBIAN12-64")
    assert finding is not None
    assert finding.fix == "repo-manager --profile appliance show DEBIAN12-64"


def test_a_release_that_the_catalog_does_not_know_has_no_links() -> None:
    listing = listing_of(name_of("RHEL9-64", "9.48"))
    audit = audit_of(listing, selection_of(listing, release="9.48"))
    found, finding = only(audit, CLASSIC, machine("web", "OL 6.4"))
    assert found.prospect is Readiness.WITHOUT_PACKAGE
    assert finding is not None
    assert finding.fix == "repo-manager show OL6-64"


def test_words_that_were_only_configured_are_marked_in_the_finding() -> None:
    _, finding = only(audit_with(), CLASSIC, machine("web", "rhel8_64Guest", wording=Wording.CONFIGURED))
    assert finding is not None
    assert finding.message.endswith("in the repository (from the configured type, which may be wrong)")


def test_an_ambiguous_machine_is_a_warning_that_says_what_would_settle_it() -> None:
    found, finding = only(audit_with(), CLASSIC, machine("web", "SUSE Linux Enterprise 11 (64-bit)"))
    assert (found.prospect, found.package) == (Readiness.AMBIGUOUS, None)
    assert finding is not None
    assert (finding.code, finding.severity) == (Code.MACHINE_AMBIGUOUS, Severity.WARNING)
    assert finding.message.startswith("could be any of SLES11-SP3-64, SLES11-SP4-64: ")
    assert "would settle it" in finding.message
    assert finding.fix == 'repo-manager resolve "SUSE Linux Enterprise 11 (64-bit)"'


@pytest.mark.parametrize(
    "words",
    ['Rocky Linux"; rm -rf ~; "', "Rocky Linux $(id)", "Rocky Linux `id`", "Rocky Linux %PATH%", "-Rocky Linux"],
)
def test_words_that_a_shell_would_read_are_not_part_of_a_command(words: str) -> None:
    _, finding = only(audit_with(), CLASSIC, machine("web", words))
    assert finding is not None
    assert finding.fix == "repo-manager show RHEL8-64"


@pytest.mark.parametrize(
    ("words", "prospect"),
    [("Solaris 11", Readiness.UNSUPPORTED), ("asdf", Readiness.UNKNOWN), ("", Readiness.UNKNOWN)],
)
def test_unsupported_and_unknown_systems_are_no_findings(words: str, prospect: Readiness) -> None:
    found, finding = only(audit_with(), CLASSIC, machine("web", words))
    assert (found.prospect, found.why) == (prospect, resolve(words).why)
    assert finding is None


@pytest.mark.parametrize(
    ("system", "reason"),
    [("Ubuntu 24.04", "the package is"), ("RHEL 8.10", "the package serves older releases too")],
)
def test_what_only_the_modernized_experience_supports_is_a_warning_in_a_classic_one(system: str, reason: str) -> None:
    audit = audit_with(name_of("RHEL8-64"), name_of("UBUNTU-24.04-64"))
    found, finding = only(audit, CLASSIC, machine("web", system))
    assert found.prospect is Readiness.MODERNIZED_ONLY, reason
    assert finding is not None
    assert (finding.code, finding.severity) == (Code.MODERNIZED_ONLY, Severity.WARNING)
    assert finding.fix == f"repo-manager show {found.package}"
    assert only(audit, MODERN, machine("web", system))[0].prospect is Readiness.READY


# Kernels


def with_kernels(*lines: str) -> ReadinessContext:
    return ReadinessContext(SMALL, classic=False, kernels={UBUNTU: Supported(lines)})


def test_a_kernel_that_is_not_supported_is_an_error_that_names_the_closest() -> None:
    about = with_kernels("6.8.0-31-generic", "6.8.0-40-generic")
    found, finding = only(audit_with(name_of(UBUNTU)), about, machine("web", "Ubuntu 24.04", kernel="6.8.0-35-generic"))
    assert (found.prospect, found.closest_kernel) == (Readiness.KERNEL_NOT_SUPPORTED, "6.8.0-31-generic")
    assert finding is not None
    assert (finding.code, finding.severity, finding.file) == (
        Code.KERNEL_NOT_SUPPORTED, Severity.ERROR, name_of(UBUNTU),
    )  # fmt: skip
    assert finding.message == (
        "kernel 6.8.0-35-generic is not supported by UBUNTU-24.04-64 9.66.0.0; the closest that is: 6.8.0-31-generic"
    )
    assert finding.fix == "repo-manager show UBUNTU-24.04-64"


def test_where_the_installer_is_old_a_newer_one_may_support_the_kernel() -> None:
    audit = audit_with(name_of(UBUNTU, "9.64"), wanted=(UBUNTU,))
    about = with_kernels("6.8.0-31-generic")
    found, finding = only(audit, about, machine("web", "Ubuntu 24.04", kernel="6.8.0-35-azure"))
    assert (found.prospect, found.closest_kernel) == (Readiness.KERNEL_NOT_SUPPORTED, "6.8.0-31-generic")
    assert finding is not None
    assert "neither is any other azure kernel" in finding.message
    assert finding.fix == "repo-manager sync --package UBUNTU-24.04-64"


@pytest.mark.parametrize(
    ("listed", "closest", "words"),
    [
        pytest.param(
            ("5.15.0-31-generic", "6.8.0-9-generic", "6.8.0-40-generic", "6.8.0-30-azure"),
            "6.8.0-40-generic",
            "neither is any other gcp kernel; the newest that is, of the same series: 6.8.0-40-generic",
            id="of another flavour the newest of its series",
        ),
        pytest.param(
            ("5.15.0-31-generic", "6.11.0-9-azure"),
            None,
            "neither is any other gcp kernel; it supports azure, generic",
            id="of its series none",
        ),
        pytest.param(
            ("6.8.0-1-realtime",),
            "6.8.0-1-realtime",
            "neither is any other gcp kernel; the newest that is, of the same series: 6.8.0-1-realtime",
            id="of a flavour that is rare",
        ),
    ],
)
def test_of_a_flavour_that_is_not_listed_the_nearest_thing_is_named(
    listed: tuple[str, ...], closest: str | None, words: str
) -> None:
    about = with_kernels(*listed)
    found, _ = only(audit_with(name_of(UBUNTU)), about, machine("w", "Ubuntu 24.04", kernel="6.8.0-1035-gcp"))
    assert (found.prospect, found.closest_kernel) == (Readiness.KERNEL_NOT_SUPPORTED, closest)
    assert found.why.endswith(words)


@pytest.mark.parametrize(
    ("kernel", "lines", "reason"),
    [
        ("6.8.0-31-generic", ("6.8.0-31-generic",), "it is supported"),
        ("6.8.0-35-generic", (), "an empty list says nothing"),
        (None, ("6.8.0-31-generic",), "nobody knows the kernel"),
        ("Linux", ("6.8.0-31-generic",), "this is no kernel"),
    ],
)
def test_a_kernel_is_no_finding(kernel: str | None, lines: tuple[str, ...], reason: str) -> None:
    audit = audit_with(name_of(UBUNTU))
    found, _ = only(audit, with_kernels(*lines), machine("web", "Ubuntu 24.04", kernel=kernel))
    assert found.prospect is Readiness.READY, reason
    assert found.kernel_judged == (reason == "it is supported")


def test_the_list_of_an_installer_that_is_not_whole_is_not_believed() -> None:
    name = name_of(UBUNTU)
    listing = listing_of(name)
    audit = audit_of(listing, selection_of(listing, release="latest"), {name: CUT_OFF})
    about = with_kernels("6.8.0-31-generic")
    found, _ = only(audit, about, machine("web", "Ubuntu 24.04", kernel="6.8.0-99-generic"))
    assert (found.prospect, found.kernel_judged) == (Readiness.WITHOUT_PACKAGE, False)


def test_only_installers_that_list_kernels_are_asked_and_only_for_machines_with_one() -> None:
    listed = inventory(
        machine("a", "Ubuntu 24.04", kernel="6.8.0-31-generic"),
        machine("b", "Debian 12"),
        machine("c", "RHEL 9.2", kernel="5.14.0-284.el9.x86_64"),
        machine("d", "Ubuntu", kernel="6.8.0-31-generic"),
    )
    assert machine_readiness.with_kernels(listed, answered(listed)) == {UBUNTU}


# All together


def test_needs_are_counted_by_package_the_most_needed_first() -> None:
    audit = audit_with(name_of("RHEL9-64"), name_of("OL6-64", "9.64"))
    outlooks = judged(
        audit,
        MODERN,
        machine("a", "OL 6.4"),
        machine("b", "RHEL 9.2"),
        machine("c", "RHEL 8.2"),
        machine("d", "Oracle Linux 6.10"),
        machine("e", "Debian 12"),
        machine("f", "what"),
    )
    assert outlooks.needs == (
        PackageNeed(Token("OL6-64"), 2, PackageStatus.OUTDATED, name_of("OL6-64", "9.64"), "9.64.0.0", "9.66.0.0"),
        PackageNeed(Token("RHEL9-64"), 1, PackageStatus.OK, name_of("RHEL9-64"), "9.66.0.0", "9.66.0.0"),
        PackageNeed(Token("RHEL8-64"), 1, PackageStatus.MISSING, None, None, "9.66.0.0"),
        PackageNeed(Token("DEBIAN12-64"), 1, PackageStatus.MISSING, None, None, None),
    )
    assert outlooks.count(Readiness.WITHOUT_PACKAGE) == 2


def test_machines_of_which_the_same_is_said_are_one_group_and_the_largest_comes_first() -> None:
    about = with_kernels("6.8.0-31-generic")
    outlooks = judged(
        audit_with(name_of(UBUNTU)),
        about,
        machine("a", "Rocky Linux"),
        machine("b", "AlmaLinux"),
        machine("c", "Rocky Linux"),
        machine("d", "RHEL 8.2"),
        machine("e", "Ubuntu 24.04", kernel="6.8.0-99-generic"),
        machine("f", "Ubuntu 24.04"),
        machine("g", ""),
    )
    told = {
        prospect: [(group.subject, [found.machine.name for found in group.machines]) for group in groups]
        for prospect, groups in machine_readiness.grouped(outlooks).items()
    }
    assert told == {
        Readiness.WITHOUT_PACKAGE: [("RHEL8-64", ["d"])],
        Readiness.KERNEL_NOT_SUPPORTED: [("UBUNTU-24.04-64, 6.8.0-99-generic", ["e"])],
        Readiness.AMBIGUOUS: [("Rocky Linux", ["a", "c"]), ("AlmaLinux", ["b"])],
        Readiness.UNKNOWN: [("nothing said", ["g"])],
    }
    assert isinstance(machine_readiness.grouped(outlooks)[Readiness.UNKNOWN][0], MachineGroup)


def test_what_the_inventory_says_of_itself_is_handed_on() -> None:
    listed = Inventory("list.csv", (), 3, 2, ())
    outlooks = machine_readiness.judge(listed, (), audit_with(), CLASSIC)
    assert (outlooks.inventory, outlooks.machines, outlooks.templates, outlooks.placeholders) == ("list.csv", (), 3, 2)


# Ten thousand


@pytest.fixture(scope="module")
def ten_thousand() -> Inventory:
    rows = [Row("line 1", RVTOOLS)]
    rows += [Row(f"line {at}", tuple(map(str, row))) for at, row in enumerate(made_up(10_000), 2)]
    return from_rows("made-up.csv", rows)


def test_ten_thousand_machines_have_the_answers_that_resolve_gives_one_by_one(ten_thousand: Inventory) -> None:
    outlooks = machine_readiness.judge(ten_thousand, answered(ten_thousand), audit_with(), CLASSIC)
    assert len(outlooks.machines) > 9_000
    for found in outlooks.machines:
        assert found.answer == resolve(found.machine.system)


def test_every_text_of_the_real_world_is_among_them_and_has_its_own_answer(ten_thousand: Inventory) -> None:
    answers = {one.system: answer for one, answer in zip(ten_thousand.machines, answered(ten_thousand), strict=True)}
    assert {text: answers.get(text) for text in real_texts()} == {text: resolve(text) for text in real_texts()}


def test_ten_thousand_machines_are_taken_or_left_out_and_none_is_lost(ten_thousand: Inventory) -> None:
    counted = len(ten_thousand.machines) + ten_thousand.templates + ten_thousand.placeholders
    assert (counted, ten_thousand.troubles) == (10_000, ())
    outlooks = machine_readiness.judge(ten_thousand, answered(ten_thousand), audit_with(), CLASSIC)
    assert sum(outlooks.count(prospect) for prospect in Readiness) == len(ten_thousand.machines)
    assert all(outlooks.count(prospect) for prospect in (Readiness.AMBIGUOUS, Readiness.UNSUPPORTED, Readiness.UNKNOWN))
