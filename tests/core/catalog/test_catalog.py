from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from catalog_documents import mistakes, with_value
from packaging.version import Version

from repo_manager.core import catalog, names
from repo_manager.core.catalog import Catalog, ForClassic, ReleaseStatus
from repo_manager.core.errors import DocumentError, InputError
from repo_manager.core.names import WINDOWS, Release, Token

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / "catalog.yaml").read_text(encoding="utf-8")
SCHEMA = json.loads((ROOT / "docs" / "reference" / "catalog.schema.json").read_text(encoding="utf-8"))
BASE = "https://download.microsoft.com/download/x"

# A whole catalog, small enough to make mistakes in.
SMALL: dict[str, Any] = {
    "schema": 1,
    "hosts": ["download.microsoft.com", "mirror.example"],
    "support_window": 1,
    "vulnerable_below": "9.2.30.1",
    "sources": {"page": "a page, 2025", "table": "a table, 2024"},
    "packages": {
        "Windows": {"systems": ["Windows Server 2022"], "extension": ".exe", "since": "9.1", "evidence": ["page"]},
        "RHEL9-64": {
            "systems": ["Red Hat 9"],
            "extension": ".tar.gz",
            "manual": {"since": "9.2", "evidence": ["table"], "note": "a doubt"},
            "modernized_only": True,
        },
        "RHEL8-64": {"systems": ["Red Hat 8"], "extension": ".tar.gz", "manual": {"since": "unclear"}},
    },
    "bundled": {"9.2": {"packages": ["Windows"], "evidence": ["page"]}},
    "aliases": {"RHELP9-64": "RHEL9-64"},
    "look_alikes": {"CENTOS9-64": "RHEL9-64"},
    "look_alikes_without_package": ["KALI-64"],
    "legacy": {"old": {"note": "an older line", "tokens": ["RHEL4-64"], "evidence": ["page"]}},
    "releases": {
        "9.3": {
            "for_classic": "yes",
            "rollups": {"UR3": {"build": "9.3.50.1", "month": "2025-03", "support": "https://support.example/3"}},
            "builds": ["9.3.40.1"],
            "links": {
                "RHEL9-64": f"{BASE}/Microsoft-ASR_UA_9.3.0.0_RHEL9-64_GA_01Mar2025_release.tar.gz",
                "Windows": {
                    "url": f"{BASE}/Microsoft-ASR_UA_9.3.0.0_Windows_GA_01Mar2025_release.exe",
                    "mirrors": ["https://mirror.example/Microsoft-ASR_UA_9.3.0.0_Windows_GA_01Mar2025_release.exe"],
                    "sha256": "0" * 64,
                    "size_bytes": 12,
                },
            },
        },
        "9.10": {"for_classic": "no", "published": "2026-01"},
        "9.2": {"for_classic": "only", "builds": ["9.2.30.1"], "published": "2024-12"},
        "9.1": {"for_classic": "withdrawn"},
    },
    "unplaced_rollups": {"UR1": "https://support.example/1"},
}


def written(document: object) -> str:
    return yaml.safe_dump(document, sort_keys=False)


def small(*path_and_value: object) -> str:
    """The small catalog with one value put at a path; a value of `...` takes the key away."""
    return written(with_value(SMALL, *path_and_value))


@pytest.fixture(scope="module")
def real() -> Catalog:
    return catalog.parse(TEXT)


@pytest.fixture(scope="module")
def tiny() -> Catalog:
    return catalog.parse(written(SMALL))


# The catalog that comes with the tool.


