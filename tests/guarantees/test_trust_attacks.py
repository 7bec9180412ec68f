"""G7: whoever may change every byte of a depot, and of the way to it, can keep a follower from new sets and no more.

Every attack is tried on depots of several kinds. Each must be refused with exit code 4 or 3, and the follower
must remember what it did before.
"""

from __future__ import annotations

import copy
import hashlib
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, Protocol

import pytest
from abuse_server import Honest, always, serving
from object_stores import azurite, nginx, s3_server
from securesystemslib.signer import CryptoSigner
from simulator import name_of
from small_world import data_of
from spread_world import Authority
from trust_world import ALL, DAY, NOW, OLD, Following, Leading
from web_world import serving as serve

from repo_manager.adapters.sources.depot_source import DepotSource
from repo_manager.adapters.sources.http_rules import HttpPolicy
from repo_manager.adapters.storage import Credentials, Storage, open_depot
from repo_manager.adapters.tuf.keys import KeyRole
from repo_manager.adapters.tuf.verified_set import TrustAnchor
from repo_manager.core.address import parse as parse_address
from repo_manager.core.errors import RepoManagerError, TransferError, VerificationError
from repo_manager.web.server import Certificate

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from abuse_server import AbuseServer, Request

    from repo_manager.adapters.storage import StoredFile
    from repo_manager.adapters.tuf.signed_set import SetMember

POLICY: Final = HttpPolicy(frozenset(), backoff_s=0, attempts=2, trust_env=False)


class View(Protocol):
    """A depot for readers, and the way to make it show what lies in a folder."""

    depot: Storage

    def show(self, folder: Path) -> None: ...


class FolderView:
    def __init__(self, place: Path) -> None:
        self._place = place
        self._second = int(NOW.timestamp())
        self.depot = open_depot(parse_address(str(place)))

    def show(self, folder: Path) -> None:
        shutil.rmtree(self._place, ignore_errors=True)
        shutil.copytree(folder, self._place)
        self._second += 1
        for path in self._place.rglob("*"):
            # nginx makes its entity tags of the size and the second of the change.
            os.utime(path, (self._second, self._second))


class StoreView:
    def __init__(self, depot: Storage) -> None:
        self.depot = depot

    def show(self, folder: Path) -> None:
        wanted = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
        for there, _ in list(self.depot.list("")):
            if there not in wanted:
                self.depot.delete(there)
        for name, path in wanted.items():
            self.depot.write(name, path.read_bytes())


class HttpView:
    def __init__(self, server: AbuseServer) -> None:
        self._server = server
        self._shown: set[str] = set()
        self.depot = open_depot(parse_address(f"{server.base}/set"), policy=POLICY)

    def show(self, folder: Path) -> None:
        wanted = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
        for gone in self._shown - set(wanted):
            self._server.url(f"/set/{gone}", always(404))
        for name, path in wanted.items():
            self._server.url(f"/set/{name}", _script(path.read_bytes()))
        # The next root is always asked for, and a server that knows nothing of it says so.
        self._shown |= set(wanted)


def _script(data: bytes) -> Callable[[Request], None]:
    etag = f'"{hashlib.sha256(data).hexdigest()[:16]}"'
    honest = Honest(data, etag=etag)

    def answer(request: Request) -> None:
        same = request.headers.get("If-None-Match") == etag
        (always(304, {"ETag": etag, "Content-Length": "0"}) if same else honest)(request)

    return answer


def _folder(tmp_path: Path) -> Iterator[View]:
    yield FolderView(tmp_path / "shown")


def _http(tmp_path: Path) -> Iterator[View]:
    with serving() as server:
        yield HttpView(server)


def _https(tmp_path: Path) -> Iterator[View]:
    """`serve` with a certificate."""
    authority, view = Authority(tmp_path / "tls"), FolderView(tmp_path / "shown")
    with serve(tmp_path / "shown", certificate=Certificate(*authority.issue("leader"))) as served:
        view.depot = open_depot(parse_address(served.url), policy=replace(POLICY, ca_file=authority.file))
        assert view.depot.name.startswith("https:")
        yield view


def _nginx(tmp_path: Path) -> Iterator[View]:
    """nginx with a certificate."""
    authority, view = Authority(tmp_path / "tls"), FolderView(tmp_path / "shown")
    (tmp_path / "own").mkdir()
    with nginx(tmp_path, tmp_path / "own", authority.issue("web")) as base:
        view.depot = open_depot(parse_address(f"{base}/shown"), policy=replace(POLICY, ca_file=authority.file))
        assert view.depot.name.startswith("https:")
        yield view


