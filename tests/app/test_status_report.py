"""After a run: where its report goes, what is in it, and what is said when it does not arrive."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from cli_world import CATALOG, name_of

from repo_manager.adapters.status_reports.refusals import KEPT, Refusals
from repo_manager.adapters.tuf.signed_set import SignedSet
from repo_manager.app import status_report
from repo_manager.app.change import Progress
from repo_manager.app.status_report import Destination, Reporter, RunFacts, RunResult, Sent, compose, destination
from repo_manager.core import repository
from repo_manager.core.address import Address, Folder, parse
from repo_manager.core.audit import findings
from repo_manager.core.audit.findings import AuditFacts, Code, FileVerdict, PackageStatus
from repo_manager.core.errors import ExitCode, InputError, MachineError, RepoManagerError, TransferError
from repo_manager.core.fleet import Host, Report, ReportedPackage, SetName
from repo_manager.core.names import Token
from repo_manager.core.repository import FolderEntry
from repo_manager.core.selection import Selection

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NOW = datetime(2026, 11, 23, 12, 0, 0, 999, tzinfo=UTC)
ROOT = "ab" * 32
PS_01 = Host("ps-01")


@dataclass
class Postman:
    """Brings reports, or fails as it is told."""

    failure: RepoManagerError | None = None
    reach: bool = True
    identity: str = "01ab"
    brought: list[tuple[str, Report, bool]] = field(default_factory=list)
    asked: int = 0

    def can_reach(self, place: Address) -> bool:
        return self.reach

    def send(self, place: Address, report: Report, *, anywhere: bool) -> None:
        self.asked += 1
        if self.failure is not None:
            raise self.failure
        self.brought.append((str(place), report, anywhere))


class Ears(Progress):
    """Hears what is said."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.details: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)

    def detail(self, text: str) -> None:
        self.details.append(text)


@dataclass
class Desk:
    """A repository whose runs report, at a time of the test's choice."""

    repository: Path
    postman: Postman = field(default_factory=Postman)
    ears: Ears = field(default_factory=Ears)
    now: datetime = NOW
    host: Host = PS_01

    def report(self, told: Destination, *, reached: bool = True) -> Sent:
        reporter = Reporter(told, self.postman, Refusals(self.repository), lambda: self.now, self.ears)
        made = compose(self.host, self.now, RunResult("mirror", ExitCode.DONE), RunFacts())
        return reporter.report(made, reached=reached)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    (tmp_path / ".repo-manager").mkdir()
    return Desk(tmp_path)


@pytest.mark.parametrize(
    ("named", "wanted", "signed", "expected"),
    [
        (None, True, True, Destination(parse("az://sets/asr"))),
        (Folder("reports"), True, True, Destination(Folder("reports"), asked=True)),
        (Folder("reports"), True, False, Destination(Folder("reports"), asked=True)),
        (None, True, False, Destination(None, why="unsigned-source")),
        (Folder("reports"), False, True, Destination(None, why="switched-off")),
    ],
)
def test_a_report_goes_where_the_set_lies_or_to_the_place_that_was_named(
    named: Folder | None, *, wanted: bool, signed: bool, expected: Destination
) -> None:
    assert destination(parse("az://sets/asr"), named, wanted=wanted, signed=signed) == expected


def test_a_report_has_what_the_audit_says_and_what_else_lies_there() -> None:
    rhel, sles, odd = name_of("RHEL7-64"), name_of("SLES15-64"), name_of("OL7-64").replace("OL7-64", "OL77-64")
    listing = repository.survey("r", [FolderEntry(rhel, 9), FolderEntry(odd, 9)])
    tokens = tuple(CATALOG.require(token).token for token in ("RHEL7-64", "SLES15-64"))
    verdicts = {rhel: FileVerdict(Code.CORRUPT, "half of it")}
    judged = findings.audit(listing, Selection(CATALOG.latest, tokens, {}), CATALOG, AuditFacts(verdicts))
    found = SignedSet(ROOT, 7, NOW, ())
    assert sles not in {file.name for file in listing.files}

    made = compose(
        Host("a"),
        NOW,
        RunResult("mirror", ExitCode.VERIFICATION, "mislabelled"),
        RunFacts(found, listing, verdicts, judged),
    )

    assert (made.exit_code, made.error, made.followed) == (4, "mislabelled", SetName(ROOT, 7))
    assert made.at == NOW.replace(microsecond=0)
    assert (made.release, made.errors) == (CATALOG.latest, len([f for f in judged.findings if f.severity == "error"]))
    assert set(made.packages) == {
        ReportedPackage(tokens[0], PackageStatus.CORRUPT, "9.66.7567.1"),
        ReportedPackage(tokens[1], PackageStatus.MISSING, None),
        ReportedPackage(Token("OL77-64"), PackageStatus.OK, "9.66.7567.1"),
    }


def test_a_run_that_ended_before_its_audit_reports_what_lies_there() -> None:
    listing = repository.survey("r", [FolderEntry(name_of("RHEL7-64"), 9)])
    made = compose(Host("a"), NOW, RunResult("mirror", ExitCode.TRANSFER, "no-signed-set"), RunFacts(listing=listing))
    assert [(line.package, line.version) for line in made.packages] == [("RHEL7-64", "9.66.7567.1")]
    assert (made.followed, made.release, made.errors) == (None, None, 0)


def test_what_arrives_is_said_to_programs_and_not_to_people(desk: Desk) -> None:
    assert desk.report(Destination(parse("az://sets"))) == Sent(sent=True, to="az://sets")
    ((place, made, anywhere),) = desk.postman.brought
    assert (place, made.host, anywhere) == ("az://sets", "ps-01", False)
    assert desk.ears.notes == []


