"""Guarantee 7 in a real folder: names, links, pipes and journals that mean harm, and nothing outside is touched."""

from __future__ import annotations

import json
import os
import re
import sys
from typing import TYPE_CHECKING, Any

import operations
import pytest
import small_world
from faults import in_child
from platforms import MAKES_LINKS, needs_links
from processes import cli
from simulator import name_of
from small_world import check, left_over, snapshot

from repo_manager.adapters.filesystem.repository_folder import SUBFOLDER, no_step
from repo_manager.core.errors import ExitCode, InputError, MachineError, RepoManagerError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from small_world import World

ON_WINDOWS = sys.platform == "win32"
of_posix = pytest.mark.skipif(ON_WINDOWS, reason="rights of Windows are not those of chmod, and nobody has none")

RHEL = name_of("RHEL9-64")
NOBODY = 65534

# The name, and whether somebody could take it for a package, so that it must go.
NAMES = {
    "a line break": ("read\nme.tar.gz", False),
    "a line break in a package's name": ("RHEL9-64\n.tar.gz", True),
    "turned around": ("\u202egz.rat.46-9LEHR", False),
    "turned around behind a package's name": ("RHEL9-64\u200f.tar.gz", True),
    "accents in two ways": ("cafe\u0301 caf\u00e9.txt", False),
    "not unicode": ("caf\udce9", False),
    "not unicode behind a package's name": ("RHEL9-64 \udcff\udcfe.tar.gz", True),
    "255 bytes": ("x" * 255, False),
    "255 bytes with a package's name": ("RHEL9-64." + "x" * 246, True),
    "a device of Windows": ("CON", False),
    "a device of Windows with an extension": ("nul.tar.gz", False),
    "a dot at the end": (f"{RHEL}.", True),
    "a space at the end": (f"{RHEL} ", True),
    "an alternate stream": (f"{RHEL}:stream", True),
    "a path of Windows": ("..\\..\\RHEL9-64.tar.gz", True),
    "an option": ("--yes", False),
    "an option with a package's name": ("-rf RHEL9-64", True),
    "a shell's language": ("$(touch RHEL9-64);`id`", True),
    "a terminal's language": ("\x1b[31m RHEL9-64\x07", True),
    "a markup": ("<b>RHEL9-64<b>", True),
    "a spreadsheet's language": ("=cmd|'RHEL9-64'!A1", True),
    "hidden": (".RHEL9-64.tar.gz", True),
    "a case twin of the product": (RHEL.lower(), True),
    "a case twin of the last word": (RHEL.replace("release", "RELEASE"), True),
    "a look-alike letter": (RHEL.replace("R", "\u042f", 1), True),
    "another program's half": (f"{RHEL}.crdownload", True),
    "our own half": (f"{RHEL}.part", True),
    "like the sub-folder": (".repo-manager.txt", False),
}


if ON_WINDOWS:
    # Names that it does not have, that it takes for another, and that mean the very file of another case.
    NAMES = {
        reason: (name, must_go)
        for reason, (name, must_go) in NAMES.items()
        if not re.search(r'[\x00-\x1f<>:"/\\|?*\ud800-\udfff]|[ .]$|^(con|nul)\b', name, re.IGNORECASE)
        and name.lower() != RHEL.lower()
    }


@pytest.mark.parametrize(("name", "must_go"), NAMES.values(), ids=NAMES)
def test_a_hostile_name_is_left_alone_or_retired_and_can_be_had_back(name: str, must_go: bool, tmp_path: Path) -> None:  # noqa: FBT001 - a column of the table
    world = small_world.build(tmp_path / "world")
    world.put(name, b"something else")
    before = snapshot(world)

    outcome = operations.sync(world, no_step)
    assert outcome is not None
    assert outcome.error is None
    check(before, world)
    assert left_over(world) == []
    assert os.path.lexists(world.repository / name) is not must_go
    assert (name in [retired for retired, _ in snapshot(world).retired]) is must_go
    again = operations.sync(world, no_step)
    assert again is not None
    assert again.results == ()

    operations.restore(world, no_step)
    if name.lower() == RHEL.lower():
        assert not os.path.lexists(world.repository / name), "no installer comes back that is not complete"
    else:
        assert (world.repository / name).read_bytes() == b"something else"


