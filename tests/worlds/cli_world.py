"""What the tests of the command line share: a small world, the tool in it, and what it said.

Commands run through the real door with the world's folder as the current one, so that paths are
short and the same everywhere. The catalog is the project's own; installers are small stand-ins.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
import time
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from json_schemas import check_printed
from server_world import NoServer

from repo_manager import cli
from repo_manager.adapters.sources.download import Downloader, HttpPolicy
from repo_manager.adapters.windows.service import AbsentService
from repo_manager.cli.run import Run
from repo_manager.core import catalog, names
from repo_manager.core.errors import ServiceError
from repo_manager.core.names import Release
from repo_manager.core.service import ServiceState, Timeouts
from repo_manager.demo.sample import sample_installer

if TYPE_CHECKING:
    import pytest

    from repo_manager.adapters.windows.locate import MachineFacts
    from repo_manager.app.settings import Settings
    from repo_manager.core.service import Service

ROOT: Final = Path(__file__).parents[2]
CATALOG: Final = catalog.parse((ROOT / "catalog.yaml").read_text(encoding="utf-8"))
NEW: Final = Release(9, 66)
OLD: Final = Release(9, 64)
CLASSIC: Final = tuple(link.token for link in CATALOG.links(NEW) if not CATALOG.packages[link.token].modernized_only)
SUBFOLDER: Final = ".repo-manager"


def name_of(token: str, release: Release = NEW) -> str:
    """The published name of a package's installer."""
    facts = CATALOG.facts(release)
    assert facts is not None
    return facts.links[CATALOG.require(token).token].name.text


@cache
def data_of(name: str, seed: int = 0, token: str | None = None) -> bytes:
    """Right bytes for a name; for another package with `token`."""
    built_for = None if token is None else CATALOG.require(token).token
    return sample_installer(names.parse(name), payload_bytes=1500, seed=seed, token=built_for)


@dataclass
class InstantService:
    """A service that does as told; with `broken` it ends as soon as it has started, that often."""

    name: str = "InMage PushInstall"
    now: ServiceState = ServiceState.RUNNING
    broken: int = 0
    starts: int = 0
    since: float | None = None
    """When its process started; None where nobody can tell."""
    refuses: str | None = None
    """The code with which it refuses to be restarted."""

    def state(self) -> ServiceState:
        return self.now

    def started_at(self) -> float | None:
        return self.since if self.now is ServiceState.RUNNING else None

    def ready(self) -> None:
        if self.refuses:
            raise ServiceError(self.refuses, f"{self.name!r} may not be restarted", "run as administrator")

    def request_stop(self) -> None:
        self.now = ServiceState.STOPPED

    def request_start(self) -> None:
        self.starts += 1
        if self.broken:
            self.broken -= 1
        else:
            self.now = ServiceState.RUNNING
            self.since = time.time()


class QuickRun(Run):
    """A run that waits for nobody, with a service of the test's choice."""

    stand_in: Service | None = None
    server: MachineFacts | None = None

    @property
    def machine(self) -> MachineFacts:
        # Nothing else of the machine that the tests run on, which may be a server.
        return self.server or NoServer({"ProgramData": self.environ["ProgramData"]})

    @property
    def service(self) -> Service:
        return self.stand_in or AbsentService(self.profile.service or "")

    @cached_property
    def settings(self) -> Settings:
        return replace(super().settings, patience=Timeouts(stop_s=1, start_s=1, steady_s=0.02, poll_s=0.01))

    def downloader(self, extra_hosts: tuple[str, ...] = ()) -> Downloader:
        hosts = CATALOG.hosts | set(self.settings.hosts) | set(extra_hosts)
        return Downloader(
            HttpPolicy(hosts=frozenset(hosts), attempts=2, trust_env=False, plain_http=self.plain_http),
            sleep=lambda _: None,
        )


@dataclass(frozen=True)
class Answer:
    """What a run said."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        """All of stdout as JSON."""
        found = json.loads(self.out)
        assert isinstance(found, dict)
        return found

    @property
    def error(self) -> dict[str, str]:
        """The error of an error document, which must say the same as the people's text."""
        assert self.document["schema"] == "repo-manager/error/1"
        found: dict[str, str] = self.document["error"]
        assert f"error[{found['code']}]: " in self.err
        return found


