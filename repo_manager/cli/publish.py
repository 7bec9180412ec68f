"""`repo-manager publish`."""

from __future__ import annotations

import contextlib
import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from repo_manager.adapters.filesystem.paths import place_of, shown
from repo_manager.adapters.tuf.keys import PASSPHRASE_VARIABLE, KeyRole, Keys, require_trust
from repo_manager.app import settings
from repo_manager.cli import options
from repo_manager.cli.quoting import repeated
from repo_manager.cli.root import run_of
from repo_manager.cli.voice import TerminalProgress
from repo_manager.core import selection as selections
from repo_manager.core.address import Address, Folder, parse
from repo_manager.core.errors import InputError, VerificationError
from repo_manager.report.documents import error_facts
from repo_manager.report.text import plural, safe, size

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from repo_manager.adapters.storage import Storage
    from repo_manager.adapters.tuf.publisher import InstallerToPublish, PublishOrder, PublishResult, VerificationResult
    from repo_manager.app.publish import Consent
    from repo_manager.cli.run import Run
    from repo_manager.core.names import Token

app = typer.Typer(rich_markup_mode=None, add_completion=False)

_DAYS = 30


@app.command()
def publish(
    context: typer.Context,
    dest: Annotated[
        Address,
        typer.Argument(
            metavar="DEST",
            help="Where to: a folder, a UNC path, az://container/path, s3://bucket/path.",
            parser=parse,
        ),
    ],
    keys: Annotated[
        Path | None,
        options.option(
            "--keys", "The folder with the keys that sign the set; they are made on first use.", metavar="DIR"
        ),
    ] = None,
    expires: Annotated[
        int,
        options.option(
            "--expires",
            "For how long followers may go by the set before it must be published again. Signed anew when half of that"
            " is over, or another time is asked for.",
            metavar="DAYS",
            min=1,
            max=1000,
        ),
    ] = _DAYS,
    renew: Annotated[
        bool, options.option("--renew", "Renew the set that is there, whatever lies in the repository.")
    ] = False,
    rotate: Annotated[
        list[KeyRole] | None,
        options.option("--rotate", "Replace this key by a new one; may be given several times."),
    ] = None,
    verify: Annotated[
        bool,
        options.option(
            "--verify",
            "Read every published file, and send again what is damaged or missing.",
        ),
    ] = False,
    release: options.Release = selections.AUTO,
    package: options.Packages = None,
    drop: options.Drop = None,
    allow_plain_http: options.AllowPlainHttp = False,
) -> None:
    """Sign the set and publish it for others to follow.

    The newest installer of every package in the repository is sent to DEST, unless it is there, and the set
    is signed. That is refused where one of them is not whole, or is older than what DEST has and --release
    does not name its release. A package that DEST has and the new set would lack must be named with --drop.
    Readers see the old set or the new one, never a mixture. Followers need the fingerprint that is printed, once.
    """
    require_trust()
    from repo_manager.adapters.tuf.publisher import PublishOrder
    from repo_manager.app.publish import Consent

    run = run_of(context, plain_http=allow_plain_http, changing=False, confirmed=set())
    ring = Keys(
        keys or settings.machine_wide(run.environ).parent / "keys", run.environ.get(PASSPHRASE_VARIABLE) or None
    )
    depot = run.depot(_whole(dest))
    try:
        _check_places(dest, ring.folder, None if renew else run.folder.path)
        items, missing = (None, ()) if renew else _items(run, release, tuple(package or ()))
        order = PublishOrder(items, expires, frozenset(rotate or ()), verify)
        consent = Consent(_names_release(release), _tokens(drop or (), run))
        published = _publish(run, depot, ring, order, consent)
    finally:
        depot.close()
    _report(run, dest, ring, published, missing)


def _names_release(text: str) -> bool:
    return text.strip().lower() != selections.AUTO


def _tokens(named: Sequence[str], run: Run) -> tuple[str, ...]:
    """Packages as the catalog spells them. The published set may have some that the catalog no longer knows."""
    known = {token.casefold(): str(token) for token in run.catalog.packages}
    return tuple(known.get(text.strip().casefold(), text.strip()) for text in named)


def _items(
    run: Run, release: str, packages: tuple[str, ...]
) -> tuple[tuple[InstallerToPublish, ...], tuple[Token, ...]]:
    """What to publish, read where nobody remembers it; and the wanted packages that the repository lacks."""
    from repo_manager.app import publish as publishing
    from repo_manager.core.names import Release

    run.signatures.insist()
    listing = run.listing()
    selection = selections.select(run.request(release=release, packages=packages), listing, run.catalog)
    only: Release | None = selection.release if _names_release(release) else None
    among: Iterable[Token] = selection.tokens
    if not (selection.limited or run.profile.require):
        # Also what is kept of older releases: the followers' machines may need it as well.
        among = filter(run.catalog.known, listing.by_token)
    asked = selection.tokens if selection.limited else ()
    wish = publishing.PublishRequest(frozenset(among), asked, selection.tokens, only, run.command)
    files = publishing.candidates(listing, wish)
    checker = run.checker()
    voice = TerminalProgress(run.console)
    try:
        verdicts = checker.read(listing, files, voice.reading(checker.unread_bytes(files)))
    finally:
        voice.finished()
    chosen = publishing.choose(listing, wish, verdicts)
    return publishing.items_of(chosen, run.folder.path, checker), chosen.missing


def _publish(run: Run, depot: Storage, keys: Keys, order: PublishOrder, consent: Consent) -> PublishResult:
    from repo_manager.app import publish as publishing

    voice = TerminalProgress(run.console)
    press = publishing.PublishJob(keys, depot, run.now(), run.owner, voice, partial(repeated, run.options.words))
    return publishing.publish(press, order, consent)


