from __future__ import annotations

import hashlib
import json
import logging
import shutil
import ssl
import subprocess
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from abuse_server import (
    MODIFIED,
    AbuseServer,
    Honest,
    Script,
    always,
    chunked,
    drip,
    endless,
    in_turn,
    redirect,
    reset_after,
    serving,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from small_disk import mounted

from repo_manager.adapters.installers.archive import MismatchError
from repo_manager.adapters.sources._transport import Transport
from repo_manager.adapters.sources.download import Downloader, HttpPolicy
from repo_manager.adapters.sources.http_rules import check_hop, parse_content_range, retry_after_s
from repo_manager.core.address import host_of
from repo_manager.core.errors import InputError, MachineError, RepoManagerError, TransferError, VerificationError
from repo_manager.core.names import parse
from repo_manager.core.redaction import shown
from repo_manager.demo.sample import sample_installer

if TYPE_CHECKING:
    from collections.abc import Iterator

NAME = parse("Microsoft-ASR_UA_9.66.7567.1_RHEL9-64_GA_20Sep2025_release.tar.gz")
WINDOWS_NAME = parse("Microsoft-ASR_UA_9.66.7567.1_Windows_GA_20Sep2025_release.exe")
DATA = sample_installer(NAME)
OTHER_BUILD = sample_installer(NAME, seed=1)
SHA256 = hashlib.sha256(DATA).hexdigest()
PATH = f"/{NAME}"
HTML = b"<!DOCTYPE html><html><body>Sign in</body></html>"


@pytest.fixture
def server() -> Iterator[AbuseServer]:
    with serving() as running:
        yield running


@pytest.fixture
def part(tmp_path: Path) -> Path:
    return tmp_path / "staged"


def policy_for(*servers: AbuseServer) -> HttpPolicy:
    return HttpPolicy(frozenset(server.entry for server in servers), trust_env=False, stall_timeout_s=5)


@contextmanager
def downloader(policy: HttpPolicy, waits: list[float] | None = None) -> Iterator[Downloader]:
    """One that notes its waits, joined where they were cut into naps, instead of waiting."""
    naps: list[float] = [] if waits is None else waits
    with Downloader(policy, sleep=naps.append, random=lambda: 0.999) as made:
        yield made


def left_over(part: Path) -> list[str]:
    return sorted(path.name for path in part.parent.iterdir())


def record(part: Path) -> Path:
    return part.with_name(part.name + ".json")


def pretend_earlier_run(part: Path, data: bytes, url: str, etag: str | None = '"build-1"') -> None:
    part.write_bytes(data)
    origin = {"url": url, "etag": etag, "last_modified": None, "total": len(DATA)}
    record(part).write_text(json.dumps(origin), "utf-8")


def test_a_file_is_fetched_hashed_and_inspected(server: AbuseServer, part: Path) -> None:
    seen: list[int] = []
    url = server.url(PATH, Honest(DATA))

    with downloader(policy_for(server)) as made:
        fetched = made.fetch(NAME, [url], part, sha256=SHA256.upper(), size_bytes=len(DATA), progress=seen.append)

    assert (fetched.sha256, fetched.size_bytes, fetched.url) == (SHA256, len(DATA), url)
    assert fetched.contents.token == NAME.token
    assert part.read_bytes() == DATA
    assert left_over(part) == ["staged"], "the record is gone: there is nothing to resume"
    assert seen == sorted(seen)
    assert seen[-1] == len(DATA)


def test_a_body_without_a_length_is_fetched_too(server: AbuseServer, part: Path) -> None:
    url = server.url(PATH, lambda request: request.answer(200, {"Connection": "close"}, DATA, cut=len(DATA)))

    with downloader(policy_for(server)) as made:
        assert made.fetch(NAME, [url], part).sha256 == SHA256


@pytest.mark.parametrize("cut", [0, 1, 5, 511, 65_536, 100_000, len(DATA) - 1])
def test_a_cut_download_goes_on_where_it_stopped(server: AbuseServer, part: Path, cut: int) -> None:
    url = server.url(PATH, Honest(DATA, cuts=[cut]))

    with downloader(policy_for(server)) as made:
        assert made.fetch(NAME, [url], part).sha256 == SHA256

    assert part.read_bytes() == DATA
    assert server.sent[PATH] == len(DATA), "no byte was sent twice"
    assert server.ranges(PATH) == [None, f"bytes={cut}-" if cut else None]


@settings(max_examples=25)
@given(cuts=st.lists(st.integers(0, len(DATA)), max_size=4), ranges=st.booleans(), digest=st.booleans())
def test_wherever_it_is_cut_the_bytes_are_the_same_and_few_come_twice(
    cuts: list[int],
    *,
    ranges: bool,
    digest: bool,
) -> None:
    with serving() as server, tempfile.TemporaryDirectory() as folder:
        part = Path(folder, "staged")
        url = server.url(PATH, Honest(DATA, cuts=list(cuts), ranges=ranges))
        with downloader(policy_for(server)) as made:
            made.fetch(NAME, [url], part, sha256=SHA256 if digest else None)

        assert part.read_bytes() == DATA
        assert server.sent[PATH] <= len(DATA) + (0 if ranges else sum(cuts))


def test_more_cuts_than_attempts_do_no_harm_while_each_brings_something(server: AbuseServer, part: Path) -> None:
    data = sample_installer(NAME, payload_bytes=2_000_000)
    url = server.url(PATH, Honest(data, cuts=[70_000] * 25))

    with downloader(replace(policy_for(server), attempts=2)) as made:
        made.fetch(NAME, [url], part)

    assert part.read_bytes() == data
    assert server.sent[PATH] == len(data)


def test_a_source_that_brings_a_byte_at_a_time_is_given_up(server: AbuseServer, part: Path) -> None:
    url = server.url(PATH, Honest(DATA, cuts=[1] * 100))

    with downloader(policy_for(server)) as made, pytest.raises(TransferError) as failure:
        made.fetch(NAME, [url], part)

    assert failure.value.code == "cut-off"
    assert part.read_bytes() == DATA[:5], "what came stays for the next run"


@pytest.mark.parametrize(
    ("lie", "reason"),
    [
        ({"Content-Range": f"bytes 0-{len(DATA) - 1}/{len(DATA)}"}, "starts elsewhere than asked"),
        ({"Content-Range": f"bytes 100001-{len(DATA) - 1}/{len(DATA)}"}, "starts one later than asked"),
        ({"Content-Range": f"bytes 100000-{len(DATA)}/{len(DATA) + 1}"}, "speaks of a longer file"),
        ({"Content-Range": f"bytes 100000-{len(DATA) - 1}/*"}, "does not say how long the file is"),
        ({"Content-Range": "bytes 9-2/3"}, "makes no sense"),
        ({"Content-Range": "lines 1-2/3"}, "counts in something else"),
        ({"ETag": '"build-2"'}, "belongs to another build"),
        ({"Last-Modified": "Tue, 23 Sep 2025 10:00:00 GMT"}, "was changed meanwhile"),
    ],
)
def test_a_wrong_answer_to_a_resume_makes_it_start_over(
    server: AbuseServer, part: Path, lie: dict[str, str], reason: str
) -> None:
    url = server.url(PATH, Honest(DATA, cuts=[100_000], lies=[lie]))

    with downloader(policy_for(server)) as made:
        made.fetch(NAME, [url], part)

    assert part.read_bytes() == DATA, reason
    assert server.ranges(PATH) == [None, "bytes=100000-", None]


def test_a_200_instead_of_a_206_is_taken_as_the_whole(server: AbuseServer, part: Path) -> None:
    url = server.url(PATH, Honest(DATA, cuts=[100_000], ranges=False))

    with downloader(policy_for(server)) as made:
        made.fetch(NAME, [url], part)

    assert part.read_bytes() == DATA
    assert server.ranges(PATH) == [None, "bytes=100000-"]


def test_a_build_published_in_the_middle_is_fetched_from_its_start(server: AbuseServer, part: Path) -> None:
    old = Honest(DATA, cuts=[100_000])
    url = server.url(PATH, in_turn(old, Honest(OTHER_BUILD, etag='"build-2"', modified=None)))

    with downloader(policy_for(server)) as made:
        made.fetch(NAME, [url], part)

    assert part.read_bytes() == OTHER_BUILD


def test_without_a_validator_and_a_digest_nothing_is_resumed(server: AbuseServer, part: Path) -> None:
    url = server.url(PATH, Honest(DATA, cuts=[100_000], etag=None, modified=None))

    with downloader(policy_for(server)) as made:
        made.fetch(NAME, [url], part)

    assert server.ranges(PATH) == [None, None]


def test_a_weak_tag_is_no_validator_but_the_date_is(server: AbuseServer, part: Path) -> None:
    url = server.url(PATH, Honest(DATA, cuts=[100_000], etag='W/"build-1"'))

    with downloader(policy_for(server)) as made:
        made.fetch(NAME, [url], part)

    assert server.log[-1][2]["if-range"] == MODIFIED
    assert server.sent[PATH] == len(DATA)


def test_a_later_run_resumes_what_a_killed_one_left(server: AbuseServer, part: Path) -> None:
    url = server.url(PATH, Honest(DATA))
    pretend_earlier_run(part, DATA[:150_000], url)

    with downloader(policy_for(server)) as made:
        made.fetch(NAME, [url], part)

    assert part.read_bytes() == DATA
    assert server.ranges(PATH) == ["bytes=150000-"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "torn by a crash"),
        ("{", "torn by a crash"),
        ("[]", "not a record"),
        ('{"url": 1, "etag": null, "last_modified": null, "total": null}', "a wrong type"),
        ('{"url": "x", "etag": 5, "last_modified": null, "total": null}', "a wrong type"),
        ('{"url": "x", "etag": null, "last_modified": null, "total": "9"}', "a wrong type"),
        ('{"url": "x"}', "fields missing"),
    ],
)
def test_a_record_that_cannot_be_believed_means_starting_over(
    server: AbuseServer, part: Path, content: str, reason: str
) -> None:
    url = server.url(PATH, Honest(DATA))
    part.write_bytes(DATA[:1000])
    record(part).write_text(content, "utf-8")

    with downloader(policy_for(server)) as made:
        made.fetch(NAME, [url], part)

    assert (part.read_bytes(), server.ranges(PATH)) == (DATA, [None]), reason


