"""An installer's file name and its typed parts.

    Microsoft-ASR_UA_9.66.7567.1_RHEL9-64_GA_20Sep2025_release.tar.gz
    product_________ version____ token___ ch date_____ config_ extension

`parse` is the door for text and `str()` the way back: `str(parse(text)) == text`.

Evidence: "Locate installer files" in the overview article of September 2020, the official list
of download links (Azure/Azure-SiteRecovery, AgentDownloadLinks.md, 2026-07) and names seen in
public between 2015 and 2025.
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NewType

from packaging.version import Version

from repo_manager.core.errors import InputError

if TYPE_CHECKING:
    from typing import Self

Token = NewType("Token", str)
"""A package's operating-system token as the names carry it: `RHEL7-64`, `UBUNTU-16.04-64`, `Windows`."""

WINDOWS: Final = Token("Windows")
"""The only token without a bit width, and the only package that is an `.exe`."""

PRODUCTS: Final = ("Microsoft-ASR_UA", "InMage_UA")
"""The agent, and the agent of the older Scout line."""

OTHER_COMPONENTS: Final = {
    "Microsoft-ASR_CX_TP": "third-party bundle of the configuration server's setup",
    "Microsoft-ASR_CX": "setup of the configuration server",
    "InMage_CX_TP": "third-party bundle of the Scout configuration server",
    "InMage_CX": "setup of the Scout configuration server",
    "InMage_PI": "Scout push installer",
    "InMage_Scout_vContinuum_MT": "Scout vContinuum master target",
    "InMage_ScoutCloud_RX": "Scout RX server",
    "RX": "update of the Scout RX server",
    "CX": "update of the Scout configuration server",
    "UA": "update of the Scout agent",
}
"""Products whose files look alike and are not push-install agents, longest prefix first."""

# Evidence: the third part of the version is the number of days from this day to the date in the
# name, checked on nine published pairs from 9.30 (2019) to 9.66 (2025). Not true for 9.63.
BUILD_DAY_ZERO: Final = dt.date(2005, 1, 1)

# A file name is at most 255 units on every file system we meet; longer text is no file name.
MAX_NAME_LENGTH: Final = 255

_MONTHS: Final = {
    month: number
    for number, month in enumerate(
        ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"), start=1
    )
}

# The token ends at the first underscore, and no part can match across one, so matching is linear.
# A published name of 2016 has an ordinal day (17thAug2016).
_NAME: Final = re.compile(
    r"(Microsoft-ASR_UA|InMage_UA)"
    r"_([0-9]{1,5}\.[0-9]{1,5}\.[0-9]{1,5}\.[0-9]{1,5})"
    r"_([A-Za-z0-9][A-Za-z0-9.+\-]*)"
    r"_([A-Za-z]+)"
    r"_([0-9]{1,2}(?:st|nd|rd|th)?[A-Za-z]{3}[0-9]{4})"
    r"_([Rr][Ee][Ll][Ee][Aa][Ss][Ee])"
    r"(\.tar\.gz|\.exe)",
    re.ASCII,
)
_DATE: Final = re.compile(r"([0-9]{1,2})(?:st|nd|rd|th)?([A-Za-z]{3})([0-9]{4})", re.ASCII)
_VERSION: Final = re.compile(r"[0-9]{1,5}(?:\.[0-9]{1,5}){3}", re.ASCII)
_RELEASE: Final = re.compile(r"[0-9]{1,5}\.[0-9]{1,5}", re.ASCII)


class InvalidNameError(InputError):
    """A text that is not an installer's name. `reason` says in words what is wrong with it."""

    def __init__(self, text: str, reason: str) -> None:
        super().__init__(
            "not-an-installer-name",
            f"{text[:MAX_NAME_LENGTH]!r} {reason}",
            "compare it with Microsoft-ASR_UA_9.66.7567.1_RHEL9-64_GA_20Sep2025_release.tar.gz",
        )
        self.reason = reason


