"""Tokens and reports, over real connections."""

from __future__ import annotations

import base64
import json
import os
import socket
import sys
import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from fleet_world import NOW, document, report
from processes import until
from prometheus_client.parser import text_string_to_metric_families
from web_world import RHEL, ROOT_DIGEST, Served, make_tokens, serving, target_path, write_set

from repo_manager.adapters.status_reports import folder as reports_folder
from repo_manager.adapters.status_reports.folder import ReportsFolder
from repo_manager.core import fleet
from repo_manager.web import tokens
from repo_manager.web.tokens import BearerRole

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BODY = json.dumps(document()).encode()


class World:
    """A server with tokens and reports."""

    def __init__(self, base: Path) -> None:
        self.set, self.tokens, self.reports = base / "set", base / "tokens.json", base / "reports"
        write_set(self.set, names=(RHEL,))
        self.secrets = make_tokens(
            self.tokens,
            NOW,
            ("reader", BearerRole.READ, ()),
            ("any", BearerRole.REPORT, ()),
            ("one", BearerRole.REPORT, ("ps-01",)),
        )


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.fixture
def served(world: World) -> Iterator[Served]:
    with serving(world.set, tokens_file=world.tokens, reports=world.reports, now=lambda: NOW) as running:
        yield running


# Who is let in


@pytest.mark.parametrize(
    ("path", "nobody", "reader", "reporter"),
    [
        ("/healthz", 200, 200, 200),
        ("/metadata/timestamp.json", 401, 200, 200),
        (target_path(), 401, 200, 200),
        ("/metrics", 401, 200, 403),
        ("/reports", 401, 200, 403),
        ("/fleet", 401, 200, 403),
        ("/nothing", 404, 404, 404),
    ],
)
def test_each_role_sees_its_own(  # noqa: PLR0917 - a row
    world: World, served: Served, path: str, nobody: int, reader: int, reporter: int
) -> None:
    seen = [served.get(path, token).status_code for token in (None, world.secrets["reader"], world.secrets["one"])]
    assert seen == [nobody, reader, reporter]


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer",
        "Bearer x",
        "Token {}",
        "Bearer {}x",
        "Bearer {} {}",
        "Basic {}",
        "bearer\t{}",
        "Bearer " + "a" * 600,
    ],
)
def test_what_is_no_token_lets_nobody_in(world: World, served: Served, header: str) -> None:
    with served.client() as client:
        said = header.replace("{}", world.secrets["reader"])
        answer = client.get("/metadata/timestamp.json", headers={"Authorization": said})
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == 'Bearer realm="repo-manager"'


def test_a_browser_may_give_the_token_as_a_password_but_cannot_be_made_to_report(world: World, served: Served) -> None:
    def basic(name: str) -> dict[str, str]:
        both = base64.b64encode(f"me:{world.secrets[name]}".encode()).decode()
        return {"Authorization": f"Basic {both}", "Content-Type": "application/json"}

    with served.client() as client:
        assert client.get("/fleet").headers["www-authenticate"].startswith("Basic ")
        assert client.get("/fleet", headers=basic("reader")).status_code == 200
        assert client.post("/reports/ps-01", headers=basic("any"), content=BODY).status_code == 401


def test_a_token_that_is_removed_ends_at_once_and_a_new_one_counts(world: World, served: Served) -> None:
    assert served.get("/metrics", world.secrets["reader"]).status_code == 200
    kept = tokens.load(world.tokens).without("reader")
    secret = tokens.new_secret(b"n" * 32)
    tokens.save(world.tokens, kept.with_one("new", BearerRole.READ, secret, NOW))
    assert served.get("/metrics", world.secrets["reader"]).status_code == 401
    assert served.get("/metrics", secret).status_code == 200


@pytest.mark.parametrize("data", [b"", b"{}", b'{"schema": "repo-manager/tokens/1", "tokens": [{}]}', None])
def test_without_a_good_file_of_tokens_nobody_is_let_in(world: World, served: Served, data: bytes | None) -> None:
    assert served.get("/metrics", world.secrets["reader"]).status_code == 200
    if data is None:
        world.tokens.unlink()
    else:
        world.tokens.write_bytes(data)
    for _ in range(2):
        assert served.get("/metrics", world.secrets["reader"]).status_code == 503
    assert served.get("/healthz").status_code == 200


def test_no_cache_may_keep_for_all_what_needs_a_token(world: World, served: Served) -> None:
    answer = served.get(target_path(), world.secrets["reader"])
    assert answer.headers["cache-control"] == "private, max-age=31536000, immutable"


