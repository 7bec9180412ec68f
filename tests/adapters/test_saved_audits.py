from __future__ import annotations

import json
import os
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from platforms import needs_links
from simulator import assessment_of, audit_of, listing_of, selection_of

from repo_manager.adapters import saved_audits as audits
from repo_manager.adapters.saved_audits import KeptAudits
from repo_manager.core.errors import InputError, MachineError
from repo_manager.report import documents

NOON = datetime(2026, 5, 2, 12, tzinfo=UTC)
TEXT = json.dumps(documents.audit(assessment_of(audit_of(listing_of(), selection_of(None)))))


def of(folder: Path, repository: str = "repository", most: int = 30) -> KeptAudits:
    return KeptAudits(folder / "state" / "audits", folder / repository, most=most)


def keep(kept: KeptAudits, *hours: int, text: str = TEXT) -> list[Path]:
    return [kept.draft(text, NOON + timedelta(hours=hour)).keep() for hour in hours]


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "state" / "audits").iterdir())


def test_the_newest_is_the_last(tmp_path: Path) -> None:
    kept = of(tmp_path)
    assert kept.latest() == audits.Latest(None)
    paths = keep(kept, 5, 1, 3)
    latest = of(tmp_path).latest()
    assert latest.audit is not None
    assert (latest.audit.name, latest.passed_over) == (str(paths[0]), ())
    assert paths[0].name.endswith("-20260502T170000Z.json")


def test_the_bytes_are_the_same_on_every_system(tmp_path: Path) -> None:
    (path,) = keep(of(tmp_path), 0, text="{\n}")
    assert path.read_bytes() == b"{\n}"


def test_the_time_of_the_name_is_utc(tmp_path: Path) -> None:
    path = of(tmp_path).draft(TEXT, datetime.fromisoformat("2026-05-02T01:00:00+02:00")).keep()
    assert path.name.endswith("-20260501T230000Z.json")


def test_each_repository_has_its_own(tmp_path: Path) -> None:
    keep(of(tmp_path), 1)
    assert of(tmp_path, "other").latest().audit is None


def test_a_repository_is_the_same_however_it_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keep(of(tmp_path), 1)
    monkeypatch.chdir(tmp_path)
    assert KeptAudits(tmp_path / "state" / "audits", Path("repository"), most=3).latest().audit is not None


def test_of_one_second_all_stay_and_the_last_is_the_last(tmp_path: Path) -> None:
    paths = keep(of(tmp_path), *[1] * 11)
    assert len(files(tmp_path)) == 11
    latest = of(tmp_path).latest()
    assert latest.audit is not None
    assert latest.audit.name == str(paths[-1])
    (later,) = keep(of(tmp_path, most=2), 2)
    assert files(tmp_path) == sorted(path.name for path in (paths[-1], later)), "the oldest go first"


def test_a_repository_is_the_same_by_whatever_way_one_comes(tmp_path: Path) -> None:
    (tmp_path / "repository").mkdir()
    keep(of(tmp_path), 1)
    for other in (f"../{tmp_path.name}/repository", "repository/../repository/."):
        assert of(tmp_path, other).latest().audit is not None, other


@needs_links
def test_a_repository_is_the_same_where_one_comes_by_a_link(tmp_path: Path) -> None:
    (tmp_path / "repository").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "repository", target_is_directory=True)
    keep(of(tmp_path), 1)
    for other in ("link", "repository/../link/."):
        assert of(tmp_path, other).latest().audit is not None, other


def test_the_oldest_go_beyond_the_bound(tmp_path: Path) -> None:
    keep(of(tmp_path, "other"), 1)
    keep(of(tmp_path, most=2), 1, 2, 3, 4)
    assert len(files(tmp_path)) == 3
    assert [name[-22:] for name in files(tmp_path)].count("-20260502T130000Z.json") == 1, "the other repository's"


def test_what_broken_runs_left_goes_after_a_day(tmp_path: Path) -> None:
    kept = of(tmp_path)
    (path,) = keep(kept, 1)
    old, new = (path.with_name(f"{path.name}.{number}.new") for number in (1, 2))
    for left in (old, new):
        left.write_text("half", encoding="ascii")
    os.utime(old, (0, 0))
    keep(kept, 2)
    assert not old.exists()
    assert new.exists()


