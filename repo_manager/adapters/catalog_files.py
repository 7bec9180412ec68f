"""A catalog on disk, and its compiled form in the user's cache.

The compiled form is three lines of JSON: a head, what `resolve` needs, and the tree of the YAML. It counts only if no
other user could have written it, and if its head names this version of the tool, this content of the catalog, and the
two lines after it. Otherwise it is ignored and written again. The strict reader reads the tree as it reads a text.
"""

from __future__ import annotations

import contextlib
import json
import os
from functools import cached_property
from importlib.util import source_hash
from pathlib import Path
from typing import TYPE_CHECKING, Final

from repo_manager.adapters.filesystem import user_cache
from repo_manager.core.errors import InputError
from repo_manager.version import __version__

if TYPE_CHECKING:
    from collections.abc import Callable

    from repo_manager.core.catalog import Catalog, strict_yaml
    from repo_manager.core.install_guide import Guides
    from repo_manager.core.systems.resolver import Support

_SCHEMA: Final = "repo-manager/compiled-catalog/1"
# What reading other JSON of the right form can raise.
_UNFIT: Final = (ValueError, TypeError, KeyError, AttributeError, RecursionError, InputError)


class CatalogFile:
    """One catalog. `data` are its bytes, `folder` is the cache."""

    def __init__(self, path: Path, data: bytes, folder: Path) -> None:
        self._name = str(path)
        self._data = data
        # One file for each catalog, so that versions of it do not pile up.
        self._file = folder / f"catalog-{_digest(os.fsencode(os.path.normcase(path.absolute())))}.json"

    def support(self) -> Support | None:
        """Which package serves which system; None where no compiled form has it."""
        from repo_manager.core.systems.support import loaded

        with contextlib.suppress(*_UNFIT):
            return loaded(json.loads(self._compiled[0]))
        return None

    def catalog(self) -> Catalog:
        """The whole catalog.

        Raises:
            DocumentError: with every mistake in it.
        """
        from repo_manager.core.catalog import parse_tree

        with contextlib.suppress(*_UNFIT):
            return parse_tree(self._tree(), self._name, checked=True)
        root = self._read()
        catalog = parse_tree(root, self._name)
        self._keep(catalog, root)
        return catalog

    def guides(self) -> Guides | None:
        """The commands that install an agent by hand; None in a catalog of edition 1.

        Raises:
            DocumentError: with every mistake in them.
        """
        from repo_manager.core.catalog import parse_guides

        with contextlib.suppress(*_UNFIT):
            return parse_guides(self._tree(), self._name)
        return parse_guides(self._read(), self._name)

    def _tree(self) -> strict_yaml.Mapping:
        from repo_manager.core.catalog import strict_yaml

        return strict_yaml.restored(json.loads(self._compiled[1]))

    def _read(self) -> strict_yaml.Mapping:
        from repo_manager.core.catalog import strict_yaml

        return strict_yaml.read(strict_yaml.decode(self._data, self._name, "invalid-catalog"))

    @cached_property
    def _compiled(self) -> tuple[bytes, bytes]:
        """The two lines after the head; empty where the file is of no use."""
        head, _, rest = (user_cache.read(self._file) or b"").partition(b"\n")
        with contextlib.suppress(ValueError):
            if json.loads(head) == self._head(rest):
                support, _, tree = rest.partition(b"\n")
                return support, tree
        return b"", b""

    def _head(self, rest: bytes) -> dict[str, str]:
        return {
            "schema": _SCHEMA,
            "tool": __version__,
            "catalog": _digest(self._data),
            "compiled": _digest(rest),
        }

    def _keep(self, catalog: Catalog, root: strict_yaml.Mapping) -> None:
        from repo_manager.core.systems.support import dumped

        support = dumped(catalog.support) if catalog.support.systems else None
        rest = b"\n".join(json.dumps(part, separators=(",", ":")).encode() for part in (support, root.kept()))
        user_cache.write(self._file, json.dumps(self._head(rest)).encode() + b"\n" + rest)


def own_catalog() -> Path:
    """The catalog that comes with the tool: beside its modules where it is installed, else above them."""
    package = Path(__file__).parents[1]
    inside = package / "catalog.yaml"
    return inside if inside.is_file() else package.parent / "catalog.yaml"


def read(path: Path) -> bytes:
    """The bytes of a catalog that the caller trusts.

    Raises:
        InputError: the file cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError("no-catalog", f"{path} cannot be read: {error.strerror}", "check the path") from error


def load(path: Path, folder: Path, reader: Callable[[Path], bytes] = read) -> Catalog:
    """A catalog. What an older edition has no place for comes from the tool's own.

    Args:
        path: of the catalog.
        folder: the cache.
        reader: reads the bytes of a catalog.

    Raises:
        InputError: a file cannot be read.
        DocumentError: with every mistake in it.
    """
    from repo_manager.core.catalog import SCHEMA

    catalog = CatalogFile(path, reader(path), folder).catalog()
    if catalog.edition == SCHEMA:
        return catalog
    return catalog.completed_by(load(own_catalog(), folder, reader))


def _digest(data: bytes) -> str:
    """A digest of 64 bits, the one that Python keeps in its own compiled files. `hashlib` takes 3 ms to import."""
    return source_hash(data).hex()
