"""The official list of download links, and taking a newer one into the catalog's text.

The vendor publishes the list as Markdown: a heading per release, an item per package, and the
addresses as reference definitions at the end.

    ### Version 9.66
    - [RHEL9-64][RHEL9-64-966]
    [RHEL9-64-966]: https://download.microsoft.com/.../Microsoft-ASR_UA_9.66.7567.1_RHEL9-64_GA_20Sep2025_release.tar.gz

Labels are typed by hand and once said RHELP6-64, so the file name decides and a label that differs
is only remarked on.

Evidence: Azure/Azure-SiteRecovery, MobilityAgent/OnPremiseToAzure/AgentDownloadLinks.md, 2026-07.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

import yaml

from repo_manager.core import catalog as catalogs
from repo_manager.core.catalog import Catalog, Link
from repo_manager.core.catalog.yaml_tree import MAX_CHARACTERS
from repo_manager.core.errors import InputError, Problem
from repo_manager.core.names import Release, Token

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

MAX_PROBLEMS: Final = 100
"""So many problems and remarks are collected at most: the rest of a file that is no list says nothing new."""

_HEADING: Final = re.compile(r"#{1,6}\s+(\S.*)")
_VERSION_HEADING: Final = re.compile(r"(?:[A-Za-z]+\s+){0,4}([0-9]{1,5}\.[0-9]{1,5})\s*#*\s*")
_ITEM: Final = re.compile(r"\s*[-*+]\s+\[([^\[\]]+)\](?:\[([^\[\]]*)\]|\(<?([^()<>\s]*)>?\))?\s*")
_DEFINITION: Final = re.compile(r" {0,3}\[([^\[\]]+)\]:\s*<?([^<>\s]*)>?(?:\s.*)?")

_UNSEEN_NOTE: Final = (
    "Taken in from a list of links; its rollup, and whether it is for classic servers, are not noted yet."
)


@dataclass(frozen=True, slots=True)
class LinkList:
    """What a list says.

    `releases` are as the headings order them, each with at most one link a package. `problems` are
    entries that were left out; `remarks` are oddities of entries that were taken.
    """

    releases: Mapping[Release, tuple[Link, ...]]
    problems: tuple[Problem, ...]
    remarks: tuple[Problem, ...]


@dataclass(frozen=True, slots=True)
class LinkChange:
    """A package of a release whose link is another one now."""

    before: Link
    after: Link


@dataclass(frozen=True, slots=True)
class LinkDifference:
    """A list compared with a catalog.

    `new_releases` are those the catalog knows nothing of, newest first; their links are among
    `added`. `kept` are links of the catalog that the list does not have: they stay. `unknown` are
    links for packages that the catalog does not have: the package must be described first.
    """

    new_releases: tuple[Release, ...]
    added: tuple[Link, ...]
    changed: tuple[LinkChange, ...]
    unchanged: tuple[Link, ...]
    kept: tuple[Link, ...]
    unknown: tuple[Link, ...]

    @property
    def wanted(self) -> tuple[Link, ...]:
        """The links that the catalog is to have and does not; empty when there is nothing to take in."""
        return (*self.added, *(change.after for change in self.changed))


def parse(text: str, hosts: frozenset[str]) -> LinkList:
    """Read a list. Never raises: what cannot be used is among `problems`, with its place."""
    return _ListReader(hosts).read(text)


def difference(catalog: Catalog, listed: LinkList) -> LinkDifference:
    """Compare a list with the catalog, newest release first and in catalog order."""
    order = {token: place for place, token in enumerate(catalog.packages)}
    links = [link for links in listed.releases.values() for link in links]
    known = sorted(
        (link for link in links if link.token in order),
        key=lambda link: (-link.release.major, -link.release.minor, order[link.token]),
    )
    present = _all_links(catalog)
    named = {(link.release, link.token) for link in known}
    pairs = [(present.get((link.release, link.token)), link) for link in known]
    return LinkDifference(
        new_releases=tuple(
            sorted({link.release for link in known if catalog.facts(link.release) is None}, reverse=True)
        ),
        added=tuple(link for before, link in pairs if before is None),
        changed=tuple(LinkChange(before, link) for before, link in pairs if before and before.url != link.url),
        unchanged=tuple(before for before, link in pairs if before and before.url == link.url),
        kept=tuple(link for key, link in present.items() if key not in named),
        unknown=tuple(link for link in links if link.token not in order),
    )


def describe(found: LinkDifference) -> tuple[str, ...]:
    """A difference in lines for people."""
    lines = [f"new release {release}" for release in found.new_releases]
    lines += [f"+ {link.release} {link.token}  {link.url}" for link in found.added]
    for change in found.changed:
        lines.append(f"~ {change.after.release} {change.after.token}  {change.after.url}")
        lines.append(f"  was {change.before.url}")
    lines += [f"? {link.release} {link.token}  no package of this name, left out" for link in found.unknown]
    counts = f"{len(found.added)} added, {len(found.changed)} changed, {len(found.unchanged)} unchanged"
    lines.append(f"{counts}, {len(found.kept)} kept that the list does not have")
    return tuple(lines)


def amend(text: str, catalog: Catalog, found: LinkDifference) -> str:
    """The catalog's text with the new and changed links in it and everything else as it was.

    `catalog` is what `text` was parsed into. Where a link changes, what was noted of the old file
    (mirrors, digest, size) goes with it. Amending the result again changes nothing.

    Raises:
        InputError: the text has the links in a form that only a person can extend.
        DocumentError: the text has mistakes.
    """
    if not found.wanted:
        return text
    amended = _Amender(text, tuple(catalog.packages)).amend(found.wanted)
    result = catalogs.parse(amended)
    # Whatever form the text has: what it says afterwards must be what it said, and the links.
    same = _without_links(result, found.new_releases) == _without_links(catalog, ())
    links = _all_links(catalog) | {(link.release, link.token): link for link in found.wanted}
    if not same or _all_links(result) != links:
        raise _only_by_hand("the catalog")
    return amended


def _without_links(catalog: Catalog, leave_out: tuple[Release, ...]) -> Catalog:
    kept = tuple(
        replace(facts, links=MappingProxyType({})) for facts in catalog.releases if facts.release not in leave_out
    )
    return replace(catalog, releases=kept)


def _all_links(catalog: Catalog) -> dict[tuple[Release, Token], Link]:
    return {(facts.release, link.token): link for facts in catalog.releases for link in facts.links.values()}


class _ListReader:
    def __init__(self, hosts: frozenset[str]) -> None:
        self._hosts = hosts
        self._problems: list[Problem] = []
        self._remarks: list[Problem] = []
        self._definitions: dict[str, str] = {}
        self._lines_of: dict[str, int] = {}
        self._used: set[str] = set()
        self._found: dict[Release, dict[Token, Link]] = {}

    def read(self, text: str) -> LinkList:
        if len(text) > MAX_CHARACTERS:
            self._problem(1, 1, f"longer than {MAX_CHARACTERS} characters; this is no list of links")
            text = ""
        lines = list(enumerate(text.splitlines(), start=1))
        # Definitions stand at the end and items use them before, so they are read first.
        rest = [(number, line) for number, line in lines if not self._define(number, line)]
        self._read_items(rest)
        for label in self._definitions.keys() - self._used:
            self._remark(self._lines_of[label], 1, f"the reference [{label}] is defined and not used")
        if not self._found and not self._problems:
            self._problem(1, 1, "no heading such as '### Version 9.66' with links below it was found")
        return LinkList(
            MappingProxyType({release: tuple(links.values()) for release, links in self._found.items()}),
            tuple(sorted(self._problems, key=_place_of)[:MAX_PROBLEMS]),
            tuple(sorted(self._remarks, key=_place_of)[:MAX_PROBLEMS]),
        )

    def _define(self, number: int, line: str) -> bool:
        match = _DEFINITION.fullmatch(line)
        if match is None:
            return False
        label, url = _folded(match[1]), match[2]
        first = self._definitions.setdefault(label, url)
        self._lines_of.setdefault(label, number)
        if first != url:
            self._problem(number, 1, f"the reference [{label}] is already defined on line {self._lines_of[label]}")
        return True

    def _read_items(self, lines: Iterable[tuple[int, str]]) -> None:
        release: Release | None = None
        for number, line in lines:
            heading = _HEADING.fullmatch(line)
            if heading is not None:
                version = _VERSION_HEADING.fullmatch(heading[1])
                release = Release.parse(version[1]) if version else None
                continue
            item = _ITEM.fullmatch(line)
            if item is not None:
                self._take(number, line.index("[") + 1, item, release)

    def _take(self, number: int, column: int, item: re.Match[str], release: Release | None) -> None:
        label = item[1]
        reference = _folded(item[2] or label)
        url = item[3] if item[3] is not None else self._definitions.get(reference)
        self._used.add(reference)
        if url is None:
            self._problem(number, column, f"{label}: the reference [{reference}] is not defined")
        elif release is None:
            self._problem(number, column, f"{label}: this link stands under no heading that names a version")
        else:
            self._take_link(number, column, label, url, release)

    def _take_link(self, number: int, column: int, label: str, url: str, release: Release) -> None:
        try:
            name = catalogs.installer_at(url, self._hosts)
        except InputError as error:
            self._problem(number, column, f"{label}: {error.message}")
            return
        if name.release != release:
            self._problem(number, column, f"{label}: {name} is of release {name.release} and stands under {release}")
            return
        if name.token != label:
            self._remark(number, column, f"the label says {label} and the file name {name.token}; the name counts")
        links = self._found.setdefault(release, {})
        if name.token in links:
            self._problem(number, column, f"{name.token} is already listed for {release}; the first one counts")
            return
        links[name.token] = Link(name.token, release, name, url)

    def _problem(self, line: int, column: int, message: str) -> None:
        self._problems.append(Problem(line, column, message))

    def _remark(self, line: int, column: int, message: str) -> None:
        self._remarks.append(Problem(line, column, message))


class _Amender:
    """Finds where links belong in the text, and splices them in from the end backwards."""

    def __init__(self, text: str, order: tuple[Token, ...]) -> None:
        self._text = text
        self._newline = "\r\n" if "\r\n" in text else "\n"
        self._order = {token: place for place, token in enumerate(order)}
        self._edits: list[tuple[int, int, str]] = []

    def amend(self, links: tuple[Link, ...]) -> str:
        # The parser in Python: slower, and its marks count characters on every platform.
        root = _block(yaml.compose(self._text, Loader=yaml.SafeLoader), "the catalog")
        releases = _block(_value(root, "releases"), "releases")
        present = {Release.parse(key.value): value for key, value in releases.value}
        newest_first = next(iter(present)) >= next(reversed(present))
        by_release: dict[Release, list[Link]] = {}
        for link in links:
            by_release.setdefault(link.release, []).append(link)
        # Edits at one place keep this order: what belongs to a present release, then whole new ones.
        for release in sorted(by_release, reverse=newest_first):
            if release in present:
                self._extend_release(_block(present[release], str(release)), by_release[release])
        for release in sorted(by_release.keys() - present.keys(), reverse=newest_first):
            following = [other for other in present if (other < release if newest_first else other > release)]
            self._add_release(releases, release, by_release[release], following[0] if following else None)
        text = self._text
        for _, (start, end, new) in sorted(enumerate(self._edits), key=_edit_place, reverse=True):
            text = text[:start] + new + text[end:]
        return text

    def _extend_release(self, release: yaml.MappingNode, wanted: list[Link]) -> None:
        links = _value(release, "links")
        if links is None:
            indent = _column(release)
            self._insert_after(release, self._links_block(indent, wanted))
            return
        block = _block(links, "links")
        by_token = {link.token: link for link in wanted}
        for key, value in block.value:
            link = by_token.get(key.value)
            if link is not None and isinstance(value, yaml.MappingNode):
                self._edits.append((key.end_mark.index, self._end(value), f": {link.url}"))
            elif link is not None:
                self._edits.append((value.start_mark.index, self._end(value), link.url))
        self._add_links(block, [link for link in wanted if _value(block, link.token) is None])

    def _add_links(self, block: yaml.MappingNode, wanted: list[Link]) -> None:
        """Each new link goes behind the last one that comes before it in catalog order."""
        indent = " " * _column(block)
        behind: dict[int, list[str]] = {}
        for link in sorted(wanted, key=lambda link: self._order[link.token]):
            before = [
                place
                for place, (key, _) in enumerate(block.value)
                if self._order.get(Token(key.value), -1) < self._order[link.token]
            ]
            behind.setdefault(max(before, default=-1), []).append(f"{indent}{link.token}: {link.url}")
        for place, lines in behind.items():
            if place < 0:
                first = self._line_start(block.value[0][0].start_mark.index)
                self._edits.append((first, first, "".join(line + self._newline for line in lines)))
            else:
                self._insert_after(block.value[place][1], lines)

    def _add_release(
        self, releases: yaml.MappingNode, release: Release, wanted: list[Link], following: Release | None
    ) -> None:
        """Put a new block above the release that is to follow it, or at the end."""
        indent = _column(releases)
        lines = self._release_block(indent, release, wanted)
        if following is None:
            self._insert_after(releases, ["", *lines])
            return
        key = next(key for key, _ in releases.value if Release.parse(key.value) == following)
        start = self._above_comment(key.start_mark.index, indent)
        self._edits.append((start, start, "".join(line + self._newline for line in [*lines, ""])))

    def _release_block(self, indent: int, release: Release, wanted: list[Link]) -> list[str]:
        inner = " " * (indent + 2)
        builds = sorted({link.name.version for link in wanted if not link.name.build_derived})
        lines = [f'{" " * indent}"{release}":']
        if builds:
            lines.append(f"{inner}builds: [{', '.join(f'{chr(34)}{build}{chr(34)}' for build in builds)}]")
        lines.append(f'{inner}for_classic: "unclear"')
        lines.append(f'{inner}note: "{_UNSEEN_NOTE}"')
        return lines + self._links_block(indent + 2, wanted)

    def _links_block(self, indent: int, wanted: list[Link]) -> list[str]:
        ordered = sorted(wanted, key=lambda link: self._order[link.token])
        return [" " * indent + "links:", *(f"{' ' * (indent + 2)}{link.token}: {link.url}" for link in ordered)]

    def _insert_after(self, node: yaml.Node, lines: list[str]) -> None:
        """Put lines below the one on which `node` ends, past a comment at that line's end."""
        end = self._end(node)
        newline = re.compile(r"\r\n|\r|\n").search(self._text, end)
        place = newline.start() if newline else len(self._text)
        self._edits.append((place, place, "".join(self._newline + line for line in lines)))

    def _end(self, node: yaml.Node) -> int:
        """The index behind the last character that belongs to `node`; comments below it do not."""
        while isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
            node = node.value[-1][1] if isinstance(node, yaml.MappingNode) else node.value[-1]
        # The mark of a folded text is behind the blank lines that follow it.
        return len(self._text[: node.end_mark.index].rstrip())

    def _line_start(self, index: int) -> int:
        return max(self._text.rfind("\n", 0, index), self._text.rfind("\r", 0, index)) + 1

    def _above_comment(self, index: int, indent: int) -> int:
        """The start of the line of `index`, or of the comment lines that stand right above it."""
        start = self._line_start(index)
        # The line that opens the mapping ends this at the latest.
        while self._text[(above := self._line_above(start)) : start].startswith(" " * indent + "#"):
            start = above
        return start

    def _line_above(self, start: int) -> int:
        return self._line_start(start - (2 if self._text[start - 2 : start] == "\r\n" else 1))


def _block(node: yaml.Node | None, what: str) -> yaml.MappingNode:
    """The node, if it is a mapping written one entry a line."""
    if not isinstance(node, yaml.MappingNode) or node.flow_style or not node.value:
        raise _only_by_hand(what)
    return node


def _only_by_hand(what: str) -> InputError:
    return InputError(
        "catalog-not-amendable",
        f"{what} is not written one entry a line, so new links cannot be put in without touching the rest",
        "add the links by hand, or write the catalog's releases and links one entry a line",
    )


def _value(node: yaml.MappingNode, key: str) -> yaml.Node | None:
    found: Iterator[yaml.Node] = (value for name, value in node.value if name.value == key)
    return next(found, None)


def _column(node: yaml.MappingNode) -> int:
    column: int = node.value[0][0].start_mark.column
    return column


def _folded(label: str) -> str:
    """Two reference labels are the same when they differ only in case and blanks, as Markdown has it."""
    return " ".join(label.casefold().split())


def _edit_place(edit: tuple[int, tuple[int, int, str]]) -> tuple[int, int]:
    order, (start, _, _) = edit
    return start, order


def _place_of(problem: Problem) -> tuple[int, int]:
    return problem.line, problem.column
