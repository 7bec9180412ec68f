"""`repo-manager catalog check`, `show` and `update`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from repo_manager.adapters.filesystem.atomic_write import write_where_told
from repo_manager.cli import options
from repo_manager.cli.root import run_of
from repo_manager.core import catalog as catalogs
from repo_manager.core.address import Web, parse
from repo_manager.core.catalog import link_list, strict_yaml
from repo_manager.core.errors import DeclinedError, InputError
from repo_manager.core.systems.support import ANY
from repo_manager.report import guides
from repo_manager.report.text import plural, safe, table

if TYPE_CHECKING:
    from repo_manager.cli.run import Run
    from repo_manager.core.catalog import Catalog
    from repo_manager.core.systems.support import Exclusion

app = typer.Typer(
    rich_markup_mode=None,
    add_completion=False,
    no_args_is_help=True,
    help="Check, show and update what the tool knows of Microsoft's packages.",
)

_MOST_CHARACTERS = 4 * 1024 * 1024


@app.command()
def check(
    context: typer.Context,
    file: Annotated[Path | None, typer.Argument(metavar="[FILE]", help="Another catalog than the one in use.")] = None,
) -> None:
    """Validate a catalog: every mistake at once, with line and column."""
    run = run_of(context, given={} if file is None else {"catalog": str(file)})
    catalog = run.catalog
    facts = {
        "packages": len(catalog.packages),
        "releases": len(catalog.releases),
        "links": sum(len(release.links) for release in catalog.releases),
    }
    run.console.emit({"schema": "repo-manager/catalog-check/1", "catalog": str(run.catalog_path), "ok": True, **facts})
    counts = ", ".join(plural(count, word.removesuffix("s")) for word, count in facts.items())
    run.console.answer(f"{safe(str(run.catalog_path))}: sound ({counts})")
    if catalog.edition < catalogs.SCHEMA:
        run.console.note(
            f"note: this is edition {catalog.edition} of the format; which package serves which system, and the "
            "commands by hand, come from the tool's own catalog"
        )


@app.command()
def show(context: typer.Context) -> None:
    """Print the packages and the releases."""
    run = run_of(context)
    catalog = run.catalog
    run.console.emit(_document(run, catalog))
    if run.console.json_wanted:
        return
    packages = [
        (
            package.token,
            str(package.since or "-"),
            "-" if package.manual is None else str(package.manual.since or "unclear"),
            "modernized" if package.modernized_only else "",
            package.systems[0],
        )
        for package in catalog.packages.values()
    ]
    releases = [
        (
            str(release.release),
            release.published,
            ", ".join(release.rollups) or "-",
            str(len(release.links) or "-"),
            ", ".join(sorted(catalog.standing(release.release))),
        )
        for release in reversed(catalog.releases)
    ]
    run.console.answer(table(("PACKAGE", "SINCE", "BY HAND", "ONLY FOR", "SYSTEMS"), packages))
    run.console.answer("")
    run.console.answer(table(("RELEASE", "PUBLISHED", "ROLLUP", "LINKS", "STANDING"), releases, right=(3,)))
    run.console.answer(f"\nnewest with links: {catalog.latest}; from {safe(str(run.catalog_path))}")


@app.command()
def update(
    context: typer.Context,
    source: Annotated[str, typer.Argument(metavar="FILE|URL", help="The list of links as Microsoft publishes it.")],
    # A name of its own: the key `to` of the configuration file is the folder that `download` fills.
    update_to: Annotated[
        Path | None,
        options.option(
            "--to", "Write the updated catalog here instead of over --catalog.", metavar="FILE", variable="update_to"
        ),
    ] = None,
    dry_run: options.DryRun = False,
    allow_plain_http: options.AllowPlainHttp = False,
    yes: options.Yes = False,
) -> None:
    """Take in a newer official list of download links. Shows the difference before writing."""
    run = run_of(context, plain_http=allow_plain_http)
    text = run.catalog_text()
    catalog = catalogs.parse(text, str(run.catalog_path))
    target = _target(run, update_to)
    listed = link_list.parse(_read(run, source), catalog.hosts)
    if listed.problems or not listed.releases:
        _refuse(source, listed)
    found = link_list.difference(catalog, listed)
    for remark in listed.remarks:
        run.console.note(f"note: {remark}")
    amended = link_list.amend(text, catalog, found)
    run.console.answer("\n".join(link_list.describe(found)))
    writing = bool(found.wanted) and not dry_run
    if writing:
        if not (yes or run.agreed(f"Write {target}?")):
            raise DeclinedError
        _write(target, amended)
        run.console.made = f"{target} was written"
    run.console.emit(
        {
            "schema": "repo-manager/catalog-update/1",
            "catalog": str(target),
            "added": [link.url for link in found.added],
            "changed": [change.after.url for change in found.changed],
            "unchanged": len(found.unchanged),
            "kept": len(found.kept),
            "unknown": [link.url for link in found.unknown],
            "written": writing,
        }
    )
    if writing:
        run.console.note(f"written to {target}")


def _refuse(source: str, listed: link_list.LinkList) -> None:
    from repo_manager.core.errors import DocumentError, Problem

    problems = listed.problems or (Problem(1, 1, "no heading '### Version X.Y' with links below it"),)
    hint = "give the list of links that Microsoft publishes, in Markdown, unchanged"
    raise DocumentError("invalid-link-list", source, problems, hint)


def _target(run: Run, to: Path | None) -> Path:
    """Where the updated catalog goes. The tool's own is replaced with the tool, so it is not written to."""
    if to is not None:
        return to
    if run.options.option("catalog"):
        return run.catalog_path
    raise InputError(
        "whose-catalog",
        "the tool's own catalog is replaced when the tool is, so it is not written to",
        "add --to my-catalog.yaml, then name that file with --catalog or in the configuration file",
    )