def test_a_draft_does_not_count_until_it_is_kept(tmp_path: Path) -> None:
    draft = of(tmp_path).draft(TEXT, NOON)
    assert of(tmp_path).latest().audit is None
    draft.drop()
    assert files(tmp_path) == []
    draft.drop()


@pytest.mark.parametrize("data", [b"", b"{", b"\x00\xff", b'{"schema": "repo-manager/sync/1"}'])
def test_a_bad_one_is_passed_over(tmp_path: Path, data: bytes) -> None:
    good, bad = keep(of(tmp_path), 1, 2)
    bad.write_bytes(data)
    latest = of(tmp_path).latest()
    assert latest.audit is not None
    assert latest.audit.name == str(good)
    assert len(latest.passed_over) == 1
    assert latest.passed_over[0].startswith(str(bad))


def test_foreign_files_in_the_folder_are_left_alone(tmp_path: Path) -> None:
    (path,) = keep(of(tmp_path, most=1), 1)
    foreign = [path.with_name(name) for name in ("notes.txt", f"{path.stem}.bak", f"x{path.name}")]
    for other in foreign:
        other.write_text("mine", encoding="ascii")
    (path.with_name(f"{path.name[:33]}20990101T000000Z.json")).mkdir()
    assert of(tmp_path).latest().audit is not None
    keep(of(tmp_path, most=1), 2)
    assert all(other.exists() for other in foreign)


@pytest.mark.skipif(sys.platform == "win32", reason="there the folder of a user is for that user alone")
def test_what_is_kept_is_nobody_elses_business(tmp_path: Path) -> None:
    (path,) = keep(of(tmp_path), 1)
    assert path.parent.stat().st_mode & 0o077 == 0


def test_a_folder_that_cannot_be_made_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file", encoding="ascii")
    assert of(tmp_path).latest().audit is None
    with pytest.raises(MachineError) as caught:
        of(tmp_path).draft(TEXT, NOON)
    assert str(tmp_path / "state") in caught.value.message


def test_a_name_that_is_taken_by_a_folder_is_passed_over(tmp_path: Path) -> None:
    draft = of(tmp_path).draft(TEXT, NOON)
    name = files(tmp_path)[0].partition(".json")[0]
    (tmp_path / "state" / "audits" / f"{name}.json").mkdir()
    assert draft.keep().name == f"{name}-2.json"


def test_a_second_that_is_full_is_one_clear_error(tmp_path: Path) -> None:
    (first,) = keep(of(tmp_path), 1)
    for number in range(2, 1001):
        first.with_stem(f"{first.stem}-{number}").touch()
    with pytest.raises(MachineError):
        keep(of(tmp_path), 1)
    assert first.read_text(encoding="utf-8") == TEXT


def test_a_draft_that_is_gone_is_one_clear_error_when_it_is_to_be_kept(tmp_path: Path) -> None:
    draft = of(tmp_path).draft(TEXT, NOON)
    draft.drop()
    with pytest.raises(MachineError):
        draft.keep()
    assert files(tmp_path) == []


@pytest.mark.parametrize("what", ["none", "folder"])
def test_what_is_no_file_is_refused(tmp_path: Path, what: str) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(InputError) as caught:
        audits.read(tmp_path / what)
    assert caught.value.code == "no-file"


@pytest.mark.parametrize(
    ("environ", "folder"),
    [
        ({"REPO_MANAGER_STATE_DIR": "/s", "LOCALAPPDATA": "/l"}, Path("/s/audits")),
        ({"LOCALAPPDATA": "/l", "XDG_STATE_HOME": "/x"}, Path("/l/repo-manager/audits")),
        ({"XDG_STATE_HOME": "/x"}, Path("/x/repo-manager/audits")),
        ({}, Path("~/.local/state/repo-manager/audits").expanduser()),
    ],
)
def test_where_they_are_kept(environ: dict[str, str], folder: Path) -> None:
    assert audits.state_folder(environ) == folder