@dataclass(frozen=True, slots=True, order=True)
class Release:
    """What people call a version: `9.66`. Ordered by number, so 9.9 comes before 9.10."""

    major: int
    minor: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `9.66`.

        Raises:
            InputError: the text is not two numbers with a dot between.
        """
        if _RELEASE.fullmatch(text) is None:
            raise InputError(
                "not-a-release", f"{text[:80]!r} is not a release", "write two numbers with a dot, such as 9.66"
            )
        major, minor = text.split(".")
        return cls(int(major), int(minor))

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}"


@dataclass(frozen=True, slots=True)
class InstallerName:
    """A file name taken apart. `text` is the name exactly as it was read.

    Ordered by version as four numbers, then by date, then by text, which makes the order total.
    """

    text: str
    product: str
    version: Version
    token: Token
    channel: str
    date: dt.date
    config: str
    extension: str

    def __str__(self) -> str:
        return self.text

    @property
    def release(self) -> Release:
        """The first two numbers of the version."""
        return Release(self.version.major, self.version.minor)

    @property
    def build_derived(self) -> bool:
        """Whether the name carries only `X.Y.0.0`, so that the build must be derived from the date."""
        return self.version.release[2:] == (0, 0)

    @property
    def build(self) -> Version | None:
        """The version other screens show, derived from the date where the name has only `X.Y.0.0`.

        None when the date lies before the vendor's day zero. A derived build is a good guess, not a
        fact: the 9.63 files are known to differ.
        """
        if not self.build_derived:
            return self.version
        days = (self.date - BUILD_DAY_ZERO).days
        return _version(f"{self.release}.{days}.1") if days > 0 else None

    @property
    def recency(self) -> tuple[Version, dt.date]:
        """What decides which of two is newer: the version, then the date."""
        return (self.version, self.date)

    @property
    def order(self) -> tuple[Version, dt.date, str]:
        """The sort key: newest last."""
        return (*self.recency, self.text)

    def __lt__(self, other: InstallerName) -> bool:
        return self.order < other.order

    def __le__(self, other: InstallerName) -> bool:
        return self.order <= other.order

    def __gt__(self, other: InstallerName) -> bool:
        return self.order > other.order

    def __ge__(self, other: InstallerName) -> bool:
        return self.order >= other.order


def parse(text: str) -> InstallerName:
    """Take a file name apart, in time linear in its length.

    Any token is accepted: whether a package of that name exists is the catalog's to say.

    Raises:
        InvalidNameError: with the reason in words.
    """
    match = _NAME.fullmatch(text)
    if match is None or len(text) > MAX_NAME_LENGTH:
        raise InvalidNameError(text, _reason(text))
    product, version, token, channel, day, config, extension = match.groups()
    built = _date(day)
    if built is None or (extension == ".exe") != (token == WINDOWS):
        raise InvalidNameError(text, _reason(text))
    return InstallerName(text, product, _version(version), Token(token), channel, built, config, extension)


def token_of(text: str) -> Token | None:
    """The token in an installer's name, None for any other name."""
    try:
        return parse(text).token
    except InvalidNameError:
        return None


def parse_version(text: str) -> Version:
    """Read a four-part version.

    Raises:
        InputError: the text is not four numbers with dots between.
    """
    if _VERSION.fullmatch(text) is None:
        raise InputError(
            "not-a-version", f"{text[:80]!r} is not a version", "write four numbers with dots, such as 9.66.7567.1"
        )
    return _version(text)


def other_component(text: str) -> str | None:
    """What a look-alike is, for a name that belongs to another component; None when it does not."""
    return next((what for prefix, what in OTHER_COMPONENTS.items() if text.startswith(prefix + "_")), None)


@lru_cache(maxsize=4096)
def _version(text: str) -> Version:
    return Version(text)


@lru_cache(maxsize=4096)
def _date(text: str) -> dt.date | None:
    match = _DATE.fullmatch(text)
    number = _MONTHS.get(match[2].lower()) if match else None
    if match is None or number is None:
        return None
    try:
        return dt.date(int(match[3]), number, int(match[1]))
    except ValueError:
        return None


def _reason(text: str) -> str:  # noqa: PLR0911 - one return for each thing that can be wrong
    """Say what keeps `text` from being an installer's name: the first thing a reader would mend."""
    if not text:
        return "is empty"
    if len(text) > MAX_NAME_LENGTH:
        return f"is longer than a file name can be ({MAX_NAME_LENGTH} characters)"
    if not text.isascii() or not text.isprintable():
        return "holds characters that no published name has"
    if "/" in text or "\\" in text:
        return "is a path, not a file name"
    component = other_component(text)
    if component is not None:
        return f"is another component ({component}), not a push-install agent"
    product = next((known for known in PRODUCTS if text.startswith(known + "_")), None)
    if product is None:
        return f"does not begin with {' or '.join(f'{known}_' for known in PRODUCTS)}"
    return _reason_in_fields(text[len(product) + 1 :])


def _reason_in_fields(rest: str) -> str:
    extension = next((known for known in (".tar.gz", ".exe") if rest.endswith(known)), None)
    if extension is None:
        return "does not end in .tar.gz or .exe"
    fields = rest[: -len(extension)].split("_")
    if len(fields) != len(_FIELDS):
        return f"has {len(fields)} fields after the product where a name has 5: {', '.join(_FIELDS)}"
    for (what, shape), field in zip(_FIELDS.items(), fields, strict=True):
        if shape.fullmatch(field) is None:
            return f"has {field[:40]!r} where the {what} should be"
    if _date(fields[3]) is None:
        return f"has {fields[3]!r} for a date, and there is no such day"
    if extension == ".exe":
        return f"is an .exe for {fields[1]!r}: only the {WINDOWS} package is one"
    return f"is a .tar.gz for {WINDOWS}, whose package is an .exe"


_FIELDS: Final = {
    "version (four numbers with dots)": _VERSION,
    "package token": re.compile(r"[A-Za-z0-9][A-Za-z0-9.+\-]*", re.ASCII),
    "channel": re.compile(r"[A-Za-z]+", re.ASCII),
    "date (such as 20Sep2025)": _DATE,
    "config ('release')": re.compile(r"release", re.ASCII | re.IGNORECASE),
}
