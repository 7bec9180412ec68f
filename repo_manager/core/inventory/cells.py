"""What the cells of one machine say: its name, its system, its kernel."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, Final

from repo_manager.core.inventory.columns import Role
from repo_manager.core.inventory.model import Wording

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

UNCALCULATED: Final = "#FORMULA!"
"""What a reader gives for a formula whose value nobody has calculated yet."""

DATE: Final = "#DATE!"
"""What a reader gives for a date: spreadsheets make one of `Mar-12`, and the name is lost."""

NESTED: Final = "#NESTED!"
"""What a reader of JSON gives for a list or an object where there should be a text."""

NO_NUMBER: Final = "#NUMBER!"
"""What a reader of JSON gives for NaN and the infinities, which are none."""

ERRORS: Final = {
    **dict.fromkeys(("#N/A", "#REF!", "#VALUE!", "#NAME?", "#DIV/0!", "#NULL!", "#NUM!"), "a formula that failed"),
    UNCALCULATED: "a formula that was never calculated; open the file in a spreadsheet and save it again",
    DATE: "a date, which a spreadsheet made of a name; write it as text",
    NESTED: "a list or an object, and should be a text",
    NO_NUMBER: "no number, and should be a text",
}
"""Cells that stand for a value that is not there, and what is to be said of them."""

YES: Final = frozenset({"true", "1", "yes", "y", "x", "wahr", "ja", "vrai", "oui"})
_ON: Final = frozenset({"poweredon", "on", "running", *YES})
_OFF: Final = frozenset({"poweredoff", "off", "suspended", "stopped", "false", "0", "no"})
_LONGEST_NAME: Final = 256

# Evidence: guestInfo.detailed.data of VMware Tools; `key='value'` pairs with a space between them.
_PAIR: Final = re.compile(r"(?<![A-Za-z0-9])([A-Za-z]{1,40})='([^'\n]*)'")
_NAMING: Final = ("prettyName", "distroName")
_OF_SYSTEM: Final = ("architecture", "bitness", "distroName", "distroVersion", "familyName", "prettyName")
_TOOLS_KERNEL: Final = re.compile(r"\s*Linux (?P<kernel>[0-9]\S+)")

# Digits that say how wide a machine's words are, and nothing of its system's version.
_WIDTH: Final = re.compile(
    r"(?:x86[-_ ]64|x64|x86|i[3-6]86|amd64|aarch64|arm64|ppc64(?:le)?|s390x|(?:32|64)[- ]?bits?|\((?:32|64)\))",
    re.IGNORECASE,
)


def problem_of_name(name: str) -> str:
    """Why this is no name; empty where it is one."""
    if not name:
        return "has no name"
    if name in ERRORS:
        return f"is {ERRORS[name]}"
    if len(name) > _LONGEST_NAME:
        return f"has {len(name)} characters, which is no name; look for a quote that is not closed"
    return ""


def powered_on(told: Mapping[Role, str]) -> bool | None:
    """Whether the machine runs; None where nothing is said."""
    power = told.get(Role.POWER, "").casefold()
    return True if power in _ON else False if power in _OFF else None


def system(told: Mapping[Role, str]) -> tuple[str, Wording, Role]:
    """The best words there are, and the column they stand in: seen by VMware Tools, given in a list, or configured."""
    pairs = dict(_PAIR.findall(told.get(Role.DETAILED, "")))
    if any(pairs.get(key) for key in _NAMING):
        # What differs from machine to machine, such as the kernel, is left out, so that equal systems have equal words.
        words = " ".join(f"{key}='{pairs[key]}'" for key in _OF_SYSTEM if key in pairs)
        return plain(words), Wording.TOOLS, Role.DETAILED
    if told.get(Role.TOOLS):
        return plain(told[Role.TOOLS]), Wording.TOOLS, Role.TOOLS
    given = told.get(Role.GIVEN, "")
    if given:
        release = told.get(Role.RELEASE, "")
        needs_release = release and not any(character.isdigit() for character in _WIDTH.sub("", given))
        return plain(f"{given} {release}" if needs_release else given), Wording.GIVEN, Role.GIVEN
    configured = told.get(Role.CONFIGURED, "")
    return plain(configured), Wording.CONFIGURED if configured else Wording.GIVEN, Role.CONFIGURED


def kernels(told: Mapping[Role, str]) -> Iterator[tuple[str, Role]]:
    """What may be the kernel, each with the column it stands in: its own column, else what VMware Tools tell."""
    if told.get(Role.KERNEL):
        yield told[Role.KERNEL], Role.KERNEL
    pairs = dict(_PAIR.findall(told.get(Role.DETAILED, "")))
    if pairs.get("kernelVersion"):
        yield pairs["kernelVersion"], Role.DETAILED
    match = _TOOLS_KERNEL.match(told.get(Role.TOOLS, ""))
    if match:
        yield match["kernel"], Role.TOOLS


def plain(text: str) -> str:
    """The text without characters that steer terminals; its lines are kept, since a cell may hold a whole file."""
    if text.isprintable():
        return text
    return "".join(" " if _steers(character) else character for character in text).strip()


def is_plain(text: str) -> bool:
    """Whether the text has no characters that steer terminals, but for the ends of its lines."""
    return text.isprintable() or not any(_steers(character) and character != "\r" for character in text)


def _steers(character: str) -> bool:
    return unicodedata.category(character) == "Cc" and character not in "\n\t"


def visible(text: str) -> str:
    r"""The text on one line, with characters that cannot be shown written as `\x07`."""
    line = " ".join(text.split())
    if line.isprintable():
        return line
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape", "surrogatepass").decode("ascii")
        for character in line
    )
