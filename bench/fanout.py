"""One changed installer of 100 MiB, fetched by 200 followers from one server: nginx, serve, and Azurite.

Every follower is a real process, `repo-manager mirror`, with a repository and a home of its own. --at-once of them run
at the same time: a wave. When all of a wave have ended and were verified, the next one begins in the same folders,
which are put back to what they were. They are copies of one that was really mirrored, and have been read once, as any
follower's have; all but the changed installer are small. In turn, per server:

    nothing new   every follower asks whether there is something new
    mirror        every follower takes the change
    rclone        as many `rclone copyurl` fetch the same file, without looking at it
    killed        a third of the followers are killed while they fetch, at a place drawn by chance, and started again
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from bench import data
from bench.crowd import Ended, Job, Kill, together
from bench.race import MIB, Report, need, program, repo_manager, version, workplace
from bench.stations import Station, blob_store, serve, settled, web_server
from bench.wire import loopback_bytes, own_network

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

SERVERS: dict[str, Callable[[Path], AbstractContextManager[Station]]] = {
    "nginx": web_server,
    "serve": serve,
    "azurite": blob_store,
}
GOAL = 1.2
_PACKAGE = "RHEL9-64"
_PACKAGES = 25
_OWN = ".repo-manager"
_LEAST_FREE = 4 << 30


@dataclass(frozen=True, slots=True)
class Task:
    """What every part of the race needs to know. `old` and `new` are what the repositories hold, by name."""

    place: Path
    followers: int
    at_once: int
    random: random.Random
    old: dict[str, str]
    new: dict[str, str]
    changed: data.Made

    @property
    def payload_bytes(self) -> int:
        return (self.place / "new" / self.changed.name).stat().st_size


@dataclass(slots=True)
class Spent:
    """What all waves of one kind took. `cpu_s` has the server's time of each wave."""

    walls_s: list[float] = field(default_factory=list)
    cpu_s: list[float] = field(default_factory=list)
    requests: int = 0
    wire_bytes: int = 0
    ended: list[Ended] = field(default_factory=list)

    @property
    def kept(self) -> list[int]:
        return [one.kept_bytes for one in self.ended if one.kept_bytes is not None]


def main() -> None:
    arguments = _arguments()
    need("nginx", "rclone", "curl")
    alone = own_network()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended from outside"))
    report = Report("fanout")
    report.facts(version("nginx", "-v"), version("rclone"))
    report.say(f"command   python bench/fanout.py {' '.join(sys.argv[1:])}".rstrip())
    report.say(
        f"followers {arguments.followers}, each a process; {arguments.at_once} at a time on {os.cpu_count()} cores,"
        " which the server shares"
    )
    report.say(f"bytes     of a loopback {'of the race alone' if alone else 'which ALL OF THIS MACHINE uses'}")
    with workplace(arguments.work) as place:
        task = _prepared(place, arguments)
        report.say(f"change    1 of {len(task.old)} packages, {task.payload_bytes / 1e6:.1f} MB; seed {arguments.seed}")
        for name in arguments.servers:
            with SERVERS[name](place / name) as station:
                _race(report, task, station)
            shutil.rmtree(place / name)
    report.save()


def _arguments() -> argparse.Namespace:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--followers", type=int, default=200, help="how many (default 200)")
    options.add_argument("--at-once", type=int, default=50, help="how many run at the same time (default 50)")
    options.add_argument("--size", type=int, default=100, help="MiB of the change (default 100)")
    options.add_argument("--seed", type=int, default=1, help="for what is drawn by chance (default 1)")
    options.add_argument("--servers", nargs="+", choices=SERVERS, default=list(SERVERS), help="which (default all)")
    options.add_argument("--work", type=Path, help="where to make the temporary folder (default: the system's)")
    arguments = options.parse_args()
    if arguments.followers < 3 or arguments.at_once < 3 or arguments.size < 1:
        options.error("at least 3 followers, 3 at once, and 1 MiB")
    return arguments


