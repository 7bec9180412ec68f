from __future__ import annotations

import csv
import datetime as dt
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.version import Version

from repo_manager.core import names
from repo_manager.core.errors import ExitCode, InputError
from repo_manager.core.names import InstallerName, InvalidNameError, Release

with (Path(__file__).parents[1] / "data" / "filenames.csv").open(encoding="utf-8", newline="") as _file:
    ROWS = list(csv.DictReader(_file))
INSTALLERS = [row for row in ROWS if row["product"]]
OTHERS = [row["file_name"] for row in ROWS if not row["product"]]


def reason_of(text: str) -> str:
    with pytest.raises(InvalidNameError) as caught:
        names.parse(text)
    assert caught.value.code == "not-an-installer-name"
    assert caught.value.exit_code is ExitCode.USAGE
    assert caught.value.hint
    return caught.value.reason


def name(
    token: str = "RHEL9-64",  # noqa: S107 - a package, not a secret
    *,
    version: str = "9.66.7567.1",
    date: str = "20Sep2025",
    product: str = "Microsoft-ASR_UA",
    config: str = "release",
) -> str:
    return f"{product}_{version}_{token}_GA_{date}_{config}.tar.gz"


# Names from the field.


def test_the_collection_holds_105_installers_and_8_other_components() -> None:
    assert (len(INSTALLERS), len(OTHERS)) == (105, 8)


@pytest.mark.parametrize("row", INSTALLERS, ids=lambda row: row["file_name"])
def test_a_published_name_reads_field_by_field_and_prints_back(row: dict[str, str]) -> None:
    parsed = names.parse(row["file_name"])
    day = dt.datetime.strptime(row["date_in_name"].replace("th", ""), "%d%b%Y").date()  # noqa: DTZ007 - a day
    assert str(parsed) == row["file_name"]
    assert parsed.product == row["product"]
    assert parsed.version == Version(row["version"])
    assert parsed.token == row["token"]
    assert parsed.channel == row["channel"]
    assert parsed.date == day
    assert parsed.config == row["config"]
    assert parsed.extension == f".{row['extension']}"


@pytest.mark.parametrize(
    ("text", "component"),
    [
        (OTHERS[0], "setup of the Scout configuration server"),
        (OTHERS[1], "Scout push installer"),
        (OTHERS[2], "Scout vContinuum master target"),
        (OTHERS[3], "update of the Scout RX server"),
        (OTHERS[4], "update of the Scout RX server"),
        (OTHERS[5], "update of the Scout configuration server"),
        (OTHERS[6], "update of the Scout agent"),
        (OTHERS[7], "update of the Scout agent"),
        (
            "Microsoft-ASR_CX_TP_9.66.0.0_Windows_GA_20Sep2025_release.exe",
            "third-party bundle of the configuration server's setup",
        ),
    ],
)
def test_another_component_is_told_apart_and_named(text: str, component: str) -> None:
    assert reason_of(text) == f"is another component ({component}), not a push-install agent"


# Builds.


@pytest.mark.parametrize(
    ("release", "date", "build"),
    [
        ("9.30", "22Oct2019", 5407),
        ("9.35", "30Jun2020", 5659),
        ("9.36", "06Aug2020", 5696),
        ("9.51", "26Sep2022", 6477),
        ("9.55", "11Jul2023", 6765),
        ("9.64", "11Mar2025", 7374),
        ("9.65", "23Apr2025", 7417),
        ("9.66", "20Sep2025", 7567),
        ("9.66", "22Sep2025", 7569),
    ],
)
def test_the_build_follows_from_the_date(release: str, date: str, build: int) -> None:
    parsed = names.parse(name(version=f"{release}.0.0", date=date))
    assert parsed.build == Version(f"{release}.{build}.1")
    assert parsed.build_derived


def test_the_derived_build_of_9_63_is_known_not_to_be_the_announced_one_and_is_marked_as_derived() -> None:
    parsed = names.parse("Microsoft-ASR_UA_9.63.0.0_Windows_GA_21Oct2024_Release.exe")
    assert parsed.build == Version("9.63.7233.1")
    assert parsed.build != Version("9.63.7187.1")
    assert parsed.build_derived


def test_a_full_build_is_taken_from_the_name_whatever_the_date_says() -> None:
    parsed = names.parse(name(version="9.66.7567.1", date="01Jan2001"))
    assert parsed.build == Version("9.66.7567.1")
    assert not parsed.build_derived


