"""What people see: golden tables at a width of 80, plain streams, colours only where they mean something.

`REPO_MANAGER_TESTS_WRITE_GOLDEN=1 pytest tests/cli/test_cli_output.py` writes the golden files anew.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from cli_world import CLASSIC, OLD, ROOT, InstantService, data_of, name_of, real
from inventory_world import A_WAVE, RVTOOLS, csv_text, made_up, sheet_xml, workbook, xlsx
from server_world import IN_PROGRAM_DATA, INSTALLER, OF_2015, ON_D, World

if TYPE_CHECKING:
    from collections.abc import Callable

    from cli_world import Cli

GOLDEN: Final = Path(__file__).parent / "golden"
# Read when the module is loaded: the world takes all variables of the tool away.
WRITE: Final = bool(os.environ.get("REPO_MANAGER_TESTS_WRITE_GOLDEN"))
LINKS: Final = str(ROOT / "tests" / "data" / "AgentDownloadLinks.md")
ESCAPE: Final = "\x1b"


def normalised(text: str, folder: Path) -> str:
    """The text with what differs from run to run and from machine to machine replaced."""
    text = text.replace(str(ROOT), "<project>").replace(str(folder), "<world>").replace(str(folder.parent), "<machine>")
    text = re.sub(r"\b\d{8}T\d{6}Z-[0-9a-f]{4}\b", "20260101T000000Z-0000", text)
    text = re.sub(r"(\d{4}-\d\d-\d\d) +\d+ (?:d|mon|y)\b", r"\1  <age>", text)
    text = re.sub(r"audit of \d{4}-\d\d-\d\d \d\d:\d\d UTC", "audit of 2026-01-01 00:00 UTC", text)
    # The day on which an installer was read.
    text = re.sub(r"(?m)(\d|by hand)( {2,})\d{4}-\d\d-\d\d$", r"\1\g<2>2026-01-01", text)
    text = re.sub(r"(the first on\s)\d{4}-\d\d-\d\d", r"\g<1>2026-01-01", text)
    text = re.sub(r"DATE +AGE", "DATE        <age>", text)
    text = re.sub(r"http://127\.0\.0\.1:\d+", "http://127.0.0.1:<port>", text)
    return re.sub(r"\S*repo-manager-demo-\w+", "<sandbox>", text)


# Each scene prepares the world and gives the command line.


def messy(tool: Cli) -> None:
    tool.mess()
    tool.fill_source()
    tool.service = InstantService()


def whole(tool: Cli) -> None:
    tool.fill()
    tool.fill_source()
    tool.service = InstantService()


def pruned(tool: Cli) -> None:
    messy(tool)
    assert tool.repo("prune", "--yes").code == 0


def broken_service(tool: Cli) -> None:
    messy(tool)
    tool.service = InstantService(broken=1)


def cut_off(tool: Cli) -> None:
    messy(tool)
    path = tool.source / name_of("RHEL5-64")
    path.write_bytes(path.read_bytes()[:-200])


def incoming(tool: Cli) -> None:
    whole(tool)
    old = name_of("RHEL5-64", OLD)
    (tool.source / old).write_bytes(data_of(old))
    wrong = name_of("OL8-64")
    (tool.source / wrong).write_bytes(data_of(wrong, token="OL7-64"))  # noqa: S106 - a package
    (tool.source / "agent.tar.gz").write_bytes(b"?")


def missing_ol8(tool: Cli) -> None:
    incoming(tool)
    (tool.repository / name_of("OL8-64")).unlink()


def changed(tool: Cli) -> None:
    messy(tool)
    assert tool.repo("audit", "--save").code == 1
    (tool.repository / "Copy of RHEL7-64.tar.gz").unlink()
    tool.fill(("RHEL5-64",))
    tool.put(f"{name_of('DEBIAN10-64')}.part")


def old(tool: Cli) -> None:
    tool.fill(("RHEL7-64", "RHEL5-64"), OLD)
    tool.put("Microsoft-ASR_UA_9.55.0.0_OL7-64_GA_11Jul2023_release.tar.gz")


def machines(tool: Cli) -> None:
    whole(tool)
    (tool.repository / name_of("Windows")).unlink()
    tool.fill(("RHEL7-64",), OLD)
    (tool.folder / "vcenter.csv").write_text(csv_text((RVTOOLS, *A_WAVE)), encoding="utf-8-sig", newline="")


def ten_thousand(tool: Cli) -> None:
    whole(tool)
    (tool.folder / "vcenter.xlsx").write_bytes(xlsx((RVTOOLS, *made_up(10_000))))


def other_sheets(tool: Cli) -> None:
    messy(tool)
    (tool.folder / "vcenter.xlsx").write_bytes(workbook({"vCPU": sheet_xml([("VM",)]), "vDisk": sheet_xml([])}))


def no_headings(tool: Cli) -> None:
    messy(tool)
    (tool.folder / "list.csv").write_text("server;owner\nweb;anna\n", encoding="ascii")


def ten_mistakes(tool: Cli) -> None:
    (tool.folder / "mine.yaml").write_text("schema: 1\nhost: [x]\npackages: [a]\nreleases: 4\n", encoding="ascii")


def empty(tool: Cli) -> None:
    tool.repository.mkdir()


def nothing(tool: Cli) -> None:
    pass


def two_servers(tool: Cli) -> None:
    world = World(tool.folder.parent / "server")
    tool.server = world
    world.make(*IN_PROGRAM_DATA, installers=(INSTALLER,))
    world.make(*ON_D, installers=(INSTALLER,))
    world.make(*OF_2015).parent.with_name("puhsinstallsvc").mkdir()


def two_profiles(tool: Cli) -> None:
    world = World(tool.folder.parent / "server")
    tool.server = world
    world.make(*IN_PROGRAM_DATA)
    world.make_agents("D", INSTALLER)


def misspelt(tool: Cli) -> None:
    world = World(tool.folder.parent / "server", letters=())
    tool.server = world
    (world.drive("C") / "puhsinstallsvc").mkdir(parents=True)


def damaged_conf(tool: Cli) -> None:
    world = World(tool.folder.parent / "server", letters=())
    tool.server = world
    world.make(*OF_2015, conf=b'[PushInstaller]\nRepositoryPathUA="E:\\agents\n')


REPO: Final = ("--repository", "repo")

SCENES: Final[dict[str, tuple[Callable[[Cli], None], tuple[str, ...]]]] = {
    "help": (nothing, ("--help",)),
    "usage": (nothing, ("lisst",)),
    "no_repository": (nothing, ("list",)),
    "misspelt_repository": (misspelt, ("list",)),
    "several_repositories": (two_servers, ("list",)),
    "two_profiles": (two_profiles, ("list",)),
    "damaged_conf": (damaged_conf, ("list",)),
    "parse": (nothing, ("parse", name_of("RHEL9-64"), "Microsoft-ASR_UA_9.30.0.0_OL6.-64_GA_22Oct2019_release.tar.gz",
                        "UA_Windows_8.0.4.0_GA_Update_4_x.exe", "readme.txt")),
    "resolve": (whole, (*REPO, "resolve", "Red Hat Enterprise Linux 7.9", "debian", "Solaris 11", "what", "rhel 9")),
    "list": (messy, (*REPO, "list")),
    "list_empty": (empty, (*REPO, "list")),
    "list_csv": (messy, (*REPO, "list", "--format", "csv")),
    "audit": (messy, (*REPO, "audit")),
    "audit_deep": (messy, (*REPO, "audit", "--deep")),
    "audit_csv": (messy, (*REPO, "audit", "--format", "csv")),
    "audit_well": (whole, (*REPO, "audit", "--deep")),
    "audit_one_package": (messy, (*REPO, "audit", "--package", "rhel8-64")),
    "audit_since": (changed, (*REPO, "audit", "--since", "LAST", "--fail-on", "new")),
    "audit_first": (messy, (*REPO, "audit", "--package", "rhel8-64", "--since", "LAST")),
    "audit_machines": (machines, (*REPO, "audit", "--inventory", "vcenter.csv")),
    "audit_machines_csv": (
        machines, (*REPO, "audit", "--inventory", "vcenter.csv", "--format", "csv"),
    ),
    "audit_ten_thousand": (ten_thousand, (*REPO, "audit", "--inventory", "vcenter.xlsx")),
    "audit_other_sheets": (other_sheets, (*REPO, "audit", "--inventory", "vcenter.xlsx")),
    "audit_no_headings": (no_headings, (*REPO, "audit", "--inventory", "list.csv")),
    "explain": (nothing, ("explain", "other-publisher")),
    "explain_error": (nothing, ("explain", "several-repositories")),
    "explain_all": (nothing, ("explain",)),
    "explain_unknown": (nothing, ("explain", "mising")),
    "advise": (old, (*REPO, "advise")),
    "advise_far": (nothing, ("advise", "--from", "9.40", "--from", "9.60", "--package", "RHEL7-64")),
    "show": (nothing, ("show", "RHEL5-64")),
    "show_windows": (nothing, ("show", "Windows", "--cs-ip", "10.0.0.4")),
    "show_unknown": (nothing, ("show", "RHEL77")),
    "sync_dry_run": (messy, (*REPO, "sync", "--source", "source", "--dry-run")),
    "sync": (messy, (*REPO, "sync", "--source", "source", "--yes")),
    "sync_again": (whole, (*REPO, "sync", "--source", "source", "--yes")),
    "sync_broken_service": (broken_service, (*REPO, "sync", "--source", "source", "--yes")),
    "sync_cut_off": (cut_off, (*REPO, "sync", "--source", "source", "--yes")),
    "sync_missing": (messy, (*REPO, "sync", "--source", "nowhere", "--yes")),
    "sync_no_links": (messy, (*REPO, "sync", "--release", "9.57")),
    "sync_unknown_release": (messy, (*REPO, "sync", "--release", "9.12")),
    "download": (incoming, ("download", "RHEL5-64", "RHEL6-64", "--source", "source", "--to", "carry")),
    "download_dry_run": (incoming, ("download", "RHEL5-64", "--source", "source", "--to", "carry", "--dry-run")),
    "add": (missing_ol8, (*REPO, "add", f"source/{name_of('OL7-64')}", "--yes")),
    "add_mislabelled": (missing_ol8, (*REPO, "add", f"source/{name_of('OL8-64')}", "--yes")),
    "add_older": (incoming, (*REPO, "add", f"source/{name_of('RHEL5-64', OLD)}")),
    "add_allow_older": (incoming, (*REPO, "add", f"source/{name_of('RHEL5-64', OLD)}", "--allow-older", "--yes")),
    "add_foreign": (incoming, (*REPO, "add", "source/agent.tar.gz")),
    "prune_dry_run": (messy, (*REPO, "prune", "--dry-run")),
    "prune": (messy, (*REPO, "prune", "--yes")),
    "prune_again": (whole, (*REPO, "prune", "--yes")),
    "restore_none": (whole, (*REPO, "restore")),
    "restore": (pruned, (*REPO, "restore")),
    "restore_last": (pruned, (*REPO, "restore", "last", "--yes")),
    "restart": (whole, (*REPO, "restart")),
    "catalog_check": (nothing, ("catalog", "check")),
    "catalog_check_bad": (ten_mistakes, ("catalog", "check", "mine.yaml")),
    "catalog_update": (nothing, ("catalog", "update", LINKS, "--to", "mine.yaml")),
    "demo": (nothing, ("demo",)),
}  # fmt: skip


@pytest.mark.parametrize("scene", SCENES)
def test_people_see_what_the_golden_file_says(tool: Cli, scene: str) -> None:
    prepare, arguments = SCENES[scene]
    prepare(tool)
    answer = tool(*arguments)
    seen = normalised(
        f"$ repo-manager {' '.join(arguments)}\n{answer.out}--- stderr\n{answer.err}--- exit {answer.code}\n",
        tool.folder,
    )
    file = GOLDEN / f"{scene}.txt"
    if WRITE:
        file.write_text(seen, encoding="ascii", newline="\n")
    assert _portable(seen) == _portable(file.read_text(encoding="ascii"))


def _portable(text: str) -> str:
    """Paths are told as the system writes them; on Windows they are made whole ones."""
    return text.replace("\\", "/").replace("<world>/", "") if sys.platform == "win32" else text


def test_every_golden_file_has_its_scene() -> None:
    assert {path.stem for path in GOLDEN.glob("*.txt")} == set(SCENES)


@pytest.mark.parametrize(
    "scene", sorted(set(SCENES) - {"show", "show_windows", "list_csv", "audit_csv", "audit_machines_csv"})
)
def test_no_line_is_wider_than_80_columns_but_for_what_must_not_be_broken(scene: str) -> None:
    """Names, addresses and commands stay whole, so that they can be copied."""
    lines = (GOLDEN / f"{scene}.txt").read_text(encoding="ascii").splitlines()[1:]
    wide = [
        line
        for line in lines
        if len(line) > 80 and not re.search(r"_release\.|error\[|  hint: |<|^to mend|^note: ", line)
    ]
    assert wide == []


# Streams


@pytest.mark.parametrize("arguments", [("list",), ("audit",), ("sync", "--source", "source"), ("show", "RHEL7-64")])
def test_output_that_is_no_terminal_has_no_escape_codes_and_no_bar(tool: Cli, arguments: tuple[str, ...]) -> None:
    messy(tool)
    answer = real("--repository", "repo", *arguments, cwd=tool.folder)
    assert b"\x1b" not in answer.stdout + answer.stderr
    assert b"\r" not in (answer.stdout + answer.stderr).replace(b"\r\n", b"\n")


HOSTILE: Final = (
    b"r\xc3\xa9sum\xc3\xa9.txt",
    "übung-資料-🚀.tar.gz".encode(),
    b"not-utf8-\xff\xfe.txt",
    b"Microsoft-ASR_UA_\xff_copy.tar.gz",
    b"new\nline.txt",
    b"bell\x07-escape-\x1b[31mred.txt",
    "right\u202etfel.txt".encode(),
    b"=cmd|' calc'!A0",
    b"  spaces  ",
    b"x" * 250,
)


def hostile(tool: Cli) -> None:
    tool.fill(("RHEL7-64",))
    for name in HOSTILE:
        (Path(os.fsdecode(os.fsencode(tool.repository) + b"/" + name))).write_bytes(b"?")


needs_bytes_in_names = pytest.mark.skipif(sys.platform in {"win32", "darwin"}, reason="names there are Unicode")


@needs_bytes_in_names
@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "utf-8"])
@pytest.mark.parametrize(
    "arguments",
    [
        ("list",),
        ("list", "--format", "csv"),
        ("list", "--json"),
        ("audit",),
        ("audit", "--format", "csv"),
        ("audit", "--json"),
        ("prune", "--dry-run"),
    ],
)
def test_hostile_names_are_shown_on_every_console_without_harm(
    tool: Cli, arguments: tuple[str, ...], encoding: str
) -> None:
    hostile(tool)
    answer = real("--repository", "repo", *arguments, cwd=tool.folder, env={"PYTHONIOENCODING": encoding})
    assert answer.returncode in {0, 1}, answer.stderr
    assert b"Traceback" not in answer.stderr
    said = answer.stdout.decode("utf-8" if "csv" in arguments else encoding)
    assert "\x1b" not in said
    assert "\x07" not in said
    assert "\u202e" not in said
    if "--json" in arguments:
        import json

        document = json.loads(said)
        if "list" in arguments:
            names = {os.fsencode(item["name"]) for item in document["files"]}
            assert names == {name_of("RHEL7-64").encode(), *HOSTILE}
    if "csv" in arguments:
        assert "\n=cmd" not in said


@needs_bytes_in_names
def test_prune_and_restore_carry_hostile_names_byte_for_byte(tool: Cli) -> None:
    hostile(tool)
    before = {os.fsencode(path.name) for path in tool.repository.iterdir()}
    assert tool.repo("prune", "--yes").code == 0
    between = {os.fsencode(path.name) for path in tool.repository.iterdir()} - {b".repo-manager"}
    assert before - between == {b"Microsoft-ASR_UA_\xff_copy.tar.gz"}
    assert tool.repo("restore", "last", "--yes").code == 0
    assert {os.fsencode(path.name) for path in tool.repository.iterdir()} - {b".repo-manager"} == before


def test_a_reader_that_goes_away_changes_nothing_but_the_words(tool: Cli) -> None:
    """As with `| head -1`: no complaint, and the exit code stays that of the command."""
    messy(tool)
    for arguments, code in ((("catalog", "show"), 0), (("--repository", "repo", "audit"), 1), (("--help",), 0)):
        read, write = os.pipe()
        os.close(read)
        with os.fdopen(write, "wb") as pipe:
            answer = real(*arguments, cwd=tool.folder, stdout=pipe, stderr=subprocess.PIPE, capture_output=False)
        assert (answer.returncode, answer.stderr) == (code, b""), arguments


def test_a_change_is_made_whole_when_nobody_reads_on(tool: Cli) -> None:
    messy(tool)
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "wb") as pipe:
        answer = real(
            "--repository",
            "repo",
            "prune",
            "-v",
            "--json",
            "--yes",
            cwd=tool.folder,
            stdout=pipe,
            stderr=pipe,
            capture_output=False,
        )
    assert answer.returncode == 0
    assert "who-to-call.txt" in tool.names()
    assert "Copy of RHEL7-64.tar.gz" not in tool.names()


# Terminals


def on_a_terminal(tool: Cli, *arguments: str, env: dict[str, str] | None = None, typed: bytes = b"") -> tuple[int, str]:
    """Exit code and everything a terminal of 80 columns was sent; `typed` waits there to be read."""
    import fcntl
    import pty
    import struct
    import termios

    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    environ = {key: value for key, value in os.environ.items() if key not in {"COLUMNS", "NO_COLOR"}}
    with subprocess.Popen(
        [sys.executable, "-m", "repo_manager", "--repository", "repo", *arguments],
        cwd=tool.folder,
        env={**environ, "TERM": "xterm", **(env or {})},
        stdin=follower,
        stdout=follower,
        stderr=follower,
    ) as process:
        os.close(follower)
        os.write(leader, typed)
        said = bytearray()
        try:
            while piece := os.read(leader, 65536):
                said += piece
        except OSError:
            # Linux says so when the last process has closed its end.
            pass
        code = process.wait(30)
    os.close(leader)
    return code, said.decode()


needs_terminals = pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are POSIX's")


@needs_terminals
def test_on_a_terminal_findings_have_a_colour(tool: Cli) -> None:
    messy(tool)
    code, said = on_a_terminal(tool, "audit")
    assert code == 1
    assert re.search(r"\x1b\[31mRHEL5-64 +missing", said)
    assert re.search(r"\x1b\[31merror missing", said)
    assert re.search(r"\x1b\[33mwarning mixed-releases", said)
    assert re.search(r"^OL7-64 +ok", said, re.MULTILINE), "what is well has none"


@needs_terminals
@pytest.mark.parametrize(
    ("arguments", "env"),
    [
        (("audit",), {"NO_COLOR": "1"}),
        (("--no-color", "audit"), {}),
        (("audit", "--no-color"), {}),
        (("audit",), {"REPO_MANAGER_NO_COLOR": "1"}),
        (("audit",), {"TERM": "dumb"}),
        (("audit", "--json"), {}),
        (("audit", "--format", "csv"), {}),
    ],
)
def test_colours_can_be_switched_off(tool: Cli, arguments: tuple[str, ...], env: dict[str, str]) -> None:
    messy(tool)
    code, said = on_a_terminal(tool, *arguments, env=env)
    assert code == 1
    assert ESCAPE not in said
    assert "RHEL5-64" in said


@needs_terminals
def test_a_change_on_a_terminal_asks_first_unless_told_not_to(tool: Cli) -> None:
    messy(tool)
    before = tool.names()
    with_yes = on_a_terminal(tool, "prune", "--dry-run", "--yes")
    assert with_yes[0] == 0
    assert "Apply these changes?" not in with_yes[1]
    assert tool.names() == before
    code, said = on_a_terminal(tool, "prune", "--yes")
    assert (code, "Apply these changes?" in said) == (0, False)
    assert tool.names() < before


@needs_terminals
@pytest.mark.parametrize(
    ("answer", "code", "changed"), [(b"y\n", 0, True), (b"n\n", 1, False), (b"\n", 1, False), (b"\x04", 1, False)]
)
def test_the_answer_to_the_question_counts(tool: Cli, answer: bytes, code: int, changed: bool) -> None:  # noqa: FBT001 - a row of the table
    messy(tool)
    before = tool.names()
    found, said = on_a_terminal(tool, "prune", typed=answer)
    assert found == code
    assert "Apply these changes? [y/N]" in said
    assert ("error[declined]" in said) == (not changed)
    assert (tool.names() != before) == changed


@needs_terminals
def test_who_is_asked_sees_the_plan_also_with_quiet(tool: Cli) -> None:
    messy(tool)
    code, said = on_a_terminal(tool, "-q", "prune", typed=b"n\n")
    assert code == 1
    assert "retire 4 files" in said[: said.index("Apply these changes?")]


@needs_terminals
@pytest.mark.parametrize(("answer", "code", "changed"), [(b"y\n", 0, True), (b"n\n", 1, False)])
def test_a_change_of_the_second_folder_alone_is_asked_for(tool: Cli, answer: bytes, code: int, changed: bool) -> None:  # noqa: FBT001 - a row of the table
    tool.fill()
    (tool.folder / "second").mkdir()
    config = tool.config("second_folder: second\n")
    found, said = on_a_terminal(tool, "--config", config, "prune", typed=answer)
    assert found == code, said
    assert said.index("in the second folder") < said.index("Apply these changes?")
    assert bool(list((tool.folder / "second").glob("Microsoft*"))) == changed


@needs_terminals
@pytest.mark.parametrize(("answer", "code", "written"), [(b"y\n", 0, True), (b"n\n", 1, False)])
def test_a_catalog_is_written_only_once_that_was_agreed_to(tool: Cli, answer: bytes, code: int, written: bool) -> None:  # noqa: FBT001 - a row of the table
    tool.repository.mkdir()
    (tool.folder / "links.md").write_bytes((ROOT / "tests" / "data" / "AgentDownloadLinks.md").read_bytes())
    catalog = tool.folder / "mine.yaml"
    older = (ROOT / "catalog.yaml").read_text(encoding="utf-8").replace("9.66.7569.1_RHEL6", "9.66.7568.1_RHEL6")
    catalog.write_text(older, encoding="utf-8")
    found, said = on_a_terminal(tool, "--json", "--catalog", "mine.yaml", "catalog", "update", "links.md", typed=answer)
    assert found == code, said
    assert "Write mine.yaml? [y/N]" in said
    assert ('"written": true' in said) == written
    assert (catalog.read_text(encoding="utf-8") != older) == written


def test_the_columns_there_are_decide_where_lines_end(tool: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    tool.mess()
    narrow = tool.repo("audit").out
    monkeypatch.setenv("COLUMNS", "160")
    wide = tool.repo("audit").out
    assert len(wide.splitlines()) < len(narrow.splitlines())
    assert max(map(len, wide.splitlines())) <= 160
    assert len([line for line in tool.repo("list").out.splitlines() if "_release.tar.gz" in line]) >= len(CLASSIC) // 4
