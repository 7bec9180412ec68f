"""`publish` and `mirror` as people and programs call them."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shlex
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from cli_world import OLD, ROOT, SUBFOLDER, Cli, InstantService, data_of, name_of, tree, unprivileged
from object_stores import azurite, s3_server
from platforms import needs_links
from trust_world import Leading

from repo_manager.adapters.filesystem.lock import Lock
from repo_manager.adapters.filesystem.scan import scan
from repo_manager.adapters.storage import Credentials, open_depot
from repo_manager.core.address import parse as parse_address

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from cli_world import Answer

FOUR = ("RHEL7-64", "OL7-64", "DEBIAN11-64", "Windows")


def _publish(tool: Cli, *more: str) -> Answer:
    answer = tool.repo_json("publish", "depot", "--keys", "keys", *more)
    assert answer.code == 0, answer.err
    return answer


def _follower(tool: Cli) -> Path:
    folder = tool.folder / "follower"
    folder.mkdir(exist_ok=True)
    return folder


def _mirror(tool: Cli, *more: str, source: str = "depot") -> Answer:
    _follower(tool)
    return tool("--json", "--repository", "follower", "mirror", source, *more, "--yes")


def _led(tool: Cli) -> str:
    tool.fill(FOUR)
    root = _publish(tool).document["root"]
    assert isinstance(root, str)
    return root


def _installers(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


# publish


def test_publish_says_what_the_contract_promises(tool: Cli) -> None:
    tool.fill(FOUR)

    document = _publish(tool).document

    assert document["schema"] == "repo-manager/publish/1"
    assert len(document["root"]) == 64
    assert (document["version"], document["packages"]) == (1, 4)
    assert document["bytes_sent"] == sum(len(data_of(name_of(token))) for token in FOUR)
    assert "RHEL8-64" in document["missing"]


def test_publishing_again_sends_nothing(tool: Cli) -> None:
    first = _led(tool)

    document = _publish(tool).document

    assert (document["root"], document["version"], document["bytes_sent"]) == (first, 1, 0)


_WATCHED = """
import os, sys
from repo_manager import cli
opened = []
def hook(event, arguments):
    if event == "open" and isinstance(arguments[0], str) and "Microsoft-ASR_UA" in arguments[0]:
        opened.append(os.path.basename(arguments[0]))