def test_every_command_survives_all_hostile_names_together(tmp_path: Path) -> None:
    world = small_world.build(tmp_path / "world")
    for name, _ in NAMES.values():
        world.put(name, b"something else")
    if MAKES_LINKS:
        (world.repository / "RHEL9-64 to nowhere").symlink_to(world.root / "nowhere")
    before = snapshot(world)
    at = ("--repository", str(world.repository))
    source = ("--release", "latest", "--source", str(world.source), "--yes")
    report = world.root / "report"
    lines: list[tuple[tuple[str, ...], set[ExitCode]]] = [
        (("list",), {ExitCode.DONE}),
        (("list", "--json"), {ExitCode.DONE}),
        (("audit",), {ExitCode.FINDINGS}),
        (("audit", "--json"), {ExitCode.FINDINGS}),
        (("audit", "--format", "csv"), {ExitCode.FINDINGS}),
        (("audit", "--format", "csv", "--output", f"{report}.csv"), {ExitCode.FINDINGS}),
        (("audit", "--output", f"{report}.txt"), {ExitCode.FINDINGS}),
        (("sync", *source, "--dry-run"), {ExitCode.DONE}),
        (("sync", *source, "--dry-run", "--json"), {ExitCode.DONE}),
        (("-v", "sync", *source, "--json", "--yes"), {ExitCode.DONE}),
        (("audit", "--deep", "--json"), {ExitCode.DONE}),
        (("restore",), {ExitCode.DONE}),
        (("-v", "restore", "last", "--drop", "UBUNTU-22.04-64", "--yes"), {ExitCode.FINDINGS}),
        (("prune", "--yes"), {ExitCode.DONE}),
    ]
    for words, allowed in lines:
        done = cli(world, *at, *words)
        assert done.returncode in allowed, (words, done.stderr)
        assert "internal-error" not in done.stderr, done.stderr
        assert "Traceback" not in done.stderr, done.stderr
        # What could steer a terminal is never printed as it is.
        assert not {"\x1b", "\u202e", "\u200f", "\x07"} & set(done.stdout + done.stderr), words
        if "--json" in words:
            json.loads(done.stdout)
    check(before, world)


# Things that are no files


def link_to_an_outside_file(path: Path, world: World) -> None:
    path.symlink_to(world.outside / "treasure.txt")


def link_to_a_good_installer(path: Path, world: World) -> None:
    path.symlink_to(world.source / RHEL)


def dangling_link(path: Path, world: World) -> None:
    path.symlink_to(world.outside / "not there")


def link_to_a_folder(path: Path, world: World) -> None:
    path.symlink_to(world.outside, target_is_directory=True)


def pipe(path: Path, world: World) -> None:
    os.mkfifo(path)


