"""Following: what a leader has published becomes what a repository shall hold.

A follower makes the plan; `operation` carries it out, as it does for every change.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from repo_manager.adapters.tuf.signed_set import SetMember, SignedSet
from repo_manager.adapters.tuf.trust_store import TrustDamagedError
from repo_manager.app.change import Progress, Snapshot, Task
from repo_manager.app.status_report import RunFacts, RunResult, compose
from repo_manager.core import names
from repo_manager.core import plan as plans
from repo_manager.core import selection as selections
from repo_manager.core.audit.findings import Audit, Code, FileVerdict
from repo_manager.core.errors import ExitCode, InputError, RepoManagerError
from repo_manager.core.selection import Selection, Target
from repo_manager.report.text import plural

if TYPE_CHECKING:
    from datetime import datetime

    from repo_manager.adapters.filesystem.repository_folder import Folder
    from repo_manager.adapters.installers.inspect import Checker
    from repo_manager.adapters.storage import Storage
    from repo_manager.adapters.tuf.trust_store import TrustRecord, TrustStore
    from repo_manager.adapters.tuf.verified_set import TrustAnchor
    from repo_manager.app.status_report import Reporter
    from repo_manager.core.catalog import Catalog
    from repo_manager.core.fleet import Host
    from repo_manager.core.names import Token
    from repo_manager.core.plan import Plan
    from repo_manager.core.repository import Listing

Judge = Callable[[Snapshot, Selection], Audit]
"""The audit that a plan is made of."""


@dataclass(frozen=True, slots=True)
class MirrorRequest:
    """What of the set is asked for: a release or `auto`, and packages, none for all."""

    release: str = selections.AUTO
    packages: tuple[Token, ...] = ()


@dataclass(frozen=True, slots=True)
class TrustOptions:
    """Whom to trust. `anchor` is needed on first contact; `afresh` forgets what was trusted before.

    `unsigned` takes what lies there, whoever put it there.
    """

    anchor: TrustAnchor | None = None
    accept_expired: bool = False
    afresh: bool = False
    unsigned: bool = False


@dataclass
class Follower:
    """One repository that follows one depot, for one run.

    `found` is the set, once it was asked for; None for a plain folder. `seen` and `judged` are what the last plan was
    made of.
    """

    depot: Storage
    store: TrustStore
    catalog: Catalog
    checker: Callable[[Folder], Checker]
    judge: Judge
    now: Callable[[], datetime]
    trusting: TrustOptions
    wanted: MirrorRequest = MirrorRequest()
    voice: Progress = field(default_factory=Progress)
    found: SignedSet | None = None
    seen: Snapshot | None = field(default=None, repr=False)
    judged: Audit | None = field(default=None, repr=False)
    _members: tuple[SetMember, ...] | None = field(default=None, repr=False)
    _unsaved: TrustRecord | None = field(default=None, repr=False)

    def task(self, *, opens_in_s: int = 0, restart: bool = True) -> Task:
        """Make the repository what the leader has.

        With `opens_in_s` the maintenance window is closed for that many seconds: the service is not restarted, and a
        plan that moves files is refused with `ClosedWindowError`.
        """

        def admit(plan: Plan) -> None:
            # What was begun in time is looked at in the end, whatever the time.
            if opens_in_s and plan.moves:
                raise ClosedWindowError(len(plan.moves), opens_in_s)

        return Task(
            "mirror", self.plan, lambda listing: listing.installers, restart=restart and not opens_in_s, admit=admit
        )

    def plan(self, seen: Snapshot) -> Plan:
        """What makes the repository what the leader has. Asks the leader at the first call.

        What was learned of the set is remembered only under the caller's lock.

        Raises:
            RepoManagerError: the set is refused, cannot be had, or is empty.
        """
        members = self._asked_for(locked=seen.locked)
        targets = [self._target(member) for member in members]
        seen = replace(seen, verdicts=self._against_digests(seen, members))
        known = {target.token: target for target in targets if self.catalog.known(target.token)}
        newest = max((target.name.release for target in targets), default=self.catalog.latest)
        self.seen, self.judged = seen, self.judge(seen, Selection(newest, tuple(known), known))
        others = plans.Others.IGNORE if self.wanted.packages else plans.Others.RETIRE
        plan = plans.mirror(seen.listing, targets, self.judged, seen.verdicts, others)
        # Another leader counts once the repository is as that one has it: a refused plan must change nothing.
        if seen.locked and not (self.trusting.afresh and plan.moves):
            self._remember()
        return plan

    def _remember(self) -> None:
        """Save what was learned of the set."""
        if self._unsaved is not None:
            self.store.save(self._unsaved)
            self._unsaved = None

    def facts(self) -> Mapping[str, object]:
        """What the report says of the set."""
        facts: dict[str, Any] = {"source": self.depot.name, "signed": not self.trusting.unsigned}
        if self.found is not None:
            found = self.found
            facts["set"] = {"root": found.root, "version": found.version, "expires": found.expires.isoformat()}
        return facts

    def _asked_for(self, *, locked: bool) -> tuple[SetMember, ...]:
        if self._members is None:
            listed = self._plain() if self.trusting.unsigned else self._signed(locked=locked)
            self._members = self._limited(listed)
        return self._members

    def _signed(self, *, locked: bool) -> tuple[SetMember, ...]:
        from repo_manager.adapters.tuf.keys import require_trust
        from repo_manager.adapters.tuf.verified_set import follow

        require_trust()
        now = self.now()
        memory = self._afresh() if self.trusting.afresh else self.store.load()
        followed = follow(
            self.depot, memory, anchor=self.trusting.anchor, accept_expired=self.trusting.accept_expired, now=now
        )
        self.found = followed.found
        self._unsaved = followed.memory
        # Other keys count once the repository is as their set says: a refused plan must change nothing.
        if locked and not (self.trusting.afresh and memory is None):
            self._remember()
        if self.found.expires <= now:
            self.voice.note("the time of this set is over; it was taken all the same, as asked")
        self.voice.detail(
            f"set {self.found.version} of {self.depot.name}, valid until {self.found.expires:%Y-%m-%d %H:%M} UTC"
        )
        return self.found.members

    def _afresh(self) -> TrustRecord | None:
        """What stays of the memory where the operator names keys to trust: all of it, where they are the same keys.

        An older set is no more welcome for being trusted once more.
        """
        try:
            memory = self.store.load()
        except TrustDamagedError:
            self.voice.note("the damaged trust record is replaced; an older set than the last one cannot be noticed")
            return None
        anchor = self.trusting.anchor
        if memory is None or anchor is None:
            return None
        if anchor.sha256 in memory.anchors:
            self.voice.note(
                "these keys are trusted already, so nothing is replaced; older sets than version"
                f" {memory.found.version} are still refused"
            )
            return memory
        self.voice.note(
            f"after this run the keys {memory.anchors[0][:16]}... are no longer trusted, and version"
            f" {memory.found.version} of their set is forgotten; {anchor.sha256[:16]}... is trusted instead"
        )
        return None

    def _plain(self) -> tuple[SetMember, ...]:
        """The newest installer of each package in a plain folder."""
        self.voice.note(f"{self.depot.name} is not signed: nobody vouches for these installers")
        newest: dict[Token, SetMember] = {}
        for path, size_bytes in self._listed():
            try:
                name = names.parse(path)
            except names.InvalidNameError:
                continue
            there = newest.get(name.token)
            if size_bytes and (there is None or name.order > there.name.order):
                newest[name.token] = SetMember(name, None, size_bytes)
        return tuple(newest.values())

    def _listed(self) -> tuple[tuple[str, int], ...]:
        try:
            return tuple(self.depot.list(""))
        except InputError as error:
            if error.code != "read-only-depot":
                raise
            raise InputError(
                "cannot-list",
                f"{self.depot.name} does not say which files it has",
                "publish a signed set there, or name a folder or a share",
            ) from error

    def _limited(self, listed: tuple[SetMember, ...]) -> tuple[SetMember, ...]:
        """What was asked for of what there is.

        Raises:
            InputError: `empty-source`; `not-at-source`: a package that was named is not there.
        """
        word = self.wanted.release.strip().lower()
        if word != selections.AUTO:
            release = selections.choose_release(word, None, self.catalog)
            listed = tuple(member for member in listed if member.name.release == release)
        if not listed:
            raise InputError(
                "empty-source",
                f"{self.depot.name} has no installer to follow",
                "check SOURCE and --release; nothing was changed",
            )
        packages = self.wanted.packages
        there = {member.name.token for member in listed}
        absent = [token for token in packages if token not in there]
        if absent:
            raise InputError(
                "not-in-set", f"{self.depot.name} has no installer of {', '.join(absent)}", "leave the package out"
            )
        return tuple(member for member in listed if not packages or member.name.token in packages)

    def _target(self, member: SetMember) -> Target:
        source = f"{self.depot.name}/{member.path}"
        return Target(member.name.token, member.name, (source,), member.sha256, member.size_bytes)

    def _against_digests(self, seen: Snapshot, members: tuple[SetMember, ...]) -> Mapping[str, FileVerdict]:
        """What is known of the files, and whether those of the set are the very ones."""
        verdicts = dict(seen.verdicts)
        checker = self.checker(seen.folder)
        for member in members:
            file = seen.listing.find(member.name.text)
            if file is None or file.name != member.name.text or member.sha256 is None or file.installer is None:
                continue
            verdict = verdicts.get(file.name)
            if (verdict is None or verdict.good) and checker.sha256(file) != member.sha256:
                verdicts[file.name] = FileVerdict(Code.CORRUPT, "its digest differs from that of the set")
        return verdicts


@dataclass(frozen=True, slots=True)
class MirrorStatus:
    """Reports how a run of `mirror` ended. `listing` scans the repository."""

    follower: Follower
    reporter: Reporter
    host: Host
    listing: Callable[[], Listing]

    def report(self, code: ExitCode, error: RepoManagerError | None) -> Mapping[str, object]:
        """Send the report. Returns what became of it, for the document of the command."""
        known = self._known() if self.reporter.destination.place else RunFacts()
        ended = RunResult("mirror", code, error.code if error else None)
        report = compose(self.host, self.follower.now(), ended, known)
        sent = self.reporter.report(report, reached=self.follower.found is not None)
        return {"report": {"sent": sent.sent, "to": sent.to, "why": sent.why}}

    def _known(self) -> RunFacts:
        """What the run has learned; where it ended before the scan, what a scan shows now."""
        seen, found = self.follower.seen, self.follower.found
        if seen is not None:
            return RunFacts(found, seen.listing, seen.verdicts, self.follower.judged)
        try:
            return RunFacts(found, self.listing())
        except RepoManagerError:
            return RunFacts(found)


class ClosedWindowError(RepoManagerError):
    """There is something to do outside of the maintenance window. The goal does not hold, so this is no success."""

    exit_code = ExitCode.FINDINGS

    def __init__(self, count: int, opens_in_s: int) -> None:
        super().__init__(
            "window-closed",
            f"{plural(count, 'change')} wait for the maintenance window, which opens in {opens_in_s / 3600:.1f} hours",
            "run the same command then",
        )
