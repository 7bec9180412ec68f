"""Reports on their way: to real web servers, folders and an object store."""

from __future__ import annotations

import json
import socket
from functools import partial
from typing import TYPE_CHECKING

import pytest
from abuse_server import always, redirect, serving
from fleet_world import NOW, report
from object_stores import azurite, s3_server, signature
from web_world import make_tokens, write_set
from web_world import serving as serve

from repo_manager.adapters.sources.http_rules import HttpPolicy
from repo_manager.adapters.status_reports.collect import gather
from repo_manager.adapters.status_reports.send import REFUSALS, ReportSender
from repo_manager.adapters.storage import Credentials, open_depot
from repo_manager.core import fleet
from repo_manager.core.address import Address
from repo_manager.core.address import parse as parse_address
from repo_manager.core.errors import RepoManagerError
from repo_manager.web.tokens import BearerRole

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from abuse_server import Request
    from object_stores import S3Server

    from repo_manager.adapters.storage import Storage

POLICY = HttpPolicy(frozenset(), attempts=1, stall_timeout_s=8, trust_env=False)
TOKEN = "rmt_" + "5" * 64


def _post(variables: Mapping[str, str] | None = None) -> ReportSender:
    ring = Credentials({} if variables is None else variables)
    return ReportSender(POLICY, ring, lambda place: open_depot(place, policy=POLICY, keyring=ring))


def _with(token: str) -> ReportSender:
    return _post({"REPO_MANAGER_DEPOT_TOKEN": token})


def _failure(post: ReportSender, place: str, *, anywhere: bool = False) -> RepoManagerError:
    with pytest.raises(RepoManagerError) as caught:
        post.send(parse_address(place), report(), anywhere=anywhere)
    assert caught.value.hint
    assert TOKEN not in caught.value.message + caught.value.hint
    return caught.value


@pytest.fixture(scope="module")
def s3() -> Iterator[S3Server]:
    with s3_server() as server:
        yield server


def test_serve_takes_a_report_and_gives_it_back(tmp_path: Path) -> None:
    write_set(tmp_path / "set")
    tokens = tmp_path / "tokens.json"
    secrets = make_tokens(
        tokens,
        NOW,
        ("all", BearerRole.REPORT, ()),
        ("other", BearerRole.REPORT, ("ps-09",)),
        ("reader", BearerRole.READ, ()),
    )
    with serve(tmp_path / "set", tokens_file=tokens, reports=tmp_path / "reports") as served:
        _with(secrets["all"]).send(parse_address(served.url), report(), anywhere=False)

        for name in ("other", "reader"):
            assert _failure(_with(secrets[name]), served.url).code == "access-denied"
        assert _failure(_with(TOKEN), served.url).code == "access-denied"

        def opened(whose: str, place: Address) -> Storage:
            keyring = Credentials({"REPO_MANAGER_DEPOT_TOKEN": secrets[whose]})
            return open_depot(place, policy=POLICY, keyring=keyring)

        gathered = gather(parse_address(served.url), partial(opened, "reader"), NOW, 30)
        assert [item.report for item in gathered.received] == [report()]
        assert gathered.at != NOW, "the time of the leader counts"
        with pytest.raises(RepoManagerError) as caught:
            gather(parse_address(served.url), partial(opened, "all"), NOW, 30)
        assert (caught.value.code, "role read" in caught.value.hint) == ("access-denied", True)


@pytest.mark.parametrize(
    ("status", "code", "lasting"),
    [
        (401, "access-denied", True),
        (403, "access-denied", True),
        (404, "takes-no-reports", True),
        (405, "takes-no-reports", True),
        (501, "takes-no-reports", True),
        (400, "report-refused", False),
        (413, "report-refused", False),
        (418, "server-refused", False),
        (429, "server-busy", False),
        (500, "server-error", False),
        (507, "server-refused", False),
    ],
)
def test_what_a_web_server_refuses_has_a_name(status: int, code: str, *, lasting: bool) -> None:
    with serving() as server:
        server.scripts["/set/reports/ps-01"] = always(status)
        failure = _failure(_with(TOKEN), f"{server.base}/set")
    assert (failure.code, failure.code in REFUSALS) == (code, lasting)


def test_a_token_goes_to_the_place_that_was_named_and_to_no_other() -> None:
    seen: list[str | None] = []

    def note(request: Request) -> None:
        seen.append(request.headers.get("Authorization"))
        always(204)(request)

    with serving() as named, serving() as other:
        other.scripts["/reports/ps-01"] = note
        named.scripts["/reports/ps-01"] = redirect(f"{other.base}/reports/ps-01")
        assert _failure(_with(TOKEN), named.base).code == "too-many-redirects"
    assert seen == []


def test_a_web_server_that_is_not_there_is_an_error_of_the_way() -> None:
    assert _failure(_with(TOKEN), "http://127.0.0.1:9").code == "cannot-connect"


@pytest.mark.parametrize(
    ("place", "variables", "reachable"),
    [
        ("https://leader", {}, False),
        ("https://leader", {"REPO_MANAGER_DEPOT_TOKEN": "rmt_x"}, True),
        ("az://sets/asr", {}, True),
        (r"D:\sets", {}, True),
        ("/srv/sets", {}, True),
    ],
)
def test_a_web_server_alone_needs_a_token(place: str, variables: Mapping[str, str], *, reachable: bool) -> None:
    assert _post(variables).can_reach(parse_address(place)) is reachable


