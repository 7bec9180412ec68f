"""The main job from end to end through the command line: sync, add, prune, restore, download, audit."""

from __future__ import annotations

import csv
import functools
import io
import json
import shutil
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest
from abuse_server import Honest, serving
from cli_world import CATALOG, CLASSIC, NEW, OLD, SUBFOLDER, InstantService, data_of, name_of, tree, unprivileged

from repo_manager.adapters.filesystem.lock import Lock
from repo_manager.core.service import ServiceState

if TYPE_CHECKING:
    from cli_world import Cli

MODERNIZED = {"RHEL9-64", "OL9-64", "UBUNTU-22.04-64", "UBUNTU-24.04-64", "DEBIAN12-64"}
BY_HAND = {
    "RHEL5-64", "OL6-64", "SLES11-SP3-64", "SLES11-SP4-64", "UBUNTU-14.04-64", "DEBIAN7-64", "DEBIAN8-64", "DEBIAN9-64",
}  # fmt: skip


def downloads(tool: Cli, *arguments: str) -> set[str]:
    answer = tool.repo_json("sync", "--dry-run", "--source", str(tool.fill_source()), *arguments)
    assert answer.code == 0, answer.err
    return {item["package"] for item in answer.document["actions"] if item["action"] == "download"}


def test_sync_makes_a_mess_whole_and_a_second_run_has_nothing_to_do(tool: Cli) -> None:
    tool.mess()
    tool.fill_source()
    assert tool.repo("sync", "--source", "source", "--yes").code == 0
    wanted = {name_of(token) for token in CLASSIC}
    assert tool.names() == wanted | {"RHEL7-64_pushinstallclient.tar.gz", "who-to-call.txt"}
    assert all((tool.repository / name).read_bytes() == data_of(name) for name in wanted)
    audit = tool.repo_json("audit", "--deep", "--fail-on", "warning")
    assert audit.code == 0
    before = tree(tool.repository)
    again = tool.repo_json("sync", "--source", "source", "--yes")
    assert (again.code, again.document["actions"]) == (0, [])
    assert tree(tool.repository, own=False) == {name: digest for name, digest in before.items() if ".repo" not in name}


def test_push_clients_and_foreign_files_are_untouched(tool: Cli) -> None:
    tool.mess()
    paths = [tool.repository / name for name in ("RHEL7-64_pushinstallclient.tar.gz", "who-to-call.txt")]
    before = [(path.read_bytes(), path.stat().st_mtime_ns, path.stat().st_ino) for path in paths]
    assert tool.repo("sync", "--source", str(tool.fill_source()), "--yes").code == 0
    assert tool.repo("prune", "--yes").code == 0
    assert [(path.read_bytes(), path.stat().st_mtime_ns, path.stat().st_ino) for path in paths] == before


def test_an_empty_repository_gets_the_newest_release(tool: Cli) -> None:
    tool.repository.mkdir()
    assert tool.repo("sync", "--source", str(tool.fill_source()), "--yes").code == 0
    assert tool.names() == {name_of(token) for token in CLASSIC}


def test_the_classic_experience_leaves_out_what_only_the_modernized_one_supports(tool: Cli) -> None:
    tool.repository.mkdir()
    found = downloads(tool)
    assert found == set(CLASSIC)
    assert not found & MODERNIZED


def test_the_appliance_takes_all_26_packages(tool: Cli) -> None:
    tool.repository.mkdir()
    found = downloads(tool, "--profile", "appliance")
    assert len(found) == 26
    assert found > MODERNIZED


def test_manual_only_looks_at_what_must_be_placed_by_hand_alone(tool: Cli) -> None:
    tool.mess()
    assert downloads(tool, "--manual-only") == BY_HAND
    before = tool.names()
    assert tool.repo("sync", "--manual-only", "--source", str(tool.fill_source()), "--yes").code == 0
    assert tool.names() - before == {name_of(token) for token in BY_HAND}
    assert before - tool.names() == set(), "what is none of its business stays"


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (("RHEL5-64",), {"RHEL5-64"}),
        (("rhel5-64", "Ol8-64"), {"RHEL5-64", "OL8-64"}),
        (("RHEL9-64",), {"RHEL9-64"}),
        (("all",), {str(link.token) for link in CATALOG.links(NEW)}),
        (("ALL",), {str(link.token) for link in CATALOG.links(NEW)}),
    ],
)
def test_package_is_repeatable_in_any_case_and_knows_all(tool: Cli, words: tuple[str, ...], found: set[str]) -> None:
    tool.repository.mkdir()
    assert downloads(tool, *(item for word in words for item in ("--package", word))) == found


