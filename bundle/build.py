"""Builds the zip for servers without internet and without Python: unzip, run; delete to remove.

It holds python.org's embeddable Python, this project's wheel, all it depends on, and a launcher. It is built
on any system that has pip. The wheels are those of `requirements/bundle.txt`, so the same project and the same Python
make the same bytes.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import io
import os
import py_compile
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
import zipfile
from dataclasses import dataclass
from importlib.metadata import PathDistribution
from pathlib import Path
from typing import Final

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import NormalizedName, canonicalize_name

ROOT: Final = Path(__file__).resolve().parents[1]
HERE: Final = Path(__file__).resolve().parent
LICENCES: Final = HERE / "licenses"
"""The texts of licences, by package, where its wheel has none and its source archive does."""

REQUIREMENTS: Final = ROOT / "requirements" / "bundle.txt"
PROJECT: Final = "asr-repo-manager"

DEFAULT: Final = "3.12.10"
"""The newest Python with a build for Windows that Windows Server 2012 R2 still runs."""

SHA256: Final = {
    "3.12.10": "4acbed6dd1c744b0376e3b1cf57ce906f9dc9e95e68824584c8099a63025a3c3",
    "3.11.9": "009d6bf7e3b2ddca3d784fa09f90fe54336d5b60f0e0f305c37f400bf83cfd3b",
}
"""Of `python-VERSION-embed-amd64.zip` on www.python.org."""

EXTRAS: Final = ("signatures", "trust", "objects", "serve")
"""All that have packages."""

WITHOUT: Final = (
    *("pythonwin", "adodbapi", "isapi", "win32com", "win32comext", "win32/Demos", "PyWin32.chm", "bin"),
    "distlib",
)
"""Parts of packages that nothing here uses: an editor, COM, samples, scripts with paths of the building machine, and
what the launcher came from."""


class BundleError(Exception):
    """Why there is no bundle, in words for whoever builds it."""


@dataclass(frozen=True, slots=True)
class Embedded:
    """An embeddable Python: its archive and its version."""

    data: bytes
    version: str

    @property
    def minor(self) -> str:
        """As in `3.12`."""
        return ".".join(self.version.split(".")[:2])

    @property
    def tag(self) -> str:
        """As in `312`."""
        return self.minor.replace(".", "")


def main() -> int:
    """The door."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("wheel", type=Path, help="the project's wheel")
    parser.add_argument(
        "--python", metavar="ZIP", default="", help="the embeddable Python; fetched where none is named"
    )
    parser.add_argument("--sha256", default="", help="its digest, where it is none of those that are known here")
    parser.add_argument("--to", type=Path, default=ROOT / "dist", help="the folder for the zip")
    arguments = parser.parse_args()
    try:
        made = build(arguments.wheel, embedded(arguments.python, arguments.sha256.lower()), arguments.to)
    except (BundleError, subprocess.CalledProcessError) as error:
        _say(f"error: {error}")
        return 1
    _say(f"{made}: {made.stat().st_size / 1e6:.1f} MB, SHA-256 {_digest(made.read_bytes())}")
    return 0


def embedded(named: str, sha256: str) -> Embedded:
    """The embeddable Python, seen to be the one that is meant.

    Raises:
        BundleError: it cannot be had, or nobody has said that it is the right one.
    """
    if named:
        try:
            data = Path(named).read_bytes()
        except OSError as error:
            raise BundleError(f"{named} cannot be read: {error.strerror}") from error
    else:
        data = _fetched(f"https://www.python.org/ftp/python/{DEFAULT}/python-{DEFAULT}-embed-amd64.zip")
    found = _digest(data)
    if found not in {sha256, *SHA256.values()}:
        raise BundleError(
            f"{named or 'what was fetched'} has the SHA-256 {found}, which is none that is known here; compare it with"
            " what www.python.org says, and name it with --sha256 (make: PYTHON_EMBED_SHA256=)"
        )
    return Embedded(data, _version_of(data, Path(named).name))


def _fetched(url: str) -> bytes:
    _say(f"fetching {url}")
    try:
        with urllib.request.urlopen(url, timeout=60) as answer:  # noqa: S310 - a fixed https address
            return bytes(answer.read())
    except OSError as error:
        raise BundleError(f"{url}: {error}; fetch it elsewhere and name the file (make: PYTHON_EMBED=FILE)") from error


def _version_of(data: bytes, name: str) -> str:
    """The version, as the table of digests knows it, or as the file's name has it, or as far as what is in it tells."""
    for version, digest in SHA256.items():
        if digest == _digest(data):
            return version
    with contextlib.suppress(zipfile.BadZipFile), zipfile.ZipFile(io.BytesIO(data)) as archive:
        for inside in archive.namelist():
            if found := re.fullmatch(r"python(3)(\d\d)\.dll", inside):
                minor = f"{found[1]}.{found[2]}"
                named = re.match(rf"python-({re.escape(minor)}\.\d+)-embed-amd64", name)
                return named[1] if named else minor
    raise BundleError("this is no embeddable Python for 64-bit Windows: no python3xx.dll is in it")