def _s3(tmp_path: Path) -> Iterator[View]:
    with s3_server() as server:
        keyring = Credentials(server.variables())
        yield StoreView(open_depot(parse_address(f"{server.make('sets')}/asr"), policy=POLICY, keyring=keyring))


def _azure(tmp_path: Path) -> Iterator[View]:
    with azurite(tmp_path / "azurite") as server:
        keyring = Credentials(server.variables())
        yield StoreView(open_depot(parse_address(f"{server.make('sets')}/asr"), policy=POLICY, keyring=keyring))


_KINDS: Final = (
    _folder,
    _http,
    pytest.param(_https, marks=pytest.mark.slow),
    pytest.param(_s3, marks=pytest.mark.slow),
    pytest.param(_nginx, marks=pytest.mark.stores),
    pytest.param(_azure, marks=pytest.mark.stores),
)


@pytest.fixture(scope="module", params=_KINDS, ids=lambda make: make.__name__.strip("_"))
def view(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[View]:
    for view in request.param(tmp_path_factory.mktemp("view")):
        yield view
        view.depot.close()


@pytest.fixture
def leader(tmp_path: Path) -> Leading:
    return Leading(tmp_path / "leader")


def _begun(leader: Leading, view: View) -> Following:
    """A leader who has published two sets, and a follower who has seen both."""
    published = leader.publish(release=OLD)
    view.show(leader.depot)
    follower = Following(view.depot, published.root)
    follower.follow()
    leader.publish()
    view.show(leader.depot)
    assert {member.name.text for member in follower.follow().found.members} == {name_of(token) for token in ALL}
    return follower


def _refused(follower: Following, code: str | set[str]) -> RepoManagerError:
    """The follower refuses, and remembers what it did before."""
    before = follower.memory
    with pytest.raises(RepoManagerError) as failure:
        follower.follow()
    error = failure.value
    assert error.code in ({code} if isinstance(code, str) else code)
    assert isinstance(error, VerificationError | TransferError)
    assert error.exit_code in {3, 4}
    assert error.hint
    assert follower.memory == before
    return error


# Whom to trust


def test_a_wrong_fingerprint_is_refused(leader: Leading, view: View) -> None:
    leader.publish()
    view.show(leader.depot)

    _refused(Following(view.depot, "0" * 64), "wrong-fingerprint")


def test_the_fingerprint_counts_and_not_what_the_root_says_of_itself(leader: Leading, view: View) -> None:
    published = leader.publish()
    leader.forge("root", lambda signed: signed.update(expires="2099-01-01T00:00:00Z"), leader.signer(KeyRole.ROOT))
    view.show(leader.depot)

    _refused(Following(view.depot, published.root), "wrong-fingerprint")


def test_a_set_that_was_signed_with_foreign_keys_is_refused(leader: Leading, view: View, tmp_path: Path) -> None:
    follower = _begun(leader, view)
    foreign = Leading(tmp_path / "foreign")
    for release in (OLD, "9.66", OLD):
        foreign.publish(release=release)
    view.show(foreign.depot)

    _refused(follower, "wrong-signature")


def test_a_foreign_fingerprint_does_not_replace_the_trust_there_is(leader: Leading, view: View, tmp_path: Path) -> None:
    follower = _begun(leader, view)
    foreign = Leading(tmp_path / "foreign").publish()

    with pytest.raises(VerificationError) as failure:
        follower.follow(anchor=TrustAnchor(foreign.root))

    assert failure.value.code == "other-trust"


def test_the_same_fingerprint_may_be_given_again(leader: Leading, view: View) -> None:
    follower = _begun(leader, view)
    assert follower.fingerprint is not None

    assert follower.follow(anchor=TrustAnchor(follower.fingerprint)).found.unchanged


# Old sets


def test_a_set_that_was_put_back_whole_is_refused(leader: Leading, view: View, tmp_path: Path) -> None:
    published = leader.publish(release=OLD)
    shutil.copytree(leader.depot, tmp_path / "old")
    leader.publish()
    view.show(leader.depot)
    follower = Following(view.depot, published.root)
    follower.follow()

    view.show(tmp_path / "old")

    _refused(follower, "set-went-back")


def test_an_old_timestamp_beside_new_files_is_refused(leader: Leading, view: View, tmp_path: Path) -> None:
    published = leader.publish(release=OLD)
    old = leader.path("timestamp").read_bytes()
    leader.publish()
    view.show(leader.depot)
    follower = Following(view.depot, published.root)
    follower.follow()

    leader.path("timestamp").write_bytes(old)
    view.show(leader.depot)

    _refused(follower, "set-went-back")


def test_a_set_that_does_not_get_any_newer_ends_with_its_time(leader: Leading, view: View) -> None:
    follower = _begun(leader, view)

    follower.now = NOW + 29 * DAY
    assert follower.follow().found.unchanged
    follower.now = NOW + 31 * DAY
    error = _refused(follower, "set-expired")

    assert "2026-05-31 12:00 UTC" in error.message
    assert "2026-06-01 12:00 UTC" in error.message
    assert "--accept-expired" in error.hint


def test_a_set_whose_time_is_over_is_taken_on_request_and_verified_as_ever(leader: Leading, view: View) -> None:
    follower = _begun(leader, view)
    follower.now = NOW + 400 * DAY
    assert follower.follow(accept_expired=True).found.unchanged

    leader.publish(("Windows", "OL8-64", "RHEL9-64"))
    view.show(leader.depot)
    assert len(follower.follow(accept_expired=True).found.members) == 3

    leader.forge("timestamp", lambda signed: signed.update(version=99))
    view.show(leader.depot)
    with pytest.raises(VerificationError) as failure:
        follower.follow(accept_expired=True)
    assert failure.value.code == "wrong-signature"


def test_first_contact_with_a_set_whose_time_is_over_says_so(leader: Leading, view: View) -> None:
    published = leader.publish()
    view.show(leader.depot)
    follower = Following(view.depot, published.root, now=NOW + 31 * DAY)

    error = _refused(follower, "set-expired")

    assert "2026-05-31" in error.message
    assert follower.follow(accept_expired=True).found.version == 1


@pytest.mark.parametrize(
    ("hours", "refused"),
    [
        pytest.param(24, False, id="a day ahead of a set that is good for thirty"),
        pytest.param(-24, False, id="a day behind: nothing says when a set begins to be good"),
        pytest.param(24 * 31, True, id="a month ahead"),
    ],
)
def test_a_clock_that_is_off_is_named_where_it_matters(
    leader: Leading, view: View, hours: int, *, refused: bool
) -> None:
    follower = _begun(leader, view)
    leader.publish(("Windows", "OL8-64", "RHEL9-64"))
    view.show(leader.depot)
    follower.now = NOW + timedelta(hours=hours)

    if refused:
        assert "this machine's clock says" in _refused(follower, "set-expired").message
    else:
        assert len(follower.follow().found.members) == 3


# Mixtures


def test_the_snapshot_of_another_day_is_refused(leader: Leading, view: View) -> None:
    published = leader.publish(release=OLD)
    old = leader.path("snapshot", 1).read_bytes()
    leader.publish()
    leader.path("snapshot", 2).write_bytes(old)
    view.show(leader.depot)

    _refused(Following(view.depot, published.root), {"set-mixed", "set-went-back"})


def test_the_targets_of_another_day_are_refused(leader: Leading, view: View) -> None:
    published = leader.publish(release=OLD)
    old = leader.path("targets", 1).read_bytes()
    leader.publish()
    leader.path("targets", 2).write_bytes(old)
    view.show(leader.depot)

    _refused(Following(view.depot, published.root), {"set-mixed", "set-went-back"})


def test_a_follower_between_two_files_of_a_publishing_sees_the_old_set(leader: Leading, view: View) -> None:
    follower = _begun(leader, view)
    old = leader.path("timestamp").read_bytes()
    leader.publish(("Windows", "OL8-64", "RHEL9-64"))
    leader.path("timestamp").write_bytes(old)
    view.show(leader.depot)

    assert follower.follow().found.unchanged


@pytest.mark.parametrize("role", ["timestamp", "snapshot", "targets"])
def test_metadata_that_are_not_there_are_no_reason_to_change_anything(leader: Leading, view: View, role: str) -> None:
    published = leader.publish()
    leader.path(role).unlink()
    view.show(leader.depot)

    _refused(Following(view.depot, published.root), "no-signed-set")


# Signatures


@pytest.mark.parametrize("role", ["timestamp", "snapshot", "targets"])
def test_a_changed_byte_breaks_the_signature(leader: Leading, view: View, role: str) -> None:
    published = leader.publish()
    leader.forge(role, lambda signed: signed.update(expires="2098-01-01T00:00:00Z"))
    view.show(leader.depot)

    _refused(Following(view.depot, published.root), {"wrong-signature", "set-mixed"})


@pytest.mark.parametrize("role", ["timestamp", "snapshot", "targets"])
def test_a_key_signs_for_its_own_role_alone(leader: Leading, view: View, role: str) -> None:
    """Even whoever has the small keys cannot say what the set holds."""
    published = leader.publish()
    others = [leader.signer(other) for other in KeyRole if other.value != role]
    leader.forge(role, lambda signed: signed.update(version=signed["version"] + 1), *others)
    if role == "targets":
        leader.chain_up()
    elif role == "snapshot":
        _name_snapshot(leader)
    view.show(leader.depot)

    _refused(Following(view.depot, published.root), "wrong-signature")


def _name_snapshot(leader: Leading) -> None:
    data = leader.path("snapshot").read_bytes()
    facts = {"version": json.loads(data)["signed"]["version"], "length": len(data)}

    def change(signed: dict[str, Any]) -> None:
        signed["meta"] = {"snapshot.json": facts}
        signed["version"] += 1

    leader.forge("timestamp", change, leader.signer(KeyRole.TIMESTAMP))


def test_one_signature_of_two_that_are_needed_is_none(leader: Leading, view: View) -> None:
    leader.publish()
    second = CryptoSigner.generate_ed25519()

    def two_of_two(signed: dict[str, Any]) -> None:
        signed["version"] = 2
        key = second.public_key
        signed["keys"][key.keyid] = key.to_dict()
        signed["roles"]["targets"]["keyids"].append(key.keyid)
        signed["roles"]["targets"]["threshold"] = 2

    leader.forge("root", two_of_two, leader.signer(KeyRole.ROOT))
    view.show(leader.depot)
    follower = Following(view.depot, hashlib.sha256(leader.path("root", 1).read_bytes()).hexdigest())

    _refused(follower, "wrong-signature")


def test_one_key_that_signs_twice_counts_once(leader: Leading, view: View) -> None:
    leader.publish()
    document = leader.read("timestamp")
    document["signatures"] *= 2
    leader.path("timestamp").write_text(json.dumps(document), encoding="ascii")
    view.show(leader.depot)
    follower = Following(view.depot, hashlib.sha256(leader.path("root", 1).read_bytes()).hexdigest())

    _refused(follower, "malformed-set")


# Roots


@pytest.mark.parametrize("role", list(KeyRole))
def test_a_replaced_key_is_followed_and_the_old_one_signs_no_more(leader: Leading, view: View, role: KeyRole) -> None:
    follower = _begun(leader, view)
    old = leader.signer(role)

    leader.publish(("Windows", "OL8-64", "RHEL9-64"), rotate=[role])
    view.show(leader.depot)

    assert len(follower.follow().found.members) == 3
    if role is KeyRole.ROOT:
        leader.forge("root", lambda signed: signed.update(version=signed["version"] + 1), old)
        leader.chain_up()
    else:
        leader.forge(role.value, lambda signed: signed.update(version=signed["version"] + 1), old)
        if role is KeyRole.TARGETS:
            leader.chain_up()
        elif role is KeyRole.SNAPSHOT:
            _name_snapshot(leader)
    view.show(leader.depot)
    _refused(follower, "wrong-signature")


def test_a_follower_that_was_away_for_several_keys_catches_up(leader: Leading, view: View) -> None:
    follower = _begun(leader, view)
    for role in (KeyRole.ROOT, KeyRole.TIMESTAMP, KeyRole.ROOT, KeyRole.TARGETS, KeyRole.SNAPSHOT):
        leader.publish(rotate=[role])
    view.show(leader.depot)

    assert not follower.follow().found.unchanged
    assert follower.follow().found.unchanged


def test_a_root_that_skips_a_version_is_not_followed(leader: Leading, view: View) -> None:
    follower = _begun(leader, view)
    leader.forge("root", lambda signed: signed.update(version=3), leader.signer(KeyRole.ROOT))
    view.show(leader.depot)

    assert follower.follow().found.unchanged


def test_versions_far_ahead_by_a_stolen_key_are_got_over_by_replacing_it(leader: Leading, view: View) -> None:
    follower = _begun(leader, view)
    for role in ("snapshot", "timestamp"):
        leader.forge(role, lambda signed: signed.update(version=10**9), leader.signer(KeyRole(role)))
        if role == "snapshot":
            _name_snapshot(leader)
    view.show(leader.depot)
    assert follower.follow().found.version == 10**9

    leader.publish(("Windows", "OL8-64", "RHEL9-64"), rotate=[KeyRole.SNAPSHOT, KeyRole.TIMESTAMP])
    view.show(leader.depot)

    assert len(follower.follow().found.members) == 3


# What metadata hold


def _rename(new: str) -> Callable[[dict[str, Any]], None]:
    def change(signed: dict[str, Any]) -> None:
        signed["version"] += 1
        signed["targets"][new] = signed["targets"].pop(name_of("Windows"))

    return change


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("../../evil.exe", id="a path that leads up"),
        pytest.param(f"../{name_of('Windows')}", id="an installer's name behind a path"),
        pytest.param(f"sub/{name_of('Windows')}", id="a path that leads down"),
        pytest.param(f"..\\{name_of('Windows')}", id="the same for Windows"),
        pytest.param("C:\\Windows\\System32\\evil.exe", id="a whole path"),
        pytest.param("/etc/cron.d/evil", id="the same elsewhere"),
        pytest.param("evil.exe", id="a file that is no installer"),
        pytest.param("NUL", id="a device"),
        pytest.param("", id="nothing"),
        pytest.param("\u202egnp.tar.gz", id="a name that shows another"),
        pytest.param("x" * 5000, id="a name that is too long"),
    ],
)
def test_a_name_that_is_no_installers_is_refused_even_with_the_right_signature(
    leader: Leading, view: View, name: str
) -> None:
    follower = _begun(leader, view)
    leader.forge("targets", _rename(name), leader.signer(KeyRole.TARGETS))
    leader.chain_up()
    view.show(leader.depot)

    _refused(follower, "malformed-set")