def test_a_place_that_was_named_may_be_any_folder(desk: Desk) -> None:
    desk.report(Destination(parse("reports"), asked=True))
    assert desk.postman.brought[0][2] is True


def test_where_nobody_is_to_be_told_nobody_is_asked(desk: Desk) -> None:
    assert desk.report(Destination(None, why="switched-off")) == Sent(sent=False, why="switched-off")
    assert (desk.postman.asked, desk.ears.notes) == (0, [])
    assert desk.ears.details == ["no report was sent: switched-off"]


@pytest.mark.parametrize(("asked", "notes"), [(False, 0), (True, 1)])
def test_a_web_server_is_not_asked_without_a_token(desk: Desk, notes: int, *, asked: bool) -> None:
    desk.postman.reach = False
    assert desk.report(Destination(parse("https://x"), asked=asked)) == Sent(sent=False, to="https://x", why="no-token")
    assert (desk.postman.asked, len(desk.ears.notes), len(desk.ears.details)) == (0, notes, 1 - notes)
    assert "no report was sent: https://x takes none without a token" in (desk.ears.notes + desk.ears.details)[0]


def test_a_place_that_takes_none_is_asked_once_a_day(desk: Desk) -> None:
    desk.postman.failure = TransferError("access-denied", "x:\n  no", "have rights granted")
    assert desk.report(Destination(Folder("x"))) == Sent(sent=False, to="x", why="access-denied")
    assert desk.ears.notes == ["no report was sent, and none is tried so for a day: x: no; have rights granted"]
    assert desk.report(Destination(Folder("x"))) == Sent(sent=False, to="x", why="refused-lately")
    assert (desk.postman.asked, len(desk.ears.notes)) == (1, 1)
    (said,) = desk.ears.details
    assert said == (
        "no report was sent, and none was tried: x refused one of ps-01 at 2026-11-23 12:00 UTC (access-denied);"
        " after 2026-11-24 12:00 UTC it is asked again, with other credentials or by --report-to at once"
    )
    desk.report(Destination(parse("y")))
    assert desk.postman.asked == 2, "another place has not refused"
    desk.now += KEPT
    desk.postman.failure = None
    assert desk.report(Destination(parse("y"))).sent


@pytest.mark.parametrize(
    "mend",
    [
        pytest.param(lambda desk: setattr(desk.postman, "identity", "02cd"), id="another token"),
        pytest.param(lambda desk: setattr(desk, "host", Host("ps-02")), id="another name to report under"),
    ],
)
def test_what_was_mended_is_another_question(desk: Desk, mend: Callable[[Desk], None]) -> None:
    desk.postman.failure = TransferError("access-denied", "x: no", "have rights granted")
    desk.report(Destination(Folder("x")))
    desk.postman.failure = None
    assert desk.report(Destination(Folder("x"))).why == "refused-lately"

    mend(desk)

    assert desk.report(Destination(Folder("x"))).sent


def test_a_clock_that_was_wrong_does_not_silence_a_server(desk: Desk) -> None:
    desk.postman.failure = InputError("read-only-depot", "no", "")
    desk.now += timedelta(days=400)
    desk.report(Destination(Folder("x")))
    desk.now = NOW
    desk.report(Destination(Folder("x")))
    assert desk.postman.asked == 2


@pytest.mark.parametrize(
    ("told", "reached", "failure", "why"),
    [
        (Destination(Folder("x")), True, TransferError("stalled", "x: nothing came", ""), "it may pass"),
        (Destination(Folder("x")), True, MachineError("no-space", "x: full", "free some"), "it may pass"),
        (
            Destination(Folder("x"), asked=True),
            True,
            TransferError("access-denied", "x: no", ""),
            "somebody wants it there",
        ),
        (
            Destination(Folder("x")),
            False,
            TransferError("access-denied", "x: no", ""),
            "nothing could be read there either",
        ),
    ],
)
def test_any_other_failure_is_a_warning_each_time(
    desk: Desk, told: Destination, failure: RepoManagerError, why: str, *, reached: bool
) -> None:
    desk.postman.failure = failure
    for _ in range(2):
        assert desk.report(told, reached=reached) == Sent(sent=False, to="x", why=failure.code)
    assert desk.postman.asked == 2, why
    assert [note.startswith("warning: the report could not be sent: x: ") for note in desk.ears.notes] == [True, True]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "7",
        '{"schema": "x"}',
        '{"schema": "repo-manager/reporting/1", "place": "x", "at": "now"}',
        # As it was written before the server and its credentials counted.
        '{"schema": "repo-manager/reporting/1", "place": "x", "code": "no", "at": "2026-11-23T12:00:00Z"}',
    ],
)
def test_a_memory_that_makes_no_sense_is_none(desk: Desk, text: str) -> None:
    (desk.repository / ".repo-manager" / "reporting.json").write_text(text, encoding="utf-8")
    assert desk.report(Destination(Folder("x"))).sent


def test_a_memory_that_cannot_be_written_is_none(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "absent", Postman(TransferError("access-denied", "no", "")))
    for _ in range(2):
        assert not desk.report(Destination(Folder("x"))).sent
    assert desk.postman.asked == 2
    assert not (tmp_path / "absent").exists()


def test_the_words_for_programs_are_documented() -> None:
    from cli_world import ROOT as PROJECT

    page = (PROJECT / "docs" / "reference" / "json.md").read_text(encoding="utf-8")
    for word in (
        status_report.SWITCHED_OFF,
        status_report.UNSIGNED_SOURCE,
        status_report.NO_TOKEN,
        status_report.REFUSED_LATELY,
    ):
        assert f"`{word}`" in page
