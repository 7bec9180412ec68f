"""Which package serves which system, read from a catalog: the values, and every mistake with its place."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any, Final

import jsonschema
import pytest
import yaml
from catalog_documents import mistakes, with_value
from simulator import REAL, SMALL_CATALOG_TEXT, resolve

from repo_manager.core import catalog
from repo_manager.core.catalog import strict_yaml
from repo_manager.core.names import Release, Token
from repo_manager.core.systems import resolver as systems
from repo_manager.core.systems.resolver import Ambiguous, Resolved, Unsupported
from repo_manager.core.systems.support import ANY, Family, Version

ROOT = Path(__file__).parents[3]
SCHEMA = json.loads((ROOT / "docs" / "reference" / "catalog.schema.json").read_text(encoding="utf-8"))
LINK: Final = "https://download.example/Microsoft-ASR_UA_9.70.0.0_RHEL11-64_GA_01Mar2027_release.tar.gz"
RED_HAT: Final = "Red Hat Enterprise Linux"

# A whole catalog of this edition, small enough to make mistakes in.
DOCUMENT: dict[str, Any] = {
    "schema": 2,
    "hosts": ["download.example"],
    "support_window": 4,
    "vulnerable_below": "9.49.6395.1",
    "sources": {"page": "a page, 2027"},
    "systems": {
        RED_HAT: {
            "family": "Linux",
            "settled_by": "the line in /etc/redhat-release",
            "excluded": [{"words": ["client"], "majors": "0 - 7", "why": "no clients"}],
        },
        "Red Hat Linux": {"family": "Linux", "served_as": RED_HAT, "settled_by": "the same line"},
        "Fedora": {"family": "Linux", "settled_by": "/etc/fedora-release", "note": "by invitation"},
        "Windows": {"family": "Windows", "settled_by": "winver"},
    },
    "packages": {
        "Windows": {
            "extension": ".exe",
            "serves": [
                {"system": "Windows", "versions": ["2012", "2016"], "since": "9.66"},
                {"system": "Windows", "versions": "1709", "uncertainty": "no page names it"},
            ],
        },
        "RHEL11-64": {
            "extension": ".tar.gz",
            "serves": [
                {
                    "system": RED_HAT,
                    "versions": "11.0 - 11.4",
                    "since": {"11.0": "9.70", "11.2": "9.71"},
                    "modernized_from": "11.3",
                    "uncertainty": "11.5 has no package",
                    "resolved_by": ["lts"],
                    "note": "new",
                    "note_without_minor": "the minor matters",
                    "evidence": ["page"],
                },
                {"system": "Fedora", "versions": "60", "modernized_from": "60"},
            ],
        },
        "RHEL12-64": {
            "extension": ".tar.gz",
            "serves": [{"system": RED_HAT, "versions": ["12", "13.1"], "modernized_from": "12"}],
        },
    },
    "guides": {
        "families": {"Windows": {"install_dir": "C:\\Agent"}, "Linux": {"install_dir": "/agent"}},
        "words": [{"agent": "A", "master_target": "B"}],
        "steps": [],
        "parameters": [],
    },
    "releases": {"9.70": {"for_classic": "yes", "links": {"RHEL11-64": LINK}}},
}


def changed(*path_and_value: object) -> str:
    """The catalog with one value put at a path; a value of `...` takes the key away."""
    return yaml.safe_dump(with_value(DOCUMENT, *path_and_value), sort_keys=False)


@pytest.fixture(scope="module")
def small() -> catalog.Catalog:
    return catalog.parse(changed("support_window", 4))


def answer(small: catalog.Catalog, text: str) -> systems.Answer:
    return systems.resolve(text, small.support)


def test_an_entry_reads_as_it_was_written(small: catalog.Catalog) -> None:
    red_hat, fedora = small.packages[Token("RHEL11-64")].serves
    assert (red_hat.major, red_hat.minors, red_hat.modernized_from) == (11, range(5), 3)
    assert red_hat.since == ((Version(11, 0), Release(9, 70)), (Version(11, 2), Release(9, 71)))
    assert (red_hat.uncertainty, red_hat.resolved_by) == ("11.5 has no package", frozenset({"lts"}))
    assert (red_hat.note, red_hat.note_without_minor, red_hat.evidence) == ("new", "the minor matters", ("page",))
    assert (fedora.minors, fedora.modernized_from, fedora.modernized_version) == (ANY, 0, "60")
    assert small.support.systems["Windows"].family is Family.WINDOWS
    jsonschema.Draft202012Validator(SCHEMA).validate(DOCUMENT)


def test_each_version_of_a_list_is_an_entry_of_its_own(small: catalog.Catalog) -> None:
    windows = small.packages[Token("Windows")].serves
    assert [(each.versions, each.since) for each in windows] == [
        ("2012", ((Version(2012), Release(9, 66)),)),
        ("2016", ((Version(2016), Release(9, 66)),)),
        ("1709", ()),
    ]
    twelve, thirteen = small.packages[Token("RHEL12-64")].serves
    assert (twelve.modernized_from, thirteen.modernized_from) == (0, 0)
    assert (thirteen.versions, thirteen.modernized_version) == ("13.1", "13.1")


def test_words_for_people_and_the_experience_follow_from_the_entries(small: catalog.Catalog) -> None:
    package = small.packages[Token("RHEL11-64")]
    assert package.systems == ("Red Hat Enterprise Linux 11.0 to 11.4", "Fedora 60")
    assert package.modernized_only is False
    assert small.packages[Token("RHEL12-64")].modernized_only is True
    assert small.packages[Token("Windows")].systems[0] == "Windows Server 2012"


@pytest.mark.parametrize(
    ("text", "package", "note"),
    [
        ("RHEL 11.2", "RHEL11-64", "new"),
        ("RHEL 12.7", "RHEL12-64", ""),
        ("RHEL 11 LTS", "RHEL11-64", "new; the minor matters; from Red Hat Enterprise Linux 11.3 on the modernized"),
        ("Fedora 60", "RHEL11-64", "by invitation"),
        ("Red Hat Linux 12", "RHEL12-64", ""),
        ("Windows Server 2012 R2 or later", "Windows", ""),
        ("rhel11-64", "RHEL11-64", ""),
    ],
)
def test_the_catalog_alone_decides_which_package_serves(
    small: catalog.Catalog, text: str, package: str, note: str
) -> None:
    found = answer(small, text)
    assert isinstance(found, Resolved), found.why
    assert (found.package, found.note[: len(note)]) == (package, note)


@pytest.mark.parametrize(
    ("text", "kind", "part"),
    [
        ("RHEL 11", Ambiguous, "11.5 has no package; the line in /etc/redhat-release would settle it"),
        ("RHEL 11.5", Unsupported, "takes Red Hat Enterprise Linux 11.0 to 11.4"),
        ("RHEL 13.2", Unsupported, "takes Red Hat Enterprise Linux 13.1"),
        ("Red Hat Linux 11.5", Unsupported, "takes Red Hat Linux 11.0 to 11.4"),
        ("RHEL client 7", Unsupported, "no clients"),
        ("Ubuntu 22.04", Unsupported, "Ubuntu has no package"),
        ("22.04", systems.Unknown, ""),
        ("RHEL", Ambiguous, "without a release"),
    ],
)
def test_what_the_catalog_does_not_serve_has_no_package(
    small: catalog.Catalog, text: str, kind: type, part: str
) -> None:
    found = answer(small, text)
    assert isinstance(found, kind), found
    assert part in found.why


@pytest.mark.parametrize(
    "text", ["Windows Server 1709", "Windows Server 1709.3", "Windows 2004 R2", "1809.17763 Windows"]
)
def test_a_version_whose_minors_do_not_resolve_its_uncertainty_stays_open(text: str) -> None:
    found = resolve(text if text[0] == "W" else "Windows Server 1809.17763")
    assert isinstance(found, Ambiguous), found
    assert found.candidates == ("Windows",)
    assert "no support matrix names the semi-annual releases" in found.why


def test_two_packages_for_windows_leave_a_later_one_open() -> None:
    document = copy.deepcopy(DOCUMENT)
    document["packages"]["Windows2-64"] = {"extension": ".exe", "serves": [{"system": "Windows", "versions": "2030"}]}
    found = systems.resolve("Windows Server 2016 or later", catalog.parse(yaml.safe_dump(document)).support)
    assert isinstance(found, Ambiguous)
    assert found.candidates == ("Windows", "Windows2-64")


def test_a_number_alone_means_debian_only_where_no_other_system_has_it() -> None:
    document = copy.deepcopy(DOCUMENT)
    document["systems"]["Debian"] = {"family": "Linux", "settled_by": "/etc/debian_version"}
    document["packages"]["DEBIAN11-64"] = {
        "extension": ".tar.gz",
        "serves": [{"system": "Debian", "versions": ["11", "14"]}],
    }
    support = catalog.parse(yaml.safe_dump(document, sort_keys=False)).support
    alone, shared = systems.resolve("14.2", support), systems.resolve("11.2", support)
    assert (alone.status, alone.package) == (systems.Status.RESOLVED, "DEBIAN11-64")
    assert (shared.status, shared.candidates) == (systems.Status.AMBIGUOUS, ("RHEL11-64", "DEBIAN11-64"))


SERVES: Final = ("packages", "RHEL11-64", "serves", 0)


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ((*SERVES, "system", "Red Hat"), "'Red Hat' is not among the systems"),
        ((*SERVES, "system", "Fedoro"), "'Fedoro' is not among the systems; did you mean 'Fedora'?"),
        ((*SERVES, "system", "Red Hat Linux"), "Red Hat Linux is served as Red Hat Enterprise Linux; name that"),
        ((*SERVES, "system", "Windows"), "Windows is of the family Windows, and the package ends in .tar.gz"),
        ((*SERVES, "versions", "eleven"), "versions: 'eleven' is not a version of Red Hat Enterprise Linux"),
        ((*SERVES, "versions", "11.00"), "is not a version of Red Hat Enterprise Linux; write '11.0'"),
        ((*SERVES, "versions", "11 SP3"), "is not a version of Red Hat Enterprise Linux; write '11.3'"),
        ((*SERVES, "versions", "11.0 - 12.4"), "is not a range within one major version"),
        ((*SERVES, "versions", "11 - 12"), "is not a range within one major version"),
        ((*SERVES, "versions", "11.0 - 11.1 - 11.2"), "is not a range within one major version"),
        ((*SERVES, "versions", "11.4 - 11.0"), "versions: '11.4 - 11.0' does not go upwards"),
        ((*SERVES, "versions", "11.0 - "), "versions: '' is not a version"),
        ((*SERVES, "versions", ["11.0 - 11.4", "11.4"]), "'11.4' overlaps what is served by RHEL11-64 on line"),
        (("packages", "RHEL12-64", "serves", 0, "versions", "11"), "'11' overlaps what is served by RHEL11-64"),
        ((*SERVES, "since", {"11.9": "9.70"}), "since: '11.9' is not among the versions of this entry"),
        ((*SERVES, "since", {"the first": "9.70"}), "since: 'the first' is not among the versions"),
        ((*SERVES, "modernized_from", "12.0"), "Red Hat Enterprise Linux 12.0 is not among the versions"),
        ((*SERVES, "modernized_from", "next"), "modernized_from: 'next' is not a version"),
        ((*SERVES, "uncertainty", ...), "resolved_by: there is no uncertainty beside it"),
        ((*SERVES, "evidence", ["pages"]), "evidence 'pages' is not among the sources; did you mean 'page'?"),
        (("systems", "Red Hat Linux", "served_as", "Debian"), "'Debian' has no packages of its own"),
        (("systems", "Fedora", "served_as", "Red Hat Linux"), "'Red Hat Linux' has no packages of its own"),
        (
            ("systems", "Fedorra", {"family": "Linux", "settled_by": "a file"}),
            "'Fedorra' is not a system that the tool can read; did you mean 'Fedora'?",
        ),
    ],
)
def test_a_mistake_in_what_is_served_is_named_with_its_place(change: tuple[object, ...], part: str) -> None:
    found = mistakes(changed(*change))
    assert [message for message in found if part in message], found


@pytest.mark.parametrize(
    "change",
    [
        ("systems", ...),
        ("systems", "Fedora", "family", "linux"),
        ("systems", "Fedora", "settled_by", ...),
        ("systems", RED_HAT, "excluded", 0, "majors", "up to 7"),
        ("systems", RED_HAT, "excluded", 0, "majors", 7),
        ("systems", RED_HAT, "excluded", 0, "why", ...),
        ("systems", RED_HAT, "excluded", 0, "whi", "x"),
        ("packages", "RHEL12-64", "serves", ...),
        ("packages", "RHEL12-64", "serves", []),
        ("packages", "RHEL12-64", "serves", 0, "versions", []),
        ("packages", "RHEL12-64", "serves", 0, "versions", 12),
        ("packages", "RHEL12-64", "serves", 0, "versions", {"12": "x"}),
        ("packages", "RHEL12-64", "serves", 0, "version", "12"),
        ("packages", "RHEL12-64", "serves", 0, "system", ...),
        ("packages", "RHEL12-64", "modernized_only", True),
        (*SERVES, "since", 9.7),
        (*SERVES, "since", "soon"),
        ("schema", 1),
    ],
)
def test_a_mistake_of_form_is_refused_by_the_loader_and_by_the_schema(change: tuple[object, ...]) -> None:
    text = changed(*change)
    assert mistakes(text)
    assert not jsonschema.Draft202012Validator(SCHEMA).is_valid(yaml.safe_load(text))


def test_a_catalog_of_the_first_edition_is_completed_by_the_tools_own() -> None:
    first = catalog.parse(SMALL_CATALOG_TEXT)
    assert (first.edition, dict(first.support.systems), first.modernized_assumed_since) == (1, {}, None)
    assert catalog.parse_guides(strict_yaml.read(SMALL_CATALOG_TEXT)) is None
    completed = first.completed_by(REAL)
    assert completed.support is REAL.support
    assert completed.modernized_assumed_since == Release(9, 55)
    assert completed.packages is first.packages
    assert REAL.completed_by(first) is REAL


def test_every_real_entry_names_versions_that_resolve_to_its_package() -> None:
    for package in REAL.packages.values():
        for each in package.serves:
            if not each.uncertainty or each.minors != ANY:
                found = resolve(f"{each.system} {each.versions.partition(' to ')[0]}")
                assert package.token in found.candidates, each.label
            assert each.evidence or each.major == 2011, each.label
