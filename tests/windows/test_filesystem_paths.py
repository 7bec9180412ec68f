"""Paths as people on Windows write them: deep, on a share, extended, relative to a drive, devices."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import processes
import pytest
import small_world
from processes import cli
from simulator import name_of
from small_world import TOKENS, World

from repo_manager.adapters.filesystem.paths import is_link, reachable
from repo_manager.adapters.filesystem.repository_folder import SUBFOLDER
from repo_manager.core.errors import ExitCode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

OLD = name_of("Windows", "9.65")

# The command line in a process that finds no more than Windows does unless an administrator changed that: Wine has
# no such limit. What is not audited is wrapped.
STRICT = r"""
import errno, os, sys

def mind(path, longest=259):
    if isinstance(path, bytes):
        path = os.fsdecode(path)
    if isinstance(path, (str, os.PathLike)):
        text = os.fspath(path)
        if len(text) > longest and not text.startswith("\\\\?\\"):
            raise FileNotFoundError(errno.ENOENT, "the path is too long", text)

def minding(function):
    def minded(path, *rest, **more):
        mind(path)
        return function(path, *rest, **more)
    return minded

def audit(event, arguments):
    if event in EVENTS:
        for argument in arguments[:2]:
            mind(argument, 247 if event == "os.mkdir" else 259)

EVENTS = {"open"} | {"os." + word for word in "mkdir rename remove rmdir scandir listdir chmod utime truncate".split()}
sys.addaudithook(audit)
os.stat, os.lstat = minding(os.stat), minding(os.lstat)

from repo_manager.cli import main
sys.exit(main(sys.argv[1:]))
"""


def strict(world: World, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A command line to its end, under the limits of Windows."""
    return subprocess.run(
        [sys.executable, "-c", STRICT, *arguments],
        env=processes.environment(world),
        capture_output=True,
        text=True,
        encoding="utf-8",
        errors="backslashreplace",
        stdin=subprocess.DEVNULL,
        timeout=60,
        check=False,
    )


def moved(world: World, folder: Path) -> World:
    """The world, in another folder."""
    reachable(folder).mkdir(parents=True)
    shutil.copytree(world.root, reachable(folder), dirs_exist_ok=True)
    return World(folder)


def deep(base: Path, length: int) -> Path:
    """A folder whose path has so many characters."""
    while length - len(str(base)) > 60:
        base /= "x" * 50
    return base / ("y" * (length - len(str(base)) - 1))


def use_all(world: World, at: Path | str) -> None:
    """Every command that reads or writes the repository, which `at` names."""
    shown = str(at).removeprefix("\\\\?\\")
    line = ("--repository", str(at))
    source = ("--source", str(Path(at).parent / "source"))
    done = strict(world, *line, "list", "--json")
    assert done.returncode == ExitCode.DONE, done.stderr
    document = json.loads(done.stdout)
    assert document["repository"] == shown
    done = strict(world, *line, "audit", "--deep", "--release", "latest")
    assert done.returncode == ExitCode.FINDINGS, done.stderr
    done = strict(world, *line, "sync", "--release", "latest", *source, "--yes")
    assert done.returncode == ExitCode.DONE, done.stderr
    for token in TOKENS:
        assert reachable(Path(at) / name_of(token)).read_bytes() == small_world.data_of(name_of(token))
    done = strict(world, *line, "sync", "--release", "latest", *source, "--yes")
    assert done.returncode == ExitCode.DONE, done.stderr
    # The damaged installer stays retired.
    done = strict(world, *line, "restore", "last", "--drop", "UBUNTU-22.04-64", "--yes")
    assert done.returncode == ExitCode.FINDINGS, done.stderr
    assert reachable(Path(at) / OLD).exists()
    done = strict(world, *line, "prune", "--yes")
    assert done.returncode == ExitCode.DONE, done.stderr
    folder = Path(at).parent / "carried"
    done = strict(world, *line, "download", "Windows", "--release", "latest", *source, "--to", str(folder))
    assert done.returncode == ExitCode.DONE, done.stderr
    done = strict(world, *line, "add", str(folder / name_of("Windows")), "--yes")
    assert done.returncode == ExitCode.DONE, done.stderr
    assert "\\\\?\\" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    "length",
    [
        pytest.param(98, id="the longest repository in the ordinary form"),
        pytest.param(130, id="where the longest names below do not fit"),
        pytest.param(215, id="where the retired area does not fit"),
        pytest.param(290, id="where the folder itself does not fit"),
    ],
)
def test_a_repository_may_lie_as_deep_as_it_likes(length: int, tmp_path: Path) -> None:
    world = small_world.build(tmp_path / "world")
    there = moved(world, deep(tmp_path, length - len("\\repository")))
    assert len(str(there.repository)) == length
    use_all(world, there.repository)


