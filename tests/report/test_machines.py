"""The machines of an inventory, for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inventory_world import inventory, machine
from simulator import CUT_OFF, SMALL, answered, assessment_of, audit_of, listing_of, name_of, selection_of

from repo_manager.core.audit import machine_readiness
from repo_manager.core.audit.machine_readiness import ReadinessContext
from repo_manager.core.inventory import Inventory, RowProblem, Wording
from repo_manager.report import machines, tables

if TYPE_CHECKING:
    from repo_manager.core.audit.findings import Severity
    from repo_manager.core.audit.machine_readiness import InventoryReadiness


def judged(listed: Inventory) -> InventoryReadiness:
    listing = listing_of(name_of("RHEL9-64"))
    audit = audit_of(listing, selection_of(listing, "RHEL9-64", release="latest"))
    return machine_readiness.judge(listed, answered(listed), audit, ReadinessContext(SMALL, classic=False))


def marked(line: str, severity: Severity) -> str:
    return f"<{severity}>{line}</>"


def plain(line: str, _: Severity) -> str:
    return line


def lines(listed: Inventory, width: int = 80) -> list[str]:
    return machines.lines(judged(listed), width, plain)


def test_an_inventory_without_machines_says_so() -> None:
    assert lines(inventory()) == ["inventory list.csv: 0 machines", ""]


def test_what_machines_need_comes_first_and_what_is_not_there_is_painted() -> None:
    listed = inventory(machine("a", "RHEL 9.2"), machine("b", "RHEL 9.2"), machine("c", "OL 6.4"))
    assert machines.lines(judged(listed), 80, marked) == [
        "inventory list.csv: 3 machines",
        "",
        "NEEDED    MACHINES  STATE    VERSION   WANTED",
        "RHEL9-64         2  ok       9.66.0.0  9.66.0.0",
        "<error>OL6-64           1  missing  -         9.66.0.0</>",
        "",
        "<error>error machine-without-package (1)</>: the package they need is not there",
        "  OL6-64: 1 machine: c",
        "",
        "3 machines: 2 ready, 1 without package",
        "each machine: --format csv, or --json",
    ]


def test_a_package_that_is_there_and_not_whole_is_told_apart() -> None:
    name = name_of("RHEL9-64")
    listing = listing_of(name)
    audit = audit_of(listing, selection_of(listing, "RHEL9-64", release="latest"), {name: CUT_OFF})
    listed = inventory(machine("a", "RHEL 9.2"), machine("b", "OL 6.4"))
    found = machine_readiness.judge(listed, answered(listed), audit, ReadinessContext(SMALL, classic=False))
    told = machines.lines(found, 80, plain)
    assert told[6:10] == [
        "error machine-without-package (2): their package is not there, or not whole",
        "  OL6-64: 1 machine: b",
        "  RHEL9-64: 1 machine: a",
        "    an installer is there, and it is not whole, or not what its name promises",
    ]


def test_of_many_kinds_the_first_are_shown_and_the_others_counted() -> None:
    listed = inventory(*(machine(f"m{number}", f"Solaris {number}") for number in range(11)))
    shown = lines(listed)
    assert sum(line.startswith("  Solaris") for line in shown) == 8
    assert "  and 3 machines of 3 other kinds" in shown


def test_of_many_machines_the_first_are_named() -> None:
    shown = lines(inventory(*(machine(f"m{number}", "Solaris") for number in range(5))))
    assert "  Solaris: 5 machines: m0, m1, m2, ..." in shown


def test_long_words_are_cut_and_words_of_several_lines_are_one() -> None:
    shown = lines(inventory(machine("m", "so many\nwords " + "x" * 80)))
    (line,) = [line for line in shown if line.startswith("  so many words x")]
    assert "x...: 1 machine: m" in line


def test_only_kinds_of_which_all_words_are_weak_are_marked() -> None:
    listed = inventory(
        machine("a", "Solaris", wording=Wording.CONFIGURED),
        machine("b", "Solaris", wording=Wording.TOOLS),
        machine("c", "Fedora", wording=Wording.CONFIGURED),
    )
    shown = lines(listed)
    assert "  Solaris: 2 machines: a, b" in shown
    assert "  Fedora (as configured): 1 machine: c" in shown


def test_of_many_remarks_the_first_are_shown() -> None:
    troubles = tuple(RowProblem(f"line {number}", "", "has no name") for number in range(2, 10))
    shown = lines(Inventory("list.csv", (), troubles=troubles))
    assert shown[2:9] == [
        "remarks on the inventory (8)",
        *(f"  line {number}: has no name" for number in range(2, 7)),
        "  and 3 more, all of them with --json",
    ]


def test_no_line_is_wider_than_it_may_be() -> None:
    listed = inventory(
        *(
            machine(f"a-machine-with-a-long-name-{number:04}.example.org", "SUSE Linux Enterprise 11")
            for number in range(40)
        ),
        machine("k", "Debian"),
    )
    assert max(map(len, "\n".join(lines(listed)).splitlines())) <= 80


def test_the_table_tells_machines_apart_from_packages() -> None:
    listed = inventory(machine("a", "OL 6.4"), machine("b", "SLES 11"))
    listing = listing_of(name_of("RHEL9-64"))
    audit = audit_of(listing, selection_of(listing, "RHEL9-64", release="latest"))
    about = ReadinessContext(SMALL, classic=False)
    outlooks = machine_readiness.judge(listed, answered(listed), audit, about)
    found = tuple(machine_readiness.findings_of(outlooks, audit, about))
    whole = type(audit)(audit.repository, audit.release, audit.packages, (*found, *audit.findings))
    shown = tables.audit(assessment_of(whole, outlooks=outlooks), 80, plain).splitlines()
    assert sum("machine-without-package" in line for line in shown if line.startswith("error")) == 1
    assert shown.index("inventory list.csv: 2 machines") < shown.index("1 error, 1 warning, 0 notes")