def test_the_real_catalog_has_every_package_in_the_order_of_reports(real: Catalog) -> None:
    assert list(real.packages) == [
        "Windows",
        *("RHEL5-64", "RHEL6-64", "RHEL7-64", "RHEL8-64", "RHEL9-64", "RHEL10-64"),
        *("OL5-64", "OL6-64", "OL7-64", "OL8-64", "OL9-64", "OL10-64"),
        *("SLES11-SP3-64", "SLES11-SP4-64", "SLES12-64", "SLES15-64"),
        *("UBUNTU-14.04-64", "UBUNTU-16.04-64", "UBUNTU-18.04-64", "UBUNTU-20.04-64", "UBUNTU-22.04-64"),
        "UBUNTU-24.04-64",
        *("DEBIAN7-64", "DEBIAN8-64", "DEBIAN9-64", "DEBIAN10-64", "DEBIAN11-64", "DEBIAN12-64"),
    ]


def test_the_real_catalog_links_26_packages_of_the_last_three_releases_and_one_older(real: Catalog) -> None:
    counts = {str(facts.release): len(facts.links) for facts in real.releases if facts.links}
    assert counts == {"9.36": 1, "9.64": 26, "9.65": 26, "9.66": 26}
    assert real.latest == Release(9, 66)


def test_every_real_link_is_a_file_of_its_package_and_release(real: Catalog) -> None:
    links = [link for facts in real.releases for link in real.links(facts.release)]
    assert len({link.url for link in links}) == 79
    for link in links:
        name = names.parse(link.url.rpartition("/")[2])
        assert (name, name.token, name.release) == (link.name, link.token, link.release)
        assert link.sources == (link.url,)


def test_the_links_of_a_release_are_in_catalog_order(real: Catalog) -> None:
    linked = [link.token for link in real.links(Release(9, 66))]
    assert linked == [token for token in real.packages if token not in {"RHEL10-64", "OL5-64", "OL10-64"}]


def test_the_second_build_of_one_package_is_known(real: Catalog) -> None:
    facts = real.facts(Release(9, 66))
    assert facts is not None
    assert facts.links[Token("RHEL6-64")].name.version == Version("9.66.7569.1")
    assert Version("9.66.7569.1") in facts.builds
    assert facts.rollups == ("UR80", "UR81", "UR82")
    assert facts.published == "2025-10"


def test_the_packages_for_the_modernized_experience_alone_are_these(real: Catalog) -> None:
    assert {package.token for package in real.packages.values() if package.modernized_only} == {
        *("RHEL9-64", "RHEL10-64", "OL9-64", "OL10-64", "UBUNTU-22.04-64", "UBUNTU-24.04-64", "DEBIAN12-64"),
    }
    in_part = {each.token for package in real.packages.values() for each in package.serves if each.modernized_from}
    assert in_part == {"RHEL8-64", "OL8-64", "SLES15-64"}
    assert [package.token for package in real.packages.values() if package.scout_only] == ["OL5-64"]


def test_windows_alone_is_an_exe(real: Catalog) -> None:
    assert [package.token for package in real.packages.values() if package.extension == ".exe"] == [WINDOWS]


@pytest.mark.parametrize(
    ("token", "release", "manual", "reason"),
    [
        ("SLES11-SP3-64", "9.35", False, "before the first release without it"),
        ("SLES11-SP3-64", "9.36", True, "the first release without it"),
        ("RHEL5-64", "9.66", True, "and ever since"),
        ("DEBIAN7-64", "9.36", True, "named in September 2020"),
        ("DEBIAN9-64", "9.51", False, "still taken along at 9.50"),
        ("DEBIAN9-64", "9.52", True, "from 9.52"),
        ("UBUNTU-14.04-64", "9.36", True, "pages differ between 9.36 and 9.42: the earlier counts"),
        ("OL6-64", "8.3", True, "unclear since when: always"),
        ("RHEL9-64", "9.66", False, "nobody says so"),
        ("NOPE-64", "9.66", False, "no package at all"),
    ],
)
def test_which_packages_must_be_placed_by_hand(
    real: Catalog,
    token: str,
    release: str,
    manual: bool,  # noqa: FBT001 - a column of the table
    reason: str,
) -> None:
    assert real.manual(Token(token), Release.parse(release)) is manual, reason