sys.addaudithook(hook)
code = cli.main(["--quiet", "--repository", "repo", "publish", "depot", "--keys", "keys"])
print(code, sorted(opened))
"""


def test_publishing_again_opens_no_installer_and_after_a_change_that_one_alone(tool: Cli) -> None:
    _led(tool)

    def opened() -> str:
        done = subprocess.run(
            [sys.executable, "-c", _WATCHED], cwd=tool.folder, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()[-1]

    assert opened() == "0 []"
    name = name_of("OL8-64")
    tool.put(name, data_of(name))
    said = opened()
    assert said.startswith("0 [")
    assert said.count(name) == said.count("Microsoft-ASR_UA") > 0


def test_publish_tells_people_the_fingerprint(tool: Cli) -> None:
    tool.fill(FOUR)

    answer = tool.repo("publish", "depot", "--keys", "keys")

    assert "published 4 packages to depot, version 1" in answer.out
    assert "--trust " in answer.out


def test_only_named_packages_are_published_when_some_are_named(tool: Cli) -> None:
    tool.fill(FOUR)

    assert _publish(tool, "--package", "OL7-64", "--package", "Windows").document["packages"] == 2


def test_a_package_that_is_named_and_not_there_is_refused(tool: Cli) -> None:
    tool.fill(FOUR)

    answer = tool.repo_json("publish", "depot", "--keys", "keys", "--package", "OL8-64")

    assert (answer.code, answer.error["code"]) == (2, "not-in-repository")
    assert not (tool.folder / "depot").exists()


def test_an_empty_repository_is_not_published(tool: Cli) -> None:
    tool.repository.mkdir()

    answer = tool.repo_json("publish", "depot", "--keys", "keys")

    assert (answer.code, answer.error["code"]) == (2, "nothing-to-publish")


def test_most_packages_are_not_taken_away_from_everybody_at_once(tool: Cli) -> None:
    _led(tool)
    for token in FOUR[:3]:
        (tool.repository / name_of(token)).unlink()

    answer = tool.repo_json("publish", "depot", "--keys", "keys")

    assert (answer.code, answer.error["code"]) == (2, "would-empty-set")


LOST = name_of("OL7-64")


def _lose(tool: Cli) -> None:
    (tool.repository / LOST).unlink()


def _keep_only_an_older_one(tool: Cli) -> None:
    _lose(tool)
    tool.fill(("OL7-64",), OLD)


def _rename_in_catalog(tool: Cli) -> None:
    text = (ROOT / "catalog.yaml").read_text(encoding="utf-8")
    (tool.folder / "catalog.yaml").write_text(text.replace("OL7-64", "OL7X-64"), encoding="utf-8")


@pytest.mark.parametrize(
    ("before", "more"),
    [
        pytest.param(_lose, (), id="the file is gone"),
        pytest.param(lambda _tool: None, ("--package", "RHEL7-64", "--package", "DEBIAN11-64", "--package", "Windows"),
                     id="--package leaves it out"),
        pytest.param(lambda tool: tool.config("profiles: {classic: {require: [RHEL7-64, DEBIAN11-64, Windows]}}"),
                     ("--config", "config.yaml"), id="it is required no more"),
        pytest.param(_rename_in_catalog, ("--catalog", "catalog.yaml"), id="the catalog does not know it any more"),
        pytest.param(_keep_only_an_older_one, ("--release", "9.66"),
                     id="--release leaves it out"),
    ],
)  # fmt: skip
def test_a_loss_is_not_spread_to_all_followers_unless_it_was_named(
    tool: Cli, before: Callable[[Cli], object], more: tuple[str, ...]
) -> None:
    root = _led(tool)
    assert _mirror(tool, "--trust", root, "--yes").code == 0
    before(tool)
    old = tree(tool.folder / "depot")

    answer = tool.repo_json("publish", "depot", "--keys", "keys", *more)

    assert (answer.code, answer.error["code"]) == (2, "would-drop-packages"), answer.err
    assert "OL7-64" in answer.error["message"]
    assert "RHEL7-64" not in answer.error["message"]
    assert tree(tool.folder / "depot") == old

    # The command of the hint, as it is pasted.
    words = shlex.split(answer.error["hint"].rpartition("on purpose, run '")[2].removesuffix("'"))
    assert words[0] == "repo-manager"
    answer = tool(*words[1:])
    assert (answer.code, answer.document["dropped"], answer.document["packages"]) == (0, ["OL7-64"], 3)
    followed = _mirror(tool, "--yes")
    assert followed.code == 0
    assert [
        (action["name"], action["reason"]) for action in followed.document["actions"] if action["action"] == "retire"
    ] == [(LOST, "not in the set that is followed")]
    assert _publish(tool, *more).document["dropped"] == [], "it was dropped before"


def test_a_drop_that_has_no_effect_is_noted(tool: Cli) -> None:
    _led(tool)

    answer = _publish(tool, "--drop", "ol7-64", "--drop", "OL8-64", "--drop", "no such")

    assert answer.document["dropped"] == []
    assert "--drop OL7-64 has no effect: the package is in the repository" in answer.err
    assert "--drop OL8-64 has no effect: the package is not in the published set" in answer.err
    assert "--drop no such has no effect" in answer.err
    assert answer.document["packages"] == 4


def test_people_are_told_which_packages_were_dropped(tool: Cli) -> None:
    _led(tool)
    _lose(tool)

    answer = tool.repo("publish", "depot", "--keys", "keys", "--drop", "ol7-64")

    assert answer.code == 0
    assert "dropped from the set: OL7-64; followers retire what they have of it" in answer.err
    assert answer.err.count("OL7-64") == 1, "and not once more as a wanted package that was not published"


@pytest.mark.parametrize("damaged", ["timestamp.json", "1.snapshot.json"])
def test_a_loss_is_not_spread_because_the_published_metadata_are_damaged(tool: Cli, damaged: str) -> None:
    _led(tool)
    _lose(tool)
    (tool.folder / "depot" / "metadata" / damaged).write_bytes(b"{}")

    answer = tool.repo_json("publish", "depot", "--keys", "keys")

    assert (answer.code, answer.error["code"]) == (2, "would-drop-packages")
    assert _publish(tool, "--drop", "OL7-64").document["dropped"] == ["OL7-64"]


def test_renewing_drops_nothing_and_needs_no_word_for_it(tool: Cli) -> None:
    _led(tool)
    _lose(tool)

    document = _publish(tool, "--renew").document

    assert (document["packages"], document["dropped"]) == (4, [])


def test_a_broken_installer_is_not_published(tool: Cli) -> None:
    tool.fill(FOUR)
    tool.put(name_of("OL7-64"), data_of(name_of("OL7-64"))[:900])

    answer = tool.repo_json("publish", "depot", "--keys", "keys")

    assert (answer.code, answer.error["code"]) == (4, "would-publish-corrupt")
    assert not (tool.folder / "depot").exists()


def test_no_set_is_published_that_is_over_at_once(tool: Cli) -> None:
    tool.fill(FOUR)

    answer = tool.repo_json("publish", "depot", "--keys", "keys", "--expires", "0")

    assert (answer.code, answer.error["code"]) == (2, "usage")
    assert not (tool.folder / "depot").exists()


@pytest.mark.parametrize(
    ("place", "code"),
    [
        pytest.param("", "unknown-source", id="not the current folder"),
        pytest.param(" ", "unknown-source", id="not a folder named one blank"),
        pytest.param("az:/sets/asr", "unknown-source", id="half a scheme"),
        pytest.param("a-file", "not-a-folder", id="a file"),
    ],
)
def test_nothing_is_published_to_what_was_not_meant(tool: Cli, place: str, code: str) -> None:
    tool.fill(FOUR)
    (tool.folder / "a-file").write_bytes(b"I am a file")
    before = tree(tool.folder)

    answer = tool.repo_json("publish", place, "--keys", "keys")

    assert (answer.code, answer.error["code"]) == (2, code)
    assert tree(tool.folder) == before


OLDER = name_of("RHEL7-64").replace("9.66.7567.1", "9.65.1.1")


def _spoil(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:900])


@pytest.mark.parametrize(
    ("spoil", "code", "exit_code"),
    [
        pytest.param(_spoil, "would-publish-corrupt", 4, id="the newest is damaged"),
        pytest.param(lambda path: path.unlink(), "would-publish-older", 2, id="the newest is gone"),
    ],
)
def test_followers_are_not_taken_back_to_an_older_installer_by_chance(
    tool: Cli, spoil: Callable[[Path], None], code: str, exit_code: int
) -> None:
    tool.fill(("RHEL7-64", "RHEL8-64"))
    root = _publish(tool).document["root"]
    assert _mirror(tool, "--trust", root).code == 0
    tool.put(OLDER, data_of(OLDER))
    spoil(tool.repository / name_of("RHEL7-64"))
    before = tree(tool.folder / "depot")

    answer = tool.repo_json("publish", "depot", "--keys", "keys")

    assert (answer.code, answer.error["code"]) == (exit_code, code)
    assert name_of("RHEL7-64") in answer.error["message"] + answer.error["hint"]
    assert tree(tool.folder / "depot") == before


def test_followers_are_taken_back_to_a_release_that_was_named(tool: Cli) -> None:
    tool.fill(("RHEL7-64",))
    root = _publish(tool).document["root"]
    assert _mirror(tool, "--trust", root).code == 0
    tool.put(OLDER, data_of(OLDER))

    assert _publish(tool, "--release", "9.65").document["version"] == 2

    answer = _mirror(tool)
    assert answer.code == 0
    assert {action["reason"] for action in answer.document["actions"] if action["action"] == "download"} == {
        "DOWNGRADE from 9.66.7567.1 (as the set has it)"
    }
    assert set(_installers(tool.folder / "follower")) == {OLDER}


@pytest.mark.skipif(sys.platform == "win32", reason="rights are another matter there")
@pytest.mark.parametrize("older", [False, True])
def test_an_installer_that_cannot_be_read_is_not_called_damaged(open_tool: Cli, *, older: bool) -> None:
    tool = open_tool
    tool.fill(FOUR)
    # Loads what is read as somebody else afterwards.
    _publish(tool)
    name = name_of("OL8-64")
    tool.put(name, data_of(name)).chmod(0)
    if older:
        other = name.replace("9.66.7567.1", "9.65.1.1")
        tool.put(other, data_of(other))
    before = tree(tool.folder)

    answer = unprivileged(tool, "--json", "--repository", "repo", "publish", "another", "--keys", "others")

    assert (answer.code, answer.error["code"]) == (3, "cannot-be-read"), answer.err
    assert name in answer.error["message"]
    assert "Permission denied" in answer.error["message"]
    assert tree(tool.folder) == before


@pytest.mark.parametrize("place", ["repo", "repo/depot"])
def test_nothing_is_published_into_the_repository(tool: Cli, place: str) -> None:
    tool.fill(FOUR)

    answer = tool.repo_json("publish", place, "--keys", "keys")

    assert (answer.code, answer.error["code"]) == (2, "source-is-target")


@pytest.mark.skipif(sys.platform == "win32", reason="rights are another matter there")
def test_keys_are_for_their_owner_alone(tool: Cli) -> None:
    _led(tool)

    assert (tool.folder / "keys").stat().st_mode & 0o077 == 0
    for path in (tool.folder / "keys").glob("*.pem"):
        assert path.stat().st_mode & 0o077 == 0


def test_keys_can_be_locked_with_a_passphrase(tool: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REPO_MANAGER_KEYS_PASSPHRASE", "correct horse")
    _led(tool)
    monkeypatch.setenv("REPO_MANAGER_KEYS_PASSPHRASE", "battery staple")

    answer = tool.repo_json("publish", "depot", "--keys", "keys")

    assert (answer.code, answer.error["code"]) == (2, "key-unreadable")
    assert "battery" not in answer.out + answer.err


def test_a_locked_key_asks_for_its_passphrase(tool: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REPO_MANAGER_KEYS_PASSPHRASE", "correct horse")
    _led(tool)
    monkeypatch.delenv("REPO_MANAGER_KEYS_PASSPHRASE")

    answer = tool.repo_json("publish", "depot", "--keys", "keys")

    assert (answer.code, answer.error["code"]) == (2, "key-unreadable")
    assert "no passphrase was given" in answer.error["message"]


def test_what_the_keys_remember_and_makes_no_sense_is_no_mistake_in_the_tool(tool: Cli) -> None:
    _led(tool)
    place = next(path for path in (tool.folder / "keys" / "metadata").glob("*.json") if "root" not in path.name)
    place.write_text('{"root": "x"}', encoding="ascii")

    answer = tool.repo_json("publish", "depot", "--keys", "keys")

    assert (answer.code, answer.error["code"]) == (3, "keys-damaged")
    assert place.name in answer.error["message"]
    place.unlink()
    assert _publish(tool).document["version"] == 1


def test_a_key_is_replaced_on_request(tool: Cli) -> None:
    root = _led(tool)
    assert _mirror(tool, "--trust", root).code == 0
    before = (tool.folder / "keys" / "timestamp.pem").read_bytes()

    assert _publish(tool, "--rotate", "timestamp").document["root"] == root

    assert (tool.folder / "keys" / "timestamp.pem").read_bytes() != before
    assert _mirror(tool).code == 0


# publish --verify


def _target(tool: Cli, token: str) -> Path:
    (path,) = (tool.folder / "depot" / "targets").glob(f"*.{name_of(token)}")
    return path


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        pytest.param(_flip, "its bytes are not those that were published", id="a flipped byte"),
        pytest.param(lambda path: path.write_bytes(b"short"), "it has 5 bytes instead of", id="cut off"),
        pytest.param(lambda path: path.unlink(), "it is missing", id="gone"),
    ],
)
def test_verify_sends_again_what_is_damaged_and_followers_can_go_on(
    tool: Cli, damage: Callable[[Path], object], problem: str
) -> None:
    root = _led(tool)
    whole = tree(tool.folder / "depot")
    damage(_target(tool, "OL7-64"))
    assert _mirror(tool, "--trust", root, "--yes", "--no-report").code != 0

    document = _publish(tool, "--verify").document

    (repaired,) = document["repaired"]
    assert (document["damaged"], document["foreign"]) == ([], [])
    assert repaired["path"].endswith(LOST)
    assert problem in repaired["problem"]
    assert document["verified"] == 8, "four installers, root, targets, snapshot, timestamp"
    assert document["bytes_sent"] == len(data_of(LOST))
    assert tree(tool.folder / "depot") == whole
    assert _mirror(tool, "--trust", root, "--yes").code == 0
    assert _publish(tool, "--verify").document["repaired"] == []


@pytest.fixture(params=["s3", pytest.param("azure", marks=pytest.mark.stores)])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, Mapping[str, str]]]:
    """The address of an empty object store, and the variables of whoever may write to it."""
    with s3_server() if request.param == "s3" else azurite(tmp_path / "azurite") as server:
        yield f"{server.make('sets')}/asr", server.variables()


def test_verify_repairs_what_is_damaged_in_an_object_store(
    tool: Cli, store: tuple[str, Mapping[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    address, variables = store
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    tool.fill(FOUR)
    assert tool.repo_json("publish", address, "--keys", "keys").code == 0
    depot = open_depot(parse_address(address), keyring=Credentials(variables))
    try:
        paths = {token: path for path, _ in depot.list("targets/") for token in FOUR if path.endswith(name_of(token))}
        whole = {path: b"".join(map(bytes, depot.stream(path))) for path in paths.values()}
        depot.write(paths["OL7-64"], whole[paths["OL7-64"]][:-1] + b"?")
        depot.write(paths["Windows"], b"short")
        depot.delete(paths["RHEL7-64"])

        answer = tool.repo_json("publish", address, "--keys", "keys", "--verify")

        assert answer.code == 0, answer.err
        damaged = {paths[token] for token in ("OL7-64", "Windows", "RHEL7-64")}
        assert {item["path"] for item in answer.document["repaired"]} == damaged
        assert {path: b"".join(map(bytes, depot.stream(path))) for path in paths.values()} == whole
    finally:
        depot.close()
    assert tool.repo_json("publish", address, "--keys", "keys", "--verify").document["repaired"] == []


def test_without_verify_nothing_is_read_and_the_damage_stays(tool: Cli) -> None:
    _led(tool)
    _flip(_target(tool, "OL7-64"))

    document = _publish(tool).document

    assert (document["verified"], document["repaired"], document["bytes_sent"]) == (None, [], 0)


def test_verify_looks_at_everything_and_leaves_alone_what_is_not_part_of_the_set(tool: Cli) -> None:
    _led(tool)
    (tool.folder / "depot" / "targets" / "notes.txt").write_bytes(b"mine")
    _flip(_target(tool, "OL7-64"))
    _target(tool, "Windows").unlink()

    answer = tool.repo("publish", "depot", "--keys", "keys", "--verify")

    assert answer.code == 0
    assert "verified 8 published files: 2 repaired, 0 damaged" in answer.out
    assert "  not part of the set, left alone: targets/notes.txt" in answer.out
    assert "nothing to do" not in answer.out
    assert (tool.folder / "depot" / "targets" / "notes.txt").read_bytes() == b"mine"


def test_what_verify_cannot_repair_is_an_error_and_the_rest_is_repaired(tool: Cli) -> None:
    _led(tool)
    _flip(_target(tool, "OL7-64"))
    _flip(_target(tool, "Windows"))
    # The memory says that the repository's file is whole, and it is not any more.
    path = tool.repository / LOST
    before = path.stat()
    _flip(path)
    (memory,) = tool.memory
    document = json.loads(memory.read_text("ascii"))
    after = path.stat()
    document["files"][LOST][1:4] = next(entry.stamp for entry in scan(tool.repository) if entry.name == LOST)
    memory.write_text(json.dumps(document), "ascii")
    assert before.st_size == after.st_size

    answer = tool.repo_json("publish", "depot", "--keys", "keys", "--verify")

    assert answer.code == 4
    assert answer.document["error"]["code"] == "published-damaged"
    assert LOST in answer.document["error"]["message"]
    assert [flaw["path"].endswith(LOST) for flaw in answer.document["damaged"]] == [True]
    assert [flaw["path"].endswith(name_of("Windows")) for flaw in answer.document["repaired"]] == [True]


def test_verify_with_renew_reads_and_sends_nothing(tool: Cli) -> None:
    _led(tool)
    _flip(_target(tool, "OL7-64"))

    answer = tool.json("publish", "depot", "--keys", "keys", "--renew", "--verify")

    assert (answer.code, answer.document["error"]["code"]) == (4, "published-damaged")
    assert (answer.document["repaired"], answer.document["bytes_sent"]) == ([], 0)
    assert "--renew sends nothing again" in answer.document["damaged"][0]["problem"]


@pytest.mark.parametrize("name", ["timestamp.json", "1.snapshot.json", "1.targets.json", "1.root.json"])
@pytest.mark.parametrize("how", ["damaged", "missing"])
def test_verify_repairs_metadata(tool: Cli, name: str, how: str) -> None:
    root = _led(tool)
    path = tool.folder / "depot" / "metadata" / name
    if how == "missing":
        path.unlink()
    else:
        _flip(path)
    assert _mirror(tool, "--trust", root, "--yes").code != 0

    document = _publish(tool, "--verify").document

    assert f"metadata/{name}" in [flaw["path"] for flaw in document["repaired"]]
    assert document["damaged"] == []
    assert _mirror(tool, "--trust", root, "--yes").code == 0


def test_a_root_of_other_keys_is_not_taken_for_damage(tool: Cli) -> None:
    _led(tool)
    other = Leading(tool.folder / "other")
    other.publish()
    shutil.copy(other.path("root", 1), tool.folder / "depot" / "metadata" / "1.root.json")

    answer = tool.repo_json("publish", "depot", "--keys", "keys", "--verify")

    assert (answer.code, answer.error["code"]) == (4, "foreign-set")


def test_there_is_nothing_to_verify_where_nothing_was_published(tool: Cli) -> None:
    tool.fill(FOUR)

    answer = tool.repo_json("publish", "depot", "--keys", "keys", "--verify")

    assert (answer.code, answer.error["code"]) == (2, "nothing-to-verify")
    assert not (tool.folder / "depot").exists()


def test_a_depot_that_went_away_is_not_verified(tool: Cli) -> None:
    _led(tool)
    shutil.rmtree(tool.folder / "depot")

    answer = tool.repo_json("publish", "depot", "--keys", "keys", "--verify")

    assert (answer.code, answer.error["code"]) == (3, "source-went-away")


# publish --rotate


@pytest.mark.parametrize("role", ["root", "targets", "snapshot", "timestamp"])
def test_rotate_says_what_it_has_rotated(tool: Cli, role: str) -> None:
    root = _led(tool)
    assert _mirror(tool, "--trust", root, "--yes").code == 0
    before = {path.name: path.read_bytes() for path in (tool.folder / "keys").glob("*.pem")}

    answer = tool.repo("publish", "depot", "--keys", "keys", "--rotate", role)

    assert answer.code == 0
    assert "nothing to do" not in answer.out
    assert f"replaced 1 key: {role}\n" in answer.out
    after = {path.name: path.read_bytes() for path in (tool.folder / "keys").glob("*.pem")}
    assert {name for name in before if before[name] != after[name]} == {f"{role}.pem"}
    document = _publish(tool).document
    newest = max((tool.folder / "depot" / "metadata").glob("*.root.json"), key=lambda path: int(path.name[0]))
    assert (document["root"], document["rotated"]) == (root, [])
    assert document["newest_root"] == hashlib.sha256(newest.read_bytes()).hexdigest()
    assert f"root metadata: version {document['root_version']}, SHA-256 {document['newest_root']}" in answer.out
    assert _mirror(tool, "--yes").code == 0


def test_all_keys_that_were_rotated_are_named(tool: Cli) -> None:
    _led(tool)
    words = [word for role in ("timestamp", "root", "snapshot", "targets") for word in ("--rotate", role)]

    document = _publish(tool, *words).document

    assert document["rotated"] == ["root", "targets", "snapshot", "timestamp"]


@pytest.mark.parametrize("role", ["root", "targets", "timestamp"])
def test_without_the_root_key_no_key_is_rotated(tool: Cli, role: str) -> None:
    _led(tool)
    (tool.folder / "keys" / "root.pem").rename(tool.folder / "offline.pem")
    before = tree(tool.folder)

    answer = tool.repo_json("publish", "depot", "--keys", "keys", "--rotate", role)

    assert (answer.code, answer.error["code"]) == (2, "key-missing")
    assert "root.pem" in answer.error["message"]
    assert tree(tool.folder) == before


# mirror


def test_mirror_makes_the_follower_what_the_leader_is(tool: Cli) -> None:
    root = _led(tool)
    follower = _follower(tool)
    old = name_of("RHEL7-64").replace("9.66.7567.1", "9.60.1.1")
    (follower / old).write_bytes(data_of(old))
    stray = name_of("OL8-64")
    (follower / stray).write_bytes(data_of(stray))
    (follower / "notes.txt").write_bytes(b"mine")

    answer = _mirror(tool, "--trust", root)

    assert answer.code == 0, answer.err
    document = answer.document
    assert document["schema"] == "repo-manager/sync/1"
    assert document["signed"] is True
    assert document["set"]["root"] == root
    found = _installers(follower)
    assert found.pop("notes.txt") == b"mine"
    assert found == _installers(tool.repository)
    retired = {path.name for path in (follower / SUBFOLDER / "retired").rglob("*.gz")}
    assert retired == {old, stray}


def test_a_second_run_does_nothing_and_needs_no_fingerprint(tool: Cli) -> None:
    _mirror(tool, "--trust", _led(tool))
    before = tree(tool.folder / "follower")

    answer = _mirror(tool)

    assert (answer.code, answer.document["actions"]) == (0, [])
    assert {k: v for k, v in tree(tool.folder / "follower").items() if not k.endswith("lock")} == {
        k: v for k, v in before.items() if not k.endswith("lock")
    }


def test_a_file_with_other_bytes_of_the_same_length_is_replaced(tool: Cli) -> None:
    _mirror(tool, "--trust", _led(tool))
    name = name_of("OL7-64")
    other = data_of(name, 1)
    other = other.ljust(len(data_of(name)), b"\0")[: len(data_of(name))]
    (tool.folder / "follower" / name).write_bytes(other)

    assert _mirror(tool).code == 0

    assert (tool.folder / "follower" / name).read_bytes() == data_of(name)


def test_another_whole_build_under_the_same_name_is_replaced(tool: Cli) -> None:
    """It would pass every check but the leader's digest."""
    root = _led(tool)
    name = name_of("Windows")
    (_follower(tool) / name).write_bytes(data_of(name, 1))
    assert len(data_of(name, 1)) == len(data_of(name))

    assert _mirror(tool, "--trust", root).code == 0

    assert (tool.folder / "follower" / name).read_bytes() == data_of(name)