def test_a_record_without_its_part_means_starting_over(server: AbuseServer, part: Path) -> None:
    url = server.url(PATH, Honest(DATA))
    pretend_earlier_run(part, b"", url)
    part.unlink()

    with downloader(policy_for(server)) as made:
        made.fetch(NAME, [url], part)

    assert part.read_bytes() == DATA


def test_a_part_without_a_record_is_not_resumed(server: AbuseServer, part: Path) -> None:
    url = server.url(PATH, Honest(DATA))
    part.write_bytes(b"x" * 500_000)

    with downloader(policy_for(server)) as made:
        made.fetch(NAME, [url], part)

    assert part.read_bytes() == DATA


def test_a_part_that_was_complete_already_needs_no_request(server: AbuseServer, part: Path) -> None:
    url = server.url(PATH, Honest(DATA))
    pretend_earlier_run(part, DATA, url)

    with downloader(policy_for(server)) as made:
        assert made.fetch(NAME, [url], part).sha256 == SHA256

    assert server.log == []


@pytest.mark.parametrize(
    ("leftover", "reason"),
    [
        (OTHER_BUILD[:150_000], "bytes of another build, which only the whole file shows"),
        (DATA[:150_000][::-1], "bytes that are no archive at all"),
        (DATA[:70_000] + bytes(80_000), "a hole that a power cut left"),
        (DATA + b"more", "longer than the file"),
        (OTHER_BUILD[: len(DATA) - 1] + b"x", "complete, and wrong"),
    ],
)
@pytest.mark.parametrize("digest", [SHA256, None])
def test_resumed_bytes_of_another_build_never_become_a_file(
    server: AbuseServer, part: Path, leftover: bytes, reason: str, digest: str | None
) -> None:
    url = server.url(PATH, Honest(DATA))
    pretend_earlier_run(part, leftover, url)

    with downloader(policy_for(server)) as made:
        made.fetch(NAME, [url], part, sha256=digest)

    assert part.read_bytes() == DATA, reason


