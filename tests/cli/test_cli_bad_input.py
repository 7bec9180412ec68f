"""What people get wrong, and what goes wrong around them: one clear message each, and nothing half done."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import pytest
from abuse_server import Honest, Request, always, serving
from cli_world import OLD, data_of, name_of, real, tree, unprivileged

from repo_manager.core import names
from repo_manager.demo.sample import sample_installer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from abuse_server import Script
    from cli_world import Answer, Cli

# Every command that looks at a repository, as it is given to one that is no good.
LOOKING: Final = (("list",), ("audit",), ("audit", "--deep"), ("restore",))
SYNC: Final = ("sync", "--source", "source", "--yes")
CHANGING: Final = (SYNC, (*SYNC, "--dry-run"), ("prune", "--yes"), ("restore", "last", "--yes"))


def refused(answer: Answer, exit_code: int, *codes: str) -> dict[str, str]:
    """One message for people and one document for programs, both of which say what to do."""
    assert answer.code == exit_code, answer.err
    error: dict[str, str] = answer.document["error"]
    assert error["code"] in codes
    assert error["hint"]
    assert answer.err.count("error[") == 1
    assert f"error[{error['code']}]: " in answer.err
    assert "  hint: " in answer.err
    assert "Traceback" not in answer.err
    assert "Errno" not in error["message"], "numbers are for programmers"
    return error


@contextmanager
def untouched(tool: Cli) -> Iterator[None]:
    """Nothing changes but the tool's own sub-folder."""

    def seen() -> dict[str, str]:
        return {name: digest for name, digest in tree(tool.folder).items() if ".repo-manager" not in name}

    before = seen()
    yield
    assert seen() == before


# Folders


@pytest.mark.parametrize("command", [*LOOKING, *CHANGING], ids=" ".join)
def test_a_missing_folder(tool: Cli, command: tuple[str, ...]) -> None:
    tool.fill_source()
    with untouched(tool):
        error = refused(tool.repo_json(*command), 2, "no-repository")
    assert "repo" in error["message"]
    assert not tool.repository.exists()


@pytest.mark.parametrize("command", [*LOOKING, *CHANGING], ids=" ".join)
def test_a_file_where_a_folder_is_meant(tool: Cli, command: tuple[str, ...]) -> None:
    tool.fill_source()
    tool.repository.write_bytes(b"I am a file")
    with untouched(tool):
        refused(tool.repo_json(*command), 2, "not-a-folder")


def test_a_file_where_the_folder_to_fill_is_meant(tool: Cli) -> None:
    tool.fill_source()
    (tool.folder / "carry").write_bytes(b"I am a file")
    with untouched(tool):
        refused(tool.json("download", "RHEL5-64", "--to", "carry", "--source", "source"), 2, "not-a-folder")


@pytest.mark.skipif(sys.platform == "win32", reason="rights are another matter there")
@pytest.mark.parametrize("command", [*LOOKING, *CHANGING], ids=" ".join)
def test_a_folder_that_may_not_be_read(open_tool: Cli, command: tuple[str, ...]) -> None:
    open_tool.mess()
    open_tool.fill_source()
    open_tool.repo_json(*command, *(["--dry-run"] if command in CHANGING and "--dry-run" not in command else []))
    open_tool.repository.chmod(0)
    try:
        answer = unprivileged(open_tool, "--json", "--repository", "repo", *command)
    finally:
        open_tool.repository.chmod(0o755)
    refused(answer, 2, "no-rights")


@pytest.mark.skipif(sys.platform == "win32", reason="rights are another matter there")
@pytest.mark.parametrize(
    "command",
    [
        SYNC,
        (
            "prune",
            "--yes",
        ),
        ("add", f"source/{name_of('RHEL5-64')}", "--yes"),
    ],
)
def test_a_folder_that_may_not_be_written(open_tool: Cli, command: tuple[str, ...]) -> None:
    open_tool.mess()
    open_tool.fill_source()
    open_tool.repo_json(*command, "--dry-run")
    open_tool.repository.chmod(0o555)
    before = tree(open_tool.repository)
    try:
        answer = unprivileged(open_tool, "--json", "--repository", "repo", *command)
    finally:
        open_tool.repository.chmod(0o755)
    refused(answer, 3, "no-rights", "access-denied", "not-allowed")
    assert tree(open_tool.repository) == before


# Words