def test_first_contact_without_a_fingerprint_is_refused(tool: Cli) -> None:
    _led(tool)

    answer = _mirror(tool)

    assert (answer.code, answer.error["code"]) == (2, "no-trust")
    assert "--trust" in answer.error["hint"]
    assert _installers(tool.folder / "follower") == {}


@pytest.mark.parametrize(
    ("arguments", "code", "exit_code"),
    [
        pytest.param(("--trust", "0" * 64), "wrong-fingerprint", 4, id="another fingerprint"),
        pytest.param(("--trust", "abc"), "bad-fingerprint", 2, id="no fingerprint at all"),
        pytest.param(("--root", "none.json"), "no-file", 2, id="a root that is not there"),
        pytest.param(("--trust", "0" * 64, "--unsigned"), "usage", 2, id="trust and no trust"),
        pytest.param(("--limit-rate", "fast"), "bad-rate", 2, id="no rate"),
        pytest.param(("--limit-rate", "0"), "bad-rate", 2, id="a rate that never ends"),
        pytest.param(("--window", "25:00-26:00"), "bad-window", 2, id="no window"),
        pytest.param(("--replace-trust",), "no-trust", 2, id="trust replaced by nothing"),
        pytest.param(("--package", "OL8-64"), "not-in-set", 2, id="a package that the leader has not"),
    ],
)
def test_bad_input_changes_nothing(tool: Cli, arguments: tuple[str, ...], code: str, exit_code: int) -> None:
    root = _led(tool)
    if code == "not-in-set":
        arguments = (*arguments, "--trust", root)
    (_follower(tool) / name_of("OL8-64")).write_bytes(b"what was there")

    answer = _mirror(tool, *arguments)

    assert (answer.code, answer.error["code"]) == (exit_code, code)
    assert _installers(tool.folder / "follower") == {name_of("OL8-64"): b"what was there"}