@pytest.mark.parametrize(
    ("present", "arguments", "release"),
    [
        (OLD, (), "9.64"),
        (OLD, ("--release", "auto"), "9.64"),
        (OLD, ("--release", "latest"), "9.66"),
        (OLD, ("--release", "9.65"), "9.65"),
        (None, (), "9.66"),
        (NEW, (), "9.66"),
    ],
)
def test_which_release_is_wanted(tool: Cli, present: object, arguments: tuple[str, ...], release: str) -> None:
    tool.repository.mkdir()
    if present is not None:
        tool.fill(("RHEL7-64",), NEW if present == NEW else OLD)
    document = tool.repo_json("sync", "--dry-run", "--source", "nowhere", *arguments).document
    names = [item["name"] for item in document["actions"] if item["action"] == "download"]
    assert names
    assert all(name.startswith(f"Microsoft-ASR_UA_{release}.") for name in names)
    assert tool.repo_json("audit", *arguments).document["release"] == release


@pytest.mark.parametrize("present", [(), ("RHEL7-64",), CLASSIC])
def test_a_release_without_links_is_refused_where_it_is_not_there(tool: Cli, present: tuple[str, ...]) -> None:
    """Exit 0 would say that the wanted release lies in the repository."""
    tool.repository.mkdir()
    tool.fill(present)
    before = tree(tool.repository)
    answer = tool.repo_json("sync", "--release", "9.57", "--yes")
    assert (answer.code, answer.error["code"]) == (2, "no-links")
    assert "9.64, 9.65, 9.66" in answer.error["hint"]
    assert tree(tool.repository, own=False) == before


def test_sync_downloads_over_http_from_a_base_address(tool: Cli) -> None:
    tool.fill(("RHEL7-64",), OLD)
    with serving() as server:
        for token in ("RHEL7-64", "OL8-64"):
            server.url(f"/agents/{name_of(token)}", Honest(data_of(name_of(token))))
        arguments = ("--release", "9.66", "--package", "RHEL7-64", "--package", "OL8-64")
        answer = tool.repo_json("sync", *arguments, "--source", f"{server.base}/agents", "--yes")
    assert answer.code == 0, answer.err
    assert tool.names() == {name_of("RHEL7-64"), name_of("OL8-64")}
    sources = {item["source"] for item in answer.document["actions"] if item["action"] == "download"}
    assert sources == {f"{server.base}/agents/{name_of(token)}" for token in ("RHEL7-64", "OL8-64")}


def test_superseded_files_come_back_byte_for_byte(tool: Cli) -> None:
    tool.mess()
    before = tree(tool.repository)
    identity = tool.repo_json("sync", "--source", str(tool.fill_source()), "--yes").document["transaction"]
    assert tree(tool.repository, own=False) != before
    listed = tool.repo_json("restore").document["transactions"]
    assert [item["id"] for item in listed] == [identity]
    drops = [word for token in CLASSIC for word in ("--drop", token)]
    answer = tool.repo_json("restore", identity, "--yes", *drops)
    assert answer.code == 1, answer.err
    damaged = {name_of("UBUNTU-20.04-64"), name_of("SLES15-64")}
    skipped = [item for item in answer.document["actions"] if item["result"] == "skipped" and item["action"] == "place"]
    assert {item["name"] for item in skipped} == damaged
    after = tree(tool.repository, own=False)
    assert {name: data for name, data in after.items() if name not in damaged} == {
        name: data for name, data in before.items() if name not in damaged
    }
    assert tool.repo("restore", answer.document["transaction"], "--yes").code == 0, "the sync is applied again"
    assert tool.names() >= {name_of(token) for token in CLASSIC}


def test_restore_of_what_never_was_says_how_to_list(tool: Cli) -> None:
    tool.fill()
    for word in ("20200101T000000Z-0000", "last", "../../etc"):
        answer = tool.repo_json("restore", word, "--yes")
        assert (answer.code, answer.error["code"]) == (2, "unknown-transaction")