def build(wheel: Path, python: Embedded, to: Path) -> Path:
    """Make the zip in the folder `to`. Returns its path.

    Raises:
        BundleError: a package is missing or has the wrong version, or the text of a licence is missing.
    """
    version = wheel.name.split("-")[1]
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / f"repo-manager-{version}"
        home = folder / "python"
        with zipfile.ZipFile(io.BytesIO(python.data)) as archive:
            archive.extractall(home)
        (home / f"python{python.tag}._pth").write_bytes(
            f"python{python.tag}.zip\r\n.\r\nLib\\site-packages\r\nimport site\r\n".encode("ascii")
        )
        packages = home / "Lib" / "site-packages"
        _install(wheel, python, packages)
        if wrong := unsatisfied(packages, python, EXTRAS):
            raise BundleError(f"{REQUIREMENTS.name} does not fit ({'; '.join(wrong)}); run 'make lock'")
        (folder / "repo-manager.exe").write_bytes(launcher((packages / "distlib" / "t64.exe").read_bytes()))
        contents = _contents(packages, python)
        _tidy(packages, python)
        text = (HERE / "README.txt").read_text(encoding="ascii").replace("{version}", version)
        (folder / "README.txt").write_bytes(_with_crlf(text))
        (folder / "CONTENTS.txt").write_bytes(_with_crlf(contents))
        to.mkdir(parents=True, exist_ok=True)
        made = to / f"repo-manager-{version}-windows.zip"
        made.write_bytes(_zipped(folder))
    (to / f"{made.name}.sha256").write_text(f"{_digest(made.read_bytes())} *{made.name}\n", encoding="ascii")
    return made


# What goes in


def _install(wheel: Path, python: Embedded, packages: Path) -> None:
    """Lay the locked packages and the wheel into the folder.

    The requirements were compiled for Windows. pip must not look for more: it evaluates markers for the system
    that it runs on.
    """
    tags = ["--platform", "win_amd64", "--python-version", python.minor, "--implementation", "cp"]
    tags += ["--abi", f"cp{python.tag}", "--abi", "abi3", "--abi", "none"]
    pip = [sys.executable, "-m", "pip", "-q", "--disable-pip-version-check", "install", "--no-compile", "--no-deps"]
    with tempfile.TemporaryDirectory() as temporary:
        own = Path(temporary) / "own.txt"
        own.write_text(f"{wheel.resolve().as_uri()} --hash=sha256:{_digest(wheel.read_bytes())}\n", encoding="utf-8")
        files = ["--require-hashes", "-r", str(REQUIREMENTS), "-r", str(own)]
        subprocess.run([*pip, "--only-binary=:all:", *tags, "--target", str(packages), *files], check=True)


def unsatisfied(packages: Path, python: Embedded, extras: tuple[str, ...]) -> list[str]:
    """What the project with these extras needs on Windows and is not there, or in another version."""
    there = {canonicalize_name(item.metadata["Name"]): item for _, item in _distributions(packages)}
    full = python.version if python.version.count(".") > 1 else f"{python.minor}.0"
    windows = {"sys_platform": "win32", "platform_system": "Windows", "os_name": "nt", "platform_machine": "AMD64"}
    windows |= {"implementation_name": "cpython", "platform_python_implementation": "CPython"}
    windows |= {"python_version": python.minor, "python_full_version": full}
    wrong = set()
    seen: set[tuple[NormalizedName, str]] = set()
    waiting = [(canonicalize_name(PROJECT), extra) for extra in ("", *extras)]
    while waiting:
        name, extra = waiting.pop()
        if (name, extra) in seen:
            continue
        seen.add((name, extra))
        item = there[name]
        if not SpecifierSet(",".join(item.metadata.get_all("Requires-Python") or ())).contains(full):
            wrong.add(f"{item.name} {item.version} is not for Python {full}")
        for requirement in map(Requirement, item.requires or ()):
            if requirement.marker is not None and not requirement.marker.evaluate({**windows, "extra": extra}):
                continue
            needed = canonicalize_name(requirement.name)
            if needed not in there:
                wrong.add(f"{item.name} needs {requirement.name}, which is missing")
            elif not requirement.specifier.contains(there[needed].version, prereleases=True):
                bounds = f"{requirement.name}{requirement.specifier}"
                wrong.add(f"{item.name} needs {bounds}, and {there[needed].version} is there")
            else:
                waiting += [(needed, each) for each in ("", *requirement.extras)]
    return sorted(wrong)


def _distributions(packages: Path) -> list[tuple[Path, PathDistribution]]:
    return [(path, PathDistribution(path)) for path in sorted(packages.glob("*.dist-info"))]


