"""`repo-manager` and `python -m repo_manager`."""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Run the command line. `--version` alone is answered without loading it: people script it."""
    _have_streams(closed=sys.platform != "win32")
    if sys.argv[1:] == ["--version"]:
        from repo_manager.version import __version__

        try:
            print(f"repo-manager {__version__}", flush=True)  # noqa: T201 - the answer
        except OSError:
            # The command line says so in its own words.
            pass
        else:
            return
    from repo_manager.adapters import signals

    signals.listen()
    from repo_manager.core.errors import ExitCode

    try:
        from repo_manager import cli

        code = cli.main(sys.argv[1:])
    except KeyboardInterrupt:
        # While the command line was still being loaded: nothing was begun and there is nothing to say.
        code = ExitCode.INTERRUPTED
    if code == ExitCode.INTERRUPTED:
        # A download may still be waiting for a silent server; nobody who pressed Ctrl-C waits with it.
        os._exit(code)
    sys.exit(code)


def serve() -> None:
    """Run the command line as the Windows service that this process was started for.

    The service manager is answered before the command line is loaded, so that whatever goes wrong with that
    is no time-out. What a command that fails said last goes into the Event Log: nobody else hears it.
    """
    _have_streams()
    from repo_manager.adapters import signals
    from repo_manager.adapters.windows import event_log, service_manager

    words = event_log.OutputTail()

    def run() -> int:
        sys.stderr = words
        from repo_manager import cli

        code = cli.main(sys.argv[1:])
        if code:
            event_log.report_end(code, words.getvalue())
        return code

    sys.exit(service_manager.host(run, signals.request))


def _have_streams(*, closed: bool = False) -> None:
    """Without a console, as in a Windows service or under `pythonw`, what is said goes nowhere.

    Args:
        closed: a stream that is missing was closed by a shell: using it must fail, and no file that is opened later
            may get its descriptor.
    """
    for name, mode, other in (("stdin", "r", os.O_WRONLY), ("stdout", "w", os.O_RDONLY), ("stderr", "w", os.O_WRONLY)):
        if getattr(sys, name) is None:
            file = os.open(os.devnull, other) if closed else os.devnull
            setattr(sys, name, open(file, mode, encoding="utf-8"))  # noqa: SIM115, PTH123 - open to the end


if __name__ == "__main__":
    main()
