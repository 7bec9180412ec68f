"""A small world in which the real command line works: every command goes through `main`.

Time, the service, the moment of a kill and what happens during a watch are the test's choice. All of the world is
files, the service's state included, so that it outlives a process that is killed and can be copied.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import signal
import stat
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from cli_world import Answer, QuickRun
from faults import KillAt, in_child
from json_schemas import check_printed
from repository_model import WHOLE
from simulator import FakeClock, name_of
from small_world import CATALOG_TEXT, FOREIGN, PUSH_CLIENT, copy_tree
from watch_world import ScriptedBell

from repo_manager import cli
from repo_manager.adapters.filesystem.repository_folder import SUBFOLDER, Folder, no_step
from repo_manager.adapters.filesystem.retired import REASONS
from repo_manager.core.service import ServiceState

if TYPE_CHECKING:
    from repo_manager.core.service import Service

START: Final = datetime(2026, 5, 1, 12, 0, 0, tzinfo=UTC)
"""When the world begins, by the clock that the commands read."""

ALL_S: Final = 700.0
"""A watch that long has settled everything, files that seem unfinished included."""


class FileService:
    """A service whose state is a file. The second word says how many of its next starts fail."""

    name = "InMage PushInstall"

    def __init__(self, path: Path) -> None:
        self._path = path

    def state(self) -> ServiceState:
        return ServiceState(self._words()[0])

    def started_at(self) -> float | None:
        return None

    def ready(self) -> None:
        pass

    def request_stop(self) -> None:
        self.set(ServiceState.STOPPED, self.failing)

    def request_start(self) -> None:
        if self.failing:
            self.set(ServiceState.STOPPED, self.failing - 1)
        else:
            self.set(ServiceState.RUNNING)

    @property
    def failing(self) -> int:
        return int(self._words()[1])

    def set(self, state: ServiceState, failing: int = 0) -> None:
        self._path.write_text(f"{state} {failing}\n", encoding="ascii")

    def _words(self) -> list[str]:
        return self._path.read_text(encoding="ascii").split()


class OwnBell(ScriptedBell):
    """Rings when the script says so. Real events come from a thread, at a moment that no test can choose."""

    def ring(self) -> None:
        if threading.current_thread() is threading.main_thread():
            super().ring()


@dataclass(frozen=True, slots=True)
class WorldView:
    """All that can be observed of the world. `retired` is by `ID/NAME`; `ids` are those of committed transactions."""

    files: Mapping[str, bytes]
    retired: Mapping[str, bytes]
    ids: tuple[str, ...]
    untouchable: Mapping[str, str | bytes]
    pending: bool


@dataclass
class CommandWorld:
    """The world below a folder, and the tool at work in it."""

    root: Path
    clock: FakeClock = field(default_factory=FakeClock)
    offset: timedelta = timedelta()
    script: list[tuple[float, Callable[[], object]]] = field(default_factory=list)

    def build(self, retired_keep: int) -> None:
        for name in ("repo", "source", "broken", "leader", "outside"):
            (self.root / name).mkdir(parents=True)
        (self.root / "catalog.yaml").write_text(CATALOG_TEXT, encoding="ascii")
        # The stand-ins are not signed, and reading the certificates of Windows takes long.
        config = f'reserve_mb: 0\nretired_keep: {retired_keep}\nsignatures: "off"\n'
        (self.root / "config.yaml").write_text(config, encoding="ascii")
        (self.root / "outside" / "treasure.txt").write_bytes(b"private")
        for name, data in WHOLE.items():
            (self.root / "source" / name).write_bytes(data)
            (self.root / "broken" / name).write_bytes(data[:900])
        (self.repo / PUSH_CLIENT).write_bytes(b"comes with the server")
        (self.repo / FOREIGN).write_bytes(b"the backup team")
        (self.repo / "notes").mkdir()
        (self.repo / "notes" / name_of("OL8-64", "9.64")).write_bytes(b"a copy that the tool must not read")
        if sys.platform != "win32":
            (self.repo / "link to treasure").symlink_to(self.root / "outside" / "treasure.txt")
        self.service.set(ServiceState.RUNNING)

    @property
    def repo(self) -> Path:
        return self.root / "repo"

    @property
    def sub(self) -> Path:
        return self.repo / SUBFOLDER

    @property
    def service(self) -> FileService:
        return FileService(self.root / "service.txt")

    def now(self) -> datetime:
        return START + self.offset + timedelta(seconds=self.clock.now_s)

    # Commands

    def run(self, *arguments: str, repository: str = "repo", step: Callable[[str], None] = no_step) -> Answer:
        """One command line with `--json`. Every document that it prints must fit its schema."""
        world = self

        class ThisRun(QuickRun):
            @property
            def service(self) -> Service:
                return world.service

            @cached_property
            def folder(self) -> Folder:
                return Folder(self.path, step=step, sleep=lambda _: None)

            @cached_property
            def clock(self) -> FakeClock:
                return world.clock

            def now(self) -> datetime:
                return world.now()

            def bell(self) -> ScriptedBell:
                return OwnBell(world.clock, world.script)

        line = ("--json", "--repository", repository, "--catalog", "catalog.yaml", "--config", "config.yaml")
        out, err = io.StringIO(), io.StringIO()
        with contextlib.chdir(self.root), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = cli.main([*line, *arguments], ThisRun, world._variables())
        check_printed(out.getvalue())
        return Answer(code, out.getvalue(), err.getvalue())

    def watch(self, *options: str, seconds: float = ALL_S, step: Callable[[str], None] = no_step) -> Answer:
        """`watch` until Ctrl-C, which is pressed after so many seconds of the world's own time."""
        self.offset += timedelta(seconds=self.clock.now_s)
        self.clock.now_s = 0.0
        self.script = [*self.script, (seconds, lambda: signal.raise_signal(signal.SIGINT))]
        try:
            return self.run("watch", "--yes", *options, step=step)
        finally:
            self.script = []

    def killed(self, number: int, act: Callable[[CommandWorld, Callable[[str], None]], Answer]) -> Answer | None:
        """Let a child do it that dies before its write of that number. None where it died, else its answer."""
        said = self.root.with_name("answer.json")

        def child() -> None:
            step = KillAt(number)
            main = threading.get_ident()

            def hook(event: str, arguments: Sequence[Any]) -> None:
                # What threads do comes in another order every time.
                if threading.get_ident() == main and _writes(event, arguments, self.root):
                    step(event)

            sys.addaudithook(hook)
            answer = act(self, lambda what: step(what) if threading.get_ident() == main else None)
            said.write_text(json.dumps([answer.code, answer.out, answer.err]), encoding="utf-8")

        said.unlink(missing_ok=True)
        code = in_child(child)
        if not said.exists():
            assert code == KILLED, f"the child ended with {code}"
            return None
        return Answer(*json.loads(said.read_text(encoding="utf-8")))

    @contextlib.contextmanager
    def rehearsal(self) -> Iterator[None]:
        """What is done inside has not happened afterwards."""
        aside = self.root.with_name("aside")
        offset, now_s = self.offset, self.clock.now_s
        self.root.rename(aside)
        copy_tree(aside, self.root)
        try:
            yield
        finally:
            shutil.rmtree(self.root)
            aside.rename(self.root)
            self.offset, self.clock.now_s = offset, now_s

    def _variables(self) -> Mapping[str, str]:
        return {
            "REPO_MANAGER_CACHE_DIR": str(self.root / "cache"),
            "REPO_MANAGER_STATE_DIR": str(self.root / "state"),
            "ProgramData": str(self.root / "program-data"),
        }

    # Looking

    def seen(self) -> WorldView:
        files: dict[str, bytes] = {}
        untouchable: dict[str, str | bytes] = {}
        for path in sorted(self.repo.iterdir()):
            if stat.S_ISREG(path.lstat().st_mode):
                files[path.name] = path.read_bytes()
        for folder in (self.root / "outside", self.root / "source", self.root / "broken", self.repo / "notes"):
            untouchable |= {str(path): path.read_bytes() for path in folder.rglob("*")}
        untouchable |= {str(path): str(path.readlink()) for path in self.repo.iterdir() if path.is_symlink()}
        untouchable |= {name: data for name, data in files.items() if name in {PUSH_CLIENT, FOREIGN}}
        retired = {
            f"{path.parent.name}/{path.name}": path.read_bytes()
            for path in (self.sub / "retired").glob("*/*")
            if path.name not in {REASONS, f"{REASONS}.new"}
        }
        stems = sorted(path.stem for path in (self.sub / "transactions").glob("*.json"))
        ids = tuple(stem for stem in stems if not stem.endswith("-undone"))
        journal = self.sub / "journal.json"
        # Where a rename is a link and an unlink, a journal that was closed may have both names for a moment.
        pending = journal.exists() and journal.stat().st_nlink == 1
        return WorldView(files, retired, ids, untouchable, pending)


KILLED: Final = 9


def _writes(event: str, arguments: Sequence[Any], root: Path) -> bool:
    """Whether an audit event of Python is about a change of the world's files."""
    if event == "open":
        path, _, flags = arguments
        return isinstance(flags, int) and bool(flags & _WRITING) and _within(path, root)
    return event in _CHANGES and _within(arguments[0], root)


_WRITING: Final = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
_CHANGES: Final = frozenset({"os.rename", "os.remove", "os.link", "os.mkdir", "os.rmdir", "os.symlink", "os.truncate"})


def _within(path: object, root: Path) -> bool:
    return isinstance(path, str | bytes | os.PathLike) and Path(os.fsdecode(path)).absolute().is_relative_to(root)
