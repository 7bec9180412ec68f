"""A real nginx on a high loopback port, started and stopped by its process id."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.race import program

_CONFIG = """\
{user}
daemon off;
worker_processes 2;
pid {place}/nginx.pid;
error_log {place}/error.log;
events {{ worker_connections 1024; }}
http {{
  access_log {access_log};
  sendfile on;
  tcp_nopush on;
  default_type application/octet-stream;
  client_body_temp_path {place}/body;
  proxy_temp_path {place}/proxy;
  fastcgi_temp_path {place}/fastcgi;
  uwsgi_temp_path {place}/uwsgi;
  scgi_temp_path {place}/scgi;
  server {{ listen 127.0.0.1:{port}; root {root}; }}
}}
"""


@contextmanager
def nginx(root: Path, place: Path, access_log: str = "off") -> Iterator[str]:
    """Serve `root`; `place` holds nginx's own files, `nginx.pid` among them. Gives the base URL with its slash."""
    place.mkdir(parents=True, exist_ok=True)
    port = free_port()
    config = place / "nginx.conf"
    # Root's nginx hands the work to nobody, who may not look into a temporary folder.
    user = "user root;" if os.geteuid() == 0 else ""
    settings = {"user": user, "place": place, "port": port, "root": root, "access_log": access_log}
    config.write_text(_CONFIG.format(**settings), encoding="utf-8")
    process = subprocess.Popen([program("nginx"), "-e", str(place / "start.log"), "-c", str(config), "-p", str(place)])
    try:
        wait_for(port, process, place)
        yield f"http://127.0.0.1:{port}/"
    finally:
        process.terminate()
        process.wait(timeout=10)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_for(port: int, process: subprocess.Popen[bytes], place: Path) -> None:
    for _ in range(600):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        if process.poll() is not None:
            break
        time.sleep(0.05)
    logs = "\n".join(log.read_text(encoding="utf-8") for log in place.glob("*.log"))
    sys.exit(f"{process.args!r} did not start\n{logs}")