LINKS = (link_to_an_outside_file, link_to_a_good_installer, dangling_link, link_to_a_folder)
THINGS = [
    *(pytest.param(link, marks=needs_links) for link in LINKS),
    pytest.param(pipe, marks=pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes lie in folders here")),
]


@pytest.mark.parametrize("make", THINGS)
def test_what_is_no_file_but_bears_an_installers_name_is_moved_away_unread(
    make: Callable[[Path, World], None], tmp_path: Path
) -> None:
    world = small_world.build(tmp_path / "world")
    (world.repository / RHEL).unlink()
    make(world.repository / RHEL, world)
    before = snapshot(world)
    # In a process of its own with a time limit: reading a pipe would wait for ever.
    at = ("--repository", str(world.repository))
    assert cli(world, *at, "audit", "--deep").returncode == ExitCode.FINDINGS
    assert snapshot(world) == before
    done = cli(world, *at, "sync", "--release", "latest", "--source", str(world.source), "--yes")
    assert done.returncode == ExitCode.DONE, done.stderr
    assert (world.repository / RHEL).read_bytes() == small_world.data_of(RHEL)
    assert not (world.repository / RHEL).is_symlink()
    check(before, world)


@pytest.mark.parametrize("make", THINGS)
@pytest.mark.parametrize("place", [RHEL, f"{RHEL}.part", f"{RHEL}.part.json"])
def test_what_is_no_file_in_the_staging_area_is_neither_read_nor_written_through(
    make: Callable[[Path, World], None], place: str, tmp_path: Path
) -> None:
    world = small_world.build(tmp_path / "world")
    small_world.bench(world).folder.prepare()
    make(world.repository / SUBFOLDER / "staging" / place, world)
    before = snapshot(world)
    done = cli(
        world,
        *("--repository", str(world.repository), "sync", "--release", "latest", "--yes"),
        *("--source", str(world.source), "--yes"),
    )
    assert done.returncode == ExitCode.DONE, done.stderr
    check(before, world)
    assert (world.repository / RHEL).read_bytes() == small_world.data_of(RHEL)
    assert not (world.repository / RHEL).is_symlink()


@pytest.mark.parametrize("make", THINGS)
def test_what_is_no_file_at_the_source_is_refused_unread(make: Callable[[Path, World], None], tmp_path: Path) -> None:
    world = small_world.build(tmp_path / "world")
    other = world.root / "other source"
    other.mkdir()
    for path in world.source.iterdir():
        if path.name != RHEL:
            (other / path.name).write_bytes(path.read_bytes())
    make(other / RHEL, world)
    before = snapshot(world)
    done = cli(
        world,
        *("--repository", str(world.repository), "sync", "--release", "latest", "--source", str(other), "--yes"),
    )
    assert done.returncode == ExitCode.TRANSFER, done.stderr
    assert snapshot(world) == before


def test_a_folder_that_bears_an_installers_name_stays_and_the_run_says_so(tmp_path: Path) -> None:
    world = small_world.build(tmp_path / "world")
    (world.repository / RHEL).unlink()
    (world.repository / RHEL).mkdir()
    (world.repository / RHEL / "precious.txt").write_bytes(b"somebody's")
    before = snapshot(world)
    outcome = operations.sync(world, no_step)
    assert outcome is not None
    assert outcome.error is not None
    assert (type(outcome.error), outcome.error.code) == (MachineError, "name-taken")
    assert snapshot(world).files == before.files


@needs_links
@pytest.mark.parametrize("part", ["", "staging", "retired", "transactions"])
def test_a_sub_folder_that_is_a_link_is_refused(part: str, tmp_path: Path) -> None:
    world = small_world.build(tmp_path / "world")
    sub = world.repository / SUBFOLDER
    if part:
        sub.mkdir()
    (sub / part).symlink_to(world.outside, target_is_directory=True)
    before = snapshot(world)
    with pytest.raises(MachineError) as caught:
        operations.sync(world, no_step)
    assert caught.value.code == "subfolder-is-a-link"
    now = snapshot(world)
    assert (now.files, now.elsewhere) == (before.files, before.elsewhere)


@needs_links
@pytest.mark.parametrize("name", ["lock", "journal.new", "records.new", "records.json"])
def test_a_link_among_the_tools_own_files_is_not_written_through(name: str, tmp_path: Path) -> None:
    world = small_world.build(tmp_path / "world")
    small_world.bench(world).folder.prepare()
    (world.repository / SUBFOLDER / name).symlink_to(world.outside / "treasure.txt")
    before = snapshot(world)
    try:
        outcome = operations.sync(world, no_step)
    except RepoManagerError:
        assert snapshot(world) == before
    else:
        assert outcome is not None
        assert outcome.error is None
    check(before, world)


# A journal that somebody else wrote


def ascii_of(data: bytes) -> str:
    """A short name for a case: pytest puts it into a variable, of which Windows takes 32,767 characters."""
    return repr(data[:20])


HARMLESS = [f"../{name_of('OL8-64')}", f"retired/1/{name_of('OL8-64')}", None]


def journal(moves: object, **others: object) -> dict[str, Any]:
    return {"schema": "repo-manager/journal/1", "id": "1", "command": "sync", "service_was": "absent"} | {
        "moves": moves,
        **others,
    }


TAMPERED: dict[str, object] = {
    "up and away": journal([["staging/passwd", "../../../../../../etc/passwd", None]]),
    "to a file outside": journal([["staging/treasure.txt", "../../outside/treasure.txt", None]]),
    "from a file outside": journal([["../../outside/stolen", f"../{small_world.PUSH_CLIENT}", None]]),
    "absolute": journal([["/tmp/stolen", f"../{small_world.PUSH_CLIENT}", None]]),  # noqa: S108 - must not be used
    "a name without a folder": journal([["stolen", f"../{small_world.PUSH_CLIENT}", None]]),
    "another name": journal([["staging/stolen", f"../{small_world.PUSH_CLIENT}", None]]),
    "up in the middle": journal([[f"staging/../../../{small_world.FOREIGN}", f"../{small_world.FOREIGN}", None]]),
    "up in the identity": journal([[f"../{small_world.FOREIGN}", f"retired/../{small_world.FOREIGN}", None]]),
    "within the repository": journal([["../stolen", f"../{small_world.PUSH_CLIENT}", None]]),
    "within the sub-folder": journal([["staging/a", "retired/1/a", None]]),
    "onto the records": journal([["records.json", "../records.json", None]]),
    "an empty name": journal([["staging/", "../", None]]),
    "only dots": journal([["staging/..", "../..", None]]),
    "an end of text": journal([["staging/a\0b", "../a\0b", None]]),
    "a bad one behind a good one": journal([HARMLESS, ["staging/x", "../../x", None]]),
    "an identity that is a path": journal([HARMLESS], id="../../../outside/stolen"),
    "moves of two": journal([["a", "b"]]),
    "moves of numbers": journal([[1, 2, 3]]),
    "a size in words": journal([[*HARMLESS[:2], "many"]]),
    "no list of moves": journal("staging"),
    "no moves": {"id": "1"},
    "an unknown state": journal([HARMLESS], service_was="happy"),
    "a list": [1, 2],
    "nothing": None,
}


@pytest.mark.parametrize("tampered", TAMPERED.values(), ids=TAMPERED)
def test_a_journal_that_was_tampered_with_is_refused_and_moves_nothing(tampered: object, tmp_path: Path) -> None:
    world = small_world.build(tmp_path / "world")
    small_world.bench(world).folder.prepare()
    (world.repository / SUBFOLDER / "journal.json").write_text(json.dumps(tampered), encoding="ascii")
    before = snapshot(world)
    with pytest.raises(MachineError) as caught:
        operations.sync(world, no_step)
    assert caught.value.code == "journal-unreadable"
    assert "journal.json" in caught.value.hint
    assert snapshot(world) == before


@pytest.mark.parametrize("data", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b'{"moves": NaN}'], ids=ascii_of)
def test_a_journal_that_is_not_one_is_refused(data: bytes, tmp_path: Path) -> None:
    world = small_world.build(tmp_path / "world")
    small_world.bench(world).folder.prepare()
    (world.repository / SUBFOLDER / "journal.json").write_bytes(data)
    before = snapshot(world)
    with pytest.raises(MachineError) as caught:
        operations.sync(world, no_step)
    assert caught.value.code == "journal-unreadable"
    assert snapshot(world) == before