def test_a_source_that_gives_wrong_bytes_twice_is_left(server: AbuseServer, part: Path) -> None:
    url = server.url(PATH, Honest(OTHER_BUILD))
    pretend_earlier_run(part, DATA[:150_000], url)

    with downloader(policy_for(server)) as made, pytest.raises(VerificationError) as failure:
        made.fetch(NAME, [url], part, sha256=SHA256)

    assert failure.value.code == "digest-mismatch"
    assert server.ranges(PATH) == ["bytes=150000-", None]
    assert left_over(part) == []


def test_a_leftover_that_cannot_be_read_is_the_machines_fault(server: AbuseServer, part: Path) -> None:
    url = server.url(PATH, Honest(DATA))
    pretend_earlier_run(part, b"", url)
    part.unlink()
    part.mkdir()

    with downloader(policy_for(server)) as made, pytest.raises(MachineError):
        made.fetch(NAME, [url], part)

    assert part.is_dir(), "what is not ours is left alone"


def test_a_416_after_the_last_byte_means_that_all_is_here(server: AbuseServer, part: Path) -> None:
    url = server.url(PATH, Honest(DATA))
    part.write_bytes(DATA)
    origin = {"url": url, "etag": '"build-1"', "last_modified": None, "total": None}
    record(part).write_text(json.dumps(origin), "utf-8")

    with downloader(policy_for(server)) as made:
        assert made.fetch(NAME, [url], part).sha256 == SHA256

    assert server.ranges(PATH) == [f"bytes={len(DATA)}-"]


@pytest.mark.parametrize("said", ["bytes */12", "bytes */*", "nonsense", None])
def test_any_other_416_makes_it_start_over(server: AbuseServer, part: Path, said: str | None) -> None:
    refusal = always(416, {} if said is None else {"Content-Range": said})
    url = server.url(PATH, in_turn(Honest(DATA, cuts=[1000]), refusal, Honest(DATA)))

    with downloader(policy_for(server)) as made:
        made.fetch(NAME, [url], part)

    assert part.read_bytes() == DATA
    assert server.ranges(PATH) == [None, "bytes=1000-", None]


def test_another_source_goes_on_where_the_first_stopped_when_the_digest_is_known(
    server: AbuseServer, part: Path
) -> None:
    first = server.url("/a", in_turn(Honest(DATA, cuts=[150_000]), always(404)))
    second = server.url("/b", Honest(DATA, etag='"elsewhere"'))

    with downloader(policy_for(server)) as made:
        fetched = made.fetch(NAME, [first, second], part, sha256=SHA256)

    assert fetched.url == second
    assert part.read_bytes() == DATA
    assert server.ranges("/b") == ["bytes=150000-"]


def test_another_source_starts_from_zero_when_no_digest_is_known(server: AbuseServer, part: Path) -> None:
    first = server.url("/a", in_turn(Honest(DATA, cuts=[150_000]), always(404)))
    second = server.url("/b", Honest(OTHER_BUILD))

    with downloader(policy_for(server)) as made:
        made.fetch(NAME, [first, second], part)

    assert part.read_bytes() == OTHER_BUILD
    assert server.ranges("/b") == [None]


def test_pieces_of_two_builds_are_found_out_and_fetched_again(server: AbuseServer, part: Path) -> None:
    first = server.url("/a", in_turn(Honest(OTHER_BUILD, cuts=[150_000]), always(404)))
    second = server.url("/b", Honest(DATA))

    with downloader(policy_for(server)) as made:
        made.fetch(NAME, [first, second], part, sha256=SHA256)

    assert part.read_bytes() == DATA
    assert server.ranges("/b") == ["bytes=150000-", None]


def test_after_going_on_at_another_source_only_the_digest_counts(server: AbuseServer, part: Path) -> None:
    first = server.url("/a", in_turn(Honest(DATA, cuts=[100_000]), always(404)))
    second = server.url("/b", in_turn(Honest(DATA, cuts=[50_000]), always(404)))

    with downloader(policy_for(server)) as made:
        with pytest.raises(TransferError):
            made.fetch(NAME, [first, second], part, sha256=SHA256)
        assert part.read_bytes() == DATA[:150_000]
        server.url("/b", Honest(OTHER_BUILD))
        made.fetch(NAME, [second], part)

    assert part.read_bytes() == OTHER_BUILD, "nothing was appended to bytes of two sources without a digest"


@pytest.mark.parametrize(
    ("status", "headers", "expected"),
    [
        (503, {"Retry-After": "7"}, [7.0]),
        (429, {"Retry-After": "7"}, [7.0]),
        (503, {"Date": MODIFIED, "Retry-After": "Mon, 22 Sep 2025 10:00:31 GMT"}, [31.0]),
        (503, {"Date": MODIFIED, "Retry-After": "Mon, 22 Sep 2025 09:00:00 GMT"}, [0.999]),
        (429, {"Retry-After": "999999999"}, [120.0]),
        (429, {"Retry-After": "Fri, 31 Dec 9999 23:59:59 GMT"}, [120.0]),
        (503, {"Retry-After": "soon"}, [0.999]),
        (503, {"Retry-After": "-5"}, [0.999]),
        (500, {}, [0.999]),
        (502, {}, [0.999]),
        (504, {}, [0.999]),
        (408, {}, [0.999]),
        (425, {}, [0.999]),
    ],
)
def test_a_busy_server_is_asked_again_when_it_says_within_reason(
    server: AbuseServer, part: Path, status: int, headers: dict[str, str], expected: list[float]
) -> None:
    waits: list[float] = []
    url = server.url(PATH, in_turn(always(status, headers), Honest(DATA)))

    with downloader(policy_for(server), waits) as made:
        made.fetch(NAME, [url], part)

    assert part.read_bytes() == DATA
    assert [pytest.approx(sum(waits))] == expected


