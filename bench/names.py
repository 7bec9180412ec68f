"""How many names a second the parser takes apart: 100,000 distinct ones, in one process.

Two sets. *field*: what a large archive holds, every package of many releases; versions and dates
repeat. *distinct*: every version is another one, so that no cache helps. Goal: 300,000 a second on
the field's names. A process that only reads the same list shows what start-up costs.
"""

from __future__ import annotations

import subprocess
import sys
import time
from datetime import date, timedelta
from pathlib import Path
from statistics import median

from bench.race import ROOT, Contender, Report, parser, race, repo_manager, workplace

GOAL_PER_S = 300_000
DAY_ZERO = date(2005, 1, 1)
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def tokens() -> list[str]:
    from repo_manager.core import catalog

    return list(catalog.parse((ROOT / "catalog.yaml").read_text(encoding="utf-8")).packages)


def field_names(count: int) -> list[str]:
    """Every package of one build after the other, of the builds of one day after the other."""
    known = tokens()
    builds = -(-count // len(known))
    return [
        _name(f"9.{20 + build % 47}.{5000 + build // 2}.1", token, 5000 + build // 2)
        for build in range(builds)
        for token in known
    ][:count]


def distinct_names(count: int) -> list[str]:
    known = tokens()
    return [_name(f"9.{n % 90}.{n // 90}.{n % 7}", known[n % len(known)], 5000 + n % 2600) for n in range(count)]


def _name(version: str, token: str, day: int) -> str:
    built = DAY_ZERO + timedelta(days=day)
    extension = "tar.gz" if token.endswith(("64", "32")) else "exe"
    stamp = f"{built.day:02}{MONTHS[built.month - 1]}{built.year}"
    return f"Microsoft-ASR_UA_{version}_{token}_GA_{stamp}_release.{extension}"


def make(label: str, count: int, listing: Path) -> None:
    made = field_names(count) if label == "field" else distinct_names(count)
    if len(set(made)) != count:
        sys.exit(f"the {label} names are not distinct")
    listing.write_text("\n".join(made) + "\n", encoding="ascii")


def child(what: str, listing: str) -> None:
    """Read the list and, for `parse`, take every name apart; print the seconds of the parsing alone."""
    from repo_manager.core.names import parse

    lines = Path(listing).read_text(encoding="ascii").splitlines()
    started = time.perf_counter()
    if what == "parse":
        for line in lines:
            parse(line)
    print(time.perf_counter() - started)


def main() -> None:
    if len(sys.argv) == 4 and sys.argv[1] == "--child":
        child(*sys.argv[2:])
        return
    if len(sys.argv) == 5 and sys.argv[1] == "--make":
        make(sys.argv[2], int(sys.argv[3]), Path(sys.argv[4]))
        return
    options = parser(__doc__ or "")
    options.add_argument("--count", type=int, default=100_000, help="names in each set (default 100,000)")
    arguments = options.parse_args()
    report = Report("names")
    report.facts()
    with workplace(arguments.work) as place:
        seconds: dict[str, list[float]] = {}
        contenders: list[Contender] = []
        for label in ("field", "distinct"):
            listing = place / f"{label}.txt"
            # In a process of its own: what a race holds counts as its children's peak.
            subprocess.run([sys.executable, __file__, "--make", label, str(arguments.count), str(listing)], check=True)
            seconds[label] = []
            contenders += [_contender(what, label, listing, seconds[label]) for what in ("parse", "read")]
        contenders.append(_command_line(place / "field.txt", arguments.count))
        results = race(contenders, arguments.rounds)
    report.table(results)
    for label, taken in seconds.items():
        # The first is the warm-up's.
        rate = arguments.count / median(taken[1:])
        if label == "field":
            report.least(f"names parsed, {label}", rate, GOAL_PER_S, "/s")
        else:
            report.say(f"      names parsed, {label}: {rate:,.0f} /s")
    report.save()


def _contender(what: str, label: str, listing: Path, seconds: list[float]) -> Contender:
    def keep(printed: bytes) -> None:
        if what == "parse":
            seconds.append(float(printed))

    return Contender(f"{what} {label}", (sys.executable, __file__, "--child", what, str(listing)), check=keep)


def _command_line(listing: Path, count: int) -> Contender:
    """The same through the command, with its JSON: every name must come back as one."""

    def check(printed: bytes) -> None:
        if printed.count(b'"release"') < count:
            sys.exit("repo-manager parse lost names")

    command = ("sh", "-c", 'exec "$@" < "$0"', str(listing), *repo_manager("--json", "parse", "-"))
    return Contender("repo-manager --json parse -", command, check=check)


if __name__ == "__main__":
    main()