def test_what_the_setup_of_9_50_takes_along_is_noted_with_the_package(real: Catalog) -> None:
    bundled = {package.token for package in real.packages.values() if package.bundled == (Release(9, 50),)}
    assert {"Windows", "DEBIAN9-64", "DEBIAN10-64"} <= bundled
    assert not bundled & {"OL6-64", "SLES11-SP4-64", "UBUNTU-14.04-64", "DEBIAN8-64", "RHEL5-64"}
    assert len(bundled) == 13


@pytest.mark.parametrize(
    ("release", "expected", "reason"),
    [
        ("9.66", set(), "the newest"),
        ("9.62", {ReleaseStatus.N4_BASE, ReleaseStatus.NOT_FOR_CLASSIC}, "the fourth before the newest"),
        ("9.61", {ReleaseStatus.UNSUPPORTED}, "the fifth before the newest"),
        ("9.59", {ReleaseStatus.UNSUPPORTED, ReleaseStatus.CLASSIC_ONLY}, "for classic servers only"),
        ("9.58", {ReleaseStatus.UNSUPPORTED, ReleaseStatus.WITHDRAWN}, "taken back"),
        ("9.56", {ReleaseStatus.UNSUPPORTED, ReleaseStatus.NOT_FOR_CLASSIC}, "never for classic servers"),
        ("9.49", {ReleaseStatus.UNSUPPORTED}, "the security release itself"),
        ("9.48", {ReleaseStatus.UNSUPPORTED, ReleaseStatus.VULNERABLE}, "before the security release"),
        ("9.44", {ReleaseStatus.UNSUPPORTED, ReleaseStatus.VULNERABLE, ReleaseStatus.NOT_FOR_CLASSIC}, "a preview"),
        ("9.9", {ReleaseStatus.UNSUPPORTED, ReleaseStatus.VULNERABLE}, "a release nobody describes, ordered by number"),
        ("9.67", {ReleaseStatus.NOT_FOR_CLASSIC}, "known by name only, newer than any link"),
        ("10.1", set(), "not known and newer"),
    ],
)
def test_the_standing_of_a_release_follows_from_rules(
    real: Catalog, release: str, expected: set[ReleaseStatus], reason: str
) -> None:
    assert real.standing(Release.parse(release)) == expected, reason


@pytest.mark.parametrize(
    ("text", "expected", "reason"),
    [
        ("rhel9-64", "RHEL9-64", "another case"),
        (" Windows ", "Windows", "blanks around it"),
        ("OEL-64", "OL6-64", "an old name"),
        ("RHELP6-64", "RHEL6-64", "a mistyped label"),
        ("CENTOS7-64", "RHEL7-64", "another product's label"),
        ("UBUNTU18-64", "UBUNTU-18.04-64", "another product's label"),
        ("OL6.-64", "OL6-64", "a typing error in a published name"),
        ("DEBIAN-10-64", "DEBIAN10-64", "a dash too many"),
        ("UBUNTU19-64", None, "a label whose system has no package"),
        ("SLES10-SP2-32", None, "an older line, and not the nearest by spelling"),
        ("completely else", None, "nothing near"),
    ],
)
def test_the_nearest_package_is_found_by_alias_then_by_spelling(
    real: Catalog, text: str, expected: str | None, reason: str
) -> None:
    assert real.nearest(text) == expected, reason


def test_a_package_is_required_in_any_case(real: Catalog) -> None:
    assert real.require("ubuntu-24.04-64") is real.packages[Token("UBUNTU-24.04-64")]
    assert real.known("UBUNTU-24.04-64")
    assert not real.known("ubuntu-24.04-64")


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("CENTOS7-64", "the catalog has no package 'CENTOS7-64'", "did you mean RHEL7-64?"),
        (
            "sles10-64",
            "the catalog has no package 'sles10-64' (a package of the older Scout line)",
            "run 'repo-manager catalog show' for the packages there are",
        ),
    ],
)
def test_a_package_that_is_not_there_is_refused_with_a_hint(real: Catalog, text: str, message: str, hint: str) -> None:
    with pytest.raises(InputError) as caught:
        real.require(text)
    assert (caught.value.code, caught.value.message, caught.value.hint) == ("unknown-package", message, hint)