def test_the_root_metadata_themselves_can_be_brought(tool: Cli) -> None:
    _led(tool)
    shutil.copy(tool.folder / "depot" / "metadata" / "1.root.json", tool.folder / "root.json")

    assert _mirror(tool, "--root", "root.json").code == 0


def test_a_leader_that_begins_anew_is_followed_only_on_request(tool: Cli) -> None:
    _mirror(tool, "--trust", _led(tool))
    shutil.rmtree(tool.folder / "depot")
    shutil.rmtree(tool.folder / "keys")
    root = _publish(tool).document["root"]

    unasked = _mirror(tool)
    assert (unasked.code, unasked.error["code"]) == (4, "wrong-signature")
    assert "--replace-trust" in unasked.error["hint"]
    refused = _mirror(tool, "--trust", root)
    assert (refused.code, refused.error["code"]) == (4, "other-trust")
    assert "--replace-trust" in refused.error["hint"]
    assert _mirror(tool, "--trust", root, "--replace-trust").code == 0
    assert _mirror(tool).code == 0


@pytest.mark.parametrize("how", ["the fingerprint", "the root metadata"])
def test_the_same_keys_named_once_more_let_no_older_set_in(tool: Cli, how: str) -> None:
    root = _led(tool)
    shutil.copytree(tool.folder / "depot", tool.folder / "older")
    tool.fill(("OL8-64",))
    assert _publish(tool).document["version"] == 2
    assert _mirror(tool, "--trust", root, "--yes").code == 0
    before = tree(tool.folder / "follower", own=False)
    trusted = (tool.folder / "follower" / SUBFOLDER / "trust.json").read_bytes()
    anchor = ("--trust", root) if how == "the fingerprint" else ("--root", "older/metadata/1.root.json")

    answer = _mirror(tool, "--replace-trust", *anchor, "--yes", source="older")

    assert (answer.code, answer.document["error"]["code"]) == (4, "set-went-back")
    assert tree(tool.folder / "follower", own=False) == before
    assert (tool.folder / "follower" / SUBFOLDER / "trust.json").read_bytes() == trusted
    assert "these keys are trusted already" in answer.err
    assert _mirror(tool, "--replace-trust", *anchor, "--yes").code == 0, "and the newest set is followed as before"