def test_waits_grow_and_end(server: AbuseServer, part: Path) -> None:
    waits: list[float] = []
    url = server.url(PATH, always(503))

    with downloader(policy_for(server), waits) as made, pytest.raises(TransferError) as failure:
        made.fetch(NAME, [url], part)

    assert failure.value.code == "server-busy"
    assert "503" in failure.value.message
    assert len(server.log) == 5
    assert sum(waits) == pytest.approx(0.999 * (1 + 2 + 4 + 8))


def test_a_wait_has_a_cap() -> None:
    patient = HttpPolicy(frozenset())

    assert patient.backoff(50, 0.5) == 30.0
    assert patient.backoff(10_000_000, 1.0) == 60.0


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, "server-refused"),
        (401, "access-denied"),
        (403, "access-denied"),
        (404, "not-found"),
        (407, "proxy-refused"),
        (410, "not-found"),
        (451, "server-refused"),
        (204, "server-refused"),
        (206, "server-refused"),
        (203, "server-refused"),
        (304, "server-refused"),
        (302, "server-refused"),
        (505, "server-refused"),
        (599, "server-refused"),
    ],
)
def test_a_refusal_is_final(server: AbuseServer, part: Path, status: int, code: str) -> None:
    headers = {} if status in {204, 304} else {"Content-Length": "0"}
    url = server.url(PATH, lambda request: request.answer(status, headers))

    with downloader(policy_for(server)) as made, pytest.raises(TransferError) as failure:
        made.fetch(NAME, [url], part)

    assert failure.value.code == code
    assert str(status) in failure.value.message
    assert len(server.log) == 1
    assert left_over(part) == []


@pytest.mark.parametrize(
    ("body", "code", "reason"),
    [
        (HTML, "not-an-archive", "a login page with status 200"),
        (b"", "empty-file", "nothing"),
        (b"ok", "not-an-archive", "two bytes"),
        (b"\x1f\x8b", "truncated-archive", "two bytes that begin well"),
        (bytes(200_000), "not-an-archive", "zeros"),
        (b"PK\x03\x04" + bytes(1000), "not-an-archive", "a zip archive"),
        (DATA[:-9], "truncated-archive", "an archive that its server holds truncated"),
        (DATA + b"\n", "damaged-archive", "an archive that its server holds extended"),
        (sample_installer(NAME, token=WINDOWS_NAME.token), "mislabelled", "an archive for another system"),
    ],
)
def test_wrong_bytes_are_refused_and_removed(
    server: AbuseServer, part: Path, body: bytes, code: str, reason: str
) -> None:
    url = server.url(PATH, always(200, {"ETag": '"x"'}, body))

    with downloader(policy_for(server)) as made, pytest.raises(VerificationError) as failure:
        made.fetch(NAME, [url], part)

    assert failure.value.code == code, reason
    assert url in failure.value.message
    assert len(server.log) == 1, "wrong bytes are not asked for again"
    assert left_over(part) == []


def test_a_login_page_is_left_after_its_first_bytes(server: AbuseServer, part: Path) -> None:
    url = server.url(PATH, endless(HTML * 1000))

    with downloader(policy_for(server)) as made, pytest.raises(VerificationError, match="an HTML page"):
        made.fetch(NAME, [url], part)


def test_an_endless_body_ends(server: AbuseServer, part: Path) -> None:
    data = sample_installer(WINDOWS_NAME)
    url = server.url(PATH, in_turn(endless(data)))

    policy = replace(policy_for(server), max_size_bytes=1_000_000)
    with downloader(policy) as made, pytest.raises(TransferError) as failure:
        made.fetch(WINDOWS_NAME, [url], part)

    assert failure.value.code == "too-large"
    assert left_over(part) == []


def test_a_body_announced_too_large_is_not_begun(server: AbuseServer, part: Path) -> None:
    url = server.url(PATH, always(200, {"Content-Length": str(9 << 30)}))

    with downloader(policy_for(server)) as made, pytest.raises(TransferError) as failure:
        made.fetch(NAME, [url], part)

    assert failure.value.code == "too-large"


@pytest.mark.parametrize("coding", ["gzip", "br", "GZIP", "deflate, gzip"])
def test_a_body_compressed_on_the_way_is_refused(server: AbuseServer, part: Path, coding: str) -> None:
    url = server.url(PATH, always(200, {"Content-Encoding": coding}, DATA))

    with downloader(policy_for(server)) as made, pytest.raises(TransferError) as failure:
        made.fetch(NAME, [url], part)

    assert failure.value.code == "compressed-body"
    assert server.log[0][2]["accept-encoding"] == "identity"
    assert left_over(part) == []


def test_a_body_said_to_be_identity_is_taken(server: AbuseServer, part: Path) -> None:
    url = server.url(PATH, always(200, {"Content-Encoding": "identity"}, DATA))

    with downloader(policy_for(server)) as made:
        assert made.fetch(NAME, [url], part).sha256 == SHA256


@pytest.mark.parametrize(
    ("size_bytes", "sha256", "code"),
    [
        (len(DATA) + 1, None, "size-mismatch"),
        (None, "0" * 64, "digest-mismatch"),
        (len(DATA), hashlib.sha256(OTHER_BUILD).hexdigest(), "digest-mismatch"),
    ],
)
def test_facts_that_are_known_must_be_met(
    server: AbuseServer, part: Path, size_bytes: int | None, sha256: str | None, code: str
) -> None:
    url = server.url(PATH, Honest(DATA))

    with downloader(policy_for(server)) as made, pytest.raises(MismatchError) as failure:
        made.fetch(NAME, [url], part, sha256=sha256, size_bytes=size_bytes)

    assert failure.value.code == code
    assert failure.value.expected == (sha256 or str(size_bytes))
    assert failure.value.found == (SHA256 if sha256 else str(len(DATA)))
    assert left_over(part) == []


