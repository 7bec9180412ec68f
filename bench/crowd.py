"""Many processes at once: started together, some of them killed half-way and started again, all waited for.

Linux only. Whatever happens, no process outlives `together`.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

# Often enough to kill within a few MiB of the place that was drawn.
_LOOK_S = 0.01


@dataclass(frozen=True, slots=True)
class Job:
    """One command. It may write below `folder` alone; what it prints lies there, in `out` and `err`."""

    command: tuple[str, ...]
    folder: Path
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Kill:
    """Kill a job as soon as the file `part` has `size_bytes`, then start it again."""

    part: Path
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Ended:
    """How one job went, over both of its runs where it was killed.

    `kept_bytes` is what the file had after the kill, None for one that was not killed.
    """

    job: Job
    code: int
    wall_s: float
    cpu_s: float
    peak_bytes: int
    kept_bytes: int | None


def together(jobs: Sequence[Job], kills: Mapping[Path, Kill]) -> tuple[float, list[Ended]]:
    """Run all at once; returns the wall time of all and what came of each. `kills` are by the job's folder."""
    began = time.perf_counter()
    running: list[_Run] = []
    try:
        running = [_Run(job, kills.get(job.folder)) for job in jobs]
        while sum(run.look() for run in running) < len(running):
            time.sleep(_LOOK_S)
        return time.perf_counter() - began, [run.ended() for run in running]
    finally:
        for run in running:
            run.end()


class _Run:
    def __init__(self, job: Job, kill: Kill | None) -> None:
        self._job = job
        self._kill = kill
        self._kept: int | None = None
        self._cpu_s, self._peak_bytes, self._wall_s = 0.0, 0, 0.0
        self._began = time.perf_counter()
        self._process = self._start()

    def look(self) -> bool:
        """Whether it has ended."""
        if self._process.returncode is not None:
            return True
        if self._reap(os.WNOHANG):
            self._wall_s = time.perf_counter() - self._began
            return True
        if self._kill is not None and _size(self._kill.part) >= self._kill.size_bytes:
            self._process.send_signal(signal.SIGKILL)
            self._reap(0)
            self._kept = _size(self._kill.part)
            self._kill = None
            self._process = self._start()
        return False

    def ended(self) -> Ended:
        return Ended(self._job, self._process.returncode, self._wall_s, self._cpu_s, self._peak_bytes, self._kept)

    def end(self) -> None:
        if self._process.returncode is None:
            self._process.kill()
            self._process.wait()

    def _start(self) -> subprocess.Popen[bytes]:
        environment = {**os.environ, **self._job.environment}
        with (self._job.folder / "out").open("wb") as out, (self._job.folder / "err").open("wb") as err:
            # In a session of its own, a Ctrl-C is for the race alone, which then ends them.
            return subprocess.Popen(
                self._job.command,
                cwd=self._job.folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )

    def _reap(self, options: int) -> bool:
        pid, status, usage = os.wait4(self._process.pid, options)
        if not pid:
            return False
        # Popen must not wait for a process that is gone.
        self._process.returncode = os.waitstatus_to_exitcode(status)
        self._cpu_s += usage.ru_utime + usage.ru_stime
        self._peak_bytes = max(self._peak_bytes, usage.ru_maxrss * 1024)
        return True


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return -1