def test_a_token_is_nowhere_but_with_its_bearer(world: World, served: Served) -> None:
    served.get("/metadata/timestamp.json", world.secrets["reader"])
    served.get("/metadata/timestamp.json", "rmt_wrong")
    served.post("/reports/ps-01", world.secrets["one"], BODY)
    until(lambda: len(served.entries) == 3, "the requests are written down")
    assert [entry.bearer for entry in served.entries] == ["reader", "-", "one"]
    seen = repr(served.entries) + world.tokens.read_text() + served.get("/metrics", world.secrets["reader"]).text
    seen += "".join(path.read_text() for path in world.reports.iterdir())
    assert [name for name, secret in world.secrets.items() if secret in seen] == []


# Reports


def test_a_report_is_kept_with_the_time_it_came(world: World, served: Served) -> None:
    assert served.post("/reports/PS-01", world.secrets["one"], BODY).status_code == 204
    kept = json.loads((world.reports / "report-ps-01.json").read_text())
    assert kept == {
        "schema": "repo-manager/received/1",
        "at": fleet.stamp(NOW),
        "by": "one",
        "report": fleet.document(report()),
    }
    answer = served.get("/reports", world.secrets["reader"]).json()
    assert answer["schema"] == "repo-manager/reports/1"
    assert answer["reports"] == [{"at": fleet.stamp(NOW), "report": fleet.document(report())}]


def test_the_last_report_counts(world: World, served: Served) -> None:
    for version in (1, 2):
        body = json.dumps(document(set={"root": ROOT_DIGEST, "version": version})).encode()
        assert served.post("/reports/ps-01", world.secrets["any"], body).status_code == 204
    (only,) = served.get("/reports", world.secrets["reader"]).json()["reports"]
    assert only["report"]["set"]["version"] == 2
    assert [path.name for path in world.reports.iterdir()] == ["report-ps-01.json"]


@pytest.mark.parametrize(
    ("path", "token", "body", "media_type", "status", "why"),
    [
        ("/reports/ps-01", None, BODY, "application/json", 401, "nobody"),
        ("/reports/ps-01", "reader", BODY, "application/json", 403, "may only read"),
        ("/reports/ps-02", "one", BODY, "application/json", 403, "may report for another server"),
        ("/reports/ps-02", "any", BODY, "application/json", 400, "the report is of another server"),
        ("/reports/ps-01", "any", BODY, "text/plain", 415, "what a form of another site could send"),
        ("/reports/ps-01", "any", BODY, "", 415, "nothing said"),
        ("/reports/ps-01", "any", b"", "application/json", 400, "nothing"),
        ("/reports/ps-01", "any", b"{}", "application/json", 400, "no report"),
        ("/reports/ps-01", "any", b"[" * 60_000, "application/json", 400, "deep"),
        ("/reports/ps-01", "any", b" " * (fleet.LIMIT_BYTES + 1), "application/json", 413, "too long"),
        ("/reports/..%2f..%2fx", "any", BODY, "application/json", 404, "a path"),
        ("/reports/..%5c..%5cx", "any", BODY, "application/json", 400, "a path of Windows"),
        ("/reports/a%00b", "any", BODY, "application/json", 400, "a zero"),
        ("/reports/ps-01%0a", "any", BODY, "application/json", 400, "a line end behind the name"),
        ("/reports/%20ps-01", "any", BODY, "application/json", 400, "a space before the name"),
        ("/reports/ps-01%c2%a0", "one", BODY, "application/json", 400, "a space of another kind"),
        ("/reports/.repo-manager", "any", BODY, "application/json", 400, "the tool's own"),
        ("/reports/%3Cscript%3E", "any", BODY, "application/json", 400, "a script"),
    ],
)
def test_what_is_no_report_is_refused_and_nothing_is_kept(  # noqa: PLR0917 - a row
    world: World, served: Served, path: str, token: str | None, body: bytes, media_type: str, status: int, why: str
) -> None:
    answer = served.post(path, world.secrets[token] if token else None, body, media_type)
    assert answer.status_code == status, why
    assert "<" not in answer.text
    assert list(world.reports.iterdir()) == []
    assert list(world.reports.parent.glob("*.json")) == [world.tokens]


def _exchange(served: Served, *pieces: bytes) -> bytes:
    parts = urlsplit(served.url)
    with socket.create_connection((parts.hostname or "", parts.port or 0), timeout=10) as link:
        for piece in pieces:
            try:
                link.sendall(piece)
            except OSError:
                break
        return link.recv(65536)