@pytest.mark.parametrize("command", [("sync",), ("audit",), ("download", "RHEL7-64")], ids=" ".join)
@pytest.mark.parametrize(
    ("release", "code"),
    [("9.12", "unknown-release"), ("12.1", "unknown-release"), ("newest", "not-a-release"), ("9", "not-a-release")],
)
def test_a_release_nobody_published(tool: Cli, command: tuple[str, ...], release: str, code: str) -> None:
    tool.fill(("RHEL7-64",))
    with untouched(tool):
        error = refused(tool.repo_json(*command, "--release", release), 2, code)
    assert release in error["message"]
    assert "9.66" in error["hint"]


@pytest.mark.parametrize(
    "command", [("sync", "--package"), ("audit", "--package"), ("download",), ("show",)], ids=" ".join
)
@pytest.mark.parametrize(
    ("word", "near"),
    [
        ("RHEL77-64", "RHEL7-64"),
        ("ubuntu1804", "UBUNTU-18.04-64"),
        ("Window", "Windows"),
        ("SLES-12", "SLES12-64"),
    ],
)
def test_a_package_nobody_knows_is_told_the_nearest(tool: Cli, command: tuple[str, ...], word: str, near: str) -> None:
    tool.fill(("RHEL7-64",))
    with untouched(tool):
        error = refused(tool.repo_json(*command, word), 2, "unknown-package")
    assert word in error["message"]
    assert near in error["hint"]


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (("lisst",), "'list'"),
        (("sinc",), "'sync'"),
        (("xyzzy",), "--help"),
        (("list", "--formt", "csv"), "list --help"),
        (("catalog", "chek"), "catalog --help"),
    ],
)
def test_an_unknown_command_or_option_is_told_what_to_look_at(tool: Cli, arguments: tuple[str, ...], part: str) -> None:
    assert part in refused(tool.json(*arguments), 2, "usage")["hint"]


NAMES: Final = (
    "na\udcffme.tar.gz",
    "\udce4",
    "\u202egnp.exe",
    "\U0001f4a3",
    "a" * 3000,
    "CON",
    "..",
    "",
    " ",
    "\x1b[2J",
    "a\nb",
    "%s%n",
    "Microsoft-ASR_UA_9.66.7567.1_\udcff_GA_20Sep2025_release.tar.gz",
    "Microsoft-ASR_UA_\u0669.66.0.0_Windows_GA_20Sep2025_release.exe",
)


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_names_in_any_encoding_get_an_answer_or_a_reason(tool: Cli, name: str) -> None:
    answer = tool.json("parse", "--", name)
    assert answer.code == 1
    assert answer.document["names"] == [{"name": name, "ok": False, "reason": answer.document["names"][0]["reason"]}]
    words = tool("parse", "--", name)
    assert words.code == 1
    assert "\x1b" not in words.out
    assert tool.json("resolve", "--", name).code == 1
    assert refused(tool.json("show", "--", name), 2, "unknown-package")
    # On Windows some of them are devices.
    codes = ("no-file", "not-a-file", "usage", *(("not-a-path",) if sys.platform == "win32" else ()))
    assert refused(tool.json("add", "--", name, "--repository", "none"), 2, *codes)


@pytest.mark.skipif(sys.platform == "win32", reason="arguments there are Unicode")
def test_a_name_that_is_no_text_comes_in_from_outside(tool: Cli) -> None:
    for encoding in ("utf-8", "cp1252", "ascii"):
        answer = real("--json", "parse", b"r\xe9sum\xff.txt", cwd=tool.folder, env={"PYTHONIOENCODING": encoding})
        assert answer.returncode == 1
        assert os.fsencode(json.loads(answer.stdout)["names"][0]["name"]) == b"r\xe9sum\xff.txt"
        piped = real(
            "parse", "-", cwd=tool.folder, stdin=None, input=b"r\xe9sum\xff.txt\n", env={"PYTHONIOENCODING": encoding}
        )
        assert (piped.returncode, b"Traceback" in piped.stderr) == (1, False), piped.stderr


# Documents


TEN: Final = """\
schema: 1
hosts: [download.microsoft.com]
support_window: many
vulnerable_below: 9.49
sources: {page: "a page", page2: 7}
packages:
  Windows: {systems: [], extension: .exe, evidence: [page]}
  RHEL9 64: {systems: [Red Hat 9], extension: .zip}
  RHEL8-64: {systms: [Red Hat 8], extension: .tar.gz, evidence: [nowhere]}
releases:
  9.50: {for_classic: perhaps}
  "9.66":
    for_classic: "yes"
    links:
      RHEL7-64: http://elsewhere.example/x.tar.gz
      Windows: not a link
"""


