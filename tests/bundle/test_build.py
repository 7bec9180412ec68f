"""What `make bundle` takes and what it refuses. The bundle itself is started by the tests for Windows."""

from __future__ import annotations

import importlib.util
import io
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from types import ModuleType

ROOT: Final = Path(__file__).parents[2]


def _loaded() -> ModuleType:
    spec = importlib.util.spec_from_file_location("bundle_build", ROOT / "bundle" / "build.py")
    if spec is None or spec.loader is None:
        raise AssertionError(ROOT)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


BUILD: Final[Any] = _loaded()


def archive(path: Path, *names: str) -> str:
    with zipfile.ZipFile(path, "w") as made:
        for name in names:
            made.writestr(name, name)
    return str(path)


def digest(path: str) -> str:
    return str(BUILD._digest(Path(path).read_bytes()))


def test_a_python_that_nobody_vouches_for_is_refused_and_its_digest_is_said(tmp_path: Path) -> None:
    path = archive(tmp_path / "python-3.12.11-embed-amd64.zip", "python312.dll")
    with pytest.raises(BUILD.BundleError, match=digest(path)):
        BUILD.embedded(path, "")


@pytest.mark.parametrize(
    ("name", "version"),
    [
        ("python-3.12.11-embed-amd64.zip", "3.12.11"),
        ("python-3.13.1-embed-amd64.zip", "3.12"),
        ("renamed.zip", "3.12"),
    ],
)
def test_the_version_is_that_of_the_library_and_the_name_only_says_it_more_exactly(
    name: str, version: str, tmp_path: Path
) -> None:
    path = archive(tmp_path / name, "python3.dll", "python312.dll")
    python = BUILD.embedded(path, digest(path))
    assert (python.version, python.minor, python.tag) == (version, "3.12", "312")


def test_what_is_no_python_is_refused(tmp_path: Path) -> None:
    path = archive(tmp_path / "python-3.12.11-embed-amd64.zip", "something.txt")
    with pytest.raises(BUILD.BundleError, match="no embeddable Python"):
        BUILD.embedded(path, digest(path))
    (tmp_path / "page.zip").write_bytes(b"<html>")
    with pytest.raises(BUILD.BundleError, match="no embeddable Python"):
        BUILD.embedded(str(tmp_path / "page.zip"), digest(str(tmp_path / "page.zip")))
    with pytest.raises(BUILD.BundleError, match="cannot be read"):
        BUILD.embedded(str(tmp_path / "none.zip"), "")


def test_the_default_is_one_whose_digest_is_known() -> None:
    assert BUILD.DEFAULT in BUILD.SHA256
    assert all(len(value) == 64 and set(value) <= set("0123456789abcdef") for value in BUILD.SHA256.values())


def test_the_same_files_make_the_same_zip_whenever_they_were_written(tmp_path: Path) -> None:
    made = []
    for turn, names in enumerate((("b", "a/c", "a/b"), ("a/b", "a/c", "b"))):
        folder = tmp_path / str(turn) / "tool-1.0"
        for name in names:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(name, encoding="ascii")
            (folder / name).touch()
        made.append(BUILD._zipped(folder))
    assert made[0] == made[1]
    with zipfile.ZipFile(io.BytesIO(made[0])) as read:
        assert read.namelist() == ["tool-1.0/a/b", "tool-1.0/a/c", "tool-1.0/b"]


def distributions(folder: Path, needs: dict[str, str]) -> Path:
    """A folder with packages, each with its version and what it needs."""
    for named, lines in needs.items():
        name, _, version = named.partition("==")
        (folder / f"{name}-{version}.dist-info").mkdir()
        fields = [f"Name: {name}", f"Version: {version}", *(f"Requires-Dist: {line}" for line in lines.splitlines())]
        text = "\n".join(["Metadata-Version: 2.1", *fields, ""])
        (folder / f"{name}-{version}.dist-info" / "METADATA").write_text(text, encoding="ascii")
    return folder


def test_what_is_missing_or_too_old_for_windows_is_found_whatever_builds_it(tmp_path: Path) -> None:
    needs = {
        "asr_repo_manager==1.0": (
            'pywin32>=306; os_name == "nt"\nlief>=1; extra == "signatures"\nsmb; extra == "smb"\nTyper\nsigner[ed]'
        ),
        "typer==1.0": 'colorama; platform_system == "Windows"\nuvloop; sys_platform == "linux"\ntyping-extensions>=4',
        "Typing_Extensions==3.9": "",
        "signer==2.0": 'keys; extra == "ed"\nother; extra == "rsa"\nbackport; python_version < "3.12"',
        "unused==1.0": "no-such-package",
    }
    folder = distributions(tmp_path, needs)
    without = [
        "asr_repo_manager needs pywin32, which is missing",
        "signer needs keys, which is missing",
        "typer needs colorama, which is missing",
        "typer needs typing-extensions>=4, and 3.9 is there",
    ]
    python = BUILD.Embedded(b"", "3.12.10")
    assert BUILD.unsatisfied(folder, python, ()) == without
    found = BUILD.unsatisfied(folder, python, ("signatures",))
    assert found == sorted([*without, "asr_repo_manager needs lief, which is missing"])
    older = BUILD.Embedded(b"", "3.11")
    assert "signer needs backport, which is missing" in BUILD.unsatisfied(folder, older, ())


def test_a_package_for_another_python_is_found(tmp_path: Path) -> None:
    folder = distributions(tmp_path, {"asr-repo-manager==1.0": "new", "new==1.0": ""})
    with (folder / "new-1.0.dist-info" / "METADATA").open("a", encoding="ascii") as file:
        file.write("Requires-Python: >=3.12\n")
    assert BUILD.unsatisfied(folder, BUILD.Embedded(b"", "3.11.9"), ()) == ["new 1.0 is not for Python 3.11.9"]
    assert BUILD.unsatisfied(folder, BUILD.Embedded(b"", "3.12.10"), ()) == []


def test_every_extra_that_has_packages_is_in_the_bundle() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    extras = project["project"]["optional-dependencies"]
    assert {*BUILD.EXTRAS, "all"} == {name for name, packages in extras.items() if packages}