def test_a_release_that_is_not_known_has_no_facts_and_no_links(real: Catalog) -> None:
    assert real.facts(Release(7, 0)) is None
    assert real.links(Release(7, 0)) == ()


def test_every_source_of_the_real_catalog_is_used(real: Catalog) -> None:
    unused = [key for key in real.sources if TEXT.count(key) - TEXT.count(f"{key}-old") < 2]
    assert unused == []


def test_every_doubtful_status_of_the_real_catalog_says_why(real: Catalog) -> None:
    doubtful = [facts for facts in real.releases if facts.for_classic in {ForClassic.UNCLEAR, ForClassic.WITHDRAWN}]
    assert [str(facts.release) for facts in doubtful] == ["8.2", "9.58", "9.63", "9.64", "9.65", "9.66"]
    assert all(facts.note and facts.evidence for facts in doubtful)
    manual = [package.manual for package in real.packages.values() if package.manual]
    assert all(fact.evidence and fact.note for fact in manual)


def test_the_real_catalog_is_read_the_same_with_windows_line_ends(real: Catalog) -> None:
    assert catalog.parse(TEXT.replace("\n", "\r\n")).packages == real.packages


# The rules of the format, on a small one.


def test_the_small_catalog_reads_as_it_was_written(tiny: Catalog) -> None:
    assert [str(facts.release) for facts in tiny.releases] == ["9.1", "9.2", "9.3", "9.10"]
    assert (tiny.latest, tiny.oldest_supported) == (Release(9, 3), Release(9, 2))
    windows = tiny.links(Release(9, 3))[0]
    assert windows.token == WINDOWS
    assert windows.sources == (windows.url, *windows.mirrors)
    assert (windows.sha256, windows.size_bytes, len(windows.mirrors)) == ("0" * 64, 12, 1)
    facts = tiny.facts(Release(9, 3))
    assert facts is not None
    assert facts.builds == (Version("9.3.40.1"), Version("9.3.50.1"))
    assert facts.support == {"UR3": "https://support.example/3"}
    assert facts.published == "2025-03"
    assert tiny.unplaced_rollups == {"UR1": "https://support.example/1"}
    assert tiny.packages[WINDOWS].since == Release(9, 1)


@pytest.mark.parametrize(
    ("builds", "vulnerable", "reason"),
    [
        (["9.2.29.1"], True, "all builds are older"),
        (["9.2.29.1", "9.2.30.1"], False, "a mended build exists"),
        ([], False, "no build is known"),
    ],
)
def test_the_release_of_the_bound_is_judged_by_its_builds(
    builds: list[str],
    vulnerable: bool,  # noqa: FBT001 - a column of the table
    reason: str,
) -> None:
    found = catalog.parse(small("releases", "9.2", "builds", builds)).standing(Release(9, 2))
    assert (ReleaseStatus.VULNERABLE in found) is vulnerable, reason


def test_with_fewer_releases_than_the_window_the_oldest_is_the_base() -> None:
    parsed = catalog.parse(small("support_window", 50))
    assert parsed.oldest_supported == Release(9, 1)


URL = f"{BASE}/Microsoft-ASR_UA_9.3.0.0_RHEL9-64_GA_01Mar2025_release.tar.gz"
LINK = ("releases", "9.3", "links", "RHEL9-64")


