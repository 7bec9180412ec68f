from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from repo_manager.core import catalog
from repo_manager.core.catalog import Catalog, ForClassic, link_list
from repo_manager.core.errors import DocumentError, InputError
from repo_manager.core.names import WINDOWS, Release, Token

HERE = Path(__file__).parents[2]
TEXT = (HERE.parent / "catalog.yaml").read_text(encoding="utf-8")
PUBLISHED = (HERE / "data" / "AgentDownloadLinks.md").read_text(encoding="utf-8")
HOSTS = frozenset({"download.microsoft.com"})
BASE = "https://download.microsoft.com/download/x"
REAL = catalog.parse(TEXT)


def address(release: str, token: str, build: str = "0.0") -> str:
    extension = "exe" if token == WINDOWS else "tar.gz"
    return f"{BASE}/Microsoft-ASR_UA_{release}.{build}_{token}_GA_01Mar2027_release.{extension}"


def listing(*rows: tuple[str, str] | tuple[str, str, str]) -> str:
    """A list of links as it is published, from (release, token[, build]) in order."""
    lines: list[str] = []
    for release in dict.fromkeys(row[0] for row in rows):
        lines += [f"### Version {release}", ""]
        lines += [f"- [{row[1]}][{row[1]}-{release}]" for row in rows if row[0] == release]
    lines += ["", *(f"[{row[1]}-{row[0]}]: {address(*row)}" for row in rows)]
    return "\n".join(lines) + "\n"


def taken_in(text: str, markdown: str) -> str:
    parsed = catalog.parse(text)
    return link_list.amend(text, parsed, link_list.difference(parsed, link_list.parse(markdown, HOSTS)))


# Reading a list.


def test_the_published_list_reads_without_a_problem() -> None:
    listed = link_list.parse(PUBLISHED, HOSTS)
    assert {str(release): len(links) for release, links in listed.releases.items()} == {
        "9.66": 26,
        "9.65": 26,
        "9.64": 26,
    }
    assert listed.problems == ()


def test_a_mistyped_label_is_remarked_on_and_the_file_name_counts() -> None:
    listed = link_list.parse(PUBLISHED, HOSTS)
    assert [remark.message for remark in listed.remarks] == [
        "the label says RHELP6-64 and the file name RHEL6-64; the name counts"
    ]
    assert Token("RHEL6-64") in {link.token for link in listed.releases[Release(9, 64)]}


def test_the_published_list_holds_nothing_that_the_catalog_does_not_have() -> None:
    found = link_list.difference(REAL, link_list.parse(PUBLISHED, HOSTS))
    assert (found.wanted, found.new_releases, found.unknown) == ((), (), ())
    assert len(found.unchanged) == 78
    assert [(str(link.release), link.token) for link in found.kept] == [("9.36", "SLES11-SP3-64")]
    assert link_list.amend(TEXT, REAL, found) is TEXT


LINK = address("9.66", "RHEL9-64")


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        (f"- [RHEL9-64][ref]\n[ref]: {LINK}", "a reference"),
        (f"* [RHEL9-64][REF]\n[ref]: <{LINK}>", "references know no case"),
        (f"+ [RHEL9-64][]\n[rhel9-64]: {LINK} 'a title'", "an empty reference takes the label"),
        (f"- [RHEL9-64]\n   [RHEL9-64]: {LINK}", "so does none"),
        (f"  - [RHEL9-64]({LINK})", "an address in place"),
        (f"- [RHEL9-64](<{LINK}>)\r\n", "in angle brackets, with a Windows line end"),
    ],
)
def test_every_way_to_write_a_link_in_markdown_is_read(item: str, reason: str) -> None:
    listed = link_list.parse(f"## Version 9.66 ##\n\n{item}\n", HOSTS)
    assert [link.url for links in listed.releases.values() for link in links] == [LINK], reason
    assert (listed.problems, listed.remarks) == ((), ()), reason


