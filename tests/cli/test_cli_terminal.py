"""What a person sees at a terminal: the question, bars that come and go, colours, and Ctrl-C."""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING, Final

import pytest
from abuse_server import Honest, serving
from cli_world import data_of, name_of, real, tree

if TYPE_CHECKING:
    from abuse_server import AbuseServer, Request, Script
    from cli_world import Cli

if sys.platform == "win32":
    pytest.skip("terminals are another matter there: tests/windows", allow_module_level=True)

from terminal import terminal

PACKAGE: Final = "RHEL7-64"
AT: Final = ("--repository", "repo")


def by_pieces(data: bytes, next_piece: threading.Semaphore) -> Script:
    """A file in three pieces; the second and the third wait to be released."""
    honest, third = Honest(data), len(data) // 3

    def script(request: Request) -> None:
        if request.command == "HEAD":
            honest(request)
            return
        request.answer(200, {"Content-Length": str(len(data)), "ETag": '"build-1"'})
        for start, end in ((0, third), (third, 2 * third), (2 * third, len(data))):
            request.send_body(data[start:end])
            request.wfile.flush()
            if end < len(data):
                next_piece.acquire(timeout=20)

    return script


def _download_from(server: AbuseServer) -> tuple[str, ...]:
    return (*AT, "sync", "--package", PACKAGE, "--yes", "--source", server.base)


def test_nothing_happens_until_the_question_is_answered(tool: Cli) -> None:
    tool.mess()
    tool.fill_source()
    before = tree(tool.repository, own=False)
    with terminal(*AT, "sync", "--source", "source", cwd=tool.folder) as person:
        person.sees("Apply these changes? [y/N]")
        assert tree(tool.repository, own=False) == before
        person.types("n\n")
        assert person.ends() == 1
    assert tree(tool.repository, own=False) == before


def test_a_yes_is_enough(tool: Cli) -> None:
    tool.mess()
    tool.fill_source()
    with terminal(*AT, "sync", "--source", "source", cwd=tool.folder) as person:
        person.sees("Apply these changes? [y/N]")
        person.types("y\n")
        assert person.ends() == 0
    assert name_of("DEBIAN9-64") in tool.names()


def test_a_download_shows_how_far_it_is_and_leaves_no_bar_behind(tool: Cli) -> None:
    tool.fill(("OL7-64",))
    name, next_piece = name_of(PACKAGE), threading.Semaphore(0)
    with serving() as server:
        server.url(f"/{name}", by_pieces(data_of(name), next_piece))
        with terminal(*_download_from(server), cwd=tool.folder) as person:
            person.sees("downloading 1 file ")
            person.sees("/2.2 kB ")
            next_piece.release()
            person.sees("/s ")
            next_piece.release()
            assert person.ends() == 0
    assert not [line for line in person.lines if "downloading" in line]
    assert name in tool.names()


def test_ctrl_c_in_a_download_is_one_clear_message(tool: Cli) -> None:
    tool.fill(("OL7-64",))
    before = tree(tool.repository, own=False)
    name, next_piece = name_of(PACKAGE), threading.Semaphore(0)
    with serving() as server:
        server.url(f"/{name}", by_pieces(data_of(name), next_piece))
        with terminal(*_download_from(server), cwd=tool.folder) as person:
            person.sees("/2.2 kB ")
            person.types("\x03")
            assert person.ends() == 130
        next_piece.release(2)
    assert [line for line in person.lines if line.startswith("error[interrupted]: ")]
    assert not [line for line in person.lines if "downloading" in line or "Traceback" in line]
    assert tree(tool.repository, own=False) == before


def test_reading_machines_and_files_is_shown_while_it_lasts(tool: Cli) -> None:
    tool.fill()
    (tool.folder / "machines.csv").write_text("name,os\nweb-01,CentOS 7.9\n", encoding="utf-8")
    with terminal(*AT, "audit", "--deep", "--inventory", "machines.csv", cwd=tool.folder) as person:
        assert person.ends() == 0
    assert b"reading the machines" in person.raw
    assert b"checking" in person.raw
    assert not [line for line in person.lines if "reading the machines" in line or "checking" in line]


@pytest.mark.parametrize("words", [("--quiet",), ("--json",)])
def test_no_bar_is_shown_to_who_wants_none(tool: Cli, words: tuple[str, ...]) -> None:
    tool.fill()
    with terminal(*AT, *words, "audit", "--deep", cwd=tool.folder) as person:
        assert person.ends() == 0
    assert b"checking" not in person.raw


def test_colours_mean_something(tool: Cli) -> None:
    tool.mess()
    with terminal(*AT, "audit", cwd=tool.folder) as person:
        assert person.ends() == 1
    assert person.colours() == {"red", "brown", "cyan"}


@pytest.mark.parametrize(
    ("words", "environment"),
    [
        pytest.param((), {"NO_COLOR": "1"}, id="the convention"),
        pytest.param(("--no-color",), {}, id="the option"),
        pytest.param((), {"TERM": "dumb"}, id="a terminal that has none"),
    ],
)
def test_there_are_no_colours_for_who_wants_none(
    tool: Cli, words: tuple[str, ...], environment: dict[str, str]
) -> None:
    tool.mess()
    with terminal(*AT, *words, "audit", cwd=tool.folder, **environment) as person:
        assert person.ends() == 1
    assert person.colours() == set()


@pytest.mark.parametrize("arguments", [("audit",), ("prune", "--dry-run"), ("doctor",), ("--help",)])
def test_no_line_is_broken_by_the_edge_of_the_screen(tool: Cli, arguments: tuple[str, ...]) -> None:
    tool.mess()
    with terminal(*AT, *arguments, cwd=tool.folder) as person:
        person.ends()
    whole = real(*AT, *arguments, cwd=tool.folder, env={"COLUMNS": "80"})
    printed = [line.rstrip() for line in (whole.stdout + whole.stderr).decode().splitlines() if line.strip()]
    # How much is free may change between the two runs.
    steady = [[line for line in lines if " GB free" not in line] for lines in (person.lines, printed)]
    assert sorted(steady[0]) == sorted(steady[1])
