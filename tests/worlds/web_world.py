"""A signed set as it lies on a disk, and a real server of it on loopback, in a thread of the test's own."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import threading
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import httpx

from repo_manager.adapters.status_reports.folder import ReportsFolder
from repo_manager.web import tokens
from repo_manager.web.app import Site, application
from repo_manager.web.authenticator import Authenticator
from repo_manager.web.connection_limits import ConnectionLimits
from repo_manager.web.server import Address, Certificate, bind
from repo_manager.web.signed_folder import SignedFolder
from repo_manager.web.tokens import BearerRole, Tokens
from repo_manager.web.uvicorn_server import HttpServer, ServerConfig

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

    from repo_manager.web.limits import AccessLogEntry

RHEL: Final = "Microsoft-ASR_UA_9.66.7567.1_RHEL9-64_GA_20Sep2025_release.tar.gz"
SLES: Final = "Microsoft-ASR_UA_9.66.7567.1_SLES15-64_GA_20Sep2025_release.tar.gz"
LARGE: Final = f"{'0' * 64}.{SLES}"
"""What an installer of a set may be called in it, for one whose bytes do not matter."""
PAYLOAD: Final = bytes(range(256)) * 2000
EXPIRES: Final = "2030-01-01T00:00:00Z"
ROOT: Final = b'{"signed": {"_type": "root", "version": 1, "expires": "2031-01-01T00:00:00Z"}, "signatures": []}'
ROOT_DIGEST: Final = hashlib.sha256(ROOT).hexdigest()


def write_set(folder: Path, *, version: int = 3, names: tuple[str, ...] = (RHEL, SLES), data: bytes = PAYLOAD) -> None:
    """The files of a set. Its signatures are missing: a server does not look at them."""
    metadata, targets = folder / "metadata", folder / "targets"
    metadata.mkdir(parents=True, exist_ok=True)
    targets.mkdir(exist_ok=True)
    digest = hashlib.sha256(data).hexdigest()
    for name in names:
        (targets / f"{digest}.{name}").write_bytes(data)
    (metadata / "1.root.json").write_bytes(ROOT)
    listed = {name: {"length": len(data)} for name in names}
    write_signed(metadata / f"{version}.targets.json", {"expires": EXPIRES, "targets": listed})
    snapshot = {"expires": EXPIRES, "meta": {"targets.json": {"version": version}}}
    write_signed(metadata / f"{version}.snapshot.json", snapshot)
    meta = {"snapshot.json": {"version": version}}
    write_signed(metadata / "timestamp.json", {"expires": EXPIRES, "meta": meta, "version": version})


def write_signed(path: Path, signed: dict[str, Any]) -> None:
    path.write_text(json.dumps({"signed": signed, "signatures": []}), encoding="utf-8")


def target_path(name: str = RHEL, data: bytes = PAYLOAD) -> str:
    """Where the server has an installer."""
    return f"/targets/{hashlib.sha256(data).hexdigest()}.{name}"


@dataclass
class Served:
    """A server that runs, and what it wrote down."""

    url: str
    site: Site
    server: HttpServer
    entries: list[AccessLogEntry] = field(default_factory=list)
    trust: ssl.SSLContext | None = None
    secrets: dict[str, str] = field(default_factory=dict)

    def client(self, token: str | None = None) -> httpx.Client:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        verify: Any = self.trust if self.trust is not None else False
        return httpx.Client(base_url=self.url, headers=headers, trust_env=False, verify=verify, timeout=20)

    def get(self, path: str, token: str | None = None, **headers: str) -> httpx.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        with self.client(token) as client:
            return client.get(path, headers=named)

    def post(
        self, path: str, token: str | None, content: bytes, media_type: str = "application/json"
    ) -> httpx.Response:
        with self.client(token) as client:
            return client.post(path, content=content, headers={"Content-Type": media_type})


def make_tokens(path: Path, now: datetime, *wanted: tuple[str, BearerRole, tuple[str, ...]]) -> dict[str, str]:
    """A file of tokens; their secrets by name."""
    kept, secrets = Tokens(), {}
    for number, (name, role, hosts) in enumerate(wanted):
        secrets[name] = tokens.new_secret(bytes([number]) * 32)
        kept = kept.with_one(name, role, secrets[name], now, hosts)
    tokens.save(path, kept)
    return secrets


@contextlib.contextmanager
def serving(
    folder: Path,
    *,
    tokens_file: Path | None = None,
    reports: Path | None = None,
    certificate: Certificate | None = None,
    trust: ssl.SSLContext | None = None,
    behind: tuple[str, ...] = (),
    doors: ConnectionLimits | None = None,
    drain_s: int = 5,
    **more: Any,  # noqa: ANN401 - fields of a site
) -> Iterator[Served]:
    """Serve on a port of its own for as long as the block lasts."""
    entries: list[AccessLogEntry] = []
    kept = ReportsFolder(reports) if reports is not None else None
    if kept is not None:
        kept.prepare()
    site = Site(SignedFolder(folder), Authenticator(tokens_file), kept, tell=entries.append, **more)
    doors = doors or ConnectionLimits(site.metrics)
    doors.metrics = site.metrics
    server = HttpServer(application(site), ServerConfig(doors, certificate, behind, drain_s))
    address = Address("127.0.0.1", 0)
    listening = bind(address)
    url = address.url(listening.getsockname()[1], tls=certificate is not None)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[listening])))
    thread.start()
    try:
        yield Served(url, site, server, entries, trust)
    finally:
        server.stop()
        thread.join(30)
        assert not thread.is_alive()


SILENT: Final = timedelta(hours=48)