def test_a_body_without_end_is_cut(world: World, served: Served) -> None:
    head = (
        f"POST /reports/ps-01 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {world.secrets['any']}\r\n"
        "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    chunk = b"8000\r\n" + b" " * 0x8000 + b"\r\n"
    assert _exchange(served, head.encode(), *[chunk] * 200).startswith(b"HTTP/1.1 413 ")


def test_a_body_that_does_not_come_is_not_waited_for_for_ever(world: World) -> None:
    with serving(world.set, tokens_file=world.tokens, reports=world.reports, body_s=0.2) as running:
        head = (
            f"POST /reports/ps-01 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {world.secrets['any']}\r\n"
            "Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
        )
        assert _exchange(running, head.encode()).startswith(b"HTTP/1.1 408 ")


def test_a_hundred_reports_at_once_are_all_kept_whole(world: World, served: Served) -> None:
    def report_often(number: int) -> None:
        with served.client(world.secrets["any"]) as client:
            for _ in range(10):
                name = f"ps-{number:02}"
                body = json.dumps(document(host=name)).encode()
                answer = client.post(f"/reports/{name}", content=body, headers={"Content-Type": "application/json"})
                assert answer.status_code == 204

    threads = [threading.Thread(target=report_often, args=(number % 5,)) for number in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    answer = served.get("/reports", world.secrets["reader"]).json()
    assert [item["report"]["host"] for item in answer["reports"]] == [f"ps-{number:02}" for number in range(5)]
    assert answer["unreadable"] == []


def test_the_numbers_say_how_the_fleet_stands(world: World, served: Served) -> None:
    line = {"package": "RHEL9-64", "state": "ok", "version": "9.66.7567.1"}
    for host, version in (("a", 3), ("b", 2), ("c", 3)):
        followed = {"root": ROOT_DIGEST, "version": version}
        body = json.dumps(document(host=host, set=followed, packages=[line])).encode()
        assert served.post(f"/reports/{host}", world.secrets["any"], body).status_code == 204
    text = served.get("/metrics", world.secrets["reader"]).text
    (family,) = [found for found in text_string_to_metric_families(text) if found.name == "repo_manager_fleet_servers"]
    counts = {sample.labels["condition"]: sample.value for sample in family.samples}
    assert counts == {"unheard": 0, "silent": 0, "failed": 0, "differs": 0, "behind": 1, "current": 2}


# The folder


def test_a_file_that_holds_no_report_is_named_and_the_others_count(tmp_path: Path) -> None:
    folder = ReportsFolder(tmp_path)
    folder.keep(fleet.Received(report(), NOW), "t")
    (tmp_path / "report-bad.json").write_text("{")
    (tmp_path / "report-other.json").write_text(json.dumps(document()))
    (tmp_path / "report-large.json").write_bytes(b" " * 300_000)
    (tmp_path / "report-folder.json").mkdir()
    (tmp_path / "notes.txt").write_text("x")
    gathered = folder.gather()
    assert [item.report for item in gathered.received] == [report()]
    assert gathered.unreadable == tuple(f"report-{name}.json" for name in ("bad", "folder", "large", "other"))


def test_a_report_that_a_server_put_there_itself_counts_from_when_it_was_written(tmp_path: Path) -> None:
    (tmp_path / "report-ps-01.json").write_text(json.dumps(document()))
    (only,) = ReportsFolder(tmp_path).gather().received
    assert datetime.now(UTC) - only.at < timedelta(minutes=5)


def test_a_report_that_is_changed_or_goes_is_noticed(tmp_path: Path) -> None:
    folder = ReportsFolder(tmp_path)
    folder.keep(fleet.Received(report(), NOW), "t")
    assert len(folder.gather().received) == 1
    folder.keep(fleet.Received(report(errors=5), NOW), "t")
    assert [item.report.errors for item in folder.gather().received] == [5]
    (tmp_path / "report-ps-01.json").unlink()
    assert folder.gather().received == ()


def test_a_lost_token_does_not_fill_the_disk(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reports_folder, "SERVERS_MOST", 2)
    with serving(world.set, tokens_file=world.tokens, reports=world.reports) as running:
        codes = [
            running.post(f"/reports/{host}", world.secrets["any"], json.dumps(document(host=host)).encode()).status_code
            for host in ("a", "b", "c", "a")
        ]
    assert codes == [204, 204, 507, 204]


@pytest.mark.skipif(sys.platform == "win32", reason="rights of Windows are not those of chmod")
@pytest.mark.parametrize("umask", [0o000, 0o077])
def test_the_rights_of_reports_do_not_depend_on_the_umask(tmp_path: Path, umask: int) -> None:
    folder = tmp_path / "above" / "reports"
    before = os.umask(umask)
    try:
        kept = ReportsFolder(folder)
        kept.prepare()
        kept.keep(fleet.Received(report(), NOW), "t")
    finally:
        os.umask(before)

    modes = [path.stat().st_mode & 0o777 for path in (folder.parent, folder, *folder.iterdir())]
    assert modes == [0o755, 0o755, 0o644]