# The race


def _race(report: Report, task: Task, station: Station) -> None:
    leader = task.place / "leader"
    trust = _publish(task, station, leader)
    seed = _seed(task, station, trust)
    crowds = [_crowd(task, first) for first in range(0, task.followers, task.at_once)]
    if not crowds[0][0].exists():
        for folder in crowds[0]:
            shutil.copytree(seed, folder)
        # The first run reads all files, because the copies are new to it.
        _measure(Spent(), station, _followers(station, seed, crowds[0]), _was_idle(task))
    spent = {name: Spent() for name in ("nothing new", "mirror", "rclone", "killed")}
    for crowd in crowds:
        _measure(spent["nothing new"], station, _followers(station, seed, crowd), _was_idle(task))
    newcomer = leader / task.changed.name
    shutil.copyfile(task.place / "new" / task.changed.name, newcomer)
    _publish(task, station, leader)
    newcomer.unlink()
    for number, crowd in enumerate(crowds, start=1):
        _measure(spent["mirror"], station, _followers(station, seed, crowd), _has_change(task))
        _measure(spent["rclone"], station, _fetchers(task, station, len(crowd)), _has_file(task))
        jobs = _followers(station, seed, crowd)
        _measure(spent["killed"], station, jobs, _has_change(task), _kills(task, jobs))
        print(f"  {station.name}: wave {number} of {len(crowds)}", file=sys.stderr, flush=True)
    _tell(report, task, station, spent)


def _crowd(task: Task, first: int) -> list[Path]:
    count = min(task.at_once, task.followers - first)
    return [task.place / "followers" / str(number) for number in range(count)]


def _measure(
    spent: Spent,
    station: Station,
    jobs: list[Job],
    check: Callable[[Ended], None],
    kills: dict[Path, Kill] | None = None,
) -> None:
    """Run one wave, and look at what each of it has."""
    free = shutil.disk_usage(jobs[0].folder).free
    if free < _LEAST_FREE:
        sys.exit(f"only {free >> 20} MiB of disk are free; take fewer --at-once")
    os.sync()
    cpu_s, requests, wire = settled(station), station.requests(), loopback_bytes()
    wall_s, ended = together(jobs, kills or {})
    spent.cpu_s.append(settled(station) - cpu_s)
    spent.wire_bytes += loopback_bytes() - wire
    spent.requests += station.requests() - requests
    spent.walls_s.append(wall_s)
    spent.ended += ended
    for one in ended:
        if one.code:
            sys.exit(f"{one.job.folder} ended with {one.code}\n{(one.job.folder / 'err').read_text(encoding='utf-8')}")
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for _ in pool.map(check, ended):
            pass


def _followers(station: Station, seed: Path, crowd: list[Path]) -> list[Job]:
    return [_follower(station, folder) for folder in crowd if _as_before(folder, seed)]


def _as_before(folder: Path, seed: Path) -> bool:
    """Give a follower's repository the state of the seed. What has not changed since stays the very file it was."""
    mine, before = folder / "repository", seed / "repository"
    shutil.rmtree(mine / _OWN)
    shutil.copytree(before / _OWN, mine / _OWN)
    wanted = {path.name for path in before.iterdir()}
    there = {path.name for path in mine.iterdir()}
    for name in there - wanted:
        (mine / name).unlink()
    for name in wanted - there:
        shutil.copy2(before / name, mine / name)
    return True


def _follower(station: Station, folder: Path, *more: str) -> Job:
    command = repo_manager(
        *("--repository", str(folder / "repository"), "--json", "mirror", station.place),
        *("--yes", "--no-restart", *more),
    )
    return Job(command, folder, {"HOME": str(folder / "home"), **station.variables})