def test_two_installers_of_one_package_are_refused(leader: Leading, view: View) -> None:
    follower = _begun(leader, view)

    def double(signed: dict[str, Any]) -> None:
        signed["version"] += 1
        signed["targets"][name_of("Windows", OLD)] = copy.deepcopy(signed["targets"][name_of("Windows")])

    leader.forge("targets", double, leader.signer(KeyRole.TARGETS))
    leader.chain_up()
    view.show(leader.depot)

    _refused(follower, "malformed-set")


def test_an_installer_without_sha256_is_refused(leader: Leading, view: View) -> None:
    follower = _begun(leader, view)

    def weaken(signed: dict[str, Any]) -> None:
        signed["version"] += 1
        signed["targets"][name_of("Windows")]["hashes"] = {"md5": "d41d8cd98f00b204e9800998ecf8427e"}

    leader.forge("targets", weaken, leader.signer(KeyRole.TARGETS))
    leader.chain_up()
    view.show(leader.depot)

    _refused(follower, "malformed-set")


@pytest.mark.parametrize("role", ["timestamp", "snapshot", "targets"])
def test_a_key_that_stands_twice_is_refused(leader: Leading, view: View, role: str) -> None:
    """Readers differ on which of the two counts, and a signature covers but one."""
    published = leader.publish()
    path = leader.path(role)
    path.write_bytes(path.read_bytes().replace(b'"version":1', b'"version":1,"version":1', 1))
    if role == "targets":
        leader.chain_up()
    elif role == "snapshot":
        _name_snapshot(leader)
    view.show(leader.depot)

    _refused(Following(view.depot, published.root), {"malformed-set"})


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"<html>Sign in</html>", id="a login page"),
        pytest.param(b"{}", id="an empty object"),
        pytest.param(b"[" * 9000, id="deep nesting"),
        pytest.param(b'{"signed": {"_type": "timestamp"}, "signatures": []}', id="half of it"),
        pytest.param(b'{"signed": {"_type": "root"}, "signatures": []}', id="another role"),
        pytest.param(b"\xff\xfe\x00", id="no text"),
        pytest.param(b'{"signatures": [], "signed": ' + b"9" * 6000 + b"}", id="a huge number"),
    ],
)
def test_what_is_no_metadata_is_refused(leader: Leading, view: View, data: bytes) -> None:
    follower = _begun(leader, view)
    leader.path("timestamp").write_bytes(data)
    view.show(leader.depot)

    # Of a web server a page is known as one.
    _refused(follower, {"malformed-set", "web-page"} if data.startswith(b"<html") else "malformed-set")


