"""`repo-manager show`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from repo_manager.adapters.filesystem.paths import shown
from repo_manager.cli import options
from repo_manager.cli.root import run_of
from repo_manager.core import install_guide
from repo_manager.core import selection as selections
from repo_manager.core.install_guide import Platform, Role
from repo_manager.report import guides

if TYPE_CHECKING:
    from repo_manager.cli.run import Run
    from repo_manager.core.catalog import Package
    from repo_manager.core.names import Release
    from repo_manager.core.repository import Listing

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command()
def show(
    context: typer.Context,
    package: Annotated[str, typer.Argument(metavar="PACKAGE", help="Its token, in any case.")],
    release: options.Release = selections.AUTO,
    cs_ip: Annotated[
        str | None, options.option("--cs-ip", "The configuration server, for the commands.", metavar="ADDRESS")
    ] = None,
    passphrase_file: Annotated[
        str | None,
        options.option("--passphrase-file", "The passphrase file on the machine, for the commands.", metavar="PATH"),
    ] = None,
    install_dir: Annotated[
        str | None,
        options.option("--install-dir", "Where the agent is to be installed, for the commands.", metavar="DIR"),
    ] = None,
    role: Annotated[Role, options.option("--role", "agent or master-target.", metavar="ROLE")] = Role.AGENT,
    platform: Annotated[
        Platform, options.option("--platform", "VmWare or Azure.", metavar="PLATFORM")
    ] = Platform.VMWARE,
) -> None:
    """Print all that is known of one package, and the commands that install its agent by hand."""
    run = run_of(context)
    found = run.catalog.require(package)
    listing = run.listing_if_any()
    wanted = selections.choose_release(release, listing, run.catalog)
    file_name = _file_name(run, found, wanted, listing)
    guide = install_guide.guide(
        run.guides,
        found.token,
        found.family,
        wanted,
        file_name=file_name,
        classic=run.profile.classic,
        cs_ip=cs_ip,
        passphrase_file=passphrase_file,
        install_dir=install_dir,
        role=role,
        platform=platform,
    )
    placing = None
    if run.catalog.manual(found.token, wanted):
        folder = shown(run.folder.path) if listing else r"INSTALL_DIR\home\svsystems\pushinstallsvc\repository"
        placing = install_guide.placing(file_name, folder, service=run.profile.service or "InMage PushInstall")
    run.console.emit(guides.document(found, run.catalog, guide, placing))
    if not run.console.json_wanted:
        run.console.answer(guides.text(found, run.catalog, guide, placing, run.console.width))


def _file_name(run: Run, package: Package, release: Release, listing: Listing | None) -> str:
    """The real file: the one in the repository of that release, or the published one, or the pattern."""
    present = listing.newest(package.token) if listing else None
    if present is not None and present.release == release:
        return present.text
    facts = run.catalog.facts(release)
    link = facts.links.get(package.token) if facts else None
    if link is not None:
        return link.name.text
    return f"Microsoft-ASR_UA_{release}.0.0_{package.token}_GA_date_release{package.extension}"
