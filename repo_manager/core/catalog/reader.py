"""The catalog's text to its value: every mistake is reported at once, each with its line and column."""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from packaging.version import Version

from repo_manager.core.catalog import strict_yaml
from repo_manager.core.catalog.model import Catalog, Manual, Package
from repo_manager.core.catalog.releases import ReleasesReader, check_rollup, check_token, page, release_key
from repo_manager.core.catalog.serves import SystemsReader
from repo_manager.core.names import Release, Token, parse_version
from repo_manager.core.systems.support import Support, modernized_only

if TYPE_CHECKING:
    from collections.abc import Mapping

    from repo_manager.core.install_guide import Guides

SCHEMA: Final = 2
"""The newest edition of the format. Edition 1 had no `systems` and no `serves`, and is still read."""

_UNKNOWN_VERSION: Final = Version("0")
_UNCLEAR: Final = "unclear"
_TOKEN: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+\-]*", re.ASCII)
_LONGEST_NAME: Final = 200
_HOST: Final = re.compile(r"[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?", re.ASCII)


def parse(text: str, name: str = "catalog.yaml") -> Catalog:
    """Read a catalog. `name` is what messages call the document.

    Raises:
        DocumentError: with every mistake of the text, in the order of the text.
    """
    return parse_tree(strict_yaml.read(text), name)


def parse_tree(root: strict_yaml.Mapping, name: str = "catalog.yaml", *, checked: bool = False) -> Catalog:
    """Read a catalog whose YAML was read before.

    Args:
        root: its keys and values.
        name: what messages call the document.
        checked: whether it was parsed without a mistake before, so that the commands by hand need not be read.

    Raises:
        DocumentError: as of `parse`.
    """
    reader = _Reader(root)
    catalog = reader.catalog()
    if not checked:
        reader.guides()
    _raise_problems(root, name)
    return catalog


def parse_guides(root: strict_yaml.Mapping, name: str = "catalog.yaml") -> Guides | None:
    """The commands by hand of a catalog whose YAML was read before; None in edition 1.

    Raises:
        DocumentError: as of `parse`, as far as these are concerned.
    """
    guides = _Reader(root).guides()
    _raise_problems(root, name)
    return guides


def _raise_problems(root: strict_yaml.Mapping, name: str) -> None:
    root.raise_problems(
        "invalid-catalog", name, "mend the lines above, or get the catalog again that came with the tool"
    )