@pytest.mark.parametrize(
    ("change", "part", "reason"),
    [
        ((*LINK, URL.replace("https", "http")), "is not an https address", "http"),
        ((*LINK, URL.replace("download.microsoft.com", "evil.example")), "the host 'evil.example' is not", "host"),
        (
            (*LINK, URL.replace("download.microsoft.com", "download.microsoft.com.evil.example")),
            "the host 'download.microsoft.com.evil.example' is not",
            "a host that begins like an allowed one",
        ),
        ((*LINK, URL.replace("https://", "https://u:p@")), "is not a plain address of a file", "a password"),
        ((*LINK, URL + "?sig=1"), "is not a plain address of a file", "a query"),
        ((*LINK, URL.replace("/x/", ":8443/x/")), "is not a plain address of a file", "a port"),
        (
            (*LINK, URL.replace("RHEL9-64", "RHEL8-64")),
            "the file is for RHEL8-64, and it stands under RHEL9-64",
            "token",
        ),
        ((*LINK, URL.replace("9.3.0.0", "9.2.0.0")), "the file is of release 9.2, and it stands under 9.3", "release"),
        ((*LINK, URL.replace("_GA_", "_")), "has 4 fields after the product", "a name that does not parse"),
        ((*LINK, URL.replace("01Mar", "31Feb")), "there is no such day", "a date that does not exist"),
        (("releases", "9.3", "links", "RHEL99-64", URL), "no package is called 'RHEL99-64'", "unknown package"),
        (("releases", "9.3", "links", "RHEL8-64", URL), "this address already stands on line", "one link twice"),
        (("releases", "9.3", "links", {}), "no release has a link", "nothing to keep complete"),
        (("releases", "9.3", "evidence", ["pag"]), "evidence 'pag' is not among the sources; did you mean 'page'", ""),
        (("releases", "9.3", "builds", ["9.4.1.1"]), "the build 9.4.1.1 is not one of release 9.3", "foreign build"),
        (("releases", "09.3", {"for_classic": "yes"}), "the release 9.3 stands here twice", "one release twice"),
        (("aliases", "X-64", "RHEL99-64"), "no package is called 'RHEL99-64'", "alias of nothing"),
        (("look_alikes", "X-64", "NOPE"), "no package is called 'NOPE'", "look-alike of nothing"),
        (("aliases", "RHEL8-64", "RHEL9-64"), "'RHEL8-64' is a package of its own", "an alias that hides a package"),
        (("bundled", "9.2", "packages", ["Windos"]), "no package is called 'Windos'; did you mean 'Windows'", ""),
        (("packages", "rhel9-64", SMALL["packages"]["RHEL9-64"]), "differs from 'RHEL9-64' only in case", "case twin"),
        (("packages", "RHEL9-64", "extension", ".exe"), "the file ends in .tar.gz, and the package in .exe", "ending"),
        (
            ("releases", "9.3", "links", "Windows", "mirrors", [URL]),
            "is another file than Microsoft-ASR_UA_9.3.0.0_Windows",
            "a mirror of something else",
        ),
        (
            ("releases", "9.3", "links", "Windows", "mirrors", [URL.replace("https:", "http:")]),
            "is not an https address",
            "a mirror without https",
        ),
    ],
)
def test_a_mistake_that_only_the_loader_can_see_is_refused(change: tuple[object, ...], part: str, reason: str) -> None:
    text = small(*change)
    assert [message for message in mistakes(text) if part in message], (reason, mistakes(text))


def test_a_package_may_name_who_signs_it() -> None:
    text = small("packages", "Windows", "publisher", "Example Agents, Inc. \xe9")
    assert catalog.parse(text).packages[WINDOWS].publisher == "Example Agents, Inc. \xe9"
    jsonschema.validate(yaml.safe_load(text), SCHEMA)