def test_a_file_of_the_wrong_size_is_refused_before_its_first_byte(server: AbuseServer, part: Path) -> None:
    url = server.url(PATH, always(200, {"Content-Length": "4000000000"}))

    with downloader(policy_for(server)) as made, pytest.raises(MismatchError, match="4000000000"):
        made.fetch(NAME, [url], part, size_bytes=len(DATA))


def test_a_length_that_is_too_long_counts_as_cut_off(server: AbuseServer, part: Path) -> None:
    url = server.url(PATH, lambda request: request.answer(200, {"Content-Length": "300000"}, DATA, cut=len(DATA)))

    with downloader(policy_for(server)) as made, pytest.raises(TransferError) as failure:
        made.fetch(NAME, [url], part)

    assert failure.value.code == "cut-off"


def test_the_next_source_is_asked_after_wrong_bytes(server: AbuseServer, part: Path) -> None:
    login = server.url("/login", always(200, {}, HTML))
    url = server.url(PATH, Honest(DATA))

    with downloader(policy_for(server)) as made:
        assert made.fetch(NAME, [login, url], part).url == url

    assert part.read_bytes() == DATA


def test_the_error_names_every_source_and_wrong_bytes_weigh_more(server: AbuseServer, part: Path) -> None:
    gone = server.url("/gone", always(404))
    login = server.url("/login", always(200, {}, HTML))

    with downloader(policy_for(server)) as made, pytest.raises(VerificationError) as failure:
        made.fetch(NAME, [gone, login, "http://elsewhere.invalid/x"], part)

    assert failure.value.code == "not-an-archive"
    for text in (gone, login, "elsewhere.invalid", "404", "HTML", str(NAME)):
        assert text in failure.value.message


def test_without_a_source_there_is_an_error_and_no_file(part: Path) -> None:
    with downloader(HttpPolicy(frozenset())) as made, pytest.raises(TransferError) as failure:
        made.fetch(NAME, [], part)

    assert failure.value.code == "no-source"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_followed_with_the_range(server: AbuseServer, part: Path, status: int) -> None:
    server.url("/real", Honest(DATA, cuts=[100_000]))
    url = server.url(PATH, redirect("/real", status))

    with downloader(policy_for(server)) as made:
        made.fetch(NAME, [url], part)

    assert part.read_bytes() == DATA
    assert server.ranges("/real") == [None, "bytes=100000-"]


@pytest.mark.parametrize(
    ("location", "code"),
    [
        ("/loop", "too-many-redirects"),
        ("file:///etc/passwd", "refused-scheme"),
        ("ftp://127.0.0.1/x", "refused-scheme"),
        ("javascript:alert(1)", "bad-address"),
        ("http://elsewhere.invalid/x", "refused-host"),
        ("//elsewhere.invalid/x", "refused-host"),
        ("http://127.0.0.1:1/x", "refused-host"),
        ("http://127.0.0.1:99999/x", "refused-host"),
        ("http://[::1/x", "bad-address"),
    ],
)
def test_a_redirect_into_the_blue_is_refused(server: AbuseServer, part: Path, location: str, code: str) -> None:
    url = server.url("/loop", redirect(location))

    with downloader(policy_for(server)) as made, pytest.raises(TransferError) as failure:
        made.fetch(NAME, [url], part)

    assert failure.value.code == code
    assert len(server.log) == (11 if location == "/loop" else 1), "a refusal is final"
    assert left_over(part) == []


def test_a_redirect_to_another_host_needs_that_host_allowed(server: AbuseServer, part: Path) -> None:
    with serving("127.0.0.2") as other:
        url = server.url(PATH, redirect(other.url("/x", Honest(DATA))))

        with downloader(policy_for(server)) as made, pytest.raises(TransferError) as failure:
            made.fetch(NAME, [url], part)
        assert failure.value.code == "refused-host"
        assert other.log == [], "nobody was asked who must not be"

        with downloader(policy_for(server, other)) as made:
            assert made.fetch(NAME, [url], part).sha256 == SHA256


@pytest.mark.parametrize(
    ("scheme", "before", "entry", "code"),
    [
        ("https", None, "good", None),
        ("http", None, "good", None),
        ("https", "http", "good", None),
        ("http", "https", "good", "refused-downgrade"),
        ("https", "https", "good.evil", "refused-host"),
        ("https", "https", "evil.good", "refused-host"),
        ("https", "https", "good:8443", "refused-host"),
        ("https", "https", "good.", "refused-host"),
        ("file", "https", "good", "refused-scheme"),
        ("", None, "good", "refused-scheme"),
    ],
)
def test_a_hop_is_allowed_or_has_a_reason(scheme: str, before: str | None, entry: str, code: str | None) -> None:
    policy = HttpPolicy(frozenset({"good"}))
    if code is None:
        check_hop(policy, scheme=scheme, entry=entry, before=before, url="x")
        return
    with pytest.raises(TransferError) as failure:
        check_hop(policy, scheme=scheme, entry=entry, before=before, url="x")
    assert failure.value.code == code


@pytest.mark.parametrize(
    ("url", "entry", "text"),
    [
        ("https://Example.com/a?sig=secret", "example.com", "https://example.com/a"),
        ("https://user:pass@example.com:8443/a#x", "example.com:8443", "https://example.com:8443/a"),
        ("http://example.com:80/", "example.com", "http://example.com/"),
        ("http://example.com:443/", "example.com:443", "http://example.com:443/"),
        ("http://[::1]:x/", "", "http://..."),
        ("http://[::1]:8080/a", "[::1]:8080", "http://[::1]:8080/a"),
        ("http://[::1]/a", "[::1]", "http://[::1]/a"),
        ("http://ex ample/a", "", "http://..."),
        ("no url", "", "no url"),
        ("file:///etc/passwd?x", "", "file://..."),
    ],
)
def test_urls_are_shown_without_secrets_and_named_by_host(url: str, entry: str, text: str) -> None:
    assert (host_of(url), shown(url)) == (entry, text)