@dataclass
class Cli:
    """The tool at work in a folder."""

    folder: Path
    capture: pytest.CaptureFixture[str]
    service: InstantService | None = None
    server: MachineFacts | None = None

    @property
    def repository(self) -> Path:
        return self.folder / "repo"

    @property
    def shown(self) -> str:
        """The repository `repo` as answers name it: on Windows every path is made a whole one."""
        return str(self.repository) if sys.platform == "win32" else "repo"

    @property
    def cache(self) -> Path:
        """Where the tool remembers what it has read."""
        return Path(os.environ["REPO_MANAGER_CACHE_DIR"])

    @property
    def memory(self) -> list[Path]:
        """What it remembers of installers, a file for each folder, without their kernels."""
        return [file for file in self.cache.glob("*.json") if not re.search("kernels|catalog", file.name)]

    @property
    def source(self) -> Path:
        return self.folder / "source"

    def __call__(self, *arguments: str) -> Answer:
        """One command line, in this process. Every document that it prints must fit its schema."""
        stand_in = self.service

        class ThisRun(QuickRun):
            pass

        ThisRun.stand_in = stand_in
        ThisRun.server = self.server
        self.capture.readouterr()
        code = cli.main(arguments, ThisRun)
        out, err = self.capture.readouterr()
        check_printed(out)
        return Answer(code, out, err)

    def json(self, *arguments: str) -> Answer:
        """The same with `--json`."""
        return self("--json", *arguments)

    def repo(self, *arguments: str) -> Answer:
        """A command on the world's repository, for people."""
        return self("--repository", "repo", *arguments)

    def repo_json(self, *arguments: str) -> Answer:
        """A command on the world's repository, for programs."""
        return self("--json", "--repository", "repo", *arguments)

    def fill(self, tokens: tuple[str, ...] = CLASSIC, release: Release = NEW) -> None:
        """Put right installers into the repository."""
        self.repository.mkdir(exist_ok=True)
        for token in tokens:
            name = name_of(token, release)
            self.put(name, data_of(name))

    def put(self, name: str, data: bytes = b"x") -> Path:
        """Put any file into the repository."""
        self.repository.mkdir(exist_ok=True)
        path = self.repository / name
        path.write_bytes(data)
        return path

    def mess(self) -> None:
        """One of each kind of trouble, three packages that are right, all others missing."""
        self.fill(("RHEL7-64", "OL7-64", "DEBIAN11-64"))
        self.fill(("RHEL8-64", "RHEL7-64"), OLD)
        half = name_of("UBUNTU-20.04-64")
        self.put(half, data_of(half)[:900])
        self.put(name_of("SLES15-64"), data_of(name_of("SLES15-64"), token="SLES12-64"))  # noqa: S106 - a package
        self.put("Copy of RHEL7-64.tar.gz")
        self.put(f"{name_of('OL6-64')}.part")
        self.put("Microsoft-ASR_UA_9.66.7567.1_OL6.-64_GA_20Sep2025_release.tar.gz")
        self.put("RHEL7-64_pushinstallclient.tar.gz", b"comes with the servers")
        self.put("who-to-call.txt", b"the backup team")

    def fill_source(self, tokens: tuple[str, ...] | None = None, release: Release = NEW) -> Path:
        """A folder that has installers of a release, all of them unless told which."""
        self.source.mkdir(exist_ok=True)
        for token in tokens or tuple(link.token for link in CATALOG.links(release)):
            name = name_of(token, release)
            (self.source / name).write_bytes(data_of(name))
        return self.source

    def names(self) -> set[str]:
        """The files of the repository."""
        return {path.name for path in self.repository.iterdir() if path.is_file()}

    def config(self, text: str) -> str:
        """A configuration file; its name."""
        (self.folder / "config.yaml").write_text(text, encoding="utf-8")
        return "config.yaml"


def tree(folder: Path, *, own: bool = True) -> Mapping[str, str]:
    """Every file and folder below, with the digest of its bytes; without the tool's own unless `own`."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = os.fsencode(path.relative_to(folder)).decode("utf-8", "backslashreplace")
        if own or Path(name).parts[0] != SUBFOLDER:
            found[name] = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "folder"
    return found


def real(*arguments: str | bytes, cwd: Path, **options: Any) -> subprocess.CompletedProcess[bytes]:  # noqa: ANN401 - handed on
    """A process of its own, as people start it. The environment is this one's, with `env` added.

    Every document that it prints must fit its schema.
    """
    env = {**os.environ, **options.pop("env", {})}
    done = subprocess.run(
        [sys.executable, "-m", "repo_manager", *arguments],
        cwd=cwd,
        env=env,
        check=False,
        timeout=60,
        **{"capture_output": True, "stdin": subprocess.DEVNULL, **options},
    )
    check_printed((done.stdout or b"").decode("utf-8", "backslashreplace"))
    return done


def unprivileged(tool: Cli, *arguments: str) -> Answer:
    """The same command line by a user without special rights: whoever runs the tests, or nobody instead of root.

    Nobody may be unable to read Python's own files, so the modules must have been loaded before.
    """
    if os.geteuid() != 0:
        return tool(*arguments)
    read, write = os.pipe()
    with warnings.catch_warnings():
        # The child runs one command and never meets the parent's threads.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setgid(_NOBODY)
            os.setuid(_NOBODY)
            answer = tool(*arguments)
            os.write(write, json.dumps([answer.code, answer.out, answer.err]).encode())
        finally:
            # Nothing may come back into the test runner of the child.
            os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        said = pipe.read()
    os.waitpid(child, 0)
    return Answer(*json.loads(said))


_NOBODY: Final = 65534
