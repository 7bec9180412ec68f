"""Make the installers a race needs: real names, contents that pass every check, nothing from the vendor.

    python bench/data.py FOLDER --count 24 --size 20

Runs as its own process, because a race that had held the data would be counted as its children's
peak memory. Prints `TOKEN NAME SHA256` for every file.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import random
import subprocess
import sys
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MIB = 1 << 20
# Beyond this the sample would be made in memory several times over, and larger than random takes.
LARGEST_SAMPLE_MIB = 200


@dataclass(frozen=True, slots=True)
class Made:
    token: str
    name: str
    sha256: str


def make(folder: Path, count: int, size_mib: int, *more: str) -> tuple[Made, ...]:
    """Fill `folder` with `count` installers of the newest release, each with `size_mib` of payload.

    `more` are further options, see `--help`.
    """
    command = [sys.executable, __file__, str(folder), "--count", str(count), "--size", str(size_mib), *more]
    answer = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return tuple(Made(*line.split()) for line in answer.stdout.splitlines())


def digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_folder(folder: Path, made: tuple[Made, ...]) -> None:
    """Every file is there with its bytes, and nothing beside it; exits when not."""
    for wanted in made:
        path = folder / wanted.name
        if not path.is_file() or digest(path) != wanted.sha256:
            sys.exit(f"wrong bytes: {path}")
    expected = {wanted.name for wanted in made} | {"SHA256SUMS"}
    extra = {path.name for path in folder.iterdir() if path.is_file()} - expected
    if extra:
        sys.exit(f"left behind in {folder}: {', '.join(sorted(extra))}")


def comparing(folder: Path, made: tuple[Made, ...]) -> Callable[[bytes], None]:
    """The check of a contender that fills `folder`."""

    def check(printed: bytes) -> None:  # noqa: ARG001 - the harness hands it to every check
        check_folder(folder, made)

    return check


def main() -> None:
    # Here, because a race that imports this module must stay small.
    from repo_manager.core import catalog
    from repo_manager.demo.sample import sample_installer

    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("folder", type=Path)
    options.add_argument("--count", type=int, required=True)
    options.add_argument("--size", type=int, required=True, help="MiB of payload in each")
    options.add_argument("--package", help="of this package alone")
    options.add_argument("--older", action="store_true", help="of the release before the newest")
    arguments = options.parse_args()
    known = catalog.parse((ROOT / "catalog.yaml").read_text(encoding="utf-8"))
    release = [facts.release for facts in known.releases if facts.links][-2 if arguments.older else -1]
    links = tuple(link for link in known.links(release) if arguments.package in {None, link.token})
    if len(links) < arguments.count:
        sys.exit(f"release {release} has {len(links)} packages only")
    arguments.folder.mkdir(parents=True, exist_ok=True)
    if arguments.size > LARGEST_SAMPLE_MIB:
        links = tuple(link for link in links if link.name.extension == ".tar.gz")
    for seed, link in enumerate(links[: arguments.count]):
        path = arguments.folder / str(link.name)
        large = arguments.size > LARGEST_SAMPLE_MIB
        path.write_bytes(sample_installer(link.name, payload_bytes=0 if large else arguments.size * MIB, seed=seed))
        if large:
            enlarge(path, arguments.size * MIB)
        print(link.token, link.name, digest(path))


def enlarge(path: Path, size_bytes: int) -> None:
    """Write an archive anew with a payload of that size, without ever holding it in memory."""
    small = path.read_bytes()
    with tarfile.open(fileobj=io.BytesIO(small)) as old, tarfile.open(path, "w:gz", compresslevel=1) as new:
        for member in old:
            if member.name.startswith("InMage"):
                member.size = size_bytes
                new.addfile(member, Endless())
            else:
                new.addfile(member, old.extractfile(member))


class Endless(io.RawIOBase):
    """Random bytes for ever, the same each time."""

    def __init__(self) -> None:
        self._random = random.Random("payload")  # noqa: S311 - filler, not a secret

    def read(self, size: int = -1) -> bytes:
        return self._random.randbytes(size)


if __name__ == "__main__":
    main()
