"""The ground every race runs on: start contenders in turn, measure them, compare medians.

One round starts every contender once, A B A B, so that a slow minute of the machine hurts all of
them alike. The first round warms up and is thrown away. Each contender is its own process; its
numbers are the kernel's: user and system CPU and peak memory from wait4, bytes read from
/proc/PID/io, looked at after the process has ended and before it is reaped. Linux only.
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parent.parent
MIB = 1 << 20

# A program and the Debian package that brings it.
PACKAGES = {
    "aria2c": "aria2",
    "curl": "curl",
    "find": "findutils",
    "nginx": "nginx-light",
    "rclone": "rclone",
    "rsync": "rsync",
}


@dataclass(frozen=True, slots=True)
class Contender:
    """One command. `prepare` and `check` run outside the measurement; `check` gets what it printed."""

    name: str
    command: tuple[str, ...]
    prepare: Callable[[], None] | None = None
    check: Callable[[bytes], None] | None = None


@dataclass(frozen=True, slots=True)
class Sample:
    """One run. `read_bytes` is what read calls returned, from a disk, a cache or a socket alike."""

    cpu_s: float
    wall_s: float
    peak_bytes: int
    read_bytes: int


@dataclass(frozen=True, slots=True)
class Result:
    name: str
    samples: tuple[Sample, ...]

    @property
    def cpu_s(self) -> tuple[float, ...]:
        return tuple(sample.cpu_s for sample in self.samples)

    @property
    def wall_s(self) -> tuple[float, ...]:
        return tuple(sample.wall_s for sample in self.samples)

    @property
    def peak_mib(self) -> tuple[float, ...]:
        return tuple(sample.peak_bytes / MIB for sample in self.samples)

    @property
    def read_mib(self) -> tuple[float, ...]:
        return tuple(sample.read_bytes / MIB for sample in self.samples)


@dataclass(slots=True)
class Report:
    """What a race prints, and keeps in bench/results/ under its name."""

    name: str
    lines: list[str] = field(default_factory=list)
    missed: int = 0

    def say(self, line: str = "") -> None:
        print(line, flush=True)
        self.lines.append(line)

    def facts(self, *versions: str) -> None:
        """The machine and the day: a result without them is worth nothing."""
        self.say(f"# {self.name}")
        self.say(f"date      {datetime.now(UTC):%Y-%m-%d %H:%M} UTC")
        self.say(f"machine   {_cpu_model()}, {os.cpu_count()} cores, {_memory_gib():.0f} GiB, {platform.release()}")
        self.say(f"load      {os.getloadavg()[0]:.2f} at the start")
        self.say(f"python    {platform.python_version()}")
        for version in versions:
            self.say(f"against   {version}")

    def table(self, results: dict[str, Result]) -> None:
        width = max(len(name) for name in results)
        self.say()
        self.say(f"{'':{width}}  {'CPU s':^23}  {'wall s':^23}  {'peak MiB':^20}  {'read MiB':>9}")
        head = f"{'min':>7} {'median':>7} {'max':>7}"
        self.say(f"{'':{width}}  {head}  {head}  {'min':>6} {'median':>6} {'max':>6}  {'median':>9}")
        for name, result in results.items():
            self.say(
                f"{name:{width}}  {_three(result.cpu_s, 7, 3)}  {_three(result.wall_s, 7, 3)}"
                f"  {_three(result.peak_mib, 6, 1)}  {median(result.read_mib):9.1f}"
            )
        # A child counts its parent's size as its own peak until it has started its program.
        floor = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / MIB
        self.say(f"peaks below {floor:.0f} MiB cannot be told apart: the race itself is that large")
        self.say()

    def ratio(self, what: str, value: float, goal: float | None = None) -> None:
        self._compare("RATIO", what, f"{value:.2f}", None if goal is None else value <= goal, f"<= {goal}")

    def most(self, what: str, value: float, limit: float, unit: str) -> None:
        self._compare("MOST", what, f"{value:.1f} {unit}", value <= limit, f"<= {limit:g} {unit}")

    def least(self, what: str, value: float, limit: float, unit: str) -> None:
        self._compare("LEAST", what, f"{value:,.0f} {unit}", value >= limit, f">= {limit:,.0f} {unit}")

    def _compare(self, kind: str, what: str, value: str, met: bool | None, goal: str) -> None:  # noqa: FBT001 - private
        verdict = "" if met is None else f"   goal {goal}: {'met' if met else 'MISSED'}"
        self.missed += met is False
        self.say(f"{kind:5} {what}: {value}{verdict}")

    def save(self) -> None:
        folder = ROOT / "bench" / "results"
        folder.mkdir(exist_ok=True)
        (folder / f"{self.name}.txt").write_text("\n".join(self.lines) + "\n", encoding="utf-8")


def parser(text: str) -> argparse.ArgumentParser:
    """The options every race has."""
    options = argparse.ArgumentParser(description=text, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rounds", type=_rounds, default=5, help="measured rounds after the warm-up (default 5)")
    options.add_argument("--work", type=Path, help="where to make the temporary folder (default: the system's)")
    return options


@contextmanager
def workplace(parent: Path | None) -> Iterator[Path]:
    """A temporary folder, gone afterwards.

    From then on every contender has its home in it: nobody's own settings or caches take part, and
    none are left behind. A proxy, if there is one, is not for this machine itself.
    """
    with tempfile.TemporaryDirectory(prefix="race-", dir=parent, ignore_cleanup_errors=True) as name:
        home = Path(name, "home")
        home.mkdir()
        for variable in [key for key in os.environ if key.startswith(("XDG_", "REPO_MANAGER_", "RCLONE_"))]:
            del os.environ[variable]
        os.environ.update(HOME=str(home), no_proxy="127.0.0.1", LC_ALL="C.UTF-8")
        yield Path(name)


def race(contenders: list[Contender], rounds: int) -> dict[str, Result]:
    """Run everybody in turn; exits when a contender fails or leaves wrong bytes."""
    samples: dict[str, list[Sample]] = {contender.name: [] for contender in contenders}
    for number in range(rounds + 1):
        for contender in contenders:
            sample = run(contender)
            if number:
                samples[contender.name].append(sample)
        print(f"  round {number} of {rounds}{'' if number else ' (warm-up)'}", file=sys.stderr, flush=True)
    return {name: Result(name, tuple(taken)) for name, taken in samples.items()}


def run(contender: Contender) -> Sample:
    """Run one contender once."""
    if contender.prepare:
        contender.prepare()
    # What an earlier contender left to be written must not be paid for by this one.
    os.sync()
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        started = time.perf_counter()
        process = subprocess.Popen(contender.command, stdin=subprocess.DEVNULL, stdout=out, stderr=err)
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        wall = time.perf_counter() - started
        read = _read_bytes(process.pid)
        _, status, usage = os.wait4(process.pid, 0)
        # Popen must not wait for a process that is gone.
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        if process.returncode:
            last = err.read().decode(errors="replace")[-2000:] or out.read().decode(errors="replace")[-2000:]
            sys.exit(f"{contender.name} ended with {process.returncode}: {' '.join(contender.command)}\n{last}")
        if contender.check:
            contender.check(out.read())
    return Sample(usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss * 1024, read)


def need(*programs: str) -> None:
    """See that the contenders are here: install Debian's packages as root, or else say what is missing."""
    missing = [program for program in programs if _which(program) is None]
    if not missing:
        return
    packages = [PACKAGES[program] for program in missing]
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        sys.exit(f"missing: {', '.join(missing)}; install {' '.join(packages)} and run this again")
    # In run level 1 Debian does not start a service it has just installed.
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    install = ["apt-get", "install", "-y", "-q", "--no-install-recommends", *packages]
    if subprocess.run(install, env=quiet, stdout=subprocess.DEVNULL, check=False).returncode:
        subprocess.run(["apt-get", "update", "-q"], env=quiet, stdout=subprocess.DEVNULL, check=True)
        subprocess.run(install, env=quiet, stdout=subprocess.DEVNULL, check=True)


