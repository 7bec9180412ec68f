"""Peak memory does not grow with the file: download, sync and a deep audit of one very large installer.

Each must stay under 120 MiB however large the file is. The bytes are compared after each run.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from bench import data
from bench.race import Contender, Report, empty, need, parser, race, repo_manager, workplace
from bench.server import nginx

LIMIT_MIB = 120


def main() -> None:
    options = parser(__doc__ or "")
    options.add_argument("--size", type=int, default=1024, help="MiB in the file (default 1024)")
    arguments = options.parse_args()
    need("nginx")
    report = Report("memory")
    report.facts(f"one file of {arguments.size} MiB")
    with workplace(arguments.work) as place:
        made = data.make(place / "source", 1, arguments.size)
        with nginx(place / "source", place / "nginx") as base:
            results = race(contenders(place, base, made), arguments.rounds)
    report.table(results)
    for name, result in results.items():
        report.most(f"peak of {name}", max(result.peak_mib), LIMIT_MIB, "MiB")
    report.save()


def contenders(place: Path, base: str, made: tuple[data.Made, ...]) -> list[Contender]:
    (wanted,) = made
    to, repository, audited = place / "to", place / "repository", place / "audited"
    # `prepare` copies it anew, so that the audit finds no digest kept from before.
    fresh = empty(audited)

    def copy() -> None:
        fresh()
        shutil.copyfile(place / "source" / wanted.name, audited / wanted.name)

    return [
        Contender(
            "download",
            repo_manager("--json", "download", wanted.token, "--to", str(to), "--source", base),
            empty(to),
            data.comparing(to, made),
        ),
        Contender(
            "sync",
            repo_manager(
                *("--repository", str(repository), "--json", "sync", "--source", base),
                *("--release", "latest", "--package", wanted.token, "--yes", "--no-restart"),
            ),
            empty(repository),
            data.comparing(repository, made),
        ),
        Contender(
            "audit --deep",
            repo_manager("--repository", str(audited), "--json", "audit", "--deep", "--fail-on", "never"),
            copy,
            data.comparing(audited, made),
        ),
    ]


if __name__ == "__main__":
    main()