def _contents(packages: Path, python: Embedded) -> str:
    """What is in the bundle, a line each, and where the text of its licence is.

    Raises:
        BundleError: a package has no such text.
    """
    rows = [("Python", python.version, "PSF-2.0", "python\\LICENSE.txt")]
    apache = "-"
    for folder, item in _distributions(packages):
        if item.name == "distlib":
            continue
        own = LICENCES / f"{canonicalize_name(item.name)}.txt"
        if own.exists():
            (folder / "licenses").mkdir(exist_ok=True)
            shutil.copyfile(own, folder / "licenses" / "LICENSE")
        texts = sorted(filter(_is_licence, folder.rglob("*")))
        # Of a package with several parts, the folder that has the texts of all.
        where = texts[0] if len(texts) == 1 else folder / "licenses"
        shown = str(where.relative_to(packages.parents[2])).replace("/", "\\") if texts else "-"
        rows.append((item.name, item.version, _licence(item), shown))
        if apache == "-" and any("Version 2.0, January 2004" in text.read_text("utf-8", "replace") for text in texts):
            apache = shown
    rows = [(*row[:3], apache) if row[3] == "-" and "Apache" in row[2] else row for row in rows]
    if without := [row[0] for row in rows if row[3] == "-"]:
        raise BundleError(f"no text of a licence: {', '.join(without)}; add it to {LICENCES.name}/PACKAGE.txt")
    (distlib,) = (item.version for _, item in _distributions(packages) if item.name == "distlib")
    rows.append(("distlib's launcher", distlib, "PSF-2.0", "python\\LICENSE.txt"))
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    lines = [f"{row[0]:<{widths[0]}}  {row[1]:<{widths[1]}}  {row[2]:<{widths[2]}}  {row[3]}" for row in rows]
    embed = f"Made with python-{python.version}-embed-amd64.zip, SHA-256\n{_digest(python.data)}"
    return "\n".join([*lines, "", embed, ""])


def _licence(item: PathDistribution) -> str:
    def said(key: str) -> list[str]:
        return item.metadata.get_all(key) or []

    classified = [line.rpartition(" :: ")[2] for line in said("Classifier") if line.startswith("License ::")]
    return [*said("License-Expression"), *classified, *said("License"), "-"][0].splitlines()[0]


def _is_licence(path: Path) -> bool:
    return path.is_file() and path.name.upper().startswith(("LICENSE", "LICENCE", "COPYING"))


def _tidy(packages: Path, python: Embedded) -> None:
    """Leave out what is not used, and compile the rest: where it is unzipped nobody may be able to write."""
    for path in (*(packages / name for name in WITHOUT), *packages.glob("distlib-*.dist-info")):
        if path.is_dir():
            shutil.rmtree(path)
        elif path.exists():
            path.unlink()
    for folder in sorted(packages.rglob("__pycache__")):
        shutil.rmtree(folder, ignore_errors=True)
    if f"{sys.version_info[0]}.{sys.version_info[1]}" != python.minor:
        _say(f"not compiled, so it starts more slowly: that would need to be built by Python {python.minor}")
        return
    for path in sorted(packages.rglob("*.py")):
        shown = str(path.relative_to(packages.parents[2])).replace("/", "\\")
        try:
            py_compile.compile(
                str(path),
                dfile=shown,
                doraise=True,
                invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
            )
        except py_compile.PyCompileError:
            # A template or an example that is no Python yet.
            continue


def launcher(program: bytes) -> bytes:
    """`repo-manager.exe`: distlib's launcher, followed by the program that it starts, relative to itself."""
    script = io.BytesIO()
    with zipfile.ZipFile(script, "w") as archive:
        code = "from repo_manager.__main__ import main\nmain()\n"
        archive.writestr(zipfile.ZipInfo("__main__.py", EPOCH), code)
    return program + b"#!<launcher_dir>\\python\\python.exe -I\r\n" + script.getvalue()


# The zip

EPOCH: Final = time.gmtime(int(os.environ.get("SOURCE_DATE_EPOCH", "1577836800")))[:6]
"""The one time of all files; 2020 where the usual variable does not name another."""


def _zipped(folder: Path) -> bytes:
    """The folder as a zip that depends on nothing but what is in it."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for path in sorted(folder.rglob("*"), key=lambda found: found.relative_to(folder).as_posix()):
            if path.is_file():
                info = zipfile.ZipInfo(f"{folder.name}/{path.relative_to(folder).as_posix()}", EPOCH)
                info.compress_type = zipfile.ZIP_DEFLATED
                info.create_system = 0
                archive.writestr(info, path.read_bytes(), compresslevel=9)
    return target.getvalue()


def _with_crlf(text: str) -> bytes:
    return text.encode("ascii", "replace").replace(b"\n", b"\r\n")


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