def test_other_keys_drop_what_was_seen_and_that_is_said(tool: Cli) -> None:
    root = _led(tool)
    tool.fill(("OL8-64",))
    assert _publish(tool).document["version"] == 2
    assert _mirror(tool, "--trust", root, "--yes").code == 0
    other = tool.repo_json("publish", "another", "--keys", "others").document["root"]

    answer = _mirror(tool, "--replace-trust", "--trust", other, "--yes", source="another")

    assert answer.code == 0
    assert f"the keys {root[:16]}... are no longer trusted, and version 2 of their set is forgotten" in answer.err
    assert f"{other[:16]}... is trusted instead" in answer.err
    assert answer.document["set"]["version"] == 1
    assert _mirror(tool, "--yes", source="another").code == 0


def test_a_changed_installer_in_the_depot_is_not_placed(tool: Cli) -> None:
    root = _led(tool)
    payload = next((tool.folder / "depot" / "targets").glob("*_OL7-64_*"))
    payload.write_bytes(data_of(name_of("OL7-64"), 1).ljust(payload.stat().st_size, b"\0")[: payload.stat().st_size])

    answer = _mirror(tool, "--trust", root)

    assert answer.code == 4
    assert _installers(tool.folder / "follower") == {}


def test_an_installer_that_never_ends_is_cut_off(tool: Cli) -> None:
    root = _led(tool)
    payload = next((tool.folder / "depot" / "targets").glob("*_Windows_*"))
    payload.write_bytes(payload.read_bytes() + b"\0" * 5_000_000)

    answer = _mirror(tool, "--trust", root)

    assert answer.code == 4
    assert answer.document["error"]["code"] == "size-mismatch"
    assert _installers(tool.folder / "follower") == {}


