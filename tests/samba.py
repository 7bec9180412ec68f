"""A real Samba server on the loopback, and a way to it that can be made to fail.

Only root can start one. `make test-smb` gets what is missing and runs the tests that need it.
"""

from __future__ import annotations

import getpass
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PASSWORD: Final = "not a secret 7"  # noqa: S105 - of a server that lives as long as a test
HOST: Final = "127.0.0.1"

_CONFIGURATION: Final = """
[global]
  server role = standalone server
  interfaces = lo
  bind interfaces only = yes
  disable netbios = yes
  private dir = {own}
  lock directory = {own}
  state directory = {own}
  cache directory = {own}
  pid directory = {own}
  ncalrpc dir = {own}/ncalrpc
  passdb backend = tdbsam:{own}/passdb.tdb
  log file = {own}/log
  load printers = no
  disable spoolss = yes
  map to guest = Bad User
  server smb encrypt = {encrypt}
[files]
  path = {shared}
  force user = root
[for guests]
  path = {shared}
  guest ok = yes
  force user = root
[not yours]
  path = {shared}
  valid users = nobody
[few rights]
  path = {shared}
  force user = nobody
"""


@dataclass
class Samba:
    """A server with the shares `files`, `for guests`, `not yours` and `few rights`, all of the folder `shared`."""

    shared: Path
    own: Path
    port: int = 0
    encrypt: str = "default"
    user: str = field(default_factory=getpass.getuser)
    _process: subprocess.Popen[bytes] | None = None
    _ending: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        if shutil.which("smbd") is None or os.geteuid() != 0:
            raise RuntimeError("these tests need root and the command smbd: run 'make test-smb'")
        self.own.mkdir()
        with socket.socket() as probe:
            probe.bind((HOST, 0))
            self.port = self.port or probe.getsockname()[1]
        self._file.write_text(_CONFIGURATION.format(own=self.own, shared=self.shared, encrypt=self.encrypt))
        subprocess.run(
            ["smbpasswd", "-c", str(self._file), "-a", "-s", self.user],
            input=f"{PASSWORD}\n{PASSWORD}\n".encode(),
            capture_output=True,
            check=True,
        )

    @property
    def _file(self) -> Path:
        return self.own / "smb.conf"

    def url(self, share: str = "files", folder: str = "", *, port: int = 0) -> str:
        """The source to name for a folder of a share."""
        return f"smb://{HOST}:{port or self.port}/{share}/{folder}".rstrip("/")

    def start(self) -> None:
        """Start it, and wait until it listens."""
        command = ["smbd", "--foreground", "--no-process-group", "-s", str(self._file), "-p", str(self.port)]
        # A session of its own, so that what it starts can be ended with it.
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        deadline = time.monotonic() + 30
        while True:
            with suppress(OSError), socket.create_connection((HOST, self.port), timeout=1):
                return
            assert self._process.poll() is None, "smbd ended at once"
            assert time.monotonic() < deadline, "smbd does not listen"
            time.sleep(0.02)

    def kill(self) -> None:
        """End it and all that it started, without a word to whoever is connected. From any thread."""
        with self._ending:
            process, self._process = self._process, None
        if process is not None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@contextmanager
def sharing(shared: Path, own: Path, *, port: int = 0, encrypt: str = "default") -> Iterator[Samba]:
    """A server at work until the end of the `with`; `own` is the folder of its own files, made for it."""
    server = Samba(shared, own, port, encrypt)
    server.start()
    try:
        yield server
    finally:
        server.kill()


Frame = bytes
"""One message of the server, from its SMB2 header on. Encrypted ones begin with another signature."""

READ: Final = 8
"""The command of an answer that brings a piece of a file."""


def command_of(frame: Frame) -> int:
    return int.from_bytes(frame[12:14], "little")


def is_piece(frame: Frame) -> bool:
    """Whether a message brings bytes of a file."""
    return command_of(frame) == READ and int.from_bytes(frame[8:12], "little") == 0


def unsigned(frame: Frame) -> Frame:
    """The same message, its signature taken away, as somebody on the way could."""
    flags = int.from_bytes(frame[16:20], "little") & ~0x8
    return frame[:16] + flags.to_bytes(4, "little") + frame[20:48] + bytes(16) + frame[64:]


def forged(frame: Frame) -> Frame:
    """The same message, with another last byte."""
    return frame[:-1] + bytes([frame[-1] ^ 1])


class HangUp(Exception):  # noqa: N818 - no error
    """Raised by a filter: cut both ways."""


class FallSilent(Exception):  # noqa: N818 - no error
    """Raised by a filter: pass nothing on any more, and stay connected."""


Filter = Callable[[Frame], Frame]


@contextmanager
def way(to_port: int, change: Filter) -> Iterator[int]:
    """A port that leads to another, every message from there going through `change`."""
    with socket.create_server((HOST, 0), backlog=64) as listener:
        ends: list[socket.socket] = []
        threads: list[threading.Thread] = []
        threads.append(threading.Thread(target=_accept, args=(listener, to_port, change, ends, threads), daemon=True))
        threads[0].start()
        try:
            yield listener.getsockname()[1]
        finally:
            # Closing alone would leave the other thread waiting in accept.
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            threads[0].join()
            _cut(*ends)
            for thread in threads[1:]:
                thread.join()
            for end in ends:
                end.close()


def _accept(
    listener: socket.socket, to_port: int, change: Filter, ends: list[socket.socket], threads: list[threading.Thread]
) -> None:
    while True:
        try:
            client, _ = listener.accept()
        except OSError:
            return
        ends.append(client)
        try:
            server = socket.create_connection((HOST, to_port))
        except OSError:
            client.close()
            continue
        ends.append(server)
        for thread in (
            threading.Thread(target=_pass_on, args=(client, server), daemon=True),
            threading.Thread(target=_filter, args=(server, client, change), daemon=True),
        ):
            threads.append(thread)
            thread.start()


def _pass_on(come: socket.socket, go: socket.socket) -> None:
    with suppress(OSError):
        while data := come.recv(65536):
            go.sendall(data)
    _cut(come, go)


def _filter(come: socket.socket, go: socket.socket, change: Filter) -> None:
    with suppress(OSError, HangUp):
        while head := _exactly(come, 4):
            frame = _exactly(come, int.from_bytes(head, "big"))
            try:
                go.sendall(head + change(frame))
            except FallSilent:
                while come.recv(65536):
                    pass
    _cut(come, go)


def _exactly(come: socket.socket, count: int) -> bytes:
    data = bytearray()
    while len(data) < count:
        piece = come.recv(count - len(data))
        if not piece:
            return b""
        data += piece
    return bytes(data)


def _cut(*ends: socket.socket) -> None:
    for end in ends:
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
