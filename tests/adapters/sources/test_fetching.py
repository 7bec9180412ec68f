"""Several files at a time: what is said of their sizes before the first byte."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest
from abuse_server import Honest, Script, always, serving

from repo_manager.adapters.download_folder import DownloadFolder
from repo_manager.adapters.sources.download import Downloader, HttpPolicy
from repo_manager.adapters.sources.fetching import Fetcher
from repo_manager.core.address import host_of
from repo_manager.core.names import Token, parse
from repo_manager.core.plan import Download
from repo_manager.demo.sample import sample_installer

if TYPE_CHECKING:
    from pathlib import Path

    from abuse_server import Request

NAMES = ("RHEL9-64", "OL9-64", "DEBIAN11-64")
NAME = {token: f"Microsoft-ASR_UA_9.66.7567.1_{token}_GA_20Sep2025_release.tar.gz" for token in NAMES}
DATA = {token: sample_installer(parse(NAME[token]), payload_bytes=500) for token in NAMES}


def silent_of_its_size(data: bytes) -> Script:
    def script(request: Request) -> None:
        request.answer(200, {"Connection": "close", "ETag": '"x"'}, data)
        request.hang_up()

    return script


@pytest.mark.parametrize(
    ("others", "expected"),
    [
        pytest.param({}, [sum(map(len, DATA.values()))], id="all are known"),
        pytest.param({"OL9-64": always(404)}, [len(DATA["RHEL9-64"]) + len(DATA["DEBIAN11-64"])], id="one is missing"),
        pytest.param({"OL9-64": silent_of_its_size(DATA["OL9-64"])}, [], id="one does not say"),
        pytest.param(dict.fromkeys(NAMES, always(404)), [0], id="all are missing"),
    ],
)
def test_the_sum_is_told_before_the_first_byte(others: dict[str, Script], expected: list[int], tmp_path: Path) -> None:
    told: list[int] = []
    there_before: list[int] = []
    there: dict[str, int] = {}
    lock = threading.Lock()

    def progress(name: str, count: int) -> None:
        with lock:
            there[name] = count

    def sized(total: int) -> None:
        there_before.append(sum(there.values()))
        told.append(total)

    scripts: dict[str, Script] = {**{token: Honest(data) for token, data in DATA.items()}, **others}
    with serving() as server:
        policy = HttpPolicy(hosts=frozenset({host_of(server.base)}), trust_env=False, attempts=1)
        fetcher = Fetcher(lambda: Downloader(policy, sleep=lambda _: None), reserve_bytes=0)
        items = [
            Download(Token(token), NAME[token], (server.url(f"/{NAME[token]}", script),), None, None, "missing")
            for token, script in scripts.items()
        ]
        carrier = DownloadFolder(tmp_path)
        carrier.prepare()
        collected = fetcher.collect(items, carrier, progress, sized)
        fetcher.close()

    assert told == expected
    assert sum(there_before) == 0
    assert len(collected.staged) + len(collected.errors) == len(NAMES)