def test_a_catalog_with_ten_mistakes_is_told_all_of_them(tool: Cli) -> None:
    tool.fill(("RHEL7-64",))
    (tool.folder / "mine.yaml").write_text(TEN, encoding="ascii")
    for command in (("catalog", "check", "mine.yaml"), ("--catalog", "mine.yaml", "sync", "--repository", "repo")):
        with untouched(tool):
            error = refused(tool.json(*command), 2, "invalid-catalog")
        found = [line.strip() for line in error["message"].splitlines() if line.strip().startswith("line ")]
        assert len(found) >= 10
        assert all(", column " in line for line in found)
        lines = {int(line.split()[1].strip(",")) for line in found}
        assert lines >= {3, 4, 5, 7, 8, 9, 11, 15, 16}


# The way


def test_no_network_is_said_at_once(tool: Cli) -> None:
    """One host that refuses is asked a few times for one file, not for every file of a release."""
    tool.mess()
    with untouched(tool):
        began = time.monotonic()
        error = refused(tool.repo_json("sync", "--source", "http://127.0.0.1:9/", "--yes"), 3, "cannot-connect")
        assert time.monotonic() - began < 20, "a bound against hanging, not a measurement"
    assert "127.0.0.1:9" in error["message"]


@pytest.mark.parametrize("status", [404, 403, 401, 500, 503])
def test_a_server_that_refuses(tool: Cli, status: int) -> None:
    tool.mess()
    with serving() as server, untouched(tool):
        server.url(f"/{name_of('RHEL5-64')}", always(status))
        answer = tool.repo_json("sync", "--package", "RHEL5-64", "--source", server.base, "--yes")
    assert answer.code == 3
    assert str(status) in answer.document["error"]["message"]
    assert answer.document["error"]["hint"]


def test_a_login_page_instead_of_a_file(tool: Cli) -> None:
    tool.mess()
    with serving() as server, untouched(tool):
        page = b"<!doctype html><html><body>please log in</body></html>" * 20
        server.url(f"/{name_of('RHEL5-64')}", always(200, {"Content-Type": "text/html"}, page))
        answer = tool.repo_json("sync", "--package", "RHEL5-64", "--source", server.base, "--yes")
    assert answer.code == 4
    assert answer.document["error"]["hint"]


@pytest.mark.parametrize(
    "source", ["http://127.0.0.1:99999", "https://127.0.0.1:abc/x", "http://ex ample/", "http://[::1/"]
)
def test_an_address_that_cannot_be_asked(tool: Cli, source: str) -> None:
    tool.mess()
    with untouched(tool):
        refused(tool.repo_json("sync", "--source", source, "--yes"), 2, "bad-address")


@pytest.mark.parametrize("source", ["ftp://example.org/x", "file:///etc", "s3://bucket", "http://"])
def test_a_source_of_a_kind_we_do_not_read(tool: Cli, source: str) -> None:
    tool.mess()
    with untouched(tool):
        refused(tool.repo_json("sync", "--source", source, "--yes"), 2, "unknown-source")


def test_a_source_folder_that_is_not_there(tool: Cli) -> None:
    tool.mess()
    with untouched(tool):
        answer = tool.repo_json("sync", "--source", "nowhere", "--yes")
    assert answer.code == 3
    assert answer.document["error"]["hint"]


def test_an_empty_source_does_not_empty_the_repository(tool: Cli) -> None:
    tool.mess()
    tool.source.mkdir()
    with untouched(tool):
        assert tool.repo("sync", "--source", "source", "--yes").code == 3


def test_a_source_that_is_the_repository_itself(tool: Cli) -> None:
    tool.mess()
    with untouched(tool):
        answer = tool.repo_json("sync", "--source", "repo", "--yes")
    assert answer.code in {2, 3}
    assert answer.document["error"]["hint"]


# Room


def test_too_little_room_is_said_before_the_first_byte(tool: Cli) -> None:
    tool.mess()
    config = tool.config("reserve_mb: 1000000\n")
    tool.fill_source()
    with untouched(tool):
        error = refused(tool.repo_json("--config", config, *SYNC), 3, "no-space")
    assert "reserve_mb" in error["hint"]


