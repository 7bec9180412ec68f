"""The command line: one module per command, each loaded when it is called.

`main` is the only door: it turns whatever happens into an exit code and one clear message.
"""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TYPE_CHECKING, Any

from repo_manager.core.errors import ExitCode, InputError, MachineError, RepoManagerError, UntrustedFileError
from repo_manager.core.redaction import redacted, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from repo_manager.cli.console import Console
    from repo_manager.cli.global_options import GlobalOptions
    from repo_manager.cli.run import Run


class _InterruptedError(RepoManagerError):
    """Somebody pressed Ctrl-C."""

    exit_code = ExitCode.INTERRUPTED

    def __init__(self, message: str, hint: str) -> None:
        super().__init__("interrupted", message, hint)


class StoppedError(_InterruptedError):
    """Somebody asked a command to end that stays until it is asked, and it has ended as it should."""

    def __init__(self, command: str) -> None:
        super().__init__(f"{command} has stopped, as it was asked to", "run the same command to start it again")


def main(
    arguments: Sequence[str], make_run: Callable[..., Run] | None = None, environ: Mapping[str, str] | None = None
) -> int:
    """Run one command line and return the process's exit code. Never raises, never prints a traceback unasked.

    Args:
        arguments: without the program's name.
        make_run: makes the run of a command from the global options; its parts may be stand-ins.
        environ: the environment variables, where not those of this process.
    """
    made: list[GlobalOptions] = []

    def begin(given: dict[str, Any]) -> GlobalOptions:
        from repo_manager.cli.global_options import GlobalOptions

        options = GlobalOptions(given, words=tuple(arguments))
        options.environ = options.environ if environ is None else environ
        options.make_run = make_run or options.make_run
        made.append(options)
        return options

    from repo_manager.cli.console import flush, lost_output

    # What an earlier command line of this process could not write is not this one's.
    lost_output()
    code = _run(arguments, begin, made)
    # Here, and not when the process ends: a reader that has gone away must not change the exit code.
    flush()
    lost = lost_output()
    return code if lost is None else _unsaid(lost, code, arguments, made)


def _unsaid(lost: OSError, code: int, arguments: Sequence[str], made: Sequence[GlobalOptions]) -> int:
    """Report in one line that the answer could not be written, and what has been done nevertheless."""
    from repo_manager.cli.console import flush, reason

    console = _console(arguments, made)
    change = f"; {console.made}" if console.made else ""
    console.error(MachineError("cannot-write-output", f"stdout cannot be written: {reason(lost)}{change}"))
    flush()
    # Where the command itself failed, stderr has the reason, and its exit code says more.
    return ExitCode.TRANSFER if code in {ExitCode.DONE, ExitCode.FINDINGS} else code


def _run(  # noqa: PLR0911 - one return for each way a run can end
    arguments: Sequence[str], begin: Callable[[dict[str, Any]], GlobalOptions], made: Sequence[GlobalOptions]
) -> int:
    from typer import Abort
    from typer._click.exceptions import UsageError

    try:
        from repo_manager.cli.root import root

        # Not `list(arguments)`: once the command of that name is loaded, `list` here is its module.
        code = int(root().main([*arguments], prog_name="repo-manager", standalone_mode=False, obj=begin) or 0)
        # The library makes an exit code of an interruption and says nothing.
        return code if code != ExitCode.INTERRUPTED else _failed(_interrupted(), arguments, made)
    except UsageError as error:
        command = error.ctx.command_path if error.ctx else "repo-manager"
        hint = f"see '{command} --help'"
        if type(error).__name__ == "NoArgsIsHelpError":
            print(error.format_message(), file=sys.stderr)  # noqa: T201 - the help
            _console(arguments, made).emit(_document(InputError("usage", "no command was named", hint)))
            return ExitCode.USAGE
        return _failed(InputError("usage", _without_secrets(error.format_message(), arguments), hint), arguments, made)
    except RepoManagerError as error:
        return _failed(error, arguments, made)
    except (KeyboardInterrupt, Abort):
        return _failed(_interrupted(), arguments, made)
    except SystemExit:
        # So the library ends when whoever read the help has seen enough.
        return ExitCode.DONE
    except Exception as error:  # noqa: BLE001 - the last resort: a person gets a sentence, not a traceback
        if isinstance(error, OSError) and error.filename is None and _cannot_print():
            # The library prints the help itself, and lets pass only what POSIX calls a broken pipe.
            return ExitCode.DONE
        words = f"{type(error).__name__}: {error}"
        problem = MachineError("internal-error", f"something the tool did not expect: {words}", _REPORT)
        problem.__cause__ = error
        return _failed(problem, arguments, made)


def _without_secrets(message: str, arguments: Sequence[str]) -> str:
    """The library quotes words of the command line, and a word may be an address that has a blank in its password."""
    for word in sorted(arguments, key=len, reverse=True):
        message = message.replace(word, redacted(shown(word))) if shown(word) != word else message
    return message


def _cannot_print() -> bool:
    from repo_manager.cli.console import can_print

    return not can_print()


_REPORT = "run the same command with -vv and report what it prints; nothing was left half done"


def _interrupted() -> RepoManagerError:
    again = "run the same command again; it goes on with what has arrived"
    return _InterruptedError("interrupted; nothing was left half done", again)


def _document(error: RepoManagerError) -> dict[str, Any]:
    from repo_manager.report import documents

    return documents.error(error)


def _failed(error: RepoManagerError, arguments: Sequence[str], made: Sequence[GlobalOptions]) -> int:
    if isinstance(error, UntrustedFileError) and made:
        # Where the error arises, nothing is known of the options with which the run found the file.
        error.hint = error.hint.replace("'repo-manager doctor", f"'{made[-1].command} doctor")
    console = _console(arguments, made)
    console.emit(_document(error))
    console.error(error)
    if console.verbosity > 1 and not isinstance(error, StoppedError):
        console.traceback(error)
    return int(error.exit_code)


def _console(arguments: Sequence[str], made: Sequence[GlobalOptions]) -> Console:
    """The console of the command line, or a plain one where the command line or the configuration is not understood."""
    from repo_manager.cli.console import Console

    if made:
        with contextlib.suppress(RepoManagerError):
            console = made[-1].console
            # What stands behind a word that is not understood was never looked at.
            console.json_wanted |= _json_wanted(arguments)
            return console
    wanted = os.environ.get("REPO_MANAGER_JSON", "").strip().lower() in {"1", "true", "yes", "on", "t", "y"}
    return Console(json_wanted=wanted or _json_wanted(arguments), verbosity=2 * _verbose(arguments))


def _json_wanted(arguments: Sequence[str]) -> bool:
    return "--json" in (arguments[: arguments.index("--")] if "--" in arguments else arguments)


def _verbose(arguments: Sequence[str]) -> bool:
    return "-vv" in arguments or arguments.count("-v") + arguments.count("--verbose") > 1
