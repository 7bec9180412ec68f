"""What `restore` undoes, what it leaves alone, and what it refuses."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from typing import TYPE_CHECKING, Any

import pytest
from cli_world import CLASSIC, NEW, OLD, InstantService, data_of, name_of, tree

from repo_manager.adapters.installers.archive import inspect
from repo_manager.core import names
from repo_manager.core.errors import VerificationError
from repo_manager.core.names import Release

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from cli_world import Answer, Cli

MIDDLE = Release(9, 65)
of_posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pipes in folders")
THREE = ("RHEL7-64", "OL7-64", "DEBIAN11-64")
RHEL = "RHEL7-64"


def sync(tool: Cli, *tokens: str, release: Release = NEW, config: str = "") -> str:
    """Bring these packages to a release; the transaction."""
    tool.repository.mkdir(exist_ok=True)
    tool.fill_source(tokens, release)
    packages = [word for token in tokens for word in ("--package", token)]
    options = ("--config", tool.config(config)) if config else ()
    answer = tool.repo_json(*options, "sync", "--release", str(release), "--source", "source", "--yes", *packages)
    assert answer.code == 0, answer.err
    found: str = answer.document["transaction"]
    return found


def restore(tool: Cli, transaction: str, *words: str, drop: tuple[str, ...] = ()) -> Answer:
    drops = [word for token in drop for word in ("--drop", token)]
    return tool.repo_json("restore", transaction, "--yes", *words, *drops)


def transaction(answer: Answer) -> str:
    assert answer.code == 0, answer.err
    found: str = answer.document["transaction"]
    return found


def listed(tool: Cli) -> Mapping[str, Mapping[str, Any]]:
    """The transactions by their identity."""
    return {item["id"]: item for item in tool.repo_json("restore").document["transactions"]}


def installers(tool: Cli, release: Release, *tokens: str) -> set[str]:
    return {name_of(token, release) for token in tokens}


def skipped(answer: Answer) -> dict[str, str]:
    """The files that were left alone, each with the reason."""
    moves = [item for item in answer.document["actions"] if item["action"] != "restart"]
    return {item["name"]: item["reason"] for item in moves if item["result"] == "skipped"}


# Which transactions


def test_an_undone_transaction_is_not_undone_again_whatever_came_since(tool: Cli) -> None:
    tool.fill(CLASSIC[:6])
    first = sync(tool, *CLASSIC)
    drop = tuple(CLASSIC[6:])
    back = transaction(restore(tool, first, drop=drop))
    sync(tool, *CLASSIC)
    before = tree(tool.repository)
    answer = restore(tool, first, drop=drop)
    assert (answer.code, answer.error["code"]) == (2, "already-undone")
    assert back in answer.error["message"]
    assert re.search(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", answer.error["message"])
    assert tree(tool.repository) == before
    assert listed(tool)[first].items() >= {"state": "undone", "undone_by": back, "restorable": 0}.items()
    assert listed(tool)[back]["undoes"] == first


def test_stepping_back_undoes_one_transaction_after_the_other(tool: Cli) -> None:
    tool.fill((RHEL,), OLD)
    two = sync(tool, RHEL, release=MIDDLE)
    three = sync(tool, RHEL, release=NEW)
    assert transaction(restore(tool, "last"))
    assert tool.names() == installers(tool, MIDDLE, RHEL)
    assert transaction(restore(tool, "last"))
    assert tool.names() == installers(tool, OLD, RHEL)
    answer = restore(tool, "last")
    assert (answer.code, answer.error["code"]) == (2, "unknown-transaction")
    assert [listed(tool)[identity]["state"] for identity in (two, three)] == ["undone", "undone"]


def test_undoing_a_restore_applies_the_transaction_again(tool: Cli) -> None:
    tool.fill((RHEL,), OLD)
    first = sync(tool, RHEL)
    back = transaction(restore(tool, first))
    assert tool.names() == installers(tool, OLD, RHEL)
    again = transaction(restore(tool, back))
    assert tool.names() == installers(tool, NEW, RHEL)
    found = listed(tool)
    assert found[back].items() >= {"state": "undone", "undone_by": again}.items()
    assert found[first].items() >= {"state": "undoable", "undone_by": None, "restorable": 1}.items()
    assert transaction(restore(tool, "last"))
    assert tool.names() == installers(tool, OLD, RHEL)


def test_journals_of_version_01_do_not_say_what_they_undid_and_it_is_derived(tool: Cli) -> None:
    tool.fill((RHEL,), OLD)
    first = sync(tool, RHEL)
    back = transaction(restore(tool, first))
    path = tool.repository / ".repo-manager" / "transactions" / f"{back}.json"
    recorded = path.read_text(encoding="utf-8")
    assert f'"undoes": "{first}"' in recorded
    path.write_text(re.sub(r',\s*"undoes": "[^"]*"', "", recorded), encoding="utf-8")
    assert listed(tool)[back]["undoes"] == first
    assert restore(tool, first).error["code"] == "already-undone"


# Files that were changed since


def test_files_that_a_later_transaction_changed_are_left_alone(tool: Cli) -> None:
    tool.fill(THREE, OLD)
    first = sync(tool, *THREE, release=MIDDLE)
    second = sync(tool, RHEL, release=NEW)
    assert listed(tool)[first]["state"] == "partly-undoable"
    plan = restore(tool, first, "--dry-run")
    assert plan.code == 1, "as the run that leaves a file alone"
    assert [item["name"] for item in plan.document["skipped"]] == [name_of(RHEL, MIDDLE)]
    answer = restore(tool, first)
    assert answer.code == 1
    assert skipped(answer) == {name_of(RHEL, MIDDLE): f"changed since by {second}"}
    assert tool.names() == {
        *installers(tool, OLD, *THREE),
        *installers(tool, NEW, RHEL),
    }


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (None, "deleted from the repository since"),
        (b"of another size", "replaced or damaged by another program since"),
        ("the same size", "replaced or damaged by another program since"),
    ],
)
def test_files_that_another_program_changed_are_left_alone(tool: Cli, change: bytes | str | None, reason: str) -> None:
    tool.fill(THREE, OLD)
    first = sync(tool, *THREE)
    path = tool.repository / name_of(RHEL)
    other = data_of(name_of("OL7-64"), seed=5)
    if change is None:
        path.unlink()
    elif isinstance(change, bytes):
        path.write_bytes(change)
    else:
        path.write_bytes(other[: path.stat().st_size].ljust(path.stat().st_size, b"\0"))
    answer = restore(tool, first)
    assert (answer.code, skipped(answer)) == (1, {path.name: reason})
    assert tool.names() - {path.name} == installers(tool, OLD, *THREE)


def test_stepping_back_goes_on_behind_a_transaction_that_was_undone_in_part(tool: Cli) -> None:
    tool.fill(THREE, OLD)
    first = sync(tool, *THREE, release=MIDDLE)
    second = sync(tool, *THREE)
    (tool.repository / name_of(RHEL)).write_bytes(b"by hand")

    assert restore(tool, "last").code == 1
    assert listed(tool)[second]["state"] == "partly-undone"
    assert "partly undone" in tool.repo("restore").out
    assert restore(tool, "last").code == 0
    assert listed(tool)[first]["state"] == "undone"
    assert restore(tool, second).error["code"] == "nothing-to-restore"


def test_the_answer_and_the_plan_say_what_is_left_alone_and_why(tool: Cli) -> None:
    tool.fill(THREE, OLD)
    first = sync(tool, *THREE)
    (tool.repository / name_of(RHEL)).unlink()
    answer = tool.repo("restore", first, "--yes")
    assert answer.code == 1
    lines = "left alone 1 file\n  RHEL7-64  9.66.7567.1  deleted from the repository since\n"
    assert lines in answer.out
    assert lines.replace("left alone", "leave alone") in answer.err
    assert "placed 3 files, retired 2 files" in answer.out


def test_a_transaction_of_which_all_was_changed_since_is_refused_with_the_reasons(tool: Cli) -> None:
    tool.fill((RHEL,), OLD)
    first = sync(tool, RHEL, release=MIDDLE)
    tool.fill((RHEL,), OLD)
    second = sync(tool, RHEL, release=NEW)
    before = tree(tool.repository)
    answer = restore(tool, first)
    assert (answer.code, answer.error["code"]) == (2, "nothing-to-restore")
    for name in (name_of(RHEL, OLD), name_of(RHEL, MIDDLE)):
        assert f"{name}: changed since by {second}" in answer.error["message"]
    assert tree(tool.repository) == before
    assert listed(tool)[first].items() >= {"state": "changed-since", "restorable": 0}.items()


# Packages that would be left without an installer


def test_undoing_the_very_first_sync_is_refused(tool: Cli) -> None:
    first = sync(tool, *THREE)
    before = tree(tool.repository)
    for dry_run in ((), ("--dry-run",)):
        answer = restore(tool, first, *dry_run)
        assert (answer.code, answer.error["code"]) == (2, "would-drop-packages")
        assert tree(tool.repository) == before
    assert "DEBIAN11-64, OL7-64, RHEL7-64" in answer.error["message"]
    command = f"repo-manager --json --repository repo restore {first} --yes --dry-run"
    assert f"run '{command} --drop DEBIAN11-64 --drop OL7-64 --drop RHEL7-64'" in answer.error["hint"]
    assert restore(tool, first, drop=THREE[:2]).error["code"] == "would-drop-packages"
    answer = restore(tool, first, drop=(*THREE[:2], THREE[2].lower()))
    assert answer.code == 0, "packages that a person named do not count as lost by mistake"
    assert tool.names() == set()


def test_stepping_back_beyond_what_is_kept_does_not_empty_the_folder(tool: Cli) -> None:
    keep_one = "retired_keep: 1\n"
    for release in (OLD, MIDDLE, NEW):
        sync(tool, *THREE, release=release, config=keep_one)
    for config in (tool.config(keep_one), tool.config(keep_one)):
        answer = tool.repo_json("--config", config, "restore", "last", "--yes")
        if answer.code:
            break
    assert answer.error["code"] == "would-drop-packages"
    assert tool.names() == installers(tool, MIDDLE, *THREE)


def test_another_complete_installer_of_the_package_is_enough(tool: Cli) -> None:
    first = sync(tool, RHEL)
    tool.fill((RHEL,), OLD)
    assert restore(tool, first).code == 0
    assert tool.names() == installers(tool, OLD, RHEL)


def test_another_installer_that_is_not_complete_is_not_enough(tool: Cli) -> None:
    first = sync(tool, RHEL)
    tool.put(name_of(RHEL, OLD), data_of(name_of(RHEL, OLD))[:900])
    assert restore(tool, first).error["code"] == "would-drop-packages"


def test_a_drop_that_is_not_needed_is_noted_and_an_unknown_one_is_refused(tool: Cli) -> None:
    tool.fill((RHEL,), OLD)
    first = sync(tool, RHEL)
    assert restore(tool, first, drop=("RHEL77-64",)).error["code"] == "unknown-package"
    answer = restore(tool, first, drop=(RHEL,))
    assert answer.code == 0
    assert "--drop RHEL7-64 is not needed" in answer.err


# Files that come back


def retired_file(tool: Cli, identity: str, name: str) -> Path:
    return tool.repository / ".repo-manager" / "retired" / identity / name


def flipped_at(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "a flipped byte": lambda data: flipped_at(data, 700),
    "no bytes": lambda _: b"",
    "cut off": lambda data: data[:-200],
    "zeros": lambda data: bytes(len(data)),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_retired_installer_that_is_damaged_does_not_come_back(tool: Cli, damage: str) -> None:
    tool.fill(THREE, OLD)
    first = sync(tool, *THREE)
    path = retired_file(tool, first, name_of(RHEL, OLD))
    path.write_bytes(DAMAGE[damage](path.read_bytes()))
    before = tree(tool.repository)
    for dry_run in ((), ("--dry-run",)):
        answer = restore(tool, first, *dry_run)
        assert (answer.code, answer.error["code"]) == (4, "retired-file-damaged")
        assert f".repo-manager/retired/{first}/{path.name}: " in answer.error["message"]
        assert "--drop RHEL7-64" in answer.error["hint"]
        assert tree(tool.repository) == before
    path.unlink()
    assert restore(tool, first).error["code"] == "would-drop-packages"


def test_a_file_of_another_package_does_not_come_back(tool: Cli) -> None:
    tool.fill((RHEL,), OLD)
    first = sync(tool, RHEL)
    name = name_of(RHEL, OLD)
    path = retired_file(tool, first, name)
    other = data_of(name, token="OL7-64")  # noqa: S106 - a package
    journal = tool.repository / ".repo-manager" / "transactions" / f"{first}.json"
    said = journal.read_text("ascii")
    journal.write_text(said.replace(f" {path.stat().st_size}\n", f" {len(other)}\n"), "ascii")
    path.write_bytes(other)
    assert restore(tool, first).error["code"] == "retired-file-damaged"


@pytest.mark.parametrize("known_from", ["the journal", "the records"])
def test_bytes_are_compared_with_the_digest_of_the_file_that_was_placed(tool: Cli, known_from: str) -> None:
    """What no checksum in the file itself gives away."""
    sync(tool, "Windows", release=OLD)
    second = sync(tool, "Windows")
    if known_from == "the records":
        for path in (tool.repository / ".repo-manager" / "transactions").iterdir():
            recorded = json.loads(path.read_bytes())
            del recorded["sha256"], recorded["damaged"]
            path.write_text(json.dumps(recorded), "ascii")
    path = retired_file(tool, second, name_of("Windows", OLD))
    data = path.read_bytes()
    flipped = next(changed for at in range(len(data) - 1, 0, -1) if whole(path.name, changed := flipped_at(data, at)))
    path.write_bytes(flipped)
    answer = restore(tool, second)
    assert (answer.code, answer.error["code"]) == (4, "retired-file-damaged")
    assert "has other bytes than the file that was placed" in answer.error["message"]


def whole(name: str, data: bytes) -> bool:
    try:
        inspect([data], names.parse(name))
    except VerificationError:
        return False
    return True


def test_the_memory_of_digests_is_not_believed(tool: Cli) -> None:
    """The retired file is read, though the audit has read it under its name and nothing says that it changed."""
    tool.fill(THREE, OLD)
    assert tool.repo("audit", "--deep", "--release", str(OLD), "--package", RHEL).code == 0
    first = sync(tool, *THREE)
    path = retired_file(tool, first, name_of(RHEL, OLD))
    times = path.stat()
    path.write_bytes(DAMAGE["a flipped byte"](path.read_bytes()))
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert restore(tool, first).code == 4


def test_a_file_that_was_damaged_when_it_was_retired_stays_retired_and_the_whole_one_in_its_place(tool: Cli) -> None:
    tool.fill(THREE, OLD)
    half = name_of(RHEL)
    tool.put(half, data_of(half)[:900])
    first = sync(tool, *THREE)
    answer = restore(tool, first)
    assert answer.code == 1
    assert skipped(answer) == {half: "was not complete when it was retired"}
    assert (tool.repository / half).read_bytes() == data_of(half)
    assert tool.names() == {half, *installers(tool, OLD, *THREE)}


def test_a_stray_comes_back_if_its_size_is_the_same(tool: Cli) -> None:
    tool.fill((RHEL,), OLD)
    tool.fill((RHEL,), NEW)
    strays = {f"Copy of {name_of(RHEL)}", f"{name_of(RHEL)}.bak"}
    for name in strays:
        tool.put(name)
    first = tool.repo_json("prune", "--yes").document["transaction"]
    changed = min(strays)
    retired_file(tool, first, changed).write_bytes(b"longer")
    answer = restore(tool, first)
    assert (answer.code, skipped(answer)) == (1, {changed: "has 6 bytes; 1 were retired"})
    assert tool.names() & strays == strays - {changed}


def test_a_file_that_changes_after_it_was_read_undoes_the_restore(tool: Cli) -> None:
    tool.fill((RHEL,), OLD)
    first = sync(tool, RHEL)
    path = retired_file(tool, first, name_of(RHEL, OLD))

    class Meddler(InstantService):
        """Another program that writes between the plan and the moves."""

        def ready(self) -> None:
            path.write_bytes(DAMAGE["a flipped byte"](path.read_bytes()))

    tool.service = Meddler()
    answer = tool.repo_json("restore", first, "--yes")
    assert (answer.code, answer.document["error"]["code"]) == (4, "changed-under-us")
    assert tool.names() == installers(tool, NEW, RHEL)


def test_a_copy_that_another_program_makes_meanwhile_is_read_again_and_taken(tool: Cli) -> None:
    """So it is where a file system gives a file another identity with a rename."""
    tool.fill((RHEL,), OLD)
    first = sync(tool, RHEL)
    path = retired_file(tool, first, name_of(RHEL, OLD))

    class Copier(InstantService):
        def ready(self) -> None:
            if path.exists():
                copy = path.with_name("copy")
                shutil.copyfile(path, copy)
                shutil.copystat(path, copy)
                copy.replace(path)

    tool.service = Copier()
    assert tool.repo("restore", first, "--yes").code == 0
    assert tool.names() == installers(tool, OLD, RHEL)


# Identities, and transactions that cannot be read


def test_the_newest_transaction_is_last_though_the_clock_was_put_back(tool: Cli) -> None:
    tool.fill((RHEL,), OLD)
    first = sync(tool, RHEL, release=MIDDLE)
    folder = tool.repository / ".repo-manager"
    future = "20991231T235959Z-ffff"
    for path in ((folder / "transactions" / f"{first}.json"), (folder / "retired" / first)):
        path.rename(path.with_name(path.name.replace(first, future)))
    journal = folder / "transactions" / f"{future}.json"
    journal.write_text(journal.read_text("ascii").replace(first, future), "ascii")
    (folder / "transactions" / "99999999T999999Z-ffff.json").write_text("{}", "ascii")
    (folder / "transactions" / "notes.json").write_text("a note", "ascii")
    second = sync(tool, RHEL, release=NEW)
    assert second == "21000101T000000Z-0000"
    assert transaction(restore(tool, "last")) == "21000101T000000Z-0001"
    assert tool.names() == installers(tool, MIDDLE, RHEL)
    assert transaction(restore(tool, "last"))
    assert tool.names() == installers(tool, OLD, RHEL)


@pytest.mark.parametrize(
    "kind", ["truncated", "wrong types", "another one's", "a folder", pytest.param("a pipe", marks=of_posix)]
)
def test_a_damaged_transaction_does_not_block_newer_ones(tool: Cli, kind: str) -> None:
    tool.fill(THREE, OLD)
    oldest = sync(tool, "OL7-64", release=MIDDLE)
    damaged = sync(tool, "DEBIAN11-64", release=MIDDLE)
    newest = sync(tool, RHEL, release=MIDDLE)
    path = tool.repository / ".repo-manager" / "transactions" / f"{damaged}.json"
    said = path.read_text("ascii")
    path.unlink()
    if kind == "a folder":
        path.mkdir()
    elif kind == "a pipe":
        os.mkfifo(path)
    else:
        path.write_text(
            {
                "truncated": said[:100],
                "wrong types": '{"id": 7, "moves": 3}',
                "another one's": said.replace(damaged, oldest),
            }[kind],
            "ascii",
        )
    found = listed(tool)
    assert [found[identity]["state"] for identity in (newest, damaged, oldest)] == [
        "undoable",
        "damaged",
        "changed-since",
    ]
    assert transaction(restore(tool, newest))
    answer = restore(tool, damaged)
    assert (answer.code, answer.error["code"]) == (3, "transaction-damaged")
    answer = restore(tool, oldest)
    assert (answer.code, answer.error["code"]) == (2, "nothing-to-restore")
    assert f"{damaged} is damaged and may have changed it" in answer.error["message"]
    assert tool.names() == installers(tool, OLD, RHEL) | installers(tool, MIDDLE, "OL7-64", "DEBIAN11-64")


def test_undoing_a_sync_removes_its_records_also_by_the_run_after_a_kill(tool: Cli) -> None:
    tool.fill((RHEL,), OLD)
    first = sync(tool, RHEL)
    records = tool.repository / ".repo-manager" / "records.json"
    before = records.read_bytes()
    assert name_of(RHEL) in json.loads(before)["files"]
    transaction(restore(tool, first))
    assert json.loads(records.read_bytes())["files"] == {}
    records.write_bytes(before)
    assert tool.repo("prune").code == 0
    assert json.loads(records.read_bytes())["files"] == {}