def test_an_expired_set_is_refused_and_taken_on_request(tool: Cli) -> None:
    leader = Leading(tool.folder / "leader", datetime.now(UTC) - timedelta(days=31))
    root = leader.publish().root
    leader.depot.rename(tool.folder / "depot")

    refused = _mirror(tool, "--trust", root)
    taken = _mirror(tool, "--trust", root, "--accept-expired")

    assert (refused.code, refused.error["code"]) == (4, "set-expired")
    assert taken.code == 0
    assert "the time of this set is over" in taken.err


def test_a_set_on_a_stick_is_a_source_like_any_other(tool: Cli) -> None:
    root = _led(tool)
    shutil.copytree(tool.folder / "depot", tool.folder / "stick" / "asr")
    shutil.rmtree(tool.folder / "depot")

    assert _mirror(tool, "--trust", root, source="stick/asr").code == 0


def test_a_plain_folder_is_followed_only_when_that_was_said(tool: Cli) -> None:
    tool.fill_source(FOUR)

    refused = _mirror(tool, "--trust", "0" * 64, source="source")
    taken = _mirror(tool, "--unsigned", source="source")

    assert (refused.code, refused.error["code"]) == (3, "no-signed-set")
    assert "--unsigned" in refused.error["hint"]
    assert taken.code == 0
    assert taken.document["signed"] is False
    assert "not signed" in taken.err
    assert len(_installers(tool.folder / "follower")) == 4


@pytest.mark.parametrize("signed", [True, False])
def test_an_empty_source_empties_nothing(tool: Cli, *, signed: bool) -> None:
    root = _led(tool)
    _mirror(tool, "--trust", root)
    (tool.folder / "empty").mkdir()

    answer = _mirror(tool, *(() if signed else ("--unsigned",)), source="empty")

    assert (answer.code, answer.error["code"]) == ((3, "no-signed-set") if signed else (2, "empty-source"))
    assert len(_installers(tool.folder / "follower")) == 4


def test_a_source_that_is_not_there_empties_nothing(tool: Cli) -> None:
    _mirror(tool, "--trust", _led(tool))
    (tool.folder / "depot").rename(tool.folder / "unmounted")

    answer = _mirror(tool)

    assert (answer.code, answer.error["code"]) == (3, "source-went-away")
    assert len(_installers(tool.folder / "follower")) == 4