def test_no_page_says_who_signs_so_the_tools_own_catalog_does_not() -> None:
    assert [package.token for package in catalog.parse(TEXT).packages.values() if package.publisher] == []


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (("extra", 1), "unknown key at the top"),
        (("hosts", ...), "no hosts"),
        (("hosts", "download.microsoft.com"), "a text for a list"),
        (("hosts", ["Download.Microsoft.com"]), "a host in capitals"),
        (("schema", 3), "an edition of the future"),
        (("schema", "1"), "a text for a number"),
        (("support_window", -1), "a negative window"),
        (("support_window", True), "a flag for a number"),
        (("vulnerable_below", 9.49), "a number for a build"),
        (("vulnerable_below", "9.49"), "a release for a build"),
        (("sources", ["page"]), "a list for a mapping"),
        (("sources", "page", ""), "a source without words"),
        (("packages", ...), "no packages"),
        (("packages", "RHEL 9", {"systems": [], "extension": ".tar.gz"}), "a token with a blank"),
        (("packages", "RHEL9-64", "systems", ...), "no systems"),
        (("packages", "RHEL9-64", "systems", [9]), "a number among the systems"),
        (("packages", "RHEL9-64", "extension", ".zip"), "another extension"),
        (("packages", "RHEL9-64", "since", 9.5), "a number for a release"),
        (("packages", "RHEL9-64", "since", "9"), "a release of one number"),
        (("packages", "RHEL9-64", "modernized_only", "true"), "a text for a flag"),
        (("packages", "RHEL9-64", "note", None), "a note of nothing"),
        (("packages", "Windows", "publisher", ""), "a publisher without a name"),
        (("packages", "Windows", "publisher", " Example"), "a publisher that begins with a blank"),
        (("packages", "Windows", "publisher", "Exa\tmple"), "a publisher with a tab"),
        (("packages", "Windows", "publisher", "x" * 201), "a publisher longer than any"),
        (("packages", "Windows", "publisher", 7), "a number for a publisher"),
        (("packages", "Windows", "publisher", ["Example"]), "a list of publishers"),
        (("packages", "RHEL9-64", "publisher", "Example"), "a publisher of an archive"),
        (("packages", "RHEL9-64", "manuel", {}), "unknown key in a package"),
        (("packages", "RHEL9-64", "manual", "9.36"), "a text for a mapping"),
        (("packages", "RHEL9-64", "manual", "since", ...), "manual without since"),
        (("packages", "RHEL9-64", "manual", "since", "maybe"), "neither a release nor unclear"),
        (("bundled", "9.2", "tokens", []), "unknown key below bundled"),
        (("legacy", "old", "note", ...), "a legacy group without a note"),
        (("aliases", ["x"]), "a list of aliases"),
        (("releases", 9.5, {"for_classic": "yes"}), "a number for a release key"),
        (("releases", "nine", {"for_classic": "yes"}), "a word for a release key"),
        (("releases", "9.3", "for_classic", False), "an unquoted no"),
        (("releases", "9.3", "for_classic", "maybe"), "a word outside the set"),
        (("releases", "9.3", "for_classic", ...), "no status"),
        (("releases", "9.3", "published", "March 2025"), "a month in words"),
        (("releases", "9.3", "builds", [9.3]), "a number for a build"),
        (("releases", "9.3", "rollups", "R3", {}), "a rollup by another name"),
        (("releases", "9.3", "rollups", "UR3", "support", "http://support.example"), "a page without https"),
        (("releases", "9.3", "rollups", "UR3", "date", "x"), "unknown key in a rollup"),
        (("releases", "9.3", "links", "RHEL9-64", 5), "a number for an address"),
        (("releases", "9.3", "links", "RHEL9-64", "http://download.microsoft.com/x"), "an address without https"),
        (("releases", "9.3", "links", "Windows", "url", ...), "a link without an address"),
        (("releases", "9.3", "links", "Windows", "sha256", "abc"), "a short digest"),
        (("releases", "9.3", "links", "Windows", "sha256", "G" * 64), "a digest of other letters"),
        (("releases", "9.3", "links", "Windows", "size_bytes", 0), "a size of nothing"),
        (("releases", "9.3", "links", "Windows", "size_bytes", "12"), "a text for a size"),
        (("releases", "9.3", "links", "Windows", "size", 12), "unknown key in a link"),
        (("unplaced_rollups", "UR1", "KB1"), "no address"),
        (("unplaced_rollups", "KB1", "https://support.example/1"), "not a rollup"),
    ],
)
def test_a_mistake_of_form_is_refused_by_the_loader_and_by_the_schema(change: tuple[object, ...], reason: str) -> None:
    text = small(*change)
    assert mistakes(text), reason
    # JSON has text keys only, and editors see a key of 9.5 as the text '9.5': only the loader knows better.
    document = yaml.safe_load(text)
    if 9.5 not in document.get("releases", {}):
        assert not _validator().is_valid(document), reason


