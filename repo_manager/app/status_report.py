"""After a run: what it did becomes a report, and the report goes to whoever takes it. The run's own result stands."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

from repo_manager.adapters.status_reports.refusals import KEPT, Question
from repo_manager.adapters.status_reports.send import REFUSALS
from repo_manager.app.change import Progress
from repo_manager.core import fleet
from repo_manager.core.errors import RepoManagerError
from repo_manager.core.fleet import Report, SetName
from repo_manager.version import __version__

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from repo_manager.adapters.status_reports.refusals import Refusal, Refusals
    from repo_manager.adapters.tuf.signed_set import SignedSet
    from repo_manager.core.address import Address
    from repo_manager.core.audit.findings import Audit, FileVerdict
    from repo_manager.core.errors import ExitCode
    from repo_manager.core.fleet import Host, ReportedPackage
    from repo_manager.core.repository import Listing

SWITCHED_OFF: Final = "switched-off"
UNSIGNED_SOURCE: Final = "unsigned-source"
NO_TOKEN: Final = "no-token"  # noqa: S105 - a word for programs
REFUSED_LATELY: Final = "refused-lately"


class Sender(Protocol):
    """What brings a report somewhere; `adapters.status_reports.send.Post` does."""

    def can_reach(self, place: Address) -> bool:
        """Whether it makes sense to try."""
        ...

    @property
    def identity(self) -> str:
        """Another one where the credentials are others. Tells nothing of them."""
        ...

    def send(self, place: Address, report: Report, *, anywhere: bool) -> None:
        """Bring it there.

        Raises:
            RepoManagerError: it did not arrive.
        """
        ...


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What a run has learned of its repository: what lies there, what is known of the bytes, what an audit says.

    Each may be missing where the run ended before.
    """

    found: SignedSet | None = None
    listing: Listing | None = None
    verdicts: Mapping[str, FileVerdict] = field(default_factory=dict)
    judged: Audit | None = None


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of a report. `to` is the place, None where there is none; `why` a code where it was not sent."""

    sent: bool
    to: str | None = None
    why: str | None = None


@dataclass(frozen=True, slots=True)
class Destination:
    """Where reports go. `place` is None where there is none, and `why` says the reason.

    `asked` says that somebody named the place, and not only where the set is.
    """

    place: Address | None
    asked: bool = False
    why: str | None = None


def destination(source: Address, named: Address | None, *, wanted: bool, signed: bool) -> Destination:
    """Where a follower reports: to the place that was named, else to where its set is.

    A plain folder of installers is not reported to: it may be the repository of another server.
    """
    if not wanted:
        return Destination(None, why=SWITCHED_OFF)
    if named:
        return Destination(named, asked=True)
    return Destination(source) if signed else Destination(None, why=UNSIGNED_SOURCE)


@dataclass(frozen=True, slots=True)
class RunResult:
    """How a run ended. `error` is the code of what went wrong, None where nothing did."""

    command: str
    exit_code: ExitCode
    error: str | None = None


def compose(host: Host, at: datetime, ended: RunResult, known: RunFacts) -> Report:
    """The report of a run."""
    judged, found = known.judged, known.found
    errors, warnings, infos = fleet.counts(judged) if judged else (0, 0, 0)
    return Report(
        host=host,
        at=at.replace(microsecond=0),
        tool=__version__,
        command=ended.command,
        exit_code=int(ended.exit_code),
        error=ended.error,
        followed=SetName(found.root, found.version) if found else None,
        release=judged.release if judged else None,
        packages=_lines(known),
        errors=errors,
        warnings=warnings,
        infos=infos,
    )


def _lines(known: RunFacts) -> tuple[ReportedPackage, ...]:
    """What the audit says of each package; of those that it does not know, and without one, what lies there."""
    judged = fleet.summary(known.judged) if known.judged else ()
    there = fleet.present(known.listing, known.verdicts) if known.listing else ()
    return fleet.fitting((*judged, *there))


@dataclass
class Reporter:
    """Sends the report of one run.

    What it says is a note or a detail; it raises nothing that the tool says on purpose.
    """

    destination: Destination
    sender: Sender
    refusals: Refusals
    now: Callable[[], datetime]
    voice: Progress = field(default_factory=Progress)

    def report(self, report: Report, *, reached: bool) -> Sent:
        """Send it. `reached` says whether the run itself could read at its source.

        Only then a refusal is remembered: a signature that has ended refuses everything, until there is a new one.
        """
        place = self.destination.place
        if place is None:
            self.voice.detail(f"no report was sent: {self.destination.why}")
            return Sent(sent=False, why=self.destination.why)
        try:
            return self._sent(place, report, reached=reached)
        except RepoManagerError as error:
            self.voice.note(f"warning: the report could not be sent: {_in_one_line(error)}")
            return Sent(sent=False, to=str(place), why=error.code)

    def _sent(self, place: Address, report: Report, *, reached: bool) -> Sent:
        asked = self.destination.asked
        if not self.sender.can_reach(place):
            words = f"no report was sent: {place} takes none without a token"
            if asked:
                self.voice.note(f"warning: {words}")
            else:
                self.voice.detail(words)
            return Sent(sent=False, to=str(place), why=NO_TOKEN)
        question = Question(str(place), report.host, self.sender.identity)
        refused = None if asked else self.refusals.of(question, self.now())
        if refused is not None:
            self.voice.detail(_not_tried(question, refused))
            return Sent(sent=False, to=str(place), why=REFUSED_LATELY)
        try:
            self.sender.send(place, report, anywhere=asked)
        except RepoManagerError as error:
            if asked or not reached or error.code not in REFUSALS:
                raise
            self.refusals.remember(question, error.code, self.now())
            self.voice.note(f"no report was sent, and none is tried so for a day: {_in_one_line(error)}")
            return Sent(sent=False, to=str(place), why=error.code)
        self.voice.detail(f"reported to {place} as {report.host}")
        return Sent(sent=True, to=str(place))


def _not_tried(question: Question, refused: Refusal) -> str:
    again = refused.at + KEPT
    return (
        f"no report was sent, and none was tried: {question.place} refused one of {question.host}"
        f" at {refused.at:%Y-%m-%d %H:%M} UTC ({refused.code}); after {again:%Y-%m-%d %H:%M} UTC it is asked again,"
        " with other credentials or by --report-to at once"
    )


def _in_one_line(error: RepoManagerError) -> str:
    message = " ".join(error.message.split())
    return f"{message}; {error.hint}" if error.hint else message