@pytest.mark.parametrize("date", ["01Jan2005", "31Dec2004"], ids=["day zero itself", "the day before"])
def test_no_build_is_derived_before_the_vendors_count_begins(date: str) -> None:
    assert names.parse(name(version="8.0.0.0", date=date)).build is None


@pytest.mark.parametrize(
    ("date", "day"),
    [
        ("6Aug2020", dt.date(2020, 8, 6)),
        ("06Aug2020", dt.date(2020, 8, 6)),
        ("1stAug2016", dt.date(2016, 8, 1)),
        ("2ndAug2016", dt.date(2016, 8, 2)),
        ("3rdAug2016", dt.date(2016, 8, 3)),
        ("17thAug2016", dt.date(2016, 8, 17)),
        ("29FEB2024", dt.date(2024, 2, 29)),
    ],
)
def test_a_day_may_have_one_digit_or_be_an_ordinal(date: str, day: dt.date) -> None:
    parsed = names.parse(name(date=date))
    assert parsed.date == day
    assert str(parsed) == name(date=date)


@pytest.mark.parametrize("token", ["OL6.-64", "RHEL99-64", "rhel9-64", "Plan9-128", "SLES11-SP3-64+x"])
def test_a_token_nobody_knows_is_read_all_the_same(token: str) -> None:
    assert names.parse(name(token)).token == token


# Order.


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        pytest.param(name(version="9.9.0.0"), name(version="9.10.0.0"), id="numbers, not text"),
        pytest.param(name(version="9.66.999.1"), name(version="9.66.7567.1"), id="third part"),
        pytest.param(name(date="20Sep2025"), name(date="22Sep2025"), id="same version, later day"),
        pytest.param(name(date="30Jan2025"), name(date="01Feb2025"), id="day before month as text"),
        pytest.param(name(version="9.65.7417.1", date="31Dec2025"), name(date="01Jan2025"), id="version before date"),
        pytest.param(name(config="Release"), name(config="release"), id="case alone: by text"),
    ],
)
def test_names_are_ordered_by_version_then_date_then_text(older: str, newer: str) -> None:
    old, new = names.parse(older), names.parse(newer)
    assert old < new
    assert old <= new
    assert new > old
    assert new >= old
    assert not new < old
    assert not new <= old
    assert not old > new
    assert not old >= new


PARTS = st.integers(0, 12)
INSTALLER_NAMES = st.builds(
    lambda product, version, date, token, config: names.parse(
        f"{product}_{version}_{token}_GA_{date}_{config}.{'exe' if token == names.WINDOWS else 'tar.gz'}"
    ),
    st.sampled_from(names.PRODUCTS),
    st.tuples(PARTS, PARTS, PARTS, PARTS).map(lambda parts: ".".join(map(str, parts))),
    st.dates(dt.date(2025, 1, 1), dt.date(2025, 3, 1)).map(
        lambda day: f"{day.day:02}{('Jan', 'Feb', 'Mar')[day.month - 1]}{day.year}"
    ),
    st.sampled_from(["RHEL9-64", "RHEL10-64", "Windows"]),
    st.sampled_from(["release", "Release"]),
)


@given(INSTALLER_NAMES)
def test_printing_and_reading_give_the_same_name(one: InstallerName) -> None:
    assert names.parse(str(one)) == one
    assert hash(names.parse(str(one))) == hash(one)


@given(INSTALLER_NAMES, INSTALLER_NAMES)
def test_of_two_names_exactly_one_is_smaller_unless_they_are_equal(one: InstallerName, other: InstallerName) -> None:
    assert (one < other) + (other < one) + (one == other) == 1
    assert (one <= other) == (one < other or one == other)
    assert (one > other) == (other < one)
    assert (one >= other) == (other <= one)


@given(INSTALLER_NAMES, INSTALLER_NAMES, INSTALLER_NAMES)
def test_order_is_transitive(one: InstallerName, two: InstallerName, three: InstallerName) -> None:
    low, middle, high = sorted((one, two, three))
    assert low <= middle
    assert middle <= high
    assert low <= high


@given(st.integers(0, 99999), st.integers(0, 99999))
def test_a_release_prints_back(major: int, minor: int) -> None:
    assert Release.parse(str(Release(major, minor))) == Release(major, minor)


def test_releases_are_ordered_by_number() -> None:
    assert Release.parse("9.9") < Release.parse("9.10") < Release.parse("10.0")


