"""Names from all over the world on a console that knows western letters alone."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import processes
import pytest
import small_world
from simulator import name_of

from repo_manager.core.errors import ExitCode

if TYPE_CHECKING:
    from pathlib import Path

    from small_world import World

RUSSIAN = "\u0416\u0443\u043a RHEL9-64.tar.gz"
FACE = "\U0001f600 RHEL9-64"
ACCENTS = "caf\xe9 RHEL9-64"
STREAMS = {
    "cp1252, strict": {"PYTHONIOENCODING": "cp1252:strict"},
    "cp850, strict": {"PYTHONIOENCODING": "cp850:strict"},
    "the C library's": {"PYTHONIOENCODING": "cp1252", "PYTHONLEGACYWINDOWSSTDIO": "1"},
    "utf-8": {"PYTHONUTF8": "1"},
}


def run(world: World, encoding: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[bytes]:
    done = subprocess.run(
        [sys.executable, "-m", "repo_manager", *arguments],
        env={**processes.environment(world), **encoding},
        capture_output=True,
        stdin=subprocess.DEVNULL,
        timeout=60,
        check=False,
    )
    assert b"Traceback" not in done.stderr
    assert b"internal-error" not in done.stderr
    assert b"UnicodeEncodeError" not in done.stderr
    return done


@pytest.mark.parametrize("encoding", STREAMS.values(), ids=STREAMS)
def test_every_name_is_shown_on_every_console(encoding: dict[str, str], tmp_path: Path) -> None:
    world = small_world.build(tmp_path / "\u043f\u0430\u043f\u043a\u0430")
    for name in (RUSSIAN, FACE, ACCENTS):
        world.put(name, b"strange")
    line = ("--repository", str(world.repository))
    codec = encoding.get("PYTHONIOENCODING", "utf-8").partition(":")[0]

    done = run(world, encoding, *line, "list", "--json")
    document = json.loads(done.stdout.decode("ascii"))
    assert {RUSSIAN, FACE, ACCENTS} <= {file["name"] for file in document["files"]}
    assert document["repository"] == str(world.repository)
    assert ACCENTS in run(world, encoding, *line, "list").stdout.decode(codec)

    report = world.root / "\u043e\u0442\u0447\u0451\u0442.csv"
    audit = run(world, encoding, *line, "audit", "--release", "latest", "--format", "csv", "--output", str(report))
    assert audit.returncode == ExitCode.FINDINGS
    text = report.read_text(encoding="utf-8-sig")
    assert RUSSIAN in text
    assert FACE in text

    source = ("--release", "latest", "--source", str(world.source), "--yes")
    done = run(world, encoding, "-v", *line, "sync", *source, "--yes")
    assert done.returncode == ExitCode.DONE, done.stderr
    assert (world.repository / name_of("Windows")).exists()
    assert not (world.repository / RUSSIAN).exists()
    # The damaged installer stays retired.
    restored = run(world, encoding, *line, "restore", "last", "--drop", "UBUNTU-22.04-64", "--yes")
    assert restored.returncode == ExitCode.FINDINGS, restored.stderr
    assert (world.repository / RUSSIAN).read_bytes() == b"strange"


@pytest.mark.parametrize("encoding", STREAMS.values(), ids=STREAMS)
@pytest.mark.parametrize("more", [(), ("--json",)], ids=["for people", "for programs"])
def test_an_error_about_such_a_name_is_a_sentence(
    encoding: dict[str, str], more: tuple[str, ...], tmp_path: Path
) -> None:
    world = small_world.build(tmp_path / "world")
    for arguments in (
        ("--repository", f"{tmp_path}\\{RUSSIAN}", "list", *more),
        ("--repository", str(world.repository), "add", f"{tmp_path}\\{FACE}", *more, "--yes"),
        ("show", RUSSIAN, *more),
        (*more, FACE),
    ):
        done = run(world, encoding, *arguments)
        assert done.returncode == ExitCode.USAGE
        assert b"error[" in done.stderr
        if more:
            assert json.loads(done.stdout.decode("ascii"))["error"]["code"]
