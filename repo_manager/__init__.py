"""Keeps the push-install repository of Azure Site Recovery servers complete and proves it.

The names in `__all__` are the public interface. Everything else may change in any release.
"""

from __future__ import annotations

from repo_manager.version import __version__ as __version__

# As in `typing`, which takes longer to import than all the rest of `repo-manager --version`.
TYPE_CHECKING = False

if TYPE_CHECKING:
    from repo_manager.api import audit, load_catalog, parse_name, plan, resolve, scan, sync
    from repo_manager.core.audit.findings import Audit
    from repo_manager.core.catalog import Catalog
    from repo_manager.core.errors import RepoManagerError
    from repo_manager.core.names import InstallerName
    from repo_manager.core.plan import Plan
    from repo_manager.core.repository import Listing
    from repo_manager.core.selection import Request
    from repo_manager.core.transaction import Outcome

__all__ = [
    "Audit",
    "Catalog",
    "InstallerName",
    "Listing",
    "Outcome",
    "Plan",
    "RepoManagerError",
    "Request",
    "audit",
    "load_catalog",
    "parse_name",
    "plan",
    "resolve",
    "scan",
    "sync",
]

_MODULES = {
    "Audit": "core.audit.findings",
    "Catalog": "core.catalog",
    "InstallerName": "core.names",
    "Listing": "core.repository",
    "Outcome": "core.transaction",
    "Plan": "core.plan",
    "RepoManagerError": "core.errors",
    "Request": "core.selection",
}


if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        """Load a public name when it is first used: most commands need few of them."""
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module

        return getattr(import_module(f"{__name__}.{_MODULES.get(name, 'api')}"), name)
