"""The options that several commands share, each with its variable."""

from __future__ import annotations

from typing import Annotated

import typer

from repo_manager.settings import PREFIX

Release = Annotated[
    str,
    typer.Option(
        metavar="RELEASE",
        envvar=f"{PREFIX}RELEASE",
        show_envvar=False,
        help="Which release is wanted: 9.66, latest (newest in the catalog), or auto (newest in the folder).",
    ),
]
Packages = Annotated[
    list[str] | None,
    typer.Option(
        "--package",
        metavar="PACKAGE",
        envvar=f"{PREFIX}PACKAGE",
        show_envvar=False,
        help="Only this package; may be given several times; all is every package of the release.",
    ),
]
Source = Annotated[
    str | None,
    typer.Option(
        metavar="BASE",
        envvar=f"{PREFIX}SOURCE",
        show_envvar=False,
        help="A folder, UNC path or URL that has the files under their published names, instead of the catalog's"
        " links.",
    ),
]
ManualOnly = Annotated[
    bool,
    typer.Option(
        "--manual-only",
        envvar=f"{PREFIX}MANUAL_ONLY",
        show_envvar=False,
        help="Only packages that must be placed by hand.",
    ),
]
DryRun = Annotated[
    bool,
    typer.Option("--dry-run", envvar=f"{PREFIX}DRY_RUN", show_envvar=False, help="Print the plan, change nothing."),
]
Yes = Annotated[
    bool, typer.Option("--yes", "-y", envvar=f"{PREFIX}YES", show_envvar=False, help="Do not ask before changing.")
]
NoRestart = Annotated[
    bool,
    typer.Option("--no-restart", envvar=f"{PREFIX}NO_RESTART", show_envvar=False, help="Leave the service alone."),
]
