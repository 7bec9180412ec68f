"""The catalog's text to its value: every mistake is reported at once, each with its line and column."""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from packaging.version import Version

from repo_manager.core.catalog import strict_yaml
from repo_manager.core.catalog.model import Catalog, ForClassic, Link, Manual, Package, ReleaseFacts
from repo_manager.core.catalog.serves import SystemsReader
from repo_manager.core.errors import InputError
from repo_manager.core.names import InstallerName, Release, Token, parse_version
from repo_manager.core.names import parse as parse_name
from repo_manager.core.redaction import shown
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
_MONTH: Final = re.compile(r"[0-9]{4}-(?:0[1-9]|1[0-2])", re.ASCII)
_ROLLUP: Final = re.compile(r"UR[0-9]{1,3}", re.ASCII)
_SHA256: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)
_HOST: Final = re.compile(r"[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?", re.ASCII)
_URL: Final = re.compile(r"https://([A-Za-z0-9.-]+)/(?:[A-Za-z0-9._~%+-]+/)*([A-Za-z0-9._+-]+)", re.ASCII)


def installer_at(url: str, hosts: frozenset[str]) -> InstallerName:
    """The file name at the end of an official link.

    Raises:
        InputError: not a plain https address, a host that is not among `hosts`, or no installer's name.
    """
    match = _URL.fullmatch(url)
    if match is None:
        wrong = "is not a plain address of a file" if url.startswith("https://") else "is not an https address"
        raise InputError(
            "not-a-link", f"{shown(url)[:200]!r} {wrong}", "write https://, a host, folders and a file name"
        )
    host, file_name = match.groups()
    if host not in hosts:
        raise InputError(
            "foreign-host",
            f"the host {host[:80]!r} is not among the allowed ones: {', '.join(sorted(hosts))}",
            "add it under hosts in the catalog if you trust it",
        )
    return parse_name(file_name)


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
        self._seen_urls: dict[str, int] = {}

    def catalog(self) -> Catalog:
        root = self._root
        self._read_bundled()
        packages = self._read_packages()
        releases = self._read_releases(packages)
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
            release = self._release_key(view, key)
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
                _check_token(entry, "packages", token, packages, index)

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

    def _read_releases(self, packages: Mapping[Token, Package]) -> tuple[ReleaseFacts, ...]:
        view = self._root.mapping("releases")
        found: dict[Release, ReleaseFacts] = {}
        for key in view:
            release = self._release_key(view, key)
            if release in found:
                view.problem_at_key(key, f"the release {release} stands here twice")
            found[release] = self._release(release, view.mapping(key), packages)
        return tuple([found[release] for release in sorted(found)])

    def _release(self, release: Release, view: strict_yaml.Mapping, packages: Mapping[Token, Package]) -> ReleaseFacts:
        rollups, months, support, builds = self._rollups(release, view)
        for index, text in enumerate(view.texts("builds", ())):
            builds.append(_build(view, "builds", text, release, index))
        if "published" in view:
            months.append(_month(view, "published"))
        facts = ReleaseFacts(
            release=release,
            rollups=rollups,
            builds=tuple(sorted(set(builds))),
            published=min(filter(None, months), default=""),
            for_classic=view.choice("for_classic", ForClassic),
            links=MappingProxyType(self._links(release, view.mapping("links", required=False), packages)),
            support=MappingProxyType(support),
            evidence=self._evidence(view),
            note=view.text("note", ""),
        )
        view.finish()
        return facts

    def _rollups(
        self, release: Release, view: strict_yaml.Mapping
    ) -> tuple[tuple[str, ...], list[str], dict[str, str], list[Version]]:
        rollups = view.mapping("rollups", required=False)
        months, support, builds = [], {}, []
        for key in rollups:
            _check_rollup(rollups, key)
            entry = rollups.mapping(key)
            if "month" in entry:
                months.append(_month(entry, "month"))
            if "build" in entry:
                builds.append(_build(entry, "build", entry.text("build"), release))
            if "support" in entry:
                support[key] = _page(entry, "support")
            entry.finish()
        return tuple(rollups), months, support, builds

    def _links(
        self, release: Release, view: strict_yaml.Mapping, packages: Mapping[Token, Package]
    ) -> dict[Token, Link]:
        found: dict[Token, Link] = {}
        for key in view:
            if _check_token(view, key, key, packages, at_key=True):
                link = self._link(Token(key), release, view, packages[Token(key)])
                if link is not None:
                    found[link.token] = link
        return {token: found[token] for token in packages if token in found}

    def _link(self, token: Token, release: Release, view: strict_yaml.Mapping, package: Package) -> Link | None:
        if not view.is_mapping(token):
            url = view.text(token)
            name = self._fitting(view, token, url, release, package)
            return Link(token, release, name, url) if name is not None else None
        entry = view.mapping(token)
        url = entry.text("url")
        name = self._fitting(entry, "url", url, release, package)
        mirrors = entry.texts("mirrors", ())
        for index, mirror in enumerate(mirrors):
            other = self._name(entry, "mirrors", mirror, index)
            if name is not None and other is not None and other.text != name.text:
                entry.problem("mirrors", f"{other} is another file than {name}", index)
        sha256 = entry.text("sha256") if "sha256" in entry else None
        if sha256 and _SHA256.fullmatch(sha256) is None:
            entry.problem("sha256", "sha256: expected 64 digits from 0-9 and a-f")
        size_bytes = entry.integer("size_bytes", least=1) if "size_bytes" in entry else None
        entry.finish()
        return Link(token, release, name, url, mirrors, sha256, size_bytes) if name is not None else None

    def _fitting(
        self, view: strict_yaml.Mapping, key: str, url: str, release: Release, package: Package
    ) -> InstallerName | None:
        """The name at the end of `url`, if it is one of this package and this release."""
        name = self._name(view, key, url)
        if name is None:
            return None
        if name.token != package.token:
            view.problem(key, f"the file is for {name.token}, and it stands under {package.token}")
        elif package.extension and name.extension != package.extension:
            view.problem(key, f"the file ends in {name.extension}, and the package in {package.extension}")
        if name.release != release:
            view.problem(key, f"the file is of release {name.release}, and it stands under {release}")
        return name

    def _name(self, view: strict_yaml.Mapping, key: str, url: str, index: int | None = None) -> InstallerName | None:
        """The file name at the end of `url`; None, with the reason noted, when the address will not do."""
        if not url:
            return None
        if url in self._seen_urls:
            view.problem(key, f"this address already stands on line {self._seen_urls[url]}", index)
        self._seen_urls.setdefault(url, view.line(key))
        try:
            return installer_at(url, self._hosts)
        except InputError as error:
            view.problem(key, error.message, index)
            return None

    def _release_key(self, view: strict_yaml.Mapping, key: str) -> Release:
        try:
            return Release.parse(key)
        except InputError as error:
            view.problem_at_key(key, f"{error.message}; {error.hint}")
            return Release(0, 0)

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
            _check_token(view, key, view.text(key), packages)
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
            _check_rollup(view, key)
        return {key: _page(view, key) for key in view}


