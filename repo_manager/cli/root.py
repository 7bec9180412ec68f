"""The root command: global options, and commands that are loaded when they are called.

Loading every command would cost more than most commands take, so the root knows each by name and
one line of help, and imports its module on demand.
"""

from __future__ import annotations

from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import typer
from typer.core import TyperGroup, TyperOption

from repo_manager.app import settings
from repo_manager.app.settings import PREFIX
from repo_manager.cli.global_options import GlobalOptions
from repo_manager.core.errors import InputError, UntrustedFileError
from repo_manager.core.redaction import shown
from repo_manager.version import __version__

if TYPE_CHECKING:
    from collections.abc import Mapping

    from typer._click.core import Command, Context, Parameter
    from typer._click.formatting import HelpFormatter

    from repo_manager.cli.run import Run

COMMANDS: Final = {
    "parse": "Take installers' names apart.",
    "resolve": "An operating system in anyone's words: its package and file.",
    "list": "The repository as it is.",
    "audit": "What is missing, outdated, doubled, stray, corrupt.",
    "explain": "What a finding or an error means, and how to mend it.",
    "advise": "The steps from an old release to a newer one.",
    "show": "Everything known of one package, and how to install it by hand.",
    "sync": "Make the repository complete and current. The main job.",
    "download": "Fetch and verify packages into any folder.",
    "add": "Place files that are already here.",
    "prune": "Retire superseded and stray files.",
    "restore": "List past transactions and undo one.",
    "restart": "Restart the push-install service and wait for it.",
    "watch": "Stay, and put right what is dropped into the repository.",
    "serve": "Serve a signed set, and show who differs.",
    "publish": "Sign the set and publish it for others to follow.",
    "mirror": "Follow a published set.",
    "fleet": "Who of many servers is behind, differs, or is silent.",
    "catalog": "Check, show and update the catalog.",
    "doctor": "Is this machine ready?",
    "demo": "See the whole thing work on a sandbox.",
}

# Name, flags, what it does. Given before or after the command; after it counts more.
_GLOBALS: Final[tuple[tuple[str, dict[str, Any]], ...]] = (
    ("profile", {"param_decls": ["--profile"], "metavar": "NAME", "help": "Where the repository is and its service."}),
    ("repository", {"param_decls": ["--repository"], "metavar": "DIR", "help": "The repository's folder."}),
    ("catalog", {"param_decls": ["--catalog"], "metavar": "FILE", "help": "What should exist, instead of the tool's."}),
    ("config", {"param_decls": ["--config"], "metavar": "FILE", "help": "The configuration file."}),
    ("json", {"param_decls": ["--json"], "is_flag": True, "help": "One JSON document on stdout."}),
    ("verbose", {"param_decls": ["--verbose", "-v"], "count": True, "help": "Say each step; -vv shows tracebacks."}),
    ("quiet", {"param_decls": ["--quiet", "-q"], "is_flag": True, "help": "Say only the answer."}),
    ("no_color", {"param_decls": ["--no-color"], "is_flag": True, "help": "No colours."}),
)


def root() -> TyperGroup:
    """The root command."""
    return _Root(
        name="repo-manager",
        help="Keeps the push-install repository of Azure Site Recovery servers complete, current, clean and the same"
        " everywhere, and proves it.",
        rich_markup_mode=None,
        no_args_is_help=True,
        params=[*_global_options(after=False), _version_option()],
        context_settings=_CONTEXT,
    )


_BROKEN: Final = "repo-manager.broken-configuration"
_CONTEXT: Final = {"help_option_names": ["--help", "-h"]}


class _Root(TyperGroup):
    """Knows its commands by name."""

    def invoke(self, ctx: Context) -> Any:  # noqa: ANN401 - the base class's signature
        """Let the configuration file speak where neither flag nor variable does, then run the command."""
        make = ctx.obj or GlobalOptions
        # A variable that says no counts as much as one that says yes: both beat the configuration file.
        ctx.obj = make({name: value for name, value in ctx.params.items() if _was_given(ctx, name)})
        try:
            settings.refuse_variables(ctx.obj.environ)
            ctx.default_map = _defaults(_options_so_far(ctx))
        except InputError as error:
            ctx.meta[_BROKEN] = error
        return super().invoke(ctx)

    def list_commands(self, ctx: Context) -> list[str]:  # noqa: ARG002 - the base class's signature
        return list(COMMANDS)

    def get_command(self, ctx: Context, cmd_name: str) -> Command | None:  # noqa: ARG002 - the base class's signature
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"repo_manager.cli.{cmd_name}")
        command = typer.main.get_command(module.app)
        _prepare(command, COMMANDS[cmd_name])
        return command

    def resolve_command(self, ctx: Context, args: list[str]) -> tuple[str | None, Command | None, list[str]]:
        """Offer the nearest command where there is none of that name."""
        if _BROKEN in ctx.meta and not _works_without_configuration(args[0] if args else "", ctx.meta[_BROKEN]):
            raise ctx.meta[_BROKEN]
        # The base class suggests from `commands`, which stays empty here so that nothing is imported.
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            from repo_manager.core.catalog.strict_yaml import nearest

            near = nearest(args[0], COMMANDS)
            raise InputError(
                "usage",
                f"there is no command {shown(args[0])[:40]!r}",
                f"did you mean {near!r}?" if near else "see 'repo-manager --help'",
            )
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: Context, formatter: HelpFormatter) -> None:  # noqa: ARG002 - the base class's signature
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