def program(name: str) -> str:
    """The full path of a program that `need` has seen."""
    found = _which(name)
    if found is None:
        sys.exit(f"{name} is not here")
    return found


def version(name: str, option: str = "--version") -> str:
    """The first line of what a program says of itself."""
    answer = subprocess.run([program(name), option], capture_output=True, text=True, check=False)
    return (answer.stdout or answer.stderr).splitlines()[0]


def repo_manager(*arguments: str) -> tuple[str, ...]:
    """Our own command, as an operator starts it."""
    script = Path(sys.executable).with_name("repo-manager")
    start = (str(script),) if script.exists() else (sys.executable, "-m", "repo_manager")
    return (*start, *arguments)


def empty(folder: Path) -> Callable[[], None]:
    """A `prepare` that leaves the folder there and empty."""

    def prepare() -> None:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)

    return prepare


def _read_bytes(pid: int) -> int:
    fields = dict(line.split(": ") for line in Path(f"/proc/{pid}/io").read_text(encoding="ascii").splitlines())
    return int(fields["rchar"])


def _which(name: str) -> str | None:
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")


def _three(values: tuple[float, ...], width: int, digits: int) -> str:
    return " ".join(f"{value:{width}.{digits}f}" for value in (min(values), median(values), max(values)))


def _rounds(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError("at least one round")
    return int(text)


def _cpu_model() -> str:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    return next((line.split(": ")[1] for line in lines if line.startswith("model name")), platform.machine())


def _memory_gib() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30)