def _check_token(  # noqa: PLR0913 - where to look, what to look for, where to say it
    view: strict_yaml.Mapping,
    key: str,
    token: str,
    packages: Mapping[Token, Package],
    index: int | None = None,
    *,
    at_key: bool = False,
) -> bool:
    if not token or token in packages:
        return bool(token)
    near = strict_yaml.nearest(token, packages)
    message = f"no package is called {token[:80]!r}" + (f"; did you mean {near!r}?" if near else "")
    if at_key:
        view.problem_at_key(key, message)
    else:
        view.problem(key, message, index)
    return False


def _build(view: strict_yaml.Mapping, key: str, text: str, release: Release, index: int | None = None) -> Version:
    if not text:
        return _UNKNOWN_VERSION
    try:
        build = parse_version(text)
    except InputError as error:
        view.problem(key, f"{error.message}; {error.hint}", index)
        return _UNKNOWN_VERSION
    if (build.major, build.minor) != (release.major, release.minor):
        view.problem(key, f"the build {build} is not one of release {release}", index)
    return build


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


def _check_rollup(view: strict_yaml.Mapping, key: str) -> None:
    if _ROLLUP.fullmatch(key) is None:
        view.problem_at_key(key, f"{key[:40]!r} is not an update rollup such as UR80")


def _month(view: strict_yaml.Mapping, key: str) -> str:
    month = view.text(key)
    if month and _MONTH.fullmatch(month) is None:
        view.problem(key, f"{key}: {month[:40]!r} is not a month such as '2025-10'")
    return month


def _page(view: strict_yaml.Mapping, key: str) -> str:
    page = view.text(key)
    if page and not page.startswith("https://"):
        view.problem(key, f"{key}: {shown(page)[:120]!r} is not an https address")
    return page
