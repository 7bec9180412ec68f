"""A catalog's compiled form in the cache: it saves time, and can change no answer."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import source_hash
from typing import TYPE_CHECKING, Any, Final

import pytest
from simulator import GUIDES, REAL, REAL_CATALOG_TEXT, SMALL_CATALOG_TEXT

from repo_manager.adapters.catalog_files import CatalogFile
from repo_manager.core.errors import DocumentError
from repo_manager.core.systems import resolver as systems

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from repo_manager.core.catalog import Catalog

TEXT: Final = REAL_CATALOG_TEXT.encode()
SYSTEMS: Final = ("RHEL 7.9", "CentOS 8", "Red Hat Linux 7.1", "SLES 15", "Windows Server 2012 or later", "Ubuntu 22")


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def opened(cache: Path, data: bytes = TEXT) -> CatalogFile:
    return CatalogFile(cache.parent / "catalog.yaml", data, cache)


def compiled(cache: Path) -> Path:
    (found,) = cache.iterdir()
    return found


def facts(catalog: Catalog) -> list[Any]:
    return [catalog.packages, catalog.releases, catalog.sources, catalog.support.systems, catalog.edition]


def answers(support: systems.Support | None) -> list[systems.Answer]:
    assert support is not None
    return [systems.resolve(text, support) for text in SYSTEMS]


def test_the_compiled_form_has_the_same_catalog_and_the_same_answers(cache: Path) -> None:
    assert opened(cache).support() is None
    assert facts(opened(cache).catalog()) == facts(REAL)
    before = compiled(cache).read_bytes()
    assert answers(opened(cache).support()) == answers(REAL.support)
    assert facts(opened(cache).catalog()) == facts(REAL)
    assert compiled(cache).read_bytes() == before
    assert opened(cache).guides() == GUIDES
    assert CatalogFile(cache / "x.yaml", TEXT, cache.parent / "other").guides() == GUIDES
    assert [json.loads(line) is not None for line in before.split(b"\n")] == [True, True, True]


def test_a_process_with_a_compiled_form_does_not_load_a_yaml_parser(cache: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from repo_manager.adapters.catalog_files import CatalogFile\n"
        "file = CatalogFile(Path(sys.argv[1]), Path(sys.argv[1]).read_bytes(), Path(sys.argv[2]))\n"
        "assert file.support() is not None; print('repo_manager.core.catalog' in sys.modules)\n"
        "assert file.catalog().packages; print('yaml' in sys.modules)\n"
    )
    path = cache.parent / "catalog.yaml"
    path.write_bytes(TEXT)
    opened(cache).catalog()
    command = [sys.executable, "-c", script, str(path), str(cache)]
    done = subprocess.run(command, capture_output=True, encoding="ascii", check=True)
    assert done.stdout.split() == ["False", "False"]


def test_a_changed_catalog_is_read_again(cache: Path) -> None:
    opened(cache).catalog()
    changed = TEXT.replace(b'CentOS, versions: "7.0 - 7.9"', b'CentOS, versions: "7.0 - 7.8"')
    assert opened(cache, changed).support() is None
    assert systems.resolve("CentOS 7.9", opened(cache, changed).catalog().support).package is None
    assert systems.resolve("CentOS 7.9", opened(cache, changed).support() or REAL.support).package is None
    assert compiled(cache)


def test_what_another_version_of_the_tool_compiled_is_ignored(cache: Path) -> None:
    opened(cache).catalog()
    head, _, rest = compiled(cache).read_bytes().partition(b"\n")
    other = {**json.loads(head), "tool": "0.0.1"}
    compiled(cache).write_bytes(json.dumps(other).encode() + b"\n" + rest)
    assert opened(cache).support() is None


def _resealed(data: bytes, old: bytes, new: bytes) -> bytes:
    """The file with a change, and a head that fits it."""
    head, _, rest = data.partition(b"\n")
    assert old in rest
    rest = rest.replace(old, new)
    return json.dumps({**json.loads(head), "compiled": source_hash(rest).hex()}).encode() + b"\n" + rest


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda data: data[:-1], id="cut off"),
        pytest.param(lambda _: b"", id="empty"),
        pytest.param(lambda _: b"\x80\x04\x95", id="a pickle"),
        pytest.param(lambda _: b"[" * 100_000, id="deep"),
        pytest.param(lambda data: data.replace(b"RHEL7-64", b"RHEL6-64"), id="another package"),
        pytest.param(lambda data: b"null\n" + data.partition(b"\n")[2], id="no head"),
        pytest.param(lambda data: data.partition(b"\n")[2], id="without its head"),
        pytest.param(lambda data: _resealed(data, b'"Linux"', b'"Plan 9"'), id="no such family"),
        pytest.param(lambda data: _resealed(data, b"[[", b"[3,["), id="another form"),
    ],
)
def test_a_compiled_form_that_is_damaged_is_ignored_and_replaced(cache: Path, damage: Callable[[bytes], bytes]) -> None:
    opened(cache).catalog()
    whole = compiled(cache).read_bytes()
    compiled(cache).write_bytes(damage(whole))
    assert opened(cache).support() is None
    assert facts(opened(cache).catalog()) == facts(REAL)
    assert compiled(cache).read_bytes() == whole


def test_the_strict_reader_reads_what_the_cache_has(cache: Path) -> None:
    opened(cache).catalog()
    compiled(cache).write_bytes(_resealed(compiled(cache).read_bytes(), b"https://download", b"http://download"))
    assert facts(opened(cache).catalog()) == facts(REAL)


@pytest.mark.skipif(sys.platform == "win32", reason="modes and owners of POSIX")
def test_a_compiled_form_that_others_could_have_written_is_ignored(cache: Path) -> None:
    opened(cache).catalog()
    forged = _resealed(compiled(cache).read_bytes(), b'"RHEL7-64"', b'"RHEL6-64"')
    compiled(cache).write_bytes(forged)
    assert systems.resolve("RHEL 7.9", opened(cache).support() or REAL.support).package == "RHEL6-64"
    compiled(cache).chmod(0o666)
    assert opened(cache).support() is None
    if os.geteuid() == 0:
        compiled(cache).chmod(0o600)
        os.chown(compiled(cache), 12345, -1)
        assert opened(cache).support() is None
    assert systems.resolve("RHEL 7.9", opened(cache).catalog().support).package == "RHEL7-64"


def test_a_cache_that_cannot_be_written_is_no_error(cache: Path) -> None:
    cache.write_bytes(b"")
    assert facts(opened(cache).catalog()) == facts(REAL)
    assert opened(cache).support() is None


def test_a_catalog_of_the_first_edition_has_no_answers_of_its_own(cache: Path) -> None:
    data = SMALL_CATALOG_TEXT.encode()
    first, second = opened(cache, data).catalog(), opened(cache, data).catalog()
    assert facts(first) == facts(second)
    assert opened(cache, data).support() is None


@pytest.mark.parametrize("data", [b"schema: 3\n", b"\xff", b"- a"])
def test_a_catalog_with_mistakes_is_not_kept(cache: Path, data: bytes) -> None:
    for _ in range(2):
        with pytest.raises(DocumentError):
            opened(cache, data).catalog()
    assert not cache.exists()