def test_the_limit_is_minded_here(tmp_path: Path) -> None:
    """Without it the tests above and below would hold of any program."""
    world = small_world.build(tmp_path / "world")
    deeper = deep(tmp_path, 300)
    reachable(deeper).mkdir(parents=True)
    program = STRICT.replace("main(sys.argv[1:])", "print(os.path.isdir(sys.argv[1]))")
    for path, found in ((str(deeper), "False"), (f"\\\\?\\{deeper}", "True")):
        done = subprocess.run(
            [sys.executable, "-c", program, path], env=processes.environment(world), capture_output=True, check=False
        )
        assert done.stdout.strip() == found.encode(), done.stderr


def test_a_long_name_in_an_ordinary_folder_is_retired_and_restored(tmp_path: Path) -> None:
    world = small_world.build(tmp_path / "world")
    name = "RHEL9-64 " + "z" * 200
    reachable(world.repository / name).write_bytes(b"strange")
    line = ("--repository", str(world.repository))
    sync = ("sync", "--release", "latest", "--source", str(world.source), "--yes")
    assert strict(world, *line, *sync).returncode == ExitCode.DONE
    assert not reachable(world.repository / name).exists()
    done = strict(world, *line, "restore", "last", "--drop", "UBUNTU-22.04-64", "--yes")
    assert done.returncode == ExitCode.FINDINGS, done.stderr
    assert reachable(world.repository / name).read_bytes() == b"strange"


def test_a_path_in_the_extended_form_is_a_path(tmp_path: Path) -> None:
    world = small_world.build(tmp_path / "world")
    use_all(world, f"\\\\?\\{world.repository}")


@pytest.fixture
def share() -> Iterator[Path]:
    """A share of a server; nothing goes over a network."""
    if "WINEPREFIX" not in os.environ:
        pytest.skip("needs Wine, where a share can be made without an administrator")
    server = Path(f"Z:{os.environ['WINEPREFIX']}") / "dosdevices" / "unc" / "fileserver"
    (server / "share").mkdir(parents=True)
    yield Path("//fileserver/share")
    shutil.rmtree(server)


@pytest.mark.parametrize("depth", [40, 250], ids=["short", "deep"])
def test_a_repository_may_lie_on_a_share(depth: int, tmp_path: Path, share: Path) -> None:
    world = small_world.build(tmp_path / "world")
    there = moved(world, deep(share, depth))
    use_all(world, there.repository)


def test_forward_slashes_and_dots_are_understood(tmp_path: Path) -> None:
    world = small_world.build(tmp_path / "world")
    at = f"{world.repository.parent.as_posix()}/repository/notes/../"
    done = cli(world, "--repository", at, "list", "--json")
    assert json.loads(done.stdout)["repository"] == str(world.repository)


@pytest.mark.parametrize("end", [".", " ", ". ."])
def test_windows_own_reading_of_a_path_counts(end: str, tmp_path: Path) -> None:
    """It knows no dots and spaces at the end of a name."""
    world = small_world.build(tmp_path / "world")
    done = cli(world, "--repository", f"{world.repository}{end}", "list", "--json")
    assert json.loads(done.stdout)["repository"] == str(world.repository)


def test_a_path_may_be_relative_to_a_drive(tmp_path: Path) -> None:
    world = small_world.build(tmp_path / "world")
    drive = world.repository.drive
    done = subprocess.run(
        [sys.executable, "-m", "repo_manager", "--repository", f"{drive}repository", "list", "--json"],
        cwd=world.root,
        env=processes.environment(world),
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=60,
        check=False,
    )
    assert json.loads(done.stdout)["repository"] == str(world.repository)


WRONG = {
    "a device": ("NUL", "is a device of Windows"),
    "a device in a folder": (r"C:\windows\CON", "is a device of Windows"),
    "a serial line": ("com1.txt", "is a device of Windows"),
    "no such drive": ("Y:\\repository", "there is no folder Y:\\repository"),
    "no such server": (r"\\nowhere\share\repository", "there is no folder"),
    "no such deep folder": ("C:\\" + "\\".join(["z" * 50] * 6), "there is no folder C:\\zzz"),
    "no name at all": ("C:\\a|b*?", "there is no folder"),
    "a file": (r"C:\windows\explorer.exe", "is a file, not a folder"),
}


@pytest.mark.parametrize(("path", "words"), WRONG.values(), ids=WRONG)
@pytest.mark.parametrize("command", [("list",), ("sync", "--release", "latest", "--yes"), ("audit",)], ids=" ".join)
def test_a_path_that_is_no_repository_is_refused_in_words(
    path: str, words: str, command: tuple[str, ...], tmp_path: Path
) -> None:
    world = small_world.build(tmp_path / "world")
    done = cli(world, "--repository", path, *command)
    assert done.returncode == ExitCode.USAGE, done.stderr
    assert words in done.stderr
    assert "hint: " in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("path", ["NUL", r"C:\windows\CON", "Y:\\source", r"\\nowhere\share", "C:\\a|b*?"])