@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="only root can mount a small volume")
@pytest.mark.parametrize("way", ["folder", "http without a length"])
def test_a_full_volume(tool: Cli, way: str) -> None:
    """The old state stands, and the room is given back."""
    tool.repository.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(tool.repository)], check=False, capture_output=True
    )
    if mounted.returncode:
        pytest.skip("mounting is not permitted")
    try:
        tool.fill(("RHEL7-64", "OL7-64"), OLD)
        config = tool.config("reserve_mb: 0\n")
        tool.source.mkdir()
        for token in ("RHEL7-64", "OL7-64", "RHEL5-64"):
            (tool.source / name_of(token)).write_bytes(_large(name_of(token)))
        arguments = ("--release", "9.66", "--package", "RHEL7-64", "--package", "OL7-64", "--package", "RHEL5-64")
        with serving() as server, untouched(tool):
            for path in tool.source.iterdir():
                server.url(f"/{path.name}", _without_length(path.read_bytes()))
            source = "source" if way == "folder" else server.base
            answer = tool.repo_json("--config", config, "sync", *arguments, "--source", source, "--yes")
        assert answer.code == 3, answer.err
        assert answer.document["error"]["code"] == "no-space"
        assert answer.document["error"]["hint"]
        free = os.statvfs(tool.repository)
        assert free.f_bavail * free.f_frsize > 200_000
    finally:
        subprocess.run(["umount", str(tool.repository)], check=True)


def _large(name: str) -> bytes:
    return sample_installer(names.parse(name), payload_bytes=150_000)


def _without_length(data: bytes) -> Script:
    def script(request: Request) -> None:
        request.answer(200, {"Connection": "close"})
        request.hang_up()
        request.send_body(data if request.command == "GET" else b"")

    return script


# Two at once, and Ctrl-C


@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX's")
@pytest.mark.parametrize("as_json", [True, False])
def test_ctrl_c_in_the_middle_of_a_download_leaves_the_folder_as_it_was(tool: Cli, *, as_json: bool) -> None:
    tool.mess()
    released = threading.Event()
    data = data_of(name_of("RHEL5-64"))
    before = tree(tool.repository)
    with serving() as server:
        server.url(f"/{name_of('RHEL5-64')}", _slowly(data, released))
        arguments = ["--repository", "repo", "sync", "--package", "RHEL5-64", "--source", server.base, "--yes"]
        with subprocess.Popen(
            [sys.executable, "-m", "repo_manager", *arguments, *(["--json"] if as_json else [])],
            cwd=tool.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as child:
            part = tool.repository / ".repo-manager" / "staging" / f"{name_of('RHEL5-64')}.part"
            _wait_for(lambda: part.exists() and part.stat().st_size > 0)
            second = tool.repo_json("prune", "--yes")
            child.send_signal(signal.SIGINT)
            out, err = child.communicate(timeout=20)
        released.set()
    assert child.returncode == 130
    assert "error[interrupted]: " in err.splitlines()[-2], err
    assert "Traceback" not in err
    assert (json.loads(out)["error"]["code"] if as_json else out) == ("interrupted" if as_json else "")
    assert refused(second, 6, "locked"), "a second run at the same time is told so"
    assert tree(tool.repository, own=False) == before
    # What had arrived is gone on with; the lock is free.
    with serving() as server:
        server.url(f"/{name_of('RHEL5-64')}", Honest(data))
        again = tool.repo("sync", "--package", "RHEL5-64", "--source", server.base, "--yes")
    assert again.code == 0, again.err
    assert (tool.repository / name_of("RHEL5-64")).read_bytes() == data


def _slowly(data: bytes, released: threading.Event) -> Script:
    def script(request: Request) -> None:
        request.answer(200, {"Content-Length": str(len(data)), "ETag": '"build-1"'})
        if request.command == "HEAD":
            return
        for at in range(0, len(data), 20):
            request.send_body(data[at : at + 20])
            if released.wait(0.1):
                return

    return script


def _silently(data: bytes, released: threading.Event) -> Script:
    """The beginning of a body, then nothing for longer than anybody at a keyboard waits."""

    def script(request: Request) -> None:
        request.answer(200, {"Content-Length": str(len(data))})
        if request.command == "GET":
            request.send_body(data[:500])
            released.wait(60)

    return script


def _wait_for(condition: Callable[[], bool], limit_s: float = 20) -> None:
    until = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.01)


@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX's; tests/adapters/test_signals.py has the twin")
def test_ctrl_c_while_a_server_says_nothing_ends_the_run(tool: Cli) -> None:
    """A read that waits for a silent server must not hold the run until the server's time is up."""
    tool.mess()
    released = threading.Event()
    with serving() as server:
        server.url(f"/{name_of('RHEL5-64')}", _silently(data_of(name_of("RHEL5-64")), released))
        arguments = ["--repository", "repo", "sync", "--package", "RHEL5-64", "--source", server.base, "--yes"]
        with subprocess.Popen(
            [sys.executable, "-m", "repo_manager", *arguments],
            cwd=tool.folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        ) as child:
            _wait_for(lambda: bool(server.log) and any(method == "GET" for method, _, _ in server.log))
            child.send_signal(signal.SIGINT)
            try:
                child.communicate(timeout=15)
            finally:
                released.set()
                child.kill()
    assert child.returncode == 130
