"""Fetch a release from a web server on this machine, four files at a time, and verify it.

repo-manager hashes and inspects every byte on the way and syncs it to the disk; aria2c and curl
only write. The server is a real nginx on loopback. Every byte of every contender is compared.
"""

from __future__ import annotations

from pathlib import Path
from statistics import median

from bench import data
from bench.race import Contender, Report, empty, need, parser, program, race, repo_manager, version, workplace
from bench.server import nginx


def main() -> None:
    options = parser(__doc__ or "")
    options.add_argument("--count", type=int, default=24, help="installers (default 24)")
    options.add_argument("--size", type=int, default=20, help="MiB in each (default 20)")
    options.add_argument("--full", action="store_true", help="100 MiB in each")
    arguments = options.parse_args()
    size = 100 if arguments.full else arguments.size
    need("nginx", "aria2c", "curl")
    report = Report("download")
    report.facts(version("aria2c"), version("curl"), version("nginx", "-v"), f"{arguments.count} files of {size} MiB")
    with workplace(arguments.work) as place:
        made = data.make(place / "source", arguments.count, size)
        with nginx(place / "source", place / "nginx") as base:
            results = race(contenders(place, base, made), arguments.rounds)
    report.table(results)
    ours, aria2c, curl = results.values()
    report.ratio("repo-manager / aria2c -j4, wall", median(ours.wall_s) / median(aria2c.wall_s), 0.5)
    report.ratio("repo-manager / curl --parallel, wall", median(ours.wall_s) / median(curl.wall_s), 0.8)
    report.ratio("repo-manager / curl --parallel, CPU", median(ours.cpu_s) / median(curl.cpu_s))
    report.save()


def contenders(place: Path, base: str, made: tuple[data.Made, ...]) -> list[Contender]:
    urls = [base + wanted.name for wanted in made]
    listing = place / "urls.txt"
    listing.write_text("\n".join(urls) + "\n", encoding="ascii")
    ours, aria2c, curl = place / "ours", place / "aria2c", place / "curl"
    tokens = [wanted.token for wanted in made]
    return [
        Contender(
            "repo-manager download (verified)",
            repo_manager("--json", "download", *tokens, "--to", str(ours), "--source", base),
            empty(ours),
            data.comparing(ours, made),
        ),
        Contender(
            "aria2c -j4 (no hashing)",
            (program("aria2c"), "-q", "-j4", "-x1", "--file-allocation=none", "-d", str(aria2c), "-i", str(listing)),
            empty(aria2c),
            data.comparing(aria2c, made),
        ),
        Contender(
            "curl --parallel (no hashing)",
            (
                *(program("curl"), "-sS", "--fail", "--parallel", "--parallel-max", "4"),
                *("--remote-name-all", "--output-dir", str(curl), *urls),
            ),
            empty(curl),
            data.comparing(curl, made),
        ),
    ]


if __name__ == "__main__":
    main()
