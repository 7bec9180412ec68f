"""Types Ctrl-C into a console under Wine. A part of `make test-windows` that only the Linux side can play.

Run as `PYTHONPATH=tests:tests/worlds python -m windows.console`. A command of Windows Python runs in a terminal; Wine
makes the terminal its console. Prints a line per case, and ends with 1 if one failed.
"""

from __future__ import annotations

import os
import pty
import re
import select
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import small_world
from abuse_server import drip, serving
from windows import tier

from repo_manager.core.errors import ExitCode

LIMIT_S: Final = 120.0
CTRL_C: Final = b"\x03"


def main() -> int:
    """Both cases; 0 when they hold."""
    kit = tier.setup()
    with tier.temporary_prefix(kit) as prefix, tempfile.TemporaryDirectory() as folder:
        failed = 0
        for case in (_sync_of_a_silent_server, _watch):
            world = small_world.build(Path(folder) / case.__name__)
            before = small_world.snapshot(world)
            code, said = case(kit, prefix, world)
            good = code == ExitCode.INTERRUPTED and "Traceback" not in said and "error[interrupted]" in said
            good = good and small_world.snapshot(world).state == before.state
            tier._say(f"{'passed' if good else 'FAILED'}: Ctrl-C in a console, {case.__name__.strip('_')}: exit {code}")
            if not good:
                failed += 1
                tier._say(said)
    return 1 if failed else 0


def _sync_of_a_silent_server(kit: tier.Kit, prefix: Path, world: small_world.World) -> tuple[int, str]:
    released = threading.Event()
    with serving() as server:
        for path in world.source.iterdir():
            server.url(f"/{path.name}", drip(path.read_bytes(), released))
        words = ("sync", "--release", "latest", "--source", server.base, "--yes")
        ended = _typed(kit, prefix, world, words, lambda _: sum(server.sent.values()) > 0)
        released.set()
    return ended


def _watch(kit: tier.Kit, prefix: Path, world: small_world.World) -> tuple[int, str]:
    # Left alone for longer than this takes, so that nothing of the mess is put right.
    words = ("watch", "--yes", "--settle", "1000")
    return _typed(kit, prefix, world, words, lambda said: "changes are learned of" in said)


def _typed(
    kit: tier.Kit, prefix: Path, world: small_world.World, words: tuple[str, ...], ready: Callable[[str], bool]
) -> tuple[int, str]:
    """Run a command in a terminal, type Ctrl-C when it is ready, and say how it ended and what it showed."""
    named = {
        "REPO_MANAGER_CATALOG": tier.windows_path(world.catalog),
        "REPO_MANAGER_REPOSITORY": tier.windows_path(world.repository),
    }
    command = ["wine", tier.windows_path(kit.python / "python.exe"), "-m", "repo_manager", *words]
    variables = {**tier.environment(prefix, named), "TERM": "xterm"}
    process, terminal = pty.fork()
    if process == 0:
        os.chdir(tier.ROOT)
        os.execvpe(command[0], command, variables)  # noqa: S606 - the program under test
    shown, typed, until = b"", False, time.monotonic() + LIMIT_S
    while time.monotonic() < until:
        if select.select([terminal], [], [], 0.1)[0]:
            try:
                shown += os.read(terminal, 65536)
            except OSError:
                break
        if not typed and ready(shown.decode("utf-8", "replace")):
            os.write(terminal, CTRL_C)
            typed = True
    else:
        os.kill(process, 9)
    os.close(terminal)
    code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    return code, re.sub(r"\x1b\[[?0-9;]*[A-Za-z]", "", shown.decode("utf-8", "replace"))


if __name__ == "__main__":
    sys.exit(main())