@pytest.mark.parametrize(
    "text", ["", "9", "9.", ".9", "9.66.0", "9,66", " 9.66", "9.6x", "-9.6", "9.123456", "\u0669.\u0666", "9.66\n"]
)
def test_what_is_no_release_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(InputError, match="is not a release") as caught:
        Release.parse(text)
    assert caught.value.code == "not-a-release"
    assert "9.66" in caught.value.hint


def test_a_four_part_version_is_read() -> None:
    assert names.parse_version("9.66.7567.1") == Version("9.66.7567.1")


@pytest.mark.parametrize(
    "text", ["", "9.66", "9.66.7567", "9.66.7567.1.2", "9.66.7567.rc1", "v9.66.7567.1", "9.66.7567.1\n"]
)
def test_what_is_no_version_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(InputError, match="is not a version") as caught:
        names.parse_version(text)
    assert caught.value.code == "not-a-version"
    assert "9.66.7567.1" in caught.value.hint


# What is not a name, and why.

PREFIX = "does not begin with Microsoft-ASR_UA_ or InMage_UA_"
STRANGE = "holds characters that no published name has"
FIELDS = "where a name has 5"
LONG = "is longer than a file name can be (255 characters)"
GOOD = name()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param("", "is empty", id="nothing"),
        pytest.param("x" * 256, LONG, id="256 characters"),
        pytest.param("x" * 255, PREFIX, id="255 characters are looked at"),
        pytest.param(name("A" + "1" * 220), LONG, id="right shape, too long"),
        pytest.param(f"folder/{GOOD}", "is a path, not a file name", id="slash"),
        pytest.param(f"folder\\{GOOD}", "is a path, not a file name", id="backslash"),
        pytest.param("../etc", "is a path, not a file name", id="a way out"),
        pytest.param("..", PREFIX, id="the parent"),
        pytest.param("CON", PREFIX, id="a device of Windows"),
        pytest.param("a:b", PREFIX, id="an alternate stream"),
        pytest.param(f"{GOOD}:stream", "does not end in .tar.gz or .exe", id="a stream of a good name"),
        pytest.param(f"{GOOD}.", "does not end in .tar.gz or .exe", id="trailing dot"),
        pytest.param(f"{GOOD} ", "does not end in .tar.gz or .exe", id="trailing space"),
        pytest.param(f"{GOOD}\n", STRANGE, id="trailing line break"),
        pytest.param(f"{GOOD}\0", STRANGE, id="null character"),
        pytest.param(f"\u202e{GOOD}", STRANGE, id="right-to-left override"),
        pytest.param(GOOD.replace("RHEL", "RHE\u200fL"), STRANGE, id="right-to-left mark"),
        pytest.param(GOOD.replace("RHEL", "RH\u0395L"), STRANGE, id="a Greek letter that looks alike"),
        pytest.param(GOOD.replace("2025", "\uff12\uff10\uff12\uff15"), STRANGE, id="full-width digits"),
        pytest.param(GOOD.replace("20Sep", "\u0662\u0660Sep"), STRANGE, id="Arabic digits"),
        pytest.param(f"{GOOD}\udcff", STRANGE, id="half of a surrogate pair"),
        pytest.param(f"Copy of {GOOD}", PREFIX, id="a copy"),
        pytest.param(GOOD.lower(), PREFIX, id="case twin of the product"),
        pytest.param(f"{GOOD}.part", "does not end in .tar.gz or .exe", id="half loaded"),
        pytest.param(GOOD.replace(".tar.gz", ".TAR.GZ"), "does not end in .tar.gz or .exe", id="case twin of the end"),
        pytest.param(
            GOOD.replace(".tar.gz", " (1).tar.gz"), "where the config ('release') should be", id="browser copy"
        ),
        pytest.param(GOOD.replace("_GA", ""), f"has 4 fields after the product {FIELDS}", id="a field too few"),
        pytest.param(GOOD.replace("_GA", "_GA_GA"), f"has 6 fields after the product {FIELDS}", id="a field too many"),
        pytest.param(name(version="9.66"), "has '9.66' where the version", id="short version"),
        pytest.param(name(version="9.66.7567.123456"), "where the version", id="a number too long"),
        pytest.param(name("-64"), "has '-64' where the package token should be", id="token begins with a dash"),
        pytest.param(name(""), "has '' where the package token should be", id="no token"),
        pytest.param(GOOD.replace("_GA_", "_G4_"), "has 'G4' where the channel should be", id="digit in the channel"),
        pytest.param(name(date="2025-09-20"), "has '2025-09-20' where the date", id="ISO date"),
        pytest.param(name(date="31Sep2025"), "has '31Sep2025' for a date, and there is no such day", id="31 September"),
        pytest.param(name(date="29Feb2025"), "and there is no such day", id="no leap year"),
        pytest.param(name(date="00Jan2025"), "and there is no such day", id="day zero"),
        pytest.param(name(date="20Sep0000"), "and there is no such day", id="year zero"),
        pytest.param(name(date="20Okt2025"), "and there is no such day", id="a German month"),
        pytest.param(name(config="debug"), "has 'debug' where the config ('release') should be", id="debug build"),
        pytest.param(GOOD.replace(".tar.gz", ".exe"), "is an .exe for 'RHEL9-64': only the Windows", id="Linux exe"),
        pytest.param(name("Windows"), "is a .tar.gz for Windows, whose package is an .exe", id="Windows archive"),
    ],
)
def test_a_bad_name_gets_its_reason_in_words(text: str, reason: str) -> None:
    assert reason in reason_of(text)


