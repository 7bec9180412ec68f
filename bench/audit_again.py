"""A deep audit of a repository that has not changed since the last one.

Nothing has to be read: size, times and file id say that the digests kept from before still hold.
So the second audit races against `find -printf`, which looks at the same names, plus what our own
start-up costs: the same command on an empty folder. The bytes that read calls returned are the
proof: the first audit reads everything, the second nothing, and one touched file is read again, alone.
"""

from __future__ import annotations

import compileall
import json
import os
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
        audit = Contender(
            "audit --deep again",
            repo_manager("--repository", str(repository), "--json", "audit", "--deep", "--fail-on", "never"),
            check=_is_sound,
        )
        empty = place / "empty"
        empty.mkdir()
        compileall.compile_dir(Path(package.__file__).parent, quiet=2)
        first = run(audit)
        results = race(
            [
                audit,
                Contender("find -printf", (program("find"), str(repository), "-printf", "%f %s %T@ %i\\n")),
                Contender(
                    "the same, empty folder",
                    repo_manager("--repository", str(empty), "--json", "audit", "--deep", "--fail-on", "never"),
                ),
                Contender("python -c pass", (sys.executable, "-c", "pass")),
            ],
            arguments.rounds,
        )
        touched = repository / made[0].name
        os.utime(touched)
        after_touch = run(audit)
    report.table(results)
    again, find, ours, bare = (_wall(result) for result in results.values())
    report.ratio("audit again / (1.5 x find + our start-up), wall", again / (GOAL * find + ours), 1.0)
    report.ratio("audit again / (find + bare Python), wall", again / (find + bare))
    report.ratio("audit again / the first audit, wall", again / first.wall_s)
    idle = median(results["the same, empty folder"].read_mib)
    second = max(results["audit --deep again"].read_mib)
    report.say(f"      the folder holds {total / MIB:.0f} MiB; read calls returned, in MiB:")
    report.say(f"      first audit {first.read_bytes / MIB:.1f}, again {second:.1f}, start-up alone {idle:.1f}")
    # Both start-ups read modules, the audit a few more, and the digests kept from before.
    report.most("read by the second audit beyond start-up", second - idle, 16, "MiB")
    one = after_touch.read_bytes / MIB - second
    report.say(f"      after one file of {arguments.size} MiB was touched: {one:.1f} more")
    if first.read_bytes < total or not 0.9 * arguments.size < one < 2 * arguments.size + 1:
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