def test_a_source_that_has_lost_most_packages_is_refused(tool: Cli) -> None:
    tool.fill_source(FOUR)
    _mirror(tool, "--unsigned", source="source")
    for token in FOUR[:3]:
        (tool.source / name_of(token)).unlink()

    answer = _mirror(tool, "--unsigned", source="source")

    assert (answer.code, answer.error["code"]) == (2, "would-empty-repository")
    assert len(_installers(tool.folder / "follower")) == 4


@pytest.mark.parametrize("source", ["follower", "follower/.", "follower/sub"])
def test_a_repository_does_not_follow_itself(tool: Cli, source: str) -> None:
    (_follower(tool) / "sub").mkdir()

    answer = _mirror(tool, "--unsigned", source=source)

    assert (answer.code, answer.error["code"]) == (2, "source-is-target")


def test_one_package_can_be_followed_and_all_others_left_alone(tool: Cli) -> None:
    root = _led(tool)
    (_follower(tool) / name_of("OL8-64")).write_bytes(data_of(name_of("OL8-64")))

    answer = _mirror(tool, "--trust", root, "--package", "Windows")

    assert answer.code == 0
    assert set(_installers(tool.folder / "follower")) == {name_of("OL8-64"), name_of("Windows")}


def test_a_key_is_not_trusted_before_the_change_was_confirmed(tool: Cli) -> None:
    root = _led(tool)
    folder = _follower(tool)
    words = ("--json", "--repository", "follower", "mirror", "depot")
    answer = tool(*words, "--trust", root)
    assert (answer.code, answer.error["code"]) == (2, "confirmation-needed")
    assert list(folder.iterdir()) == []
    assert tool(*words, "--yes").error["code"] == "no-trust"
    assert _mirror(tool, "--trust", root).code == 0
    assert tool(*words).code == 0, "nothing to do"


def test_a_dry_run_trusts_nobody_for_good(tool: Cli) -> None:
    root = _led(tool)

    answer = _mirror(tool, "--trust", root, "--dry-run")

    assert (answer.code, answer.document["schema"]) == (0, "repo-manager/plan/1")
    assert tree(tool.folder / "follower") == {}


def test_a_service_that_does_not_come_back_undoes_it_all(tool: Cli) -> None:
    root = _led(tool)
    (_follower(tool) / name_of("RHEL8-64")).write_bytes(data_of(name_of("RHEL8-64")))
    tool.service = InstantService(broken=1)

    answer = _mirror(tool, "--trust", root)

    assert answer.code == 5
    assert set(_installers(tool.folder / "follower")) == {name_of("RHEL8-64")}
    assert _mirror(tool).code == 0


def test_outside_its_hours_a_follower_only_looks(tool: Cli) -> None:
    root = _led(tool)
    soon = datetime.now().astimezone() + timedelta(hours=2)
    closed = f"{soon:%H:%M}-{soon + timedelta(hours=1):%H:%M}"

    waiting = _mirror(tool, "--trust", root, "--window", closed)

    assert (waiting.code, waiting.error["code"]) == (1, "window-closed")
    assert _installers(tool.folder / "follower") == {}
    assert _mirror(tool, "--window", "00:00-24:00").code == 0
    assert _mirror(tool, "--window", closed).code == 0, "nothing is left to do"


def test_the_rate_is_no_obstacle(tool: Cli) -> None:
    assert _mirror(tool, "--trust", _led(tool), "--limit-rate", "5M").code == 0


def _truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:100])


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(_truncate, id="cut off"),
        pytest.param(lambda path: path.write_bytes(b""), id="emptied by a power cut"),
        pytest.param(lambda path: path.write_text("{}", encoding="ascii"), id="of nobody's making"),
    ],
)
def test_a_memory_that_is_damaged_lets_no_older_set_in(tool: Cli, spoil: Callable[[Path], object]) -> None:
    root = _led(tool)
    shutil.copytree(tool.folder / "depot", tool.folder / "older")
    tool.fill(("RHEL8-64",))
    _publish(tool)
    assert _mirror(tool, "--trust", root).code == 0
    spoil(tool.folder / "follower" / SUBFOLDER / "trust.json")
    before = tree(tool.folder / "follower")

    for more in ((), ("--trust", root), ("--trust", root, "--dry-run")):
        answer = _mirror(tool, *more, source="older")
        assert (answer.code, answer.error["code"]) == (3, "trust-damaged"), answer.err
        assert "trust.json" in answer.error["message"]
        assert "--replace-trust" in answer.error["hint"]
    assert {k: v for k, v in tree(tool.folder / "follower").items() if not k.endswith("lock")} == {
        k: v for k, v in before.items() if not k.endswith("lock")
    }
    assert _mirror(tool, "--trust", root, "--replace-trust").code == 0
    assert _mirror(tool, source="older").error["code"] == "set-went-back"


@needs_links
def test_trust_is_neither_read_nor_written_through_a_link(tool: Cli, tmp_path: Path) -> None:
    root = _led(tool)
    _mirror(tool, "--trust", root)
    place = tool.folder / "follower" / SUBFOLDER / "trust.json"
    place.rename(tmp_path / "elsewhere")
    before = (tmp_path / "elsewhere").read_bytes()
    place.symlink_to(tmp_path / "elsewhere")

    refused = _mirror(tool, "--trust", root)
    taken = _mirror(tool, "--trust", root, "--replace-trust")

    assert (refused.code, refused.error["code"]) == (3, "trust-damaged")
    assert taken.code == 0
    assert not place.is_symlink()
    assert (tmp_path / "elsewhere").read_bytes() == before