def test_a_name_of_255_characters_is_read() -> None:
    longest = name("A" + "1" * (255 - len(name("A"))))
    assert len(longest) == 255
    assert str(names.parse(longest)) == longest


def test_names_that_differ_in_case_alone_are_two_names_in_a_fixed_order() -> None:
    low, high = names.parse(name(config="Release")), names.parse(name(config="release"))
    assert low != high
    assert sorted([high, low]) == [low, high]


def test_a_long_text_is_not_repeated_in_full_in_the_message() -> None:
    with pytest.raises(InvalidNameError) as caught:
        names.parse("x" * 1_000_000)
    assert len(caught.value.message) < 400


ADVERSARIAL = [
    "_",
    ".",
    "9.",
    "A",
    "1",
    "release",
    "Microsoft-ASR_UA_",
    "Microsoft-ASR_UA_9.66.7567.1_",
    "RHEL9-64_GA_",
    ".tar.gz",
    "20Sep2025_",
    "\u202e",
]


@pytest.mark.parametrize("unit", ADVERSARIAL)
@pytest.mark.parametrize("head", ["", "Microsoft-ASR_UA_9.66.7567.1_"])
def test_text_that_doubles_up_to_a_megabyte_still_gets_its_answer(head: str, unit: str) -> None:
    length = 64
    while length <= 1 << 20:
        text = head + unit * (length // len(unit) + 1)
        with pytest.raises(InvalidNameError):
            names.parse(text)
        length *= 2
    assert reason_of(text) == LONG


def answer(text: str) -> InstallerName | str:
    """The name, or the reason why it is none."""
    try:
        return names.parse(text)
    except InvalidNameError as error:
        return error.reason


@given(st.text())
def test_any_text_gets_an_answer_or_a_reason(text: str) -> None:
    assert str(answer(text))


FRAGMENTS = [
    *("Microsoft-ASR_UA", "InMage_UA", "Microsoft-ASR_CX", "RX", "_", "_", "_", "_9.66.7567.1_", "_9.30.0.0_"),
    *("9.66", "RHEL9-64", "Windows", "UBUNTU-22.04-64", "_GA_", "20Sep2025", "31Feb2024", "17thAug2016", "_release"),
    *(
        "_Release",
        ".tar.gz",
        ".exe",
        ".part",
        " ",
        "/",
        "\\",
        ":",
        "..",
        "CON",
        "\u202e",
        "é",
        "\udc80",
        "\0",
        "\uff19",
        "7",
    ),
]
SHAPE = [
    "Microsoft-ASR_UA",
    "_",
    "9.66.7567.1",
    "_",
    "RHEL9-64",
    "_",
    "GA",
    "_",
    "20Sep2025",
    "_",
    "release",
    ".tar.gz",
]


@pytest.mark.slow
def test_a_million_random_names_get_an_answer_or_a_reason() -> None:
    chance = random.Random(20250920)  # noqa: S311 - names for a test, no secret
    read = refused = 0
    for _ in range(1_000_000):
        if chance.random() < 0.5:
            parts = SHAPE.copy()
            parts[chance.randrange(len(parts))] = chance.choice(FRAGMENTS)
        else:
            parts = chance.choices(FRAGMENTS, k=chance.randrange(9))
        text = "".join(parts)
        found = answer(text)
        if isinstance(found, InstallerName):
            read += 1
            assert found.text == text
        else:
            refused += 1
            assert found, text
    assert read > 10_000
    assert refused > 500_000