@pytest.mark.parametrize(
    "script", [always(404), always(200, {}, HTML), always(503), redirect("https://u:pw@evil.invalid/?sig=secret")]
)
def test_no_secret_reaches_a_message_a_log_or_a_record(
    server: AbuseServer, part: Path, script: Script, caplog: pytest.LogCaptureFixture
) -> None:
    server.scripts["/x?sv=1&sig=secret"] = script
    url = f"http://user:pw@{server.entry}/x?sv=1&sig=secret"

    caplog.set_level(logging.DEBUG)
    with downloader(policy_for(server)) as made, pytest.raises(RepoManagerError) as failure:
        made.fetch(NAME, [url], part)

    written = failure.value.message + failure.value.hint + caplog.text + repr(failure.value)
    assert "secret" not in written
    assert "pw" not in written


def test_no_secret_reaches_the_record_of_an_unfinished_download(server: AbuseServer, part: Path) -> None:
    server.scripts["/x?sig=secret"] = in_turn(Honest(DATA, cuts=[1000]), always(404))

    with downloader(policy_for(server)) as made, pytest.raises(TransferError):
        made.fetch(NAME, [f"http://u:pw@{server.entry}/x?sig=secret"], part)

    assert json.loads(record(part).read_text("utf-8")) == {
        "url": f"{server.base}/x",
        "etag": '"build-1"',
        "last_modified": MODIFIED,
        "total": len(DATA),
    }


def test_no_cookie_is_carried_from_one_answer_to_the_next_request(server: AbuseServer, part: Path) -> None:
    server.url("/real", Honest(DATA))
    url = server.url(PATH, always(302, {"Location": "/real", "Set-Cookie": "id=1", "Content-Length": "0"}))

    with downloader(policy_for(server)) as made:
        made.fetch(NAME, [url], part)

    assert ["cookie" in headers for _, _, headers in server.log] == [False, False]


def test_a_drip_that_stops_is_resumed(server: AbuseServer, part: Path) -> None:
    released = threading.Event()
    url = server.url(PATH, in_turn(drip(DATA, released), Honest(DATA, etag='"drip"')))

    with downloader(replace(policy_for(server), stall_timeout_s=0.2)) as made:
        made.fetch(NAME, [url], part)
    released.set()

    assert part.read_bytes() == DATA
    assert server.ranges(PATH) == [None, f"bytes={len(DATA) // 2}-"]


def test_bytes_that_come_too_slowly_count_as_a_stall(server: AbuseServer, part: Path) -> None:
    url = server.url(PATH, Honest(DATA))
    hours = iter(range(0, 1_000_000, 3600))

    policy = replace(policy_for(server), attempts=1)
    slow = Downloader(policy, sleep=lambda _: None, clock=lambda: float(next(hours)))
    with slow as made, pytest.raises(TransferError) as failure:
        made.fetch(NAME, [url], part)

    assert failure.value.code == "stalled"


def test_any_rate_will_do_when_the_policy_says_so(server: AbuseServer, part: Path) -> None:
    url = server.url(PATH, Honest(DATA))
    hours = iter(range(0, 1_000_000, 3600))
    policy = replace(policy_for(server), attempts=1, min_rate=0)

    with Downloader(policy, clock=lambda: float(next(hours))) as made:
        assert made.fetch(NAME, [url], part).sha256 == SHA256


def test_a_host_that_does_not_listen_is_tried_again(server: AbuseServer, part: Path) -> None:
    waits: list[float] = []
    policy = replace(policy_for(server), hosts=frozenset({"127.0.0.1:9"}), attempts=3)

    with downloader(policy, waits) as made, pytest.raises(TransferError) as failure:
        made.fetch(NAME, ["http://127.0.0.1:9/x"], part)

    assert failure.value.code == "cannot-connect"
    assert sum(waits) == pytest.approx(0.999 * 3)


@pytest.mark.parametrize(
    "url", ["", "no url", "http://", "http://[", "http://a b/", "file:///etc/passwd", "x" * 70_000]
)
def test_an_address_that_is_none_is_refused(url: str, part: Path) -> None:
    with downloader(HttpPolicy(frozenset({"a"}), trust_env=False)) as made, pytest.raises(TransferError) as failure:
        made.fetch(NAME, [url], part)

    assert failure.value.code in {"bad-address", "refused-scheme", "refused-host"}


def test_cancelling_leaves_the_part_for_the_next_run(server: AbuseServer, part: Path) -> None:
    url = server.url(PATH, Honest(DATA))
    done: list[int] = []

    with downloader(policy_for(server)) as made:
        with pytest.raises(TransferError) as failure:
            made.fetch(NAME, [url, url], part, progress=done.append, cancelled=lambda: bool(done))
        kept = part.stat().st_size
        made.fetch(NAME, [url], part)

    assert failure.value.code == "cancelled"
    assert 0 < kept < len(DATA)
    assert server.ranges(PATH) == [None, f"bytes={kept}-"]
    assert part.read_bytes() == DATA


def test_cancelling_ends_a_wait(server: AbuseServer, part: Path) -> None:
    url = server.url(PATH, always(503, {"Retry-After": "100"}))
    waits: list[float] = []

    with downloader(policy_for(server), waits) as made, pytest.raises(TransferError) as failure:
        made.fetch(NAME, [url], part, cancelled=lambda: len(waits) == 2)

    assert failure.value.code == "cancelled"
    assert len(server.log) == 1


def test_an_interrupt_leaves_the_part_for_the_next_run(server: AbuseServer, part: Path) -> None:
    def interrupt(_done: int) -> None:
        raise KeyboardInterrupt

    url = server.url(PATH, Honest(DATA))

    with downloader(policy_for(server)) as made:
        with pytest.raises(KeyboardInterrupt):
            made.fetch(NAME, [url], part, progress=interrupt)
        kept = part.stat().st_size
        made.fetch(NAME, [url], part)

    assert server.ranges(PATH) == [None, f"bytes={kept}-"]