@pytest.mark.parametrize("role", ["timestamp", "snapshot", "targets", "root"])
def test_metadata_without_an_end_are_cut_off_early(leader: Leading, view: View, role: str) -> None:
    published = leader.publish()
    follower = Following(view.depot, published.root)
    path = leader.path(role)
    path.write_bytes(path.read_bytes() + b" " * 6_000_000)
    view.show(leader.depot)

    _refused(follower, "too-large")


def test_an_endless_next_root_is_cut_off_early(leader: Leading, view: View) -> None:
    follower = _begun(leader, view)
    leader.publish(("Windows", "OL8-64", "RHEL9-64"))
    leader.path("root", 2).write_bytes(b" " * 1_000_000)
    view.show(leader.depot)

    _refused(follower, "too-large")


# Installers


def _payload(leader: Leading) -> tuple[Path, SetMember]:
    item = leader.items(["OL8-64"])[0]
    return leader.depot / item.member.path, item.member


def test_an_installer_comes_as_it_was_signed(leader: Leading, view: View, tmp_path: Path) -> None:
    follower = _begun(leader, view)
    _, member = _payload(leader)
    part = tmp_path / "x.part"

    DepotSource(follower.depot).fetch(member.name, part, sha256=member.sha256, size_bytes=member.size_bytes)

    assert hashlib.sha256(part.read_bytes()).hexdigest() == member.sha256


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda data: data[:-1] + bytes([data[-1] ^ 1]), id="a flipped bit"),
        pytest.param(lambda data: data[: len(data) // 2], id="half of it"),
        pytest.param(lambda data: data + b"\0" * 3_000_000, id="without an end"),
        pytest.param(lambda _: data_of(name_of("OL8-64", OLD)), id="an older build"),
        pytest.param(lambda _: b"<html>Sign in</html>", id="a login page"),
        pytest.param(None, id="gone"),
    ],
)
def test_an_installer_that_is_not_the_one_that_was_signed_is_refused(
    leader: Leading, view: View, tmp_path: Path, change: Callable[[bytes], bytes] | None
) -> None:
    follower = _begun(leader, view)
    path, member = _payload(leader)
    if change is None:
        path.unlink()
    else:
        path.write_bytes(change(path.read_bytes()))
    view.show(leader.depot)
    part = tmp_path / "x.part"

    with pytest.raises(RepoManagerError) as failure:
        DepotSource(follower.depot).fetch(member.name, part, sha256=member.sha256, size_bytes=member.size_bytes)

    assert failure.value.exit_code == (3 if change is None else 4)
    assert not part.exists() or part.stat().st_size == 0