def test_prune_keeps_as_many_older_builds_as_told(tool: Cli) -> None:
    """Retired builds beyond the number are given up, but never those of the last transaction."""
    tool.repository.mkdir()
    for release in (OLD, CATALOG.releases[-3].release, NEW):
        tool.fill(("RHEL7-64",), release)
        assert tool.repo("prune", "--yes").code == 0
    retired = tool.repository / ".repo-manager" / "retired"
    assert len(list(retired.rglob("*.tar.gz"))) == 2
    tool.put("Copy of RHEL7-64.tar.gz")
    assert tool.repo("prune", "--keep", "1", "--yes").code == 0
    assert [path.name for path in retired.rglob("*_UA_*.tar.gz")] == [name_of("RHEL7-64", CATALOG.releases[-3].release)]


def test_prune_downloads_nothing_and_leaves_the_last_good_installer(tool: Cli) -> None:
    tool.fill(("RHEL7-64",), OLD)
    broken = tool.put(name_of("RHEL7-64"), data_of(name_of("RHEL7-64"))[:700])
    assert tool.repo("prune", "--yes").code == 0
    assert tool.names() == {name_of("RHEL7-64", OLD)}
    assert not broken.exists()


# add


def test_add_places_a_good_file_and_retires_what_it_supersedes(tool: Cli) -> None:
    tool.fill(("RHEL7-64", "OL7-64"), OLD)
    tool.fill_source()
    tool.service = InstantService()
    answer = tool.repo_json("add", f"source/{name_of('RHEL7-64')}", f"source/{name_of('RHEL5-64')}", "--yes")
    assert answer.code == 0, answer.err
    assert tool.names() == {name_of("RHEL7-64"), name_of("RHEL5-64"), name_of("OL7-64", OLD)}
    assert tool.service.starts == 1
    assert (tool.source / name_of("RHEL7-64")).is_file(), "the file that was brought stays where it was"
    assert tool.repo("restore", "last", "--drop", "RHEL5-64", "--yes").code == 0
    assert tool.names() == {name_of("RHEL7-64", OLD), name_of("OL7-64", OLD)}


@pytest.mark.parametrize("extra", [(), ("--dry-run",)])
@pytest.mark.parametrize(
    ("fault", "code", "error"),
    [
        ("mislabelled", 4, "mislabelled"),
        ("foreign", 2, "not-an-installer-name"),
        ("unknown", 2, "unknown-package"),
        ("older", 2, "older-than-present"),
        ("absent", 2, "no-file"),
        ("folder", 2, "not-a-file"),
        ("inside", 2, "already-there"),
    ],
)
def test_add_refuses_the_wrong_file_and_nothing_is_placed(
    tool: Cli, fault: str, code: int, error: str, extra: tuple[str, ...]
) -> None:
    tool.fill(("RHEL7-64", "OL7-64"))
    tool.fill_source()
    old, wrong = name_of("RHEL7-64", OLD), name_of("OL8-64")
    unknown = "Microsoft-ASR_UA_9.66.7567.1_OL6.-64_GA_20Sep2025_release.tar.gz"
    for name, data in ((old, data_of(old)), (wrong, data_of(wrong, token="OL7-64")), (unknown, b"?"), ("x.exe", b"MZ")):  # noqa: S106 - a package
        (tool.source / name).write_bytes(data)
    file = {
        "mislabelled": f"source/{wrong}",
        "foreign": "source/x.exe",
        "unknown": f"source/{unknown}",
        "older": f"source/{old}",
        "absent": "source/none.tar.gz",
        "folder": "source",
        "inside": f"repo/{name_of('RHEL7-64')}",
    }[fault]
    before = tree(tool.folder)
    # A good file beside the wrong one is not placed either.
    answer = tool.repo_json("add", f"source/{name_of('RHEL5-64')}", file, *extra, "--yes")
    assert (answer.code, answer.document["error"]["code"]) == (code, error)
    assert answer.document["error"]["hint"]
    assert f"error[{error}]" in answer.err
    after = {name: digest for name, digest in tree(tool.folder).items() if ".repo-manager" not in name}
    assert after == before