def test_a_staging_folder_that_is_gone_is_the_machines_fault(server: AbuseServer, tmp_path: Path) -> None:
    url = server.url(PATH, Honest(DATA))

    with downloader(policy_for(server)) as made, pytest.raises(MachineError) as failure:
        made.fetch(NAME, [url], tmp_path / "gone" / "staged")

    assert failure.value.code == "folder-went-away"


def test_a_full_disk_is_the_machines_fault_and_gives_its_space_back(server: AbuseServer, part: Path) -> None:
    url = server.url(PATH, Honest(DATA))
    folder = part.parent / "small"
    folder.mkdir()
    with mounted(folder, len(DATA) // 2):
        with downloader(policy_for(server)) as made, pytest.raises(MachineError) as failure:
            made.fetch(NAME, [url], folder / part.name)

        assert failure.value.code == "no-space"
        assert left_over(folder / part.name) == []


def test_four_threads_share_one_downloader(server: AbuseServer, tmp_path: Path) -> None:
    names = [parse(f"Microsoft-ASR_UA_9.66.7567.1_SLES1{i}-64_GA_20Sep2025_release.tar.gz") for i in range(8)]
    files = {name: sample_installer(name) for name in names}
    urls = {name: server.url(f"/{name}", Honest(data, cuts=[90_000])) for name, data in files.items()}

    with downloader(policy_for(server)) as made, ThreadPoolExecutor(4) as pool:
        fetched = list(pool.map(lambda name: made.fetch(name, [urls[name]], tmp_path / name.text), names))

    assert [one.contents.token for one in fetched] == [name.token for name in names]
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {n.text: d for n, d in files.items()}


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        (Honest(DATA), len(DATA)),
        (in_turn(always(503), Honest(DATA)), len(DATA)),
        (in_turn(always(405), always(206, {"Content-Range": "bytes 0-0/77"}, b"x")), 77),
        (in_turn(always(403), always(206, {"Content-Range": "bytes 0-0/*"}, b"x")), None),
        (in_turn(always(501), always(200, {}, b"12345")), 5),
        (in_turn(always(501), always(206, {}, b"x")), None),
        (always(200, {"Content-Encoding": "gzip"}, b"12345"), None),
        (lambda request: request.answer(200, {"Connection": "close"}), None),
    ],
)
def test_the_size_is_known_before_the_first_byte(server: AbuseServer, script: Script, expected: int | None) -> None:
    server.scripts["/x"] = script

    with downloader(policy_for(server)) as made:
        assert made.size(f"{server.base}/x") == expected


@pytest.mark.parametrize(("status", "code"), [(404, "not-found"), (403, "access-denied"), (503, "server-busy")])
def test_asking_for_the_size_tells_early_what_is_missing(server: AbuseServer, status: int, code: str) -> None:
    url = server.url("/x", always(status))

    with downloader(policy_for(server)) as made, pytest.raises(TransferError) as failure:
        made.size(url)

    assert failure.value.code == code


def test_a_small_document_is_read_as_text(server: AbuseServer) -> None:
    url = server.url("/x", always(200, {}, "\ufeffgr\u00fcn".encode()))

    with downloader(policy_for(server)) as made:
        assert made.text(url, 100) == "gr\u00fcn"


@pytest.mark.parametrize(
    ("script", "code"),
    [
        (always(200, {}, b"12345678901"), "too-large"),
        (endless(b"x"), "too-large"),
        (always(200, {}, b"\xff\xfe"), "not-text"),
        (always(404), "not-found"),
        (always(200, {"Content-Encoding": "gzip"}, b"x"), "compressed-body"),
        (redirect("file:///etc/passwd"), "refused-scheme"),
    ],
)
def test_a_document_that_is_none_is_refused(server: AbuseServer, script: Script, code: str) -> None:
    server.scripts["/x"] = script

    with downloader(policy_for(server)) as made, pytest.raises(TransferError) as failure:
        made.text(f"{server.base}/x", 10)

    assert failure.value.code == code


def test_a_proxy_is_asked_in_the_servers_place(server: AbuseServer, part: Path) -> None:
    server.scripts["http://vendor.invalid/x"] = Honest(DATA)
    policy = HttpPolicy(frozenset({"vendor.invalid"}), proxy=server.base, trust_env=False)

    with downloader(policy) as made:
        assert made.fetch(NAME, ["http://vendor.invalid/x"], part).sha256 == SHA256


def test_a_proxy_that_refuses_a_tunnel_is_named(server: AbuseServer, part: Path) -> None:
    policy = HttpPolicy(frozenset({"vendor.invalid"}), proxy=f"http://u:pw@{server.entry}", trust_env=False)

    with downloader(policy) as made, pytest.raises(TransferError) as failure:
        made.fetch(NAME, ["https://vendor.invalid/x"], part)

    assert failure.value.code == "proxy-refused"
    assert "pw" not in failure.value.message