# What it costs


def test_where_nothing_is_new_one_small_file_is_asked_for(leader: Leading, view: View) -> None:
    follower = _begun(leader, view)
    counting = Counting(view.depot)

    found = follower.at(counting).follow()

    assert found.found.unchanged
    assert counting.asked == ["metadata/timestamp.json"]


def test_what_is_new_is_asked_for_once(leader: Leading, view: View) -> None:
    follower = _begun(leader, view)
    leader.publish(("Windows", "OL8-64", "RHEL9-64"))
    view.show(leader.depot)
    counting = Counting(view.depot)

    follower.at(counting).follow()

    assert sorted(counting.asked) == [
        "metadata/2.root.json",
        "metadata/3.snapshot.json",
        "metadata/3.targets.json",
        "metadata/timestamp.json",
    ]


class Counting:
    """A depot that knows what it was asked for."""

    def __init__(self, depot: Storage) -> None:
        self._depot = depot
        self.name = depot.name
        self.asked: list[str] = []
        self.stream, self.size, self.write = depot.stream, depot.size, depot.write
        self.upload, self.list, self.delete = depot.upload, depot.list, depot.delete
        self.sweep, self.close = depot.sweep, depot.close

    def read(self, path: str, *, limit_bytes: int, etag: str | None = None) -> StoredFile | None:
        self.asked.append(path)
        return self._depot.read(path, limit_bytes=limit_bytes, etag=etag)