def test_add_of_two_builds_of_a_package_places_the_newer(tool: Cli) -> None:
    tool.repository.mkdir()
    for release in (OLD, NEW):
        tool.fill_source(("RHEL7-64",), release)
    brought = [f"source/{name_of('RHEL7-64', release)}" for release in (NEW, OLD)]
    answer = tool.repo_json("add", *brought, "--yes")
    assert answer.code == 0, answer.err
    assert tool.names() == {name_of("RHEL7-64")}


def test_add_of_an_older_file_is_possible_on_demand(tool: Cli) -> None:
    tool.fill(("RHEL7-64",))
    tool.fill_source(("RHEL7-64",), OLD)
    assert tool.repo("add", "--allow-older", f"source/{name_of('RHEL7-64', OLD)}", "--yes").code == 0
    assert tool.names() == {name_of("RHEL7-64", OLD)}


# download


@pytest.mark.skipif(shutil.which("sha256sum") is None, reason="needs sha256sum")
def test_a_carried_set_is_what_sha256sum_says(tool: Cli) -> None:
    tool.fill_source()
    assert tool("download", "rhel5-64", "--to", "carry", "--source", "source").code == 0
    assert tool("download", "Windows", "OL8-64", "--to", "carry", "--source", "source").code == 0
    carry = tool.folder / "carry"
    assert {path.name for path in carry.iterdir()} == {
        *map(name_of, ("RHEL5-64", "Windows", "OL8-64")),
        "SHA256SUMS",
    }
    checked = subprocess.run(["sha256sum", "-c", "--strict", "SHA256SUMS"], cwd=carry, check=False, capture_output=True)
    assert (checked.returncode, checked.stdout.count(b": OK")) == (0, 3)
    placed = tool.repo
    tool.fill(("RHEL7-64",))
    assert placed("add", *(str(path) for path in carry.glob("Microsoft*")), "--yes").code == 0


def test_what_was_carried_whole_is_not_fetched_again(tool: Cli) -> None:
    with serving() as server:
        path = f"/{name_of('RHEL5-64')}"
        server.url(path, Honest(data_of(name_of("RHEL5-64"))))
        for _ in range(2):
            assert tool("download", "RHEL5-64", "--to", "carry", "--source", server.base).code == 0
    assert len(server.ranges(path)) == 1


def test_a_download_without_a_repository_takes_the_newest_release(tool: Cli) -> None:
    source = str(tool.fill_source())
    document = tool.json("download", "all", "--dry-run", "--to", "carry", "--source", source).document
    assert len(document["actions"]) == 26
    assert not (tool.folder / "carry").exists()