def test_a_source_that_is_none_is_refused_in_words(path: str, tmp_path: Path) -> None:
    world = small_world.build(tmp_path / "world")
    before = small_world.snapshot(world)
    done = cli(world, "--repository", str(world.repository), "sync", "--release", "latest", "--source", path, "--yes")
    assert done.returncode in {ExitCode.USAGE, ExitCode.TRANSFER}, done.stderr
    assert "Traceback" not in done.stderr
    assert "internal-error" not in done.stderr
    assert small_world.snapshot(world) == before


# Names


ODD = ["RHEL9-64.", "RHEL9-64 ", "nul.RHEL9-64", "COM1.RHEL9-64.tar.gz"]


@pytest.mark.parametrize("name", ODD)
def test_a_name_that_windows_takes_for_another_is_retired_and_restored_under_it(name: str, tmp_path: Path) -> None:
    """Linux, or a program that knows the extended form, puts such files onto a share."""
    world = small_world.build(tmp_path / "world")
    ordinary = world.repository / "RHEL9-64"
    ordinary.write_bytes(b"another")
    odd = f"\\\\?\\{world.repository}\\{name}"
    Path(odd).write_bytes(b"odd")
    line = ("--repository", str(world.repository))
    done = cli(world, *line, "list", "--json")
    assert name in [file["name"] for file in json.loads(done.stdout)["files"]]
    done = cli(world, *line, "sync", "--release", "latest", "--source", str(world.source), "--yes")
    assert done.returncode == ExitCode.DONE, done.stderr
    assert not Path(odd).exists()
    retired = next((world.repository / SUBFOLDER / "retired").iterdir())
    assert name in os.listdir(retired)  # noqa: PTH208 - names alone
    done = cli(world, *line, "restore", "last", "--drop", "UBUNTU-22.04-64", "--yes")
    assert done.returncode == ExitCode.FINDINGS, done.stderr
    assert Path(odd).read_bytes() == b"odd"
    assert ordinary.read_bytes() == b"another"


CASES: dict[str, Callable[[str], str]] = {
    "in capitals": str.upper,
    "in small letters": str.lower,
    "in its last word": lambda name: name.replace("release", "RELEASE"),
}


@pytest.mark.parametrize("change", CASES.values(), ids=CASES)
def test_an_installer_whose_name_differs_in_case_alone_is_replaced(
    change: Callable[[str], str], tmp_path: Path
) -> None:
    world = small_world.build(tmp_path / "world")
    name = name_of("RHEL9-64")
    (world.repository / name).unlink()
    (world.repository / change(name)).write_bytes(b"strange")
    before = small_world.snapshot(world)
    line = ("--repository", str(world.repository))
    sync = ("sync", "--release", "latest", "--source", str(world.source), "--yes")
    done = cli(world, *line, *sync)
    assert done.returncode == ExitCode.DONE, done.stderr
    assert name in os.listdir(world.repository)  # noqa: PTH208 - names alone
    assert (world.repository / name).read_bytes() == small_world.data_of(name)
    small_world.check(before, world)
    assert "nothing to do" in cli(world, *line, *sync).stdout
    done = cli(world, *line, "restore", "last", "--drop", "UBUNTU-22.04-64", "--yes")
    files = dict(small_world.snapshot(world).files)
    if change(name).startswith("Microsoft-ASR_UA_"):
        # What was damaged stays retired, and the whole file in its place stays there under its name.
        assert done.returncode == ExitCode.FINDINGS, done.stderr
        assert (world.repository / name).read_bytes() == small_world.data_of(name)
        assert name in os.listdir(world.repository)  # noqa: PTH208 - names alone
        files[change(name)] = before.files[change(name)]
        del files[name]
    else:
        # No installer by its name, so what it holds cannot be judged.
        assert done.returncode == ExitCode.DONE, done.stderr
        assert change(name) in os.listdir(world.repository)  # noqa: PTH208 - names alone
    assert files == before.files


def test_a_path_is_found_whatever_its_case(tmp_path: Path) -> None:
    world = small_world.build(tmp_path / "world")
    line = ("--repository", str(world.repository).swapcase())
    typed = str(world.source / name_of("UBUNTU-22.04-64")).lower()
    done = cli(world, *line, "add", typed, "--yes")
    assert done.returncode == ExitCode.DONE, done.stderr
    assert name_of("UBUNTU-22.04-64") in os.listdir(world.repository)  # noqa: PTH208 - names alone
    done = cli(world, *line, "sync", "--source", str(world.repository), "--release", "latest", "--yes")
    assert done.returncode == ExitCode.USAGE
    assert "source-is-target" in done.stderr


def test_a_symbolic_link_is_a_link(tmp_path: Path) -> None:
    link = tmp_path / "link"
    try:
        link.symlink_to(tmp_path)
    except OSError:
        pytest.skip("making a link needs a right")
    if not link.is_symlink():
        pytest.skip("links are followed unseen here")
    assert is_link(link.lstat())
    assert not is_link(tmp_path.lstat())
