"""fleet.yaml: which servers there should be, where what they should have lies, and where they report."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from repo_manager.core.catalog import strict_yaml
from repo_manager.core.fleet.report import Host, host

if TYPE_CHECKING:
    from collections.abc import Iterator

SERVERS_MOST: Final = 20_000
"""No place keeps the reports of more."""

_HOURS_MOST: Final = 1000


class ServerRole(StrEnum):
    """What a server is for."""

    PROCESS_SERVER = "process-server"
    CONFIGURATION_SERVER = "configuration-server"


@dataclass(frozen=True, slots=True)
class ExpectedServer:
    """A server that there should be. `repository` is where its installers can be looked at, None where nowhere."""

    host: Host
    role: ServerRole | None = None
    repository: str | None = None


@dataclass(frozen=True, slots=True)
class FleetInventory:
    """What fleet.yaml says. `servers` has each once, in the order of the text, at least one.

    `followed` is where the leader's set lies, `trust` the fingerprint that it must be signed by, `reports` where
    reports lie; None where that is not said.
    """

    servers: tuple[ExpectedServer, ...]
    followed: str | None = None
    trust: str | None = None
    reports: str | None = None
    silent_after_h: int | None = None


def parse(text: str, name: str = "fleet.yaml") -> FleetInventory:
    """Read the text of an inventory.

    Raises:
        DocumentError: `invalid-fleet`: with every mistake in it.
    """
    root = strict_yaml.read(text)
    sections = root.mappings("servers")
    if not 0 < len(sections) <= SERVERS_MOST:
        root.problem("servers", f"servers: expected from 1 to {SERVERS_MOST} servers, found {len(sections)}")
    inventory = FleetInventory(
        servers=tuple(_servers(sections)),
        followed=_optional(root, "set"),
        trust=_optional(root, "trust"),
        reports=_optional(root, "reports"),
        silent_after_h=root.integer("silent_after", least=1, most=_HOURS_MOST) if "silent_after" in root else None,
    )
    if inventory.trust and not inventory.followed:
        root.problem_at_key("trust", "trust: there is no set to trust; add the key 'set'")
    root.finish()
    root.raise_problems("invalid-fleet", name, "mend the lines above; the keys are in docs/how-to/watch-a-fleet.md")
    return inventory


def _servers(sections: tuple[strict_yaml.Mapping, ...]) -> Iterator[ExpectedServer]:
    first: dict[Host, int] = {}
    for section in sections:
        named = section.parsed("name", host, Host(""))
        if named and first.setdefault(named, section.line("name")) != section.line("name"):
            section.problem("name", f"name: there is a server {named!r} on line {first[named]} already")
        yield ExpectedServer(
            named, section.choice("role", ServerRole, ServerRole.PROCESS_SERVER), _optional(section, "repository")
        )
        section.finish()


def _optional(section: strict_yaml.Mapping, key: str) -> str | None:
    return section.text(key) if key in section else None
