"""Three servers that hand out a signed set, and what each of them has spent: processor time, requests, memory.

All listen on loopback and end with the `with`.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench.race import ROOT, repo_manager
from bench.server import free_port, nginx, wait_for

AZURITE = ROOT / ".stores/node_modules/azurite/dist/src/blob/main.js"
_TICK_S = 1 / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Station:
    """A server at work.

    `place` is where the set lies for its followers, `leader` for its leader; `variables` let the followers in, and
    `leader_variables` the leader. `url` makes the address under which anybody may fetch a file of the set. `requests`
    counts the ones answered so far.
    """

    name: str
    place: str
    leader: str
    pid: int
    requests: Callable[[], int]
    url: Callable[[str], str]
    variables: Mapping[str, str] = field(default_factory=dict)
    leader_variables: Mapping[str, str] = field(default_factory=dict)

    def cpu_s(self) -> float:
        """User and system time of all of its processes."""
        return sum(ticks for _, ticks in _family(self.pid)) * _TICK_S

    def peak_bytes(self) -> int:
        """The largest resident memory of each of its processes, together."""
        return sum(_peak_bytes(pid) for pid, _ in _family(self.pid))


@contextmanager
def web_server(place: Path) -> Iterator[Station]:
    """nginx with sendfile and two workers."""
    root, log = place / "set", place / "access.log"
    root.mkdir(parents=True)
    with nginx(root, place, str(log)) as base:
        pid = int((place / "nginx.pid").read_text(encoding="ascii"))
        yield Station("nginx", base.rstrip("/"), str(root), pid, lambda: _lines(log, b""), lambda path: base + path)


@contextmanager
def serve(place: Path) -> Iterator[Station]:
    """`repo-manager serve`, as an operator starts it."""
    root = place / "set"
    root.mkdir(parents=True)
    command = repo_manager("--json", "serve", "--set", str(root), "--listen", "127.0.0.1:0")
    with (place / "err").open("wb") as err, _ending(command, subprocess.PIPE, err) as process:
        if process.stdout is None:
            raise AssertionError
        first = process.stdout.readline()
        if not first:
            sys.exit(f"serve did not start\n{(place / 'err').read_text(encoding='utf-8')}")
        base = json.loads(first)["address"]
        yield Station("serve", base, str(root), process.pid, lambda: _served(base), lambda path: f"{base}/{path}")


@contextmanager
def blob_store(place: Path) -> Iterator[Station]:
    """Azurite, Microsoft's own stand-in for Azure Blob Storage."""
    # The signing is the tests'; they are no package.
    sys.path.append(str(ROOT / "tests" / "worlds"))
    from object_stores import Azurite, signature

    node = shutil.which("node")
    if node is None or not AZURITE.is_file():
        sys.exit("missing: node and Azurite; 'make bench-fanout' and 'make test-stores' get them")
    place.mkdir(parents=True)
    port, log = free_port(), place / "azurite.log"
    options = ("--blobHost", "127.0.0.1", "--blobPort", str(port), "--location", str(place))
    command = (node, str(AZURITE), *options, "--disableTelemetry", "--skipApiVersionCheck")
    with log.open("wb") as out, _ending(command, out, out) as process:
        wait_for(port, process, place)
        server = Azurite(port)
        address = server.make("set") + "/asr"
        query = signature("set", "r", to_s=24 * 3600)
        yield Station(
            "Azurite",
            address,
            address,
            process.pid,
            lambda: _lines(log, b"/devstoreaccount1/set/"),
            lambda path: f"{server.endpoint}/set/asr/{path}?{query}",
            # Followers read, and nothing else: so they do not report there either.
            server.with_signature(query),
            server.variables(),
        )


@contextmanager
def _ending(command: tuple[str, ...], out: object, err: object) -> Iterator[subprocess.Popen[bytes]]:
    process: subprocess.Popen[bytes] = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=out,  # type: ignore[call-overload]
        stderr=err,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()


def _family(pid: int) -> list[tuple[int, int]]:
    """A process and all below it, each with its ticks and those of its children that have ended."""
    found: dict[int, tuple[int, int]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            # The name, in parentheses, may hold blanks.
            fields = (folder / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        found[int(folder.name)] = (int(fields[1]), sum(map(int, fields[11:15])))
    members = {pid}
    while more := {child for child, (parent, _) in found.items() if parent in members} - members:
        members |= more
    return [(member, found[member][1]) for member in sorted(members & set(found))]


def _peak_bytes(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    match = re.search(r"VmHWM:\s+([0-9]+) kB", status)
    return int(match[1]) * 1024 if match else 0


def _lines(log: Path, having: bytes) -> int:
    with log.open("rb") as file:
        return sum(having in line for line in file)


def _served(base: str) -> int:
    with urllib.request.urlopen(f"{base}/metrics") as answer:  # noqa: S310 - our own server
        text = answer.read().decode()
    counts = re.findall(r'repo_manager_http_requests_total\{[^}]*kind="(?:metadata|targets)"[^}]*\} ([0-9]+)', text)
    return sum(map(int, counts))


def settled(station: Station) -> float:
    """The processor time once it does not grow any more: what has ended for the clients may still be cleared away."""
    before, now = -1.0, station.cpu_s()
    deadline = time.monotonic() + 5
    while now - before > _TICK_S and time.monotonic() < deadline:
        time.sleep(0.2)
        before, now = now, station.cpu_s()
    return now
