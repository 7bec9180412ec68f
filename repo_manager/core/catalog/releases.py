"""Releases and links: the section `releases` of a catalog."""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from packaging.version import Version

from repo_manager.core.catalog import strict_yaml
from repo_manager.core.catalog.model import ForClassic, Link, Package, ReleaseFacts
from repo_manager.core.errors import InputError
from repo_manager.core.names import InstallerName, Release, Token, parse_version
from repo_manager.core.names import parse as parse_name
from repo_manager.core.redaction import shown

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_MONTH: Final = re.compile(r"[0-9]{4}-(?:0[1-9]|1[0-2])", re.ASCII)
_ROLLUP: Final = re.compile(r"UR[0-9]{1,3}", re.ASCII)
_SHA256: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)
_URL: Final = re.compile(r"https://([A-Za-z0-9.-]+)/(?:[A-Za-z0-9._~%+-]+/)*([A-Za-z0-9._+-]+)", re.ASCII)
_UNKNOWN_VERSION: Final = Version("0")


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


class ReleasesReader:
    """Reads releases with their links. `evidence` reads the evidence of a mapping."""

    def __init__(self, hosts: frozenset[str], evidence: Callable[[strict_yaml.Mapping], tuple[str, ...]]) -> None:
        self._hosts = hosts
        self._evidence = evidence
        self._seen_urls: dict[str, int] = {}

    def releases(self, view: strict_yaml.Mapping, packages: Mapping[Token, Package]) -> tuple[ReleaseFacts, ...]:
        """The section `releases`, oldest first."""
        found: dict[Release, ReleaseFacts] = {}
        for key in view:
            release = release_key(view, key)
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
            check_rollup(rollups, key)
            entry = rollups.mapping(key)
            if "month" in entry:
                months.append(_month(entry, "month"))
            if "build" in entry:
                builds.append(_build(entry, "build", entry.text("build"), release))
            if "support" in entry:
                support[key] = page(entry, "support")
            entry.finish()
        return tuple(rollups), months, support, builds

    def _links(
        self, release: Release, view: strict_yaml.Mapping, packages: Mapping[Token, Package]
    ) -> dict[Token, Link]:
        found: dict[Token, Link] = {}
        for key in view:
            if check_token(view, key, key, packages, at_key=True):
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


def release_key(view: strict_yaml.Mapping, key: str) -> Release:
    """A key that is a release; release 0.0, with the mistake noted, where it is not."""
    try:
        return Release.parse(key)
    except InputError as error:
        view.problem_at_key(key, f"{error.message}; {error.hint}")
        return Release(0, 0)


def check_token(  # noqa: PLR0913 - where to look, what to look for, where to say it
    view: strict_yaml.Mapping,
    key: str,
    token: str,
    packages: Mapping[Token, Package],
    index: int | None = None,
    *,
    at_key: bool = False,
) -> bool:
    """Whether a token is that of a package; a mistake is noted where it is not."""
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


def check_rollup(view: strict_yaml.Mapping, key: str) -> None:
    """Note a mistake where a key is not an update rollup."""
    if _ROLLUP.fullmatch(key) is None:
        view.problem_at_key(key, f"{key[:40]!r} is not an update rollup such as UR80")


def _month(view: strict_yaml.Mapping, key: str) -> str:
    month = view.text(key)
    if month and _MONTH.fullmatch(month) is None:
        view.problem(key, f"{key}: {month[:40]!r} is not a month such as '2025-10'")
    return month


def page(view: strict_yaml.Mapping, key: str) -> str:
    """The address of a web page."""
    page = view.text(key)
    if page and not page.startswith("https://"):
        view.problem(key, f"{key}: {shown(page)[:120]!r} is not an https address")
    return page