class _Reader:
    """Reads the sections in an order in which each knows what it may refer to."""

    def __init__(self, root: strict_yaml.Mapping) -> None:
        self._root = root
        self._sources = self._read_sources()
        self._hosts = self._read_hosts()
        self._edition = root.integer("schema", least=1, most=SCHEMA)
        self._systems = SystemsReader(root, self._evidence) if self._edition > 1 else None
        self._bundled: dict[str, list[Release]] = {}

    def catalog(self) -> Catalog:
        root = self._root
        self._read_bundled()
        packages = self._read_packages()
        releases = ReleasesReader(self._hosts, self._evidence).releases(root.mapping("releases"), packages)
        if not any(facts.links for facts in releases):
            root.problem_at_key("releases", "no release has a link, so there is nothing to keep complete")
        catalog = Catalog(
            packages=MappingProxyType(packages),
            releases=releases,
            hosts=self._hosts,
            aliases=MappingProxyType(self._read_names("aliases", packages)),
            look_alikes=MappingProxyType(self._read_look_alikes(packages)),
            legacy=MappingProxyType(self._read_legacy()),
            sources=MappingProxyType(self._sources),
            unplaced_rollups=MappingProxyType(self._read_unplaced()),
            vulnerable_below=root.parsed("vulnerable_below", parse_version, _UNKNOWN_VERSION),
            support_window=root.integer("support_window", most=99),
            support=self._support(packages),
            modernized_assumed_since=self._modernized_assumed_since(),
            edition=self._edition,
        )
        root.finish()
        return catalog

    def guides(self) -> Guides | None:
        if self._systems is None:
            return None
        # Few commands need them.
        from repo_manager.core.catalog.guides import read_guides

        return read_guides(self._root.mapping("guides"), self._evidence)

    def _modernized_assumed_since(self) -> Release | None:
        if self._systems is None:
            return None
        guides = self._root.mapping("guides")
        return guides.release("modernized_assumed_since") if "modernized_assumed_since" in guides else None

    def _read_sources(self) -> dict[str, str]:
        view = self._root.mapping("sources")
        return {key: view.text(key) for key in view}

    def _read_hosts(self) -> frozenset[str]:
        hosts = self._root.texts("hosts")
        for index, host in enumerate(hosts):
            if host and _HOST.fullmatch(host) is None:
                self._root.problem("hosts", f"{host[:80]!r} is not a host name in lower case", index)
        return frozenset(hosts)

    def _read_bundled(self) -> None:
        view = self._root.mapping("bundled", required=False)
        for key in view:
            release = release_key(view, key)
            entry = view.mapping(key)
            for token in entry.texts("packages"):
                self._bundled.setdefault(token, []).append(release)
            self._evidence(entry)
            entry.text("note", "")
            entry.finish()

    def _read_packages(self) -> dict[Token, Package]:
        view = self._root.mapping("packages")
        packages: dict[Token, Package] = {}
        folded: dict[str, str] = {}
        for key in view:
            if _TOKEN.fullmatch(key) is None:
                view.problem_at_key(key, f"{key[:80]!r} is not a package token such as RHEL9-64")
            twin = folded.setdefault(key.casefold(), key)
            if twin != key:
                view.problem_at_key(key, f"{key!r} differs from {twin!r} only in case")
            packages[Token(key)] = self._package(Token(key), view.mapping(key))
        self._check_bundled(packages)
        return packages

    def _check_bundled(self, packages: Mapping[Token, Package]) -> None:
        view = self._root.mapping("bundled", required=False)
        for key in view:
            entry = view.mapping(key)
            for index, token in enumerate(entry.texts("packages", ())):
                check_token(entry, "packages", token, packages, index)

    def _package(self, token: Token, view: strict_yaml.Mapping) -> Package:
        extension = view.text("extension")
        if extension and extension not in (".exe", ".tar.gz"):
            view.problem("extension", f"extension: {extension[:40]!r} is neither .exe nor .tar.gz")
            extension = ""
        if "systems" in view and not view.texts("systems"):
            view.problem("systems", "systems: name at least one")
        serves = self._systems.serves(token, view, extension) if self._systems and "serves" in view else ()
        package = Package(
            token=token,
            systems=tuple(each.label for each in serves) if serves and "systems" not in view else view.texts("systems"),
            extension=extension,
            manual=self._manual(view.mapping("manual")) if "manual" in view else None,
            since=view.release("since") if "since" in view else None,
            modernized_only=modernized_only(serves) if self._systems else _modernized_only_before(view),
            scout_only=view.flag("scout_only", False),
            bundled=tuple(sorted(self._bundled.get(token, ()))),
            evidence=self._evidence(view),
            note=view.text("note", ""),
            serves=serves,
            publisher=_publisher(view, extension) if "publisher" in view else None,
        )
        view.finish()
        return package

    def _support(self, packages: Mapping[Token, Package]) -> Support:
        serves = [each for package in packages.values() for each in package.serves]
        return self._systems.support(serves) if self._systems else Support({})

    def _manual(self, view: strict_yaml.Mapping) -> Manual:
        since = None if view.text("since") == _UNCLEAR else view.release("since")
        manual = Manual(since, self._evidence(view), view.text("note", ""))
        view.finish()
        return manual

    def _evidence(self, view: strict_yaml.Mapping) -> tuple[str, ...]:
        keys = view.texts("evidence", ())
        for index, key in enumerate(keys):
            if key and key not in self._sources:
                near = strict_yaml.nearest(key, self._sources)
                meant = f"; did you mean {near!r}?" if near else ""
                view.problem("evidence", f"evidence {key[:80]!r} is not among the sources{meant}", index)
        return keys

    def _read_names(self, section: str, packages: Mapping[Token, Package]) -> dict[str, Token]:
        view = self._root.mapping(section, required=False)
        for key in view:
            if key in packages:
                view.problem_at_key(key, f"{key!r} is a package of its own")
            check_token(view, key, view.text(key), packages)
        return {key: Token(view.text(key)) for key in view}

    def _read_look_alikes(self, packages: Mapping[Token, Package]) -> dict[str, Token | None]:
        return {
            **dict.fromkeys(self._root.texts("look_alikes_without_package", ())),
            **self._read_names("look_alikes", packages),
        }

    def _read_legacy(self) -> dict[str, str]:
        view = self._root.mapping("legacy", required=False)
        found: dict[str, str] = {}
        for key in view:
            group = view.mapping(key)
            note = group.text("note")
            found.update(dict.fromkeys(group.texts("tokens"), note))
            self._evidence(group)
            group.finish()
        return found

    def _read_unplaced(self) -> dict[str, str]:
        view = self._root.mapping("unplaced_rollups", required=False)
        for key in view:
            check_rollup(view, key)
        return {key: page(view, key) for key in view}


def _modernized_only_before(view: strict_yaml.Mapping) -> bool:
    """What edition 1 says of the experience. The systems that it names beside are prose, and decide nothing."""
    view.texts("modernized_only_systems", ())
    return view.flag("modernized_only", False)


def _publisher(view: strict_yaml.Mapping, extension: str) -> str | None:
    publisher = view.text("publisher")
    if not publisher:
        return None
    if extension == ".tar.gz":
        view.problem("publisher", "publisher: only a Windows program is signed, and this package ends in .tar.gz")
    elif len(publisher) > _LONGEST_NAME or not publisher.isprintable() or publisher != publisher.strip():
        view.problem("publisher", f"publisher: {publisher[:80]!r} is not a name as it stands in a certificate")
    return publisher
