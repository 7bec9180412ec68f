"""What should exist: packages, releases and official links, read from the text of `catalog.yaml`.

`parse` is the door. It reports every mistake of the text at once, each with its line and column,
and what it lets through is immutable: a link's file name fits the place where the link stands, no
link stands twice, every host is an allowed one and every fact names a source that is there.
"""

from repo_manager.core.catalog.model import Catalog, ForClassic, Link, Manual, Package, ReleaseFacts, ReleaseStatus
from repo_manager.core.catalog.reader import SCHEMA, parse, parse_guides, parse_tree
from repo_manager.core.catalog.releases import installer_at

__all__ = [
    "SCHEMA",
    "Catalog",
    "ForClassic",
    "Link",
    "Manual",
    "Package",
    "ReleaseFacts",
    "ReleaseStatus",
    "installer_at",
    "parse",
    "parse_guides",
    "parse_tree",
]