@pytest.mark.parametrize(
    "data",
    [b"", b"[]", b"{}", b'{"files": 1}', b'{"files": {"a": {"sha256": 1, "size_bytes": Infinity}}}', b"[" * 9999],
)
def test_records_that_were_tampered_with_are_forgotten(data: bytes, tmp_path: Path) -> None:
    world = small_world.build(tmp_path / "world")
    small_world.bench(world).folder.prepare()
    (world.repository / SUBFOLDER / "records.json").write_bytes(data)
    outcome = operations.sync(world, no_step)
    assert outcome is not None
    assert outcome.error is None


# Rights


def as_nobody(world: World, act: Callable[[World], None]) -> None:
    """Do it in a child without rights of its own, to whom the world belongs."""
    if os.geteuid() == 0:
        for folder, _, files in os.walk(world.root):
            os.chown(folder, NOBODY, NOBODY)
            for file in files:
                os.chown(os.path.join(folder, file), NOBODY, NOBODY, follow_symlinks=False)  # noqa: PTH118 - walk's way

    def run() -> None:
        # From inside: the folders above belong to whoever runs the tests.
        os.chdir(world.root)
        if os.geteuid() == 0:
            os.setgid(NOBODY)
            os.setuid(NOBODY)
        act(type(world)(type(world.root)()))

    assert in_child(run) == 0


@of_posix
def test_an_installer_that_may_not_be_read_is_replaced_and_kept(tmp_path: Path) -> None:
    world = small_world.build(tmp_path / "world")
    world.put(RHEL)
    (world.repository / RHEL).chmod(0)

    def act(here: World) -> None:
        with pytest.raises(PermissionError):
            (here.repository / RHEL).read_bytes()
        outcome = operations.sync(here, no_step)
        assert outcome is not None
        assert outcome.error is None

    as_nobody(world, act)
    (world.repository / RHEL).chmod(0o644)
    assert (world.repository / RHEL).read_bytes() == small_world.data_of(RHEL)
    kept = list((world.repository / SUBFOLDER / "retired").rglob(RHEL))
    assert len(kept) == 1


@of_posix
def test_a_file_that_could_not_be_read_once_is_read_again_later(tmp_path: Path) -> None:
    """What a lack of rights or a scanner's grip showed is not remembered as a fault of the bytes."""
    world = small_world.build(tmp_path / "world", mess=False)
    world.put(RHEL)
    stamp = (world.repository / RHEL).stat()
    (world.repository / RHEL).chmod(0)

    def act(here: World) -> None:
        bench = small_world.bench(here)
        listing = bench.folder.listing()
        files = tuple(file for file in listing.files if file.installer)
        assert [verdict.good for verdict in bench.checker(bench.folder).read(listing, files).values()] == [False]
        assert bench.checker(bench.folder).known(listing) == {}

    as_nobody(world, act)
    (world.repository / RHEL).chmod(stamp.st_mode)


@of_posix
@pytest.mark.parametrize(
    ("mode", "kind", "code"), [(0o300, InputError, "no-rights"), (0o500, MachineError, "no-rights")]
)
def test_a_folder_without_rights_is_refused_in_words(
    mode: int, kind: type[RepoManagerError], code: str, tmp_path: Path
) -> None:
    world = small_world.build(tmp_path / "world")
    world.repository.chmod(mode)

    def act(here: World) -> None:
        with pytest.raises(kind) as caught:
            operations.sync(here, no_step)
        assert caught.value.code == code

    before = snapshot(world) if os.geteuid() == 0 else None
    as_nobody(world, act)
    world.repository.chmod(0o755)
    assert before is None or snapshot(world) == before
