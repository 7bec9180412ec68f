"""Putting the watch in as a service and taking it out, with a service manager in memory."""

from __future__ import annotations

import ast
import shlex
import subprocess
import sys
import sysconfig
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from simulator import NEVER, FakeClock, MemoryService, Start

from repo_manager.adapters.windows import background
from repo_manager.adapters.windows.background import (
    BeingRemovedError,
    Python,
    command_line,
    install,
    remove,
    this_python,
)
from repo_manager.core.errors import ExitCode, InputError, ServiceError
from repo_manager.core.service import ServiceState, Timeouts

if TYPE_CHECKING:
    from collections.abc import Sequence

PATIENCE = Timeouts(stop_s=30, start_s=20, steady_s=5, poll_s=0.5)
WATCH = ("--repository", r"D:\push repository", "watch", "--log", r"C:\ProgramData\repo-manager\logs\watch.log")


@dataclass
class MemoryManager:
    """A service manager that knows one service."""

    clock: FakeClock = field(default_factory=FakeClock)
    installed: str | None = None
    shares: tuple[str, ...] = ()
    starts: tuple[Start, ...] = (Start.WELL,)
    lingers: bool = False
    gone_at: float = 0.0
    """When one that was deleted before is gone, by the clock."""
    open: tuple[Path, ...] = ()

    def __post_init__(self) -> None:
        self.watch = MemoryService(self.clock, ServiceState.STOPPED, starts=self.starts, name=background.SERVICE)

    def command_line(self) -> str | None:
        return self.installed

    def create(self, command_line: str) -> None:
        assert self.installed is None
        if self.clock.monotonic() < self.gone_at:
            raise BeingRemovedError("'repo-manager watch': marked for deletion (error 1072)")
        self.installed = command_line

    def delete(self) -> None:
        assert self.watch.state() is ServiceState.STOPPED
        self.installed = self.installed if self.lingers else None

    def open_to_anybody(self, paths: Sequence[Path]) -> Sequence[Path]:
        return [path for path in paths if path in self.open]

    def of_another_machine(self, path: str) -> bool:
        return path.startswith(self.shares) if self.shares else False

    def service(self) -> MemoryService:
        return self.watch


def put_in(manager: MemoryManager, *words: str) -> str:
    return install(words or WATCH, clock=manager.clock, patience=PATIENCE, manager=manager)


def take_out(manager: MemoryManager) -> str:
    return remove(clock=manager.clock, patience=PATIENCE, manager=manager)


def test_what_is_put_in_runs_with_the_options_that_were_given() -> None:
    manager = MemoryManager()
    assert put_in(manager) == "the service 'repo-manager watch' runs; it starts by itself with Windows"
    assert manager.watch.state() is ServiceState.RUNNING
    assert manager.installed is not None
    assert manager.installed.endswith(subprocess.list2cmdline(WATCH))


def test_a_service_that_was_removed_a_moment_ago_is_waited_for() -> None:
    clock = FakeClock()
    manager = MemoryManager(clock, gone_at=clock.monotonic() + 10)
    assert put_in(manager).startswith("the service 'repo-manager watch' runs")
    assert clock.monotonic() >= manager.gone_at


def test_a_removed_service_that_does_not_go_is_an_error_that_says_what_holds_it() -> None:
    manager = MemoryManager(gone_at=NEVER)
    with pytest.raises(BeingRemovedError) as refused:
        put_in(manager)
    assert (refused.value.code, refused.value.exit_code) == ("service-being-removed", ExitCode.TRANSFER)
    assert "close services.msc" in refused.value.hint
    assert manager.installed is None


def test_a_program_that_anybody_may_change_is_named() -> None:
    program = Path(this_python().program).parent
    manager = MemoryManager(open=(program,))
    said = put_in(manager).splitlines()
    assert len(said) == 2
    assert said[1].startswith(f"note: more than administrators may change {program}, ")


def test_putting_the_same_in_twice_changes_nothing_but_sees_that_it_runs() -> None:
    manager = MemoryManager()
    put_in(manager)
    before = manager.installed
    manager.watch.was = ServiceState.STOPPED
    assert "was installed already, with the same options, and runs" in put_in(manager)
    assert manager.installed == before
    assert manager.watch.state() is ServiceState.RUNNING


def test_another_one_is_not_replaced_unasked() -> None:
    manager = MemoryManager()
    put_in(manager)
    before = manager.installed
    with pytest.raises(InputError, match="with other options") as caught:
        put_in(manager, "--repository", r"E:\other", "watch")
    assert (caught.value.code, caught.value.hint) == ("already-installed", "run 'repo-manager watch remove' first")
    assert manager.installed == before


