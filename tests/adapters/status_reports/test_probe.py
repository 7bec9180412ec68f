"""Looks at repositories and at leaders: real folders, real sets, places that give nothing."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from abuse_server import always, serving
from simulator import name_of
from small_world import data_of
from trust_world import Following, Leading
from web_world import ROOT_DIGEST, write_set

from repo_manager.adapters.filesystem.digests import Digests
from repo_manager.adapters.installers.inspect import Checker
from repo_manager.adapters.sources.http_rules import HttpPolicy
from repo_manager.adapters.status_reports.probe import ProbeContext, lead, look_at, published
from repo_manager.adapters.storage import Credentials, open_depot
from repo_manager.adapters.storage.local import LocalStorage
from repo_manager.adapters.tuf.trust_store import TrustStore
from repo_manager.core.address import parse as parse_address
from repo_manager.core.audit.findings import PackageStatus
from repo_manager.core.errors import RepoManagerError
from repo_manager.core.fleet import ExpectedServer, Host, SetName
from repo_manager.core.names import Token

if TYPE_CHECKING:
    from collections.abc import Callable

    from repo_manager.core.fleet import ProbeResult

POLICY = HttpPolicy(frozenset(), attempts=1, stall_timeout_s=20, trust_env=False)


@pytest.fixture
def sight(tmp_path: Path) -> Callable[..., ProbeContext]:
    def make(*, deep: bool = False) -> ProbeContext:
        return ProbeContext(
            lambda place: open_depot(place, policy=POLICY, keyring=Credentials({})),
            lambda path: Checker(path.joinpath, Digests(tmp_path / "cache", path), {}),
            deep,
        )

    return make


def _repository(folder: Path, *tokens: str) -> Path:
    folder.mkdir()
    for token in tokens:
        (folder / name_of(token)).write_bytes(data_of(name_of(token)))
    return folder


def _one(place: Path | str, sight: ProbeContext, patience_s: float = 60) -> ProbeResult:
    (look,) = look_at([ExpectedServer(Host("a"), None, str(place))], sight, patience_s)
    return look


def test_a_folder_says_what_lies_there(tmp_path: Path, sight: Callable[..., ProbeContext]) -> None:
    folder = _repository(tmp_path / "r", "RHEL9-64", "Windows")
    (folder / "notes.txt").write_bytes(b"mine")
    look = _one(folder, sight())
    assert {line.package: line.state for line in look.packages} == {
        "RHEL9-64": PackageStatus.OK,
        "Windows": PackageStatus.OK,
    }
    assert (look.followed, look.error) == (None, None)
    assert not (folder / ".repo-manager").exists(), "looking changes nothing"


@pytest.mark.parametrize(("deep", "state"), [(False, PackageStatus.OK), (True, PackageStatus.CORRUPT)])
def test_only_a_deep_look_reads_the_bytes(
    tmp_path: Path, sight: Callable[..., ProbeContext], state: PackageStatus, *, deep: bool
) -> None:
    folder = _repository(tmp_path / "r", "RHEL9-64", "OL8-64")
    path = folder / name_of("RHEL9-64")
    path.write_bytes(path.read_bytes()[:-200])
    states = {line.package: line.state for line in _one(folder, sight(deep=deep)).packages}
    assert states == {"RHEL9-64": state, "OL8-64": PackageStatus.OK}


def test_a_deep_look_believes_nothing_that_was_read_before(tmp_path: Path, sight: Callable[..., ProbeContext]) -> None:
    folder = _repository(tmp_path / "r", "RHEL9-64")
    assert [line.state for line in _one(folder, sight(deep=True)).packages] == [PackageStatus.OK]
    (memory,) = (path for path in (tmp_path / "cache").iterdir() if not path.name.endswith(".kernels.json"))
    document = json.loads(memory.read_text("ascii"))
    document["files"][name_of("RHEL9-64")][5:8] = ["", "corrupt", "as an earlier run said"]
    memory.write_text(json.dumps(document), "ascii")
    assert [line.state for line in _one(folder, sight()).packages] == [PackageStatus.CORRUPT]
    assert [line.state for line in _one(folder, sight(deep=True)).packages] == [PackageStatus.OK]


def test_a_repository_remembers_which_set_it_followed(tmp_path: Path, sight: Callable[..., ProbeContext]) -> None:
    leading = Leading(tmp_path / "leader")
    root = leading.publish().root
    followed = Following(LocalStorage(leading.depot), root).follow()
    folder = _repository(tmp_path / "r", "RHEL9-64")
    (folder / ".repo-manager").mkdir()
    TrustStore(folder).save(followed.memory)
    assert _one(folder, sight()).followed == SetName(root, 1)


def test_a_set_behind_an_address_says_what_it_holds(tmp_path: Path, sight: Callable[..., ProbeContext]) -> None:
    write_set(tmp_path / "set")
    with serving() as server:
        for path in (tmp_path / "set" / "metadata").iterdir():
            server.scripts[f"/metadata/{path.name}"] = always(200, body=path.read_bytes())
        look = _one(server.base, sight())
        nothing = _one(f"{server.base}/absent", sight())
    assert [line.package for line in look.packages] == ["RHEL9-64", "SLES15-64"]
    assert look.followed == SetName(ROOT_DIGEST, 3)
    assert (nothing.error, nothing.packages) == ("no-signed-set", ())


def test_those_that_cannot_be_looked_at_hold_up_nobody(tmp_path: Path, sight: Callable[..., ProbeContext]) -> None:
    folder = _repository(tmp_path / "r", "RHEL9-64")
    file = tmp_path / "file"
    file.write_bytes(b"")
    # Takes connections, and never says a word.
    with socket.create_server(("127.0.0.1", 0)) as mute:
        places = {
            "mute": f"http://127.0.0.1:{mute.getsockname()[1]}",
            "gone": str(tmp_path / "gone"),
            "file": str(file),
            "refused": "http://127.0.0.1:9",
            "odd": "gopher://x",
            "secret": "https://user:hunter2@leader",
            "good": str(folder),
            "unnamed": None,
        }
        expected = [ExpectedServer(Host(name), None, place) for name, place in places.items()]
        looks = {look.host: look for look in look_at(expected, sight(), 5)}
    assert {host: look.error for host, look in looks.items()} == {
        "mute": "no-answer",
        "gone": "no-repository",
        "file": "not-a-folder",
        "refused": "cannot-connect",
        "odd": "unknown-source",
        "secret": "secret-in-source",
        "good": None,
    }
    assert "hunter2" not in "".join(look.why for look in looks.values())


def test_a_leader_is_taken_as_it_is_or_verified_by_its_fingerprint(tmp_path: Path) -> None:
    leading = Leading(tmp_path)
    root = leading.publish(days=1).root
    depot = LocalStorage(leading.depot)

    plain, verified = (
        lead(depot, None, leading.now),
        lead(depot, f"sha256:{root.upper()}", leading.now.replace(year=2030)),
    )

    assert (plain.verified, verified.verified) == (False, True)
    assert plain.wanted == verified.wanted
    assert verified.wanted.followed == SetName(root, 1)
    assert dict(verified.wanted.packages)[Token("RHEL9-64")] == "9.66.0.0"
    with pytest.raises(RepoManagerError) as caught:
        lead(depot, "0" * 64, leading.now)
    assert caught.value.code == "wrong-fingerprint"


@pytest.mark.parametrize(
    ("status", "code"), [(404, "no-signed-set"), (403, "access-denied"), (500, "server-error"), (200, "bad-set")]
)
def test_a_leader_that_gives_no_set_is_an_error(status: int, code: str) -> None:
    with serving() as server:
        server.scripts["/metadata/timestamp.json"] = always(status)
        depot = open_depot(parse_address(server.base), policy=POLICY)
        with pytest.raises(RepoManagerError) as caught:
            published(depot)
        depot.close()
    assert caught.value.code == code


@pytest.mark.parametrize(("status", "code"), [(404, "no-set"), (403, "access-denied")])
def test_a_later_root_may_be_refused_and_the_first_one_not(tmp_path: Path, status: int, code: str) -> None:
    write_set(tmp_path / "set")
    with serving() as server:
        for path in (tmp_path / "set" / "metadata").iterdir():
            server.scripts[f"/metadata/{path.name}"] = always(200, body=path.read_bytes())
        server.scripts["/metadata/2.root.json"] = always(status)
        depot = open_depot(parse_address(server.base), policy=POLICY)
        assert published(depot).later_roots == frozenset()
        server.scripts["/metadata/1.root.json"] = always(status)
        with pytest.raises(RepoManagerError) as caught:
            published(depot)
        depot.close()
    assert caught.value.code == code
