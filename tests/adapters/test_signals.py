"""Real processes that are asked to end, in every way there is."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Final

import processes
import pytest
import small_world
from abuse_server import drip, serving
from processes import cli, until
from small_world import snapshot

from repo_manager.adapters import signals
from repo_manager.adapters.filesystem.repository_folder import SUBFOLDER
from repo_manager.core.errors import ExitCode

if TYPE_CHECKING:
    from small_world import World

CHILD: Final = Path(__file__).parents[1] / "worlds" / "interrupted_child.py"

REQUESTS: Final = ("SIGINT", "SIGBREAK") if sys.platform == "win32" else ("SIGINT", "SIGTERM", "SIGHUP")

ASKED_BY_ITSELF: Final = """
import runpy, signal, sys, threading
def listen():
    for line in sys.stdin: signal.raise_signal(signal.Signals[line.strip()])
threading.Thread(target=listen, daemon=True).start()
del sys.argv[0]
if sys.argv[0] == "-m": runpy.run_module(sys.argv.pop(1), run_name="__main__", alter_sys=True)
elif sys.argv[0] == "-c": exec(sys.argv.pop(1))
else: runpy.run_path(sys.argv[0], run_name="__main__")
"""
"""Windows has signals, but only a console can send them, and the tests have none: the process sends them to itself."""


def start(world: World, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, *(("-c", ASKED_BY_ITSELF) if sys.platform == "win32" else ()), *words],
        env={**processes.environment(world), "PYTHONPATH": str(CHILD.parent)},
        cwd=CHILD.parents[1],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )


def ask_to_end(process: subprocess.Popen[str], request: str) -> None:
    if sys.platform == "win32":
        assert process.stdin is not None
        process.stdin.write(f"{request}\n")
        process.stdin.flush()
    else:
        process.send_signal(signal.Signals[request])


@pytest.mark.parametrize("request_name", REQUESTS)
def test_a_request_to_end_while_a_server_says_nothing_ends_with_130(request_name: str, tmp_path: Path) -> None:
    world = small_world.build(tmp_path / "world")
    at = ("--repository", str(world.repository))
    before, released = snapshot(world), threading.Event()
    with serving() as server:
        for path in world.source.iterdir():
            server.url(f"/{path.name}", drip(path.read_bytes(), released))
        line = ("-m", "repo_manager", *at, "sync", "--release", "latest", "--source", server.base, "--yes")
        with start(world, *line) as process:
            until(lambda: sum(server.sent.values()) > 0, "the download has begun")
            ask_to_end(process, request_name)
            _, said = process.communicate(timeout=30)
        released.set()
    assert process.returncode == ExitCode.INTERRUPTED, said
    assert "error[interrupted]" in said
    assert "Traceback" not in said
    assert snapshot(world).state == before.state
    done = cli(world, *at, "sync", "--release", "latest", "--source", str(world.source), "--yes")
    assert done.returncode == ExitCode.DONE, done.stderr


@pytest.mark.parametrize("request_name", REQUESTS)
def test_a_second_request_does_not_cut_short_what_is_being_put_back(request_name: str, tmp_path: Path) -> None:
    world = small_world.build(tmp_path / "world")
    before = snapshot(world)
    with start(world, str(CHILD), str(world.root)) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == "waiting\n"
        assert snapshot(world).state != before.state
        ask_to_end(process, request_name)
        assert process.stdout.readline() == "waiting\n"
        ask_to_end(process, request_name)
        said = process.stderr.readline()
        (world.root / "go").touch()
        _, more = process.communicate(timeout=30)
    assert process.returncode == ExitCode.INTERRUPTED, more
    assert said.startswith("still putting back what was begun; '")
    assert str(process.pid) in said
    assert snapshot(world).state == before.state
    assert not (world.repository / SUBFOLDER / "journal.json").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="there is no nohup")
def test_what_the_caller_ignores_stays_ignored(tmp_path: Path) -> None:
    script = (
        "import os, signal; signal.signal(signal.SIGHUP, signal.SIG_IGN)\n"
        "from repo_manager.adapters import signals as interrupts; interrupts.listen()\n"
        "os.kill(os.getpid(), signal.SIGHUP); print('alive')"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, "alive\n")


def test_without_any_stream_the_command_line_still_works() -> None:
    script = (
        "import sys; sys.stdout = sys.stderr = None; sys.argv = ['repo-manager', 'parse', 'nonsense']\n"
        "from repo_manager.__main__ import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    # On POSIX a shell has closed them, so that the answer cannot be written.
    expected = ExitCode.FINDINGS if sys.platform == "win32" else ExitCode.TRANSFER
    assert (done.returncode, done.stdout, done.stderr) == (expected, "", "")


# A command that wants to be told


STAYING: Final = """
import sys, threading
from repo_manager.adapters import signals as interrupts
interrupts.listen()
ended = threading.Event()
try:
    with interrupts.told_to_stop(ended.set) as told:
        print("listening", flush=True)
        while not ended.wait(0.1): pass
        print(f"asked: {told.asked}", flush=True)
        threading.Event().wait(0.1)
        while "again" in sys.argv: threading.Event().wait(0.1)
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""


@pytest.mark.parametrize("request_name", REQUESTS)
def test_a_command_that_stays_is_told_first_and_interrupted_second(request_name: str, tmp_path: Path) -> None:
    world = small_world.build(tmp_path / "world")
    with start(world, "-c", STAYING, "again") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "listening\n"
        ask_to_end(process, request_name)
        assert process.stdout.readline() == "asked: True\n"
        ask_to_end(process, request_name)
        assert process.stdout.readline() == "interrupted\n"
    assert process.returncode == 0


def test_a_command_that_nobody_interrupts_ends_by_itself_and_leaves_signals_as_they_were() -> None:
    before = signal.getsignal(signal.SIGINT)
    with signals.told_to_stop(lambda: None) as told:
        assert signal.getsignal(signal.SIGINT) is not before
    assert signal.getsignal(signal.SIGINT) is before
    assert not told.asked


def test_a_request_from_another_thread_reaches_a_command_that_is_in_no_main_thread() -> None:
    listening, ended, seen = threading.Event(), threading.Event(), []

    def command() -> None:
        with signals.told_to_stop(ended.set) as told:
            listening.set()
            ended.wait(30)
            seen.append(told.asked)

    thread = threading.Thread(target=command)
    thread.start()
    assert listening.wait(30)
    signals.request()
    thread.join(30)
    assert seen == [True]


def test_a_request_that_came_before_the_command_listened_is_not_lost() -> None:
    script = (
        "from repo_manager.adapters import signals as interrupts; interrupts.request()\n"
        "with interrupts.told_to_stop(lambda: print('told')) as told: print(told.asked)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, "told\nTrue\n")