def test_one_that_does_not_come_up_is_said_to_be_down_and_stays_in() -> None:
    manager = MemoryManager(starts=(Start.FAILS,))
    with pytest.raises(ServiceError) as caught:
        put_in(manager)
    assert caught.value.exit_code is ExitCode.SERVICE
    assert manager.installed is not None
    assert "removed" in take_out(manager)


@pytest.mark.parametrize("state", [ServiceState.RUNNING, ServiceState.STARTING, ServiceState.STOPPED])
def test_what_is_taken_out_is_stopped_first_whatever_it_does(state: ServiceState) -> None:
    manager = MemoryManager(installed="something")
    manager.watch.was = state
    assert take_out(manager) == "the service 'repo-manager watch' was stopped and removed"
    assert manager.installed is None
    assert take_out(manager) == "there is no service 'repo-manager watch'"


def test_one_that_does_not_stop_is_not_taken_out() -> None:
    manager = MemoryManager(installed="something")
    manager.watch.was = ServiceState.RUNNING
    manager.watch.stop_takes_s = NEVER
    with pytest.raises(ServiceError) as caught:
        take_out(manager)
    assert caught.value.code == "service-did-not-stop"
    assert manager.installed == "something"


def test_one_that_somebody_looks_at_is_said_to_go_later() -> None:
    manager = MemoryManager(installed="something", lingers=True)
    assert "gone once services.msc is closed" in take_out(manager)


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("--repository", r"Z:\push", "watch"), "drive-of-a-user"),
        (("watch", "--source", "https://user:word@files.example.com/asr"), "secret-in-options"),
        (("watch", "--source", "https://files.example.com/asr?sv=1&sig=abc"), "secret-in-options"),
    ],
)
def test_options_that_do_not_suit_a_service_are_refused(words: tuple[str, ...], code: str) -> None:
    manager = MemoryManager(shares=("Z:",))
    with pytest.raises(InputError) as caught:
        put_in(manager, *words)
    assert caught.value.code == code
    assert "word" not in caught.value.message.replace("a password", "")
    assert manager.installed is None


@pytest.mark.skipif(sys.platform == "win32", reason="there it goes on")
@pytest.mark.parametrize(
    "act",
    [lambda: install((), clock=FakeClock(), patience=PATIENCE), lambda: remove(clock=FakeClock(), patience=PATIENCE)],
)
def test_elsewhere_than_on_windows_systemd_is_named(act: object) -> None:
    assert callable(act)
    with pytest.raises(InputError) as caught:
        act()
    assert caught.value.code == "not-on-windows"
    assert "watch unit" in caught.value.hint


def test_the_python_of_a_service_is_no_redirector_and_finds_our_packages() -> None:
    python = this_python()
    assert (python.folders != ()) == (sys.prefix != sys.base_prefix)
    words = split(command_line(("watch",), Python(python.program, (sysconfig.get_path("purelib"),))))
    assert words[1] == "-I"
    assert words[-1] == "watch"
    code = words[3].removesuffix("serve()") + "print(serve.__module__, sys.prefix == sys.base_prefix)"
    done = subprocess.run(
        [*words[:3], f"import sys;{code}"], capture_output=True, text=True, timeout=60, check=True, cwd="/"
    )
    assert done.stdout.split() == ["repo_manager.__main__", "True"]


def split(line: str) -> list[str]:
    """A command line's words, as Windows splits it where no quotes are in them."""
    return [word.strip('"') for word in shlex.split(line, posix=False)]


def test_folders_with_spaces_quotes_and_other_letters_survive_the_command_line() -> None:
    folder = "C:\\Prog'ram Fil\u00e9s\\site-packages"
    line = command_line(
        ("--repository", "D:\\a b\\", "watch"), Python("C:\\Program Files\\Python\\python.exe", (folder,))
    )
    assert line.startswith('"C:\\Program Files\\Python\\python.exe" -I -c "import site;site.addsitedir(')
    assert line.endswith('serve()" --repository "D:\\a b\\\\" watch')
    code = line.partition(' -c "')[2].partition('serve()"')[0]
    assert code.isascii()
    assert '"' not in code.replace('\\"', "")
    constants = [node.value for node in ast.walk(ast.parse(code.replace('\\"', '"'))) if isinstance(node, ast.Constant)]
    assert constants == [folder]