@pytest.mark.parametrize(
    ("text", "line", "part", "reason"),
    [
        ("### Version 9.66\n- [RHEL9-64][nope]", 2, "the reference [nope] is not defined", "undefined reference"),
        (f"- [RHEL9-64]({LINK})", 1, "stands under no heading that names a version", "before any heading"),
        (f"### Version 9.66\n## Notes\n- [RHEL9-64]({LINK})", 3, "under no heading", "another heading ends a section"),
        (f"### Version 9.65\n- [RHEL9-64]({LINK})", 2, "is of release 9.66 and stands under 9.65", "other release"),
        (f"### Version 9.66\n- [R]({LINK.replace('https', 'http')})", 2, "is not an https address", "http"),
        (f"### Version 9.66\n- [R]({LINK.replace('download.m', 'evil.m')})", 2, "'evil.microsoft.com'", "host"),
        (f"### Version 9.66\n- [R]({BASE}/readme.txt)", 2, "does not begin with Microsoft-ASR_UA_", "no installer"),
        (f"### Version 9.66\n- [R]({LINK})\n- [R]({LINK})", 3, "RHEL9-64 is already listed for 9.66", "twice"),
        (f"### Version 9.66\n- [R][a]\n[a]: {LINK}\n[A]: {LINK}x", 4, "already defined on line 3", "two definitions"),
        ("<!DOCTYPE html>\n<p>Sign in</p>", 1, "no heading such as '### Version 9.66'", "a login page"),
        ("", 1, "no heading such as", "nothing"),
        ("x" * (4 * 1024 * 1024 + 1), 1, "longer than 4194304 characters", "too long"),
    ],
)
def test_what_cannot_be_used_is_left_out_and_reported(text: str, line: int, part: str, reason: str) -> None:
    listed = link_list.parse(text, HOSTS)
    assert [problem.line for problem in listed.problems if part in problem.message] == [line], (reason, listed)


def test_a_reference_that_nobody_uses_is_remarked_on() -> None:
    listed = link_list.parse(f"### Version 9.66\n- [RHEL9-64]({LINK})\n[more]: {LINK}\n", HOSTS)
    assert [str(remark) for remark in listed.remarks] == [
        "line 3, column 1: the reference [more] is defined and not used"
    ]


@given(st.text(max_size=300))
@example("- [" * 50)
@example("[a]: " + "<" * 100)
@example("# " * 100)
def test_any_text_is_a_list_or_a_list_of_problems(text: str) -> None:
    listed = link_list.parse(text, HOSTS)
    assert listed.releases or listed.problems


# Comparing.


def test_a_difference_says_what_is_new_changed_and_kept() -> None:
    listed = link_list.parse(
        listing(("9.68", "Windows"), ("9.66", "RHEL9-64"), ("9.68", "DEBIAN13-64"), ("9.67", "OL9-64")), HOSTS
    )
    found = link_list.difference(REAL, listed)
    assert found.new_releases == (Release(9, 68),)
    assert [(str(link.release), link.token) for link in found.added] == [("9.68", "Windows"), ("9.67", "OL9-64")]
    assert [change.before.token for change in found.changed] == ["RHEL9-64"]
    assert [link.token for link in found.unknown] == ["DEBIAN13-64"]
    assert len(found.kept) == 78
    assert link_list.describe(found) == (
        "new release 9.68",
        f"+ 9.68 Windows  {address('9.68', 'Windows')}",
        f"+ 9.67 OL9-64  {address('9.67', 'OL9-64')}",
        f"~ 9.66 RHEL9-64  {address('9.66', 'RHEL9-64')}",
        f"  was {found.changed[0].before.url}",
        "? 9.68 DEBIAN13-64  no package of this name, left out",
        "2 added, 1 changed, 0 unchanged, 78 kept that the list does not have",
    )


# Taking a list in.

SMALL = """\
# A catalog.
schema: 1
hosts: [download.microsoft.com]
support_window: 4
vulnerable_below: "9.49.6395.1"
sources: {}
packages:
  Windows: {systems: [a], extension: .exe}   # the only exe
  RHEL9-64: {systems: [b], extension: .tar.gz}
  OL9-64: {systems: [c], extension: .tar.gz}

releases:   # the known ones

  # The newest.
  # It has two links.
  "9.66":
    for_classic: "yes"
    links:
      # first
      Windows: https://download.microsoft.com/x/Microsoft-ASR_UA_9.66.0.0_Windows_GA_01Mar2027_release.exe   # said so
      # last
      OL9-64:
        url: https://download.microsoft.com/x/Microsoft-ASR_UA_9.66.0.0_OL9-64_GA_01Mar2027_release.tar.gz
        size_bytes: 12
      # nothing more

  "9.60": {for_classic: "no"}
  "9.59":
    note: no links yet  # so far
    for_classic: "yes"

# The end.
aliases: {OEL-64: OL9-64}
"""

