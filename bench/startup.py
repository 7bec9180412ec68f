"""What an operator waits for before anything happens: --version, list and resolve.

Against bare Python, which is the floor, and against `rclone version`, a Go program of the same
trade. The repository is a typical one: 30 files, the newest release and a few files beside it.
"""

from __future__ import annotations

import compileall
import json
import sys
from pathlib import Path
from statistics import median

import repo_manager as package
from bench import data
from bench.race import Contender, Report, Result, need, parser, program, race, repo_manager, version, workplace

INSTALLERS = 26


def typical_repository(folder: Path) -> int:
    """Fill `folder` as a server's looks; returns how many files there are."""
    made = data.make(folder, INSTALLERS, 0)
    for wanted in made[:3]:
        (folder / f"{wanted.token}_pushinstallclient.tar.gz").write_bytes(b"\x1f\x8b")
    (folder / "readme.txt").write_text("not ours\n", encoding="ascii")
    return len(list(folder.iterdir()))


def main() -> None:
    arguments = parser(__doc__ or "").parse_args()
    need("rclone")
    # An installed package is compiled by pip; in a checkout it may not be.
    compileall.compile_dir(Path(package.__file__).parent, quiet=2)
    report = Report("startup")
    report.facts(version("rclone", "version"))
    with workplace(arguments.work) as place:
        repository = place / "repository"
        count = typical_repository(repository)
        results = race(contenders(repository, count), arguments.rounds)
    report.table(results)

    def ratio(left: str, right: str) -> float:
        return _wall(results[left]) / _wall(results[right])

    report.ratio("--version / bare Python, wall", ratio("repo-manager --version", "python -c pass"), 6)
    report.ratio("list / rclone version, wall", ratio("repo-manager list", "rclone version"), 1.5)
    report.ratio("resolve / rclone version, wall", ratio("repo-manager resolve", "rclone version"), 1.5)
    report.ratio("--version / rclone version, wall", ratio("repo-manager --version", "rclone version"))
    report.save()


def contenders(repository: Path, count: int) -> list[Contender]:
    def listed(printed: bytes) -> None:
        if len(json.loads(printed)["files"]) != count:
            sys.exit("list did not show every file")

    def resolved(printed: bytes) -> None:
        if [answer["package"] for answer in json.loads(printed)["answers"]] != ["RHEL8-64"]:
            sys.exit("resolve gave another package")

    where = ("--repository", str(repository))
    return [
        Contender("python -c pass", (sys.executable, "-c", "pass")),
        Contender("repo-manager --version", repo_manager("--version")),
        Contender("repo-manager list", repo_manager(*where, "--json", "list"), check=listed),
        Contender(
            "repo-manager resolve",
            repo_manager(*where, "--json", "resolve", "Red Hat Enterprise Linux 8 (64-bit)"),
            check=resolved,
        ),
        Contender("rclone version", (program("rclone"), "version")),
    ]


def _wall(result: Result) -> float:
    return median(result.wall_s)


if __name__ == "__main__":
    main()