def test_the_schema_is_a_schema_and_accepts_the_real_and_the_small_catalog() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    for text in (TEXT, written(SMALL)):
        assert [error.message for error in _validator().iter_errors(yaml.safe_load(text))] == []


def test_the_real_catalog_names_its_schema_for_editors() -> None:
    first = TEXT.splitlines()[0]
    assert first == "# yaml-language-server: $schema=docs/reference/catalog.schema.json"


def test_ten_mistakes_are_reported_together_with_their_places() -> None:
    text = """\
schema: 1
hosts: [download.microsoft.com]
support_window: four
vulnerable_below: 9.49
sources: {page: "a page"}
packages:
  Windows:
    systems: ["Windows Server 2022"]
    extension: .exe
    manul: {since: "9.36"}
  RHEL9-64:
    systems: ["Red Hat 9"]
    extension: .zip
    since: 9.50
    evidence: [pages]
releases:
  "9.66":
    for_classic: maybe
    links:
      RHEL9-46: https://download.microsoft.com/x/Microsoft-ASR_UA_9.66.7567.1_RHEL9-64_GA_20Sep2025_release.tar.gz
      Windows: http://download.microsoft.com/x/Microsoft-ASR_UA_9.66.7567.1_Windows_GA_20Sep2025_release.exe
      RHEL9-64: https://download.microsoft.com/x/Microsoft-ASR_UA_9.65.0.0_RHEL9-64_GA_23Apr2025_release.tar.gz
"""
    with pytest.raises(DocumentError) as caught:
        catalog.parse(text, "mine.yaml")
    assert caught.value.message.splitlines()[0] == "mine.yaml: 10 mistakes"
    assert [(problem.line, problem.column) for problem in caught.value.problems] == [
        (3, 17),
        (4, 19),
        (10, 5),
        (13, 16),
        (14, 12),
        (15, 16),
        (18, 18),
        (20, 7),
        (21, 16),
        (22, 17),
    ]


def test_two_mistakes_of_a_kind_are_both_reported() -> None:
    text = small("releases", "9.3", "builds", ["9.4.1.1", "9.5.1.1", "x"])
    counted = Counter(message.partition(" ")[0] for message in mistakes(text))
    assert counted == {"the": 2, "'x'": 1}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty"),
        ("- a", "a list"),
        ("a: &a [*a]", "an alias of itself"),
        ("!!python/object/apply:os.system ['true']", "a call"),
        ("{" * 5000, "deep"),
        (TEXT + "---\nschema: 1\n", "a second document"),
        (TEXT + "schema: 1\n", "a key twice"),
        (TEXT.replace('"9.50":', "9.50:"), "a number for a release"),
        (TEXT.replace("support_window: 4", "support_window: &w 4"), "an anchor"),
    ],
)
def test_a_hostile_catalog_is_refused(text: str, reason: str) -> None:
    assert mistakes(text), reason


def test_a_catalog_cannot_be_changed(real: Catalog) -> None:
    with pytest.raises(TypeError):
        real.packages[WINDOWS] = real.packages[Token("RHEL9-64")]  # type: ignore[index]
    with pytest.raises(AttributeError):
        real.support_window = 9  # type: ignore[misc]


def _validator() -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(SCHEMA)