def test_who_asks_is_told_apart_by_what_nobody_can_find_a_secret_by() -> None:
    names = {_with(f"rmt_{number}").identity for number in range(5)}
    assert len(names) == 5
    assert _with(TOKEN).identity == _with(TOKEN).identity != _post().identity
    assert {len(name) for name in names} == {4}


def test_a_folder_with_a_set_takes_a_report(tmp_path: Path) -> None:
    write_set(tmp_path / "set")
    _post().send(parse_address(str(tmp_path / "set")), report(), anywhere=False)
    written = json.loads((tmp_path / "set" / "reports" / "report-ps-01.json").read_bytes())
    assert written == fleet.document(report())
    gathered = gather(parse_address(str(tmp_path / "set")), open_depot, NOW, 30)
    assert [item.report for item in gathered.received] == [report()]


def test_a_folder_that_is_gone_is_not_made_and_another_one_is_not_filled(tmp_path: Path) -> None:
    gone, plain = tmp_path / "gone", tmp_path / "plain"
    plain.mkdir()
    assert _failure(_post(), str(gone)).code == "source-went-away"
    assert _failure(_post(), str(gone), anywhere=True).code == "source-went-away"
    assert _failure(_post(), str(plain)).code == "takes-no-reports"
    assert (gone.exists(), list(plain.iterdir())) == (False, [])
    _post().send(parse_address(str(plain)), report(), anywhere=True)
    assert [path.name for path in plain.rglob("*.json")] == ["report-ps-01.json"]


def test_an_object_store_takes_a_report_and_says_when_it_came(s3: S3Server) -> None:
    place = f"{s3.make('sets')}/asr"
    ring = Credentials(s3.variables())

    def opened(address: Address) -> Storage:
        return open_depot(address, policy=POLICY, keyring=ring)

    ReportSender(POLICY, ring, opened).send(parse_address(place), report(), anywhere=False)
    ReportSender(POLICY, ring, opened).send(
        parse_address(place), report("ps-02", at=NOW.replace(year=2099)), anywhere=False
    )

    depot = opened(parse_address(place))
    depot.write("reports/report-ps-03.json", b"{")
    depot.write("reports/report-ps-04.json", json.dumps(fleet.document(report("ps-05"))).encode())
    depot.write("reports/report-ps-06.json", b"x" * 300_000)
    depot.write("reports/other.json", b"{}")
    depot.write("metadata/report-x.json", b"{}")

    gathered = gather(parse_address(place), opened, NOW, 60)
    assert [item.report.host for item in gathered.received] == ["ps-01", "ps-02"]
    assert gathered.unreadable == ("report-ps-03.json", "report-ps-04.json", "report-ps-06.json")
    first, second = gathered.received
    assert abs((first.at - second.at).total_seconds()) < 3600, "the store's clock counts, not the server's"


@pytest.mark.stores
def test_a_signature_for_one_report_allows_that_and_nothing_else(tmp_path: Path) -> None:
    """What the page on fleets promises of Azure."""
    with azurite(tmp_path) as azure:
        place = f"{azure.make('reports')}/asr"
        for_one = signature("reports", "cw", blob="asr/reports/report-ps-01.json")
        ring = Credentials(azure.with_signature(for_one))
        post = ReportSender(POLICY, ring, lambda address: open_depot(address, policy=POLICY, keyring=ring))
        for code in (0, 3):
            post.send(parse_address(place), report(exit_code=code), anywhere=True)
        with pytest.raises(RepoManagerError) as caught:
            post.send(parse_address(place), report("ps-02"), anywhere=True)
        assert caught.value.code == "access-denied"
        with pytest.raises(RepoManagerError):
            gather(parse_address(place), lambda address: open_depot(address, policy=POLICY, keyring=ring), NOW, 30)

        reader = Credentials(azure.with_signature(signature("reports", "rl")))
        gathered = gather(
            parse_address(place), lambda address: open_depot(address, policy=POLICY, keyring=reader), NOW, 30
        )

    assert [(item.report.host, item.report.exit_code) for item in gathered.received] == [("ps-01", 3)]


@pytest.mark.parametrize("status", [404, 200])
def test_a_web_server_without_reports_is_said_to_be_one(status: int) -> None:
    with serving() as server:
        server.scripts["/reports"] = always(status)
        with pytest.raises(RepoManagerError) as caught:
            gather(parse_address(server.base), lambda place: open_depot(place, policy=POLICY), NOW, 30)
    assert caught.value.code == "no-reports-there"


def test_a_folder_of_serve_and_one_that_is_gone(tmp_path: Path) -> None:
    kept = fleet.kept(fleet.Received(report(), NOW), "token")
    (tmp_path / "report-ps-01.json").write_text(json.dumps(kept), encoding="utf-8")
    assert [item.at for item in gather(parse_address(str(tmp_path)), open_depot, NOW, 30).received] == [NOW]
    with pytest.raises(RepoManagerError) as caught:
        gather(parse_address(str(tmp_path / "gone")), open_depot, NOW, 30)
    assert caught.value.code == "source-went-away"


def test_a_place_that_gives_nothing_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        place = f"http://127.0.0.1:{mute.getsockname()[1]}"
        with pytest.raises(RepoManagerError) as caught:
            gather(parse_address(place), lambda address: open_depot(address, policy=POLICY), NOW, 0.3)
    assert caught.value.code == "stalled"
