"""A small model of a repository: what lies in it as bytes by name, and what each change makes of that."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Final

from simulator import name_of
from small_world import TOKENS, data_of

Contents = Mapping[str, bytes]
"""The model of a repository: the bytes of each file that is an installer or could be taken for one."""

WHOLE: Final = {
    name_of(token, release): data_of(name_of(token, release))
    for token in TOKENS
    for release in ("9.64", "9.65", "9.66")
}
HALVES: Final = {name: data[:900] for name, data in WHOLE.items()}
STRAYS: Final = {f"Copy of {name}": data for name, data in WHOLE.items()}
NEWEST: Final = {token: name_of(token) for token in TOKENS}
BROUGHT: Final = TOKENS[:2]


def good(name: str, data: bytes) -> bool:
    return WHOLE.get(name) == data


def of_package(contents: Contents, token: str) -> list[str]:
    """The package's installers, newest first. All names differ in the release alone, so text order will do."""
    return sorted((name for name in contents if name in WHOLE and f"_{token}_" in name), reverse=True)


def after_sync(_contents: Contents) -> list[Contents]:
    return [{name: data_of(name) for name in NEWEST.values()}]


def after_add(contents: Contents) -> list[Contents]:
    left = {
        name: data
        for name, data in contents.items()
        if name in STRAYS or not any(f"_{token}_" in name for token in BROUGHT)
    }
    return [{**left, **{NEWEST[token]: data_of(NEWEST[token]) for token in BROUGHT}}]


def after_prune(contents: Contents) -> list[Contents]:
    """Of each package the newest good one stays.

    One that is alone is not read: broken, it goes where an earlier run knew it, and stays where none did.
    """
    choices: list[list[str]] = []
    for token in TOKENS:
        found = of_package(contents, token)
        whole = [name for name in found if good(name, contents[name])]
        alone = len(found) == 1 and not whole
        choices.append([*found, ""] if alone else [*whole, ""][:1])
    installers = [name for name in contents if name in WHOLE]
    ends = [{name: contents[name] for name in kept if name} for kept in itertools.product(*choices)]
    # The guard: two or more, and none to stay.
    return [contents if len(installers) > 1 and not end else end for end in ends]
