"""`repo-manager` and `python -m repo_manager`."""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Run the command line. `--version` alone is answered without loading it: people script it."""
    if sys.argv[1:] == ["--version"]:
        from repo_manager import __version__

        print(f"repo-manager {__version__}")  # noqa: T201 - the answer
        return
    from repo_manager import cli
    from repo_manager.errors import ExitCode

    code = cli.main(sys.argv[1:])
    if code == ExitCode.INTERRUPTED:
        # A download may still be waiting for a silent server; nobody who pressed Ctrl-C waits with it.
        os._exit(code)
    sys.exit(code)


if __name__ == "__main__":
    main()