def test_a_second_download_into_the_same_folder_is_refused(tool: Cli) -> None:
    tool.fill_source(("RHEL7-64", "OL7-64"))
    words = ("download", "RHEL7-64", "--release", "9.66", "--to", "carry", "--source")
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(60)
        address = f"http://127.0.0.1:{server.getsockname()[1]}"
        first = subprocess.Popen(
            [sys.executable, "-m", "repo_manager", *words, address],
            cwd=tool.folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            # It waits for an answer that never comes, with the folder locked.
            connection, _ = server.accept()
            with connection:
                before = tree(tool.folder / "carry")
                second = tool.json(*words, "source")
                assert (second.code, second.error["code"]) == (6, "locked")
                assert "is filling" in second.error["message"]
                assert "carry: download since" in second.error["message"]
                assert tree(tool.folder / "carry") == before
                assert tool.json(*words[:4], "--to", "elsewhere", "--source", "source").code == 0
        finally:
            first.kill()
            first.wait(timeout=60)

    assert tool.json(*words, "source").code == 0, "the lock ends with the process that held it"
    assert {path.name for path in (tool.folder / "carry").iterdir()} == {name_of("RHEL7-64"), "SHA256SUMS"}
    assert tool.json("download", "OL7-64", "--release", "9.66", "--to", "carry", "--source", "source").code == 0
    assert {path.name for path in (tool.folder / "carry").iterdir()} == {
        name_of("RHEL7-64"),
        name_of("OL7-64"),
        "SHA256SUMS",
    }


def test_a_download_into_a_repository_waits_for_its_changes(tool: Cli) -> None:
    tool.fill_source(("RHEL7-64",))
    tool.fill(("OL7-64",))
    assert tool.repo("prune", "--yes").code == 0
    words = ("download", "RHEL7-64", "--release", "9.66", "--to", "repo", "--source", "source")
    with Lock(tool.repository / SUBFOLDER / "lock", {"pid": 1, "host": "here", "command": "sync", "since": "now"}):
        answer = tool.json(*words)
        assert (answer.code, answer.error["code"]) == (6, "locked")
    assert tool.json(*words).code == 0
    assert tool.names() == {name_of("RHEL7-64"), name_of("OL7-64"), "SHA256SUMS"}


# audit and list


def test_a_deep_audit_finds_what_no_name_tells(tool: Cli) -> None:
    tool.fill()
    cut, wrong = name_of("RHEL7-64"), name_of("OL7-64")
    tool.put(cut, data_of(cut)[:-50])
    tool.put(wrong, data_of(wrong, token="OL8-64"))  # noqa: S106 - a package
    assert tool.repo("audit").code == 0, "from the names alone all is well"
    document = tool.repo_json("audit", "--deep").document
    assert {(item["code"], item["file"]) for item in document["findings"]} == {("corrupt", cut), ("mislabelled", wrong)}
    assert {item["package"] for item in document["packages"] if item["state"] == "corrupt"} == {"RHEL7-64", "OL7-64"}
    assert tool.repo("audit").code == 1, "what was seen once is remembered"


def test_a_quick_audit_says_what_is_known_of_each_file_and_since_when(tool: Cli) -> None:
    tool.fill(("RHEL7-64", "OL7-64"))
    words = ("--package", "RHEL7-64", "--package", "OL7-64", "--package", "RHEL8-64")
    first = tool.repo("audit", *words).out
    assert "2 installers not read: --deep reads them" in " ".join(first.split())
    assert "  READ" not in first
    assert [item["read_at"] for item in tool.repo_json("audit", *words).document["packages"]] == [None, None, None]

    deep = tool.repo_json("audit", "--deep", *words).document
    read = {item["package"]: item["read_at"] for item in deep["packages"]}
    assert read["RHEL7-64"] is not None
    assert read["RHEL8-64"] is None
    assert read["RHEL7-64"] <= deep["at"]
    tool.fill(("RHEL8-64",))
    text = tool.repo("audit", *words).out
    day = read["RHEL7-64"][:10]
    assert f"2 installers read earlier, the first on {day}, 1 not read: --deep reads them" in " ".join(text.split())
    lines = {line.split()[0]: line.split()[-1] for line in text.splitlines() if line.startswith(("RHEL", "OL", "PACK"))}
    assert lines == {"PACKAGE": "READ", "RHEL7-64": day, "OL7-64": day, "RHEL8-64": "-"}
    # The first line is the path of the repository.
    assert max(map(len, text.splitlines()[1:])) <= 80
    quick = tool.repo_json("audit", *words).document
    assert {item["package"]: item["read_at"] for item in quick["packages"]} == read
    assert f"2 installers read earlier, the first on {day}" in tool.repo("audit", *words, "--format", "html").out


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux's count of bytes read")
def test_a_deep_audit_reads_every_byte_every_time_and_a_quick_one_none(tool: Cli) -> None:
    for token in CLASSIC[:8]:
        tool.put(name_of(token), _large(name_of(token)))
    count = (
        "import sys; from repo_manager import cli\n"
        "code = cli.main(['--repository', 'repo', '-q', 'audit', *sys.argv[1:], '--output', 'out.txt'])\n"
        "print(open('/proc/self/io').read().split()[1])\n"
    )
    read = []
    for how in (["--deep"], ["--deep"], []):
        answer = subprocess.run([sys.executable, "-c", count, *how], cwd=tool.folder, capture_output=True, check=True)
        read.append(int(answer.stdout.split()[-1]))
    total = sum(path.stat().st_size for path in tool.repository.iterdir())
    assert total > 8_000_000
    assert read[0] - read[2] >= total
    assert read[1] - read[2] >= total
    assert read[2] < total


def test_a_deep_audit_finds_a_flipped_byte_behind_an_unchanged_stamp(tool: Cli) -> None:
    tool.fill(("RHEL7-64",))
    name = name_of("RHEL7-64")
    assert tool.repo("audit", "--deep", "--package", "RHEL7-64").code == 0
    (memory,) = tool.memory
    # What another program may do as well: the memory says that these bytes were read, and they are others.
    data = data_of(name)
    tool.put(name, data[:-9] + bytes([data[-9] ^ 1]) + data[-8:])
    stat = (tool.repository / name).stat()
    document = json.loads(memory.read_text("ascii"))
    changed_ns = 0 if sys.platform == "win32" else stat.st_ctime_ns
    document["files"][name][1:4] = [stat.st_mtime_ns, changed_ns, stat.st_ino]
    memory.write_text(json.dumps(document), "ascii")
    assert tool.repo("audit", "--package", "RHEL7-64").code == 0, "the quick one goes by the memory"
    answer = tool.repo_json("audit", "--deep", "--package", "RHEL7-64")
    assert [found["code"] for found in answer.document["findings"]] == ["corrupt"]
    assert tool.repo("audit", "--package", "RHEL7-64").code == 1, "what was seen is remembered"


@functools.cache
def _large(name: str) -> bytes:
    from repo_manager.core import names
    from repo_manager.demo.sample import sample_installer

    return sample_installer(names.parse(name), payload_bytes=1_200_000)


def test_an_audit_changes_nothing_at_all(tool: Cli) -> None:
    tool.mess()
    before = [(path.name, path.stat().st_mtime_ns, path.stat().st_size) for path in sorted(tool.repository.iterdir())]
    tool.repo("audit", "--deep")
    tool.repo("list")
    tool.repo("resolve", "rhel 7")
    tool.repo("show", "RHEL7-64")
    tool.repo("restore")
    tool.repo("doctor")
    after = [(path.name, path.stat().st_mtime_ns, path.stat().st_size) for path in sorted(tool.repository.iterdir())]
    assert after == before


@pytest.mark.parametrize("format_", ["table", "json", "csv"])
@pytest.mark.parametrize("arguments", [("audit",), ("list",)])
def test_every_format_says_the_same(tool: Cli, arguments: tuple[str, ...], format_: str) -> None:
    tool.mess()
    answer = tool.repo(*arguments, "--format", format_)
    document = tool.repo_json(*arguments).document
    key = "findings" if arguments == ("audit",) else "files"
    if format_ == "json":
        assert {**answer.document, "at": None} == {**document, "at": None}  # two runs, two moments
    elif format_ == "csv":
        rows = list(csv.DictReader(io.StringIO(answer.out)))
        assert len(rows) == len(document[key])
        assert [row.get("file", row.get("name")) for row in rows] == [
            item.get("file", item.get("name")) or "" for item in document[key]
        ]
    else:
        assert all(
            (item.get("package") or item.get("name") or item["file"] or "") in answer.out for item in document[key]
        )


def test_a_report_that_cannot_be_written_is_one_clear_message(tool: Cli) -> None:
    tool.mess()
    answer = tool.repo_json("audit", "--output", "none/report.txt")
    assert (answer.code, answer.error["code"]) == (2, "cannot-write")


@pytest.mark.parametrize(
    "output", ["", "repo", f"repo/{name_of('RHEL7-64')}", "repo/report.txt", "repo/.repo-manager/x", "machines.csv"]
)
def test_a_report_never_takes_the_place_of_what_it_is_about(tool: Cli, output: str) -> None:
    tool.mess()
    (tool.folder / "machines.csv").write_text("name,os\nweb-01,CentOS 7.9\n", encoding="utf-8")
    before = tree(tool.folder)
    answer = tool.repo_json("audit", "--inventory", "machines.csv", "--output", output)
    assert (answer.code, answer.error["code"]) == (2, "cannot-write")
    assert tree(tool.folder) == before


@pytest.mark.skipif(sys.platform == "win32", reason="rights are another matter there")
def test_an_audit_of_a_folder_that_may_only_be_read_works(open_tool: Cli) -> None:
    open_tool.fill()
    arguments = ("--repository", "repo", "--json", "audit", "--deep")
    assert open_tool(*arguments).code == 0
    open_tool.repository.chmod(0o555)
    before = tree(open_tool.folder)
    answer = unprivileged(open_tool, *arguments)
    assert answer.code == 0, answer.err
    assert answer.document["summary"] == {"errors": 0, "warnings": 0, "infos": 0}
    assert tree(open_tool.folder) == before
    open_tool.repository.chmod(0o755)


# the service that has not looked


def test_a_file_that_was_dropped_by_hand_leads_to_one_restart(tool: Cli) -> None:
    tool.fill()
    tool.service = InstantService(since=0)
    audit = tool.repo_json("audit")
    assert audit.code == 0
    assert [(item["code"], item["fix"]) for item in audit.document["findings"]] == [
        ("restart-pending", "repo-manager --repository repo restart")
    ]
    plan = tool.repo_json("sync", "--dry-run")
    assert [item["action"] for item in plan.document["actions"]] == ["restart"]
    assert "restart the service InMage PushInstall: the set changed" in tool.repo("sync", "--dry-run").out
    assert tool.service.starts == 0
    answer = tool.repo_json("prune", "--yes")
    assert (answer.code, tool.service.starts) == (0, 1)
    assert [(item["action"], item["result"]) for item in answer.document["actions"]] == [("restart", "done")]
    assert tool.repo_json("audit").document["findings"] == []
    assert tool.repo_json("prune", "--yes").document["actions"] == []
    assert tool.service.starts == 1


def test_a_change_without_a_restart_leaves_one_pending(tool: Cli) -> None:
    tool.fill(("RHEL7-64",), OLD)
    tool.service = InstantService(since=time.time())
    answer = tool.repo("add", str(tool.fill_source() / name_of("RHEL7-64")), "--no-restart", "--yes")
    assert (answer.code, tool.service.starts) == (0, 0)
    found = tool.repo_json("audit", "--package", "RHEL7-64").document["findings"]
    assert [item["code"] for item in found] == ["restart-pending"]
    assert tool.repo("restart").code == 0
    assert tool.repo_json("audit", "--package", "RHEL7-64").document["findings"] == []


def test_a_first_change_that_finds_nothing_to_do_restarts_nothing(tool: Cli) -> None:
    tool.fill()
    tool.service = InstantService(since=time.time())
    assert tool.repo_json("prune", "--yes").document["actions"] == []
    assert tool.repo_json("prune", "--yes").document["actions"] == []
    assert tool.service.starts == 0


def test_a_restart_alone_that_fails_says_so(tool: Cli) -> None:
    tool.fill()
    tool.service = InstantService(since=0, broken=9)
    before = tree(tool.repository, own=False)
    answer = tool.repo_json("prune", "--yes")
    assert answer.code == 5
    assert "error[service-did-not-start]" in answer.err
    assert [(item["action"], item["result"]) for item in answer.document["actions"]] == [("restart", "failed")]
    assert tree(tool.repository, own=False) == before


def test_a_restart_alone_is_no_change_that_could_be_taken_back(tool: Cli) -> None:
    tool.mess()
    assert tool.repo("prune", "--yes").code == 0
    before = tool.repo_json("restore").document
    tool.service = InstantService(since=0)
    assert tool.repo("prune", "--yes").code == 0
    assert tool.service.starts == 1
    assert tool.repo_json("restore").document == before


def test_a_service_that_may_not_be_restarted_is_noticed_before_anything_is_fetched(tool: Cli) -> None:
    tool.fill(("RHEL7-64",), OLD)
    tool.fill_source()
    tool.service = InstantService(refuses="service-access-denied")
    before = tree(tool.repository, own=False)
    sync = ("sync", "--release", "latest", "--source", "source", "--yes")
    answer = tool.repo_json(*sync)
    assert (answer.code, answer.error["code"]) == (5, "service-access-denied")
    assert tree(tool.repository, own=False) == before
    assert not list((tool.repository / ".repo-manager" / "staging").iterdir())
    assert tool.repo(*sync, "--no-restart").code == 0


def test_a_service_that_is_stopped_needs_no_rights_to_stay_so(tool: Cli) -> None:
    tool.repository.mkdir()
    tool.fill_source()
    tool.service = InstantService(now=ServiceState.STOPPED, refuses="service-access-denied")
    assert tool.repo("sync", "--source", "source", "--yes").code == 0
    assert tool.service.now is ServiceState.STOPPED
