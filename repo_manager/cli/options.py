"""Options, each with its variable, and those that several commands share."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

import typer

from repo_manager.app.settings import PREFIX
from repo_manager.core.address import Address, parse
from repo_manager.core.audit.signature_policy import SignaturePolicy


def option(flag: str, help_: str, *, short: str | None = None, variable: str | None = None, **more: Any) -> Any:  # noqa: ANN401 - typer's own marker
    """An option whose variable is its flag in capitals, or `variable` where two flags of one name differ."""
    name = (variable or flag.removeprefix("--")).upper().replace("-", "_")
    flags = (flag, short) if short else (flag,)
    return typer.Option(*flags, envvar=f"{PREFIX}{name}", show_envvar=False, help=help_, **more)


def command_line_option(flag: str, help_: str, **more: Any) -> Any:  # noqa: ANN401 - typer's own marker
    """An option without variable and key: one of `settings.COMMAND_LINE_ONLY`."""
    return typer.Option(flag, help=f"{help_} Works on the command line only.", **more)


def was_said(context: typer.Context, parameter: str) -> bool:
    """Whether a flag or a variable says it, and not the configuration file or nobody."""
    source = context.get_parameter_source(parameter)
    return source is not None and source.name in {"COMMANDLINE", "ENVIRONMENT"}


Release = Annotated[
    str,
    option(
        "--release",
        "Which release is wanted: 9.66, latest (newest in the catalog), or auto (newest in the folder).",
        metavar="RELEASE",
    ),
]
Packages = Annotated[
    list[str] | None,
    option(
        "--package",
        "Only this package; may be given several times; all is every package of the release.",
        metavar="PACKAGE",
    ),
]
Source = Annotated[
    Address | None,
    option(
        "--source",
        "A folder, UNC path or URL that has the files under their published names, instead of the catalog's links.",
        metavar="BASE",
        parser=partial(parse, secrets=True),
    ),
]
ManualOnly = Annotated[bool, option("--manual-only", "Only packages that must be placed by hand.")]
DryRun = Annotated[bool, option("--dry-run", "Print the plan, change nothing.")]
Yes = Annotated[bool, option("--yes", "Do not ask before changing; needed where there is no terminal.", short="-y")]
Create = Annotated[
    bool,
    command_line_option("--create", "Accept a folder that has other files and no installers."),
]
Drop = Annotated[
    list[str] | None,
    command_line_option(
        "--drop",
        "Accept that this package is left without an installer; may be given several times.",
        metavar="PACKAGE",
    ),
]
AllowPlainHttp = Annotated[
    bool,
    command_line_option(
        "--allow-plain-http", "Send a token or password to another machine over http://, where others can read it."
    ),
]
Signatures = Annotated[
    SignaturePolicy | None,
    option("--signatures", "What it means when an installer for Windows is not signed as expected."),
]
NoRestart = Annotated[bool, option("--no-restart", "Leave the service alone.")]
