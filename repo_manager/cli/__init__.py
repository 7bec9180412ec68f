"""The command line: one module per command, each loaded when it is called.

`run` is the only door: it turns whatever happens into an exit code and one clear message.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from repo_manager.errors import ExitCode, InputError, MachineError, RepoManagerError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from repo_manager.cli.console import Console


def run(arguments: Sequence[str]) -> int:  # noqa: PLR0911 - one return for each way a run can end
    """Run one command line and return the process's exit code. Never raises, never prints a traceback unasked."""
    from typer import Abort
    from typer._click.exceptions import UsageError

    try:
        from repo_manager.cli.root import root

        return int(root().main(list(arguments), prog_name="repo-manager", standalone_mode=False) or 0)
    except UsageError as error:
        if type(error).__name__ == "NoArgsIsHelpError":
            print(error.format_message(), file=sys.stderr)  # noqa: T201 - the help
            return ExitCode.USAGE
        command = error.ctx.command_path if error.ctx else "repo-manager"
        problem = InputError("usage", error.format_message(), f"see '{command} --help'")
        return _failed(problem, arguments)
    except RepoManagerError as error:
        return _failed(error, arguments)
    except (KeyboardInterrupt, Abort):
        print("interrupted; the repository is as it was", file=sys.stderr)  # noqa: T201 - the last word
        return ExitCode.INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has seen enough.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.DONE
    except Exception as error:
        # The last resort: a person gets a sentence, not a traceback.
        if _verbose(arguments):
            raise
        words = f"{type(error).__name__}: {error}"
        return _failed(
            MachineError("internal-error", f"something the tool did not expect: {words}", _REPORT), arguments
        )


_REPORT = "run the same command with -vv and report what it prints; nothing was left half done"


def _failed(error: RepoManagerError, arguments: Sequence[str]) -> int:
    from repo_manager.report import documents

    console = _console(arguments)
    console.emit(documents.error(error))
    console.error(error)
    if _verbose(arguments):
        import traceback

        traceback.print_exception(error)
    return int(error.exit_code)


def _console(arguments: Sequence[str]) -> Console:
    """A console for the error of a command line that may not have been understood."""
    from repo_manager.cli.console import Console

    wanted = os.environ.get("REPO_MANAGER_JSON", "").strip().lower() in {"1", "true", "yes", "on", "t", "y"}
    return Console(json_wanted=wanted or "--json" in arguments)


def _verbose(arguments: Sequence[str]) -> bool:
    return "-vv" in arguments or arguments.count("-v") + arguments.count("--verbose") > 1
