"""A leader's set on a share: it is followed, or the repository is as it was and the next run gets there."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest
import scenarios
from samba import PASSWORD, HangUp, is_piece, sharing, way
from scenarios import check, left_over, snapshot
from spread_world import Leader, Mirror, error_of, installers, tree

from repo_manager.core.errors import ExitCode

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from samba import Frame, Samba

pytestmark = pytest.mark.smb


@pytest.fixture
def leader(tmp_path: Path) -> Leader:
    leader = Leader.build(tmp_path / "leader", payload=True)
    (tmp_path / "shared").mkdir()
    leader.publish(str(tmp_path / "shared" / "asr"))
    return leader


@pytest.fixture
def server(leader: Leader, tmp_path: Path) -> Iterator[Samba]:
    with sharing(tmp_path / "shared", tmp_path / "own") as server:
        yield server


@pytest.fixture
def mirror(leader: Leader, server: Samba, tmp_path: Path) -> Mirror:
    """A messy follower that knows who to be."""
    data = (server.shared / "asr" / "metadata" / "1.root.json").read_bytes()
    who = {"REPO_MANAGER_SMB_USER": server.user, "REPO_MANAGER_SMB_PASSWORD": PASSWORD}
    source = server.url("files", "asr")
    return Mirror(scenarios.build(tmp_path / "follower"), source, scenarios.digest_of(data), who)


def assert_converges(mirror: Mirror, leader: Leader, before: scenarios.Snapshot) -> None:
    done = mirror.run()
    assert done.returncode == ExitCode.DONE, done.stderr
    check(before, mirror.world)
    assert installers(mirror.world) == leader.files
    assert left_over(mirror.world) == []


def test_a_set_on_a_share_is_followed_and_a_second_run_asks_for_one_file(
    leader: Leader, server: Samba, mirror: Mirror
) -> None:
    assert_converges(mirror, leader, snapshot(mirror.world))
    for path in (server.shared / "asr" / "targets").iterdir():
        path.unlink()
    after = tree(mirror.world)

    assert mirror.run().returncode == ExitCode.DONE
    assert tree(mirror.world) == after


class HangUpAt:
    """A filter that cuts the connection at the n-th piece of a file, counted from 1, and at all that follow."""

    def __init__(self, number: int) -> None:
        self._left = number
        self.acted = threading.Event()

    def __call__(self, frame: Frame) -> Frame:
        if is_piece(frame):
            self._left -= 1
            if self._left <= 0:
                self.acted.set()
                raise HangUp
        return frame


# The first pieces are metadata.
@pytest.mark.parametrize("number", [1, 3, 7, 12])
def test_a_connection_that_is_cut_leaves_the_follower_as_it_was(
    leader: Leader, server: Samba, mirror: Mirror, number: int
) -> None:
    before = snapshot(mirror.world)
    cut = HangUpAt(number)
    with way(server.port, cut) as port:
        mirror.source = server.url("files", "asr", port=port)
        done = mirror.run()

    assert cut.acted.is_set()
    assert (done.returncode, error_of(done)) == (ExitCode.TRANSFER, "source-went-away"), done.stderr
    assert snapshot(mirror.world).state == before.state
    mirror.source = server.url("files", "asr")
    assert_converges(mirror, leader, before)


@pytest.mark.parametrize(
    ("share", "code"), [("not yours", "source-refused"), ("nothing", "no-such-share"), ("files", "no-signed-set")]
)
def test_a_wrong_share_leaves_the_follower_as_it_was(server: Samba, mirror: Mirror, share: str, code: str) -> None:
    mirror.source = server.url(share, "asr" if share != "files" else "")
    before = snapshot(mirror.world)

    done = mirror.run()

    assert (done.returncode, error_of(done)) == (ExitCode.TRANSFER, code), done.stderr
    assert PASSWORD not in done.stdout + done.stderr
    assert snapshot(mirror.world).state == before.state
