"""What the metadata of a set say it holds."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from repo_manager.core.errors import InputError
from repo_manager.core.fleet import SetName, published

RHEL = "Microsoft-ASR_UA_9.66.7567.1_RHEL9-64_GA_20Sep2025_release.tar.gz"
OLDER = "Microsoft-ASR_UA_9.65.7417.1_RHEL9-64_GA_20Jun2025_release.tar.gz"
ROOT = b'{"signed": {"expires": "2031-01-01T00:00:00Z"}}'
SECOND = b'{"signed": {"expires": "2029-01-01T00:00:00Z"}}'


def _json(**signed: Any) -> bytes:  # noqa: ANN401 - any JSON
    return json.dumps({"signed": {"expires": "2030-01-01T00:00:00Z", **signed}}).encode()


def _files() -> dict[str, bytes]:
    return {
        "timestamp.json": _json(meta={"snapshot.json": {"version": 7}}),
        "7.snapshot.json": _json(meta={"targets.json": {"version": 3}}),
        "3.targets.json": _json(targets={OLDER: {}, f"a/{RHEL}": {}, OLDER.replace("9.65", "9.64"): {}, "x": {}}),
        "1.root.json": ROOT,
        "2.root.json": SECOND,
    }


def test_a_set_says_its_name_its_end_and_the_newest_of_each_package() -> None:
    files = _files()
    found = published(files["timestamp.json"], lambda name, _limit: files.get(name))
    assert found.name == SetName(hashlib.sha256(ROOT).hexdigest(), 7)
    assert dict(found.packages) == {"RHEL9-64": "9.66.7567.1"}
    assert found.later_roots == {hashlib.sha256(SECOND).hexdigest()}
    assert found.expires == datetime(2029, 1, 1, tzinfo=UTC)


def test_there_need_be_no_more_than_one_root_and_the_search_for_others_ends() -> None:
    files = {**_files(), "2.root.json": ROOT}

    def endless(name: str, _limit: int) -> bytes | None:
        return ROOT if name.endswith(".root.json") else files.get(name)

    found = published(files["timestamp.json"], endless)
    assert found.later_roots == {found.name.root}
    del files["2.root.json"]
    assert published(files["timestamp.json"], lambda name, _limit: files.get(name)).later_roots == frozenset()


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"7.snapshot.json": None}, "no-set"),
        ({"1.root.json": None}, "no-set"),
        ({"3.targets.json": b"{"}, "bad-set"),
        ({"3.targets.json": b"[]"}, "bad-set"),
        ({"3.targets.json": b"{}"}, "bad-set"),
        ({"7.snapshot.json": _json(meta={"targets.json": {"version": "x"}})}, "bad-set"),
        ({"7.snapshot.json": _json(meta=7)}, "bad-set"),
        ({"timestamp.json": b"\xff"}, "bad-set"),
        ({"timestamp.json": _json(meta={"snapshot.json": {"version": 7}}, expires="soon")}, "bad-set"),
        ({"3.targets.json": _json(targets=7)}, "bad-set"),
    ],
)
def test_what_is_missing_or_makes_no_sense_is_refused(changed: dict[str, bytes | None], code: str) -> None:
    files = {**_files(), **changed}
    with pytest.raises(InputError) as caught:
        published(files["timestamp.json"] or b"", lambda name, _limit: files.get(name))
    assert caught.value.code == code