def _works_without_configuration(command: str | None, error: InputError) -> bool:
    """Whether a command runs although the configuration cannot be used: it explains or corrects that."""
    return command == "explain" or (command == "doctor" and isinstance(error, UntrustedFileError))


def _was_given(ctx: Context, name: str) -> bool:
    source = ctx.get_parameter_source(name)
    return source is not None and source.name != "DEFAULT"


def _options_so_far(ctx: Context) -> Mapping[str, object]:
    """What the configuration file says; one that cannot be read is forgiven where the command names another."""
    options: GlobalOptions = ctx.obj
    try:
        return options.settings.options
    except InputError:
        if any(word.partition("=")[0] == "--config" for word in ctx.args):
            return {}
        raise


def _prepare(command: Command, summary: str) -> None:
    """Give a command, and the commands below it, the global options."""
    command.context_settings.update(_CONTEXT)
    command.short_help = summary
    if isinstance(command, TyperGroup):
        for below in command.commands.values():
            _prepare(below, below.short_help or below.help or "")
    command.params = [*command.params, *_global_options(after=True)]


def _global_options(*, after: bool) -> list[Parameter]:
    """The global options as they stand before the command, or after it, where they have no say unless given."""
    options = []
    for name, facts in _GLOBALS:
        envvar = None if after else f"{PREFIX}{name.upper()}"
        option = TyperOption(
            **{
                **facts,
                "param_decls": [f"global_{name}" if after else name, *facts["param_decls"]],
                "envvar": envvar,
                "show_envvar": False,
                "expose_value": not after,
                "callback": _given_after(name) if after else None,
                "is_eager": name == "config",
            }
        )
        options.append(option)
    return list(options)


def _given_after(name: str) -> Any:  # noqa: ANN401 - a callback as the library wants it
    def keep(ctx: Context, _parameter: Parameter, value: object) -> object:
        if value:
            given = ctx.find_object(GlobalOptions) or GlobalOptions({})
            given.given[name] = value
            if name == "config":
                # Eager, so that the file is read before the command's own options look for defaults.
                try:
                    own = _by_parameter(given.settings.options)
                except InputError as error:
                    if not _works_without_configuration(ctx.info_name, error):
                        raise
                    own = {}
                ctx.default_map = {**own, **dict.fromkeys((name for names in _BELOW.values() for name in names), own)}
        return value

    return keep


def _defaults(options: Mapping[str, object]) -> dict[str, Any]:
    """The same defaults for every command, and for the commands below some."""
    own = _by_parameter(options)
    below = {name: {**own, **dict.fromkeys(names, own)} for name, names in _BELOW.items()}
    return {**dict.fromkeys(COMMANDS, own), **below}


_BELOW: Final = {
    "catalog": ("check", "show", "update"),
    "watch": ("install", "remove", "unit"),
    "serve": ("token",),
    "fleet": ("audit",),
}


def _by_parameter(options: Mapping[str, object]) -> dict[str, Any]:
    """The options by the names of the commands' parameters, where some words of Python end in `_`."""
    return {**options, **{f"{name}_": options[name] for name in ("format", "set") if name in options}}


def _version_option() -> Parameter:
    def show(ctx: Context, _parameter: Parameter, value: object) -> None:
        if value:
            print(f"repo-manager {__version__}")  # noqa: T201 - the answer
            ctx.exit()

    return TyperOption(
        param_decls=["version", "--version"],
        is_flag=True,
        is_eager=True,
        expose_value=False,
        callback=show,
        help="Show the version.",
    )


def run_of(
    context: typer.Context,
    *,
    given: Mapping[str, object] = MappingProxyType({}),
    **choices: Any,  # noqa: ANN401 - the fields of Run
) -> Run:
    """The run of a command. `given` are global options that an option or argument of the command stands for."""
    options = options_of(context)
    options.given.update(given)
    return options.make_run(options, **choices)


def options_of(context: typer.Context) -> GlobalOptions:
    """The global options of a command."""
    options = context.find_object(GlobalOptions)
    if options is None:
        raise AssertionError(context)
    return options
