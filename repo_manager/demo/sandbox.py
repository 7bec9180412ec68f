"""A world to try things in: a download server, an old and messy repository, a stand-in service.

Everything is made on the spot: the installers are small stand-ins that hold nothing of the vendor.
"""

from __future__ import annotations

import contextlib
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Final

from repo_manager.adapters.filesystem.os_errors import disk_error
from repo_manager.core.names import Release, Token
from repo_manager.core.service import ServiceState
from repo_manager.demo.sample import sample_installer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from repo_manager.core.catalog import Catalog

_OLDER: Final = Release(9, 64)

# What people do to such a folder: some packages are current, some were forgotten at the last
# update, those to be placed by hand never came.
_CURRENT: Final = ("Windows", "RHEL6-64", "RHEL7-64", "UBUNTU-20.04-64", "DEBIAN10-64")
_FORGOTTEN: Final = ("RHEL8-64", "OL7-64", "SLES12-64", "SLES15-64", "UBUNTU-18.04-64", "DEBIAN11-64")
_LEFT_BESIDE: Final = ("RHEL7-64", "Windows")


def make(folder: Path, catalog: Catalog) -> None:
    """Fill `folder/downloads` with a whole release and `folder/repository` with a mess.

    Raises:
        MachineError: the disk refused.
    """
    try:
        _make_downloads(folder / "downloads", catalog)
        _make_mess(folder / "repository", catalog)
    except OSError as error:
        raise disk_error(error, folder) from error


def _make_downloads(folder: Path, catalog: Catalog) -> None:
    folder.mkdir(parents=True)
    for link in catalog.links(catalog.latest):
        (folder / link.name.text).write_bytes(sample_installer(link.name))


def _make_mess(folder: Path, catalog: Catalog) -> None:
    folder.mkdir(parents=True)
    newest = {link.token: link.name for link in catalog.links(catalog.latest)}
    older = {link.token: link.name for link in catalog.links(_OLDER)}
    names = [newest[Token(token)] for token in _CURRENT]
    names += [older[Token(token)] for token in (*_FORGOTTEN, *_LEFT_BESIDE)]
    for name in names:
        (folder / name.text).write_bytes(sample_installer(name))
    half = newest[Token("UBUNTU-16.04-64")]
    (folder / half.text).write_bytes(sample_installer(half)[:70_000])
    (folder / f"Copy of {older[Token('OL7-64')].text}").write_bytes(b"somebody was careful")
    (folder / f"{newest[Token('DEBIAN9-64')].text}.part").write_bytes(b"the browser was closed")
    (folder / "RHEL7-64_pushinstallclient.tar.gz").write_bytes(b"comes with the servers")
    (folder / "who-to-call.txt").write_text("the backup team, extension 4711\n", encoding="ascii", newline="\n")


@contextlib.contextmanager
def download_server(folder: Path) -> Iterator[str]:
    """Serve a folder over HTTP on loopback; the value is its URL."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever, name="download server", daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()


class _Quiet(SimpleHTTPRequestHandler):
    """Serves files without talking about it."""

    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Say nothing."""


class StandInService:
    """Behaves like the push-install service: it sees the folder's files only when it starts.

    `say` is told what it sees. While `broken` it stops again as soon as it has started.
    """

    name = "InMage PushInstall (stand-in)"

    def __init__(self, folder: Path, say: Callable[[str], None]) -> None:
        self._folder = folder
        self._say = say
        self._state = ServiceState.RUNNING
        self.broken = False

    def state(self) -> ServiceState:
        """What it is doing."""
        return self._state

    def started_at(self) -> float | None:
        """It has no process of its own."""
        return None

    def ready(self) -> None:
        """It lets itself be restarted."""

    def request_stop(self) -> None:
        """It stops at once."""
        self._state = ServiceState.STOPPED
        self._say("the service stops")

    def request_start(self) -> None:
        """It starts at once and looks into the folder, unless it is broken; then it breaks once."""
        if self.broken:
            self.broken = False
            self._say("the service starts and ends again: it does not come back")
            return
        count = sum(path.name.startswith("Microsoft-ASR_UA") for path in self._folder.iterdir() if path.is_file())
        self._state = ServiceState.RUNNING
        self._say(f"the service starts and sees {count} installers")