HEAD, _, REST = SMALL.partition("  # The newest.")
BLOCK_967 = f"""\
  "9.67":
    builds: ["9.67.7900.1"]
    for_classic: "unclear"
    note: "Taken in from a list of links; its rollup, and whether it is for classic servers, are not noted yet."
    links:
      Windows: {address("9.67", "Windows")}
      OL9-64: {address("9.67", "OL9-64", "7900.1")}

"""
WINDOWS_LINK = "https://download.microsoft.com/x/Microsoft-ASR_UA_9.66.0.0_Windows_GA_01Mar2027_release.exe"
AFTER_WINDOWS = f"{WINDOWS_LINK}   # said so\n"
END_OF_959 = f"""\
    note: no links yet  # so far
    for_classic: "yes"
    links:
      Windows: {address("9.59", "Windows")}
      OL9-64: {address("9.59", "OL9-64")}
"""
OL9_ENTRY = """\
      OL9-64:
        url: https://download.microsoft.com/x/Microsoft-ASR_UA_9.66.0.0_OL9-64_GA_01Mar2027_release.tar.gz
        size_bytes: 12
"""


@pytest.mark.parametrize(
    ("rows", "before", "after", "reason"),
    [
        (
            [("9.67", "OL9-64", "7900.1"), ("9.67", "Windows")],
            "  # The newest.\n",
            BLOCK_967 + "  # The newest.\n",
            "a newer release stands above the comment of the one it precedes",
        ),
        (
            [("9.66", "RHEL9-64")],
            AFTER_WINDOWS,
            f"{AFTER_WINDOWS}      RHEL9-64: {address('9.66', 'RHEL9-64')}\n",
            "a new package of a release stands in catalog order",
        ),
        (
            [("9.66", "Windows", "7900.1")],
            WINDOWS_LINK,
            address("9.66", "Windows", "7900.1"),
            "a changed address keeps the comment beside it",
        ),
        (
            [("9.66", "OL9-64", "7900.1")],
            OL9_ENTRY,
            f"      OL9-64: {address('9.66', 'OL9-64', '7900.1')}\n",
            "what was noted of the old file goes with it",
        ),
        (
            [("9.59", "OL9-64"), ("9.59", "Windows")],
            '    note: no links yet  # so far\n    for_classic: "yes"\n',
            END_OF_959,
            "the first links of a known release stand at its end",
        ),
    ],
)
def test_a_link_is_put_where_it_belongs_and_nothing_else_moves(
    rows: list[tuple[str, str] | tuple[str, str, str]], before: str, after: str, reason: str
) -> None:
    assert SMALL.count(before) == 1
    assert taken_in(SMALL, listing(*rows)) == SMALL.replace(before, after), reason


def test_releases_newer_older_and_between_find_their_places() -> None:
    amended = taken_in(SMALL, listing(*((release, "Windows") for release in ("9.58", "9.70", "9.64", "9.69", "9.57"))))
    assert re.findall(r'^  "(.+?)":', amended, re.MULTILINE) == [
        *("9.70", "9.69", "9.66", "9.64", "9.60", "9.59", "9.58", "9.57"),
    ]
    assert only_insertions_or_new_addresses(SMALL, amended)
    assert catalog.parse(amended).latest == Release(9, 70)


def test_a_catalog_with_the_oldest_release_first_stays_in_that_order() -> None:
    start = SMALL.index("  # The newest.")
    end = SMALL.index("# The end.")
    oldest_first = (
        SMALL[:start]
        + '  "9.50":\n    for_classic: "yes"\n  "9.60":\n    for_classic: "yes"\n    links:\n'
        + f"      Windows: {address('9.60', 'Windows')}\n"
        + SMALL[end:]
    )
    amended = taken_in(oldest_first, listing(("9.70", "Windows"), ("9.69", "Windows"), ("9.55", "Windows")))
    assert re.findall(r'^  "(.+?)":', amended, re.MULTILINE) == ["9.50", "9.55", "9.60", "9.69", "9.70"]


def test_a_link_that_comes_first_in_catalog_order_is_put_first() -> None:
    without = SMALL.replace(f"      # first\n      Windows: {AFTER_WINDOWS}", "")
    assert catalog.parse(without).links(Release(9, 66))[0].token == "OL9-64"  # noqa: S105 - a package, no secret
    amended = taken_in(without, listing(("9.66", "Windows"), ("9.66", "RHEL9-64")))
    assert amended == without.replace(
        OL9_ENTRY,
        f"      Windows: {address('9.66', 'Windows')}\n      RHEL9-64: {address('9.66', 'RHEL9-64')}\n{OL9_ENTRY}",
    )


def test_a_new_release_is_unclear_for_classic_servers_until_somebody_knows() -> None:
    facts = catalog.parse(taken_in(SMALL, listing(("9.67", "Windows")))).facts(Release(9, 67))
    assert facts is not None
    assert (facts.for_classic, facts.builds, facts.published) == (ForClassic.UNCLEAR, (), "")
    assert facts.note


