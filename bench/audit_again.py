"""A quick audit of a repository that a deep one has read.

Nothing has to be read: size, times and file id say that the digests kept from before still hold.
So the quick audit races against `find -printf`, which looks at the same names, plus what our own
start-up costs: the same command on an empty folder. The bytes that read calls returned are the
proof: the deep audit reads everything each time, the quick one nothing.
"""

from __future__ import annotations

import compileall
import json
import sys
from pathlib import Path
from statistics import median

import repo_manager as package
from bench import data
from bench.race import (
    MIB,
    Contender,
    Report,
    Result,
    need,
    parser,
    program,
    race,
    repo_manager,
    run,
    version,
    workplace,
)

GOAL = 1.5


def main() -> None:
    options = parser(__doc__ or "")
    options.add_argument("--count", type=int, default=24, help="installers (default 24)")
    options.add_argument("--size", type=int, default=100, help="MiB in each (default 100)")
    arguments = options.parse_args()
    need("find")
    report = Report("audit_again")
    report.facts(version("find"), f"{arguments.count} installers of {arguments.size} MiB")
    with workplace(arguments.work) as place:
        repository = place / "repository"
        made = data.make(repository, arguments.count, arguments.size)
        total = sum((repository / wanted.name).stat().st_size for wanted in made)
        line = repo_manager("--repository", str(repository), "--json", "audit", "--fail-on", "never")
        deep = Contender("audit --deep", (*line, "--deep"), check=_is_sound)
        audit = Contender("audit", line, check=_is_sound)
        empty = place / "empty"
        empty.mkdir()
        compileall.compile_dir(Path(package.__file__).parent, quiet=2)
        first, second = run(deep), run(deep)
        results = race(
            [
                audit,
                Contender("find -printf", (program("find"), str(repository), "-printf", "%f %s %T@ %i\\n")),
                Contender(
                    "the same, empty folder",
                    repo_manager("--repository", str(empty), "--json", "audit", "--fail-on", "never"),
                ),
                Contender("python -c pass", (sys.executable, "-c", "pass")),
            ],
            arguments.rounds,
        )
    report.table(results)
    quick, find, ours, bare = (_wall(result) for result in results.values())
    report.ratio("audit / (1.5 x find + our start-up), wall", quick / (GOAL * find + ours), 1.0)
    report.ratio("audit / (find + bare Python), wall", quick / (find + bare))
    report.ratio("audit / audit --deep, wall", quick / first.wall_s)
    idle = median(results["the same, empty folder"].read_mib)
    most = max(results["audit"].read_mib)
    report.say(f"      the folder holds {total / MIB:.0f} MiB; read calls returned, in MiB:")
    both = f"{first.read_bytes / MIB:.1f} and {second.read_bytes / MIB:.1f}"
    report.say(f"      deep audits {both}, quick ones {most:.1f}, start-up alone {idle:.1f}")
    # Both start-ups read modules, the audit a few more, and the digests kept from before.
    report.most("read by the quick audit beyond start-up", most - idle, 16, "MiB")
    if min(first.read_bytes, second.read_bytes) < total:
        sys.exit("the audits did not read what they had to")
    report.save()


def _is_sound(printed: bytes) -> None:
    bad = {"corrupt", "mislabelled", "partial", "stray", "duplicate", "unknown-package"}
    found = {finding["code"] for finding in json.loads(printed)["findings"]} & bad
    if found:
        sys.exit(f"the audit found {', '.join(sorted(found))} in a sound folder")


def _wall(result: Result) -> float:
    return median(result.wall_s)


if __name__ == "__main__":
    main()