def _read(run: Run, source: str) -> str:
    address = parse(source, secrets=True)
    if isinstance(address, Web):
        with run.downloader((address.host,)) as downloader:
            return downloader.text(address.url, _MOST_CHARACTERS)
    try:
        data = Path(source).read_bytes()
    except OSError as error:
        raise InputError("no-file", f"{source} cannot be read: {error.strerror}", "check the path") from error
    return strict_yaml.decode(data, source, "invalid-link-list")


def _write(path: Path, text: str) -> None:
    try:
        # Without the right to write for others, whatever the umask: such a catalog is refused.
        write_where_told(path, text, newline="", mode=0o644)
    except OSError as error:
        raise InputError(
            "cannot-write", f"{path} cannot be written: {error.strerror}", "choose another --to"
        ) from error


def _excluded(each: Exclusion) -> dict[str, object]:
    majors = " - ".join(str(major) for major in dict.fromkeys((each.majors[0], each.majors[-1])))
    return {"words": sorted(each.words), "majors": None if each.majors == ANY else majors, "why": each.why}


def _document(run: Run, catalog: Catalog) -> dict[str, object]:
    return {
        "schema": "repo-manager/catalog/1",
        "catalog": str(run.catalog_path),
        "edition": catalog.edition,
        "latest": str(catalog.latest),
        "systems": [
            {
                "system": title,
                "family": facts.family.value,
                "settled_by": facts.settled_by,
                "note": facts.note,
                "served_as": facts.served_as or None,
                "excluded": [_excluded(each) for each in facts.exclusions],
            }
            for title, facts in catalog.support.systems.items()
        ],
        "packages": [
            {
                "package": package.token,
                "systems": list(package.systems),
                "serves": [guides.serves(each) for each in package.serves],
                "extension": package.extension,
                "since": str(package.since) if package.since else None,
                "manual": package.manual is not None,
                "manual_since": str(package.manual.since) if package.manual and package.manual.since else None,
                "modernized_only": package.modernized_only,
            }
            for package in catalog.packages.values()
        ],
        "releases": [
            {
                "release": str(release.release),
                "published": release.published,
                "rollups": list(release.rollups),
                "builds": [str(build) for build in release.builds],
                "for_classic": release.for_classic.value,
                "standing": sorted(catalog.standing(release.release)),
                "links": {token: link.url for token, link in release.links.items()},
            }
            for release in catalog.releases
        ],
    }