@pytest.mark.parametrize(
    ("releases", "reason"),
    [
        ("releases: {'9.66': {for_classic: 'yes', links: {OL9-64: LINK}}}", "all in one line"),
        ("releases:\n  '9.66': {for_classic: 'yes', links: {OL9-64: LINK}}", "the release in one line"),
        ("releases:\n  '9.66':\n    for_classic: 'yes'\n    links: {OL9-64: LINK}", "its links in one line"),
    ],
)
def test_links_that_are_not_written_one_a_line_are_left_to_a_person(releases: str, reason: str) -> None:
    start = SMALL.index("releases:")
    text = SMALL[:start] + releases.replace("LINK", address("9.66", "OL9-64")) + "\n"
    with pytest.raises(InputError) as caught:
        taken_in(text, listing(("9.66", "Windows")))
    assert caught.value.code == "catalog-not-amendable", reason
    assert caught.value.hint.startswith("add the links by hand"), reason


def test_a_text_that_is_not_the_catalog_it_is_said_to_be_is_refused() -> None:
    found = link_list.difference(REAL, link_list.parse(listing(("9.66", "Windows", "1.1")), HOSTS))
    with pytest.raises(InputError) as caught:
        link_list.amend(SMALL, REAL, found)
    assert caught.value.code == "catalog-not-amendable"


def test_a_text_whose_notes_an_insertion_would_change_is_refused() -> None:
    text = SMALL.replace(
        '    for_classic: "yes"\n\n# The end.', '    for_classic: "yes"\n    note: |+\n      kept\n\n# The end.'
    )
    text = text.replace("    note: no links yet  # so far\n", "")
    with pytest.raises(InputError) as caught:
        taken_in(text, listing(("9.59", "Windows")))
    assert caught.value.code == "catalog-not-amendable"


def test_a_text_with_mistakes_is_refused() -> None:
    found = link_list.difference(REAL, link_list.parse(listing(("9.66", "Windows", "1.1")), HOSTS))
    with pytest.raises(DocumentError):
        link_list.amend(SMALL.replace('"9.49.6395.1"', "9.49"), REAL, found)


TOKENS = [token for token in REAL.packages if token != WINDOWS]


@settings(max_examples=15)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["9.36", "9.50", "9.58", "9.63", "9.65", "9.66", "9.67", "9.68", "9.70", "10.1", "8.1"]),
            st.sampled_from([*TOKENS, WINDOWS]),
            st.sampled_from(["0.0", "7900.1"]),
        ),
        max_size=8,
        unique_by=lambda row: row[:2],
    ),
    st.sampled_from(["\n", "\r\n"]),
)
@example([("9.63", "RHEL5-64", "0.0")], "\r\n")
@example([("9.36", "Windows", "0.0"), ("9.36", "SLES11-SP3-64", "0.0"), ("9.36", "SLES15-64", "0.0")], "\n")
def test_amending_adds_the_links_and_nothing_else_and_twice_is_once(
    rows: list[tuple[str, str, str]], newline: str
) -> None:
    text = TEXT.replace("\n", newline)
    listed = link_list.parse(listing(*rows), HOSTS)
    found = link_list.difference(REAL, listed)
    amended = link_list.amend(text, REAL, found)
    after = catalog.parse(amended)

    expected = {(facts.release, link.token): link.url for facts in REAL.releases for link in facts.links.values()}
    expected |= {(link.release, link.token): link.url for links in listed.releases.values() for link in links}
    assert {(f.release, link.token): link.url for f in after.releases for link in f.links.values()} == expected
    assert without_links(after) == without_links(REAL) | dict.fromkeys(found.new_releases)
    assert (after.packages, after.aliases, after.sources) == (REAL.packages, REAL.aliases, REAL.sources)

    assert link_list.amend(amended, after, link_list.difference(after, listed)) == amended
    assert link_list.amend(amended, REAL, found) == amended
    assert only_insertions_or_new_addresses(text, amended)


def without_links(parsed: Catalog) -> dict[Release, tuple[object, ...] | None]:
    """What the catalog says of each release beside its links; None for one that a list brought."""
    return {
        facts.release: None
        if facts.note.startswith("Taken in from a list")
        else (facts.rollups, facts.builds, facts.published, facts.for_classic, facts.note, facts.evidence)
        for facts in parsed.releases
    }


def only_insertions_or_new_addresses(before: str, after: str) -> bool:
    """Whether every line of `before` is still there, in order, but for addresses."""
    remaining = iter(re.sub(r"https://\S+", "", line) for line in after.splitlines(keepends=True))
    return all(re.sub(r"https://\S+", "", line) in remaining for line in before.splitlines(keepends=True))