def _whole(dest: Address) -> Address:
    """The whole name of the place, by which it is remembered what was published there."""
    return Folder(os.path.abspath(dest.path)) if isinstance(dest, Folder) else dest  # noqa: PTH100 - asks Windows


def _check_places(dest: Address, keys: Path, repository: Path | None) -> None:
    """Refuse to publish into the repository, and to publish or to place the keys.

    Raises:
        InputError: `source-is-target`, `keys-in-the-open`, `not-a-folder`.
    """
    own = None if repository is None else place_of(repository)
    if isinstance(dest, Folder):
        there = place_of(Path(dest.path))
        # What this user may not look at is reported where it is read.
        with contextlib.suppress(PermissionError):
            if there.exists() and not there.is_dir():
                raise InputError("not-a-folder", f"{dest} is a file", "name a folder to publish into")
        if own is not None and there.is_relative_to(own):
            raise InputError(
                "source-is-target", f"{dest} is the repository itself, or a folder in it", "publish to another place"
            )
        if place_of(keys).is_relative_to(there):
            raise InputError(
                "keys-in-the-open", f"{shown(keys)} lies in {dest}, for all to see", "keep the keys elsewhere"
            )
    if own is not None and place_of(keys).is_relative_to(own):
        raise InputError(
            "keys-in-the-open", f"{shown(keys)} lies in the repository", "keep the keys where only you can read them"
        )


def _report(run: Run, dest: Address, keys: Keys, published: PublishResult, missing: Sequence[str]) -> None:
    damage = _damage(dest, published)
    run.console.made = f"the set was published, version {published.version}"
    document: dict[str, Any] = {
        "schema": "repo-manager/publish/1",
        "root": published.root,
        "version": published.version,
        "packages": published.packages,
        "bytes_sent": published.bytes_sent,
        "destination": str(dest),
        "expires": published.expires.isoformat(),
        "renewed": published.renewed,
        "deleted": published.deleted,
        "missing": list(missing),
        "dropped": list(published.dropped),
        "rotated": [role.value for role in published.rotated],
        "root_version": published.root_version,
        "newest_root": published.newest_root,
        **_verified(published.verified),
    }
    if damage is not None:
        document["error"] = error_facts(damage)
    run.console.emit(document)
    for remark in published.remarks:
        run.console.note(remark)
    if published.dropped:
        run.console.note(f"dropped from the set: {', '.join(published.dropped)}; followers retire what they have of it")
    missing = [token for token in missing if token not in published.dropped]
    if missing:
        run.console.note(
            f"{plural(len(missing), 'wanted package')} not in the repository, so not published: {', '.join(missing)}"
        )
    place = safe(shown(dest.path) if isinstance(dest, Folder) else str(dest))
    unchanged = f"nothing to do: {place} has this set, version {published.version}"
    if published.rotated:
        unchanged = f"the set at {place} is unchanged, version {published.version}"
    lines = [
        f"published {plural(published.packages, 'package')} to {place}, version {published.version}; sent"
        f" {size(published.bytes_sent)}"
        if published.renewed or published.bytes_sent
        else unchanged,
        *_about_keys(keys, published),
        *_about_files(published.verified),
        f"valid until {published.expires:%Y-%m-%d %H:%M} UTC",
        f"followers trust it by: --trust {published.root}",
    ]
    run.console.answer("\n".join(lines))
    if damage is not None:
        run.console.error(damage)
        raise typer.Exit(damage.exit_code)


def _verified(verified: VerificationResult | None) -> dict[str, Any]:
    """The part of the document that says what --verify found; `verified` is null without it."""
    if verified is None:
        return {"verified": None, "repaired": [], "damaged": [], "foreign": []}
    return {
        "verified": verified.files,
        "repaired": [{"path": flaw.path, "problem": flaw.problem} for flaw in verified.repaired],
        "damaged": [{"path": flaw.path, "problem": flaw.problem} for flaw in verified.damaged],
        "foreign": list(verified.foreign),
    }


def _about_keys(keys: Keys, published: PublishResult) -> Iterable[str]:
    if published.rotated:
        yield f"replaced {plural(len(published.rotated), 'key')}: {', '.join(published.rotated)}"
        yield f"root metadata: version {published.root_version}, SHA-256 {published.newest_root}"
    if KeyRole.ROOT in published.rotated:
        yield f"the new root key is in {safe(shown(keys.folder))}: keep root.pem offline"


def _about_files(verified: VerificationResult | None) -> Iterable[str]:
    if verified is None:
        return
    counts = f"{len(verified.repaired)} repaired, {len(verified.damaged)} damaged"
    yield f"verified {plural(verified.files, 'published file')}: {counts}"
    for label, flaws in (("repaired", verified.repaired), ("damaged", verified.damaged)):
        yield from (f"  {label}: {safe(flaw.path)}: {safe(flaw.problem)}" for flaw in flaws)
    yield from (f"  not part of the set, left alone: {safe(path)}" for path in verified.foreign)


def _damage(dest: Address, published: PublishResult) -> VerificationError | None:
    """What could not be repaired, as an error."""
    if published.verified is None or not published.verified.damaged:
        return None
    flaws = published.verified.damaged
    names = ", ".join(f"{flaw.path} ({flaw.problem})" for flaw in flaws)
    return VerificationError(
        "published-damaged",
        f"{dest}: {plural(len(flaws), 'published file')} could not be repaired: {names}",
        "make the repository right with 'repo-manager sync', then run publish --verify there, without --renew",
    )
