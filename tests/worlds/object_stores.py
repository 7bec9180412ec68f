"""Real object stores on the loopback: Azurite, which is Microsoft's own stand-in for Azure, and moto's server for S3.

moto comes with the development packages. Azurite comes from npm: `make test-stores` gets it and runs the tests
that need it. Both live in a folder of the test's and end with it.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

HOST: Final = "127.0.0.1"

# Evidence: "Use the Azurite emulator" on Microsoft Learn: everybody's account and key.
ACCOUNT: Final = "devstoreaccount1"
KEY: Final = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="

_AZURITE: Final = Path(__file__).parents[2] / ".stores/node_modules/azurite/dist/src/blob/main.js"
_VERSION: Final = "2021-06-08"


@dataclass(frozen=True)
class Azurite:
    """A server with one account."""

    port: int

    @property
    def endpoint(self) -> str:
        return f"http://{HOST}:{self.port}/{ACCOUNT}"

    def variables(self, *, port: int = 0) -> dict[str, str]:
        """What whoever has the account's key sets; `port` for a way round."""
        endpoint = f"http://{HOST}:{port or self.port}/{ACCOUNT}"
        return {
            "AZURE_STORAGE_CONNECTION_STRING": f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};"
            f"AccountKey={KEY};BlobEndpoint={endpoint};"
        }

    def with_signature(self, signature: str, *, port: int = 0) -> dict[str, str]:
        """What whoever has a shared access signature sets."""
        return {
            "AZURE_STORAGE_ACCOUNT_NAME": ACCOUNT,
            "AZURE_STORAGE_ENDPOINT": f"http://{HOST}:{port or self.port}/{ACCOUNT}",
            "AZURE_STORAGE_SAS_TOKEN": signature,
        }

    def make(self, container: str) -> str:
        """A new container; returns its address."""
        date = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime())
        headers = {"x-ms-date": date, "x-ms-version": _VERSION}
        lines = ["PUT", *[""] * 11, *(f"{name}:{value}" for name, value in headers.items())]
        to_sign = "\n".join([*lines, f"/{ACCOUNT}/{ACCOUNT}/{container}", "restype:container"])
        headers["Authorization"] = f"SharedKey {ACCOUNT}:{_signed(to_sign)}"
        _ask(self.port, "PUT", f"/{ACCOUNT}/{container}?restype=container", headers)
        return f"az://{container}"


def signature(container: str, rights: str, *, blob: str = "", from_s: float = -3600, to_s: float = 3600) -> str:
    """A shared access signature for a container, or for one blob in it, from so many seconds from now to so many.

    Evidence: "Create a service SAS" on Microsoft Learn.
    """
    starts, ends = (time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + offset)) for offset in (from_s, to_s))
    what, kind = (f"{container}/{blob}", "b") if blob else (container, "c")
    fields = [rights, starts, ends, f"/blob/{ACCOUNT}/{what}", "", "", "", _VERSION, kind, "", "", *[""] * 5]
    signed = _signed("\n".join(fields))
    return urlencode({"sp": rights, "st": starts, "se": ends, "sv": _VERSION, "sr": kind, "sig": signed})


def _signed(text: str) -> str:
    return base64.b64encode(hmac.new(base64.b64decode(KEY), text.encode(), hashlib.sha256).digest()).decode()


@dataclass(frozen=True)
class S3Server:
    """A server that takes any key."""

    port: int

    def variables(self, *, port: int = 0) -> dict[str, str]:
        return {
            "AWS_ACCESS_KEY_ID": "somebody",
            "AWS_SECRET_ACCESS_KEY": "S3SECRETVALUE",
            "AWS_ENDPOINT_URL_S3": f"http://{HOST}:{port or self.port}",
        }

    def make(self, bucket: str) -> str:
        """A new bucket, named like this and a little longer: others may use the server; returns its address."""
        name = f"{bucket}-{secrets.token_hex(4)}"
        _ask(self.port, "PUT", f"/{name}", {"Content-Length": "0"})
        return f"s3://{name}"

    def uploads(self, address: str) -> str:
        """What the server says of uploads to a bucket that are not whole."""
        return _ask(self.port, "GET", f"/{address.removeprefix('s3://')}?uploads", {})


def has_azurite() -> bool:
    return _AZURITE.is_file() and shutil.which("node") is not None


@contextmanager
def azurite(own: Path) -> Iterator[Azurite]:
    """A server at work until the end of the `with`; `own` is the folder of its own files."""
    node = shutil.which("node")
    if node is None or not has_azurite():
        raise RuntimeError("these tests need node and Azurite: run 'make test-stores'")
    port = free_port()
    options = ["--blobHost", HOST, "--blobPort", str(port), "--location", str(own), "--silent"]
    with _running([node, str(_AZURITE), *options, "--disableTelemetry", "--skipApiVersionCheck"], port):
        yield Azurite(port)


@contextmanager
def s3_server() -> Iterator[S3Server]:
    """A server at work until the end of the `with`; in the tier for Windows, the one that stands outside of it."""
    if outside := os.environ.get("TIER_S3_PORT"):
        yield S3Server(int(outside))
        return
    port = free_port()
    with _running([sys.executable, "-m", "moto.server", "-H", HOST, "-p", str(port)], port):
        yield S3Server(port)


@contextmanager
def nginx(root: Path, own: Path, certificate: tuple[Path, Path] | None = None) -> Iterator[str]:
    """nginx serving the files of a folder until the end of the `with`; gives the address.

    Over TLS with a certificate and its key.
    """
    program = shutil.which("nginx", path=f"{Path('/usr/sbin')}:{Path('/usr/bin')}:{Path('/usr/local/sbin')}")
    if program is None:
        raise RuntimeError("these tests need nginx: run 'make test-stores'")
    port = free_port()
    configuration = own / "nginx.conf"
    temporary = "".join(
        f"{kind}_temp_path {own}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    tls = f"ssl_certificate {certificate[0]}; ssl_certificate_key {certificate[1]};" if certificate else ""
    configuration.write_text(
        f"daemon off; master_process off; pid {own}/pid; error_log {own}/error.log;"
        f"events {{}} http {{ access_log off; sendfile on; {temporary}"
        f"server {{ listen {HOST}:{port}{' ssl' if certificate else ''}; {tls} root {root}; }} }}"
    )
    with _running([program, "-c", str(configuration), "-e", str(own / "early.log")], port):
        yield f"{'https' if certificate else 'http'}://{HOST}:{port}"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


@contextmanager
def _running(command: Sequence[str], port: int) -> Iterator[None]:
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 60
        while True:
            with suppress(OSError), socket.create_connection((HOST, port), timeout=1):
                break
            assert process.poll() is None, f"{command[0]} ended at once"
            assert time.monotonic() < deadline, f"{command[0]} does not listen"
            time.sleep(0.02)
        yield
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _ask(port: int, method: str, path: str, headers: Mapping[str, str]) -> str:
    connection = http.client.HTTPConnection(HOST, port, timeout=20)
    try:
        connection.request(method, path, headers=dict(headers))
        answer = connection.getresponse()
        text = answer.read().decode()
        assert answer.status in {200, 201}, text
        return text
    finally:
        connection.close()