def _fetchers(task: Task, station: Station, count: int) -> list[Job]:
    jobs = []
    for number in range(count):
        folder = task.place / "rclone" / str(number)
        folder.mkdir(parents=True)
        url = station.url(f"targets/{task.changed.sha256}.{task.changed.name}")
        command = (program("rclone"), "-q", "--config", "", "copyurl", url, str(folder / task.changed.name))
        jobs.append(Job(command, folder))
    return jobs


def _kills(task: Task, jobs: list[Job]) -> dict[Path, Kill]:
    """A third of them, each somewhere in the middle of what it fetches."""
    found = {}
    for job in task.random.sample(jobs, max(len(jobs) // 3, 1)):
        part = job.folder / "repository" / _OWN / "staging" / f"{task.changed.name}.part"
        found[job.folder] = Kill(part, int(task.payload_bytes * task.random.uniform(0.05, 0.95)))
    return found


# What must be so afterwards


def _was_idle(task: Task) -> Callable[[Ended], None]:
    def check(one: Ended) -> None:
        _expect(one, _report_of(one)["actions"] == [], "it changed something")
        _expect_repository(one, task.old)

    return check


def _has_change(task: Task) -> Callable[[Ended], None]:
    def check(one: Ended) -> None:
        repository = one.job.folder / "repository"
        _expect_repository(one, task.new)
        own = repository / _OWN
        committed = {path.name for path in (own / "transactions").iterdir()}
        # The first one mirrored all, before the copies were made.
        _expect(one, len(committed) == 2, f"transactions: {committed}")
        _expect(one, _report_of(one)["set"]["version"] == 2, "it has an old set")

    return check


def _has_file(task: Task) -> Callable[[Ended], None]:
    def check(one: Ended) -> None:
        _expect(one, data.digest(one.job.folder / task.changed.name) == task.changed.sha256, "wrong bytes")
        shutil.rmtree(one.job.folder)

    return check


def _expect_repository(one: Ended, wanted: dict[str, str]) -> None:
    """The repository has these files, each with its bytes, and nothing is under way or left over."""
    repository = one.job.folder / "repository"
    found = {path.name: data.digest(path) for path in repository.iterdir() if path.is_file()}
    _expect(one, found == wanted, f"it holds {sorted(found.items() ^ wanted.items())}")
    own = repository / _OWN
    _expect(one, not (own / "journal.json").exists(), "a transaction is under way")
    _expect(one, list((own / "staging").iterdir()) == [], "something is left in the staging area")


def _report_of(one: Ended) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((one.job.folder / "out").read_bytes())
    return found


def _expect(one: Ended, holds: bool, otherwise: str) -> None:  # noqa: FBT001 - it is what the name asks for
    if not holds:
        sys.exit(f"{one.job.folder}: {otherwise}")


# What is there before


def _prepared(place: Path, arguments: argparse.Namespace) -> Task:
    """The leader's repository with an older installer of one package, and the newer one, which is large."""
    leader = place / "leader"
    made = [one for one in data.make(leader, _PACKAGES, 0) if one.token != _PACKAGE]
    made += data.make(leader, 1, 0, "--package", _PACKAGE, "--older")
    (changed,) = data.make(place / "new", 1, arguments.size, "--package", _PACKAGE)
    (leader / changed.name).unlink()
    old = {one.name: one.sha256 for one in made}
    new = {one.name: one.sha256 for one in [*made[:-1], changed]}
    at_once = min(arguments.at_once, arguments.followers)
    chance = random.Random(arguments.seed)  # noqa: S311 - where to kill, not a secret
    return Task(place, arguments.followers, at_once, chance, old, new, changed)


def _publish(task: Task, station: Station, leader: Path) -> str:
    keys = task.place / "keys"
    command = repo_manager("--repository", str(leader), "--json", "publish", station.leader, "--keys", str(keys))
    answer = _run(command, station)
    return str(json.loads(answer)["root"])


def _seed(task: Task, station: Station, trust: str) -> Path:
    """A follower that has mirrored the first set, as all others begin."""
    seed = task.place / f"seed-{station.name}"
    (seed / "repository").mkdir(parents=True)
    (seed / "home").mkdir()
    job = _follower(station, seed, "--trust", trust)
    _, (ended,) = together([job], {})
    if ended.code:
        sys.exit(f"the first mirror ended with {ended.code}\n{(seed / 'err').read_text(encoding='utf-8')}")
    _expect_repository(ended, task.old)
    return seed


def _run(command: tuple[str, ...], station: Station) -> bytes:
    environment = {**os.environ, **station.leader_variables}
    answer = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    if answer.returncode:
        sys.exit(f"{' '.join(command)} ended with {answer.returncode}\n{answer.stderr.decode(errors='replace')}")
    return answer.stdout


# The result


def _tell(report: Report, task: Task, station: Station, spent: dict[str, Spent]) -> None:
    idle, mirrored, bare, killed = spent.values()
    count, payload = task.followers, task.payload_bytes
    report.say()
    report.say(f"## {station.name}")
    head = f"{'min':>7} {'median':>7} {'max':>7}"
    report.say(
        f"{'':12}  {'wall s of one':^23}  {'CPU s':>7} {'MiB':>5}  {'all, s':>7}  {'server':>7}  {'':>6}  {'wire':>9}"
    )
    report.say(f"{'':12}  {head}  {'of one':>7} {'peak':>5}  {'':>7}  {'CPU s':>7}  {'asked':>6}  {'MB':>9}")
    for name, what in spent.items():
        report.say(_row(name, what))
    report.say(f"verified: every file of all {3 * count} followers, and all {count} files that rclone fetched")
    report.say(f"memory of the server: {station.peak_bytes() / MIB:.0f} MiB at most")
    report.ratio(f"{station.name}: its CPU, mirror / rclone", _quotient(sum(mirrored.cpu_s), sum(bare.cpu_s)), GOAL)
    waves = [f"{_quotient(ours, theirs):.2f}" for ours, theirs in zip(mirrored.cpu_s, bare.cpu_s, strict=True)]
    report.say(f"      wave by wave: {', '.join(waves)}")
    report.ratio(f"{station.name}: bytes, mirror / rclone", mirrored.wire_bytes / bare.wire_bytes)
    report.ratio(f"{station.name}: wall of all, mirror / rclone", sum(mirrored.walls_s) / sum(bare.walls_s))
    report.say(
        f"      nothing new: {idle.requests / count:.2f} requests, {idle.wire_bytes / count:,.0f} bytes,"
        f" {1000 * sum(idle.cpu_s) / count:.2f} ms of the server each"
    )
    twice = (killed.wire_bytes - mirrored.wire_bytes) / max(len(killed.kept), 1)
    report.say(
        f"      killed: {len(killed.kept)}, with {sum(killed.kept) / 1e6:,.0f} MB fetched by then; sent twice"
        f" {twice / 1e6:.2f} MB each, {twice / payload:.1%} of the file"
    )


def _quotient(ours_s: float, theirs_s: float) -> float:
    """Of two readings of a clock that counts hundredths of a second."""
    return ours_s / max(theirs_s, 0.01)


def _row(name: str, spent: Spent) -> str:
    walls = [one.wall_s for one in spent.ended]
    three = " ".join(f"{value:7.2f}" for value in (min(walls), median(walls), max(walls)))
    cpu_s = median(one.cpu_s for one in spent.ended)
    peak = median(one.peak_bytes for one in spent.ended) / MIB
    return (
        f"{name:12}  {three}  {cpu_s:7.2f} {peak:5.0f}  {sum(spent.walls_s):7.1f}  {sum(spent.cpu_s):8.2f}"
        f"  {spent.requests:6}  {spent.wire_bytes / 1e6:10.2f}"
    )


if __name__ == "__main__":
    main()