@pytest.mark.parametrize("proxy", ["socks9://x", "http://[", "nonsense"])
def test_a_proxy_address_that_is_none_is_the_operators_to_mend(proxy: str) -> None:
    with pytest.raises(InputError) as failure:
        Downloader(HttpPolicy(frozenset(), proxy=proxy))

    assert failure.value.code == "bad-proxy"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A self-made certificate for 127.0.0.1, and its key."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("needs openssl to make a certificate")
    folder = tmp_path_factory.mktemp("tls")
    cert, key = folder / "cert.pem", folder / "key.pem"
    command = [openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-keyout", str(key), "-out", str(cert), "-days", "2", "-subj", "/CN=127.0.0.1"]
    command += ["-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run(command, check=True, capture_output=True)
    return cert, key


@pytest.fixture
def tls_server(certificate: tuple[Path, Path]) -> Iterator[AbuseServer]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    with serving(tls=context) as running:
        yield running


def test_a_certificate_nobody_vouches_for_is_refused_at_once(tls_server: AbuseServer, part: Path) -> None:
    waits: list[float] = []
    url = tls_server.url(PATH, Honest(DATA))

    with downloader(policy_for(tls_server), waits) as made, pytest.raises(TransferError) as failure:
        made.fetch(NAME, [url], part)

    assert (failure.value.code, waits, tls_server.log) == ("certificate-refused", [], [])


def test_a_certificate_of_ones_own_is_trusted_when_named(
    tls_server: AbuseServer, part: Path, certificate: tuple[Path, Path]
) -> None:
    url = tls_server.url(PATH, Honest(DATA, cuts=[100_000]))

    with downloader(replace(policy_for(tls_server), ca_file=certificate[0])) as made:
        assert made.fetch(NAME, [url], part).sha256 == SHA256


def test_a_redirect_from_https_to_http_is_refused(
    tls_server: AbuseServer, server: AbuseServer, part: Path, certificate: tuple[Path, Path]
) -> None:
    url = tls_server.url(PATH, redirect(server.url(PATH, Honest(DATA))))

    policy = replace(policy_for(tls_server, server), ca_file=certificate[0])
    with downloader(policy) as made, pytest.raises(TransferError) as failure:
        made.fetch(NAME, [url], part)

    assert failure.value.code == "refused-downgrade"
    assert server.log == []


BIG = sample_installer(NAME, payload_bytes=3_000_000)


def read_both_ways(policy: HttpPolicy, url: str) -> tuple[bytes, bytes, bool]:
    """The body read by our means and by httpx alone, and whether ours went straight to the socket."""
    with Transport(policy) as transport:
        with transport.ask("GET", url, {}) as answer:
            chunks = [(isinstance(chunk, memoryview), bytes(chunk)) for chunk in answer.body()]
        with transport.ask("GET", url, {}) as answer:
            plain = b"".join(answer._response.iter_raw())
    return b"".join(chunk for _, chunk in chunks), plain, any(direct for direct, _ in chunks)


@pytest.mark.parametrize(
    ("script", "direct", "reason"),
    [
        (Honest(BIG), True, "large, plain, of known length"),
        (Honest(DATA), False, "small: the connection is worth more"),
        (lambda request: request.answer(200, {"Connection": "close"}, BIG, cut=len(BIG)), False, "no length"),
        (chunked(BIG), False, "chunked"),
    ],
)
def test_both_ways_of_reading_give_the_same_bytes(
    server: AbuseServer, script: Script, *, direct: bool, reason: str
) -> None:
    ours, plain, went_direct = read_both_ways(policy_for(server), server.url(PATH, script))

    assert (ours == plain, ours[:2], went_direct) == (True, b"\x1f\x8b", direct), reason


def test_both_ways_of_reading_give_the_same_bytes_over_tls(
    tls_server: AbuseServer, certificate: tuple[Path, Path]
) -> None:
    policy = replace(policy_for(tls_server), ca_file=certificate[0])

    assert read_both_ways(policy, tls_server.url(PATH, Honest(BIG))) == (BIG, BIG, True)


@pytest.mark.parametrize("cuts", [[2_000_000], [1_048_577, 1], [300_000, 2_000_000, 100_000]])
def test_a_large_file_that_is_cut_is_resumed_to_the_byte(server: AbuseServer, part: Path, cuts: list[int]) -> None:
    url = server.url(PATH, Honest(BIG, cuts=list(cuts)))

    with downloader(policy_for(server)) as made:
        made.fetch(NAME, [url], part)

    assert part.read_bytes() == BIG
    assert server.sent[PATH] == len(BIG), "nothing that came was thrown away"


def test_a_large_file_that_stalls_is_resumed(server: AbuseServer, part: Path) -> None:
    released = threading.Event()
    url = server.url(PATH, in_turn(drip(BIG, released), Honest(BIG, etag='"drip"')))

    with downloader(replace(policy_for(server), stall_timeout_s=0.2)) as made:
        made.fetch(NAME, [url], part)
    released.set()

    assert part.read_bytes() == BIG
    assert server.ranges(PATH) == [None, f"bytes={len(BIG) // 2}-"]


def test_a_connection_that_is_reset_is_resumed(server: AbuseServer, part: Path) -> None:
    url = server.url(PATH, in_turn(reset_after(BIG, 1_500_000), Honest(BIG, etag='"reset"')))

    with downloader(policy_for(server)) as made:
        made.fetch(NAME, [url], part)

    assert part.read_bytes() == BIG


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_a_ca_file_that_is_none_is_reported(tmp_path: Path, content: str | None) -> None:
    ca_file = tmp_path / "ca.pem"
    if content is not None:
        ca_file.write_text(content, "utf-8")

    with pytest.raises(MachineError) as failure:
        Downloader(HttpPolicy(frozenset(), ca_file=ca_file))

    assert failure.value.code == "no-ca-file"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("bytes 5-9/10", (5, 9, 10)),
        ("bytes 5-9/*", (5, 9, None)),
        ("bytes */10", (None, None, 10)),
        ("bytes 5-10/10", None),
        ("bytes 9-5/10", None),
        ("bytes=5-9/10", None),
        ("bytes -5-9/10", None),
        ("bytes \u0665-9/10", None),
        ("", None),
        (None, None),
    ],
)
def test_a_content_range_is_read_or_is_none(text: str | None, expected: tuple[int, ...] | None) -> None:
    found = parse_content_range(text)

    assert (None if found is None else (found.first, found.last, found.total)) == expected


def test_a_retry_date_without_a_date_of_the_server_is_compared_with_the_clock() -> None:
    # 1758535200 is Mon, 22 Sep 2025 10:00:00 GMT.
    assert retry_after_s({"retry-after": MODIFIED}, 1758535200 - 45) == 45.0


@given(st.text(max_size=60))
def test_no_header_is_worth_an_exception(text: str) -> None:
    parse_content_range(text)
    wait_s = retry_after_s({"retry-after": text, "date": text}, 0.0)
    assert wait_s is None or wait_s >= 0
