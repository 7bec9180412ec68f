"""Builds the zip for servers without internet and without Python: unzip, run; delete to remove.

It holds python.org's embeddable Python, this project's wheel, all it depends on, and a launcher. It is built
on any system that has pip. The same wheels make the same bytes.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import importlib.resources
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
from packaging.utils import canonicalize_name

ROOT: Final = Path(__file__).resolve().parents[1]
HERE: Final = Path(__file__).resolve().parent

DEFAULT: Final = "3.12.10"
"""The newest Python with a build for Windows that Windows Server 2012 R2 still runs."""

SHA256: Final = {
    "3.12.10": "4acbed6dd1c744b0376e3b1cf57ce906f9dc9e95e68824584c8099a63025a3c3",
    "3.11.9": "009d6bf7e3b2ddca3d784fa09f90fe54336d5b60f0e0f305c37f400bf83cfd3b",
}
"""Of `python-VERSION-embed-amd64.zip` on www.python.org."""

EXTRAS: Final = ("signatures", "inventory")
"""The extras that are of use on Windows."""

WITHOUT: Final = ("pythonwin", "adodbapi", "isapi", "win32com", "win32comext", "win32/Demos", "PyWin32.chm", "bin")
"""Parts of packages that nothing here uses: an editor, COM, samples, scripts with paths of the building machine."""


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


def build(wheel: Path, python: Embedded, to: Path, *, extras: tuple[str, ...] = EXTRAS) -> Path:
    """Make the zip in the folder `to`. Returns its path."""
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
        _install(wheel, python, packages, extras)
        contents = _contents(packages, python)
        _tidy(packages, python)
        (folder / "repo-manager.exe").write_bytes(launcher())
        text = (HERE / "README.txt").read_text(encoding="ascii").replace("{version}", version)
        (folder / "README.txt").write_bytes(_with_crlf(text))
        (folder / "CONTENTS.txt").write_bytes(_with_crlf(contents))
        to.mkdir(parents=True, exist_ok=True)
        made = to / f"repo-manager-{version}-windows.zip"
        made.write_bytes(_zipped(folder))
    (to / f"{made.name}.sha256").write_text(f"{_digest(made.read_bytes())} *{made.name}\n", encoding="ascii")
    return made


# What goes in


def _install(wheel: Path, python: Embedded, packages: Path, extras: tuple[str, ...]) -> None:
    """Lay the wheel and all it needs on Windows into the folder.

    pip weighs the markers of dependencies for the system that it runs on. So what Windows needs more is looked
    for afterwards, and asked for until nothing is missing.
    """
    wanted = [f"{wheel}[{','.join(extras)}]" if extras else str(wheel)]
    tags = ["--platform", "win_amd64", "--python-version", python.minor, "--implementation", "cp"]
    tags += ["--abi", f"cp{python.tag}", "--abi", "abi3", "--abi", "none"]
    pip = [sys.executable, "-m", "pip", "-q", "--disable-pip-version-check", "install", "--no-compile"]
    while True:
        shutil.rmtree(packages, ignore_errors=True)
        subprocess.run([*pip, "--only-binary=:all:", *tags, "--target", str(packages), *wanted], check=True)
        missing = sorted(_missing(packages, python, extras) - set(wanted))
        if not missing:
            return
        wanted += missing


def _missing(packages: Path, python: Embedded, extras: tuple[str, ...]) -> set[str]:
    """What the packages that are there need on Windows and do not have."""
    there = {canonicalize_name(item.metadata["Name"]) for _, item in _distributions(packages)}
    windows = {"sys_platform": "win32", "platform_system": "Windows", "os_name": "nt", "platform_machine": "AMD64"}
    windows |= {"python_version": python.minor, "python_full_version": f"{python.minor}.0"}
    missing = set()
    for _, item in _distributions(packages):
        own = canonicalize_name(item.metadata["Name"]) == "asr-repo-manager"
        for line in item.metadata.get_all("Requires-Dist") or []:
            requirement = Requirement(line)
            named = [{**windows, "extra": extra} for extra in ("", *(extras if own else ()))]
            applies = requirement.marker is None or any(requirement.marker.evaluate(each) for each in named)
            if applies and canonicalize_name(requirement.name) not in there:
                requirement.marker = None
                missing.add(str(requirement))
    return missing


def _distributions(packages: Path) -> list[tuple[Path, PathDistribution]]:
    return [(path, PathDistribution(path)) for path in sorted(packages.glob("*.dist-info"))]


def _contents(packages: Path, python: Embedded) -> str:
    """What is in the bundle, a line each, and where the text of its licence is."""
    rows = [("Python", python.version, "PSF-2.0", "python\\LICENSE.txt")]
    apache = "-"
    for folder, item in _distributions(packages):
        texts = sorted(filter(_is_licence, folder.rglob("*")))
        # Of a package with several parts, the folder that has the texts of all.
        where = texts[0] if len(texts) == 1 else folder / "licenses"
        shown = str(where.relative_to(packages.parents[2])).replace("/", "\\") if texts else "-"
        rows.append((item.name, item.version, _licence(item), shown))
        if apache == "-" and any("Version 2.0, January 2004" in text.read_text("utf-8", "replace") for text in texts):
            apache = shown
    rows = [(*row[:3], apache) if row[3] == "-" and "Apache" in row[2] else row for row in rows]
    rows.append(("distlib's launcher", _distlib(), "PSF-2.0", "python\\LICENSE.txt"))
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
    for name in WITHOUT:
        path = packages / name
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


def launcher() -> bytes:
    """`repo-manager.exe`: distlib's launcher, told in its own way which program to start, relative to itself."""
    script = io.BytesIO()
    with zipfile.ZipFile(script, "w") as archive:
        code = "from repo_manager.__main__ import main\nmain()\n"
        archive.writestr(zipfile.ZipInfo("__main__.py", EPOCH), code)
    program = (importlib.resources.files("distlib") / "t64.exe").read_bytes()
    return program + b"#!<launcher_dir>\\python\\python.exe -I\r\n" + script.getvalue()


def _distlib() -> str:
    from importlib.metadata import version

    return version("distlib")


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