def test_an_interrupted_fetch_is_gone_on_with(tool: Cli) -> None:
    root = _led(tool)
    name = name_of("OL7-64")
    staging = _follower(tool) / SUBFOLDER / "staging"
    staging.mkdir(parents=True)
    payload = next((tool.folder / "depot" / "targets").glob("*_OL7-64_*"))
    (staging / f"{name}.part").write_bytes(data_of(name)[:1000])
    origin = {"url": str(payload), "etag": None, "last_modified": None, "total": len(data_of(name))}
    (staging / f"{name}.part.json").write_text(json.dumps(origin), encoding="ascii")

    assert _mirror(tool, "--trust", root).code == 0

    assert (tool.folder / "follower" / name).read_bytes() == data_of(name)


@pytest.mark.parametrize("keys", ["depot", "depot/keys", "repo/keys"])
def test_keys_are_not_published(tool: Cli, keys: str) -> None:
    tool.fill(FOUR)

    answer = tool.repo_json("publish", "depot", "--keys", keys)

    assert (answer.code, answer.error["code"]) == (2, "keys-in-the-open")
    assert not list(tool.folder.rglob("*.pem"))


def test_a_required_package_that_is_not_there_does_not_publish_all_others(tool: Cli) -> None:
    tool.fill(FOUR)
    config = tool.config("require: [OL8-64]\n")

    answer = tool.repo_json("--config", config, "publish", "depot", "--keys", "keys")

    assert (answer.code, answer.error["code"]) == (2, "nothing-to-publish")


def test_a_package_that_the_leaders_catalog_does_not_know_is_not_published(tool: Cli) -> None:
    tool.fill(FOUR)
    odd = name_of("OL6-64").replace("OL6-64", "OL6.-64")
    tool.put(odd, data_of(odd))

    assert _publish(tool).document["packages"] == 4


def test_a_web_server_cannot_be_followed_unsigned(tool: Cli) -> None:
    answer = _mirror(tool, "--unsigned", source="http://127.0.0.1:9/set")

    assert (answer.code, answer.error["code"]) == (2, "cannot-list")


def test_two_runs_do_not_publish_with_the_same_keys_at_once(tool: Cli) -> None:
    _led(tool)
    owner: dict[str, str | int] = {"pid": 1, "host": "here", "command": "publish", "since": "now"}

    with Lock(tool.folder / "keys" / "lock", owner):
        answer = tool.repo_json("publish", "depot", "--keys", "keys")

    assert (answer.code, answer.error["code"]) == (6, "locked")


def test_without_a_word_the_keys_lie_beside_the_configuration(tool: Cli) -> None:
    tool.fill(FOUR)

    assert tool.repo_json("publish", "depot").code == 0

    assert (tool.folder.parent / "program-data" / "repo-manager" / "keys" / "root.pem").exists()


def test_a_run_that_finds_nothing_new_loads_no_library_for_it(tool: Cli) -> None:
    _mirror(tool, "--trust", _led(tool))
    script = (
        "import sys\n"
        "from repo_manager import cli\n"
        "code = cli.main(['--quiet', '--repository', 'follower', 'mirror', 'depot'])\n"
        "print(code, sorted({'tuf', 'securesystemslib', 'cryptography', 'httpx', 'rich'} & set(sys.modules)))\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tool.folder, capture_output=True, text=True, timeout=60, check=False
    )

    assert done.stdout.splitlines()[-1] == "0 []", done.stderr


# A memory that says a foreign file is right


class _WithoutChangeTime:
    """An entry of a folder on a file system that keeps no time of change."""

    def __init__(self, entry: os.DirEntry[str]) -> None:
        self._entry = entry

    def __getattr__(self, name: str) -> object:
        return getattr(self._entry, name)

    def __fspath__(self) -> str:
        return os.fspath(self._entry)

    def stat(self, *, follow_symlinks: bool = True) -> SimpleNamespace:
        status = self._entry.stat(follow_symlinks=follow_symlinks)
        return SimpleNamespace(**{**{name: getattr(status, name) for name in _STATUS}, "st_ctime_ns": 0})


_STATUS = [name for name in dir(os.stat_result) if name.startswith("st_")]


@contextlib.contextmanager
def _scan_without_change_times(path: str, scandir: Callable[[str], Any] = os.scandir) -> Iterator[Iterator[Any]]:
    with scandir(path) as entries:
        yield map(_WithoutChangeTime, entries)


@pytest.mark.skipif(sys.platform == "win32", reason="there the change time does not come with the scan")
@pytest.mark.parametrize("command", ["mirror", "publish"])
def test_a_forged_memory_does_not_hide_foreign_bytes_where_files_have_no_change_time(
    tool: Cli, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    root = _led(tool)
    assert _mirror(tool, "--trust", root).code == 0
    folder = {"mirror": _follower(tool), "publish": tool.repository}[command]
    name = name_of("RHEL7-64")
    path = folder / name
    right = path.read_bytes()
    path.write_bytes(bytes(len(right)))
    status = path.stat()
    for file in tool.memory:
        document = json.loads(file.read_text(encoding="ascii"))
        document["files"][name][:4] = [status.st_size, status.st_mtime_ns, 0, status.st_ino]
        file.write_text(json.dumps(document), encoding="ascii")
    monkeypatch.setattr(os, "scandir", _scan_without_change_times)

    if command == "publish":
        answer = tool.repo_json("publish", "depot", "--keys", "keys", "--verify")
        assert (answer.code, answer.error["code"]) == (4, "would-publish-corrupt"), answer.out
        return
    answer = _mirror(tool)
    assert answer.code == 0, answer.err
    assert path.read_bytes() == right


def test_a_modification_time_that_was_set_back_does_not_hide_foreign_bytes(tool: Cli) -> None:
    root = _led(tool)
    assert _mirror(tool, "--trust", root).code == 0
    path = _follower(tool) / name_of("RHEL7-64")
    right, status = path.read_bytes(), path.stat()
    with path.open("r+b") as file:
        file.write(bytes(len(right)))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))

    assert tool("--repository", "follower", "audit", "--package", "RHEL7-64").code == 0, "nothing is known of it"
    answer = _mirror(tool)

    assert answer.code == 0, answer.err
    assert path.read_bytes() == right
